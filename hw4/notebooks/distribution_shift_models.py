"""The figures of the notebook distribution_shift that compare models, and its clinic (given)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

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
)
from hw4.commands.plots import BLUE, GREEN, PURPLE, SKY, VERMILION

DATA = find_data("distribution_shift")
CLINIC = read_table(DATA / "clinic.csv", texts=("agent",))
PLANNED = read_table(DATA / "planned.csv", texts=("model",))
PLAIN = read_table(DATA / "plain.csv", texts=("model",))
MODELS = read_table(DATA / "models.csv", texts=("model",))
MODEL_STYLE = {
    "hand_made": ("hand-made, 3 numbers", "black", "D-"),
    "linear": ("linear", PURPLE, "v-"),
    "width_64": ("network, width 64", BLUE, "o-"),
    "width_256": ("network, width 256", VERMILION, "s-"),
}
SIZES = np.unique(MODELS["size"])


def model_errors(model: str, column: str) -> Array:
    """Errors of one model, shape (seeds, sizes)."""
    return np.asarray(MODELS[column][MODELS["model"] == model].reshape(-1, len(SIZES)))


def regrets(model: str) -> Array:
    """What planning with the simulator earns more, shape (seeds,)."""
    earned = {name: PLANNED["episode_return"][PLANNED["model"] == name] for name in (model, "simulator")}
    return np.asarray(earned["simulator"] - earned[model])


def models(my_prediction: str = "") -> None:
    """Errors of four models of the cart-pole in and out of distribution, and the regret of planning with each."""
    _, panels = plt.subplots(1, 3, figsize=(11.5, 3.7), width_ratios=(1, 1, 0.9))
    for model, (label, color, style) in MODEL_STYLE.items():
        for axes, column in zip(panels, ("error_in_distribution", "error_out_of_distribution"), strict=False):
            values = model_errors(model, column)
            low, high = np.percentile(values, [10, 90], axis=0)
            axes.fill_between(SIZES, low, high, color=color, alpha=0.12, linewidth=0)
            axes.plot(SIZES, np.median(values, axis=0), style, color=color, markersize=4, label=label)
    for axes, title in zip(
        panels, ("in distribution: random actions", "out of distribution: a good policy"), strict=False
    ):
        axes.axhline(1, color="0.8", linewidth=0.8, zorder=0)
        axes.set(xscale="log", yscale="log", xlabel="transitions in the data", ylim=(0.02, 10), title=title)
        axes.set_xticks(SIZES, [f"{size:.0f}" for size in SIZES])
        axes.minorticks_off()
    panels[0].set_ylabel("error, one step (1: the mean change)")
    panels[1].legend(loc="upper right", fontsize=7)
    for i, (model, (_, color, style)) in enumerate(MODEL_STYLE.items()):
        values = regrets(model)
        panels[2].plot(values, i + np.linspace(-0.2, 0.2, len(values)), style[0], color=color, markersize=4, alpha=0.6)
        panels[2].plot([np.median(values)] * 2, [i - 0.3, i + 0.3], color=color, linewidth=2)
    panels[2].set_yticks(range(len(MODEL_STYLE)), ["hand-made", "linear", "width 64", "width 256"])
    panels[2].set(xlabel="regret (return)", title="regret of planning with it")
    panels[2].invert_yaxis()
    simulator = PLANNED["episode_return"][PLANNED["model"] == "simulator"]
    at = int(np.flatnonzero(np.nanmax(PLANNED["size"]) == SIZES)[0])  # the size that was planned with
    show(
        f"One-step errors, medians of {len(simulator)} seeds (bands: the middle 80 %), and how much less a planner "
        f"earns with each model, fitted to {SIZES[at]:.0f} transitions, than with the simulator itself.",
        (
            (
                "median [exact 95 % interval]",
                "error in distribution",
                "out of distribution",
                "regret",
                f"in distribution, {SIZES[0]:.0f} transitions",
                f"in distribution, {SIZES[-1]:.0f} transitions",
            ),
            *(
                (
                    label,
                    *(
                        median_text(model_errors(model, f"error_{where}_distribution")[:, at], digits=2)
                        for where in ("in", "out_of")
                    ),
                    median_text(regrets(model)),
                    *(median_text(model_errors(model, "error_in_distribution")[:, i], digits=2) for i in (0, -1)),
                )
                for model, (label, _, _) in MODEL_STYLE.items()
            ),
        ),
        my_prediction=my_prediction,
    )


PLAIN_STYLE = {
    "linear": ("linear", PURPLE, "v"),
    "width_16": ("width 16", SKY, "o"),
    "width_64": ("width 64", BLUE, "o"),
    "width_256": ("width 256", GREEN, "o"),
    "cubic": ("cubic", VERMILION, "s"),
}
PLAIN_COLUMNS = ("error_on_base", "error_under_plan", "regret")
PLAIN_SIZES = np.unique(PLAIN["size"][PLAIN["model"] != "true"])


def on_the_plain(column: str, model: str, size: float) -> Array:
    """One column of one model, shape (seeds,)."""
    return np.asarray(PLAIN[column][(PLAIN["model"] == model) & (PLAIN["size"] == size)])


def plain_regret(model: str, size: float) -> Array:
    """What planning with the true model earns more, shape (seeds,)."""
    true = PLAIN["episode_return"][PLAIN["model"] == "true"]
    return np.asarray(true - on_the_plain("episode_return", model, size))


def against(model: str, other: str, size: float) -> list[str]:
    """Paired differences of two models in all three columns."""
    differences = [on_the_plain(c, model, size) - on_the_plain(c, other, size) for c in PLAIN_COLUMNS[:2]]
    differences.append(plain_regret(model, size) - plain_regret(other, size))
    digits = (3, 2, 0)
    return [median_text(d, "", n) for d, n in zip(differences, digits, strict=True)]


def plain(my_prediction: str = "") -> None:
    """Five classes of models on the windy plain: errors where the data are and under the plan, and regret."""
    _, panels = plt.subplots(1, 3, figsize=(11, 3.4), sharey=True)
    for axes, column in zip(panels, PLAIN_COLUMNS, strict=True):
        for row, (model, (_, color, marker)) in enumerate(PLAIN_STYLE.items()):
            for size, shift, filled in zip(PLAIN_SIZES, (-0.13, 0.13), (False, True), strict=True):
                values = plain_regret(model, size) if column == "regret" else on_the_plain(column, model, size)
                at = row + shift
                axes.plot(interval_of_median(values), [at, at], color=color, linewidth=2)
                axes.plot(
                    np.median(values),
                    at,
                    marker,
                    color=color,
                    markerfacecolor=color if filled else "white",
                    label=f"{size:.0f} transitions" if row == 0 else None,
                )
        axes.set_yticks(range(len(PLAIN_STYLE)), [label for label, _, _ in PLAIN_STYLE.values()])
    panels[0].set(xlabel="held-out base data, error (m)", xlim=(0, None))
    panels[1].set(xlabel="under the plan, error (m)", xscale="log")
    panels[1].set_xticks((0.1, 0.2, 0.5, 1, 2), ("0.1", "0.2", "0.5", "1", "2"))
    panels[1].minorticks_off()
    panels[2].set(xlabel="regret (return)")
    panels[0].invert_yaxis()
    panels[2].legend(loc="upper right")
    show(
        f"The windy plain, {len(plain_regret('linear', PLAIN_SIZES[0]))} seeds: medians with exact 95 % intervals; "
        f"hollow {PLAIN_SIZES[0]:.0f} transitions, filled {PLAIN_SIZES[1]:.0f}.",
        (
            ("paired by seed, median [95 %]", "transitions", "error on base (m)", "error under the plan (m)", "regret"),
            *(
                (f"{PLAIN_STYLE[model][0]} minus {PLAIN_STYLE[other][0]}", f"{size:.0f}", *against(model, other, size))
                for model, other in (*((m, "linear") for m in PLAIN_STYLE if m != "linear"), ("width_256", "width_16"))
                for size in PLAIN_SIZES
            ),
        ),
        my_prediction=my_prediction,
    )


CLINIC_STYLE = {"healthy": ("black", "o-"), "A": (BLUE, "s-"), "B": (VERMILION, "^-"), "C": (GREEN, "v-")}
CLINIC_EPISODES = np.unique(CLINIC["episode"])


def in_clinic(agent: str, column: str) -> Array:
    """One column of the clinic's records, shape (seeds, episodes)."""
    values: Array = CLINIC[column][CLINIC["agent"] == agent]
    return values.reshape(-1, len(CLINIC_EPISODES))


