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
# # Naive against uncertainty-aware: one walks along the edge, the other keeps its distance
#
# *{{ title }} · {{ term }}*
#
# **What this notebook shows.** Where every step is a little noisy, a plan that is good *on its mean* may be a bad plan.
# You see an agent fall that plans on means, even with a perfect model, and one that samples what may happen and keeps
# its distance; what several networks add, and what must not be promised; when expectation is too careful to find
# anything, and optimism pays. Then why a planner's own search makes it an optimist, and how learning a model compares
# with model-free RL. What was compared was written down before the runs were made; where a difference cannot be
# claimed, the text says so and gives the interval.
#
# **How long it takes.** About 15 seconds as it is: it draws recorded runs, so it works before you have written a
# line of code. With `USE_MY_CODE = True` it also trains your agent, at most 60 seconds.
#
# **What you do.** Run it, and complete two small functions (no points). Once your tests of {{ problem:dynamics }},
# {{ problem:planning }} and {{ problem:ensembles }} pass, set `STUDENT_ID` and `USE_MY_CODE = True`, and run it
# again. Then write one short answer ({{ points_in_all }} points).

# %% name="setup" tags=["recorder"]
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks: one thread is fastest
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

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
    show_gif,
    use_style,
)
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE, SKY, UNGRADED_FILE, VERMILION, read_bands
from hw4.commands.video import walks
from hw4.envs import make_env
from hw4.envs.ledge import LedgeEnv
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.rewards import (
    BRIDGE_FROM,
    BRIDGE_HALF_WIDTH,
    BRIDGE_TO,
    LEDGE_DROP,
    LEDGE_EDGE,
    bridge_reward,
    ledge_reward,
)
from hw4.training import EpisodeRecord, train
from hw4.transitions import Transition

# %% name="parameters" tags=["parameters"]
USE_MY_CODE = False  # True: the check and one cell below run your code
LIVE_ARM = "five_sampled"  # which way to plan on the ledge: a key of ARMS below; "one_mean" needs no ensemble
STUDENT_ID = ""  # yours: your agent's seeds are derived from it
NUM_LIVE_SEEDS = 3  # how many seeds it trains with
LIVE_SECONDS = 45.0  # it starts no new episode after this long

# %% name="constants" tags=["recorder"]
EXPERIMENT = EXPERIMENTS["cartpole_ensemble"]  # of the optimism gap
LENGTH = EXPERIMENT.task.episode_length
GRADED = EXPERIMENTS["ledge"]  # searches twice as many plans as below, where 400 roll-outs are everybody's budget
MAPS = {"ledge": replace(GRADED, population_size=40), "bridge": EXPERIMENTS["bridge"]}
PICTURED = ("one_mean", "five_sampled")  # the arms whose paths are drawn
MEMBERS = (1, 2, 5, 10)
DATA_SIZES = (100, 400, 1600)  # transitions
BEST_OF = (1, 10, 100, 1000)  # candidates of random shooting
CEM = "cem"  # the experiment's iterations, with 100 candidates each
STRENGTHS = (*(f"best_of_{n}" for n in BEST_OF), CEM)
TYPICAL_SIZE = 400  # transitions, where members or search vary
GAP_GRADIENT_STEPS = 800
SEEN = (40, 100, 400, 1600, 6400)  # transitions seen so far, at each fit of the networks that grow with their data
EARLY, LATE = 100, 6400  # transitions: one episode, as many as our agents' first fit has, and the last fit
READING_NOISE = 0.3  # std of the error of a reading, in units of the std of the change over one step
SIZES = {  # of networks: the settings that differ from the experiment's
    "narrow": {"ensemble_size": 1, "width": 8},
    "wide": {"ensemble_size": 1, "width": 128},
    "five_wide": {"ensemble_size": 5, "width": 128},
}
CAPACITY_GRADIENT_STEPS = 600  # at each fit
SINGLE_CHEETAH = replace(EXPERIMENTS["half_cheetah"], ensemble_size=1, population_size=600)  # equal model evaluations
NUM_BLOCKS = 10  # of candidates, each with a best one: averaged, for less noise
SEARCH_SEED = 7  # of the candidates: all models choose among the same ones

# %% [markdown] name="measure-intro"
# The next two cells hold everything that was measured, and the recorded runs were made with these very lines. Skim
# them now and come back when you want to know what a figure means; there is nothing to write. The first builds the
# agents that are compared on two maps; the second plans from a state that no model was fitted to, and tries the plan.


# %% name="arms" tags=["recorder"]
@dataclass(frozen=True)
class Arm:
    """One way to plan. All cost the same: 400 model evaluations in each iteration for each step of the horizon."""

    label: str
    settings: dict[str, Any]  # that differ from the experiment's: five networks, two sampled particles each
    knows_the_truth: bool = False  # plans with the true model instead of a learned one


ON_MEAN = {"num_particles": 0}
SQUARED = {**ON_MEAN, "members": "squared_error"}
ARMS = {
    "true_mean": Arm("true model, its mean", {"ensemble_size": 1, **ON_MEAN, "population_size": 400}, True),
    "true_sampled": Arm("true model, sampled", {"ensemble_size": 1, "num_particles": 10}, True),
    "one_mean": Arm("one network, its mean", {"ensemble_size": 1, **SQUARED, "population_size": 400}),
    "one_wide_mean": Arm("one wide, its mean", {"ensemble_size": 1, **SQUARED, "population_size": 400, "width": 76}),
    "one_sampled": Arm("one network, sampled", {"ensemble_size": 1, "num_particles": 10}),
    "five_means": Arm("five, their means", {**SQUARED, "population_size": 80}),
    "five_gaussian_means": Arm("five Gaussian, their means", {**ON_MEAN, "population_size": 80}),
    "five_sampled": Arm("five, sampled", {}),
    "ts1": Arm("five, sampled, TS1", {"trajectory_sampling": "ts1"}),
    "pessimistic": Arm("five, pessimistic", {"aggregation": "pessimistic"}),
    "mean_minus_std": Arm("five, mean - std", {"aggregation": "mean_minus_std"}),
    "mean_plus_std": Arm("five, mean + std", {"aggregation": "mean_plus_std"}),
    "optimistic": Arm("five, optimistic", {"aggregation": "optimistic"}),
}


