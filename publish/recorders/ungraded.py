"""Records runs of the tasks that are not graded: of the reference, a random policy and a planner on the true simulator.

    python -m publish.recorders ungraded                  record what is missing
    python -m publish.recorders ungraded reacher=20       as many runs of one experiment

A run of the reference is `python -m hw4 train EXPERIMENT` in the nominal world; one that was stopped resumes where it
was. The planner on the true simulator is the experiment's own (CEM with replanning at every step) but for what
`baseline` says, and rolls every candidate out in a second copy of the environment. Where steps are noisy, it would
choose the lucky roll-outs: on the noisy field it rolls out the true mean of each step instead, and on the maps of the
walker it averages over roll-outs with the same noise for all candidates.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autograder.solutions import ROOT
from hw4.agents import build_planner, random_policy
from hw4.commands.runs import read_run
from hw4.commands.threads import use_one_thread
from hw4.envs import Environment, make_env
from hw4.envs.noisy_field import ARENA, NoisyFieldEnv, mean_move
from hw4.envs.walker import ARENA as WALKER_ARENA
from hw4.envs.walker import WalkerEnv
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.mpc import MPC, Objective
from hw4.rewards import Reward
from hw4.training import AgentProtocol, run_episode
from hw4.transitions import Transition
from publish.recorded_tables import Recording
from publish.ungraded_bands import RANDOM, REFERENCE, RUNS_FILE, RUNS_TABLE, RUNS_WANTED, TRUE_MODEL, hash_of

RUNS = ROOT / "build" / "ungraded" / "runs"  # may be unfinished
NUM_RANDOM_EPISODES = 20
NUM_PLANNED_EPISODES = {
    "cartpole_ensemble": 2,
    "bridge": 20,
    "windy_plain": 20,
    "noisy_field": 20,
    "reacher": 4,
    "pusher": 2,
    "half_cheetah": 1,
    "pets_cartpole": 2,
}
NUM_WALKS = 20  # roll-outs of each candidate on the maps of the walker


def main(wanted: dict[str, int]) -> None:
    """Record what is missing: first one run of each experiment, then in step; stopped early, each has its share."""
    recording = Recording(RUNS_FILE.parent, "ungraded", {RUNS_FILE.stem: RUNS_TABLE})
    hashes = {name: hash_of(name) for name in RUNS_WANTED}
    recording.keep(RUNS_FILE.stem, lambda row: row["code_hash"] == hashes.get(row["experiment"]))

    def put_if_missing(name: str, implementation: str, seed: int) -> None:
        part = {"experiment": name, "implementation": implementation, "seed": seed, "code_hash": hashes[name]}
        if not recording.has(RUNS_FILE.stem, **part):
            print(f"{name}: {implementation}, seed {seed}", flush=True)
            returns = trained(name, seed) if implementation == REFERENCE else baseline(name, implementation)
            row = [*part.values(), " ".join(f"{value:.2f}" for value in returns)]
            recording.put(**{RUNS_FILE.stem: [row]})

    def trained(name: str, seed: int) -> Iterable[float]:
        run_name = f"{hashes[name]}-{seed}"
        folder = RUNS / name / run_name
        command = [sys.executable, "-m", "hw4", "train", name, "--seeds", str(seed), "--name", run_name]
        subprocess.run([*command, "--runs", str(RUNS), *(["--resume"] if folder.exists() else [])], check=True)
        return read_run(folder).curves[0].returns

    todo = [(seed / count, name, seed) for name, count in wanted.items() for seed in range(count)]
    for _, name, seed in sorted(todo, key=lambda entry: entry[0]):
        put_if_missing(name, REFERENCE, seed)
    for name in wanted:
        for implementation in (RANDOM, TRUE_MODEL):
            put_if_missing(name, implementation, 0)


class RandomAgent:
    """Draws its actions uniformly from the bounds."""

    def __init__(self, experiment: Experiment) -> None:
        self._policy = random_policy(experiment, np.random.default_rng(0))

    def begin_episode(self) -> None: ...

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        return self._policy(observation)

    def record(self, transition: Transition) -> None: ...


def rolled_out(env: Environment, state: NDArray[Any]) -> Objective:
    """The true return of each candidate from a state."""

    def objective(action_sequences: Tensor) -> Tensor:
        returns = []
        for actions in action_sequences.numpy():
            env.set_state(state)
            returns.append(sum(env.step(action)[1] for action in actions))
        return torch.tensor(returns)

    return objective


def imagined(
    mean: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]],
    reward: Reward,
    position: NDArray[Any],
    *,
    draw_noise: Callable[[], NDArray[Any]],
    arena: float,
) -> Objective:
    """The return of each candidate, averaged over roll-outs by a true model, all in one batch.

    Args:
        mean: mean(positions, actions) says where steps lead on average, shapes (..., 2).
        reward: of the task.
        position: where the plans start, shape (2,).
        draw_noise: draws what is added to each step, the same for all candidates, shape (horizon, roll-outs, 1, 2).
        arena: positions are clipped to a square of this half-width.
    """

    def objective(action_sequences: Tensor) -> Tensor:
        noise = draw_noise()
        actions = np.broadcast_to(action_sequences.double().numpy(), (noise.shape[1], *action_sequences.shape))
        here, returns = np.broadcast_to(position, (*actions.shape[:2], 2)), np.zeros(actions.shape[:2])
        for t, of_step in enumerate(noise):
            following = np.clip(mean(here, actions[:, :, t]) + of_step, -arena, arena)
            returns += reward(here, actions[:, :, t], following)
            here = following
        return torch.from_numpy(returns.mean(axis=0))

    return objective


class TrueModelAgent:
    """Plans with the true model instead of a learned one."""

    def __init__(self, experiment: Experiment, env: Environment) -> None:
        copy, rng = make_env(experiment.task_name), np.random.default_rng(0)
        copy.reset(seed=0)

        def objective_from(observation: Tensor) -> Objective:
            here, reward = env.state(), experiment.task.reward
            if isinstance(env, WalkerEnv):
                std, shape = env.noise_std, (experiment.horizon, NUM_WALKS, 1, 2)
                return imagined(
                    env.mean, reward, here, draw_noise=lambda: std * rng.standard_normal(shape), arena=WALKER_ARENA
                )
            if isinstance(env, NoisyFieldEnv):
                no_noise = np.zeros((experiment.horizon, 1, 1, 2))
                return imagined(
                    lambda s, a: s + mean_move(s, a), reward, here, draw_noise=lambda: no_noise, arena=ARENA
                )
            return rolled_out(copy, here)

        planner = build_planner(experiment, objective_from, torch.Generator().manual_seed(0))
        self._controller = MPC(planner, initial_mean=torch.zeros(experiment.horizon, experiment.task.act_dim))

    def begin_episode(self) -> None:
        self._controller.begin_episode()

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        return self._controller.act(torch.as_tensor(observation, dtype=torch.float32)).numpy()

    def record(self, transition: Transition) -> None: ...


def baseline(name: str, implementation: str) -> list[float]:
    """The returns of episodes of a random policy, or of a planner on the true simulator."""
    env = make_env(EXPERIMENTS[name].task_name)
    agent: AgentProtocol
    if implementation == RANDOM:
        agent, num_episodes = RandomAgent(EXPERIMENTS[name]), NUM_RANDOM_EPISODES
    else:
        experiment = EXPERIMENTS[name]
        if name == "half_cheetah":  # cheaper than the experiment's own: 300,000 simulated steps instead of 1,800,000
            experiment = dataclasses.replace(experiment, horizon=15, population_size=40, num_iterations=2)
        elif name == "noisy_field":  # simulated in one batch, so a stronger planner costs little
            experiment = dataclasses.replace(experiment, population_size=400, num_iterations=6)
        agent, num_episodes = TrueModelAgent(experiment, env), NUM_PLANNED_EPISODES[name]
    return [run_episode(env, agent, seed=seed, episode=0, env_steps=0).episode_return for seed in range(num_episodes)]


def wanted_runs(words: list[str]) -> dict[str, int]:
    """How many runs of which experiments, from words such as "reacher=20"; all of them if there are none."""
    chosen = dict(word.split("=") for word in words)
    if unknown := chosen.keys() - RUNS_WANTED.keys():
        sys.exit(
            f"No ungraded experiment is called {', '.join(sorted(unknown))}: choose from {', '.join(RUNS_WANTED)}."
        )
    return {name: int(count) for name, count in chosen.items()} or RUNS_WANTED


if __name__ == "__main__":
    use_one_thread()
    main(wanted_runs(sys.argv[1:]))
