"""A made-up effect: a number that a hidden check computes with the student's functions, graded for real in workers."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from class_samples import use_assignment
from rich.console import Console

from autograder.classroom.night import record
from autograder.console import print_report
from autograder.files import as_json
from autograder.grading import regrade
from autograder.grading import session as session_module
from autograder.grading.curves import FIRST_RUNS, Bar
from autograder.grading.listener import Silent
from autograder.grading.private import graded_runs
from autograder.grading.scoring import ItemReport
from autograder.grading.session import Grade, Grader
from autograder.hidden_tests.graded import EFFECTS, effect
from autograder.isolation.remote import RemoteSubject, WorkerDied
from autograder.recorded import calibration
from autograder.recorded.code_hash import check_hash, effect_hash
from autograder.recorded.error_rates import rates_of
from autograder.report.page import page
from autograder.report.receipt import receipt
from autograder.report.results import results
from autograder.report.words import hint_of
from autograder.solutions import reference_code
from autograder.zoo import Animal, code_of, matrix
from autograder.zoo.visit import intake_of
from hw4.checking.answers import check_shape
from hw4.checking.subject import Subject
from hw4.handin.assignment import Effect, Problem, load_assignment

WHOLE = load_assignment()
MADE_UP = Effect(
    id="nll_agreement",
    problem="made_up",
    title="Agreement of the likelihood",
    unit="parts of 1",
    needs=("gaussian_nll",),
    points=4,
    number="6.1",
)
PROBLEM = Problem(id="made_up", title="A made-up problem", points=4, section="Nowhere", number=6)
# Nothing but the effect and the one function that it needs.
ASSIGNMENT = dataclasses.replace(WHOLE, problems=(*WHOLE.problems, PROBLEM), curves=(), effects=(MADE_UP,))
BAR = Bar(bar=0.9, floor=0.4, cpu_seconds=0.5, speed=0.05, num_reference_runs=5, code_hash="")
NOTHING_ELSE = frozenset[str]()
FILE = WHOLE.stub("gaussian_nll").file
BY_A_CONSTANT = "return 0.5 * (log_variance + (target - mean) ** 2 / log_variance.exp()) + 1.0"


def agreement(subject: Subject, rng: np.random.Generator) -> float:
    """How close the likelihood comes to the truth, from 0 to 1."""
    mean, log_variance, target = rng.normal(size=(3, 20, 2))
    seen = subject.call("ensemble.gaussian_nll", mean, log_variance, target)
    check_shape(seen, mean.shape, "nll")
    wanted = 0.5 * (log_variance + (target - mean) ** 2 / np.exp(log_variance))
    return float(1 / (1 + np.abs(seen - wanted).mean() + 0.01 * rng.uniform()))


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """An assignment with this effect, wherever it is read."""
    monkeypatch.setitem(EFFECTS, MADE_UP.id, agreement)
    use_assignment(ASSIGNMENT, monkeypatch)
    for module in (session_module, regrade, record, matrix):
        monkeypatch.setattr(module, "load_bars", lambda: {MADE_UP.id: BAR})


@pytest.fixture(scope="module")
def opened() -> Iterator[Grader]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_module, "load_bars", lambda: {MADE_UP.id: BAR})
        patch.setattr(session_module, "load_assignment", lambda: ASSIGNMENT)
        with Grader() as grader:
            yield grader


Submit = Callable[..., Grade]


@pytest.fixture
def submit(opened: Grader, monkeypatch: pytest.MonkeyPatch) -> Submit:
    """Grade the reference with another body of `gaussian_nll`, or with other files."""

    def grade(
        *body: str, code: dict[str, bytes] | None = None, bar: Bar = BAR, only: frozenset[str] = NOTHING_ELSE
    ) -> Grade:
        monkeypatch.setattr(opened, "_bars", {MADE_UP.id: bar})
        regions = {"gaussian_nll": "\n".join(body)} if body else {}
        submitted = code_of(Animal(name="mine", kind="wrong", story="", regions=regions)) if code is None else code
        return opened.grade(intake_of(submitted), Silent(), only=only)

    return grade


def effect_of(grade: Grade) -> ItemReport:
    (item,) = grade.report.effects
    return item


def numbers(grade: Grade) -> list[float]:
    return [value for run in grade.runs[MADE_UP.id] for value in run.returns]


# A grade --------------------------------------------------------------------------------------------------------------


def test_the_reference_reaches_the_bar_and_every_run_has_a_seed_of_its_own(submit: Submit) -> None:
    grade, again = submit(only=frozenset(MADE_UP.needs)), submit()
    item = effect_of(grade)
    assert (item.score, item.verdict, item.is_bonus) == (4.0, "passed", False)
    assert not grade.report.faults
    assert len(set(numbers(grade))) == FIRST_RUNS
    assert numbers(again) == numbers(grade)
    assert [run.seed for run in grade.runs[MADE_UP.id]] == [
        run.env_seed for run in graded_runs(MADE_UP.id)[:FIRST_RUNS]
    ]
    assert grade.report.score == WHOLE.stub("gaussian_nll").points + MADE_UP.points


def test_a_number_between_floor_and_bar_earns_its_share_and_says_so_everywhere(submit: Submit) -> None:
    """The answer is off by 1, so the number is just below 1/2: of 0.4 to 0.9 that is almost a fifth."""
    grade = submit(BY_A_CONSTANT)
    item = effect_of(grade)
    median = float(np.median(numbers(grade)))
    assert 0.49 < median < 0.5
    assert item.score == pytest.approx(4 * (median - 0.4) / 0.5, abs=0.01)
    assert (item.verdict, item.cause) == ("failed", "effect_below_bar")
    hint = hint_of(item)
    assert hint is not None
    (test,) = (test for test in results(grade)["tests"] if test["number"] == MADE_UP.number)
    printed = io.StringIO()
    print_report(Console(file=printed, width=300), grade.report)
    for text in (test["name"] + test["output"], page(grade, "somebody"), printed.getvalue()):
        assert MADE_UP.title in text
        assert "median of three" in text or text == printed.getvalue()
        assert hint.text[:40] in text
    assert MADE_UP.unit in test["output"]
    assert (test["score"], test["max_score"]) == (item.score, 4)
    facts = receipt(grade)
    assert facts["items"][MADE_UP.id]["score"] == item.score
    assert [run["returns"] for run in facts["runs"][MADE_UP.id]] == [[number] for number in numbers(grade)]


def test_runs_that_disagree_about_the_bar_are_followed_by_more(submit: Submit) -> None:
    middle = sorted(numbers(submit()))[1]
    grade = submit(bar=dataclasses.replace(BAR, bar=middle))
    assert len(grade.runs[MADE_UP.id]) in (5, 7)
    assert not effect_of(grade).lacks


def test_an_effect_of_one_run_has_two_more_only_below_the_bar(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    one_run = dataclasses.replace(ASSIGNMENT, effects=(dataclasses.replace(MADE_UP, one_run=True),))
    use_assignment(one_run, monkeypatch)
    monkeypatch.setattr(session_module, "load_assignment", lambda: one_run)
    grade = submit()
    assert len(numbers(grade)) == 1
    assert (effect_of(grade).score, effect_of(grade).message) == (4.0, "the first run reaches the bar")
    assert MADE_UP.title in page(grade, "somebody")
    high = dataclasses.replace(BAR, bar=2.0)
    monkeypatch.setattr(regrade, "load_bars", lambda: {MADE_UP.id: high})
    grade = submit(bar=high)
    assert len(numbers(grade)) == 3
    assert effect_of(grade).message == "no run reaches the bar: median of three"
    assert 0 < effect_of(grade).score < 4
    facts = json.loads(as_json(receipt(grade)))
    _, report = regrade.rescore(facts)
    assert report.items == grade.report.items


@pytest.mark.parametrize(
    ("body", "failure", "flag"),
    [
        (("raise ValueError(str(mean))",), "raised", "ValueError at hw4/ensemble.py"),
        (("import os", "os._exit(0)"), "exits", "its process ended"),
        (("return mean[0]",), "wrong_shape", "a check of its answers failed"),
        (("return 'a text'",), "wrong_type", "a check of its answers failed"),
        (("return mean * float('nan')",), "not_finite", "a check of its answers failed"),
    ],
)
def test_a_run_that_fails_counts_as_none(submit: Submit, body: tuple[str, ...], failure: str, flag: str) -> None:
    grade = submit(*body)
    item = effect_of(grade)
    assert (item.score, item.verdict, item.cause) == (0.0, "failed", failure)
    assert all(f"it counts as none, because {flag}" in text for text in item.flags) or failure == "raised"
    assert all(flag in text for text in item.flags)
    assert len(item.flags) == 3
    assert hint_of(item) is not None
    assert not grade.report.faults


def test_a_run_that_uses_up_its_time_counts_as_none(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MIN_BUDGET_SECONDS", 0.5)
    limits = dataclasses.replace(ASSIGNMENT.limits, call_seconds=0.5, max_cpu_factor=1)
    monkeypatch.setattr(session_module, "load_assignment", lambda: dataclasses.replace(ASSIGNMENT, limits=limits))
    item = effect_of(submit("while True: pass"))
    assert (item.score, item.cause) == (0.0, "too_slow")


def test_an_unwritten_function_blocks_the_effect_and_is_named(submit: Submit) -> None:
    stub = (Path(session_module.__file__).parents[2] / "hw4" / FILE).read_bytes()
    item = effect_of(submit(code={**reference_code(), FILE: stub}))
    assert (item.score, item.verdict, item.cause) == (0.0, "not_run", "runs_blocked")
    assert "gaussian_nll" in item.message


def test_a_file_that_does_not_import_blocks_the_effect(submit: Submit) -> None:
    item = effect_of(submit(code={**reference_code(), FILE: b"import nothing_of_this_name\n"}))
    assert (item.verdict, item.cause) == ("not_run", "runs_blocked")
    assert FILE in item.message


def test_a_check_that_the_reference_does_not_pass_is_the_graders_fault(
    submit: Submit, opened: Grader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumbles(subject: Subject, rng: np.random.Generator) -> float:
        raise KeyError("seed")

    monkeypatch.setitem(EFFECTS, MADE_UP.id, stumbles)
    monkeypatch.setattr(opened._server, "restart", lambda: None)  # it helps nothing, and takes seconds
    grade = submit(BY_A_CONSTANT)
    assert effect_of(grade).verdict == "grader_fault"
    assert "seed" in grade.report.faults[0]


def test_an_effect_without_a_check_is_the_graders_fault(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(EFFECTS, MADE_UP.id)
    grade = submit()
    assert effect_of(grade).verdict == "grader_fault"
    assert "no hidden check" in grade.report.faults[0]


def test_an_effect_without_a_bar_stops_the_grader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "load_bars", lambda: {})
    with pytest.raises(session_module.GraderFault, match=MADE_UP.id), Grader():
        pass


OTHERWISE_EACH_TIME = ("import os", "return mean * int.from_bytes(os.urandom(2), 'little')")


@pytest.mark.parametrize(
    ("body", "by_machine", "failure"),
    [((), False, ""), (OTHERWISE_EACH_TIME, False, "exits"), (OTHERWISE_EACH_TIME, True, "")],
)
def test_a_second_try_must_answer_as_the_first_did(
    submit: Submit, monkeypatch: pytest.MonkeyPatch, body: tuple[str, ...], by_machine: bool, failure: str
) -> None:
    """Or a submission that draws its luck would end its bad runs and keep the better of two."""
    real, calls, killed = RemoteSubject.call, Counter[RemoteSubject](), []

    def twice(subject: Subject, rng: np.random.Generator) -> float:
        agreement(subject, np.random.default_rng(0))
        return agreement(subject, rng)

    def call(self: RemoteSubject, name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "ensemble.gaussian_nll" and self._slot != session_module.SUITE_SLOT:
            calls[self] += 1
            if calls[self] == 2 and not killed:  # it has answered once; other runs go on at the same time
                killed.append(self)
                os.kill(self.pid, signal.SIGKILL)
        return real(self, name, *args, **kwargs)

    monkeypatch.setitem(EFFECTS, MADE_UP.id, twice)
    monkeypatch.setattr(RemoteSubject, "call", call)
    monkeypatch.setattr(WorkerDied, "by_machine", by_machine)
    grade = submit(*body)
    assert sorted(run.failure for run in grade.runs[MADE_UP.id][:FIRST_RUNS]) == sorted(["", failure])


def test_students_see_nothing_of_an_exceptions_text(submit: Submit) -> None:
    grade = submit("raise ValueError('LEAK' + str(mean))")
    assert "LEAK" not in json.dumps(results(grade)) + page(grade, "somebody")


# Judged again ---------------------------------------------------------------------------------------------------------


def test_a_receipt_and_a_record_of_a_class_give_the_same_report(submit: Submit) -> None:
    grade = submit(BY_A_CONSTANT)
    then = json.loads(as_json(receipt(grade)))
    items, report = regrade.rescore(then)
    assert [(item.before, item.now) for item in items if item.item_id == MADE_UP.id] == [(effect_of(grade).score,) * 2]
    assert report == dataclasses.replace(grade.report, items=report.items)
    found = json.loads(json.dumps(record.measured(grade, curves=True, only=NOTHING_ELSE)))
    intake = json.loads(json.dumps(record.facts_of_intake(grade.intake)))
    assert record.grade_of(intake, found).report == grade.report


def test_a_changed_check_makes_a_record_stale(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    record.hashes_of_effects.cache_clear()
    found = record.measured(submit(), curves=True, only=NOTHING_ELSE)
    assert record.stale_effects(found) == []
    monkeypatch.setattr(record, "check_hash", lambda check: "changed")
    record.hashes_of_effects.cache_clear()
    assert record.stale_effects(found) == [MADE_UP.id]
    record.hashes_of_effects.cache_clear()


# Recorded runs --------------------------------------------------------------------------------------------------------

BUG = Animal("off_by_one", "wrong", "Adds 1.", {"gaussian_nll": BY_A_CONSTANT}, curves_fail=(MADE_UP.id,))
VARIANT = Animal(
    "two_halves",
    "correct",
    "Adds two halves.",
    {"gaussian_nll": "return 0.5 * log_variance + 0.5 * (target - mean) ** 2 / log_variance.exp()"},
    curves_pass=(MADE_UP.id,),
)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Record a few runs, into a folder of their own."""
    monkeypatch.setattr(calibration, "REFERENCE_DIR", tmp_path)
    for module in (calibration, matrix):
        monkeypatch.setattr(module, "load_animals", lambda: {animal.name: animal for animal in (BUG, VARIANT)})
    calibration.calibrate([], runs=4, variant_runs=3, bug_runs=3, jobs=2)
    return tmp_path / f"{MADE_UP.id}.csv"


