"""System identification: known equations with three unknown numbers, fitted to one trial (optional topic).

A network has to learn what a cart-pole is. Somebody who knows the equations has to learn three numbers, and needs far
less data for that ("system identification in classical robotics", as the lecture calls it). The robots of this topic
differ in pole, cart and motor; some of their motors are wired the other way round. An agent identifies its robot from
a single trial of random actions and then plans with the equations, without ever fitting again.

A planar cart with any rigid pole moves exactly as a cart with a point mass on a rod without mass. So these three
numbers are enough:

    gain        the motor's force at a full command over the cart's mass, in m/s^2
    log ratio   the logarithm of the point mass over the cart's mass
    log length  the logarithm of the rod's length in m

Masses and force come in as ratios only: twice the masses with twice the force move in the same way. Ratio and length
are positive, so their logarithms are fitted. The gain is not: of a motor that is wired the other way round, it is
below 0.

    python -m pytest hw4/tests -m "physics_step or fit_parameters"

The robots are in hw4/envs/system_identification.py, numerical methods in hw4/topics/system_identification_solver.py;
both are given. "..." stands for any leading batch dimensions, including none.
"""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.functional import jacobian

from hw4.mpc import MPC, Objective, cem, sequence_returns
from hw4.noise import colored_noise
from hw4.rewards import cartpole_reward
from hw4.topics.system_identification_solver import levenberg_marquardt, observation_of, runge_kutta, state_of
from hw4.transitions import Transition

GRAVITY = 9.81  # m/s^2
NUM_SUBSTEPS, SECONDS_PER_SUBSTEP = 2, 0.025  # in one control step: those of the simulator
NEAR_STOPS = 2.7  # m; the rail ends at 3 m, and from here on a cart may run into the stop within a step
START = (0.0, 0.0, 0.0)  # of the search: a gain that prefers neither sign, a mass ratio of 1 and a length of 1 m
MIN_TRANSITIONS = 10  # away from the stops


def physics_step(parameters: Tensor, observation: Tensor, action: Tensor) -> Tensor:
    """The observation one control step later, by the equations of a cart with a point mass (`physics_step`).

    With x the place of the cart, q the angle of the pole from upright, and g = `GRAVITY`:

        x'' = (gain * action + ratio * sin(q) * (length * q'^2 - g * cos(q))) / (1 + ratio * sin(q)^2)
        q'' = (g * sin(q) - cos(q) * x'') / length

    There is no friction, and the rail has no end. A control step consists of `NUM_SUBSTEPS` steps of the given
    `runge_kutta`, each of `SECONDS_PER_SUBSTEP`; the action stays the same. `state_of` and `observation_of` (given)
    convert an observation to the state (x, q, x', q') and back. So the result is what the simulator of a robot without
    friction computes, up to rounding: in double precision within 1e-8.

    Leave the result differentiable in all three arguments, so that it serves any method that asks for gradients.

    Args:
        parameters: gain (not a logarithm), log ratio and log length, shape (3,).
        observation: (x, sin q, cos q, x', q'), shape (..., 5).
        action: the motor command, shape (..., 1).

    Returns:
        The next observation, shape (..., 5). The arguments are unchanged.

    Public test: pytest hw4/tests -m physics_step
    """
    # TODO(physics_step): about 11 lines; write the derivative of the state, no loop over the batch.
    raise NotImplementedError("physics_step: write physics_step in hw4/topics/system_identification.py")


def fit_parameters(transitions: Transition) -> Tensor:
    """The parameters that explain a robot's transitions best, by least squares (`fit_parameters`).

    With s_n, a_n and s'_n the transitions that count, and i a feature of an observation:

        residual[n, i] = (physics_step(parameters, s_n, a_n)[i] - s'_n[i]) / scale[i]
        scale[i]       = standard deviation over n of s'_n[i] - s_n[i]

    The parameters have the smallest sum of all squared residuals.

    1. Only transitions away from the stops count: those with |x| <= `NEAR_STOPS` both before and after the step. The
       equations know no stops, and a few impacts would bias the fit more than all the friction does.
    2. Search with the given `levenberg_marquardt`, from `START`. The gain enters the equations as a plain number, so
       the search walks straight to either sign; a logarithm of the gain could never change its sign.

    The given code before yours turns the transitions into double precision. Whatever the data, the answer is finite.

    Args:
        transitions: of one robot, fields of shape (num_transitions, dim). Those near the stops are among them.

    Returns:
        Gain, log ratio and log length, shape (3,).

    Raises:
        ValueError: fewer than `MIN_TRANSITIONS` transitions away from the stops, numbers that are not finite, or a
            feature that never changes (checked for you above the TODO).

    Public test: pytest hw4/tests -m fit_parameters
    """
    transitions = Transition(*(field.double() for field in transitions))
    _check_transitions(transitions)
    # TODO(fit_parameters): about 7 lines; call `physics_step` and `levenberg_marquardt`, no loop over n.
    raise NotImplementedError("fit_parameters: write fit_parameters in hw4/topics/system_identification.py")


