"""Hidden checks of planning, the controller and the agent's loop."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from autograder.hidden_tests import mpc_oracle as oracle
from autograder.hidden_tests.graded import graded
from autograder.hidden_tests.inputs import call_and_check_inputs
from autograder.hidden_tests.rollouts import rollout_return
from hw4.checking.answers import AnyOf, CheckFailed, check, check_close, check_pair, check_shape
from hw4.checking.subject import AsNumPy, Handle, Subject
from hw4.transitions import Transition

RNG = np.random.Generator
OBS_DIM, ACT_DIM, HORIZON, NUM_SEQUENCES = 4, 2, 5, 7
DISCOUNTS = (0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)


class _World:
    """A hidden model and a hidden reward, both plain functions that count their calls."""

    def __init__(self, rng: RNG) -> None:
        self.turn = rng.normal(size=(OBS_DIM, OBS_DIM)) * 0.4
        self.push = rng.normal(size=(ACT_DIM, OBS_DIM))
        self.goal, self.price, self.pull = (
            rng.normal(size=OBS_DIM),
            rng.uniform(0.5, 1.5, ACT_DIM),
            rng.normal(size=OBS_DIM),
        )
        self.num_predictions = 0

    def predict(self, observation: Any, action: Any) -> Any:
        self.num_predictions += 1
        return np.tanh(observation @ self.turn + action @ self.push)

    def reward(self, observation: Any, action: Any, next_observation: Any) -> Any:
        return next_observation @ self.goal - (action**2) @ self.price + (observation * next_observation) @ self.pull

    def returns(self, start: Any, sequences: Any) -> Any:
        return np.array([rollout_return(self.predict, self.reward, start, actions) for actions in sequences])

    def terms(self, start: Any, actions: Any) -> Any:
        """(s_t, a_t, s_t+1) for each step of one sequence."""
        state, steps = start, []
        for action in actions:
            after = self.predict(state, action)
            steps.append((state, action, after))
            state = after
        return steps

    def slips(self, start: Any, sequences: Any) -> dict[str, Any]:
        steps = [self.terms(start, actions) for actions in sequences]
        stuck = [[(start, a, self.predict(start, a)) for a in actions] for actions in sequences]

        def total(rolled: Any, pick: Any = slice(None), reward: Any = self.reward) -> Any:
            return np.array([sum(float(reward(*step)) for step in one[pick]) for one in rolled])

        rewards = np.array([[float(self.reward(*step)) for step in one] for one in steps])
        discounts = (rewards @ gamma ** np.arange(HORIZON) for gamma in (0.5, 0.8, *DISCOUNTS))
        next_actions = np.concatenate([sequences[:, 1:], sequences[:, -1:]], axis=1)
        shifted = [
            [(s, other, after) for (s, _, after), other in zip(one, others, strict=True)]
            for one, others in zip(steps, next_actions, strict=True)
        ]
        held = np.repeat(sequences[:, :1], HORIZON, axis=1)
        return {
            "reward_on_old_observation": AnyOf(
                (
                    total(steps, reward=lambda s, a, n: self.reward(s, a, s)),
                    total([[(one[0][0], one[0][1], one[0][0]), *one[1:]] for one in steps]),
                )
            ),
            "reward_arguments": AnyOf(
                (
                    total(steps, reward=lambda s, a, n: self.reward(n, a, s)),
                    total(steps, reward=lambda s, a, n: self.reward(n, a, n)),
                    total(steps, reward=lambda s, a, n: self.reward(s, 0 * a, n)),
                    total(steps, reward=lambda s, a, n: self.reward(0 * s, a, n)),
                )
            ),
            "wrong_step_action": AnyOf(
                (total(shifted), *(self.returns(start, other) for other in (next_actions, held, sequences[:, ::-1])))
            ),
            "mean_taken": rewards.mean(axis=1),
            "best_reward_only": rewards.max(axis=1),
            "discounted": AnyOf(tuple(discounts)),
            "last_action_ignored": total(steps, slice(None, -1)),
            "last_reward_only": total(steps, slice(-1, None)),
            "first_reward_missing": total(steps, slice(1, None)),
            "state_not_propagated": total(stuck),
        }


@graded("sequence_returns", weight=3)
def test_returns_sum_the_reward_on_arrival(subject: Subject, rng: RNG) -> None:
    """The return of each sequence: the sum of r(s_t, a_t, s_t+1) along its own roll-out."""
    world = _World(rng)
    start, sequences = rng.normal(size=OBS_DIM), rng.uniform(-1, 1, (NUM_SEQUENCES, HORIZON, ACT_DIM))
    returns = subject.call("mpc.sequence_returns", world.predict, world.reward, start, sequences)
    check_close(returns, world.returns(start, sequences), "returns", slips=world.slips(start, sequences))


@graded("sequence_returns")
def test_the_last_action_of_a_plan_counts(subject: Subject, rng: RNG) -> None:
    """Changing only the last action changes the return."""
    world = _World(rng)
    start, sequences = rng.normal(size=OBS_DIM), rng.uniform(-1, 1, (2, 3, ACT_DIM))
    sequences[1, :2] = sequences[0, :2]
    returns = subject.call("mpc.sequence_returns", world.predict, world.reward, start, sequences)
    check_shape(returns, (2,), "returns")
    gap, wanted = returns[1] - returns[0], world.returns(start, sequences)
    price = (sequences[0, -1] ** 2 - sequences[1, -1] ** 2) @ world.price
    check(abs(gap) > 1e-6, "the return does not change with the last action", "last_action_ignored")
    check_close(gap, wanted[1] - wanted[0], "the change of the return", slips={"reward_on_old_observation": price})


@graded("sequence_returns")
def test_returns_take_leading_batch_dimensions(subject: Subject, rng: RNG) -> None:
    """Several start observations at once, each with its own sequences."""
    world = _World(rng)
    starts, sequences = rng.normal(size=(3, OBS_DIM)), rng.uniform(-1, 1, (3, NUM_SEQUENCES, HORIZON, ACT_DIM))
    returns = subject.call("mpc.sequence_returns", world.predict, world.reward, starts, sequences)
    wanted = np.array([world.returns(start, own) for start, own in zip(starts, sequences, strict=True)])
    other_starts = np.tile(starts, (NUM_SEQUENCES, 1)).reshape(3, NUM_SEQUENCES, OBS_DIM)
    mixed = [
        [world.returns(start, plan[None])[0] for start, plan in zip(row, own, strict=True)]
        for row, own in zip(other_starts, sequences, strict=True)
    ]
    slips = {"actions_misaligned": AnyOf((wanted[::-1], np.array(mixed)))}
    check_close(returns, wanted, "returns for 3 start observations", slips=slips)


@graded("sequence_returns")
def test_all_sequences_advance_together(subject: Subject, rng: RNG) -> None:
    """One call of the model per step for the whole population."""
    world = _World(rng)
    world_calls: list[tuple[int, ...]] = []

    def predict(observation: Any, action: Any) -> Any:
        world_calls.append(observation.shape)
        return world.predict(observation, action)

    start, sequences = rng.normal(size=OBS_DIM), rng.uniform(-1, 1, (30, 4, ACT_DIM))
    returns = subject.call("mpc.sequence_returns", predict, world.reward, start, sequences)
    check_shape(returns, (30,), "returns")
    cause = "loop_over_sequences" if any(shape[:-1] != (30,) for shape in world_calls) else "extra_predictions"
    check(len(world_calls) == 4, f"{len(world_calls)} calls of predict for a horizon of 4", cause)
    first = world.returns(start, sequences[:1])
    check_close(returns[:1], first, "returns")


@graded("sequence_returns", weight=0.5, needs_another=True)
def test_returns_leave_start_and_plans_as_they_were(subject: Subject, rng: RNG) -> None:
    """The start observation and the action sequences are not changed in place."""
    world = _World(rng)
    start, sequences = rng.normal(size=OBS_DIM), rng.uniform(-2, 2, (NUM_SEQUENCES, HORIZON, ACT_DIM))
    arguments = (world.predict, world.reward, start, sequences)
    returns, _ = call_and_check_inputs(subject, "mpc.sequence_returns", *arguments, causes={0: "start_mutated"})
    check_shape(returns, (NUM_SEQUENCES,), "returns")


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
    num_drawn = 0

    def uniform(n: int) -> Any:
        nonlocal num_drawn
        num_drawn += _count(n)
        return u[np.arange(num_drawn - int(n), num_drawn) % len(u)]

    plan = subject.call("mpc.random_shooting", objective, low, high, num_sequences=12, uniform=uniform)
    check(num_drawn > 0, "uniform was never called", "noise_not_used")
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
    if foreign.mean() > 0.5:  # most of what was scored is not made of these draws
        slips["noise_not_used"] = plan
    if scored.shape == u.shape and np.allclose(scored, u, atol=1e-4):
        slips = {"bounds_ignored": AnyOf((plan,))}
    check_close(plan, candidates[returns.argmax()], "the plan", slips=slips)


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
    check(len(objective.asked) == 1, f"the objective was asked {len(objective.asked)} times", "wrong_candidate_count")
    scored = np.concatenate(objective.asked) if objective.asked else np.zeros((0, HORIZON, ACT_DIM))
    check(len(scored) == 9, f"{len(scored)} candidates were scored for num_sequences=9", "wrong_candidate_count")
    inside = (scored >= LOW - 1e-5).all() and (scored <= HIGH + 1e-5).all()
    check(bool(inside), "candidates outside the bounds were scored", "bounds_ignored")
    best = scored[np.argmax([objective(one) for one in scored])]
    check_close(
        plan, best, "the plan: the best of what was scored", slips={"takes_smallest": _worst(objective, scored)}
    )


@graded("random_shooting", weight=0.5, needs_another=True)
def test_random_shooting_leaves_the_bounds_as_they_were(subject: Subject, rng: RNG) -> None:
    """The bounds are not changed in place."""
    plan, _ = call_and_check_inputs(
        subject,
        "mpc.random_shooting",
        _Objective(rng),
        LOW,
        HIGH,
        num_sequences=5,
        uniform=lambda n: rng.uniform(size=(_count(n), HORIZON, ACT_DIM)),
    )
    check_shape(plan, (HORIZON, ACT_DIM), "the plan")


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
    others = mixed(sequences[order[k:]], w) if k < len(order) else smallest
    weighted = [
        w * mean + (1 - w) * np.tensordot(softmax(returns[chosen]), sequences[chosen], axes=1)
        for chosen in (order[:k], order)
    ]
    same_in_time = elites.std(axis=(0, 1)), elites.std(axis=(0, 2))[:, None]
    flat = w * mean + (1 - w) * elites.mean(), w * std + (1 - w) * elites.std()
    mean_slips = {
        "smoothing_reversed": reversed_[0],
        "smoothing_ignored": ignored[0],
        "takes_smallest": smallest[0],
        "non_elites": AnyOf((others[0], largest_in_size[0])),
        "elites_weighted": AnyOf(tuple(weighted)),
        "statistics_axis": flat[0],
        "mean_not_refit": mean,
        "elite_count": AnyOf(tuple(taken[0] for taken in others_taken)),
        "returns_best_candidate": AnyOf((sequences[order[0]], w * mean + (1 - w) * sequences[order[0]])),
    }
    std_slips = {
        "std_divisor": mixed(elites, w, ddof=1)[1],
        "variance_for_std": AnyOf(
            (
                w * std + (1 - w) * elites.var(0),
                w * std**2 + (1 - w) * elites.var(0),
                np.sqrt(w * std**2 + (1 - w) * elites.var(0)),
            )
        ),
        "smoothing_reversed": reversed_[1],
        "smoothing_ignored": ignored[1],
        "statistics_axis": AnyOf((flat[1], *(w * std + (1 - w) * one for one in same_in_time))),
        "std_not_refit": std,
        "non_elites": AnyOf((w * std + (1 - w) * sequences.std(0), others[1])),
        "deviation_center": AnyOf((about(mean), about(w * mean + (1 - w) * elites.mean(0)), about(0.0))),
    }
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
        check_close(new_std, wanted_std, "new_std", slips=std_slips)


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
        check_close(new_std, wanted_std, f"new_std with {k} elites of 6", slips=slips)
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
    check_close(new_std, wanted_std, "new_std with equal returns")


@graded("cem_refit", weight=0.5, needs_another=True)
def test_refit_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Candidates, returns, mean and std are not changed in place."""
    inputs = _refit_inputs(rng, 8)
    answer, _ = call_and_check_inputs(subject, "mpc.refit_to_elites", *inputs, num_elites=3, smoothing=0.4)
    for part in check_pair(answer, "(new_mean, new_std)"):
        check_shape(part, (HORIZON, ACT_DIM), "new_mean and new_std")


