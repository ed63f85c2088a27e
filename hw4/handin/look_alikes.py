"""Files that were probably meant to be handed in, under another name (given; standard library only)."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from hw4.handin.assignment import Assignment
from hw4.handin.refusal import shown
from hw4.handin.update import published_files

ROOT = Path(__file__).resolve().parents[2]
MIN_LIKENESS = 0.8  # of two names, by `difflib`: one or two letters may be wrong
PLAIN_SUFFIXES = ("", ".bak", ".json", ".old", ".orig", ".pyw", ".text", ".txt")  # that a system or a browser gives


def meant_by(base_name: str, assignment: Assignment) -> str | None:
    """The file of the homework that another name was probably meant to be: None if none, or if it is that name.

    Browsers and systems mark a copy in many languages ("mpc (1).py", "Copy of mpc.py", "mpc - Kopie.py"). So whatever
    is around the right name counts as such a mark, as long as no letter of English touches it.
    """
    rules = assignment.submission
    wanted = {PurePosixPath(name).name: name for name in (*rules.code, *rules.notebooks)}
    given = {PurePosixPath(name).name for name in published_files(ROOT)}
    if base_name in wanted or base_name in given or base_name.startswith("test_"):
        return None
    text = unicodedata.normalize("NFKC", base_name).casefold()
    text = "".join(char for char in text if unicodedata.category(char) not in ("Cf", "Mn"))
    kinds = [suffix for suffix in (".ipynb", ".py") if suffix in text]
    if not kinds and PurePosixPath(text).suffix not in PLAIN_SUFFIXES:
        return None
    stems = {name.rpartition(".")[0]: name for name in wanted if not kinds or name.endswith(kinds[0])}
    for stem in sorted(stems, key=len, reverse=True):
        words = r"[\s_.-]*".join(map(re.escape, stem.split("_")))
        if re.search(rf"(?<![a-z]){words}(?![a-z])", text):
            return wanted[stems[stem]]
    close = difflib.get_close_matches(text.partition(".")[0], stems, n=1, cutoff=MIN_LIKENESS) if kinds else []
    return wanted[stems[close[0]]] if close else None


def look_alikes(names: Iterable[str], assignment: Assignment) -> dict[str, list[str]]:
    """file of the homework -> the names, with their folders, that were probably meant to be it."""
    found: dict[str, list[str]] = {}
    for name in names:
        if (meant := meant_by(PurePosixPath(name).name, assignment)) is not None:
            found.setdefault(meant, []).append(name)
    return found


def question(names: Iterable[str], wanted: str) -> str:
    """What to ask and to advise about a file that is missing where others look like it."""
    listed = " or ".join(repr(shown(name)) for name in names)
    return f"did you mean {listed}? If so, rename it to {wanted}"


def notes_on_look_alikes(found: dict[str, list[str]], present: Iterable[str], missing: Iterable[str]) -> Iterator[str]:
    """What to say of look-alikes, apart from the required files that are missing: their own notes ask.

    Args:
        found: of `look_alikes`.
        present: files of the homework that are handed in.
        missing: files of the homework about which something is said elsewhere.
    """
    for wanted, names in found.items():
        if wanted in present:
            listed = ", ".join(repr(shown(name)) for name in names)
            yield f"{wanted} is handed in, and what looks like a copy of it is not: {listed}"
        elif wanted not in missing:
            yield f"{wanted} is not handed in; {question(names, wanted)}"


def names_on_disk(hw4_folder: Path, notebooks_folder: Path | None, assignment: Assignment) -> list[str]:
    """Files of a student's folders that may be look-alikes: next to those that `submit` packs."""
    topics = {hw4_folder / PurePosixPath(name).parent for name in assignment.submission.code}
    places = [path for folder in sorted({hw4_folder.parent, *topics}) for path in sorted(folder.glob("*"))]
    if notebooks_folder is not None and notebooks_folder.is_dir():
        places += sorted(notebooks_folder.rglob("*"))
    home = hw4_folder.parent
    return [
        (path.relative_to(home) if path.is_relative_to(home) else path).as_posix()
        for path in places
        if path.is_file() and not any(part.startswith(".") for part in path.parts[len(home.parts) :])
    ]
