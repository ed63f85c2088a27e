"""Hidden checks of ensembles and uncertainty."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy as np

from autograder.hidden_tests import ensemble_oracle as oracle
from autograder.hidden_tests.graded import graded
from autograder.hidden_tests.inputs import call_and_check_inputs
from autograder.hidden_tests.rollouts import rollout_return, rollout_returns
from autograder.hidden_tests.variations import vary
from hw4.checking.answers import AnyOf, check, check_close, check_pair, check_shape
from hw4.checking.rollout_trace import RolloutTrace
from hw4.checking.subject import Seed, Subject

RNG = np.random.Generator
OBS_DIM, ACT_DIM, HORIZON, NUM_SEQUENCES, MEMBERS = 4, 2, 5, 6, 7
MANY_SEQUENCES, LONG_HORIZON = 61, 25  # as in a graded run, and no round number


def _whole_numbers(actual: Any, shape: tuple[int, ...], low: int, high: int, what: str) -> Any:
    check_shape(actual, shape, what)
    check(actual.dtype == np.int64, f"{what} must be int64, got {actual.dtype}", "wrong_dtype")
    inside = actual.min() >= low and actual.max() < high
    check(bool(inside), f"{what} must be in [{low}, {high})", "out_of_range")
    return actual


def _check_uniform(drawn: Any, n: int) -> None:
    """Each of n entries is drawn equally often, up to six standard deviations."""
    counts, share = np.bincount(drawn.ravel(), minlength=n), drawn.size / n
    allowed = 6 * np.sqrt(share * (1 - 1 / n))
    check(bool((np.abs(counts - share) < allowed).all()), "some entries are drawn more often", "not_uniform")


@graded("bootstrap_indices", weight=2)
def test_bootstrap_draws_with_replacement_for_each_member(subject: Subject, rng: RNG) -> None:
    """N of N transitions with replacement, uniformly, independently for each member."""
    n, members = 500, 6
    seed = int(rng.integers(1 << 30))
    drawn = subject.call("ensemble.bootstrap_indices", n, members, generator=Seed(seed))
    drawn = _whole_numbers(drawn, (members, n), 0, n, "indices")
    permuted = all(len(np.unique(row)) == n for row in drawn) and len(np.unique(drawn, axis=0)) == members
    check(not permuted, "every transition is drawn exactly once", "without_replacement")
    for a, b in itertools.combinations(drawn, 2):
        alike, sorted_alike = np.mean(a == b), np.mean(np.sort(a) == np.sort(b))
        check(alike < 0.5 and sorted_alike < 0.9, "two members have the same data", "members_share_data")
        # Of n differences (or sums) modulo n, 0.632 n are distinct if the rows are independent.
        distances = (len(np.unique((a + sign * b) % n)) for sign in (1, -1))
        check(min(distances) > 0.4 * n, "one member's data follow from another's", "members_share_data")
    for row in drawn:
        distinct = len(np.unique(row)) / n
        # 1 - 1/e = 0.632 of the transitions are expected; 0.56 and 0.70 are more than five standard deviations away.
        check(0.56 < distinct < 0.70, f"{distinct:.0%} of the transitions were drawn", "without_replacement")
        # The mean has the standard deviation 0.013 n; an index is drawn three times or more with probability 0.08.
        check(abs(row.mean() - (n - 1) / 2) < 0.08 * n, "the draw is not uniform", "not_uniform")
        check(np.ptp(row) > 0.95 * n, "the draw leaves out one end of the data", "out_of_range")
        check(np.bincount(row).max() >= 3, "no transition is drawn three times", "without_replacement")
    few = subject.call("ensemble.bootstrap_indices", 4, 1000, generator=Seed(seed))
    _whole_numbers(few, (1000, 4), 0, 4, "indices of 4 transitions")
    check(len(np.unique(few)) == 4, "some of 4 transitions are never drawn", "out_of_range")
    _check_uniform(few, 4)


@graded("bootstrap_indices")
def test_bootstrap_uses_the_generator_it_is_given(subject: Subject, rng: RNG) -> None:
    """The same seed draws the same data sets, and another seed draws different ones."""
    seed = int(rng.integers(1 << 30))
    draws = [subject.call("ensemble.bootstrap_indices", 40, 4, generator=Seed(s)) for s in (seed, seed, seed + 1)]
    for drawn in draws:
        _whole_numbers(drawn, (4, 40), 0, 40, "indices")
    check(bool((draws[0] == draws[1]).all()), "the same seed drew different data", "generator_ignored")
    check(not (draws[0] == draws[2]).all(), "two seeds drew the same data", "generator_ignored")
    generator = subject.call("checking.doubles.same_generator", Seed(seed))
    first, second = (subject.call("ensemble.bootstrap_indices", 40, 4, generator=generator) for _ in range(2))
    check(not (first == second).all(), "one generator drew the same data twice", "generator_ignored")


@graded("member_minibatches", weight=3)
def test_minibatches_come_from_each_members_own_data(subject: Subject, rng: RNG) -> None:
    """Row e holds entries of row e of the data sets, not positions in it."""
    own = np.stack([rng.choice(np.arange(1000 * (e + 1), 1000 * e + 1200), 30) for e in range(4)])
    batch = subject.call("ensemble.member_minibatches", own, 11, generator=Seed(int(rng.integers(1 << 30))))
    batch = _whole_numbers(batch, (4, 11), 0, 1 << 40, "indices")
    check(batch.max() >= 30, "the result holds positions, not the indices at these positions", "not_own_data")
    for e in range(4):
        check(bool(np.isin(batch[e], own[e]).all()), f"member {e} got transitions of another's data", "not_own_data")


@graded("member_minibatches", weight=2)
def test_minibatches_are_independent_between_members(subject: Subject, rng: RNG) -> None:
    """Positions are drawn with replacement, every position can be drawn, and members draw independently of each
    other."""
    n, size = 50, 2000
    own = np.tile(np.arange(n), (3, 1))
    seeds = [int(s) for s in rng.integers(1 << 30, size=2)]
    draws = [subject.call("ensemble.member_minibatches", own, size, generator=Seed(s)) for s in (*seeds, seeds[0])]
    first, second, again = draws
    for batch in draws:
        check(np.shape(batch) != (3, n), "a minibatch is no larger than the data", "without_replacement")
        _whole_numbers(batch, (3, size), 0, n, "indices")
    check(bool((first == again).all()), "the same seed drew different minibatches", "generator_ignored")
    check(not (first == second).all(), "two seeds drew the same minibatch", "generator_ignored")
    generator = subject.call("checking.doubles.same_generator", Seed(seeds[0]))
    one, other = (subject.call("ensemble.member_minibatches", own, size, generator=generator) for _ in range(2))
    check(not (one == other).all(), "one generator drew the same minibatch twice", "generator_ignored")
    few = subject.call("ensemble.member_minibatches", np.tile(np.arange(15), (4, 1)), 14, generator=Seed(seeds[0]))
    _whole_numbers(few, (4, 14), 0, 15, "indices")
    # Four members draw 14 of 15 without a single repetition with probability 1e-20.
    check(any(len(np.unique(row)) < 14 for row in few), "no entry is drawn twice", "without_replacement")
    drawn = np.concatenate([first, second, other])
    never = n - len(np.unique(drawn))
    check(never == 0, f"{never} of {n} entries are never drawn", "out_of_range")
    for batch in draws:
        for a, b in ((0, 1), (1, 2), (0, 2)):
            check(np.mean(batch[a] == batch[b]) < 0.2, "two members got the same minibatch", "members_share_minibatch")
            shifts = len(np.unique((batch[a] - batch[b]) % n))
            check(shifts > n // 2, "one member's positions follow from another's", "members_share_minibatch")
    _check_uniform(drawn, n)
    single = subject.call("ensemble.member_minibatches", own[:, :5], 1, generator=generator)
    _whole_numbers(single, (3, 1), 0, 5, "indices of a minibatch of one")


@graded("member_minibatches", weight=0.5, needs_another=True)
def test_minibatches_leave_the_data_sets_as_they_were(subject: Subject, rng: RNG) -> None:
    """The members' data sets are not changed in place."""
    own = rng.permutation(np.arange(60)).reshape(4, 15)
    batch, _ = call_and_check_inputs(
        subject, "ensemble.member_minibatches", own, 14, generator=Seed(int(rng.integers(1 << 30)))
    )
    _whole_numbers(batch, (4, 14), 0, 60, "indices")


