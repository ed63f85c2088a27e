"""The members of a submission: what one is, and which names are allowed (given; standard library only)."""

from __future__ import annotations

import re
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath

from hw4.handin.assignment import Submission
from hw4.handin.refusal import SubmissionRefused, unpacks_to_more_than

MAX_NAME_LENGTH = 255
MAX_ARCHIVE_BYTES = 500_000_000  # of an archive, and of what it unpacks to, with what is only skipped
TURNS_TEXT = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # its reading direction
PRIVATE_USE = 0xE000  # characters that no rule of Unicode changes
VERSION_FILE = "bundle_version.txt"  # which student bundle was worked with; in a zip that `submit` wrote
JUNK_FOLDERS = ("__MACOSX", "__pycache__")
JUNK_FILES = (".DS_Store", "Thumbs.db", "desktop.ini", "Icon\r")


@dataclass(frozen=True)
class Member:
    """One entry of a submission. `content` is empty where a folder on disk holds a file that nobody wants."""

    name: str  # "hw4/mpc.py": forward slashes, neither "." nor ".."
    content: bytes
    is_folder: bool = False
    problem: str = ""  # why a notebook's content was not read
    compared_as: str = ""  # in place of the name, if its letters are not known: see `legacy_name`

    @property
    def base_name(self) -> str:
        return PurePosixPath(self.name).name

    @property
    def folder(self) -> str:
        return self.name[: -len(self.base_name)]

    @property
    def is_junk(self) -> bool:
        *folders, base_name = PurePosixPath(self.name).parts
        return (
            base_name in JUNK_FILES
            or base_name.startswith("._")
            or any(folder in JUNK_FOLDERS or folder.startswith(".") for folder in folders)
        )


def checked_name(raw: str) -> str:
    """A member's name as forward-slashed parts; "" for the root folder itself."""
    if raw.startswith("/") or re.match(r"[A-Za-z]:", raw):
        raise SubmissionRefused("the name is absolute", where=raw)
    if "\\" in raw:
        raise SubmissionRefused("the name contains a backslash, which separates folders only on Windows", where=raw)
    parts = [part for part in raw.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise SubmissionRefused("the name climbs out of the archive with '..'", where=raw)
    name = "/".join(parts)
    if len(name) > MAX_NAME_LENGTH:
        raise SubmissionRefused(
            f"the name has {len(name)} characters; at most {MAX_NAME_LENGTH} are allowed", where=raw
        )
    visible = "/".join(parts[:-1]) if parts and parts[-1] in JUNK_FILES else name
    if any(unicodedata.category(char) in ("Cc", "Cs") or char in TURNS_TEXT for char in visible):
        raise SubmissionRefused("the name contains an invisible control character", where=raw)
    return name


def legacy_name(raw: bytes) -> tuple[str, str]:
    """A name in the letters of an unknown code page, as archives of Windows have it: to show, and to compare.

    In those of East Asia the byte of a backslash can be the second half of a letter. Only a slash is always a slash, so
    folders and the ASCII names of wanted files are found whatever the code page is.
    """
    letters = re.sub(rb"(?<=[\x80-\xff])\\", b"?", raw)
    parts = [
        part.decode() if part.isascii() else "".join(chr(PRIVATE_USE + byte) for byte in part)
        for part in raw.split(b"/")
    ]
    return letters.decode("cp437"), "/".join(parts)


def decoded_name(raw: bytes) -> tuple[str, str]:
    """A name to show, and what it is compared as if that is something else: UTF-8, or see `legacy_name`."""
    try:
        return raw.decode("utf-8"), ""
    except UnicodeDecodeError:
        return legacy_name(raw)


class Budget:
    """How many bytes of a submission are read at most. What is too much of notebooks costs nothing but them."""

    def __init__(self, rules: Submission) -> None:
        self._rules = rules
        self._notebooks = rules.max_notebook_bytes * len(rules.notebooks)
        self._others = rules.max_total_bytes

    def is_notebook(self, name: str) -> bool:
        return PurePosixPath(name).name in self._rules.notebooks

    def spend(self, name: str, size: int, archive_name: str) -> str:
        """Count a member in. Returns why it must not be read: only a notebook is ever left out.

        Raises:
            SubmissionRefused: everything but the notebooks is too large.
        """
        if not self.is_notebook(name):
            self._others -= size
            if self._others < 0:
                raise SubmissionRefused(unpacks_to_more_than(self._rules.max_total_bytes), where=archive_name)
            return ""
        if size > self._rules.max_notebook_bytes:
            return f"it is larger than {self._rules.max_notebook_bytes:,} bytes"
        if size > self._notebooks:
            return f"all notebooks together are larger than {self._notebooks:,} bytes"
        self._notebooks -= size
        return ""


def collision_key(name: str) -> str:
    """Names with the same key are one file on some system: case, Unicode form, trailing dots and spaces."""
    parts = unicodedata.normalize("NFKC", name).casefold().split("/")
    return unicodedata.normalize("NFKC", "/".join(part.rstrip(". ") for part in parts))


def refuse_colliding_names(entries: list[Member]) -> None:
    files: dict[str, str] = {}
    for entry in entries:
        if entry.is_folder:
            continue
        key = collision_key(entry.compared_as or entry.name)
        if key in files and files[key] == entry.name:
            raise SubmissionRefused("this name appears twice", where=entry.name)
        if key in files:
            raise SubmissionRefused(
                "the two names differ only in case or in their Unicode form, and are the same file on some systems",
                where=f"{files[key]} and {entry.name}",
            )
        files[key] = entry.name
    for entry in entries:
        path = PurePosixPath(collision_key(entry.compared_as or entry.name))
        for folder in (path, *path.parents) if entry.is_folder else path.parents:
            if str(folder) in files:
                raise SubmissionRefused("the name is both a file and a folder", where=files[str(folder)])


def kind_of_file(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    return "a device" if stat.S_ISBLK(mode) or stat.S_ISCHR(mode) else "a pipe or a socket"


def refuse_special_bits(mode: int, name: str) -> None:
    if mode & (stat.S_ISUID | stat.S_ISGID):
        raise SubmissionRefused("the file has setuid or setgid bits", where=name)
