"""The class as it is: each student's grade as it was judged, with what staff changed.

Nothing here follows from today's bars, tests or points: `standing.json` of each student keeps the report that the
documents show, and only a grading or `regrade-class` replaces it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from autograder.classroom.intake.entries import ClassError, Entry, LeftOver, Person
from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.marks import outdated
from autograder.classroom.marks.alike import Alike, read_alike
from autograder.classroom.marks.changes import (
    Applied,
    Change,
    apply,
    in_force,
    of_whole,
    read_changes,
    waived_penalty,
)
from autograder.classroom.marks.kept import Kept, dumped, loaded
from autograder.classroom.marks.policies import COLUMNS as LATE_COLUMNS
from autograder.classroom.marks.policies import Lateness, PolicyError, extension_of, lateness, read_extensions
from autograder.classroom.marks.requests import Request, read_requests
from autograder.classroom.night.record import grade_of
from autograder.grading.curves import load_bars
from autograder.grading.scoring import Report
from autograder.grading.session import Grade
from autograder.report.words import points as shown
from hw4.handin.answer_cells import UnreadNotebook
from hw4.handin.assignment import ASSIGNMENT_FILE, Item, LatePolicy, load_assignment

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
class LateRule:
    """What being late means for a class."""

    due: datetime
    policy: LatePolicy

    def to_json(self) -> dict[str, Any]:
        return {"due": self.due.isoformat(), **dataclasses.asdict(self.policy)}

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> LateRule:
        policy = {key: value for key, value in found.items() if key != "due"}
        return cls(datetime.fromisoformat(found["due"]), LatePolicy(**policy))

    @classmethod
    def today(cls) -> LateRule:
        return cls(load_assignment().course.due, load_assignment().policies.late)


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
    kept: dict[str, Any] | None = field(default=None, repr=False)  # the report by program, as it was written then
    submitted: datetime | None = None
    extension_days: float = 0.0
    attempt_of: str | None = ""  # the student's last attempt, if each is graded and the best one counts
    late_rule: LateRule | None = None  # today's if None
    penalty_waived: bool = False
    adjustment: float = 0.0  # of the total, by staff
    requests: tuple[Request, ...] = ()

    @property
    def owner(self) -> str:
        """Names the student among those with several attempts: the folder of the last one."""
        return self.attempt_of or self.student

    @property
    def has_report(self) -> bool:
        """Whether there is a page for this student."""
        decided = bool(self.applied or self.requests)
        return self.status in ("graded", "refused", "fault") or (self.status == "missing" and decided)

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
        """What counts: the points, as much of the bonus as `bonus_cap` allows, and what staff add or take off."""
        return self._sum(lambda report: report.total)

    def _sum(self, of: Callable[[Report], float]) -> float | None:
        if self.grade is not None:
            return None if self.grade.report.faults else of(self.grade.report)
        if self.status == "refused" or self.adjustment:  # staff may decide on what could not be graded
            return of(Report((), 0.0, 0.0, 0.0, adjustment=self.adjustment))
        return None

    @property
    def name(self) -> str:
        return ", ".join(person.name or person.id for person in self.people)

    @property
    def is_late(self) -> bool:
        """By the time, the due date and the extension; by the site's word where no time is known."""
        found = None if self.submitted is None else self.lateness(0.0)
        return self.late if found is None else found.days_late > 0

    @property
    def is_beyond_the_last_day(self) -> bool:
        """Whether it came so late that it earns nothing."""
        found, rule = self.lateness(0.0), self.late_rule or LateRule.today()
        return found is not None and not self.penalty_waived and found.days_late > rule.policy.max_days

    def lateness(self, total: float) -> Lateness | None:
        """What the time of the submission takes off this total; None if nobody knows that.

        Without a time, what the site does not call late is on time. What the site calls late has an unknown penalty,
        unless staff waived it. What staff added to the total or took off it is no part of what was earned, so it stays
        as it is.
        """
        is_unknown = self.late and self.submitted is None and not self.penalty_waived
        if is_unknown or (self.status == "missing" and not self.adjustment):
            return None
        rule = self.late_rule or LateRule.today()
        earned = max(0.0, round(total - self.adjustment, 2))
        found = lateness(
            self.submitted or rule.due, earned, due=rule.due, policy=rule.policy, extension_days=self.extension_days
        )
        penalty = 0.0 if self.penalty_waived else found.penalty
        return dataclasses.replace(
            found, points=total, penalty=penalty, final_points=round(max(0.0, total - penalty), 2)
        )

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
    alike: Mapping[str, tuple[Alike, ...]] = field(default_factory=dict)  # student -> whose code is nearly the same
    notice: str = ""  # what holds today but not in these points, in one line for every list

    @property
    def items(self) -> tuple[Item, ...]:
        """What was graded, in order."""
        kept = next((result.grade.report.items for result in self.results if result.grade), None)
        return load_assignment().items if kept is None else tuple(item.item for item in kept)

    @property
    def bonus_items(self) -> frozenset[str]:
        """Ids of what was graded for a bonus."""
        kept = next((result.grade.report.items for result in self.results if result.grade), None)
        assignment = load_assignment()
        if kept is None:
            return frozenset(item.id for item in assignment.items if assignment.is_optional(item))
        return frozenset(item.id for item in kept if item.is_bonus)

    @property
    def code_points(self) -> float:
        """What a program graded, without a bonus."""
        kept = next((result.grade.report.max_score for result in self.results if result.grade), None)
        return float(load_assignment().code_points) if kept is None else kept

    @property
    def bonus_cap(self) -> float:
        kept = next((result.grade.report.bonus_cap for result in self.results if result.grade), None)
        return float(load_assignment().policies.bonus_cap) if kept is None else kept

    @property
    def is_adjusted(self) -> bool:
        """Whether staff added points to anybody's total or took some off."""
        return any(result.adjustment for result in self.results)

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


