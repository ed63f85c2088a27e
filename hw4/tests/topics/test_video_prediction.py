"""Public tests of hw4/topics/video_prediction.py. The first test of each stub is its worked example."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hw4.checking.answers import AnyOf, check, check_close
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.subject import LocalSubject
from hw4.checking.variations import vary
from hw4.checking.worked_example import check_example
from hw4.envs import video_prediction as world
from hw4.topics.video_prediction import (
    Training,
    advect,
    composite,
    displacement_gradient,
    fit,
    pixel_cost,
    planning_objective,
    predict,
    propagate_pixel,
    skip_candidates,
    something_shows,
)

B, H, W = 2, 6, 4
NAME = "topics.video_prediction."


def numbers(*shape: int, seed: int = 0) -> Tensor:
    """Different numbers between 1 and 2, the same at every run."""
    return 1.0 + torch.rand(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


def pairs(*values: tuple[float, float]) -> Tensor:
    return torch.tensor(values)


# advect ---------------------------------------------------------------------------------------------------------------


@pytest.mark.stub("advect")
def test_advect_worked_example() -> None:
    check_example(WORKED_EXAMPLES["advect"], LocalSubject())


@pytest.mark.stub("advect")
def test_advect_shifts_by_whole_pixels() -> None:
    """(1, -2) is one column to the right and two rows up: inside, a roll; what comes in is 0."""
    images = numbers(B, H, W)
    moved = advect(images, pairs((1.0, -2.0), (-1.0, 0.0)))
    rolled = [torch.roll(images[0], (-2, 1), (0, 1)), torch.roll(images[1], -1, 1)]
    wanted = [one.clone() for one in rolled]
    wanted[0][-2:], wanted[0][:, 0], wanted[1][:, -1] = 0.0, 0.0, 0.0
    slips = {
        "advect_wraps": torch.stack(rolled).numpy(),
        "advect_reversed": advect(images, pairs((-1.0, 2.0), (1.0, 0.0))).numpy(),
        "advect_axes_swapped": advect(images, pairs((-2.0, 1.0), (0.0, -1.0))).numpy(),
    }
    check_close(moved.numpy(), torch.stack(wanted).numpy(), "the moved images", slips=slips)


@pytest.mark.stub("advect")
def test_advect_by_half_a_pixel_is_the_mean_of_neighbours() -> None:
    images = numbers(1, H, W)
    moved = advect(images, pairs((0.5, 0.0)))[0]
    check_close(moved[:, 1:].numpy(), ((images[0, :, 1:] + images[0, :, :-1]) / 2).numpy(), "half a pixel to the right")
    check_close(
        moved[:, 0].numpy(), (images[0, :, 0] / 2).numpy(), "the first column", otherwise="advect_edge_repeated"
    )
    up = advect(images, pairs((0.0, -0.25)))[0]
    check_close(up[:-1].numpy(), (0.75 * images[0, :-1] + 0.25 * images[0, 1:]).numpy(), "a quarter of a pixel up")


@pytest.mark.stub("advect")
def test_advect_moves_the_centre_of_a_spot_and_is_linear_in_the_image() -> None:
    spot = torch.zeros(1, 9, 11)
    spot[0, 4, 5] = 2.0
    moved = advect(spot, pairs((1.75, -0.5)))
    x, y = (moved.sum(dim=(0, 1)) @ torch.arange(11.0)) / 2, (moved.sum(dim=(0, 2)) @ torch.arange(9.0)) / 2
    check_close(np.array([x, y]), np.array([6.75, 3.5]), "the centre of the spot")
    twice = advect(-3.0 * spot, pairs((1.75, -0.5)))
    check_close(twice.numpy(), (-3.0 * moved).numpy(), "another brightness", otherwise="values_clamped")


@pytest.mark.stub("advect")
def test_advect_lets_the_gradient_reach_the_displacement() -> None:
    """A ramp that rises by 1 a column falls by 1 a pixel that it moves to the right: at each of 3 pixels inside."""
    ramp, inside = torch.arange(5.0).repeat(1, 3, 1), torch.zeros(1, 3, 5)
    inside[0, 1, 1:4] = 1.0
    gradient = displacement_gradient(ramp, pairs((0.5, 0.25)), inside)
    slips = {"advect_rounds": np.zeros((1, 2)), "advect_axes_swapped": np.array([[0.0, -3.0]])}
    check_close(gradient.numpy(), np.array([[-3.0, 0.0]]), "the gradient of the displacement", slips=slips)


@pytest.mark.stub("advect")
def test_advect_takes_any_size_in_every_call() -> None:
    """Moved by (1, 0), each column but the first is the one to its left."""

    def at(*shape: int) -> None:
        images = np.random.default_rng(sum(shape)).uniform(1, 2, shape)
        moved = LocalSubject().call(NAME + "advect", images, np.tile([1.0, 0.0], (shape[0], 1)))
        wanted = np.concatenate([np.zeros((*shape[:2], 1)), images[..., :-1]], axis=2)
        check_close(moved, wanted, "the moved images")

    vary(
        lambda: at(B, H, W),
        again=2,
        size_one=[lambda: at(1, H, W), lambda: at(B, 1, W), lambda: at(B, H, 1)],
        large=[lambda: at(50, 16, 16)],
    )
    gone = advect(numbers(B, H, W), pairs((100.0, 0.0), (0.0, -1000.0)))
    check_close(gone.numpy(), np.zeros((B, H, W)), "images that move out of sight", otherwise="advect_edge_repeated")


# skip_candidates ------------------------------------------------------------------------------------------------------


@pytest.mark.stub("skip_candidates")
def test_skip_candidates_worked_example() -> None:
    check_example(WORKED_EXAMPLES["skip_candidates"], LocalSubject())


@pytest.mark.stub("skip_candidates")
def test_skip_candidates_are_in_order() -> None:
    previous, first = numbers(B, H, W), numbers(B, H, W, seed=1)
    step, total = pairs((1.0, 0.0), (0.0, 1.0)), pairs((2.0, 1.0), (-1.0, 2.0))
    candidates = skip_candidates(previous, first, step, total, skip=True)
    wanted = [previous, advect(previous, step), first, advect(first, total)]
    slips = {
        "skip_step_for_total": torch.stack([*wanted[:3], advect(first, step)], dim=1).numpy(),
        "skip_total_for_step": torch.stack([previous, advect(previous, total), *wanted[2:]], dim=1).numpy(),
        "skip_from_previous": torch.stack([*wanted[:3], advect(previous, total)], dim=1).numpy(),
        "candidate_axis": torch.stack(wanted).numpy(),
    }
    check_close(candidates.numpy(), torch.stack(wanted, dim=1).numpy(), "the candidates", slips=slips)


@pytest.mark.stub("skip_candidates")
def test_skip_candidates_without_skip_know_nothing_of_the_first_frame() -> None:
    previous, step = numbers(B, H, W), pairs((1.0, 0.0), (0.0, 1.0))
    wanted = torch.stack([previous, advect(previous, step)], dim=1)
    for first, total in ((numbers(B, H, W), pairs((2.0, 1.0), (0.0, 1.0))), (torch.full((B, H, W), 99.0), 9.0 * step)):
        candidates = skip_candidates(previous, first, step, total, skip=False)
        check_close(candidates.numpy(), wanted.numpy(), "the candidates without skip", otherwise="skip_first_used")


@pytest.mark.stub("skip_candidates")
def test_skip_candidates_take_any_size_in_every_call() -> None:
    def at(*shape: int) -> None:
        still = torch.zeros(shape[0], 2)
        for skip, number in ((True, 4), (False, 2)):
            candidates = skip_candidates(numbers(*shape), numbers(*shape), still, still, skip=skip)
            wanted = numbers(*shape)[:, None].repeat(1, number, 1, 1)
            check_close(candidates.numpy(), wanted.numpy(), "the candidates when nothing moves")

    vary(
        lambda: at(B, H, W),
        again=1,
        size_one=[lambda: at(1, H, W), lambda: at(B, 1, W), lambda: at(B, H, 1)],
        large=[lambda: at(40, 16, 16)],
    )


# composite ------------------------------------------------------------------------------------------------------------


@pytest.mark.stub("composite")
def test_composite_worked_example() -> None:
    check_example(WORKED_EXAMPLES["composite"], LocalSubject())


@pytest.mark.stub("composite")
def test_composite_has_masks_that_sum_to_one() -> None:
    """Candidates that are all the same come back, whatever the scores are."""
    same, scores = numbers(B, 1, H, W).repeat(1, 3, 1, 1), 3.0 * numbers(B, 3, H, W, seed=2)
    slips = {
        "masks_not_normalized": (same * scores.exp()).sum(dim=1).numpy(),
        "masks_mean_for_sum": (same[:, 0] / 3).numpy(),
        "masks_axis": AnyOf(tuple((same * scores.softmax(dim=axis)).sum(dim=1).numpy() for axis in (0, 2, 3))),
    }
    check_close(composite(same, scores).numpy(), same[:, 0].numpy(), "what equal candidates give", slips=slips)


@pytest.mark.stub("composite")
def test_composite_of_high_scores_shows_the_best_candidate() -> None:
    candidates, scores = numbers(B, 3, H, W), torch.zeros(B, 3, H, W)
    scores[:, 1] = 1000.0
    scores[:, :, 0, 0] = torch.tensor([500.0, -1000.0, -1000.0])
    wanted = candidates[:, 1].clone()
    wanted[:, 0, 0] = candidates[:, 0, 0, 0]
    mixed = composite(candidates, scores)
    check(bool(mixed.isfinite().all()), "the mixed images contain NaN or infinite numbers", "softmax_overflows")
    check_close(mixed.numpy(), wanted.numpy(), "the mixed images")


@pytest.mark.stub("composite")
def test_composite_takes_any_size_in_every_call() -> None:
    """Scores 0 and log 3 are masks of 1/4 and 3/4."""

    def at(*shape: int) -> None:
        candidates = np.random.default_rng(sum(shape)).uniform(1, 2, (shape[0], 2, *shape[1:]))
        scores = np.zeros_like(candidates)
        scores[:, 1] = np.log(3.0)
        mixed = LocalSubject().call(NAME + "composite", candidates, scores)
        wanted = 0.25 * candidates[:, 0] + 0.75 * candidates[:, 1]
        slips = {"masks_not_used": candidates.mean(axis=1), "masks_best_only": candidates[:, 1]}
        check_close(mixed, wanted, "the mixed images", slips=slips)

    vary(
        lambda: at(B, H, W),
        again=2,
        size_one=[lambda: at(1, H, W), lambda: at(B, 1, W), lambda: at(B, H, 1)],
        large=[lambda: at(50, 16, 16)],
    )


# propagate_pixel ------------------------------------------------------------------------------------------------------


def point(row: int, column: int, probability: float = 1.0) -> Tensor:
    """A distribution with all of its probability at one pixel, shape (1, H, W)."""
    distribution = torch.zeros(1, H, W)
    distribution[0, row, column] = probability
    return distribution


def scores_of(number: int, winner: int) -> Tensor:
    """Scores by which one candidate shows at every pixel."""
    scores = torch.zeros(1, number, H, W)
    scores[:, winner] = 60.0
    return scores


@pytest.mark.stub("propagate_pixel")
def test_propagate_pixel_worked_example() -> None:
    check_example(WORKED_EXAMPLES["propagate_pixel"], LocalSubject())


@pytest.mark.stub("propagate_pixel")
def test_propagate_pixel_follows_the_candidate_that_shows() -> None:
    previous, first = point(1, 1), point(4, 0)
    step, total = pairs((1.0, 0.0)), pairs((2.0, -1.0))
    for winner, wanted in enumerate((point(1, 1), point(1, 2), point(4, 0), point(3, 2))):
        moved = propagate_pixel(previous, first, step, total, scores_of(4, winner), skip=True)
        slips = {"pixel_first_ignored": point(0, 3).numpy()} if winner == 3 else {}
        check_close(moved.numpy(), wanted.numpy(), f"the distribution where candidate {winner} shows", slips=slips)
    moved = propagate_pixel(previous, torch.full((1, H, W), 0.01), step, total, scores_of(2, 1), skip=False)
    check_close(moved.numpy(), point(1, 2).numpy(), "the distribution without skip", otherwise="skip_first_used")


@pytest.mark.stub("propagate_pixel")
@pytest.mark.parametrize("probability", [0.25, 0.9, 1.0])
def test_propagate_pixel_never_scales_up(probability: float) -> None:
    still = pairs((0.0, 0.0))
    lost = point(2, 2, probability)
    moved = propagate_pixel(lost, lost, still, still, torch.zeros(1, 4, H, W), skip=True)
    check_close(moved.numpy(), lost.numpy(), "a distribution that is partly lost", otherwise="pixel_scaled_up")


@pytest.mark.stub("propagate_pixel")
def test_propagate_pixel_scales_down_what_is_above_one() -> None:
    """The previous pixel shows where it is, and the first one where it was: together 1.5, and in the other film 0.5."""
    still, scores = torch.zeros(2, 2), scores_of(4, 0).repeat(2, 1, 1, 1)
    scores[:, :, 4, 0] = torch.tensor([0.0, 0.0, 60.0, 0.0])
    previous = torch.cat([point(1, 1), point(1, 1, 0.25)])
    first = torch.cat([point(4, 0, 0.5), point(4, 0, 0.25)])
    moved = propagate_pixel(previous, first, still, still, scores, skip=True)
    wanted = torch.cat([(previous + first)[:1] / 1.5, (previous + first)[1:]])
    slips = {
        "pixel_not_scaled_down": (previous + first).numpy(),
        "pixel_scaled_together": ((previous + first) / 2.0).numpy(),
        "pixel_scaled_up": torch.cat([wanted[:1], 2.0 * wanted[1:]]).numpy(),
    }
    check_close(moved.numpy(), wanted.numpy(), "the distributions", slips=slips)


@pytest.mark.stub("propagate_pixel")
def test_propagate_pixel_takes_any_size_in_every_call() -> None:
    def at(*shape: int) -> None:
        uniform, still = torch.full(shape, 1.0 / (shape[1] * shape[2])), torch.zeros(shape[0], 2)
        scores = torch.randn(shape[0], 4, *shape[1:], generator=torch.Generator().manual_seed(0))
        moved = propagate_pixel(uniform, uniform, still, still, scores, skip=True)
        check_close(moved.numpy(), uniform.numpy(), "a uniform distribution when nothing moves")

    vary(
        lambda: at(B, H, W),
        again=1,
        size_one=[lambda: at(1, H, W), lambda: at(B, 1, W), lambda: at(B, H, 1)],
        large=[lambda: at(40, 16, 16)],
    )


# pixel_cost -----------------------------------------------------------------------------------------------------------


@pytest.mark.stub("pixel_cost")
def test_pixel_cost_worked_example() -> None:
    check_example(WORKED_EXAMPLES["pixel_cost"], LocalSubject())


@pytest.mark.stub("pixel_cost")
def test_pixel_cost_of_a_certain_place_is_its_distance() -> None:
    """Row 5 and column 0 are 3 columns and 4 rows from the goal (3, 1)."""
    cost = pixel_cost(point(5, 0), torch.tensor([3.0, 1.0]))
    slips = {
        "goal_swapped": np.array([np.hypot(1, 2)]),
        "distance_squared": np.array([25.0]),
        "distance_not_euclidean": np.array([7.0]),
        "cost_negated": np.array([-5.0]),
    }
    check_close(cost.numpy(), np.array([5.0]), "the cost", slips=slips)


@pytest.mark.stub("pixel_cost")
def test_pixel_cost_is_the_expected_distance_not_that_of_the_mean_place() -> None:
    """Half at one side of the goal and half at the other."""
    cost = pixel_cost(0.5 * (point(1, 0) + point(1, 2)), torch.tensor([1.0, 1.0]))
    slips = {"distance_of_the_mean": np.array([0.0])}
    check_close(cost.numpy(), np.array([1.0]), "the cost", slips=slips)


@pytest.mark.stub("pixel_cost")
def test_pixel_cost_of_all_that_is_lost_is_the_mean_distance() -> None:
    goal = torch.tensor([0.0, 0.0])
    everywhere = torch.full((1, H, W), 1.0 / (H * W))
    lost = pixel_cost(torch.zeros(1, H, W), goal)
    check(bool((lost > 0).all()), "a pixel that is lost costs nothing", "lost_is_free")
    check_close(lost.numpy(), pixel_cost(everywhere, goal).numpy(), "the cost of a pixel that is lost")


@pytest.mark.stub("pixel_cost")
def test_pixel_cost_takes_any_leading_axes_in_every_call() -> None:
    def at(*leading: int) -> None:
        cost = pixel_cost(point(2, 1)[0].expand(*leading, H, W), torch.tensor([1.0, 5.0]))
        check_close(cost.numpy(), np.full(leading, 3.0), "the cost")

    vary(
        lambda: at(B),
        again=2,
        size_one=[at, lambda: at(1), lambda: at(B, 1)],
        large=[lambda: at(60, 12), lambda: at(2, 3, 4)],
    )


# All together ---------------------------------------------------------------------------------------------------------

STUBS = ("advect", "skip_candidates", "composite", "propagate_pixel", "pixel_cost")


def all_stubs(test: Any) -> Any:
    for stub_id in STUBS:
        test = pytest.mark.stub(stub_id)(test)
    return test


@all_stubs
def test_all_functions_leave_their_inputs_as_they_were() -> None:
    images, scores = numbers(B, H, W) / (2 * H * W), numbers(B, 4, H, W)
    step, goal = pairs((1.0, 0.5), (-0.5, 1.0)), torch.tensor([1.0, 2.0])
    inputs = {"images": images, "scores": scores, "displacements": step, "goal": goal}
    before = {name: value.clone() for name, value in inputs.items()}
    for skip in (True, False):
        candidates = skip_candidates(images, images, step, step, skip=skip)
        kept = candidates.clone()
        composite(candidates, scores[:, : candidates.shape[1]])
        check(torch.equal(candidates, kept), "the candidates were changed", "inplace")
        propagate_pixel(images, images, step, step, scores[:, : candidates.shape[1]], skip=skip)
    advect(images, step)
    pixel_cost(images, goal)
    for name, value in inputs.items():
        check(torch.equal(value, before[name]), f"the {name} were changed", "inplace")


@all_stubs
def test_a_model_learns_to_predict_one_step_and_plans_can_be_scored() -> None:
    """A short fit: predictions become better than 'nothing moves'. The whole fit takes some 10 seconds."""
    rng = np.random.default_rng(0)
    scene = world.draw_scene(rng)
    films = world.random_films(60, 8, scene, rng)
    frames, actions = torch.as_tensor(films.frames), torch.as_tensor(films.actions)
    short = Training(gradient_steps=40, one_step_share=1.0)
    network = fit(frames, actions, skip=True, seed=0, training=short)
    shows = something_shows(frames, frames.flatten(0, 1).median(dim=0).values)[:, 1]
    previous, first, following = frames[shows, 0], frames[shows, 1], frames[shows, 2]
    with torch.no_grad():
        prediction = predict(network, previous, first, actions[shows, 1:4])
        still = ((following - first) ** 2).sum(dim=(1, 2)).mean()
        assert ((prediction.frames[:, 0] - following) ** 2).sum(dim=(1, 2)).mean() < still
        assert prediction.frames.shape == (len(first), 3, world.SIZE, world.SIZE)
        pixel = torch.zeros(world.SIZE, world.SIZE)
        pixel[8, 3] = 1.0
        objective = planning_objective(network, previous[0], first[0], pixel, torch.tensor([12.0, 8.0]))
        returns = objective(torch.zeros(5, 3, 2))
    assert returns.shape == (5,)
    assert (returns < 0).all()
