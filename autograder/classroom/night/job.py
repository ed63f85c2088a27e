"""What runs in a job process: one grader that grades submission after submission. `engine.Job` starts it."""

from __future__ import annotations

import base64
import contextlib
import json
import multiprocessing
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.classroom.night.record import measured
from autograder.grading.listener import Silent
from autograder.grading.private import load_private
from autograder.grading.session import ConfinementTooWeak, Grader
from hw4.handin.code_files import SyntaxProblem
from hw4.handin.intake import Intake

MAX_MESSAGE = 5_000  # characters of a text for staff that may hold the student's
MAX_ANSWER = 64_000_000  # bytes


@dataclass(frozen=True)
class Settings:
    """How every submission of a class is graded."""

    curves: bool = True
    only: frozenset[str] | None = None  # ids of functions; all if None
    deadline_seconds: float = 3600.0  # wall-clock time for one submission
    accept_weak_confinement: bool = False
    hidden: tuple[Path, ...] = ()  # folders that no worker may see


def payload_of(intake: Intake, code: tuple[str, ...], *, curves: bool, only: frozenset[str] | None) -> bytes:
    """What travels to a job: code files alone, and what is to be done with them."""
    request = {
        "files": encode_files({name: content for name, content in intake.files.items() if name in code}),
        "syntax_errors": [vars(problem) for problem in intake.syntax_errors],
        "curves": curves,
        "only": None if only is None else sorted(only),
    }
    return json.dumps(request).encode()


def encode_files(files: dict[str, bytes]) -> dict[str, str]:
    return {name: base64.b64encode(content).decode("ascii") for name, content in files.items()}


def fault(message: str) -> dict[str, Any]:
    """The answer where the grader failed: never the student's fault."""
    return {"fault": message[:MAX_MESSAGE]}


# In the job process ---------------------------------------------------------------------------------------------------


def begin(settings: Settings) -> None:
    """The first thing that a job process does."""
    global _job
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    os.dup2(2, 1)  # what anything prints goes to the log
    sys.stdout = sys.stderr
    _job = _Job(settings)


def grade(payload: bytes) -> bytes:
    """Grade one submission, in a process that has begun; see `payload_of`."""
    try:
        answer = json.dumps(_job.measure(json.loads(payload))).encode()
    except Exception as error:
        return json.dumps(fault(f"{type(error).__name__}: {error}")).encode()
    if len(answer) > MAX_ANSWER:
        return json.dumps(fault(f"the answer has {len(answer):,} bytes, which is too many to send")).encode()
    return answer


def _end_with_the_parent() -> None:
    """Whatever is being graded is of no use once nobody waits for it. Fork server and workers end with this process."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


class _Job:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._closing = contextlib.ExitStack()
        self._grader: Grader | None = None

    def measure(self, request: dict[str, Any]) -> dict[str, Any]:
        intake = Intake(
            files={name: base64.b64decode(content) for name, content in request["files"].items()},
            missing=(),
            ignored=(),
            syntax_errors=tuple(SyntaxProblem(**problem) for problem in request["syntax_errors"]),
            forbidden_imports=(),
            notes=(),
        )
        only = None if request["only"] is None else frozenset(request["only"])
        grade = self._open().grade(intake, Silent(), curves=request["curves"], only=only)
        answer: dict[str, Any] = bounded(measured(grade, curves=request["curves"], only=only))
        return answer

    def _open(self) -> Grader:
        if self._grader is None:
            required = () if self._settings.accept_weak_confinement else load_private().required_guarantees
            seconds = self._settings.deadline_seconds
            grader = Grader(jobs=1, required=required, deadline_seconds=seconds, hidden=self._settings.hidden)
            self._closing.enter_context(grader)
            if missing := grader.confinement.missing(required):  # here all submissions are of others
                holes = [hole for guarantee in missing for hole in grader.confinement.holes(guarantee.id)]
                self._closing.close()
                raise ConfinementTooWeak(missing, holes)
            self._grader = grader
        return self._grader


_job: _Job  # of this process


def bounded(value: Any) -> Any:
    """The same document with every text cut to a bounded length."""
    if isinstance(value, dict):
        return {key: bounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [bounded(item) for item in value]
    return value[:MAX_MESSAGE] if isinstance(value, str) else value
