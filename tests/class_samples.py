"""Classes to test with: folders of submissions, and results that look like graded ones without a grader at work."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import json
import math
import sys
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from autograder.classroom.intake.entries import Entry, Person
from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.marks import student_documents
from autograder.classroom.marks.site_lists import fill
from autograder.classroom.marks.standing import Class, Result, standing_of
from autograder.classroom.night.engine import Task
from autograder.classroom.night.grade_class import grade_class
from autograder.classroom.night.job import Settings
from autograder.classroom.night.record import core_hash, hashes_of_effects, hashes_of_tests, options
from autograder.grading.curves import ALL_RUNS, first_runs_of, load_bars, more_runs, needs_more_runs, score_of_run
from autograder.grading.outcome import Outcome
from autograder.grading.running import Run
from autograder.hidden_tests.graded import DECLARED
from autograder.isolation.confinement import Confinement
from autograder.report.receipt import facts_of_grader
from autograder.solutions import reference_code
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import ASSIGNMENT_FILE, Assignment, RunItem, load_assignment

ASSIGNMENT = load_assignment()
POINTS = ASSIGNMENT.code_points
TOTAL = POINTS + min(ASSIGNMENT.code_bonus_points, ASSIGNMENT.policies.bonus_cap)  # of who wrote everything
QUIET = Console(quiet=True)
FACTS = facts_of_grader()


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_class(folder: Path, names: Iterable[str], lacking: Mapping[str, Collection[str]] | None = None) -> Path:
    """One zip of the reference for each student; they differ in a comment, and who is named may lack files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        left_out = (lacking or {}).get(name, ())
        code = {file: content for file, content in reference_code().items() if file not in left_out}
        code["mpc.py"] += f"# by {name}\n".encode()
        write_zip(folder / f"{name}.zip", code)
    return folder


def entries_of(folder: Path) -> list[Entry]:
    from autograder.classroom.intake.submissions import find_submissions

    return find_submissions(folder)


def measured(
    *,
    failed: Sequence[str] = (),
    faulty: Sequence[str] = (),
    skill: float = 1.0,
    spread: float = 0.0,
    cut: str = "",
    seed: int = 0,
    cause: str = "wrong_value",
    message: str = "seen 1, wanted 2",
    curves: bool = True,
    only: frozenset[str] | None = None,
) -> dict[str, Any]:
    """What a job answers. A curve's score is `skill` between floor (0) and bar (1), give or take `spread` by run."""
    rng = np.random.default_rng(seed)
    outcomes = {}
    for name, test in DECLARED.items():
        if only is None or test.stub_id in only:
            verdict = "failed" if name in failed else "grader_fault" if name in faulty else "passed"
            own_cause = cause if verdict == "failed" else ""
            said = "" if verdict == "passed" else message
            outcomes[name] = dataclasses.asdict(Outcome(name, verdict, own_cause, message=said))  # type: ignore[arg-type]
    runs: dict[str, Any] = {}
    for item in ASSIGNMENT.run_items if curves else ():
        bar = load_bars()[item.id]
        scores = bar.floor + (skill + spread * rng.standard_normal(ALL_RUNS)) * (bar.bar - bar.floor)
        all_runs = [_run(item, number, float(score)) for number, score in enumerate(scores)]
        all_runs[0].failure = cut
        scored = [score_of_run(item, run.returns, run.failure) for run in all_runs]
        count = first_runs_of(item)
        while needs_more_runs(scored[:count], bar.bar, first_runs_of(item)):
            count += more_runs(count)
        runs[item.id] = [dataclasses.asdict(run) for run in all_runs[:count]]
    integrity = {
        curve.id: {"broken": None, "message": "", "results": (), "cpu_seconds": 1.0, "unchecked": False}
        for curve in ASSIGNMENT.curves
        if curves
    }
    answer = {
        "outcomes": outcomes,
        "examples": {},
        "runs": runs,
        "integrity": integrity,
        "broken_files": {},
        "put_back": [],
        "confinement": dataclasses.asdict(Confinement({}, {}, 20_000)),
        "num_swept": 0,
        "speed": 0.05,
        "seconds": 81.0,
        "options": options(curves=curves, only=only),
        "grader": FACTS,
        "core": core_hash(),
        "tests": hashes_of_tests(),
        "effects": hashes_of_effects(),
    }
    found: dict[str, Any] = json.loads(json.dumps(answer))
    return found


def _run(item: RunItem, number: int, score: float) -> Run:
    """A run with this score: the number of an effect, or a curve whose returns rise to it."""
    if item.kind == "effect":
        return Run(number, {}, returns=[score], cpu_seconds=9.0)
    experiment = EXPERIMENTS[item.experiment]
    length = experiment.num_episodes
    rises = np.minimum(1.0, np.linspace(0.1, 1.6, length))
    rises[-item.score_episodes :] = 1.0
    return Run(
        number,
        {"sign": 1.0, "gain": 1.0, "mass": 1.0},
        [experiment.task.episode_length * (i + 1) for i in range(length)],
        [score * float(rise) for rise in rises],
        [0.1] * length,
        [math.nan] * length,
        cpu_seconds=9.0,
    )


