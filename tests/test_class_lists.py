"""Marks that leave the grader: CSV for three readers, and nbgrader's gradebook."""

from __future__ import annotations

import csv
import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest
from class_samples import ASSIGNMENT, POINTS, TOTAL, graded_class, measured, quick_pages
from hypothesis import example, given
from hypothesis import strategies as st

from autograder.classroom import commands, decisions
from autograder.classroom.intake.entries import ClassError, Person
from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.marks import standing
from autograder.classroom.marks.export import export, read_list
from autograder.classroom.marks.gradebook import (
    WRITTEN,
    Written,
    code_points,
    opened,
    write_code_points,
    written_points,
)
from autograder.classroom.marks.spreadsheet import guarded, unguarded, write_csv
from autograder.classroom.marks.standing import Class, Result, read_class
from autograder.classroom.night.job import Settings

__all__ = ["quick_pages"]  # a fixture
pytestmark = pytest.mark.usefixtures("quick_pages")
NLL = "test_nll_of_a_gaussian"
NAMES = [
    'O"Neil, Zoë "Zo"',
    '=HYPERLINK("http://x","y")',
    "+1-555",
    "-2+3",
    "@SUM(1)",
    "'quoted'",
    "李 小龙",
    "ﷺ العربية",
    "a\tb",
    " ,;|",
    "",
]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=30))
@example("=1+1")
@example("'=1+1")
@example("''")
def test_guarding_loses_nothing_and_leaves_no_formula(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t"))


def test_names_survive_the_list_as_they_are() -> None:
    people = [Person(f"id{i}", name, f"{i}@x.org") for i, name in enumerate(NAMES)]
    results = tuple(
        Result(f"s{i}", (person,), "", False, True, "refused", "no archive") for i, person in enumerate(people)
    )
    content = export(Class(results, True, None, ()))
    by_id = {row["id"]: row for row in read_list(content)}
    assert {person.id: by_id[person.id]["name"] for person in people} == {person.id: person.name for person in people}
    for line in content.decode("utf-8-sig").splitlines():
        assert not line.lstrip('"').startswith(("=", "+", "@", "-"))


def test_a_list_is_read_back_whatever_the_cells_hold() -> None:
    rows = [["id", "name"], *[[str(i), guarded(name)] for i, name in enumerate(NAMES)]]
    assert [row["name"] for row in read_list(write_csv(rows))] == NAMES


def test_a_total_needs_both_parts(tmp_path: Path) -> None:
    folder = graded_class(tmp_path, {name: measured() for name in ("ada", "bob", "eve")})
    written = {"ada": Written(17.5, True), "bob": Written(10.0, False)}
    rows = {row["id"]: row for row in read_list(export(read_class(folder), written))}
    assert [rows[name]["total"] for name in ("ada", "bob", "eve")] == [f"{TOTAL + 17.5}", "", ""]
    assert (rows["ada"]["code"], rows["ada"]["written"]) == (f"{POINTS}", "17.5")


DUE, LATE = ASSIGNMENT.course.due, ASSIGNMENT.policies.late
DAY = timedelta(days=1)


@pytest.fixture
def late_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClassFolder:
    """Everybody earned all points but eve, at whom the grader failed; a day costs 10 per cent, 15 minutes are free.

    ada is in time, bob a day and a half late, cid as late but with one day more, dan five days late, eve half a day;
    when fay handed in is not known.
    """
    late = dataclasses.replace(LATE, grace_minutes=15, percent_per_day=10, max_days=3)
    policies = dataclasses.replace(ASSIGNMENT.policies, late=late)
    monkeypatch.setattr(standing, "load_assignment", lambda: dataclasses.replace(ASSIGNMENT, policies=policies))
    monkeypatch.setattr(standing, "EXTENSIONS", tmp_path / "extensions.csv")
    (tmp_path / "extensions.csv").write_text("student,days,reason\ncid@x.org,1,ill\n")
    after = {"ada": -DAY, "bob": 1.5 * DAY, "cid": 1.5 * DAY, "dan": 5 * DAY, "eve": 0.5 * DAY}
    answers = {**{name: measured() for name in ("ada", "bob", "cid", "dan", "fay")}, "eve": measured(faulty=[NLL])}
    people = {name: (Person(name, name.title(), f"{name}@x.org"),) for name in answers}
    submitted = {name: DUE + distance for name, distance in after.items()}
    return graded_class(tmp_path, answers, people=people, submitted=submitted)


LATENESS = {
    "ada": ["0", "0", "0", f"{TOTAL}"],
    "bob": ["0", "2", f"{0.2 * TOTAL:g}", f"{0.8 * TOTAL:g}"],
    "cid": ["1", "1", f"{0.1 * TOTAL:g}", f"{0.9 * TOTAL:g}"],
    "dan": ["0", "5", f"{TOTAL}", "0"],
    "eve": ["0", "1", "", ""],
    "fay": ["0", "0", "0", f"{TOTAL}"],  # no time is known, and the site does not call it late
}
COLUMNS = ("extension_days", "days_late", "late_penalty", "final_points")


def test_lateness_stands_beside_the_points_that_were_earned(late_class: ClassFolder) -> None:
    rows = {row["id"]: row for row in read_list(export(read_class(late_class)))}
    assert {name: [rows[name][column] for column in COLUMNS] for name in rows} == LATENESS
    assert {name: rows[name]["total"] for name in rows} == {**dict.fromkeys(LATENESS, f"{TOTAL}"), "eve": ""}


def test_the_list_of_grades_the_page_and_the_gradebook_say_who_was_late(
    late_class: ClassFolder, tmp_path: Path
) -> None:
    rows = {row["id"]: row for row in csv.DictReader((late_class.root / "grades.csv").open(encoding="utf-8-sig"))}
    assert {name: [rows[name][column] for column in COLUMNS] for name in rows} == LATENESS
    assert [name for name in rows if rows[name]["late"]] == ["bob", "cid", "dan", "eve"]
    page = (late_class.root / "index.html").read_text()
    assert "(2 days late)" in page
    assert f'<td class="n" data-value="{0.8 * TOTAL:.1f}">{0.8 * TOTAL:g}</td>' in page
    database = tmp_path / "gradebook.db"
    commands.gradebook(late_class.root, database=database)
    with opened(database) as gradebook:
        filed = {one.student.id: one for one in gradebook.assignment_submissions("hw4_code")}
        seconds = {name: one.total_seconds_late for name, one in filed.items()}
        assert filed["bob"].score == TOTAL
    assert seconds == {"ada": 0, "bob": 129_600, "cid": 43_200, "dan": 432_000, "fay": 0}


def test_a_penalty_is_of_code_and_written_points_together(late_class: ClassFolder) -> None:
    written = {"bob": Written(20.0, True), "cid": Written(20.0, False)}
    rows = {row["id"]: row for row in read_list(export(read_class(late_class), written))}
    assert [rows["bob"][name] for name in ("total", *COLUMNS)] == [
        *(f"{TOTAL + 20}", "0", "2", f"{0.2 * (TOTAL + 20):g}", f"{0.8 * (TOTAL + 20):g}"),
    ]
    assert [rows["cid"][name] for name in ("total", *COLUMNS)] == ["", "1", "1", "", ""]


def test_an_extension_that_is_given_later_counts_at_the_next_export(late_class: ClassFolder) -> None:
    standing.EXTENSIONS.write_text("student,days\nbob,2\n")
    rows = {row["id"]: row for row in read_list(export(read_class(late_class)))}
    assert [rows["bob"][name] for name in ("late", *COLUMNS)] == ["", "2", "0", "0", f"{TOTAL}"]
    standing.EXTENSIONS.write_text("student,days\nbob,many\n")
    with pytest.raises(ClassError, match=r"extensions\.csv:2"):
        read_class(late_class)


def test_a_look_without_curves_is_never_exported(tmp_path: Path) -> None:
    folder = graded_class(tmp_path, {"ada": measured(curves=False)}, settings=Settings(curves=False))
    with pytest.raises(ClassError, match="no grades to export"):
        export(read_class(folder))
    with pytest.raises(ClassError, match="no grades to file"):
        write_code_points(read_class(folder), tmp_path / "gradebook.db")
    assert commands.export(folder.root, output=tmp_path / "x.csv") == commands.REFUSED


def test_code_and_written_points_live_in_one_gradebook(tmp_path: Path) -> None:
    """nbgrader's own assignment has a written cell of 20 points; a person gives 15 of them."""
    people = {"ada": (Person("1", "Love, Ada", "a@x.org"), Person("2", 'O"Neil', ""))}
    folder = graded_class(tmp_path, {"ada": measured(failed=[NLL]), "bob": measured(faulty=[NLL])}, people=people)
    database = tmp_path / "gradebook.db"
    with opened(database) as gradebook:
        gradebook.add_assignment(WRITTEN)
        gradebook.add_notebook("distribution_shift", WRITTEN)
        gradebook.add_grade_cell("q1", "distribution_shift", WRITTEN, max_score=20, cell_type="markdown")
        gradebook.add_student("1")
        gradebook.add_submission(WRITTEN, "1")
        grade = gradebook.find_grade("q1", "distribution_shift", WRITTEN, "1")
        grade.manual_score, grade.needs_manual_grade = 15, False
        gradebook.db.commit()
    total = read_class(folder).results[0].total
    assert commands.gradebook(folder.root, database=database) == commands.DONE
    assert code_points(database) == {"1": total, "2": total}
    assert written_points(database) == {"1": Written(15.0, True)}
    decisions.override(folder.root, "ada", NLL, reason="by hand", author="ta")
    commands.gradebook(folder.root, database=database)
    assert code_points(database) == {"1": TOTAL, "2": TOTAL}
    with opened(database) as gradebook:
        assert gradebook.find_student("1").first_name == "Ada"
        assert gradebook.find_grade("gaussian_nll", "code", "hw4_code", "1").manual_score == 3
    output = tmp_path / "marks.csv"
    assert commands.export(folder.root, output=output, database=database) == commands.DONE
    totals = {row["id"]: row["total"] for row in read_list(output.read_bytes())}
    assert (totals["1"], totals["2"]) == (f"{TOTAL + 15}", "")


def test_a_file_that_is_no_gradebook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClassError):
        written_points(tmp_path / "nothing.db")
    assert ClassFolder(tmp_path).done("nobody") is None
