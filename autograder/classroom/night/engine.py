"""Where submissions are graded: in job processes of this machine. `dask_engine.py` does the same on others.

An engine takes tasks and yields an answer for each, in the order in which they end. It writes nothing, so killing it
loses nothing but what is in flight.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import queue
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any

from pebble import ProcessExpired, ProcessPool

from autograder.classroom.night.job import Settings, begin, fault, grade

SPARE_SECONDS = 300.0  # beyond its own deadline, after which a job that does not answer is ended
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
TRIES = 2  # where the grader fails, each in a new process
WAITING = 2  # tasks for each job: the next one is there when one ends


@dataclass(frozen=True)
class Task:
    """One submission to grade."""

    student: str
    payload: bytes


class Job:
    """A process with a grader of its own. Use as a context manager; one thread asks at a time, any thread may close.

    Each job is a pool of one: the processes of a pool share locks, so one that is killed may stop all the others.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._pool: ProcessPool | None = None
        self._asked: Future[bytes] | None = None
        self._is_closed = False

    def __enter__(self) -> Job:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process for good, and with it everything that it has started. Whoever waits gets a CancelledError."""
        with self._lock:
            self._is_closed = True
            if self._asked is not None:
                self._asked.cancel()
        self._stop()

    def ask(self, payload: bytes) -> dict[str, Any]:
        """Grade one submission.

        Raises:
            CancelledError: the job was closed.
        """
        answer: dict[str, Any] = {}
        for _ in range(TRIES):
            answer = self._ask_once(payload)
            if not is_faulty(answer):
                break
            self._stop()
        return answer

    def _ask_once(self, payload: bytes) -> dict[str, Any]:
        seconds = self._settings.deadline_seconds + SPARE_SECONDS
        try:
            answer: dict[str, Any] = json.loads(self._send(payload).result(seconds))
        except TimeoutError:
            return fault(f"the grading process did not answer within {seconds:.0f} s, and was ended")
        except ProcessExpired as death:
            return fault(f"the grading process ended with status {death.exitcode}")
        except RuntimeError as error:  # of the pool: the process ended before it had taken up the task
            return fault(f"the grading process did not start: {error}")
        return answer

    def _send(self, payload: bytes) -> Future[bytes]:
        with self._lock:
            if self._is_closed:
                raise CancelledError
            if self._pool is None:
                os.environ.update(ONE_THREAD)  # for the process, which loads numpy before `begin` could say so
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPool(1, initializer=begin, initargs=(self._settings,), context=context)
            self._asked = self._pool.schedule(grade, (payload,))
            return self._asked

    def _stop(self) -> None:
        """End the process; the next question starts another."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()
            pool.join()


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
    todo = iter(tasks)
    every_job = [Job(settings) for _ in range(jobs)]
    free: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in every_job:
        free.put(job)

    def ask(task: Task) -> dict[str, Any]:
        job = free.get()
        try:
            return job.ask(task.payload)
        finally:
            free.put(job)

    threads = ThreadPoolExecutor(jobs)
    try:
        pending = {threads.submit(ask, task): task for task in islice(todo, WAITING * jobs)}
        while pending:
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                task = pending.pop(future)
                pending |= {threads.submit(ask, task): task for task in islice(todo, 1)}
                yield task, future.result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        for job in every_job:
            job.close()
