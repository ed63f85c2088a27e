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
# # Cliff hill: why a good model of your data is not enough
#
# *{{ title }} · {{ term }}*
#
# **What this notebook shows.** A model that predicts its own data almost perfectly sends its planner off a cliff,
# because the planner visits states that the data never saw: *distribution shift*. Collecting the planner's own data
# and fitting again (*aggregation*), and planning again as the world answers (*replanning*), fix it. You see this with
# {{ num_seeds }} seeds, in metres and returns, and then with your own agent. You also see two other ways out: a base
# policy that covers more, and a model that knows more physics.
#
# **How long it takes.** About 15 seconds as it is: it draws recorded runs, so it works before you have written a
# line of code. With `USE_MY_CODE = True` it also trains your agent, at most 60 seconds.
#
# **What you do.** Run it. Once your tests of {{ problem:dynamics }} and {{ problem:planning }} pass, set `STUDENT_ID`
# and `USE_MY_CODE = True` and run it again. Complete the two small functions (no points), make three diagnoses in the
# clinic (no points), and write two short answers ({{ points_in_all }} points).

# %% name="setup" tags=["recorder"]
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks: one thread is fastest
import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch

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
from hw4.envs.cliff_hill import ARENA, BOTTOM_HEIGHT, EDGE_X, STEP_LENGTH, height
from hw4.experiments import EXPERIMENTS, Experiment, Version, as_version
from hw4.training import EpisodeRecord, train
from hw4.transitions import Transition

# %% name="parameters" tags=["parameters"]
USE_MY_CODE = False  # True: the check and one cell below run your code
STUDENT_ID = ""  # yours: your agent's seeds are derived from it
NUM_LIVE_SEEDS = 3  # how many seeds it trains with
LIVE_SECONDS = 50.0  # it starts no new episode after this long

# %% name="constants" tags=["recorder"]
EXPERIMENT = EXPERIMENTS["cliff_hill"]
FIRST_PLANNED = EXPERIMENT.num_initial_episodes  # the first episode that is planned, counted from 0
VERSIONS: tuple[Version, ...] = ("0.5", "1.0", "1.5")

COLORS = {"base": BLUE, "0.5": VERMILION, "1.0": ORANGE, "1.5": GREEN}
use_style()

# %% [markdown] name="hill-intro"
# ## The hill
#
# The observation is a position (*x*, *y*) and the height of the ground there, in metres. An action moves at most 0.2
# m in each direction. The reward is the height reached, less a small cost of moving: *go right to get higher!* Past
# *x* = 3 m the ground falls away, to 5 m below zero. The reward says nothing about that edge: only the dynamics do,
# and they are what the model has to learn. One episode is 40 steps.
#
# The **base policy** draws each action at random. A few such episodes are all the data of the first model.

# %% [markdown] name="watch-intro"
# The next cell holds everything that is measured of the three versions, and the recorded runs were made with these very
# lines. Around any agent, a `Watcher` notes what the agent's model *expected* before the world answered. Read it once;
# there is nothing to write.


# %% name="watch" tags=["recorder"]
@dataclass(frozen=True)
class WatchedEpisode:
    """One episode, and what the model expected of it."""

    record: EpisodeRecord
    planned: bool  # False under the base policy
    imagined: Array  # what the episode's first plan expects to observe, shape (horizon + 1, 3); nan without a plan
    error_on_visited: float  # m; mean |error| of the next height, each asked before it was seen; nan without a plan
    error_on_base: float  # m; `height_error` of the model as it was before this episode; nan before the first fit
    error_on_plan: float  # m


class Watcher:
    """Wraps an agent: notes the first plan of an episode, rolled out in the agent's own model."""

    def __init__(self, agent: Any, horizon: int) -> None:
        self.agent = agent
        self.horizon = horizon

    def begin_episode(self) -> None:
        self.agent.begin_episode()
        self.planned = False
        self.imagined = np.full((self.horizon + 1, 3), np.nan)
        self.errors: list[float] = []

    def act(self, observation: Array) -> Array:
        action: Array = self.agent.act(observation)
        if not self.planned and self.agent.controller.plan is not None:
            self.planned = True
            self.imagined = imagine(self.agent, observation, np.asarray(self.agent.controller.plan))
        return action

    def record(self, transition: Transition) -> None:
        if self.planned:
            predicted = self.agent.predict_next(transition.observation, transition.action)
            self.errors.append(abs(predicted[2] - transition.next_observation[2]))
        self.agent.record(transition)


def imagine(agent: Any, observation: Array, plan: Array) -> Array:
    """The observations that the agent's model expects along a plan, shape (horizon + 1, 3)."""
    observations = [observation]
    for action in plan:
        observations.append(agent.predict_next(observations[-1], action))
    return np.array(observations)


def height_error(agent: Any, transitions: Transition) -> float:
    """Mean absolute error of the predicted next height (m), one step ahead."""
    predicted = [agent.predict_next(s, a)[2] for s, a in zip(transitions.observation, transitions.action, strict=True)]
    return float(np.abs(np.array(predicted) - transitions.next_observation[:, 2]).mean())


def watch(agent: Any, experiment: Experiment, seed: int, held_out: dict[str, Transition]) -> Iterable[WatchedEpisode]:
    """Train an agent, and yield each episode as it ends."""
    watcher = Watcher(agent, experiment.horizon)
    on_base = on_plan = np.nan
    for record in train(make_env("cliff_hill"), watcher, num_episodes=experiment.num_episodes, seed=seed):
        on_visited = float(np.mean(watcher.errors)) if watcher.planned else np.nan
        yield WatchedEpisode(record, watcher.planned, watcher.imagined, on_visited, on_base, on_plan)
        if held_out and len(agent.replay) >= experiment.initial_steps:  # fitted: how good is the model now?
            on_base, on_plan = height_error(agent, held_out["base"]), height_error(agent, held_out["plan"])


