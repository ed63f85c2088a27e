"""Whether a function leaves its inputs alone, judged by its answers: it is called twice on the very same tensors.

A worker gets copies, so what became of them only the worker can say, and it says what the submission likes. So that
alone earns nothing: both answers must be right. A submission that copies the inputs first, by whatever means, passes;
that is what it was asked to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hw4.checking.answers import CheckFailed, check
from hw4.checking.subject import Kept, Subject


class NotJudged(CheckFailed):
    """The answer itself is wrong, which another check says: what this one is about was not judged."""


def check_left_alone(
    subject: Subject,
    inputs: Sequence[Any],
    ask: Callable[..., Any],
    *,
    causes: dict[int, str] | None = None,
    again: str = "state_kept",
) -> list[Any]:
    """Ask twice about the same tensors, and check that they do not change.

    Args:
        inputs: arrays.
        ask: calls the function with what stands for `inputs`, and checks its answer as any other check does.
        causes: what to call the change of the n-th array, if not "inplace".
        again: what a wrong second answer speaks for, if no input was seen to change.

    Returns:
        What `ask` returned each time.

    Raises:
        NotJudged: the first answer is wrong, and no input has changed.
        CheckFailed: an input has changed, or the second answer is wrong.
    """
    kept = [Kept(np.asarray(array)) for array in inputs]
    try:
        first = ask(*kept)
    except CheckFailed as failure:
        _check_same(subject, kept, causes or {})
        raise NotJudged(f"the answer itself is wrong: {failure}", failure.cause) from failure
    _check_same(subject, kept, causes or {})
    try:
        second = ask(*kept)
    except CheckFailed as failure:
        _check_same(subject, kept, causes or {})
        raise CheckFailed(f"a second call with the same inputs is wrong: {failure}", again) from failure
    _check_same(subject, kept, causes or {})
    return [first, second]


def _check_same(subject: Subject, kept: Sequence[Kept], causes: dict[int, str]) -> None:
    for number, before in enumerate(kept):
        after, old = subject.call("checking.doubles.look_at", before), before.array
        arrived = old.astype(np.float32) if old.dtype.kind == "f" else old
        check(isinstance(after, np.ndarray), f"input {number + 1} is no tensor any more", "wrong_type")
        same = after.shape == old.shape and np.array_equal(after.astype(arrived.dtype), arrived)
        check(same, f"input {number + 1} was changed in place", causes.get(number, "inplace"))
