"""What the notebooks of a submission lack: read as JSON, never run (given; standard library only)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hw4.handin.assignment import Assignment
from hw4.handin.look_alikes import question
from hw4.handin.refusal import shown
from hw4.handin.released_answers import RELEASED_ANSWERS

MAX_POINTS = 1_000  # of one cell of a notebook

DECLARATIONS = {  # what a notebook's cell asks about help -> the complete answer of a student who had none
    "**I worked with** (who, and on what):": "nobody",
    "**AI and other tools I used** (which, and for what):": "nothing",
}
OWN_CODE_OFF = re.compile(r"^USE_MY_CODE *= *False\b", re.MULTILINE)
MAKE_SMALLER = "clear its large outputs, or pack it again"
COPY_ANSWERS = "Copy your answers into a fresh copy of the notebook"
SAVE_AGAIN = "open it in Jupyter and save it again"


@dataclass(frozen=True)
class UnreadNotebook:
    """A notebook that was handed in and cannot be read."""

    file: str  # as in assignment.toml
    where: str  # its name in the submission, safe to print
    reason: str
    fix: str

    def __str__(self) -> str:
        return f"{self.file} cannot be read: {self.reason}. To fix it, {self.fix}"


@dataclass(frozen=True)
class _Answer:
    """A cell that a person grades, by nbgrader's metadata."""

    grade_id: str
    points: float
    is_open: bool  # empty, or as it was released


def what_it_costs(notebook: str, assignment: Assignment) -> str:
    """What nobody can earn with a notebook that is missing or cannot be read."""
    if notebook not in assignment.optional_notebooks:
        return f"only written points (of {assignment.written_points})"
    bonus = assignment.written_bonus_in(notebook)
    return f"only bonus points (up to {bonus})" if bonus else "no points"


def notebook_notes(
    notebooks: dict[str, bytes],
    unread: tuple[UnreadNotebook, ...],
    alike: dict[str, list[str]],
    assignment: Assignment,
) -> Iterator[str]:
    """What people will miss when they read the answers. None of it touches what is graded by program.

    Nothing is said of a topic's notebook that is missing, or of one without written answers that can be read.

    Args:
        notebooks: name -> content of those that are there.
        unread: those of them, and others, that cannot be read.
        alike: of `look_alikes`, for those that are missing.
        assignment: names the notebooks.
    """
    problems = {problem.file: problem for problem in unread}
    for name in assignment.submission.notebooks:
        is_optional = name in assignment.optional_notebooks
        has_answers = not is_optional or assignment.written_bonus_in(name) > 0
        cost = f"this costs {what_it_costs(name, assignment)}"
        if name in problems:
            yield f"{problems[name]}; {cost}" if has_answers else str(problems[name])
        elif name not in notebooks and not is_optional:
            yield f"{name} is missing: {cost}" + (f"; {question(alike[name], name)}" if name in alike else "")
        elif name in notebooks and has_answers:
            cells = _cells(notebooks[name])
            assert not isinstance(cells, str)
            yield from _notes_on_help(name, cells)
            yield from _notes_on_answers(name, cells, "bonus points" if is_optional else "points")
            if not _has_outputs(cells):
                yield f"{name}: no code cell has an output: run all cells and save, so that graders see your figures"
            elif _shows_recorded_runs_alone(cells):
                yield (
                    f"{name}: USE_MY_CODE is False, so graders see recorded runs and none of your own. If your code "
                    "works, set it to True, run all cells and save"
                )


def _notes_on_help(name: str, cells: list[dict[str, Any]]) -> Iterator[str]:
    """Lines about help and tools in which nothing is written. They have no points and no word limit."""
    for cell in cells:
        text = _text_of(cell)
        for prompt, nothing in DECLARATIONS.items():
            _, is_there, rest = text.partition(prompt)
            for other in DECLARATIONS:
                rest = rest.partition(other)[0]
            if is_there and not rest.strip():
                yield (
                    f'{name}: nothing is written after "{prompt}". To fix it, fill in that line, if only with '
                    f'"{nothing}", save, and run submit again'
                )


def _notes_on_answers(name: str, cells: list[dict[str, Any]], unit: str) -> Iterator[str]:
    """Answers that are open, and graded cells that are not as they were released."""
    answers = [answer for cell in cells if (answer := _answer(cell)) is not None]
    if open_answers := [answer for answer in answers if answer.is_open]:
        yield f"{name}: not answered yet: {_listed(open_answers, unit)}"
    released = RELEASED_ANSWERS.get(name, {})
    found = {answer.grade_id: answer.points for answer in answers}
    if missing := [_Answer(grade_id, points, True) for grade_id, points in released.items() if grade_id not in found]:
        yield (
            f"{name}: the cells for these answers are missing or have lost their metadata: {_listed(missing, unit)}. "
            f"{COPY_ANSWERS}"
        )
    odd = [answer for answer in answers if released.get(answer.grade_id) != answer.points]
    odd += [answer for i, answer in enumerate(answers) if answer.grade_id in [a.grade_id for a in answers[:i]]]
    if odd:
        yield f"{name}: these graded cells are duplicated or changed: {_listed(odd, unit)}. {COPY_ANSWERS}"


def unreadable(content: bytes) -> str:
    """Why nobody can read a notebook; "" if it can be read."""
    cells = _cells(content)
    return cells if isinstance(cells, str) else ""


def is_unused(notebook: bytes) -> bool:
    """Whether a notebook has code cells, none of them has an output, and no answer is written. One that cannot be read
    is not known to be."""
    cells = _cells(notebook)
    if isinstance(cells, str) or _has_outputs(cells):
        return False
    return all(answer.is_open for cell in cells if (answer := _answer(cell)) is not None)


def _shows_recorded_runs_alone(cells: list[dict[str, Any]]) -> bool:
    """Whether the switch to the student's own code is there and off."""
    return any(cell.get("cell_type") == "code" and OWN_CODE_OFF.search(_text_of(cell)) for cell in cells)


def _has_outputs(cells: list[dict[str, Any]]) -> bool:
    code_cells = [cell for cell in cells if cell.get("cell_type") == "code"]
    return not code_cells or any(cell.get("outputs") for cell in code_cells)


def _listed(answers: list[_Answer], unit: str) -> str:
    return shown(", ".join(f"{answer.grade_id} ({answer.points:g} {unit})" for answer in answers) or "none")


def _cells(content: bytes) -> list[dict[str, Any]] | str:
    """The cells of a notebook, or what is wrong with it."""
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return "it is not valid JSON"
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        return "it is not a notebook (nbformat 4 or later)"
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
    text = _text_of(cell)
    released = others.get("checksum")
    is_open = not text.strip() or any(
        released == _nbgrader_checksum(source, str(cell.get("cell_type")), grade_id, points)
        for source in (text, text.strip())
    )
    return _Answer(shown(grade_id), float(points), is_open)


def _text_of(cell: dict[str, Any]) -> str:
    lines = cell.get("source", "")  # one string, or a list of lines
    return lines if isinstance(lines, str) else "".join(map(str, lines)) if isinstance(lines, list) else ""


def _nbgrader_checksum(source: str, cell_type: str, grade_id: str, points: float) -> str:
    """nbgrader's own checksum of a graded answer; the metadata keep that of the cell as it was released."""
    is_grade, is_solution, is_locked = True, True, False
    facts = (source, cell_type, is_grade, is_solution, is_locked, grade_id, float(points))
    return hashlib.md5("".join(map(str, facts)).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
