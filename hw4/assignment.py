"""The public facts of the homework, read from `assignment.toml` (given; standard library only)."""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

ASSIGNMENT_FILE = Path(__file__).resolve().parent.parent / "assignment.toml"


Visibility = Literal["full", "scores"]
Collaboration = Literal["alone", "discuss"]
AIUse = Literal["forbidden", "declared", "free"]
_CHOICES = {"Visibility": Visibility, "Collaboration": Collaboration, "AIUse": AIUse}


@dataclass(frozen=True)
class Course:
    title: str
    course: str
    lecture: str
    term: str
    release: date
    due: datetime


@dataclass(frozen=True)
class Problem:
    id: str
    title: str
    points: int
    section: str  # of the lecture
    number: int  # 1, 2, ... in the order of the file
    by_hand: bool = False

    @property
    def label(self) -> str:
        """ "P2" """
        return f"P{self.number}"


@dataclass(frozen=True)
class Stub:
    """One function that the student writes."""

    id: str
    problem: str
    file: str
    symbol: str
    lines: int  # that the reference needs
    minutes: int
    points: int
    number: str  # "2.4"


@dataclass(frozen=True)
class Curve:
    """One learning curve that the referee runs."""

    id: str
    problem: str
    experiment: str
    title: str
    score_episodes: int  # the score is the mean return of the last so many
    needs: tuple[str, ...]  # problems whose code it runs
    points: int
    number: str


@dataclass(frozen=True)
class Submission:
    """What may be handed in."""

    code: tuple[str, ...]
    notebooks: tuple[str, ...]
    max_file_bytes: int
    max_total_bytes: int
    max_files: int
    allowed_imports: tuple[str, ...]


@dataclass(frozen=True)
class Limits:
    call_seconds: float
    memory_mb: int
    max_cpu_factor: float


@dataclass(frozen=True)
class LatePolicy:
    """What a late submission costs."""

    grace_minutes: int  # nothing is late before these have passed
    percent_per_day: float  # of the points earned, for each day that has begun
    max_days: int  # a submission that is later earns nothing


@dataclass(frozen=True)
class Policies:
    visibility_before_due: Visibility  # "scores": no hints and no checks until the due date
    leaderboard: bool  # an ungraded one, where the site has one
    collaboration: Collaboration
    ai_use: AIUse
    max_group_size: int  # students who may hand in one solution together; 1: everybody alone
    max_submissions: int  # the last of the first so many counts; 0: the last of all
    late: LatePolicy


@dataclass(frozen=True)
class Assignment:
    course: Course
    policies: Policies
    submission: Submission
    limits: Limits
    problems: tuple[Problem, ...]
    stubs: tuple[Stub, ...]
    curves: tuple[Curve, ...]

    @property
    def visibility_before_due(self) -> Visibility:
        return self.policies.visibility_before_due

    @property
    def leaderboard(self) -> bool:
        return self.policies.leaderboard

    def problem(self, problem_id: str) -> Problem:
        return next(problem for problem in self.problems if problem.id == problem_id)

    def stub(self, stub_id: str) -> Stub:
        return next(stub for stub in self.stubs if stub.id == stub_id)

    def stubs_of(self, problem_id: str) -> tuple[Stub, ...]:
        return tuple(stub for stub in self.stubs if stub.problem == problem_id)

    def items_of(self, problem_id: str) -> tuple[Stub | Curve, ...]:
        """Everything of a problem that a program grades, in order."""
        return tuple(item for item in self.items if item.problem == problem_id)

    @property
    def items(self) -> tuple[Stub | Curve, ...]:
        """Everything that a program grades."""
        return self.stubs + self.curves

    @property
    def code_points(self) -> int:
        return sum(problem.points for problem in self.problems if not problem.by_hand)


class AssignmentError(ValueError):
    """`assignment.toml` is not what it should be. The message starts with `assignment.toml:LINE: `."""


@cache
def load_assignment(path: Path = ASSIGNMENT_FILE) -> Assignment:
    """Read and check the file.

    Raises:
        AssignmentError: not TOML; a key that is unknown, missing or of another type; points that do not add up; a due
            date before the release; an unknown problem or code file; an id used twice.
    """
    return _Reader(path).assignment()


