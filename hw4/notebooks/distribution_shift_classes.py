"""The figure of the notebook distribution_shift that compares classes of models by the size of their data (given)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from hw4.commands.jupyter import Array, find_data, interval_of_median, median_text, read_table, show
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE, VERMILION

TABLE = read_table(find_data("distribution_shift") / "model_classes.csv", texts=("model",))
CLASSES = {  # those that are fitted, and how they are drawn
    "hand_made": ("hand-made, 3 numbers fitted", "black", "D-"),
    "linear": ("linear", PURPLE, "v-"),
    "network": ("network", BLUE, "o-"),
    "ensemble": ("ensemble of 5 networks", GREEN, "s-"),
    "gaussian_process": ("Gaussian process", VERMILION, "^-"),
}
GUESSED = "hand-made, numbers guessed"
SIZES = tuple(int(size) for size in np.unique(TABLE["size"]) if size > 0)  # transitions
ERRORS = {
    "error_in_distribution": "in distribution: random actions",
    "error_on_good_policy": "on a good policy's states",
}
ERROR_TICKS = (0.03, 0.1, 0.3, 1, 3)


def column(name: str, model: str, size: int = 0) -> Array:
    """One column of one model, shape (seeds,). Those that are fitted to nothing have size 0."""
    return np.asarray(TABLE[name][(TABLE["model"] == model) & (TABLE["size"] == size)])


def regret(model: str, size: int = 0) -> Array:
    """What planning with the simulator itself earns more, shape (seeds,)."""
    return column("episode_return", "simulator") - column("episode_return", model, size)


def ranks(values: Array) -> Array:
    """The place of each value in its row, from 0, shape (rows, columns); errors and returns hardly ever tie."""
    return np.argsort(np.argsort(values, axis=1), axis=1).astype(float)


def correlation_with_regret(name: str) -> Array:
    """Rank correlation of an error with the regret over all fitted models (class and size), shape (seeds,)."""
    models = [(model, size) for model in CLASSES for size in SIZES]
    pairs = (np.stack([of(*m) for m in models], axis=1) for of in (lambda m, n: column(name, m, n), regret))
    centred = [ranks(values) - (len(models) - 1) / 2 for values in pairs]
    spread = [np.sqrt((values**2).sum(axis=1)) for values in centred]
    return np.asarray((centred[0] * centred[1]).sum(axis=1) / (spread[0] * spread[1]))


def draw_guessed(axes: Axes, name: str) -> None:
    """What needs no data: the hand-made model with numbers that nobody fitted."""
    values = regret("guessed") if name == "regret" else column(name, "guessed")
    axes.axhline(np.median(values), color=ORANGE, linewidth=1.2, linestyle=":", label=GUESSED)


def crossover(my_prediction: str = "") -> None:
    """Errors in distribution and on a good policy's states, and regret, by class and size of the data."""
    _, panels = plt.subplots(1, 3, figsize=(11.5, 3.8))
    for axes, name in zip(panels, (*ERRORS, "regret"), strict=True):
        draw_guessed(axes, name)
        for place, (model, (label, color, style)) in enumerate(CLASSES.items()):
            values = [regret(model, size) if name == "regret" else column(name, model, size) for size in SIZES]
            beside = np.array(SIZES) * 1.05 ** (place - 2)  # so that intervals do not hide each other
            low, high = np.array([interval_of_median(of_size) for of_size in values]).T
            axes.vlines(beside, low, high, color=color, linewidth=1.2, alpha=0.6)
            axes.plot(beside, [np.median(v) for v in values], style, color=color, markersize=4, label=label)
        axes.set(xscale="log", xlabel="transitions in the data", title=ERRORS.get(name, "regret of planning with it"))
        axes.set_xticks(SIZES, [f"{size}" for size in SIZES])
        axes.minorticks_off()
    for axes in panels[:2]:
        axes.axhline(1, color="0.8", linewidth=0.8, zorder=0)
        axes.set(yscale="log", ylim=(0.02, 8))
        axes.set_yticks(ERROR_TICKS, [f"{error:g}" for error in ERROR_TICKS])
        axes.minorticks_off()
    panels[0].set_ylabel("error, one step (1: the mean change)")
    panels[2].set_ylabel("return lost against the simulator")
    panels[2].axhline(0, color="0.8", linewidth=0.8, zorder=0)
    panels[0].legend(loc="lower left", fontsize=7)
    last = SIZES[-1]
    show(
        f"Classes of models, {len(regret('linear', last))} seeds: medians with exact intervals of at least 95 %. An "
        "error of 1 is no better than the mean change. Times are processor times of one thread on a busy machine: "
        "read them as orders of magnitude.",
        (
            (
                "median [95 %]",
                *(
                    f"{where}, {n}"
                    for where in ("in distribution", "on a good policy", "regret")
                    for n in (SIZES[0], last)
                ),
                f"fit (s), {last}",
                f"one plan (ms), {last}",
            ),
            *((label, *cells(model)) for model, (label, _, _) in CLASSES.items()),
        ),
        my_prediction=my_prediction,
    )


def cells(model: str) -> tuple[str, ...]:
    """A row of the table: with the fewest transitions and with the most."""
    ends = (SIZES[0], SIZES[-1])
    return (
        *(median_text(column(name, model, size), digits=2) for name in ERRORS for size in ends),
        *(median_text(regret(model, size)) for size in ends),
        f"{np.median(column('fit_seconds', model, SIZES[-1])):.2g}",
        f"{np.median(column('plan_milliseconds', model, SIZES[-1])):.0f}",
    )