def experiment_of(arm: str, on: str) -> Experiment:
    """The settings of an arm on a map."""
    return replace(MAPS[on], **ARMS[arm].settings)


def build_arm(arm: str, on: str, seed: int) -> Any:
    """A fresh agent of one arm for one map."""
    import torch

    from hw4.agents import aggregate, build_agent_and_parts, build_planner, draw_noise
    from hw4.ensemble import particle_returns

    experiment = experiment_of(arm, on)
    agent, parts = build_agent_and_parts(experiment, seed)
    if not ARMS[arm].knows_the_truth:
        return agent
    env: Any = make_env(on)

    def predict_distribution(observation: Any, action: Any) -> tuple[Any, Any]:
        mean = torch.as_tensor(env.mean(observation.numpy(), action.numpy()), dtype=torch.float32)
        return mean, torch.full_like(mean, env.noise_std**2)

    def objective_from(observation: Any) -> Callable[[Any], Any]:
        def objective(plans: Any) -> Any:
            noise = draw_noise(experiment, parts.generator)
            returns = particle_returns(predict_distribution, experiment.task.reward, observation, plans, noise)
            return aggregate(returns, experiment.aggregation)

        return objective

    agent.fit = lambda replay: None
    agent.controller.planner = build_planner(experiment, objective_from, parts.generator)
    return agent


def run_arm(arm: str, on: str, seed: int) -> Iterator[EpisodeRecord]:
    """Train one arm; the same seed gives every arm the same random first episode and the same starts."""
    return train(make_env(on), build_arm(arm, on, seed), num_episodes=MAPS[on].num_episodes, seed=seed)


def has_fallen(on: str, observations: Array) -> Array:
    """Whether observations (..., 2) are past the ledge's edge, or in the gorge beside the bridge; shape (...)."""
    x, y = observations[..., 0], observations[..., 1]
    if on == "ledge":
        return np.asarray(x > LEDGE_EDGE)
    return np.asarray((x > BRIDGE_FROM) & (x < BRIDGE_TO) & (np.abs(y) > BRIDGE_HALF_WIDTH))


def num_parameters(experiment: Experiment) -> int:
    """Weights and biases of all networks of an experiment."""
    task, width = experiment.task, experiment.width
    inputs = task.obs_dim + task.act_dim
    outputs = 2 * task.obs_dim if experiment.members == "gaussian" else task.obs_dim
    hidden = (experiment.num_hidden_layers - 1) * (width * width + width)
    return experiment.ensemble_size * ((inputs + 1) * width + hidden + (width + 1) * outputs)


# %% name="gap" tags=["recorder"]
@dataclass(frozen=True)
class Start:
    """A state to plan from, which no model was fitted to."""

    state: Array  # of the simulator
    observation: Array


@dataclass(frozen=True)
class Planned:
    """What a model promised of its plan, and what the plan earned, in reward summed over the horizon."""

    predicted: float
    true: float


def held_out(seed: int) -> tuple[list[Start], Transition]:
    """Six states that the base policy visits, and all transitions of these two episodes."""
    env, rng = make_env(EXPERIMENT.task_name), np.random.default_rng([seed, 1])
    starts, transitions = [], []
    for _ in range(2):
        observation, _ = env.reset(seed=int(rng.integers(2**31)))
        for step in range(LENGTH):
            if step % 30 == 15 and step < 90:
                starts.append(Start(env.state(), observation))
            action = rng.uniform(-1.0, 1.0, 1)
            next_observation, *_ = env.step(action)
            transitions.append(Transition(observation, action, next_observation))
            observation = next_observation
    return starts, Transition(*map(np.array, zip(*transitions, strict=True)))


def fitted_agent(experiment: Experiment, num_transitions: int, seed: int) -> Any:
    """An agent that has just fitted its model to base-policy data; the same seed gives nested, equal data."""
    from hw4.agents import build_agent

    episodes = num_transitions // LENGTH
    agent = build_agent(replace(experiment, num_initial_episodes=episodes), seed)
    for _ in train(make_env(EXPERIMENT.task_name), agent, num_episodes=episodes, seed=seed):
        pass
    return agent


def plan_and_try(agent: Any, experiment: Experiment, start: Start, strengths: tuple[str, ...]) -> dict[str, Planned]:
    """Plan from one state with searches of several strengths, and execute each plan open loop."""
    import torch

    from hw4.agents import build_planner
    from hw4.ensemble import particle_returns
    from hw4.noise import colored_noise

    task, horizon = experiment.task, experiment.horizon
    no_noise = torch.zeros(horizon, experiment.ensemble_size, 1, task.obs_dim)

    def predict_distribution(observation: Any, action: Any) -> tuple[Any, Any]:
        mean = agent.predict(observation, action)
        return mean, torch.zeros_like(mean)

    def objective_from(observation: Any) -> Callable[[Any], Any]:
        def objective(plans: Any) -> Any:
            returns = particle_returns(predict_distribution, task.reward, observation, plans, no_noise)
            return returns.mean(dim=(0, 1))

        return objective

    observation = torch.as_tensor(start.observation, dtype=torch.float32)
    objective = objective_from(observation)
    generator = torch.Generator().manual_seed(SEARCH_SEED)
    noise = colored_noise(max(BEST_OF), horizon, task.act_dim, color=experiment.noise_color, generator=generator)
    candidates = (experiment.initial_std * noise).clamp(task.action_low, task.action_high)
    plans = {}
    with torch.no_grad():
        returns = objective(candidates)
        for strength in strengths:
            if strength == CEM:
                planner = build_planner(replace(experiment, population_size=100), objective_from, generator)
                plans[strength] = planner(observation, torch.zeros(horizon, task.act_dim))[None]
            else:
                size = int(strength.removeprefix("best_of_"))
                blocks = returns.reshape(-1, size)[:NUM_BLOCKS]
                plans[strength] = candidates[blocks.argmax(dim=1) + size * torch.arange(len(blocks))]
        predicted = {strength: float(objective(of_strength).mean()) for strength, of_strength in plans.items()}
    env = make_env(experiment.task_name)
    env.reset()

    def true_return(plan: Any) -> float:
        env.set_state(start.state)
        return sum(env.step(action)[1] for action in plan.numpy())

    return {
        strength: Planned(predicted[strength], float(np.mean([true_return(plan) for plan in of_strength])))
        for strength, of_strength in plans.items()
    }