def believed_heights(agent: Any, x: Array) -> Array:
    """The height (m) that the agent's model expects after a full step right from each x on the ridge, y = 0."""
    positions = np.stack([x, np.zeros_like(x)], axis=-1)
    observations = np.column_stack([positions, height(positions)])
    return np.array([agent.predict_next(observation, np.array([1.0, 0.0]))[2] for observation in observations])


def imagined_return(experiment: Experiment, plan: Array, imagined: Array) -> float:
    """The return that the model expects of a plan: the task's own reward, on imagined states."""
    return float(experiment.task.reward(imagined[:-1], plan, imagined[1:]).sum())


# %% [markdown] name="data-intro"
# The recorded runs: {{ num_seeds }} seeds of each of the lecture's three versions, at the settings of
# `hw4/experiments.py`. The data also has transitions that no run ever trained on (seeds {{ held_out_seeds }}): some
# under the base policy, some under the first plan. On these, every model is asked for the next height.


# %% name="data"
def per_seed(table: dict[str, Array], column: str, version: str) -> Array:
    """One column of `episodes.csv` as an array of shape (seeds, episodes)."""
    chosen = table["version"] == version
    num_seeds = len(np.unique(table["seed"][chosen]))
    return table[column][chosen].reshape(num_seeds, -1)


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
MODELS = read_table(DATA / "models.csv", texts=("model",))
PLAIN = read_table(DATA / "plain.csv", texts=("model",))
PLANNED = read_table(DATA / "planned.csv", texts=("model",))
CLINIC = read_table(DATA / "clinic.csv", texts=("agent",))
NUM_SEEDS = len(np.unique(EPISODES["seed"]))
EPISODE_NUMBERS = np.arange(1, EXPERIMENT.num_episodes + 1)
print(f"{NUM_SEEDS} seeds of versions {', '.join(VERSIONS)}; {EXPERIMENT.num_episodes} episodes each")

# %% [markdown] name="sanity-intro"
# **A check of your setup** (no points): the recorded runs match your settings and, if your code runs, it runs what
# they ran.

# %% name="sanity" nbgrader={"grade": false, "locked": true, "solution": false}
assert EPISODES["episode"].max() == EXPERIMENT.num_episodes - 1, (
    "recorded with other settings than hw4/experiments.py has"
)
for version in VERSIONS:
    assert np.isfinite(per_seed(EPISODES, "episode_return", version)).all()
# A hand-made check of the reward on arrival: from height 0 to height 1 with a full action in x pays 1 - 0.02.
assert np.isclose(EXPERIMENT.task.reward(np.zeros(3), np.array([1.0, 0.0]), np.array([0.2, 0.0, 1.0])), 0.98)
if USE_MY_CODE:
    from hw4.agents import build_agent

    agent = build_agent(as_version(EXPERIMENT, "0.5"), seed=0)
    agent.begin_episode()
    start = np.zeros(3)
    for _ in range(EXPERIMENT.initial_steps):
        agent.record(Transition(start, agent.act(start), start))
    first_action = agent.act(start)
    assert first_action.shape == (2,), f"an action has two numbers, yours has shape {first_action.shape}"
    assert tuple(agent.controller.plan.shape) == (EXPERIMENT.task.episode_length, 2), "0.5 plans the whole episode"
    print("Your agent collects, fits and plans.")
else:
    print("The recorded runs are complete. USE_MY_CODE is False: none of your code was run.")

# %% [markdown] name="densities-intro"
# ## Where the data is, and where the plan goes
#
# Version 0.5 fits a model to the base policy's data, plans all 40 steps once, and executes them with its eyes closed.
# On the left, the states that the model was fitted to, $p_{\pi_0}(s)$. In the middle, the states that the plan really
# visits, $p_{\pi_H}(s)$. All seeds are pooled; on the grey ground the hill has ended.


# %% name="densities"
def draw_hill(axes: Any) -> None:
    """Lines of equal height, and the edge."""
    x, y = np.meshgrid(np.linspace(-2, EDGE_X, 120), np.linspace(-3, 3, 120))
    lines = axes.contour(x, y, height(np.stack([x, y], axis=-1)), levels=range(-3, 4), colors="0.55", linewidths=0.6)
    axes.clabel(lines, fmt="%d m", fontsize=7)
    axes.axvspan(EDGE_X, ARENA + 0.1, color="0.88", linewidth=0, zorder=0)
    axes.text((EDGE_X + ARENA) / 2, -2.9, f"{BOTTOM_HEIGHT:.0f} m", ha="center", fontsize=7)
    axes.axvline(EDGE_X, color="black", linewidth=1.2)
    axes.set(xlim=(-2, ARENA + 0.1), ylim=(-3, 3), xlabel="x (m)", ylabel="y (m)", aspect="equal")