def clinic(my_prediction: str = "") -> None:
    """Learning curve, model error and optimism gap of a healthy agent and of three ill ones."""
    _, panels = plt.subplots(1, 3, figsize=(11.5, 3.6), sharex=True)
    for agent, (color, style) in CLINIC_STYLE.items():
        for axes, column in zip(panels, ("episode_return", "model_error", "optimism_gap"), strict=True):
            values = in_clinic(agent, column)
            axes.plot(CLINIC_EPISODES + 1, values.T, color=color, linewidth=0.5, alpha=0.5)
            median = np.median(values, axis=0)
            axes.plot(CLINIC_EPISODES + 1, median, style, color=color, linewidth=2, markersize=4, label=agent)
    for axes, title in zip(panels, ("learning curve", "model error, one step", "optimism gap"), strict=True):
        axes.set(xlabel="episode (100 env steps each)", xticks=CLINIC_EPISODES + 1, title=title)
    panels[0].set_ylabel("return of the episode")
    panels[1].set(ylabel="error (1: expecting no change)", yscale="log")
    panels[2].set_ylabel("reward per step, promised minus earned")
    panels[2].axhline(0, color="0.8", linewidth=0.8, zorder=0)
    panels[0].legend(loc="upper left")
    num_runs = len(in_clinic("healthy", "episode_return"))
    show(
        f"A healthy agent and three ill ones, {num_runs} runs each (thin lines) and their medians.",
        (
            ("median", "last return", "model error, second episode", "model error, last", "optimism gap, last"),
            *(
                (
                    agent,
                    f"{np.median(in_clinic(agent, 'episode_return')[:, -1]):.0f}",
                    *(f"{np.median(in_clinic(agent, 'model_error')[:, i]):.2f}" for i in (1, -1)),
                    f"{np.median(in_clinic(agent, 'optimism_gap')[:, -1]):.2f}",
                )
                for agent in CLINIC_STYLE
            ),
        ),
        my_prediction=my_prediction,
    )


