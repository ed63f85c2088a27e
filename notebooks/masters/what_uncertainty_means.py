# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] name="title"
# # What the uncertainty means
#
# *{{ title }} · {{ term }}*
#
# **What this notebook shows.** A network that predicts a variance, and an ensemble of such networks, on a field with
# one noisy patch and one patch that the data never reaches. Which of their numbers says "this is noise", which says "I
# have not been here", and when does each fail? Then: how many members are needed, whether resampling the data matters
# and how it is done, and two ways to roll an ensemble out. {{ num_seeds }} or {{ num_new_seeds }} seeds, as each figure
# says; medians with intervals.
#
# **How long it takes.** About 10 seconds as it is: it draws recorded runs, so it works before you have written a
# line of code. With `USE_MY_CODE = True` it also trains your ensemble, at most 60 seconds.
#
# **What you do.** Run it. Complete two small cells (no points; nothing else depends on them). Once your tests of
# {{ problem:dynamics }}, {{ problem:planning }} and {{ problem:ensembles }} pass, set `STUDENT_ID` and
# `USE_MY_CODE = True`, and run it again. Then write one short answer ({{ points_in_all }} points).

# %% name="setup" tags=["recorder"]
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks: one thread is fastest
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

from hw4.commands.jupyter import (
    Array,
    find_data,
    interval_of_median,
    median_text,
    own_seeds,
    read_table,
    show,
    use_style,
)
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from hw4.envs import make_env
from hw4.envs.noisy_field import (
    ARENA,
    NOISE_STD,
    NOISY_CENTER,
    NOISY_RADIUS,
    START,
    TURNED_CENTER,
    TURNED_RADIUS,
    is_noisy,
    mean_move,
)
from hw4.experiments import EXPERIMENTS
from hw4.training import train

# %% name="parameters" tags=["parameters"]
USE_MY_CODE = False  # True: the check and one cell below run your code
STUDENT_ID = ""  # yours: your ensemble's seeds are derived from it
NUM_LIVE_SEEDS = 3  # how many seeds it trains with
LIVE_SECONDS = 50.0  # it starts no new episode after this long

# %% [markdown] name="field-intro"
# ## The field
#
# The observation is a position (*x*, *y*) in metres; an action moves at most 0.2 m in each direction; the reward is
# minus the distance to the goal. In the **noisy** patch next to the start, every step gets Gaussian noise of 0.1 m in
# *x*
# and in *y*: more data will not help. In the **turned** patch around the goal every move goes a quarter turn to the
# left: nothing there is noisy, but the base policy's data does not reach it. **Far** is a disc of the same size, as far
# from the start, that the data does not reach either; but there the ground is ordinary, and the rule learned at the
# start holds. **Quiet** are the visited places outside the noisy patch.
#
# The next two cells say what is measured, and the recorded models were asked with these very lines. Every model is an
# ensemble of networks that each predict a mean and a variance (trained with beta-NLL), but for one arm of squared-error
# networks.

# %% name="constants" tags=["recorder"]
EXPERIMENT = EXPERIMENTS["noisy_field"]  # five Gaussian members
FIT = dataclasses.replace(EXPERIMENT, gradient_steps=1000)  # of the models that are fitted once, to random data
FAR_CENTER, FAR_RADIUS = (1.3, 2.8), TURNED_RADIUS  # m; as far from the start as the turned patch, ordinary ground
REGIONS = ("quiet", "noisy", "turned", "far")
BORDER = (0.3, 0.5)  # m from the nearest visited state: places just beyond the data
NUM_POINTS = 200  # in each region

# %% name="regions" tags=["recorder"]
Distribution = Callable[[Array, Array], tuple[Array, Array]]  # (observations, actions) -> means, variances (E, N, 2)


@dataclass(frozen=True)
class Points:
    """Held-out steps in one region."""

    observations: Array  # shape (NUM_POINTS, 2)
    actions: Array  # shape (NUM_POINTS, 2)
    mean_next: Array  # m; where each step leads on average, shape (NUM_POINTS, 2)
    next_observations: Array  # m; where it led, shape (NUM_POINTS, 2)


def held_out_points(seed: int) -> dict[str, Points]:
    """Steps that no model was fitted to.

    "quiet" and "noisy" are states of the base policy outside and inside the noisy patch; "turned" and "far" are
    uniform in discs that the base policy does not reach.
    """
    rng = np.random.default_rng(seed)
    base = base_policy_data(NUM_POINTS, seed)[0]  # 8,000 states: enough of both
    where = {
        "quiet": base[~is_noisy(base)][::5][:NUM_POINTS],
        "noisy": base[is_noisy(base)][::5][:NUM_POINTS],
        "turned": uniform_in_disc(rng, TURNED_CENTER, TURNED_RADIUS),
        "far": uniform_in_disc(rng, FAR_CENTER, FAR_RADIUS),
    }
    return {region: steps_from(where[region], rng) for region in REGIONS}


