"""The figures of the notebook replanning (given)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from hw4.commands.jupyter import (
    Array,
    check,
    draw_band,
    draw_mine,
    find_data,
    gif,
    interval_of_median,
    median_text,
    own_seeds,
    read_table,
    show,
    show_animation,
    show_table,
    train_live,
)
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from hw4.experiments import Experiment
from hw4.notebooks.replanning_runs import (
    ARMS,
    CARTPOLE,
    HORIZONS,
    MAX_STEPS,
    REPLAN_EVERY,
    tip_position,
)


def learning_curves(arm: str) -> Array:
    """Returns of one arm's runs, shape (seeds, episodes)."""
    return np.asarray(RETURNS["episode_return"][RETURNS["arm"] == arm].reshape(-1, CARTPOLE.num_episodes))


def final(arm: str) -> Array:
    """The mean return of the last two episodes of each run, shape (seeds,)."""
    return np.asarray(learning_curves(arm)[:, -2:].mean(axis=1))


def frozen(replan_every: int, *, horizon: int = 20, planner: str = "CEM, 180", model: str = "last") -> Array:
    """The return of one episode, planned with a model that learns no more, for each seed's model; shape (seeds,)."""
    chosen = (FROZEN["replan_every"] == replan_every) & (FROZEN["horizon"] == horizon)
    return np.asarray(FROZEN["episode_return"][chosen & (FROZEN["planner"] == planner) & (FROZEN["model"] == model)])


def differences(one: Array, other: Array) -> Array:
    """one - other, seed by seed, for the seeds that both have."""
    seeds = min(len(one), len(other))
    return one[:seeds] - other[:seeds]


DATA = find_data("replanning")
RETURNS = read_table(DATA / "returns.csv", texts=("arm",))
FROZEN = read_table(DATA / "frozen.csv", texts=("model", "planner"))
ERRORS = read_table(DATA / "errors.csv", texts=("model", "policy"))
EPISODE_NUMBERS = np.arange(1, CARTPOLE.num_episodes + 1)


