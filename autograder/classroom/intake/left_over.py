"""What is in a class's folder and in nobody's submission, each with its reason: nothing vanishes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from autograder.classroom.intake.entries import Entry, LeftOver, safe_text
from autograder.classroom.intake.site_names import D2LS_PAGE, Upload, is_from_a_system, visible
from autograder.classroom.intake.sites import METADATA, class_folder, containers, is_archive, uploads
from hw4.handin.assignment import load_assignment


def left_over(folder: Path, entries: Iterable[Entry]) -> list[LeftOver]:
    """Everything in a folder that no entry holds. What is inside a submission, its own report lists.

    Args:
        folder: as given to `find_submissions`.
        entries: what that found.
    """
    owned = {path for entry in entries for path in _paths_of(entry)}
    inner = class_folder(folder)
    known = {} if (folder / METADATA).is_file() else {upload.path: upload for upload in uploads(inner)}
    files = {path for path, upload in known.items() if upload.site == "ILIAS" and not path.is_dir()}
    around = containers(folder) | {path.parent for path in files}
    found = []
    for path in _unowned(folder, owned, around):
        name = safe_text(path.relative_to(folder))
        found.append(LeftOver(f"{name}/" if path.is_dir() else name, _reason(path, folder, owned, known)))
    return found


def _unowned(folder: Path, owned: set[Path], around: set[Path]) -> Iterator[Path]:
    """What is in nobody's submission, at the top of a folder or of those in it that are nobody's."""
    parents = {parent for path in owned for parent in path.parents}
    for path in sorted(folder.iterdir()):
        if path in around:
            yield from _unowned(path, owned, around)
        elif path not in owned and path not in parents:
            yield path


def _paths_of(entry: Entry) -> Iterator[Path]:
    if entry.path is not None:
        yield entry.path
    yield from (path for _, path in entry.files)
    yield from entry.named_in_problem


def _reason(path: Path, folder: Path, owned: set[Path], known: dict[Path, Upload]) -> str:
    if path.name == METADATA:
        return "Gradescope's own list of the submissions"
    if is_from_a_system(path.name):
        return "hidden, or written by a system"
    if (folder / METADATA).is_file():
        return f"belongs to nobody: {METADATA} does not name it"
    if upload := known.get(path):
        who = safe_text(upload.name or upload.student)
        if upload.is_note and upload.site == "Blackboard":
            return f"Blackboard's own note of what {who} handed in"
        if path.is_dir() and not visible(path):
            return f"from {who}: the folder is empty"
        counted = {one.file for one in known.values() if one.path in owned and one.student == upload.student}
        if upload.file in counted or path.is_dir() or upload.when is not None:
            attempts = load_assignment().policies.attempts
            return f'from {who}: not the attempt that counts (`attempts = "{attempts}"` in assignment.toml)'
        return f"from {who}: neither an archive nor a file of the homework"
    if path.name == D2LS_PAGE and any(upload.site == "D2L" for upload in known.values()):
        return "Brightspace's own list of the submissions"
    if known:
        return "belongs to nobody: its name is not of the form that the site gives, so it does not say whose it is"
    what = "an archive that cannot be opened" if is_archive(path.name) else "neither a folder nor an archive"
    return f"belongs to nobody: {what}. Put it into a folder that is named after its student"
