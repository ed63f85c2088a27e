"""The tasks that are not graded: their environments, training that can be stopped and resumed, and their bands."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import hw4.commands.cli
from autograder.solutions import ROOT
from hw4.commands.cli import main
from hw4.commands.csv_rows import read_rows
from hw4.commands.plots import UNGRADED_FILE, draw_runs, read_bands
from hw4.commands.runs import read_run
from hw4.envs import NOMINAL_WORLD, World, make_env
from hw4.envs.noisy_field import (
    ARENA,
    NOISE_STD,
    NOISY_CENTER,
    STEP_LENGTH,
    NoisyFieldEnv,
    is_noisy,
    is_turned,
)
from hw4.envs.reacher import GOALS
from hw4.experiments import EXPERIMENTS
from hw4.rewards import half_cheetah_reward, noisy_field_reward, pusher_reward, reacher_reward
from hw4.tasks import Task
from publish.recorded_tables import Recording
from publish.stubs import write_solved
from publish.ungraded_bands import (
    COMMAND,
    RANDOM,
    REFERENCE,
    RUNS_FILE,
    RUNS_TABLE,
    RUNS_WANTED,
    TRUE_MODEL,
    UngradedRun,
    hash_of,
    published_bands,
    read_runs,
)

GYMNASIUM_NAMES = {"pusher": "Pusher-v5", "reacher": "Reacher-v5", "half_cheetah": "HalfCheetah-v5"}
OF_GYMNASIUM = pytest.mark.parametrize("name", sorted(GYMNASIUM_NAMES))
# Of the way from a random policy to the planner on the true model. Expectation stays on the near side of the bridge,
# and on the windy plain the model is fitted to random data alone.
LEAST_REACHED = {"bridge": 0.1, "windy_plain": 0.3}
EVERY_UNGRADED = pytest.mark.parametrize("name", sorted(RUNS_WANTED))


def random_actions(task: Task, count: int, seed: int = 0) -> NDArray[np.float32]:
    shape = (count, task.act_dim)
    return np.random.default_rng(seed).uniform(task.action_low, task.action_high, shape).astype(np.float32)


# Rewards by hand ------------------------------------------------------------------------------------------------------


def test_the_noisy_field_pays_for_nearness_to_the_goal_on_arrival() -> None:
    far, near = np.array([-1.5, 0.0]), np.array([2.5 - 0.3, 0.4])
    assert noisy_field_reward(far, np.array([1.0, -0.5]), near) == pytest.approx(-0.5 - 0.02 * 1.25)


def test_the_pusher_pays_for_both_distances() -> None:
    there = np.zeros(23)
    there[14:17], there[17:20], there[20:23] = [0.0, 0.0, 0.0], [0.0, 0.3, 0.4], [0.6, 0.3, -0.4]
    action = np.array([2.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0])
    assert pusher_reward(np.ones(23), action, there) == pytest.approx(-1.0 - 0.5 * 0.5 - 0.1 * 5.0)


def test_the_reacher_pays_for_the_distance_of_the_tip() -> None:
    there = np.ones(10)
    there[8:10] = [-0.03, 0.04]
    assert reacher_reward(np.ones(10), np.array([0.5, -1.0]), there) == pytest.approx(-0.05 - 1.25)


def test_the_half_cheetah_is_paid_its_mean_velocity() -> None:
    there = np.zeros(18)
    there[0] = 3.0
    assert half_cheetah_reward(np.ones(18), np.full(6, -0.5), there) == pytest.approx(3.0 - 0.1 * 6 * 0.25)


# Gymnasium's own environments -----------------------------------------------------------------------------------------


@OF_GYMNASIUM
def test_observations_and_rewards_are_those_of_gymnasium(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo logs what it thinks of their half-cheetah
    ours, theirs = make_env(name), gymnasium.make(GYMNASIUM_NAMES[name])
    observation, _ = ours.reset(seed=3)
    their_observation, _ = theirs.reset(seed=3)
    if name == "reacher":  # put their target where ours is
        simulator: Any = theirs.unwrapped
        positions = simulator.data.qpos.copy()
        positions[-2:] = observation[4:6]
        simulator.set_state(positions, simulator.data.qvel.copy())
        their_observation = simulator._get_obs()
    size = len(their_observation)  # the half-cheetah's velocity comes before theirs
    np.testing.assert_array_equal(observation[-size:], their_observation)
    for action in random_actions(ours.task, 40):
        observation, reward, *_ = ours.step(action)
        their_observation, their_reward, *_ = theirs.step(action)
        np.testing.assert_array_equal(observation[-size:], their_observation)
        assert reward == pytest.approx(float(their_reward), abs=1e-5)  # they square the action in float32


@OF_GYMNASIUM
def test_going_back_to_a_state_replays_the_same_motion_to_the_last_bit(name: str) -> None:
    world = World(actuator_sign=-1, actuator_gain=0.92, mass_scale=1.08)
    env = make_env(name, world)
    env.reset(seed=1)
    actions = random_actions(env.task, 60)
    for action in actions[:30]:
        env.step(action)
    here = env.state()
    onward = [env.step(action)[:2] for action in actions[30:]]
    elsewhere = make_env(name, world)
    elsewhere.reset(seed=2)
    for again in (env, elsewhere):
        again.set_state(here)
        np.testing.assert_array_equal(again.state(), here)
        for action, (observation, reward) in zip(actions[30:], onward, strict=True):
            repeated = again.step(action)
            np.testing.assert_array_equal(repeated[0], observation)
            assert repeated[1] == reward


@OF_GYMNASIUM
def test_heavier_bodies_are_moved_less_and_stronger_motors_move_them_more(name: str) -> None:
    joint_velocities = {"pusher": slice(7, 14), "reacher": slice(6, 8), "half_cheetah": slice(12, 18)}[name]

    def effect_of_the_action(world: World) -> NDArray[np.float64]:
        """What a small action adds to the velocities of the joints in the first step."""
        velocities = []
        for size in (0.0, 0.05):
            env = make_env(name, world)
            env.reset(seed=0)
            velocities.append(env.step(np.full(env.task.act_dim, size, dtype=np.float32))[0][joint_velocities])
        return np.asarray(velocities[1] - velocities[0])

    nominal = np.linalg.norm(effect_of_the_action(NOMINAL_WORLD))
    assert np.linalg.norm(effect_of_the_action(World(actuator_gain=1.1))) == pytest.approx(1.1 * nominal, rel=0.05)
    assert np.linalg.norm(effect_of_the_action(World(mass_scale=1.5))) < (1 - 1e-4) * nominal


def test_the_cart_pole_of_pets_has_its_published_facts() -> None:
    env = make_env("pets_cartpole")
    model = env._simulator.model  # type: ignore[union-attr]
    capsule = lambda radius, length: 1000 * math.pi * radius**2 * (length + 4 / 3 * radius)  # noqa: E731  kg
    np.testing.assert_allclose(model.body_mass[1:], [capsule(0.1, 0.2), capsule(0.049, 0.6)], rtol=1e-5)
    assert model.opt.timestep * env._simulator.frame_skip == pytest.approx(0.04)  # type: ignore[union-attr]
    assert env.task.episode_length == 200
    starts = np.array([env.reset(seed=seed)[0] for seed in range(400)])
    np.testing.assert_allclose(starts[:, [0, 1, 3, 4]].std(axis=0), 0.1, rtol=0.15)  # sin(pi + d) is about -d
    assert starts[:, 2].max() < -0.8  # hanging


def test_the_cart_pole_of_pets_pays_what_pets_pays() -> None:
    """Its reward in its own angle, which is 0 where the pole hangs: the tip against the point 0.6 m over the origin."""
    env = make_env("pets_cartpole")
    env.reset(seed=0)
    for action in random_actions(env.task, 50):
        observation, reward, *_ = env.step(action)
        x, angle = env._simulator.data.qpos  # type: ignore[union-attr]
        tip = np.array([x - 0.6 * np.sin(angle), -0.6 * np.cos(angle)])
        paid = np.exp(-np.sum((tip - [0.0, 0.6]) ** 2) / 0.6**2) - 0.01 * float(action[0]) ** 2
        assert reward == pytest.approx(paid, abs=1e-6)
        np.testing.assert_allclose(observation[1:3], [np.sin(angle + np.pi), np.cos(angle + np.pi)], atol=1e-9)


def test_the_reacher_has_four_goals_equally_far_from_its_base() -> None:
    env = make_env("reacher")
    seen = {tuple(np.round(env.reset(seed=seed)[0][4:6], 12)) for seed in range(60)}
    assert seen == set(GOALS)
    assert len({round(math.hypot(*goal), 12) for goal in GOALS}) == 1
    assert math.hypot(*GOALS[0]) < 0.21  # within reach


def test_the_reacher_keeps_its_goal_for_the_episode() -> None:
    env = make_env("reacher")
    first, _ = env.reset(seed=0)
    for action in random_actions(env.task, 50):
        observation, *_ = env.step(action)
        np.testing.assert_allclose(observation[4:6], first[4:6], atol=1e-12)


def test_the_half_cheetahs_first_number_is_the_distance_over_the_time() -> None:
    env = make_env("half_cheetah")
    assert env.reset(seed=0)[0][0] == 0.0
    data = env._simulator.data  # type: ignore[union-attr]
    for action in random_actions(env.task, 20):
        before, time_before = data.qpos[0], data.time
        observation, *_ = env.step(action)
        assert observation[0] == pytest.approx((data.qpos[0] - before) / (data.time - time_before), abs=1e-9)
        assert env.state()[-1] == observation[0]


def test_making_an_environment_prints_nothing_and_leaves_no_log(tmp_path: Path) -> None:
    names = sorted(GYMNASIUM_NAMES)
    program = f"from hw4.envs import make_env\nfor name in {names}: make_env(name).reset(seed=0)"
    environment = {**os.environ, "PYTHONPATH": str(Path(hw4.commands.cli.__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout + done.stderr == ""
    assert list(tmp_path.iterdir()) == []


# The noisy field ------------------------------------------------------------------------------------------------------


def moves_from(position: tuple[float, float], action: tuple[float, float], world: World = NOMINAL_WORLD) -> Any:
    """What 400 steps from the same place do, shape (400, 2)."""
    env = NoisyFieldEnv(world)
    env.reset(seed=0)
    moves = []
    for _ in range(400):
        env.set_state(np.array(position))
        moves.append(env.step(np.array(action, dtype=np.float32))[0] - np.array(position))
    return np.array(moves)


def test_only_the_noisy_patch_is_noisy() -> None:
    inside = moves_from((-0.5, -0.4), (1.0, -0.5))
    np.testing.assert_allclose(inside.std(axis=0), NOISE_STD, rtol=0.1)
    np.testing.assert_allclose(inside.mean(axis=0), [STEP_LENGTH, -STEP_LENGTH / 2], atol=4 * NOISE_STD / 20)
    assert abs(np.corrcoef(inside.T)[0, 1]) < 0.2
    for outside in ((0.1, 0.0), (-1.5, 0.0), (2.5, 0.0), (-0.7, -0.71)):
        assert np.ptp(moves_from(outside, (1.0, -0.5)), axis=0).max() < 1e-12


def test_in_the_turned_patch_a_move_goes_a_quarter_turn_to_the_left() -> None:
    np.testing.assert_allclose(moves_from((2.0, 0.5), (1.0, 0.0))[0], [0.0, STEP_LENGTH], atol=1e-12)
    np.testing.assert_allclose(moves_from((2.0, 0.5), (0.0, 1.0))[0], [-STEP_LENGTH, 0.0], atol=1e-12)
    np.testing.assert_allclose(moves_from((1.4, 0.0), (1.0, 0.0))[0], [STEP_LENGTH, 0.0], atol=1e-12)


def test_a_world_changes_moves_in_both_patches_but_not_the_noise() -> None:
    world = World(actuator_sign=-1, actuator_gain=1.1)
    np.testing.assert_allclose(moves_from((2.0, 0.5), (1.0, 0.0), world)[0], [0.0, -0.22], atol=1e-12)
    np.testing.assert_allclose(
        moves_from(NOISY_CENTER, (1.0, 0.0), world) - moves_from(NOISY_CENTER, (1.0, 0.0)),
        np.tile([-0.42, 0.0], (400, 1)),
        atol=1e-12,
    )


def test_the_noise_follows_from_the_seed() -> None:
    paths = []
    for seed in (5, 5, 6):
        env = NoisyFieldEnv()
        env.reset(seed=seed)
        env.set_state(np.array(NOISY_CENTER))
        paths.append(env.step(np.zeros(2, dtype=np.float32))[0])
    np.testing.assert_array_equal(paths[0], paths[1])
    assert not np.array_equal(paths[0], paths[2])


def test_walls_stop_a_move() -> None:
    env = NoisyFieldEnv()
    env.reset(seed=0)
    env.set_state(np.array([ARENA - 0.05, -ARENA + 0.05]))
    np.testing.assert_allclose(env.step(np.array([1.0, -1.0], dtype=np.float32))[0], [ARENA, -ARENA])


def test_random_data_knows_the_noisy_patch_and_never_sees_the_turned_one() -> None:
    env = NoisyFieldEnv()
    visits_noisy, positions = 0, []
    for seed in range(200):
        episode = [env.reset(seed=seed)[0]]
        episode += [env.step(action)[0] for action in random_actions(env.task, 40, seed)]
        visits_noisy += bool(is_noisy(np.array(episode)).any())
        positions += episode
    assert not is_turned(np.array(positions)).any()
    assert visits_noisy > 130  # of 200 episodes


# Training: stopped, resumed, drawn ------------------------------------------------------------------------------------

QUICK = [
    *("--num-episodes", "4", "--num-initial-episodes", "2", "--gradient-steps", "3", "--horizon", "6"),
    *("--population-size", "8", "--num-elites", "2", "--num-kept-elites", "1", "--refit-every", "20"),
    *("--num-iterations", "2", "--width", "16", "--batch-size", "32"),
]

STOP_AND_RESUME = f'''
import json, sys
import hw4.commands.train_seed, hw4.imagination
from hw4.commands.cli import main
from hw4.imagination import ImaginationRecorder

quick, statuses = {QUICK}, {{}}
whole_record, whole_save = ImaginationRecorder.record, hw4.commands.train_seed.save_checkpoint

def stop_at(step):
    steps = iter(range(1, 10**9))
    def record(self, transition):
        if next(steps) == step:
            raise KeyboardInterrupt
        whole_record(self, transition)
    ImaginationRecorder.record = record

def stop_before_checkpoint(number):
    numbers = iter(range(1, 10**9))
    def save(*arguments, **options):
        if next(numbers) == number:
            raise KeyboardInterrupt
        whole_save(*arguments, **options)
    hw4.commands.train_seed.save_checkpoint = save

def run(experiment, name, *options):
    status = main(["train", experiment, "--seeds", "0", "1", "--name", name, *quick, *options])
    ImaginationRecorder.record, hw4.commands.train_seed.save_checkpoint = whole_record, whole_save
    statuses.setdefault(name, []).append(status)

for experiment, length in (("noisy_field", 40), ("reacher", 50)):
    one = ["--ensemble-size", "1"] if experiment == "reacher" else []
    run(experiment, "whole", *one)
    stop_at(2 * length + 13)
    run(experiment, "stopped", *one)
    stop_before_checkpoint(2)
    run(experiment, "stopped", "--resume", *one)
    stop_at(length + 1)
    run(experiment, "stopped", "--resume", *one)
    stop_at(7)
    run(experiment, "stopped", "--resume", *one)
    run(experiment, "stopped", "--resume", *one)
    run(experiment, "stopped", "--resume", *one)
for experiment in ("pusher", "half_cheetah", "pets_cartpole", "cartpole_ensemble", "bridge", "windy_plain"):
    quick = [*{QUICK}, "--num-episodes", "2", "--num-initial-episodes", "1"]
    assert main(["train", experiment, "--seeds", "0", "--name", "whole", *quick]) == 0

import numpy as np
import torch
from hw4.agents import build_agent_and_parts
from hw4.ensemble import decompose_uncertainty
from hw4.envs import make_env
from hw4.envs.noisy_field import NOISY_CENTER, TURNED_CENTER
from hw4.experiments import EXPERIMENTS
from hw4.training import train

def uncertainties(seed):
    """Aleatoric and epistemic std (m) of one step in each patch, by a model fitted to random data."""
    experiment = EXPERIMENTS["noisy_field"]
    agent, parts = build_agent_and_parts(experiment, seed)
    list(train(make_env("noisy_field"), agent, num_episodes=experiment.num_initial_episodes, seed=seed))
    rng, found = np.random.default_rng(0), {{}}
    for patch, center in (("noisy", NOISY_CENTER), ("turned", TURNED_CENTER), ("plain", (-1.7, -0.3))):
        places, actions = np.array(center) + rng.uniform(-0.25, 0.25, (100, 2)), rng.uniform(-1, 1, (100, 2))
        batch = [torch.tensor(values, dtype=torch.float32).expand(5, 100, 2) for values in (places, actions)]
        with torch.no_grad():
            split = decompose_uncertainty(*parts.model.predict_distribution(*batch))
        found[patch] = [float(part.mean().sqrt()) for part in split]
    return found

print(json.dumps([statuses, [uncertainties(seed) for seed in range(3)]]), file=sys.stderr)
'''


@dataclass(frozen=True)
class Trained:
    tree: Path
    printed: str
    statuses: dict[str, list[int]]
    uncertainties: list[dict[str, tuple[float, float]]]  # of each seed and patch: aleatoric and epistemic std (m)


def run_in(tree: Path, program: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120", "PYTHONUTF8": "1", "PYTHONPATH": str(tree)}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=tree, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Tiny runs in a solved tree: two experiments whole, and stopped in every way and resumed; others only whole."""
    tree = write_solved(tmp_path_factory.mktemp("tasks") / "solved")
    done = run_in(tree, STOP_AND_RESUME)
    assert done.returncode == 0, done.stderr
    return Trained(tree, done.stdout, *json.loads(done.stderr.splitlines()[-1]))


