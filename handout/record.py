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
from hw4.mpc import ModelBasedAgent, cem, random_shooting
from hw4.networks import EnsembleMLP
from hw4.noise import colored_noise
from hw4.training import train
from hw4.transitions import Transition

COMMAND = "python -m publish.handout figures"
SEEDS = range(20)
PATH_SEED = 0  # the run whose paths are drawn
MEMBERS = 5  # of the ensemble whose opinions are drawn
FULL_RIGHT = np.array([1.0, 0.0], dtype=np.float32)  # "go right to get higher!"

# A search that anybody can follow: a point of 1 kg on a line, at rest at 0, is to stand at 1 m after so many steps.
SEARCH_STEPS, SEARCH_ITERATIONS, SEARCH_POPULATION, SEARCH_ELITES, SEARCH_COLOR = 20, 5, 100, 10, 1.0
SEARCH_DT = 0.1  # s

PathName = Literal["data", "imagined", "happened_0.5", "happened_1.5"]


def write_csv(
    path: Path,
    columns: list[str],
    rows: Iterable[list[Any]],
    what: str,
    experiments: tuple[str, ...] = ("cliff_hill",),
) -> None:
    """Write rows under a comment that says how they were recorded. Numbers keep 6 significant digits."""
    settings = {name: dataclasses.asdict(EXPERIMENTS[name]) for name in experiments}
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


def point_returns(forces: torch.Tensor) -> torch.Tensor:
    """Return of each plan of forces in [-1, 1] N for the point, shape (num_sequences,): minus squared distance to 1 m,
    less a little of the squared speed and force, summed over the steps."""
    position = velocity = torch.zeros(len(forces))
    total = torch.zeros(len(forces))
    for force in forces[:, :, 0].T:
        velocity = velocity + SEARCH_DT * force
        position = position + SEARCH_DT * velocity
        total = total - (position - 1.0) ** 2 - 0.1 * velocity**2 - 0.01 * force**2
    return total


def record_search(folder: Path) -> None:
    """CEM on the point: what each iteration draws and what it earns, beside random shooting with as many candidates."""
    drawn: list[torch.Tensor] = []

    def objective(plans: torch.Tensor) -> torch.Tensor:
        drawn.append(plans.clone())
        return point_returns(plans)

    generator = torch.Generator().manual_seed(PATH_SEED)
    low, high = torch.tensor([-1.0]), torch.tensor([1.0])
    cem(
        objective,
        torch.zeros(SEARCH_STEPS, 1),
        torch.full((SEARCH_STEPS, 1), 0.7),
        low,
        high,
        population_size=SEARCH_POPULATION,
        num_iterations=SEARCH_ITERATIONS,
        num_elites=SEARCH_ELITES,
        smoothing=0.1,
        noise=lambda n: colored_noise(n, SEARCH_STEPS, 1, color=SEARCH_COLOR, generator=generator),
    )
    shot = random_shooting(
        point_returns,
        low,
        high,
        num_sequences=SEARCH_POPULATION * SEARCH_ITERATIONS,
        uniform=lambda n: torch.rand(n, SEARCH_STEPS, 1, generator=generator),
    )
    rows: list[list[Any]] = []
    for iteration, plans in enumerate(drawn, start=1):
        returns = point_returns(plans)
        facts = [float(returns.median()), float(returns.max()), float(point_returns(shot[None])[0])]
        for step in range(SEARCH_STEPS):
            spread = plans[:, step, 0]
            rows.append(
                [iteration, step, float(spread.mean()), float(spread.std(correction=0)), *facts, SEARCH_POPULATION]
            )
    write_csv(
        folder / "cem_search.csv",
        [
            "iteration",
            "step",
            "mean",
            "std",
            "median_return",
            "best_return",
            "random_shooting_return",
            "population_size",
        ],
        rows,
        f"CEM pushes a point from 0 to 1 m: {SEARCH_ITERATIONS} iterations of {SEARCH_POPULATION} plans, "
        f"{SEARCH_ELITES} elites, noise of colour {SEARCH_COLOR:g}, seed {PATH_SEED}; and random shooting with as many "
        "plans in all",
        experiments=(),
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    target = Path(sys.argv[1])
    record_cliff_hill(target)
    record_ensemble_fan(target)
    record_search(target)
