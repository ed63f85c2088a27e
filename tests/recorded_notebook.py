"""What the tests of the notebooks' claims share: how the recorded runs came about, and the cells they came from."""

from __future__ import annotations

from typing import Any

from publish.notebooks import DATA, cells_tagged
from publish.recorded_tables import COMMAND, settings_of

MIN_SEEDS = 5  # with fewer, an interval of a median says little


def settings_by_table(name: str) -> dict[str, dict[str, Any]]:
    """What the tables of one notebook were recorded with."""
    return {path.stem: settings_of(path) for path in sorted((DATA / name).glob("*.csv"))}


def record(name: str) -> str:
    """What to do when they are stale."""
    return f"run `{COMMAND.format(name)}`"


def recorder_cells(name: str) -> dict[str, Any]:
    """What a notebook's cells for its recorder define."""
    namespace: dict[str, Any] = {"__name__": __name__}
    exec(cells_tagged(name, "recorder"), namespace)
    return namespace