def test_each_stop_ends_with_its_own_status_and_says_how_to_go_on(trained: Trained) -> None:
    assert trained.statuses == {"whole": [0, 0], "stopped": 2 * [130, 130, 130, 130, 0, 0]}
    assert trained.printed.count("keeps every finished episode") == 8
    assert "To resume: the same command with --name stopped --resume" in trained.printed


@pytest.mark.parametrize("experiment", ["noisy_field", "reacher"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_run_that_was_stopped_four_times_is_the_same_as_a_whole_one(
    trained: Trained, experiment: str, seed: int
) -> None:
    whole, stopped = (trained.tree / "runs" / experiment / name / f"seed_{seed}" for name in ("whole", "stopped"))
    assert sorted(path.name for path in stopped.iterdir()) == ["config.json", "learning_curve.csv", "trajectory.npz"]
    curve = (whole / "learning_curve.csv").read_bytes()
    assert len(curve.splitlines()) == 5
    assert (stopped / "learning_curve.csv").read_bytes() == curve
    with np.load(whole / "trajectory.npz") as expected, np.load(stopped / "trajectory.npz") as resumed:
        assert sorted(resumed.files) == sorted(expected.files)
        for name in expected.files:
            np.testing.assert_array_equal(resumed[name], expected[name])


def test_the_two_kinds_of_uncertainty_are_told_apart_on_random_data(trained: Trained) -> None:
    for patches in trained.uncertainties:
        aleatoric, epistemic = ({patch: parts[kind] for patch, parts in patches.items()} for kind in (0, 1))
        assert 0.7 * NOISE_STD < aleatoric["noisy"] < 1.5 * NOISE_STD
        assert aleatoric["noisy"] > 3 * aleatoric["plain"]
        assert epistemic["turned"] > 2 * epistemic["noisy"]
        assert epistemic["turned"] > 5 * epistemic["plain"]


@pytest.fixture
def in_tree(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(trained.tree)
    return trained.tree


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "reacher", "--resume"], "--resume needs --name"),
        (["train", "reacher", "--resume", "--name", "other"], "nothing to resume"),
        (["train", "reacher", "--seeds", "0", "--resume", "--name", "whole"], "was trained with other settings"),
        (["train", "reacher", "--name", "whole"], "resume it with --resume"),
    ],
)
def test_a_run_that_cannot_be_resumed_is_named(
    in_tree: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in (in_tree / "runs").rglob("*.*")}
    assert main(arguments) == 1
    assert message in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (in_tree / "runs").rglob("*.*")} == before