def noisy_readings(seed: int) -> tuple[Transition, Transition]:
    """Base-policy data whose next observations are read with noise, and held-out transitions without it."""
    rng, env = np.random.default_rng([seed, 2]), make_env(EXPERIMENT.task_name)

    def collect(num_episodes: int) -> Transition:
        transitions = []
        for _ in range(num_episodes):
            observation, _ = env.reset(seed=int(rng.integers(2**31)))
            for _ in range(LENGTH):
                action = rng.uniform(-1.0, 1.0, 1)
                next_observation = env.step(action)[0]
                transitions.append(Transition(observation, action, next_observation))
                observation = next_observation
        return Transition(*map(np.array, zip(*transitions, strict=True)))

    seen, unseen = collect(SEEN[-1] // LENGTH), collect(5)
    change = seen.next_observation - seen.observation
    error = READING_NOISE * change.std(axis=0) * rng.standard_normal(change.shape)
    return seen._replace(next_observation=seen.next_observation + error), unseen


def model_error(predict: Callable[[Any, Any], Any], transitions: Transition) -> float:
    """One-step error: 0 is perfect, 1 is as good as expecting no change. The members' mean is judged."""
    import torch

    observation, action, next_observation = transitions
    with torch.no_grad():
        means = predict(*(torch.as_tensor(values, dtype=torch.float32) for values in (observation, action))).numpy()
    expected = means.reshape(-1, *next_observation.shape).mean(axis=0)
    # Absolute, not squared: a few knocks against the rail's ends would decide a squared error.
    error = np.abs(expected - next_observation).mean(axis=0)
    change = np.abs(next_observation - observation).mean(axis=0)
    return float(np.mean(error / change))


# %% [markdown] name="data-intro"
# The recorded runs. Each figure names its seeds. Seed *k* of every arm has the same random data and the same starts,
# so arms are compared by their *paired* differences, seed by seed. An interval of a median in square brackets covers
# with at least 95 % and is exact: for 20 seeds it goes from the 6th to the 15th largest value.

# %% name="data"
use_style()
DATA = find_data("uncertainty_aware")
GAPS = read_table(DATA / "gaps.csv", texts=("strength",))
CAPACITY = read_table(DATA / "capacity.csv", texts=("size",))
SINGLE = read_table(DATA / "single_network.csv")
WALKS = read_table(DATA / "walks.csv", texts=("map", "arm"))
PATHS = read_table(DATA / "paths.csv", texts=("arm",))
MODEL_FREE = read_table(DATA / "model_free.csv", texts=("kind",))
FIRST = 1  # the first planned episode, counted from 0: every run has one random episode before it


def chosen(table: dict[str, Array], column: str, **values: Any) -> Array:
    """A column where other columns have the given values, one row a seed in order: shape (seeds, ...)."""
    rows = np.logical_and.reduce([table[name] == value for name, value in values.items()])
    num_seeds = len(np.unique(table["seed"][rows]))
    values_of_seeds = table[column][rows]
    return values_of_seeds if len(values_of_seeds) == num_seeds else values_of_seeds.reshape(num_seeds, -1)


def gap_of(**values: Any) -> Array:
    """Predicted minus true return of the chosen plans, shape (seeds,)."""
    return chosen(GAPS, "predicted", **values) - chosen(GAPS, "true", **values)


def walk(column: str, arm: str, on: str = "ledge") -> Array:
    """What was recorded of one arm on a map in each planned episode, shape (seeds, planned episodes)."""
    return chosen(WALKS, column, arm=arm, map=on)[:, FIRST:]


MIN_SEEDS = 5  # with fewer, no interval means much


def verdict(difference: Array, more: str, less: str) -> str:
    """What an interval of paired differences allows one to say."""
    if len(difference) < MIN_SEEDS:
        return f"recorded for {len(difference)} of at least {MIN_SEEDS} seeds, so nothing can be claimed"
    low, high = interval_of_median(difference)
    return more if low > 0 else less if high < 0 else "no difference can be claimed"


def error_bar(axes: Any, at: Any, values: list[Array], **style: Any) -> None:
    """Medians over seeds, with exact 95 % intervals."""
    medians = [np.median(v) for v in values]
    ends = np.array([interval_of_median(v) for v in values]).T
    axes.errorbar(at, medians, np.abs(ends - medians), capsize=3, markersize=5, **style)


print(f"{len(walk('falls', 'five_sampled'))} seeds of the walks, {len(gap_of(members=1, strength=CEM))} of the gaps")

# %% [markdown] name="sanity-intro"
# **A check of your setup** (no points): the recorded runs match your settings, the arms' budgets are equal and, if
# your code runs, it runs what they ran.

# %% name="sanity" nbgrader={"grade": false, "locked": true, "solution": false}
for on, experiment in MAPS.items():
    of_map = WALKS["episode"][WALKS["map"] == on]
    assert of_map.max() == experiment.num_episodes - 1, "recorded with other settings than hw4/experiments.py has"
assert np.isfinite(WALKS["episode_return"]).all()
# A network of width w: 4 inputs and a bias to each of w units, w + 1 to each of the next w, w + 1 to each output.
assert num_parameters(experiment_of("one_mean", "ledge")) == 5 * 32 + 33 * 32 + 33 * 2
wide, five = (num_parameters(experiment_of(arm, "ledge")) for arm in ("one_wide_mean", "five_means"))
assert abs(wide / five - 1) < 0.01, "the budgets differ"
if USE_MY_CODE:
    agent = build_arm(LIVE_ARM, "ledge", seed=0)
    agent.begin_episode()
    start = np.zeros(2)
    for _ in range(MAPS["ledge"].initial_steps):
        agent.record(Transition(start, agent.act(start), start))
    first_action = agent.act(start)
    assert first_action.shape == (2,), f"an action has two numbers, yours has shape {first_action.shape}"
    print("Your agent collects, fits and plans.")
else:
    print("The recorded runs are complete. USE_MY_CODE is False: none of your code was run.")

# %% [markdown] name="ledge-intro"
# ## Go right to get higher!
#
# The **ledge**: the reward grows with *x* up to the edge at 3 m, and a step that ends past it costs 20. The map is
# known. What has to be learned is how one moves, and every step ends 15 cm beside where it should, in *x* and in *y*.
# Two agents after the same random episode, in the last episode of their runs: on the left one network that plans on
# its mean, on the right five whose particles *sample* the noise that they predict.

# %% name="picture"
picture_seed = int(PATHS["seed"].min())
paths = {ARMS[arm].label: np.column_stack([PATHS[axis][PATHS["arm"] == arm] for axis in "xy"]) for arm in PICTURED}
falls = {label: int(has_fallen("ledge", path[1:]).sum()) for label, path in paths.items()}
show_gif(
    walks("ledge", paths),
    f"seed {picture_seed}, the last of {MAPS['ledge'].num_episodes} episodes, seen from above. "
    + " ".join(f"{label}: {count} of 40 steps end past the edge." for label, count in falls.items()),
)

# %% [markdown] name="equal-intro"
# ## Even though the mean is the same
#
# Why does the mean not see it? Two plans are predicted to end at the same place, *x* = 2.8 m, 20 cm before the edge.
# One is almost certain of it, the other is not. Take *x* as Gaussian with mean $\mu$ and standard deviation
# $\sigma$, and $z = (3 - \mu) / \sigma$. Then the reward on the ridge, without the cost of actions, has a closed
# expectation:
#
# $$\mathbb{E}[r] = \mu\,\Phi(z) - \sigma\,\varphi(z) - 20\,(1 - \Phi(z)).$$

# %% name="closed-form"
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


# %% name="equal"
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6))
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
right.set(xlabel="std of x (m)", ylabel="expected reward", title=f"mean x = {MEAN_X} m, {len(samples[0])} samples each")
right.legend(loc="lower left")
certain, uncertain = (expected_reward(MEAN_X, std) for std in STDS)
show(
    f"both plans are predicted to end at x = {MEAN_X} m, which is worth {MEAN_X}. The expected reward is "
    f"{certain:.2f} with std {STDS[0]} m and {uncertain:.2f} with std {STDS[1]} m, and falls steadily as the std "
    f"grows. Monte Carlo on the task's own reward agrees with the closed form: the largest difference is "
    f"{max(abs(m - expected_reward(MEAN_X, s)) for m, s in zip(means, sampled_at, strict=True)):.2f}."
)

