"""Hidden checks of ensembles and uncertainty."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import numpy as np

from autograder.hidden_tests import ensemble_oracle as oracle
from autograder.hidden_tests import rollouts
from autograder.hidden_tests.graded import graded
from autograder.hidden_tests.inputs import NotJudged, check_left_alone
from autograder.isolation.remote import StudentError
from hw4.checking.answers import AnyOf, CheckFailed, check, check_close, check_every_time, check_pair, check_shape
from hw4.checking.draws import check_frequencies, check_rows_are_independent, check_uniform, check_whole_numbers
from hw4.checking.rollout_trace import RolloutTrace
from hw4.checking.subject import Kept, Seed, Subject
from hw4.checking.variations import vary

RNG = np.random.Generator
OBS_DIM, ACT_DIM, HORIZON, NUM_SEQUENCES, MEMBERS, PARTICLES = 4, 2, 5, 6, 7, 3
MANY_SEQUENCES, LONG_HORIZON = 61, 25  # as in a graded run, and no round number

# bootstrap_indices and member_minibatches -----------------------------------------------------------------------------


def _seeds(rng: RNG, count: int) -> list[Seed]:
    return [Seed(int(seed)) for seed in rng.choice(1 << 30, count, replace=False)]


def _generators(subject: Subject, seeds: list[Seed]) -> list[Any]:
    """Generators that stay where they are, so that a check can draw from one several times."""
    return [subject.call("checking.doubles.same_generator", seed) for seed in seeds]


def _bootstrap(subject: Subject, n: int, members: int, generator: Any) -> Any:
    drawn = subject.call("ensemble.bootstrap_indices", n, members, generator=generator)
    return check_whole_numbers(drawn, (members, n), 0, n, f"indices of {n} transitions for {members} members")


def _minibatches(subject: Subject, own: Any, size: int, generator: Any) -> Any:
    """Minibatches of data sets whose entries are not negative."""
    drawn = subject.call("ensemble.member_minibatches", own, size, generator=generator)
    unless_larger = size == own.shape[1] or np.shape(drawn) != own.shape
    check(unless_larger, "a minibatch is as large as the data set", "without_replacement")
    return check_whole_numbers(drawn, (len(own), size), 0, 1 << 40, f"minibatches of {size}")


def _check_generators(draw: Any, subject: Subject, rng: RNG) -> None:
    """Each draw follows its generator alone and advances it, with another generator in between.

    Args:
        draw: a function of a generator. Two right draws are alike with a probability below 1e-40.
    """
    seeds = _seeds(rng, 2)
    one, other, twin = _generators(subject, [*seeds, seeds[0]])
    apart = [draw(generator) for generator in (one, one, one, one, other, other, other)]
    for i, first in enumerate(apart):
        for second in apart[:i]:
            check(not np.array_equal(first, second), "two draws are the same", "generator_ignored")
    check(np.array_equal(draw(seeds[0]), apart[0]), "the same seed drew something else", "generator_ignored")
    in_between = [draw(generator) for generator in (twin, *_generators(subject, seeds[1:]), twin, twin, twin)]
    same = all(np.array_equal(a, b) for a, b in zip(apart[:4], [in_between[0], *in_between[2:]], strict=True))
    check(same, "a draw from another generator in between changed the draws", "generator_ignored")


def _check_global_generators(subject: Subject, rng: RNG, name: str, *args: Any) -> None:
    """After the call, the global generators go on as they do after their seed, as this process knows by itself."""
    seed, size, count = int(rng.integers(1 << 30)), 1 << 20, 5
    subject.call("checking.doubles.seed_global_generators", seed)
    subject.call(name, *args, generator=Seed(1))
    drawn = subject.call("checking.doubles.draw_from_global_generators", size, count)
    of_python = random.Random(seed)
    wanted: tuple[Any, ...] = (  # torch takes the same 32 bits as NumPy from the same seed, and their remainder
        np.random.RandomState(seed).randint(1 << 32, size=count, dtype=np.uint32) % size,
        np.random.RandomState(seed).randint(size, size=count),
        [of_python.randrange(size) for _ in range(count)],
    )
    same = isinstance(drawn, tuple) and len(drawn) == 3
    same = same and all(np.array_equal(seen, right) for seen, right in zip(drawn, wanted, strict=True))
    check(same, "a global generator was used", "generator_ignored")


@graded("bootstrap_indices", weight=2)
def test_bootstrap_draws_with_replacement_for_each_member(subject: Subject, rng: RNG) -> None:
    """N of N transitions with replacement, uniformly, independently for each member."""
    n, members = 500, 6
    (generator,) = _generators(subject, _seeds(rng, 1))
    drawn = _bootstrap(subject, n, members, generator)
    permuted = all(len(np.unique(row)) == n for row in drawn) and len(np.unique(drawn, axis=0)) == members
    check(not permuted, "every transition is drawn exactly once", "without_replacement")
    for number, row in enumerate(drawn):
        alike = any(np.array_equal(np.sort(row), np.sort(other)) for other in drawn[:number])
        check(not alike, "two members have the same data", "members_share_data")
    check_rows_are_independent(drawn, n, "indices", "members_share_data")
    for row in drawn:
        distinct = len(np.unique(row)) / n
        # 1 - 1/e = 0.632 of the transitions are expected, with the standard deviation 0.014: eight of them are 0.11.
        check(0.52 < distinct < 0.74, f"{distinct:.0%} of the transitions were drawn", "without_replacement")
        # The mean has the standard deviation 0.013 n; an index is drawn three times or more with probability 0.08.
        check(abs(row.mean() - (n - 1) / 2) < 0.105 * n, "the draw is not uniform", "not_uniform")
        check(np.bincount(row).max() >= 3, "no transition is drawn three times", "without_replacement")
    for n, members in ((4, 1000), (50, 200), (2000, 300)):
        check_uniform(_bootstrap(subject, n, members, generator), n, f"indices of {n} transitions")


@graded("bootstrap_indices")
def test_bootstrap_uses_the_generator_it_is_given(subject: Subject, rng: RNG) -> None:
    """The same seed draws the same data sets, another seed or call draws others, and no other generator is used."""
    _check_generators(lambda generator: _bootstrap(subject, 40, 4, generator), subject, rng)
    _check_global_generators(subject, rng, "ensemble.bootstrap_indices", 40, 4)


@graded("bootstrap_indices")
def test_bootstrap_serves_one_member_and_one_transition(subject: Subject, rng: RNG) -> None:
    """The shape is (E, N), also for one member or one transition, and for thousands of transitions."""
    (generator,) = _generators(subject, _seeds(rng, 1))
    for n, members in ((1, 1), (1, 6), (40, 1), (2, 5), (4001, 5), (1, 2)):
        drawn = _bootstrap(subject, n, members, generator)
        if n == 40:  # 40 draws of 40 without a repetition have the probability 1e-16
            check(len(np.unique(drawn)) < n, "one member gets every transition once", "without_replacement")
    _bootstrap(subject, 60, 5, generator)
    grown = _bootstrap(subject, 600, 5, generator)
    # Of these 300 entries 30 are expected below 60, and more than 100 have a probability below 1e-25.
    check((grown[:, :60] < 60).sum() <= 100, "new data sets keep the entries of older ones", "state_kept")
    alone = np.concatenate([_bootstrap(subject, 5, 1, generator) for _ in range(120)])
    check_uniform(alone, 5, "indices for one member")


@graded("member_minibatches", weight=0.5, needs_another=True)
def test_minibatches_leave_the_data_sets_as_they_were(subject: Subject, rng: RNG) -> None:
    """The members' data sets are not changed in place."""
    own = rng.permutation(np.arange(60)).reshape(4, 15)
    (seed,) = _seeds(rng, 1)

    def ask(kept: Kept) -> Any:
        drawn = subject.call("ensemble.member_minibatches", kept, 14, generator=seed)
        batch = check_whole_numbers(drawn, (4, 14), 0, 60, "indices")
        is_own = all(np.isin(drawn, row).all() for drawn, row in zip(batch, own, strict=True))
        check(is_own, "a member got transitions of another's data", "not_own_data")
        return batch

    first, again = check_left_alone(subject, [own], ask)
    check(np.array_equal(first, again), "the same seed drew something else from the same data", "generator_ignored")


