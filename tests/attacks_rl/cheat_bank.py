"""The cheats of cheats.toml as submissions."""

from __future__ import annotations

import json
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
    caught_by: Literal["probe", "nothing_to_gain"]  # an integrity probe; or honest work earns as much
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


def code_of(cheat: Cheat) -> dict[str, bytes]:
    """The files as they would be handed in."""
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
    unwritten = code if cheat.nothing_written else cheat.stubs
    return {**code, **{name: (ROOT / "hw4" / name).read_bytes() for name in unwritten}}
