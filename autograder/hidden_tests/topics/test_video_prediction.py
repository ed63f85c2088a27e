"""Hidden checks of the topic video_prediction: moving, mixing and scoring pixels, and what a fitted model sees."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.hidden_tests.graded import effect, graded
from autograder.hidden_tests.inputs import check_left_alone
from autograder.hidden_tests.topics import video_prediction_oracle as oracle
from hw4.checking.answers import AnyOf, check, check_close, check_shape
from hw4.checking.subject import Handle, Kept, Subject
from hw4.checking.variations import repeat, vary
from hw4.envs import video_prediction as world

RNG = np.random.Generator
ADVECT = "topics.video_prediction.advect"
CANDIDATES = "topics.video_prediction.skip_candidates"
COMPOSITE = "topics.video_prediction.composite"
PROPAGATE = "topics.video_prediction.propagate_pixel"
COST = "topics.video_prediction.pixel_cost"
B, H, W = 3, 5, 7


# advect ---------------------------------------------------------------------------------------------------------------


def _advect_slips(images: Any, displacement: Any) -> dict[str, Any]:
    """What known mistakes give."""
    back, swapped = -displacement, displacement[:, ::-1]
    toward_zero, nearest, down = np.trunc(displacement), np.rint(displacement), np.floor(displacement)
    alike = np.repeat(displacement[:1], len(displacement), axis=0)
    slips: dict[str, Any] = {
        "advect_reversed": AnyOf(tuple(oracle.advected(images, d) for d in (back, -swapped))),
        "advect_axes_swapped": oracle.advected(images, swapped),
        "advect_wraps": oracle.advected(images, displacement, "wrap"),
        "advect_edge_repeated": oracle.advected(images, displacement, "edge"),
        "advect_one_axis": AnyOf(tuple(oracle.advected(images, displacement * one) for one in ([1, 0], [0, 1]))),
        "advect_not_moved": images,
    }
    if (displacement != alike).any():
        slips["advect_moves_all_alike"] = oracle.advected(images, alike)
    if (displacement != nearest).any():
        slips["advect_rounds"] = AnyOf(tuple(oracle.advected(images, d) for d in (toward_zero, nearest, down)))
    return slips


def _check_advect(subject: Subject, images: Any, displacement: Any, what: str) -> Any:
    answer = subject.call(ADVECT, images, displacement)
    wanted = oracle.advected(images, displacement)
    check_close(answer, wanted, what, slips=lambda: _advect_slips(images, displacement))
    return answer


@graded("advect", weight=2)
def test_whole_displacements_shift_the_image(subject: Subject, rng: RNG) -> None:
    """After whole displacements every pixel is as many columns to the right and rows down; zeros come in."""
    for _ in range(2):
        images = rng.uniform(0.5, 2.0, (4, H, W))
        displacement = np.array([[2, 1], [-1, 2], [0, -3], [-4, 0]])[rng.permutation(4)]
        _check_advect(subject, images, displacement.astype(float), "images after whole displacements")


@graded("advect", weight=2)
def test_between_pixels_the_neighbours_are_averaged(subject: Subject, rng: RNG) -> None:
    """Half a pixel gives the mean of two neighbours, any other part the average of four by their nearness."""
    images = rng.uniform(0.5, 2.0, (B, H, W))
    for displacement in ([[0.5, 0.0], [0.0, -0.5], [1.5, 0.5]], rng.uniform(-2.5, 2.5, (B, 2))):
        _check_advect(subject, images, np.array(displacement), "images after displacements between pixels")


@graded("advect")
def test_a_spot_moves_by_its_displacement(subject: Subject, rng: RNG) -> None:
    """The centre of a spot moves by +d, nothing of it is lost inside, and twice the image gives twice the answer."""
    rows, columns = np.arange(12), np.arange(14)
    spot = np.zeros((2, 12, 14))
    spot[:, 4:7, 5:8] = rng.uniform(0.5, 1.0, (2, 3, 3))
    displacement = rng.uniform(0.7, 2.5, (2, 2)) * [[1.0, -1.0], [-1.0, 1.0]]

    def centre(images: Any) -> Any:
        mass = images.sum(axis=(1, 2))
        x, y = (images.sum(axis=1) * columns).sum(axis=1), (images.sum(axis=2) * rows).sum(axis=1)
        return np.stack([x / mass, y / mass], axis=1)

    answer = _check_advect(subject, spot, displacement, "a moved spot")
    check_close(centre(answer) - centre(spot), displacement, "how far the centre of a spot moves")
    check_close(answer.sum(axis=(1, 2)), spot.sum(axis=(1, 2)), "the sum of a moved spot")
    doubled = subject.call(ADVECT, -2.0 * spot, displacement)
    check_close(doubled, -2.0 * answer, "an image of other brightness", otherwise="values_clamped")


@graded("advect")
def test_advect_takes_any_size(subject: Subject, rng: RNG) -> None:
    """One image, one row, one column, a large batch; and displacements that leave nothing of the image."""

    def at(*shape: int, far: float = 1.5) -> None:
        _check_advect(subject, rng.uniform(0.5, 2.0, shape), rng.uniform(-far, far, (shape[0], 2)), "the moved images")

    def out_of_sight() -> None:
        images = rng.uniform(0.5, 2.0, (4, H, W))
        displacement = np.array([[W, 0.0], [-W - 0.5, 0.0], [0.0, H], [300.0, -400.0]])
        _check_advect(subject, images, displacement, "images that move out of sight")

    vary(
        lambda: at(B, H, W),
        again=2,
        size_one=[lambda: at(1, H, W), lambda: at(B, 1, W), lambda: at(B, H, 1), lambda: at(1, 1, 1, far=0.7)],
        large=[lambda: at(40, 16, 16, far=9.0), out_of_sight],
    )


@graded("advect")
def test_the_gradient_reaches_the_displacement(subject: Subject, rng: RNG) -> None:
    """How the moved images change with the displacement is known to torch, and right."""
    images, weights = rng.uniform(0.5, 2.0, (B, H, W)), rng.uniform(-1.0, 1.0, (B, H, W))
    displacement = rng.choice([-1, 0, 1], (B, 2)) + rng.uniform(0.2, 0.8, (B, 2))
    wanted, small = np.zeros((B, 2)), 1e-4  # between whole pixels everything is linear in x and in y
    for axis in (0, 1):
        step = small * np.eye(2)[axis]
        change = oracle.advected(images, displacement + step) - oracle.advected(images, displacement - step)
        wanted[:, axis] = (weights * change).sum(axis=(1, 2)) / (2 * small)
    gradient = subject.call("topics.video_prediction.displacement_gradient", images, displacement, weights)
    slips = {"advect_rounds": np.zeros((B, 2)), "advect_reversed": -wanted, "advect_axes_swapped": wanted[:, ::-1]}
    check_close(gradient, wanted, "the gradient of the displacement", slips=slips)


@graded("advect", weight=0.5, needs_another=True)
def test_advect_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Images and displacements are not changed in place."""
    images, displacement = rng.uniform(0.5, 2.0, (B, H, W)), rng.uniform(-1.5, 1.5, (B, 2))
    wanted = oracle.advected(images, displacement)

    def ask(*kept: Kept) -> None:
        check_close(subject.call(ADVECT, *kept), wanted, "the moved images")

    check_left_alone(subject, [images, displacement], ask)