def alone(my_prediction: str = "") -> None:
    """Returns of the lecture's three versions, and of 1.5 with nothing but `replan_every` changed."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True)
    for axes, arms in (
        (left, {"1.5": (GREEN, "o-"), "1.0": (ORANGE, "^-."), "0.5": (VERMILION, "s--")}),
        (right, {"1.5": (GREEN, "o-"), "replan every 5": (SKY, "D-"), "replan every 20": (PURPLE, "v--")}),
    ):
        for arm, (color, style) in arms.items():
            label = {"1.5": "1.5 (replan every step)" if axes is right else "version 1.5"}.get(
                arm, arm if axes is right else f"version {arm}"
            )
            draw_band(axes, EPISODE_NUMBERS, learning_curves(arm), color=color, style=style, label=label)
        axes.axvspan(0.5, 1.5, color="0.95", zorder=0)
        axes.set(
            xlabel=f"episode ({CARTPOLE.task.episode_length} env steps each)", xlim=(0.5, EPISODE_NUMBERS[-1] + 0.5)
        )
        axes.legend(loc="upper left")
    left.set(ylabel="return of the episode", ylim=(-5, 95), title="several settings at once: the versions")
    left.text(1, 22, "base policy", ha="center", rotation=90, fontsize=7, color="0.35")
    right.set_title("one setting alone: replan_every")
    gain = {arm: differences(final("1.5"), final(arm)) for arm in ("replan every 5", "replan every 20", "1.0", "0.5")}
    show(
        f"Return per episode on the cart-pole: medians over {len(final('1.5'))} seeds, the bands hold all of them.",
        (
            ("median [exact 95 % interval]", "last two episodes", "1.5 minus it, paired by seed"),
            ("1.5 (replan every step)", median_text(final("1.5")), ""),
            *((arm, median_text(final(arm)), median_text(gain[arm])) for arm in gain),
        ),
        my_prediction=my_prediction,
    )


def draw_frozen(axes: Any, label: str, color: str, style: str, **way: Any) -> None:
    """Return against replan_every for one way of planning; the bars hold the middle 80 % of seeds."""
    every = [k for k in REPLAN_EVERY if len(frozen(k, **way))]
    values = [frozen(k, **way) for k in every]
    medians = np.array([np.median(v) for v in values])
    spread = np.abs(np.array([np.percentile(v, [10, 90]) for v in values]).T - medians)
    axes.errorbar(every, medians, spread, fmt=style, color=color, capsize=2, linewidth=1.5, markersize=5, label=label)


def by_replan_every(label: str, **way: Any) -> tuple[str, ...]:
    """Medians with intervals, for replanning every 1, 5 and 20 steps, as far as they were recorded."""
    return label, *(median_text(frozen(k, **way)) if len(frozen(k, **way)) else "" for k in REPLAN_EVERY)


def lost(label: str, **way: Any) -> tuple[str, ...]:
    """What a way of planning loses to CEM with plans of 20 steps, paired by seed."""
    pairs = [(frozen(k), frozen(k, **way)) for k in REPLAN_EVERY]
    return label, *(median_text(one - other) if len(one) == len(other) else "" for one, other in pairs)


def same_model(my_prediction: str = "") -> None:
    """Returns of one episode planned with a model that learns no more: by planner, horizon and model."""
    _, panels = plt.subplots(1, 3, figsize=(11, 3.7), sharey=True)
    draw_frozen(panels[0], "CEM, 180 candidates", GREEN, "o-")
    draw_frozen(panels[0], "random shooting, 180", BLUE, "s--", planner="random, 180")
    draw_frozen(panels[0], "random shooting, 20", VERMILION, "^:", planner="random, 20")
    panels[0].set_title("how good the planner is")
    for horizon, color, style in ((5, VERMILION, "^:"), (10, ORANGE, "s-."), (20, GREEN, "o-"), (40, PURPLE, "D--")):
        draw_frozen(panels[1], f"plans {horizon} steps", color, style, horizon=horizon)
    panels[1].set_title("how far it plans")
    draw_frozen(panels[2], "the simulator itself", "black", "D--", model="true")
    draw_frozen(panels[2], "last model", GREEN, "o-")
    draw_frozen(panels[2], "first model: random data only", VERMILION, "^:", model="first")
    panels[2].set_title("how good the model is")
    for axes in panels:
        axes.set(xlabel="env steps between plans", xscale="log", xticks=REPLAN_EVERY, xticklabels=REPLAN_EVERY)
        axes.minorticks_off()
        axes.legend(loc="upper right" if axes is not panels[0] else "lower left", fontsize=7)
    panels[0].set(ylabel="return of one episode", ylim=(-5, 112))
    show(
        f"Return of one episode planned with a model that learns no more: medians of {len(frozen(1))} seeds, bars hold "
        "the middle 80 %.",
        (
            ("env steps between plans; median [95 %]", *map(str, REPLAN_EVERY)),
            by_replan_every("CEM, 20 steps, last model"),
            by_replan_every("random shooting, 180", planner="random, 180"),
            by_replan_every("random shooting, 20", planner="random, 20"),
            *(by_replan_every(f"plans of {h} steps", horizon=h) for h in HORIZONS if h != CARTPOLE.horizon),
            by_replan_every("first model", model="first"),
            by_replan_every("the simulator itself", model="true"),
            lost("CEM minus random shooting, 20", planner="random, 20"),
            *(lost(f"20 steps minus {h} steps", horizon=h) for h in HORIZONS if h != CARTPOLE.horizon),
        ),
        my_prediction=my_prediction,
    )


REFITS = {
    "refit every 25": ("every 25 steps", PURPLE, "v-."),
    "1.5": ("every 100 steps", GREEN, "o-"),
    "refit every 300": ("every 300 steps", ORANGE, "s--"),
    "fit once": ("once, to random data", VERMILION, "^:"),
}


def equal(my_prediction: str = "") -> None:
    """Random shooting against CEM, and how often to refit, over whole training runs at equal cost."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True)
    draw_band(left, EPISODE_NUMBERS, learning_curves("1.5"), color=GREEN, style="o-", label="CEM, 3 times 60")
    draw_band(
        left, EPISODE_NUMBERS, learning_curves("random shooting"), color=BLUE, style="s--", label="random shooting, 180"
    )
    left.set(ylabel="return of the episode", ylim=(-5, 95), title="equal model evaluations")
    for arm, (label, color, style) in REFITS.items():
        draw_band(right, EPISODE_NUMBERS, learning_curves(arm), color=color, style=style, label=label)
    right.set_title("equal gradient steps: refit ...")
    for axes in (left, right):
        axes.axvspan(0.5, 1.5, color="0.95", zorder=0)
        axes.set(
            xlabel=f"episode ({CARTPOLE.task.episode_length} env steps each)", xlim=(0.5, EPISODE_NUMBERS[-1] + 0.5)
        )
        axes.legend(loc="upper left" if axes is left else "center right")
    cem_gain = differences(final("1.5"), final("random shooting"))
    refit_gain = {arm: differences(final("1.5"), final(arm)) for arm in REFITS if arm != "1.5"}
    show(
        f"Return per episode: medians over {len(final('random shooting'))} seeds, bands hold all of them.",
        (
            ("median [exact 95 % interval]", "last two episodes", "1.5 minus it, paired by seed"),
            ("1.5 (CEM, refit every 100)", median_text(final("1.5")), ""),
            ("random shooting", median_text(final("random shooting")), median_text(cem_gain, "", 1)),
            *((arm, median_text(final(arm)), median_text(gain, "", 1)) for arm, gain in refit_gain.items()),
        ),
        my_prediction=my_prediction,
    )


