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
# # Video prediction with temporal skip connections
#
# *{{ title }} · {{ term }}*
#
# **What this notebook shows.** A model that sees nothing but frames predicts the next frames under some actions, and a
# planner pushes a dot past an opaque bar with it (Finn and Levine 2017; Ebert et al. 2017). Two models are compared,
# with and without the temporal skip connection: {{ num_seeds }} scenes, each with its own films and weights.
#
# **How long it takes.** A few seconds as it stands: it draws recorded runs, so it works before you have written a line
# of code. With `USE_MY_CODE = True` it also fits one model with your functions and plans with it, about 30 seconds.
#
# **What you do.** This notebook is optional and carries no points. Run it. Once your tests of
# {{ problem:video_prediction }} and of `cem` pass, set `STUDENT_ID` and `USE_MY_CODE = True`, and run it again. Then
# answer the question at the end.

# %% name="setup" tags=["recorder"]
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks: one thread is fastest
import time
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
from hw4.commands.plots import BLUE, GREEN, ORANGE
from hw4.envs import video_prediction as world
from hw4.mpc import Objective, cem
from hw4.noise import colored_noise
from hw4.topics import video_prediction as video

# %% name="parameters" tags=["parameters"]
USE_MY_CODE = False  # True: the check and the last cell run your code
STUDENT_ID = ""  # yours: the seed of your scene and of your model is derived from it

# %% [markdown] name="world-intro"
# ## What a seed is
#
# A seed draws a scene (the texture of ground and bar), 1,000 random films in it, and the first weights of a model. Both
# models are fitted to the same films, and tested on the same new ones. Then 20 plans are made with each: the dot starts
# to the left of the bar, the goal is to the right of it, and 12 actions are planned at once and executed without
# looking again. A plan succeeds if the dot ends less than 2 pixels from the goal.


# %% name="learning" tags=["recorder"]
NUM_FILMS, FILM_STEPS = 1000, 25
NUM_TESTS, NUM_PLANS = 64, 20
CLOSE = 2.0  # pixels from the goal: a success
PLANNER: dict[str, Any] = {"population_size": 64, "num_iterations": 3, "num_elites": 8, "num_kept_elites": 2}
PLANNER |= {"smoothing": 0.1}
PLAN_STD, PLAN_COLOR = 0.7, 2.0
GOAL_X = 12.5


def learn(seed: int, *, skip: bool) -> tuple[Any, world.Scene, float]:
    """A model fitted to random films of the scene of a seed, the scene, and the processor seconds of the fit."""
    rng = np.random.default_rng(seed)
    scene = world.draw_scene(rng)
    films = world.random_films(NUM_FILMS, FILM_STEPS, scene, rng)
    frames, actions = torch.as_tensor(films.frames), torch.as_tensor(films.actions)
    began = time.process_time()
    network = video.fit(frames, actions, skip=skip, seed=seed)
    return network, scene, time.process_time() - began


def test_films(seed: int, scene: world.Scene) -> world.Films:
    """New films of the scene of a seed, in which the dot passes the bar."""
    return world.crossing_films(NUM_TESTS, scene, np.random.default_rng([seed, 1]))


@torch.no_grad()
def predicted(network: Any, films: world.Films) -> tuple[Array, Array]:
    """Frames that a model predicts for films, shape (films, 12, 16, 16), and displacements, shape (films, 12, 2)."""
    frames, actions = torch.as_tensor(films.frames), torch.as_tensor(films.actions)
    prediction = video.predict(network, frames[:, 0], frames[:, 1], actions[:, 1:])
    return prediction.frames.numpy(), prediction.displacements.numpy()


# %% [markdown] name="planning-intro"
# One plan: what it starts from, and three ways to make it. The planner of the true state uses the same CEM with the
# same noise, and knows the dot's place, its velocity and the law of the world.


