"""The public facts of the homework, read from `assignment.toml` (given; standard library only)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

ASSIGNMENT_FILE = Path(__file__).resolve().parent.parent / "assignment.toml"


Visibility = Literal["full", "scores"]


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
class Assignment:
    course: Course
    visibility_before_due: Visibility  # "scores": no hints and no checks until the due date
    leaderboard: bool  # an ungraded one, where the site has one
    submission: Submission
    limits: Limits
    problems: tuple[Problem, ...]
    stubs: tuple[Stub, ...]
    curves: tuple[Curve, ...]

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
    """`assignment.toml` contradicts itself."""


@cache
def load_assignment(path: Path = ASSIGNMENT_FILE) -> Assignment:
    """Read and check the file.

    Raises:
        AssignmentError: points that do not add up, an unknown problem or policy, or an id used twice.
    """
    with path.open("rb") as file:
        facts = tomllib.load(file)
    problems = tuple(Problem(number=i, **entry) for i, entry in enumerate(facts["problems"], start=1))
    numbers = {problem.id: problem.number for problem in problems}
    counts: dict[str, int] = {}

    def numbered(entry: dict[str, Any]) -> dict[str, Any]:
        problem = entry["problem"]
        if problem not in numbers:
            raise AssignmentError(f"{path.name}: {entry['id']} belongs to the unknown problem {problem!r}")
        counts[problem] = counts.get(problem, 0) + 1
        return {**entry, "number": f"{numbers[problem]}.{counts[problem]}"}

    assignment = Assignment(
        course=Course(**facts["course"]),
        **_checked_policies(facts["policies"], path.name),
        submission=Submission(**_with_tuples(facts["submission"])),
        limits=Limits(**facts["limits"]),
        problems=problems,
        stubs=tuple(Stub(**numbered(entry)) for entry in facts["stubs"]),
        curves=tuple(Curve(**_with_tuples(numbered(entry))) for entry in facts["curves"]),
    )
    ids = [item.id for item in assignment.items]
    for item_id in ids:
        if ids.count(item_id) > 1:
            raise AssignmentError(f"{path.name}: the id {item_id!r} is used twice")
    for problem in problems:
        total = sum(item.points for item in assignment.items_of(problem.id))
        if not problem.by_hand and total != problem.points:
            raise AssignmentError(
                f"{path.name}: {problem.id} is worth {problem.points} points, but its parts add up to {total}"
            )
    return assignment


def _checked_policies(policies: dict[str, Any], file: str) -> dict[str, Any]:
    wanted = {"visibility_before_due", "leaderboard"}
    if policies.keys() != wanted:
        raise AssignmentError(f"{file}: [policies] must have {sorted(wanted)}, got {sorted(policies)}")
    if policies["visibility_before_due"] not in get_args(Visibility):
        raise AssignmentError(
            f"{file}: visibility_before_due must be one of {get_args(Visibility)}, "
            f"got {policies['visibility_before_due']!r}"
        )
    if type(policies["leaderboard"]) is not bool:
        raise AssignmentError(f"{file}: leaderboard must be true or false, got {policies['leaderboard']!r}")
    return policies


def _with_tuples(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
