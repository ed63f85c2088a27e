"""A dot that is pushed to a goal, seen from its state: the world of the topic `policy_learning` (given).

    v' = 0.9 v + 0.35 a                   the dot has inertia
    p' = p + v'                           and nothing stops it: the field has no walls
    reward = exp(-|p' - goal|^2 / 32) - 0.01 |a|^2

An observation is (x, y, vx, vy). An episode has 40 steps and never terminates: it is only cut off, so the last state of
an episode is worth as much as any other. The dynamics are linear, which a planner can use and a policy cannot.
NumPy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

OBS_DIM, ACT_DIM = 4, 2
KEPT_VELOCITY = 0.9  # of the last step
PUSH = 0.35  # units of length a step, from an action of 1
REWARD_AREA = 32.0  # square units: how fast the reward fades with the squared distance from the goal
EFFORT = 0.01  # of the reward, for a squared action of 1
EPISODE_LENGTH = 40  # env steps
START, START_RANGE = (3.0, 8.0), 1.0  # an episode begins at rest, within this distance of START in x and in y
GOAL = (11.0, 8.0)
GOAL_DISTANCE = 8.0  # from START, of every goal that is drawn
GOAL_ANGLE = 0.6  # rad; how far such a goal may lie above or below
FARTHEST = 1000.0  # of a coordinate, for the observation space: an episode ends long before

EVALUATE_EVERY = 50  # env steps
NUM_EVALUATION_EPISODES = 4


def move(state: Array, action: Array) -> Array:
    """One step of many dots at once.

    Args:
        state: (x, y, vx, vy), shape (..., 4).
        action: pushes in x and y, clipped to [-1, 1], shape (..., 2).

    Returns:
        The next state, shape (..., 4).
    """
    velocity = KEPT_VELOCITY * state[..., 2:] + PUSH * np.clip(action, -1.0, 1.0)
    return np.concatenate([state[..., :2] + velocity, velocity], axis=-1)


def reward_of(next_state: Array, action: Array, goal: Array) -> Array:
    """The reward of pushes that led to these states: shapes (..., 4), (..., 2) and (2,) -> (...)."""
    squared = ((next_state[..., :2] - goal) ** 2).sum(axis=-1)
    return np.asarray(np.exp(-squared / REWARD_AREA) - EFFORT * (np.clip(action, -1.0, 1.0) ** 2).sum(axis=-1))


def draw_goal(rng: np.random.Generator) -> Array:
    """A goal as far from the start as GOAL, a little higher or lower; shape (2,)."""
    angle = rng.uniform(-GOAL_ANGLE, GOAL_ANGLE)
    return np.asarray(START + GOAL_DISTANCE * np.array([np.cos(angle), np.sin(angle)]))


def draw_starts(rng: np.random.Generator, number: int) -> Array:
    """States in which episodes begin, shape (number, 4)."""
    place = START + rng.uniform(-START_RANGE, START_RANGE, (number, 2))
    return np.concatenate([place, np.zeros((number, 2))], axis=-1)


class DotStateEnv(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """States (x, y, vx, vy), actions (right, up) in [-1, 1]^2, 40 steps, never terminates."""

    def __init__(self, goal: tuple[float, float] | Array = GOAL) -> None:
        """
        Args:
            goal: (x, y), shape (2,).
        """
        self.observation_space = gymnasium.spaces.Box(-FARTHEST, FARTHEST, (OBS_DIM,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (ACT_DIM,), np.float32)
        self.goal = np.array(goal, dtype=np.float64)
        self._state, self._steps = np.zeros(OBS_DIM), 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        self._state, self._steps = draw_starts(self.np_random, 1)[0], 0
        return self._state.astype(np.float32), {}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        action = np.asarray(action, dtype=np.float64)
        self._state = move(self._state, action)
        self._steps += 1
        reward = float(reward_of(self._state, action, self.goal))
        return self._state.astype(np.float32), reward, False, self._steps >= EPISODE_LENGTH, {}


# The loop -------------------------------------------------------------------------------------------------------------


class PolicyLearner(Protocol):
    """What the loop knows of an agent."""

    def act(self, observation: Array) -> Array:
        """The action to execute, shape (2,), which may explore."""

    def record(self, observation: Array, action: Array, next_observation: Array) -> None:
        """See an env step, and learn."""

    def mode(self, observations: Array) -> Array:
        """The actions of the policy without exploration: shape (n, 4) -> (n, 2)."""


@dataclass(frozen=True)
class Progress:
    """What a policy earned after so many env steps."""

    env_steps: tuple[int, ...]
    returns: tuple[float, ...]


def learn_policy(
    agent: PolicyLearner, rng: np.random.Generator, *, num_env_steps: int, goal: Array | tuple[float, float] = GOAL
) -> Progress:
    """Let an agent learn in episodes, and evaluate its policy every EVALUATE_EVERY env steps.

    Args:
        agent: learns and acts.
        rng: decides the starts of all episodes.
        num_env_steps: of learning, over all episodes; those of the evaluations do not count.
        goal: (x, y); it stays the same.

    Returns:
        The mean return of NUM_EVALUATION_EPISODES episodes at each evaluation.
    """
    env = DotStateEnv(goal)
    when, returns = [], []
    truncated, observation = True, np.zeros(OBS_DIM, dtype=np.float32)
    for step in range(1, num_env_steps + 1):
        if truncated:
            observation, _ = env.reset(seed=int(rng.integers(1 << 31)))
        action = np.clip(np.asarray(agent.act(observation), dtype=np.float32), -1.0, 1.0)
        next_observation, _, _, truncated, _ = env.step(action)
        agent.record(observation, action, next_observation)
        observation = next_observation
        if step % EVALUATE_EVERY == 0:
            when.append(step)
            returns.append(evaluate(agent, draw_starts(rng, NUM_EVALUATION_EPISODES), goal))
    return Progress(tuple(when), tuple(returns))


def evaluate(agent: PolicyLearner, states: Array, goal: Array | tuple[float, float] = GOAL) -> float:
    """The mean return of whole episodes that begin in `states`, shape (n, 4), without exploration."""
    total = np.zeros(len(states))
    for _ in range(EPISODE_LENGTH):
        action = np.asarray(agent.mode(states.astype(np.float32)), dtype=np.float64)
        states = move(states, action)
        total += reward_of(states, action, np.asarray(goal))
    return float(total.mean())


def score_of(progress: Progress) -> float:
    """The mean of the last two evaluations."""
    return float(np.mean(progress.returns[-2:]))
