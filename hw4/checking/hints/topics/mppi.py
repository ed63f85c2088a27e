"""Hints for hw4/topics/mppi.py (given; standard library only)."""

from __future__ import annotations

from hw4.checking.hint import Hint

HINTS: dict[str, Hint] = {
    "noise_not_rescaled": Hint(
        "Your filtered noise is too small, so probably the last line of the equation is missing. Divide each step by "
        "its own standard deviation, sqrt(v_t).",
        "the docstring of the stub",
    ),
    "noise_rescaled_alike": Hint(
        "Your noise has the wrong size at some steps, so probably all steps are divided by one number. The standard "
        "deviation grows with t: each step has its own.",
        "the docstring of the stub",
    ),
    "noise_rescaled_by_sample": Hint(
        "Your noise is divided by a standard deviation that is estimated from the noise at hand, so candidates depend "
        "on each other. Use the known one: it follows from `beta` and t alone.",
        "the docstring of the stub",
    ),
    "beta_swapped": Hint(
        "Your filter gives the new noise the weight of the old, so probably `beta` and `1 - beta` are swapped: `beta` "
        "is the weight of the NEW noise.",
        "the docstring of the stub",
    ),
    "filter_forgets": Hint(
        "Your filter remembers one step or none, so probably u_{t-1} is used where n_{t-1} is meant: the filter's own "
        "last value, which holds all earlier noise.",
        "the docstring of the stub",
    ),
    "filter_axis": Hint(
        "Your filter runs along the wrong axis or backwards in time, so one candidate's noise depends on another's, or "
        "a step on later steps. It runs along axis 1, the horizon, from the first step to the last.",
        "the docstring of the stub",
    ),
    "filter_first_step": Hint(
        "Your filter starts at the first noise itself, so probably n_0 = u_0. It starts at n_{-1} = 0, so n_0 = "
        "beta * u_0.",
        "the docstring of the stub",
    ),
    "filter_variance": Hint(
        "Your filter is right and its division is not: probably each step is divided by a number other than its own "
        "standard deviation. v_t adds up the squares of the weights of the noise up to step t.",
        "the docstring of the stub",
    ),
    "weights_misplaced": Hint(
        "Your weights belong to other candidates, so probably the returns were sorted and the candidates were not. "
        "Weight i goes to candidate i.",
        "the docstring of the stub",
    ),
    "candidate_left_out": Hint(
        "The first or the last of your candidates never counts, so probably a slice ends one too early. Every "
        "candidate has a weight.",
        "the docstring of the stub",
    ),
    "kappa_divides": Hint(
        "Your weights become more alike as kappa grows, so probably returns are divided by kappa. It multiplies: it is "
        "1 / lambda in the notation of MPPI.",
        "the docstring of the stub",
    ),
    "kappa_ignored": Hint("Your plan does not depend on kappa.", "the docstring of the stub"),
    "best_for_average": Hint(
        "Your plan is the best candidate alone, so probably there is an arg max. What is asked for is the weighted "
        "average of all candidates.",
        "the docstring of the stub",
    ),
    "weights_equal": Hint(
        "Your plan is the plain mean of the candidates, so probably the weights are not used.",
        "the docstring of the stub",
    ),
    "weights_not_normalized": Hint(
        "Your weights do not sum to 1, so probably the division by their sum is missing, or a mean is taken where the "
        "sum over candidates is meant.",
        "the docstring of the stub",
    ),
    "weights_not_exponential": Hint(
        "Your weights are proportional to the returns themselves, so probably the exponential is missing.",
        "the docstring of the stub",
    ),
    "weights_axis": Hint(
        "Your weights or your sum run over the wrong axis, so probably the steps of a plan are weighed against each "
        "other. There is one weight per candidate, and the sum runs over candidates, axis 0.",
        "the docstring of the stub",
    ),
    "returns_standardized": Hint(
        "Your plan does not change when all returns are multiplied by a number, so probably returns are divided by "
        "their spread first. Here only the largest is subtracted.",
        "the docstring of the stub",
    ),
    "softmax_overflows": Hint(
        "Your plan is not a number at large returns, so probably the exponential overflows. Subtract the largest "
        "return first: the weights stay the same.",
        "the docstring of the stub",
    ),
    "impossible_counts": Hint(
        "A candidate with the return -inf has a say in your plan or turns it into NaN, so probably -inf is replaced by "
        "a number, or enters a mean. Its weight is exp(-inf) = 0 without any special case.",
        "the docstring of the stub",
    ),
}
