"""python -m publish: write every generated file, look for drift, or check all that must hold before publishing."""

from __future__ import annotations

import sys
from collections.abc import Callable

import tyro

from autograder.isolation.fork_server import GraderFault
from autograder.solutions import ROOT
from hw4.handin.strict_toml import TomlError
from publish import drift, gate, places
from publish.handout import HandoutError
from publish.line_ends import LineEndError
from publish.notebooks import MasterError
from publish.stubs import MarkerError, write_solved

BROKEN_SOURCE = (TomlError, GraderFault, HandoutError, LineEndError, MarkerError, MasterError)


def write() -> int:
    """Write every generated file: stubs, bars, bands, notebooks, figures, handout, staff edition and archives."""
    misnamed = [finding for finding in places.misnamed() if finding.fix != drift.WRITE]
    for finding in misnamed:
        print(finding, file=sys.stderr)
    if misnamed:
        print("Nothing was written: fix these first.", file=sys.stderr)
        return 1
    drift.write(drift.in_the_tree())
    drift.write(drift.bundles())
    return 0


def check() -> int:
    """The gate before publishing: names, drift, stale runs, archives, leaks, hidden tests, a student's first hour."""
    found = gate.run(gate.WHOLE)
    print("Ready to publish." if found == 0 else f"Not ready: {found} to fix.")
    return 1 if found else 0


def drifted() -> int:
    """The quick part of the gate: names, generated files and recorded runs."""
    return 1 if gate.run(gate.QUICK) else 0


def solved() -> int:
    """Write build/solved/hw4: the given files with the solutions over them."""
    print(f"wrote {write_solved().relative_to(ROOT)}")
    return 0


COMMANDS: dict[str, Callable[[], int]] = {"write": write, "check": check, "drift": drifted, "solved": solved}


def main() -> int:
    try:
        return tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="python -m publish", description=__doc__)
    except BROKEN_SOURCE as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
