"""Slow, independent answers for planning, in NumPy: one candidate at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def refit(candidates: Array, returns: Array, mean: Array, std: Array, num_elites: int, smoothing: float) -> Any:
    order = sorted(range(len(returns)), key=lambda i: -returns[i])[:num_elites]
    elite_mean = sum(candidates[i] for i in order) / num_elites
    elite_std = np.sqrt(sum((candidates[i] - elite_mean) ** 2 for i in order) / num_elites)
    return smoothing * mean + (1 - smoothing) * elite_mean, smoothing * std + (1 - smoothing) * elite_std
