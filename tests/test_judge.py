"""One judge: what measurements are worth, and what they do not decide."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from autograder import __main__ as command
from autograder.files import as_json
from autograder.grading import regrade
from autograder.grading.curves import load_bars
from autograder.grading.judge import Measured, judge
from autograder.grading.outcome import Outcome
from autograder.grading.promises import CAUSES, Integrity, Look, Promise
from autograder.grading.regrade import rescore
from autograder.grading.running import Run
from autograder.grading.scoring import ItemReport, Report
from autograder.hidden_tests.graded import load_hidden_tests
from hw4.checking.hints import HINTS
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Curve, load_assignment

CURVE = load_assignment().curves[0]
ASSIGNMENT = dataclasses.replace(load_assignment(), curves=(CURVE,), effects=())
DECLARED = load_hidden_tests()
BAR = dataclasses.replace(load_bars()[CURVE.id], bar=34.0, floor=12.0)
BARS = {**load_bars(), CURVE.id: BAR}
KEPT = Integrity(None, "", (Look(60.0, 58.0, math.inf),))


def run_of(score: float, *, curve: Curve = CURVE, failure: str = "", early: float = 0.0) -> Run:
    """A run whose last episodes each return `score`, and whose first one with a model returns `early`."""
    experiment = EXPERIMENTS[curve.experiment]
    returns = [0.0] * experiment.num_initial_episodes + [early]
    returns += [score] * (experiment.num_episodes - len(returns))
    return Run(0, {}, returns=returns, failure=failure)


def measured(scores: Sequence[float] = (), integrity: Integrity | None = KEPT, **facts: Any) -> Measured:
    """Every hidden test passed, and runs of CURVE alone."""
    return Measured(
        submitted=frozenset(ASSIGNMENT.submission.code),
        outcomes={name: Outcome(name, "passed") for name in DECLARED},
        runs={CURVE.id: [run_of(score) for score in scores]} if scores else {},
        integrity={} if integrity is None else {CURVE.id: integrity},
        **facts,
    )


def report_on(known: Measured) -> Report:
    return judge(known, bars=BARS, assignment=ASSIGNMENT, declared=DECLARED)


def curve_of(report: Report) -> ItemReport:
    return next(item for item in report.items if item.id == CURVE.id)


# Runs -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "credit"),
    [
        ([39.0, 35.0, 34.0], 1.0),
        ([23.0, 33.0, 11.0], 0.5),  # of 12 to 34
        ([39.0, 33.0, 39.0, 39.0, 39.0], 1.0),
        ([39.0, 33.0, 39.0, 33.0, 33.0, 33.0, 23.0], 21 / 22),
    ],
)
def test_runs_that_decide_earn_by_the_rule(scores: list[float], credit: float) -> None:
    item = curve_of(report_on(measured(scores)))
    assert item.score == pytest.approx(CURVE.points * credit, abs=0.01)
    assert item.lacks == ""


@pytest.mark.parametrize(
    ("scores", "lacks"),
    [
        ([39.0, 33.0, 39.0], "up to 4 more runs"),
        ([39.0, 33.0, 39.0, 33.0, 33.0], "up to 2 more runs"),
        ([33.0, 39.0], "at least 1 more"),
        ([39.0], "at least 1 more"),
        ([33.0], "at least 2 more"),
    ],
)
def test_runs_that_do_not_decide_earn_nothing_and_say_how_many_more_it_takes(scores: list[float], lacks: str) -> None:
    report = report_on(measured(scores))
    item = curve_of(report)
    assert (item.score, item.verdict) == (0.0, "grader_fault")
    assert item.lacks.startswith(lacks)
    assert [fault for fault in report.faults if fault.startswith(f"{CURVE.id}: ")] == [f"{CURVE.id}: {item.message}"]


def test_runs_that_were_not_asked_for_are_no_fault() -> None:
    report = report_on(measured())
    assert {item.verdict for item in report.curves} == {"not_run"}
    assert not report.faults


def test_a_curve_that_was_never_run_although_others_were_is_not_judged() -> None:
    report = report_on(dataclasses.replace(measured(), runs={"another": []}))
    assert (curve_of(report).verdict, curve_of(report).lacks) == ("grader_fault", "at least 2 more runs")


def test_a_file_that_does_not_import_blocks_the_runs_that_need_it() -> None:
    file = ASSIGNMENT.stubs_behind(CURVE)[0].file
    item = curve_of(report_on(measured([39.0] * 3, broken_files={file: Outcome(file, "failed", "does_not_import")})))
    assert (item.score, item.verdict, item.cause) == (0.0, "not_run", "runs_blocked")
    assert file in item.message


def test_what_the_grader_cut_short_is_never_a_failure_of_the_student() -> None:
    runs = [run_of(39.0), run_of(0.0, failure="deadline"), run_of(39.0)]
    known = dataclasses.replace(measured(), runs={CURVE.id: [*runs, *[run_of(0.0)] * 4]})
    report = report_on(known)
    assert curve_of(report).verdict == "grader_fault"
    assert report.faults


# Integrity ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("promise", list(CAUSES))
def test_a_broken_promise_takes_the_curves_points_and_says_why(promise: Promise) -> None:
    item = curve_of(report_on(measured([39.0] * 3, Integrity(promise, "actions after a start 0.00"))))
    assert (item.score, item.verdict) == (0.0, "failed")
    assert item.cause in HINTS
    assert promise in item.message
    assert len(item.flags) == 1


@pytest.mark.parametrize(
    "integrity", [None, Integrity(None, "not checked: the overall deadline passed", unchecked=True)]
)
def test_nothing_is_earned_by_an_agent_that_nobody_looked_at(integrity: Integrity | None) -> None:
    report = report_on(measured([39.0] * 3, integrity))
    item = curve_of(report)
    assert (item.score, item.verdict) == (0.0, "grader_fault")
    assert "a look at its agent" in item.lacks
    assert len(report.faults) == 1
    if integrity is not None:
        assert integrity.message in item.message


def test_an_agent_that_earns_nothing_needs_no_look() -> None:
    assert curve_of(report_on(measured([0.0] * 3, None))).lacks == ""


def test_an_agent_that_is_good_before_it_learned_is_noted_for_staff_alone() -> None:
    learned, knew = run_of(80.0, early=30.0), run_of(80.0, early=75.0)
    for runs, noted in (([learned, learned, knew], False), ([learned, knew, knew], True)):
        item = curve_of(report_on(dataclasses.replace(measured(), runs={CURVE.id: runs})))
        assert [note.startswith("2 runs reach the bar") for note in item.notes] == [True] * noted
        assert (item.score, item.verdict, item.flags) == (CURVE.points, "passed", ())


# The functions that a curve runs --------------------------------------------------------------------------------------


def with_failures(stub_ids: Sequence[str], cause: str, *, but_for: int = 0) -> Measured:
    """Runs at the bar, and every check of these functions failed but for the first few."""
    known = measured([39.0] * 3)
    failed = {
        test.name: Outcome(test.name, "failed", cause)
        for stub_id in stub_ids
        for test in [test for test in DECLARED.values() if test.stub_id == stub_id][but_for:]
    }
    return dataclasses.replace(known, outcomes={**known.outcomes, **failed})


def test_a_curve_counts_by_what_the_functions_earned_that_it_runs() -> None:
    """Of 38 points, full from 34.2 on and nothing at 26.6 or below."""
    behind = {stub.id: stub.points for stub in ASSIGNMENT.stubs_behind(CURVE)}
    total = sum(behind.values())
    for lost in (["agent_record"], ["model_predict"], ["sequence_returns"], ["model_predict", "cem_plan", "mpc_act"]):
        share = 1 - sum(behind[stub_id] for stub_id in lost) / total
        counts = min(1.0, max(0.0, (share - 0.7) / 0.2))
        item = curve_of(report_on(with_failures(lost, "wrong_value")))
        assert item.score == pytest.approx(CURVE.points * counts, abs=0.01)
        assert (item.verdict == "passed") is (counts == 1.0)
        assert item.cause == ("" if counts == 1.0 else "functions_lost_points")
        assert any("points" in flag for flag in item.flags) is (counts < 1.0)
        assert item.cause == "" or item.cause in HINTS
        (note,) = item.notes
        assert f"although {', '.join(lost)}, which" in note


def test_a_function_that_a_curve_does_not_run_costs_it_nothing() -> None:
    others = [stub.id for stub in ASSIGNMENT.stubs if stub.id not in CURVE.needs]
    assert "random_shooting" in others
    item = curve_of(report_on(with_failures(others, "not_started")))
    assert (item.score, item.verdict, item.flags, item.notes) == (CURVE.points, "passed", (), ())


@pytest.mark.parametrize("stub_id", CURVE.needs)
def test_a_curve_with_a_function_that_is_not_started_earns_nothing(stub_id: str) -> None:
    """Also if its runs pass: something else than the function did the work."""
    item = curve_of(report_on(with_failures([stub_id], "not_started")))
    assert (item.score, item.verdict, item.cause) == (0.0, "not_run", "runs_blocked")
    assert stub_id in item.message


def test_one_slip_costs_no_curve() -> None:
    """Some of a function's checks fail, as with most slips."""
    item = curve_of(report_on(with_failures(["model_predict"], "wrong_value", but_for=2)))
    assert (item.score, item.verdict, item.flags) == (CURVE.points, "passed", ())