# %% name="planning" tags=["recorder"]
class Start:
    """Where one plan starts and where it should go."""

    def __init__(self, scene: world.Scene, rng: np.random.Generator) -> None:
        position = np.array([[rng.uniform(*world.LEFT_OF_BAR), rng.uniform(*world.ROWS)]])
        velocity = world.SLOW * rng.normal(size=(1, 2))
        seen = world.film(position, velocity, np.zeros((1, 1, 2)), scene)
        self.goal = np.array([GOAL_X, rng.uniform(*world.ROWS)])
        self.scene, self.frames = scene, torch.as_tensor(seen.frames[0])
        self.position, self.velocity = world.move(position, velocity, np.zeros((1, 2)))

    def executed(self, action_sequences: Array) -> world.Films:
        """What really happens under some plans, shape (plans, 12, 2)."""
        places = (np.repeat(start, len(action_sequences), axis=0) for start in (self.position, self.velocity))
        return world.film(*places, action_sequences, self.scene)

    def distances(self, action_sequences: Array) -> Array:
        """How far the dot is from the goal after each step of some plans, shape (plans, 12)."""
        return np.hypot(*np.moveaxis(self.executed(action_sequences).positions[:, 1:] - self.goal, -1, 0))

    def pixel(self) -> torch.Tensor:
        """The designated pixel, the nearest to the dot, as a distribution of shape (16, 16)."""
        x, y = np.rint(self.position[0]).astype(int)
        distribution = torch.zeros(world.SIZE, world.SIZE)
        distribution[y, x] = 1.0
        return distribution

    def objective_of_model(self, network: Any) -> Objective:
        goal = torch.as_tensor(self.goal, dtype=torch.float32)
        return video.planning_objective(network, self.frames[0], self.frames[1], self.pixel(), goal)

    def objective_of_true_state(self, action_sequences: torch.Tensor) -> torch.Tensor:
        distances = self.distances(action_sequences.numpy())
        return torch.as_tensor(-(distances.mean(axis=1) + distances[:, -1]))


def plan_noise(generator: torch.Generator, number: int) -> torch.Tensor:
    return colored_noise(number, world.HORIZON, world.ACT_DIM, color=PLAN_COLOR, generator=generator)


@torch.no_grad()
def plan(objective: Objective, generator: torch.Generator) -> Array:
    """Twelve actions by CEM, shape (12, 2)."""
    mean, high = torch.zeros(world.HORIZON, world.ACT_DIM), torch.ones(world.ACT_DIM)
    std = torch.full_like(mean, PLAN_STD)
    actions = cem(objective, mean, std, -high, high, noise=lambda number: plan_noise(generator, number), **PLANNER)
    return np.asarray(actions)


def final_distances(seed: int, scene: world.Scene, way: str, network: Any = None) -> Array:
    """How far the dot ends from its goal, for each plan of a seed: by "model", "true_state" or "random".

    The starts, goals and noise of a seed are the same for all ways.
    """
    rng, generator = np.random.default_rng([seed, 2]), torch.Generator().manual_seed(seed)
    distances = []
    for _ in range(NUM_PLANS):
        start = Start(scene, rng)
        if way == "random":
            actions = np.asarray((PLAN_STD * plan_noise(generator, 1)[0]).clamp(-1, 1))
        else:
            objective = start.objective_of_true_state if way == "true_state" else start.objective_of_model(network)
            actions = plan(objective, generator)
        distances.append(start.distances(actions[None])[0, -1])
    return np.array(distances)


# %% [markdown] name="data-intro"
# The recorded tables. A seed counts as one number; the two models are compared by the differences seed by seed.
# Brackets are exact intervals of the median over seeds, of at least 95 %.

# %% name="data"
use_style()
DATA = find_data("video_prediction")
MODELS, ERRORS = read_table(DATA / "models.csv"), read_table(DATA / "errors.csv")
PLANNERS = read_table(DATA / "planners.csv", texts=("planner",))
STRIPS, PATH = read_table(DATA / "strips.csv", texts=("kind", "pixels")), read_table(DATA / "path.csv")
SEEDS = np.unique(MODELS["seed"])
LOOKS = {1: ("with skip", GREEN, "o-"), 0: ("without skip", ORANGE, "s--")}


def of_seeds(column: str, skip: int) -> Array:
    """One number a seed, shape (seeds,)."""
    return MODELS[column][MODELS["skip"] == skip]


