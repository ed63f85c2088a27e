"""index.html: the whole class on one self-contained page that opens from a disk.

Every text of a student is escaped by Jinja; script and style are the page's own, named by their hashes in its
content-security policy, so nothing else runs even if it were there.
"""

from __future__ import annotations

import base64
import hashlib
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from numpy.typing import NDArray

from autograder.classroom.marks.class_pictures import SHARE, bins_of, class_curve, histogram
from autograder.classroom.marks.standing import STATUS_WORDS, Class, Result
from autograder.classroom.marks.to_look_at import KINDS, flags_of, queue_of
from autograder.grading.curves import FIRST_RUNS
from autograder.report.page_style import PAGE_STYLE
from autograder.report.words import points
from hw4.checking.hints import HINTS
from hw4.commands.plots import read_bands
from hw4.handin.assignment import Item, Problem, load_assignment

TEMPLATES = Path(__file__).resolve().parent
MAX_CAUSES = 3


@dataclass(frozen=True)
class ItemRow:
    """How the class did on one function, curve or effect; if it is optional, those who handed it in."""

    number: str
    name: str
    points: int
    is_bonus: bool
    mean: float
    num_failed: int
    num_graded: int
    causes: tuple[tuple[str, str, int], ...]  # (cause, hint, count)
    tests: tuple[tuple[str, int], ...]  # (what a hidden test asks, how many fail it)

    @property
    def rate(self) -> float:
        return self.num_failed / self.num_graded if self.num_graded else 0.0


def dashboard(found: Class) -> str:
    """The page."""
    assignment = load_assignment()
    style = PAGE_STYLE + (TEMPLATES / "dashboard.css").read_text(encoding="utf-8")
    script = (TEMPLATES / "dashboard.js").read_text(encoding="utf-8")
    flags = list(flags_of(found))
    graded = [result for result in found.results if result.grade is not None]
    scores = [result.score for result in graded if result.score is not None]
    totals = [result.total for result in graded if result.total is not None]
    asked = [item for item in found.items if found.curves or item.kind == "function"]
    most = float(sum(item.points for item in asked if item.id not in found.bonus_items))
    problems = [problem for problem in assignment.problems if not problem.by_hand]
    return _template().render(
        course=assignment.course,
        found=found,
        most=most,
        style=Markup(style),
        script=Markup(script),
        style_hash=sha256_source(style),
        script_hash=sha256_source(script),
        statuses=Counter(STATUS_WORDS[result.status] for result in found.results),
        mean=statistics.fmean(scores) if scores else None,
        median=statistics.median(scores) if scores else None,
        num_with_bonus=sum(bool(result.bonus) for result in graded),
        bins=(bins := bins_of(totals, most)),
        what_is_counted=(what := "points, bonus included" if found.has_bonus else "points by program"),
        histogram=histogram(bins, most, what),
        items=list(items_of(found, asked)),
        curves=[
            (curve, class_curve(band, curves), len(curves))
            for curve in assignment.curves
            if (curves := curves_of(found, curve.id)).size
            for band in [read_bands()[curve.experiment]]
        ],
        share=SHARE,
        queue=queue_of(flags),
        kinds=KINDS,
        kinds_of={
            result.student: sorted({flag.kind for flag in flags if flag.result is result}, key=list(KINDS).index)
            for result in found.results
        },
        problems=problems,
        topics=[problem for problem in problems if problem.optional],
        problem_scores={result.student: _by_problem(result, problems) for result in found.results},
        status_words=STATUS_WORDS,
        points=points,
        late_words=_late_words,
        final_points=_final_points,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("dashboard.html.j2")


def _late_words(result: Result) -> str:
    """ "late", or "2 days late" where it is known."""
    found = None if result.submitted is None else result.lateness(0.0)
    if found is None:
        return "late"
    return f"{found.days_late} {'day' if found.days_late == 1 else 'days'} late"


def _final_points(result: Result) -> float | None:
    found = None if result.total is None else result.lateness(result.total)
    return None if found is None else found.final_points


def sha256_source(text: str) -> str:
    """The name of a script or style in a content-security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _by_problem(result: Result, problems: Iterable[Problem]) -> dict[str, float]:
    """Points by problem, without the optional ones that were not handed in."""
    if result.grade is None:
        return {}
    items = {problem.id: result.grade.report.items_of(problem.id) for problem in problems}
    return {
        problem: sum(item.score for item in own)
        for problem, own in items.items()
        if any(item.verdict != "absent" for item in own)
    }


def items_of(found: Class, items: Iterable[Item]) -> Iterator[ItemRow]:
    """One row for each item, in the order of the assignment."""
    reports = [report for result in found.results if result.grade for report in result.grade.report.items]
    for item in items:
        own = [report for report in reports if report.id == item.id and report.verdict != "absent"]
        failed = [report for report in own if report.verdict != "passed"]
        causes = Counter(report.cause for report in failed if report.cause)
        tests = Counter(t.summary for report in own for t in report.tests if t.outcome.verdict != "passed")
        yield ItemRow(
            item.number,
            item.title,
            item.points,
            is_bonus=item.id in found.bonus_items,
            mean=statistics.fmean(report.score for report in own) if own else 0.0,
            num_failed=len(failed),
            num_graded=len(own),
            causes=tuple(
                (cause, HINTS[cause].text if cause in HINTS else "", count)
                for cause, count in causes.most_common(MAX_CAUSES)
            ),
            tests=tuple(tests.most_common()),
        )


def curves_of(found: Class, curve_id: str) -> NDArray[np.float64]:
    """The median learning curve of each student whose runs are whole, shape (students, episodes)."""
    curves = []
    for result in found.results:
        runs = result.grade.runs.get(curve_id, [])[:FIRST_RUNS] if result.grade is not None else []
        returns = [run.returns for run in runs if not run.failure]
        if len(returns) == FIRST_RUNS and len({len(one) for one in returns}) == 1 and returns[0]:
            curves.append(np.median(returns, axis=0))
    length = Counter(len(curve) for curve in curves).most_common(1)[0][0] if curves else 0
    return np.array([curve for curve in curves if len(curve) == length])
