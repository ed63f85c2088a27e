"""The public facts of the homework, read from `assignment.toml` (given; standard library only)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from hw4.handin.strict_toml import TomlError, TomlFile, and_meant

ASSIGNMENT_FILE = Path(__file__).resolve().parents[2] / "assignment.toml"


Visibility = Literal["full", "scores"]
Collaboration = Literal["alone", "discuss"]
AIUse = Literal["forbidden", "declared", "free"]
Attempts = Literal["last", "best", "first"]


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
    number: int  # 1, 2, ... in the order of the file; optional problems are counted apart
    by_hand: bool = False
    optional: bool = False  # a topic: its points are a bonus, and its absence costs nothing
    written: int = 0  # of a topic's points, those that people give for the answers in its notebook

    @property
    def written_points(self) -> int:
        """What people grade."""
        return self.points if self.by_hand else self.written

    @property
    def code_points(self) -> int:
        """What a program grades."""
        return self.points - self.written_points

    @property
    def notebook(self) -> str:
        """The notebook of a topic."""
        return f"{self.id}.ipynb"

    @property
    def label(self) -> str:
        """ "P2", or "T1" for the first topic."""
        return f"{'T' if self.optional else 'P'}{self.number}"


@dataclass(frozen=True)
class Stub:
    """One function that the student writes."""

    kind: ClassVar[Literal["function"]] = "function"
    id: str
    problem: str
    file: str  # "mpc.py" or "topics/NAME.py"
    symbol: str
    lines: int  # that the reference needs
    minutes: int
    points: int
    number: str  # "2.4", or "T1.2" in a topic

    @property
    def title(self) -> str:
        return self.symbol


@dataclass(frozen=True)
class Curve:
    """One learning curve that the referee runs."""

    kind: ClassVar[Literal["curve"]] = "curve"
    id: str
    problem: str
    experiment: str
    title: str
    score_episodes: int  # the score is the mean return of this many last episodes
    needs: tuple[str, ...]  # ids of the functions that its agent runs
    points: int
    number: str
    agent: str = "agents.build_agent"  # "module.function" of hw4: takes the experiment and a seed, returns an agent


@dataclass(frozen=True)
class Effect:
    """One number that a hidden check computes with the student's functions; larger is better."""

    kind: ClassVar[Literal["effect"]] = "effect"
    id: str
    problem: str
    title: str
    unit: str  # of the number, in words
    needs: tuple[str, ...]  # ids of the functions that it runs
    points: int
    number: str
    one_run: bool = False  # whether a first run at the bar earns full credit


RunItem = Curve | Effect  # is graded by several runs against a bar
Item = Stub | RunItem  # what a program grades: each has a kind, an id, a number, a title, a problem and points


@dataclass(frozen=True)
class Notebook:
    """A notebook that may be handed in."""

    file: str
    minutes: int  # an estimate: to read it, run it and write its answers
    optional: bool = False  # its absence costs nothing


