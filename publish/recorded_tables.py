"""Recorded tables: CSV files that say how they came about, recorded part by part.

    # one run of each arm and seed                             what the rows are, where that needs a word
    # recorded by: python -m publish.recorders replanning
    # with: torch 2.13.0+cpu, numpy 2.4.6                      when the latest part was recorded
    # settings: {"cartpole": {"horizon": 20, ...}}             what decides the rows
    arm,seed,episode,env_steps,episode_return
    1.5,10,0,100,0.43016

A recorder asks which parts are there, records the others, and puts in their rows. A table is replaced in one step, so
a recorder may be stopped at any time: called again, it records what is missing. Rows that were recorded with other
settings are not kept.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hw4.commands.csv_rows import read_rows
from hw4.handin.at_once import write_at_once

COMMAND = "python -m publish.recorders {}"
SETTINGS = "# settings: "

Row = list[Any]


@dataclass(frozen=True)
class Table:
    """What one recorded file holds."""

    columns: str  # "arm,seed,episode"
    key: str = ""  # the columns that say which part of the recording a row belongs to; "": all rows are one part
    settings: Mapping[str, Any] = field(default_factory=dict)  # what decides the rows
    says: str = ""  # what the rows are


class Recording:
    """The tables of one folder, as far as they are recorded."""

    def __init__(
        self,
        folder: Path,
        recorder: str,
        tables: Mapping[str, Table],
        *,
        packages: tuple[str, ...] = ("torch", "numpy"),
    ) -> None:
        """
        Args:
            folder: holds NAME.csv for each table.
            recorder: a name that `python -m publish.recorders` knows.
            tables: what is recorded, by name.
            packages: those whose versions are noted.
        """
        self._folder, self._tables = folder, tables
        self._how = [
            f"recorded by: {COMMAND.format(recorder)}",
            f"with: {', '.join(f'{name} {version(name)}' for name in packages)}",
        ]
        self._rows = {name: self._kept(folder / f"{name}.csv", table) for name, table in tables.items()}

    def _kept(self, path: Path, table: Table) -> list[Row]:
        if not path.exists() or settings_of(path) != json.loads(json.dumps(table.settings)):
            return []
        return [list(row.values()) for row in read_rows(path)]

    def has(self, *names: str, **values: object) -> bool:
        """Whether each of these tables has rows with these values, in those of the columns that it has."""
        return all(self._has(name, values) for name in names)

    def _has(self, name: str, values: Mapping[str, object]) -> bool:
        columns = self._tables[name].columns.split(",")
        wanted = {columns.index(column): str(value) for column, value in values.items() if column in columns}
        return any(all(row[i] == value for i, value in wanted.items()) for row in self._rows[name])

    def keep(self, name: str, is_kept: Callable[[dict[str, str]], bool]) -> None:
        """Forget the rows of a table that are not to be kept; the file changes with the next `put`."""
        columns = self._tables[name].columns.split(",")
        self._rows[name] = [row for row in self._rows[name] if is_kept(dict(zip(columns, row, strict=True)))]

    def put(self, **rows: Iterable[Row]) -> None:
        """Put rows into tables, by name, in place of those with the same key, and write these tables.

        The file is sorted by key, whatever the order of recording; rows of one part stay in the order in which they are
        given.
        """
        for name, new in rows.items():
            table = self._tables[name]
            added = [["" if cell is None else str(cell) for cell in row] for row in new]
            replaced = {_key_of(table, row) for row in added}
            kept = [row for row in self._rows[name] if _key_of(table, row) not in replaced]
            self._rows[name] = _in_order(table, kept + added)
            write_table(self._folder / f"{name}.csv", table, self._rows[name], self._how)

    def note(self, **facts: object) -> None:
        """Write facts.json: what the notebook's text may say of the recorded runs."""
        text = json.dumps({name: str(fact) for name, fact in facts.items()}, indent=1)
        write_at_once(self._folder / "facts.json", f"{text}\n".encode())


def write_table(path: Path, table: Table, rows: Iterable[Row], how: Iterable[str]) -> None:
    """Write a table under lines that say how it came about."""
    text = io.StringIO()
    text.writelines(f"# {line}\n" for line in ([table.says] if table.says else []) + list(how))
    if table.settings:
        text.write(f"{SETTINGS}{json.dumps(table.settings)}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns.split(","))
    writer.writerows(rows)
    write_at_once(path, text.getvalue().encode())


def settings_of(path: Path) -> dict[str, Any]:
    """The settings that a table was recorded with."""
    with path.open(encoding="utf-8") as file:
        line = next((line for line in file if line.startswith(SETTINGS)), f"{SETTINGS}{{}}")
    settings: dict[str, Any] = json.loads(line.removeprefix(SETTINGS))
    return settings


def number(value: float | None, digits: int = 5) -> str:
    """A number as a cell shows it; empty where there is none."""
    return "" if value is None or math.isnan(value) else f"{float(value):.{digits}g}"


def _key_of(table: Table, row: Row) -> tuple[str, ...]:
    columns = table.columns.split(",")
    return tuple(row[columns.index(column)] for column in table.key.split(",") if column)


def _in_order(table: Table, rows: list[Row]) -> list[Row]:
    """Rows by their keys: numbers by size, texts by alphabet. Those of one part stay as they are."""
    columns = list(zip(*(_key_of(table, row) for row in rows), strict=True))
    by_size = [all(_is_number(value) for value in column) for column in columns]

    def place(row: Row) -> list[Any]:
        return [float(value) if number else value for value, number in zip(_key_of(table, row), by_size, strict=True)]

    return sorted(rows, key=place) if columns else rows


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
