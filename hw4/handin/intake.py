"""What may be handed in: one set of rules for `python -m hw4 submit` and for the grader (given; standard library only).

A submission is a folder, a .zip or a .tar.gz with the code files named in `assignment.toml`, and the notebooks if there
are any. Nothing is ever unpacked to disk, unpickled or run here. What is ambiguous or dangerous is refused, never
repaired; what an honest upload brings along (given files, a wrapping folder, what macOS adds) is ignored and listed.
A notebook that cannot be read never keeps the code from being graded: it is named, with the place of the original.

All code files are in one folder, which may be called anything and takes the place of `hw4`. The file of a topic is in
the folder `topics` below it, or next to the other code files. Topics are optional: nothing is said of one that is
absent, and one in which nothing is written yet counts as absent.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hw4.handin.answer_cells import MAKE_SMALLER, SAVE_AGAIN, UnreadNotebook, notebook_notes, unreadable
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
from hw4.handin.look_alikes import look_alikes, notes_on_look_alikes, question
from hw4.handin.members import MAX_ARCHIVE_BYTES, VERSION_FILE, Member, refuse_colliding_names
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
    unread_notebooks: tuple[UnreadNotebook, ...] = ()  # the code is graded all the same


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
    found, misplaced = _pick_code([member for member in members if not member.is_junk], assignment)
    _refuse_wrong_content(found, assignment)
    untouched = [
        found.pop(name)
        for name in assignment.optional_code
        if name in found and is_untouched(name, found[name].content, assignment)
    ]
    code = {name: found[name].content for name in assignment.submission.code if name in found}
    notebooks, unread = _notebooks(members, assignment)
    taken = {id(member) for member in (*found.values(), *notebooks.values())}
    named = {problem.file for problem in unread}
    ignored = [m for m in members if id(m) not in taken and (m.is_junk or m.base_name not in named)]
    syntax_errors: list[SyntaxProblem] = []
    forbidden_imports: list[ForbiddenImport] = []
    for name, content in code.items():
        tree = parse(name, content, assignment.submission.python)
        if isinstance(tree, SyntaxProblem):
            syntax_errors.append(tree)
        else:
            forbidden_imports += forbidden_imports_in(name, tree, assignment)
    missing = tuple(name for name in assignment.required_code if name not in code)
    others = [member for member in ignored if not member.is_junk and member not in untouched]
    alike = look_alikes((member.name for member in others), assignment)
    return Intake(
        files={**code, **{name: member.content for name, member in notebooks.items()}},
        missing=missing,
        ignored=tuple(sorted(shown(member.name) for member in ignored)),
        syntax_errors=tuple(syntax_errors),
        forbidden_imports=tuple(forbidden_imports),
        notes=(
            *(_missing_note(name, alike) for name in missing),
            *notebook_notes({name: member.content for name, member in notebooks.items()}, unread, alike, assignment),
            *_ignored_notes(others, untouched, misplaced, alike, missing, [*code, *notebooks], assignment),
        ),
        bundle_version=bundle_version,
        unread_notebooks=unread,
    )


def _missing_note(name: str, alike: dict[str, list[str]]) -> str:
    ask = f"; {question(alike[name], name)}" if name in alike else ""
    return f"{name} is missing: everything in it counts as not started{ask}"


def _bundle_version(members: Iterable[Member]) -> str:
    """What `submit` wrote down, if it looks like a version: nothing is graded by it."""
    content = next((member.content for member in members if member.name == VERSION_FILE), b"")
    found = VERSION.fullmatch(content[:100].decode("ascii", errors="replace").strip())
    return found[0] if found else ""


def _archive_members(path: Path, assignment: Assignment) -> Iterator[Member]:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_ARCHIVE_BYTES:
            raise SubmissionRefused(f"the file has more than {MAX_ARCHIVE_BYTES:,} bytes", where=path.name)
        data = file.read(size)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return zip_members(data, path.name, assignment)
    if data.startswith(b"\x1f\x8b"):
        return tar_members(data, path.name, assignment)
    what = _kind_of_archive(data)
    reason = f"this is {what}, not a .zip or .tar.gz" if what else "this is not a .zip or .tar.gz archive"
    raise SubmissionRefused(reason if data else "the file is empty", where=path.name)


@dataclass(frozen=True)
class _Candidate:
    """A member with the name of a code file."""

    member: Member
    name: str  # as in assignment.toml
    root: str  # the folder that would take the place of hw4
    is_flat: bool = False  # a topic's file that is not in the folder `topics`


def _pick_code(members: list[Member], assignment: Assignment) -> tuple[dict[str, Member], dict[str, str]]:
    """The code files by name, and what was probably meant by topics' files in the wrong folder.

    Returns:
        code file -> member; name of another member -> code file that it was probably meant to be.
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
        raise nothing_found([member.name for member in members], "the submission", assignment)
    code, misplaced = _code_files(candidates)
    found = {candidate.name: candidate.member for candidate in code}
    return found, {candidate.member.name: candidate.name for candidate in misplaced}


