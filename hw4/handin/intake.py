"""What may be handed in: one set of rules for `python -m hw4 submit` and for the grader (given; standard library only).

A submission is a folder, a .zip or a .tar.gz with the code files named in `assignment.toml`, and the notebooks if there
are any. Nothing is ever unpacked to disk, unpickled or run here. What is ambiguous or dangerous is refused, never
repaired; what an honest upload brings along (given files, a wrapping folder, what macOS adds) is ignored and listed.

All code files are in one folder, which may be called anything and takes the place of `hw4`. The file of a topic is in
the folder `topics` below it, or next to the other code files. Topics are optional: nothing is said of one that is
absent, and one in which nothing is written yet counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hw4.handin.answer_cells import notebook_notes
from hw4.handin.assignment import Assignment
from hw4.handin.code_files import (
    NOT_WHEN_GRADED,
    ForbiddenImport,
    SyntaxProblem,
    forbidden_imports_in,
    is_untouched,
    parse,
)
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
    missing: tuple[str, ...]  # required code files that are absent: graded as absent, not refused
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
            raise SubmissionRefused("there is no file or folder with this name", where=path.name, fix="Check the path")
    refuse_colliding_names(entries)
    members = [entry for entry in entries if not entry.is_folder]
    bundle_version = _bundle_version(members)
    members = [entry for entry in members if entry.name != VERSION_FILE]
    found, misplaced = _pick_wanted([member for member in members if not member.is_junk], assignment)
    ignored = [member for member in members if member not in found.values()]
    _refuse_wrong_content(found, assignment)
    untouched = [
        found.pop(name)
        for name in assignment.optional_code
        if name in found and is_untouched(name, found[name].content, assignment)
    ]
    code = {name: found[name].content for name in assignment.submission.code if name in found}
    notebooks = {name: found[name].content for name in assignment.submission.notebooks if name in found}
    syntax_errors: list[SyntaxProblem] = []
    forbidden_imports: list[ForbiddenImport] = []
    for name, content in code.items():
        tree = parse(name, content)
        if isinstance(tree, SyntaxProblem):
            syntax_errors.append(tree)
        else:
            forbidden_imports += forbidden_imports_in(name, tree, assignment)
    missing = tuple(name for name in assignment.required_code if name not in code)
    return Intake(
        files={**code, **notebooks},
        missing=missing,
        ignored=tuple(sorted(shown(member.name) for member in (*ignored, *untouched))),
        syntax_errors=tuple(syntax_errors),
        forbidden_imports=tuple(forbidden_imports),
        notes=(
            *(f"{name} is missing: everything in it counts as not started" for name in missing),
            *notebook_notes(notebooks, assignment),
            *_ignored_notes(ignored, untouched, misplaced, [*code], assignment),
        ),
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


@dataclass(frozen=True)
class _Candidate:
    """A member with the name of a code file."""

    member: Member
    name: str  # as in assignment.toml
    root: str  # the folder that would take the place of hw4
    is_flat: bool = False  # a topic's file that is not in the folder `topics`


def _pick_wanted(members: list[Member], assignment: Assignment) -> tuple[dict[str, Member], dict[str, str]]:
    """The wanted files by name, and what was probably meant by topics' files in the wrong folder.

    Returns:
        code file or notebook -> member; name of another member -> code file that it was probably meant to be.
    """
    rules = assignment.submission
    candidates = [candidate for member in members if (candidate := _candidate(member, rules.code)) is not None]
    inner = next((member.name for member in members if member.name.lower().endswith(ARCHIVE_SUFFIXES)), None)
    if inner is not None:
        raise SubmissionRefused(
            "an archive inside the submission is not opened",
            where=inner,
            fix="Leave it out, so that it is clear what you hand in"
            if candidates
            else "Hand in the inner archive itself",
        )
    if not candidates:
        raise nothing_found(_renamed(members, assignment), assignment)
    code, misplaced = _code_files(candidates)
    found = {candidate.name: candidate.member for candidate in code}
    for notebook in rules.notebooks:
        copies = [member for member in members if member.base_name == notebook]
        if len({member.content for member in copies}) > 1:
            where = " and ".join(member.name for member in copies[:2])
            raise SubmissionRefused("two different notebooks have this name", where=where, fix="Keep one of them")
        if copies:
            found[notebook] = copies[0]
    return found, {candidate.member.name: candidate.name for candidate in misplaced}


def _candidate(member: Member, code: tuple[str, ...]) -> _Candidate | None:
    """The code file whose name a member has, if any: at its place below some folder, or a topic's file elsewhere."""
    for name in sorted(code, key=len, reverse=True):  # "topics/NAME.py" before any "NAME.py"
        if f"/{member.name}".endswith(f"/{name}"):
            return _Candidate(member, name, member.name[: -len(name)])
    flat = next((name for name in code if PurePosixPath(name).name == member.base_name), None)
    return None if flat is None else _Candidate(member, flat, member.folder, is_flat=True)


