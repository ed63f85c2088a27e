"""index.html: the whole class on one self-contained page that opens from a disk.

Every text of a student is escaped by Jinja; script and style are the page's own, named by their hashes in its
content-security policy, so nothing else runs even if it were there.
"""

from __future__ import annotations

import base64
import hashlib
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from autograder.classroom.marks.grades import STATUS_WORDS, Class, Result
from autograder.grading.curves import FIRST_RUNS
from autograder.grading.scoring import CurveReport, StubReport
from autograder.report.words import points
from hw4.checking.hints import HINTS
from hw4.commands.plots import Band, read_bands
from hw4.handin.assignment import Assignment, load_assignment

TEMPLATES = Path(__file__).resolve().parent
BIN = 5  # points
MAX_CAUSES = 3
SHARE = (10, 90)  # per cent of the class between the edges of its band


@dataclass(frozen=True)
class Flag:
    """Something that staff should look at."""

    kind: str
    result: Result
    text: str


# What to look at, most urgent first: (kind, what to do).
KINDS = {
    "grader fault": "There is no grade yet: `--retry-faults`, or decide by `override`.",
    "integrity": "The agent was found not to learn, or could not be checked: look before the points stay taken.",
    "cut": "A curve used up its time or memory, or ended by itself: was the machine overloaded?",
    "borderline": "The first three runs disagreed about the bar; the median of up to seven decided.",
    "processes": "The submission left processes behind.",
    "late, but when?": "The site does not say when: a column `submitted_at` of the roster gives days and penalty.",
    "refused": "Nothing was graded: tell the student how to mend it.",
    "nothing handed in": "On the roster, without a submission.",
    "not on the roster": "A submission of nobody that the roster knows.",
    "staff": "Points that staff changed.",
}


