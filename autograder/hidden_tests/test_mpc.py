"""Hidden checks of planning, the controller and the agent's loop."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from autograder.hidden_tests import mpc_oracle as oracle
from autograder.hidden_tests.graded import graded
from autograder.hidden_tests.inputs import check_left_alone
from autograder.hidden_tests.rollouts import rollout_return, rollout_returns
from hw4.checking.answers import AnyOf, CheckFailed, check, check_close, check_pair, check_shape
from hw4.checking.cem_trace import CemTrace, causes_with, repeats
from hw4.checking.controller import NumberedPlanner, check_actions, check_start
from hw4.checking.rollout_trace import RolloutTrace
from hw4.checking.schedules import check_schedule
from hw4.checking.shooting import check_winner
from hw4.checking.subject import AsNumPy, Handle, Kept, Subject
from hw4.checking.variations import vary
from hw4.checking.worked_example import Rows
from hw4.transitions import Transition

RNG = np.random.Generator
OBS_DIM, ACT_DIM, HORIZON, NUM_SEQUENCES = 4, 2, 5, 7
MANY_SEQUENCES, LONG_HORIZON = 397, 25  # as in a graded run, and no round number
DISCOUNTS = (0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)


class _World:
    """A hidden model and a hidden reward of any sizes, both plain functions."""

    def __init__(self, rng: RNG, obs_dim: int = OBS_DIM, act_dim: int = ACT_DIM, *, bounded: bool = True) -> None:
        self.turn = rng.normal(size=(obs_dim, obs_dim)) * 0.4
        self.push = rng.normal(size=(act_dim, obs_dim))
        self.goal, self.price, self.pull = (
            rng.normal(size=obs_dim),
            rng.uniform(0.5, 1.5, act_dim),
            rng.normal(size=obs_dim),
        )
        self.bounded = bounded

    def predict(self, observation: Any, action: Any) -> Any:
        if self.bounded:
            return np.tanh(observation @ self.turn + action @ self.push)
        return observation + action @ self.push

    def reward(self, observation: Any, action: Any, next_observation: Any) -> Any:
        return next_observation @ self.goal - (action**2) @ self.price + (observation * next_observation) @ self.pull

    def trace(self, start: Any, sequences: Any) -> RolloutTrace:
        return RolloutTrace(self.predict, self.reward, start, sequences)

    def returns(self, start: Any, sequences: Any) -> Any:
        """One sequence after another, from one start or from as many as there are groups of sequences."""
        if start.ndim > 1:
            return np.array([self.returns(one, own) for one, own in zip(start, sequences, strict=True)])
        if len(sequences) == MANY_SEQUENCES:
            return rollout_returns(self.predict, self.reward, start, sequences)
        return np.array([rollout_return(self.predict, self.reward, start, actions) for actions in sequences])

    def slips(self, start: Any, sequences: Any) -> dict[str, Any]:
        """What the returns are if the right rewards are put together wrongly, or all sequences are held or turned."""
        rewards = np.zeros(sequences.shape[:2])
        for row, actions in zip(rewards, sequences, strict=True):
            state = start
            for t, action in enumerate(actions):
                after = self.predict(state, action)
                row[t], state = self.reward(state, action, after), after
        horizon = rewards.shape[1]
        discounts = (rewards @ gamma ** np.arange(horizon) for gamma in (0.5, 0.8, *DISCOUNTS))
        later = np.concatenate([sequences[:, 1:], sequences[:, -1:]], axis=1)
        held = np.repeat(sequences[:, :1], horizon, axis=1)
        return {
            "mean_taken": rewards.mean(axis=1),
            "best_reward_only": rewards.max(axis=1),
            "discounted": AnyOf(tuple(discounts)),
            "last_action_ignored": rewards[:, :-1].sum(axis=1),
            "last_reward_only": rewards[:, -1],
            "first_reward_only": rewards[:, 0],
            "first_reward_missing": rewards[:, 1:].sum(axis=1),
            "wrong_step_action": AnyOf(
                tuple(self.returns(start, other) for other in (later, held, sequences[:, ::-1]))
            ),
        }


def _check_returns(subject: Subject, world: _World, start: Any, sequences: Any, what: str = "returns") -> RolloutTrace:
    """One call of `sequence_returns`: its returns, and what it handed to the model and the reward."""
    trace = world.trace(start, sequences)
    returns = subject.call("mpc.sequence_returns", trace.predict, trace.reward, start, sequences)
    slips = world.slips(start, sequences) if start.ndim == 1 and len(sequences) < MANY_SEQUENCES else None
    trace.check_returns(returns, world.returns(start, sequences), what, slips=slips)
    return trace


@graded("sequence_returns", weight=3)
def test_returns_sum_the_reward_on_arrival(subject: Subject, rng: RNG) -> None:
    """The return of each sequence: the sum of r(s_t, a_t, s_t+1) along its own roll-out."""
    world = _World(rng)
    start, sequences = rng.normal(size=OBS_DIM), rng.uniform(-1, 1, (NUM_SEQUENCES, HORIZON, ACT_DIM))
    _check_returns(subject, world, start, sequences)


@graded("sequence_returns")
def test_the_last_action_of_a_plan_counts(subject: Subject, rng: RNG) -> None:
    """Changing only the last action changes the return."""
    world = _World(rng)
    start, sequences = rng.normal(size=OBS_DIM), rng.uniform(-1, 1, (2, HORIZON, ACT_DIM))
    sequences[1, :-1] = sequences[0, :-1]
    trace = world.trace(start, sequences)
    returns = subject.call("mpc.sequence_returns", trace.predict, trace.reward, start, sequences)
    check_shape(returns, (2,), "returns")
    gap, wanted = returns[1] - returns[0], world.returns(start, sequences)
    price = (sequences[0, -1] ** 2 - sequences[1, -1] ** 2) @ world.price
    check(abs(gap) > 1e-6, "the return does not change with the last action", "last_action_ignored")
    check_close(gap, wanted[1] - wanted[0], "the change of the return", slips={"reward_on_old_observation": price})


@graded("sequence_returns")
def test_returns_take_leading_batch_dimensions(subject: Subject, rng: RNG) -> None:
    """Several start observations at once, in one axis or in two, each with its own sequences."""
    for shape in ((6,), (2, 3)):
        starts = rng.normal(size=(*shape, OBS_DIM))
        sequences = rng.uniform(-1, 1, (*shape, NUM_SEQUENCES, HORIZON, ACT_DIM))
        _check_returns(subject, _World(rng), starts, sequences, f"returns for start observations of shape {shape}")


@graded("sequence_returns")
def test_all_sequences_advance_together(subject: Subject, rng: RNG) -> None:
    """One call of the model per step for the whole population."""
    start, sequences = rng.normal(size=OBS_DIM), rng.uniform(-1, 1, (30, 5, ACT_DIM))
    trace = _World(rng).trace(start, sequences)
    returns = subject.call("mpc.sequence_returns", trace.predict, trace.reward, start, sequences)
    check_shape(returns, (30,), "returns")
    trace.check_calls()


@graded("sequence_returns", weight=0.5, needs_another=True)
def test_returns_leave_start_and_plans_as_they_were(subject: Subject, rng: RNG) -> None:
    """The start observation and the action sequences are not changed in place."""
    world = _World(rng)
    for num_sequences in (NUM_SEQUENCES, 1):
        start, sequences = rng.normal(size=OBS_DIM), rng.uniform(-2, 2, (num_sequences, HORIZON, ACT_DIM))
        wanted = world.returns(start, sequences)

        def ask(*kept: Kept) -> None:
            returns = subject.call("mpc.sequence_returns", world.predict, world.reward, *kept)
            check_close(returns, wanted, "returns")  # noqa: B023

        check_left_alone(subject, [start, sequences], ask, causes={0: "start_mutated"})


@graded("sequence_returns")
def test_returns_of_any_size_and_of_every_call(subject: Subject, rng: RNG) -> None:
    """Axes of size one; the horizon, the population and the numbers of a graded run; one call after another."""

    def at(obs_dim: int, act_dim: int, num_sequences: int, horizon: int) -> None:
        start, sequences = rng.normal(size=obs_dim), rng.uniform(-1, 1, (num_sequences, horizon, act_dim))
        what = f"returns of {num_sequences} sequences of {horizon} steps"
        _check_returns(subject, _World(rng, obs_dim, act_dim), start, sequences, what)

    def far_from_zero() -> None:
        start = rng.normal(size=OBS_DIM) * 150
        sequences = rng.uniform(-8, 8, (MANY_SEQUENCES, LONG_HORIZON, ACT_DIM))
        what = "returns of many long sequences far from 0"
        _check_returns(subject, _World(rng, bounded=False), start, sequences, what)

    def at_rest() -> None:
        world = _World(rng, bounded=False)
        world.push *= 0.0  # nothing moves, and every step is paid all the same
        start, sequences = rng.normal(size=OBS_DIM), rng.uniform(-1, 1, (NUM_SEQUENCES, HORIZON, ACT_DIM))
        _check_returns(subject, world, start, sequences, "returns of a state that does not change")

    ones = ((1, 1, 1, 1), (4, 2, 1, 5), (1, 2, 6, 5), (4, 1, 6, 5), (4, 2, 6, 1))
    vary(
        lambda: at(OBS_DIM, ACT_DIM, NUM_SEQUENCES, HORIZON),
        again=3,
        size_one=[partial(at, *sizes) for sizes in ones],
        large=[lambda: at(OBS_DIM, ACT_DIM, NUM_SEQUENCES, LONG_HORIZON), far_from_zero, at_rest],
    )


class _Objective:
    """A hidden, peaked objective that remembers what it was asked."""

    def __init__(self, rng: RNG, horizon: int = HORIZON) -> None:
        self.target = rng.uniform(-0.4, 0.4, (horizon, ACT_DIM))
        self.asked: list[Any] = []

    def __call__(self, action_sequences: Any) -> Any:
        self.asked.append(np.array(action_sequences, dtype=np.float64))
        return -np.sum((action_sequences - self.target) ** 2, axis=(-2, -1))


MAX_DRAWS = 1000  # far more than any check asks for
LOW, HIGH = np.array([-0.5, -2.0]), np.array([1.0, 0.3])


@graded("random_shooting", weight=2)
def test_random_shooting_returns_the_best_candidate(subject: Subject, rng: RNG) -> None:
    """Uniform candidates inside the bounds; the one with the largest return wins."""
    objective = _Objective(rng)
    u = rng.uniform(size=(12, HORIZON, ACT_DIM))
    low, high = LOW, HIGH
    uniform = Rows(u)
    plan = subject.call("mpc.random_shooting", objective, low, high, num_sequences=12, uniform=uniform)
    check(uniform.drawn > 0, "uniform was never called", "noise_not_used")
    candidates = low + (high - low) * u
    returns = -np.sum((candidates - objective.target) ** 2, axis=(1, 2))

    def best_of(scored: Any) -> Any:
        return scored[np.argmax(-np.sum((scored - objective.target) ** 2, axis=(1, 2)))]

    slips = {
        "takes_smallest": candidates[returns.argmin()],
        "bounds_ignored": AnyOf(
            (
                best_of(u),
                best_of(2 * u - 1),
                best_of(high * (2 * u - 1)),
                best_of(np.clip(u, low, high)),
                best_of(np.clip(low.min() + (high.max() - low.min()) * u, low, high)),
            )
        ),
        "candidates_averaged": AnyOf(tuple(candidates[np.argsort(-returns)[:k]].mean(axis=0) for k in range(2, 13))),
        "returns_random_draw": AnyOf((candidates[0], candidates[-1])),
    }
    scored = objective.asked[0] if objective.asked else candidates
    entries = np.concatenate([np.ravel(x) for x in (u, 2 * u - 1, candidates, high * (2 * u - 1), low, high)])
    foreign = np.abs(scored.reshape(-1, 1) - entries).min(axis=1) > 1e-4
    if foreign.mean() > 0.5:  # most of what was scored is not among what is known to be made of these draws
        slips = {_what_was_scored(scored, u): AnyOf((plan,))}
    if scored.shape == u.shape and np.allclose(scored, u, atol=1e-4):
        slips = {"bounds_ignored": AnyOf((plan,))}
    check_close(plan, candidates[returns.argmax()], "the plan", slips=slips)


def _what_was_scored(scored: Any, u: Any) -> str:
    """How candidates were made of the draws u: by other bounds, by something else, or not at all."""
    if scored.shape != u.shape:
        return "wrong_candidate_count"
    x, y = u.reshape(-1, u.shape[-1]), scored.reshape(-1, u.shape[-1])
    alike = [np.corrcoef(x[:, j], y[:, j])[0, 1] if np.ptp(y[:, j]) > 0 else 0.0 for j in range(x.shape[1])]
    if min(map(abs, alike)) > 1 - 1e-6:
        return "bounds_ignored"
    return "candidates_misbuilt" if min(map(abs, alike)) > 0.8 else "noise_not_used"


@graded("random_shooting")
def test_random_shooting_scores_every_candidate_once(subject: Subject, rng: RNG) -> None:
    """Exactly `num_sequences` candidates are scored, all inside the bounds."""
    objective = _Objective(rng)
    plan = subject.call(
        "mpc.random_shooting",
        objective,
        LOW,
        HIGH,
        num_sequences=9,
        uniform=lambda n: rng.uniform(size=(_count(n), HORIZON, ACT_DIM)),
    )
    check_shape(plan, (HORIZON, ACT_DIM), "the plan")
    one_by_one = len(objective.asked) == 9 and all(len(np.shape(one)) < 3 or len(one) == 1 for one in objective.asked)
    cause = "loop_over_sequences" if one_by_one else "wrong_candidate_count"
    check(len(objective.asked) == 1, f"the objective was asked {len(objective.asked)} times", cause)
    scored = np.concatenate(objective.asked) if objective.asked else np.zeros((0, HORIZON, ACT_DIM))
    check(len(scored) == 9, f"{len(scored)} candidates were scored for num_sequences=9", "wrong_candidate_count")
    inside = (scored >= LOW - 1e-5).all() and (scored <= HIGH + 1e-5).all()
    check(bool(inside), "candidates outside the bounds were scored", "bounds_ignored")
    best = scored[np.argmax([objective(one) for one in scored])]
    check_close(
        plan, best, "the plan: the best of what was scored", slips={"takes_smallest": _worst(objective, scored)}
    )


@graded("random_shooting")
def test_random_shooting_lets_any_candidate_win(subject: Subject, rng: RNG) -> None:
    """Every candidate can be the best, at any size and in every call, and either of two that are equally good."""

    def wide(act_dim: int) -> tuple[Any, Any]:
        return 20.0 * LOW[:act_dim], 20.0 * HIGH[:act_dim]

    def at(num_sequences: int, horizon: int, act_dim: int, winner: int, best: float = 5.0, gap: float = 1.0) -> None:
        scores = best - gap - gap * rng.permutation(num_sequences)
        scores[winner] = best
        check_winner(subject, scores, winner, rng.uniform(size=(num_sequences, horizon, act_dim)), *wide(act_dim))

    ones = ((1, 1, 1), (7, 1, 1), (7, 4, 1), (7, 1, ACT_DIM), (1, 4, ACT_DIM))
    falling = itertools.count(9.0, -1.0)
    vary(
        lambda: at(7, HORIZON, ACT_DIM, 3, best=next(falling)),
        again=3,
        size_one=[partial(at, *sizes, sizes[0] - 1) for sizes in ones],
        large=[
            lambda: at(MANY_SEQUENCES, LONG_HORIZON, ACT_DIM, MANY_SEQUENCES - 1),
            lambda: at(MANY_SEQUENCES, LONG_HORIZON, ACT_DIM, 1),
            lambda: at(7, HORIZON, ACT_DIM, 3, best=3000.0, gap=0.05),
            lambda: at(7, HORIZON, ACT_DIM, 3, best=1e6, gap=1e5),
        ],
        negative=[lambda: at(7, HORIZON, ACT_DIM, 2, best=-40.0)],
    )
    for winner in range(7):
        at(7, HORIZON, ACT_DIM, winner)
    equal = -1.0 * rng.permutation(7)
    equal[[1, 4]] = 5.0
    check_winner(subject, equal, 1, rng.uniform(size=(7, HORIZON, ACT_DIM)), *wide(ACT_DIM))


@graded("random_shooting", weight=0.5, needs_another=True)
def test_random_shooting_leaves_the_bounds_as_they_were(subject: Subject, rng: RNG) -> None:
    """The bounds are not changed in place."""
    objective, u = _Objective(rng), rng.uniform(size=(5, HORIZON, ACT_DIM))
    candidates = LOW + (HIGH - LOW) * u
    best = candidates[objective(candidates).argmax()]

    def ask(*bounds: Kept) -> None:
        plan = subject.call("mpc.random_shooting", objective, *bounds, num_sequences=5, uniform=Rows(u))
        check_close(plan, best, "the plan")

    check_left_alone(subject, [LOW, HIGH], ask)


def _count(n: Any) -> int:
    check(0 <= int(n) <= MAX_DRAWS, f"{n} random draws were asked for at once", "wrong_candidate_count")
    return int(n)


def _worst(objective: _Objective, scored: Any) -> Any:
    return scored[np.argmin([objective(one) for one in scored])]


def _refit_inputs(rng: RNG, population: int) -> tuple[Any, Any, Any, Any]:
    sequences = rng.normal(size=(population, HORIZON, ACT_DIM))
    returns = (rng.permutation(population) - population / 2 + 0.2) * 1.5  # the largest in size is the smallest
    return sequences, returns, rng.normal(size=(HORIZON, ACT_DIM)), rng.uniform(0.5, 2.0, (HORIZON, ACT_DIM))


def _refit_slips(sequences: Any, returns: Any, mean: Any, std: Any, k: int, w: float) -> Any:
    order = np.argsort(-returns)
    elites = sequences[order[:k]]

    def mixed(chosen: Any, weight: float, ddof: int = 0) -> tuple[Any, Any]:
        old_mean, old_std = weight * mean, weight * std
        return old_mean + (1 - weight) * chosen.mean(0), old_std + (1 - weight) * chosen.std(0, ddof=ddof)

    def softmax(values: Any) -> Any:
        weights = np.exp(values - values.max())
        return weights / weights.sum()

    def about(center: Any) -> Any:
        return w * std + (1 - w) * np.sqrt(((elites - center) ** 2).mean(0))

    reversed_, ignored = mixed(elites, 1 - w), mixed(elites, 0.0)
    counts = [order[:count] for count in (k - 1, k + 1) if 0 < count <= len(order)] + [order[1:k], order[1 : k + 1]]
    others_taken = [mixed(sequences[taken], w) for taken in counts if len(taken) > 0]
    smallest, largest_in_size = mixed(sequences[order[-k:]], w), mixed(sequences[np.argsort(-np.abs(returns))[:k]], w)
    rest = sequences[order[k:]] if k < len(order) else sequences
    others = mixed(rest, w) if k < len(order) else smallest
    weighted = [
        w * mean + (1 - w) * np.tensordot(softmax(returns[chosen]), sequences[chosen], axes=1)
        for chosen in (order[:k], order)
    ]
    for ranks in (np.arange(k, 0, -1.0), 1.0 / np.arange(1.0, k + 1)):
        weighted.append(w * mean + (1 - w) * np.tensordot(ranks / ranks.sum(), elites, axes=1))
    same_in_time = elites.std(axis=(0, 1)), elites.std(axis=(0, 2))[:, None]
    flat = w * mean + (1 - w) * elites.mean(), w * std + (1 - w) * elites.std()
    mean_slips = {
        "smoothing_reversed": reversed_[0],
        "smoothing_ignored": ignored[0],
        "takes_smallest": smallest[0],
        "non_elites": AnyOf((others[0], largest_in_size[0])),
        "elites_weighted": AnyOf(tuple(weighted)),
        "statistics_axis": flat[0],
        "mean_not_refit": AnyOf((mean, w * mean + (1 - w) * mean.mean(0))),
        "old_not_used": AnyOf(tuple(w * old.mean(0) + (1 - w) * elites.mean(0) for old in (sequences, rest))),
        "elite_count": AnyOf(tuple(taken[0] for taken in others_taken)),
        "values_clamped": np.clip(mixed(elites, w)[0], -1.0, 1.0),
        "returns_best_candidate": AnyOf((sequences[order[0]], w * mean + (1 - w) * sequences[order[0]])),
    }
    std_slips = {
        "std_divisor": mixed(elites, w, ddof=1)[1],
        "variance_for_std": AnyOf(
            (
                w * std + (1 - w) * elites.var(0),
                w * std**2 + (1 - w) * elites.var(0),
                np.sqrt(w * std**2 + (1 - w) * elites.var(0)),
                w * std + (1 - w) * elites.var(0, ddof=1),
            )
        ),
        "smoothing_reversed": reversed_[1],
        "smoothing_ignored": ignored[1],
        "statistics_axis": AnyOf((flat[1], *(w * std + (1 - w) * one for one in same_in_time))),
        "std_not_refit": AnyOf((std, w * std + (1 - w) * std.std(0))),
        "old_not_used": AnyOf(tuple(w * old.std(0) + (1 - w) * elites.std(0) for old in (sequences, rest))),
        "non_elites": AnyOf((w * std + (1 - w) * sequences.std(0), others[1])),
        "deviation_center": AnyOf((about(mean), about(w * mean + (1 - w) * elites.mean(0)), about(0.0))),
    }
    # Two slips at once: the weight is named, whatever the spread is.
    spreads = (elites.std(0, ddof=1), elites.var(0), elites.var(0, ddof=1)) if k > 1 else (elites.var(0),)
    for cause, weight in (("smoothing_reversed", 1 - w), ("smoothing_ignored", 0.0)):
        mixtures = tuple(weight * std + (1 - weight) * spread for spread in spreads)
        std_slips[cause] = AnyOf((std_slips[cause], *mixtures))
    return mean_slips, std_slips


@graded("cem_refit", weight=3)
def test_refit_moves_mean_and_std_to_the_elites(subject: Subject, rng: RNG) -> None:
    """New mean and std: the old ones weighted by `smoothing`, plus those of the elites."""
    for k, w in ((4, 0.3), (6, 0.0), (3, 0.8)):
        sequences, returns, mean, std = _refit_inputs(rng, 13)
        answer = subject.call("mpc.refit_to_elites", sequences, returns, mean, std, num_elites=k, smoothing=w)
        new_mean, new_std = check_pair(answer, "(new_mean, new_std)")
        wanted_mean, wanted_std = oracle.refit(sequences, returns, mean, std, k, w)
        mean_slips, std_slips = _refit_slips(sequences, returns, mean, std, k, w)
        check_close(new_mean, wanted_mean, "new_mean", slips=mean_slips)
        _check_std(new_std, wanted_std, "new_std", sequences, returns, std, k, w, std_slips)


def _check_std(
    seen: Any, wanted: Any, what: str, sequences: Any, returns: Any, std: Any, k: int, w: float, slips: Any = None
) -> None:
    """Compare a new std. To smooth the variance instead is another convention, which has a check of its own."""
    elites = sequences[np.argsort(-returns)[:k]]
    other = np.sqrt(w * std**2 + (1 - w) * elites.var(axis=0))
    if isinstance(seen, np.ndarray) and seen.shape == other.shape and np.allclose(seen, other, rtol=1e-3, atol=1e-4):
        return
    check_close(seen, wanted, what, slips=slips)


@graded("cem_refit")
def test_refit_smooths_the_std_and_not_the_variance(subject: Subject, rng: RNG) -> None:
    """What is smoothed is the standard deviation: smoothing * std + (1 - smoothing) * elite_std."""
    sequences, returns, mean, std = _refit_inputs(rng, 13)
    answer = subject.call("mpc.refit_to_elites", sequences, returns, mean, std, num_elites=5, smoothing=0.6)
    _, new_std = check_pair(answer, "(new_mean, new_std)")
    _, wanted = oracle.refit(sequences, returns, mean, std, 5, 0.6)
    check_close(new_std, wanted, "new_std", slips=_refit_slips(sequences, returns, mean, std, 5, 0.6)[1])


@graded("cem_refit")
def test_refit_works_at_the_edges(subject: Subject, rng: RNG) -> None:
    """A single elite has spread 0, all candidates may be elites, and equal returns do not add extra elites."""
    for k, w in ((1, 0.0), (6, 0.5)):
        sequences, returns, mean, std = _refit_inputs(rng, 6)
        answer = subject.call("mpc.refit_to_elites", sequences, returns, mean, std, num_elites=k, smoothing=w)
        new_mean, new_std = check_pair(answer, "(new_mean, new_std)")
        wanted_mean, wanted_std = oracle.refit(sequences, returns, mean, std, k, w)
        slips = {} if k == 6 else {"elite_count": AnyOf(tuple(sequences[np.argsort(-returns)[1:3]]))}
        check_close(new_mean, wanted_mean, f"new_mean with {k} elites of 6", slips=slips)
        slips = {"std_divisor": _refit_slips(sequences, returns, mean, std, 6, w)[1]["std_divisor"]} if k == 6 else {}
        check_shape(new_std, wanted_std.shape, f"new_std with {k} elites of 6")
        if k == 1 and bool(((new_std > 1e-4) & (new_std < 0.5)).all()) and np.ptp(new_std) < 1e-6:
            slips = {"spread_floor": new_std}
        _check_std(new_std, wanted_std, f"new_std with {k} elites of 6", sequences, returns, std, k, w, slips)
    sequences, _, mean, std = _refit_inputs(rng, 7)
    returns = np.array([5.0, 2.0, 2.0, 2.0, 1.0, 0.0, -1.0])  # of the three that are equal, any two
    answer = subject.call("mpc.refit_to_elites", sequences, returns, mean, std, num_elites=3, smoothing=0.25)
    new_mean, new_std = check_pair(answer, "(new_mean, new_std)")
    check_shape(new_mean, (HORIZON, ACT_DIM), "new_mean with equal returns")
    choices = [sequences[[0, *pair]] for pair in itertools.combinations((1, 2, 3), 2)]
    chosen = choices[np.argmin([np.abs(new_mean - 0.25 * mean - 0.75 * elites.mean(0)).max() for elites in choices])]
    tied = sequences[:4]
    wanted_mean, wanted_std = 0.25 * mean + 0.75 * chosen.mean(0), 0.25 * std + 0.75 * chosen.std(0)
    slips = {"elite_count": 0.25 * mean + 0.75 * tied.mean(0)}
    check_close(new_mean, wanted_mean, "new_mean with equal returns", slips=slips)
    _check_std(new_std, wanted_std, "new_std with equal returns", chosen, np.zeros(3), std, 3, 0.25)


@graded("cem_refit")
def test_refit_at_any_size_and_in_every_call(subject: Subject, rng: RNG) -> None:
    """Axes of size one, the sizes of a graded run, one call after another; few and many elites."""

    def at(
        population: int, horizon: int, act_dim: int, k: int, *, scale: float = 1.0, best: float = 4.0, gap: float = 1.0
    ) -> None:
        sequences = scale * rng.normal(size=(population, horizon, act_dim))
        returns = best - gap * rng.permutation(population)
        mean, std = scale * rng.normal(size=(horizon, act_dim)), scale * rng.uniform(0.5, 2.0, (horizon, act_dim))
        _check_refit(subject, sequences, returns, mean, std, k, 0.4, f"with {k} of {population} elites")

    ones = ((1, 1, 1, 1), (9, 1, 1, 4), (9, HORIZON, 1, 4), (9, 1, ACT_DIM, 2), (9, HORIZON, ACT_DIM, 1))
    vary(
        lambda: at(9, HORIZON, ACT_DIM, 4),
        again=3,
        size_one=[partial(at, *sizes) for sizes in ones],
        large=[
            lambda: at(MANY_SEQUENCES, LONG_HORIZON, ACT_DIM, 40),
            lambda: at(9, HORIZON, ACT_DIM, 8, scale=30.0),
            lambda: at(9, HORIZON, ACT_DIM, 4, best=3000.0, gap=0.05),
            lambda: at(9, HORIZON, ACT_DIM, 4, best=1e6, gap=1e5),
        ],
        negative=[lambda: at(9, HORIZON, ACT_DIM, 4, best=-40.0)],
    )


def _check_refit(
    subject: Subject, sequences: Any, returns: Any, mean: Any, std: Any, k: int, w: float, where: str
) -> None:
    answer = subject.call("mpc.refit_to_elites", sequences, returns, mean, std, num_elites=k, smoothing=w)
    new_mean, new_std = check_pair(answer, "(new_mean, new_std)")
    wanted_mean, wanted_std = oracle.refit(sequences, returns, mean, std, k, w)
    mean_slips, std_slips = _refit_slips(sequences, returns, mean, std, k, w)
    check_close(new_mean, wanted_mean, f"new_mean {where}", slips=mean_slips)
    _check_std(new_std, wanted_std, f"new_std {where}", sequences, returns, std, k, w, std_slips)


@graded("cem_refit")
def test_refit_is_exact_far_from_zero(subject: Subject, rng: RNG) -> None:
    """Far from 0 the std is still that of the deviations from the mean of the elites."""
    sequences, returns, mean, std = _refit_inputs(rng, 13)
    _, wanted = oracle.refit(0.05 * sequences, returns, mean, std, 5, 0.0)
    for offset in (0.0, 0.0, 60.0):
        moved = offset + 0.05 * sequences
        answer = subject.call("mpc.refit_to_elites", moved, returns, mean, std, num_elites=5, smoothing=0.0)
        _, new_std = check_pair(answer, "(new_mean, new_std)")
        check(np.shape(new_std) == wanted.shape, "new_std has another shape than std", "wrong_shape")
        is_right = bool(np.allclose(new_std, wanted, rtol=0.02, atol=1e-4))
        where = f"new_std of actions about {offset:g} with a spread of 0.05"
        check(is_right, f"{where} is not what the docstring says", "cancellation" if offset else "wrong_value")


@graded("cem_refit", weight=0.5, needs_another=True)
def test_refit_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Candidates, returns, mean and std are not changed in place."""
    inputs = _refit_inputs(rng, 8)

    def ask(*kept: Kept) -> None:
        answer = subject.call("mpc.refit_to_elites", *kept, num_elites=3, smoothing=0.4)
        for part, wanted in zip(check_pair(answer, "(new_mean, new_std)"), oracle.refit(*inputs, 3, 0.4), strict=True):
            check_close(part, wanted, "new_mean and new_std")

    check_left_alone(subject, inputs, ask)


