"""Reads TOML strictly: a mistake is named with its line and with what was wanted (given; standard library only).

A table is described by a dataclass; the types of its fields say what the values must be.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import sys
import tomllib
from collections.abc import Callable, Iterable
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

_TABLE = re.compile(r"\s*\[{1,2}\s*(?P<name>[\w.-]+)\s*\]{1,2}\s*(#.*)?$")
_KEY = re.compile(r"\s*(?:\"(?P<quoted>[^\"]+)\"|(?P<name>[\w-]+))\s*=")
_SYNTAX = re.compile(r"(?P<what>.*) \(at (line (?P<line>\d+), column \d+|end of document)\)")


class TomlError(ValueError):
    """A TOML file is not what it should be. The message starts with `NAME.toml:LINE: `."""


def _tell(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """One sentence for whoever edited the file, from whichever command read it; the usual traceback for the rest."""
    if issubclass(kind, TomlError):
        print(error, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = _tell


class Lines:
    """Where tables and keys are in a TOML file, which tomllib does not say."""

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[str, int, str], int] = {}  # (table, which of this name, key; "" for its head)
        counts: dict[str, int] = {}
        table, inside = "", ""  # a string over several lines
        for number, line in enumerate(text.splitlines(), start=1):
            was_inside = bool(inside)
            for quotes in re.findall(r"'''|\"\"\"", line):
                inside = "" if inside == quotes else inside or quotes
            if was_inside:
                continue
            if head := _TABLE.match(line):
                table = head["name"]
                counts[table] = counts.get(table, -1) + 1
                self._lines[table, counts[table], ""] = number
            elif key := _KEY.match(line):
                self._lines.setdefault((table, counts.get(table, 0), key["name"] or key["quoted"]), number)

    def line(self, table: str, index: int = 0, key: str = "") -> int:
        """The line of a key, or of its table if the key is not there, or 1."""
        return self._lines.get((table, index, key), self._lines.get((table, index, ""), 1))


class TomlFile:
    """One file, parsed, and the means to say what is wrong with it."""

    def __init__(self, path: Path, error: type[TomlError] = TomlError) -> None:
        """
        Args:
            path: the file.
            error: raised for everything that is wrong.

        Raises:
            TomlError: not there, not UTF-8, or not TOML.
        """
        self._name, self._error = path.name, error
        try:
            text = path.read_text(encoding="utf-8")
            self.lines = Lines(text)
            self.facts = tomllib.loads(text)
        except OSError as caught:
            raise error(f"{path.name}:1: cannot be read: {caught.strerror}") from None
        except UnicodeDecodeError:
            raise error(f"{path.name}:1: not UTF-8") from None
        except tomllib.TOMLDecodeError as caught:
            found = _SYNTAX.fullmatch(str(caught))
            number = found["line"] if found and found["line"] else len(text.splitlines())
            raise error(f"{path.name}:{number}: not TOML: {found['what'] if found else caught}") from None

    def allow(self, names: Iterable[str]) -> None:
        """Refuse a table, or a key outside any table, that is not among `names`."""
        known = list(names)
        for name in self.facts:
            if name not in known:
                line = self.lines.line(name)
                line = line if line > 1 else self.lines.line("", 0, name)
                raise self._error(f"{self._name}:{line}: {_unknown(name, known)}")

    def table(self, name: str) -> dict[str, Any]:
        """The table [name]."""
        found = self.facts.get(name)
        if not isinstance(found, dict):
            raise self._error(f"{self._name}:1: there is no [{name}]")
        return found

    def entries(self, name: str, *, needed: bool = True) -> list[Any]:
        """The tables [[name]], in order."""
        found = self.facts.get(name, None if needed else [])
        if not isinstance(found, list):
            raise self._error(f"{self._name}:1: there is no [[{name}]]")
        return found

    def fields(
        self, of: type[Any], table: str, entry: Any, index: int = 0, *, without: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """The values of one table, each of the type that the dataclass `of` says; lists become tuples.

        Args:
            of: the dataclass.
            table: the table's name, for messages; "" for keys outside any table.
            entry: the table.
            index: which of the tables of this name.
            without: fields of the dataclass that the file does not hold.
        """
        if not isinstance(entry, dict):
            self.fail(table, index, "", f"{table} must be tables")
        types = get_type_hints(of)
        fields = {field.name: field for field in dataclasses.fields(of) if field.name not in without}
        for key, value in entry.items():
            if key not in fields:
                self.fail(table, index, key, _unknown(key, fields))
            wanted = _wanted(types[key], value)
            if wanted is not None:
                self.fail(table, index, key, f"{key} must be {wanted}, got {value!r}")
        for name, field in fields.items():
            is_needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            if name not in entry and is_needed:
                self.fail(table, index, "", f"the key {name!r} is missing" + (f" from [{table}]" if table else ""))
        return {key: _frozen(value) for key, value in entry.items()}

    def fail(self, table: str, index: int, key: str, says: str) -> NoReturn:
        """Raise the file's error at the line of a key."""
        raise self._error(f"{self._name}:{self.lines.line(table, index, key)}: {says}")


