"""What was measured of one submission, as JSON: enough to score it again, and to write all its documents again.

A record holds verdicts, causes, returns and probes; points follow from them by today's weights, bars and rule.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import importlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from autograder.grading.curves import Bar, load_bars
from autograder.grading.fingerprint import CORE, NOT_CORE, hash_of
from autograder.grading.integrity import Integrity, WorldResult, with_note, without_points
from autograder.grading.outcome import Outcome
from autograder.grading.private import load_private
from autograder.grading.referee import CurveRun
from autograder.grading.scoring import ExampleRun, full_report, stub_report
from autograder.grading.session import Grade, curve_report
from autograder.grading.suite import HIDDEN_TESTS
from autograder.hidden_tests.graded import DECLARED
from autograder.isolation.confinement import Confinement
from autograder.report.receipt import facts_of_grader, facts_of_submission
from hw4.handin.assignment import load_assignment
from hw4.handin.intake import ForbiddenImport, Intake, SyntaxProblem

for _path in sorted(HIDDEN_TESTS.glob("test_*.py")):
    importlib.import_module(f"autograder.hidden_tests.{_path.stem}")  # fills DECLARED


# What was measured ----------------------------------------------------------------------------------------------------


def measured(grade: Grade, *, curves: bool, only: frozenset[str] | None) -> dict[str, Any]:
    """All of a grade but the submission itself, ready for JSON."""
    return {
        "outcomes": {t.outcome.test: dataclasses.asdict(t.outcome) for s in grade.report.stubs for t in s.tests},
        "examples": {s.stub.id: dataclasses.asdict(s.example) for s in grade.report.stubs if s.example},
        "runs": {curve: [dataclasses.asdict(run) for run in runs] for curve, runs in grade.runs.items()},
        "integrity": {curve: dataclasses.asdict(found) for curve, found in grade.integrity.items()},
        "broken_files": {name: dataclasses.asdict(outcome) for name, outcome in grade.broken_files.items()},
        "confinement": dataclasses.asdict(grade.confinement),
        "num_swept": grade.num_swept,
        "speed": grade.speed,
        "seconds": grade.seconds,
        "options": options(curves=curves, only=only),
        "grader": facts_of_grader(),
        "core": core_hash(),
        "tests": hashes_of_tests(),
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
    }


# What follows from it -------------------------------------------------------------------------------------------------


def grade_of(intake: dict[str, Any], found: dict[str, Any], bars: dict[str, Bar] | None = None) -> Grade:
    """The grade that a record gives by today's weights, bars and rule. Nothing is run.

    Args:
        intake: of `facts_of_intake`.
        found: of `measured`.
        bars: today's if None.
    """
    assignment, bars = load_assignment(), bars or load_bars()
    outcomes = {name: Outcome(**facts) for name, facts in found["outcomes"].items()}
    examples = {
        stub: ExampleRun(facts["story"], tuple(map(tuple, facts["rows"]))) for stub, facts in found["examples"].items()
    }
    runs = {curve: [CurveRun(**facts) for facts in of_curve] for curve, of_curve in found["runs"].items()}
    integrity = {
        curve: Integrity(**{**facts, "results": tuple(WorldResult(**result) for result in facts["results"])})
        for curve, facts in found["integrity"].items()
    }
    broken_files = {name: Outcome(**facts) for name, facts in found["broken_files"].items()}
    only = found["options"]["only"]
    stubs = []
    for stub in assignment.stubs:
        if only is None or stub.id in only:
            report = stub_report(stub, DECLARED, outcomes, None)
            if report.verdict != "passed":
                report = dataclasses.replace(report, example=examples.get(stub.id))
            stubs.append(report)
    curves = []
    for curve in assignment.curves:
        own = runs.get(curve.id, [])
        verdict = curve_report(curve, own, bars[curve.id], broken_files, assignment)
        verdict = without_points(verdict, integrity.get(curve.id))
        curves.append(with_note(verdict, [run.returns for run in own], bars[curve.id].bar))
    return Grade(
        report=full_report(assignment, stubs, curves, []),
        intake=_intake(intake),
        runs=runs,
        bars=bars,
        confinement=Confinement(**found["confinement"]),
        num_swept=found["num_swept"],
        speed=found["speed"],
        seconds=found["seconds"],
        broken_files=broken_files,
        integrity=integrity,
    )


def _intake(facts: dict[str, Any]) -> Intake:
    """What a page says of the files. Their content is not here."""
    return Intake(
        files={},
        missing=tuple(facts["missing"]),
        ignored=tuple(facts["ignored"]),
        syntax_errors=tuple(SyntaxProblem(**problem) for problem in facts["syntax_errors"]),
        forbidden_imports=tuple(ForbiddenImport(**found) for found in facts["forbidden_imports"]),
        notes=tuple(facts["notes"]),
    )


# What it stands on ----------------------------------------------------------------------------------------------------


@cache
def core_hash() -> str:
    """Of all that a verdict stands on but the hidden tests themselves: workers, referee, given files, limits."""
    assignment = load_assignment()
    experiments = [(curve.id, curve.experiment, curve.needs) for curve in assignment.curves]
    files = [(stub.id, stub.file, stub.symbol) for stub in assignment.stubs]
    facts = f"{assignment.limits}{assignment.submission}{experiments}{files}{load_private()}"
    digest = hashlib.sha256(facts.encode())
    digest.update(hash_of(*CORE, without=NOT_CORE).encode())
    return digest.hexdigest()


@cache
def hashes_of_tests() -> dict[str, str]:
    """Hash of each hidden test: of its own code, and of everything else in its file and beside it.

    Its docstring, weight and stub are no part of it: they decide no verdict.
    """
    beside = b"".join((HIDDEN_TESTS / name).read_bytes() for name in ("oracles.py", "inputs.py"))
    return {
        name: value
        for path in sorted(HIDDEN_TESTS.glob("test_*.py"))
        for name, value in hashes_in(path.read_text(encoding="utf-8"), beside).items()
    }


def hashes_in(source: str, beside: bytes = b"") -> dict[str, str]:
    """The hash of each test in one file of hidden tests."""
    tree = ast.parse(source)
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    others = [ast.dump(node) for node in tree.body if node not in tests]
    shared = hashlib.sha256("\n".join(others).encode() + beside).hexdigest()
    found = {}
    for test in tests:
        body = test.body[1:] if ast.get_docstring(test) is not None else test.body
        decorators = [node for node in test.decorator_list if not ast.unparse(node).startswith("graded(")]
        code = "\n".join(ast.dump(node) for node in (test.args, *decorators, *body))
        found[test.name] = hashlib.sha256(f"{shared}\n{code}".encode()).hexdigest()
    return found


def dump(document: dict[str, Any]) -> bytes:
    """JSON for our own reading: NaN and infinity stay what they are."""
    return json.dumps(document, separators=(",", ":")).encode()


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found
