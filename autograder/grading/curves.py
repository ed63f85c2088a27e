"""The rule for learning curves: returns and bars in, credit out. Pure.

1. The score of a run is the mean return of its last `score_episodes` episodes.
2. Three hidden runs. All at or above the bar: full credit. None: their median decides. Otherwise seven runs, median;
   once four of them reach the bar, so does the median, and the rest are not run.
3. Credit is 0 at the floor, 1 at the bar, and linear in between.

Bars and floors follow from recorded runs (`bar_of`, `floor_of`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

FIRST_RUNS = 3
ALL_RUNS = 7
MAJORITY = ALL_RUNS // 2 + 1
MORE_RUNS = 2  # are added at a time
BAR_QUANTILE = 0.05
FLOOR_QUANTILE = 0.9

BARS_FILE = Path(__file__).resolve().parents[1] / "recorded" / "reference" / "bars.json"


@dataclass(frozen=True)
class Bar:
    """What a curve is judged against."""

    bar: float
    floor: float
    cpu_seconds: float  # of one reference run, on the machine that recorded it
    speed: float  # of that machine: processor seconds of the fixed piece of work
    num_reference_runs: int
    code_hash: str  # of the code that was recorded


@dataclass(frozen=True)
class CurveGrade:
    """The verdict on one curve."""

    credit: float  # in [0, 1]
    scores: tuple[float, ...]
    decided_by: str


def load_bars(path: Path = BARS_FILE) -> dict[str, Bar]:
    return {curve_id: Bar(**facts) for curve_id, facts in json.loads(path.read_text(encoding="utf-8")).items()}


def dump_bars(bars: dict[str, Bar]) -> str:
    return json.dumps({curve_id: asdict(bar) for curve_id, bar in bars.items()}, indent=2) + "\n"


def score_of(returns: Sequence[float], score_episodes: int) -> float:
    """Mean return of the last episodes; -inf if none was finished."""
    return float(np.mean(returns[-score_episodes:])) if returns else -math.inf


def needs_more_runs(scores: Sequence[float], bar: float) -> bool:
    """Whether the first three runs disagree about the bar, and the others have not settled it yet."""
    above = [score >= bar for score in scores]
    return 0 < sum(above[:FIRST_RUNS]) < FIRST_RUNS and sum(above) < MAJORITY and len(scores) < ALL_RUNS


def grade_curve(scores: Sequence[float], *, bar: float, floor: float) -> CurveGrade:
    """Apply the rule to the scores of three runs, or of up to seven if the first three disagree."""
    if len(scores) < FIRST_RUNS:
        raise ValueError(f"a grade needs at least {FIRST_RUNS} runs, got {len(scores)}")
    first = list(scores[:FIRST_RUNS])
    if all(score >= bar for score in first):
        return CurveGrade(1.0, tuple(first), "all three runs reach the bar")
    if not needs_more_runs(first, bar):
        median = float(np.median(first))
        return CurveGrade(credit(median, bar=bar, floor=floor), tuple(first), "no run reaches the bar: median of three")
    above = sum(score >= bar for score in scores)
    if above >= MAJORITY and len(scores) < ALL_RUNS:
        settled = f"{above} of {len(scores)} runs reach the bar, and with them the median of {ALL_RUNS}"
        return CurveGrade(1.0, tuple(scores), settled)
    median = float(np.median(scores))
    return CurveGrade(credit(median, bar=bar, floor=floor), tuple(scores), f"median of {len(scores)} runs")


def credit(score: float, *, bar: float, floor: float) -> float:
    """0 at the floor, 1 at the bar, linear in between."""
    return float(np.clip((score - floor) / (bar - floor), 0.0, 1.0)) if math.isfinite(score) else 0.0


def bar_of(scores_by_implementation: dict[str, list[float]]) -> float:
    """The lowest low tail over correct implementations: the smallest of their 5 % quantiles, rounded down."""
    return float(math.floor(min(np.quantile(scores, BAR_QUANTILE) for scores in scores_by_implementation.values())))


def floor_of(scores_by_bug: dict[str, list[float]]) -> float:
    """The best among the bugs that the curve is meant to catch, and acting at random: the largest 90 % quantile."""
    return float(math.ceil(max(np.quantile(scores, FLOOR_QUANTILE) for scores in scores_by_bug.values())))
