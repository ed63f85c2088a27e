"""The attacks as data (`bank.toml`), and the code and folder of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from autograder.zoo import Animal, code_of
from hw4.handin.assignment import load_assignment
from hw4.handin.strict_toml import and_meant, read_entries

HERE = Path(__file__).resolve().parent
TOP = "from __future__ import annotations\n"  # the prelude and `at_import` follow this line of the attacked file
DEFAULT_STUB = "gaussian_nll"
HONEST = ("random_shooting",)  # graded beside the attacked function: must keep its points


@dataclass(frozen=True)
class Attack:
    """One entry of the bank."""

    name: str
    family: str
    story: str
    body: str = ""  # stands in place of the reference's region
    at_import: str = ""  # runs when the attacked file is imported
    stub: str = DEFAULT_STUB  # the attacked function
    files: dict[str, str] = field(default_factory=dict)  # more members of the submission, by name
    causes: tuple[str, ...] = ("raised",)  # the first cause of the attacked function must be one of these
    stopped: bool = True  # the attack itself reports that it was refused (STOPPED)
    harmless: bool = False  # nothing of the reference was replaced: every point must be there
    refused: bool = False  # by the intake, before anything runs
    lost: tuple[str, ...] = ()  # further functions that may lose points: those that call it or share a broken file
    needs: str = ""  # start of the name of a layer without which this is known to work, see SECURITY.md
    worth: float = 0.0  # points of the attacked function for what is right about it: no more may be earned
    processor: str = ""  # the only architecture it is written for

    @property
    def attacked(self) -> tuple[str, ...]:
        return () if self.harmless else (self.stub,)

    @property
    def graded(self) -> frozenset[str]:
        return frozenset((self.stub, *HONEST, *self.lost))


@cache
def load_bank(path: Path = HERE / "bank.toml") -> dict[str, Attack]:
    """Every attack by name.

    Raises:
        TomlError: not TOML; a key that is unknown, missing or of another type; a name used twice; an unknown function.
    """
    return {attack.name: attack for attack in read_entries(path, "attacks", Attack, wrong=_unknown_function)}


def _unknown_function(attack: Attack) -> tuple[str, str] | None:
    stubs = [stub.id for stub in load_assignment().stubs]
    for key, named in (("stub", (attack.stub,)), ("lost", attack.lost)):
        for stub_id in named:
            if stub_id not in stubs:
                return key, f"{attack.name} names the unknown function {and_meant(stub_id, stubs)}"
    return None


def submission_of(attack: Attack, places: dict[str, str]) -> dict[str, bytes]:
    """Members of the submission by name.

    Args:
        attack: an entry of the bank.
        places: what an attacker is assumed to know (paths, process ids), by the name between at signs.
    """
    animal = Animal(
        name=attack.name,
        kind="wrong",
        story=attack.story,
        regions={} if attack.harmless or attack.refused else {attack.stub: attack.body},
        replacements=()
        if attack.harmless or attack.refused
        else ((_file_of(attack), TOP, TOP + _prelude() + attack.at_import + "\n"),),
    )
    members = code_of(animal) | {name: text.encode() for name, text in attack.files.items()}
    return {filled(name, places): filled(content.decode(), places).encode() for name, content in members.items()}


def filled(text: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        text = text.replace(f"@{name}@", value)
    return text


def _file_of(attack: Attack) -> str:
    return load_assignment().stub(attack.stub).file


@cache
def _prelude() -> str:
    return (HERE / "prelude.py").read_text(encoding="utf-8") + "\n"
