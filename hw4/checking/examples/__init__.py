"""Worked examples: one per stub, small enough to work through by hand; one file per submitted file (given; NumPy only).

Every example is a test of its own (`pytest hw4/tests -k example`), and the grader shows what was seen and what was
wanted on it. `run` talks to a *subject* (`hw4.checking.subject`), so the same example runs here and in the grader's own
process. Each wrong answer that a known slip would give is listed under its cause. A file of this folder is found by its
place: every `WorkedExample` in it is an example of its stub.
"""

from __future__ import annotations

import sys

from hw4.checking.discovery import modules_of
from hw4.checking.worked_example import WorkedExample

WORKED_EXAMPLES: dict[str, WorkedExample] = {
    value.stub_id: value
    for module in modules_of(sys.modules[__name__])
    for value in vars(module).values()
    if isinstance(value, WorkedExample)
}
