"""What a roll-out hands to its model and its reward: checked, remembered, and compared (given; NumPy only)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from hw4.checking.answers import CheckFailed, Slips, check, check_close
from hw4.checking.compared_states import Array, all_same, has_rows, is_clipped, same
from hw4.checking.particle_slips import Particles

Slip = tuple[str, str]  # (what is wrong, its cause: a key of the hints)


class RolloutTrace:
    """Stands between a roll-out and its model and reward.

    Arguments that do not fit together fail at once, as arguments. Everything else is remembered, so that wrong returns
    can be put down to what the model or the reward was handed.

    Shapes: with noise the model is an ensemble of E members with P particles each, and the leading dimensions are
    (E, P); without noise they are those of the start, (...).
    """

    def __init__(
        self,
        predict: Callable[[Array, Array], Any],
        reward: Callable[[Array, Array, Array], Array],
        observation: Array,
        action_sequences: Array,
        *,
        noise: Array | None = None,
    ) -> None:
        """
        Args:
            predict: the model, which answers for arguments of the documented shapes: with the next observation, or,
                if there is noise, with the mean and the variance of it.
            reward: reward(observation, action, next_observation).
            observation: where all sequences start, shape (..., obs_dim).
            action_sequences: shape (..., num_sequences, horizon, act_dim).
            noise: what the particles meet, shape (horizon, E, P, obs_dim).
        """
        self._predict, self._reward, self._noise = predict, reward, noise
        self.num_sequences, self.horizon, self._act_dim = action_sequences.shape[-3:]
        self._obs_dim = observation.shape[-1]
        lead = observation.shape[:-1] if noise is None else noise.shape[1:3]
        self.shape = (*lead, self.num_sequences)  # of the returns
        self._start = np.broadcast_to(observation[..., None, :], (*self.shape, self._obs_dim))
        self._actions = [
            np.broadcast_to(action_sequences[..., t, :], (*self.shape, self._act_dim)) for t in range(self.horizon)
        ]
        self.predictions: list[tuple[Array, Array, Any]] = []  # (observation, action, prediction) of each call
        self.rewards: list[tuple[Array, Array, Array]] = []  # (observation, action, next observation) of each call

    def predict(self, observation: Array, action: Array) -> Any:
        self._check_fit("predict", [observation], action)
        if self._noise is not None:
            members, particles = self._noise.shape[1:3]
            shape = observation.shape
            if observation.ndim != 4 or shape[0] != members or shape[1] > particles:
                raise CheckFailed(
                    f"predict was handed observations of shape {shape}, not (E, P, num_sequences, obs_dim)",
                    "member_axis",
                )
        prediction = self._predict(observation, action)
        self.predictions.append((np.array(observation), np.array(action), prediction))
        return prediction

    def reward(self, observation: Array, action: Array, next_observation: Array) -> Array:
        self._check_fit("reward", [observation, next_observation], action)
        self.rewards.append((np.array(observation), np.array(action), np.array(next_observation)))
        return np.asarray(self._reward(observation, action, next_observation))

    def check_returns(
        self,
        returns: Any,
        wanted: Array,
        what: str,
        *,
        slips: Slips | Callable[[], Slips] | None = None,
        otherwise: str = "wrong_value",
    ) -> None:
        """`check_close` for the returns. What the model and the reward were handed comes before the slips listed."""
        try:
            check_close(returns, wanted, what, slips=slips, otherwise=otherwise)
        except CheckFailed as failure:
            found = self.slip() if failure.cause != "returns_none" else None
            if found is None:
                raise
            raise CheckFailed(f"{what}: {found[0]}", found[1]) from failure

    def check_calls(self) -> None:
        """Exactly `horizon` calls of predict, each about everything."""
        calls = len(self.predictions)
        shapes = [observation.shape[:-1] for observation, _, _ in self.predictions]
        cause = "extra_predictions"
        if any(shape[-1] != self.num_sequences for shape in shapes):
            cause = "loop_over_sequences"
        elif any(shape != self.shape for shape in shapes):
            cause = "loop_over_particles"
        elif calls < self.horizon:
            cause = "first_reward_only" if calls == 1 else "last_action_ignored"
        check(calls == self.horizon, f"{calls} calls of predict for a horizon of {self.horizon}", cause)
        check(cause == "extra_predictions", "predict was called with a part of the particles or sequences", cause)

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
        if name == "reward" and self._lacks_axis_in_noise(observations[1].shape):
            message, cause = f"{message}: the noise has no axis for the sequences", "noise_not_expanded"
        elif action.shape[-1] == self._act_dim and set(dims) == {self._obs_dim}:
            copies = math.prod(self.shape[:-1]) if self._noise is not None else 1
            if actions < states and copies > 1 and actions in self._sizes_without_copies(states):
                message = f"{message}: actions were not repeated for every member and particle"
                cause = "actions_not_repeated"
            elif actions > fewest and fewest in (1, actions // self.num_sequences):
                message, cause = f"{message}: the start was not expanded to all sequences", "start_not_expanded"
            elif is_flattened(observations[0].shape, action.shape):
                message, cause = f"{message}: the start has lost its batch dimensions", "start_flattened"
        raise CheckFailed(message, cause)

    def _lacks_axis_in_noise(self, shape: tuple[int, ...]) -> bool:
        """Whether it is the shape of states plus the noise of a step, had that no axis for the sequences."""
        if self._noise is None:
            return False
        try:
            return shape == np.broadcast_shapes((*self.shape, self._obs_dim), self._noise.shape[1:])
        except ValueError:  # that sum fails before there is a reward
            return False

    def _sizes_without_copies(self, states: int) -> set[int]:
        """How many actions there are for so many states if members, particles or both share them."""
        members, particles = self.shape[:2]
        return {states // copies for copies in (members, particles, members * particles) if copies > 1}

    # Are they the right ones? -----------------------------------------------------------------------------------------

    def _slip_of_actions(self, name: str, seen: list[Array]) -> Slip | None:
        pairs = list(zip(seen, self._actions, strict=True))
        if all(same(one, wanted) for one, wanted in pairs):
            return None
        if all(any(same(one, other) for other in self._actions) for one in seen):
            return f"{name} sees the actions of another step", "wrong_step_action"
        if all(same(one, np.broadcast_to(one[..., :1, :], one.shape)) and has_rows(one, own) for one, own in pairs):
            return f"{name} sees one sequence's action for all sequences", "one_action_for_all"
        if all(has_rows(one, wanted) for one, wanted in pairs):
            return f"{name} sees the actions of other sequences", "actions_misaligned"
        if all(is_clipped(one, wanted) for one, wanted in pairs):
            return f"{name} sees actions that were cut off", "values_clamped"
        return None

    def _slip_of_states(self) -> Slip | None:
        wanted = [self._start, *self._arrivals()[:-1]]
        seen = [observation for observation, _, _ in self.predictions]
        if all_same(seen, wanted):
            return None
        if all(same(one, self._start) for one in seen):
            return "predict always sees the start", "state_not_propagated"
        if self._noise is not None:
            return self._slip_of_particles("predict", seen[1:]) if same(seen[0], self._start) else None
        if all(has_rows(one, state) for one, state in zip(seen, wanted, strict=True)):
            return "predict sees the states of other sequences", "states_misaligned"
        if all(is_clipped(one, state) for one, state in zip(seen, wanted, strict=True)):
            return "predict sees states that were cut off", "values_clamped"
        return None

    def _arrivals(self) -> list[Array]:
        """Where each call of predict leads."""
        if self._noise is None:
            return [np.asarray(prediction) for _, _, prediction in self.predictions]
        particles = Particles(self._noise, [prediction for _, _, prediction in self.predictions])
        return [particles.arrival(t) for t in range(self.horizon)]

    def _slip_of_particles(self, name: str, seen: list[Array]) -> Slip | None:
        """What is wrong with states that were seen after the first steps."""
        if self._noise is None:
            return None
        slip = Particles(self._noise, [prediction for _, _, prediction in self.predictions]).slip(seen)
        return None if slip is None else (f"{name} {slip[0]}", slip[1])

    def _slip_of_rewards(self) -> Slip | None:
        calls = [
            tuple(argument.reshape(*self.shape, -1) for argument in call)
            for call in self.rewards
            if math.prod(call[0].shape[:-1]) == math.prod(self.shape)
        ]
        if len(calls) != len(self.rewards) or not 0 < len(calls) <= self.horizon:
            return None
        arrivals = self._arrivals()
        steps = [next((t for t, own in enumerate(arrivals) if same(call[2], own)), None) for call in calls]
        if len(calls) < self.horizon:
            known = {
                tuple(range(self.horizon - 1)): ("the last step is not paid", "last_action_ignored"),
                tuple(range(1, self.horizon)): ("the first step is not paid", "first_reward_missing"),
                (self.horizon - 1,): ("only the last step is paid", "last_reward_only"),
            }
            return known.get(tuple(step for step in steps if step is not None))
        states = [observation for observation, _, _ in self.predictions]
        before, actions, after = (list(column) for column in zip(*calls, strict=True))
        if all_same(after, states) and not all_same(after, arrivals):
            return "the reward sees the old observation as the next one", "reward_on_old_observation"
        if not all_same(after, arrivals):
            slip = self._slip_of_particles("the reward", after)
            if slip is not None:
                return slip
        if not all_same(before, states) and (all_same(before, arrivals) or not any(map(np.any, before))):
            return "the reward does not see the old observation first", "reward_arguments"
        if not all_same(before, states) and all_same(before, [self._start] * len(before)):
            return "the reward always sees the start as the old observation", "reward_arguments"
        if not any(map(np.any, actions)) and any(map(np.any, self._actions)):
            return "the reward sees actions of 0", "reward_arguments"
        return self._slip_of_actions("the reward", actions)


def is_flattened(observation: tuple[int, ...], action: tuple[int, ...]) -> bool:
    """Whether observations of this shape have lost the batch dimensions that the actions have, and are not too few."""
    return 2 == len(observation) < len(action) and observation[0] not in (1, action[0])


class Drift:
    """A model and a reward whose returns are known without a roll-out: each action moves the state by a fixed step."""

    def __init__(self, obs_dim: int, act_dim: int, *, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._steps = rng.normal(size=(act_dim, obs_dim))
        self._old, self._new, self._price = rng.normal(size=obs_dim), rng.normal(size=obs_dim), rng.normal(size=act_dim)

    def predict(self, observation: Array, action: Array) -> Array:
        prediction: Array = observation + action @ self._steps
        return prediction

    def reward(self, observation: Array, action: Array, next_observation: Array) -> Array:
        reward: Array = observation @ self._old + next_observation @ self._new + action @ self._price
        return reward

    def returns(self, observation: Array, action_sequences: Array) -> Array:
        """Shape (..., num_sequences)."""
        moves = action_sequences @ self._steps
        after = observation[..., None, None, :] + moves.cumsum(axis=-2)
        each: Array = (after - moves) @ self._old + after @ self._new + action_sequences @ self._price
        return np.asarray(each.sum(axis=-1))