def test_runs_of_an_effect_are_recorded_once_and_give_its_bar(recorded: Path) -> None:
    text = recorded.read_text(encoding="utf-8")
    runs = calibration.read_recorded(MADE_UP)
    assert {run.implementation: run.run for run in runs} == {"reference": 3, "off_by_one": 2, "two_halves": 2}
    assert all(len(run.returns) == 1 for run in runs)
    graded = {run.env_seed for run in graded_runs(MADE_UP.id)}
    assert not graded & {run.env_seed for run in calibration.calibration_runs(MADE_UP.id, 4)}
    bar = calibration.derive_bars()[MADE_UP.id]
    of = {name: [r.returns[0] for r in runs if r.implementation == name] for name in {r.implementation for r in runs}}
    # Three digits, rounded down and up: the 5 % quantile of correct ones, the 90 % quantile of the bug.
    correct = min(np.quantile(of[name], 0.05) for name in ("reference", "two_halves"))
    assert 0 <= correct - bar.bar < 0.001
    assert 0 <= bar.floor - np.quantile(of["off_by_one"], 0.9) < 0.001
    assert bar.num_reference_runs == 4
    calibration.calibrate([], runs=4, variant_runs=3, bug_runs=3, jobs=1)
    assert recorded.read_text(encoding="utf-8") == text
    shown = {one.name: (one.expected, one.num_runs, one.num_stale) for one in matrix.recorded_results(MADE_UP)}
    assert shown == {"reference": ("pass", 4, 0), "two_halves": ("pass", 3, 0), "off_by_one": ("fail", 3, 0)}
    rates = {rate.implementation: rate.wrong for rate in rates_of(MADE_UP, bar)}
    assert rates["off_by_one"] == 0
    assert "random_policy" not in rates


