"""Hashes of code that ignore comments, docstrings, layout, order and the names of graded functions: what recorded runs
are keyed by.

`recorded_names.json` has the name of each graded function when it was first published. In a hash, a function that was
renamed since has that name.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import inspect
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from autograder import hidden_tests
from autograder.hidden_tests.graded import EffectCheck
from autograder.isolation.package import GIVEN
from hw4 import rewards
from hw4.experiments import Experiment
from hw4.handin.assignment import Curve, Effect, load_assignment
from hw4.handin.imports import reached

# The given files that decide a recorded run, besides those of its task. The settings, the facts of the task, and the
# submitted files that the agent reaches by its imports decide it, too.
DECIDING_FILES = (
    "agents.py",
    "networks.py",
    "noise.py",
    "transitions.py",
    "training.py",
    "envs/world.py",
)

# Given files that decide no recorded run of an effect: tables that every task adds to, and what is not the lecture.
GROWS = ("experiments.py", "rewards.py", "tasks.py")
NOT_DECIDING = ("checking/", "commands/", "handin/", "tests/")

NAMES_FILE = Path(__file__).resolve().parent / "recorded_names.json"


def code_hash(code: Mapping[str, bytes], experiment: Experiment, agent: str = Curve.agent) -> str:
    """Hash of everything that decides a recorded run of `experiment` with the submitted files in `code`.

    A setting at its default is left out, and so are other tasks and the files that the agent does not reach: a new
    setting, task or topic leaves recorded runs valid.

    Args:
        code: submitted file -> content.
        experiment: what is run.
        agent: "module.function" of hw4 that builds the agent.
    """
    task = experiment.task
    facts = {
        "settings": {
            f.name: v for f in dataclasses.fields(experiment) if (v := getattr(experiment, f.name)) != f.default
        },
        "task": {f.name: getattr(task, f.name) for f in dataclasses.fields(task) if f.name != "reward"},
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    digest.update(meaning(inspect.getsource(task.reward).encode(), Path("rewards.py")))
    for constant in sorted(task.reward.__code__.co_names):
        if constant.isupper():
            digest.update(f"{constant} = {getattr(rewards, constant)!r}".encode())
    gaussian = ("gaussian_model.py",) if experiment.members == "gaussian" else ()
    for name in (*DECIDING_FILES, *gaussian, f"envs/{experiment.task_name}.py"):
        digest.update(meaning((GIVEN / name).read_bytes(), GIVEN / name))
    for name in submitted_files_of(agent, experiment.planner, code):
        digest.update(meaning(code[name], Path(name)))
    return digest.hexdigest()[:16]


def effect_hash(code: Mapping[str, bytes], effect: Effect, check: EffectCheck) -> str:
    """Hash of everything that decides a recorded run of an effect: its check, and the files behind its functions.

    Of the given files those count that the check or the functions reach by their imports, but none that grows with
    every task. So a check imports its environment by name, not through `hw4.envs`.

    Args:
        code: submitted file -> content.
        effect: what is run.
        check: computes the number.
    """
    checks = _hidden_modules(check)

    def source_of(name: str) -> bytes | None:
        if name in checks:
            return checks[name]
        if name in code:
            return code[name]
        grows = name in GROWS or name.endswith("__init__.py") or name.startswith(NOT_DECIDING)
        return (GIVEN / name).read_bytes() if not grows and (GIVEN / name).is_file() else None

    digest = hashlib.sha256(check_hash(check).encode())
    behind = {stub.file for stub in load_assignment().stubs if stub.id in effect.needs}
    for name in reached([*checks, *behind], source_of):
        if name not in checks:
            digest.update(meaning(source_of(name) or b"", Path(name)))
    return digest.hexdigest()[:16]


def check_hash(check: EffectCheck) -> str:
    """Hash of the check of an effect: what it uses of its file, and the modules of the hidden suite that this reaches.

    Hidden tests, other effects and what these alone use are no part of it.
    """
    own, *others = _hidden_modules(check).values()
    digest = hashlib.sha256(own)
    for source in others:
        digest.update(meaning(source, Path("imported.py")))
    return digest.hexdigest()[:16]


def part_used_by(check: EffectCheck) -> bytes:
    """The statements of its file that a check uses, directly or through others, without comments and the like.

    A statement is used if it defines, assigns or imports a name that a used one mentions. One that does none of this
    counts always.
    """
    path = Path(inspect.getfile(check))
    tree = ast.parse(meaning(path.read_bytes(), path))
    wanted = [check.__name__]
    used: set[str] = set()
    while wanted:
        name = wanted.pop()
        used.add(name)
        for statement in tree.body:
            if name in _names_bound_by(statement):
                mentioned = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
                wanted += mentioned - used - {*wanted}
    tree.body = [s for s in tree.body if not (bound := _names_bound_by(s)) or bound & used]
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            statement.names = [alias for alias in statement.names if _name_of_import(alias) in used]
    return ast.unparse(tree).encode()


def _names_bound_by(statement: ast.stmt) -> set[str]:
    """What a statement of a module defines, assigns or imports."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {_name_of_import(alias) for alias in statement.names}
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _name_of_import(alias: ast.alias) -> str:
    """The name by which an import is mentioned."""
    return alias.asname or alias.name.partition(".")[0]


