"""Downloads of Brightspace, Blackboard and ILIAS as these sites name them, attempts, and git repositories."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from class_samples import ASSIGNMENT, entries_of, graded_class, measured, quick_pages, use_assignment, write_zip
from test_class_folder import CODE, students_of, write

from autograder.classroom.intake.entries import Entry
from autograder.classroom.intake.repositories import last_commit, repository_in
from autograder.classroom.intake.submissions import find_submissions, read_entry
from autograder.classroom.marks.attempts import counted
from autograder.classroom.marks.standing import Class, Result, read_class
from hw4.handin.refusal import SubmissionRefused

__all__ = ["quick_pages"]  # a fixture
DUE = ASSIGNMENT.course.due
NOT_COUNTED = 'not the attempt that counts (`attempts = "last"` in assignment.toml)'


def use_policy(monkeypatch: pytest.MonkeyPatch, attempts: str) -> None:
    policies = dataclasses.replace(ASSIGNMENT.policies, attempts=attempts)
    use_assignment(dataclasses.replace(ASSIGNMENT, policies=policies), monkeypatch)


def local(text: str) -> datetime:
    """A time of the course, whose clock is that of the due date."""
    return datetime.fromisoformat(text).replace(tzinfo=DUE.tzinfo)


# Brightspace ----------------------------------------------------------------------------------------------------------


def test_a_brightspace_download_has_a_folder_for_each_attempt(tmp_path: Path) -> None:
    ada, bob = "397063-2557369 - Ada Love", "397064-2557369 - Bob O'Neil"
    write_zip(tmp_path / f"{ada} - Mar 14, 2027 926 AM" / "hw4.zip", {"mpc.py": b""})
    write_zip(tmp_path / f"{ada} - Mar 15, 2027 1159 PM" / "hw4.zip", CODE)
    for name in CODE:
        write(tmp_path, f"{bob} - Mar 16, 2027 105 AM/{name}")
    write(tmp_path, "index.html", "notes.txt")
    found, others = students_of(tmp_path)
    assert {id_: entry.people[0].name for id_, entry in found.items()} == {"397063": "Ada Love", "397064": "Bob O'Neil"}
    assert [found[id_].submitted for id_ in ("397063", "397064")] == [
        local("2027-03-15T23:59:00"),
        local("2027-03-16T01:05:00"),
    ]
    assert all(read_entry(entry).missing == () for entry in found.values())
    assert others.keys() == {f"{ada} - Mar 14, 2027 926 AM/", "index.html", "notes.txt"}
    assert others[f"{ada} - Mar 14, 2027 926 AM/"] == f"from Ada Love: {NOT_COUNTED}"
    assert others["index.html"] == "Brightspace's own list of the submissions"


def test_brightspaces_older_downloads_have_files_and_one_number_for_all(tmp_path: Path) -> None:
    for name in CODE:
        write(
            tmp_path, f"12-99 - Ada Love - 15 March 2027 23.59 - {name}", f"12-99 - Bob - 15 March 2027 9.00 - {name}"
        )
    found, others = students_of(tmp_path)
    assert (found.keys(), others) == ({"Ada Love", "Bob"}, {})
    assert found["Bob"].submitted == local("2027-03-15T09:00:00")
    assert read_entry(found["Bob"]).missing == ()


# Blackboard -----------------------------------------------------------------------------------------------------------


def test_a_blackboard_download_is_read_and_its_notes_say_who_a_user_is(tmp_path: Path) -> None:
    for user, time in (("ada_love", "2027-03-14-09-26-00"), ("ada_love", "2027-03-15-23-59-00")):
        write_zip(tmp_path / f"Homework 4_{user}_attempt_{time}_hw4_submission.zip", CODE)
        note = "Name: Ada Love (ada_love)\nAssignment: Homework 4\nDate Submitted: Sunday\nFiles:\n"
        (tmp_path / f"Homework 4_{user}_attempt_{time}.txt").write_text(note, encoding="utf-8")
    for name in CODE:
        write(tmp_path, f"Homework 4_bob_attempt_2027-03-15-08-00-00_{name}")
    found, others = students_of(tmp_path)
    assert {id_: entry.people[0].name for id_, entry in found.items()} == {"ada_love": "Ada Love", "bob": ""}
    assert found["ada_love"].submitted == local("2027-03-15T23:59:00")
    assert all(read_entry(entry).missing == () for entry in found.values())
    old = "Homework 4_ada_love_attempt_2027-03-14-09-26-00_hw4_submission.zip"
    assert others.pop(old) == f"from Ada Love: {NOT_COUNTED}"
    assert set(others.values()) == {"Blackboard's own note of what Ada Love handed in"}
    assert len(others) == 2


# ILIAS ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("around", ["", "Abgaben/", "Submissions/"])
def test_an_ilias_download_is_read_with_the_folder_around_it(tmp_path: Path, around: str) -> None:
    write_zip(tmp_path / f"{around}Love_Ada_ada17_4711" / "hw4.zip", CODE)
    for name in CODE:
        write(tmp_path, f"{around}Oneil_Bob_bob_4712/20270316010500_{name}")
    write(tmp_path, f"{around}Oneil_Bob_bob_4712/20270314010500_mpc.py")
    write(tmp_path, f"{around}Else_Eve_eve_4713/.keep", f"{around}stray.zip", "status.xlsx")
    found, others = all_of(tmp_path)
    assert {id_: entry.people[0].name for id_, entry in found.items()} == {
        "ada17": "Ada Love",
        "bob": "Bob Oneil",
        "eve": "Eve Else",
    }
    assert found["bob"].submitted == local("2027-03-16T01:05:00")
    assert all(read_entry(found[id_]).missing == () for id_ in ("ada17", "bob"))
    older = f"{around}Oneil_Bob_bob_4712/20270314010500_mpc.py"
    assert set(others) == {f"{around}stray.zip", "status.xlsx", older}
    assert others[older] == f"from Bob Oneil: {NOT_COUNTED}"


def test_a_team_of_ilias_is_one_submission_of_all_its_members(tmp_path: Path) -> None:
    write_zip(tmp_path / "Abgaben" / "Team 12" / "Love_Ada_ada_1" / "hw4.zip", CODE)
    write(tmp_path, "Abgaben/Team 12/Oneil_Bob_bob_2/.keep", "Abgaben/Team 12/notes.txt")
    write_zip(tmp_path / "Abgaben" / "Team 13" / "Else_Eve_eve_3" / "hw4.zip", CODE)
    entries = entries_of(tmp_path)
    assert [[person.id for person in entry.people] for entry in entries] == [["ada", "bob"], ["eve"]]
    assert [entry.group for entry in entries] == ["Team 12", "Team 13"]
    assert read_entry(entries[0]).missing == ()
    others = all_of(tmp_path)[1]
    assert others.keys() == {"Abgaben/Team 12/notes.txt", "Abgaben/Team 12/Oneil_Bob_bob_2/"}
    assert others["Abgaben/Team 12/Oneil_Bob_bob_2/"] == "from Bob Oneil: the folder is empty"


def test_folders_that_are_named_as_ilias_does_by_chance_stay_apart(tmp_path: Path) -> None:
    write(tmp_path, "hw4_final_group_1/mpc.py", "hw4_final_group_2/mpc.py")
    assert [entry.student for entry in entries_of(tmp_path)] == ["hw4_final_group_1", "hw4_final_group_2"]


def all_of(folder: Path) -> tuple[dict[str, Entry], dict[str, str]]:
    from autograder.classroom.intake.left_over import left_over

    entries = entries_of(folder)
    return {entry.people[0].id: entry for entry in entries}, {o.name: o.reason for o in left_over(folder, entries)}


# Attempts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "text"), [("last", b"# 3\n"), ("first", b"# 1\n")])
def test_the_policy_says_which_attempt_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str, text: bytes
) -> None:
    use_policy(monkeypatch, policy)
    for number, copy in ((1, ""), (2, "-1"), (3, "-2")):
        write_zip(tmp_path / f"loveada_101_90{number}_hw4{copy}.zip", {**CODE, "mpc.py": f"# {number}\n".encode()})
        (tmp_path / f"turinga_102_91{number}_mpc{copy}.py").write_bytes(f"# {number}\n".encode())
    (tmp_path / "turinga_102_920_ensemble.py").write_bytes(b"# only once\n")
    found, others = students_of(tmp_path)
    for entry in found.values():
        assert read_entry(entry).files["mpc.py"] == text
    assert read_entry(found["102"]).files["ensemble.py"] == b"# only once\n"
    assert len(others) == 4


def test_with_the_policy_best_every_attempt_is_graded_and_the_best_one_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_policy(monkeypatch, "best")
    folder = tmp_path / "in"
    for time in ("14, 2027 926 AM", "15, 2027 926 AM", "17, 2027 926 AM"):
        write_zip(folder / f"1-9 - Ada Love - Mar {time}" / "hw4.zip", CODE)
    write_zip(folder / "2-9 - Bob - Mar 15, 2027 926 AM" / "hw4.zip", CODE)
    entries = entries_of(folder)
    assert [entry.student for entry in entries] == ["1", "1-attempt-1", "1-attempt-2", "2"]
    assert [entry.disputed for entry in entries] == [""] * 4
    assert all_of(folder)[1] == {}


def result(student: str, attempt_of: str, points: float | None, submitted: datetime, status: str = "graded") -> Result:
    class Known(Result):
        @property
        def total(self) -> float | None:
            return points

    return Known(student, (), "", False, True, status, submitted=submitted, attempt_of=attempt_of)  # type: ignore[arg-type]


def test_the_best_attempt_has_the_most_points_after_the_late_penalty() -> None:
    """70 on time, 72 a day late, which costs a tenth, and 70 again on time: the last of the equally good ones."""
    early, late = DUE - timedelta(days=2), DUE + timedelta(hours=20)
    attempts = [result(f"1-attempt-{n}", "1", points, when) for n, points, when in ((1, 70, early), (2, 70, early))]
    own = [*attempts, result("1", "1", 72.0, late), result("2", "", 5.0, early)]
    assert [one.student for one in counted(Class(tuple(own), True, None, ())).results] == ["1-attempt-2", "2"]


def test_while_an_attempt_has_no_grade_the_student_has_none() -> None:
    own = [result("1-attempt-1", "1", 70.0, DUE), result("1", "1", None, DUE, "fault")]
    assert [one.status for one in counted(Class(tuple(own), True, None, ())).results] == ["fault"]


@pytest.mark.usefixtures("quick_pages")
def test_the_lists_have_one_row_for_a_student_with_many_attempts(tmp_path: Path) -> None:
    folder = graded_class(tmp_path, {"ada": measured(), "ada-attempt-1": measured(skill=0.0)})
    facts = folder.read_class()
    for student in facts["students"]:
        student["attempt_of"] = "ada"
    folder.write_class(facts)
    assert [one.student for one in read_class(folder).results] == ["ada", "ada-attempt-1"]
    assert [one.student for one in counted(read_class(folder)).results] == ["ada"]


# git ------------------------------------------------------------------------------------------------------------------


def git(folder: Path, *words: str, at: datetime | None = None) -> None:
    time = {"GIT_COMMITTER_DATE": at.isoformat(), "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z"} if at else {}
    settings = ["-c", "user.name=ada", "-c", "user.email=ada@x.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *settings, *words], cwd=folder, check=True, capture_output=True, env={**os.environ, **time})


def commit(folder: Path, text: str, at: datetime) -> None:
    for name, content in CODE.items():
        (folder / name).write_bytes(content + text.encode())
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", text, at=at)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Commits a day before the deadline, a minute after it within the grace, and a day late; and work not committed."""
    folder = tmp_path / "in" / "ada"
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    for text, at in (("# early\n", -1440), ("# grace\n", 1), ("# late\n", 1440)):
        commit(folder, text, DUE + timedelta(minutes=at))
    (folder / "mpc.py").write_bytes(b"# not committed\n")
    return folder


