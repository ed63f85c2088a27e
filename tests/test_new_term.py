"""`make new-term` asks, changes the two files in which a term is, and says what is left."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.solutions import ROOT
from publish.new_term import main

FILES = ("assignment.toml", "autograder/private.toml")
Answers = Callable[..., None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """What is typed, one answer after the other; then the terminal is closed."""

    def type_(*given: str) -> None:
        rest: Iterator[str] = iter(given)

        def ask(_: str) -> str:
            try:
                return next(rest)
            except StopIteration:
                raise EOFError from None

        monkeypatch.setattr("builtins.input", ask)

    return type_


def facts(root: Path) -> tuple[dict[str, Any], int]:
    course = tomllib.loads((root / FILES[0]).read_text(encoding="utf-8"))["course"]
    seed: int = tomllib.loads((root / FILES[1]).read_text(encoding="utf-8"))["master_seed"]
    return course, seed


def test_the_answers_are_written_and_nothing_else_changes(
    root: Path, answers: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    answers("Autumn 2041", "2041-09-02", "soon", "2041-09-19T23:59:00+02:00", "")
    assert main(root=root) == 0
    course, seed = facts(root)
    assert (course["term"], str(course["release"]), course["due"].isoformat()) == (
        "Autumn 2041",
        "2041-09-02",
        "2041-09-19T23:59:00+02:00",
    )
    assert seed != facts(ROOT)[1]
    for name, keys in ((FILES[0], "term|release|due"), (FILES[1], "master_seed")):
        old, new = ((folder / name).read_text(encoding="utf-8") for folder in (ROOT, root))
        changed = [line for line, now in zip(old.splitlines(), new.splitlines(), strict=True) if line != now]
        assert all(re.match(rf"({keys}) = ", line) for line in changed)
    said = capsys.readouterr().out
    assert "written like 2027-09-15T23:59:00-07:00, not 'soon'" in said  # and was asked again
    assert "2. Run `make publish`" in said
    assert "Move what belongs to the last class" not in said


def test_what_is_left_of_the_last_class_is_named(
    root: Path, answers: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "extensions.csv").write_text("ada,2,ill\n")
    answers("", "", "", "77")
    assert main(root=root) == 0
    assert facts(root) == (facts(ROOT)[0], 77)
    assert "1. Move what belongs to the last class out of this folder: extensions.csv." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("Autumn 2041", "2041-09-02"), "Nothing was changed"),
        (("Autumn 2041", "2041-09-02", "2041-09-01T00:00:00+00:00", ""), "due 2041-09-01 is before release 2041-09-02"),
    ],
)
def test_whoever_stops_or_contradicts_themselves_changes_nothing(
    root: Path, answers: Answers, capsys: pytest.CaptureFixture[str], given: tuple[str, ...], says: str
) -> None:
    answers(*given)
    assert main(root=root) == 1
    assert says in capsys.readouterr().err
    for name in FILES:
        assert (root / name).read_bytes() == (ROOT / name).read_bytes()
