"""Records the runs that notebooks/masters/mppi.py draws.

Run by `python -m publish.recorders mppi`: about 12 minutes on one core.

Each seed trains one ensemble on the cart-pole, as `cartpole_ensemble` does, and then every planner controls it from the
same two start states with that ensemble (`plans.csv`). `noise.csv` holds one candidate's noise before and after the
filter. handout/topics/mppi.csv holds the medians and intervals that the handout shows.

Claims. Their form was fixed before the seeds below were looked at; the settings of the planners were chosen with the
seeds 0 to 3. A seed counts as one number, the mean over its start states. Planners are compared by the paired
differences, seed by seed: their median and its exact 95 % interval.

1. MPPI earns more than random shooting at 30 candidates: the interval of the difference lies above 0.
2. MPPI and CEM, at 30, 90 and 300 candidates: the interval is reported, whatever it is. They are said to be level if it
   lies within 5 of 0, which is 6 % of a good return. That either is better is not claimed.
3. A small kappa fails: with kappa = 0.1 the return is less than half of that with kappa = 10 (the interval of the
   ratio lies below 1/2). For the other values of kappa, and for beta, the intervals of the differences are reported.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autograder.solutions import ROOT
from hw4.agents import build_agent_and_parts
from hw4.commands.jupyter import interval_of_median, read_table
from hw4.dynamics_model import DynamicsModel
from hw4.envs import make_env
from hw4.notebooks.mppi_runs import (
    BETA,
    BETAS,
    CANDIDATES,
    COMPARED_AT,
    ENSEMBLE,
    KAPPA,
    KAPPAS,
    WAYS,
    Way,
    by_seed,
    in_comparison,
    plan_an_episode,
)
from hw4.topics.mppi import filter_noise
from hw4.training import train
from publish.recorded_tables import COMMAND, Recording, Row, Table, number, write_table

SEEDS = range(100, 120)
NUM_STARTS = 2  # episodes of each way of planning with each ensemble
FIRST_START = 10_000  # seeds of their start states, which no training run has seen: 10,000, 10,001, ...
NOISE_STEPS = 40  # of the candidate that is drawn
NOISE_SEED = 0

NAME = "mppi"
DATA = ROOT / "notebooks" / "data" / NAME
TABLES = {
    "plans": Table(
        "planner,candidates,kappa,beta,seed,start,episode_return,milliseconds",
        key="seed",
        settings={"experiment": dataclasses.asdict(ENSEMBLE), "ways": [dataclasses.asdict(way) for way in WAYS]},
    ),
    "noise": Table("beta,step,white,filtered", settings={"betas": BETAS}),
}
MEASURED = Table(
    "quantity,setting,median,low,high",
    says="medians over seeds with their 95 % intervals, from notebooks/data/mppi/plans.csv",
)


def main() -> None:
    recording = Recording(DATA, NAME, TABLES)
    if not recording.has("noise"):
        recording.put(noise=noise_rows())
    for seed in SEEDS:
        if not recording.has("plans", seed=seed):
            recording.put(plans=plans_of(learn(seed), seed))
            print(f"seed {seed}", flush=True)
    recording.note(num_models=len(SEEDS))
    how = [f"written by: {COMMAND.format(NAME)}"]
    write_table(ROOT / "handout" / "topics" / f"{NAME}.csv", MEASURED, measured(), how)


def learn(seed: int) -> DynamicsModel:
    """The ensemble at the end of one training run."""
    agent, parts = build_agent_and_parts(ENSEMBLE, seed)
    for _ in train(make_env(ENSEMBLE.task_name), agent, num_episodes=ENSEMBLE.num_episodes, seed=seed):
        pass
    return parts.model


def plans_of(model: DynamicsModel, seed: int) -> list[Row]:
    """Rows of plans.csv: every way of planning with one ensemble."""
    rows: list[Row] = []
    for start in range(NUM_STARTS):
        for way in WAYS:
            start_seed = FIRST_START + NUM_STARTS * seed + start
            episode_return, milliseconds = plan_an_episode(model, way, seed, start_seed)
            rows.append([*dataclasses.astuple(way), seed, start, number(episode_return), number(milliseconds, 3)])
    return rows


def noise_rows() -> list[Row]:
    """Rows of noise.csv: the noise of one candidate, before and after the filter."""
    white = torch.randn(1, NOISE_STEPS, 1, generator=torch.Generator().manual_seed(NOISE_SEED))
    return [
        [beta, step, number(float(before), 4), number(float(after), 4)]
        for beta in BETAS
        for step, (before, after) in enumerate(zip(white[0], filter_noise(white, beta)[0], strict=True))
    ]


def measured() -> list[Row]:
    """Rows of the handout's table: medians over seeds with their 95 % intervals."""
    table = read_table(DATA / "plans.csv", texts=("planner",))
    values: dict[tuple[str, float], NDArray[Any]] = {}
    for candidates in CANDIDATES:
        ways = {planner: in_comparison(planner, candidates) for planner in ("random_shooting", "cem", "mppi")}
        returns = {planner: by_seed(table, way) for planner, way in ways.items()}
        times = {planner: by_seed(table, way, "milliseconds") for planner, way in ways.items()}
        for planner in ways:
            values[planner, candidates] = returns[planner]
        values["mppi minus random_shooting", candidates] = returns["mppi"] - returns["random_shooting"]
        values["mppi minus cem", candidates] = returns["mppi"] - returns["cem"]
        values["time of cem over mppi", candidates] = times["cem"] / times["mppi"]
    values |= {("kappa", kappa): by_seed(table, Way("mppi", COMPARED_AT, kappa, BETA)) for kappa in KAPPAS}
    values |= {("beta", beta): by_seed(table, Way("mppi", COMPARED_AT, KAPPA, beta)) for beta in BETAS}
    return [
        [quantity, f"{setting:g}", *(f"{value:.1f}" for value in (np.median(of_way), *interval_of_median(of_way)))]
        for (quantity, setting), of_way in values.items()
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
