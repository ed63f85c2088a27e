"""Names what is special about a case that fails although the plain one passes (given; standard library only)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hw4.checking.answers import VAGUE_CAUSES, CheckFailed

Case = Callable[[], object]  # calls the student's function and checks its answer


def vary(
    plain: Case,
    *,
    again: int = 0,
    size_one: Iterable[Case] = (),
    large: Iterable[Case] = (),
    negative: Iterable[Case] = (),
) -> None:
    """Run the plain case, and then others that differ from it in one way.

    If one of those fails, and its own cause says only that something is wrong, that way is the cause.

    Args:
        plain: at moderate sizes and numbers. Whatever fails there is told as it is.
        again: how many times more the plain case runs, with other numbers of the same sizes. What fails then, whatever
            it looks like, comes from what is kept between calls.
        size_one: with an axis of size one.
        large: with the sizes of a graded run, or with numbers far from 0.
        negative: with returns below 0 alone.
    """
    plain()
    for _ in range(again):
        repeat(plain)
    for cases, cause in ((size_one, "size_one"), (large, "only_moderate"), (negative, "only_positive")):
        for case in cases:
            try:
                case()
            except CheckFailed as failure:
                if failure.cause not in VAGUE_CAUSES:
                    raise
                raise CheckFailed(str(failure), cause) from failure


def repeat(case: Case) -> None:
    """Run a case that passed before: what fails now comes from what is kept between calls, whatever it looks like.

    Only rounding may come out right at one time and wrong at another.
    """
    try:
        case()
    except CheckFailed as failure:
        if failure.cause == "imprecise":
            raise
        raise CheckFailed(f"the first call is right, a later one is not: {failure}", "state_kept") from failure