# skip_candidates ------------------------------------------------------------------------------------------------------


def _frames(rng: RNG, *shape: int) -> list[Any]:
    """previous, first, displacement and total_displacement."""
    return [*rng.uniform(0.5, 2.0, (2, *shape)), *rng.uniform(0.6, 1.7, (2, shape[0], 2)) * [[[1.0]], [[-1.0]]]]


def _made_of(previous: Any, displacement: Any, total: Any) -> Any:
    """Four candidates without a skip connection."""
    return oracle.candidates(previous, previous, displacement, total, skip=True)


def _candidate_slips(previous: Any, first: Any, displacement: Any, total: Any, *, skip: bool) -> dict[str, Any]:
    """What known mistakes give."""

    def of(*moved: Any, order: Any = (0, 1, 2, 3)) -> Any:
        four = [previous, oracle.advected(*moved[0]), first, oracle.advected(*moved[1])]
        return np.stack([four[i] for i in order if i < (4 if skip else 2)], axis=1)

    right = ((previous, displacement), (first, total))
    slips = {
        "skip_step_for_total": of(right[0], (first, displacement)),
        "skip_from_previous": AnyOf((of(right[0], (previous, total)), _made_of(previous, displacement, total))),
        "skip_total_for_step": of((previous, total), right[1]),
        "skip_order": AnyOf(tuple(of(*right, order=order) for order in ((1, 0, 3, 2), (2, 3, 0, 1), (0, 2, 1, 3)))),
        "skip_reversed": AnyOf(
            (of((previous, displacement), (first, -total)), of((previous, -displacement), (first, -total)))
        ),
        "skip_moved_twice": of(right[0], (oracle.advected(first, total), displacement)),
        "candidate_axis": of(*right).swapaxes(0, 1),
    }
    if not skip:
        slips = {name: slips[name] for name in ("skip_total_for_step", "skip_order", "candidate_axis")}
        slips["skip_first_used"] = AnyOf(
            (
                np.stack([first, oracle.advected(first, total)], axis=1),
                np.stack([previous, oracle.advected(first, total)], axis=1),
                oracle.candidates(previous, first, displacement, total, skip=True),
            )
        )
    else:
        slips["skip_missing"] = oracle.candidates(previous, first, displacement, total, skip=False)
    return slips


