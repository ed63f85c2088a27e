"""The handout's figures, drawn from recorded runs and published bands: the same bytes each time."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.recorded.calibration import REFERENCE, read_recorded
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Curve, load_assignment
from publish.handout import FIGURES, MINUS
from publish.handout.ledge import draw_walks
from publish.handout.quoted_runs import VERSIONS, Row, column, published_bands, read_paths, recorded, seeds_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VERSION_COLORS = dict(zip(VERSIONS, (VERMILION, ORANGE, BLUE), strict=True))
MEMBER_COLORS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE)


def graded_curves() -> list[Curve]:
    """Those that everybody's work is graded by; a topic's curve is for its own chapter."""
    assignment = load_assignment()
    return [curve for curve in assignment.curves if not assignment.is_optional(curve)]


def draw_figures(folder: Path = FIGURES) -> list[Path]:
    """Draw every figure from the recorded runs; the same bytes each time."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    num_curves = len(graded_curves())
    drawings: Mapping[str, tuple[tuple[float, float], int, Callable[..., None]]] = {
        "cliff_hill_paths.svg": ((6.7, 2.8), 2, draw_paths),
        "cliff_hill_versions.svg": ((6.7, 2.1), 3, draw_versions),
        "cliff_hill_members.svg": ((6.7, 1.95), 2, draw_members),
        "ledge_walks.svg": ((6.7, 2.0), 3, draw_walks),
        "reference_bands.svg": ((6.7, 2.1), num_curves, draw_bands),
        "model_errors.svg": ((6.7, 1.75), num_curves, draw_errors),
        "cem_search.svg": ((6.7, 1.85), 2, draw_search),
    }
    style: dict[Any, Any] = {
        "svg.hashsalt": "handout",
        "svg.fonttype": "path",
        "font.family": "DejaVu Sans",
        "font.size": 8,
        "axes.titlesize": 8.5,
        "legend.fontsize": 7.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.6,
        "lines.linewidth": 1.3,
        "legend.frameon": False,
        "figure.constrained_layout.use": True,
    }
    written = []
    with matplotlib.rc_context(style):
        for name, (size, num_panels, draw) in drawings.items():
            figure, axes = pyplot.subplots(1, num_panels, figsize=size, squeeze=False)
            draw(*axes[0])
            figure.savefig(folder / name, metadata={"Date": None, "Creator": None})
            pyplot.close(figure)
            written.append(folder / name)
    return written


def draw_paths(top: Axes, side: Axes) -> None:
    """The hill from above and from the side, with the data, a plan, and what happened."""
    import numpy as np

    from hw4.envs.cliff_hill import ARENA, BOTTOM_HEIGHT, CLIFF_SLOPE, EDGE_X, height

    paths = read_paths()
    x, y = np.meshgrid(np.linspace(-2, EDGE_X, 101), np.linspace(-2.5, 2.5, 101))
    ground = height(np.stack([x, y], axis=-1))
    foot = EDGE_X + (EDGE_X - BOTTOM_HEIGHT) / (CLIFF_SLOPE - 1)  # the ridge still rises by 1 m per m
    top.contourf(x, y, ground, levels=12, cmap="Greys_r", alpha=0.55)
    top.axvspan(EDGE_X, foot, color="#777777", lw=0)
    top.axvspan(foot, ARENA, color="#333333", lw=0)
    top.text(ARENA + 0.1, -2.35, f"slope and pit,\ndown to {BOTTOM_HEIGHT:g} m".replace("-", MINUS))
    profile = np.linspace(-2, ARENA, 601)
    level = height(np.stack([profile, np.zeros_like(profile)], axis=-1))
    side.fill_between(profile, level, BOTTOM_HEIGHT - 1, color="#d0d0d0", lw=0)
    side.axvline(EDGE_X, color="#333333", lw=0.7, ls=":")
    looks: dict[str, tuple[str, dict[str, Any]]] = {
        "data": ("base policy's data", {"color": PURPLE, "ls": "", "marker": ".", "ms": 2.5}),
        "imagined": ("version 0.5: imagined", {"color": VERMILION, "ls": "--"}),
        "happened_0.5": ("version 0.5: happened", {"color": VERMILION}),
        "happened_1.5": ("version 1.5: happened", {"color": BLUE}),
    }
    for name, (label, look) in looks.items():
        top.plot(column(paths[name], "x"), column(paths[name], "y"), label=label, **look)
        side.plot(column(paths[name], "x"), column(paths[name], "height"), **look)
    top.set(xlabel="x (m)", ylabel="y (m)", title="from above", xlim=(-2, 5.6), ylim=(-2.5, 2.5))
    side.set(xlabel="x (m)", ylabel="height (m)", title="from the side", xlim=(-2, 5.6), ylim=(-6, 6))
    top.figure.legend(loc="outside lower center", ncols=4, handlelength=1.8, columnspacing=1.2, markerscale=2.5)


