"""A learning curve for TensorBoard, next to the CSV file (given; only this needs the package `tensorboard`)."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw4.commands.runs import RunError
from hw4.mpc import ModelBasedAgent
from hw4.training import AgentProtocol, EpisodeRecord
from hw4.transitions import Transition

MIN_SQUARED_CHANGE = 1e-12  # below this an observation counts as one that does not change


def require_tensorboard() -> None:
    """
    Raises:
        RunError: the package is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise RunError("--tensorboard needs one more package: pip install tensorboard; or leave it out")


class ScalarWriter:
    """Writes one seed's scalars into its folder; the x-axis is env steps.

    return       undiscounted sum of rewards of the episode
    model_error  see `ModelErrorMeter`; from the first planned episode on
    """

    def __init__(self, seed_folder: Path, *, env_steps: int) -> None:
        """
        Args:
            seed_folder: where the event file goes.
            env_steps: taken before; later points of an older event file there are no longer shown.
        """
        from torch.utils.tensorboard import SummaryWriter

        purge_step = env_steps + 1 if env_steps else None
        self._writer: Any = SummaryWriter(str(seed_folder), purge_step=purge_step)

    def add(self, record: EpisodeRecord, model_error: float) -> None:
        self._writer.add_scalar("return", record.episode_return, record.env_steps)
        if math.isfinite(model_error):
            self._writer.add_scalar("model_error", model_error, record.env_steps)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class ModelErrorMeter:
    """Drives an agent unchanged, and compares each next observation with what the model expected before it was seen.

        model_error = sqrt( mean over dimensions of  mean (s' - prediction)^2 / mean (s' - s)^2 )

    with the inner means over the transitions of one episode: 0 is perfect, 1 as good as expecting no change.
    """

    def __init__(self, driven: AgentProtocol, agent: ModelBasedAgent) -> None:
        """
        Args:
            driven: acts and records; `agent` itself, or something that drives it.
            agent: whose model predicts. Its prediction draws no random numbers, so a run is the same with and without.
        """
        self._driven = driven
        self._agent = agent
        self._squared_errors: list[NDArray[np.float64]] = []
        self._squared_changes: list[NDArray[np.float64]] = []

    def begin_episode(self) -> None:
        self._squared_errors.clear()
        self._squared_changes.clear()
        self._driven.begin_episode()

    def act(self, observation: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._driven.act(observation)

    def record(self, transition: Transition) -> None:
        if len(self._agent.replay) >= self._agent.initial_steps:  # the model has been fitted
            prediction = self._agent.predict_next(transition.observation, transition.action)
            self._squared_errors.append((transition.next_observation - prediction) ** 2)
            self._squared_changes.append((transition.next_observation - transition.observation) ** 2)
        self._driven.record(transition)

    def episode_error(self) -> float:
        """The model error of the episode so far; NaN if there was no model."""
        if not self._squared_errors:
            return math.nan
        error, change = np.mean(self._squared_errors, axis=0), np.mean(self._squared_changes, axis=0)
        return float(np.sqrt(np.mean(error / np.maximum(change, MIN_SQUARED_CHANGE))))
