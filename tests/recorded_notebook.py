"""What the tests of the notebooks' claims share: how the recorded runs came about, and the code they came from."""

from __future__ import annotations

import importlib
from typing import Any

from publish.notebooks import DATA, build_sources
from publish.recorded_tables import COMMAND, settings_of

MIN_SEEDS = 5  # with fewer, an interval of a median says little


def settings_by_table(name: str) -> dict[str, dict[str, Any]]:
    """What the tables of one notebook were recorded with."""
    return {path.stem: settings_of(path) for path in sorted((DATA / name).glob("*.csv"))}


def record(name: str) -> str:
    """What to do when they are stale."""
    return f"run `{COMMAND.format(name)}`"


def runs_module(name: str) -> dict[str, Any]:
    """What the module of a notebook's recorded runs defines."""
    return vars(importlib.import_module(f"hw4.notebooks.{name}_runs"))


def small_functions(name: str, names: dict[str, Any]) -> dict[str, Any]:
    """The small functions that students complete in a notebook, with their solutions.

    Args:
        name: of the notebook.
        names: what their cells may use.
    """
    defined: dict[str, Any] = {}
    for cell in build_sources()[name].cells:
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution"):
            exec(cell.source, names, defined)
    return defined
