"""Results on the disk: a file is there whole or not at all, and JSON is what every reader takes (standard library)."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any


def write_at_once(path: Path, content: bytes) -> None:
    """Replace a file: a reader finds the old one or the new one, never half of one, after a power cut too."""
    part = path.with_name(f".{path.name}.part")
    write_through(part, content)
    os.replace(part, path)


def write_through(path: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def as_json(document: Any) -> bytes:
    """JSON knows no NaN and no infinity: they become null."""
    return (json.dumps(plain(document), indent=2, allow_nan=False) + "\n").encode()


def plain(value: Any) -> Any:
    """A document as JSON gives it back: lists for tuples, and null for NaN and infinity."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
