"""The pendulum of the topic `moment_matching`: gymnasium's, hanging at first, and slower to control (given).

Its motor is too weak to lift it at once: it has to swing. Physics and masses are those of gymnasium's `Pendulum-v1`.
What differs: the motor is a quarter stronger, episodes begin near hanging and last 3.5 seconds, an action is held for
0.1 s, and the reward of a step is the height of the pendulum's end, from 0 (hanging) to 1 (upright).
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.classic_control.pendulum import PendulumEnv
from numpy.typing import NDArray

Array = NDArray[Any]

NUM_SUBSTEPS = 2  # of gymnasium's 0.05 s
SECONDS = 0.05 * NUM_SUBSTEPS  # in a control step
EPISODE_LENGTH = 35  # control steps
MAX_TORQUE = 2.5  # N m; to hold the pendulum level takes 5
START_MEAN = (np.pi, 0.0)  # angle from upright (rad), angular velocity (rad/s)
START_STD = 0.05  # of both


class SwingUpEnv(gymnasium.Env[Array, Array]):
    """Swing-up with actions from -1 to 1; an observation is (cos, sin, angular velocity)."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (3,))
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))

    def __init__(self) -> None:
        self._pendulum = PendulumEnv()
        self._pendulum.max_torque = MAX_TORQUE
        self._num_steps = 0

    def state(self) -> Array:
        """The angle from upright, which counts full turns, and the angular velocity, shape (2,)."""
        return np.array(self._pendulum.state)

    def set_state(self, state: Array) -> None:
        self._pendulum.state = np.array(state, dtype=float)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        self._pendulum.reset(seed=seed)
        self.set_state(START_MEAN + START_STD * self.np_random.standard_normal(2))
        self._num_steps = 0
        return self._observation(), {}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        torque = MAX_TORQUE * np.clip(np.asarray(action, dtype=float), -1.0, 1.0)
        for _ in range(NUM_SUBSTEPS):
            self._pendulum.step(torque)  # type: ignore[no-untyped-call]
        self._num_steps += 1
        return self._observation(), height(self.state()), False, self._num_steps >= EPISODE_LENGTH, {}

    def _observation(self) -> Array:
        angle, velocity = self.state()
        return np.array([np.cos(angle), np.sin(angle), velocity])


def height(state: Array) -> float:
    """Of the pendulum's end, from 0 to 1."""
    return float((1.0 + np.cos(state[0])) / 2.0)
