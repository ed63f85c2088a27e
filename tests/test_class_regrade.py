"""Decisions of staff, and a class that is scored again: who changes, by how much, why, and what runs for it."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from class_samples import POINTS, QUIET, TOTAL, canary, graded_class, measured, quick_pages, without_pages

from autograder.classroom import commands, decisions
from autograder.classroom.intake.entries import ClassError
from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.marks import outdated, regrade_class, standing
from autograder.classroom.marks.changes import EVERYBODY, LOG, Change, append_change, in_force, read_changes
from autograder.classroom.marks.regrade_class import Difference, bring_up_to_date, plan_of
from autograder.classroom.marks.standing import read_class
from autograder.classroom.night import grade_class, record
from autograder.classroom.night.engine import Task
from autograder.classroom.night.job import Settings
from autograder.classroom.night.record import hashes_below, hashes_in, hashes_of_tests
from autograder.grading.curves import load_bars
from autograder.grading.suite import HIDDEN_TESTS
from autograder.hidden_tests.graded import DECLARED
from hw4.handin.assignment import load_assignment

__all__ = ["quick_pages"]  # a fixture
pytestmark = pytest.mark.usefixtures("quick_pages")
ASSIGNMENT = load_assignment()
NLL = "test_nll_of_a_gaussian"
CURVE = ASSIGNMENT.curves[1]


def change(student: str, target: str, points: float | None, reason: str = "a reason", **facts: Any) -> Change:
    return Change("2027-03-20T10:00:00+00:00", "ta", facts.get("kind", "points"), student, target, points, reason)


def scores(folder: ClassFolder) -> dict[str, float | None]:
    return {result.student: result.score for result in read_class(folder).results}


# Decisions ------------------------------------------------------------------------------------------------------------


def test_an_override_changes_one_student_and_shows_in_report_results_and_list(tmp_path: Path) -> None:
    folder = graded_class(tmp_path, {"ada": measured(failed=[NLL]), "bob": measured(failed=[NLL])})
    before = scores(folder)
    lost = POINTS - (before["ada"] or 0)
    status = decisions.override(
        folder.root, "ada", "gaussian_nll", points=2.5, reason="<b>shape</b> was \x1b[31mambiguous", author="=TA"
    )
    assert status == commands.DONE
    assert scores(folder) == {"ada": pytest.approx(POINTS - 3 + 2.5), "bob": POINTS - lost}
    ada = folder.students / "ada"
    page = (ada / "report.html").read_text()
    assert "&lt;b&gt;shape" in page
    assert "<b>shape" not in page
    assert json.loads((ada / "results.json").read_text())["score"] == TOTAL - 0.5
    assert "Changed by staff" in json.loads((ada / "results.json").read_text())["output"]
    assert json.loads((ada / "receipt.json").read_text())["score"] == POINTS - lost  # what the program measured stays
    listed = (folder.root / "grades.csv").read_text(encoding="utf-8-sig")
    assert "gaussian_nll: " in listed
    assert "Changed by staff" not in (folder.students / "bob" / "report.html").read_text()
    (logged,) = read_changes(folder.root)
    assert (logged.author, logged.student, logged.points) == ("=TA", "ada", 2.5)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", logged.time)


def test_a_waived_test_gives_all_its_points_to_everyone_and_can_be_withdrawn(tmp_path: Path) -> None:
    folder = graded_class(tmp_path, {"ada": measured(failed=[NLL]), "bob": measured()}, refused=["zoe"])
    before = scores(folder)
    assert decisions.waive(folder.root, NLL, reason="it was wrong", author="ta") == commands.DONE
    assert scores(folder) == {"ada": POINTS, "bob": POINTS, "zoe": 0}
    assert decisions.waive(folder.root, NLL, reason="it was right", author="ta", withdraw=True) == commands.DONE
    assert scores(folder) == before
    assert len(read_changes(folder.root)) == 2


def test_the_last_word_counts_and_a_student_counts_more_than_everybody() -> None:
    first, second = change("ada", NLL, 0.0), change("ada", NLL, 1.0)
    waived = change(EVERYBODY, NLL, None)
    assert in_force([first, second, waived], "ada") == [second]
    assert in_force([first, second, waived], "bob") == [waived]
    assert in_force([first, dataclasses.replace(first, kind="withdrawn")], "ada") == []


def test_a_decision_settles_a_fault_of_the_grader(tmp_path: Path) -> None:
    folder = graded_class(tmp_path, {"ada": measured(faulty=[NLL])})
    assert scores(folder) == {"ada": None}
    decisions.override(folder.root, "ada", NLL, reason="looked at by hand", author="ta")
    assert scores(folder) == {"ada": POINTS}


def test_decisions_outlive_a_second_grading(tmp_path: Path) -> None:
    answers = {"ada": measured(failed=[NLL])}
    folder = graded_class(tmp_path, answers)
    decisions.override(folder.root, "ada", "gaussian_nll", points=3, reason="a reason", author="ta")
    done = json.loads((folder.students / "ada" / "done.json").read_text())
    (folder.students / "ada" / "done.json").write_text(json.dumps({**done, "key": "by another grader"}))
    graded_class(tmp_path, answers)
    assert scores(folder) == {"ada": POINTS}
    assert "Changed by staff" in (folder.students / "ada" / "report.html").read_text()


@pytest.mark.parametrize(
    ("target", "points", "reason"),
    [("gaussian_nll", 3.1, "x"), ("gaussian_nll", -1.0, "x"), ("nothing", 1.0, "x"), ("gaussian_nll", 1.0, " ")],
)
def test_a_decision_that_makes_no_sense_is_refused_and_not_logged(
    tmp_path: Path, target: str, points: float, reason: str
) -> None:
    with pytest.raises(ClassError):
        append_change(tmp_path, change("ada", target, points, reason))
    assert not (tmp_path / LOG).exists()


def test_a_line_that_was_cut_off_does_not_count_and_is_never_written_over(tmp_path: Path) -> None:
    append_change(tmp_path, change("ada", NLL, 1.0))
    with (tmp_path / LOG).open("a") as file:
        file.write('{"time": "2027')
    assert len(read_changes(tmp_path)) == 1
    with pytest.raises(ClassError, match="cut off"):
        append_change(tmp_path, change("ada", NLL, 0.0))


# A changed rule -------------------------------------------------------------------------------------------------------


def use_bars(monkeypatch: pytest.MonkeyPatch, **values: float) -> None:
    """Other numbers for one curve, wherever bars are read."""
    bars = load_bars()
    bars[CURVE.id] = dataclasses.replace(bars[CURVE.id], **values)
    for module in (record,):
        monkeypatch.setattr(module, "load_bars", lambda: bars)


class Engine:
    """Gives the same answer to everyone, cut to what was asked, and remembers who asked for what."""

    def __init__(self, answer: dict[str, Any] | None = None) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.answer = answer

    def __call__(self, settings: Settings) -> Any:
        def run(tasks: Iterable[Task]) -> Iterator[tuple[Task, dict[str, Any]]]:
            for task in tasks:
                request = json.loads(task.payload)
                self.asked.append((task.student, request["only"]))
                only = None if request["only"] is None else frozenset(request["only"])
                yield task, self.answer or measured(curves=request["curves"], only=only)

        return run


def regrade(folder: ClassFolder, engine: Engine, **facts: Any) -> list[Difference]:
    return regrade_class.regrade_class(folder, Settings(), engine, QUIET, ask_canary=lambda settings: canary(), **facts)


def test_nothing_changed_nothing_runs_and_nothing_is_written(tmp_path: Path) -> None:
    folder = graded_class(tmp_path, {"ada": measured(), "bob": measured(skill=0.5)})
    stamps = {path: path.stat().st_mtime_ns for path in (folder.root / "students").rglob("*.*")}
    engine = Engine()
    assert regrade(folder, engine) == []
    assert engine.asked == []
    assert {path: path.stat().st_mtime_ns for path in (folder.root / "students").rglob("*.*")} == stamps


@pytest.mark.parametrize("size", [40, pytest.param(200, marks=pytest.mark.verify)])
def test_a_class_is_scored_by_another_bar_in_seconds_without_running_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """A floor of 39 and a bar of 52: skill 0.5 scores 45.5. With a bar of 45.5 that is all; who passes, passes."""
    answers = {f"s{i:03}": measured(skill=0.5 if i < 20 else 2.0) for i in range(size)}
    monkeypatch.setattr(grade_class, "documents_of", without_pages)
    folder = graded_class(tmp_path, answers)
    bar = load_bars()[CURVE.id]
    use_bars(monkeypatch, bar=(bar.bar + bar.floor) / 2)
    engine = Engine()
    monkeypatch.setattr(regrade_class, "documents_of", without_pages)
    start = time.process_time()
    found = regrade(folder, engine)
    seconds = time.process_time() - start
    print(f"{seconds:.1f} s of processor time")
    assert engine.asked == []
    assert [one.student for one in found] == [f"s{i:03}" for i in range(20)]
    assert all(one.now - one.before == pytest.approx(CURVE.points / 2, abs=0.01) for one in found)  # type: ignore[operator]
    assert f"bar {bar.bar} -> {(bar.bar + bar.floor) / 2}" in found[0].why[0]
    assert seconds < size / 8  # a grade takes a minute


def test_the_difference_is_written_for_spreadsheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = graded_class(tmp_path, {"ada": measured(skill=0.5)})
    use_bars(monkeypatch, bar=60.0)
    (one,) = regrade(folder, Engine())
    (written,) = (folder.root / "regrades").glob("*.csv")
    assert one.before is not None
    assert f"ada,ada,{one.before:g},{one.now:g}," in written.read_text(encoding="utf-8-sig")
    assert regrade(folder, Engine()) == []  # and only once


def test_other_points_for_a_function_change_scores_without_running_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = graded_class(
        tmp_path, {"ada": measured(failed=[n for n, t in DECLARED.items() if t.stub_id == "random_shooting"])}
    )
    worth = {"random_shooting": 1, "gaussian_nll": 4}  # 2 and 3 before; no curve runs either
    stubs = tuple(dataclasses.replace(stub, points=worth.get(stub.id, stub.points)) for stub in ASSIGNMENT.stubs)
    changed = dataclasses.replace(ASSIGNMENT, stubs=stubs)
    for module in (record, standing, outdated):
        monkeypatch.setattr(module, "load_assignment", lambda: changed)
    engine = Engine()
    (one,) = regrade(folder, engine)
    assert engine.asked == []
    assert (one.before, one.now) == (TOTAL - 2, TOTAL - 1)
    assert one.why == ("gaussian_nll: 3 -> 4 points (worth 3 -> 4; " + one.why[0].split("; ", 1)[1],)


def test_a_changed_test_runs_its_function_alone_and_the_difference_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = graded_class(tmp_path, {"ada": measured(failed=[NLL]), "bob": measured()})
    today = {**hashes_of_tests(), NLL: "changed"}
    for module in (record, regrade_class):
        monkeypatch.setattr(module, "hashes_of_tests", lambda: today)
    monkeypatch.setattr("class_samples.hashes_of_tests", lambda: today)
    engine = Engine()
    (one,) = regrade(folder, engine)
    assert engine.asked == [("ada", ["gaussian_nll"]), ("bob", ["gaussian_nll"])]
    assert (one.student, one.now) == ("ada", TOTAL)
    assert f"{NLL} failed -> passed" in one.why[0]
    assert regrade(folder, engine) == []
    assert len(engine.asked) == 2


def test_runs_that_nobody_recorded_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three runs around 45.5; by the best of them as the bar they disagree, so seven are needed."""
    folder = graded_class(tmp_path, {"ada": measured(skill=0.5, spread=0.1), "bob": measured(skill=2.0)})
    runs = folder.record("ada")["measured"]["runs"][CURVE.id]
    assert len(runs) == 3
    use_bars(monkeypatch, bar=max(run["returns"][-1] for run in runs))
    plan = plan_of(read_class(folder, by_todays_rule=True))
    assert plan.whole.keys() == {"ada"}
    engine = Engine()
    regrade(folder, engine)
    assert engine.asked == [("ada", None)]


