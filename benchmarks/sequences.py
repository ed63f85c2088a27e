"""How many action sequences a step a planner needs for 95 % of the best return, with the cart-pole's true model.

Run: make bench, or PYTHONPATH=build/solved:. .venv/bin/python benchmarks/sequences.py [--quick] after make solved

The model is MuJoCo itself, so only the search differs. Every method replans at every step over 20 steps. Random
shooting scores all its sequences at once; the others start warm and score a third of them in each of 3 iterations.
Elites are 10, or half of fewer than 20 candidates; where elites are kept, 30 % of them are: so it is in the graded
settings. MPPI-style weighting averages all candidates, weighted by exp(return / temperature), at a fixed standard
deviation; three temperatures are tried. A method stops once two numbers in a row were enough.

Episodes are kept in build/benchmarks/sequences.jsonl, so that it can be stopped and called again; remove that file to
start again. Returns are counted, not seconds: load does not matter.
"""

from __future__ import annotations

import functools
import json
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
import tyro
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.machine import BUILD, DATA, FIGURES, provenance, write_csv
from benchmarks.true_model import TASK, planned_return, true_objective
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from hw4.commands.threads import use_one_thread
from hw4.experiments import EXPERIMENTS
from hw4.mpc import Objective, Planner, cem, random_shooting
from hw4.noise import colored_noise

COMMAND = "benchmarks/sequences.py"
SETTINGS = EXPERIMENTS["cartpole"]
NUM_SEEDS = 5
NUM_SEQUENCES = (9, 18, 36, 72, 144, 288, 576, 1152)  # a step
REFERENCE = 288  # coloured CEM with so many comes near the best return; where the others stop depends on it
SHARE_OF_BEST = 0.95
ITERATIONS = 3
TEMPERATURES = (0.1, 0.3, 1.0)  # units of return
OURS = "CEM, pink noise, kept elites (ours)"
Results = dict[tuple[str, int], list[float]]


def mppi(
    objective: Objective, mean: Tensor, std: Tensor, noise: Callable[[int], Tensor], num_candidates: int, *,
    temperature: float
) -> Tensor:  # fmt: skip
    """Average the candidates, weighted by exp(return / temperature), ITERATIONS times.

    Args:
        objective: returns of candidates.
        mean: mean of the first candidates, shape (horizon, act_dim).
        std: standard deviation of all, the same shape.
        noise: noise(n), unit variance, shape (n, horizon, act_dim).
        num_candidates: in one iteration.
        temperature: small ones follow the best candidate, large ones all.

    Returns:
        shape (horizon, act_dim).
    """
    for _ in range(ITERATIONS):
        candidates = (mean + std * noise(num_candidates)).clamp(TASK.action_low, TASK.action_high)
        weights = torch.softmax(objective(candidates) / temperature, dim=0)
        mean = (weights[:, None, None] * candidates).sum(dim=0)
    return mean


