"""Records the cliff-hill runs that the handout shows, as CSV files.

Runs in the solved tree: `python -m publish.handout figures` starts it there, with one thread.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from hw4.agents import build_agent
from hw4.dynamics_model import DynamicsModel, Normalizer, fit, make_optimizer
from hw4.ensemble import bootstrap_indices, member_minibatches
from hw4.envs import make_env
from hw4.experiments import EXPERIMENTS, Version, as_version
from hw4.mpc import ModelBasedAgent
from hw4.networks import EnsembleMLP
from hw4.training import train
from hw4.transitions import Transition

COMMAND = "python -m publish.handout figures"
SEEDS = range(20)
PATH_SEED = 0  # the run whose paths are drawn
MEMBERS = 5  # of the ensemble whose opinions are drawn
FULL_RIGHT = np.array([1.0, 0.0], dtype=np.float32)  # "go right to get higher!"

PathName = Literal["data", "imagined", "happened_0.5", "happened_1.5"]


def write_csv(path: Path, columns: list[str], rows: Iterable[list[Any]], what: str) -> None:
    """Write rows under a comment that says how they were recorded. Numbers keep 6 significant digits."""
    settings = {"cliff_hill": dataclasses.asdict(EXPERIMENTS["cliff_hill"])}
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# {what}\n# recorded by: {COMMAND}\n# settings: {json.dumps(settings)}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row] for row in rows)
    print(f"wrote {path.name}", flush=True)


def imagine(agent: ModelBasedAgent, observation: NDArray[Any], actions: NDArray[Any]) -> NDArray[Any]:
    """The model's own roll-out of `actions`, shape (len(actions) + 1, obs_dim)."""
    states = [observation]
    for action in actions:
        states.append(agent.predict_next(states[-1], action))
    return np.array(states)


def record_cliff_hill(folder: Path) -> None:
    """Each version on each seed; and of one seed the data, the imagined plan and what happened."""
    returns: list[list[Any]] = []
    paths: list[list[Any]] = []

    def add_path(name: PathName, states: NDArray[Any]) -> None:
        paths.extend([name, step, *map(float, state)] for step, state in enumerate(states))

    for version in get_args(Version):
        experiment = as_version(EXPERIMENTS["cliff_hill"], version)
        for seed in SEEDS:
            agent = build_agent(experiment, seed)
            records = list(train(make_env("cliff_hill"), agent, num_episodes=experiment.num_episodes, seed=seed))
            returns.extend([version, seed, r.episode, r.env_steps, r.episode_return] for r in records)
            if seed != PATH_SEED:
                continue
            first_planned = records[experiment.num_initial_episodes]
            if version == "0.5":
                for record in records[: experiment.num_initial_episodes]:
                    add_path("data", record.observations)
                add_path("imagined", imagine(agent, first_planned.observations[0], first_planned.actions))
                add_path("happened_0.5", first_planned.observations)
            elif version == "1.5":
                add_path("happened_1.5", records[-1].observations)
    seeds = f"experiment cliff_hill, seeds {SEEDS[0]} to {SEEDS[-1]}"
    write_csv(
        folder / "cliff_hill_versions.csv",
        ["version", "seed", "episode", "env_steps", "episode_return"],
        returns,
        f"{seeds}, as each version of hw4.experiments.as_version",
    )
    write_csv(
        folder / "cliff_hill_paths.csv",
        ["path", "step", "x", "y", "height"],
        paths,
        f"experiment cliff_hill, seed {PATH_SEED}: the base policy's data; version 0.5's plan as its model imagines it "
        "and as it happened; the last episode of version 1.5",
    )


def record_ensemble_fan(folder: Path) -> None:
    """Members fitted to the base policy's data imagine walking straight to the right."""
    experiment = EXPERIMENTS["cliff_hill"]
    agent = build_agent(experiment, PATH_SEED)
    env = make_env("cliff_hill")
    list(train(env, agent, num_episodes=experiment.num_initial_episodes, seed=PATH_SEED))
    generator = torch.Generator().manual_seed(PATH_SEED)
    in_dim, out_dim = experiment.task.obs_dim + experiment.task.act_dim, experiment.task.obs_dim
    network = EnsembleMLP(
        MEMBERS,
        in_dim,
        out_dim,
        width=experiment.width,
        num_hidden_layers=experiment.num_hidden_layers,
        generator=generator,
    )
    model = DynamicsModel(
        network, input_normalizer=Normalizer.identity(in_dim), delta_normalizer=Normalizer.identity(out_dim)
    )
    data = Transition(*(torch.from_numpy(field) for field in agent.replay.stacked()))
    members = bootstrap_indices(len(agent.replay), MEMBERS, generator=generator)
    fit(
        model,
        data,
        make_optimizer(network, experiment.learning_rate),
        sample_indices=lambda: member_minibatches(members, experiment.batch_size, generator=generator),
        gradient_steps=experiment.gradient_steps,
    )
    action = torch.from_numpy(FULL_RIGHT).expand(MEMBERS, 1, -1)
    state = torch.zeros(MEMBERS, 1, out_dim)
    rows: list[list[Any]] = []
    with torch.no_grad():
        for step in range(experiment.task.episode_length + 1):
            for member in range(MEMBERS):
                rows.append([member, step, *map(float, state[member, 0])])
            state = model.predict(state, action)
    write_csv(
        folder / "cliff_hill_members.csv",
        ["member", "step", "x", "y", "height"],
        rows,
        f"experiment cliff_hill, seed {PATH_SEED}: {MEMBERS} members fitted to the base policy's data imagine action "
        "(1, 0) from (0, 0)",
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    target = Path(sys.argv[1])
    record_cliff_hill(target)
    record_ensemble_fan(target)
