"""Programs that record runs: one file each, run by `python -m publish.recorders NAME`.

NAME.py runs as a program of its own in the solved tree, with one thread. What it measures for the notebook NAME is in
`hw4/notebooks/NAME_runs.py`, which students have, too. All of them write their tables by `publish/recorded_tables.py`,
so each may be stopped and called again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from autograder.solutions import ROOT
from publish.stubs import write_solved

RECORDERS = Path(__file__).resolve().parent
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def names() -> list[str]:
    """Every recorder."""
    return sorted(path.stem for path in RECORDERS.glob("*.py") if not path.stem.startswith("__"))


def start(name: str, *options: str) -> int:
    """Run a recorder in the solved tree and return its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        solved = write_solved(Path(folder) / "solved")
        environment = {
            **os.environ,
            **dict.fromkeys(THREADS, "1"),
            "PYTHONPATH": os.pathsep.join(map(str, (solved, ROOT))),
            "MPLBACKEND": "Agg",
        }
        command = [sys.executable, "-m", f"publish.recorders.{name}", *options]
        return subprocess.run(command, cwd=solved, env=environment, check=False).returncode