def error_curves(model: str, policy: str, column: str = "error") -> Array:
    """Errors after 1 ... MAX_STEPS steps (m), the median over starts; shape (seeds, MAX_STEPS)."""
    return np.asarray(ERRORS[column][(ERRORS["model"] == model) & (ERRORS["policy"] == policy)].reshape(-1, MAX_STEPS))


TOLERANCE = 0.1  # m


def growth(my_prediction: str = "") -> None:
    """Errors of roll-outs against their length, for the first and the last model of each run."""
    _, panels = plt.subplots(1, 2, figsize=(10, 3.7), sharey=True)
    steps = np.arange(1, MAX_STEPS + 1)
    for axes, policy, title in (
        (panels[0], "base", "along random episodes"),
        (panels[1], "planned", "along an episode of 1.5"),
    ):
        for model, label, color, style in (
            ("first", "first model: random data only", VERMILION, "--"),
            ("last", "last model", GREEN, "-"),
        ):
            draw_band(axes, steps, error_curves(model, policy), color=color, style=style, label=label)
        still = np.median(error_curves("last", policy, "error_of_no_change"), axis=0)
        axes.plot(steps, still, ":", color="0.3", label="expecting no change")
        axes.axhline(TOLERANCE, color="0.7", linewidth=0.8, zorder=0)
        axes.axvline(CARTPOLE.horizon, color="0.7", linewidth=0.8, zorder=0)
        axes.set(xlabel="steps rolled out", yscale="log", xlim=(1, MAX_STEPS), title=title)
    panels[0].set_ylabel("error of the tip's position (m)")
    panels[1].text(CARTPOLE.horizon + 0.5, 15, "horizon of 1.5", fontsize=7, color="0.35")
    panels[0].legend(loc="lower right", fontsize=7)
    than_no_change = error_curves("last", "planned") - error_curves("last", "planned", "error_of_no_change")
    worse_from = next(k for k in steps if interval_of_median(than_no_change[:, k - 1])[0] > 0)
    faster = error_curves("last", "planned")[:, 19] / (20 * error_curves("last", "planned")[:, 0])
    show(
        f"Error of a roll-out against its length: median over starts, then over {len(faster)} seeds; bands hold all. "
        f"From step {worse_from} on the last model errs more along an episode of 1.5 than expecting no change.",
        (
            ("median [exact 95 % interval]", "after 1 step (mm)", "after 5 (cm)", "after 20 (cm)"),
            *(
                (
                    f"{model} model, {where}",
                    median_text(1000 * error_curves(model, policy)[:, 0], "", 1),
                    median_text(100 * error_curves(model, policy)[:, 4], "", 1),
                    median_text(100 * error_curves(model, policy)[:, 19]),
                )
                for model in ("first", "last")
                for policy, where in (("base", "random episodes"), ("planned", "an episode of 1.5"))
            ),
            ("last model, 1.5: error after 20 / (20 x error after 1)", "", "", median_text(faster, "", 1)),
        ),
        my_prediction=my_prediction,
    )


