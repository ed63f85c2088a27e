"""Line ends: a checkout with those of Windows gives scripts that do not start, and other hashes."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from publish.findings import FILES, Finding

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class LineEndError(ValueError):
    """An archive would hold files with wrong line ends. Says which, and how to fix them."""


def wrong_line_ends(files: Iterable[tuple[str, bytes]], scripts: Iterable[str] = ()) -> Iterator[Finding]:
    """Text files with a carriage return, and scripts whose first bytes name no interpreter.

    Args:
        files: (name, content); a file with a zero byte is no text.
        scripts: names of the files that are started by their first line.
    """
    started = frozenset(scripts)
    for name, content in files:
        if b"\0" in content:
            continue
        if b"\r" in content:
            line = content.count(b"\n", 0, content.index(b"\r")) + 1
            fix = f"run `sed -i 's/\\r$//' {shlex.quote(name)}`, and let git heed .gitattributes"
            yield Finding(name, line, "has a carriage return: the line ends of Windows", fix)
        if name in started and not content.startswith(b"#!/"):
            what = "a byte-order mark" if content.startswith(BYTE_ORDER_MARK) else "another first line"
            yield Finding(
                name, 1, f"does not start, because it has {what} instead of `#!/...`", f"write that first, {FILES}"
            )


def with_right_line_ends(
    files: Iterable[tuple[str, bytes]], scripts: Iterable[str] = ()
) -> tuple[tuple[str, bytes], ...]:
    """The same files. Raises LineEndError if `wrong_line_ends` finds anything."""
    checked = tuple(files)
    if findings := list(wrong_line_ends(checked, scripts)):
        raise LineEndError("\n".join(map(str, findings)))
    return checked
