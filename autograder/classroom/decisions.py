"""The subcommands of `python -m autograder` by which people decide: points, lateness, answers to regrade requests."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console

from autograder.classroom.exits import DONE, REFUSED, told

if TYPE_CHECKING:
    from autograder.classroom.intake.folder import ClassFolder
    from autograder.classroom.marks.standing import Result


@told
def override(
    folder: Annotated[Path, tyro.conf.Positional],
    student: Annotated[str, tyro.conf.Positional],
    test: Annotated[str, tyro.conf.Positional],
    *,
    reason: str,
    points: float | None = None,
    withdraw: bool = False,
    author: str = "",
) -> int:
    """Change one student's points for a hidden test, a function or a curve. Logged; survives every regrade.

    Args:
        folder: results of the class.
        student: name of the student's folder in `students`.
        test: a hidden test, a function or a curve, by its id.
        reason: why; the student reads it.
        points: what it is worth now; all of its points if not given.
        withdraw: undo the earlier decision about this student and test.
        author: who decides; the name of this account if not given.
    """
    from autograder.classroom.intake.entries import ClassError
    from autograder.classroom.intake.folder import ClassFolder
    from autograder.classroom.marks.standing import STATUS_WORDS

    place = ClassFolder(folder)
    result = _result_of(place, student)
    if result.grade is None:
        raise ClassError(
            f"{student} has no function or curve to change ({STATUS_WORDS[result.status]}): `adjust` changes the total"
        )
    return _change(place, student, test, points, reason, withdraw, author)


@told
def waive(
    folder: Annotated[Path, tyro.conf.Positional],
    test: Annotated[str, tyro.conf.Positional],
    *,
    reason: str,
    withdraw: bool = False,
    author: str = "",
) -> int:
    """Give everyone who was graded all points of a hidden test, a function or a curve. Logged; survives every regrade.

    Args:
        folder: results of the class.
        test: a hidden test, a function or a curve, by its id.
        reason: why; students read it.
        withdraw: take back the waiver.
        author: who decides; the name of this account if not given.
    """
    from autograder.classroom.intake.folder import ClassFolder
    from autograder.classroom.marks.changes import EVERYBODY

    return _change(ClassFolder(folder), EVERYBODY, test, None, reason, withdraw, author)


@told
def adjust(
    folder: Annotated[Path, tyro.conf.Positional],
    student: Annotated[str, tyro.conf.Positional],
    *,
    reason: str,
    points: float | None = None,
    waive_lateness: bool = False,
    withdraw: bool = False,
    author: str = "",
) -> int:
    """Add points to a student's total or take some off, or waive the late penalty. Logged; survives every regrade.

    Works for everybody on the list, also where nothing was handed in or nothing could be graded. Decisions about points
    add up. They count in full: no late penalty and no cap touches them.

    Args:
        folder: results of the class.
        student: name of the student's folder in `students`, or the id of somebody who handed in nothing.
        reason: why; the student reads it.
        points: what is added to the total; below 0, what is taken off it.
        waive_lateness: lateness costs this student nothing.
        withdraw: take back the latest of these decisions, or the waiver with --waive-lateness.
        author: who decides; the name of this account if not given.
    """
    from autograder.classroom.intake.entries import ClassError
    from autograder.classroom.intake.folder import ClassFolder
    from autograder.classroom.marks.changes import LATENESS, WHOLE, of_whole, read_changes, waived_penalty
    from autograder.classroom.marks.standing import read_class

    place = ClassFolder(folder)
    result = _result_of(place, student)
    student = result.owner
    if result.status == "waiting":
        raise ClassError(f"{student} is not graded yet: wait until the grading has ended")
    target = LATENESS if waive_lateness else WHOLE
    attempts = [one for one in read_class(place).results if one.owner == student]
    if (points is None) != (waive_lateness or withdraw):
        raise ClassError("give one of --points, --waive-lateness and --withdraw (which takes back either)")
    if withdraw:
        changes = read_changes(folder)
        if not (waived_penalty(changes, student) if waive_lateness else of_whole(changes, student)):
            raise ClassError(f"there is no such decision about {student} to take back")
    known = of_whole(read_changes(folder), student)
    if len(attempts) > 1 and any((change.points, change.reason) == (points, reason) for change in known):
        raise ClassError(
            f"{student} has this decision already, and it counts for every attempt: give another reason to decide anew"
        )
    return _change(place, student, target, points, reason, withdraw, author)


@told
def requests(
    folder: Annotated[Path, tyro.conf.Positional], files: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
) -> int:
    """File the regrade requests that students sent, and list those without an answer. Can be run again.

    A request is a .toml file with `student`, `item` and `reason`, or a row of a .csv file with these columns. What is
    no request is named, and the others are filed; the exit status is then 4.

    Args:
        folder: results of the class.
        files: files, or folders of files; without any, nothing is filed.
    """
    from autograder.classroom.intake.entries import ClassError
    from autograder.classroom.intake.folder import ClassFolder
    from autograder.classroom.marks.requests import file_requests, read_requests, requests_in
    from autograder.classroom.marks.standing import read_class

    place, console, refused = ClassFolder(folder), Console(file=sys.stdout, soft_wrap=True), 0
    students, items = place.read_class()["students"], [item.id for item in read_class(place).items]
    paths = [one for path in files for one in (sorted(path.iterdir()) if path.is_dir() else [path])]
    with place.locked("all"):
        new = []
        for path in paths:
            try:
                new += file_requests(folder, list(requests_in(path)), students, items, _now())
            except ClassError as error:
                refused += 1
                console.print(f"not filed: {error}", markup=False, highlight=False, style="red")
        if new:
            _bring_up_to_date(place, console)
    waiting = [request for request in read_requests(folder) if request.is_open]
    console.print(f"{len(new)} filed, {len(waiting)} without an answer.", highlight=False)
    for one in waiting:
        console.print(f"{one.number}: {one.student}, {one.item}: {one.reason}", markup=False, highlight=False)
    return REFUSED if refused else DONE


@told
def answer(
    folder: Annotated[Path, tyro.conf.Positional],
    number: Annotated[int, tyro.conf.Positional],
    *,
    text: str,
    author: str = "",
) -> int:
    """Answer a regrade request; the answer is in the student's report. Points are changed by `override` or `adjust`.

    Args:
        folder: results of the class.
        number: of the request.
        text: the answer; the student reads it. A later one replaces it.
        author: who answers; the name of this account if not given.
    """
    from autograder.classroom.intake.folder import ClassFolder
    from autograder.classroom.marks.requests import answer_request

    place, console = ClassFolder(folder), Console(file=sys.stdout, soft_wrap=True)
    place.read_class()
    with place.locked("all"):
        request = answer_request(folder, number, text, author or getpass.getuser())
        _bring_up_to_date(place, console)
    console.print(f"The answer is in the report of {request.student}.", markup=False, highlight=False)
    return DONE


def _result_of(place: ClassFolder, student: str) -> Result:
    """Raises ClassError if there is no such student."""
    from autograder.classroom.intake.entries import ClassError
    from autograder.classroom.marks.standing import read_class

    for result in read_class(place).results:
        if result.student == student:
            return result
    raise ClassError(f"there is no student called {student!r} here; use the name of a folder in {place.students}")


def _change(
    place: ClassFolder, student: str, test: str, points: float | None, reason: str, withdraw: bool, author: str
) -> int:
    from autograder.classroom.marks.changes import Change, append_change

    place.read_class()
    change = Change(
        time=_now(),
        author=author or getpass.getuser(),
        kind="withdrawn" if withdraw else "points",
        student=student,
        target=test,
        points=points,
        reason=reason,
    )
    with place.locked("all"):
        append_change(place.root, change)
        _bring_up_to_date(place, Console(file=sys.stdout, soft_wrap=True))
    return DONE


def _bring_up_to_date(place: ClassFolder, console: Console) -> None:
    from autograder.classroom.marks.regrade_class import bring_up_to_date

    bring_up_to_date(place, console)


def _now() -> str:
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")


COMMANDS: dict[str, Callable[..., int]] = {
    "override": override,
    "waive": waive,
    "adjust": adjust,
    "requests": requests,
    "answer": answer,
}
