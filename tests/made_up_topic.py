"""A topic that exists in tests alone, `topics/daydream.py`: its tables and its files, as "Add a topic" wants them."""

from __future__ import annotations

from pathlib import Path

from hw4.handin.assignment import ASSIGNMENT_FILE, Assignment, load_assignment
from publish.stubs import stub_text

NAME, POINTS, WRITTEN = "daydream", 3, 2  # points by program, and by people
FILE = f"topics/{NAME}.py"
STUB_IDS = ("dream_pick", "dream_soften")

TABLES = """
[[problems]]
id = "daydream"
title = "Planning by daydreams"
points = 5
written = 2
section = "Can we do better? Replanning"
optional = true

[[notebooks]]
file = "daydream.ipynb"
minutes = 5
optional = true

[[stubs]]
id = "dream_pick"
problem = "daydream"
file = "topics/daydream.py"
symbol = "pick_dream"
lines = 1
minutes = 5
points = 2

[[stubs]]
id = "dream_soften"
problem = "daydream"
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

EXAMPLES = '''"""Worked examples of topics/daydream.py (given; NumPy only)."""

from __future__ import annotations

import numpy as np

from hw4.checking.worked_example import WorkedExample

PICK = WorkedExample(
    stub_id="dream_pick",
    story="Of two dreams the second has the larger return.",
    run=lambda subject: {
        "dream": subject.call("topics.daydream.pick_dream", np.array([[1.0], [2.0]]), np.array([3.0, 4.0]))
    },
    wanted={"dream": np.array([2.0])},
    slips={"dream": {"dream_worst": np.array([1.0])}},
)
SOFTEN = WorkedExample(
    stub_id="dream_soften",
    story="Half of 4 is 2.",
    run=lambda subject: {"plan": subject.call("topics.daydream.soften", np.array([4.0]), 0.5)},
    wanted={"plan": np.array([2.0])},
    slips={},
)
'''

HINTS = '''"""Hints for topics/daydream.py (given; standard library only)."""

from __future__ import annotations

from hw4.checking.hint import Hint

HINTS = {"dream_worst": Hint("The best dream is the one with the largest return.", "the docstring of the stub")}
'''

TESTS = '''"""Public tests of topics/daydream.py."""

from __future__ import annotations

import pytest
import torch

from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.subject import LocalSubject
from hw4.checking.worked_example import check_example
from hw4.topics.daydream import pick_dream, soften


@pytest.mark.stub("dream_pick")
def test_example_pick() -> None:
    check_example(WORKED_EXAMPLES["dream_pick"], LocalSubject())


@pytest.mark.stub("dream_soften")
def test_example_soften() -> None:
    check_example(WORKED_EXAMPLES["dream_soften"], LocalSubject())


@pytest.mark.stub("dream_soften")
def test_a_softened_dream_is_a_dream() -> None:
    assert soften(pick_dream(torch.ones(2, 1), torch.tensor([0.0, 1.0])), 0.5).tolist() == [0.5]
'''

ORACLE = '''"""What the topic daydream must give, one dream after another."""

from __future__ import annotations

from typing import Any


def best(dreams: Any, returns: Any) -> Any:
    found = 0
    for i in range(len(returns)):
        if returns[i] > returns[found]:
            found = i
    return dreams[found]
'''

HIDDEN_TESTS = '''"""Hidden checks of the topic daydream."""

from __future__ import annotations

import numpy as np

from autograder.hidden_tests.graded import graded
from autograder.hidden_tests.inputs import check_left_alone
from autograder.hidden_tests.topics import daydream_oracle as oracle
from hw4.checking.answers import check_close
from hw4.checking.subject import Kept, Subject


@graded("dream_pick", weight=2)
def test_daydream_picks_the_best(subject: Subject, rng: np.random.Generator) -> None:
    """The dream with the largest return."""
    dreams, returns = rng.normal(size=(6, 3, 2)), rng.normal(size=6)
    seen = subject.call("topics.daydream.pick_dream", dreams, returns)
    check_close(seen, oracle.best(dreams, returns), "dream", slips={"dream_worst": oracle.best(dreams, -returns)})


@graded("dream_pick", needs_another=True)
def test_daydream_leaves_its_inputs_as_they_are(subject: Subject, rng: np.random.Generator) -> None:
    """Nothing that goes in changes."""
    dreams, returns = rng.normal(size=(3, 4, 1)), rng.normal(size=3)

    def ask(*kept: Kept) -> None:
        check_close(subject.call("topics.daydream.pick_dream", *kept), oracle.best(dreams, returns), "dream")

    check_left_alone(subject, [dreams, returns], ask)


@graded("dream_soften")
def test_daydream_softens(subject: Subject, rng: np.random.Generator) -> None:
    """factor * plan."""
    plan = rng.normal(size=(4, 2))
    check_close(subject.call("topics.daydream.soften", plan, 0.25), 0.25 * plan, "plan")
'''

SENTENCES = """# The sentences of the docstrings in solutions/topics/daydream.py, and the hidden tests that check them.

