"""What a hint is (given; standard library only)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hint:
    """The likely slip behind a failure."""

    text: str
    read: str  # where to read: a section of the handout
