"""Public tests of hw4/ensemble.py. The first test of each stub is its worked example."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hw4.checking.answers import AnyOf, check, check_close, check_every_time, check_shape
from hw4.checking.doubles import exception_of, leaves_other_generators_alone
from hw4.checking.draws import check_frequencies, check_rows_are_independent, check_uniform, check_whole_numbers
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.rollout_trace import RolloutTrace
from hw4.checking.subject import Kept, LocalSubject
from hw4.checking.variations import vary
from hw4.checking.worked_example import check_example
from hw4.ensemble import (
    aggregate_returns,
    bootstrap_indices,
    decompose_uncertainty,
    gaussian_nll,
    member_minibatches,
)

ENSEMBLE, SEQUENCES, HORIZON, OBS_DIM, ACT_DIM = 4, 7, 5, 3, 2


def numbers(*shape: int) -> Tensor:
    """Different numbers of moderate size, the same at every run."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# bootstrap_indices ----------------------------------------------------------------------------------------------------


@pytest.mark.stub("bootstrap_indices")
def test_bootstrap_worked_example() -> None:
    check_example(WORKED_EXAMPLES["bootstrap_indices"], LocalSubject())


def check_generators(draw: Callable[[torch.Generator], Tensor]) -> None:
    """Each draw follows its generator alone and advances it, with another generator in between."""
    one, other, twin = seeded(3), seeded(4), seeded(3)
    apart = [draw(generator) for generator in (one, one, one, other, other)]
    alike = any(torch.equal(a, b) for a, b in itertools.combinations(apart, 2))
    check(not alike, "two draws are the same", "generator_ignored")
    check(torch.equal(draw(seeded(3)), apart[0]), "the same seed drew something else", "generator_ignored")
    in_between = [draw(generator) for generator in (twin, seeded(4), twin, twin)]
    same = all(torch.equal(a, b) for a, b in zip(apart[:3], [in_between[0], *in_between[2:]], strict=True))
    check(same, "a draw from another generator in between changed the draws", "generator_ignored")


def bootstrap(num_transitions: int, ensemble_size: int, seed: int = 1) -> np.ndarray[Any, Any]:
    drawn = bootstrap_indices(num_transitions, ensemble_size, generator=seeded(seed)).numpy()
    return check_whole_numbers(drawn, (ensemble_size, num_transitions), 0, num_transitions, "indices")


@pytest.mark.stub("bootstrap_indices")
def test_bootstrap_follows_its_generator() -> None:
    check_generators(lambda generator: bootstrap_indices(30, ENSEMBLE, generator=generator))
    alone = leaves_other_generators_alone("ensemble.bootstrap_indices", 9, ENSEMBLE, generator=seeded(0))
    check(alone, "a global generator was used", "generator_ignored")


@pytest.mark.stub("bootstrap_indices")
def test_bootstrap_draws_every_transition_equally_often() -> None:
    for num_transitions, ensemble_size in ((5, 2000), (50, 200), (5, 1000)):
        check_uniform(bootstrap(num_transitions, ensemble_size), num_transitions, "indices")


@pytest.mark.stub("bootstrap_indices")
def test_bootstrap_draws_each_transition_by_itself() -> None:
    drawn = bootstrap(400, ENSEMBLE)
    for number, row in enumerate(drawn):
        alike = any(np.array_equal(np.sort(row), np.sort(other)) for other in drawn[:number])
        is_permuted = len(np.unique(row)) == 400
        check(is_permuted or not alike, "two members have the same data", "members_share_data")
        check(len(np.unique(row)) < 0.74 * 400, "too few transitions are drawn twice", "without_replacement")
    check_rows_are_independent(drawn, 400, "indices", "members_share_data")


@pytest.mark.stub("bootstrap_indices")
@pytest.mark.parametrize(("num_transitions", "ensemble_size"), [(1, 1), (1, 6), (40, 1), (4001, 5)])
def test_bootstrap_serves_one_member_and_one_transition(num_transitions: int, ensemble_size: int) -> None:
    bootstrap(num_transitions, ensemble_size)


# member_minibatches ---------------------------------------------------------------------------------------------------


