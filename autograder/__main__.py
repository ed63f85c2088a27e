"""python -m autograder: grade a submission or a class, repeat a grade, check the system, grade the zoo."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console

from autograder.files import as_json, write_at_once
from autograder.isolation.fork_server import GraderFault
from hw4.handin.assignment import load_assignment
from hw4.handin.intake import read_submission
from hw4.handin.refusal import SubmissionRefused

GRADED, REFUSED, FAULT, INTERRUPTED = 0, 4, 5, 130  # exit statuses


def grade(
    submission: Annotated[Path, tyro.conf.Positional],
    *,
    output: Path = Path("build/grade"),
    jobs: int = 2,
    deadline_minutes: float = 60.0,
    accept_weak_confinement: bool = False,
    quick: bool = False,
) -> int:
    """Grade one submission: a folder, a .zip or a .tar.gz.

    Writes results.json, report.html and receipt.json into the output folder. The exit status is 0 when a grade was
    written, whatever the points, 4 when the submission was refused and 5 when the grader itself failed.

    Args:
        submission: what a student handed in.
        output: folder for the results.
        jobs: how many learning runs go at the same time.
        deadline_minutes: wall-clock time for everything; what is not done by then is reported as not judged.
        accept_weak_confinement: grade somebody else's submission even if `doctor` says that a required guarantee is
            missing.
        quick: look at the functions alone, without curves and effects. Takes seconds, and is not a grade.
    """
    _forget_pytest_options()
    console = Console(file=sys.stdout)  # kept, while the suite's own output is redirected
    output.mkdir(parents=True, exist_ok=True)
    for name in ("results.json", "report.html", "receipt.json"):
        (output / name).unlink(missing_ok=True)  # an old grade is never taken for a new one
    try:
        grader_options = {
            "jobs": jobs,
            "required": () if accept_weak_confinement else None,
            "deadline_seconds": deadline_minutes * 60,
            "hidden": (submission.resolve().parent, output.resolve()),
        }
        return _grade(console, submission, output, grader_options, curves=not quick)
    except SubmissionRefused as error:
        from autograder.report.documents import refused

        write_at_once(output / "results.json", as_json(refused(error)))
        console.print(f"Refused, nothing was graded: {error}", markup=False, style="red")
        return REFUSED
    except KeyboardInterrupt:
        console.print("Interrupted: no grade was written.", style="red")
        return INTERRUPTED
    except Exception as error:
        from autograder.report.documents import fault

        try:
            write_at_once(output / "results.json", as_json(fault()))
            write_at_once(output / "receipt.json", as_json({"fault": f"{type(error).__name__}: {error}"}))
        except OSError as why:
            console.print(f"Even this result could not be written: {why}", markup=False, style="magenta")
        console.print(
            f"Grader fault, no grade was written: {type(error).__name__}: {error}", markup=False, style="magenta"
        )
        if not isinstance(error, GraderFault):
            console.print_exception()
        return FAULT


def _grade(console: Console, submission: Path, output: Path, grader_options: dict[str, Any], *, curves: bool) -> int:
    intake = read_submission(submission, load_assignment())

    from autograder.console import LiveProgress, print_report
    from autograder.grading.session import Grader
    from autograder.report.documents import QUICK_NOTE, inert
    from autograder.report.page import page
    from autograder.report.receipt import receipt
    from autograder.report.results import about, quick_look, results

    start = time.monotonic()
    with LiveProgress(console, intake.files) as progress, Grader(**grader_options) as grader:
        graded = grader.grade(intake, progress, curves=curves)
    write_at_once(output / "receipt.json", as_json(receipt(graded)))
    write_at_once(output / "results.json", as_json(results(graded) if curves else quick_look(graded)))
    print_report(console, graded.report)
    for line in about(intake):
        console.print(inert(line), markup=False, style="yellow")
    if not curves:
        console.print(QUICK_NOTE, style="yellow")
    try:
        write_at_once(output / "report.html", page(graded, submission.name).encode("utf-8", "replace"))
    except Exception as error:  # the grade is kept
        console.print(f"No page was written: {type(error).__name__}: {error}", markup=False, style="magenta")
    ending = "Done" if graded.report.faults or not curves else "Graded"
    console.print(f"{ending} in {time.monotonic() - start:.0f} s: {output / 'report.html'}", markup=False)
    return FAULT if graded.report.faults else GRADED


def regrade(
    receipt: Annotated[Path, tyro.conf.Positional],
    submission: Annotated[Path | None, tyro.conf.Positional] = None,
    *,
    verify: bool = False,
    jobs: int = 2,
    accept_weak_confinement: bool = False,
) -> int:
    """Repeat a grade from its receipt, or judge it again by today's points and bars.

    Without --verify nothing is run: what the receipt says was measured is judged by today's points and bars. The exit
    status is 0 if that decides everything, and 5 if something would have to be measured first. With --verify the
    submission is graded again and compared: the exit status is 0 if every verdict, cause, point and return is the same,
    and 6 if one differs.

    Args:
        receipt: the receipt.json of the grade.
        submission: what was graded; only --verify needs it.
        verify: grade again and compare.
        jobs: how many learning runs go at the same time.
        accept_weak_confinement: as for `grade`.
    """
    from autograder.console import LiveProgress
    from autograder.grading.regrade import DIFFERENT, SAME, ReceiptError, check_belongs, read_receipt
    from autograder.grading.regrade import verify as grade_again
    from autograder.grading.session import Grader

    _forget_pytest_options()
    console = Console(file=sys.stdout)
    try:
        then = read_receipt(receipt)
        if not verify:
            return _rescore(console, then)
        if submission is None:
            raise ReceiptError("--verify grades again, so it needs the submission too")
        intake = read_submission(submission, load_assignment())
        check_belongs(then, intake)
        required = () if accept_weak_confinement else None
        hidden = (submission.resolve().parent, receipt.resolve().parent)
        with (
            LiveProgress(console, intake.files) as progress,
            Grader(jobs=jobs, required=required, hidden=hidden) as grader,
        ):
            found = grade_again(then, intake, grader, progress)
    except (ReceiptError, SubmissionRefused) as error:
        console.print(f"Refused, nothing was graded: {error}", markup=False, style="red")
        return REFUSED
    except GraderFault as error:
        console.print(f"Grader fault: {error}", markup=False, style="magenta")
        return FAULT
    if found.changed_since:
        changed = ", ".join(found.changed_since)
        console.print(f"These have changed since that grade, which may explain differences: {changed}.", style="yellow")
    for difference in found.differences:
        console.print(difference, markup=False, style="red")
    console.print(f"Differences: {len(found.differences)}." if found.differences else "Everything is the same.")
    return DIFFERENT if found.differences else SAME


def _rescore(console: Console, then: dict[str, Any]) -> int:
    from autograder.grading.regrade import rescore
    from autograder.report.words import points, sum_of

    items, report = rescore(then)
    lacking = [item for item in items if item.lacks]
    for item in items:
        if item.before != item.now and not item.lacks:
            console.print(f"{item.item_id}: {points(item.before)} -> {points(item.now)} points", style="yellow")
    for item in lacking:
        says = f"{item.item_id}: {points(item.before)} points then; not judged now: it needs {item.lacks}"
        console.print(says, markup=False, style="magenta")
    for fault in report.faults:
        if fault.partition(":")[0] not in {item.item_id for item in lacking}:
            console.print(f"grader fault: {fault[:300]}", markup=False, style="magenta")
    if report.faults:
        says = "Not everything is judged, so the grade stays as it was. Grade the submission again."
        console.print(says, style="red")
        return FAULT
    bonus = f", and {points(then['bonus'])} bonus" if then.get("max_bonus") else ""
    console.print(f"Then: {points(then['score'])} of {points(then['max_score'])}{bonus}. Now: {sum_of(report)}.")
    return GRADED


def convert(
    results: Annotated[Path, tyro.conf.Positional],
    *,
    form: Literal["prairielearn", "autolab"],
    output: Path | None = None,
) -> int:
    """Write a grade in the form of another platform.

    The exit status is 0 if it was written, and 4 if there is nothing to read.

    Args:
        results: the results.json of a grade.
        form: of PrairieLearn's external grader, or what Autolab reads from an autograder's output.
        output: the file to write; it is printed if there is none.
    """
    from autograder.report.other_forms import FORMS

    try:
        document = json.loads(results.read_bytes())
        text = FORMS[form](document, load_assignment())
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{results} is not a results.json of this grader: {type(error).__name__}: {error}", file=sys.stderr)
        return REFUSED
    if output is None:
        print(text, end="" if text.endswith("\n") else "\n")
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_at_once(output, text.encode())
    return GRADED


def doctor() -> int:
    """Check this system: what a submission could do here, and how fast this machine is.

    The exit status is 0 if the submissions of others may be graded here, and 5 if a required guarantee is missing.
    """
    from autograder.doctor import examine

    console = Console()
    try:
        return examine(console)
    except GraderFault as error:
        console.print(f"Nothing can be graded here: {error}", markup=False, style="magenta")
        return FAULT


def calibrate(
    *, curves: tuple[str, ...] = (), runs: int = 165, variant_runs: int = 40, bug_runs: int = 12, jobs: int = 2
) -> int:
    """Draw the hidden worlds and record reference runs of the graded curves and effects in them.

    Only what is missing is recorded, so you can stop it at any time and start it again. Then run `make publish`.

    Args:
        curves: ids of curves and effects; all if none is given.
        runs: how many runs of the reference are wanted.
        variant_runs: how many of each other correct implementation.
        bug_runs: how many of each bug that the curve or effect is meant to catch.
        jobs: how many runs go at the same time, one thread each.
    """
    from autograder.grading import private
    from autograder.recorded.acceptance import accepted_worlds
    from autograder.recorded.calibration import calibrate as record

    write_at_once(private.WORLDS_FILE, accepted_worlds().encode())
    record(list(curves), runs=runs, variant_runs=variant_runs, bug_runs=bug_runs, jobs=jobs)
    print("recorded; now run `make publish` to derive bars, floors and bands")
    return 0


def zoo(*, names: tuple[str, ...] = (), alone: bool = False) -> int:
    """Grade the zoo with the hidden tests, compare with the expected reports, and write build/zoo.html.

    Args:
        names: animals to visit; all if none is given.
        alone: grade each bug as a separate submission. By default, bugs in different functions share one, which finds
            as much in a quarter of the time.
    """
    from autograder.zoo.tour import visit

    return visit(Console(), list(names), alone=alone)


def _forget_pytest_options() -> None:
    """A TA's own pytest settings must not change the hidden suite."""
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)


COMMANDS: dict[str, Callable[..., int]] = {
    "grade": grade,
    "regrade": regrade,
    "convert": convert,
    "doctor": doctor,
    "calibrate": calibrate,
    "zoo": zoo,
}
if find_spec("autograder.classroom"):  # it is not on Gradescope
    COMMANDS |= import_module("autograder.classroom.commands").COMMANDS

if __name__ == "__main__":
    sys.exit(tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="python -m autograder", description=__doc__))
