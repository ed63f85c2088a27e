"""The law of a hidden cart-pole: the hinge pushes the pole, more or less, depending on its angle and on the cart.

It moves the angle at which the pole balances, and with it whatever was worked out beforehand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from hw4.envs.cartpole import PHYSICS_STEPS_PER_ACTION, CartPoleEnv
from hw4.envs.world import World

FIRST, SECOND, OF_CART = 0.7, 0.5, 0.6  # shares of sin(angle), sin(2 angle) and the cart's position in the torque
CART_WAVE = 2.5  # 1/m


@dataclass(frozen=True)
class Family:
    by_heart_below: float
    torque: float  # N m
    upright: tuple[float, float]  # the push where the pole stands upright, from, to, in units of `torque`


@dataclass(frozen=True)
class Law:
    size: float  # N m
    constant: float  # with `first` and `second` of the size of 1
    first: float
    second: float
    first_phase: float  # rad
    second_phase: float
    cart_phase: float

    def torque(self, x: float, angle: float) -> float:
        """On the hinge, in N m; angle 0 is upright."""
        return self.size * (self.of_angle(angle) + OF_CART * math.cos(CART_WAVE * x + self.cart_phase))

    def of_angle(self, angle: float) -> float:
        """The part that depends on the angle, in units of `size`."""
        first = FIRST * self.first * math.sin(angle + self.first_phase)
        return self.constant + first + SECOND * self.second * math.sin(2 * angle + self.second_phase)


def draw(rng: np.random.Generator, family: Family) -> Law:
    """With a push of medium size where the pole stands upright."""
    low, high = family.upright
    while True:
        constant, first, second = rng.normal(size=3)
        phases = rng.uniform(0, 2 * math.pi, 3)
        law = Law(family.torque, constant, first, second, *phases)
        if low <= abs(law.of_angle(0.0)) <= high:
            return law


class HiddenEnv(CartPoleEnv):
    """The cart-pole under a law."""

    def __init__(self, world: World, law: Law) -> None:
        self._law = law
        super().__init__(world)

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        observation = self._observation()
        action = np.clip(np.asarray(action, dtype=np.float64), self.task.action_low, self.task.action_high)
        self._data.ctrl[:] = action
        for _ in range(PHYSICS_STEPS_PER_ACTION):
            self._data.qfrc_applied[1] = self._law.torque(*self._data.qpos)
            mujoco.mj_step(self._model, self._data)
        self._steps += 1
        next_observation = self._observation()
        reward = float(self.task.reward(observation, action, next_observation))
        return next_observation, reward, False, self._steps >= self.task.episode_length, {}
