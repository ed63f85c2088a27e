"""What the notebook bayesian_networks measures; its recorded runs were made with these lines (given)."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from hw4.agents import aggregate, build_agent_and_parts, build_planner, draw_noise, random_policy
from hw4.commands.jupyter import Array
from hw4.dynamics_model import DynamicsModel, Normalizer, fit, make_optimizer
from hw4.ensemble import bootstrap_indices, decompose_uncertainty, member_minibatches, particle_returns
from hw4.envs import make_env
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.gaussian_model import GaussianDynamicsModel
from hw4.mpc import MPC, ModelBasedAgent, Objective
from hw4.networks import EnsembleMLP
from hw4.rewards import LEDGE_EDGE
from hw4.topics.bayesian_networks_models import BackpropMLP, DropoutMLP, PosteriorDynamicsModel, PosteriorMLP
from hw4.training import train
from hw4.transitions import ReplayBuffer, Transition

Posterior = Literal["ensemble", "Bayes by Backprop", "dropout", "concrete dropout"]
POSTERIORS: tuple[Posterior, ...] = ("ensemble", "Bayes by Backprop", "dropout", "concrete dropout")
TASKS = {name: EXPERIMENTS[experiment] for name, experiment in (("cartpole", "cartpole_ensemble"), ("ledge", "ledge"))}
NOISE_STD = 0.05  # of a network that predicts no noise of its own, in units of the std of the changes
DROP_PROBABILITY = 0.05  # of plain dropout; concrete dropout starts from it
NUM_RANDOM_EPISODES = {"cartpole": 4, "ledge": 10}  # what the models of the calibration table are fitted to
FITS_AT_ONCE = 3  # fits of an agent, whose gradient steps a model of random transitions takes together
NUM_GOOD_EPISODES = 3  # the last ones of the ensemble's agent: states that random actions do not reach


@dataclass
class Clock:
    """Processor time spent in fits and in plans, in seconds."""

    fit: float = 0.0
    plan: float = 0.0
    num_fits: int = 0
    num_plans: int = 0


def build_network(
    posterior: Posterior, experiment: Experiment, in_dim: int, out_dim: int, generator: torch.Generator
) -> PosteriorMLP:
    """A network of which the experiment's `ensemble_size` functions are drawn."""
    sizes: dict[str, Any] = {
        "width": experiment.width,
        "num_hidden_layers": experiment.num_hidden_layers,
        "generator": generator,
    }
    if posterior == "Bayes by Backprop":
        return BackpropMLP(experiment.ensemble_size, in_dim, out_dim, **sizes)
    concrete = posterior == "concrete dropout"
    sizes |= {"drop_probability": DROP_PROBABILITY, "concrete": concrete}
    return DropoutMLP(experiment.ensemble_size, in_dim, out_dim, **sizes)


def build_model(posterior: Posterior, experiment: Experiment, generator: torch.Generator) -> PosteriorDynamicsModel:
    """A dynamics model that is not fitted yet."""
    task = experiment.task
    in_dim, out_dim = task.obs_dim + task.act_dim, task.obs_dim * (2 if experiment.members == "gaussian" else 1)
    network = build_network(posterior, experiment, in_dim, out_dim, generator)
    return PosteriorDynamicsModel(
        network,
        obs_dim=task.obs_dim,
        noise_std=NOISE_STD,
        input_normalizer=Normalizer.identity(in_dim),
        delta_normalizer=Normalizer.identity(task.obs_dim),
    )


def fit_posterior(
    model: PosteriorDynamicsModel,
    transitions: Transition,
    optimizer: torch.optim.Optimizer,
    *,
    gradient_steps: int,
    batch_size: int,
    generator: torch.Generator,
) -> None:
    """Fit with minibatches of all the data, one for each function, then draw the functions that answer."""
    shape = model.posterior.num_functions, batch_size

    def sample_indices() -> Tensor:
        return torch.randint(len(transitions.action), shape, generator=generator)

    fit(model, transitions, optimizer, sample_indices=sample_indices, gradient_steps=gradient_steps)
    model.draw_functions()