def border_points(seed: int, visited: Array) -> Points:
    """Steps from places just beyond the data: the nearest of the visited states, shape (N, 2), is BORDER away."""
    rng = np.random.default_rng(seed)
    places = np.empty((0, 2))
    while len(places) < NUM_POINTS:
        anywhere = rng.uniform(-ARENA, ARENA, (1000, 2))
        nearest = np.linalg.norm(anywhere[:, None] - visited, axis=-1).min(axis=1)
        places = np.concatenate([places, anywhere[(nearest > BORDER[0]) & (nearest < BORDER[1])]])
    return steps_from(places[:NUM_POINTS], rng)


def steps_from(observations: Array, rng: np.random.Generator) -> Points:
    """One random step from each place."""
    actions = rng.uniform(-1, 1, (NUM_POINTS, 2))
    mean_next = observations + mean_move(observations, actions)
    noise = NOISE_STD * rng.standard_normal((NUM_POINTS, 2)) * is_noisy(observations)[:, None]
    return Points(observations, actions, mean_next, mean_next + noise)


def base_policy_data(num_episodes: int, seed: int) -> tuple[Array, Array, Array]:
    """Observations, actions and next observations of random episodes, each of shape (env steps, 2)."""
    rng, env = np.random.default_rng(seed), make_env("noisy_field")
    fields: tuple[list[Array], list[Array], list[Array]] = ([], [], [])
    for episode in range(num_episodes):
        observation, _ = env.reset(seed=None if episode else seed)
        for _ in range(EXPERIMENT.task.episode_length):
            action = rng.uniform(-1, 1, 2)
            next_observation = env.step(action)[0]
            for field, value in zip(fields, (observation, action, next_observation), strict=True):
                field.append(value)
            observation = next_observation
    return np.array(fields[0]), np.array(fields[1]), np.array(fields[2])


def uniform_in_disc(rng: np.random.Generator, center: tuple[float, float], radius: float) -> Array:
    """Points of shape (NUM_POINTS, 2)."""
    angle, distance = rng.uniform(0, 2 * np.pi, NUM_POINTS), radius * np.sqrt(rng.uniform(0, 1, NUM_POINTS))
    return np.array(center) + distance[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])


def rms(values: Array) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


# %% name="particles" tags=["recorder"]
def particle_spread(
    distribution: Distribution,
    plan: Array,
    *,
    num_members: int,
    change_member: bool,
    sample_noise: bool,
    rng: np.random.Generator,
    num_particles: int = 500,
) -> Array:
    """Imagine a plan from the start many times: how far apart are the particles after each step?

    Args:
        distribution: what each member expects.
        plan: shape (steps, 2).
        num_members: E.
        change_member: True draws every particle a new member at every step (TS1); False keeps its member for the
            whole roll-out (TS-infinity).
        sample_noise: True adds noise of the member's own predicted variance; False follows its mean.
        rng: the source of randomness.
        num_particles: how many.

    Returns:
        sqrt(variance of x + variance of y) over the particles (m), shape (steps,).
    """
    particle = np.arange(num_particles)
    member, state = particle % num_members, np.tile(START, (num_particles, 1))
    spread = []
    for action in plan:
        if change_member:
            member = rng.integers(num_members, size=num_particles)
        means, variances = distribution(state, np.tile(action, (num_particles, 1)))
        state = means[member, particle]
        if sample_noise:
            state = state + np.sqrt(variances[member, particle]) * rng.standard_normal(state.shape)
        spread.append(np.sqrt(state.var(axis=0).sum()))
    return np.array(spread)


# %% [markdown] name="data-intro"
# The recorded tables. Models that are *fitted once* have seen {{ num_transitions }} transitions of the base policy. All
# standard deviations and errors are root mean squares over {{ num_points }} held-out steps of a region, per coordinate.
#
# - **output std**: what one network says the noise is, the square root of its predicted variance;
# - **disagreement**: the standard deviation of the members' means;
# - **error**: of the members' average, against where a step leads on average.


# %% name="data"
def by_region(arm: str, column: str, region: str) -> Array:
    """One number for each seed of the models that are fitted once."""
    return REGION_TABLE[column][(REGION_TABLE["arm"] == arm) & (REGION_TABLE["region"] == region)]


def detection(score: str, *, arm: str = "resampled", num_members: int = 5, against: str = "turned or visited") -> Array:
    """The area under the ROC curve of a score, for each seed."""
    chosen = (DETECTION["arm"] == arm) & (DETECTION["num_members"] == num_members)
    return DETECTION[score][chosen & (DETECTION["against"] == against)]


def claim(differences: Array, digits: int = 2, *, nothing: float = 0.0) -> str:
    """A paired median with its exact interval, and what the interval allows one to say."""
    low, high = interval_of_median(differences)
    says = "more" if low > nothing else "less" if high < nothing else "no difference can be claimed"
    return f"{median_text(differences, '', digits)}, {says}"


