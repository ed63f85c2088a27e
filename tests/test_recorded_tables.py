"""Recorded tables: what their heads say, how a recording resumes, and that every recorded file has this form."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.solutions import ROOT
from hw4.commands.csv_rows import read_rows
from hw4.commands.jupyter import read_table
from publish.handout import DATA as HANDOUT_DATA
from publish.notebooks import DATA as NOTEBOOK_DATA
from publish.recorded_tables import Recording, Table, number, settings_of
from publish.recorders import names, start
from publish.ungraded_bands import RUNS_FILE

TABLES = {
    "returns": Table("arm,seed,episode,episode_return", key="arm,seed", settings={"horizon": (5, 7)}),
    "plans": Table("seed,step,force", key="seed", settings={"mass": 1.5}, says="every plan"),
    "noise": Table("step,value"),
}
RECORDED = [*sorted(NOTEBOOK_DATA.rglob("*.csv")), *sorted(HANDOUT_DATA.glob("*.csv")), RUNS_FILE]


def recording(folder: Path, tables: dict[str, Table] = TABLES) -> Recording:
    return Recording(folder, "replanning", tables, packages=("numpy",))


def test_a_table_says_how_it_came_about_and_reads_back(tmp_path: Path) -> None:
    recording(tmp_path).put(plans=[[3, 0, number(0.25)], [3, 1, number(None)]])
    lines = (tmp_path / "plans.csv").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["# every plan", "# recorded by: python -m publish.recorders replanning"]
    assert lines[2].startswith("# with: numpy 2.")
    assert lines[3:] == ['# settings: {"mass": 1.5}', "seed,step,force", "3,0,0.25", "3,1,"]
    assert read_rows(tmp_path / "plans.csv")[1] == {"seed": "3", "step": "1", "force": ""}
    assert read_table(tmp_path / "plans.csv")["force"][0] == 0.25
    assert settings_of(tmp_path / "plans.csv") == {"mass": 1.5}


def test_a_recording_resumes_with_what_is_missing(tmp_path: Path) -> None:
    first = recording(tmp_path)
    first.put(returns=[["short", 10, 0, 1.5], ["short", 10, 1, 2.5]], plans=[[10, 0, 0.1]])
    again = recording(tmp_path)
    assert again.has("returns", "plans", arm="short", seed=10)
    assert not again.has("returns", "plans", arm="long", seed=10)
    assert not again.has("returns", arm="short", seed=1)
    assert not again.has("noise")


def test_rows_replace_those_of_their_part_and_the_file_is_sorted_by_key(tmp_path: Path) -> None:
    for rows in ([["long", 10, 0, 1]], [["long", 9, 1, 2], ["long", 9, 0, 3]], [["a", 10, 0, 4]], [["long", 10, 0, 5]]):
        recording(tmp_path).put(returns=rows)
    assert [list(row.values()) for row in read_rows(tmp_path / "returns.csv")] == [
        ["a", "10", "0", "4"],
        ["long", "9", "1", "2"],
        ["long", "9", "0", "3"],
        ["long", "10", "0", "5"],
    ]
    for value in (1, 2):
        recording(tmp_path).put(noise=[[0, value]])
    assert read_rows(tmp_path / "noise.csv") == [{"step": "0", "value": "2"}]


def test_rows_that_were_recorded_with_other_settings_are_not_kept(tmp_path: Path) -> None:
    recording(tmp_path).put(returns=[["short", 10, 0, 1.5]], plans=[[10, 0, 0.1]])
    changed = {**TABLES, "plans": Table("seed,step,force", key="seed", settings={"mass": 2.0})}
    again = recording(tmp_path, changed)
    assert again.has("returns", seed=10)
    assert not again.has("returns", "plans", seed=10)
    again.put(plans=[[11, 0, 0.2]])
    assert [row["seed"] for row in read_rows(tmp_path / "plans.csv")] == ["11"]


def test_rows_of_other_code_can_be_forgotten(tmp_path: Path) -> None:
    recording(tmp_path).put(plans=[[1, 0, 0.1], [2, 0, 0.2]])
    again = recording(tmp_path)
    again.keep("plans", lambda row: row["seed"] != "1")
    assert not again.has("plans", seed=1)
    again.put(plans=[[3, 0, 0.3]])
    assert [row["seed"] for row in read_rows(tmp_path / "plans.csv")] == ["2", "3"]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_recorded_table_names_a_recorder_that_exists(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    (by,) = (line for line in lines if line.startswith("# recorded by: "))
    assert by.removeprefix("# recorded by: python -m publish.recorders ") in names()
    assert read_rows(path)


@pytest.mark.parametrize("name", ["replanning", "handout_runs"])
def test_a_recorder_that_has_nothing_to_record_changes_nothing(name: str) -> None:
    """With a notebook's cells, and without: it starts in the solved tree, and finds all that it wants recorded."""
    folder = HANDOUT_DATA if name == "handout_runs" else NOTEBOOK_DATA / name
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.glob("*.csv")}
    assert start(name) == 0
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.glob("*.csv")} == before
