"""Public tests of hw4/topics/system_identification.py. The first test of each stub is its worked example."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hw4.checking.answers import check, check_close, check_shape
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.subject import AsNumPy, LocalSubject
from hw4.checking.variations import repeat, vary
from hw4.checking.worked_example import check_example
from hw4.envs import system_identification as world
from hw4.mpc import MPC
from hw4.topics.system_identification import (
    controller_of,
    fit_parameters,
    identified_controller,
    physics_step,
    step_derivatives,
)
from hw4.topics.system_identification_solver import observation_of, state_of
from hw4.transitions import Transition

NAME = "topics.system_identification."
ROBOT = world.Robot(gear=9.0, pole_length=0.5, pole_mass=0.3, cart_mass=0.7)
TURNED = world.Robot(gear=-11.0, pole_length=0.7, pole_mass=0.15)


def moments(*shape: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Observations far from the stops, shape (..., 5), and actions, shape (..., 1), in double precision."""
    generator = torch.Generator().manual_seed(seed)
    drawn = 2 * torch.rand(*shape, 5, generator=generator).double() - 1
    return observation_of(drawn[..., :4] * torch.tensor([1.5, 3.1, 2.0, 6.0])), drawn[..., 4:]


def simulated(robot: world.Robot, observations: Tensor, actions: Tensor) -> Any:
    """The steps of a robot without friction, shape (B, 5)."""
    env, after = world.RobotEnv(robot, friction=False), []
    for observation, action in zip(observations, actions, strict=True):
        env.set_state(state_of(observation).numpy())
        after.append(env.step(action.numpy())[0])
    return np.array(after)


def parameters_of(robot: world.Robot) -> Any:
    return world.RobotEnv(robot).true_parameters()


def transitions_of(robot: world.Robot, number: int, seed: int = 0) -> Transition:
    """Single steps of a robot without friction, away from the stops."""
    observations, actions = moments(number, seed=seed)
    return Transition(*(np.asarray(a) for a in (observations, actions, simulated(robot, observations, actions))))


# physics_step ---------------------------------------------------------------------------------------------------------


@pytest.mark.stub("physics_step")
def test_physics_step_worked_example() -> None:
    check_example(WORKED_EXAMPLES["physics_step"], LocalSubject())


@pytest.mark.stub("physics_step")
def test_physics_step_is_that_of_the_simulator() -> None:
    def at(robot: world.Robot, seed: int) -> None:
        observations, actions = moments(8, seed=seed)
        arguments = parameters_of(robot), observations.numpy(), actions.numpy()
        step = LocalSubject().call(NAME + "step_in_double", *map(AsNumPy, arguments))
        wanted = simulated(robot, observations, actions)
        slips = {"step_is_a_change": wanted - observations.numpy(), "step_not_taken": observations.numpy()}
        check_close(step, wanted, "the step of a robot", slips=slips, rtol=1e-9, atol=1e-8)

    at(ROBOT, 0)
    at(TURNED, 1)
    repeat(lambda: at(ROBOT, 2))


@pytest.mark.stub("physics_step")
def test_physics_step_of_twice_the_masses_with_twice_the_force_is_the_same() -> None:
    observations, actions = moments(4)
    heavy = world.Robot(3 * ROBOT.gear, ROBOT.pole_length, 3 * ROBOT.pole_mass, 3 * ROBOT.cart_mass)
    step = physics_step(torch.as_tensor(parameters_of(ROBOT)), observations, actions)
    check_close(step.numpy(), simulated(heavy, observations, actions), "the step", rtol=1e-7, atol=1e-7)


@pytest.mark.stub("physics_step")
@pytest.mark.parametrize("cos", [1.0, -1.0])
def test_physics_step_leaves_a_robot_at_rest_alone(cos: float) -> None:
    at_rest = torch.tensor([0.3, 0.0, cos, 0.0, 0.0])
    step = physics_step(torch.tensor([12.0, -1.0, -0.5]), at_rest, torch.zeros(1))
    slips = {"step_is_a_change": np.zeros(5)}
    check_close(step.numpy(), at_rest.numpy(), "the step of a robot at rest", slips=slips, atol=1e-5)


