"""CSV that spreadsheets read and never run."""

from __future__ import annotations

import csv
import io


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula; `unguarded` gives it back."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "'")) else text


def unguarded(text: str) -> str:
    return text.removeprefix("'")


def write_csv(rows: list[list[str]]) -> bytes:
    """Quoted as RFC 4180 has it, in UTF-8 with the mark that spreadsheets look for."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue().encode("utf-8-sig")
