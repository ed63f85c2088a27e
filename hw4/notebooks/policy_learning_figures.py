"""The figures of the notebook policy_learning (given)."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np

from hw4.commands.jupyter import Array, find_data, interval_of_median, own_seeds, read_table, show
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE
from hw4.notebooks.policy_learning_runs import (
    ARMS,
    AT,
    CONTROL,
    GOOD,
    HORIZONS,
    PLANNER_NAME,
    at,
    first_time,
    race,
    target_errors,
    weights_where,
)

RUNS = read_table(find_data("policy_learning") / "race.csv", texts=("arm",))
SEEDS = np.unique(RUNS["seed"])
LEARNERS = tuple(arm for arm in ARMS if arm != PLANNER_NAME)
COLORS = dict(zip(ARMS, ("0.6", "0.2", "#8c564b", "#c05080", ORANGE, GREEN, PURPLE, BLUE), strict=True))


def of_run(arm: str, seed: int, column: str) -> Array:
    """A column of one recorded run, in the order of env steps."""
    return np.asarray(RUNS[column][(RUNS["arm"] == arm) & (RUNS["seed"] == seed)])


def when_good(arm: str, column: str) -> Array:
    """Env steps or seconds to a return of GOOD, one number a seed; infinite where it is not reached."""
    return np.array([first_time(of_run(arm, s, column), of_run(arm, s, "episode_return")) for s in SEEDS])


def scores(arm: str) -> Array:
    """The graded score, one number a seed."""
    return np.array([at(of_run(arm, s, "env_steps"), of_run(arm, s, "episode_return")) for s in SEEDS])


def shown(values: Array, digits: int = 0) -> str:
    """A median with its exact interval; a number that is not reached is "never"."""

    def text(value: float) -> str:
        return f"{value:.{digits}f}" if math.isfinite(value) else "never"

    low, high = interval_of_median(values)
    return f"{text(float(np.median(values)))} [{text(low)}, {text(high)}]"


def curves(my_prediction: str = "") -> None:
    """Returns over env steps: medians with exact bands, all arms."""
    _, grid = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True)
    groups = (("model-free", CONTROL, "Dyna k=1", "Dyna k=5", PLANNER_NAME), (CONTROL, "MVE", "MVE with TD-k", "STEVE"))
    for axes, arms in zip(grid, groups, strict=True):
        for arm in arms:
            steps = of_run(arm, int(SEEDS[0]), "env_steps")
            values = np.array([of_run(arm, int(s), "episode_return") for s in SEEDS])
            low, high = np.array([interval_of_median(column) for column in values.T]).T
            marker = "s" if arm == PLANNER_NAME else None
            axes.plot(steps, np.median(values, axis=0), color=COLORS[arm], label=arm, marker=marker, markersize=4)
            axes.fill_between(steps, low, high, color=COLORS[arm], alpha=0.15, linewidth=0)
        axes.set(xlabel="env steps", xlim=(50, 620), ylim=(-1, 38))
        axes.legend(fontsize=7, loc="lower right")
    grid[0].set_ylabel("return of an episode")
    rows = [(arm, shown(when_good(arm, "env_steps")), shown(when_good(arm, "seconds"), 1)) for arm in ARMS]
    show(
        f"Returns of the policy without exploration, {len(SEEDS)} seeds: medians with exact 95 % intervals. Squares: "
        "planned episodes.",
        (("median [95 %]", f"env steps to a return of {GOOD:.0f}", "processor seconds to it"), *rows),
        my_prediction=my_prediction,
    )


def differences(my_prediction: str = "") -> None:
    """What each learner gains over equal updates at AT env steps, seed by seed."""
    _, axes = plt.subplots(figsize=(8, 3.2))
    control = scores(CONTROL)
    others = [arm for arm in LEARNERS if arm != CONTROL]
    for x, arm in enumerate(others):
        gain = scores(arm) - control
        axes.plot(x + np.linspace(-0.2, 0.2, len(gain)), gain, ".", color=COLORS[arm], markersize=5)
        low, high = interval_of_median(gain)
        axes.plot([x - 0.3, x + 0.3], [np.median(gain)] * 2, color=COLORS[arm], linewidth=2)
        axes.fill_between([x - 0.3, x + 0.3], low, high, color=COLORS[arm], alpha=0.2, linewidth=0)
    axes.axhline(0.0, color="0.7", linewidth=0.8, zorder=0)
    axes.set(xticks=range(len(others)), xticklabels=others, ylabel=f"return minus that of\n{CONTROL}")
    rows = [
        (arm, shown(scores(arm), 1), *(("", "") if arm == CONTROL else _gain(scores(arm) - control)))
        for arm in LEARNERS
    ]
    rows.append(("MVE with TD-k minus MVE", "", *_gain(scores("MVE with TD-k") - scores("MVE"))))
    show(
        f"Returns at {AT} env steps (mean of the evaluations at {AT - 50} and {AT}), minus those of {CONTROL} with the "
        "same seed.",
        (("median [95 %]", "return", "difference, by seed", "seeds above 0"), *rows),
        my_prediction=my_prediction,
    )


def _gain(difference: Array) -> tuple[str, str]:
    return shown(difference, 1), f"{int((difference > 0).sum())} of {len(difference)}"


def horizons(my_prediction: str = "") -> None:
    """Where everything is known: the error of a target by its horizon, for wrong critics and wrong models."""
    _, axes = plt.subplots(figsize=(6.5, 3.2))
    cases = (
        ("critic wrong by 1, model exact", 0.0, 1.0, BLUE),
        ("critic exact, model wrong by 2 %", 0.02, 0.0, ORANGE),
        ("critic exact, model wrong by 0.5 %", 0.005, 0.0, GREEN),
    )
    rows = []
    for label, model_error, critic_error, color in cases:
        errors = target_errors(model_error, critic_error)
        axes.plot(HORIZONS, errors, ".-", color=color, label=label)
        rows.append((label, f"{errors[0]:.2f}", f"{errors[3]:.2f}", f"{errors[10]:.2f}"))
    axes.set(xlabel="imagined steps H", ylabel="mean error of the target", ylim=(0, None))
    axes.legend(fontsize=8)
    show(
        "Errors of expanded targets in 200 random linear worlds, in which every value is known exactly.",
        (("error of the target", "H = 0", "H = 3", "H = 10"), *rows),
        my_prediction=my_prediction,
    )


def weights(my_prediction: str = "") -> None:
    """STEVE's weights where members disagree, and where all of them make the same mistake."""
    _, grid = plt.subplots(1, 2, figsize=(8, 2.8), sharey=True)
    titles = {"noisy": "members disagree from H = 2 on", "wrong": "all members are wrong alike from H = 2 on"}
    rows = []
    for axes, (case, title) in zip(grid, titles.items(), strict=True):
        weight, error = weights_where(case)
        axes.bar(range(4), weight, color=BLUE if case == "noisy" else ORANGE)
        axes.set(xticks=range(4), xlabel="imagined steps H", title=title)
        rows.append((title, f"{weight[2:].sum():.3f}", f"{float(np.abs(weight @ error)):.2f}"))
    grid[0].set_ylabel("weight")
    show(
        "Weights of targets of four lengths, five members; the right target is 0.",
        (("", "weight of H = 2 and 3", "error of the weighted target"), *rows),
        my_prediction=my_prediction,
    )


def live(use_my_code: bool, student_id: str, my_prediction: str = "") -> None:
    """Learn one policy with the student's functions, and draw it among the recorded ones."""
    _, axes = plt.subplots(figsize=(6, 3.2))
    for seed in SEEDS:
        steps, values = (of_run("MVE with TD-k", int(seed), name) for name in ("env_steps", "episode_return"))
        axes.plot(steps[steps <= AT], values[steps <= AT], color=GREEN, alpha=0.3, linewidth=0.8)
    words = "USE_MY_CODE is False."
    if use_my_code:
        (own,) = own_seeds(student_id, 1)
        mine = race("MVE with TD-k", own, num_env_steps=AT)
        axes.plot(mine.env_steps, mine.returns, color="black", linewidth=1.6)
        score = at(np.array(mine.env_steps), np.array(mine.returns))
        words = f"Mine, the black line, has the score {score:.1f}, after {mine.seconds[-1]:.0f} processor seconds."
    axes.set(xlabel="env steps", ylabel="return of an episode", ylim=(-1, 38))
    axes.set_title("MVE with TD-k: recorded (green), mine (black)")
    show(f"One line a seed. {words}", my_prediction=my_prediction)
