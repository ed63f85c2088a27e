"""A tree that holds the students' package: running Python in it as a student does, and editing its files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_python(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the tree, with output so wide that hardly a message is broken."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", "PYTHONUTF8": "1"}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def line_of(path: Path, text: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    (number,) = (number for number, line in enumerate(lines, start=1) if text in line)
    return number


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")
