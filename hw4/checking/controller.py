"""A planner whose plans can be told apart, and what a controller makes of them (given; NumPy only)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw4.checking.answers import AnyOf, CheckFailed, check, check_close
from hw4.checking.subject import Handle, Subject

Array = NDArray[Any]


class NumberedPlanner:
    """Plans whose entries name their plan and their step: 100 * plan + step + half of the action's number."""

    def __init__(self, horizon: int, act_dim: int, *, first: int = 1) -> None:
        self.horizon, self.act_dim, self.first = horizon, act_dim, first
        self.means: list[Array] = []  # where each search started
        self.observations: list[Array] = []

    def __call__(self, observation: Any, mean: Any) -> Array:
        fits = np.ndim(observation) == 1 and np.ndim(mean) == 2
        shapes = f"{np.shape(observation)} and {np.shape(mean)}"
        check(fits, f"the planner was called with arguments of the shapes {shapes}", "arguments_do_not_fit")
        self.observations.append(np.array(observation))
        self.means.append(np.array(mean))
        return self.plan(len(self.means) - 1)

    def plan(self, number: int) -> Array:
        """Plan `number`, counted from 0, shape (horizon, act_dim)."""
        steps = 100.0 * (number + self.first) + np.arange(self.horizon)
        return np.asarray(steps[:, None] + 0.5 * np.arange(self.act_dim))


def check_actions(
    subject: Subject, controller: Handle, planner: NumberedPlanner, replan_every: int, observations: Array
) -> None:
    """Act once for each observation, shape (env steps, obs_dim): the first of a new episode, then the following."""
    steps, first = len(observations), len(planner.means)
    actions: list[Any] = []
    planned_at: list[int] = []
    for t in range(steps):
        actions.append(subject.call_method(controller, "act", observations[t]))
        planned_at += [t] * (len(planner.means) - first - len(planned_at))
    causes = {tuple(range(0, steps, planner.horizon)): "never_replans", tuple(range(steps)): "replans_always"}
    wanted = tuple(range(0, steps, replan_every))
    message = f"planned at the steps {planned_at}, replan_every={replan_every}"
    check(len(set(planned_at)) == len(planned_at), message, "plans_twice")
    if tuple(planned_at) != wanted:
        second = [planner.plan(first + number)[1:2] for number in range(1, len(planned_at))]
        begun = zip(second, planned_at[1:], strict=True)
        if second and all(np.shape(actions[t]) == one.shape[1:] and np.allclose([actions[t]], one) for one, t in begun):
            raise CheckFailed(message, "action_skipped")
        raise CheckFailed(message, causes.get(tuple(planned_at), "replans_off_by_one"))
    for t in wanted:
        slips = {"stale_observation": AnyOf(tuple(observations[:t]))}
        seen = planner.observations[first + t // replan_every]
        check_close(seen, observations[t], "what was planned from", slips=slips)
    for t in range(steps):
        number, step = divmod(t, replan_every)
        plan = planner.plan(first + number)
        whole = (plan, plan[:replan_every]) if replan_every > 1 else (plan,)
        slips = {"executes_last_action": plan[-1 - step], "returns_whole_plan": AnyOf(whole)}
        slips["values_clamped"] = np.clip(plan[step], -1.0, 1.0)
        if len(plan) > step + 1:
            slips["action_skipped"] = plan[step + 1]
        if step > 0:
            slips["first_action_repeated"] = plan[0]
        elif t > 0:
            slips["count_not_reset"] = AnyOf(tuple(plan[1:]))
        check_close(actions[t], plan[step], f"action {t + 1}", slips=slips)


def check_start(planner: NumberedPlanner, initial_mean: Array, number: int, replan_every: int) -> None:
    """Where search `number` starts, counted from 0."""
    horizon, act_dim = initial_mean.shape
    start, plan = planner.means[number], planner.plan(number - 1)
    check(start.ndim == 2, f"the mean of search {number + 1} has no rows", "wrong_shape")
    rest, tail = plan[replan_every:], initial_mean[horizon - replan_every :]
    tails = (np.zeros((0, act_dim)), *(initial_mean[k:] for k in range(horizon)))
    shifted = (np.concatenate([plan[k:], end]) for k in range(horizon) for end in tails if k != replan_every)
    slips = {
        "no_warm_start": AnyOf((initial_mean, plan, np.concatenate([initial_mean[replan_every:], tail]))),
        "shift_by_one": np.concatenate([plan[1:], initial_mean[-1:]]),
        "wrong_tail": AnyOf(
            (
                np.concatenate([rest, np.zeros((replan_every, act_dim))]),
                np.concatenate([rest, np.repeat(plan[-1:], replan_every, axis=0)]),
                np.concatenate([rest, initial_mean[:replan_every]]),
            )
        ),
        "wrong_shift": AnyOf((*shifted, np.concatenate([plan, initial_mean]))),
    }
    if 0 < len(rest) < len(start) and np.allclose(start[: len(rest)], rest, atol=1e-4):
        slips["wrong_tail"] = AnyOf((start,))
    if number > 1:
        older = [planner.plan(n)[replan_every:] for n in range(number - 1)]
        stale = AnyOf(tuple(np.concatenate([one, tail]) for one in older))
        slips = {"stale_plan": stale, "warm_only_once": slips.pop("no_warm_start"), **slips}
    check_close(start, np.concatenate([rest, tail]), f"where search {number + 1} starts", slips=slips)