@pytest.mark.stub("member_minibatches")
def test_minibatches_worked_example() -> None:
    check_example(WORKED_EXAMPLES["member_minibatches"], LocalSubject())


def minibatches(owned: Any, batch_size: int, seed: int = 1) -> np.ndarray[Any, Any]:
    owned = torch.as_tensor(owned)
    drawn = member_minibatches(owned, batch_size, generator=seeded(seed)).numpy()
    replaced = batch_size == owned.shape[1] or drawn.shape != tuple(owned.shape)
    check(replaced, "a minibatch is as large as the data set", "without_replacement")
    return check_whole_numbers(drawn, (len(owned), batch_size), 0, 1 << 40, "minibatches")


@pytest.mark.stub("member_minibatches")
def test_minibatches_leave_the_data_sets_as_they_were() -> None:
    owned = torch.arange(ENSEMBLE * 50).reshape(ENSEMBLE, 50)
    member_minibatches(owned, 6, generator=seeded(0))
    check(torch.equal(owned.flatten(), torch.arange(ENSEMBLE * 50)), "the data sets were changed", "inplace")


@pytest.mark.stub("member_minibatches")
def test_minibatches_follow_their_generator() -> None:
    owned = torch.arange(60).expand(ENSEMBLE, 60)
    check_generators(lambda generator: member_minibatches(owned, 30, generator=generator))
    alone = leaves_other_generators_alone("ensemble.member_minibatches", owned, 30, generator=seeded(0))
    check(alone, "a global generator was used", "generator_ignored")


@pytest.mark.stub("member_minibatches")
def test_minibatches_of_a_member_that_owns_one_transition_hold_only_that() -> None:
    owned = torch.tensor([[8], [3], [5], [9]]).expand(4, 6)
    drawn = member_minibatches(owned, 11, generator=seeded(0)).numpy()
    slips = {"not_own_data": drawn, "without_replacement": owned.numpy()}
    check_close(drawn, owned[:, :1].expand(4, 11).numpy(), "minibatches", slips=slips)


@pytest.mark.stub("member_minibatches")
def test_minibatches_hold_an_entry_as_often_as_the_data_set_does() -> None:
    owned = torch.tensor([[0] * 30 + [1] * 4 + [2] * 4 + [3, 4], [0, 1] + [2] * 4 + [3] * 4 + [4] * 30])
    for drawn, row in zip(minibatches(owned, 6000), owned, strict=True):
        check(bool((drawn < 5).all()), "a minibatch holds what the data do not", "not_own_data")
        cause = "duplicates_lost" if np.ptp(np.bincount(drawn, minlength=5)) < 600 else "not_uniform"
        check_frequencies(drawn, np.bincount(row.numpy()) / 40, "minibatches", cause)


@pytest.mark.stub("member_minibatches")
@pytest.mark.parametrize(("members", "n", "size"), [(1, 1, 1), (1, 40, 6), (5, 1, 7), (5, 40, 1), (4, 50, 6)])
def test_minibatches_serve_one_member_one_transition_and_small_batches(members: int, n: int, size: int) -> None:
    owned = torch.arange(members * n).reshape(members, n) + 100
    drawn = minibatches(owned, size)
    is_own = all(np.isin(a, b).all() for a, b in zip(drawn, owned.numpy(), strict=True))
    check(is_own, "a member got what it does not own", "not_own_data")


@pytest.mark.stub("member_minibatches")
def test_minibatches_of_one_member_do_not_follow_from_anothers() -> None:
    drawn = minibatches(torch.arange(50).expand(2, 50), 2000)
    check_rows_are_independent(drawn, 50, "positions", "members_share_minibatch")
    check(np.mean(drawn[0] == drawn[1]) < 0.2, "two members got the same minibatch", "members_share_minibatch")


