"""Slow, independent answers for ensembles, in NumPy and float64: one number at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def gaussian_nll(mean: Array, log_variance: Array, target: Array) -> Array:
    answer = np.zeros(mean.shape)
    for index in np.ndindex(mean.shape):
        error = float(target[index]) - float(mean[index])
        answer[index] = 0.5 * (float(log_variance[index]) + error**2 / np.exp(float(log_variance[index])))
    return answer
