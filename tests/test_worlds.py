"""Hidden worlds: the published tasks under laws that are not published, and who gets nowhere in them."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder.__main__ import calibrate
from autograder.grading import private
from autograder.isolation.fork_server import GraderFault
from autograder.recorded import acceptance, calibration
from autograder.recorded.by_heart import cartpole as cartpole_by_heart
from autograder.recorded.by_heart import cliff_hill as cliff_hill_by_heart
from autograder.recorded.by_heart import ledge as ledge_by_heart
from autograder.recorded.by_heart.arms import returns_by_heart
from autograder.worlds import cartpole, cliff_hill, draw_law, has_law, ledge, make_hidden_env
from hw4.envs import NOMINAL_WORLD, World, make_env
from hw4.envs.cliff_hill import BOTTOM_HEIGHT, CLIFF_SLOPE, EDGE_X
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import load_assignment

FAMILIES: dict[str, Any] = {
    "cliff_hill": cliff_hill.Family(by_heart_below=12.0, turn_degrees=(75.0, 105.0), edge=(2.8, 3.0)),
    "cartpole": cartpole.Family(by_heart_below=50.0, torque=0.15, upright=(0.7, 1.3)),
    "ledge": ledge.Family(by_heart_below=20.0, turn_degrees=(75.0, 105.0), noise=(1.05, 1.15)),
}
CURVES = [curve for curve in load_assignment().curves if curve.experiment in FAMILIES]
OTHER_WORLD = World(actuator_sign=-1, actuator_gain=0.92, mass_scale=1.08)
NO_LAW: dict[str, dict[str, float]] = {
    "cliff_hill": dataclasses.asdict(cliff_hill.Law(turn=0.0, edge=EDGE_X)),
    "cartpole": dataclasses.asdict(cartpole.Law(0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0)),
    "ledge": dataclasses.asdict(ledge.Law(turn=0.0, noise=1.0)),
}


@pytest.fixture
def families(monkeypatch: pytest.MonkeyPatch) -> None:
    """Laws in force, whether or not they are this term, and every first draw accepted."""
    with_laws = dataclasses.replace(private.load_private(), laws=FAMILIES)
    monkeypatch.setattr(private, "load_private", lambda: with_laws)
    first = {purpose: {"refused": [0] * count} for purpose, count in acceptance.COUNTS.items()}
    monkeypatch.setattr(private, "load_accepted", lambda: {curve.id: first for curve in CURVES})


def states_of(env: Any, actions: Any) -> Any:
    env.reset(seed=3)
    return np.array([np.append(*env.step(action)[:2]) for action in actions])


@pytest.mark.parametrize("world", [NOMINAL_WORLD, OTHER_WORLD], ids=["nominal", "other"])
@pytest.mark.parametrize("task_name", NO_LAW)
def test_a_law_without_effect_leaves_the_published_task(task_name: str, world: World) -> None:
    published, under_law = make_env(task_name, world), make_hidden_env(task_name, world, NO_LAW[task_name])
    actions = np.random.default_rng(0).uniform(-1, 1, (published.task.episode_length, published.task.act_dim))
    np.testing.assert_allclose(states_of(under_law, actions), states_of(published, actions), atol=1e-12)


def test_no_law_is_the_published_task_itself() -> None:
    assert type(make_hidden_env("pusher", NOMINAL_WORLD, {})) is type(make_env("pusher"))
    assert not has_law("pusher")


# The cliff hill -------------------------------------------------------------------------------------------------------


def test_every_step_is_turned_by_the_same_angle_wherever_it_begins() -> None:
    env = make_hidden_env("cliff_hill", OTHER_WORLD, {"turn": math.pi / 2, "edge": 2.5})
    env.reset(seed=0)
    for start in ((0.0, 0.0), (1.0, -2.0)):
        env.set_state(np.array(start))
        observation, *_ = env.step(np.array([1.0, 0.5], dtype=np.float32))
        np.testing.assert_allclose(observation[:2] - start, -0.2 * 0.92 * np.array([-0.5, 1.0]), atol=1e-9)


def test_the_nearer_edge_is_as_high_as_the_published_one_and_falls_as_steeply() -> None:
    env = make_hidden_env("cliff_hill", NOMINAL_WORLD, {"turn": 0.0, "edge": 2.5})
    env.reset(seed=0)
    heights = {}
    for x in (1.25, 2.5, 2.6, 3.5):
        env.set_state(np.array([x, 0.0]))
        observation, *_ = env.step(np.zeros(2, dtype=np.float32))
        heights[x] = observation[2]
    assert heights == pytest.approx({1.25: EDGE_X / 2, 2.5: EDGE_X, 2.6: 3.12 - 0.1 * CLIFF_SLOPE, 3.5: BOTTOM_HEIGHT})


# The ledge ------------------------------------------------------------------------------------------------------------


def test_on_a_hidden_ledge_steps_are_turned_and_as_noisy_as_the_law_says() -> None:
    env: Any = make_hidden_env("ledge", OTHER_WORLD, {"turn": math.pi / 2, "noise": 1.1})
    env.reset(seed=0)
    moved = []
    for _ in range(4000):
        env.set_state(np.array([0.5, -1.0]))
        observation, *_ = env.step(np.array([1.0, 0.5], dtype=np.float32))
        moved.append(observation - [0.5, -1.0])
    std = 1.1 * 0.15
    np.testing.assert_allclose(np.mean(moved, axis=0), -0.2 * 0.92 * np.array([-0.5, 1.0]), atol=4 * std / 4000**0.5)
    np.testing.assert_allclose(np.std(moved, axis=0), std, rtol=0.05)
    assert env.noise_std == pytest.approx(std)


# The cart-pole --------------------------------------------------------------------------------------------------------


def test_the_hinge_pushes_as_the_law_says() -> None:
    """From rest and without a motor: a torque accelerates the pole, which carries the cart along."""
    law = cartpole.Law(0.15, 1.0, -0.5, 0.8, 0.3, 1.0, 2.0)
    changes = []
    for numbers in (dataclasses.asdict(law), NO_LAW["cartpole"]):
        env = make_hidden_env("cartpole", NOMINAL_WORLD, numbers)
        env.reset(seed=0)
        env.set_state(np.array([0.4, 0.2, 0.0, 0.0]))
        observation, *_ = env.step(np.zeros(1, dtype=np.float32))
        changes.append(observation[4])
    cart, pole, length, inertia, *_ = cartpole_by_heart._constants()
    carried = (pole * length * math.cos(0.2)) ** 2 / (cart + pole)
    wanted = law.torque(0.4, 0.2) / (inertia + pole * length**2 - carried) * 0.05
    assert changes[0] - changes[1] == pytest.approx(wanted, rel=0.05)
    assert abs(wanted) > 0.05


def test_the_law_is_drawn_with_a_push_of_medium_size_upright() -> None:
    family = cartpole.Family(50.0, 0.15, (0.7, 1.3))
    for seed in range(50):
        law = cartpole.draw(np.random.default_rng(seed), family)
        assert 0.7 <= abs(law.of_angle(0.0)) <= 1.3
        assert law.size == 0.15


# What the term draws --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("families")
@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.id)
def test_each_run_has_a_law_of_its_own_that_can_be_written_down(curve: Any) -> None:
    runs = [*private.graded_runs(curve.id), *private.calibration_runs(curve.id, 20)]
    assert len({json.dumps(run.law) for run in runs}) == len(runs)
    for run in runs:
        assert run.law.keys() <= run.facts.keys()
        assert all(value == round(value, 4) for value in run.law.values())


@pytest.mark.usefixtures("families")
@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.id)
def test_seeds_and_masses_do_not_depend_on_the_law(curve: Any) -> None:
    """So recorded runs without a law stay valid."""
    plain = private.hidden_runs(curve.id, "graded", private.load_private().num_runs)
    assert [dataclasses.replace(run, law={}) for run in private.graded_runs(curve.id)] == plain


@pytest.mark.parametrize(
    ("task_name", "other", "limits"), [("cliff_hill", "edge", (2.8, 3.0)), ("ledge", "noise", (1.05, 1.15))]
)
def test_a_family_is_drawn_within_its_limits(task_name: str, other: str, limits: tuple[float, float]) -> None:
    laws = [draw_law(task_name, np.random.default_rng(seed), FAMILIES[task_name]) for seed in range(60)]
    degrees = [math.degrees(law["turn"]) for law in laws]
    assert {math.copysign(1, value) for value in degrees} == {-1.0, 1.0}
    assert all(75 <= abs(value) <= 105 for value in degrees)
    assert all(limits[0] <= law[other] <= limits[1] for law in laws)


@pytest.mark.usefixtures("families")
@pytest.mark.parametrize(
    "curve",
    [CURVES[0], *(pytest.param(curve, marks=pytest.mark.verify) for curve in CURVES[1:])],
    ids=lambda curve: curve.id,
)
def test_in_accepted_worlds_nobody_passes_by_heart_and_without_a_law_everybody_does(
    curve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = acceptance._attempts(curve, "graded", 5)
    monkeypatch.setattr(private, "load_accepted", lambda: {curve.id: {"graded": {"refused": [*refused, 0, 0]}}})
    runs = private.graded_runs(curve.id)[:5]
    best = {}
    for name, worlds in (("law", runs), ("none", [dataclasses.replace(run, law={}) for run in runs])):
        returns = np.stack(list(acceptance.returns_of(curve, worlds).values()))
        best[name] = returns[..., -curve.score_episodes :].mean(axis=-1).max(axis=0)
    assert np.median(best["law"]) < FAMILIES[curve.experiment].by_heart_below
    assert (best["none"] > 70).all()


@pytest.mark.usefixtures("families")
def test_worlds_that_are_not_accepted_yet_are_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "load_accepted", dict)
    with pytest.raises(GraderFault, match=r"no worlds are accepted for curve_\w+: run `make publish`"):
        private.graded_runs(CURVES[0].id)


@pytest.mark.usefixtures("families")
def test_a_new_term_draws_its_own_worlds_and_leaves_those_of_recorded_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def keys() -> dict[str, str]:
        return {purpose: acceptance.key_of(CURVES[0], purpose) for purpose in acceptance.COUNTS}

    before = keys()
    next_term = dataclasses.replace(private.load_private(), master_seed=private.load_private().master_seed + 1)
    monkeypatch.setattr(private, "load_private", lambda: next_term)
    after = keys()
    assert after["graded"] != before["graded"]
    assert after["calibration"] == before["calibration"]


def test_calibrate_draws_the_worlds_before_it_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new curve has none: `make publish` would draw them, too, but wants its runs first."""
    worlds, drawn = tmp_path / "worlds.json", []
    monkeypatch.setattr(private, "WORLDS_FILE", worlds)
    monkeypatch.setattr(calibration, "calibrate", lambda *_, **__: drawn.append(json.loads(worlds.read_text())))
    assert calibrate() == 0
    assert [set(curves) for curves in drawn] == [{curve.id for curve in acceptance.curves_with_laws()}]


