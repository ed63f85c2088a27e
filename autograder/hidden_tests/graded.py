"""Declares which id of the assignment a hidden test belongs to, and its share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

Test = TypeVar("Test", bound=Callable[..., Any])


@dataclass(frozen=True)
class Declared:
    """One graded test, known before anything runs: a test that vanishes is a failure, never "not counted"."""

    name: str
    stub_id: str
    weight: float
    summary: str  # first line of its docstring: what students read


DECLARED: dict[str, Declared] = {}


def graded(stub_id: str, *, weight: float = 1.0) -> Callable[[Test], Test]:
    """Mark a hidden test as a part of `stub_id` with a share of its points. The docstring is shown to students."""

    def mark(test: Test) -> Test:
        name = test.__name__
        if name in DECLARED:
            raise ValueError(f"two graded tests are called {name}")
        summary = (test.__doc__ or "").strip().splitlines()[0]
        DECLARED[name] = Declared(name=name, stub_id=stub_id, weight=weight, summary=summary)
        marked: Test = pytest.mark.graded(test)
        return marked

    return mark
