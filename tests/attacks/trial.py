"""Runs one attack through the real grader and lists everything that must not have happened."""

from __future__ import annotations

import html.parser
import io
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from attacks.bank import Attack, submission_of
from attacks.canaries import Planted, differences, marked_files, own_processes, snapshot
from autograder.console import print_report
from autograder.grading.listener import Silent
from autograder.grading.private import load_private
from autograder.grading.session import Grade, Grader
from autograder.report.documents import refused
from autograder.report.page import page
from autograder.report.receipt import receipt
from autograder.report.results import results
from autograder.report.words import hint_of
from hw4.handin.assignment import load_assignment
from hw4.handin.intake import read_submission
from hw4.handin.refusal import SubmissionRefused

ONE_ERROR = r"(?:\w+Error|gaierror|timeout)(?: -?\d+| None)?|nothing found"
STOPPED = re.compile(f"STOPPED: ((?:(?:{ONE_ERROR}), )*(?:{ONE_ERROR}))")
SYSTEM_ERRORS = re.compile(
    r"(PermissionError|OSError|FileNotFoundError|ProcessLookupError|BlockingIOError|ConnectionError|gaierror|"
    r"BrokenPipeError|NotADirectoryError|ImportError|ModuleNotFoundError|nothing found).*"
)
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
NUMBER = re.compile(r"\d+\.?\d*")
DIGITS = 3  # of each number of an answer to a worked example
MAX_SIZES = 4  # of a shape
SECONDS_TO_END = 3.0  # in which what was killed must be gone


@dataclass(frozen=True)
class Trial:
    """What became of one attack."""

    attack: Attack
    score: float
    verdict: str
    cause: str
    message: str  # for staff
    problems: tuple[str, ...]
    seconds: float


def try_attack(grader: Grader, planted: Planted, attack: Attack, *, curves: bool = False) -> Trial:
    """Grade a submission that attacks. `problems` is empty if it gained, read, wrote and left nothing."""
    start = time.monotonic()
    places = planted.places | {"SERVER": str(grader._server.pid)}
    before, running = snapshot(planted.watched), own_processes(planted.mark)
    state = _state_of(planted, places)
    with tempfile.TemporaryDirectory(prefix="submission-") as folder:
        for name, content in submission_of(attack, places).items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        try:
            intake = read_submission(Path(folder), load_assignment())
        except SubmissionRefused as error:
            return _refused(attack, error)
        grade = grader.grade(intake, Silent(), curves=curves, only=None if curves else attack.graded)
    problems = [*_wrong_points(attack, grade), *_wrong_outputs(planted, grade)]
    if attack.refused:
        problems.append("was not refused")
    report = next(stub for stub in grade.report.stubs if stub.id == attack.stub)
    failure = report.first_failure
    messages = [test.outcome.message for stub in grade.report.stubs for test in stub.tests]
    problems += [message for message in messages if "BREACH" in message][:1]
    if attack.stopped and not attack.harmless:
        problems += _not_stopped(failure.message if failure else "")
    problems += [f"changed: {path}" for path in differences(before, snapshot(planted.watched))]
    problems += [f"left behind: {path}" for path in marked_files(planted.mark)]
    problems += _left_running(planted, running)
    problems += [f"changed: {what}" for what, value in _state_of(planted, places).items() if value != state[what]]
    return Trial(
        attack,
        report.score,
        report.verdict,
        failure.cause if failure else "",
        failure.message if failure else "",
        tuple(problems),
        time.monotonic() - start,
    )


def _refused(attack: Attack, error: SubmissionRefused) -> Trial:
    """Nothing ran. What the student reads must be harmless all the same."""
    problems = [] if attack.refused else [f"refused: {error}"]
    if found := CONTROL_CHARACTERS.search("".join(_texts(refused(error))) + str(error)):
        problems.append(f"the refusal holds the control character {found[0]!a}")
    return Trial(attack, 0.0, "refused", "", str(error), tuple(problems), 0.0)


def _wrong_points(attack: Attack, grade: Grade) -> Iterator[str]:
    for fault in grade.report.faults:
        yield f"grader fault: {fault}"
    for curve in grade.report.curves:
        if curve.score and not attack.harmless:
            yield f"{curve.id} earned {curve.score:g}"
    for stub in grade.report.stubs:
        if stub.id in attack.attacked:
            failure = stub.first_failure
            if stub.score > attack.worth:
                yield f"{stub.id} earned {stub.score:g} points, of which {attack.worth:g} are its due"
            if failure is not None and failure.cause not in attack.causes:
                yield f"{stub.id}: cause {failure.cause!r}, expected {attack.causes}: {failure.message}"
            if stub.verdict == "failed" and hint_of(stub) is None:
                yield f"{stub.id} failed without a hint"
        elif stub.id not in attack.lost and stub.score != stub.points:
            failure = stub.first_failure
            yield f"{stub.id}, which is honest, lost points: {failure}"