class _CemRun:
    """One call of the student's `cem`, traced: what was drawn, what was scored, what came back."""

    def __init__(
        self,
        subject: Subject,
        rng: RNG,
        *,
        shape: tuple[int, int] = (HORIZON, ACT_DIM),
        population: int = 15,
        elites: int = 4,
        smoothing: float = 0.2,
        kept: int = 0,
        iterations: int = 3,
        mean_shift: float = 0.0,
        scale: float = 1.0,
        room: float = 1.0,
        inputs: Sequence[Kept] | None = None,
    ) -> None:
        """
        Args:
            inputs: mean, std and bounds that stay where they are; by default they are drawn.
            room: factor of the bounds. At 20 nothing is clipped: few numbers, once clipped, cannot be told apart.
        """
        self.population, self.elites, self.smoothing, self.kept = population, elites, smoothing, kept
        self.iterations, self.shape = iterations, shape
        self.low, self.high = room * scale * LOW[: shape[1]], room * scale * HIGH[: shape[1]]
        self.target = scale * rng.uniform(-0.4, 0.4, shape)
        self.mean = scale * rng.uniform(-0.2, 0.2, shape) + mean_shift
        self.std = scale * rng.uniform(0.5, 0.9, shape)
        if inputs is not None:
            self.mean, self.std, self.low, self.high = (kept.array for kept in inputs)
        handed_in = (self.mean, self.std, self.low, self.high) if inputs is None else inputs
        self.trace = CemTrace(self.returns, lambda n: rng.normal(size=(n, *shape)), self.low, self.high)
        self._subject = subject
        self.plan = subject.call(
            "mpc.cem",
            self.trace.objective,
            *handed_in,
            population_size=population,
            num_iterations=iterations,
            num_elites=elites,
            smoothing=smoothing,
            noise=self.trace.noise,
            num_kept_elites=kept,
        )

    def returns(self, scored: Any) -> Any:
        return -np.sum((scored - self.target) ** 2, axis=(-2, -1))

    def distributions(self, refit: Any = oracle.refit) -> list[tuple[Any, Any]]:
        """(mean, std) before each iteration and after the last, refitted to what was really scored."""
        current = [(self.mean, self.std)]
        for scored in self.trace.scored:
            current.append(refit(scored, self.returns(scored), *current[-1], self.elites, self.smoothing))
        return current

    def own_refit(self, scored: Any, returns: Any, mean: Any, std: Any, elites: int, smoothing: float) -> Any:
        """The student's own refit, which has a check of its own: a slip there must not cost these points too."""
        answer = self._subject.call(
            "mpc.refit_to_elites", scored, returns, mean, std, num_elites=elites, smoothing=smoothing
        )
        new_mean, new_std = check_pair(answer, "(new_mean, new_std)")
        check_shape(new_mean, mean.shape, "new_mean")
        check_shape(new_std, std.shape, "new_std")
        unchanged = np.allclose(new_mean, mean) or np.allclose(new_std, std)
        check(not unchanged, "nothing is refitted", "mean_not_refit")
        return new_mean, new_std

    def judge(self) -> None:
        """Check everything with the oracle's refits; if that fails, with the student's own."""
        self.trace.check_counts(self.plan, self.population, self.iterations, self.shape)
        self.trace.check_inside()
        try:
            self._judge(self.distributions())
        except CheckFailed:
            self._judge(self.distributions(self.own_refit))

    def _judge(self, before: list[tuple[Any, Any]]) -> None:
        used: set[int] = set()
        for number, (scored, (mean, std)) in enumerate(zip(self.trace.scored, before, strict=False)):
            new = scored
            if number > 0:
                earlier = self.trace.scored[number - 1]
                new = self.trace.new(number)
                self._check_kept(scored, earlier)
            if self.trace.explained(new, mean, std).all():
                draws = set(self.trace.nearest(new, mean, std)[1].tolist())
                check(not draws & used, "two iterations used the same noise", "noise_not_used")
                used |= draws
                continue
            raise CheckFailed(*self.trace.slip(number, mean, std, self._refits(number, before)))
        self._check_plan(before)

    def _check_kept(self, scored: Any, earlier: Any) -> None:
        """Exactly the best of the iteration before compete again."""
        best = earlier[np.argsort(-self.returns(earlier))[: self.kept]]
        missing = ~repeats(best, scored) if self.kept else np.array([False])
        check(not missing.any(), "the best candidates of an iteration are missing from the next", "elites_not_kept")
        message = f"more than {self.kept} candidates of the iteration before compete again"
        check(repeats(scored, earlier).sum() <= self.kept, message, "too_many_kept")

    def _refits(self, number: int, before: list[tuple[Any, Any]]) -> list[tuple[str, Any, Any]]:
        """What the mean and std of an iteration would be after a slip in the refit before it."""
        if number == 0:
            return []
        scored, (mean, std) = self.trace.scored[number - 1], before[number - 1]
        returns, k, w = self.returns(scored), self.elites, self.smoothing
        raw = mean + std * self.trace.drawn[self.trace.nearest(scored, mean, std)[1]]
        whole = w * mean + (1 - w) * scored.mean(axis=0), w * std + (1 - w) * scored.std(axis=0)
        mean_slips, std_slips = _refit_slips(scored, returns, mean, std, k, w)
        return [
            ("not_clipped", *oracle.refit(raw, returns, mean, std, k, w)),
            ("non_elites", *whole),
            ("mean_clipped", np.clip(before[number][0], self.low, self.high), None),
            ("mean_not_refit", self.mean, self.std),
            *((cause, answer, None) for cause, answer in causes_with(mean_slips)),
            *((cause, None, answer) for cause, answer in causes_with(std_slips)),
            *(
                (cause, answer, other)
                for cause, answer in causes_with(mean_slips)
                for same, other in causes_with(std_slips)
                if same == cause
            ),
            ("mean_not_refit", self.mean, None),
            ("std_not_refit", None, self.std),
        ]

    def _check_plan(self, before: list[tuple[Any, Any]]) -> None:
        last = self.trace.scored[-1]
        returns = self.returns(last)
        (earlier_mean, earlier_std), (final_mean, final_std) = before[-2:]
        redrawn = self._clip(final_mean + final_std * self.trace.drawn)
        slips = {
            "returns_best_candidate": AnyOf((last[returns.argmax()], *self._best_of_all())),
            "mean_not_refit": self._clip(earlier_mean),
            "returns_random_draw": AnyOf((*last, *redrawn)),
        }
        if bool(((self.plan < self.low - 1e-3) | (self.plan > self.high + 1e-3)).any()):
            slips["final_not_clipped"] = self.plan
        mean_slips, _ = _refit_slips(last, returns, earlier_mean, earlier_std, self.elites, self.smoothing)
        for cause, answer in causes_with(mean_slips):
            if cause not in slips and answer.shape == final_mean.shape:
                slips[cause] = self._clip(answer)
        check_close(self.plan, self._clip(final_mean), "the plan: the final mean", slips=slips)

    def _clip(self, plan: Any) -> Any:
        return np.clip(plan, self.low, self.high)

    def _best_of_all(self) -> list[Any]:
        everything = np.concatenate(self.trace.scored)
        return [everything[self.returns(everything).argmax()]]


