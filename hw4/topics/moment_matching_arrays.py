"""The functions of the topic `moment_matching` over plain arrays, for its tests and worked examples (given).

A NumPy array arrives in double precision; a tensor stays as it is.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hw4.topics.moment_matching import gp_predict, moment_match_gp, moment_match_linear, saturating_cost
from hw4.topics.moment_matching_gp import GP


def _tensor(array: Any) -> Tensor:
    return array if isinstance(array, Tensor) else torch.as_tensor(array).double()


def linear(mean: Any, cov: Any, matrix: Any, offset: Any, noise_cov: Any) -> tuple[Tensor, Tensor, Tensor]:
    """`moment_match_linear`; shapes as there."""
    return moment_match_linear(*map(_tensor, (mean, cov, matrix, offset, noise_cov)))


def predict(
    inputs: Any, length_scales: Any, signal_std: Any, weights: Any, inverse: Any, at: Any
) -> tuple[Tensor, Tensor]:
    """`gp_predict` of the processes with these fields; shapes as there."""
    gp = GP(*map(_tensor, (inputs, length_scales, signal_std, weights, inverse)))
    return gp_predict(gp, _tensor(at))


def match(
    inputs: Any, length_scales: Any, signal_std: Any, weights: Any, inverse: Any, mean: Any, cov: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """`moment_match_gp` of the processes with these fields; shapes as there."""
    gp = GP(*map(_tensor, (inputs, length_scales, signal_std, weights, inverse)))
    return moment_match_gp(gp, _tensor(mean), _tensor(cov))


def cost(mean: Any, cov: Any, target: Any, weight: Any) -> Tensor:
    """`saturating_cost`; shapes as there."""
    return saturating_cost(*map(_tensor, (mean, cov, target, weight)))
