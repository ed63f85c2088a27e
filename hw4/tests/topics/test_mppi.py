"""Public tests of hw4/topics/mppi.py. The first test of each stub is its worked example."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hw4.checking.answers import AnyOf, check, check_close, check_shape
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.examples.topics.mppi import DOUBLES
from hw4.checking.subject import LocalSubject
from hw4.checking.variations import vary
from hw4.checking.worked_example import check_example
from hw4.experiments import EXPERIMENTS
from hw4.mpc import MPC, Objective
from hw4.topics.mppi import build_planner, filter_noise, mppi_update

POPULATION, HORIZON, ACT_DIM = 11, 5, 2
KAPPAS = (0.5, 2.0, 0.9, DOUBLES)


def numbers(*shape: int) -> Tensor:
    """Different numbers of moderate size, the same at every run."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


# filter_noise ---------------------------------------------------------------------------------------------------------


@pytest.mark.stub("filter_noise")
def test_filter_noise_worked_example() -> None:
    check_example(WORKED_EXAMPLES["filter_noise"], LocalSubject())


@pytest.mark.stub("filter_noise")
def test_filter_noise_lets_an_impulse_fade() -> None:
    """With beta = 1/4 an impulse counts 1/4, 3/16, 9/64 in n_t; the standard deviations are 1/4, 5/16, sqrt(481)/64."""
    noise = torch.zeros(3, 4, ACT_DIM)
    noise[1, 0, 1] = 1.0
    filtered = filter_noise(noise, 0.25)
    check(bool((filtered[[0, 2]] == 0).all()), "another candidate's noise has changed", "filter_axis")
    check(bool((filtered[..., 0] == 0).all()), "another action's noise has changed", "filter_axis")
    wanted = np.array([1.0, 0.6, 9 / 481**0.5])
    slips = {
        "noise_not_rescaled": np.array([1 / 4, 3 / 16, 9 / 64]),
        "noise_rescaled_alike": AnyOf((np.array([1.0, 3 / 4, 9 / 16]), np.array([7, 21 / 4, 63 / 16]) ** 0.5 / 4)),
        "filter_forgets": AnyOf((np.array([1.0, 0.0, 0.0]), np.array([1.0, 2.4, 0.0]))),
        "beta_swapped": np.array([1.0, 1 / 17**0.5, 1 / 273**0.5]),
    }
    check_close(filtered[1, :3, 1].numpy(), wanted, "the impulse at steps 0, 1 and 2", slips=slips)


@pytest.mark.stub("filter_noise")
@pytest.mark.parametrize("beta", [0.2, 0.7])
def test_filter_noise_has_variance_1_at_every_step(beta: float) -> None:
    """Candidate k is an impulse at step k: the squares of what arrives at step t are the variance of that step."""
    filtered = filter_noise(torch.eye(6).unsqueeze(-1), beta)[..., 0]
    variance = (filtered**2).sum(dim=0)
    unscaled = beta**2 * np.cumsum([(1 - beta) ** (2 * k) for k in range(6)])
    slips = {
        "noise_not_rescaled": unscaled,
        "noise_rescaled_alike": AnyOf((unscaled / (beta / (2 - beta)), unscaled / beta**2)),
        "std_for_variance": 1 / unscaled,
        "filter_variance": AnyOf(tuple(unscaled / (1 - (1 - beta) ** np.arange(1, 7)) ** power for power in (1, 2))),
    }
    check_close(variance.numpy(), np.ones(6), "the variance of each step", slips=slips)


@pytest.mark.stub("filter_noise")
def test_filter_noise_with_beta_1_changes_nothing() -> None:
    noise = numbers(POPULATION, HORIZON, ACT_DIM)
    filter_noise(noise, 0.3)
    check_close(filter_noise(noise, 1.0).numpy(), noise.numpy(), "the noise with beta = 1")
    large = 9.0 * noise
    what = "large noise with beta = 1"
    check_close(filter_noise(large, 1.0).numpy(), large.numpy(), what, otherwise="values_clamped")


@pytest.mark.stub("filter_noise")
def test_filter_noise_takes_any_size_in_every_call() -> None:
    """One step after the other, n_t keeps 1 - beta of the step before and adds beta of the new draw."""
    rng = np.random.default_rng(0)

    def at(*shape: int, beta: float = 0.4) -> None:
        noise = rng.normal(size=shape)
        filtered = LocalSubject().call("topics.mppi.filter_noise", noise, beta)
        check_shape(filtered, shape, "the filtered noise")
        slips = {"noise_not_rescaled": beta * noise[:, 0]}
        check_close(filtered[:, 0], noise[:, 0], "the first step", slips=slips)
        weights = beta * (1 - beta) ** np.arange(shape[1])
        stds = np.sqrt(np.cumsum(weights**2))
        steps = np.arange(1, shape[1])
        kept = (1 - beta) * (filtered * stds[:, None])[:, steps - 1]
        added = filtered[:, steps] * stds[steps, None] - kept
        check_close(added, beta * noise[:, steps], "what each step adds")

    vary(
        lambda: at(5, 6, 2),
        again=2,
        size_one=[lambda: at(1, 1, 1), lambda: at(4, 1, 3), lambda: at(1, 6, 1)],
        large=[lambda: at(1, 200, 1), lambda: at(40, 30, 2, beta=0.05)],
    )


