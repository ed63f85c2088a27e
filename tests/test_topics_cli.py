"""The student's commands with a topic, a made-up one: optional in `check` and `submit`, a planner in `train`."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from made_up_topic import FILE, STUB_IDS, give_topic
from rich.console import Console
from student_tree import run_python

import hw4.checking.public_tests
import hw4.checking.report
import hw4.commands.cli
import hw4.commands.mistakes
import hw4.topics
from hw4.checking.public_tests import StubReport, check_stubs
from hw4.checking.report import explain, select_stubs, show, topics_not_started
from hw4.commands.cli import main
from hw4.commands.mistakes import describe_error
from hw4.handin.assignment import Assignment, load_assignment
from hw4.handin.intake import read_submission
from hw4.topics import planners
from publish.stubs import STUBS, write_solved


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A solved tree with the topic, written."""
    tree = write_solved(tmp_path_factory.mktemp("started") / "solved")
    give_topic(tree, solved=True)
    return tree


@pytest.fixture
def untouched(started: Path, tmp_path: Path) -> tuple[Path, Assignment]:
    """The same tree before anything is written in any topic."""
    tree = tmp_path / "untouched"
    shutil.copytree(started, tree, ignore=shutil.ignore_patterns("__pycache__", "runs", "*.zip"))
    for name in load_assignment().optional_code:
        shutil.copy(STUBS / name, tree / "hw4" / name)
    return tree, give_topic(tree, solved=False)


def write_in_topic(tree: Path, stub_id: str, line: str) -> None:
    path = tree / "hw4" / FILE
    text = path.read_text(encoding="utf-8")
    assert text.count(f"    # TODO({stub_id})") == 1
    path.write_text(text.replace(f"    # TODO({stub_id})", f"    {line}\n    # TODO({stub_id})"), encoding="utf-8")


# train ----------------------------------------------------------------------------------------------------------------

STOP_AND_RESUME = """
import json, sys
import pytest
from hw4.commands.cli import main
from hw4.commands.runs import SeedFolder, read_run
from hw4.experiments import PLANNERS
from hw4.handin.assignment import load_assignment

quick = ["--num-episodes", "4", "--gradient-steps", "3", "--horizon", "6", "--population-size", "8",
         "--num-initial-episodes", "1", "--num-elites", "2", "--num-kept-elites", "1", "--refit-every", "20"]
command = ["train", "cliff_hill", "--seeds", "0", *quick]
statuses = [main([*command, "--name", name, "--planner", name]) for name in ("daydream", "cem")]
add = SeedFolder.add

def stop_after_the_second(self, record):
    add(self, record)
    if record.episode == 2:
        raise KeyboardInterrupt

SeedFolder.add = stop_after_the_second
statuses.append(main([*command, "--name", "stopped", "--planner", "daydream"]))
SeedFolder.add = add
statuses.append(main([*command, "--name", "stopped", "--planner", "daydream", "--resume"]))
statuses.append(main(["video", "runs/cliff_hill/daydream", "--every", "20"]))
label = load_assignment().problem("daydream").label.lower()
statuses.append(int(pytest.main(["hw4/tests", "-q", "-m", label, "-p", "no:cacheprovider"])))
returns = [read_run(__import__("pathlib").Path("runs/cliff_hill") / name).curves[0].returns
           for name in ("daydream", "cem", "stopped")]
print(json.dumps([list(PLANNERS), statuses, returns]), file=sys.stderr)
"""


def test_a_topics_planner_trains_records_and_resumes_and_its_tests_pass(started: Path) -> None:
    done = run_python(started, "-c", STOP_AND_RESUME)
    assert done.returncode == 0, done.stderr
    choices, statuses, (daydream, cem, stopped) = json.loads(done.stderr.splitlines()[-1])
    assert choices == ["cem", "random_shooting", *sorted({"daydream", *planners()})]
    assert statuses == [0, 0, 130, 0, 0, 0]
    assert "3 passed" in done.stdout
    assert stopped == daydream
    assert daydream[0] == cem[0]  # random actions
    assert daydream[1:] != cem[1:]
    runs = started / "runs" / "cliff_hill"
    config = json.loads((runs / "daydream" / "seed_0" / "config.json").read_text(encoding="utf-8"))
    assert config["settings"]["planner"] == "daydream"
    with np.load(runs / "daydream" / "seed_0" / "trajectory.npz") as whole:
        assert whole["imagined"].shape == (40, 1, 7, whole["observations"].shape[1])
        assert np.ptp(whole["actions"]) > 0
        with np.load(runs / "stopped" / "seed_0" / "trajectory.npz") as resumed:
            np.testing.assert_array_equal(resumed["imagined"], whole["imagined"])


