"""A number of a class never changes without being asked and logged, whatever bars, tests and points say today."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from class_samples import QUIET, canary, engine_of, graded_class, measured, quick_pages

from autograder.classroom import commands, decisions
from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.marks import outdated, regrade_class
from autograder.classroom.marks.export import export, read_list
from autograder.classroom.marks.gradebook import code_points
from autograder.classroom.marks.standing import read_class
from autograder.classroom.night import record
from autograder.classroom.night.job import Settings
from autograder.classroom.night.merge import merge
from autograder.grading.curves import load_bars
from hw4.handin.assignment import load_assignment

__all__ = ["quick_pages"]  # a fixture
pytestmark = pytest.mark.usefixtures("quick_pages")
ASSIGNMENT = load_assignment()
CURVE = ASSIGNMENT.curves[1]
NLL = "test_nll_of_a_gaussian"
LINE = "`regrade-class` applies what holds today, and logs whose points change"


def use_bars(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    """Bars at this share of the way from the floor to the recorded bar, wherever bars are read."""
    bars = {
        name: dataclasses.replace(bar, bar=bar.floor + share * (bar.bar - bar.floor))
        for name, bar in load_bars().items()
    }
    for module in (record, outdated):
        monkeypatch.setattr(module, "load_bars", lambda: bars)


def numbers(folder: ClassFolder) -> dict[str, Any]:
    """What lists and documents say of ada."""
    (row,) = [
        row
        for row in csv.DictReader((folder.root / "grades.csv").open(encoding="utf-8-sig"))
        if row["id"] == "ada"
    ]  # fmt: skip
    found = read_class(folder)
    ada = folder.students / "ada"
    return {
        "grades.csv": float(row["total"]),
        "results.json": json.loads((ada / "results.json").read_text())["score"],
        **{
            form: float(next(row[points] for row in read_list(export(found, form)) if row[key] == "ada"))  # type: ignore[arg-type]
            for form, key, points in (
                ("csv", "id", "total"),
                ("canvas", "ID", ASSIGNMENT.course.title),
                ("gradescope", "SID", "Total Score"),
            )
        },
    }


@pytest.mark.parametrize("share", [0.5, 2.0])
def test_other_bars_change_no_number_of_any_list_until_regrade_class_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    folder = graded_class(tmp_path, {"ada": measured(skill=0.8), "bob": measured(skill=0.8)})
    before = numbers(folder)
    assert len(set(before.values())) == 1
    page = (folder.students / "ada" / "report.html").read_bytes()
    use_bars(monkeypatch, share)
    merged = merge([folder.root], tmp_path / "merged")
    merge([folder.root], folder.root)
    assert numbers(folder) == before
    assert numbers(ClassFolder(tmp_path / "merged")) == before
    assert (folder.students / "ada" / "report.html").read_bytes() == page
    commands.gradebook(folder.root, database=tmp_path / "gradebook.db")
    assert code_points(tmp_path / "gradebook.db")["ada"] == before["csv"]
    assert LINE in merged.notice
    assert CURVE.id in merged.notice
    assert merged.notice in (folder.root / "index.html").read_text()
    assert decisions.override(folder.root, "bob", NLL, points=0, reason="a reason") == commands.DONE
    assert numbers(folder) == before  # nor by a decision about somebody else
    differences = regrade_class.regrade_class(
        folder,
        Settings(),
        lambda settings: engine_of({}),
        QUIET,
        ask_canary=lambda settings: canary(),
    )
    assert {one.student for one in differences} == {"ada", "bob"}
    now = numbers(folder)
    assert set(now.values()) == {differences[0].now}
    assert differences[0].now != before["csv"]
    assert (differences[0].now > before["csv"]) == (share < 1)  # type: ignore[operator]
    logged = [json.loads(line) for line in (folder.root / "log.jsonl").read_text().splitlines()]
    points = {one["student"]: (one["before"], one["now"]) for one in logged if one["event"] == "points"}
    assert points["ada"] == (before["csv"], now["csv"])
    assert read_class(folder).notice == ""
    assert LINE not in (folder.root / "index.html").read_text()
