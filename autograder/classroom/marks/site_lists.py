"""Points filled into the list that a site exported, ready to be uploaded there.

Canvas's gradebook and Moodle's grading worksheet come back as they were, row by row and cell by cell, but for the cells
of one column. What is filled in is what counts: code and written points, as much of the bonus as counts, less the late
penalty. The cell of somebody without a grade stays as it was: nothing was handed in, the grader failed, answers wait
for a person, or a submission is late and nobody knows by how much. A refused submission has 0 points.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autograder.classroom.intake.csv_tables import Table, read_table
from autograder.classroom.intake.csv_tables import written as as_csv
from autograder.classroom.intake.entries import ClassError, safe_text
from autograder.classroom.intake.roster import KNOWN, Index, rows_of
from autograder.classroom.marks.export import counted_points, most_points
from autograder.classroom.marks.gradebook import Written
from autograder.classroom.marks.standing import STATUS_WORDS, Class, Result
from autograder.report.words import points
from hw4.handin.assignment import load_assignment

Site = Literal["canvas", "moodle"]
CANVAS_COLUMN = re.compile(r"(?P<title>.+) \(\d+\)", re.DOTALL)
MOODLE_COLUMNS = ("grade", "bewertung")
MOODLE_LOCK = ("grade can be changed", "bewertung kann ge\u00e4ndert werden")
MOODLE_MOST = ("maximum grade", "bestwertung")
NO = ("no", "nein")


@dataclass(frozen=True)
class Filled:
    """A site's list with points."""

    content: bytes
    column: str
    num_filled: int
    notes: tuple[str, ...]  # what people should know: whose cell stayed as it was, and why


def fill(path: Path, site: Site, found: Class, by_hand: Mapping[str, Written] | None, column: str = "") -> Filled:
    """Fill the points of a class into a site's list.

    Args:
        path: the list as the site exported it.
        site: which site.
        found: the class, one result for each student.
        by_hand: points of the notebooks by student id; None: only the points that a program gave.
        column: which one to fill; if it is empty, the one that is the homework's.

    Raises:
        ClassError: it is not such a list, or nothing says which column is meant.
    """
    table = read_table(path, KNOWN)
    place = _column_of(table, site, column)
    known = Index(rows_of(table))
    lines = dict(table.rows)
    changed: dict[tuple[int, int], str] = {}
    absent, open_, locked = [], [], []
    for result in found.results:
        for person in result.people:
            row = known.of_person(person) or known.named(person.name)
            written = None if by_hand is None else by_hand.get(person.id)
            value = counted_points(result, written, with_written=by_hand is not None, bonus_cap=found.bonus_cap)
            if row is None:
                absent.append(person.id)
            elif value is None:
                open_.append(f"{person.id} ({_why_open(result)})")
            elif _cell(table, lines[row.line], MOODLE_LOCK).casefold() in NO:
                locked.append(person.id)
            else:
                has_comma = "," in _cell(table, lines[row.line], MOODLE_MOST)
                changed[row.line, place] = points(value).replace(".", ",") if has_comma else points(value)
    return Filled(
        as_csv(table, changed),
        table.rows[0][1][place],
        len(changed),
        tuple(_notes(table, place, absent, open_, locked, most_points(found, with_written=by_hand is not None))),
    )


def _column_of(table: Table, site: Site, wanted: str) -> int:
    """The column of the homework. Raises ClassError."""
    heads = [cell.strip() for cell in table.rows[0][1]] if table.rows else []
    if site == "moodle":
        found = [n for n, head in enumerate(heads) if head.casefold() in MOODLE_COLUMNS]
        if not found or wanted not in ("", heads[found[0]]):
            raise ClassError(
                f"{table.name} is not Moodle's grading worksheet: it has no column `Grade`. Download it from the "
                f'assignment, "Download grading worksheet"'
            )
        return found[0]
    titles = {n: match["title"].strip() for n, head in enumerate(heads) if (match := CANVAS_COLUMN.fullmatch(head))}
    if "id" not in table.head or not titles:
        raise ClassError(
            f"{table.name} is not Canvas's gradebook: it has no column `ID`, or none of an assignment, such as "
            f"`Homework 4 (1234)`. Export it from the gradebook"
        )
    ours = wanted or load_assignment().course.title
    meant = [n for n, title in titles.items() if ours.casefold() in (title.casefold(), heads[n].casefold())]
    if len(meant) != 1:
        columns = ", ".join(f"{safe_text(heads[n])!r}" for n in titles)
        raise ClassError(f"{table.name} has no single column {ours!r}. Say which one with --column: {columns}")
    return meant[0]


def _cell(table: Table, cells: tuple[str, ...], names: tuple[str, ...]) -> str:
    return next((cells[n].strip() for n, head in enumerate(table.head) if head in names and n < len(cells)), "")


def _why_open(result: Result) -> str:
    if result.status != "graded":
        return STATUS_WORDS[result.status]
    return "late, but nobody knows by how much" if result.lateness(0.0) is None else "written answers wait for a grade"


def _notes(table: Table, place: int, absent: list[str], open_: list[str], locked: list[str], most: float) -> list[str]:
    notes = []
    possible = {cells[place].strip() for _, cells in table.rows[1:] if cells[0].strip() == "Points Possible"}
    possible |= {cell for _, cells in table.rows[1:] if (cell := _cell(table, cells, MOODLE_MOST))}
    if other := sorted(cell for cell in possible if not _is_number(cell, most)):
        notes.append(f"The site says that {', '.join(other)} points are possible; these are points of {points(most)}.")
    for names, what in (
        (open_, "no grade, so the cell stays as it was"),
        (locked, "the site says that the grade cannot be changed"),
        (absent, f"not in {table.name}"),
    ):
        if names:
            notes.append(f"{what[0].upper()}{what[1:]}: {', '.join(sorted(map(safe_text, names)))}.")
    return notes


def _is_number(cell: str, wanted: float) -> bool:
    try:
        return float(cell.replace(",", ".")) == wanted
    except ValueError:
        return False