@dataclass(frozen=True)
class Submission:
    """What may be handed in."""

    code: tuple[str, ...]  # the files of the stubs, in the order of the stubs
    notebooks: tuple[str, ...]
    max_file_bytes: int
    max_notebook_bytes: int
    max_total_bytes: int  # without the notebooks
    max_files: int
    pythons: tuple[str, ...]  # "3.11", ...: what students may have, the oldest first
    allowed_imports: tuple[str, ...]

    @property
    def python(self) -> str:
        """The version of Python as which code is read."""
        return self.pythons[0]


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
    max_submissions: int  # only this many are graded, and the last of them counts; 0: no limit
    attempts: Attempts  # which one counts where a site's download of the class has several of a student
    bonus_cap: int  # bonus points count up to this many
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
    effects: tuple[Effect, ...]
    notebooks: tuple[Notebook, ...]

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

    def notebooks_of(self, problem: Problem) -> tuple[Notebook, ...]:
        """The notebooks whose answers are a problem's."""
        if problem.optional:
            return tuple(notebook for notebook in self.notebooks if notebook.file == problem.notebook)
        return tuple(notebook for notebook in self.notebooks if problem.by_hand and not notebook.optional)

    def minutes_of(self, problem: Problem) -> int:
        """An estimate: for its functions and its notebooks."""
        of_stubs = sum(stub.minutes for stub in self.stubs_of(problem.id))
        return of_stubs + sum(notebook.minutes for notebook in self.notebooks_of(problem))

    def items_of(self, problem_id: str) -> tuple[Item, ...]:
        """Everything of a problem that a program grades, in order."""
        return tuple(item for item in self.items if item.problem == problem_id)

    @property
    def items(self) -> tuple[Item, ...]:
        """Everything that a program grades."""
        return self.stubs + self.curves + self.effects

    @property
    def run_items(self) -> tuple[RunItem, ...]:
        """Everything that is graded by several runs against a bar."""
        return self.curves + self.effects

    def stubs_behind(self, item: Item) -> tuple[Stub, ...]:
        """The functions that the grade of an item depends on."""
        if item.kind == "function":
            return (item,)
        return tuple(stub for stub in self.stubs if stub.id in item.needs)

    def is_optional(self, item: Item) -> bool:
        """Whether an item belongs to a topic: its points are a bonus."""
        return self.problem(item.problem).optional

    @cached_property
    def optional_stubs(self) -> frozenset[str]:
        """Ids of the functions of topics."""
        return frozenset(stub.id for stub in self.stubs if self.is_optional(stub))

    @cached_property
    def required_stubs(self) -> frozenset[str]:
        """Ids of all other functions."""
        return frozenset(stub.id for stub in self.stubs) - self.optional_stubs

    @property
    def optional_code(self) -> tuple[str, ...]:
        """The code files that hold nothing but optional functions."""
        needed = {stub.file for stub in self.stubs if not self.is_optional(stub)}
        return tuple(name for name in self.submission.code if name not in needed)

    @property
    def required_code(self) -> tuple[str, ...]:
        return tuple(name for name in self.submission.code if name not in self.optional_code)

    @property
    def optional_notebooks(self) -> tuple[str, ...]:
        return tuple(notebook.file for notebook in self.notebooks if notebook.optional)

    @property
    def code_points(self) -> int:
        """What a program grades, without a bonus."""
        return sum(problem.code_points for problem in self.problems if not problem.optional)

    @property
    def written_points(self) -> int:
        """What people grade, without a bonus."""
        return sum(problem.written_points for problem in self.problems if not problem.optional)

    @property
    def bonus_points(self) -> int:
        """All points of optional problems; `policies.bonus_cap` says how many count."""
        return sum(problem.points for problem in self.problems if problem.optional)

    @property
    def code_bonus_points(self) -> int:
        """What a program grades of the bonus."""
        return sum(problem.code_points for problem in self.problems if problem.optional)

    @property
    def written_bonus_points(self) -> int:
        """What people grade of the bonus."""
        return self.bonus_points - self.code_bonus_points

    def written_bonus_in(self, notebook: str) -> int:
        """Bonus points for the written answers in a notebook: only that of a topic can have any."""
        return sum(problem.written for problem in self.problems if problem.optional and problem.notebook == notebook)


class AssignmentError(TomlError):
    """`assignment.toml` is not what it should be. The message starts with `assignment.toml:LINE: `."""


_TABLES = ("course", "policies", "submission", "limits", "problems", "notebooks", "stubs", "curves", "effects")


@cache
def load_assignment(path: Path = ASSIGNMENT_FILE) -> Assignment:
    """Read and check the file.

    Raises:
        AssignmentError: not there; not TOML; a key that is unknown, missing, of another type or out of range; points
            that do not add up; a due date before the release; an unknown problem, function or experiment; an id used
            twice; a topic that is graded by hand altogether, or that has points for written answers and no notebook.
    """
    file = TomlFile(path, AssignmentError)
    file.allow(_TABLES)
    policies = dict(file.table("policies"))
    late = policies.pop("late", None)
    if not isinstance(late, dict):
        file.fail("policies", 0, "", "there is no [policies.late]")
    problems = _problems(file)
    counts: dict[str, int] = {}
    stubs: tuple[Stub, ...] = _items(Stub, "stubs", file, problems, counts)
    curves: tuple[Curve, ...] = _items(Curve, "curves", file, problems, counts)
    effects: tuple[Effect, ...] = _items(Effect, "effects", file, problems, counts)
    notebooks = tuple(
        Notebook(**file.fields(Notebook, "notebooks", entry, i))
        for i, entry in enumerate(file.entries("notebooks", needed=False))
    )
    found = Assignment(
        course=Course(**file.fields(Course, "course", file.table("course"))),
        policies=Policies(
            **file.fields(Policies, "policies", policies, without=("late",)),
            late=LatePolicy(**file.fields(LatePolicy, "policies.late", late)),
        ),
        submission=Submission(
            code=tuple(dict.fromkeys(stub.file for stub in stubs)),
            notebooks=tuple(notebook.file for notebook in notebooks),
            **file.fields(Submission, "submission", file.table("submission"), without=("code", "notebooks")),
        ),
        limits=Limits(**file.fields(Limits, "limits", file.table("limits"))),
        problems=problems,
        stubs=stubs,
        curves=curves,
        effects=effects,
        notebooks=notebooks,
    )
    _check(found, file)
    return found


