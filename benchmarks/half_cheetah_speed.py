"""The half-cheetah from its first episode to its last: return and cost of each.

Run: make solved, then PYTHONPATH=build/solved .venv/bin/python benchmarks/half_cheetah_speed.py [--device cuda]
Draw what is recorded: the same with --draw

Trains the reference on EXPERIMENTS["half_cheetah"] with one thread, and writes benchmarks/data/half_cheetah_*.csv when
the last episode has ended. The same command resumes a run that was stopped after the last episode that it had
finished, and gives the same numbers; build/half_cheetah holds what it has so far.

On a GPU the network is fitted and rolled out there. Random numbers are still drawn on the CPU, so that both devices see
the same candidates and minibatches.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
import tyro
from matplotlib.figure import Figure
from torch import Tensor

from hw4.agents import AgentParts, aggregate, build_agent_and_parts, build_planner
from hw4.commands.checkpoint import load_checkpoint, save_checkpoint
from hw4.commands.plots import COLORS
from hw4.commands.threads import use_one_thread
from hw4.dynamics_model import fit
from hw4.ensemble import bootstrap_indices, member_minibatches, particle_returns
from hw4.envs import make_env
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.handin.at_once import write_at_once
from hw4.mpc import ModelBasedAgent, Objective
from hw4.training import train
from hw4.transitions import ReplayBuffer, Transition

BENCHMARKS = Path(__file__).resolve().parent
DATA, FIGURE = BENCHMARKS / "data", BENCHMARKS / "figures" / "half_cheetah.svg"
WORK = BENCHMARKS.parent / "build" / "half_cheetah"
MATRIX_SIZE = 512  # of the products that say how fast the machine was


class Row(NamedTuple):
    """One episode and what it cost."""

    episode: int
    env_steps: int  # since the start of the run
    episode_return: float
    cpu_seconds: float  # processor time of this process, in this episode alone
    wall_seconds: float


class OtherSettings(ValueError):
    """A folder holds a run of other settings."""


def record(experiment: Experiment, *, seed: int, device: str, folder: Path) -> Iterator[Row]:
    """Train one agent, or resume where `folder` says that an earlier call was stopped. Yields the episodes that it
    runs.

    Args:
        experiment: its settings; an ensemble.
        seed: of the agent and of the environment.
        device: where the network is, in torch's words.
        folder: keeps `episodes.csv`, and the checkpoint of the last finished episode.

    Raises:
        OtherSettings: the folder's run has other settings.
    """
    settings = json.dumps({"settings": dataclasses.asdict(experiment), "seed": seed, "device": device}, indent=1)
    folder.mkdir(parents=True, exist_ok=True)
    settings_file, checkpoint = folder / "settings.json", folder / "checkpoint.pt"
    if checkpoint.exists() and settings_file.read_text(encoding="utf-8") != settings:
        raise OtherSettings(f"{folder} contains a run with other settings: delete it to start again")
    settings_file.write_text(settings, encoding="utf-8")

    agent, parts = build_agent_and_parts(experiment, seed)
    move_to(torch.device(device), experiment, agent, parts)
    num_episodes = load_checkpoint(checkpoint, agent, parts) if checkpoint.exists() else 0
    rows = read_rows(folder / "episodes.csv")[:num_episodes] if num_episodes else []
    wall, cpu = time.perf_counter(), time.process_time()
    for ended in train(
        make_env(experiment.task_name),
        agent,
        num_episodes=experiment.num_episodes,
        seed=seed,
        first_episode=num_episodes,
        env_steps=len(agent.replay),
    ):
        spent = (time.process_time() - cpu, time.perf_counter() - wall)
        rows.append(Row(ended.episode, ended.env_steps, ended.episode_return, *spent))
        write_rows(folder / "episodes.csv", rows)
        save_checkpoint(checkpoint, agent, parts, num_episodes=len(rows))
        yield rows[-1]
        wall, cpu = time.perf_counter(), time.process_time()


def move_to(device: torch.device, experiment: Experiment, agent: ModelBasedAgent, parts: AgentParts) -> None:
    """Let a fresh agent fit and roll out its network on a device; on the CPU it computes what it did before."""
    network, reward, generator = parts.model.network, experiment.task.reward, parts.generator
    assert isinstance(network, torch.nn.Module)
    network.to(device)  # in place: the optimiser holds the same weights

    def fit_to(replay: ReplayBuffer) -> None:
        transitions = Transition(*(torch.from_numpy(field).to(device) for field in replay.stacked()))
        members = bootstrap_indices(len(replay), experiment.ensemble_size, generator=generator)

        def sample_indices() -> Tensor:
            return member_minibatches(members, experiment.batch_size, generator=generator).to(device)

        fit(
            parts.model,
            transitions,
            parts.optimizer,
            sample_indices=sample_indices,
            gradient_steps=experiment.gradient_steps,
        )

    noise = torch.zeros(experiment.horizon, experiment.ensemble_size, 1, experiment.task.obs_dim, device=device)

    def predict_distribution(observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        mean = parts.model.predict(observation, action)
        return mean, torch.zeros_like(mean)

    def objective_from(observation: Tensor) -> Objective:
        start = observation.to(device)

        def objective(action_sequences: Tensor) -> Tensor:
            returns = particle_returns(predict_distribution, reward, start, action_sequences.to(device), noise)
            return aggregate(returns, experiment.aggregation).cpu()

        return objective

    agent.fit = fit_to
    agent.controller.planner = build_planner(experiment, objective_from, generator)


def read_rows(path: Path) -> list[Row]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return [
        Row(
            int(entry["episode"]),
            int(entry["env_steps"]),
            float(entry["return"]),
            float(entry["cpu_seconds"]),
            float(entry["wall_seconds"]),
        )
        for entry in csv.DictReader(lines)
    ]


def write_rows(path: Path, rows: list[Row], comment: str = "") -> None:
    """Replace the file in one step."""
    text = io.StringIO()
    text.write(comment)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["episode", "env_steps", "return", "cpu_seconds", "wall_seconds"])
    for row in rows:
        spent = (f"{row.cpu_seconds:.3f}", f"{row.wall_seconds:.3f}")
        writer.writerow([row.episode, row.env_steps, repr(row.episode_return), *spent])
    write_at_once(path, text.getvalue().encode())


def matrix_product_rate(device: str) -> float:
    """Operations per second of products of square matrices, the median of ten."""
    a, b = torch.randn(MATRIX_SIZE, MATRIX_SIZE, device=device), torch.randn(MATRIX_SIZE, MATRIX_SIZE, device=device)
    times = []
    for _ in range(12):
        start = time.perf_counter()
        float((a @ b)[0, 0])  # waits for the device
        times.append(time.perf_counter() - start)
    return 2 * MATRIX_SIZE**3 / sorted(times[2:])[5]


def draw(paths: list[Path], figure_file: Path) -> None:
    """Return against env steps, and processor minutes spent by then."""
    figure = Figure(figsize=(8.4, 3.0), layout="constrained")
    of_return, of_cost = figure.subplots(1, 2)
    for path, color in zip(paths, COLORS, strict=False):
        rows = read_rows(path)
        label = path.stem.removeprefix("half_cheetah_").replace("_seed", ", seed ")
        steps = [row.env_steps for row in rows]
        of_return.plot(steps, [row.episode_return for row in rows], "o-", markersize=3, color=color, label=label)
        minutes = [sum(row.cpu_seconds for row in rows[: i + 1]) / 60 for i in range(len(rows))]
        of_cost.plot(steps, minutes, "o-", markersize=3, color=color, label=label)
    of_return.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    of_return.set(xlabel="env steps", ylabel="return of an episode of 250 steps", xlim=(0, None))
    of_cost.set(xlabel="env steps", ylabel="processor time so far (minutes)", xlim=(0, None), ylim=(0, None))
    for axes in (of_return, of_cost):
        axes.spines[["top", "right"]].set_visible(False)
    of_return.legend(frameon=False, fontsize=8)
    figure_file.parent.mkdir(exist_ok=True)
    figure.savefig(figure_file, metadata={"Date": None} if figure_file.suffix == ".svg" else None)


def main(device: str = "cpu", seed: int = 0, draw_only: Annotated[bool, tyro.conf.arg(name="draw")] = False) -> None:
    """Train on the half-cheetah, or draw what is recorded.

    Args:
        device: cpu or cuda.
        seed: of the run.
        draw_only: only draw what is recorded.
    """
    if draw_only:
        draw(sorted(DATA.glob("half_cheetah_*_seed*.csv")), FIGURE)
        print(f"wrote {FIGURE}")
        return
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        sys.exit("This torch sees no GPU.")
    use_one_thread()
    experiment = EXPERIMENTS["half_cheetah"]
    name = f"{device.replace(':', '_')}_seed{seed}"
    rate = matrix_product_rate(device)
    for row in record(experiment, seed=seed, device=device, folder=WORK / name):
        print(
            f"episode {row.episode + 1}/{experiment.num_episodes}: return {row.episode_return:7.1f} at "
            f"{row.env_steps} env steps, {row.cpu_seconds:.1f} s of processor time, {row.wall_seconds:.1f} s",
            flush=True,
        )
    rows = read_rows(WORK / name / "episodes.csv")
    where = "one thread" if device == "cpu" else torch.cuda.get_device_name(device)
    comment = (
        f"# benchmarks/half_cheetah_speed.py --device {device} --seed {seed}, {where}, torch "
        f"{torch.__version__}, Python {platform.python_version()}, products of {MATRIX_SIZE} x {MATRIX_SIZE} matrices "
        f"at {rate / 1e9:.0f} GFLOP/s\n"
    )
    target = DATA / f"half_cheetah_{name}.csv"
    write_rows(target, rows, comment)
    cpu, wall = sum(row.cpu_seconds for row in rows), sum(row.wall_seconds for row in rows)
    print(f"{cpu / 60:.1f} minutes of processor time, {wall / 60:.1f} minutes; wrote {target}")


if __name__ == "__main__":
    tyro.cli(main)
