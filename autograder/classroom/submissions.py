"""Which submissions a folder holds, and whose they are: a plain folder, or an export of Gradescope or Canvas.

- Gradescope: `submission_metadata.yml` beside folders (or archives) that it names, as "Export submissions" gives them.
- Canvas: archives named `name_id_submission_file.zip`, as "Download submissions" gives them; `_LATE_` may be between.
- Anything else: every folder and every archive is a submission, named after its student.

A roster is a CSV file with a column `id` and, as wanted, `name`, `email` and `group`. Students of one group share the
submission of any of them; the id is matched with that of the export, with its e-mail address, or with the file's name.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from hw4.submission import ARCHIVE_SUFFIXES, Intake, SubmissionRefused

METADATA = "submission_metadata.yml"
CANVAS = re.compile(r"(?P<name>[^_]+)_(?:(?P<late>LATE)_)?(?P<id>\d+)_(?P<number>\d+)_(?P<file>.+)")
MAX_FOLDER_NAME = 80  # characters
MAX_TEXT = 200  # characters of a name


class ClassError(ValueError):
    """What was given is not a class that can be graded. Says what to mend."""


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
    late: bool = False
    problem: str = ""  # why this cannot be graded, for staff
    on_roster: bool = True


def find_submissions(folder: Path, roster: Path | None = None) -> list[Entry]:
    """All submissions of a class, sorted by student.

    Raises:
        ClassError: the folder or the roster cannot be read, or two submissions are of one student.
    """
    if not folder.is_dir():
        raise ClassError(f"{folder} is no folder: name the one that holds the submissions")
    if (folder / METADATA).is_file():
        entries = list(_gradescope(folder))
    else:
        items = [path for path in sorted(folder.iterdir()) if not path.name.startswith((".", "__MACOSX"))]
        archives = [path for path in items if path.is_file() and path.name.lower().endswith(ARCHIVE_SUFFIXES)]
        if archives and all(CANVAS.fullmatch(path.name) for path in archives):
            entries = list(_canvas([path for path in items if path.is_file()]))
        else:
            entries = [
                Entry(folder_name(_stem(path)), (Person(_shown(_stem(path))),), path)
                for path in items
                if path in archives or path.is_dir()
            ]
    if not entries:
        raise ClassError(f"{folder} holds no submission: neither a folder nor an archive (.zip, .tar.gz)")
    if roster is not None:
        entries = _with_roster(entries, read_roster(roster))
    names = [entry.student.casefold() for entry in entries]
    if twice := sorted({entry.student for entry in entries if names.count(entry.student.casefold()) > 1}):
        raise ClassError(f"two submissions are of one student: {', '.join(twice)}. Leave one of them in the folder")
    return sorted(entries, key=lambda entry: entry.student)


def _gradescope(folder: Path) -> Iterator[Entry]:
    try:
        found = yaml.load((folder / METADATA).read_text(encoding="utf-8"), _Lenient)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ClassError(f"{METADATA} cannot be read: {str(error)[:MAX_TEXT]}") from None
    if not isinstance(found, dict):
        raise ClassError(f"{METADATA} is not as Gradescope writes it: it names no submission")
    for name, facts in found.items():
        name = str(name)
        submitters = facts.get(":submitters") if isinstance(facts, dict) else None
        people = tuple(
            Person(*(_shown(one.get(key)) for key in (":sid", ":name", ":email")))
            for one in (submitters if isinstance(submitters, list) else ())
            if isinstance(one, dict)
        )
        people = tuple(Person(p.id or p.email or p.name, p.name, p.email) for p in people) or (Person(_shown(name)),)
        if "/" in name or name in ("", ".", ".."):
            raise ClassError(f"{METADATA} names a submission outside the folder: {_shown(name)}")
        places = [folder / name, *(folder / f"{name}{suffix}" for suffix in ARCHIVE_SUFFIXES)]
        path = next((place for place in places if os.path.lexists(place)), folder / name)
        yield Entry(folder_name(people[0].id), people, _only_archive(path))


def _only_archive(path: Path) -> Path:
    """The archive in a folder that holds just one file and that is one; Gradescope unpacks .zip files alone."""
    if path.is_dir() and not path.is_symlink():
        inside = list(path.iterdir())
        if len(inside) == 1 and inside[0].is_file() and inside[0].name.lower().endswith(ARCHIVE_SUFFIXES):
            return inside[0]
    return path


class _Lenient(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """Reads plain data; objects of Ruby become None, and a time stays the text that it is."""


_Lenient.add_multi_constructor("!", lambda loader, suffix, node: None)
_Lenient.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: str(node.value))


def _canvas(files: list[Path]) -> Iterator[Entry]:
    by_student: dict[str, list[tuple[int, re.Match[str], Path]]] = {}
    for path in files:
        if match := CANVAS.fullmatch(path.name):
            by_student.setdefault(match["id"], []).append((int(match["number"]), match, path))
    for student, found in by_student.items():
        number = max(number for number, _, _ in found)
        latest = [(match, path) for n, match, path in found if n == number]
        match, path = latest[0]
        problem = ""
        if len(latest) > 1:
            names = ", ".join(_shown(match["file"]) for match, _ in latest)
            problem = f"several files instead of one archive: {names}. Put them into one folder or archive"
        yield Entry(student, (Person(student, _shown(match["name"])),), path, "", bool(match["late"]), problem)


def read_roster(path: Path) -> list[dict[str, str]]:
    """Rows of a roster. Raises ClassError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [
                {(key or "").strip().lower(): (value or "").strip() for key, value in row.items() if key is not None}
                for row in csv.DictReader(file)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ClassError(f"the roster cannot be read: {error}") from None
    if not rows or "id" not in rows[0]:
        raise ClassError(f"{path.name} needs a column `id`; `name`, `email` and `group` may be there, too")
    ids = [row["id"] for row in rows]
    if bad := sorted({row_id for row_id in ids if not row_id or ids.count(row_id) > 1}):
        raise ClassError(f"{path.name}: an id is empty or there twice: {', '.join(map(repr, bad))}")
    return rows


def _with_roster(entries: list[Entry], rows: list[dict[str, str]]) -> list[Entry]:
    """Entries with the roster's names and groups; whoever handed in nothing gets an entry without a path."""
    known = {name: row for row in rows for name in (row["id"], row.get("email", "")) if name}
    groups: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault(row.get("group") or f"\0{row['id']}", []).append(row)
    found: list[Entry] = []
    seen: set[str] = set()
    for entry in entries:
        names = [name for person in entry.people for name in (person.id, person.email)] + [entry.student]
        own = [known[name] for name in names if name in known] or groups.get(entry.student, [])
        members = [row for one in own for row in groups[one.get("group") or f"\0{one['id']}"]]
        people = {row["id"]: _person(row) for row in members}
        if people.keys() & seen:
            raise ClassError(f"two submissions are of one student or group: {entry.student} is the second of them")
        seen |= people.keys()
        if people:
            found.append(replace(entry, people=tuple(people.values()), group=own[0].get("group", "")))
        else:
            found.append(replace(entry, on_roster=False))
    for row in rows:
        if row["id"] not in seen:
            found.append(Entry(folder_name(row["id"]), (_person(row),), None, row.get("group", "")))
    return found


def _person(row: dict[str, str]) -> Person:
    return Person(row["id"], _shown(row.get("name")), _shown(row.get("email")))


def folder_name(text: str) -> str:
    """A name for a folder that is safe everywhere; what cannot stay makes room for a hash, so names stay different."""
    safe = re.sub(r"[^A-Za-z0-9._@-]+", "_", text).strip("._") or "student"
    if safe == text and len(safe) <= MAX_FOLDER_NAME:
        return safe
    return f"{safe[:MAX_FOLDER_NAME]}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _shown(value: Any) -> str:
    """A text that is safe to print, bounded."""
    text = "" if value is None else str(value)[:MAX_TEXT]
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text).strip()


def _stem(path: Path) -> str:
    if not path.is_dir():
        for suffix in sorted(ARCHIVE_SUFFIXES, key=len, reverse=True):
            if path.name.lower().endswith(suffix):
                return path.name[: -len(suffix)]
    return path.name


def hash_of(found: Intake | SubmissionRefused | str) -> str:
    """Names what was handed in by its content: two submissions with the same hash get the same report."""
    digest = hashlib.sha256()
    if isinstance(found, Intake):
        for name, content in sorted(found.files.items()):
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        digest.update(json.dumps([found.missing, found.ignored, found.notes]).encode())
    else:
        digest.update(f"refused\0{found}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
