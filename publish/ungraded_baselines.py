"""Prints the returns of episodes of a random policy, or of a planner that holds the true simulator.

Runs in the solved tree: `python -m publish.ungraded` starts it there. The planner is the experiment's own (CEM with
replanning at every step) but for what `main` says, and rolls every candidate out in a second copy of the environment.
On the noisy field it rolls out the true mean of each step instead: of noisy roll-outs it would choose the lucky ones.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hw4.agents import build_planner, random_policy
from hw4.commands.threads import use_one_thread
from hw4.envs import Environment, make_env
from hw4.envs.noisy_field import ARENA, mean_move
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.mpc import MPC, Objective
from hw4.rewards import noisy_field_reward
from hw4.training import AgentProtocol, run_episode
from hw4.transitions import Transition

NUM_RANDOM_EPISODES = 20
NUM_PLANNED_EPISODES = {"noisy_field": 20, "reacher": 4, "pusher": 2, "half_cheetah": 1, "pets_cartpole": 2}


class RandomAgent:
    """Draws its actions uniformly from the bounds."""

    def __init__(self, experiment: Experiment) -> None:
        self._policy = random_policy(experiment, np.random.default_rng(0))

    def begin_episode(self) -> None: ...

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        return self._policy(observation)

    def record(self, transition: Transition) -> None: ...


def rolled_out(env: Environment, state: NDArray[Any]) -> Objective:
    """The true return of each candidate from a state."""

    def objective(action_sequences: Tensor) -> Tensor:
        returns = []
        for actions in action_sequences.numpy():
            env.set_state(state)
            returns.append(sum(env.step(action)[1] for action in actions))
        return torch.tensor(returns)

    return objective


def mean_of_the_noisy_field(position: NDArray[Any]) -> Objective:
    """The return of each candidate if every step went where it goes on average."""

    def objective(action_sequences: Tensor) -> Tensor:
        actions = action_sequences.double().numpy()
        here, returns = np.broadcast_to(position, (len(actions), 2)), np.zeros(len(actions))
        for t in range(actions.shape[1]):
            following = np.clip(here + mean_move(here, actions[:, t]), -ARENA, ARENA)
            returns += noisy_field_reward(here, actions[:, t], following)
            here = following
        return torch.from_numpy(returns)

    return objective


class TrueModelAgent:
    """Plans with the true model instead of a learned one."""

    def __init__(self, experiment: Experiment, env: Environment) -> None:
        copy = make_env(experiment.task_name)
        copy.reset(seed=0)

        def objective_from(observation: Tensor) -> Objective:
            here = env.state()
            return mean_of_the_noisy_field(here) if experiment.task_name == "noisy_field" else rolled_out(copy, here)

        planner = build_planner(experiment, objective_from, torch.Generator().manual_seed(0))
        self._controller = MPC(planner, initial_mean=torch.zeros(experiment.horizon, experiment.task.act_dim))

    def begin_episode(self) -> None:
        self._controller.begin_episode()

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        return self._controller.act(torch.as_tensor(observation, dtype=torch.float32)).numpy()

    def record(self, transition: Transition) -> None: ...


def main(name: str, implementation: str) -> None:
    use_one_thread()
    env = make_env(EXPERIMENTS[name].task_name)
    agent: AgentProtocol
    if implementation == "random_policy":
        agent, num_episodes = RandomAgent(EXPERIMENTS[name]), NUM_RANDOM_EPISODES
    else:
        experiment = EXPERIMENTS[name]
        if name == "half_cheetah":  # cheaper than the experiment's own: 300,000 simulated steps instead of 1,800,000
            experiment = dataclasses.replace(experiment, horizon=15, population_size=40, num_iterations=2)
        elif name == "noisy_field":  # simulated in one batch, so a stronger planner costs little
            experiment = dataclasses.replace(experiment, population_size=400, num_iterations=6)
        agent, num_episodes = TrueModelAgent(experiment, env), NUM_PLANNED_EPISODES[name]
    for seed in range(num_episodes):
        print(run_episode(env, agent, seed=seed, episode=0, env_steps=0).episode_return, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
