"""Public tests of hw4/ensemble.py. The first test of each stub is its worked example."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hw4.checking.answers import AnyOf, check, check_close
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.rollout_trace import Drift, RolloutTrace
from hw4.checking.subject import LocalSubject
from hw4.checking.worked_example import check_example
from hw4.ensemble import (
    aggregate_returns,
    bootstrap_indices,
    decompose_uncertainty,
    gaussian_nll,
    member_minibatches,
    member_returns,
)

ENSEMBLE, SEQUENCES, HORIZON, OBS_DIM, ACT_DIM = 4, 7, 5, 3, 2


def numbers(*shape: int) -> Tensor:
    """Different numbers of moderate size, the same at every run."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# bootstrap_indices ----------------------------------------------------------------------------------------------------


@pytest.mark.stub("bootstrap_indices")
def test_bootstrap_worked_example() -> None:
    check_example(WORKED_EXAMPLES["bootstrap_indices"], LocalSubject())


@pytest.mark.stub("bootstrap_indices")
def test_bootstrap_draws_every_transition_equally_often() -> None:
    counts = torch.bincount(bootstrap_indices(5, 2000, generator=seeded(1)).flatten().long(), minlength=5)
    check(len(counts) == 5 and bool((counts > 0).all()), "an index is never drawn, or is too large", "out_of_range")
    uniform = counts.float().div(2000).sub(1).abs().max() < 0.15
    check(bool(uniform), f"5 transitions were drawn {counts.tolist()} times", "not_uniform")


@pytest.mark.stub("bootstrap_indices")
def test_bootstrap_of_one_member_does_not_follow_from_anothers() -> None:
    first, second = bootstrap_indices(300, 2, generator=seeded(1))
    shifts = len(((first - second) % 300).unique())
    check(shifts > 120, "one member's data are another's, shifted", "members_share_data")


@pytest.mark.stub("bootstrap_indices")
def test_bootstrap_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    bootstrap_indices(9, ENSEMBLE, generator=seeded(0))
    check(torch.equal(before, torch.get_rng_state()), "torch's global generator was used", "generator_ignored")


@pytest.mark.stub("bootstrap_indices")
def test_bootstrap_follows_its_generator() -> None:
    draws = [bootstrap_indices(30, ENSEMBLE, generator=seeded(seed)) for seed in (3, 3, 4)]
    check(torch.equal(draws[0], draws[1]), "the same seed drew different data sets", "generator_ignored")
    check(not torch.equal(draws[0], draws[2]), "two seeds drew the same data sets", "generator_ignored")


# member_minibatches ---------------------------------------------------------------------------------------------------


@pytest.mark.stub("member_minibatches")
def test_minibatches_worked_example() -> None:
    check_example(WORKED_EXAMPLES["member_minibatches"], LocalSubject())


@pytest.mark.stub("member_minibatches")
def test_minibatches_of_a_member_that_owns_one_transition_hold_only_that() -> None:
    owned = torch.tensor([[8], [3], [5], [9]]).expand(4, 6)
    minibatches = member_minibatches(owned, 11, generator=seeded(0))
    check_close(minibatches.numpy(), owned[:, :1].expand(4, 11).numpy(), "minibatches")


@pytest.mark.stub("member_minibatches")
def test_minibatches_may_be_smaller_than_the_data_set() -> None:
    assert member_minibatches(torch.arange(ENSEMBLE * 50).reshape(ENSEMBLE, 50), 6, generator=seeded(0)).shape == (4, 6)


@pytest.mark.stub("member_minibatches")
def test_minibatches_of_one_member_do_not_follow_from_anothers() -> None:
    owned = torch.arange(40).expand(2, 40)
    first, second = member_minibatches(owned, 300, generator=seeded(1))
    shifts = len(((first - second) % 40).unique())
    check(shifts > 20, "one member's positions are another's, shifted", "members_share_minibatch")


