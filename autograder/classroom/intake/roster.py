"""Who is in the class: a CSV file of your own, or what Canvas, Gradescope and Moodle export.

A roster of your own has a column `id` and, optionally, `name`, `email`, `group` and `submitted_at`. Of the exports,
Canvas's gradebook, Gradescope's roster and grades, and Moodle's participants, grades and grading worksheet are read as
they are: `COLUMNS` says which of their columns mean what. Students of one group share the submission of any of them.

An id is matched with that of the export, with an e-mail address whatever its case, or with the name of the file; if
only leading zeros differ, which spreadsheets remove, it is the same id as long as that is clear.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from autograder.classroom.intake.entries import ClassError, Entry, Person, folder_name, safe_text, time_of
from hw4.handin.assignment import load_assignment

DELIMITERS = (",", ";", "\t")
COLUMNS = {  # what a column may be called, in lower case; the first that is there, and not empty, counts
    "id": ("id", "identifier", "sid", "student id", "id number", "sis user id", "email", "email address"),
    "name": ("name", "full name", "student"),
    "first": ("first name", "first"),
    "last": ("last name", "surname", "last"),
    "email": ("email", "email address", "e-mail", "sis login id"),
    "group": ("group",),
    "submitted_at": ("submitted_at",),
    "role": ("role",),
}
OTHER_IDS = ("id number", "student id", "sid", "sis user id", "sis login id", "username", "email", "email address")
MOODLES_ID = "participant "  # precedes the number that is in the names of its folders


@dataclass(frozen=True)
class Row:
    """One student of a roster."""

    id: str
    name: str = ""
    email: str = ""
    group: str = ""
    submitted_at: str = ""
    other_ids: tuple[str, ...] = field(default=())

    @property
    def person(self) -> Person:
        return Person(self.id, safe_text(self.name), safe_text(self.email))

    @property
    def team(self) -> str:
        """Names the group, or a student without one."""
        return self.group or f"\0{self.id}"


def read_roster(path: Path) -> list[Row]:
    """Rows of a roster. Raises ClassError, with the line of what is wrong."""
    try:
        text = _text(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise ClassError(f"the roster cannot be read: {error}. Save it as CSV in UTF-8") from None
    lines = io.StringIO(text, newline="")
    delimiter = _delimiter(text)
    if text.lower().startswith("sep="):
        lines.readline()
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    skipped = 1 if text.lower().startswith("sep=") else 0
    try:
        table = [(reader.line_num + skipped, row) for row in reader]
    except csv.Error as error:
        line = reader.line_num + skipped
        raise ClassError(f"{path.name}:{line}: a quote is not closed, or is inside a cell: {error}") from None
    head = [cell.strip().casefold() for cell in table[0][1]] if table else []
    if not set(head) & set(COLUMNS["id"]):
        found = ", ".join(filter(None, map(safe_text, head))) or "none"
        raise ClassError(
            f"{path.name} needs a column `id`; `name`, `email`, `group` and `submitted_at` are optional. Exports of "
            f"Canvas, Gradescope and Moodle are read too. Its columns are: {found}"
        )
    rows = list(_rows(path.name, head, table[1:]))
    if not rows:
        raise ClassError(f"{path.name} needs a column `id`, and below it a line for each student")
    _check(path.name, rows)
    return rows


def _text(content: bytes) -> str:
    """UTF-8, or what Excel calls Unicode text, with or without a byte-order mark."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")


def _delimiter(text: str) -> str:
    """What separates cells: as a first line `sep=;` says, or what gives the head the most columns that are known."""
    first = text.splitlines()[0] if text else ""
    if first.lower().startswith("sep=") and len(first) > len("sep="):
        return first[len("sep=")]
    known = {name for names in COLUMNS.values() for name in names} | {*OTHER_IDS}

    def num_columns(delimiter: str) -> tuple[int, int]:
        head = next(csv.reader([first], delimiter=delimiter), [])
        return len({cell.strip().casefold() for cell in head} & known), len(head)

    return max(DELIMITERS, key=num_columns)


QUOTE_IT = 'If a cell has the separator in it, put quotes around the cell: "Love, Ada"'