# Reading and checking -------------------------------------------------------------------------------------------------

_TABLE = re.compile(r"\s*\[{1,2}\s*(?P<name>[\w.-]+)\s*\]{1,2}\s*(#.*)?$")
_KEY = re.compile(r"\s*(?P<name>[\w-]+)\s*=")
_SYNTAX = re.compile(r"(?P<what>.*) \(at (line (?P<line>\d+), column \d+|end of document)\)")
_TABLES = ("course", "policies", "submission", "limits", "problems", "stubs", "curves")


class Lines:
    """Where tables and keys stand in a TOML file, which tomllib does not say."""

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[str, int, str], int] = {}  # (table, which of this name, key; "" for its head)
        counts: dict[str, int] = {}
        table = ""
        for number, line in enumerate(text.splitlines(), start=1):
            if head := _TABLE.match(line):
                table = head["name"]
                counts[table] = counts.get(table, -1) + 1
                self._lines[table, counts[table], ""] = number
            elif key := _KEY.match(line):
                self._lines.setdefault((table, counts.get(table, 0), key["name"]), number)

    def line(self, table: str, index: int = 0, key: str = "") -> int:
        """The line of a key, or of its table if the key is not there, or 1."""
        return self._lines.get((table, index, key), self._lines.get((table, index, ""), 1))


