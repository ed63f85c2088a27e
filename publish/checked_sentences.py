"""Which hidden tests check each sentence of the docstrings: the lists next to the tests, and what is wrong with them.

The sentences of solutions/NAME.py are listed in autograder/hidden_tests/NAME_sentences.toml, in the order in which they
are there. One that promises something names the hidden tests that check it; one that promises nothing says why.
"""

from __future__ import annotations

import ast
import difflib
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.solutions import ROOT
from hw4.handin.assignment import Assignment, load_assignment
from hw4.handin.strict_toml import Lines, TomlError, read_entries
from publish.findings import FACTS, HIDDEN_TEST, Finding
from publish.handout.docstrings import spans
from publish.places import HIDDEN_TESTS, SENTENCES
from publish.sentences import MODULE, sentences_in_file

TABLE = "sentences"
LIST_IT = f"list it with the hidden tests that check it, {HIDDEN_TEST}"


@dataclass(frozen=True)
class Listed:
    """One sentence of a list."""

    says: str  # as in the docstring, white space folded
    stub: str = MODULE  # id of the function; without it, the sentence is in the docstring of the file
    tests: tuple[str, ...] = ()
    no_promise: str = ""  # why it promises nothing that a test could check

    @property
    def name(self) -> str:
        return f"{self.stub}: {self.says}" if self.stub else self.says


@dataclass(frozen=True)
class HiddenTest:
    """One hidden test, as its file declares it."""

    stub: str
    line: int


def unchecked(root: Path = ROOT) -> Iterator[Finding]:
    """Sentences that no hidden test checks, hidden tests that check none, and lists that do not fit either."""
    assignment = load_assignment(root / FACTS)
    for file in assignment.submission.code:
        try:
            yield from _Problem(root, assignment, file).findings()
        except TomlError as error:
            where, _, says = str(error).partition(": ")
            yield Finding(SENTENCES.of(file), int(where.rpartition(":")[2]), says, f"correct the entry, {HIDDEN_TEST}")


def _mistake(entry: Listed) -> tuple[str, str] | None:
    if entry.tests and entry.no_promise:
        return "no_promise", "a sentence has either tests or no_promise, not both"
    return None


def _read(path: Path) -> list[Listed]:
    return read_entries(path, TABLE, Listed, wrong=_mistake) if path.exists() else []


class _Problem:
    """A solution file, its hidden tests and its list."""

    def __init__(self, root: Path, assignment: Assignment, file: str) -> None:
        self._source, self._list, self._tests = f"solutions/{file}", SENTENCES.of(file), HIDDEN_TESTS.of(file)
        symbols = {stub.id: stub.symbol for stub in assignment.stubs if stub.file == file}
        self._sentences = sentences_in_file(_text(root / self._source), symbols)
        self._hidden_tests = hidden_tests_in(_text(root / self._tests))
        self._entries = _read(root / self._list)
        self._lines = Lines(_text(root / self._list))

    def findings(self) -> Iterator[Finding]:
        yield from self._differences()
        for index, entry in enumerate(self._entries):
            yield from self._of_entry(index, entry)
        named = {name for entry in self._entries for name in entry.tests}
        for name, test in self._hidden_tests.items():
            if name not in named:
                says = f"{name} checks no sentence of {self._list}"
                fix = f"name it at the sentence that it checks, or write that into the docstring, {HIDDEN_TEST}"
                yield Finding(self._tests, test.line, says, fix)

    def _differences(self) -> Iterator[Finding]:
        """Sentences that the docstrings have and the list lacks, and the other way round; changed ones once."""
        listed = {(entry.stub, entry.says) for entry in self._entries}
        new = {
            (stub, sentence.text): sentence
            for stub, found in self._sentences.items()
            for sentence in found
            if (stub, sentence.text) not in listed
        }
        for index, entry in enumerate(self._entries):
            if entry.says in [sentence.text for sentence in self._sentences.get(entry.stub, [])]:
                continue
            alike = [text for stub, text in new if stub == entry.stub]
            nearest = difflib.get_close_matches(entry.says, alike, n=1)
            says, fix = f"no docstring of {self._source} says {entry.says!r}", f"remove it, {HIDDEN_TEST}"
            if nearest:
                now = new.pop((entry.stub, nearest[0]))
                says = f"{says}; line {now.line} there says {now.text!r}"
                fix = f"change `says`, and see whether the same tests check it, {HIDDEN_TEST}"
            yield self._at(index, "says", says, fix)
        for (_, text), sentence in new.items():
            yield Finding(self._source, sentence.line, f"{self._list} does not have {text!r}", LIST_IT)

    def _of_entry(self, index: int, entry: Listed) -> Iterator[Finding]:
        """What is wrong with the tests of a sentence."""
        if not entry.tests and not entry.no_promise:
            fix = f"name the hidden tests that check it, or say in `no_promise` why it promises nothing, {HIDDEN_TEST}"
            yield self._at(index, "says", f"{entry.says!r} names no hidden test", fix)
        for name in entry.tests:
            test = self._hidden_tests.get(name)
            if test is None:
                close = difflib.get_close_matches(name, self._hidden_tests, n=1)
                instead = f"; it has {close[0]}" if close else ""
                yield self._at(index, "tests", f"{self._tests} has no {name}{instead}", "name a test that is there")
            elif entry.stub not in (MODULE, test.stub):
                says = f"{name} is a test of {test.stub}, not of {entry.stub}"
                yield self._at(index, "tests", says, "name a test of the function whose docstring this is")

    def _at(self, index: int, key: str, says: str, fix: str) -> Finding:
        return Finding(self._list, self._lines.line(TABLE, index, key), says, fix)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def hidden_tests_in(source: str) -> dict[str, HiddenTest]:
    """Every function of a file that is marked with `@graded("id")`, by name."""
    return {
        node.name: HiddenTest(str(mark.args[0].value), node.lineno)
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
        for mark in node.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "graded" and isinstance(mark.args[0], ast.Constant)
    }


def sentence_tables(assignment: Assignment, root: Path = ROOT) -> list[dict[str, Any]]:
    """For the staff edition: of each file and each of its functions, its hidden tests and every sentence.

    The tests of a table have letters, by which the sentences name them.
    """
    tables = []
    for file in assignment.submission.code:
        stubs = {stub.id: stub for stub in assignment.stubs if stub.file == file}
        symbols = {stub_id: stub.symbol for stub_id, stub in stubs.items()}
        entries = {(entry.stub, entry.says): entry for entry in _read(root / SENTENCES.of(file))}
        order = [*hidden_tests_in(_text(root / HIDDEN_TESTS.of(file)))]
        for stub_id, found in sentences_in_file(_text(root / "solutions" / file), symbols).items():
            listed = [entries.get((stub_id, sentence.text), Listed(sentence.text)) for sentence in found]
            named = {name for entry in listed for name in entry.tests}
            letters = dict(zip([name for name in order if name in named], string.ascii_lowercase, strict=False))
            tables.append(
                {
                    "file": file,
                    "number": stubs[stub_id].number if stub_id else "",
                    "symbol": stubs[stub_id].symbol if stub_id else "",
                    "tests": [[letter, name] for name, letter in letters.items()],
                    "rows": [
                        {
                            "sentence": [{"code": True, "text": one.text}] if one.is_equation else spans(one.text),
                            "tests": sorted(letters.get(name, "?") for name in entry.tests),
                            "no_promise": entry.no_promise,
                        }
                        for one, entry in zip(found, listed, strict=True)
                    ],
                }
            )
    return tables
