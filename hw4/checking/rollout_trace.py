"""What a roll-out hands to its model and its reward: checked, remembered, and compared (given; NumPy only)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw4.checking.answers import CheckFailed, check, check_close

Array = NDArray[Any]
Slip = tuple[str, str]  # (what is wrong, its cause: a key of the hints)


class RolloutTrace:
    """Stands between a roll-out and its model and reward.

    Arguments that do not fit together fail at once, as arguments. Everything else is remembered, so that wrong returns
    can be put down to what the model or the reward was handed.

    Shapes: with E members the leading dimensions are (E, ...), without members (...).
    """

    def __init__(
        self,
        predict: Callable[[Array, Array], Array],
        reward: Callable[[Array, Array, Array], Array],
        observation: Array,
        action_sequences: Array,
        *,
        members: int | None = None,
    ) -> None:
        """
        Args:
            predict: the model, which answers for arguments of the documented shapes.
            reward: reward(observation, action, next_observation).
            observation: where all sequences start, shape (..., obs_dim).
            action_sequences: shape (..., num_sequences, horizon, act_dim).
            members: E, if the model is an ensemble.
        """
        self._predict, self._reward, self._members = predict, reward, members
        self.num_sequences, self.horizon, self._act_dim = action_sequences.shape[-3:]
        self._obs_dim = observation.shape[-1]
        lead = (() if members is None else (members,)) + observation.shape[:-1]
        self.shape = (*lead, self.num_sequences)  # of the returns
        self._start = np.broadcast_to(observation[..., None, :], (*self.shape, self._obs_dim))
        self._actions = [
            np.broadcast_to(action_sequences[..., t, :], (*self.shape, self._act_dim)) for t in range(self.horizon)
        ]
        self.predictions: list[tuple[Array, Array, Array]] = []  # (observation, action, prediction) of each call
        self.rewards: list[tuple[Array, Array, Array]] = []  # (observation, action, next observation) of each call

    def predict(self, observation: Array, action: Array) -> Array:
        self._check_fit("predict", [observation], action)
        if self._members is not None and (observation.ndim < 3 or observation.shape[0] != self._members):
            shown = observation.shape
            raise CheckFailed(
                f"predict was handed observations of shape {shown}, not (E, ..., num_sequences, obs_dim)", "member_axis"
            )
        prediction = np.asarray(self._predict(observation, action))
        self.predictions.append((np.array(observation), np.array(action), prediction))
        return prediction

    def reward(self, observation: Array, action: Array, next_observation: Array) -> Array:
        self._check_fit("reward", [observation, next_observation], action)
        self.rewards.append((np.array(observation), np.array(action), np.array(next_observation)))
        return np.asarray(self._reward(observation, action, next_observation))

    def check_returns(self, returns: Any, wanted: Array, what: str, *, slips: Mapping[str, Any] | None = None) -> None:
        """`check_close` for the returns. What the model and the reward were handed comes before the slips listed."""
        try:
            check_close(returns, wanted, what, slips=slips)
        except CheckFailed as failure:
            found = self.slip() if failure.cause != "returns_none" else None
            if found is None:
                raise
            raise CheckFailed(f"{what}: {found[0]}", found[1]) from failure

    def check_calls(self) -> None:
        """Exactly `horizon` calls of predict, each about everything."""
        calls = len(self.predictions)
        whole = all(observation.shape[:-1] == self.shape for observation, _, _ in self.predictions)
        cause = "extra_predictions" if whole else "loop_over_sequences"
        check(calls == self.horizon, f"{calls} calls of predict for a horizon of {self.horizon}", cause)
        check(whole, "predict was called with a part of the sequences", "loop_over_sequences")

    def slip(self) -> Slip | None:
        """The first thing that was handed over and is not what it should be, if that can be told for certain."""
        whole = all(observation.shape[:-1] == self.shape for observation, _, _ in self.predictions)
        if len(self.predictions) != self.horizon or not whole:
            return None
        return self._slip_of_actions("predict", [action for _, action, _ in self.predictions]) or (
            self._slip_of_states() or self._slip_of_rewards()
        )

    # Do the arguments fit together? -----------------------------------------------------------------------------------

    def _check_fit(self, name: str, observations: list[Array], action: Array) -> None:
        arguments = (observations[0], action, *observations[1:])
        shapes = ", ".join(str(np.shape(argument)) for argument in arguments)
        if any(not isinstance(argument, np.ndarray) or argument.ndim == 0 for argument in arguments):
            raise CheckFailed(f"{name} was called with something else than arrays: {shapes}", "arguments_do_not_fit")
        dims = [observation.shape[-1] for observation in observations]
        leads = {argument.shape[:-1] for argument in arguments}
        if len(leads) == 1 and action.shape[-1] == self._act_dim and set(dims) == {self._obs_dim}:
            return
        states = max(math.prod(observation.shape[:-1]) for observation in observations)
        fewest = min(math.prod(observation.shape[:-1]) for observation in observations)
        actions = math.prod(action.shape[:-1])
        message, cause = (
            f"{name} was called with the shapes {shapes}, which do not fit together",
            "arguments_do_not_fit",
        )
        if action.shape[-1] == self._act_dim and set(dims) == {self._obs_dim}:
            if self._members not in (None, 1) and actions * (self._members or 1) == states:
                message, cause = f"{message}: actions were not repeated for every member", "actions_not_repeated"
            elif actions > fewest and fewest in (1, actions // self.num_sequences):
                message, cause = f"{message}: the start was not expanded to all sequences", "start_not_expanded"
        raise CheckFailed(message, cause)

    # Are they the right ones? -----------------------------------------------------------------------------------------

    def _slip_of_actions(self, name: str, seen: list[Array]) -> Slip | None:
        pairs = list(zip(seen, self._actions, strict=True))
        if all(_same(one, wanted) for one, wanted in pairs):
            return None
        if all(any(_same(one, other) for other in self._actions) for one in seen):
            return f"{name} sees the actions of another step", "wrong_step_action"
        if all(_same(one, np.broadcast_to(one[..., :1, :], one.shape)) and _has_rows(one, own) for one, own in pairs):
            return f"{name} sees one sequence's action for all sequences", "one_action_for_all"
        if all(_has_rows(one, wanted) for one, wanted in pairs):
            return f"{name} sees the actions of other sequences", "actions_misaligned"
        if all(_is_clipped(one, wanted) for one, wanted in pairs):
            return f"{name} sees actions that were cut off", "values_clamped"
        return None

    def _slip_of_states(self) -> Slip | None:
        wanted = [self._start, *(prediction for _, _, prediction in self.predictions[:-1])]
        seen = [observation for observation, _, _ in self.predictions]
        pairs = list(zip(seen, wanted, strict=True))
        if all(_same(one, state) for one, state in pairs):
            return None
        if all(_same(one, self._start) for one in seen):
            return "predict always sees the start", "state_not_propagated"
        if self._members is not None and all(_same(one, np.mean(state, axis=0)) for one, state in pairs):
            return "predict sees the mean of the members' states", "states_averaged"
        if self._members is not None and all(_same(one, state[:1]) for one, state in pairs):
            return "every member sees the first member's states", "one_member_only"
        if self._members is not None and all(_comes_from_members(one, state) for one, state in pairs):
            return "members see the states of other members", "members_resampled"
        if all(_has_rows(one, state) for one, state in pairs):
            return "predict sees the states of other sequences", "states_misaligned"
        if all(_is_clipped(one, state) for one, state in pairs):
            return "predict sees states that were cut off", "values_clamped"
        return None

    def _slip_of_rewards(self) -> Slip | None:
        calls = [
            tuple(argument.reshape(*self.shape, -1) for argument in call)
            for call in self.rewards
            if math.prod(call[0].shape[:-1]) == math.prod(self.shape)
        ]
        if len(calls) != len(self.rewards) or not 0 < len(calls) <= self.horizon:
            return None
        steps = [next((t for t, own in enumerate(self.predictions) if _same(call[2], own[2])), None) for call in calls]
        if len(calls) < self.horizon:
            known = {
                tuple(range(self.horizon - 1)): ("the last step is not paid", "last_action_ignored"),
                tuple(range(1, self.horizon)): ("the first step is not paid", "first_reward_missing"),
                (self.horizon - 1,): ("only the last step is paid", "last_reward_only"),
            }
            return known.get(tuple(step for step in steps if step is not None))
        states = [observation for observation, _, _ in self.predictions]
        arrivals = [prediction for _, _, prediction in self.predictions]
        before, actions, after = (list(column) for column in zip(*calls, strict=True))
        if _all_same(after, states) and not _all_same(after, arrivals):
            return "the reward sees the old observation as the next one", "reward_on_old_observation"
        if self._members is not None and not _all_same(after, arrivals):
            means = [np.broadcast_to(arrival.mean(axis=0), arrival.shape) for arrival in arrivals]
            if _all_same(after, means):
                return "the reward sees the mean of the members' states", "states_averaged"
        if not _all_same(before, states) and (_all_same(before, arrivals) or not any(map(np.any, before))):
            return "the reward does not see the old observation first", "reward_arguments"
        if not _all_same(before, states) and _all_same(before, [self._start] * len(before)):
            return "the reward always sees the start as the old observation", "reward_arguments"
        if not any(map(np.any, actions)) and any(map(np.any, self._actions)):
            return "the reward sees actions of 0", "reward_arguments"
        return self._slip_of_actions("the reward", actions)


def _same(seen: Array, wanted: Array) -> bool:
    try:
        return bool(np.allclose(seen, np.broadcast_to(wanted, seen.shape), rtol=1e-4, atol=1e-4))
    except ValueError:
        return False


def _all_same(seen: list[Array], wanted: list[Array]) -> bool:
    return all(_same(one, other) for one, other in zip(seen, wanted, strict=True))


def _has_rows(seen: Array, wanted: Array) -> bool:
    """Whether every row of one is a row of the other."""
    rows, known = seen.reshape(-1, seen.shape[-1]), wanted.reshape(-1, wanted.shape[-1])
    if len(rows) * len(known) > 1_000_000:
        rows = rows[:: len(rows) * len(known) // 1_000_000 + 1]
    return bool((np.abs(rows[:, None] - known[None]).max(axis=2).min(axis=1) < 1e-3).all())


def _comes_from_members(seen: Array, states: Array) -> bool:
    """Whether every row is what some member predicted for it."""
    return bool((np.abs(seen[:, None] - states[None]).max(axis=-1).min(axis=1) < 1e-3).all())


def _is_clipped(seen: Array, wanted: Array) -> bool:
    """Whether values are cut off at some size: equal up to it, and equal to it beyond."""
    largest = float(np.abs(seen).max(initial=0.0))
    return bool(np.allclose(seen, np.clip(wanted, -largest, largest), rtol=1e-4, atol=1e-4))


class Drift:
    """A model and a reward whose returns are known without a roll-out: each action moves the state by a fixed step.

    With E members every member has steps of its own.
    """

    def __init__(self, obs_dim: int, act_dim: int, *, members: int | None = None, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._steps = rng.normal(size=(() if members is None else (members,)) + (act_dim, obs_dim))
        self._old, self._new, self._price = rng.normal(size=obs_dim), rng.normal(size=obs_dim), rng.normal(size=act_dim)
        self._members = members

    def predict(self, observation: Array, action: Array) -> Array:
        steps = self._steps
        if self._members is not None:
            steps = steps.reshape(self._members, *(1,) * (action.ndim - 3), *steps.shape[-2:])
        prediction: Array = observation + action @ steps
        return prediction

    def reward(self, observation: Array, action: Array, next_observation: Array) -> Array:
        reward: Array = observation @ self._old + next_observation @ self._new + action @ self._price
        return reward

    def returns(self, observation: Array, action_sequences: Array) -> Array:
        """Shape (..., num_sequences), or (E, ..., num_sequences)."""
        actions = action_sequences if self._members is None else action_sequences[None]
        steps = self._steps
        if self._members is not None:
            steps = steps.reshape(self._members, *(1,) * (actions.ndim - 3), *steps.shape[-2:])
        moves = actions @ steps
        after = observation[..., None, None, :] + moves.cumsum(axis=-2)
        each: Array = (after - moves) @ self._old + after @ self._new + action_sequences @ self._price
        return np.asarray(each.sum(axis=-1))
