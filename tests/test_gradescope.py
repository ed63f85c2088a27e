"""The Gradescope bundle: what is in it, what it writes, and the whole of it in a stand-in for a container."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import re
import shutil
import stat
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from changed_assignment import changed_assignment

from autograder.__main__ import convert
from autograder.gradescope import __main__ as supervisor
from autograder.gradescope.metadata import Metadata, read_metadata
from autograder.grading.curves import RunsGrade, first_runs_of, load_bars
from autograder.grading.judge import Measured
from autograder.grading.outcome import Outcome
from autograder.grading.running import Run
from autograder.grading.scoring import ItemReport, full_report, stub_report
from autograder.grading.session import Grade
from autograder.hidden_tests.graded import Declared
from autograder.isolation.confinement import Confinement
from autograder.isolation.fork_server import FIRST_UID, LAST_UID
from autograder.report import documents
from autograder.report import results as report
from autograder.solutions import ROOT, reference_code
from autograder.worker.layers import OWN_USER
from autograder.zoo import Animal, code_of
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import AssignmentError, load_assignment
from hw4.handin.at_once import write_at_once
from hw4.handin.intake import Intake
from hw4.handin.refusal import SubmissionRefused
from publish.archive import FIXED_TIME
from publish.gradescope_bundle import ENTRY_POINTS, grader_files, grading_requirements, write_gradescope_bundle

ASSIGNMENT = load_assignment()
CONTAINER = ROOT / "tests" / "gradescope_container.sh"
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
NOW = datetime.now(UTC)

VISIBILITY = {"enum": ["hidden", "after_due_date", "after_published", "visible"]}
FORMAT = {"enum": ["text", "simple_format", "html", "md", "ansi"]}
TEXT = {
    "type": "string",
    "maxLength": 100_000,
    "pattern": "^[^\\x00-\\x09\\x0b-\\x1f\\x7f\\ud800-\\udfff\\u202a-\\u202e]*$",
}
TEST_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "score": {"type": "number"},
        "max_score": {"type": "number"},
        "status": {"enum": ["passed", "failed"]},
        "name": TEXT,
        "name_format": FORMAT,
        "number": {"type": "string", "pattern": r"^T?\d+\.\d+$"},
        "output": TEXT,
        "output_format": FORMAT,
        "tags": {"type": "array", "items": TEXT},
        "visibility": VISIBILITY,
        "extra_data": {"type": "object"},
    },
}
# The documented fields and no other: see autograder/report/results.py for the pages.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "score": {"type": "number", "minimum": 0, "maximum": ASSIGNMENT.code_points + ASSIGNMENT.policies.bonus_cap},
        "execution_time": {"type": "integer"},
        "output": TEXT,
        "output_format": FORMAT,
        "test_output_format": FORMAT,
        "test_name_format": FORMAT,
        "visibility": VISIBILITY,
        "stdout_visibility": VISIBILITY,
        "extra_data": {"type": "object"},
        "tests": {"type": "array", "items": TEST_SCHEMA},
        "leaderboard": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "value"],
                "properties": {
                    "name": TEXT,
                    "value": {"type": ["number", "string"]},
                    "order": {"enum": ["asc", "desc"]},
                },
            },
        },
    },
    # A score at the top or in each test; a document that is no grade has none at all, and says so.
    "anyOf": [
        {"required": ["score"]},
        {
            "required": ["extra_data"],
            "properties": {
                "extra_data": {"required": ["graded"], "properties": {"graded": {"const": False}}},
                "tests": {"items": {"not": {"anyOf": [{"required": ["score"]}, {"required": ["max_score"]}]}}},
            },
        },
    ],
}


def validate(schema: dict[str, Any], document: Any) -> None:
    """Raises jsonschema.ValidationError."""
    import jsonschema  # slow: 2 s for every process that collects this file

    jsonschema.Draft202012Validator(schema).validate(document)


def check(document: Any) -> dict[str, Any]:
    """The document, if it is valid and what staff alone may see is hidden."""
    validate(SCHEMA, document)
    assert document["stdout_visibility"] == "hidden"
    assert document["output_format"] == "text"
    assert len(json.dumps(document)) < 1_000_000
    checked: dict[str, Any] = document
    return checked


# --- what is in the bundle ---


def test_two_builds_of_the_bundle_are_identical(tmp_path: Path) -> None:
    first, second = (write_gradescope_bundle(tmp_path / name).read_bytes() for name in ("a.zip", "b.zip"))
    assert first == second


def test_the_entry_points_are_executable_at_the_root_of_the_bundle(tmp_path: Path) -> None:
    with zipfile.ZipFile(write_gradescope_bundle(tmp_path / "a.zip")) as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
        assert {entry.date_time for entry in archive.infolist()} == {FIXED_TIME}
    assert {name for name, mode in modes.items() if mode & 0o111} == set(ENTRY_POINTS)
    assert all(stat.S_ISREG(mode) for mode in modes.values())


def test_the_bundle_holds_what_grading_needs_and_nothing_that_it_does_not() -> None:
    names = [name for name, _ in grader_files()]
    assert len(names) == len(set(names))
    assert {"assignment.toml", "requirements.lock", "autograder/private.toml", "solutions/mpc.py"} <= set(names)
    unwanted = re.compile(
        r"^(tests|notebooks|handout|publish|build)/|hw4/tests/|/zoo/|reference/.*csv|\.ipynb|\.pdf|pycache"
    )
    assert not [name for name in names if unwanted.search(name)]


def test_every_grading_requirement_is_locked() -> None:
    locked = {line.partition("==")[0].lower() for line in (ROOT / "requirements.lock").read_text().splitlines()}
    names = {re.split(r"[<>=]", line)[0] for line in grading_requirements().splitlines()}
    assert {"torch", "mujoco", "jinja2"} <= names <= locked


def pythons_found(tmp_path: Path, present: dict[str, str], ending: str) -> subprocess.CompletedProcess[str]:
    """What the first part of setup.sh does on an image with these interpreters: name -> version."""
    setup = (ROOT / "autograder" / "gradescope" / "setup.sh").read_text(encoding="utf-8")
    functions = setup[: setup.index("# 1. Python and an environment")].replace("/autograder/source", str(ROOT))
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, version in present.items():
        answer = f'case "$*" in --version) echo Python {version} ;; *) echo {version} ;; esac'
        (programs / name).write_text(f"#!/bin/bash\n{answer}\n", encoding="ascii")
        (programs / name).chmod(0o755)
    for name in ("sed", "tr", "bash"):
        (programs / name).symlink_to(shutil.which(name) or name)
    command = ["bash", "-c", f"{functions}\n{ending}"]
    return subprocess.run(command, env={"PATH": str(programs)}, capture_output=True, text=True, check=False)


def test_the_image_gets_a_python_that_was_tested_and_no_other(tmp_path: Path) -> None:
    oldest, *_, newest = ASSIGNMENT.submission.pythons
    found = pythons_found(tmp_path, {"python3": "3.10", f"python{newest}": newest}, "find_python")
    assert found.stdout.strip().endswith(f"/python{newest}")
    (tmp_path / "older").mkdir()
    found = pythons_found(tmp_path / "older", {"python3": oldest, f"python{newest}": newest}, "find_python")
    assert found.stdout.strip().endswith("/python3")
    (tmp_path / "none").mkdir()
    found = pythons_found(tmp_path / "none", {"python3": "3.99"}, "install_python")
    assert found.returncode == 1
    assert f"runs under Python {' '.join(ASSIGNMENT.submission.pythons)}, " in found.stderr
    assert "this image has Python 3.99: choose another base image" in found.stderr


# --- results.json of every kind ---


DECLARED = {f"test_{stub.id}": Declared(f"test_{stub.id}", stub.id, 1.0, "It works.") for stub in ASSIGNMENT.stubs}


def grade_of(verdict: str, *, curve_failure: str = "", text: str = "", finished: int = 100) -> Grade:
    """A grade whose every test has this verdict, and whose every run has so many episodes, with returns 10, 11, ..."""
    outcomes = {n: Outcome(n, verdict, "raised", error=text, where=text, message=text) for n in DECLARED}  # type: ignore[arg-type]
    items = [stub_report(stub, DECLARED, outcomes) for stub in ASSIGNMENT.stubs]
    credit = 1.0 if verdict == "passed" else 0.0
    runs = {}
    for item in ASSIGNMENT.run_items:
        scores = RunsGrade(credit, (70.0, -math.inf, 71.0), "three runs")
        facts = {"cause": "raised", "message": text, "flags": (text,), "grade": scores}
        items.append(ItemReport(item, item.points * credit, verdict, **facts))  # type: ignore[arg-type]
    for curve in ASSIGNMENT.curves:
        experiment = EXPERIMENTS[curve.experiment]
        count = min(finished, experiment.num_episodes)
        steps = [experiment.task.episode_length * (i + 1) for i in range(count)]
        returns = [[10.0 + i + n for i in range(count)] for n in range(3)]
        runs[curve.id] = [Run(n, {}, steps, returns[n], failure=curve_failure) for n in range(3)]
    items = [dataclasses.replace(item, is_bonus=ASSIGNMENT.is_optional(item.item)) for item in items]
    return Grade(
        report=full_report(ASSIGNMENT, items),
        intake=Intake({}, (), (), (), (), (text,)) if text else Intake({}, (), (), (), (), ()),
        measured=Measured(frozenset(ASSIGNMENT.submission.code), runs=runs),
        bars=load_bars(),
        confinement=Confinement({}, {}, FIRST_UID),
        num_swept=0,
        speed=0.05,
        seconds=12.3,
    )


@pytest.fixture
def with_leaderboard(monkeypatch: pytest.MonkeyPatch) -> None:
    policies = dataclasses.replace(ASSIGNMENT.policies, leaderboard=True)
    assignment = dataclasses.replace(ASSIGNMENT, policies=policies)
    monkeypatch.setattr(report, "load_assignment", lambda: assignment)


COUNTED_BONUS = min(ASSIGNMENT.code_bonus_points, ASSIGNMENT.policies.bonus_cap)
FULL = ASSIGNMENT.code_points + COUNTED_BONUS


@pytest.mark.parametrize(("verdict", "score"), [("passed", FULL), ("failed", 0), ("not_run", 0)])
def test_a_grade_has_its_score_at_the_top_and_in_every_test(verdict: str, score: float) -> None:
    document = check(report.results(grade_of(verdict)))
    assert document["score"] == score
    required = [test for test in document["tests"] if not test["name"].endswith("(bonus)")]
    assert sum(test["score"] for test in required) == (ASSIGNMENT.code_points if score else 0)
    assert sum(test["max_score"] for test in required) == ASSIGNMENT.code_points
    assert "leaderboard" not in document
    assert all("visibility" not in test for test in document["tests"])  # a hidden test would hide the total score


def test_a_partial_grade_adds_up() -> None:
    """The functions pass, the curves do not."""
    passed, failed = grade_of("passed"), grade_of("failed")
    both = full_report(ASSIGNMENT, [*passed.report.stubs, *failed.report.curves])
    document = check(report.results(dataclasses.replace(passed, report=both)))
    assert document["score"] == FULL - sum(curve.points for curve in ASSIGNMENT.curves)
    curves = {curve.number for curve in ASSIGNMENT.curves}
    assert {test["status"] for test in document["tests"] if test["number"] in curves} == {"failed"}


def test_a_fault_anywhere_leaves_no_score_to_be_taken_for_a_grade() -> None:
    document = check(report.results(grade_of("grader_fault")))
    assert "score" not in document
    assert document["extra_data"]["graded"] is False


def test_what_is_no_grade_is_valid_too() -> None:
    refusal = check(documents.refused(SubmissionRefused("a link\x1b[31m\u202e\ud800", where="x.zip")))
    assert refusal["score"] == 0
    assert "a link" in refusal["output"]
    assert "score" not in check(documents.fault())
    assert "score" not in check(documents.out_of_time())


def test_a_text_of_a_student_is_bounded_and_inert() -> None:
    text = "<script>\x1b[31m\x00\u202e\ud800*bold*" + "x" * 300_000
    document = check(report.results(grade_of("failed", text=text)))
    assert max(len(test["output"]) for test in document["tests"]) == documents.MAX_OUTPUT
    assert "<script>" in document["tests"][0]["output"]  # as text: the formats say so
    assert {document[f"{name}_format"] for name in ("output", "test_output", "test_name")} == {"text"}


@pytest.mark.usefixtures("with_leaderboard")
def test_the_leaderboard_shows_the_last_return_by_1000_env_steps() -> None:
    entries = check(report.results(grade_of("passed")))["leaderboard"]
    # Episodes are worth 10, 11, ...; the mean of two runs that differ by 1 is half more. Ten of cliff hill, seven of
    # cart-pole.
    wanted = {curve.title: 9.5 + EXPERIMENTS[curve.experiment].num_episodes for curve in ASSIGNMENT.curves}
    assert {entry["name"].partition(":")[0]: entry["value"] for entry in entries} == wanted
    assert any("700 env steps" in entry["name"] for entry in entries)


@pytest.mark.usefixtures("with_leaderboard")
def test_a_long_curve_counts_at_1000_env_steps_on_the_leaderboard(monkeypatch: pytest.MonkeyPatch) -> None:
    longer = dataclasses.replace(EXPERIMENTS["cartpole"], num_episodes=20)
    monkeypatch.setitem(EXPERIMENTS, "cartpole", longer)  # type: ignore[arg-type]
    entries = report.leaderboard(grade_of("passed"))
    assert {e["value"] for e in entries if e["name"] == "Cart-pole swing-up, one model: return at 1,000 env steps"} == {
        19.5
    }


@pytest.mark.usefixtures("with_leaderboard")
def test_random_actions_are_not_on_the_leaderboard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cart-pole with 1,200 env steps of the base policy: at 1,000 nothing has been learned."""
    later = dataclasses.replace(EXPERIMENTS["cartpole"], num_initial_episodes=12, num_episodes=20)
    monkeypatch.setitem(EXPERIMENTS, "cartpole", later)
    names = [entry["name"] for entry in report.leaderboard(grade_of("passed"))]
    assert len(names) == len(ASSIGNMENT.curves) - 1
    assert not [name for name in names if name.startswith("Cart-pole swing-up, one model")]


