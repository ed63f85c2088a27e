"""python -m publish: write every generated file, or check that none has drifted."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import tyro

from autograder.calibrate import derive_bars, published_curves
from autograder.curves import BARS_FILE, dump_bars
from autograder.solutions import ROOT
from publish.bundle import write_student_bundle
from publish.handout import PDF, build_handout, draw_figures
from publish.notebooks import build_notebooks
from publish.stubs import STUBS, build_stubs, write_solved
from publish.ungraded import published_bands, read_runs


def generated_texts() -> dict[Path, str]:
    """Every generated text file and what it must hold."""
    return {
        **build_stubs(),
        BARS_FILE: dump_bars(derive_bars()),
        STUBS / "reference_curves.csv": published_curves(),
        STUBS / "reference_curves_ungraded.csv": published_bands(read_runs()),
        **build_notebooks(),
    }


def drifted() -> list[Path]:
    """Generated files that are not what their sources give."""
    paths = [path for path, text in generated_texts().items() if not _holds(path, text.encode())]
    with tempfile.TemporaryDirectory() as folder:
        if not _holds(PDF, build_handout(Path(folder) / PDF.name).read_bytes()):
            paths.append(PDF)
    return paths


def write() -> None:
    """Write every generated file, and the student bundle."""
    for path, text in generated_texts().items():
        if not _holds(path, text.encode()):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
            print(f"wrote {path.relative_to(ROOT)}")
    draw_figures()
    build_handout(PDF)
    print(f"wrote {PDF.relative_to(ROOT)}")
    print(f"wrote {write_student_bundle().relative_to(ROOT)}")


def check() -> None:
    """Fail if a generated file is not what its source gives."""
    paths = drifted()
    for path in paths:
        print(f"{path.relative_to(ROOT)} is not what its source gives: run `make publish`")
    sys.exit(1 if paths else 0)


def solved() -> None:
    """Write build/solved/hw4: the given files with the solutions over them."""
    print(f"wrote {write_solved().relative_to(ROOT)}")


def _holds(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() == content


COMMANDS: dict[str, Callable[[], None]] = {"write": write, "check": check, "solved": solved}

if __name__ == "__main__":
    tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="python -m publish", description=__doc__)
