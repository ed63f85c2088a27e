"""Looks at what a function did to its inputs: a worker gets copies, so only the worker itself can tell."""

from __future__ import annotations

from typing import Any

import numpy as np

from hw4.checking.answers import check
from hw4.checking.subject import AsNumPy, Subject


def call_and_check_inputs(
    subject: Subject, name: str, *args: Any, causes: dict[int, str] | None = None, **kwargs: Any
) -> tuple[Any, bool]:
    """Call a function (see `call_and_look` in `hw4.checking.doubles`) and check that no array that goes in changes.

    Args:
        causes: what to call the change of the n-th array, if not "inplace".

    Returns:
        The answer, and whether it is still part of a graph of gradients.
    """
    before = [array for value in (*args, *kwargs.values()) for array in _arrays_of(value)]
    answer, after, has_graph = subject.call("checking.doubles.call_and_look", name, *args, **kwargs)
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        cause = (causes or {}).get(number, "inplace")
        arrived = old.astype(np.float32) if old.dtype.kind == "f" else old
        same = new.shape == old.shape and np.array_equal(new.astype(arrived.dtype), arrived)
        check(same, f"input {number + 1} of {name} was changed in place", cause)
    return answer, bool(has_graph)


def _arrays_of(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [array for item in value for array in _arrays_of(item)]
    if isinstance(value, AsNumPy):
        return [np.asarray(value.array)]
    return [value] if isinstance(value, np.ndarray) else []
