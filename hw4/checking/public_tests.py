"""Runs the public tests in a process of its own and says of each stub what they found (given).

An endless loop or an exit in a student's code so ends one test and not the check.
"""

from __future__ import annotations

import ast
import json
import os
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
from hw4.checking.failure import Comparison, Failure
from hw4.checking.importing import failure_of_collection, import_alone, syntax_error
from hw4.handin.assignment import Stub, load_assignment

PACKAGE = Path(__file__).resolve().parents[1]
EXAMPLE = "worked_example"  # how the name of a stub's first test ends
SLACK = 4  # a test that takes this many times what the grader gives one check is ended
START_SECONDS = 180.0  # until the first test: the first import of torch can be slow
POLL_SECONDS = 0.1

Status = Literal["done", "failing", "waiting", "not checked", "not started"]


class ChecksNotRun(RuntimeError):
    """pytest itself did not start: not installed, or a given file is broken."""


@dataclass
class StubReport:
    """What the public tests say of one stub."""

    stub: Stub
    collected: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)
    compared: dict[str, Comparison] = field(default_factory=dict)  # by test, where one failed at a comparison
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
    def example(self) -> Comparison | None:
        return next((failure.example for failure in self.failures if failure.example is not None), None)

    @property
    def fails_its_example(self) -> bool:
        return any(failure.test.endswith(EXAMPLE) for failure in self.failures)

    @property
    def passes_its_example(self) -> bool:
        """Whether the worked example comes out right, so that what fails is another test."""
        failed = {failure.test for failure in self.failures}
        return any(test.endswith(EXAMPLE) and test not in failed for test in self.ended)


def tests_of(file: str) -> str:
    """Where the public tests of a code file are: "hw4/tests/topics/test_NAME.py" for "topics/NAME.py"."""
    path = PurePosixPath(file)
    return (PurePosixPath("hw4/tests") / path.with_name(f"test_{path.name}")).as_posix()


def source_of(file: str) -> bytes | None:
    """A code file as it is written now, or None if there is none."""
    path = PACKAGE / file
    return path.read_bytes() if path.is_file() else None


def is_readable(file: str) -> bool:
    """Whether Python can read a code file."""
    return syntax_error(PACKAGE, file) is None


def docstring_of(test: str) -> str:
    """The docstring of a public test, "hw4/tests/test_mpc.py::test_...", in one line; empty if it has none."""
    file, _, name = test.partition("[")[0].partition("::")
    tree = ast.parse((PACKAGE.parent / file).read_bytes())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == name)
    return " ".join((ast.get_docstring(next(functions)) or "").split())


def check_stubs(stubs: list[Stub], console: Console) -> list[StubReport]:
    """Run the public tests of these stubs; again without the culprit after one that hangs or ends the process.

    Raises:
        ChecksNotRun: pytest does not start, and no code file is the reason.
    """
    reports = [StubReport(stub) for stub in stubs]
    for report in reports:
        if failure := syntax_error(PACKAGE, report.stub.file):
            report.failures.append(failure)
    with console.status("running the public tests ...") as status:
        while pending := [report for report in reports if not report.settled]:
            not_run: ChecksNotRun | None = None
            try:
                for done, total in _run_tests(pending):
                    status.update(f"running the public tests ... {done} of {total}")
            except ChecksNotRun as error:
                not_run = error
            if any(report.settled for report in pending) or _find_files_that_end_it(pending):
                continue
            if not_run is not None:
                raise not_run
            break
    _find_knock_ons(reports)
    return reports


def _find_files_that_end_it(pending: list[StubReport]) -> bool:
    """Put into the reports which files end the process, or never end, when they are imported; whether there are any."""
    code = load_assignment().submission.code
    failures = {file: import_alone(PACKAGE, file, code) for file in {report.stub.file for report in pending}}
    for report in pending:
        if (failure := failures[report.stub.file]) is not None:
            report.failures.append(failure)
    return any(failure is not None for failure in failures.values())


def _find_knock_ons(reports: list[StubReport]) -> None:
    """Note for each failing stub the first one that it calls and that fails as well."""
    failing = [report for report in reports if report.status == "failing"]
    assignment = load_assignment()
    readable = [file for file in assignment.submission.code if is_readable(file)]
    sources = {file: (PACKAGE / file).read_text(encoding="utf-8") for file in readable}
    calls = calls_between_stubs(sources, assignment.stubs) if len(failing) > 1 else {}
    for report in failing:
        called = calls.get(report.stub.id, set())
        report.calls_failing = next((other for other in failing if other.stub.id in called), None)


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
            *("-p", "hw4.checking.compared", "--outcomes", str(outcomes)),
        ]
        environment = {
            **os.environ,
            "PYTHONBREAKPOINT": f"{__name__}.refuse_breakpoint",
            "OMP_NUM_THREADS": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # what else a student has installed changes no verdict, and is slow
        }
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
                in_time = process.poll() is not None
                process.kill()
                process.wait()
        if not any(report.collected or report.failures for report in pending):
            text = output.read_text(encoding="utf-8", errors="replace")[-2000:]
            if not in_time:
                text = (
                    f"{text}\nIt did not start within {START_SECONDS:g} s. Is this machine busy? Then try again later."
                )
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
                f"time. If this machine is busy with something else, check again when it is not"
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
                code = load_assignment().submission.code
                report.failures.append(failure_of_collection(report.stub.file, event["message"], code))
        return running
    if event["event"] == "compared":
        for report in pending:
            report.compared[test] = Comparison(event["name"], event["seen"], event["wanted"])
        return running
    for report in pending:
        if test in report.collected:
            report.ended.add(test)
            if not event["passed"]:
                report.failures.append(_failure(event, report.compared.get(test)))
    return None


def _failure(event: dict[str, Any], compared: Comparison | None) -> Failure:
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
        example=None if example is None else Comparison(*example),
        compared=compared,
    )


def refuse_breakpoint(*args: object, **kwargs: object) -> NoReturn:
    """What `breakpoint()` does during the check: there is no keyboard."""
    raise EOFError("breakpoint() needs a keyboard; run one test with `pytest ... --pdb` instead")
