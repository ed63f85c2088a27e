"""Who is in the class: a CSV file of your own, or what a site exports.

A roster of your own has a column `id` and, optionally, `name`, `email`, `group` and `submitted_at`. Of the exports,
Canvas's gradebook, Gradescope's roster and grades, Moodle's participants, grades and grading worksheet, Brightspace's
and Blackboard's grades and ILIAS's list of members are read as they are: `COLUMNS` says which of their columns mean
what. Students of one group share the submission of any of them.

An id is matched with that of the export, with an e-mail address or with the name of the file, whatever its case; if
only leading zeros differ, which spreadsheets remove, it is the same id as long as that is clear. Some downloads name no
id that is on any roster: then a name that one student alone has says whose a submission is.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from autograder.classroom.intake.csv_tables import Table, read_table
from autograder.classroom.intake.entries import ClassError, Entry, Person, folder_name, safe_text, time_of
from autograder.classroom.intake.site_names import local_time
from hw4.handin.assignment import load_assignment

COLUMNS = {  # what a column may be called, in lower case; the first that is there, and not empty, counts
    "id": (
        *("id", "identifier", "sid", "student id", "id number", "sis user id", "orgdefinedid", "matriculation number"),
        *("matrikelnummer", "username", "login", "anmeldename", "benutzername"),
        *("email", "email address", "e-mail", "e-mail-adresse"),
    ),
    "name": ("name", "full name", "vollst\u00e4ndiger name", "student"),
    "first": ("first name", "vorname", "first"),
    "last": ("last name", "surname", "nachname", "last"),
    "email": ("email", "email address", "e-mail", "e-mail-adresse", "sis login id"),
    "group": ("group", "gruppe"),
    "submitted_at": ("submitted_at", "last modified (submission)"),
    "role": ("role",),
}
OTHER_IDS = tuple(name for name in (*COLUMNS["id"], "sis login id") if name not in ("id", "identifier"))
KNOWN = {name for names in COLUMNS.values() for name in names} | {*OTHER_IDS}
# Moodle's "Participant 1234567": the number is in the names of its downloads.
MOODLES_ID = re.compile(r"(?:participant|teilnehmer(?:/in)?) ?(\d+)", re.IGNORECASE)
MOODLES_TIMES = ("%A, %d %B %Y, %I:%M %p", "%A, %d %B %Y, %H:%M", "%A, %B %d, %Y, %I:%M %p")


@dataclass(frozen=True)
class Row:
    """One student of a roster."""

    id: str
    name: str = ""
    email: str = ""
    group: str = ""
    submitted_at: str = ""
    other_ids: tuple[str, ...] = field(default=())
    line: int = 0  # in the file

    @property
    def person(self) -> Person:
        return Person(self.id, safe_text(self.name), safe_text(self.email))

    @property
    def team(self) -> str:
        """Names the group, or a student without one."""
        return self.group or f"\0{self.id}"


def read_roster(path: Path) -> list[Row]:
    """Rows of a roster. Raises ClassError, with the line of what is wrong."""
    return rows_of(read_table(path, KNOWN))


def rows_of(table: Table) -> list[Row]:
    """The students in a table. Raises ClassError, with the line of what is wrong."""
    head = table.head
    if not set(head) & set(COLUMNS["id"]):
        found = ", ".join(filter(None, map(safe_text, head))) or "none"
        raise ClassError(
            f"{table.name} needs a column `id`; `name`, `email`, `group` and `submitted_at` are optional. Exports of "
            f"the sites are read too. Its columns are: {found}"
        )
    rows = list(_rows(table.name, head, table.rows[1:]))
    if not rows:
        raise ClassError(f"{table.name} needs a column `id`, and below it a line for each student")
    _check(table.name, rows)
    return rows


QUOTE_IT = 'If a cell has the separator in it, put quotes around the cell: "Love, Ada"'


def _rows(file: str, head: list[str], table: Iterable[tuple[int, tuple[str, ...]]]) -> Iterator[Row]:
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
        row["id"] = row["id"].removeprefix("#")  # Brightspace writes it in front, so that spreadsheets read a text
        other_ids = tuple(found[name].removeprefix("#") for name in OTHER_IDS if found.get(name))
        is_of_canvas = "student" in head and not row["id"] and not other_ids  # the points possible, in any language
        if is_of_canvas or (row["role"] and row["role"].casefold() != "student"):
            continue
        email = row["email"]
        if email and "@" not in email and email != found.get("sis login id"):
            raise ClassError(f"{file}:{line}: {safe_text(email)!r} is not an e-mail address. {QUOTE_IT}")
        blanks = {cell.startswith(" ") for cell in raw_cells[1:] if cell.strip()}
        if len(blanks) > 1 and "@" not in email:
            raise ClassError(f"{file}:{line}: some cells begin with a blank and others do not. {QUOTE_IT}")
        number = match[1] if (match := MOODLES_ID.fullmatch(row["id"])) else row["id"]
        if not number:
            raise ClassError(f"{file}:{line}: an id is empty or appears twice: ''")
        name = row["name"] or f"{row['first']} {row['last']}".strip()
        time = row["submitted_at"]
        if "submitted_at" not in head:  # Moodle's own column: "-" where nothing was handed in
            local = local_time(time, *MOODLES_TIMES)
            time = local.isoformat() if local else ""
        yield Row(number, name, email if "@" in email else "", row["group"], time, other_ids, line)


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


class Index:
    """Finds the row of an id: exactly, in upper or lower case, or but for leading zeros. Finds it by a name, too."""

    def __init__(self, rows: list[Row]) -> None:
        self._exact: dict[str, Row] = {}
        self._folded: dict[str, list[Row]] = {}
        self._named: dict[str, list[Row]] = {}
        for row in rows:
            for name in (row.email, *row.other_ids, row.id):
                self._exact[name] = row
                for key in _keys(name):
                    if row not in self._folded.setdefault(key, []):
                        self._folded[key].append(row)
            self._named.setdefault(name_key(row.name), []).append(row)
        self._exact |= {row.id: row for row in rows}  # an id outranks another student's other number

    def row(self, name: str) -> Row | None:
        if not name:
            return None
        alike = [self._folded[key] for key in _keys(name) if key in self._folded]
        return self._exact.get(name) or next((rows[0] for rows in alike if len(rows) == 1), None)

    def of_person(self, person: Person) -> Row | None:
        return self.row(person.id) or self.row(person.email)

    def named(self, name: str) -> Row | None:
        """The only student of this name, whatever the order of its words."""
        rows = self._named.get(name_key(name), []) if name_key(name) else []
        return rows[0] if len(rows) == 1 else None


def _keys(name: str) -> Iterator[str]:
    yield name.casefold()
    if name.isdecimal() and name.lstrip("0"):
        yield name.lstrip("0")


def name_key(name: str) -> str:
    """The words of a name, so that "Love, Ada" and "ada love" are the same."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(sorted(re.findall(r"\w+", re.sub(r"['\u2019`]", "", text))))


def with_roster(entries: list[Entry], rows: list[Row]) -> list[Entry]:
    """Entries with the roster's names and groups; students who handed in nothing get an entry without a path.

    Several entries may be of the same student or group: `find_submissions` marks them.
    """
    known = Index(rows)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.team, []).append(row)
    owners = {(name_key(person.name or person.id), person.id) for entry in entries for person in entry.people}
    same_name = Counter(name for name, _ in owners)
    found: list[Entry] = []
    seen: set[str] = set()
    for entry in entries:
        own = {}  # row -> who that is in the export
        for person in entry.people:
            listed = known.of_person(person)
            if listed is None and len(entry.people) == 1:
                listed = known.row(entry.student)
            if listed is None and same_name[name_key(person.name or person.id)] == 1:
                listed = known.named(person.name or person.id)
            if listed is not None:
                own[listed.id] = person
        teams = [team for row in rows if row.id in own for team in [row.team]] or [entry.student]
        members = {row.id: row for team in dict.fromkeys(teams) for row in groups.get(team, ())}
        seen |= members.keys()
        times = [time for row in members.values() if (time := time_of(row.submitted_at)) is not None]
        if members:
            people = tuple(_with_what_is_missing(row.person, own.get(row.id)) for row in members.values())
            group = next(iter(members.values())).group or entry.group
            found.append(replace(entry, people=people, group=group, submitted=max(times, default=entry.submitted)))
        else:
            found.append(replace(entry, on_roster=False))
    found += [Entry(folder_name(row.id), (row.person,), None, row.group) for row in rows if row.id not in seen]
    return found


def _with_what_is_missing(person: Person, in_export: Person | None) -> Person:
    """What a roster does not say stays as the site has it."""
    if in_export is None:
        return person
    return Person(person.id, person.name or in_export.name, person.email or in_export.email)
