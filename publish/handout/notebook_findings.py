"""What the handout quotes from the recorded runs of the notebooks, other than walks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograder.solutions import ROOT
from hw4.commands.jupyter import interval_of_median, read_table
from publish.handout import HandoutError
from publish.handout.ledge import with_interval

DATA = ROOT / "notebooks" / "data"
GOOD_M = 0.1  # m; a roll-out that errs by more is not good
TRANSITIONS = 400  # that the models of the optimism gap have seen

Array = NDArray[np.float64]


def notebook_facts() -> dict[str, str]:
    """Numbers that the text quotes, by name."""
    promised, earned = five_against_one()
    return {
        "good_steps": f"{np.median(good_steps()):.0f}",
        "worse_from": str(worse_from()),
        "replanning_alone": with_interval(replanning_alone()),
        "less_optimism": with_interval(-(promised - earned), 1),
        "earned_more": with_interval(earned, 1),
        "held": f"{100 * np.median(held()):.0f} %",
        "kept_sets": with_interval(kept_sets(), 1),
    }


def chosen(name: str, texts: tuple[str, ...], column: str, **values: object) -> Array:
    """A column of a notebook's table where others have these values, in the order of the file."""
    table = read_table(DATA / f"{name}.csv", texts=texts)
    rows: NDArray[Any] = np.logical_and.reduce([table[key] == value for key, value in values.items()])
    return np.asarray(table[column][rows])


def roll_outs(column: str) -> Array:
    """Of the last model of version 1.5 on the cart-pole, under its own plans: shape (seeds, steps)."""
    values = chosen("replanning/errors", ("model", "policy"), column, model="last", policy="planned")
    steps = chosen("replanning/errors", ("model", "policy"), "k", model="last", policy="planned")
    return values.reshape(-1, int(steps.max()))


def good_steps() -> Array:
    """For how many steps a roll-out stays within GOOD_M, for each seed."""
    return np.array([np.argmax(np.append(of_seed, np.inf) > GOOD_M) for of_seed in roll_outs("error")])


def worse_from() -> int:
    """The first step from which on roll-outs are worse than expecting no change: every interval is above 0."""
    worse = roll_outs("error") - roll_outs("error_of_no_change")
    shown = [interval_of_median(of_step)[0] > 0 for of_step in worse.T]
    if not shown[-1]:
        raise HandoutError("roll-outs of the last step are not worse than no change; the handout says that they are")
    return len(shown) - next((i for i, is_worse in enumerate(reversed(shown)) if not is_worse), len(shown)) + 1


def replanning_alone() -> Array:
    """What replanning at every step earns more than every 20 steps, with all else equal, for each seed."""

    def final(arm: str) -> Array:
        values = chosen("replanning/returns", ("arm",), "episode_return", arm=arm)
        episodes = chosen("replanning/returns", ("arm",), "episode", arm=arm)
        return np.asarray(values.reshape(-1, int(episodes.max()) + 1)[:, -2:].mean(axis=1))

    seldom = final("replan every 20")
    return final("1.5")[: len(seldom)] - seldom


def five_against_one() -> tuple[Array, Array]:
    """What CEM's plans promise more with five networks than with one, and what they earn more, for each seed."""
    arms = {"strength": "cem", "transitions": TRANSITIONS}

    def more(column: str) -> Array:
        five, one = (chosen("uncertainty_aware/gaps", ("strength",), column, members=n, **arms) for n in (5, 1))
        return five - one

    return more("predicted"), more("true")


def held() -> Array:
    """The share of steps on ground that the data does not reach that the ensemble's 95 % intervals hold."""
    where = {"arm": "resampled", "region": "turned"}
    return chosen("what_uncertainty_means/regions", ("arm", "region"), "coverage_total", **where)


def kept_sets() -> Array:
    """What agents earn more whose members keep their data sets from fit to fit, for each seed."""

    def mean(sets: str) -> Array:
        values = chosen("what_uncertainty_means/bootstrap", ("sets",), "episode_return", sets=sets)
        seeds = chosen("what_uncertainty_means/bootstrap", ("sets",), "seed", sets=sets)
        return np.asarray(values.reshape(len(np.unique(seeds)), -1)[:, 1:].mean(axis=1))

    return mean("kept") - mean("redrawn")