@pytest.mark.stub("member_minibatches")
def test_minibatches_reach_every_entry_equally_often() -> None:
    check_uniform(minibatches(torch.arange(20).expand(3, 20), 2000), 20, "positions")
    check_uniform(minibatches(torch.arange(4).expand(1, 4), 900), 4, "positions for one member")
    many = [minibatches(torch.arange(3000).expand(5, 3000), 256, seed) for seed in range(5)]
    check_uniform(np.concatenate(many) * 10 // 3000, 10, "tenths of a large data set")


@pytest.mark.stub("member_minibatches")
def test_minibatches_are_drawn_with_replacement() -> None:
    draws = [member_minibatches(torch.tensor([[5, 6, 7]]), 3, generator=seeded(seed)) for seed in range(30)]
    repeated = any(len(set(draw[0].tolist())) < 3 for draw in draws)
    check(repeated, "30 minibatches of 3 from 3 hold no entry twice", "without_replacement")


# particle_returns -----------------------------------------------------------------------------------------------------


class Members:
    """E members that differ in what they expect and in how sure they are, in NumPy.

    Member e moves the state by its own step for each action. Its variance grows with the state and the action.
    """

    def __init__(self, members: int, obs_dim: int, act_dim: int, *, spread: float = 1.0, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.members, self.spread = members, spread
        self.steps = rng.normal(size=(members, act_dim, obs_dim))
        self.slopes = rng.normal(size=(members, act_dim, obs_dim))
        self.goal, self.price = rng.normal(size=obs_dim), rng.normal(size=act_dim)

    def mean(self, e: int, observation: Any, action: Any) -> Any:
        return observation + action @ self.steps[e]

    def std(self, e: int, observation: Any, action: Any) -> Any:
        return self.spread * (e + 1) * (1.5 + np.sin(0.3 * observation + action @ self.slopes[e]))

    def predict(self, observation: Any, action: Any) -> tuple[Any, Any]:
        members = range(self.members)
        means = np.stack([self.mean(e, observation[e], action[e]) for e in members])
        return means, np.stack([self.std(e, observation[e], action[e]) ** 2 for e in members])

    def reward(self, observation: Any, action: Any, next_observation: Any) -> Any:
        return (next_observation @ self.goal) ** 2 + observation @ self.goal - action @ self.price

    def returns(self, start: Any, plans: Any, noise: Any) -> Any:
        """One particle and one sequence after another."""
        horizon, members, particles, _ = noise.shape
        returns = np.zeros((members, particles, len(plans)))
        for e, p, n in np.ndindex(*returns.shape):
            state = start
            for t in range(horizon):
                arrived = self.mean(e, state, plans[n, t]) + self.std(e, state, plans[n, t]) * noise[t, e, p]
                returns[e, p, n] += self.reward(state, plans[n, t], arrived)
                state = arrived
        return returns


PARTICLES = 6


def check_particles(
    members: Members, start: Any, plans: Any, noise: Any, *, otherwise: str = "wrong_value"
) -> RolloutTrace:
    """One call of `particle_returns`: its returns, and what it handed to the model and the reward."""
    trace = RolloutTrace(members.predict, members.reward, start, plans, noise=noise)
    returns = LocalSubject().call("ensemble.particle_returns", trace.predict, trace.reward, start, plans, noise)
    wanted = members.returns(start, plans, noise)
    merges = [merge(wanted, axis=axis) for merge in (np.mean, np.sum) for axis in (0, 1, 2, (0, 1))]
    slips = {
        "mean_taken": AnyOf((wanted / plans.shape[1], *merges)),
        "axes_swapped": AnyOf(tuple(wanted.transpose(order) for order in itertools.permutations(range(3)))),
        "one_member_only": AnyOf((*(np.broadcast_to(own, wanted.shape) for own in wanted), *wanted)),
        "one_particle_only": AnyOf((np.broadcast_to(wanted[:, :1], wanted.shape), *wanted.swapaxes(0, 1))),
    }
    trace.check_returns(returns, wanted, "returns", slips=slips, otherwise=otherwise)
    return trace


@pytest.mark.stub("particle_returns")
def test_particle_returns_worked_example() -> None:
    check_example(WORKED_EXAMPLES["particle_returns"], LocalSubject())


@pytest.mark.stub("particle_returns")
def test_particle_returns_are_those_of_a_loop_over_particles_and_sequences() -> None:
    """At any size, in every call, and far from 0."""
    rng = np.random.default_rng(0)

    def at(
        members: int, particles: int, obs_dim: int, act_dim: int, num_sequences: int, horizon: int, size: float = 1.0
    ) -> None:
        start, plans = size * rng.normal(size=obs_dim), rng.uniform(-2, 2, (num_sequences, horizon, act_dim))
        noise = rng.normal(size=(horizon, members, particles, obs_dim))
        check_particles(Members(members, obs_dim, act_dim, spread=0.2 * size), start, plans, noise)

    ones = (
        (1, 1, 1, 1, 1, 1),
        (1, 3, 4, 2, 7, 6),
        (4, 1, 3, 2, 7, 5),
        (4, 3, 5, 2, 1, 6),
        (4, 3, 1, 2, 7, 6),
        (4, 3, 5, 1, 7, 6),
        (4, 3, 5, 2, 7, 1),
    )
    vary(
        lambda: at(4, 3, 5, 2, 7, 6),
        again=2,
        size_one=[partial(at, *sizes) for sizes in ones],
        large=[lambda: at(3, 4, 2, 1, 60, 25), lambda: at(4, 20, 3, 2, 7, 5), lambda: at(4, 3, 5, 2, 7, 6, 20.0)],
    )


@pytest.mark.stub("particle_returns")
def test_particles_advance_together() -> None:
    rng = np.random.default_rng(1)
    plans, noise = rng.uniform(-1, 1, (30, 6, ACT_DIM)), rng.normal(size=(6, ENSEMBLE, PARTICLES, OBS_DIM))
    check_particles(Members(ENSEMBLE, OBS_DIM, ACT_DIM), rng.normal(size=OBS_DIM), plans, noise).check_calls()


@pytest.mark.stub("particle_returns")
def test_all_sequences_meet_the_noise_that_is_handed_in() -> None:
    rng = np.random.default_rng(2)
    members, start = Members(ENSEMBLE, OBS_DIM, ACT_DIM), rng.normal(size=OBS_DIM)
    plans = np.tile(rng.uniform(-1, 1, (1, HORIZON, ACT_DIM)), (SEQUENCES, 1, 1))
    noise = rng.normal(size=(HORIZON, ENSEMBLE, PARTICLES, OBS_DIM))

    def ask() -> None:
        returns = LocalSubject().call("ensemble.particle_returns", members.predict, members.reward, start, plans, noise)
        check_shape(returns, (ENSEMBLE, PARTICLES, SEQUENCES), "returns")
        equal = np.allclose(returns, returns[..., :1], rtol=1e-3, atol=1e-4)
        check(equal, "equal plans have different returns", "noise_not_given")
        check_close(returns, members.returns(start, plans, noise), "returns of equal plans")

    vary(ask, again=1)


@pytest.mark.stub("particle_returns")
def test_particles_follow_the_means_without_noise_or_variance() -> None:
    rng = np.random.default_rng(3)
    start, plans = rng.normal(size=OBS_DIM), rng.uniform(-1, 1, (SEQUENCES, HORIZON, ACT_DIM))
    for particles in (1, 2):
        without_noise = np.zeros((HORIZON, ENSEMBLE, particles, OBS_DIM))
        check_particles(Members(ENSEMBLE, OBS_DIM, ACT_DIM), start, plans, without_noise)
    without_variance = Members(ENSEMBLE, OBS_DIM, ACT_DIM, spread=0.0)
    noise = rng.normal(size=(HORIZON, ENSEMBLE, PARTICLES, OBS_DIM))
    check_particles(without_variance, start, plans, noise, otherwise="epsilon_added")


@pytest.mark.stub("particle_returns")
def test_particle_returns_leave_start_plans_and_noise_as_they_were() -> None:
    for members, particles, num_sequences in ((ENSEMBLE, PARTICLES, SEQUENCES), (1, 1, 1)):
        model = Members(members, OBS_DIM, ACT_DIM)
        inputs = (
            numbers(OBS_DIM),
            numbers(num_sequences, HORIZON, ACT_DIM),
            numbers(HORIZON, members, particles, OBS_DIM),
        )
        kept = [Kept(value.numpy()) for value in inputs]
        subject = LocalSubject()
        wanted = model.returns(*(value.double().numpy() for value in inputs))
        for _ in range(2):
            returns = subject.call("ensemble.particle_returns", model.predict, model.reward, *kept)
            causes = ("start_mutated", "inplace", "inplace")
            for name, value, before, cause in zip(("start", "plans", "noise"), kept, inputs, causes, strict=True):
                check(torch.equal(subject.to_torch(value), before), f"the {name} were changed", cause)
            check_close(returns, wanted, "returns")


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


AGGREGATIONS: dict[str, Any] = {"expected": np.mean, "pessimistic": np.min, "optimistic": np.max}


@pytest.mark.stub("aggregate_returns")
@pytest.mark.parametrize("aggregation", list(AGGREGATIONS))
def test_aggregate_every_call_by_itself(aggregation: Any) -> None:
    data = [numbers(8, SEQUENCES), numbers(8, SEQUENCES).flip(1), 0.5 * numbers(8, SEQUENCES)]
    answers = [aggregate_returns(returns, aggregation).numpy() for returns in (*data, data[0])]
    wanted = [AGGREGATIONS[aggregation](returns.numpy(), axis=0) for returns in (*data, data[0])]
    first = data[0].numpy()
    slips = {
        "one_member_only": AnyOf(tuple(first)),
        "middle_for_extreme": AnyOf((np.median(first, axis=0), *np.sort(first, axis=0)[1:-1])),
    }
    check_every_time(answers, wanted, "the aggregated returns", cause="state_kept", slips=slips)
    for size, offset in ((3000.0, 0.0), (1.0, -500.0), (50.0, 4000.0), (1e-3, 0.0)):
        aggregated = aggregate_returns(offset + size * data[0], aggregation).numpy()
        right, what = AGGREGATIONS[aggregation](offset + size * first, axis=0), "aggregated returns of another size"
        check_close(aggregated, right, what, otherwise="values_clamped", atol=1e-4 * size)


@pytest.mark.stub("aggregate_returns")
@pytest.mark.parametrize("aggregation", list(AGGREGATIONS))
@pytest.mark.parametrize("shape", [(1, 7), (4, 1), (1, 1), (4,), (4, 1, 5), (4, 5, 1)])
def test_aggregate_keeps_axes_of_size_one(shape: Any, aggregation: Any) -> None:
    returns = numbers(*shape)
    wanted = AGGREGATIONS[aggregation](returns.numpy(), axis=0)
    check_close(aggregate_returns(returns, aggregation).numpy(), wanted, "the aggregated returns")


@pytest.mark.stub("aggregate_returns")
@pytest.mark.parametrize("aggregation", ["expected", "pessimistic", "optimistic"])
def test_aggregate_leaves_the_returns_as_they_were(aggregation: Any) -> None:
    returns = numbers(ENSEMBLE, SEQUENCES)
    aggregate_returns(returns, aggregation)
    check(torch.equal(returns, numbers(ENSEMBLE, SEQUENCES)), "the returns were changed", "inplace")


@pytest.mark.stub("aggregate_returns")
def test_an_unknown_aggregation_is_refused() -> None:
    raised = exception_of("ensemble.aggregate_returns", numbers(ENSEMBLE, SEQUENCES), "hopeful")
    check(raised == "ValueError", "an unknown aggregation must raise a ValueError", "not_refused")


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


def nll_of(mean: Tensor, log_variance: Tensor, target: Tensor) -> np.ndarray[Any, Any]:
    m, v, t = (tensor.double().numpy() for tensor in (mean, log_variance, target))
    wanted: np.ndarray[Any, Any] = 0.5 * (v + (t - m) ** 2 / np.exp(v))
    return wanted


@pytest.mark.stub("gaussian_nll")
@pytest.mark.parametrize("deviations", [0.0, 1.0, 20.0])
def test_nll_is_exact_for_tiny_and_for_huge_variances(deviations: float) -> None:
    log_variance = torch.linspace(-12, 12, 25)
    error = deviations * torch.exp(log_variance / 2)
    nll = gaussian_nll(torch.zeros(25), log_variance, error).numpy()
    wanted, variance, squared = nll_of(torch.zeros(25), log_variance, error), log_variance.exp(), error**2
    raised = [variance + 10.0**-power for power in range(1, 10)]
    logs = [(log, more) for more in raised for log in (log_variance, more.log())]
    slips: dict[str, Any] = {"epsilon_added": AnyOf(tuple(0.5 * (log + squared / more).numpy() for log, more in logs))}
    slips["log_variance_missing"] = 0.5 * (squared / variance).numpy()
    check(np.shape(nll) == (25,), "the nll of 25 numbers is not 25 numbers", "mean_taken")
    moderate = np.abs(log_variance.numpy()) < 5
    is_right = np.allclose(nll[moderate], wanted[moderate], rtol=2e-4, atol=1e-4)
    otherwise = "log_variance_clamped" if is_right else "wrong_value"
    check_close(nll, wanted, "nll for extreme variances", slips=slips, otherwise=otherwise, rtol=2e-4)


@pytest.mark.stub("gaussian_nll")
def test_nll_answers_every_call_by_itself() -> None:
    first = (numbers(5, 3), numbers(4, 3)[[0, 1, 2, 3, 0]], numbers(6, 3)[:5])
    data = [first, *(tuple(part.flip(axis) for part in first) for axis in (0, 1))]
    answers = [gaussian_nll(*inputs).numpy() for inputs in (*data, data[0])]
    wanted = [nll_of(*inputs) for inputs in (*data, data[0])]
    check_every_time(answers, wanted, "nll", cause="state_kept")
    far = (300 * data[0][0], data[0][1], 300 * data[0][0] + 100 * data[0][2])
    nll = gaussian_nll(*far).numpy()
    check_close(nll, nll_of(*far), "nll of large errors", otherwise="values_clamped")


@pytest.mark.stub("gaussian_nll")
@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (1, 6), (6, 1)])
def test_nll_keeps_axes_of_size_one(shape: Any) -> None:
    inputs = (numbers(*shape), 0.5 * numbers(*shape), numbers(*shape) - 1)
    check_close(gaussian_nll(*inputs).numpy(), nll_of(*inputs), "nll")


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
    otherwise = "epsilon_added" if epistemic.min() > 0 and epistemic.max() < 1e-2 else "wrong_value"
    check_close(epistemic.numpy(), np.zeros(3), "epistemic", otherwise=otherwise, atol=1e-7)


