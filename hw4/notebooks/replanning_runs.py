"""What the notebook replanning measures; its recorded runs were made with these lines (given)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from hw4.commands.jupyter import (
    Array,
)
from hw4.experiments import EXPERIMENTS, Experiment, as_version
from hw4.rewards import CARTPOLE_ACTION_COST, CARTPOLE_POLE_LENGTH, Reward, cartpole_reward

CARTPOLE = as_version(EXPERIMENTS["cartpole"], "1.5")
ARMS: dict[str, Experiment] = {
    "1.5": CARTPOLE,  # plans 20 steps, replans at every step, refits every 100
    # one setting of 1.5 changed, all others as they are
    "replan every 20": dataclasses.replace(CARTPOLE, replan_every=20),
    "replan every 5": dataclasses.replace(CARTPOLE, replan_every=5),
    "random shooting": dataclasses.replace(CARTPOLE, planner="random_shooting"),
    # two and three settings at once: plans of 100 steps, executed whole
    "1.0": as_version(CARTPOLE, "1.0"),
    "0.5": as_version(CARTPOLE, "0.5"),
    # how often to refit, at equal gradient steps: 7,200 before the last action
    "refit every 25": dataclasses.replace(CARTPOLE, refit_every=25, gradient_steps=300),
    "refit every 300": dataclasses.replace(CARTPOLE, refit_every=300, gradient_steps=3600),
    "fit once": dataclasses.replace(CARTPOLE, refit_every=None, gradient_steps=7200),
}

# Planning with a model that learns no more: its planner, horizon and replan_every.
PLANNERS: dict[str, dict[str, Any]] = {
    "CEM, 180": {},
    "random, 180": {"planner": "random_shooting"},
    "random, 20": {"planner": "random_shooting", "population_size": 20, "num_iterations": 1},
}
HORIZONS = (5, 10, 20, 40)  # env steps
REPLAN_EVERY = (1, 5, 20)  # env steps
MAX_STEPS = 40  # of a roll-out whose error is measured

# One model, other rewards.
REUSED = EXPERIMENTS["cartpole_ensemble"]
SPIN_VELOCITY, SPIN_WIDTH = 8.0, 3.0  # rad/s
STAND_AT = 1.0  # m


def tip_position(observations: Array) -> Array:
    """Where the pole's tip is (m): from observations of shape (..., 5), shape (..., 2)."""
    x, sin, cos = observations[..., 0], observations[..., 1], observations[..., 2]
    return np.stack([x + CARTPOLE_POLE_LENGTH * sin, CARTPOLE_POLE_LENGTH * cos], axis=-1)


def roll_out_errors(predict: Callable[[Array, Array], Array], observations: Array, actions: Array) -> Array:
    """How far the imagined tip is from the real one (m) after 1 ... MAX_STEPS steps with the executed actions.

    Args:
        predict: the model, one step ahead: observations (starts, 5) and actions (starts, 1) to observations.
        observations: of one episode, shape (T + 1, 5).
        actions: as executed, shape (T, 1).

    Returns:
        shape (starts, MAX_STEPS): a roll-out from every step of the episode that leaves room for it.
    """
    starts = len(actions) - MAX_STEPS + 1
    state, errors = observations[:starts], []
    for k in range(MAX_STEPS):
        state = predict(state, actions[k : k + starts])
        real = observations[k + 1 : k + 1 + starts]
        errors.append(np.linalg.norm(tip_position(state) - tip_position(real), axis=-1))
    return np.stack(errors, axis=1)


def spin_reward(observation: Any, action: Any, next_observation: Any) -> Any:
    """exp(-((w - 8) / 3)^2) - 0.01 a^2, where w is the pole's angular velocity (rad/s)."""
    xp = array_namespace(next_observation)
    off = (next_observation[..., 4] - SPIN_VELOCITY) / SPIN_WIDTH
    return xp.exp(-(off**2)) - CARTPOLE_ACTION_COST * xp.sum(action**2, axis=-1)


def stand_reward(observation: Any, action: Any, next_observation: Any) -> Any:
    """The reward of the cart-pole with everything one metre to the right."""
    xp = array_namespace(next_observation)
    x, sin, cos = next_observation[..., 0], next_observation[..., 1], next_observation[..., 2]
    horizontal = (x - STAND_AT) / CARTPOLE_POLE_LENGTH + sin
    return xp.exp(-(horizontal**2 + (cos - 1.0) ** 2)) - CARTPOLE_ACTION_COST * xp.sum(action**2, axis=-1)


REWARDS: dict[str, Reward] = {"first": cartpole_reward, "spin": spin_reward, "stand": stand_reward}
