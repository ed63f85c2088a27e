"""Grades the animals of the zoo by live probes and compares with what is expected."""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing.util import Finalize
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from autograder.grading.outcome import Outcome
from autograder.grading.session import Grade, Grader
from autograder.grading.suite import HIDDEN_TESTS
from autograder.hidden_tests.graded import DECLARED
from autograder.report.words import hint_of
from autograder.zoo import Animal, code_of, load_animals
from hw4.handin.assignment import Curve, load_assignment
from hw4.handin.intake import Intake

PROCESSES = 2
PAGE = Path("build/zoo.html")
for _path in sorted(HIDDEN_TESTS.glob("test_*.py")):
    importlib.import_module(f"autograder.hidden_tests.{_path.stem}")  # fills DECLARED
CALLERS = {"cem_refit": ("cem_plan",), "mpc_act": ("agent_record",)}  # a bug here may show there


class Silent:
    """A Listener that says nothing."""

    def test_ended(self, outcome: Outcome) -> None: ...

    def episode_ended(self, curve: Curve, run: int, episode: int, episode_return: float) -> None: ...

    def run_ended(self, curve: Curve, run: int) -> None: ...


@dataclass(frozen=True)
class Visit:
    """One animal's report beside what was expected of it."""

    animal: Animal
    failed: dict[str, str]  # hidden test -> cause
    cause: str  # the first hint's; empty if nothing fails
    score: float
    surprises: tuple[str, ...]

    @property
    def is_named(self) -> bool:
        """Whether the first hint names a right cause."""
        return self.cause in self.animal.causes


def intake_of(code: dict[str, bytes]) -> Intake:
    return Intake(files=code, missing=(), ignored=(), syntax_errors=(), forbidden_imports=(), notes=())


def visit_animal(grader: Grader, animal: Animal) -> Visit:
    """Grade one animal by probes alone and list everything that was not expected."""
    graded = grader.grade(intake_of(code_of(animal)), Silent(), curves=False)
    return _compare(graded, animal, {stub.id for stub in load_assignment().stubs})


def visit_herd(grader: Grader, herd: list[Animal], *, everything: bool = True) -> list[Visit]:
    """Grade animals that change different functions as one submission: as telling as one by one, and much faster.

    Args:
        everything: whether the functions that none of them changes are graded, too. If one of those fails, that is a
            surprise for the whole herd.
    """
    ranges = frozenset[str]().union(*map(range_of, herd))
    only = None if everything else ranges
    graded = grader.grade(intake_of(code_of(herd_of(herd))), Silent(), curves=False, only=only)
    nobody = _compare(
        graded, Animal("nobody", "correct", "", {}), {stub.id for stub in load_assignment().stubs} - ranges
    )
    visits = [_compare(graded, animal, range_of(animal)) for animal in herd]
    return [replace(visit, surprises=visit.surprises + nobody.surprises) for visit in visits]


def herd_of(herd: Iterable[Animal]) -> Animal:
    """All changes of several animals in one."""
    regions: dict[str, str] = {}
    replacements: tuple[tuple[str, str, str], ...] = ()
    for animal in herd:
        regions |= animal.regions
        replacements += animal.replacements
    return Animal("herd", "wrong", "", regions, replacements)


def herds(animals: Iterable[Animal]) -> list[list[Animal]]:
    """Divide animals into herds whose changes do not meet."""
    divided: list[list[Animal]] = []
    taken: list[set[str]] = []
    for animal in animals:
        own = range_of(animal)
        number = next((i for i, ids in enumerate(taken) if not ids & own), len(divided))
        if number == len(divided):
            divided.append([])
            taken.append(set())
        divided[number].append(animal)
        taken[number] |= own
    return divided


def range_of(animal: Animal) -> set[str]:
    """Ids of the stubs whose tests the animal may fail."""
    listed = {DECLARED[test].stub_id for test in (*animal.fails, *animal.either) if test in DECLARED}
    return {*animal.regions, *listed, *(caller for stub_id in animal.regions for caller in CALLERS.get(stub_id, ()))}


