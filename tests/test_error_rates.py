"""The error rates that the handout prints: the enumeration against brute force, the bounds against known values."""

from __future__ import annotations

import itertools

import pytest

from autograder.grading.curves import grade_runs, more_runs, needs_more_runs
from autograder.recorded.error_rates import full_credit, lower_bound, rate


@pytest.mark.parametrize("first_runs", [1, 2, 3])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.83, 0.95, 1.0])
def test_full_credit_is_what_the_rule_itself_gives_over_every_outcome_of_seven_runs(p: float, first_runs: int) -> None:
    total = 0.0
    for outcome in itertools.product((0.0, 1.0), repeat=7):
        count = first_runs
        while needs_more_runs(outcome[:count], 1.0, first_runs):
            count += more_runs(count)
        scores = outcome[:count]
        weight = 1.0
        for value in outcome:
            weight *= p if value else 1 - p
        total += weight * (grade_runs(scores, bar=1.0, floor=0.0, first_runs=first_runs).credit == 1.0)
    assert full_credit(p, first_runs) == pytest.approx(total, abs=1e-12)


def test_bounds_are_clopper_and_pearsons() -> None:
    assert lower_bound(40, 40) == pytest.approx(0.05 ** (1 / 40))  # all successes: closed form
    assert lower_bound(0, 40) == 0.0
    assert lower_bound(9, 10) == pytest.approx(0.606, abs=1e-3)  # a tabled value


def test_a_rate_is_the_wrong_verdict_of_its_kind_and_its_bound_lies_above() -> None:
    good, bad = rate("a", 38, 40, is_correct=True), rate("b", 2, 40, is_correct=False)
    assert good.wrong == pytest.approx(1 - full_credit(0.95))
    assert bad.wrong == pytest.approx(full_credit(0.05))
    assert good.wrong < bad.wrong  # two runs at the bar are enough, and two below it are not
    assert good.upper > good.wrong > 0
    assert bad.upper > bad.wrong > 0


@pytest.mark.parametrize("p", [0.05, 0.5, 0.95])
def test_a_grade_that_begins_with_fewer_runs_gives_full_credit_more_often_to_good_and_bad_work_alike(p: float) -> None:
    assert full_credit(p, 1) > max(p, full_credit(p, 2))
    assert full_credit(p, 2) > full_credit(p, 3)
    one, two = (rate("a", round(40 * p), 40, is_correct=True, first_runs=first) for first in (1, 2))
    assert one.wrong < two.wrong
    assert one.upper < two.upper
