"""Which cause an exception speaks for (given; standard library only)."""

from __future__ import annotations

# Types of exceptions, words in the message in lower case, and the cause they speak for; the first that fits counts.
# Words say nothing with another type: a read-only file system is no tensor that is changed in place.
WRONG_VALUES = frozenset({"RuntimeError", "ValueError", "IndexError", "AxisError"})
MESSAGES: tuple[tuple[frozenset[str], tuple[str, ...], str], ...] = (
    (frozenset({"OSError", "EOFError"}), ("reading from stdin", "eof when reading a line"), "asks_for_input"),
    (
        frozenset({"RuntimeError", "AssertionError", "TypeError", "ValueError", "AcceleratorError"}),
        ("cuda", "nvidia driver", "expected all tensors to be on the same device", "mps backend"),
        "device",
    ),
    (frozenset({"RuntimeError"}), ("does not require grad",), "loss_detached"),
    (frozenset({"TypeError", "AttributeError"}), ("nonetype",), "none_value"),
    (WRONG_VALUES, ("is out of bounds", "list index out of range", "pop from an empty"), "index_beyond_end"),
    (
        frozenset({"RuntimeError", "OutOfMemoryError", "ArrayMemoryError", "_ArrayMemoryError"}),
        ("out of memory", "can't allocate memory", "unable to allocate"),
        "out_of_memory",
    ),
    (
        frozenset({"RuntimeError", "ValueError"}),
        (
            "inplace",
            "in-place",
            "leaf variable",
            "more than one element of the written-to tensor refers to a single memory location",
            "read-only",
        ),
        "inplace",
    ),
    (
        frozenset({"TypeError"}),
        (
            "unexpected keyword argument",
            "positional argument",
            "required keyword-only argument",
            "multiple values for argument",
        ),
        "missing_argument",
    ),
    (WRONG_VALUES, ("dimension out of range", "must match except in dimension"), "axis_from_front"),
    (WRONG_VALUES, ("number of dimensions of repeat dims",), "start_flattened"),
    (
        WRONG_VALUES,
        (
            "must match the size",
            "must match the existing size",
            "same number of dimensions",
            "not broadcastable",
            "could not be broadcast",
            "broadcast",
            "size mismatch",
            "shape mismatch",
            "mat1 and mat2",
            "expanded size",
            "the number of sizes provided",
            "expects each tensor to be equal size",
            "must have the same shape",
            "is invalid for input of size",
            "expected size for first two dimensions",
            "too many indices",
        ),
        "shapes_do_not_fit",
    ),
)
TYPES = {
    "NotImplementedError": "not_started",
    "TimeoutError": "too_slow",
    "MemoryError": "out_of_memory",
    "EOFError": "asks_for_input",
    "BdbQuit": "asks_for_input",
    "SystemExit": "exits",
    "SyntaxError": "does_not_import",
    "IndentationError": "does_not_import",
    "TabError": "does_not_import",
    "ImportError": "does_not_import",
    "ModuleNotFoundError": "does_not_import",
}


def cause_of_exception(type_name: str, message: str) -> str:
    """The cause that an exception speaks for, a key of the catalogue of hints.

    Args:
        type_name: name of its class, with or without the module ("BdbQuit", "bdb.BdbQuit").
        message: its text; only a few known phrases are looked for, and only with the types that they belong to.
    """
    name = type_name.rpartition(".")[2]
    if name in TYPES:
        return TYPES[name]
    lowered = message.lower()
    fitting = (cause for types, words, cause in MESSAGES if name in types and any(word in lowered for word in words))
    return next(fitting, "raised")