def _compare(graded: Grade, animal: Animal, stub_ids: set[str]) -> Visit:
    stubs = [report for report in graded.report.stubs if report.stub.id in stub_ids]
    outcomes = {test.outcome.test: test.outcome for report in stubs for test in report.tests}
    failed = {name: outcome.cause for name, outcome in outcomes.items() if outcome.verdict != "passed"}
    first = next((report.first_failure for report in stubs if report.first_failure is not None), None)
    cause = first.cause if first else ""
    surprises = [f"{name} passes" for name in animal.fails if name not in failed]
    for name in failed.keys() - {*animal.fails, *animal.either}:
        surprises.append(f"{name} fails: {outcomes[name].cause}: {outcomes[name].message}")
    surprises += [f"{name} is no hidden test" for name in (*animal.fails, *animal.either) if name not in DECLARED]
    if animal.kind == "wrong" and not failed:
        surprises.append("nothing fails")
    if first and cause not in animal.causes and not animal.unnamed:
        surprises.append(f"the first hint says {cause}, not {' or '.join(animal.causes)}: {first.message}")
    surprises += list(graded.report.faults)
    surprises += [f"{r.stub.id}: no hint" for r in stubs if r.verdict == "failed" and hint_of(r) is None]
    lost = sum(report.stub.points - report.score for report in stubs)
    score = round(sum(stub.points for stub in load_assignment().stubs) - lost, 2)
    return Visit(animal, failed, cause, score, tuple(surprises))


def named_share(visits: Iterable[Visit]) -> float:
    """The share of wrong animals whose first hint names a right cause."""
    wrong = [visit.is_named for visit in visits if visit.animal.kind == "wrong"]
    return sum(wrong) / len(wrong) if wrong else 1.0


def visit_all(groups: list[list[Animal]]) -> Iterator[list[Visit]]:
    """Grade each group as one submission, in several processes; in the order in which they finish."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn, initializer=_open_grader) as pool:
        pending = [pool.submit(_visit_by_name, [animal.name for animal in group]) for group in groups]
        for done in as_completed(pending):
            yield done.result()


_graders: list[Grader] = []


def _open_grader() -> None:
    _graders.append(Grader().__enter__())
    Finalize(None, _graders[0].__exit__, (None, None, None), exitpriority=1)


def _visit_by_name(names: list[str]) -> list[Visit]:
    animals = [load_animals()[name] for name in names]
    return visit_herd(_graders[0], animals) if len(animals) > 1 else [visit_animal(_graders[0], animals[0])]


def visit(console: Console, names: list[str], *, alone: bool, page: Path = PAGE) -> int:
    """Visit animals, print a table, write the page, and return 1 if there was a surprise."""
    from autograder.zoo.page import zoo_page

    animals = [animal for animal in load_animals().values() if not names or animal.name in names]
    if unknown := set(names) - {animal.name for animal in animals}:
        raise SystemExit(f"the zoo has no {', '.join(sorted(unknown))}")
    by_themselves = [animal for animal in animals if alone or animal.slow or animal.kind == "correct"]
    groups = [[animal] for animal in by_themselves]
    groups += herds(animal for animal in animals if animal not in by_themselves)
    groups.sort(key=lambda group: not group[0].slow)
    found: dict[str, Visit] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("visiting the zoo", total=len(animals))
        for visits in visit_all(groups):
            found |= {one.animal.name: one for one in visits}
            progress.advance(bar, len(visits))
    visits = [found[animal.name] for animal in animals]
    probe_points = sum(stub.points for stub in load_assignment().stubs)
    table = Table("animal", "kind", f"points of {probe_points}", "tests failed", "first hint")
    for one in visits:
        table.add_row(one.animal.name, one.animal.kind, f"{one.score:g}", str(len(one.failed)), one.cause)
    console.print(table)
    for one in visits:
        for surprise in one.surprises:
            console.print(f"{one.animal.name}: {surprise}", markup=False, style="red")
    if wrong := [one for one in visits if one.animal.kind == "wrong"]:
        share = named_share(visits)
        console.print(f"{len(wrong)} wrong animals; the first hint names the cause of {share:.0%} of them.")
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(zoo_page(visits), encoding="utf-8")
    console.print(f"Wrote {page}", markup=False)
    return 1 if any(one.surprises for one in visits) else 0
