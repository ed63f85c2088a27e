"""Brings a class up to date after a change of points, bars, tests or decisions; says whose grade changed and why.

Stored verdicts and returns are scored again without running anything. What runs again is only what cannot be known
otherwise: the functions whose hidden tests changed, and whole submissions whose curves need runs that nobody recorded.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.marks.changes import read_changes
from autograder.classroom.marks.lists import write_lists
from autograder.classroom.marks.spreadsheet import guarded, write_csv
from autograder.classroom.marks.standing import (
    Class,
    LateRule,
    Result,
    common_of,
    read_class,
    result_of,
    standing_of,
)
from autograder.classroom.marks.student_documents import documents_of
from autograder.classroom.night.engine import Task
from autograder.classroom.night.grade_class import Engine, check_canary
from autograder.classroom.night.job import Settings
from autograder.classroom.night.record import core_hash, hashes_of_tests, stale_effects
from autograder.files import write_at_once
from autograder.hidden_tests.graded import DECLARED
from autograder.report.words import points

WRITER = "all"


@dataclass(frozen=True)
class Difference:
    """One submission whose points are not what they were."""

    student: str
    name: str
    before: float | None  # what counts, with the bonus
    now: float | None
    why: tuple[str, ...]  # "cem_refit: 2 -> 4 points (worth 2 -> 4)"
    counts_otherwise: bool = False  # lateness costs something else

    @property
    def changes_the_total(self) -> bool:
        return self.before != self.now or self.counts_otherwise


@dataclass(frozen=True)
class Plan:
    """What has to run again."""

    functions: dict[str, frozenset[str]] = field(default_factory=dict)  # student -> ids whose hidden tests changed
    whole: dict[str, str] = field(default_factory=dict)  # student -> why
    outdated: tuple[str, ...] = ()  # students whose verdicts are by another grader


def plan_of(found: Class, *, everything: bool = False) -> Plan:
    """What today's tests and bars ask for and stored verdicts do not tell."""
    plan = Plan()
    outdated = []
    for result in found.results:
        if result.by_program is None:
            continue
        measured = result.record["measured"]
        if measured["core"] != core_hash():
            outdated.append(result.student)
        if everything and measured["core"] != core_hash():
            plan.whole[result.student] = "the grader changed"
        elif why := _missing_runs(result):
            plan.whole[result.student] = why
        elif stale := _stale_functions(result):
            plan.functions[result.student] = stale
    return dataclasses.replace(plan, outdated=tuple(outdated))


def _stale_functions(result: Result) -> frozenset[str]:
    """Functions whose hidden tests changed, but none that was not asked for or not handed in."""
    then, today = result.record["measured"]["tests"], hashes_of_tests()
    return _judged(result) & {test.stub_id for name, test in DECLARED.items() if then.get(name) != today[name]}


def _judged(result: Result) -> frozenset[str]:
    assert result.by_program is not None
    return frozenset(item.id for item in result.by_program.report.items if item.verdict != "absent")


def _missing_runs(result: Result) -> str:
    """What stored measurements do not tell of curves and effects; empty if nothing."""
    assert result.by_program is not None
    found = result.record["measured"]
    if found["options"]["curves"] and (stale := sorted(_judged(result) & {*stale_effects(found)})):
        return f"{', '.join(stale)}: the check changed"
    items = result.by_program.report.items
    return next((f"{item.id}: it needs {item.lacks}" for item in items if item.lacks and not item.tests), "")


