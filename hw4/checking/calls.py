"""Which stubs call which, read from the code as it is written now; nothing is run (given; standard library only)."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from hw4.handin.assignment import Stub
from hw4.handin.code_files import functions_of

Place = tuple[str, str]  # (file, symbol): ("mpc.py", "cem"), ("mpc.py", "MPC.act")


def calls_between_stubs(sources: Mapping[str, str], stubs: Iterable[Stub]) -> dict[str, set[str]]:
    """Id of a stub -> ids of the stubs that it calls, directly or through given functions of these files.

    A plain name counts as the function of that name in its own file, or in the file that it is imported from; an
    attribute counts as a method, whatever the object: `predict(...)`, an argument, is not `DynamicsModel.predict`, but
    `model.loss(...)` is `DynamicsModel.loss`.

    Args:
        sources: file, such as "mpc.py" or "topics/NAME.py" -> its text; one that does not parse calls nothing.
        stubs: those that are looked for.
    """
    trees = {file: tree for file, text in sources.items() if (tree := _parsed(text)) is not None}
    functions = {(file, symbol): node for file, tree in trees.items() for symbol, node in functions_of(tree).items()}
    origins = {file: _origins(tree) for file, tree in trees.items()}
    direct = {place: set(_called(node, place[0], origins[place[0]], functions)) for place, node in functions.items()}
    ids = {(stub.file, stub.symbol): stub.id for stub in stubs}
    calls = {}
    for place in ids.keys() & functions.keys():
        seen: set[Place] = set()
        ahead = set(direct[place])
        while ahead:
            callee = ahead.pop()
            seen.add(callee)
            if callee not in ids:
                ahead |= direct[callee] - seen
        calls[ids[place]] = {ids[callee] for callee in seen & ids.keys()} - {ids[place]}
    return calls


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):  # ValueError: null bytes
        return None


def _origins(tree: ast.Module) -> dict[str, Place]:
    """Imported name -> where it is defined, for `from hw4.mpc import cem`."""
    return {
        alias.asname or alias.name: (node.module.removeprefix("hw4.").replace(".", "/") + ".py", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def _called(function: ast.AST, file: str, origins: Mapping[str, Place], functions: Iterable[Place]) -> Iterator[Place]:
    names, attributes = set(), set()
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Name(id=name)):
                names.add(origins.get(name, (file, name)))
            case ast.Call(func=ast.Attribute(attr=attribute)):
                attributes.add(attribute)
    for place in functions:
        _, _, method = place[1].partition(".")
        if method in attributes if method else place in names:
            yield place