@pytest.mark.usefixtures("with_leaderboard")
@pytest.mark.parametrize("options", [{"finished": 0}, {"finished": 5}, {"curve_failure": "raised"}])
def test_an_unfinished_curve_is_not_on_the_leaderboard(options: dict[str, Any]) -> None:
    assert check(report.results(grade_of("failed", **options)))["leaderboard"] == []


def test_before_the_due_date_scores_alone_hide_every_hint() -> None:
    grade = grade_of("failed", text="SECRET")
    full = check(report.results(grade))
    document = check(report.without_details(full))
    assert "SECRET" in json.dumps(full["tests"])
    assert "SECRET" not in json.dumps(document["tests"])
    assert [test["score"] for test in document["tests"]] == [test["score"] for test in full["tests"]]
    assert report.DETAILS_LATER in document["output"]
    assert "output" in full["tests"][0]  # the document handed in is unchanged


@pytest.mark.parametrize(
    ("policy", "closes_at", "shown"),
    [
        ("full", NOW + timedelta(days=1), True),
        ("scores", NOW + timedelta(days=1), False),
        ("scores", NOW - timedelta(days=1), True),
        ("scores", None, False),  # the date of assignment.toml, which lies a day ahead here
    ],
)
def test_the_policy_and_the_due_date_decide_about_details(
    monkeypatch: pytest.MonkeyPatch, policy: Any, closes_at: datetime | None, shown: bool
) -> None:
    course = dataclasses.replace(ASSIGNMENT.course, due=NOW + timedelta(days=1))
    policies = dataclasses.replace(ASSIGNMENT.policies, visibility_before_due=policy)
    assignment = dataclasses.replace(ASSIGNMENT, course=course, policies=policies)
    monkeypatch.setattr(supervisor, "load_assignment", lambda: assignment)
    assert supervisor._shows_details(Metadata(closes_at=closes_at)) is shown


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ('visibility_before_due = "full"', 'visibility_before_due = "none"', "visibility_before_due"),
        ("leaderboard = false", "leaderboard = 1", "leaderboard"),
        ("leaderboard = false", "leader_board = false", "leader_board"),
    ],
)
def test_a_policy_that_means_nothing_is_refused(tmp_path: Path, old: str, new: str, names: str) -> None:
    with pytest.raises(AssignmentError, match=names):
        load_assignment(changed_assignment(tmp_path, old, new))


