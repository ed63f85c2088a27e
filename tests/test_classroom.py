"""A whole class: who is in it, graded by real graders that are killed at random moments, and resumed."""

from __future__ import annotations

import contextlib
import csv
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import CancelledError
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from class_samples import POINTS, QUIET, canary, engine_of, entries_of, graded_class, measured, write_class, write_zip
from made_up_topic import FILE as TOPIC
from made_up_topic import SOLUTION, assignment_with_topic

from autograder.classroom.commands import INTERRUPTED
from autograder.classroom.commands import grade_class as grade
from autograder.classroom.intake import roster, sites, submissions
from autograder.classroom.intake.entries import ClassError, OwnerUnclear, folder_name
from autograder.classroom.intake.folder import DONE, ClassFolder, Done
from autograder.classroom.intake.submissions import find_submissions, read_entry
from autograder.classroom.marks.standing import read_class
from autograder.classroom.night import engine
from autograder.classroom.night.engine import Job
from autograder.classroom.night.grade_class import CanaryFailed, grade_class
from autograder.classroom.night.job import Settings, payload_of
from autograder.solutions import ROOT, reference_code
from autograder.zoo import code_of, load_animals
from hw4.handin.assignment import load_assignment
from hw4.handin.intake import Intake
from hw4.handin.refusal import SubmissionRefused

ONE = "gaussian_nll"  # the function that the quickest look takes in
KILLS = 10


# Who is in the class --------------------------------------------------------------------------------------------------


def test_a_folder_of_archives_and_folders_is_a_class_named_after_them(tmp_path: Path) -> None:
    write_zip(tmp_path / "ada.zip", reference_code())
    (tmp_path / "Émile Zola").mkdir()
    (tmp_path / "bob.rar").write_bytes(b"Rar!")  # to be refused, not overlooked
    (tmp_path / "notes.txt").write_text("no submission")
    found = {entry.people[0].id: entry.student for entry in find_submissions(tmp_path)}
    assert found.keys() == {"ada", "Émile Zola", "bob"}
    assert found["ada"] == "ada"
    assert found["Émile Zola"].isascii()


def test_two_names_never_share_a_folder() -> None:
    names = ["a/b", "a_b", "a b", "..", ".", "", "é", "e", "x" * 300, "x" * 301, "CON", "a'b"]
    assert len({folder_name(name).casefold() for name in names}) == len(names)
    assert all("/" not in folder_name(name) and not folder_name(name).startswith(".") for name in names)


def test_a_gradescope_export_is_read_as_downloaded(tmp_path: Path) -> None:
    """Two groups; the second handed in an archive that Gradescope does not unpack."""
    (tmp_path / "submission_11").mkdir()
    (tmp_path / "submission_12").mkdir()
    (tmp_path / "submission_12" / "hw4.tar.gz").write_bytes(b"")
    (tmp_path / "submission_metadata.yml").write_text(
        """---
submission_11:
  :submitters:
  - :name: "O'Neil, Zoë"
    :sid: '0123'
    :email: zoe@example.org
  - :name: Bob
    :sid:
    :email: bob@example.org
  :created_at: 2027-03-14 20:56:04.000000000 -07:00
  :score: 3.0
  :results:
    tests: []
submission_12:
  :submitters:
  - :name: Eve
    :sid: '77'
    :email: eve@example.org
  :created_at: !ruby/object:ActiveSupport::TimeWithZone
    utc: 2027-03-14 20:56:04.000000000 Z
""",
        encoding="utf-8",
    )
    first, second = find_submissions(tmp_path)
    assert [(p.id, p.name, p.email) for p in first.people] == [
        ("0123", "O'Neil, Zoë", "zoe@example.org"),
        ("bob@example.org", "Bob", "bob@example.org"),
    ]
    assert (first.student, second.student) == ("0123", "77")
    assert first.submitted == datetime(2027, 3, 15, 3, 56, 4, tzinfo=UTC)
    assert second.submitted == datetime(2027, 3, 14, 20, 56, 4, tzinfo=UTC)
    assert second.path == tmp_path / "submission_12" / "hw4.tar.gz"


