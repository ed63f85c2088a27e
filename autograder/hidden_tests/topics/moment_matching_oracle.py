"""What the functions of hw4/topics/moment_matching.py must answer (NumPy only).

The moments of a Gaussian process are integrated numerically, by Gauss-Hermite quadrature over its predictions, so this
oracle shares no formula with the closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
NODES = {1: 120, 2: 48, 3: 22}  # of the quadrature in each direction, by the number of inputs


@dataclass(frozen=True)
class Process:
    """Gaussian processes after their data; shapes as in hw4/topics/moment_matching_gp.py."""

    inputs: Array
    length_scales: Array
    signal_std: Array
    weights: Array
    inverse: Array

    @property
    def fields(self) -> tuple[Array, ...]:
        return self.inputs, self.length_scales, self.signal_std, self.weights, self.inverse

    def kernel(self, at: Array) -> Array:
        """Between B inputs and the data, shape (O, B, N)."""
        scaled = (at[:, None] - self.inputs) / self.length_scales[:, None, None]
        return np.asarray(self.signal_std[:, None, None] ** 2 * np.exp(-0.5 * (scaled**2).sum(axis=-1)))

    def predict(self, at: Array) -> tuple[Array, Array]:
        """Mean and variance at B inputs, each of shape (B, O)."""
        near = self.kernel(at)
        mean = np.stack([k @ beta for k, beta in zip(near, self.weights, strict=True)], axis=-1)
        used = [((k @ inverse) * k).sum(axis=-1) for k, inverse in zip(near, self.inverse, strict=True)]
        return mean, np.maximum(self.signal_std**2 - np.stack(used, axis=-1), 0.0)

    def slope(self, at: Array) -> Array:
        """Of the mean by the input, shape (B, O, I)."""
        near, apart = self.kernel(at), self.inputs - at[:, None]  # (O, B, N), (B, N, I)
        slopes = [
            np.einsum("bn,n,bni->bi", k, beta, apart) / scale**2
            for k, beta, scale in zip(near, self.weights, self.length_scales, strict=True)
        ]
        return np.stack(slopes, axis=1)


def condition(inputs: Array, targets: Array, length_scales: Array, signal_std: Array, noise_std: Array) -> Process:
    """The processes after measurements of shape (N, O) with noise."""
    prior = Process(inputs, length_scales, signal_std, np.zeros((0, 0)), np.zeros((0, 0, 0)))
    noise = noise_std[:, None, None] ** 2 * np.eye(len(inputs))
    inverse = np.linalg.inv(prior.kernel(inputs) + noise)
    weights = np.stack([one @ target for one, target in zip(inverse, targets.T, strict=True)])
    return Process(inputs, length_scales, signal_std, weights, inverse)


def linear(mean: Array, cov: Array, matrix: Array, offset: Array, noise_cov: Array) -> tuple[Array, Array, Array]:
    """Moments of matrix x + offset + noise, element by element."""
    size, columns = matrix.shape
    y_mean = np.array([sum(matrix[o, i] * mean[i] for i in range(columns)) + offset[o] for o in range(size)])
    cross = np.array(
        [[sum(cov[i, j] * matrix[o, j] for j in range(columns)) for o in range(size)] for i in range(columns)]
    )
    y_cov = np.array(
        [[sum(matrix[o, i] * cross[i, p] for i in range(columns)) + noise_cov[o, p] for p in range(size)]
         for o in range(size)]
    )  # fmt: skip
    return y_mean, y_cov, cross


def nodes(mean: Array, cov: Array) -> tuple[Array, Array]:
    """Points, shape (n, I), and weights, shape (n,), whose sums are expectations over N(mean, cov)."""
    values, vectors = np.linalg.eigh(cov)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    points, weights = np.polynomial.hermite_e.hermegauss(NODES[len(mean)])
    grid = np.stack(np.meshgrid(*[points] * len(mean), indexing="ij"), axis=-1).reshape(-1, len(mean))
    product = np.stack(np.meshgrid(*[weights] * len(mean), indexing="ij"), axis=-1).reshape(-1, len(mean))
    return mean + grid @ root.T, product.prod(axis=-1) / weights.sum() ** len(mean)


@dataclass(frozen=True)
class Moments:
    """Moments of the functions at an uncertain input, in parts."""

    mean: Array  # (O,)
    of_means: Array  # covariance of the predicted means, (O, O)
    unknown: Array  # expected predicted variance, (O,)
    cross: Array  # covariance with the input, (I, O)
    slope: Array  # expected derivative of the predicted mean by the input, (I, O)

    @property
    def cov(self) -> Array:
        return np.asarray(self.of_means + np.diag(self.unknown))


def moments(process: Process, mean: Array, cov: Array) -> Moments:
    """By quadrature."""
    points, weights = nodes(mean, cov)
    f, variance = process.predict(points)
    f_mean = weights @ f
    return Moments(
        f_mean,
        np.einsum("n,na,nb->ab", weights, f - f_mean, f - f_mean),
        weights @ variance,
        np.einsum("n,ni,na->ia", weights, points - mean, f),
        np.einsum("n,nai->ia", weights, process.slope(points)),
    )


def cost(mean: Array, cov: Array, target: Array, weight: Array) -> float:
    """By quadrature."""
    points, shares = nodes(mean, cov)
    off = points - target
    return float(1.0 - shares @ np.exp(-0.5 * np.einsum("ni,ij,nj->n", off, weight, off)))
