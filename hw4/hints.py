"""The catalogue of hints by cause (given; standard library only).

A failed check names a *cause*. Each hint says what the slip looks like and where to read; none holds an input or an
answer of a hidden check. `python -m hw4 check` and the grader give the same hint for the same cause.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hint:
    """The likely slip behind a failure."""

    text: str
    read: str  # where to read: a section of the handout


HINTS: dict[str, Hint] = {
    # Any function
    "not_started": Hint("This stub still raises NotImplementedError.", "the docstring of the stub"),
    "wrong_value": Hint(
        "The numbers differ from what the docstring's equation gives. Work the published example through by hand and "
        "compare each intermediate result.",
        "the docstring of the stub",
    ),
    "wrong_shape": Hint(
        "The result has the wrong shape. Print the shape after each line and compare with the docstring; test with "
        "sizes that all differ.",
        "Conventions: shapes",
    ),
    "wrong_type": Hint("The result is not a tensor of real numbers.", "the docstring of the stub"),
    "returns_none": Hint("The function returns None: a return statement is missing.", "the docstring of the stub"),
    "not_finite": Hint(
        "The result holds NaN or infinity: look for a division by a std of 0, a logarithm or exponential of a large "
        "number, or a std over a single sample.",
        "Conventions: divisors",
    ),
    "raised": Hint("The function raised an exception on valid input.", "the exception's own message"),
    "device": Hint(
        "The code asks for a GPU (`cuda`) that is not there. Leave tensors on the device they came on.",
        "Conventions: devices",
    ),
    "missing_argument": Hint(
        "A call does not fit the signature. Keep the signature of the stub and call collaborators as documented.",
        "the docstring of the stub",
    ),
    "inplace": Hint(
        "An input is changed in place. Write `x = x + y`, not `x += y`, on what the caller owns.",
        "Conventions: inputs",
    ),
    "too_slow": Hint(
        "The call used up its time: an endless loop, or a Python loop over candidates, members or transitions.",
        "How grading works: budgets",
    ),
    "out_of_memory": Hint("The call used up its memory.", "How grading works: budgets"),
    "asks_for_input": Hint(
        "The code waits for a keyboard: remove `input()` and `breakpoint()`.", "How grading works: what is run"
    ),
    "exits": Hint("The code ends its own process.", "How grading works: what is run"),
}
