"""Prints the returns of episodes of a random policy, or of a planner that holds the true simulator.

Runs in the solved tree: `python -m publish.ungraded` starts it there. The planner is the experiment's own (CEM with
replanning at every step), and rolls every candidate out in a second copy of the environment. On the noisy field each
roll-out draws noise of its own, which the planner does not know in advance.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from hw4.agents import build_planner, random_policy
from hw4.envs import Environment, make_env
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.mpc import MPC, Objective
from hw4.training import AgentProtocol, run_episode
from hw4.transitions import Transition

NUM_RANDOM_EPISODES = 20
NUM_PLANNED_EPISODES = {"noisy_field": 5, "reacher": 4, "pusher": 2, "half_cheetah": 1}


class RandomAgent:
    """Draws its actions uniformly from the bounds."""

    def __init__(self, experiment: Experiment) -> None:
        self._policy = random_policy(experiment, seed=0)

    def begin_episode(self) -> None: ...

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        return self._policy(observation)

    def record(self, transition: Transition) -> None: ...


class TrueModelAgent:
    """Plans by rolling candidates out in a copy of the environment."""

    def __init__(self, experiment: Experiment, env: Environment) -> None:
        copy = make_env(experiment.task_name)
        copy.reset(seed=0)

        def objective_from(observation: Tensor) -> Objective:
            here = env.state()

            def objective(action_sequences: Tensor) -> Tensor:
                returns = []
                for actions in action_sequences.numpy():
                    copy.set_state(here)
                    returns.append(sum(copy.step(action)[1] for action in actions))
                return torch.tensor(returns)

            return objective

        planner = build_planner(experiment, objective_from, torch.Generator().manual_seed(0))
        self._controller = MPC(planner, initial_mean=torch.zeros(experiment.horizon, experiment.task.act_dim))

    def begin_episode(self) -> None:
        self._controller.begin_episode()

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        return self._controller.act(torch.as_tensor(observation, dtype=torch.float32)).numpy()

    def record(self, transition: Transition) -> None: ...


def main(name: str, implementation: str) -> None:
    torch.set_num_threads(1)
    env = make_env(EXPERIMENTS[name].task_name)
    agent: AgentProtocol
    if implementation == "random_policy":
        agent, num_episodes = RandomAgent(EXPERIMENTS[name]), NUM_RANDOM_EPISODES
    else:
        experiment = EXPERIMENTS[name]
        if name == "half_cheetah":  # the experiment's own planner would take an hour
            experiment = dataclasses.replace(experiment, horizon=15, population_size=40, num_iterations=2)
        agent, num_episodes = TrueModelAgent(experiment, env), NUM_PLANNED_EPISODES[name]
    for seed in range(num_episodes):
        print(run_episode(env, agent, seed=seed, episode=0, env_steps=0).episode_return, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
