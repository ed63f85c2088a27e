"""Coloured noise for candidate action sequences (given)."""

from __future__ import annotations

import torch
from torch import Tensor


def colored_noise(
    num_sequences: int, horizon: int, act_dim: int, *, color: float, generator: torch.Generator
) -> Tensor:
    """Gaussian noise whose power falls as 1 / frequency^color along the horizon, with unit variance at every step.

    `color` 0 is white noise; 1 is pink, which holds a push for several steps instead of trembling, so far fewer
    candidates are needed (Pinneri et al. 2020, "Sample-efficient Cross-Entropy Method").

    Returns:
        shape (num_sequences, horizon, act_dim).
    """
    white = torch.randn(num_sequences, act_dim, horizon, generator=generator)
    if color == 0.0 or horizon == 1:
        return white.transpose(1, 2)
    frequency = torch.fft.rfftfreq(horizon)
    frequency[0] = 1.0 / horizon  # the constant part gets the power of the lowest frequency
    scale = frequency ** (-color / 2)
    weight = torch.full_like(scale, 2.0)  # each frequency stands for itself and its mirror ...
    weight[0] = 1.0
    if horizon % 2 == 0:
        weight[-1] = 1.0  # ... except the constant and the highest
    scale = scale / torch.sqrt((weight * scale**2).sum() / horizon)
    colored: Tensor = torch.fft.irfft(torch.fft.rfft(white) * scale, n=horizon)
    return colored.transpose(1, 2)
