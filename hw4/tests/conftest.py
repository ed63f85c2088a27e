"""Markers for the public tests: `-m p2` runs a problem, `-m t1` a topic, `-m cem_refit` one stub.

Numbers and ids come from assignment.toml; a test says only `@pytest.mark.stub("cem_refit")`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import torch

from hw4.checking.answers import CheckFailed
from hw4.checking.compared import comparison_in
from hw4.checking.worked_example import ExampleFailed, in_two_lines, what_to_look_for
from hw4.handin.assignment import Stub, load_assignment
from hw4.handin.strict_toml import and_meant

ASSIGNMENT = load_assignment()
MESSAGE_LENGTH = 2000  # characters of an exception's message that are passed on
PACKAGE = Path(__file__).resolve().parents[1]
CODE_FILES = {PACKAGE / name for name in ASSIGNMENT.submission.code}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--outcomes", metavar="FILE", help="append what happens to each test as a line of JSON")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "problem(id): the problem of assignment.toml that this test is about")
    config.addinivalue_line("markers", "stub(id): the stub of assignment.toml that this test is about")
    for problem in ASSIGNMENT.problems:
        config.addinivalue_line("markers", f"{problem.label.lower()}: {problem.title}")
    for stub in ASSIGNMENT.stubs:
        config.addinivalue_line("markers", f"{stub.id}: {stub.symbol} in hw4/{stub.file}")
    _refuse_unknown_marks(config)
    torch.set_num_threads(1)  # these tensors are tiny


def _refuse_unknown_marks(config: pytest.Config) -> None:
    """Say which mark was probably meant, where `-m` names one that no test can have.

    Raises:
        pytest.UsageError: there is such a mark.
    """
    known = [re.split(r"[(:]", line)[0].strip() for line in config.getini("markers")]
    for word in re.findall(r"[\w.]+", config.getoption("markexpr") or ""):
        if word not in (*known, "and", "or", "not", "True", "False"):
            raise pytest.UsageError(f"-m: no test is marked {and_meant(word, known)}")


@pytest.hookimpl(tryfirst=True)  # before -m deselects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for stub in _stubs_of(item):
            item.add_marker(stub.id)
            item.add_marker(ASSIGNMENT.problem(stub.problem).label.lower())
        for mark in item.iter_markers("problem"):
            item.add_marker(ASSIGNMENT.problem(mark.args[0]).label.lower())


def _stubs_of(item: pytest.Item) -> list[Stub]:
    return [ASSIGNMENT.stub(mark.args[0]) for mark in item.iter_markers("stub")]


# What `python -m hw4 check` reads -------------------------------------------------------------------------------------


def pytest_collection_finish(session: pytest.Session) -> None:
    for item in session.items:
        _write({"event": "collected", "test": item.nodeid, "stubs": [stub.id for stub in _stubs_of(item)]})


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _write({"event": "import failed", "test": report.nodeid, "message": str(report.longrepr)})


def pytest_runtest_logstart(nodeid: str) -> None:
    _write({"event": "start", "test": nodeid})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    if call.excinfo is not None:
        _add_what_was_compared(call.excinfo)
    report = yield
    if call.when == "call" or report.failed:
        outcome: dict[str, Any] = {"event": "end", "test": item.nodeid, "passed": report.passed}
        if call.excinfo is not None and report.failed:
            outcome |= _failure(call.excinfo)
        _write(outcome)
    return report


def _add_what_was_compared(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Let a failed check say in pytest's output, too, what was seen and wanted and what to look for."""
    exception = excinfo.value
    if not isinstance(exception, CheckFailed) or isinstance(exception, ExampleFailed):
        return
    if hasattr(exception, "__notes__"):  # a worked example has said it
        return
    lines = []
    if (compared := comparison_in(excinfo)) is not None:
        lines += [f"{compared.name}:", *in_two_lines(compared.seen, compared.wanted)]
    if exception.cause != "wrong_value":  # that hint is about the worked example
        lines += what_to_look_for(exception.cause)
    exception.add_note("\n".join(lines))


def _failure(excinfo: pytest.ExceptionInfo[BaseException]) -> dict[str, Any]:
    """What the student needs to know of an exception: type, message, cause, and the last of their own lines."""
    exception = excinfo.value
    own_lines = [
        f"hw4/{path.relative_to(PACKAGE).as_posix()}:{entry.lineno + 1}"
        for entry in excinfo.traceback
        if isinstance(entry.path, Path) and (path := entry.path.resolve()) in CODE_FILES
    ]
    return {
        "exception": type(exception).__name__,
        "message": (exception.said if isinstance(exception, ExampleFailed) else str(exception))[:MESSAGE_LENGTH],
        "cause": getattr(exception, "cause", None),
        "where": own_lines[-1] if own_lines else None,
        "example": [exception.name, exception.seen, exception.wanted] if isinstance(exception, ExampleFailed) else None,
    }


_outcomes_file: list[Path] = []


def pytest_sessionstart(session: pytest.Session) -> None:
    if path := session.config.getoption("--outcomes"):
        _outcomes_file.append(Path(path))


def _write(event: dict[str, Any]) -> None:
    for path in _outcomes_file:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")
