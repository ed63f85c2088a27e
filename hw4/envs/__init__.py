"""The environments: gymnasium's API, one file each (given)."""

from __future__ import annotations

from hw4.envs.bridge import BridgeEnv
from hw4.envs.cartpole import CartPoleEnv
from hw4.envs.cliff_hill import CliffHillEnv
from hw4.envs.half_cheetah import HalfCheetahEnv
from hw4.envs.ledge import LedgeEnv
from hw4.envs.noisy_field import NoisyFieldEnv
from hw4.envs.pets_cartpole import PetsCartPoleEnv
from hw4.envs.pusher import PusherEnv
from hw4.envs.reacher import ReacherEnv
from hw4.envs.walker import WalkerEnv
from hw4.envs.windy_plain import WindyPlainEnv
from hw4.envs.world import NOMINAL_WORLD, World

Environment = (
    CliffHillEnv | CartPoleEnv | WalkerEnv | NoisyFieldEnv | PusherEnv | ReacherEnv | HalfCheetahEnv | PetsCartPoleEnv
)

ENVIRONMENTS: dict[str, type[Environment]] = {
    "cliff_hill": CliffHillEnv,
    "cartpole": CartPoleEnv,
    "ledge": LedgeEnv,
    "bridge": BridgeEnv,
    "windy_plain": WindyPlainEnv,
    "noisy_field": NoisyFieldEnv,
    "pusher": PusherEnv,
    "reacher": ReacherEnv,
    "half_cheetah": HalfCheetahEnv,
    "pets_cartpole": PetsCartPoleEnv,
}


def make_env(task_name: str, world: World = NOMINAL_WORLD) -> Environment:
    """The environment of a task in a given world. Raises KeyError for an unknown task."""
    return ENVIRONMENTS[task_name](world=world)


__all__ = [
    "ENVIRONMENTS",
    "NOMINAL_WORLD",
    "BridgeEnv",
    "CartPoleEnv",
    "CliffHillEnv",
    "Environment",
    "HalfCheetahEnv",
    "LedgeEnv",
    "NoisyFieldEnv",
    "PetsCartPoleEnv",
    "PusherEnv",
    "ReacherEnv",
    "WalkerEnv",
    "WindyPlainEnv",
    "World",
    "make_env",
]
