"""The class as it is now: each student's grade by today's rule, with what staff changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from autograder.classroom.intake.entries import ClassError, Entry, LeftOver, Person
from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.marks.changes import Applied, Change, apply, in_force, read_changes
from autograder.classroom.marks.policies import COLUMNS as LATE_COLUMNS
from autograder.classroom.marks.policies import Lateness, PolicyError, extension_of, lateness, read_extensions
from autograder.classroom.night.record import grade_of
from autograder.grading.scoring import Report
from autograder.grading.session import Grade
from autograder.report.words import points as shown
from hw4.handin.answer_cells import UnreadNotebook
from hw4.handin.assignment import ASSIGNMENT_FILE, load_assignment

COMMON = ("student", "people", "group", "late", "on_roster", "submitted", "attempt_of")
EXTENSIONS = ASSIGNMENT_FILE.parent / "extensions.csv"  # private: see `autograder/classroom/marks/policies.py`
Status = Literal["graded", "refused", "fault", "missing", "waiting"]
STATUS_WORDS: dict[Status, str] = {
    "graded": "graded",
    "refused": "refused",
    "fault": "grader fault",
    "missing": "nothing handed in",
    "waiting": "not graded yet",
}


@dataclass(frozen=True)
class Result:
    """One submission as it is now."""

    student: str
    people: tuple[Person, ...]
    group: str
    late: bool  # as the site says
    on_roster: bool
    status: Status
    message: str = ""  # why it was refused, or what failed
    grade: Grade | None = None  # with what staff changed
    by_program: Grade | None = None  # without
    applied: tuple[Applied, ...] = ()
    record: dict[str, Any] = field(default_factory=dict, repr=False)
    submitted: datetime | None = None
    extension_days: float = 0.0
    attempt_of: str | None = ""  # the student's last attempt, if each is graded and the best one counts

    @property
    def score(self) -> float | None:
        """Points of the program part, without a bonus: 0 for a refused submission, None if there is no grade."""
        return self._sum(lambda report: report.score)

    @property
    def bonus(self) -> float | None:
        """Points of the optional problems, as earned."""
        return self._sum(lambda report: report.bonus)

    @property
    def total(self) -> float | None:
        """What counts: the points, and as much of the bonus as `bonus_cap` allows."""
        return self._sum(lambda report: report.total)

    def _sum(self, of: Callable[[Report], float]) -> float | None:
        if self.status == "refused":
            return 0.0
        return None if self.grade is None or self.grade.report.faults else of(self.grade.report)

    @property
    def name(self) -> str:
        return ", ".join(person.name or person.id for person in self.people)

    @property
    def is_late(self) -> bool:
        """By the time, the due date and the extension; by the site's word where no time is known."""
        found = self.lateness(0.0)
        return self.late if found is None else found.days_late > 0

    def lateness(self, points: float) -> Lateness | None:
        """What the time of the submission takes off these points; None if the site says that it is late, but not when.

        Without a time, what the site does not call late is on time.
        """
        if self.status == "missing" or (self.submitted is None and self.late):
            return None
        rules, due = load_assignment().policies, load_assignment().course.due
        return lateness(self.submitted or due, points, due=due, policy=rules.late, extension_days=self.extension_days)

    def late_cells(self, points: float | None) -> list[str]:
        """Cells of LATE_COLUMNS. Without points there is no penalty; nothing if nobody knows how late it is."""
        found = self.lateness(points or 0.0)
        if found is None:
            return [""] * len(LATE_COLUMNS)
        extension, days, penalty, final = (shown(value) for value in found.columns.values())
        return [extension, days, *(("", "") if points is None else (penalty, final))]


@dataclass(frozen=True)
class Class:
    """A whole class."""

    results: tuple[Result, ...]
    curves: bool  # whether learning curves were graded; without, nothing here is a grade
    only: frozenset[str] | None
    changes: tuple[Change, ...]
    left_over: tuple[LeftOver, ...] = ()  # what was in the folder of submissions and in nobody's submission

    @property
    def is_graded(self) -> bool:
        return self.curves and self.only is None

    @property
    def has_bonus(self) -> bool:
        """Whether there are optional problems; without, no list says a word of a bonus."""
        return load_assignment().bonus_points > 0

    @property
    def knows_times(self) -> bool:
        """Whether it is known of anybody when the submission was handed in, or that it was late."""
        return any(result.submitted is not None or result.late for result in self.results)


