"""What docstrings say: what each stub does, what each setting means. No body of a solution is looked at."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograder.solutions import SOLUTIONS
from publish.handout import HandoutError

SECTION = re.compile(r"^(Args|Returns|Raises):$")
NUMBERED = re.compile(r"^(\d+\.) (.*)$", re.DOTALL)

# What a docstring writes as code without `: terms joined by operators, shapes such as (..., obs_dim), names_like_this.
_TERM = r"(?:\d+(?:/\d+)?|[A-Za-z]\w*(?:\([\w ]*\)|\[\w+\])?|\([a-z ]+\))"
_SHAPE = r"\((?:\.\.\.|[A-Za-z]\w*),(?: (?:\.\.\.|\w+),?)*\)|\(\.\.\.\)"
CODE = re.compile(rf"({_TERM}(?: (?:==|=|[-+*]) {_TERM})+|{_SHAPE}|[A-Za-z]\w*_(?:\{{t\+1\}}|\w+))")


def stub_summary(file_name: str, stub_id: str, symbol: str) -> list[dict[str, Any]]:
    """What a function of a solution file does: the first sentence of its docstring, without its id. No body is read.

    Raises:
        HandoutError: it is not there, has no docstring, or the docstring does not begin with such a sentence.
    """
    node = function_in(ast.parse((SOLUTIONS / file_name).read_text(encoding="utf-8")), symbol)
    docstring = ast.get_docstring(node) if node else None
    if docstring is None:
        raise HandoutError(f"solutions/{file_name} has no {symbol} with a docstring, but assignment.toml names it")
    _, _, first = next(blocks_of(docstring))
    sentence, with_id, _ = first.partition(f" (`{stub_id}`).")
    if not with_id:
        raise HandoutError(
            f"the docstring of {symbol} in solutions/{file_name} must begin: what it does (`{stub_id}`)."
        )
    return spans(f"{sentence}.")


def function_in(tree: ast.Module, symbol: str) -> ast.FunctionDef | None:
    """The definition of "function" or "Class.method" in a file, if it is there."""
    scope: list[ast.stmt] = tree.body
    *classes, function_name = symbol.split(".")
    for class_name in classes:
        scope = next((n.body for n in scope if isinstance(n, ast.ClassDef) and n.name == class_name), [])
    return next((n for n in scope if isinstance(n, ast.FunctionDef) and n.name == function_name), None)


def split_docstring(docstring: str) -> dict[str, str]:
    """The parts of a docstring: "description", "Args", "Returns", "Raises" and "test" (the public test's command)."""
    parts: dict[str, list[str]] = {"description": []}
    current = "description"
    for line in docstring.splitlines():
        if section := SECTION.match(line):
            current = section[1]
            parts[current] = []
        elif line.startswith("Public test: "):
            parts["test"] = [line.removeprefix("Public test: ")]
        else:
            parts[current].append(line)
    return {name: "\n".join(lines).strip("\n") for name, lines in parts.items()}


def blocks_of(text: str) -> Iterator[tuple[str, str, str]]:
    """Split docstring text into (kind, number of the item or "", text).

    The kinds are "paragraph" and "item", whose lines are joined, and "equation", whose lines are as they were.
    """
    for chunk in re.split(r"\n\s*\n", text):
        if not chunk.strip():
            continue
        if all(line.startswith("    ") for line in chunk.splitlines()):
            yield "equation", "", inspect.cleandoc("\n" + chunk)
            continue
        for paragraph in re.split(r"\n(?=\d+\. )", chunk):
            filled = " ".join(paragraph.split())
            numbered = NUMBERED.match(filled)
            yield ("item", numbered[1], numbered[2]) if numbered else ("paragraph", "", filled)


def spans(text: str) -> list[dict[str, Any]]:
    """Plain text and code, alternating: the parts between `, and what CODE takes for code in the rest."""
    parts: list[dict[str, Any]] = []
    for i, outer in enumerate(text.split("`")):
        if i % 2 == 1:
            parts.append({"code": True, "text": outer})
            continue
        parts += [{"code": j % 2 == 1, "text": inner} for j, inner in enumerate(CODE.split(outer)) if inner]
    return parts


def field_docs(dataclass_type: type[Any]) -> dict[str, str]:
    """The string below each field of a dataclass."""
    tree = ast.parse(inspect.getsource(dataclass_type)).body[0]
    assert isinstance(tree, ast.ClassDef)
    docs: dict[str, str] = {}
    for field, doc in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(doc, ast.Expr)
            and isinstance(doc.value, ast.Constant)
        ):
            docs[field.target.id] = str(doc.value.value)
    return docs


def constant_text(file: Path, name: str) -> str:
    """The text of a module's constant."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return ast.unparse(node.value).replace("1e-06", "1e-6")
    raise HandoutError(f"{file.name} has no constant {name}")
