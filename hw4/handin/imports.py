"""Which modules of `hw4` others reach by their imports; nothing is run (given; standard library only)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator

PACKAGE = "hw4"


def reached(files: Iterable[str], source_of: Callable[[str], bytes | None]) -> tuple[str, ...]:
    """Files that some files of the package import, these included, sorted.

    Imports inside functions count. An import of a package counts as one of its `__init__.py`.

    Args:
        files: named from the package: "mpc.py", "topics/NAME.py".
        source_of: the content of a file, or None if there is none; a file that does not parse imports nothing.
    """
    found: set[str] = set()
    ahead = list(files)
    while ahead:
        file = ahead.pop()
        source = source_of(file) if file not in found else None
        if source is None:
            continue
        found.add(file)
        for module in imported_modules(source):
            place = "/".join(module.split(".")[1:])
            ahead += [f"{place}/__init__.py", f"{place}.py"] if place else []
    return tuple(sorted(found))


def imported_modules(source: bytes) -> Iterator[str]:
    """The modules of the package that a file imports, with full names: "hw4.mpc", also for `from hw4 import mpc`."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                modules = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names, level=0):
                modules = [module, *(f"{module}.{alias.name}" for alias in names)]
            case _:
                continue
        yield from (module for module in modules if module.partition(".")[0] == PACKAGE)