def _check_candidates(subject: Subject, inputs: list[Any], *, skip: bool, what: str = "the candidates") -> Any:
    answer = subject.call(CANDIDATES, *inputs, skip=skip)
    wanted = oracle.candidates(*inputs, skip=skip)
    check_close(answer, wanted, what, slips=lambda: _candidate_slips(*inputs, skip=skip))
    return answer


@graded("skip_candidates", weight=2)
def test_candidates_come_from_the_previous_and_the_first_frame(subject: Subject, rng: RNG) -> None:
    """With skip: the previous frame, the previous frame moved by this step, the first, the first moved by the total."""
    for _ in range(2):
        _check_candidates(subject, _frames(rng, B, H, W), skip=True)


@graded("skip_candidates", weight=2)
def test_without_skip_the_first_frame_plays_no_part(subject: Subject, rng: RNG) -> None:
    """Without skip there are two candidates, and no number of the first frame or of its displacement changes them."""
    inputs = _frames(rng, B, H, W)
    answer = _check_candidates(subject, inputs, skip=False)
    hidden = [inputs[0], rng.uniform(50.0, 90.0, (B, H, W)), inputs[2], rng.uniform(5.0, 9.0, (B, 2))]
    again = subject.call(CANDIDATES, *hidden, skip=False)
    check_close(again, answer, "the candidates after another first frame", otherwise="skip_first_used")
    _check_candidates(subject, hidden, skip=True, what="the candidates with skip after that")


@graded("skip_candidates")
def test_candidates_of_any_size(subject: Subject, rng: RNG) -> None:
    """One frame, one row, one column, and the sizes of a planner; with and without skip in turns."""

    def at(*shape: int) -> None:
        for skip in (True, False):
            _check_candidates(subject, _frames(rng, *shape), skip=skip)

    vary(
        lambda: at(B, H, W),
        again=2,
        size_one=[lambda: at(1, H, W), lambda: at(B, 1, W), lambda: at(B, H, 1), lambda: at(1, 1, 1)],
        large=[lambda: at(30, 16, 16)],
    )


