"""Fixes handed-in notebooks, files them into nbgrader's `submitted/`, and says what was done to which cell.

The release notebook is the truth: cells that students must not change are restored from it, answers that are missing
are put back empty, and every cell's metadata is the release's. What is left of the student's is text, plain-text
outputs and pictures: nothing that a browser would run when a TA opens formgrader or a student opens the feedback.
Nothing is executed here, and whatever a notebook holds, the others of the student and of the class are filed. The
command is `autograder file-notebooks`.
"""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from autograder.classroom.intake.entries import Entry, OwnerUnclear
from autograder.classroom.intake.submissions import read_entry
from autograder.classroom.marks.notebook_pictures import MAX_PICTURES, PicturesOfACell, pictures_in
from autograder.classroom.marks.spreadsheet import guarded
from autograder.files import write_at_once
from hw4.handin.assignment import Assignment, load_assignment
from hw4.handin.refusal import SubmissionRefused

ASSIGNMENT_ID = "hw4"  # nbgrader's name of the homework
STUDENT_ID = re.compile(r"[A-Za-z0-9_@-][A-Za-z0-9_.@-]{0,99}")  # what may be a folder's name and what nbgrader allows

MAX_SOURCE = 20_000  # characters of a cell
MAX_TEXT = 20_000  # characters of all text outputs of a cell
MAX_OWN_CELLS = 100  # that a student added

CONTROL = re.compile("[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]")  # but for tab, newline and the escape of colours
BARE_ADDRESS = re.compile(r"(?i)(?<=:)(?=//)|(?<=\bwww)(?=\.)")  # what readers of Markdown make a link of
INVISIBLE = "\N{ZERO WIDTH SPACE}"
TAG = re.compile(r"<(?=[A-Za-z/!?])")  # begins HTML or an autolink in Markdown
NAME_OF_AN_OBJECT = re.compile(r"\s*(<.*>)?\s*")  # all that the text of a rich output says if it says nothing
LINK = re.compile(r"\](?=[(\[:])")  # [text](target), [text][name], [name]: target; pictures too, which are fetched
MATH_LINK = re.compile(
    r"\\(?=(?:href|require|class|cssId|style|data)\b)"
)  # MathJax puts these into the page as they are


@dataclass(frozen=True)
class Change:
    """One thing that a TA should know about a notebook that was filed."""

    student: str
    notebook: str  # "" if it is about the whole submission
    cell: str  # the cell's name in the release; "" if it is about the whole notebook
    what: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.student, self.notebook, self.cell, self.what) if part)


@dataclass(frozen=True)
class Restored:
    """A notebook fit for nbgrader, and (cell, what was done) for each thing that was fixed."""

    notebook: dict[str, Any]
    changes: tuple[tuple[str, str], ...]


def file_class(entries: Iterable[Entry], course: Path, assignment: Assignment | None = None) -> tuple[Change, ...]:
    """File the notebooks of a whole class: of a group for each of its members, and of several attempts the last.

    Args:
        entries: as `find_submissions` gives them.
        course: nbgrader's course directory; the release notebooks are in it.
        assignment: names the notebooks; `assignment.toml` by default.

    Returns:
        What was fixed, in order. Nothing in a submission raises an exception.
    """
    return tuple(
        change
        for entry in entries
        if entry.path is not None and entry.attempt_of in ("", entry.student)
        for person in entry.people
        for change in file_submission(person.id, entry, course, assignment)
    )


def file_submission(
    student: str, entry: Entry, course: Path, assignment: Assignment | None = None
) -> tuple[Change, ...]:
    """Write `submitted/STUDENT/hw4/NAME.ipynb` for every notebook of the homework, in place of what was there.

    A notebook that is missing or unreadable is filed as the release, whose answers are empty. An optional one that is
    missing is not filed, and not mentioned.
    """
    assignment = assignment or load_assignment()
    if not STUDENT_ID.fullmatch(student):
        return (Change(repr(student), "", "", "not filed: a student id may contain only letters, digits and - _ . @"),)
    try:
        intake = read_entry(entry, assignment)
    except SubmissionRefused as refused:
        says = f"not filed: the submission was refused: {refused.reason}. It is {entry.place}"
        return (Change(student, "", "", says),)
    except OwnerUnclear as unclear:
        return (Change(student, "", "", f"not filed: {unclear}"),)
    files, unread = intake.files, {problem.file: problem for problem in intake.unread_notebooks}
    changes = []
    folder = course / "submitted" / student / ASSIGNMENT_ID
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in assignment.submission.notebooks:
        if name in assignment.optional_notebooks and name not in files and name not in unread:
            continue
        release = json.loads((course / "release" / ASSIGNMENT_ID / name).read_text(encoding="utf-8"))
        why = f"unreadable ({unread[name].reason})" if name in unread else "not handed in"
        restored = restore(files.get(name), release, why_absent=why)
        write_at_once(folder / name, (json.dumps(restored.notebook, indent=1, sort_keys=True) + "\n").encode())
        changes += [Change(student, name, cell, what) for cell, what in restored.changes]
        if name in unread:
            changes.append(Change(student, name, "", f"look at the original: {unread[name].where} in {entry.place}"))
    return tuple(changes)