def is_hidden_check(node: ast.FunctionDef) -> bool:
    """Whether a function of a hidden file is a test, or the check of an effect."""
    return node.name.startswith("test_") or any(ast.unparse(d).startswith("effect(") for d in node.decorator_list)


def _hidden_modules(check: EffectCheck) -> dict[str, bytes]:
    """What a check uses of its file, and after it the modules of the hidden suite that this reaches by its imports."""
    path = Path(inspect.getfile(check))
    folder = Path(next(iter(hidden_tests.__path__)))
    own = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
    used = part_used_by(check)

    def source_of(name: str) -> bytes | None:
        if name == own:
            return used
        return (folder / name).read_bytes() if (folder / name).is_file() and name != "graded.py" else None

    names = reached([own], source_of, hidden_tests.__name__)
    return {f"hidden_tests/{name}": source_of(name) or b"" for name in (own, *(n for n in names if n != own))}


def submitted_files_of(agent: str, planner: str, code: Mapping[str, bytes]) -> list[str]:
    """The submitted files that an agent and its planner, which may be a topic's, reach by their imports, sorted."""

    def source_of(name: str) -> bytes | None:
        if name in code:
            return code[name]
        return (GIVEN / name).read_bytes() if (GIVEN / name).is_file() else None

    module = agent.rpartition(".")[0].replace(".", "/") + ".py"
    return [name for name in reached([module, f"topics/{planner}.py"], source_of) if name in code]


def meaning(source: bytes, path: Path) -> bytes:
    """What a file says, without comments, docstrings, annotations, layout, order and the wording of errors.

    Functions that were renamed since they were first published have their first names.
    """
    tree = ast.parse(source, filename=str(path))
    for today, then in renamed().items():
        _rename(tree, today, then)
    tree.body.sort(key=_name_of_definition)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(value=None)
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.Raise):  # the wording of an error decides nothing
            node.exc = node.cause = None
    return ast.unparse(tree).encode()  # unlike ast.dump the same in every version of Python


def _name_of_definition(node: ast.stmt) -> str:
    """The name of a function or class, to sort by: the other statements stay before them, in their order."""
    return node.name if isinstance(node, ast.FunctionDef | ast.ClassDef) else ""


def first_names() -> dict[str, str]:
    """Id of each graded function -> its name in the hashes of recorded runs: the one that it was first published by."""
    found = json.loads(NAMES_FILE.read_text(encoding="utf-8")) if NAMES_FILE.exists() else {}
    return {stub.id: found.get(stub.id, stub.symbol) for stub in load_assignment().stubs}


@cache
def renamed() -> dict[str, str]:
    """Name of a graded function today -> its first name, where the two differ; of a method, the part after the dot."""
    first = first_names()
    names = ((stub.symbol.rpartition(".")[2], first[stub.id].rpartition(".")[2]) for stub in load_assignment().stubs)
    return {today: then for today, then in names if today != then}


def _rename(tree: ast.Module, today: str, first: str) -> None:
    """Use a function's first name, unless that means something else here by now."""
    fields = {ast.Name: "id", ast.Attribute: "attr", ast.FunctionDef: "name", ast.alias: "name"}
    named = [(node, field) for node in ast.walk(tree) if (field := fields.get(type(node))) is not None]
    if any(getattr(node, field) == first for node, field in named):
        return
    for node, field in named:
        if getattr(node, field) == today:
            setattr(node, field, first)
    for node in ast.walk(tree):  # "mpc.cem", as hidden checks call it
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(f".{today}"):
            node.value = f"{node.value.removesuffix(today)}{first}"
