"""Late days and extensions: pure, from times and `assignment.toml`.

Points that were earned are never changed by a policy. The late penalty is shown next to them, in columns of its own:
`Lateness.columns`. Used by whatever exports grades.

`extensions.csv` is private and optional. It is next to `assignment.toml`, and no bundle contains it:

    student,days,reason        one line per student: days (of 24 hours; 0.5 is allowed) after the due date
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from hw4.handin.assignment import LatePolicy

DAY = timedelta(days=1)
COLUMNS = ("extension_days", "days_late", "late_penalty", "final_points")


class PolicyError(ValueError):
    """A line of extensions.csv that means nothing: `file:line: what is wrong`."""


@dataclass(frozen=True)
class Lateness:
    """What the time of a submission does to its points."""

    points: float  # as earned
    extension_days: float
    days_late: int  # begun days after the due date of this student, less the grace; 0: on time
    penalty: float  # points, 0 or more
    final_points: float  # points - penalty

    @property
    def columns(self) -> dict[str, float]:
        """What an export shows next to the points."""
        return dict(zip(COLUMNS, (self.extension_days, self.days_late, self.penalty, self.final_points), strict=True))


def lateness(
    submitted: datetime, points: float, *, due: datetime, policy: LatePolicy, extension_days: float = 0.0
) -> Lateness:
    """Days late, penalty and final points of one submission.

    days_late = max(0, ceil((submitted - due - extension - grace) / 24 hours)); each costs `percent_per_day` of the
    points, at most all of them; more than `max_days` costs all.

    Args:
        submitted: when it was handed in, with its UTC offset.
        points: what was earned, 0 or more.
        due: the due date of the assignment, with its UTC offset.
        policy: `load_assignment().policies.late`.
        extension_days: of this student, or of the group (`extension_of`); 0 or more.

    Raises:
        ValueError: a time without its UTC offset, negative points or a negative extension.
    """
    if submitted.tzinfo is None or due.tzinfo is None:
        raise ValueError("submitted and due must have a UTC offset")
    if not points >= 0 or not extension_days >= 0:
        raise ValueError(f"points and extension_days must be 0 or more, got {points} and {extension_days}")
    over = submitted - due - extension_days * DAY - timedelta(minutes=policy.grace_minutes)
    days_late = max(0, math.ceil(over / DAY))
    share = 1.0 if days_late > policy.max_days else min(1.0, days_late * policy.percent_per_day / 100)
    penalty = round(points * share, 2)
    return Lateness(points, extension_days, days_late, penalty, round(points - penalty, 2))


def extension_of(members: Sequence[str], extensions: Mapping[str, float]) -> float:
    """Extension of a student or of a group: the longest that any member has. E-mail addresses may differ in case."""
    known = {name.casefold(): days for name, days in extensions.items()}
    return max((known.get(member.casefold(), 0.0) for member in members), default=0.0)


def read_extensions(path: Path) -> dict[str, float]:
    """student -> days. Empty if there is no file.

    Raises:
        PolicyError: another head, no student, a student twice, or days that are not a number above 0.
    """
    found: dict[str, float] = {}
    for where, row in _rows(path, ("student", "days"), ("reason",)):
        try:
            days = float(row["days"])
        except ValueError:
            days = math.nan
        if not 0 < days < math.inf:
            raise PolicyError(f"{where}: days must be a number above 0, got {row['days']!r}")
        if row["student"] in found:
            raise PolicyError(f"{where}: {row['student']} appears twice")
        found[row["student"]] = days
    return found


def _rows(path: Path, wanted: tuple[str, ...], optional: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """(file:line, row) of each line; no wanted cell is empty."""
    if not path.exists():
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        head = tuple(reader.fieldnames or ())
        if not set(wanted) <= set(head) <= {*wanted, *optional}:
            raise PolicyError(f"{path.name}:1: the head must be {','.join((*wanted, *optional))}, got {','.join(head)}")
        for row in reader:
            where = f"{path.name}:{reader.line_num}"
            cells = {key: (row[key] or "").strip() for key in wanted}
            if None in row or not all(cells.values()):
                raise PolicyError(
                    f"{where}: {len(head)} cells are needed, and {' and '.join(wanted)} must not be empty"
                )
            yield where, cells
