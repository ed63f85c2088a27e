"""Noisy field: one patch where the ground is noisy, and one that random data never visits (given).

The two kinds of uncertainty, apart. In the noisy patch, next to the start, every step ends somewhere else:
more data will not help, and members of an ensemble come to agree that it is noisy (aleatoric). In the turned patch
around the goal every move goes a quarter turn to the left: nothing there is noisy, but data of the base policy does not
reach it, so members can only guess until an agent has been there (epistemic).
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from hw4.envs.world import NOMINAL_WORLD, World
from hw4.rewards import NOISY_FIELD_GOAL
from hw4.tasks import TASKS

START = (-1.5, 0.0)  # m
START_SPREAD = 0.1  # m; the start is uniform in a square of this half-width
NOISY_CENTER = (-0.7, 0.0)  # m
NOISY_RADIUS = 0.7  # m
NOISE_STD = 0.1  # m, in x and in y, added to each step that begins in the noisy patch
TURNED_CENTER = NOISY_FIELD_GOAL
TURNED_RADIUS = 1.0  # m
STEP_LENGTH = 0.2  # m moved by a full action
ARENA = 4.0  # m; positions are clipped to a square of this half-width


def is_noisy(position: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether positions of shape (..., 2) are in the noisy patch; returns shape (...)."""
    return _is_inside(position, NOISY_CENTER, NOISY_RADIUS)


def is_turned(position: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether positions of shape (..., 2) are in the turned patch; returns shape (...)."""
    return _is_inside(position, TURNED_CENTER, TURNED_RADIUS)


def mean_move(position: NDArray[np.float64], action: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where actions lead on average in the nominal world, without walls: fields and result of shape (..., 2), in m."""
    quarter_turn = np.stack([-action[..., 1], action[..., 0]], axis=-1)
    return STEP_LENGTH * np.where(is_turned(position)[..., None], quarter_turn, action)


class NoisyFieldEnv(gymnasium.Env[NDArray[np.float64], NDArray[np.float32]]):
    """Observation (x, y), action (dx, dy) in [-1, 1]^2, 40 steps, never terminates. Has no masses."""

    task = TASKS["noisy_field"]

    def __init__(self, world: World = NOMINAL_WORLD) -> None:
        self.observation_space = gymnasium.spaces.Box(-ARENA, ARENA, (self.task.obs_dim,), dtype=np.float64)
        self.action_space = gymnasium.spaces.Box(
            self.task.action_low, self.task.action_high, (self.task.act_dim,), np.float32
        )
        self._gain = world.actuator_gain * world.actuator_sign
        self._position = np.array(START)
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        super().reset(seed=seed)
        self._position = np.array(START) + self.np_random.uniform(-START_SPREAD, START_SPREAD, 2)
        self._steps = 0
        return self._position.copy(), {}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        observation = self._position
        exact = np.clip(np.asarray(action, dtype=np.float64), self.task.action_low, self.task.action_high)
        noise = NOISE_STD * self.np_random.standard_normal(2)  # drawn everywhere: no path changes the stream
        move = self._gain * mean_move(observation, exact) + np.where(is_noisy(observation), noise, 0.0)
        self._position = np.clip(observation + move, -ARENA, ARENA)
        self._steps += 1
        next_observation = self._position.copy()
        reward = float(self.task.reward(observation, exact, next_observation))
        return next_observation, reward, False, self._steps >= self.task.episode_length, {}

    def state(self) -> NDArray[np.float64]:
        """(x, y): enough to go back to this place; the noise of later steps is not part of it."""
        return self._position.copy()

    def set_state(self, state: NDArray[np.float64]) -> None:
        """Move to `state`, shape (2,)."""
        self._position = np.array(state, dtype=np.float64)


def _is_inside(position: NDArray[np.float64], center: tuple[float, float], radius: float) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = np.sum((position - np.array(center)) ** 2, axis=-1) < radius**2
    return inside