def draw_band(axes: Any, x: Array, values: Array, *, color: str, style: str, label: str) -> None:
    """The median over seeds, and all seeds as a band; values of shape (seeds, len(x))."""
    axes.fill_between(x, values.min(axis=0), values.max(axis=0), color=color, alpha=0.15, linewidth=0)
    axes.plot(x, np.median(values, axis=0), style, color=color, linewidth=1.8, markersize=5, label=label)


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


def draw_points(axes: Any, x: float, values: Array, marker: str, *, color: str, label: str | None = None) -> None:
    """One number of every seed above x, small, and their median, large."""
    axes.plot(np.full(len(values), x), values, marker, color=color, markersize=4, alpha=0.5)
    axes.plot(x, np.median(values), marker, color=color, markersize=9, markeredgecolor="black", label=label)


use_style()
DATA = find_data("what_uncertainty_means")
REGION_TABLE = read_table(DATA / "regions.csv", texts=("arm", "region"))
DETECTION = read_table(DATA / "detection.csv", texts=("arm", "against"))
CURVES = read_table(DATA / "curves.csv", texts=("region",))
BOOTSTRAP = read_table(DATA / "bootstrap.csv", texts=("sets",))
NUM_SEEDS = len(np.unique(REGION_TABLE["seed"]))
NUM_NEW_SEEDS = len(np.unique(DETECTION["seed"]))
NUM_LEARNING_SEEDS = len(np.unique(CURVES["seed"]))
LOOKS = {"quiet": (BLUE, "o-"), "noisy": (ORANGE, "s--"), "turned": (VERMILION, "^-."), "far": (GREEN, "D:")}
print(f"{NUM_SEEDS} seeds of models fitted once, {NUM_LEARNING_SEEDS} of agents that learn")

# %% [markdown] name="sanity-intro"
# **A check of your setup** (no points): the recorded runs match your settings and, if your code runs, it splits an
# uncertainty as it should.

# %% name="sanity" nbgrader={"grade": false, "locked": true, "solution": false}
assert CURVES["episode"].max() == EXPERIMENT.num_episodes - 1, (
    "recorded with other settings than hw4/experiments.py has"
)
assert all(np.isfinite(by_region("resampled", "output_std", region)).all() for region in REGIONS)
if USE_MY_CODE:
    import torch

    from hw4.ensemble import decompose_uncertainty

    aleatoric, epistemic = decompose_uncertainty(torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [3.0]]))
    assert np.isclose(float(aleatoric), 2.0), "the mean of the variances 1 and 3 is 2"
    assert np.isclose(float(epistemic), 1.0), "the means 0 and 2 are 1 away from their average"
    print("Your ensemble splits its uncertainty.")
else:
    print("The recorded runs are complete. USE_MY_CODE is False: none of your code was run.")

# %% [markdown] name="map-intro"
# ## Two numbers, two maps
#
# One run of an agent that learns: on the left what its networks say the noise is, on the right how much five of them
# disagree; above after the base policy's data alone, below at the end of training. White dots are the states visited by
# then. Circles: noisy patch (left), turned patch (right, around the goal), and far (dotted).


# %% name="map"
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
        axes.add_patch(plt.Circle(center, radius, fill=False, edgecolor="white", linestyle=style, linewidth=1.5))
    axes.set(xlim=(-ARENA, ARENA), ylim=(-ARENA, ARENA), aspect="equal", ylabel="y (m)")
    return image


MAPS = read_table(DATA / "maps.csv", texts=("when",))
VISITED = read_table(DATA / "visited.csv")
figure, panels = plt.subplots(2, 2, figsize=(8.5, 7.2), sharex=True, sharey=True)
titles = {"output_std": "output std: what it calls noise", "disagreement": "disagreement of five members"}
for row, when, words in ((0, "first", "base policy's data"), (1, "last", "end of training")):
    for axes, column in zip(panels[row], titles, strict=True):
        image = draw_map(axes, when, column, (0.001, 0.5))
        axes.set_title(f"{titles[column]}\n{words}")
figure.colorbar(image, ax=panels, label="standard deviation of the next position (m), logarithmic", shrink=0.6)
for axes in panels[1]:
    axes.set_xlabel("x (m)")
show(
    "maps of the output std and of the disagreement, one seed, after the base policy's data and at the end of "
    f"training. The true noise is {NOISE_STD} m in the noisy patch and 0 elsewhere."
)

# %% [markdown] name="learning-intro"
# ## What more data changes
#
# The same two numbers over the episodes, by region, for all seeds. The agent walks to the goal, so it visits the noisy
# and the turned patch again and again, and hardly ever the far one. Meeting noise is not always enough to know it: some
# agents, those whose *first* data held fewest noisy steps, still say far too little in the end, although by then they
# had met dozens. (Seen in these runs, not predicted.)


# %% name="learning"
def over_episodes(column: str, region: str) -> Array:
    """One number after each episode, shape (seeds, episodes)."""
    return CURVES[column][CURVES["region"] == region].reshape(NUM_LEARNING_SEEDS, -1)


