"""Milliseconds per planned action compared with other implementations, as a share of the machine's speed, and how the
cost grows.

Run: make bench, or PYTHONPATH=build/solved:. .venv/bin/python benchmarks/planner.py [--quick] after make solved

Every arm scores the same number of candidates with networks of the same size and plans by CEM, so only the roll-out
differs. mbrl-lib (in its own environment, a process of its own) gives each candidate one particle a member, so it makes
the same number of model evaluations; its members predict variances too. The share of the machine is that of the
network's arithmetic: multiplications and additions of the matrix products, over the time, over the rate that batched
matrix products of the same shape reach alone. Times are of the processor, with one thread: on a machine that does
nothing else they are the wall-clock's, on a busy one they are disturbed less.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import tyro
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.machine import BUILD, DATA, FIGURES, DrawOnly, matrix_product_rate, provenance, read_csv, write_csv
from benchmarks.peers import MISSING, mbrl, mbrl_is_installed
from hw4.agents import aggregate, build_planner
from hw4.commands.plots import BLUE, ORANGE
from hw4.commands.threads import use_one_thread
from hw4.dynamics_model import DynamicsModel, Normalizer
from hw4.ensemble import particle_returns
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.mpc import Objective, Planner
from hw4.networks import EnsembleMLP

COMMAND = "benchmarks/planner.py"
REPETITIONS = 15
TORCH_LOOP, NUMPY_LOOP, MBRL = "torch loop over members", "NumPy-to-torch loop over members", "mbrl-lib"
Arm = Callable[[Experiment, EnsembleMLP, DynamicsModel], Callable[[Tensor], Objective]]

SETTINGS = {
    "cart-pole, width 64, 100 x 3": dataclasses.replace(EXPERIMENTS["cartpole"], ensemble_size=5, population_size=100),
    "cart-pole, width 64, 500 x 4": dataclasses.replace(
        EXPERIMENTS["cartpole"], ensemble_size=5, population_size=500, num_iterations=4
    ),
    "half-cheetah, width 200, 100 x 3": dataclasses.replace(
        EXPERIMENTS["half_cheetah"], width=200, population_size=100
    ),
    "half-cheetah, width 200, 500 x 4": dataclasses.replace(
        EXPERIMENTS["half_cheetah"], width=200, population_size=500, num_iterations=4
    ),
}
SWEEPS: dict[str, tuple[str, list[int]]] = {  # label -> (field of Experiment, its values)
    "candidates": ("population_size", [100, 200, 400, 800, 1600]),
    "horizon (steps)": ("horizon", [10, 20, 40, 80]),
    "members": ("ensemble_size", [2, 4, 8, 16]),
}
SHARE_WIDTHS, SHARE_POPULATIONS = (64, 200), (20, 100, 500)


def batched(experiment: Experiment, network: EnsembleMLP, model: DynamicsModel) -> Callable[[Tensor], Objective]:
    """Ours: all members and candidates in one batched matrix product a layer and step."""
    reward = experiment.task.reward
    noise = torch.zeros(experiment.horizon, experiment.ensemble_size, 1, experiment.task.obs_dim)

    def predict_distribution(observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        mean = model.predict(observation, action)
        return mean, torch.zeros_like(mean)

    def objective_from(observation: Tensor) -> Objective:
        def objective(action_sequences: Tensor) -> Tensor:
            returns = particle_returns(predict_distribution, reward, observation, action_sequences, noise)
            return aggregate(returns, experiment.aggregation)

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
                    following = state + _change(model, weights, torch.cat([state, action], dim=-1))
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
                    following = state + _change(model, weights, inputs).numpy()
                    total += reward(state, actions[:, t], following)
                    state = following
            return torch.from_numpy(total / len(members)).float()

        return objective

    return objective_from


ARMS: dict[str, Arm] = {
    "ours": batched,
    TORCH_LOOP: loop_over_members,
    NUMPY_LOOP: numpy_loop,
}


def milliseconds(experiment: Experiment, arms: dict[str, Arm], repetitions: int) -> dict[str, float]:
    """Median processor time of one plan by each arm; the arms take turns, so a busy moment meets them all."""
    planners = {name: _planner(experiment, arm) for name, arm in arms.items()}
    mean = torch.zeros(experiment.horizon, experiment.task.act_dim)
    observation = torch.zeros(experiment.task.obs_dim)
    times: dict[str, list[float]] = {name: [] for name in arms}
    with torch.no_grad():
        for _ in range(repetitions + 2):
            for name, planner in planners.items():
                start = time.process_time()
                planner(observation, mean)
                times[name].append(time.process_time() - start)
    return {name: 1e3 * statistics.median(values[2:]) for name, values in times.items()}


def untrained_network(experiment: Experiment, generator: torch.Generator) -> EnsembleMLP:
    """The ensemble's networks as an agent's are before its first fit."""
    task = experiment.task
    return EnsembleMLP(
        experiment.ensemble_size,
        task.obs_dim + task.act_dim,
        task.obs_dim,
        width=experiment.width,
        num_hidden_layers=experiment.num_hidden_layers,
        generator=generator,
    )


def _planner(experiment: Experiment, arm: Arm) -> Planner:
    """With an untrained network, so small that a roll-out stays where it starts."""
    task, generator = experiment.task, torch.Generator().manual_seed(0)
    network = untrained_network(experiment, generator)
    for parameter in network.parameters():
        parameter.data *= 0.1
    model = DynamicsModel(
        network,
        input_normalizer=Normalizer.identity(task.obs_dim + task.act_dim),
        delta_normalizer=Normalizer.identity(task.obs_dim),
    )
    return build_planner(experiment, arm(experiment, network, model), generator)


def mbrl_milliseconds(experiment: Experiment, repetitions: int) -> float:
    """mbrl-lib's planner at the same numbers; one particle a member."""
    (answer,) = mbrl(
        "plan",
        task=experiment.task_name,
        members=experiment.ensemble_size,
        elite_members=experiment.ensemble_size,
        layers=experiment.num_hidden_layers,
        width=experiment.width,
        population=experiment.population_size,
        iterations=experiment.num_iterations,
        horizon=experiment.horizon,
        particles=experiment.ensemble_size,
        repetitions=repetitions,
    )
    seconds: list[float] = answer["process_s"]
    return 1e3 * statistics.median(seconds)


