"""What the notebook uncertainty_aware measures; its recorded runs were made with these lines (given)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hw4.commands.jupyter import (
    Array,
)
from hw4.envs import make_env
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.rewards import (
    BRIDGE_FROM,
    BRIDGE_HALF_WIDTH,
    BRIDGE_TO,
    LEDGE_EDGE,
)
from hw4.training import EpisodeRecord, train
from hw4.transitions import Transition

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
SIZES: dict[str, dict[str, Any]] = {  # of networks: the settings that differ from the experiment's
    "narrow": {"ensemble_size": 1, "width": 8},
    "wide": {"ensemble_size": 1, "width": 128},
    "five_wide": {"ensemble_size": 5, "width": 128},
}
CAPACITY_GRADIENT_STEPS = 600  # at each fit
SINGLE_CHEETAH = replace(EXPERIMENTS["half_cheetah"], ensemble_size=1, population_size=600)  # equal model evaluations
NUM_BLOCKS = 10  # of candidates, each with a best one: averaged, for less noise
SEARCH_SEED = 7  # of the candidates: all models choose among the same ones


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
    action: Any
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
        action: Any
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