class _CemRun:
    """One call of the student's `cem`, traced: what was drawn, what was scored, what came back."""

    def __init__(
        self, subject: Subject, rng: RNG, *, kept: int = 0, iterations: int = 3, mean_shift: float = 0.0
    ) -> None:
        self.population, self.elites, self.smoothing, self.kept, self.iterations = 15, 4, 0.2, kept, iterations
        self.objective = _Objective(rng)
        self.mean = rng.uniform(-0.2, 0.2, (HORIZON, ACT_DIM)) + mean_shift
        self.std = rng.uniform(0.5, 0.9, (HORIZON, ACT_DIM))
        self.drawn: list[Any] = []
        self._rng = rng
        self._subject = subject
        self.plan = subject.call(
            "mpc.cem",
            self.objective,
            self.mean,
            self.std,
            LOW,
            HIGH,
            population_size=self.population,
            num_iterations=iterations,
            num_elites=self.elites,
            smoothing=self.smoothing,
            noise=self._noise,
            num_kept_elites=kept,
        )

    def _noise(self, n: int) -> Any:
        drawn = self._rng.normal(size=(_count(n), HORIZON, ACT_DIM))
        _count(len(self.drawn) + len(drawn))
        self.drawn.extend(drawn)
        return drawn

    def distributions(self, refit: Any = oracle.refit) -> list[tuple[Any, Any]]:
        """(mean, std) before each iteration and after the last, refitted to what was really scored."""
        current = [(self.mean, self.std)]
        for scored in self.objective.asked:
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

    def judge(self, check_with: Any) -> None:
        """Run a check with the oracle's refits; if it fails, with the student's own."""
        try:
            check_with(self.distributions())
        except CheckFailed:
            check_with(self.distributions(self.own_refit))

    def explained(self, scored: Any, mean: Any, std: Any) -> Any:
        """For each scored candidate: is it mean + std * (something that `noise` drew)?"""
        distance, nearest = self.nearest(scored, mean, std)
        own_draw = np.bincount(nearest, minlength=len(self.drawn))[nearest] == 1  # one draw makes one candidate
        return (distance < 1e-3) & own_draw

    def returns(self, scored: Any) -> Any:
        return -np.sum((scored - self.objective.target) ** 2, axis=(1, 2))

    def refit_to_unclipped(self, scored: Any, mean: Any, std: Any) -> Any:
        """The refit of an iteration if it had seen its candidates as they were before they were clipped."""
        raw = mean + std * np.array(self.drawn)[self.nearest(scored, mean, std)[1]]
        return oracle.refit(raw, self.returns(scored), mean, std, self.elites, self.smoothing)

    def follows_the_noise(self, scored: Any) -> bool:
        """Whether most candidates of an iteration rise and fall with what `noise` drew for it."""
        rows = (scored - scored.mean(axis=0)).reshape(len(scored), -1)
        draws = np.array(self.drawn).reshape(len(self.drawn), -1)
        draws = draws - draws.mean(axis=0)
        norms = np.linalg.norm(rows, axis=1)[:, None] * np.linalg.norm(draws, axis=1)
        alike = (rows @ draws.T) / np.maximum(norms, 1e-12)
        return bool(np.mean(alike.max(axis=1) > 0.8) > 0.5)

    def nearest(self, scored: Any, mean: Any, std: Any) -> tuple[Any, Any]:
        """For each scored candidate: the distance to the nearest draw's candidate, and the number of that draw."""
        made = np.clip(mean + std * np.array(self.drawn), LOW, HIGH)
        distance = np.abs(scored[:, None] - made[None]).max(axis=(2, 3))
        return distance.min(axis=1), distance.argmin(axis=1)


