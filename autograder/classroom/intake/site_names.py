"""Whose a file or folder is, by the name that a site gives it in its download of a whole class.

- Canvas: `name_LATE_user_attachment_file` (canvas-lms, lib/content_zipper.rb). A text box or a link has no attachment,
  and a student who stays anonymous no name. What is uploaded again under one name gets "-1", "-2".
- Moodle: `name_participant_assignsubmission_file_FILE`, or a folder `name_participant_assignsubmission_file`
  (mod/assign/locallib.php).
- Brightspace (D2L): a folder `user-folder - name - Mar 15, 2027 1159 PM` for each time that somebody handed in; older
  versions write ` - FILE` behind it instead of a folder.
- Blackboard: `assignment_user_attempt_2027-03-15-23-59-00_FILE`, and the same with `.txt` for what Blackboard writes
  about the attempt: its first line is `Name: Ada Love (user)`.
- ILIAS: a folder `last_first_login_number`, inside `Team NUMBER` for a team; all of them in `Submissions` (`Abgaben`).

Brightspace and Blackboard write the time of their own clock, without a UTC offset: it gets that of the due date.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from autograder.classroom.intake.entries import safe_text
from hw4.handin.assignment import load_assignment
from hw4.handin.members import JUNK_FILES, JUNK_FOLDERS

CANVAS = re.compile(
    r"(?:(?P<late_anon>LATE_)?(?P<anon>anon_[A-Za-z0-9]+)|(?P<name>.+?)_(?P<late>LATE_)?(?P<id>\d+))_"
    r"(?:(?P<number>\d+)_(?P<file>.+)|(?P<typed>text|link)\.html)",
    re.DOTALL,
)
CANVAS_COPY = re.compile(r"-\d+(?=\.[^.]+$|\.tar\.[^.]+$|$)")
MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_(?P<plugin>file|onlinetext)_?(?P<file>.*)", re.DOTALL)
D2L = re.compile(
    r"(?P<id>\d+)-\d+ - (?P<name>.+?) ?- "
    r"(?P<day>\w+\.? \d{1,2},? \d{4}|\d{1,2} \w+\.?,? \d{4}),? (?P<hour>\d{1,2})[:.]?(?P<minute>\d\d)"
    r"(?:\s?(?P<half>[AaPp])\.?[Mm]\.?)?(?: - (?P<file>.+))?",
    re.DOTALL,
)
D2L_DAYS = ("%b %d %Y", "%B %d %Y", "%d %b %Y", "%d %B %Y")
BLACKBOARD = re.compile(
    r"(?P<who>.+_(?P<id>[^_]+))_attempt_(?P<when>\d{4}(?:-\d\d){5})(?:_(?P<file>.+)|\.txt)", re.DOTALL
)
BLACKBOARDS_NAME = re.compile(r"\s*[^:\n]+:\s*(?P<name>.+?)\s*\((?P<id>[^()\n]+)\)\s*(?:\n|$)")
ILIAS = re.compile(r"(?P<last>[^_]+)_(?P<first>.+)_(?P<id>[^_]+)_\d+")
ILIAS_TEAM = re.compile(r"Team[ _]\d+", re.IGNORECASE)
ILIAS_TIME = re.compile(r"(?P<when>20\d{12})_(?P<file>.+)", re.DOTALL)
ILIAS_FOLDERS = ("submissions", "abgaben")
D2LS_PAGE = "index.html"


@dataclass(frozen=True)
class Upload:
    """One file of one student, or a folder with all of them."""

    site: str
    student: str
    name: str
    file: str  # as the student called it
    path: Path
    number: int = 0  # of several uploads of one file the largest is the newest
    late: bool = False
    when: datetime | None = None  # names the attempt, where a download has several; with its UTC offset
    team: str = ""
    is_note: bool = False  # written by the site, or into a box of its page


def is_from_a_system(name: str) -> bool:
    """Whether a system wrote this file or folder, or hides it."""
    return name.startswith(".") or name in (*JUNK_FILES, *JUNK_FOLDERS)


def visible(folder: Path) -> list[Path]:
    """What is in a folder, sorted, without what a system wrote."""
    return [path for path in sorted(folder.iterdir()) if not is_from_a_system(path.name)]


def upload_of(path: Path) -> Upload | None:
    """What a file or folder is by its name; None if its name is of no site."""
    return _moodle(path) or _d2l(path) or _blackboard(path) or _canvas(path) or _ilias(path)


def uploads_in(folder: Path) -> list[Upload]:
    """Everything in a folder that a site has named, with what the site's other files say about it."""
    paths = [path for item in visible(folder) for path in (visible(item) if is_team(item) else [item])]
    found = [upload for path in paths if (upload := upload_of(path)) is not None]
    logins = Counter(upload.student for upload in found if upload.site == "ILIAS")
    if max(logins.values(), default=0) > 1:  # ILIAS has one folder for each: these are named like that by chance
        found = [upload for upload in found if upload.site != "ILIAS"]
    return list(_with_files_of_ilias(_with_names_of_blackboard(_with_ids_of_d2l(found))))


