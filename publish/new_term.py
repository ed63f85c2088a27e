"""python -m publish.new_term: ask for term, dates and seed, write them where they belong, and say what is left.

Nothing is written before every answer is in and `assignment.toml` would be right with them.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import sys
import tempfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import tyro

from autograder.solutions import ROOT
from hw4.handin.assignment import AssignmentError, load_assignment
from hw4.handin.at_once import write_at_once

SEED_BITS = 60
LEFT_BEHIND = ("class", "extensions.csv", "notebooks/gradebook.db", "notebooks/submitted")  # of the last class


def main(term: str = "", release: str = "", due: str = "", seed: str = "", root: Path = ROOT) -> int:
    """Begin a term. What is not given is asked for.

    Args:
        term: as the handout shows it, such as "Autumn 2027".
        release: date, such as 2027-09-01.
        due: time with its UTC offset, such as 2027-09-15T23:59:00-07:00.
        seed: of everything hidden; "new" draws one.
        root: of the repository.
    """
    facts, private = root / "assignment.toml", root / "autograder" / "private.toml"
    course = load_assignment(facts).course
    try:
        new_term = _answer("Term", term, course.term, _term)
        new_release = _answer("Release, a date", release, course.release.isoformat(), _date)
        new_due = _answer("Due, a time with its UTC offset", due, course.due.isoformat(), _time)
        new_seed = _answer('Seed of everything hidden, or "new" for one that is drawn', seed, "new", _seed)
    except (EOFError, KeyboardInterrupt):
        print("\nNothing was changed.", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"Nothing was changed: {error}", file=sys.stderr)
        return 1
    text = facts.read_text(encoding="utf-8")
    for key, value in (("term", f'"{new_term}"'), ("release", new_release), ("due", new_due)):
        text = _with(text, key, value)
    secret = _with(private.read_text(encoding="utf-8"), "master_seed", new_seed)
    with tempfile.TemporaryDirectory() as folder:
        checked = Path(folder) / "assignment.toml"
        checked.write_text(text, encoding="utf-8")
        try:
            load_assignment(checked)
        except AssignmentError as error:
            print(f"Nothing was changed: {error}", file=sys.stderr)
            return 1
    write_at_once(facts, text.encode())
    write_at_once(private, secret.encode())
    print(f"Changed term, release and due in {facts.name}, and master_seed in autograder/{private.name}.\n")
    print("\n".join(left(root)))
    return 0


def left(root: Path) -> list[str]:
    """What remains to be done, step by step."""
    steps = [
        "Read [policies] in assignment.toml: late days, groups, attempts, collaboration, AI.",
        "Run `make publish`: it draws the hidden worlds, writes everything, and ends with what is wrong.",
        "Run `make grade`: the reference must get all points in the new worlds.",
        "Run `.venv/bin/python -m autograder doctor` on the machine that will grade the class.",
        "Read handout.pdf, and build/handout-staff.pdf with the TAs.",
        "Upload build/student.zip for students, build/gradescope-autograder.zip to Gradescope, and build/staff.zip for "
        "TAs.",
    ]
    if old := [name for name in LEFT_BEHIND if (root / name).exists()]:
        steps.insert(0, f"Move what belongs to the last class out of this folder: {', '.join(old)}.")
    return ["What is left:", *(f"{number}. {step}" for number, step in enumerate(steps, start=1))]


def _answer(question: str, given: str, default: str, read: Callable[[str], str]) -> str:
    """What was given, or the answer to a question, which is asked again until it can be read."""
    if given:
        return read(given)
    while True:
        text = input(f"{question} [{default}]: ").strip() or default
        try:
            return read(text)
        except ValueError as error:
            print(error)


def _term(text: str) -> str:
    if not re.fullmatch(r"[^\"\\\x00-\x1f]+", text):
        raise ValueError(f"a term is a text without quotes, such as Autumn 2027, not {text!r}")
    return text


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"a date is written like 2027-09-01, not {text!r}") from None


def _time(text: str) -> str:
    time: datetime | None = None
    with contextlib.suppress(ValueError):
        time = datetime.fromisoformat(text)
    if time is None or time.tzinfo is None:
        raise ValueError(f"a time with its UTC offset is written like 2027-09-15T23:59:00-07:00, not {text!r}")
    return time.isoformat()


def _seed(text: str) -> str:
    if text == "new":
        return str(secrets.randbits(SEED_BITS))
    if not re.fullmatch(r"\d{1,18}", text):
        raise ValueError(f'a seed is a whole number of at most 18 digits, or "new", not {text!r}')
    return str(int(text))


def _with(text: str, key: str, value: str) -> str:
    """A TOML file with another value at a key that is there once; what is said behind it stays."""
    pattern = rf'^{key} = ("[^"]*"|[^#\n]*?)(?=\s*(#|$))'
    changed, count = re.subn(pattern, lambda _: f"{key} = {value}", text, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"the key {key!r} is there {count} times")
    return changed


if __name__ == "__main__":
    sys.exit(tyro.cli(main, prog="python -m publish.new_term"))