def recorded_episode(model: str, replan_every: int) -> tuple[Array, dict[int, Array]]:
    """The real tip, shape (101, 2), and by the step at which a plan was made the imagined tip, shape (21, 2), in m."""

    def observations(table: dict[str, Array]) -> Array:
        chosen = (table["model"] == model) & (table["replan_every"] == replan_every)
        names = ("x", "sin", "cos", "x_velocity", "angular_velocity")
        return np.stack([table[name][chosen] for name in names], axis=-1)

    chosen = (IMAGINED["model"] == model) & (IMAGINED["replan_every"] == replan_every)
    imagined = observations(IMAGINED).reshape(-1, CARTPOLE.horizon + 1, 5)
    return observations(REAL), dict(zip(IMAGINED["plan_step"][chosen][:: CARTPOLE.horizon + 1], imagined, strict=True))


REAL = read_table(DATA / "episodes.csv", texts=("model",))
IMAGINED = read_table(DATA / "imagined.csv", texts=("model",))
CASES = {
    ("first", 20): "first model, replan every 20",
    ("last", 20): "last model, replan every 20",
    ("last", 1): "last model, replan every step",
}


def imagined(my_prediction: str = "") -> None:
    """The real height of the tip in three episodes, and what each plan expected of it."""
    _, panels = plt.subplots(1, 3, figsize=(11, 3.2), sharey=True)
    misses = {}
    for axes, (case, title) in zip(panels, CASES.items(), strict=True):
        real, plans = recorded_episode(*case)
        for start, imagined in plans.items():
            label = "imagined by each plan" if start == 0 else None
            x = start + np.arange(len(imagined))
            axes.plot(x, tip_position(imagined)[:, 1], color=ORANGE, linewidth=1, alpha=0.8, label=label)
            axes.plot(start, tip_position(imagined)[0, 1], ".", color=ORANGE, markersize=5)
        axes.plot(tip_position(real)[:, 1], color="black", linewidth=1.6, label="real", zorder=0)
        complete = {start: imagined for start, imagined in plans.items() if start + CARTPOLE.horizon < len(real)}
        ends = [
            tip_position(imagined[-1]) - tip_position(real[int(s) + CARTPOLE.horizon])
            for s, imagined in complete.items()
        ]
        misses[case] = np.median(np.linalg.norm(ends, axis=-1))
        axes.set(xlabel="env step of the episode", title=title, xlim=(0, len(real) - 1), ylim=(-0.95, 0.95))
    panels[0].set_ylabel("height of the tip (m)")
    panels[0].legend(loc="upper left", fontsize=7)
    show(
        "One seed: real height of the pole's tip (black) and what each plan expected of it (orange).",
        (
            ("20 steps ahead, median over plans", "the expected tip is off by"),
            *((title, f"{100 * misses[case]:.0f} cm") for case, title in CASES.items()),
        ),
        my_prediction=my_prediction,
    )


FRAME_EVERY = 4  # env steps
LIVE_ARMS = {"1.5": (GREEN, "o-", "replan every step"), "replan every 20": (PURPLE, "v--", "replan every 20")}


def first_picture() -> None:
    """The three episodes side by side as an animation: the real cart and pole, and what the plan in force expects."""
    figure = Figure(figsize=(12, 3.3), dpi=80, layout="constrained")
    panels = figure.subplots(1, 3)
    episodes = [recorded_episode(*case) for case in CASES]

    def draw(step: int) -> None:
        for axes, title, (real, plans) in zip(panels, CASES.values(), episodes, strict=True):
            axes.clear()
            imagined = plans[max(start for start in plans if start <= step)]
            for observations, color, width in ((imagined, ORANGE, 1.2), (real[: step + 1], "black", 1.0)):
                axes.plot(*tip_position(observations).T, color=color, linewidth=width, alpha=0.7)
                hinge, tip = np.array([observations[-1, 0], 0.0]), tip_position(observations[-1])
                axes.plot(*np.stack([hinge, tip], axis=-1), color=color, linewidth=4)
            axes.plot(real[step, 0], 0, "s", color="0.35", markersize=14)
            axes.axhline(0, color="0.7", linewidth=0.8, zorder=0)
            axes.set(xlim=(-2, 2), ylim=(-0.9, 0.9), xlabel="x (m)", yticks=[], aspect="equal")
            axes.set_title(f"{title}\nstep {step}", fontsize=12)

    show_animation(
        gif(figure, draw, range(0, CARTPOLE.task.episode_length + 1, FRAME_EVERY), frames_per_second=4),
        "One episode from one start, three times. Black: the real cart and pole. Orange: the path that the plan in "
        "force expects of the tip, with the pole where that plan ends.",
    )