def operations(experiment: Experiment) -> float:
    """Multiplications and additions in the matrix products of one plan."""
    task, width = experiment.task, experiment.width
    layers = (
        (task.obs_dim + task.act_dim) * width + (experiment.num_hidden_layers - 1) * width**2 + width * task.obs_dim
    )
    evaluations = experiment.num_iterations * experiment.population_size * experiment.horizon * experiment.ensemble_size
    return 2.0 * layers * evaluations


def share_of_machine(experiment: Experiment, plan_ms: float) -> tuple[float, float]:
    """(share of the rate of batched matrix products of the same shape, that rate in GFLOP/s)."""
    rate = matrix_product_rate(experiment.ensemble_size, experiment.population_size, experiment.width)
    return operations(experiment) / (plan_ms * 1e-3) / rate, rate / 1e9


def network_milliseconds(experiment: Experiment, repetitions: int) -> float:
    """Time of the network's forward passes of one plan alone: no normalisers, rewards or search."""
    task = experiment.task
    network = untrained_network(experiment, torch.Generator().manual_seed(0))
    inputs = torch.randn(experiment.ensemble_size, experiment.population_size, task.obs_dim + task.act_dim)
    passes = experiment.num_iterations * experiment.horizon
    times = []
    with torch.no_grad():
        for _ in range(repetitions + 2):
            start = time.process_time()
            for _ in range(passes):
                network(inputs)
            times.append(time.process_time() - start)
    return 1e3 * statistics.median(times[2:])


def layer_microseconds(experiment: Experiment) -> tuple[float, float, float]:
    """Times of one hidden layer: the bare product, what adding the bias costs on top, and SiLU."""
    shape = experiment.ensemble_size, experiment.population_size, experiment.width
    inputs, weight = torch.randn(shape), torch.randn(shape[0], shape[2], shape[2])
    bias = torch.randn(shape[0], 1, shape[2])
    calls: tuple[Callable[[], Tensor], ...] = (
        lambda: torch.bmm(inputs, weight),
        lambda: torch.baddbmm(bias, inputs, weight),
        lambda: torch.nn.functional.silu(inputs),
    )
    times: tuple[list[float], ...] = ([], [], [])
    for _ in range(100):
        for call, values in zip(calls, times, strict=True):
            start = time.process_time()
            call()
            values.append(1e6 * (time.process_time() - start))
    product, with_bias, silu = (statistics.median(values[20:]) for values in times)
    return product, with_bias - product, silu


def compare(console: Console, data: Path, repetitions: int, command: str) -> None:
    """Ours compared with the others."""
    with_mbrl = mbrl_is_installed()
    names = [*ARMS, *([MBRL] if with_mbrl else [])]
    table = Table("milliseconds per action (times ours)", *names)
    rows = []
    heading = provenance(command)
    for setting, experiment in SETTINGS.items():
        times = milliseconds(experiment, ARMS, repetitions)
        if with_mbrl:
            times[MBRL] = mbrl_milliseconds(experiment, repetitions)
        table.add_row(setting, *(f"{value:.1f} ({value / times['ours']:.1f} x)" for value in times.values()))
        rows += [(setting, name, f"{value:.4g}") for name, value in times.items()]
    console.print(table)
    if with_mbrl:
        write_csv(data / "planner_peers.csv", heading, ("setting", "arm", "milliseconds"), rows)
    else:
        console.print(f"{MISSING}; planner_peers.csv is unchanged")