def parts_of(means: Tensor, variances: Tensor) -> tuple[Any, Any]:
    m, v = means.double().numpy(), variances.double().numpy()
    return v.mean(axis=0), m.var(axis=0)


@pytest.mark.stub("uncertainty_split")
@pytest.mark.parametrize("shape", [(1, 6), (4, 1), (1, 1), (4,), (4, 1, 5), (4, 5, 1)])
def test_uncertainty_keeps_axes_of_size_one(shape: Any) -> None:
    means, variances = numbers(*shape), numbers(*shape).square() + 0.1
    parts = zip(decompose_uncertainty(means, variances), parts_of(means, variances), strict=True)
    for part, wanted in parts:
        check_close(part.numpy(), wanted, "a part of the uncertainty")


@pytest.mark.stub("uncertainty_split")
def test_uncertainty_is_exact_for_large_means_and_small_variances() -> None:
    data = [(numbers(4, 7).roll(i, 1), numbers(4, 7).square().roll(i, 1) + 1) for i in range(3)]
    answers = [decompose_uncertainty(*pair) for pair in (*data, data[0])]
    every = [parts_of(*pair) for pair in (*data, data[0])]
    for part, what in ((0, "aleatoric"), (1, "epistemic")):
        seen = [answer[part].numpy() for answer in answers]
        check_every_time(seen, [wanted[part] for wanted in every], what, cause="state_kept")
    means, variances = data[0]
    for size, offset in ((1.0, 300.0), (1e-3, 0.0), (200.0, 0.0)):
        moved, scaled = size * means + offset * torch.arange(1, 8), size**2 * variances
        aleatoric, epistemic = (part.numpy() for part in decompose_uncertainty(moved, scaled))
        wanted = parts_of(moved, scaled)
        check_close(aleatoric, wanted[0], "aleatoric", otherwise="values_clamped", atol=1e-5 * size**2)
        cause = "cancellation" if offset else "values_clamped"
        check_close(epistemic, wanted[1], "epistemic", otherwise=cause, atol=1e-3 * size**2)