def test_planners_are_found_by_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no_planner.py").write_text("build_planner = None\nraise ValueError\n", encoding="utf-8")
    (tmp_path / "reads_badly.py").write_text("def build_planner(:\n", encoding="utf-8")
    (tmp_path / "a_planner.py").write_text("raise ValueError\ndef build_planner(experiment): ...\n", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__init__.py").touch()
    monkeypatch.setattr(hw4.topics, "__path__", [str(tmp_path)])
    assert planners() == ("a_planner", "reads_badly")
    monkeypatch.setattr(hw4.topics, "__path__", [])  # in a worker, which has no files
    assert planners() == ()


def test_help_lists_the_planners_and_another_is_refused_with_them(started: Path) -> None:
    shown = run_python(started, "-m", "hw4", "train", "cartpole", "--help").stdout
    (line,) = (line for line in shown.splitlines() if "--planner " in line)
    assert "cem,random_shooting" in line
    assert "daydream" in line
    refused = run_python(started, "-m", "hw4", "train", "cartpole", "--planner", "pso")
    assert refused.returncode != 0
    assert "invalid choice 'pso'" in refused.stderr
    assert "'daydream'" in refused.stderr


def test_an_open_stub_of_a_topics_planner_is_named_with_its_test(
    untouched: tuple[Path, Assignment], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree, assignment = untouched
    monkeypatch.setattr(hw4.commands.mistakes, "PACKAGE", tree / "hw4")
    monkeypatch.setattr(hw4.commands.mistakes, "load_assignment", lambda: assignment)
    raised = next(line for line in (tree / "hw4" / FILE).read_text(encoding="utf-8").splitlines() if "raise" in line)
    message = raised.partition('("')[2].removesuffix('")')
    assert describe_error(NotImplementedError(message)) == (
        f"Not written yet: pick_dream in hw4/{FILE} (dream_pick). Test it with: pytest hw4/tests -m dream_pick"
    )


# check ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def checked(untouched: tuple[Path, Assignment], monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Assignment]:
    """Lets `check` of this process look at the tree in which nothing is written in the topic."""
    tree, assignment = untouched
    monkeypatch.setattr(hw4.checking.public_tests, "PACKAGE", tree / "hw4")
    for module in (hw4.checking.report, hw4.checking.public_tests):
        monkeypatch.setattr(module, "load_assignment", lambda: assignment)
    return tree, assignment


def check_topic(assignment: Assignment) -> dict[str, StubReport]:
    reports = check_stubs(select_stubs(assignment, ["daydream"]), Console(file=io.StringIO()))
    return {report.stub.id: report for report in reports}


def label_of(assignment: Assignment) -> str:
    return assignment.problem("daydream").label


def shown(assignment: Assignment, reports: list[StubReport]) -> list[str]:
    printed = io.StringIO()
    show(assignment, reports, Console(file=printed, width=80), left_out=topics_not_started(assignment))
    return [line.rstrip() for line in printed.getvalue().splitlines()]


def test_a_topic_is_named_in_many_ways(checked: tuple[Path, Assignment]) -> None:
    assignment = checked[1]
    label = label_of(assignment)
    for name in (label, label.lower(), "daydream", "daydream.py"):
        assert [stub.id for stub in select_stubs(assignment, [name])] == list(STUB_IDS)
    assert [stub.id for stub in select_stubs(assignment, [f"{label.lower()}.2"])] == ["dream_soften"]
    with pytest.raises(ValueError, match=f"there is nothing to check called 'x': .*{label.lower()}"):
        select_stubs(assignment, ["x"])


def test_a_topic_in_which_nothing_is_written_is_one_row_and_no_fault(
    checked: tuple[Path, Assignment], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assignment = checked[1]
    asked: list[str] = []

    def all_done(stubs: list[object], console: Console) -> list[StubReport]:
        reports = [StubReport(stub, collected={"a"}, ended={"a"}) for stub in stubs]  # type: ignore[arg-type]
        asked.extend(report.stub.id for report in reports)
        return reports

    monkeypatch.setattr(hw4.checking.report, "check_stubs", all_done)
    monkeypatch.setenv("COLUMNS", "200")  # so that no row is wrapped
    assert hw4.checking.report.main([]) == 0
    required = [stub.id for stub in assignment.stubs if not assignment.is_optional(stub)]
    assert asked == required
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert f"{label_of(assignment)} Planning by daydreams optional hw4/{FILE}" in lines
    assert f"{len(required)} of {len(required)} done." in lines


def test_a_started_topic_is_checked_and_counts(checked: tuple[Path, Assignment]) -> None:
    tree, assignment = checked
    assert "daydream" in [topic.id for topic in topics_not_started(assignment)]
    write_in_topic(tree, "dream_pick", "return dreams[returns.argmin()]")
    write_in_topic(tree, "dream_soften", "plan = plan + None")  # and the exception of the stub below it
    assert "daydream" not in [topic.id for topic in topics_not_started(assignment)]
    reports = check_topic(assignment)
    assert [report.status for report in reports.values()] == ["failing", "failing"]
    assert reports["dream_pick"].example == ("dream", "[1]", "[2]")
    number = (tree / "hw4" / FILE).read_text(encoding="utf-8").splitlines().index("    plan = plan + None") + 1
    assert f"(hw4/{FILE}:{number})" in explain(reports["dream_soften"])
    lines = shown(assignment, [*reports.values()])
    assert "Topics: optional, for bonus points" in lines
    assert f"{label_of(assignment)} Planning by daydreams, up to 3 bonus points: 0 of 2 done." in lines
    assert f"Next: {assignment.stub('dream_pick').number} pick_dream in hw4/{FILE}" in lines
    assert lines[-1] == "Run: pytest hw4/tests/topics/test_daydream.py -m dream_pick"


@pytest.mark.parametrize(
    ("line", "shown_as"),
    [
        ("def f(:", ["SyntaxError: invalid syntax", f"python -m py_compile hw4/{FILE}"]),
        ("raise ValueError('mine')", ["ValueError: mine", 'python -c "import hw4.topics.daydream"']),
    ],
)
def test_a_topic_that_cannot_be_imported_is_named_with_its_line(
    checked: tuple[Path, Assignment], line: str, shown_as: list[str]
) -> None:
    tree, assignment = checked
    path = tree / "hw4" / FILE
    path.write_text(f"{path.read_text(encoding='utf-8')}{line}\n", encoding="utf-8")
    number = len(path.read_text(encoding="utf-8").splitlines())
    report = check_topic(assignment)["dream_soften"]
    assert report.status == "not checked"
    explanation = explain(report)
    assert f"(hw4/{FILE}:{number})" in explanation
    assert all(text in explanation for text in shown_as)


# submit ---------------------------------------------------------------------------------------------------------------


def submitted(
    tree: Path, assignment: Assignment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    monkeypatch.chdir(tree)
    monkeypatch.setattr(hw4.commands.cli, "PACKAGE", tree / "hw4")
    monkeypatch.setattr(hw4.commands.cli, "load_assignment", lambda: assignment)
    assert main(["submit"]) == 0
    return capsys.readouterr().out


def test_submit_says_nothing_is_wrong_with_a_topic_that_is_left_out(
    untouched: tuple[Path, Assignment], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tree, assignment = untouched
    printed = submitted(tree, assignment, monkeypatch, capsys)
    num_required = sum(not assignment.is_optional(stub) for stub in assignment.stubs)
    assert f"All {num_required} stubs are started" in printed
    assert "No topic is handed in: topics are optional." in printed
    assert "daydream" not in printed
    assert FILE not in read_submission(tree / "hw4_submission.zip", assignment).files


def test_submit_shows_the_bonus_of_a_started_topic_apart(
    untouched: tuple[Path, Assignment], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tree, assignment = untouched
    write_in_topic(tree, "dream_soften", "return factor * plan")
    printed = submitted(tree, assignment, monkeypatch, capsys)
    num_required = sum(not assignment.is_optional(stub) for stub in assignment.stubs)
    assert f"All {num_required} stubs are started" in printed
    assert (
        f"Bonus: topic {label_of(assignment)}, Planning by daydreams, is handed in (up to 3 bonus points); "
        "not started: 1 of its 2 stubs"
    ) in printed
    assert f"up to {assignment.policies.bonus_cap} count" in printed
    assert FILE in read_submission(tree / "hw4_submission.zip", assignment).files
    (tree / "notebooks").mkdir(exist_ok=True)
    mark = {"grade": True, "solution": True, "locked": False, "grade_id": "answer-dream", "points": 2}
    answer = {"cell_type": "markdown", "metadata": {"nbgrader": mark}, "source": "It costs push."}
    (tree / "notebooks" / "daydream.ipynb").write_text(json.dumps({"cells": [answer], "nbformat": 4}), encoding="utf-8")
    printed = submitted(tree, assignment, monkeypatch, capsys)
    assert "(up to 3 bonus points); not started" in printed
    assert "daydream.ipynb is handed in (up to 2 bonus points, given by people)" in printed
    (tree / "hw4" / FILE).write_text("def f(:\n", encoding="utf-8")
    assert main(["submit"]) == 1
    assert "The grader fails everything in it (3 bonus points)" in capsys.readouterr().out