def read_class(folder: ClassFolder, *, by_todays_rule: bool = False) -> Class:
    """Everything in a folder of results.

    Args:
        folder: of the results.
        by_todays_rule: judge what was measured by today's bars, tests and points, in place of what was judged then.

    Raises:
        ClassError: there is no class, or a file that staff wrote means nothing.
    """
    facts = folder.read_class()
    changes = read_changes(folder.root)
    extensions = extensions_of_class(facts["students"])
    known = None if by_todays_rule else facts.get("late_rule")
    rule = LateRule.today() if known is None else LateRule.from_json(known)
    requests = read_requests(folder.root)
    found = []
    for entry in facts["students"]:
        result = _result(folder, entry, changes, extensions, rule, by_todays_rule)
        own = tuple(request for request in requests if request.student == result.owner)
        found.append(dataclasses.replace(result, requests=own))
    only = facts["options"]["only"]
    only = None if only is None else frozenset(only)
    notice = "" if by_todays_rule else _notice(folder, found, rule)
    return Class(
        results=tuple(found),
        curves=facts["options"]["curves"],
        only=only,
        changes=tuple(changes),
        left_over=tuple(LeftOver(**one) for one in facts.get("left_over", ())),
        alike=read_alike(folder.root),
        notice=notice,
    )


def extensions_of_class(students: Sequence[Mapping[str, Any]] | None = None) -> dict[str, float]:
    """Days by id or e-mail address, as extensions.csv has them.

    Args:
        students: of class.json; None while they are not known.

    Raises:
        ClassError: a line means nothing, or is about nobody.
    """
    people = None
    if students is not None:
        people = [(p["id"], p["email"], p["name"]) for entry in students for p in entry["people"]]
    try:
        return read_extensions(EXTENSIONS, people)
    except PolicyError as error:
        raise ClassError(f"extensions of this class cannot be read: {error}") from None


def _result(
    folder: ClassFolder,
    entry: dict[str, Any],
    changes: list[Change],
    extensions: Mapping[str, float],
    rule: LateRule,
    by_todays_rule: bool,
) -> Result:
    student = entry["student"]
    common: dict[str, Any] = {name: entry.get(name) for name in COMMON}
    people = common["people"] = tuple(Person(**person) for person in entry["people"])
    common["submitted"] = datetime.fromisoformat(entry["submitted"]) if entry.get("submitted") else None
    names = [name for person in people for name in (person.id, person.email) if name]
    common |= {"extension_days": extension_of(names, extensions), "late_rule": rule}
    if not entry["handed_in"]:
        return result_of({"status": "missing", "message": ""}, common, changes)
    if folder.done(student) is None:
        return Result(**common, status="waiting")
    report = None if by_todays_rule else folder.standing(student).get("report")
    return result_of(folder.record(student), common, changes, report)


