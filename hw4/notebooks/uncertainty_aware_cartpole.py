"""The figure of the notebook uncertainty_aware that compares model-based and model-free RL on the cart-pole (given)."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np

from hw4.commands.jupyter import Array, find_data, interval_of_median, median_text, read_table, show
from hw4.commands.plots import BLUE, PURPLE, UNGRADED_FILE, VERMILION, read_bands

DATA = find_data("replanning")
AFTER = read_bands(UNGRADED_FILE)["cartpole_ensemble"]
SAC_FILE = DATA / "policy_learning_cartpole_curves.csv"  # goes when its topic is dropped
GOOD = 60.0  # a return to reach; a planner with the simulator gets about 85
AVERAGED = 10  # training episodes of SAC in one point of its line
LAST = {"one network": 2, "SAC (model-free)": 20}  # episodes at the end of a run


def of_seeds(table: dict[str, Array]) -> tuple[Array, Array]:
    """Env steps, shape (episodes,), and returns, shape (seeds, episodes)."""
    seeds = len(np.unique(table["seed"]))
    return table["env_steps"].reshape(seeds, -1)[0], table["episode_return"].reshape(seeds, -1)


def one_network() -> tuple[Array, Array]:
    """Env steps and returns of version 1.5 with one network."""
    table = read_table(DATA / "returns.csv", texts=("arm",))
    return of_seeds({name: values[table["arm"] == "1.5"] for name, values in table.items()})


def model_free() -> tuple[Array, Array]:
    """Env steps and returns of SAC's training episodes, with its exploration."""
    return of_seeds(read_table(SAC_FILE))


def first_good(env_steps: Array, returns: Array) -> Array:
    """Env steps to the end of the first episode that earns GOOD, infinite if there is none; shape (seeds,)."""
    return np.where((returns >= GOOD).any(axis=1), env_steps[(returns >= GOOD).argmax(axis=1)], math.inf)


def shown(values: Array) -> str:
    """A median with its exact interval; infinity is "never"."""
    low, high = interval_of_median(values)
    median, low_text, high_text = (f"{v:,.0f}" if math.isfinite(v) else "never" for v in (np.median(values), low, high))
    return f"{median} [{low_text}, {high_text}]"


def cartpole(my_prediction: str = "") -> None:
    """The cart-pole: one network, five networks and soft actor-critic on the same axes, several seeds of each."""
    _, axes = plt.subplots(figsize=(8.5, 3.6))
    axes.fill_between(AFTER.env_steps, AFTER.low, AFTER.high, color=BLUE, alpha=0.2, linewidth=0)
    axes.plot(AFTER.env_steps, AFTER.median, color=BLUE, linewidth=2, label=f"five networks, {AFTER.num_runs} runs")
    rows: list[tuple[str, ...]] = []
    runs = {"one network": (one_network, PURPLE, 1)}
    if SAC_FILE.exists():
        runs["SAC (model-free)"] = (model_free, VERMILION, AVERAGED)
    for label, (recorded, color, averaged) in runs.items():
        env_steps, returns = recorded()
        means = returns.reshape(len(returns), -1, averaged).mean(axis=2)
        at = env_steps[averaged - 1 :: averaged]
        axes.fill_between(at, means.min(axis=0), means.max(axis=0), color=color, alpha=0.2, linewidth=0)
        axes.plot(at, np.median(means, axis=0), color=color, linewidth=2, label=f"{label}, {len(returns)} runs")
        reached = first_good(env_steps, returns)
        end = returns[:, -LAST[label] :].mean(axis=1)
        rows.append(
            (
                label,
                f"{env_steps[-1]:,.0f}",
                shown(reached),
                f"{np.isfinite(reached).sum()} of {len(returns)}",
                f"{median_text(end)} ({LAST[label]} episodes)",
            )
        )
    axes.set(xscale="log", xlabel="env steps (log scale)", ylabel="return of an episode", ylim=(-5, 92))
    axes.minorticks_off()
    axes.set_xticks((100, 300, 1000, 3000, 10_000, 30_000), ("100", "300", "1,000", "3,000", "10,000", "30,000"))
    axes.legend(loc="upper left")
    show(
        f"Cart-pole: returns of the episodes as they were collected, medians and all runs. SAC's line is the mean of "
        f"{AVERAGED} episodes, exploration included.",
        (
            (
                "median [95 %]",
                "env steps of a run",
                f"env steps to a first return of {GOOD:.0f}",
                "reached by",
                "return at the end of a run",
            ),
            *rows,
        ),
        my_prediction=my_prediction,
    )