@pytest.mark.stub("member_minibatches")
def test_minibatches_reach_every_entry() -> None:
    drawn = set(member_minibatches(torch.arange(20).expand(3, 20), 500, generator=seeded(1)).flatten().tolist())
    check(len(drawn) == 20, f"{20 - len(drawn)} of 20 entries are never drawn", "out_of_range")


@pytest.mark.stub("member_minibatches")
def test_minibatches_change_from_draw_to_draw() -> None:
    generator, owned = seeded(0), torch.arange(ENSEMBLE * 50).reshape(ENSEMBLE, 50)
    first, second = (member_minibatches(owned, 6, generator=generator) for _ in range(2))
    check(not torch.equal(first, second), "two draws from one generator are equal", "generator_ignored")


@pytest.mark.stub("member_minibatches")
def test_minibatches_leave_the_data_sets_as_they_were() -> None:
    owned = torch.arange(ENSEMBLE * 50).reshape(ENSEMBLE, 50)
    member_minibatches(owned, 6, generator=seeded(0))
    check(torch.equal(owned.flatten(), torch.arange(ENSEMBLE * 50)), "the data sets were changed", "inplace")


@pytest.mark.stub("member_minibatches")
def test_minibatches_are_drawn_with_replacement() -> None:
    draws = [member_minibatches(torch.tensor([[5, 6, 7]]), 3, generator=seeded(seed)) for seed in range(30)]
    repeated = any(len(set(draw[0].tolist())) < 3 for draw in draws)
    check(repeated, "30 minibatches of 3 from 3 hold no entry twice", "without_replacement")


# member_returns -------------------------------------------------------------------------------------------------------


def add_member(observation: Tensor, action: Tensor) -> Tensor:
    """Member e adds e and the first action to every entry of the state."""
    assert observation.shape[0] == action.shape[0] == ENSEMBLE, "predict takes and gives the member axis first"
    offset = torch.arange(float(ENSEMBLE)).reshape(-1, *[1] * (observation.dim() - 1))
    return observation + offset + action[..., :1]


def arrival(observation: Tensor, action: Tensor, next_observation: Tensor) -> Tensor:
    return next_observation.square().sum(dim=-1) + 100.0 * observation[..., 0] + 1000.0 * action[..., 1]


@pytest.mark.stub("member_returns")
def test_member_returns_worked_example() -> None:
    check_example(WORKED_EXAMPLES["member_returns"], LocalSubject())


@pytest.mark.stub("member_returns")
@pytest.mark.parametrize(
    ("members", "obs_dim", "act_dim", "num_sequences", "horizon"),
    [(5, 4, 2, 7, 6), (1, 4, 2, 7, 6), (5, 1, 1, 1, 1), (5, 4, 1, 1, 6), (5, 1, 2, 7, 1), (5, 4, 2, 60, 25)],
)
def test_member_returns_of_models_whose_returns_are_known(
    members: int, obs_dim: int, act_dim: int, num_sequences: int, horizon: int
) -> None:
    rng = np.random.default_rng(num_sequences)
    world, start = Drift(obs_dim, act_dim, members=members), 100.0 * rng.normal(size=obs_dim)
    plans = rng.uniform(-3, 3, (num_sequences, horizon, act_dim))
    trace = RolloutTrace(world.predict, world.reward, start, plans, members=members)
    arguments = (trace.predict, trace.reward, start, plans)
    returns = LocalSubject().call("ensemble.member_returns", *arguments, ensemble_size=members)
    trace.check_returns(returns, world.returns(start, plans), "returns")


@pytest.mark.stub("member_returns")
def test_member_returns_are_those_of_a_loop_over_members_and_sequences() -> None:
    start, plans = numbers(OBS_DIM), numbers(SEQUENCES, HORIZON, ACT_DIM)
    wanted = np.zeros((ENSEMBLE, SEQUENCES))
    for e in range(ENSEMBLE):
        for n in range(SEQUENCES):
            state = start.double().numpy()
            for action in plans[n].double().numpy():
                arrived = state + e + action[0]
                wanted[e, n] += (arrived**2).sum() + 100.0 * state[0] + 1000.0 * action[1]
                state = arrived
    returns = member_returns(add_member, arrival, start, plans, ensemble_size=ENSEMBLE)
    check_close(returns.numpy(), wanted, "returns", atol=1e-2)


