"""Every command that the guides for staff print is one: make's targets, modules, subcommands and their options.

Those of the TA's guide run as they are printed (test_guide_commands.py, test_guide_written_answers.py), and so do the
recipes (test_recipes.py); what takes minutes or changes files is only looked up here.
"""

from __future__ import annotations

import inspect
import re
import subprocess
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

from autograder.__main__ import COMMANDS as AUTOGRADER
from autograder.solutions import ROOT
from publish.__main__ import COMMANDS as PUBLISH
from publish.recorders import names

GUIDES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/new-term.md", "docs/ta-guide.md", "notebooks/README.md")
GUIDES += ("autograder/gradescope/README.md",)
SUBCOMMANDS: dict[str, dict[str, Callable[..., Any]]] = {"autograder": AUTOGRADER, "publish": PUBLISH}
PLACEHOLDERS = {"NAME", "COMMAND", "...", "X"}


def printed(guide: str) -> Iterator[str]:
    """Commands in blocks, continued lines in one, and in the middle of a text, without comments."""
    text = re.sub(r"\\\n\s*", "", (ROOT / guide).read_text(encoding="utf-8"))
    for line in re.findall(r"^ {4,}(.+)$", text, re.MULTILINE) + re.findall(r"`([^`]+)`", text):
        command = re.sub(r"\s{2,}#.*$", "", re.sub(r"\s+", " " if "  #" not in line else "  ", line)).strip()
        if re.match(r"(?:make [a-z]|(?:\S*python|\.\.\.) -m )", command):
            yield command


COMMANDS = sorted({(guide, command) for guide in GUIDES for command in printed(guide)})


def test_the_reader_of_commands_finds_them() -> None:
    found = {command for _, command in COMMANDS}
    assert {"make publish", "make new-term", ".venv/bin/python -m publish.pythons"} <= found
    assert len(found) > 40


@pytest.mark.parametrize("target", sorted({c.split()[1] for _, c in COMMANDS if c.startswith("make ")}))
def test_every_target_of_make_is_one(target: str) -> None:
    found = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_every_module_subcommand_and_option_is_there() -> None:
    for guide, command in COMMANDS:
        if " -m " not in command:
            continue
        module, *arguments = command.partition(" -m ")[2].split()
        if module == "pytest" or module in PLACEHOLDERS:
            continue
        assert find_spec(module) is not None, f"{guide}: {command}"
        options = {word.partition("=")[0] for word in arguments if word.startswith("--")} - {"--help"}
        function = SUBCOMMANDS.get(module, {}).get(arguments[0] if arguments else "")
        if module in SUBCOMMANDS:
            if arguments and arguments[0] not in PLACEHOLDERS:
                assert function is not None, f"{guide}: {command}"
        elif module == "publish.recorders":
            assert arguments[0] in {*names(), *PLACEHOLDERS}, f"{guide}: {command}"
        elif module != "hw4":
            function = getattr(import_module(module), "main", None)
        if function is not None and options:
            known = {f"--{name.replace('_', '-')}" for name in inspect.signature(function).parameters}
            known |= {option.replace("--", "--no-", 1) for option in known}
            assert options <= known, f"{guide}: {command}: {sorted(options - known)}"
