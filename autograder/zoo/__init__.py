"""The zoo: small changes of the reference solution, wrong ones and different correct ones, with expected reports."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from autograder.solutions import BEGIN, END, SOLUTIONS

ANIMALS_FILE = Path(__file__).resolve().parent / "animals.toml"


@dataclass(frozen=True)
class Animal:
    """One submission of the zoo."""

    name: str
    kind: Literal["wrong", "correct"]
    story: str
    regions: dict[str, str]  # stub id -> the body that stands in place of the reference's
    replacements: tuple[tuple[str, str, str], ...] = ()  # (file, text, new text) for given code in the three files
    fails: tuple[str, ...] = ()  # hidden tests that must fail; every other must pass, but for
    either: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()  # the first hint must be one of these
    unnamed: str = ""  # why the first hint cannot name the cause
    slow: bool = False  # uses up a time limit: visited by `python -m autograder zoo` alone
    curves_fail: tuple[str, ...] = ()  # curves that this bug is meant to fail
    curves_pass: tuple[str, ...] = ()  # curves that must be passed all the same


@cache
def load_animals() -> dict[str, Animal]:
    with ANIMALS_FILE.open("rb") as file:
        entries = tomllib.load(file)["animals"]
    return {entry["name"]: Animal(**_as_fields(entry)) for entry in entries}


def _as_fields(entry: dict[str, Any]) -> dict[str, Any]:
    """Lists become tuples, also inside `replacements`."""
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    replacements = tuple((file, old, new) for file, old, new in fields.pop("replacements", ()))
    return {"regions": {}, **fields, "replacements": replacements}


def code_of(animal: Animal) -> dict[str, bytes]:
    """The three files of an animal: the reference's with the animal's bodies in place."""
    code, placed = {}, set()
    for path in sorted(SOLUTIONS.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        for file_name, old, new in animal.replacements:
            if file_name == path.name:
                if text.count(old) != 1:
                    raise ValueError(
                        f"{animal.name}: {old!r} occurs {text.count(old)} times in {file_name}, wanted once"
                    )
                text = text.replace(old, new)
        lines: list[str] = []
        inside: str | None = None
        for line in text.splitlines():
            if (begin := BEGIN.match(line)) and begin["id"] in animal.regions:
                inside = begin["id"]
                placed.add(inside)
                lines += [
                    begin["indent"] + body if body else "" for body in animal.regions[inside].strip("\n").splitlines()
                ]
            elif END.match(line):
                inside = None
            elif inside is None:
                lines.append(line)
        code[path.name] = ("\n".join(lines) + "\n").encode()
    if unplaced := animal.regions.keys() - placed:
        raise ValueError(f"{animal.name}: no region {', '.join(sorted(unplaced))} in solutions/")
    return code
