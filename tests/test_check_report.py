"""What `check` says: as JSON, of files that cannot be imported, and where the worked example comes out right."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from student_tree import line_of, replace_in, run_python

import hw4.checking.importing
import hw4.checking.public_tests
import hw4.checking.report
from autograder.solutions import ROOT
from hw4.checking.answers import CheckFailed
from hw4.checking.compared import comparison_of
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.failure import Comparison, Failure
from hw4.checking.hints import HINTS
from hw4.checking.importing import failure_of_collection, import_alone
from hw4.checking.public_tests import ChecksNotRun, StubReport, check_stubs
from hw4.checking.report import explain, select_stubs, show
from hw4.checking.subject import LocalSubject
from hw4.checking.worked_example import ExampleFailed, WorkedExample, check_example
from hw4.commands.cli import main
from hw4.handin.assignment import Stub, load_assignment
from publish.stubs import write_solved

ASSIGNMENT = load_assignment()
CODE = ASSIGNMENT.submission.code
BY_HAND = "Work the published example through by hand"


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_solved(tmp_path_factory.mktemp("report") / "solved")


@pytest.fixture(scope="module")
def mistaken(solved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A solved tree with a slip that the worked example of `refit_to_elites` does not show, and a file that exits."""
    tree = tmp_path_factory.mktemp("mistaken") / "tree"
    shutil.copytree(solved, tree, ignore=shutil.ignore_patterns("__pycache__"))
    old = "smoothing * mean + (1.0 - smoothing) * elite_mean"
    replace_in(tree / "hw4" / "mpc.py", old, f"{old} + 0.3 * (num_elites > 3)")
    path = tree / "hw4" / "ensemble.py"
    path.write_text(f"{path.read_text(encoding='utf-8')}\nprint('loaded')\nraise SystemExit\n", encoding="utf-8")
    return tree


@pytest.fixture(scope="module")
def document(mistaken: Path) -> dict[str, Any]:
    done = run_python(mistaken, "-m", "hw4", "check", "--json", "cem_refit", "cem_plan", "mpc_act", "p3")
    assert done.returncode == 1
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# JSON -----------------------------------------------------------------------------------------------------------------


def test_the_document_says_of_each_function_what_the_report_says(document: dict[str, Any], mistaken: Path) -> None:
    functions = {function["id"]: function for function in document["functions"]}
    of_ensemble = [stub.id for stub in ASSIGNMENT.stubs if stub.file == "ensemble.py"]
    assert {stub_id: function["status"] for stub_id, function in functions.items()} == {
        "cem_refit": "failing",
        "cem_plan": "waiting",
        "mpc_act": "done",
        **dict.fromkeys(of_ensemble, "not checked"),
    }
    assert (document["done"], document["total"]) == (1, 3 + len(of_ensemble))
    failing = functions["cem_refit"]
    assert (failing["cause"], failing["where"], failing["waits_for"]) == ("wrong_value", None, None)
    assert failing["compared"]["name"] == "new_mean"
    assert functions["cem_plan"]["waits_for"] == "cem_refit"
    broken = functions["bootstrap_indices"]
    assert broken["where"] == f"hw4/ensemble.py:{line_of(mistaken / 'hw4' / 'ensemble.py', 'raise SystemExit')}"
    assert broken["exception"] == "SystemExit"
    assert functions["mpc_act"]["hint"] is None


def test_the_readme_lists_every_key_of_the_document_and_every_status(document: dict[str, Any]) -> None:
    readme = (ROOT / "hw4" / "README.md").read_text(encoding="utf-8")
    section = readme.partition("--json")[2].partition("\n## ")[0]
    keys = {*document, "error", *document["functions"][0]}
    assert {key for key in keys if f"`{key}`" not in section} == set()
    assert all(f"`{status}`" in section for status in hw4.checking.report.STYLES)
    assert {tuple(function) for function in document["functions"]} == {tuple(document["functions"][0])}


def test_nothing_but_the_document_is_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def all_done(stubs: list[Any], console: Console) -> list[StubReport]:
        console.print("running the public tests ...")
        return [StubReport(stub, collected={"a"}, ended={"a"}) for stub in stubs]

    monkeypatch.setattr(hw4.checking.report, "check_stubs", all_done)
    assert main(["check", "--json"]) == 0
    printed = capsys.readouterr()
    required = [stub.id for stub in ASSIGNMENT.stubs if not ASSIGNMENT.is_optional(stub)]
    found = json.loads(printed.out)
    assert [function["id"] for function in found["functions"]] == required
    assert found["topics_not_started"] == [problem.label for problem in ASSIGNMENT.problems if problem.optional]
    assert "running" in printed.err


