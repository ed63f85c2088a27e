"""Slow, independent answers for the topic MPPI, in NumPy and float64: sums written out, one number at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def standard_deviation(beta: float, t: int) -> float:
    """Of the filter's n_t, in closed form: the squared weights of u_t, u_{t-1}, ..., u_0 are a geometric series."""
    ratio = (1 - beta) ** 2
    return beta * math.sqrt((1 - ratio ** (t + 1)) / (1 - ratio)) if ratio < 1 else math.nan


def filtered(noise: Array, beta: float) -> Array:
    """The filter written out: every number is a weighted sum of all noise up to its step."""
    answer = np.zeros(noise.shape)
    for i, t, a in np.ndindex(noise.shape):
        value = sum(beta * (1 - beta) ** (t - k) * float(noise[i, k, a]) for k in range(t + 1))
        answer[i, t, a] = value / standard_deviation(beta, t)
    return answer


def weights(returns: Array, kappa: float) -> list[float]:
    """One weight a candidate; they sum to 1."""
    highest = max(float(value) for value in returns)
    raised = [math.exp(kappa * (float(value) - highest)) for value in returns]
    return [value / math.fsum(raised) for value in raised]


def plan(returns: Array, sequences: Array, kappa: float) -> Array:
    return weighted(weights(returns, kappa), sequences)


def weighted(factors: Sequence[float], sequences: Array) -> Array:
    """sum_i factors[i] * sequences[i], candidate by candidate; those with factor 0 play no part."""
    answer = np.zeros(sequences.shape[1:])
    for factor, sequence in zip(factors, sequences, strict=True):
        if factor:
            answer = answer + factor * sequence.astype(np.float64)
    return answer
