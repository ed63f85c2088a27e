"""A number of a class never changes without being asked and logged, whatever bars, tests and points say today."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from class_samples import (
    QUIET,
    TOTAL,
    canary,
    engine_of,
    entries_of,
    graded_class,
    in_canvas,
    measured,
    quick_pages,
    use_assignment,
)
from rich.console import Console

from autograder.classroom import commands, decisions
from autograder.classroom.intake.entries import ClassError
from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.marks import outdated, regrade_class, standing
from autograder.classroom.marks.export import export, read_list
from autograder.classroom.marks.gradebook import code_points
from autograder.classroom.marks.kept import dumped, loaded
from autograder.classroom.marks.standing import read_class
from autograder.classroom.night import grade_class as grade_class_module
from autograder.classroom.night import record
from autograder.classroom.night.grade_class import grade_class
from autograder.classroom.night.job import Settings
from autograder.classroom.night.merge import merge
from autograder.classroom.night.record import hashes_of_tests
from autograder.console import print_report
from autograder.grading.curves import load_bars
from autograder.report.page import page
from autograder.report.words import points as shown
from hw4.handin.assignment import load_assignment

__all__ = ["quick_pages"]  # a fixture
pytestmark = pytest.mark.usefixtures("quick_pages")
ASSIGNMENT = load_assignment()
CURVE = ASSIGNMENT.curves[1]
NLL = "test_nll_of_a_gaussian"
LINE = "`regrade-class` applies what holds today, and logs whose points change"


def use_bars(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    """Bars at this share of the way from the floor to the recorded bar, wherever bars are read."""
    bars = {
        name: dataclasses.replace(bar, bar=bar.floor + share * (bar.bar - bar.floor))
        for name, bar in load_bars().items()
    }
    for module in (record, standing):
        monkeypatch.setattr(module, "load_bars", lambda: bars)


def numbers(folder: ClassFolder) -> dict[str, Any]:
    """What lists and documents say of ada."""
    (row,) = [
        row
        for row in csv.DictReader((folder.root / "grades.csv").open(encoding="utf-8-sig"))
        if row["id"] == "ada"
    ]  # fmt: skip
    found = read_class(folder)
    ada = folder.students / "ada"
    return {
        "grades.csv": float(row["total"]),
        "results.json": json.loads((ada / "results.json").read_text())["score"],
        "csv": float(next(row["total"] for row in read_list(export(found)) if row["id"] == "ada")),
        "canvas": float(in_canvas(found, folder.root.parent / "canvas.csv")["ada"]),
    }


@pytest.mark.parametrize("share", [0.5, pytest.param(2.0, marks=pytest.mark.verify)])
def test_other_bars_change_no_number_of_any_list_until_regrade_class_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    folder = graded_class(tmp_path, {"ada": measured(skill=0.8), "bob": measured(skill=0.8)})
    before = numbers(folder)
    assert len(set(before.values())) == 1
    page = (folder.students / "ada" / "report.html").read_bytes()
    use_bars(monkeypatch, share)
    merged = merge([folder.root], tmp_path / "merged")
    merge([folder.root], folder.root)
    assert numbers(folder) == before
    assert numbers(ClassFolder(tmp_path / "merged")) == before
    assert (folder.students / "ada" / "report.html").read_bytes() == page
    commands.gradebook(folder.root, database=tmp_path / "gradebook.db")
    assert code_points(tmp_path / "gradebook.db")["ada"] == before["csv"]
    assert LINE in merged.notice
    assert CURVE.id in merged.notice
    assert merged.notice in (folder.root / "index.html").read_text()
    assert decisions.override(folder.root, "bob", NLL, points=0, reason="a reason") == commands.DONE
    assert numbers(folder) == before  # nor by a decision about somebody else
    differences = regrade_class.regrade_class(
        folder,
        Settings(),
        lambda settings: engine_of({}),
        QUIET,
        ask_canary=lambda settings: canary(),
    )
    assert {one.student for one in differences} == {"ada", "bob"}
    now = numbers(folder)
    assert set(now.values()) == {differences[0].now}
    assert differences[0].now != before["csv"]
    assert (differences[0].now > before["csv"]) == (share < 1)  # type: ignore[operator]
    logged = [json.loads(line) for line in (folder.root / "log.jsonl").read_text().splitlines()]
    points = {one["student"]: (one["before"], one["now"]) for one in logged if one["event"] == "points"}
    assert points["ada"] == (before["csv"], now["csv"])
    assert read_class(folder).notice == ""
    assert LINE not in (folder.root / "index.html").read_text()


def events(folder: ClassFolder, name: str) -> list[dict[str, Any]]:
    logged = [json.loads(line) for line in (folder.root / "log.jsonl").read_text().splitlines()]
    return [one for one in logged if one["event"] == name]


def regrade(folder: ClassFolder, said: io.StringIO | None = None) -> list[regrade_class.Difference]:
    console = Console(file=said or io.StringIO(), width=300)
    engine = engine_of(dict.fromkeys(("ada", "bob", "eve"), measured()))
    return regrade_class.regrade_class(
        folder, Settings(), lambda settings: engine, console, ask_canary=lambda settings: canary()
    )


def test_grading_again_by_other_tests_grades_nobody_who_is_done_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = graded_class(tmp_path, {"ada": measured(failed=[NLL]), "bob": measured()})
    before = numbers(folder)
    today = {**hashes_of_tests(), NLL: "changed"}
    for module in (record, outdated, regrade_class, grade_class_module):
        monkeypatch.setattr(module, "hashes_of_tests", lambda: today)
    said = io.StringIO()
    entries = entries_of(tmp_path / "submissions")
    console = Console(file=said, width=300)
    summary = grade_class(entries, folder, Settings(), engine_of({}), console, jobs=1, ask_canary=canary())
    assert (summary.graded, summary.kept) == (0, 2)
    assert numbers(folder) == before
    assert f"this changed: the tests of gaussian_nll. {LINE}" in said.getvalue()


def test_other_points_and_a_test_that_is_gone_change_nothing_until_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = graded_class(tmp_path, {"ada": measured(failed=[NLL])})
    before = numbers(folder)
    stubs = tuple(
        dataclasses.replace(stub, points=stub.points + 5) if stub.id == "gaussian_nll" else stub
        for stub in ASSIGNMENT.stubs
        if stub.id != "random_shooting"
    )
    changed = dataclasses.replace(ASSIGNMENT, stubs=stubs)
    for module in (record, standing, outdated):
        monkeypatch.setattr(module, "load_assignment", lambda: changed)
    notice = merge([folder.root], folder.root).notice
    assert "random_shooting, which is no longer graded, the points of gaussian_nll. " in notice
    assert numbers(folder) == before
    row = next(csv.DictReader((folder.root / "grades.csv").open(encoding="utf-8-sig")))
    assert row["random_shooting"] == f"{ASSIGNMENT.stub('random_shooting').points}"


def test_a_report_says_what_each_problem_gave_at_most_when_it_was_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a function is worth today: in the table of a terminal, on the page, and of the kept report itself."""
    folder = graded_class(tmp_path, {"ada": measured(failed=[NLL])})
    stub = ASSIGNMENT.stub("gaussian_nll")
    then = ASSIGNMENT.problem(stub.problem)
    now = dataclasses.replace(then, points=then.points + 5)
    changed = dataclasses.replace(
        ASSIGNMENT,
        problems=tuple(now if problem is then else problem for problem in ASSIGNMENT.problems),
        stubs=tuple(dataclasses.replace(s, points=s.points + 5) if s is stub else s for s in ASSIGNMENT.stubs),
    )
    assert now.code_points == then.code_points + 5
    use_assignment(changed, monkeypatch)
    (ada,) = read_class(folder).results
    assert ada.grade is not None
    report = ada.grade.report
    assert {p.id: report.most_of(p) for p in changed.problems} == {p.id: p.code_points for p in ASSIGNMENT.problems}
    earned = sum(item.score for item in report.items_of(then.id))
    assert 0 < earned < then.code_points
    line = f"{then.label} {then.title}: {shown(earned)} of {then.code_points}"
    printed = io.StringIO()
    print_report(Console(file=printed, width=300), report)
    assert line in printed.getvalue().splitlines()
    assert f">{line}</h2>" in page(ada.grade, "ada")