episode_numbers = np.unique(CURVES["episode"]) + 1
figure, panels = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True)
for axes, column, title in zip(
    panels,
    ("output_std", "disagreement", "error"),
    ("output std", "disagreement", "error of the members' average"),
    strict=True,
):
    for region, (color, style) in LOOKS.items():
        draw_band(axes, episode_numbers, over_episodes(column, region), color=color, style=style, label=region)
    axes.axhline(NOISE_STD, color="0.6", linewidth=0.8, zorder=0)
    axes.set(xlabel=f"episodes seen ({EXPERIMENT.task.episode_length} env steps each)", yscale="log", title=title)
panels[0].set_ylabel("of the next position (m)")
panels[0].text(episode_numbers[0], 3.3 * NOISE_STD, "line: true noise in the noisy patch", fontsize=7, color="0.35")
panels[2].legend(loc="lower left", ncols=2, fontsize=7)
fall = over_episodes("disagreement", "turned")[:, -1] / over_episodes("disagreement", "turned")[:, 0]
noisy_end = over_episodes("output_std", "noisy")[:, -1]
unaware = noisy_end < NOISE_STD / 2
noisy_steps = over_episodes("noisy_steps", "noisy")[:, 0]
show(
    f"{NUM_LEARNING_SEEDS} agents that learn; medians, bands hold all seeds. From the base policy's data to the end of "
    f"training, the disagreement in the turned patch goes from "
    f"{median_text(over_episodes('disagreement', 'turned')[:, 0], ' m', 3)} to "
    f"{median_text(over_episodes('disagreement', 'turned')[:, -1], ' m', 3)}: to "
    f"{median_text(100 * fall, ' %')} of what "
    "it was. The output std in the noisy patch goes from "
    f"{median_text(over_episodes('output_std', 'noisy')[:, 0], ' m', 3)} "
    f"to {median_text(noisy_end, ' m', 3)}; the truth is {NOISE_STD} m, and "
    f"{np.count_nonzero(unaware)} of the {NUM_LEARNING_SEEDS} agents end below half of it, and their first data holds "
    f"{', '.join(str(int(n)) for n in np.sort(noisy_steps[unaware]))} steps in that patch, that of the others "
    f"{noisy_steps[~unaware].min():.0f} to {noisy_steps[~unaware].max():.0f}; in the end all have met at least "
    f"{over_episodes('noisy_steps', 'noisy')[:, -1].min():.0f}."
)

# %% [markdown] name="detect-intro"
# ## Which number says "I have not been here"?
#
# The **output entropy** of a Gaussian is the usual measure of how uncertain one network says it is. Ask it, and ask the
# disagreement of an ensemble: is this place in the turned patch, or is it one that the data covers? The area under the
# ROC curve (AUROC) is the probability that a place in the turned patch scores higher than a visited one: 1 is perfect,
# 0.5 is a coin, and below 0.5 the score points the wrong way. Visited places are of two kinds, and the question is
# asked of each apart: against quiet ground, and against noisy ground.
#
# Fixed before the runs were made, paired by seed: the disagreement's AUROC minus that of the entropy is positive
# against either ground, and the entropy's against noisy ground is below 0.5. What the entropy does against quiet ground
# was left open.
#
# **To complete (no points).** Write the entropy, and the AUROC.


# %% name="entropy" nbgrader={"grade": false, "locked": false, "solution": true}
def gaussian_entropy(variances: Array) -> Array:
    """Entropy (nats) of Gaussians with independent coordinates: the sum over coordinates of ln(2 pi e variance) / 2.

    Args:
        variances: shape (..., dim).

    Returns:
        shape (...).
    """
    ### BEGIN SOLUTION
    return 0.5 * np.log(2 * np.pi * np.e * variances).sum(axis=-1)
    ### END SOLUTION


# %% name="auroc" nbgrader={"grade": false, "locked": false, "solution": true}
def auroc(positives: Array, negatives: Array) -> float:
    """The share of all pairs (one positive, one negative) in which the positive scores higher.

    Args:
        positives: scores, shape (P,).
        negatives: scores, shape (N,).
    """
    ### BEGIN SOLUTION
    return float(np.mean(positives[:, None] > negatives[None, :]))
    ### END SOLUTION


# %% name="auroc-sanity" nbgrader={"grade": false, "locked": true, "solution": false}
POINTS = read_table(DATA / "points.csv", texts=("region",))
try:
    assert np.isclose(gaussian_entropy(np.array([1.0, 1.0])), np.log(2 * np.pi * np.e)), "two standard Gaussians"
    assert auroc(np.array([2.0, 3.0]), np.array([1.0, 2.5])) == 0.75, "three of the four pairs are the right way round"
    variances = np.stack([POINTS["output_variance_x"], POINTS["output_variance_y"]], axis=-1)
    turned, visited = POINTS["region"] == "turned", np.isin(POINTS["region"], ("quiet", "noisy"))
    for name, scores in (("output entropy", gaussian_entropy(variances)), ("disagreement", POINTS["disagreement"])):
        print(f"one seed, turned patch or visited: AUROC of the {name} {auroc(scores[turned], scores[visited]):.2f}")
