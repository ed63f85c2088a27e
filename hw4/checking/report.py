"""`python -m hw4 check`: what is done, what fails and why, what is not started (given).

Runs the public tests in a process of its own, so that an endless loop or an exit in your code ends one test and not
the check, and prints one row per stub. Below the table, a failing stub gets the hint that the grader would give.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from hw4.checking.answers import VAGUE_CAUSES  # the reason may lie in another stub that this one calls
from hw4.checking.causes import cause_of_exception
from hw4.checking.hints import hint_for
from hw4.handin.assignment import Assignment, Stub, load_assignment

PACKAGE = Path(__file__).resolve().parents[1]
SLACK = 4  # a test that takes this many times what the grader gives one check is ended
START_SECONDS = 180.0  # until the first test: the first import of torch can be slow
POLL_SECONDS = 0.1
OWN_LINE = re.compile(r"hw4[\\/](?P<file>\w+\.py)(?::|\", line )(?P<line>\d+)")

Status = Literal["done", "failing", "waiting", "not checked", "not started"]
STYLES: dict[Status, str] = {
    "done": "green",
    "failing": "red",
    "waiting": "yellow",
    "not checked": "red",
    "not started": "dim",
}


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


def main(problems: list[str]) -> int:
    """Check the named problems or stubs ("p1", "planning", "cem_refit"); all if none is named.

    Returns:
        0 if every selected stub is done, else 1.
    """
    console = Console()
    assignment = load_assignment()
    try:
        stubs = select_stubs(assignment, problems)
    except ValueError as error:
        console.print(escape(str(error)))
        return 1
    try:
        reports = check_stubs(stubs, console)
    except ChecksNotRun as error:
        console.print(escape(str(error)))
        return 1
    show(assignment, reports, console)
    return 0 if all(report.status == "done" for report in reports) else 1


def select_stubs(assignment: Assignment, names: list[str]) -> list[Stub]:
    """The stubs that the names stand for, in the order of assignment.toml.

    Raises:
        ValueError: a name stands for nothing.
    """
    chosen: set[str] = set()
    for name in names:
        matching = {stub.id for stub in assignment.stubs if name.lower() in _names_of(assignment, stub)}
        if not matching:
            problems = ", ".join(p.label.lower() for p in assignment.problems if assignment.stubs_of(p.id))
            raise ValueError(f"nothing to check is called {name!r}: name a problem ({problems}) or a stub id")
        chosen |= matching
    return [stub for stub in assignment.stubs if not names or stub.id in chosen]


def _names_of(assignment: Assignment, stub: Stub) -> set[str]:
    return {stub.id, stub.number, stub.problem, assignment.problem(stub.problem).label.lower()}


def check_stubs(stubs: list[Stub], console: Console) -> list[StubReport]:
    """Run the public tests of these stubs; again without the culprit after one that hangs or ends the process."""
    reports = [StubReport(stub) for stub in stubs]
    for report in reports:
        if failure := _syntax_error(report.stub.file):
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
    calls = _calls_between_stubs() if len(failing) > 1 else {}
    for report in failing:
        called = calls.get(report.stub.symbol, set())
        report.calls_failing = next((other for other in failing if other.stub.symbol in called), None)


def _calls_between_stubs() -> dict[str, set[str]]:
    """Symbol of a stub -> symbols of the stubs that it calls, directly or through given functions of its files.

    Read from the code as it is written now. A plain name counts as a function, an attribute as a method, whatever the
    object: `predict(...)`, an argument, is not `DynamicsModel.predict`, but `model.loss(...)` is `DynamicsModel.loss`.
    """
    assignment = load_assignment()
    functions: dict[str, ast.AST] = {}
    for file in assignment.submission.code:
        if _syntax_error(file) is None:
            functions |= _functions_of(ast.parse((PACKAGE / file).read_text(encoding="utf-8")))
    direct = {symbol: _called_symbols(function, functions.keys()) for symbol, function in functions.items()}
    stubs = {stub.symbol for stub in assignment.stubs}
    calls = {}
    for symbol in stubs & functions.keys():
        seen: set[str] = set()
        ahead = set(direct[symbol])
        while ahead:
            callee = ahead.pop()
            seen.add(callee)
            if callee not in stubs:
                ahead |= direct[callee] - seen
        calls[symbol] = (seen & stubs) - {symbol}
    return calls


def _functions_of(tree: ast.Module) -> dict[str, ast.AST]:
    """Functions and methods by symbol ("cem", "MPC.act")."""
    functions: dict[str, ast.AST] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            functions[node.name] = node
        elif isinstance(node, ast.ClassDef):
            methods = (method for method in node.body if isinstance(method, ast.FunctionDef))
            functions |= {f"{node.name}.{method.name}": method for method in methods}
    return functions


def _called_symbols(function: ast.AST, symbols: Iterable[str]) -> set[str]:
    names, attributes = set(), set()
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Name(id=name)):
                names.add(name)
            case ast.Call(func=ast.Attribute(attr=attribute)):
                attributes.add(attribute)
    return {
        symbol for symbol in symbols if (symbol.partition(".")[2] in attributes if "." in symbol else symbol in names)
    }


def _syntax_error(file: str) -> Failure | None:
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
    files = sorted({str(PACKAGE / "tests" / f"test_{report.stub.file}") for report in pending})
    with tempfile.TemporaryDirectory() as folder:
        outcomes, output = Path(folder) / "outcomes.jsonl", Path(folder) / "output.txt"
        outcomes.touch()
        command = [
            *(sys.executable, "-m", "pytest", *files),
            *("-m", " or ".join(report.stub.id for report in pending)),
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
                f"ended after {test_seconds:g} s here; the grader gives one check {call_seconds:g} s of processor time"
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
            if f"test_{report.stub.file}" in test:
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
    own = [match for match in OWN_LINE.finditer(text) if match["file"] in load_assignment().submission.code]
    errors = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    exception, _, message = (errors[-1] if errors else "ImportError: it cannot be imported").partition(": ")
    where = f"hw4/{own[-1]['file']}:{own[-1]['line']}" if own else None
    return Failure(file, exception, message, "does_not_import", where)


def refuse_breakpoint(*args: object, **kwargs: object) -> NoReturn:
    """What `breakpoint()` does during the check: there is no keyboard."""
    raise EOFError("breakpoint() needs a keyboard; run one test with `pytest ... --pdb` instead")


def show(assignment: Assignment, reports: list[StubReport], console: Console) -> None:
    """Print a table of all stubs, then what is wrong, and how to go on."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("part", "function", "status", "next"):
        table.add_column(column, no_wrap=True)
    for report in reports:
        status = f"[{STYLES[report.status]}]{report.status}[/]"
        table.add_row(report.stub.number, report.stub.symbol, status, escape(_next_step(report)))
    console.print(table)
    blocks: dict[str, list[StubReport]] = {}  # stubs of a file that does not import share one explanation
    for report in reports:
        if explanation := explain(report):
            blocks.setdefault(explanation, []).append(report)
    for explanation, of_block in blocks.items():
        heading = ", ".join(f"{report.stub.number} {report.stub.symbol}" for report in of_block)
        console.print(escape(heading), style="bold")
        console.print(Padding(escape(explanation), (0, 0, 1, 2), expand=False), highlight=False)
    done = sum(report.status == "done" for report in reports)
    console.print(f"{done} of {len(reports)} done.")
    unfinished = [report for report in reports if report.status != "done"]
    if unfinished:
        first = next((report for report in unfinished if report.status != "waiting"), unfinished[0]).stub
        console.print(
            escape(f"Next: hw4/{first.file}, pytest hw4/tests/test_{first.file} -m {first.id}"), soft_wrap=True
        )


