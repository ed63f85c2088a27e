"""The figures of the notebook uncertainty_aware that are about models, and the half-cheetah (given)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from hw4.commands.jupyter import (
    Array,
    check,
    find_data,
    interval_of_median,
    median_text,
    read_table,
    show,
    show_table,
)
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE, UNGRADED_FILE, VERMILION, read_bands
from hw4.notebooks.uncertainty_aware_runs import (
    BEST_OF,
    CEM,
    DATA_SIZES,
    MEMBERS,
    SEEN,
    SIZES,
    STRENGTHS,
    TYPICAL_SIZE,
)
from hw4.notebooks.uncertainty_aware_walks import chosen

DATA = find_data("uncertainty_aware")
GAPS = read_table(DATA / "gaps.csv", texts=("strength",))
CAPACITY = read_table(DATA / "capacity.csv", texts=("size",))
SINGLE = read_table(DATA / "single_network.csv")
MODEL_FREE = read_table(DATA / "model_free.csv", texts=("kind",))


def gap_of(**values: Any) -> Array:
    """Predicted minus true return of the chosen plans, shape (seeds,)."""
    return chosen(GAPS, "predicted", **values) - chosen(GAPS, "true", **values)


def error_bar(axes: Any, at: Any, values: list[Array], **style: Any) -> None:
    """Medians over seeds, with exact 95 % intervals."""
    medians = [np.median(v) for v in values]
    ends = np.array([interval_of_median(v) for v in values]).T
    axes.errorbar(at, medians, np.abs(ends - medians), capsize=3, markersize=5, **style)


def gaps(my_prediction: str = "") -> None:
    """The optimism gap by strength of search, by size of the data, and by number of networks."""
    _, panels = plt.subplots(1, 3, figsize=(11, 3.6), width_ratios=(1.3, 1, 1), sharey=True)
    styles = {1: (VERMILION, "o-"), 2: (ORANGE, "v-"), 5: (BLUE, "s-"), 10: (GREEN, "^-")}
    for members, (color, marker) in styles.items():
        values = [gap_of(members=members, transitions=TYPICAL_SIZE, strength=s) for s in STRENGTHS]
        shift = 0.07 * (list(styles).index(members) - 1.5)
        label = "1 network" if members == 1 else f"{members} networks"
        error_bar(panels[0], np.arange(len(STRENGTHS)) + shift, values, fmt=marker, color=color, label=label)
    panels[0].set_xticks(range(len(STRENGTHS)), [*(f"best\nof {n}" for n in BEST_OF), "CEM\n3 x 100"])
    panels[0].set(
        xlabel="search",
        ylabel="optimism gap (return over 20 steps)",
        title=f"{TYPICAL_SIZE} transitions, {len(gap_of(members=1, strength=CEM))} seeds",
    )
    panels[0].legend(loc="upper left")
    for members in (1, 5):
        color, marker = styles[members]
        values = [gap_of(members=members, transitions=n, strength=CEM) for n in DATA_SIZES]
        error_bar(panels[1], np.array(DATA_SIZES) * (0.97 if members == 1 else 1.03), values, fmt=marker, color=color)
    panels[1].set(xlabel="transitions in the data", xscale="log", title="CEM, 1 and 5 networks")
    panels[1].set_xticks(DATA_SIZES, [str(n) for n in DATA_SIZES])
    panels[1].minorticks_off()
    values = [gap_of(members=n, transitions=TYPICAL_SIZE, strength=CEM) for n in MEMBERS]
    for at, value, members in zip(range(len(MEMBERS)), values, MEMBERS, strict=True):
        panels[2].plot(np.full(len(value), at), value, ".", color="0.7")
        error_bar(panels[2], [at], [value], fmt=styles[members][1][0], color=styles[members][0])
    panels[2].set_xticks(range(len(MEMBERS)), [str(n) for n in MEMBERS])
    panels[2].set(xlabel="networks", title=f"CEM, {TYPICAL_SIZE} transitions, each seed")
    for axes in panels:
        axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    typical = {n: gap_of(members=n, transitions=TYPICAL_SIZE, strength=CEM) for n in MEMBERS}
    unsearched = gap_of(members=1, transitions=TYPICAL_SIZE, strength="best_of_1")
    by_size = {n: gap_of(members=1, transitions=n, strength=CEM) for n in DATA_SIZES}
    by_search, by_members = typical[1] - unsearched, typical[1] - typical[5]
    by_data = by_size[DATA_SIZES[-1]] - by_size[DATA_SIZES[0]]
    show(
        f"Predicted minus true return of plans on the cart-pole: medians over {len(unsearched)} seeds with exact 95 % "
        "intervals.",
        (
            ("median [exact 95 % interval]", "optimism gap"),
            ("1 network, not searched (best of 1)", median_text(unsearched, "", 2)),
            *((f"{n} network{'s' * (n > 1)}, CEM", median_text(typical[n], "", 2)) for n in MEMBERS),
            ("CEM minus not searched, 1 network", median_text(by_search, "", 2)),
            ("1 network minus 5, CEM", median_text(by_members, "", 2)),
            (
                f"{DATA_SIZES[-1]} minus {DATA_SIZES[0]} transitions, 1 network, CEM",
                median_text(by_data, "", 2),
            ),
        ),
        my_prediction=my_prediction,
    )


def of_size(column: str, size: str) -> Array:
    """One column of the networks of one size, shape (seeds, fits)."""
    return chosen(CAPACITY, column, size=size)


def apart(size: str, other: str, transitions: int) -> Array:
    """Paired difference of held-out errors after the fit to so many transitions, shape (seeds,)."""
    return np.asarray((of_size("held_out_error", size) - of_size("held_out_error", other))[:, SEEN.index(transitions)])


def capacity(my_prediction: str = "") -> None:
    """Errors of a narrow network, a wide one and five wide ones on data that grow."""
    size_looks = {
        "narrow": (VERMILION, "v-", f"one of width {SIZES['narrow']['width']}"),
        "wide": (ORANGE, "o-", f"one of width {SIZES['wide']['width']}"),
        "five_wide": (BLUE, "s-", f"five of width {SIZES['five_wide']['width']}"),
    }
    _, panels = plt.subplots(1, 3, figsize=(11, 3.7))
    held = {size: of_size("held_out_error", size) for size in SIZES}
    for i, (size, (color, style, label)) in enumerate(size_looks.items()):
        at = np.array(SEEN) * 1.06 ** (i - 1)  # a little apart
        look: dict[str, Any] = {"fmt": style, "color": color, "label": label}
        error_bar(panels[0], at, list(of_size("train_error", size).T), **look)
        error_bar(panels[1], at, list(held[size].T), **look)
        if size != "wide":
            error_bar(panels[2], at, list((held[size] / held["wide"]).T), **look)
    panels[2].axhline(1, color=ORANGE, linewidth=1)
    panels[0].set(
        ylabel="error (1: as good as expecting no change)", title="on the noisy data that they were fitted to"
    )
    panels[1].set(title="on held-out data without noise")
    panels[2].set(ylabel="held-out error / that of one wide", title="paired by seed")
    for axes in panels:
        axes.set(xscale="log", yscale="log", xlabel="transitions seen so far")
        axes.set_xticks(SEEN, [f"{n:,}" for n in SEEN])
        axes.minorticks_off()
    for axes, ticks in (
        (panels[0], (0.1, 0.2, 0.5, 1, 2)),
        (panels[1], (0.1, 0.2, 0.5, 1, 2)),
        (panels[2], (0.5, 1, 2)),
    ):
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    panels[0].sharey(panels[1])
    panels[0].legend(loc="lower right")
    comparisons = (("wide", "narrow"), ("five_wide", "wide"), ("five_wide", "narrow"))
    show(
        f"One-step errors of networks that grow with their data: medians over {len(held['wide'])} seeds, exact 95 % "
        "intervals.",
        (
            ("held-out error, median [95 %]", *(f"{n:,} transitions" for n in SEEN)),
            *(
                (label, *(median_text(values, "", 2) for values in held[size].T))
                for size, (_, _, label) in size_looks.items()
            ),
            *(
                (
                    f"{size_looks[size][2]} minus {size_looks[other][2]}",
                    *(median_text(apart(size, other, n), "", 3) for n in SEEN),
                )
                for size, other in comparisons
            ),
        ),
        my_prediction=my_prediction,
    )


BAND = read_bands(UNGRADED_FILE)["half_cheetah"]  # our recorded runs: the lowest, the median and the highest


def evaluations(seed: float) -> tuple[Array, Array]:
    """Env steps, and the mean return of SAC's deterministic policy over its starts."""
    rows = (MODEL_FREE["kind"] == "evaluation") & (MODEL_FREE["seed"] == seed)
    at = np.unique(MODEL_FREE["env_steps"][rows])
    means = [MODEL_FREE["episode_return"][rows & (MODEL_FREE["env_steps"] == env_steps)].mean() for env_steps in at]
    return at, np.array(means)


