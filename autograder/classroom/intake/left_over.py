"""What is in a class's folder and in nobody's submission, each with its reason: nothing vanishes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from autograder.classroom.intake.entries import Entry, LeftOver, safe_text
from autograder.classroom.intake.sites import METADATA, is_archive, is_from_a_system, upload_of


def left_over(folder: Path, entries: Iterable[Entry]) -> list[LeftOver]:
    """Everything at the top of a folder that no entry holds. What is inside a submission, its own report lists.

    Args:
        folder: as given to `find_submissions`.
        entries: what that found.
    """
    owners = {path: entry for entry in entries for path in _paths_of(entry)}
    tops = {folder / path.relative_to(folder).parts[0] for path in owners if path.is_relative_to(folder)}
    is_gradescope = (folder / METADATA).is_file()
    found = []
    for path in sorted(folder.iterdir()):
        if path not in tops:
            name = f"{safe_text(path.name)}/" if path.is_dir() else safe_text(path.name)
            found.append(LeftOver(name, _reason(path, owners, is_gradescope=is_gradescope)))
    return found


def _paths_of(entry: Entry) -> Iterator[Path]:
    if entry.path is not None:
        yield entry.path
    yield from (path for _, path in entry.files)
    yield from entry.named_in_problem


def _reason(path: Path, owners: dict[Path, Entry], *, is_gradescope: bool) -> str:
    if path.name == METADATA:
        return "Gradescope's own list of the submissions"
    if is_from_a_system(path.name):
        return "hidden, or written by a system"
    if is_gradescope:
        return f"belongs to nobody: {METADATA} does not name it"
    upload = upload_of(path)
    if upload is not None and any(upload_of(owned) is not None for owned in owners):
        newer = [upload_of(owned) for owned in owners]
        if any(one and (one.student, one.file) == (upload.student, upload.file) for one in newer):
            return f"from {safe_text(upload.name or upload.student)}, who later uploaded a file of the same name"
        return f"from {safe_text(upload.name or upload.student)}: neither an archive nor a file of the homework"
    if any(upload_of(owned) is not None for owned in owners):
        return "belongs to nobody: its name is not of the form that the site gives, so it does not say whose it is"
    what = "an archive that cannot be opened" if is_archive(path.name) else "neither a folder nor an archive"
    return f"belongs to nobody: {what}. Put it into a folder that is named after its student"
