"""Half-cheetah: gymnasium's HalfCheetah-v5 with the mean forward velocity in the observation (given).

gymnasium pays the mean forward velocity over a step, which its observation does not show: a planner with a learned
model could not price its plans. So it comes first here, and gymnasium's 17 numbers follow.
"""

from __future__ import annotations

import warnings

import mujoco
import numpy as np
from numpy.typing import NDArray

from hw4.envs.gymnasium_mujoco import GymnasiumMujocoEnv
from hw4.envs.world import NOMINAL_WORLD, World
from hw4.tasks import TASKS


class HalfCheetahEnv(GymnasiumMujocoEnv):
    """Observation of 18 numbers (see `hw4.tasks`), six commands in [-1, 1], 250 steps of 0.05 s."""

    task = TASKS["half_cheetah"]

    def __init__(self, world: World = NOMINAL_WORLD) -> None:
        from gymnasium.envs.mujoco.half_cheetah_v5 import HalfCheetahEnv as Simulator

        others = mujoco.get_mju_user_warning()
        mujoco.set_mju_user_warning(_warn_of_all_but_total_mass)
        try:
            simulator = Simulator()
        finally:
            mujoco.set_mju_user_warning(others)
        super().__init__(simulator, world)
        self._mean_velocity = 0.0  # m/s, over the last step

    def state(self) -> NDArray[np.float64]:
        """As MuJoCo's, and at the end the mean forward velocity over the last step."""
        return np.append(super().state(), self._mean_velocity)

    def set_state(self, state: NDArray[np.float64]) -> None:
        """Put the physics at a `state` that `state()` gave."""
        self._mean_velocity = float(state[-1])
        super().set_state(state[:-1])

    def _begin(self) -> None:
        self._mean_velocity = 0.0

    def _simulate(self, action: NDArray[np.float64]) -> None:
        before = self._simulator.data.qpos[0]
        super()._simulate(action)
        self._mean_velocity = float(self._simulator.data.qpos[0] - before) / self._simulator.dt

    def _observe(self) -> NDArray[np.float64]:
        return np.concatenate([[self._mean_velocity], super()._observe()])


def _warn_of_all_but_total_mass(message: str) -> None:
    """gymnasium's model sets its total mass in a way that MuJoCo 4 calls deprecated; this cannot be fixed here."""
    if "settotalmass" not in message:
        warnings.warn(message, stacklevel=2)