@pytest.mark.stub("member_returns")
def test_member_returns_take_leading_batch_dimensions() -> None:
    starts, plans = numbers(6, OBS_DIM), numbers(6, SEQUENCES, HORIZON, ACT_DIM)
    together = member_returns(add_member, arrival, starts, plans, ensemble_size=ENSEMBLE)
    alone = [
        member_returns(add_member, arrival, s, p, ensemble_size=ENSEMBLE) for s, p in zip(starts, plans, strict=True)
    ]
    check_close(together.numpy(), torch.stack(alone, dim=1).numpy(), "returns of a batch of starts", atol=1e-2)


@pytest.mark.stub("member_returns")
def test_member_returns_leave_the_start_as_it_was() -> None:
    start, plans = torch.zeros(OBS_DIM), torch.full((SEQUENCES, HORIZON, ACT_DIM), 3.0)
    member_returns(add_member, arrival, start, plans, ensemble_size=ENSEMBLE)
    check(bool((start == 0).all()), "the start observation was changed", "start_mutated")
    check(bool((plans == 3).all()), "the action sequences were changed", "inplace")


# aggregate_returns ----------------------------------------------------------------------------------------------------


@pytest.mark.stub("aggregate_returns")
def test_aggregate_worked_example() -> None:
    check_example(WORKED_EXAMPLES["aggregate_returns"], LocalSubject())


@pytest.mark.stub("aggregate_returns")
@pytest.mark.parametrize("aggregation", ["expected", "pessimistic", "optimistic"])
def test_aggregate_keeps_all_axes_but_the_first(aggregation: Any) -> None:
    returns = numbers(ENSEMBLE, 6, SEQUENCES)
    of_one_row = aggregate_returns(returns[:, 2], aggregation)
    wrong = {"aggregation_axis": torch.stack([aggregate_returns(part, aggregation) for part in returns]).numpy()}
    aggregated = aggregate_returns(returns, aggregation).numpy()
    check(aggregated.shape != (ENSEMBLE, SEQUENCES), "the member axis is still there", "aggregation_axis")
    check(aggregated.shape != (ENSEMBLE, 6), "the member axis is still there", "aggregation_axis")
    assert aggregated.shape == (6, SEQUENCES)
    check_close(aggregated[2], of_one_row.numpy(), "the third row of plans", slips=wrong)


@pytest.mark.stub("aggregate_returns")
@pytest.mark.parametrize("aggregation", ["expected", "pessimistic", "optimistic"])
def test_aggregate_leaves_the_returns_as_they_were(aggregation: Any) -> None:
    returns = numbers(ENSEMBLE, SEQUENCES)
    aggregate_returns(returns, aggregation)
    check(torch.equal(returns, numbers(ENSEMBLE, SEQUENCES)), "the returns were changed", "inplace")


def test_an_unknown_aggregation_is_refused() -> None:
    unknown: Any = "hopeful"
    with pytest.raises(ValueError, match="aggregation"):
        aggregate_returns(numbers(ENSEMBLE, SEQUENCES), unknown)


# gaussian_nll ---------------------------------------------------------------------------------------------------------


@pytest.mark.stub("gaussian_nll")
def test_nll_worked_example() -> None:
    check_example(WORKED_EXAMPLES["gaussian_nll"], LocalSubject())