class _Reader:
    def __init__(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        self._name, self._lines = path.name, Lines(text)
        try:
            self._facts = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = _SYNTAX.fullmatch(str(error))
            number = found["line"] if found and found["line"] else len(text.splitlines())
            raise AssignmentError(f"{path.name}:{number}: not TOML: {found['what'] if found else error}") from None

    def assignment(self) -> Assignment:
        unknown = [name for name in self._facts if name not in _TABLES]
        if unknown:
            line = (
                self._lines.line(unknown[0])
                if self._lines.line(unknown[0]) > 1
                else self._lines.line("", 0, unknown[0])
            )
            raise AssignmentError(f"{self._name}:{line}: {self._unknown(unknown[0], _TABLES)}")
        for name in _TABLES:
            kind, head = (list, f"[[{name}]]") if name in ("problems", "stubs", "curves") else (dict, f"[{name}]")
            if not isinstance(self._facts.get(name), kind):
                raise AssignmentError(f"{self._name}:1: there is no {head}")
        policies = dict(self._facts["policies"])
        late = policies.pop("late", None)
        if not isinstance(late, dict):
            self._fail("policies", 0, "", "there is no [policies.late]")
        found = Assignment(
            course=Course(**self._fields(Course, "course", self._facts["course"])),
            policies=Policies(
                **self._fields(Policies, "policies", policies, without=("late",)),
                late=LatePolicy(**self._fields(LatePolicy, "policies.late", late)),
            ),
            submission=Submission(**self._fields(Submission, "submission", self._facts["submission"])),
            limits=Limits(**self._fields(Limits, "limits", self._facts["limits"])),
            problems=tuple(
                Problem(number=i + 1, **self._fields(Problem, "problems", entry, i, without=("number",)))
                for i, entry in enumerate(self._facts["problems"])
            ),
            stubs=(),
            curves=(),
        )
        counts: dict[str, int] = {}
        stubs = tuple(Stub(**self._item(Stub, "stubs", i, found, counts)) for i in range(len(self._facts["stubs"])))
        curves = tuple(
            Curve(**self._item(Curve, "curves", i, found, counts)) for i in range(len(self._facts["curves"]))
        )
        found = dataclasses.replace(found, stubs=stubs, curves=curves)
        self._check(found)
        return found

    def _item(self, of: type[Any], table: str, index: int, found: Assignment, counts: dict[str, int]) -> dict[str, Any]:
        """The fields of a stub or a curve, with its number, such as "2.4"."""
        fields = self._fields(of, table, self._facts[table][index], index, without=("number",))
        problem_id = fields["problem"]
        number = next((problem.number for problem in found.problems if problem.id == problem_id), None)
        if number is None:
            ids = [problem.id for problem in found.problems]
            self._fail(
                table, index, "problem", f"{fields['id']} belongs to the unknown problem {_and_meant(problem_id, ids)}"
            )
        counts[problem_id] = counts.get(problem_id, 0) + 1
        return {**fields, "number": f"{number}.{counts[problem_id]}"}

    def _fields(
        self, of: type[Any], table: str, entry: Any, index: int = 0, *, without: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """The values of one table, each of the type that the dataclass `of` says."""
        if not isinstance(entry, dict):
            self._fail(table, index, "", f"{table} must be tables")
        fields = {field.name: field for field in dataclasses.fields(of) if field.name not in without}
        for key, value in entry.items():
            if key not in fields:
                self._fail(table, index, key, self._unknown(key, fields))
            wanted = _wanted(str(fields[key].type), value)
            if wanted is not None:
                self._fail(table, index, key, f"{key} must be {wanted}, got {value!r}")
        for name, field in fields.items():
            if name not in entry and field.default is dataclasses.MISSING:
                self._fail(table, index, "", f"the key {name!r} is missing from [{table}]")
        return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}

    def _check(self, found: Assignment) -> None:
        """What must hold between the values."""
        if found.course.due.date() < found.course.release:
            self._fail("course", 0, "due", f"due {found.course.due.date()} is before release {found.course.release}")
        if found.policies.late.percent_per_day > 100:
            self._fail("policies.late", 0, "percent_per_day", "percent_per_day must be at most 100")
        if found.policies.max_group_size < 1:
            self._fail("policies", 0, "max_group_size", "max_group_size must be at least 1: everybody alone")
        seen: dict[str, str] = {}
        ids_of = {
            "problems": [problem.id for problem in found.problems],
            "stubs": [stub.id for stub in found.stubs],
            "curves": [curve.id for curve in found.curves],
        }
        for table, ids in ids_of.items():
            for i, entry_id in enumerate(ids):
                if entry_id in seen:
                    self._fail(table, i, "id", f"the id {entry_id!r} is used twice, first in {seen[entry_id]}")
                seen[entry_id] = f"line {self._lines.line(table, i, 'id')}"
        for i, stub in enumerate(found.stubs):
            if stub.file not in found.submission.code:
                self._fail(
                    "stubs", i, "file", f"{_and_meant(stub.file, found.submission.code)} is not in submission.code"
                )
        for i, curve in enumerate(found.curves):
            for needed in curve.needs:
                ids = [problem.id for problem in found.problems]
                if needed not in ids:
                    self._fail("curves", i, "needs", f"{curve.id} needs the unknown problem {_and_meant(needed, ids)}")
        for i, problem in enumerate(found.problems):
            total = sum(item.points for item in found.items_of(problem.id))
            if not problem.by_hand and total != problem.points:
                self._fail(
                    *("problems", i, "points"),
                    f"{problem.id} is worth {problem.points} points, but its parts add up to {total}",
                )

    def _unknown(self, key: str, known: Any) -> str:
        return f"unknown key {_and_meant(key, known)}; known are {', '.join(known)}"

    def _fail(self, table: str, index: int, key: str, says: str) -> NoReturn:
        raise AssignmentError(f"{self._name}:{self._lines.line(table, index, key)}: {says}")


def _wanted(kind: str, value: Any) -> str | None:
    """What a value of this type should be, in words, or None if it is."""
    if kind in _CHOICES:
        choices = get_args(_CHOICES[kind])
        return None if value in choices else "one of " + ", ".join(repr(choice) for choice in choices)
    is_number = type(value) is int or (kind == "float" and type(value) is float)
    is_right, words = {
        "str": (isinstance(value, str) and bool(value.strip()), "a text"),
        "int": (is_number and value >= 0, "a whole number, 0 or more"),
        "float": (is_number and value >= 0, "a number, 0 or more"),
        "bool": (type(value) is bool, "true or false"),
        "date": (type(value) is date, "a date such as 2027-03-01"),
        "datetime": (
            isinstance(value, datetime) and value.tzinfo is not None,
            "a time with its distance from UTC, such as 2027-03-15T23:59:00-07:00",
        ),
        "tuple[str, ...]": (isinstance(value, list) and all(isinstance(v, str) for v in value), "a list of texts"),
    }[kind]
    return None if is_right else words


def _and_meant(word: str, known: Any) -> str:
    """The word in quotes, and the known one that was probably meant."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"{word!r} (did you mean {close[0]!r}?)" if close else repr(word)
