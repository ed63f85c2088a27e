"""Which modules of a package others reach by their imports; nothing is run (given; standard library only)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator

PACKAGE = "hw4"


def reached(files: Iterable[str], source_of: Callable[[str], bytes | None], package: str = PACKAGE) -> tuple[str, ...]:
    """Files that some files of a package import, these included, sorted.

    Imports inside functions count. An import of a subpackage counts as one of its `__init__.py`.

    Args:
        files: named from the package: "mpc.py", "topics/NAME.py".
        source_of: the content of a file, or None if there is none; a file that does not parse imports nothing.
        package: the package's full name.
    """
    found: set[str] = set()
    ahead = list(files)
    while ahead:
        file = ahead.pop()
        source = source_of(file) if file not in found else None
        if source is None:
            continue
        found.add(file)
        inside = ".".join((package, *file.split("/")[:-1]))
        for module in _imported_modules(source, inside):
            if module.startswith(f"{package}."):
                place = module.removeprefix(f"{package}.").replace(".", "/")
                ahead += [f"{place}/__init__.py", f"{place}.py"]
    return tuple(sorted(found))


def _imported_modules(source: bytes, package: str) -> Iterator[str]:
    """Full names of the modules that a file imports: "hw4.mpc", also for `from hw4 import mpc`.

    Args:
        source: of the file.
        package: that the file is in, from which relative imports start.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                start = package.split(".")[: len(package.split(".")) - level + 1] if level else []
                base = ".".join([*start, *([module] if module else [])])
                yield from (base, *(f"{base}.{alias.name}" for alias in names))
