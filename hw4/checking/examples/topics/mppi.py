"""Worked examples of hw4/topics/mppi.py (given; NumPy only)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hw4.checking.answers import AnyOf
from hw4.checking.subject import Subject
from hw4.checking.worked_example import WorkedExample

WHITE = np.array([[4.0, 0.0, 0.0], [0.0, 5.0, -3.0]])[..., None]  # shape (2, 3, 1)


def _column(first: list[float], second: list[float]) -> Any:
    """Two candidates of three steps and one action, shape (2, 3, 1)."""
    return np.array([first, second])[..., None]


def _run_filter_noise(subject: Subject) -> dict[str, Any]:
    return {
        "filtered": subject.call("topics.mppi.filter_noise", WHITE, 0.25),
        "filtered with beta = 1": subject.call("topics.mppi.filter_noise", WHITE, 1.0),
    }


FILTER_NOISE = WorkedExample(
    stub_id="filter_noise",
    story=(
        "Two candidates of three steps and one action, (4, 0, 0) and (0, 5, -3), and beta = 0.25. The first becomes "
        "n = (1, 0.75, 0.5625), the second (0, 1.25, 0.25 * -3 + 0.75 * 1.25 = 0.1875). The variances are 1/16, then "
        "1/16 + 9/16 * 1/16 = 25/256, then 1/16 + 9/16 * 25/256 = 481/4096, so the standard deviations are 0.25, "
        "0.3125 and 0.34268. Divided by them: (4, 2.4, 1.64146) and (0, 4, 0.54715). With beta = 1 the noise comes "
        "back as it is."
    ),
    run=_run_filter_noise,
    wanted={
        "filtered": _column([4.0, 2.4, 1.641459], [0.0, 4.0, 0.547153]),
        "filtered with beta = 1": WHITE,
    },
    slips={
        "filtered": {
            "noise_not_rescaled": _column([1.0, 0.75, 0.5625], [0.0, 1.25, 0.1875]),
            "noise_rescaled_alike": AnyOf(
                (
                    _column([2.645751, 1.984313, 1.488235], [0.0, 3.307189, 0.496078]),
                    _column([4.0, 3.0, 2.25], [0.0, 5.0, 0.75]),
                )
            ),
            "noise_rescaled_by_sample": AnyOf(
                (
                    _column([2.0, 3.0, 3.0], [0.0, 5.0, 1.0]),
                    _column([1.414214, 2.12132, 2.12132], [0.0, 3.535534, 0.707107]),
                    _column([1.414214, 0.727607, 1.341641], [0.0, 1.212678, 0.447214]),
                    _column([2.301424, 1.726068, 1.294551], [0.0, 2.87678, 0.431517]),
                    _column([2.100903, 1.575677, 1.181758], [0.0, 2.626129, 0.393919]),
                )
            ),
            "std_for_variance": _column([16.0, 7.68, 4.790021], [0.0, 12.8, 1.596674]),
            "beta_swapped": AnyOf(
                (
                    _column([4.0, 0.970143, 0.242091], [0.0, 4.850713, -1.694637]),
                    _column([12.0, 2.4, 0.547153], [0.0, 12.0, -3.83007]),
                    _column([3.0, 0.75, 0.1875], [0.0, 3.75, -1.3125]),
                )
            ),
            "filter_forgets": AnyOf(
                (
                    _column([1.0, 3.0, 0.0], [0.0, 1.25, 3.0]),
                    _column([4.0, 9.6, 0.0], [0.0, 4.0, 8.754446]),
                    _column([4.0, 3.794733, 0.0], [0.0, 1.581139, 3.794733]),
                    _column([1.0, 0.0, 0.0], [0.0, 1.25, -0.75]),
                    _column([4.0, 0.0, 0.0], [0.0, 4.0, -2.188612]),
                    WHITE,
                )
            ),
            "filter_axis": AnyOf(
                (
                    _column([1.0, 0.0, 0.0], [0.75, 1.25, -0.75]),
                    _column([4.0, 0.0, 0.0], [2.4, 4.0, -2.4]),
                    _column([4.0, 0.0, 0.0], [3.0, 4.0, -2.188612]),
                    _column([1.0, 0.0, 0.0], [0.515625, 0.6875, -0.75]),
                    _column([2.918149, 0.0, 0.0], [1.50467, 2.2, -3.0]),
                    _column([4.0, 0.0, 0.0], [2.0625, 2.2, -2.188612]),
                )
            ),
            "filter_first_step": AnyOf(
                (
                    _column([4.0, 3.0, 2.25], [0.0, 1.25, 0.1875]),
                    _column([16.0, 9.6, 6.565835], [0.0, 4.0, 0.547153]),
                    _column([4.0, 3.794733, 3.496629], [0.0, 1.581139, 0.291386]),
                )
            ),
        },
        "filtered with beta = 1": {
            "beta_swapped": _column([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
            "state_kept": _column([16.0, 0.0, 0.0], [0.0, 16.0, -8.754446]),
        },
    },
)

CANDIDATES = np.array([[0.0, 10.0], [1.0, 20.0], [10.0, 0.0]])[..., None]  # shape (3, 2, 1)
IMPOSSIBLE = np.full((1, 2, 1), 100.0)
DOUBLES = math.log(2.0)  # with this kappa each unit of return doubles a weight


def _plan(first: float, second: float) -> Any:
    return np.array([[first], [second]])


def _run_mppi_update(subject: Subject) -> dict[str, Any]:
    returns = np.array([5.0, 8.0, 5.0])
    four = np.concatenate([CANDIDATES, IMPOSSIBLE])
    four_returns = np.array([5.0, 8.0, 5.0, -np.inf])
    return {
        "plan": subject.call("topics.mppi.mppi_update", returns, CANDIDATES, kappa=DOUBLES),
        "plan with an impossible candidate": subject.call("topics.mppi.mppi_update", four_returns, four, kappa=DOUBLES),
        "plan at returns 1000 higher": subject.call(
            "topics.mppi.mppi_update", returns + 1000.0, CANDIDATES, kappa=DOUBLES
        ),
    }


MPPI_UPDATE = WorkedExample(
    stub_id="mppi_update",
    story=(
        "Three candidates of two steps and one action, (0, 10), (1, 20) and (10, 0), with the returns 5, 8 and 5. With "
        "kappa = ln 2 = 0.6931 every unit of return doubles the weight, so the second weighs 8 times as much as the "
        "others: the weights are 0.1, 0.8 and 0.1. The plan is (0.8 * 1 + 0.1 * 10, 0.1 * 10 + 0.8 * 20) = (1.8, 17). "
        "A fourth candidate (100, 100) with the return -inf changes nothing, and neither do returns that are all 1000 "
        "higher."
    ),
    run=_run_mppi_update,
    wanted={
        "plan": _plan(1.8, 17.0),
        "plan with an impossible candidate": _plan(1.8, 17.0),
        "plan at returns 1000 higher": _plan(1.8, 17.0),
    },
    slips={
        "plan": {
            "kappa_divides": _plan(1.102829, 19.614391),
            "kappa_ignored": _plan(1.362228, 18.641645),
            "takes_smallest": _plan(4.764706, 5.882353),
            "best_for_average": _plan(1.0, 20.0),
            "weights_equal": _plan(11 / 3, 10.0),
            "weights_not_normalized": AnyOf(
                (
                    _plan(2.25, 21.25),
                    _plan(576.0, 5440.0),
                    _plan(0.75, 7.083333),
                    _plan(192.0, 5440 / 3),
                    _plan(0.6, 17 / 3),
                )
            ),
            "weights_not_exponential": _plan(3.222222, 11.666667),
            "weights_axis": AnyOf((_plan(5.5, 15.0), np.array([[5.0], [10.5], [5.0]]))),
            "returns_standardized": AnyOf((_plan(2.25966, 15.276275), _plan(2.503195, 14.363018), _plan(3.0, 12.5))),
        },
        "plan with an impossible candidate": {
            "impossible_counts": AnyOf((_plan(27.75, 32.5), _plan(100.0, 100.0))),
        },
        "plan at returns 1000 higher": {},
    },
)
