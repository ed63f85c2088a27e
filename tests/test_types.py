"""Every annotation holds, by mypy's strict rules."""

from __future__ import annotations

import subprocess
import sys

from autograder.solutions import ROOT


def test_mypy_finds_nothing() -> None:
    run = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
