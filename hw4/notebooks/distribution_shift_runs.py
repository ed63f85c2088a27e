"""What the notebook distribution_shift measures; its recorded runs were made with these lines (given)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from hw4.commands.jupyter import Array
from hw4.commands.plots import BLUE, GREEN, ORANGE, VERMILION
from hw4.envs import make_env
from hw4.envs.cliff_hill import height
from hw4.experiments import EXPERIMENTS, Experiment, Version
from hw4.training import EpisodeRecord, train
from hw4.transitions import Transition

EXPERIMENT = EXPERIMENTS["cliff_hill"]
FIRST_PLANNED = EXPERIMENT.num_initial_episodes  # the first episode that is planned, counted from 0
VERSIONS: tuple[Version, ...] = ("0.5", "1.0", "1.5")
COLORS = {"base": BLUE, "0.5": VERMILION, "1.0": ORANGE, "1.5": GREEN}


@dataclass(frozen=True)
class WatchedEpisode:
    """One episode, and what the model expected of it."""

    record: EpisodeRecord
    planned: bool  # False under the base policy
    imagined: Array  # what the episode's first plan expects to observe, shape (horizon + 1, 3); nan without a plan
    error_on_visited: float  # m; mean |error| of the next height, each asked before it was seen; nan without a plan
    error_on_base: float  # m; `height_error` of the model as it was before this episode; nan before the first fit
    error_on_plan: float  # m


class Watcher:
    """Wraps an agent: notes the first plan of an episode, rolled out in the agent's own model."""

    def __init__(self, agent: Any, horizon: int) -> None:
        self.agent = agent
        self.horizon = horizon

    def begin_episode(self) -> None:
        self.agent.begin_episode()
        self.planned = False
        self.imagined = np.full((self.horizon + 1, 3), np.nan)
        self.errors: list[float] = []

    def act(self, observation: Array) -> Array:
        action: Array = self.agent.act(observation)
        if not self.planned and self.agent.controller.plan is not None:
            self.planned = True
            self.imagined = imagine(self.agent, observation, np.asarray(self.agent.controller.plan))
        return action

    def record(self, transition: Transition) -> None:
        if self.planned:
            predicted = self.agent.predict_next(transition.observation, transition.action)
            self.errors.append(abs(predicted[2] - transition.next_observation[2]))
        self.agent.record(transition)


def imagine(agent: Any, observation: Array, plan: Array) -> Array:
    """The observations that the agent's model expects along a plan, shape (horizon + 1, 3)."""
    observations = [observation]
    for action in plan:
        observations.append(agent.predict_next(observations[-1], action))
    return np.array(observations)


def height_error(agent: Any, transitions: Transition) -> float:
    """Mean absolute error of the predicted next height (m), one step ahead."""
    predicted = [agent.predict_next(s, a)[2] for s, a in zip(transitions.observation, transitions.action, strict=True)]
    return float(np.abs(np.array(predicted) - transitions.next_observation[:, 2]).mean())


def watch(agent: Any, experiment: Experiment, seed: int, held_out: dict[str, Transition]) -> Iterable[WatchedEpisode]:
    """Train an agent, and yield each episode as it ends."""
    watcher = Watcher(agent, experiment.horizon)
    on_base = on_plan = np.nan
    for record in train(make_env("cliff_hill"), watcher, num_episodes=experiment.num_episodes, seed=seed):
        on_visited = float(np.mean(watcher.errors)) if watcher.planned else np.nan
        yield WatchedEpisode(record, watcher.planned, watcher.imagined, on_visited, on_base, on_plan)
        if held_out and len(agent.replay) >= experiment.initial_steps:  # fitted: how good is the model now?
            on_base, on_plan = height_error(agent, held_out["base"]), height_error(agent, held_out["plan"])


def believed_heights(agent: Any, x: Array) -> Array:
    """The height (m) that the agent's model expects after a full step right from each x on the ridge, y = 0."""
    positions = np.stack([x, np.zeros_like(x)], axis=-1)
    observations = np.column_stack([positions, height(positions)])
    return np.array([agent.predict_next(observation, np.array([1.0, 0.0]))[2] for observation in observations])


def imagined_return(experiment: Experiment, plan: Array, imagined: Array) -> float:
    """The return that the model expects of a plan: the task's own reward, on imagined states."""
    return float(experiment.task.reward(imagined[:-1], plan, imagined[1:]).sum())


BASE_POLICIES = {"timid": (0.3, 1), "uniform": (1.0, 1), "bold": (1.0, 20)}  # share of the range, steps held


def base_policy(name: str, rng: np.random.Generator) -> Callable[[Array], Array]:
    """Random actions of one of the three kinds."""
    scale, hold = BASE_POLICIES[name]
    actions = (action for _ in itertools.count() for action in [scale * rng.uniform(-1, 1, 2)] * hold)
    return lambda observation: next(actions)


class HandMadeCartPole(torch.nn.Module):
    """A frictionless cart-pole with a point mass and an endless rail, and three unknown numbers."""

    GRAVITY = 9.81  # m/s^2
    SECONDS_PER_ACTION = 0.05
    NUM_SUBSTEPS = 5
    FIRST_GUESS = (10.0, 1.0, 1.0)  # acceleration of a full command (m/s^2), pole mass / cart mass, pole length (m)

    def __init__(self) -> None:
        super().__init__()
        self.log_parameters = torch.nn.Parameter(torch.tensor(self.FIRST_GUESS).log())  # so that they stay positive

    def predict(self, observation: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """The next observation, shape (..., 5), from observations (..., 5) and actions (..., 1)."""
        gain, mass_ratio, length = self.log_parameters.exp()
        x, sin, cos, velocity, angular_velocity = observation.unbind(-1)
        angle = torch.atan2(sin, cos)
        seconds = self.SECONDS_PER_ACTION / self.NUM_SUBSTEPS
        for _ in range(self.NUM_SUBSTEPS):
            sin, cos = torch.sin(angle), torch.cos(angle)
            pull_of_pole = mass_ratio * sin * (length * angular_velocity**2 - self.GRAVITY * cos)
            acceleration = (gain * action[..., 0] + pull_of_pole) / (1 + mass_ratio * sin**2)
            velocity = velocity + seconds * acceleration
            angular_velocity = angular_velocity + seconds * (self.GRAVITY * sin - cos * acceleration) / length
            x = x + seconds * velocity
            angle = angle + seconds * angular_velocity
        return torch.stack([x, torch.sin(angle), torch.cos(angle), velocity, angular_velocity], dim=-1)


def identify(data: Transition) -> HandMadeCartPole:
    """Fit the three numbers to transitions (torch tensors): least squares, each feature in units of its own spread."""
    model = HandMadeCartPole()
    scale = (data.next_observation - data.observation).std(dim=0)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        error = (model.predict(data.observation, data.action) - data.next_observation) / scale
        value: torch.Tensor = (error**2).mean()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return model
