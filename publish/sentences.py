"""The sentences of the docstrings in solutions/: everything that students are told of a function, one by one.

A sentence is a line of an equation, or a sentence of the prose, of a numbered item, of an argument, of what is returned
or of what is raised, with its white space folded. The line that names the public test is none.
"""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass

from publish.handout.docstrings import blocks_of, function_in, split_docstring

ABBREVIATIONS = ("al.", "approx.", "cf.", "e.g.", "eq.", "fig.", "i.e.", "no.", "p.", "resp.", "sec.", "vs.")
SENTENCE_END = re.compile(r"(?<!\.)[.!?][)\]\"'`]*$")  # "..." ends none
ENTRY = re.compile(r"(?m)^(?=\*{0,2}\w+: )")  # an argument or an exception at the margin of its section
MODULE = ""  # stands where else the id of a stub does: for the docstring of the whole file


@dataclass(frozen=True)
class Sentence:
    """One sentence of a docstring."""

    text: str
    line: int  # in its file
    is_equation: bool


def sentences_in_file(source: str, symbols: dict[str, str]) -> dict[str, list[Sentence]]:
    """The sentences of a solution file's own docstring, under `MODULE`, and of some of its functions.

    Args:
        source: text of the file.
        symbols: stub id -> "function" or "Class.method". One that the file lacks has no sentences.
    """
    tree = ast.parse(source)
    found = {MODULE: _located(tree)}
    for stub_id, symbol in symbols.items():
        node = function_in(tree, symbol)
        found[stub_id] = _located(node) if node else []
    return found


def _located(node: ast.Module | ast.FunctionDef) -> list[Sentence]:
    docstring = ast.get_docstring(node)
    if docstring is None:
        return []
    literal = node.body[0]
    assert isinstance(literal, ast.Expr)
    assert isinstance(literal.value, ast.Constant)
    words = [
        (word, number)
        for number, line in enumerate(str(literal.value.value).split("\n"), start=literal.lineno)
        for word in line.split()
    ]
    return [Sentence(text, _line(text, words), is_equation) for text, is_equation in sentences(docstring).items()]


def _line(text: str, words: list[tuple[str, int]]) -> int:
    """Where a sentence begins among the (word, line) of its docstring."""
    for phrase in (text, re.sub(r"^(Returns|Raises): ", "", text)):
        wanted = phrase.split()
        for start in range(len(words) - len(wanted) + 1):
            if [word for word, _ in words[start : start + len(wanted)]] == wanted:
                return words[start][1]
    return words[0][1]


def sentences(docstring: str) -> dict[str, bool]:
    """All sentences of a docstring, in order, each once: text -> whether it is a line of an equation.

    What is returned and raised says so: "Returns: shape (...).".
    """
    found: dict[str, bool] = {}
    for section, text in split_docstring(docstring).items():
        if section == "description":
            found |= _of_prose(text)
        elif section == "Returns":
            found |= _of_prose(f"Returns: {textwrap.dedent(text)}")
        elif section in ("Args", "Raises"):
            prefix = "Raises: " if section == "Raises" else ""
            for entry in filter(str.strip, ENTRY.split(textwrap.dedent(text))):
                found |= dict.fromkeys(split_sentences(prefix + entry), False)
    return found


def _of_prose(text: str) -> dict[str, bool]:
    found: dict[str, bool] = {}
    for kind, _, block in blocks_of(text):
        if kind == "equation":
            found |= dict.fromkeys((" ".join(line.split()) for line in block.splitlines()), True)
        else:
            found |= dict.fromkeys(split_sentences(block), False)
    return found


def split_sentences(text: str) -> list[str]:
    """Split prose after each full stop that ends a sentence.

    None ends inside backticks or brackets, after an abbreviation, or before a small letter. Brackets of all kinds count
    as one kind, so that the interval [0, 1) is closed.
    """
    found: list[str] = []
    current: list[str] = []
    depth, in_code = 0, False
    words = text.split()
    for word, following in zip(words, [*words[1:], ""], strict=False):
        current.append(word)
        in_code ^= word.count("`") % 2 == 1
        depth = max(0, depth + sum(map(word.count, "([{")) - sum(map(word.count, ")]}")))
        is_abbreviation = word.lstrip("(\"'").lower() in ABBREVIATIONS
        ends = SENTENCE_END.search(word) and not (in_code or depth or is_abbreviation or following[:1].islower())
        if ends or not following:
            found.append(" ".join(current))
            current = []
    return found
