"""Comparing an answer with what is wanted, and naming the likely slip (given; NumPy only).

A check may list *slips*: what the answer would be if a known mistake had been made. If the answer is wrong and equals
one of them, the failure names that cause, and `hw4.checking.hints` explains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


class CheckFailed(AssertionError):
    """An answer is wrong. `cause` is a key of `hw4.checking.hints.HINTS`."""

    def __init__(self, message: str, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


GENERIC_CAUSES = frozenset({"wrong_value", "wrong_shape", "shapes_do_not_fit", "raised"})  # that it is wrong, not why
VAGUE_CAUSES = GENERIC_CAUSES | {"not_finite", "imprecise"}  # in a report these give way to a cause that says more

HALF_PRECISION = 1e-3  # relative spacing of float16 numbers


class AnyOf(tuple[Any, ...]):
    """Several answers that the same slip can give, for the `slips` of a check."""


def check_close(
    actual: Any,
    wanted: Any,
    what: str,
    *,
    slips: Mapping[str, Any] | None = None,
    rtol: float = 1e-3,
    atol: float = 1e-4,
) -> None:
    """Raise CheckFailed unless `actual` equals `wanted` within |actual - wanted| <= atol + rtol * |wanted|.

    Args:
        actual: what the code returned.
        wanted: an array or a number.
        what: names the answer in the message, for example "new_mean".
        slips: cause -> what that mistake would have returned, or `AnyOf((this, that))`.
    """
    wanted = np.asarray(wanted)
    answer = _as_numbers(actual, what)
    if answer.shape != wanted.shape:
        for cause, slip in (slips or {}).items():
            if _is_slip(answer, slip, rtol, atol):
                raise CheckFailed(f"{what} must have shape {wanted.shape}, got {answer.shape}", cause)
        raise CheckFailed(
            f"{what} must have shape {wanted.shape}, got {answer.shape}", _cause_of(answer.shape, wanted.shape)
        )
    if not np.isfinite(answer).all() and np.isfinite(wanted).all():
        count = int((~np.isfinite(answer)).sum())
        raise CheckFailed(f"{what} contains {count} NaN or infinite numbers out of {answer.size}", "not_finite")
    if _equal(answer, wanted, rtol, atol):
        return
    for cause, slip in (slips or {}).items():
        if _is_slip(answer, slip, rtol, atol):
            raise CheckFailed(f"{what} is not what the docstring says", cause)
    close = _equal(answer, wanted, 4 * HALF_PRECISION, 4 * HALF_PRECISION * float(np.abs(wanted).max(initial=0.0)))
    raise CheckFailed(f"{what} is not what the docstring says", "imprecise" if close else "wrong_value")


def check_shape(actual: Any, shape: tuple[int, ...], what: str) -> None:
    """Raise CheckFailed unless `actual` is an array of this shape with finite numbers."""
    answer = _as_numbers(actual, what)
    if answer.shape != shape:
        raise CheckFailed(f"{what} must have shape {shape}, got {answer.shape}", _cause_of(answer.shape, shape))
    if not np.isfinite(answer).all():
        raise CheckFailed(f"{what} contains NaN or infinite numbers", "not_finite")


def failed_callback(function: Any, arguments: Any, error: Exception) -> CheckFailed:
    """What to say when a function that the code was handed fails over the arguments that the code calls it with."""
    name = getattr(function, "__name__", "")
    shown = name if name.isidentifier() else "a function that the code was handed"
    shapes = ", ".join(str(getattr(argument, "shape", type(argument).__name__)) for argument in arguments)
    if isinstance(error, TypeError):
        return CheckFailed(f"{shown} was not called as documented", "missing_argument")
    return CheckFailed(f"{shown} was called with arguments that do not fit, of shapes {shapes}", "arguments_do_not_fit")


def check(condition: bool, message: str, cause: str) -> None:
    """Raise CheckFailed with this cause unless `condition` holds."""
    if not condition:
        raise CheckFailed(message, cause)


def check_pair(actual: Any, what: str) -> tuple[Any, Any]:
    """The two entries of a returned pair."""
    if actual is None:
        raise CheckFailed(f"{what} is None: a return statement is missing", "returns_none")
    if not isinstance(actual, tuple) or len(actual) != 2:
        got = f"{len(actual)} values" if isinstance(actual, tuple) else type(actual).__name__
        raise CheckFailed(f"{what} must be two values, got {got}", "wrong_shape")
    return actual[0], actual[1]


def _cause_of(shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """Whether nothing but axes of size 1 are missing."""
    left = iter(wanted)
    is_part = all(any(size == other for other in left) for size in shape)
    without = [size for size in wanted if size != 1]
    is_squeezed = len(shape) < len(wanted) and is_part and [size for size in shape if size != 1] == without
    return "squeezed" if is_squeezed else "wrong_shape"


def _as_numbers(actual: Any, what: str) -> np.ndarray[Any, Any]:
    if actual is None:
        raise CheckFailed(f"{what} is None: a return statement is missing", "returns_none")
    if not isinstance(actual, np.ndarray | np.generic | int | float) or isinstance(actual, bool):
        raise CheckFailed(f"{what} must be a tensor of numbers, got {type(actual).__name__}", "wrong_type")
    answer = np.asarray(actual)
    if answer.dtype.kind not in "fiu":
        raise CheckFailed(f"{what} must contain real numbers, got dtype {answer.dtype}", "wrong_type")
    return answer


def _equal(answer: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any], rtol: float, atol: float) -> bool:
    return answer.shape == wanted.shape and bool(np.allclose(answer, wanted, rtol=rtol, atol=atol))


def _is_slip(answer: np.ndarray[Any, Any], slip: Any, rtol: float, atol: float) -> bool:
    answers = slip if isinstance(slip, AnyOf) else (slip,)
    return any(_equal(answer, np.asarray(one), rtol, atol) for one in answers)
