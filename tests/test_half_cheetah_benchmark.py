"""The recording of the half-cheetah goes on after a kill as if nothing had happened, on the CPU and on a GPU."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autograder.solutions import ROOT
from publish.stubs import write_solved

# Random data, then two planned episodes of 250 steps, as small as they can be.
RUN = """
import dataclasses, json, os, sys
from pathlib import Path
import torch
from half_cheetah_speed import record
from hw4 import mpc
from hw4.experiments import EXPERIMENTS

torch.set_num_threads(1)
folders, device, killed_at = json.loads(sys.argv[1])
record_transition = mpc.ModelBasedAgent.record

def record_or_die(agent, transition):
    record_transition(agent, transition)
    if len(agent.replay) == killed_at:
        os._exit(9)

mpc.ModelBasedAgent.record = record_or_die
tiny = dict(ensemble_size=2, width=8, gradient_steps=3, batch_size=16, horizon=3, population_size=8, num_elites=3)
experiment = dataclasses.replace(EXPERIMENTS["half_cheetah"], num_initial_episodes=1, num_episodes=3, **tiny)
for folder in folders:
    for row in record(experiment, seed=0, device=device, folder=Path(folder)):
        print(json.dumps(row._asdict()), flush=True)
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_solved(tmp_path_factory.mktemp("half_cheetah") / "solved")


def run(tree: Path, *folders: Path, device: str = "cpu", killed_at: int = 0) -> list[dict[str, Any]]:
    """The episodes that one process ran, a run in each folder; it kills itself after `killed_at` env steps of one."""
    path = os.pathsep.join([str(tree), str(ROOT / "benchmarks")])
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps([[str(folder) for folder in folders], device, killed_at])],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    assert done.returncode == (9 if killed_at else 0)
    return [json.loads(line) for line in done.stdout.splitlines()]


def returns(rows: list[dict[str, Any]]) -> list[tuple[int, int, float]]:
    return [(row["episode"], row["env_steps"], row["episode_return"]) for row in rows]


@pytest.mark.verify
def test_a_killed_run_goes_on_to_the_same_numbers(tree: Path, tmp_path: Path) -> None:
    before = run(tree, tmp_path / "killed", killed_at=600)
    after, *whole = run(tree, tmp_path / "killed", tmp_path / "whole")
    assert [row["env_steps"] for row in whole] == [250, 500, 750]
    assert [row["env_steps"] for row in before] == [250, 500]
    assert returns([*before, after]) == returns(whole)
    lines = (tmp_path / "killed" / "episodes.csv").read_text(encoding="utf-8").splitlines()
    assert [float(line.split(",")[2]) for line in lines[1:]] == [row["episode_return"] for row in whole]
    assert all(row["cpu_seconds"] > 0 for row in [*before, after])


@pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="no GPU here")
def test_the_same_run_on_a_gpu(tree: Path, tmp_path: Path) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("this torch sees no GPU")
    on_cpu = run(tree, tmp_path / "cpu")
    before = run(tree, tmp_path / "gpu", device="cuda", killed_at=600)
    after = run(tree, tmp_path / "gpu", device="cuda")
    found = returns(before + after)
    assert found[0] == returns(on_cpu)[0]  # random actions: the device has no part in it
    assert [value for _, _, value in found] == pytest.approx([value for _, _, value in returns(on_cpu)], abs=100.0)
    assert torch.load(tmp_path / "gpu" / "checkpoint.pt", weights_only=True)["weights"][0].is_cuda
