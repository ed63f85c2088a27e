"""results.json in Gradescope's documented format. Students may see all of it.

Fields and values: gradescope-autograders.readthedocs.io, pages "Autograder Specifications" and "Leaderboards". Two of
its rules decide the form:

- A `visibility` that hides a single test also hides the total score. So nothing is hidden by that field: what must wait
  for the due date is not written before it (`without_details`).
- A score is required, at the top or in each test. A document that must never count as a grade therefore has none.
- The score at the top is what counts, whatever the tests add up to. So a bonus lifts it above the points of the
  assignment, as far as `bonus_cap` lets it.
"""

from __future__ import annotations

import math
import statistics
from typing import Any

from autograder.grading.curves import COUNTS_AS_NONE, FIRST_RUNS
from autograder.grading.scoring import ItemReport, Report
from autograder.grading.session import Grade
from autograder.report.documents import FAULT_NOTE, NOT_GRADED, QUICK_NOTE, document, inert
from autograder.report.next_step import next_step, nothing_left
from autograder.report.words import (
    bonus_of,
    changed_given_parts,
    exception_of,
    hint_of,
    meaning_of_a_score,
    name_of,
    points,
    score_in_words,
    shown_score,
    verdict_of,
)
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Curve, load_assignment
from hw4.handin.intake import Intake

LEADERBOARD_STEPS = 1_000  # env steps
DETAILS = ("Why: ", "Hint: ", "Read: ")  # how lines begin that tell more than points
DETAILS_LATER = "Hints and checks are shown after the due date."


def results(grade: Grade) -> dict[str, Any]:
    """The document of a graded submission, with every detail."""
    report = grade.report
    facts: dict[str, Any] = {"graded": not report.faults, "grader_faults": len(report.faults)}
    if report.max_bonus:
        facts |= {"bonus": report.bonus, "counted_bonus": report.counted_bonus}
    found = document(_summary(grade), facts, tests=[_test(item, grade) for item in _shown(report)])
    found["execution_time"] = round(grade.seconds)
    if report.faults:  # what could not be judged must not count as nothing: no score at all
        for test in found["tests"]:
            del test["score"], test["max_score"], test["status"]
        return found
    if load_assignment().leaderboard:
        found["leaderboard"] = leaderboard(grade)
    return {"score": report.total, **found}


def quick_look(grade: Grade) -> dict[str, Any]:
    """The document of a grading without learning curves: verdicts, and no score that could be taken for a grade."""
    found = {key: value for key, value in results(grade).items() if key not in ("score", "leaderboard")}
    return {**found, "output": inert(f"{QUICK_NOTE}\n{found['output']}")}


def without_details(whole: dict[str, Any]) -> dict[str, Any]:
    """The same document with points alone: no hint, no check and no example of any test."""
    tests = [{key: value for key, value in test.items() if key != "output"} for test in whole["tests"]]
    lines = [line for line in whole["output"].split("\n") if not line.startswith(DETAILS)]
    output = "\n".join([*lines, DETAILS_LATER] if tests else lines)
    return {**whole, "output": output, "tests": tests}


def leaderboard(grade: Grade) -> list[dict[str, Any]]:
    """One entry for each curve with a learned agent: the mean, over the first runs, of the return at 1,000 env steps.

    The return of the last episode that ended by then. A curve shorter than that counts at its end.
    """
    entries = []
    for curve in load_assignment().curves:
        name, last = _leaderboard_name(curve)
        first = EXPERIMENTS[curve.experiment].num_initial_episodes
        values = [
            run.returns[last]
            for run in grade.runs.get(curve.id, [])[:FIRST_RUNS]
            if first <= last < len(run.returns) and run.failure not in COUNTS_AS_NONE
        ]
        if len(values) == FIRST_RUNS and all(map(math.isfinite, values)):
            entries.append({"name": name, "value": round(statistics.fmean(values), 2), "order": "desc"})
    return entries