def test_no_other_settings_decide_which_worlds_are_accepted() -> None:
    class Watched:
        def __init__(self) -> None:
            self.read: set[str] = set()

        def __getattr__(self, name: str) -> Any:
            self.read.add(name)
            return getattr(EXPERIMENTS["cliff_hill"], name)

    watched: Any = Watched()
    returns_by_heart(watched, 1, [make_env("cliff_hill")], 0)
    assert watched.read - {"task"} == set(acceptance.SETTINGS)  # the task follows from its name


# By heart -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task_name", "module", "error"), [("cliff_hill", cliff_hill_by_heart, 1e-9), ("cartpole", cartpole_by_heart, 5e-3)]
)
def test_the_physics_by_heart_are_the_published_ones(task_name: str, module: Any, error: float) -> None:
    env = make_env(task_name)
    rng = np.random.default_rng(0)
    seen, _ = env.reset(seed=0)
    for _ in range(env.task.episode_length):
        action = rng.uniform(-1, 1, env.task.act_dim)
        arrived, *_ = env.step(action.astype(np.float32))
        if task_name == "cartpole" and abs(arrived[0]) > 2.9:
            break  # the end of the rail, which is springy
        np.testing.assert_allclose(module.predict(seen, action, np.ones(1)), arrived, atol=error)
        seen = arrived
    assert abs(seen[0]) > 0.3


def test_who_knows_the_ledge_by_heart_knows_where_a_step_ends_and_what_it_is_worth() -> None:
    """The expected reward of a noisy step, against the mean over many."""
    env: Any = make_env("ledge")
    rng = np.random.default_rng(0)
    for start, action in (((2.3, 0.5), (1.0, -0.3)), ((1.0, -1.0), (0.2, 0.9)), ((2.9, 0.0), (1.0, 0.0))):
        mean = ledge_by_heart.predict(np.array(start), np.array(action), np.ones(1))
        np.testing.assert_allclose(mean, env.mean(np.array(start), np.array(action)), atol=1e-9)
        arrived = mean + env.noise_std * rng.standard_normal((200_000, 2))
        rewards = env.task.reward(
            np.broadcast_to(start, arrived.shape), np.broadcast_to(action, arrived.shape), arrived
        )
        tolerance = 5 * np.std(rewards) / len(rewards) ** 0.5
        assert ledge_by_heart.reward(np.array(start), np.array(action), mean) == pytest.approx(
            rewards.mean(), abs=tolerance
        )