@graded("member_minibatches")
def test_minibatches_use_the_generator_they_are_given(subject: Subject, rng: RNG) -> None:
    """The same seed draws the same minibatches, another seed or call draws others, and no other generator is used."""
    own = np.tile(np.arange(60), (4, 1))
    _check_generators(lambda generator: _minibatches(subject, own, 30, generator), subject, rng)
    _check_global_generators(subject, rng, "ensemble.member_minibatches", own, 30)


@graded("member_minibatches", weight=3)
def test_minibatches_come_from_each_members_own_data(subject: Subject, rng: RNG) -> None:
    """Row e holds entries of row e of the data sets, not positions in it."""
    (generator,) = _generators(subject, _seeds(rng, 1))
    for _ in range(3):
        own = np.stack([rng.choice(np.arange(1000 * (e + 1), 1000 * e + 1200), 30) for e in range(4)])
        batch = _minibatches(subject, own, 11, generator)
        check(batch.max() >= 30, "the result holds positions, not the indices at these positions", "not_own_data")
        for e in range(4):
            check(
                bool(np.isin(batch[e], own[e]).all()), f"member {e} got transitions of another's data", "not_own_data"
            )


@graded("member_minibatches")
def test_minibatches_hold_an_entry_as_often_as_the_data_do(subject: Subject, rng: RNG) -> None:
    """Positions are drawn uniformly: an entry that is in a data set k times is drawn k times as often."""
    (generator,) = _generators(subject, _seeds(rng, 1))
    own = np.stack(
        [rng.permutation(np.repeat(np.arange(5), counts)) for counts in ([30, 4, 4, 1, 1], [1, 1, 4, 4, 30])]
    )
    batch = _minibatches(subject, own, 6000, generator)
    for drawn, row in zip(batch, own, strict=True):
        check(bool((drawn < 5).all()), "a minibatch holds what the data do not", "not_own_data")
        shares = np.bincount(row, minlength=5) / len(row)
        cause = "duplicates_lost" if np.ptp(np.bincount(drawn, minlength=5)) < 600 else "not_uniform"
        check_frequencies(drawn, shares, "minibatches of a data set with duplicates", cause)