def test_another_grader_is_said_and_its_verdicts_stay_unless_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = graded_class(tmp_path, {"ada": measured(failed=[NLL])})
    for module in (
        "autograder.classroom.marks.regrade_class",
        "autograder.classroom.night.grade_class",
        "class_samples",
    ):
        monkeypatch.setattr(f"{module}.core_hash", lambda: "another")
    engine = Engine()
    assert regrade(folder, engine) == []
    assert engine.asked == []
    (one,) = regrade(folder, engine, everything=True)
    assert (engine.asked, one.now) == ([("ada", None)], TOTAL)


def test_a_fault_in_a_regrade_keeps_the_old_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = graded_class(tmp_path, {"ada": measured(failed=[NLL])})
    before = scores(folder)
    for module in (record, regrade_class):
        monkeypatch.setattr(module, "hashes_of_tests", lambda: {**hashes_of_tests(), NLL: "changed"})
    assert regrade(folder, Engine({"fault": "the machine is on fire"})) == []
    assert scores(folder) == before


def test_stored_measurements_give_back_the_very_same_grade(tmp_path: Path) -> None:
    """What a record says by today's rule is what was said when it was graded, seven runs and cuts included."""
    answers = {f"s{i}": measured(skill=0.9, spread=0.3, seed=i, cut="too_slow" if i % 2 else "") for i in range(6)}
    folder = graded_class(tmp_path, answers)
    before = scores(folder)
    assert bring_up_to_date(folder, QUIET) == []
    assert scores(folder) == before
    assert len(set(before.values())) > 2


