"""What a worked example is, how it is checked, and what examples are made of (given; NumPy only)."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw4.checking.answers import GENERIC_CAUSES, CheckFailed, check_close
from hw4.checking.hints import hint_for
from hw4.checking.subject import Handle, Subject

Array = NDArray[Any]


@dataclass(frozen=True)
class WorkedExample:
    """What goes in, what must come out, and what known slips would give."""

    stub_id: str
    story: str  # what goes in and why the answer is what it is: a reader can check it by hand
    run: Callable[[Subject], dict[str, Any]]  # calls the subject, returns name -> what was seen
    wanted: dict[str, Any]  # name -> array or number, or a tuple: a list of numbers, whose length is an answer too
    slips: dict[str, dict[str, Any]]  # name -> cause -> what that slip gives


class ExampleFailed(CheckFailed):
    """A worked example came out wrong. Its text says what was seen, what was wanted, what to look for, and the example.

    `said` is its first line alone; `seen` and `wanted` are the two answers as text.
    """

    def __init__(self, failure: CheckFailed, example: WorkedExample, name: str, seen: Any) -> None:
        self.name = name
        self.said = str(failure)
        self.seen, self.wanted = _both(seen, example.wanted[name])
        lines = [self.said, *in_two_lines(self.seen, self.wanted), *what_to_look_for(failure.cause), *_story(example)]
        super().__init__("\n".join(lines), failure.cause)


def check_example(example: WorkedExample, subject: Subject) -> None:
    """Run an example and compare every answer.

    Raises:
        CheckFailed: an answer is wrong. If several are, the one whose cause is known is named first.
    """
    __tracebackhide__ = True  # pytest shows the student's test and the error, not what is in between
    try:
        seen = example.run(subject)
    except NotImplementedError:
        raise
    except CheckFailed as failure:
        failure.add_note("\n".join([*what_to_look_for(failure.cause), *_story(example)]))
        raise
    except Exception as error:
        error.add_note("\n".join(_story(example)))
        raise
    failures: list[ExampleFailed] = []
    for name, wanted in example.wanted.items():
        try:
            check_close(seen[name], wanted, name, slips=example.slips.get(name))
        except CheckFailed as failure:
            if isinstance(wanted, tuple) and np.ndim(seen[name]) == 1 and len(seen[name]) != len(wanted):
                cause = "wrong_value" if failure.cause == "wrong_shape" else failure.cause
                failure = CheckFailed(f"{name} has {len(seen[name])} entries, wanted {len(wanted)}", cause)
            failures.append(ExampleFailed(failure, example, name, seen[name]))
    if failures:
        raise next((failure for failure in failures if failure.cause not in GENERIC_CAUSES), failures[0])


WIDTH = 100  # columns


def in_two_lines(seen: str, wanted: str) -> list[str]:
    """Two answers as text, one below the other; each may take several lines."""
    named = (("seen  ", seen), ("wanted", wanted))
    return [f"  {name} {textwrap.indent(answer, ' ' * 9).lstrip()}" for name, answer in named]


def what_to_look_for(cause: str) -> list[str]:
    """The hint of a cause, in lines."""
    return textwrap.wrap(f"Hint: {hint_for(cause).text}", WIDTH)


def _story(example: WorkedExample) -> list[str]:
    return textwrap.wrap(f"The worked example: {example.story}", WIDTH)


def _both(seen: Any, wanted: Any) -> tuple[str, str]:
    """Both answers as text, with their shapes where these differ; of a list, a message says the length."""
    if isinstance(wanted, tuple) or not isinstance(seen, np.ndarray) or seen.shape == np.shape(wanted):
        return _rounded(seen), _rounded(wanted)
    return f"{_rounded(seen)} of shape {seen.shape}", f"{_rounded(wanted)} of shape {np.shape(wanted)}"


def _rounded(value: Any) -> str:
    """Numbers without the noise of float32: 5 decimals, 6 significant digits; anything else as it is."""
    if isinstance(value, np.ndarray | np.generic | int | float | tuple):
        formatter = {"float_kind": lambda number: f"{round(float(number), 5) + 0.0:.6g}"}
        return np.array2string(np.asarray(value), separator=", ", formatter=formatter)  # type: ignore[arg-type]
    return str(value)


MAX_NUMBERS = 100_000  # of one answer: a wrong one must not make a check compute or remember without bound


def few(answer: Any, what: str) -> Array:
    """An answer that is going to be computed with, as an array of a size that can be computed with."""
    if answer is None:
        raise CheckFailed(f"{what} is None: a return statement is missing", "returns_none")
    if not isinstance(answer, np.ndarray | np.generic | int | float):
        raise CheckFailed(f"{what} must be a tensor of numbers, got {type(answer).__name__}", "wrong_type")
    numbers = np.asarray(answer)
    if numbers.size > MAX_NUMBERS:
        raise CheckFailed(f"{what} has shape {numbers.shape}, far larger than what is wanted", "wrong_shape")
    return numbers


class Rows:
    """Hands out the rows of an array, n at a time and in order, and counts them; stands in for random draws."""

    MAX_COUNT = 10_000  # at once

    def __init__(self, rows: Array) -> None:
        self.rows = rows
        self.drawn = 0

    def __call__(self, count: Any) -> Array:
        count = int(count)
        if not 0 <= count <= self.MAX_COUNT:
            raise CheckFailed(f"{count} random draws were asked for at once", "wrong_candidate_count")
        start, self.drawn = self.drawn, self.drawn + count
        return self.rows[np.arange(start, self.drawn) % len(self.rows)]


class Recorder:
    """Wraps an objective and keeps what it was asked to score."""

    def __init__(self, objective: Callable[[Array], Array]) -> None:
        self.objective = objective
        self.scored: list[Array] = []

    def __call__(self, action_sequences: Array) -> Array:
        self.scored.append(np.array(few(action_sequences, "what the objective was asked about")))
        return self.objective(action_sequences)

    @property
    def num_scored(self) -> int:
        return sum(len(candidates) for candidates in self.scored)


def stack(answers: list[Any], what: str) -> Array:
    arrays = [few(answer, what) for answer in answers]
    for array in arrays:
        if array.shape != arrays[0].shape:
            raise CheckFailed(f"{what} has shape {arrays[0].shape} at first and {array.shape} later", "wrong_shape")
    return np.stack(arrays)


def normalizer(subject: Subject, mean: Array, std: Array) -> Any:
    return subject.call("dynamics_model.Normalizer", mean=mean, std=std)


def handle(value: Any, what: str) -> Handle:
    """An object that the code returned, as something whose methods can be called."""
    if value is None:
        raise CheckFailed(f"{what} is None: a return statement is missing", "returns_none")
    if not isinstance(value, Handle):
        raise CheckFailed(f"{what} must be a Normalizer, got {type(value).__name__}", "wrong_type")
    return value
