"""Slow, independent answers for the topic latent_models, in NumPy and float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


# Linear-Gaussian models -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class System:
    """z' = A z + noise of covariance Q, o = C z' + noise of covariance R."""

    transition: Array  # A
    process_covariance: Array  # Q
    emission: Array  # C
    observation_covariance: Array  # R


def log_density(x: Array, mean: Array, covariance: Array) -> float:
    """Of a Gaussian, by its eigenvalues."""
    values, vectors = np.linalg.eigh(covariance)
    squared = ((vectors.T @ (x - mean)) ** 2 / values).sum()
    return float(-0.5 * (squared + np.log(values).sum() + len(x) * math.log(2 * math.pi)))


def conditioned(mean: Array, covariance: Array, observation: Array) -> tuple[Array, Array]:
    """The first entries of a Gaussian vector, given the last, which are observed."""
    n = len(mean) - len(observation)
    to_first = covariance[:n, n:] @ np.linalg.inv(covariance[n:, n:])
    return mean[:n] + to_first @ (observation - mean[n:]), covariance[:n, :n] - to_first @ covariance[n:, :n]


def joint_of_step(mean: Array, covariance: Array, system: System) -> tuple[Array, Array]:
    """Mean and covariance of (z', o), stacked."""
    maps = np.vstack([system.transition, system.emission @ system.transition])
    from_process = np.vstack([np.eye(len(mean)), system.emission])
    whole = maps @ covariance @ maps.T + from_process @ system.process_covariance @ from_process.T
    whole[len(mean) :, len(mean) :] += system.observation_covariance
    return maps @ mean, whole


def kalman(mean: Array, covariance: Array, observation: Array, system: System) -> tuple[Array, Array, float]:
    """One step of the filter, by conditioning the joint distribution of state and observation."""
    joint_mean, joint_covariance = joint_of_step(mean, covariance, system)
    new_mean, new_covariance = conditioned(joint_mean, joint_covariance, observation)
    d = len(mean)
    return new_mean, new_covariance, log_density(observation, joint_mean[d:], joint_covariance[d:, d:])


@dataclass(frozen=True)
class Bound:
    """The parts of an evidence lower bound: log p(o | z), log p(z) and -log q(z), each expected under q."""

    likelihood: float
    prior: float
    entropy: float

    @property
    def value(self) -> float:
        return self.likelihood + self.prior + self.entropy


def elbo(
    mean: Array,
    covariance: Array,
    observation: Array,
    prior_mean: Array,
    prior_covariance: Array,
    emission: Array,
    observation_covariance: Array,
) -> Bound:
    """Energy and entropy: another way to write the bound than likelihood and divergence."""
    through = emission @ covariance @ emission.T
    likelihood = log_density(observation, emission @ mean, observation_covariance)
    likelihood -= 0.5 * float(np.sum(np.linalg.inv(observation_covariance) * through))
    prior = log_density(mean, prior_mean, prior_covariance)
    prior -= 0.5 * float(np.sum(np.linalg.inv(prior_covariance) * covariance))
    entropy = 0.5 * float(np.log(np.linalg.eigvalsh(covariance)).sum() + len(mean) * (1 + math.log(2 * math.pi)))
    return Bound(likelihood, prior, entropy)


def evidence(observation: Array, prior_mean: Array, prior_covariance: Array, emission: Array, noise: Array) -> float:
    """log p(o)."""
    return log_density(observation, emission @ prior_mean, emission @ prior_covariance @ emission.T + noise)


def exact_posterior(
    observation: Array, prior_mean: Array, prior_covariance: Array, emission: Array, noise: Array
) -> tuple[Array, Array]:
    """p(z | o)."""
    cross = prior_covariance @ emission.T
    whole = np.block([[prior_covariance, cross], [cross.T, emission @ cross + noise]])
    return conditioned(np.concatenate([prior_mean, emission @ prior_mean]), whole, observation)


def kl(mean: Array, log_variance: Array, other_mean: Array, other_log_variance: Array) -> Array:
    """Of diagonal Gaussians, one number after the other; shape: the leading axes."""
    m, lv, om, olv = np.broadcast_arrays(mean, log_variance, other_mean, other_log_variance)
    answer = np.zeros(m.shape[:-1])
    for index in np.ndindex(*m.shape):
        v, ov = math.exp(lv[index]), math.exp(olv[index])
        answer[index[:-1]] += 0.5 * (math.log(ov / v) + (v + (m[index] - om[index]) ** 2) / ov - 1)
    return answer


# Latents --------------------------------------------------------------------------------------------------------------

Step = Callable[[Array, Array], Array]


def rolled(step: Step, latent: Array, actions: Array) -> Array:
    """One sequence after the other, shape (B, K + 1, Z)."""
    answer = np.zeros((len(latent), actions.shape[1] + 1, latent.shape[1]))
    for b in range(len(latent)):
        answer[b, 0] = latent[b]
        for k in range(actions.shape[1]):
            answer[b, k + 1] = step(answer[b, k : k + 1].reshape(1, -1), actions[b, k : k + 1])[0]
    return answer


def cem(
    value: Callable[[Array], Array],
    mean: Array,
    std: Array,
    low: Array,
    high: Array,
    noise: Callable[[int], Array],
    *,
    population_size: int,
    num_iterations: int,
    num_elites: int,
    smoothing: float,
    num_kept_elites: int,
) -> Array:
    """The search of hw4/mpc.py."""
    kept = np.zeros((0, *mean.shape))
    for _ in range(num_iterations):
        drawn = np.clip(mean + std * noise(population_size - len(kept)), low, high)
        candidates = np.concatenate([kept, drawn])
        order = np.argsort(-value(candidates))
        elites = candidates[order[:num_elites]]
        mean = smoothing * mean + (1 - smoothing) * elites.mean(axis=0)
        std = smoothing * std + (1 - smoothing) * elites.std(axis=0)
        kept = candidates[order[:num_kept_elites]]
    return np.clip(mean, low, high)
