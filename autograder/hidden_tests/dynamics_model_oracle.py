"""Slow, independent answers for the dynamics model, in NumPy and float64: one number at a time."""

from __future__ import annotations

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
