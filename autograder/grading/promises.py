"""What an agent behind a curve must keep, and what was found about it (the probes: integrity.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Promise = Literal["answers", "follows_data", "replans", "members_differ"]

CAUSES: dict[Promise, str] = {  # keys of the hint catalogue
    "answers": "raised",
    "follows_data": "ignores_its_data",
    "replans": "ignores_surprises",
    "members_differ": "members_alike",
}

BROKEN: dict[Promise, str] = {
    "answers": "the agent stops when it gets data of another kind",
    "follows_data": "the agent does not follow the data it is given",
    "replans": "the agent does not plan again when something unexpected happens",
    "members_differ": "members of the ensemble are identical",
}


@dataclass(frozen=True)
class WorldResult:
    """What one agent did in one made-up world. Agreements are in [-1, 1]: 1 if always the action that pays."""

    start: float  # agreement of the actions soon after a start
    surprise: float  # agreement of the actions soon after a surprise
    effect: float  # agreement of the predicted effect of each action
    difference: float  # smallest difference between two members' predictions; inf for a single model


@dataclass(frozen=True)
class Integrity:
    """The verdict on one agent."""

    broken: Promise | None
    message: str  # for staff
    results: tuple[WorldResult, ...] = ()
    cpu_seconds: float = 0.0
    unchecked: bool = False  # the deadline passed or the grader failed: nobody knows
