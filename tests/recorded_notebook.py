"""What the tests of the notebooks' claims share: how the recorded runs came about, and the cells they came from."""

from __future__ import annotations

import json
from typing import Any

from publish.notebooks import DATA, cells_tagged

MIN_SEEDS = 5  # with fewer, an interval of a median says little


def provenance(name: str) -> dict[str, Any]:
    """recorded.json of one notebook."""
    recorded: dict[str, Any] = json.loads((DATA / name / "recorded.json").read_text(encoding="utf-8"))
    return recorded


def recorder_cells(name: str) -> dict[str, Any]:
    """What a notebook's cells for its recorder define."""
    namespace: dict[str, Any] = {"__name__": __name__}
    exec(cells_tagged(name, "recorder"), namespace)
    return namespace
