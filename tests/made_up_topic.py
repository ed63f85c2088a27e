"""A made-up topic, `topics/daydream.py`: what an instructor adds to the student's package, file by file."""

from __future__ import annotations

from pathlib import Path

from hw4.handin.assignment import ASSIGNMENT_FILE, Assignment, load_assignment
from publish.stubs import stub_text

FILE = "topics/daydream.py"
STUB_IDS = ("dream_pick", "dream_soften")

TABLES = """
[[problems]]
id = "daydreaming"
title = "Planning by daydreams"
points = 3
section = "Can we do better? Replanning"
optional = true

[[notebooks]]
file = "daydream.ipynb"
optional = true

[[stubs]]
id = "dream_pick"
problem = "daydreaming"
file = "topics/daydream.py"
symbol = "pick_dream"
lines = 1
minutes = 5
points = 2

[[stubs]]
id = "dream_soften"
problem = "daydreaming"
file = "topics/daydream.py"
symbol = "soften"
lines = 1
minutes = 5
points = 1
"""

SOLUTION = '''"""Planning by daydreams: the best of a few random plans, made less bold (optional topic)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hw4.experiments import Experiment
from hw4.mpc import Objective, Planner


def pick_dream(dreams: Tensor, returns: Tensor) -> Tensor:
    """The dream with the largest return (`dream_pick`).

    Public test: pytest hw4/tests -m dream_pick
    """
    ### BEGIN SOLUTION dream_pick: about 1 line.
    return dreams[returns.argmax()]
    ### END SOLUTION dream_pick


def soften(plan: Tensor, factor: float) -> Tensor:
    """factor * plan (`dream_soften`).

    Public test: pytest hw4/tests -m dream_soften
    """
    ### BEGIN SOLUTION dream_soften: about 1 line.
    return factor * plan
    ### END SOLUTION dream_soften


def build_planner(
    experiment: Experiment, objective_from: Callable[[Tensor], Objective], generator: torch.Generator
) -> Planner:
    """The planner `daydream` (given)."""
    shape = (experiment.population_size, experiment.horizon, experiment.task.act_dim)
    low, high = experiment.task.action_low, experiment.task.action_high

    @torch.no_grad()
    def planner(observation: Tensor, mean: Tensor) -> Tensor:
        dreams = low + (high - low) * torch.rand(shape, generator=generator)
        return soften(pick_dream(dreams, objective_from(observation)(dreams)), 0.9)

    return planner
'''

EXAMPLES = '''"""Worked examples of topics/daydream.py."""

import numpy as np

from hw4.checking.worked_example import WorkedExample

PICK = WorkedExample(
    "dream_pick",
    "Of two dreams the second has the larger return.",
    lambda subject: {
        "dream": subject.call("topics.daydream.pick_dream", np.array([[1.0], [2.0]]), np.array([3.0, 4.0]))
    },
    {"dream": np.array([2.0])},
    {"dream": {"wrong_value": np.array([1.0])}},
)
SOFTEN = WorkedExample(
    "dream_soften",
    "Half of 4 is 2.",
    lambda subject: {"plan": subject.call("topics.daydream.soften", np.array([4.0]), 0.5)},
    {"plan": np.array([2.0])},
    {},
)
'''

TESTS = '''"""Public tests of topics/daydream.py."""

import pytest
import torch

from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.subject import LocalSubject
from hw4.checking.worked_example import check_example
from hw4.topics.daydream import pick_dream, soften


@pytest.mark.stub("dream_pick")
def test_example_pick():
    check_example(WORKED_EXAMPLES["dream_pick"], LocalSubject())


@pytest.mark.stub("dream_soften")
def test_example_soften():
    check_example(WORKED_EXAMPLES["dream_soften"], LocalSubject())


@pytest.mark.stub("dream_soften")
def test_a_softened_dream_is_a_dream():
    assert soften(pick_dream(torch.ones(2, 1), torch.tensor([0.0, 1.0])), 0.5).tolist() == [0.5]
'''


def assignment_with_topic(folder: Path) -> Assignment:
    """The real assignment with the topic, from an assignment.toml in `folder`."""
    path = folder / "assignment.toml"
    path.write_text(ASSIGNMENT_FILE.read_text(encoding="utf-8") + TABLES, encoding="utf-8")
    return load_assignment(path)


def add_topic(tree: Path, *, solved: bool) -> Assignment:
    """Add the topic's files to a tree with the student's package; its functions are written or open."""
    assignment = assignment_with_topic(tree)
    files = {
        f"hw4/{FILE}": SOLUTION if solved else stub_text(SOLUTION, FILE, assignment),
        "hw4/checking/examples/topics/daydream.py": EXAMPLES,
        "hw4/tests/topics/test_daydream.py": TESTS,
    }
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text, encoding="utf-8")
    return assignment
