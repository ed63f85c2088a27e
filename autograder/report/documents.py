"""The frame of every results.json, and those that hold no grade. Nothing here can fail for a damaged assignment."""

from __future__ import annotations

from typing import Any

from hw4.handin.refusal import SubmissionRefused

MAX_OUTPUT = 15_000  # characters of one text: far below the 100,000 at which Gradescope is said to cut a text off
NOT_GRADED = "There is no grade yet; the course staff will grade this submission again."
QUICK_NOTE = "A quick look at the functions alone, so this is not a grade."
FAULT_NOTE = "The grader itself failed here. This is not your fault and will cost you no points: staff can see it."


def refused(error: SubmissionRefused) -> dict[str, Any]:
    """The document of a refused submission: nothing was graded, why, and how to fix it."""
    output = f"The submission was refused, so nothing was graded.\n{error}"
    return {"score": 0, **document(output, {"graded": False, "refused": True})}


def fault() -> dict[str, Any]:
    """The document when the grader failed as a whole: without a score, so never a zero."""
    return document(f"{FAULT_NOTE}\n{NOT_GRADED}", {"graded": False, "grader_faults": 1})


def out_of_time() -> dict[str, Any]:
    """The document when the overall deadline passed before the grader was done: without a score."""
    output = f"Grading took longer than is allowed, so it was stopped.\n{NOT_GRADED}"
    return document(output, {"graded": False, "out_of_time": True})


def document(output: str, facts: dict[str, Any], tests: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "visibility": "visible",
        "stdout_visibility": "hidden",  # staff alone
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "output": inert(output),
        "tests": tests or [],
        "extra_data": facts,
    }


def inert(text: str) -> str:
    """Bounded, and without control, direction and lone surrogate characters: not every JSON reader takes those."""
    return "".join(
        char if char == "\n" or char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[:MAX_OUTPUT]
    )
