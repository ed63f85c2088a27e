"""The figures of the notebook uncertainty_aware that are about the ledge and the bridge (given)."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from hw4.commands.jupyter import (
    Array,
    check,
    draw_mine,
    find_data,
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
from hw4.commands.video import walks
from hw4.envs.ledge import LedgeEnv
from hw4.notebooks.uncertainty_aware_runs import (
    ARMS,
    MAPS,
    PICTURED,
    build_arm,
    has_fallen,
)
from hw4.rewards import (
    BRIDGE_TO,
    LEDGE_DROP,
    LEDGE_EDGE,
    bridge_reward,
    ledge_reward,
)

DATA = find_data("uncertainty_aware")
WALKS = read_table(DATA / "walks.csv", texts=("map", "arm"))
PATHS = read_table(DATA / "paths.csv", texts=("arm",))
FIRST = 1  # the first planned episode, counted from 0: every run has one random episode before it
EVERY = slice(None)  # planned episode


def chosen(table: dict[str, Array], column: str, **values: Any) -> Array:
    """A column where other columns have the given values, one row a seed in order: shape (seeds, ...)."""
    rows = np.logical_and.reduce([table[name] == value for name, value in values.items()])
    num_seeds = len(np.unique(table["seed"][rows]))
    values_of_seeds = table[column][rows]
    return values_of_seeds if len(values_of_seeds) == num_seeds else values_of_seeds.reshape(num_seeds, -1)


def walk(column: str, arm: str, on: str = "ledge") -> Array:
    """What was recorded of one arm on a map in each planned episode, shape (seeds, planned episodes)."""
    return chosen(WALKS, column, arm=arm, map=on)[:, FIRST:]


def first_picture() -> None:
    """Two agents in the last episode of their runs, as an animation."""
    picture_seed = int(PATHS["seed"].min())
    paths = {ARMS[arm].label: np.column_stack([PATHS[axis][PATHS["arm"] == arm] for axis in "xy"]) for arm in PICTURED}
    falls = {label: int(has_fallen("ledge", path[1:]).sum()) for label, path in paths.items()}
    show_animation(
        walks("ledge", paths),
        f"The ledge from above: brighter ground is worth more, and past the edge at x = 3 m a step costs 20. Seed "
        f"{picture_seed}, the last of {MAPS['ledge'].num_episodes} episodes. "
        + " ".join(f"{label.capitalize()}: {count} of 40 steps end past the edge." for label, count in falls.items()),
    )


MEAN_X = 2.8  # m; both plans
STDS = (0.05, 0.3)  # m; of the certain and of the uncertain plan
STANDARD = NormalDist()


def expected_reward(mean: float, std: float) -> float:
    """Expected reward on the ridge (y = 0) of a step that ends at a Gaussian x."""
    z = (LEDGE_EDGE - mean) / std
    on_the_ground = STANDARD.cdf(z)
    return mean * on_the_ground - std * STANDARD.pdf(z) - LEDGE_DROP * (1 - on_the_ground)


def sampled_rewards(mean: float, std: float, num_samples: int = 4000) -> Array:
    """The task's own reward at sampled places on the ridge, without the cost of actions."""
    x = np.random.default_rng(0).normal(mean, std, num_samples)
    places = np.column_stack([x, np.zeros_like(x)])
    return np.asarray(ledge_reward(places, np.zeros_like(places), places))


