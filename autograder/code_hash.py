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

# What decides a recorded run, beside the three submitted files, the settings of the experiment, and its task.
DECIDING_FILES = (
    "agents.py",
    "networks.py",
    "noise.py",
    "transitions.py",
    "training.py",
    "envs/world.py",
)


def code_hash(code: Mapping[str, bytes], experiment: Experiment) -> str:
    """Hash of everything that decides a recorded run of `experiment` with the three files in `code`.

    A setting at its default is left out, and so are other tasks: a new setting or task leaves recorded runs valid.
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
    for name in sorted(code):
        digest.update(meaning(code[name], Path(name)))
    return digest.hexdigest()[:16]


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
