"""The environment loop (given; torch-free).

The same few lines drive a student's own agent and, in the grader, an agent that lives in another process: the loop
knows only `AgentProtocol`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from hw4.transitions import Transition


class AgentProtocol(Protocol):
    """What the loop asks of an agent. Arrays are NumPy, without batch dimensions."""

    def begin_episode(self) -> None: ...

    def act(self, observation: NDArray[np.float64]) -> NDArray[np.float64]: ...

    def record(self, transition: Transition) -> None: ...


@dataclass(frozen=True)
class EpisodeRecord:
    """One finished episode."""

    episode: int
    env_steps: int  # steps taken since the start of training, this episode included
    episode_return: float  # undiscounted sum of rewards
    observations: NDArray[np.float64]  # shape (episode length + 1, obs_dim)
    actions: NDArray[np.float64]  # shape (episode length, act_dim), as executed: inside the bounds


def run_episode(
    env: gymnasium.Env[Any, Any], agent: AgentProtocol, *, seed: int, episode: int, env_steps: int
) -> EpisodeRecord:
    """Run one episode; the agent records every transition.

    Raises:
        ValueError: the agent's action has the wrong shape or is not finite.
    """
    assert isinstance(env.action_space, gymnasium.spaces.Box)
    observation, _ = env.reset(seed=seed)
    observations, actions, rewards = [observation], [], []
    agent.begin_episode()
    truncated = False
    while not truncated:
        action = np.asarray(agent.act(observation), dtype=np.float64)
        if action.shape != env.action_space.shape:
            raise ValueError(f"act must return an action of shape {env.action_space.shape}, got {action.shape}")
        if not np.isfinite(action).all():
            raise ValueError(f"act must return finite numbers, got {action}")
        action = np.clip(action, env.action_space.low, env.action_space.high)
        next_observation, reward, _, truncated, _ = env.step(action)
        agent.record(Transition(observation, action, next_observation))
        observation = next_observation
        observations.append(observation)
        actions.append(action)
        rewards.append(float(reward))
    return EpisodeRecord(
        episode=episode,
        env_steps=env_steps + len(rewards),
        episode_return=float(np.sum(rewards)),
        observations=np.array(observations),
        actions=np.array(actions),
    )


def train(
    env: gymnasium.Env[Any, Any],
    agent: AgentProtocol,
    *,
    num_episodes: int,
    seed: int,
    first_episode: int = 0,
    env_steps: int = 0,
) -> Iterator[EpisodeRecord]:
    """Run episodes and yield each record as it ends.

    Args:
        env: the environment.
        agent: one that has finished `first_episode` episodes.
        num_episodes: in all, those before `first_episode` included.
        seed: the seeds of all resets are drawn from it, apart from an agent's: an agent and an environment that are
            given the same seed are independent.
        first_episode: where to continue; 0 is the start.
        env_steps: taken before `first_episode`.
    """
    (own_stream,) = np.random.SeedSequence(seed).spawn(1)
    reset_seeds = own_stream.generate_state(num_episodes)
    for episode in range(first_episode, num_episodes):
        record = run_episode(env, agent, seed=int(reset_seeds[episode]), episode=episode, env_steps=env_steps)
        env_steps = record.env_steps
        yield record
