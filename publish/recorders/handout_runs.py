"""Records the runs that the handout draws and quotes: the versions on the cliff hill, one search by CEM, and how long
each command takes.

Run by `python -m publish.recorders handout_runs`: a few minutes on one core.
"""

from __future__ import annotations

import dataclasses
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from autograder.solutions import ROOT
from autograder.worker.forking import measure_speed
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
from publish.recorded_tables import Recording, Row, Table, number

SEEDS = range(20)
PATH_SEED = 0  # the run whose paths are drawn
MEMBERS = 5  # of the ensemble whose opinions are drawn
FULL_RIGHT = np.array([1.0, 0.0], dtype=np.float32)  # "go right to get higher!"

# A search that anybody can follow: a point of 1 kg on a line, at rest at 0, should stop at 1 m within this many steps.
SEARCH_STEPS, SEARCH_ITERATIONS, SEARCH_POPULATION, SEARCH_ELITES, SEARCH_COLOR = 20, 5, 100, 10, 1.0
SEARCH_DT = 0.1  # s

# Commands that the handout shows with the time that they take.
COMMANDS = (
    "pytest hw4/tests -m p1",
    "pytest hw4/tests -m p2",
    "pytest hw4/tests -m p3",
    "pytest hw4/tests -m p4",
    "python -m hw4 fall",
    "python -m hw4 train cliff_hill --version 0.5 --planner random_shooting",
    "python -m hw4 train cliff_hill --version 0.5",
    "python -m hw4 train cliff_hill --version 1.5",
    "python -m hw4 train cartpole",
    "python -m hw4 train ledge",
)

PathName = Literal["data", "imagined", "happened_0.5", "happened_1.5"]


ON_THE_HILL = {"cliff_hill": dataclasses.asdict(EXPERIMENTS["cliff_hill"])}
TABLES = {
    "cliff_hill_versions": Table(
        "version,seed,episode,env_steps,episode_return",
        key="version,seed",
        settings=ON_THE_HILL,
        says=f"experiment cliff_hill, seeds {SEEDS[0]} to {SEEDS[-1]}, as each version of hw4.experiments.as_version",
    ),
    "cliff_hill_shooting": Table(
        "seed,episode,promised,episode_return",
        key="seed",
        settings=ON_THE_HILL,
        says=f"experiment cliff_hill, seeds {SEEDS[0]} to {SEEDS[-1]}, version 0.5 planned by random shooting: the "
        "return that the model promises of each plan, and what the plan earned",
    ),
    "cliff_hill_paths": Table(
        "path,step,x,y,height",
        key="path",
        settings=ON_THE_HILL,
        says=f"experiment cliff_hill, seed {PATH_SEED}: the base policy's data; version 0.5's plan as its model "
        "imagines it and as it happened; the last episode of version 1.5",
    ),
    "cliff_hill_members": Table(
        "member,step,x,y,height",
        settings=ON_THE_HILL,
        says=f"experiment cliff_hill, seed {PATH_SEED}: {MEMBERS} members fitted to the base policy's data imagine "
        "action (1, 0) from (0, 0)",
    ),
    "cem_search": Table(
        "iteration,step,mean,std,median_return,best_return,random_shooting_return,population_size",
        says=f"CEM pushes a point from 0 to 1 m: {SEARCH_ITERATIONS} iterations of {SEARCH_POPULATION} plans, "
        f"{SEARCH_ELITES} elites, noise of colour {SEARCH_COLOR:g}, seed {PATH_SEED}; and random shooting with as many "
        "plans in all",
    ),
    "command_times": Table(
        "command,cpu_seconds,speed",
        key="command",
        settings={name: dataclasses.asdict(EXPERIMENTS[name]) for name in ("cliff_hill", "cartpole", "ledge")},
        says="processor time of each command with the reference solution, one thread; speed: processor seconds of the "
        "grader's fixed piece of work on the same machine",
    ),
}


