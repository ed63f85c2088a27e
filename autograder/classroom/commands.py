"""The subcommands of `python -m autograder` for a whole class."""

from __future__ import annotations

import functools
import getpass
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

DONE, REFUSED, FAULT, INTERRUPTED = 0, 4, 5, 130  # exit statuses, as those of `grade`


def _told(command: Callable[..., int]) -> Callable[..., int]:
    """Errors that a TA can mend become one line and an exit status."""

    @functools.wraps(command)
    def run(*args: object, **kwargs: object) -> int:
        from autograder.classroom.grade_class import CanaryFailed
        from autograder.classroom.submissions import ClassError

        console = Console(file=sys.stdout, soft_wrap=True)
        try:
            return command(*args, **kwargs)
        except ClassError as error:
            console.print(f"Refused, nothing was done: {error}", markup=False, style="red")
            return REFUSED
        except CanaryFailed as error:
            console.print(f"Nobody is graded: {error}", markup=False, style="magenta")
            return FAULT
        except KeyboardInterrupt:
            console.print("Interrupted. What is done stays; the same command goes on from there.", style="red")
            return INTERRUPTED

    return run


@_told
def grade_class(
    submissions: Annotated[Path, tyro.conf.Positional],
    *,
    output: Path,
    roster: Path | None = None,
    jobs: int = 2,
    shard: str = "",
    engine: str = "local",
    scheduler: str = "",
    deadline_minutes: float = 60.0,
    curves: bool = True,
    only: tuple[str, ...] = (),
    retry_faults: bool = False,
    accept_weak_confinement: bool = False,
) -> int:
    """Grade a class: a folder of submissions, or an export of Gradescope or Canvas as downloaded.

    Can be killed at any moment and called again: who is done is kept. The exit status is 0 when everyone has a verdict,
    4 when nothing could be begun, and 5 when the grader itself failed, at someone or altogether.

    Args:
        submissions: the folder.
        output: folder of the results: grades.csv, index.html, students/ID/report.html.
        roster: CSV with a column `id` and, as wanted, `name`, `email` and `group`.
        jobs: submissions at once.
        shard: "2/5" grades the second of five parts of the class; `merge` puts them together.
        engine: "local", or "dask" for the machines behind a scheduler.
        scheduler: address of the Dask scheduler, as tcp://HOST:PORT or tls://HOST:PORT.
        deadline_minutes: wall-clock time for one submission; what is not done by then is reported as not judged.
        curves: whether learning curves are graded. Without them it is a look at the functions, and no grade.
        only: ids of functions to look at; all if none is given. A look, and no grade.
        retry_faults: grade again those at whom the grader failed.
        accept_weak_confinement: grade although `doctor` misses a required guarantee.
    """
    from autograder.classroom.engine import Settings
    from autograder.classroom.folder import ClassFolder
    from autograder.classroom.grade_class import grade_class as run
    from autograder.classroom.grade_class import local_canary, local_engine
    from autograder.classroom.submissions import ClassError, find_submissions

    console = Console(file=sys.stdout, soft_wrap=True)
    if engine not in ("local", "dask"):
        raise ClassError(f"the engine is local or dask, not {engine!r}")
    if jobs < 1:
        raise ClassError(f"--jobs must be at least 1, got {jobs}")
    settings = Settings(
        curves=curves and not only,
        only=_known_functions(only),
        deadline_seconds=deadline_minutes * 60,
        accept_weak_confinement=accept_weak_confinement,
        hidden=(submissions.resolve(), output.resolve()),
    )
    entries = find_submissions(submissions, roster)
    summary = run(
        entries,
        ClassFolder(output),
        settings,
        local_engine(settings, jobs),
        console,
        jobs=jobs,
        shard=_shard(shard),
        retry_faults=retry_faults,
        ask_canary=local_canary(settings),
    )
    console.print(
        f"Graded {summary.graded}, kept {summary.kept}, grader faults {summary.faults}: {output / 'index.html'}",
        markup=False,
    )
    return FAULT if summary.faults else DONE


