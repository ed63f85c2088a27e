"""Distribution shift on the cliff hill: one plan from random data falls, replanning and aggregating climbs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median
from typing import TypedDict

import pytest

from hw4.envs.cliff_hill import BOTTOM_HEIGHT, EDGE_X
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import load_assignment
from publish.stubs import write_solved

INITIAL_EPISODES = EXPERIMENTS["cliff_hill"].num_initial_episodes
NUM_EPISODES = 8  # two less than the experiment has: cheaper, and harder, as the first climbs count more
LATE_EPISODES = 3

RUN = """
import dataclasses, json, sys
import torch
from hw4.agents import build_agent
from hw4.envs import make_env
from hw4.experiments import EXPERIMENTS, as_version
from hw4.training import train

torch.set_num_threads(1)
version, num_episodes, seeds = json.loads(sys.argv[1])
experiment = dataclasses.replace(as_version(EXPERIMENTS["cliff_hill"], version), num_episodes=num_episodes)
for seed in seeds:
    agent = build_agent(experiment, seed)
    records = list(train(make_env("cliff_hill"), agent, num_episodes=num_episodes, seed=seed))
    paths = [record.observations.tolist() for record in records]
    print(json.dumps({"returns": [record.episode_return for record in records], "paths": paths}))
"""


class Run(TypedDict):
    """One training run; JSON keeps every bit of a float."""

    returns: list[float]  # of each episode
    paths: list[list[list[float]]]  # (x, y, height) of each step of each episode


def trained(tree: Path, version: str, num_episodes: int, seeds: Sequence[int]) -> list[Run]:
    """Train in a fresh process on the solved tree, one thread."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps([version, num_episodes, list(seeds)])],
        cwd=tree,
        env={**os.environ, **threads, "PYTHONPATH": str(tree)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=400,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_solved(tmp_path_factory.mktemp("learning") / "solved")


@pytest.fixture(
    scope="module",
    params=[pytest.param(2, id="2 seeds"), pytest.param(10, id="10 seeds", marks=pytest.mark.verify)],
)
def seeds(request: pytest.FixtureRequest) -> range:
    return range(request.param)


@pytest.fixture(scope="module")
def open_loop(tree: Path, seeds: range) -> list[Run]:
    """Version 0.5, every episode of the experiment, by seed."""
    return trained(tree, "0.5", EXPERIMENTS["cliff_hill"].num_episodes, seeds)


@pytest.fixture(scope="module")
def replanning(tree: Path, seeds: range) -> list[Run]:
    """Version 1.5, by seed."""
    return trained(tree, "1.5", NUM_EPISODES, seeds)


def late_mean(run: Run) -> float:
    return mean(run["returns"][-LATE_EPISODES:])


def falls(path: list[list[float]]) -> bool:
    """Whether the episode reaches the bottom of the pit, beyond the edge."""
    return any(x > EDGE_X and height == BOTTOM_HEIGHT for x, _, height in path)


def test_both_versions_start_from_the_same_random_data(open_loop: list[Run], replanning: list[Run]) -> None:
    for planned_once, replanned in zip(open_loop, replanning, strict=True):
        assert planned_once["paths"][:INITIAL_EPISODES] == replanned["paths"][:INITIAL_EPISODES]
        assert not any(map(falls, planned_once["paths"][:INITIAL_EPISODES]))


def test_one_plan_from_random_data_falls_in_every_episode_of_every_seed(open_loop: list[Run]) -> None:
    stayed_up = [
        (seed, episode)
        for seed, run in enumerate(open_loop)
        for episode, path in enumerate(run["paths"])
        if episode >= INITIAL_EPISODES and not falls(path)
    ]
    assert stayed_up == []


def test_late_replanning_beats_every_episode_of_one_plan_on_every_seed(
    open_loop: list[Run], replanning: list[Run]
) -> None:
    best_open_loop = max(value for run in open_loop for value in run["returns"][INITIAL_EPISODES:])
    late = [late_mean(run) for run in replanning]
    assert min(late) > best_open_loop, f"late means {late}, best episode of version 0.5: {best_open_loop}"


def test_late_replanning_climbs_on_the_median_seed(replanning: list[Run]) -> None:
    assert NUM_EPISODES - LATE_EPISODES > INITIAL_EPISODES  # the first planned episode is not among the late ones
    late = [late_mean(run) for run in replanning]
    assert median(late) > 0.0, f"late means {late}"


def test_the_same_seed_gives_the_same_curve_to_the_last_bit(tree: Path, replanning: list[Run]) -> None:
    seed, num_episodes = 0, INITIAL_EPISODES + 1
    (again,) = trained(tree, "1.5", num_episodes, [seed])
    assert again["returns"] == replanning[seed]["returns"][:num_episodes]
    assert again["paths"] == replanning[seed]["paths"][:num_episodes]
    assert again["returns"] != replanning[seed + 1]["returns"][:num_episodes]


# What a curve runs ----------------------------------------------------------------------------------------------------


CALLED = """
import dataclasses, json, sys
import torch
from hw4.agents import build_agent
from hw4.envs import make_env
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import load_assignment
from hw4.training import train

torch.set_num_threads(1)
assignment = load_assignment()
symbols = {(f"/hw4/{stub.file}", stub.symbol): stub.id for stub in assignment.stubs}
called = set()

def note(frame, event, argument):
    path = frame.f_code.co_filename
    if event == "call" and "/hw4/" in path:
        called.add(symbols.get((path[path.rindex("/hw4/"):], frame.f_code.co_qualname)))

def ids_called(curve):
    called.clear()
    settings = EXPERIMENTS[curve.experiment]
    experiment = dataclasses.replace(settings, gradient_steps=2, num_episodes=settings.num_initial_episodes + 1)
    sys.setprofile(note)
    agent = build_agent(experiment, 0)
    for _ in train(make_env(experiment.task_name), agent, num_episodes=experiment.num_episodes, seed=0):
        pass
    sys.setprofile(None)
    return sorted(called - {None})

print(json.dumps({curve.id: ids_called(curve) for curve in assignment.curves}))
"""


def test_a_curve_needs_the_functions_that_its_agent_calls(tree: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run([sys.executable, "-c", CALLED], cwd=tree, env=environment, capture_output=True, check=True)
    assert json.loads(done.stdout) == {curve.id: sorted(curve.needs) for curve in load_assignment().curves}