base, planned = paths("base"), paths("0.5")
figure, panels = plt.subplots(1, 3, figsize=(11, 3.6), width_ratios=(1, 1, 1.15))
x_bins = np.arange(-2, ARENA + 0.21, 0.2)
for axes, states, name, color_map in (
    (panels[0], base, r"data of the base policy, $p_{\pi_0}(s)$", "Blues"),
    (panels[1], planned, r"under the plan of 0.5, $p_{\pi_H}(s)$", "Oranges"),
):
    draw_hill(axes)
    positions = states[..., :2].reshape(-1, 2)
    share, _, _ = np.histogram2d(*positions.T, bins=(x_bins, np.arange(-3, 3.01, 0.2)))
    share = 100 * share.T / len(positions)
    image = axes.pcolormesh(x_bins, np.arange(-3, 3.01, 0.2), np.ma.masked_equal(share, 0), cmap=color_map, alpha=0.85)
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
panels[2].set(xlabel="x (m)", ylabel="% of states per 0.2 m", title="the same along x", yscale="log", ylim=(0.03, 3000))
panels[2].legend(loc="upper right")
reach = base[..., 0].reshape(NUM_SEEDS, -1).max(axis=1)
beyond = 100 * (planned[..., 0] > reach[:, None]).mean(axis=1)
show(
    f"{NUM_SEEDS} seeds. The base policy's data ends at x = {median_text(reach, ' m', 1)} (median over seeds of the "
    f"largest x, with an exact 95 % interval). Of the states visited under the plan, "
    f"{median_text(beyond, ' %')} are farther right than anything in that seed's own data."
)

# %% [markdown] name="falls-intro"
# ## Version 0.5 walks off the cliff
#
# What the plan promises, and what it gets. The model has learned that moving right raises the height, and nothing in
# its data says where that ends, so it imagines that the hill continues.

# %% name="falls"
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), width_ratios=(1.5, 1))
steps = np.arange(EXPERIMENT.task.episode_length + 1)
for column, label, color, style in ((5, "imagined", BLUE, "--"), (2, "real", COLORS["0.5"], "-")):
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
right.plot(np.zeros(NUM_SEEDS), promised, "o", color=BLUE)
right.plot(np.ones(NUM_SEEDS), earned, "s", color=COLORS["0.5"])
right.axhline(0, color="0.8", linewidth=0.8, zorder=0)
right.set(xticks=(0, 1), xticklabels=("imagined", "real"), xlim=(-0.4, 1.4), ylabel="return of the episode (m, summed)")
right.set_title("the same plans: promised and earned")
show(
    f"the first plan of 0.5, {NUM_SEEDS} seeds. Imagined return {median_text(promised)}, real return "
    f"{median_text(earned)} (medians, exact 95 % intervals). On {np.sum(planned[..., 2].min(axis=1) < -4)} of "
    f"{NUM_SEEDS} seeds the agent falls over the edge, which the plan did not see coming."
)

# %% [markdown] name="mend-intro"
# ## Aggregation and replanning fix it
#
# Version 1.0 executes the whole plan as well, but adds what it saw to the data, fits again and plans again. Version
# 1.5 replans at every step, executes only the first action, and refits every few steps. The base policy's episodes
# come first in all three. When the first planned episode begins, no model has met the edge, and 0.5 and 1.0 follow the
# very same plan over it.


# %% name="mend"
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


figure, panels = plt.subplots(1, 3, figsize=(11, 3.5), sharey=True)
titles = {"0.5": "0.5: plan once, eyes closed", "1.0": "1.0: aggregate, plan again", "1.5": "1.5: replan at every step"}
for axes, version in zip(panels, VERSIONS, strict=True):
    draw_returns(axes, version)
    axes.set_title(titles[version])
panels[0].set(ylabel="return of the episode (m, summed)", ylim=(-135, 95))
panels[0].legend(loc="upper left")
last = {version: per_seed(EPISODES, "episode_return", version)[:, -1] for version in VERSIONS}
first = {version: per_seed(EPISODES, "episode_return", version)[:, FIRST_PLANNED] for version in VERSIONS}
show(
    f"return per episode, {NUM_SEEDS} seeds. From the first planned episode to the last, the median goes "
    + "; ".join(f"under {v} from {median_text(first[v])} to {median_text(last[v])}" for v in VERSIONS)
    + " (exact 95 % intervals)."
)

# %% [markdown] name="errors-intro"
# ## What exactly was fixed?
#
# On the left, what a model believes about one full step to the right, from each place along the ridge. The first
# model, the only one that 0.5 ever has, believes that the hill continues. Next to it are the last models of 1.0 and
# 1.5,
# which have met the edge.
#
# In the middle and on the right, the error of the next height, over the episodes: on held-out states of the base
# policy, on held-out states of the *first* plan (about half of them past the edge), and on the states that the agent
# visits in that episode, each asked before it was seen. Look closely: does the model become better everywhere?

# %% name="errors"
figure, panels = plt.subplots(1, 3, figsize=(11, 3.6), width_ratios=(1.25, 1, 1))
ridge = np.unique(BELIEFS["x"])
truth = BELIEFS["true_next_height"][: len(ridge)]
panels[0].plot(ridge, truth, color="black", linewidth=1, label="truth")
beliefs = {}
for model, label, color, style in (
    ("first", "first model (0.5)", COLORS["0.5"], "--"),
    ("1.0", "last model of 1.0", COLORS["1.0"], "-."),
    ("1.5", "last model of 1.5", COLORS["1.5"], "-"),
):
    beliefs[model] = BELIEFS["next_height"][BELIEFS["model"] == model].reshape(NUM_SEEDS, -1)
    low, high = np.percentile(beliefs[model], [10, 90], axis=0)
    panels[0].fill_between(ridge, low, high, color=color, alpha=0.2, linewidth=0)
    panels[0].plot(ridge, np.median(beliefs[model], axis=0), style, color=color, label=label)
