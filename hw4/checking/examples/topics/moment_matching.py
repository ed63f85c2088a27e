"""Worked examples of hw4/topics/moment_matching.py (given; NumPy only)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hw4.checking.answers import AnyOf, CheckFailed
from hw4.checking.subject import AsNumPy, Subject
from hw4.checking.worked_example import WorkedExample

NAME = "topics.moment_matching_arrays."


def _named(answers: Any, *names: str) -> dict[str, Any]:
    """The entries of a returned tuple, by name."""
    if answers is None:
        raise CheckFailed("the answer is None: a return statement is missing", "returns_none")
    if not isinstance(answers, tuple) or len(answers) != len(names):
        raise CheckFailed(f"there must be {len(names)} values: {', '.join(names)}", "wrong_shape")
    return dict(zip(names, answers, strict=True))


def _call(subject: Subject, function: str, *arrays: Any) -> Any:
    return subject.call(NAME + function, *(AsNumPy(np.array(array, dtype=float)) for array in arrays))


MOMENTS = "mean", "covariance", "covariance with the input"
MATRIX, COV = np.array([[1.0, -1.0]]), np.array([[2.0, 1.0], [1.0, 3.0]])


def _run_linear(subject: Subject) -> dict[str, Any]:
    return _named(_call(subject, "linear", [1.0, 2.0], COV, MATRIX, [3.0], [[0.5]]), *MOMENTS)


MOMENT_MATCH_LINEAR = WorkedExample(
    stub_id="moment_match_linear",
    story=(
        "y is the first entry of x minus the second, plus 3, plus noise of variance 0.5. x has the mean (1, 2), the "
        "variances 2 and 3 and the covariance 1. So y has the mean 1 - 2 + 3 = 2 and the variance 2 + 3 - 2 * 1 + 0.5 "
        "= 3.5, and its covariances with x are 2 - 1 = 1 and 1 - 3 = -2."
    ),
    run=_run_linear,
    wanted={MOMENTS[0]: np.array([2.0]), MOMENTS[1]: np.array([[3.5]]), MOMENTS[2]: np.array([[1.0], [-2.0]])},
    slips={
        MOMENTS[0]: {"linear_offset_missing": np.array([-1.0])},
        MOMENTS[1]: {
            "linear_noise_missing": np.array([[3.0]]),
            "linear_noise_squared": np.array([[3.25]]),
            "linear_cov_is_square": np.array([[5.5]]),
        },
        MOMENTS[2]: {
            "linear_cross_turned": np.array([[1.0, -2.0]]),
            "linear_cross_without_cov": AnyOf((MATRIX, MATRIX.T)),
            "linear_cross_missing": np.zeros((2, 1)),
        },
    },
)

HALF_WAY = math.sqrt(2.0 * math.log(2.0))  # where exp(-x^2 / 2) is 1/2
PREDICTED = "predicted mean", "predicted variance"


def _run_predict(subject: Subject) -> dict[str, Any]:
    one = [[0.0]], [[1.0]], [2.0], [[1.0]], [[[0.2]]]
    return _named(_call_predict(subject, *one), *PREDICTED)


def _call_predict(subject: Subject, *fields: Any) -> Any:
    return _call(subject, "predict", *fields, [[0.0], [HALF_WAY]])


GP_PREDICT = WorkedExample(
    stub_id="gp_predict",
    story=(
        "One data point: 5 was measured at 0, with noise of variance 1. Signal std 2, length scale 1: the inverse is "
        "1 / (4 + 1) = 0.2, the weight 0.2 * 5 = 1. At 0 the kernel is 4: mean 4, variance 4 - 16 * 0.2 = 0.8. At "
        "sqrt(2 log 2) = 1.18 it is 2: mean 2, variance 4 - 4 * 0.2 = 3.2."
    ),
    run=_run_predict,
    wanted={PREDICTED[0]: np.array([[4.0], [2.0]]), PREDICTED[1]: np.array([[0.8], [3.2]])},
    slips={
        PREDICTED[0]: {
            "predict_axes_swapped": np.array([[4.0, 2.0]]),
            "predict_mean_by_inverse": np.array([[0.8], [0.4]]),
        },
        PREDICTED[1]: {
            "predict_axes_swapped": np.array([[0.8, 3.2]]),
            "predict_variance_is_std": np.sqrt([[0.8], [3.2]]),
            "predict_signal_not_squared": AnyOf((np.array([[-1.2], [1.2]]), np.array([[0.0], [1.2]]))),
            "predict_variance_of_prior": np.array([[4.0], [4.0]]),
            "predict_variance_used": np.array([[3.2], [0.8]]),
        },
    },
)

AWAY = math.sqrt(50.0 * math.log(2.0))  # where exp(-x^2 / 50) is 1/2
TWICE = math.exp(-(AWAY**2) / 49.0) / 7.0  # the given integral of the squared kernel
OF_MEANS, UNKNOWN = 4.0 * TWICE - 0.04, 1.0 - 0.5 * TWICE
CROSS = 24.0 * 0.2 * AWAY / 25.0


def _run_match(subject: Subject) -> dict[str, Any]:
    one = [[AWAY]], [[1.0]], [1.0], [[2.0]], [[[0.5]]]
    return _named(_call(subject, "match", *one, [0.0], [[24.0]]), *MOMENTS)


MOMENT_MATCH_GP = WorkedExample(
    stub_id="moment_match_gp",
    story=(
        "One data point at d = sqrt(50 log 2) = 5.89; signal std and length scale 1, weight 2, inverse 0.5. The input "
        "has the mean 0 and the variance 24, so cov + L = 25: q = 1 / 5 * exp(-d^2 / 50) = 1 / 5 * 1 / 2 = 0.1. Mean "
        "2 * 0.1 = 0.2. The given integral is Q = 1 / 7 * exp(-d^2 / 49) = 0.0704. Covariance 2 * 0.0704 * 2 - 0.2^2 + "
        "(1 - 0.5 * 0.0704) = 0.2417 + 0.9648 = 1.2065; with the input 24 * 2 * 0.1 * d / 25 = 1.1303."
    ),
    run=_run_match,
    wanted={
        MOMENTS[0]: np.array([0.2]),
        MOMENTS[1]: np.array([[OF_MEANS + UNKNOWN]]),
        MOMENTS[2]: np.array([[CROSS]]),
    },
    slips={
        MOMENTS[0]: {
            "match_mean_of_mean": np.array([2.0 * math.exp(-(AWAY**2) / 2.0)]),
            "match_determinant": AnyOf((np.array([1.0]), np.array([0.04]))),
        },
        MOMENTS[1]: {
            "match_unknown_missing": np.array([[OF_MEANS]]),
            "match_unknown_of_mean": AnyOf(
                (np.array([[OF_MEANS + 1.0 - 0.5 * math.exp(-(AWAY**2))]]), np.array([[OF_MEANS + 1.0]]))
            ),
            "match_means_not_subtracted": np.array([[OF_MEANS + 0.04 + UNKNOWN]]),
            "match_means_missing": np.array([[UNKNOWN]]),
            "match_unknown_subtracted": np.array([[OF_MEANS - UNKNOWN]]),
            "match_cov_is_variances": np.array([OF_MEANS + UNKNOWN]),
        },
        MOMENTS[2]: {
            "match_cross_without_cov": np.array([[CROSS / 24.0]]),
            "match_cross_missing": np.array([[0.0]]),
            "match_cross_sign": np.array([[-CROSS]]),
            "match_cross_by_scales": np.array([[CROSS * 25.0]]),
            "match_determinant": np.array([[CROSS * 5.0]]),
        },
    },
)

FAR = math.sqrt(18.0 * math.log(1.5))  # where exp(-x^2 / 18) is 2/3


def _run_cost(subject: Subject) -> dict[str, Any]:
    weight = np.diag([1.0, 0.0])
    return {
        f"cost of an {what} state": _call(subject, "cost", [1.0 + FAR, 7.0], cov, [1.0, 0.0], weight)
        for what, cov in (("uncertain", np.diag([8.0, 5.0])), ("almost certain", np.diag([1e-12, 5.0])))
    }


SATURATING_COST = WorkedExample(
    stub_id="saturating_cost",
    story=(
        "The state is d = sqrt(18 log 1.5) = 2.70 from the target in its first entry; the weight of the other is 0. "
        "With the variance 8, |eye + cov weight| = 1 + 8 = 9: the cost is 1 - 1 / 3 * exp(-d^2 / 18) = 1 - 2 / 9 = "
        "0.7778. Without variance it is 1 - exp(-d^2 / 2) = 1 - (2 / 3)^9 = 0.9740: far away, uncertainty is cheap."
    ),
    run=_run_cost,
    wanted={
        "cost of an uncertain state": np.array(7.0 / 9.0),
        "cost of an almost certain state": np.array(1.0 - (2.0 / 3.0) ** 9),
    },
    slips={
        "cost of an uncertain state": {
            "cost_of_mean": np.array(1.0 - (2.0 / 3.0) ** 9),
            "cost_is_reward": np.array(2.0 / 9.0),
            "cost_negative_reward": np.array(-2.0 / 9.0),
            "cost_determinant_missing": np.array(1.0 / 3.0),
            "cost_determinant_not_rooted": AnyOf((np.array(1.0 - 2.0 / 27.0), np.array(-1.0))),
            "cost_exponent_of_mean": np.array(1.0 - (2.0 / 3.0) ** 9 / 3.0),
            "cost_half_missing": np.array(1.0 - 4.0 / 27.0),
            "cost_target_missing": np.array(1.0 - math.exp(-((1.0 + FAR) ** 2) / 18.0) / 3.0),
            "cost_quadratic": AnyOf((np.array(FAR**2), np.array(FAR**2 + 8.0), np.array((FAR**2 + 8.0) / 2.0))),
            "cost_exponent_sign": np.array(0.5),
        }
    },
)
