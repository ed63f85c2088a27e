"""Runs the published worked examples on a submission, and bounds what a report shows of the answers.

A worker answers what it likes, so whatever it has found out could be in an answer. Two rules hold by themselves: the
examples run before anything hidden has left the trusted process (session.py), and of an answer a report shows no more
than the published one has: as many numbers, in the same shape, with three digits each. Of a list, whose length is an
answer too, it shows no more numbers than the published list has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.grading.scoring import ExampleRun
from autograder.isolation.fork_server import GraderFault
from autograder.isolation.remote import RemoteSubject, StudentError, WorkerDied
from hw4.checking.answers import CheckFailed, check_close
from hw4.checking.worked_example import WorkedExample

DIGITS = 3
SMALLEST, LARGEST = 1e-3, 1e5  # numbers outside are shown as 0 and as "large": an exponent could carry much
UNUSABLE = "no usable answer"
OTHER_SHAPE = "an array of another shape"


def run_example(example: WorkedExample, open_subject: Callable[[], RemoteSubject]) -> ExampleRun:
    """The rows (name, seen, wanted) of one worked example, run in a worker of its own."""
    seen: dict[str, Any] = {}
    failed = UNUSABLE
    try:
        with open_subject() as subject:
            seen = example.run(subject)
    except StudentError as error:
        failed = f"{error.shown_type} at {error.where}"
    except WorkerDied as death:
        failed = f"the call did not return ({death.reason})"
    except CheckFailed:  # its text may hold numbers and names of the submission's choice
        pass
    except GraderFault:
        failed = "the grader failed here"
    except Exception:  # an answer so odd that the example stumbles over it
        pass
    rows = [
        (name, shown(seen[name], wanted) if name in seen else failed, published(wanted))
        for name, wanted in example.wanted.items()
    ]
    return ExampleRun(example.story, tuple(rows))


def published(wanted: Any) -> str:
    """The published answer as a reader wants to see it."""
    return np.array2string(np.asarray(wanted), precision=4, suppress_small=True, separator=", ")


def shown(seen: Any, wanted: Any) -> str:
    """An answer in the form of the published one, or in a few fixed words."""
    if seen is None or isinstance(seen, bool):
        return str(seen)
    if not isinstance(seen, np.ndarray | np.generic | int | float) or np.asarray(seen).dtype.kind not in "fiu":
        return UNUSABLE
    answer, right = np.asarray(seen), np.asarray(wanted)
    if isinstance(wanted, tuple) and answer.ndim == 1 and len(answer) != len(wanted):
        numbers = _numbers(answer[: len(wanted)])
        return numbers if len(answer) < len(wanted) else f"{numbers} and more"
    if answer.shape != right.shape:
        return f"an array of shape {answer.shape}" if _is_plain(answer.shape, right.shape) else OTHER_SHAPE
    try:
        check_close(answer, right, "")
    except CheckFailed:
        return _numbers(answer)
    return published(wanted)


def _numbers(answer: np.ndarray[Any, Any]) -> str:
    return np.array2string(answer.astype(np.float64), separator=", ", formatter={"float_kind": _rounded})


def _is_plain(shape: tuple[int, ...], published_shape: tuple[int, ...]) -> bool:
    """Whether a shape is made of the published one's sizes: a size could be any number."""
    sizes = {1, math.prod(published_shape), *published_shape}
    return len(shape) <= len(published_shape) + 1 and sizes.issuperset(shape)


def _rounded(number: np.floating[Any]) -> str:
    if math.isnan(number):
        return "nan"
    if abs(number) >= LARGEST:
        return "large" if number > 0 else "-large"
    if abs(number) < SMALLEST:
        return "0."
    decimals = DIGITS - 1 - math.floor(math.log10(abs(number)))
    return f"{round(number, decimals):.{max(decimals, 0)}f}".rstrip("0" if decimals > 0 else "")
