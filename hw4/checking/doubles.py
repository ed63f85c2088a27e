"""Stand-ins for a network and a model, simple enough to predict by hand (given; used by the tests)."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from typing import Any

import numpy as np
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


def sgd(
    model: QuadraticModel,
    learning_rate: float,
    momentum: float = 0.0,
    on_step: Callable[[], Any] | None = None,
) -> torch.optim.Optimizer:
    """Gradient descent on the model's weights, plain or with momentum; `on_step` hears of each step."""
    optimizer = torch.optim.SGD([model.weights], lr=learning_rate, momentum=momentum)
    if on_step is not None:
        optimizer.register_step_post_hook(lambda *_: on_step())
    return optimizer


def same_generator(generator: torch.Generator) -> torch.Generator:
    """The generator itself, so that a check can draw from one generator several times."""
    return generator


def give_normalizers(model: Any, input_normalizer: Any, delta_normalizer: Any) -> None:
    """Replace both normalisers of a model, as `fit_normalizers` does."""
    model.input_normalizer, model.delta_normalizer = input_normalizer, delta_normalizer


def leave_gradient(model: QuadraticModel, value: float) -> None:
    """Leave a gradient behind, as something before a fit may do."""
    model.weights.grad = torch.full_like(model.weights, value)


def length_of_replay(agent: Any) -> int:
    """How many transitions an agent keeps."""
    return len(agent.replay)


def record_each(agent: Any, transitions: Transition) -> None:
    """Let an agent record a batch of transitions one by one, in order."""
    for observation, action, next_observation in zip(*transitions, strict=True):
        agent.record(Transition(observation, action, next_observation))


class LinearNetwork(torch.nn.Module):
    """inputs @ weight: weight of shape (I, O), or (E, I, O) for one per member."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(weight.clone())

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs @ self.weight


class JoinedNetwork(torch.nn.Module):
    """[first, second] @ weight: what a network of two inputs answers, weight of shape (I1 + I2, O)."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return torch.cat([first, second], dim=-1) @ self.weight


def gradient_of(name: str, weights: Tensor, number: int, *args: Any, part: int | None = None) -> Tensor:
    """Gradient of sum(weights * answer) of hw4's "module.function" in its argument number `number`, of that shape.

    With `part`, the answer is that one of several values. Zeros, if the gradient does not get there.
    """
    variable = args[number].clone().requires_grad_()
    answer = _function_of(name)(*args[:number], variable, *args[number + 1 :])
    if part is not None:
        answer = answer[part]
    if not (isinstance(answer, Tensor) and answer.requires_grad):
        return torch.zeros_like(variable)
    (gradient,) = torch.autograd.grad((weights * answer).sum(), variable, allow_unused=True)
    return torch.zeros_like(variable) if gradient is None else gradient


def loss_gradient(model: Any, network: LinearNetwork, batch: Transition, member: int | None = None) -> Tensor:
    """Gradient of the summed `model.loss(batch)`, or of one member's, in the network's weight, the weight's shape."""
    network.weight.grad = None
    loss = model.loss(batch)
    if member is not None:
        loss = loss[member]
    if isinstance(loss, Tensor) and loss.requires_grad:
        loss.sum().backward()  # type: ignore[no-untyped-call]
    return torch.zeros_like(network.weight) if network.weight.grad is None else network.weight.grad


def look_at(tensor: Any) -> Any:
    """A tensor as it is now."""
    return tensor


def is_part_of_a_graph(name: str, *args: Any, **kwargs: Any) -> bool:
    """Whether the answer of hw4's "module.function" is still part of a graph of gradients."""
    answer = _function_of(name)(*args, **kwargs)
    return isinstance(answer, Tensor) and answer.requires_grad


def statistics_of(normalizer: Any) -> tuple[Any, Any]:
    """The mean and the std of a normaliser, as they are."""
    return normalizer.mean, normalizer.std


def leaves_other_generators_alone(name: str, *args: Any, **kwargs: Any) -> bool:
    """Whether a call of hw4's "module.function" draws nothing from the global generators of torch, NumPy and Python."""
    before = _global_states()
    _function_of(name)(*args, **kwargs)
    return all(np.array_equal(old, new) for old, new in zip(before, _global_states(), strict=True))


def _global_states() -> list[Any]:
    numpy_state = np.random.get_state(legacy=False)["state"]
    return [torch.get_rng_state().numpy(), numpy_state["key"], numpy_state["pos"], random.getstate()[1]]


def seed_global_generators(seed: int) -> None:
    """Seed the global generators of torch, NumPy and Python."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def draw_from_global_generators(size: int, count: int) -> tuple[Any, Any, Any]:
    """So many numbers below `size` from the global generator of each: torch, NumPy, Python."""
    of_python = np.array([random.randrange(size) for _ in range(count)])
    return torch.randint(size, (count,)), np.random.randint(size, size=count), of_python


def exception_of(name: str, *args: Any) -> str:
    """The name of the exception that a call of hw4's "module.function" raises; empty if there is none."""
    try:
        _function_of(name)(*args)
    except Exception as error:
        return type(error).__name__
    return ""


def _function_of(name: str) -> Callable[..., Any]:
    module, _, symbol = name.rpartition(".")
    function: Callable[..., Any] = getattr(importlib.import_module(f"hw4.{module}"), symbol)
    return function