@pytest.mark.parametrize(
    ("extensions", "text", "minutes"),
    [({}, "# grace\n", 1), ({"ADA": 0.5}, "# grace\n", 1), ({"ada": 1}, "# late\n", 1440)],
)
def test_the_last_commit_before_the_deadline_is_handed_in(
    repository: Path, extensions: dict[str, float], text: str, minutes: float
) -> None:
    (entry,) = find_submissions(repository.parent, extensions=extensions)
    assert entry.submitted == DUE + timedelta(minutes=minutes)
    found = read_entry(entry)
    assert found.missing == ()
    assert found.files["mpc.py"].decode().endswith(text)


def test_packed_branches_and_a_bare_repository_are_read(repository: Path, tmp_path: Path) -> None:
    git(repository, "pack-refs", "--all")
    git(repository, "gc", "-q")
    git(tmp_path, "clone", "-q", "--bare", str(repository), "in/bob.git")
    entries = entries_of(tmp_path / "in")
    assert [read_entry(entry).missing for entry in entries] == [(), ()]
    assert len({entry.commit for entry in entries}) == 1


def test_whose_first_commit_is_late_is_late_and_without_a_commit_nothing_is_handed_in(tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        (tmp_path / name).mkdir()
        git(tmp_path / name, "init", "-q")
    commit(tmp_path / "ada", "# late\n", DUE + timedelta(days=2))
    ada, bob = entries_of(tmp_path)
    assert ada.submitted == DUE + timedelta(days=2)
    with pytest.raises(SubmissionRefused, match="this git repository has no commit"):
        read_entry(bob)


def test_nothing_of_a_repository_runs(repository: Path, tmp_path: Path) -> None:
    """Its configuration names programs for everything that git starts; one object is missing, to be fetched."""
    pwned = tmp_path / "pwned"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {pwned}\n", encoding="utf-8")
    program.chmod(0o755)
    (repository / ".git" / "hooks" / "post-checkout").write_text(f"#!/bin/sh\ntouch {pwned}\n", encoding="utf-8")
    (repository / ".git" / "hooks" / "post-checkout").chmod(0o755)
    with (repository / ".git" / "config").open("a", encoding="utf-8") as config:
        config.write(
            f'[core]\n\tpager = {program}\n\tfsmonitor = {program}\n\tsshCommand = {program}\n[filter "x"]\n'
            f'\tsmudge = {program}\n[tar "tar.gz"]\n\tcommand = {program}\n[gpg]\n\tprogram = {program}\n'
            f'[log]\n\tshowSignature = true\n[extensions]\n\tpartialClone = origin\n[remote "origin"]\n'
            f'\turl = ext::{program}\n\tpromisor = true\n[protocol "ext"]\n\tallow = always\n'
        )
    commit(repository, "# again\n", DUE - timedelta(days=3))
    place = repository_in(repository)
    assert place is not None
    name, _ = last_commit(place, DUE + timedelta(days=9))
    (entry,) = entries_of(repository.parent)
    assert read_entry(entry).missing == ()
    blob = subprocess.run(
        ["git", "rev-parse", f"{name}:mpc.py"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.strip()
    pwned.unlink(missing_ok=True)  # git itself, called above without care, may have run them
    (place / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(SubmissionRefused, match="git cannot read this repository"):
        read_entry(dataclasses.replace(entry, commit=name))
    assert not pwned.exists()
