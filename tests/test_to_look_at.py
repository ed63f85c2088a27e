"""What staff must look at: every case once, first things first, and nothing that a report settles by itself."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from class_samples import graded_class, measured, quick_pages, write_class

from autograder.classroom.intake.entries import Person
from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.marks import similarity
from autograder.classroom.marks.alike import Alike, read_alike
from autograder.classroom.marks.changes import WHOLE, Change
from autograder.classroom.marks.requests import Request
from autograder.classroom.marks.similarity import SOLUTION, look_for_copies, nearly_identical, work_of
from autograder.classroom.marks.standing import Class, Result, read_class, result_of
from autograder.classroom.marks.to_look_at import KINDS, flags_of, queue_of
from autograder.grading.outcome import Outcome
from autograder.grading.suite import DEADLINE_PASSED
from autograder.hidden_tests.graded import DECLARED
from autograder.solutions import reference_code
from hw4.handin.assignment import load_assignment

__all__ = ["quick_pages"]  # a fixture
pytestmark = pytest.mark.usefixtures("quick_pages")
ASSIGNMENT = load_assignment()
DUE, LAST_DAY = ASSIGNMENT.course.due, timedelta(days=ASSIGNMENT.policies.late.max_days)
REQUIRED = [name for name in ASSIGNMENT.submission.notebooks if name not in ASSIGNMENT.optional_notebooks]
NLL = "test_nll_of_a_gaussian"
FILE = "ensemble.py"


def checks_of(stub_id: str) -> list[str]:
    return [name for name, test in DECLARED.items() if test.stub_id == stub_id]


def student(
    name: str,
    measurement: dict[str, Any] | None,
    *,
    lacking: tuple[str, ...] = (),
    submitted: datetime | None = DUE,
    changes: tuple[Change, ...] = (),
    requests: tuple[Request, ...] = (),
    **record: Any,
) -> Result:
    files = [*ASSIGNMENT.submission.code, *REQUIRED]
    intake = dict.fromkeys(("ignored", "syntax_errors", "forbidden_imports", "notes"), ())
    facts = {
        **intake,
        "hashes": {file: "hash" for file in files if file not in lacking},
        "missing": tuple(file for file in ASSIGNMENT.required_code if file in lacking),
    }
    common = {
        "student": name,
        "people": (Person(name, name.title()),),
        "group": "",
        "late": False,
        "on_roster": True,
        "submitted": submitted,
        "requests": requests,
    }
    graded = {} if measurement is None else {"measured": measurement, "intake": facts}
    return result_of({**record, **graded}, common, list(changes))


def queue(*results: Result, **facts: Any) -> list[tuple[str, str, list[str]]]:
    found = Class(results, True, None, (), **facts)
    return [(kind, result.student, texts) for kind, result, texts in queue_of(list(flags_of(found)))]


def in_file(file: str) -> list[str]:
    stubs = {stub.id for stub in ASSIGNMENT.stubs if stub.file == file}
    return [name for name, test in DECLARED.items() if test.stub_id in stubs]


def broken() -> dict[str, Any]:
    """ensemble.py does not import, so nothing in it is graded and no curve that runs it."""
    outcome = Outcome("", "failed", "does_not_import", f"{FILE}:3", "SyntaxError", "invalid syntax")
    return {
        **measured(failed=in_file(FILE), cause="does_not_import"),
        "broken_files": {FILE: dataclasses.asdict(outcome)},
    }


def cut(failure: str) -> dict[str, Any]:
    return measured(cut=failure)


def ends(cause: str) -> dict[str, Any]:
    return measured(failed=[NLL], cause=cause)


def test_every_case_is_in_the_queue_in_the_order_of_its_urgency() -> None:
    curve = ASSIGNMENT.curves[0]
    promise = measured()
    promise["integrity"][curve.id] |= {"broken": "replans", "message": "it does not"}
    lost = sum(item.points for item in ASSIGNMENT.items if item.kind == "function" and item.file == FILE)
    with_it = [i for i in ASSIGNMENT.curves if {s.file for s in ASSIGNMENT.stubs_behind(i)} & {FILE}]
    lost += sum(item.points for item in with_it)
    rows = queue(
        student("amy", None, status="fault", message="it ended"),
        student("bea", measured(faulty=[NLL], message=DEADLINE_PASSED)),
        student(
            "cid", None, status="refused", message="no archive", requests=(Request(2, "now", "cid", "x", "y", "no"),)
        ),
        student("dan", measured(), requests=(Request(1, "now", "dan", "cem_refit", "my sign is right"),)),
        student("eve", measured()),
        student("fay", promise),
        student("hal", broken()),
        student("ida", measured(failed=in_file("mpc.py"), cause="not_started"), lacking=("mpc.py",)),
        student("jim", ends("too_slow")),
        student("kay", cut("too_slow")),
        student("leo", ends("out_of_memory")),
        student("mia", cut("exits")),
        student("ned", measured(), submitted=DUE + LAST_DAY + timedelta(hours=1)),
        student("oda", measured(), lacking=tuple(REQUIRED[:1])),
        student("pat", None, status="missing", message=""),
        alike={"eve": (Alike("amy", "byte-identical to"), Alike("2026/zoe (Zoe)", "93% of the code is that of"))},
    )
    assert [(kind, name) for kind, name, _ in rows] == [
        ("grader fault", "amy"),
        ("not judged in time", "bea"),
        ("refused", "cid"),
        ("regrade request", "dan"),
        ("alike", "eve"),
        ("integrity", "fay"),
        ("does not import", "hal"),
        ("file missing", "ida"),
        ("time", "jim"),
        ("time", "kay"),
        ("memory", "leo"),
        ("cut", "mia"),
        ("too late", "ned"),
        ("notebook missing", "oda"),
        ("nothing handed in", "pat"),
    ]
    said = {kind: texts for kind, _, texts in rows}
    assert said["alike"] == ["byte-identical to: amy (Amy); 93% of the code is that of: 2026/zoe (Zoe)"]
    assert said["does not import"] == [f"{FILE}:3: SyntaxError. With it, {lost} points were lost"]
    assert said["notebook missing"] == [REQUIRED[0]]
    assert said["regrade request"] == ["no. 1, cem_refit: my sign is right"]
    assert "points were lost" in said["memory"][0]


def test_what_a_report_settles_by_itself_is_no_row() -> None:
    """All is correct, a function is wrong, an exception in a curve, a day late, runs that disagreed at full points,
    and a decision that staff took themselves."""
    decided = Change("2027-03-20T10:00:00+00:00", "ta", "points", "f", WHOLE, -5.0, "a reason")
    disagreeing = next(
        answer
        for seed in range(50)
        if (answer := measured(skill=1.05, spread=0.05, seed=seed))
        and any(len(runs) > 3 for runs in answer["runs"].values())
        and all(item.verdict == "passed" for item in student("x", answer).grade.report.items)  # type: ignore[union-attr]
    )
    assert queue(
        student("a", measured()),
        student("b", measured(failed=[NLL])),
        student("c", measured(cut="raised")),
        student("d", measured(), submitted=DUE + timedelta(hours=20)),
        student("e", disagreeing),
        student("f", measured(), changes=(decided,)),
    ) == []  # fmt: skip


def test_notebooks_are_not_missed_where_nobody_hands_them_in() -> None:
    assert queue(*(student(name, measured(), lacking=tuple(REQUIRED)) for name in "ab")) == []


def test_runs_that_disagreed_are_looked_at_if_they_cost_points() -> None:
    rows = queue(*(student(f"s{seed}", measured(skill=0.97, spread=0.05, seed=seed)) for seed in range(20)))
    assert {kind for kind, _, _ in rows} == {"borderline"}
    full = [f", {curve.points} of {curve.points} points" for curve in ASSIGNMENT.curves]
    assert not any(text.endswith(tuple(full)) for _, _, texts in rows for text in texts)


def test_a_curve_that_earns_points_without_one_of_its_functions_is_looked_at() -> None:
    """The function is the smallest whose loss leaves the gate open a little."""
    curve = ASSIGNMENT.curves[-1]
    stubs = sorted(ASSIGNMENT.stubs_behind(curve), key=lambda stub: stub.points)
    answer = measured(skill=2.0, failed=checks_of(stubs[0].id))
    rows = [texts for kind, _, texts in queue(student("ada", answer)) if kind == "agent"]
    (texts,) = rows
    assert any(stubs[0].id in text and "earned nothing" in text for text in texts)


def test_every_kind_has_a_word_on_what_to_do() -> None:
    assert all(text.endswith((".", "?")) for text in KINDS.values())


# Copies ---------------------------------------------------------------------------------------------------------------


def test_copies_are_named_with_how_they_are_alike_and_across_years() -> None:
    code = reference_code()
    commented = {**code, "mpc.py": code["mpc.py"] + b"# mine\n"}
    half = {**code, "ensemble.py": b"", "mpc.py": b""}
    found = nearly_identical(
        [
            work_of("ada", commented),
            work_of("bob", commented),
            work_of("eve", half),
            work_of("2026/zoe", commented, is_earlier=True, called="Zoe Z."),
            work_of(SOLUTION, code, is_earlier=True),
        ]
    )
    assert found.keys() == {"ada", "bob"}
    assert {(one.name, one.words) for one in found["ada"]} == {
        ("bob", "byte-identical to"),
        ("2026/zoe (Zoe Z.)", "byte-identical to"),
        (SOLUTION, "identical but for names, comments and texts to"),
    }


def test_a_class_keeps_what_was_found_and_looks_again_when_somebody_hands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the search finds is tested above: here it names a submission with the number of those it was given."""
    calls: list[list[str]] = []

    def found(works: list[Any]) -> dict[str, list[Alike]]:
        calls.append([work.name for work in works])
        return {"ada": [Alike("bob", "byte-identical to")]}

    monkeypatch.setattr(similarity, "nearly_identical", found)
    folder = graded_class(tmp_path, {"ada": measured(), "bob": measured()})
    earlier = write_class(tmp_path / "2026", ["zoe"])
    assert look_for_copies(folder, [earlier]) == 1
    assert look_for_copies(folder, None) == 1
    assert calls == [["ada", "bob", SOLUTION, "2026/zoe"]]
    assert read_alike(folder.root) == {"ada": (Alike("bob", "byte-identical to"),)}
    assert ("alike", "ada") in {(flag.kind, flag.result.student) for flag in flags_of(read_class(folder))}
    graded_class(tmp_path, {"ada": measured(), "bob": measured(), "eve": measured()})
    look_for_copies(ClassFolder(folder.root), None)
    assert calls[1:] == [["ada", "bob", "eve", SOLUTION, "2026/zoe"]]
