"""Hints that any function may get (given; standard library only)."""

from __future__ import annotations

from hw4.checking.hint import Hint

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
    "shapes_do_not_fit": Hint(
        "Two shapes do not fit together in the line named, or an axis is missing there. Print the shapes just before "
        "that line, and compare them with the docstring.",
        "Conventions: shapes",
    ),
    "axis_from_front": Hint(
        "An axis is missing, or two tensors do not fit along it, so probably it is counted from the front, as in "
        "`torch.cat(..., dim=1)`. With more or fewer leading dimensions that is another axis: write `dim=-1` for the "
        "last.",
        "Conventions: shapes",
    ),
    "arguments_do_not_fit": Hint(
        "Your code calls a function that it was handed, such as `predict`, `reward` or `objective`, with arguments "
        "that do not fit. Print their shapes just before the call and compare with the docstring.",
        "Conventions: shapes",
    ),
    "squeezed": Hint(
        "An axis of size 1 is missing in the result, so probably there is a `squeeze()`, or an index where a slice is "
        "meant. Keep every axis, whatever its size.",
        "Conventions: shapes",
    ),
    "size_one": Hint(
        "Your answer is right at larger sizes and wrong where an axis has size 1, so probably there is a `squeeze()`, "
        "a special case, or a test of a shape that cannot tell two axes apart.",
        "Conventions: shapes",
    ),
    "only_moderate": Hint(
        "Your answer is right at small sizes and moderate numbers, and wrong beyond, so probably something is capped, "
        "clamped, cut into pieces, rounded, or ends early.",
        "the docstring of the stub",
    ),
    "only_positive": Hint(
        "Your answer is right in general and wrong when every return is below 0, so probably something starts from 0 "
        "or cuts off at 0.",
        "the docstring of the stub",
    ),
    "state_kept": Hint(
        "The first call is right and a later one is not, so probably something is kept from one call to the next. The "
        "result of a call must not depend on earlier calls.",
        "the docstring of the stub",
    ),
    "state_shared": Hint(
        "Two objects are right when each is used alone, and wrong when both are used, so probably they share "
        "something: a variable of the module or of the class, or a default argument that is changed.",
        "the docstring of the stub",
    ),
    "values_and_indices": Hint(
        "The result is a pair, values and indices, so probably `min`, `max`, `median`, `sort` or `topk` was called "
        "with a `dim`. Take its `.values`, or use `amin` or `amax`.",
        "the docstring of the stub",
    ),
    "wrong_type": Hint("The result is not a tensor of real numbers.", "the docstring of the stub"),
    "wrong_dtype": Hint(
        "The result contains numbers of the wrong kind: indices are whole numbers, and their dtype is int64.",
        "the docstring of the stub",
    ),
    "returns_none": Hint("The function returns None: a return statement is missing.", "the docstring of the stub"),
    "not_finite": Hint(
        "The result contains NaN or infinity: look for a division by a std of 0, a logarithm of a negative number, an "
        "exponential of a large one (float16 overflows early), or a std over a single sample.",
        "Conventions: divisors",
    ),
    "index_beyond_end": Hint(
        "An index goes beyond the end of what it picks from. A position must be smaller than the number of "
        "entries, and a count of executed actions starts again with each plan.",
        "the docstring of the stub",
    ),
    "imprecise": Hint(
        "The numbers are almost right, to about three digits. Either the code computes in half precision (`float16`, "
        "`bfloat16`), or a small constant is added somewhere, or a divisor is slightly off.",
        "the docstring of the stub",
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
        "An input is changed in place. Write `x = x + y`, not `x += y`, on tensors that belong to the caller.",
        "Conventions: inputs",
    ),
    "too_slow": Hint(
        "The call used up its time: an endless loop, a Python loop over candidates, members or transitions, a "
        "`print` of tensors in a loop that runs thousands of times, or a wait such as `time.sleep`.",
        "How grading works: budgets",
    ),
    "out_of_memory": Hint("The call used up its memory.", "How grading works: budgets"),
    "none_value": Hint(
        "None is used where a number or a tensor is needed. Is an argument allowed to be None, as `refit_every` is, or "
        "does one of your functions return nothing?",
        "the docstring of the stub",
    ),
    "asks_for_input": Hint(
        "The code waits for a keyboard: remove `input()` and `breakpoint()`.", "How grading works: what is run"
    ),
    "exits": Hint("The code ends its own process.", "How grading works: what is run"),
    # Importing the file
    "does_not_import": Hint(
        "Your file cannot be imported, so nothing in it could be checked. The message names the line; "
        "`python -m py_compile` with the file's name shows a syntax error.",
        "How grading works: what is run",
    ),
    "blocked": Hint(
        "This function calls another stub that still raises NotImplementedError, so probably nothing is wrong here "
        "yet: write that one first.",
        "the docstring of the stub",
    ),
}
