"""A turned action."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def turned(action: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """An action of shape (2,), turned to the left."""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([cos * action[0] - sin * action[1], sin * action[0] + cos * action[1]])
