"""Where the time of `make grade` goes: seconds of each stage when the reference is graded.

Run: .venv/bin/python -m benchmarks.grade_timeline [--jobs 2] [--output benchmarks/data/grade_timeline.csv]

Stages overlap: learning runs start while the hidden tests are still running. Processor seconds add up, wall-clock
seconds do not.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import os
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import tyro
from rich.console import Console
from rich.table import Table

IMPORTS, FORK_SERVER, OTHER = "imports", "fork server and confinement", "everything else"
COLUMNS = ("stage", "parts", "begins", "ends", "grader_cpu_seconds", "worker_cpu_seconds", "largest_worker_mb")


@dataclass
class Stage:
    """What one stage took, its parts together. Seconds; `begins` and `ends` count from the start of the command."""

    parts: int = 0
    begins: float = float("inf")
    ends: float = 0.0
    grader_cpu_seconds: float = 0.0
    worker_cpu_seconds: float = 0.0
    largest_worker_mb: float = 0.0


class Stopwatch:
    """Notes what each stage takes, and which stage each worker belonged to."""

    def __init__(self) -> None:
        self.stages: dict[str, Stage] = {}
        self.server_mb = 0.0  # of the fork server: its peak when last seen
        self._start = time.perf_counter()
        self._here = threading.local()  # the stage that this thread is in
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """A part of a stage, unless this thread is in one already."""
        if getattr(self._here, "name", None) is not None:
            yield
            return
        self._here.name = name
        begins, cpu = time.perf_counter() - self._start, time.thread_time()
        try:
            yield
        finally:
            self._here.name = None
            with self._lock:
                stage = self.stages.setdefault(name, Stage())
                stage.parts += 1
                stage.begins = min(stage.begins, begins)
                stage.ends = max(stage.ends, time.perf_counter() - self._start)
                stage.grader_cpu_seconds += time.thread_time() - cpu

    def timed(self, function: Callable[..., Any], name: str | Callable[..., str]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self.stage(name if isinstance(name, str) else name(*args, **kwargs)):
                return function(*args, **kwargs)

        return wrapper

    def noting_workers(self, end: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(end)
        def wrapper(server: Any, *args: Any, **kwargs: Any) -> Any:
            exit_ = end(server, *args, **kwargs)
            with self._lock:
                stage = self.stages.setdefault(getattr(self._here, "name", None) or OTHER, Stage())
                stage.worker_cpu_seconds += exit_.cpu_seconds
                stage.largest_worker_mb = max(stage.largest_worker_mb, exit_.max_rss_kb / 1024)
                with contextlib.suppress(OSError):
                    self.server_mb = peak_mb(server.pid)
            return exit_

        return wrapper


def peak_mb(pid: int | str = "self") -> float:
    """The most memory that a process has held so far (MiB, resident; what it shares with others included)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def graded_reference(jobs: int) -> tuple[Stopwatch, float]:
    """Grade the reference as the command does.

    Returns:
        What the stages took, and the wall-clock seconds of everything.
    """
    watch = Stopwatch()
    start, cpu = time.perf_counter(), time.process_time()
    with watch.stage(IMPORTS):
        import autograder.__main__ as command
        import autograder.report.page as page
        import autograder.report.receipt as receipt
        import autograder.report.results as results
        from autograder.grading import session
        from autograder.grading.suite import Suite
        from autograder.isolation.fork_server import ForkServer
        from autograder.solutions import SOLUTIONS
    grader, one = session.Grader, session._Session
    patches = [
        patch.object(grader, "__enter__", watch.timed(grader.__enter__, FORK_SERVER)),
        patch.object(one, "_check_canary", watch.timed(one._check_canary, "the reference answers, files import")),
        patch.object(
            one, "_importable_package", watch.timed(one._importable_package, "the reference answers, files import")
        ),
        patch.object(Suite, "run", watch.timed(Suite.run, "hidden tests")),
        patch.object(one, "_run", watch.timed(one._run, lambda _, item, number: f"{item.kind}: {item.title}")),
        patch.object(one, "_check_integrity", watch.timed(one._check_integrity, "integrity of the curves' agents")),
        patch.object(ForkServer, "end", watch.noting_workers(ForkServer.end)),
        *(
            patch.object(module, name, watch.timed(getattr(module, name), "report"))
            for module, name in ((receipt, "receipt"), (results, "results"), (page, "page"))
        ),
    ]
    printed = io.StringIO()
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        for each in patches:
            stack.enter_context(each)
        stack.enter_context(contextlib.redirect_stdout(printed))
        status = command.grade(SOLUTIONS, output=Path(folder), jobs=jobs)
    if status != command.GRADED:
        raise SystemExit(f"the reference was not graded:\n{printed.getvalue()}")
    seconds = time.perf_counter() - start
    of_children = resource.getrusage(resource.RUSAGE_CHILDREN)
    server = watch.stages[FORK_SERVER]
    workers = sum(stage.worker_cpu_seconds for stage in watch.stages.values())
    server.worker_cpu_seconds += of_children.ru_utime + of_children.ru_stime - workers  # all but the workers' own
    rest = watch.stages.setdefault(OTHER, Stage(begins=0.0, ends=seconds))
    known = sum(stage.grader_cpu_seconds for stage in watch.stages.values())
    rest.grader_cpu_seconds += time.process_time() - cpu - known
    return watch, seconds


def main(jobs: int = 2, output: Path | None = None) -> None:
    """Grade the reference, and say where the time goes.

    Args:
        jobs: number of learning runs at once.
        output: a .csv to write.
    """
    load = os.getloadavg()[0]
    watch, seconds = graded_reference(jobs)
    stages = sorted(watch.stages.items(), key=lambda item: (item[0] == OTHER, item[1].begins))
    rows = [
        (
            name,
            str(stage.parts or ""),
            f"{stage.begins:.1f}",
            f"{stage.ends:.1f}",
            f"{stage.grader_cpu_seconds:.2f}",
            f"{stage.worker_cpu_seconds:.2f}",
            f"{stage.largest_worker_mb:.0f}" if stage.largest_worker_mb else "",
        )
        for name, stage in stages
    ]
    own = sum(stage.grader_cpu_seconds for _, stage in stages)
    theirs = sum(stage.worker_cpu_seconds for _, stage in stages)
    table = Table(
        "stage", "parts", "begins (s)", "ends (s)", "grader's processor (s)", "workers' processor (s)", "MB a worker"
    )
    for row in rows:
        table.add_row(*row)
    table.add_row("all", "", "0.0", f"{seconds:.1f}", f"{own:.2f}", f"{theirs:.2f}", "", style="bold")
    Console().print(table)
    print(f"{jobs} jobs on {os.cpu_count()} processors, load average before it {load:.1f}")
    if output:
        with output.open("w", encoding="utf-8", newline="") as file:
            file.write(f"# python -m benchmarks.grade_timeline --jobs {jobs}, load average before it {load:.1f}\n")
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(rows)


if __name__ == "__main__":
    tyro.cli(main)