panels[0].set(xlabel="x before the step (m), y = 0", ylabel="height after the step (m)", ylim=(-8, 6))
panels[0].set_title("belief about one full step right")
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
    f"medians of {NUM_SEEDS} seeds with exact 95 % intervals; bands hold the middle 80 % of seeds. A step over "
    f"the edge from the ridge ends at {truth[over].mean():.1f} m on average. The first model expects "
    f"{median_text(fall['first'], ' m', 1)}, the last model of 1.0 {median_text(fall['1.0'], ' m', 1)} and that of 1.5 "
    f"{median_text(fall['1.5'], ' m', 1)}. The first model's error is "
    f"{median_text(on_base['0.5'][:, 0], ' m', 3)} on the base policy's states and "
    f"{median_text(on_plan['0.5'][:, 0], ' m', 2)} on the first plan's. From the first planned episode to the last, "
    f"the error on the first plan's states goes to {median_text(on_plan['1.0'][:, 1], ' m', 2)} under 1.0 and "
    f"{median_text(on_plan['1.5'][:, 1], ' m', 2)} under 1.5; on the states visited now it goes from "
    f"{median_text(visited['1.0'][:, 0], ' m', 2)} to {median_text(visited['1.0'][:, 1], ' m', 2)} under 1.0 and from "
    f"{median_text(visited['1.5'][:, 0], ' m', 2)} to {median_text(visited['1.5'][:, 1], ' m', 2)} under 1.5."
)

# %% [markdown] name="mended"
# **What to take from it.** The first model is not a bad model: on states like its data it errs by millimetres. Nor does
# aggregation make it better everywhere: at the end it is *worse* on the base policy's states than it was at first, and
# on the first plan's states no improvement can be claimed under 1.0, and under 1.5 the error rises. What falls is the
# error on the states that the agent visits: the new data comes from there, and they are also other states than at
# first. The belief about a step over the edge moves towards the truth. A model need not be right everywhere to be
# useful; it has to be right where its planner goes.

# %% [markdown] name="dagger"
# ## What DAgger has, and this does not
#
# Aggregation looks like DAgger (Ross et al. 2011): run the current policy, label the states it visits, add them to the
# data, fit again. In DAgger, an *expert* labels each visited state with the right action, which costs a person's time.
# Here the label of $(s_t, a_t)$ is the next state $s_{t+1}$, and **the expert is the world itself**: it labels every
# visited state at once, free of charge, and never wrongly. What it does not label is the road not taken: the agent
# learns nothing about states that the plan only imagined until it goes there, and here the first lesson about
# the edge is a fall.

# %% [markdown] name="coverage-intro"
# ## A base policy that covers more
#
# Would 0.5 do without aggregation if its data covered more? Three base policies, each with {{ num_base_episodes }}
# episodes: *timid* draws each action from three tenths of the range, *uniform* is the one above, and *bold* draws from
# the whole range but holds each action for 20 steps, so that it gets far. After that, 0.5 fits and plans once, as
# before.


# %% name="base-policies" tags=["recorder"]
BASE_POLICIES = {"timid": (0.3, 1), "uniform": (1.0, 1), "bold": (1.0, 20)}  # share of the range, steps held


def base_policy(name: str, rng: np.random.Generator) -> Callable[[Array], Array]:
    """Random actions of one of the three kinds."""
    scale, hold = BASE_POLICIES[name]
    actions = (action for _ in itertools.count() for action in [scale * rng.uniform(-1, 1, 2)] * hold)
    return lambda observation: next(actions)


# %% name="coverage"
coverage = {name: {key: v[COVERAGE["policy"] == name] for key, v in COVERAGE.items()} for name in BASE_POLICIES}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=(1, 1.35))
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
right.set_title("what 0.5 then earns: one mark a seed")
right.legend(title="base policy", loc="upper left")
met = coverage["bold"]["largest_x"] > EDGE_X
to_the_wall = coverage["bold"]["largest_x"] >= ARENA


def works(where: Array) -> str:
    """On how many of some seeds of the bold policy 0.5 earns more than 0."""
    return f"{np.sum(coverage['bold']['episode_return'][where] > 0)} of {where.sum()}"


show(
    f"{len(met)} seeds of each base policy. The first plan of 0.5 earns "
    f"{median_text(coverage['timid']['episode_return'])} after timid data, "
    f"{median_text(coverage['uniform']['episode_return'])} after uniform data and "
    f"{median_text(coverage['bold']['episode_return'])} after bold data (medians, exact 95 % intervals). The bold "
    f"data went over the edge on {met.sum()} of {len(met)} seeds: there 0.5 earns "
    f"{median_text(coverage['bold']['episode_return'][met])}, and on the others "
    f"{median_text(coverage['bold']['episode_return'][~met])}. It earns more than 0 on {works(met)} seeds that met the "
    f"edge: on {works(to_the_wall)} whose data reached the wall, and on {works(met & ~to_the_wall)} others."
)

# %% [markdown] name="coverage-lesson"
# **What to take from it.** Version 0.5 works on no seed whose data has not met the edge. Where the data has met it,
# most plans earn something, but there are too few seeds to claim that their median does. Looked at afterwards: it works
# on all seeds whose data went on to the wall at 4 m, and fails where they just touched the edge. So coverage has to be
# wide, and it is luck as long as the base policy does not know where the plan will go. And a base policy that does the
# dangerous thing often enough to learn from it does the dangerous thing.

