"""What the notebook policy_learning measures; its recorded runs were made with these lines (given)."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hw4.commands.jupyter import Array
from hw4.envs import policy_learning as world
from hw4.mpc import MPC, cem, sequence_returns
from hw4.noise import colored_noise
from hw4.topics import policy_learning as topic
from hw4.topics.policy_learning_agent import ENSEMBLE_SIZE, WARM_UP, Learner, Parts, PolicyAgent

PLANNER_NAME = "MPC agent"
ENV_STEPS = {
    "model-free": 1000,
    "equal updates": 500,
    "Dyna k=1": 400,
    "Dyna k=5": 400,
    "MVE": 400,
    "MVE with TD-k": 400,
    "STEVE": 300,
    PLANNER_NAME: 200,
}
ARMS = tuple(ENV_STEPS)
CONTROL = "equal updates"
GOOD = 25.0  # a return to reach; a planner that knows the world gets about 36
AT = 250  # env steps, of the graded run

HORIZON, POPULATION_SIZE, NUM_ITERATIONS, NUM_ELITES, NUM_KEPT_ELITES = 15, 100, 3, 10, 3
SMOOTHING, INITIAL_STD, NOISE_COLOR = 0.1, 0.7, 1.0


@dataclass
class Timed:
    """A learner, and the processor seconds that it has spent after each env step, evaluations left out."""

    agent: Any
    seconds: list[float] = field(default_factory=list)
    _spent: float = 0.0

    def act(self, observation: Array) -> Array:
        return np.asarray(self._timed(self.agent.act, observation))

    def record(self, observation: Array, action: Array, next_observation: Array) -> None:
        self._timed(self.agent.record, observation, action, next_observation)
        self.seconds.append(self._spent)

    def mode(self, observations: Array) -> Array:
        return np.asarray(self.agent.mode(observations))

    def _timed(self, function: Any, *arrays: Array) -> Any:
        began = time.process_time()
        answer = function(*arrays)
        self._spent += time.process_time() - began
        return answer


class PlanningAgent(PolicyAgent):
    """The agent of the core on the same task: it has the same model and warm-up, but plans instead of a policy."""

    def __init__(self, goal: Tensor, *, seed: int) -> None:
        parts = Parts(topic.model_rollout, topic.mve_target, topic.td_k_pairs, topic.steve_targets, topic.steve_weights)
        super().__init__(Learner(num_updates=0, horizon=1), parts, goal, seed=seed)
        self.controller = MPC(self._plan, initial_mean=torch.zeros(HORIZON, world.ACT_DIM))

    def act(self, observation: Tensor) -> Tensor:
        number = len(self._seen)
        if number < WARM_UP:
            return super().act(observation)
        if number % world.EPISODE_LENGTH == 0:
            self.controller.begin_episode()
        return self.controller.act(torch.as_tensor(observation))

    @torch.no_grad()
    def _plan(self, observation: Tensor, mean: Tensor) -> Tensor:
        high = torch.ones(world.ACT_DIM)
        start = observation.expand(ENSEMBLE_SIZE, -1)

        def objective(plans: Tensor) -> Tensor:
            each = plans.expand(ENSEMBLE_SIZE, *plans.shape)
            return sequence_returns(self.model.predict, self.reward, start, each).mean(dim=0)

        return cem(
            objective,
            mean,
            torch.full_like(mean, INITIAL_STD),
            -high,
            high,
            population_size=POPULATION_SIZE,
            num_iterations=NUM_ITERATIONS,
            num_elites=NUM_ELITES,
            num_kept_elites=NUM_KEPT_ELITES,
            smoothing=SMOOTHING,
            noise=lambda number: colored_noise(number, *mean.shape, color=NOISE_COLOR, generator=self.generator),
        )


@dataclass(frozen=True)
class Race:
    """Returns of one run, with the env steps and the processor seconds of learning before each."""

    env_steps: tuple[int, ...]
    seconds: tuple[float, ...]
    returns: tuple[float, ...]


def learner_of(arm: str, seed: int) -> PolicyAgent:
    """A fresh agent of one of the ARMS."""
    goal = torch.tensor(world.GOAL)
    return PlanningAgent(goal, seed=seed) if arm == PLANNER_NAME else topic.build_learner(arm, goal, seed=seed)


def race(arm: str, seed: int, *, num_env_steps: int | None = None) -> Race:
    """One run; all arms of a seed have the same starts of episodes up to the first evaluation.

    A policy is evaluated as it is graded. The planner has none: the returns are those of its planned episodes.
    """
    timed, rng, number = Timed(learner_of(arm, seed)), np.random.default_rng(seed), num_env_steps or ENV_STEPS[arm]
    if arm == PLANNER_NAME:
        when, returns = _planned_episodes(timed, rng, number)
    else:
        progress = world.learn_policy(timed, rng, num_env_steps=number)
        when, returns = progress.env_steps, progress.returns
    return Race(when, tuple(timed.seconds[step - 1] for step in when), returns)


def _planned_episodes(agent: Timed, rng: np.random.Generator, number: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
    env, when, returns = world.DotStateEnv(), [], []
    for end in range(world.EPISODE_LENGTH, number + 1, world.EPISODE_LENGTH):
        observation, _ = env.reset(seed=int(rng.integers(1 << 31)))
        total, truncated = 0.0, False
        while not truncated:
            action = np.clip(np.asarray(agent.act(observation), dtype=np.float32), -1.0, 1.0)
            next_observation, reward, _, truncated, _ = env.step(action)
            agent.record(observation, action, next_observation)
            observation, total = next_observation, total + reward
        if end > WARM_UP:
            when.append(end)
            returns.append(total)
    return tuple(when), tuple(returns)


def first_time(when: Array, returns: Array, level: float = GOOD) -> float:
    """When a run first reaches a return, in the units of `when`; infinite if it never does."""
    reached = np.asarray(when)[np.asarray(returns) >= level]
    return float(reached[0]) if len(reached) else math.inf


def at(env_steps: Array, returns: Array, step: int = AT) -> float:
    """The mean of the evaluation after so many env steps and the one before it: at 250 the graded score."""
    last = int(np.flatnonzero(np.asarray(env_steps) == step)[0])
    return float(np.mean(np.asarray(returns)[last - 1 : last + 1]))


# Errors of a target, where everything is known ------------------------------------------------------------------------

GAMMA = 0.98
HORIZONS = tuple(range(11))


def target_errors(model_error: float, critic_error: float, *, seed: int = 0, num_worlds: int = 200) -> Array:
    """Mean size of the error of an expanded target for each of the HORIZONS, shape (11,).

    The worlds are random ones with s' = A s, the reward of a step is -|s'|^2, and a state's exact value is known. The
    model has A times (1 + model_error), and the critic is wrong by critic_error everywhere.
    """
    rng, errors = np.random.default_rng(seed), []
    for _ in range(num_worlds):
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        step, worth, power = 0.95 * turn, np.zeros((3, 3)), np.eye(3)
        for i in range(400):
            power = power @ step
            worth -= GAMMA**i * power.T @ power
        start = rng.normal(size=3)
        start /= np.linalg.norm(start)
        state, total, of_world = step @ start, 0.0, []
        total = -float(state @ state)
        for h in HORIZONS:
            if h > 0:
                state = (1.0 + model_error) * step @ state
                total -= GAMMA**h * float(state @ state)
            target = total + GAMMA ** (h + 1) * (float(state @ worth @ state) + critic_error)
            of_world.append(abs(target - float(start @ worth @ start)))
        errors.append(of_world)
    return np.asarray(np.mean(errors, axis=0))


def weights_where(case: str, *, num_members: int = 5, floor: float = 1e-3, seed: int = 0) -> tuple[Array, Array]:
    """Weights of targets of four lengths, and the error of each length, shapes (4,) and (4,).

    The right target is 0. In the case "noisy" the members disagree on what comes after step 1; "wrong" is the same
    mistake in all of them. Every length has a little spread of its own.
    """
    rng = np.random.default_rng(seed)
    targets = 0.05 * rng.normal(size=(4, num_members))
    if case == "noisy":
        targets[2:] += 2.0 * rng.normal(size=(2, num_members))
    if case == "wrong":
        targets[2:] += 2.0
    inverse = 1.0 / np.maximum(targets.var(axis=1), floor)
    return inverse / inverse.sum(), targets.mean(axis=1)
