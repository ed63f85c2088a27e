"""Our curve on PETS's own cart-pole next to the published one.

Run: .venv/bin/python -m benchmarks.published_curves [FIGURE]

It draws recorded runs: `python -m publish.recorders ungraded pets_cartpole=20` records them.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from hw4.commands.jupyter import Array, median_text
from hw4.commands.plots import BLUE, ORANGE, VERMILION
from hw4.experiments import EXPERIMENTS
from publish.ungraded_bands import REFERENCE, TRUE_MODEL, read_runs

EXPERIMENT = "pets_cartpole"
PUBLISHED = Path(__file__).resolve().parent / "data" / "published_pets_cartpole.csv"
FIGURE = Path(__file__).resolve().parent / "figures" / "published_curves.svg"


def main(figure_file: Path = FIGURE) -> None:
    returns = recorded(REFERENCE)
    ceiling = float(np.median(recorded(TRUE_MODEL)))
    env_steps = EXPERIMENTS[EXPERIMENT].task.episode_length * np.arange(1, returns.shape[1] + 1)
    best_so_far = np.maximum.accumulate(returns, axis=1)
    published = read_published()

    table = Table("env steps", "return: median [95 %]", "largest so far: median [95 %]", "PETS, largest so far")
    for i, steps in enumerate(env_steps):
        cells = [median_text(values[:, i]) for values in (returns, best_so_far)]
        table.add_row(f"{steps}", *cells, f"{published[steps]:.0f}" if steps in published else "")
    console = Console()
    console.print(
        f"{EXPERIMENT}: {len(returns)} seeds of ours, one of PETS; a planner that holds the true model: {ceiling:.0f}"
    )
    console.print(table)

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    low, middle, high = np.quantile(returns, [0.05, 0.5, 0.95], axis=0)
    axes.fill_between(env_steps, low, high, color=BLUE, alpha=0.15, lw=0, label=f"ours, 90 % of {len(returns)} seeds")
    axes.plot(env_steps, middle, color=BLUE, marker="o", ms=3, label="ours, median return")
    axes.plot(
        env_steps, np.median(best_so_far, axis=0), color=ORANGE, ls="--", label="ours, median of the largest so far"
    )
    axes.plot(
        [*published], [*published.values()], color=VERMILION, marker="s", ms=4, label="PETS, largest so far, one seed"
    )
    axes.axhline(ceiling, color="0.5", lw=1, ls=":", label="the same planner with the true model")
    axes.set(xlabel="env steps", ylabel="return of an episode of 200 steps", ylim=(-20, 200))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    figure_file.parent.mkdir(exist_ok=True)
    figure.savefig(figure_file, metadata={"Date": None} if figure_file.suffix == ".svg" else None)
    console.print(f"wrote {figure_file}")


def recorded(implementation: str) -> Array:
    """Returns of each recorded run, shape (runs, episodes)."""
    chosen = (EXPERIMENT, implementation)
    return np.array([run.returns for run in read_runs() if (run.experiment, run.implementation) == chosen])


def read_published() -> dict[int, float]:
    """Env steps -> largest return so far."""
    lines = [line for line in PUBLISHED.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {int(row["env_steps"]): float(row["max_so_far"]) for row in csv.DictReader(lines)}


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
