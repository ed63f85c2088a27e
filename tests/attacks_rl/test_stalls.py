"""Stalling gains nothing: each of stalls.toml through the whole grader, with one curve and little time for it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import pytest
from stall_bank import SUITE, Stall, load_stalls, stalling

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


@pytest.mark.verify
@pytest.mark.parametrize("stall", STALLS.values(), ids=list(STALLS))
def test_a_stall_gains_nothing_and_is_nobody_elses_fault(
    grader: Grader, monkeypatch: pytest.MonkeyPatch, stall: Stall
) -> None:
    monkeypatch.setattr(grader, "_deadline_seconds", stall.deadline_seconds)
    grade = grader.grade(intake_of(stalling(stall)), Silent(), only=SUITE)
    assert problems_of(grade) == []


def problems_of(grade: Grade) -> list[str]:
    """What must not have come of it."""
    problems = [f"fault: {fault}" for fault in grade.report.faults]
    for curve in grade.report.curves:
        if curve.score or receipt(grade)["items"][curve.id]["score"]:
            problems.append(f"{curve.id} earned {curve.score:g}")
        if curve.verdict not in NO_FAULT or hint_of(curve) is None:
            problems.append(f"{curve.id} is {curve.verdict}, cause {curve.cause!r}")
    if FAULT_NOTE in json.dumps(results(grade)):
        problems.append("the student is told that it is not their fault")
    return problems


@pytest.mark.verify
def test_without_a_stall_the_same_submission_earns_the_curve(grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    """So there is something to gain, and the looks do find an agent to look at."""
    monkeypatch.setattr(grader, "_deadline_seconds", 600.0)
    honest = Stall("none", "", "looks", "\ndef stall():\n    pass\n")
    grade = grader.grade(intake_of(stalling(honest)), Silent(), only=SUITE)
    assert [curve.score for curve in grade.report.curves] == [curve.points for curve in grade.report.curves]
    assert all(found.results for found in grade.integrity.values())