@EVERY_UNGRADED
def test_runs_are_plotted_over_their_band_and_drawn_as_videos(in_tree: Path, name: str, tmp_path: Path) -> None:
    picture, video = tmp_path / "curves.png", tmp_path / "last.gif"
    assert main(["plot", f"runs/{name}/whole", "--output", str(picture)]) == 0
    assert main(["video", f"runs/{name}/whole", "--every", "100", "--output", str(video)]) == 0
    with Image.open(picture) as image:
        assert image.size[0] == 1050
    with Image.open(video) as image:
        length = EXPERIMENTS[name].task.episode_length
        assert getattr(image, "n_frames", 1) == -(-length // 100) + 1


# TensorBoard ----------------------------------------------------------------------------------------------------------

WITH_TENSORBOARD = f"""
from hw4.commands.cli import main
assert main(["train", "cliff_hill", "--seeds", "0", "1", "--name", "plain", *{QUICK}]) == 0
assert main(["train", "cliff_hill", "--seeds", "0", "1", "--name", "watched", "--tensorboard", *{QUICK}]) == 0
"""


def test_tensorboard_gets_the_curve_of_each_seed_and_the_model_error(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tree = write_solved(tmp_path / "solved")
    done = run_in(tree, WITH_TENSORBOARD)
    assert done.returncode == 0, done.stderr
    plain, watched = (read_run(tree / "runs" / "cliff_hill" / name) for name in ("plain", "watched"))
    for curve, watched_curve in zip(plain.curves, watched.curves, strict=True):
        assert watched_curve == curve
        events = EventAccumulator(str(watched.folder / f"seed_{curve.seed}"))
        events.Reload()
        assert sorted(events.Tags()["scalars"]) == ["model_error", "return"]
        returns, errors = events.Scalars("return"), events.Scalars("model_error")
        assert [event.step for event in returns] == list(curve.env_steps)
        assert [event.value for event in returns] == pytest.approx(curve.returns, rel=1e-6)
        assert [event.step for event in errors] == list(curve.env_steps[2:])  # the first two are random actions
        assert all(0.0 < event.value < 100.0 for event in errors)
    assert not list(plain.folder.rglob("*tfevents*"))


def test_the_model_error_is_taken_before_the_answer_is_seen() -> None:
    from hw4.commands.tensorboard import ModelErrorMeter
    from hw4.transitions import Transition

    class Agent:
        """Expects no change in the first number and the truth in the second; sees, and from then on knows all."""

        initial_steps = 1

        def __init__(self) -> None:
            self.replay: list[Transition] = []

        def begin_episode(self) -> None: ...

        def record(self, transition: Transition) -> None:
            self.replay.append(transition)

        def predict_next(self, observation: Any, action: Any) -> Any:
            known = len(self.replay) >= 2
            return observation + (np.array([2.0, 5.0]) if known else np.array([0.0, 5.0]))

    agent: Any = Agent()
    meter = ModelErrorMeter(agent, agent)
    meter.begin_episode()
    step = Transition(np.zeros(2), np.zeros(1), np.array([2.0, 5.0]))
    meter.record(step)
    assert math.isnan(meter.episode_error())  # there was no model yet
    meter.record(step)
    assert meter.episode_error() == pytest.approx(math.sqrt(0.5))  # mean of 4/4 and 0/25
    meter.record(step)
    assert meter.episode_error() == pytest.approx(0.5)  # mean of (4 + 0)/(4 + 4) and 0
    meter.begin_episode()
    assert math.isnan(meter.episode_error())


def test_without_the_package_train_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "tensorboard" else find_spec(name, *rest)
    )
    assert main(["train", "cliff_hill", "--seeds", "0", "--tensorboard"]) == 1
    errors = capsys.readouterr().err
    assert "pip install tensorboard" in errors
    assert len(errors.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_the_extra_is_in_both_projects() -> None:
    for path in ("pyproject.toml", "publish/student_pyproject.toml"):
        project = tomllib.loads((ROOT / path).read_text(encoding="utf-8"))["project"]
        assert [spec.partition(">")[0] for spec in project["optional-dependencies"]["tensorboard"]] == ["tensorboard"]


# Bands ----------------------------------------------------------------------------------------------------------------


def test_the_band_reaches_from_the_lowest_to_the_highest_run(tmp_path: Path) -> None:
    runs = [
        *(
            UngradedRun("reacher", REFERENCE, seed, "h", (-50.0, value))
            for seed, value in enumerate((-9.0, -4.0, -6.0))
        ),
        UngradedRun("reacher", RANDOM, 0, "h", (-40.0, -50.0, -45.0)),
        UngradedRun("reacher", TRUE_MODEL, 0, "h", (-3.0, -2.0)),
    ]
    path = tmp_path / "bands.csv"
    path.write_text(published_bands(runs), encoding="utf-8")
    (band,) = read_bands(path).values()
    assert band.env_steps == (50, 100)
    assert (band.low, band.median, band.high) == ((-50.0, -9.0), (-50.0, -6.0), (-50.0, -4.0))
    assert (band.random, band.ceiling, band.num_runs) == (-45.0, -2.5, 3)
    assert (band.bar, band.floor) == (None, None)


def test_recorded_runs_survive_being_written(tmp_path: Path) -> None:
    copy = tmp_path / RUNS_FILE.name
    shutil.copy(RUNS_FILE, copy)
    row = next(iter(read_rows(RUNS_FILE)))
    recording = Recording(tmp_path, "ungraded", {RUNS_FILE.stem: RUNS_TABLE})
    recording.put(**{RUNS_FILE.stem: [list(row.values())]})
    assert read_runs(copy) == read_runs()


@EVERY_UNGRADED
def test_recorded_runs_belong_to_todays_code(name: str) -> None:
    hashes = {run.code_hash for run in read_runs() if run.experiment == name}
    assert hashes == {hash_of(name)}, f"{name}: the recorded runs are stale: run `{COMMAND}`"


@EVERY_UNGRADED
def test_every_ungraded_task_has_a_band_between_random_and_the_true_model(name: str) -> None:
    band = read_bands(UNGRADED_FILE)[name]
    experiment = EXPERIMENTS[name]
    assert band.num_runs == sum(run.experiment == name and run.implementation == REFERENCE for run in read_runs())
    assert band.env_steps[-1] == experiment.num_episodes * experiment.task.episode_length
    assert band.random is not None
    assert band.ceiling is not None
    late = median(band.median[experiment.num_initial_episodes :][-5:])
    reached = (late - band.random) / (band.ceiling - band.random)
    assert LEAST_REACHED.get(name, 0.5) < reached < 1.1


def test_the_picture_says_how_many_runs_the_band_holds(trained: Trained) -> None:
    bands = read_bands(UNGRADED_FILE)
    run = read_run(trained.tree / "runs" / "pusher" / "whole")
    (axes,) = draw_runs([dataclasses.replace(run, settings=EXPERIMENTS["pusher"])], bands).axes
    labels = axes.get_legend_handles_labels()[1]
    assert f"pusher, reference band of {bands['pusher'].num_runs} runs" in labels
    assert any(label.startswith("pusher, planner on the true simulator: -") for label in labels)


LEARN = """
import json, sys
from pathlib import Path
from hw4.commands.cli import main
from hw4.commands.runs import read_run
name, seed = sys.argv[1:]
assert main(["train", name, "--seeds", seed, "--name", "new"]) == 0
print(json.dumps(read_run(Path("runs") / name / "new").curves[0].returns))
"""


@pytest.mark.verify
@EVERY_UNGRADED
def test_a_seed_that_is_not_recorded_learns_too(name: str, tmp_path: Path) -> None:
    tree = write_solved(tmp_path / "solved")
    done = subprocess.run(
        [sys.executable, "-c", LEARN, name, "100"],
        cwd=tree,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(tree)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    returns = json.loads(done.stdout.splitlines()[-1])
    band = read_bands(UNGRADED_FILE)[name]
    assert band.random is not None
    assert median(returns[-5:]) > (band.random + median(band.median[-5:])) / 2, returns
