"""What the gate says when something is not right: where, what, and the command or the place that mends it."""

from __future__ import annotations

from dataclasses import dataclass

MAX_SHOWN = 100  # characters of a line


@dataclass(frozen=True)
class Finding:
    """One thing that is not right."""

    file: str  # from the root of the repository; inside an archive "build/student.zip/hw4/mpc.py"
    line: int | None
    says: str
    mend: str  # a command in backticks, or what to do

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.says}: {self.mend}"


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
