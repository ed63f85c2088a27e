"""A class with an optional problem: its points stay apart, count up to a cap, and cost nobody anything."""

from __future__ import annotations

import csv
import dataclasses
import io
from datetime import timedelta
from pathlib import Path

import pytest
from class_samples import QUIET, graded_class, measured, quick_pages, use_assignment, with_a_topic
from rich.console import Console

from autograder.classroom import commands, decisions
from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.marks import regrade_class, standing
from autograder.classroom.marks.dashboard import items_of
from autograder.classroom.marks.export import export, read_list
from autograder.classroom.marks.gradebook import BONUS, WRITTEN, Written, code_points, opened, written_points
from autograder.classroom.marks.regrade_class import bring_up_to_date, plan_of
from autograder.classroom.marks.standing import read_class
from autograder.classroom.night import record
from autograder.classroom.night.record import hashes_of_tests
from hw4.handin.assignment import Assignment, load_assignment

__all__ = ["quick_pages", "with_a_topic"]  # fixtures
pytestmark = pytest.mark.usefixtures("quick_pages")
NLL = "test_nll_of_a_gaussian"
FILE = "ensemble.py"


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory, with_a_topic: Assignment, said: io.StringIO) -> ClassFolder:
    """ada wrote everything, bob left all topics out, eve lost a point of it, and zoe handed in no archive."""
    answers = {"ada": measured(), "bob": measured(), "eve": measured(failed=[NLL])}
    late = {name: with_a_topic.course.due + timedelta(hours=hours) for name, hours in (("ada", 30), ("bob", -1))}
    return graded_class(
        tmp_path_factory.mktemp("class"),
        answers,
        refused=["zoe"],
        lacking={"bob": with_a_topic.optional_code},
        submitted=late,
        console=Console(file=said, width=200),
    )


def sums(folder: ClassFolder) -> dict[str, tuple[float | None, float | None, float | None]]:
    return {result.student: (result.score, result.bonus, result.total) for result in read_class(folder).results}


def test_points_bonus_and_total_are_three_columns(folder: ClassFolder, with_a_topic: Assignment) -> None:
    """60 points; of the 20 of the topic 8 count. Who did not hand it in has empty cells, and no flag."""
    assert (with_a_topic.code_points, with_a_topic.code_bonus_points >= 20) == (60, True)
    found = sums(folder)
    assert found["bob"][::2] == (60, 60 + found["bob"][1])  # type: ignore[operator]
    assert found["ada"] == (60, with_a_topic.code_bonus_points, 68)
    assert found["zoe"] == (0, 0, 0)
    rows = {row["id"]: row for row in csv.DictReader((folder.root / "grades.csv").open(encoding="utf-8-sig"))}
    assert {name: (float(r["points"]), float(r["bonus"]), float(r["total"])) for name, r in rows.items()} == found
    ensembles = [stub.id for stub in with_a_topic.stubs if stub.file == FILE]
    assert {rows["bob"][name] for name in ensembles} == {""}
    assert "" not in {rows["ada"][name] for name in ensembles}
    assert [rows["ada"][name] for name in ("days_late", "late_penalty", "final_points")] == ["2", "13.6", "54.4"]


def test_the_console_says_what_counts(folder: ClassFolder, said: io.StringIO) -> None:
    lines = [line for line in said.getvalue().splitlines() if "ada" in line]
    assert "ada: 60 points, and" in lines[0]
    assert lines[0].endswith("of which 8 count")


def test_a_total_may_be_more_than_the_points_that_are_possible(folder: ClassFolder, with_a_topic: Assignment) -> None:
    by_id = {row["id"]: row for row in read_list(export(read_class(folder)))}
    assert (by_id["ada"]["total"], by_id["ada"]["bonus"]) == ("68", f"{with_a_topic.code_bonus_points}")
    written = export(read_class(folder), {"ada": Written(17.5, True)})
    assert {row["id"]: row for row in read_list(written)}["ada"]["total"] == "85.5"


def test_a_written_bonus_has_a_column_and_the_cap_holds_for_both_parts(
    folder: ClassFolder, with_a_topic: Assignment
) -> None:
    """Everybody has 20 required written points, and ada's bonus is over the cap already."""
    bonus = sums(folder)["bob"][1] or 0.0
    written = {"ada": Written(20.0, True, 2.0), "bob": Written(20.0, True, 1.5), "eve": Written(20.0, False, 2.0)}
    rows = {row["id"]: row for row in read_list(export(read_class(folder), written))}
    assert (rows["ada"]["written bonus"], rows["ada"]["total"]) == ("2", "88")
    assert (rows["bob"]["bonus"], rows["bob"]["written bonus"]) == (f"{bonus:g}", "1.5")
    assert rows["bob"]["total"] == f"{80 + bonus + 1.5:g}"
    assert rows["eve"]["total"] == ""  # an answer still waits for a person
    assert (rows["zoe"]["written bonus"], rows["zoe"]["total"]) == ("", "0")  # refused: 0, as without written points
    most = written["bob"] = Written(20.0, True, 100.0)
    rows = {row["id"]: row for row in read_list(export(read_class(folder), written))}
    assert (rows["bob"]["written bonus"], rows["bob"]["total"]) == (f"{most.bonus:g}", "88")
    rows = {row["id"]: row for row in read_list(export(read_class(folder)))}
    assert "written bonus" not in rows["bob"]


