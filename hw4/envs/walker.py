"""A walker on noisy ground: what ledge, bridge and windy plain have in common (given)."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from hw4.envs.world import NOMINAL_WORLD, World
from hw4.tasks import Task

STEP_LENGTH = 0.2  # m moved by a full action
ARENA = 4.0  # m; positions are clipped to a square of this half-width, so one can always come back
START_SPREAD = 0.1  # m; the start is uniform in a square of this half-width


class WalkerEnv(gymnasium.Env[NDArray[np.float64], NDArray[np.float32]]):
    """Observation (x, y), action (dx, dy) in [-1, 1]^2; never terminates. Has no masses."""

    task: ClassVar[Task]
    noise_std: float  # m, in x and in y, added to each step

    def __init__(self, world: World = NOMINAL_WORLD) -> None:
        self.observation_space = gymnasium.spaces.Box(-ARENA, ARENA, (self.task.obs_dim,), dtype=np.float64)
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
        return self._position.copy(), {}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        observation = self._position
        exact = np.clip(np.asarray(action, dtype=np.float64), self.task.action_low, self.task.action_high)
        noise = self.noise_std * self.np_random.standard_normal(2)
        self._position = np.clip(self.mean(observation, exact) + noise, -ARENA, ARENA)
        self._steps += 1
        next_observation = self._position.copy()
        reward = float(self.task.reward(observation, exact, next_observation))
        return next_observation, reward, False, self._steps >= self.task.episode_length, {}

    def mean(self, position: NDArray[np.float64], action: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where an action leads on average, without walls: positions and actions of shape (..., 2)."""
        return position + self._step_length * action

    def state(self) -> NDArray[np.float64]:
        """(x, y): enough to go back to this place; the noise of later steps is not part of it."""
        return self._position.copy()

    def set_state(self, state: NDArray[np.float64]) -> None:
        """Move to `state`, shape (2,)."""
        self._position = np.array(state, dtype=np.float64)