def restore(content: bytes | None, release: dict[str, Any], why_absent: str = "not handed in") -> Restored:
    """A notebook with the release's structure and the student's answers.

    Args:
        content: the file as it was handed in; None if it was not.
        release: the release notebook (nbformat 4), as JSON. It is left unchanged.
        why_absent: what to say where there is no file.
    """
    if content is None:
        return Restored(copy.deepcopy(release), (("", f"{why_absent}: filed as an empty notebook"),))
    try:
        handed_in = _read(content)
    except ValueError as error:
        return Restored(
            copy.deepcopy(release), (("", f"unreadable ({error}): filed as an empty notebook, look at it"),)
        )
    return _Mending(handed_in, release).run()


def _read(content: bytes) -> dict[str, Any]:
    """Raises ValueError, with a reason in the grader's own words."""
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8 text") from error
    except (ValueError, RecursionError) as error:
        raise ValueError("not JSON") from error
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise ValueError("not a notebook of nbformat 4")
    return notebook


class _Mending:
    """The state while fixing one notebook: the cells handed in, matched to the release's, and what was noticed."""

    def __init__(self, handed_in: dict[str, Any], release: dict[str, Any]) -> None:
        self.handed_in = handed_in
        self.release = release
        self.changes: list[tuple[str, str]] = []
        self.release_cells: dict[str, dict[str, Any]] = {cell["id"]: cell for cell in release["cells"]}
        self.found: dict[str, list[dict[str, Any]]] = {}  # release cell -> the cells handed in for it
        self.own: dict[str, list[dict[str, Any]]] = {}  # release cell, "" before the first -> own cells after it

    def run(self) -> Restored:
        self._match()
        self._adopt_answers()
        self._check_kernel()
        cells = self._own_cells("")
        for name, cell in self.release_cells.items():
            cells += [self._mended_cell(name, cell), *self._own_cells(name)]
        notebook = {**copy.deepcopy(self.release), "cells": cells}
        return Restored(notebook, tuple(self.changes))

    def _note(self, cell: str, what: str) -> None:
        self.changes.append((cell, what))

    def _match(self) -> None:
        """Sort the cells handed in by the release cell that each is a version of: by grade_id, by id, by text."""
        by_text = {_text(cell.get("source")): name for name, cell in self.release_cells.items()}
        previous, num_own, num_broken = "", 0, 0
        for cell in self.handed_in["cells"]:
            if not isinstance(cell, dict) or not isinstance(_metadata(cell), dict):
                num_broken += 1
                continue
            candidates = (_mark(cell).get("grade_id"), cell.get("id"), by_text.get(_text(cell.get("source"))))
            name = next((c for c in candidates if isinstance(c, str) and c in self.release_cells), None)
            if name is not None:
                self.found.setdefault(name, []).append(cell)
                previous = name
            elif num_own < MAX_OWN_CELLS:
                self.own.setdefault(previous, []).append(cell)
                num_own += 1
            else:
                num_broken += 1
        if num_broken:
            self._note("", f"{num_broken} cells left out: not cells, or more than {MAX_OWN_CELLS} of the student's own")

    def _adopt_answers(self) -> None:
        """An answer that has lost its metadata still follows its question."""
        names = list(self.release_cells)
        for before, name in pairwise(names):
            if name in self.found or not _is_answer(self.release_cells[name]):
                continue
            kind = self.release_cells[name]["cell_type"]
            own = self.own.get(before, [])
            adopted = next((cell for cell in own if cell.get("cell_type") == kind), None)
            if adopted is not None:
                own.remove(adopted)
                self.found[name] = [adopted]
                self._note(name, "had lost its metadata: the cell after the question was used instead")

    def _check_kernel(self) -> None:
        wanted = self.release["metadata"]["kernelspec"]["name"]
        metadata = self.handed_in.get("metadata")
        kernel = metadata.get("kernelspec") if isinstance(metadata, dict) else None
        if not isinstance(kernel, dict) or kernel.get("name") != wanted:
            self._note("", f"had another kernel or none: set to {wanted}")

    def _mended_cell(self, name: str, release: dict[str, Any]) -> dict[str, Any]:
        """The release's cell with what the student may change of it."""
        restored = copy.deepcopy(release)
        versions, pictures = self.found.get(name, []), PicturesOfACell()
        if not versions:
            self._note(
                name, "the answer was missing: restored empty" if _is_answer(release) else "was missing: restored"
            )
            return restored
        is_ours = _text(versions[0].get("source")) == _text(release["source"])  # and may fold a paragraph by HTML
        if _is_answer(release) or not (_is_locked(release) or is_ours):
            restored["source"] = self._source_of(name, release, versions, pictures)
        elif _is_locked(release) and any(_text(cell.get("source")) != _text(release["source"]) for cell in versions):
            self._note(name, "was changed, although students may not change it: restored")
        if len(versions) > 1 and not _is_answer(release):
            self._note(name, f"appeared {len(versions)} times: the first was used")
        if any(cell.get("cell_type") != release["cell_type"] for cell in versions):
            self._note(name, f"had another type: changed back to a {release['cell_type']} cell")
        if "nbgrader" in release["metadata"] and any(
            {key: value for key, value in _mark(cell).items() if key != "checksum"}
            != {key: value for key, value in release["metadata"]["nbgrader"].items() if key != "checksum"}
            for cell in versions
        ):
            self._note(name, "its metadata was changed: restored")
        if release["cell_type"] == "code":
            restored["outputs"] = self._outputs_of(name, versions[0])
            restored["execution_count"] = None
        else:
            self._attach(name, restored, pictures)
            num_attached = sum(len(a) for cell in versions if isinstance(a := cell.get("attachments"), dict))
            if num_attached > len(pictures.pictures) and not pictures.num_lost:
                self._note(name, "attached files that its text does not show were left out")
        return restored

    def _attach(self, name: str, cell: dict[str, Any], pictures: PicturesOfACell) -> None:
        """Put the pictures of a text back, where it is inert."""
        cell["source"], attachments = pictures.put_back(_text(cell["source"]))
        cell.pop("attachments", None)
        if attachments:
            cell["attachments"] = attachments
        if pictures.num_lost:
            self._note(
                name,
                f"{pictures.num_lost} of the pictures in its text cannot be shown: damaged, of an unknown kind, too "
                f"large or more than {MAX_PICTURES}. Look at the original",
            )

    def _source_of(
        self, name: str, release: dict[str, Any], versions: list[dict[str, Any]], pictures: PicturesOfACell
    ) -> str:
        """The student's text of a cell; of an answer that appears twice, every version that says something.

        In place of its pictures, which are taken out into `pictures`, it has marks.
        """
        sources = [_text(cell.get("source")) for cell in versions]
        if release["cell_type"] == "markdown":
            sources = [
                pictures.take_out(source, cell.get("attachments"))
                for source, cell in zip(sources, versions, strict=True)
            ]
        if _is_answer(release) and len(versions) > 1:
            own = list(dict.fromkeys(s for s in sources if s.strip() and s != _text(release["source"])))
            self._note(name, f"appeared {len(versions)} times: its {len(own)} different answers were combined")
            source = "\n\n".join(own) or sources[0]
        else:
            source = sources[0]
        return self._inert_source(name, source, release["cell_type"])

    def _inert_source(self, name: str, source: str, cell_type: str) -> str:
        if len(source) > MAX_SOURCE:
            self._note(name, f"its text was cut at {MAX_SOURCE} characters of {len(source)}")
            source = source[:MAX_SOURCE]
        inert = _clean(source)
        if cell_type == "markdown":
            inert = inert_markdown(inert)
        if inert != source:
            self._note(name, "HTML, links or control characters in its text were disabled")
        return inert

    def _own_cells(self, after: str) -> list[dict[str, Any]]:
        """The student's own cells behind a release cell, with ids and metadata of ours."""
        cells = []
        for number, cell in enumerate(self.own.get(after, []), start=1):
            kind = "code" if cell.get("cell_type") == "code" else "markdown"
            name = f"own-{after or 'first'}-{number}"[:64]
            source, pictures = _text(cell.get("source")), PicturesOfACell()
            if kind == "markdown":
                source = pictures.take_out(source, cell.get("attachments"))
            source = self._inert_source(name, source, kind)
            restored: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {}, "source": source}
            if kind == "markdown":
                self._attach(name, restored, pictures)
            else:
                restored |= {"execution_count": None, "outputs": self._outputs_of(name, cell)}
            cells.append(restored)
        return cells

    def _outputs_of(self, name: str, cell: dict[str, Any]) -> list[dict[str, Any]]:
        """Text and pictures of a cell's outputs, bounded."""
        given = cell.get("outputs")
        outputs: list[dict[str, Any]] = []
        room, num_pictures, dropped = MAX_TEXT, 0, set()
        for output in given if isinstance(given, list) else []:
            kind = output.get("output_type") if isinstance(output, dict) else None
            data = output.get("data") if kind in ("display_data", "execute_result") else None
            bundle = data if isinstance(data, dict) else {}
            pictures = pictures_in(bundle)
            is_rich = any(not mime.startswith(("image/", "text/plain")) for mime in bundle)
            if is_rich and NAME_OF_AN_OBJECT.fullmatch(_plain_text(output, kind, data)):
                dropped.add("a rich output")  # and its text does not say what it showed
            if not pictures and any(mime.startswith("image/") for mime in bundle):
                dropped.add("a picture that is damaged, of an unknown kind or too large")
            if len(pictures) > MAX_PICTURES - num_pictures:
                dropped.add(f"more than {MAX_PICTURES} pictures")
                pictures = pictures[: MAX_PICTURES - num_pictures]
            outputs += [picture.output for picture in pictures]
            num_pictures += len(pictures)
            if pictures:
                continue
            text = _clean(_plain_text(output, kind, data))
            if len(text) > room:
                dropped.add(f"more than {MAX_TEXT} characters of text")
            if shown := text[:room]:
                stream = "stderr" if kind == "error" or output.get("name") == "stderr" else "stdout"
                outputs.append({"output_type": "stream", "name": stream, "text": shown})
                room -= len(shown)
        if dropped:
            self._note(name, f"some of its outputs were removed: {', '.join(sorted(dropped))}")
        return outputs