class _Ensemble:
    """Hidden members that differ strongly, and a curved reward, so that no average of states can pass."""

    def __init__(
        self, rng: RNG, members: int = MEMBERS, obs_dim: int = OBS_DIM, act_dim: int = ACT_DIM, *, bounded: bool = True
    ) -> None:
        self.members, self.bounded = members, bounded
        self.turn = rng.normal(size=(members, obs_dim, obs_dim))
        self.push = rng.normal(size=(members, act_dim, obs_dim)) * 1.5
        self.goal, self.price = rng.normal(size=obs_dim), rng.uniform(0.5, 1.5, act_dim)
        self.old = rng.normal(size=obs_dim)

    def member(self, e: int) -> Any:
        if self.bounded:
            return lambda s, a: np.sin(s @ self.turn[e] + a @ self.push[e])
        return lambda s, a: s + a @ self.push[e]

    def predict(self, observation: Any, action: Any) -> Any:
        return np.stack([self.member(e)(observation[e], action[e]) for e in range(self.members)])

    def reward(self, observation: Any, action: Any, next_observation: Any) -> Any:
        return (next_observation @ self.goal) ** 2 - (action**2) @ self.price + observation @ self.old

    def trace(self, start: Any, sequences: Any) -> RolloutTrace:
        return RolloutTrace(self.predict, self.reward, start, sequences, members=self.members)

    def returns(self, start: Any, sequences: Any) -> Any:
        """Shape (members, number of sequences), or (members, starts, number of sequences)."""
        if start.ndim > 1:
            return np.stack([self.returns(one, own) for one, own in zip(start, sequences, strict=True)], axis=1)
        if len(sequences) == MANY_SEQUENCES:
            return np.stack(
                [rollout_returns(self.member(e), self.reward, start, sequences) for e in range(self.members)]
            )
        return np.array(
            [
                [rollout_return(self.member(e), self.reward, start, actions) for actions in sequences]
                for e in range(self.members)
            ]
        )

    def slips(self, start: Any, sequences: Any, wanted: Any) -> dict[str, Any]:
        """What the returns are if the right ones are put together wrongly, or the members are used wrongly."""
        averaged, shared = np.zeros_like(wanted), np.zeros_like(wanted)
        for i, actions in enumerate(sequences):
            state = leader = start
            for action in actions:
                after = np.stack([self.member(e)(state, action) for e in range(self.members)])
                averaged[:, i] += self.reward(state, action, after.mean(0))
                state = after.mean(0)
                shared[:, i] += [
                    self.reward(leader, action, self.member(e)(leader, action)) for e in range(self.members)
                ]
                leader = self.member(0)(leader, action)
        num_sequences = len(sequences)
        rows = np.repeat(np.arange(num_sequences), self.members).reshape(self.members, num_sequences)
        others = np.stack([self.returns(start, sequences[rows[e]])[e] for e in range(self.members)])
        horizon = sequences.shape[1]
        sums = [np.zeros_like(wanted), *(self.returns(start, sequences[:, : t + 1]) for t in range(horizon))]
        rewards, short = np.diff(np.array(sums), axis=0), sums[-2]  # rewards of shape (horizon, members, sequences)
        powers = (gamma ** np.arange(horizon) for gamma in (0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999))
        return {
            "mean_taken": wanted / horizon,
            "discounted": AnyOf(tuple(np.tensordot(power, rewards, axes=1) for power in powers)),
            "first_reward_missing": wanted - rewards[0],
            "states_averaged": AnyOf((averaged, averaged[0])),
            "actions_misaligned": others,
            "one_member_only": AnyOf(
                (*(np.tile(own, (self.members, 1)) for own in wanted), *wanted, shared)  # all rows, one row, one state
            ),
            "aggregation_axis": AnyOf((wanted.T, wanted.mean(axis=0), wanted.sum(axis=0))),
            "last_action_ignored": short,
            "last_reward_only": wanted - short,
        }