def of_planner(planner: str) -> Array:
    """The share of plans that succeed, one number a seed."""
    return PLANNERS["success"][PLANNERS["planner"] == planner]


def error_at(step: int, skip: int, column: str = "frame_error") -> Array:
    """One number a seed, shape (seeds,)."""
    return ERRORS[column][(ERRORS["skip"] == skip) & (ERRORS["step"] == step)]


def strip(kind: str) -> tuple[Array, Array]:
    """The steps and the images of one film strip, shape (steps,) and (steps, 16, 16)."""
    chosen = STRIPS["kind"] == kind
    images = [np.array(text.split(), float) / 10_000 for text in STRIPS["pixels"][chosen]]
    return STRIPS["step"][chosen].astype(int), np.reshape(images, (-1, world.SIZE, world.SIZE))


def show_strips(kinds: tuple[str, ...], *, brightest: float, colors: str) -> None:
    """Film strips below each other, one column a step."""
    number = len(strip(kinds[0])[0])
    _, grid = plt.subplots(len(kinds), number, figsize=(10, 1.35 * len(kinds)), squeeze=False)
    for row, kind in zip(grid, kinds, strict=True):
        for axes, step, image in zip(row, *strip(kind), strict=True):
            axes.imshow(image, vmin=0, vmax=brightest, cmap=colors)
            axes.set(xticks=[], yticks=[])
            if axes in grid[0]:
                axes.set_title(f"step {step}", loc="center", fontsize=8)
        row[0].set_ylabel(kind, fontsize=8)


print(f"{len(SEEDS)} scenes, {len(MODELS['seed'])} models")

# %% [markdown] name="sanity-intro"
# **A check to see where you stand**: are the recorded runs complete? And if your code is used, do its functions do what
# they should?

# %% name="sanity" nbgrader={"grade": false, "locked": true, "solution": false}
assert len(SEEDS) >= 20, "the recorded runs are not complete"
if USE_MY_CODE:
    spot = torch.zeros(1, 5, 5)
    spot[0, 2, 2] = 1.0
    assert video.advect(spot, torch.tensor([[1.0, -1.0]]))[0, 1, 3] == 1.0, "advect: (1, -1) is right and up"
    assert torch.allclose(video.composite(spot[:, None], torch.zeros(1, 1, 5, 5)), spot), "composite: masks sum to 1"
    assert torch.allclose(video.pixel_cost(spot, torch.tensor([2.0, 4.0])), torch.tensor(2.0)), "pixel_cost"
    print("Your functions do what they should here.")
else:
    print("The recorded runs are complete. USE_MY_CODE is False: none of your code was run.")

# %% [markdown] name="strips-intro"
# ## Film strips
#
# The first test film of the first seed. The dot is pushed to the right, passes behind the bar (the grey stripe), and
# comes out again. Both models saw the two frames before step 1, and after that only actions.

# %% name="strips"
show_strips(("true", "with skip", "without skip"), brightest=1.0, colors="gray")


def brightest_behind(kind: str) -> float:
    """The brightest pixel to the right of the bar in the last frame."""
    return float(strip(kind)[1][-1][:, world.FIRST_FREE_COLUMN :].max())


show(
    "film strips of the truth, of the prediction with the skip connection and of that without. At the last step, the "
    "brightest pixel to the right of the bar has the brightness "
    + ", ".join(f"{brightest_behind(kind):.2f} ({kind})" for kind in ("true", "with skip", "without skip"))
    + "."
)

# %% [markdown] name="found-intro"
# ## How much of the dot is found again
#
# The mass of a dot is its brightness above the ground, summed over the pixels to the right of the bar. For each test
# film: 1 minus the relative error of the predicted mass after 12 steps. 1 is perfect; 0 is a dot that is not there, or
# twice there. Right: the share of plans that end less than 2 pixels from their goal.

# %% name="found"
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), width_ratios=(1, 1.6))
for x, (skip, (_, color, _)) in enumerate(LOOKS.items()):
    left.plot(x + np.linspace(-0.15, 0.15, len(SEEDS)), of_seeds("found", skip), ".", color=color)
    left.plot([x - 0.25, x + 0.25], [np.median(of_seeds("found", skip))] * 2, color=color, linewidth=2)