def equal(my_prediction: str = "") -> None:
    """Two plans with equal means and unequal spreads, and what the spread costs."""
    _, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6))
    x = np.linspace(1.6, 4.0, 400)
    ridge = np.column_stack([x, np.zeros_like(x)])
    left.plot(x, ledge_reward(ridge, np.zeros_like(ridge), ridge), color="black", linewidth=1.5, label="reward")
    left.set(xlabel="x at the end of the plan (m)", ylabel="reward", title="equal means, unequal spreads")
    density = left.twinx()
    density.spines["right"].set_visible(True)
    for std, color, style in zip(STDS, (BLUE, VERMILION), ("-", "--"), strict=True):
        values = np.array([NormalDist(MEAN_X, std).pdf(value) for value in x])
        density.plot(x, values, style, color=color, label=f"plan with std {std} m")
    density.axvline(MEAN_X, color="0.6", linewidth=0.8, linestyle=":")
    density.set(ylabel="density of x (1/m)", ylim=(0, 18))
    handles = [*left.get_lines(), *density.get_lines()[:2]]
    left.legend(handles, [handle.get_label() for handle in handles], loc="lower left")
    spreads = np.linspace(0.01, 0.6, 60)
    right.axhline(MEAN_X, color="black", linewidth=1, linestyle=":", label="reward at the mean state")
    right.plot(spreads, [expected_reward(MEAN_X, s) for s in spreads], color=BLUE, label="expected reward, closed form")
    sampled_at = np.arange(0.05, 0.61, 0.05)
    samples = [sampled_rewards(MEAN_X, s) for s in sampled_at]
    errors = [1.96 * sample.std() / len(sample) ** 0.5 for sample in samples]
    means = [sample.mean() for sample in samples]
    right.errorbar(sampled_at, means, errors, fmt="o", color=ORANGE, markersize=4, capsize=3, label="Monte Carlo, 95 %")
    right.axvline(LedgeEnv.noise_std, color="0.6", linewidth=0.8, linestyle=":")
    right.text(LedgeEnv.noise_std + 0.01, 1.5, "noise of one step", color="0.35", fontsize=8)
    right.set(
        xlabel="std of x (m)", ylabel="expected reward", title=f"mean x = {MEAN_X} m, {len(samples[0])} samples each"
    )
    right.legend(loc="lower left")
    largest = max(abs(m - expected_reward(MEAN_X, s)) for m, s in zip(means, sampled_at, strict=True))
    certain, uncertain = (expected_reward(MEAN_X, std) for std in STDS)
    show(
        f"Both plans are predicted to end at x = {MEAN_X} m, which is worth {MEAN_X}. Right: their worth on average.",
        (
            ("std of x at the end of the plan", "expected reward"),
            (f"{STDS[0]} m", f"{certain:.2f}"),
            (f"{STDS[1]} m", f"{uncertain:.2f}"),
            ("largest difference, Monte Carlo and closed form", f"{largest:.2f}"),
        ),
        my_prediction=my_prediction,
    )


def compared(column: str, arm: str, other: str, episodes: slice, on: str = "ledge") -> Array:
    """Paired differences of two arms, averaged over some planned episodes, shape (seeds,)."""
    difference = walk(column, arm, on)[:, episodes] - walk(column, other, on)[:, episodes]
    return np.asarray(difference.mean(axis=1))


