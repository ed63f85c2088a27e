"""Records the runs that notebooks/masters/uncertainty_aware.py draws.

Run by `python -m publish.recorders uncertainty_aware`: about half an hour on one core. The runs of soft actor-critic
next to them are recorded by `python -m publish.recorders model_free`.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from notebook_cells import (
    ARMS,
    CEM,
    DATA_SIZES,
    EXPERIMENT,
    GAP_GRADIENT_STEPS,
    MAPS,
    MEMBERS,
    PICTURED,
    STRENGTHS,
    TYPICAL_SIZE,
    WIDTH_DATA_SIZES,
    WIDTH_GRADIENT_STEPS,
    WIDTHS,
    fitted_agent,
    has_fallen,
    held_out,
    model_error,
    plan_and_try,
    run_arm,
)

from autograder.solutions import ROOT
from hw4.experiments import Experiment
from hw4.transitions import Transition
from publish.recorded_tables import Recording, Row, Table, number

NUM_SEEDS = {"gaps": 10, "widths": 10}
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
    "widths": Table(
        "seed,width,transitions,train_error,held_out_error,predicted,true",
        key="seed",
        settings={**OF_EVERYTHING, "widths": [WIDTHS, WIDTH_DATA_SIZES, WIDTH_GRADIENT_STEPS]},
    ),
    "walks": Table("seed,map,arm,episode,env_steps,episode_return,falls,stands", key="seed,map,arm", settings=OF_WALKS),
    "paths": Table("seed,arm,step,x,y", key="seed,arm", settings=OF_WALKS),
}

Rows = dict[str, list[Row]]  # by table


def main() -> None:
    """Record what is missing of each measurement, one seed of each after the other."""
    recording = Recording(ROOT / "notebooks" / "data" / "uncertainty_aware", "uncertainty_aware", TABLES)
    for index in range(max(len(WALK_SEEDS), *NUM_SEEDS.values())):
        for name, measure in MEASUREMENTS.items():
            if index < NUM_SEEDS[name] and not recording.has(name, seed=index):
                began = time.process_time()
                recording.put(**measure(index))
                print(f"{name}, seed {index}: {time.process_time() - began:.0f} CPU s", flush=True)
        if index < len(WALK_SEEDS):
            for on, arm in WALKS:
                if not recording.has("walks", seed=WALK_SEEDS[index], map=on, arm=arm):
                    recording.put(**walks(on, arm, WALK_SEEDS[index]))
            print(f"walks, seed {WALK_SEEDS[index]}", flush=True)


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


def widths(seed: int) -> Rows:
    """One network of each width, fitted to little and to much data."""
    _, unseen = held_out(seed)
    rows: list[Row] = []
    for transitions in WIDTH_DATA_SIZES:
        for width in WIDTHS:
            experiment = dataclasses.replace(
                EXPERIMENT, ensemble_size=1, width=width, gradient_steps=WIDTH_GRADIENT_STEPS
            )
            agent = fitted_agent(experiment, transitions, seed)
            seen = Transition(*(field[: len(unseen.action)] for field in agent.replay.stacked()))
            (outcome,) = planned(agent, experiment, seed, (CEM,)).values()
            errors = model_error(agent, seen), model_error(agent, unseen)
            rows.append([seed, width, transitions, *map(number, (*errors, *outcome))])
    return {"widths": rows}


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
MEASUREMENTS: dict[str, Callable[[int], Rows]] = {"gaps": gaps, "widths": widths}


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