except NotImplementedError:
    print("Not written yet.")
except AssertionError as error:
    print(f"Not right yet: {error}")

# %% name="detect"
figure, (left, *panels) = plt.subplots(1, 3, figsize=(11, 3.8), width_ratios=(1.2, 1, 1))
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
SCORES = {"entropy": "output entropy\nof one", "disagreement": "disagreement\nof five", "total": "both\nadded"}
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


def apart(score: str, unvisited: str) -> str:
    """The AUROC of a score against quiet and against noisy ground."""
    quiet, noisy = (median_text(detection(score, against=f"{unvisited} or {v}"), "", 2) for v in ("quiet", "noisy"))
    return f"{quiet} and {noisy}"


def better(unvisited: str, visited: str) -> str:
    """How much better the disagreement tells two kinds of ground apart than the entropy."""
    against = f"{unvisited} or {visited}"
    return claim(detection("disagreement", against=against) - detection("entropy", against=against))


show(
    f"{NUM_NEW_SEEDS} seeds of models fitted once; medians with exact intervals of at least 95 %. Turned patch, AUROC "
    f"against quiet and against noisy ground: output entropy of one network {apart('entropy', 'turned')}, disagreement "
    f"of five {apart('disagreement', 'turned')}, both added {apart('total', 'turned')}. Disagreement minus entropy, "
    f"paired: against quiet ground {better('turned', 'quiet')}; against noisy ground {better('turned', 'noisy')}. Far "
    f"patch: entropy {apart('entropy', 'far')}, disagreement {apart('disagreement', 'far')}, both added "
    f"{apart('total', 'far')}; disagreement minus entropy {better('far', 'quiet')} (quiet) and "
    f"{better('far', 'noisy')} (noisy)."
)

# %% [markdown] name="detect-read"
# **What to take from it.** Against noisy ground the output entropy points the wrong way: a place that nobody has seen
# scores lower than almost every noisy one, because noise is what the entropy measures. Against quiet ground it shows
# nothing about the turned patch, and of the far patch it says rather that it is well known: where there is no data, the
# variance is extrapolated like any other output. The disagreement finds both patches against either ground. Added to
# the noise, it still does so against quiet ground; against noisy ground the noise hides it, and the sum points the
# wrong way, too. So the sum is the right number for how far off a single step may be, and the wrong one for where to
# explore. One AUROC against all visited ground would have hidden these differences.

# %% [markdown] name="members-intro"
# ## How many members, and must they resample?
#
# The turned patch is so far from the data that two members find it almost every time: there is nothing left to gain.
# So the question is asked of a harder place, too: the **border**, places whose nearest visited state is
# {{ border }} m away. On the left, the AUROC of the disagreement against the number of members. In the middle, for
# five members that each have a bootstrap sample of the data, and for five that share all of it and differ in their
# initial weights and minibatches alone (one line per seed). On the right, the ratio of their disagreements, by region.
#
# Fixed before the runs were made, for the border: more members find it better, 5 minus 2 and 10 minus 5, with shared
# and with resampled data; and, as the lecture says that resampling is usually unnecessary, resampled minus shared is
# not positive. (The distance was chosen on three other seeds.)

# %% name="members"
members = np.unique(DETECTION["num_members"]).astype(int)
figure, panels = plt.subplots(1, 3, figsize=(11, 3.7), width_ratios=(1.1, 0.8, 1.1))
of_border = {
    (arm, m): detection("disagreement", arm=arm, num_members=m, against="border or visited")
    for arm in ("resampled", "shared")
    for m in members
}
for against, arm, color, style, label in (
    ("turned or visited", "resampled", VERMILION, "^:", "turned, resampled"),
    ("border or visited", "shared", GREEN, "D--", "border, shared data"),
    ("border or visited", "resampled", PURPLE, "o-", "border, resampled"),
):
    values = np.stack([detection("disagreement", arm=arm, num_members=m, against=against) for m in members], axis=-1)
    draw_band(panels[0], members, values, color=color, style=style, label=label)
panels[0].set(xlabel="members", ylabel="AUROC against visited ground", xticks=members, title="more members")
panels[0].set_ylim(0.45, 1.03)
panels[0].legend(loc="lower right")
for one, other in zip(of_border["resampled", 5], of_border["shared", 5], strict=True):
    panels[1].plot([0, 1], [one, other], "o-", color="0.5", markersize=4, linewidth=0.8)
panels[1].set(xticks=(0, 1), xticklabels=("resampled", "shared data"), xlim=(-0.4, 1.4), ylabel="AUROC, border")
panels[1].set_ylim(0.45, 1.03)
panels[1].set_title("five members, each seed")
ratios = {r: by_region("resampled", "disagreement", r) / by_region("shared", "disagreement", r) for r in REGIONS}
draw_ratios(panels[2], ratios, "resampled / shared", f"disagreement of five, {NUM_SEEDS} seeds")