def _wrong_outputs(planted: Planted, grade: Grade) -> Iterator[str]:
    """Search everything that the grader writes."""
    shown = io.StringIO()
    print_report(Console(file=shown, width=200, force_terminal=False), grade.report)
    document = results(grade)
    outputs = {
        "results.json": json.dumps(document),
        "report.html": page(grade, "a student"),
        "receipt.json": json.dumps(receipt(grade)),
        "console": shown.getvalue(),
    }
    for name, text in outputs.items():
        for place, token in planted.secrets.items():
            if token in text:
                yield f"{name} holds the canary of: {place}"
        if name != "receipt.json" and f"LEAK-{planted.mark}" in text:
            yield f"{name} shows a hidden input"
        if name != "receipt.json" and str(load_private().master_seed) in text:
            yield f"{name} holds the term's seed"
        if f"PRINTED-{planted.mark}" in text:
            yield f"{name} repeats what a worker printed"
    for where, text in (("console", outputs["console"]), *(("results.json", text) for text in _texts(document))):
        if found := CONTROL_CHARACTERS.search(text):
            yield f"{where} holds the control character {found[0]!a}"
    yield from _long_examples(grade)
    yield from _markup(outputs["report.html"])
    if CONTROL_CHARACTERS.search(outputs["report.html"]):
        yield "report.html holds a control character"


def _long_examples(grade: Grade) -> Iterator[str]:
    """An answer to a worked example in which a report shows more than it takes to compare it with the right one."""
    for item in grade.report.items:
        for name, seen, wanted in item.example.rows if item.example else ():
            numbers = NUMBER.findall(seen)
            if seen == wanted or " at hw4/" in seen:  # the right answer, or the place of an exception
                continue
            if len(numbers) > max(len(NUMBER.findall(wanted)), MAX_SIZES) or len(seen) > 2 * len(wanted) + 60:
                yield f"the example of {item.id} shows more than its answer: {name}: {seen[:200]}"
            if any(len(number.replace(".", "").strip("0")) > DIGITS for number in numbers):
                yield f"the example of {item.id} shows more than {DIGITS} digits: {name}: {seen[:200]}"


def _texts(document: Any) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict):
        for value in document.values():
            yield from _texts(value)
    elif isinstance(document, list):
        for value in document:
            yield from _texts(value)


class _Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.strange: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        active = [name for name, value in attributes if name.startswith("on") or "javascript:" in (value or "")]
        if active or tag in ("script", "iframe", "img", "object", "embed", "form", "base", "link"):
            self.strange.append(f"<{tag} {' '.join(active)}>")


def _markup(text: str) -> list[str]:
    parser = _Tags()
    parser.feed(text)
    return [f"report.html holds {tag}" for tag in parser.strange]


def _not_stopped(message: str) -> list[str]:
    """The attack must have run and been refused by the system: a slip of its own is no success of the grader."""
    found = STOPPED.search(message)
    if found is None:
        return [f"did not report how it was stopped: {message[:300]!r}"]
    odd = [error for error in found[1].split(", ") if not SYSTEM_ERRORS.fullmatch(error)]
    return [f"stopped by itself, not by the grader: {odd}"] if odd else []


def _left_running(planted: Planted, before: dict[tuple[int, int], str]) -> list[str]:
    deadline = time.monotonic() + SECONDS_TO_END
    while True:
        left = own_processes(planted.mark).items() - before.items()
        if not left or time.monotonic() > deadline:
            return [f"still runs: process {pid}: {command[:200]}" for (pid, _), command in left]
        time.sleep(0.1)


def _state_of(planted: Planted, places: dict[str, str]) -> dict[str, Any]:
    """What a worker could change of processes that are not its own."""
    state: dict[str, Any] = {"the bystander's life": planted.bystander.poll()}
    for name in ("TRUSTED", "SERVER", "BYSTANDER"):
        pid = int(places[name])
        try:
            state[f"priority of {name}"] = os.getpriority(os.PRIO_PROCESS, pid)
            state[f"processors of {name}"] = os.sched_getaffinity(pid)
            state[f"scheduler of {name}"] = os.sched_getscheduler(pid)
        except ProcessLookupError:
            state[f"priority of {name}"] = "gone"
            state[f"processors of {name}"] = state[f"scheduler of {name}"] = "gone"
    return state
