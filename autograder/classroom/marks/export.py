"""Lists of marks as Canvas, Gradescope and spreadsheets read them.

Points stay what was earned. What lateness costs is in columns of its own (`policies.py`), and in the lists for Canvas
and Gradescope only if it is known when anybody handed in. A bonus has a column, too, and one more if people grade a
part of it; as much of both together as counts is in the total, so the total may be more than the points possible.

A text that a spreadsheet would take for a formula is guarded by an apostrophe (`spreadsheet.guarded`). These sites
match by id and so never see it; `read_list` gives the texts back as they were.
"""

from __future__ import annotations

import csv
import io
from typing import Literal

from autograder.classroom.intake.entries import ClassError
from autograder.classroom.marks.gradebook import Written, split_name
from autograder.classroom.marks.policies import COLUMNS as LATE_COLUMNS
from autograder.classroom.marks.spreadsheet import guarded, unguarded, write_csv
from autograder.classroom.marks.standing import STATUS_WORDS, Class, Result
from autograder.report.words import points
from hw4.handin.assignment import load_assignment

Format = Literal["csv", "canvas", "gradescope"]
TEXTS = {"id", "name", "email", "Student", "ID", "SIS User ID", "SIS Login ID", "Section", "First Name", "Last Name"}
TEXTS |= {"SID", "Email", "Status", "status", "group", "changed by staff"}


def export(found: Class, form: Format, written: dict[str, Written] | None = None) -> bytes:
    """One row per person. Without a grade the cell of the points is empty, which these sites read as "leave it".

    Args:
        found: the class.
        form: who reads the list.
        written: points of the notebooks by student id; then totals hold both parts, and are there when both are.

    Raises:
        ClassError: the class has no grades, because only its functions were checked.
    """
    if not found.is_graded:
        raise ClassError(
            "this class was only checked in part or without learning curves: there are no grades to export"
        )
    assignment = load_assignment()
    most = found.code_points
    if written is not None:
        most += assignment.written_points
    has_written_bonus = written is not None and assignment.written_bonus_points > 0
    title = assignment.course.title
    rows: list[list[str]] = []
    for result in found.results:
        for person in result.people:
            by_hand = written.get(person.id) if written is not None else None
            total = result.total if written is None else _total(result, by_hand, found.bonus_cap)
            bonus = [] if not found.has_bonus else ["" if result.bonus is None else points(result.bonus)]
            bonus += [] if not has_written_bonus else ["" if by_hand is None else points(by_hand.bonus)]
            first, last = split_name(person.name)
            score = "" if total is None else points(total)
            lateness = result.late_cells(total) if found.knows_times else []
            if form == "canvas":
                row = [person.name, person.id, "", person.email, "", score, *bonus, *lateness]
            elif form == "gradescope":
                status = STATUS_WORDS[result.status]
                row = [first, last, person.id, person.email, score, points(most), status, *bonus, *lateness]
            else:
                code = "" if result.score is None else points(result.score)
                hand = "" if by_hand is None else points(by_hand.points)
                late = "late" if result.is_late else ""
                staff = "; ".join(str(applied) for applied in result.applied)
                row = [person.id, person.name, person.email, result.group, STATUS_WORDS[result.status], late]
                row += [code, *bonus, hand, score, *result.late_cells(total), staff]
            rows.append(row)
    rows.sort()
    bonus_columns = (["bonus"] if found.has_bonus else []) + (["written bonus"] if has_written_bonus else [])
    more = [*bonus_columns, *(LATE_COLUMNS if found.knows_times else ())]
    if form == "canvas":
        head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", title, *more]
        rows.insert(0, ["    Points Possible", "", "", "", "", points(most), *("" for _ in more)])
    elif form == "gradescope":
        head = ["First Name", "Last Name", "SID", "Email", "Total Score", "Max Points", "Status", *more]
    else:
        head = ["id", "name", "email", "group", "status", "late", "code", *bonus_columns, "written", "total"]
        head += [*LATE_COLUMNS, "changed by staff"]
    safe = [[guarded(cell) if name in TEXTS else cell for name, cell in zip(head, row, strict=True)] for row in rows]
    return write_csv([head, *safe])


def _total(result: Result, written: Written | None, bonus_cap: float) -> float | None:
    """What counts of the program's part and of the written part, once both are there."""
    if result.score is None or result.bonus is None or written is None or not written.is_final:
        return None
    bonus = min(result.bonus + written.bonus, bonus_cap)
    return max(0.0, round(result.score + bonus + written.points + result.adjustment, 2))


def read_list(content: bytes) -> list[dict[str, str]]:
    """Rows of an exported list, with every text as it was."""
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    return [{name: unguarded(cell) if name in TEXTS else cell for name, cell in row.items()} for row in rows]
