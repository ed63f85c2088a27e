"""The staff bundle: everything that TAs need, answers and hidden seeds included. Never for students.

An allow-list of folders and kinds of files: what a class handed in, grades and extensions are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from autograder.solutions import ROOT
from publish.archive import zip_of

STAFF_BUNDLE = ROOT / "build" / "staff.zip"
STAFF_PDF = ROOT / "build" / "handout-staff.pdf"
STAFF_FOLDER = "hw4-staff"
ROOMS = (
    *(".ci", ".github", "autograder", "benchmarks", "docs", "handout", "hw4", "publish", "solutions", "tests"),
    *("notebooks/data", "notebooks/masters", "notebooks/release", "notebooks/source"),
)
FILES = (
    *(".gitattributes", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md"),
    "SECURITY.md",
    *("assignment.toml", "handout.pdf", "pyproject.toml", "requirements.lock", "requirements.txt"),
    *("notebooks/README.md", "notebooks/nbgrader_config.py", "notebooks/shared_cells.py"),
)
SUFFIXES = (
    *(".css", ".csv", ".ipynb", ".j2", ".js", ".json", ".md", ".png", ".py", ".sh", ".svg", ".toml", ".txt", ".typ"),
    ".yml",
)
WITHOUT_SUFFIX = (".ci/run", "autograder/gradescope/run_autograder")
LEFT_OUT = ("hidden-*.txt", "extensions.csv")
EXECUTABLE = (f"{STAFF_FOLDER}/.ci/run", f"{STAFF_FOLDER}/autograder/gradescope/run_autograder")


def staff_files() -> Iterator[tuple[str, Path]]:
    """(name inside the bundle, file), sorted by name."""
    found = {name: ROOT / name for name in (*FILES, *WITHOUT_SUFFIX)}
    for room in ROOMS:
        for path in (ROOT / room).rglob("*"):
            name = path.relative_to(ROOT)
            hidden = any(part == "__pycache__" or part.startswith(".") for part in name.parts[1:])
            if path.suffix in SUFFIXES and path.is_file() and not hidden and not any(map(path.match, LEFT_OUT)):
                found[name.as_posix()] = path
    found[STAFF_PDF.name] = STAFF_PDF
    yield from sorted(found.items())


def staff_bundle() -> bytes:
    """The archive; the same tree gives the same bytes. The staff edition of the handout is built before."""
    files = ((f"{STAFF_FOLDER}/{name}", path.read_bytes()) for name, path in staff_files())
    return zip_of(files, executable=EXECUTABLE)