def main() -> None:
    recording = Recording(ROOT / "handout" / "data", "handout_runs", TABLES)
    for version in get_args(Version):
        for seed in SEEDS:
            paths = {"0.5": ("data", "imagined", "happened_0.5"), "1.5": ("happened_1.5",)}.get(version, ())
            has_paths = seed != PATH_SEED or all(recording.has("cliff_hill_paths", path=path) for path in paths)
            if not (has_paths and recording.has("cliff_hill_versions", version=version, seed=seed)):
                record_version(recording, version, seed)
    for seed in SEEDS:
        if not recording.has("cliff_hill_shooting", seed=seed):
            recording.put(cliff_hill_shooting=shooting_rows(seed))
    if not recording.has("cliff_hill_members"):
        recording.put(cliff_hill_members=members_rows())
    if not recording.has("cem_search"):
        recording.put(cem_search=search_rows())
    for command in COMMANDS:
        if not recording.has("command_times", command=command):
            recording.put(command_times=[time_of(command)])


def imagine(agent: ModelBasedAgent, observation: NDArray[Any], actions: NDArray[Any]) -> NDArray[Any]:
    """The model's own roll-out of `actions`, shape (len(actions) + 1, obs_dim)."""
    states = [observation]
    for action in actions:
        states.append(agent.predict_next(states[-1], action))
    return np.array(states)


def record_version(recording: Recording, version: Version, seed: int) -> None:
    """One version on one seed; and of one seed the data, the imagined plan and what happened."""
    experiment = as_version(EXPERIMENTS["cliff_hill"], version)
    agent = build_agent(experiment, seed)
    records = list(train(make_env("cliff_hill"), agent, num_episodes=experiment.num_episodes, seed=seed))
    paths: list[Row] = []

    def add_path(name: PathName, states: NDArray[Any]) -> None:
        paths.extend([name, step, *(number(float(value), 6) for value in state)] for step, state in enumerate(states))

    first_planned = records[experiment.num_initial_episodes]
    if version == "0.5" and seed == PATH_SEED:
        for record in records[: experiment.num_initial_episodes]:
            add_path("data", record.observations)
        add_path("imagined", imagine(agent, first_planned.observations[0], first_planned.actions))
        add_path("happened_0.5", first_planned.observations)
    elif version == "1.5" and seed == PATH_SEED:
        add_path("happened_1.5", records[-1].observations)
    returns = [[version, seed, r.episode, r.env_steps, number(r.episode_return, 6)] for r in records]
    recording.put(cliff_hill_paths=paths, cliff_hill_versions=returns)
    print(f"version {version}, seed {seed}: last return {returns[-1][-1]}", flush=True)


def shooting_rows(seed: int) -> list[Row]:
    """Version 0.5 with random shooting on one seed."""
    experiment = dataclasses.replace(as_version(EXPERIMENTS["cliff_hill"], "0.5"), planner="random_shooting")
    agent = build_agent(experiment, seed)
    records = list(train(make_env("cliff_hill"), agent, num_episodes=experiment.num_episodes, seed=seed))
    rows: list[Row] = []
    for record in records[experiment.num_initial_episodes :]:
        dream = imagine(agent, record.observations[0], record.actions)
        promised = float(experiment.task.reward(dream[:-1], record.actions, dream[1:]).sum())
        rows.append([seed, record.episode, number(promised, 6), number(record.episode_return, 6)])
    return rows


def members_rows() -> list[Row]:
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
    rows: list[Row] = []
    with torch.no_grad():
        for step in range(experiment.task.episode_length + 1):
            for member in range(MEMBERS):
                rows.append([member, step, *(number(float(value), 6) for value in state[member, 0])])
            state = model.predict(state, action)
    return rows


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


def search_rows() -> list[Row]:
    """CEM on the point: what each iteration draws and what it earns; and random shooting with as many candidates."""
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
    rows: list[Row] = []
    for iteration, plans in enumerate(drawn, start=1):
        returns = point_returns(plans)
        facts = [float(returns.median()), float(returns.max()), float(point_returns(shot[None])[0])]
        for step in range(SEARCH_STEPS):
            spread = plans[:, step, 0]
            numbers = (float(spread.mean()), float(spread.std(correction=0)), *facts)
            rows.append([iteration, step, *(number(value, 6) for value in numbers), SEARCH_POPULATION])
    return rows


def time_of(command: str) -> Row:
    """Run a command in the solved tree, which the recorder runs in, with its output in a folder of its own."""
    speed = statistics.median(measure_speed(torch) for _ in range(9))
    words = command.split()
    program = [sys.executable, *(words[1:] if words[0] == "python" else ["-m", *words])]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "hw4").symlink_to(Path("hw4").resolve())
        subprocess.run(program, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{command}: {seconds:.1f} s", flush=True)
    return [command, f"{seconds:.1f}", f"{speed:.4f}"]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
