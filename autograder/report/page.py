"""report.html: one self-contained page, for students and staff alike."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from autograder.grading.session import Grade
from autograder.report.documents import FAULT_NOTE, QUICK_NOTE
from autograder.report.pictures import curve_svg, model_svg
from autograder.report.words import (
    bonus_of,
    changed_given_parts,
    exception_of,
    hint_of,
    meaning_of_a_score,
    model_numbers,
    points,
    promises,
    shown_score,
    verdict_of,
)
from hw4.commands.plots import read_bands
from hw4.handin.assignment import load_assignment

TEMPLATES = Path(__file__).resolve().parent


def page(grade: Grade, name: str) -> str:
    """The page of one grade. Jinja escapes every text, so nothing from a submission is ever markup."""
    assignment = load_assignment()
    problems = []
    for problem in assignment.problems:
        items = grade.report.items_of(problem.id)
        absent = bool(items) and all(item.verdict == "absent" for item in items)
        score = sum(item.score for item in items)
        has_notebook = problem.notebook in grade.measured.submitted
        facts = {"facts": problem, "items": items, "score": score, "absent": absent, "has_notebook": has_notebook}
        problems.append(facts)
    pictures = {
        curve.id: Markup(curve_svg(curve, grade.runs.get(curve.id, []), grade.bars[curve.id]))
        for curve in assignment.curves
        if grade.runs.get(curve.id)
    }
    model_pictures = {
        curve.id: Markup(model_svg(curve, grade.runs[curve.id])) for curve in assignment.curves if curve.id in pictures
    }
    return _template().render(
        name=name,
        grade=grade,
        course=assignment.course,
        problems=problems,
        changed=changed_given_parts(grade.measured.put_back),
        pictures=pictures,
        model_pictures=model_pictures,
        bands={curve.id: read_bands()[curve.experiment] for curve in assignment.curves if curve.id in pictures},
    )


@cache
def _template() -> Template:
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.globals.update(
        shown_score=shown_score,
        bonus_of=bonus_of,
        meaning_of_a_score=meaning_of_a_score,
        verdict_of=verdict_of,
        hint_of=hint_of,
        exception_of=exception_of,
        points=points,
        promises=promises,
        model_numbers=model_numbers,
        fault_note=FAULT_NOTE,
        quick_note=QUICK_NOTE,
    )
    environment.filters["code"] = _code
    return environment.get_template("page.html.j2")


def _code(text: str) -> Markup:
    """Escape a text and set the parts between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))
