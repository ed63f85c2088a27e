"""Pusher: gymnasium's Pusher-v5; an arm of seven joints pushes a cylinder to a goal (given)."""

from __future__ import annotations

from hw4.envs.gymnasium_mujoco import GymnasiumMujocoEnv
from hw4.envs.world import NOMINAL_WORLD, World
from hw4.tasks import TASKS


class PusherEnv(GymnasiumMujocoEnv):
    """Observation of 23 numbers (see `hw4.tasks`), seven torques in [-2, 2], 100 steps of 0.05 s."""

    task = TASKS["pusher"]

    def __init__(self, world: World = NOMINAL_WORLD) -> None:
        from gymnasium.envs.mujoco.pusher_v5 import PusherEnv as Simulator

        super().__init__(Simulator(), world)
