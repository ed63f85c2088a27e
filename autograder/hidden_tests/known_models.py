"""A DynamicsModel of the student's around a hidden linear network, and the same in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hw4.checking.answers import AnyOf
from hw4.checking.model_slips import KnownModel
from hw4.checking.subject import Subject
from hw4.checking.worked_example import normalizer
from hw4.transitions import Transition

RNG = np.random.Generator
OBS_DIM, ACT_DIM = 4, 2  # no size is 3, the number of fields of a Transition


class Model:
    """One model with statistics far from doing nothing."""

    def __init__(
        self,
        subject: Subject,
        rng: RNG,
        *,
        members: int | None = None,
        obs_dim: int = OBS_DIM,
        act_dim: int = ACT_DIM,
        answers: float = 1.0,
        spread: float = 1.0,
    ) -> None:
        """
        Args:
            answers: factor of what the network answers.
            spread: factor of the spread of the changes.
        """
        self.subject, self.obs_dim, self.act_dim = subject, obs_dim, act_dim
        in_dim = obs_dim + act_dim
        self._spread = spread
        self._earlier: list[tuple[Any, ...]] = []
        self._draw_statistics(rng)
        self.weight = answers * rng.normal(size=(in_dim, obs_dim) if members is None else (members, in_dim, obs_dim))
        self.network = subject.call("checking.doubles.LinearNetwork", self.weight)
        self.handle = subject.call(
            "dynamics_model.DynamicsModel",
            self.network,
            input_normalizer=normalizer(subject, self.in_mean, self.in_std),
            delta_normalizer=normalizer(subject, self.d_mean, self.d_std),
        )
        self.known = KnownModel(lambda x: x @ self.weight, self.in_mean, self.in_std, self.d_mean, self.d_std)

    def _draw_statistics(self, rng: RNG) -> None:
        in_dim = self.obs_dim + self.act_dim
        self.in_mean, self.in_std = rng.normal(size=in_dim), rng.uniform(0.5, 3.0, in_dim)
        self.d_mean = rng.normal(size=self.obs_dim)
        self.d_std = self._spread * rng.uniform(0.1, 4.0, self.obs_dim)

    def renew(self, rng: RNG) -> None:
        """Give the model other normalisers, as a fit to more data does."""
        self._earlier.append((self.in_mean, self.in_std, self.d_mean, self.d_std))
        self._draw_statistics(rng)
        self.subject.call(
            "checking.doubles.give_normalizers",
            self.handle,
            normalizer(self.subject, self.in_mean, self.in_std),
            normalizer(self.subject, self.d_mean, self.d_std),
        )

    def by_earlier_normalizers(self, answer: Callable[[Transition], Any], batch: Transition) -> AnyOf:
        """What comes out if one normaliser or both are those of an earlier time."""
        now = (self.in_mean, self.in_std, self.d_mean, self.d_std)
        answers = []
        for old in self._earlier:
            for mixture in ((*old[:2], *now[2:]), (*now[:2], *old[2:]), old):
                self.in_mean, self.in_std, self.d_mean, self.d_std = mixture
                answers.append(answer(batch))
        self.in_mean, self.in_std, self.d_mean, self.d_std = now
        return AnyOf(tuple(answers))

    def transitions(self, rng: RNG, *shape: int) -> Transition:
        return transitions(rng, *shape, obs_dim=self.obs_dim, act_dim=self.act_dim)

    def answer(self, batch: Transition) -> Any:
        """What the network answers, in normalised units."""
        inputs = np.concatenate([batch.observation, batch.action], axis=-1)
        return (inputs - self.in_mean) / self.in_std @ self.weight

    def next_observation(self, batch: Transition) -> Any:
        return batch.observation + self.answer(batch) * self.d_std + self.d_mean

    def error(self, batch: Transition) -> Any:
        return self.answer(batch) - (batch.next_observation - batch.observation - self.d_mean) / self.d_std

    def loss(self, batch: Transition) -> Any:
        return np.mean(self.error(batch) ** 2, axis=(-2, -1))

    def gradient(self, batch: Transition) -> Any:
        """Gradient of the loss in the weights, of one batch, or of a batch per member."""
        inputs, error = (np.concatenate(batch[:2], axis=-1) - self.in_mean) / self.in_std, self.error(batch)
        return 2 * np.swapaxes(inputs, -2, -1) @ error / (error.shape[-2] * error.shape[-1])

    def predict(self, batch: Transition) -> Any:
        return self.subject.call_method(self.handle, "predict", batch.observation, batch.action)

    def ask_loss(self, batch: Transition) -> Any:
        return self.subject.call_method(self.handle, "loss", batch)


def transitions(rng: RNG, *shape: int, obs_dim: int = OBS_DIM, act_dim: int = ACT_DIM) -> Transition:
    """Different transitions of moderate size."""
    observation = rng.normal(size=(*shape, obs_dim))
    return Transition(
        observation, rng.uniform(-1, 1, (*shape, act_dim)), observation + rng.normal(size=(*shape, obs_dim))
    )
