"""A copy of assignment.toml in which one text is another."""

from __future__ import annotations

from pathlib import Path

from hw4.handin.assignment import ASSIGNMENT_FILE


def changed_assignment(folder: Path, old: str, new: str) -> Path:
    """Write the copy, with the first `old` replaced, into a folder; the file."""
    text = ASSIGNMENT_FILE.read_text(encoding="utf-8")
    assert old in text
    path = folder / "assignment.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path
