"""The figures of the notebook what_uncertainty_means that are about detection and members (given)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from hw4.commands.jupyter import (
    Array,
    check,
    draw_band,
    find_data,
    median_text,
    read_table,
    show,
    show_table,
)
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE, VERMILION
from hw4.notebooks.what_uncertainty_means_figures import LOOKS, NUM_SEEDS, by_region, draw_points
from hw4.notebooks.what_uncertainty_means_runs import (
    EXPERIMENT,
    REGIONS,
)

DATA = find_data("what_uncertainty_means")
DETECTION = read_table(DATA / "detection.csv", texts=("arm", "against"))
BOOTSTRAP = read_table(DATA / "bootstrap.csv", texts=("sets",))
POINTS = read_table(DATA / "points.csv", texts=("region",))
NUM_NEW_SEEDS = len(np.unique(DETECTION["seed"]))
MEMBERS = np.unique(DETECTION["num_members"]).astype(int)
SCORES = {"entropy": "output entropy\nof one", "disagreement": "disagreement\nof five", "total": "both\nadded"}


def detection(score: str, *, arm: str = "resampled", num_members: int = 5, against: str = "turned or visited") -> Array:
    """The area under the ROC curve of a score, for each seed."""
    chosen = (DETECTION["arm"] == arm) & (DETECTION["num_members"] == num_members)
    return np.asarray(DETECTION[score][chosen & (DETECTION["against"] == against)])


def plain_ticks(axes: Any, *ticks: float) -> None:
    """Label a logarithmic y axis at these values alone."""
    axes.minorticks_off()
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])


def draw_ratios(axes: Any, ratios: dict[str, Array], what: str, title: str) -> None:
    """One ratio for each seed in each region, beside a line at 1."""
    for i, region in enumerate(REGIONS):
        color, style = LOOKS[region]
        draw_points(axes, i, ratios[region], style[0], color=color)
    axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    axes.set(xticks=range(len(REGIONS)), xticklabels=REGIONS, yscale="log", ylabel=what, title=title)
    axes.set_xlim(-0.4, len(REGIONS) - 0.6)
    plain_ticks(axes, 0.5, 1, 2)


def detect(my_prediction: str = "") -> None:
    """How well the entropy and the disagreement tell unvisited ground from visited ground."""
    _, (left, *panels) = plt.subplots(1, 3, figsize=(11, 3.8), width_ratios=(1.2, 1, 1))
    output_std = np.sqrt((POINTS["output_variance_x"] + POINTS["output_variance_y"]) / 2)
    for region, (color, style) in LOOKS.items():
        chosen = POINTS["region"] == region
        left.plot(
            output_std[chosen],
            np.sqrt(POINTS["disagreement"][chosen] / 2),
            style[0],
            color=color,
            markersize=3,
            alpha=0.6,
            label=region,
        )
    left.set(xscale="log", yscale="log", xlabel="output std of one network (m)", ylabel="disagreement of five (m)")
    left.set_title("one seed: held-out steps of each region")
    left.legend(loc="lower right", markerscale=2)
    for axes, unvisited in zip(panels, ("turned", "far"), strict=True):
        for i, score in enumerate(SCORES):
            for shift, visited in ((-0.14, "quiet"), (0.14, "noisy")):
                color, style = LOOKS[visited]
                label = f"against {visited} ground" if i == 0 else None
                values = detection(score, against=f"{unvisited} or {visited}")
                draw_points(axes, i + shift, values, style[0], color=color, label=label)
        axes.axhline(0.5, color="0.6", linewidth=0.8, zorder=0)
        axes.set(xticks=range(3), xticklabels=SCORES.values(), xlim=(-0.4, 2.4), ylim=(-0.03, 1.06), ylabel="AUROC")
        axes.set_title(f"{unvisited}: {NUM_NEW_SEEDS} seeds (line: a coin)")
    panels[1].legend(loc=(0.24, 0.56))
    kinds = [f"{unvisited} or {visited}" for unvisited in ("turned", "far") for visited in ("quiet", "noisy")]
    show(
        f"AUROC for {NUM_NEW_SEEDS} seeds of models fitted once: 1 is perfect, 0.5 a coin; below 0.5 the score points "
        "the wrong way.",
        (
            ("AUROC, median [95 %]", *(f"{u} or {v}" for u in ("turned", "far") for v in ("quiet", "noisy"))),
            *(
                (label.replace("\n", " "), *(median_text(detection(score, against=a), "", 2) for a in kinds))
                for score, label in SCORES.items()
            ),
            (
                "disagreement minus entropy, paired",
                *(
                    median_text(detection("disagreement", against=a) - detection("entropy", against=a), "", 2)
                    for a in kinds
                ),
            ),
        ),
        my_prediction=my_prediction,
    )


def members(my_prediction: str = "") -> None:
    """The AUROC of the disagreement against the number of members, and what resampling changes."""
    _, panels = plt.subplots(1, 3, figsize=(11, 3.7), width_ratios=(1.1, 0.8, 1.1))
    of_border = {
        (arm, m): detection("disagreement", arm=arm, num_members=m, against="border or visited")
        for arm in ("resampled", "shared")
        for m in MEMBERS
    }
    for against, arm, color, style, label in (
        ("turned or visited", "resampled", VERMILION, "^:", "turned, resampled"),
        ("border or visited", "shared", GREEN, "D--", "border, shared data"),
        ("border or visited", "resampled", PURPLE, "o-", "border, resampled"),
    ):
        values = np.stack(
            [detection("disagreement", arm=arm, num_members=m, against=against) for m in MEMBERS], axis=-1
        )
        draw_band(panels[0], MEMBERS, values, color=color, style=style, label=label)
    panels[0].set(xlabel="members", ylabel="AUROC against visited ground", xticks=MEMBERS, title="more members")
    panels[0].set_ylim(0.45, 1.03)
    panels[0].legend(loc="lower right")
    for one, other in zip(of_border["resampled", 5], of_border["shared", 5], strict=True):
        panels[1].plot([0, 1], [one, other], "o-", color="0.5", markersize=4, linewidth=0.8)
    panels[1].set(xticks=(0, 1), xticklabels=("resampled", "shared data"), xlim=(-0.4, 1.4), ylabel="AUROC, border")
    panels[1].set_ylim(0.45, 1.03)
    panels[1].set_title("five members, each seed")
    ratios = {r: by_region("resampled", "disagreement", r) / by_region("shared", "disagreement", r) for r in REGIONS}
    draw_ratios(panels[2], ratios, "resampled / shared", f"disagreement of five, {NUM_SEEDS} seeds")
    show(
        f"AUROC of the disagreement against visited ground, {NUM_NEW_SEEDS} seeds; right: {NUM_SEEDS} seeds.",
        (
            ("median [95 %], border", *(f"{m} members" for m in MEMBERS), "5 minus 2", "10 minus 5"),
            *(
                (
                    f"{arm} data",
                    *(median_text(of_border[arm, m], "", 2) for m in MEMBERS),
                    *(median_text(of_border[arm, a] - of_border[arm, b], "", 3) for a, b in ((5, 2), (10, 5))),
                )
                for arm in ("shared", "resampled")
            ),
            (
                "resampled minus shared, paired",
                *(median_text(of_border["resampled", m] - of_border["shared", m], "", 3) for m in MEMBERS),
                "",
                "",
            ),
            (
                "turned patch, resampled",
                *(median_text(detection("disagreement", num_members=m), "", 2) for m in MEMBERS),
                "",
                "",
            ),
        ),
        my_prediction=my_prediction,
    )
    show_table(
        (
            ("disagreement of five, resampled / shared", *REGIONS),
            ("median [95 %]", *(median_text(ratios[region], "", 1) for region in REGIONS)),
        )
    )


def of_sets(column: str, sets: str) -> Array:
    """One number after each episode, shape (seeds, episodes)."""
    return np.asarray(BOOTSTRAP[column][BOOTSTRAP["sets"] == sets].reshape(len(np.unique(BOOTSTRAP["seed"])), -1))


def sets(my_prediction: str = "") -> None:
    """What bootstrap sets that are kept change, against sets that are redrawn at every fit."""
    _, panels = plt.subplots(1, 3, figsize=(11, 3.7))
    set_looks = {"redrawn": (BLUE, "s-"), "kept": (ORANGE, "o--")}
    learned = np.unique(BOOTSTRAP["episode"]) + 1
    for sets, (color, style) in set_looks.items():
        draw_band(panels[0], learned, of_sets("quiet", sets), color=color, style=style, label=sets)
        draw_band(panels[2], learned, of_sets("episode_return", sets), color=color, style=style, label=sets)
    panels[0].set(xlabel="episodes seen", ylabel="disagreement (m)", yscale="log", title="on quiet ground")
    plain_ticks(panels[0], 0.005, 0.01, 0.02, 0.04)
    panels[0].legend(loc="upper right")
    kept_or_redrawn = {r: of_sets(r, "kept")[:, -1] / of_sets(r, "redrawn")[:, -1] for r in REGIONS}
    draw_ratios(panels[1], kept_or_redrawn, "disagreement, kept / redrawn", "at the end of training")
    panels[2].set(xlabel="episode", ylabel="return of the episode", title="return")
    panels[2].legend(loc="lower right")
    planned = learned > EXPERIMENT.num_initial_episodes
    returns = {sets: of_sets("episode_return", sets)[:, planned].mean(axis=1) for sets in set_looks}
    show(
        f"{len(returns['kept'])} agents of each kind: medians, bands hold all seeds. Middle: one mark per seed.",
        (
            ("paired by seed, median [95 %]", *REGIONS),
            (
                "disagreement at the end, kept / redrawn",
                *(median_text(kept_or_redrawn[region], "", 2) for region in REGIONS),
            ),
        ),
        my_prediction=my_prediction,
    )
    show_table(
        (
            ("mean return of the planned episodes", "redrawn", "kept", "kept minus redrawn"),
            (
                "median [95 %]",
                *(median_text(returns[sets], "", 1) for sets in ("redrawn", "kept")),
                median_text(returns["kept"] - returns["redrawn"], "", 1),
            ),
        )
    )


def check_entropy_and_auroc(gaussian_entropy: Callable[[Array], Array], auroc: Callable[[Array, Array], float]) -> None:
    """Test the two small functions, and say what they show of one seed."""

    def test_entropy() -> str:
        variances = np.array([[1.0, 1.0], [4.0, 0.25], [1.0, math.e**2]])
        got = np.asarray(gaussian_entropy(variances))
        assert got.shape == (3,), (
            f"variances of shape (3, 2) give shape (3,), yours is {got.shape}: sum over coordinates"
        )
        wanted = np.log(2 * np.pi * math.e) + np.array([0.0, 0.0, 1.0])
        assert np.allclose(got, wanted), (
            f"the variances {variances.tolist()} give {wanted.round(2)}, yours {got.round(2)}"
        )
        return "Two standard Gaussians have 2.84 nats."

    def test_auroc() -> str:
        got = auroc(np.array([2.0, 3.0]), np.array([1.0, 2.5, 0.0, 2.5]))
        assert np.isclose(got, 0.75), (
            f"positives 2 and 3, negatives 1, 2.5, 0 and 2.5: 6 of 8 pairs are the right way round: 0.75, not {got}"
        )
        variances = np.stack([POINTS["output_variance_x"], POINTS["output_variance_y"]], axis=-1)
        turned, visited = POINTS["region"] == "turned", np.isin(POINTS["region"], ("quiet", "noisy"))
        scores = {"output entropy": gaussian_entropy(variances), "disagreement": POINTS["disagreement"]}
        return "One seed, turned patch or visited ground: " + ", ".join(
            f"AUROC of the {name} {auroc(values[turned], values[visited]):.2f}" for name, values in scores.items()
        )

    check("gaussian_entropy", test_entropy)
    check("auroc", test_auroc)
