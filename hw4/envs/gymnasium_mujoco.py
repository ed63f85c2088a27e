"""What pusher, reacher and half-cheetah share: gymnasium's own simulation, as one of our tasks (given)."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import mujoco
import numpy as np
from numpy.typing import NDArray

from hw4.envs.world import World
from hw4.tasks import Task

# Positions, velocities, and what the constraint solver starts from: with these a motion repeats to the last bit.
STATE_PARTS = int(mujoco.mjtState.mjSTATE_FULLPHYSICS) | int(mujoco.mjtState.mjSTATE_WARMSTART)


class GymnasiumMujocoEnv(gymnasium.Env[NDArray[np.float64], NDArray[np.float32]]):
    """One of gymnasium's MuJoCo environments with clipped actions and a fixed episode length; never terminates."""

    task: ClassVar[Task]

    def __init__(self, simulator: Any, world: World) -> None:
        """
        Args:
            simulator: gymnasium's environment, a `MujocoEnv` without wrappers.
            world: multiplies the motors' gear, and masses with their moments of inertia.
        """
        self._simulator = simulator
        model = simulator.model
        model.body_mass[:] *= world.mass_scale
        model.body_inertia[:] *= world.mass_scale
        model.actuator_gear[:, 0] *= world.actuator_gain * world.actuator_sign
        mujoco.mj_setConst(model, simulator.data)  # derived constants follow the changed masses
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (self.task.obs_dim,), dtype=np.float64)
        self.action_space = gymnasium.spaces.Box(
            self.task.action_low, self.task.action_high, (self.task.act_dim,), np.float32
        )
        self._current = np.zeros(self.task.obs_dim)
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        super().reset(seed=seed)
        self._simulator.reset(seed=seed)
        self._begin()
        self._current = self._observe()
        self._steps = 0
        return self._current.copy(), {}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        observation = self._current
        exact = np.clip(np.asarray(action, dtype=np.float64), self.task.action_low, self.task.action_high)
        self._simulate(exact)
        self._current = self._observe()
        self._steps += 1
        reward = float(self.task.reward(observation, exact, self._current))
        return self._current.copy(), reward, False, self._steps >= self.task.episode_length, {}

    def state(self) -> NDArray[np.float64]:
        """Enough to go back to this moment, to the last bit: MuJoCo's time, positions, velocities and solver start."""
        state = np.empty(mujoco.mj_stateSize(self._simulator.model, STATE_PARTS))
        mujoco.mj_getState(self._simulator.model, self._simulator.data, state, STATE_PARTS)
        return state

    def set_state(self, state: NDArray[np.float64]) -> None:
        """Put the physics at a `state` that `state()` gave."""
        model, data = self._simulator.model, self._simulator.data
        mujoco.mj_setState(model, data, state, STATE_PARTS)
        mujoco.mj_forward(model, data)
        mujoco.mj_setState(model, data, state, STATE_PARTS)  # again: `mj_forward` may move the solver's start
        self._current = self._observe()

    def _begin(self) -> None:
        """Change the start of an episode that gymnasium has drawn."""

    def _simulate(self, action: NDArray[np.float64]) -> None:
        self._simulator.do_simulation(action, self._simulator.frame_skip)

    def _observe(self) -> NDArray[np.float64]:
        return np.asarray(self._simulator._get_obs(), dtype=np.float64)