def test_a_gradescope_export_that_leads_outside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "submission_metadata.yml").write_text("../outside:\n  :submitters: []\n")
    with pytest.raises(ClassError, match="outside the folder"):
        find_submissions(tmp_path)


def test_a_canvas_export_is_read_as_downloaded(tmp_path: Path) -> None:
    """The newest upload of a name counts, a late one is marked; what is unclear is a problem of that student alone."""
    for name in (
        *("loveada_101_900_hw4.zip", "loveada_101_905_hw4-1.zip", "loveada_101_906_notes.pdf"),
        *("hopper_g_LATE_102_901_my_hw4.tar.gz", "anon_ab12X_907_hw4.zip", "LATE_anon_77_908_hw4-2.zip"),
        *("turinga_103_910_one.zip", "turinga_103_911_other.zip"),
        *("noethere_104_912_hw4.zip", "noethere_104_913_mpc.py"),
        *("curiem_105_text.html", "gödelk_106_914_essay.pdf"),
    ):
        (tmp_path / name).write_bytes(b"")
    found = {entry.people[0].id: entry for entry in find_submissions(tmp_path)}
    assert {id_: entry.people[0].name for id_, entry in found.items()} == {
        **{"101": "loveada", "102": "hopper_g", "103": "turinga", "104": "noethere", "105": "curiem", "106": "gödelk"},
        **{"anon_ab12X": "", "anon_77": ""},
    }
    good = {id_: entry.path.name for id_, entry in found.items() if entry.path and not entry.problem}
    assert good == {
        "101": "loveada_101_905_hw4-1.zip",
        "102": "hopper_g_LATE_102_901_my_hw4.tar.gz",
        "anon_ab12X": "anon_ab12X_907_hw4.zip",
        "anon_77": "LATE_anon_77_908_hw4-2.zip",
    }
    assert {id_ for id_, entry in found.items() if entry.late} == {"102", "anon_77"}
    assert "several files instead of one archive: one.zip, other.zip" in found["103"].problem
    assert "several files instead of one archive: hw4.zip, mpc.py" in found["104"].problem
    assert "neither an archive nor a file of the homework: text" in found["105"].problem
    assert "essay.pdf" in found["106"].problem


def test_loose_files_of_a_canvas_export_are_one_submission_of_their_newest_versions(tmp_path: Path) -> None:
    code = reference_code()
    for number, (name, content) in enumerate(code.items(), 900):
        (tmp_path / f"loveada_101_{number}_{Path(name).name}").write_bytes(content)
    (tmp_path / "loveada_101_910_mpc-1.py").write_bytes(b"x = 1\n")
    (tmp_path / "loveada_101_890_mpc-3.py").write_bytes(b"x = 3\n")
    (tmp_path / "loveada_101_911_plot.png").write_bytes(b"")
    (tmp_path / "hopperg_102_912_mpc.py").symlink_to("/etc/hostname")
    grace, ada = sorted(find_submissions(tmp_path), key=lambda entry: entry.people[0].name)
    assert read_entry(ada).files == {**code, "mpc.py": b"x = 1\n"}
    with pytest.raises(SubmissionRefused, match="link"):
        read_entry(grace)