def draw_versions(*panels: Axes) -> None:
    """One panel a version: every seed, and their median."""
    rows = recorded("cliff_hill_versions")
    initial_steps = EXPERIMENTS["cliff_hill"].initial_steps
    for panel, (version, color) in zip(panels, VERSION_COLORS.items(), strict=True):
        draw_seeds(panel, [row for row in rows if row["version"] == version], color, initial_steps)
        panel.set(title=f"version {version}", xlabel="env steps", ylim=(-120, 90))
    panels[0].set_ylabel("episode return")
    panels[0].text(initial_steps / 2, 86, "base\npolicy", ha="center", va="top", color="#555555")


def draw_seeds(panel: Axes, rows: list[Row], color: str, initial_steps: int) -> None:
    """Returns against env steps: each seed thin, the median thick, the base policy's part shaded."""
    by_seed = [[row for row in rows if row["seed"] == seed] for seed in seeds_of(rows)]
    steps = column(by_seed[0], "env_steps")
    returns = [column(run, "episode_return") for run in by_seed]
    for values in returns:
        panel.plot(steps, values, color=color, lw=0.5, alpha=0.4)
    medians = [statistics.median(values) for values in zip(*returns, strict=True)]
    panel.plot(steps, medians, color=color, lw=2)
    panel.axvspan(0, initial_steps, color="#eeeeee", lw=0, zorder=0)
    panel.set_xlim(0, max(steps) * 1.02)


def draw_members(side: Axes, spread: Axes) -> None:
    """What each member imagines, and how far they disagree."""
    from hw4.envs.cliff_hill import EDGE_X

    rows = recorded("cliff_hill_members")
    data_max_x = max(column(read_paths()["data"], "x"))
    members = sorted({row["member"] for row in rows})
    for member, color in zip(members, MEMBER_COLORS, strict=True):
        own = [row for row in rows if row["member"] == member]
        side.plot(column(own, "x"), column(own, "y"), color=color)
    side.axvline(EDGE_X, color="#333333", lw=0.7, ls=":")
    side.text(EDGE_X + 0.1, -2.9, "the edge", color="#333333")
    side.axvspan(-0.2, data_max_x, color="#eeeeee", lw=0, zorder=0)
    side.text(-0.1, 3.5, "x seen\nin the data", va="top", color="#555555")
    side.set(xlabel="imagined x (m)", ylabel="imagined y (m)", title="each member's roll-out", xlim=(-0.2, 6))
    side.set_ylim(-3.2, 3.7)
    steps = sorted({int(row["step"]) for row in rows})
    deviations = [statistics.pstdev(column([r for r in rows if int(r["step"]) == s], "height")) for s in steps]
    spread.plot(steps, deviations, color="black")
    inside = [s for s in steps if all(float(r["x"]) <= data_max_x for r in rows if int(r["step"]) == s)]
    spread.axvspan(0, max(inside), color="#eeeeee", lw=0, zorder=0)
    spread.set(xlabel="steps imagined", ylabel="std over members (m)", title="their disagreement on the height")
    spread.set_xlim(0, max(steps))
    spread.set_ylim(bottom=0)


