"""The Gradescope bundle: an allow-list of what grading needs, and not a file more. Written by `make gradescope`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from autograder.grading.fingerprint import GRADER, python_files
from autograder.solutions import ROOT
from hw4.handin.assignment import load_assignment
from publish.archive import zip_of
from publish.line_ends import LineEndError, with_right_line_ends

GRADESCOPE_BUNDLE = ROOT / "build" / "gradescope-autograder.zip"
ENTRY_POINTS = ("setup.sh", "run_autograder")  # at the root of the archive, executable
PLACES = ("hw4", "autograder/gradescope", "autograder/report", *GRADER)
NOT_FOR_GRADING = ("hw4/tests", "hw4/notebooks", "hw4/commands/first_fall.py", "hw4/commands/video.py")
OTHER_FILES = (
    *("assignment.toml", "requirements.lock", "LICENSE", "hw4/reference_curves.csv"),
    *("autograder/private.toml", "autograder/recorded/worlds.json", "autograder/recorded/reference/bars.json"),
    "autograder/report/page_style.css",
    "autograder/report/page.html.j2",
)
NOT_IMPORTED = ("imageio", "jupyterlab", "nbgrader")  # of requirements.txt, by the grader
BESIDE_STUDENTS = ("jinja2",)  # pages


def grader_files() -> Iterator[tuple[str, bytes]]:
    """(name inside the bundle, content) of everything that grading needs."""
    for name in ENTRY_POINTS:
        yield name, (ROOT / "autograder" / "gradescope" / name).read_bytes()
    commands = {path.relative_to(ROOT).as_posix() for path in (ROOT / "autograder").glob("*.py")}
    files = {name for name, _ in python_files(*PLACES, *commands, without=NOT_FOR_GRADING)}
    for name in sorted({*files, *OTHER_FILES}):
        yield name, (ROOT / name).read_bytes()
    yield "requirements-grading.txt", grading_requirements().encode()


def grading_requirements() -> str:
    """The packages of the homework, less what the grader never imports; requirements.lock says in which versions."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if (name := re.match(r"[\w-]+", line)) and name[0] not in NOT_IMPORTED]
    return "\n".join([*wanted, *BESIDE_STUDENTS]) + "\n"


def gradescope_bundle() -> bytes:
    """The archive; the same tree gives the same bytes.

    Raises:
        AssignmentError: a mistake in assignment.toml, with which nothing could be graded.
        LineEndError: a script that would not start on Gradescope, or any other file with the line ends of Windows.
    """
    load_assignment()
    return zip_of(with_right_line_ends(grader_files(), ENTRY_POINTS), executable=ENTRY_POINTS)


def write_gradescope_bundle(target: Path = GRADESCOPE_BUNDLE) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gradescope_bundle())
    return target


if __name__ == "__main__":
    try:
        print(f"wrote {write_gradescope_bundle().relative_to(ROOT)}")
    except LineEndError as error:
        sys.exit(f"Nothing was written:\n{error}")
