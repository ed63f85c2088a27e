"""Decisions of people: on whole submissions, on what could not be graded, on lateness, on what students ask."""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from class_samples import (
    ASSIGNMENT,
    QUIET,
    TOTAL,
    canary,
    engine_of,
    entries_of,
    graded_class,
    in_canvas,
    measured,
    quick_pages,
)

from autograder.classroom import commands, decisions
from autograder.classroom.intake.entries import ClassError, Person
from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.marks import standing
from autograder.classroom.marks.attempts import counted
from autograder.classroom.marks.export import export, read_list
from autograder.classroom.marks.gradebook import Written, code_points
from autograder.classroom.marks.policies import PolicyError, read_extensions, why_nobody
from autograder.classroom.marks.regrade_class import bring_up_to_date
from autograder.classroom.marks.requests import COLUMNS, read_requests, requests_in
from autograder.classroom.marks.standing import Result, read_class
from autograder.classroom.marks.to_look_at import flags_of, queue_of
from autograder.classroom.night.grade_class import grade_class
from autograder.classroom.night.job import Settings
from autograder.solutions import ROOT

__all__ = ["quick_pages"]  # a fixture
pytestmark = pytest.mark.usefixtures("quick_pages")
NLL = "test_nll_of_a_gaussian"
LATE = ASSIGNMENT.policies.late
DUE = ASSIGNMENT.course.due
HOSTILE = "<script>alert(1)</script>\x1b[31m"


def result_of(folder: ClassFolder, student: str) -> Result:
    return next(result for result in read_class(folder).results if result.student == student)


def total(folder: ClassFolder, student: str) -> float | None:
    return result_of(folder, student).total


def row_of(folder: ClassFolder, student: str) -> dict[str, str]:
    rows = csv.DictReader((folder.root / "grades.csv").open(encoding="utf-8-sig"))
    return next(row for row in rows if row["id"] == student)


def report_of(folder: ClassFolder, student: str) -> tuple[str, dict[str, Any]]:
    place = folder.students / student
    return (place / "report.html").read_text(), json.loads((place / "results.json").read_text())


def log_of(folder: ClassFolder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder.root / "log.jsonl").read_text().splitlines()]


# Whole submissions ----------------------------------------------------------------------------------------------------


def test_a_deduction_and_a_grant_add_up_and_show_in_report_results_lists_and_log(tmp_path: Path) -> None:
    folder = graded_class(tmp_path, {"ada": measured(), "bob": measured()})
    assert decisions.adjust(folder.root, "ada", points=-20, reason=HOSTILE, author="ta") == decisions.DONE
    assert decisions.adjust(folder.root, "ada", points=5, reason="the upload failed", author="ta") == decisions.DONE
    assert (total(folder, "ada"), total(folder, "bob")) == (TOTAL - 15, TOTAL)
    page, results = report_of(folder, "ada")
    assert f"Total: {TOTAL - 15} points" in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert results["score"] == TOTAL - 15
    assert f"submission: {TOTAL - 20} -> {TOTAL - 15} points: the upload failed" in results["output"]
    row = row_of(folder, "ada")
    assert (row["adjustment"], row["total"]) == ("-15", f"{TOTAL - 15}")
    canvas = in_canvas(read_class(folder), tmp_path / "canvas.csv")
    assert (canvas["ada"], canvas["bob"]) == (f"{TOTAL - 15}", f"{TOTAL}")
    points = [(one["before"], one["now"]) for one in log_of(folder) if one["event"] == "points"]
    assert points == [(TOTAL, TOTAL - 20), (TOTAL - 20, TOTAL - 15)]
    commands.gradebook(folder.root, database=tmp_path / "gradebook.db")
    assert code_points(tmp_path / "gradebook.db") == {"ada": TOTAL - 15, "bob": TOTAL}
    assert decisions.adjust(folder.root, "ada", withdraw=True, reason="it had not", author="ta") == decisions.DONE
    assert total(folder, "ada") == TOTAL - 20
    assert decisions.adjust(folder.root, "ada", withdraw=True, reason="cleared", author="ta") == decisions.DONE
    assert total(folder, "ada") == TOTAL
    assert decisions.adjust(folder.root, "ada", withdraw=True, reason="again") == decisions.REFUSED
    assert "Changed by staff" not in report_of(folder, "ada")[1]["output"]


def test_no_total_is_below_zero_and_written_points_are_there_first(tmp_path: Path) -> None:
    folder = graded_class(tmp_path, {"ada": measured()})
    decisions.adjust(folder.root, "ada", points=-90, reason="misconduct", author="ta")
    assert total(folder, "ada") == 0
    rows = read_list(export(read_class(folder), {"ada": Written(20.0, True)}))
    assert rows[0]["total"] == f"{TOTAL + 20 - 90}"