def _problems(file: TomlFile) -> tuple[Problem, ...]:
    problems: list[Problem] = []
    for i, entry in enumerate(file.entries("problems")):
        fields = file.fields(Problem, "problems", entry, i, without=("number",))
        same_kind = [problem for problem in problems if problem.optional == fields.get("optional", False)]
        problems.append(Problem(number=len(same_kind) + 1, **fields))
    return tuple(problems)


def _items(
    of: type[Any], table: str, file: TomlFile, problems: tuple[Problem, ...], counts: dict[str, int]
) -> tuple[Any, ...]:
    entries = file.entries(table, needed=table == "stubs")
    return tuple(of(**_item(of, table, i, file, problems, counts)) for i in range(len(entries)))


def _item(
    of: type[Any], table: str, index: int, file: TomlFile, problems: tuple[Problem, ...], counts: dict[str, int]
) -> dict[str, Any]:
    """The fields of a stub, a curve or an effect, with its number, such as "2.4"."""
    fields = file.fields(of, table, file.entries(table)[index], index, without=("number",))
    problem = next((problem for problem in problems if problem.id == fields["problem"]), None)
    if problem is None:
        meant = and_meant(fields["problem"], [problem.id for problem in problems])
        file.fail(table, index, "problem", f"{fields['id']} belongs to the unknown problem {meant}")
    counts[problem.id] = counts.get(problem.id, 0) + 1
    return {**fields, "number": f"{problem.label.removeprefix('P')}.{counts[problem.id]}"}


def _check(found: Assignment, file: TomlFile) -> None:
    """What must hold between the values."""
    if found.course.due.date() < found.course.release:
        file.fail("course", 0, "due", f"due {found.course.due.date()} is before release {found.course.release}")
    if found.policies.late.percent_per_day > 100:
        file.fail("policies.late", 0, "percent_per_day", "percent_per_day must be at most 100")
    if found.policies.max_group_size < 1:
        file.fail(
            "policies", 0, "max_group_size", "max_group_size must be at least 1, which means that everybody works alone"
        )
    for table, i, key, says in (*_out_of_range(found), *_misnamed(found)):
        file.fail(table, i, key, f"{key} must be {says}")
    seen: dict[str, str] = {}
    ids_of = {
        "problems": [problem.id for problem in found.problems],
        "stubs": [stub.id for stub in found.stubs],
        "curves": [curve.id for curve in found.curves],
        "effects": [effect.id for effect in found.effects],
    }
    for table, ids in ids_of.items():
        for i, entry_id in enumerate(ids):
            if entry_id in seen:
                file.fail(table, i, "id", f"the id {entry_id!r} is used twice, first in {seen[entry_id]}")
            seen[entry_id] = f"line {file.lines.line(table, i, 'id')}"
    tables: dict[str, tuple[RunItem, ...]] = {"curves": found.curves, "effects": found.effects}
    for table, items in tables.items():
        for i, item in enumerate(items):
            for needed in item.needs:
                if needed not in ids_of["stubs"]:
                    meant = and_meant(needed, ids_of["stubs"])
                    file.fail(table, i, "needs", f"{item.id} needs the unknown function {meant}")
    for i, problem in enumerate(found.problems):
        if problem.by_hand and problem.optional:
            says = f"{problem.id} is a topic: `written` says how many of its points people give, a program the rest"
            file.fail("problems", i, "by_hand", says)
        if problem.written and not problem.optional:
            says = f"{problem.id} is not a topic: required answers are points of the problem with `by_hand = true`"
            file.fail("problems", i, "written", says)
        if problem.written and problem.written >= problem.points:
            says = f"of the {problem.points} points of {problem.id}, fewer can be for written answers"
            file.fail("problems", i, "written", says)
        if problem.written and problem.notebook not in found.optional_notebooks:
            says = f"the answers of {problem.id} are in {problem.notebook}, which is not an optional notebook"
            file.fail("problems", i, "written", says)
        total = sum(item.points for item in found.items_of(problem.id))
        if total != problem.code_points:
            of_these = f", {problem.written} of them for written answers" if problem.written else ""
            says = f"{problem.id} is worth {problem.points} points{of_these}, but its parts add up to {total}"
            file.fail("problems", i, "points", says)


