"""Numerical methods of the topic `system_identification`: Runge-Kutta and Levenberg-Marquardt (given).

A state is (x, q, x', q'): the place of the cart in m, the angle of the pole from upright, and how fast they change.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

# Gain (m/s^2 of a full command), log mass ratio and log length (m): no robot of this course is outside.
LOW, HIGH = (-200.0, math.log(0.01), math.log(0.05)), (200.0, math.log(10.0), math.log(5.0))
NUM_STEPS = 25
FIRST_DAMPING, MORE, LESS = 1e-3, 10.0, 0.1
DIFFERENCE = 1e-7  # of a parameter, for the derivatives
NEGLIGIBLE = 1e-9  # a step that is no longer is the last
LARGEST_LOG_CHANGE = 1.0  # of mass ratio and length, in one step


def state_of(observation: Tensor) -> Tensor:
    """(x, sin q, cos q, x', q') -> (x, q, x', q'), shapes (..., 5) and (..., 4)."""
    x, sin, cos, velocity, angular_velocity = observation.unbind(-1)
    return torch.stack([x, torch.atan2(sin, cos), velocity, angular_velocity], dim=-1)


def observation_of(state: Tensor) -> Tensor:
    """(x, q, x', q') -> (x, sin q, cos q, x', q'), shapes (..., 4) and (..., 5)."""
    x, angle, velocity, angular_velocity = state.unbind(-1)
    return torch.stack([x, angle.sin(), angle.cos(), velocity, angular_velocity], dim=-1)


def runge_kutta(derivative: Callable[[Tensor], Tensor], state: Tensor, seconds: float) -> Tensor:
    """The state `seconds` later, by one step of the classical fourth-order Runge-Kutta method.

    Args:
        derivative: of states with respect to time; shape (..., 4) -> (..., 4).
        state: shape (..., 4).
        seconds: how long the step is.
    """
    k1 = derivative(state)
    k2 = derivative(state + seconds / 2 * k1)
    k3 = derivative(state + seconds / 2 * k2)
    k4 = derivative(state + seconds * k3)
    return state + seconds / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def levenberg_marquardt(residuals: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """A local minimum of the sum of squared residuals, between LOW and HIGH.

    Each step solves the problem with the residuals replaced by straight lines, and with a penalty on its length that
    grows when a step is of no use and shrinks when it is. For three parameters, differences are the cheapest
    derivatives: a small part of the time that `torch.func.jacfwd` takes, for the same answer.

    Args:
        residuals: of parameters of shape (3,); any shape.
        start: shape (3,).

    Returns:
        The parameters, shape (3,).
    """
    low, high = torch.tensor(LOW).to(start), torch.tensor(HIGH).to(start)
    most = torch.tensor([math.inf, LARGEST_LOG_CHANGE, LARGEST_LOG_CHANGE]).to(start)

    @torch.no_grad()
    def flat(parameters: Tensor) -> Tensor:
        return residuals(parameters).flatten()

    parameters, damping = start.detach().clamp(low, high), FIRST_DAMPING
    now = flat(parameters)
    for _ in range(NUM_STEPS):
        nearby = [flat(parameters + DIFFERENCE * unit) for unit in torch.eye(3).to(start)]
        jacobian = (torch.stack(nearby, dim=1) - now[:, None]) / DIFFERENCE  # (number of residuals, 3)
        curvature = jacobian.T @ jacobian
        penalty = damping * torch.diag(curvature.diagonal() + 1e-9)
        step = torch.linalg.solve(curvature + penalty, jacobian.T @ now)
        proposal = (parameters - step.clamp(-most, most)).clamp(low, high)
        then, length = flat(proposal), float((proposal - parameters).abs().max())
        if (then**2).sum() < (now**2).sum():
            parameters, now, damping = proposal, then, damping * LESS
        else:
            damping = damping * MORE
        if length <= NEGLIGIBLE:
            break
    return parameters
