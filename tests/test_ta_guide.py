"""The TA's guide names every message of the class commands, and every error that a TA can see."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.classroom.commands import COMMANDS
from autograder.solutions import ROOT

GUIDE = (ROOT / "docs" / "ta-guide.md").read_text(encoding="utf-8")
WORDS = re.sub(r"\s+", " ", GUIDE.replace("`", ""))
CLASSROOM = sorted((ROOT / "autograder" / "classroom").rglob("*.py"))
GRADER = [ROOT / "autograder" / "grading" / name for name in ("session.py", "suite.py")]
GRADER += sorted((ROOT / "autograder" / "isolation").glob("*.py"))
ERRORS = ("ClassError", "CanaryFailed", "GraderFault")
FAULT = "fault"  # night/job.py: the answer where the grader failed


def words_of(message: ast.expr) -> str:
    """The longest constant part of a message."""
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    constants = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return max(constants, key=len, default="").strip(" :,.;('").replace("`", "")


def messages(path: Path) -> Iterator[tuple[str, str]]:
    """(where, words) of each error raised in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in (*ERRORS, FAULT)
            and node.args
        ):
            words = words_of(node.args[0])
            if len(words) > 4:
                yield f"{path.name}:{node.lineno}", words


@pytest.mark.parametrize("path", [*CLASSROOM, *GRADER], ids=lambda path: path.name)
def test_every_message_is_in_the_guide(path: Path) -> None:
    missing = [f"{where}: {words}" for where, words in messages(path) if not in_guide(words)]
    assert missing == []


def in_guide(words: str) -> bool:
    """Whole, or shortened as the guide's lists have it: "the fork server ended" as "the fork server ..., ended"."""
    if words in WORDS:
        return True
    family = next((head for head in ("the fork server ", "worker ") if words.startswith(head)), None)
    return family is not None and family in WORDS and words.removeprefix(family) in WORDS


def test_the_reader_of_messages_finds_them() -> None:
    found = [words for path in CLASSROOM for _, words in messages(path)]
    assert len(found) > 30
    assert {"another process is writing into", "the grading process ended with status"} <= set(found)


def test_every_error_that_a_ta_sees_is_named() -> None:
    seen = {"SubmissionRefused", "ReceiptError", "ConfinementTooWeak", *ERRORS}
    assert {name for name in seen if name not in GUIDE} == set()


def test_every_command_of_a_class_is_explained() -> None:
    assert {name for name in COMMANDS if f"autograder {name}" not in GUIDE} == set()