# A receipt ------------------------------------------------------------------------------------------------------------


def receipt_of(known: Measured, score: float) -> dict[str, Any]:
    """As it was written when the curve got `score` points."""
    report = report_on(known)
    items = {item.id: {"score": item.score, "verdict": item.verdict} for item in report.items}
    found: dict[str, Any] = {
        "submission": dict.fromkeys(known.submitted, "hash"),
        "grader": "hash",
        "score": report.score,
        "max_score": report.max_score,
        "items": {**items, CURVE.id: {"score": score, "verdict": "passed" if score else "failed"}},
        "tests": {name: dataclasses.asdict(outcome) for name, outcome in known.outcomes.items()},
        "runs": {name: [dataclasses.asdict(run) for run in runs] for name, runs in known.runs.items()},
        "integrity": {name: dataclasses.asdict(integrity) for name, integrity in known.integrity.items()},
        "faults": [],
    }
    return found


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regrade, "load_bars", lambda: BARS)
    monkeypatch.setattr(regrade, "load_assignment", lambda: ASSIGNMENT)


def regraded(path: Path, then: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    path.write_bytes(as_json(then))
    status = command.regrade(path)
    return status, " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("bars")
def test_stored_runs_that_decide_give_points_by_todays_bar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    then = receipt_of(measured([39.0, 35.0, 34.0]), 0.0)
    status, printed = regraded(tmp_path / "receipt.json", then, capsys)
    assert status == command.GRADED
    assert f"{CURVE.id}: 0 -> {CURVE.points} points" in printed


@pytest.mark.usefixtures("bars")
def test_three_stored_runs_that_disagree_are_no_full_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """39, 33, 39 at a bar of 34: seven runs decide, and three of them were recorded."""
    then = receipt_of(measured([39.0, 33.0, 39.0]), 6.0)
    (item,) = (one for one in rescore(then)[0] if one.item_id == CURVE.id)
    assert (item.before, item.now) == (6.0, 0.0)
    status, printed = regraded(tmp_path / "receipt.json", then, capsys)
    assert status == command.FAULT
    assert f"{CURVE.id}: 6 points then; not judged now: it needs up to 4 more runs" in printed
    assert "the grade stays as it was" in printed
    assert "->" not in printed.partition(CURVE.id)[2]


@pytest.mark.usefixtures("bars")
@pytest.mark.parametrize("integrity", [None, Integrity(None, "not checked", unchecked=True)])
def test_a_curve_whose_agent_was_never_checked_gets_no_points_in_a_regrade(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], integrity: Integrity | None
) -> None:
    """Also one that earned nothing then, so that nobody looked, and would earn points by today's bar."""
    for before in (0.0, 6.0):
        then = receipt_of(measured([39.0] * 3, integrity), before)
        status, printed = regraded(tmp_path / "receipt.json", then, capsys)
        assert status == command.FAULT
        assert f"{CURVE.id}: {before:g} points then; not judged now: it needs a look at its agent" in printed