@graded("cem_plan", weight=3)
def test_cem_draws_scores_and_refits(subject: Subject, rng: RNG) -> None:
    """Each iteration scores clip(mean + std * noise) and refits to its elites; it returns the final mean, clipped."""
    vary(lambda: _CemRun(subject, rng).judge(), again=2)
    # However narrow the distribution has become, the search continues.
    run = _CemRun(subject, rng, iterations=20)
    run.trace.check_counts(run.plan, run.population, run.iterations, run.shape)


@graded("cem_plan", weight=2)
def test_cem_clips_the_final_mean(subject: Subject, rng: RNG) -> None:
    """A mean outside the bounds is clipped, but only at the end; everything that is scored can be executed."""
    for iterations in (1, 2):
        _CemRun(subject, rng, iterations=iterations, mean_shift=-1.5).judge()


@graded("cem_plan", weight=2)
def test_cem_keeps_the_best_candidates(subject: Subject, rng: RNG) -> None:
    """The kept elites compete again, inside an unchanged population size."""
    _CemRun(subject, rng, kept=3).judge()


@graded("cem_plan")
def test_cem_plans_at_any_size_and_every_time(subject: Subject, rng: RNG) -> None:
    """Axes of size one, the sizes of a graded run, wide bounds; and no call depends on the calls before it."""
    earlier_runs: list[_CemRun] = []

    def at(**sizes: Any) -> None:
        run = _CemRun(subject, rng, **sizes)
        for earlier_run in earlier_runs:
            if earlier_run.shape == run.shape and run.trace.scored:
                is_new = not repeats(run.trace.scored[0], np.concatenate(earlier_run.trace.scored)).any()
                check(is_new, "candidates of an earlier call are scored again", "state_kept")
        earlier_runs.append(run)
        run.judge()

    vary(
        lambda: at(kept=2),
        again=3,
        size_one=[
            lambda: at(shape=(1, 1), room=20.0),
            lambda: at(shape=(HORIZON, 1), room=20.0, kept=1),
            lambda: at(shape=(1, ACT_DIM), room=20.0, kept=2),
            lambda: at(population=2, elites=1, kept=1, iterations=2, smoothing=0.5),
            lambda: at(population=1, elites=1, iterations=2, smoothing=0.5),
        ],
        large=[
            lambda: at(scale=6.0, kept=2),
            lambda: at(shape=(LONG_HORIZON, ACT_DIM), population=MANY_SEQUENCES, elites=40, kept=6, iterations=2),
        ],
    )


