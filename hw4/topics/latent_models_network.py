"""The network of the topic `latent_models`: from frames to a latent state, and from there to what it predicts (given).

Shapes: B = batch, P = number of pixels, F = features, M = memory, Z = latent, A = action; "..." stands for any leading
dimensions. A frame has its pixels in one row here: shape (..., P).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

WIDTH = 64  # of all hidden layers, of the features and of the memory
LATENT_DIM = 8
SURE = -4.0  # log variance of every belief at the start: a latent that is mostly noise teaches the decoder nothing

Encoder = Literal["filter", "stochastic", "deterministic"]


class LatentNetwork(nn.Module):
    """All parts of a latent model.

    `encode` turns what is seen into features. `remember` is the filter's: it takes features and the last action into
    its memory. `head` reads mean and log variance of the latent off the memory; with an encoder that sees a single step
    off the features. `step` predicts the next latent, `decode` the frame and `reward` the reward.
    """

    def __init__(self, num_pixels: int, act_dim: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(2 * num_pixels, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU())
        self.remember = nn.GRUCell(WIDTH + act_dim, WIDTH)
        self.head = nn.Linear(WIDTH, 2 * LATENT_DIM)
        self.change = _mlp(LATENT_DIM + act_dim, LATENT_DIM)
        self.decode = _mlp(LATENT_DIM, num_pixels)
        self.score = _mlp(LATENT_DIM + act_dim, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.GRUCell):
                _draw(layer, generator)
        with torch.no_grad():
            self.head.bias[LATENT_DIM:] = SURE
        self.prior_log_variance = nn.Parameter(torch.full((LATENT_DIM,), SURE))  # of a predicted latent

    def step(self, latent: Tensor, action: Tensor) -> Tensor:
        """The latent after an action: (..., Z) and (..., A) -> (..., Z)."""
        change: Tensor = self.change(torch.cat([latent, action], dim=-1))
        return latent + change

    def reward(self, latent: Tensor, action: Tensor) -> Tensor:
        """The reward of an action: (..., Z) and (..., A) -> (...)."""
        score: Tensor = self.score(torch.cat([latent, action], dim=-1))
        return score.squeeze(-1)


def _mlp(in_dim: int, out_dim: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(in_dim, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, out_dim)
    )


def _draw(layer: nn.Linear | nn.GRUCell, generator: torch.Generator) -> None:
    """Draw the weights from the range that torch uses for such a layer."""
    inputs = layer.hidden_size if isinstance(layer, nn.GRUCell) else layer.in_features
    with torch.no_grad():
        for weight in layer.parameters():
            weight.uniform_(-1.0 / math.sqrt(inputs), 1.0 / math.sqrt(inputs), generator=generator)
