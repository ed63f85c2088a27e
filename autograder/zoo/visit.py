"""Grades the animals of the zoo by live probes and compares with what is expected."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.progress import track
from rich.table import Table

from autograder.hidden_tests.graded import DECLARED
from autograder.report.words import hint_of
from autograder.session import Grader
from autograder.suite import Outcome
from autograder.zoo import Animal, code_of, load_animals
from hw4.assignment import Curve, load_assignment
from hw4.hints import HINTS
from hw4.submission import Intake


class Silent:
    """A Listener that says nothing."""

    def test_ended(self, outcome: Outcome) -> None: ...

    def episode_ended(self, curve: Curve, run: int, episode: int, episode_return: float) -> None: ...

    def run_ended(self, curve: Curve, run: int) -> None: ...


@dataclass(frozen=True)
class Visit:
    """One animal's report beside what was expected of it."""

    animal: Animal
    failed: tuple[str, ...]
    causes: tuple[str, ...]  # first cause of each function that lost points
    score: float
    surprises: tuple[str, ...]


def intake_of(code: dict[str, bytes]) -> Intake:
    return Intake(files=code, missing=(), ignored=(), syntax_errors=(), forbidden_imports=(), notes=())


def visit_animal(grader: Grader, animal: Animal) -> Visit:
    """Grade one animal by probes alone and list everything that was not expected."""
    graded = grader.grade(intake_of(code_of(animal)), Silent(), curves=False)
    outcomes = {test.outcome.test: test.outcome for stub in graded.report.stubs for test in stub.tests}
    failed = tuple(name for name, outcome in outcomes.items() if outcome.verdict != "passed")
    causes = tuple(s.first_failure.cause for s in graded.report.stubs if s.first_failure is not None)
    surprises = [f"{name} passes" for name in animal.fails if name not in failed]
    for name in failed:
        if name not in (*animal.fails, *animal.either):
            surprises.append(f"{name} fails: {outcomes[name].cause}: {outcomes[name].message}")
    surprises += [f"{name} is no hidden test" for name in (*animal.fails, *animal.either) if name not in DECLARED]
    if animal.kind == "wrong" and causes and causes[0] not in animal.causes:
        surprises.append(f"the first hint says {causes[0]}, not {' or '.join(animal.causes)}")
    if animal.kind == "wrong" and not failed:
        surprises.append("nothing fails")
    surprises += list(graded.report.faults)
    without_hint = [s.stub.id for s in graded.report.stubs if s.verdict == "failed" and hint_of(s) is None]
    surprises += [f"{stub_id}: no hint, known are {len(HINTS)}" for stub_id in without_hint]
    score = sum(stub.score for stub in graded.report.stubs)
    return Visit(animal, failed, causes, score, tuple(surprises))


def visit(console: Console, names: list[str]) -> int:
    """Visit animals, print a table, and return 1 if there was a surprise."""
    animals = [animal for animal in load_animals().values() if not names or animal.name in names]
    with Grader() as grader:
        visits = [visit_animal(grader, animal) for animal in track(animals, "visiting the zoo", console=console)]
    probe_points = sum(stub.points for stub in load_assignment().stubs)
    table = Table("animal", "kind", f"points of {probe_points}", "tests failed", "first hint")
    for one in visits:
        cause = one.causes[0] if one.causes else ""
        table.add_row(one.animal.name, one.animal.kind, f"{one.score:g}", str(len(one.failed)), cause)
    console.print(table)
    for one in visits:
        for surprise in one.surprises:
            console.print(f"{one.animal.name}: {surprise}", markup=False, style="red")
    return 1 if any(one.surprises for one in visits) else 0
