"""The law of a hidden ledge: actions point elsewhere, and the ground is noisier.

Whoever knows the published ledge walks along it or over it. An agent that learns from its data does as well as ever:
the map is the published one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autograder.worlds.turning import turned
from hw4.envs.ledge import LedgeEnv
from hw4.envs.world import World


@dataclass(frozen=True)
class Family:
    by_heart_below: float
    turn_degrees: tuple[float, float]  # from, to; to either side
    noise: tuple[float, float]  # from, to; multiplies the noise of a step


@dataclass(frozen=True)
class Law:
    turn: float  # rad: every action is turned by this angle
    noise: float  # multiplies the noise of a step


def draw(rng: np.random.Generator, family: Family) -> Law:
    degrees = rng.uniform(*family.turn_degrees) * rng.choice([-1.0, 1.0])
    return Law(turn=math.radians(degrees), noise=rng.uniform(*family.noise))


class HiddenEnv(LedgeEnv):
    """The ledge under a law."""

    def __init__(self, world: World, law: Law) -> None:
        super().__init__(world)
        self._law = law
        self.noise_std = LedgeEnv.noise_std * law.noise

    def mean(self, position: NDArray[np.float64], action: NDArray[np.float64]) -> NDArray[np.float64]:
        return super().mean(position, turned(action, self._law.turn))
