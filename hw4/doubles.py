"""Stand-ins for a network and a model, simple enough to predict by hand (given; used by the tests)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from hw4.transitions import Transition


class QuadraticModel:
    """A "model" whose loss is the mean squared distance of a batch's observations from its weights.

    For weights of shape (obs_dim,) the loss is a scalar; for (E, obs_dim) it has shape (E,). One step of gradient
    descent moves the weights towards the mean of the batch by 2 * learning_rate / obs_dim of the distance. What the
    model is asked for is reported to the two callbacks in order.
    """

    def __init__(
        self,
        weights: Tensor,
        on_fit_normalizers: Callable[[Tensor], Any] | None = None,
        on_batch: Callable[[Tensor], Any] | None = None,
    ) -> None:
        self.weights = torch.nn.Parameter(weights.clone())
        self._on_fit_normalizers = on_fit_normalizers
        self._on_batch = on_batch

    def fit_normalizers(self, transitions: Transition) -> None:
        if self._on_fit_normalizers is not None:
            self._on_fit_normalizers(transitions.observation)

    def loss(self, batch: Transition) -> Tensor:
        if self._on_batch is not None:
            self._on_batch(batch.observation)
        squared_distance: Tensor = (self.weights.unsqueeze(-2) - batch.observation) ** 2
        return squared_distance.mean(dim=(-2, -1))

    def current_weights(self) -> Tensor:
        return self.weights.detach().clone()


def sgd(model: QuadraticModel, learning_rate: float) -> torch.optim.Optimizer:
    """Plain gradient descent on the model's weights."""
    return torch.optim.SGD([model.weights], lr=learning_rate)


def same_generator(generator: torch.Generator) -> torch.Generator:
    """The generator itself, so that a check can draw from one generator several times."""
    return generator


class LinearNetwork(torch.nn.Module):
    """inputs @ weight: weight of shape (I, O), or (E, I, O) for one per member."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(weight.clone())

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs @ self.weight


def loss_gradient(model: Any, network: LinearNetwork, batch: Transition) -> Tensor:
    """Gradient of the summed `model.loss(batch)` in the network's weight, the weight's shape."""
    network.weight.grad = None
    model.loss(batch).sum().backward()
    return torch.zeros_like(network.weight) if network.weight.grad is None else network.weight.grad
