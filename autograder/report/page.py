"""report.html: one self-contained page, for students and staff alike."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from autograder.report.pictures import curve_svg, load_bands
from autograder.report.words import FAULT_NOTE, exception_of, hint_of, points, verdict_of
from autograder.session import Grade
from hw4.assignment import load_assignment

TEMPLATES = Path(__file__).resolve().parent


def page(grade: Grade, name: str) -> str:
    """The page of one grade. Jinja escapes every text, so nothing from a submission is ever markup."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.globals.update(
        verdict_of=verdict_of, hint_of=hint_of, exception_of=exception_of, points=points, fault_note=FAULT_NOTE
    )
    assignment = load_assignment()
    problems = []
    for problem in assignment.problems:
        stubs = [item for item in grade.report.stubs if item.stub.problem == problem.id]
        curves = [item for item in grade.report.curves if item.curve.problem == problem.id]
        score = sum(item.score for item in stubs) + sum(item.score for item in curves)
        problems.append({"facts": problem, "stubs": stubs, "curves": curves, "score": score})
    pictures = {
        curve.id: Markup(curve_svg(curve, grade.runs.get(curve.id, []), grade.bars[curve.id]))
        for curve in assignment.curves
        if grade.runs.get(curve.id)
    }
    return environment.get_template("page.html.j2").render(
        name=name, grade=grade, course=assignment.course, problems=problems, pictures=pictures, bands=load_bands()
    )
