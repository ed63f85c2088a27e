"""A report as a class keeps it: what was judged, with the points, bars and cap that held then, as JSON.

Every list reads this and judges nothing again, so no number changes because a bar, a test or a rule has changed since.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from autograder.files import plain
from autograder.grading.curves import Bar, RunsGrade
from autograder.grading.outcome import Outcome
from autograder.grading.scoring import ExampleRun, ItemReport, Report, TestReport
from hw4.handin.assignment import Curve, Effect, Item, Stub

KINDS: dict[str, type[Any]] = {kind.kind: kind for kind in (Stub, Curve, Effect)}


class Kept(NamedTuple):
    """A report by program, and the bars that it was judged by."""

    report: Report
    bars: dict[str, Bar]


def dumped(report: Report, bars: dict[str, Bar]) -> dict[str, Any]:
    """JSON that `loaded` reads. Infinite scores of runs become null."""
    items = []
    for item in report.items:
        tests = [{**vars(test), "outcome": vars(test.outcome)} for test in item.tests]
        nested: dict[str, Any] = {"item": vars(item.item), "kind": item.item.kind, "tests": tests}
        nested |= {"example": item.example and vars(item.example), "grade": item.grade and vars(item.grade)}
        items.append({**vars(item), **nested})
    judged_by = {item.id: vars(bars[item.id]) for item in report.items if item.id in bars}
    found: dict[str, Any] = plain({**vars(report), "items": items, "bars": judged_by})
    return found


def loaded(found: dict[str, Any]) -> Kept:
    """What `dumped` wrote."""
    bars = {item_id: Bar(**bar) for item_id, bar in found["bars"].items()}
    facts = {key: value for key, value in found.items() if key not in ("items", "bars")}
    facts["faults"] = tuple(found["faults"])
    return Kept(Report(**facts, items=tuple(map(_item, found["items"]))), bars)


def _item(found: dict[str, Any]) -> ItemReport:
    facts = {key: value for key, value in found.items() if key != "kind"}
    example, grade = found["example"], found["grade"]
    facts |= {
        "item": _facts(KINDS[found["kind"]], found["item"]),
        "flags": tuple(found["flags"]),
        "notes": tuple(found["notes"]),
        "tests": tuple(TestReport(**{**test, "outcome": Outcome(**test["outcome"])}) for test in found["tests"]),
        "example": example and ExampleRun(example["story"], tuple(tuple(row) for row in example["rows"])),
    }
    if grade is not None:
        scores = tuple(-math.inf if score is None else score for score in grade["scores"])
        facts["grade"] = RunsGrade(grade["credit"], scores, grade["decided_by"])
    return ItemReport(**facts)


def _facts(kind: type[Any], found: dict[str, Any]) -> Item:
    item: Item = kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in found.items()})
    return item