def of_members(arm: str) -> str:
    """What more members change at the border."""
    levels = ", ".join(f"{np.median(of_border[arm, m]):.2f} with {m}" for m in members)
    five_or_two, ten_or_five = (of_border[arm, a] - of_border[arm, b] for a, b in ((5, 2), (10, 5)))
    return f"{levels}; 5 minus 2 {claim(five_or_two, 3)}; 10 minus 5 {claim(ten_or_five, 3)}"


at_ceiling = detection("disagreement", num_members=2)
show(
    f"AUROC of the disagreement against visited ground, {NUM_NEW_SEEDS} seeds, paired medians with exact intervals of "
    f"at least 95 %. Turned patch, two members: {median_text(at_ceiling, '', 3)}, so nothing can be told there. "
    f"Border, shared data: {of_members('shared')}. "
    f"Border, resampled: {of_members('resampled')}. Five members, resampled minus "
    f"shared: {claim(of_border['resampled', 5] - of_border['shared', 5], 3)} (looked at later: "
    + ", ".join(f"{claim(of_border['resampled', m] - of_border['shared', m])} with {m}" for m in members if m != 5)
    + "). Resampled members disagree more than "
    "members that share the data, by a factor of "
    + ", ".join(f"{median_text(ratios[region], '', 1)} ({region})" for region in REGIONS)
    + f" ({NUM_SEEDS} seeds)."
)

# %% [markdown] name="members-read"
# **What to take from it.** At the border five members find more than two. Ten gain a little over five if they share the
# data, and nothing that can be claimed if they resample. Resampling is not only unnecessary here, it costs: with shared
# data five members find the border better, and so do two, three and ten. The panel on the right suggests why.
# Resampling adds disagreement where there *are* data, most of it in the noisy patch, and none that can be claimed where
# there are none, so the contrast between the two shrinks. What it adds is how much a fit depends on its sample. That is
# part of what is not known, but it marks no unvisited ground.

# %% [markdown] name="sets-intro"
# ## Bootstrap sets: redrawn or kept?
#
# In a bootstrap proper each member has *one* resampled set, and as data come in it only grows. Our agents
# (`hw4/agents.py`) draw new sets at every fit and keep the members' weights. So a transition that a member misses in
# one fit it is likely to meet in another, and in time every member has seen all data. What does that change? Both kinds
# of agents learn the field here. With **kept** sets, how often a member holds a transition is drawn once, when the
# transition arrives: a Poisson number with mean 1, which is what a bootstrap sample of many data holds of each.
#
# Fixed before the runs were made, paired by seed: at the end of training, the disagreement with kept sets divided by
# that with redrawn ones is above 1 on visited ground (quiet, noisy). Nothing was expected of far ground, and nothing of
# the return.


# %% name="sets"
def of_sets(column: str, sets: str) -> Array:
    """One number after each episode, shape (seeds, episodes)."""
    return BOOTSTRAP[column][BOOTSTRAP["sets"] == sets].reshape(len(np.unique(BOOTSTRAP["seed"])), -1)


figure, panels = plt.subplots(1, 3, figsize=(11, 3.7))
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
    f"{len(returns['kept'])} agents of each kind; medians with exact intervals of at least 95 %, paired by seed. At "
    "the end of training, disagreement with kept sets divided by that with redrawn ones: "
    + "; ".join(f"{region} {claim(kept_or_redrawn[region], 2, nothing=1.0)}" for region in REGIONS)
    + f". Mean return of the planned episodes: redrawn {median_text(returns['redrawn'], '', 1)}, kept "
    f"{median_text(returns['kept'], '', 1)}; kept minus redrawn {claim(returns['kept'] - returns['redrawn'], 1)}."
)

# %% [markdown] name="sets-read"
# **What to take from it.** Kept sets leave more disagreement on visited ground, as expected; the turned patch around
# the goal has been visited by then, too. They also leave more on far ground, of which nothing was expected. Redrawn
# sets make the members more alike, and so surer of themselves. For the return no difference can be claimed: this
# planner takes the average over the members, and does not ask how far apart they are.

# %% [markdown] name="fails-intro"
# ## Where it fails
#
# If the predicted spread were right, a 95 % interval would hold the next position in 95 % of steps. On the left, that
# share, by region: for one network (its output std alone) and for five (output std and disagreement). In the middle,
# the disagreement of five against the error that they really make. On the right, a trap: the same ensemble, fitted to
# the same data **without the noisy patch**, is asked about the noisy patch, which then is a hole in the middle of its
# data. Does it notice?

# %% name="fails"
figure, panels = plt.subplots(1, 3, figsize=(11, 3.6))
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
too_small = by_region("resampled", "error", "turned") / by_region("resampled", "disagreement", "turned")
too_large = by_region("resampled", "error", "far") / by_region("resampled", "disagreement", "far")
show(
    f"{NUM_SEEDS} seeds of models fitted once. The 95 % intervals of five networks hold "
    + ", ".join(f"{median_text(total[region], ' %')} of the steps ({region})" for region in REGIONS)
    + f". In the turned patch the error is {median_text(too_small, '', 1)} times the disagreement, on far ground "
    f"{median_text(too_large, '', 1)} times. Without data from the noisy patch, the output std there is "
    f"{median_text(1000 * by_region('hole', 'output_std', 'noisy'), ' mm', 1)} and the disagreement "
    f"{median_text(1000 * by_region('hole', 'disagreement', 'noisy'), ' mm', 1)}; the intervals hold "
    f"{median_text(100 * by_region('hole', 'coverage_total', 'noisy'), ' %')} of the steps."
)