@graded("skip_candidates", weight=0.5, needs_another=True)
def test_candidates_leave_their_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Frames and displacements are not changed in place."""
    inputs = _frames(rng, B, H, W)
    wanted = oracle.candidates(*inputs, skip=True)

    def ask(*kept: Kept) -> None:
        check_close(subject.call(CANDIDATES, *kept, skip=True), wanted, "the candidates")

    check_left_alone(subject, inputs, ask)


# composite ------------------------------------------------------------------------------------------------------------


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # an exponential that overflows is one of the slips
def _composite_slips(candidates: Any, scores: Any) -> dict[str, Any]:
    """What known mistakes give."""
    masks, raised = oracle.masks(scores), np.exp(scores)
    sigmoid = 1 / (1 + np.exp(-scores))
    over_pixels = [raised / raised.sum(axis=axes, keepdims=True) for axes in (0, 2, 3, (2, 3))]
    best = np.take_along_axis(candidates, scores.argmax(axis=1)[:, None], axis=1)[:, 0]
    return {
        "masks_not_normalized": AnyOf(
            tuple((m * candidates).sum(axis=1) for m in (raised, sigmoid, scores, raised / raised.max(axis=1)[:, None]))
        ),
        "masks_axis": AnyOf(tuple((m * candidates).sum(axis=1) for m in over_pixels)),
        "masks_best_only": best,
        "masks_reversed": oracle.mixed(candidates, -scores),
        "masks_not_used": candidates.mean(axis=1),
        "masks_mean_for_sum": (masks * candidates).mean(axis=1),
        "masks_not_exponential": (scores / scores.sum(axis=1, keepdims=True) * candidates).sum(axis=1),
        "masks_twice": oracle.mixed(candidates, masks),
    }


def _check_composite(subject: Subject, candidates: Any, scores: Any, what: str = "the mixed images") -> Any:
    answer = subject.call(COMPOSITE, candidates, scores)
    wanted = oracle.mixed(candidates, scores)
    if isinstance(answer, np.ndarray) and answer.shape == wanted.shape and answer.dtype.kind == "f":
        check(bool(np.isfinite(answer).all()), f"{what} contain NaN or infinite numbers", "softmax_overflows")
    check_close(answer, wanted, what, slips=lambda: _composite_slips(candidates, scores))
    return answer


def _mixture(rng: RNG, *shape: int) -> tuple[Any, Any]:
    return rng.uniform(0.5, 2.0, shape) + np.arange(shape[1])[:, None, None], rng.normal(0.5, 1.5, shape)


@graded("composite", weight=2)
def test_candidates_are_mixed_by_the_exponential_of_their_scores(subject: Subject, rng: RNG) -> None:
    """Every pixel is the average of its candidates, weighted by a softmax over the candidates."""
    vary(lambda: _check_composite(subject, *_mixture(rng, B, 4, H, W)), again=2)


@graded("composite", weight=2)
def test_masks_sum_to_one_at_every_pixel(subject: Subject, rng: RNG) -> None:
    """Candidates that are all the same come back; a constant on all scores of a pixel changes nothing."""
    candidates, scores = _mixture(rng, B, 4, H, W)
    same = np.repeat(candidates[:, :1], 4, axis=1)
    slips = lambda: _composite_slips(same, scores)  # noqa: E731
    check_close(subject.call(COMPOSITE, same, scores), same[:, 0], "what equal candidates give", slips=slips)
    answer = _check_composite(subject, candidates, scores)
    constant = rng.uniform(-3.0, 3.0, (B, 1, H, W))
    shifted = subject.call(COMPOSITE, candidates, scores + constant)
    check_close(shifted, answer, "the mixed images after a constant on the scores", otherwise="masks_not_normalized")
    for size in (-1000.0, 1000.0):
        large = subject.call(COMPOSITE, candidates, scores + size)
        finite = isinstance(large, np.ndarray) and bool(np.isfinite(large).all())
        check(finite, "the mixed images of large scores contain NaN or infinite numbers", "softmax_overflows")
        check_close(large, answer, "the mixed images of large scores", otherwise="softmax_overflows", rtol=2e-3)


@graded("composite")
def test_composite_takes_any_size(subject: Subject, rng: RNG) -> None:
    """One image, one pixel, one candidate, many of each."""

    def at(*shape: int) -> None:
        _check_composite(subject, *_mixture(rng, *shape))

    vary(
        lambda: at(B, 4, H, W),
        size_one=[lambda: at(1, 4, H, W), lambda: at(B, 1, H, W), lambda: at(B, 2, 1, W), lambda: at(B, 2, H, 1)],
        large=[lambda: at(30, 4, 16, 16), lambda: at(2, 9, H, W)],
    )


@graded("composite", weight=0.5, needs_another=True)
def test_composite_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Candidates and scores are not changed in place."""
    candidates, scores = _mixture(rng, B, 4, H, W)
    wanted = oracle.mixed(candidates, scores)

    def ask(*kept: Kept) -> None:
        check_close(subject.call(COMPOSITE, *kept), wanted, "the mixed images")

    check_left_alone(subject, [candidates, scores], ask)


