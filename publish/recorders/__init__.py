"""Programs that record runs: one file each, run by `python -m publish.recorders NAME`.

NAME.py runs as a program of its own in the solved tree, with one thread. If there is a notebook NAME, its cells that
are tagged "recorder" are the module `notebook_cells`: what is recorded is what the notebook shows. All of them write
their tables by `publish/recorded_tables.py`, so each may be stopped and called again.
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
MASTERS = ROOT / "notebooks" / "masters"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def names() -> list[str]:
    """Every recorder."""
    return sorted(path.stem for path in RECORDERS.glob("*.py") if not path.stem.startswith("__"))


def start(name: str, *options: str) -> int:
    """Run a recorder in the solved tree and return its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        solved = write_solved(Path(folder) / "solved")
        if (MASTERS / f"{name}.py").exists():
            from publish.notebooks import cells_tagged  # not where soft actor-critic is installed alone

            (Path(folder) / "notebook_cells.py").write_text(cells_tagged(name, "recorder"), encoding="utf-8")
        environment = {
            **os.environ,
            **dict.fromkeys(THREADS, "1"),
            "PYTHONPATH": os.pathsep.join(map(str, (folder, solved, ROOT))),
            "MPLBACKEND": "Agg",
        }
        command = [sys.executable, "-m", f"publish.recorders.{name}", *options]
        return subprocess.run(command, cwd=solved, env=environment, check=False).returncode