def _known_functions(only: tuple[str, ...]) -> frozenset[str] | None:
    from autograder.classroom.submissions import ClassError
    from hw4.assignment import load_assignment

    ids = {stub.id for stub in load_assignment().stubs}
    if unknown := sorted(set(only) - ids):
        raise ClassError(f"no function is called {', '.join(unknown)}: there are {', '.join(sorted(ids))}")
    return frozenset(only) or None


def _shard(text: str) -> tuple[int, int] | None:
    from autograder.classroom.submissions import ClassError

    if not text:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ClassError(f"--shard is i/n with 1 <= i <= n, such as 2/5, not {text!r}")
    return int(match[1]), int(match[2])


@_told
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
    """Give one student other points for a hidden test, a function or a curve. Logged; survives every regrade.

    Args:
        folder: results of the class.
        student: name of the student's folder in `students`.
        test: a hidden test, a function or a curve, by its id.
        reason: why; the student reads it.
        points: what it is worth now; all of its points if not given.
        withdraw: take back what was decided for this student and test before.
        author: who decides; the name of this account if not given.
    """
    from autograder.classroom.folder import ClassFolder
    from autograder.classroom.submissions import ClassError

    place = ClassFolder(folder)
    names = [entry["student"] for entry in place.read_class()["students"]]
    if student not in names:
        raise ClassError(f"nobody is called {student!r} here; the names are those of the folders in {place.students}")
    return _change(place, student, test, points, reason, withdraw, author)


@_told
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
    from autograder.classroom.changes import EVERYBODY
    from autograder.classroom.folder import ClassFolder

    return _change(ClassFolder(folder), EVERYBODY, test, None, reason, withdraw, author)


def _change(
    place: object, student: str, test: str, points: float | None, reason: str, withdraw: bool, author: str
) -> int:
    from autograder.classroom.changes import Change, append_change
    from autograder.classroom.folder import ClassFolder
    from autograder.classroom.regrade_class import bring_up_to_date

    assert isinstance(place, ClassFolder)
    place.read_class()
    change = Change(
        time=datetime.now(UTC).astimezone().isoformat(timespec="seconds"),
        author=author or getpass.getuser(),
        kind="withdrawn" if withdraw else "points",
        student=student,
        target=test,
        points=points,
        reason=reason,
    )
    with place.locked("all"):
        append_change(place.root, change)
        bring_up_to_date(place, Console(file=sys.stdout, soft_wrap=True))
    return DONE


@_told
def regrade_class(
    folder: Annotated[Path, tyro.conf.Positional],
    *,
    jobs: int = 2,
    everything: bool = False,
    deadline_minutes: float = 60.0,
    accept_weak_confinement: bool = False,
) -> int:
    """Bring a class up to date after a change of tests, bars or points, and say whose grade changed and why.

    Stored verdicts and returns are scored again without running anything. Only functions whose hidden tests changed,
    and submissions whose curves need more runs, run again. Differences also go to DIR/regrades/TIME.csv.

    Args:
        folder: results of the class.
        jobs: submissions at once.
        everything: grade again also those whose verdicts are by another version of the grader itself.
        deadline_minutes: wall-clock time for one submission.
        accept_weak_confinement: as for `grade-class`.
    """
    from autograder.classroom.engine import Settings
    from autograder.classroom.folder import ClassFolder
    from autograder.classroom.grade_class import local_canary, local_engine
    from autograder.classroom.regrade_class import regrade_class as run

    settings = Settings(
        deadline_seconds=deadline_minutes * 60,
        accept_weak_confinement=accept_weak_confinement,
        hidden=(folder.resolve(),),
    )
    console = Console(file=sys.stdout, soft_wrap=True)
    place = ClassFolder(folder)
    run(place, settings, lambda s: local_engine(s, jobs), console, ask_canary=local_canary, everything=everything)
    return DONE


COMMANDS: dict[str, Callable[..., int]] = {
    "grade-class": grade_class,
    "override": override,
    "waive": waive,
    "regrade-class": regrade_class,
}