@pytest.mark.stub("physics_step")
def test_physics_step_keeps_energy_and_momentum_where_nothing_pushes() -> None:
    parameters = torch.tensor([15.0, math.log(0.4), math.log(0.5)]).double()

    def kept(observation: Tensor) -> Any:
        _, _, cos, velocity, turning = observation.unbind(-1)
        momentum = 1.4 * velocity + 0.4 * 0.5 * cos * turning
        energy = 1.4 * velocity**2 / 2 + 0.2 * cos * velocity * turning + 0.05 * turning**2 + 0.2 * 9.81 * cos
        return torch.stack([momentum, energy]).numpy()

    first = observation = observation_of(torch.tensor([[0.0, 2.0, 0.5, 1.0], [1.0, -0.3, 0.0, -2.0]]).double())
    for _ in range(10):
        observation = physics_step(parameters, observation, torch.zeros(2, 1).double())
    check_close(kept(observation), kept(first), "momentum and energy after 10 steps", rtol=0.0, atol=0.02)


@pytest.mark.stub("physics_step")
def test_physics_step_takes_any_leading_axes() -> None:
    def at(*shape: int) -> None:
        observations, actions = (part.numpy() for part in moments(*shape, seed=len(shape)))
        step = LocalSubject().call(NAME + "physics_step", parameters_of(TURNED), observations, actions)
        flat = torch.as_tensor(observations.reshape(-1, 5)), torch.as_tensor(actions.reshape(-1, 1))
        wanted = simulated(TURNED, *flat).reshape(*shape, 5)
        check_close(step, wanted, "the steps", rtol=2e-4, atol=2e-5)

    vary(
        lambda: at(5),
        again=2,
        size_one=[lambda: at(), lambda: at(1), lambda: at(3, 1)],
        large=[lambda: at(3, 4), lambda: at(2, 3, 2), lambda: at(200)],
    )


@pytest.mark.stub("physics_step")
def test_derivatives_of_physics_step_are_those_of_small_differences() -> None:
    (observation, action), parameters = (part.numpy() for part in moments()), parameters_of(ROBOT)
    arguments = parameters, observation, action
    for place, derivative in enumerate(step_derivatives(*arguments)):
        for column, unit in enumerate(np.eye(len(arguments[place]))):
            ends = []
            for sign in (1, -1):
                moved = [a + sign * 1e-5 * unit if place == n else a for n, a in enumerate(arguments)]
                ends.append(LocalSubject().call(NAME + "step_in_double", *map(AsNumPy, moved)))
            wanted = (ends[0] - ends[1]) / 2e-5
            slips = {"step_not_differentiable": np.zeros(5)} if wanted.any() else {}
            check_close(derivative[:, column].numpy(), wanted, "a derivative", slips=slips, rtol=1e-5, atol=1e-5)


@pytest.mark.stub("physics_step")
def test_physics_step_leaves_its_inputs_as_they_were() -> None:
    observations, actions = moments(3)
    parameters = torch.tensor([12.0, -1.0, -0.5]).double()
    physics_step(parameters, observations, actions)
    check(parameters.tolist() == [12.0, -1.0, -0.5], "the parameters passed in were changed", "inplace")
    for given, before in zip((observations, actions), moments(3), strict=True):
        check(torch.equal(given, before), "an observation or action passed in was changed", "inplace")


# fit_parameters -------------------------------------------------------------------------------------------------------


def check_fit(transitions: Transition, wanted: Any, what: str, *, atol: float = 1e-3, **facts: Any) -> None:
    """The gain counts relatively, as ratio and length do by their logarithms."""
    fitted = LocalSubject().call(NAME + "fit_parameters", transitions)
    check_shape(fitted, (3,), what)
    units = np.array([abs(wanted[0]), 1.0, 1.0])
    slips = {
        "fit_answers_numbers": np.array([wanted[0], *np.exp(wanted[1:])]) / units,
        "fit_sign_turned": wanted / -units,
    }
    check_close(fitted / units, wanted / units, what, slips=slips, rtol=0.0, atol=atol, **facts)


@pytest.mark.stub("fit_parameters")
def test_fit_parameters_worked_example() -> None:
    check_example(WORKED_EXAMPLES["fit_parameters"], LocalSubject())


@pytest.mark.stub("fit_parameters")
def test_fit_parameters_finds_the_robot_in_exact_transitions() -> None:
    seeds = iter(range(3))
    vary(lambda: check_fit(transitions_of(ROBOT, 60, next(seeds)), parameters_of(ROBOT), "the parameters"), again=2)


