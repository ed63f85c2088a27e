"""The cheats of cheats.toml as submissions."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from autograder.solutions import ROOT, reference_code
from hw4.handin.assignment import load_assignment

HERE = Path(__file__).resolve().parent
CURVES = tuple(curve.id for curve in load_assignment().curves)


@dataclass(frozen=True)
class Cheat:
    """One cheating submission."""

    name: str
    story: str
    caught_by: str  # "probe", or "nothing_to_gain"
    pieces: dict[str, list[str]]  # file -> what of cheats/ is appended to it
    stubs: tuple[str, ...] = ()  # files that were never written
    promise: str = ""  # the promise that is broken
    claims: tuple[str, ...] = CURVES  # the curves it is after


@cache
def load_cheats() -> dict[str, Cheat]:
    with (HERE / "cheats.toml").open("rb") as file:
        entries = tomllib.load(file)["cheats"]
    cheats = {}
    for entry in entries:
        pieces = {name: entry.pop(name) for name in load_assignment().submission.code if name in entry}
        fields = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
        cheats[entry["name"]] = Cheat(pieces=pieces, **fields)
    return cheats


def code_of(cheat: Cheat) -> dict[str, bytes]:
    """The three files as they would be handed in."""
    shipped = json.loads((HERE / "weights.json").read_text(encoding="utf-8"))
    code = honest_part_of(cheat)
    for file, pieces in cheat.pieces.items():
        text = code[file].decode()
        for piece in pieces:
            text += "\n\n" + (HERE / "cheats" / f"{piece}.py").read_text(encoding="utf-8")
        for name, value in shipped.items():
            text = text.replace(f"@{name}@", value)
        code[file] = text.encode()
    return code


def honest_part_of(cheat: Cheat) -> dict[str, bytes]:
    """The same work without the cheat."""
    code = reference_code()
    return {**code, **{name: (ROOT / "hw4" / name).read_bytes() for name in cheat.stubs}}