_ID, _SYMBOL = r"[a-z]\w*", r"[A-Za-z]\w*(\.\w+)?"
_CODE_FILE, _NOTEBOOK_FILE = r"(topics/)?[a-z]\w*\.py", r"[a-z]\w*\.ipynb"
_PACKAGE = Path(__file__).resolve().parents[1]

Mistake = tuple[str, int, str, str]  # table, which of them, key, what the value must be


def _out_of_range(found: Assignment) -> Iterator[Mistake]:
    for key in ("max_file_bytes", "max_notebook_bytes", "max_total_bytes", "max_files"):
        if getattr(found.submission, key) < 1:
            yield "submission", 0, key, "at least 1"
    for key in ("call_seconds", "memory_mb"):
        if getattr(found.limits, key) <= 0:
            yield "limits", 0, key, "more than 0"
    if found.limits.max_cpu_factor < 1:
        yield "limits", 0, "max_cpu_factor", "at least 1, what the reference needs"
    pythons = found.submission.pythons
    minors = [int(version[2:]) for version in pythons if re.fullmatch(r"3\.\d+", version)]
    if len(minors) != len(pythons) or not minors or minors != sorted(set(minors)):
        yield "submission", 0, "pythons", f'versions such as "3.11", the oldest first, got {list(pythons)}'
    for i, stub in enumerate(found.stubs):
        if stub.lines < 1:
            yield "stubs", i, "lines", "at least 1"
    for i, curve in enumerate(found.curves):
        if curve.score_episodes < 1:
            yield "curves", i, "score_episodes", "at least 1"
    tables: dict[str, tuple[RunItem, ...]] = {"curves": found.curves, "effects": found.effects}
    for table, items in tables.items():
        for i, item in enumerate(items):
            if not item.needs:
                yield table, i, "needs", "a list of at least one function"


def _misnamed(found: Assignment) -> Iterator[Mistake]:
    entries: dict[str, tuple[Problem | Item, ...]] = {"problems": found.problems, "stubs": found.stubs}
    entries |= {"curves": found.curves, "effects": found.effects}
    for table, with_ids in entries.items():
        for i, entry in enumerate(with_ids):
            if not re.fullmatch(_ID, entry.id):
                yield table, i, "id", f"a name such as cem_refit, got {entry.id!r}"
    functions: list[tuple[str, str]] = []
    for i, stub in enumerate(found.stubs):
        if not re.fullmatch(_CODE_FILE, stub.file):
            yield "stubs", i, "file", f'a file such as "mpc.py" or "topics/mppi.py", got {stub.file!r}'
        if not re.fullmatch(_SYMBOL, stub.symbol):
            yield "stubs", i, "symbol", f'a function such as "cem" or "MPC.act", got {stub.symbol!r}'
        if (stub.file, stub.symbol) in functions:
            yield "stubs", i, "symbol", f"another function: {stub.symbol} is that of two tables"
        functions.append((stub.file, stub.symbol))
    notebooks = [notebook.file for notebook in found.notebooks]
    for i, name in enumerate(notebooks):
        if not re.fullmatch(_NOTEBOOK_FILE, name):
            yield "notebooks", i, "file", f'a name such as "replanning.ipynb", got {name!r}'
        if name in notebooks[:i]:
            yield "notebooks", i, "file", f"another file: {name} is that of two tables"
    settings = (_PACKAGE / "experiments.py").read_text(encoding="utf-8")
    experiments = re.findall(r'^    "(\w+)": ', settings, re.MULTILINE)
    for i, curve in enumerate(found.curves):
        if curve.experiment not in experiments:
            meant = and_meant(curve.experiment, experiments)
            yield "curves", i, "experiment", f"one of hw4/experiments.py, got {meant}"
        module, _, function = curve.agent.rpartition(".")
        path = _PACKAGE / f"{module.replace('.', '/')}.py"
        defined = re.findall(r"^def (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE) if path.is_file() else []
        if function not in defined:
            yield "curves", i, "agent", f'a function of hw4 such as "{Curve.agent}", got {curve.agent!r}'