def _check_returns(
    subject: Subject,
    ensemble: _Ensemble,
    start: Any,
    sequences: Any,
    what: str = "returns",
    *,
    with_slips: bool = False,
) -> RolloutTrace:
    """One call of `member_returns`: its returns, and what it handed to the model and the reward."""
    trace = ensemble.trace(start, sequences)
    returns = subject.call(
        "ensemble.member_returns", trace.predict, trace.reward, start, sequences, ensemble_size=ensemble.members
    )
    wanted = ensemble.returns(start, sequences)
    trace.check_returns(returns, wanted, what, slips=ensemble.slips(start, sequences, wanted) if with_slips else None)
    return trace


@graded("member_returns", weight=3)
def test_each_member_propagates_its_own_state(subject: Subject, rng: RNG) -> None:
    """Every member's return of every sequence, each member following its own states to the end."""
    start, sequences = rng.normal(size=OBS_DIM), rng.uniform(-1, 1, (NUM_SEQUENCES, HORIZON, ACT_DIM))
    _check_returns(subject, _Ensemble(rng), start, sequences, with_slips=True)


@graded("member_returns")
def test_members_advance_together(subject: Subject, rng: RNG) -> None:
    """One call of the model per step, with the member axis first."""
    start, sequences = rng.normal(size=OBS_DIM), rng.uniform(-1, 1, (20, HORIZON, ACT_DIM))
    ensemble = _Ensemble(rng)
    trace = ensemble.trace(start, sequences)
    returns = subject.call(
        "ensemble.member_returns", trace.predict, trace.reward, start, sequences, ensemble_size=MEMBERS
    )
    check_shape(returns, (MEMBERS, 20), "returns")
    calls = len(trace.predictions)
    whole = all(observation.shape[:-1] == trace.shape for observation, _, _ in trace.predictions)
    cause = "extra_predictions" if whole else "loop_over_sequences"
    check(calls == HORIZON, f"{calls} calls of predict for a horizon of {HORIZON}", cause)
    check(whole, "predict was called with a part of the sequences", "loop_over_sequences")


