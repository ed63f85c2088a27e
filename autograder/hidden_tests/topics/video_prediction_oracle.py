"""Slow, independent answers for the topic video_prediction, in NumPy and float64: one pixel at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def looked_up(image: Array, row: int, column: int, outside: str) -> float:
    """A pixel of an image; `outside` says what there is beyond its edges: "zero", "edge" or "wrap"."""
    height, width = image.shape
    if outside == "wrap":
        return float(image[row % height, column % width])
    if outside == "edge":
        return float(image[min(max(row, 0), height - 1), min(max(column, 0), width - 1)])
    return float(image[row, column]) if 0 <= row < height and 0 <= column < width else 0.0


def moved(image: Array, x: float, y: float, outside: str = "zero") -> Array:
    """An image after a displacement: each pixel is looked up where it came from, between four neighbours."""
    answer = np.zeros(image.shape)
    for i, j in np.ndindex(*image.shape):
        top, left = math.floor(i - y), math.floor(j - x)
        low, right = i - y - top, j - x - left  # shares of the lower and of the right neighbours
        answer[i, j] = sum(
            vertical * horizontal * looked_up(image, row, column, outside)
            for row, vertical in ((top, 1 - low), (top + 1, low))
            for column, horizontal in ((left, 1 - right), (left + 1, right))
        )
    return answer


def advected(images: Array, displacement: Array, outside: str = "zero") -> Array:
    return np.stack([moved(image, x, y, outside) for image, (x, y) in zip(images, displacement, strict=True)])


def candidates(previous: Array, first: Array, displacement: Array, total: Array, *, skip: bool) -> Array:
    made = [previous, advected(previous, displacement)]
    if skip:
        made += [first, advected(first, total)]
    return np.stack(made, axis=1)


def masks(scores: Array) -> Array:
    """Shape (B, k, H, W): positive, and 1 in sum over the candidates."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def mixed(of_candidates: Array, scores: Array) -> Array:
    return np.asarray((masks(scores) * of_candidates).sum(axis=1))


def propagated(previous: Array, first: Array, displacement: Array, total: Array, scores: Array, *, skip: bool) -> Array:
    whole = mixed(candidates(previous, first, displacement, total, skip=skip), scores)
    return np.stack([one / max(1.0, one.sum()) for one in whole])


def distances(height: int, width: int, goal: Array) -> Array:
    """Of every pixel from a goal (x, y), shape (height, width)."""
    return np.array([[math.dist((j, i), goal) for j in range(width)] for i in range(height)])


def cost(probability: Array, goal: Array) -> Array:
    """The expected distance; what is lost pays the mean distance. Shape: the leading axes."""
    height, width = probability.shape[-2:]
    far = distances(height, width, goal)
    inside = (probability * far).sum(axis=(-2, -1))
    return np.asarray(inside + (1.0 - probability.sum(axis=(-2, -1))) * far.mean())