@graded("cem_plan", weight=3)
def test_cem_draws_scores_and_refits(subject: Subject, rng: RNG) -> None:
    """Each iteration scores clip(mean + std * noise) and refits to its elites; it returns the final mean, clipped."""
    run = _CemRun(subject, rng)
    _check_counts(run)

    def check_with(before: Any) -> None:
        used: set[int] = set()
        for number, (scored, (mean, std)) in enumerate(zip(run.objective.asked, before, strict=False)):
            _check_inside(scored)
            if run.explained(scored, mean, std).all():
                draws = set(run.nearest(scored, mean, std)[1].tolist())
                check(not draws & used, "two iterations used the same noise", "noise_not_used")
                used |= draws
                continue
            ones = np.ones_like(std)
            check(not run.explained(scored, mean, std**2).all(), "std**2 was used for std", "variance_for_std")
            check(not run.explained(scored, mean, ones).all(), "std was not used", "std_not_used")
            check(not run.explained(scored, mean, run.std).all(), "the first std was used again", "std_not_refit")
            check(not run.explained(scored, run.mean, std).all(), "the first mean was used again", "mean_not_refit")
            check(not run.explained(scored, run.mean, run.std).all(), "nothing was refitted", "mean_not_refit")
            if number > 0:
                earlier = run.objective.asked[number - 1]
                check(not _repeats(scored, earlier).any(), "earlier candidates compete again", "too_many_kept")
                raw = run.refit_to_unclipped(earlier, *before[number - 1])
                check(not run.explained(scored, *raw).all(), "the refit saw unclipped candidates", "not_clipped")
            cause = "candidates_misbuilt" if run.follows_the_noise(scored) else "noise_not_used"
            check(False, "candidates are not mean + std * noise", cause)
        _check_plan(run, before)

    run.judge(check_with)
    # However narrow the distribution has become, the search continues.
    _check_counts(_CemRun(subject, rng, iterations=20))


