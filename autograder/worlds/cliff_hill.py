"""The law of a hidden cliff hill: actions point elsewhere, and the edge is nearer.

Whoever knows the published hill climbs past the edge or sideways. An agent that learns from its data does as well as
ever: the height at the edge and the slope of the fall are the published ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograder.worlds.turning import turned
from hw4.envs.cliff_hill import ARENA, BOTTOM_HEIGHT, CLIFF_SLOPE, EDGE_X, RIDGE_CURVATURE, CliffHillEnv
from hw4.envs.world import World


@dataclass(frozen=True)
class Family:
    by_heart_below: float
    turn_degrees: tuple[float, float]  # from, to; to either side
    edge: tuple[float, float]  # m; from, to


@dataclass(frozen=True)
class Law:
    turn: float  # rad: every action is turned by this angle
    edge: float  # m: where the ground ends


def draw(rng: np.random.Generator, family: Family) -> Law:
    degrees = rng.uniform(*family.turn_degrees) * rng.choice([-1.0, 1.0])
    return Law(turn=math.radians(degrees), edge=rng.uniform(*family.edge))


class HiddenEnv(CliffHillEnv):
    """The cliff hill under a law."""

    def __init__(self, world: World, law: Law) -> None:
        self._law = law
        super().__init__(world)

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        observation = self._observation()
        exact = np.clip(np.asarray(action, dtype=np.float64), self.task.action_low, self.task.action_high)
        self._position = np.clip(self._position + self._step_length * turned(exact, self._law.turn), -ARENA, ARENA)
        self._steps += 1
        next_observation = self._observation()
        reward = float(self.task.reward(observation, exact, next_observation))
        return next_observation, reward, False, self._steps >= self.task.episode_length, {}

    def _observation(self) -> NDArray[np.float64]:
        x, y = map(float, self._position)
        ridge = x * EDGE_X / self._law.edge - RIDGE_CURVATURE * y**2  # as high at the edge as the published hill
        if x > self._law.edge:
            ridge = max(ridge - CLIFF_SLOPE * (x - self._law.edge), BOTTOM_HEIGHT)
        return np.append(self._position, ridge)
