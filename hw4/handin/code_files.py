"""What the code files of a submission say: read as syntax trees, never run (given; standard library only)."""

from __future__ import annotations

import ast
import codecs
import io
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from hw4.handin.assignment import Assignment, Stub
from hw4.handin.refusal import shown

# The parts of hw4 that a submission cannot import when it is graded: the environments, the loop that runs them, and
# everything that is not about the lecture.
NOT_WHEN_GRADED = ("__main__", "checking", "commands", "envs", "handin", "imagination", "tests", "training")
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


def parse(name: str, content: bytes) -> ast.Module | SyntaxProblem:
    """The syntax tree of a code file, or what keeps Python from reading it. Nothing is run."""
    if len(content) > MAX_CODE_BYTES:
        return SyntaxProblem(
            name, 1, f"the file has {len(content):,} bytes, at most {MAX_CODE_BYTES:,} are read as code"
        )
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        if codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig"):
            return SyntaxProblem(name, 1, f"the file declares the encoding {encoding}: save it as UTF-8")
        text = content.decode("utf-8-sig")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, filename=name)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return SyntaxProblem(name, line, "the file is not UTF-8: save it as UTF-8")
    except SyntaxError as error:
        if error.lineno is None and _first_bad_byte(content) is not None:
            line = content.count(b"\n", 0, _first_bad_byte(content)) + 1
            return SyntaxProblem(name, line, "the file is not UTF-8: save it as UTF-8")
        return SyntaxProblem(name, error.lineno or 1, shown(error.msg))
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
    for node in ast.walk(tree):
        for module in _imported_modules(node):
            if not is_allowed(module, assignment):
                found.append(ForbiddenImport(name, getattr(node, "lineno", 1), shown(module)))
    return sorted(found, key=lambda forbidden: (forbidden.line, forbidden.module))


def _imported_modules(node: ast.AST) -> Iterator[str]:
    """The modules that one node of a syntax tree imports, with full names."""
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            package = {0: "", 1: "hw4"}.get(level, "..")  # code files lie in hw4, so ".x" is hw4.x
            base = ".".join(part for part in (package, module) if part)
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
    return package != "hw4" or not rest or rest.split(".")[0] not in NOT_WHEN_GRADED


def stubs_not_started(files: dict[str, bytes], assignment: Assignment) -> tuple[Stub, ...]:
    """The stubs that still raise their own NotImplementedError, found without running anything."""
    open_ids: set[str] = set()
    for name in assignment.submission.code:
        tree = parse(name, files.get(name, b""))
        if isinstance(tree, SyntaxProblem):
            continue
        for node in ast.walk(tree):
            match node:
                case ast.Raise(exc=ast.Call(func=ast.Name(id="NotImplementedError"), args=[ast.Constant(str(text))])):
                    open_ids.add(text.partition(":")[0])
    return tuple(stub for stub in assignment.stubs if stub.id in open_ids)
