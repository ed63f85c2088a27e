"""Syntax that a newer Python reads and the grader's does not: which, and in which line (given; standard library only).

Python says it itself of most constructs (`feature_version` of `ast.parse`). It does not of f-strings, whose braces may
hold more since 3.12 (PEP 701).
"""

from __future__ import annotations

import ast
import io
import re
import sys
import token
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

LAST_OLD_F_STRINGS = (3, 11)
MAX_SPEC_DEPTH = 1  # of replacement fields inside the format of another, before 3.12
F_STRING_TOKENS = {getattr(token, name, -1): name for name in ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END")}
UNTIL_ITS_QUOTES = {  # what ends a string for Python 3.11, whatever is in braces
    "'": r"(?:[^\n'\\]|\\[\s\S])*'",
    '"': r'(?:[^\n"\\]|\\[\s\S])*"',
    "'''": r"(?:[^\\']|\\[\s\S]|'(?!''))*'''",
    '"""': r'(?:[^\\"]|\\[\s\S]|"(?!""))*"""',
}
# For an interpreter that cannot read the line at all: what it looks like.
LOOKS_LIKE = (
    (r"^\s*type\s+\w+\s*(\[.*\])?\s*=", "a `type` statement", "3.12"),
    (r"^\s*(async\s+def|def|class)\s+\w+\s*\[[^\]]*=", "a default of a type parameter", "3.13"),
    (r"^\s*(async\s+def|def|class)\s+\w+\s*\[", "a list of type parameters", "3.12"),
    (r"^\s*except\*?\s+[\w.]+(\s*,\s*[\w.]+)+\s*:", "`except` with several types and no parentheses", "3.14"),
    (r"(?<!\w)([tT][rR]?|[rR][tT])['\"]", "a t-string", "3.14"),
)
F_STRING = re.compile(r"(?<!\w)([fF][rR]?|[rR][fF])['\"]")


@dataclass(frozen=True)
class Construct:
    """One place in a file that needs a newer Python."""

    line: int
    what: str
    since: str  # "3.12"; "" if `what` says it

    def __str__(self) -> str:
        return f"{self.what} needs Python {self.since}" if self.since else self.what


def newer_syntax(text: str, tree: ast.Module, python: tuple[int, int]) -> Construct | None:
    """The first construct of a file that `python` cannot read.

    Args:
        text: of the file.
        tree: as this interpreter reads it.
        python: the version.
    """
    found = [construct for construct in _in_tree(tree) if _version(construct.since) > python]
    if python <= LAST_OLD_F_STRINGS:
        found += _in_f_strings(text.replace("\r\n", "\n").replace("\r", "\n"))
    if not found:
        try:
            ast.parse(text, feature_version=python)
        except SyntaxError as error:
            return Construct(error.lineno or 1, error.msg[:1].lower() + error.msg[1:], "")
    return min(found, key=lambda construct: construct.line, default=None)


def looks_newer(line: str, number: int, message: str, python: tuple[int, int]) -> Construct | None:
    """What a line probably is that this interpreter cannot read: something newer than it and than `python`."""
    newest_known = max(python, sys.version_info[:2])
    for pattern, what, since in LOOKS_LIKE:
        if re.search(pattern, line) and _version(since) > newest_known:
            return Construct(number, what, since)
    if newest_known <= LAST_OLD_F_STRINGS and (
        message.startswith("f-string") or (message.startswith("unterminated string") and F_STRING.search(line))
    ):
        what = "an f-string with its own quotes, a backslash, a comment or a line break inside braces"
        return Construct(number, what, "3.12")
    return None


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def _in_tree(tree: ast.Module) -> Iterator[Construct]:
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 1)
        kind = type(node).__name__
        if kind == "TypeAlias":
            yield Construct(line, "a `type` statement", "3.12")
        elif kind == "TemplateStr":
            yield Construct(line, "a t-string", "3.14")
        elif getattr(node, "default_value", None) is not None:
            yield Construct(line, "a default of a type parameter", "3.13")
        elif getattr(node, "type_params", None) and kind != "TypeAlias":
            yield Construct(line, "a list of type parameters", "3.12")
        elif isinstance(node, ast.JoinedStr) and _spec_depth(node) > MAX_SPEC_DEPTH:
            yield Construct(line, "an f-string with braces nested this deep in a format", "3.12")


def _spec_depth(node: ast.JoinedStr) -> int:
    """How deep replacement fields are in the formats of others."""
    specs = [field.format_spec for field in node.values if isinstance(field, ast.FormattedValue)]
    inside = [spec for spec in specs if isinstance(spec, ast.JoinedStr)]
    with_fields = [spec for spec in inside if any(isinstance(value, ast.FormattedValue) for value in spec.values)]
    return max((1 + _spec_depth(spec) for spec in with_fields), default=0)


def _in_f_strings(text: str) -> Iterator[Construct]:
    """What the braces of f-strings may hold since 3.12. Older interpreters have no tokens for it, and find nothing."""
    if -1 in F_STRING_TOKENS:
        return
    lines = [f"{line}\n" for line in text.split("\n")]
    started: list[tuple[tuple[int, int], str]] = []  # (where, prefix and quotes) of the f-strings around a token
    previous, before = (1, 0), [""]  # where the token before ended, and the last two tokens
    for found in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = F_STRING_TOKENS.get(found.type, "")
        in_braces = len(started) - (kind in ("FSTRING_MIDDLE", "FSTRING_END")) > 0
        if in_braces and found.type == token.COMMENT:
            yield Construct(found.start[0], "a comment inside the braces of an f-string", "3.12")
        elif in_braces and "\\" in _between(lines, previous, found.end):
            yield Construct(found.start[0], "a backslash inside the braces of an f-string", "3.12")
        elif in_braces and before[-2:-1] == ["!"] and found.string in ("}", ":") and previous != found.start:
            yield Construct(found.start[0], "an f-string with a blank after its conversion", "3.12")
        if kind == "FSTRING_START":
            started.append((found.start, found.string))
        elif kind == "FSTRING_END":
            start, opening = started.pop()
            whole = _between(lines, start, found.end)
            quotes = opening.lstrip("fFrR")
            ends = re.match(UNTIL_ITS_QUOTES[quotes], whole[len(opening) :])
            if ends is None:
                yield Construct(start[0], "a line break inside the braces of an f-string", "3.12")
            elif len(opening) + ends.end() < len(whole):
                yield Construct(start[0], "an f-string whose braces hold its own quotes", "3.12")
        previous, before = found.end, [before[-1], found.string]


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    return "".join([lines[start[0] - 1][start[1] :], *lines[start[0] : end[0] - 1], lines[end[0] - 1][: end[1]]])
