"""The figures of the notebook mppi (given)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from hw4.commands.jupyter import (
    Array,
    find_data,
    interval_of_median,
    median_text,
    own_seeds,
    read_table,
    show,
    train_live,
)
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE
from hw4.notebooks.mppi_runs import (
    BETA,
    BETAS,
    CANDIDATES,
    COMPARED_AT,
    ENSEMBLE,
    KAPPA,
    KAPPAS,
    Way,
    by_seed,
    in_comparison,
    plan_an_episode,
)


def of_seeds(way: Way, column: str = "episode_return") -> Array:
    """The recorded runs of one way of planning, one number a seed, shape (seeds,)."""
    return by_seed(PLANS, way, column)


DATA = find_data("mppi")
PLANS = read_table(DATA / "plans.csv", texts=("planner",))
NOISE = read_table(DATA / "noise.csv")
SEEDS = np.unique(PLANS["seed"])
LOOKS = {0.2: (PURPLE, "v--"), 0.5: (GREEN, "o-"), 1.0: (BLUE, "s:")}


def filtered_noise(my_prediction: str = "") -> None:
    """The filter's standard deviation without rescaling, and one candidate's noise after it."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
    first_and_last = {}
    for beta, (color, style) in LOOKS.items():
        keep = 1 - beta
        horizon = np.arange(ENSEMBLE.horizon)
        std = beta * np.sqrt((1 - keep ** (2 * (horizon + 1))) / (1 - keep**2))
        first_and_last[beta] = (std[0], std[-1])
        left.plot(horizon, std, style, color=color, markersize=4, label=f"beta = {beta:g}")
        chosen = (NOISE["beta"] == beta) & (NOISE["step"] < ENSEMBLE.horizon)
        right.plot(
            NOISE["step"][chosen], NOISE["filtered"][chosen], style, color=color, markersize=3, label=f"{beta:g}"
        )
    left.set(
        xlabel="step of the plan",
        ylabel="standard deviation",
        ylim=(0, 1.1),
        title="PDDM's filter, not rescaled",
    )
    for axes in (left, right):
        axes.set_xticks(range(0, ENSEMBLE.horizon, 5))
    left.legend(loc="center right", bbox_to_anchor=(1, 0.71))
    right.set(xlabel="step of the plan", ylabel="noise", ylim=(-2.5, 3.2), title="one candidate, rescaled")
    right.legend(title="beta", loc="upper center", ncols=3)
    show(
        "Noise along a plan. Left: the standard deviation of each step without rescaling. Right: one candidate's noise "
        "after it.",
        (
            ("not rescaled", "std of the first step", "of the last"),
            *((f"beta = {beta:g}", f"{first:.2f}", f"{last:.2f}") for beta, (first, last) in first_and_last.items()),
        ),
        my_prediction=my_prediction,
    )


PLANNERS = {
    "random_shooting": ("random shooting", BLUE, "s--"),
    "cem": ("CEM", ORANGE, "^-."),
    "mppi": (f"MPPI, kappa {KAPPA:g}, beta {BETA:g}", GREEN, "o-"),
}


