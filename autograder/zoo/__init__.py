"""The zoo: small changes of the reference solution, wrong ones and different correct ones, with expected reports.

The animals are in `animals/NAME.toml` and `animals/topics/NAME.toml`: those in a file change a function of NAME.py
first. Their keys are the fields of `Animal`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal

from autograder.solutions import BEGIN, END, reference_code
from hw4.handin.assignment import load_assignment
from hw4.handin.strict_toml import TomlError, and_meant, read_entries

ANIMALS = Path(__file__).resolve().parent / "animals"

# Kinds of slips, and what they have in common.
Slip = Literal["plain", "later", "size", "range", "collaborator", "draw", "rounding", "two", "lazy"]
SLIPS: dict[str, str] = {
    "plain": "a sentence or an equation of the docstring is not kept",
    "later": "right in the first call, wrong in a later one or next to another object",
    "size": "wrong where an axis has size 1",
    "range": "wrong at the sizes and numbers of a graded run, or beyond",
    "collaborator": "a function or an object that is passed in is handed the wrong things",
    "draw": "something is not drawn as it should be, or can never be drawn or win",
    "rounding": "ruined by rounding, or by a small constant that is added",
    "two": "two slips at once",
    "lazy": "part of the work is not done at all",
}


@dataclass(frozen=True)
class Animal:
    """One submission of the zoo."""

    name: str
    kind: Literal["wrong", "correct"]
    story: str
    regions: dict[str, str] = field(default_factory=dict)  # stub id -> the body that replaces the reference's
    replacements: tuple[tuple[str, str, str], ...] = ()  # (file, text, new text) for given code in submitted files
    fails: tuple[str, ...] = ()  # hidden tests that must fail; every other must pass, but for those in `either`
    either: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()  # the first hint must be one of these
    unnamed: str = ""  # why the first hint cannot name the cause
    slow: bool = False  # uses up a time limit: visited by `python -m autograder zoo` alone
    curves_fail: tuple[str, ...] = ()  # curves and effects that this bug must fail: its recorded runs set their floors
    curves_pass: tuple[str, ...] = ()  # curves and effects that it must pass: its recorded runs count for their bars
    slip: Slip = "plain"  # what kind of slip it is, if wrong
    parts: tuple[str, ...] = ()  # other animals whose regions it takes together


def main_stub(animal: Animal) -> str:
    """The function that an animal changes; of several, the first of the assignment."""
    return next(stub.id for stub in load_assignment().stubs if stub.id in animal.regions)


@cache
def load_animals(folder: Path = ANIMALS) -> dict[str, Animal]:
    """Every animal by name; file by file, in the order of the assignment.

    Raises:
        TomlError: a file that is not TOML, or whose name is not that of a submitted file; a key that is unknown,
            missing or of another type; a name used twice; an unknown function or curve; an animal in the wrong file.
    """
    code = load_assignment().submission.code
    files = {path.relative_to(folder).with_suffix(".py").as_posix(): path for path in folder.rglob("*.toml")}
    animals: dict[str, Animal] = {}
    for name in sorted(files, key=lambda name: (name in code and code.index(name), name)):
        if name not in code:
            raise TomlError(f"{files[name].name}:1: no function of {name} is in assignment.toml")

        def wrong(animal: Animal, name: str = name) -> tuple[str, str] | None:
            return _mistake(animal, name, taken=animals)

        for animal in read_entries(files[name], "animals", Animal, wrong=wrong):
            animals[animal.name] = animal
    for animal in animals.values():
        if unknown := [part for part in animal.parts if part not in animals]:
            raise TomlError(f"{animal.name} takes the unknown animal {and_meant(unknown[0], animals)}")
    return {name: replace(animal, regions=_regions_of(animal, animals)) for name, animal in animals.items()}


def _regions_of(animal: Animal, animals: dict[str, Animal]) -> dict[str, str]:
    parts = [animals[part].regions for part in animal.parts]
    return {stub_id: body for regions in (*parts, animal.regions) for stub_id, body in regions.items()}


def _mistake(animal: Animal, file: str, taken: dict[str, Animal]) -> tuple[str, str] | None:
    """What is wrong with one animal of a file, as (key, in words), or None."""
    assignment = load_assignment()
    stubs, known = [stub.id for stub in assignment.stubs], [item.id for item in assignment.run_items]
    if animal.name in taken:
        return "name", f"the name {animal.name!r} is used twice"
    for stub_id in animal.regions:
        if stub_id not in stubs:
            return "regions", f"{animal.name} changes the unknown function {and_meant(stub_id, stubs)}"
    for key, named in (("curves_fail", animal.curves_fail), ("curves_pass", animal.curves_pass)):
        for item_id in named:
            if item_id not in known:
                return key, f"{animal.name} names the unknown curve {and_meant(item_id, known)}"
    if animal.parts:
        return None  # known only when every file is read
    if not animal.regions:
        return "name", f"{animal.name} changes no function"
    if (own := assignment.stub(main_stub(animal)).file) != file:
        return "name", f"{animal.name} changes {main_stub(animal)} of {own} first: it belongs to that file's animals"
    return None


def code_of(animal: Animal) -> dict[str, bytes]:
    """The files of an animal as they would be handed in: the reference's with the animal's bodies in place."""
    code, placed = {}, set()
    for name, content in reference_code().items():
        text = content.decode()
        for file, old, new in animal.replacements:
            if file == name:
                if text.count(old) != 1:
                    raise ValueError(f"{animal.name}: {old!r} occurs {text.count(old)} times in {name}, wanted once")
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
        code[name] = ("\n".join(lines) + "\n").encode()
    if unplaced := animal.regions.keys() - placed:
        raise ValueError(f"{animal.name}: no region {', '.join(sorted(unplaced))} in solutions/")
    return code
