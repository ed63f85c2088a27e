"""Stub files from the reference solution, and the solved tree.

In place of a marked region (see autograder/solutions.py) the stub has the text after the marker's colon as a TODO, and
one `raise NotImplementedError`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from autograder.solutions import BEGIN, END, ROOT, SOLUTIONS, reference_code
from hw4.handin.assignment import Assignment, load_assignment
from hw4.handin.at_once import write_at_once

STUBS = ROOT / "hw4"
SOLVED = ROOT / "build" / "solved"


class MarkerError(ValueError):
    """A solution marker is unclosed, nested, mismatched or unknown."""


def stub_text(solution: str, file_name: str, assignment: Assignment) -> str:
    """The stub file of one solution file.

    Raises:
        MarkerError: with `file:line`.
    """
    stubs = {stub.id: stub for stub in assignment.stubs if stub.file == file_name}
    lines: list[str] = []
    open_id: str | None = None
    open_where = ""
    seen: set[str] = set()
    for number, line in enumerate(solution.splitlines(), start=1):
        where = f"solutions/{file_name}:{number}"
        begin, end = BEGIN.match(line), END.match(line)
        if begin:
            stub_id = begin["id"]
            if open_id is not None:
                raise MarkerError(f"{where}: {stub_id} begins inside {open_id}; close {open_id} first")
            if stub_id not in stubs:
                raise MarkerError(f"{where}: {stub_id} is not in the stub table for {file_name} in assignment.toml")
            if stub_id in seen:
                raise MarkerError(f"{where}: {stub_id} begins a second time")
            open_id, open_where = stub_id, where
            seen.add(stub_id)
            indent = begin["indent"]
            lines.append(f"{indent}# TODO({stub_id}): {begin['hint']}")
            where_to_write = f"{stubs[stub_id].symbol} in hw4/{file_name}"
            lines.append(f'{indent}raise NotImplementedError("{stub_id}: write {where_to_write}")')
        elif end:
            if end["id"] != open_id:
                raise MarkerError(f"{where}: END of {end['id']}, but {open_id or 'nothing'} is open")
            open_id = None
        elif "### BEGIN" in line or "### END" in line:
            raise MarkerError(f"{where}: not a marker: write '### BEGIN SOLUTION id: hint' or '### END SOLUTION id'")
        elif open_id is None:
            lines.append(line)
    if open_id is not None:
        raise MarkerError(f"{open_where}: {open_id} is never closed")
    missing = stubs.keys() - seen
    if missing:
        raise MarkerError(f"solutions/{file_name}: no solution for {', '.join(sorted(missing))} of assignment.toml")
    return "\n".join(lines) + "\n"


def solution_lines(solution: str) -> dict[str, list[str]]:
    """The lines of each solution region, by id."""
    regions: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in solution.splitlines():
        if begin := BEGIN.match(line):
            current = regions[begin["id"]] = []
        elif END.match(line):
            current = None
        elif current is not None:
            current.append(line)
    return regions


def build_stubs() -> dict[Path, str]:
    """Every generated stub file and its text."""
    assignment = load_assignment()
    return {
        STUBS / name: stub_text((SOLUTIONS / name).read_text(encoding="utf-8"), name, assignment)
        for name in assignment.submission.code
    }


def write_solved(target: Path = SOLVED) -> Path:
    """Write `target/hw4`: the given files with the solutions over them. Returns `target`."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(STUBS, target / "hw4", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "assignment.toml", target)
    for name, content in reference_code().items():
        write_at_once(target / "hw4" / name, content)
    return target