def common_of(owner: Entry | Result) -> dict[str, Any]:
    """What a result says besides the grade."""
    return {name: getattr(owner, name) for name in COMMON}


def read_class(folder: ClassFolder) -> Class:
    """Everything in a folder of results. Raises ClassError."""
    facts = folder.read_class()
    changes = read_changes(folder.root)
    try:
        extensions = read_extensions(EXTENSIONS)
    except PolicyError as error:
        raise ClassError(f"extensions of this class cannot be read: {error}") from None
    results = tuple(_result(folder, entry, changes, extensions) for entry in facts["students"])
    only = facts["options"]["only"]
    left_over = tuple(LeftOver(**one) for one in facts.get("left_over", ()))
    only = None if only is None else frozenset(only)
    return Class(results, facts["options"]["curves"], only, tuple(changes), left_over)


def _result(
    folder: ClassFolder, entry: dict[str, Any], changes: list[Change], extensions: Mapping[str, float]
) -> Result:
    common: dict[str, Any] = {name: entry.get(name) for name in COMMON}
    people = common["people"] = tuple(Person(**person) for person in entry["people"])
    common["submitted"] = datetime.fromisoformat(entry["submitted"]) if entry.get("submitted") else None
    names = [name for person in people for name in (person.id, person.email) if name]
    common["extension_days"] = extension_of(names, extensions)
    if not entry["handed_in"]:
        return Result(**common, status="missing")
    done = folder.done(entry["student"])
    if done is None:
        return Result(**common, status="waiting")
    return result_of(folder.record(entry["student"]), common, changes)


def result_of(record: dict[str, Any], common: dict[str, Any], changes: list[Change]) -> Result:
    """A record by today's rule, with the changes that are in force."""
    if "measured" not in record:
        return Result(**common, status=record["status"], message=record["message"], record=record)
    grade = grade_of(record["intake"], record["measured"])
    report, applied = apply(grade.report, in_force(changes, common["student"]))
    changed = dataclasses.replace(grade, report=report)
    status: Status = "fault" if report.faults else "graded"
    message = "; ".join(report.faults)
    return Result(
        **common, status=status, message=message, grade=changed, by_program=grade, applied=tuple(applied), record=record
    )


def extensions_of_class() -> dict[str, float]:
    """student -> days, as extensions.csv has it. Raises ClassError."""
    try:
        return read_extensions(EXTENSIONS)
    except PolicyError as error:
        raise ClassError(f"extensions of this class cannot be read: {error}") from None


def unread_notebooks(result: Result) -> tuple[UnreadNotebook, ...]:
    """Notebooks that cannot be read: people look at the originals."""
    return tuple(UnreadNotebook(**problem) for problem in result.record.get("intake", {}).get("unread_notebooks", ()))


def standing_of(result: Result) -> dict[str, Any]:
    """Everything that a student's documents depend on, besides what was measured."""
    standing: dict[str, Any] = {
        "score": result.score,
        "bonus": result.bonus,
        "total": result.total,
        "status": result.status,
        "message": result.message,
        "staff": [str(one) for one in result.applied],
        "items": {},
    }
    if result.grade is None:
        return standing
    for item in result.grade.report.items:
        facts: dict[str, Any] = {"score": item.score, "verdict": item.verdict, "worth": item.points}
        tests = {t.outcome.test: {"verdict": t.outcome.verdict, "worth": t.points} for t in item.tests}
        if tests:
            facts["tests"] = tests
        if bar := result.grade.bars.get(item.id):
            facts |= {"bar": bar.bar, "floor": bar.floor}
        facts["staff"] = [str(one) for one in result.applied if one.change.target in {item.id, *tests}]
        standing["items"][item.id] = facts
    return standing
