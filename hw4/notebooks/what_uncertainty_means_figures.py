"""The figures of the notebook what_uncertainty_means, but for those about detection (given)."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.patches import Circle

from hw4.commands.jupyter import (
    Array,
    draw_band,
    draw_mine,
    find_data,
    median_text,
    own_seeds,
    read_table,
    show,
    show_table,
    train_live,
)
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from hw4.envs.noisy_field import (
    ARENA,
    NOISE_STD,
    NOISY_CENTER,
    NOISY_RADIUS,
    TURNED_CENTER,
    TURNED_RADIUS,
)
from hw4.notebooks.what_uncertainty_means_runs import (
    EXPERIMENT,
    FAR_CENTER,
    FAR_RADIUS,
    REGIONS,
    held_out_points,
)


def by_region(arm: str, column: str, region: str) -> Array:
    """One number for each seed of the models that are fitted once."""
    return np.asarray(REGION_TABLE[column][(REGION_TABLE["arm"] == arm) & (REGION_TABLE["region"] == region)])


def draw_points(axes: Any, x: float, values: Array, marker: str, *, color: str, label: str | None = None) -> None:
    """One number of every seed above x, small, and their median, large."""
    axes.plot(np.full(len(values), x), values, marker, color=color, markersize=4, alpha=0.5)
    axes.plot(x, np.median(values), marker, color=color, markersize=9, markeredgecolor="black", label=label)


DATA = find_data("what_uncertainty_means")
REGION_TABLE = read_table(DATA / "regions.csv", texts=("arm", "region"))
CURVES = read_table(DATA / "curves.csv", texts=("region",))
NUM_SEEDS = len(np.unique(REGION_TABLE["seed"]))
NUM_LEARNING_SEEDS = len(np.unique(CURVES["seed"]))
EPISODE_NUMBERS = np.unique(CURVES["episode"]) + 1
LOOKS = {"quiet": (BLUE, "o-"), "noisy": (ORANGE, "s--"), "turned": (VERMILION, "^-."), "far": (GREEN, "D:")}


def draw_map(axes: Any, when: str, column: str, limits: tuple[float, float]) -> Any:
    """One quantity over the field, with the visited states and the patches."""
    chosen = MAPS["when"] == when
    side = int(np.sqrt(chosen.sum()))
    x, y, values = (MAPS[name][chosen].reshape(side, side) for name in ("x", "y", column))
    image = axes.pcolormesh(x, y, values, norm=LogNorm(*limits), cmap="viridis", shading="nearest", rasterized=True)
    until = VISITED["episode"] < EXPERIMENT.num_initial_episodes if when == "first" else VISITED["episode"] >= 0
    axes.plot(VISITED["x"][until], VISITED["y"][until], ".", color="white", markersize=1.5, alpha=0.8)
    for center, radius, style in (
        (NOISY_CENTER, NOISY_RADIUS, "-"),
        (TURNED_CENTER, TURNED_RADIUS, "-"),
        (FAR_CENTER, FAR_RADIUS, ":"),
    ):
        axes.add_patch(Circle(center, radius, fill=False, edgecolor="white", linestyle=style, linewidth=1.5))
    axes.set(xlim=(-ARENA, ARENA), ylim=(-ARENA, ARENA), aspect="equal", ylabel="y (m)")
    return image


MAPS = read_table(DATA / "maps.csv", texts=("when",))
VISITED = read_table(DATA / "visited.csv")


def over_episodes(column: str, region: str) -> Array:
    """One number after each episode, shape (seeds, episodes)."""
    return np.asarray(CURVES[column][CURVES["region"] == region].reshape(NUM_LEARNING_SEEDS, -1))


def learning(my_prediction: str = "") -> None:
    """The two numbers and the error over the episodes of agents that learn, by region."""
    _, panels = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True)
    for axes, column, title in zip(
        panels,
        ("output_std", "disagreement", "error"),
        ("output std", "disagreement", "error of the members' average"),
        strict=True,
    ):
        for region, (color, style) in LOOKS.items():
            draw_band(axes, EPISODE_NUMBERS, over_episodes(column, region), color=color, style=style, label=region)
        axes.axhline(NOISE_STD, color="0.6", linewidth=0.8, zorder=0)
        axes.set(xlabel=f"episodes seen ({EXPERIMENT.task.episode_length} env steps each)", yscale="log", title=title)
    panels[0].set_ylabel("of the next position (m)")
    panels[0].text(EPISODE_NUMBERS[0], 3.3 * NOISE_STD, "line: true noise in the noisy patch", fontsize=7, color="0.35")
    panels[2].legend(loc="lower left", ncols=2, fontsize=7)
    noisy_end = over_episodes("output_std", "noisy")[:, -1]
    unaware = noisy_end < NOISE_STD / 2
    noisy_steps = over_episodes("noisy_steps", "noisy")[:, 0]
    turned = over_episodes("disagreement", "turned")
    show(
        f"{NUM_LEARNING_SEEDS} agents that learn: medians, bands hold all. Grey: the true noise of the noisy patch.",
        (
            ("median [exact 95 % interval]", "base policy's data", "end of training"),
            ("disagreement, turned patch", median_text(turned[:, 0], " m", 3), median_text(turned[:, -1], " m", 3)),
            ("what is left of it, by seed", "", median_text(100 * turned[:, -1] / turned[:, 0], " %")),
            (
                f"output std, noisy patch (truth {NOISE_STD} m)",
                median_text(over_episodes("output_std", "noisy")[:, 0], " m", 3),
                median_text(noisy_end, " m", 3),
            ),
            ("agents that end below half the true noise", "", f"{unaware.sum()} of {NUM_LEARNING_SEEDS}"),
            (
                "their noisy steps in the first data, and the others'",
                f"{', '.join(str(int(n)) for n in np.sort(noisy_steps[unaware]))}; "
                f"{noisy_steps[~unaware].min():.0f} to {noisy_steps[~unaware].max():.0f}",
                f"all at least {over_episodes('noisy_steps', 'noisy')[:, -1].min():.0f}",
            ),
        ),
        my_prediction=my_prediction,
    )


def fails(my_prediction: str = "") -> None:
    """What the intervals hold, disagreement against error, and a hole in the data."""
    _, panels = plt.subplots(1, 3, figsize=(11, 3.6))
    x = np.arange(len(REGIONS))
    for shift, column, color, marker, label in (
        (-0.15, "coverage_output", SKY, "o", "one network"),
        (0.15, "coverage_total", PURPLE, "s", "five, both parts"),
    ):
        for i, region in enumerate(REGIONS):
            values = 100 * by_region("resampled", column, region)
            draw_points(panels[0], i + shift, values, marker, color=color, label=None if i else label)
    panels[0].axhline(95, color="0.6", linewidth=0.8, zorder=0)
    panels[0].set(xticks=x, xticklabels=REGIONS, ylim=(0, 105), ylabel="% of steps inside", title="95 % intervals")
    panels[0].legend(loc="lower left", fontsize=7)
    for region, (color, style) in LOOKS.items():
        error, disagreement = by_region("resampled", "error", region), by_region("resampled", "disagreement", region)
        panels[1].plot(disagreement, error, style[0], color=color, markersize=5, alpha=0.8, label=region)
    panels[1].plot([0.0005, 0.3], [0.0005, 0.3], color="0.6", linewidth=0.8, zorder=0)
    panels[1].set(xscale="log", yscale="log", xlabel="disagreement of five (m)", ylabel="error of their average (m)")
    panels[1].set_title("line: as large as the error")
    panels[1].legend(loc="upper left", fontsize=7)
    quantities = (("output_std", "output std"), ("disagreement", "disagreement"))
    for shift, arm, color, marker, label in (
        (-0.15, "resampled", ORANGE, "s", "with data there"),
        (0.15, "hole", VERMILION, "X", "without"),
    ):
        for i, (column, _) in enumerate(quantities):
            values = by_region(arm, column, "noisy")
            draw_points(panels[2], i + shift, values, marker, color=color, label=None if i else label)
    panels[2].axhline(NOISE_STD, color="0.6", linewidth=0.8, zorder=0)
    panels[2].set(
        xticks=(0, 1), xticklabels=[words for _, words in quantities], yscale="log", ylabel="in the noisy patch (m)"
    )
    panels[2].set(xlim=(-0.5, 1.5), title="a hole in the data (line: truth)")
    panels[2].legend(loc="lower left", fontsize=7)
    total = {region: 100 * by_region("resampled", "coverage_total", region) for region in REGIONS}
    show(
        f"{NUM_SEEDS} seeds of models fitted once, one mark each; large marks are medians.",
        (
            ("median [exact 95 % interval]", *REGIONS),
            ("steps inside the 95 % intervals of five", *(median_text(total[region], " %") for region in REGIONS)),
            (
                "error / disagreement of five",
                *(
                    median_text(by_region("resampled", "error", r) / by_region("resampled", "disagreement", r), "", 1)
                    for r in REGIONS
                ),
            ),
        ),
        my_prediction=my_prediction,
    )
    show_table(
        (
            ("in the noisy patch, median [95 %]", "output std", "disagreement", "steps inside the 95 % intervals"),
            *(
                (
                    label,
                    *(median_text(1000 * by_region(arm, c, "noisy"), " mm", 1) for c in ("output_std", "disagreement")),
                    median_text(100 * by_region(arm, "coverage_total", "noisy"), " %"),
                )
                for arm, label in (("resampled", "with data there"), ("hole", "without"))
            ),
        )
    )


def variance(my_prediction: str = "") -> None:
    """What number four fits offer in each region, next to the truth."""
    _, panels = plt.subplots(1, 4, figsize=(11, 3.2), sharey=True)
    for axes, arm, column, title in zip(
        panels,
        ("squared_error", "resampled", "resampled", "few"),
        ("disagreement", "output_std", "disagreement", "disagreement"),
        (
            "squared error, five:\ndisagreement",
            "Gaussian, one:\noutput std",
            "Gaussian, five:\ndisagreement",
            "Gaussian, five, little data:\ndisagreement",
        ),
        strict=True,
    ):
        for i, region in enumerate(REGIONS):
            color, style = LOOKS[region]
            values, errors = by_region(arm, column, region), by_region(arm, "error", region)
            draw_points(axes, i - 0.12, values, style[0], color=color)
            axes.plot(i + 0.2, np.median(errors), "_", color="black", markersize=12, label=None if i else "its error")
        axes.plot(1, NOISE_STD, "*", color="black", markersize=9, label="the noise", linestyle="none")
        axes.set(xticks=range(len(REGIONS)), xticklabels=REGIONS, yscale="log", title=title)
    panels[0].set_ylabel("of the next position (m)")
    panels[0].legend(loc="lower right", fontsize=7)
    show(
        f"{NUM_SEEDS} seeds, one mark each. Star: the true noise, {NOISE_STD} m in the noisy patch, 0 elsewhere. Dash: "
        "the error.",
        (
            ("median [exact 95 % interval] (m)", *REGIONS),
            *(
                (label, *(median_text(by_region(arm, column, region), "", 3) for region in REGIONS))
                for arm, column, label in (
                    ("squared_error", "disagreement", "squared error, five: disagreement"),
                    ("resampled", "output_std", "Gaussian, one: output std"),
                    ("resampled", "disagreement", "Gaussian, five: disagreement"),
                    ("few", "disagreement", "Gaussian, five, little data: disagreement"),
                    ("resampled", "error", "Gaussian, five: error"),
                )
            ),
        ),
        my_prediction=my_prediction,
    )


PARTICLES = read_table(DATA / "particles.csv", texts=("scheme",))


def spread_of(scheme: str, *, noise: bool) -> Array:
    """The spread of the particles after each step (m), shape (seeds, steps)."""
    return np.asarray(
        PARTICLES["spread"][(PARTICLES["scheme"] == scheme) & (PARTICLES["noise"] == noise)].reshape(NUM_SEEDS, -1)
    )


def spread(my_prediction: str = "") -> None:
    """How far apart the particles of TS-infinity and of TS1 are along an imagined plan."""
    _, panels = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True)
    plan_steps = np.arange(1, 21)
    for axes, noise, title in (
        (panels[0], False, "members' means only"),
        (panels[1], True, "means and predicted noise"),
    ):
        draw_band(axes, plan_steps, spread_of("ts_inf", noise=noise), color=VERMILION, style="-", label="TS-infinity")
        draw_band(axes, plan_steps, spread_of("ts1", noise=noise), color=BLUE, style="--", label="TS1")
        axes.set(xlabel="env steps imagined", title=title, xticks=(1, 5, 10, 15, 20))
    draw_band(panels[1], plan_steps, spread_of("real", noise=True), color="black", style=":", label="real")
    panels[0].set_ylabel("spread of the particles' positions (m)")
    panels[1].legend(loc="upper left")
    ratio = spread_of("ts1", noise=False)[:, -1] / spread_of("ts_inf", noise=False)[:, -1]
    ratio_with_noise = spread_of("ts1", noise=True)[:, -1] / spread_of("ts_inf", noise=True)[:, -1]
    show(
        f"How far apart the particles are, {NUM_SEEDS} seeds of models fitted once: medians, bands hold all seeds.",
        (
            ("after 20 steps, median [95 %]", "members' means only", "with predicted noise"),
            *(
                (label, *(median_text(spread_of(scheme, noise=noise)[:, -1], " m", 2) for noise in (False, True)))
                for scheme, label in (("ts_inf", "TS-infinity"), ("ts1", "TS1"))
            ),
            ("TS1 / TS-infinity, by seed", median_text(100 * ratio, " %"), median_text(100 * ratio_with_noise, " %")),
            ("real", "", median_text(spread_of("real", noise=True)[:, -1], " m", 2)),
        ),
        my_prediction=my_prediction,
    )


def maps(when: str, title: str) -> None:
    """Output std and disagreement over the field, "first" after the base policy's data or "last" after training."""
    figure, panels = plt.subplots(1, 2, figsize=(10.5, 4.4), sharey=True)
    for axes, column, words in (
        (panels[0], "output_std", "one network: what it calls noise"),
        (panels[1], "disagreement", "five networks: how much they disagree"),
    ):
        image = draw_map(axes, when, column, (0.001, 0.5))
        axes.set(xlabel="x (m)", title=f"{words}\n{title}")
    figure.colorbar(image, ax=panels, label="std of the next position (m), logarithmic", shrink=0.8)