def test_the_key_of_recorded_runs_covers_the_check_and_the_files_that_the_functions_reach() -> None:
    code = reference_code()
    code[FILE] += b"\nimport hw4.dynamics_model\n"
    key = effect_hash(code, MADE_UP, agreement)
    reached = (FILE, "dynamics_model.py")
    for name, content in code.items():
        changed = {**code, name: content + b"\nANOTHER = 1\n"}
        assert (effect_hash(changed, MADE_UP, agreement) != key) is (name in reached), name
        assert effect_hash({**code, name: content + b"\n# a comment\n"}, MADE_UP, agreement) == key
    assert effect_hash({**code, "topics/new.py": b"ANOTHER = 1\n"}, MADE_UP, agreement) == key


MODULE = '''
"""Words."""
from {package} import another_size, shared_size
SIZE, UNUSED = 1, 1
OTHER = 1
def half(size):
    return size / PARTS
PARTS = 2
@effect("one")
def one(subject, rng):
    """Words."""
    return half(SIZE) * shared_size.SIZE
@effect("two")
def two(subject, rng):
    return 2.0 * OTHER * another_size.SIZE
@graded("add")
def test_add(subject):
    assert subject
'''


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("Words", "Other words", False),
        ("return 2.0", "return 3.0", False),
        ("OTHER = 1", "OTHER = 2", False),
        ("another_size, shared_size", "shared_size, something", False),
        ("assert subject", "assert not subject", False),
        ("SIZE, UNUSED = 1, 1", "SIZE, UNUSED = 2, 1", True),
        ("PARTS = 2", "PARTS = 3", True),
        ("size / PARTS", "size * PARTS", True),
        ("half(SIZE)", "half(SIZE + 1)", True),
    ],
)
def test_a_check_has_changed_if_its_code_has_or_what_it_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, changed: bool
) -> None:
    from autograder import hidden_tests

    monkeypatch.setattr(hidden_tests, "__path__", [str(tmp_path)])
    source = MODULE.format(package=hidden_tests.__name__)
    hashes = []
    for text in (source, source.replace(old, new)):
        (tmp_path / "test_made_up.py").write_text(text, encoding="utf-8")
        for name in ("shared_size.py", "another_size.py"):
            (tmp_path / name).write_text("SIZE = 1\n", encoding="utf-8")
        names: dict[str, Any] = {"effect": lambda _: lambda check: check, "graded": lambda _: lambda test: test}
        body = re.sub("^from .* import .*$", "", text, flags=re.MULTILINE)
        exec(compile(body, str(tmp_path / "test_made_up.py"), "exec"), names)
        hashes.append(check_hash(names["one"]))
    assert (hashes[0] != hashes[1]) is changed
    (tmp_path / "another_size.py").write_text("SIZE = 2\n", encoding="utf-8")
    assert check_hash(names["one"]) == hashes[1]
    (tmp_path / "shared_size.py").write_text("SIZE = 2\n", encoding="utf-8")
    assert check_hash(names["one"]) != hashes[1]


def test_checks_of_effects_are_no_part_of_what_hidden_tests_share() -> None:
    source = MODULE.format(package="somewhere")
    before = record.hashes_in(source)
    assert before.keys() == {"test_add"}
    assert record.hashes_in(source.replace("return 2.0", "return 3.0")) == before
    assert record.hashes_in(source.replace("PARTS = 2", "PARTS = 3")) != before


def test_two_checks_of_one_effect_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="two checks compute the effect nll_agreement"):
        effect(MADE_UP.id)(agreement)
