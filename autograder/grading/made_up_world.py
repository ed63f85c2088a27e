"""Made-up worlds: no physics, but a task's sizes, bounds and reward, and a law that only data can tell.

An agent that knows a task's physics by heart is lost in one; the referee knows the law, so it knows which action pays.
`autograder/grading/integrity.py` puts agents into them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hw4.tasks import Task

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Driven:
    """The entry of a task's observation that the actions drive in a made-up world.

    The reward must rise with it from `low` to `high`, by more than full actions cost.
    """

    entry: str  # one of the task's observation names
    low: float = -1.0
    high: float = 1.0


# By task. This is not in hw4/tasks.py: students need not know what is driven, and recorded runs do not depend on it.
DRIVEN = {
    "cliff_hill": Driven("height (m)"),
    "cartpole": Driven("cos(angle)"),
    "pets_cartpole": Driven("cos(angle)"),
    "noisy_field": Driven("x (m)"),  # towards the goal at 2.5 m
    # Where the reward is a distance, one entry of it stays on one side. Where actions are dear, it moves far.
    "pusher": Driven("object x (m)", -22.0, -2.0),
    "reacher": Driven("tip x from target (m)", -22.0, -2.0),
    "half_cheetah": Driven("mean forward velocity (m/s)", -10.0, 10.0),
}

DECAY = 0.5  # of the driven entry in one env step
DRIVE = 0.45  # by full actions in one env step, of half the way from `low` to `high`: it never gets to either end
CIRCLE = 1.5  # radius of the circle that decides which action pays
OTHER_CIRCLE = 0.15  # of the others, some of which the reward wants near 0
MIN_TURN, MAX_TURN = 0.02, 0.05  # rad per env step: one action pays throughout a plan


class MadeUpWorld:
    """Two pairs of entries of the observation slowly turn in circles, the driven entry is moved by the actions, and all
    others are 0.

    Let a in [-1, 1]^act_dim be the action in units of its bounds, and d in [-1, 1] the driven entry in units of its
    own. With u in [-1, 1] the position along a hidden direction in the last circle, and sides s in {-1, 1}^act_dim:

        d' = DECAY * d + DRIVE * cos(pi * u) * mean_i(s[i] * a[i])

    so action s[i] * sign(cos(pi * u)) pays at once and for the whole plan. Neither a constant nor a linear function of
    the observation tells which action that is, nor does a model that is linear in actions and observations.

    The last circle is one that the reward does not read, if there is any. Where the observation has a single entry
    besides the driven one, it moves as if the other half of its circle were not seen.
    """

    def __init__(self, task: Task, law: np.random.Generator, data: np.random.Generator, *, mirrored: bool) -> None:
        """
        Args:
            task: one that is in `DRIVEN`.
            law: decides the law.
            data: decides where episodes start; `begin_test` exchanges it.
            mirrored: whether all actions work the other way round.
        """
        self._task = task
        self._data = data
        driven = DRIVEN[task.name]
        self.driven = task.observation_names.index(driven.entry)
        self._middle, self._half_way = (driven.high + driven.low) / 2, (driven.high - driven.low) / 2
        self._circles = _circles(task, self.driven)
        size = len(self._circles)
        self._sizes = np.array([OTHER_CIRCLE] * (size - 1) + [CIRCLE])
        self._turns = law.uniform(MIN_TURN, MAX_TURN, size) * law.choice([-1.0, 1.0], size)
        self._direction = float(law.uniform(0, 2 * math.pi))
        if len(self._circles[-1]) == 1:  # the only direction that can be seen
            self._direction = 0.0
        self._sides = law.choice([-1.0, 1.0], task.act_dim) * (-1.0 if mirrored else 1.0)
        self.start()

    def begin_test(self, states: np.random.Generator) -> None:
        """From now on, draw from `states`: the same in a world and in its mirror."""
        self._data = states

    def start(self) -> None:
        """Go anywhere."""
        size = len(self._circles)
        self._phases = self._data.uniform(0, 2 * math.pi, size)
        self._radii = np.sqrt(self._data.uniform(0.05, 1.0, size))  # of 1
        self._d = float(self._data.uniform(-0.3, 0.3))

    def jump(self, side: int) -> None:
        """Go where the actions `side` times the hidden sides pay most."""
        turn = self._data.choice([0.0, math.pi]) + self._data.uniform(-0.2, 0.2) + (math.pi / 2 if side > 0 else 0.0)
        self._phases[-1] = self._direction + turn
        self._radii[-1] = self._data.uniform(0.3, 0.8) if side > 0 else 0.95
        self._d = float(self._data.uniform(-0.2, 0.2))

    def observation(self, *, scale: float = 1.0) -> Array:
        """Shape (obs_dim,). With scale > 1: further out than any data."""
        observation = np.zeros(self._task.obs_dim)
        observation[self.driven] = self._middle + self._half_way * self._d
        for circle, phase, radius in zip(self._circles, self._phases, scale * self._sizes * self._radii, strict=True):
            for i, part in zip(circle, (math.cos(phase), math.sin(phase)), strict=False):
                observation[i] = radius * part
        return observation

    def _strength(self) -> float:
        radius, phase = self._radii[-1], self._phases[-1]
        return math.cos(math.pi * radius * math.cos(phase - self._direction))

    def paying(self) -> Array:
        """The action that pays here in units of its bounds: each entry -1 or 1, shape (act_dim,)."""
        return self._sides * math.copysign(1.0, self._strength())

    def in_units(self, action: Array) -> Array:
        """An action in units of its bounds, in [-1, 1]^act_dim."""
        low, high = self._task.action_low, self._task.action_high
        return (action - (high + low) / 2) / ((high - low) / 2)

    def from_units(self, action: Array) -> Array:
        """The opposite of `in_units`."""
        low, high = self._task.action_low, self._task.action_high
        return (high + low) / 2 + (high - low) / 2 * action

    def step(self, action: Array) -> None:
        drive = DRIVE * self._strength() * float(np.mean(self._sides * self.in_units(action)))
        self._d = DECAY * self._d + drive
        self._phases = self._phases + self._turns


def _circles(task: Task, driven: int) -> list[tuple[int, ...]]:
    """The entries that turn in circles; the last circle decides which action pays."""
    others = [i for i in range(task.obs_dim) if i != driven]
    pairs: list[tuple[int, ...]] = list(zip(others[::2], others[1::2], strict=False))
    if not pairs:
        return [(others[0],)]
    read = _read_by_the_reward(task)
    decides = next((pair for pair in reversed(pairs) if not read & {*pair}), pairs[-1])
    return [*[pair for pair in pairs if pair != decides][-1:], decides]


@cache
def _read_by_the_reward(task: Task) -> frozenset[int]:
    """The entries of the observation that the reward depends on, found by moving each at some places."""
    places = np.random.default_rng(0).normal(size=(32, task.obs_dim))
    actions = np.zeros((32, task.act_dim))
    rewards = task.reward(places, actions, places)
    read = set()
    for i in range(task.obs_dim):
        moved = places.copy()
        moved[:, i] += 1.0
        if (task.reward(moved, actions, moved) != rewards).any():
            read.add(i)
    return frozenset(read)


@cache
def why_not(task: Task) -> str:
    """Why there can be no made-up world for a task; empty if there can be one."""
    driven = DRIVEN.get(task.name)
    if driven is None:
        return f"{task.name} is not in DRIVEN of autograder/grading/made_up_world.py, which says what its actions drive"
    if driven.entry not in task.observation_names:
        return f"the observation of {task.name} has no entry {driven.entry!r}, which DRIVEN names"
    if task.obs_dim < 2:
        return f"the observation of {task.name} has one entry alone, so nothing is left to decide which action pays"
    for seed in range(20):
        rewards = []
        for side in (1.0, 0.0, -1.0):
            law, data = np.random.default_rng(seed), np.random.default_rng([seed, 1])
            world = MadeUpWorld(task, law, data, mirrored=False)
            world.jump(1 if seed % 2 else -1)
            before, action = world.observation(), world.from_units(side * world.paying())
            world.step(action)
            rewards.append(float(task.reward(before, action, world.observation())))
        if not rewards[0] > max(rewards[1:]):
            low, high = driven.low, driven.high
            return f"the reward of {task.name} does not rise with {driven.entry!r} from {low:g} to {high:g}"
    return ""
