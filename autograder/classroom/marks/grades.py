"""The class as it stands: each student's grade by today's rule, with what staff changed, and grades.csv."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from autograder.classroom.intake.folder import ClassFolder, write_at_once
from autograder.classroom.intake.submissions import ClassError, Entry, Person
from autograder.classroom.marks.changes import Applied, Change, apply, in_force, read_changes
from autograder.classroom.marks.policies import COLUMNS as LATE_COLUMNS
from autograder.classroom.marks.policies import Lateness, PolicyError, extension_of, lateness, read_extensions
from autograder.classroom.night.record import grade_of
from autograder.grading.scoring import StubReport, item_id
from autograder.grading.session import Grade
from autograder.report.receipt import receipt
from autograder.report.words import points as shown
from hw4.handin.assignment import ASSIGNMENT_FILE, load_assignment

COMMON = ("student", "people", "group", "late", "on_roster", "submitted")
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
    """One submission as it stands."""

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

    @property
    def score(self) -> float | None:
        """Points of the program part; None if there is no grade. A refused submission has none of them."""
        if self.status == "refused":
            return 0.0
        if self.grade is None or self.grade.report.faults:
            return None
        return self.grade.report.score

    @property
    def name(self) -> str:
        return ", ".join(person.name or person.id for person in self.people)

    @property
    def is_late(self) -> bool:
        """By the time, the due date and the extension; by the site's word where no time is known."""
        found = self.lateness(0.0)
        return self.late if found is None else found.days_late > 0

    def lateness(self, points: float) -> Lateness | None:
        """What the time of the submission costs of so many points; None where no time is known."""
        if self.submitted is None:
            return None
        rules, due = load_assignment().policies, load_assignment().course.due
        return lateness(self.submitted, points, due=due, policy=rules.late, extension_days=self.extension_days)

    def late_cells(self, points: float | None) -> list[str]:
        """Cells of LATE_COLUMNS. Without points there is no penalty; without a time there is nothing."""
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

    @property
    def is_graded(self) -> bool:
        return self.curves and self.only is None

    @property
    def knows_times(self) -> bool:
        """Whether it is known of anybody when the submission was handed in."""
        return any(result.submitted is not None for result in self.results)


def common_of(owner: Entry | Result) -> dict[str, Any]:
    """What a result says beside the grade."""
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
    return Class(results, facts["options"]["curves"], None if only is None else frozenset(only), tuple(changes))


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


# Documents of one student -------------------------------------------------------------------------------------


def documents_of(result: Result, *, is_graded: bool) -> dict[str, bytes]:
    """report.html, results.json and receipt.json as they follow from the record and from what staff changed."""
    from autograder.classroom.marks.notice import notice, with_changes
    from autograder.report.documents import fault
    from autograder.report.page import page
    from autograder.report.results import quick_look, results

    grade = result.grade
    if grade is None or result.by_program is None:
        document = refusal(result.message) if result.status == "refused" else fault()
        html = notice(result.student, document["output"])
        receipt_of: dict[str, Any] = {result.status: result.message}
    else:
        document = results(grade) if is_graded else quick_look(grade)
        if result.applied:
            lines = [f"Changed by staff: {applied}" for applied in result.applied]
            document["output"] = "\n".join([document["output"], *lines])
        html = with_changes(page(grade, result.student), result.applied)
        receipt_of = {**receipt(result.by_program), "submission": result.record["intake"]["hashes"]}
        then = result.record["measured"]["grader"]  # verdicts are by that grader, points by today's bars
        receipt_of |= {name: value for name, value in then.items() if name not in ("bars", "assignment")}
    return {
        "results.json": as_json(document),
        "report.html": html.encode("utf-8", "replace"),
        "receipt.json": as_json(receipt_of),
        "standing.json": as_json(standing_of(result)),
    }


def standing_of(result: Result) -> dict[str, Any]:
    """All that the documents of a student follow from, beside what was measured."""
    standing: dict[str, Any] = {
        "score": result.score,
        "status": result.status,
        "message": result.message,
        "staff": [str(one) for one in result.applied],
        "items": {},
    }
    if result.grade is None:
        return standing
    for item in result.grade.report.items:
        name = item_id(item)
        targets = {name}
        facts: dict[str, Any] = {"score": item.score, "verdict": item.verdict}
        if isinstance(item, StubReport):
            tests = {t.outcome.test: {"verdict": t.outcome.verdict, "worth": t.points} for t in item.tests}
            facts |= {"worth": item.stub.points, "tests": tests}
            targets |= tests.keys()
        else:
            bar = result.grade.bars[name]
            facts |= {"worth": item.curve.points, "bar": bar.bar, "floor": bar.floor}
        facts["staff"] = [str(one) for one in result.applied if one.change.target in targets]
        standing["items"][name] = facts
    return standing


def refusal(message: str) -> dict[str, Any]:
    from autograder.report.documents import document

    text = f"The submission was refused, so nothing was graded.\n{message}"
    return {"score": 0, **document(text, {"graded": False, "refused": True})}


def as_json(document: Any) -> bytes:
    return (json.dumps(_finite(document), indent=2, allow_nan=False) + "\n").encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# The list -----------------------------------------------------------------------------------------------------


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula; `unguarded` gives it back."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "'")) else text


def unguarded(text: str) -> str:
    return text.removeprefix("'")


def write_csv(rows: list[list[str]]) -> bytes:
    """Quoted as RFC 4180 has it, in UTF-8 with the mark that spreadsheets look for."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue().encode("utf-8-sig")


def grades_csv(found: Class) -> bytes:
    """One row a person, sorted: what was graded, and nothing that depends on when or where."""
    items = [item.id for item in load_assignment().items]
    head = ["id", "name", "email", "group", "submission", "status", "late", "points"]
    rows = [[*head, *items, *LATE_COLUMNS, "changed by staff"]]
    for result in found.results:
        report = result.grade.report if result.grade else None
        scores = {item_id(item): shown(item.score) for item in report.items} if report and found.curves else {}
        if report and not found.curves:
            scores = {stub.stub.id: shown(stub.score) for stub in report.stubs}
        faulty = {item_id(item) for item in report.items if item.verdict == "grader_fault"} if report else set()
        settled = {applied.change.target for applied in result.applied}
        cells = ["" if name in faulty - settled else scores.get(name, "") for name in items]
        score = "" if result.score is None else shown(result.score)
        staff = "; ".join(str(applied) for applied in result.applied)
        for person in result.people:
            facts = [person.id, person.name, person.email, result.group, result.student]
            late = "late" if result.is_late else ""
            cells_of = [STATUS_WORDS[result.status], late, score, *cells, *result.late_cells(result.score)]
            rows.append([*map(guarded, facts), *cells_of, guarded(staff)])
    return write_csv(rows[:1] + sorted(rows[1:]))


def write_lists(folder: ClassFolder) -> Class:
    """grades.csv and index.html, as they follow from everything else."""
    from autograder.classroom.marks.dashboard import dashboard

    found = read_class(folder)
    write_at_once(folder.root / "grades.csv", grades_csv(found))
    write_at_once(folder.root / "index.html", dashboard(found).encode("utf-8", "replace"))
    return found