# propagate_pixel ------------------------------------------------------------------------------------------------------


def _distributions(rng: RNG, *shape: int, total: float = 0.8, skip: bool = True) -> list[Any]:
    """previous, first, displacement, total_displacement and scores, for distributions with these sums."""
    inputs = _frames(rng, *shape)
    inputs[:2] = [total * image / image.sum(axis=(1, 2), keepdims=True) for image in inputs[:2]]
    return [*inputs, rng.normal(size=(shape[0], 4 if skip else 2, *shape[1:]))]


def _propagate_slips(previous: Any, first: Any, displacement: Any, total: Any, scores: Any, *, skip: bool) -> Any:
    """What known mistakes give."""
    made = oracle.candidates(previous, first, displacement, total, skip=skip)
    raw = oracle.mixed(made, scores)
    sums = raw.sum(axis=(1, 2), keepdims=True)
    slips: dict[str, Any] = {
        "pixel_scaled_up": raw / sums,
        "pixel_not_scaled_down": raw,
        "pixel_scaled_together": raw / max(1.0, float(raw.sum())),
        "pixel_clipped": np.clip(raw, 0.0, 1.0),
        "pixel_largest_kept": raw / np.maximum(1.0, raw.max(axis=(1, 2), keepdims=True)),
        "pixel_not_mixed": AnyOf(tuple(made[:, i] for i in range(made.shape[1]))),
        "masks_not_used": made.mean(axis=1) / np.maximum(1.0, made.mean(axis=1).sum(axis=(1, 2), keepdims=True)),
    }
    if skip:
        swapped = oracle.mixed(oracle.candidates(first, previous, displacement, total, skip=True), scores)
        alike = oracle.mixed(oracle.candidates(previous, previous, displacement, total, skip=True), scores)
        for name, other in (("pixel_inputs_swapped", swapped), ("pixel_first_ignored", alike)):
            slips[name] = other / np.maximum(1.0, other.sum(axis=(1, 2), keepdims=True))
    return slips


def _check_pixel(subject: Subject, inputs: list[Any], *, skip: bool, what: str = "the distribution") -> Any:
    answer = subject.call(PROPAGATE, *inputs, skip=skip)
    wanted = oracle.propagated(*inputs, skip=skip)
    slips = lambda: _propagate_slips(*inputs, skip=skip)  # noqa: E731
    check_close(answer, wanted, what, slips=slips, atol=1e-5)
    return answer


@graded("propagate_pixel", weight=2)
def test_a_distribution_moves_as_the_frame_does(subject: Subject, rng: RNG) -> None:
    """The same candidates and masks as for frames, made of the distributions; with skip and without."""
    for skip in (True, False, True):
        _check_pixel(subject, _distributions(rng, B, H, W, skip=skip), skip=skip)
    inputs = _distributions(rng, B, H, W, skip=False)
    answer = _check_pixel(subject, inputs, skip=False)
    other = [inputs[0], rng.uniform(0.0, 0.02, (B, H, W)), inputs[2], rng.uniform(1.0, 2.0, (B, 2)), inputs[4]]
    again = subject.call(PROPAGATE, *other, skip=False)
    what = "the distribution after another first one"
    check_close(again, answer, what, otherwise="skip_first_used", atol=1e-5)


