"""Changes each operator and constant of the reference solution, one by one, and grades what comes out.

    python tests/mutations/verify.py

The mutants are made by cosmic-ray in an environment of its own, build/mutations. Whoever survives, that is, keeps full
points, must be in survivors.toml with a reason; whoever is there must survive.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

from autograder.grading.listener import Silent
from autograder.grading.session import Grader
from autograder.solutions import ROOT, reference_code
from autograder.zoo.visit import intake_of
from hw4.handin.strict_toml import read_entries

HERE = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / "build" / "mutations"
TOOL = "cosmic-ray==8.7.0"


@dataclass(frozen=True)
class Survivor:
    """A mutant that keeps full points, and why it may."""

    name: str
    file: str
    old: str  # the line of the solution, or of several that change alike one
    new: tuple[str, ...]  # what it becomes
    why: str


def generated() -> Iterator[dict[str, str | int]]:
    """The mutants that the tool makes."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", TOOL], check=True)
    command = [python, HERE / "generate.py", ROOT / "solutions"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    yield from map(json.loads, done.stdout.splitlines())


def code_with(mutant: dict[str, str | int]) -> dict[str, bytes]:
    code = reference_code()
    name = str(mutant["file"])
    lines = code[name].decode().splitlines()
    lines[int(mutant["line"]) - 1] = str(mutant["indented"])
    return code | {name: "\n".join([*lines, ""]).encode()}


def main() -> int:
    console = Console(width=140)
    known = read_entries(HERE / "survivors.toml", "survivors", Survivor)
    justified = {(one.file, one.old, new) for one in known for new in one.new}
    mutants = list(generated())
    survived = []
    with Grader() as grader:
        for mutant in track(mutants, "grading mutants", console=console):
            only = frozenset({str(mutant["stub"])})
            report = grader.grade(intake_of(code_with(mutant)), Silent(), curves=False, only=only).report
            if all(stub.score == stub.points for stub in report.stubs if stub.id in only):
                survived.append((str(mutant["file"]), str(mutant["old"]), str(mutant["new"])))
    console.print(f"{len(mutants)} mutants, {len(mutants) - len(survived)} lose points, {len(survived)} survive")
    unexplained = [one for one in survived if one not in justified]
    for file, old, new in unexplained:
        console.print(f"survives without a reason: {file}: {old}  ->  {new}", markup=False, style="red")
    stale = sorted(justified - set(survived))
    for file, old, new in stale:
        console.print(f"in survivors.toml, but does not survive: {file}: {old}  ->  {new}", markup=False, style="red")
    return 1 if unexplained or stale else 0


if __name__ == "__main__":
    sys.exit(main())
