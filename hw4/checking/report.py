"""`python -m hw4 check`: what is done, what fails and why, what is not started (given).

Prints one row per stub and, apart from these, the topics: a topic in which nothing is written is one row, is not
tested and counts as nothing. Below the tables, a failing stub gets the hint that the grader would give.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from hw4.checking.answers import VAGUE_CAUSES
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.failure import Comparison, Failure
from hw4.checking.hint import Hint
from hw4.checking.hints import hint_for
from hw4.checking.importing import module_of
from hw4.checking.public_tests import (
    ChecksNotRun,
    Status,
    StubReport,
    check_stubs,
    docstring_of,
    is_readable,
    source_of,
    tests_of,
)
from hw4.handin.assignment import Assignment, Problem, Stub, load_assignment
from hw4.handin.code_files import is_untouched
from hw4.handin.strict_toml import and_meant

MESSAGE_LINES = 5  # of what an assertion says

STYLES: dict[Status, str] = {
    "done": "green",
    "failing": "red",
    "waiting": "yellow",
    "not checked": "red",
    "not started": "dim",
}


def main(names: list[str], *, as_json: bool = False) -> int:
    """Check what is named ("p1", "t1", "planning", "cem_refit", "mpc"); everything if nothing is.

    Args:
        names: problems, files or stubs.
        as_json: print one document instead (README.md describes it).

    Returns:
        0 if every checked stub is done, else 1. A topic in which nothing is written is checked only if it is named.
    """
    console = Console(stderr=as_json)  # the document is all that is on stdout
    assignment = load_assignment()
    try:
        stubs = select_stubs(assignment, names)
        left_out = [] if names else topics_not_started(assignment)
        stubs = [stub for stub in stubs if assignment.problem(stub.problem) not in left_out]
        reports = check_stubs(stubs, console)
    except (ValueError, ChecksNotRun) as error:
        if as_json:
            print(json.dumps({"error": str(error)}, indent=2))
        else:
            console.print(escape(str(error)))
        return 1
    if as_json:
        print(json.dumps(document(reports, left_out), indent=2))
    else:
        show(assignment, reports, console, left_out=left_out)
    return 0 if all(report.status == "done" for report in reports) else 1


def document(reports: Sequence[StubReport], left_out: Sequence[Problem]) -> dict[str, Any]:
    """What `check --json` prints; every function has every key, and null where there is nothing to say."""
    return {
        "done": sum(report.status == "done" for report in reports),
        "total": len(reports),
        "functions": [_entry(report) for report in reports],
        "topics_not_started": [topic.label for topic in left_out],
    }


def _entry(report: StubReport) -> dict[str, Any]:
    stub, failure = report.stub, report.main_failure
    entry: dict[str, Any] = {
        "id": stub.id,
        "number": stub.number,
        "function": stub.symbol,
        "file": f"hw4/{stub.file}",
        "status": report.status,
        "waits_for": _waits_for(report),
    }
    keys = ("cause", "hint", "read", "where", "exception", "message", "test", "example", "compared")
    if report.status == "done" or failure is None:
        return entry | dict.fromkeys(keys)
    hint = _hint(report, failure)
    return entry | {
        "cause": failure.cause,
        "hint": hint.text,
        "read": hint.read,
        "where": failure.where,
        "exception": failure.exception,
        "message": failure.message,
        "test": failure.test,
        "example": report.example and {**report.example._asdict(), "story": _story(report)},
        "compared": failure.compared and failure.compared._asdict(),
    }


def _waits_for(report: StubReport) -> str | None:
    """The id of the stub that has to be written or fixed first."""
    if report.status != "waiting":
        return None
    return report.unwritten if report.calls_failing is None else report.calls_failing.stub.id


def select_stubs(assignment: Assignment, names: list[str]) -> list[Stub]:
    """The stubs that the names stand for, in the order of assignment.toml.

    Raises:
        ValueError: a name is neither a problem nor a stub.
    """
    chosen: set[str] = set()
    for name in names:
        matching = {stub.id for stub in assignment.stubs if name.lower() in _names_of(assignment, stub)}
        if not matching:
            if empty := next((p for p in assignment.problems if name.lower() in (p.id, p.label.lower())), None):
                raise ValueError(f"{empty.label} {empty.title} has no functions to check: the handout says what to run")
            problems = ", ".join(p.label.lower() for p in assignment.problems if assignment.stubs_of(p.id))
            known = sorted(set().union(*(_names_of(assignment, stub) for stub in assignment.stubs)))
            raise ValueError(
                f"there is nothing to check called {and_meant(name.lower(), known)}: give a problem ({problems}), "
                f"a file, a function or an id ({', '.join(stub.id for stub in assignment.stubs)})"
            )
        chosen |= matching
    return [stub for stub in assignment.stubs if not names or stub.id in chosen]


def _names_of(assignment: Assignment, stub: Stub) -> set[str]:
    file = PurePosixPath(stub.file)
    label = assignment.problem(stub.problem).label
    function = stub.symbol.lower()
    names = {stub.id, stub.number.lower(), stub.problem, label.lower(), file.name, file.stem}
    return names | {function, function.rpartition(".")[2]}


def topics_not_started(assignment: Assignment) -> list[Problem]:
    """The optional problems in whose files nothing is written."""
    untouched = {
        file
        for file in assignment.optional_code
        if (source := source_of(file)) is None or is_untouched(file, source, assignment)
    }
    topics = (problem for problem in assignment.problems if problem.optional)
    return [topic for topic in topics if all(stub.file in untouched for stub in assignment.stubs_of(topic.id))]


def show(
    assignment: Assignment, reports: list[StubReport], console: Console, *, left_out: Sequence[Problem] = ()
) -> None:
    """Print a table of all stubs and one of the topics, then what is wrong, and what to do next."""
    required = [report for report in reports if not assignment.is_optional(report.stub)]
    optional = [report for report in reports if assignment.is_optional(report.stub)]
    if required:
        table = _table()
        for report in required:
            table.add_row(*_row(report))
        console.print(table)
    if optional or left_out:
        console.print("Topics: optional, for bonus points", style="bold")
        table = _table()
        for topic in (problem for problem in assignment.problems if problem.optional):
            for report in optional:
                if report.stub.problem == topic.id:
                    table.add_row(*_row(report))
            if topic in left_out:
                files = ", ".join(dict.fromkeys(f"hw4/{stub.file}" for stub in assignment.stubs_of(topic.id)))
                table.add_row(topic.label, escape(topic.title), "optional", escape(files), style="dim")
        console.print(table)
    blocks: dict[str, list[StubReport]] = {}  # stubs of a file that does not import share one explanation
    for report in reports:
        if explanation := explain(report, {other.stub.file for other in reports}):
            blocks.setdefault(explanation, []).append(report)
    for explanation, of_block in blocks.items():
        heading = ", ".join(f"{report.stub.number} {report.stub.symbol}" for report in of_block)
        console.print(escape(heading), style="bold")
        console.print(Padding(escape(explanation), (0, 0, 1, 2), expand=False), highlight=False)
    for line in _summary(assignment, required, optional):
        console.print(escape(line))
    _show_next(assignment, reports, console)


def _show_next(assignment: Assignment, reports: Sequence[StubReport], console: Console) -> None:
    """Print what to do first: the function, its hint unless it is above, and the command. Topics come last."""
    unfinished = [report for report in reports if report.status != "done"]
    if not unfinished:
        console.print("Everything that was checked passes.")
        return
    report = min(unfinished, key=lambda one: (assignment.is_optional(one.stub), one.status == "waiting"))
    stub = report.stub
    console.print(escape(f"\nNext: {stub.number} {stub.symbol} in hw4/{stub.file}"), style="bold", highlight=False)
    if hint := _first_hint(report):
        console.print(escape(hint), highlight=False)
    console.print(escape(f"Run: pytest {tests_of(stub.file)} -m {stub.id}"), soft_wrap=True)


def _first_hint(report: StubReport) -> str:
    """What an unfinished function lacks, in one sentence or two; empty if `explain` has said it."""
    match report.status:
        case "not started":
            return hint_for("not_started").text
        case "waiting":
            return f"{_next_step(report).capitalize()}."
        case "not checked":
            return f"hw4/{report.stub.file} could not be checked: see above."
    return ""


def _table() -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("part", "function", "status", "next"):
        table.add_column(column, no_wrap=column != "function")  # only the title of a topic may take two lines
    return table


def _row(report: StubReport) -> tuple[str, str, str, str]:
    status = f"[{STYLES[report.status]}]{report.status}[/]"
    return report.stub.number, report.stub.symbol, status, escape(_next_step(report))


def _summary(assignment: Assignment, required: list[StubReport], optional: list[StubReport]) -> list[str]:
    """How much is done: of the required stubs, and of each topic that was checked."""
    groups = [("", required)] if required else []
    for topic in assignment.problems:
        reports = [report for report in optional if report.stub.problem == topic.id]
        if reports:
            groups.append((f"{topic.label} {topic.title}, up to {topic.code_points} bonus points: ", reports))
    return [
        f"{name}{sum(report.status == 'done' for report in reports)} of {len(reports)} done."
        for name, reports in groups
    ]


def _next_step(report: StubReport) -> str:
    """What to do about a stub, in a few words."""
    match report.status:
        case "not started":
            return f"hw4/{report.stub.file}"
        case "waiting" if report.unwritten is not None:
            return f"write {_number_of(report.unwritten)} first"
        case "waiting" if report.calls_failing is not None:
            return f"fix {report.calls_failing.stub.number} first"
        case "failing" | "not checked":
            return "see below"
    return ""


def _number_of(stub_id: str) -> str:
    return next((stub.number for stub in load_assignment().stubs if stub.id == stub_id), stub_id)


def explain(report: StubReport, explained: Collection[str] = ()) -> str:
    """What is wrong with a stub, in a few lines; empty if nothing is, or if the table says it all.

    Args:
        report: of the stub.
        explained: code files whose own errors are shown elsewhere.
    """
    failure = report.main_failure
    if report.status == "done" or report.unwritten is not None:
        return ""
    if failure is None:
        return "Its tests could not be run."
    if report.status == "not checked":
        return _explain_file(report.stub.file, next(f for f in report.failures if f.is_of_whole_file), explained)
    lines = []
    if report.calls_failing is not None:
        called = report.calls_failing.stub
        lines.append(f"{report.stub.symbol} calls {called.symbol}, which fails: fix {called.number} first.")
        if report.is_knock_on:
            return lines[0]
    hint = _hint(report, failure)
    lines += [hint.text, f"Read: {hint.read}."]
    where = f" ({failure.where})" if failure.where else ""
    if failure.exception == "ExampleFailed":
        lines.append(f"{failure.message}.")
    else:
        lines.append(f"{failure.exception}: {_first_line(failure.message)}{where}")
    if report.example is not None:
        lines += [f"Worked example, {report.example.name}:", *_both(report.example)]
    else:
        lines += _case(failure)
    if story := _story(report):
        lines.append(story)
    return "\n".join(lines)


def _story(report: StubReport) -> str | None:
    """What goes into the worked example and why the answer is what it is, where that example failed."""
    example = WORKED_EXAMPLES.get(report.stub.id)
    return example.story if example is not None and report.fails_its_example else None


def _hint(report: StubReport, failure: Failure) -> Hint:
    """The catalogue's hint; but none sends a student to a worked example that comes out right."""
    if failure.cause == "wrong_value" and report.passes_its_example:
        return Hint("The worked example comes out right, but a public test with other numbers does not.", "that test")
    return hint_for(failure.cause)


