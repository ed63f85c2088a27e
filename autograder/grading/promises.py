"""What an agent behind a curve must keep, and what was found about it (the probes: integrity.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Promise = Literal["answers", "replans", "members_differ"]

CAUSES: dict[Promise, str] = {  # keys of the hint catalogue
    "answers": "raised",
    "replans": "ignores_surprises",
    "members_differ": "members_alike",
}

BROKEN: dict[Promise, str] = {
    "answers": "the agent stops when something unexpected happens",
    "replans": "the agent does not plan again when something unexpected happens",
    "members_differ": "members of the ensemble are identical",
}


@dataclass(frozen=True)
class Look:
    """What one agent did in a graded run in which it was put back to the start."""

    at_first: float  # reward of some steps from the start, beyond that of staying there
    again: float  # of as many steps after it was put back
    difference: float  # the smallest between two members' predictions of a plan; inf for a single model
    goes_on: bool = False  # its next actions were those of the graded run, in which nothing happened


@dataclass(frozen=True)
class Integrity:
    """The verdict on one agent."""

    broken: Promise | None
    message: str  # for staff
    results: tuple[Look, ...] = ()
    cpu_seconds: float = 0.0
    unchecked: bool = False  # the deadline passed or the grader failed: nobody knows
