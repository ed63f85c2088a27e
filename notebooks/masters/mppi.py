# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] name="title"
# # MPPI: a weighted average instead of elites
#
# *{{ title }} · {{ term }}*
#
# **What this notebook shows.** The planner of PDDM (Nagabandi et al. 2019) on the cart-pole, next to random shooting
# and CEM, all three with the same learned models and the same number of candidates per control step: where it is
# better, where it is not, what `kappa` and `beta` do, and how fast the planners are. {{ num_models }} learned models,
# medians with intervals.
#
# **How long it takes.** A few seconds as it stands: it draws recorded runs, so it works before you have written a line
# of code. With `USE_MY_CODE = True` it also trains your ensemble and plans with it, at most 60 seconds.
#
# **What you do.** This notebook is optional and carries no points. Run it. Once your tests of `filter_noise` and
# `mppi_update` pass, and those of {{ problem:ensembles }}, set `STUDENT_ID` and `USE_MY_CODE = True`, and run it again.

# %% name="setup" tags=["recorder"]
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks: one thread is fastest
import dataclasses
import time
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch

from hw4.agents import build_agent_and_parts, build_planner
from hw4.ensemble import aggregate_returns, member_returns
from hw4.envs import make_env
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.mpc import MPC, Objective
from hw4.notebook import Array, find_data, interval_of_median, median_text, own_seeds, read_table, show, use_style
from hw4.plots import BLUE, GREEN, ORANGE, PURPLE, VERMILION
from hw4.topics import mppi
from hw4.training import run_episode, train
from hw4.transitions import Transition

# %% name="parameters" tags=["parameters"]
USE_MY_CODE = False  # True: the check and the last cell run your code
STUDENT_ID = ""  # yours: your agent's seeds are derived from it
NUM_LIVE_SEEDS = 2  # how many ensembles it trains
LIVE_SECONDS = 45.0  # it starts no new training run after this long

# %% [markdown] name="ways-intro"
# ## What is compared
#
# Each seed trains one ensemble, as the graded experiment `cartpole_ensemble` does. Then it learns no more, and every
# planner below controls the cart-pole with that same ensemble, from the same two start states. So a difference between
# two planners is a difference of planning alone. The number of candidates is that of one control step: random shooting
# and MPPI score all of them in one call, CEM in three iterations.
#
# CEM runs with the settings of the experiment, with one exception: no more than a third of a population are elites.
# With 30 candidates a population is 10, and the 10 elites of the experiment would be all of it.


# %% name="ways" tags=["recorder"]
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


# %% [markdown] name="fixed-model-intro"
# An agent that learns no more, and times its plans. The recorded runs were made with these very lines.


# %% name="fixed-model" tags=["recorder"]
class FixedModelAgent:
    """Plans with a model that learns no more."""

    def __init__(self, model: Any, way: Way, seed: int) -> None:
        settings, generator = settings_of(way), torch.Generator().manual_seed(seed)

        def objective_from(observation: torch.Tensor) -> Objective:
            def objective(action_sequences: torch.Tensor) -> torch.Tensor:
                returns = member_returns(
                    model.predict,
                    settings.task.reward,
                    observation,
                    action_sequences,
                    ensemble_size=settings.ensemble_size,
                )
                return aggregate_returns(returns, settings.aggregation)

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
        """It learns no more."""


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
