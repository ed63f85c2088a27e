"""Prediction of video from frames alone, with temporal skip connections (optional topic).

There is no state here, only what a camera sees. The model of Deep Visual Foresight (Finn and Levine 2017, "Deep Visual
Foresight for Planning Robot Motion") does not paint the next frame: it moves the pixels of the last one. It predicts a
displacement, makes candidates for the next frame, and mixes them pixel by pixel. What passes behind a bar is lost to
such a model. So Ebert et al. (2017, "Self-Supervised Visual Planning with Temporal Skip Connections") add candidates
that are made from the first frame, in which it still shows.

Planning needs no reward model. Somebody designates a pixel and says where it should go; the model moves a distribution
over pixels just as it moves the frames, and a plan costs the expected distance to the goal.

    python -m pytest hw4/tests -m "advect or skip_candidates or composite or propagate_pixel or pixel_cost"

The films come from hw4/envs/video_prediction.py, the network is in hw4/topics/video_prediction_network.py; both are
given. A frame has the shape (H, W): y counts its rows downwards, x its columns to the right. A place or a displacement
is a pair (x, y), in pixels. B is the number of frames that are handled at once. All five functions leave what they are
given unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hw4.topics.video_prediction_network import VideoNetwork


def advect(images: Tensor, displacement: Tensor) -> Tensor:
    """Move every image by a displacement of its own (`advect`).

    With (x, y) the displacement of an image, the new pixel in row i and column j is

        moved[i, j] = sum_k sum_l max(0, 1 - |i - k - y|) * max(0, 1 - |j - l - x|) * image[k, l]

    This looks up the image at row i - y and column j - x: what was at (j, i) is at (j + x, i + y) afterwards. Between
    pixels, the four neighbours are averaged, the nearer ones counting more (bilinear interpolation). Outside the image
    everything is 0, so what moves out of it is gone. The displacement is any number of pixels, of either sign.

    Both sums are matrix products: one matrix moves rows, another columns. Leave the result differentiable in
    `displacement`: the network learns through it how far things move.

    Args:
        images: shape (B, H, W).
        displacement: (x, y) of each image in pixels, to the right and down, shape (B, 2).

    Returns:
        The moved images, shape (B, H, W).

    Public test: pytest hw4/tests -m advect
    """
    ### BEGIN SOLUTION advect: about 5 lines, no loop over images or pixels.
    rows, columns = torch.arange(images.shape[1]), torch.arange(images.shape[2])
    x, y = displacement.T[:, :, None, None]  # (B, 1, 1)
    from_row = torch.relu(1.0 - (rows[:, None] - rows - y).abs())  # (B, H, H)
    from_column = torch.relu(1.0 - (columns[:, None] - columns - x).abs())  # (B, W, W)
    return from_row @ images @ from_column.transpose(1, 2)
    ### END SOLUTION advect


def skip_candidates(
    previous: Tensor, first: Tensor, displacement: Tensor, total_displacement: Tensor, *, skip: bool
) -> Tensor:
    """Make the candidates for the next frame (`skip_candidates`).

    They are, in this order:

        0. previous                              what does not move: the ground
        1. advect(previous, displacement)        what moves and shows
        2. first                                 with `skip` only: what was covered for a while, such as the ground
        3. advect(first, total_displacement)     with `skip` only: what moved on behind something

    The candidates 2 and 3 are the temporal skip connection (Ebert et al. 2017, sec. 4). Without it the model has no
    access to the first frame: then `first` and `total_displacement` must not change anything.

    Args:
        previous: the frame before, which may be a predicted one, shape (B, H, W).
        first: the last frame that was really seen, shape (B, H, W).
        displacement: (x, y) of this step in pixels, shape (B, 2).
        total_displacement: the sum of all displacements since `first`, this step's included, shape (B, 2).
        skip: whether there is a skip connection.

    Returns:
        The candidates, shape (B, 4, H, W) with `skip`, and (B, 2, H, W) without.

    Public test: pytest hw4/tests -m skip_candidates
    """
    ### BEGIN SOLUTION skip_candidates: about 4 lines; call `advect`.
    candidates = [previous, advect(previous, displacement)]
    if skip:
        candidates += [first, advect(first, total_displacement)]
    return torch.stack(candidates, dim=1)
    ### END SOLUTION skip_candidates


def composite(candidates: Tensor, scores: Tensor) -> Tensor:
    """Mix candidates pixel by pixel (`composite`).

    With c the candidates and s the scores, at every pixel:

        mask[k]  = exp(s[k]) / sum_m exp(s[m])
        mixed    = sum_k mask[k] * c[k]

    The masks are positive and sum to 1 at every pixel, so a constant that is added to all scores of a pixel changes
    nothing, and the mixed pixel lies between the smallest and the largest of its candidates. Scores of any size are
    fine: the largest may be 1000.

    Args:
        candidates: shape (B, k, H, W).
        scores: of each candidate at each pixel, shape (B, k, H, W). Higher counts more.

    Returns:
        The mixed images, shape (B, H, W).

    Public test: pytest hw4/tests -m composite
    """
    ### BEGIN SOLUTION composite: about 2 lines, no loop.
    masks = torch.softmax(scores, dim=1)
    return (masks * candidates).sum(dim=1)
    ### END SOLUTION composite


def propagate_pixel(
    previous: Tensor, first: Tensor, displacement: Tensor, total_displacement: Tensor, scores: Tensor, *, skip: bool
) -> Tensor:
    """Move the distribution of a designated pixel as the model moves the frame (`propagate_pixel`).

    `previous[b, i, j]` is how likely the designated thing is at row i and column j. The same displacements make
    candidates of the distributions `previous` and `first`, as `skip_candidates` makes them of frames, and the same
    scores mix them:

        moved  = composite(skip_candidates(previous, first, ...), scores)
        result = moved / max(1, sum over all pixels of moved)

    So a distribution that comes out with a sum above 1 is scaled down to 1. One with a sum below 1 stays as it is: what
    is missing is the probability that the model has lost sight of the thing. Do not scale it up. Behind the bar next to
    nothing is left, and a scaled-up rest would claim to know where the thing is.

    Args:
        previous: the distribution before this step, shape (B, H, W). Not negative; its sum is at most 1.
        first: the distribution at the last frame that was really seen, shape (B, H, W).
        displacement: (x, y) of this step in pixels, shape (B, 2).
        total_displacement: the sum of all displacements since `first`, this step's included, shape (B, 2).
        scores: those that mixed this step's frame, shape (B, k, H, W).
        skip: whether there is a skip connection.

    Returns:
        The distribution after this step, shape (B, H, W).

    Public test: pytest hw4/tests -m propagate_pixel
    """
    ### BEGIN SOLUTION propagate_pixel: about 3 lines; call `skip_candidates` and `composite`.
    candidates = skip_candidates(previous, first, displacement, total_displacement, skip=skip)
    moved = composite(candidates, scores)
    return moved / moved.sum(dim=(1, 2), keepdim=True).clamp(min=1.0)
    ### END SOLUTION propagate_pixel


def pixel_cost(probability: Tensor, goal: Tensor) -> Tensor:
    """The expected distance of a designated pixel from its goal, in pixels (`pixel_cost`).

    With P a distribution over pixels and d[i, j] the Euclidean distance of row i and column j from the goal:

        lost = 1 - sum_ij P[i, j]
        cost = sum_ij P[i, j] * d[i, j]  +  lost * mean_ij d[i, j]

    What is lost pays the mean distance of the whole picture, as if the thing could be at any pixel. Were it free, a
    plan would do best to lose sight of it.

    Args:
        probability: distributions P, shape (..., H, W), with any number of leading axes.
        goal: (x, y) in pixels, shape (2,). It may lie between pixels.

    Returns:
        The cost of each distribution, shape (...). Lower is better.

    Public test: pytest hw4/tests -m pixel_cost
    """
    ### BEGIN SOLUTION pixel_cost: about 5 lines, no loop.
    height, width = probability.shape[-2:]
    x, y = torch.arange(width) - goal[0], torch.arange(height) - goal[1]
    distance = torch.hypot(x, y[:, None])  # (H, W)
    lost = 1.0 - probability.sum(dim=(-2, -1))
    return (probability * distance).sum(dim=(-2, -1)) + lost * distance.mean()
    ### END SOLUTION pixel_cost


# The rest is given. ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prediction:
    """What a model expects to see of K steps."""

    frames: Tensor  # shape (B, K, H, W)
    pixels: Tensor  # distributions of the designated pixel, shape (B, K, H, W); (B, 0, H, W) if there is none
    displacements: Tensor  # (x, y) of each step in pixels, shape (B, K, 2)


def predict(
    network: VideoNetwork, previous: Tensor, first: Tensor, actions: Tensor, pixel: Tensor | None = None
) -> Prediction:
    """Predict the frames that follow two frames under some actions (given).

    Each predicted frame is made from the one before, so the loop over steps remains; everything else is batched.

    Args:
        network: the model; it knows whether it has a skip connection.
        previous: the last frame but one, shape (B, H, W).
        first: the last frame, shape (B, H, W).
        actions: from then on, shape (B, K, 2).
        pixel: where the designated pixel is in `first`, as a distribution of shape (B, H, W).
    """
    displacements = network.displace(network.motion(previous, first), actions)
    frame, distribution = first, pixel
    frames, distributions = [], []
    totals = displacements.cumsum(dim=1)
    for displacement, total in zip(displacements.unbind(dim=1), totals.unbind(dim=1), strict=True):
        candidates = skip_candidates(frame, first, displacement, total, skip=network.skip)
        scores = network.choose(candidates)
        frame = composite(candidates, scores)
        frames.append(frame)
        if pixel is not None and distribution is not None:
            distribution = propagate_pixel(distribution, pixel, displacement, total, scores, skip=network.skip)
            distributions.append(distribution)
    pixels = torch.stack(distributions, dim=1) if distributions else first.new_zeros(len(first), 0, *first.shape[1:])
    return Prediction(torch.stack(frames, dim=1), pixels, displacements)


@dataclass(frozen=True)
class Training:
    """How `fit` trains."""

    gradient_steps: int = 375
    learning_rate: float = 4e-3
    final_rate: float = 0.3  # times the learning rate, in the last `final_share` of the steps
    final_share: float = 0.3
    max_gradient_norm: float = 5.0
    horizon: int = 12  # steps that are predicted in the end
    one_step_share: float = 0.4  # of the gradient steps, at first, that predict one step
    growth_share: float = 0.35  # of the gradient steps, after that, in which the horizon grows

    def horizon_at(self, gradient_step: int) -> int:
        """How many steps are predicted: one at first, then more and more."""
        grown = (gradient_step / self.gradient_steps - self.one_step_share) / self.growth_share
        return min(max(1 + int(grown * self.horizon), 1), self.horizon)

    def batch_size_at(self, gradient_step: int) -> int:
        """Fewer films where more steps are predicted."""
        horizon = self.horizon_at(gradient_step)
        return 64 if horizon == 1 else 32 if horizon <= 4 else 16


def fit(frames: Tensor, actions: Tensor, *, skip: bool, seed: int, training: Training | None = None) -> VideoNetwork:
    """Fit a model to films, by the squared error of the predicted frames (given).

    What is usually seen, the median over all frames, is taken for the background. It trains on windows of films that
    begin while the dot shows. A dot that is predicted more than its own size from where it really is gives no gradient
    that leads there. So the model first learns to predict one step, and then more and more of them.

    Args:
        frames: shape (num_films, num_steps + 1, H, W).
        actions: shape (num_films, num_steps, 2).
        skip: whether the model has a skip connection.
        seed: of its first weights and of the windows.
        training: how, if not as usual.
    """
    training = training or Training()
    generator = torch.Generator().manual_seed(seed)
    background = frames.flatten(0, 1).median(dim=0).values
    network = VideoNetwork(background, actions.shape[2], skip=skip, generator=generator)
    optimizer = torch.optim.Adam(network.parameters(), lr=training.learning_rate)
    shows = something_shows(frames, background)
    for gradient_step in range(training.gradient_steps):
        if gradient_step >= (1.0 - training.final_share) * training.gradient_steps:
            optimizer.param_groups[0]["lr"] = training.final_rate * training.learning_rate
        horizon = training.horizon_at(gradient_step)
        begins = shows[:, 1 : frames.shape[1] - horizon].nonzero() + torch.tensor([0, 1])
        drawn = torch.randint(len(begins), (training.batch_size_at(gradient_step),), generator=generator)
        film, begin = begins[drawn, :1], begins[drawn, 1:]  # (B, 1)
        steps = begin + torch.arange(horizon)  # (B, K)
        previous, first = frames[film, begin - 1][:, 0], frames[film, begin][:, 0]
        predicted = predict(network, previous, first, actions[film, steps]).frames
        loss = ((predicted - frames[film, steps + 1]) ** 2).sum(dim=(2, 3)).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), training.max_gradient_norm)
        optimizer.step()
    return network


def something_shows(frames: Tensor, background: Tensor) -> Tensor:
    """Which frames are clearly brighter than the background, (N, T, H, W) and (H, W) -> (N, T)."""
    brightness = (frames - background).clamp(min=0.0).sum(dim=(2, 3))
    return brightness > 0.6 * brightness.quantile(0.9)


def planning_objective(
    network: VideoNetwork, previous: Tensor, first: Tensor, pixel: Tensor, goal: Tensor
) -> Callable[[Tensor], Tensor]:
    """What CEM maximises: the negative cost of the designated pixel, its mean over the steps plus the last (given).

    Args:
        network: the model.
        previous: the last frame but one, shape (H, W).
        first: the last frame, shape (H, W).
        pixel: the designated pixel in it, as a distribution of shape (H, W).
        goal: (x, y) where it should go, in pixels, shape (2,).
    """

    def objective(action_sequences: Tensor) -> Tensor:
        before, now, where = (image.expand(len(action_sequences), -1, -1) for image in (previous, first, pixel))
        cost = pixel_cost(predict(network, before, now, action_sequences, where).pixels, goal)  # (B, K)
        return -(cost.mean(dim=1) + cost[:, -1])

    return objective


@torch.no_grad()
def last_frames(network: VideoNetwork, previous: Tensor, first: Tensor, actions: Tensor) -> Tensor:
    """The last frame of each prediction, shape (B, H, W) (given; the grader asks for it)."""
    return predict(network, previous, first, actions).frames[:, -1]


def displacement_gradient(images: Tensor, displacement: Tensor, weights: Tensor) -> Tensor:
    """How sum(weights * advect(images, displacement)) changes with the displacement, (B, 2) (given, for tests)."""
    variable = displacement.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((weights * advect(images, variable)).sum(), variable)
    return gradient
