"""Functions that a name promises and the solutions do not have, and functions that were renamed: where the name is
used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from autograder.solutions import BEGIN
from hw4.handin.assignment import Assignment, Stub
from hw4.handin.strict_toml import Lines
from publish.findings import FACTS, RENAME, Finding, places_of

SEARCHED = ("solutions", "hw4", "autograder", "handout", "notebooks/masters", "tests", "docs", "publish", "benchmarks")
SEARCHED_SUFFIXES = (".py", ".toml", ".typ", ".md")
CALLERS = ("autograder/hidden_tests/**/*.py", "hw4/**/*.py", "notebooks/masters/*.py", "publish/recorders/*.py")
ALSO_IMPORT = ("benchmarks/*.py", "tests/**/*.py")  # and may name functions that are not there, to see what happens
TODO = re.compile(r" *# TODO\((?P<id>\w+)\)")


def unknown_functions(root: Path, assignment: Assignment, lines: Lines) -> Iterator[Finding]:
    """Functions of the stub table that the solutions do not have, with every place that names them; every place that
    still has the old name of a function that was renamed; and calls and imports of functions that are not there."""
    trees = {
        name: ast.parse(path.read_text(encoding="utf-8"))
        for name in assignment.submission.code
        if (path := root / "solutions" / name).exists()
    }
    generated = {f"hw4/{name}" for name in assignment.submission.code}
    for i, stub in enumerate(assignment.stubs):
        if stub.file not in trees or stub.symbol in defined(trees[stub.file]):
            yield from _old_name(root, stub, generated)
            continue
        there = _owner_of_region(root / "solutions" / stub.file, stub.id)
        instead = f"; the region of {stub.id} is in {there}" if there else ""
        says = f"solutions/{stub.file} has no {stub.symbol}{instead}"
        yield Finding(FACTS, lines.line("stubs", i, "symbol"), says, RENAME)
        yield from _mentions(root, stub.symbol.rpartition(".")[2], generated)
    known = {name.removesuffix(".py").replace("/", "."): defined(tree) for name, tree in trees.items()}
    modules = "|".join(map(re.escape, known))
    for files in CALLERS:
        for file, line, found in places_of(root, files, rf'"((?:{modules})\.(?!py")\w+)"'):
            module, _, symbol = found.rpartition(".")
            if symbol not in known[module]:
                says = f"calls {found}, which solutions/{module.replace('.', '/')}.py does not have"
                yield Finding(file, line, says, RENAME)
    imports = re.compile(rf"from (?:hw4\.)?(?:{modules}) import")
    for files in (*CALLERS, *ALSO_IMPORT):
        for path in sorted(root.glob(files)):
            text = path.read_text(encoding="utf-8")
            if imports.search(text):
                yield from _unknown_imports(path.relative_to(root).as_posix(), text, known)


def _old_name(root: Path, stub: Stub, generated: set[str]) -> Iterator[Finding]:
    """Every line with the name that a function had when its stub was last written.

    A name that anything else has, too, is not looked for: no line could say which of the two it means.
    """
    path = root / "hw4" / stub.file
    old = _owner_of_region(path, stub.id, TODO) if path.exists() else None
    if old in (None, stub.symbol.rpartition(".")[2]):
        return
    found = list(_mentions(root, old, generated))
    others = (finding for finding in found if not finding.file.startswith("tests/"))
    if not any(re.match(rf" *def {old}\b", _line(root, finding)) for finding in others):
        yield from found


def _line(root: Path, finding: Finding) -> str:
    return (root / finding.file).read_text(encoding="utf-8").splitlines()[(finding.line or 1) - 1]


def _unknown_imports(file: str, text: str, known: dict[str, set[str]]) -> Iterator[Finding]:
    try:
        tree = ast.parse(text)
    except SyntaxError:  # a notebook's master may hold magics
        return
    for node in ast.walk(tree):
        module = (node.module or "").removeprefix("hw4.") if isinstance(node, ast.ImportFrom) else ""
        if isinstance(node, ast.ImportFrom) and module in known:
            for alias in node.names:
                if alias.name not in known[module]:
                    says = f"imports {alias.name}, which solutions/{module.replace('.', '/')}.py does not have"
                    yield Finding(file, alias.lineno, says, RENAME)


def defined(tree: ast.Module) -> set[str]:
    """Names at the top of a module, and "Class.method"."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{method.name}" for method in node.body if isinstance(method, ast.FunctionDef)}
        targets = (
            [node.target] if isinstance(node, ast.AnnAssign) else node.targets if isinstance(node, ast.Assign) else []
        )
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        if type(node).__name__ == "TypeAlias":  # Python 3.12
            names.add(ast.unparse(node).split()[1])
    return names


def _owner_of_region(path: Path, stub_id: str, begins: re.Pattern[str] = BEGIN) -> str | None:
    """The function around a solution region, or in a stub file around a TODO."""
    owner = None
    for line in path.read_text(encoding="utf-8").splitlines():
        if definition := re.match(r" *def (\w+)", line):
            owner = definition[1]
        if (begin := begins.match(line)) and begin["id"] == stub_id:
            return owner
    return None


def _mentions(root: Path, name: str, generated: set[str]) -> Iterator[Finding]:
    """Every line that names a function, but for generated files."""
    word = re.compile(rf"\b{re.escape(name)}\b")
    for path in (path for folder in SEARCHED for path in sorted((root / folder).rglob("*"))):
        file = path.relative_to(root).as_posix()
        if path.suffix not in SEARCHED_SUFFIXES or not path.is_file() or file in generated:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if word.search(line):
                yield Finding(file, number, f"names {name}", RENAME)
