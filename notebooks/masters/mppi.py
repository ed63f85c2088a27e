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
# # MPPI: a weighted average instead of elites
#
# *{{ title }} · {{ term }}*
#
# **What this notebook shows.** The planner of PDDM (Nagabandi et al. 2019) on the cart-pole, next to random shooting
# and CEM, all three with the same learned models and the same number of candidates per control step: where it is
# better, where it is not, what `kappa` and `beta` do, and how fast the planners are. {{ num_models }} learned models,
# medians with intervals.
#
# **How long it takes.** A few seconds as it stands: it draws recorded runs, so it works before you have written a line
# of code. With `USE_MY_CODE = True` it also trains your ensemble and plans with it, at most 60 seconds.
#
# **What you do.** This notebook is optional and carries no points. Run it. Once your tests of `filter_noise` and
# `mppi_update` pass, and those of {{ problem:ensembles }}, set `STUDENT_ID` and `USE_MY_CODE = True`, and run it again.

# %% name="setup" tags=["recorder"]
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks: one thread is fastest
import dataclasses
import time
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch

from hw4.agents import build_planner
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
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE
from hw4.ensemble import aggregate_returns, particle_returns
from hw4.envs import make_env
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.mpc import MPC, Objective
from hw4.topics import mppi
from hw4.training import run_episode, train
from hw4.transitions import Transition

# %% name="parameters" tags=["parameters"]
USE_MY_CODE = False  # True: the check and the last cell run your code
STUDENT_ID = ""  # yours: your agent's seeds are derived from it
NUM_LIVE_SEEDS = 2  # how many ensembles it trains
LIVE_SECONDS = 30.0  # it starts no new training run after this long

# %% [markdown] name="ways-intro"
# ## What is compared
#
# Each seed trains one ensemble, as the experiment `cartpole_ensemble` does. Then learning stops, and every
# planner below controls the cart-pole with that same ensemble, from the same two start states. So a difference between
# two planners is a difference of planning alone; note, though, that it was CEM that collected the ensemble's data. The
# number of candidates is that of one control step: random shooting and MPPI score all of them in one call, CEM in three
# iterations.
#
# CEM runs with the settings of the experiment, with one exception: no more than a third of a population are elites.
# With 30 candidates a population is 10, and the 10 elites of the experiment would be all of it.


# %% name="ways" tags=["recorder"]
@dataclass(frozen=True)
class Way:
    """One way to plan."""

    planner: str  # "random_shooting", "cem" or "mppi"
    candidates: int  # action sequences scored in a control step
    kappa: float | None = None  # of mppi alone
    beta: float | None = None  # of mppi alone


ENSEMBLE = EXPERIMENTS["cartpole_ensemble"]
CANDIDATES = (30, 90, 300)
KAPPAS = (0.1, 1.0, 3.0, 10.0, 30.0, 1000.0)
BETAS = (0.2, 0.5, 1.0)
KAPPA, BETA = 10.0, 0.5  # where the other is varied, and in the comparison with other planners
COMPARED_AT = 90  # candidates, where kappa or beta is varied

WAYS = [Way(planner, candidates) for planner in ("random_shooting", "cem") for candidates in CANDIDATES]
WAYS += [Way("mppi", candidates, KAPPA, BETA) for candidates in CANDIDATES]
WAYS += [Way("mppi", COMPARED_AT, kappa, BETA) for kappa in KAPPAS if kappa != KAPPA]
WAYS += [Way("mppi", COMPARED_AT, KAPPA, beta) for beta in BETAS if beta != BETA]


