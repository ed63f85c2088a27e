"""A slow but honest solution gets full credit: ten times the reference's processor time per action is allowed."""

from __future__ import annotations

import statistics

import pytest

from autograder.grading.listener import Silent
from autograder.grading.session import Grader
from autograder.zoo import Animal, code_of
from autograder.zoo.visit import intake_of
from hw4.handin.assignment import load_assignment

TIMES = 10

SEQUENCE_RETURNS = f"""
num_sequences, horizon, _ = action_sequences.shape[-3:]
for _ in range({TIMES}):  # the same work again and again; the last time counts
    state = observation.unsqueeze(-2).expand(*observation.shape[:-1], num_sequences, -1)
    returns = state.new_zeros(state.shape[:-1])
    for t in range(horizon):
        next_state = predict(state, action_sequences[..., t, :])
        returns = returns + reward(state, action_sequences[..., t, :], next_state)
        state = next_state
return returns
"""

PARTICLE_RETURNS = f"""
num_sequences, horizon, act_dim = action_sequences.shape
_, ensemble_size, num_particles, obs_dim = noise.shape
for _ in range({TIMES}):
    state = observation.expand(ensemble_size, num_particles, num_sequences, obs_dim)
    returns = state.new_zeros(state.shape[:-1])
    for t in range(horizon):
        action = action_sequences[:, t].expand(ensemble_size, num_particles, num_sequences, act_dim)
        mean, variance = predict_distribution(state, action)
        next_state = mean + variance.sqrt() * noise[t].unsqueeze(-2)
        returns = returns + reward(state, action, next_state)
        state = next_state
return returns
"""


@pytest.mark.verify
def test_ten_times_the_time_per_action_is_full_credit() -> None:
    regions = {"sequence_returns": SEQUENCE_RETURNS, "particle_returns": PARTICLE_RETURNS}
    slow = Animal(name="slow", kind="correct", story="", regions=regions)
    with Grader() as grader:
        grade = grader.grade(intake_of(code_of(slow)), Silent(), only=frozenset())
    for report in grade.report.curves:
        runs = grade.runs[report.id]
        factor = statistics.median(run.cpu_seconds for run in runs) / grade.bars[report.id].cpu_seconds
        print(f"{report.id}: {factor:.1f} times the reference's processor time, {report.score:g} points")
    assert not grade.report.faults
    assert sum(report.score for report in grade.report.curves) == sum(c.points for c in load_assignment().curves)
