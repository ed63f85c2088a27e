"""The known reward of each task, once, for NumPy arrays and torch tensors alike (given).

Every function has the signature `reward(observation, action, next_observation)` with shapes (..., obs_dim),
(..., act_dim), (..., obs_dim) and returns shape (...). The reward is paid on arrival: what counts is where the
action leads, so the last action of a plan matters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from array_api_compat import array_namespace

Reward = Callable[[Any, Any, Any], Any]

CLIFF_HILL_ACTION_COST = 0.02
CARTPOLE_ACTION_COST = 0.01
CARTPOLE_POLE_LENGTH = 0.6  # m


def cliff_hill_reward(observation: Any, action: Any, next_observation: Any) -> Any:
    """Height reached, minus a small action cost: the cliff is nowhere in this line, only in the dynamics."""
    xp = array_namespace(next_observation)
    return next_observation[..., 2] - CLIFF_HILL_ACTION_COST * xp.sum(action**2, axis=-1)


def cartpole_reward(observation: Any, action: Any, next_observation: Any) -> Any:
    """exp(-(d / L)^2) - 0.01 a^2, where d is the distance from the pole's tip to the point L above the origin.

    The shape of this reward is that of PETS's cart-pole (Chua et al. 2018, appendix on environments).
    """
    xp = array_namespace(next_observation)
    x, sin, cos = next_observation[..., 0], next_observation[..., 1], next_observation[..., 2]
    horizontal = x / CARTPOLE_POLE_LENGTH + sin
    vertical = cos - 1.0
    return xp.exp(-(horizontal**2 + vertical**2)) - CARTPOLE_ACTION_COST * xp.sum(action**2, axis=-1)
