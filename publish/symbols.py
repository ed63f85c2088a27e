"""Functions that a name promises and the solutions do not have: where the name is used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from autograder.solutions import BEGIN
from hw4.handin.assignment import Assignment
from hw4.handin.strict_toml import Lines
from publish.findings import FACTS, RENAME, Finding, places_of

SEARCHED = ("solutions", "hw4", "autograder", "handout", "notebooks/masters", "tests", "docs", "publish", "benchmarks")
SEARCHED_SUFFIXES = (".py", ".toml", ".typ", ".md")
CALLERS = ("autograder/hidden_tests/**/*.py", "hw4/**/*.py", "notebooks/masters/*.py", "publish/recorders/*.py")


def unknown_functions(root: Path, assignment: Assignment, lines: Lines) -> Iterator[Finding]:
    """Functions of the stub table that the solutions do not have, with every place that names them; and calls and
    imports of functions that are not there."""
    trees = {
        name: ast.parse(path.read_text(encoding="utf-8"))
        for name in assignment.submission.code
        if (path := root / "solutions" / name).exists()
    }
    generated = {f"hw4/{name}" for name in assignment.submission.code}
    for i, stub in enumerate(assignment.stubs):
        if stub.file not in trees or stub.symbol in defined(trees[stub.file]):
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
        for path in sorted(root.glob(files)):
            yield from _unknown_imports(root, path, known)


def _unknown_imports(root: Path, path: Path, known: dict[str, set[str]]) -> Iterator[Finding]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError:  # a notebook's master may hold magics
        return
    for node in ast.walk(tree):
        module = (node.module or "").removeprefix("hw4.") if isinstance(node, ast.ImportFrom) else ""
        if isinstance(node, ast.ImportFrom) and module in known:
            for alias in node.names:
                if alias.name not in known[module]:
                    says = f"imports {alias.name}, which solutions/{module.replace('.', '/')}.py does not have"
                    yield Finding(path.relative_to(root).as_posix(), alias.lineno, says, RENAME)


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


def _owner_of_region(path: Path, stub_id: str) -> str | None:
    """The function around a solution region."""
    owner = None
    for line in path.read_text(encoding="utf-8").splitlines():
        if definition := re.match(r" *def (\w+)", line):
            owner = definition[1]
        if (begin := BEGIN.match(line)) and begin["id"] == stub_id:
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
