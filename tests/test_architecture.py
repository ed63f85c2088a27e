"""The import rules, read from the import statements, and checked in a fresh process where it matters most."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hw4.handin.assignment import load_assignment

ROOT = Path(__file__).resolve().parent.parent
WORKER_PROGRAMS = ("confine", "forking", "serve")  # these run inside a worker and nowhere else
STUDENT_MODULES = tuple(
    name.removesuffix(".py").replace("/", ".") for name in load_assignment().submission.code
)  # "mpc", "topics.NAME"
# What the trusted process may use of hw4: folders and modules. Nothing of it imports torch when it is loaded.
PUBLIC_TRUSTED = ("checking", "commands.csv_rows", "commands.plots", "commands.runs", "envs", "experiments", "handin")
PUBLIC_TRUSTED += ("rewards", "tasks", "training", "transitions")
IN_A_WORKER = ("checking/doubles.py",)  # next to what is trusted, but not part of it


@dataclass(frozen=True)
class Import:
    """One imported module, as "hw4.mpc" or, for `from hw4 import mpc`, both "hw4" and "hw4.mpc"."""

    module: str
    line: int
    on_loading: bool  # not inside a function, and not for type checkers alone


def imports_of(source: str, package: str = "") -> list[Import]:
    """Every import in a source text; `package` is what its relative imports start from.

    `importlib.import_module` with a constant counts too.
    """
    found: list[Import] = []

    def visit(node: ast.AST, on_loading: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, node.lineno, on_loading) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found.append(Import(module, node.lineno, on_loading))
            found.extend(Import(f"{module}.{alias.name}", node.lineno, on_loading) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "__import__"):
            name = node.args[0] if node.args else None
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                found.append(Import(name.value, node.lineno, on_loading))
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            later = True
        for child in ast.iter_child_nodes(node):
            visit(child, on_loading and not later)

    visit(ast.parse(source), True)
    return found


def python_files(*folders: str) -> list[Path]:
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert files, f"no Python file in {folders}"
    return files


def imports_in(path: Path) -> list[Import]:
    return imports_of(path.read_text(encoding="utf-8"), ".".join(path.relative_to(ROOT).parent.parts))


def is_in(module: str, *packages: str) -> bool:
    """Whether a module is one of these packages or inside one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def trespasses(files: list[Path], *packages: str, on_loading: bool = False) -> list[str]:
    """`file:line: module` of each import of one of these packages; with `on_loading` only those that loading runs."""
    return [
        f"{path.relative_to(ROOT)}:{found.line}: {found.module}"
        for path in files
        for found in imports_in(path)
        if is_in(found.module, *packages) and (found.on_loading or not on_loading)
    ]


def strangers(path: Path, *allowed: str) -> list[str]:
    """`file:line: module` of each import that is neither standard library nor one of the allowed packages."""
    return [
        f"{path.relative_to(ROOT)}:{found.line}: {found.module}"
        for found in imports_in(path)
        if not is_in(found.module, *allowed) and found.module.partition(".")[0] not in sys.stdlib_module_names
    ]


def hw4_modules_of(path: Path) -> set[str]:
    """The modules of hw4 that a file imports: "mpc" for hw4.mpc."""
    return {
        found.module.split(".")[1] for found in imports_in(path) if is_in(found.module, "hw4") and "." in found.module
    }


def foreign_to(path: Path, *allowed: str) -> list[str]:
    """`line: module` of each import of hw4 that is neither in one of the allowed modules of hw4 nor a part of one."""
    packages = [f"hw4.{name}" for name in allowed]
    return [
        f"{found.line}: {found.module}"
        for found in imports_in(path)
        if is_in(found.module, "hw4")
        and not is_in(found.module, *packages)
        and not any(is_in(package, found.module) for package in packages)
    ]


