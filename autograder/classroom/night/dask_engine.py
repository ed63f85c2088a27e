"""Grades on the machines behind a Dask scheduler: the same task, sent as bytes. No shared folder is assumed.

A thin engine: each Dask worker keeps one job (`engine.Job`), so a submission that brings down its grader does not bring
down the worker. What a worker that dies was grading is graded by another. Every machine needs the same checkout; an
answer by another version of the grader is not taken.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from distributed import Client, KilledWorker, as_completed

from autograder.classroom.intake.entries import ClassError
from autograder.classroom.night.engine import Job, Task
from autograder.classroom.night.job import Settings, fault

CONNECT_SECONDS = 60
IN_FLIGHT = 2  # tasks for each thread of a worker: the next one is there when one ends
MAX_DEATHS = 3  # of workers, over one submission, before it counts as a fault of the grader

_of_thread = threading.local()


def grade_payload(payload: bytes, settings: Settings) -> bytes:
    """Runs on a Dask worker."""
    if getattr(_of_thread, "settings", None) != settings:
        if hasattr(_of_thread, "job"):
            _of_thread.job.close()
        multiprocessing.current_process().daemon = False  # a Dask nanny's worker is one, and daemons may start nothing
        _of_thread.job, _of_thread.settings = Job(settings), settings
    return json.dumps(_of_thread.job.ask(payload)).encode()


@contextlib.contextmanager
def connected(scheduler: str, security: Any = None) -> Iterator[Client]:
    """A client of the scheduler. Raises ClassError if there is none."""
    try:
        client = Client(scheduler, security=security, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClassError(f"there is no Dask scheduler at {scheduler}: {error}") from None
    try:
        yield client
    finally:
        client.close()


def grade_on(client: Client, tasks: Iterable[Task], settings: Settings) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Grade in the order in which workers end. Raises ClassError when there is no worker at all."""
    todo = iter(tasks)
    pending: dict[Any, Task] = {}
    running = as_completed()

    def send() -> bool:
        task = next(todo, None)
        if task is None:
            return False
        future = client.submit(grade_payload, task.payload, settings, pure=False, retries=MAX_DEATHS)
        pending[future.key] = task
        running.add(future)
        return True

    threads = sum(client.nthreads().values())
    if threads == 0:
        raise ClassError("the Dask scheduler has no worker: start `dask worker` on the machines that should grade")
    for _ in range(IN_FLIGHT * threads):
        if not send():
            break
    for future in running:
        task = pending.pop(future.key)
        try:
            answer: dict[str, Any] = json.loads(future.result())
        except KilledWorker:
            answer = fault("every worker that tried to grade this died")
        except Exception as error:  # whatever went wrong on another machine is a fault at this submission alone
            answer = fault(f"{type(error).__name__}: {error}")
        future.release()
        send()
        yield task, answer
