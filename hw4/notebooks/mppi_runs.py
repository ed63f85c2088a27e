"""What the notebook mppi measures; its recorded runs were made with these lines (given)."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from hw4.agents import aggregate, build_planner
from hw4.commands.jupyter import (
    Array,
)
from hw4.ensemble import particle_returns
from hw4.envs import make_env
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.mpc import MPC, Objective
from hw4.topics import mppi
from hw4.training import run_episode
from hw4.transitions import Transition


@dataclass(frozen=True)
class Way:
    """One way to plan."""

    planner: str  # "random_shooting", "cem" or "mppi"
    candidates: int  # action sequences scored in a control step
    kappa: float | None = None  # of mppi alone
    beta: float | None = None  # of mppi alone


ENSEMBLE = EXPERIMENTS["cartpole_ensemble"]
CANDIDATES = (30, 90, 300)
KAPPAS = (0.1, 1.0, 3.0, 10.0, 30.0, 1000.0)
BETAS = (0.2, 0.5, 1.0)
KAPPA, BETA = 10.0, 0.5  # where the other is varied, and in the comparison with other planners
COMPARED_AT = 90  # candidates, where kappa or beta is varied
WAYS = [Way(planner, candidates) for planner in ("random_shooting", "cem") for candidates in CANDIDATES]
WAYS += [Way("mppi", candidates, KAPPA, BETA) for candidates in CANDIDATES]
WAYS += [Way("mppi", COMPARED_AT, kappa, BETA) for kappa in KAPPAS if kappa != KAPPA]
WAYS += [Way("mppi", COMPARED_AT, KAPPA, beta) for beta in BETAS if beta != BETA]


def settings_of(way: Way) -> Experiment:
    """The experiment with as many candidates as `way` has, and at most a third of a population as elites."""
    population_size = way.candidates // ENSEMBLE.num_iterations
    return dataclasses.replace(
        ENSEMBLE,
        planner="random_shooting" if way.planner == "random_shooting" else "cem",
        population_size=population_size,
        num_elites=min(ENSEMBLE.num_elites, population_size // 3),
    )


class FixedModelAgent:
    """Plans with a model that no longer learns."""

    def __init__(self, model: Any, way: Way, seed: int) -> None:
        settings, generator = settings_of(way), torch.Generator().manual_seed(seed)
        noise = torch.zeros(settings.horizon, settings.ensemble_size, 1, settings.task.obs_dim)

        def predict_distribution(observation: torch.Tensor, action: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            mean = model.predict(observation, action)
            return mean, torch.zeros_like(mean)

        def objective_from(observation: torch.Tensor) -> Objective:
            def objective(action_sequences: torch.Tensor) -> torch.Tensor:
                returns = particle_returns(
                    predict_distribution, settings.task.reward, observation, action_sequences, noise
                )
                return aggregate(returns, settings.aggregation)

            return objective

        if way.kappa is not None and way.beta is not None:
            planner = mppi.build_planner(settings, objective_from, generator, kappa=way.kappa, beta=way.beta)
        else:
            planner = build_planner(settings, objective_from, generator)
        self.controller = MPC(planner, initial_mean=torch.zeros(settings.horizon, settings.task.act_dim))
        self.milliseconds: list[float] = []  # of processor time, one number an action

    def begin_episode(self) -> None:
        self.controller.begin_episode()

    def act(self, observation: Array) -> Array:
        began = time.process_time()
        action = self.controller.act(torch.as_tensor(observation, dtype=torch.float32))
        self.milliseconds.append(1000 * (time.process_time() - began))
        return np.asarray(action)

    def record(self, transition: Transition) -> None:
        """It no longer learns."""


def plan_an_episode(model: Any, way: Way, seed: int, start: int) -> tuple[float, float]:
    """The return of one episode, and the median processor time of an action in ms.

    Args:
        model: an ensemble.
        way: how to plan.
        seed: of the planner's noise.
        start: seed of the episode's start state.
    """
    agent = FixedModelAgent(model, way, seed)
    record = run_episode(make_env(ENSEMBLE.task_name), agent, seed=start, episode=0, env_steps=0)
    return record.episode_return, float(np.median(agent.milliseconds))


def by_seed(plans: dict[str, Array], way: Way, column: str = "episode_return") -> Array:
    """One column of one way of planning, the mean over the episodes of each seed, shape (seeds,)."""
    chosen = (plans["planner"] == way.planner) & (plans["candidates"] == way.candidates)
    if way.planner == "mppi":
        chosen &= (plans["kappa"] == way.kappa) & (plans["beta"] == way.beta)
    return np.array([plans[column][chosen & (plans["seed"] == seed)].mean() for seed in np.unique(plans["seed"])])


def in_comparison(planner: str, candidates: int) -> Way:
    """A planner as it is compared with others: MPPI with the usual kappa and beta."""
    return Way("mppi", candidates, KAPPA, BETA) if planner == "mppi" else Way(planner, candidates)
