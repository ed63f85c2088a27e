"""Records the runs that notebooks/masters/uncertainty_aware.py draws.

Run by `python -m publish.recorders uncertainty_aware`: about three quarters of an hour on one core; names of tables
after it record these alone. The runs of soft actor-critic next to them are recorded by `python -m publish.recorders
model_free`.

What `capacity.csv` and `single_network.csv` compare was fixed before they were recorded.

1. The lecture says that a network must not overfit early in training, when data are few, and needs capacity later.
   A narrow network, a wide one and five wide ones follow the same growing data, with the same gradient steps at each
   fit and weights kept between fits, as our agents keep them. The task is the cart-pole, because a narrow network
   lacks the capacity for it, with noisy readings, because without noise there is nothing to overfit: an earlier
   recording, without it, showed no difference early. Held-out error, without noise, paired by seed, on seeds that
   nobody had used: wide minus narrow is positive early (100 transitions), narrow minus wide is positive late (6,400),
   five wide minus one wide is negative early, and late. The exact 95 % interval of the median decides; if it holds 0,
   no difference is claimed. The noise (0.3 of the change's std; 1 was looked at, too), width and gradient steps were
   chosen on seeds 0 to 2.
2. The lecture's figure of the half-cheetah before and after uncertainty: one squared-error network planned on its mean,
   and the ensemble. The settings are those of the recorded ensemble but for its size, and the single network searches
   five times as many candidates, so both spend the same model evaluations. As many seeds as the ensemble's band has.
   Mean return of the last five episodes, ensemble minus single, is positive according to the lecture; with so few
   seeds no interval of a median exists, so the ensemble's median minus each single run is stated, and nothing is
   claimed of others.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from autograder.solutions import ROOT
from hw4.agents import build_agent, build_agent_and_parts
from hw4.envs import make_env
from hw4.experiments import Experiment
from hw4.notebooks.uncertainty_aware_runs import (
    ARMS,
    CAPACITY_GRADIENT_STEPS,
    CEM,
    DATA_SIZES,
    EARLY,
    EXPERIMENT,
    GAP_GRADIENT_STEPS,
    LATE,
    MAPS,
    MEMBERS,
    PICTURED,
    READING_NOISE,
    SEEN,
    SINGLE_CHEETAH,
    SIZES,
    STRENGTHS,
    TYPICAL_SIZE,
    fitted_agent,
    has_fallen,
    held_out,
    model_error,
    noisy_readings,
    plan_and_try,
    run_arm,
)
from hw4.training import train
from hw4.transitions import ReplayBuffer
from publish.recorded_tables import Recording, Row, Table, number
from publish.ungraded_bands import RUNS_WANTED

SEEDS = {
    "gaps": range(10),
    "capacity": range(400, 420),  # nobody has looked at these before
    "single_network": range(RUNS_WANTED["half_cheetah"]),  # those of the recorded ensemble
}
WALK_SEEDS = range(200, 220)  # nobody has looked at these before
ON_THE_BRIDGE = (
    "one_mean",
    "true_sampled",
    "five_sampled",
    "pessimistic",
    "mean_minus_std",
    "mean_plus_std",
    "optimistic",
)
OF_EVERYTHING = {"experiment": dataclasses.asdict(EXPERIMENT)}
OF_WALKS = {
    "maps": {on: dataclasses.asdict(experiment) for on, experiment in MAPS.items()},
    "arms": {name: arm.settings for name, arm in ARMS.items()},
}
TABLES = {
    "gaps": Table(
        "seed,members,transitions,strength,predicted,true",
        key="seed",
        settings={**OF_EVERYTHING, "gaps": [MEMBERS, DATA_SIZES, STRENGTHS, GAP_GRADIENT_STEPS]},
    ),
    "capacity": Table(
        "seed,size,transitions,train_error,held_out_error",
        key="seed",
        settings={**OF_EVERYTHING, "capacity": [SIZES, SEEN, CAPACITY_GRADIENT_STEPS, READING_NOISE]},
    ),
    "single_network": Table(
        "seed,episode,env_steps,episode_return",
        key="seed",
        settings={"experiment": dataclasses.asdict(SINGLE_CHEETAH)},
    ),
    "walks": Table("seed,map,arm,episode,env_steps,episode_return,falls,stands", key="seed,map,arm", settings=OF_WALKS),
    "paths": Table("seed,arm,step,x,y", key="seed,arm", settings=OF_WALKS),
}

Rows = dict[str, list[Row]]  # by table


def main(only: list[str]) -> None:
    """Record what is missing of each measurement, one seed of each after the other."""
    recording = Recording(ROOT / "notebooks" / "data" / "uncertainty_aware", "uncertainty_aware", TABLES)
    for index in range(max(len(WALK_SEEDS), *map(len, SEEDS.values()))):
        for name, measure in MEASUREMENTS.items():
            if name not in (only or MEASUREMENTS) or index >= len(SEEDS[name]):
                continue
            seed = SEEDS[name][index]
            if not recording.has(name, seed=seed):
                began = time.process_time()
                recording.put(**measure(seed))
                print(f"{name}, seed {seed}: {time.process_time() - began:.0f} CPU s", flush=True)
        if index < len(WALK_SEEDS) and "walks" in (only or ["walks"]):
            for on, arm in WALKS:
                if not recording.has("walks", seed=WALK_SEEDS[index], map=on, arm=arm):
                    recording.put(**walks(on, arm, WALK_SEEDS[index]))
            print(f"walks, seed {WALK_SEEDS[index]}", flush=True)
    recording.note(
        capacity_steps=CAPACITY_GRADIENT_STEPS, reading_noise=READING_NOISE, early=f"{EARLY:,}", late=f"{LATE:,}"
    )


def gaps(seed: int) -> Rows:
    """Optimism of the chosen plan, over members and searches, and for one and five members over data sizes."""
    rows: list[Row] = []
    for members in MEMBERS:
        for transitions in DATA_SIZES if members in (1, 5) else (TYPICAL_SIZE,):
            experiment = dataclasses.replace(EXPERIMENT, ensemble_size=members, gradient_steps=GAP_GRADIENT_STEPS)
            agent = fitted_agent(experiment, transitions, seed)
            searches = STRENGTHS if transitions == TYPICAL_SIZE else (CEM,)
            for strength, outcome in planned(agent, experiment, seed, searches).items():
                rows.append([seed, members, transitions, strength, *map(number, outcome)])
    return {"gaps": rows}


def capacity(seed: int) -> Rows:
    """Networks of each size as their data grow, each fit from the weights of the one before."""
    data, unseen = noisy_readings(seed)
    rows: list[Row] = []
    for size, settings in SIZES.items():
        experiment = dataclasses.replace(EXPERIMENT, gradient_steps=CAPACITY_GRADIENT_STEPS, **settings)
        agent, parts = build_agent_and_parts(experiment, seed)
        replay = ReplayBuffer()
        for transitions in SEEN:
            for index in range(len(replay), transitions):
                replay.append(data.select(index))
            agent.fit(replay)
            errors = [model_error(parts.model.predict, judged) for judged in (replay.stacked(), unseen)]
            rows.append([seed, size, transitions, *map(number, errors)])
    return {"capacity": rows}


def single_network(seed: int) -> Rows:
    """The half-cheetah with one network; the same seed has the same random episodes as the recorded ensemble."""
    records = train(
        make_env("half_cheetah"), build_agent(SINGLE_CHEETAH, seed), num_episodes=SINGLE_CHEETAH.num_episodes, seed=seed
    )
    return {"single_network": [[seed, r.episode, r.env_steps, f"{r.episode_return:.2f}"] for r in records]}


def planned(
    agent: Any, experiment: Experiment, seed: int, strengths: tuple[str, ...]
) -> dict[str, tuple[float, float]]:
    """Predicted and true return of the plans, each averaged over the held-out starts."""
    starts, _ = held_out(seed)
    outcomes = [plan_and_try(agent, experiment, start, strengths) for start in starts]
    return {
        strength: tuple(np.mean([dataclasses.astuple(outcome[strength]) for outcome in outcomes], axis=0))
        for strength in strengths
    }


def walks(on: str, arm: str, seed: int) -> Rows:
    """One run of an arm on a map; of a pictured one on the ledge also its last path, for the first seed."""
    records = list(run_arm(arm, on, seed))
    rows: list[Row] = []
    for record in records:
        places = record.observations[1:]
        falls, stands = int(has_fallen(on, places).sum()), float(np.median(places[-10:, 0]))
        told = number(record.episode_return), falls, number(stands)
        rows.append([seed, on, arm, record.episode, record.env_steps, *told])
    if on != "ledge" or arm not in PICTURED or seed != WALK_SEEDS[0]:
        return {"walks": rows}
    path = [[seed, arm, step, *map(number, place)] for step, place in enumerate(records[-1].observations)]
    return {"walks": rows, "paths": path}


WALKS = (*(("ledge", arm) for arm in ARMS), *(("bridge", arm) for arm in ON_THE_BRIDGE))
MEASUREMENTS: dict[str, Callable[[int], Rows]] = {
    "gaps": gaps,
    "capacity": capacity,
    "single_network": single_network,
}


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