[[sentences]]
says = "Planning by daydreams: the best of a few random plans, made less bold (optional topic)."
no_promise = "a title"

[[sentences]]
stub = "dream_pick"
says = "The dream with the largest return (`dream_pick`)."
tests = ["test_daydream_picks_the_best", "test_daydream_leaves_its_inputs_as_they_are"]

[[sentences]]
stub = "dream_soften"
says = "factor * plan (`dream_soften`)."
tests = ["test_daydream_softens"]
"""

ANIMALS = """# Animals of the topic daydream.

[[animals]]
name = "dream_by_sorting"
kind = "correct"
story = "Sorts all dreams, and divides where it could multiply."
[animals.regions]
dream_pick = '''
return dreams[returns.argsort()[-1]]
'''
dream_soften = '''
return plan / (1.0 / factor)
'''

[[animals]]
name = "dream_of_the_worst"
kind = "wrong"
story = "Picks the dream with the smallest return."
fails = ["test_daydream_picks_the_best"]
causes = ["dream_worst"]
[animals.regions]
dream_pick = '''
return dreams[returns.argmin()]
'''
"""

CHAPTER = """#import "../theme.typ": *

#problem-heading("daydream")

The best of a few random plans, made less bold.

#api("dream_pick")
#api("dream_soften")
"""

NOTEBOOK = """# %% [markdown] name="title"
# # Daydreams, drawn
#
# *{{ title }} · {{ term }}.* This notebook belongs to {{ problem:daydream }}; its answer is worth
# {{ points_in_all }} bonus points.

# %% [markdown] name="question-dream" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question: why dream? ({{ points:answer-dream }} bonus points)
#
# What does softening cost?

# %% [markdown] name="answer-dream" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}
# ### BEGIN SOLUTION
# **Model answer.** A softened plan pushes less than the best one that was found, so it never reaches what the best plan
# would have reached, even where the model is right about it.
#
# **Rubric.** Full: less of the best plan's push. Half: a push is named. 0: nothing of it.
# ### END SOLUTION

# %% name="draw"
print("a dream")
"""

FILES = {
    f"solutions/{FILE}": SOLUTION,
    f"hw4/checking/examples/{FILE}": EXAMPLES,
    f"hw4/checking/hints/{FILE}": HINTS,
    f"hw4/tests/topics/test_{NAME}.py": TESTS,
    f"autograder/hidden_tests/topics/{NAME}_oracle.py": ORACLE,
    f"autograder/hidden_tests/topics/test_{NAME}.py": HIDDEN_TESTS,
    f"autograder/hidden_tests/topics/{NAME}_sentences.toml": SENTENCES,
    f"autograder/zoo/animals/topics/{NAME}.toml": ANIMALS,
    f"handout/topics/{NAME}.typ": CHAPTER,
    f"notebooks/masters/{NAME}.py": NOTEBOOK,
}


def assignment_with_topic(folder: Path) -> Assignment:
    """The real assignment with the topic, from an assignment.toml in `folder`."""
    path = folder / "assignment.toml"
    _write_tables(path)
    return load_assignment(path)


def _write_tables(path: Path) -> None:
    path.write_text(ASSIGNMENT_FILE.read_text(encoding="utf-8") + TABLES, encoding="utf-8")


def add_topic(tree: Path) -> None:
    """Write the topic's files and its tables into a copy of the repository, and nothing else."""
    for name, text in FILES.items():
        assert not (tree / name).exists()
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text(text, encoding="utf-8")
    _write_tables(tree / "assignment.toml")


def give_topic(tree: Path, *, solved: bool) -> Assignment:
    """Add what a student has of the topic to a tree with the student's package; its functions are written or open."""
    assignment = assignment_with_topic(tree)
    files = {name: text for name, text in FILES.items() if name.startswith("hw4/")}
    files[f"hw4/{FILE}"] = SOLUTION if solved else stub_text(SOLUTION, FILE, assignment)
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text, encoding="utf-8")
    return assignment
