"""What the gate says when something is not right: where, what, and the command or the recipe that puts it right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FACTS = "assignment.toml"
MAX_SHOWN = 100  # characters of a line


def recipe(title: str, guide: str = "docs/new-term.md") -> str:
    """A recipe of a guide, by its heading."""
    return f"see {title!r} in {guide}"


RENAME = recipe("Rename a function")
ADD_PROBLEM, DROP_PROBLEM = recipe("Add a problem"), recipe("Drop a problem")
ADD_TOPIC, DROP_TOPIC = recipe("Add a topic"), recipe("Drop a topic")
ADD_CURVE, ADD_EFFECT = recipe("Add a learning curve"), recipe("Add an effect")
NOTEBOOK, RECALIBRATE = recipe("Add a written question"), recipe("Recalibrate, and how long it takes")
FILES = recipe("Which files an archive holds")
HIDDEN_TEST = recipe("A hidden test", "CONTRIBUTING.md")


@dataclass(frozen=True)
class Finding:
    """One thing that is not right."""

    file: str  # from the root of the repository; inside an archive "build/student.zip/hw4/mpc.py"
    line: int | None
    says: str
    fix: str  # "run `COMMAND`", or what to do and the recipe

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.says}: {self.fix}"


def first_difference(found: bytes, wanted: bytes) -> tuple[int, str]:
    """The first line in which two contents differ, and both versions of it in words if they are text."""
    ours, theirs = found.split(b"\n"), wanted.split(b"\n")
    same = next((i for i, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), None)
    index = min(len(ours), len(theirs)) if same is None else same
    return index + 1, f"found {_shown(ours, index)}, wanted {_shown(theirs, index)}"


def _shown(lines: list[bytes], index: int) -> str:
    if index >= len(lines):
        return "nothing"
    try:
        text = lines[index].decode()
    except UnicodeDecodeError:
        return "other bytes"
    return repr(text[:MAX_SHOWN])


def places_of(root: Path, files: str, pattern: str) -> Iterator[tuple[str, int, str]]:
    """(file, line, what the pattern's group found) in all files that a glob finds."""
    compiled = re.compile(pattern, re.MULTILINE)
    for path in sorted(root.glob(files)):
        text = path.read_text(encoding="utf-8")
        for match in compiled.finditer(text):
            yield path.relative_to(root).as_posix(), text.count("\n", 0, match.start(1)) + 1, match[1]
