"""Which submissions a folder holds, and whose they are: a plain folder, or an export of Gradescope or Canvas.

- Gradescope: `submission_metadata.yml` next to folders (or archives) that it names, as "Export submissions" gives them.
- Canvas: files named `name_id_number_file`, as "Download submissions" gives them; `_LATE_` may be between. A student
  has one archive, or the files of the homework one by one.
- Anything else: every folder and every archive is a submission, named after its student.

A roster is a CSV file with a column `id` and, optionally, `name`, `email`, `group` and `submitted_at`. Students of one
group share the submission of any of them; the id is matched with that of the export, with its e-mail address, or with
the file's name.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from hw4.handin.assignment import Assignment, load_assignment
from hw4.handin.intake import ARCHIVE_SUFFIXES, Intake, read_submission
from hw4.handin.refusal import SubmissionRefused

METADATA = "submission_metadata.yml"
# Canvas writes name, LATE, user, attachment and file; a text box or a link has no attachment, and a student who stays
# anonymous no name (canvas-lms, lib/content_zipper.rb). What is uploaded again under one name gets "-1", "-2".
CANVAS = re.compile(
    r"(?:(?P<late_anon>LATE_)?(?P<anon>anon_[A-Za-z0-9]+)|(?P<name>.+?)_(?P<late>LATE_)?(?P<id>\d+))_"
    r"(?:(?P<number>\d+)_(?P<file>.+)|(?P<typed>text|link)\.html)",
    re.DOTALL,
)
CANVAS_COPY = re.compile(r"-\d+(?=\.[^.]+$|\.tar\.[^.]+$|$)")
MAX_FOLDER_NAME = 80  # characters
MAX_TEXT = 200  # characters of a name


class ClassError(ValueError):
    """What was given is not a class that can be graded. Says what to fix."""


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


def find_submissions(folder: Path, roster: Path | None = None) -> list[Entry]:
    """All submissions of a class, sorted by student.

    Raises:
        ClassError: the folder or the roster cannot be read, or two submissions are of one student.
    """
    if not folder.is_dir():
        raise ClassError(f"{folder} is not a folder: give the one that contains the submissions")
    if (folder / METADATA).is_file():
        entries = list(_gradescope(folder))
    else:
        items = [path for path in sorted(folder.iterdir()) if not path.name.startswith((".", "__MACOSX"))]
        archives = [path for path in items if path.is_file() and _is_archive(path.name)]
        files = [path for path in items if path.is_file() and _is_handed_in(path.name)]
        if files and all(CANVAS.fullmatch(path.name) for path in archives or files):
            entries = list(_canvas([path for path in items if path.is_file()]))
        else:
            entries = [
                Entry(folder_name(_stem(path)), (Person(_shown(_stem(path))),), path)
                for path in items
                if path in archives or path.is_dir()
            ]
    if not entries:
        raise ClassError(f"{folder} contains no submission: neither a folder nor an archive (.zip, .tar.gz)")
    if roster is not None:
        entries = _with_roster(entries, read_roster(roster))
    names = [entry.student.casefold() for entry in entries]
    if twice := sorted({entry.student for entry in entries if names.count(entry.student.casefold()) > 1}):
        raise ClassError(
            f"two submissions are from the same student: {', '.join(twice)}. Leave only one of them in the folder"
        )
    return sorted(entries, key=lambda entry: entry.student)


def _gradescope(folder: Path) -> Iterator[Entry]:
    try:
        found = yaml.load((folder / METADATA).read_text(encoding="utf-8"), _Lenient)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ClassError(f"{METADATA} cannot be read: {str(error)[:MAX_TEXT]}") from None
    if not isinstance(found, dict):
        raise ClassError(f"{METADATA} is not in Gradescope's format: it names no submission")
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
        submitted = _time(facts.get(":created_at") if isinstance(facts, dict) else None)
        yield Entry(folder_name(people[0].id), people, _only_archive(path), submitted=submitted)


def _only_archive(path: Path) -> Path:
    """The archive in a folder that holds just one file and that is one; Gradescope unpacks .zip files alone."""
    if path.is_dir() and not path.is_symlink():
        inside = list(path.iterdir())
        if len(inside) == 1 and inside[0].is_file() and _is_archive(inside[0].name):
            return inside[0]
    return path


class _Lenient(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """Reads plain data; a time stays the text that it is, and an object of Ruby becomes its time or None."""


def _ruby(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> str | None:
    """The `utc` of a TimeWithZone."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((str(value.value) for key, value in pairs if key.value == "utc"), None)


_Lenient.add_multi_constructor("!", _ruby)
_Lenient.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: str(node.value))


