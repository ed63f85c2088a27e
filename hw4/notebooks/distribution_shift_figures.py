"""The figures of the notebook distribution_shift that are about the cliff hill (given)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from hw4.commands.jupyter import (
    Array,
    check,
    draw_mine,
    find_data,
    gif,
    median_text,
    own_seeds,
    read_table,
    show,
    show_animation,
    train_live,
)
from hw4.commands.plots import BLUE, PURPLE, SKY, VERMILION
from hw4.envs.cliff_hill import ARENA, BOTTOM_HEIGHT, EDGE_X, STEP_LENGTH, height
from hw4.experiments import Version, as_version
from hw4.notebooks.distribution_shift_runs import (
    BASE_POLICIES,
    COLORS,
    EXPERIMENT,
    FIRST_PLANNED,
    VERSIONS,
)


def per_seed(table: dict[str, Array], column: str, version: str) -> Array:
    """One column of `episodes.csv` as an array of shape (seeds, episodes)."""
    chosen = table["version"] == version
    num_seeds = len(np.unique(table["seed"][chosen]))
    return np.asarray(table[column][chosen].reshape(num_seeds, -1))


def paths(policy: str) -> Array:
    """Positions and imagined positions under one policy, shape (episodes, steps, 6)."""
    chosen = PATHS["policy"] == policy
    columns = ("x", "y", "height", "imagined_x", "imagined_y", "imagined_height")
    return np.stack([PATHS[column][chosen] for column in columns], axis=-1).reshape(
        -1, EXPERIMENT.task.episode_length + 1, 6
    )


DATA = find_data("distribution_shift")
EPISODES = read_table(DATA / "episodes.csv", texts=("version",))
PATHS = read_table(DATA / "paths.csv", texts=("policy",))
BELIEFS = read_table(DATA / "beliefs.csv", texts=("model",))
COVERAGE = read_table(DATA / "coverage.csv", texts=("policy",))
NUM_SEEDS = len(np.unique(EPISODES["seed"]))
EPISODE_NUMBERS = np.arange(1, EXPERIMENT.num_episodes + 1)


def draw_hill(axes: Any) -> None:
    """Lines of equal height, and the edge."""
    x, y = np.meshgrid(np.linspace(-2, EDGE_X, 120), np.linspace(-3, 3, 120))
    lines = axes.contour(x, y, height(np.stack([x, y], axis=-1)), levels=range(-3, 4), colors="0.55", linewidths=0.6)
    axes.clabel(lines, fmt="%d m", fontsize=7)
    axes.axvspan(EDGE_X, ARENA + 0.1, color="0.88", linewidth=0, zorder=0)
    axes.text((EDGE_X + ARENA) / 2, -2.9, f"{BOTTOM_HEIGHT:.0f} m", ha="center", fontsize=7)
    axes.axvline(EDGE_X, color="black", linewidth=1.2)
    axes.set(xlim=(-2, ARENA + 0.1), ylim=(-3, 3), xlabel="x (m)", ylabel="y (m)", aspect="equal")


def densities(my_prediction: str = "") -> None:
    """Where the data of the base policy lie, and where the first plan of 0.5 goes."""
    base, planned = paths("base"), paths("0.5")
    figure, panels = plt.subplots(1, 3, figsize=(11, 3.6), width_ratios=(1, 1, 1.15))
    x_bins, y_bins = np.arange(-2, ARENA + 0.21, 0.2), np.arange(-3, 3.01, 0.2)
    for axes, states, name, color_map in (
        (panels[0], base, r"data of the base policy, $p_{\pi_0}(s)$", "Blues"),
        (panels[1], planned, r"under the plan of 0.5, $p_{\pi_H}(s)$", "Oranges"),
    ):
        draw_hill(axes)
        positions = states[..., :2].reshape(-1, 2)
        share, _, _ = np.histogram2d(positions[:, 0], positions[:, 1], bins=[x_bins, y_bins])
        share = 100 * share.T / len(positions)
        image = axes.pcolormesh(x_bins, y_bins, np.ma.masked_equal(share, 0), cmap=color_map, alpha=0.85)
        figure.colorbar(image, ax=axes, label="% of states per (0.2 m)²", shrink=0.75)
        axes.set_title(name)
    for states, label, color, style in (
        (base, "base policy's data", COLORS["base"], "-"),
        (planned, "under the plan (real)", COLORS["0.5"], "-"),
        (planned[..., 3:], "under the plan (imagined)", COLORS["0.5"], ":"),
    ):
        x = states[..., 0].ravel()
        wide_bins = np.arange(-2, 8.01, 0.2)
        percent = 100 * np.histogram(x, wide_bins)[0] / len(x)
        panels[2].stairs(percent, wide_bins, label=label, color=color, linestyle=style, linewidth=1.5)
    panels[2].axvline(EDGE_X, ymax=0.72, color="black", linewidth=1.2, label="edge of the hill")
    panels[2].set(
        xlabel="x (m)", ylabel="% of states per 0.2 m", title="the same along x", yscale="log", ylim=(0.03, 3000)
    )
    panels[2].legend(loc="upper right")
    reach = base[..., 0].reshape(NUM_SEEDS, -1).max(axis=1)
    beyond = 100 * (planned[..., 0] > reach[:, None]).mean(axis=1)
    show(
        f"The states that the first model was fitted to, and those under its plan; {NUM_SEEDS} seeds pooled. On "
        "grey ground, past the black line, the hill has ended.",
        (
            (f"{NUM_SEEDS} seeds", "median [exact 95 % interval]"),
            ("largest x in a seed's own data", median_text(reach, " m", 1)),
            ("states under the plan that are farther right than that", median_text(beyond, " %")),
        ),
        my_prediction=my_prediction,
    )


def falls(my_prediction: str = "") -> None:
    """What the first plan of 0.5 promises, and what it gets."""
    _, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), width_ratios=(1.5, 1))
    planned, steps = paths("0.5"), np.arange(EXPERIMENT.task.episode_length + 1)
    for column, label, color, style in ((5, "imagined", VERMILION, "--"), (2, "real", BLUE, "-")):
        left.plot(steps, planned[..., column].T, color=color, linewidth=0.5, alpha=0.4)
        left.plot(steps, np.median(planned[..., column], axis=0), style, color=color, linewidth=2.2, label=label)
    left.set(
        xlabel="env step of the episode",
        ylabel="height (m)",
        title=f"first plan of 0.5: {NUM_SEEDS} seeds (thin), median (bold)",
    )
    left.legend()
    promised = per_seed(EPISODES, "imagined_return", "0.5")[:, FIRST_PLANNED]
    earned = per_seed(EPISODES, "episode_return", "0.5")[:, FIRST_PLANNED]
    for one, other in zip(promised, earned, strict=True):
        right.plot([0, 1], [one, other], color="0.7", linewidth=0.8)
    right.plot(np.zeros(NUM_SEEDS), promised, "o", color=VERMILION)
    right.plot(np.ones(NUM_SEEDS), earned, "s", color=BLUE)
    right.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    right.set(
        xticks=(0, 1), xticklabels=("imagined", "real"), xlim=(-0.4, 1.4), ylabel="return of the episode (m, summed)"
    )
    right.set_title("the same plans: promised and earned")
    show(
        f"The first plan of 0.5, {NUM_SEEDS} seeds: orange what the model imagines, blue what happens.",
        (
            (f"{NUM_SEEDS} seeds", "median [exact 95 % interval]"),
            ("imagined return", median_text(promised)),
            ("real return", median_text(earned)),
            ("seeds that fall over the edge", f"{np.sum(planned[..., 2].min(axis=1) < -4)} of {NUM_SEEDS}"),
        ),
        my_prediction=my_prediction,
    )


def draw_returns(axes: Any, version: str) -> None:
    """Return per episode: every recorded seed, the median, and the band that holds the middle 80 % of the seeds."""
    returns = per_seed(EPISODES, "episode_return", version)
    low, high = np.percentile(returns, [10, 90], axis=0)
    axes.fill_between(
        EPISODE_NUMBERS, low, high, color=COLORS[version], alpha=0.2, linewidth=0, label="middle 80 % of seeds"
    )
    axes.plot(EPISODE_NUMBERS, returns.T, color=COLORS[version], linewidth=0.5, alpha=0.4)
    axes.plot(
        EPISODE_NUMBERS,
        np.median(returns, axis=0),
        "o-",
        color=COLORS[version],
        linewidth=2,
        markersize=4,
        label="median",
    )
    axes.axvspan(0.5, FIRST_PLANNED + 0.5, color="0.95", zorder=0)
    axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    axes.text(FIRST_PLANNED / 2 + 0.5, -125, "base policy", color="0.35", ha="center", fontsize=8)
    axes.set(xlabel=f"episode ({EXPERIMENT.task.episode_length} env steps each)", xlim=(0.5, EPISODE_NUMBERS[-1] + 0.5))
    axes.set_xticks(EPISODE_NUMBERS)


def learning(my_prediction: str = "") -> None:
    """Returns of the three versions over their episodes."""
    _, panels = plt.subplots(1, 3, figsize=(11, 3.5), sharey=True)
    titles = {
        "0.5": "0.5: plan once, eyes closed",
        "1.0": "1.0: aggregate, plan again",
        "1.5": "1.5: replan at every step",
    }
    for axes, version in zip(panels, VERSIONS, strict=True):
        draw_returns(axes, version)
        axes.set_title(titles[version])
    panels[0].set(ylabel="return of the episode (m, summed)", ylim=(-135, 95))
    panels[0].legend(loc="upper left")
    last = {version: per_seed(EPISODES, "episode_return", version)[:, -1] for version in VERSIONS}
    first = {version: per_seed(EPISODES, "episode_return", version)[:, FIRST_PLANNED] for version in VERSIONS}
    show(
        f"Return of each episode, {NUM_SEEDS} seeds: thin lines single seeds, bold their median.",
        (
            ("median return [exact 95 % interval]", "first planned episode", "last episode"),
            *((f"version {v}", median_text(first[v]), median_text(last[v])) for v in VERSIONS),
        ),
        my_prediction=my_prediction,
    )


def errors(my_prediction: str = "") -> None:
    """What the models believe of the edge, and how their errors change over the episodes."""
    _, panels = plt.subplots(1, 3, figsize=(11, 3.6), width_ratios=(1.25, 1, 1))
    ridge = np.unique(BELIEFS["x"])
    here = height(np.column_stack([ridge, np.zeros_like(ridge)]))
    truth = BELIEFS["true_next_height"][: len(ridge)] - here
    panels[0].plot(ridge, truth, color="black", linewidth=1, label="truth")
    beliefs = {}
    for model, label, color, style in (
        ("first", "first model (0.5)", COLORS["0.5"], "--"),
        ("1.0", "last model of 1.0", COLORS["1.0"], "-."),
        ("1.5", "last model of 1.5", COLORS["1.5"], "-"),
    ):
        beliefs[model] = BELIEFS["next_height"][BELIEFS["model"] == model].reshape(NUM_SEEDS, -1) - here
        low, high = np.percentile(beliefs[model], [10, 90], axis=0)
        panels[0].fill_between(ridge, low, high, color=color, alpha=0.2, linewidth=0)
        panels[0].plot(ridge, np.median(beliefs[model], axis=0), style, color=color, label=label)
    panels[0].set(xlabel="x before the step (m), y = 0", ylabel="change of height (m)")
    panels[0].set_title("believed change over one full step right")
    panels[0].legend(loc="lower left")
    planned_numbers = EPISODE_NUMBERS[FIRST_PLANNED:]
    for axes, version in zip(panels[1:], ("1.0", "1.5"), strict=True):
        for column, label, color, marker in (
            ("error_on_base", "base policy's states", COLORS["base"], "o"),
            ("error_on_plan", "first plan's states", VERMILION, "s"),
            ("error_on_visited", "states visited now", "black", "^"),
        ):
            errors = per_seed(EPISODES, column, version)[:, FIRST_PLANNED:]
            low, high = np.percentile(errors, [10, 90], axis=0)
            axes.fill_between(planned_numbers, low, high, color=color, alpha=0.15, linewidth=0)
            axes.plot(planned_numbers, np.median(errors, axis=0), marker + "-", color=color, markersize=4, label=label)
        axes.set(xlabel="episode", title=f"version {version}", yscale="log", ylim=(0.003, 5), xticks=planned_numbers)
    panels[1].set_ylabel("mean |error| of the next height (m)")
    panels[1].legend(loc="lower right")
    over = (ridge < EDGE_X) & (ridge + STEP_LENGTH > EDGE_X)  # from here, a full step right goes over the edge
    fall = {model: values[:, over].mean(axis=1) for model, values in beliefs.items()}
    on_plan = {v: per_seed(EPISODES, "error_on_plan", v)[:, [FIRST_PLANNED, -1]] for v in VERSIONS}
    on_base = {v: per_seed(EPISODES, "error_on_base", v)[:, [FIRST_PLANNED, -1]] for v in VERSIONS}
    visited = {v: per_seed(EPISODES, "error_on_visited", v)[:, [FIRST_PLANNED, -1]] for v in VERSIONS}
    show(
        f"Left: the change of height that models believe in; then errors of the next height over the episodes; medians "
        f"of {NUM_SEEDS} seeds, bands with the middle 80 %.",
        (
            ("median [exact 95 % interval]", "first model", "last model of 1.0", "last model of 1.5"),
            (
                f"change of height over the edge (truth {truth[over].mean():.1f} m)",
                *(median_text(fall[model], " m", 1) for model in ("first", "1.0", "1.5")),
            ),
            *(
                (
                    f"error on {where}",
                    median_text(errors["0.5"][:, 0], " m", 3),
                    *(median_text(errors[v][:, 1], " m", 3) for v in ("1.0", "1.5")),
                )
                for where, errors in (("the base policy's states", on_base), ("the first plan's states", on_plan))
            ),
            (
                "error on the states visited now: first planned episode, last",
                median_text(visited["0.5"][:, 0], " m", 3),
                *(
                    f"{median_text(visited[v][:, 0], ' m', 2)}, {median_text(visited[v][:, 1], ' m', 2)}"
                    for v in ("1.0", "1.5")
                ),
            ),
        ),
        my_prediction=my_prediction,
    )


def coverage(my_prediction: str = "") -> None:
    """How far each base policy gets, and what 0.5 then earns."""
    coverage = {name: {key: v[COVERAGE["policy"] == name] for key, v in COVERAGE.items()} for name in BASE_POLICIES}
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=(1, 1.35))
    for i, (name, color, marker) in enumerate(zip(BASE_POLICIES, (SKY, BLUE, PURPLE), ("v", "o", "s"), strict=True)):
        reach, earned = coverage[name]["largest_x"], coverage[name]["episode_return"]
        left.plot(i + np.linspace(-0.2, 0.2, len(reach)), np.sort(reach), marker, color=color, markersize=4)
        right.plot(reach, earned, marker, color=color, markersize=5, alpha=0.8, label=name)
    left.axhline(EDGE_X, color="black", linewidth=1.2)
    left.text(-0.4, EDGE_X + 0.08, "edge of the hill", fontsize=8)
    left.set(xticks=range(3), xticklabels=list(BASE_POLICIES), xlim=(-0.5, 2.5), ylim=(0, 4.4))
    left.set(ylabel="largest x in the data (m)", title="how far the base policy gets")
    right.axvline(EDGE_X, color="black", linewidth=1.2)
    right.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    right.set(xlabel="largest x in the data (m)", ylabel="return of the first plan (m, summed)")
    right.set_title("what 0.5 then earns: one mark per seed")
    right.legend(title="base policy", loc="upper left")
    met = coverage["bold"]["largest_x"] > EDGE_X
    to_the_wall = coverage["bold"]["largest_x"] >= ARENA
    bold = coverage["bold"]["episode_return"]
    show(
        f"{len(met)} seeds of each base policy: how far its data gets, and what 0.5 earns that was fitted to it.",
        (
            ("data of the base policy", "seeds", "return of the first plan, median [exact 95 %]", "seeds above 0"),
            *(
                (label, str(len(returns)), median_text(returns), str(np.sum(returns > 0)))
                for label, returns in (
                    ("timid", coverage["timid"]["episode_return"]),
                    ("uniform", coverage["uniform"]["episode_return"]),
                    ("bold", bold),
                    ("bold, has not met the edge", bold[~met]),
                    ("bold, met the edge, not the wall", bold[met & ~to_the_wall]),
                    ("bold, reached the wall", bold[to_the_wall]),
                )
            ),
        ),
        my_prediction=my_prediction,
    )


def first_picture() -> None:
    """The first plan of 0.5 as an animation: what the model imagines, and what happens."""
    planned = paths("0.5")
    figure = Figure(figsize=(9.5, 4.2), dpi=80, layout="constrained")
    axes = figure.subplots()
    x = np.linspace(-2.0, 7.0, 601)
    ground = height(np.column_stack([np.minimum(x, ARENA), np.zeros_like(x)]))
    axes.fill_between(x, ground, BOTTOM_HEIGHT - 1, where=x <= ARENA, color="0.85", linewidth=0)
    axes.plot(*planned[:, 0, [0, 2]].T, ".", color="0.5", markersize=4)
    (ghosts,) = axes.plot([], [], "o", color=VERMILION, markersize=7, alpha=0.5, label="imagined by the model")
    (walkers,) = axes.plot([], [], "s", color=BLUE, markersize=6, label="real")
    axes.set(xlabel="x (m)", ylabel="height (m)", xlim=(-2, 7), ylim=(BOTTOM_HEIGHT - 1, 9))
    axes.legend(loc="upper left")

    def draw(step: int) -> None:
        ghosts.set_data(*planned[:, step, [3, 5]].T)
        walkers.set_data(*planned[:, step, [0, 2]].T)
        axes.set_title(f"first plan of {NUM_SEEDS} agents, env step {step}", loc="left")

    show_animation(
        gif(figure, draw, range(EXPERIMENT.task.episode_length + 1)),
        f"{NUM_SEEDS} agents on the hill, seen from the side (ground: the ridge, y = 0). Orange: where the model of "
        "each expects its plan to lead. Blue: where the same actions lead.",
    )


def live(use_my_code: bool, student_id: str, num_seeds: int, env_steps: int, my_prediction: str = "") -> None:
    """Train the student's agent as 0.5 and 1.5, and draw its returns over the recorded ones."""
    mine: dict[Version, list[list[float]]] = {"0.5": [], "1.5": []}
    if use_my_code:
        from hw4.agents import build_agent

        for version, runs in mine.items():
            experiment = as_version(EXPERIMENT, version)
            for seed in own_seeds(student_id, num_seeds):
                agent = build_agent(experiment, seed)
                records = train_live(experiment, agent, seed=seed, env_steps=env_steps, name=f"version {version}")
                runs.append([record.episode_return for record in records])
    _, panels = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True)
    for axes, (version, runs) in zip(panels, mine.items(), strict=True):
        draw_returns(axes, version)
        draw_mine(axes, EPISODE_NUMBERS, runs)
        axes.set_title(f"version {version}")
    panels[0].set(ylabel="return of the episode (m, summed)", ylim=(-135, 95))
    panels[0].legend(loc="upper left")
    show(
        "Returns as recorded" + (", and mine, one black line per seed." if use_my_code else ". USE_MY_CODE is False."),
        my_prediction=my_prediction,
    )


