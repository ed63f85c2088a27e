"""Hints for learning curves (given; standard library only)."""

from __future__ import annotations

from hw4.checking.hint import Hint

HINTS: dict[str, Hint] = {
    # Learning curves
    "curve_below_bar": Hint(
        "Your agent learns, but its returns stay below the bar. Probably one of the parts is not quite right yet: "
        "mend failing parts first, then compare your own runs with the published band (`python -m hw4 plot`).",
        "How grading works",
    ),
    "curve_blocked": Hint(
        "Your agent could not be run to the end because a part that it needs is missing or failed, so probably this"
        " curve comes by itself once those parts pass.",
        "How grading works",
    ),
    # Promises of the agent behind a curve
    "ignores_its_data": Hint(
        "Your agent's actions do not follow the data it was given: in a made-up world, where only its own data tell "
        "which action pays, it does not do what pays. A curve earns points only with a model that is learned from the "
        "agent's own data, and a planner that uses it. An exception raised there counts as well.",
        "How grading works: what a curve asks of its agent",
    ),
    "ignores_surprises": Hint(
        "Your agent goes on with its old plan when an observation comes that the plan did not expect. Plan anew from "
        "the observation that `act` is given.",
        "Conventions: replanning",
    ),
    "members_alike": Hint(
        "Members of your ensemble predict the same where there is no data, so probably they are one network under "
        "several names. Each member has weights, data and minibatches of its own.",
        "Conventions: ensembles",
    ),
}
