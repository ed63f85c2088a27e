"""report.html: one self-contained page, for students and staff alike."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from autograder.grading.scoring import ItemReport
from autograder.grading.session import Grade
from autograder.report.documents import FAULT_NOTE, QUICK_NOTE
from autograder.report.next_step import next_step, nothing_left
from autograder.report.page_style import PAGE_STYLE
from autograder.report.pictures import curve_svg, model_svg
from autograder.report.words import (
    bonus_of,
    changed_given_parts,
    checks_of,
    exception_of,
    hint_of,
    is_not_started,
    meaning_of_a_score,
    model_numbers,
    points,
    promises,
    score_in_words,
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
        facts = {"facts": problem, "items": items, "score": score, "most": grade.report.most_of(problem)}
        has_notebook = problem.notebook in grade.measured.submitted
        problems.append({**facts, "absent": absent, "has_notebook": has_notebook})
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
        step=next_step(grade),
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
        score_in_words=score_in_words,
        nothing_left=nothing_left,
        is_not_started=is_not_started,
        is_folded=_is_folded,
        checks_of=checks_of,
        bonus_of=bonus_of,
        meaning_of_a_score=meaning_of_a_score,
        verdict_of=verdict_of,
        hint_of=hint_of,
        exception_of=exception_of,
        points=points,
        promises=promises,
        model_numbers=model_numbers,
        look=Markup(PAGE_STYLE),
        fault_note=FAULT_NOTE,
        quick_note=QUICK_NOTE,
    )
    environment.filters["code"] = _code
    return environment.get_template("page.html.j2")


def _is_folded(item: ItemReport) -> bool:
    """Whether the checks tell nothing that is not said above them."""
    return item.verdict == "passed" or item.cause == "does_not_import" or is_not_started(item)


def _code(text: str) -> Markup:
    """Escape a text and set the parts between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))
