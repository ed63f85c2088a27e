"""How often the rule for learning curves is wrong: computed from recorded runs, exactly, for exactly that rule.

Full credit depends only on how many of the drawn runs reach the bar (autograder/grading/curves.py). So if a run
reaches it with probability p, the probability of full credit is a sum over binomial cases; it grows with p, so a bound
on p gives one on it. Runs of one submission are taken as independent draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import comb

from autograder.grading.curves import ALL_RUNS, FIRST_RUNS, MAJORITY, MEDIAN_RUNS, Bar, first_runs_of, score_of_run
from autograder.recorded.calibration import REFERENCE, bugs, is_unlearned, names, read_recorded, variants
from hw4.handin.assignment import RunItem

CONFIDENCE = 0.95
ALL_CORRECT = "all correct ones together"


@dataclass(frozen=True)
class Rate:
    """How often one implementation gets the wrong verdict on one curve or effect."""

    implementation: str
    is_correct: bool
    num_runs: int
    num_at_bar: int
    wrong: float  # a correct one does not get full credit; a wrong one does
    upper: float  # one-sided bound with CONFIDENCE


def rates_of(item: RunItem, bar: Bar) -> list[Rate]:
    """One entry for the reference, each correct variant, all of these, each bug, and whoever learns nothing."""
    correct = (REFERENCE, *names(variants(item)))
    recorded_runs = read_recorded(item)
    unlearned = [run.implementation for run in recorded_runs if is_unlearned(run.implementation)]
    wrong = (*names(bugs(item)), *unlearned)
    scores: dict[str, list[float]] = {name: [] for name in (*correct, *wrong)}
    for run in recorded_runs:
        if run.implementation in scores:
            scores[run.implementation].append(score_of_run(item, run.returns))
    rate_by_rule = partial(rate, first_runs=first_runs_of(item))
    rates = [
        rate_by_rule(name, sum(score >= bar.bar for score in recorded), len(recorded), is_correct=name in correct)
        for name, recorded in scores.items()
        if recorded
    ]
    right = [each for each in rates if each.is_correct]
    counts = (sum(each.num_at_bar for each in right), sum(each.num_runs for each in right))
    together = rate_by_rule(ALL_CORRECT, *counts, is_correct=True)
    return [*right, together, *(each for each in rates if not each.is_correct)]


def rate(name: str, num_at_bar: int, num_runs: int, *, is_correct: bool, first_runs: int = FIRST_RUNS) -> Rate:
    """The rate of wrong verdicts if `num_at_bar` of `num_runs` recorded runs reach the bar."""
    p = num_at_bar / num_runs
    if is_correct:
        low = lower_bound(num_at_bar, num_runs)
        wrong, upper = 1 - full_credit(p, first_runs), 1 - full_credit(low, first_runs)
    else:
        high = 1 - lower_bound(num_runs - num_at_bar, num_runs)
        wrong, upper = full_credit(p, first_runs), full_credit(high, first_runs)
    return Rate(name, is_correct, num_runs, num_at_bar, wrong, upper)


def full_credit(p: float, first_runs: int = FIRST_RUNS) -> float:
    """Probability of full credit if each run reaches the bar with probability p.

    All first runs reach it; or they do not, one or two of three do, and then at least four of all seven.
    """
    total = p**first_runs
    for above in range(1, MEDIAN_RUNS):
        after_all_first = comb(MEDIAN_RUNS - first_runs, above - first_runs) if above >= first_runs else 0
        ways = comb(MEDIAN_RUNS, above) - after_all_first
        three = ways * p**above * (1 - p) ** (MEDIAN_RUNS - above)
        total += three * _at_least(MAJORITY - above, ALL_RUNS - MEDIAN_RUNS, p)
    return total


def _at_least(count: int, trials: int, p: float) -> float:
    return sum(comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(max(count, 0), trials + 1))


def lower_bound(successes: int, trials: int) -> float:
    """Clopper and Pearson's one-sided lower bound on a probability, by bisection."""
    low, high = 0.0, successes / trials
    if successes == 0:
        return 0.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_least(successes, trials, middle) < 1 - CONFIDENCE:
            low = middle
        else:
            high = middle
    return low
