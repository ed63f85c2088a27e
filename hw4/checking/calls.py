"""Which stubs call which, read from the code as it is written now (given; standard library only)."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from hw4.handin.assignment import Stub
from hw4.handin.code_files import functions_of, parse

Function = tuple[str, str]  # code file, symbol


def calls_between_stubs(sources: Mapping[str, bytes], stubs: Iterable[Stub]) -> dict[str, set[str]]:
    """Id of a stub -> ids of the stubs that it calls, directly or through given functions of the code files.

    A plain name counts as a function, an attribute as a method, whatever the object: `predict(...)`, an argument, is
    not `DynamicsModel.predict`, but `model.loss(...)` is `DynamicsModel.loss`. A name that the own file defines is not
    looked for in others. A file that Python cannot read calls nothing.

    Args:
        sources: code file -> content.
        stubs: the stubs that may call or be called.
    """
    functions: dict[Function, ast.FunctionDef] = {}
    for file, source in sources.items():
        if isinstance(tree := parse(file, source), ast.Module):
            functions |= {(file, symbol): function for symbol, function in functions_of(tree).items()}
    direct = {key: _called(function, key[0], functions.keys()) for key, function in functions.items()}
    ids = {(stub.file, stub.symbol): stub.id for stub in stubs}
    calls = {}
    for key in ids.keys() & functions.keys():
        seen: set[Function] = set()
        ahead = set(direct[key])
        while ahead:
            callee = ahead.pop()
            seen.add(callee)
            if callee not in ids:
                ahead |= direct[callee] - seen
        calls[ids[key]] = {ids[callee] for callee in seen & ids.keys()} - {ids[key]}
    return calls


def _called(function: ast.FunctionDef, file: str, known: Iterable[Function]) -> set[Function]:
    names, attributes = set(), set()
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Name(id=name)):
                names.add(name)
            case ast.Call(func=ast.Attribute(attr=attribute)):
                attributes.add(attribute)
    called = {key for key in known if (key[1].partition(".")[2] in attributes if "." in key[1] else key[1] in names)}
    own = {symbol for of, symbol in called if of == file}
    return {(of, symbol) for of, symbol in called if of == file or symbol not in own}
