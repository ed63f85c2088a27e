"""The solution of the topic system_identification: identities that hold exactly, its robots, and its solver."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch

from autograder.hidden_tests.topics import system_identification_oracle as oracle
from autograder.solutions import SOLUTIONS
from hw4.envs import make_env
from hw4.envs import system_identification as world
from hw4.topics import system_identification_solver as solver
from hw4.transitions import Transition


@pytest.fixture(scope="module")
def topic():
    place = SOLUTIONS / "topics" / "system_identification.py"
    spec = importlib.util.spec_from_file_location("solution_of_system_identification", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def moments(rng, number):
    states = rng.uniform(-1, 1, (number, 4)) * [2, np.pi, 3, 8]
    return oracle.observation_of(states), rng.uniform(-1, 1, (number, 1))


def simulated(env, observations, actions):
    after = []
    for observation, action in zip(observations, actions, strict=True):
        env.set_state(oracle.state_of(observation))
        after.append(env.step(action)[0])
    return np.array(after)


def tensors(*arrays):
    return [torch.as_tensor(array) for array in arrays]


def exact(env, rng, number=80):
    observations, actions = moments(rng, number)
    return Transition(*tensors(observations, actions, simulated(env, observations, actions)))


# The step


@pytest.mark.parametrize("sign", [1, -1])
def test_a_step_without_friction_is_that_of_mujoco(topic, rng, sign):
    """To the last digits: same equations, same integrator, same sub-steps."""
    for _ in range(3):
        env = world.RobotEnv(world.draw_robot(rng, sign), friction=False)
        observations, actions = moments(rng, 20)
        wanted = simulated(env, observations, actions)
        step = topic.physics_step(*tensors(env.true_parameters(), observations, actions))
        assert np.abs(step.numpy() - wanted).max() < 1e-11
        assert np.abs(oracle.step(env.true_parameters(), observations, actions) - wanted).max() < 1e-11


def test_masses_and_force_times_any_factor_move_alike(rng):
    """So no trial can tell them apart, and three numbers are enough."""
    robot = world.Robot(-9.0, 0.5, 0.3, 0.6)
    heavy = world.Robot(-9.0 * 7, 0.5, 0.3 * 7, 0.6 * 7)
    observations, actions = moments(rng, 10)
    one, other = (world.RobotEnv(each, friction=False) for each in (robot, heavy))
    assert np.allclose(one.true_parameters(), other.true_parameters(), atol=1e-12)
    assert np.allclose(simulated(one, observations, actions), simulated(other, observations, actions), atol=1e-11)


def test_friction_is_all_that_the_equations_lack_away_from_the_stops(topic, rng):
    env = world.RobotEnv(world.Robot(10.0))
    observations, actions = moments(rng, 20)
    step = topic.physics_step(*tensors(env.true_parameters(), observations, actions))
    off = np.abs(step.numpy() - simulated(env, observations, actions)).max()
    assert 1e-3 < off < 0.2


# The fit


def test_from_a_gain_of_zero_the_fit_ends_where_it_ends_from_either_sign(topic, rng, monkeypatch):
    """Why one start is enough: the gain enters the equations as a plain number."""
    for sign in (1, -1, 1, -1):
        env = world.RobotEnv(world.draw_robot(rng, sign))
        trial = Transition(*tensors(*world.random_trial(env, rng)))
        found = topic.fit_parameters(trial)
        for gain in (10.0, -10.0):
            monkeypatch.setattr(topic, "START", (gain, 0.0, 0.0))
            assert torch.allclose(topic.fit_parameters(trial), found, rtol=1e-4, atol=1e-4)
        monkeypatch.undo()


def test_exact_transitions_give_the_robot_back(topic, rng):
    for sign in (1, -1):
        env = world.RobotEnv(world.draw_robot(rng, sign), friction=False)
        assert np.allclose(topic.fit_parameters(exact(env, rng)), env.true_parameters(), atol=1e-7)


def test_the_fit_is_that_of_the_oracle(topic, rng):
    env = world.RobotEnv(world.Robot(-10.0), friction=False)
    transitions = exact(env, rng)
    noise = 0.1 * torch.as_tensor(rng.normal(size=(80, 5)))
    noisy = transitions._replace(next_observation=transitions.next_observation + noise)
    wanted = oracle.fit(Transition(*(field.numpy() for field in noisy)), env.true_parameters())
    assert np.allclose(topic.fit_parameters(noisy), wanted, rtol=1e-5, atol=1e-5)


# The solver


def test_levenberg_marquardt_finds_a_valley_that_is_bent():
    """Of the form of Rosenbrock's."""

    def residuals(numbers):
        return torch.stack([2 * (numbers[1] - numbers[2] ** 2), 1 - numbers[2], numbers[0] - 3])

    found = solver.levenberg_marquardt(residuals, torch.tensor([0.0, 1.0, -1.2]).double())
    assert torch.allclose(found, torch.tensor([3.0, 1.0, 1.0]).double(), atol=1e-6)


