"""What random draws must be like: every entry equally likely, and no draw following from another (given; NumPy only).

Bounds are eight standard deviations. So a right draw fails one of them with a probability below 1e-12, if the counts
that are checked are expected to be 100 or more (Chernoff's bound for a Poisson number, whose upper tail is the longer).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw4.checking.answers import check, check_shape

Array = NDArray[Any]
BOUND = 8.0  # standard deviations


def check_whole_numbers(actual: Any, shape: tuple[int, ...], low: int, high: int, what: str) -> Array:
    """Raise CheckFailed unless `actual` is an int64 array of this shape with numbers in [low, high)."""
    check_shape(actual, shape, what)
    check(actual.dtype == np.int64, f"{what} must be int64, got {actual.dtype}", "wrong_dtype")
    inside = actual.min() >= low and actual.max() < high
    check(bool(inside), f"{what} must be in [{low}, {high})", "out_of_range")
    numbers: Array = actual
    return numbers


def check_frequencies(drawn: Array, shares: Array, what: str, cause: str = "not_uniform") -> None:
    """Entry i of n must be drawn with probability shares[i]; the counts of independent draws are binomial."""
    counts, wanted = np.bincount(drawn.ravel(), minlength=len(shares)), drawn.size * shares
    never = np.flatnonzero((counts == 0) & (wanted > 30))  # stays away with probability exp(-30) = 1e-13
    is_an_end = len(never) == 1 and never[0] in (0, len(shares) - 1)
    check(not is_an_end, f"{what}: the first or the last is never drawn", "out_of_range")
    allowed = BOUND * np.sqrt(wanted * (1 - shares)) + 1e-9
    check(bool((np.abs(counts - wanted) <= allowed).all()), f"{what}: some entries are drawn more often", cause)


def check_uniform(drawn: Array, n: int, what: str) -> None:
    """Each of n entries must be equally likely."""
    check_frequencies(drawn, np.full(n, 1 / n), what)


def check_rows_are_independent(rows: Array, n: int, what: str, cause: str) -> None:
    """No row of draws from n entries may follow from another, or be in order. For rows of 200 draws or more."""
    size = rows.shape[1]
    for row in rows:
        # Of independent draws half the steps go up, and half down; their number has the variance (size + 1) / 12.
        rises, falls = np.sum(np.diff(row) > 0), np.sum(np.diff(row) < 0)
        lopsided = abs(int(rises) - int(falls)) > 2 * BOUND * np.sqrt((size + 1) / 12)
        check(not lopsided and min(rises, falls) > 0, f"{what}: a row is in order", "draws_in_order")
    distinct = n * (1 - np.exp(-size / n))  # of as many independent numbers
    for a, b in itertools.combinations(rows, 2):
        check(np.mean(a == b) < 0.5, f"{what}: two rows are alike", cause)
        for sign in (1, -1):
            # A shifted or mirrored row leaves one difference, or one sum, modulo n.
            follows = len(np.unique((a + sign * b) % n)) < 0.6 * distinct
            check(not follows, f"{what}: one row follows from another", cause)
