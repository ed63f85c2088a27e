"""The figures of the notebook system_identification (given)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import torch

from hw4.commands.jupyter import (
    Array,
    find_data,
    interval_of_median,
    median_text,
    own_seeds,
    read_table,
    show,
)
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE
from hw4.notebooks.system_identification_runs import (
    ARMS,
    FITS,
    fitted,
    robot_of,
    swing_up,
    trial_of,
)
from hw4.topics.system_identification import controller_of

DATA = find_data("system_identification")
FIT_ERRORS = read_table(DATA / "fits.csv", texts=("fit",))
RETURNS = read_table(DATA / "returns.csv", texts=("arm",))
SEEDS = np.unique(RETURNS["seed"])
NUMBERS = {"gain": "gain", "ratio": "mass ratio", "length": "length"}
COLORS = dict(zip(ARMS, ("0.4", GREEN, BLUE, ORANGE, PURPLE), strict=True))


def of_arm(arm: str, column: str = "episode_return") -> Array:
    """One number a seed, shape (seeds,)."""
    return np.asarray(RETURNS[column][RETURNS["arm"] == arm])


def of_fit(fit: str, column: str) -> Array:
    """One number a seed, shape (seeds,)."""
    return np.asarray(FIT_ERRORS[column][FIT_ERRORS["fit"] == fit])


def trial(my_prediction: str = "") -> None:
    """The trial of the first seed: where the cart goes, and which transitions do not count."""
    one = trial_of(int(SEEDS[0]))
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 2.8))
    seconds = 0.05 * np.arange(len(one.action))
    left.axhspan(-2.7, 2.7, color="0.93", zorder=-1)
    left.plot(seconds, one.observation[:, 0], ".-", color=BLUE, markersize=3)
    left.set(xlabel="time (s)", ylabel="x (m)", ylim=(-3.2, 3.2), title="the cart; grey: transitions count")
    right.plot(seconds, np.unwrap(np.arctan2(one.observation[:, 1], one.observation[:, 2])), color=ORANGE)
    right.set(xlabel="time (s)", ylabel="angle from upright (rad)", title="the pole")
    near = of_fit("identified", "near_stops")
    show(
        "One trial: five seconds of random actions with a robot that nobody has measured.",
        (
            (f"of {len(SEEDS)} trials", "median [95 %]", "most"),
            ("transitions near the stops", median_text(near), f"{near.max():.0f}"),
        ),
        my_prediction=my_prediction,
    )


def errors(my_prediction: str = "") -> None:
    """How far each number is off, for fits with and without the transitions near the stops."""
    _, grid = plt.subplots(1, 3, figsize=(10, 3.2))
    near = of_fit("identified", "near_stops") > 0
    for axes, (column, label) in zip(grid, NUMBERS.items(), strict=True):
        for x, fit in enumerate(FITS[:2]):
            values = 100 * of_fit(fit, column)
            axes.plot(x + np.linspace(-0.2, 0.2, len(values)), values, ".", color=COLORS[fit], markersize=5)
            axes.plot([x - 0.25, x + 0.25], [np.median(values)] * 2, color=COLORS[fit], linewidth=2)
        axes.axhline(0.0, color="0.7", linewidth=0.8, zorder=0)
        axes.set(xticks=(0, 1), xticklabels=("away from\nthe stops", "all\ntransitions"), title=label)
        axes.set_yscale("symlog", linthresh=10.0)
        reach = 2.0 * max(10.0, *(float(np.abs(100 * of_fit(fit, column)).max()) for fit in FITS[:2]))
        ticks = [tick for tick in (-100, -10, 0, 10, 100) if abs(tick) < reach]
        axes.set(ylim=(-reach, reach), yticks=ticks, yticklabels=[str(tick) for tick in ticks])
        axes.minorticks_off()
    grid[0].set_ylabel("error (%)")

    def cells(column: str) -> tuple[str, ...]:
        away, with_stops = (100 * of_fit(fit, column) for fit in FITS[:2])
        worse = (np.abs(with_stops) - np.abs(away))[near]
        return (
            median_text(away, " %", 1),
            median_text(np.abs(away), " %", 1),
            median_text(np.abs(with_stops), " %", 1),
            median_text(worse, " %", 1),
        )

    show(
        f"Errors of the three numbers, one dot a seed; ratio and length by their logarithms. {near.sum()} of "
        f"{len(near)} trials come near a stop; the last column is about these.",
        (
            (
                "median [95 %]",
                "error, away from the stops",
                "its size",
                "its size, all transitions",
                "how much larger, by seed",
            ),
            *((label, *cells(column)) for column, label in NUMBERS.items()),
        ),
        my_prediction=my_prediction,
    )


def returns(my_prediction: str = "") -> None:
    """What a planner earns with each model after one trial."""
    _, axes = plt.subplots(figsize=(8, 3.4))
    turned = of_arm(ARMS[0], "sign") < 0
    for x, arm in enumerate(ARMS):
        values = of_arm(arm)
        for chosen, marker in ((~turned, "o"), (turned, "v")):
            place = x + np.linspace(-0.2, 0.2, int(chosen.sum()))
            axes.plot(place, values[chosen], marker, color=COLORS[arm], markersize=4, alpha=0.8)
        low, high = interval_of_median(values)
        axes.plot([x - 0.3, x + 0.3], [np.median(values)] * 2, color=COLORS[arm], linewidth=2)
        axes.fill_between([x - 0.3, x + 0.3], low, high, color=COLORS[arm], alpha=0.15, linewidth=0)
    axes.set(xticks=range(len(ARMS)), xticklabels=[arm.replace(" of the ", "\nof the ") for arm in ARMS])
    axes.set(ylabel="return of an episode", ylim=(-5, 90))
    identified = of_arm("identified")

    def row(arm: str) -> tuple[str, ...]:
        values = of_arm(arm)
        difference = "" if arm == "identified" else median_text(identified - values, "", 1)
        return arm, median_text(values), median_text(values[~turned]), median_text(values[turned]), difference

    show(
        f"Returns after one trial, {len(SEEDS)} robots; triangles: wired the other way round. The bands are exact 95 % "
        "intervals of the medians.",
        (
            ("median [95 %]", "return", "wired as usual", "the other way round", "identified minus this, by seed"),
            *(row(arm) for arm in ARMS),
        ),
        my_prediction=my_prediction,
    )


def live(use_my_code: bool, student_id: str, my_prediction: str = "") -> None:
    """Identify one robot with the student's functions, plan with it, and draw it among the recorded ones."""
    _, axes = plt.subplots(figsize=(5.5, 3.2))
    values = of_arm("identified")
    axes.plot(np.linspace(-0.2, 0.2, len(values)), values, ".", color=GREEN, markersize=6)
    rows: list[tuple[str, ...]] = []
    words = "USE_MY_CODE is False."
    if use_my_code:
        (seed,) = own_seeds(student_id, 1)
        found, truth = fitted(trial_of(seed), "identified"), robot_of(seed).true_parameters()
        mine = swing_up(controller_of(torch.as_tensor(found), seed=seed), seed)
        axes.plot([-0.3, 0.3], [mine] * 2, color="black", linewidth=1.2)
        words = f"Mine, the black line, is {mine:.0f}."
        shown = [(found[0], truth[0]), *zip(np.exp(found[1:]), np.exp(truth[1:]), strict=True)]
        units = (" m/s^2", "", " m")
        rows = [
            (label, f"{one:.3g}{unit}", f"{other:.3g}{unit}")
            for label, unit, (one, other) in zip(NUMBERS.values(), units, shown, strict=True)
        ]
    axes.set(xticks=(), xlim=(-0.6, 0.6), ylim=(-5, 90), ylabel="return of an episode")
    axes.set_title("identified: recorded (dots), mine (black line)")
    show(
        f"Returns after one trial, one dot a recorded robot. {words}",
        (("my robot", "identified", "true"), *rows) if rows else (),
        my_prediction=my_prediction,
    )
