"""Hashes of folders: what a verdict depends on, subfolders included."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from autograder.solutions import ROOT

# The code that a verdict depends on; also there, whole, in the Gradescope bundle.
GRADER = ("autograder/solutions.py", *(f"autograder/{name}" for name in ("grading", "hidden_tests", "isolation")))
GRADER += ("autograder/worker", "autograder/worlds", "solutions")
GIVEN = ("hw4",)
NOT_GIVEN = ("hw4/commands", "hw4/notebooks", "hw4/tests")  # what students run and see, and what no grade depends on

# What a stored verdict depends on, less what points follow from: that scores stored verdicts again.
CORE = tuple(place for place in GRADER if place != "autograder/hidden_tests") + GIVEN
NOT_CORE = (
    *NOT_GIVEN,
    *(f"autograder/grading/{name}.py" for name in ("curves", "judge", "regrade", "scoring")),
    *(f"hw4/checking/{name}" for name in ("examples", "hints", "report.py")),
)


def python_files(*places: str, without: tuple[str, ...] = (), root: Path = ROOT) -> Iterator[tuple[str, Path]]:
    """(name from the root, file) of each Python file in or below some places, sorted by name.

    Args:
        places: files and folders, named from the root.
        without: files and folders that are left out, also below one of `places`.
        root: of the repository.
    """
    found = {root / place for place in places if place.endswith(".py")}
    found |= {path for place in places for path in (root / place).rglob("*.py")}
    for path in sorted(found):
        name = path.relative_to(root)
        if not any(part.as_posix() in without for part in (name, *name.parents)):
            yield name.as_posix(), path


def hash_of(*places: str, without: tuple[str, ...] = (), root: Path = ROOT) -> str:
    """Hash of the names and contents of `python_files`."""
    digest = hashlib.sha256()
    for name, path in python_files(*places, without=without, root=root):
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