def inert_markdown(source: str) -> str:
    """Markdown that shows what it says and does nothing: no HTML, no links, nothing fetched, formulas without links."""
    source = TAG.sub("&lt;", source)
    source = LINK.sub("] ", source)
    source = BARE_ADDRESS.sub(INVISIBLE, source)
    return MATH_LINK.sub(r"\\backslash ", source)


def _plain_text(output: Any, kind: Any, data: Any) -> str:
    if kind == "stream":
        return _text(output.get("text"))
    if kind == "error":
        return _text(output.get("traceback"), separator="\n")
    return _text(data.get("text/plain")) if isinstance(data, dict) else ""


def _text(value: Any, separator: str = "") -> str:
    """A text of a notebook: a string, or a list of its lines."""
    if isinstance(value, list):
        return separator.join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _clean(text: str) -> str:
    """Without control characters, and writable: half a surrogate pair becomes a question mark."""
    return CONTROL.sub("", text).encode("utf-8", "replace").decode("utf-8")


def _metadata(cell: dict[str, Any]) -> Any:
    return cell.get("metadata", {})


def _mark(cell: dict[str, Any]) -> dict[str, Any]:
    mark = _metadata(cell).get("nbgrader")
    return mark if isinstance(mark, dict) else {}


def _is_answer(cell: dict[str, Any]) -> bool:
    return bool(_mark(cell).get("solution"))


def _is_locked(cell: dict[str, Any]) -> bool:
    return bool(_mark(cell).get("locked"))


def as_table(changes: Iterable[Change]) -> list[list[str]]:
    """Rows for a CSV file, with a line of names."""
    rows = [["student", "notebook", "cell", "what"]]
    rows += [[change.student, change.notebook, change.cell, change.what] for change in changes]
    return [list(map(guarded, row)) for row in rows]