def test_the_file_of_a_topic_is_found_loose_and_in_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Canvas knows no folders, so it gives a topic's file by its name alone."""
    assignment = assignment_with_topic(tmp_path)
    monkeypatch.setattr(submissions, "load_assignment", lambda: assignment)
    monkeypatch.setattr(sites, "load_assignment", lambda: assignment)
    topic = TOPIC.rpartition("/")[2]
    loose, code = tmp_path / "loose", reference_code()
    loose.mkdir()
    for number, (name, content) in enumerate({**code, topic: SOLUTION.encode()}.items(), 900):
        (loose / f"loveada_101_{number}_{name.rpartition('/')[2]}").write_bytes(content)
    write_zip(tmp_path / "zips" / "ada.zip", {**code, TOPIC: SOLUTION.encode()})
    for folder in (loose, tmp_path / "zips"):
        (ada,) = find_submissions(folder)
        assert read_entry(ada).files == {**code, TOPIC: SOLUTION.encode()}


@pytest.fixture
def groups_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    assignment = load_assignment()
    policies = replace(assignment.policies, max_group_size=2)
    monkeypatch.setattr(roster, "load_assignment", lambda: replace(assignment, policies=policies))


@pytest.mark.usefixtures("groups_of_two")
def test_a_group_that_is_too_large_is_refused(tmp_path: Path) -> None:
    write_class(tmp_path / "in", ["ada"])
    listed = tmp_path / "roster.csv"
    listed.write_text("id,group\nada,g1\nbob,g1\ncleo,g1\ndora,g2\n")
    with pytest.raises(ClassError, match=r"max_group_size = 2; these are larger: g1 \(3\)"):
        find_submissions(tmp_path / "in", listed)


@pytest.mark.usefixtures("groups_of_two")
def test_a_roster_names_people_joins_groups_and_shows_who_is_missing(tmp_path: Path) -> None:
    write_class(tmp_path / "in", ["ada", "solo", "stranger"])
    listed = tmp_path / "roster.csv"
    listed.write_text(
        'ID,Name,Email,Group\nada,"Love, Ada",ada@x.org,g1\nbob,=Bob,,g1\nsolo,Solo,,\nlost,Lost,,\n',
        encoding="utf-8-sig",
    )
    found = {entry.student: entry for entry in find_submissions(tmp_path / "in", listed)}
    assert [(p.id, p.name) for p in found["ada"].people] == [("ada", "Love, Ada"), ("bob", "=Bob")]
    assert found["lost"].path is None
    assert [entry.on_roster for entry in (found["solo"], found["stranger"])] == [True, False]


@pytest.mark.usefixtures("groups_of_two")
def test_a_roster_may_say_when_somebody_handed_in(tmp_path: Path) -> None:
    """In a group the last of the times counts."""
    write_class(tmp_path / "in", ["ada", "solo", "eve"])
    listed = tmp_path / "roster.csv"
    rows = ["id,group,submitted_at", "ada,g1,2027-03-14T12:00:00Z", "bob,g1,2027-03-14 06:00:00 -0700", "solo,,"]
    listed.write_text("\n".join([*rows, "eve,,"]))
    found = {entry.student: entry.submitted for entry in find_submissions(tmp_path / "in", listed)}
    assert found == {"ada": datetime(2027, 3, 14, 13, tzinfo=UTC), "eve": None, "solo": None}
    for text in ("2027-03-14T12:00:00", "yesterday"):
        listed.write_text(f"id,submitted_at\nada,{text}\n")
        with pytest.raises(ClassError, match="UTC offset"):
            find_submissions(tmp_path / "in", listed)


@pytest.mark.usefixtures("groups_of_two")
def test_two_submissions_of_one_group_are_marked_and_the_rest_of_the_class_is_read(tmp_path: Path) -> None:
    write_class(tmp_path / "in", ["ada", "bob", "eve"])
    listed = tmp_path / "roster.csv"
    listed.write_text("id,group\nada,g1\nbob,g1\neve,\n")
    found = {entry.student: entry for entry in find_submissions(tmp_path / "in", listed)}
    assert "bob.zip" in found["ada"].disputed
    assert "ada.zip" in found["bob"].disputed
    assert not found["eve"].disputed
    with pytest.raises(OwnerUnclear, match=r"ada\.zip is said to be of ada, bob\. So is .*bob\.zip"):
        read_entry(found["ada"])