def cheetah(my_prediction: str = "") -> None:
    """The half-cheetah: our agent with one network and with five, and soft actor-critic."""
    _, axes = plt.subplots(figsize=(8.5, 4))
    axes.fill_between(BAND.env_steps, BAND.low, BAND.high, color=BLUE, alpha=0.25, linewidth=0)
    axes.plot(BAND.env_steps, BAND.median, color=BLUE, linewidth=2, label=f"after: five networks, {BAND.num_runs} runs")
    single = chosen(SINGLE, "episode_return")
    axes.fill_between(BAND.env_steps, single.min(axis=0), single.max(axis=0), color=PURPLE, alpha=0.35, linewidth=0)
    before = f"before: one network, {len(single)} runs"
    axes.plot(BAND.env_steps, np.median(single, axis=0), "--", color=PURPLE, linewidth=2, label=before)
    sac_seeds = np.unique(MODEL_FREE["seed"])
    for seed, style in zip(sac_seeds, ("-", "--", "-.", ":", "-"), strict=False):
        collected = (MODEL_FREE["kind"] == "train") & (MODEL_FREE["seed"] == seed)
        axes.plot(
            MODEL_FREE["env_steps"][collected],
            MODEL_FREE["episode_return"][collected],
            ".",
            color=VERMILION,
            alpha=0.35,
            markersize=3,
            label="SAC's training episodes" if seed == sac_seeds[0] else None,
        )
        axes.plot(*evaluations(seed), style, marker="s", color=VERMILION, markersize=4, label=f"SAC, seed {seed:.0f}")
    for level, label in ((BAND.random, "random policy"), (BAND.ceiling, "planner with the true simulator")):
        assert level is not None  # both are recorded
        axes.axhline(level, color="0.4", linewidth=0.8, linestyle=":")
        axes.text(260, level, label, color="0.3", fontsize=8, va="bottom")
    axes.set(
        xscale="log", xlim=(240, 70_000), xlabel="env steps (log scale)", ylabel="return of an episode of 250 steps"
    )
    axes.minorticks_off()
    axes.set_xticks((300, 1000, 3000, 10_000, 30_000), ("300", "1,000", "3,000", "10,000", "30,000"))
    axes.legend(loc="upper left")
    last_of_ours = float(np.mean(BAND.median[-5:]))
    same_steps = BAND.env_steps[-1]
    sac_then = [returns[at == same_steps][0] for at, returns in map(evaluations, sac_seeds) if same_steps in at]
    long_at, long_returns = max(map(evaluations, sac_seeds), key=lambda run: run[0][-1])
    ahead = long_at[long_returns > last_of_ours]
    crossing = f"{ahead[0]:,.0f} env steps" if len(ahead) else "no recorded point"
    ends = ", ".join(f"{value:.0f}" for value in single[:, -5:].mean(axis=1))
    show(
        f"Half-cheetah: {BAND.num_runs} runs with five networks, {len(single)} with one and {len(sac_seeds)} of SAC: "
        "too few for intervals.",
        (
            ("return", "env steps", "value"),
            ("one network, mean of the last five episodes", f"{same_steps:,}", ends),
            ("five networks, the median run's last five", f"{same_steps:,}", f"{last_of_ours:.0f}"),
            ("SAC's deterministic policy", f"{same_steps:,}", ", ".join(f"{value:.0f}" for value in sac_then)),
            ("SAC is first above our last level after", crossing, ""),
            ("SAC, the longest run", f"{long_at[-1]:,.0f}", f"{long_returns[-1]:.0f}"),
        ),
        my_prediction=my_prediction,
    )


def check_promised_by_best(promised_by_best: Callable[[Array], Array]) -> None:
    """Test the small function `promised_by_best`, and say what it shows of independent errors."""

    def test() -> str:
        got = promised_by_best(np.array([[[1.0, -2.0, 0.0], [-1.0, 4.0, 1.0]]]))
        assert np.shape(got) == (1,), f"one trial gives shape (1,), yours is {np.shape(got)}"
        assert np.allclose(got, [1.0]), (
            f"the members' means of the three candidates are 0, 1 and 0.5, so the best promises 1; yours gives {got}"
        )
        rng, sizes = np.random.default_rng(0), (1, 10, 100)
        show_table(
            (
                ("promised by the best of n, errors independent with std 1", *(f"n = {n}" for n in sizes)),
                *(
                    (
                        f"{members} member{'s' * (members > 1)}",
                        *(f"{promised_by_best(rng.normal(size=(2000, members, n))).mean():.2f}" for n in sizes),
                    )
                    for members in (1, 5)
                ),
            )
        )
        return "The better the search, the more it promises, although every plan is worth 0."

    check("promised_by_best", test)