def test_what_cannot_be_checked_is_a_document_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--json", "nonsuch"]) == 1
    assert "nothing to check called 'nonsuch': give a problem" in json.loads(capsys.readouterr().out)["error"]

    def fail(*_: object) -> None:
        raise ChecksNotRun("pytest could not run")

    monkeypatch.setattr(hw4.checking.report, "check_stubs", fail)
    assert main(["check", "--json", "p1"]) == 1
    assert json.loads(capsys.readouterr().out) == {"error": "pytest could not run"}


def test_a_misspelt_function_is_recognised_by_check_and_by_pytest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, meant in (("sequence_return", "sequence_returns"), ("Refit_to_elite", "refit_to_elites")):
        assert main(["check", name]) == 1
        said = " ".join(capsys.readouterr().out.split())
        assert f"nothing to check called {name.lower()!r} (did you mean {meant!r}?): give a problem" in said
    done = run_python(ROOT, "-m", "pytest", "hw4/tests/test_mpc.py", "-m", "p2 and not sequence_return")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "-m: no test is marked 'sequence_return' (did you mean 'sequence_returns'?)" in done.stderr


# The case of a public test --------------------------------------------------------------------------------------------


def test_where_the_worked_example_comes_out_right_the_test_that_fails_is_shown(document: dict[str, Any]) -> None:
    (hint,) = (function["hint"] for function in document["functions"] if function["id"] == "cem_refit")
    assert "Work the published example" not in hint
    assert "The worked example comes out right" in hint


def report_of(*failures: Failure, passed: tuple[str, ...] = ()) -> StubReport:
    tests = {failure.test for failure in failures} | set(passed)
    return StubReport(ASSIGNMENT.stub("sequence_returns"), collected=tests, ended=tests, failures=list(failures))


EXAMPLE = "hw4/tests/test_mpc.py::test_sequence_returns_worked_example"
IN_ORDER = "hw4/tests/test_mpc.py::test_sequence_returns_hand_the_reward_its_three_arguments_in_order"


def test_its_name_its_docstring_and_both_answers_are_shown() -> None:
    compared = Comparison("returns", "[3.0]", "[459.0]")
    failure = Failure(IN_ORDER, "CheckFailed", "returns is not what", "wrong_value", compared=compared)
    lines = explain(report_of(failure, passed=(EXAMPLE,))).splitlines()
    assert BY_HAND not in "\n".join(lines)
    name = IN_ORDER.partition("::")[2]
    at = lines.index(f"Test: {name} in hw4/tests/test_mpc.py")
    assert lines[at + 1].startswith("  From 1 by +2 and +3: (100 * 1")
    assert lines[at + 2 :] == ["  returns:", "    seen   [3.0]", "    wanted [459.0]"]


def test_what_a_plain_assertion_says_is_shown() -> None:
    message = "assert [1.0, 3.0] == [1.0, 2.0]\n  \n  At index 1 diff: 3.0 != 2.0"
    failure = Failure(IN_ORDER, "AssertionError", message, "wrong_value")
    explanation = explain(report_of(failure, passed=(EXAMPLE,)))
    assert "AssertionError: assert [1.0, 3.0] == [1.0, 2.0]" in explanation
    assert "At index 1 diff: 3.0 != 2.0" in explanation
    assert BY_HAND not in explanation


@pytest.mark.parametrize("passed", [(), (EXAMPLE,)])
def test_a_hint_that_says_more_than_that_numbers_differ_stays(passed: tuple[str, ...]) -> None:
    failure = Failure(IN_ORDER, "RuntimeError", "size mismatch", "shapes_do_not_fit", "hw4/mpc.py:9")
    assert explain(report_of(failure, passed=passed)).startswith(HINTS["shapes_do_not_fit"].text)


def test_where_the_worked_example_fails_it_is_what_to_work_through() -> None:
    example = Comparison("returns", "[1]", "[2]")
    failure = Failure(EXAMPLE, "ExampleFailed", "returns is not what", "wrong_value", example=example)
    explanation = explain(report_of(failure))
    assert explanation.startswith(HINTS["wrong_value"].text)
    story = WORKED_EXAMPLES["sequence_returns"].story
    assert explanation.endswith(f"Worked example, returns:\n  seen   [1]\n  wanted [2]\n{story}")


def test_the_story_of_a_worked_example_is_told_however_the_example_failed_and_only_then() -> None:
    story = WORKED_EXAMPLES["sequence_returns"].story
    failure = Failure(EXAMPLE, "RuntimeError", "size mismatch", "shapes_do_not_fit", "hw4/mpc.py:9")
    assert explain(report_of(failure)).endswith(story)
    other = Failure(IN_ORDER, "RuntimeError", "size mismatch", "shapes_do_not_fit", "hw4/mpc.py:9")
    assert story not in explain(report_of(other, passed=(EXAMPLE,)))


# What pytest shows ----------------------------------------------------------------------------------------------------