# %% [markdown] name="equal-read"
# **What to take from it.** A planner that looks at the mean state sees two equal plans and may take either. Averaging
# over *returns* of sampled states tells them apart with no extra rule. Expectation alone is already cautious here,
# because much more is lost on one side of the edge than is won on the other. On a straight slope the same spread would
# cost nothing.
#
# How much spread is too much? A cautious plan ends at *x* = 2 m for certain. Complete the function.


# %% name="break-even" nbgrader={"grade": false, "locked": false, "solution": true}
def break_even_std(mean: float, safe_reward: float) -> float:
    """The std (m) at which a plan that ends at `mean` (m) on average is worth exactly `safe_reward`.

    `expected_reward(mean, std)` falls as std grows: search a fine grid between 0.01 m and 0.6 m, or bisect.
    """
    ### BEGIN SOLUTION
    grid = np.linspace(0.01, 0.6, 6000)
    return float(grid[np.argmin([abs(expected_reward(mean, std) - safe_reward) for std in grid])])
    ### END SOLUTION


# %% name="break-even-check" nbgrader={"grade": false, "locked": true, "solution": false}
try:  # no points
    std = break_even_std(MEAN_X, 2.0)
    assert abs(expected_reward(MEAN_X, std) - 2.0) < 0.02, (
        f"with std {std} the plan is worth {expected_reward(MEAN_X, std)}"
    )
    print(f"The bold plan is worth the safe 2 at a std of {std:.3f} m: beyond that, be cautious.")
except NotImplementedError:
    print("break_even_std is not written yet; nothing below needs it.")
except AssertionError as error:
    print(f"Not right yet: {error}")

# %% [markdown] name="arms-intro"
# ## What costs what
#
# Nobody learns anything in the first two arms below: they plan with the *true* model, once on its mean and once with
# its noise sampled. The others learn from one random episode of 40 steps and from what they do. All search equally
# hard: 400 model evaluations for each step of the horizon and iteration, whether these are 400 candidates of one
# network, 80 candidates of five, or 40 candidates with 10 sampled particles. The wide network has about as many weights
# as five.
#
# The comparisons were fixed before the runs were made, paired by seed:
#
# 1. true model, sampled minus its mean: return of all planned episodes, falls;
# 2. one network, sampled minus its mean: the same;
# 3. five means minus one mean, and minus one wide mean: return of the first planned episode;
# 4. five sampled minus five Gaussian networks planned on their means: return of the last three episodes;
# 5. five sampled minus one sampled: return of the first planned episode.

