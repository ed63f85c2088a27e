"""What leaves the grader: the sites' own lists with points in them, and feedback under the names that sites want."""

from __future__ import annotations

import csv
import dataclasses
import io
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from class_samples import ASSIGNMENT, POINTS, TOTAL, graded_class, measured, quick_pages, write_zip

from autograder.classroom import commands
from autograder.classroom.intake.entries import ClassError, Person
from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.marks import standing
from autograder.classroom.marks.export import counted_points
from autograder.classroom.marks.feedback import documents_of_class, pack
from autograder.classroom.marks.gradebook import WRITTEN, Written
from autograder.classroom.marks.site_lists import fill
from autograder.classroom.marks.standing import Class, Result, read_class
from autograder.solutions import reference_code

__all__ = ["quick_pages"]  # a fixture
pytestmark = pytest.mark.usefixtures("quick_pages")
NLL = "test_nll_of_a_gaussian"
TITLE = f"{ASSIGNMENT.course.title} (4711)"
CODE = {name.rpartition("/")[2]: content for name, content in reference_code().items()}


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> ClassFolder:
    """ada is in time, bob a day late, which costs a tenth, the grader failed at cid, and dee was refused.

    Of eve the site says that she was late, and nobody knows by how much.
    """
    late = dataclasses.replace(ASSIGNMENT.policies.late, grace_minutes=15, percent_per_day=10, max_days=3)
    policies = dataclasses.replace(ASSIGNMENT.policies, late=late)
    monkeypatch.setattr(standing, "load_assignment", lambda: dataclasses.replace(ASSIGNMENT, policies=policies))
    root = tmp_path_factory.mktemp("class")
    monkeypatch.setattr(standing, "EXTENSIONS", root / "extensions.csv")
    answers = {"ada": measured(), "bob": measured(), "cid": measured(faulty=[NLL]), "eve": measured()}
    numbers = {"ada": "101", "bob": "102", "cid": "103", "dee": "104", "eve": "105"}
    people = {name: (Person(number, f"{name.title()} Love"),) for name, number in numbers.items()}
    submitted = {"bob": ASSIGNMENT.course.due + timedelta(hours=20)}
    found = graded_class(root, answers, people=people, submitted=submitted, refused=["dee"])
    facts = found.read_class()
    for student in facts["students"]:
        student["late"] = student["student"] == "eve"
    found.write_class(facts)
    return found


ON_TIME, A_DAY_LATE = f"{TOTAL}", f"{0.9 * TOTAL:g}"

# Canvas's gradebook ---------------------------------------------------------------------------------------------------

CANVAS = [
    ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "HW 3 (4710)", TITLE, "Final Score"],
    ["", "", "", "", "", "Manual Posting", "", "(read only)"],
    ["    Points Possible", "", "", "", "", "100", f"{POINTS}", "(read only)"],
    ["Love, Ada", "101", "00101", "ada@x.org", "Lab, 1", "7", "", "12"],
    ["Love, Bob", "102", "00102", "bob@x.org", "Lab, 1", "", "1", "12"],
    ["Love, Cid", "103", "00103", "cid@x.org", "Lab, 1", "9", "2", "12"],
    ["Love, Dee", "104", "00104", "dee@x.org", "Lab, 1", "9", "", "12"],
    ["Love, Eve", "105", "00105", "eve@x.org", "Lab, 1", "9", "", "12"],
    ["Gone, Fay", "106", "00106", "fay@x.org", "Lab, 1", "9", "", "12"],
    ["Student, Test", "999", "", "abc", "Lab, 1", "", "", ""],
]


def written(path: Path, rows: list[list[str]], *, delimiter: str = ",", encoding: str = "utf-8-sig") -> Path:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows(rows)
    path.write_bytes(buffer.getvalue().encode(encoding))
    return path


def read(content: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=delimiter))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_canvas_s_gradebook_comes_back_with_what_counts_and_nothing_else_changed(
    folder: ClassFolder, tmp_path: Path, delimiter: str, capsys: pytest.CaptureFixture[str]
) -> None:
    gradebook, output = written(tmp_path / "canvas.csv", CANVAS, delimiter=delimiter), tmp_path / "marks.csv"
    assert commands.export(folder.root, output=output, form="canvas", gradebook=gradebook) == commands.DONE
    wanted = [list(row) for row in CANVAS]
    wanted[3][6], wanted[4][6], wanted[6][6] = ON_TIME, A_DAY_LATE, "0"
    assert read(output.read_bytes(), delimiter) == wanted
    said = capsys.readouterr().out
    assert f"Filled the column '{TITLE}' for 3 people." in said
    assert (
        "No grade, so the cell stays as it was: 103 (grader fault), 105 (late, but nobody knows by how much)." in said
    )


