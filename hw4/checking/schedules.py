"""When a model was fitted, and what another schedule speaks for (given; standard library only)."""

from __future__ import annotations

from collections.abc import Callable

from hw4.checking.answers import check


def check_schedule(
    fitted_at: list[int], first: int, every: int | None, *, steps: int, keeps: Callable[[], bool]
) -> None:
    """Check the env steps after which the model was fitted.

    Args:
        fitted_at: those env steps, counted from 1.
        first: the wanted number of env steps before the first fit.
        every: the wanted number of env steps between fits; None: only one fit.
        steps: env steps in all.
        keeps: whether the replay buffer holds anything; asked only if the model was never fitted.
    """
    wanted = [step for step in range(first, steps + 1) if step == first or (every and (step - first) % every == 0)]
    if fitted_at == wanted:
        return
    slips = _with_refits(first, every, steps) if every else _with_one_fit(first, steps)
    causes = {cause for cause, slip in slips if fitted_at == slip}
    if not fitted_at:
        causes = {"never_fits" if keeps() else "not_appended"}
    elif not causes and fitted_at[:2] == wanted[:2] and len(wanted) > 2:
        causes = {"later_fits_wrong"}
    otherwise = "fits_too_early" if min(fitted_at, default=first) < first else "wrong_schedule"
    # A schedule that two slips give names neither.
    check(False, f"fitted after env steps {fitted_at[:6]}", causes.pop() if len(causes) == 1 else otherwise)


def _with_one_fit(first: int, steps: int) -> list[tuple[str, list[int]]]:
    return [("fits_every_step", list(range(first, steps + 1))), ("fits_late", [first + 1])]


def _with_refits(first: int, every: int, steps: int) -> list[tuple[str, list[int]]]:
    """What known slips make of a schedule. With `first` 2 or more off every multiple of `every`, all differ."""
    wanted, multiples = range(first, steps + 1, every), range(every, steps + 1, every)
    return [
        ("fits_once", [first]),
        ("fits_every_step", list(range(first, steps + 1))),
        ("fits_every_step", list(range(1, steps + 1))),
        ("counts_from_zero", list(multiples)),
        ("counts_from_zero", [step for step in multiples if step >= first]),
        ("counts_from_zero", sorted({first, *(step for step in multiples if step >= first)})),
        ("fits_late", [step + 1 for step in wanted if step < steps]),
        ("fits_late", [first, *(step + 1 for step in wanted[1:] if step < steps)]),
        ("fits_too_early", [step - 1 for step in (*wanted, wanted[-1] + every) if step <= steps + 1]),
        ("fits_too_early", [first, *(step - 1 for step in (*wanted[1:], wanted[-1] + every) if step <= steps + 1)]),
        ("wrong_period", list(range(first, steps + 1, every + 1))),
        ("wrong_period", list(range(first, steps + 1, every - 1)) if every > 1 else []),
        ("later_fits_wrong", [first, *range(first + every, steps + 1)]),
    ]
