"""The subcommands of `python -m autograder` for a whole class."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import getpass
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from autograder.classroom.exits import DONE, FAULT, INTERRUPTED, REFUSED
from autograder.classroom.exits import told as _told
from autograder.classroom.hand_back import export, feedback, gradebook
from autograder.files import write_at_once

__all__ = [
    "COMMANDS",
    "DONE",
    "FAULT",
    "INTERRUPTED",
    "REFUSED",
    "export",
    "feedback",
    "grade_class",
    "gradebook",
    "merge",
    "override",
    "regrade_class",
    "similarity",
    "waive",
]


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
    tls_ca: Path | None = None,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    deadline_minutes: float = 60.0,
    curves: bool = True,
    only: tuple[str, ...] = (),
    retry_faults: bool = False,
    accept_weak_confinement: bool = False,
) -> int:
    """Grade a class: a folder of submissions, or an export of Gradescope, Canvas or Moodle as downloaded.

    You can kill it at any moment and run it again: finished students are kept. The exit status is 0 when everyone has a
    verdict, 4 when nothing could be started, and 5 when the grader itself failed, for one student or altogether.

    Args:
        submissions: the folder.
        output: folder of the results: grades.csv, index.html, students/ID/report.html.
        roster: CSV with a column `id` and, optionally, `name`, `email`, `group` and `submitted_at`, or the export of a
            site.
        jobs: number of submissions graded at once.
        shard: "2/5" grades the second of five parts of the class; `merge` puts them together.
        engine: "local", or "dask" for the machines behind a scheduler.
        scheduler: address of the Dask scheduler, as tcp://HOST:PORT or tls://HOST:PORT.
        tls_ca: certificate of the authority that signed the other certificates, for tls:// addresses.
        tls_cert: certificate of this machine, signed by that authority.
        tls_key: its private key.
        deadline_minutes: wall-clock time for one submission; what is not done by then is reported as not judged.
        curves: whether to grade learning curves. Without them this only checks the functions and gives no grade.
        only: ids of the functions to check; all by default. Checking only some gives no grade.
        retry_faults: grade again the students for whom the grader failed.
        accept_weak_confinement: grade even if `doctor` reports a missing guarantee.
    """
    from autograder.classroom.intake.entries import ClassError
    from autograder.classroom.intake.folder import ClassFolder
    from autograder.classroom.intake.left_over import left_over
    from autograder.classroom.intake.submissions import find_submissions
    from autograder.classroom.marks.standing import extensions_of_class
    from autograder.classroom.night.grade_class import grade_class as run
    from autograder.classroom.night.grade_class import local_canary, local_engine
    from autograder.classroom.night.job import Settings

    console = Console(file=sys.stdout, soft_wrap=True)
    if engine not in ("local", "dask"):
        raise ClassError(f"the engine must be local or dask, not {engine!r}")
    if (engine == "dask") != bool(scheduler):
        raise ClassError("--engine dask needs --scheduler tcp://HOST:PORT, and the local engine takes none")
    if jobs < 1:
        raise ClassError(f"--jobs must be at least 1, got {jobs}")
    settings = Settings(
        curves=curves and not only,
        only=_known_functions(only),
        deadline_seconds=deadline_minutes * 60,
        accept_weak_confinement=accept_weak_confinement,
        hidden=(submissions.resolve(), output.resolve()),
    )
    entries = find_submissions(submissions, roster, extensions_of_class())
    with contextlib.ExitStack() as closing:
        chosen, ask = local_engine(settings, jobs), local_canary(settings)
        if engine == "dask":
            from autograder.classroom.night.dask_engine import connected, grade_on

            settings = dataclasses.replace(settings, hidden=())  # folders of this machine say nothing elsewhere
            client = closing.enter_context(connected(scheduler, _security(scheduler, tls_ca, tls_cert, tls_key)))
            jobs = max(1, sum(client.nthreads().values()))
            chosen = functools.partial(grade_on, client, settings=settings)
            ask = functools.partial(_ask_one, chosen)
        summary = run(
            entries,
            ClassFolder(output),
            settings,
            chosen,
            console,
            jobs=jobs,
            shard=_shard(shard),
            retry_faults=retry_faults,
            ask_canary=ask,
            left_over=left_over(submissions, entries),
        )
    console.print(
        f"Graded {summary.graded}, kept {summary.kept}, grader faults {summary.faults}: {output / 'index.html'}",
        markup=False,
    )
    return FAULT if summary.faults else DONE


def _security(scheduler: str, ca: Path | None, cert: Path | None, key: Path | None) -> object:
    """What Dask wants for TLS; None for an address without. Raises ClassError."""
    from distributed.security import Security

    from autograder.classroom.intake.entries import ClassError

    given = [path for path in (ca, cert, key) if path is not None]
    if scheduler.startswith("tls://") != (len(given) == 3) or len(given) in (1, 2):
        raise ClassError("tls://HOST:PORT needs --tls-ca, --tls-cert and --tls-key, and tcp://HOST:PORT none of them")
    if not given:
        return None
    if missing := [str(path) for path in given if not path.is_file()]:
        raise ClassError(f"there is no certificate or key {', '.join(missing)}")
    return Security(tls_ca_file=str(ca), tls_client_cert=str(cert), tls_client_key=str(key), require_encryption=True)


def _ask_one(engine: Callable[..., Iterator[tuple[object, dict[str, Any]]]], payload: bytes) -> dict[str, Any]:
    """The canary, graded where the class is."""
    from autograder.classroom.night.engine import Task

    ((_, answer),) = engine([Task("canary", payload)])
    return answer


def _known_functions(only: tuple[str, ...]) -> frozenset[str] | None:
    from autograder.classroom.intake.entries import ClassError
    from hw4.handin.assignment import load_assignment

    ids = {stub.id for stub in load_assignment().stubs}
    if unknown := sorted(set(only) - ids):
        raise ClassError(
            f"there is no function called {', '.join(unknown)}: the functions are {', '.join(sorted(ids))}"
        )
    return frozenset(only) or None


def _shard(text: str) -> tuple[int, int] | None:
    from autograder.classroom.intake.entries import ClassError

    if not text:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ClassError(f"--shard must be i/n with 1 <= i <= n, such as 2/5, not {text!r}")
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

    place = ClassFolder(folder)
    names = [entry["student"] for entry in place.read_class()["students"]]
    if student not in names:
        raise ClassError(f"there is no student called {student!r} here; use the name of a folder in {place.students}")
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
    from autograder.classroom.intake.folder import ClassFolder
    from autograder.classroom.marks.changes import EVERYBODY

    return _change(ClassFolder(folder), EVERYBODY, test, None, reason, withdraw, author)


def _change(
    place: object, student: str, test: str, points: float | None, reason: str, withdraw: bool, author: str
) -> int:
    from autograder.classroom.intake.folder import ClassFolder
    from autograder.classroom.marks.changes import Change, append_change
    from autograder.classroom.marks.regrade_class import bring_up_to_date

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
    """Update a class after a change to tests, bars or points, and say whose grade changed and why.

    Stored verdicts and returns are scored again without running anything. Only functions whose hidden tests changed,
    and submissions whose curves need more runs, run again. Differences also go to DIR/regrades/TIME.csv.

    Args:
        folder: results of the class.
        jobs: number of submissions graded at once.
        everything: also grade again the students whose verdicts come from another version of the grader itself.
        deadline_minutes: wall-clock time for one submission.
        accept_weak_confinement: as for `grade-class`.
    """
    from autograder.classroom.intake.folder import ClassFolder
    from autograder.classroom.marks.regrade_class import regrade_class as run
    from autograder.classroom.night.grade_class import local_canary, local_engine
    from autograder.classroom.night.job import Settings

    settings = Settings(
        deadline_seconds=deadline_minutes * 60,
        accept_weak_confinement=accept_weak_confinement,
        hidden=(folder.resolve(),),
    )
    console = Console(file=sys.stdout, soft_wrap=True)
    place = ClassFolder(folder)
    run(place, settings, lambda s: local_engine(s, jobs), console, ask_canary=local_canary, everything=everything)
    return DONE


@_told
def merge(parts: Annotated[tuple[Path, ...], tyro.conf.Positional], *, output: Path) -> int:
    """Put together the parts of a class that `grade-class --shard` graded. Can be run again.

    Args:
        parts: their output folders; one folder that all of them wrote into will do.
        output: folder of the whole class.
    """
    from autograder.classroom.intake.entries import ClassError
    from autograder.classroom.night.merge import merge as run

    if not parts:
        raise ClassError("give at least one folder")
    found = run(list(parts), output)
    waiting = [result.student for result in found.results if result.status == "waiting"]
    console = Console(file=sys.stdout, soft_wrap=True)
    console.print(f"{len(found.results)} students: {output / 'index.html'}", markup=False)
    if waiting:
        console.print(f"Not graded yet: {', '.join(waiting[:20])}", markup=False, style="yellow")
    return FAULT if waiting else DONE


@_told
def similarity(
    folder: Annotated[Path, tyro.conf.Positional],
    *,
    earlier: tuple[Path, ...] = (),
    output: Path = Path("build/similarity.html"),
) -> int:
    """Find submissions that share more code than independent work does, and show them side by side.

    Args:
        folder: results of a class, or a folder of submissions.
        earlier: submissions of earlier years, to compare with.
        output: the page to write.
    """
    from autograder.classroom.marks.similarity import similarity as run
    from autograder.classroom.marks.similarity import similarity_page, works_in

    pairs = run(folder, earlier)
    console = Console(file=sys.stdout, soft_wrap=True)
    for pair in pairs:
        console.print(f"{pair.share:4.0%} {pair.one.name} and {pair.other.name}", markup=False, highlight=False)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_at_once(output, similarity_page(pairs, len(works_in(folder))).encode("utf-8", "replace"))
    console.print(f"{len(pairs)} pairs to look at: {output}", markup=False, highlight=False)
    return DONE


COMMANDS: dict[str, Callable[..., int]] = {
    "grade-class": grade_class,
    "override": override,
    "waive": waive,
    "regrade-class": regrade_class,
    "merge": merge,
    "gradebook": gradebook,
    "export": export,
    "feedback": feedback,
    "similarity": similarity,
}