@pytest.mark.stub("gaussian_nll")
def test_nll_is_that_of_torch_but_for_the_constant() -> None:
    mean, log_variance, target = numbers(6, 3), numbers(3, 6).T, numbers(9)[:3].expand(6, 3)
    gaussian = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    wanted: Tensor = -gaussian.log_prob(target) - 0.5 * math.log(2 * math.pi)  # type: ignore[no-untyped-call]
    check_close(gaussian_nll(mean, log_variance, target).numpy(), wanted.numpy(), "nll")


@pytest.mark.stub("gaussian_nll")
def test_nll_is_smallest_at_the_variance_of_the_error() -> None:
    log_variances = torch.log(torch.tensor([1.0, 2.0, 9.0, 30.0, 100.0]))
    nll = gaussian_nll(torch.zeros(5), log_variances, torch.full((5,), 3.0))
    assert int(nll.argmin()) == 2, "an error of 3 is likeliest under a variance of 9"


@pytest.mark.stub("gaussian_nll")
def test_nll_is_right_for_tiny_and_for_huge_variances() -> None:
    log_variance = torch.tensor([-11.5, -11.5, 11.5, 11.5])
    error = torch.tensor([0.0, 2.0, 0.0, 2.0]) * torch.exp(log_variance / 2)  # none, or two standard deviations
    nll = gaussian_nll(torch.zeros(4), log_variance, error)
    check(bool(nll.isfinite().all()), "the nll is not finite", "not_finite")
    right = torch.isclose(nll, torch.tensor([-5.75, -3.75, 5.75, 7.75]), rtol=1e-3)
    check(bool(right.all()), "the nll is wrong for an extreme variance", "log_variance_clamped")


@pytest.mark.stub("gaussian_nll")
def test_nll_leaves_its_inputs_as_they_were() -> None:
    inputs = [numbers(3, 4) for _ in range(3)]
    gaussian_nll(*inputs)
    check(all(torch.equal(tensor, numbers(3, 4)) for tensor in inputs), "an input was changed", "inplace")


# decompose_uncertainty ------------------------------------------------------------------------------------------------


@pytest.mark.stub("uncertainty_split")
def test_uncertainty_worked_example() -> None:
    check_example(WORKED_EXAMPLES["uncertainty_split"], LocalSubject())


@pytest.mark.stub("uncertainty_split")
def test_uncertainty_parts_add_up_to_the_variance_of_the_mixture() -> None:
    means, variances = numbers(ENSEMBLE, 6, OBS_DIM), numbers(ENSEMBLE, 6, OBS_DIM).square() + 0.1
    aleatoric, epistemic = decompose_uncertainty(means, variances)
    other_axis = {"aggregation_axis": AnyOf((variances.mean(dim=1).numpy(), variances.mean(dim=2).numpy()))}
    check_close(aleatoric.numpy(), variances.mean(dim=0).numpy(), "aleatoric", slips=other_axis)
    second_moment = (means**2 + variances).mean(dim=0)
    check_close((aleatoric + epistemic).numpy(), (second_moment - means.mean(dim=0) ** 2).numpy(), "total variance")


@pytest.mark.stub("uncertainty_split")
def test_uncertainty_leaves_its_inputs_as_they_were() -> None:
    means, variances = numbers(ENSEMBLE, OBS_DIM), 1.0 + numbers(ENSEMBLE, OBS_DIM).square()
    decompose_uncertainty(means, variances)
    check(torch.equal(means, numbers(ENSEMBLE, OBS_DIM)), "the means were changed", "inplace")
    check(torch.equal(variances, 1.0 + numbers(ENSEMBLE, OBS_DIM).square()), "the variances were changed", "inplace")


@pytest.mark.stub("uncertainty_split")
def test_uncertainty_of_members_that_agree_is_all_aleatoric() -> None:
    aleatoric, epistemic = decompose_uncertainty(torch.full((ENSEMBLE, 3), 5.0), torch.full((ENSEMBLE, 3), 2.0))
    check_close(aleatoric.numpy(), np.full(3, 2.0), "aleatoric")
    check_close(epistemic.numpy(), np.zeros(3), "epistemic")