@graded("cem_plan", weight=0.5, needs_another=True)
def test_cem_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Mean, std and bounds are not changed in place."""
    mean, std = rng.uniform(-0.2, 0.2, (HORIZON, ACT_DIM)), rng.uniform(0.5, 0.9, (HORIZON, ACT_DIM))

    def ask(*kept: Kept) -> None:
        _CemRun(subject, rng, population=9, elites=3, smoothing=0.3, kept=2, iterations=2, inputs=kept).judge()

    check_left_alone(subject, [mean, std, LOW, HIGH], ask)


def _controller(subject: Subject, planner: NumberedPlanner, initial_mean: Any, replan_every: int) -> Any:
    return subject.call("mpc.MPC", planner, initial_mean=initial_mean, replan_every=replan_every)


@graded("mpc_act", weight=3)
def test_mpc_executes_the_plan_and_replans_on_time(subject: Subject, rng: RNG) -> None:
    """Executes `replan_every` actions of each plan, in order, then plans from the current observation."""
    for horizon, every in ((4, 1), (6, 3), (5, 2), (4, 4), (1, 1), (LONG_HORIZON, 17)):
        planner, initial_mean = NumberedPlanner(horizon, ACT_DIM), rng.normal(size=(horizon, ACT_DIM))
        controller = _controller(subject, planner, initial_mean, every)
        check_actions(subject, controller, planner, every, rng.normal(size=(4 * every + 1, OBS_DIM)))


@graded("mpc_act", weight=2)
def test_mpc_starts_the_search_from_the_shifted_plan(subject: Subject, rng: RNG) -> None:
    """Every search starts from the rest of the plan before it, followed by the last rows of `initial_mean`."""
    for horizon, every in ((4, 1), (6, 4), (5, 5), (1, 1)):
        planner, initial_mean = NumberedPlanner(horizon, ACT_DIM), rng.normal(size=(horizon, ACT_DIM))
        controller = _controller(subject, planner, initial_mean, every)
        for number in range(1, 5):
            for _ in range(every + 1 if number == 1 else every):
                subject.call_method(controller, "act", rng.normal(size=OBS_DIM))
            check(len(planner.means) == number + 1, f"{len(planner.means)} plans, wanted {number + 1}", "never_replans")
            check_close(planner.means[0], initial_mean, "where the first search starts")
            check_start(planner, initial_mean, number, every)


@graded("mpc_act")
def test_mpc_forgets_the_plan_at_a_new_episode(subject: Subject, rng: RNG) -> None:
    """After `begin_episode` it plans again, from `initial_mean`, and executes the first action."""
    horizon, every = 5, 3
    for steps in (2, 4):
        planner, initial_mean = NumberedPlanner(horizon, ACT_DIM), rng.normal(size=(horizon, ACT_DIM))
        controller = _controller(subject, planner, initial_mean, every)
        for _episode in range(3):
            for _ in range(steps):
                subject.call_method(controller, "act", rng.normal(size=OBS_DIM))
            num_plans = len(planner.means)
            old = planner.plan(num_plans - 1)
            subject.call_method(controller, "begin_episode")
            action = subject.call_method(controller, "act", rng.normal(size=OBS_DIM))
            check(len(planner.means) == num_plans + 1, "no new plan after begin_episode", "plan_survives_episode")
            left_over = [np.concatenate([old[k:], initial_mean[horizon - k :]]) for k in range(every + 1)]
            slips: dict[str, Any] = {"plan_survives_episode": AnyOf(tuple(left_over))}
            if num_plans > 1 and planner.means[1].shape == initial_mean.shape:
                slips["inplace"] = planner.means[1]
            check_close(planner.means[-1], initial_mean, "where the search starts", slips=slips)
            plan = planner.plan(num_plans)
            for step in range(every):
                slips = {"plan_survives_episode": AnyOf(tuple(old))}
                slips["action_skipped"] = AnyOf(tuple(plan[step + 1 :]))
                check_close(action, plan[step], f"action {step + 1} of the new episode", slips=slips)
                if step + 1 < every:
                    action = subject.call_method(controller, "act", rng.normal(size=OBS_DIM))
            subject.call_method(controller, "begin_episode")


@graded("mpc_act")
def test_mpc_acts_at_any_size_and_beside_another(subject: Subject, rng: RNG) -> None:
    """One action, one observation, one step of horizon; and controllers that take turns."""
    for obs_dim, act_dim, horizon in ((1, 1, 1), (OBS_DIM, 1, 5), (1, ACT_DIM, 1)):
        planner = NumberedPlanner(horizon, act_dim)
        controller = _controller(subject, planner, np.zeros((horizon, act_dim)), 1)
        check_actions(subject, controller, planner, 1, rng.normal(size=(3, obs_dim)))
    pairs = []
    for horizon, every, first in ((5, 2, 1), (5, 3, 40), (7, 3, 80)):
        planner, initial_mean = NumberedPlanner(horizon, ACT_DIM, first=first), rng.normal(size=(horizon, ACT_DIM))
        pairs.append((planner, _controller(subject, planner, initial_mean, every), every, initial_mean))
    for t in range(8):
        for planner, controller, every, _ in pairs:
            action = subject.call_method(controller, "act", rng.normal(size=OBS_DIM))
            number, step = divmod(t, every)
            message = f"{len(planner.means)} plans after {t + 1} steps of one of three controllers"
            check(len(planner.means) == number + 1, message, "state_shared")
            check_close(action, planner.plan(number)[step], "an action of one of three controllers")
    for planner, _, every, initial_mean in pairs:
        for number in range(1, len(planner.means)):
            try:
                check_start(planner, initial_mean, number, every)
            except CheckFailed as failure:
                raise CheckFailed(f"next to other controllers: {failure}", "state_shared") from failure


@graded("mpc_act", weight=0.5, needs_another=True)
def test_mpc_leaves_plan_and_initial_mean_as_they_were(subject: Subject, rng: RNG) -> None:
    """The observation, the plans and `initial_mean` are not changed in place."""
    initial_mean = rng.normal(size=(4, ACT_DIM))
    planner = NumberedPlanner(4, ACT_DIM)
    controller = _controller(subject, planner, initial_mean, 2)
    steps = itertools.count()

    def ask(observation: Kept) -> None:
        number, step = divmod(next(steps), 2)
        action = subject.call_method(controller, "act", observation)
        check_close(action, planner.plan(number)[step], f"action {2 * number + step + 1}")
        check_close(planner.observations[-1], observation.array, "what was planned from")

    for _ in range(3):
        check_left_alone(subject, [rng.normal(size=OBS_DIM)], ask, again="wrong_value")
    subject.call_method(controller, "begin_episode")
    subject.call_method(controller, "act", rng.normal(size=OBS_DIM))
    check_close(planner.means[-1], initial_mean, "initial_mean after 6 steps", slips={"inplace": planner.means[-1]})


MANY_STEPS = 1050  # more than a thousand, at which some replay buffers drop the oldest


class _Agent:
    """The student's agent around doubles: when it fitted, and on how many transitions."""

    def __init__(self, subject: Subject, *, initial_steps: int, refit_every: int | None) -> None:
        self.subject = subject
        self.fitted_at: list[int] = []
        self.lengths: list[int] = []  # of the replay buffer, while the model is fitted to it
        self.contents: list[Any] = []
        self.steps = 0
        controller = subject.call("mpc.MPC", lambda observation, mean: mean + 7.0, initial_mean=np.zeros((2, ACT_DIM)))
        self.handle = subject.call(
            "mpc.ModelBasedAgent",
            base_policy=lambda observation: np.full(ACT_DIM, -3.0),
            controller=controller,
            fit=self._fit,
            predict=lambda observation, action: observation,
            initial_steps=initial_steps,
            refit_every=refit_every,
        )

    def _fit(self, replay: Any) -> None:
        self.fitted_at.append(self.steps)
        check(isinstance(replay, Handle), "fit must be called with the replay buffer", "wrong_type")
        self.lengths.append(self.subject.call_method(replay, "__len__"))
        self.contents.append(self.subject.call_method(replay, "stacked") if self.lengths[-1] else ((), (), ()))

    @property
    def num_kept(self) -> int:
        return int(self.subject.call("checking.doubles.length_of_replay", self.handle))

    def keeps(self) -> bool:
        return self.num_kept > 0

    def record(self, rng: RNG) -> None:
        self.steps += 1
        transition = Transition(rng.normal(size=OBS_DIM), rng.normal(size=ACT_DIM), rng.normal(size=OBS_DIM))
        self.subject.call_method(self.handle, "record", Transition(*map(AsNumPy, transition)))