def test_ids_that_differ_in_case_are_marked_and_get_different_folders(tmp_path: Path) -> None:
    write_class(tmp_path / "in", ["Ada", "ada", "eve"])
    found = find_submissions(tmp_path / "in")
    assert [entry.people[0].id for entry in found if entry.disputed] == ["Ada", "ada"]
    assert len({entry.student.casefold() for entry in found}) == 3


def test_an_id_of_somebody_else_costs_the_class_nothing(tmp_path: Path) -> None:
    """In Gradescope's export, where a submission may name anybody as its author."""
    metadata = []
    for name, ids in {"submission_1": ["s1"], "submission_2": ["s1", "s2"], "submission_3": ["s3"]}.items():
        write_class(tmp_path / "in" / name, [name])
        metadata.append(f"{name}:\n  :submitters:\n" + "".join(f"  - :sid: {one}\n    :name: N\n" for one in ids))
    (tmp_path / "in" / "submission_metadata.yml").write_text("".join(metadata))
    found = find_submissions(tmp_path / "in")
    assert sorted(person.id for entry in found if entry.disputed for person in entry.people) == ["s1", "s1", "s2"]
    assert len({entry.student for entry in found}) == 3


def test_a_disputed_submission_is_no_zero(tmp_path: Path) -> None:
    """It is listed as not graded; nobody's points are written, and the documents of both say so."""
    entries = find_submissions(write_class(tmp_path / "in", ["Ada", "ada"]))
    folder = ClassFolder(tmp_path / "out")
    summary = grade_class(entries, folder, Settings(), engine_of({}), QUIET, jobs=1, ask_canary=canary())
    assert summary.faults == 2
    results = read_class(folder).results
    assert {(result.status, result.score) for result in results} == {("fault", None)}
    assert all("Leave only the right one" in result.message for result in results)


@pytest.mark.parametrize("text", ["name\nada\n", "id\n\n", "id\nada\nada\n", "", "id,name\n,x\n"])
def test_a_roster_without_plain_ids_is_refused(tmp_path: Path, text: str) -> None:
    write_class(tmp_path / "in", ["ada"])
    (tmp_path / "roster.csv").write_text(text)
    with pytest.raises(ClassError):
        find_submissions(tmp_path / "in", tmp_path / "roster.csv")


# Written whole or not at all ------------------------------------------------------------------------------------------