# %% name="arms-figure"
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
figure, (left, middle_panel, right) = plt.subplots(1, 3, figsize=(11, 4.2), width_ratios=(1.5, 1, 1), sharey=False)
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


def compared(column: str, arm: str, other: str, episodes: slice, on: str = "ledge") -> Array:
    """Paired differences of two arms, averaged over some planned episodes, shape (seeds,)."""
    difference = walk(column, arm, on)[:, episodes] - walk(column, other, on)[:, episodes]
    return np.asarray(difference.mean(axis=1))


every, first, last_three = slice(None), slice(0, 1), slice(-3, None)
comparisons = (
    ("true model, sampled minus its mean", "true_sampled", "true_mean", every, "all planned episodes"),
    ("one network, sampled minus its mean", "one_sampled", "one_mean", every, "all planned episodes"),
    ("five means minus one mean", "five_means", "one_mean", first, "first planned episode"),
    ("five means minus one wide mean", "five_means", "one_wide_mean", first, "first planned episode"),
    ("five sampled minus five Gaussian means", "five_sampled", "five_gaussian_means", last_three, "last three"),
    ("five sampled minus one sampled", "five_sampled", "one_sampled", first, "first planned episode"),
)
show(
    f"{num_seeds} seeds, medians with exact intervals of at least 95 %. Steps past the edge in the last three: "
    + "; ".join(
        f"{ARMS[name].label} {median_text(walk('falls', name)[:, -3:].mean(axis=1), '', 1)}" for name in arm_styles
    )
    + ". Return of an episode, paired by seed: "
    + "; ".join(
        f"{what}, {when}: {median_text(compared('episode_return', a, b, episodes))}, "
        f"{verdict(compared('episode_return', a, b, episodes), 'more', 'less')} (falls "
        f"{median_text(compared('falls', a, b, episodes), '', 1)})"
        for what, a, b, episodes, when in comparisons
    )
    + "."
)

# %% [markdown] name="arms-read"
# **What to take from it.** A perfect model, planned on its mean, walks along the edge and falls: accuracy does not
# cure it. Sampling the same model's noise does. Among the learned models the same holds. Members that disagree are a
# margin too, even if each is planned on its mean: five stand further from the edge than one and fall less, above all
# in the first planned episode. But it is not the margin that the noise asks for, and they fall to the end. What must
# *not* be promised: once the noise is sampled, five networks against one are a small matter on this task.

# %% [markdown] name="bridge-intro"
# ## Expected is not pessimistic, not optimistic, but often a good start
#
# The **bridge** is the same walker on another map. In the near meadow the reward grows up to the brink of a gorge. A
# cross-wind grows towards it, but on the bridge it is calm; behind the bridge every step is worth more than anywhere
# on this side. Random data do not reach the brink. So whoever asks what will *probably* happen expects to be blown off,
# and never finds out. The arms are the five sampled networks with five ways to make one number of their returns, and
# the careless single network on its mean.

# %% name="bridge"
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


def of_both(arm: str) -> str:
    """One row of the table: both maps, all planned episodes."""
    on_ledge, on_bridge = (compared("episode_return", arm, "five_sampled", every, on) for on in MAPS)
    return (
        f"{ARMS[arm].label:24s} {median_text(on_ledge):>16s} {np.median(walk('falls', arm).mean(axis=1)):8.1f} "
        f"{median_text(on_bridge):>16s} {100 * crossed[arm][:, -1].mean():10.0f} %"
    )


stuck = [100 * (1 - crossed[arm][:, -1].mean()) for arm in ("pessimistic", "five_sampled", "optimistic")]
show(
    f"{len(crossed['optimistic'])} seeds. In the last episode {stuck[1]:.0f} % of the agents that plan on the expected "
    f"return are not in the far meadow, {stuck[0]:.0f} % of the pessimists and {stuck[2]:.0f} % of the optimists. The "
    f"careless single network crosses in {100 * crossed['one_mean'][:, -1].mean():.0f} % of the seeds, and pays: "
    f"{median_text(compared('falls', 'one_mean', 'five_sampled', every, 'bridge'), '', 1)} more steps in the gorge an "
    f"episode than the expected return (optimism: "
    f"{median_text(compared('falls', 'optimistic', 'five_sampled', every, 'bridge'), '', 1)}). With the true model "
    f"{100 * crossed['true_sampled'][:, -1].mean():.0f} % cross, so it is not the search that keeps them."
)
print("\nall planned episodes    ledge: return minus    falls a   bridge: return minus   far in the")
print("                        expected's             episode   expected's             last episode")
for arm in ways[:5]:
    print(of_both(arm))

# %% [markdown] name="bridge-read"
# **What to take from it.** Read both maps together. On the ledge optimism costs falls, and no gain of pessimism over
# expectation can be claimed: sampling is careful enough. On the bridge only optimism, the milder kind too, finds what
# nobody has seen; expectation is safe and poor on almost every seed. A planner that does not know what it does not
# know crosses as well: carelessness and optimism look alike where the surprise is a good one. That is why no single
# task can say which is right, and why "expected" is often a good start, but not more.

# %% [markdown] name="curse-intro"
# ## The winner's curse
#
# Suppose all candidate plans are equally good, with true return 0, and the model's predicted returns are right *on
# average*: each is off by a random error. The planner takes the candidate with the largest prediction. Complete the
# function: what does it believe it has found?


