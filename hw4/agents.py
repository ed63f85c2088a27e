"""Builds an agent from the modules that you write and an experiment's settings (given)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hw4.dynamics_model import DynamicsModel, Normalizer, fit, make_optimizer, uniform_indices
from hw4.ensemble import (
    PredictDistribution,
    aggregate_returns,
    bootstrap_indices,
    decompose_uncertainty,
    member_minibatches,
    particle_returns,
)
from hw4.experiments import Aggregation, Experiment
from hw4.gaussian_model import GaussianDynamicsModel
from hw4.mpc import MPC, ModelBasedAgent, Objective, Planner, cem, random_shooting, sequence_returns
from hw4.networks import MLP, EnsembleMLP
from hw4.noise import colored_noise
from hw4.transitions import ReplayBuffer, Transition


@dataclass(frozen=True)
class AgentParts:
    """What an agent is made of, where that changes as it learns: what a checkpoint has to keep."""

    model: DynamicsModel
    optimizer: torch.optim.Optimizer
    generator: torch.Generator  # of the network's start, minibatches and candidates
    base_policy_rng: np.random.Generator

    @property
    def weights(self) -> list[Tensor]:
        return [weight for group in self.optimizer.param_groups for weight in group["params"]]


def build_agent(experiment: Experiment, seed: int) -> ModelBasedAgent:
    """A fresh agent for one training run; the same seed gives the same agent."""
    agent, _ = build_agent_and_parts(experiment, seed)
    return agent


def build_agent_and_parts(experiment: Experiment, seed: int) -> tuple[ModelBasedAgent, AgentParts]:
    """As `build_agent`, with what it is made of."""
    base_policy_seed, torch_seed = np.random.SeedSequence(seed).generate_state(2)
    generator = torch.Generator().manual_seed(int(torch_seed))
    model, network = _build_model(experiment, generator)
    optimizer = make_optimizer(network, experiment.learning_rate)
    base_policy_rng = np.random.default_rng(base_policy_seed)

    def fit_to(replay: ReplayBuffer) -> None:
        transitions = Transition(*(torch.from_numpy(field) for field in replay.stacked()))
        if experiment.ensemble_size > 1:
            # New sets at every fit; a bootstrap proper keeps each member's set, which only grows.
            members = bootstrap_indices(len(replay), experiment.ensemble_size, generator=generator)
        else:
            members = None

        def sample_indices() -> Tensor:
            if members is None:
                return uniform_indices(len(replay), experiment.batch_size, generator=generator)
            return member_minibatches(members, experiment.batch_size, generator=generator)

        fit(model, transitions, optimizer, sample_indices=sample_indices, gradient_steps=experiment.gradient_steps)

    predict_distribution = _predict_distribution(experiment, model, generator)

    def objective_from(observation: Tensor) -> Objective:
        reward = experiment.task.reward

        def objective(action_sequences: Tensor) -> Tensor:
            if experiment.ensemble_size == 1 and experiment.num_particles == 0:
                return sequence_returns(model.predict, reward, observation, action_sequences)
            noise = draw_noise(experiment, generator)  # fresh at each call: no plan fits one draw
            returns = particle_returns(predict_distribution, reward, observation, action_sequences, noise)
            return aggregate(returns, experiment.aggregation)

        return objective

    planner = build_planner(experiment, objective_from, generator)
    middle = (experiment.task.action_low + experiment.task.action_high) / 2
    controller = MPC(
        planner,
        initial_mean=torch.full((experiment.horizon, experiment.task.act_dim), middle),
        replan_every=experiment.replan_every,
    )
    agent = ModelBasedAgent(
        base_policy=random_policy(experiment, base_policy_rng),
        controller=controller,
        fit=fit_to,
        predict=model.predict,
        initial_steps=experiment.initial_steps,
        refit_every=experiment.refit_every,
    )
    return agent, AgentParts(model, optimizer, generator, base_policy_rng)


def build_planner(
    experiment: Experiment, objective_from: Callable[[Tensor], Objective], generator: torch.Generator
) -> Planner:
    """A planner over any `objective_from(observation) -> objective`: a learned model, or in tests the true one.

    A planner that is neither CEM nor random shooting is a topic's: `build_planner` of `hw4/topics/NAME.py`.
    """
    if experiment.planner not in ("cem", "random_shooting"):
        build: Callable[..., Planner] = importlib.import_module(f"hw4.topics.{experiment.planner}").build_planner
        return build(experiment, objective_from, generator)
    task, horizon = experiment.task, experiment.horizon
    low = torch.full((task.act_dim,), task.action_low)
    high = torch.full((task.act_dim,), task.action_high)
    initial_std = torch.full((horizon, task.act_dim), experiment.initial_std * (task.action_high - task.action_low) / 2)

    def noise(num_sequences: int) -> Tensor:
        return colored_noise(num_sequences, horizon, task.act_dim, color=experiment.noise_color, generator=generator)

    def uniform(num_sequences: int) -> Tensor:
        return torch.rand(num_sequences, horizon, task.act_dim, generator=generator)

    @torch.no_grad()
    def planner(observation: Tensor, mean: Tensor) -> Tensor:
        objective = objective_from(observation)
        if experiment.planner == "random_shooting":
            num_sequences = experiment.population_size * experiment.num_iterations
            return random_shooting(objective, low, high, num_sequences=num_sequences, uniform=uniform)
        return cem(
            objective,
            mean,
            initial_std,
            low,
            high,
            population_size=experiment.population_size,
            num_iterations=experiment.num_iterations,
            num_elites=experiment.num_elites,
            smoothing=experiment.smoothing,
            noise=noise,
            num_kept_elites=experiment.num_kept_elites,
        )

    return planner


def draw_noise(experiment: Experiment, generator: torch.Generator) -> Tensor:
    """The noise of one set of candidates, shape (horizon, E, P, obs_dim); zeros, and P = 1, if means are followed."""
    shape = experiment.horizon, experiment.ensemble_size, max(1, experiment.num_particles), experiment.task.obs_dim
    return torch.randn(shape, generator=generator) if experiment.num_particles else torch.zeros(shape)


def aggregate(returns: Tensor, aggregation: Aggregation) -> Tensor:
    """One number for each plan: the mean over each member's particles, then the aggregation over members.

    "mean_minus_std" is a milder pessimism than the smallest return, "mean_plus_std" a milder optimism than the largest:
    the mean over the members, minus or plus the epistemic standard deviation of the return.

    Args:
        returns: shape (E, P, num_sequences).
        aggregation: how the members' returns become one.

    Returns:
        shape (num_sequences,).
    """
    means = returns.mean(dim=1)
    if aggregation in ("expected", "pessimistic", "optimistic"):
        return aggregate_returns(means, aggregation)
    _, epistemic = decompose_uncertainty(means, returns.var(dim=1, correction=0))
    sign = 1.0 if aggregation == "mean_plus_std" else -1.0
    return means.mean(dim=0) + sign * epistemic.sqrt()


def random_policy(experiment: Experiment, rng: np.random.Generator) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """The base policy: actions drawn uniformly from the bounds."""
    task = experiment.task

    def policy(observation: NDArray[Any]) -> NDArray[Any]:
        return rng.uniform(task.action_low, task.action_high, task.act_dim)

    return policy


def _predict_distribution(
    experiment: Experiment, model: DynamicsModel, generator: torch.Generator
) -> PredictDistribution:
    """Mean and variance of the next observation; no variance if means are followed."""
    if experiment.num_particles == 0:

        def without_noise(observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
            mean = model.predict(observation, action)
            return mean, torch.zeros_like(mean)

        return without_noise
    if not isinstance(model, GaussianDynamicsModel):
        raise ValueError(
            f'num_particles = {experiment.num_particles} samples the predicted noise: it needs members="gaussian"'
        )
    if experiment.trajectory_sampling == "ts1":
        return with_members_redrawn(model.predict_distribution, generator)
    return model.predict_distribution


def with_members_redrawn(predict: PredictDistribution, generator: torch.Generator) -> PredictDistribution:
    """Trajectory sampling "ts1": before every prediction particles change places at random, and so their members.

    All candidates of a particle move together, and each member always predicts for P particles.
    """

    def redrawn(observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        shape = observation.shape
        order = torch.randperm(shape[0] * shape[1], generator=generator)

        def shuffled(values: Tensor, by: Tensor) -> Tensor:
            return values.flatten(0, 1)[by].reshape(values.shape)

        mean, variance = predict(shuffled(observation, order), shuffled(action, order))
        back = order.argsort()
        return shuffled(mean, back), shuffled(variance, back)

    return redrawn


def _build_model(experiment: Experiment, generator: torch.Generator) -> tuple[DynamicsModel, torch.nn.Module]:
    task = experiment.task
    in_dim, delta_dim = task.obs_dim + task.act_dim, task.obs_dim
    out_dim = 2 * delta_dim if experiment.members == "gaussian" else delta_dim
    network: torch.nn.Module
    if experiment.ensemble_size == 1:
        network = MLP(
            in_dim,
            out_dim,
            width=experiment.width,
            num_hidden_layers=experiment.num_hidden_layers,
            generator=generator,
        )
    else:
        network = EnsembleMLP(
            experiment.ensemble_size,
            in_dim,
            out_dim,
            width=experiment.width,
            num_hidden_layers=experiment.num_hidden_layers,
            generator=generator,
        )
    model_class = GaussianDynamicsModel if experiment.members == "gaussian" else DynamicsModel
    model = model_class(
        network, input_normalizer=Normalizer.identity(in_dim), delta_normalizer=Normalizer.identity(delta_dim)
    )
    return model, network
