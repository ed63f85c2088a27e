"""A whole topic that exists in tests alone: its tables and its files, as the recipe "Add a topic" wants them."""

from __future__ import annotations

from pathlib import Path

NAME, STUB_ID, POINTS = "zigzag", "zigzag_flip", 3

TABLES = f'''
[[problems]]
id = "{NAME}"
title = "Zigzag"
points = {POINTS}
section = "Nowhere"
optional = true

[[notebooks]]
file = "{NAME}.ipynb"
optional = true

[[stubs]]
id = "{STUB_ID}"
problem = "{NAME}"
file = "topics/{NAME}.py"
symbol = "flip"
lines = 2
minutes = 5
points = {POINTS}
'''

FILES = {
    f"solutions/topics/{NAME}.py": '''"""Every second value changes its sign (optional topic)."""

from __future__ import annotations

import torch
from torch import Tensor


def flip(values: Tensor) -> Tensor:
    """Change the sign of every second value along the last axis (`zigzag_flip`).

        flipped[i] = (-1)^i * values[i]

    Args:
        values: shape (..., n).

    Returns:
        The flipped values, shape (..., n). `values` is unchanged.

    Public test: pytest hw4/tests -m zigzag_flip
    """
    ### BEGIN SOLUTION zigzag_flip: 2 lines, no loop over values.
    signs = 1.0 - 2.0 * (torch.arange(values.shape[-1]) % 2)
    return values * signs
    ### END SOLUTION zigzag_flip
''',
    f"hw4/checking/examples/topics/{NAME}.py": '''"""The worked example of hw4/topics/zigzag.py (given; NumPy only)."""

from __future__ import annotations

import numpy as np

from hw4.checking.worked_example import WorkedExample

FLIP = WorkedExample(
    stub_id="zigzag_flip",
    story="Of 1, 2, 3, the second changes its sign: 1, -2, 3.",
    run=lambda subject: {"flipped": subject.call("topics.zigzag.flip", np.array([1.0, 2.0, 3.0]))},
    wanted={"flipped": np.array([1.0, -2.0, 3.0])},
    slips={"flipped": {"zigzag_other_half": np.array([-1.0, 2.0, -3.0])}},
)
''',
    f"hw4/checking/hints/topics/{NAME}.py": '''"""Hints for hw4/topics/zigzag.py (given; standard library only)."""

from __future__ import annotations

from hw4.checking.hint import Hint

HINTS = {"zigzag_other_half": Hint("The first value keeps its sign.", "the docstring of the stub")}
''',
    f"hw4/tests/topics/test_{NAME}.py": '''"""Public tests of hw4/topics/zigzag.py."""

from __future__ import annotations

import pytest

from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.subject import LocalSubject
from hw4.checking.worked_example import check_example


@pytest.mark.stub("zigzag_flip")
def test_example_of_flip() -> None:
    check_example(WORKED_EXAMPLES["zigzag_flip"], LocalSubject())
''',
    f"autograder/hidden_tests/topics/{NAME}_oracle.py": '''"""What the topic zigzag must give, value by value."""

from __future__ import annotations

from typing import Any

import numpy as np


def flipped(values: Any) -> Any:
    return np.array([[-value if i % 2 else value for i, value in enumerate(row)] for row in values])
''',
    f"autograder/hidden_tests/topics/test_{NAME}.py": '''"""Hidden checks of the topic zigzag."""

from __future__ import annotations

import numpy as np

from autograder.hidden_tests.graded import graded
from autograder.hidden_tests.inputs import call_and_check_inputs
from autograder.hidden_tests.topics import zigzag_oracle as oracle
from hw4.checking.answers import check_close
from hw4.checking.subject import Subject


@graded("zigzag_flip", weight=2)
def test_zigzag_flips_every_second_value(subject: Subject, rng: np.random.Generator) -> None:
    """Every second value changes its sign, in each row."""
    values = rng.normal(size=(4, 7))
    wanted = oracle.flipped(values)
    seen = subject.call("topics.zigzag.flip", values)
    check_close(seen, wanted, "the flipped values", slips={"zigzag_other_half": -wanted})


@graded("zigzag_flip", needs_another=True)
def test_zigzag_leaves_its_input_as_it_is(subject: Subject, rng: np.random.Generator) -> None:
    """The values that come in are unchanged."""
    call_and_check_inputs(subject, "topics.zigzag.flip", rng.normal(size=(3, 5)))
''',
    f"autograder/zoo/animals/topics/{NAME}.toml": """# Animals of the topic zigzag.

[[animals]]
name = "zigzag_by_value"
kind = "correct"
story = "Flips one value after another, in a copy."
[animals.regions]
zigzag_flip = '''
flipped = values.clone()
for i in range(1, values.shape[-1], 2):
    flipped[..., i] = -flipped[..., i]
return flipped
'''

[[animals]]
name = "zigzag_other_half"
kind = "wrong"
story = "Flips the first, the third, ... value."
fails = ["test_zigzag_flips_every_second_value"]
causes = ["zigzag_other_half"]
[animals.regions]
zigzag_flip = '''
return values * (2.0 * (torch.arange(values.shape[-1]) % 2) - 1.0)
'''
""",
    f"handout/topics/{NAME}.typ": """#import "../theme.typ": *

#problem-heading("zigzag")

Every second value changes its sign.

#api("zigzag_flip")
""",
    f"notebooks/masters/{NAME}.py": """# %% [markdown] name="title"
# # Zigzag, drawn
#
# *{{ title }} · {{ term }}.* This notebook belongs to {{ problem:zigzag }} and has no graded answer.
""",
}


def add_zigzag(tree: Path) -> None:
    """Write its files and its tables into a copy of the repository, and nothing else."""
    for name, text in FILES.items():
        path = tree / name
        assert not path.exists()
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with (tree / "assignment.toml").open("a", encoding="utf-8") as file:
        file.write(TABLES)
