"""Writes the generated files that have changed, and says which."""

from __future__ import annotations

from pathlib import Path

from autograder.solutions import ROOT
from hw4.handin.at_once import write_at_once


def write_if_changed(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        write_at_once(path, content)
        print(f"wrote {path.relative_to(ROOT)}")