def test_a_kill_between_any_two_steps_of_writing_a_student_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends before the first, the second, ... call that changes the disk; then it recovers."""

    class Killed(BaseException):
        pass

    def commit(folder: ClassFolder, text: str) -> None:
        folder.commit(Done("ada", text, "graded"), {"text": text}, {"report.html": text.encode()}, "all")

    steps = 0
    while True:
        folder = ClassFolder(tmp_path / str(steps))
        folder.open()
        commit(folder, "old")
        left = steps

        def step(name: str, real: object) -> object:
            def run(*args: object, **kwargs: object) -> object:
                nonlocal left
                if left == 0:
                    raise Killed
                left -= 1
                return real(*args, **kwargs)  # type: ignore[operator]

            return run

        with monkeypatch.context() as patch:
            for owner, name in ((os, "fsync"), (os, "replace"), (Path, "rename"), (Path, "mkdir"), (Path, "open")):
                patch.setattr(owner, name, step(name, getattr(owner, name)))
            killed = False
            try:
                commit(folder, "new")
            except Killed:
                killed = True
        folder.recover("all")
        done, record = folder.done("ada"), folder.record("ada")
        assert done is not None
        assert done.key == record["text"]
        assert (folder.students / "ada" / "report.html").read_text() == done.key
        assert not list((folder.root / ".parts" / "all").iterdir())
        if not killed:
            assert done.key == "new"
            break
        steps += 1
    assert steps > 8


def test_two_processes_never_write_into_one_folder(tmp_path: Path) -> None:
    folder = ClassFolder(tmp_path)
    folder.open()
    with folder.locked("all"), pytest.raises(ClassError, match="another process"), folder.locked("all"):
        pass


# What is graded, and what is kept -------------------------------------------------------------------------------------


def test_who_is_done_is_kept_and_who_handed_in_again_is_graded_again(tmp_path: Path) -> None:
    answers = {name: measured() for name in ("ada", "bob", "eve")}
    folder = graded_class(tmp_path, answers)
    stamps = {name: (folder.students / name / DONE).stat().st_ino for name in answers}
    write_zip(tmp_path / "submissions" / "bob.zip", {**reference_code(), "ensemble.py": b"x = 1\n"})
    asked: list[str] = []
    engine = engine_of({name: measured(failed=["test_nll_of_a_gaussian"]) for name in answers})
    entries = entries_of(tmp_path / "submissions")
    summary = grade_class(
        entries,
        folder,
        Settings(),
        lambda tasks: engine(task for task in tasks if not asked.append(task.student)),
        QUIET,
        jobs=1,
        ask_canary=canary(),
    )
    assert asked == ["bob"]
    assert (summary.graded, summary.kept) == (1, 2)
    now = {name: (folder.students / name / DONE).stat().st_ino for name in answers}
    assert [name for name in answers if now[name] != stamps[name]] == ["bob"]
    assert (folder.root / "earlier" / "bob.1" / DONE).exists()


def test_a_refused_a_faulty_and_an_unreadable_submission_cost_only_themselves(tmp_path: Path) -> None:
    answers = {"ada": measured(), "bob": {"fault": "the process that graded ended"}, "eve": measured()}
    folder = graded_class(tmp_path, answers, refused=["zoe"])
    found = {result.student: result for result in read_class(folder).results}
    assert {name: result.status for name, result in found.items()} == {
        "ada": "graded",
        "bob": "fault",
        "eve": "graded",
        "zoe": "refused",
    }
    assert [found[name].score for name in ("ada", "bob", "zoe")] == [POINTS, None, 0]
    for name in found:
        documents = {path.name for path in (folder.students / name).iterdir()}
        assert documents == {
            *("record.json", "receipt.json", "results.json", "report.html"),
            *("standing.json", "done.json"),
        }
    assert "score" not in json.loads((folder.students / "bob" / "results.json").read_text())


def test_nobody_is_graded_where_the_reference_fails(tmp_path: Path) -> None:
    write_class(tmp_path / "in", ["ada"])
    folder = ClassFolder(tmp_path / "out")
    for facts in ({"failed": ["test_nll_of_a_gaussian"]}, {"skill": 0.0}, {"faulty": ["test_nll_of_a_gaussian"]}):
        with pytest.raises(CanaryFailed):
            grade_class(
                entries_of(tmp_path / "in"),
                folder,
                Settings(),
                engine_of({}),
                QUIET,
                jobs=1,
                ask_canary=canary(**facts),
            )
    assert folder.all_done() == {}


def test_an_answer_of_another_grader_is_a_fault_and_no_grade(tmp_path: Path) -> None:
    folder = graded_class(tmp_path, {"ada": {**measured(), "core": "another"}})
    (result,) = read_class(folder).results
    assert (result.status, result.score) == ("fault", None)
    assert "another version" in result.message


# Real graders ---------------------------------------------------------------------------------------------------------


def payload(code: dict[str, bytes]) -> bytes:
    return payload_of(Intake(code, (), (), (), (), ()), tuple(code), curves=False, only=frozenset({ONE}))


def verdicts(answer: dict[str, Any]) -> set[str]:
    return {outcome["verdict"] for outcome in answer["outcomes"].values()}


def job_process() -> psutil.Process:
    """The one job process of this test, once it is there."""
    while not (found := multiprocessing.active_children()):
        time.sleep(0.01)
    (process,) = found
    assert process.pid is not None
    return psutil.Process(process.pid)


def test_a_job_that_is_killed_or_crashed_is_replaced_and_the_next_submission_is_graded() -> None:
    """A submission that ends its own process; then the grader itself is killed, while it is idle and at work."""
    slow = {**reference_code(), "ensemble.py": reference_code()["ensemble.py"] + b"import time\ntime.sleep(0.4)\n"}
    crash = {**reference_code(), "ensemble.py": b"import os\nos._exit(3)\n"}
    with Job(Settings(curves=False, only=frozenset({ONE}))) as job:
        assert verdicts(job.ask(payload(crash))) == {"failed"}
        first = job_process()
        assert verdicts(job.ask(payload(reference_code()))) == {"passed"}
        assert job_process() == first
        first.kill()
        assert verdicts(job.ask(payload(reference_code()))) == {"passed"}
        second = job_process()
        assert second != first
        threading.Timer(0.3, second.kill).start()
        assert verdicts(job.ask(payload(slow))) == {"passed"}
        assert job_process() != second
    assert multiprocessing.active_children() == []


def hang(payload: bytes) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def die(*_: object) -> None:
    os.abort()


@pytest.mark.parametrize(
    ("part", "instead", "said"),
    [
        pytest.param("begin", die, "the grading process did not start", marks=pytest.mark.verify),
        ("grade", die, "the grading process ended with status -6"),
        ("grade", hang, "the grading process did not answer within 2 s"),
    ],
)
def test_a_job_that_fails_twice_is_a_fault_that_says_how(
    monkeypatch: pytest.MonkeyPatch, part: str, instead: object, said: str
) -> None:
    monkeypatch.setattr(engine, part, instead)
    monkeypatch.setattr(engine, "SPARE_SECONDS", 1.0 if instead == hang else 100.0)
    with Job(Settings(deadline_seconds=1.0)) as job:
        assert said in job.ask(payload({}))["fault"]
    assert multiprocessing.active_children() == []
    with pytest.raises(CancelledError):
        job.ask(payload({}))


@pytest.mark.parametrize("sent", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.verify)])
def test_nothing_that_grades_outlives_the_command_however_that_ends(tmp_path: Path, sent: signal.Signals) -> None:
    """It is ended while the reference is graded, with a fork server at work."""
    write_class(tmp_path / "in", ["ada"])
    process = subprocess.Popen(
        command(tmp_path / "in", tmp_path / "out", False),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    found: list[psutil.Process] = []
    while not any(map(is_fork_server, found)):
        assert process.poll() is None
        time.sleep(0.05)
        found = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(sent)
    said = process.communicate()[0]
    assert process.returncode == (-sent if sent == signal.SIGKILL else INTERRUPTED), said
    _, alive = psutil.wait_procs(found, timeout=60)
    assert alive == []


def is_fork_server(process: psutil.Process) -> bool:
    try:
        return "forking.py" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # or a zombie, which is one kind of it
        return False


HOSTILE = """
import os, pathlib, signal, sys

