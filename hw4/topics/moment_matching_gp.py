"""Gaussian processes of the topic `moment_matching`: their data, their hyper-parameters, and the fit (given).

Shapes: N = data points, I = inputs, O = outputs. Each output is a process of its own, with its own length scales.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

FIT_ITERATIONS = 60  # of L-BFGS
SMALLEST_NOISE = 0.01  # std as a share of the targets' std: keeps the kernel's matrix invertible
LARGEST_SCALE = 100.0  # length scale in units of the inputs' std: the process is a straight line there
PRIOR_STD = 1.0  # of each log length scale and log signal std around 0, in units of the data


class GP(NamedTuple):
    """Gaussian processes that have seen their data; squared-exponential kernels, mean 0 before any data."""

    inputs: Tensor  # x_n, shape (N, I)
    length_scales: Tensor  # l, shape (O, I)
    signal_std: Tensor  # s, shape (O,)
    weights: Tensor  # beta[a] = inverse[a] @ y[:, a], shape (O, N)
    inverse: Tensor  # inverse[a] = (K_a + noise_std[a]^2 I)^-1, shape (O, N, N)


def kernel(first: Tensor, second: Tensor, length_scales: Tensor, signal_std: Tensor) -> Tensor:
    """s[a]^2 exp(-1/2 sum_i ((first_i - second_i) / l[a, i])^2), shapes (n, I), (m, I) -> (O, n, m)."""
    scaled = (first[:, None] - second[None]) / length_scales[:, None, None]  # (O, n, m, I)
    return signal_std[:, None, None] ** 2 * torch.exp(-0.5 * (scaled**2).sum(dim=-1))


def condition(inputs: Tensor, targets: Tensor, length_scales: Tensor, signal_std: Tensor, noise_std: Tensor) -> GP:
    """The processes after their data.

    Args:
        inputs: shape (N, I).
        targets: shape (N, O), measured with Gaussian noise.
        length_scales: shape (O, I).
        signal_std: shape (O,).
        noise_std: of the measurements, shape (O,).
    """
    double = inputs.double(), length_scales.double(), signal_std.double()
    noise = noise_std.double()[:, None, None] ** 2 * torch.eye(len(inputs)).double()
    inverse = torch.linalg.inv(kernel(double[0], *double) + noise)
    weights = torch.einsum("anm,ma->an", inverse, targets.double())
    return GP(inputs, length_scales, signal_std, weights.to(inputs), inverse.to(inputs))


def fit_gp(inputs: Tensor, targets: Tensor) -> GP:
    """Fit all hyper-parameters by the marginal likelihood of the data, with a weak prior, by L-BFGS.

    Args:
        inputs: shape (N, I), in double precision.
        targets: shape (N, O), in double precision.
    """
    input_scale, target_scale = inputs.std(dim=0), targets.std(dim=0)
    scaled, wanted = inputs / input_scale, targets / target_scale
    eye = torch.eye(len(inputs)).to(inputs)
    num_inputs, num_outputs = inputs.shape[1], targets.shape[1]
    start = torch.zeros(num_outputs, num_inputs + 2).to(inputs)
    start[:, -1] = math.log(0.1)
    logs = start.requires_grad_()
    optimizer = torch.optim.LBFGS([logs], max_iter=FIT_ITERATIONS, line_search_fn="strong_wolfe")

    def hyper_parameters() -> tuple[Tensor, Tensor, Tensor]:
        scales = logs[:, :-2].exp().clamp(max=LARGEST_SCALE)
        return scales, logs[:, -2].exp(), (logs[:, -1].exp() ** 2 + SMALLEST_NOISE**2).sqrt()

    def loss() -> Tensor:
        """Minus the log of the marginal likelihood, and of the prior."""
        optimizer.zero_grad()
        scales, signal, noise = hyper_parameters()
        factor = torch.linalg.cholesky(kernel(scaled, scaled, scales, signal) + noise[:, None, None] ** 2 * eye)
        white = torch.linalg.solve_triangular(factor, wanted.T[..., None], upper=False)
        likelihood = 0.5 * (white**2).sum() + factor.diagonal(dim1=-2, dim2=-1).log().sum()
        value: Tensor = likelihood + 0.5 * (logs[:, :-1] ** 2).sum() / PRIOR_STD**2
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        scales, signal, noise = hyper_parameters()
        return condition(inputs, targets, scales * input_scale, signal * target_scale, noise * target_scale)


def expected_products(gp: GP, mean: Tensor, cov: Tensor) -> Tensor:
    """E[k_a(x, x_n) k_b(x, x_m)] for x ~ N(mean, cov), shape (O, O, N, N): the last axes are n and m.

    Deisenroth and Rasmussen 2011, equation (22). The exponents are added before they are raised, so that nothing
    overflows, and `cov` need not be invertible.

    Args:
        gp: the processes.
        mean: shape (I,).
        cov: shape (I, I).
    """
    precision = gp.length_scales**-2  # (O, I)
    centered = gp.inputs - mean  # (N, I)
    scaled = centered * precision[:, None]  # (O, N, I)
    log_kernel = 2 * gp.signal_std.log()[:, None] - 0.5 * (centered * scaled).sum(dim=-1)  # (O, N)
    both = precision[:, None] + precision[None]  # (O, O, I)
    matrix = cov * both[..., None, :] + torch.eye(len(mean)).to(cov)  # (O, O, I, I)
    spread = torch.linalg.solve(matrix, cov.expand_as(matrix))  # (O, O, I, I), symmetric
    own = torch.einsum("ani,abij,anj->abn", scaled, spread, scaled)
    other = torch.einsum("bmi,abij,bmj->abm", scaled, spread, scaled)
    mixed = torch.einsum("ani,abij,bmj->abnm", scaled, spread, scaled)
    left = log_kernel[:, None] + 0.5 * own - 0.5 * torch.logdet(matrix)[..., None]
    return torch.exp(left[..., None] + (log_kernel[None] + 0.5 * other)[:, :, None] + mixed)