# %% name="curse" nbgrader={"grade": false, "locked": false, "solution": true}
def promised_by_best(errors: Array) -> Array:
    """What the chosen candidate is predicted to return, if every true return is 0.

    The candidates are compared by the mean of the members' predictions.

    Args:
        errors: each member's error on each candidate, shape (trials, members, candidates).

    Returns:
        shape (trials,).
    """
    ### BEGIN SOLUTION
    return errors.mean(axis=1).max(axis=1)
    ### END SOLUTION


# %% name="curse-check" nbgrader={"grade": false, "locked": true, "solution": false}
try:  # no points
    by_hand = promised_by_best(np.array([[[1.0, -2.0, 0.0], [-1.0, 4.0, 1.0]]]))
    assert np.allclose(by_hand, [1.0]), f"the members' means are 0, 1 and 0.5, so the answer is 1; yours is {by_hand}"
    rng = np.random.default_rng(0)
    print("promised by the best of n candidates, errors with std 1, independent:")
    for members in (1, 5):
        means = [promised_by_best(rng.normal(size=(2000, members, n))).mean() for n in (1, 10, 100)]
        print(f"{members} member(s):", ", ".join(f"n = {n}: {m:.2f}" for n, m in zip((1, 10, 100), means, strict=True)))
except NotImplementedError:
    print("promised_by_best is not written yet; the figures below do not need it.")
except AssertionError as error:
    print(f"Not right yet: {error}")

# %% [markdown] name="gaps-intro"
# ## The optimism gap, measured
#
# Now with learned models of the cart-pole. The **optimism gap** of a plan is the return that the model predicts for
# it, less the return that the very same actions earn in the simulator. Models were fitted to base-policy data; each
# planned 20 steps from states of held-out base-policy episodes, open loop. Planners of growing strength take the best
# of *n* candidates, or refine them (CEM).
#
# Before you look: which way should the gap go with a stronger search, with more data, and with more members?

# %% name="gaps"
figure, panels = plt.subplots(1, 3, figsize=(11, 3.6), width_ratios=(1.3, 1, 1), sharey=True)
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
    f"medians over {len(unsearched)} seeds with exact 95 % intervals. One network, {TYPICAL_SIZE} transitions: the "
    f"gap of an unsearched plan is {median_text(unsearched, '', 2)}, that of CEM's plan "
    f"{median_text(typical[1], '', 2)}; paired by seed, the search adds {median_text(by_search, '', 2)}. With CEM, "
    f"five networks have a gap of {median_text(typical[5], '', 2)}, which is {median_text(by_members, '', 2)} less "
    f"than one network's (paired), and ten have {median_text(typical[10], '', 2)}. "
    f"From {DATA_SIZES[0]} to {DATA_SIZES[-1]} "
    f"transitions one network's gap changes by {median_text(by_data, '', 2)} (paired): "
    f"{verdict(by_data, 'it grows', 'it shrinks')}."
)

# %% [markdown] name="gaps-read"
# **What to take from it.** Nobody searched for the plans on the far left, and of them no gap can be claimed. The
# *search* makes it an optimist: among many candidates the best-looking are those whose errors point up. With five
# networks the errors that are a member's own average out, and the gap is smaller. It need not vanish: members that saw
# the same data also share errors, and no average removes those. In the toy above, where all errors are independent,
# five members leave $1/\sqrt{5} = 45$ % of the gap.
#
# A result that you may not expect: more data of the *same kind* does not close the gap here. Probably the plan leaves
# the states that random actions visit, however many of them were recorded. What may help is data of the planner's own:
# the aggregation of the notebook on distribution shift.

# %% [markdown] name="capacity-intro"
# ## Not overfit early, capacity late
#
# The lecture asks two things of a model at once: it must not overfit early in training, when there are few data, and
# it needs the capacity to fit well later. Here a narrow network, a wide one and five wide ones follow the same growing
# data of the cart-pole, as an agent's model does over its training: {{ capacity_steps }} gradient steps at each fit,
# and the weights are kept from one fit to the next. The readings are noisy: each coordinate of a next observation that
# the networks see is off by {{ reading_noise }} standard deviations of its change over a step. Without noise there is
# nothing to overfit here. Held-out transitions are judged without it.
#
# Fixed before the runs were made, for the held-out error, paired by seed: wide minus narrow is positive early
# ({{ early }} transitions, one episode); narrow minus wide is positive late ({{ late }}); five wide minus one wide is
# negative early, and late. The noise, the width and the number of gradient steps were chosen on three other seeds.


# %% name="capacity"
def of_size(column: str, size: str) -> Array:
    """One column of the networks of one size, shape (seeds, fits)."""
    return chosen(CAPACITY, column, size=size)


size_looks = {
    "narrow": (VERMILION, "v-", f"one of width {SIZES['narrow']['width']}"),
    "wide": (ORANGE, "o-", f"one of width {SIZES['wide']['width']}"),
    "five_wide": (BLUE, "s-", f"five of width {SIZES['five_wide']['width']}"),
}
figure, panels = plt.subplots(1, 3, figsize=(11, 3.7))
held = {size: of_size("held_out_error", size) for size in SIZES}
for i, (size, (color, style, label)) in enumerate(size_looks.items()):
    at = np.array(SEEN) * 1.06 ** (i - 1)  # a little apart
    look: dict[str, Any] = {"fmt": style, "color": color, "label": label}
    error_bar(panels[0], at, list(of_size("train_error", size).T), **look)
    error_bar(panels[1], at, list(held[size].T), **look)
    if size != "wide":
        error_bar(panels[2], at, list((held[size] / held["wide"]).T), **look)
panels[2].axhline(1, color=ORANGE, linewidth=1)
panels[0].set(ylabel="error (1: as good as expecting no change)", title="on the noisy data that they were fitted to")
panels[1].set(title="on held-out data without noise")
panels[2].set(ylabel="held-out error / that of one wide", title="paired by seed")
for axes in panels:
    axes.set(xscale="log", yscale="log", xlabel="transitions seen so far")
    axes.set_xticks(SEEN, [f"{n:,}" for n in SEEN])
    axes.minorticks_off()