def draw_bands(*panels: Axes) -> None:
    """What each graded curve is compared with: the published band, bar, floor and random policy."""
    for panel, curve in zip(panels, graded_curves(), strict=True):
        rows = published_bands()[curve.id]
        steps = column(rows, "env_steps")
        panel.fill_between(
            steps,
            column(rows, "low"),
            column(rows, "high"),
            color=SKY,
            alpha=0.35,
            lw=0,
            label="90 % of reference runs",
        )
        panel.plot(steps, column(rows, "median"), color=BLUE, lw=2, label="their median")
        for name, color, style in (("bar", GREEN, "-"), ("floor", VERMILION, "--"), ("random", "#555555", ":")):
            label = "random policy, median" if name == "random" else name
            panel.axhline(float(rows[0][name]), color=color, lw=1, ls=style, label=label)
        panel.axvspan(0, EXPERIMENTS[curve.experiment].initial_steps, color="#eeeeee", lw=0, zorder=0)
        panel.set(title=textwrap.fill(curve.title, 30), xlabel="env steps", xlim=(0, max(steps) * 1.02))
    panels[0].set_ylabel("episode return")
    handles, labels = panels[0].get_legend_handles_labels()
    panels[0].figure.legend(handles, labels, loc="outside lower center", ncols=5, handlelength=1.8, columnspacing=1.2)


def draw_errors(*panels: Axes) -> None:
    """One-step error of the reference's model on each planned episode of the graded curves, before it has seen it."""
    for panel, curve in zip(panels, graded_curves(), strict=True):
        experiment, errors = EXPERIMENTS[curve.experiment], reference_errors(curve)
        first = experiment.num_initial_episodes  # the first episode after a fit
        errors, steps = errors[first:], [(i + 1) * experiment.task.episode_length for i in range(first, len(errors))]
        panel.fill_between(
            *(steps, [e[0] for e in errors], [e[2] for e in errors]), color=SKY, alpha=0.35, lw=0, label="90 % of runs"
        )
        panel.plot(steps, [e[1] for e in errors], color=BLUE, lw=2, label="median")
        panel.axhline(1.0, color="#555555", lw=1, ls=":", label='"nothing changes"')
        panel.set(title=textwrap.fill(curve.title, 30), xlabel="env steps", yscale="log")
        panel.set(xlim=(0.9 * steps[0], 1.02 * steps[-1]), ylim=(0.012, 3))
        panel.set_yticks([0.1, 1], labels=["0.1", "1"] if panel is panels[0] else [])
        panel.tick_params(which="minor", labelleft=False)
    panels[0].set_ylabel("one-step error")
    handles, labels = panels[0].get_legend_handles_labels()
    panels[0].figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=1.8, columnspacing=1.2)


def reference_errors(curve: Curve) -> list[tuple[float, float, float]]:
    """5 %, 50 % and 95 % quantile over the recorded reference runs, for each episode."""
    runs = [run.errors for run in read_recorded(curve) if run.implementation == REFERENCE]
    episodes = zip(*runs, strict=True)
    return [
        (q[0], statistics.median(values), q[-1]) for values in episodes for q in [statistics.quantiles(values, n=20)]
    ]


def draw_search(plans: Axes, returns: Axes) -> None:
    """What CEM draws, iteration by iteration, and what it earns."""
    rows = recorded("cem_search")
    iterations = sorted({int(row["iteration"]) for row in rows})
    for iteration, color in zip((iterations[0], iterations[1], iterations[-1]), (VERMILION, ORANGE, BLUE), strict=True):
        own = [row for row in rows if int(row["iteration"]) == iteration]
        steps, means, stds = column(own, "step"), column(own, "mean"), column(own, "std")
        low, high = ([m + sign * s for m, s in zip(means, stds, strict=True)] for sign in (-1, 1))
        plans.fill_between(steps, low, high, color=color, alpha=0.22, lw=0)
        plans.plot(steps, means, color=color, label=f"iteration {iteration}")
    plans.set(xlabel="step of the plan", ylabel="force (N)", title="candidates: mean and std", xlim=(0, max(steps)))
    plans.set(ylim=(-1.05, 1.05), xticks=range(0, len(steps), 5))
    plans.legend(loc="lower left", handlelength=1.5)
    firsts = [next(row for row in rows if int(row["iteration"]) == iteration) for iteration in iterations]
    returns.plot(iterations, column(firsts, "best_return"), color=BLUE, marker="o", ms=3, label="CEM, best candidate")
    returns.plot(
        iterations, column(firsts, "median_return"), color=SKY, marker="o", ms=3, label="CEM, median candidate"
    )
    shot = float(rows[0]["random_shooting_return"])
    returns.axhline(shot, color=VERMILION, lw=1, ls="--", label="random shooting, as many in all")
    returns.set(xlabel="iteration", ylabel="return", title="what they earn", xticks=iterations)
    returns.legend(loc="lower right", handlelength=1.8)