@graded("member_minibatches", weight=2)
def test_minibatches_are_independent_between_members(subject: Subject, rng: RNG) -> None:
    """Positions are drawn with replacement, every position can be drawn, and members draw independently."""
    n, size = 50, 2000
    own = np.tile(np.arange(n), (3, 1))
    (generator,) = _generators(subject, _seeds(rng, 1))
    batches = [_minibatches(subject, own, size, generator) for _ in range(3)]
    for batch in batches:
        check_rows_are_independent(batch, n, "positions", "members_share_minibatch")
        for a, b in ((0, 1), (1, 2), (0, 2)):
            check(np.mean(batch[a] == batch[b]) < 0.2, "two members got the same minibatch", "members_share_minibatch")
    check_uniform(np.concatenate(batches), n, "positions")
    few = _minibatches(subject, np.tile(np.arange(15), (4, 1)), 14, generator)
    # Four members draw 14 of 15 without a single repetition with probability 1e-20.
    check(any(len(np.unique(row)) < 14 for row in few), "no entry is drawn twice", "without_replacement")


@graded("member_minibatches")
def test_minibatches_reach_every_position_of_any_data_set(subject: Subject, rng: RNG) -> None:
    """Shape (E, B), every position drawn: with one member, few or many transitions, small or large minibatches."""
    (generator,) = _generators(subject, _seeds(rng, 1))
    for members, n, size in ((1, 1, 1), (1, 40, 6), (5, 1, 7), (5, 40, 1), (1, 1, 9), (2, 9, 1)):
        own = np.arange(members * n).reshape(members, n) + 100
        batch = _minibatches(subject, own, size, generator)
        is_own = all(np.isin(drawn, row).all() for drawn, row in zip(batch, own, strict=True))
        check(is_own, "a member got transitions of another's data", "not_own_data")
    alone = [_minibatches(subject, np.arange(4)[None], 9, generator) for _ in range(70)]
    check_uniform(np.concatenate(alone), 4, "positions for one member")
    n = 3000
    many = [_minibatches(subject, np.tile(np.arange(n), (5, 1)), 256, generator) for _ in range(6)]
    check_uniform(np.concatenate(many) * 10 // n, 10, "tenths of a large data set")


def _check_answer(call: Any, wanted: Any, what: str, *arguments: Any) -> None:
    check_close(call(*arguments), wanted, what)


# particle_returns -----------------------------------------------------------------------------------------------------

DISCOUNTS = (0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)


class _Ensemble:
    """Hidden members that differ strongly, in what they expect and in how sure they are, and a curved reward.

    So no average of states can pass, and no variance that belongs to another state, action or member.
    """

    def __init__(
        self,
        rng: RNG,
        members: int = MEMBERS,
        obs_dim: int = OBS_DIM,
        act_dim: int = ACT_DIM,
        *,
        bounded: bool = True,
        spread: float = 1.0,
    ) -> None:
        self.members, self.bounded = members, bounded
        self.turn = rng.normal(size=(members, obs_dim, obs_dim)) * 0.8
        self.push = rng.normal(size=(members, act_dim, obs_dim)) * 1.5
        self.width = rng.uniform(0.2, 0.6, (members, obs_dim)) * spread
        self.wave = rng.normal(size=(members, obs_dim, obs_dim)) * (0.4 if bounded else 0.01)
        self.gust = rng.normal(size=(members, act_dim, obs_dim)) * (1.0 if bounded else 0.3)
        self.goal, self.price = rng.normal(size=obs_dim), rng.uniform(0.5, 1.5, act_dim)
        self.old = rng.normal(size=obs_dim)

    def member(self, e: int) -> Any:
        """(observation, action) -> mean and variance of member e."""

        def predict(observation: Any, action: Any) -> tuple[Any, Any]:
            moved = action @ self.push[e]
            mean = np.sin(observation @ self.turn[e] + moved) if self.bounded else observation + moved
            std = self.width[e] * (1.5 + np.sin(observation @ self.wave[e] + action @ self.gust[e]))
            return mean, std**2

        return predict

    def predict(self, observation: Any, action: Any) -> tuple[Any, Any]:
        """Every member predicts its own entry."""
        pairs = [self.member(e)(observation[e], action[e]) for e in range(self.members)]
        return np.stack([mean for mean, _ in pairs]), np.stack([variance for _, variance in pairs])

    def reward(self, observation: Any, action: Any, next_observation: Any) -> Any:
        return (next_observation @ self.goal) ** 2 - (action**2) @ self.price + observation @ self.old

    def returns(self, start: Any, sequences: Any, noise: Any) -> Any:
        """One particle after another: shape (members, particles, number of sequences)."""
        return np.array(
            [
                [
                    rollouts.particle_returns(self.member(e), self.reward, start, sequences, noise[:, e, p])
                    for p in range(noise.shape[2])
                ]
                for e in range(self.members)
            ]
        )

    def slips(self, start: Any, sequences: Any, noise: Any, wanted: Any) -> dict[str, Any]:
        """What the returns are if right rewards are put together wrongly."""
        horizon = sequences.shape[1]
        partial_sums = (self.returns(start, sequences[:, :t], noise[:t]) for t in range(1, horizon + 1))
        sums = np.array([np.zeros_like(wanted), *partial_sums])
        rewards, short = np.diff(sums, axis=0), sums[-2]  # rewards of shape (horizon, members, particles, sequences)
        axes = (0, 1, 2, (0, 1))
        orders = ((1, 0, 2), (2, 0, 1), (2, 1, 0), (0, 2, 1), (1, 2, 0))
        first_particles = np.broadcast_to(wanted[:, :1], wanted.shape)
        return {
            "mean_taken": AnyOf(
                (wanted / horizon, *(merge(wanted, axis=axis) for merge in (np.mean, np.sum) for axis in axes))
            ),
            "axes_swapped": AnyOf(tuple(wanted.transpose(order) for order in orders)),
            "discounted": AnyOf(
                tuple(np.tensordot(gamma ** np.arange(horizon), rewards, axes=1) for gamma in DISCOUNTS)
            ),
            "best_reward_only": rewards.max(axis=0),
            "first_reward_missing": wanted - rewards[0],
            "last_action_ignored": short,
            "last_reward_only": wanted - short,
            "first_reward_only": rewards[0],
            "one_member_only": AnyOf((*(np.broadcast_to(own, wanted.shape) for own in wanted), *wanted)),
            "one_particle_only": AnyOf((first_particles, *wanted.swapaxes(0, 1))),
        }


def _draws(rng: RNG, horizon: int, members: int = MEMBERS, particles: int = PARTICLES, obs_dim: int = OBS_DIM) -> Any:
    return rng.normal(size=(horizon, members, particles, obs_dim))


def _check_returns(
    subject: Subject,
    ensemble: _Ensemble,
    start: Any,
    sequences: Any,
    noise: Any,
    what: str = "returns",
    *,
    with_slips: bool = False,
    otherwise: str = "wrong_value",
) -> None:
    """One call of `particle_returns`: its returns, and what it handed to the model and the reward."""
    trace = RolloutTrace(ensemble.predict, ensemble.reward, start, sequences, noise=noise)
    returns = subject.call("ensemble.particle_returns", trace.predict, trace.reward, start, sequences, noise)
    wanted = ensemble.returns(start, sequences, noise)
    slips = partial(ensemble.slips, start, sequences, noise, wanted) if with_slips else None
    trace.check_returns(returns, wanted, what, slips=slips, otherwise=otherwise)


@graded("particle_returns", weight=3)
def test_each_particle_follows_its_own_member(subject: Subject, rng: RNG) -> None:
    """Every particle's return of every sequence, each following its member and its own noise to the end."""
    start, sequences = rng.normal(size=OBS_DIM), rng.uniform(-1, 1, (NUM_SEQUENCES, HORIZON, ACT_DIM))
    _check_returns(subject, _Ensemble(rng), start, sequences, _draws(rng, HORIZON), with_slips=True)


@graded("particle_returns")
def test_particles_advance_together(subject: Subject, rng: RNG) -> None:
    """One call of the model per step, about all members, particles and sequences at once."""
    start, sequences = rng.normal(size=OBS_DIM), rng.uniform(-1, 1, (20, HORIZON, ACT_DIM))
    ensemble, noise = _Ensemble(rng), _draws(rng, HORIZON)
    trace = RolloutTrace(ensemble.predict, ensemble.reward, start, sequences, noise=noise)
    returns = subject.call("ensemble.particle_returns", trace.predict, trace.reward, start, sequences, noise)
    check_shape(returns, (MEMBERS, PARTICLES, 20), "returns")
    trace.check_calls()


@graded("particle_returns")
def test_all_sequences_meet_the_noise_that_is_handed_in(subject: Subject, rng: RNG) -> None:
    """The noise that is handed in is all there is: equal plans and equal calls have equal returns."""
    start, ensemble, noise = rng.normal(size=OBS_DIM), _Ensemble(rng), _draws(rng, HORIZON)
    sequences = np.tile(rng.uniform(-1, 1, (1, HORIZON, ACT_DIM)), (NUM_SEQUENCES, 1, 1))
    wanted = ensemble.returns(start, sequences, noise)

    def ask() -> None:
        trace = RolloutTrace(ensemble.predict, ensemble.reward, start, sequences, noise=noise)
        returns = subject.call("ensemble.particle_returns", trace.predict, trace.reward, start, sequences, noise)
        check_shape(returns, wanted.shape, "returns")
        equal = np.allclose(returns, returns[..., :1], rtol=1e-3, atol=1e-4)
        check(equal, "equal plans have different returns", "noise_not_given")
        trace.check_returns(returns, wanted, "returns of equal plans")

    vary(ask, again=1)


@graded("particle_returns")
def test_without_noise_or_variance_particles_follow_the_means(subject: Subject, rng: RNG) -> None:
    """Noise of 0 follows the means, and so does a variance of 0."""
    start, sequences = rng.normal(size=OBS_DIM), rng.uniform(-1, 1, (NUM_SEQUENCES, HORIZON, ACT_DIM))
    for particles in (1, 2):
        noise = np.zeros((HORIZON, MEMBERS, particles, OBS_DIM))
        _check_returns(subject, _Ensemble(rng), start, sequences, noise, "returns with noise of 0")
    certain, noise = _Ensemble(rng, spread=0.0), _draws(rng, HORIZON)
    what = "returns with a variance of 0"
    _check_returns(subject, certain, start, sequences, noise, what, otherwise="epsilon_added")


@graded("particle_returns", weight=0.5, needs_another=True)
def test_particle_returns_leave_start_plans_and_noise_as_they_were(subject: Subject, rng: RNG) -> None:
    """The start observation, the action sequences and the noise are not changed in place."""
    for members, particles, num_sequences in ((MEMBERS, PARTICLES, NUM_SEQUENCES), (1, 1, 1)):
        ensemble, noise = _Ensemble(rng, members), _draws(rng, HORIZON, members, particles)
        start, sequences = rng.normal(size=OBS_DIM), rng.uniform(-2, 2, (num_sequences, HORIZON, ACT_DIM))
        call = partial(subject.call, "ensemble.particle_returns", ensemble.predict, ensemble.reward)
        check_left_alone(
            subject,
            [start, sequences, noise],
            partial(_check_answer, call, ensemble.returns(start, sequences, noise), "returns"),
            causes={0: "start_mutated"},
        )


@graded("particle_returns")
def test_particle_returns_of_any_size_and_of_every_call(subject: Subject, rng: RNG) -> None:
    """Axes of size one; the horizon, the population and the numbers of a graded run; one call after another."""

    def at(members: int, particles: int, obs_dim: int, act_dim: int, num_sequences: int, horizon: int) -> None:
        start, sequences = rng.normal(size=obs_dim), rng.uniform(-1, 1, (num_sequences, horizon, act_dim))
        noise = _draws(rng, horizon, members, particles, obs_dim)
        what = f"returns of {members} members, {particles} particles, {num_sequences} sequences and {horizon} steps"
        _check_returns(subject, _Ensemble(rng, members, obs_dim, act_dim), start, sequences, noise, what)

    def far_from_zero() -> None:
        start = rng.normal(size=OBS_DIM) * 150
        sequences = rng.uniform(-8, 8, (MANY_SEQUENCES, LONG_HORIZON, ACT_DIM))
        ensemble = _Ensemble(rng, 5, bounded=False, spread=20.0)
        noise = _draws(rng, LONG_HORIZON, 5)
        _check_returns(subject, ensemble, start, sequences, noise, "returns of many long sequences far from 0")

    def many_particles() -> None:
        at(5, 20, OBS_DIM, ACT_DIM, NUM_SEQUENCES, HORIZON)

    ones = (
        (1, 1, 1, 1, 1, 1),
        (1, 3, 4, 2, 6, 5),
        (5, 1, 4, 2, 6, 5),
        (5, 3, 4, 2, 1, 7),
        (5, 3, 1, 2, 6, 4),
        (5, 3, 4, 1, 6, 2),
        (5, 3, 4, 2, 6, 1),
    )
    vary(
        lambda: at(5, PARTICLES, OBS_DIM, ACT_DIM, NUM_SEQUENCES, HORIZON + 2),
        again=3,
        size_one=[partial(at, *sizes) for sizes in ones],
        large=[far_from_zero, many_particles],
    )


# aggregate_returns ----------------------------------------------------------------------------------------------------

AGGREGATIONS: dict[str, Any] = {"expected": np.mean, "pessimistic": np.min, "optimistic": np.max}


def _aggregation_slips(returns: Any, aggregation: str) -> dict[str, Any]:
    """What known mistakes make of returns of shape (E, number of plans)."""
    other = {"pessimistic": "optimistic", "optimistic": "pessimistic"}.get(aggregation, aggregation)
    chosen = (*returns, *(returns[i(returns.mean(1))] for i in (np.argmin, np.argmax)))
    spreads = [returns.mean(0) + k * returns.std(0, ddof=ddof) for k in (-2, -1, 1, 2) for ddof in (0, 1)]
    return {
        "aggregation_axis": AnyOf((AGGREGATIONS[aggregation](returns, axis=1), AGGREGATIONS[aggregation](returns))),
        "pessimism_swapped": AGGREGATIONS[other](returns, axis=0),
        "one_member_only": AnyOf(chosen),
        "mean_taken": returns.mean(0),
        "sum_for_mean": returns.sum(0),
        "spread_for_extreme": AnyOf(tuple(spreads)),
        "index_returned": AnyOf((returns.argmin(0), returns.argmax(0))),
        "middle_for_extreme": AnyOf((np.median(returns, axis=0), *np.sort(returns, axis=0)[1:-1])),
    }


@graded("aggregate_returns", weight=0.5, needs_another=True)
def test_aggregation_leaves_the_returns_as_they_were(subject: Subject, rng: RNG) -> None:
    """The members' returns are not changed in place."""
    for aggregation in AGGREGATIONS:
        returns = rng.normal(size=(MEMBERS, 6))
        call = partial(subject.call, "ensemble.aggregate_returns", aggregation=aggregation)
        wanted, what = AGGREGATIONS[aggregation](returns, axis=0), f'aggregate_returns with "{aggregation}"'
        check_left_alone(subject, [returns], partial(_check_answer, call, wanted, what))


@graded("aggregate_returns", weight=2)
def test_aggregates_over_the_members(subject: Subject, rng: RNG) -> None:
    """The mean, the smallest and the largest of the members' returns of each plan, for few members and for many."""
    for members, plans in ((3, 7), (8, 400)):
        returns = rng.normal(size=(members, plans)) * 5
        for aggregation, function in AGGREGATIONS.items():
            aggregated = subject.call("ensemble.aggregate_returns", returns, aggregation)
            slips = _aggregation_slips(returns, aggregation)
            check_close(aggregated, function(returns, axis=0), f'aggregate_returns with "{aggregation}"', slips=slips)


@graded("aggregate_returns")
def test_aggregates_every_call_by_itself(subject: Subject, rng: RNG) -> None:
    """Each call depends on its own arguments; huge, tiny and negative returns are treated like any others."""
    first = rng.normal(size=(4, 7))
    data = [first, first[:, rng.permutation(7)], 0.5 * first]
    for aggregation, function in AGGREGATIONS.items():
        slips = _aggregation_slips(data[0], aggregation)
        answers = [subject.call("ensemble.aggregate_returns", returns, aggregation) for returns in (*data, data[0])]
        wanted = [function(returns, axis=0) for returns in (*data, data[0])]
        what = f'aggregate_returns with "{aggregation}"'
        check_every_time(answers, wanted, what, cause="state_kept", slips=slips)
        for size, offset in ((3000.0, 0.0), (1.0, -500.0), (50.0, 4000.0), (1e-3, 0.0)):
            returns = offset + size * data[0]
            aggregated = subject.call("ensemble.aggregate_returns", returns, aggregation)
            check_close(aggregated, function(returns, axis=0), what, otherwise="values_clamped", atol=1e-4 * size)


@graded("aggregate_returns")
def test_aggregates_with_leading_dimensions(subject: Subject, rng: RNG) -> None:
    """All axes after the member axis are kept."""
    returns = rng.normal(size=(MEMBERS, 2, 5))
    for aggregation, function in AGGREGATIONS.items():
        aggregated = subject.call("ensemble.aggregate_returns", returns, aggregation)
        wanted = function(returns, axis=0)
        slips = {"aggregation_axis": AnyOf((function(returns, axis=1), function(returns, axis=2), function(returns)))}
        check_close(aggregated, wanted, f'aggregate_returns with "{aggregation}"', slips=slips)


@graded("aggregate_returns")
def test_aggregation_keeps_axes_of_size_one(subject: Subject, rng: RNG) -> None:
    """The shape is (...), also for one member, for one plan, and with no axis but that of the members."""
    for shape in ((1, 7), (4, 1), (1, 1), (4,), (1,), (4, 1, 5), (4, 5, 1), (1, 5, 1)):
        returns = rng.normal(size=shape)
        for aggregation, function in AGGREGATIONS.items():
            aggregated = subject.call("ensemble.aggregate_returns", returns, aggregation)
            check_close(aggregated, function(returns, axis=0), f'"{aggregation}" for returns of shape {shape}')


@graded("aggregate_returns", weight=0.5, needs_another=True)
def test_an_unknown_aggregation_is_refused(subject: Subject, rng: RNG) -> None:
    """An unknown aggregation raises a ValueError."""
    returns = rng.normal(size=(4, 6))

    def check_known() -> None:
        """A function that refuses everything refuses nothing."""
        for aggregation, function in AGGREGATIONS.items():
            aggregated = subject.call("ensemble.aggregate_returns", returns, aggregation)
            try:
                check_close(aggregated, function(returns, axis=0), f'aggregate_returns with "{aggregation}"')
            except CheckFailed as failure:
                raise NotJudged(f"the answer itself is wrong: {failure}", failure.cause) from failure

    for unknown in ("hopeful", "".join(rng.choice(list("abcdefgh"), 9))):
        check_known()
        raised = ""
        try:
            subject.call("ensemble.aggregate_returns", returns, unknown)
        except StudentError as error:
            raised = error.type_name
        check(raised == "ValueError", "an unknown aggregation must raise a ValueError", "not_refused")
    check_known()


# gaussian_nll ---------------------------------------------------------------------------------------------------------


def _as_float32(*arrays: Any) -> tuple[Any, ...]:
    """The numbers that arrive, so that rounding on the way does not count."""
    return tuple(np.asarray(array, dtype=np.float32).astype(np.float64) for array in arrays)


def _nll_slips(mean: Any, log_variance: Any, target: Any) -> dict[str, Any]:
    squared, variance = (target - mean) ** 2, np.exp(log_variance)
    wanted = oracle.gaussian_nll(mean, log_variance, target)
    fit = squared / variance
    with np.errstate(invalid="ignore", divide="ignore"):
        raised = [variance + epsilon for epsilon in 10.0 ** -np.arange(1, 10)]
        return {
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
                (np.mean(wanted), np.sum(wanted), wanted.mean(0), wanted.mean(-1), wanted.sum(0), wanted.sum(-1))
            ),
            "epsilon_added": AnyOf(
                tuple(0.5 * (log + squared / more) for more in raised for log in (log_variance, np.log(more)))
            ),
        }