def test_what_people_gave_for_a_topic_is_a_bonus_in_the_gradebook(folder: ClassFolder, tmp_path: Path) -> None:
    """One notebook has 20 required points, the topic's has 2. Of ada's bonus by program, 6.5 fit next to her 1.5."""
    database = tmp_path / "gradebook.db"
    with opened(database) as gradebook:
        gradebook.add_assignment(WRITTEN)
        for notebook, points in (("distribution_shift", 20), ("ensembles", 2)):
            gradebook.add_notebook(notebook, WRITTEN)
            gradebook.add_grade_cell("q", notebook, WRITTEN, max_score=points, cell_type="markdown")
        for student in ("ada", "bob"):
            gradebook.add_student(student)
            gradebook.add_submission(WRITTEN, student)
            for notebook, points in (("distribution_shift", 15), ("ensembles", 1.5 if student == "ada" else 0)):
                grade = gradebook.find_grade("q", notebook, WRITTEN, student)
                grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.db.commit()
    assert written_points(database) == {"ada": Written(15.0, True, 1.5), "bob": Written(15.0, True, 0.0)}
    assert commands.gradebook(folder.root, database=database) == commands.DONE
    bonus = sums(folder)["bob"][1] or 0.0
    assert (code_points(database)["ada"], code_points(database)["bob"]) == (66.5, 60 + bonus)  # 66.5 + 1.5 is the cap
    with opened(database) as gradebook:
        assert gradebook.find_grade(BONUS, "code", "hw4_code", "ada").extra_credit == 6.5


def test_the_gradebook_has_what_counts_as_extra_credit(
    folder: ClassFolder, tmp_path: Path, with_a_topic: Assignment
) -> None:
    database = tmp_path / "gradebook.db"
    assert commands.gradebook(folder.root, database=database) == commands.DONE
    assert commands.gradebook(folder.root, database=database) == commands.DONE
    assert code_points(database)["ada"] == 68
    with opened(database) as gradebook:
        (ada,) = (one for one in gradebook.assignment_submissions("hw4_code") if one.student.id == "ada")
        assert ada.max_score == 60
        cell = gradebook.find_grade(BONUS, "code", "hw4_code", "ada")
        assert (cell.score, cell.max_score, cell.extra_credit) == (8, 0, 8)


def test_a_waiver_gives_nothing_for_what_was_not_handed_in(folder: ClassFolder) -> None:
    before = sums(folder)
    assert decisions.waive(folder.root, "gaussian_nll", reason="unclear", author="ta") == commands.DONE
    now = sums(folder)
    assert now["bob"] == before["bob"]
    assert now["eve"] == now["ada"] == before["ada"]
    assert decisions.override(folder.root, "bob", "gaussian_nll", reason="by mail", author="ta") == commands.DONE
    assert sums(folder)["bob"][1] == (before["bob"][1] or 0) + 3
    assert "Changed by staff" in (folder.students / "bob" / "report.html").read_text()


def test_another_cap_changes_totals_and_says_so(folder: ClassFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    assignment = record.load_assignment()
    policies = dataclasses.replace(assignment.policies, bonus_cap=4)
    changed = dataclasses.replace(assignment, policies=policies)
    for module in (record, standing):
        monkeypatch.setattr(module, "load_assignment", lambda: changed)
    assert bring_up_to_date(folder, QUIET) == []
    found = {one.student: one for one in bring_up_to_date(folder, QUIET, by_todays_rule=True)}
    assert (found["ada"].before, found["ada"].now) == (68, 64)
    assert found["ada"].why == ("another part of the bonus counts",)
    assert bring_up_to_date(folder, QUIET) == []


def test_a_changed_test_of_the_topic_runs_for_those_alone_who_handed_it_in(
    folder: ClassFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = {**hashes_of_tests(), NLL: "changed"}
    monkeypatch.setattr(regrade_class, "hashes_of_tests", lambda: today)
    assert plan_of(read_class(folder)).functions == {name: frozenset({"gaussian_nll"}) for name in ("ada", "eve")}


def test_the_page_has_the_bonus_apart_and_a_histogram_beyond_the_maximum(
    folder: ClassFolder, with_a_topic: Assignment
) -> None:
    page = (folder.root / "index.html").read_text()
    values = (60.0, float(with_a_topic.code_bonus_points), 68.0)
    cells = "".join(f'<td class="n" data-value="{value}">{value:g}</td>' for value in values)
    assert cells in page.replace("\n", "")
    assert "points, bonus included" in page
    assert "65 to 70" in page
    topic = with_a_topic.problem("ensembles")
    assert f'<option value="{topic.label}">{topic.label} {topic.title}</option>' in page
    rows = {row.name: row for row in items_of(read_class(folder), with_a_topic.items)}
    assert (rows["gaussian_nll"].is_bonus, rows["gaussian_nll"].num_graded, rows["gaussian_nll"].num_failed) == (
        *(True, 2, 1),
    )
    assert (rows["fit"].is_bonus, rows["fit"].num_graded) == (False, 3)


def test_without_optional_problems_no_list_says_a_word_of_a_bonus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load_assignment()
    required = dataclasses.replace(
        whole,
        submission=dataclasses.replace(whole.submission, code=whole.required_code),
        problems=tuple(problem for problem in whole.problems if not problem.optional),
        stubs=tuple(stub for stub in whole.stubs if not whole.is_optional(stub)),
        curves=tuple(curve for curve in whole.curves if not whole.is_optional(curve)),
        effects=tuple(effect for effect in whole.effects if not whole.is_optional(effect)),
    )
    use_assignment(required, monkeypatch)
    said = io.StringIO()
    folder = graded_class(tmp_path, {"ada": measured()}, console=Console(file=said))
    texts = [path.read_text() for path in (folder.root / "grades.csv", folder.root / "index.html")]
    texts += [export(read_class(folder)).decode()]
    assert [text for text in (*texts, said.getvalue()) if "bonus" in text] == []
    assert "80" in texts[0]