@graded("propagate_pixel", weight=2)
def test_probability_is_scaled_down_and_never_up(subject: Subject, rng: RNG) -> None:
    """A sum above 1 becomes 1, each distribution by itself; a sum below 1 stays what is left."""
    sure = np.full((B, 1, H, W), 60.0)

    def at(sums: list[float]) -> None:
        """Two places, and scores that keep the previous one where it is and show the first one where it was."""
        previous, first = np.zeros((B, H, W)), np.zeros((B, H, W))
        previous[:, 1, 2], first[:, 3, 4] = 0.75 * np.array(sums), 0.25 * np.array(sums)
        scores = np.concatenate([sure, 0 * sure, 0 * sure, 0 * sure], axis=1)
        scores[:, :, 3, 4] = [0.0, 0.0, 60.0, 0.0]
        answer = _check_pixel(subject, [previous, first, np.zeros((B, 2)), np.zeros((B, 2)), scores], skip=True)
        check_shape(answer, (B, H, W), "the distribution")
        check_close(answer.sum(axis=(1, 2)), np.minimum(sums, 1.0), "the sum of each distribution")

    at([1.0, 1.25, 0.2])
    at([1.28, 0.05, 1.0])
    repeat(lambda: at([0.6, 1.12, 1.3]))


@graded("propagate_pixel")
def test_distributions_of_any_size(subject: Subject, rng: RNG) -> None:
    """One distribution, one row, one column, and the sizes of a planner."""

    def at(*shape: int) -> None:
        for skip in (True, False):
            _check_pixel(subject, _distributions(rng, *shape, skip=skip), skip=skip)

    vary(
        lambda: at(B, H, W),
        size_one=[lambda: at(1, H, W), lambda: at(B, 1, W), lambda: at(B, H, 1), lambda: at(1, 1, 1)],
        large=[lambda: at(30, 16, 16)],
    )


