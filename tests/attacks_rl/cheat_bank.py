"""The cheats of cheats.toml as submissions."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from autograder.grading.promises import CAUSES
from autograder.solutions import ROOT, reference_code
from hw4.handin.assignment import load_assignment
from hw4.handin.strict_toml import and_meant, read_entries

HERE = Path(__file__).resolve().parent
CURVES = tuple(curve.id for curve in load_assignment().curves)


@dataclass(frozen=True)
class Cheat:
    """One cheating submission."""

    name: str
    story: str
    # Its functions earn too little; a run with surprises; it knows other worlds than the hidden ones; or honest work
    # earns as much.
    caught_by: Literal["gate", "promise", "law", "nothing_to_gain"]
    pieces: dict[str, tuple[str, ...]]  # file -> what of cheats/ is appended to it
    nothing_written: bool = False  # every file is the untouched stub, with its pieces
    stubs: tuple[str, ...] = ()  # files that were never written
    promise: str = ""  # the promise that is broken
    claims: tuple[str, ...] = CURVES  # the curves it is after


@cache
def load_cheats(path: Path = HERE / "cheats.toml") -> dict[str, Cheat]:
    """Every cheat by name.

    Raises:
        TomlError: not TOML; a key that is unknown, missing or of another type; a name used twice; an unknown file,
            piece, promise or curve.
    """
    return {cheat.name: cheat for cheat in read_entries(path, "cheats", Cheat, wrong=_unknown)}


def _unknown(cheat: Cheat) -> tuple[str, str] | None:
    """A name in a cheat that nothing has, as (key, in words)."""
    files = load_assignment().submission.code
    shelf = [piece.stem for piece in (HERE / "cheats").glob("*.py")]
    promises = [cheat.promise] if cheat.promise else []
    for key, named, known in (
        ("pieces", cheat.pieces, files),
        ("pieces", [piece for pieces in cheat.pieces.values() for piece in pieces], shelf),
        ("stubs", cheat.stubs, files),
        ("promise", promises, list(CAUSES)),
        ("claims", cheat.claims, CURVES),
    ):
        for name in named:
            if name not in known:
                return key, f"{cheat.name} names {and_meant(name, known)}, which is not there"
    return None


def code_of(cheat: Cheat, *, from_within: bool = False) -> dict[str, bytes]:
    """The files as they would be handed in.

    Args:
        cheat: one of the bank.
        from_within: its classes do not take the names of given ones, which a curve puts back: a function of the student
            turns an object into one of them at its first call.
    """
    shipped = json.loads((HERE / "weights.json").read_text(encoding="utf-8"))
    code = honest_part_of(cheat)
    for file, pieces in cheat.pieces.items():
        text = code[file].decode()
        for piece in pieces:
            text += "\n\n" + (HERE / "cheats" / f"{piece}.py").read_text(encoding="utf-8")
        for name, value in shipped.items():
            text = text.replace(f"@{name}@", value)
        code[file] = (_from_within(text) if from_within else text).encode()
    return code


INSIDE = {"ModelBasedAgent": "agent_record", "MPC": "mpc_act", "DynamicsModel": "model_predict"}
CALL = {
    "ModelBasedAgent": "record(self, transition)",
    "MPC": "act(self, observation)",
    "DynamicsModel": "predict(self, observation, action)",
}


def _from_within(text: str) -> str:
    for name, stub_id in INSIDE.items():
        head = f"\nclass {name}({name}):"
        if head not in text:
            continue
        first, second = text.split(head)
        second = f"\nclass Cheating{name}({name}):" + re.sub(rf"\b{name}\.", f"Cheating{name}.", second)
        marker = re.search(rf"\n *(### BEGIN SOLUTION |# TODO\(){stub_id}", first)
        assert marker is not None
        lines = (
            'if not self.__dict__.get("is_cheating"):',
            f"    self.__class__, self.is_cheating = Cheating{name}, True",
            "    try:",
            f"        return Cheating{name}.{CALL[name]}",
            "    finally:",
            "        self.is_cheating = False",
        )
        turn = "".join(f"\n        {line}" for line in lines)
        text = first[: marker.start()] + turn + first[marker.start() :] + second
    return text


def honest_part_of(cheat: Cheat) -> dict[str, bytes]:
    """The same work without the cheat."""
    code = reference_code()
    unwritten = code if cheat.nothing_written else cheat.stubs
    return {**code, **{name: (ROOT / "hw4" / name).read_bytes() for name in unwritten}}