def read_entries(
    path: Path,
    table: str,
    of: type[Any],
    error: type[TomlError] = TomlError,
    wrong: Callable[[Any], tuple[str, str] | None] = lambda entry: None,
) -> list[Any]:
    """A file of nothing but [[table]] entries, each a dataclass `of` with a `name` of its own.

    Args:
        path: the file.
        table: the name of its tables.
        of: the dataclass.
        error: raised for everything that is wrong.
        wrong: what is wrong with an entry beyond the types of its values, as (key, in words), or None.

    Raises:
        TomlError: not TOML; a key that is unknown, missing or of another type; a name that is used twice; what `wrong`
            finds.
    """
    file = TomlFile(path, error)
    file.allow([table])
    found: dict[str, Any] = {}
    for index, entry in enumerate(file.entries(table)):
        one = of(**file.fields(of, table, entry, index))
        if one.name in found:
            file.fail(table, index, "name", f"the name {one.name!r} is used twice")
        if (mistake := wrong(one)) is not None:
            file.fail(table, index, mistake[0], mistake[1])
        found[one.name] = one
    return list(found.values())


def and_meant(word: str, known: Iterable[str]) -> str:
    """The word in quotes, and the known one that was probably meant."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"{word!r} (did you mean {close[0]!r}?)" if close else repr(word)


def _unknown(key: str, known: Iterable[str]) -> str:
    known = list(known)
    return f"unknown key {and_meant(key, known)}; known are {', '.join(known)}"


def _frozen(value: Any) -> Any:
    """Lists as tuples, all the way down."""
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    return {key: _frozen(one) for key, one in value.items()} if isinstance(value, dict) else value


_WORDS: dict[Any, str] = {
    str: "a string",
    int: "a whole number, 0 or more",
    float: "a number, 0 or more",
    bool: "true or false",
    date: "a date such as 2027-03-01",
    datetime: "a time with its UTC offset, such as 2027-03-15T23:59:00-07:00",
}


def _wanted(kind: Any, value: Any) -> str | None:
    """What a value of this type should be, in words, or None if it is."""
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return None if value in arguments else "one of " + ", ".join(repr(choice) for choice in arguments)
    if get_origin(kind) is tuple:
        of = arguments[0] if arguments[1:] == (...,) else None
        right = isinstance(value, list) and (
            all(_wanted(of, one) is None for one in value)
            if of is not None
            else len(value) == len(arguments)
            and all(_wanted(of, one) is None for of, one in zip(arguments, value, strict=True))
        )
        return None if right else "a list of strings" if of is str else "a list"
    if get_origin(kind) is dict:
        right = isinstance(value, dict) and all(_wanted(arguments[1], one) is None for one in value.values())
        return None if right else "a table of strings" if arguments[1] is str else "a table of lists"
    is_number = type(value) is int or (kind is float and type(value) is float)
    right = {
        str: isinstance(value, str) and bool(value.strip()),
        int: is_number and value >= 0,
        float: is_number and value >= 0,
        bool: type(value) is bool,
        date: type(value) is date,
        datetime: isinstance(value, datetime) and value.tzinfo is not None,
    }[kind]
    return None if right else _WORDS[kind]