@graded("agent_record", weight=2)
def test_record_fits_on_schedule(subject: Subject, rng: RNG) -> None:
    """First fit after `initial_steps`, then every `refit_every` env steps, counted from the first fit."""
    for start, every in ((7, 5), (4, 9), (13, 5), (2, 6), (1, 4), (5, 1)):
        agent = _Agent(subject, initial_steps=start, refit_every=every)
        for _ in range(31):
            agent.record(rng)
        check_schedule(agent.fitted_at, start, every, steps=31, keeps=agent.keeps)


@graded("agent_record")
def test_record_keeps_two_agents_apart(subject: Subject, rng: RNG) -> None:
    """Two agents that take turns have their own data and their own schedule, each as if it were alone."""
    first, second, alone = (_Agent(subject, initial_steps=i, refit_every=k) for i, k in ((7, 5), (4, 9), (7, 5)))
    for _ in range(18):
        alone.record(rng)
    for _ in range(18):
        first.record(rng)
        second.record(rng)
    for seen, wanted in ((first.fitted_at, alone.fitted_at), (first.lengths, alone.lengths)):
        check(seen == wanted, f"fits {seen} next to another agent, and {wanted} alone", "state_shared")
    check(first.fitted_at != second.fitted_at, "two agents with different schedules fit together", "state_shared")