# %% [markdown] name="models-intro"
# ## Which model, for how much data?
#
# Now the cart-pole, data from random actions alone, and models from stiff to flexible: a linear one, networks with
# two hidden layers of 64 units (the graded one) and of 256, and a **hand-made** one, which has the equations of a
# cart-pole and only three unknown numbers, fitted to the same data (*system identification*). The hand-made model is
# wrong in places: it has no friction, takes the pole for a point mass, and knows nothing of the stops at the ends of
# the rail.


# %% name="hand-made" tags=["recorder"]
class HandMadeCartPole(torch.nn.Module):
    """A frictionless cart-pole with a point mass and an endless rail, and three unknown numbers."""

    GRAVITY = 9.81  # m/s^2
    SECONDS_PER_ACTION = 0.05
    NUM_SUBSTEPS = 5
    FIRST_GUESS = (10.0, 1.0, 1.0)  # acceleration of a full command (m/s^2), pole mass / cart mass, pole length (m)

    def __init__(self) -> None:
        super().__init__()
        self.log_parameters = torch.nn.Parameter(torch.tensor(self.FIRST_GUESS).log())  # so that they stay positive

    def predict(self, observation: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """The next observation, shape (..., 5), from observations (..., 5) and actions (..., 1)."""
        gain, mass_ratio, length = self.log_parameters.exp()
        x, sin, cos, velocity, angular_velocity = observation.unbind(-1)
        angle = torch.atan2(sin, cos)
        seconds = self.SECONDS_PER_ACTION / self.NUM_SUBSTEPS
        for _ in range(self.NUM_SUBSTEPS):
            sin, cos = torch.sin(angle), torch.cos(angle)
            pull_of_pole = mass_ratio * sin * (length * angular_velocity**2 - self.GRAVITY * cos)
            acceleration = (gain * action[..., 0] + pull_of_pole) / (1 + mass_ratio * sin**2)
            velocity = velocity + seconds * acceleration
            angular_velocity = angular_velocity + seconds * (self.GRAVITY * sin - cos * acceleration) / length
            x = x + seconds * velocity
            angle = angle + seconds * angular_velocity
        return torch.stack([x, torch.sin(angle), torch.cos(angle), velocity, angular_velocity], dim=-1)


def identify(data: Transition) -> HandMadeCartPole:
    """Fit the three numbers to transitions (torch tensors): least squares, each feature in units of its own spread."""
    model = HandMadeCartPole()
    scale = (data.next_observation - data.observation).std(dim=0)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        error = (model.predict(data.observation, data.action) - data.next_observation) / scale
        value = (error**2).mean()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return model


# %% [markdown] name="models-how"
# Each model is fitted to the first $N$ transitions under random actions, {{ num_model_seeds }} seeds. Its error, one
# step ahead, is measured twice: on new transitions under random actions (*in distribution*), and along the last
# episodes of an agent that has learned to swing the pole up (*out of distribution*: where a plan should go). An error
# of 1 is no better than always predicting the mean change. On the right, each model fitted to
# {{ planned_size }} transitions plans one episode, and its regret is how much more the same planner earns from the
# same start with the simulator itself.

# %% name="models"
MODEL_STYLE = {
    "hand_made": ("hand-made, 3 numbers", "black", "D-"),
    "linear": ("linear", PURPLE, "v-"),
    "width_64": ("network, width 64", BLUE, "o-"),
    "width_256": ("network, width 256", VERMILION, "s-"),
}
SIZES = np.unique(MODELS["size"])


def model_errors(model: str, column: str) -> Array:
    """Errors of one model, shape (seeds, sizes)."""
    return MODELS[column][MODELS["model"] == model].reshape(-1, len(SIZES))


def regrets(model: str) -> Array:
    """What planning with the simulator earns more, shape (seeds,)."""
    earned = {name: PLANNED["episode_return"][PLANNED["model"] == name] for name in (model, "simulator")}
    return earned["simulator"] - earned[model]


figure, panels = plt.subplots(1, 3, figsize=(11.5, 3.7), width_ratios=(1, 1, 0.9))
for model, (label, color, style) in MODEL_STYLE.items():
    for axes, column in zip(panels, ("error_in_distribution", "error_out_of_distribution"), strict=False):
        values = model_errors(model, column)
        low, high = np.percentile(values, [10, 90], axis=0)
        axes.fill_between(SIZES, low, high, color=color, alpha=0.12, linewidth=0)
        axes.plot(SIZES, np.median(values, axis=0), style, color=color, markersize=4, label=label)
for axes, title in zip(panels, ("in distribution: random actions", "out of distribution: a good policy"), strict=False):
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
    f"{len(simulator)} seeds: medians, bands with the middle 80 % of seeds. Fitted to {SIZES[at]:.0f} transitions, "
    + "; ".join(
        f"{label}: errs by {median_text(model_errors(model, 'error_in_distribution')[:, at], digits=2)} in and "
        f"{median_text(model_errors(model, 'error_out_of_distribution')[:, at], digits=2)} out of distribution, regret "
        f"{median_text(regrets(model))}"
        for model, (label, _, _) in MODEL_STYLE.items()
    )
    + f" (medians, exact 95 % intervals). With the simulator itself the planner earns {median_text(simulator)}. "
    f"From {SIZES[0]:.0f} to {SIZES[-1]:.0f} transitions the in-distribution error of the hand-made model goes from "
    f"{median_text(model_errors('hand_made', 'error_in_distribution')[:, 0], digits=2)} to "
    f"{median_text(model_errors('hand_made', 'error_in_distribution')[:, -1], digits=2)}, and that of the network of "
    f"width 256 from {median_text(model_errors('width_256', 'error_in_distribution')[:, 0], digits=2)} to "
    f"{median_text(model_errors('width_256', 'error_in_distribution')[:, -1], digits=2)}."
)