@pytest.mark.usefixtures("bars")
def test_a_broken_promise_stays_broken_in_a_regrade() -> None:
    then = receipt_of(measured([39.0] * 3, Integrity("replans", "put back to the start, it did 0.0")), 6.0)
    (item,) = (one for one in rescore(then)[0] if one.item_id == CURVE.id)
    assert (item.now, item.lacks) == (0.0, "")


@pytest.mark.usefixtures("bars")
def test_a_new_hidden_test_is_named_as_what_was_never_measured() -> None:
    then = receipt_of(measured([39.0] * 3), 6.0)
    name = next(iter(DECLARED))
    del then["tests"][name]
    (item,) = (one for one in rescore(then)[0] if one.lacks)
    assert item.item_id == DECLARED[name].stub_id


@pytest.mark.usefixtures("bars")
def test_a_receipt_with_nulls_is_read_back() -> None:
    """JSON has no NaN: a curve's model errors begin with some."""
    run = dataclasses.replace(run_of(39.0), model_errors=[math.nan, 0.1])
    known = dataclasses.replace(measured([39.0] * 3), runs={CURVE.id: [run] * 3})
    then = json.loads(as_json(receipt_of(known, 6.0)))
    assert [one.now for one in rescore(then)[0] if one.item_id == CURVE.id] == [CURVE.points]
