"""What the notebook system_identification measures; its recorded runs were made with these lines (given)."""

from __future__ import annotations

import math
from unittest import mock

import numpy as np
import torch

from hw4.agents import build_agent
from hw4.commands.jupyter import Array
from hw4.envs import system_identification as world
from hw4.experiments import EXPERIMENTS
from hw4.mpc import MPC
from hw4.topics import system_identification as topic
from hw4.transitions import Transition

ENSEMBLE = EXPERIMENTS["cartpole_ensemble"]
FITS = ("identified", "with the stops", "logarithm of the gain")
ARMS = ("true numbers", *FITS, "network ensemble")
FIRST_LOG_GAIN = math.log(10.0)


def robot_of(seed: int) -> world.RobotEnv:
    """The robot of a seed; those of odd seeds are wired the other way round."""
    return world.RobotEnv(world.draw_robot(np.random.default_rng(seed), -1 if seed % 2 else 1))


def trial_of(seed: int) -> Transition:
    """One trial of random actions with the robot of a seed; fields of shape (100, dim)."""
    return world.random_trial(robot_of(seed), np.random.default_rng([seed, 1]))


def num_near_stops(trial: Transition) -> int:
    """How many transitions of a trial do not count."""
    reach = np.maximum(np.abs(trial.observation[:, 0]), np.abs(trial.next_observation[:, 0]))
    return int((reach > topic.NEAR_STOPS).sum())


def fitted(trial: Transition, way: str) -> Array:
    """Gain, log ratio and log length, fitted in one of the FITS, shape (3,)."""
    transitions = Transition(*(torch.as_tensor(field) for field in trial))
    if way == "with the stops":
        with mock.patch.object(topic, "NEAR_STOPS", math.inf):
            return np.asarray(topic.fit_parameters(transitions))
    if way == "logarithm of the gain":
        step = topic.physics_step

        def raised(numbers: torch.Tensor) -> torch.Tensor:
            return torch.cat([numbers[:1].exp(), numbers[1:]])

        def step_of_logarithms(numbers: torch.Tensor, observation: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
            return step(raised(numbers), observation, action)

        start = (FIRST_LOG_GAIN, *topic.START[1:])
        with mock.patch.multiple(topic, physics_step=step_of_logarithms, START=start):
            return np.asarray(raised(topic.fit_parameters(transitions)))
    return np.asarray(topic.fit_parameters(transitions))


def ensemble_controller(trial: Transition, seed: int) -> MPC:
    """The controller of `cartpole_ensemble` after its first fit, to one trial of any robot."""
    agent = build_agent(ENSEMBLE, seed)
    for number in range(len(trial.action)):
        agent.record(trial.select(number))
    return agent.controller


def controller_of_arm(arm: str, seed: int) -> MPC:
    """What plans for the robot of a seed, after one trial."""
    if arm == "network ensemble":
        return ensemble_controller(trial_of(seed), seed)
    numbers = robot_of(seed).true_parameters() if arm == "true numbers" else fitted(trial_of(seed), arm)
    return topic.controller_of(torch.as_tensor(numbers), seed=seed)


def swing_up(controller: MPC, seed: int) -> float:
    """The return of one episode with the robot of a seed; its start state is the same for all controllers."""

    def policy(observation: Array) -> Array:
        return np.asarray(controller.act(torch.as_tensor(observation, dtype=torch.float32)))

    return world.episode_return(robot_of(seed), policy, np.random.default_rng([seed, 2]))