left.set(xticks=(0, 1), xticklabels=[label for label, _, _ in LOOKS.values()], ylim=(0, 1.05), ylabel="found again")
ways = [("true state", of_planner("true_state"), BLUE)]
ways += [(label, of_seeds("success", skip), color) for skip, (label, color, _) in LOOKS.items()]
ways += [("random", of_planner("random"), "0.5")]
for x, (_, values, color) in enumerate(ways):
    right.plot(x + np.linspace(-0.15, 0.15, len(SEEDS)), values, ".", color=color)
    right.plot([x - 0.25, x + 0.25], [np.median(values)] * 2, color=color, linewidth=2)
right.set(xticks=range(4), xticklabels=[name for name, _, _ in ways], ylim=(-0.03, 1.05), ylabel="plans that succeed")
gap = of_seeds("success", 1) - of_seeds("success", 0)
worst, best = of_seeds("found", 1).min(), of_seeds("found", 0).max()
show(
    f"one dot a seed. Found again: {median_text(of_seeds('found', 1), '', 2)} with the skip connection, "
    f"{median_text(of_seeds('found', 0), '', 2)} without; the worst with it is {worst:.2f}, the best without it "
    f"{best:.2f}. Plans that succeed: "
    + "; ".join(f"{name} {median_text(values, '', 2)}" for name, values, _ in ways)
    + f". Paired by seed, the skip connection adds {median_text(gap, '', 2)}."
)

# %% [markdown] name="errors-intro"
# ## The error, step by step
#
# Left: the squared error of a predicted frame, summed over pixels. Right: how far the sum of all displacements is from
# where the dot really went. The dot is behind the bar around the steps 5 to 9.

# %% name="errors"
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
STEPS = np.arange(1, world.HORIZON + 1)
for axes, column in ((left, "frame_error"), (right, "position_error")):
    for skip, (label, color, style) in LOOKS.items():
        values = [error_at(step, skip, column) for step in STEPS]
        axes.fill_between(
            STEPS, *np.transpose([interval_of_median(v) for v in values]), color=color, alpha=0.2, linewidth=0
        )
        axes.plot(STEPS, [np.median(v) for v in values], style, color=color, markersize=4, label=label)
    axes.set(xlabel="step", xticks=STEPS, ylim=(0, None))
left.set(ylabel="squared error of a frame")
right.set(ylabel="error of the dot's place (pixels)")
left.legend(loc="upper left")
FALLS = {skip: int((error_at(12, skip) < error_at(8, skip)).sum()) for skip in (1, 0)}
GROWTH = {skip: error_at(12, skip) - error_at(10, skip) for skip in (1, 0)}


def both(values: dict[int, Array]) -> str:
    """What it is with the skip connection, and without."""
    return f"{median_text(values[1], '', 2)} with the skip connection and {median_text(values[0], '', 2)} without"


show(
    f"median over {len(SEEDS)} seeds with its exact interval. After 12 steps the error of a frame is "
    f"{both({skip: error_at(12, skip) for skip in (1, 0)})}. In the last two steps it grows by {both(GROWTH)}. It is "
    f"lower at step 12 than at step 8 in {FALLS[1]} of {len(SEEDS)} seeds with the skip connection, and in {FALLS[0]} "
    f"without. The dot's place is off by {both({skip: error_at(12, skip, 'position_error') for skip in (1, 0)})}, in "
    "pixels."
)

# %% [markdown] name="errors-lesson"
# **What to take from it.** One might expect that with the skip connection the error falls once the dot shows again. It
# does not: the motion here is learned, its error adds up from step to step, and a dot that is shown a pixel off costs
# twice, where it is and where it should be. What the skip connection changes is how much of the dot is there at all.

# %% [markdown] name="pixel-intro"
# ## The designated pixel
#
# Planning moves a distribution over pixels instead of a dot. It starts as one pixel and is moved by the same masks as
# the frames. Here it is for the first plan of the first seed, by either model; the darker, the likelier. Below it is
# what really happened when the plan of the model with the skip connection was executed.

