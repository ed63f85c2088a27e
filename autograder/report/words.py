"""The words of a verdict, once for results.json, the page and the terminal. All of it may be shown to students."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autograder.grading.integrity import BROKEN, Integrity
from autograder.grading.outcome import Outcome
from autograder.grading.scoring import CurveReport, StubReport
from hw4.checking.hint import Hint
from hw4.checking.hints import HINTS

VERDICTS = {
    "passed": "passed",
    "failed": "failed",
    "not_run": "not run",
    "grader_fault": "grader fault",
}


def verdict_of(item: StubReport | CurveReport) -> str:
    """One or two words."""
    if isinstance(item, StubReport) and item.verdict == "failed" and is_not_started(item):
        return "not started"
    return VERDICTS[item.verdict]


def is_not_started(item: StubReport) -> bool:
    return all(test.outcome.cause == "not_started" for test in item.tests)


def hint_of(item: StubReport | CurveReport) -> Hint | None:
    """The hint for the first failure."""
    if item.verdict in ("passed", "grader_fault"):
        return None
    if isinstance(item, CurveReport):
        return HINTS.get(item.cause)
    failure = item.first_failure
    return HINTS.get(failure.cause) if failure else None


def exception_of(outcome: Outcome) -> str:
    """Type and place of an exception, without its text, which may hold anything."""
    if outcome.error and outcome.cause != "not_started":
        return f"{outcome.error} at {outcome.where}"
    return ""


def promises(integrity: Integrity) -> str:
    """What was found about the agent behind a curve."""
    if integrity.broken is not None:
        return BROKEN[integrity.broken]
    return "the agent kept its promises" if integrity.results else "not checked"


def model_numbers(errors: Sequence[float], gaps: Sequence[float], episode: int) -> str:
    """Model error and optimism gap of one episode, such as "0.031 / 0.12"; a dash where there is none."""
    shown = []
    for values, digits in ((errors, 3), (gaps, 2)):
        known = episode < len(values) and math.isfinite(values[episode])
        shown.append(f"{values[episode]:.{digits}f}" if known else "\N{EN DASH}")
    return " / ".join(shown)


def shown_score(score: float) -> str:
    """The score of a run of a curve."""
    return f"{score:.1f}" if math.isfinite(score) else "none"


def points(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