def _next_step(report: StubReport) -> str:
    """What to do about a stub, in a few words."""
    match report.status:
        case "not started":
            return f"hw4/{report.stub.file}"
        case "waiting" if report.unwritten is not None:
            return f"write {_number_of(report.unwritten)} first"
        case "waiting" if report.calls_failing is not None:
            return f"mend {report.calls_failing.stub.number} first"
        case "failing" | "not checked":
            return "see below"
    return ""


def _number_of(stub_id: str) -> str:
    return next((stub.number for stub in load_assignment().stubs if stub.id == stub_id), stub_id)


def explain(report: StubReport) -> str:
    """What is wrong with a stub, in a few lines; empty if nothing is, or if the table says it all."""
    failure = report.main_failure
    if report.status == "done" or report.unwritten is not None:
        return ""
    if failure is None:
        return "Its tests could not be run."
    if report.status == "not checked":
        return _explain_file(report.stub.file, next(f for f in report.failures if f.is_of_whole_file))
    lines = []
    if report.calls_failing is not None:
        called = report.calls_failing.stub
        lines.append(f"{report.stub.symbol} calls {called.symbol}, which fails: mend {called.number} first.")
        if report.is_knock_on:
            return lines[0]
    hint = hint_for(failure.cause)
    lines += [hint.text, f"Read: {hint.read}."]
    where = f" ({failure.where})" if failure.where else ""
    if failure.exception == "ExampleFailed":
        lines.append(f"{failure.message}.")
    else:
        lines.append(f"{failure.exception}: {_first_line(failure.message)}{where}")
    if report.example is not None:
        name, seen, wanted = report.example
        lines += [f"Worked example, {name}:", f"  seen   {_one_line(seen)}", f"  wanted {_one_line(wanted)}"]
    elif failure.test.partition("::")[2]:
        lines.append(f"Test: {failure.test.partition('::')[2]}")
    return "\n".join(lines)


def _explain_file(file: str, failure: Failure) -> str:
    """Why nothing in a file was checked, and the command that shows it again."""
    culprit = (failure.where or f"hw4/{file}").rpartition("/")[2].partition(":")[0]
    if culprit != file:
        return f"Not checked: hw4/{culprit} cannot be imported, and these tests need it. Mend that file first."
    where = f" ({failure.where})" if failure.where else ""
    lines = [f"{failure.exception}: {_first_line(failure.message)}{where}"]
    if failure.exception != "FileNotFoundError":
        module = f"hw4.{file.removesuffix('.py')}"
        command = f'python -c "import {module}"' if _syntax_error(file) is None else f"python -m py_compile hw4/{file}"
        lines.append(f"Nothing in hw4/{file} was checked. To see the error again: {command}")
    return "\n".join(lines)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:300]


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)[:300]
