"""The page of a submission without a grade, and what staff changed on the page of one with a grade."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from autograder.classroom.marks.changes import Applied
from autograder.classroom.marks.requests import Request
from autograder.report.page_style import PAGE_STYLE
from autograder.report.words import points
from hw4.handin.assignment import load_assignment

PAGE = Markup(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}: report</title>
<style>
{style}body {{ max-width: 60rem; }}
p {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>Submission <code>{name}</code></p>
<p>{text}</p>
</main>
</body>
</html>
"""
)
CHANGES = Markup(
    """<section class="card" id="changes">
<h2>Changed by staff</h2>
<ul>
{rows}</ul>
{total}</section>
"""
)
ROW = Markup("<li><code>{target}</code>: {effect}: {reason} <span>({author}, {time})</span></li>\n")
TOTAL = Markup("<p><strong>Total: {total} points</strong></p>\n")
BEGIN = '<section id="points">\n'


REQUESTS = Markup(
    """<section class="card" id="requests">
<h2>Your regrade requests</h2>
<ul>
{rows}</ul>
</section>
"""
)
REQUEST = Markup("<li><code>{item}</code>: {reason}<br><strong>{answer}</strong></li>\n")


def notice(name: str, text: str) -> str:
    """A page that says why there is no grade."""
    return str(PAGE.format(style=Markup(PAGE_STYLE), title=load_assignment().course.title, name=name, text=text))


def with_changes(page: str, applied: Sequence[Applied], total: float | None = None) -> str:
    """The page of a grade, with what staff changed before its points.

    Args:
        page: of the grade.
        applied: what staff changed.
        total: what counts, if staff changed it as a whole.
    """
    if not applied:
        return page
    rows = Markup("").join(
        ROW.format(
            target=one.change.target,
            effect=one.effect.replace("->", "\N{RIGHTWARDS ARROW}"),
            reason=one.change.reason,
            author=one.change.author,
            time=one.change.time,
        )
        for one in applied
    )
    sum_ = "" if total is None else TOTAL.format(total=points(total))
    return _before_the_points(page, str(CHANGES.format(rows=rows, total=sum_)))


def with_requests(page: str, requests: Sequence[Request]) -> str:
    """The page of a grade, with what the student asked and what staff answered before its points."""
    if not requests:
        return page
    rows = Markup("").join(
        REQUEST.format(
            item=one.item,
            reason=one.reason,
            answer=f"Answer of {one.author}: {one.answer}" if one.answer else "Not answered yet.",
        )
        for one in requests
    )
    return _before_the_points(page, str(REQUESTS.format(rows=rows)))


def _before_the_points(page: str, section: str) -> str:
    if page.count(BEGIN) != 1:
        raise ValueError("the page of a grade has no place for what staff changed")
    return page.replace(BEGIN, section + BEGIN)
