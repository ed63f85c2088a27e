"""The solution of the topic MPPI: identities that hold exactly, and what its planner promises."""

from __future__ import annotations

import dataclasses
import importlib.util

import numpy as np
import pytest
import torch

from autograder.hidden_tests.topics import mppi_oracle
from autograder.solutions import SOLUTIONS
from hw4.experiments import EXPERIMENTS

HORIZON = 12


@pytest.fixture(scope="module")
def mppi():
    spec = importlib.util.spec_from_file_location("solution_of_mppi", SOLUTIONS / "topics" / "mppi.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# The filter


def weights_of_the_filter(mppi, beta, horizon=HORIZON):
    """weights[t, k]: how much the white noise of step k counts in step t."""
    impulses = torch.eye(horizon, dtype=torch.float64).unsqueeze(-1)
    return mppi.filter_noise(impulses, beta)[..., 0].T.numpy()


@pytest.mark.parametrize("beta", [0.05, 0.3, 0.5, 0.95, 1.0])
def test_every_step_has_variance_one(mppi, beta):
    weights = weights_of_the_filter(mppi, beta)
    assert np.allclose((weights**2).sum(axis=1), 1.0, atol=1e-12)


@pytest.mark.parametrize("beta", [0.05, 0.3, 0.5, 0.95])
def test_the_correlation_of_neighbouring_steps_approaches_one_minus_beta(mppi, beta):
    """For the filter that has run for long it is 1 - beta exactly; earlier it is less."""
    weights = weights_of_the_filter(mppi, beta, horizon=200)
    correlation = (weights[1:] * weights[:-1]).sum(axis=1)
    assert np.all(np.diff(correlation) > -1e-12)
    assert np.isclose(correlation[-1], 1 - beta, atol=1e-6)


def test_no_step_depends_on_a_later_one(mppi):
    weights = weights_of_the_filter(mppi, 0.3)
    assert np.array_equal(np.triu(weights, k=1), np.zeros_like(weights))


def test_the_filter_agrees_with_the_closed_form(mppi):
    noise = np.random.default_rng(0).normal(size=(3, HORIZON, 2))
    for beta in (0.1, 0.6):
        assert np.allclose(mppi.filter_noise(torch.tensor(noise), beta), mppi_oracle.filtered(noise, beta), atol=1e-12)


# The weighted average


def test_the_plan_agrees_with_sums_written_out(mppi):
    rng = np.random.default_rng(1)
    for kappa in (0.1, 1.0, 20.0):
        returns, sequences = rng.normal(size=9), rng.normal(size=(9, 4, 2))
        plan = mppi.mppi_update(torch.tensor(returns), torch.tensor(sequences), kappa=kappa)
        assert np.allclose(plan, mppi_oracle.plan(returns, sequences, kappa), atol=1e-12)


def test_the_plan_is_invariant_to_a_constant_and_to_the_order(mppi):
    generator = torch.Generator().manual_seed(0)
    returns = torch.randn(9, generator=generator, dtype=torch.float64)
    sequences = torch.randn(9, 4, 2, generator=generator, dtype=torch.float64)
    plan = mppi.mppi_update(returns, sequences, kappa=2.0)
    order = torch.randperm(9, generator=generator)
    assert torch.allclose(mppi.mppi_update(returns + 1e6, sequences, kappa=2.0), plan, atol=1e-8)
    assert torch.allclose(mppi.mppi_update(returns[order], sequences[order], kappa=2.0), plan, atol=1e-12)


def test_large_returns_in_single_precision_keep_their_differences(mppi):
    """The largest is subtracted before kappa multiplies: 1000 * 10,000 would round differences of 0.25 away."""
    returns = torch.tensor([10_000.0, 10_000.25])
    plan = mppi.mppi_update(returns, torch.tensor([[[0.0]], [[1.0]]]), kappa=8.0)
    assert np.isclose(plan.item(), 1 / (1 + np.exp(-2.0)), rtol=1e-5)


# The planner


def scored_by(mppi, *, kappa, seed=0, best=0.0, **changes):
    """One plan of the planner on the cart-pole's bounds: the plan, and the candidates of each call of the objective."""
    calls = []

    def objective_from(observation):
        def objective(candidates):
            calls.append(candidates.clone())
            return -((candidates - best) ** 2).sum(dim=(1, 2))

        return objective

    experiment = dataclasses.replace(EXPERIMENTS["cartpole"], horizon=HORIZON, **changes)
    generator = torch.Generator().manual_seed(seed)
    planner = mppi.build_planner(experiment, objective_from, generator, kappa=kappa)
    return planner(torch.zeros(5), torch.zeros(HORIZON, 1)), calls


def test_the_planner_scores_the_budget_of_cem_in_one_call(mppi):
    _, (candidates,) = scored_by(mppi, kappa=1.0, population_size=7, num_iterations=3)
    assert candidates.shape == (21, HORIZON, 1)


def test_with_a_huge_kappa_the_plan_is_the_best_candidate(mppi):
    plan, (candidates,) = scored_by(mppi, kappa=1e9, best=0.3)
    best = candidates[((candidates - 0.3) ** 2).sum(dim=(1, 2)).argmin()]
    assert torch.equal(plan, best)


def test_candidates_have_the_initial_std_at_every_step(mppi):
    _, (candidates,) = scored_by(mppi, kappa=1.0, population_size=20_000, num_iterations=1, initial_std=0.2)
    assert torch.allclose(candidates.std(dim=0), torch.full((HORIZON, 1), 0.2), rtol=0.03)


def test_candidates_and_plan_stay_inside_the_bounds(mppi):
    plan, (candidates,) = scored_by(mppi, kappa=100.0, best=5.0, initial_std=3.0)
    assert candidates.abs().max() == 1.0
    assert plan.abs().max() <= 1.0


def test_the_same_generator_gives_the_same_plan(mppi):
    assert torch.equal(scored_by(mppi, kappa=1.0)[0], scored_by(mppi, kappa=1.0)[0])
    assert not torch.equal(scored_by(mppi, kappa=1.0)[0], scored_by(mppi, kappa=1.0, seed=1)[0])