@graded("agent_record")
def test_record_fits_once_when_told_so(subject: Subject, rng: RNG) -> None:
    """With `refit_every` None the model is fitted exactly once."""
    agent = _Agent(subject, initial_steps=4, refit_every=None)
    for _ in range(12):
        agent.record(rng)
    check_schedule(agent.fitted_at, 4, None, steps=12, keeps=agent.keeps)


@graded("agent_record", weight=2)
def test_record_keeps_every_transition(subject: Subject, rng: RNG) -> None:
    """Each fit sees all transitions so far, the newest included, and the controller acts after the first fit."""
    agent = _Agent(subject, initial_steps=3, refit_every=2)
    recorded: list[Transition] = []
    for _ in range(7):
        action = subject.call_method(agent.handle, "act", AsNumPy(rng.normal(size=OBS_DIM)))
        base = bool(np.allclose(action, -3.0))
        forgotten = "data_replaced" if agent.lengths else "data_changed" if agent.num_kept else "not_appended"
        check(base == (len(recorded) < 3), "the wrong policy acts", forgotten if base else "fits_too_early")
        size = 400.0 if len(recorded) == 2 else 3.0
        transition = Transition(*(size * rng.normal(size=dim) for dim in (OBS_DIM, ACT_DIM, OBS_DIM)))
        if len(recorded) in (1, 5):
            transition = recorded[-1]  # the same thing may happen twice
        recorded.append(transition)
        subject.call_method(agent.handle, "record", Transition(*map(AsNumPy, transition)))
    check(len(agent.lengths) > 0, "never fitted in 7 steps", "data_changed" if agent.num_kept else "not_appended")
    check(len(agent.lengths) > 1, "fitted once in 7 steps, wanted three times", "fits_once")
    check(len(agent.lengths) == 3, f"{len(agent.lengths)} fits in 7 steps, wanted 3", "wrong_schedule")
    for wanted, length, content in zip((3, 5, 7), agent.lengths, agent.contents, strict=True):
        check(length != wanted - 1, "the newest transition is missing when the model is fitted", "fits_before_append")
        has_first = any(np.allclose(one, recorded[0].observation) for one in content[0])
        cause = "data_changed" if has_first else "data_replaced"
        check(length >= wanted, f"{length} transitions at a fit, wanted {wanted}", cause)
        check(length == wanted, f"{length} transitions at a fit, wanted {wanted}", "wrong_value")
        for field, values in zip(content, zip(*recorded[:wanted], strict=True), strict=True):
            is_same = np.shape(field) == np.shape(values) and np.allclose(field, np.array(values), rtol=1e-6, atol=1e-6)
            check(is_same, "the transitions at a fit are not those recorded", "data_changed")
    agent = _Agent(subject, initial_steps=1, refit_every=MANY_STEPS)
    observations = rng.normal(size=(MANY_STEPS + 1, OBS_DIM))
    subject.call(
        "checking.doubles.record_each",
        agent.handle,
        Transition(*map(AsNumPy, (observations, observations[:, :ACT_DIM], -observations))),
    )
    check(agent.lengths == [1, MANY_STEPS + 1], "transitions are lost in a long run", "data_replaced")
    check_close(
        agent.contents[-1][0],
        observations,
        "the transitions of a long run",
        slips={"data_replaced": agent.contents[-1][0]},
    )
