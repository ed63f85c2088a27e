"""What may be handed in: one set of rules for `python -m hw4 submit` and for the grader (given; standard library only).

A submission is a folder, a .zip or a .tar.gz with the code files named in `assignment.toml`, and the notebooks if there
are any. Nothing is ever unpacked to disk, unpickled or run here. What is ambiguous or dangerous is refused, never
repaired; what an honest upload brings along (given files, a wrapping folder, what macOS adds) is ignored and listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hw4.handin.answer_cells import notebook_notes
from hw4.handin.assignment import Assignment
from hw4.handin.code_files import ForbiddenImport, SyntaxProblem, forbidden_imports_in, parse
from hw4.handin.folder_reader import folder_members
from hw4.handin.members import VERSION_FILE, Member, refuse_colliding_names
from hw4.handin.refusal import SubmissionRefused, readable, shown
from hw4.handin.tar_reader import tar_members
from hw4.handin.update import VERSION
from hw4.handin.zip_reader import zip_members

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar", ".gz")
ARCHIVE_MAGIC = {
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "an empty zip archive",
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ\x00": "an xz file",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
}


@dataclass(frozen=True)
class Intake:
    """What an accepted submission holds."""

    files: dict[str, bytes]  # the code files and notebooks that are present, named as in assignment.toml
    missing: tuple[str, ...]  # code files that are absent: graded as absent, not refused
    ignored: tuple[str, ...]  # every other member, by its name in the submission
    syntax_errors: tuple[SyntaxProblem, ...]
    forbidden_imports: tuple[ForbiddenImport, ...]
    notes: tuple[str, ...]
    bundle_version: str = ""  # as the submission says; "" if it does not


def read_submission(path: Path, assignment: Assignment) -> Intake:
    """Read a folder, a .zip or a .tar.gz.

    Raises:
        SubmissionRefused: the same, in verdict and reason, for the student and for the grader.
    """
    with readable(path.name):
        if path.is_dir():
            entries = list(folder_members(path, assignment))
        elif path.is_file():
            entries = list(_archive_members(path, assignment))
        else:
            raise SubmissionRefused("there is no file or folder of this name", where=path.name, mend="Look at the path")
    refuse_colliding_names(entries)
    members = [entry for entry in entries if not entry.is_folder]
    bundle_version = _bundle_version(members)
    members = [entry for entry in members if entry.name != VERSION_FILE]
    found, ignored = _pick_wanted(members, assignment)
    code = {name: found[name].content for name in assignment.submission.code if name in found}
    notebooks = {name: found[name].content for name in assignment.submission.notebooks if name in found}
    _refuse_wrong_content(found, assignment)
    syntax_errors: list[SyntaxProblem] = []
    forbidden_imports: list[ForbiddenImport] = []
    for name, content in code.items():
        tree = parse(name, content)
        if isinstance(tree, SyntaxProblem):
            syntax_errors.append(tree)
        else:
            forbidden_imports += forbidden_imports_in(name, tree, assignment)
    missing = tuple(name for name in assignment.submission.code if name not in code)
    return Intake(
        files={**code, **notebooks},
        missing=missing,
        ignored=tuple(sorted(shown(member.name) for member in ignored)),
        syntax_errors=tuple(syntax_errors),
        forbidden_imports=tuple(forbidden_imports),
        notes=tuple(_notes(missing, notebooks, ignored, assignment)),
        bundle_version=bundle_version,
    )


def _bundle_version(members: Iterable[Member]) -> str:
    """What `submit` wrote down, if it looks like a version: nothing is graded by it."""
    content = next((member.content for member in members if member.name == VERSION_FILE), b"")
    found = VERSION.fullmatch(content[:100].decode("ascii", errors="replace").strip())
    return found[0] if found else ""


def _archive_members(path: Path, assignment: Assignment) -> Iterator[Member]:
    limit = assignment.submission.max_total_bytes
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise SubmissionRefused(f"the file has more than {limit:,} bytes", where=path.name)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return zip_members(data, path.name, assignment)
    if data.startswith(b"\x1f\x8b"):
        return tar_members(data, path.name, assignment)
    what = next((what for magic, what in ARCHIVE_MAGIC.items() if data.startswith(magic)), None)
    reason = f"this is {what}, not a .zip or .tar.gz" if what else "this is not a .zip or .tar.gz archive"
    raise SubmissionRefused(reason if data else "the file is empty", where=path.name)


def _pick_wanted(members: list[Member], assignment: Assignment) -> tuple[dict[str, Member], list[Member]]:
    """The wanted files by name, and all others."""
    rules = assignment.submission
    useful = [member for member in members if not member.is_junk]
    code = [member for member in useful if member.base_name in rules.code]
    inner = next((member.name for member in useful if member.name.lower().endswith(ARCHIVE_SUFFIXES)), None)
    if inner is not None:
        raise SubmissionRefused(
            "an archive inside the submission is not opened",
            where=inner,
            mend="Leave it out, so that it is clear what you hand in" if code else "Hand in the inner archive itself",
        )
    first_of_folder = {member.folder: member for member in reversed(code)}
    if len(first_of_folder) > 1:
        one, other = sorted(member.name for member in first_of_folder.values())[:2]
        raise SubmissionRefused(
            "code files lie in two different folders, and nothing says which are meant",
            where=f"{one} and {other}",
            mend="Keep one folder",
        )
    if not code:
        raise nothing_found(_renamed(useful, assignment), assignment)
    found = {member.base_name: member for member in code}
    for notebook in rules.notebooks:
        copies = [member for member in useful if member.base_name == notebook]
        if len({member.content for member in copies}) > 1:
            where = " and ".join(member.name for member in copies[:2])
            raise SubmissionRefused("two different notebooks have this name", where=where, mend="Keep one of them")
        if copies:
            found[notebook] = copies[0]
    return found, [member for member in members if member not in found.values()]


def nothing_found(where: str, assignment: Assignment) -> SubmissionRefused:
    names = ", ".join(assignment.submission.code)
    return SubmissionRefused(f"none of the code files is there ({names})", where=where)


def _renamed(members: Iterable[Member], assignment: Assignment) -> str:
    """The first member that looks like a code file under another name, or "the submission"."""
    for member in members:
        if _likely_meant(member.base_name, assignment) is not None:
            return member.name
    return "the submission"


def _likely_meant(base_name: str, assignment: Assignment) -> str | None:
    """ "mpc (1).py", "MPC.py" and "mpc.py.txt" are not mpc.py, but were probably meant to be."""
    plain = re.sub(r"[ _-]*(\(\d+\)|copy|final)|\.txt$", "", base_name.casefold())
    return plain if plain in assignment.submission.code and base_name != plain else None


def _refuse_wrong_content(found: dict[str, Member], assignment: Assignment) -> None:
    limit = assignment.submission.max_file_bytes
    for member in found.values():
        if len(member.content) > limit:
            raise SubmissionRefused(
                f"the file is larger than {limit:,} bytes",
                where=member.name,
                mend="Clear the notebook's large outputs" if member.name.endswith(".ipynb") else "Hand in code only",
            )
        what = next((what for magic, what in ARCHIVE_MAGIC.items() if member.content.startswith(magic)), None)
        if what is not None:
            raise SubmissionRefused(f"the file is {what} under another name", where=member.name)


def _notes(
    missing: tuple[str, ...], notebooks: dict[str, bytes], ignored: list[Member], assignment: Assignment
) -> Iterator[str]:
    rules = assignment.submission
    for name in missing:
        yield f"{name} is missing: everything in it is graded as absent"
    yield from notebook_notes(notebooks, assignment)
    for member in ignored:
        meant = _likely_meant(member.base_name, assignment)
        if meant in missing and not member.is_junk:
            yield f"{shown(member.name)} is ignored: rename it to {meant} if you meant that"
    others = sum(not member.is_junk for member in ignored)
    if others:
        files = "1 other file is" if others == 1 else f"{others} other files are"
        yield f"{files} ignored: the grader puts {', '.join(rules.code)} into a fresh copy of the given files"
