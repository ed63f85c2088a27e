"""Whole experiments, made tiny: the given parts, and your files put together."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hw4.agents import build_agent
from hw4.envs import make_env
from hw4.experiments import EXPERIMENTS, as_version
from hw4.training import EpisodeRecord, train


def test_version_0_5_fits_once_and_executes_one_plan_of_the_whole_episode() -> None:
    experiment = as_version(EXPERIMENTS["cliff_hill"], "0.5")
    assert experiment.horizon == experiment.replan_every == experiment.task.episode_length
    assert experiment.refit_every is None


def test_version_1_0_refits_after_each_plan() -> None:
    experiment = as_version(EXPERIMENTS["cliff_hill"], "1.0")
    assert experiment.horizon == experiment.replan_every == experiment.task.episode_length
    assert experiment.refit_every == experiment.task.episode_length


def test_version_1_5_replans_at_every_step() -> None:
    experiment = as_version(EXPERIMENTS["cliff_hill"], "1.5")
    assert experiment.replan_every == 1
    assert experiment.horizon < experiment.task.episode_length


def run_tiny(name: str, seed: int, **changes: object) -> list[EpisodeRecord]:
    """Two episodes with a small network and few candidates: it shows that the parts fit, not that they learn."""
    tiny = {"width": 8, "gradient_steps": 3, "horizon": 4, "population_size": 8, "num_elites": 3, "num_iterations": 2}
    settings = {**tiny, "num_initial_episodes": 1, "num_episodes": 2, "refit_every": 30, **changes}
    experiment = dataclasses.replace(EXPERIMENTS[name], **settings)  # type: ignore[arg-type]
    env = make_env(experiment.task_name)
    return list(train(env, build_agent(experiment, seed), num_episodes=experiment.num_episodes, seed=seed))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("cliff_hill", {}),
        ("cliff_hill", {"planner": "random_shooting", "replan_every": 4}),
        ("cartpole_ensemble", {"ensemble_size": 3}),
        ("cartpole_ensemble", {"ensemble_size": 3, "members": "gaussian", "aggregation": "pessimistic"}),
    ],
)
@pytest.mark.problem("curves")
def test_a_tiny_agent_runs_to_the_end(name: str, changes: dict[str, object]) -> None:
    records = run_tiny(name, seed=0, **changes)
    assert [record.episode for record in records] == [0, 1]
    for record in records:
        assert np.isfinite(record.observations).all()
        assert np.isfinite(record.episode_return)


@pytest.mark.problem("curves")
def test_the_same_seed_gives_the_same_run() -> None:
    first, again = (run_tiny("cliff_hill", seed=3)[-1] for _ in range(2))
    np.testing.assert_array_equal(first.actions, again.actions)


@pytest.mark.problem("curves")
def test_another_seed_gives_another_run() -> None:
    assert not np.array_equal(run_tiny("cliff_hill", seed=3)[-1].actions, run_tiny("cliff_hill", seed=4)[-1].actions)
