"""What the functions of the topic bayesian_networks should answer, in NumPy and double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def softplus(values: Array) -> Array:
    return np.asarray(np.logaddexp(0.0, np.asarray(values, float)))


def sigmoid(values: Any) -> Array:
    return np.asarray(np.exp(-np.logaddexp(0.0, -np.asarray(values, float))))


def weights(mean: Array, raw_std: Array, noise: Array) -> Array:
    """Draw by draw."""
    return np.stack([mean + softplus(raw_std) * draw for draw in noise])


def kl(mean: Array, raw_std: Array, prior_std: float) -> float:
    """The integral of q log(q / p), of each weight: minus the entropy of q, plus the cross-entropy."""
    std = softplus(raw_std)
    entropy = 0.5 * np.log(2 * np.pi * np.e * std**2)
    cross_entropy = 0.5 * np.log(2 * np.pi * prior_std**2) + (std**2 + np.asarray(mean, float) ** 2) / (
        2 * prior_std**2
    )
    return float((cross_entropy - entropy).sum())


def kl_gradients(mean: Array, raw_std: Array, prior_std: float) -> tuple[Array, Array]:
    """Of the divergence, by mean and by raw std."""
    std = softplus(raw_std)
    by_std = std / prior_std**2 - 1.0 / std
    return np.asarray(mean / prior_std**2), np.asarray(by_std * sigmoid(raw_std))


def loss(nll: Array, divergence: float, number: int) -> Array:
    return np.asarray(np.asarray(nll, float).sum(axis=-1) / nll.shape[-1] + divergence / number)


def mask(drop_logit: float, uniform: Array, temperature: float) -> Array:
    dropped = sigmoid((drop_logit + np.log(uniform) - np.log1p(-np.asarray(uniform, float))) / temperature)
    return np.asarray((1.0 - dropped) / sigmoid(-drop_logit))


def entropy(drop_logit: float) -> float:
    """Of a coin, in nats."""
    return float(np.logaddexp(0.0, drop_logit) - drop_logit * sigmoid(drop_logit))


def regularizer(weight: Array, drop_logit: float, length_scale: float) -> float:
    squares = float((np.asarray(weight, float) ** 2).sum())
    return float(length_scale**2 * squares / (2 * sigmoid(-drop_logit)) - weight.shape[0] * entropy(drop_logit))


def regularizer_slope(weight: Array, drop_logit: float, length_scale: float) -> float:
    """Of the regulariser by the logit: 1 / (1 - p) = 1 + exp(logit), and dH / dlogit = -logit p (1 - p)."""
    squares = float((np.asarray(weight, float) ** 2).sum())
    p = float(sigmoid(drop_logit))
    return float(length_scale**2 * squares / 2 * np.exp(drop_logit) + weight.shape[0] * drop_logit * p * (1 - p))