def test_levenberg_marquardt_stays_inside_its_bounds_and_takes_residuals_that_are_no_numbers():
    start = torch.zeros(3).double()
    downhill = solver.levenberg_marquardt(lambda numbers: numbers + 1e6, start)
    assert torch.allclose(downhill, torch.tensor(solver.LOW).double())
    nowhere = solver.levenberg_marquardt(lambda numbers: torch.log(numbers - 1.0), start)
    assert torch.equal(nowhere, start)


def test_a_runge_kutta_step_is_exact_for_polynomials_of_third_degree_in_time():
    def derivative(state):
        return torch.stack([torch.ones_like(state[..., 0]), 3 * state[..., 0] ** 2, *state[..., :2].unbind(-1)], -1)

    state = solver.runge_kutta(derivative, torch.tensor([1.0, 1.0, 0.0, 0.0]).double(), 0.5)
    assert torch.allclose(state[:2], torch.tensor([1.5, 1.5**3]).double(), atol=1e-12)


def test_states_and_observations_are_two_ways_to_say_the_same(rng):
    observations, _ = moments(rng, 20)
    (tensor,) = tensors(observations)
    assert torch.allclose(solver.observation_of(solver.state_of(tensor)), tensor, atol=1e-14)
    assert np.allclose(solver.state_of(tensor), oracle.state_of(observations), atol=1e-14)


# The robots


def test_the_robot_of_the_cart_pole_is_the_cart_pole(rng):
    """Pole, cart, motor and friction of hw4/envs/cartpole.py, step by step."""
    robot, env = world.RobotEnv(world.Robot(10.0)), make_env("cartpole")
    assert np.array_equal(robot.reset(seed=3)[0], env.reset(seed=3)[0])
    for _ in range(30):
        action = rng.uniform(-1, 1, 1).astype(np.float32)
        assert np.array_equal(robot.step(action)[0], env.step(action)[0])


def test_robots_differ_in_pole_and_motor_and_some_are_wired_the_other_way_round(rng):
    robots = [world.RobotEnv(world.draw_robot(rng, sign)).true_parameters() for sign in (1, -1) * 50]
    gain, ratio, length = np.array(robots).T
    assert (np.sign(gain) == [1, -1] * 50).all()
    for spread in (np.abs(gain), np.exp(ratio), np.exp(length)):
        assert spread.max() / spread.min() > 1.5


def test_a_trial_is_one_episode_of_random_actions(rng):
    trial = world.random_trial(world.RobotEnv(world.Robot(10.0)), rng)
    assert [field.shape for field in trial] == [(100, 5), (100, 1), (100, 5)]
    assert all(field.dtype == np.float32 for field in trial)
    assert np.array_equal(trial.observation[1:], trial.next_observation[:-1])
    assert np.abs(trial.action).max() <= 1.0


def test_the_return_of_doing_nothing_is_about_zero(rng):
    assert abs(world.episode_return(world.RobotEnv(world.Robot(10.0)), lambda _: np.zeros(1), rng)) < 3.0
