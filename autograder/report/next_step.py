"""What a report opens with: the one thing to do next. All of it may be shown to students."""

from __future__ import annotations

from dataclasses import dataclass

from autograder.grading.judge import NOT_ASKED
from autograder.grading.scoring import ItemReport, Report
from autograder.grading.session import Grade
from autograder.report.words import checks_of, exception_of, hint_of, is_not_started, score_in_words
from hw4.checking.hint import Hint
from hw4.handin.assignment import Curve, load_assignment

CHECK = "python -m hw4 check"
SUBMIT = "python -m hw4 submit"


@dataclass(frozen=True)
class NextStep:
    """The first thing that does not pass, and what to do about it."""

    item: ItemReport
    name: str  # no more than the points tell
    why: str
    hint: Hint | None
    command: str


def next_step(grade: Grade) -> NextStep | None:
    """What to do next, or None if nothing is left to do.

    Functions come first, in the order of the assignment, but one that waits for another comes after these. Then come
    curves and effects. What is optional comes last, in the same order.
    """
    unfinished = [item for item in grade.report.items if _is_unfinished(item)]
    item = min(unfinished, key=lambda i: (i.is_bonus, i.item.kind != "function", i.cause == "blocked"), default=None)
    if item is None:
        return None
    if item.item.kind == "function":
        return _of_function(item, is_missing=item.item.file in grade.intake.missing)
    name = f"{item.item.number} {item.item.title}"
    return NextStep(item, name, _why_of_runs(item, grade), hint_of(item), _command_of_runs(item))


def nothing_left(report: Report) -> str:
    """One line for a report without a next step."""
    if report.faults:
        return "Everything that could be judged passes. You need not do anything."
    if any(item.message == NOT_ASKED for item in report.items):
        return "Every function passes. Learning curves were not run."
    by_hand = [f"{problem.label} {problem.title}" for problem in load_assignment().problems if problem.by_hand]
    people = f" People grade {' and '.join(by_hand)}." if by_hand else ""
    return f"Everything that a program grades passes.{people}"


def _is_unfinished(item: ItemReport) -> bool:
    """Whether a student can still earn something by it. Staff may have given all points to what does not pass."""
    is_judged = item.verdict in ("failed", "not_run") and item.message != NOT_ASKED
    return is_judged and item.score < item.points


# Functions ------------------------------------------------------------------------------------------------------------


def _of_function(item: ItemReport, *, is_missing: bool) -> NextStep:
    assert item.item.kind == "function"
    file, name = item.item.file, f"{item.item.number} `{item.item.symbol}` in `hw4/{item.item.file}`"
    if is_missing:
        why = f"`{file}` was not handed in, so nothing in it could be checked. Build the zip with this command."
        return NextStep(item, name, why, None, SUBMIT)
    if item.cause == "does_not_import":
        why = f"Importing `hw4/{file}` fails{_exception(item)}."
    else:  # the hint says of a function that it is not started
        why = "" if is_not_started(item) else f"{checks_of(item)}{_exception(item)}."
    return NextStep(item, name, why, hint_of(item), f"{CHECK} {item.id}")


def _exception(item: ItemReport) -> str:
    """The exception that the checks below show, too."""
    found = [exception_of(item, test.outcome) for test in item.tests]
    return next((f" ({exception})" for exception in found if exception), "")


# Curves and effects ---------------------------------------------------------------------------------------------------


def _why_of_runs(item: ItemReport, grade: Grade) -> str:
    if item.grade is None:
        return f"It was not run: {item.message}."
    return score_in_words(item.grade, grade.bars[item.id])


def _command_of_runs(report: ItemReport) -> str:
    """What repeats a curve. For an effect, whose number is hidden, it checks its functions."""
    item = report.item
    if report.grade is None or item.kind == "function":
        return CHECK
    if item.kind == "curve" and item.agent == Curve.agent:
        return f"python -m hw4 train {item.experiment}"
    return " ".join([CHECK, *item.needs])
