"""The pages, by Typst."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typst

from hw4.handin.assignment import ASSIGNMENT_FILE, load_assignment
from publish.handout import HANDOUT, PDF
from publish.handout.facts import gather_facts


def compile_handout(facts: dict[str, Any], **options: Any) -> bytes:
    """The PDF of these facts. Only Typst's own fonts, the release date as its time: the same bytes each time."""
    year, month, day = facts["course"]["release_ymd"]
    pdf = typst.compile(
        HANDOUT / "handout.typ",
        root=HANDOUT,
        sys_inputs={"facts": json.dumps(facts, ensure_ascii=False)},
        ignore_system_fonts=True,
        timestamp=int(datetime(year, month, day, tzinfo=UTC).timestamp()),
        pdf_standards=["ua-1"],  # tagged, and refused by the compiler unless pictures and equations have a text
        **options,
    )
    assert isinstance(pdf, bytes)
    return pdf


def build_handout(target: Path = PDF, assignment_file: Path = ASSIGNMENT_FILE, *, staff: bool = False) -> Path:
    """Write the handout, or its staff edition, to `target` and return it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(compile_handout(gather_facts(load_assignment(assignment_file), staff=staff)))
    return target
