"""Brings a class up to date after a change of points, bars, tests or decisions; says whose grade changed and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich.console import Console

from autograder.classroom.folder import ClassFolder
from autograder.classroom.grades import Class, Result, documents_of, read_class, write_lists
from autograder.report.words import points
from autograder.scoring import item_id


@dataclass(frozen=True)
class Difference:
    """One student whose points are not what they were."""

    student: str
    name: str
    before: float | None
    now: float | None
    why: tuple[str, ...]  # "cem_refit: 2 -> 4 points: waived: ..."


@dataclass(frozen=True)
class Points:
    """What a report said before."""

    score: float | None
    items: dict[str, float]
    verdicts: dict[str, str]
    text: str  # all that a page shows and that can change without anything being run


def points_of(result: Result) -> Points:
    report = result.grade.report if result.grade else None
    items = report.items if report else ()
    return Points(
        result.score,
        {item_id(item): item.score for item in items},
        {item_id(item): item.verdict for item in items},
        repr((report, result.applied, result.grade.bars if result.grade else None)),
    )


def refresh(folder: ClassFolder, decide: Callable[[], None]) -> list[Difference]:
    """Let staff decide, write again every document that this changes, and say whose points it changed."""
    before = {result.student: points_of(result) for result in read_class(folder).results}
    decide()
    found = read_class(folder)
    differences = rewrite_changed(folder, found, before)
    write_lists(folder)
    return differences


def rewrite_changed(folder: ClassFolder, found: Class, before: dict[str, Points]) -> list[Difference]:
    """Write documents whose content is no longer what `before` says."""
    differences = []
    for result in found.results:
        then, now = before[result.student], points_of(result)
        if then.text != now.text:
            folder.rewrite(result.student, documents_of(result, is_graded=found.is_graded))
        if difference := difference_of(result, then, now):
            differences.append(difference)
            folder.log("points", student=result.student, before=then.score, now=now.score, why=difference.why)
    return differences


def difference_of(result: Result, then: Points, now: Points) -> Difference | None:
    """What changed for one student; None if nothing."""
    decided = {applied.change.target: applied for applied in result.applied}
    why = []
    for name in {**then.items, **now.items}:
        before, after = then.items.get(name, 0.0), now.items.get(name, 0.0)
        if before != after:
            why.append(f"{name}: {points(before)} -> {points(after)} points ({_reason(name, then, now, decided)})")
    if then.score == now.score and not why:
        return None
    return Difference(result.student, result.name, then.score, now.score, tuple(why))


def _reason(name: str, then: Points, now: Points, decided: Mapping[str, object]) -> str:
    from autograder.hidden_tests.graded import DECLARED

    own = [target for target in decided if target == name or getattr(DECLARED.get(target), "stub_id", "") == name]
    if own:
        return "staff: " + "; ".join(str(decided[target]) for target in own)
    if then.verdicts.get(name) != now.verdicts.get(name):
        return f"{then.verdicts.get(name, 'not there')} -> {now.verdicts.get(name, 'not there')}"
    return "points, weights or bars"


def print_diff(console: Console, differences: list[Difference]) -> None:
    for one in differences:
        before, now = ("no grade" if score is None else points(score) for score in (one.before, one.now))
        console.print(f"{one.student}: {before} -> {now}", markup=False, highlight=False)
        for why in one.why:
            console.print(f"    {why}", markup=False, highlight=False)
    grades = "1 grade changes" if len(differences) == 1 else f"{len(differences)} grades change"
    console.print(f"{grades}.", highlight=False)
