"""Worked examples of functions that did not pass, run on the submission: all of them may be shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.grading.scoring import ExampleRun
from autograder.isolation.fork_server import GraderFault
from autograder.isolation.remote import RemoteSubject, StudentError, WorkerDied
from hw4.checking.answers import CheckFailed
from hw4.checking.examples import WORKED_EXAMPLES

MAX_SHOWN_CHARACTERS = 5000
MAX_SHOWN = 200  # numbers of an answer that a report shows


def run_example(open_student: Callable[[], RemoteSubject], stub_id: str) -> ExampleRun:
    """Run the worked example of a function on the submission, and put next to each other what came and what should."""
    example = WORKED_EXAMPLES[stub_id]
    seen: dict[str, Any] = {}
    failed = "nothing"
    try:
        with open_student() as subject:
            seen = example.run(subject)
    except StudentError as error:
        failed = f"{error.shown_type} at {error.where}"
    except WorkerDied as death:
        failed = f"the call did not return ({death.reason})"
    except CheckFailed as failure:
        failed = str(failure)
    except GraderFault:
        failed = "the grader failed here"
    except Exception as error:  # an answer so odd that the example stumbles over it
        failed = f"no usable answer ({type(error).__name__})"
    rows = [
        (name, _shown(seen[name]) if name in seen else failed, _shown(wanted))
        for name, wanted in example.wanted.items()
    ]
    return ExampleRun(example.story, tuple(rows))


def _shown(value: Any) -> str:
    """A value as a reader wants to see it: short, on one line where it fits."""
    if isinstance(value, np.ndarray | tuple | list | float):
        try:
            array = np.asarray(value)
            if array.size > MAX_SHOWN:
                return f"an array of shape {array.shape}"
            return np.array2string(array, precision=4, suppress_small=True, separator=", ")[:MAX_SHOWN_CHARACTERS]
        except (ValueError, TypeError):
            return "no array"
    return ascii(value)[:300]
