"""Repeats a grade from its receipt, or has today's judge look at what the receipt says was measured."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.grading.curves import load_bars
from autograder.grading.judge import Measured, judge
from autograder.grading.listener import Listener
from autograder.grading.scoring import Report
from autograder.grading.session import Grader
from autograder.hidden_tests.graded import load_hidden_tests
from autograder.report.receipt import facts_of_grader, facts_of_submission, receipt
from hw4.handin.assignment import load_assignment
from hw4.handin.intake import Intake

SAME, DIFFERENT = 0, 6
COMPARED = ("score", "bonus", "items", "tests", "runs", "faults")
RECEIPT_PARTS = {"submission", "grader", "score", "items", "tests", "runs", "faults"}  # also of older receipts
NOT_COMPARED = ("cpu_seconds", "seconds", "may_be_chance", "by_machine")  # clocks never show the same time twice


class ReceiptError(ValueError):
    """The receipt is not one, or does not belong to this submission."""


@dataclass(frozen=True)
class Verification:
    """What a second grading found."""

    # Facts of the grader that are not as they were when the receipt was written: other verdicts are then no surprise.
    changed_since: tuple[str, ...]
    differences: tuple[str, ...]  # "what: then -> now"


def read_receipt(path: Path) -> dict[str, Any]:
    """Read a receipt. Raises ReceiptError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReceiptError(f"{path} cannot be read: {error}") from error
    if isinstance(found, dict) and "fault" in found:
        raise ReceiptError(f"{path} describes a grader fault, not a grade: {found['fault']}")
    if not isinstance(found, dict) or not found.keys() >= RECEIPT_PARTS:
        raise ReceiptError(f"{path} is not a receipt of a grade")
    return found


def check_belongs(then: dict[str, Any], intake: Intake) -> None:
    """Raises ReceiptError if the receipt is that of other files."""
    now = facts_of_submission(intake)
    other = sorted(name for name in {**then["submission"], **now} if then["submission"].get(name) != now.get(name))
    if other:
        raise ReceiptError(
            f"the receipt belongs to different files: it has a different {' and a different '.join(other)}"
        )


def verify(then: dict[str, Any], intake: Intake, grader: Grader, listener: Listener) -> Verification:
    """Grade again and compare verdicts, causes, points and every return.

    Raises:
        ReceiptError: the receipt is that of other files.
    """
    check_belongs(then, intake)
    changed = [name for name, value in facts_of_grader().items() if then.get(name) != value]
    now = json.loads(json.dumps(receipt(grader.grade(intake, listener, curves=bool(then["runs"])))))
    differences = [difference for part in COMPARED for difference in _differences(part, then.get(part), now[part])]
    return Verification(tuple(changed), tuple(differences))


def _differences(place: str, then: Any, now: Any) -> list[str]:
    """Every leaf that differs. Numbers are compared exactly; NaN was written as null, and equals itself."""
    if isinstance(then, dict) and isinstance(now, dict):
        keys = [key for key in {**then, **now} if key not in NOT_COMPARED]
        return [d for key in keys for d in _differences(f"{place}.{key}", then.get(key), now.get(key))]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return [d for i, pair in enumerate(zip(then, now, strict=True)) for d in _differences(f"{place}[{i}]", *pair)]
    then, now = (None if isinstance(value, float) and not math.isfinite(value) else value for value in (then, now))
    return [] if then == now else [f"{place}: {then!r} -> {now!r}"]


@dataclass(frozen=True)
class Rescored:
    """One item by today's points, bars and rule."""

    item_id: str
    before: float
    now: float
    lacks: str  # why it is not judged, if it is not: what would have to be measured


def rescore(then: dict[str, Any]) -> tuple[list[Rescored], Report]:
    """What a receipt's measurements are worth by today's points, bars and rule; nothing is run.

    Returns:
        Each item, and the whole report.
    """
    measured = Measured.from_json(
        then["submission"],
        outcomes=then["tests"],
        examples={},
        runs=then["runs"],
        integrity=then.get("integrity", {}),
        broken_files=then.get("broken_files", {}),
        put_back=then.get("put_back", ()),
        only=then.get("only"),
    )
    report = judge(measured, bars=load_bars(), assignment=load_assignment(), declared=load_hidden_tests())
    before = {item_id: item["score"] for item_id, item in then["items"].items()}
    return [Rescored(item.id, before.get(item.id, 0.0), item.score, item.lacks) for item in report.items], report
