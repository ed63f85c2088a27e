"""The page of a submission without a grade, and what staff changed on the page of one with a grade."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from autograder.classroom.marks.changes import Applied
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
</section>
"""
)
ROW = Markup("<li><code>{target}</code>: {before} &rarr; {now} points: {reason} <span>({author}, {time})</span></li>\n")
BEGIN = '<section id="points">\n'


def notice(name: str, text: str) -> str:
    """A page that says why there is no grade."""
    return str(PAGE.format(style=Markup(PAGE_STYLE), title=load_assignment().course.title, name=name, text=text))


def with_changes(page: str, applied: Sequence[Applied]) -> str:
    """The page of a grade, with what staff changed before its points."""
    if not applied:
        return page
    rows = Markup("").join(
        ROW.format(
            target=one.change.target,
            before=points(one.before),
            now=points(one.now),
            reason=one.change.reason,
            author=one.change.author,
            time=one.change.time,
        )
        for one in applied
    )
    if page.count(BEGIN) != 1:
        raise ValueError("the page of a grade has no place for what staff changed")
    return page.replace(BEGIN, str(CHANGES.format(rows=rows)) + BEGIN)