for axes, ticks in ((panels[0], (0.1, 0.2, 0.5, 1, 2)), (panels[1], (0.1, 0.2, 0.5, 1, 2)), (panels[2], (0.5, 1, 2))):
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
panels[0].sharey(panels[1])
panels[0].legend(loc="lower right")


def apart(size: str, other: str, transitions: int) -> Array:
    """Paired difference of held-out errors after the fit to so many transitions, shape (seeds,)."""
    return np.asarray((held[size] - held[other])[:, SEEN.index(transitions)])


fixed_before = (
    ("wide minus narrow, early", apart("wide", "narrow", EARLY)),
    ("narrow minus wide, late", apart("narrow", "wide", LATE)),
    ("five wide minus one wide, early", apart("five_wide", "wide", EARLY)),
    ("five wide minus one wide, late", apart("five_wide", "wide", LATE)),
)
show(
    f"{len(held['wide'])} seeds, medians with exact intervals of at least 95 %. Held-out error early ({EARLY} "
    f"transitions) and late ({LATE:,}): "
    + "; ".join(
        f"{label} {median_text(held[size][:, SEEN.index(EARLY)], '', 2)} and "
        f"{median_text(held[size][:, SEEN.index(LATE)], '', 3)}"
        for size, (_, _, label) in size_looks.items()
    )
    + ". Paired by seed: "
    + "; ".join(
        f"{what} {median_text(values, '', 3)}, {verdict(values, 'positive', 'negative')}"
        for what, values in fixed_before
    )
    + ". Looked at later: five wide minus narrow "
    + ", ".join(f"{median_text(apart('five_wide', 'narrow', n), '', 2)} ({n:,})" for n in SEEN)
    + "."
)

# %% [markdown] name="capacity-read"
# **What to take from it.** Early, the wide network follows the noise: on its own data its error is far below that of
# the narrow one, and on held-out data it is above it. Late, the narrow network is behind: it cannot represent the
# cart-pole, or does not learn to in these steps, and its error stays high even on the data that it was fitted to. So
# neither width is right at every time. Five wide networks have lower held-out errors than one at each time: what each
# of them fits of the noise is its own, and the average cancels part of it. Only part: with 40 transitions they are
# still behind the narrow network, and with 100 no difference between the two can be claimed (these two comparisons were
# made after the runs were seen).

# %% [markdown] name="cheetah-intro"
# ## How model-based compares: the half-cheetah
#
# The lecture's figure has model-based RL *before* uncertainty, with a single network, and *after*, with an ensemble.
# Here are both: our agent with one network and with five, at the same number of model evaluations (so the single
# network's search has five times the candidates), and every other setting alike. Next to them is soft actor-critic
# (SAC, model-free, default settings of stable-baselines3), on the same environment: same reward, same 250 steps an
# episode. Our curves are the returns of the episodes as they were collected; SAC's line is its deterministic policy on
# five fixed starts, and its dots are the episodes it collected, with the noise it explores with. The horizontal lines
# are a random policy and a planner that holds the *true* simulator (at a smaller search).
#
# Fixed before the single network was run: ensemble minus single, the mean return of the last five episodes, is positive
# according to the lecture. There are only as many runs of each as the ensemble's band has, so no interval exists.

# %% name="cheetah"
BAND = read_bands(UNGRADED_FILE)["half_cheetah"]  # our recorded runs: the lowest, the median and the highest


def evaluations(seed: float) -> tuple[Array, Array]:
    """Env steps, and the mean return of SAC's deterministic policy over its starts."""
    rows = (MODEL_FREE["kind"] == "evaluation") & (MODEL_FREE["seed"] == seed)
    at = np.unique(MODEL_FREE["env_steps"][rows])
    means = [MODEL_FREE["episode_return"][rows & (MODEL_FREE["env_steps"] == env_steps)].mean() for env_steps in at]
    return at, np.array(means)


figure, axes = plt.subplots(figsize=(8.5, 4))
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
    axes.axhline(level, color="0.4", linewidth=0.8, linestyle=":")
    axes.text(260, level, label, color="0.3", fontsize=8, va="bottom")
axes.set(xscale="log", xlim=(240, 70_000), xlabel="env steps (log scale)", ylabel="return of an episode of 250 steps")
axes.minorticks_off()
axes.set_xticks((300, 1000, 3000, 10_000, 30_000), ("300", "1,000", "3,000", "10,000", "30,000"))
axes.legend(loc="upper left")
last_of_ours = float(np.mean(BAND.median[-5:]))
same_steps = BAND.env_steps[-1]
sac_then = [returns[at == same_steps][0] for at, returns in map(evaluations, sac_seeds) if same_steps in at]
long_at, long_returns = max(map(evaluations, sac_seeds), key=lambda run: run[0][-1])
ahead = long_at[long_returns > last_of_ours]
then = ", ".join(f"{value:.0f}" for value in sac_then) or "no recorded value"
crossing = f"{ahead[0]:.0f} env steps" if len(ahead) else "no recorded point"
last_of_single = single[:, -5:].mean(axis=1)
ends = " and ".join(f"{value:.0f}" for value in last_of_single)
differences = " and ".join(f"{last_of_ours - value:.0f}" for value in last_of_single)
show(
    f"half-cheetah, {BAND.num_runs} runs with five networks, {len(single)} with one and {len(sac_seeds)} of SAC: too "
    f"few for an interval. Mean return of the last five episodes: the runs with one network end at {ends}, the median "
    f"of those with five at {last_of_ours:.0f}, so five minus one is {differences}. With five, ours end at "
    f"{last_of_ours:.0f} (the median's mean over the last five episodes) after {same_steps} env steps, where SAC's "
    f"deterministic policy returns {then}. The longest SAC run is first above our last level at {crossing}; at "
    f"{long_at[-1]:.0f} env steps it returns {long_returns[-1]:.0f}."
)