def _rows(file: str, head: list[str], table: list[tuple[int, list[str]]]) -> Iterator[Row]:
    for line, raw_cells in table:
        cells = [cell.strip() for cell in raw_cells]
        if not any(cells):
            continue
        if any(cells[len(head) :]):
            raise ClassError(f"{file}:{line}: {len(cells)} cells, but the head has {len(head)} columns. {QUOTE_IT}")
        found: dict[str, str] = {}
        for column, cell in zip(head, cells, strict=False):
            found.setdefault(column, cell)
        columns = {**COLUMNS, "id": ("id",)} if "id" in head else COLUMNS
        row = {key: next((found[name] for name in names if found.get(name)), "") for key, names in columns.items()}
        other_ids = tuple(found[name] for name in OTHER_IDS if found.get(name))
        is_of_canvas = "student" in head and not row["id"] and not other_ids  # the points possible, in any language
        if is_of_canvas or (row["role"] and row["role"].casefold() != "student"):
            continue
        email = row["email"]
        if email and "@" not in email and email != found.get("sis login id"):
            raise ClassError(f"{file}:{line}: {safe_text(email)!r} is not an e-mail address. {QUOTE_IT}")
        blanks = {cell.startswith(" ") for cell in raw_cells[1:] if cell.strip()}
        if len(blanks) > 1 and "@" not in email:
            raise ClassError(f"{file}:{line}: some cells begin with a blank and others do not. {QUOTE_IT}")
        number = row["id"][len(MOODLES_ID) :] if row["id"].casefold().startswith(MOODLES_ID) else row["id"]
        if not number:
            raise ClassError(f"{file}:{line}: an id is empty or appears twice: ''")
        name = row["name"] or f"{row['first']} {row['last']}".strip()
        yield Row(number, name, email if "@" in email else "", row["group"], row["submitted_at"], other_ids)


def _check(file: str, rows: list[Row]) -> None:
    """Raises ClassError for an id that appears twice, a group that is too large, or a time without its offset."""
    counts = Counter(row.id for row in rows)
    if bad := sorted(row_id for row_id, count in counts.items() if count > 1):
        raise ClassError(f"{file}: an id is empty or appears twice: {', '.join(map(repr, bad))}")
    largest = load_assignment().policies.max_group_size
    sizes = Counter(row.group for row in rows if row.group)
    if too_large := [f"{safe_text(group)} ({size})" for group, size in sizes.items() if size > largest]:
        raise ClassError(
            f"{file}: assignment.toml allows groups of max_group_size = {largest}; these are larger: "
            f"{', '.join(too_large)}"
        )
    for row in rows:
        if row.submitted_at and time_of(row.submitted_at) is None:
            raise ClassError(
                f"{file}: submitted_at of {safe_text(row.id)} must be a time with its UTC offset, not "
                f"{safe_text(row.submitted_at)!r}"
            )


class _Index:
    """Finds the row of a name: exactly, as an e-mail address of any case, or but for leading zeros."""

    def __init__(self, rows: list[Row]) -> None:
        self._exact: dict[str, Row] = {}
        self._folded: dict[str, list[Row]] = {}
        for row in rows:
            for name in (row.email, *row.other_ids, row.id):
                self._exact[name] = row
                for key in _keys(name):
                    if row not in self._folded.setdefault(key, []):
                        self._folded[key].append(row)
        self._exact |= {row.id: row for row in rows}  # an id outranks another student's other number

    def row(self, name: str) -> Row | None:
        if not name:
            return None
        alike = [self._folded[key] for key in _keys(name) if key in self._folded]
        return self._exact.get(name) or next((rows[0] for rows in alike if len(rows) == 1), None)


def _keys(name: str) -> Iterator[str]:
    if "@" in name:
        yield name.casefold()
    elif name.isdecimal() and name.lstrip("0"):
        yield name.lstrip("0")


def with_roster(entries: list[Entry], rows: list[Row]) -> list[Entry]:
    """Entries with the roster's names and groups; students who handed in nothing get an entry without a path.

    Several entries may be of the same student or group: `find_submissions` marks them.
    """
    known = _Index(rows)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.team, []).append(row)
    found: list[Entry] = []
    seen: set[str] = set()
    for entry in entries:
        names = [name for person in entry.people for name in (person.id, person.email)] + [entry.student]
        own = [one for name in names if (one := known.row(name)) is not None] or groups.get(entry.student, [])
        members = {row.id: row for one in own for row in groups[one.team]}
        seen |= members.keys()
        times = [time for row in members.values() if (time := time_of(row.submitted_at)) is not None]
        submitted = max(times, default=entry.submitted)
        if members:
            people = tuple(row.person for row in members.values())
            found.append(replace(entry, people=people, group=own[0].group, submitted=submitted))
        else:
            found.append(replace(entry, on_roster=False))
    found += [Entry(folder_name(row.id), (row.person,), None, row.group) for row in rows if row.id not in seen]
    return found
