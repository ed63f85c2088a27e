"""One run of a curve or of an effect: what was measured."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field


@dataclass
class Run:
    """One run, whole or cut short."""

    seed: int
    world: dict[str, float]  # empty for an effect
    env_steps: list[int] = field(default_factory=list)  # at the end of each episode
    returns: list[float] = field(default_factory=list)  # of each episode; of an effect its one number
    model_errors: list[float] = field(default_factory=list)  # of each episode, see RemoteAgent.model_error
    optimism_gaps: list[float] = field(default_factory=list)  # of each episode, see RemoteAgent.optimism_gap
    cpu_seconds: float = 0.0
    failure: str = ""  # a cause, if the run did not finish
    may_be_chance: bool = False  # the worker ended, and not for its processor time
    by_machine: bool = False  # it ended in a way that no submission can bring about
    error: str = ""  # type and place of an exception, without its text: students may see it
    message: str = ""  # for staff
    blocked_by: str = ""  # id of the stub that is not written yet


def worse_of(first: Run, second: Run) -> Run:
    """The second of two tries that differ, with no episode better than in the first, as far as that came.

    The machine ended the first, and an agent that draws on chance of its own does something else at the second.
    """
    shared = min(len(first.returns), len(second.returns))
    returns = [min(pair) for pair in zip(first.returns[:shared], second.returns[:shared], strict=True)]
    return dataclasses.replace(second, returns=returns + second.returns[shared:])


def agree(first: list[bytes], second: list[bytes]) -> bool:
    """Whether a second try repeats the first: or an agent would do well to end a bad run and have another."""
    shared = min(len(first), len(second))
    return first[:shared] == second[:shared]


def not_repeated(run: Run) -> Run:
    """What a second try counts for that does something else than the first, which ended by itself."""
    message = "the worker ended, and at a second try with the same seeds it answered otherwise"
    return dataclasses.replace(run, failure="exits", may_be_chance=False, message=message)