def arms() -> None:
    """Which settings each arm changes in version 1.5."""
    usual = dataclasses.asdict(CARTPOLE)
    rows = [("arm", "what differs from version 1.5")]
    for arm, experiment in ARMS.items():
        settings = dataclasses.asdict(experiment)
        changed = [f"{name} = {value}" for name, value in settings.items() if value != usual[name]]
        rows.append((arm, ", ".join(changed) or "nothing"))
    show_table(rows)


def live(use_my_code: bool, student_id: str, num_seeds: int, env_steps: int, my_prediction: str = "") -> None:
    """Train the student's agent, replanning every step and every 20, and draw its returns over the recorded ones."""
    _, panels = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True)
    for axes, (arm, (color, style, title)) in zip(panels, LIVE_ARMS.items(), strict=True):
        draw_band(axes, EPISODE_NUMBERS, learning_curves(arm), color=color, style=style, label="recorded, all seeds")
        if use_my_code:
            from hw4.agents import build_agent

            runs = []
            for seed in own_seeds(student_id, num_seeds):
                agent = build_agent(ARMS[arm], seed)
                records = train_live(ARMS[arm], agent, seed=seed, env_steps=env_steps, name=title)
                runs.append([record.episode_return for record in records])
            draw_mine(axes, EPISODE_NUMBERS, runs)
        axes.axvspan(0.5, 1.5, color="0.95", zorder=0)
        axes.set(xlabel=f"episode ({CARTPOLE.task.episode_length} env steps each)", title=title, ylim=(-5, 95))
        axes.legend(loc="upper left")
    panels[0].set_ylabel("return of the episode")
    show(
        "Returns as recorded" + (", and mine, one black line per seed." if use_my_code else ". USE_MY_CODE is False."),
        my_prediction=my_prediction,
    )


def check_predictions_per_env_step(predictions_per_env_step: Callable[[Experiment], float]) -> None:
    """Test the small function `predictions_per_env_step`, and say what it shows."""

    def test() -> str:
        for arm, wanted, why in (
            ("1.5", 3600, "60 candidates, 3 times, 20 steps each, at every env step"),
            ("replan every 20", 180, "the same, every 20 env steps"),
            ("1.0", 180, "60 candidates, 3 times, 100 steps each, every 100 env steps"),
        ):
            got = predictions_per_env_step(ARMS[arm])
            assert np.isclose(got, wanted), f"arm {arm!r}: {wanted} ({why}), yours gives {got}"
        per_step = {arm: predictions_per_env_step(ARMS[arm]) for arm in ("1.5", "replan every 5", "replan every 20")}
        return "Predictions per env step: " + ", ".join(f"{n:.0f} ({arm})" for arm, n in per_step.items()) + "."

    check("predictions_per_env_step", test)


def check_trusted_steps(trusted_steps: Callable[[Array, float], int]) -> None:
    """Test the small function `trusted_steps`, and say what it shows of the recorded models."""

    def test() -> str:
        for errors, wanted, why in (
            ([0.01, 0.05, 0.2, 0.04], 2, "the error after 3 steps is already too large, and 4 is past it"),
            ([0.01, 0.1], 2, "an error equal to the tolerance is still good"),
            ([0.3, 0.01], 0, "the first error is too large"),
            ([0.01, 0.02], 2, "all are good"),
        ):
            got = trusted_steps(np.array(errors), 0.1)
            assert got == wanted, f"errors {errors}, tolerance 0.1: {wanted} ({why}), yours gives {got}"
        return (
            f"Within {100 * TOLERANCE:.0f} cm: "
            + "; ".join(
                f"{model} model, {where}: "
                f"{median_text([trusted_steps(errors, TOLERANCE) for errors in error_curves(model, policy)])} steps"
                for model in ("first", "last")
                for policy, where in (("base", "random episodes"), ("planned", "an episode of 1.5"))
            )
            + "."
        )

    check("trusted_steps", test)