def _check_transitions(transitions: Transition) -> None:
    if not all(bool(field.isfinite().all()) for field in transitions):
        raise ValueError("the transitions contain numbers that are not finite")
    extent = torch.maximum(transitions.observation[:, 0].abs(), transitions.next_observation[:, 0].abs())
    away = transitions.select(extent <= NEAR_STOPS)
    if len(away.action) < MIN_TRANSITIONS:
        raise ValueError(f"{len(away.action)} transitions are away from the stops, must be at least {MIN_TRANSITIONS}")
    still = (away.next_observation == away.observation).all(dim=0)
    if still.any():
        raise ValueError(f"feature {int(still.nonzero()[0])} never changes: there is nothing to identify")


# The rest is given. ---------------------------------------------------------------------------------------------------

HORIZON = 20  # the planner's settings are those of the experiment "cartpole"
INITIAL_STD, NOISE_COLOR = 0.7, 1.0
PLANNER: dict[str, Any] = {
    "population_size": 60,
    "num_iterations": 3,
    "num_elites": 10,
    "num_kept_elites": 3,
    "smoothing": 0.1,
}


def controller_of(parameters: Tensor, *, seed: int) -> MPC:
    """Model-predictive control with the equations as its model (given).

    Args:
        parameters: shape (3,).
        seed: of the candidates.
    """
    generator, single = torch.Generator().manual_seed(seed), parameters.float()
    mean, high = torch.zeros(HORIZON, 1), torch.ones(1)

    def objective_from(observation: Tensor) -> Objective:
        def objective(action_sequences: Tensor) -> Tensor:
            def predict(observations: Tensor, actions: Tensor) -> Tensor:
                return physics_step(single, observations, actions)

            return sequence_returns(predict, cartpole_reward, observation, action_sequences)

        return objective

    def noise(num_sequences: int) -> Tensor:
        return colored_noise(num_sequences, HORIZON, 1, color=NOISE_COLOR, generator=generator)

    @torch.no_grad()
    def planner(observation: Tensor, start: Tensor) -> Tensor:
        std = torch.full_like(start, INITIAL_STD)
        return cem(objective_from(observation), start, std, -high, high, noise=noise, **PLANNER)

    return MPC(planner, initial_mean=mean)


def identified_controller(transitions: Transition, *, seed: int) -> MPC:
    """Identify a robot, and plan with what was found; nothing is fitted again (given)."""
    return controller_of(fit_parameters(transitions), seed=seed)


def step_in_double(parameters: NDArray[Any], observation: NDArray[Any], action: NDArray[Any]) -> Tensor:
    """`physics_step` of NumPy arrays, in double precision (given; the tests call it)."""
    return physics_step(*(torch.as_tensor(array).double() for array in (parameters, observation, action)))


def step_derivatives(
    parameters: NDArray[Any], observation: NDArray[Any], action: NDArray[Any]
) -> tuple[Tensor, Tensor, Tensor]:
    """How `physics_step` changes with each of its arguments, for one transition (given; the tests call it).

    Returns:
        Derivatives of the next observation, in double precision: by the parameters, shape (5, 3), by the observation,
        (5, 5), and by the action, (5, 1).
    """
    arguments = tuple(torch.as_tensor(array).double() for array in (parameters, observation, action))
    derivatives: tuple[Tensor, Tensor, Tensor] = jacobian(physics_step, arguments)  # type: ignore[no-untyped-call]
    return derivatives
