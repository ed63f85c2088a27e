"""The agent of a curve runs the functions that a student wrote, inside the published files: the scaffold.

Hidden tests call a submitted file as it is. A curve does not: what is given in the file is put back first, so that an
agent is made of the functions that hidden tests have judged, and not of a class of the same name further down. What
students write besides their functions stays: helpers, imports, constants, classes, methods, state. A file in which
nothing given was changed comes back byte for byte.

This reads a file and runs none of it. It cannot know what a function does when it is called, so a function that
replaces parts of the scaffold from within stays possible; it stands out in the source.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from autograder.isolation.package import GIVEN
from hw4.handin.assignment import load_assignment

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Importing = ast.Import | ast.ImportFrom
# Methods that decide what other names mean. No homework needs them.
HOOKS = {"__new__", "__getattribute__", "__getattr__", "__setattr__", "__init_subclass__", "__class_getitem__"}


@dataclass(frozen=True)
class Change:
    """Lines of a submitted file that do not run in a curve."""

    what: str  # "ModelBasedAgent.act", or "a statement"
    line: int  # of the submitted file
    first: int  # the lines that go, from 1
    last: int
    instead: str  # what is there in their place: the published text, or nothing


def scaffolded_code(code: Mapping[str, bytes]) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files as curves run them, and "mpc.py:12: ModelBasedAgent" for each place where they differ.

    Args:
        code: file -> content; each is Python.
    """
    result, notes = {}, []
    for name, content in code.items():
        symbols = [stub.symbol for stub in load_assignment().stubs if stub.file == name]
        result[name], changes = scaffolded(content, (GIVEN / name).read_bytes(), symbols)
        notes += [f"{name}:{change.line}: {change.what}" for change in changes]
    return result, tuple(notes)


def scaffolded(content: bytes, published: bytes, symbols: Collection[str]) -> tuple[bytes, list[Change]]:
    """One file with everything given put back.

    Args:
        content: the submitted file.
        published: the file as it was handed out.
        symbols: what students write in it, such as "cem" and "MPC.act".
    """
    text = content.decode("utf-8-sig")
    scaffold = _Scaffold(published.decode(), symbols)
    changes = sorted(scaffold.changes(ast.parse(text), len(text.splitlines())), key=lambda change: change.first)
    if not changes:
        return content, []
    lines = text.splitlines()
    for change in reversed(changes):
        instead = change.instead.splitlines()
        # Other lines keep their numbers, where possible.
        instead += [""] * (change.last - change.first + 1 - len(instead))
        lines[change.first - 1 : change.last] = instead
    return ("\n".join(lines) + "\n").encode(), changes


class _Scaffold:
    def __init__(self, published: str, symbols: Collection[str]) -> None:
        self._lines = published.splitlines()
        self._tree = ast.parse(published)
        self._symbols = symbols
        self._given: dict[str, ast.stmt] = {
            name: node for node in self._tree.body for name in _names(node) if name not in symbols
        }

    def changes(self, tree: ast.Module, num_lines: int) -> Iterator[Change]:
        last = {name: node for node in tree.body for name in _names(node)}
        for node in tree.body:
            names = _names(node)
            given = [name for name in names if name in self._given]
            if not names and not _is_silent(node):
                yield _removed("a statement", node)
            elif given and last[given[0]] is not node and not isinstance(node, Importing):
                yield _removed(given[0], node)  # another definition comes later
            elif given:
                yield from self._of_given(given[0], node)
        for node in dict.fromkeys(node for name, node in self._given.items() if name not in last):
            if not isinstance(node, Importing):
                yield Change(_names(node)[0], num_lines, num_lines + 1, num_lines, self._text(node))

    def _of_given(self, name: str, node: ast.stmt) -> Iterator[Change]:
        published = self._given[name]
        if isinstance(published, ast.ClassDef) and isinstance(node, ast.ClassDef):
            yield from self._of_class(node, published)
        elif isinstance(published, Importing):
            if not isinstance(node, Importing):
                yield _removed(name, node)
        elif not _same(node, published):
            yield Change(name, node.lineno, _first_line(node), _end(node), self._text(published))

    def _of_class(self, node: ast.ClassDef, published: ast.ClassDef) -> Iterator[Change]:
        """Of a given class, the methods that answer something are put back, but for those that students write.

        The others, such as `__init__` and `begin_episode`, keep the state that those use, and may change with them.
        """
        if _bases(node) != _bases(published):
            first, last_line = node.lineno, _first_line(node.body[0]) - 1
            if last_line < first:  # all on one line
                yield Change(node.name, first, _first_line(node), _end(node), self._text(published))
                return
            yield Change(node.name, first, first, last_line, self._lines[published.lineno - 1])
        given = {name: part for part in published.body for name in _names(part) if _answers(part)}
        last = {name: part for part in node.body for name in _names(part)}
        for part in node.body:
            for name in _names(part):
                symbol = f"{node.name}.{name}"
                if name in HOOKS or (name in given and last[name] is not part):
                    yield _removed(symbol, part)
                elif name in given and symbol not in self._symbols and not _same(part, given[name]):
                    yield Change(symbol, part.lineno, _first_line(part), _end(part), self._text(given[name]))
            if not _names(part) and not _is_silent(part):
                yield _removed(f"a statement in {node.name}", part)
        for name, part in given.items():
            if name not in last:
                yield Change(f"{node.name}.{name}", node.lineno, _end(node) + 1, _end(node), self._text(part))

    def _text(self, node: ast.stmt) -> str:
        return "\n".join(self._lines[_first_line(node) - 1 : _end(node)])


def _names(node: ast.stmt) -> list[str]:
    """What a statement defines. None: it is no definition, or one of something else than plain names."""
    if isinstance(node, Definition):
        return [node.name]
    if isinstance(node, Importing):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    flat = [one for target in targets for one in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [one.id for one in flat if isinstance(one, ast.Name)] if all(isinstance(o, ast.Name) for o in flat) else []


def _is_silent(node: ast.stmt) -> bool:
    """Whether a statement that defines nothing is a text, or holds nothing but imports and definitions."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)

    def inner(body: list[ast.stmt]) -> bool:
        return all(_names(one) or _is_silent(one) for one in body)

    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name | ast.Attribute) and inner(node.body) and inner(node.orelse)
    if isinstance(node, ast.Try):
        parts = (node.body, node.orelse, node.finalbody, *(handler.body for handler in node.handlers))
        return all(map(inner, parts))
    return isinstance(node, ast.Pass)


def _removed(what: str, node: ast.stmt) -> Change:
    return Change(what, node.lineno, _first_line(node), _end(node), "")


def _first_line(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, Definition) else []
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _end(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _bases(node: ast.ClassDef) -> list[str]:
    return [ast.dump(base) for base in (*node.bases, *node.keywords)]


def _answers(node: ast.stmt) -> bool:
    """Whether it is a function that returns something."""
    inside = ast.walk(node) if isinstance(node, ast.FunctionDef) else ()
    return any(isinstance(part, ast.Return) and part.value is not None for part in inside)


def _same(node: ast.AST, other: ast.AST) -> bool:
    """Whether two pieces of code are the same but for comments, layout and docstrings."""
    try:
        return _form(node) == _form(other)
    except RecursionError:  # so deeply nested is nothing that is given
        return False


def _form(node: ast.AST) -> str:
    (copy,) = ast.parse(ast.unparse(node)).body
    for part in ast.walk(copy):
        if isinstance(part, Definition) and ast.get_docstring(part, clean=False) is not None:
            part.body = part.body[1:] or [ast.Pass()]
    return ast.dump(copy)
