"""The published cart-pole in NumPy; swing-up by energy, and balance by a linear-quadratic regulator."""

from __future__ import annotations

from functools import cache
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from hw4.envs.cartpole import MJCF

Array = NDArray[Any]
STEP = 0.05  # s
GRAVITY = 9.81
NEAR_UPRIGHT, SLOW = 0.8, 8.5  # rad and rad/s: closer and slower than this, the regulator acts
ENERGY_GAIN, CENTER_GAINS = 22.5, (12.6, 4.9)
WEIGHTS, PRICE = np.diag([3.0, 3.0, 0.1, 0.1]), 0.05  # of x, angle and their velocities; of the action


@cache
def _constants() -> tuple[float, float, float, float, float, float, float]:
    """Masses of cart and pole, distance of the pole's centre from the hinge, its inertia, damping of both, gear."""
    model = mujoco.MjModel.from_xml_string(MJCF)
    cart, pole = (model.body(name).id for name in ("cart", "pole"))
    return (
        float(model.body_mass[cart]),
        float(model.body_mass[pole]),
        float(np.linalg.norm(model.body_ipos[pole])),
        float(model.body_inertia[pole].max()),
        float(model.dof_damping[0]),
        float(model.dof_damping[1]),
        float(model.actuator_gear[0, 0]),
    )


def _velocities(state: Array, force: Array | float) -> Array:
    """Of (x, angle, x velocity, angular velocity), shape (..., 4)."""
    cart, pole, length, inertia, slider, hinge, _ = _constants()
    _, angle, speed, turn = np.moveaxis(state, -1, 0)
    sin, cos = np.sin(angle), np.cos(angle)
    along = force - slider * speed + pole * length * sin * turn**2
    about = pole * GRAVITY * length * sin - hinge * turn
    a, b, c = cart + pole, pole * length * cos, inertia + pole * length**2
    determinant = a * c - b * b
    return np.stack([speed, turn, (c * along - b * about) / determinant, (a * about - b * along) / determinant], -1)


def _next_state(state: Array, force: Array | float) -> Array:
    """One step of the classical Runge-Kutta method."""
    one = _velocities(state, force)
    two = _velocities(state + STEP / 2 * one, force)
    three = _velocities(state + STEP / 2 * two, force)
    four = _velocities(state + STEP * three, force)
    return np.asarray(state + STEP / 6 * (one + 2 * two + 2 * three + four))


def _state_of(observation: Array) -> Array:
    x, sin, cos, speed, turn = np.moveaxis(observation, -1, 0)
    return np.stack([x, np.arctan2(sin, cos), speed, turn], axis=-1)


def predict(observation: Array, action: Array, drive: Array) -> Array:
    force = _constants()[-1] * (drive * action)[..., 0]
    x, angle, speed, turn = np.moveaxis(_next_state(_state_of(observation), force), -1, 0)
    return np.stack([np.clip(x, -3.0, 3.0), np.sin(angle), np.cos(angle), speed, turn], axis=-1)


@cache
def _gains() -> Array:
    """Of the regulator about the upright pole: action = -gains @ state, shape (4,)."""
    origin, small, gear = np.zeros(4), 1e-5, _constants()[-1]
    columns = [(_next_state(small * e, 0.0) - _next_state(origin, 0.0)) / small for e in np.eye(4)]
    a = np.stack(columns, axis=1)
    b = (_next_state(origin, small * gear) / small)[:, None]
    cost = WEIGHTS.copy()
    for _ in range(2000):  # the discrete Riccati equation, by iteration
        gain = np.linalg.solve(PRICE * np.eye(1) + b.T @ cost @ b, b.T @ cost @ a)
        cost = WEIGHTS + a.T @ cost @ (a - b @ gain)
    return np.asarray(gain[0])


def feedback(observation: Array, drive: Array) -> Array:
    """Pumps energy until the pole is nearly upright, and then balances it."""
    cart, pole, length, inertia, _, _, gear = _constants()
    state = _state_of(observation)
    x, angle, speed, turn = np.moveaxis(state, -1, 0)
    energy = (inertia + pole * length**2) * turn**2 / 2 + pole * GRAVITY * length * (np.cos(angle) - 1.0)
    acceleration = ENERGY_GAIN * energy * turn * np.cos(angle) - CENTER_GAINS[0] * x - CENTER_GAINS[1] * speed
    balances = (np.abs(angle) < NEAR_UPRIGHT) & (np.abs(turn) < SLOW)
    action = np.where(balances, -(state @ _gains()), acceleration * (cart + pole) / gear)
    return np.asarray(np.clip(action[..., None] / drive, -1.0, 1.0))
