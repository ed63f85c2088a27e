"""The rule for learning curves and effects: runs and bars in, credit out. Pure.

1. The score of a run of a curve is the mean return of its last `score_episodes` episodes; that of an effect its number.
2. Two hidden runs first, or one of an effect with `one_run`. All at or above the bar: full credit. Otherwise there are
   three: none at or above the bar, and their median decides; or seven, and the median of these does. Once four of them
   reach the bar, so does the median, and the rest are not run.
3. Credit is 0 at the floor, 1 at the bar, and linear in between.
4. It counts as far as the functions that the item runs have earned their points (`gate`): runs can be won without the
   work, so they only confirm it.

Bars and floors follow from recorded runs (`bar_of`, `floor_of`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import RunItem

FIRST_RUNS = 2  # are enough if all reach the bar
MEDIAN_RUNS = 3  # are enough if none does
ALL_RUNS = 7
MAJORITY = ALL_RUNS // 2 + 1
GATE_SHUT, GATE_OPEN = 0.7, 0.9  # shares of the points of the functions that an item runs
BAR_QUANTILE = 0.05
FLOOR_QUANTILE = 0.9

# Failures of a run, by what of it counts.
COUNTS_AS_NONE = ("raised", "exits")  # or an unstable agent would do well to stop at its best
NOT_THE_STUDENTS = ("deadline", "grader_fault")
CUT_SHORT = ("too_slow", "out_of_memory", *NOT_THE_STUDENTS)

BARS_FILE = Path(__file__).resolve().parents[1] / "recorded" / "reference" / "bars.json"


@dataclass(frozen=True)
class Bar:
    """What the runs of a curve or of an effect are judged against."""

    bar: float
    floor: float
    cpu_seconds: float  # of one reference run, on the machine that recorded it
    speed: float  # of that machine: processor seconds of the fixed piece of work
    num_reference_runs: int
    code_hash: str  # of the code that was recorded


@dataclass(frozen=True)
class RunsGrade:
    """What several runs are worth."""

    credit: float  # in [0, 1]
    scores: tuple[float, ...]
    decided_by: str


def load_bars(path: Path = BARS_FILE) -> dict[str, Bar]:
    return {item_id: Bar(**facts) for item_id, facts in json.loads(path.read_text(encoding="utf-8")).items()}


def dump_bars(bars: dict[str, Bar]) -> str:
    return json.dumps({item_id: asdict(bar) for item_id, bar in bars.items()}, indent=2) + "\n"


def score_of_run(item: RunItem, returns: Sequence[float], failure: str = "") -> float:
    """The score of a run; -inf if it ended by itself, or if no episode with the learned model was finished.

    A run that was cut short is scored on its worst planned episodes: the end may have come on purpose.
    """
    if item.kind == "effect":
        return score_of(returns, 1)
    planned = list(returns[EXPERIMENTS[item.experiment].num_initial_episodes :])
    if failure in COUNTS_AS_NONE or (failure in CUT_SHORT and len(planned) < item.score_episodes):
        return -math.inf
    return score_of(sorted(planned, reverse=True) if failure in CUT_SHORT else planned, item.score_episodes)


def score_of(returns: Sequence[float], score_episodes: int) -> float:
    """Mean return of the last episodes; -inf if none was finished."""
    return float(np.mean(returns[-score_episodes:])) if returns else -math.inf


def first_runs_of(item: RunItem) -> int:
    """How many runs a grade begins with."""
    return 1 if item.kind == "effect" and item.one_run else FIRST_RUNS


def needs_more_runs(scores: Sequence[float], bar: float, first_runs: int = FIRST_RUNS) -> bool:
    """Whether these runs leave it open: a first one misses the bar, and the others have not settled it yet."""
    above = [score >= bar for score in scores]
    if len(scores) < first_runs:
        return True
    if all(above[:first_runs]):
        return False
    if len(scores) < MEDIAN_RUNS:
        return True
    return any(above[:MEDIAN_RUNS]) and sum(above) < MAJORITY and len(scores) < ALL_RUNS


def more_runs(num_done: int) -> int:
    """How many runs are added at a time: as many as make three, then two."""
    return MEDIAN_RUNS - num_done if num_done < MEDIAN_RUNS else 2


def grade_runs(scores: Sequence[float], *, bar: float, floor: float, first_runs: int = FIRST_RUNS) -> RunsGrade:
    """Apply the rule to the scores of the first runs, of three, or of up to seven.

    Raises:
        ValueError: the rule needs more runs.
    """
    first = scores[:first_runs]
    if len(first) == first_runs and all(score >= bar for score in first):
        said = "the first run reaches the bar" if first_runs == 1 else f"the first {first_runs} runs reach the bar"
        return RunsGrade(1.0, tuple(first), said)
    if len(scores) < MEDIAN_RUNS:
        raise ValueError(f"a grade needs at least {MEDIAN_RUNS} runs, got {len(scores)}")
    first = scores[:MEDIAN_RUNS]
    if not any(score >= bar for score in first):
        median = float(np.median(first))
        return RunsGrade(credit(median, bar=bar, floor=floor), tuple(first), "no run reaches the bar: median of three")
    above = sum(score >= bar for score in scores)
    if above >= MAJORITY and len(scores) < ALL_RUNS:
        settled = f"{above} of {len(scores)} runs reach the bar, so the median of {ALL_RUNS} does too"
        return RunsGrade(1.0, tuple(scores), settled)
    median = float(np.median(scores))
    return RunsGrade(credit(median, bar=bar, floor=floor), tuple(scores), f"median of {len(scores)} runs")


def credit(score: float, *, bar: float, floor: float) -> float:
    """0 at the floor, 1 at the bar, linear in between."""
    return float(np.clip((score - floor) / (bar - floor), 0.0, 1.0)) if math.isfinite(score) else 0.0


def gate(share: float) -> float:
    """How much of an item's credit counts, by the share of points that the functions it runs have earned.

    Nothing at `GATE_SHUT` or less, all from `GATE_OPEN` on, and linear in between.
    """
    return float(np.clip((share - GATE_SHUT) / (GATE_OPEN - GATE_SHUT), 0.0, 1.0))


def bar_of(scores_by_implementation: dict[str, list[float]], step: float = 1.0) -> float:
    """The lowest low tail over correct implementations: the smallest of their 5 % quantiles, rounded down."""
    lowest = min(np.quantile(scores, BAR_QUANTILE) for scores in scores_by_implementation.values())
    return _multiple(math.floor(lowest / step), step)


def floor_of(scores_by_bug: dict[str, list[float]], step: float = 1.0) -> float:
    """The best among the bugs to be caught and all that learns nothing: the largest 90 % quantile, rounded up."""
    highest = max(np.quantile(scores, FLOOR_QUANTILE) for scores in scores_by_bug.values())
    return _multiple(math.ceil(highest / step), step)


def step_of(scores: Sequence[float]) -> float:
    """What bar and floor of an effect are rounded to: the power of ten that leaves three digits of a usual score."""
    usual = float(np.median(np.abs(scores)))
    return 10.0 ** (math.floor(math.log10(usual)) - 2) if usual > 0 else 1.0


def _multiple(count: int, step: float) -> float:
    """`count` steps, without the dust of binary fractions."""
    return float(f"{count * step:.12g}")
