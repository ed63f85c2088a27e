"""The exports of Gradescope, Canvas and Moodle, as downloaded.

- Gradescope: `submission_metadata.yml` next to folders (or archives) that it names, as "Export submissions" gives them.
- Canvas: files named `name_id_number_file`, as "Download submissions" gives them; `_LATE_` may be between. A student
  has one archive, or the files of the homework one by one.
- Moodle: folders named `name_id_assignsubmission_file`, or files whose names begin so, as "Download all submissions"
  gives them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from autograder.classroom.intake.entries import MAX_TEXT, ClassError, Entry, Person, folder_name, safe_text, time_of
from hw4.handin.assignment import load_assignment
from hw4.handin.intake import ARCHIVE_SUFFIXES
from hw4.handin.look_alikes import meant_by
from hw4.handin.members import JUNK_FILES, JUNK_FOLDERS

METADATA = "submission_metadata.yml"
# Canvas writes name, LATE, user, attachment and file; a text box or a link has no attachment, and a student who stays
# anonymous no name (canvas-lms, lib/content_zipper.rb). What is uploaded again under one name gets "-1", "-2".
CANVAS = re.compile(
    r"(?:(?P<late_anon>LATE_)?(?P<anon>anon_[A-Za-z0-9]+)|(?P<name>.+?)_(?P<late>LATE_)?(?P<id>\d+))_"
    r"(?:(?P<number>\d+)_(?P<file>.+)|(?P<typed>text|link)\.html)",
    re.DOTALL,
)
CANVAS_COPY = re.compile(r"-\d+(?=\.[^.]+$|\.tar\.[^.]+$|$)")
# Moodle writes name, participant, plug-in and file; with folders, the file is inside (mod/assign/locallib.php).
MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_(?P<plugin>file|onlinetext)_?(?P<file>.*)", re.DOTALL)


@dataclass(frozen=True)
class Upload:
    """One file of one student, or a folder with all of them."""

    student: str
    name: str
    file: str  # as the student called it
    path: Path
    number: int = 0  # of several uploads of one file the largest is the newest
    late: bool = False


def is_archive(name: str) -> bool:
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def is_handed_in(name: str) -> bool:
    """Whether a file of this name may be somebody's submission, or a part of it."""
    return is_archive(name) or name.lower().endswith((".py", ".ipynb"))


def is_from_a_system(name: str) -> bool:
    """Whether a system wrote this file or folder, or hides it."""
    return name.startswith(".") or name in (*JUNK_FILES, *JUNK_FOLDERS)


def gradescope(folder: Path) -> Iterator[Entry]:
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
            Person(*(safe_text(one.get(key)) for key in (":sid", ":name", ":email")))
            for one in (submitters if isinstance(submitters, list) else ())
            if isinstance(one, dict)
        )
        people = tuple(Person(p.id or p.email or p.name, p.name, p.email) for p in people) or (Person(safe_text(name)),)
        if "/" in name or name in ("", ".", ".."):
            raise ClassError(f"{METADATA} names a submission outside the folder: {safe_text(name)}")
        places = [folder / name, *(folder / f"{name}{suffix}" for suffix in ARCHIVE_SUFFIXES)]
        path = next((place for place in places if os.path.lexists(place)), folder / name)
        submitted = time_of(facts.get(":created_at") if isinstance(facts, dict) else None)
        yield Entry(folder_name(people[0].id), people, only_archive(path), submitted=submitted)


def only_archive(path: Path) -> Path:
    """The archive in a folder that holds just one file and that is one: sites and people do not unpack all of them."""
    if path.is_dir() and not path.is_symlink():
        inside = [one for one in path.iterdir() if not is_from_a_system(one.name)]
        if len(inside) == 1 and inside[0].is_file() and is_archive(inside[0].name):
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


# Canvas and Moodle ----------------------------------------------------------------------------------------------------


def upload_of(path: Path) -> Upload | None:
    """What a file or folder is by its name; None if its name is of neither site."""
    if match := MOODLE.fullmatch(path.name):
        typed = "" if match["plugin"] == "file" else match["plugin"]
        return Upload(match["id"], safe_text(match["name"]), match["file"] or typed, path)
    if (match := CANVAS.fullmatch(path.name)) and not path.is_dir():
        name = match["typed"] or CANVAS_COPY.sub("", match["file"])
        late = bool(match["late"] or match["late_anon"])
        student = match["id"] or match["anon"]
        return Upload(student, safe_text(match["name"]), name, path, int(match["number"] or 0), late)
    return None


def uploads(items: Iterable[Path]) -> list[Upload]:
    """The uploads in a folder, if it is an export of Canvas or Moodle: if most of what may be handed in is one."""
    candidates = [path for path in items if path.is_dir() or is_handed_in(path.name)]
    found = [upload for path in items if (upload := upload_of(path)) is not None]
    named = {upload.path for upload in found}
    return found if any(path in named for path in candidates) and 2 * len(named) >= len({*candidates, *named}) else []


def entries_of_uploads(found: Iterable[Upload]) -> Iterator[Entry]:
    """One entry a student: a folder, an archive, or files of the homework one by one."""
    by_student: dict[str, list[Upload]] = {}
    for upload in found:
        by_student.setdefault(upload.student, []).append(upload)
    for student, own in by_student.items():
        newest = {upload.file: upload.path for upload in sorted(own, key=lambda upload: upload.number)}
        archives = {name: path for name, path in newest.items() if is_archive(name) or path.is_dir()}
        archives = {name: path for name, path in archives.items() if not (path.is_dir() and name == "onlinetext")}
        wanted = {name: path for name, path in newest.items() if _is_of_the_homework(name) and name not in archives}
        problem, shown = "", ", ".join(map(safe_text, {**archives, **wanted} or newest))
        if len(archives) > 1 or (archives and wanted):
            problem = f"several files instead of one archive: {shown}. Put the right ones into one folder or archive"
        elif not archives and not wanted:
            problem = f"neither an archive nor a file of the homework: {shown}"
        files = () if archives or problem else tuple(sorted(wanted.items()))
        meant = {**archives, **wanted} if problem and (archives or wanted) else archives or wanted or newest
        yield Entry(
            folder_name(student),
            (Person(student, own[0].name),),
            only_archive(next(iter(meant.values()))),
            late=any(upload.late for upload in own),
            problem=problem,
            files=files,
            named_in_problem=tuple(meant.values()) if problem else (),
        )


def _is_of_the_homework(name: str) -> bool:
    """Whether a file belongs to a submission, or looks as if it should. Canvas knows no folders: topics have none."""
    rules = load_assignment().submission
    names = {PurePosixPath(file).name for file in (*rules.code, *rules.notebooks)}
    return name in names or meant_by(name, load_assignment()) is not None