# --- submission_metadata.json ---

METADATA: dict[str, Any] = {  # as documented, page "Submission Metadata"
    "id": 123456,
    "created_at": "2018-07-01T14:22:32.365935-07:00",
    "assignment": {
        "due_date": "2018-07-31T23:00:00.000000-07:00",
        "group_size": 4,
        "group_submission": True,
        "id": 25828,
        "course_id": 1234,
        "late_due_date": None,
        "release_date": "2018-07-02T00:00:00.000000-07:00",
        "title": "Programming Assignment 1",
        "total_points": "20.0",
    },
    "submission_method": "upload",
    "users": [{"email": "student@example.com", "id": 1234, "name": "Student User"}],
    "previous_submissions": [
        {"submission_time": "2017-04-06T14:24:48.087023-07:00", "score": 0.0, "results": {"score": 0.0, "tests": []}}
    ],
}


def read(tmp_path: Path, content: Any) -> Metadata:
    path = tmp_path / "submission_metadata.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return read_metadata(path)


def test_documented_metadata_is_read(tmp_path: Path) -> None:
    metadata = read(tmp_path, METADATA)
    assert metadata.submission == "123456"
    assert metadata.closes_at == datetime.fromisoformat("2018-07-31T23:00:00-07:00")


def test_the_latest_of_due_date_late_date_and_extension_counts(tmp_path: Path) -> None:
    late = {**METADATA["assignment"], "late_due_date": "2018-08-02T23:00:00-07:00"}
    assert read(tmp_path, {**METADATA, "assignment": late}).closes_at == datetime.fromisoformat(
        "2018-08-02T23:00:00-07:00"
    )
    users = [{"id": 1}, {"id": 2, "assignment": {"due_date": "2018-09-01T00:00:00Z", "late_due_date": None}}]
    extended = read(tmp_path, {**METADATA, "assignment": late, "users": users})
    assert extended.closes_at == datetime(2018, 9, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not JSON",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"[]",
        b"null",
        b'{"id": NaN, "assignment": [], "users": {"a": 1}}',
        {"id": True, "created_at": 7, "assignment": {"due_date": {}, "late_due_date": "tomorrow"}},
        {"id": "1; rm -rf /", "created_at": "2018-07-01", "users": [None, 7, {"assignment": "x"}]},
        {"id": 10**30, "assignment": {"due_date": "2018-13-01T00:00:00Z"}},
        {"assignment": {"due_date": "2018-07-31T23:00:00"}},  # without an offset: of no known moment
    ],
)
def test_odd_metadata_is_left_out_and_never_raises(tmp_path: Path, content: Any) -> None:
    assert read(tmp_path, content) == Metadata()