@pytest.mark.stub("filter_noise")
def test_filter_noise_leaves_the_noise_as_it_was() -> None:
    noise = numbers(POPULATION, HORIZON, ACT_DIM)
    filter_noise(noise, 0.5)
    check(torch.equal(noise, numbers(POPULATION, HORIZON, ACT_DIM)), "the noise passed in was changed", "inplace")


@pytest.mark.parametrize("beta", [0.0, -0.5, 1.5])
def test_a_beta_out_of_range_is_refused(beta: float) -> None:
    with pytest.raises(ValueError, match="beta"):
        filter_noise(torch.zeros(2, 3, 1), beta)


# mppi_update ----------------------------------------------------------------------------------------------------------


def update(returns: list[float], kappa: float) -> Tensor:
    """The plan of candidates of one step and one action, 0, 1, 2, ..."""
    candidates = torch.arange(len(returns)).float()[:, None, None]
    return mppi_update(torch.tensor(returns), candidates, kappa=kappa)


@pytest.mark.stub("mppi_update")
def test_mppi_update_worked_example() -> None:
    check_example(WORKED_EXAMPLES["mppi_update"], LocalSubject())


@pytest.mark.stub("mppi_update")
def test_mppi_update_takes_any_size_in_every_call() -> None:
    """Candidates of returns 0 and log(3) / kappa count 1 to 3."""
    rng = np.random.default_rng(0)
    kappas = iter(KAPPAS)

    def average(candidates: Any, weights: Any) -> Any:
        return np.average(candidates, axis=0, weights=weights)

    def at(*shape: int, kappa: float = 10.0) -> None:
        candidates, better = rng.uniform(-1, 1, shape), np.arange(shape[0]) % 2
        plan = LocalSubject().call("topics.mppi.mppi_update", better * np.log(3.0) / kappa, candidates, kappa=kappa)
        wanted, slips = average(candidates, 3.0**better), {}
        if shape[0] > 1:
            slips = {
                "state_kept": AnyOf(tuple(average(candidates, 3.0 ** (better * k / kappa)) for k in KAPPAS)),
                "candidate_left_out": AnyOf(
                    tuple(average(candidates[part], 3.0 ** better[part]) for part in (slice(1, None), slice(-1)))
                ),
                "weights_misplaced": AnyOf(tuple(average(candidates, 3.0 ** np.sort(better)[::k]) for k in (1, -1))),
            }
            check(bool(np.isfinite(plan).all()), "the plan of moderate returns is not finite", "state_kept")
        check_close(plan, wanted, "the plan", slips=slips)

    vary(
        lambda: at(6, HORIZON, ACT_DIM, kappa=next(kappas)),
        again=2,
        size_one=[lambda: at(1, 1, 1), lambda: at(1, HORIZON, ACT_DIM), lambda: at(4, 1, 3), lambda: at(4, 3, 1)],
        large=[lambda: at(300, 40, 3)],
    )


@pytest.mark.stub("mppi_update")
def test_mppi_update_gives_back_candidates_that_are_all_the_same() -> None:
    one = numbers(HORIZON, ACT_DIM)
    plan = mppi_update(numbers(POPULATION), one.expand(POPULATION, HORIZON, ACT_DIM), kappa=2.0)
    slips = {"weights_axis": (one / HORIZON * POPULATION).numpy()}
    check_close(plan.numpy(), one.numpy(), "the plan", slips=slips)


@pytest.mark.stub("mppi_update")
def test_mppi_update_does_not_depend_on_the_order_of_the_candidates() -> None:
    candidates, returns = numbers(POPULATION, HORIZON, ACT_DIM), numbers(POPULATION)
    plan = mppi_update(returns, candidates, kappa=1.3)
    other = mppi_update(returns.flip(0), candidates.flip(0), kappa=1.3)
    check_close(other.numpy(), plan.numpy(), "the plan in another order")


@pytest.mark.stub("mppi_update")
@pytest.mark.parametrize("constant", [500.0, -500.0])
def test_mppi_update_knows_only_differences_of_returns(constant: float) -> None:
    plan = update([constant + 1.0, constant, constant + 1.0], 1.0)
    check(bool(plan.isfinite().all()), "the plan holds NaN or infinite numbers", "softmax_overflows")
    check_close(plan.numpy(), np.array([[1.0]]), "the plan", slips={"best_for_average": np.array([[0.0]])})


