"""Numbers and days in words."""

from __future__ import annotations

from datetime import date

from publish.handout import MINUS

NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def number_word(number: int) -> str:
    return NUMBER_WORDS[number] if number < len(NUMBER_WORDS) else str(number)


def in_words(day: date) -> str:
    """ "Monday 1 March 2027" """
    return f"{day:%A} {day.day} {day:%B %Y}"


def shown(value: object) -> str:
    """A setting as the table shows it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def whole(number: float) -> str:
    """A whole number with a true minus sign."""
    return f"{number:.0f}".replace("-", MINUS)


def listed(words: list[str]) -> str:
    """ "1, 2 and 3" """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def ranges(numbers: list[str]) -> str:
    """Numbers of functions, in order; three or more that follow each other as a range."""
    runs: list[list[str]] = []
    for number in numbers:
        problem, _, part = number.rpartition(".")
        follows = bool(runs) and runs[-1][-1] == f"{problem}.{int(part) - 1}"
        runs = [*runs[:-1], [*runs[-1], number]] if follows else [*runs, [number]]
    return ", ".join(f"{run[0]}\N{EN DASH}{run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)


def percent(share: float) -> str:
    """Two significant digits, and never a rounded-off zero: "0 %" means that it was never seen."""
    if share == 0:
        return "0 %"
    return "< 0.01 %" if share < 1e-4 else f"{100 * share:.2g} %"
