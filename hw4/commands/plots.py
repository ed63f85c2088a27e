"""Learning curves: every seed, the median, and the published band (given; needs no display)."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hw4.commands.csv_rows import read_rows
from hw4.commands.runs import LearningCurve, Run
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import load_assignment

REFERENCE_FILE = Path(__file__).resolve().parents[1] / "reference_curves.csv"
UNGRADED_FILE = REFERENCE_FILE.with_name("reference_curves_ungraded.csv")
# Okabe and Ito's palette: distinct for colour-blind readers
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
BAND_COLOR = "#999999"


@dataclass(frozen=True)
class Spread:
    """Low, median and high of one quantity at each episode; NaN where it has no value yet."""

    low: tuple[float, ...]
    median: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Band:
    """The reference solution's returns over several runs: 90 % of them, or all where they are not graded."""

    env_steps: tuple[int, ...]
    low: tuple[float, ...]
    median: tuple[float, ...]
    high: tuple[float, ...]
    bar: float | None = None  # full points
    floor: float | None = None  # no points
    below_bar: tuple[int, int] | None = None  # how many reference runs score below the bar, and of how many
    random: float | None = None  # median return of a random policy
    ceiling: float | None = None  # median return of a planner that holds the true simulator
    num_runs: int | None = None
    model_error: Spread | None = None  # one step ahead; 1 is as good as expecting no change
    optimism_gap: Spread | None = None  # of a plan: predicted minus true reward per env step


def read_bands(path: Path = REFERENCE_FILE) -> dict[str, Band]:
    """The published bands by experiment; none if the file is not there."""
    if not path.is_file():
        return {}
    experiments = {curve.id: curve.experiment for curve in load_assignment().curves}
    by_curve: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in read_rows(path):
        by_curve[experiments.get(row["curve"], row["curve"])].append(row)
    return {
        experiment: Band(
            env_steps=tuple(int(row["env_steps"]) for row in of_curve),
            low=tuple(float(row["low"]) for row in of_curve),
            median=tuple(float(row["median"]) for row in of_curve),
            high=tuple(float(row["high"]) for row in of_curve),
            bar=_optional_number(of_curve[0].get("bar")),
            floor=_optional_number(of_curve[0].get("floor")),
            below_bar=_below_bar(of_curve[0]),
            random=_optional_number(of_curve[0].get("random")),
            ceiling=_optional_number(of_curve[0].get("ceiling")),
            num_runs=int(of_curve[0]["num_runs"]) if of_curve[0].get("num_runs") else None,
            model_error=_spread(of_curve, "error"),
            optimism_gap=_spread(of_curve, "gap"),
        )
        for experiment, of_curve in by_curve.items()
    }


def read_all_bands() -> dict[str, Band]:
    """The published bands of the graded experiments, and of those that are not graded."""
    return read_bands(REFERENCE_FILE) | read_bands(UNGRADED_FILE)


def median_curve(curves: Sequence[LearningCurve]) -> tuple[list[int], list[float]]:
    """The median return over the seeds, at the env steps that every seed has reached."""
    returns: dict[int, list[float]] = defaultdict(list)
    for curve in curves:
        for env_steps, episode_return in zip(curve.env_steps, curve.returns, strict=True):
            returns[env_steps].append(episode_return)
    shared = sorted(env_steps for env_steps, at in returns.items() if len(at) == len(curves))
    return shared, [median(returns[env_steps]) for env_steps in shared]


def has_reference_settings(run: Run) -> bool:
    """Whether a run can be compared with the recorded runs of the reference: but for its length, it is like them."""
    published = EXPERIMENTS[run.experiment]
    settings = {**dataclasses.asdict(run.settings), "num_episodes": published.num_episodes}
    return settings == dataclasses.asdict(published)