def regrade_class(
    folder: ClassFolder,
    settings: Settings,
    engine_of: Callable[[Settings], Engine],
    console: Console,
    *,
    ask_canary: Callable[[Settings], Callable[[bytes], dict[str, Any]]],
    everything: bool = False,
) -> list[Difference]:
    """Score all stored verdicts and returns by today's rule, run again what changed, and write every difference.

    Args:
        folder: results of the class.
        settings: how submissions are graded; curves and functions are those of the class.
        engine_of: where they are graded.
        console: progress goes here.
        ask_canary: where the reference is graded before anything runs again.
        everything: grade again also those whose verdicts are by another grader.
    """
    with folder.locked(WRITER):
        folder.recover(WRITER)
        found = read_class(folder, by_todays_rule=True)
        settings = dataclasses.replace(settings, curves=found.curves, only=found.only)
        plan = plan_of(found, everything=everything)
        if plan.outdated and not everything:
            console.print(
                f"The grader itself changed, not only tests, points or bars: {len(plan.outdated)} students keep their "
                f"verdicts. Use --everything to grade them again.",
                style="yellow",
            )
        by_student = {result.student: result for result in found.results}
        for only in sorted({*plan.functions.values()}, key=sorted):
            students = [student for student, stale in plan.functions.items() if stale == only]
            console.print(f"Changed tests of {', '.join(sorted(only))}: {len(students)} students.", markup=False)
            some = dataclasses.replace(settings, curves=False, only=only)
            check_canary(folder, some, console, ask_canary(some))
            for task, answer in engine_of(some)(_tasks(students, by_student, some)):
                _keep(folder, by_student[task.student], answer, console)
        if plan.whole:
            console.print(f"To be graded again completely: {len(plan.whole)} students.", markup=False)
            check_canary(folder, settings, console, ask_canary(settings))
            for task, answer in engine_of(settings)(_tasks(list(plan.whole), by_student, settings)):
                console.print(f"{task.student}: {plan.whole[task.student]}", markup=False, highlight=False)
                _keep(folder, by_student[task.student], answer, console)
        return bring_up_to_date(folder, console, by_todays_rule=True)


def _tasks(students: list[str], by_student: dict[str, Result], settings: Settings) -> Iterator[Task]:
    for student in students:
        record = by_student[student].record
        request = {
            "files": record["files"],
            "syntax_errors": record["intake"]["syntax_errors"],
            "curves": settings.curves,
            "only": None if settings.only is None else sorted(settings.only),
        }
        yield Task(student, json.dumps(request).encode())


def _keep(folder: ClassFolder, result: Result, answer: dict[str, Any], console: Console) -> None:
    """Put an answer into a student's record. The old verdict stays where the grader failed."""
    if "fault" in answer:
        console.print(f"{result.student}: not graded again: {answer['fault']}", markup=False, style="magenta")
        return
    old = result.record["measured"]
    if answer["options"] != old["options"]:  # some functions alone
        functions = set(answer["options"]["only"])
        others = {n: o for n, o in old["outcomes"].items() if n in DECLARED and DECLARED[n].stub_id not in functions}
        examples = {stub: example for stub, example in old["examples"].items() if stub not in functions}
        changed = {
            "outcomes": {**others, **answer["outcomes"]},
            "examples": {**examples, **answer["examples"]},
            "broken_files": answer["broken_files"],
            "put_back": answer["put_back"],
            "tests": answer["tests"],
        }
        answer = {**old, **changed}
    record = {**result.record, "measured": answer, "graded_at": datetime.now(UTC).isoformat(timespec="milliseconds")}
    done = folder.done(result.student)
    assert done is not None
    now = result_of(record, common_of(result), read_changes(folder.root))
    place = folder.students / result.student
    documents = {path.name: path.read_bytes() for path in place.iterdir()}  # they stay until all is done
    folder.commit(dataclasses.replace(done, status=now.status), record, documents, WRITER)


# What changed ---------------------------------------------------------------------------------------------------------


def bring_up_to_date(folder: ClassFolder, console: Console, *, by_todays_rule: bool = False) -> list[Difference]:
    """Say whose points are not what their documents say, then write again every document that is not up to date.

    Args:
        folder: results of the class.
        console: the differences go here.
        by_todays_rule: judge everything that was measured by today's bars, tests and points; otherwise decisions of
            staff alone can change something.
    """
    found, rule = read_class(folder, by_todays_rule=by_todays_rule), folder.late_rule()
    differences, changed = [], []
    for result in found.results:
        then, now = folder.standing(result.student), standing_of(result)
        if then == now or result.status == "waiting" or not (result.has_report or then):
            continue
        changed.append(result)
        if difference := difference_of(result, then, now):
            differences.append(difference)
    if by_todays_rule and rule is not None:
        differences = with_lateness(found, differences, LateRule.from_json(rule))
    differences.sort(key=lambda one: (not one.changes_the_total, one.student))
    print_diff(console, differences, len(found.results))
    if differences:
        write_diff(folder, differences)
    if by_todays_rule:
        folder.write_class({**folder.read_class(), "late_rule": LateRule.today().to_json()})
    for result in changed:
        folder.rewrite(result.student, documents_of(result, is_graded=found.is_graded))
    if notice := write_lists(folder).notice:
        console.print(notice, markup=False, highlight=False, style="yellow")
    return differences