@dataclass(frozen=True)
class ItemRow:
    """How the class did on one function or curve."""

    number: str
    name: str
    points: int
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
    style = (TEMPLATES / "dashboard.css").read_text(encoding="utf-8")
    script = (TEMPLATES / "dashboard.js").read_text(encoding="utf-8")
    flags = list(flags_of(found))
    scores = [result.score for result in found.results if result.score is not None and result.grade is not None]
    most = float(sum(stub.points for stub in assignment.stubs)) if not found.curves else float(assignment.code_points)
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
        bins=(bins := bins_of(scores, most)),
        histogram=histogram(bins, most),
        items=list(items_of(found, assignment)),
        curves=[
            (curve, class_curve_svg(band, curves), len(curves))
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
        problem_scores={result.student: _by_problem(result, assignment) for result in found.results},
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
    found = None if result.score is None else result.lateness(result.score)
    return None if found is None else found.final_points


def sha256_source(text: str) -> str:
    """The name of a script or style in a content-security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _by_problem(result: Result, assignment: Assignment) -> dict[str, float]:
    scores: dict[str, float] = {}
    if result.grade is not None:
        for item in result.grade.report.items:
            problem = item.stub.problem if isinstance(item, StubReport) else item.curve.problem
            scores[problem] = scores.get(problem, 0.0) + item.score
    return scores


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
        yield Flag("processes", result, f"{result.grade.num_swept} processes were left behind and killed")
    for curve in result.grade.report.curves:
        yield from _flags_of_curve(result, curve)


def _flags_of_curve(result: Result, report: CurveReport) -> Iterator[Flag]:
    assert result.grade is not None
    title = report.curve.title
    runs = result.grade.runs.get(report.curve.id, [])
    integrity = result.grade.integrity.get(report.curve.id)
    if integrity is not None and (integrity.broken or integrity.unchecked):
        yield Flag("integrity", result, f"{title}: {integrity.broken or 'not checked'}: {integrity.message}")
    for text in report.flags:
        if "was cut short" in text:
            yield Flag("cut", result, f"{title}: {text}")
        elif not text.startswith(("the first three runs disagreed", "no points, because")):
            yield Flag("integrity", result, f"{title}: {text}")
    if len(runs) > FIRST_RUNS and report.grade is not None:
        yield Flag("borderline", result, f"{title}: {report.grade.decided_by}, {report.grade.credit:.0%} of the points")


def items_of(found: Class, assignment: Assignment) -> Iterator[ItemRow]:
    """One row a function or curve, in the order of the assignment."""
    reports = [result.grade.report for result in found.results if result.grade is not None]
    for stub in assignment.stubs:
        own = [report for whole in reports for report in whole.stubs if report.stub.id == stub.id]
        failed = [report for report in own if report.verdict != "passed"]
        causes = [failure.cause for report in failed if (failure := report.first_failure) and failure.cause]
        tests = Counter(t.summary for report in own for t in report.tests if t.outcome.verdict != "passed")
        scores = [report.score for report in own]
        yield _row(stub.number, stub.symbol, stub.points, scores, len(failed), causes, tests)
    for curve in assignment.curves if found.curves else ():
        judged = [report for whole in reports for report in whole.curves if report.curve.id == curve.id]
        below = [report for report in judged if report.verdict != "passed"]
        causes = [report.cause for report in below if report.cause]
        scores = [report.score for report in judged]
        yield _row(curve.number, curve.title, curve.points, scores, len(below), causes, Counter())


def _row(
    number: str, name: str, worth: int, scores: Sequence[float], num_failed: int, causes: list[str], tests: Counter[str]
) -> ItemRow:
    common = tuple(
        (cause, HINTS[cause].text if cause in HINTS else "", count)
        for cause, count in Counter(causes).most_common(MAX_CAUSES)
    )
    mean = statistics.fmean(scores) if scores else 0.0
    return ItemRow(number, name, worth, mean, num_failed, len(scores), common, tuple(tests.most_common()))


# Pictures: presentation attributes and classes alone, for the policy allows no style in an element -------------------


def bins_of(scores: Sequence[float], most: float) -> list[tuple[float, float, int]]:
    """(from, to, how many); the last bin holds the best score, too."""
    edges = np.arange(0, most + BIN, BIN)
    edges[-1] = max(edges[-1], most)
    counts, _ = np.histogram(scores, edges)
    return [(float(a), float(b), int(n)) for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)]


def histogram(bins: list[tuple[float, float, int]], most: float) -> Markup:
    width, height, left, bottom, top = 720, 240, 40, 48, 26
    high = max([count for _, _, count in bins] + [1])
    step = (width - left - 10) / max(len(bins), 1)
    parts = []
    for i, (low, up, count) in enumerate(bins):
        tall = (height - top - bottom) * count / high
        x, y = left + i * step, height - bottom - tall
        parts.append(
            f'<rect class="bar" x="{x + 1:.1f}" y="{y:.1f}" width="{step - 2:.1f}" height="{tall:.1f}" rx="2">'
            f"<title>{low:g} to {up:g} points: {count}</title></rect>"
        )
        if count:
            parts.append(f'<text x="{x + step / 2:.1f}" y="{y - 4:.1f}" text-anchor="middle">{count}</text>')
        if i % 2 == 0:
            parts.append(f'<text x="{x:.1f}" y="{height - bottom + 20}" text-anchor="middle">{low:g}</text>')
    parts.append(
        f'<text x="{left + len(bins) * step:.1f}" y="{height - bottom + 20}" text-anchor="end">{most:g}</text>'
    )
    parts.append(
        f'<line class="axis" x1="{left}" x2="{width - 10}" y1="{height - bottom}" y2="{height - bottom}"></line>'
    )
    parts.append(f'<text x="{width / 2}" y="{height - 3}" text-anchor="middle">points by program</text>')
    return Markup(f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">{"".join(parts)}</svg>')


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


def class_curve_svg(band: Band, curves: NDArray[np.float64]) -> Markup:
    """The class's median and band over those of the reference."""
    width, height, left, right, top, bottom = 720, 312, 52, 96, 14, 50
    low, middle, high = np.percentile(curves, [SHARE[0], 50, SHARE[1]], axis=0)
    steps = np.asarray(band.env_steps, dtype=float)
    size = min(len(steps), len(middle))
    lines: dict[str, Any] = {"bar": band.bar, "floor": band.floor}
    lines = {name: value for name, value in lines.items() if value is not None}
    values = np.concatenate([low[:size], high[:size], band.low[:size], band.high[:size], list(lines.values())])
    bottom_value, top_value = float(values.min()), float(values.max())
    span = (top_value - bottom_value) or 1.0

    def x(step: float) -> str:
        return f"{left + (width - left - right) * step / steps[size - 1]:.1f}"

    def y(value: float) -> str:
        return f"{top + (height - top - bottom) * (1 - (value - bottom_value) / span):.1f}"

    def line(ys: Sequence[float] | NDArray[np.float64]) -> str:
        return " ".join(f"{x(s)},{y(v)}" for s, v in zip(steps[:size], ys[:size], strict=True))

    def area(ups: Any, downs: Any) -> str:
        back = " ".join(f"{x(s)},{y(v)}" for s, v in reversed(list(zip(steps[:size], downs[:size], strict=True))))
        return f"{line(ups)} {back}"

    ticks = [bottom_value, bottom_value + span / 2, top_value]
    parts = [
        f'<polygon class="reference" points="{area(band.high, band.low)}"></polygon>',
        f'<polygon class="class" points="{area(high, low)}"></polygon>',
        f'<polyline class="reference-median" points="{line(band.median)}"></polyline>',
        f'<polyline class="class-median" points="{line(middle)}"></polyline>',
        *(
            f'<line class="{name}" x1="{left}" x2="{width - right}" y1="{y(value)}" y2="{y(value)}"></line>'
            f'<text x="{width - right + 6}" y="{y(value)}" dominant-baseline="middle">{name} {value:g}</text>'
            for name, value in lines.items()
        ),
        *(
            f'<text x="{left - 6}" y="{y(value)}" text-anchor="end" dominant-baseline="middle">{value:.0f}</text>'
            for value in ticks
        ),
        *(
            f'<text x="{x(s)}" y="{height - bottom + 21}" text-anchor="middle">{s:g}</text>'
            for s in (steps[0], steps[size // 2], steps[size - 1])
        ),
        f'<line class="axis" x1="{left}" x2="{width - right}" y1="{height - bottom}" y2="{height - bottom}"></line>',
        f'<text x="{(width - right + left) / 2}" y="{height - 4}" text-anchor="middle">env steps</text>',
    ]
    return Markup(f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">{"".join(parts)}</svg>')
