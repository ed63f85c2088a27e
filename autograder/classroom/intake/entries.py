"""Who handed in what: the words in which a class is described."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

MAX_FOLDER_NAME = 80  # characters
MAX_TEXT = 200  # characters of a name
MAX_PLACE = 1_000  # characters of paths


class ClassError(ValueError):
    """What was given is not a class that can be graded. Says what to fix."""


class OwnerUnclear(Exception):
    """Several submissions are said to be of one student. None of them is graded before staff know whose they are."""


@dataclass(frozen=True)
class Person:
    """One student, as lists of marks need them."""

    id: str
    name: str = ""
    email: str = ""


@dataclass(frozen=True)
class Entry:
    """One submission, or one group of the roster that handed in nothing."""

    student: str  # unique in the class; names the folder of the results
    people: tuple[Person, ...]
    path: Path | None  # None: nothing was handed in
    group: str = ""
    late: bool = False  # as the site says
    problem: str = ""  # why this cannot be graded, for staff
    on_roster: bool = True
    submitted: datetime | None = None  # with its UTC offset; None: unknown
    files: tuple[tuple[str, Path], ...] = ()  # (name, where) of files handed in one by one; `path` is the first of them
    disputed: str = ""  # which other submissions are said to be of the same student, for staff
    named_in_problem: tuple[Path, ...] = ()  # where `problem` is about several files
    attempt_of: str = ""  # the student's last attempt, if each attempt is graded and the best one counts
    commit: str = ""  # of the git repository at `path`: what is handed in

    @property
    def place(self) -> str:
        """Where people find what was handed in, safe to print."""
        names = ", ".join(path.name for _, path in self.files)
        return safe_text(f"{self.path.parent} ({names})" if self.path and self.files else self.path or "", MAX_PLACE)


@dataclass(frozen=True)
class LeftOver:
    """Something in a class's folder that is nobody's submission."""

    name: str  # as it is in the folder, safe to print
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def folder_name(text: str) -> str:
    """A name for a folder that is safe everywhere; what cannot stay makes room for a hash, so names stay different."""
    safe = re.sub(r"[^A-Za-z0-9._@-]+", "_", text).strip("._") or "student"
    if safe == text and len(safe) <= MAX_FOLDER_NAME:
        return safe
    return f"{safe[:MAX_FOLDER_NAME]}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def safe_text(value: Any, max_length: int = MAX_TEXT) -> str:
    """A text that is safe to print, bounded."""
    text = "" if value is None else str(value)[:max_length]
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text).strip()


def time_of(value: Any) -> datetime | None:
    """A time as ISO 8601 and Ruby write it; None unless it has a UTC offset."""
    text = re.sub(r"\s+(?=(Z|[+-]\d\d:?\d\d)$)", "", re.sub("UTC$", "Z", str(value).strip()))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