def _notebooks(members: list[Member], assignment: Assignment) -> tuple[dict[str, Member], tuple[UnreadNotebook, ...]]:
    """The notebooks by name, and those that are there but cannot be read, which costs nothing but written points."""
    found: dict[str, Member] = {}
    unread = []
    for name in assignment.submission.notebooks:
        copies = [member for member in members if member.base_name == name and not member.is_junk]
        where = " and ".join(shown(member.name) for member in copies[:2])
        if len({(member.content, member.problem) for member in copies}) > 1:
            unread.append(UnreadNotebook(name, where, "two different notebooks have this name", "keep one of them"))
        elif copies and copies[0].problem:
            unread.append(UnreadNotebook(name, shown(copies[0].name), copies[0].problem, MAKE_SMALLER))
        elif copies:
            found[name] = copies[0]
            what = _kind_of_archive(copies[0].content)
            problem = f"it is {what} under another name" if what else unreadable(copies[0].content)
            if problem:
                unread.append(UnreadNotebook(name, shown(copies[0].name), problem, SAVE_AGAIN))
    return found, tuple(unread)


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


def nothing_found(names: Iterable[str], where: str, assignment: Assignment) -> SubmissionRefused:
    """The refusal of a submission without code.

    Args:
        names: of the files that are there.
        where: what is named if none of them looks like a code file.
        assignment: names the code files.
    """
    wanted = ", ".join(assignment.required_code)
    alike = look_alikes(names, assignment)
    code = [(name, alike[name]) for name in assignment.submission.code if name in alike]
    reason = f"none of the code files was found ({wanted})"
    if not code:
        return SubmissionRefused(reason, where=where)
    questions = "; ".join(question(others, name) for name, others in code)
    return SubmissionRefused(reason, where=code[0][1][0], fix=questions[0].upper() + questions[1:])


def _refuse_wrong_content(found: dict[str, Member], assignment: Assignment) -> None:
    limit = assignment.submission.max_file_bytes
    for member in found.values():
        if len(member.content) > limit:
            raise SubmissionRefused(
                f"the file is larger than {limit:,} bytes",
                where=member.name,
                fix="Hand in code only",
            )
        if what := _kind_of_archive(member.content):
            raise SubmissionRefused(f"the file is {what} under another name", where=member.name)


def _kind_of_archive(content: bytes) -> str:
    return next((what for magic, what in ARCHIVE_MAGIC.items() if content.startswith(magic)), "")


def _ignored_notes(
    others: list[Member],
    untouched: list[Member],
    misplaced: dict[str, str],
    alike: dict[str, list[str]],
    missing: tuple[str, ...],
    taken: list[str],
    assignment: Assignment,
) -> Iterator[str]:
    """What is worth knowing of the members that are not graded."""
    if untouched:
        names = ", ".join(shown(member.name) for member in untouched)
        counts = "it counts" if len(untouched) == 1 else "they count"
        yield f"nothing is written in {names} yet: {counts} as not handed in"
    for name, meant in misplaced.items():
        if meant not in taken:
            yield f"{shown(name)} is ignored: rename it to {meant} if you meant that"
    required = {name for name in assignment.submission.notebooks if name not in assignment.optional_notebooks}
    yield from notes_on_look_alikes(alike, taken, {*missing, *required})
    if others:
        files = "1 other file is" if len(others) == 1 else f"{len(others)} other files are"
        code = [name for name in taken if name in assignment.submission.code]
        yield f"{files} ignored: the grader copies only {', '.join(code)} into a fresh copy of the given files"
