"""Milliseconds per planned action: ours beside a loop over members and the per-member NumPy loop of CS 285's starter.

Run: make bench, or PYTHONPATH=build/solved .venv/bin/python benchmarks/planner.py after make solved

Every arm scores the same number of candidates with networks of the same size and plans by the same CEM, so only the
roll-out differs. The share of the machine is that of the network's arithmetic: multiplications and additions of the
matrix products, over the time, over the rate that batched matrix products of the same shape reach alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from torch import Tensor

from hw4.agents import build_planner
from hw4.dynamics_model import DynamicsModel, Normalizer
from hw4.ensemble import aggregate_returns, member_returns
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.mpc import Objective
from hw4.networks import EnsembleMLP
from hw4.plots import BLUE

REPETITIONS = 15
FIGURE = Path(__file__).resolve().parent / "figures" / "planner_cost.svg"
Arm = Callable[[Experiment, EnsembleMLP, DynamicsModel], Callable[[Tensor], Objective]]

SETTINGS = {
    "cart-pole, width 64, 100 x 3": dataclasses.replace(EXPERIMENTS["cartpole"], ensemble_size=5, population_size=100),
    "cart-pole, width 64, 500 x 4": dataclasses.replace(
        EXPERIMENTS["cartpole"], ensemble_size=5, population_size=500, num_iterations=4
    ),
    "half-cheetah, width 200, 100 x 3": dataclasses.replace(
        EXPERIMENTS["half_cheetah"], width=200, population_size=100
    ),
}


def batched(experiment: Experiment, network: EnsembleMLP, model: DynamicsModel) -> Callable[[Tensor], Objective]:
    """Ours: all members and candidates in one batched matrix product a layer and step."""
    reward = experiment.task.reward

    def objective_from(observation: Tensor) -> Objective:
        def objective(action_sequences: Tensor) -> Tensor:
            returns = member_returns(
                model.predict, reward, observation, action_sequences, ensemble_size=experiment.ensemble_size
            )
            return aggregate_returns(returns, experiment.aggregation)

        return objective

    return objective_from


def loop_over_members(
    experiment: Experiment, network: EnsembleMLP, model: DynamicsModel
) -> Callable[[Tensor], Objective]:
    """The same products, one member after the other."""
    reward, members = experiment.task.reward, _members(network)

    def objective_from(observation: Tensor) -> Objective:
        def objective(action_sequences: Tensor) -> Tensor:
            total = torch.zeros(len(action_sequences))
            for weights in members:
                state = observation.expand(len(action_sequences), -1)
                for t in range(action_sequences.shape[1]):
                    action = action_sequences[:, t]
                    following = state + _forward(weights, torch.cat([state, action], dim=-1))
                    total = total + reward(state, action, following)
                    state = following
            return total / len(members)

        return objective

    return objective_from


def numpy_loop(experiment: Experiment, network: EnsembleMLP, model: DynamicsModel) -> Callable[[Tensor], Objective]:
    """As in CS 285's starter: NumPy states, turned into tensors and back at each step of each member."""
    reward, members = experiment.task.reward, _members(network)

    def objective_from(observation: Tensor) -> Objective:
        def objective(action_sequences: Tensor) -> Tensor:
            actions = action_sequences.numpy()
            total = np.zeros(len(actions))
            for weights in members:
                state = np.repeat(observation.numpy()[None], len(actions), axis=0)
                for t in range(actions.shape[1]):
                    inputs = torch.from_numpy(np.concatenate([state, actions[:, t]], axis=-1)).float()
                    following = state + _forward(weights, inputs).numpy()
                    total += reward(state, actions[:, t], following)
                    state = following
            return torch.from_numpy(total / len(members)).float()

        return objective

    return objective_from


ARMS: dict[str, Arm] = {
    "ours": batched,
    "torch loop over members": loop_over_members,
    "NumPy-to-torch loop over members": numpy_loop,
}


