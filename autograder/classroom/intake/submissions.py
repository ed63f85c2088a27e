"""Which submissions a folder holds, and whose they are: a plain folder, or an export of a site (`sites.py`).

In a plain folder every folder and every archive is a submission, named after its student; of a git repository a commit
is (`repositories.py`). `roster.py` says who is in the class, and `left_over.py` what belongs to nobody.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from autograder.classroom.intake.entries import (
    ClassError,
    Entry,
    OwnerUnclear,
    Person,
    folder_name,
    safe_text,
)
from autograder.classroom.intake.repositories import read_commit, repository_in, with_commit
from autograder.classroom.intake.roster import read_roster, with_roster
from autograder.classroom.intake.site_names import visible
from autograder.classroom.intake.sites import (
    METADATA,
    class_folder,
    entries_of_uploads,
    gradescope,
    is_archive,
    only_archive,
    uploads,
)
from hw4.handin.assignment import Assignment, load_assignment
from hw4.handin.intake import ARCHIVE_SUFFIXES, Intake, read_submission
from hw4.handin.refusal import SubmissionRefused


def find_submissions(
    folder: Path, roster: Path | None = None, extensions: Mapping[str, float] | None = None
) -> list[Entry]:
    """All submissions of a class, sorted by student.

    Args:
        folder: of the submissions.
        roster: a CSV file of the class.
        extensions: student -> days; they decide which commit of a git repository counts.

    Raises:
        ClassError: the folder or the roster cannot be read.
    """
    if not folder.is_dir():
        raise ClassError(f"{folder} is not a folder: give the one that contains the submissions")
    entries = _entries(folder)
    if not entries:
        raise ClassError(f"{folder} contains no submission: neither a folder nor an archive (.zip, .tar.gz)")
    if roster is not None:
        entries = with_roster(entries, read_roster(roster))
    if not ((folder / METADATA).is_file() or uploads(class_folder(folder))):  # who uploads a repository, uploads files
        entries = [with_commit(entry, extensions or {}) for entry in entries]
    return sorted(_with_disputes(entries), key=lambda entry: entry.student)


def _with_disputes(entries: list[Entry]) -> list[Entry]:
    """Entries with names that are unique whatever the case, and marked where several are of one student.

    Anybody can write somebody else's id on a submission. That must stop neither the class nor the real owner's work.
    """
    handed_in = [entry for entry in entries if entry.path is not None]
    of_id: dict[str, list[Entry]] = {}
    for entry in handed_in:
        for name in {person.id.casefold() for person in entry.people}:
            of_id.setdefault(name, []).append(entry)
    count = Counter(entry.student.casefold() for entry in entries)
    marked = []
    for entry in entries:
        if (path := entry.path) is not None:
            others = [other for person in entry.people for other in of_id[person.id.casefold()] if other is not entry]
            others = [other for other in others if not entry.attempt_of or other.attempt_of != entry.attempt_of]
            if others:
                places = ", ".join(dict.fromkeys(other.place for other in others))
                entry = replace(entry, disputed=f"is {places}")
            if count[entry.student.casefold()] > 1:
                unique = f"{entry.student} {path.parent.name} {path.name}"
                entry = replace(entry, student=folder_name(unique))
        marked.append(entry)
    return marked


def _entries(folder: Path) -> list[Entry]:
    if (folder / METADATA).is_file():
        return list(gradescope(folder))
    if found := uploads(class_folder(folder)):
        return list(entries_of_uploads(found))
    places = [path for path in visible(folder) if path.is_dir() or is_archive(path.name)]
    for place in places:
        if len(places) == 1 and place.is_dir() and ((place / METADATA).is_file() or uploads(class_folder(place))):
            raise ClassError(f"{folder} contains one folder, an export of a whole class: give {place} instead")
    return [_plain(path) for path in places]


def _plain(path: Path) -> Entry:
    place = path if repository_in(path) else only_archive(path)
    return Entry(folder_name(_stem(path)), (Person(safe_text(_stem(path))),), place)


def read_entry(entry: Entry, assignment: Assignment | None = None) -> Intake:
    """What somebody handed in.

    Args:
        entry: of `find_submissions`.
        assignment: names the files; `assignment.toml` by default.

    Raises:
        SubmissionRefused: it cannot be graded.
        OwnerUnclear: another submission is of the same student.
        OSError: the disk does not read.
    """
    assert entry.path is not None
    assignment = assignment or load_assignment()
    if entry.disputed:
        whose = ", ".join(person.id for person in entry.people)
        raise OwnerUnclear(f"{entry.place} is said to be of {whose}. So {entry.disputed}. Leave only the right one")
    if entry.problem:
        raise SubmissionRefused(entry.problem, where=entry.path.name, fix="Ask the student which one to grade")
    if entry.commit:
        return read_commit(entry.path, entry.commit, assignment)
    if not entry.files:
        return read_submission(entry.path, assignment)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / entry.student
        folder.mkdir()
        for name, path in entry.files:
            shutil.copyfile(path, folder / name, follow_symlinks=False)  # a link stays one, and is refused
        return read_submission(folder, assignment)


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
