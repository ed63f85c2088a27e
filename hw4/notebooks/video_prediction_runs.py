"""What the notebook video_prediction measures; its recorded runs were made with these lines (given)."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from hw4.commands.jupyter import Array
from hw4.envs import video_prediction as world
from hw4.mpc import Objective, cem
from hw4.noise import colored_noise
from hw4.topics import video_prediction as video

NUM_FILMS, FILM_STEPS = 1000, 25
NUM_TESTS, NUM_PLANS = 64, 20
CLOSE = 2.0  # pixels from the goal: a success
PLANNER: dict[str, Any] = {"population_size": 64, "num_iterations": 3, "num_elites": 8, "num_kept_elites": 2}
PLANNER |= {"smoothing": 0.1}
PLAN_STD, PLAN_COLOR = 0.7, 2.0
GOAL_X = 12.5


def learn(seed: int, *, skip: bool) -> tuple[Any, world.Scene, float]:
    """A model fitted to random films of the scene of a seed, the scene, and the processor seconds of the fit."""
    rng = np.random.default_rng(seed)
    scene = world.draw_scene(rng)
    films = world.random_films(NUM_FILMS, FILM_STEPS, scene, rng)
    frames, actions = torch.as_tensor(films.frames), torch.as_tensor(films.actions)
    began = time.process_time()
    network = video.fit(frames, actions, skip=skip, seed=seed)
    return network, scene, time.process_time() - began


def test_films(seed: int, scene: world.Scene) -> world.Films:
    """New films of the scene of a seed, in which the dot passes the bar."""
    return world.crossing_films(NUM_TESTS, scene, np.random.default_rng([seed, 1]))


@torch.no_grad()
def predicted(network: Any, films: world.Films) -> tuple[Array, Array]:
    """Frames that a model predicts for films, shape (films, 12, 16, 16), and displacements, shape (films, 12, 2)."""
    frames, actions = torch.as_tensor(films.frames), torch.as_tensor(films.actions)
    prediction = video.predict(network, frames[:, 0], frames[:, 1], actions[:, 1:])
    return prediction.frames.numpy(), prediction.displacements.numpy()


class Start:
    """Where one plan starts and where it should go."""

    def __init__(self, scene: world.Scene, rng: np.random.Generator) -> None:
        position = np.array([[rng.uniform(*world.LEFT_OF_BAR), rng.uniform(*world.ROWS)]])
        velocity = world.SLOW * rng.normal(size=(1, 2))
        seen = world.film(position, velocity, np.zeros((1, 1, 2)), scene)
        self.goal = np.array([GOAL_X, rng.uniform(*world.ROWS)])
        self.scene, self.frames = scene, torch.as_tensor(seen.frames[0])
        self.position, self.velocity = world.move(position, velocity, np.zeros((1, 2)))

    def executed(self, action_sequences: Array) -> world.Films:
        """What really happens under some plans, shape (plans, 12, 2)."""
        position, velocity = (np.repeat(one, len(action_sequences), axis=0) for one in (self.position, self.velocity))
        return world.film(position, velocity, action_sequences, self.scene)

    def distances(self, action_sequences: Array) -> Array:
        """How far the dot is from the goal after each step of some plans, shape (plans, 12)."""
        off = self.executed(action_sequences).positions[:, 1:] - self.goal
        return np.asarray(np.hypot(off[..., 0], off[..., 1]))

    def pixel(self) -> torch.Tensor:
        """The designated pixel, the nearest to the dot, as a distribution of shape (16, 16)."""
        x, y = np.rint(self.position[0]).astype(int)
        distribution = torch.zeros(world.SIZE, world.SIZE)
        distribution[y, x] = 1.0
        return distribution

    def objective_of_model(self, network: Any) -> Objective:
        """Scores plans by the cost of the designated pixel."""
        goal = torch.as_tensor(self.goal, dtype=torch.float32)
        return video.planning_objective(network, self.frames[0], self.frames[1], self.pixel(), goal)

    def objective_of_true_state(self, action_sequences: torch.Tensor) -> torch.Tensor:
        """Scores plans by where the dot really goes, shape (plans,)."""
        distances = self.distances(action_sequences.numpy())
        return torch.as_tensor(-(distances.mean(axis=1) + distances[:, -1]))


def plan_noise(generator: torch.Generator, number: int) -> torch.Tensor:
    """Noise of `number` plans, shape (number, 12, 2)."""
    return colored_noise(number, world.HORIZON, world.ACT_DIM, color=PLAN_COLOR, generator=generator)


@torch.no_grad()
def plan(objective: Objective, generator: torch.Generator) -> Array:
    """Twelve actions by CEM, shape (12, 2)."""
    mean, high = torch.zeros(world.HORIZON, world.ACT_DIM), torch.ones(world.ACT_DIM)
    std = torch.full_like(mean, PLAN_STD)
    actions = cem(objective, mean, std, -high, high, noise=lambda number: plan_noise(generator, number), **PLANNER)
    return np.asarray(actions)


def final_distances(seed: int, scene: world.Scene, way: str, network: Any = None) -> Array:
    """How far the dot ends from its goal, for each plan of a seed: by "model", "true_state" or "random".

    The starts, goals and noise of a seed are the same for all ways.
    """
    rng, generator = np.random.default_rng([seed, 2]), torch.Generator().manual_seed(seed)
    distances = []
    for _ in range(NUM_PLANS):
        start = Start(scene, rng)
        if way == "random":
            actions = np.asarray((PLAN_STD * plan_noise(generator, 1)[0]).clamp(-1, 1))
        else:
            objective = start.objective_of_true_state if way == "true_state" else start.objective_of_model(network)
            actions = plan(objective, generator)
        distances.append(start.distances(actions[None])[0, -1])
    return np.array(distances)