def _repeats(scored: Any, earlier: Any) -> Any:
    """For each candidate: was it scored in the iteration before, too?"""
    return np.abs(scored[:, None] - earlier[None]).max(axis=(2, 3)).min(axis=1) < 1e-6


@graded("cem_plan", weight=2)
def test_cem_clips_the_final_mean(subject: Subject, rng: RNG) -> None:
    """A mean outside the bounds is clipped, but only at the end; everything that is scored can be executed."""
    for iterations in (1, 2):
        run = _CemRun(subject, rng, iterations=iterations, mean_shift=-1.5)
        _check_counts(run)
        for scored in run.objective.asked:
            _check_inside(scored)
        run.judge(lambda before, run=run: _check_plan(run, before))


@graded("cem_plan", weight=2)
def test_cem_keeps_the_best_candidates(subject: Subject, rng: RNG) -> None:
    """The kept elites compete again, inside an unchanged population size."""
    run = _CemRun(subject, rng, kept=3)
    _check_counts(run)

    def check_with(before: Any) -> None:
        for previous, scored, (mean, std) in zip(
            run.objective.asked, run.objective.asked[1:], before[1:], strict=False
        ):
            returns = -np.sum((previous - run.objective.target) ** 2, axis=(1, 2))
            best = previous[np.argsort(-returns)[:3]]
            present = np.abs(scored[:, None] - best[None]).max(axis=(2, 3)).min(axis=0) < 1e-5
            check(
                bool(present.all()), "the best candidates of an iteration are missing from the next", "elites_not_kept"
            )
            explained = run.explained(scored, mean, std)
            if explained.sum() < run.population - 3:
                check(_repeats(scored, previous).sum() <= 3, "more than 3 candidates are kept", "too_many_kept")
                cause = "candidates_misbuilt" if run.follows_the_noise(scored) else "noise_not_used"
                check(False, "the other candidates are not mean + std * noise", cause)
        _check_plan(run, before)

    run.judge(check_with)