def budgets(my_prediction: str = "") -> None:
    """Return and processor time of three planners against the number of candidates."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    for axes, column in ((left, "episode_return"), (right, "milliseconds")):
        for planner, (label, color, style) in PLANNERS.items():
            values = np.array([of_seeds(in_comparison(planner, n), column) for n in CANDIDATES])
            intervals = np.array([interval_of_median(of_planner) for of_planner in values])
            axes.fill_between(CANDIDATES, *intervals.T, color=color, alpha=0.2, linewidth=0)
            axes.plot(CANDIDATES, np.median(values, axis=1), style, color=color, markersize=5, label=label)
        axes.set(xlabel="candidates in a control step", xscale="log", xticks=CANDIDATES, xticklabels=CANDIDATES)
        axes.minorticks_off()
    left.set(ylabel="return of an episode", ylim=(40, 90), title="how well it controls")
    left.legend(loc="lower right")
    right.set(ylabel="processor time of an action (ms)", ylim=(0, None), title="how long it takes")

    def paired(one: str, other: str) -> tuple[str, ...]:
        ways = [(in_comparison(one, n), in_comparison(other, n)) for n in CANDIDATES]
        return tuple(median_text(of_seeds(a) - of_seeds(b), "", 1) for a, b in ways)

    milliseconds = {p: [of_seeds(in_comparison(p, n), "milliseconds") for n in CANDIDATES] for p in PLANNERS}
    ratios = [cem / mppi for cem, mppi in zip(milliseconds["cem"], milliseconds["mppi"], strict=True)]
    show(
        f"Medians over {len(SEEDS)} ensembles; the bands are their exact 95 % intervals.",
        (
            ("median [95 %]", *(f"{n} candidates" for n in CANDIDATES)),
            *(
                (f"return, {label}", *(median_text(of_seeds(in_comparison(planner, n))) for n in CANDIDATES))
                for planner, (label, _, _) in PLANNERS.items()
            ),
            ("MPPI minus random shooting, by seed", *paired("mppi", "random_shooting")),
            ("MPPI minus CEM, by seed", *paired("mppi", "cem")),
            ("time of an action, CEM / MPPI", *(median_text(ratio, "", 1) for ratio in ratios)),
        ),
        my_prediction=my_prediction,
    )


def kappa(my_prediction: str = "") -> None:
    """Returns of MPPI for several kappa and beta."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True, width_ratios=(2, 1))
    kappas = {kappa: of_seeds(Way("mppi", COMPARED_AT, kappa, BETA)) for kappa in KAPPAS}
    betas = {beta: of_seeds(Way("mppi", COMPARED_AT, KAPPA, beta)) for beta in BETAS}
    for axes, returns, name in ((left, kappas, "kappa"), (right, betas, "beta")):
        for x, values in returns.items():
            axes.plot(np.full(len(values), x), values, ".", color="0.75", markersize=4, zorder=0)
        medians = np.array([np.median(values) for values in returns.values()])
        reach = np.abs(np.array([interval_of_median(values) for values in returns.values()]).T - medians)
        axes.errorbar(list(returns), medians, reach, fmt="o-", color=GREEN, capsize=3, markersize=5)
        axes.set(xlabel=name, ylim=(0, 90))
    left.axhline(np.median(of_seeds(Way("random_shooting", COMPARED_AT))), color=BLUE, linestyle="--", zorder=0)
    left.text(
        1.2, np.median(of_seeds(Way("random_shooting", COMPARED_AT))) - 6, "random shooting", color=BLUE, fontsize=7
    )
    left.set(ylabel="return of an episode", xscale="log", title=f"beta = {BETA:g}")
    left.set(xticks=KAPPAS, xticklabels=[f"{kappa:g}" for kappa in KAPPAS])
    left.minorticks_off()
    right.set(xticks=BETAS, xticklabels=[f"{beta:g}" for beta in BETAS], title=f"kappa = {KAPPA:g}")
    show(
        "Return of an episode: one grey dot per seed, the median with its exact 95 % interval in green.",
        (
            ("median [95 %]", "return", "minus the usual, by seed"),
            *(
                (
                    f"{name} = {value:g}",
                    median_text(values),
                    "the usual" if value == usual else median_text(values - returns[usual], "", 1),
                )
                for name, returns, usual in (("kappa", kappas, KAPPA), ("beta", betas, BETA))
                for value, values in returns.items()
            ),
        ),
        my_prediction=my_prediction,
    )


LIVE_CANDIDATES = 30


def live(use_my_code: bool, student_id: str, num_seeds: int, env_steps: int, my_prediction: str = "") -> None:
    """Train the student's ensemble, plan one episode with each planner, and draw it among the recorded ones."""
    mine: dict[str, list[float]] = {planner: [] for planner in PLANNERS}
    for seed in own_seeds(student_id, num_seeds) if use_my_code else ():
        from hw4.agents import build_agent_and_parts

        agent, parts = build_agent_and_parts(ENSEMBLE, seed)
        for _ in train_live(ENSEMBLE, agent, seed=seed, env_steps=env_steps, name="ensemble"):
            pass
        for planner in PLANNERS:
            episode_return, _ = plan_an_episode(parts.model, in_comparison(planner, LIVE_CANDIDATES), seed, start=seed)
            mine[planner].append(episode_return)
    _, axes = plt.subplots(figsize=(6.5, 3.6))
    for x, (planner, (_, color, _)) in enumerate(PLANNERS.items()):
        values = of_seeds(in_comparison(planner, LIVE_CANDIDATES))
        axes.plot(x + np.linspace(-0.15, 0.15, len(values)), values, ".", color=color, markersize=5)
        axes.plot([x - 0.2, x + 0.2], [np.median(values)] * 2, color=color, linewidth=2)
        for episode_return in mine[planner]:
            axes.plot([x - 0.3, x + 0.3], [episode_return] * 2, color="black", linewidth=1.2)
    axes.set(xticks=range(len(PLANNERS)), xticklabels=["random shooting", "CEM", "MPPI"], ylabel="return of an episode")
    axes.set_title(f"{LIVE_CANDIDATES} candidates: recorded (dots), mine (black lines)")
    show(
        f"Returns with {LIVE_CANDIDATES} candidates, one dot per recorded seed"
        + ("; mine are the black lines." if use_my_code else ". USE_MY_CODE is False."),
        (
            ("return of an episode", "recorded, median [95 %]", "mine"),
            *(
                (
                    PLANNERS[planner][0],
                    median_text(of_seeds(in_comparison(planner, LIVE_CANDIDATES))),
                    ", ".join(f"{value:.0f}" for value in values),
                )
                for planner, values in mine.items()
            ),
        ),
        my_prediction=my_prediction,
    )
