"""The package `hw4` as a worker imports it: given files as published, and the student's files or their stubs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from hw4.handin.assignment import load_assignment
from hw4.handin.code_files import NOT_WHEN_GRADED

GIVEN = Path(__file__).resolve().parents[2] / "hw4"

# Of what students may not import, this is there all the same: the referee asks for it.
ASKED_FOR = (
    "checking/__init__.py",
    "checking/answers.py",
    "checking/doubles.py",
    "checking/subject.py",
    "imagination.py",
)

Package = Mapping[str, bytes]  # file to be submitted -> content


@cache
def given_names() -> tuple[str, ...]:
    """The files of `hw4` that a worker gets next to the submitted ones. No environment is among them."""
    found = (path.relative_to(GIVEN) for path in GIVEN.rglob("*.py"))
    given = {path.as_posix() for path in found if Path(path.parts[0]).stem not in NOT_WHEN_GRADED}
    return tuple(sorted({*given, *ASKED_FOR} - {*load_assignment().submission.code}))


def given_files() -> dict[str, bytes]:
    return {name: (GIVEN / name).read_bytes() for name in given_names()}


def package_with(code: Mapping[str, bytes]) -> Package:
    """Of each file to be submitted what is in `code`, or else the stub."""
    return {
        name: code[name] if name in code else (GIVEN / name).read_bytes() for name in load_assignment().submission.code
    }