@graded("cem_plan", weight=0.5, needs_another=True)
def test_cem_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Mean, std and bounds are not changed in place."""
    plan, _ = call_and_check_inputs(
        subject,
        "mpc.cem",
        _Objective(rng),
        rng.uniform(-1, 1, (HORIZON, ACT_DIM)),
        rng.uniform(0.5, 1, (HORIZON, ACT_DIM)),
        LOW,
        HIGH,
        population_size=9,
        num_iterations=2,
        num_elites=3,
        smoothing=0.3,
        noise=lambda n: rng.normal(size=(_count(n), HORIZON, ACT_DIM)),
        num_kept_elites=2,
    )
    check_shape(plan, (HORIZON, ACT_DIM), "the plan")


def _check_inside(scored: Any) -> None:
    outside = (scored < LOW - 1e-5).any() or (scored > HIGH + 1e-5).any()
    check(not outside, "candidates outside the bounds were scored", "not_clipped")


def _check_counts(run: _CemRun) -> None:
    scored = sum(map(len, run.objective.asked))
    wanted = run.iterations * run.population
    message = f"{scored} candidates were scored, wanted {run.iterations} * {run.population}"
    check(len(run.drawn) > 0, "noise was never called", "noise_not_used")
    check(scored == wanted and len(run.objective.asked) == run.iterations, message, "wrong_candidate_count")
    for candidates in run.objective.asked:
        check_shape(candidates, (run.population, HORIZON, ACT_DIM), "the candidates of an iteration")
    check_shape(run.plan, (HORIZON, ACT_DIM), "the plan")


def _check_plan(run: _CemRun, before: Any) -> None:
    last = run.objective.asked[-1]
    returns = -np.sum((last - run.objective.target) ** 2, axis=(1, 2))
    (earlier_mean, _), (final_mean, final_std) = before[-2:]
    redrawn = np.clip(final_mean + final_std * np.array(run.drawn), LOW, HIGH)
    slips = {
        "returns_best_candidate": last[returns.argmax()],
        "mean_not_refit": np.clip(earlier_mean, LOW, HIGH),
        "returns_random_draw": AnyOf((*last, *redrawn)),
    }
    wanted = np.clip(final_mean, LOW, HIGH)
    if bool(((run.plan < LOW - 1e-3) | (run.plan > HIGH + 1e-3)).any()):
        slips["final_not_clipped"] = run.plan
    elites = last[np.argsort(-returns)[: run.elites]]
    slips["smoothing_ignored"] = elites.mean(axis=0)
    check_close(run.plan, wanted, "the plan: the final mean", slips=slips)


class _Planner:
    """Plans whose entries name their plan and their step: 10 * plan + step, in every action dimension."""

    def __init__(self, horizon: int) -> None:
        self.horizon = horizon
        self.means: list[Any] = []
        self.observations: list[Any] = []

    def __call__(self, observation: Any, mean: Any) -> Any:
        self.observations.append(np.array(observation))
        self.means.append(np.array(mean))
        return self.plan(len(self.means) - 1)

    def plan(self, number: int) -> Any:
        steps = 10.0 * (number + 1) + np.arange(self.horizon)
        return np.repeat(steps[:, None], ACT_DIM, axis=1) + np.array([0.0, 0.5])


def _controller(subject: Subject, planner: _Planner, initial_mean: Any, replan_every: int) -> Any:
    return subject.call("mpc.MPC", planner, initial_mean=initial_mean, replan_every=replan_every)


@graded("mpc_act", weight=3)
def test_mpc_executes_the_plan_and_replans_on_time(subject: Subject, rng: RNG) -> None:
    """Executes `replan_every` actions of each plan, in order, then plans from the current observation."""
    for horizon, every in ((4, 1), (5, 2), (6, 3), (3, 3)):
        planner, initial_mean = _Planner(horizon), rng.normal(size=(horizon, ACT_DIM))
        controller = _controller(subject, planner, initial_mean, every)
        steps = 2 * every + 1
        observations, actions = rng.normal(size=(steps, OBS_DIM)), []
        planned_at: list[int] = []
        for t in range(steps):
            actions.append(subject.call_method(controller, "act", observations[t]))
            planned_at += [t] * (len(planner.means) - len(planned_at))
        causes = {tuple(range(steps)): "replans_always", (0,): "never_replans"}
        wanted = tuple(range(0, steps, every))
        message = f"planned at the steps {planned_at}, replan_every={every}"
        check(len(set(planned_at)) == len(planned_at), message, "plans_twice")
        check(tuple(planned_at) == wanted, message, causes.get(tuple(planned_at), "replans_off_by_one"))
        for t in wanted:
            slips = {"stale_observation": AnyOf(tuple(observations[:t]))}
            check_close(planner.observations[t // every], observations[t], "what was planned from", slips=slips)
        for t in range(steps):
            number, step = divmod(t, every)
            plan = planner.plan(number)
            whole = (plan, plan[:every]) if every > 1 else (plan,)
            slips = {"executes_last_action": plan[-1 - step], "returns_whole_plan": AnyOf(whole)}
            if step > 0:
                slips["first_action_repeated"] = plan[0]
            elif t > 0:
                slips["count_not_reset"] = AnyOf(tuple(plan[1:]))
            check_close(actions[t], plan[step], f"action {t + 1}", slips=slips)


@graded("mpc_act", weight=2)
def test_mpc_starts_the_search_from_the_shifted_plan(subject: Subject, rng: RNG) -> None:
    """The search starts from the rest of the old plan, followed by the last rows of `initial_mean`."""
    for horizon, every in ((4, 1), (6, 4), (3, 3)):
        planner, initial_mean = _Planner(horizon), rng.normal(size=(horizon, ACT_DIM))
        controller = _controller(subject, planner, initial_mean, every)
        for _ in range(every + 1):
            subject.call_method(controller, "act", rng.normal(size=OBS_DIM))
        check(len(planner.means) == 2, f"{len(planner.means)} plans, wanted 2", "never_replans")
        check_close(planner.means[0], initial_mean, "where the first search starts")
        check(planner.means[1].ndim == 2, "the mean of the second search has no rows", "wrong_shape")
        plan, start = planner.plan(0), planner.means[1]
        rest, tail = plan[every:], initial_mean[horizon - every :]
        tails = (np.zeros((0, ACT_DIM)), *(initial_mean[k:] for k in range(horizon)))
        shifted = (np.concatenate([plan[k:], end]) for k in range(horizon) for end in tails if k != every)
        slips = {
            "no_warm_start": AnyOf((initial_mean, plan, np.concatenate([initial_mean[every:], tail]))),
            "shift_by_one": np.concatenate([plan[1:], initial_mean[-1:]]),
            "wrong_tail": AnyOf(
                (
                    np.concatenate([rest, np.zeros((every, ACT_DIM))]),
                    np.concatenate([rest, np.repeat(plan[-1:], every, axis=0)]),
                    np.concatenate([rest, initial_mean[:every]]),
                )
            ),
            "wrong_shift": AnyOf((*shifted, np.concatenate([plan, initial_mean]))),
        }
        if 0 < len(rest) < len(start) and np.allclose(start[: len(rest)], rest, atol=1e-4):
            slips["wrong_tail"] = AnyOf((start,))
        check_close(start, np.concatenate([rest, tail]), "where the second search starts", slips=slips)


@graded("mpc_act")
def test_mpc_forgets_the_plan_at_a_new_episode(subject: Subject, rng: RNG) -> None:
    """After `begin_episode` it plans again, from `initial_mean`, and executes the first action."""
    horizon, every = 5, 3
    for steps in (2, 4):
        planner, initial_mean = _Planner(horizon), rng.normal(size=(horizon, ACT_DIM))
        controller = _controller(subject, planner, initial_mean, every)
        for _ in range(steps):
            subject.call_method(controller, "act", rng.normal(size=OBS_DIM))
        num_plans = len(planner.means)
        old = planner.plan(num_plans - 1)
        subject.call_method(controller, "begin_episode")
        action = subject.call_method(controller, "act", rng.normal(size=OBS_DIM))
        check(len(planner.means) == num_plans + 1, "no new plan after begin_episode", "plan_survives_episode")
        left_over = [np.concatenate([old[k:], initial_mean[horizon - k :]]) for k in range(every + 1)]
        slips = {"plan_survives_episode": AnyOf(tuple(left_over))}
        if num_plans > 1 and planner.means[1].shape == initial_mean.shape:
            slips["inplace"] = planner.means[1]
        check_close(planner.means[-1], initial_mean, "where the search starts", slips=slips)
        plan = planner.plan(num_plans)
        for step in range(every):
            slips = {"plan_survives_episode": AnyOf((*plan[:step], *plan[step + 1 :], *planner.plan(num_plans + 1)))}
            check_close(action, plan[step], f"action {step + 1} of the new episode", slips=slips)
            if step + 1 < every:
                action = subject.call_method(controller, "act", rng.normal(size=OBS_DIM))


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

    def record(self, rng: RNG) -> None:
        self.steps += 1
        transition = Transition(rng.normal(size=OBS_DIM), rng.normal(size=ACT_DIM), rng.normal(size=OBS_DIM))
        self.subject.call_method(self.handle, "record", Transition(*map(AsNumPy, transition)))


def _check_schedule(agent: _Agent, wanted: list[int], slips: list[tuple[str, list[int]]]) -> None:
    if agent.fitted_at == wanted:
        return
    causes = [cause for cause, slip in slips if agent.fitted_at == slip]
    too_early = min(agent.fitted_at, default=wanted[0]) < wanted[0]
    otherwise = "fits_too_early" if too_early else "wrong_schedule"
    check(False, f"fitted after env steps {agent.fitted_at[:6]}", next(iter(causes), otherwise))


@graded("agent_record", weight=2)
def test_record_fits_on_schedule(subject: Subject, rng: RNG) -> None:
    """First fit after `initial_steps`, then every `refit_every` env steps, counted from the first fit."""
    for start, every in ((7, 4), (5, 1), (6, 9)):
        agent = _Agent(subject, initial_steps=start, refit_every=every)
        for _ in range(26):
            agent.record(rng)
        wanted = list(range(start, 27, every))
        slips = [
            ("fits_once", [start]),
            ("fits_every_step", list(range(start, 27))),
            ("fits_every_step", list(range(1, 27))),
            ("fits_too_early", list(range(every, 27, every))),
            ("fits_too_early", [step for step in range(1, 27) if step % every == 0 and step >= start]),
            ("fits_too_early", sorted({start, *(step for step in range(start, 27) if step % every == 0)})),
            ("fits_before_append", [step + 1 for step in wanted if step < 26]),
            ("not_appended", []),
        ]
        _check_schedule(agent, wanted, slips)


@graded("agent_record")
def test_record_fits_once_when_told_so(subject: Subject, rng: RNG) -> None:
    """With `refit_every` None the model is fitted exactly once."""
    agent = _Agent(subject, initial_steps=4, refit_every=None)
    for _ in range(12):
        agent.record(rng)
    slips = [("fits_every_step", list(range(4, 13))), ("fits_before_append", [5]), ("not_appended", [])]
    _check_schedule(agent, [4], slips)


@graded("agent_record", weight=2)
def test_record_keeps_every_transition(subject: Subject, rng: RNG) -> None:
    """Each fit sees all transitions so far, the newest included, and the controller acts after the first fit."""
    agent = _Agent(subject, initial_steps=3, refit_every=2)
    recorded: list[Transition] = []
    for _ in range(7):
        action = subject.call_method(agent.handle, "act", AsNumPy(rng.normal(size=OBS_DIM)))
        base = bool(np.allclose(action, -3.0))
        forgotten = "data_replaced" if agent.lengths else "not_appended"
        check(base == (len(recorded) < 3), "the wrong policy acts", forgotten if base else "fits_too_early")
        transition = Transition(rng.normal(size=OBS_DIM), rng.normal(size=ACT_DIM), rng.normal(size=OBS_DIM))
        recorded.append(transition)
        subject.call_method(agent.handle, "record", Transition(*map(AsNumPy, transition)))
    check(len(agent.lengths) > 0, "never fitted in 7 steps", "not_appended")
    check(len(agent.lengths) > 1, "fitted once in 7 steps, wanted three times", "fits_once")
    check(len(agent.lengths) == 3, f"{len(agent.lengths)} fits in 7 steps, wanted 3", "wrong_schedule")
    for wanted, length, content in zip((3, 5, 7), agent.lengths, agent.contents, strict=True):
        check(length != wanted - 1, "the newest transition is missing when the model is fitted", "fits_before_append")
        check(length >= wanted, f"{length} transitions at a fit, wanted {wanted}", "data_replaced")
        check(length == wanted, f"{length} transitions at a fit, wanted {wanted}", "wrong_value")
        for field, values in zip(content, zip(*recorded[:wanted], strict=True), strict=True):
            check_close(field, np.array(values), "the transitions at a fit")
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
