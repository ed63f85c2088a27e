"""A job process: one grader that grades submission after submission. Started by `engine.JobProcess`.

It reads framed JSON from its standard input and answers each frame with one on its standard output. When the input
ends, however its parent ended, it ends at once, and its fork server and workers with it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import queue
import struct
import sys
import threading
from pathlib import Path
from typing import IO, Any

MAX_FRAME = 64_000_000  # bytes; a submission has at most a third of that
MAX_MESSAGE = 5_000  # characters of a text for staff that may hold the student's
LENGTH = struct.Struct("<Q")


class FrameError(Exception):
    """The other end is gone, or speaks another language."""


def write_frame(stream: IO[bytes], content: bytes) -> None:
    if len(content) > MAX_FRAME:
        raise FrameError(f"a message of {len(content):,} bytes is too long")
    stream.write(LENGTH.pack(len(content)) + content)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes:
    """Raises FrameError at the end of the stream."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise FrameError("the stream ended")
    (length,) = LENGTH.unpack(head)
    if length > MAX_FRAME:
        raise FrameError(f"a message of {length:,} bytes is announced")
    content = stream.read(length)
    if len(content) < length:
        raise FrameError("the stream ended within a message")
    return content


def encode_files(files: dict[str, bytes]) -> dict[str, str]:
    return {name: base64.b64encode(content).decode("ascii") for name, content in files.items()}


class _Job:
    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._closing = contextlib.ExitStack()
        self._grader: Any = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._measure(request)
        except Exception as error:  # the parent counts it as a fault of the grader, never of the student
            return {"fault": f"{type(error).__name__}: {error}"[:MAX_MESSAGE]}

    def _measure(self, request: dict[str, Any]) -> dict[str, Any]:
        from autograder.classroom.night.record import measured
        from hw4.handin.intake import Intake, SyntaxProblem

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

    def _open(self) -> Any:
        if self._grader is None:
            from autograder.grading.private import load_private
            from autograder.grading.session import ConfinementTooWeak, Grader

            required = () if self._settings["accept_weak_confinement"] else load_private().required_guarantees
            hidden = tuple(map(Path, self._settings["hidden"]))
            seconds = self._settings["deadline_seconds"]
            grader = Grader(jobs=1, required=required, deadline_seconds=seconds, hidden=hidden)
            self._closing.enter_context(grader)
            if missing := grader.confinement.missing(required):  # here all submissions are of others
                holes = [hole for guarantee in missing for hole in grader.confinement.holes(guarantee.id)]
                self._closing.close()
                raise ConfinementTooWeak(missing, holes)
            self._grader = grader
        return self._grader


class Silent:
    """A Listener that says nothing."""

    def test_ended(self, outcome: Any) -> None: ...

    def episode_ended(self, curve: Any, run: int, episode: int, episode_return: float) -> None: ...

    def run_ended(self, curve: Any, run: int) -> None: ...


def bounded(value: Any) -> Any:
    """The same document with every text cut to a bounded length."""
    if isinstance(value, dict):
        return {key: bounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [bounded(item) for item in value]
    return value[:MAX_MESSAGE] if isinstance(value, str) else value


def main() -> None:
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what anything prints goes to the log
    sys.stdout = sys.stderr
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        with contextlib.suppress(FrameError, OSError):
            while True:
                waiting.put(read_frame(requests))
        os._exit(0)  # nobody listens any more: whatever is being graded is of no use

    job = _Job(json.loads(read_frame(requests)))
    threading.Thread(target=listen, daemon=True).start()
    while True:
        write_frame(answers, json.dumps(job.answer(json.loads(waiting.get()))).encode())


if __name__ == "__main__":
    main()