def arms(my_prediction: str = "") -> None:
    """Returns, falls and places of eight arms on the ledge."""
    arm_styles = {
        "true_mean": ("0.5", "x"),
        "true_sampled": ("black", "x"),
        "one_mean": (VERMILION, "o"),
        "one_wide_mean": (ORANGE, "v"),
        "one_sampled": (PURPLE, "D"),
        "five_means": (SKY, "^"),
        "five_gaussian_means": (BLUE, "<"),
        "five_sampled": (GREEN, "s"),
    }
    num_seeds = len(walk("falls", "five_sampled"))
    planned = np.arange(2, MAPS["ledge"].num_episodes + 1)
    _, (left, middle_panel, right) = plt.subplots(1, 3, figsize=(11, 4.2), width_ratios=(1.5, 1, 1), sharey=False)
    for i, (name, (color, marker)) in enumerate(arm_styles.items()):
        medians = np.median(walk("episode_return", name), axis=0)
        left.plot(planned, medians, f"{marker}-", color=color, markersize=5, linewidth=1.3)
        for axes, column in ((middle_panel, "falls"), (right, "stands")):
            values = walk(column, name)[:, -3:].mean(axis=1)
            axes.plot(values, np.full(num_seeds, i) - 0.2, "|", color="0.7", markersize=7)
            axes.plot(interval_of_median(values), [i, i], color=color, linewidth=2.5)
            axes.plot(np.median(values), i, marker, color=color, markersize=6)
    left.set(
        xlabel="episode (40 env steps each)",
        ylabel="return of the episode",
        title=f"medians of {num_seeds} seeds, marked as on the right",
    )
    labels = [ARMS[name].label for name in arm_styles]
    middle_panel.set_yticks(range(len(labels)), labels)
    right.set_yticks(range(len(labels)), [])
    right.axvline(LEDGE_EDGE, color="black", linewidth=0.8)
    middle_panel.set(xlabel="steps of 40 past the edge", title="falls, last three episodes")
    right.set(xlabel="median x of the last 10 steps (m)", title="where they stand, last three")
    for axes in (middle_panel, right):
        axes.set_ylim(len(labels) - 0.5, -0.7)
    first, last_three = slice(0, 1), slice(-3, None)
    comparisons = (
        ("true model, sampled minus its mean", "true_sampled", "true_mean", EVERY, "all planned episodes"),
        ("one network, sampled minus its mean", "one_sampled", "one_mean", EVERY, "all planned episodes"),
        ("five means minus one mean", "five_means", "one_mean", first, "first planned episode"),
        ("five means minus one wide mean", "five_means", "one_wide_mean", first, "first planned episode"),
        ("five sampled minus five Gaussian means", "five_sampled", "five_gaussian_means", last_three, "last three"),
        ("five sampled minus one sampled", "five_sampled", "one_sampled", first, "first planned episode"),
    )
    show(
        f"The ledge, {num_seeds} seeds: medians with exact 95 % intervals; grey marks are single seeds.",
        (
            ("paired by seed, median [95 %]", "episodes", "return", "falls an episode"),
            *(
                (
                    what,
                    when,
                    median_text(compared("episode_return", a, b, episodes)),
                    median_text(compared("falls", a, b, episodes), "", 1),
                )
                for what, a, b, episodes, when in comparisons
            ),
        ),
        my_prediction=my_prediction,
    )
    show_table(
        (
            ("last three episodes, median [95 %]", "steps of 40 past the edge"),
            *((ARMS[name].label, median_text(walk("falls", name)[:, -3:].mean(axis=1), "", 1)) for name in arm_styles),
        )
    )


def bridge(my_prediction: str = "") -> None:
    """The bridge, and how many agents of each arm cross it."""
    ways = ("pessimistic", "mean_minus_std", "five_sampled", "mean_plus_std", "optimistic", "one_mean", "true_sampled")
    way_colors = (GREEN, SKY, BLUE, ORANGE, VERMILION, PURPLE, "black")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8), width_ratios=(1.1, 1))
    grid_x, grid_y = np.meshgrid(np.linspace(-1.5, 4, 221), np.linspace(-2, 2, 161))
    grid = np.stack([grid_x, grid_y], axis=-1)
    ground = bridge_reward(grid, np.zeros_like(grid), grid)
    image = left.pcolormesh(grid_x, grid_y, np.where(ground < 0, np.nan, ground), cmap="cividis", rasterized=True)
    left.set_facecolor("0.25")
    left.text(1.6, 1.2, "gorge", color="white", ha="center")
    left.text(1.6, 0.0, "bridge", color="white", ha="center", va="center")
    left.plot(0, 0, "o", color="white", markersize=5)
    left.text(0.0, -0.35, "start", color="white", ha="center")
    left.set(xlabel="x (m)", ylabel="y (m)", title="reward of a step that ends here")
    figure.colorbar(image, ax=left)
    episodes = np.arange(2, MAPS["bridge"].num_episodes + 1)
    crossed = {arm: walk("stands", arm, "bridge") > BRIDGE_TO for arm in ways}
    for row, (arm, color) in enumerate(zip(ways, way_colors, strict=True)):
        style = "o--" if arm in ("one_mean", "true_sampled") else "o-"
        share = 100 * crossed[arm].mean(axis=0) + row - 3  # a little apart, so that none hides another
        right.plot(episodes, share, style, color=color, markersize=4, linewidth=1.3, label=ARMS[arm].label)
    right.set(xlabel="episode", ylabel="% of seeds that end in the far meadow", xticks=episodes, ylim=(-6, 106))
    right.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    share = 100 * crossed["true_sampled"][:, -1].mean()
    show(
        f"The bridge, {len(crossed['optimistic'])} seeds. With the true model, sampled, {share:.0f} % end in the far "
        "meadow, so it is not the search that keeps the others.",
        (
            (
                "median [95 %], paired by seed",
                "ledge: return minus that of expected",
                "falls an episode",
                "bridge: return minus expected",
                "in the gorge an episode",
                "far in the last",
            ),
            *(
                (
                    ARMS[arm].label,
                    median_text(compared("episode_return", arm, "five_sampled", EVERY)),
                    f"{np.median(walk('falls', arm).mean(axis=1)):.1f}",
                    median_text(compared("episode_return", arm, "five_sampled", EVERY, "bridge")),
                    median_text(compared("falls", arm, "five_sampled", EVERY, "bridge"), "", 1),
                    f"{100 * crossed[arm][:, -1].mean():.0f} %",
                )
                for arm in ways[:-1]
            ),
        ),
        my_prediction=my_prediction,
    )