def attempt(act):
    try:
        act()
    except Exception:
        pass

def spoil(path):
    path.write_text("100 points for all")
    path.rename(path.with_suffix(".gone"))

print("100 points for all", file=sys.stderr)
for folder in ({output!r}, {submissions!r}):
    for path in ("class.json", "grades.csv", "students/s0/record.json", "students/s0/done.json", "s1.zip"):
        attempt(lambda: spoil(pathlib.Path(folder, path)))
    attempt(lambda: pathlib.Path(folder, "students").rename(pathlib.Path(folder, "gone")))
for _ in range(20):
    attempt(lambda: os.fork() or signal.pause())
attempt(lambda: os.kill(os.getppid(), signal.SIGKILL))
blocks = [bytearray(2**30) for _ in range(64)]
"""
TROUBLE = {
    "crash": "import os\nos.abort()\n",
    "hang": "while True:\n    pass\n",
    "hostile": HOSTILE,
}


@pytest.mark.verify  # `make test` hangs, crashes and kills one by one
def test_hanging_crashing_and_hostile_submissions_cost_only_themselves(tmp_path: Path) -> None:
    """A class of three by `grade-class`, and the same class with three that make trouble between them."""
    names = ["s0", "s1", "wrong"]
    rows = {}
    for place, more in (("calm", {}), ("troubled", TROUBLE)):
        submissions, output = tmp_path / place / "in", tmp_path / place / "out"
        write_class(submissions, ["s0", "s1"])
        write_zip(submissions / "wrong.zip", code_of(load_animals()["nll_clamps_the_log_variance"]))
        for name, text in more.items():
            text = text.replace("{output!r}", repr(str(output))).replace("{submissions!r}", repr(str(submissions)))
            write_zip(submissions / f"{name}.zip", {**reference_code(), "ensemble.py": text.encode()})
        assert grade(submissions, output=output, jobs=2, only=(ONE,)) == 0
        assert sorted(path.name for path in submissions.iterdir()) == sorted(f"{n}.zip" for n in (*names, *more))
        assert sorted(path.name for path in (output / "students").iterdir()) == sorted((*names, *more))
        rows[place] = {row["id"]: row for row in csv.DictReader((output / "grades.csv").open(encoding="utf-8-sig"))}
    assert {name: rows["troubled"][name] for name in names} == rows["calm"]
    assert [rows["calm"][name]["points"] for name in names[:2]] == ["3", "3"]
    assert 0 < float(rows["calm"]["wrong"]["points"]) < 3
    trouble = {name: (rows["troubled"][name]["status"], rows["troubled"][name]["points"]) for name in TROUBLE}
    assert trouble == dict.fromkeys(TROUBLE, ("graded", "0"))


def command(submissions: Path, output: Path, curves: bool) -> list[str]:
    options = ["--output", str(output), "--jobs", "2", *([] if curves else ["--only", ONE])]
    return [sys.executable, "-B", "-m", "autograder", "grade-class", str(submissions), *options]


def members(submissions: Path, count: int) -> list[str]:
    """Correct and wrong submissions, a crash and a refused one."""
    write_class(submissions, [f"s{i}" for i in range(count - 3)])
    write_zip(submissions / "wrong.zip", code_of(load_animals()["nll_clamps_the_log_variance"]))
    write_zip(submissions / "crash.zip", {**reference_code(), "ensemble.py": b"import os\nos.abort()\n"})
    (submissions / "refused.zip").write_bytes(b"no archive")
    return sorted([*(f"s{i}" for i in range(count - 3)), "wrong", "crash", "refused"])


def marks(output: Path) -> dict[str, tuple[int, int]]:
    """One mark for each finished student that any second grading would change."""
    found = {}
    for path in (output / "students").glob("*/done.json"):
        with contextlib.suppress(FileNotFoundError):
            stat = path.stat()
            found[path.parent.name] = (stat.st_ino, stat.st_mtime_ns)
    return found


def kill_and_resume(killed: list[str], output: Path, total: int, pause: float, kills: int = KILLS) -> list[int]:
    """Kill the command some times, spread at random over its progress, then let it end. Who was done at each kill.

    Each kill hits it at work, at least one submission before its end. Nothing that was there at a kill may be lost or
    written again.
    """
    seed = random.SystemRandom().randrange(1 << 30)
    rng = random.Random(seed)
    before: dict[str, tuple[int, int]] = {}
    done_at_kill = []
    for wanted in sorted(rng.choices(range(total), k=kills)):
        process = subprocess.Popen(killed, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(marks(output)) < wanted and process.poll() is None:
            time.sleep(0.005)
        end = time.monotonic() + rng.uniform(0, pause)
        while time.monotonic() < end and len(marks(output)) < total - 1:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, f"it ended before it was killed; seed {seed}"
        now = marks(output)
        assert {name: now.get(name) for name in before} == before
        before = now
        done_at_kill.append(len(now))
    subprocess.run(killed, cwd=ROOT, check=True, capture_output=True)
    after = marks(output)
    assert {name: after[name] for name in before} == before
    assert not list((output / "earlier").iterdir())
    events = [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]
    graded = Counter(event["student"] for event in events if event["event"] == "graded")
    assert set(graded.values()) == {1}
    print(f"seed {seed}; of {total} were done at each kill: {done_at_kill}")
    return done_at_kill


MADE_UP = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from made_up_topic import FILE as TOPIC
from made_up_topic import SOLUTION, assignment_with_topic
from class_samples import QUIET, canary, entries_of, measured, without_pages
from autograder.classroom.night import grade_class as module
from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.night.grade_class import grade_class
from autograder.classroom.night.job import Settings

def engine(tasks):
    for number, task in enumerate(tasks):
        time.sleep(0.05)
        yield task, measured(skill=int(task.student[1:]) / 20, seed=int(task.student[1:]))

module.documents_of = without_pages
entries, folder = entries_of(Path({submissions!r})), ClassFolder(Path({output!r}))
grade_class(entries, folder, Settings(), engine, QUIET, jobs=1, ask_canary=canary())
"""


