"""results.json in Gradescope's documented format. Students may see all of it."""

from __future__ import annotations

from typing import Any

from autograder.report.words import FAULT_NOTE, exception_of, hint_of, points, shown_score, verdict_of
from autograder.scoring import CurveReport, StubReport
from autograder.session import Grade
from hw4.assignment import load_assignment
from hw4.submission import SubmissionRefused

MAX_OUTPUT = 20_000  # characters; Gradescope cuts at 100,000


def results(grade: Grade) -> dict[str, Any]:
    """The document of a graded submission."""
    report = grade.report
    document: dict[str, Any] = {
        "execution_time": round(grade.seconds),
        "stdout_visibility": "hidden",
        "output_format": "text",
        "output": _summary(grade),
        "tests": [_test(item) for item in report.items],
        "extra_data": {"graded": not report.faults, "grader_faults": len(report.faults)},
    }
    if report.faults:  # what could not be judged must not count as nothing: no score at all
        for test in document["tests"]:
            del test["score"], test["max_score"], test["status"]
        return document
    return {"score": report.score, **document}


def refused(error: SubmissionRefused) -> dict[str, Any]:
    """The document of a refused submission: nothing was graded, why, and how to mend it."""
    return {
        "score": 0,
        "output_format": "text",
        "output": f"The submission was refused, so nothing was graded.\n{error}"[:MAX_OUTPUT],
        "tests": [],
        "extra_data": {"graded": False, "refused": True},
    }


def fault() -> dict[str, Any]:
    """The document when the grader failed as a whole. Without a score Gradescope reports an error, never a zero."""
    return {
        "output_format": "text",
        "output": f"{FAULT_NOTE}\nNo grade was written; a member of staff will grade this submission again.",
        "tests": [],
        "extra_data": {"graded": False, "grader_faults": 1},
    }


def _summary(grade: Grade) -> str:
    intake = grade.intake
    lines = [f"{points(grade.report.score)} of {points(grade.report.max_score)} points by program."]
    if grade.report.faults:
        lines = [FAULT_NOTE, "No grade was written; a member of staff will grade this submission again."]
    lines += [f"Missing: {name} (its functions count as not started)." for name in intake.missing]
    lines += [f"{p.file}:{p.line}: does not parse: {p.message}" for p in intake.syntax_errors]
    lines += [f"{i.file}:{i.line}: import of {i.module} is not allowed." for i in intake.forbidden_imports]
    if intake.ignored:
        shown = ", ".join(intake.ignored[:20]) + (" ..." if len(intake.ignored) > 20 else "")
        lines.append(f"Ignored, as not part of the submission: {shown}.")
    lines += list(intake.notes)
    return "\n".join(lines)[:MAX_OUTPUT]


def _test(item: StubReport | CurveReport) -> dict[str, Any]:
    facts = item.stub if isinstance(item, StubReport) else item.curve
    name = f"{item.stub.id} ({item.stub.symbol})" if isinstance(item, StubReport) else item.curve.title
    return {
        "number": facts.number,
        "name": name,
        "score": item.score,
        "max_score": facts.points,
        "status": "passed" if item.verdict == "passed" else "failed",
        "output_format": "text",
        "output": "\n".join(_lines(item))[:MAX_OUTPUT],
        "visibility": "visible" if load_assignment().visibility_before_due == "full" else "after_due_date",
    }


def _lines(item: StubReport | CurveReport) -> list[str]:
    lines = [verdict_of(item)]
    if item.verdict == "grader_fault":
        lines.append(FAULT_NOTE)
    if hint := hint_of(item):
        lines += [f"Hint: {hint.text}", f"Read: {hint.read}"]
    if isinstance(item, StubReport):
        for test in item.tests:
            verdict = test.outcome.verdict.replace("_", " ")
            lines.append(f"[{verdict}] {test.summary} {exception_of(test.outcome)}".rstrip())
        if item.example:
            lines.append(f"Worked example: {item.example.story}")
            lines += [f"  {name}: seen {seen}; wanted {wanted}" for name, seen, wanted in item.example.rows]
    else:
        if item.grade:
            lines.append(f"Scores of the runs: {', '.join(map(shown_score, item.grade.scores))}")
            lines.append(f"Decided by: {item.grade.decided_by}")
        elif item.verdict == "not_run":
            lines.append(item.message)
        lines += list(item.flags)
    return lines
