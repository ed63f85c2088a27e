"""The receipt of a grade: what was graded, by what, with which seeds, and every raw return. For staff."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
from importlib.metadata import version
from typing import Any

from autograder.grading.curves import BARS_FILE
from autograder.grading.fingerprint import GIVEN, GRADER, NOT_GIVEN, hash_of
from autograder.grading.private import load_private
from autograder.grading.session import Grade
from autograder.solutions import ROOT
from hw4.handin.intake import Intake

LOCK_FILE = ROOT / "requirements.lock"


def receipt(grade: Grade) -> dict[str, Any]:
    """Everything that is needed to repeat, to judge again or to question this grade."""
    measured = grade.measured
    return {
        "submission": facts_of_submission(grade.intake),
        "student_bundle": grade.intake.bundle_version,
        **facts_of_grader(),
        "speed": grade.speed,
        "confinement": dataclasses.asdict(grade.confinement),
        "processes_left_behind": grade.num_swept,
        "score": grade.report.score,
        "max_score": grade.report.max_score,
        "bonus": grade.report.bonus,
        "max_bonus": grade.report.max_bonus,
        "counted_bonus": grade.report.counted_bonus,
        "total": grade.report.total,
        "only": None if measured.only is None else sorted(measured.only),
        "items": {
            item.id: {
                "score": item.score,
                "verdict": item.verdict,
                "decided_by": item.message,
                "flags": item.flags,
                "notes": item.notes,
            }
            for item in grade.report.items
        },
        "tests": {name: dataclasses.asdict(outcome) for name, outcome in measured.outcomes.items()},
        "broken_files": {name: dataclasses.asdict(outcome) for name, outcome in measured.broken_files.items()},
        "put_back": list(measured.put_back),
        "integrity": {curve_id: dataclasses.asdict(found) for curve_id, found in measured.integrity.items()},
        "runs": {item_id: [dataclasses.asdict(run) for run in runs] for item_id, runs in measured.runs.items()},
        "faults": grade.report.faults,
        "seconds": round(grade.seconds, 1),
    }


def facts_of_submission(intake: Intake) -> dict[str, str]:
    """Hash of each submitted file."""
    return {name: _sha256(content) for name, content in sorted(intake.files.items())}


def facts_of_grader() -> dict[str, Any]:
    """Everything that determines a verdict besides the submission: the same facts must give the same grade."""
    return {
        "grader": hash_of(*GRADER),
        "given_files": hash_of(*GIVEN, without=NOT_GIVEN),
        "assignment": _sha256((ROOT / "assignment.toml").read_bytes()),
        "bars": _sha256(BARS_FILE.read_bytes()),
        "lock_file": _sha256(LOCK_FILE.read_bytes()) if LOCK_FILE.exists() else None,
        "versions": {name: version(name) for name in ("numpy", "torch", "gymnasium", "mujoco")},
        "python": platform.python_version(),
        "architecture": platform.machine(),
        "master_seed": load_private().master_seed,
    }


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