@pytest.mark.stub("mppi_update")
def test_mppi_update_goes_from_the_mean_to_the_best() -> None:
    returns = [2.0, 5.0, -4.0, 3.0]
    slips: dict[str, Any] = {"best_for_average": np.array([[1.0]]), "kappa_divides": np.array([[1.0]])}
    check_close(update(returns, 1e-6).numpy(), np.array([[1.5]]), "the plan for a tiny kappa", slips=slips)
    slips = {
        "weights_equal": np.array([[1.5]]),
        "kappa_divides": np.array([[1.5]]),
        "takes_smallest": np.array([[2.0]]),
    }
    check_close(update(returns, 1e3).numpy(), np.array([[1.0]]), "the plan for a large kappa", slips=slips)
    of_two = update([5.0, 1.0, 0.0, 5.0], 1e3)
    slips = {"best_for_average": AnyOf((np.array([[0.0]]), np.array([[3.0]])))}
    check_close(of_two.numpy(), np.array([[1.5]]), "the plan of two that are equally good", slips=slips)


@pytest.mark.stub("mppi_update")
def test_mppi_update_leaves_out_candidates_of_minus_infinity() -> None:
    plan = update([-torch.inf, 0.0, -torch.inf, 0.0], 0.7)
    slips = {"impossible_counts": np.array([[1.5]])}
    check_close(plan.numpy(), np.array([[2.0]]), "the plan of candidates 1 and 3", slips=slips)


@pytest.mark.stub("mppi_update")
def test_mppi_update_leaves_its_inputs_as_they_were() -> None:
    candidates, returns = numbers(POPULATION, HORIZON, ACT_DIM), numbers(POPULATION)
    mppi_update(returns, candidates, kappa=2.0)
    check(torch.equal(candidates, numbers(POPULATION, HORIZON, ACT_DIM)), "the candidates were changed", "inplace")
    check(torch.equal(returns, numbers(POPULATION)), "the returns were changed", "inplace")


@pytest.mark.parametrize(
    ("returns", "kappa", "message"),
    [
        ([1.0, 2.0], 0.0, "kappa"),
        ([1.0, torch.nan], 1.0, "NaN"),
        ([1.0, torch.inf], 1.0, "finite"),
        ([-torch.inf, -torch.inf], 1.0, "finite"),
    ],
)
def test_returns_that_cannot_be_weighed_are_refused(returns: list[float], kappa: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        update(returns, kappa)


# Both together --------------------------------------------------------------------------------------------------------


def planner_on_a_toy(**changes: Any) -> tuple[Any, list[Tensor]]:
    """MPPI on a toy: the wanted actions are the observation. Returns the planner and what the objective was asked."""
    asked: list[Tensor] = []

    def objective_from(observation: Tensor) -> Objective:
        def objective(action_sequences: Tensor) -> Tensor:
            asked.append(action_sequences.clone())
            return -((action_sequences[..., 0] - observation) ** 2).sum(dim=-1)

        return objective

    experiment = dataclasses.replace(EXPERIMENTS["cartpole"], horizon=HORIZON, **changes)
    return build_planner(experiment, objective_from, torch.Generator().manual_seed(0)), asked


@pytest.mark.stub("filter_noise")
@pytest.mark.stub("mppi_update")
def test_the_planner_scores_all_its_candidates_at_once_inside_the_bounds() -> None:
    planner, asked = planner_on_a_toy(population_size=20, num_iterations=3)
    plan = planner(torch.zeros(HORIZON), torch.full((HORIZON, 1), 0.9))
    (candidates,) = asked
    assert candidates.shape == (60, HORIZON, 1)
    assert candidates.abs().max() <= 1.0
    assert plan.abs().max() <= 1.0
    assert plan.shape == (HORIZON, 1)


@pytest.mark.stub("filter_noise")
@pytest.mark.stub("mppi_update")
def test_the_planner_comes_near_the_best_plan_when_it_starts_from_its_last_one() -> None:
    planner, _ = planner_on_a_toy(population_size=100, num_iterations=3)
    wanted, plan = torch.tensor([0.8, -0.6, 0.0, 0.3, -0.9]), torch.zeros(HORIZON, 1)
    for _ in range(4):
        plan = planner(wanted, plan)
    check_close(plan[:, 0].numpy(), wanted.numpy(), "the plan", atol=0.25)


@pytest.mark.stub("filter_noise")
@pytest.mark.stub("mppi_update")
def test_the_planner_serves_the_controller() -> None:
    planner, asked = planner_on_a_toy(population_size=10, num_iterations=2)
    controller = MPC(planner, initial_mean=torch.zeros(HORIZON, 1))
    for _ in range(3):
        assert controller.act(torch.full((HORIZON,), 0.5)).shape == (1,)
    assert len(asked) == 3
