"""Independent answers for the topic system_identification, in NumPy and float64.

Accelerations come from the two Lagrange equations as a linear system, derivatives from differences, and fits from
Gauss-Newton steps that start next to the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw4.transitions import Transition

Array = NDArray[Any]
Step = Callable[[Array, Array, Array], Array]  # (parameters, observations, actions) -> next observations

GRAVITY = 9.81
NUM_SUBSTEPS, SECONDS = 2, 0.025
LOW, HIGH = np.array([-200.0, np.log(0.01), np.log(0.05)]), np.array([200.0, np.log(10.0), np.log(5.0)])  # of a fit


def accelerations(parameters: Array, state: Array, action: Array) -> Array:
    """x'' and q'', shape (..., 2), of the states (x, q, x', q')."""
    return of_numbers(float(parameters[0]), float(np.exp(parameters[1])), float(np.exp(parameters[2])), state, action)


def of_numbers(gain: float, ratio: float, length: float, state: Array, action: Array) -> Array:
    """(1 + r) x'' + r l cos(q) q'' = gain a + r l sin(q) q'^2   and   cos(q) x'' + l q'' = g sin(q)."""
    sin, cos, speed = np.sin(state[..., 1]), np.cos(state[..., 1]), state[..., 3]
    matrix = np.empty((*sin.shape, 2, 2))
    matrix[..., 0, 0], matrix[..., 0, 1] = 1 + ratio, ratio * length * cos
    matrix[..., 1, 0], matrix[..., 1, 1] = cos, length
    right = np.stack([gain * action[..., 0] + ratio * length * sin * speed**2, GRAVITY * sin], axis=-1)
    return np.asarray(np.linalg.solve(matrix, right[..., None])[..., 0])


def state_of(observation: Array) -> Array:
    x, sin, cos, velocity, angular_velocity = np.moveaxis(observation, -1, 0)
    return np.stack([x, np.arctan2(sin, cos), velocity, angular_velocity], axis=-1)


def observation_of(state: Array) -> Array:
    x, angle, velocity, angular_velocity = np.moveaxis(state, -1, 0)
    return np.stack([x, np.sin(angle), np.cos(angle), velocity, angular_velocity], axis=-1)


def step(
    parameters: Array,
    observation: Array,
    action: Array,
    *,
    substeps: int = NUM_SUBSTEPS,
    seconds: float = SECONDS,
    order: int = 4,
    of: Callable[[Array, Array, Array], Array] = accelerations,
) -> Array:
    """The next observation, shape (..., 5). `order` 1 is Euler's method, 2 the midpoint rule, 0 semi-implicit Euler."""
    state = state_of(np.asarray(observation, float))

    def derivative(state: Array) -> Array:
        return np.concatenate([state[..., 2:], of(parameters, state, action)], axis=-1)

    for _ in range(substeps):
        first = derivative(state)
        if order == 0:
            velocity = state[..., 2:] + seconds * first[..., 2:]
            state = np.concatenate([state[..., :2] + seconds * velocity, velocity], axis=-1)
        elif order == 1:
            state = state + seconds * first
        elif order == 2:
            state = state + seconds * derivative(state + seconds / 2 * first)
        else:
            second = derivative(state + seconds / 2 * first)
            third = derivative(state + seconds / 2 * second)
            fourth = derivative(state + seconds * third)
            state = state + seconds / 6 * (first + 2 * second + 2 * third + fourth)
    return observation_of(state)


def energy(parameters: Array, observation: Array) -> Array:
    """Of a cart of mass 1 and its point mass, shape (...); 0 where the pole lies level and all is at rest."""
    ratio, length = np.exp(parameters[1:])
    _, _, cos, velocity, angular_velocity = np.moveaxis(observation, -1, 0)
    kinetic = (1 + ratio) * velocity**2 / 2 + ratio * length * cos * velocity * angular_velocity
    return np.asarray(kinetic + ratio * length**2 * angular_velocity**2 / 2 + ratio * GRAVITY * length * cos)


def derivatives(parameters: Array, observation: Array, action: Array) -> tuple[Array, Array, Array]:
    """Of the next observation by each argument, for one transition, by differences: (5, 3), (5, 5) and (5, 1)."""
    arguments = [np.asarray(value, float) for value in (parameters, observation, action)]
    answers = []
    for place, value in enumerate(arguments):
        columns = []
        for unit in np.eye(len(value)):
            ends = [[*arguments[:place], value + sign * 1e-5 * unit, *arguments[place + 1 :]] for sign in (1, -1)]
            columns.append((step(*ends[0]) - step(*ends[1])) / 2e-5)
        answers.append(np.stack(columns, axis=-1))
    return answers[0], answers[1], answers[2]


def fit(transitions: Transition, near: Array, *, scale: Array | None = None, num_steps: int = 12) -> Array:
    """The least squares of residuals in units of `scale` (else of the std of the changes), searched from `near`."""
    observation, action, wanted = (np.asarray(part, float) for part in transitions)
    units = (wanted - observation).std(axis=0) if scale is None else scale
    parameters = np.array(near, float)

    def residuals(at: Array) -> Array:
        return ((step(at, observation, action) - wanted) / units).ravel()  # type: ignore[no-any-return]

    for _ in range(num_steps):
        columns = [(residuals(parameters + d) - residuals(parameters - d)) / 2e-5 for d in 1e-5 * np.eye(3)]
        change = np.linalg.lstsq(np.stack(columns, axis=1), residuals(parameters), rcond=None)[0]
        parameters = np.clip(parameters - np.clip(change, [-np.inf, -1, -1], [np.inf, 1, 1]), LOW, HIGH)
    return parameters