def test_a_problem_without_a_judged_item_gives_what_it_gives_today(tmp_path: Path) -> None:
    """As in the report of a submission that was refused."""
    folder = graded_class(tmp_path, {"ada": measured()})
    (ada,) = read_class(folder).results
    assert ada.grade is not None
    empty = dataclasses.replace(ada.grade.report, items=())
    assert [empty.most_of(problem) for problem in ASSIGNMENT.problems] == [p.code_points for p in ASSIGNMENT.problems]


def test_another_due_date_changes_no_penalty_until_regrade_class_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = {"ada": ASSIGNMENT.course.due + timedelta(hours=20), "bob": ASSIGNMENT.course.due}
    folder = graded_class(tmp_path, {"ada": measured(), "bob": measured()}, submitted=late)
    (before,) = {row["late_penalty"] for row in read_list(export(read_class(folder))) if row["id"] == "ada"}
    assert float(before) > 0
    course = dataclasses.replace(ASSIGNMENT.course, due=ASSIGNMENT.course.due + timedelta(days=1))
    monkeypatch.setattr(standing, "load_assignment", lambda: dataclasses.replace(ASSIGNMENT, course=course))
    found = merge([folder.root], folder.root)
    assert f"this changed: the rule for late submissions. {LINE}" in found.notice
    assert before in {row["late_penalty"] for row in read_list(export(found))}
    said = io.StringIO()
    (one,) = regrade(folder, said)
    assert one.why == (f"late penalty {before} -> 0 points (the rule for lateness)",)
    assert said.getvalue().startswith("1 total changes; 1 stay as they were.\nada:")
    assert {row["late_penalty"] for row in read_list(export(read_class(folder)))} == {"0"}
    assert read_class(folder).notice == ""


