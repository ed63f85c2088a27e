"""The package `hw4` as a worker imports it: given files as published, and the student's three or their stubs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hw4.assignment import load_assignment

GIVEN = Path(__file__).resolve().parents[2] / "hw4"

# All that a worker gets, beside the three files: in the fork server, once. No environment is among it.
GIVEN_FILES = (
    "__init__.py",
    "agents.py",
    "doubles.py",
    "experiments.py",
    "gaussian_model.py",
    "imagination.py",
    "networks.py",
    "noise.py",
    "rewards.py",
    "subject.py",
    "tasks.py",
    "transitions.py",
)

Package = Mapping[str, bytes]  # file to be submitted -> content


def given_files() -> dict[str, bytes]:
    return {name: (GIVEN / name).read_bytes() for name in GIVEN_FILES}


def package_with(code: Mapping[str, bytes]) -> Package:
    """Of each file to be submitted what is in `code`, or else the stub."""
    return {
        name: code[name] if name in code else (GIVEN / name).read_bytes() for name in load_assignment().submission.code
    }
