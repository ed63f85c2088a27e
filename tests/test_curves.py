"""The rule for curves and effects, and the adding up of points, with numbers to check by hand."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from autograder.grading.curves import (
    BARS_FILE,
    Bar,
    RunsGrade,
    bar_of,
    credit,
    dump_bars,
    first_runs_of,
    floor_of,
    grade_runs,
    load_bars,
    more_runs,
    needs_more_runs,
    score_of,
    score_of_run,
)
from autograder.grading.outcome import Outcome, Verdict
from autograder.grading.scoring import ItemReport, ItemVerdict, Report, full_report, stub_report
from autograder.hidden_tests.graded import Declared, graded
from autograder.solutions import ROOT
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Stub, load_assignment

ASSIGNMENT = load_assignment()
BAR, FLOOR = 60.0, 20.0
NOTHING = -math.inf


# A run becomes a score ------------------------------------------------------------------------------------------------


def test_a_score_is_the_mean_return_of_the_last_episodes() -> None:
    assert score_of([100.0, 1.0, 2.0, 6.0], 3) == 3.0
    assert score_of([100.0, 1.0, 2.0, 6.0], 1) == 6.0


def test_a_run_that_was_cut_short_is_scored_on_what_it_finished() -> None:
    assert score_of([10.0, 20.0], 3) == 15.0
    assert score_of([], 3) == NOTHING


@pytest.mark.parametrize("failure", ["too_slow", "out_of_memory"])
def test_an_agent_gains_nothing_by_using_up_its_budget_at_its_best(failure: str) -> None:
    curve = next(curve for curve in ASSIGNMENT.curves if curve.score_episodes == 2)
    random_episodes = [0.0] * EXPERIMENTS[curve.experiment].num_initial_episodes
    assert score_of_run(curve, [*random_episodes, 1.0, 3.0, 90.0, 91.0], failure) == 2.0
    assert score_of_run(curve, [*random_episodes, 90.0], failure) == NOTHING
    assert score_of_run(curve, [*random_episodes, 90.0, 92.0], failure) == 91.0


# Scores become credit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "earned"),
    [(20.0, 0.0), (30.0, 0.25), (40.0, 0.5), (59.0, 0.975), (60.0, 1.0), (19.0, 0.0), (1000.0, 1.0), (NOTHING, 0.0)],
)
def test_credit_is_linear_from_the_floor_to_the_bar(score: float, earned: float) -> None:
    assert credit(score, bar=BAR, floor=FLOOR) == earned


def test_a_score_that_is_no_number_earns_nothing() -> None:
    assert credit(math.nan, bar=BAR, floor=FLOOR) == 0.0
    assert grade_runs([math.nan] * 3, bar=BAR, floor=FLOOR).credit == 0.0


def test_two_first_runs_at_or_above_the_bar_are_full_credit() -> None:
    wanted = RunsGrade(1.0, (60.0, 61.0), "the first 2 runs reach the bar")
    assert grade_runs([60.0, 61.0], bar=BAR, floor=FLOOR) == wanted
    assert grade_runs([60.0, 61.0, 0.0, 0.0, 0.0, 0.0, 0.0], bar=BAR, floor=FLOOR) == wanted  # others were not needed


def test_no_run_at_the_bar_leaves_the_median_of_three() -> None:
    grade = grade_runs([59.0, 10.0, 30.0], bar=BAR, floor=FLOOR)
    assert grade.credit == 0.25  # (30 - 20) / 40
    assert grade.scores == (59.0, 10.0, 30.0)
    assert grade.decided_by == "no run reaches the bar: median of three"


def test_runs_that_disagree_leave_the_median_of_seven() -> None:
    grade = grade_runs([61.0, 30.0, 20.0, 50.0, 70.0, 40.0, 0.0], bar=BAR, floor=FLOOR)
    assert grade.credit == 0.5  # 0 20 30 [40] 50 61 70
    assert len(grade.scores) == 7
    assert grade.decided_by == "median of 7 runs"


def test_one_unlucky_run_among_seven_costs_nothing() -> None:
    assert grade_runs([61.0, 0.0, 70.0, 62.0, 63.0, 64.0, 65.0], bar=BAR, floor=FLOOR).credit == 1.0


def test_runs_beyond_the_third_count_only_if_the_first_three_disagree() -> None:
    worthless, perfect = [0.0] * 4, [100.0] * 4
    assert grade_runs([0.0, 60.0, 60.0, *worthless], bar=BAR, floor=FLOOR).credit == 0.0
    assert grade_runs([30.0, 30.0, 30.0, *perfect], bar=BAR, floor=FLOOR).credit == 0.25


def test_runs_that_finished_no_episode_count_as_the_worst() -> None:
    assert grade_runs([NOTHING, NOTHING, 50.0], bar=BAR, floor=FLOOR).credit == 0.0
    assert grade_runs([NOTHING, 40.0, 50.0], bar=BAR, floor=FLOOR).credit == 0.5
    assert grade_runs([NOTHING] * 3, bar=BAR, floor=FLOOR).credit == 0.0


@pytest.mark.parametrize(
    ("first", "more"),
    [
        ([], True),
        ([60.0], True),
        ([59.9], True),
        ([60.0, 60.0], False),
        ([59.9, 59.9], True),
        ([60.0, 59.9], True),
        ([60.0, 60.0, NOTHING], False),
        ([59.9, 59.9, 59.9], False),
        ([60.0, 59.9, 59.9], True),
        ([59.9, 60.0, 60.0], True),
        ([59.9, 59.9, 60.0], True),
        ([NOTHING] * 3, False),
    ],
)
def test_more_runs_are_wanted_until_the_first_agree_or_three_do(first: list[float], more: bool) -> None:
    assert needs_more_runs(first, BAR) is more


@pytest.mark.parametrize(
    ("more", "wanted"),
    [([60.0, 60.0], False), ([60.0, 59.9], True), ([59.9, 59.9], True), ([59.9] * 4, False), ([60.0] * 4, False)],
)
def test_runs_are_added_until_four_of_seven_reach_the_bar_or_all_seven_ran(more: list[float], wanted: bool) -> None:
    assert needs_more_runs([60.0, 0.0, 60.0, *more], BAR) is wanted


def test_stopping_when_it_is_settled_changes_no_credit() -> None:
    """Against the median of seven, over every order of good, middling and worthless runs."""
    for scores in itertools.product((70.0, 40.0, NOTHING), repeat=7):
        count = 2
        while needs_more_runs(scores[:count], BAR):
            count += more_runs(count)
        first = [score >= BAR for score in scores[:3]]
        by_rule = BAR if all(first[:2]) else np.median(scores) if any(first) else np.median(scores[:3])
        assert count in ((2,) if all(first[:2]) else (5, 7) if any(first) else (3,))
        assert grade_runs(scores[:count], bar=BAR, floor=FLOOR).credit == credit(by_rule, bar=BAR, floor=FLOOR)


@pytest.mark.parametrize("scores", [[], [90.0], [90.0, 10.0], [10.0, 10.0]])
def test_fewer_than_three_runs_are_no_grade_if_the_first_do_not_all_reach_the_bar(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="3"):
        grade_runs(scores, bar=BAR, floor=FLOOR)


# One run first --------------------------------------------------------------------------------------------------------


def test_one_first_run_at_the_bar_is_full_credit_and_no_other_is_wanted() -> None:
    assert not needs_more_runs([60.0], BAR, 1)
    grade = grade_runs([60.0], bar=BAR, floor=FLOOR, first_runs=1)
    assert grade == RunsGrade(1.0, (60.0,), "the first run reaches the bar")


@pytest.mark.parametrize("first", [59.9, NOTHING, math.nan])
def test_after_one_first_run_below_the_bar_two_more_follow_and_the_usual_rule_decides(first: float) -> None:
    assert needs_more_runs([first], BAR, 1)
    assert more_runs(1) == 2
    for others in itertools.product((70.0, 40.0, NOTHING), repeat=6):
        counts = []
        for first_runs in (1, 2):
            count = first_runs
            while needs_more_runs([first, *others][:count], BAR, first_runs):
                count += more_runs(count)
            counts.append(count)
        assert counts[0] == counts[1] >= 3
        scores = [first, *others][: counts[0]]
        one, two = (grade_runs(scores, bar=BAR, floor=FLOOR, first_runs=n) for n in (1, 2))
        assert (one.credit, one.decided_by) == (two.credit, two.decided_by)


def test_a_curve_begins_with_two_runs_and_an_effect_as_the_assignment_says() -> None:
    for item in load_assignment().run_items:
        assert first_runs_of(item) == (1 if getattr(item, "one_run", False) else 2)
    assert {first_runs_of(effect) for effect in load_assignment().effects} == {1, 2}


# Recorded runs become bars --------------------------------------------------------------------------------------------


def test_the_bar_is_the_low_tail_of_the_weakest_correct_implementation_rounded_down() -> None:
    reference = [float(score) for score in range(60, 81)]  # 21 scores: the 5 % quantile is the second, 61
    assert bar_of({"reference": reference}) == 61.0
    assert bar_of({"reference": reference, "loop": [score + 5 for score in reference]}) == 61.0
    assert bar_of({"reference": reference, "float64": [score - 3.5 for score in reference]}) == 57.0  # of 57.5
    assert bar_of({"below zero": [-0.5] * 3}) == -1.0


def test_the_floor_is_the_high_tail_of_the_best_bug_rounded_up() -> None:
    bug = [float(score) for score in range(11)]  # 0 to 10: the 90 % quantile is 9
    assert floor_of({"bug": bug}) == 9.0
    assert floor_of({"bug": bug, "random": [0.0] * 5}) == 9.0
    assert floor_of({"bug": bug, "worse bug": [score + 0.5 for score in bug]}) == 10.0  # of 9.5


def test_bars_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    bars = {"curve": Bar(bar=60.0, floor=20.0, cpu_seconds=8.5, speed=0.05, num_reference_runs=40, code_hash="ab")}
    path = tmp_path / "bars.json"
    path.write_text(dump_bars(bars), encoding="utf-8")
    assert load_bars(path) == bars


def test_every_curve_and_effect_has_a_bar_above_its_floor() -> None:
    bars = load_bars(BARS_FILE)
    assert bars.keys() == {item.id for item in ASSIGNMENT.run_items}
    assert [item_id for item_id, bar in bars.items() if bar.floor >= bar.bar] == []
    assert json.loads(BARS_FILE.read_text(encoding="utf-8")).keys() == bars.keys()


# Outcomes become points -----------------------------------------------------------------------------------------------

STUB = dataclasses.replace(ASSIGNMENT.stubs[0], id="add", points=6)


def declared(*tests: tuple[str, str, float]) -> dict[str, Declared]:
    return {name: Declared(name, stub_id, weight, f"{name}.") for name, stub_id, weight in tests}


def outcomes(**verdicts: Verdict) -> dict[str, Outcome]:
    return {name: Outcome(name, verdict, message=f"{name} said so") for name, verdict in verdicts.items()}


TESTS = declared(("sums", "add", 3), ("signs", "add", 2), ("shapes", "add", 1), ("other", "multiply", 5))


def report_of(tests: dict[str, Declared], stub: Stub = STUB, **verdicts: Verdict) -> ItemReport:
    return stub_report(stub, tests, outcomes(**verdicts))


def test_weights_share_the_points_of_a_stub() -> None:
    report = report_of(TESTS, sums="passed", signs="failed", shapes="passed", other="failed")
    assert [(test.points, test.score) for test in report.tests] == [(3.0, 3.0), (2.0, 0.0), (1.0, 1.0)]
    assert (report.score, report.verdict) == (4.0, "failed")
    assert report.first_failure is not None
    assert report.first_failure.test == "signs"


def test_leaving_inputs_alone_earns_nothing_by_itself() -> None:
    tests = {**declared(("sums", "add", 1)), **declared(("inputs", "add", 1))}
    tests["inputs"] = dataclasses.replace(tests["inputs"], needs_another=True)
    assert report_of(tests, sums="failed", inputs="passed").score == 0.0
    assert report_of(tests, sums="passed", inputs="passed").score == STUB.points
    assert report_of(tests, sums="passed", inputs="failed").score == STUB.points / 2


def test_all_tests_passed_are_all_points_also_where_shares_are_odd() -> None:
    thirds = declared(*((name, "add", 1) for name in ("a", "b", "c")))
    report = report_of(thirds, dataclasses.replace(STUB, points=4), a="passed", b="passed", c="passed")
    assert (report.score, report.verdict, report.first_failure) == (4.0, "passed", None)


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ({"sums": "passed", "signs": "passed", "shapes": "passed"}, "passed"),
        ({"sums": "passed", "signs": "not_run", "shapes": "passed"}, "not_run"),
        ({"sums": "failed", "signs": "not_run", "shapes": "passed"}, "failed"),
        ({"sums": "failed", "signs": "not_run", "shapes": "grader_fault"}, "grader_fault"),
    ],
)
def test_the_verdict_of_a_stub_is_the_worst_of_its_tests(verdicts: dict[str, Verdict], worst: Verdict) -> None:
    assert report_of(TESTS, **verdicts).verdict == worst


def graded_report(*items: ItemReport) -> Report:
    return full_report(ASSIGNMENT, items)


def test_a_test_that_vanished_is_a_fault_of_the_grader_and_never_left_out() -> None:
    report = report_of(TESTS, sums="passed", shapes="passed")
    assert [(test.outcome.verdict, test.points) for test in report.tests] == [
        ("passed", 3.0),
        ("grader_fault", 2.0),
        ("passed", 1.0),
    ]
    assert (report.score, report.verdict) == (4.0, "grader_fault")  # of 6: the others' shares did not grow
    assert graded_report(report).faults == ("add: signs: no outcome",)


def test_a_stub_whose_tests_were_never_declared_is_a_fault_of_the_grader() -> None:
    report = report_of(declared(("other", "multiply", 1)), other="passed")
    assert (report.score, report.verdict) == (0.0, "grader_fault")
    (fault,) = graded_report(report).faults  # without one, these points would be lost in silence
    assert "add" in fault


def test_every_stub_of_the_assignment_has_declared_tests() -> None:
    program = (
        "import json\n"
        "from autograder.hidden_tests.graded import load_hidden_tests\n"
        "print(json.dumps([(test.stub_id, test.weight, test.summary) for test in load_hidden_tests().values()]))"
    )
    command = [sys.executable, "-W", "ignore", "-c", program]
    tests = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    assert {stub_id for stub_id, _, _ in tests} == {stub.id for stub in ASSIGNMENT.stubs}
    assert all(weight > 0 and summary for _, weight, summary in tests)


def test_two_graded_tests_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.hidden_tests.graded.DECLARED", {})

    def sums() -> None:
        """Sums are right."""

    graded("add", weight=2)(sums)
    with pytest.raises(ValueError, match="two graded tests are called sums"):
        graded("multiply")(sums)


def curve_report(index: int, score: float, verdict: ItemVerdict, message: str = "") -> ItemReport:
    return ItemReport(ASSIGNMENT.curves[index], score, verdict, message=message)


def test_the_whole_report_adds_up_functions_and_curves() -> None:
    first = report_of(TESTS, sums="passed", signs="passed", shapes="failed")
    report = graded_report(first, curve_report(0, 6.0, "passed"), curve_report(1, 3.5, "failed"))
    assert (report.score, report.max_score, report.faults) == (14.5, ASSIGNMENT.code_points, ())  # 5 + 6 + 3.5
    assert [item.id for item in report.items] == ["add", ASSIGNMENT.curves[0].id, ASSIGNMENT.curves[1].id]


@pytest.mark.parametrize(
    ("earned", "counted", "total"), [((), 0.0, 5.0), ((2.0,), 2.0, 7.0), ((2.0, 3.5), 4.0, 9.0), ((4.0, 4.0), 4.0, 9.0)]
)
def test_a_bonus_stands_apart_and_counts_up_to_its_cap(earned: tuple[float, ...], counted: float, total: float) -> None:
    required = report_of(TESTS, sums="passed", signs="passed", shapes="failed")
    bonus = [ItemReport(STUB, score, "passed", is_bonus=True) for score in earned]
    report = dataclasses.replace(graded_report(required, *bonus), max_bonus=8.0, bonus_cap=4.0)
    assert (report.score, report.bonus, report.counted_bonus, report.total) == (5.0, sum(earned), counted, total)


def test_faults_are_listed_with_their_reasons_whatever_they_concern() -> None:
    stub = report_of(TESTS, sums="passed", signs="grader_fault", shapes="failed")
    curve = ASSIGNMENT.curves[-1].id
    report = graded_report(stub, curve_report(-1, 0.0, "grader_fault", "no bar"))
    assert report.faults == ("add: signs: signs said so", f"{curve}: no bar")


# What the rule may know -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["autograder.grading.scoring", "autograder.grading.judge"])
def test_the_rule_and_the_judge_load_neither_pytest_nor_workers(module: str) -> None:
    program = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = json.loads(run.stdout)
    assert module in loaded
    for package in ("pytest", "torch", "mujoco", "autograder.isolation", "autograder.worker", "hw4.envs"):
        assert [name for name in loaded if name == package or name.startswith(f"{package}.")] == []