def build_posterior_agent(
    posterior: Posterior, experiment: Experiment, seed: int
) -> tuple[ModelBasedAgent, DynamicsModel]:
    """The agent of an experiment, with another posterior in place of the ensemble; all else is the same."""
    if posterior == "ensemble":
        agent, parts = build_agent_and_parts(experiment, seed)
        return agent, parts.model
    base_policy_seed, torch_seed = np.random.SeedSequence(seed).generate_state(2)
    generator = torch.Generator().manual_seed(int(torch_seed))
    model = build_model(posterior, experiment, generator)
    optimizer = make_optimizer(model.posterior, experiment.learning_rate)

    def fit_to(replay: ReplayBuffer) -> None:
        transitions = Transition(*(torch.from_numpy(field) for field in replay.stacked()))
        fit_posterior(
            model,
            transitions,
            optimizer,
            gradient_steps=experiment.gradient_steps,
            batch_size=experiment.batch_size,
            generator=generator,
        )

    def predict_distribution(observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        if experiment.num_particles:
            return model.predict_distribution(observation, action)
        mean = model.predict(observation, action)
        return mean, torch.zeros_like(mean)

    def objective_from(observation: Tensor) -> Objective:
        def objective(action_sequences: Tensor) -> Tensor:
            noise = draw_noise(experiment, generator)
            returns = particle_returns(
                predict_distribution, experiment.task.reward, observation, action_sequences, noise
            )
            return aggregate(returns, experiment.aggregation)

        return objective

    agent = ModelBasedAgent(
        base_policy=random_policy(experiment, np.random.default_rng(base_policy_seed)),
        controller=MPC(
            build_planner(experiment, objective_from, generator),
            initial_mean=torch.zeros(experiment.horizon, experiment.task.act_dim),
            replan_every=experiment.replan_every,
        ),
        fit=fit_to,
        predict=model.predict,
        initial_steps=experiment.initial_steps,
        refit_every=experiment.refit_every,
    )
    return agent, model


def timed(function: Callable[..., Any], clock: Clock, what: str) -> Callable[..., Any]:
    """The same function; the processor time of its calls is added to a clock."""

    def call(*arguments: Any) -> Any:
        begin = time.process_time()
        answer = function(*arguments)
        setattr(clock, what, getattr(clock, what) + time.process_time() - begin)
        setattr(clock, f"num_{what}s", getattr(clock, f"num_{what}s") + 1)
        return answer

    return call


@dataclass(frozen=True)
class Run:
    """One agent's life."""

    returns: Array  # shape (episodes,)
    falls: Array  # env steps past the ledge's edge in each episode, shape (episodes,); nan elsewhere
    good: Transition  # of the last episodes, fields of shape (n, dim)
    clock: Clock
    model: DynamicsModel


def run_agent(posterior: Posterior, task: str, seed: int) -> Run:
    """Train one agent; agents of one seed meet the same starts."""
    experiment, clock = TASKS[task], Clock()
    agent, model = build_posterior_agent(posterior, experiment, seed)
    agent.fit = timed(agent.fit, clock, "fit")
    agent.controller.planner = timed(agent.controller.planner, clock, "plan")
    episodes = list(train(make_env(task), agent, num_episodes=experiment.num_episodes, seed=seed))
    falls = [
        float((record.observations[1:, 0] > LEDGE_EDGE).sum()) if task == "ledge" else np.nan for record in episodes
    ]
    last = episodes[-NUM_GOOD_EPISODES:]
    good = Transition(
        np.concatenate([record.observations[:-1] for record in last]),
        np.concatenate([record.actions for record in last]),
        np.concatenate([record.observations[1:] for record in last]),
    )
    return Run(np.array([record.episode_return for record in episodes]), np.array(falls), good, clock, model)


# Detection and calibration --------------------------------------------------------------------------------------------


def random_transitions(task: str, num_episodes: int, rng: np.random.Generator) -> Transition:
    """Transitions of random actions, fields of shape (n, dim)."""
    env, experiment = make_env(task), TASKS[task]
    policy, rows = random_policy(experiment, rng), []
    for _ in range(num_episodes):
        observation, _ = env.reset(seed=int(rng.integers(2**31)))
        for _ in range(experiment.task.episode_length):
            action = policy(observation)
            next_observation = env.step(action)[0]
            rows.append((observation, action, next_observation))
            observation = next_observation
    return Transition(*(np.array(field) for field in zip(*rows, strict=True)))


def fitted_once(posterior: Posterior, task: str, transitions: Transition, seed: int) -> DynamicsModel:
    """A model that is fitted once to some transitions, as long as an agent fits in its first FITS_AT_ONCE fits."""
    experiment = dataclasses.replace(TASKS[task], gradient_steps=FITS_AT_ONCE * TASKS[task].gradient_steps)
    experiment = dataclasses.replace(experiment, num_initial_episodes=1)
    agent, model = build_posterior_agent(posterior, experiment, seed)
    replay = ReplayBuffer()
    for number in range(len(transitions.action)):
        replay.append(transitions.select(number))
    agent.fit(replay)
    return model


def noise_free(task: str, transitions: Transition) -> Array:
    """What follows each transition without noise, shape (n, obs_dim)."""
    env: Any = make_env(task)
    if task != "ledge":  # it has none
        return np.asarray(transitions.next_observation)
    return np.asarray(env.mean(transitions.observation, transitions.action))


@torch.no_grad()
def spread_and_error(model: DynamicsModel, transitions: Transition, wanted: Array) -> tuple[Array, Array]:
    """Of each transition: variance over the functions, and squared error of their mean, both in units of the changes.

    Returns:
        Two arrays of shape (n,), averaged over the features of an observation.
    """
    observation, action = (torch.as_tensor(np.asarray(field), dtype=torch.float32) for field in transitions[:2])
    means = model.predict(observation, action) / model.delta_normalizer.std
    _, epistemic = decompose_uncertainty(means, torch.zeros_like(means))
    error = (means.mean(dim=0) - torch.as_tensor(wanted, dtype=torch.float32) / model.delta_normalizer.std) ** 2
    return np.asarray(epistemic.mean(dim=-1)), np.asarray(error.mean(dim=-1))


def auroc(positives: Array, negatives: Array) -> float:
    """How often a positive scores higher than a negative; ties count half."""
    difference = positives[:, None] - negatives[None]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def calibration(posterior: Posterior, task: str, good: Transition, seed: int) -> tuple[float, float, float]:
    """A model of random transitions, asked about others like them, and about those of a good agent.

    Returns:
        The area under the ROC curve of the spread, good against random; and the root mean square spread over the root
        mean square error, random and good: 1 is calibrated, below 1 over-confident.
    """
    rng = np.random.default_rng([seed, 7])
    model = fitted_once(posterior, task, random_transitions(task, NUM_RANDOM_EPISODES[task], rng), seed)
    others = random_transitions(task, NUM_RANDOM_EPISODES[task], rng)
    spread_in, error_in = spread_and_error(model, others, noise_free(task, others))
    spread_out, error_out = spread_and_error(model, good, noise_free(task, good))
    ratios = (float(np.sqrt(s.mean() / e.mean())) for s, e in ((spread_in, error_in), (spread_out, error_out)))
    return (auroc(spread_out, spread_in), *ratios)  # type: ignore[return-value]


# One dimension --------------------------------------------------------------------------------------------------------

TOY_NOISE = 0.1
TOY_GAP = (-0.3, 0.5)  # nothing was measured here
TOY_GRID = np.linspace(-1.5, 1.5, 121)
TOY_WIDTH, TOY_GRADIENT_STEPS, TOY_BATCH = 32, 2000, 32


def toy_curve(x: Array) -> Array:
    """What is to be learned."""
    return np.asarray(0.5 * np.sin(4.0 * x) + 0.5 * x)


def toy_data(number: int, noise_std: float, rng: np.random.Generator) -> Transition:
    """Measurements on both sides of the gap, as transitions x -> x + y without an action."""
    sides = rng.uniform(size=number)
    x = np.where(sides < 0.5, rng.uniform(-1.0, TOY_GAP[0], number), rng.uniform(TOY_GAP[1], 1.0, number))[:, None]
    y = toy_curve(x) + noise_std * rng.standard_normal(x.shape)
    return Transition(*(torch.as_tensor(field, dtype=torch.float32) for field in (x, np.empty((number, 0)), x + y)))


def fit_toy(posterior: Posterior, data: Transition, seed: int, *, num_functions: int = 5) -> DynamicsModel:
    """A model of the curve with a predicted noise."""
    generator = torch.Generator().manual_seed(seed)
    normalizers = {name: Normalizer.identity(1) for name in ("input_normalizer", "delta_normalizer")}
    sizes: dict[str, Any] = {"width": TOY_WIDTH, "num_hidden_layers": 2, "generator": generator}
    if posterior == "ensemble":
        network = EnsembleMLP(num_functions, 1, 2, **sizes)
        members = GaussianDynamicsModel(network, **normalizers)
        sets = bootstrap_indices(len(data.action), num_functions, generator=generator)

        def minibatches() -> Tensor:
            return member_minibatches(sets, TOY_BATCH, generator=generator)

        optimizer = make_optimizer(network, 1e-3)
        fit(members, data, optimizer, sample_indices=minibatches, gradient_steps=TOY_GRADIENT_STEPS)
        return members
    toy = dataclasses.replace(TASKS["ledge"], width=TOY_WIDTH, ensemble_size=num_functions)
    posterior_network = build_network(posterior, toy, 1, 2, generator)
    model = PosteriorDynamicsModel(posterior_network, obs_dim=1, noise_std=NOISE_STD, **normalizers)
    fit_posterior(
        model,
        data,
        make_optimizer(posterior_network, 1e-3),
        gradient_steps=TOY_GRADIENT_STEPS,
        batch_size=TOY_BATCH,
        generator=generator,
    )
    return model


@torch.no_grad()
def toy_answers(model: DynamicsModel) -> Array:
    """What each function says on the grid, shape (E, grid)."""
    x = torch.as_tensor(TOY_GRID, dtype=torch.float32)[:, None]
    return np.asarray((model.predict(x, torch.empty(len(x), 0)) - x)[..., 0])
