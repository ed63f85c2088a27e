"""Hints for hw4/topics/video_prediction.py (given; standard library only)."""

from __future__ import annotations

from hw4.checking.hint import Hint

HINTS: dict[str, Hint] = {
    "advect_reversed": Hint(
        "Your images move the wrong way, so probably the sign of the displacement is turned round. A pixel is looked "
        "up where it came from: at row i - y and column j - x.",
        "the docstring of the stub",
    ),
    "advect_axes_swapped": Hint(
        "Your images move down where they should move right, so probably x and y are swapped. A displacement is (x, "
        "y): x belongs to columns, the last axis.",
        "the docstring of the stub",
    ),
    "advect_wraps": Hint(
        "What leaves your image on one side comes in on the other, so probably there is a `roll`. Outside the image "
        "everything is 0.",
        "the docstring of the stub",
    ),
    "advect_edge_repeated": Hint(
        "Pixels at the edge of your image are drawn out, so probably indices are clipped to the image. Outside the "
        "image everything is 0.",
        "the docstring of the stub",
    ),
    "advect_rounds": Hint(
        "Your displacements are rounded to whole pixels. Between pixels, neighbours are averaged by their nearness; "
        "the network could not learn from whole steps.",
        "the docstring of the stub",
    ),
    "advect_moves_all_alike": Hint(
        "All your images move by the displacement of the first. Every image has its own.", "the docstring of the stub"
    ),
    "advect_one_axis": Hint("Your images move along one axis only; x and y both count.", "the docstring of the stub"),
    "advect_not_moved": Hint("Your images do not move at all.", "the docstring of the stub"),
    "skip_step_for_total": Hint(
        "Your first frame is moved by this step alone. It has to be moved by everything since then: "
        "`total_displacement`.",
        "the docstring of the stub",
    ),
    "skip_from_previous": Hint(
        "Your skip candidates are made from the previous frame. They come from `first`, where nothing was hidden yet.",
        "the docstring of the stub",
    ),
    "skip_total_for_step": Hint(
        "Your previous frame is moved by the total displacement. It has moved already: only `displacement` is missing.",
        "the docstring of the stub",
    ),
    "skip_order": Hint(
        "Your candidates are the right ones in another order. See the list.", "the docstring of the stub"
    ),
    "skip_reversed": Hint(
        "Your first frame is moved the wrong way, so probably a sign is turned round.", "the docstring of the stub"
    ),
    "skip_moved_twice": Hint(
        "Your first frame is moved by the total and by this step. The total includes this step.",
        "the docstring of the stub",
    ),
    "skip_missing": Hint("With `skip` there are four candidates; yours are two.", "the docstring of the stub"),
    "skip_first_used": Hint(
        "Without `skip` the first frame still has a say. The model has no access to it then: two candidates, both made "
        "from `previous`.",
        "the docstring of the stub",
    ),
    "candidate_axis": Hint(
        "Your candidates lie along axis 0. They belong to axis 1, after the batch.", "the docstring of the stub"
    ),
    "masks_not_normalized": Hint(
        "Your masks do not sum to 1 at every pixel, so probably the softmax is something else, such as a sigmoid.",
        "the docstring of the stub",
    ),
    "masks_axis": Hint(
        "Your softmax runs over the wrong axis. At each pixel the candidates compete, axis 1; pixels and images do "
        "not.",
        "the docstring of the stub",
    ),
    "masks_best_only": Hint(
        "Your pixels are those of the candidate with the highest score. What is asked for is the weighted average; an "
        "arg max would teach the network nothing.",
        "the docstring of the stub",
    ),
    "masks_reversed": Hint("Your candidates count more where their score is lower.", "the docstring of the stub"),
    "masks_not_used": Hint(
        "Your candidates all count the same, so probably the scores are not used.", "the docstring of the stub"
    ),
    "masks_mean_for_sum": Hint(
        "Your images are too dark by the number of candidates: the masks already sum to 1, so a sum is due, not a "
        "mean.",
        "the docstring of the stub",
    ),
    "masks_not_exponential": Hint(
        "Your masks are proportional to the scores; the exponential is missing.", "the docstring of the stub"
    ),
    "masks_twice": Hint("There are two softmaxes, one after the other. One is enough.", "the docstring of the stub"),
    "pixel_scaled_up": Hint(
        "Your distribution is divided by its sum even where that is below 1. What is lost stays lost: divide by the "
        "sum only where it exceeds 1.",
        "the docstring of the stub",
    ),
    "pixel_not_scaled_down": Hint(
        "The probabilities of your distribution can have a sum above 1. Where they do, divide by the sum.",
        "the docstring of the stub",
    ),
    "pixel_scaled_together": Hint(
        "All your distributions are divided by one number. Each has a sum of its own.", "the docstring of the stub"
    ),
    "pixel_clipped": Hint(
        "Single probabilities are clipped to 1. It is their sum that must not exceed 1.", "the docstring of the stub"
    ),
    "pixel_largest_kept": Hint(
        "Your distribution is divided by its largest entry. It is the sum that must not exceed 1.",
        "the docstring of the stub",
    ),
    "pixel_not_mixed": Hint(
        "Your distribution is one of the candidates. They have to be mixed by the scores.", "the docstring of the stub"
    ),
    "pixel_inputs_swapped": Hint(
        "`previous` and `first` are swapped on their way to the candidates.", "the docstring of the stub"
    ),
    "pixel_first_ignored": Hint(
        "With `skip`, your distribution forgets where the pixel was at first: `first` must reach the candidates.",
        "the docstring of the stub",
    ),
    "lost_is_free": Hint(
        "What is lost costs nothing in your answer, so a plan would do best to hide the pixel. It pays the mean "
        "distance.",
        "the docstring of the stub",
    ),
    "lost_pays_most": Hint(
        "What is lost pays the largest distance in your answer; it pays the mean one.", "the docstring of the stub"
    ),
    "lost_pays_one": Hint(
        "What is lost pays 1 in your answer; it pays the mean distance.", "the docstring of the stub"
    ),
    "lost_pays_sum": Hint(
        "What is lost pays the sum of all distances; it pays their mean.", "the docstring of the stub"
    ),
    "goal_swapped": Hint(
        "Your distances have x and y swapped: the goal is (x, y), and x belongs to columns.",
        "the docstring of the stub",
    ),
    "distance_squared": Hint("Your distances are squared; a root is missing.", "the docstring of the stub"),
    "distance_not_euclidean": Hint("Your distances are not Euclidean: sqrt(dx^2 + dy^2).", "the docstring of the stub"),
    "distance_of_the_mean": Hint(
        "Your cost is the distance of the mean place. The mean of two places on either side of the goal is the goal; "
        "the expected distance is not 0.",
        "the docstring of the stub",
    ),
    "distance_of_the_likeliest": Hint(
        "Your cost is the distance of the likeliest pixel. Every pixel counts by its probability.",
        "the docstring of the stub",
    ),
    "mean_for_sum": Hint(
        "Your cost averages over pixels where the sum over pixels is meant.", "the docstring of the stub"
    ),
    "cost_negated": Hint("Your cost has the wrong sign: lower is better.", "the docstring of the stub"),
    "cost_not_separate": Hint(
        "Your distributions share one cost. Every distribution has its own.", "the docstring of the stub"
    ),
}
