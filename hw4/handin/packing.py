"""Writes the zip that is handed in (given; standard library only)."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from hw4.handin.answer_cells import is_unused
from hw4.handin.assignment import Assignment, load_assignment
from hw4.handin.at_once import write_at_once
from hw4.handin.code_files import is_untouched
from hw4.handin.intake import nothing_found
from hw4.handin.look_alikes import look_alikes, names_on_disk, notes_on_look_alikes
from hw4.handin.members import VERSION_FILE
from hw4.handin.refusal import SubmissionRefused, readable, shown
from hw4.handin.update import installed_version, is_as_released


def write_submission(
    hw4_folder: Path, notebooks_folder: Path | None, target: Path, assignment: Assignment | None = None
) -> Path:
    """Write the canonical zip: sorted names, fixed times, stored, so the same files give the same bytes everywhere.

    The file of a topic in which nothing is written is left out, and so is a topic's notebook that was not run and in
    which nothing is answered.

    Args:
        hw4_folder: holds the code files.
        notebooks_folder: the notebooks are in it or in its subfolders; None hands in none.
        target: the zip to write; overwritten.
        assignment: names the files; `assignment.toml` by default.

    Raises:
        SubmissionRefused: there is no code file to hand in, or a notebook appears twice.
    """
    assignment = assignment or load_assignment()
    contents = _read({name: hw4_folder / name for name in assignment.submission.code if (hw4_folder / name).is_file()})
    for name in assignment.optional_code:
        if name in contents and is_untouched(name, contents[name], assignment):
            del contents[name]
    if not contents:
        raise nothing_found(names_on_disk(hw4_folder, notebooks_folder, assignment), hw4_folder.name, assignment)
    if notebooks_folder is not None:
        notebooks = _read(_notebooks_below(notebooks_folder, assignment))
        unused = {name for name in assignment.optional_notebooks if name in notebooks and is_unused(notebooks[name])}
        contents |= {name: content for name, content in notebooks.items() if name not in unused}
    if version := installed_version(hw4_folder.parent):
        contents[VERSION_FILE] = f"{version}\n".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, on Windows too
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, contents[name])
    write_at_once(target, buffer.getvalue())
    return target


def notes_on_the_folder(
    hw4_folder: Path, notebooks_folder: Path | None, packed: Iterable[str], assignment: Assignment
) -> list[str]:
    """What was not packed, but was probably meant to be: the zip itself cannot say it.

    Args:
        hw4_folder: as for `write_submission`.
        notebooks_folder: as for `write_submission`; a folder that is not there holds nothing.
        packed: names of the files in the zip.
        assignment: names the files.
    """
    names = names_on_disk(hw4_folder, notebooks_folder, assignment)
    alike = look_alikes(names, assignment)
    notes = list(notes_on_look_alikes(alike, packed, ()))
    for name in names:
        base_name = PurePosixPath(name).name
        is_left_out = base_name in assignment.optional_notebooks and base_name not in packed
        is_unknown = base_name.endswith(".ipynb") and base_name not in assignment.submission.notebooks
        if is_left_out and _was_changed(hw4_folder.parent, name):
            notes.append(f"{shown(name)} is not handed in, because it was not run: run all its cells and save")
        elif is_unknown and not any(name in others for others in alike.values()):
            notes.append(f"{shown(name)} is not handed in: no notebook of the homework is called that")
    return notes


def _was_changed(root: Path, name: str) -> bool:
    """Whether a file is not as it was released, or cannot be read."""
    try:
        return not is_as_released(root, name, (root / name).read_bytes())
    except OSError:
        return True


def _read(files: dict[str, Path]) -> dict[str, bytes]:
    contents = {}
    for name, path in files.items():
        with readable(name):
            contents[name] = path.read_bytes()
    return contents


def _notebooks_below(folder: Path, assignment: Assignment) -> dict[str, Path]:
    found = {}
    for name in assignment.submission.notebooks:
        places = [
            place
            for place in sorted(folder.rglob(name))
            if not any(part.startswith(".") for part in place.relative_to(folder).parts)  # Jupyter's checkpoints
        ]
        if len(places) > 1:
            where = " and ".join(place.relative_to(folder).as_posix() for place in places[:2])
            raise SubmissionRefused(
                "the same notebook name appears twice", where=where, fix="Keep the one you worked in"
            )
        if places:
            found[name] = places[0]
    return found