def live(use_my_code: bool, arm: str, student_id: str, num_seeds: int, env_steps: int, my_prediction: str = "") -> None:
    """Train the student's agent on the ledge, and draw its returns and falls over the recorded ones of the same arm."""
    returns, falls = [], []
    if use_my_code:
        for seed in own_seeds(student_id, num_seeds):
            agent = build_arm(arm, "ledge", seed)
            records = train_live(MAPS["ledge"], agent, seed=seed, env_steps=env_steps, name=ARMS[arm].label)
            planned_records = list(records)[FIRST:]
            returns.append([record.episode_return for record in planned_records])
            falls.append([float(has_fallen("ledge", record.observations[1:]).sum()) for record in planned_records])
    planned = np.arange(2, MAPS["ledge"].num_episodes + 1)
    _, panels = plt.subplots(1, 2, figsize=(11, 3.6))
    for axes, column, own in ((panels[0], "episode_return", returns), (panels[1], "falls", falls)):
        recorded = walk(column, arm)
        low, high = np.percentile(recorded, [10, 90], axis=0)
        axes.fill_between(planned, low, high, color=BLUE, alpha=0.2, linewidth=0, label="recorded: middle 80 %")
        axes.plot(planned, np.median(recorded, axis=0), "o-", color=BLUE, markersize=4, label="recorded: median")
        draw_mine(axes, planned, own)
        axes.set(xlabel="episode (40 env steps each)", title=ARMS[arm].label)
    panels[0].set_ylabel("return of the episode")
    panels[1].set_ylabel("steps of 40 past the edge")
    panels[0].legend(loc="lower right")
    show(
        f"{ARMS[arm].label.capitalize()}: as recorded, {len(recorded)} seeds"
        + (", and mine, one black line per seed." if use_my_code else ". USE_MY_CODE is False."),
        (
            ("steps past the edge per episode, last three", ""),
            ("recorded, median [exact 95 % interval]", median_text(recorded[:, -3:].mean(axis=1), "", 1)),
            *(("mine", f"{np.mean(values[-3:]):.1f}") for values in falls if values),
        ),
        my_prediction=my_prediction,
    )


def check_break_even_std(break_even_std: Callable[[float, float], float]) -> None:
    """Test the small function `break_even_std`, and say what it shows."""

    def test() -> str:
        for mean, safe in ((MEAN_X, 2.0), (MEAN_X, 0.0), (2.5, 2.0)):
            std = break_even_std(mean, safe)
            worth = expected_reward(mean, std)
            assert abs(worth - safe) < 0.02, (
                f"break_even_std({mean}, {safe}) is {std:.3f}: with that std the plan is worth {worth:.2f}, not {safe}"
            )
        std = break_even_std(MEAN_X, 2.0)
        return f"The bold plan is worth the safe 2 at a std of {std:.3f} m: beyond that, be cautious."

    check("break_even_std", test)