def _leaderboard_name(curve: Curve) -> tuple[str, int]:
    """What the column is called, and which episode it shows."""
    experiment = EXPERIMENTS[curve.experiment]
    length = experiment.task.episode_length
    episodes = min(experiment.num_episodes, LEADERBOARD_STEPS // length)
    return f"{curve.title}: return at {episodes * length:,} env steps", episodes - 1


def _summary(grade: Grade) -> str:
    report = grade.report
    lines = [f"{points(report.score)} of {points(report.max_score)} points by program{bonus_of(report)}."]
    if report.faults:
        lines = [FAULT_NOTE, NOT_GRADED]
    lines = [*_next(grade), *lines]
    lines += [f"Optional, not handed in: {', '.join(names)}."] if (names := absent_problems(grade)) else []
    changed = changed_given_parts(grade.measured.put_back)
    return "\n".join([*lines, *about(grade.intake), *([changed] if changed else [])])


def _next(grade: Grade) -> list[str]:
    """The lines that come first, and an empty one."""
    step = next_step(grade)
    if step is None:
        return [nothing_left(grade.report), ""]
    hint = [f"Hint: {step.hint.text}", f"Read: {step.hint.read}"] if step.hint else []
    why = [f"Why: {step.why}"] if step.why else []
    return [f"What to do next: {step.name}", *why, *hint, f"Run: {step.command}", ""]


def absent_problems(grade: Grade) -> list[str]:
    """The optional problems of which nothing that is graded was handed in, such as "T1 Sampling-based planning"."""
    return [
        f"{problem.label} {problem.title}"
        for problem in load_assignment().problems
        if (items := grade.report.items_of(problem.id))
        and all(item.verdict == "absent" for item in items)
        and not (problem.written and problem.notebook in grade.measured.submitted)
    ]


def about(intake: Intake) -> list[str]:
    """What is to be said of the files that were handed in. Names are the student's own: see `inert`."""
    lines = [f"{p.file}:{p.line}: not valid Python: {p.message}" for p in intake.syntax_errors]
    lines += [f"{i.file}:{i.line}: import of {i.module} is not allowed." for i in intake.forbidden_imports]
    if intake.ignored:
        shown = ", ".join(intake.ignored[:20]) + (" ..." if len(intake.ignored) > 20 else "")
        lines.append(f"Ignored, because it is not part of the submission: {shown}.")
    return [*lines, *intake.notes]


def _shown(report: Report) -> list[ItemReport]:
    """Everything but what is optional and was not handed in."""
    return [item for item in report.items if item.verdict != "absent"]


def _test(item: ItemReport, grade: Grade) -> dict[str, Any]:
    return {
        "number": item.item.number,
        "name": f"{name_of(item)}{' (bonus)' if item.is_bonus else ''}",
        "score": item.score,
        "max_score": item.points,
        "status": "passed" if item.verdict == "passed" else "failed",
        "output": inert("\n".join(_lines(item, grade))),
    }


def _lines(item: ItemReport, grade: Grade) -> list[str]:
    lines = [verdict_of(item)]
    if item.verdict == "grader_fault":
        lines.append(FAULT_NOTE)
    if hint := hint_of(item):
        lines += [f"Hint: {hint.text}", f"Read: {hint.read}"]
    for test in item.tests:
        verdict = test.outcome.verdict.replace("_", " ")
        lines.append(f"[{verdict}] {test.summary} {exception_of(item, test.outcome)}".rstrip())
    if item.example:
        lines.append(f"Worked example: {item.example.story}")
        lines += [f"  {name}: seen {seen}; wanted {wanted}" for name, seen, wanted in item.example.rows]
    if item.grade:
        lines.append(score_in_words(item.grade, grade.bars[item.id]))
        lines.append(f"{meaning_of_a_score(item)}. Runs: {', '.join(map(shown_score, item.grade.scores))}")
        lines.append(f"Decided by: {item.grade.decided_by}")
    elif item.verdict == "not_run" and item.message:
        lines.append(item.message)
    return [*lines, *item.flags]