@pytest.mark.parametrize("student", ["zoe", "eve", "dan"])
def test_staff_can_give_points_where_nothing_was_graded(tmp_path: Path, student: str) -> None:
    """zoe was refused, the grader failed at eve's, and dan handed in nothing."""
    folder = graded_class(tmp_path, {"ada": measured(), "eve": {"fault": "it ended"}}, refused=["zoe"])
    facts = folder.read_class()
    dan = {**facts["students"][0], "student": "dan", "people": [{"id": "dan", "name": "", "email": ""}]}
    folder.write_class({**facts, "students": [*facts["students"], {**dan, "handed_in": False}]})
    before = total(folder, student)
    assert decisions.adjust(folder.root, student, points=30, reason="it came by mail", author="ta") == decisions.DONE
    assert total(folder, student) == 30
    page, results = report_of(folder, student)
    assert results["score"] == 30
    assert "it came by mail" in page
    assert row_of(folder, student)["total"] == "30"
    assert in_canvas(read_class(folder), tmp_path / "canvas.csv")[student] == "30"
    assert f"students/{student}/report.html" in (folder.root / "index.html").read_text()
    decisions.adjust(folder.root, student, withdraw=True, reason="graded by now", author="ta")
    assert total(folder, student) == before
    assert report_of(folder, student)[1].get("score") == before
    assert read_class(folder).notice == ""


def test_of_several_attempts_an_adjustment_and_a_request_are_about_whichever_counts(tmp_path: Path) -> None:
    """The first attempt of ada is better than the last one."""
    answers = {"ada": measured(failed=[NLL]), "ada-attempt-1": measured(), "bob": measured()}
    people = {name: (Person("ada", "", "ada@x.org"),) for name in ("ada", "ada-attempt-1")}
    folder = graded_class(tmp_path, answers, people=people)
    facts = folder.read_class()
    students = [{**one, "attempt_of": "" if one["student"] == "bob" else "ada"} for one in facts["students"]]
    folder.write_class({**facts, "students": students})
    request = write_request(tmp_path / "ada.toml", "ada@x.org", "gaussian_nll", "a reason")
    assert decisions.requests(folder.root, (request,)) == decisions.DONE
    for name in ("ada", "ada-attempt-1"):
        said = decisions.adjust(folder.root, name, points=-10, reason="misconduct", author="ta")
        assert said == (decisions.DONE if name == "ada" else decisions.REFUSED)  # it counts once for both
        page = report_of(folder, name)[0]
        assert ("a reason" in page, "Not answered yet." in page) == (True, True)
    row = row_of(folder, "ada")
    assert (row["submission"], row["adjustment"], row["total"]) == ("ada-attempt-1", "-10", f"{TOTAL - 10}")
    found = counted(read_class(folder))
    assert [(flag.kind, flag.result.student) for flag in flags_of(found) if flag.kind != "staff"] == [
        ("regrade request", "ada-attempt-1")
    ]


def test_a_decision_about_a_function_of_what_was_not_graded_is_refused_and_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = graded_class(tmp_path, {"ada": measured()}, refused=["zoe"])
    assert decisions.override(folder.root, "zoe", "cem_refit", reason="a reason") == decisions.REFUSED
    assert "zoe has no function or curve to change (refused): `adjust` changes the total" in capsys.readouterr().out
    assert not (folder.root / "changes.jsonl").exists()


@pytest.mark.parametrize(
    "facts",
    [{}, {"points": 5.0, "withdraw": True}, {"points": 1000.0}, {"points": 5.0, "waive_lateness": True}],
)
def test_an_adjustment_that_makes_no_sense_is_refused(tmp_path: Path, facts: dict[str, Any]) -> None:
    folder = graded_class(tmp_path, {"ada": measured()})
    assert decisions.adjust(folder.root, "ada", reason="a reason", **facts) == decisions.REFUSED
    assert decisions.adjust(folder.root, "nobody", points=1, reason="a reason") == decisions.REFUSED
    assert not (folder.root / "changes.jsonl").exists()


# Lateness -------------------------------------------------------------------------------------------------------------


