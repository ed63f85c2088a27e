"""CSV files as people and sites save them: any usual separator and encoding, and every cell as it is.

An encoding is recognised by its mark, or by trying: UTF-16, UTF-8, then Windows-1252, which is what Excel writes in
western Europe and America.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.classroom.intake.entries import ClassError

DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class Table:
    """A CSV file."""

    name: str
    rows: tuple[tuple[int, tuple[str, ...]], ...]  # (line, cells); the first is the head
    delimiter: str
    has_mark: bool = False  # of UTF-8, which Excel looks for

    @property
    def head(self) -> list[str]:
        """Names of the columns, to be compared whatever their case."""
        return [cell.strip().casefold() for cell in self.rows[0][1]] if self.rows else []


def read_table(path: Path, known: Collection[str]) -> Table:
    """Read a CSV file.

    Args:
        path: the file.
        known: names of columns, in lower case; what gives the head the most of them separates its cells.

    Raises:
        ClassError: it cannot be read, with the line of what is wrong.
    """
    try:
        content = path.read_bytes()
        text = _text(content)
    except (OSError, UnicodeDecodeError) as error:
        raise ClassError(f"{path.name} cannot be read: {error}. Save it as CSV in UTF-8") from None
    lines = io.StringIO(text, newline="")
    delimiter = _delimiter(text, known)
    skipped = 1 if text.lower().startswith("sep=") else 0
    if skipped:
        lines.readline()
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        rows = tuple((reader.line_num + skipped, tuple(row)) for row in reader)
    except csv.Error as error:
        line = reader.line_num + skipped
        raise ClassError(f"{path.name}:{line}: a quote is not closed, or is inside a cell: {error}") from None
    return Table(path.name, rows, delimiter, content.startswith(codecs.BOM_UTF8))


def written(table: Table, changed: Mapping[tuple[int, int], str]) -> bytes:
    """The table as CSV in UTF-8, with its own separator and every cell as it was.

    Args:
        table: of `read_table`.
        changed: (line, column) -> the cell's new text.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=table.delimiter, lineterminator="\r\n")
    for line, cells in table.rows:
        writer.writerow(changed.get((line, column), cell) for column, cell in enumerate(cells))
    return buffer.getvalue().encode("utf-8-sig" if table.has_mark else "utf-8")


def _text(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    if b"\0" in content[:200]:  # half of the bytes of an English text in UTF-16
        return content.decode("utf-16-le" if content[1:2] == b"\0" else "utf-16-be")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def _delimiter(text: str, known: Collection[str]) -> str:
    """What separates cells: as a first line `sep=;` says, or what gives the head the most columns that are known."""
    first = text.splitlines()[0] if text else ""
    if first.lower().startswith("sep=") and len(first) > len("sep="):
        return first[len("sep=")]

    def num_columns(delimiter: str) -> tuple[int, int]:
        head = next(csv.reader([first], delimiter=delimiter), [])
        return len({cell.strip().casefold() for cell in head} & set(known)), len(head)

    return max(DELIMITERS, key=num_columns)