# %% [markdown] name="models-lesson"
# **What to take from it.** Three numbers are found from fifty transitions, and more data hardly makes the hand-made
# model better: what is left of its in-distribution error is probably the stops at the ends of the rail, which random
# actions run into and which its equations do not have. In distribution the networks overtake it: at 400 transitions
# they are behind, at 3,600 they are ahead; in between, at 1,200, that can be claimed of the wide one alone. Out of
# distribution the hand-made model stays ahead throughout, up to 3,600 transitions: along a good policy's path physics
# holds. The size of the regret is better told by the error out of distribution: in distribution the narrow network errs
# hardly more than the hand-made model, out of distribution many times as much, and planning with it mostly fails. That
# the wider network does harm with 50, 150 or 400 transitions cannot be claimed; with 150 it errs less out of
# distribution.

# %% [markdown] name="plain-intro"
# ## Is a more expressive model worse?
#
# The lecture says that mismatch becomes worse with more expressive models. On the cart-pole above it did not: the
# stiffest learned model was the worst. So here is a task made for the statement, the **windy plain**: a step moves one
# by the same length everywhere, plus a gentle wind that changes from place to place. The data are short random walks on
# the left side of the plain, the goal is on its right. A linear model has the step right and misses the wind; the
# others follow the wind where the data are.
#
# Fixed before the runs were made, each class against the linear model, paired by seed, for both data sizes: the error
# on held-out base data; the error along the episode that is planned with the model; and that episode's regret against
# the true model. And within networks: width 256 against 16.

# %% name="plain"
PLAIN_STYLE = {
    "linear": ("linear", PURPLE, "v"),
    "width_16": ("width 16", SKY, "o"),
    "width_64": ("width 64", BLUE, "o"),
    "width_256": ("width 256", GREEN, "o"),
    "cubic": ("cubic", VERMILION, "s"),
}
PLAIN_SIZES = np.unique(PLAIN["size"][PLAIN["model"] != "true"])


def on_the_plain(column: str, model: str, size: float) -> Array:
    """One column of one model, shape (seeds,)."""
    return np.asarray(PLAIN[column][(PLAIN["model"] == model) & (PLAIN["size"] == size)])


def plain_regret(model: str, size: float) -> Array:
    """What planning with the true model earns more, shape (seeds,)."""
    true = PLAIN["episode_return"][PLAIN["model"] == "true"]
    return np.asarray(true - on_the_plain("episode_return", model, size))


figure, panels = plt.subplots(1, 3, figsize=(11, 3.4), sharey=True)
columns = ("error_on_base", "error_under_plan", "regret")
for axes, column in zip(panels, columns, strict=True):
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


def against(model: str, other: str, size: float) -> str:
    """Paired differences of two models in all three columns."""
    differences = [on_the_plain(c, model, size) - on_the_plain(c, other, size) for c in columns[:2]]
    differences.append(plain_regret(model, size) - plain_regret(other, size))
    digits = (3, 2, 0)
    return ", ".join(median_text(d, "", n) for d, n in zip(differences, digits, strict=True))


show(
    f"{len(plain_regret('linear', PLAIN_SIZES[0]))} seeds, medians with exact intervals of at least 95 %. Minus the "
    "linear model's error on base data (m), error under the plan (m) and regret, paired by seed: "
    + "; ".join(
        f"with {size:.0f} transitions "
        + ", ".join(
            f"{label} ({against(model, 'linear', size)})"
            for model, (label, _, _) in PLAIN_STYLE.items()
            if model != "linear"
        )
        + f", and width 256 minus width 16 ({against('width_256', 'width_16', size)})"
        for size in PLAIN_SIZES
    )
    + "."
)

# %% [markdown] name="plain-lesson"
# **What to take from it.** Between *classes* of models the statement holds here: every flexible class fits the base
# data better than the linear one, errs more under the plan and costs return, the cubic polynomial most. Between
# *widths* of the same network little of it is left: the widest network errs a little more under the plan than the
# narrowest, and that it earns less cannot be claimed for either data size. "Expressive" is about what a class does
# where it has no data, more than about its number of weights. And the plain was made for the statement: its linear
# model is right in the part that has to be extrapolated.

# %% [markdown] name="live-intro"
# ## Your own agent
#
# With `USE_MY_CODE = True` this cell trains your agent as version 0.5 and as version 1.5, on seeds that follow from
# `STUDENT_ID` and that hardly anybody else has, and draws its curves over the recorded ones. It stops by itself
# after a minute. Your curve need not be the median; outside the band on every
# seed is a reason to look.


# %% name="live"
def train_mine(version: Version, seed: int, deadline: float) -> list[float]:
    """Returns of my agent's episodes; fewer than planned if the time is up."""
    from hw4.agents import build_agent

    experiment = as_version(EXPERIMENT, version)
    returns = []
    for record in train(
        make_env("cliff_hill"), build_agent(experiment, seed), num_episodes=experiment.num_episodes, seed=seed
    ):
        returns.append(record.episode_return)
        if time.monotonic() > deadline:
            break
    return returns


mine: dict[str, list[list[float]]] = {"0.5": [], "1.5": []}
if USE_MY_CODE:
    began = time.monotonic()
    for version in mine:
        for seed in own_seeds(STUDENT_ID, NUM_LIVE_SEEDS):
            if time.monotonic() < began + LIVE_SECONDS:
                mine[version].append(train_mine(version, seed, began + LIVE_SECONDS))
                print(f"version {version}, seed {seed}: last return {mine[version][-1][-1]:.0f}", flush=True)
    print(f"trained in {time.monotonic() - began:.0f} s")

