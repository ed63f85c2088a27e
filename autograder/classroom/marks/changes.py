"""Points that staff change by hand: a log that is only ever appended to, and what it does to a report.

The log outlives every grading and every regrade. The latest decision on a test counts; a decision about one student
outranks one about everybody, and a decision about a whole function outranks one about one of its tests. Decisions about
a whole submission add up: each takes points off the total or adds some, whatever its functions earn.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from autograder.classroom.intake.entries import ClassError
from autograder.grading.scoring import Report
from autograder.hidden_tests.graded import DECLARED
from autograder.report.words import points as shown
from hw4.handin.assignment import load_assignment

LOG = "changes.jsonl"
EVERYBODY = "*"
WHOLE = "submission"  # target of a decision that takes points off the total, or adds some
LATENESS = "lateness"  # target of a decision that waives the penalty
MAX_REASON = 1_000  # characters


@dataclass(frozen=True)
class Change:
    """One decision of staff."""

    time: str  # ISO 8601, with offset
    author: str
    kind: Literal["points", "withdrawn"]
    student: str  # EVERYBODY: the test is waived
    target: str  # a hidden test, a function or a curve; WHOLE or LATENESS
    points: float | None  # what the target is worth now, None: all of it; of WHOLE, what is added to the total
    reason: str


@dataclass(frozen=True)
class Applied:
    """What a change did to one report."""

    change: Change
    before: float
    now: float

    def __str__(self) -> str:
        change = self.change
        return f"{change.target}: {self.effect}: {change.reason} ({change.author}, {change.time})"

    @property
    def effect(self) -> str:
        """Such as "2 -> 3 points"."""
        if self.change.target == LATENESS:
            return "no penalty"
        return f"{shown(self.before)} -> {shown(self.now)} points"


def read_changes(folder: Path) -> list[Change]:
    """All decisions, oldest first. A last line that was cut off while it was written does not count.

    Raises:
        ClassError: another line is not a change.
    """
    changes = []
    for where, line in read_lines(folder / LOG):
        try:
            changes.append(Change(**line))
        except TypeError as error:
            raise ClassError(f"{where} is not a change: {error}") from None
    return changes


def read_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file:line, content) of each line of a log but of a last one that was cut off. Raises ClassError."""
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else [""]
    for number, line in enumerate(lines[:-1], 1):
        if line:
            try:
                yield f"{path}:{number}", dict(json.loads(line))
            except (ValueError, TypeError) as error:
                raise ClassError(f"{path}:{number} was damaged: {error}") from None


def append_change(folder: Path, change: Change) -> None:
    """Add one decision to the log.

    Raises:
        ClassError: nothing has this name, or it is worth fewer points.
    """
    most = most_points(change.target)
    least = -most if change.target == WHOLE else 0.0
    if change.points is not None and not least <= change.points <= most:
        raise ClassError(f"{change.target} is worth {shown(most)} points: {shown(change.points)} is out of range")
    if not change.reason.strip() or len(change.reason) > MAX_REASON:
        raise ClassError(f"a change needs a reason of at most {MAX_REASON} characters")
    append_line(folder / LOG, json.dumps(dataclasses.asdict(change)))


def append_line(path: Path, line: str) -> None:
    """Add one line to a log, and wait until the disk has it. Raises ClassError if its last line was cut off."""
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        raise ClassError(f"the last line of {path} was cut off: remove it by hand, then repeat the command")
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def most_points(target: str) -> float:
    """What a test, a function or a curve is worth. Raises ClassError."""
    assignment = load_assignment()
    if target == WHOLE:
        return float(assignment.code_points + assignment.written_points)
    if target == LATENESS:
        return 0.0
    for item in assignment.items:
        if item.id == target:
            return float(item.points)
    if target not in DECLARED:
        ids = ", ".join(item.id for item in assignment.items)
        raise ClassError(f"there is no hidden test, function or curve called {target!r}. Functions and curves: {ids}")
    stub = assignment.stub(DECLARED[target].stub_id)
    own = [test for test in DECLARED.values() if test.stub_id == stub.id]
    return stub.points * DECLARED[target].weight / sum(test.weight for test in own)


def of_whole(changes: Iterable[Change], student: str) -> list[Change]:
    """The decisions on a student's whole submission that count, oldest first: each withdrawal takes back the latest."""
    found: list[Change] = []
    for change in changes:
        if (change.student, change.target) == (student, WHOLE):
            if change.kind == "points":
                found.append(change)
            elif found:
                found.pop()
    return found


def waived_penalty(changes: Iterable[Change], student: str) -> Change | None:
    """The decision that a student's lateness costs nothing, if it counts."""
    own = [change for change in changes if (change.student, change.target) == (student, LATENESS)]
    return own[-1] if own and own[-1].kind == "points" else None


def in_force(changes: Iterable[Change], student: str) -> list[Change]:
    """The changes of tests and items that count for one student: tests before whole items."""
    found: dict[str, Change] = {}
    for who in (EVERYBODY, student):
        own: dict[str, Change] = {}
        for change in changes:
            if change.student == who and change.target not in (WHOLE, LATENESS):
                own.pop(change.target, None)
                if change.kind == "points":
                    own[change.target] = change
        found |= own
    return sorted(found.values(), key=lambda change: change.target not in DECLARED)


def apply(report: Report, changes: list[Change]) -> tuple[Report, list[Applied]]:
    """The report with changed points, and what each change did.

    A fault that staff decided is none any more. A waiver gives nothing for an optional problem that was not handed in.
    """
    items = {item.id: item for item in report.items}
    faults = list(report.faults)
    applied = []
    for change in changes:
        target = change.target
        stub = items.get(DECLARED[target].stub_id) if target in DECLARED else None
        if target in items and change.student == EVERYBODY and items[target].verdict == "absent":
            continue
        if target in items:
            before = items[target].score
            now = float(items[target].points) if change.points is None else change.points
            items[target] = dataclasses.replace(items[target], score=round(now, 2))
            faults = [fault for fault in faults if not fault.startswith(f"{target}: ")]
        elif stub and target in (test.outcome.test for test in stub.tests):
            own = next(test for test in stub.tests if test.outcome.test == target)
            before, now = own.score, own.points if change.points is None else change.points
            tests = tuple(
                dataclasses.replace(test, score=now) if test.outcome.test == target else test for test in stub.tests
            )
            score = round(sum(test.score for test in tests), 2)
            items[stub.id] = dataclasses.replace(stub, tests=tests, score=score)
            faults = [fault for fault in faults if not fault.startswith(f"{stub.id}: {target}: ")]
        else:
            continue  # a test of another term, or a function that was not graded
        applied.append(Applied(change, before, now))
    changed = dataclasses.replace(report, items=tuple(items.values()), faults=tuple(faults))
    return changed, [one for one in applied if one.before != one.now or item_has_fault(report, one.change.target)]


def item_has_fault(report: Report, target: str) -> bool:
    """Whether the grader failed at this item or test."""
    ids = {item.id for item in report.items if item.verdict == "grader_fault"}
    return target in ids or (target in DECLARED and DECLARED[target].stub_id in ids)
