"""Records the runs that notebooks/masters/uncertainty_aware.py draws.

Run by `python -m publish.recorders uncertainty_aware`: about half an hour on one core. The
runs of soft actor-critic next to them are recorded by `python -m publish.recorders model_free`.
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
    MEMBERS,
    STRENGTHS,
    TYPICAL_SIZE,
    WIDTH_DATA_SIZES,
    WIDTH_GRADIENT_STEPS,
    WIDTHS,
    fitted_agent,
    held_out,
    model_error,
    plan_and_try,
    run_arm,
    visits,
)

from autograder.solutions import ROOT
from hw4.experiments import Experiment
from hw4.training import EpisodeRecord
from hw4.transitions import Transition
from publish.recorded_tables import Recording, Row, Table, number

NUM_SEEDS = {"gaps": 10, "widths": 10, **dict.fromkeys(ARMS, 20), "optimistic": 10, "noise": 10}
OF_EVERYTHING = {"experiment": dataclasses.asdict(EXPERIMENT)}
OF_ARMS = {**OF_EVERYTHING, "arms": {name: dataclasses.asdict(arm) for name, arm in ARMS.items()}}
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
    "visits": Table("seed,arm,angle_cell,velocity_cell,env_steps", key="seed,arm", settings=OF_ARMS),
    "arms": Table("seed,arm,episode,env_steps,episode_return,cells_visited", key="seed,arm", settings=OF_ARMS),
}

Rows = dict[str, list[Row]]  # by table


def main() -> None:
    """Record what is missing of each measurement, one seed of each after the other."""
    recording = Recording(ROOT / "notebooks" / "data" / "uncertainty_aware", "uncertainty_aware", TABLES)
    for seed in range(max(NUM_SEEDS.values())):
        for name, measure in MEASUREMENTS.items():
            tables = tables_of(name, seed)
            if seed < NUM_SEEDS[name] and not recording.has(*tables, seed=seed, arm=name):
                began = time.process_time()
                recording.put(**measure(seed))
                print(f"{name}, seed {seed}: {time.process_time() - began:.0f} CPU s", flush=True)


def tables_of(name: str, seed: int) -> tuple[str, ...]:
    """The tables that one measurement fills."""
    if name not in ARMS:
        return (name,)
    return ("arms", "visits") if seed < min(NUM_SEEDS.values()) else ("arms",)


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


def learning_curve(name: str) -> Callable[[int], Rows]:
    """One arm's returns, and the states it visits after the base policy's episode."""

    def record(seed: int) -> Rows:
        records: list[EpisodeRecord] = []
        returns: list[Row] = []
        for episode in run_arm(ARMS[name], seed):
            records.append(episode)
            cells = np.count_nonzero(visits(records))
            returns.append([seed, name, episode.episode, episode.env_steps, number(episode.episode_return), cells])
        if "visits" not in tables_of(name, seed):
            return {"arms": returns}
        counts = visits(records[EXPERIMENT.num_initial_episodes :])
        visited = [[seed, name, *cell, int(env_steps)] for cell, env_steps in np.ndenumerate(counts) if env_steps]
        return {"visits": visited, "arms": returns}

    return record


MEASUREMENTS: dict[str, Callable[[int], Rows]] = {
    "gaps": gaps,
    "widths": widths,
    **{name: learning_curve(name) for name in ARMS},
}


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