def test_missing_metadata_is_no_error(tmp_path: Path) -> None:
    assert read_metadata(tmp_path / "absent.json") == Metadata()
    assert read_metadata(tmp_path) == Metadata()  # a folder


# --- the supervisor ---

Supervise = Callable[..., dict[str, Any]]

WRITES_RECEIPT = "(output / 'receipt.json').write_text(json.dumps({'confinement': {'uid': UID}}))"
WRITES_RESULTS = f"(output / 'results.json').write_text({json.dumps(json.dumps(documents.fault() | {'score': 7}))})"


@pytest.fixture
def supervise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Supervise:
    """Run a stand-in for the grader, a few lines of Python, under the supervisor."""
    for name in ("submission", "results"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(supervisor, "_workers_start", lambda: True)

    def run(*lines: str, uid: Any = FIRST_UID, deadline_seconds: float = 60.0) -> dict[str, Any]:
        head = "import json, os, pathlib, signal, sys, time; output = pathlib.Path(sys.argv[3])"
        program = "\n".join([head, f"UID = {uid!r}", *lines])
        supervisor.main(tmp_path, [sys.executable, "-c", program], deadline_seconds)
        return check(json.loads((tmp_path / "results" / "results.json").read_bytes()))

    return run


def test_a_grade_is_passed_on_as_it_was_written(supervise: Supervise) -> None:
    assert supervise(WRITES_RECEIPT, WRITES_RESULTS)["score"] == 7


def test_after_the_cap_the_last_submission_that_counts_is_shown_and_nothing_is_graded(
    supervise: Supervise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = dataclasses.replace(ASSIGNMENT.policies, max_submissions=2)
    assignment = dataclasses.replace(ASSIGNMENT, policies=policies)
    monkeypatch.setattr(supervisor, "load_assignment", lambda: assignment)
    earlier = [
        {
            "submission_time": f"2027-02-0{day}T12:00:00+00:00",
            "results": documents.fault() | ({"score": s} if s else {}),
        }
        for day, s in ((4, 70), (1, 30), (2, None), (3, 50))  # not in order; the second is a grader's fault
    ]
    metadata = tmp_path / "submission_metadata.json"
    metadata.write_text(json.dumps(METADATA | {"previous_submissions": earlier}), encoding="ascii")
    results = supervise(WRITES_RECEIPT, WRITES_RESULTS)
    assert results["score"] == 50
    assert results["output"].startswith("This submission was not graded: only the first 2 count")
    metadata.write_text(json.dumps(METADATA | {"previous_submissions": earlier[1:3]}), encoding="ascii")
    assert supervise(WRITES_RECEIPT, WRITES_RESULTS)["score"] == 7  # one graded, one faulty: the second to be graded


@pytest.mark.parametrize(
    "lines",
    [
        ["raise SystemExit(1)"],
        ["os.kill(os.getpid(), signal.SIGKILL)"],  # as when memory runs out
        ["raise SystemExit(0)"],
        ["(output / 'results.json').write_text('{\"score\": 80')"],
        ["(output / 'results.json').write_text('[80]')", WRITES_RECEIPT],
        [WRITES_RECEIPT, WRITES_RESULTS, "os.kill(os.getpid(), signal.SIGSEGV)"],
    ],
)
def test_a_grader_that_ends_badly_is_a_fault_without_a_score(supervise: Supervise, lines: list[str]) -> None:
    document = supervise(*lines)
    assert "score" not in document
    assert document["extra_data"]["grader_faults"] == 1


def test_a_grader_that_hangs_is_ended_at_the_deadline_with_all_it_started(supervise: Supervise, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    lines = [
        f"pid = os.fork() or pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid())) and 0",
        "time.sleep(1000)",
    ]
    start = time.monotonic()
    document = supervise(*lines, deadline_seconds=2.0)
    assert time.monotonic() - start < 20
    assert document["extra_data"]["out_of_time"] is True
    assert "score" not in document
    pid = int(pid_file.read_text(encoding="ascii"))
    for _ in range(100):
        if not Path(f"/proc/{pid}/stat").exists() or ") Z " in Path(f"/proc/{pid}/stat").read_text():
            break
        time.sleep(0.05)
    else:
        pytest.fail("a process of the grader outlived it")


@pytest.mark.parametrize("uid", [0, None, "20000"])
def test_a_grade_from_workers_without_user_ids_of_their_own_is_not_believed(supervise: Supervise, uid: Any) -> None:
    assert "score" not in supervise(WRITES_RECEIPT, WRITES_RESULTS, uid=uid)
    assert "score" not in supervise(WRITES_RESULTS)  # no receipt


def test_nothing_runs_if_the_interpreter_does_not_start_for_workers(
    supervise: Supervise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_workers_start", lambda: False)
    assert "score" not in supervise(f"pathlib.Path({str(tmp_path / 'ran')!r}).touch()", WRITES_RECEIPT, WRITES_RESULTS)
    assert not (tmp_path / "ran").exists()


def test_a_single_archive_is_graded_as_the_submission(tmp_path: Path) -> None:
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "hw4.tar.gz").touch()
    assert supervisor._submission(tmp_path) == folder / "hw4.tar.gz"
    (folder / "mpc.py").touch()
    assert supervisor._submission(tmp_path) == folder


def test_the_supervisor_and_the_fork_server_mean_the_same_user_ids() -> None:
    setup = (ROOT / "autograder" / "gradescope" / "setup.sh").read_text(encoding="utf-8")
    assert supervisor.WORKER_UID == FIRST_UID == int(re.search(r"^WORKER_UID=(\d+)$", setup, re.MULTILINE)[1])  # type: ignore[index]


def test_what_run_autograder_writes_first_is_valid_and_no_grade(tmp_path: Path) -> None:
    """The script with another root, and no interpreter at all: the first document stays."""
    script = (ROOT / "autograder" / "gradescope" / "run_autograder").read_text(encoding="utf-8")
    assert "AUTOGRADER=/autograder\n" in script
    moved = script.replace("AUTOGRADER=/autograder\n", f"AUTOGRADER={tmp_path}\n")
    moved = moved.replace("PYTHON=/opt/hw4/venv/bin/python", "PYTHON=/nowhere/python")
    (tmp_path / "source").mkdir()
    (tmp_path / "submission_metadata.json").write_text("{}", encoding="ascii")
    run = subprocess.run(["bash", "-c", moved], capture_output=True, text=True, timeout=60, check=True)
    document = check(json.loads((tmp_path / "results" / "results.json").read_bytes()))
    assert "did not finish" in document["output"]
    assert "ended with status 127" in run.stdout
    assert stat.S_IMODE((tmp_path / "submission_metadata.json").stat().st_mode) & 0o077 == 0


# --- the forms of other platforms ---

# As documented: a share of 1 is all that PrairieLearn needs; without `gradable`, there must be one.
PRAIRIELEARN: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "gradable": {"type": "boolean"},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "message": TEXT,
        "output": TEXT,
        "format_errors": {"type": ["string", "array"], "items": TEXT},
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "points", "max_points"],
                "properties": {
                    **dict.fromkeys(("name", "description", "message", "output"), TEXT),
                    "points": {"type": "number"},
                    "max_points": {"type": "number"},
                },
            },
        },
    },
    "if": {"properties": {"gradable": {"const": False}}, "required": ["gradable"]},
    "then": {"required": ["format_errors"], "not": {"required": ["score"]}},
    "else": {"required": ["score"]},
}
AUTOLAB_SCORES = {
    "type": "object",
    "additionalProperties": False,
    "required": ["scores"],
    "properties": {"scores": {"type": "object", "additionalProperties": {"type": "number"}, "minProperties": 1}},
}
AUTOLAB_FEEDBACK = {
    "type": "object",
    "required": ["_presentation", "stages"],
    "properties": {
        "_presentation": {"const": "semantic"},
        "stages": {"type": "array", "items": TEXT},
    },
    "additionalProperties": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "required": ["passed"],
            "properties": {"passed": {"type": "boolean"}, "hint": TEXT},
        },
    },
}
REFUSAL = SubmissionRefused("too large", where="mpc.py", fix="Make it smaller")
NO_GRADES = {"refused": documents.refused(REFUSAL), "fault": documents.fault(), "late": documents.out_of_time()}


