"""Grades a class: the canary first, then everyone who is not done yet, each result written as it comes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from autograder.classroom.intake.entries import ClassError, Entry, LeftOver
from autograder.classroom.intake.folder import ClassFolder, Done
from autograder.classroom.intake.submissions import hash_of, read_entry
from autograder.classroom.marks.changes import read_changes
from autograder.classroom.marks.lists import write_lists
from autograder.classroom.marks.requests import read_requests
from autograder.classroom.marks.standing import (
    LateRule,
    Result,
    common_of,
    extensions_of_class,
    result_of,
    unread_notebooks,
)
from autograder.classroom.marks.student_documents import documents_of
from autograder.classroom.night.engine import Job, Task, grade_locally
from autograder.classroom.night.job import Settings, encode_files, payload_of
from autograder.classroom.night.record import core_hash, facts_of_intake, hashes_of_effects, hashes_of_tests, options
from autograder.report.words import bonus_of, points
from autograder.solutions import reference_code
from hw4.handin.assignment import load_assignment
from hw4.handin.intake import Intake
from hw4.handin.refusal import SubmissionRefused

NOBODY: dict[str, Any] = {"student": "canary", "people": (), "group": "", "late": False, "on_roster": True}
CANARY_SECONDS = 24 * 3600.0  # the reference is graded again after that
LIST_SECONDS = 600.0  # between two writings of grades.csv and index.html while a class is graded

Engine = Callable[[Iterable[Task]], Iterator[tuple[Task, dict[str, Any]]]]


class CanaryFailed(Exception):
    """The reference does not get all points here: nobody is graded."""


@dataclass(frozen=True)
class Summary:
    """What one call did."""

    graded: int
    kept: int  # done before
    faults: int


@dataclass(frozen=True)
class _Known:
    """One submission that was read."""

    entry: Entry
    key: str
    found: Intake | SubmissionRefused | str  # without the notebooks: those of a class would fill the memory
    submission: str  # hash of what was handed in
    facts: dict[str, Any] | None = None  # of an intake, notebooks included


def grade_class(
    entries: list[Entry],
    folder: ClassFolder,
    settings: Settings,
    engine: Engine,
    console: Console,
    *,
    jobs: int,
    ask_canary: Callable[[bytes], dict[str, Any]],
    shard: tuple[int, int] | None = None,
    retry_faults: bool = False,
    left_over: Iterable[LeftOver] = (),
) -> Summary:
    """Grade what is not done yet.

    Args:
        entries: the whole class.
        folder: where results go, and where those of an earlier call are, even of one that was killed.
        settings: how each submission is graded.
        engine: where.
        console: progress goes here.
        jobs: submissions at once, for the time that is left.
        ask_canary: where the reference is graded first.
        shard: (i, n): only every n-th submission, from the i-th, counted from 1. Lists are written by `merge`.
        retry_faults: grade again where the grader failed.
        left_over: what is in the folder and in nobody's submission; shown, and kept for the page of the class.

    Raises:
        ClassError: another process writes into the folder, or a line of extensions.csv means nothing.
        CanaryFailed: the reference does not get all points.
    """
    writer = "all" if shard is None else f"{shard[0]}-of-{shard[1]}"
    folder.open()
    with folder.locked(writer):
        folder.recover(writer)
        others = list(left_over)
        facts = class_facts(entries, settings, others)
        extensions_of_class(facts["students"])  # a line that is about nobody is said before anything is graded
        folder.write_class({**facts, "late_rule": folder.late_rule() or facts["late_rule"]})
        for one in others:
            console.print(f"not a submission: {one}", markup=False, highlight=False, style="yellow")
        own = entries if shard is None else entries[shard[0] - 1 :: shard[1]]
        todo = [_read(entry, settings) for entry in own if entry.path is not None]
        done = {known.entry.student: folder.done(known.entry.student) for known in todo}
        kept = [known for known in todo if _is_done(known, done[known.entry.student], retry_faults)]
        todo = [known for known in todo if known not in kept]
        folder.log("start", writer=writer, todo=len(todo), kept=len(kept))
        console.print(f"{len(own)} students: {len(kept)} already graded, {len(todo)} to grade.", markup=False)
        if todo:
            check_canary(folder, settings, console, ask_canary)
        summary = _grade_all(todo, len(kept), folder, settings, engine, console, jobs, writer, lists=shard is None)
        if shard is None and (notice := write_lists(folder).notice):
            console.print(notice, markup=False, highlight=False, style="yellow")
        folder.log("end", writer=writer, **vars(summary))
    return summary


def class_facts(entries: list[Entry], settings: Settings, left_over: Iterable[LeftOver] = ()) -> dict[str, Any]:
    """class.json."""
    return {
        "left_over": [dataclasses.asdict(one) for one in left_over],
        "options": options(curves=settings.curves, only=settings.only),
        "late_rule": LateRule.today().to_json(),
        "students": [
            {
                "student": entry.student,
                "people": [dataclasses.asdict(person) for person in entry.people],
                "group": entry.group,
                "late": entry.late,
                "submitted": entry.submitted.isoformat() if entry.submitted else None,
                "on_roster": entry.on_roster,
                "handed_in": entry.path is not None,
                "attempt_of": entry.attempt_of,
            }
            for entry in entries
        ],
    }


def _read(entry: Entry, settings: Settings) -> _Known:
    """Read a submission and name its content, grader and options by one key."""
    found: Intake | SubmissionRefused | str
    try:
        found = read_entry(entry)
    except SubmissionRefused as error:
        found = error
    except Exception as error:  # a disk that does not read, or a fault of the intake: this submission alone
        found = f"{type(error).__name__}: {error}"
    handed_in = hash_of(found)
    if not isinstance(found, Intake):
        return _Known(entry, key_of(handed_in, settings), found, handed_in)
    facts, code = facts_of_intake(found), load_assignment().submission.code
    found = dataclasses.replace(found, files={name: content for name, content in found.files.items() if name in code})
    return _Known(entry, key_of(handed_in, settings), found, handed_in, facts)


def key_of(submission: str, settings: Settings) -> str:
    """Names what was asked: which submission, and what of it. It is graded once, whatever becomes of the grader.

    Another grader, or other tests, change no grade by themselves: `regrade-class` does, and says so.
    """
    facts = [submission, options(curves=settings.curves, only=settings.only)]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _is_done(known: _Known, done: Done | None, retry_faults: bool) -> bool:
    return done is not None and done.key == known.key and not (retry_faults and done.status == "fault")


def check_canary(
    folder: ClassFolder, settings: Settings, console: Console, ask: Callable[[bytes], dict[str, Any]]
) -> None:
    """The reference gets all points on this machine, now or within a day before, or nobody is graded."""
    start = time.monotonic()
    grader = [core_hash(), hashes_of_tests(), hashes_of_effects()]
    key = hashlib.sha256(f"{platform.node()} {key_of('', settings)} {grader}".encode()).hexdigest()
    mark = folder.root / ".parts" / f"canary-{key[:16]}"
    if mark.exists() and time.time() - mark.stat().st_mtime < CANARY_SECONDS:
        return
    code = reference_code()
    intake = Intake(files=code, missing=(), ignored=(), syntax_errors=(), forbidden_imports=(), notes=())
    answer = ask(payload_of(intake, tuple(code), curves=settings.curves, only=settings.only))
    if "fault" in answer:
        raise CanaryFailed(answer["fault"])
    record = {"measured": answer, "intake": facts_of_intake(intake)}
    result = result_of(record, NOBODY, [])
    assert result.grade is not None
    report = result.grade.report
    wrong = [item for item in report.items if item.verdict not in ("passed", "not_run")]
    if not settings.curves:
        wrong = [stub for stub in report.stubs if stub.verdict != "passed"]
    if wrong or report.faults:
        names = ", ".join(item.id for item in wrong) or "; ".join(report.faults)
        raise CanaryFailed(f"the reference gets {points(report.score)} points here{bonus_of(report)}: {names}")
    mark.touch()
    seconds = time.monotonic() - start
    console.print(
        f"canary: the reference gets all {points(report.score)} points{bonus_of(report)}, {seconds:.0f} s", markup=False
    )


def _grade_all(
    todo: list[_Known],
    num_kept: int,
    folder: ClassFolder,
    settings: Settings,
    engine: Engine,
    console: Console,
    jobs: int,
    writer: str,
    *,
    lists: bool,
) -> Summary:
    by_student = {known.entry.student: known for known in todo}
    code = load_assignment().submission.code
    num_faults, num_done, seconds, last_list = 0, 0, [], time.monotonic()

    def finish(known: _Known, record: dict[str, Any]) -> None:
        nonlocal num_faults, num_done, last_list
        result = _commit(known, record, folder, settings, writer)
        num_done += 1
        num_faults += result.status == "fault"
        if "measured" in record:
            seconds.append(record["measured"]["seconds"])
        left = statistics.median(seconds) * (len(todo) - num_done) / jobs if seconds else None
        console.print(_line(result, num_done + num_kept, len(todo) + num_kept, left), markup=False, highlight=False)
        if lists and time.monotonic() - last_list > LIST_SECONDS:
            _write_lists_in_between(folder, console)
            last_list = time.monotonic()

    tasks = []
    for known in todo:
        if isinstance(known.found, Intake):
            tasks.append(known)
        elif isinstance(known.found, SubmissionRefused):
            finish(known, {"status": "refused", "message": str(known.found)})
        else:
            finish(known, {"status": "fault", "message": known.found})
    payloads = (
        Task(known.entry.student, payload_of(known.found, code, curves=settings.curves, only=settings.only))
        for known in tasks
        if isinstance(known.found, Intake)
    )
    for task, answer in engine(payloads) if tasks else ():
        known = by_student[task.student]
        assert isinstance(known.found, Intake)
        assert known.facts is not None
        finish(known, _record_of(known.found, known.facts, answer))
    return Summary(graded=num_done, kept=num_kept, faults=num_faults)


def _write_lists_in_between(folder: ClassFolder, console: Console) -> None:
    """A mistake in a file that staff edit meanwhile does not end the night."""
    try:
        write_lists(folder)
    except ClassError as error:
        console.print(f"The lists wait: {error}", markup=False, highlight=False, style="yellow")


def _record_of(intake: Intake, facts: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    read = {"intake": facts, "files": encode_files(intake.files)}
    if "fault" in answer:
        return {"status": "fault", "message": str(answer["fault"]), **read}
    today = {"core": core_hash(), "tests": hashes_of_tests(), "effects": hashes_of_effects()}
    if any(answer[name] != value for name, value in today.items()):
        message = "it was graded by another version of the grader: update all machines to the same version"
        return {"status": "fault", "message": message, **read}
    return {**read, "measured": answer}


def _commit(known: _Known, record: dict[str, Any], folder: ClassFolder, settings: Settings, writer: str) -> Result:
    entry = known.entry
    record = {**record, "graded_at": datetime.now(UTC).isoformat(timespec="milliseconds"), "handed_in": entry.place}
    requests = tuple(one for one in read_requests(folder.root) if one.student == (entry.attempt_of or entry.student))
    result = result_of(record, {**common_of(entry), "requests": requests}, read_changes(folder.root))
    documents = documents_of(result, is_graded=settings.curves and settings.only is None)
    before = folder.standing(entry.student)
    # A fault that staff settled by an override is a fault of the grading all the same: `--retry-faults` grades it.
    by_program = result.by_program
    status = "fault" if by_program is not None and by_program.report.faults else result.status
    done = Done(entry.student, known.key, status, known.submission, record["graded_at"])
    folder.commit(done, record, documents, writer)
    folder.log("graded", student=entry.student, status=status, points=result.score, bonus=result.bonus)
    if before and before["total"] != result.total:
        why = ["something else was handed in, or it was graded again where the grader had failed"]
        folder.log("points", student=entry.student, before=before["total"], now=result.total, why=why)
    return result


def _line(result: Result, number: int, total: int, seconds_left: float | None) -> str:
    bonus = "" if result.grade is None else bonus_of(result.grade.report)
    score = "no grade" if result.score is None else f"{points(result.score)} points{bonus}"
    note = "" if result.status == "graded" else f" ({result.status}: {result.message[:100]})"
    if unread := unread_notebooks(result):
        note += f" (cannot be read: {', '.join(problem.file for problem in unread)})"
    left = "" if seconds_left is None else f", {_duration(seconds_left)} left"
    text = f"[{number} of {total}{left}] {result.student}: {score}{note}"
    return "".join(char if char.isprintable() else "?" for char in text)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    return f"about {minutes} min" if minutes < 90 else f"about {minutes // 60} h {minutes % 60:02d} min"


def local_engine(settings: Settings, jobs: int) -> Engine:
    return lambda tasks: grade_locally(tasks, settings, jobs=jobs)


def local_canary(settings: Settings) -> Callable[[bytes], dict[str, Any]]:
    def ask(payload: bytes) -> dict[str, Any]:
        with Job(settings) as job:
            return job.ask(payload)

    return ask