@graded("member_returns")
def test_member_returns_take_leading_batch_dimensions(subject: Subject, rng: RNG) -> None:
    """Several start observations at once: shape (E, ..., number of sequences)."""
    starts, sequences = rng.normal(size=(2, OBS_DIM)), rng.uniform(-1, 1, (2, NUM_SEQUENCES, HORIZON, ACT_DIM))
    _check_returns(subject, _Ensemble(rng), starts, sequences, "returns for 2 start observations")


@graded("member_returns", weight=0.5, needs_another=True)
def test_member_returns_leave_start_and_plans_as_they_were(subject: Subject, rng: RNG) -> None:
    """The start observation and the action sequences are not changed in place."""
    for members, num_sequences in ((MEMBERS, NUM_SEQUENCES), (1, 1)):
        ensemble = _Ensemble(rng, members)
        start, sequences = rng.normal(size=OBS_DIM), rng.uniform(-2, 2, (num_sequences, HORIZON, ACT_DIM))
        arguments = (ensemble.predict, ensemble.reward, start, sequences)
        returns, _ = call_and_check_inputs(
            subject, "ensemble.member_returns", *arguments, ensemble_size=members, causes={0: "start_mutated"}
        )
        check_shape(returns, (members, num_sequences), "returns")


@graded("member_returns")
def test_member_returns_of_any_size_and_of_every_call(subject: Subject, rng: RNG) -> None:
    """Axes of size one; the horizon, the population and the numbers of a graded run; one call after another."""

    def at(members: int, obs_dim: int, act_dim: int, num_sequences: int, horizon: int) -> None:
        start, sequences = rng.normal(size=obs_dim), rng.uniform(-1, 1, (num_sequences, horizon, act_dim))
        what = f"returns of {members} members and {num_sequences} sequences of {horizon} steps"
        _check_returns(subject, _Ensemble(rng, members, obs_dim, act_dim), start, sequences, what)

    def far_from_zero() -> None:
        start = rng.normal(size=OBS_DIM) * 150
        sequences = rng.uniform(-8, 8, (MANY_SEQUENCES, LONG_HORIZON, ACT_DIM))
        what = "returns of many long sequences far from 0"
        _check_returns(subject, _Ensemble(rng, bounded=False), start, sequences, what)

    ones = ((1, 1, 1, 1, 1), (1, 4, 2, 6, 5), (5, 4, 2, 1, 7), (5, 1, 2, 6, 4), (5, 4, 1, 6, 2), (5, 4, 2, 6, 1))
    vary(
        lambda: at(5, OBS_DIM, ACT_DIM, NUM_SEQUENCES, HORIZON + 2),
        again=3,
        size_one=[partial(at, *sizes) for sizes in ones],
        large=[far_from_zero],
    )