# %% [markdown] name="fails-lesson"
# **What to take from it.** Disagreement finds places beyond the border of the data. It does not say how wrong the model
# is there: in the turned patch all members extrapolate the same rule, so they are wrong together, by several times
# their disagreement. A hole in the middle of the data goes unnoticed: the members agree that nothing special happens
# there. And the output variance means nothing where there is no data: it is extrapolated like any other output.

# %% [markdown] name="variance-intro"
# ## What is the variance here?
#
# Four fits, each done once: five squared-error networks, one Gaussian network, five Gaussian networks; and five
# Gaussian networks on little data ({{ few_transitions }} transitions). What number does each offer in each region, and
# what is the truth? A squared-error network predicts no variance at all.

# %% name="variance"
figure, panels = plt.subplots(1, 4, figsize=(11, 3.2), sharey=True)
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
    axes.set(xticks=x, xticklabels=REGIONS, yscale="log", title=title)
panels[0].set_ylabel("of the next position (m)")
panels[0].legend(loc="lower right", fontsize=7)
few_noisy, all_noisy = (by_region(arm, "disagreement", "noisy") for arm in ("few", "resampled"))
show(
    f"{NUM_SEEDS} seeds. In the noisy patch, five squared-error networks disagree by "
    f"{median_text(by_region('squared_error', 'disagreement', 'noisy'), ' m', 3)}, one Gaussian network says "
    f"{median_text(by_region('resampled', 'output_std', 'noisy'), ' m', 3)}, five disagree by "
    f"{median_text(all_noisy, ' m', 3)} (with little data {median_text(few_noisy, ' m', 3)}); the "
    f"noise is {NOISE_STD} m. "
    f"In the turned patch, where there is no noise and the error is "
    f"{median_text(by_region('resampled', 'error', 'turned'), ' m', 2)}, the three say "
    f"{median_text(by_region('squared_error', 'disagreement', 'turned'), ' m', 3)}, "
    f"{median_text(by_region('resampled', 'output_std', 'turned'), ' m', 3)} and "
    f"{median_text(by_region('resampled', 'disagreement', 'turned'), ' m', 3)}."
)

# %% [markdown] name="particles-intro"
# ## Rolling an ensemble out: TS-infinity and TS1
#
# Imagine one plan, straight to the goal for 20 steps, with many particles. Under **TS-infinity** a particle keeps its
# member for the whole roll-out, as your `particle_returns` does; under **TS1** it draws a new member at every step. The
# members' disagreement is not noise: a member that errs to the left errs to the left at every step. On the left only
# the members differ; on the right each step also gets noise of the predicted variance, and the real roll-outs are
# drawn with it. Past *x* = 0.5 m or so (step 10) there is no data on most seeds.

# %% name="spread"
PARTICLES = read_table(DATA / "particles.csv", texts=("scheme",))


def spread_of(scheme: str, *, noise: bool) -> Array:
    """The spread of the particles after each step (m), shape (seeds, steps)."""
    return PARTICLES["spread"][(PARTICLES["scheme"] == scheme) & (PARTICLES["noise"] == noise)].reshape(NUM_SEEDS, -1)


figure, panels = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True)
plan_steps = np.arange(1, 21)
for axes, noise, title in ((panels[0], False, "members' means only"), (panels[1], True, "means and predicted noise")):
    draw_band(axes, plan_steps, spread_of("ts_inf", noise=noise), color=VERMILION, style="-", label="TS-infinity")
    draw_band(axes, plan_steps, spread_of("ts1", noise=noise), color=BLUE, style="--", label="TS1")
    axes.set(xlabel="env steps imagined", title=title, xticks=(1, 5, 10, 15, 20))
draw_band(panels[1], plan_steps, spread_of("real", noise=True), color="black", style=":", label="real")
panels[0].set_ylabel("spread of the particles' positions (m)")
panels[1].legend(loc="upper left")
ratio = spread_of("ts1", noise=False)[:, -1] / spread_of("ts_inf", noise=False)[:, -1]
ratio_with_noise = spread_of("ts1", noise=True)[:, -1] / spread_of("ts_inf", noise=True)[:, -1]
show(
    f"{NUM_SEEDS} seeds of models fitted once; medians, bands hold all seeds. After 20 steps, with the members' means "
    "alone, the particles of TS-infinity are "
    f"{median_text(spread_of('ts_inf', noise=False)[:, -1], ' m', 2)} apart and "
    f"those of TS1 {median_text(spread_of('ts1', noise=False)[:, -1], ' m', 2)}: "
    f"{median_text(100 * ratio, ' %')} of it. "
    f"With predicted noise it is {median_text(100 * ratio_with_noise, ' %')}; real roll-outs are "
    f"{median_text(spread_of('real', noise=True)[:, -1], ' m', 2)} apart."
)

