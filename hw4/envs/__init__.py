"""The environments: gymnasium's API, one file each (given)."""

from __future__ import annotations

from hw4.envs.cartpole import CartPoleEnv
from hw4.envs.cliff_hill import CliffHillEnv
from hw4.envs.world import NOMINAL_WORLD, World

Environment = CliffHillEnv | CartPoleEnv

ENVIRONMENTS: dict[str, type[Environment]] = {
    "cliff_hill": CliffHillEnv,
    "cartpole": CartPoleEnv,
}


def make_env(task_name: str, world: World = NOMINAL_WORLD) -> Environment:
    """The environment of a task in a given world. Raises KeyError for an unknown task."""
    return ENVIRONMENTS[task_name](world=world)


__all__ = ["ENVIRONMENTS", "NOMINAL_WORLD", "CartPoleEnv", "CliffHillEnv", "Environment", "World", "make_env"]