def test_a_waived_penalty_costs_nothing_and_no_penalty_is_taken_of_what_staff_gave(tmp_path: Path) -> None:
    """Both came a day and a half late: two days."""
    late = {name: DUE + timedelta(days=1.5) for name in ("ada", "bob")}
    folder = graded_class(tmp_path, {"ada": measured(), "bob": measured()}, submitted=late)
    penalty = round(TOTAL * 2 * LATE.percent_per_day / 100, 2)
    assert float(row_of(folder, "ada")["final_points"]) == pytest.approx(TOTAL - penalty)
    decisions.adjust(folder.root, "ada", waive_lateness=True, reason="the site was down", author="ta")
    decisions.adjust(folder.root, "bob", points=-10, reason="misconduct", author="ta")
    ada, bob = row_of(folder, "ada"), row_of(folder, "bob")
    assert (ada["days_late"], ada["late_penalty"], ada["final_points"]) == ("2", "0", f"{TOTAL}")
    assert "no penalty: the site was down" in report_of(folder, "ada")[0]
    assert float(bob["late_penalty"]) == penalty
    assert float(bob["final_points"]) == pytest.approx(TOTAL - 10 - penalty)
    decisions.adjust(folder.root, "ada", waive_lateness=True, withdraw=True, reason="it was not", author="ta")
    assert float(row_of(folder, "ada")["late_penalty"]) == penalty


def test_a_waiver_settles_what_counts_where_nobody_knows_how_late_it_was(tmp_path: Path) -> None:
    folder = graded_class(tmp_path, {"ada": measured()})
    facts = folder.read_class()
    folder.write_class({**facts, "students": [{**facts["students"][0], "late": True}]})
    assert in_canvas(read_class(folder), tmp_path / "canvas.csv") == {"ada": ""}
    decisions.adjust(folder.root, "ada", waive_lateness=True, reason="the site was down", author="ta")
    assert in_canvas(read_class(folder), tmp_path / "canvas.csv") == {"ada": f"{TOTAL}"}
    assert [kind for kind, _, _ in queue(folder)] == []
    assert (row_of(folder, "ada")["late"], row_of(folder, "ada")["final_points"]) == ("late", f"{TOTAL}")


# Extensions -----------------------------------------------------------------------------------------------------------

PEOPLE = [("1042", "ada@x.org", "Love, Ada"), ("1043", "", "")]


@pytest.mark.parametrize("name", ["1042", "ADA@x.org", "1043"])
def test_somebody_is_known_by_id_or_address_whatever_the_case(name: str) -> None:
    assert why_nobody(name, PEOPLE) == ""


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("1O42", "1042 (ada@x.org, Love, Ada); 1043"),
        ("ada@x.com", "1042 (ada@x.org, Love, Ada)"),
        ("love ada", "1042 (ada@x.org, Love, Ada)"),
    ],
)
def test_an_extension_of_nobody_is_an_error_with_its_line_and_who_is_nearest(
    tmp_path: Path, name: str, nearest: str
) -> None:
    path = tmp_path / "extensions.csv"
    path.write_text(f"student,days,reason\n1043,1,ill\n{name},2,ill\n")
    with pytest.raises(PolicyError) as caught:
        read_extensions(path, PEOPLE)
    who = f"nobody in this class has the id or e-mail address {name!r}"
    assert str(caught.value) == f"extensions.csv:3: {who}. Nearest: {nearest}"


def test_an_extension_of_nobody_stops_every_list_and_the_night_before_it_begins_but_not_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = graded_class(tmp_path, {"ada": measured(), "bob": measured()})
    monkeypatch.setattr(standing, "EXTENSIONS", tmp_path / "extensions.csv")
    (tmp_path / "extensions.csv").write_text("student,days\nadda,2\n")
    with pytest.raises(ClassError, match=r"extensions\.csv:2: nobody .*'adda'\. Nearest: ada"):
        read_class(folder)
    assert commands.export(folder.root, output=tmp_path / "x.csv") == commands.REFUSED
    entries, asked = entries_of(tmp_path / "submissions"), []

    def engine(tasks: Any) -> Any:
        asked.extend(tasks)
        yield from ()

    with pytest.raises(ClassError, match="'adda'"):
        grade_class(entries, ClassFolder(tmp_path / "new"), Settings(), engine, QUIET, jobs=1, ask_canary=canary())
    assert asked == []
    monkeypatch.setattr("autograder.classroom.night.grade_class.LIST_SECONDS", -1.0)
    (tmp_path / "extensions.csv").write_text("student,days\nada,2\n")
    answers = {"ada": measured(), "bob": measured()}

    def spoiling(tasks: Any) -> Any:
        (tmp_path / "extensions.csv").write_text("student,days\nadda,2\n")
        yield from engine_of(answers)(tasks)
        (tmp_path / "extensions.csv").write_text("student,days\nada,2\n")

    other = ClassFolder(tmp_path / "new")
    grade_class(entries, other, Settings(), spoiling, QUIET, jobs=1, ask_canary=canary())
    assert result_of(other, "ada").extension_days == 2


# Regrade requests -----------------------------------------------------------------------------------------------------