@graded("gaussian_nll", weight=0.5, needs_another=True)
def test_nll_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Mean, log-variance and target are not changed in place."""
    inputs = rng.normal(size=(3, 4, 2))
    call = partial(subject.call, "ensemble.gaussian_nll")
    check_left_alone(subject, [*inputs], partial(_check_answer, call, oracle.gaussian_nll(*inputs), "nll"))


@graded("gaussian_nll", weight=2)
def test_nll_of_a_gaussian(subject: Subject, rng: RNG) -> None:
    """Half of (log-variance plus squared error over variance), elementwise, for few numbers and for thousands."""
    for log_variance in (
        rng.uniform(0.2, 3, (5, 4)),
        rng.normal(size=(600, 4)) * 1.5,
    ):  # first those that have a logarithm
        shape = log_variance.shape
        inputs = _as_float32(rng.normal(size=shape), log_variance, rng.normal(size=shape) * 2)
        nll = subject.call("ensemble.gaussian_nll", *inputs)
        check_close(nll, oracle.gaussian_nll(*inputs), "nll", slips=lambda: _nll_slips(*inputs), rtol=2e-4)  # noqa: B023
    zero = np.zeros((2, 2))
    check_close(subject.call("ensemble.gaussian_nll", zero, zero, zero), zero, "nll of a perfect guess with variance 1")


@graded("gaussian_nll")
def test_nll_survives_extreme_variances(subject: Subject, rng: RNG) -> None:
    """Exact for variances from e^-12 to e^12, for errors small or large compared with them, and for any shape."""
    log_variance = np.linspace(-12, 12, 25).reshape(5, 1, 5)
    for deviations in (0.0, 1.0, 20.0):
        away = deviations * rng.uniform(0.5, 1.5, log_variance.shape) * np.exp(log_variance / 2)
        mean = rng.normal(size=log_variance.shape) * 0.1
        inputs = _as_float32(mean, log_variance, mean + away)
        nll = subject.call("ensemble.gaussian_nll", *inputs)
        wanted = oracle.gaussian_nll(*inputs)
        slips = _nll_slips(*inputs)
        check_shape(nll, wanted.shape, "nll")
        moderate = np.abs(log_variance) < 5
        is_right = np.allclose(nll[moderate], wanted[moderate], rtol=2e-4, atol=1e-4)
        otherwise = "log_variance_clamped" if is_right else "wrong_value"
        check_close(nll, wanted, "nll for extreme variances", slips=slips, otherwise=otherwise, rtol=2e-4)


@graded("gaussian_nll")
def test_nll_keeps_every_axis_and_every_call_apart(subject: Subject, rng: RNG) -> None:
    """The shape is that of the inputs, also a scalar's, and each call depends on its own numbers, large or small."""
    first = rng.normal(size=(3, 5, 3))
    data = [_as_float32(*numbers) for numbers in (first, first[:, ::-1], first[:, [1, 3, 0, 2, 4], ::-1])]
    wanted = [oracle.gaussian_nll(*inputs) for inputs in (*data, data[0])]
    answers = [subject.call("ensemble.gaussian_nll", *inputs) for inputs in (*data, data[0])]
    check_every_time(answers, wanted, "nll", cause="state_kept", slips=lambda: _nll_slips(*data[0]))
    for shape in ((), (1,), (1, 1), (1, 6), (6, 1), (2, 1, 3)):
        inputs = _as_float32(*rng.normal(size=(3, *shape)))
        nll = subject.call("ensemble.gaussian_nll", *inputs)
        check_close(nll, oracle.gaussian_nll(*inputs), f"nll of numbers of shape {shape}")
    mean, log_variance, target = data[0]
    far = _as_float32(300 * mean, log_variance, 300 * mean + 100 * target)
    nll = subject.call("ensemble.gaussian_nll", *far)
    check_close(nll, oracle.gaussian_nll(*far), "nll of large errors", otherwise="values_clamped")