def test_the_text_of_a_failed_example_says_what_was_seen_and_wanted_what_to_look_for_and_the_example() -> None:
    example = WORKED_EXAMPLES["cem_refit"]
    failure = CheckFailed("new_std is not what the docstring says", "variance_for_std")
    error = ExampleFailed(failure, example, "new_std", np.array([[1.5], [19.0]]))
    first, *rest = str(error).splitlines()
    assert first == error.said == str(failure)
    assert rest[:4] == ["  seen   [[1.5],", "          [19]]", "  wanted [[1.5],", "          [4]]"]
    text = " ".join(rest[4:])
    assert text == f"Hint: {HINTS['variance_for_std'].text} The worked example: {example.story}"


@pytest.mark.parametrize(
    ("error", "hint"), [(RuntimeError("no"), ""), (CheckFailed("no", "squeezed"), f"Hint: {HINTS['squeezed'].text} ")]
)
def test_an_error_inside_an_example_comes_with_the_example(error: Exception, hint: str) -> None:
    def run(subject: Any) -> dict[str, Any]:
        raise error

    example = WorkedExample("cem_refit", "One plan.", run, {}, {})
    with pytest.raises(type(error)) as caught:
        check_example(example, LocalSubject())
    (note,) = caught.value.__notes__
    assert " ".join(note.split()) == f"{hint}The worked example: One plan."


def test_pytest_shows_both_answers_of_another_test_that_fails(mistaken: Path) -> None:
    shown = run_python(mistaken, "-m", "pytest", "hw4/tests/test_mpc.py", "-m", "cem_refit", "--tb=short").stdout
    assert re.search(r"CheckFailed: new_mean is not what the docstring says\nE   new_mean:\nE     seen +\[", shown)
    assert "hw4/checking/answers.py" not in shown


@pytest.mark.parametrize(
    ("seen", "wanted", "comparison"),
    [
        ([1.0, 2.0], [1.0, 3.0], Comparison("x", "[1., 2.]", "[1., 3.]")),
        (1.5, 2.5, Comparison("x", "1.5", "2.5")),
        (np.ones((2, 3)), np.ones(3), Comparison("shape of x", "(2, 3)", "(3,)")),
        (np.ones((3, 7)), np.eye(3, 7) * 9, Comparison("x[0, 0], the worst of 21 numbers", "1.", "9.")),
        (np.full((2, 9), np.nan), np.ones((2, 9)), Comparison("x[0, 0], the worst of 18 numbers", "nan", "1.")),
        (None, np.ones(1), Comparison("shape of x", "()", "(1,)")),
        ("text", np.ones(1), Comparison("x", "'text'", "[1.]")),
    ],
)
def test_answers_are_compared_where_they_differ_most(seen: Any, wanted: Any, comparison: Comparison) -> None:
    assert comparison_of("x", seen, np.asarray(wanted)) == comparison


# Files that cannot be imported ----------------------------------------------------------------------------------------

REPORT = """ImportError while importing test module 'hw4/tests/test_mpc.py'.
hw4/tests/test_mpc.py:16: in <module>
    from hw4.mpc import cem
hw4/mpc.py:3: in <module>
    build()
{more}"""


@pytest.mark.parametrize(
    ("more", "exception", "message"),
    [
        ("E   ValueError: one\nE   two", "ValueError", "one two"),
        ("E   AssertionError", "AssertionError", ""),
        ("E   KeyError: 'a'\n\nDuring handling of it:\nhw4/mpc.py:9: in f\nE   OSError: b", "OSError", "b"),
        ('E     File "helper.py", line 1\nE       def f(:\nE   SyntaxError: bad', "SyntaxError", "bad"),
    ],
)
def test_the_error_of_an_import_is_its_last_with_its_whole_message(more: str, exception: str, message: str) -> None:
    failure = failure_of_collection("mpc.py", REPORT.format(more=more), CODE)
    assert (failure.exception, failure.message) == (exception, message)
    assert failure.where == ("hw4/mpc.py:9" if "mpc.py:9" in more else "hw4/mpc.py:3")


@pytest.mark.parametrize(
    ("line", "exception", "has_line"),
    [
        ("import sys; sys.exit(0)", "SystemExit", True),
        ("while True: pass", "TimeoutError", True),
        ("import os; os._exit(7)", "SystemExit", False),
    ],
)
def test_a_file_that_ends_or_holds_up_its_import_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, exception: str, has_line: bool
) -> None:
    (tmp_path / "hw4").mkdir()
    (tmp_path / "hw4" / "__init__.py").touch()
    (tmp_path / "hw4" / "mpc.py").write_text(f"X = 1\n{line}\n", encoding="utf-8")
    (tmp_path / "hw4" / "ensemble.py").write_text("X = 1\n", encoding="utf-8")
    monkeypatch.setattr(hw4.checking.importing, "IMPORT_SECONDS", 1.0)
    failure = import_alone(tmp_path / "hw4", "mpc.py", CODE)
    assert failure is not None
    assert ("of processor time" in failure.message) == (exception == "TimeoutError")
    assert (failure.exception, failure.where) == (exception, "hw4/mpc.py:2" if has_line else None)
    assert import_alone(tmp_path / "hw4", "ensemble.py", CODE) is None


