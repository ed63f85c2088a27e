"""Where submissions are graded: in job processes of this machine. `dask_engine.py` does the same on others.

An engine takes tasks and yields an answer for each, in the order in which they end. It writes nothing, so killing it
loses nothing but what is in flight.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from autograder.classroom.night.job import FrameError, encode_files, read_frame, write_frame
from autograder.solutions import ROOT
from hw4.handin.intake import Intake

SPARE_SECONDS = 300.0  # beyond its own deadline, after which a job that says nothing is ended
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Settings:
    """How every submission of a class is graded."""

    curves: bool = True
    only: frozenset[str] | None = None  # ids of functions; all if None
    deadline_seconds: float = 3600.0  # wall-clock time for one submission
    accept_weak_confinement: bool = False
    hidden: tuple[Path, ...] = ()  # folders that no worker may see


@dataclass(frozen=True)
class Task:
    """One submission to grade."""

    student: str
    payload: bytes


class JobDied(Exception):
    """The process that graded is gone."""


def payload_of(intake: Intake, code: tuple[str, ...], *, curves: bool, only: frozenset[str] | None) -> bytes:
    """What travels to a job: code files alone, and what is to be done with them."""
    request = {
        "files": encode_files({name: content for name, content in intake.files.items() if name in code}),
        "syntax_errors": [vars(problem) for problem in intake.syntax_errors],
        "curves": curves,
        "only": None if only is None else sorted(only),
    }
    return json.dumps(request).encode()


class JobProcess:
    """A grader in a process of its own. Use as a context manager; safe for one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    def __enter__(self) -> JobProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End it for good."""
        self._is_closed = True
        self.stop()

    def stop(self) -> None:
        """End it, and with it everything that it has started; the next question starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    try:
                        stream.close()
                    except OSError:  # what was still to be written has nobody to read it
                        continue

    def ask(self, payload: bytes) -> dict[str, Any]:
        """Grade one submission.

        Raises:
            JobDied: the process ended, or was ended because it did not answer; the next call starts another.
        """
        if self._is_closed:
            raise JobDied("the process that graded ended with status 0: nothing more is graded")
        process = self._process or self._start()
        timer = threading.Timer(self._settings.deadline_seconds + SPARE_SECONDS, process.kill)
        timer.daemon = True
        timer.start()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            write_frame(process.stdin, payload)
            answer: dict[str, Any] = json.loads(read_frame(process.stdout))
        except (FrameError, OSError, ValueError) as error:
            self.stop()
            raise JobDied(f"the process that graded ended with status {process.returncode}: {error}") from error
        finally:
            timer.cancel()
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-B", "-m", "autograder.classroom.night.job"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, **ONE_THREAD},
        )
        settings = {
            "hidden": [str(path) for path in self._settings.hidden],
            "deadline_seconds": self._settings.deadline_seconds,
            "accept_weak_confinement": self._settings.accept_weak_confinement,
        }
        assert self._process.stdin is not None
        write_frame(self._process.stdin, json.dumps(settings).encode())
        return self._process


def ask_twice(job: JobProcess, payload: bytes) -> dict[str, Any]:
    """The answer to one task; a fault of the grader is worth a second try in a new process."""
    answer: dict[str, Any] = {}
    for _ in range(2):
        try:
            answer = job.ask(payload)
        except JobDied as death:
            answer = {"fault": str(death)}
        if not is_faulty(answer):
            break
        job.stop()
    return answer


def is_faulty(answer: dict[str, Any]) -> bool:
    """Whether the grader failed, wholly or at some check. A deadline that passed would pass again."""
    if "fault" in answer:
        return "ConfinementTooWeak" not in answer["fault"]
    verdicts = [(outcome["verdict"], outcome["message"]) for outcome in answer["outcomes"].values()]
    verdicts += [(run["failure"], "") for runs in answer["runs"].values() for run in runs]
    return any(verdict == "grader_fault" and "deadline" not in message for verdict, message in verdicts)


def grade_locally(tasks: Iterable[Task], settings: Settings, *, jobs: int) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Grade in `jobs` processes of this machine, each with a grader of its own.

    Processes, not threads: the hidden suite is a pytest run, and one process can have only one at a time.
    """
    todo, lock = iter(tasks), threading.Lock()
    done: queue.SimpleQueue[tuple[Task, dict[str, Any]] | BaseException | None] = queue.SimpleQueue()
    processes = [JobProcess(settings) for _ in range(jobs)]
    stopping = threading.Event()

    def work(job: JobProcess) -> None:
        try:
            while not stopping.is_set():
                with lock:
                    task = next(todo, None)
                if task is None:
                    break
                done.put((task, ask_twice(job, task.payload)))
        except BaseException as error:  # of the tasks' own iterator: to be seen by whoever waits
            done.put(error)
        finally:
            done.put(None)

    threads = [threading.Thread(target=work, args=(job,), daemon=True) for job in processes]
    try:
        for thread in threads:
            thread.start()
        running = len(threads)
        while running:
            item = done.get()
            if item is None:
                running -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield item
    finally:
        stopping.set()
        for job in processes:
            job.close()
