"""Outcomes in, report out. Pure: no worker, no file, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autograder.grading.curves import CurveGrade
from autograder.grading.outcome import Outcome, Verdict
from autograder.hidden_tests.graded import Declared
from hw4.checking.answers import VAGUE_CAUSES
from hw4.handin.assignment import Assignment, Curve, Stub


@dataclass(frozen=True)
class ExampleRun:
    """The published worked example, run on the submission: all of it may be shown."""

    story: str
    rows: tuple[tuple[str, str, str], ...]  # (name, seen, wanted)


@dataclass(frozen=True)
class TestReport:
    summary: str
    outcome: Outcome
    points: float
    score: float


@dataclass(frozen=True)
class StubReport:
    """What became of one function."""

    stub: Stub
    score: float
    verdict: Verdict
    tests: tuple[TestReport, ...]
    example: ExampleRun | None

    @property
    def first_failure(self) -> Outcome | None:
        """The failure to show: one that names a cause before one that only says that something is wrong."""
        failures = [test.outcome for test in self.tests if test.outcome.verdict != "passed"]
        return min(failures, key=lambda outcome: outcome.cause in VAGUE_CAUSES, default=None)


@dataclass(frozen=True)
class CurveReport:
    """What became of one learning curve."""

    curve: Curve
    score: float
    verdict: Verdict
    cause: str
    grade: CurveGrade | None
    message: str
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """The whole verdict on one submission."""

    score: float
    max_score: float
    stubs: tuple[StubReport, ...]
    curves: tuple[CurveReport, ...]
    faults: tuple[str, ...] = field(default=())

    @property
    def items(self) -> tuple[StubReport | CurveReport, ...]:
        return self.stubs + self.curves


def item_id(item: StubReport | CurveReport) -> str:
    return item.stub.id if isinstance(item, StubReport) else item.curve.id


def stub_report(
    stub: Stub, declared: Mapping[str, Declared], outcomes: Mapping[str, Outcome], example: ExampleRun | None
) -> StubReport:
    """Share the stub's points over its tests by weight. A test without an outcome is a grader fault."""
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
    verdicts = [test.outcome.verdict for test in tests]
    return StubReport(
        stub=stub,
        score=round(sum(test.score for test in tests), 2),
        verdict=_worst(verdicts),
        tests=tuple(tests),
        example=example,
    )


def _worst(verdicts: list[Verdict]) -> Verdict:
    order: tuple[Verdict, ...] = ("grader_fault", "failed", "not_run")
    return next((verdict for verdict in order if verdict in verdicts), "passed" if verdicts else "grader_fault")


def full_report(
    assignment: Assignment, stubs: list[StubReport], curves: list[CurveReport], faults: list[str]
) -> Report:
    """Add everything up. What the grader could not judge counts as nothing and is listed as a fault."""
    listed = list(faults)
    for report in stubs:
        if not report.tests:
            listed.append(f"{report.stub.id}: no graded test is declared")
        listed += [
            f"{report.stub.id}: {test.outcome.test}: {test.outcome.message}"
            for test in report.tests
            if test.outcome.verdict == "grader_fault"
        ]
    listed += [f"{c.curve.id}: {c.message}" for c in curves if c.verdict == "grader_fault"]
    score = sum(report.score for report in stubs) + sum(report.score for report in curves)
    return Report(
        score=round(score, 2),
        max_score=float(assignment.code_points),
        stubs=tuple(stubs),
        curves=tuple(curves),
        faults=tuple(listed),
    )
