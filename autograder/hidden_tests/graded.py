"""Declares which id of the assignment a hidden check belongs to, and the share of a hidden test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from autograder import hidden_tests
from hw4.checking.discovery import modules_of

Test = TypeVar("Test", bound=Callable[..., Any])
EffectCheck = Callable[..., float]  # takes a subject and a numpy.random.Generator, by these names: subject, rng


@dataclass(frozen=True)
class Declared:
    """One graded test, known before anything runs: a test that vanishes is a failure, never "not counted"."""

    name: str
    stub_id: str
    weight: float
    summary: str  # first line of its docstring: what students read
    needs_another: bool = False  # earns points only if another check of the function passes


DECLARED: dict[str, Declared] = {}  # hidden tests by name
EFFECTS: dict[str, EffectCheck] = {}  # what computes the number of an effect, by the effect's id


def load_hidden_tests() -> dict[str, Declared]:
    """Import every module of this folder and its subfolders, so that all hidden checks are declared.

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
        return test

    return mark


def effect(effect_id: str) -> Callable[[EffectCheck], EffectCheck]:
    """Mark a function as the check of `effect_id`: it computes one number with the student's functions.

    It is called as `check(subject=..., rng=...)`, several times, each time with a fresh worker and another `rng`, which
    is its only source of chance. Larger is better. It may raise `CheckFailed` over an answer that it cannot use.
    """

    def mark(check: EffectCheck) -> EffectCheck:
        if effect_id in EFFECTS:
            raise ValueError(f"two checks compute the effect {effect_id}")
        EFFECTS[effect_id] = check
        return check

    return mark
