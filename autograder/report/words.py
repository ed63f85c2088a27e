"""The words of a verdict, once for results.json, the page and the terminal. All of it may be shown to students."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

from autograder.grading.curves import Bar, RunsGrade
from autograder.grading.outcome import Outcome
from autograder.grading.promises import BROKEN, Integrity
from autograder.grading.scoring import ItemReport, Report
from hw4.checking.hint import Hint
from hw4.checking.hints import HINTS

MOST = 999.0  # of a model error or an optimism gap: an agent can make either of any size, digit by digit

VERDICTS = {
    "passed": "passed",
    "failed": "failed",
    "not_run": "not run",
    "grader_fault": "grader fault",
    "absent": "not handed in",
}


def verdict_of(item: ItemReport) -> str:
    """One to three words."""
    return "not started" if item.verdict == "failed" and is_not_started(item) else VERDICTS[item.verdict]


def is_not_started(item: ItemReport) -> bool:
    return bool(item.tests) and all(test.outcome.cause == "not_started" for test in item.tests)


def hint_of(item: ItemReport) -> Hint | None:
    """The hint for the first failure."""
    return None if item.verdict in ("passed", "grader_fault", "absent") else HINTS.get(item.cause)


def checks_of(item: ItemReport) -> str:
    """Such as "2 of 6 checks do not pass"."""
    passed, total = sum(test.outcome.verdict == "passed" for test in item.tests), len(item.tests)
    if passed in (0, total):
        return f"All {total} checks pass" if passed else f"None of {total} checks passes"
    return f"{total - passed} of {total} checks {'does' if total - passed == 1 else 'do'} not pass"


def exception_of(item: ItemReport, outcome: Outcome) -> str:
    """Type and place of a function's first exception, at each test that it ended; nothing of its other exceptions.

    Its text may hold anything, and so may many places: a submission chooses the line at which each test ends.
    """
    raised = [_exception_of(test.outcome) for test in item.tests]
    first = next((exception for exception in raised if exception), "")
    return first if _exception_of(outcome) == first else ""


def _exception_of(outcome: Outcome) -> str:
    if outcome.error and outcome.cause != "not_started":
        return f"{outcome.error} at {outcome.where}"
    return ""


def name_of(item: ItemReport) -> str:
    """Of a function, its id, and its symbol if that is another; otherwise the title."""
    title = item.item.title
    return title if item.item.kind != "function" or item.id == title else f"{item.id} ({title})"


def meaning_of_a_score(item: ItemReport) -> str:
    """What one run of a curve or an effect is judged by; empty for a function."""
    match item.item.kind:
        case "curve":
            return f"The score of a run is the mean return of its last {item.item.score_episodes} episodes"
        case "effect":
            return f"The score of a run is one number, in {item.item.unit}"
    return ""


def changed_given_parts(put_back: Sequence[str]) -> str:
    """What is to be said of given parts that a submission changed; empty if it changed none."""
    return f"Curves run what is given as it was published. Changed here: {'; '.join(put_back)}." if put_back else ""


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
        shown.append(f"{limited(values[episode]):.{digits}f}" if known else "\N{EN DASH}")
    return " / ".join(shown)


def limited(number: float) -> float:
    """A number that an agent says of its model, as a report may show it: no more than it takes to be compared."""
    return round(min(max(number, -MOST), MOST), 3)


def score_in_words(grade: RunsGrade, bar: Bar) -> str:
    """What a curve or an effect is judged by, and against what. The median decides: see `grade_runs`."""
    score = shown_score(statistics.median(grade.scores))
    return (
        f"Your score is {score}: full points from {bar.bar:g} (the bar), no points below {bar.floor:g} (the floor), "
        "and in proportion between them."
    )


def shown_score(score: float) -> str:
    """The score of a run of a curve or an effect, with one decimal or three digits.

    It is rounded down: what misses a bar must not look as if it reached it. Bars have no more digits.
    """
    if not math.isfinite(score):
        return "none"
    exact = Decimal(repr(float(score)))
    last_digit = -1 if abs(score) >= 10 or score == 0 else exact.adjusted() - 2
    rounded = float(exact.quantize(Decimal(1).scaleb(last_digit), ROUND_FLOOR))
    return f"{rounded:.1f}" if last_digit == -1 else f"{rounded:.3g}"


def points(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def bonus_of(report: Report) -> str:
    """Such as ", and 3 of 4 bonus"; empty if the assignment has no optional problems."""
    if not report.max_bonus:
        return ""
    cut = f", of which {points(report.counted_bonus)} count" if report.counted_bonus < report.bonus else ""
    return f", and {points(report.bonus)} of {points(report.max_bonus)} bonus{cut}"


def sum_of(report: Report) -> str:
    """Such as "80 of 80, and 3 of 4 bonus"."""
    return f"{points(report.score)} of {points(report.max_score)}{bonus_of(report)}"
