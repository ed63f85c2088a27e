"""The stalls of stalls.toml as submissions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from cheat_bank import code_of, load_cheats

from hw4.handin.assignment import load_assignment
from hw4.handin.strict_toml import read_entries

HERE = Path(__file__).resolve().parent
AGENT = "adaptive_controller"  # earns full credit by its returns, and nothing if it is looked at
FILE = "mpc.py"
IMPORTS = "\n\nimport ctypes, os, random, threading, time\n"

IN_RUNS = """
class ModelBasedAgent(ModelBasedAgent):
    earned = 0
    def record(self, transition):
        super().record(transition)
        ModelBasedAgent.earned += len(self.replay) > self.initial_steps + 160
        if ModelBasedAgent.earned and self.initial_steps < 200:
            stall()
"""
IN_LOOKS = """
class ModelBasedAgent(ModelBasedAgent):
    def record(self, transition):
        super().record(transition)
        if self.initial_steps >= 200 and len(self.replay) > 100:
            stall()
"""
IN_SUITE = """
def {name}(*args, **kwargs):
    if not hasattr(threading, "in_a_run"):
        stall()
    raise NotImplementedError
"""
AGENT_OF_SUITE = """
class ModelBasedAgent(ModelBasedAgent):
    def __init__(self, *args, **kwargs):
        threading.in_a_run = True
        super().__init__(*args, **kwargs)
"""
AT_IMPORT = "\nstall()\n"


@dataclass(frozen=True)
class Stall:
    """One submission that plays for time."""

    name: str
    story: str
    where: Literal["runs", "looks", "suite", "everywhere"]
    how: str  # defines stall()
    deadline_seconds: float = 60.0  # of 2,010 on Gradescope and 3,600 in a class


@cache
def load_stalls(path: Path = HERE / "stalls.toml") -> dict[str, Stall]:
    """Every stall by name.

    Raises:
        TomlError: not TOML; a key that is unknown, missing or of another type; a name used twice.
    """
    return {stall.name: stall for stall in read_entries(path, "stalls", Stall, wrong=lambda stall: None)}


def stalling(stall: Stall) -> dict[str, bytes]:
    """The files as they would be handed in."""
    code = code_of(load_cheats()[AGENT])
    if stall.where in ("suite", "everywhere"):
        for stub in load_assignment().stubs:
            if stub.file in code and "." not in stub.symbol:
                own = IN_SUITE.format(name=stub.symbol)
                code[stub.file] += (IMPORTS + stall.how + own).encode()
    text = IMPORTS + stall.how + AGENT_OF_SUITE
    if stall.where in ("runs", "everywhere"):
        text += IN_RUNS
    if stall.where in ("looks", "everywhere"):
        text += IN_LOOKS
    if stall.where == "everywhere":
        text += AT_IMPORT
    code[FILE] += text.encode()
    return code
