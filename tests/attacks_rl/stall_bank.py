"""The stalls of stalls.toml as submissions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from autograder.solutions import reference_code
from hw4.handin.assignment import load_assignment
from hw4.handin.strict_toml import read_entries

HERE = Path(__file__).resolve().parent
FILE = "mpc.py"
IMPORTS = "\n\nimport ctypes, os, random, threading, time\n"
SUITE = frozenset(stub.id for stub in load_assignment().stubs if stub.file == FILE and "." not in stub.symbol)

# A curve puts back what is given, so a stall begins in a function of the student, before its own lines.
RECORD = "        ### BEGIN SOLUTION agent_record"
IN_RUNS = """        if len(self.replay) > self.initial_steps + 160:
            stall()
"""
IN_LOOKS = """        if was_put_back(self, transition):
            stall()
"""
PUT_BACK = """
def was_put_back(agent, transition):
    seen, agent.seen = agent.__dict__.get("seen"), transition.next_observation
    begins = len(agent.replay) % 40 == 0  # env steps of an episode on the cliff hill
    return not begins and seen is not None and not np.array_equal(seen, transition.observation)
"""
INIT = "        self.base_policy = base_policy\n"
IN_A_RUN = "        threading.in_a_run = True\n"
IN_SUITE = """
told_{name} = {name}
def {name}(*args, **kwargs):
    if not hasattr(threading, "in_a_run"):
        stall()
    return told_{name}(*args, **kwargs)
"""
AT_IMPORT = "\nstall()\n"


@dataclass(frozen=True)
class Stall:
    """One submission that plays for time."""

    name: str
    story: str
    where: Literal["runs", "looks", "suite", "everywhere"]
    how: str  # defines stall()
    deadline_seconds: float = 150.0  # of 2,010 on Gradescope and 3,600 in a class


@cache
def load_stalls(path: Path = HERE / "stalls.toml") -> dict[str, Stall]:
    """Every stall by name.

    Raises:
        TomlError: not TOML; a key that is unknown, missing or of another type; a name used twice.
    """
    return {stall.name: stall for stall in read_entries(path, "stalls", Stall, wrong=lambda stall: None)}


def stalling(stall: Stall) -> dict[str, bytes]:
    """The files as they would be handed in: the reference's, so there is everything to lose by being looked at."""
    code = reference_code()
    text = code[FILE].decode()
    assert text.count(RECORD) == text.count(INIT) == 1
    if stall.where in ("runs", "everywhere"):
        text = text.replace(RECORD, IN_RUNS + RECORD)
    if stall.where in ("looks", "everywhere"):
        text = text.replace(RECORD, IN_LOOKS + RECORD)
    text = text.replace(INIT, IN_A_RUN + INIT) + IMPORTS + stall.how + PUT_BACK
    if stall.where in ("suite", "everywhere"):
        for stub in load_assignment().stubs:
            text += IN_SUITE.format(name=stub.symbol) if stub.id in SUITE else ""
    if stall.where == "everywhere":
        text += AT_IMPORT
    return {**code, FILE: text.encode()}