# %% [markdown] name="live-intro"
# ## Your own ensemble
#
# With `USE_MY_CODE = True` this cell trains your agent on the noisy field and draws its two uncertainties, split by
# your `decompose_uncertainty`, over the recorded bands. It stops by itself after a minute, on a slow machine before
# all seeds have run. Your curve need not be the median; outside the band on every seed is a reason to look.


# %% name="live"
def train_mine(seed: int, deadline: float) -> dict[str, list[float]]:
    """Aleatoric std in the noisy patch and epistemic std in the turned one (m), after each episode."""
    import torch

    from hw4.agents import build_agent_and_parts
    from hw4.ensemble import decompose_uncertainty
    from hw4.gaussian_model import GaussianDynamicsModel

    points = held_out_points(seed)
    agent, parts = build_agent_and_parts(EXPERIMENT, seed)
    assert isinstance(parts.model, GaussianDynamicsModel)
    stds: dict[str, list[float]] = {"noisy": [], "turned": []}
    for _ in train(make_env("noisy_field"), agent, num_episodes=EXPERIMENT.num_episodes, seed=seed):
        if len(agent.replay) < EXPERIMENT.initial_steps:
            continue
        for kind, (region, of_region) in enumerate(stds.items()):
            inputs = (points[region].observations, points[region].actions)
            with torch.no_grad():
                distribution = parts.model.predict_distribution(*(torch.from_numpy(v).float() for v in inputs))
                of_region.append(float(decompose_uncertainty(*distribution)[kind].mean().sqrt()))
        if time.monotonic() > deadline:
            break
    return stds


mine = []
if USE_MY_CODE:
    began = time.monotonic()
    for seed in own_seeds(STUDENT_ID, NUM_LIVE_SEEDS):
        if time.monotonic() < began + LIVE_SECONDS:
            mine.append(train_mine(seed, began + LIVE_SECONDS))
            print(f"seed {seed}: {len(mine[-1]['noisy'])} episodes with a model", flush=True)
    print(f"trained in {time.monotonic() - began:.0f} s")

figure, panels = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True)
for axes, region, column, title in (
    (panels[0], "noisy", "output_std", "noisy patch: aleatoric"),
    (panels[1], "turned", "disagreement", "turned patch: epistemic"),
):
    color, style = LOOKS[region]
    draw_band(
        axes, episode_numbers, over_episodes(column, region), color=color, style=style, label="recorded, all seeds"
    )
    for i, stds in enumerate(mine):
        values = stds[region]
        label = None if i else "mine, one line a seed"
        axes.plot(episode_numbers[: len(values)], values, "x-", color="black", linewidth=1.2, label=label)
    axes.set(xlabel="episodes seen", yscale="log", title=title)
    axes.legend(loc="upper right" if region == "turned" else "lower right")
panels[0].set_ylabel("standard deviation (m)")
show(
    "the recorded bands of the aleatoric std in the noisy patch and the epistemic std in the turned patch"
    + (
        "; my last ones are "
        + ", ".join(f"{stds['noisy'][-1]:.3f} m and {stds['turned'][-1]:.3f} m" for stds in mine if stds["noisy"])
        + "."
        if USE_MY_CODE
        else " alone: USE_MY_CODE is False, so none of my own runs are drawn."
    )
)

# %% [markdown] name="question-variance" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question: what is the variance here? ({{ points:answer-variance }} points)
#
# In at most 120 words: for a squared-error network, a Gaussian network and an ensemble of Gaussian networks, say what
# "the variance" is in each: where it comes from, whether it depends on the state, which kind of uncertainty it
# measures, and whether more data makes it vanish. Then name one place above where even the ensemble's total is wrong,
# with its number, and say why. Quote your own run's numbers next to the recorded ones if your ensemble runs.

# %% [markdown] name="answer-variance" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}
# ### BEGIN SOLUTION
# **Model answer.** A squared-error network predicts none: its loss is a Gaussian likelihood with one fixed variance, at
# best its mean squared residual, equal in all states. A Gaussian network's variance is fitted noise and depends on
# state and action: aleatoric, about (0.1 m)² in the noisy patch; more data estimates it better and does not remove it.
# In an ensemble the mean of the variances is that part; the variance of the means is epistemic, and more data removes
# it (noisy patch: 33 mm with little data, 6 mm with more). The total is wrong in the turned patch, where the 95 %
# intervals hold only 34 % of the steps: all members extrapolate one wrong rule.
#
# **Rubric.** Full: the three variances with state dependence, kind and what data does to each, and one failure with
# its number and reason. Half: aleatoric and epistemic named correctly, but the squared-error network is given a
# predicted variance, or no failure, or one without a number. 0: takes a network's output variance for a measure of
# what it has not seen.
# ### END SOLUTION