# decompose_uncertainty ------------------------------------------------------------------------------------------------


def _split(subject: Subject, means: Any, variances: Any) -> tuple[Any, Any]:
    return check_pair(subject.call("ensemble.decompose_uncertainty", means, variances), "(aleatoric, epistemic)")


def _parts(means: Any, variances: Any) -> tuple[Any, Any]:
    return variances.mean(0), ((means - means.mean(0)) ** 2).mean(0)


def _check_split(subject: Subject, means: Any, variances: Any) -> None:
    """Both parts of two axes or three, with what known mistakes would give."""
    aleatoric, epistemic = _split(subject, means, variances)
    wanted_aleatoric, wanted_epistemic = _parts(means, variances)
    total, axes = wanted_aleatoric + wanted_epistemic, range(1, means.ndim)
    slips = {
        "kinds_swapped": wanted_epistemic,
        "std_for_variance": AnyOf(
            (
                np.sqrt(variances).mean(0),
                np.sqrt(variances).mean(0) ** 2,
                np.sqrt(variances.mean(0)),
                (variances**2).mean(0),
            )
        ),
        "aggregation_axis": AnyOf((*(variances.mean(axis) for axis in axes), variances.mean(), variances)),
        "one_member_only": AnyOf(tuple(variances)),
        "sum_for_mean": variances.sum(0),
        "total_for_part": total,
        "variance_for_log_variance": np.exp(variances).mean(0),
    }
    check_close(aleatoric, wanted_aleatoric, "aleatoric", slips=slips)
    of_axes = [means.var(axis, ddof=ddof) for axis in axes for ddof in (0, 1)]
    slips = {
        "epistemic_divisor": means.var(0, ddof=1),
        "std_for_variance": AnyOf((means.std(0), means.std(0, ddof=1))),
        "aggregation_axis": AnyOf((*of_axes, means.var())),
        "total_for_part": total,
        "kinds_swapped": wanted_aleatoric,
        "deviation_center": AnyOf(((means**2).mean(0), ((means - means.mean()) ** 2).mean(0))),
        "sum_for_mean": ((means - means.mean(0)) ** 2).sum(0),
    }
    check_close(epistemic, wanted_epistemic, "epistemic", slips=slips)


