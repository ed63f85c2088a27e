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
LEDGE_EDGE = 3.0  # m; the ground ends here
LEDGE_CURVATURE = 0.15  # 1/m; the ridge falls off to both sides of y = 0
LEDGE_DROP = 20.0  # the reward of a step that ends past the edge is minus this
LEDGE_ACTION_COST = 0.02
BRIDGE_FROM, BRIDGE_TO = 1.0, 2.2  # m; the gorge
BRIDGE_HALF_WIDTH = 0.5  # m
BRIDGE_DROP = 10.0  # the reward of a step that ends in the gorge is minus this
BRIDGE_FAR_REWARD = 3.0  # of a step that ends in the far meadow
BRIDGE_ACTION_COST = 0.02
WINDY_PLAIN_GOAL = (3.0, 0.0)  # m
WINDY_PLAIN_ACTION_COST = 0.02
NOISY_FIELD_GOAL = (2.5, 0.0)  # m
NOISY_FIELD_ACTION_COST = 0.02
PUSHER_ACTION_COST = 0.1
PUSHER_REACH_WEIGHT = 0.5
REACHER_ACTION_COST = 1.0
HALF_CHEETAH_ACTION_COST = 0.1


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


def ledge_reward(observation: Any, action: Any, next_observation: Any) -> Any:
    """Height of the ground up to the edge, minus the drop past it, minus a small action cost: the map is known."""
    xp = array_namespace(next_observation)
    x, y = next_observation[..., 0], next_observation[..., 1]
    ground = xp.where(x > LEDGE_EDGE, xp.full_like(x, -LEDGE_DROP), x - LEDGE_CURVATURE * y**2)
    return ground - LEDGE_ACTION_COST * xp.sum(action**2, axis=-1)


def bridge_reward(observation: Any, action: Any, next_observation: Any) -> Any:
    """A rising meadow and a bridge, a gorge beside it, a flat and better meadow behind; minus a small action cost."""
    xp = array_namespace(next_observation)
    x, y = next_observation[..., 0], next_observation[..., 1]
    over_the_gorge = (x > BRIDGE_FROM) & (x < BRIDGE_TO)
    ground = xp.where(over_the_gorge & (xp.abs(y) > BRIDGE_HALF_WIDTH), xp.full_like(x, -BRIDGE_DROP), 0.5 + 0.3 * x)
    ground = xp.where(x >= BRIDGE_TO, xp.full_like(x, BRIDGE_FAR_REWARD), ground)
    return ground - BRIDGE_ACTION_COST * xp.sum(action**2, axis=-1)


def windy_plain_reward(observation: Any, action: Any, next_observation: Any) -> Any:
    """Minus the distance to the goal, minus a small action cost."""
    return _towards(WINDY_PLAIN_GOAL, WINDY_PLAIN_ACTION_COST, action, next_observation)


def noisy_field_reward(observation: Any, action: Any, next_observation: Any) -> Any:
    """Minus the distance to the goal, minus a small action cost: neither patch is in this line."""
    return _towards(NOISY_FIELD_GOAL, NOISY_FIELD_ACTION_COST, action, next_observation)


def _towards(goal: tuple[float, float], action_cost: float, action: Any, next_observation: Any) -> Any:
    xp = array_namespace(next_observation)
    to_goal_x = next_observation[..., 0] - goal[0]
    to_goal_y = next_observation[..., 1] - goal[1]
    return -xp.sqrt(to_goal_x**2 + to_goal_y**2) - action_cost * xp.sum(action**2, axis=-1)


def pusher_reward(observation: Any, action: Any, next_observation: Any) -> Any:
    """Minus the distance object to goal, minus half the distance tip to object, minus 0.1 |a|^2: gymnasium's own."""
    xp = array_namespace(next_observation)
    tip, thing, goal = next_observation[..., 14:17], next_observation[..., 17:20], next_observation[..., 20:23]
    to_goal = xp.sqrt(xp.sum((thing - goal) ** 2, axis=-1))
    to_thing = xp.sqrt(xp.sum((thing - tip) ** 2, axis=-1))
    return -to_goal - PUSHER_REACH_WEIGHT * to_thing - PUSHER_ACTION_COST * xp.sum(action**2, axis=-1)


def reacher_reward(observation: Any, action: Any, next_observation: Any) -> Any:
    """Minus the distance of the fingertip from the target, minus |a|^2: gymnasium's own."""
    xp = array_namespace(next_observation)
    distance = xp.sqrt(xp.sum(next_observation[..., 8:10] ** 2, axis=-1))
    return -distance - REACHER_ACTION_COST * xp.sum(action**2, axis=-1)


def half_cheetah_reward(observation: Any, action: Any, next_observation: Any) -> Any:
    """Mean forward velocity over the step, minus 0.1 |a|^2: gymnasium's own."""
    xp = array_namespace(next_observation)
    return next_observation[..., 0] - HALF_CHEETAH_ACTION_COST * xp.sum(action**2, axis=-1)
