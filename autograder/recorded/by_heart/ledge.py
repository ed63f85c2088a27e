"""The published ledge, how far from its edge to stand, and what a step is worth that ends somewhere around its mean."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw4.envs.ledge import LedgeEnv
from hw4.envs.walker import ARENA, STEP_LENGTH
from hw4.rewards import LEDGE_ACTION_COST, LEDGE_CURVATURE, LEDGE_DROP, LEDGE_EDGE

Array = NDArray[Any]
NOISE_STD = LedgeEnv.noise_std
SPOT = np.array([LEDGE_EDGE - 2.9 * NOISE_STD, 0.0])  # m; the best place to aim at


def predict(observation: Array, action: Array, drive: Array) -> Array:
    return np.asarray(np.clip(observation + STEP_LENGTH * drive * action, -ARENA, ARENA))


def reward(observation: Array, action: Array, mean: Array) -> Array:
    """The expected reward of a step that ends around `mean`: someone who knows the physics knows the noise too."""
    margin = (LEDGE_EDGE - mean[..., 0]) / NOISE_STD
    falls = 0.5 * np.vectorize(math.erfc)(margin / math.sqrt(2.0))
    nearer = NOISE_STD * np.exp(-0.5 * margin**2) / math.sqrt(2.0 * math.pi)  # E[x; still on the ground]
    ground = (1.0 - falls) * (mean[..., 0] - LEDGE_CURVATURE * (mean[..., 1] ** 2 + NOISE_STD**2)) - nearer
    return np.asarray(ground - falls * LEDGE_DROP - LEDGE_ACTION_COST * np.sum(action**2, axis=-1))


def feedback(observation: Array, drive: Array) -> Array:
    """Straight to the spot, at most a full action."""
    return np.asarray(np.clip((SPOT - observation) / (STEP_LENGTH * drive), -1.0, 1.0))