@pytest.mark.parametrize(("kills", "size"), [(3, 12), pytest.param(KILLS, 24, marks=pytest.mark.verify)])
def test_killed_at_random_moments_a_class_ends_with_the_same_grades_and_nobody_is_graded_twice(
    tmp_path: Path, kills: int, size: int
) -> None:
    """The real command but for the graders, whose answers are made up, so that kills hit every moment."""
    names = [f"s{i}" for i in range(size)]
    submissions = write_class(tmp_path / "in", names)
    commands = {}
    for place in ("whole", "killed"):
        facts = {
            "tests": str(Path(__file__).parent),
            "submissions": str(submissions),
            "output": str(tmp_path / place),
        }
        commands[place] = [sys.executable, "-B", "-c", MADE_UP.format(**facts)]
    subprocess.run(commands["whole"], cwd=ROOT, check=True)
    done_at_kill = kill_and_resume(commands["killed"], tmp_path / "killed", len(names), pause=0.3, kills=kills)
    assert len(set(done_at_kill)) >= kills / 3  # the kills hit different moments
    assert sorted(marks(tmp_path / "killed")) == sorted(names)
    assert (tmp_path / "killed" / "grades.csv").read_bytes() == (tmp_path / "whole" / "grades.csv").read_bytes()


@pytest.mark.verify
@pytest.mark.parametrize("curves", [False, True], ids=["functions", "curves"])
def test_killed_at_ten_random_moments_with_real_graders(tmp_path: Path, curves: bool) -> None:
    names = members(tmp_path / "in", 5 if curves else 8)
    start = time.monotonic()
    subprocess.run(command(tmp_path / "in", tmp_path / "whole", curves), cwd=ROOT, check=True, capture_output=True)
    duration = time.monotonic() - start
    print(f"{duration:.1f} s without a kill")
    again = command(tmp_path / "in", tmp_path / "killed", curves)
    kill_and_resume(again, tmp_path / "killed", len(names), pause=duration / 8)
    assert sorted(marks(tmp_path / "killed")) == names
    assert (tmp_path / "killed" / "grades.csv").read_bytes() == (tmp_path / "whole" / "grades.csv").read_bytes()
    rows = list(csv.DictReader((tmp_path / "killed" / "grades.csv").open(encoding="utf-8-sig")))
    points = {row["submission"]: (row["status"], float(row["points"])) for row in rows}
    assert points["refused"] == ("refused", 0)
    assert points["s0"] == ("graded", POINTS if curves else 3)
    assert points["crash"][1] < points["wrong"][1] < points["s0"][1]
