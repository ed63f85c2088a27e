"""Cliff hill: "go right to get higher!", until the ground ends (given).

The lecture's picture of distribution shift. Height rises with x; past the edge it drops to the bottom. Data from the
base policy stays left of the edge, so a model fitted to it predicts that the hill continues for ever.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from hw4.envs.world import NOMINAL_WORLD, World
from hw4.tasks import TASKS

EDGE_X = 3.0  # m; the ground ends here
BOTTOM_HEIGHT = -5.0  # m
CLIFF_SLOPE = 16.0  # m of fall per m beyond the edge: the bottom is half a metre away
RIDGE_CURVATURE = 0.15  # 1/m; the ridge falls off to both sides of y = 0
STEP_LENGTH = 0.2  # m moved by a full action
ARENA = 4.0  # m; positions are clipped to a square of this half-width, so the pit is small enough to climb out of
START_SPREAD = 0.1  # m; the start is uniform in a square of this half-width


def height(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height of the ground at positions of shape (..., 2); returns shape (...)."""
    x, y = position[..., 0], position[..., 1]
    ridge = x - RIDGE_CURVATURE * y**2
    fall = ridge - CLIFF_SLOPE * (x - EDGE_X)
    return np.where(x > EDGE_X, np.maximum(fall, BOTTOM_HEIGHT), ridge)


class CliffHillEnv(gymnasium.Env[NDArray[np.float64], NDArray[np.float32]]):
    """Observation (x, y, height), action (dx, dy) in [-1, 1]^2, 40 steps, never terminates."""

    task = TASKS["cliff_hill"]

    def __init__(self, world: World = NOMINAL_WORLD) -> None:
        low = np.array([-ARENA, -ARENA, -ARENA - RIDGE_CURVATURE * ARENA**2])
        self.observation_space = gymnasium.spaces.Box(low, np.array([ARENA, ARENA, EDGE_X]), dtype=np.float64)
        self.action_space = gymnasium.spaces.Box(
            self.task.action_low, self.task.action_high, (self.task.act_dim,), np.float32
        )
        self._step_length = STEP_LENGTH * world.actuator_gain * world.actuator_sign
        self._position = np.zeros(2)
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        super().reset(seed=seed)
        self._position = self.np_random.uniform(-START_SPREAD, START_SPREAD, 2)
        self._steps = 0
        return self._observation(), {}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        observation = self._observation()
        action = np.clip(np.asarray(action, dtype=np.float64), self.task.action_low, self.task.action_high)
        self._position = np.clip(self._position + self._step_length * action, -ARENA, ARENA)
        self._steps += 1
        next_observation = self._observation()
        reward = float(self.task.reward(observation, action, next_observation))
        return next_observation, reward, False, self._steps >= self.task.episode_length, {}

    def state(self) -> NDArray[np.float64]:
        """(x, y): enough to go back to this moment."""
        return self._position.copy()

    def set_state(self, state: NDArray[np.float64]) -> None:
        """Move to `state`, shape (2,)."""
        self._position = np.array(state, dtype=np.float64)

    def _observation(self) -> NDArray[np.float64]:
        return np.append(self._position, height(self._position))