# %% name="pixel"
show_strips(("pixel with skip", "pixel without skip"), brightest=0.3, colors="Reds")
LEFT = {kind: strip(kind)[1].sum(axis=(1, 2)) for kind in ("pixel with skip", "pixel without skip")}
show(
    "the distribution of the designated pixel over the steps of one plan. Its sum at the first and at the last of "
    "these steps is "
    + "; ".join(f"{values[0]:.2f} and {values[-1]:.2f} ({kind})" for kind, values in LEFT.items())
    + ". What is missing is lost, and pays the mean distance of the picture."
)

# %% name="executed"
show_strips(("executed",), brightest=1.0, colors="gray")
for axes in plt.gcf().axes:
    axes.plot(PATH["goal_x"][0], PATH["goal_y"][0], "+", color=GREEN, markersize=8)
END = np.hypot(PATH["x"][-1] - PATH["goal_x"][0], PATH["y"][-1] - PATH["goal_y"][0])
show(
    f"the executed plan; the cross is the goal. It starts at x = {PATH['x'][0]:.1f}, y = {PATH['y'][0]:.1f} and ends "
    f"{END:.1f} pixels from the goal."
)

# %% [markdown] name="live-intro"
# ## Your own model
#
# With `USE_MY_CODE = True` this cell fits one model with your functions, to films of a scene of your own, and makes 20
# plans. Expect your lines to lie among the recorded dots.

# %% name="live"
figure, axes = plt.subplots(figsize=(5.5, 3.4))
for x, column in enumerate(("found", "success")):
    axes.plot(x + np.linspace(-0.15, 0.15, len(SEEDS)), of_seeds(column, 1), ".", color=GREEN)
words = "USE_MY_CODE is False, so none of my own runs are drawn."
if USE_MY_CODE:
    (my_seed,) = own_seeds(STUDENT_ID, 1)
    network, scene, seconds = learn(my_seed, skip=True)
    films = test_films(my_seed, scene)
    mine = (
        world.dot_found_again(predicted(network, films)[0][:, -1], films, scene),
        float((final_distances(my_seed, scene, "model", network) < CLOSE).mean()),
    )
    for x, value in enumerate(mine):
        axes.plot([x - 0.25, x + 0.25], [value] * 2, color="black", linewidth=1.2)
    words = (
        f"mine, fitted in {seconds:.0f} s: {mine[0]:.2f} of the dot found again, {mine[1]:.2f} of the plans succeed."
    )
axes.set(xticks=(0, 1), xticklabels=["found again", "plans that succeed"], ylim=(0, 1.05))
axes.set_title("with skip: recorded (dots), mine (black lines)")
show(f"recorded models with the skip connection, one dot a seed; {words}")

# %% [markdown] name="question"
# ## A question
#
# A colleague proposes to divide the designated pixel's distribution by its sum after every step, "because probabilities
# sum to 1". (a) What would the planner then believe while the dot is behind the bar, and why? (b) With the rule of
# `propagate_pixel`, what would go wrong if what is lost paid nothing instead of the mean distance? (c) Name one
# situation in which paying the mean distance misleads the planner, too.

# %% [markdown] name="question-answer" nbgrader={"grade": false, "locked": false, "solution": true}
# ### BEGIN SOLUTION
# (a) Behind the bar nearly all probability is lost: no candidate shows the dot there. What is left are traces, such as
# what leaked into the ground when masks were not quite 0 or 1. Divided by their tiny sum, they become a distribution
# that is sure of a place where the dot is not, and the planner steers that trace to the goal.
#
# (b) The cost of a plan that hides the dot would be about 0. So the best plan would be the one that pushes the dot
# behind the bar, or out of sight in any other way, and leaves it there.
#
# (c) Wherever the true distance differs much from the mean. Close to the goal but hidden, a dot costs more than one
# that is visible and a little further away, so a plan may shun a short cut behind something. Far from the goal, hiding
# is rewarded: the mean is less than the true distance.
#
# *Rubric.* (a) 1 part in 4 for "next to nothing is left", 1 for "scaled-up traces look certain". (b) 1 for "hiding is
# free, so plans hide the dot". (c) 1 for either situation, with its reason.
# ### END SOLUTION