def draw_runs(runs: Sequence[Run], bands: dict[str, Band]) -> Figure:
    """One panel per task: runs of the same task share it, and so compare."""
    by_task: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_task[run.settings.task_name].append(run)
    figure = Figure(figsize=(7.0, 4.4 * len(by_task)), layout="constrained")
    panels = figure.subplots(len(by_task), 1, squeeze=False)[:, 0]
    for axes, (task_name, of_task) in zip(panels, by_task.items(), strict=True):
        _draw_task(axes, task_name, of_task, bands)
    return figure


def _draw_task(axes: Axes, task_name: str, runs: Sequence[Run], bands: dict[str, Band]) -> None:
    experiments = list(dict.fromkeys(run.experiment for run in runs))
    for experiment in experiments:
        of_experiment = [run for run in runs if run.experiment == experiment]
        if not any(map(has_reference_settings, of_experiment)):
            axes.plot([], [], " ", label=f"{experiment}: no reference band, as the settings differ")
        elif experiment in bands:
            color = BAND_COLOR if len(experiments) == 1 else _color_of(experiment, runs)
            _draw_band(axes, bands[experiment], experiment, color)
    for number, run in enumerate(runs):
        color = COLORS[number % len(COLORS)]
        style: dict[str, Any] = {"color": color, "alpha": 0.4, "linewidth": 1.0, "marker": ".", "markersize": 3}
        for curve in run.curves if len(run.curves) > 1 else ():
            label = f"{run.label}, each seed" if curve is run.curves[0] else None
            axes.plot(curve.env_steps, curve.returns, **style, label=label)
        seeds = "1 seed" if len(run.curves) == 1 else f"median of {len(run.curves)} seeds"
        axes.plot(
            *median_curve(run.curves),
            color=color,
            linewidth=2.2,
            marker="o",
            markersize=4,
            label=f"{run.label}, {seeds}",
        )
    axes.set_title(task_name.replace("_", " "))
    axes.set_xlabel("env steps")
    axes.set_ylabel("episode return (sum of rewards)")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize="small", frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)


def _draw_band(axes: Axes, band: Band, experiment: str, color: str) -> None:
    label = f"{experiment}, reference"
    runs = "" if band.num_runs is None else f" of {band.num_runs} run{'s' if band.num_runs != 1 else ''}"
    axes.fill_between(
        band.env_steps, band.low, band.high, color=color, alpha=0.2, linewidth=0, label=f"{label} band{runs}"
    )
    axes.plot(band.env_steps, band.median, color=color, linewidth=1.2, linestyle=":", label=f"{label} median{runs}")
    if band.bar is not None:
        axes.axhline(
            band.bar,
            color=color,
            linewidth=1.0,
            linestyle="--",
            label=f"{experiment}, bar {band.bar:.3g} for the score",
        )
    if band.floor is not None:
        axes.axhline(
            band.floor,
            color=color,
            linewidth=1.0,
            linestyle="-.",
            label=f"{experiment}, floor {band.floor:.3g} for the score",
        )
    if band.ceiling is not None and band.random is not None:
        for level, what, style in (
            (band.ceiling, "planner on the true simulator", "--"),
            (band.random, "random", "-."),
        ):
            axes.axhline(level, color=color, linewidth=1.0, linestyle=style, label=f"{experiment}, {what}: {level:.3g}")


def _color_of(experiment: str, runs: Sequence[Run]) -> str:
    first = next(number for number, run in enumerate(runs) if run.experiment == experiment)
    return COLORS[first % len(COLORS)]


def _spread(rows: Sequence[dict[str, str]], quantity: str) -> Spread | None:
    """The band of one more quantity; None if the file does not hold it."""
    if f"{quantity}_median" not in rows[0]:
        return None
    low, middle, high = (
        tuple(float(row[f"{quantity}_{edge}"] or "nan") for row in rows) for edge in ("low", "median", "high")
    )
    return Spread(low, middle, high)


def _below_bar(row: dict[str, str]) -> tuple[int, int] | None:
    return (int(row["below_bar"]), int(row["runs"])) if row.get("below_bar") else None


def _optional_number(text: str | None) -> float | None:
    return float(text) if text else None