def measure_shares(console: Console, data: Path, repetitions: int, command: str) -> None:
    """How the batched roll-out compares with bare matrix products, over width and candidates."""
    heading = provenance(command)
    table = Table("width", *(f"{population} candidates" for population in SHARE_POPULATIONS))
    rows = []
    for width in SHARE_WIDTHS:
        cells = []
        for population in SHARE_POPULATIONS:
            base = EXPERIMENTS["half_cheetah" if width == 200 else "cartpole"]
            experiment = dataclasses.replace(base, ensemble_size=5, width=width, population_size=population)
            plan_ms = milliseconds(experiment, {"ours": batched}, repetitions)["ours"]
            network_ms = network_milliseconds(experiment, repetitions)
            share, rate = share_of_machine(experiment, plan_ms)
            bare = share * plan_ms / network_ms
            product, bias, silu = layer_microseconds(experiment)
            most = product / (product + experiment.num_hidden_layers * (bias + silu))
            cells.append(f"{share:.2f} ({bare:.2f}, at most {most:.2f}) of {rate:.0f} GFLOP/s")
            times = f"{plan_ms:.4g}", f"{network_ms:.4g}"
            shares = f"{share:.3f}", f"{bare:.3f}", f"{rate:.1f}"
            layer = f"{product:.1f}", f"{bias:.1f}", f"{silu:.1f}", f"{most:.3f}"
            rows.append((width, experiment.task_name, population, *times, *shares, *layer))
        table.add_row(str(width), *cells)
    console.print(
        "share of the rate of batched matrix products of the same shape (of the network alone, at most of one that "
        "computes nothing but its widest product, and bias and SiLU of its hidden layers):",
        table,
    )
    columns = (
        *("width", "task", "candidates", "plan_ms", "network_ms"),
        *("plan_share", "network_share", "gflops_of_the_products"),
        *("product_us", "bias_us", "silu_us", "most_of_a_network"),
    )
    write_csv(data / "planner_share.csv", heading, columns, rows)


def measure_costs(data: Path, figures: Path, repetitions: int, command: str) -> None:
    """Cost against population, horizon and members."""
    heading = provenance(command)
    base = dataclasses.replace(EXPERIMENTS["cartpole"], ensemble_size=5, population_size=100)
    rows = []
    for field, values in SWEEPS.values():
        for value in values:
            variant = dataclasses.replace(base, **{field: value})  # type: ignore[arg-type]
            plan_ms = milliseconds(variant, {"ours": batched}, repetitions)["ours"]
            rows.append((field, value, f"{plan_ms:.4g}"))
    write_csv(data / "planner_cost.csv", heading, ("varied", "value", "milliseconds"), rows)
    draw_costs(data / "planner_cost.csv", figures / "planner_cost.svg")


def draw_costs(recorded: Path, path: Path) -> None:
    figure = Figure(figsize=(8.4, 2.9), layout="constrained")
    for axes, (label, (field, _)) in zip(figure.subplots(1, 3), SWEEPS.items(), strict=True):
        rows = [row for row in read_csv(recorded) if row["varied"] == field]
        values = np.array([float(row["value"]) for row in rows])
        times = np.array([float(row["milliseconds"]) for row in rows])
        slope, offset = np.polyfit(values, times, 1)
        line = np.array([0, values.max()])
        axes.plot(values, times, "o", color=BLUE, label="measured")
        axes.plot(line, offset + slope * line, ":", color=ORANGE, label="straight line (least squares)")
        axes.set(xlabel=label, xlim=(0, None), ylim=(0, None))
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("milliseconds per action")
    figure.axes[0].legend(frameon=False, fontsize=8, loc="upper left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def main(quick: bool = False, draw_only: DrawOnly = False) -> None:
    """Measure what a planned action costs.

    Args:
        quick: one repetition; writes to build/, seconds.
        draw_only: the figure of what is recorded; measures nothing.
    """
    use_one_thread()
    data, figures = (BUILD / "quick", BUILD / "quick") if quick else (DATA, FIGURES)
    if draw_only:
        draw_costs(data / "planner_cost.csv", figures / "planner_cost.svg")
        return
    repetitions = 1 if quick else REPETITIONS
    command = COMMAND + (" --quick" if quick else "")
    console = Console(width=120)
    compare(console, data, repetitions, command)
    measure_shares(console, data, repetitions, command)
    measure_costs(data, figures, repetitions, command)
    console.print(f"wrote {data}/planner_*.csv and {figures}/planner_cost.svg")


def _members(network: EnsembleMLP) -> list[list[tuple[Tensor, Tensor]]]:
    """Weights and biases of each member's layers."""
    parameters = [parameter.detach() for parameter in network.parameters()]
    layers = list(zip(parameters[::2], parameters[1::2], strict=True))
    return [[(weight[e], bias[e]) for weight, bias in layers] for e in range(network.ensemble_size)]


def _change(model: DynamicsModel, weights: list[tuple[Tensor, Tensor]], inputs: Tensor) -> Tensor:
    """One member's predicted change of the observation, normalised as `DynamicsModel.predict` does it."""
    return model.delta_normalizer.unnormalize(_forward(weights, model.input_normalizer.normalize(inputs)))


def _forward(weights: list[tuple[Tensor, Tensor]], inputs: Tensor) -> Tensor:
    hidden = inputs
    for weight, bias in weights[:-1]:
        hidden = torch.nn.functional.silu(torch.addmm(bias, hidden, weight))
    weight, bias = weights[-1]
    return torch.addmm(bias, hidden, weight)


if __name__ == "__main__":
    tyro.cli(main)