def settings_of(way: Way) -> Experiment:
    """The experiment with as many candidates as `way` has, and at most a third of a population as elites."""
    population_size = way.candidates // ENSEMBLE.num_iterations
    return dataclasses.replace(
        ENSEMBLE,
        planner="random_shooting" if way.planner == "random_shooting" else "cem",
        population_size=population_size,
        num_elites=min(ENSEMBLE.num_elites, population_size // 3),
    )


# %% [markdown] name="fixed-model-intro"
# An agent that no longer learns, and measures how long its plans take. The recorded runs were made with this code.


# %% name="fixed-model" tags=["recorder"]
class FixedModelAgent:
    """Plans with a model that no longer learns."""

    def __init__(self, model: Any, way: Way, seed: int) -> None:
        settings, generator = settings_of(way), torch.Generator().manual_seed(seed)
        noise = torch.zeros(settings.horizon, settings.ensemble_size, 1, settings.task.obs_dim)

        def predict_distribution(observation: torch.Tensor, action: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            mean = model.predict(observation, action)
            return mean, torch.zeros_like(mean)

        def objective_from(observation: torch.Tensor) -> Objective:
            def objective(action_sequences: torch.Tensor) -> torch.Tensor:
                returns = particle_returns(
                    predict_distribution, settings.task.reward, observation, action_sequences, noise
                )
                return aggregate_returns(returns[:, 0], settings.aggregation)

            return objective

        if way.kappa is not None and way.beta is not None:
            planner = mppi.build_planner(settings, objective_from, generator, kappa=way.kappa, beta=way.beta)
        else:
            planner = build_planner(settings, objective_from, generator)
        self.controller = MPC(planner, initial_mean=torch.zeros(settings.horizon, settings.task.act_dim))
        self.milliseconds: list[float] = []  # of processor time, one number an action

    def begin_episode(self) -> None:
        self.controller.begin_episode()

    def act(self, observation: Array) -> Array:
        began = time.process_time()
        action = self.controller.act(torch.as_tensor(observation, dtype=torch.float32))
        self.milliseconds.append(1000 * (time.process_time() - began))
        return np.asarray(action)

    def record(self, transition: Transition) -> None:
        """It no longer learns."""


def plan_an_episode(model: Any, way: Way, seed: int, start: int) -> tuple[float, float]:
    """The return of one episode, and the median processor time of an action in ms.

    Args:
        model: an ensemble.
        way: how to plan.
        seed: of the planner's noise.
        start: seed of the episode's start state.
    """
    agent = FixedModelAgent(model, way, seed)
    record = run_episode(make_env(ENSEMBLE.task_name), agent, seed=start, episode=0, env_steps=0)
    return record.episode_return, float(np.median(agent.milliseconds))


# %% [markdown] name="data-intro"
# The recorded tables, and how they are read. A seed counts as one number, the mean over its two episodes, and planners
# are compared by the differences seed by seed.


# %% name="reading" tags=["recorder"]
def by_seed(plans: dict[str, Array], way: Way, column: str = "episode_return") -> Array:
    """One column of one way of planning, the mean over the episodes of each seed, shape (seeds,)."""
    chosen = (plans["planner"] == way.planner) & (plans["candidates"] == way.candidates)
    if way.planner == "mppi":
        chosen &= (plans["kappa"] == way.kappa) & (plans["beta"] == way.beta)
    return np.array([plans[column][chosen & (plans["seed"] == seed)].mean() for seed in np.unique(plans["seed"])])


def in_comparison(planner: str, candidates: int) -> Way:
    """A planner as it is compared with others: MPPI with the usual kappa and beta."""
    return Way("mppi", candidates, KAPPA, BETA) if planner == "mppi" else Way(planner, candidates)


# %% name="data"
def of_seeds(way: Way, column: str = "episode_return") -> Array:
    """The recorded runs of one way of planning, one number a seed, shape (seeds,)."""
    return by_seed(PLANS, way, column)


use_style()
DATA = find_data("mppi")
PLANS = read_table(DATA / "plans.csv", texts=("planner",))
NOISE = read_table(DATA / "noise.csv")
SEEDS = np.unique(PLANS["seed"])
print(f"{len(SEEDS)} ensembles, {len(WAYS)} ways of planning, {len(PLANS['seed'])} episodes")

# %% [markdown] name="sanity-intro"
# **A check to see where you stand**: are the recorded runs those of your settings? And if your code is used, do its two
# functions do what they should?

# %% name="sanity" nbgrader={"grade": false, "locked": true, "solution": false}
for way in WAYS:
    assert np.isfinite(of_seeds(way)).all(), f"{way} is not recorded"
if USE_MY_CODE:
    impulse = torch.zeros(1, 3, 1)
    impulse[0, 0, 0] = 1.0
    assert torch.allclose(mppi.filter_noise(impulse, 0.25)[0, :2, 0], torch.tensor([1.0, 0.6])), "filter_noise"
    ones = mppi.mppi_update(torch.tensor([3.0, 1.0]), torch.ones(2, 4, 1), kappa=2.0)
    assert torch.allclose(ones, torch.ones(4, 1)), "mppi_update: the weights must sum to 1"
    print("Your filter and your weighted average do what they should here.")
else:
    print("The recorded runs are complete. USE_MY_CODE is False: none of your code was run.")

# %% [markdown] name="filter-intro"
# ## What the filter does
#
# PDDM mixes each step's new noise with the filter's last value, which starts at 0. A candidate then holds a push for
# several steps. But as the filter has nothing to remember at first, its noise is small in the first step, which is the
# one that is executed, and only grows to its full size after some steps. `filter_noise` divides each step by its own
# standard deviation. Left: the standard deviation of each step without that division. Right: the noise of one
# candidate after it, from the same white noise.

# %% name="filter"
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
LOOKS = {0.2: (PURPLE, "v--"), 0.5: (GREEN, "o-"), 1.0: (BLUE, "s:")}
first_and_last = {}
for beta, (color, style) in LOOKS.items():
    keep = 1 - beta
    horizon = np.arange(ENSEMBLE.horizon)
    std = beta * np.sqrt((1 - keep ** (2 * (horizon + 1))) / (1 - keep**2))
    first_and_last[beta] = (std[0], std[-1])
    left.plot(horizon, std, style, color=color, markersize=4, label=f"beta = {beta:g}")
    chosen = (NOISE["beta"] == beta) & (NOISE["step"] < ENSEMBLE.horizon)
    right.plot(NOISE["step"][chosen], NOISE["filtered"][chosen], style, color=color, markersize=3, label=f"{beta:g}")
left.set(xlabel="step of the plan", ylabel="standard deviation", ylim=(0, 1.1), title="PDDM's filter, not rescaled")
for axes in (left, right):
    axes.set_xticks(range(0, ENSEMBLE.horizon, 5))
left.legend(loc="center right", bbox_to_anchor=(1, 0.71))
right.set(xlabel="step of the plan", ylabel="noise", ylim=(-2.5, 3.2), title="one candidate, rescaled")
right.legend(title="beta", loc="upper center", ncols=3)
show(
    "not rescaled, the noise of the first step and of the last has the standard deviation "
    + "; ".join(f"{first:.2f} and {last:.2f} for beta = {beta:g}" for beta, (first, last) in first_and_last.items())
    + ". Rescaled, every step has the standard deviation 1, and a smaller beta makes the noise slower, not smaller."
)

# %% [markdown] name="budgets-intro"
# ## Three planners, the same number of candidates
#
# On the left, the return of an episode against the number of candidates in a control step. On the right, the processor
# time of an action. The times were measured next to each other on one core; on your machine only their ratios should
# be similar.

# %% name="budgets"
PLANNERS = {
    "random_shooting": ("random shooting", BLUE, "s--"),
    "cem": ("CEM", ORANGE, "^-."),
    "mppi": (f"MPPI, kappa {KAPPA:g}, beta {BETA:g}", GREEN, "o-"),
}

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
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


def difference(one: str, other: str, candidates: int) -> str:
    """The paired difference of returns, as text."""
    return median_text(
        of_seeds(in_comparison(one, candidates)) - of_seeds(in_comparison(other, candidates)), "", digits=1
    )


def by_candidates(text: Any) -> str:
    return ", ".join(text(candidates) for candidates in CANDIDATES)


def time_ratio(candidates: int) -> str:
    milliseconds = {planner: of_seeds(in_comparison(planner, candidates), "milliseconds") for planner in PLANNERS}
    return median_text(milliseconds["cem"] / milliseconds["mppi"], "", digits=1)


show(
    f"median over {len(SEEDS)} ensembles, the band is its exact 95 % interval. With 30, 90 and 300 candidates "
    + "; ".join(
        f"{label} earns {by_candidates(lambda n, p=planner: median_text(of_seeds(in_comparison(p, n))))}"
        for planner, (label, _, _) in PLANNERS.items()
    )
    + ". Paired by seed, MPPI minus random shooting is "
    + by_candidates(lambda n: difference("mppi", "random_shooting", n))
    + "; MPPI minus CEM is "
    + by_candidates(lambda n: difference("mppi", "cem", n))
    + " (an interval that contains 0 shows no clear difference). An action by CEM takes "
    + f"{by_candidates(time_ratio)} times as long as one by MPPI."
)

# %% [markdown] name="budgets-lesson"
# **What to take from it.** With 30 candidates, MPPI is far ahead of random shooting. It is level with CEM, not better:
# with 30 candidates there is no clear difference, with 90 the interval just reaches 0, and with 300 CEM is ahead by
# about one percent. What MPPI saves is time: it asks the model once for each plan, while CEM has to ask three times,
# one after the other. The more candidates there are, the less that matters.

# %% [markdown] name="kappa-intro"
# ## What kappa and beta do
#
# With 90 candidates. On the left, kappa: at the left end all candidates weigh nearly the same, at the
# right end the best one is all that counts. On the right, beta: from slow noise to white noise.

# %% name="kappa"
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True, width_ratios=(2, 1))
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
left.text(1.2, np.median(of_seeds(Way("random_shooting", COMPARED_AT))) - 6, "random shooting", color=BLUE, fontsize=7)
left.set(ylabel="return of an episode", xscale="log", title=f"beta = {BETA:g}")
left.set(xticks=KAPPAS, xticklabels=[f"{kappa:g}" for kappa in KAPPAS])
left.minorticks_off()
right.set(xticks=BETAS, xticklabels=[f"{beta:g}" for beta in BETAS], title=f"kappa = {KAPPA:g}")


def against_the_usual(returns: dict[float, Array], usual: float) -> str:
    """Paired differences from the usual value, as text."""
    return ", ".join(
        f"{median_text(values - returns[usual], '', 1)} for {value:g}"
        for value, values in returns.items()
        if value != usual
    )


show(
    f"return of an episode, one grey dot a seed, the median with its 95 % interval in green. Kappa = 0.1 earns "
    f"{median_text(kappas[0.1])}, {median_text(kappas[0.1] / kappas[KAPPA], '', 2)} of what kappa = {KAPPA:g} earns. "
    f"Paired by seed, the differences from kappa = {KAPPA:g} are {against_the_usual(kappas, KAPPA)}; those from beta = "
    f"{BETA:g} are {against_the_usual(betas, BETA)}."
)

# %% [markdown] name="kappa-lesson"
# **What to take from it.** A kappa that is too small fails: the average of candidates that push left and right is a
# plan that does nothing. From kappa = 1 upwards there is no clear difference, not even at kappa = 1000, where the plan
# is the best candidate alone. So here it is not the average that makes MPPI so much better than random shooting. The
# two still differ in where they search: MPPI draws its candidates around the rest of the last plan, and random shooting
# starts anew every time, anywhere in the bounds. Beta makes no clear difference on this task either. The unit of kappa
# is one over the unit of the return, so another task needs another kappa.

# %% [markdown] name="live-intro"
# ## Your own planner
#
# With `USE_MY_CODE = True` this cell trains your ensemble, and then plans one episode with each planner, with 30
# candidates and no more learning. Expect your lines to lie among the recorded dots.

# %% name="live"
LIVE_CANDIDATES = 30
mine: dict[str, list[float]] = {planner: [] for planner in PLANNERS}
if USE_MY_CODE:
    from hw4.agents import build_agent_and_parts

    began = time.monotonic()
    for seed in own_seeds(STUDENT_ID, NUM_LIVE_SEEDS):
        if time.monotonic() > began + LIVE_SECONDS:
            print("The time is up: NUM_LIVE_SEEDS = 1 needs less.")
            break
        agent, parts = build_agent_and_parts(ENSEMBLE, seed)
        for record in train(make_env(ENSEMBLE.task_name), agent, num_episodes=ENSEMBLE.num_episodes, seed=seed):
            print(f"seed {seed}, episode {record.episode + 1}: return {record.episode_return:.0f}", flush=True)
        for planner in PLANNERS:
            episode_return, _ = plan_an_episode(parts.model, in_comparison(planner, LIVE_CANDIDATES), seed, start=seed)
            mine[planner].append(episode_return)
    print(f"trained and planned in {time.monotonic() - began:.0f} s")

figure, axes = plt.subplots(figsize=(5.5, 3.4))
for x, (planner, (_, color, _)) in enumerate(PLANNERS.items()):
    values = of_seeds(in_comparison(planner, LIVE_CANDIDATES))
    axes.plot(x + np.linspace(-0.15, 0.15, len(values)), values, ".", color=color, markersize=5)
    axes.plot([x - 0.2, x + 0.2], [np.median(values)] * 2, color=color, linewidth=2)
    for episode_return in mine[planner]:
        axes.plot([x - 0.3, x + 0.3], [episode_return] * 2, color="black", linewidth=1.2)
axes.set(xticks=range(len(PLANNERS)), xticklabels=["random shooting", "CEM", "MPPI"], ylabel="return of an episode")
axes.set_title(f"{LIVE_CANDIDATES} candidates: recorded (dots), mine (black lines)")
show(
    f"recorded returns with {LIVE_CANDIDATES} candidates, one dot a seed"
    + (
        "; mine are "
        + "; ".join(
            f"{', '.join(f'{value:.0f}' for value in values) or 'none'} ({PLANNERS[planner][0]})"
            for planner, values in mine.items()
        )
        + "."
        if USE_MY_CODE
        else " alone: USE_MY_CODE is False, so none of my own episodes are drawn."
    )
)