figure, panels = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True)
for axes, version in zip(panels, mine, strict=True):
    draw_returns(axes, version)
    for i, returns in enumerate(mine[version]):
        axes.plot(
            EPISODE_NUMBERS[: len(returns)],
            returns,
            "x-",
            color="black",
            linewidth=1.2,
            markersize=5,
            label=None if i else "mine, one line a seed",
        )
    axes.set_title(f"version {version}")
panels[0].set(ylabel="return of the episode (m, summed)", ylim=(-135, 95))
panels[0].legend(loc="upper left")
finished = {
    version: [returns[-1] for returns in runs if len(returns) == EXPERIMENT.num_episodes]
    for version, runs in mine.items()
}
show(
    "the recorded bands of 0.5 and 1.5"
    + (
        "; my agent's last returns are "
        + " and ".join(
            f"{', '.join(f'{value:.0f}' for value in finished[v]) or 'not reached in time'} under {v}" for v in mine
        )
        + "."
        if USE_MY_CODE
        else " alone: USE_MY_CODE is False, so none of my own runs are drawn."
    )
)

# %% [markdown] name="exercises-intro"
# ## Two small functions
#
# No points: write them to see how little it takes to measure what this notebook is about. The cell after each says
# whether it works.


# %% name="share-outside" nbgrader={"grade": false, "locked": false, "solution": true}
def share_outside(data: Array, visited: Array) -> float:
    """The share of visited states with a coordinate outside the range that it has in the data.

    Args:
        data: states, shape (N, dim).
        visited: states, shape (M, dim).

    Returns:
        A number in [0, 1]; a state on the border of the range is inside.
    """
    ### BEGIN SOLUTION
    outside = (visited < data.min(axis=0)) | (visited > data.max(axis=0))
    return float(outside.any(axis=1).mean())
    ### END SOLUTION


# %% name="share-outside-check" nbgrader={"grade": false, "locked": true, "solution": false}
try:
    corners = np.array([[0.0, 0.0], [1.0, 2.0]])
    assert share_outside(corners, np.array([[0.5, 1.0], [1.0, 2.0], [1.1, 1.0], [0.5, -0.1]])) == 0.5
    data = base[..., :2].reshape(NUM_SEEDS, -1, 2)
    percent = [100 * share_outside(d, p[:, :2]) for d, p in zip(data, planned, strict=True)]
    print(f"It works. Of the states under the plan of 0.5, {median_text(percent, ' %')} are outside the data's range.")
except NotImplementedError:
    print("share_outside: not written yet")
except AssertionError:
    print("share_outside: not right yet: two of these four states are outside")


# %% name="roll-out" nbgrader={"grade": false, "locked": false, "solution": true}
def roll_out(predict: Callable[[Any, Any], Any], observations: Any, actions: Any, k: int) -> Any:
    """What a model expects k steps ahead, from each moment of an episode, if the executed actions are executed.

    Args:
        predict: the model; observations (n, obs_dim) and actions (n, act_dim) give next observations (n, obs_dim).
        observations: of an episode of T steps, shape (T + 1, obs_dim).
        actions: that were executed, shape (T, act_dim).
        k: steps ahead, in [1, T].

    Returns:
        shape (T - k + 1, obs_dim): entry t is what the model expects to see at time t + k, having seen only
        `observations[t]`. After the first step it sees its own predictions, never the truth.
    """
    ### BEGIN SOLUTION
    num_starts = len(actions) - k + 1
    expected = observations[:num_starts]
    for step in range(k):
        expected = predict(expected, actions[step : step + num_starts])
    return expected
    ### END SOLUTION


# %% name="roll-out-check" nbgrader={"grade": false, "locked": true, "solution": false}
try:
    # A model that errs by a tenth at each step, on an episode that moves by its action: three steps, three tenths.
    steps_taken = np.array([[1.0], [2.0], [3.0], [4.0]])
    seen = np.concatenate([np.zeros((1, 1)), np.cumsum(steps_taken, axis=0)])
    expected = roll_out(lambda observation, action: observation + action + 0.1, seen, steps_taken, 3)
    assert expected.shape == (2, 1), f"four steps have two moments with three steps ahead, yours has {len(expected)}"
    assert np.allclose(expected, [[6.3], [10.3]]), f"6.3 and 10.3 are expected, yours expects {expected.ravel()}"
    print("It works. Try it on your own agent: how fast does the error grow with k?")
except NotImplementedError:
    print("roll_out: not written yet")
except AssertionError as error:
    print(f"roll_out: not right yet: {error}")

# %% [markdown] name="clinic-intro"
# ## The clinic
#
# Three cart-pole agents are ill, each with exactly one bug in one function. You get what the grader's report would
# show about your own agent, from {{ num_clinic_seeds }} recorded runs of each, next to {{ num_clinic_seeds }} of a
# healthy one: the
# learning curve; the *model error*, one step ahead on the states just visited, each asked before the answer was seen
# (1 is as good as expecting no change); and the *optimism gap*: how much more the model promises for the agent's plans
# than these plans then earn, in reward per step.


# %% name="clinic"
CLINIC_STYLE = {"healthy": ("black", "o-"), "A": (BLUE, "s-"), "B": (VERMILION, "^-"), "C": (GREEN, "v-")}
CLINIC_EPISODES = np.unique(CLINIC["episode"])


