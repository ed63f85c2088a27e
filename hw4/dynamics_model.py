"""A neural-network model of the dynamics: what happens next, learned from transitions.

Shapes: N = transitions, B = minibatch. "..." stands for any leading batch dimensions, including none.
A function leaves its inputs unchanged: nothing is changed in place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from hw4.transitions import Transition

MIN_STD = 1e-6  # below this a feature counts as constant and is divided by 1


@dataclass(frozen=True)
class Normalizer:
    """Shifts and scales each feature to mean 0 and standard deviation 1."""

    mean: Tensor  # shape (dim,)
    std: Tensor  # shape (dim,), never 0

    @classmethod
    def identity(cls, dim: int) -> Normalizer:
        """The normaliser that changes nothing."""
        return cls(mean=torch.zeros(dim), std=torch.ones(dim))

    def normalize(self, values: Tensor) -> Tensor:
        """(values - mean) / std, shape (..., dim)."""
        return (values - self.mean) / self.std

    def unnormalize(self, values: Tensor) -> Tensor:
        """values * std + mean: undoes `normalize`, shape (..., dim)."""
        return values * self.std + self.mean


def fit_normalizer(values: Tensor) -> Normalizer:
    """Compute the mean and standard deviation of each feature (`normalizer_fit`).

        mean[j] = 1/N * sum_n values[n, j]
        std[j]  = sqrt(1/N * sum_n (values[n, j] - mean[j])^2)        (divisor N, not N - 1)

    A feature whose std is below MIN_STD was constant: its std becomes 1 (not MIN_STD: dividing by a tiny number would
    blow the feature up the first time it does change). Compute the std with torch's `std`, for all features at once:
    the std of a constant is then exactly 0, however large the constant. If you write the formula out in float32, or
    take one feature at a time, the rounding of the mean alone can lift the std above MIN_STD. With a single feature
    torch's `std` can round, too, so there only constants from -1 to 1 must get a std of 1.

    Args:
        values: shape (..., dim); all leading dimensions together are the N samples, N >= 1.

    Returns:
        A `Normalizer` whose mean and std have shape (dim,).

    Public test: pytest hw4/tests -m normalizer_fit
    """
    # TODO(normalizer_fit): about 4 lines; torch's std divides by N - 1 unless told `correction=0`.
    raise NotImplementedError("normalizer_fit: write fit_normalizer in hw4/dynamics_model.py")


class DynamicsModel:
    """Predicts the next observation from an observation and an action.

    The network sees normalised inputs and answers in normalised units; what it answers is the *change* of the
    observation, s' - s, because over one step little changes and "nothing changes" is a good first guess.
    `network` is any function from shape (..., obs_dim + act_dim) to (..., obs_dim). If it is an `EnsembleMLP`, its
    member axis E comes first in everything below, and the same class is an ensemble.
    """

    def __init__(
        self, network: Callable[[Tensor], Tensor], *, input_normalizer: Normalizer, delta_normalizer: Normalizer
    ) -> None:
        self.network = network
        self.input_normalizer = input_normalizer  # of (observation, action) concatenated, dim obs_dim + act_dim
        self.delta_normalizer = delta_normalizer  # of next_observation - observation, dim obs_dim

    def fit_normalizers(self, transitions: Transition) -> None:
        """Refresh both normalisers from all transitions seen so far (given)."""
        inputs = torch.cat([transitions.observation, transitions.action], dim=-1)
        self.input_normalizer = fit_normalizer(inputs)
        self.delta_normalizer = fit_normalizer(transitions.next_observation - transitions.observation)

    def predict(self, observation: Tensor, action: Tensor) -> Tensor:
        """Predict the next observation, in the environment's units (`model_predict`).

            inputs           = input_normalizer.normalize(concatenate(s, a))
            observation_delta = delta_normalizer.unnormalize(network(inputs))
            next_observation = s + observation_delta

        Args:
            observation: s, shape (..., obs_dim). Not changed in place.
            action: a, shape (..., act_dim), the same leading dimensions.

        Returns:
            shape (..., obs_dim); with an ensemble network (E, ..., obs_dim).

        Public test: pytest hw4/tests -m model_predict
        """
        # TODO(model_predict): about 3 lines; use the stored normalisers, never the batch's.
        raise NotImplementedError("model_predict: write DynamicsModel.predict in hw4/dynamics_model.py")

    def loss(self, batch: Transition) -> Tensor:
        """Mean squared error in normalised units (`model_loss`).

            inputs = input_normalizer.normalize(concatenate(s, a))
            target = delta_normalizer.normalize(s' - s)
            loss   = 1/(B * obs_dim) * sum over the last two axes of (network(inputs) - target)^2

        In normalised units a position in metres and a velocity in rad/s weigh the same.

        Args:
            batch: fields of shape (..., B, dim). For an ensemble (E, B, dim): one minibatch per member.

        Returns:
            shape (...): a scalar for one network, shape (E,) for an ensemble. Differentiable in the network's weights.

        Public test: pytest hw4/tests -m model_loss
        """
        # TODO(model_loss): about 4 lines; average over the last two axes only.
        raise NotImplementedError("model_loss: write DynamicsModel.loss in hw4/dynamics_model.py")


class TrainableModel(Protocol):
    """What `fit` needs of a model."""

    def fit_normalizers(self, transitions: Transition) -> None: ...

    def loss(self, batch: Transition) -> Tensor: ...


def fit(
    model: TrainableModel,
    transitions: Transition,
    optimizer: torch.optim.Optimizer,
    *,
    sample_indices: Callable[[], Tensor],
    gradient_steps: int,
) -> Tensor:
    """Fit a model to all transitions by minibatch gradient descent (`model_fit`).

    First refresh the model's normalisers from ALL the transitions, once. Then, `gradient_steps` times: draw a
    minibatch with `sample_indices()`, select it, take `model.loss` of it, and let the optimiser step down its
    gradient, unclipped and with the learning rate that it came with. An ensemble's loss has one entry per member: step
    on their sum. Members share no weights, so each gets exactly its own gradient.

    Args:
        model: anything with `fit_normalizers(transitions)` and `loss(batch)`.
        transitions: all the data, fields of shape (N, dim).
        optimizer: holds the network's weights; keeps its state between calls.
        sample_indices: draws the indices of one minibatch, shape (B,), or (E, B) for an ensemble. Called exactly once
            per gradient step, just before it or ahead of time; `transitions.select(indices)` is the minibatch.
        gradient_steps: number of optimiser steps, at least 1.

    Returns:
        The summed loss before each step, detached, shape (gradient_steps,).

    Public test: pytest hw4/tests -m model_fit
    """
    # TODO(model_fit): about 9 lines; gradients add up across steps unless they are zeroed.
    raise NotImplementedError("model_fit: write fit in hw4/dynamics_model.py")


def uniform_indices(num_transitions: int, batch_size: int, *, generator: torch.Generator) -> Tensor:
    """Indices of a minibatch for one network, drawn uniformly with replacement, shape (batch_size,) (given)."""
    return torch.randint(num_transitions, (batch_size,), generator=generator)


def make_optimizer(network: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Adam over the network's weights, made once and kept, so that later fits continue warm (given)."""
    return torch.optim.Adam(network.parameters(), lr=learning_rate, fused=True)
