"""Whether states that were seen are those that were wanted (given; NumPy only)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def same(seen: Array, wanted: Array) -> bool:
    try:
        return bool(np.allclose(seen, np.broadcast_to(wanted, seen.shape), rtol=1e-4, atol=1e-4))
    except ValueError:
        return False


def all_same(seen: list[Array], wanted: list[Array]) -> bool:
    return all(same(one, other) for one, other in zip(seen, wanted, strict=True))


def has_rows(seen: Array, wanted: Array) -> bool:
    """Whether every row of one is a row of the other."""
    rows, known = seen.reshape(-1, seen.shape[-1]), wanted.reshape(-1, wanted.shape[-1])
    if len(rows) * len(known) > 1_000_000:
        rows = rows[:: len(rows) * len(known) // 1_000_000 + 1]
    return bool((np.abs(rows[:, None] - known[None]).max(axis=2).min(axis=1) < 1e-3).all())


def is_clipped(seen: Array, wanted: Array) -> bool:
    """Whether values are cut off at some size: equal up to it, and equal to it beyond."""
    largest = float(np.abs(seen).max(initial=0.0))
    return bool(np.allclose(seen, np.clip(wanted, -largest, largest), rtol=1e-4, atol=1e-4))
