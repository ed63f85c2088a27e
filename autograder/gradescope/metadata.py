"""What Gradescope says about a submission. Standard library only.

Format: gradescope-autograders.readthedocs.io, page "Submission Metadata". It may change, and it holds names that
students choose: nothing in it is needed, and what does not look as documented is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

MAX_BYTES = 50_000_000  # results of all previous submissions are inside


@dataclass(frozen=True)
class Metadata:
    submission: str = "unknown"  # Gradescope's number
    created_at: datetime | None = None
    closes_at: datetime | None = None  # the latest due date of the assignment and of these students
    graded_before: tuple[dict[str, Any], ...] = ()  # results of earlier submissions that have a score, oldest first


def read_metadata(path: Path) -> Metadata:
    """Read what can be read; never raises over what the file holds or that it is missing."""
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(MAX_BYTES + 1)[:MAX_BYTES])
    except (OSError, ValueError, RecursionError):
        return Metadata()
    if not isinstance(document, dict):
        return Metadata()
    number = document.get("id")
    return Metadata(
        submission=str(number) if type(number) is int and 0 <= number < 10**15 else "unknown",
        created_at=_time(document.get("created_at")),
        closes_at=max(_due_dates(document), default=None),
        graded_before=tuple(_graded(document.get("previous_submissions"))),
    )


def _graded(previous: Any) -> Iterator[dict[str, Any]]:
    """Results with a score, by the time of submission. A grader's fault has none, so it uses up no submission."""
    entries = [entry for entry in previous if isinstance(entry, dict)] if isinstance(previous, list) else []
    timed = [(time, entry) for entry in entries if (time := _time(entry.get("submission_time"))) is not None]
    for _, entry in sorted(timed, key=lambda pair: pair[0]):
        results = entry.get("results")
        if isinstance(results, dict) and type(results.get("score")) in (int, float):
            yield results


def _due_dates(document: dict[str, Any]) -> Iterator[datetime]:
    """Of the assignment, and of each student, who may have an extension."""
    users = document.get("users")
    for owner in (document, *(users if isinstance(users, list) else ())):
        assignment = owner.get("assignment") if isinstance(owner, dict) else None
        if isinstance(assignment, dict):
            for key in ("due_date", "late_due_date"):
                if (due := _time(assignment.get(key))) is not None:
                    yield due


def _time(value: Any) -> datetime | None:
    """A time with its offset, or None."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        time = datetime.fromisoformat(value)
        return time if time.tzinfo and time.timestamp() else None
    except (ValueError, OverflowError):
        return None
