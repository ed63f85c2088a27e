"""A class's folder: every file is in a submission or listed, whatever site it is from; rosters as sites write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from io import StringIO
from pathlib import Path

import pytest
from class_samples import ASSIGNMENT, QUIET, canary, engine_of, measured, write_class, write_zip
from rich.console import Console

from autograder.classroom.intake.entries import ClassError, Entry
from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.intake.left_over import left_over
from autograder.classroom.intake.roster import read_roster
from autograder.classroom.intake.submissions import find_submissions, read_entry
from autograder.classroom.marks.standing import read_class
from autograder.classroom.marks.to_look_at import flags_of
from autograder.classroom.night.grade_class import grade_class
from autograder.classroom.night.job import Settings
from autograder.solutions import reference_code
from hw4.handin.refusal import SubmissionRefused

CODE = {name.rpartition("/")[2]: content for name, content in reference_code().items()}
DUE = ASSIGNMENT.course.due
JUNK = (".DS_Store", "__MACOSX/._ada.zip", "Thumbs.db", "desktop.ini", ".hidden/mpc.py")


def write(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x = 1\n")
    return folder


def loose(folder: Path, student: str, number: int) -> None:
    for name, content in CODE.items():
        (folder / f"{student}_{number}_{number}0_{name}").write_bytes(content)


def students_of(folder: Path) -> tuple[dict[str, Entry], dict[str, str]]:
    """Entries by id, and reasons by the name of what is left over. Everything in the folder is in one of both."""
    entries = find_submissions(folder)
    others = {one.name: one.reason for one in left_over(folder, entries)}
    owned = [path for entry in entries for path in (entry.path, *(path for _, path in entry.files))]
    owned += [path for entry in entries for path in entry.named_in_problem]
    for path in folder.iterdir():
        is_owned = any(path == one or path in one.parents for one in owned if one is not None)
        assert is_owned != (path.name in others or f"{path.name}/" in others), path
    return {entry.people[0].id: entry for entry in entries}, others


@pytest.mark.parametrize("stray", ["submissions.zip", "hw4_submissions (1).zip", "old/mpc.py", "notes.pdf", "bob.zip"])
def test_nobody_vanishes_from_a_canvas_download_whatever_is_next_to_it(tmp_path: Path, stray: str) -> None:
    """Two students have an archive, and two loose files."""
    write(tmp_path, "loveada_101_900_hw4.zip", "hopperg_102_901_hw4.zip", stray, *JUNK)
    loose(tmp_path, "turinga", 103)
    loose(tmp_path, "noethere", 104)
    found, others = students_of(tmp_path)
    assert found.keys() == {"101", "102", "103", "104"}
    assert read_entry(found["103"]).missing == ()
    name = f"{stray.partition('/')[0]}/" if "/" in stray else stray
    assert others[name].startswith("belongs to nobody: its name is not of the form that the site gives")
    assert others.keys() == {name, ".DS_Store", "__MACOSX/", "Thumbs.db", "desktop.ini", ".hidden/"}
    assert others["__MACOSX/"] == "hidden, or written by a system"


def test_what_is_left_out_of_a_canvas_download_is_listed_with_its_reason(tmp_path: Path) -> None:
    write(
        tmp_path,
        *("loveada_101_900_hw4.zip", "loveada_101_905_hw4-1.zip", "loveada_101_906_notes.pdf"),
        *("hopperg_102_901_hw4.zip", "hopperg_102_text.html", "turinga_103_910_one.zip", "turinga_103_911_two.zip"),
    )
    found, others = students_of(tmp_path)
    assert found.keys() == {"101", "102", "103"}
    assert others == {
        "loveada_101_900_hw4.zip": 'from loveada: not the attempt that counts (`attempts = "last"` in assignment.toml)',
        "loveada_101_906_notes.pdf": "from loveada: neither an archive nor a file of the homework",
        "hopperg_102_text.html": "from hopperg: neither an archive nor a file of the homework",
    }


def test_a_loose_copy_goes_with_its_students_files_and_is_asked_about(tmp_path: Path) -> None:
    write(tmp_path, "loveada_101_900_ensemble.py", "loveada_101_901_Copy of mpc.py")
    found, others = students_of(tmp_path)
    assert others == {}
    assert any("did you mean 'Copy of mpc.py'?" in note for note in read_entry(found["101"]).notes)


@pytest.mark.parametrize("with_folders", [True, False])
def test_a_moodle_download_is_read_as_downloaded(tmp_path: Path, with_folders: bool) -> None:
    end = "_/" if with_folders else "_"
    ada, bob = "Ada Love_1234567_assignsubmission_file", "Bob O'Neil_1234568_assignsubmission_file"
    write_zip(tmp_path / f"{ada}{end}hw4.zip", CODE)
    for name, content in CODE.items():
        write(tmp_path, f"{bob}{end}{name}")
        (tmp_path / f"{bob}{end}{name}").write_bytes(content)
    write(tmp_path, f"Ada Love_1234567_assignsubmission_onlinetext{end}onlinetext.html", "grades.csv", "stray.zip")
    found, others = students_of(tmp_path)
    assert {id_: entry.people[0].name for id_, entry in found.items()} == {
        "1234567": "Ada Love",
        "1234568": "Bob O'Neil",
    }
    assert all(read_entry(entry).missing == () for entry in found.values())
    assert len(others) == 3
    assert "belongs to nobody" in others["grades.csv"]
    assert "belongs to nobody" in others["stray.zip"]
    roster = tmp_path.parent / "worksheet.csv"
    roster.write_text(
        'Identifier,"Full name","Email address",Status\nParticipant 1234567,Ada Love,ada@x.org,Submitted\n'
        "Participant 1234569,Eve,eve@x.org,No submission\n"
    )
    assert {entry.student for entry in find_submissions(tmp_path, roster) if not entry.on_roster} == {"1234568"}


def test_what_a_gradescope_export_does_not_name_is_listed(tmp_path: Path) -> None:
    write(tmp_path, "submission_1/mpc.py", "submission_2/mpc.py", "late.zip", *JUNK)
    (tmp_path / "submission_metadata.yml").write_text("submission_1:\n  :submitters:\n  - :sid: '7'\n")
    found, others = students_of(tmp_path)
    assert found.keys() == {"7"}
    assert others["submission_2/"] == "belongs to nobody: submission_metadata.yml does not name it"
    assert "belongs to nobody" in others["late.zip"]
    assert others["submission_metadata.yml"].startswith("Gradescope's own list")


def test_in_a_plain_folder_loose_files_are_listed_and_an_archive_in_a_folder_is_opened(tmp_path: Path) -> None:
    write_class(tmp_path, ["ada"])
    write_zip(tmp_path / "bob" / "hw4.zip", CODE)
    write(tmp_path, "bob/.DS_Store", "bob/__MACOSX/._hw4.zip", "mpc.py", "notes.txt", *JUNK)
    found, others = students_of(tmp_path)
    assert found.keys() == {"ada", "bob"}
    assert read_entry(found["bob"]).missing == ()
    assert others["mpc.py"] == (
        "belongs to nobody: neither a folder nor an archive. Put it into a folder that is named after its student"
    )
    assert len(others) == 7


def test_an_archive_in_an_archive_is_refused_for_its_student_and_not_overlooked(tmp_path: Path) -> None:
    write_class(tmp_path, ["ada"])
    write_zip(tmp_path / "submissions.zip", {"bob.zip": b"PK"})
    found, others = students_of(tmp_path)
    assert others == {}
    with pytest.raises(SubmissionRefused, match="an archive inside the submission is not opened"):
        read_entry(found["submissions"])


@pytest.mark.parametrize("name", ["submission_metadata.yml", "loveada_101_900_hw4.zip"])
def test_a_folder_around_an_export_is_not_taken_for_one_student(tmp_path: Path, name: str) -> None:
    write(tmp_path, f"assignment_export/{name}", ".DS_Store")
    with pytest.raises(ClassError, match=r"an export of a whole class: give .*assignment_export instead"):
        find_submissions(tmp_path)


def test_the_night_says_what_is_left_over_and_which_notebook_cannot_be_read(tmp_path: Path) -> None:
    write_class(tmp_path / "in", ["ada"])
    write_zip(tmp_path / "in" / "bob.zip", {**reference_code(), "notebooks/replanning.ipynb": b"x" * 10_000_001})
    write(tmp_path / "in", "notes.txt")
    entries = find_submissions(tmp_path / "in")
    printed, folder = Console(file=StringIO(), width=500), ClassFolder(tmp_path / "out")
    engine = engine_of({name: measured() for name in ("ada", "bob")})
    others = left_over(tmp_path / "in", entries)
    grade_class(entries, folder, Settings(), engine, printed, jobs=1, ask_canary=canary(), left_over=others)
    text = printed.file.getvalue()  # type: ignore[attr-defined]
    assert "not a submission: notes.txt: belongs to nobody" in text
    assert "(cannot be read: replanning.ipynb)" in text
    found = read_class(folder)
    assert {result.student: result.status for result in found.results} == {"ada": "graded", "bob": "graded"}
    assert [one.name for one in found.left_over] == ["notes.txt"]
    (flag,) = [flag for flag in flags_of(found) if flag.kind == "notebook"]
    where = tmp_path / "in" / "bob.zip"
    assert flag.text == (
        f"replanning.ipynb: it is larger than 10,000,000 bytes. The original is notebooks/replanning.ipynb in {where}"
    )
    page = (folder.root / "index.html").read_text(encoding="utf-8")
    assert "notes.txt: belongs to nobody" in page
    report = json.loads((folder.students / "bob" / "results.json").read_text(encoding="utf-8"))["output"]
    assert "replanning.ipynb cannot be read: it is larger than 10,000,000 bytes" in report


def test_a_class_graded_before_left_over_files_were_listed_is_still_read(tmp_path: Path) -> None:
    write_class(tmp_path / "in", ["ada"])
    folder = ClassFolder(tmp_path / "out")
    entries = find_submissions(tmp_path / "in")
    grade_class(entries, folder, Settings(), engine_of({"ada": measured()}), QUIET, jobs=1, ask_canary=canary())
    facts = folder.read_class()
    del facts["left_over"]
    folder.write_class(facts)
    assert read_class(folder).left_over == ()


# Rosters --------------------------------------------------------------------------------------------------------------

PLAIN = "id,name,email\n007,Ada,Ada@X.org\n8,Bob,bob@x.org\n"
WRITTEN: dict[str, Callable[[str], bytes]] = {
    "comma": lambda text: text.encode(),
    "semicolon": lambda text: text.replace(",", ";").encode(),
    "tab": lambda text: text.replace(",", "\t").encode(),
    "utf-8 mark": lambda text: text.encode("utf-8-sig"),
    "utf-16": lambda text: text.replace(",", "\t").encode("utf-16"),
    "windows": lambda text: text.replace("\n", "\r\n").encode(),
    "old mac": lambda text: text.replace("\n", "\r").encode(),
    "sep=": lambda text: f"sep=;\n{text.replace(',', ';')}".encode(),
    "upper case": lambda text: text.replace("id,name,email", "ID, Name ,EMAIL").encode(),
    "empty lines": lambda text: f"{text}\n,,\n".encode(),
    "quoted": lambda text: "\n".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines()
    ).encode(),
}


def rows_of(tmp_path: Path, content: bytes | str) -> list[tuple[str, str, str]]:
    path = tmp_path / "roster.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [(row.id, row.name, row.email) for row in read_roster(path)]


@pytest.mark.parametrize("how", WRITTEN)
def test_a_roster_is_read_however_a_spreadsheet_writes_it(tmp_path: Path, how: str) -> None:
    assert rows_of(tmp_path, WRITTEN[how](PLAIN)) == [("007", "Ada", "Ada@X.org"), ("8", "Bob", "bob@x.org")]


EXPORTS = {
    "Canvas, gradebook": (
        "Student,ID,SIS User ID,SIS Login ID,Section,HW 4 (77)\n"
        ",,,,,Manual Posting\n"
        "    Points Possible,,,,,80\n"
        '"Love, Ada",101,00123,ada,Lecture,12\n',
        [("101", "Love, Ada", "")],
    ),
    "Gradescope, roster": (
        "First Name,Last Name,SID,Email,Role,Section\n"
        "Ada,Love,00123,Ada@X.org,Student,\nBob,O'Neil,,bob@x.org,Student,\nTa,Ta,,ta@x.org,TA,\n",
        [("00123", "Ada Love", "Ada@X.org"), ("bob@x.org", "Bob O'Neil", "bob@x.org")],
    ),
    "Gradescope, grades": (
        "Name,SID,Email,Total Score,Max Points,Status\nAda Love,00123,ada@x.org,3,80,Graded\n",
        [("00123", "Ada Love", "ada@x.org")],
    ),
    "Moodle, grading worksheet": (
        "Identifier,Full name,Email address,Status,Grade\nParticipant 1234567,Ada Love,ada@x.org,Submitted,-\n",
        [("1234567", "Ada Love", "ada@x.org")],
    ),
    "Moodle, grades": (
        "First name,Last name,ID number,Institution,Department,Email address,Course total (Real)\n"
        "Ada,Love,00123,,,ada@x.org,3.00\n",
        [("00123", "Ada Love", "ada@x.org")],
    ),
    "Moodle, worksheet in German": (
        "ID,Vollständiger Name,E-Mail-Adresse,Status,Bewertung\nTeilnehmer/in1234567,Ada Love,ada@x.org,Abgegeben,-\n",
        [("1234567", "Ada Love", "ada@x.org")],
    ),
    "Brightspace, grades": (
        "OrgDefinedId,Username,Last Name,First Name,Email,HW 4 Points Grade,End-of-Line Indicator\n"
        "#00123,#ada,Love,Ada,ada@x.org,,#\n",
        [("00123", "Ada Love", "ada@x.org")],
    ),
    "Blackboard, grades": (
        '"Last Name"\t"First Name"\t"Username"\t"Student ID"\t"HW 4 [Total Pts: 80 Score] |4711"\n'
        '"Love"\t"Ada"\t"ada"\t"00123"\t""\n',
        [("00123", "Ada Love", "")],
    ),
    "ILIAS, members": (
        "Login;Nachname;Vorname;E-Mail;Matrikelnummer\nada;Love;Ada;ada@x.org;00123\n",
        [("00123", "Ada Love", "ada@x.org")],
    ),
    "Moodle, participants": (
        "First name,Surname,Email address,Groups\nAda,Love,ada@x.org,Lab 1\n",
        [("ada@x.org", "Ada Love", "ada@x.org")],
    ),
}


@pytest.mark.parametrize("site", EXPORTS)
def test_a_sites_own_export_is_a_roster(tmp_path: Path, site: str) -> None:
    text, rows = EXPORTS[site]
    assert rows_of(tmp_path, text.encode("utf-8-sig")) == rows


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("id,name\n1,Ada\n7,Love, Ada\n", 3),
        ("id,name,email,group\n7,Love, Ada,ada@x.org\n", 2),
        ("id,name,email\n1,Ada,ada@x.org\n7,Love,Ada\n", 3),
        ("id,name,group\n7,Love, Ada\n", 2),
        ('id,name\n1,"Ada\nLove"\n7,Love, Ada\n', 4),
        ("sep=;\nid;name\n7;Love; Ada\n", 3),
        ("id\tname\n7\tLove\tAda\n", 2),
    ],
)
def test_a_separator_that_is_not_quoted_is_an_error_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(ClassError, match=rf"^roster\.csv:{line}: .*put quotes around the cell"):
        rows_of(tmp_path, text)


@pytest.mark.parametrize("text", ['id,name\n7,"Ada\n8,Bob\n', 'id,name\n7,"Ada" Love\n'])
def test_a_quote_that_is_not_closed_swallows_nobody(tmp_path: Path, text: str) -> None:
    with pytest.raises(ClassError, match=r"^roster\.csv:\d: a quote is not closed, or is inside a cell"):
        rows_of(tmp_path, text)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_the_encoding_of_a_roster_is_recognised(tmp_path: Path, encoding: str) -> None:
    assert rows_of(tmp_path, "id,name\n7,Zoë Müller\n".encode(encoding)) == [("7", "Zoë Müller", "")]


def test_a_roster_in_an_encoding_that_is_not_recognised_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ClassError, match="Save it as CSV in UTF-8"):
        rows_of(tmp_path, b"id,name\n7,\x81\x8d\n")


def test_a_roster_without_ids_says_which_columns_it_has(tmp_path: Path) -> None:
    with pytest.raises(ClassError, match="Its columns are: nom, prénom"):
        rows_of(tmp_path, "Nom;Prénom\nLove;Ada\n")


@pytest.mark.parametrize(
    ("handed_in", "listed"),
    [
        ("ada@x.org", "Ada@X.Org"),
        ("ADA@X.ORG", "ada@x.org"),
        ("00123", "123"),
        ("123", "00123"),
        ("00123", "00123"),
        ("ADA17", "ada17"),
    ],
)
def test_an_id_is_matched_whatever_its_case_and_leading_zeros(tmp_path: Path, handed_in: str, listed: str) -> None:
    write_class(tmp_path / "in", [handed_in])
    (tmp_path / "roster.csv").write_text(f"id,name\n{listed},Ada\n")
    (entry,) = find_submissions(tmp_path / "in", tmp_path / "roster.csv")
    assert (entry.on_roster, entry.people[0].id, entry.people[0].name) == (True, listed, "Ada")


def test_two_ids_that_differ_in_leading_zeros_alone_stay_apart(tmp_path: Path) -> None:
    write_class(tmp_path / "in", ["0123", "123", "00123"])
    (tmp_path / "roster.csv").write_text("id,name\n0123,Ada\n123,Bob\n")
    found = {entry.student: entry for entry in find_submissions(tmp_path / "in", tmp_path / "roster.csv")}
    assert [found[name].people[0].name for name in ("0123", "123")] == ["Ada", "Bob"]
    assert not found["00123"].on_roster  # it could be either


def test_a_roster_without_names_wipes_none(tmp_path: Path) -> None:
    write(tmp_path / "in", "Ada Love_1234567_assignsubmission_file_mpc.py")
    (tmp_path / "roster.csv").write_text("id\n1234567\n")
    (entry,) = find_submissions(tmp_path / "in", tmp_path / "roster.csv")
    assert [(person.id, person.name) for person in entry.people] == [("1234567", "Ada Love")]


def test_moodles_participants_are_found_by_their_names_if_these_are_clear(tmp_path: Path) -> None:
    """The list of participants has no numbers, and the download has nothing else."""
    names = {"1": "Ada Love", "2": "Bob ONeil", "3": "Kim Lee", "4": "Kim Lee", "5": "Eve Else"}
    write(tmp_path / "in", *(f"{name}_{number}_assignsubmission_file_mpc.py" for number, name in names.items()))
    people = [("Ada", "Love"), ("Bob", "O'Neil"), ("Kim", "Lee")]
    rows = [f"{first},{last},{first.lower()}@x.org,Lab 1" for first, last in people]
    (tmp_path / "roster.csv").write_text("\n".join(["First name,Last name,Email address,Groups", *rows]))
    found = find_submissions(tmp_path / "in", tmp_path / "roster.csv")
    owners = {entry.student: entry.people[0].id for entry in found if entry.path and entry.on_roster}
    assert owners == {"1": "ada@x.org", "2": "bob@x.org"}
    assert [entry.people[0].name for entry in found if entry.path is None] == ["Kim Lee"]


def test_a_folder_that_is_named_after_a_person_is_found_on_the_roster(tmp_path: Path) -> None:
    write_class(tmp_path / "in", ["Love, Ada"])
    (tmp_path / "roster.csv").write_text("id,first name,last name\n00123,Ada,Love\n")
    (entry,) = find_submissions(tmp_path / "in", tmp_path / "roster.csv")
    assert (entry.people[0].id, entry.people[0].name) == ("00123", "Ada Love")


def test_moodles_worksheet_says_when_somebody_handed_in(tmp_path: Path) -> None:
    write(tmp_path / "in", "Ada Love_1_assignsubmission_file_mpc.py", "Bob_2_assignsubmission_file_mpc.py")
    (tmp_path / "roster.csv").write_text(
        "Identifier,Full name,Last modified (submission)\n"
        'Participant 1,Ada Love,"Tuesday, 16 March 2027, 1:05 AM"\nParticipant 2,Bob,-\n'
    )
    found = {entry.student: entry for entry in find_submissions(tmp_path / "in", tmp_path / "roster.csv")}
    assert found["1"].submitted == datetime.fromisoformat("2027-03-16T01:05:00").replace(tzinfo=DUE.tzinfo)
    assert found["2"].submitted is None