def test_a_file_that_waits_is_not_taken_for_one_that_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a good file also takes long on the clock: that is said."""
    (tmp_path / "hw4").mkdir()
    (tmp_path / "hw4" / "__init__.py").touch()
    (tmp_path / "hw4" / "mpc.py").write_text("import time\ntime.sleep(60)\n", encoding="utf-8")
    monkeypatch.setattr(hw4.checking.importing, "WAIT_SECONDS", 2.0)
    failure = import_alone(tmp_path / "hw4", "mpc.py", CODE)
    assert failure is not None
    assert (failure.exception, failure.where) == ("TimeoutError", "hw4/mpc.py:2")
    assert "it waits for something, or this machine is very busy" in failure.message


def test_an_error_of_an_import_is_shown_once_however_many_functions_wait_for_it(
    solved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(solved, tree, ignore=shutil.ignore_patterns("__pycache__"))
    path = tree / "hw4" / "mpc.py"
    path.write_text(f"{path.read_text(encoding='utf-8')}\nassert 1 > 2, 'one\\ntwo'\n", encoding="utf-8")
    monkeypatch.setattr(hw4.checking.public_tests, "PACKAGE", tree / "hw4")
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["check", "p2", "t1"]) == 1
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "in hw4/mpc.py hw4/mpc.py could not be checked: see above. Run: pytest hw4/tests/test_mpc.py -m" in printed
    assert printed.count(f"AssertionError: one two (hw4/mpc.py:{line_of(path, 'assert 1 > 2')})") == 1
    reports = check_stubs(select_stubs(ASSIGNMENT, ["t1"]), Console(file=io.StringIO()))
    assert "AssertionError: one two (hw4/mpc.py:" in explain(reports[0])  # alone, the topic has to say it


# What to do next ------------------------------------------------------------------------------------------------------


def printed(*reports: StubReport) -> str:
    """What `check` prints, as one line."""
    lines = io.StringIO()
    show(ASSIGNMENT, list(reports), Console(file=lines, width=200))
    return " ".join(lines.getvalue().split())


def ending(*reports: StubReport) -> str:
    """What `check` prints below its tables, as one line."""
    return printed(*reports).partition("done.")[2]


def done(stub: Stub) -> StubReport:
    return StubReport(stub, collected={"a"}, ended={"a"})


def unwritten(stub: Stub, by: Stub | None = None) -> StubReport:
    """Not started, or waiting for the stub `by`."""
    failure = Failure("t::t", "NotImplementedError", f"{(by or stub).id}: write it", "not_started")
    return StubReport(stub, collected={"a"}, ended={"a"}, failures=[failure])


REQUIRED = [stub for stub in ASSIGNMENT.stubs if not ASSIGNMENT.is_optional(stub)]
OPTIONAL = next(stub for stub in ASSIGNMENT.stubs if ASSIGNMENT.is_optional(stub))


def test_where_everything_passes_one_line_says_so() -> None:
    assert ending(*map(done, REQUIRED)) == " Everything that was checked passes."


def test_what_to_do_next_is_the_first_function_its_hint_and_one_command() -> None:
    first, second, third = REQUIRED[:3]
    said = ending(done(first), unwritten(second), unwritten(third))
    wanted = f"Next: {second.number} {second.symbol} in hw4/{second.file} {HINTS['not_started'].text} Run: pytest "
    assert said.startswith(f" {wanted}")
    assert said.endswith(f" -m {second.id}")
    assert said.count("Run: ") == 1


def test_a_hint_is_printed_once() -> None:
    """Under the function that fails; what to do next repeats nothing."""
    stub = REQUIRED[1]
    failure = Failure("hw4/tests/t.py::test_it", "CheckFailed", "it is None", "returns_none")
    said = printed(StubReport(stub, collected={"a"}, ended={"a"}, failures=[failure]))
    assert said.count(HINTS["returns_none"].text) == 1
    assert f"done. Next: {stub.number} {stub.symbol} in hw4/{stub.file} Run: pytest " in said


def test_a_topic_is_next_only_when_all_else_is_done_even_if_the_rest_waits() -> None:
    waiting = unwritten(REQUIRED[1], by=REQUIRED[0])
    assert f"Next: {REQUIRED[1].number} " in ending(unwritten(OPTIONAL), waiting)
    assert f"Next: {OPTIONAL.number} " in ending(unwritten(OPTIONAL), done(REQUIRED[1]))
