"""Milliseconds of a latent agent per gradient step and per action, compared with mbrl-lib's PlaNet.

Run: make bench, or PYTHONPATH=build/solved:. .venv/bin/python benchmarks/latent_agent.py [--quick] after make solved

Both learn from the same world (frames of 16 x 16, 60 random episodes), from 16 windows of 12 env steps at once, and
plan by CEM with the same number of candidates, iterations and env steps. Memory, hidden layers and latent are as wide.
They are different models all the same: ours decodes two frames of each prediction by dense layers, and from each frame
predicts 6 steps ahead; PlaNet decodes each frame once by convolutions, and predicts one step. So this compares what two
agents of like size cost, not how well the same thing is written. Ours is measured in halves, before and after
PlaNet, which runs in a process of its own. Times are of the processor, with one thread.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from dataclasses import dataclass

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.machine import BUILD, DATA, provenance, write_csv
from benchmarks.peers import MISSING, mbrl_is_installed, planet
from hw4.commands.threads import use_one_thread
from hw4.envs import latent_models as world
from hw4.topics.latent_models import GRADED, LatentAgent, Settings
from hw4.topics.latent_models_network import LATENT_DIM, WIDTH

COMMAND = "benchmarks/latent_agent.py"
COLUMNS = ("arm", "parameters", "gradient_step_ms", "action_ms")
OURS = {
    "ours, filter": GRADED,
    "ours, single step": dataclasses.replace(GRADED, encoder="stochastic"),
}
PEER = "mbrl-lib's PlaNet"
GRADIENT_STEPS = 20  # that are timed together
REPETITIONS = 10  # of them in each half


@dataclass
class Measured:
    """What one arm took."""

    parameters: int
    gradient_step_s: list[float]
    action_s: list[float]

    def row(self, arm: str) -> list[str]:
        """Its medians, as a row of the table."""
        milliseconds = (f"{1e3 * statistics.median(each):.2f}" for each in (self.gradient_step_s, self.action_s))
        return [arm, str(self.parameters), *milliseconds]


def measure(settings: Settings, repetitions: int) -> Measured:
    """Of our agent: fits of a few gradient steps, and the actions of an episode."""
    few = dataclasses.replace(settings, first_gradient_steps=GRADIENT_STEPS, later_gradient_steps=GRADIENT_STEPS)
    agent = LatentAgent(seed=0, settings=few)
    rng = np.random.default_rng(0)
    env = world.DotEnv(starts_anywhere=True)
    data = world.random_episodes(env, world.RANDOM_EPISODES, rng)
    steps = []
    for _ in range(repetitions + 1):  # the first warms up
        began = time.process_time()
        agent.learn(*(torch.as_tensor(each) for each in (data.frames, data.actions, data.rewards)))
        steps.append((time.process_time() - began) / GRADIENT_STEPS)
        data = world.random_episodes(env, 1, rng)
    actions: list[float] = []

    def act(frame: world.Array) -> world.Array:
        began = time.process_time()
        action = agent.act(torch.as_tensor(frame))
        actions.append(time.process_time() - began)
        return np.asarray(action)

    world.play(env, act, 0)
    assert agent.network is not None
    parameters = sum(parameter.numel() for parameter in agent.network.parameters())
    return Measured(parameters, steps[1:], actions[1:])


def peer(repetitions: int) -> Measured:
    """Of PlaNet, at our numbers."""
    answer = planet(
        width=WIDTH,
        latent_dim=LATENT_DIM,
        batch=GRADED.batch_size,
        window=GRADED.window + 1,  # it counts frames
        horizon=GRADED.planning_horizon,
        population=GRADED.population_size,
        iterations=GRADED.num_iterations,
        elites=GRADED.num_elites,
        gradient_steps=GRADIENT_STEPS,
        repetitions=repetitions,
    )
    return Measured(**answer)


def both_halves(one: Measured, other: Measured) -> Measured:
    """Two measurements of the same arm as one."""
    return Measured(one.parameters, one.gradient_step_s + other.gradient_step_s, one.action_s + other.action_s)


def main(quick: bool = False) -> None:
    """Measure what a gradient step and an action cost.

    Args:
        quick: two repetitions; writes to build/.
    """
    use_one_thread()
    console, repetitions = Console(width=120), 2 if quick else REPETITIONS
    first = {arm: measure(settings, repetitions) for arm, settings in OURS.items()}
    rows = []
    if mbrl_is_installed():
        rows.append(peer(2 * repetitions).row(PEER))
    else:
        console.print(MISSING)
    second = {arm: measure(settings, repetitions) for arm, settings in OURS.items()}
    rows = [both_halves(first[arm], second[arm]).row(arm) for arm in OURS] + rows
    table = Table("", "parameters", "ms per gradient step", "ms per action", title="latent agents")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    path = (BUILD / "quick" if quick else DATA) / "latent_agent.csv"
    write_csv(path, provenance(COMMAND + (" --quick" if quick else "")), COLUMNS, rows)
    console.print(f"wrote {path}")


if __name__ == "__main__":
    tyro.cli(main)
