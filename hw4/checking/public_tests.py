"""Runs the public tests in a process of its own and says of each stub what they found (given).

An endless loop or an exit in a student's code so ends one test and not the check.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NoReturn

from rich.console import Console

from hw4.checking.answers import VAGUE_CAUSES  # the reason may be another stub that this one calls
from hw4.checking.calls import calls_between_stubs
from hw4.checking.causes import cause_of_exception
from hw4.handin.assignment import Stub, load_assignment

PACKAGE = Path(__file__).resolve().parents[1]
SLACK = 4  # a test that takes this many times what the grader gives one check is ended
START_SECONDS = 180.0  # until the first test: the first import of torch can be slow
POLL_SECONDS = 0.1
OWN_LINE = re.compile(r"hw4[\\/](?P<file>(?:\w+[\\/])*\w+\.py)(?::|\", line )(?P<line>\d+)")

Status = Literal["done", "failing", "waiting", "not checked", "not started"]


class ChecksNotRun(RuntimeError):
    """pytest itself did not start: not installed, or a given file is broken."""


@dataclass(frozen=True)
class Failure:
    """Why one test failed, or why a whole file could not be checked."""

    test: str  # "hw4/tests/test_mpc.py::test_...", or the file's name
    exception: str
    message: str
    cause: str
    where: str | None = None  # "hw4/mpc.py:57"
    example: tuple[str, str, str] | None = None  # name, seen, wanted of the worked example

    @property
    def is_of_whole_file(self) -> bool:
        return "::" not in self.test


@dataclass
class StubReport:
    """What the public tests say of one stub."""

    stub: Stub
    collected: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)
    calls_failing: StubReport | None = None  # of a stub that this one calls and that fails too

    @property
    def settled(self) -> bool:
        """Whether no further run can tell more."""
        return bool(self.failures) or (bool(self.collected) and self.collected <= self.ended)

    @property
    def unwritten(self) -> str | None:
        """The stub whose NotImplementedError stopped a test: this one, or another that this one calls."""
        for failure in self.failures:
            if failure.cause == "not_started":
                return failure.message.partition(":")[0]
        return None

    @property
    def status(self) -> Status:
        if not self.failures:
            return "done" if self.settled else "failing"
        if any(failure.is_of_whole_file for failure in self.failures):
            return "not checked"
        if self.unwritten is not None:
            return "not started" if self.unwritten == self.stub.id else "waiting"
        return "waiting" if self.is_knock_on else "failing"

    @property
    def is_knock_on(self) -> bool:
        """Whether a failing stub that this one calls would explain the failure."""
        failure, called = self.main_failure, self.calls_failing
        if failure is None or called is None:
            return False
        return failure.cause in VAGUE_CAUSES or failure.cause in {other.cause for other in called.failures}

    @property
    def main_failure(self) -> Failure | None:
        """The failure to show: one whose cause is known before one that only says that numbers differ."""
        known = [failure for failure in self.failures if failure.cause not in VAGUE_CAUSES]
        return next(iter(known + self.failures), None)

    @property
    def example(self) -> tuple[str, str, str] | None:
        return next((failure.example for failure in self.failures if failure.example is not None), None)


def tests_of(file: str) -> str:
    """Where the public tests of a code file are: "hw4/tests/topics/test_NAME.py" for "topics/NAME.py"."""
    path = PurePosixPath(file)
    return (PurePosixPath("hw4/tests") / path.with_name(f"test_{path.name}")).as_posix()


def source_of(file: str) -> bytes | None:
    """A code file as it is written now, or None if there is none."""
    path = PACKAGE / file
    return path.read_bytes() if path.is_file() else None


def check_stubs(stubs: list[Stub], console: Console) -> list[StubReport]:
    """Run the public tests of these stubs; again without the culprit after one that hangs or ends the process."""
    reports = [StubReport(stub) for stub in stubs]
    for report in reports:
        if failure := syntax_error(report.stub.file):
            report.failures.append(failure)
    with console.status("running the public tests ...") as status:
        while pending := [report for report in reports if not report.settled]:
            for done, total in _run_tests(pending):
                status.update(f"running the public tests ... {done} of {total}")
            if not any(report.settled for report in pending):
                break
    _find_knock_ons(reports)
    return reports


def _find_knock_ons(reports: list[StubReport]) -> None:
    """Note for each failing stub the first one that it calls and that fails as well."""
    failing = [report for report in reports if report.status == "failing"]
    assignment = load_assignment()
    readable = [file for file in assignment.submission.code if syntax_error(file) is None]
    sources = {file: (PACKAGE / file).read_text(encoding="utf-8") for file in readable}
    calls = calls_between_stubs(sources, assignment.stubs) if len(failing) > 1 else {}
    for report in failing:
        called = calls.get(report.stub.id, set())
        report.calls_failing = next((other for other in failing if other.stub.id in called), None)


def syntax_error(file: str) -> Failure | None:
    path = PACKAGE / file
    try:
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
    except FileNotFoundError:
        return Failure(file, "FileNotFoundError", f"hw4/{file} is missing", "does_not_import")
    except (SyntaxError, ValueError) as error:  # ValueError: null bytes, or not UTF-8
        line = getattr(error, "lineno", None)
        message = getattr(error, "msg", None) or str(error)
        return Failure(file, type(error).__name__, message, "does_not_import", f"hw4/{file}:{line}" if line else None)
    return None


def _run_tests(pending: list[StubReport]) -> Iterator[tuple[int, int]]:
    """Run pytest once and put what happens into the reports. Yields (tests ended, tests in all) as it goes."""
    files = sorted({str(PACKAGE.parent / tests_of(report.stub.file)) for report in pending})
    with tempfile.TemporaryDirectory() as folder:
        outcomes, output = Path(folder) / "outcomes.jsonl", Path(folder) / "output.txt"
        outcomes.touch()
        command = [
            *(sys.executable, "-m", "pytest", *files),
            *("-m", " or ".join(report.stub.id for report in pending)),
            *("--rootdir", str(PACKAGE.parent)),  # so that a test's name starts with hw4/tests
            *("-q", "--tb=short", "-p", "no:cacheprovider", "--continue-on-collection-errors"),
            *("--outcomes", str(outcomes)),
        ]
        environment = {**os.environ, "PYTHONBREAKPOINT": f"{__name__}.refuse_breakpoint", "OMP_NUM_THREADS": "1"}
        with output.open("wb") as written:
            process = subprocess.Popen(
                command,
                cwd=PACKAGE.parent,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
            )
            try:
                yield from _watch(process, outcomes, pending)
            finally:
                process.kill()
                process.wait()
        if not any(report.collected or report.failures for report in pending):
            text = output.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise ChecksNotRun(f"pytest could not run the public tests:\n{text}")


def _watch(process: subprocess.Popen[bytes], outcomes: Path, pending: list[StubReport]) -> Iterator[tuple[int, int]]:
    running: str | None = None
    call_seconds = load_assignment().limits.call_seconds
    test_seconds = SLACK * call_seconds
    deadline = time.monotonic() + START_SECONDS
    with outcomes.open(encoding="utf-8") as lines:
        rest = ""
        while True:
            finished = process.poll() is not None  # before reading: what was written last must still be read
            text = rest + lines.read()
            *complete, rest = text.split("\n")
            for line in complete:
                event = json.loads(line)
                running = _take_in(event, pending, running)
                deadline = time.monotonic() + test_seconds
            yield _count(pending)
            if finished or time.monotonic() > deadline:
                break
            if not complete:
                time.sleep(POLL_SECONDS)
    if running is not None:
        took_too_long = not finished
        message, cause = "the process ended during the test", "exits"
        if took_too_long:
            message = (
                f"stopped after {test_seconds:g} s here; the grader gives each check {call_seconds:g} s of processor "
                f"time"
            )
            cause = "too_slow"
        for report in pending:
            if running in report.collected:
                report.failures.append(
                    Failure(running, "TimeoutError" if took_too_long else "SystemExit", message, cause)
                )


def _count(pending: list[StubReport]) -> tuple[int, int]:
    return sum(len(report.ended) for report in pending), sum(len(report.collected) for report in pending)


def _take_in(event: dict[str, Any], pending: list[StubReport], running: str | None) -> str | None:
    """Put one event into the reports. Returns the test that is running after it."""
    test = event["test"]
    if event["event"] == "start":
        return str(test)
    if event["event"] == "collected":
        for report in pending:
            if report.stub.id in event["stubs"]:
                report.collected.add(test)
        return running
    if event["event"] == "import failed":
        for report in pending:
            if tests_of(report.stub.file) == test:
                report.failures.append(_import_failure(report.stub.file, event["message"]))
        return running
    for report in pending:
        if test in report.collected:
            report.ended.add(test)
            if not event["passed"]:
                report.failures.append(_failure(event))
    return None


def _failure(event: dict[str, Any]) -> Failure:
    exception, message = event["exception"], event["message"]
    cause = event["cause"] or cause_of_exception(exception, message)
    if cause == "raised" and exception == "AssertionError":
        cause = "wrong_value"
    if cause == "shapes_do_not_fit" and event["where"] is None:
        cause = "wrong_shape"  # the test stumbled over what was returned
    example = event["example"]
    return Failure(
        test=event["test"],
        exception=exception,
        message=message,
        cause=cause,
        where=event["where"],
        example=None if example is None else (example[0], example[1], example[2]),
    )


def _import_failure(file: str, text: str) -> Failure:
    """From pytest's report of a test module that could not be imported: the student's line and the last error."""
    lines = ((match["file"].replace("\\", "/"), match["line"]) for match in OWN_LINE.finditer(text))
    own = [f"hw4/{name}:{line}" for name, line in lines if name in load_assignment().submission.code]
    errors = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    exception, _, message = (errors[-1] if errors else "ImportError: it cannot be imported").partition(": ")
    return Failure(file, exception, message, "does_not_import", own[-1] if own else None)


def refuse_breakpoint(*args: object, **kwargs: object) -> NoReturn:
    """What `breakpoint()` does during the check: there is no keyboard."""
    raise EOFError("breakpoint() needs a keyboard; run one test with `pytest ... --pdb` instead")