def result_of(
    record: dict[str, Any], common: dict[str, Any], changes: Sequence[Change], kept: dict[str, Any] | None = None
) -> Result:
    """A record with the changes that are in force.

    Args:
        record: what was measured, or why nothing was.
        common: what a result says besides the grade.
        changes: all decisions of staff.
        kept: the report of then, of `kept.dumped`; None: it is judged by today's rule.
    """
    student = common["student"]
    owner = common.get("attempt_of") or student  # of all attempts: which of them counts may change
    waiver, whole = waived_penalty(changes, owner), of_whole(changes, owner)
    common = {
        **common,
        "penalty_waived": waiver is not None,
        "adjustment": round(sum(change.points or 0.0 for change in whole), 2),
        "record": record,
    }
    grade = by_program = None
    status, message = record.get("status", "graded"), record.get("message", "")
    applied: list[Applied] = []
    if "measured" in record:
        by_program = grade_of(record["intake"], record["measured"], None if kept is None else loaded(kept))
        report, applied = apply(by_program.report, in_force(changes, student))
        grade = dataclasses.replace(by_program, report=dataclasses.replace(report, adjustment=common["adjustment"]))
        status, message = "fault" if report.faults else "graded", "; ".join(report.faults)
    sum_ = 0.0 if grade is None else dataclasses.replace(grade.report, adjustment=0.0).total
    for change in whole:
        before, sum_ = max(0.0, sum_), round(sum_ + (change.points or 0.0), 2)
        applied.append(Applied(change, before, max(0.0, sum_)))
    applied += [Applied(waiver, 0.0, 0.0)] if waiver is not None else []
    done: dict[str, Any] = {"status": status, "message": message, "applied": tuple(applied), "kept": kept}
    return Result(**common, **done, grade=grade, by_program=by_program)


def _notice(folder: ClassFolder, results: Sequence[Result], rule: LateRule) -> str:
    changed = {"the rule for late submissions"} if rule != LateRule.today() else set()
    behind, bars = 0, load_bars()
    for result in results:
        if not result.has_report:
            continue
        behind += folder.standing(result.student) != standing_of(result)
        if result.by_program is not None:
            kept = Kept(result.by_program.report, result.by_program.bars)
            changed |= {*outdated.changed_since(kept, result.record["measured"], bars)}
    return outdated.line_about(changed, num_behind=behind)


def unread_notebooks(result: Result) -> tuple[UnreadNotebook, ...]:
    """Notebooks that cannot be read: people look at the originals."""
    return tuple(UnreadNotebook(**problem) for problem in result.record.get("intake", {}).get("unread_notebooks", ()))


def standing_of(result: Result) -> dict[str, Any]:
    """Everything that a student's documents depend on, besides what was measured, as JSON."""
    report = result.kept
    if report is None and result.by_program is not None:
        report = dumped(result.by_program.report, result.by_program.bars)
    standing: dict[str, Any] = {
        "graded_at": result.record.get("graded_at"),
        "report": report,
        "score": result.score,
        "bonus": result.bonus,
        "total": result.total,
        "status": result.status,
        "message": result.message,
        "staff": [str(one) for one in result.applied],
        "requests": [str(one) for one in result.requests],
        "items": {},
    }
    for item in () if result.grade is None else result.grade.report.items:
        facts: dict[str, Any] = {"score": item.score, "verdict": item.verdict, "worth": item.points}
        tests = {t.outcome.test: {"verdict": t.outcome.verdict, "worth": t.points} for t in item.tests}
        if tests:
            facts["tests"] = tests
        if result.grade and (bar := result.grade.bars.get(item.id)):
            facts |= {"bar": bar.bar, "floor": bar.floor}
        facts["staff"] = [str(one) for one in result.applied if one.change.target in {item.id, *tests}]
        standing["items"][item.id] = facts
    return standing