def graded_class(
    root: Path,
    answers: dict[str, dict[str, Any]],
    *,
    people: dict[str, tuple[Person, ...]] | None = None,
    refused: Iterable[str] = (),
    settings: Settings | None = None,
    submitted: dict[str, datetime] | None = None,
    lacking: Mapping[str, Collection[str]] | None = None,
    console: Console = QUIET,
) -> ClassFolder:
    """A folder of results, made by the real code from made-up answers of the engine."""
    submissions = write_class(root / "submissions", answers, lacking)
    for name in refused:
        (submissions / f"{name}.zip").write_bytes(b"PK\x03\x04 this is no archive")
    entries = [
        dataclasses.replace(
            entry,
            people=(people or {}).get(entry.student, entry.people),
            submitted=(submitted or {}).get(entry.student),
        )
        for entry in entries_of(submissions)
    ]
    folder = ClassFolder(root / "results")
    grade_class(entries, folder, settings or Settings(), engine_of(answers), console, jobs=1, ask_canary=canary())
    return folder


def engine_of(answers: dict[str, dict[str, Any]]) -> Callable[[Iterable[Task]], Iterator[tuple[Task, dict[str, Any]]]]:
    return lambda tasks: ((task, answers[task.student]) for task in tasks)


def canary(**facts: Any) -> Callable[[bytes], dict[str, Any]]:
    """Answers for the reference; by default it passes everything that is asked."""

    def ask(payload: bytes) -> dict[str, Any]:
        request = json.loads(payload)
        only = None if request["only"] is None else frozenset(request["only"])
        return measured(curves=request["curves"], only=only, **facts)

    return ask


@pytest.fixture
def quick_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports are not drawn: three figures each take longer than all else."""
    monkeypatch.setattr(
        student_documents, "page", lambda grade, name: f'<main>\n<section id="points">\n{name}</section></main>'
    )


def without_pages(result: Result, *, is_graded: bool) -> dict[str, bytes]:
    """What a large made-up class has in place of its documents: drawing hundreds of pages takes minutes."""
    standing = json.dumps(standing_of(result)).encode()
    return {"standing.json": standing, "report.html": b"<!DOCTYPE html><title>report</title>"}


@pytest.fixture
def with_a_topic(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Assignment:
    """The assignment with ensemble.py as the file of an optional problem, of whose points 8 count.

    People grade 2 points of it.
    """
    text = ASSIGNMENT_FILE.read_text(encoding="utf-8")
    title = 'title = "Ensembles and uncertainty"\n'
    functions = '"bootstrap_indices", "member_minibatches", "particle_returns", "aggregate_returns", "gaussian_nll"'
    points = load_assignment().problem("ensembles").points
    topic = f"{title}points = {points + 2}\nwritten = 2\noptional = true\n"
    notebook = '[[notebooks]]\nfile = "ensembles.ipynb"\nminutes = 5\noptional = true\n'
    edits = (
        (f"{title}points = {points}\n", topic),
        (f"    {functions},\n", ""),
        ("# The stubs, in", f"{notebook}\n# The stubs, in"),
    )
    for old, new in edits:
        assert text.count(old) == 1
        text = text.replace(old, new)
    path = tmp_path_factory.mktemp("topic") / "assignment.toml"
    path.write_text(text, encoding="utf-8")
    assignment = load_assignment(path)
    assert assignment.optional_code[0] == "ensemble.py"
    assert assignment.policies.bonus_cap == 8
    use_assignment(assignment, monkeypatch)
    return assignment


def use_assignment(assignment: Assignment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the whole grader read this one. Nothing that follows from it is remembered beyond the test."""
    for name, module in list(sys.modules.items()):
        if name.startswith("autograder.") and hasattr(module, "load_assignment"):
            monkeypatch.setattr(module, "load_assignment", lambda: assignment)
        for attribute, found in list(vars(module).items()):
            if isinstance(found, functools._lru_cache_wrapper):
                code = getattr(found.__wrapped__, "__code__", None)
                if code is not None and "load_assignment" in code.co_names:
                    monkeypatch.setattr(module, attribute, found.__wrapped__)


def in_canvas(found: Class, path: Path) -> dict[str, str]:
    """The cells of the homework that a class gets in a gradebook of Canvas, by student id."""
    people = [person for result in found.results for person in result.people]
    rows = [["Student", "ID", f"{ASSIGNMENT.course.title} (1)"], *([one.name or one.id, one.id, ""] for one in people)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    content = fill(path, "canvas", found, None).content.decode("utf-8-sig")
    return {id_: points for _, id_, points in list(csv.reader(io.StringIO(content, newline="")))[1:]}