# What a change of a test is -------------------------------------------------------------------------------------------

SOURCE = '''
import numpy as np
SIZE = 3
@graded("a")
def test_one(subject):
    """Words."""
    assert subject == SIZE
@graded("b", weight=2)
def test_two(subject):
    assert subject
'''


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("Words", "Other words", set()),
        ("weight=2", "weight=3", set()),
        ("# nothing", "# a comment", set()),
        ("assert subject\n", "assert not subject\n", {"test_two"}),
        ("SIZE = 3", "SIZE = 4", {"test_one", "test_two"}),
        ('@graded("b"', '@parametrize("x")\n@graded("b"', {"test_two"}),
    ],
)
def test_a_test_has_changed_if_its_code_has_or_what_it_shares(old: str, new: str, changed: set[str]) -> None:
    before, after = hashes_in(SOURCE), hashes_in((SOURCE + "# nothing\n").replace(old, new))
    assert {name for name in before if before[name] != after[name]} == changed


def test_every_declared_test_has_a_hash() -> None:
    assert hashes_of_tests().keys() == DECLARED.keys()


@pytest.mark.parametrize("file", ["test_mpc.py", "topics/test_made_up.py"])
def test_an_edit_of_an_oracle_changes_the_tests_of_its_problem_alone(tmp_path: Path, file: str) -> None:
    folder = tmp_path / "hidden_tests"
    shutil.copytree(HIDDEN_TESTS, folder)
    topic = folder / "topics" / "test_made_up.py"
    source = "from autograder.hidden_tests.topics import made_up_oracle\n\n\ndef test_made_up(subject): ...\n"
    topic.write_text(source, encoding="utf-8")
    oracle = (folder / file).with_name(file.rpartition("/")[2].removeprefix("test_").replace(".py", "_oracle.py"))
    if not oracle.exists():
        oracle.write_text("SIZE = 1\n", encoding="utf-8")
    before = hashes_below(folder)
    with oracle.open("a", encoding="utf-8") as opened:
        opened.write("SIZE = 2\n")
    after = hashes_below(folder)
    own = set(hashes_in((folder / file).read_text(encoding="utf-8")))
    assert own
    assert {name for name in before if before[name] != after[name]} == own


def test_an_edit_of_what_files_of_tests_share_changes_all_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "hidden_tests"
    shutil.copytree(HIDDEN_TESTS, folder)
    before = hashes_below(folder)
    with (folder / "inputs.py").open("a", encoding="utf-8") as opened:
        opened.write("SIZE = 2\n")
    after = hashes_below(folder)
    changed = {name for name in before if before[name] != after[name]}
    users = [path for path in folder.rglob("test_*.py") if "inputs import" in path.read_text(encoding="utf-8")]
    assert len(users) >= 2
    assert changed == {name for path in users for name in hashes_in(path.read_text(encoding="utf-8"))}