def in_the_form(form: str, document: dict[str, Any], tmp_path: Path) -> str:
    (tmp_path / "results.json").write_text(json.dumps(document), encoding="utf-8")
    assert convert(tmp_path / "results.json", form=form, output=tmp_path / "out") == 0  # type: ignore[arg-type]
    return (tmp_path / "out").read_text(encoding="utf-8")


@pytest.mark.parametrize("verdict", ["passed", "failed"])
def test_a_grade_is_what_prairielearn_and_autolab_document(tmp_path: Path, verdict: str) -> None:
    document = report.results(grade_of(verdict))
    found = json.loads(in_the_form("prairielearn", document, tmp_path))
    validate(PRAIRIELEARN, found)
    assert found["score"] == pytest.approx(min(1.0, document["score"] / ASSIGNMENT.code_points))
    assert [test["points"] for test in found["tests"]] == [test["score"] for test in document["tests"]]
    *words, feedback, scores = in_the_form("autolab", document, tmp_path).splitlines()
    assert document["output"].splitlines() == words[:-1]
    validate(AUTOLAB_FEEDBACK, json.loads(feedback))
    assert set(json.loads(feedback)) - {"_presentation", "stages"} == set(json.loads(feedback)["stages"])
    validate(AUTOLAB_SCORES, json.loads(scores))
    of_tests = sum(test["score"] for test in document["tests"])
    assert sum(json.loads(scores)["scores"].values()) == pytest.approx(of_tests)
    required = {p.id for p in ASSIGNMENT.problems if p.code_points and not p.optional}
    assert required <= json.loads(scores)["scores"].keys()


