"""Submissions graded in an hour, and what the grader itself costs beyond the student's compute.

Run: .venv/bin/python -m benchmarks.class_grading [--submissions 4] [--jobs 2] [--functions-only]
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from autograder.classroom.intake.folder import ClassFolder, Done
from autograder.classroom.marks.grades import documents_of, result_of
from autograder.classroom.night.engine import Settings, Task, grade_locally, payload_of
from autograder.classroom.night.job import Silent
from autograder.classroom.night.record import facts_of_intake, measured
from autograder.grading.session import Grader
from autograder.solutions import reference_code
from hw4.handin.intake import Intake

PERSON = {"student": "reference", "people": (), "group": "", "late": False, "on_roster": True}


def reference() -> Intake:
    return Intake(reference_code(), (), (), (), (), ())


def cpu_seconds(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def overhead(num: int, *, curves: bool) -> tuple[float, float]:
    """Processor seconds of one submission: (the grader itself, fork server and workers).

    All that is done for a student of a class is done here in one process: grading, record, documents, writing.
    """
    intake = reference()
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


def submissions_an_hour(num: int, jobs: int, *, curves: bool) -> float:
    """By the engine of `grade-class`, beginning when every job has graded one submission."""
    code = reference_code()
    payload = payload_of(reference(), tuple(code), curves=curves, only=None)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--functions-only", action="store_true")
    parser.add_argument("--overhead-only", action="store_true")
    arguments = parser.parse_args()
    curves = not arguments.functions_only
    load = os.getloadavg()[0]
    own, theirs = overhead(arguments.submissions, curves=curves)
    print(
        f"one correct submission, {'functions and curves' if curves else 'functions alone'}, load average {load:.1f}:"
    )
    print(f"  student's compute, workers and fork server: {theirs:7.1f} s of processor time")
    print(f"  the grader itself:                          {own:7.1f} s, {own / theirs:.1%} of that")
    if not arguments.overhead_only:
        rate = submissions_an_hour(arguments.submissions, arguments.jobs, curves=curves)
        print(f"  {rate:.0f} submissions an hour in {arguments.jobs} jobs")


if __name__ == "__main__":
    main()
