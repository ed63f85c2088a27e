"""Late days and extensions: pure, from times and `assignment.toml`.

Points that were earned are never changed by a policy. The late penalty is shown next to them, in columns of its own:
`Lateness.columns`. Used by whatever exports grades.

`extensions.csv` is private and optional. It is next to `assignment.toml`, and no bundle contains it:

    student,days,reason        one line per student: days (of 24 hours; 0.5 is allowed) after the due date
"""

from __future__ import annotations

import csv
import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


def read_extensions(path: Path, people: Iterable[Sequence[str]] | None = None) -> dict[str, float]:
    """student -> days. Empty if there is no file.

    Args:
        path: the file.
        people: as for `why_nobody`; None: not known.

    Raises:
        PolicyError: another head, no student or one who is not in the class, a student twice, or days that are not a
            number above 0.
    """
    found: dict[str, float] = {}
    people = None if people is None else list(people)
    for where, row in _rows(path, ("student", "days"), ("reason",)):
        try:
            days = float(row["days"])
        except ValueError:
            days = math.nan
        if not 0 < days < math.inf:
            raise PolicyError(f"{where}: days must be a number above 0, got {row['days']!r}")
        if row["student"] in found:
            raise PolicyError(f"{where}: {row['student']} appears twice")
        if people is not None and (why := why_nobody(row["student"], people)):
            raise PolicyError(f"{where}: {why}")
        found[row["student"]] = days
    return found


def why_nobody(name: str, people: Iterable[Sequence[str]]) -> str:
    """Why a name is nobody's, with those that are nearest; empty if it is somebody's.

    Args:
        name: an id or an e-mail address; the case does not matter.
        people: of everybody, the id, the e-mail address and the name; what is not known is empty.
    """
    shown: dict[str, str] = {}
    for id_, email, called in people:
        if name.casefold() in (id_.casefold(), email.casefold()):
            return ""
        known = ", ".join(word for word in (email, called) if word)
        shown |= {word.casefold(): f"{id_} ({known})" if known else id_ for word in (id_, email, called) if word}
    alike = difflib.get_close_matches(name.casefold(), shown, n=10, cutoff=0.5)
    nearest = list(dict.fromkeys(shown[word] for word in alike))[:3]
    hint = f". Nearest: {'; '.join(nearest)}" if nearest else ""
    return f"nobody in this class has the id or e-mail address {name!r}{hint}"


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