@graded("aggregate_returns", weight=2)
def test_aggregates_over_the_members(subject: Subject, rng: RNG) -> None:
    """Mean, smallest and largest member's return of each plan."""
    returns = rng.normal(size=(MEMBERS, 7)) * 5
    wanted = {"expected": returns.mean(0), "pessimistic": returns.min(0), "optimistic": returns.max(0)}
    functions: dict[str, Any] = {"expected": np.mean, "pessimistic": np.min, "optimistic": np.max}
    for aggregation, answer in wanted.items():
        other = {"pessimistic": "optimistic", "optimistic": "pessimistic"}.get(aggregation, aggregation)
        slips = {
            "aggregation_axis": functions[aggregation](returns, axis=1),
            "pessimism_swapped": wanted[other],
            "one_member_only": AnyOf((*returns, *(returns[i(returns.mean(1))] for i in (np.argmin, np.argmax)))),
            "mean_taken": returns.mean(0),
            "sum_for_mean": returns.sum(0),
            "spread_for_extreme": AnyOf(
                tuple(returns.mean(0) + k * returns.std(0, ddof=ddof) for k in (-2, -1, 1, 2) for ddof in (0, 1))
            ),
            "index_returned": AnyOf((returns.argmin(0), returns.argmax(0))),
        }
        aggregated = subject.call("ensemble.aggregate_returns", returns, aggregation)
        check_close(aggregated, answer, f'aggregate_returns with "{aggregation}"', slips=slips)


@graded("aggregate_returns")
def test_aggregates_with_leading_dimensions(subject: Subject, rng: RNG) -> None:
    """All axes after the member axis are kept."""
    returns = rng.normal(size=(MEMBERS, 2, 5))
    for aggregation, function in (("expected", np.mean), ("pessimistic", np.min), ("optimistic", np.max)):
        aggregated = subject.call("ensemble.aggregate_returns", returns, aggregation)
        wanted = function(returns, axis=0)
        slips = {"aggregation_axis": AnyOf((function(returns, axis=1), function(returns, axis=2), function(returns)))}
        check_close(aggregated, wanted, f'aggregate_returns with "{aggregation}"', slips=slips)


@graded("aggregate_returns", weight=0.5, needs_another=True)
def test_aggregation_leaves_the_returns_as_they_were(subject: Subject, rng: RNG) -> None:
    """The members' returns are not changed in place."""
    for aggregation in ("expected", "pessimistic", "optimistic"):
        returns = rng.normal(size=(MEMBERS, 6))
        aggregated, _ = call_and_check_inputs(subject, "ensemble.aggregate_returns", returns, aggregation)
        check_shape(aggregated, (6,), f'aggregate_returns with "{aggregation}"')


