"""Grades the animals of the zoo by live probes and compares with what is expected."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing.util import Finalize

from autograder.grading.listener import Silent
from autograder.grading.outcome import Outcome
from autograder.grading.session import Grade, Grader
from autograder.hidden_tests.graded import load_hidden_tests
from autograder.report.words import hint_of
from autograder.solutions import reference_code
from autograder.zoo import Animal, code_of, load_animals, main_stub
from hw4.checking.calls import calls_between_stubs
from hw4.handin.assignment import load_assignment
from hw4.handin.intake import Intake

PROCESSES = 2
DECLARED = load_hidden_tests()


@dataclass(frozen=True)
class Visit:
    """One animal's report and what was expected of it."""

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


def visit_herd(grader: Grader, herd: list[Animal], *, everything: bool = True) -> list[Visit]:
    """Grade animals that change different functions as one submission: as telling as one by one, and much faster.

    Args:
        grader: an open one.
        herd: of `herds`, or a single animal.
        everything: whether the functions that none of them changes are graded, too. If one of those fails, that is a
            surprise for the whole herd.
    """
    ranges = frozenset[str]().union(*map(range_of, herd))
    only = frozenset[str]().union(*map(surroundings_of, herd)) if everything else ranges
    graded = grader.grade(intake_of(code_of(herd_of(herd))), Silent(), curves=False, only=only)
    nobody = _compare(graded, Animal("nobody", "correct", "", {}), set(only - ranges))
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
    """Divide animals into herds of which none shows where another is expected to; those of topics apart from others."""
    divided: list[list[Animal]] = []
    for animal in animals:
        herd = next((herd for herd in divided if not any(meet(animal, other) for other in herd)), None)
        if herd is None:
            divided.append([animal])
        else:
            herd.append(animal)
    return divided


def meet(animal: Animal, other: Animal) -> bool:
    """Whether one of two animals could change what is expected of the other. Of correct ones nothing but full marks is
    expected: they meet where they change the same.
    """
    if animal.kind == other.kind == "correct":
        given = [{(file, old) for file, old, _ in one.replacements} for one in (animal, other)]
        return bool(animal.regions.keys() & other.regions.keys() or given[0] or given[1])
    if surroundings_of(animal) != surroundings_of(other):
        return True
    return bool(expected_of(animal) & range_of(other) or expected_of(other) & range_of(animal))


def expected_of(animal: Animal) -> set[str]:
    """Ids of the stubs that the animal changes, and of those whose tests it is expected to fail."""
    listed = {DECLARED[test].stub_id for test in (*animal.fails, *animal.either) if test in DECLARED}
    return {*animal.regions, *listed}


def range_of(animal: Animal) -> set[str]:
    """Ids of the stubs whose tests the animal may fail: those above, and the callers of what it changes."""
    callers = set[str]().union(*(_callers().get(stub_id, set()) for stub_id in animal.regions))
    return (expected_of(animal) | callers) & surroundings_of(animal)


def surroundings_of(animal: Animal) -> frozenset[str]:
    """Ids of the stubs that are graded with the animal in place: of a wrong one of a topic those of all topics, of
    any other wrong one those of no topic. So what is optional never changes what is expected of the rest.
    """
    assignment = load_assignment()
    if animal.kind == "correct":
        return assignment.required_stubs | assignment.optional_stubs
    is_optional = main_stub(animal) in assignment.optional_stubs
    return assignment.optional_stubs if is_optional else assignment.required_stubs


@cache
def _callers() -> dict[str, set[str]]:
    """Id of a stub -> ids of those that call it: a bug of it may show there."""
    sources = {name: content.decode() for name, content in reference_code().items()}
    calls = calls_between_stubs(sources, load_assignment().stubs)
    return {stub_id: {caller for caller, called in calls.items() if stub_id in called} for stub_id in calls}


def _compare(graded: Grade, animal: Animal, stub_ids: set[str]) -> Visit:
    stubs = [report for report in graded.report.stubs if report.id in stub_ids]
    outcomes = {test.outcome.test: test.outcome for report in stubs for test in report.tests}
    failed = {
        name: outcome.cause
        for name, outcome in outcomes.items()
        if outcome.verdict != "passed" and (name in animal.fails or not _waits(outcome))
    }
    first = next((report.first_failure for report in stubs if report.first_failure is not None), None)
    cause = first.cause if first else ""
    surprises = [f"{name} passes" for name in animal.fails if name not in failed]
    for name in failed.keys() - {*animal.fails, *animal.either}:
        surprises.append(f"{name} fails: {outcomes[name].cause}: {outcomes[name].message}")
    surprises += [f"{name} is not a hidden test" for name in (*animal.fails, *animal.either) if name not in DECLARED]
    if animal.kind == "wrong" and not failed:
        surprises.append("nothing fails")
    if first and cause not in animal.causes and not animal.unnamed:
        surprises.append(f"the first hint says {cause}, not {' or '.join(animal.causes)}: {first.message}")
    surprises += list(graded.report.faults)
    surprises += [f"{r.id}: no hint" for r in stubs if r.verdict == "failed" and hint_of(r) is None]
    lost = sum(report.points - report.score for report in stubs)
    score = round(sum(stub.points for stub in load_assignment().stubs) - lost, 2)
    return Visit(animal, failed, cause, score, tuple(surprises))


def _waits(outcome: Outcome) -> bool:
    """Whether a check was not judged because the answer itself is wrong, as another check says."""
    return outcome.verdict == "not_run" and DECLARED[outcome.test].needs_another


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
    return visit_herd(_graders[0], [load_animals()[name] for name in names])
