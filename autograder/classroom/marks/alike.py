"""Which submissions are nearly the same, as the check for copies left it in a class's folder.

Code is compared by `similarity.py`, written answers by `similar_answers.py`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.files import as_json, write_at_once

FILE = "alike.json"


@dataclass(frozen=True)
class Alike:
    """Another submission that has nearly the same code or answer."""

    name: str  # a student of this class, "FOLDER/STUDENT (NAME)" of an earlier one, or the course's own solution
    words: str  # such as "byte-identical to"


def read_alike(folder: Path) -> dict[str, tuple[Alike, ...]]:
    """Student -> whose code and answers are nearly the same. Empty if nobody has looked."""
    known, found = stored(folder), dict[str, tuple[Alike, ...]]()
    for kind in ("students", "answers"):
        for student, others in known.get(kind, {}).items():
            found[student] = found.get(student, ()) + tuple(Alike(**one) for one in others)
    return found


def stored(folder: Path) -> dict[str, Any]:
    """The file: what was compared, and with which earlier folders; empty if there is none."""
    try:
        found: dict[str, Any] = json.loads((folder / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def write_alike(folder: Path, key: str, earlier: Sequence[Path], alike: Mapping[str, Sequence[Alike]]) -> None:
    """Keep what was found in the code; what was found in answers stays.

    Args:
        folder: results of the class.
        key: names what was compared.
        earlier: folders of earlier classes.
        alike: student -> whose code is nearly the same.
    """
    found = {"key": key, "earlier": [str(path) for path in earlier], "students": _as_facts(alike)}
    write_at_once(folder / FILE, as_json({**stored(folder), **found}))


def write_alike_answers(folder: Path, alike: Mapping[str, Sequence[Alike]]) -> None:
    """Keep what was found in answers, in the place of what was found before."""
    write_at_once(folder / FILE, as_json({**stored(folder), "answers": _as_facts(alike)}))


def _as_facts(alike: Mapping[str, Sequence[Alike]]) -> dict[str, Any]:
    return {student: [dataclasses.asdict(one) for one in others] for student, others in alike.items()}