@graded("uncertainty_split", weight=0.5, needs_another=True)
def test_uncertainty_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Means and variances are not changed in place."""
    means, variances = rng.normal(size=(MEMBERS, 3)), rng.uniform(0.5, 2, (MEMBERS, 3))

    def ask(*kept: Kept) -> None:
        for part, wanted in zip(_split(subject, *kept), _parts(means, variances), strict=True):
            check_close(part, wanted, "aleatoric and epistemic")

    check_left_alone(subject, [means, variances], ask)


@graded("uncertainty_split", weight=2)
def test_uncertainty_follows_the_law_of_total_variance(subject: Subject, rng: RNG) -> None:
    """Aleatoric: the mean of the variances. Epistemic: the variance of the means, divisor E."""
    for members, features in ((3, 6), (9, 500)):
        _check_split(subject, rng.normal(size=(members, features)) * 2, rng.uniform(0.1, 4, (members, features)))


@graded("uncertainty_split")
def test_uncertainty_adds_up_to_the_variance_of_the_mixture(subject: Subject, rng: RNG) -> None:
    """The two parts add up to the variance of the mixture, for any shape; agreeing members leave no epistemic part."""
    means, variances = rng.normal(size=(MEMBERS, 2, 5)), rng.uniform(0.1, 1, (MEMBERS, 2, 5))
    _check_split(subject, means, variances)
    aleatoric, epistemic = _split(subject, means, variances)
    mixture = (variances + means**2).mean(0) - means.mean(0) ** 2
    check_close(aleatoric + epistemic, mixture, "aleatoric + epistemic", rtol=1e-4, atol=1e-5)
    _, epistemic = _split(subject, np.ones((MEMBERS, 4)), np.full((MEMBERS, 4), 0.3))
    check_shape(epistemic, (4,), "epistemic")
    otherwise = "epsilon_added" if epistemic.min() > 0 and epistemic.max() < 1e-2 else "wrong_value"
    slips = {"kinds_swapped": np.full(4, 0.3)}
    check_close(epistemic, np.zeros(4), "epistemic, if all members agree", slips=slips, otherwise=otherwise, atol=1e-7)


@graded("uncertainty_split")
def test_uncertainty_keeps_axes_of_size_one(subject: Subject, rng: RNG) -> None:
    """Each part has shape (...): for one member, which leaves no epistemic part, for one number, and for none."""
    for shape in ((1, 6), (4, 1), (1, 1), (4,), (1,), (4, 1, 5), (4, 5, 1), (1, 5, 1)):
        means, variances = rng.normal(size=shape), rng.uniform(0.1, 4, shape)
        for what, part, wanted in zip(
            ("aleatoric", "epistemic"), _split(subject, means, variances), _parts(means, variances), strict=True
        ):
            check_close(part, wanted, f"{what} for shape {shape}")


@graded("uncertainty_split")
def test_uncertainty_is_exact_for_large_means_and_small_variances(subject: Subject, rng: RNG) -> None:
    """Each call depends on its own numbers: means far from zero, members that hardly differ, variances of any size."""
    first = rng.normal(size=(4, 7)), rng.uniform(0.1, 4, (4, 7))
    data = [first, *(tuple(part[:, order] for part in first) for order in (rng.permutation(7), np.arange(7)[::-1]))]
    wanted = [_parts(*pair) for pair in (*data, data[0])]
    answers = [_split(subject, *pair) for pair in (*data, data[0])]
    for part, what in ((0, "aleatoric"), (1, "epistemic")):
        every = [pair[part] for pair in answers], [pair[part] for pair in wanted]
        check_every_time(*every, what, cause="state_kept")
    means, variances = data[0]
    for size, offset in ((1.0, 300.0), (1e-3, 0.0), (200.0, 0.0)):
        (moved,) = _as_float32(size * means + offset * np.arange(1, 8))
        (scaled,) = _as_float32(size**2 * variances)
        aleatoric, epistemic = _split(subject, moved, scaled)
        right = _parts(moved, scaled)
        check_close(aleatoric, right[0], "aleatoric", otherwise="values_clamped", atol=1e-5 * size**2)
        cause = "cancellation" if offset else "values_clamped"
        check_close(epistemic, right[1], "epistemic", otherwise=cause, atol=1e-3 * size**2)