def test_whoever_is_not_in_the_gradebook_is_named(folder: ClassFolder, tmp_path: Path) -> None:
    gradebook = written(tmp_path / "canvas.csv", [*CANVAS[:3], *CANVAS[4:]])
    filled = fill(gradebook, "canvas", read_class(folder), None)
    assert "Not in canvas.csv: 101." in filled.notes
    other = [[cell.replace(f"{POINTS}", "100") for cell in row] for row in CANVAS]
    filled = fill(written(gradebook, other), "canvas", read_class(folder), None)
    assert filled.notes[0] == f"The site says that 100 points are possible; these are points of {POINTS}."


@pytest.mark.parametrize(
    ("heads", "column", "found"),
    [
        (["HW 4 (1)", "HW 3 (2)"], "HW 4", "HW 4 (1)"),
        (["HW 4 (1)", "HW 4 (2)"], "hw 4 (2)", "HW 4 (2)"),
        (["HW 4 (1)", "HW 3 (2)"], "", "no single column 'Homework 4.*Say which one with --column: 'HW 4 .1.', 'HW 3"),
        (["HW 4 (1)", "HW 4 (2)"], "HW 4", "no single column 'HW 4'"),
        (["HW 4"], "", "is not Canvas's gradebook"),
    ],
)
def test_the_column_is_that_of_the_homework_or_is_asked_for(
    tmp_path: Path, heads: list[str], column: str, found: str
) -> None:
    rows = [["Student", "ID", *heads], ["Love, Ada", "101", *("" for _ in heads)]]
    gradebook = written(tmp_path / "canvas.csv", rows)
    nobody = Class((), True, None, ())
    if found.startswith("HW"):
        assert fill(gradebook, "canvas", nobody, None, column).column == found
    else:
        with pytest.raises(ClassError, match=found):
            fill(gradebook, "canvas", nobody, None, column)


# Moodle's worksheet ---------------------------------------------------------------------------------------------------

MOODLE_HEAD = ["Identifier", "Full name", "Email address", "Status", "Grade", "Maximum grade", "Grade can be changed"]


@pytest.mark.parametrize(
    ("most", "late"), [(f"{POINTS}.00", A_DAY_LATE), (f"{POINTS},00", A_DAY_LATE.replace(".", ","))]
)
def test_moodle_s_worksheet_comes_back_with_what_counts(
    folder: ClassFolder, tmp_path: Path, most: str, late: str
) -> None:
    """Where the site writes a comma, so does the list. A grade that is locked stays."""
    who = {"101": "Yes", "102": "Yes", "103": "Yes", "104": "No", "105": "Yes", "106": "Yes"}
    rows = [[f"Participant {n}", f"P {n}", f"{n}@x.org", "Submitted", "-", most, can] for n, can in who.items()]
    filled = fill(written(tmp_path / "m.csv", [MOODLE_HEAD, *rows]), "moodle", read_class(folder), None)
    assert [row[4] for row in read(filled.content)[1:]] == [ON_TIME, late, "-", "-", "-", "-"]
    assert "The site says that the grade cannot be changed: 104." in filled.notes


def test_a_list_of_another_kind_is_refused(folder: ClassFolder, tmp_path: Path) -> None:
    gradebook = written(tmp_path / "canvas.csv", CANVAS)
    with pytest.raises(ClassError, match="is not Moodle's grading worksheet"):
        fill(gradebook, "moodle", read_class(folder), None)
    for options in ({"form": "gradescope"}, {"form": "canvas"}, {"gradebook": gradebook}):
        assert commands.export(folder.root, output=tmp_path / "x.csv", **options) == commands.REFUSED  # type: ignore[arg-type]
    assert not (tmp_path / "x.csv").exists()


def test_refused_and_missing_are_the_same_with_and_without_written_points() -> None:
    common: dict[str, Any] = {"people": (), "group": "", "late": False, "on_roster": True}
    refused, missing = Result("a", **common, status="refused"), Result("b", **common, status="missing")
    for result, wanted in ((refused, 0), (missing, None)):
        for with_written in (False, True):
            assert counted_points(result, None, with_written=with_written, bonus_cap=0.0) == wanted
    assert counted_points(refused, Written(5.0, True), with_written=True, bonus_cap=0.0) == 5
    assert counted_points(refused, Written(5.0, False), with_written=True, bonus_cap=0.0) is None


# Feedback -------------------------------------------------------------------------------------------------------------


def course_with_feedback(root: Path, *ids: str) -> Path:
    for id_ in ids:
        place = root / "feedback" / id_ / WRITTEN
        place.mkdir(parents=True)
        (place / "replanning.html").write_bytes(b"comments for " + id_.encode())
    return root


