"""python -m publish: write every generated file, or check that none has drifted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import tyro

from publish.stubs import ROOT, build_stubs, write_solved


def generated_files() -> dict[Path, str]:
    """Every generated text file and what it must hold."""
    return {**build_stubs()}


def write() -> None:
    """Write every generated file."""
    for path, text in generated_files().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


def check() -> None:
    """Fail if a generated file differs from what its source gives."""
    drifted = [
        path
        for path, text in generated_files().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in drifted:
        print(f"{path.relative_to(ROOT)} is not what its source gives: run `make publish`")
    sys.exit(1 if drifted else 0)


def solved() -> None:
    """Write build/solved/hw4: the given files with the solutions over them."""
    print(f"wrote {write_solved().relative_to(ROOT)}")


COMMANDS: dict[str, Callable[[], None]] = {"write": write, "check": check, "solved": solved}

if __name__ == "__main__":
    tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="python -m publish")