def check_share_outside(share_outside: Callable[[Array, Array], float]) -> None:
    """Test the small function `share_outside`, and say what it shows."""

    def test() -> str:
        corners = np.array([[0.0, 0.0], [1.0, 2.0]])
        visited = np.array([[0.5, 1.0], [1.0, 2.0], [1.1, 1.0], [0.5, -0.1]])
        share = share_outside(corners, visited)
        says = "the range is [0, 1] in x and [0, 2] in y. (0.5, 1) is inside, (1, 2) on the border counts as inside, "
        says += "(1.1, 1) and (0.5, -0.1) are outside in one coordinate, which is enough"
        assert np.isclose(share, 0.5), f"{says}: 0.5 is expected, yours gives {share}"
        seen = paths("base")[..., :2].reshape(NUM_SEEDS, -1, 2)
        percent = [100 * share_outside(s, p[:, :2]) for s, p in zip(seen, paths("0.5"), strict=True)]
        return f"Of the states under the plan of 0.5, {median_text(percent, ' %')} are outside the data's range."

    check("share_outside", test)


def check_roll_out(roll_out: Callable[[Callable[[Any, Any], Any], Any, Any, int], Any]) -> None:
    """Test the small function `roll_out` on a model that errs by a tenth at each step: in three steps, three tenths."""

    def test() -> str:
        taken = np.array([[1.0], [2.0], [3.0], [4.0]])
        seen = np.concatenate([np.zeros((1, 1)), np.cumsum(taken, axis=0)])
        expected = np.asarray(roll_out(lambda observation, action: observation + action + 0.1, seen, taken, 3))
        assert expected.shape == (2, 1), f"T = 4 and k = 3 leave 2 starts: shape (2, 1), yours is {expected.shape}"
        assert not np.allclose(expected, [[6.1], [10.1]]), (
            "after the first step feed it its own prediction, not the truth"
        )
        assert np.allclose(expected, [[6.3], [10.3]]), f"6.3 and 10.3 are expected, yours expects {expected.ravel()}"
        return "Try it on your own agent: how fast does the error grow with k?"

    check("roll_out", test)
