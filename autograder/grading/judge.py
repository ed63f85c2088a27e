"""The judge: everything that was measured of one submission in, report out. Pure: no worker, no file, no clock.

A grade, a regrade from a receipt and a class that is scored again all ask it, so the same measurements get the same
points everywhere. Whatever they do not decide is not judged: it earns nothing until somebody measures it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autograder.grading.curves import (
    ALL_RUNS,
    CUT_SHORT,
    GATE_OPEN,
    MEDIAN_RUNS,
    NOT_THE_STUDENTS,
    Bar,
    first_runs_of,
    gate,
    grade_runs,
    needs_more_runs,
    score_of_run,
)
from autograder.grading.outcome import Outcome, Verdict
from autograder.grading.promises import BROKEN, CAUSES, Integrity, Look
from autograder.grading.running import Run
from autograder.grading.scoring import ExampleRun, ItemReport, Report, full_report, stub_report
from autograder.hidden_tests.graded import Declared
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Assignment, Curve, Item, RunItem, Stub

Json = Mapping[str, Any]
EARLY_RUNS = 2  # that reach the bar in the first episode with a model: worth a look by staff
NOT_ASKED = "not asked for"
COUNTS_LESS = "only"  # so much of a curve counts
WHY_CUT = {
    "raised": "your code raised an exception",
    "too_slow": "its time was used up",
    "out_of_memory": "its memory was used up",
    "exits": "its process ended",
    "deadline": "the overall deadline passed",
    "grader_fault": "the grader failed",
}


@dataclass(frozen=True)
class Measured:
    """What was measured of one submission: all that its points follow from."""

    submitted: frozenset[str]  # the files that were handed in, notebooks too
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)  # of hidden tests, by name
    examples: Mapping[str, ExampleRun] = field(default_factory=dict)  # of functions that did not pass, by id
    runs: Mapping[str, Sequence[Run]] = field(default_factory=dict)  # of curves and effects, by id
    integrity: Mapping[str, Integrity] = field(default_factory=dict)  # of curves that earn points, by id
    broken_files: Mapping[str, Outcome] = field(default_factory=dict)  # that do not import, by name
    put_back: tuple[str, ...] = ()  # given parts that were changed, as "mpc.py:12: MPC": curves run the published ones
    only: frozenset[str] | None = None  # ids of the functions that were graded; all if None

    @classmethod
    def from_json(
        cls,
        submitted: Iterable[str],
        *,
        outcomes: Json,
        examples: Json,
        runs: Json,
        integrity: Json,
        broken_files: Json,
        put_back: Iterable[str],
        only: Iterable[str] | None,
    ) -> Measured:
        """What a receipt or a record of a class holds, as it was written: dataclasses as dictionaries, NaN as null."""
        return cls(
            submitted=frozenset(submitted),
            outcomes={name: Outcome(**facts) for name, facts in outcomes.items()},
            examples={
                stub_id: ExampleRun(facts["story"], tuple(map(tuple, facts["rows"])))
                for stub_id, facts in examples.items()
            },
            runs={item_id: [Run(**_numbers(facts)) for facts in of_item] for item_id, of_item in runs.items()},
            integrity={
                curve_id: Integrity(**{**facts, "results": tuple(Look(**_numbers(r)) for r in facts["results"])})
                for curve_id, facts in integrity.items()
            },
            broken_files={name: Outcome(**facts) for name, facts in broken_files.items()},
            put_back=tuple(put_back),
            only=None if only is None else frozenset(only),
        )


def _numbers(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The same with NaN in place of null, also inside lists."""

    def number(value: Any) -> Any:
        return [number(entry) for entry in value] if isinstance(value, list) else math.nan if value is None else value

    return {name: number(value) for name, value in facts.items()}


def judge(
    measured: Measured, *, bars: Mapping[str, Bar], assignment: Assignment, declared: Mapping[str, Declared]
) -> Report:
    """The verdict on one submission.

    Args:
        measured: what was measured.
        bars: of each curve and effect.
        assignment: the public facts.
        declared: all hidden tests.
    """
    items: list[ItemReport] = []
    for stub in assignment.stubs:
        if measured.only is None or stub.id in measured.only:
            items.append(_judge_stub(stub, measured, assignment, declared))
    functions = {report.id: report for report in items}
    for item in assignment.run_items:
        report = _judge_runs(item, measured, bars.get(item.id), assignment)
        items.append(_with_gate(item, report, [functions[id_] for id_ in item.needs if id_ in functions]))
    items = [dataclasses.replace(report, is_bonus=assignment.is_optional(report.item)) for report in items]
    untouched = _untouched(items)
    return full_report(assignment, (_absent(r.item) if r.item.problem in untouched else r for r in items))


