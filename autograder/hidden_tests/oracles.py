"""Slow, independent answers in NumPy: loops over everything, one sample at a time, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def normalizer(values: Array, floor: float = 1e-6) -> tuple[Array, Array]:
    samples = values.reshape(-1, values.shape[-1]).astype(np.float64)
    mean, std = np.zeros(samples.shape[1]), np.ones(samples.shape[1])
    for j in range(samples.shape[1]):
        mean[j] = sum(samples[:, j]) / len(samples)
        spread = np.sqrt(sum((samples[:, j] - mean[j]) ** 2) / len(samples))
        if spread >= floor:
            std[j] = spread
    return mean, std


def rollout_return(predict: Callable[..., Array], reward: Callable[..., Array], start: Array, actions: Array) -> float:
    """Return of one action sequence, shape (horizon, act_dim), from one start, shape (obs_dim,)."""
    state, total = np.array(start, dtype=np.float64), 0.0
    for action in np.array(actions, dtype=np.float64):
        next_state = predict(state, action)
        total += float(reward(state, action, next_state))
        state = next_state
    return total


def refit(candidates: Array, returns: Array, mean: Array, std: Array, num_elites: int, smoothing: float) -> Any:
    order = sorted(range(len(returns)), key=lambda i: -returns[i])[:num_elites]
    elite_mean = sum(candidates[i] for i in order) / num_elites
    elite_std = np.sqrt(sum((candidates[i] - elite_mean) ** 2 for i in order) / num_elites)
    return smoothing * mean + (1 - smoothing) * elite_mean, smoothing * std + (1 - smoothing) * elite_std


def gaussian_nll(mean: Array, log_variance: Array, target: Array) -> Array:
    answer = np.zeros(mean.shape)
    for index in np.ndindex(mean.shape):
        error = float(target[index]) - float(mean[index])
        answer[index] = 0.5 * (float(log_variance[index]) + error**2 / np.exp(float(log_variance[index])))
    return answer
