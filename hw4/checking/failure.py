"""What is known of a public test that failed (given; standard library only)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Comparison(NamedTuple):
    """An answer, as text."""

    name: str
    seen: str
    wanted: str


@dataclass(frozen=True)
class Failure:
    """Why one test failed, or why a whole file could not be checked."""

    test: str  # "hw4/tests/test_mpc.py::test_...", or the file's name
    exception: str
    message: str
    cause: str
    where: str | None = None  # "hw4/mpc.py:57"
    example: Comparison | None = None  # of the worked example
    compared: Comparison | None = None  # of any other test that failed at a comparison

    @property
    def is_of_whole_file(self) -> bool:
        return "::" not in self.test