# What each illness would look like, and which agent has which (hashed: the answer is the student's).
SYMPTOMS = {
    "fits once": "the model would be as good as the healthy one's at first, and would stop improving",
    "not un-normalised": "the model would be worse than expecting no change from its first prediction on",
    "last action": "the model would become good and promise no more than its plans earn; only the return would suffer",
    "tiny network": "the model would improve a little with data, and then err more than the healthy one's",
}
HASHES = {"A": "247d5ec663d25f42", "B": "b2636dc7a2ebac85", "C": "325035282dbf3b59"}


def check_diagnosis(diagnosis: Callable[[], dict[str, str]]) -> None:
    """Say of each agent whether the diagnosis is right, and if not, what would be seen if it were."""

    def test() -> str:
        illnesses = diagnosis()
        assert set(illnesses) == set(HASHES), f"give an illness of each of A, B and C, got {sorted(illnesses)}"
        for agent, illness in sorted(illnesses.items()):
            assert illness in SYMPTOMS, f"{agent}: {illness!r} is none of {', '.join(map(repr, SYMPTOMS))}"
            right = hashlib.sha256(f"{agent}: {illness}".encode()).hexdigest()[:16] == HASHES[agent]
            assert right, f"{agent} is not ill with {illness!r}: {SYMPTOMS[illness]}. Look at {agent} again"
        return "All three are right."

    check("diagnosis", test)
