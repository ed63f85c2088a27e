"""A cart-pole robot whose pole, cart and motor nobody has measured, for the topic `system_identification` (given).

The task, its reward and its episodes are those of hw4/envs/cartpole.py; the robots differ in four numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import mujoco
import numpy as np
from numpy.typing import NDArray

from hw4.envs.cartpole import MJCF, CartPoleEnv
from hw4.transitions import Transition

Array = NDArray[Any]


@dataclass(frozen=True)
class Robot:
    """What has to be identified."""

    gear: float  # N of a full command; below 0 the motor is wired the other way round
    pole_length: float = 0.6  # m
    pole_mass: float = 0.2  # kg
    cart_mass: float = 0.5  # kg


GEAR, POLE_LENGTH, POLE_MASS = (8.0, 12.0), (0.4, 0.8), (0.1, 0.4)  # what `draw_robot` draws from


def draw_robot(rng: np.random.Generator, sign: int) -> Robot:
    """A robot whose motor pushes forwards (`sign` 1) or is wired the other way round (-1)."""
    return Robot(sign * rng.uniform(*GEAR), rng.uniform(*POLE_LENGTH), rng.uniform(*POLE_MASS))


class RobotEnv(CartPoleEnv):
    """The cart-pole swing-up with a robot's own physics, and its friction or none."""

    def __init__(self, robot: Robot, *, friction: bool = True) -> None:
        super().__init__()
        tree = ElementTree.fromstring(MJCF)
        changes = {
            "geom[@name='cart']": {"mass": robot.cart_mass},
            "geom[@name='pole']": {"mass": robot.pole_mass, "fromto": f"0 0 0 0 0 {robot.pole_length}"},
            "motor": {"gear": robot.gear},
            **({} if friction else {f"joint[@name='{name}']": {"damping": 0.0} for name in ("slider", "hinge")}),
        }
        for place, values in changes.items():
            (element,) = tree.iterfind(f".//{place}")
            element.attrib.update({name: str(value) for name, value in values.items()})  # type: ignore[attr-defined]
        self._model = mujoco.MjModel.from_xml_string(ElementTree.tostring(tree, encoding="unicode"))
        self._data = mujoco.MjData(self._model)

    def true_parameters(self) -> Array:
        """Gain, log mass ratio and log length of the cart with a point mass that moves as this robot does, shape (3,).

        A pole of mass m whose centre of mass is c from the hinge, with inertia I about the hinge, moves a cart as a
        point mass m' = (m c)^2 / I at the distance I / (m c) does, if the rest of its mass, m - m', rides on the cart.
        """
        pole, cart = self._model.body("pole"), self._model.body("cart")
        mass, centre = float(pole.mass[0]), float(pole.ipos[2])
        inertia = float(pole.inertia[1]) + mass * centre**2
        point_mass = (mass * centre) ** 2 / inertia
        cart_mass = float(cart.mass[0]) + mass - point_mass
        gear = float(self._model.actuator("motor").gear[0])
        return np.array([gear / cart_mass, np.log(point_mass / cart_mass), np.log(inertia / (mass * centre))])


TRIAL_STEPS = 100


def random_trial(env: RobotEnv, rng: np.random.Generator) -> Transition:
    """One episode of random actions; float32 fields of shape (100, dim)."""
    observation, _ = env.reset(seed=int(rng.integers(1 << 31)))
    rows: list[Transition] = []
    for _ in range(TRIAL_STEPS):
        action = rng.uniform(env.task.action_low, env.task.action_high, env.task.act_dim).astype(np.float32)
        next_observation, *_ = env.step(action)
        rows.append(Transition(observation, action, next_observation))
        observation = next_observation
    return Transition(*(np.stack(column).astype(np.float32) for column in zip(*rows, strict=True)))


def episode_return(env: RobotEnv, policy: Callable[[Array], Array], rng: np.random.Generator) -> float:
    """The return of one episode under a policy, which maps an observation, shape (5,), to an action, shape (1,)."""
    observation, _ = env.reset(seed=int(rng.integers(1 << 31)))
    total, truncated = 0.0, False
    while not truncated:
        observation, reward, _, truncated, _ = env.step(np.asarray(policy(observation), dtype=np.float32))
        total += reward
    return total
