"""Records the runs that notebooks/masters/distribution_shift.py draws.

Run it by `python -m publish.notebooks record`, which puts the solved tree and `notebook_cells`, the notebook's own
cells that are tagged "recorder", on the path: what is recorded is what the notebook shows.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from notebook_cells import (
    EXPERIMENT,
    FIRST_PLANNED,
    VERSIONS,
    WatchedEpisode,
    believed_heights,
    imagined_return,
    watch,
)

from hw4.agents import build_agent
from hw4.envs.cliff_hill import STEP_LENGTH, height
from hw4.experiments import as_version
from hw4.training import EpisodeRecord
from hw4.transitions import Transition

NUM_SEEDS = 20
RIDGE = np.round(np.arange(-1.0, 3.95, 0.1) + 0.05, 2)  # m; x of the steps whose outcome a model is asked for
HELD_OUT_SEEDS = (1000, 1001, 1002)  # trained with once, for the held-out transitions only
EPISODE_COLUMNS = (
    "version,seed,episode,env_steps,planned,episode_return,imagined_return,error_on_visited,error_on_base,error_on_plan"
)
PATH_COLUMNS = "policy,seed,episode,step,x,y,height,imagined_x,imagined_y,imagined_height"
BELIEF_COLUMNS = "model,seed,x,next_height,true_next_height"

Row = list[Any]


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    held_out = held_out_transitions()
    episode_rows: list[Row] = []
    path_rows: list[Row] = []
    belief_rows: list[Row] = []
    for version in VERSIONS:
        experiment = as_version(EXPERIMENT, version)
        for seed in range(NUM_SEEDS):
            agent, episodes = build_agent(experiment, seed), []
            for episode in watch(agent, experiment, seed, held_out):
                episodes.append(episode)
                if version == "0.5" and episode.record.episode == FIRST_PLANNED - 1:
                    belief_rows += beliefs_of("first", seed, agent)
            if version != "0.5":
                belief_rows += beliefs_of(version, seed, agent)
            whole_plan = experiment.replan_every == experiment.task.episode_length
            for e in episodes:
                errors = (e.error_on_visited, e.error_on_base, e.error_on_plan)
                imagined = imagined_return(experiment, e.record.actions, e.imagined) if e.planned and whole_plan else ""
                episode_rows.append(
                    [version, seed, e.record.episode, e.record.env_steps, int(e.planned)]
                    + [number(value) for value in (e.record.episode_return, imagined, *errors)]
                )
            if version == "0.5":  # the base policy's episodes are the same under every version
                path_rows += path_of("base", seed, episodes[:FIRST_PLANNED])
                path_rows += path_of("0.5", seed, episodes[FIRST_PLANNED : FIRST_PLANNED + 1])
            else:
                path_rows += path_of(version, seed, episodes[-1:])
            print(f"version {version}, seed {seed}: last return {episodes[-1].record.episode_return:.0f}", flush=True)
    order = {policy: i for i, policy in enumerate(("base", *VERSIONS))}
    path_rows.sort(key=lambda row: order[row[0]])  # stable: seeds, episodes and steps stay in order
    write(folder / "episodes.csv", EPISODE_COLUMNS, episode_rows)
    write(folder / "paths.csv", PATH_COLUMNS, path_rows)
    write(folder / "beliefs.csv", BELIEF_COLUMNS, belief_rows)
    provenance = {
        "command": "python -m publish.notebooks record",
        "experiment": dataclasses.asdict(EXPERIMENT),
        "facts": {"num_seeds": str(NUM_SEEDS), "held_out_seeds": f"{HELD_OUT_SEEDS[0]} to {HELD_OUT_SEEDS[-1]}"},
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    (folder / "recorded.json").write_text(json.dumps(provenance, indent=1) + "\n", encoding="utf-8")


def held_out_transitions() -> dict[str, Transition]:
    """Transitions under the base policy and under the first plan of 0.5, of seeds that no curve uses."""
    experiment = dataclasses.replace(as_version(EXPERIMENT, "0.5"), num_episodes=FIRST_PLANNED + 1)
    records: dict[str, list[EpisodeRecord]] = {"base": [], "plan": []}
    for seed in HELD_OUT_SEEDS:
        for episode in watch(build_agent(experiment, seed), experiment, seed, {}):
            records["plan" if episode.planned else "base"].append(episode.record)
    return {
        policy: Transition(
            np.concatenate([record.observations[:-1] for record in chosen]),
            np.concatenate([record.actions for record in chosen]),
            np.concatenate([record.observations[1:] for record in chosen]),
        )
        for policy, chosen in records.items()
    }


def beliefs_of(model: str, seed: int, agent: Any) -> list[Row]:
    """What the agent's model believes about one full step right along the ridge, and what is true."""
    truth = height(np.column_stack([RIDGE + STEP_LENGTH, np.zeros_like(RIDGE)]))
    return [
        [model, seed, number(x), number(believed, 4), number(true)]
        for x, believed, true in zip(RIDGE, believed_heights(agent, RIDGE), truth, strict=True)
    ]


def path_of(policy: str, seed: int, episodes: Iterable[WatchedEpisode]) -> list[Row]:
    """Where the agent was at each step, and where a plan for the whole episode expected it."""
    rows: list[Row] = []
    for e in episodes:
        whole_plan = e.planned and len(e.imagined) == len(e.record.observations)
        for step, observation in enumerate(e.record.observations):
            imagined = e.imagined[step] if whole_plan else ("", "", "")
            rows.append([policy, seed, e.record.episode, step, *(number(v, 3) for v in (*observation, *imagined))])
    return rows


def number(value: Any, digits: int = 5) -> str:
    """A number as text; an empty cell where there is none."""
    return "" if value == "" or np.isnan(value) else f"{float(value):.{digits}g}"


def write(path: Path, columns: str, rows: list[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns.split(","))
        writer.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