def make_planner(method: str, num_sequences: int, seed: int) -> Planner:
    """A planner that scores so many sequences for one plan."""
    generator = torch.Generator().manual_seed(seed)
    objective_from = true_objective()
    shape = (SETTINGS.horizon, TASK.act_dim)
    low, high = torch.full((TASK.act_dim,), TASK.action_low), torch.full((TASK.act_dim,), TASK.action_high)
    std = torch.full(shape, SETTINGS.initial_std * (TASK.action_high - TASK.action_low) / 2)
    candidates = num_sequences // ITERATIONS
    num_elites = min(SETTINGS.num_elites, max(2, candidates // 2))

    def noise_of(color: float) -> Callable[[int], Tensor]:
        return functools.partial(
            colored_noise, horizon=SETTINGS.horizon, act_dim=TASK.act_dim, color=color, generator=generator
        )

    def uniform(number: int) -> Tensor:
        return torch.rand(number, *shape, generator=generator)

    def by_cem(objective: Objective, mean: Tensor, color: float, num_kept: int) -> Tensor:
        return cem(
            objective,
            mean,
            std,
            low,
            high,
            population_size=candidates,
            num_iterations=ITERATIONS,
            num_elites=num_elites,
            smoothing=SETTINGS.smoothing,
            noise=noise_of(color),
            num_kept_elites=num_kept,
        )

    def planner(observation: Tensor, mean: Tensor) -> Tensor:
        objective = objective_from(observation)
        if method == "random shooting":
            return random_shooting(objective, low, high, num_sequences=num_sequences, uniform=uniform)
        if method in MPPI:
            return mppi(objective, mean, std, noise_of(1.0), candidates, temperature=MPPI[method])
        color, keeps = CEM[method]
        return by_cem(objective, mean, color, max(1, round(0.3 * num_elites)) if keeps else 0)

    return planner


CEM = {"CEM, white noise": (0.0, False), "CEM, pink noise": (1.0, False), OURS: (1.0, True)}
MPPI = {f"MPPI-style, pink noise, temperature {temperature:g}": temperature for temperature in TEMPERATURES}
METHODS = (OURS, *(method for method in CEM if method != OURS), *MPPI, "random shooting")  # ours first: the reference
STYLES = dict(
    zip(METHODS, zip((BLUE, SKY, GREEN, ORANGE, PURPLE, "0.4", VERMILION), "osD^v<X", strict=True), strict=True)
)


class Kept:
    """Returns of episodes, kept in a file as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self._returns: dict[tuple[str, int, int], float] = {
            tuple(key): earned for key, earned in map(json.loads, lines)
        }

    def episode(self, method: str, num_sequences: int, seed: int) -> float:
        key = (method, num_sequences, seed)
        if key not in self._returns:
            planner = make_planner(method, num_sequences, seed)
            self._returns[key] = planned_return(planner, SETTINGS.horizon, seed)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, self._returns[key]]) + "\n")
        return self._returns[key]


def measure(kept: Kept, numbers: tuple[int, ...], reference: int, num_seeds: int, console: Console) -> Results:
    """Returns of each method and number of sequences, one a seed."""

    def returns(method: str, number: int) -> list[float]:
        return [kept.episode(method, number, seed) for seed in range(num_seeds)]

    enough = SHARE_OF_BEST * statistics.median(returns(OURS, reference))
    results: Results = {}
    for method in METHODS:
        in_a_row = 0
        for number in numbers:
            results[method, number] = returns(method, number)
            middle = statistics.median(results[method, number])
            console.print(f"{method}: {number} sequences a step, median return {middle:.1f}", highlight=False)
            in_a_row = in_a_row + 1 if middle >= enough else 0
            if in_a_row == 2 and number >= (reference if method == OURS else 0):
                break
    return results


def needed(results: Results, method: str, enough: float) -> int | None:
    """The smallest number from which on every larger one that was tried is enough too."""
    numbers = sorted(number for name, number in results if name == method)
    smallest = None
    for number in reversed(numbers):
        if statistics.median(results[method, number]) < enough:
            break
        smallest = number
    return smallest


def draw(results: Results, best: float, path: Path) -> None:
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    for method, (color, marker) in STYLES.items():
        numbers = sorted(number for name, number in results if name == method)
        middle = [statistics.median(results[method, number]) for number in numbers]
        axes.plot(numbers, middle, color=color, marker=marker, ms=4, lw=1.2, label=method)
    axes.axhline(SHARE_OF_BEST * best, color="0.5", lw=1, ls=":", label="95 % of the best return")
    ticks = sorted({number for _, number in results})
    axes.set_xscale("log")
    axes.set_xticks(ticks, [str(number) for number in ticks])
    axes.set_xticks([], minor=True)
    axes.set(
        xlabel="action sequences scored for one action",
        ylabel=f"return, median of {len(next(iter(results.values())))} episodes",
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=7, loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def main(quick: bool = False, seeds: int = NUM_SEEDS) -> None:
    """Measure how many action sequences a planner needs.

    Args:
        quick: one episode of two sizes; writes to build/, a minute.
        seeds: episodes of each method and number.
    """
    use_one_thread()
    console = Console(width=120)
    data, figures = (BUILD / "quick", BUILD / "quick") if quick else (DATA, FIGURES)
    kept = Kept(data / "sequences.jsonl" if quick else BUILD / "sequences.jsonl")
    numbers, reference, num_seeds = ((9, 18), 18, 1) if quick else (NUM_SEQUENCES, REFERENCE, seeds)
    results = measure(kept, numbers, reference, num_seeds, console)
    best = max(statistics.median(values) for values in results.values())
    table = Table("method", f"sequences a step for {SHARE_OF_BEST:.0%} of {best:.1f}", "median return there")
    for method in METHODS:
        number = needed(results, method, SHARE_OF_BEST * best)
        largest = max(tried for name, tried in results if name == method)
        middle = statistics.median(results[method, number or largest])
        table.add_row(method, str(number) if number else f"more than {largest}", f"{middle:.1f}")
    console.print(table)
    rows = [
        (method, number, seed, f"{earned:.2f}")
        for (method, number), values in results.items()
        for seed, earned in enumerate(values)
    ]
    heading = provenance(COMMAND + (" --quick" if quick else ""))
    write_csv(data / "sequences.csv", heading, ("method", "sequences_a_step", "seed", "episode_return"), rows)
    draw(results, best, figures / "sequences.svg")
    console.print(f"wrote {data}/sequences.csv and {figures}/sequences.svg")


if __name__ == "__main__":
    tyro.cli(main)
