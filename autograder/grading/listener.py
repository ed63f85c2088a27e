"""Who hears how a grading goes, for a progress display."""

from __future__ import annotations

from typing import Protocol

from autograder.grading.outcome import Outcome
from hw4.handin.assignment import Curve, RunItem


class Listener(Protocol):
    """Hears what happens."""

    def test_ended(self, outcome: Outcome) -> None: ...

    def episode_ended(self, curve: Curve, run: int, episode: int, episode_return: float) -> None: ...

    def run_ended(self, item: RunItem, run: int) -> None: ...


class Silent:
    """A Listener that says nothing."""

    def test_ended(self, outcome: Outcome) -> None: ...

    def episode_ended(self, curve: Curve, run: int, episode: int, episode_return: float) -> None: ...

    def run_ended(self, item: RunItem, run: int) -> None: ...
