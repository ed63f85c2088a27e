"""Topics: optional problems, one file each. Pick one if you like; a topic that is left out costs nothing.

A topic whose file has a function `build_planner` is a planner: `python -m hw4 train TASK --planner NAME`.
"""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path


def planners() -> tuple[str, ...]:
    """Names of the topics that are planners, in order. They are found by reading, so none is imported.

    A file with a syntax error counts too: using it then shows the error.
    """
    names = sorted(found.name for found in pkgutil.iter_modules(__path__) if not found.ispkg)
    return tuple(name for name in names if _defines_planner(Path(__path__[0]) / f"{name}.py"))


def _defines_planner(path: Path) -> bool:
    return re.search(rb"^def build_planner\(", path.read_bytes(), re.MULTILINE) is not None