@graded("gaussian_nll", weight=2)
def test_nll_of_a_gaussian(subject: Subject, rng: RNG) -> None:
    """Half of (log-variance plus squared error over variance), elementwise."""
    mean, log_variance, target = rng.normal(size=(5, 3)), rng.normal(size=(5, 3)) * 1.5, rng.normal(size=(5, 3)) * 2
    squared, variance = (target - mean) ** 2, np.exp(log_variance)
    wanted = oracle.gaussian_nll(mean, log_variance, target)
    fit = squared / variance
    with np.errstate(invalid="ignore"):
        slips = {
            "log_variance_missing": 0.5 * fit,
            "log_variance_sign": AnyOf((0.5 * (fit - log_variance), 0.5 * (log_variance + squared * variance))),
            "likelihood_not_negated": AnyOf((-wanted, -wanted - 0.5 * np.log(2 * np.pi))),
            "nll_weighted": AnyOf(tuple(wanted * variance**beta for beta in (0.5, 1.0))),
            "loss_not_squared": 0.5 * (log_variance + np.abs(target - mean) / variance),
            "variance_for_log_variance": AnyOf(
                (
                    0.5 * (np.log(np.abs(log_variance)) + squared / log_variance),
                    0.5 * (log_variance + squared / log_variance),
                    0.5 * (np.log(log_variance) + squared / log_variance),
                    0.5 * (np.log(np.logaddexp(0, log_variance)) + squared / np.logaddexp(0, log_variance)),
                    0.5 * (log_variance + squared / np.logaddexp(0, log_variance)),
                )
            ),
            "std_for_variance": AnyOf(
                (
                    log_variance + 0.5 * squared / variance**2,
                    0.5 * (log_variance + squared / variance**2),
                    0.5 * (log_variance + squared / np.sqrt(variance)),
                )
            ),
            "half_missing": AnyOf((2 * wanted, log_variance + 0.5 * fit, 0.5 * log_variance + fit)),
            "constant_included": AnyOf((wanted + 0.5 * np.log(2 * np.pi), wanted + np.log(2 * np.pi))),
            "mean_taken": AnyOf(
                (np.mean(wanted), np.sum(wanted), wanted.mean(0), wanted.mean(1), wanted.sum(0), wanted.sum(1))
            ),
        }
    nll = subject.call("ensemble.gaussian_nll", mean, log_variance, target)
    check_close(nll, wanted, "nll", slips=slips)
    zero = np.zeros((2, 2))
    check_close(subject.call("ensemble.gaussian_nll", zero, zero, zero), zero, "nll of a perfect guess with variance 1")


@graded("gaussian_nll")
def test_nll_survives_extreme_variances(subject: Subject, rng: RNG) -> None:
    """Finite and right for variances from e^-12 to e^12 and any shape."""
    log_variance = np.linspace(-12, 12, 9).reshape(3, 1, 3)
    mean = rng.normal(size=(3, 1, 3))
    target = mean + rng.normal(size=(3, 1, 3)) * np.exp(log_variance / 2)
    nll = subject.call("ensemble.gaussian_nll", mean, log_variance, target)
    wanted = oracle.gaussian_nll(mean, log_variance, target)
    check_shape(nll, wanted.shape, "nll")
    right = np.isclose(nll, wanted, rtol=2e-2, atol=2e-2)
    extreme = np.abs(log_variance) > 10
    clamped = right.any() and not right[extreme].all()
    check(not clamped, "the nll is wrong for extreme variances alone", "log_variance_clamped")
    check_close(nll, wanted, "nll", rtol=2e-2, atol=2e-2)