def is_team(path: Path) -> bool:
    return ILIAS_TEAM.fullmatch(path.name) is not None and path.is_dir() and not path.is_symlink()


def local_time(text: str, *formats: str) -> datetime | None:
    """A time that a site wrote without its UTC offset: it gets that of the due date."""
    for form in formats:
        try:
            return datetime.strptime(text, form).replace(tzinfo=load_assignment().course.due.tzinfo)
        except ValueError:
            continue
    return None


def _canvas(path: Path) -> Upload | None:
    match = CANVAS.fullmatch(path.name)
    if match is None or path.is_dir():
        return None
    return Upload(
        "Canvas",
        match["id"] or match["anon"],
        safe_text(match["name"]),
        match["typed"] or CANVAS_COPY.sub("", match["file"]),
        path,
        number=int(match["number"] or 0),
        late=bool(match["late"] or match["late_anon"]),
        is_note=bool(match["typed"]),
    )


def _moodle(path: Path) -> Upload | None:
    match = MOODLE.fullmatch(path.name)
    if match is None:
        return None
    typed = "" if match["plugin"] == "file" else match["plugin"]
    return Upload("Moodle", match["id"], safe_text(match["name"]), match["file"] or typed, path, is_note=bool(typed))


def _d2l(path: Path) -> Upload | None:
    match = D2L.fullmatch(path.name)
    if match is None or bool(match["file"]) == path.is_dir():
        return None
    half, end = (f" {match['half']}M", " %I %M %p") if match["half"] else ("", " %H %M")
    when = local_time(
        f"{re.sub('[.,]', '', match['day'])} {match['hour']} {match['minute']}{half}",
        *(f"{day}{end}" for day in D2L_DAYS),
    )
    return Upload("D2L", match["id"], safe_text(match["name"]), match["file"] or "", path, when=when)


def _blackboard(path: Path) -> Upload | None:
    match = BLACKBOARD.fullmatch(path.name)
    if match is None or path.is_dir():
        return None
    when = local_time(match["when"], "%Y-%m-%d-%H-%M-%S")
    return Upload("Blackboard", match["id"], "", match["file"] or "", path, when=when, is_note=not match["file"])


def _ilias(path: Path) -> Upload | None:
    match = ILIAS.fullmatch(path.name)
    if match is None or not path.is_dir():
        return None
    team = path.parent.name if ILIAS_TEAM.fullmatch(path.parent.name) else ""
    return Upload("ILIAS", match["id"], safe_text(f"{match['first']} {match['last']}"), "", path, team=team)


def _with_ids_of_d2l(found: list[Upload]) -> list[Upload]:
    """A number that precedes several names is not a student's: then the name is."""
    names: dict[str, set[str]] = {}
    for upload in found:
        names.setdefault(upload.student, set()).add(upload.name)
    return [
        replace(upload, student=upload.name) if upload.site == "D2L" and len(names[upload.student]) > 1 else upload
        for upload in found
    ]


def _with_names_of_blackboard(found: Iterable[Upload]) -> list[Upload]:
    """Users by Blackboard's own notes: by the name of a file alone, a user with "_" in the name is cut short."""
    found, known = list(found), {}
    for upload in found:
        if upload.site == "Blackboard" and upload.is_note:
            with upload.path.open("rb") as file:
                text = file.read(10_000).decode("utf-8-sig", "replace")
            if match := BLACKBOARDS_NAME.match(text):
                known[_who(upload)] = (match["id"], safe_text(match["name"]))
    return [
        replace(upload, student=known[_who(upload)][0], name=known[_who(upload)][1])
        if upload.site == "Blackboard" and _who(upload) in known
        else upload
        for upload in found
    ]


def _who(upload: Upload) -> str:
    match = BLACKBOARD.fullmatch(upload.path.name)
    assert match is not None
    return match["who"]


def _with_files_of_ilias(found: Iterable[Upload]) -> Iterator[Upload]:
    """The files of a folder in which ILIAS has put the time of each in front of its name, one by one."""
    for upload in found:
        inside = visible(upload.path) if upload.site == "ILIAS" else []
        timed = [(path, match) for path in inside if (match := ILIAS_TIME.fullmatch(path.name)) is not None]
        if not timed or len(timed) < len(inside):
            yield upload
            continue
        for path, match in timed:
            yield replace(upload, file=match["file"], path=path, number=int(match["when"]))
