"""The reference solution: where it is, and the marked regions in it.

In a solution file, the end of a function is between two marker lines:

    ### BEGIN SOLUTION cem_refit: about 6 lines, no loop over candidates; `torch.topk` finds E.
    ...
    ### END SOLUTION cem_refit
"""

from __future__ import annotations

import re
from pathlib import Path

from hw4.handin.assignment import load_assignment

ROOT = Path(__file__).resolve().parent.parent
SOLUTIONS = ROOT / "solutions"

BEGIN = re.compile(r"^(?P<indent> *)### BEGIN SOLUTION (?P<id>\w+): (?P<hint>.+)$")
END = re.compile(r"^ *### END SOLUTION (?P<id>\w+)$")


def reference_code() -> dict[str, bytes]:
    """The code files as they would be handed in."""
    return {name: (SOLUTIONS / name).read_bytes() for name in load_assignment().submission.code}
