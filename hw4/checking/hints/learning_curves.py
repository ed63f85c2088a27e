"""Hints for learning curves and effects (given; standard library only)."""

from __future__ import annotations

from hw4.checking.hint import Hint

HINTS: dict[str, Hint] = {
    # Learning curves and effects
    "curve_below_bar": Hint(
        "Your agent learns, but its returns stay below the bar. Probably one of the parts is not quite right yet: "
        "fix failing parts first, then compare your own runs with the published band (`python -m hw4 plot`).",
        "How grading works",
    ),
    "effect_below_bar": Hint(
        "Your functions run, but the number they lead to stays below the bar. Probably one of them is not quite right "
        "yet: fix failing functions first.",
        "How grading works",
    ),
    "functions_lost_points": Hint(
        "Your runs reach the bar, but functions that they call lost points, so the runs count less. Probably these "
        "points come by themselves once those functions pass.",
        "How grading works: what a curve asks of its agent",
    ),
    "runs_blocked": Hint(
        "This could not be run because a part that it needs is missing or failed, so probably these points come by "
        "themselves once those parts pass.",
        "How grading works",
    ),
    # Promises of the agent behind a curve
    "ignores_surprises": Hint(
        "Your agent keeps to its old plan when it is put back to where the episode began. Plan again from the "
        "observation that `act` is given.",
        "Conventions: replanning",
    ),
    "members_alike": Hint(
        "Members of your ensemble predict the same, so probably they are one network under "
        "several names. Each member has weights, data and minibatches of its own.",
        "Conventions: ensembles",
    ),
}
