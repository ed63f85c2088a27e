"""Planning with particles: what sampled noise is worth, how returns become one number, and members that change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest

from publish.stubs import write_solved

PROGRAM = """
import dataclasses, json
import torch
from hw4.agents import aggregate, build_agent, draw_noise, with_members_redrawn
from hw4.ensemble import particle_returns
from hw4.experiments import EXPERIMENTS
from hw4.rewards import ledge_reward

torch.set_num_threads(1)
found, ledge = {}, EXPERIMENTS["ledge"]

def stand(observation, action):
    return observation, torch.full_like(observation, 0.15**2)

noise = torch.randn(1, 1, 200_000, 2, generator=torch.Generator().manual_seed(0))
returns = particle_returns(stand, ledge_reward, torch.tensor([2.8, 0.0]), torch.zeros(1, 1, 2), noise)
found["rewards"] = [float(returns.mean()), float(returns.std())]
on_mean = particle_returns(stand, ledge_reward, torch.tensor([2.8, 0.0]), torch.zeros(1, 1, 2), noise[:, :, :1] * 0)
found["on the mean"] = float(on_mean)

two_members = torch.tensor([[[1.0], [3.0]], [[5.0], [7.0]]])
found["aggregated"] = {
    how: float(aggregate(two_members, how))
    for how in ("expected", "pessimistic", "mean_minus_std", "mean_plus_std", "optimistic")
}

generator = torch.Generator().manual_seed(0)
draws = [draw_noise(ledge, generator) for _ in range(2)]
found["noise"] = [list(draws[0].shape), bool((draws[0] == draws[1]).any())]
still = draw_noise(dataclasses.replace(ledge, num_particles=0), generator)
found["no noise"] = [list(still.shape), float(still.abs().max())]

try:
    build_agent(dataclasses.replace(ledge, members="squared_error"), 0)
except ValueError as error:
    found["refused"] = str(error)

def member_of(observation, action):
    member = torch.arange(3.0).reshape(3, 1, 1, 1).expand_as(observation)
    return member, observation

redrawn = with_members_redrawn(member_of, torch.Generator().manual_seed(0))
own = torch.arange(3 * 4 * 2.0).reshape(3, 4, 1, 2).expand(3, 4, 5, 2)
calls = [redrawn(own, own[..., :1]) for _ in range(300)]
members = torch.stack([mean for mean, _ in calls])  # (calls, 3, 4, 5, 2)
found["its own variance"] = all(torch.equal(variance, own) for _, variance in calls)
found["candidates together"] = bool((members == members[..., :1, :1]).all())
of_particles = members[..., 0, 0].flatten(1)
found["asked of each member"] = sorted({int((row == e).sum()) for row in of_particles for e in range(3)})
found["shares"] = [float((of_particles == e).float().mean(dim=0).sub(1 / 3).abs().max()) for e in range(3)]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    tree: Path = write_solved(tmp_path_factory.mktemp("particles") / "solved")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(tree)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tree, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def test_sampled_noise_sees_the_edge_that_the_mean_does_not(found: dict[str, Any]) -> None:
    """Standing at 2.8 m costs nothing by the mean; with noise of 0.15 m the expectation has a closed form."""
    standard, z = NormalDist(), 0.2 / 0.15
    ridge = 2.8 - 0.15 * 0.15**2  # the ridge falls off to both sides: y is noisy, too
    expected = ridge * standard.cdf(z) - 0.15 * standard.pdf(z) - 20.0 * (1.0 - standard.cdf(z))
    mean, std = found["rewards"]
    assert mean == pytest.approx(expected, abs=5 * std / 200_000**0.5)
    assert found["on the mean"] == pytest.approx(2.8, abs=1e-6)


def test_particles_are_averaged_first_and_members_are_aggregated_then(found: dict[str, Any]) -> None:
    """Members' means are 2 and 6: their mean is 4 and their standard deviation, with divisor 2, is 2."""
    wanted = {"expected": 4.0, "pessimistic": 2.0, "mean_minus_std": 2.0, "mean_plus_std": 6.0, "optimistic": 6.0}
    assert found["aggregated"] == wanted


def test_noise_is_fresh_for_each_set_of_candidates_and_none_where_means_are_followed(found: dict[str, Any]) -> None:
    assert found["noise"] == [[8, 5, 2, 2], False]
    assert found["no noise"] == [[8, 5, 1, 2], 0.0]


def test_members_that_predict_no_noise_cannot_be_sampled(found: dict[str, Any]) -> None:
    assert 'members="gaussian"' in found["refused"]


def test_ts1_redraws_the_member_of_a_particle_at_every_step_for_all_candidates_together(found: dict[str, Any]) -> None:
    assert found["its own variance"]
    assert found["candidates together"]
    assert found["asked of each member"] == [4]
    assert max(found["shares"]) < 0.12  # of 300 calls; a share of 1/3 has the standard deviation 0.027
