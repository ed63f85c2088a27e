"""What the code files of a submission say: read as syntax trees, never run (given; standard library only)."""

from __future__ import annotations

import ast
import codecs
import io
import sys
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hw4.handin.assignment import Assignment, Stub
from hw4.handin.newer_syntax import looks_newer, newer_syntax
from hw4.handin.refusal import shown
from hw4.handin.update import published_files

ROOT = Path(__file__).resolve().parents[2]

# The parts of hw4 that a submission cannot import when it is graded: the environments, the loop that runs them, and
# everything that is not about the lecture.
NOT_WHEN_GRADED = (
    *("__main__", "checking", "commands", "envs", "handin", "imagination", "notebooks", "tests", "training"),
)
MAX_CODE_BYTES = 200_000  # ten times what the homework needs; a syntax tree takes up 600 times as much memory


@dataclass(frozen=True)
class SyntaxProblem:
    """A code file that Python cannot read. The other files are still graded."""

    file: str
    line: int
    message: str


@dataclass(frozen=True)
class ForbiddenImport:
    """An import of something that is not there when the file is graded."""

    file: str
    line: int
    module: str


def parse(name: str, content: bytes, python: str = "") -> ast.Module | SyntaxProblem:
    """The syntax tree of a code file, or what keeps Python from reading it. Nothing is run.

    Args:
        name: of the file.
        content: of the file.
        python: the version as which it is read, such as the grader's "3.11"; by default that of this process.
    """
    if len(content) > MAX_CODE_BYTES:
        return SyntaxProblem(
            name, 1, f"the file has {len(content):,} bytes; a code file may have at most {MAX_CODE_BYTES:,}"
        )
    python = python or "{}.{}".format(*sys.version_info)
    major, minor = map(int, python.split("."))
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        if codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig"):
            return SyntaxProblem(name, 1, f"the file declares the encoding {encoding}: save it as UTF-8")
        text = content.decode("utf-8-sig")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, filename=name)
            newer = newer_syntax(text, tree, (major, minor))
        if newer is None:
            return tree
        return SyntaxProblem(name, newer.line, f"{newer}, and the grader reads code as Python {python}")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return SyntaxProblem(name, line, "the file is not UTF-8: save it as UTF-8")
    except SyntaxError as error:
        if error.lineno is None and _first_bad_byte(content) is not None:
            line = content.count(b"\n", 0, _first_bad_byte(content)) + 1
            return SyntaxProblem(name, line, "the file is not UTF-8: save it as UTF-8")
        line = error.lineno or 1
        lines = content.decode("utf-8", "replace").splitlines()
        text = lines[line - 1] if line <= len(lines) else ""
        newer = looks_newer(text, line, error.msg, (major, minor))
        hint = f" ({newer}, and the grader reads code as Python {python})" if newer else ""
        return SyntaxProblem(name, line, shown(error.msg) + hint)
    except (ValueError, RecursionError, MemoryError) as error:
        return SyntaxProblem(name, 1, shown(str(error)) or "the code is nested too deeply")


def _first_bad_byte(content: bytes) -> int | None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return None


def forbidden_imports_in(name: str, tree: ast.Module, assignment: Assignment) -> list[ForbiddenImport]:
    found = []
    package = ["hw4", *PurePosixPath(name).parent.parts]
    for node in ast.walk(tree):
        for module in _imported_modules(node, package):
            if not is_allowed(module, assignment):
                found.append(ForbiddenImport(name, getattr(node, "lineno", 1), shown(module)))
    return sorted(found, key=lambda forbidden: (forbidden.line, forbidden.module))


def _imported_modules(node: ast.AST, package: list[str]) -> Iterator[str]:
    """The modules that one node of a syntax tree imports, with full names.

    Args:
        node: any node.
        package: where relative imports start: "hw4", and "topics" for the file of a topic.
    """
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            start = package[: len(package) - level + 1] if level else []
            base = ".".join([*start, *([module] if module else [])]) if start or not level else ".."
            if base in ("hw4", ".."):
                yield from (f"hw4.{alias.name}" if base == "hw4" else f"..{alias.name}" for alias in names)
            else:
                yield base
        case ast.Call(
            func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"), args=args
        ):
            match args:
                case [ast.Constant(str(module)), *_]:
                    yield module
                case _:
                    yield "(a name computed at run time)"


def is_allowed(module: str, assignment: Assignment) -> bool:
    package, _, rest = module.partition(".")
    if package not in assignment.submission.allowed_imports:
        return False
    if package != "hw4" or not rest:
        return True
    top, published = rest.split(".")[0], published_files(ROOT)
    is_there = f"hw4/{top}.py" in published or f"hw4/{top}/__init__.py" in published
    return is_there and top not in NOT_WHEN_GRADED


def functions_of(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """Functions and methods by symbol ("cem", "MPC.act"); of several with one name the last, as in Python."""
    functions: dict[str, ast.FunctionDef] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            functions[node.name] = node
        elif isinstance(node, ast.ClassDef):
            methods = (method for method in node.body if isinstance(method, ast.FunctionDef))
            functions |= {f"{node.name}.{method.name}": method for method in methods}
    return functions


def stubs_not_started(files: dict[str, bytes], assignment: Assignment) -> tuple[Stub, ...]:
    """The stubs that still raise their own NotImplementedError and return nothing before, found without running them.

    Of files that are absent or that Python cannot read, none is found.
    """
    rules = assignment.submission
    trees = {name: parse(name, content, rules.python) for name, content in files.items() if name in rules.code}
    functions = {name: functions_of(tree) for name, tree in trees.items() if isinstance(tree, ast.Module)}
    return tuple(
        stub
        for stub in assignment.stubs
        if (function := functions.get(stub.file, {}).get(stub.symbol)) is not None and _is_open(function, stub)
    )


def is_untouched(name: str, content: bytes, assignment: Assignment) -> bool:
    """Whether no stub of a code file is started."""
    stubs = tuple(stub for stub in assignment.stubs if stub.file == name)
    return stubs_not_started({name: content}, assignment) == stubs


def _is_open(function: ast.FunctionDef, stub: Stub) -> bool:
    raised_at, returned_at = [], []
    for node in ast.walk(function):
        match node:
            case ast.Raise(exc=ast.Call(func=ast.Name(id="NotImplementedError"), args=[ast.Constant(str(text))])):
                if text.partition(":")[0] == stub.id:
                    raised_at.append(node.lineno)
            case ast.Return():  # what follows may be a line that was left over
                returned_at.append(node.lineno)
    return bool(raised_at) and min(raised_at) < min(returned_at, default=max(raised_at) + 1)
