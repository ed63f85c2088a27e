"""Regrade requests: what students ask, and what staff answer, in a log that is only ever appended to.

A student sends a small TOML file with `student`, `item` and `reason`. A form of a site does as well: a CSV file with
these columns, in any order and with others between them.
"""

from __future__ import annotations

import csv
import dataclasses
import difflib
import io
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.classroom.intake.entries import ClassError, safe_text
from autograder.classroom.marks.changes import LATENESS, MAX_REASON, WHOLE, append_line, read_lines
from autograder.classroom.marks.policies import why_nobody
from hw4.handin.assignment import load_assignment

LOG = "requests.jsonl"
COLUMNS = ("student", "item", "reason")
MAX_BYTES = 1_000_000  # of a file of requests


@dataclass(frozen=True)
class Request:
    """One question of a student, with its answer if there is one."""

    number: int
    time: str  # when staff filed it, ISO 8601
    student: str  # name of the folder of results
    item: str
    reason: str
    answer: str = ""
    author: str = ""  # of the answer

    @property
    def is_open(self) -> bool:
        return not self.answer

    def __str__(self) -> str:
        answer = f"Answer of {self.author}: {self.answer}" if self.answer else "Not answered yet."
        return f"Regrade request {self.number}, {self.item}: {self.reason} {answer}"


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    where: str  # file and line, for whoever has to fix it
    student: str
    item: str
    reason: str


def read_requests(folder: Path) -> tuple[Request, ...]:
    """All requests, by number. Raises ClassError for a line that is none."""
    found: dict[int, Request] = {}
    for where, line in read_lines(folder / LOG):
        try:
            if "student" in line:
                found[line["number"]] = Request(**line)
            else:
                found[line["number"]] = dataclasses.replace(found[line["number"]], **line)
        except (KeyError, TypeError) as error:
            raise ClassError(f"{where} is not a request: {error}") from None
    return tuple(found.values())


def requests_in(path: Path) -> Iterator[Asked]:
    """The requests of a file, or of all files of a folder. Raises ClassError for one that cannot be read."""
    if path.is_dir():
        for one in sorted(path.iterdir()):
            yield from requests_in(one)
        return
    if path.suffix.lower() not in (".toml", ".csv"):
        raise ClassError(f"{path.name} is no request: it must be a .toml file, or a .csv file of a form")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ClassError(f"{path.name} is no request: it has more than {MAX_BYTES:,} bytes")
        text = path.read_text(encoding="utf-8-sig")
        yield from _of_toml(path.name, text) if path.suffix.lower() == ".toml" else _of_csv(path.name, text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, csv.Error) as error:
        raise ClassError(f"{path.name} is no request: {safe_text(error)}") from None


def _of_toml(file: str, text: str) -> Iterator[Asked]:
    yield _asked(f"{file}", tomllib.loads(text))


def _of_csv(file: str, text: str) -> Iterator[Asked]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    for row in reader:
        cells = {(name or "").strip().casefold(): cell for name, cell in row.items()}
        yield _asked(f"{file}:{reader.line_num}", cells)


def _asked(where: str, found: Mapping[str, Any]) -> Asked:
    cells = {name: str(found.get(name) or "").strip() for name in COLUMNS}
    if empty := [name for name, cell in cells.items() if not cell]:
        raise ClassError(f"{where} is no request: it lacks {' and '.join(empty)}")
    return Asked(safe_text(where), safe_text(cells["student"]), safe_text(cells["item"]), _bounded(cells["reason"]))


def _bounded(text: str) -> str:
    return safe_text(" ".join(text.split()), MAX_REASON)


def file_requests(
    folder: Path, asked: Iterable[Asked], students: Iterable[Mapping[str, Any]], items: Iterable[str], time: str
) -> list[Request]:
    """Append the requests that are new. Returns these.

    Args:
        folder: results of the class.
        asked: what came in.
        students: of class.json.
        items: ids of what was graded.
        time: now.

    Raises:
        ClassError: a request is by nobody of this class, or about nothing that was graded. Nothing is written.
    """
    known = [*items, *load_assignment().submission.notebooks, WHOLE, LATENESS]
    entries = list(students)
    before = read_requests(folder)
    seen = {(one.student, one.item, one.reason) for one in before}
    new: list[Request] = []
    for one in asked:
        student = _student_of(one, entries)
        if one.item not in known:
            nearest = ", ".join(difflib.get_close_matches(one.item, known, n=3)) or ", ".join(known)
            raise ClassError(f"{one.where}: nothing is called {one.item!r} here; nearest: {nearest}")
        if (student, one.item, one.reason) not in seen:
            seen.add((student, one.item, one.reason))
            new.append(Request(len(before) + len(new) + 1, time, student, one.item, one.reason))
    for request in new:
        facts = {key: value for key, value in dataclasses.asdict(request).items() if value != ""}
        append_line(folder / LOG, json.dumps(facts))
    return new


def _student_of(asked: Asked, entries: list[Mapping[str, Any]]) -> str:
    wanted = asked.student.casefold()
    for entry in entries:
        names = {entry["student"], *(name for p in entry["people"] for name in (p["id"], p["email"]))}
        if wanted in {name.casefold() for name in names if name}:
            return str(entry.get("attempt_of") or entry["student"])
    people = [(p["id"], p["email"], p["name"]) for entry in entries for p in entry["people"]]
    raise ClassError(f"{asked.where}: {why_nobody(asked.student, people)}")


def answer_request(folder: Path, number: int, answer: str, author: str) -> Request:
    """Append an answer; a later one replaces it. Returns the request. Raises ClassError if there is no such request."""
    known = {request.number: request for request in read_requests(folder)}
    if number not in known:
        raise ClassError(f"there is no request {number}; there are {', '.join(map(str, known)) or 'none'}")
    if not answer.strip() or len(answer) > MAX_REASON:
        raise ClassError(f"an answer needs a text of at most {MAX_REASON} characters")
    append_line(folder / LOG, json.dumps({"number": number, "answer": answer.strip(), "author": author}))
    return dataclasses.replace(known[number], answer=answer.strip(), author=author)
