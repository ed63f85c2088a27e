"""The reference must get every point, the stubs none: graded as submissions, by live probes.

Learning curves are not run: recorded runs, keyed by a hash of the code, say what they give (publish/stale_runs.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autograder.grading.listener import Silent
from autograder.grading.session import Grade, Grader
from autograder.solutions import SOLUTIONS, reference_code
from autograder.zoo.visit import intake_of
from hw4.handin.assignment import load_assignment
from publish.findings import HIDDEN_TEST, Finding

FIX = f"fix the solution or the hidden test (`make grade` shows more), {HIDDEN_TEST}"


def graded_wrongly(stubs: Mapping[str, bytes]) -> Iterator[Finding]:
    """Where the reference misses points, and where untouched stubs earn some.

    Args:
        stubs: the code files as students get them.
    """
    with Grader(required=()) as grader:
        yield from short_of_full(grader.grade(intake_of(reference_code()), Silent(), curves=False))
        yield from above_nothing(grader.grade(intake_of(dict(stubs)), Silent(), curves=False))


def short_of_full(grade: Grade) -> Iterator[Finding]:
    """Functions of the reference without full points."""
    seen = {report.id for report in grade.report.stubs}
    for stub in load_assignment().stubs:
        if stub.id not in seen:
            yield Finding("autograder/hidden_tests", None, f"nothing grades {stub.id}", FIX)
    for fault in grade.report.faults:
        yield Finding("autograder", None, f"grader fault: {fault}", "run `.venv/bin/python -m autograder doctor`")
    for report in grade.report.stubs:
        if report.score != report.points:
            first = report.first_failure
            failed = f" ({first.test}: {first.message})" if first else ""
            says = f"the reference gets {report.score:g} of {report.points} points for {report.id}{failed}"
            yield Finding(f"solutions/{_file_of(report.id)}", _line_of(report.id), says, FIX)


def above_nothing(grade: Grade) -> Iterator[Finding]:
    """Untouched stubs with points."""
    for report in grade.report.stubs:
        if report.score != 0:
            says = f"the untouched stub of {report.id} gets {report.score:g} of {report.points} points"
            yield Finding(
                f"hw4/{_file_of(report.id)}", None, says, f"fix the hidden test that it passes, {HIDDEN_TEST}"
            )


def _file_of(stub_id: str) -> str:
    return load_assignment().stub(stub_id).file


def _line_of(stub_id: str) -> int | None:
    """Where the solution of a function begins."""
    lines = (SOLUTIONS / _file_of(stub_id)).read_text(encoding="utf-8").splitlines()
    return next((i for i, line in enumerate(lines, start=1) if f"### BEGIN SOLUTION {stub_id}:" in line), None)
