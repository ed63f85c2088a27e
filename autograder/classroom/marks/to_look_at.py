"""What staff must look at in a class, most urgent first, and nothing that a report already settles by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autograder.classroom.marks.standing import Class, Result, unread_notebooks
from autograder.grading.curves import MEDIAN_RUNS
from autograder.grading.scoring import ItemReport
from autograder.grading.session import Grade
from autograder.report.words import changed_given_parts, points
from hw4.handin.assignment import load_assignment

DEADLINE = "deadline"  # in the message of whatever was not judged in time
MAX_NAMES = 5  # of submissions that are alike


@dataclass(frozen=True)
class Flag:
    """Something that staff should look at."""

    kind: str
    result: Result
    text: str


# Most urgent first: (kind, what to do).
KINDS = {
    "grader fault": "There is no grade yet: use `--retry-faults`, or decide with `override` or `adjust`.",
    "not judged in time": "There is no grade yet: `--retry-faults` with more `--deadline-minutes` or fewer `--jobs`.",
    "refused": "Nothing was graded: tell the student how to fix it.",
    "regrade request": "A student asks about points: `answer` it, and change points that are wrong with `override`.",
    "alike": "Nearly the same code or answer as somebody else's, of this class or an earlier one: read both with "
    "`similarity`.",
    "integrity": "The agent broke a promise, or could not be checked: look at it before the points are final.",
    "agent": "A curve earned points in a way that honest work seldom does: look at what acts there, in the source.",
    "does not import": "A file cannot be imported, often for one line: look at that line and at what it cost.",
    "file missing": "A file of code was not in the submission: was it left out by mistake?",
    "time": "A function or a curve used up its time, as an endless loop does: was the machine overloaded?",
    "memory": "A function or a curve used up its memory.",
    "cut": "The process of a curve ended: did the submission end it, or the machine?",
    "given parts": "Something given was changed: curves ran the published version, hidden tests the changed one.",
    "processes": "The submission left processes behind.",
    "too late": "It came after the last late day, so nothing counts: is there an extension that is not in the list?",
    "late, but when?": "The site does not say when it came in: add a column `submitted_at` to the roster to get days "
    "and penalty.",
    "notebook": "A notebook cannot be read, which costs nothing but written points: grade it from the original.",
    "notebook missing": "A notebook with written answers was not in the submission: was it left out by mistake?",
    "borderline": "The runs of a curve disagreed about the bar, and it lost points.",
    "nothing handed in": "On the roster, without a submission.",
    "not on the roster": "A submission from somebody who is not on the roster.",
    "staff": "Staff changed these points.",
}
NOT_IN_THE_QUEUE = ("staff",)  # staff know what they decided; the list of students shows it


def flags_of(found: Class) -> Iterator[Flag]:
    """Everything that staff should look at, most urgent first."""
    notebooks = _wanted_notebooks(found)
    flags = [flag for result in found.results for flag in _flags_of(result, notebooks)]
    by_student = {result.student: result for result in found.results}
    for result in found.results:
        for request in result.requests:
            if request.is_open:
                text = f"no. {request.number}, {request.item}: {request.reason}"
                flags.append(Flag("regrade request", result, text))
    for student, others in found.alike.items():
        if student in by_student and others:
            more = f" and {len(others) - MAX_NAMES} more" if len(others) > MAX_NAMES else ""
            said = "; ".join(f"{other.words}: {_called(other.name, by_student)}" for other in others[:MAX_NAMES])
            flags.append(Flag("alike", by_student[student], said + more))
    order = list(KINDS)
    yield from sorted(flags, key=lambda flag: (order.index(flag.kind), flag.result.student))


def queue_of(flags: Sequence[Flag]) -> list[tuple[str, Result, list[str]]]:
    """(kind, result, what is said), one row for all flags of a kind that one submission has; in the same order."""
    rows: dict[tuple[str, str], tuple[str, Result, list[str]]] = {}
    for flag in flags:
        if flag.kind not in NOT_IN_THE_QUEUE:
            row = rows.setdefault((flag.kind, flag.result.student), (flag.kind, flag.result, []))
            row[2].append(flag.text)
    return list(rows.values())


def _called(student: str, by_student: dict[str, Result]) -> str:
    name = by_student[student].name if student in by_student else student
    return student if name == student else f"{student} ({name})"


def _wanted_notebooks(found: Class) -> tuple[str, ...]:
    """The notebooks that every submission should have; none if nobody handed one in, so they come another way."""
    assignment = load_assignment()
    optional = {*assignment.optional_notebooks}
    wanted = tuple(name for name in assignment.submission.notebooks if name not in optional)
    handed_in = (result.grade.measured.submitted for result in found.results if result.grade is not None)
    return wanted if any(files & {*wanted} for files in handed_in) else ()


def _flags_of(result: Result, notebooks: Sequence[str]) -> Iterator[Flag]:
    if result.status == "fault":
        yield Flag("not judged in time" if DEADLINE in result.message else "grader fault", result, result.message)
    if result.status == "refused":
        yield Flag("refused", result, result.message)
    unread = unread_notebooks(result)
    for problem in unread:
        place = result.record.get("handed_in", "")
        yield Flag("notebook", result, f"{problem.file}: {problem.reason}. The original is {problem.where} in {place}")
    if result.status == "missing":
        yield Flag("nothing handed in", result, "")
    if result.is_beyond_the_last_day:
        yield Flag("too late", result, "")
    if result.late and result.submitted is None and not result.penalty_waived:
        yield Flag("late, but when?", result, "")
    if not result.on_roster:
        yield Flag("not on the roster", result, "")
    for applied in result.applied:
        yield Flag("staff", result, str(applied))
    if result.grade is None:
        return
    submitted = result.grade.measured.submitted
    if missing := [name for name in notebooks if name not in submitted | {problem.file for problem in unread}]:
        yield Flag("notebook missing", result, ", ".join(missing))
    if result.grade.num_swept:
        yield Flag("processes", result, f"{result.grade.num_swept} leftover processes were killed")
    if changed := changed_given_parts(result.grade.measured.put_back):
        yield Flag("given parts", result, changed)
    yield from _flags_of_files(result, result.grade)
    for item in result.grade.report.items:
        yield from _flags_of_item(result, result.grade, item)


def _flags_of_files(result: Result, grade: Grade) -> Iterator[Flag]:
    """Files that do not import or are not there, and what they cost."""
    for file, outcome in grade.measured.broken_files.items():
        yield Flag("does not import", result, f"{outcome.where or file}: {outcome.error}. {_cost_of(file, grade)}")
    for file in grade.intake.missing:
        yield Flag("file missing", result, f"{file}. {_cost_of(file, grade)}")


def _cost_of(file: str, grade: Grade) -> str:
    """Points of the functions in a file, and of the curves and effects that run them, as far as they were lost."""
    items = grade.report.items
    inside = {item.id for item in items if item.item.kind == "function" and item.item.file == file}
    behind = [
        item for item in items if item.id in inside or (item.item.kind != "function" and inside & {*item.item.needs})
    ]
    lost = sum(item.points - item.score for item in behind if not item.is_bonus)
    return f"With it, {points(lost)} points were lost"


def _flags_of_item(result: Result, grade: Grade, report: ItemReport) -> Iterator[Flag]:
    title = report.item.title
    integrity = grade.integrity.get(report.id)
    if integrity is not None and (integrity.broken or integrity.unchecked):
        yield Flag("integrity", result, f"{title}: {integrity.broken or 'not checked'}: {integrity.message}")
    ends = {test.outcome.cause for test in report.tests if test.outcome.verdict == "failed"}
    ends |= {run.failure for run in grade.runs.get(report.id, ())}
    for cause, kind in (("too_slow", "time"), ("out_of_memory", "memory"), ("exits", "cut")):
        if cause in ends:
            yield Flag(kind, result, f"{title}: {points(report.points - report.score)} points were lost")
    for note in report.notes:
        yield Flag("agent", result, f"{title}: {note}")
    yield from _flags_of_runs(result, grade, report)


def _flags_of_runs(result: Result, grade: Grade, report: ItemReport) -> Iterator[Flag]:
    title = report.item.title
    if report.item.kind == "function" or report.grade is None:
        return
    scores = {item.id: item.score for item in grade.report.items}
    nothing = [name for name in report.item.needs if scores.get(name) == 0]
    if nothing and report.score > 0 and report.verdict != "passed":  # what passed has a note
        said = f"{title}: it earned {points(report.score)} points although {', '.join(nothing)} earned nothing"
        yield Flag("agent", result, said)
    lost_points = report.grade.credit < 1.0 and report.score < report.points  # 0.999 of the credit rounds to all points
    if len(grade.runs.get(report.id, ())) > MEDIAN_RUNS and lost_points:
        earned = f"{points(report.score)} of {report.points} points"
        yield Flag("borderline", result, f"{title}: {report.grade.decided_by}, {earned}")