@graded("gaussian_nll", weight=0.5, needs_another=True)
def test_nll_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Mean, log-variance and target are not changed in place."""
    nll, _ = call_and_check_inputs(subject, "ensemble.gaussian_nll", *rng.normal(size=(3, 4, 2)))
    check_shape(nll, (4, 2), "nll")


@graded("uncertainty_split", weight=2)
def test_uncertainty_follows_the_law_of_total_variance(subject: Subject, rng: RNG) -> None:
    """Aleatoric: the mean of the variances. Epistemic: the variance of the means, divisor E."""
    means, variances = rng.normal(size=(MEMBERS, 6)) * 2, rng.uniform(0.1, 4, (MEMBERS, 6))
    answer = subject.call("ensemble.decompose_uncertainty", means, variances)
    aleatoric, epistemic = check_pair(answer, "(aleatoric, epistemic)")
    wanted_aleatoric, wanted_epistemic = variances.mean(0), ((means - means.mean(0)) ** 2).mean(0)
    slips = {
        "kinds_swapped": wanted_epistemic,
        "std_for_variance": AnyOf(
            (np.sqrt(variances).mean(0), np.sqrt(variances).mean(0) ** 2, np.sqrt(variances.mean(0)))
        ),
        "aggregation_axis": AnyOf((variances.mean(1), variances.mean(), variances)),
        "one_member_only": AnyOf(tuple(variances)),
        "sum_for_mean": variances.sum(0),
        "total_for_part": wanted_aleatoric + wanted_epistemic,
        "variance_for_log_variance": np.exp(variances).mean(0),
    }
    check_close(aleatoric, wanted_aleatoric, "aleatoric", slips=slips)
    slips = {
        "epistemic_divisor": means.var(0, ddof=1),
        "std_for_variance": AnyOf((means.std(0), means.std(0, ddof=1))),
        "aggregation_axis": AnyOf((means.var(1), means.var(1, ddof=1), means.var())),
        "total_for_part": wanted_aleatoric + wanted_epistemic,
        "kinds_swapped": wanted_aleatoric,
        "deviation_center": (means**2).mean(0),
        "sum_for_mean": ((means - means.mean(0)) ** 2).sum(0),
    }
    check_close(epistemic, wanted_epistemic, "epistemic", slips=slips)


@graded("uncertainty_split")
def test_uncertainty_adds_up_to_the_variance_of_the_mixture(subject: Subject, rng: RNG) -> None:
    """The two parts add up to the variance of the mixture, for any shape; agreeing members leave no epistemic part."""
    means, variances = rng.normal(size=(MEMBERS, 2, 5)), rng.uniform(0.1, 1, (MEMBERS, 2, 5))
    answer = subject.call("ensemble.decompose_uncertainty", means, variances)
    aleatoric, epistemic = check_pair(answer, "(aleatoric, epistemic)")
    second_moment = (variances + means**2).mean(0)
    by_other_axis = {"aggregation_axis": AnyOf((variances.mean(1), variances.mean(2)))}
    check_close(aleatoric, variances.mean(0), "aleatoric", slips=by_other_axis)
    check_shape(epistemic, (2, 5), "epistemic")
    total = aleatoric + epistemic
    slips = {"epistemic_divisor": variances.mean(0) + means.var(0, ddof=1)}
    check_close(total, second_moment - means.mean(0) ** 2, "aleatoric + epistemic", slips=slips)
    answer = subject.call("ensemble.decompose_uncertainty", np.ones((MEMBERS, 4)), np.full((MEMBERS, 4), 0.3))
    _, epistemic = check_pair(answer, "(aleatoric, epistemic)")
    check_close(epistemic, np.zeros(4), "epistemic, if all members agree", slips={"kinds_swapped": np.full(4, 0.3)})


@graded("uncertainty_split", weight=0.5, needs_another=True)
def test_uncertainty_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Means and variances are not changed in place."""
    means, variances = rng.normal(size=(MEMBERS, 3)), rng.uniform(0.5, 2, (MEMBERS, 3))
    answer, _ = call_and_check_inputs(subject, "ensemble.decompose_uncertainty", means, variances)
    for part in check_pair(answer, "(aleatoric, epistemic)"):
        check_shape(part, (3,), "aleatoric and epistemic")