def difference_of(result: Result, then: dict[str, Any], now: dict[str, Any]) -> Difference | None:
    """What changed in the points of one submission; None if nothing."""
    why = []
    for name in {**then.get("items", {}), **now["items"]}:
        before, after = then.get("items", {}).get(name, {}), now["items"].get(name, {})
        if before.get("score") != after.get("score"):
            old, new = (points(item.get("score", 0.0)) for item in (before, after))
            why.append(f"{name}: {old} -> {new} points ({_reason(before, after)})")
    of_items = {line for item in (*then.get("items", {}).values(), *now["items"].values()) for line in item["staff"]}
    whole = [[line for line in one.get("staff", ()) if line not in of_items] for one in (then, now)]
    why += [f"staff: {line}" for line in whole[1] if line not in whole[0]]
    why += [f"withdrawn: {line}" for line in whole[0] if line not in whole[1]]
    if then.get("total") == now["total"] and not why:
        return None
    if not why and (then.get("score"), then.get("bonus")) == (now["score"], now["bonus"]):
        why.append("another part of the bonus counts")
    return Difference(result.student, result.name, then.get("total"), now["total"], tuple(why))


def with_lateness(found: Class, differences: list[Difference], rule: LateRule) -> list[Difference]:
    """The differences, and what a new due date or late rule changes in what counts in the end."""
    by_student = {one.student: one for one in differences}
    for result in found.results:
        then = dataclasses.replace(result, late_rule=rule)
        if result.total is None or (now := result.lateness(result.total)) is None:
            continue
        before = then.lateness(result.total)
        assert before is not None
        if before.penalty != now.penalty:
            says = f"late penalty {points(before.penalty)} -> {points(now.penalty)} points (the rule for lateness)"
            one = by_student.get(result.student)
            one = one or Difference(result.student, result.name, result.total, result.total, ())
            by_student[result.student] = dataclasses.replace(one, why=(*one.why, says), counts_otherwise=True)
    return list(by_student.values())


def _reason(before: dict[str, Any], after: dict[str, Any]) -> str:
    reasons = []
    for name, words in (("worth", "worth"), ("bar", "bar"), ("floor", "floor"), ("verdict", "verdict")):
        if before.get(name) != after.get(name):
            reasons.append(f"{words} {before.get(name)} -> {after.get(name)}")
    tests, then = after.get("tests", {}), before.get("tests", {})
    for test in {**then, **tests}:
        old, new = then.get(test, {}), tests.get(test, {})
        if old.get("verdict") != new.get("verdict"):
            reasons.append(f"{test} {old.get('verdict', 'not there')} -> {new.get('verdict', 'not there')}")
        elif old.get("worth") != new.get("worth"):
            reasons.append(f"{test} worth {old.get('worth'):g} -> {new.get('worth'):g}")
    for change in after.get("staff", []):
        if change not in before.get("staff", []):
            reasons.append(f"staff: {change}")
    reasons += [f"withdrawn: {change}" for change in before.get("staff", []) if change not in after.get("staff", [])]
    return "; ".join(reasons) or "the rule of scoring"


def write_diff(folder: ClassFolder, differences: list[Difference]) -> None:
    """One CSV for each time that grades changed."""
    rows = [["submission", "name", "before", "now", "why"]]
    for one in differences:
        before, now = ("" if score is None else points(score) for score in (one.before, one.now))
        rows.append([guarded(one.student), guarded(one.name), before, now, guarded("; ".join(one.why))])
        folder.log("points", student=one.student, before=one.before, now=one.now, why=one.why)
    place = folder.root / "regrades"
    place.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S.%f")
    write_at_once(place / f"{stamp}.csv", write_csv(rows))


def print_diff(console: Console, differences: list[Difference], num_students: int) -> None:
    """First whose total changes; everybody else is one number."""
    changed = [one for one in differences if one.changes_the_total]
    totals = {0: "No total changes", 1: "1 total changes"}.get(len(changed), f"{len(changed)} totals change")
    console.print(f"{totals}; {num_students - len(changed)} stay as they were.", highlight=False)
    for one in changed:
        before, now = ("no grade" if score is None else points(score) for score in (one.before, one.now))
        console.print(f"{one.student}: {before} -> {now}", markup=False, highlight=False)
        for why in one.why:
            console.print(f"    {why}", markup=False, highlight=False)
    if others := len(differences) - len(changed):
        of = "1 submission has" if others == 1 else f"{others} submissions have"
        console.print(f"{of} the same total from other points: see `regrades`.", highlight=False)
