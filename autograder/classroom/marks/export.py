"""The list of marks for a spreadsheet; `site_lists.py` fills the lists of sites.

Points stay what was earned. What lateness costs is in columns of its own (`policies.py`). A bonus has a column, too,
and one more if people grade a part of it; as much of both together as counts is in the total, so the total may be more
than the points possible. Without a grade the cell of the points is empty; a refused submission has 0 points.

A text that a spreadsheet would take for a formula is guarded by an apostrophe (`spreadsheet.guarded`); `read_list`
gives the texts back as they were.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from autograder.classroom.intake.entries import ClassError
from autograder.classroom.marks.gradebook import Written
from autograder.classroom.marks.policies import COLUMNS as LATE_COLUMNS
from autograder.classroom.marks.spreadsheet import guarded, unguarded, write_csv
from autograder.classroom.marks.standing import STATUS_WORDS, Class, Result
from autograder.report.words import points
from hw4.handin.assignment import load_assignment

TEXTS = {"id", "name", "email", "status", "group", "changed by staff"}


def export(found: Class, written: Mapping[str, Written] | None = None) -> bytes:
    """One row per person.

    Args:
        found: the class, one result for each student.
        written: points of the notebooks by student id; then totals hold both parts, and are there when both are.

    Raises:
        ClassError: the class has no grades, because only its functions were checked.
    """
    refuse_without_grades(found)
    has_written_bonus = written is not None and load_assignment().written_bonus_points > 0
    rows: list[list[str]] = []
    for result in found.results:
        for person in result.people:
            by_hand = written.get(person.id) if written is not None else None
            total = result.total if written is None else _total(result, by_hand, found.bonus_cap)
            bonus = [] if not found.has_bonus else ["" if result.bonus is None else points(result.bonus)]
            bonus += [] if not has_written_bonus else ["" if by_hand is None else points(by_hand.bonus)]
            score = "" if total is None else points(total)
            code = "" if result.score is None else points(result.score)
            hand = "" if by_hand is None else points(by_hand.points)
            late = "late" if result.is_late else ""
            staff = "; ".join(str(applied) for applied in result.applied)
            row = [person.id, person.name, person.email, result.group, STATUS_WORDS[result.status], late]
            rows.append([*row, code, *bonus, hand, score, *result.late_cells(total), staff])
    rows.sort()
    bonus_columns = (["bonus"] if found.has_bonus else []) + (["written bonus"] if has_written_bonus else [])
    head = ["id", "name", "email", "group", "status", "late", "code", *bonus_columns, "written", "total"]
    head += [*LATE_COLUMNS, "changed by staff"]
    safe = [[guarded(cell) if name in TEXTS else cell for name, cell in zip(head, row, strict=True)] for row in rows]
    return write_csv([head, *safe])


def refuse_without_grades(found: Class) -> None:
    """Raises ClassError if the class was only looked at."""
    if not found.is_graded:
        raise ClassError(
            "this class was only checked in part or without learning curves: there are no grades to export"
        )


def most_points(found: Class, *, with_written: bool) -> float:
    """The points possible, without a bonus."""
    return found.code_points + (load_assignment().written_points if with_written else 0)


def counted_points(result: Result, written: Written | None, *, with_written: bool, bonus_cap: float) -> float | None:
    """What counts in the course, late penalty included; None without a grade, or where nobody knows the penalty.

    Args:
        result: of one submission.
        written: what people gave for the student's notebooks; None: nothing was filed.
        with_written: whether these points count.
        bonus_cap: of the class.
    """
    total = _total(result, written, bonus_cap) if with_written else result.total
    late = None if total is None else result.lateness(total)
    return None if late is None else late.final_points


def _total(result: Result, written: Written | None, bonus_cap: float) -> float | None:
    """What counts of the program's part and of the written part, once both are there.

    Where nothing was handed in, or it was refused, no notebook is filed: the points are the same with and without the
    written part.
    """
    if written is None and result.status in ("refused", "missing"):
        return result.total
    if result.score is None or result.bonus is None or written is None or not written.is_final:
        return None
    bonus = min(result.bonus + written.bonus, bonus_cap)
    return max(0.0, round(result.score + bonus + written.points + result.adjustment, 2))


def read_list(content: bytes) -> list[dict[str, str]]:
    """Rows of an exported list, with every text as it was."""
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    return [{name: unguarded(cell) if name in TEXTS else cell for name, cell in row.items()} for row in rows]
