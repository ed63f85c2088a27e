"""What was measured of one submission, as JSON: enough to score it again, and to write all its documents again.

A record holds verdicts, causes, returns and probes; the judge says what they are worth. A class keeps its answer.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from autograder import hidden_tests
from autograder.grading.curves import Bar, load_bars
from autograder.grading.fingerprint import CORE, NOT_CORE, hash_of
from autograder.grading.judge import Measured, judge
from autograder.grading.private import load_private
from autograder.grading.scoring import Report
from autograder.grading.session import Grade
from autograder.grading.suite import HIDDEN_TESTS
from autograder.hidden_tests.graded import EFFECTS, load_hidden_tests
from autograder.isolation.confinement import Confinement
from autograder.recorded.code_hash import check_hash, is_hidden_check
from autograder.report.receipt import facts_of_grader, facts_of_submission
from hw4.handin.answer_cells import UnreadNotebook
from hw4.handin.assignment import load_assignment
from hw4.handin.code_files import ForbiddenImport, SyntaxProblem
from hw4.handin.imports import reached
from hw4.handin.intake import Intake

DECLARED = load_hidden_tests()


# What was measured ----------------------------------------------------------------------------------------------------


def measured(grade: Grade, *, curves: bool, only: frozenset[str] | None) -> dict[str, Any]:
    """All of a grade but the submission itself, ready for JSON."""
    known = grade.measured
    return {
        "outcomes": {name: dataclasses.asdict(outcome) for name, outcome in known.outcomes.items()},
        "examples": {stub: dataclasses.asdict(example) for stub, example in known.examples.items()},
        "runs": {item: [dataclasses.asdict(run) for run in runs] for item, runs in known.runs.items()},
        "integrity": {curve: dataclasses.asdict(found) for curve, found in known.integrity.items()},
        "broken_files": {name: dataclasses.asdict(outcome) for name, outcome in known.broken_files.items()},
        "put_back": list(known.put_back),
        "confinement": dataclasses.asdict(grade.confinement),
        "num_swept": grade.num_swept,
        "speed": grade.speed,
        "seconds": grade.seconds,
        "options": options(curves=curves, only=only),
        "grader": facts_of_grader(),
        "core": core_hash(),
        "tests": hashes_of_tests(),
        "effects": hashes_of_effects(),
    }


def options(*, curves: bool, only: frozenset[str] | None) -> dict[str, Any]:
    return {"curves": curves, "only": None if only is None else sorted(only)}


def facts_of_intake(intake: Intake) -> dict[str, Any]:
    """Everything that is said of what was handed in, without its content."""
    return {
        "hashes": facts_of_submission(intake),
        "missing": intake.missing,
        "ignored": intake.ignored[:100],
        "syntax_errors": [dataclasses.asdict(problem) for problem in intake.syntax_errors],
        "forbidden_imports": [dataclasses.asdict(found) for found in intake.forbidden_imports],
        "notes": intake.notes,
        "unread_notebooks": [dataclasses.asdict(problem) for problem in intake.unread_notebooks],
    }


# What follows from it -------------------------------------------------------------------------------------------------


def grade_of(intake: dict[str, Any], found: dict[str, Any], kept: tuple[Report, dict[str, Bar]] | None = None) -> Grade:
    """The grade of a record: as it was judged then, or by today's weights, bars and rule. Nothing is run.

    Args:
        intake: of `facts_of_intake`.
        found: of `measured`.
        kept: the report of then, and its bars; None: it is judged today.
    """
    known = Measured.from_json(
        intake["hashes"],
        outcomes=found["outcomes"],
        examples=found["examples"],
        runs=found["runs"],
        integrity=found["integrity"],
        broken_files=found["broken_files"],
        put_back=found["put_back"],
        only=found["options"]["only"],
    )
    report, bars = kept or _judged_today(known)
    return Grade(
        report=report,
        intake=_intake(intake),
        measured=known,
        bars=bars,
        confinement=Confinement(**found["confinement"]),
        num_swept=found["num_swept"],
        speed=found["speed"],
        seconds=found["seconds"],
    )


def _judged_today(known: Measured) -> tuple[Report, dict[str, Bar]]:
    bars = load_bars()
    return judge(known, bars=bars, assignment=load_assignment(), declared=DECLARED), bars


def _intake(facts: dict[str, Any]) -> Intake:
    """What a page says of the files. Their content is not here."""
    return Intake(
        files={},
        missing=tuple(facts["missing"]),
        ignored=tuple(facts["ignored"]),
        syntax_errors=tuple(SyntaxProblem(**problem) for problem in facts["syntax_errors"]),
        forbidden_imports=tuple(ForbiddenImport(**found) for found in facts["forbidden_imports"]),
        notes=tuple(facts["notes"]),
        unread_notebooks=tuple(UnreadNotebook(**problem) for problem in facts.get("unread_notebooks", ())),
    )


# What it depends on --------------------------------------------------------------------------------------------------


@cache
def core_hash() -> str:
    """Of everything that a verdict depends on except the hidden tests themselves: workers, referee, given files,
    limits."""
    assignment = load_assignment()
    experiments = [(curve.id, curve.experiment, curve.needs, curve.agent) for curve in assignment.curves]
    files = [(stub.id, stub.file, stub.symbol) for stub in assignment.stubs]
    facts = f"{assignment.limits}{assignment.submission}{experiments}{files}{load_private()}"
    digest = hashlib.sha256(facts.encode())
    digest.update(hash_of(*CORE, without=NOT_CORE).encode())
    return digest.hexdigest()


@cache
def hashes_of_tests() -> dict[str, str]:
    """Hash of each hidden test, see `hashes_below`."""
    return hashes_below(HIDDEN_TESTS)


@cache
def hashes_of_effects() -> dict[str, str]:
    """Hash of the check of each effect."""
    return {effect_id: check_hash(check) for effect_id, check in EFFECTS.items()}


def stale_effects(found: dict[str, Any]) -> list[str]:
    """Effects of a record that runs, whose numbers another check computed."""
    then, today = found.get("effects", {}), hashes_of_effects()
    return [effect.id for effect in load_assignment().effects if then.get(effect.id) != today.get(effect.id)]


def hashes_below(folder: Path) -> dict[str, str]:
    """Hash of each hidden test: of its own code, of everything else in its file, and of the modules of the folder that
    its file reaches by its imports, such as its oracle.

    Its docstring, weight and stub are no part of it: they decide no verdict. Nor does `graded.py`, which keeps them.

    Args:
        folder: of the hidden tests.
    """

    def source_of(name: str) -> bytes | None:
        return (folder / name).read_bytes() if (folder / name).is_file() else None

    found: dict[str, str] = {}
    for path in sorted(folder.rglob("test_*.py")):
        own = path.relative_to(folder).as_posix()
        others = [name for name in reached([own], source_of, hidden_tests.__name__) if name not in (own, "graded.py")]
        shared = b"".join(name.encode() + b"\0" + (folder / name).read_bytes() for name in others)
        found |= hashes_in(path.read_text(encoding="utf-8"), shared)
    return found


def hashes_in(source: str, imported: bytes = b"") -> dict[str, str]:
    """The hash of each test in one file of hidden tests."""
    tree = ast.parse(source)
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    others = [ast.dump(node) for node in tree.body if not (isinstance(node, ast.FunctionDef) and is_hidden_check(node))]
    shared = hashlib.sha256("\n".join(others).encode() + imported).hexdigest()
    found = {}
    for test in tests:
        body = test.body[1:] if ast.get_docstring(test) is not None else test.body
        decorators = [node for node in test.decorator_list if not ast.unparse(node).startswith("graded(")]
        code = "\n".join(ast.dump(node) for node in (test.args, *decorators, *body))
        found[test.name] = hashlib.sha256(f"{shared}\n{code}".encode()).hexdigest()
    return found
