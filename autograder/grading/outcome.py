"""What became of one hidden test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["passed", "failed", "not_run", "grader_fault"]


@dataclass(frozen=True)
class Outcome:
    """What became of one hidden test."""

    test: str
    verdict: Verdict
    cause: str = ""  # a key of the hint catalogue
    where: str = ""  # the student's file:line
    error: str = ""  # type of the exception that the student's code raised
    message: str = ""  # for staff: may hold the student's text
    seconds: float = 0.0