def _case(failure: Failure) -> list[str]:
    """What a failing public test is about: its name, its docstring, and what was compared."""
    file, _, test = failure.test.partition("::")
    if not test:
        return []
    lines = [f"Test: {test} in {file}"]
    if failure.cause not in VAGUE_CAUSES:
        return lines
    if docstring := docstring_of(failure.test):
        lines.append(f"  {docstring}")
    if failure.compared is not None:
        lines += [f"  {failure.compared.name}:", *(f"  {line}" for line in _both(failure.compared))]
    elif failure.exception == "AssertionError":
        lines += [f"  {line}" for line in failure.message.strip().splitlines()[1:MESSAGE_LINES]]
    return lines


def _both(answers: Comparison) -> list[str]:
    return [f"  seen   {_one_line(answers.seen)}", f"  wanted {_one_line(answers.wanted)}"]


def _explain_file(file: str, failure: Failure, explained: Collection[str]) -> str:
    """Why nothing in a file was checked, and the command that shows it again."""
    culprit = (failure.where or f"hw4/{file}").removeprefix("hw4/").partition(":")[0]
    where = f" ({failure.where})" if failure.where else ""
    error = f"{failure.exception}: {_first_line(failure.message)}".rstrip(": ") + where
    if culprit != file:
        says = f"Not checked: hw4/{culprit} cannot be imported, and these tests need it. Fix that file first."
        return says if culprit in explained else f"{says}\n{error}"
    lines = [error]
    if failure.exception != "FileNotFoundError":
        command = f'python -c "import {module_of(file)}"' if is_readable(file) else f"python -m py_compile hw4/{file}"
        lines.append(f"Nothing in hw4/{file} was checked. To see the error again: {command}")
    return "\n".join(lines)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:300]


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)[:300]