@pytest.mark.stub("fit_parameters")
@pytest.mark.parametrize("gear", [-30.0, -2.0, 25.0])
def test_fit_parameters_finds_motors_of_either_sign(gear: float) -> None:
    robot = world.Robot(gear)
    check_fit(transitions_of(robot, 60), parameters_of(robot), "the parameters", otherwise="fit_one_sign")


@pytest.mark.stub("fit_parameters")
@pytest.mark.parametrize(("before", "after"), [(2.5, 2.8), (-2.9, -2.6), (2.8, 2.9)])
def test_fit_parameters_leaves_out_what_happens_near_the_stops(before: float, after: float) -> None:
    away = transitions_of(TURNED, 60)
    near = Transition(*(part[:10].copy() for part in away))
    near.observation[:, 0], near.next_observation[:, 0], near.next_observation[:, 3:] = before, after, 0.0
    joined = Transition(*(np.concatenate(parts) for parts in zip(away, near, strict=True)))
    causes = {2.5: "stops_after", -2.9: "stops_before", 2.8: "stops_count"}
    check_fit(joined, parameters_of(TURNED), "the parameters", otherwise=causes[before])


@pytest.mark.stub("fit_parameters")
def test_fit_parameters_weighs_each_feature_by_its_change() -> None:
    """Noise on the angular velocity alone, whose changes are the largest, does less harm in units of the changes."""
    exact, rng = transitions_of(ROBOT, 150), np.random.default_rng(0)
    noisy = exact._replace(next_observation=exact.next_observation.copy())
    noisy.next_observation[:, 4] += 0.3 * rng.normal(size=150)
    fitted = fit_parameters(Transition(*(torch.as_tensor(part) for part in noisy))).numpy()
    error = np.abs(fitted - parameters_of(ROBOT)) / [abs(parameters_of(ROBOT)[0]), 1.0, 1.0]
    check(bool(error.max() < 0.1), "the parameters of noisy transitions are more than 10 % off", "fit_scale")


@pytest.mark.stub("fit_parameters")
def test_fit_parameters_takes_any_number_of_transitions() -> None:
    def at(number: int) -> None:
        check_fit(transitions_of(TURNED, number), parameters_of(TURNED), "the parameters")

    vary(lambda: at(40), large=[lambda: at(10), lambda: at(500)])


@pytest.mark.stub("fit_parameters")
def test_fit_parameters_answers_numbers_even_without_a_push() -> None:
    still = transitions_of(world.Robot(0.0), 30)
    fitted = fit_parameters(Transition(*(torch.as_tensor(part) for part in still._replace(action=0 * still.action))))
    check_shape(fitted.numpy(), (3,), "the parameters of a robot that is never pushed")


def test_transitions_that_say_nothing_are_refused() -> None:
    good = Transition(*(torch.as_tensor(part) for part in transitions_of(ROBOT, 12)))
    for bad, message in (
        (Transition(*(part[:9] for part in good)), "at least 10"),
        (good._replace(observation=good.observation + torch.tensor([3.0, 0, 0, 0, 0])), "stops"),
        (good._replace(action=good.action * torch.nan), "finite"),
        (good._replace(next_observation=good.observation), "never changes"),
    ):
        with pytest.raises(ValueError, match=message):
            fit_parameters(bad)


# Planning with what was found -----------------------------------------------------------------------------------------


@pytest.mark.stub("physics_step")
@pytest.mark.stub("fit_parameters")
def test_the_controller_pushes_a_falling_pole_back_whatever_the_wiring() -> None:
    """A pole that leans to the right is caught by a cart that goes right: the command has the sign of the gain."""
    leaning = torch.tensor([0.0, math.sin(0.2), math.cos(0.2), 0.0, 0.0])
    for robot in (ROBOT, TURNED):
        trial = Transition(*(torch.as_tensor(part) for part in transitions_of(robot, 40)))
        controller = identified_controller(trial, seed=0)
        assert isinstance(controller, MPC)
        assert float(controller.act(leaning)[0]) * robot.gear > 0


@pytest.mark.stub("physics_step")
def test_the_controller_is_repeatable() -> None:
    observation = torch.tensor([0.1, 0.0, -1.0, 0.2, 0.4])
    actions = [controller_of(torch.tensor([18.0, -1.3, -0.9]), seed=3).act(observation) for _ in range(2)]
    assert torch.equal(*actions)
