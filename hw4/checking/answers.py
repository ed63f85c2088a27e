"""Comparing an answer with what is wanted, and naming the likely slip (given; NumPy only).

A check may list *slips*: what the answer would be if a known mistake had been made. If the answer is wrong and equals
one of them, the failure names that cause, and `hw4.checking.hints` explains it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


Slips = Mapping[str, Any]  # cause -> what that mistake would have returned, or `AnyOf((this, that))`


def check_close(
    actual: Any,
    wanted: Any,
    what: str,
    *,
    slips: Slips | Callable[[], Slips] | None = None,
    otherwise: str = "wrong_value",
    rtol: float = 1e-3,
    atol: float = 1e-4,
) -> None:
    """Raise CheckFailed unless `actual` equals `wanted` within |actual - wanted| <= atol + rtol * |wanted|.

    Args:
        actual: what the code returned.
        wanted: an array or a number.
        what: names the answer in the message, for example "new_mean".
        slips: what known mistakes would have returned, or a function that is asked only if the answer is wrong.
        otherwise: the cause of another wrong answer of the right shape, where what was right before speaks for one.
    """
    __tracebackhide__ = True
    wanted = np.asarray(wanted)
    answer = _as_numbers(actual, what)
    if answer.shape != wanted.shape:
        message = f"{what} must have shape {wanted.shape}, got {answer.shape}"
        for cause, slip in _known(slips).items():
            if _is_slip(answer, slip, rtol, atol):
                raise CheckFailed(message, cause)
        raise CheckFailed(message, _cause_of(answer.shape, wanted.shape))
    if not np.isfinite(answer).all() and np.isfinite(wanted).all():
        count = int((~np.isfinite(answer)).sum())
        raise CheckFailed(f"{what} contains {count} NaN or infinite numbers out of {answer.size}", "not_finite")
    if _equal(answer, wanted, rtol, atol):
        return
    for cause, slip in _known(slips).items():
        if _is_slip(answer, slip, rtol, atol):
            raise CheckFailed(f"{what} is not what the docstring says", cause)
    if otherwise != "wrong_value":
        raise CheckFailed(f"{what} is not what the docstring says", otherwise)
    close = _equal(answer, wanted, 4 * HALF_PRECISION, 4 * HALF_PRECISION * float(np.abs(wanted).max(initial=0.0)))
    raise CheckFailed(f"{what} is not what the docstring says", "imprecise" if close else "wrong_value")


def check_every_time(
    answers: Sequence[Any],
    wanted: Sequence[Any],
    what: str,
    *,
    cause: str,
    slips: Slips | Callable[[], Slips] | None = None,
    rtol: float = 1e-3,
    atol: float = 1e-4,
) -> None:
    """Check several answers of one function: the first as `check_close` does.

    Args:
        cause: what a wrong answer speaks for where the first is right.
        slips: of the first answer.
    """
    __tracebackhide__ = True
    check_close(answers[0], wanted[0], what, slips=slips, rtol=rtol, atol=atol)
    for number, (answer, right) in enumerate(zip(answers[1:], wanted[1:], strict=True), start=2):
        check_close(answer, right, f"{what} at call {number}", otherwise=cause, rtol=rtol, atol=atol)


def check_shape(actual: Any, shape: tuple[int, ...], what: str) -> None:
    """Raise CheckFailed unless `actual` is an array of this shape with finite numbers."""
    __tracebackhide__ = True
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
    __tracebackhide__ = True
    if not condition:
        raise CheckFailed(message, cause)


def check_pair(actual: Any, what: str) -> tuple[Any, Any]:
    """The two entries of a returned pair."""
    __tracebackhide__ = True
    if actual is None:
        raise CheckFailed(f"{what} is None: a return statement is missing", "returns_none")
    if not isinstance(actual, tuple) or len(actual) != 2:
        got = f"{len(actual)} values" if isinstance(actual, tuple) else type(actual).__name__
        raise CheckFailed(f"{what} must be two values, got {got}", "wrong_shape")
    return actual[0], actual[1]


def _cause_of(shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """Whether nothing but axes of size 1 are missing, or too many."""
    if len(shape) == len(wanted) or [size for size in shape if size != 1] != [size for size in wanted if size != 1]:
        return "wrong_shape"
    return "squeezed" if len(shape) < len(wanted) else "axis_kept"


def _known(slips: Slips | Callable[[], Slips] | None) -> Slips:
    return slips() if callable(slips) else slips or {}


def _as_numbers(actual: Any, what: str) -> np.ndarray[Any, Any]:
    __tracebackhide__ = True
    if actual is None:
        raise CheckFailed(f"{what} is None: a return statement is missing", "returns_none")
    match actual:
        case (np.ndarray(shape=shape), np.ndarray(shape=other, dtype=dtype)) if shape == other and dtype.kind == "i":
            raise CheckFailed(f"{what} must be a tensor, got values and indices", "values_and_indices")
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
