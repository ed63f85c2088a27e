"""Hashes of code that ignore comments, docstrings and layout: what recorded runs are keyed by."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import inspect
import json
from collections.abc import Mapping
from pathlib import Path

from autograder.isolation.package import GIVEN
from hw4 import rewards
from hw4.experiments import Experiment
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


def code_hash(code: Mapping[str, bytes], experiment: Experiment, agent: str = "agents.build_agent") -> str:
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
    for name in submitted_files_of(agent, code):
        digest.update(meaning(code[name], Path(name)))
    return digest.hexdigest()[:16]


def submitted_files_of(agent: str, code: Mapping[str, bytes]) -> list[str]:
    """The submitted files that an agent reaches by its imports, sorted."""

    def source_of(name: str) -> bytes | None:
        if name in code:
            return code[name]
        return (GIVEN / name).read_bytes() if (GIVEN / name).is_file() else None

    module = agent.rpartition(".")[0].replace(".", "/") + ".py"
    return [name for name in reached([module], source_of) if name in code]


def meaning(source: bytes, path: Path) -> bytes:
    """What a file says, without comments, docstrings, annotations, layout and the wording of errors."""
    tree = ast.parse(source, filename=str(path))
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
            node.exc = None
    return ast.unparse(tree).encode()  # unlike ast.dump the same in every version of Python
