"""The written answers: what is asked and for how many points, and for staff how a good answer reads."""

from __future__ import annotations

import json
import re
from typing import Any

from autograder.solutions import ROOT
from hw4.handin.assignment import Assignment
from publish.handout import HandoutError
from publish.handout.wording import number_word

RELEASED_NOTEBOOKS = ROOT / "notebooks" / "release" / "hw4"
SOURCE_NOTEBOOKS = ROOT / "notebooks" / "source" / "hw4"


def written_answers(assignment: Assignment) -> dict[str, Any]:
    """The answers in the released notebooks that people grade: how many, the points of each, and where they are; and
    the same of the optional notebooks, whose points are a bonus and are not counted here.

    Raises:
        HandoutError: their points are not those that assignment.toml has for answers, or a notebook has no title.
    """
    points: list[int] = []
    notebooks: dict[bool, list[dict[str, Any]]] = {False: [], True: []}  # by whether they are optional
    minutes = {notebook.file: notebook.minutes for notebook in assignment.notebooks}
    for name in assignment.submission.notebooks:
        notebook = json.loads((RELEASED_NOTEBOOKS / name).read_text(encoding="utf-8"))
        marks = [cell["metadata"].get("nbgrader", {}) for cell in notebook["cells"]]
        own = [mark["points"] for mark in marks if mark.get("grade") and mark.get("solution")]
        title = re.search(r"^# (.+)$", "\n".join("".join(cell["source"]) for cell in notebook["cells"]), re.MULTILINE)
        if title is None:
            raise HandoutError(f"{name} has no title: begin its first cell with '# ...'")
        is_optional = name in assignment.optional_notebooks
        notebooks[is_optional].append(
            {"file": name, "title": title[1], "number": len(own), "points": sum(own), "minutes": minutes[name]}
        )
        promised = assignment.written_bonus_in(name)
        if is_optional and sum(own) != promised:
            raise HandoutError(f"the answers in {name} are worth {sum(own)} points, assignment.toml says {promised}")
        points += [] if is_optional else own
    promised = assignment.written_points
    if sum(points) != promised:
        raise HandoutError(f"the notebooks' answers are worth {sum(points)} points, assignment.toml says {promised}")
    if len(set(points)) < 2:
        each = f"worth {max(points, default=0)} points each"
    else:
        *others, most = map(str, sorted(set(points)))
        each = f"worth {', '.join(others)} or {most} points each"
    number = number_word(len(points))
    return {"number": number, "points": each, "notebooks": notebooks[False], "optional_notebooks": notebooks[True]}


def model_answers(assignment: Assignment) -> list[dict[str, Any]]:
    """Model answer and rubric of each written answer: the text between the solution markers of the notebooks."""
    answers = []
    for name in assignment.submission.notebooks:
        notebook = json.loads((SOURCE_NOTEBOOKS / name).read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            mark = cell["metadata"].get("nbgrader", {})
            text = "".join(cell["source"])
            if mark.get("grade") and mark.get("solution"):
                inside = text.partition("### BEGIN SOLUTION")[2].partition("### END SOLUTION")[0]
                paragraphs = [prose(" ".join(part.split())) for part in re.split(r"\n\s*\n", inside) if part.strip()]
                id_and_points = {"id": mark["grade_id"], "points": mark["points"]}
                is_bonus = name in assignment.optional_notebooks
                answers.append({"notebook": name, **id_and_points, "is_bonus": is_bonus, "paragraphs": paragraphs})
    return answers


def prose(text: str) -> list[dict[str, str]]:
    """Markdown in a line, as runs of one look: text, strong, emph, code and math, the last as LaTeX writes it."""
    looks = {"**": "strong", "*": "emph", "`": "code", "$": "code"}
    runs = []
    for part in re.split(r"(\*\*.+?\*\*|\*[^* ][^*]*\*|`[^`]+`|\$[^$]+\$)", text):
        mark = next((mark for mark in looks if len(part) > 2 and part.startswith(mark) and part.endswith(mark)), "")
        if part:
            runs.append({"look": looks.get(mark, "text"), "text": part[len(mark) : len(part) - len(mark)]})
    return runs
