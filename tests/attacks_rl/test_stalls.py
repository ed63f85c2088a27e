"""Stalling gains nothing: each of stalls.toml through the whole grader, with one curve and little time for it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import pytest
from stall_bank import Stall, load_stalls, stalling

from autograder.grading import session
from autograder.grading.listener import Silent
from autograder.grading.session import Grade, Grader
from autograder.isolation import remote
from autograder.report.documents import FAULT_NOTE
from autograder.report.receipt import receipt
from autograder.report.results import results
from autograder.report.words import hint_of
from autograder.zoo.visit import intake_of
from hw4.handin.assignment import load_assignment

STALLS = load_stalls()
QUICK = ("main_thread_ends",)  # the others: `make verify`
NO_FAULT = ("failed", "not_run")
PATIENCE = {"MAX_IDLE_SECONDS": 2.0, "MAX_IDLE_OF_ALL": 6.0, "MIN_PATIENCE": 0.5}  # of 10, 60 and 1


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    assignment = load_assignment()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "load_assignment", lambda: dataclasses.replace(assignment, curves=assignment.curves[:1]))
        for name, seconds in PATIENCE.items():
            patch.setattr(remote, name, seconds)
        with Grader(required=()) as opened:
            yield opened


@pytest.mark.parametrize(
    "stall",
    [pytest.param(stall, marks=[] if name in QUICK else [pytest.mark.verify]) for name, stall in STALLS.items()],
    ids=list(STALLS),
)
def test_a_stall_gains_nothing_and_is_nobody_elses_fault(
    grader: Grader, monkeypatch: pytest.MonkeyPatch, stall: Stall
) -> None:
    monkeypatch.setattr(grader, "_deadline_seconds", stall.deadline_seconds)
    grade = grader.grade(intake_of(stalling(stall)), Silent())
    assert problems_of(grade) == []


def problems_of(grade: Grade) -> list[str]:
    """What must not have come of it."""
    document = results(grade)
    problems = [f"fault: {fault}" for fault in grade.report.faults]
    problems += [f"{item.id} earned {item.score:g}" for item in grade.report.items if item.score]
    problems += [f"{curve.id} is {curve.verdict}" for curve in grade.report.curves if curve.verdict not in NO_FAULT]
    problems += [f"{curve.id} failed without a hint" for curve in grade.report.curves if hint_of(curve) is None]
    if FAULT_NOTE in json.dumps(document) or document.get("score") != 0:
        problems.append("the student is told that it is not their fault")
    if receipt(grade)["score"] != 0:
        problems.append(f"the receipt says {receipt(grade)['score']}")
    return problems