@pytest.mark.parametrize("document", NO_GRADES.values(), ids=NO_GRADES)
def test_what_is_no_grade_costs_nothing_on_other_platforms_either(tmp_path: Path, document: dict[str, Any]) -> None:
    found = json.loads(in_the_form("prairielearn", document, tmp_path))
    validate(PRAIRIELEARN, found)
    assert found["gradable"] is False
    printed = in_the_form("autolab", document, tmp_path)
    if "refused" in document["extra_data"]:  # as on Gradescope: 0 points
        assert set(json.loads(printed.splitlines()[-1])["scores"].values()) == {0}
    else:
        assert '"scores"' not in printed


def test_what_is_no_results_json_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content in ("[]", "{}", "no JSON"):
        (tmp_path / "results.json").write_text(content, encoding="utf-8")
        assert convert(tmp_path / "results.json", form="autolab") == 4
        assert "is not a results.json of this grader" in capsys.readouterr().err


# --- the whole of it, in a stand-in for a container ---


def need_a_container() -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mount namespaces and other user ids need root on Linux")
    for program in ("unshare", "setpriv", "chroot", "unzip"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    tried = subprocess.run([*NAMESPACES, "--mount-proc", "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"private namespaces are not allowed here: {tried.stderr.strip()}")


class Container:
    """A folder that becomes /autograder, made from the bundle, and what was seen while it was graded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "autograder"
        self._root = folder / "root"
        for path in (*(self.folder / name for name in ("source", "submission", "results")), self._root):
            path.mkdir(parents=True)
        bundle = write_gradescope_bundle(folder / "bundle.zip")
        subprocess.run(["unzip", "-q", str(bundle), "-d", str(self.folder / "source")], check=True)
        (self.folder / "submission_metadata.json").write_text(json.dumps(METADATA), encoding="ascii")
        self.user_ids: set[tuple[str, ...]] = set()  # real, effective, saved, file-system: of confined processes
        self.seconds = 0.0
        self.printed = ""  # by the build and the run
        self._environment, self._interpreter, self._access = Path(sys.prefix), sys.base_prefix, "ro"

    def build_with(self, interpreter: str) -> None:
        """Let setup.sh install everything, for an interpreter that is the only one in the image."""
        prefix = [interpreter, "-c", "import sys; print(sys.base_prefix)"]
        self._environment, self._interpreter = self.folder.parent / "venv", subprocess.check_output(prefix, text=True)
        self._environment.mkdir()
        self._access = "rw"

    def grade(self, code: dict[str, bytes], *, timeout: float) -> dict[str, Any]:
        for name, content in code.items():
            write_at_once(self.folder / "submission" / name, content)
        start = time.monotonic()
        command = [*NAMESPACES, "bash", str(CONTAINER), str(self._root), str(self.folder)]
        command += [str(self._environment), self._interpreter.strip(), self._access]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            watcher = threading.Thread(target=self._watch, args=(process,))
            watcher.start()
            try:
                printed, _ = process.communicate(timeout=timeout)
            finally:
                process.kill()
                watcher.join()
        self.seconds, self.printed = time.monotonic() - start, printed
        assert process.returncode == 0, f"{printed}\n{self.stdout}"
        return check(json.loads((self.folder / "results" / "results.json").read_bytes()))

    def _watch(self, process: subprocess.Popen[str]) -> None:
        """Collect the user ids of descendants that have more system-call filters than this process: workers."""
        own = int(_status("self").get("Seccomp_filters", "0"))
        while process.poll() is None:
            for pid in _descendants(str(process.pid)):
                status = _status(pid)
                if int(status.get("Seccomp_filters", "0")) > own:
                    self.user_ids.add(tuple(status["Uid"].split()))
            time.sleep(0.05)

    @property
    def stdout(self) -> str:
        path = self.folder / "results" / "stdout"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    @property
    def receipt(self) -> dict[str, Any]:
        line = next(line for line in self.stdout.splitlines() if line.startswith("receipt: "))
        receipt: dict[str, Any] = json.loads(line.removeprefix("receipt: "))
        return receipt


def _descendants(pid: str) -> Iterator[str]:
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in children.read_text(encoding="ascii").split():
                yield child
                yield from _descendants(child)


def _status(pid: str) -> dict[str, str]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


@pytest.fixture
def container(tmp_path: Path) -> Container:
    need_a_container()
    return Container(tmp_path)


def assert_no_worker_was_root(container: Container) -> None:
    assert container.receipt["confinement"]["layers"][OWN_USER] == "on"
    assert container.user_ids, "no worker was seen"
    for ids in container.user_ids:
        assert all(FIRST_UID <= int(number) < LAST_UID for number in ids), ids


def stubs() -> dict[str, bytes]:
    return {name: (ROOT / "hw4" / name).read_bytes() for name in ASSIGNMENT.submission.code}


@pytest.mark.verify  # the container is tried out with hostile code in every run of the tests
def test_the_stubs_get_nothing_in_the_container(container: Container) -> None:
    document = container.grade(stubs(), timeout=300)
    assert document["score"] == 0
    required = [item for item in ASSIGNMENT.items if not ASSIGNMENT.is_optional(item)]  # an untouched topic is silent
    assert len(document["tests"]) == len(required)
    assert "not started" in document["tests"][0]["output"]
    assert "submission 123456" in container.stdout
    assert_no_worker_was_root(container)


HOSTILE = {
    "gaussian_nll": """
        import os
        raise ValueError(f"IDS {os.getresuid()} {os.getresgid()} {os.getgroups()}")
    """,
    "uncertainty_split": """
        import glob, os
        done = []
        for path in ("/autograder/source/autograder/private.toml", "/autograder/source/solutions/mpc.py",
                     "/autograder/submission_metadata.json", "/autograder/results/stdout",
                     f"/proc/{os.getppid()}/environ"):
            try:
                done.append(open(path).read()[:20])
            except OSError:
                pass
        for path in ("/autograder/results/results.json", "/autograder/run_autograder", "/tmp/left_behind",
                     *glob.glob("/tmp/results-*/results.json")):
            try:
                open(path, "w").write('{"score": 80}'); done.append("wrote " + path)
            except OSError:
                pass
        for attempt in (lambda: os.setuid(0), lambda: os.listdir("/autograder/source"), lambda: os.fork(),
                        lambda: os.kill(os.getppid(), 9), lambda: os.kill(-1, 9)):
            try:
                done.append(f"did {attempt()}")
            except OSError:
                pass
        raise ValueError(f"DONE {done}")
    """,
    "random_shooting": "while True: pass",
    "bootstrap_indices": "x = [0.0] * 10**12",
}


@pytest.mark.verify
def test_a_hostile_submission_gains_nothing_in_the_container(container: Container) -> None:
    regions = {stub_id: textwrap.dedent(body) for stub_id, body in HOSTILE.items()}
    code = code_of(Animal(name="hostile", kind="wrong", story="", regions=regions))
    document = container.grade(code, timeout=1200)
    print(f"hostile: {document['score']} points, {container.seconds:.0f} s, user ids {sorted(container.user_ids)}")
    scores = {test["name"].split()[0]: test["score"] for test in document["tests"]}
    points = {stub.id: stub.points for stub in ASSIGNMENT.stubs}
    assert {stub_id: scores[stub_id] for stub_id in points if stub_id not in HOSTILE} == {
        stub_id: points[stub_id] for stub_id in points if stub_id not in HOSTILE
    }
    assert all(scores[stub_id] == 0 for stub_id in HOSTILE)
    messages = [test["message"] for test in container.receipt["tests"].values()]
    ids = next(message for message in messages if "IDS" in message)
    assert re.search(r"IDS \((\d{5}), \1, \1\) \(\1, \1, \1\) \[\]", ids), ids
    assert any("DONE []" in message for message in messages), messages
    assert not re.search(r"\bIDS\b|DONE|master_seed", json.dumps(document))
    assert_no_worker_was_root(container)


@pytest.mark.verify
def test_the_reference_gets_all_points_in_the_container(container: Container) -> None:
    document = container.grade(reference_code(), timeout=1800)
    print(f"reference: {document['score']} points, {container.seconds:.0f} s, user ids {sorted(container.user_ids)}")
    assert document["score"] == FULL
    runs = container.receipt["runs"]
    assert {item.id for item in ASSIGNMENT.run_items if len(runs[item.id]) < first_runs_of(item)} == set()
    assert_no_worker_was_root(container)


def folder_mb(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


@pytest.mark.verify
@pytest.mark.parametrize("version", [ASSIGNMENT.submission.pythons[0], ASSIGNMENT.submission.pythons[-1]])
def test_the_image_is_built_without_cuda_and_grades_under_the_oldest_and_the_newest_python(
    container: Container, version: str
) -> None:
    """Downloads what `make gradescope` says, once for each version; packages in folders of PIP_FIND_LINKS also do."""
    found = [shutil.which(f"python{version}"), *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]
    interpreter = next((path for path in found if path is not None and runs(path)), None)
    if interpreter is None:
        pytest.skip(f"Python {version} is not installed here")
    container.build_with(interpreter)
    try:
        document = container.grade(stubs(), timeout=3600)
    except AssertionError:
        if "failed to lookup address" in container.printed:
            pytest.skip(f"from here, torch for the CPU cannot be downloaded:\n{container.printed}")
        raise
    assert f"ready: Python {version}." in container.printed
    assert "+cpu" in container.printed
    environment = container.folder.parent / "venv"
    size = folder_mb(environment)
    print(f"Python {version}: built and run in {container.seconds:.0f} s, {size:.0f} MB installed")
    assert not list(environment.glob("lib/python*/site-packages/nvidia"))
    assert size < 2_500  # with CUDA it is above 5,000
    assert document["score"] == 0
    assert_no_worker_was_root(container)


def runs(interpreter: str) -> bool:
    return (
        subprocess.run([interpreter, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.verify
def test_hidden_files_that_workers_could_read_fail_the_build(container: Container) -> None:
    """setup.sh itself makes them unreadable: without that line it must notice."""
    setup = container.folder / "source" / "setup.sh"
    text = setup.read_text(encoding="utf-8")
    assert 'chmod -R go= "$SOURCE"\n' in text
    setup.write_text(text.replace('chmod -R go= "$SOURCE"\n', ""), encoding="utf-8")
    with pytest.raises(AssertionError, match="readable for student code"):
        container.grade({}, timeout=300)