# The reader of imports ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "module", "on_loading"),
    [
        ("import torch", "torch", True),
        ("import torch.nn as nn", "torch.nn", True),
        ("from hw4 import mpc", "hw4.mpc", True),
        ("from ..worker import wire", "autograder.worker.wire", True),
        ("from . import remote", "autograder.isolation.remote", True),
        ("try:\n    import torch\nexcept ImportError:\n    pass", "torch", True),
        ("class A:\n    import torch", "torch", True),
        ("def f():\n    import torch", "torch", False),
        ("if TYPE_CHECKING:\n    import torch", "torch", False),
        ("import importlib\nimportlib.import_module('torch')", "torch", True),
        ("def f():\n    return __import__('torch')", "torch", False),
    ],
)
def test_the_reader_sees_every_form_of_import(source: str, module: str, on_loading: bool) -> None:
    assert (module, on_loading) in {
        (found.module, found.on_loading) for found in imports_of(source, "autograder.isolation")
    }


def test_a_name_that_merely_begins_alike_is_no_trespass() -> None:
    assert is_in("hw4.envs.world", "hw4.envs")
    assert not is_in("torchvision", "torch")


# The trusted process --------------------------------------------------------------------------------------------------


def trusted_files() -> list[Path]:
    public = [
        path
        for name in PUBLIC_TRUSTED
        for place in [ROOT / "hw4" / name.replace(".", "/")]
        for path in (sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")])
        if path.relative_to(ROOT / "hw4").as_posix() not in IN_A_WORKER
    ]
    graders = [p for p in python_files("autograder") if p.stem not in WORKER_PROGRAMS and "submissions" not in p.parts]
    return [*public, *graders]


def test_the_trusted_side_never_imports_torch_or_student_code_on_loading() -> None:
    students = [
        f"hw4.{name}" for name in (*STUDENT_MODULES, "agents", "networks", "noise", "checking.doubles", "imagination")
    ]
    assert trespasses(trusted_files(), "torch", *students, on_loading=True) == []


def test_the_grader_uses_only_the_trusted_modules_of_hw4() -> None:
    autograder, worker = ROOT / "autograder", ROOT / "autograder" / "worker"
    graders = [path for path in trusted_files() if path.is_relative_to(autograder) and path.parent != worker]
    for path in graders:
        assert foreign_to(path, *PUBLIC_TRUSTED) == [], path


def module_names() -> Iterator[str]:
    """Everything that the trusted process may load, as a dotted name."""
    for path in trusted_files():
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] != "__main__":
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize(
    "names", [["autograder.grading.session"], sorted(module_names())], ids=["session", "every_module"]
)
def test_loading_the_grader_loads_neither_torch_nor_student_code(names: list[str]) -> None:
    forbidden = ["torch", *(f"hw4.{name}" for name in (*STUDENT_MODULES, "agents", "networks"))]
    program = (
        "import importlib, json, sys\n"
        f"for name in {names!r}:\n    importlib.import_module(name)\n"
        f"print(json.dumps([name for name in {forbidden!r} if name in sys.modules]))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(loaded.stdout) == []


def test_the_grader_knows_nothing_of_publishing_or_of_tests() -> None:
    assert trespasses(python_files("autograder"), "publish", "tests", "solutions") == []


# The worker -----------------------------------------------------------------------------------------------------------


def test_the_worker_imports_nothing_of_the_grader() -> None:
    assert trespasses(python_files("autograder/worker"), "autograder", "publish", "tests", "solutions") == []


@pytest.mark.parametrize("path", python_files("autograder/worker"), ids=lambda path: path.name)
def test_the_worker_is_standard_library_numpy_torch_and_hw4(path: Path) -> None:
    siblings = {sibling.stem for sibling in path.parent.glob("*.py")}
    # array_api_compat is what hw4.rewards stands on: imported before the fork, so that a worker starts quickly.
    assert strangers(path, "numpy", "torch", "hw4", "array_api_compat", *siblings) == []


def test_wire_is_shared_by_both_sides_so_it_knows_neither() -> None:
    assert strangers(ROOT / "autograder/worker/wire.py", "numpy") == []


# The student's package ------------------------------------------------------------------------------------------------


def test_nothing_students_get_knows_the_private_rooms() -> None:
    private = ("autograder", "publish", "solutions", "tests", "benchmarks")
    assert trespasses(python_files("hw4", "solutions"), *private) == []


@pytest.mark.parametrize("place", ["handin", "checking/causes.py", "checking/hint.py", "checking/hints"])
def test_facts_intake_and_hints_are_standard_library_only(place: str) -> None:
    own = ("hw4.handin", "hw4.checking.discovery", "hw4.checking.hint", "hw4.checking.hints")
    for path in [ROOT / "hw4" / place] if place.endswith(".py") else python_files(f"hw4/{place}"):
        assert strangers(path, *own) == [], path


@pytest.mark.parametrize("folder", ["hw4", "solutions"])
def test_the_planner_knows_no_model(folder: str) -> None:
    path = ROOT / folder / "mpc.py"
    assert hw4_modules_of(path) == {"rewards", "transitions"}


@pytest.mark.parametrize("folder", ["hw4", "solutions"])
def test_models_know_no_planner_no_environment_and_no_experiment(folder: str) -> None:
    assert hw4_modules_of(ROOT / folder / "dynamics_model.py") <= {"networks", "transitions"}
    assert hw4_modules_of(ROOT / folder / "ensemble.py") <= {"dynamics_model", "networks", "rewards", "transitions"}


def test_rewards_and_tasks_never_know_the_environments() -> None:
    assert hw4_modules_of(ROOT / "hw4/rewards.py") == set()
    assert hw4_modules_of(ROOT / "hw4/tasks.py") == {"rewards"}


def test_environments_know_rewards_tasks_and_transitions_alone() -> None:
    for path in python_files("hw4/envs"):
        assert hw4_modules_of(path) <= {"envs", "rewards", "tasks", "transitions"}, path


def test_the_environment_loop_knows_no_agent() -> None:
    assert hw4_modules_of(ROOT / "hw4/training.py") == {"transitions"}


# Portability ----------------------------------------------------------------------------------------------------------

TEXT_SUFFIXES = {
    *(".py", ".toml", ".md", ".typ", ".json", ".ipynb", ".csv", ".txt", ".lock", ".j2", ".svg", ".sh", ".yml", ".html"),
    "",  # Makefile, LICENSE, .ci/run
}
PRIVATE_PATH = re.compile(r"""(?<![\w.:/-])(/home/|/Users/|/root/|/mnt/|[A-Za-z]:\\+Users\\)[\w.]""")


def text_files() -> Iterator[Path]:
    """Everything that is ours: no hidden folder but .ci and .github, nothing that was built."""
    for path in sorted(ROOT.iterdir()):
        if path.name.startswith(".") and path.name not in (".ci", ".gitattributes", ".github", ".gitignore"):
            continue
        if path.name in ("build", "runs") or path.name.endswith(".egg-info") or (path / "pyvenv.cfg").exists():
            continue
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix in TEXT_SUFFIXES and "__pycache__" not in file.parts:
                yield file


def test_a_developers_path_would_be_found() -> None:
    for text in ('"/home/ada/hw4"', "see /Users/ada/x", "(/root/venv/bin)", r"C:\Users\ada", "path=/mnt/disk"):
        assert PRIVATE_PATH.search(text), text
    for text in ("https://example.org/home/page", "/usr/bin:/bin", "hw4/home/x", "/dev/null"):
        assert not PRIVATE_PATH.search(text), text


def test_no_file_holds_the_path_of_a_developers_machine() -> None:
    files = list(text_files())
    assert ROOT / "Makefile" in files
    # In a folder of the root, such as /autograder, the checkout's own path is too plain a word to look for.
    here = f"{ROOT}/" if len(ROOT.parts) > 2 else "no path of this checkout"
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in files
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if here in line or PRIVATE_PATH.search(line)
    ]
    assert found == []
