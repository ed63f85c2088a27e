"""Windy plain: a gentle wind that changes from place to place, and data from one side of the plain alone (given).

The lecture's "mismatch is worse for more expressive models". A linear model cannot follow the wind, but walks the same
everywhere; a flexible one follows it where the data are, and guesses where the plan goes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hw4.envs.walker import WalkerEnv
from hw4.tasks import TASKS

WIND_STRENGTH = 0.06  # m a step


def wind(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the wind moves a walker in a step, in m: fields and result of shape (..., 2)."""
    x, y = position[..., 0], position[..., 1]
    return WIND_STRENGTH * np.stack([np.cos(1.5 * x + 0.5 * y), np.sin(1.5 * x - y)], axis=-1)


class WindyPlainEnv(WalkerEnv):
    """40 steps from the middle of the plain."""

    task = TASKS["windy_plain"]
    noise_std = 0.05

    def mean(self, position: NDArray[np.float64], action: NDArray[np.float64]) -> NDArray[np.float64]:
        return super().mean(position, action) + wind(position)
