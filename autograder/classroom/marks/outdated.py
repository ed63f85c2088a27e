"""What has changed since a class was graded: bars, tests and points that hold today but not in its lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from autograder.classroom.marks.kept import Kept
from autograder.classroom.night.record import hashes_of_tests, stale_effects
from autograder.grading.curves import Bar
from autograder.grading.scoring import ItemReport
from autograder.hidden_tests.graded import DECLARED
from hw4.handin.assignment import load_assignment

COMMAND = "`regrade-class` applies what holds today, and logs whose points change"


def changed_since(kept: Kept, measured: dict[str, Any], bars: dict[str, Bar]) -> Iterator[str]:
    """What differs today from what one submission was graded by, such as "the bar of cartpole".

    Args:
        kept: its report, and the bars that it was judged by.
        measured: the part of its record that says by which tests it was graded.
        bars: today's.
    """
    assignment, tests = load_assignment(), hashes_of_tests()
    today = {item.id: item for item in assignment.items}
    graded = {item.id for item in kept.report.items}
    then, stale = measured["tests"], stale_effects(measured)
    for item in kept.report.items:
        if item.id not in today:
            yield f"{item.id}, which is no longer graded"
            continue
        bar, own = kept.bars.get(item.id), bars.get(item.id)
        if bar is not None and (own is None or (own.bar, own.floor) != (bar.bar, bar.floor)):
            yield f"the bar of {item.id}"
        if item.verdict == "absent":
            continue
        if item.id in stale or any(then.get(n) != tests[n] for n, t in DECLARED.items() if t.stub_id == item.id):
            yield f"the tests of {item.id}"
        if item.points != today[item.id].points or _shares(item) != _shares_today(item):
            yield f"the points of {item.id}"
    if measured["options"]["only"] is None:
        yield from (f"{item_id}, which was not graded then" for item_id in today if item_id not in graded)
    if kept.report.bonus_cap != assignment.policies.bonus_cap:
        yield "the cap of the bonus"


def _shares(item: ItemReport) -> dict[str, float]:
    return {test.outcome.test: round(test.points / item.points, 9) for test in item.tests}


def _shares_today(item: ItemReport) -> dict[str, float]:
    weights = {name: test.weight for name, test in DECLARED.items() if test.stub_id == item.id}
    return {name: round(weight / sum(weights.values()), 9) for name, weight in weights.items()}


def line_about(changed: Iterable[str], *, num_behind: int) -> str:
    """One line for every list of a class; empty if nothing is to be said.

    Args:
        changed: what differs today, by `changed_since`, for any submission.
        num_behind: reports that do not show what is recorded, because a command was ended before it was done.
    """
    words = sorted({*changed})
    if num_behind:
        words.append(f"{num_behind} {'report' if num_behind == 1 else 'reports'} of a command that was not finished")
    return f"Points are as they were graded. Since then, this changed: {', '.join(words)}. {COMMAND}." if words else ""
