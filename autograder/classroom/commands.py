"""The subcommands of `python -m autograder` for a whole class."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Console

from autograder.classroom.decisions import COMMANDS as DECISIONS
from autograder.classroom.exits import DONE, FAULT, INTERRUPTED, REFUSED, told
from autograder.classroom.hand_back import COMMANDS as HAND_BACK
from autograder.classroom.hand_back import export, feedback, gradebook, say
from autograder.files import write_at_once

if TYPE_CHECKING:
    from autograder.classroom.intake.folder import ClassFolder

__all__ = ["COMMANDS", "DONE", "FAULT", "INTERRUPTED", "REFUSED", "export", "feedback", "grade_class", "gradebook"]
__all__ += ["merge", "regrade_class", "similarity"]


@told
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
    earlier: tuple[Path, ...] = (),
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
        earlier: results or submissions of earlier classes, to find copies of them; those of the last time by default.
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
    if strange := [str(path) for path in earlier if not path.is_dir()]:
        raise ClassError(f"{', '.join(strange)} is not a folder: give the one that contains the submissions")
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
    if settings.curves and not shard:
        _look_for_copies(ClassFolder(output), earlier, console)
    return FAULT if summary.faults else DONE


def _look_for_copies(place: ClassFolder, earlier: tuple[Path, ...], console: Console) -> None:
    """Name in the lists those whose code is nearly the same."""
    from autograder.classroom.marks.lists import write_lists
    from autograder.classroom.marks.similarity import look_for_copies

    if not place.all_done():
        return
    if count := look_for_copies(place, earlier or None):
        console.print(f"{count} submissions have nearly the same code as another: see `similarity`.", highlight=False)
    write_lists(place)


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
    from hw4.handin.strict_toml import and_meant

    ids = {stub.id for stub in load_assignment().stubs}
    if unknown := sorted(set(only) - ids):
        raise ClassError(
            f"there is no function called {', '.join(and_meant(name, ids) for name in unknown)}: the functions are "
            f"{', '.join(sorted(ids))}"
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


@told
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


@told
def merge(parts: Annotated[tuple[Path, ...], tyro.conf.Positional], *, output: Path) -> int:
    """Put together the parts of a class that `grade-class --shard` graded. Can be run again.

    Args:
        parts: their output folders; one folder that all of them wrote into will do.
        output: folder of the whole class.
    """
    from autograder.classroom.intake.entries import ClassError
    from autograder.classroom.intake.folder import ClassFolder
    from autograder.classroom.night.merge import merge as run

    if not parts:
        raise ClassError("give at least one folder")
    found = run(list(parts), output)
    waiting = [result.student for result in found.results if result.status == "waiting"]
    console = Console(file=sys.stdout, soft_wrap=True)
    console.print(f"{len(found.results)} students: {output / 'index.html'}", markup=False)
    if found.is_graded and not waiting:
        _look_for_copies(ClassFolder(output), (), console)
    say(found.notice, console)
    if waiting:
        console.print(f"Not graded yet: {', '.join(waiting[:20])}", markup=False, style="yellow")
    return FAULT if waiting else DONE


@told
def similarity(
    folder: Annotated[Path, tyro.conf.Positional],
    *,
    earlier: tuple[Path, ...] = (),
    course: Path = Path("notebooks"),
    output: Path = Path("build/similarity.html"),
) -> int:
    """Find submissions that share more code or more of an answer than independent work does, and show them.

    Args:
        folder: results of a class, or a folder of submissions.
        earlier: submissions of earlier years, to compare with.
        course: nbgrader's course directory, in which the answers of a graded class are filed.
        output: the page to write.
    """
    from autograder.classroom.intake.folder import ClassFolder
    from autograder.classroom.marks.alike import write_alike_answers
    from autograder.classroom.marks.lists import write_lists
    from autograder.classroom.marks.similar_answers import alike_answers, similarity_of_answers
    from autograder.classroom.marks.similarity import look_for_copies, similarity_page, works_in
    from autograder.classroom.marks.similarity import similarity as run

    pairs, answers = run(folder, earlier), similarity_of_answers(folder, earlier, course)
    console = Console(file=sys.stdout, soft_wrap=True)
    if (folder / "class.json").exists():
        look_for_copies(ClassFolder(folder), earlier or None)
        write_alike_answers(folder, alike_answers(answers))
        write_lists(ClassFolder(folder))
    for pair in pairs:
        console.print(f"{pair.share:4.0%} {pair.one.name} and {pair.other.name}", markup=False, highlight=False)
    for found in answers:
        says = f"{found.share:4.0%} {found.one.name} and {found.other.name}: answer {found.one.question}"
        console.print(says, markup=False, highlight=False)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_at_once(output, similarity_page(pairs, len(works_in(folder)), answers).encode("utf-8", "replace"))
    count = len(pairs) + len(answers)
    console.print(f"{count} {'pair' if count == 1 else 'pairs'} to look at: {output}", markup=False, highlight=False)
    return DONE


COMMANDS: dict[str, Callable[..., int]] = {
    "grade-class": grade_class,
    **DECISIONS,
    "regrade-class": regrade_class,
    "merge": merge,
    **HAND_BACK,
    "similarity": similarity,
}