def was_handed_in(item: Item, submitted: Iterable[str], assignment: Assignment) -> bool:
    """Whether an item is to be judged at all: not if it is optional and needs an optional file that is not there."""
    needed = {stub.file for stub in assignment.stubs_behind(item)}
    return not assignment.is_optional(item) or not needed & {*assignment.optional_code} - {*submitted}


def earns_by_its_runs(item: RunItem, measured: Measured, bar: Bar, assignment: Assignment) -> bool:
    """Whether a curve or an effect earns points, as far as its runs go."""
    return _judge_by_runs(item, measured, bar, assignment).score > 0


# Optional problems ----------------------------------------------------------------------------------------------------


def _absent(item: Item) -> ItemReport:
    return ItemReport(item, 0.0, "absent", is_bonus=True)


def _untouched(items: Iterable[ItemReport]) -> set[str]:
    """The optional problems none of whose functions is written: they count as not handed in."""
    stubs = [report for report in items if report.is_bonus and report.item.kind == "function"]
    return {stub.item.problem for stub in stubs} - {stub.item.problem for stub in stubs if _is_written(stub)}


def _is_written(stub: ItemReport) -> bool:
    return stub.verdict != "absent" and any(test.outcome.cause != "not_started" for test in stub.tests)


# Functions ------------------------------------------------------------------------------------------------------------


def _judge_stub(stub: Stub, measured: Measured, assignment: Assignment, declared: Mapping[str, Declared]) -> ItemReport:
    if not was_handed_in(stub, measured.submitted, assignment):
        return _absent(stub)
    return stub_report(stub, declared, measured.outcomes, measured.examples.get(stub.id))


# Curves and effects ---------------------------------------------------------------------------------------------------


def _judge_runs(item: RunItem, measured: Measured, bar: Bar | None, assignment: Assignment) -> ItemReport:
    if not was_handed_in(item, measured.submitted, assignment):
        return _absent(item)
    if bar is None:
        return ItemReport(item, 0.0, "grader_fault", message="no bar is recorded", lacks="a bar")
    report = _judge_by_runs(item, measured, bar, assignment)
    if item.kind == "effect":
        return report
    report = _with_integrity(report, measured.integrity.get(item.id))
    return _with_note(report, item, [run.returns for run in measured.runs.get(item.id, ())], bar.bar)


def _judge_by_runs(item: RunItem, measured: Measured, bar: Bar, assignment: Assignment) -> ItemReport:
    """The verdict on what the runs tell."""
    if not measured.runs:
        return ItemReport(item, 0.0, "not_run", message=NOT_ASKED)
    runs = measured.runs.get(item.id, ())
    behind = assignment.stubs_behind(item)
    if broken := sorted({stub.file for stub in behind} & measured.broken_files.keys()):
        return _blocked(item, f"blocked: {', '.join(broken)} cannot be imported")
    if missing := sorted({run.blocked_by for run in runs if run.blocked_by}):
        return _blocked(item, f"blocked by {', '.join(missing)}: not written yet")
    scores = [score_of_run(item, run.returns, run.failure) for run in runs]
    first_runs = first_runs_of(item)
    if lacks := _lacking_runs(scores, bar.bar, first_runs):
        return _not_judged(ItemReport(item, 0.0, "grader_fault"), lacks)
    grade = grade_runs(scores, bar=bar.bar, floor=bar.floor, first_runs=first_runs)
    flags = [
        f"run {i} was cut short: {why_cut(run, score)}"
        for i, (run, score) in enumerate(zip(runs, scores, strict=True), 1)
        if run.failure
    ]
    if len(runs) > MEDIAN_RUNS:
        flags.append(f"the first three runs disagreed: {len(runs)} runs")
    verdict: Verdict = "passed" if grade.credit == 1.0 else "failed"
    cause = "" if verdict == "passed" else next((run.failure for run in runs if run.failure), f"{item.kind}_below_bar")
    message = grade.decided_by
    not_judged = [run.message for run in runs if run.failure in NOT_THE_STUDENTS]
    if not_judged and verdict == "failed":  # the points so far are kept; a TA decides
        verdict, cause, message = "grader_fault", "", not_judged[0]
    score = round(item.points * grade.credit, 2)
    return ItemReport(item, score, verdict, cause=cause, message=message, flags=tuple(flags), grade=grade)


