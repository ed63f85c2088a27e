"""Submissions graded in an hour, and what the grader itself costs beyond the student's compute.

Run: .venv/bin/python -m benchmarks.class_grading [--submissions 4] [--jobs 2] [--functions-only]
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import tyro

from autograder.classroom.intake.folder import ClassFolder, Done
from autograder.classroom.marks.standing import result_of
from autograder.classroom.marks.student_documents import documents_of
from autograder.classroom.night.engine import Task, grade_locally
from autograder.classroom.night.job import Settings, payload_of
from autograder.classroom.night.record import facts_of_intake, measured
from autograder.grading.listener import Silent
from autograder.grading.session import Grader
from autograder.solutions import reference_code
from hw4.handin.assignment import load_assignment
from hw4.handin.intake import Intake

PERSON = {"student": "reference", "people": (), "group": "", "late": False, "on_roster": True}


def reference(*, topics: bool) -> Intake:
    """The reference solution, with or without what is optional."""
    required = load_assignment().required_code
    return Intake({n: c for n, c in reference_code().items() if topics or n in required}, (), (), (), (), ())


def cpu_seconds(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def overhead(intake: Intake, num: int, *, curves: bool) -> tuple[float, float]:
    """Processor seconds of one submission: (the grader itself, fork server and workers).

    All that is done for a student of a class is done here in one process: grading, record, documents, writing.
    """
    own, theirs = cpu_seconds(resource.RUSAGE_SELF), cpu_seconds(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as place, Grader(jobs=1, required=()) as grader:
        folder = ClassFolder(Path(place))
        folder.open()
        for number in range(num):
            found = measured(grader.grade(intake, Silent(), curves=curves), curves=curves, only=None)
            record = {"intake": facts_of_intake(intake), "measured": found}
            documents = documents_of(result_of(record, PERSON, []), is_graded=curves)
            folder.commit(Done(f"s{number}", "", "graded"), record, documents, "all")
    own, theirs = cpu_seconds(resource.RUSAGE_SELF) - own, cpu_seconds(resource.RUSAGE_CHILDREN) - theirs
    return own / num, theirs / num


def submissions_an_hour(intake: Intake, num: int, jobs: int, *, curves: bool) -> float:
    """By the engine of `grade-class`, beginning when every job has graded one submission."""
    payload = payload_of(intake, tuple(intake.files), curves=curves, only=None)
    settings = Settings(curves=curves, accept_weak_confinement=True)
    start = time.monotonic()

    def tasks() -> Iterator[Task]:
        for number in range(num + jobs):
            yield Task(f"s{number}", payload)

    ended = []
    for _, answer in grade_locally(tasks(), settings, jobs=jobs):
        if "fault" in answer:
            raise SystemExit(f"the grader failed: {answer['fault']}")
        ended.append(time.monotonic() - start)
    return num / (ended[-1] - ended[jobs - 1]) * 3600


def main(
    submissions: int = 4,
    jobs: int = 2,
    functions_only: bool = False,
    overhead_only: bool = False,
    topics: bool = False,
) -> None:
    """Submissions graded in an hour, and what the grader itself costs beyond the student's compute.

    Args:
        submissions: how many are graded.
        jobs: graded at once.
        functions_only: leave out the learning curves.
        overhead_only: leave out the rate of a whole class.
        topics: with all topics, too.
    """
    curves, intake = not functions_only, reference(topics=topics)
    load = os.getloadavg()[0]
    own, theirs = overhead(intake, submissions, curves=curves)
    print(
        f"one correct submission, {'functions and curves' if curves else 'functions alone'}, load average {load:.1f}:"
    )
    print(f"  student's compute, workers and fork server: {theirs:7.1f} s of processor time")
    print(f"  the grader itself:                          {own:7.1f} s, {own / theirs:.1%} of that")
    if not overhead_only:
        rate = submissions_an_hour(intake, submissions, jobs, curves=curves)
        print(f"  {rate:.0f} submissions an hour in {jobs} jobs")


if __name__ == "__main__":
    tyro.cli(main)