def milliseconds(experiment: Experiment, arm: Arm) -> float:
    """Median time of one plan."""
    task = experiment.task
    generator = torch.Generator().manual_seed(0)
    network = EnsembleMLP(
        experiment.ensemble_size,
        task.obs_dim + task.act_dim,
        task.obs_dim,
        width=experiment.width,
        num_hidden_layers=experiment.num_hidden_layers,
        generator=generator,
    )
    for parameter in network.parameters():  # so small that a roll-out stays where it starts
        parameter.data *= 0.1
    model = DynamicsModel(
        network,
        input_normalizer=Normalizer.identity(task.obs_dim + task.act_dim),
        delta_normalizer=Normalizer.identity(task.obs_dim),
    )
    planner = build_planner(experiment, arm(experiment, network, model), generator)
    mean = torch.zeros(experiment.horizon, task.act_dim)
    observation = torch.zeros(task.obs_dim)
    times = []
    with torch.no_grad():
        for _ in range(REPETITIONS + 2):
            start = time.perf_counter()
            planner(observation, mean)
            times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[2:])


def operations(experiment: Experiment) -> float:
    """Multiplications and additions in the matrix products of one plan."""
    task, width = experiment.task, experiment.width
    layers = (
        (task.obs_dim + task.act_dim) * width + (experiment.num_hidden_layers - 1) * width**2 + width * task.obs_dim
    )
    evaluations = experiment.num_iterations * experiment.population_size * experiment.horizon * experiment.ensemble_size
    return 2.0 * layers * evaluations


def matrix_product_rate(ensemble_size: int, batch: int, width: int) -> float:
    """Operations per second of batched products (E, B, W) x (E, W, W) with a bias."""
    a, b = torch.randn(ensemble_size, batch, width), torch.randn(ensemble_size, width, width)
    bias = torch.randn(ensemble_size, 1, width)
    times = []
    for _ in range(60):
        start = time.perf_counter()
        torch.baddbmm(bias, a, b)
        times.append(time.perf_counter() - start)
    return 2.0 * ensemble_size * batch * width**2 / statistics.median(times[10:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--figure", type=Path, default=FIGURE)
    figure_file: Path = parser.parse_args().figure
    torch.set_num_threads(1)
    console = Console()
    table = Table("milliseconds per action", *ARMS, "share of the machine")
    for name, experiment in SETTINGS.items():
        times = [milliseconds(experiment, arm) for arm in ARMS.values()]
        rate = matrix_product_rate(experiment.ensemble_size, experiment.population_size, experiment.width)
        share = operations(experiment) / (times[0] * 1e-3) / rate
        ratios = [f"{value:.1f} ({value / times[0]:.1f} x)" for value in times]
        table.add_row(name, *ratios, f"{share:.2f} of {rate / 1e9:.0f} GFLOP/s")
    console.print(table)
    draw_costs(figure_file)
    console.print(f"wrote {figure_file}")


def draw_costs(path: Path) -> None:
    """Cost against population, horizon and members, each over what it is at the smallest."""
    base = dataclasses.replace(EXPERIMENTS["cartpole"], ensemble_size=5, population_size=100)
    sweeps: dict[str, tuple[str, list[int]]] = {
        "candidates": ("population_size", [100, 200, 400, 800, 1600]),
        "horizon (steps)": ("horizon", [10, 20, 40, 80]),
        "members": ("ensemble_size", [2, 4, 8, 16]),
    }
    figure = Figure(figsize=(8.4, 2.9), layout="constrained")
    for axes, (label, (field, values)) in zip(figure.subplots(1, 3), sweeps.items(), strict=True):
        times = [milliseconds(dataclasses.replace(base, **{field: value}), batched) for value in values]  # type: ignore[arg-type]
        axes.plot(values, times, "o-", color=BLUE, label="measured")
        axes.plot(values, times[-1] * np.array(values) / values[-1], ":", color="0.5", label="in proportion")
        axes.set(xlabel=label, xlim=(0, None), ylim=(0, None))
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("milliseconds per action")
    figure.axes[0].legend(frameon=False, fontsize=8)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _members(network: EnsembleMLP) -> list[list[tuple[Tensor, Tensor]]]:
    """Weights and biases of each member's layers."""
    parameters = [parameter.detach() for parameter in network.parameters()]
    layers = list(zip(parameters[::2], parameters[1::2], strict=True))
    return [[(weight[e], bias[e]) for weight, bias in layers] for e in range(network.ensemble_size)]


def _forward(weights: list[tuple[Tensor, Tensor]], inputs: Tensor) -> Tensor:
    hidden = inputs
    for weight, bias in weights[:-1]:
        hidden = torch.nn.functional.silu(torch.addmm(bias, hidden, weight))
    weight, bias = weights[-1]
    return torch.addmm(bias, hidden, weight)


if __name__ == "__main__":
    main()