def test_an_extension_is_logged_when_the_lists_first_show_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = {"ada": ASSIGNMENT.course.due + timedelta(hours=20)}
    monkeypatch.setattr(standing, "EXTENSIONS", tmp_path / "extensions.csv")
    folder = graded_class(tmp_path, {"ada": measured()}, submitted=late)
    (tmp_path / "extensions.csv").write_text("student,days,reason\nada,1.5,ill\n")
    for _ in range(2):
        merge([folder.root], folder.root)
    assert [(one["student"], one["before"], one["now"]) for one in events(folder, "extension")] == [("ada", 0, 1.5)]


def test_a_merge_after_decisions_and_a_regrade_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that comes late is added to a class on which staff have worked meanwhile."""
    part = graded_class(tmp_path, {"ada": measured(skill=0.8), "bob": measured(skill=0.8)})
    whole = ClassFolder(tmp_path / "whole")
    merge([part.root], whole.root)
    decisions.override(whole.root, "bob", NLL, points=0, reason="a reason", author="ta")
    use_bars(monkeypatch, 0.5)
    regrade(whole)
    now = numbers(whole)
    assert now["csv"] != numbers(part)["csv"]
    merge([part.root], whole.root)
    assert numbers(whole) == now
    other = graded_class(tmp_path / "again", {"ada": measured(failed=[NLL]), "bob": measured(skill=0.8)})
    with pytest.raises(ClassError, match="different grades of ada"):
        merge([other.root], whole.root)


def test_a_regrade_that_was_ended_in_between_is_said_and_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = graded_class(tmp_path, {"ada": measured(failed=[NLL]), "bob": measured()})
    before = numbers(folder)
    today = {**hashes_of_tests(), NLL: "changed"}
    for module in (record, outdated, regrade_class, grade_class_module):
        monkeypatch.setattr(module, "hashes_of_tests", lambda: today)
    monkeypatch.setattr("class_samples.hashes_of_tests", lambda: today)

    def killed(*args: Any, **facts: Any) -> None:
        raise KeyboardInterrupt

    finish = regrade_class.bring_up_to_date
    monkeypatch.setattr(regrade_class, "bring_up_to_date", killed)
    with pytest.raises(KeyboardInterrupt):
        regrade(folder)
    monkeypatch.setattr(regrade_class, "bring_up_to_date", finish)
    found = merge([folder.root], folder.root)
    assert "2 reports of a command that was not finished" in found.notice
    assert numbers(folder) == before
    (one,) = regrade(folder)
    assert (one.student, one.before, one.now) == ("ada", before["csv"], TOTAL)
    assert read_class(folder).notice == ""


def test_a_regrade_says_first_whose_total_changes_and_all_others_are_one_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {f"s{i}": measured(skill=0.5 if i == 3 else 2.0) for i in range(5)}
    folder = graded_class(tmp_path, answers)
    use_bars(monkeypatch, 0.75)
    said = io.StringIO()
    (one,) = regrade(folder, said)
    lines = said.getvalue().splitlines()
    assert lines[0] == "1 total changes; 4 stay as they were."
    assert lines[1].startswith(f"s3: {one.before:g} -> ")
    assert not any(name in line for line in lines for name in ("s0", "s1", "s2", "s4"))


def test_a_kept_report_is_read_back_as_it_was(tmp_path: Path) -> None:
    """Curves without any finished run included, whose score is minus infinity."""
    grades = [measured(failed=[NLL], faulty=[], skill=0.9, spread=0.3, cut=cut) for cut in ("", "raised", "exits")]
    for number, answer in enumerate(grades):
        folder = graded_class(tmp_path / str(number), {"ada": answer})
        (result,) = read_class(folder, by_todays_rule=True).results
        assert result.by_program is not None
        written = json.loads(json.dumps(dumped(result.by_program.report, result.by_program.bars), allow_nan=False))
        kept = loaded(written)
        assert kept.report == result.by_program.report
        assert kept.bars.items() <= result.by_program.bars.items()
