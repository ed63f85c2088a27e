"""Reacher: gymnasium's Reacher-v5 with fixed goals; a two-link arm brings its tip to a target (given).

gymnasium draws the target anywhere in a disc, and most of the noise of a learning curve is then where it happened to
lie. Here it is one of GOALS, which the reset's seed picks: the four are equally far from the arm's base.
"""

from __future__ import annotations

import mujoco

from hw4.envs.gymnasium_mujoco import GymnasiumMujocoEnv
from hw4.envs.world import NOMINAL_WORLD, World
from hw4.tasks import TASKS

GOALS = ((0.06, 0.12), (0.06, -0.12), (-0.06, 0.12), (-0.06, -0.12))  # m; the arm starts stretched along x


class ReacherEnv(GymnasiumMujocoEnv):
    """Observation of 10 numbers (see `hw4.tasks`), two commands in [-1, 1], 50 steps of 0.02 s."""

    task = TASKS["reacher"]

    def __init__(self, world: World = NOMINAL_WORLD) -> None:
        from gymnasium.envs.mujoco.reacher_v5 import ReacherEnv as Simulator

        super().__init__(Simulator(), world)

    def _begin(self) -> None:
        self._simulator.data.qpos[-2:] = GOALS[self.np_random.integers(len(GOALS))]
        mujoco.mj_forward(self._simulator.model, self._simulator.data)