def graded_download(tmp_path: Path, uploads: dict[str, str]) -> tuple[ClassFolder, Path]:
    """Results named as `grade-class` names them, and the download they are of: student -> name of the upload."""
    download = tmp_path / "download"
    for name in uploads.values():
        if name.endswith(".zip"):
            write_zip(download / name, CODE)
        else:
            (download / name).parent.mkdir(parents=True, exist_ok=True)
            (download / name).write_bytes(CODE["mpc.py"])
    people = {student: (Person(student, f"Name of {student}", f"{student}@x.org"),) for student in uploads}
    return graded_class(tmp_path, {student: measured() for student in uploads}, people=people), download


def names_in(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_canvas_gets_one_zip_for_each_student_under_the_name_of_what_was_handed_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uploads = {
        "101": "loveada_101_900_hw4.zip",
        "102": "lovebob_LATE_102_901_hw4-1.zip",
        "103": "lovecid_103_902_mpc.py",
    }
    folder, download = graded_download(tmp_path, uploads)
    course = course_with_feedback(tmp_path / "course", "101", "102")
    output = tmp_path / "feedback.zip"
    assert commands.feedback(folder.root, download, output=output, course=course) == commands.DONE
    found = names_in(output)
    assert found.keys() == set(uploads.values())
    with zipfile.ZipFile(io.BytesIO(found[uploads["102"]])) as archive:
        assert archive.namelist() == ["report.html", "replanning.html"]
        assert archive.read("replanning.html") == b"comments for 102"
        assert b"102" in archive.read("report.html")
    said = capsys.readouterr().out
    assert "Canvas shows their zip under the name of one of their files: 103 (mpc.py)." in said
    assert "(`nbgrader generate_feedback hw4` writes them): 103." in said
    assert commands.feedback(folder.root, download, output=output, course=course) == commands.REFUSED


MOODLE = {"1": "Ada O'Neil_1_assignsubmission_file_/hw4.zip", "2": "Bob_2_assignsubmission_file_hw4.zip"}
D2L = {"1": "1-9 - Ada - Mar 15, 2027 926 AM/hw4.zip", "2": "2-9 - Bob - Mar 15, 2027 926 AM/hw4.zip"}
ILIAS = {"ada": "Love_Ada_ada_1/hw4.zip", "bob": "Oneil_Bob_bob_2/20270315010500_hw4.zip"}


@pytest.mark.parametrize(
    ("uploads", "names"),
    [
        (MOODLE, ["Ada O'Neil_1_assignsubmission_file_", "Bob_2_assignsubmission_file_"]),
        (D2L, ["1-9 - Ada - Mar 15, 2027 926 AM/", "2-9 - Bob - Mar 15, 2027 926 AM/"]),
        (ILIAS, ["feedback/Love_Ada_ada_1/", "feedback/Oneil_Bob_bob_2/"]),
    ],
    ids=["Moodle", "Brightspace", "ILIAS"],
)
def test_other_sites_get_their_own_names(tmp_path: Path, uploads: dict[str, str], names: list[str]) -> None:
    folder, download = graded_download(tmp_path, uploads)
    course = course_with_feedback(tmp_path / "course", *uploads)
    assert commands.feedback(folder.root, download, output=tmp_path / "f.zip", course=course) == commands.DONE
    found = names_in(tmp_path / "f.zip")
    assert set(found) == {f"{name}{file}" for name in names for file in ("report.html", "replanning.html")}
    assert not any("receipt" in name or "record" in name for name in found)


def test_without_a_download_there_is_a_folder_for_each_person_and_their_addresses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = {"ada": (Person("1", "Ada", "ada@x.org"), Person("2", "=Bob", "bob@x.org"))}
    answers = {"ada": measured(), "bob": measured(faulty=[NLL])}
    folder = graded_class(tmp_path, answers, people=people, refused=["zoe"])
    course, output = course_with_feedback(tmp_path / "course", "2"), tmp_path / "mail"
    assert commands.feedback(folder.root, output=output, course=course) == commands.DONE
    assert "Without a grade, and so without feedback: bob." in capsys.readouterr().out
    files = sorted(path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file())
    assert files == [
        ".gitignore",
        "1/report.html",
        "2/replanning.html",
        "2/report.html",
        "addresses.csv",
        "zoe/report.html",
    ]
    assert read((output / "addresses.csv").read_bytes()) == [
        ["id", "name", "email", "folder"],
        ["1", "Ada", "ada@x.org", "1"],
        ["2", "'=Bob", "bob@x.org", "2"],
        ["zoe", "", "", "zoe"],
    ]


def test_a_site_that_takes_no_feedback_is_refused(tmp_path: Path) -> None:
    folder = graded_class(tmp_path, {"ada": measured()})
    submissions = tmp_path / "submissions"
    with pytest.raises(ClassError, match="leave out the submissions, and it is written into folders"):
        pack(documents_of_class(read_class(folder), folder, tmp_path), submissions, tmp_path / "f.zip")