def clinic(agent: str, column: str) -> Array:
    """One column of the clinic's records, shape (seeds, episodes)."""
    values: Array = CLINIC[column][CLINIC["agent"] == agent]
    return values.reshape(-1, len(CLINIC_EPISODES))


figure, panels = plt.subplots(1, 3, figsize=(11.5, 3.6), sharex=True)
for agent, (color, style) in CLINIC_STYLE.items():
    for axes, column in zip(panels, ("episode_return", "model_error", "optimism_gap"), strict=True):
        values = clinic(agent, column)
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
show(
    "; ".join(
        f"{agent}: median return {np.median(clinic(agent, 'episode_return')[:, -1]):.0f} in the last episode; model "
        f"error {np.median(clinic(agent, 'model_error')[:, 1]):.2f} in the second episode and "
        f"{np.median(clinic(agent, 'model_error')[:, -1]):.2f} in the last; optimism gap "
        f"{np.median(clinic(agent, 'optimism_gap')[:, -1]):.2f} in the last"
        for agent in CLINIC_STYLE
    )
    + ". Thin lines are single runs, bold ones medians of {{ num_clinic_seeds }} runs."
)

# %% [markdown] name="diagnosis-intro"
# Write down which is which. Ask of each: is the model good where the agent goes? Does it become better as data comes
# in? If the model is good and the return is not, what is left? The illnesses to choose from:
#
# - `"fits once"`: the model is fitted after the first episode and never again
# - `"not un-normalised"`: the network's answer is added to the observation as it is, in normalised units
# - `"last action"`: the controller executes the last action of each plan, not the first
# - `"tiny network"`: the network is too small for the dynamics


# %% name="diagnosis" nbgrader={"grade": false, "locked": false, "solution": true}
def diagnosis() -> dict[str, str]:
    """The illness of each of "A", "B" and "C", and in comments what shows it."""
    ### BEGIN SOLUTION
    # A: its model becomes nearly as good as the healthy one's and promises no more than its plans earn, yet the return
    #    stays low: the plans are good and are not what is executed.
    # B: the model is worse than expecting no change from its first prediction on, and more data does not help.
    # C: the model starts like the healthy one's, and then stops improving while that one's error falls: it learns no
    # more.
    return {"A": "last action", "B": "not un-normalised", "C": "fits once"}
    ### END SOLUTION


# %% name="diagnosis-shown" nbgrader={"grade": false, "locked": true, "solution": false}
try:
    print(diagnosis(), "Compare with others, and ask your TA.")
except NotImplementedError:
    print("No diagnosis yet.")


# %% [markdown] name="question-densities" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question 1: reading the densities ({{ points:answer-densities }} points)
#
# The first model is accurate on the states it was fitted to, and yet its plan fails. In at most 120 words: name the
# two distributions that differ and which of them the fit minimises its error over; say why the planner does not
# merely happen to go where the model is wrong but *looks for* such places; and support both with a number from the
# figures above.

# %% [markdown] name="answer-densities" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}
# ### BEGIN SOLUTION
# **Model answer.** The fit minimises the error over $p_{\pi_0}(s)$, the base policy's states; the plan is executed
# under $p_{\pi_H}(s)$. They barely overlap: 88 % of the plan's states are farther right than all of the data, and
# there the height error is about 60 times that on held-out base states. The planner maximises the *predicted*
# return. Among many candidates it picks those whose prediction is too high, so errors upwards are selected, not
# averaged out: imagined returns are about 125, real ones about -64.
#
# **Rubric.** Full: both distributions with their roles, the selection of optimistic errors by maximisation, and a
# correct number for each. Half: both distributions named correctly, but no selection ("the model is bad there"
# alone), or no number. 0: blames too little training or too small a network without naming the shift.
# ### END SOLUTION

# %% [markdown] name="question-honest" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question 2: reading your own curve honestly ({{ points:answer-honest }} points)
#
# Run this notebook with your own `STUDENT_ID` and `USE_MY_CODE = True`. In at most 120 words: give your seeds and your
# last returns under 0.5 and 1.5; say where they are compared with the recorded bands, how many of your seeds you would
# expect
# outside a band that holds 80 % of seeds, and how much your number of seeds can show. Then judge this sentence of a
# fellow student: "My 1.5 beats 1.0, so replanning is what fixes distribution shift." Name everything that `as_version`
# changes between the two, and the one experiment, with its seeds, that would settle it. (If your agent does not run
# yet, take the first three recorded seeds, `per_seed(EPISODES, "episode_return", "1.5")[:3, -1]` and the same for
# "0.5", and say so.)

# %% [markdown] name="answer-honest" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}
# ### BEGIN SOLUTION
# **Model answer.** (Seeds and returns are the student's own.) Under 0.5 all three fall, as recorded; under 1.5 they
# end above every return of 0.5 and inside the band. Of three seeds, 0.6 are expected outside an 80 % band by chance:
# three seeds can expose a gross bug, but not rank two working agents. 1.5 against 1.0 is no test of replanning: three
# things change at once, `replan_every` (40 to 1), `refit_every` (40 to 10: more fits, fresher data) and `horizon` (40
# to 10). Keep the refits and the horizon of 1.5, vary `replan_every` alone (1 against 10), paired over at least ten
# seeds, and report the median difference with its interval.
#
# **Rubric.** Full: own seeds and returns (or the recorded ones, said so), set against the band with what chance alone
# would give; all three changes; an experiment that varies replanning alone over several seeds. Half: own numbers
# without any uncertainty, or a change missed, or an experiment that varies two things. 0: no numbers of a run, or
# accepts the sentence.
# ### END SOLUTION
