"""A copy of the repository, to change: what is under version control, and nothing that was built."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from autograder.solutions import ROOT

FOLDERS = (
    ".ci",
    ".github",
    "autograder",
    "benchmarks",
    "docs",
    "handout",
    "hw4",
    "notebooks",
    "publish",
    "solutions",
    "tests",
)
LEFT_OUT = ("__pycache__", "submitted", "autograded", "*.db", ".ipynb_checkpoints")


def copy_of_the_tree(target: Path) -> Path:
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for path in ROOT.iterdir():
        if path.is_file() and (not path.name.startswith(".") or path.name in (".gitattributes", ".gitignore")):
            shutil.copy(path, target / path.name)
    return target


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first `old` in a file, which must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {path.name}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def run(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python ...` in the copy."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=tree, capture_output=True, text=True, timeout=3600, check=False
    )
