"""The figures of the notebook bayesian_networks (given)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from hw4.commands.jupyter import (
    Array,
    draw_band,
    find_data,
    interval_of_median,
    median_text,
    own_seeds,
    read_table,
    show,
    show_table,
)
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE, VERMILION
from hw4.notebooks import bayesian_networks_exact as exact
from hw4.notebooks.bayesian_networks_runs import (
    POSTERIORS,
    TASKS,
    TOY_GAP,
    TOY_GRID,
    TOY_NOISE,
    Posterior,
    fit_toy,
    toy_answers,
    toy_curve,
    toy_data,
)

DATA = find_data("bayesian_networks")
TEXTS = ("task", "posterior")
RUNS, COSTS, CALIBRATION = (read_table(DATA / f"{name}.csv", texts=TEXTS) for name in ("runs", "costs", "calibration"))
GAP = read_table(DATA / "gap.csv", texts=("posterior",))
PICTURE = read_table(DATA / "picture.csv", texts=("posterior",))
PROBABILITIES = read_table(DATA / "probabilities.csv")
EXACT = read_table(DATA / "exact.csv", texts=("way",))
COLORS = dict(zip(POSTERIORS, (BLUE, ORANGE, GREEN, PURPLE), strict=True))
SEEDS = [
    seed
    for seed in np.unique(CALIBRATION["seed"])
    if (CALIBRATION["seed"] == seed).sum() == len(POSTERIORS) * len(TASKS)
]
NUM_TOY, PICTURE_SEED = 60, int(GAP["seed"].min())


# The posterior itself -------------------------------------------------------------------------------------------------


def line(my_prediction: str = "") -> None:
    """A straight line: its posterior as an ellipse, as lines, and what an ensemble has of it."""
    rng = np.random.default_rng(3)
    x = rng.uniform(-0.2, 0.6, 8)
    features, noise = np.column_stack([np.ones(8), x]), 0.2
    targets = features @ np.array([0.3, 0.8]) + noise * rng.standard_normal(8)
    posterior = exact.posterior_of(features, targets, noise)
    members = {way: exact.members_of(way, 5, features, targets, rng, noise) for way in exact.WAYS}
    looks = dict(zip(exact.WAYS, ((VERMILION, "o"), (BLUE, "s"), ("black", "*")), strict=True))
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    root = np.linalg.cholesky(posterior.covariance)
    turn = np.linspace(0, 2 * np.pi, 100)
    for size in (1, 2):
        left.plot(*(posterior.mean[:, None] + size * root @ np.stack([np.cos(turn), np.sin(turn)])), color="0.6")
    for way, weights in members.items():
        color, marker = looks[way]
        left.plot(*weights.T, marker, color=color, linestyle="none", markersize=5, label=f"five: {way}")
    left.set(xlabel="intercept", ylabel="slope", title="weights: posterior (1 and 2 std), three ensembles")
    left.legend()
    grid = np.column_stack([np.ones(50), np.linspace(-1.5, 1.5, 50)])
    std = np.sqrt(np.einsum("nd,de,ne->n", grid, posterior.covariance, grid))
    middle = grid @ posterior.mean
    right.fill_between(grid[:, 1], middle - 2 * std, middle + 2 * std, color="0.85", label="posterior, 2 std")
    for way in exact.WAYS[:2]:
        right.plot(grid[:, 1], grid @ members[way].T, color=looks[way][0], linewidth=0.9)
    right.plot(x, targets, "k.", label="measurements")
    right.set(xlabel="x", ylabel="y", title="the same as lines")
    right.legend(loc="upper left")
    prior = exact.Gaussian(np.zeros(2), np.eye(2))
    show(
        "Eight measurements of a line. Members that share the data fall on one point, since least squares has one "
        "solution.",
        (
            ("in nats", "prior", "posterior"),
            ("entropy of the weights", f"{prior.entropy():.2f}", f"{posterior.entropy():.2f}"),
        ),
        my_prediction=my_prediction,
    )


def plane() -> None:
    """Two inputs: where the posterior is uncertain, and where five members disagree."""
    one = exact.plane_of(PICTURE_SEED)
    features = one.features(one.measured)
    posterior = exact.posterior_of(features, one.targets)
    side = np.linspace(-1.5, 1.5, 60)
    places = np.stack(np.meshgrid(side, side), axis=-1)
    there = one.features(places.reshape(-1, 2))
    rng = np.random.default_rng(0)
    maps = {"the posterior": np.einsum("nd,de,ne->n", there, posterior.covariance, there)}
    for way in exact.WAYS[:2]:
        weights = exact.members_of(way, 5, features, one.targets, rng)
        maps[f"five members: {way}"] = (weights @ there.T).var(axis=0)
    _, panels = plt.subplots(1, 3, figsize=(11, 3.5), sharey=True)
    for axes, (name, variance) in zip(panels, maps.items(), strict=True):
        image = axes.pcolormesh(side, side, np.sqrt(variance).reshape(60, 60), vmin=0.0, vmax=1.0, cmap="viridis")
        axes.plot(*one.measured.T, "w.", markersize=3)
        axes.set(title=name, xlabel="$x_1$", aspect="equal")
    panels[0].set_ylabel("$x_2$")
    plt.colorbar(image, ax=panels, label="std of the function")
    show("Std of a function of two inputs; white: where it was measured.")


def of_way(way: str, members: int, column: str) -> Array:
    """One number a seed, shape (seeds,)."""
    return np.asarray(EXACT[column][(EXACT["way"] == way) & (EXACT["members"] == members)])


def members(my_prediction: str = "") -> None:
    """Detection and information against the number of members."""
    _, panels = plt.subplots(1, 2, figsize=(10, 3.4))
    for axes, column, label in zip(panels, ("auroc", "information"), ("AUROC", "information (nats)"), strict=True):
        for way, color, style in (("draws of the posterior", VERMILION, "o-"), ("resampled", BLUE, "s--")):
            values = np.stack([of_way(way, number, column) for number in exact.MEMBERS], axis=-1)
            draw_band(axes, np.array(exact.MEMBERS), values, color=color, style=style, label=way)
        low, high = interval_of_median(of_way("exact", 0, column))
        axes.axhspan(low, high, color="0.8", label="the posterior itself")
        axes.set(xlabel="members", ylabel=label, xscale="log", xticks=exact.MEMBERS)
        axes.set_xticks(exact.MEMBERS, [str(number) for number in exact.MEMBERS])
        axes.minorticks_off()
    panels[1].plot(exact.MEMBERS, np.log(exact.MEMBERS), ":", color="0.5", label="log of the members")
    panels[1].set_ylim(0, 1.1)
    panels[1].legend(loc="lower right")
    counts = [str(number) for number in exact.MEMBERS]

    def row(way: str, column: str, digits: int) -> tuple[str, ...]:
        return tuple(median_text(of_way(way, number, column), "", digits) for number in exact.MEMBERS)

    show(
        f"{len(np.unique(EXACT['seed']))} planes, places just beyond the data against places near it; medians, bands "
        "hold all seeds. Members that share the data have AUROC 0.5 and no information, however many.",
        (
            ("median [95 %]", *(f"{number} members" for number in counts), "exact"),
            *(
                (f"AUROC, {way}", *row(way, "auroc", 2), median_text(of_way("exact", 0, "auroc"), "", 2))
                for way in exact.WAYS[:2]
            ),
            *(
                (f"nats, {way}", *row(way, "information", 2), median_text(of_way("exact", 0, "information"), "", 2))
                for way in exact.WAYS[:2]
            ),
        ),
        my_prediction=my_prediction,
    )


# Networks -------------------------------------------------------------------------------------------------------------


def gap(my_prediction: str = "") -> None:
    """One curve with a gap in the data, and how far functions are apart there."""
    _, panels = plt.subplots(1, 4, figsize=(11, 3.0), sharey=True)
    data = toy_data(NUM_TOY, TOY_NOISE, np.random.default_rng(PICTURE_SEED))
    x, y = np.asarray(data.observation)[:, 0], np.asarray(data.next_observation - data.observation)[:, 0]
    for axes, posterior in zip(panels, POSTERIORS, strict=True):
        chosen = PICTURE["posterior"] == posterior
        answers = PICTURE["y"][chosen].reshape(-1, len(TOY_GRID))
        axes.axvspan(*TOY_GAP, color="0.93", zorder=-1)
        axes.plot(TOY_GRID, toy_curve(TOY_GRID), color="0.5", linewidth=0.8)
        axes.plot(TOY_GRID, answers.T, color=COLORS[posterior], linewidth=1.0)
        axes.plot(x, y, "k.", markersize=3)
        axes.set(title=posterior, xlabel="x", ylim=(-1.6, 1.6))

    def of_posterior(column: str, posterior: str) -> Array:
        return np.asarray(GAP[column][GAP["posterior"] == posterior])

    show(
        f"Five functions of each posterior; grey: the truth and the gap. Table: {len(np.unique(GAP['seed']))} seeds.",
        (
            ("std over functions, median [95 %]", *POSTERIORS),
            ("in the gap", *(median_text(of_posterior("in_gap", p), "", 3) for p in POSTERIORS)),
            ("at the data", *(median_text(of_posterior("at_data", p), "", 3) for p in POSTERIORS)),
            (
                "ratio",
                *(median_text(of_posterior("in_gap", p) / of_posterior("at_data", p), "", 2) for p in POSTERIORS),
            ),
        ),
        my_prediction=my_prediction,
    )


def probabilities(my_prediction: str = "") -> None:
    """What concrete dropout learns to drop."""
    _, axes = plt.subplots(figsize=(5, 3.2))
    numbers = np.unique(PROBABILITIES["number"])
    rows = []
    for noise, color, style in ((TOY_NOISE, PURPLE, "o-"), (0.0, GREEN, "s--")):
        chosen = PROBABILITIES["noise"] == noise
        values = np.stack([PROBABILITIES["p"][chosen & (PROBABILITIES["number"] == n)] for n in numbers], axis=-1)
        draw_band(axes, numbers, values, color=color, style=style, label=f"noise {noise:g}")
        rows.append((f"noise {noise:g}", *(median_text(column, "", 3) for column in values.T)))
    axes.set(xscale="log", xlabel="measurements", ylabel="probability to drop", ylim=(0, None))
    axes.minorticks_off()
    axes.set_xticks(numbers, [f"{number:.0f}" for number in numbers])
    axes.legend()
    agents = COSTS["posterior"] == "concrete dropout"
    ends = [
        f"{task} {median_text(COSTS['drop_probability'][agents & (COSTS['task'] == task)], '', 3)}" for task in TASKS
    ]
    show(
        f"The probability that concrete dropout learns, {len(np.unique(PROBABILITIES['seed']))} seeds; it starts at "
        f"0.05. Agents at the end: {', '.join(ends)}.",
        (("median [95 %]", *(f"{number:.0f} measurements" for number in numbers)), *rows),
        my_prediction=my_prediction,
    )


# Agents ---------------------------------------------------------------------------------------------------------------


def of_agents(table: dict[str, Array], task: str, posterior: str, column: str) -> Array:
    """Shape (seeds, episodes); one column where there is one number a run."""
    chosen = (table["task"] == task) & (table["posterior"] == posterior) & np.isin(table["seed"], SEEDS)
    return np.asarray(table[column][chosen].reshape(len(SEEDS), -1))


def compared(task: str) -> dict[str, dict[str, Array]]:
    """What the table shows: name -> posterior -> one number a seed."""
    last, first = (2, "last two") if task == "cartpole" else (5, "last five")
    columns: dict[str, dict[str, Array]] = {}
    for posterior in POSTERIORS:
        returns = of_agents(RUNS, task, posterior, "episode_return")
        shown = {
            "return, planned episodes 1 to 4": returns[:, 1:5].mean(axis=1),
            f"return, {first} episodes": returns[:, -last:].mean(axis=1),
            "AUROC": of_agents(CALIBRATION, task, posterior, "auroc")[:, 0],
            "spread / error, random actions": of_agents(CALIBRATION, task, posterior, "ratio_in")[:, 0],
            "spread / error, a good agent's": of_agents(CALIBRATION, task, posterior, "ratio_out")[:, 0],
            "seconds of a fit": of_agents(COSTS, task, posterior, "fit")[:, 0],
            "milliseconds of a plan": 1000 * of_agents(COSTS, task, posterior, "plan")[:, 0],
        }
        if task == "ledge":
            shown["falls, last five episodes"] = of_agents(RUNS, task, posterior, "falls")[:, -last:].mean(axis=1)
        for name, values in shown.items():
            columns.setdefault(name, {})[posterior] = values
    return columns


def agents(task: str, my_prediction: str = "") -> None:
    """Learning curves of all posteriors on one task, and everything in numbers."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), width_ratios=(1.3, 1))
    for posterior in POSTERIORS:
        returns = of_agents(RUNS, task, posterior, "episode_return")
        low, high = np.transpose([interval_of_median(column) for column in returns.T])
        episodes = np.arange(returns.shape[1])
        left.fill_between(episodes, low, high, color=COLORS[posterior], alpha=0.12, linewidth=0)
        left.plot(episodes, np.median(returns, axis=0), "o-", color=COLORS[posterior], markersize=4, label=posterior)
    left.set(xlabel="episode (0: random actions)", ylabel="return", title=f"{task}: medians and their intervals")
    left.legend(loc="lower right")
    columns = compared(task)
    for x, posterior in enumerate(POSTERIORS):
        for shift, name in ((-0.12, "spread / error, random actions"), (0.12, "spread / error, a good agent's")):
            values = columns[name][posterior]
            style = "o" if shift < 0 else "^"
            right.plot(np.full(len(values), x + shift), values, style, color=COLORS[posterior], markersize=4, alpha=0.6)
    right.axhline(1.0, color="0.6", linewidth=0.8)
    right.set(yscale="log", ylabel="spread / error", title="below 1: over-confident (dots: random, triangles: good)")
    right.minorticks_off()
    right.set_yticks((0.1, 0.2, 0.5, 1.0, 2.0), ("0.1", "0.2", "0.5", "1", "2"))
    right.set_xticks(range(len(POSTERIORS)), [posterior.replace(" ", "\n", 1) for posterior in POSTERIORS])
    show(
        f"{len(SEEDS)} agents of each kind with the same planner, the same starts and the same gradient steps.",
        (
            ("median [95 %]", *POSTERIORS),
            *((name, *(median_text(of[p], "", _digits(name)) for p in POSTERIORS)) for name, of in columns.items()),
        ),
        my_prediction=my_prediction,
    )
    show_table(
        (
            ("minus the ensemble, by seed", *POSTERIORS[1:]),
            *(
                (name, *(median_text(of[p] - of[POSTERIORS[0]], "", _digits(name)) for p in POSTERIORS[1:]))
                for name, of in columns.items()
            ),
        )
    )


def _digits(name: str) -> int:
    return 0 if name.startswith("return") else 1 if name.startswith(("milli", "falls")) else 2


def live(use_my_code: bool, student_id: str, my_prediction: str = "") -> None:
    """The curve with a gap again, with the student's functions."""
    if not use_my_code:
        print("USE_MY_CODE is False.")
        return
    (seed,) = own_seeds(student_id, 1)
    data = toy_data(NUM_TOY, TOY_NOISE, np.random.default_rng(seed))
    x, y = np.asarray(data.observation)[:, 0], np.asarray(data.next_observation - data.observation)[:, 0]
    mine: tuple[Posterior, ...] = ("Bayes by Backprop", "concrete dropout")
    _, panels = plt.subplots(1, len(mine), figsize=(7, 3.0), sharey=True)
    for axes, posterior in zip(panels, mine, strict=True):
        axes.plot(TOY_GRID, toy_answers(fit_toy(posterior, data, seed)).T, color=COLORS[posterior], linewidth=1.0)
        axes.plot(x, y, "k.", markersize=3)
        axes.set(title=f"{posterior}, mine", xlabel="x", ylim=(-1.6, 1.6))
    show(f"My own functions, seed {seed}.", my_prediction=my_prediction)
