"""The student's side on other Python versions: the bundle installed from the package index, and its tests run.

    python -m publish.pythons                  # every version that students may have: `pythons` in assignment.toml
    python -m publish.pythons python3.13       # this interpreter alone

Each interpreter gets an environment of its own in build/pythons. The requirements are resolved there as on a student's
machine, so on Linux some gigabytes of torch are downloaded, once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import tyro
from rich.console import Console
from tyro.conf import Positional

from autograder.solutions import ROOT, reference_code
from hw4.handin.assignment import load_assignment
from hw4.handin.at_once import write_at_once
from hw4.handin.update import BUNDLE_FOLDER
from publish.student_bundle import student_bundle

ENVIRONMENTS = ROOT / "build" / "pythons"
SHOWN_LINES = 15  # of what a failing command printed


def main(interpreters: Positional[tuple[str, ...]] = ()) -> None:
    """Install the student bundle under each interpreter and run every public test on the reference solution."""
    console, failed = Console(), []
    for interpreter in interpreters or [f"python{version}" for version in load_assignment().submission.pythons]:
        folder = ENVIRONMENTS / Path(interpreter).name
        home = folder / BUNDLE_FOLDER
        shutil.rmtree(home, ignore_errors=True)
        with zipfile.ZipFile(BytesIO(student_bundle())) as archive:
            archive.extractall(folder)
        for name, content in reference_code().items():
            write_at_once(home / "hw4" / name, content)
        python = str(folder / "venv" / "bin" / "python")
        commands = (
            [interpreter, "-m", "venv", str(folder / "venv")],
            [python, "-m", "pip", "install", "--quiet", "--no-cache-dir", "-e", "."],
            [python, "-m", "pip", "check"],
            [
                python,
                "-c",
                "import sys, torch, numpy; print(sys.version.split()[0], torch.__version__, numpy.__version__)",
            ],
            [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
            [python, "-m", "hw4", "check"],
        )
        for command in commands:
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            environment.pop("PYTHONPATH", None)
            run = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
            lines = (run.stdout + run.stderr).strip().splitlines()
            console.print(f"[bold]{interpreter}[/] {' '.join(command[1:5])} ...", lines[-1] if lines else "done")
            if run.returncode:
                console.print("\n".join(lines[-SHOWN_LINES:]), markup=False)
                failed.append(interpreter)
                break
    if failed:
        sys.exit(f"The student's side does not work under {', '.join(failed)}: see above.")


if __name__ == "__main__":
    tyro.cli(main)