def _code_files(candidates: list[_Candidate]) -> tuple[list[_Candidate], list[_Candidate]]:
    """The candidates that are meant, and the files of topics that are in some other folder.

    Raises:
        SubmissionRefused: nothing says which candidates are meant.
    """
    roots = {candidate.root for candidate in candidates if not candidate.is_flat}
    candidates = [candidate for candidate in candidates if not _is_given(candidate, roots)]
    at_place = [candidate for candidate in candidates if not candidate.is_flat] or candidates
    first_of_root = {candidate.root: candidate.member for candidate in reversed(at_place)}
    if len(first_of_root) > 1:
        one, other = sorted(member.name for member in first_of_root.values())[:2]
        raise SubmissionRefused(
            "there are code files in two different folders, and it is not clear which ones you mean",
            where=f"{one} and {other}",
            fix="Keep one folder",
        )
    meant: dict[str, _Candidate] = {}
    for candidate in sorted(candidates, key=lambda candidate: candidate.is_flat):
        if candidate.root not in first_of_root:
            continue
        other_copy = meant.setdefault(candidate.name, candidate)
        if other_copy.member.content != candidate.member.content:
            where = f"{other_copy.member.name} and {candidate.member.name}"
            raise SubmissionRefused("two different files are for the same topic", where=where, fix="Keep one of them")
    return [*meant.values()], [candidate for candidate in candidates if candidate.root not in first_of_root]


def _is_given(candidate: _Candidate, roots: set[str]) -> bool:
    """Whether this is one of the given files that share a name with a code file, such as checking/examples/mpc.py."""
    below = [candidate.root.removeprefix(root) for root in roots if candidate.root.startswith(root)]
    return any(folder.partition("/")[0] in NOT_WHEN_GRADED for folder in below)


def nothing_found(where: str, assignment: Assignment) -> SubmissionRefused:
    names = ", ".join(assignment.required_code)
    return SubmissionRefused(f"none of the code files was found ({names})", where=where)


def _renamed(members: Iterable[Member], assignment: Assignment) -> str:
    """The first member that looks like a code file under another name, or "the submission"."""
    for member in members:
        if _likely_meant(member.base_name, assignment) is not None:
            return member.name
    return "the submission"


def _likely_meant(base_name: str, assignment: Assignment) -> str | None:
    """ "mpc (1).py", "MPC.py" and "mpc.py.txt" are not mpc.py, but were probably meant to be."""
    plain = re.sub(r"[ _-]*(\(\d+\)|copy|final)|\.txt$", "", base_name.casefold())
    names = {PurePosixPath(name).name: name for name in assignment.submission.code}
    return names.get(plain) if base_name != plain else None


def _refuse_wrong_content(found: dict[str, Member], assignment: Assignment) -> None:
    limit = assignment.submission.max_file_bytes
    for member in found.values():
        if len(member.content) > limit:
            raise SubmissionRefused(
                f"the file is larger than {limit:,} bytes",
                where=member.name,
                fix="Clear the notebook's large outputs" if member.name.endswith(".ipynb") else "Hand in code only",
            )
        what = next((what for magic, what in ARCHIVE_MAGIC.items() if member.content.startswith(magic)), None)
        if what is not None:
            raise SubmissionRefused(f"the file is {what} under another name", where=member.name)


def _ignored_notes(
    ignored: list[Member], untouched: list[Member], misplaced: dict[str, str], taken: list[str], assignment: Assignment
) -> Iterator[str]:
    """What is worth knowing of the members that are not graded."""
    if untouched:
        names = ", ".join(shown(member.name) for member in untouched)
        counts = "it counts" if len(untouched) == 1 else "they count"
        yield f"nothing is written in {names} yet: {counts} as not handed in"
    for member in ignored:
        meant = misplaced.get(member.name) or _likely_meant(member.base_name, assignment)
        if meant is not None and meant not in taken and not member.is_junk:
            yield f"{shown(member.name)} is ignored: rename it to {meant} if you meant that"
    others = sum(not member.is_junk for member in ignored)
    if others:
        files = "1 other file is" if others == 1 else f"{others} other files are"
        yield f"{files} ignored: the grader copies only {', '.join(taken)} into a fresh copy of the given files"
