"""Bridge: a small hill on this side of a gorge, a better meadow on the other (given).

The lecture's "need to explore". Towards the gorge blows a cross-wind that grows with every step; on the bridge itself
it is calm, which nobody knows who has not been there. Whoever expects the wind to go on growing stays at the brink,
where the reward has a local peak.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hw4.envs.walker import WalkerEnv
from hw4.tasks import TASKS

WIND_FROM, WIND_TO = 0.2, 1.0  # m; the wind blows between these x
WIND_GROWTH = 0.25  # m a step of wind in y, for each m beyond WIND_FROM


def wind(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the wind moves a walker at x in y, in m a step: fields and result of shape (...)."""
    return np.where((x > WIND_FROM) & (x < WIND_TO), WIND_GROWTH * (x - WIND_FROM), 0.0)


class BridgeEnv(WalkerEnv):
    """40 steps from the middle of the near meadow; the bridge leads from x = 1 to x = 2.2."""

    task = TASKS["bridge"]
    noise_std = 0.05

    def mean(self, position: NDArray[np.float64], action: NDArray[np.float64]) -> NDArray[np.float64]:
        blown = np.stack([np.zeros_like(position[..., 0]), wind(position[..., 0])], axis=-1)
        return super().mean(position, action) + blown
