"""What the notebooks of a submission lack: read as JSON, never run (given; standard library only)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hw4.handin.assignment import Assignment
from hw4.handin.refusal import shown

MAX_POINTS = 1_000  # of one cell of a notebook


@dataclass(frozen=True)
class _Answer:
    """A cell that a person grades, by nbgrader's metadata."""

    grade_id: str
    points: float
    is_open: bool  # empty, or as it was released


def notebook_notes(notebooks: dict[str, bytes], assignment: Assignment) -> Iterator[str]:
    """What people will miss when they read the answers. None of it touches what is graded by program.

    The notebook of a topic holds no written answers: all that is said of it is that it cannot be read.
    """
    written_points = assignment.written_points
    cost = f"this costs only written points (of {written_points})"
    answers: list[_Answer] = []
    all_readable = True
    for name in assignment.submission.notebooks:
        content = notebooks.get(name)
        cells = [] if content is None else _cells(content)
        if name in assignment.optional_notebooks:
            if isinstance(cells, str):
                yield f"{name} {cells}"
            continue
        if content is None or isinstance(cells, str):
            all_readable = False
            yield f"{name} is missing: {cost}" if content is None else f"{name} {cells}; {cost}"
            continue
        of_notebook = [answer for cell in cells if (answer := _answer(cell)) is not None]
        answers += of_notebook
        if open_answers := [answer for answer in of_notebook if answer.is_open]:
            yield f"{name}: not answered yet: {_listed(open_answers)}"
        if not _has_outputs(cells):
            yield f"{name}: no code cell has an output: run all cells and save, so that graders see your figures"
    found = sum(answer.points for answer in answers)
    if all_readable and assignment.submission.notebooks and found != written_points:
        yield (
            f"the notebooks have cells for {found:g} of {written_points} written points: {_listed(answers)}. A graded "
            f"cell is missing, duplicated or changed: copy your answers into a fresh copy of the notebook"
        )


def is_not_run(notebook: bytes) -> bool:
    """Whether a notebook has code cells and none of them has an output. One that cannot be read is not known to be."""
    cells = _cells(notebook)
    return not isinstance(cells, str) and not _has_outputs(cells)


def _has_outputs(cells: list[dict[str, Any]]) -> bool:
    code_cells = [cell for cell in cells if cell.get("cell_type") == "code"]
    return not code_cells or any(cell.get("outputs") for cell in code_cells)


def _listed(answers: list[_Answer]) -> str:
    return shown(", ".join(f"{answer.grade_id} ({answer.points:g} points)" for answer in answers) or "none")


def _cells(content: bytes) -> list[dict[str, Any]] | str:
    """The cells of a notebook, or what is wrong with it, to follow its name."""
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return "is not valid JSON: open it in Jupyter and save it again"
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        return "is not a notebook (nbformat 4 or later): open it in Jupyter and save it again"
    return cells


def _answer(cell: dict[str, Any]) -> _Answer | None:
    match cell.get("metadata"):
        case {
            "nbgrader": {
                "grade": True,
                "solution": True,
                "grade_id": str(grade_id),
                "points": int() | float() as points,
                **others,
            }
        } if 0 <= points <= MAX_POINTS:  # NaN is not
            pass
        case _:
            return None
    lines = cell.get("source", "")  # one string, or a list of lines
    text = lines if isinstance(lines, str) else "".join(map(str, lines)) if isinstance(lines, list) else ""
    released = others.get("checksum")
    is_open = not text.strip() or any(
        released == _nbgrader_checksum(source, str(cell.get("cell_type")), grade_id, points)
        for source in (text, text.strip())
    )
    return _Answer(shown(grade_id), float(points), is_open)


def _nbgrader_checksum(source: str, cell_type: str, grade_id: str, points: float) -> str:
    """nbgrader's own checksum of a graded answer; the metadata keep that of the cell as it was released."""
    is_grade, is_solution, is_locked = True, True, False
    facts = (source, cell_type, is_grade, is_solution, is_locked, grade_id, float(points))
    return hashlib.md5("".join(map(str, facts)).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
