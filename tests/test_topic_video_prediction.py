"""The solution of the topic video_prediction: identities that hold exactly, its world, and what its network knows."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
import torch

from autograder.hidden_tests.topics import video_prediction_oracle as oracle
from autograder.solutions import SOLUTIONS
from hw4.envs import video_prediction as world

SIZE = (3, 6, 5)
GROUND = torch.full((16, 16), 0.1)


@pytest.fixture(scope="module")
def video():
    name = "solution_of_video_prediction"
    spec = importlib.util.spec_from_file_location(name, SOLUTIONS / "topics" / "video_prediction.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # its dataclasses look for it there
    spec.loader.exec_module(module)
    yield module
    del sys.modules[name]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def tensors(*arrays):
    return [torch.as_tensor(array, dtype=torch.float32) for array in arrays]


# The functions


def test_the_functions_agree_with_sums_written_out(video, rng):
    previous, first = rng.uniform(0, 0.03, (2, *SIZE))
    step, total = rng.uniform(-2, 2, (2, SIZE[0], 2))
    for skip in (True, False):
        scores = rng.normal(size=(SIZE[0], 4 if skip else 2, *SIZE[1:]))
        inputs = tensors(previous, first, step, total)
        candidates = video.skip_candidates(*inputs, skip=skip)
        wanted = oracle.candidates(previous, first, step, total, skip=skip)
        assert np.allclose(candidates, wanted, atol=1e-6)
        assert np.allclose(video.composite(candidates, *tensors(scores)), oracle.mixed(wanted, scores), atol=1e-6)
        moved = video.propagate_pixel(*inputs, *tensors(scores), skip=skip)
        assert np.allclose(moved, oracle.propagated(previous, first, step, total, scores, skip=skip), atol=1e-6)
    goal = rng.uniform(0, 5, 2)
    assert np.allclose(video.pixel_cost(*tensors(previous, goal)), oracle.cost(previous, goal), atol=1e-4)


def test_moving_there_and_back_by_whole_pixels_loses_only_what_left(video, rng):
    (image,) = tensors(rng.uniform(size=(1, 7, 8)))
    back = video.advect(video.advect(image, torch.tensor([[2.0, -1.0]])), torch.tensor([[-2.0, 1.0]]))
    assert torch.allclose(back[:, 1:, :-2], image[:, 1:, :-2])
    assert (back[:, 0] == 0).all()
    assert (back[:, :, -2:] == 0).all()


def test_the_sum_of_a_distribution_never_exceeds_one_whatever_the_scores_are(video, rng):
    first = rng.uniform(size=SIZE) ** 4
    first, scores = first / first.sum(axis=(1, 2), keepdims=True), rng.normal(scale=9, size=(SIZE[0], 4, *SIZE[1:]))
    pixel, (scores,) = tensors(first)[0], tensors(scores)
    moved = pixel
    for step in range(1, 6):
        total = torch.full((SIZE[0], 2), 0.4 * step)
        moved = video.propagate_pixel(moved, pixel, torch.full((SIZE[0], 2), 0.4), total, scores, skip=True)
        assert (moved >= 0).all()
        assert (moved.sum(dim=(1, 2)) <= 1 + 1e-5).all()


def test_a_cost_lies_between_the_smallest_and_the_largest_distance(video, rng):
    for total in (0.0, 0.4, 1.0):
        probability = rng.uniform(size=(20, 6, 5)) ** 3
        probability *= total / probability.sum(axis=(1, 2), keepdims=True)
        far, cost = oracle.distances(6, 5, (1.5, 2.0)), video.pixel_cost(*tensors(probability, [1.5, 2.0]))
        assert (cost >= far.min() - 1e-5).all()
        assert (cost <= far.max() + 1e-5).all()


# The network


def test_without_skip_a_prediction_depends_on_the_first_frame_by_its_own_frames_alone(video, rng):
    """Scores and candidates of a step are the same for any first frame, if the previous frame is the same."""
    network = video.VideoNetwork(GROUND, 2, skip=False, generator=torch.Generator().manual_seed(0))
    previous, one, other = tensors(*rng.uniform(size=(3, 2, 16, 16)))
    step = torch.ones(2, 2)
    frames = []
    for first in (one, other):
        candidates = video.skip_candidates(previous, first, step, 3 * step, skip=network.skip)
        frames.append(video.composite(candidates, network.choose(candidates)))
    assert torch.equal(*frames)


@pytest.mark.parametrize("skip", [True, False])
def test_the_same_seed_gives_the_same_model_and_another_one_another(video, skip):
    def weights(seed):
        network = video.VideoNetwork(GROUND, 2, skip=skip, generator=torch.Generator().manual_seed(seed))
        return torch.cat([weight.flatten() for weight in network.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_a_plan_is_scored_one_by_one_as_in_a_batch(video, rng):
    network = video.VideoNetwork(GROUND, 2, skip=True, generator=torch.Generator().manual_seed(0))
    previous, first = tensors(*rng.uniform(size=(2, 16, 16)))
    pixel, goal = torch.zeros(16, 16), torch.tensor([12.0, 8.0])
    pixel[8, 3] = 1.0
    objective = video.planning_objective(network, previous, first, pixel, goal)
    (plans,) = tensors(rng.uniform(-1, 1, (4, 5, 2)))
    with torch.no_grad():
        assert torch.allclose(objective(plans), torch.cat([objective(plan[None]) for plan in plans]), atol=1e-4)


def test_the_horizon_grows_from_one_step_to_all(video):
    training = video.Training()
    horizons = [training.horizon_at(step) for step in range(training.gradient_steps)]
    assert horizons == sorted(horizons)
    assert set(horizons) == set(range(1, training.horizon + 1))
    assert horizons.count(1) >= training.one_step_share * training.gradient_steps


# The world


def test_the_bar_hides_the_dot_but_for_a_faint_rim(rng):
    scene = world.draw_scene(rng)
    (hidden, shown) = world.render(np.array([[7.0, 8.0], [3.0, 8.0]]), scene)
    assert np.allclose(hidden[:, world.BAR_COLUMNS], scene.bar, atol=1e-6)
    rim = (hidden - scene.ground)[:, [*range(world.BAR_COLUMNS.start), *range(world.BAR_COLUMNS.stop, world.SIZE)]]
    assert 0.05 < rim.max() < 0.11
    assert shown[8, 3] == 1.0


def test_the_motion_has_no_form_that_the_model_has(rng):
    """The same action moves the dot differently at another place and at another velocity, and no plane fits it."""
    position, velocity = rng.uniform(4, 11, (500, 2)), rng.normal(scale=0.5, size=(500, 2))
    action = rng.uniform(-1, 1, (500, 2))
    moved = world.move(position, velocity, action)[0] - position
    by_action = np.column_stack([action, np.ones(500)])
    everything = np.column_stack([by_action, velocity, position])

    def unexplained(features):
        return moved - features @ np.linalg.lstsq(features, moved, rcond=None)[0]

    assert unexplained(by_action).std() > 0.25
    assert np.abs(unexplained(everything)).max() > 0.02


def test_a_dot_at_the_edge_stops():
    position, velocity = world.move(np.array([13.4, 8.0]), np.array([1.0, 0.0]), np.array([1.0, 0.0]))
    assert position[0] == world.HIGH
    assert velocity[0] == 0.0


def test_films_start_from_every_side_and_end_behind_the_bar(rng):
    scene = world.draw_scene(rng)
    films = world.crossing_films(200, scene, rng)
    assert films.frames.shape == (200, world.HORIZON + 2, 16, 16)
    assert (films.positions[:, 1, 0] < world.BAR_COLUMNS.start).all()
    assert (films.positions[:, -1, 0] >= world.PASSED).mean() > 0.5
    random = world.random_films(200, 25, scene, rng)
    assert np.abs(random.actions).max() <= 1.0
    assert random.positions.min() >= world.LOW
    assert random.positions.max() <= world.HIGH


def test_the_dot_found_again_is_one_for_the_truth_and_zero_for_the_bare_ground(rng):
    scene = world.draw_scene(rng)
    films = world.crossing_films(50, scene, rng)
    last = films.frames[:, -1]
    ground = np.broadcast_to(scene.ground, last.shape)
    assert np.isclose(world.dot_found_again(last, films, scene), 1.0)
    assert np.isclose(world.dot_found_again(ground, films, scene), 0.0, atol=1e-6)
    twice = scene.ground + 2 * (last - scene.ground)
    assert np.isclose(world.dot_found_again(twice, films, scene), 0.0, atol=1e-4)
