"""Ledge: "go right to get higher!", on ground where no step ends where it should (given).

The lecture's picture of planning under uncertainty. The map is known: the reward rises up to the edge, and past it is a
long way down. Every step is noisy, the same everywhere, so what a model must find out is *how* noisy. Whoever plans on
the mean stands at the edge, and the noise does the rest: even though the mean is the same.
"""

from __future__ import annotations

from hw4.envs.walker import WalkerEnv
from hw4.tasks import TASKS


class LedgeEnv(WalkerEnv):
    """40 steps from the middle; the ground ends at x = 3."""

    task = TASKS["ledge"]
    noise_std = 0.15
