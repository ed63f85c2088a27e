"""Declares which id of the assignment a hidden test belongs to, and its share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from autograder import hidden_tests
from hw4.checking.discovery import modules_of

Test = TypeVar("Test", bound=Callable[..., Any])


@dataclass(frozen=True)
class Declared:
    """One graded test, known before anything runs: a test that vanishes is a failure, never "not counted"."""

    name: str
    stub_id: str
    weight: float
    summary: str  # first line of its docstring: what students read
    needs_another: bool = False  # earns points only beside another passed check of the function


DECLARED: dict[str, Declared] = {}


def load_hidden_tests() -> dict[str, Declared]:
    """Import every module of this folder and its subfolders, so that all graded tests are declared.

    Returns:
        `DECLARED`: hidden test -> what is known of it.
    """
    for _ in modules_of(hidden_tests):
        pass
    return DECLARED


def graded(stub_id: str, *, weight: float = 1.0, needs_another: bool = False) -> Callable[[Test], Test]:
    """Mark a hidden test as a part of `stub_id` with a share of its points. The docstring is shown to students.

    `needs_another` is for what also a function that does nothing does well, such as leaving its inputs alone: it earns
    nothing unless another check of the function passes.
    """

    def mark(test: Test) -> Test:
        name = test.__name__
        if name in DECLARED:
            raise ValueError(f"two graded tests are called {name}")
        summary = (test.__doc__ or "").strip().splitlines()[0]
        DECLARED[name] = Declared(name, stub_id, weight, summary, needs_another)
        marked: Test = pytest.mark.graded(test)
        return marked

    return mark
