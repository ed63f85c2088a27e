"""Linear-Gaussian state-space models, in which every form of posterior has a closed form (given).

    z_t = A z_{t-1} + noise of covariance Q,    o_t = C z_t + noise of covariance R,    t = 1 .. T

z_0 has the mean m_0 and the covariance P_0. Shapes: T = steps, d = size of a state, p = size of an observation. The
states of all steps are one vector of T d numbers, one state after another, and so are the observations: `stacked` makes
of a model the arguments of `elbo`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Form = Literal["single step", "filter", "smooth"]


@dataclass(frozen=True)
class LinearGaussian:
    """A model, and where it starts."""

    transition: Tensor  # A, shape (d, d)
    process_covariance: Tensor  # Q, shape (d, d), positive definite
    emission: Tensor  # C, shape (p, d)
    observation_covariance: Tensor  # R, shape (p, p), positive definite
    initial_mean: Tensor  # m_0, shape (d,)
    initial_covariance: Tensor  # P_0, shape (d, d)


@dataclass(frozen=True)
class Stacked:
    """The model of all steps together: the arguments of `elbo` that have these names."""

    prior_mean: Tensor  # shape (T d,)
    prior_covariance: Tensor  # shape (T d, T d)
    emission: Tensor  # shape (T p, T d)
    observation_covariance: Tensor  # shape (T p, T p)


@dataclass(frozen=True)
class Posterior:
    """A Gaussian over the states of all steps: mean, shape (T d,), and covariance, shape (T d, T d)."""

    mean: Tensor
    covariance: Tensor


def random_model(dim: int, obs_dim: int, noise_std: float, generator: torch.Generator) -> LinearGaussian:
    """A stable model whose observations have noise of this standard deviation; double precision."""
    draw = torch.randn(dim, dim, generator=generator, dtype=torch.float64)
    eye = torch.eye(dim, dtype=torch.float64)
    return LinearGaussian(
        transition=0.95 * torch.linalg.qr(draw).Q,
        process_covariance=0.1 * eye,
        emission=torch.randn(obs_dim, dim, generator=generator, dtype=torch.float64),
        observation_covariance=noise_std**2 * torch.eye(obs_dim, dtype=torch.float64),
        initial_mean=torch.zeros(dim, dtype=torch.float64),
        initial_covariance=eye,
    )


def sample(model: LinearGaussian, num_steps: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """States, shape (T, d), and observations, shape (T, p)."""

    def noise(covariance: Tensor) -> Tensor:
        drawn = torch.randn(len(covariance), generator=generator, dtype=torch.float64)
        colored: Tensor = torch.linalg.cholesky(covariance) @ drawn
        return colored

    state = model.initial_mean + noise(model.initial_covariance)
    states, observations = [], []
    for _ in range(num_steps):
        state = model.transition @ state + noise(model.process_covariance)
        states.append(state)
        observations.append(model.emission @ state + noise(model.observation_covariance))
    return torch.stack(states), torch.stack(observations)


def stacked(model: LinearGaussian, num_steps: int) -> Stacked:
    """The prior over the states of all steps, and how they are observed."""
    conditionals = [(model.transition, torch.zeros_like(model.initial_mean), model.process_covariance)] * num_steps
    first_mean, first_covariance = _first(model)
    conditionals[0] = (torch.zeros_like(model.transition), first_mean, first_covariance)
    prior = _chain(conditionals)
    eye = torch.eye(num_steps, dtype=torch.float64)
    return Stacked(
        prior.mean,
        prior.covariance,
        torch.kron(eye, model.emission),
        torch.kron(eye, model.observation_covariance.contiguous()),
    )


def posterior(model: LinearGaussian, observations: Tensor, form: Form) -> Posterior:
    """The best posterior of a form, which says what the belief about z_t may depend on.

        single step   q(z_t | o_t)                        the simplest
        filter        q(z_t | z_{t-1}, o_t)               looks back to the state before
        smooth        q(z_t | z_{t-1}, o_t, ..., o_T)     looks ahead, too: the exact posterior

    "filter" is not the Kalman filter's marginal p(z_t | o_1 .. o_t), which `marginals` has: this one leaves z_{t-1}
    open, so that neighbouring states stay correlated.

    Args:
        model: the model.
        observations: shape (T, p).
        form: one of the three.
    """
    information = model.emission.T @ torch.linalg.inv(model.observation_covariance)
    precision = information @ model.emission  # that o_t has about z_t
    prior = stacked(model, len(observations))
    d = len(model.transition)
    conditionals = []
    for t, (looked_at, weighed) in enumerate(_messages(model, observations, form)):
        if form == "single step":
            here = slice(t * d, (t + 1) * d)
            before = torch.linalg.inv(prior.prior_covariance[here, here])
            covariance = torch.linalg.inv(before + precision)
            mean = covariance @ (before @ prior.prior_mean[here] + information @ observations[t])
            conditionals.append((torch.zeros_like(model.transition), mean, covariance))
            continue
        first_mean, first_covariance = _first(model)
        before = torch.linalg.inv(model.process_covariance if t else first_covariance)
        covariance = torch.linalg.inv(before + looked_at)
        offset = weighed if t else weighed + before @ first_mean
        slope = covariance @ before @ model.transition if t else torch.zeros_like(model.transition)
        conditionals.append((slope, covariance @ offset, covariance))
    return _chain(conditionals)


def marginals(model: LinearGaussian, observations: Tensor, form: Form) -> Posterior:
    """The mean-field version: the exact marginal of each z_t, all of them independent.

    p(z_t | o_t) for "single step", p(z_t | o_1 .. o_t) for "filter", p(z_t | o_1 .. o_T) for "smooth".
    """
    num_steps, d, p = len(observations), len(model.transition), len(model.emission)
    prior = stacked(model, num_steps)
    cross = prior.prior_covariance @ prior.emission.T
    whole = prior.emission @ cross + prior.observation_covariance
    error = observations.flatten() - prior.emission @ prior.prior_mean
    mean, covariance = torch.zeros_like(prior.prior_mean), torch.zeros_like(prior.prior_covariance)
    for t in range(num_steps):
        here = slice(t * d, (t + 1) * d)
        seen = slice(t * p if form == "single step" else 0, num_steps * p if form == "smooth" else (t + 1) * p)
        gain = torch.linalg.solve(whole[seen, seen], cross[here, seen].T).T
        mean[here] = prior.prior_mean[here] + gain @ error[seen]
        covariance[here, here] = prior.prior_covariance[here, here] - gain @ cross[here, seen].T
    return Posterior(mean, covariance)


def _first(model: LinearGaussian) -> tuple[Tensor, Tensor]:
    """Mean and covariance of z_1 before anything is observed."""
    spread = model.transition @ model.initial_covariance @ model.transition.T
    return model.transition @ model.initial_mean, spread + model.process_covariance


def _messages(model: LinearGaussian, observations: Tensor, form: Form) -> list[tuple[Tensor, Tensor]]:
    """What the observations that a form looks at say of each z_t: log density -1/2 z^T L z + h^T z, (L, h) for each."""
    information = model.emission.T @ torch.linalg.inv(model.observation_covariance)
    process = torch.linalg.inv(model.process_covariance)
    messages: list[tuple[Tensor, Tensor]] = []
    for observation in observations.flip(0):
        precision, weighed = information @ model.emission, information @ observation
        if form == "smooth" and messages:
            later_precision, later_weighed = messages[-1]
            spread = torch.linalg.inv(process + later_precision)
            precision = precision + model.transition.T @ (process - process @ spread @ process) @ model.transition
            weighed = weighed + model.transition.T @ process @ spread @ later_weighed
        messages.append((precision, weighed))
    return messages[::-1]


def _chain(conditionals: list[tuple[Tensor, Tensor, Tensor]]) -> Posterior:
    """The distribution of z_t = slope z_{t-1} + offset + noise of a covariance, from these three for each step."""
    num_steps, d = len(conditionals), len(conditionals[0][1])
    # With z = L z + c + noise, L below the diagonal: z = (I - L)^-1 (c + noise).
    slopes = torch.eye(num_steps * d, dtype=torch.float64)
    noise = torch.zeros_like(slopes)
    for t, (slope, _, covariance) in enumerate(conditionals):
        here, before = slice(t * d, (t + 1) * d), slice((t - 1) * d, t * d)
        noise[here, here] = covariance
        if t:
            slopes[here, before] = -slope
    inverse = torch.linalg.inv(slopes)
    offsets = torch.cat([offset for _, offset, _ in conditionals])
    return Posterior(inverse @ offsets, inverse @ noise @ inverse.T)
