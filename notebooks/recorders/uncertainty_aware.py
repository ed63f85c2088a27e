"""Records the runs that notebooks/masters/uncertainty_aware.py draws.

Run it by `python -m publish.notebooks record`, which puts the solved tree and `notebook_cells`, the notebook's own
cells that are tagged "recorder", on the path: what is recorded is what the notebook shows. About half an hour on one
core. It may be stopped and called again: runs that are in the tables are kept, unless the settings have changed. The
runs of soft actor-critic beside them are recorded by `python -m publish.model_free`.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
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

from hw4.experiments import Experiment
from hw4.training import EpisodeRecord
from hw4.transitions import Transition

NUM_SEEDS = {"gaps": 10, "widths": 10, **dict.fromkeys(ARMS, 20), "optimistic": 10, "noise": 10}
COLUMNS = {
    "gaps": "seed,members,transitions,strength,predicted,true",
    "widths": "seed,width,transitions,train_error,held_out_error,predicted,true",
    "arms": "seed,arm,episode,env_steps,episode_return,cells_visited",
    "visits": "seed,arm,angle_cell,velocity_cell,env_steps",
}

Row = list[Any]


def main(folder: Path, wanted: Sequence[str]) -> None:
    """Record what is missing of some measurements, one seed of each after the other."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "experiment": dataclasses.asdict(EXPERIMENT),
        "gaps": [MEMBERS, DATA_SIZES, STRENGTHS, GAP_GRADIENT_STEPS],
        "widths": [WIDTHS, WIDTH_DATA_SIZES, WIDTH_GRADIENT_STEPS],
        "arms": {name: dataclasses.asdict(arm) for name, arm in ARMS.items()},
    }
    provenance = folder / "recorded.json"
    same = provenance.exists() and json.loads(provenance.read_text(encoding="utf-8"))["settings"] == plain(settings)
    tables = {name: read(folder / f"{name}.csv") if same else [] for name in COLUMNS}
    for seed in range(max(NUM_SEEDS.values())):
        for name in wanted:
            if seed < NUM_SEEDS[name] and not is_there(tables, name, seed):
                began = time.process_time()
                for table, row in MEASUREMENTS[name](seed):
                    tables[table].append([str(value) for value in row])
                for table, rows in tables.items():
                    write(folder / f"{table}.csv", COLUMNS[table], rows)
                text = json.dumps(described(settings, tables), indent=1)
                provenance.write_text(text + "\n", encoding="utf-8")
                print(f"{name}, seed {seed}: {time.process_time() - began:.0f} CPU s", flush=True)


def described(settings: dict[str, Any], tables: dict[str, list[Row]]) -> dict[str, Any]:
    """What recorded.json says: how the tables came about, and what the notebook's text may quote."""
    return {
        "command": "python -m publish.notebooks record",
        "settings": plain(settings),
        "facts": {},
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def plain(settings: dict[str, Any]) -> Any:
    """As JSON gives it back."""
    return json.loads(json.dumps(settings))


def is_there(tables: dict[str, list[Row]], name: str, seed: int) -> bool:
    if name in ARMS:
        return any(row[:2] == [str(seed), name] for row in tables["arms"])
    return any(row[0] == str(seed) for row in tables[name])


def gaps(seed: int) -> Iterator[tuple[str, Row]]:
    """Optimism of the chosen plan, over members and searches, and for one and five members over data sizes."""
    for members in MEMBERS:
        for transitions in DATA_SIZES if members in (1, 5) else (TYPICAL_SIZE,):
            experiment = dataclasses.replace(EXPERIMENT, ensemble_size=members, gradient_steps=GAP_GRADIENT_STEPS)
            agent = fitted_agent(experiment, transitions, seed)
            searches = STRENGTHS if transitions == TYPICAL_SIZE else (CEM,)
            for strength, outcome in planned(agent, experiment, seed, searches).items():
                yield "gaps", [seed, members, transitions, strength, *map(number, outcome)]


def widths(seed: int) -> Iterator[tuple[str, Row]]:
    """One network of each width, fitted to little and to much data."""
    _, unseen = held_out(seed)
    for transitions in WIDTH_DATA_SIZES:
        for width in WIDTHS:
            experiment = dataclasses.replace(
                EXPERIMENT, ensemble_size=1, width=width, gradient_steps=WIDTH_GRADIENT_STEPS
            )
            agent = fitted_agent(experiment, transitions, seed)
            seen = Transition(*(field[: len(unseen.action)] for field in agent.replay.stacked()))
            (outcome,) = planned(agent, experiment, seed, (CEM,)).values()
            errors = model_error(agent, seen), model_error(agent, unseen)
            yield "widths", [seed, width, transitions, *map(number, (*errors, *outcome))]


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


def learning_curve(name: str) -> Callable[[int], Iterator[tuple[str, Row]]]:
    """One arm's returns, and the states it visits after the base policy's episode."""

    def record(seed: int) -> Iterator[tuple[str, Row]]:
        records: list[EpisodeRecord] = []
        for episode in run_arm(ARMS[name], seed):
            records.append(episode)
            cells = np.count_nonzero(visits(records))
            yield "arms", [seed, name, episode.episode, episode.env_steps, number(episode.episode_return), cells]
        if seed < min(NUM_SEEDS.values()):
            counts = visits(records[EXPERIMENT.num_initial_episodes :])
            for (angle, velocity), env_steps in np.ndenumerate(counts):
                if env_steps:
                    yield "visits", [seed, name, angle, velocity, int(env_steps)]

    return record


MEASUREMENTS: dict[str, Callable[[int], Iterator[tuple[str, Row]]]] = {
    "gaps": gaps,
    "widths": widths,
    **{name: learning_curve(name) for name in ARMS},
}


def number(value: float, digits: int = 5) -> str:
    return f"{float(value):.{digits}g}"


def read(path: Path) -> list[Row]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def write(path: Path, columns: str, rows: list[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns.split(","))
        writer.writerows(sorted(rows, key=lambda row: int(row[0])))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or list(MEASUREMENTS))