@graded("propagate_pixel", weight=0.5, needs_another=True)
def test_propagate_pixel_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Distributions, displacements and scores are not changed in place."""
    inputs = _distributions(rng, B, H, W)
    wanted = oracle.propagated(*inputs, skip=True)

    def ask(*kept: Kept) -> None:
        check_close(subject.call(PROPAGATE, *kept, skip=True), wanted, "the distribution", atol=1e-5)

    check_left_alone(subject, inputs, ask)


# pixel_cost -----------------------------------------------------------------------------------------------------------


def _cost_slips(probability: Any, goal: Any) -> dict[str, Any]:
    """What known mistakes give."""
    height, width = probability.shape[-2:]
    far = oracle.distances(height, width, goal)
    swapped = oracle.distances(height, width, goal[::-1])
    total = probability.sum(axis=(-2, -1))
    inside, lost = (probability * far).sum(axis=(-2, -1)), 1.0 - total
    rows, columns = np.arange(height)[:, None], np.arange(width)
    city = np.abs(rows - goal[1]) + np.abs(columns - goal[0])
    most = np.array([far.flat[one.argmax()] for one in probability.reshape(-1, height * width)]).reshape(total.shape)
    mean_x, mean_y = (probability * columns).sum(axis=(-2, -1)), (probability * rows).sum(axis=(-2, -1))

    def costs(d: Any) -> Any:
        return (probability * d).sum(axis=(-2, -1)) + lost * d.mean()

    return {
        "lost_is_free": inside,
        "lost_pays_most": inside + lost * far.max(),
        "lost_pays_one": inside + lost,
        "pixel_scaled_up": inside / np.maximum(total, 1e-12),
        "lost_pays_sum": inside + lost * far.sum(),
        "goal_swapped": AnyOf((costs(swapped), (probability * swapped).sum(axis=(-2, -1)) + lost * far.mean())),
        "distance_squared": costs(far**2),
        "distance_not_euclidean": AnyOf((costs(city), costs(np.maximum(abs(rows - goal[1]), abs(columns - goal[0]))))),
        "distance_of_the_mean": AnyOf(
            tuple(
                np.hypot(mean_x / n - goal[0], mean_y / n - goal[1]) * m + lost * far.mean()
                for n, m in ((1.0, 1.0), (np.maximum(total, 1e-12), 1.0), (np.maximum(total, 1e-12), total))
            )
        ),
        "distance_of_the_likeliest": AnyOf((most, most * total + lost * far.mean())),
        "mean_for_sum": (probability * far).mean(axis=(-2, -1)) + lost * far.mean(),
        "cost_negated": -costs(far),
        "cost_not_separate": AnyOf((np.full_like(total, costs(far).mean()), costs(far).mean())),
    }


def _check_cost(subject: Subject, probability: Any, goal: Any, what: str = "the cost") -> None:
    answer = subject.call(COST, probability, goal)
    slips = lambda: _cost_slips(probability, goal)  # noqa: E731
    check_close(answer, oracle.cost(probability, goal), what, slips=slips)


def _probability(rng: RNG, *shape: int, total: Any = 1.0) -> Any:
    raw = rng.uniform(0.0, 1.0, shape) ** 3
    return total * raw / raw.sum(axis=(-2, -1), keepdims=True)


@graded("pixel_cost", weight=2)
def test_a_certain_place_costs_its_distance(subject: Subject, rng: RNG) -> None:
    """All of the probability at one pixel: the cost is its Euclidean distance from the goal."""
    for goal in (np.array([5.0, 1.0]), np.array([0.75, 3.5]), np.array([-2.0, 9.0])):
        probability = np.zeros((4, H, W))
        places = rng.integers([H, W], size=(4, 2))
        probability[np.arange(4), places[:, 0], places[:, 1]] = 1.0
        wanted = np.hypot(places[:, 1] - goal[0], places[:, 0] - goal[1])
        answer = subject.call(COST, probability, goal)
        slips = lambda p=probability, g=goal: _cost_slips(p, g)  # noqa: E731
        check_close(answer, wanted, "the cost of a certain place", slips=slips)


@graded("pixel_cost", weight=2)
def test_cost_is_the_expected_distance_and_what_is_lost_pays_the_mean(subject: Subject, rng: RNG) -> None:
    """Every pixel counts by its probability; what is missing to 1 pays the mean distance over the picture."""
    for sums in ((1.0, 1.0, 1.0), (0.9, 0.5, 0.1), (0.0, 1.0, 0.3)):
        probability = _probability(rng, B, H, W, total=np.array(sums)[:, None, None])
        _check_cost(subject, probability, rng.uniform(0.0, 6.0, 2) * [1.0, 0.6])


@graded("pixel_cost")
def test_cost_takes_any_leading_axes_and_any_size(subject: Subject, rng: RNG) -> None:
    """One distribution without a leading axis, several leading axes, one pixel, and the sizes of a planner."""

    def at(*shape: int) -> None:
        _check_cost(subject, _probability(rng, *shape, total=0.7), np.array([1.3, 2.6]))

    vary(
        lambda: at(B, H, W),
        again=2,
        size_one=[
            lambda: at(H, W),
            lambda: at(1, H, W),
            lambda: at(B, 1, W),
            lambda: at(B, H, 1),
            lambda: at(1, 1),
            lambda: at(2, 1, H, W),
        ],
        large=[lambda: at(40, 12, 16, 16), lambda: at(2, 3, 4, H, W)],
    )


@graded("pixel_cost", weight=0.5, needs_another=True)
def test_cost_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Distribution and goal are not changed in place."""
    probability, goal = _probability(rng, B, H, W, total=0.7), np.array([4.0, 2.5])
    wanted = oracle.cost(probability, goal)

    def ask(*kept: Kept) -> None:
        check_close(subject.call(COST, *kept), wanted, "the cost")

    check_left_alone(subject, [probability, goal], ask)


# What a fitted model sees again ---------------------------------------------------------------------------------------

NUM_FILMS, FILM_STEPS, NUM_TESTS = 1000, 25, 64


@effect("dot_found_again")
def dot_behind_the_bar(subject: Subject, rng: RNG) -> float:
    """How much of the dot a model with a skip connection shows again behind the bar, in a scene of its own."""
    scene = world.draw_scene(rng)
    films = world.random_films(NUM_FILMS, FILM_STEPS, scene, rng)
    network = subject.call(
        "topics.video_prediction.fit", films.frames, films.actions, skip=True, seed=int(rng.integers(1 << 31))
    )
    check(isinstance(network, Handle), "fit does not return a network", "wrong_type")
    tests = world.crossing_films(NUM_TESTS, scene, rng)
    last = subject.call(
        "topics.video_prediction.last_frames", network, tests.frames[:, 0], tests.frames[:, 1], tests.actions[:, 1:]
    )
    check_shape(last, (NUM_TESTS, world.SIZE, world.SIZE), "the predicted frames")
    return world.dot_found_again(last, tests, scene)