# %% [markdown] name="cheetah-read"
# **Before and after.** Both runs with one network end below both runs with five, as in the lecture's figure. If there
# were no difference, two runs would end below two others by chance in one of six cases. So this agrees with the lecture
# and proves nothing. Equal cost is also not equal search: the single network chose among five times as many candidates,
# and a stronger search makes a planner more of an optimist, as the section on the gap shows. What part that has here
# was not measured.
#
# **Model-based and model-free.** At its first evaluation SAC's policy returns about 0 and ours, just past its
# random episodes, less; ours then climbs first. Every recorded run of ours stops far below what a small search with the
# true simulator earns (the upper line), and SAC passes that line later: the limit is our model's and our search's, not
# the task's. The race itself rests on very few runs of each, so read its order of magnitude and not its digits; the
# sentence above says how far SAC was followed. The two also spend differently: SAC takes one gradient step per env
# step, ours 600 for each of five networks every 250 env steps, and plans at every step. Recorded by `python -m
# publish.recorders` with `model_free` (staff; it needs stable-baselines3), `ungraded` and `uncertainty_aware`.

# %% [markdown] name="live-intro"
# ## Your own agent
#
# With `USE_MY_CODE = True` this cell trains your agent on the ledge, counts its falls, and draws its curves over the
# recorded ones of the same arm (`LIVE_ARM`; `"one_mean"` needs no ensemble). Try `"five_sampled"` first and then
# `"one_mean"`: the difference is the one in the picture at the top. It stops by itself after a minute, on a slow
# machine before all seeds have run. Your curve need not be the median; outside the band on every seed is a reason to
# look.

# %% name="live"
mine: list[list[float]] = []
my_falls: list[list[int]] = []
if USE_MY_CODE:
    began = time.monotonic()
    for seed in own_seeds(STUDENT_ID, NUM_LIVE_SEEDS):
        if time.monotonic() > began + LIVE_SECONDS:
            break
        mine.append([])
        my_falls.append([])
        for record in run_arm(LIVE_ARM, "ledge", seed):
            if record.episode >= FIRST:
                mine[-1].append(record.episode_return)
                my_falls[-1].append(int(has_fallen("ledge", record.observations[1:]).sum()))
            if time.monotonic() > began + LIVE_SECONDS:
                break
        print(f"{ARMS[LIVE_ARM].label}, seed {seed}: steps past the edge in each planned episode {my_falls[-1]}")
    print(f"trained in {time.monotonic() - began:.0f} s")

figure, panels = plt.subplots(1, 2, figsize=(11, 3.6))
for axes, column, own in ((panels[0], "episode_return", mine), (panels[1], "falls", my_falls)):
    recorded = walk(column, LIVE_ARM)
    low, high = np.percentile(recorded, [10, 90], axis=0)
    axes.fill_between(planned, low, high, color=BLUE, alpha=0.2, linewidth=0, label="recorded: middle 80 % of seeds")
    axes.plot(planned, np.median(recorded, axis=0), "o-", color=BLUE, markersize=4, label="recorded: median")
    for i, values in enumerate(own):
        label = None if i else "mine, one line a seed"
        axes.plot(planned[: len(values)], values, "x-", color="black", linewidth=1.2, markersize=5, label=label)
    axes.set(xlabel="episode (40 env steps each)", title=ARMS[LIVE_ARM].label)
panels[0].set_ylabel("return of the episode")
panels[1].set_ylabel("steps of 40 past the edge")
panels[0].legend(loc="lower right")
finished = [f"{np.mean(values[-3:]):.1f}" for values in my_falls if len(values) == len(planned)]
show(
    f"the recorded band of {ARMS[LIVE_ARM].label}, {len(recorded)} seeds; it falls "
    f"{median_text(recorded[:, -3:].mean(axis=1), '', 1)} times an episode in the last three"
    + (
        f"; my agent falls {', '.join(finished) or 'not reached in time'} times."
        if USE_MY_CODE
        else ". USE_MY_CODE is False, so none of my own runs are drawn."
    )
)

# %% [markdown] name="question-counterexamples" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question: neither is always right ({{ points:answer-counterexamples }} points)
#
# An ensemble of two members predicts the return of two actions, *a* and *b*. Planning can judge an action by its
# mean, its worst member (pessimistic) or its best member (optimistic). In at most 120 words, give two tables of four
# predicted returns each, and for each say what the truth is: one where pessimism chooses the wrong action although
# the mean chooses the right one, and one where optimism does. Say for each which error of the members fools it, and
# whether collecting data with *that* choice would correct it.

# %% [markdown] name="answer-counterexamples" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}
# ### BEGIN SOLUTION
# **Model answer.** *Pessimism.* Members say 4 and 5 of *a*, 3 and 12 of *b*; the truth is 4.5 and 8. The means (4.5,
# 7.5) choose *b*, the worst members (4, 3) *a*: one member is too low about *b*. Choosing *a* yields no data about *b*,
# so the error stays: pessimism is not corrected by its own data.
#
# *Optimism.* Members say 4 and 5 of *a*, 8 and -6 of *b*; the truth is 4.5 and 0. The means (4.5, 1) choose *a*, the
# best members (5, 8) *b*: one member is too high about it. Trying *b* shows its return, the refit lowers that member,
# and the next choice is *a*: corrected, at the price of one bad try.
#
# **Rubric.** Full: two tables with a truth each, in which the mean is right and the criterion wrong, and the
# difference in what data corrects (optimism corrects itself by trying, pessimism does not). Half: one table correct, or
# both without what data corrects. 0: no numbers, or tables in which the criterion chooses the right action.
# ### END SOLUTION
