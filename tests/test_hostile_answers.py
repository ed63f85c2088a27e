"""Answers made to hurt: the trusted process computes with what a worker returned, and must not drown in it.

Every worked example and every hidden check runs against a subject that answers each call with something enormous or
absurd and calls each collaborator with the largest arguments that `RemoteSubject` lets through.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bounds import bounded

from autograder import hidden_tests
from autograder.hidden_tests.graded import DECLARED
from autograder.isolation import remote
from autograder.solutions import ROOT
from hw4.checking.answers import CheckFailed
from hw4.checking.discovery import modules_of
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.hints import HINTS
from hw4.checking.subject import Handle
from hw4.transitions import Transition

MAX_BYTES = 150_000_000  # less than twice the largest frame
MAX_SECONDS = 4.0  # of processor time
FEW = 6_000  # two axes of this length broadcast to 288 MB


ANSWERS: dict[str, list[Any]] = {
    "a whole frame": [np.zeros((8_000_000, 1))],
    "indices without end": [np.zeros((1_000_000, 4), dtype=np.int64)],
    "a column, then a row": [np.zeros((FEW, 1)), np.zeros((1, FEW))],
    "a row of integers, then a column": [np.ones((1, FEW), dtype=np.int64), np.ones((FEW, 1), dtype=np.int64)],
    "many arrays": [tuple(np.zeros(8) for _ in range(20_000))],
    "no number": [math.nan, math.inf, -math.inf],
    "a long number": [10**4000, -(10**30)],
    "text": ["x" * 900_000],
    "nothing": [None, (), np.zeros((0, 5)), np.zeros(())],
    "handles": [Handle(0)],
    "two handles": [(Handle(0), Handle(1))],
    "huge pair": [(np.zeros((FEW, 1)), np.zeros((1, FEW)))],
    "small numbers without end": [np.zeros((remote.MAX_ANSWER_SIZE, 1, 1), dtype=np.uint8)],
    "transitions": [Transition(np.zeros((200_000, 8)), np.zeros((FEW, 1)), np.zeros((1, FEW)))],
}
SLOW = {"indices without end", "a row of integers, then a column", "no number", "small numbers without end"}
LARGE = remote.MAX_CALLBACK_SIZE
MANY: list[tuple[Any, ...]] = [(np.zeros((LARGE // 10, 5, 2)),)] * 200  # a check may keep what it is asked
ARGUMENTS: list[tuple[Any, ...]] = [
    (LARGE,),
    (-LARGE,),
    (remote.MAX_CALLBACK_COUNT,),
    (np.array(10**9),),
    (np.array([1e300]),),
    (np.zeros(LARGE),),
    (np.zeros((LARGE // 10, 5, 2)),),
    (np.zeros((15, LARGE // 150, 5, 2)),),
    (np.zeros((1118, 1, 1, 4)), np.zeros((1, 2236, 1, 2)), np.zeros((1, 1, 1118, 4))),
    (np.zeros((3, 1000, 4)), np.zeros((3, 1000, 2))),
    (np.zeros((LARGE, 1)), np.zeros((1, 1000))),
    (tuple(np.zeros(LARGE) for _ in range(40)),),
    ("x" * 900_000,),
    (),
]


class HostileSubject:
    """Answers every call with the next of its answers, and calls every function that it was given."""

    def __init__(self, answers: list[Any], times: int) -> None:
        self._answers = itertools.cycle(answers)
        self._times = times
        self._numbers = self._calls = 0
        self._is_inside = False

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if not self._is_inside:
            self._is_inside = True
            for function in (arg for arg in (*args, *kwargs.values()) if callable(arg)):
                for arguments in ARGUMENTS * self._times + MANY * (self._times > 1):
                    self._call_back(function, arguments)
            self._is_inside = False
        answer = next(self._answers)
        if name == "checking.doubles.look_at":  # what it says of its inputs may be right, and its answers absurd
            return args[0].array
        return answer

    def call_method(self, handle: Handle, name: str, *args: Any, **kwargs: Any) -> Any:
        return self.call(name, *args, **kwargs)

    def _call_back(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """As `RemoteSubject` does, which ends the check at the first refusal; this subject goes on."""
        with contextlib.suppress(Exception):
            self._calls += 1
            self._numbers += remote._check_callback(self._calls, list(arguments))
            if self._numbers <= remote.MAX_CALLBACK_TOTAL:
                function(*arguments)


def hidden_check(check: Callable[..., None]) -> Callable[[HostileSubject], None]:
    return lambda subject: check(subject=subject, rng=np.random.default_rng(0))


CHECKS: dict[str, Callable[[HostileSubject], Any]] = {
    **{f"example of {name}": example.run for name, example in WORKED_EXAMPLES.items()},
    **{
        name: hidden_check(getattr(module, name))
        for module in modules_of(hidden_tests)
        for name in vars(module)
        if name in DECLARED
    },
}


def test_a_hint_tells_no_more_than_the_page_on_security_says() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    bits = re.search(r"\| the catalogue of causes, fewer than (\d+) \| (\d+) for each \|", text)
    assert bits is not None
    assert len(HINTS) < int(bits[1]) == 2 ** int(bits[2])


@pytest.mark.parametrize(
    "answers", [pytest.param(name, marks=[pytest.mark.verify] if name in SLOW else []) for name in ANSWERS]
)
def test_no_answer_makes_the_trusted_process_work_without_bound(answers: str) -> None:
    assert len(CHECKS) == len(WORKED_EXAMPLES) + len(DECLARED)
    for name, check in CHECKS.items():
        for times in (0, 1, 2) if answers == "nothing" else (0, 1):
            with warnings.catch_warnings(), bounded(max_bytes=MAX_BYTES, max_seconds=MAX_SECONDS):
                warnings.simplefilter("ignore")
                try:
                    check(HostileSubject(ANSWERS[answers], times))
                except MemoryError:
                    raise
                except Exception:  # CheckFailed, or an answer that is no answer: then the canary decides
                    continue
            assert name.startswith("example of"), f"{name} passed"  # an example only returns what it saw


@pytest.mark.parametrize(
    "arguments", [*ARGUMENTS[:2], ARGUMENTS[8], *ARGUMENTS[-4:-1], ({"a": 1},), ([1.0],), (True, math.nan)]
)
def test_a_callback_that_could_cost_without_bound_is_refused(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(CheckFailed):
        remote._check_callback(1, list(arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        (np.zeros((30, 4, 4)), np.zeros((30, 4, 2)), np.zeros((30, 4, 4))),  # a reward for all steps at once
        (np.zeros(4), np.zeros((30, 2))),
        (np.zeros((3, 20, 4)), np.zeros((3, 20, 2))),
        (15,),
        (Handle(3),),
        (np.zeros((400, 25, 1)),),
        (),
    ],
)
def test_what_a_solution_asks_of_its_collaborators_is_let_through(arguments: tuple[Any, ...]) -> None:
    assert remote._check_callback(1, list(arguments)) == sum(np.size(a) for a in arguments if isinstance(a, np.ndarray))


def test_callbacks_are_counted() -> None:
    remote._check_callback(remote.MAX_CALLBACKS, [])
    with pytest.raises(CheckFailed, match="called more than"):
        remote._check_callback(remote.MAX_CALLBACKS + 1, [])
