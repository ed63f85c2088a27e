"""Networks: one MLP, a batched ensemble of MLPs, and bounds for a predicted log-variance (given).

Shapes: E = ensemble_size, B = batch, I and O = sizes of input and output.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class EnsembleLinear(nn.Module):
    """E linear layers in one batched matrix product: (E, B, I) -> (E, B, O)."""

    def __init__(self, ensemble_size: int, in_dim: int, out_dim: int, *, generator: torch.Generator) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(in_dim)  # the range nn.Linear draws from
        self.weight = nn.Parameter(_uniform((ensemble_size, in_dim, out_dim), bound, generator))
        self.bias = nn.Parameter(_uniform((ensemble_size, 1, out_dim), bound, generator))

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, inputs, self.weight)


class EnsembleMLP(nn.Module):
    """E independent MLPs with SiLU, drawn from one generator, so that no two members start alike.

    Input shape (E, ..., B, I): one batch per member; or (B, I) or (I,): every member sees the same input.
    Output shape (E, ..., B, O), or (E, O) for an input of shape (I,).
    """

    def __init__(
        self,
        ensemble_size: int,
        in_dim: int,
        out_dim: int,
        *,
        width: int,
        num_hidden_layers: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.ensemble_size = ensemble_size
        self.layers = nn.ModuleList(
            EnsembleLinear(ensemble_size, i, o, generator=generator)
            for i, o in _layer_sizes(in_dim, out_dim, width, num_hidden_layers)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        batch_shape = inputs.shape[1:-1] if inputs.dim() >= 3 else inputs.shape[:-1]
        hidden = inputs.expand(self.ensemble_size, *batch_shape, inputs.shape[-1])
        hidden = hidden.reshape(self.ensemble_size, -1, inputs.shape[-1])  # (E, B, I)
        for layer in self.layers[:-1]:
            hidden = functional.silu(layer(hidden))
        outputs: Tensor = self.layers[-1](hidden)
        return outputs.reshape(self.ensemble_size, *batch_shape, outputs.shape[-1])


class MLP(nn.Module):
    """One MLP with SiLU: (..., I) -> (..., O)."""

    def __init__(
        self, in_dim: int, out_dim: int, *, width: int, num_hidden_layers: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for i, o in _layer_sizes(in_dim, out_dim, width, num_hidden_layers):
            layer = nn.Linear(i, o)
            bound = 1.0 / math.sqrt(i)
            layer.weight = nn.Parameter(_uniform((o, i), bound, generator))
            layer.bias = nn.Parameter(_uniform((o,), bound, generator))
            self.layers.append(layer)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = inputs
        for layer in self.layers[:-1]:
            hidden = functional.silu(layer(hidden))
        outputs: Tensor = self.layers[-1](hidden)
        return outputs


def soft_bound(log_variance: Tensor, *, low: float = -10.0, high: float = 0.5) -> Tensor:
    """Keep a predicted log-variance (in normalised space) softly inside [low, high] (Chua et al. 2018, app. A.1)."""
    log_variance = high - functional.softplus(high - log_variance)
    return low + functional.softplus(log_variance - low)


def _layer_sizes(in_dim: int, out_dim: int, width: int, num_hidden_layers: int) -> Iterator[tuple[int, int]]:
    sizes = [in_dim, *[width] * num_hidden_layers, out_dim]
    return pairwise(sizes)


def _uniform(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> Tensor:
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)