def _blocked(item: RunItem, message: str) -> ItemReport:
    return ItemReport(item, 0.0, "not_run", cause="runs_blocked", message=message)


def _lacking_runs(scores: Sequence[float], bar: float, first_runs: int) -> str:
    """How many more runs the rule needs; empty if these decide."""
    if not needs_more_runs(scores, bar, first_runs):
        return ""
    if len(scores) >= MEDIAN_RUNS:
        return f"up to {ALL_RUNS - len(scores)} more runs, because the first three disagree about the bar"
    missing = (first_runs if all(score >= bar for score in scores) else MEDIAN_RUNS) - len(scores)
    return f"at least {missing} more {'run' if missing == 1 else 'runs'}"


def _not_judged(report: ItemReport, lacks: str) -> ItemReport:
    before = f"{report.message}; " if report.message else ""
    message = f"{before}not judged: it needs {lacks}"
    return dataclasses.replace(report, score=0.0, verdict="grader_fault", message=message, lacks=lacks)


def why_cut(run: Run, score: float) -> str:
    """Why a run did not finish, and what of it counts. Students may see it."""
    why = WHY_CUT.get(run.failure, "a check of its answers failed")
    error = f", {run.error}" if run.error else ""
    if score == -math.inf:
        return f"it counts as none, because {why}{error}"
    worst = "worst of the " if run.failure in CUT_SHORT else ""
    return f"{why}; the {worst}episodes that finished count"


def _with_gate(item: RunItem, report: ItemReport, functions: Sequence[ItemReport]) -> ItemReport:
    """The rule: what is run with functions that lost points counts less, and with one that is not started not at all.

    Args:
        item: a curve or an effect.
        report: what its runs earn.
        functions: the reports of those that it runs.
    """
    if report.verdict in ("absent", "not_run") or not functions:
        return report
    if missing := [function.id for function in functions if not _is_written(function)]:
        return _blocked(item, f"blocked by {', '.join(missing)}: not written yet")
    if report.verdict == "passed" and (nothing := [function.id for function in functions if function.score == 0]):
        note = f"it passed although {', '.join(nothing)}, which it runs, earned nothing"
        report = dataclasses.replace(report, notes=(*report.notes, note))
    earned, points = sum(function.score for function in functions), sum(function.points for function in functions)
    counts = gate(earned / points)
    if counts == 1.0 or report.verdict == "grader_fault":
        return report
    flag = (
        f"{COUNTS_LESS} {counts:.0%} of this counts, because the functions that it runs earned {earned:g} of {points} "
        f"points (from {GATE_OPEN:.0%} on, all of it counts)"
    )
    passed = report.verdict == "passed"
    return dataclasses.replace(
        report,
        score=round(report.score * counts, 2),
        verdict="failed",
        cause="functions_lost_points" if passed else report.cause,
        flags=(*report.flags, flag) if report.score > 0 else report.flags,
    )


# The agent behind a curve ---------------------------------------------------------------------------------------------


def _with_integrity(report: ItemReport, integrity: Integrity | None) -> ItemReport:
    """The rule: a curve whose agent breaks a promise earns nothing, and none earns points unchecked."""
    if report.verdict in ("absent", "not_run"):
        return report
    if integrity is not None and integrity.broken is not None:
        return dataclasses.replace(
            report,
            score=0.0,
            verdict="failed",
            cause=CAUSES[integrity.broken],
            message=f"{report.message}; broken promise: {integrity.broken}: {integrity.message}",
            flags=(*report.flags, f"no points, because {BROKEN[integrity.broken]}"),
        )
    if report.score > 0 and (integrity is None or integrity.unchecked):
        why = f" ({integrity.message})" if integrity else ""
        return _not_judged(report, f"a look at its agent{why}")
    return report


def _with_note(report: ItemReport, curve: Curve, returns: Sequence[Sequence[float]], bar: float) -> ItemReport:
    """A note for staff, without a word on points, if the agent was good before it can have learned to be.

    Args:
        report: of the curve.
        curve: the curve.
        returns: of each episode of each run.
        bar: of the curve. Of the recorded correct runs of the cart-pole none reaches it in the first episode with a
            model; of those of the cliff hill one in 13 does.
    """
    first = EXPERIMENTS[curve.experiment].num_initial_episodes
    early = sum(run[first] >= bar for run in returns if len(run) > first)
    if early < EARLY_RUNS:
        return report
    note = f"{early} runs reach the bar in the first episode with a model, before they can have learned much"
    return dataclasses.replace(report, notes=(*report.notes, note))
