"""Bayesian linear regression: the posterior itself, in closed form, next to ensembles on the same data (given).

D features, N measurements y = features @ weights + noise. The prior of the weights is N(0, I).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hw4.commands.jupyter import Array

NOISE = 0.1  # std of a measurement
NUM_FEATURES = 60
NUM_DATA, NUM_PLACES = 40, 200
BORDER = (0.15, 0.35)  # from the nearest measurement: places just beyond the data
VISITED = 0.05
MEMBERS = (2, 3, 5, 10, 30)

Way = Literal["draws of the posterior", "resampled", "shared data"]
WAYS: tuple[Way, ...] = ("draws of the posterior", "resampled", "shared data")


@dataclass(frozen=True)
class Gaussian:
    """The posterior of the weights."""

    mean: Array  # shape (D,)
    covariance: Array  # shape (D, D)

    def entropy(self) -> float:
        """1/2 log det(2 pi e covariance), in nats."""
        return float(0.5 * np.linalg.slogdet(2 * np.pi * math.e * self.covariance)[1])


def posterior_of(features: Array, targets: Array, noise: float = NOISE) -> Gaussian:
    """Covariance (I + features^T features / noise^2)^-1, mean covariance features^T targets / noise^2."""
    covariance = np.linalg.inv(np.eye(features.shape[1]) + features.T @ features / noise**2)
    return Gaussian(covariance @ features.T @ targets / noise**2, covariance)


def members_of(
    way: Way, number: int, features: Array, targets: Array, rng: np.random.Generator, noise: float = NOISE
) -> Array:
    """Weights of an ensemble, shape (number, D), each the best of its own regularised least squares.

    "shared data": all fit the same, and it has one solution. "resampled": each fits its own bootstrap set. "draws of
    the posterior": each is pulled to its own draw of the prior, and fits measurements with noise of its own added;
    that is an exact draw.
    """
    found = []
    for _ in range(number):
        chosen = rng.integers(len(targets), size=len(targets)) if way == "resampled" else np.arange(len(targets))
        first: Array = np.zeros(features.shape[1])
        shift: Array = np.zeros(len(targets))
        if way == "draws of the posterior":
            first = np.asarray(rng.standard_normal(features.shape[1]))
            shift = noise * np.asarray(rng.standard_normal(len(targets)))
        phi = features[chosen]
        left = np.eye(phi.shape[1]) + phi.T @ phi / noise**2
        found.append(np.linalg.solve(left, first + phi.T @ (targets[chosen] + shift) / noise**2))
    return np.array(found)


def exact_information(features: Array, posterior: Gaussian, noise: float = NOISE) -> Array:
    """What one more measurement would say about the weights: total minus expected entropy, in nats, shape (N,)."""
    spread = np.einsum("nd,de,ne->n", features, posterior.covariance, features)
    return np.asarray(0.5 * np.log1p(spread / noise**2))


def information_of(means: Array, noise: float = NOISE) -> Array:
    """The same from members that are taken for equally likely: entropy of their mixture minus that of one.

    Args:
        means: what each member predicts, shape (E, N).
        noise: std of a measurement.

    Returns:
        In nats, shape (N,); never above log E.
    """
    low, high = means.min(axis=0) - 6 * noise, means.max(axis=0) + 6 * noise
    steps = np.linspace(0.0, 1.0, 1001)[:, None]
    y = low + (high - low) * steps  # (1001, N)
    density = np.exp(-0.5 * ((y[None] - means[:, None]) / noise) ** 2).mean(axis=0) / (noise * np.sqrt(2 * np.pi))
    total = np.trapezoid(-density * np.log(np.maximum(density, 1e-300)), y, axis=0)
    return np.asarray(total - 0.5 * np.log(2 * np.pi * math.e * noise**2))


@dataclass(frozen=True)
class Plane:
    """A made-up function of two inputs, measured where a walk has been."""

    frequencies: Array  # shape (2, D)
    phases: Array  # shape (D,)
    measured: Array  # shape (NUM_DATA, 2)
    targets: Array  # shape (NUM_DATA,)
    visited: Array  # places near the data, shape (NUM_PLACES, 2)
    border: Array  # places just beyond it, shape (NUM_PLACES, 2)

    def features(self, places: Array) -> Array:
        """Random cosines, which make a Gaussian process of length scale 0.5: (..., 2) -> (..., D)."""
        return np.asarray(np.sqrt(2 / NUM_FEATURES) * np.cos(places @ self.frequencies + self.phases))


def plane_of(seed: int) -> Plane:
    """The function, data and places of a seed; the weights are a draw of the prior, so the model is right."""
    rng = np.random.default_rng(seed)
    frequencies, phases = rng.standard_normal((2, NUM_FEATURES)) / 0.5, rng.uniform(0, 2 * np.pi, NUM_FEATURES)
    walk = np.cumsum(0.15 * rng.standard_normal((NUM_DATA, 2)), axis=0)
    measured = np.clip(walk - walk.mean(axis=0), -1.0, 1.0)
    plane = Plane(frequencies, phases, measured, np.empty(0), np.empty(0), np.empty(0))
    targets = plane.features(measured) @ rng.standard_normal(NUM_FEATURES) + NOISE * rng.standard_normal(NUM_DATA)

    def places(low: float, high: float) -> Array:
        found = np.empty((0, 2))
        while len(found) < NUM_PLACES:
            anywhere = rng.uniform(-1.5, 1.5, (2000, 2))
            nearest = np.linalg.norm(anywhere[:, None] - measured, axis=-1).min(axis=1)
            found = np.concatenate([found, anywhere[(nearest >= low) & (nearest < high)]])
        return found[:NUM_PLACES]

    return Plane(frequencies, phases, measured, targets, places(0.0, VISITED), places(*BORDER))