REQUEST = 'student = "{student}"\nitem = "{item}"\nreason = """{reason}"""\n'


def request_of(student: str, item: str, reason: str) -> str:
    return REQUEST.format(student=student, item=item, reason=reason)


def write_request(path: Path, student: str, item: str, reason: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(request_of(student, item, reason), encoding="utf-8")
    return path


def queue(folder: ClassFolder) -> list[tuple[str, str, Sequence[str]]]:
    return [(kind, result.student, texts) for kind, result, texts in queue_of(list(flags_of(read_class(folder))))]


def test_a_request_is_in_the_queue_until_it_is_answered_and_the_answer_is_in_the_report(tmp_path: Path) -> None:
    people = {"ada": (Person("1042", "Love, Ada", "ada@x.org"),)}
    folder = graded_class(tmp_path, {"ada": measured(failed=[NLL]), "bob": measured()}, people=people)
    path = write_request(
        tmp_path / "requests" / "ada.toml", "ADA@x.org", "gaussian_nll", f"my sign {HOSTILE[:8]}\n is right"
    )
    form = tmp_path / "form.csv"
    form.write_text("Timestamp,Student,Item,Reason\nnow,bob,lateness,the bus\n", encoding="utf-8")
    assert decisions.requests(folder.root, (path.parent, form)) == decisions.DONE
    assert decisions.requests(folder.root, (path,)) == decisions.DONE  # again
    asked = read_requests(folder.root)
    assert [(one.number, one.student, one.item) for one in asked] == [
        (1, "ada", "gaussian_nll"),
        (2, "bob", "lateness"),
    ]
    assert ("regrade request", "ada", ["no. 1, gaussian_nll: my sign <script> is right"]) in queue(folder)
    page, results = report_of(folder, "ada")
    assert "Not answered yet." in page
    assert "my sign &lt;script&gt; is right" in page
    decisions.override(folder.root, "ada", "gaussian_nll", reason="request 1", author="ta")
    assert decisions.answer(folder.root, 1, text="It is. <b>Sorry</b>", author="ta") == decisions.DONE
    page, results = report_of(folder, "ada")
    assert "Answer of ta: It is. &lt;b&gt;Sorry&lt;/b&gt;" in page
    assert "Answer of ta: It is. <b>Sorry</b>" in results["output"]
    assert results["score"] == TOTAL
    assert [student for kind, student, _ in queue(folder) if kind == "regrade request"] == ["bob"]
    assert "ada" not in {student for _, student, _ in queue(folder)}  # staff know what they decided
    assert decisions.answer(folder.root, 3, text="what?") == decisions.REFUSED
    assert decisions.answer(folder.root, 2, text=" ") == decisions.REFUSED
    assert bring_up_to_date(folder, QUIET) == []


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.toml", request_of("adda", "cem_refit", "x"), "a.toml: nobody in this class has the id"),
        ("a.toml", request_of("ada", "cem_fit", "x"), "nothing is called 'cem_fit' here; nearest: cem_refit"),
        ("a.toml", request_of("ada", "cem_refit", " "), "a.toml is no request: it lacks reason"),
        ("a.toml", "student = \n", "a.toml is no request: Invalid"),
        ("a.csv", "student,item,reason\nada,cem_refit,\n", "a.csv:2 is no request: it lacks reason"),
        ("a.csv", "name\nada\n", "a.csv:2 is no request: it lacks student and item and reason"),
        ("a.pdf", "x", "a.pdf is no request: it must be a .toml file, or a .csv file of a form"),
        ("a.toml", "#" * 1_000_001, "a.toml is no request: it has more than 1,000,000 bytes"),
    ],
)  # fmt: skip
def test_what_is_no_request_is_named_and_stops_no_other(
    tmp_path: Path, name: str, text: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = graded_class(tmp_path, {"ada": measured()})
    (tmp_path / name).write_text(text)
    good = write_request(tmp_path / "good.toml", "ada", "cem_refit", "a reason")
    assert decisions.requests(folder.root, (tmp_path / name, good)) == decisions.REFUSED
    assert why in capsys.readouterr().out
    assert [one.reason for one in read_requests(folder.root)] == ["a reason"]


def test_the_request_that_the_students_readme_shows_is_one(tmp_path: Path) -> None:
    text = (ROOT / "hw4" / "README.md").read_text(encoding="utf-8").partition("## Ask for a regrade")[2]
    lines = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    assert tomllib.loads("\n".join(lines)).keys() == {*COLUMNS}
    (tmp_path / "regrade.toml").write_text("\n".join(lines))
    (asked,) = requests_in(tmp_path / "regrade.toml")
    assert asked.item in {item.id for item in ASSIGNMENT.items}
