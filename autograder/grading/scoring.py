"""What a report holds, and how points add up. Pure: no worker, no file, no clock."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from autograder.grading.curves import RunsGrade
from autograder.grading.outcome import Outcome, Verdict
from autograder.hidden_tests.graded import Declared
from hw4.checking.answers import VAGUE_CAUSES
from hw4.handin.assignment import Assignment, Item, Problem, Stub

ItemVerdict = Verdict | Literal["absent"]  # absent: of an optional problem that was not handed in


@dataclass(frozen=True)
class ExampleRun:
    """The published worked example, run on the submission: all of it may be shown."""

    story: str
    rows: tuple[tuple[str, str, str], ...]  # (name, seen, wanted)


@dataclass(frozen=True)
class TestReport:
    """What became of one hidden test of a function."""

    summary: str
    outcome: Outcome
    points: float
    score: float


@dataclass(frozen=True)
class ItemReport:
    """What became of one graded item: a function, a curve or an effect. What an item has not stays empty."""

    item: Item
    score: float
    verdict: ItemVerdict
    is_bonus: bool = False
    cause: str = ""  # a key of the hint catalogue
    message: str = ""  # for staff; students see it if the item was not run
    lacks: str = ""  # what has to be measured before this can be judged, if stored measurements do not tell
    flags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # for staff alone: no points depend on them
    tests: tuple[TestReport, ...] = ()  # of a function
    example: ExampleRun | None = None  # of a function that did not pass
    grade: RunsGrade | None = None  # of a curve or an effect

    @property
    def id(self) -> str:
        return self.item.id

    @property
    def points(self) -> int:
        """What it is worth."""
        return self.item.points

    @property
    def first_failure(self) -> Outcome | None:
        """The failed test to show: one that names a cause before one that only says that something is wrong."""
        failures = [test.outcome for test in self.tests if test.outcome.verdict != "passed"]
        return min(failures, key=lambda outcome: outcome.cause in VAGUE_CAUSES, default=None)


@dataclass(frozen=True)
class Report:
    """The whole verdict on one submission."""

    items: tuple[ItemReport, ...]
    max_score: float  # without a bonus
    max_bonus: float  # by program
    bonus_cap: float
    faults: tuple[str, ...] = ()
    adjustment: float = 0.0  # of the whole, by staff; no policy touches it

    @property
    def score(self) -> float:
        """Points of the required items."""
        return _sum(item.score for item in self.items if not item.is_bonus)

    @property
    def bonus(self) -> float:
        """Points of the optional items."""
        return _sum(item.score for item in self.items if item.is_bonus)

    @property
    def counted_bonus(self) -> float:
        return min(self.bonus, self.bonus_cap)

    @property
    def total(self) -> float:
        """What counts. Above `max_score` if a bonus or staff lift it there, and never below 0."""
        return max(0.0, _sum((self.score, self.counted_bonus, self.adjustment)))

    @property
    def stubs(self) -> tuple[ItemReport, ...]:
        return self._of_kind("function")

    @property
    def curves(self) -> tuple[ItemReport, ...]:
        return self._of_kind("curve")

    @property
    def effects(self) -> tuple[ItemReport, ...]:
        return self._of_kind("effect")

    def items_of(self, problem_id: str) -> tuple[ItemReport, ...]:
        return tuple(item for item in self.items if item.item.problem == problem_id)

    def most_of(self, problem: Problem) -> float:
        """The points that a program gave at most for a problem, when this was judged."""
        items = self.items_of(problem.id)
        return _sum(item.points for item in items) if items else float(problem.code_points)

    def _of_kind(self, kind: str) -> tuple[ItemReport, ...]:
        return tuple(item for item in self.items if item.item.kind == kind)


def _sum(scores: Iterable[float]) -> float:
    return round(sum(scores), 2)


def stub_report(
    stub: Stub, declared: Mapping[str, Declared], outcomes: Mapping[str, Outcome], example: ExampleRun | None = None
) -> ItemReport:
    """Share the stub's points over its tests by weight. A test without an outcome is a grader fault.

    Args:
        stub: the function.
        declared: all hidden tests.
        outcomes: of the tests that ran.
        example: the worked example, should a test have failed.
    """
    own = [test for test in declared.values() if test.stub_id == stub.id]
    total = sum(test.weight for test in own)
    tests = []
    passed = {test.name for test in own if (found := outcomes.get(test.name)) and found.verdict == "passed"}
    something_is_right = any(test.name in passed and not test.needs_another for test in own)
    for test in own:
        outcome = outcomes.get(test.name, Outcome(test.name, "grader_fault", message="no outcome"))
        points = stub.points * test.weight / total
        earned = test.name in passed and (something_is_right or not test.needs_another)
        tests.append(TestReport(test.summary, outcome, points, points if earned else 0.0))
    report = ItemReport(
        item=stub,
        score=_sum(test.score for test in tests),
        verdict=_worst([test.outcome.verdict for test in tests]),
        tests=tuple(tests),
        message="" if own else "no graded test is declared",
        lacks="" if all(test.name in outcomes for test in own) else "an outcome of each of its tests",
    )
    failure = report.first_failure
    if report.verdict == "passed" or failure is None:
        return report
    return dataclasses.replace(report, cause=failure.cause, example=example)


def _worst(verdicts: list[Verdict]) -> Verdict:
    order: tuple[Verdict, ...] = ("grader_fault", "failed", "not_run")
    return next((verdict for verdict in order if verdict in verdicts), "passed" if verdicts else "grader_fault")


def full_report(assignment: Assignment, items: Iterable[ItemReport]) -> Report:
    """All items together. What the grader could not judge is listed as a fault: then there is no grade."""
    items = tuple(items)
    return Report(
        items=items,
        max_score=float(assignment.code_points),
        max_bonus=float(assignment.code_bonus_points),
        bonus_cap=float(assignment.policies.bonus_cap),
        faults=tuple(fault for item in items for fault in _faults_of(item)),
    )


def _faults_of(item: ItemReport) -> list[str]:
    """What the grader could not judge of an item: at least one line if there is anything."""
    if item.verdict != "grader_fault":
        return []
    outcomes = [test.outcome for test in item.tests if test.outcome.verdict == "grader_fault"]
    of_tests = [f"{item.id}: {outcome.test}: {outcome.message}" for outcome in outcomes]
    return of_tests or [f"{item.id}: {item.message or 'not judged'}"]
