"""Writes down what a model imagines while its agent acts, for `python -m hw4 video` (given)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hw4.mpc import ModelBasedAgent, Predict
from hw4.transitions import Transition


def imagine(predict: Predict, observation: Tensor, plan: Tensor, *, ensemble_size: int) -> Tensor:
    """What each member expects to see if the plan is executed from here.

    Args:
        predict: (E, 1, obs_dim), (E, 1, act_dim) -> (E, 1, obs_dim); member e predicts entry e.
        observation: where the plan starts, shape (obs_dim,).
        plan: shape (horizon, act_dim).
        ensemble_size: E.

    Returns:
        shape (E, horizon + 1, obs_dim): the start, then one predicted observation for each action.
    """
    state = observation.expand(ensemble_size, 1, -1)
    states = [state]
    with torch.no_grad():
        for action in plan:
            state = predict(state, action.expand(ensemble_size, 1, -1))
            states.append(state)
    return torch.cat(states, dim=1)


def imagine_plan(
    agent: ModelBasedAgent, observation: NDArray[Any], *, ensemble_size: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Plan from `observation` without a warm start, and write down what the model expects of the plan.

    Draws from the agent's random numbers, so a run with it differs from one without.

    Returns:
        The plan, shape (horizon, act_dim), and each member's roll-out of it, shape (E, horizon + 1, obs_dim).
    """
    start = torch.as_tensor(observation, dtype=torch.float32)
    plan = agent.controller.planner(start, agent.controller.initial_mean)
    return np.asarray(plan), np.asarray(imagine(agent.predict, start, plan, ensemble_size=ensemble_size))


class ImaginationRecorder:
    """Drives an agent unchanged, and notes each new plan of one episode with what its model imagines."""

    def __init__(
        self, agent: ModelBasedAgent, *, ensemble_size: int, episode: int, on_step: Callable[[], None] | None = None
    ) -> None:
        """
        Args:
            agent: does everything; the recorder draws no random numbers, so a run is the same with and without it.
            ensemble_size: E.
            episode: the episode to write down, from 0.
            on_step: called after every env step.
        """
        self._agent = agent
        self._ensemble_size = ensemble_size
        self._recorded_episode = episode
        self._on_step = on_step
        self._episode = -1
        self._step = 0
        self._plan: Tensor | None = None
        self.plan_steps: list[int] = []
        self.imagined: list[NDArray[np.float32]] = []

    def begin_episode(self) -> None:
        self._episode += 1
        self._step = 0
        self._plan = None
        self._agent.begin_episode()

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        action = self._agent.act(observation)
        plan = self._agent.controller.plan
        if self._episode == self._recorded_episode and plan is not None and plan is not self._plan:
            self._plan = plan
            start = torch.as_tensor(observation, dtype=torch.float32)
            imagined = imagine(self._agent.predict, start, plan, ensemble_size=self._ensemble_size)
            self.plan_steps.append(self._step)
            self.imagined.append(np.asarray(imagined, dtype=np.float32))
        return action

    def record(self, transition: Transition) -> None:
        self._agent.record(transition)
        self._step += 1
        if self._on_step is not None:
            self._on_step()