def _time(value: Any) -> datetime | None:
    """A time as ISO 8601 and Ruby write it; None unless it has a UTC offset."""
    text = re.sub(r"\s+(?=(Z|[+-]\d\d:?\d\d)$)", "", re.sub("UTC$", "Z", str(value).strip()))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _canvas(files: list[Path]) -> Iterator[Entry]:
    by_student: dict[str, list[tuple[re.Match[str], Path]]] = {}
    for path in files:
        if match := CANVAS.fullmatch(path.name):
            by_student.setdefault(match["id"] or match["anon"], []).append((match, path))
    for student, found in by_student.items():
        newest: dict[str, Path] = {}
        for match, path in sorted(found, key=lambda one: int(one[0]["number"] or 0)):
            newest[_canvas_name(match)] = path
        archives = {name: path for name, path in newest.items() if _is_archive(name)}
        wanted = {name: path for name, path in newest.items() if name in _wanted_names()}
        meant = archives or wanted or newest
        problem, shown = "", ", ".join(map(_shown, {**archives, **wanted} or newest))
        if len(archives) > 1 or (archives and wanted):
            problem = f"several files instead of one archive: {shown}. Put the right ones into one folder or archive"
        elif not archives and not wanted:
            problem = f"neither an archive nor a file of the homework: {shown}"
        match, _ = found[0]
        yield Entry(
            folder_name(student),
            (Person(student, _shown(match["name"])),),
            next(iter(meant.values())),
            late=any(match["late"] or match["late_anon"] for match, _ in found),
            problem=problem,
            files=() if archives or problem else tuple(sorted(wanted.items())),
        )


def _canvas_name(match: re.Match[str]) -> str:
    """The file's name as the student had it, without the number that Canvas gives to a second upload."""
    return match["typed"] or CANVAS_COPY.sub("", match["file"])


def _wanted_names() -> set[str]:
    """What a file that is handed in may be called. Canvas knows no folders: the file of a topic comes without one."""
    rules = load_assignment().submission
    return {PurePosixPath(name).name for name in (*rules.code, *rules.notebooks)}


def _is_archive(name: str) -> bool:
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def _is_handed_in(name: str) -> bool:
    """Whether a file of this name may be somebody's submission, or a part of it."""
    return _is_archive(name) or name.lower().endswith((".py", ".ipynb"))


def read_entry(entry: Entry, assignment: Assignment | None = None) -> Intake:
    """What somebody handed in.

    Args:
        entry: of `find_submissions`.
        assignment: names the files; `assignment.toml` by default.

    Raises:
        SubmissionRefused: it cannot be graded.
        OSError: the disk does not read.
    """
    assert entry.path is not None
    assignment = assignment or load_assignment()
    if entry.problem:
        raise SubmissionRefused(entry.problem, where=entry.path.name, fix="Ask the student which one to grade")
    if not entry.files:
        return read_submission(entry.path, assignment)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / entry.student
        folder.mkdir()
        for name, path in entry.files:
            shutil.copyfile(path, folder / name, follow_symlinks=False)  # a link stays one, and is refused
        return read_submission(folder, assignment)


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
        raise ClassError(f"{path.name} needs a column `id`; `name`, `email`, `group` and `submitted_at` are optional")
    ids = [row["id"] for row in rows]
    if bad := sorted({row_id for row_id in ids if not row_id or ids.count(row_id) > 1}):
        raise ClassError(f"{path.name}: an id is empty or appears twice: {', '.join(map(repr, bad))}")
    largest = load_assignment().policies.max_group_size
    sizes = Counter(group for row in rows if (group := row.get("group")))
    if too_large := [f"{_shown(group)} ({size})" for group, size in sizes.items() if size > largest]:
        raise ClassError(
            f"{path.name}: assignment.toml allows groups of max_group_size = {largest}; these are larger: "
            f"{', '.join(too_large)}"
        )
    for row in rows:
        if (time := row.get("submitted_at")) and _time(time) is None:
            raise ClassError(
                f"{path.name}: submitted_at of {_shown(row['id'])} must be a time with its UTC offset, not "
                f"{_shown(time)!r}"
            )
    return rows


def _with_roster(entries: list[Entry], rows: list[dict[str, str]]) -> list[Entry]:
    """Entries with the roster's names and groups; students who handed in nothing get an entry without a path."""
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
            raise ClassError(f"two submissions are from the same student or group: {entry.student} is the second")
        seen |= people.keys()
        times = [time for row in members if (time := _time(row.get("submitted_at"))) is not None]
        submitted = max(times, default=entry.submitted)
        if people:
            members_of = tuple(people.values())
            found.append(replace(entry, people=members_of, group=own[0].get("group", ""), submitted=submitted))
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
