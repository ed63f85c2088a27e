"""End to end: real submissions of every kind through the real grader."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from autograder.grading import scoring, session, suite
from autograder.grading.examples import shown
from autograder.grading.listener import Silent
from autograder.grading.outcome import Outcome
from autograder.grading.scoring import ItemReport
from autograder.grading.session import Grade, Grader
from autograder.report.page import page
from autograder.report.receipt import receipt
from autograder.report.results import results
from autograder.report.words import exception_of
from autograder.solutions import ROOT, reference_code
from autograder.zoo import Animal, code_of
from hw4.handin.assignment import load_assignment
from hw4.handin.at_once import write_at_once
from hw4.handin.intake import read_submission

ASSIGNMENT = load_assignment()
REQUIRED = [stub for stub in ASSIGNMENT.stubs if not ASSIGNMENT.is_optional(stub)]
PROBE_POINTS = sum(stub.points for stub in REQUIRED)

# Topics are left out: grading them takes long, and says nothing more here.
CODE = {name: content for name, content in reference_code().items() if name in ASSIGNMENT.required_code}

FEW = ("normalizer_fit", "bootstrap_indices", "cem_refit")  # one of each file

Submit = Callable[..., Grade]


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as opened:
        yield opened


@pytest.fixture
def submit(grader: Grader, tmp_path: Path) -> Submit:
    """Grade the reference with some files replaced, by probes alone: of all functions, or of `only` some."""

    def grade(changed: dict[str, str | bytes], *only: str) -> Grade:
        for name, content in {**CODE, **changed}.items():
            write_at_once(tmp_path / name, content if isinstance(content, bytes) else content.encode())
        asked = frozenset(only) if only else None
        return grader.grade(read_submission(tmp_path, ASSIGNMENT), Silent(), curves=False, only=asked)

    return grade


def body(stub_id: str, *lines: str) -> bytes:
    """The solution file of a stub with another body in its region."""
    (content,) = bodies({stub_id: lines}).values()
    return content


def bodies(lines_of: Mapping[str, Sequence[str]]) -> dict[str, str | bytes]:
    """The solution files of these stubs with other bodies in their regions."""
    regions = {stub_id: "\n".join(lines) for stub_id, lines in lines_of.items()}
    code = code_of(Animal(name="test", kind="wrong", story="", regions=regions))
    return {file: code[file] for file in {ASSIGNMENT.stub(stub_id).file for stub_id in lines_of}}


def stub_report(grade: Grade, stub_id: str) -> ItemReport:
    return next(report for report in grade.report.stubs if report.id == stub_id)


def others_points(grade: Grade, *stub_ids: str) -> float:
    return sum(report.score for report in grade.report.stubs if not report.is_bonus and report.id not in stub_ids)


def points_without(*stub_ids: str) -> int:
    return sum(stub.points for stub in REQUIRED if stub.id not in stub_ids)


def cause(grade: Grade, stub_id: str) -> str:
    failure = stub_report(grade, stub_id).first_failure
    assert failure is not None, f"{stub_id} passed"
    return failure.cause


def test_the_untouched_stubs_get_exactly_nothing(submit: Submit) -> None:
    grade = submit({name: (ROOT / "hw4" / name).read_bytes() for name in ASSIGNMENT.submission.code})
    assert grade.report.score == 0
    assert {cause(grade, stub.id) for stub in REQUIRED} == {"not_started"}
    assert not grade.report.faults


def test_a_syntax_error_costs_its_own_file_alone(submit: Submit) -> None:
    grade = submit({"mpc.py": reference_code()["mpc.py"] + b"\ndef broken(:\n"})
    planning = {stub.id for stub in ASSIGNMENT.stubs if stub.file == "mpc.py"}
    assert others_points(grade, *planning) == points_without(*planning)
    failure = stub_report(grade, "cem_refit").first_failure
    assert failure is not None
    assert (failure.error, failure.where.rpartition(":")[0]) == ("SyntaxError", "hw4/mpc.py")
    assert failure.cause == "does_not_import"
    assert "mpc.py" in json.dumps(results(grade))


def test_an_import_error_in_one_file_leaves_the_others_graded(submit: Submit) -> None:
    grade = submit({"dynamics_model.py": "import does_not_exist\n" + reference_code()["dynamics_model.py"].decode()})
    dynamics = {stub.id for stub in ASSIGNMENT.stubs if stub.file == "dynamics_model.py"}
    assert others_points(grade, *dynamics) == points_without(*dynamics)
    assert all(stub_report(grade, stub_id).score == 0 for stub_id in dynamics)


def test_a_missing_file_counts_as_not_started(grader: Grader, tmp_path: Path) -> None:
    for name, content in CODE.items():
        if name != "ensemble.py":
            write_at_once(tmp_path / name, content)
    grade = grader.grade(read_submission(tmp_path, ASSIGNMENT), Silent(), curves=False)
    ensembles = {stub.id for stub in ASSIGNMENT.stubs if stub.file == "ensemble.py"}
    assert others_points(grade, *ensembles) == points_without(*ensembles)
    assert {cause(grade, stub_id) for stub_id in ensembles} == {"not_started"}


class Broken(NamedTuple):
    """A function that does something no function should, and the causes that may be named."""

    stub_id: str
    lines: tuple[str, ...]
    causes: set[str]


# In one submission each: functions that no other calls.
BROKEN = {
    "shapes, input and device": (
        Broken("gaussian_nll", ("return mean.new_zeros(mean.shape[0] + 1)",), {"wrong_shape"}),
        Broken("uncertainty_split", ("input('your answer: ')",), {"asks_for_input"}),
        Broken("aggregate_returns", ("return returns.to('cuda:0')",), {"device"}),
        Broken("random_shooting", ("raise NotImplementedError('random_shooting: later')",), {"not_started"}),
    ),
    "values and exits": (
        Broken("gaussian_nll", ("return mean * float('nan')",), {"not_finite"}),
        Broken("uncertainty_split", ("breakpoint()", "return means, variances"), {"asks_for_input"}),
        Broken("aggregate_returns", ("import os", "os._exit(0)"), {"exits"}),
        Broken("random_shooting", ("import sys", "sys.exit(0)"), {"exits"}),
    ),
    "types and memory": (
        Broken("gaussian_nll", ("pass",), {"returns_none"}),
        Broken("uncertainty_split", ("return means.mean(dim=0)",), {"wrong_shape"}),
        Broken("aggregate_returns", ("raise ValueError(str(returns))",), {"raised"}),
        Broken("random_shooting", ("x = [0.0] * 10**12", "return x"), {"out_of_memory"}),
    ),
    "false verdicts": (
        Broken("gaussian_nll", ("return 'all tests passed'",), {"wrong_type"}),
        Broken(
            "aggregate_returns",
            ("import pytest", "pytest.exit('all passed', returncode=0)"),
            {"exits", "raised"},
        ),
    ),
}


def expect_to_cost_themselves(grade: Grade, broken: Iterable[Broken], others: Iterable[str]) -> None:
    """Each of these gets nothing and says why, and the others their points."""
    stub_ids = [one.stub_id for one in broken]
    assert {stub_id: stub_report(grade, stub_id).score for stub_id in stub_ids} == dict.fromkeys(stub_ids, 0)
    assert [one for one in broken if cause(grade, one.stub_id) not in one.causes] == []
    assert others_points(grade, *stub_ids) == sum(ASSIGNMENT.stub(stub_id).points for stub_id in others)
    assert not grade.report.faults


@pytest.mark.parametrize("broken", BROKEN.values(), ids=list(BROKEN))
def test_broken_functions_cost_themselves_and_say_why(submit: Submit, broken: tuple[Broken, ...]) -> None:
    """The first of these next to all other functions, the rest next to one of each file."""
    stub_ids = {one.stub_id for one in broken}
    everything = broken is BROKEN["shapes, input and device"]
    others = {stub.id for stub in REQUIRED} - stub_ids if everything else FEW
    expect_to_cost_themselves(
        submit(bodies({one.stub_id: one.lines for one in broken}), *others, *stub_ids), broken, others
    )


def test_endless_functions_cost_themselves_and_say_why(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    """With less patience than the grader has."""
    limits = dataclasses.replace(ASSIGNMENT.limits, call_seconds=0.4)
    monkeypatch.setattr(
        "autograder.grading.session.load_assignment", lambda: dataclasses.replace(ASSIGNMENT, limits=limits)
    )
    monkeypatch.setattr("autograder.isolation.remote.MAX_IDLE_SECONDS", 2.0)
    broken = (
        Broken("gaussian_nll", ("while True: pass",), {"too_slow"}),
        Broken("uncertainty_split", ("import time", "time.sleep(10000)"), {"too_slow"}),
    )
    stub_ids = [one.stub_id for one in broken]
    expect_to_cost_themselves(submit(bodies({one.stub_id: one.lines for one in broken}), *FEW, *stub_ids), broken, FEW)


def test_a_print_in_the_hot_loop_costs_nothing(submit: Submit) -> None:
    lines = [
        "for _ in range(20000): print('x' * 50)",
        "return 0.5 * (log_variance + (target - mean)**2 / log_variance.exp())",
    ]
    grade = submit({"ensemble.py": body("gaussian_nll", *lines)}, "gaussian_nll")
    assert grade.report.score == ASSIGNMENT.stub("gaussian_nll").points


@pytest.mark.parametrize(
    "line",
    [
        "raise ValueError('LEAK' + str(transition))",
        pytest.param("raise NotImplementedError('LEAK' + str(transition))", marks=pytest.mark.verify),
        pytest.param("raise type('LEAK', (Exception,), {})()", marks=pytest.mark.verify),
    ],
)
def test_students_never_see_what_an_exception_carries(grader: Grader, tmp_path: Path, line: str) -> None:
    """Neither its text nor the name of a type of one's own: both can hold a hidden input."""
    for name, content in {**CODE, "mpc.py": body("agent_record", line)}.items():
        write_at_once(tmp_path / name, content)
    grade = grader.grade(read_submission(tmp_path, ASSIGNMENT), Silent(), only=frozenset({"agent_record"}))
    assert stub_report(grade, "agent_record").score == 0
    assert all(item.score == 0 for item in grade.report.curves)
    assert "LEAK" not in json.dumps(results(grade))
    assert "LEAK" not in page(grade, "someone")
    assert "hw4/mpc.py:" in json.dumps(results(grade))


