"""index.html: the whole class on one self-contained page that opens from a disk.

Every text of a student is escaped by Jinja; script and style are the page's own, named by their hashes in its
content-security policy, so nothing else runs even if it were there.
"""

from __future__ import annotations

import base64
import hashlib
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from autograder.classroom.marks.class_pictures import SHARE, bins_of, class_curve, histogram
from autograder.classroom.marks.standing import STATUS_WORDS, Class, Result, unread_notebooks
from autograder.grading.curves import FIRST_RUNS
from autograder.grading.judge import COUNTS_LESS
from autograder.grading.scoring import ItemReport
from autograder.grading.session import Grade
from autograder.report.page_style import PAGE_STYLE
from autograder.report.words import changed_given_parts, points
from hw4.checking.hints import HINTS
from hw4.commands.plots import read_bands
from hw4.handin.assignment import Item, Problem, load_assignment

TEMPLATES = Path(__file__).resolve().parent
MAX_CAUSES = 3


@dataclass(frozen=True)
class Flag:
    """Something that staff should look at."""

    kind: str
    result: Result
    text: str


# What to look at, most urgent first: (kind, what to do).
KINDS = {
    "grader fault": "There is no grade yet: use `--retry-faults`, or decide with `override`.",
    "integrity": "The agent broke a promise, or could not be checked: look at it before the points are final.",
    "agent": "A curve passed in a way that honest work seldom does: look at what acts there, in the source.",
    "given parts": "Something given was changed: curves ran the published version, hidden tests the changed one.",
    "cut": "A curve used up its time or memory, or its process ended: was the machine overloaded?",
    "borderline": "The first three runs disagreed about the bar; the median of up to seven decided.",
    "processes": "The submission left processes behind.",
    "late, but when?": "The site does not say when it came in: add a column `submitted_at` to the roster to get days "
    "and penalty.",
    "refused": "Nothing was graded: tell the student how to fix it.",
    "notebook": "A notebook cannot be read, which costs nothing but written points: grade it from the original.",
    "nothing handed in": "On the roster, without a submission.",
    "not on the roster": "A submission from somebody who is not on the roster.",
    "staff": "Staff changed these points.",
}


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
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    style = PAGE_STYLE + (TEMPLATES / "dashboard.css").read_text(encoding="utf-8")
    script = (TEMPLATES / "dashboard.js").read_text(encoding="utf-8")
    flags = list(flags_of(found))
    graded = [result for result in found.results if result.grade is not None]
    scores = [result.score for result in graded if result.score is not None]
    totals = [result.total for result in graded if result.total is not None]
    asked = [item for item in assignment.items if found.curves or item.kind == "function"]
    most = float(sum(item.points for item in asked if not assignment.is_optional(item)))
    problems = [problem for problem in assignment.problems if not problem.by_hand]
    return environment.get_template("dashboard.html.j2").render(
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


def _late_words(result: Result) -> str:
    """ "late", or "2 days late" where it is known."""
    found = result.lateness(0.0)
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


def flags_of(found: Class) -> Iterator[Flag]:
    """Everything that staff should look at, most urgent first."""
    flags = [flag for result in found.results for flag in _flags_of(result)]
    order = list(KINDS)
    yield from sorted(flags, key=lambda flag: (order.index(flag.kind), flag.result.student))


def queue_of(flags: Sequence[Flag]) -> list[tuple[str, Result, list[str]]]:
    """(kind, result, what is said), one row for all flags of a kind that one submission has; in the same order."""
    rows: dict[tuple[str, str], tuple[str, Result, list[str]]] = {}
    for flag in flags:
        row = rows.setdefault((flag.kind, flag.result.student), (flag.kind, flag.result, []))
        row[2].append(flag.text)
    return list(rows.values())


def _flags_of(result: Result) -> Iterator[Flag]:
    if result.status == "fault":
        yield Flag("grader fault", result, result.message)
    if result.status == "refused":
        yield Flag("refused", result, result.message)
    for problem in unread_notebooks(result):
        place = result.record.get("handed_in", "")
        yield Flag("notebook", result, f"{problem.file}: {problem.reason}. The original is {problem.where} in {place}")
    if result.status == "missing":
        yield Flag("nothing handed in", result, "")
    if result.late and result.submitted is None:
        yield Flag("late, but when?", result, "")
    if not result.on_roster:
        yield Flag("not on the roster", result, "")
    for applied in result.applied:
        yield Flag("staff", result, str(applied))
    if result.grade is None:
        return
    if result.grade.num_swept:
        yield Flag("processes", result, f"{result.grade.num_swept} leftover processes were killed")
    if changed := changed_given_parts(result.grade.measured.put_back):
        yield Flag("given parts", result, changed)
    for item in result.grade.report.items:
        yield from _flags_of_item(result, result.grade, item)


def _flags_of_item(result: Result, grade: Grade, report: ItemReport) -> Iterator[Flag]:
    title = report.item.title
    integrity = grade.integrity.get(report.id)
    if integrity is not None and (integrity.broken or integrity.unchecked):
        yield Flag("integrity", result, f"{title}: {integrity.broken or 'not checked'}: {integrity.message}")
    for text in report.flags:
        if "was cut short" in text:
            yield Flag("cut", result, f"{title}: {text}")
        elif not text.startswith(("the first three runs disagreed", "no points, because", COUNTS_LESS)):
            yield Flag("integrity", result, f"{title}: {text}")
    for note in report.notes:
        yield Flag("agent", result, f"{title}: {note}")
    if len(grade.runs.get(report.id, ())) > FIRST_RUNS and report.grade is not None:
        yield Flag("borderline", result, f"{title}: {report.grade.decided_by}, {report.grade.credit:.0%} of the points")


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
            is_bonus=load_assignment().is_optional(item),
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