def first_picture() -> None:
    """The two maps after the base policy's data."""
    maps("first", "after the base policy's data")
    show(
        f"One agent's field from above. White dots: the visited states. White circles: on the left every step is noisy "
        f"({NOISE_STD} m), on the right every move is turned, and nobody has been there; dotted: ordinary, unvisited."
    )


def trained_maps(my_prediction: str = "") -> None:
    """The two maps at the end of training."""
    maps("last", "at the end of training")
    show(
        f"The same agent's maps at the end of training. The true noise is {NOISE_STD} m in the left circle and 0 "
        "elsewhere.",
        my_prediction=my_prediction,
    )


def live(use_my_code: bool, student_id: str, num_seeds: int, env_steps: int, my_prediction: str = "") -> None:
    """Train the student's agent, and draw its two uncertainties over the recorded ones."""
    seeds = own_seeds(student_id, num_seeds) if use_my_code else ()
    mine = [_uncertainties(seed, env_steps) for seed in seeds]
    _, panels = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True)
    for axes, region, column, title in (
        (panels[0], "noisy", "output_std", "noisy patch: aleatoric"),
        (panels[1], "turned", "disagreement", "turned patch: epistemic"),
    ):
        color, style = LOOKS[region]
        recorded = over_episodes(column, region)
        draw_band(axes, EPISODE_NUMBERS, recorded, color=color, style=style, label="recorded, all seeds")
        draw_mine(axes, EPISODE_NUMBERS, [stds[region] for stds in mine])
        axes.set(xlabel="episodes seen", yscale="log", title=title)
        axes.legend(loc="upper right" if region == "turned" else "lower right")
    panels[0].set_ylabel("standard deviation (m)")
    show(
        "Recorded uncertainties" + (", and mine, one black line per seed." if mine else ". USE_MY_CODE is False."),
        (
            ("last values", "noisy patch, aleatoric", "turned patch, epistemic"),
            (
                "recorded, median [95 %]",
                median_text(over_episodes("output_std", "noisy")[:, -1], " m", 3),
                median_text(over_episodes("disagreement", "turned")[:, -1], " m", 3),
            ),
            *(("mine", *(f"{stds[r][-1]:.3f} m" for r in ("noisy", "turned"))) for stds in mine if stds["noisy"]),
        ),
        my_prediction=my_prediction,
    )


def _uncertainties(seed: int, env_steps: int) -> dict[str, list[float]]:
    """Aleatoric std in the noisy patch and epistemic std in the turned one (m) of my agent, after each episode."""
    import torch

    from hw4.agents import build_agent_and_parts
    from hw4.ensemble import decompose_uncertainty
    from hw4.gaussian_model import GaussianDynamicsModel

    points = held_out_points(seed)
    agent, parts = build_agent_and_parts(EXPERIMENT, seed)
    assert isinstance(parts.model, GaussianDynamicsModel)
    stds: dict[str, list[float]] = {"noisy": [], "turned": []}
    for _ in train_live(EXPERIMENT, agent, seed=seed, env_steps=env_steps, name="noisy field"):
        if len(agent.replay) < EXPERIMENT.initial_steps:
            continue
        for kind, (region, of_region) in enumerate(stds.items()):
            inputs = (points[region].observations, points[region].actions)
            with torch.no_grad():
                distribution = parts.model.predict_distribution(*(torch.from_numpy(v).float() for v in inputs))
                of_region.append(float(decompose_uncertainty(*distribution)[kind].mean().sqrt()))
    return stds