def test_worked_examples_run_before_anything_hidden_leaves_the_grader(
    grader: Grader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []

    def noted(event: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            events.append(event)
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr(session, "run_example", noted("example", session.run_example))
    for module, name in ((session, "graded_runs"), (suite, "rng_of_test")):
        monkeypatch.setattr(module, name, noted("hidden", getattr(module, name)))
    for name, content in {**CODE, "mpc.py": body("agent_record", "raise ValueError")}.items():
        write_at_once(tmp_path / name, content)
    grader.grade(read_submission(tmp_path, ASSIGNMENT), Silent(), only=frozenset({"agent_record", "cem_refit"}))
    assert events.index("hidden") == events.count("example") == 2


def test_given_parts_that_were_changed_are_named_once(grader: Grader, tmp_path: Path) -> None:
    mpc = reference_code()["mpc.py"] + b"\n\nModelBasedAgent.act = None\n"
    for name, content in {**reference_code(), "mpc.py": mpc}.items():
        write_at_once(tmp_path / name, content)
    submission = read_submission(tmp_path, ASSIGNMENT)
    grade = grader.grade(submission, Silent(), curves=False, only=frozenset({"cem_refit"}))
    (line,) = grade.measured.put_back
    assert line == f"mpc.py:{len(mpc.splitlines())}: a statement"
    for document in (page(grade, "someone"), str(results(grade)), str(receipt(grade))):
        assert document.count(line) == 1


def test_an_exception_is_shown_once_per_function() -> None:
    """A submission chooses the line at which each test ends: many lines could tell much."""
    outcomes = [
        Outcome(f"test_{line}", "failed", "raised", f"hw4/mpc.py:{line}", "ValueError") for line in (7, 8, 7, 9)
    ]
    tests = tuple(scoring.TestReport("", outcome, 1.0, 0.0) for outcome in outcomes)
    item = ItemReport(REQUIRED[0], 0.0, "failed", tests=tests)
    shown = [exception_of(item, outcome) for outcome in outcomes]
    assert shown == ["ValueError at hw4/mpc.py:7", "", "ValueError at hw4/mpc.py:7", ""]


@pytest.mark.parametrize(
    ("seen", "wanted", "text"),
    [
        (np.array([2.71828, -12345.678]), np.zeros(2), "[2.72, -12300]"),
        (np.array([1e-300, 1e300]), np.ones(2), "[0., large]"),
        (np.array([0.99999, 2.0]), np.array([1.0, 2.0]), "[1., 2.]"),
        (np.zeros((2, 1)), np.zeros(2), "an array of shape (2, 1)"),
        (np.zeros((2, 37)), np.zeros(2), "an array of another shape"),
        (np.zeros((2, 1, 2)), np.zeros(2), "an array of another shape"),
        (np.array([2.0, 3.0, 4.0]), (2, 7), "[2., 3.] and more"),
        (np.array([2]), (2, 7), "[2.]"),
        (np.array([]), (2, 7), "[]"),
        (np.array([2, 7]), (2, 7), "[2, 7]"),
        ("31415", 1.0, "no usable answer"),
        (None, 1.0, "None"),
    ],
)
def test_a_report_shows_no_more_of_an_answer_than_the_published_one_has(seen: Any, wanted: Any, text: str) -> None:
    assert shown(seen, wanted) == text


def test_an_odd_answer_never_costs_the_report(submit: Submit) -> None:
    """A lone surrogate, markup and a giant array are shown inert and short."""
    answers = {
        "gaussian_nll": "'\\ud800<script>alert(1)</script>'",
        "aggregate_returns": "torch.zeros((7,) * 6)",
        "uncertainty_split": "[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]",
    }
    grade = submit(bodies({stub_id: [f"return {answer}"] for stub_id, answer in answers.items()}), *answers, *FEW)
    html = page(grade, "<b>someone</b>\udcff").encode(errors="replace").decode()
    assert "<script>" not in html
    assert "<b>someone" not in html
    assert len(html) < 300_000
    assert {stub_id: stub_report(grade, stub_id).score for stub_id in answers} == dict.fromkeys(answers, 0)
    assert others_points(grade, *answers) == sum(ASSIGNMENT.stub(stub_id).points for stub_id in FEW)


def test_a_finished_function_waits_for_one_that_it_calls(submit: Submit) -> None:
    """`cem` calls `refit_to_elites`: unwritten, that makes `cem` "not run", not "not started"."""
    stub_text = "raise NotImplementedError('cem_refit: write refit_to_elites in hw4/mpc.py')"
    grade = submit({"mpc.py": body("cem_refit", stub_text)}, "cem_refit", "cem_plan")
    assert cause(grade, "cem_refit") == "not_started"
    assert cause(grade, "cem_plan") == "blocked"
    assert stub_report(grade, "cem_plan").verdict == "not_run"


def test_a_failure_shows_seen_and_wanted_of_the_published_example(submit: Submit) -> None:
    wrong = body("gaussian_nll", "return 0.5 * (target - mean) ** 2 / log_variance.exp()")
    grade = submit({"ensemble.py": wrong}, "gaussian_nll")
    report = stub_report(grade, "gaussian_nll")
    assert report.example is not None
    assert any(seen != wanted for _, seen, wanted in report.example.rows)


def test_a_whole_package_is_accepted_and_given_files_are_ignored(grader: Grader, tmp_path: Path) -> None:
    package = tmp_path / "hw4"
    package.mkdir()
    for path in (ROOT / "hw4").glob("*.py"):
        (package / path.name).write_bytes(path.read_bytes())
    (package / "networks.py").write_text("raise SystemExit\n", encoding="utf-8")
    for name, content in reference_code().items():
        write_at_once(package / name, content)
    grade = grader.grade(read_submission(tmp_path, ASSIGNMENT), Silent(), curves=False, only=frozenset(FEW))
    assert grade.report.score == sum(ASSIGNMENT.stub(stub_id).points for stub_id in FEW)
    assert any("networks.py" in name for name in grade.intake.ignored)


def run_grader(submission: Path, output: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "autograder", "grade", str(submission), "--output", str(output)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)


def test_a_file_that_is_no_archive_is_refused_with_status_4(tmp_path: Path) -> None:
    archive = tmp_path / "homework.zip"
    archive.write_text("this is not a zip", encoding="utf-8")
    run = run_grader(archive, tmp_path / "out")
    document = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert run.returncode == 4
    assert "refused" in document["output"]
    assert "homework.zip" in document["output"]


def test_a_fault_of_the_grader_is_status_5_and_never_a_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from autograder import __main__ as command
    from autograder.grading import session

    monkeypatch.setattr(session, "load_bars", lambda: (_ for _ in ()).throw(OSError("the bars are unreadable")))
    assert command.grade(ROOT / "solutions", output=tmp_path) == 5
    document = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert "score" not in document
    assert "the bars are unreadable" not in json.dumps(document)
    assert "the bars are unreadable" in (tmp_path / "receipt.json").read_text(encoding="utf-8")


def test_the_reference_gets_all_points_with_a_learning_curve(
    grader: Grader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one of them; `make grade` and `make verify` run them all.

    What decides a run is in the key of the recorded runs, so a change that could harm another curve fails the gate.
    """
    curve = ASSIGNMENT.curves[1]
    small = dataclasses.replace(ASSIGNMENT, curves=(curve,), effects=())
    monkeypatch.setattr("autograder.grading.session.load_assignment", lambda: small)
    for name, content in CODE.items():
        write_at_once(tmp_path / name, content)
    grade = grader.grade(read_submission(tmp_path, ASSIGNMENT), Silent())
    assert grade.report.score == PROBE_POINTS + curve.points
    assert [item.verdict for item in grade.report.curves] == ["passed"]
    assert len(grade.runs[curve.id]) in (3, 5, 7)
    assert grade.integrity[curve.id].broken is None
    assert not grade.report.faults


@pytest.mark.verify  # minutes
@pytest.mark.parametrize(
    ("code", "points"),
    [
        (CODE, ASSIGNMENT.code_points),
        (
            reference_code(),
            ASSIGNMENT.code_points + min(ASSIGNMENT.code_bonus_points, ASSIGNMENT.policies.bonus_cap),
        ),
    ],
    ids=["without topics", "with all topics"],
)
def test_the_reference_gets_all_points_from_a_zip_with_learning_curves(
    tmp_path: Path, code: dict[str, bytes], points: int
) -> None:
    archive = tmp_path / "reference.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in code.items():
            file.writestr(name, content)
    run = run_grader(archive, tmp_path / "out")
    assert run.returncode == 0, run.stdout + run.stderr
    document = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    receipt = json.loads((tmp_path / "out" / "receipt.json").read_text(encoding="utf-8"))
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert document["score"] == points
    assert [test["score"] for test in document["tests"]] == [test["max_score"] for test in document["tests"]]
    assert len(receipt["runs"]["curve_cartpole"]) in (3, 5, 7)
    assert any(run["world"]["sign"] == -1 for run in receipt["runs"]["curve_cartpole"][:3])
    assert report.count("<svg") == 2 * len(ASSIGNMENT.curves)
    for name in ("model_errors", "optimism_gaps"):
        assert all(len(run[name]) == 7 for run in receipt["runs"]["curve_cartpole"])
    assert str(receipt["master_seed"]) not in report + json.dumps(document)


def test_an_agent_that_raises_gets_no_curve_points_and_a_place(grader: Grader, tmp_path: Path) -> None:
    """All curves are cut at the first plan; no random episode earns anything."""
    for name, content in {**CODE, "mpc.py": body("cem_plan", "return mean / 0 + [][1]")}.items():
        write_at_once(tmp_path / name, content)
    grade = grader.grade(read_submission(tmp_path, ASSIGNMENT), Silent(), only=frozenset({"cem_plan"}))
    assert [(item.score, item.verdict, item.cause) for item in grade.report.curves] == [
        (0.0, "failed", "raised")
    ] * len(ASSIGNMENT.curves)
    assert "IndexError at hw4/mpc.py" in json.dumps(results(grade))
    assert page(grade, "someone").count("<svg") == 2 * len(ASSIGNMENT.curves)


def test_an_unwritten_function_blocks_the_curves_and_is_named(grader: Grader, tmp_path: Path) -> None:
    for name, content in {**CODE, "mpc.py": (ROOT / "hw4" / "mpc.py").read_bytes()}.items():
        write_at_once(tmp_path / name, content)
    grade = grader.grade(read_submission(tmp_path, ASSIGNMENT), Silent(), only=frozenset({"agent_record"}))
    assert {item.verdict for item in grade.report.curves} == {"not_run"}
    assert all("agent_record" in item.message for item in grade.report.curves)
    assert "agent_record" in json.dumps(results(grade))
