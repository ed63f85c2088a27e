"""Worked examples of hw4/ensemble.py (given; NumPy only)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hw4.checking.answers import AnyOf, CheckFailed, check_pair
from hw4.checking.rollout_trace import RolloutTrace
from hw4.checking.subject import Seed, Subject
from hw4.checking.worked_example import Array, WorkedExample, few

MANY_TRANSITIONS = 10_000  # so many that a fraction, rounded to one decimal, does not depend on luck


def _run_bootstrap_indices(subject: Subject) -> dict[str, Any]:
    def draw(seed: int) -> Array:
        return _integers(subject.call("ensemble.bootstrap_indices", MANY_TRANSITIONS, 4, generator=Seed(seed)), "draw")

    indices, again, other = draw(0), draw(0), draw(1)
    few = _integers(subject.call("ensemble.bootstrap_indices", 3, 500, generator=Seed(2)), "draw")
    rows = indices.reshape(len(indices), -1) if indices.ndim else indices.reshape(1, 1)
    distinct = np.mean([len(np.unique(row)) for row in rows]) / MANY_TRANSITIONS
    return {
        "shape": np.array(indices.shape),
        "smallest index for N = 3": int(few.min(initial=3)),
        "largest index for N = 3": int(few.max(initial=0)),
        "different rows": len(np.unique(rows, axis=0)),
        "distinct transitions of a member, as a fraction of N": round(float(distinct), 1),
        "mean index, as a fraction of N": round(float(np.mean(indices)) / MANY_TRANSITIONS, 1),
        "same generator, same indices": float(np.array_equal(indices, again)),
        "other seed, same indices": float(np.array_equal(indices, other)),
    }


BOOTSTRAP_INDICES = WorkedExample(
    stub_id="bootstrap_indices",
    story=(
        "N = 10000 transitions, 4 members. Whatever the draw: shape (4, 10000), four different rows, and "
        "in each row about 1 - 1/e = 0.6 of the transitions (drawing with replacement misses the rest). Of N = 3 "
        "transitions 500 members draw every index from 0 to 2 and no other. The same seed gives the same indices, "
        "another seed others."
    ),
    run=_run_bootstrap_indices,
    wanted={
        "shape": np.array([4, MANY_TRANSITIONS]),
        "smallest index for N = 3": 0,
        "largest index for N = 3": 2,
        "different rows": 4,
        "distinct transitions of a member, as a fraction of N": 0.6,
        "mean index, as a fraction of N": 0.5,
        "same generator, same indices": 1.0,
        "other seed, same indices": 0.0,
    },
    slips={
        "shape": {
            "members_share_data": np.array([MANY_TRANSITIONS]),
        },
        "different rows": {"members_share_data": AnyOf((1, 2, 3))},
        "smallest index for N = 3": {"out_of_range": AnyOf((-1, 1))},
        "largest index for N = 3": {"out_of_range": AnyOf((1, 3, 4))},
        "distinct transitions of a member, as a fraction of N": {"without_replacement": 1.0},
        "same generator, same indices": {"generator_ignored": 0.0},
        "other seed, same indices": {"generator_ignored": 1.0},
    },
)


def _integers(answer: Any, what: str) -> Array:
    """The indices that a function drew."""
    indices = few(answer, what)
    if indices.dtype != np.int64:
        raise CheckFailed(f"{what} must be integers of dtype int64, got {indices.dtype}", "wrong_dtype")
    return indices


def _run_member_minibatches(subject: Subject) -> dict[str, Any]:
    data = np.array([[100, 101, 102, 103, 104], [200, 201, 202, 203, 204], [300, 301, 302, 303, 304]])

    def draw(seed: int) -> Array:
        return _integers(subject.call("ensemble.member_minibatches", data, 1000, generator=Seed(seed)), "draw")

    indices, again, other = draw(0), draw(0), draw(1)
    shape_is_right = indices.shape == (3, 1000)
    owned = indices // 100 == np.arange(1, 4)[:, None] if shape_is_right else np.zeros(1)
    return {
        "shape": np.array(indices.shape),
        "fraction from the member's own row": round(float(np.mean(owned)), 2),
        "different rows of positions": len(np.unique(indices % 100, axis=0)) if shape_is_right else 0,
        "entries of the three rows that were drawn": len(np.intersect1d(indices, data)),
        "same generator, same indices": float(np.array_equal(indices, again)),
        "other seed, same indices": float(np.array_equal(indices, other)),
    }


MEMBER_MINIBATCHES = WorkedExample(
    stub_id="member_minibatches",
    story=(
        "Member 1 owns the transitions 100 to 104, member 2 200 to 204, member 3 300 to 304; each draws 1000 with "
        "replacement. Whatever the draw: shape (3, 1000), row e holds only what member e owns, no two members draw the "
        "same positions, and all 15 entries come up. The same seed gives the same indices, another seed others."
    ),
    run=_run_member_minibatches,
    wanted={
        "shape": np.array([3, 1000]),
        "fraction from the member's own row": 1.0,
        "different rows of positions": 3,
        "entries of the three rows that were drawn": 15,
        "same generator, same indices": 1.0,
        "other seed, same indices": 0.0,
    },
    slips={
        "shape": {"without_replacement": np.array([3, 5]), "members_share_minibatch": np.array([1000])},
        "fraction from the member's own row": {"not_own_data": AnyOf((0.0, 0.33, 0.67, *np.arange(30, 38) / 100))},
        "different rows of positions": {"members_share_minibatch": AnyOf((1, 2))},
        "entries of the three rows that were drawn": {"out_of_range": AnyOf((12,))},
        "same generator, same indices": {"generator_ignored": 0.0},
        "other seed, same indices": {"generator_ignored": 1.0},
    },
)


PARTICLE_NOISE = np.array(  # shape (horizon, E, P, obs_dim), for horizon 2, E = 2, P = 3 and obs_dim 1
    [[[0.0, 0.5, -1.0], [0.25, -0.5, 0.75]], [[1.0, -0.5, 1.5], [-0.25, 0.5, 1.0]]]
)[..., None]


def _run_particle_returns(subject: Subject) -> dict[str, Any]:
    action_sequences = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [2.0, -1.0]])[..., None]
    asked: list[tuple[int, ...]] = []

    def predict_distribution(observation: Array, action: Array) -> tuple[Array, Array]:
        asked.append(observation.shape)
        member = np.arange(2.0).reshape(2, 1, 1, 1)
        return observation + action + member, np.broadcast_to(4.0 + 12.0 * member, observation.shape)

    def squared_position(observation: Array, action: Array, next_observation: Array) -> Array:
        reward: Array = next_observation[..., 0] ** 2 + 0.1 * action[..., 0]
        return reward

    start = np.array([1.0])
    trace = RolloutTrace(predict_distribution, squared_position, start, action_sequences, noise=PARTICLE_NOISE)
    returns = subject.call(
        "ensemble.particle_returns", trace.predict, trace.reward, start, action_sequences, PARTICLE_NOISE
    )
    return {
        "returns": returns,
        "sequences in the smallest call of predict_distribution": min((shape[2] for shape in asked), default=0),
        "particles in the smallest call of predict_distribution": min((shape[1] for shape in asked), default=0),
        "calls of predict_distribution": len(asked),
    }


PARTICLE_RETURNS = WorkedExample(
    stub_id="particle_returns",
    story=(
        "Two members of three particles each, and a start at 1. Member 0 moves by the action and predicts a variance "
        "of 4, a standard deviation of 2; member 1 moves by the action plus 1 and predicts a variance of 16. The "
        "reward is the square of the state arrived at plus 0.1 * action. For the actions (1, 0), particle 0 of "
        "member 0 meets the noise 0 and 1 and goes to 2 + 2 * 0 = 2 and 2 + 2 * 1 = 4: 4.1 + 16 = 20.1. Particle 1 "
        "meets 0.5 and -0.5 and goes to 3 and 2: 9.1 + 4 = 13.1. Particle 0 of member 1 meets 0.25 and -0.25 and "
        "goes to 3 + 4 * 0.25 = 4 and 5 - 4 * 0.25 = 4: 16.1 + 16 = 32.1. The other sequences are (0, 1), (0, 0), "
        "(2, -1), and meet the same noise."
    ),
    run=_run_particle_returns,
    wanted={
        "returns": np.array(
            [
                [[20.1, 17.1, 10.0, 25.1], [13.1, 8.1, 5.0, 20.1], [9.1, 10.1, 5.0, 10.1]],
                [[32.1, 25.1, 18.0, 41.1], [17.1, 16.1, 9.0, 20.1], [157.1, 146.1, 125.0, 170.1]],
            ]
        ),
        "sequences in the smallest call of predict_distribution": 4,
        "particles in the smallest call of predict_distribution": 3,
        "calls of predict_distribution": 2,
    },
    slips={
        "returns": {
            "noise_ignored": np.array(
                [
                    [[8.1, 5.1, 2.0, 13.1], [8.1, 5.1, 2.0, 13.1], [8.1, 5.1, 2.0, 13.1]],
                    [[25.1, 20.1, 13.0, 32.1], [25.1, 20.1, 13.0, 32.1], [25.1, 20.1, 13.0, 32.1]],
                ]
            ),
            "std_for_variance": np.array(
                [
                    [[40.1, 37.1, 26.0, 45.1], [20.1, 13.1, 10.0, 29.1], [20.1, 25.1, 18.0, 17.1]],
                    [[65.1, 52.1, 45.0, 80.1], [41.1, 52.1, 45.0, 32.1], [1249.1, 1220.1, 1157.0, 1280.1]],
                ]
            ),
            "spread_ignored": np.array(
                [
                    [[13.1, 10.1, 5.0, 18.1], [10.35, 6.35, 3.25, 16.35], [7.35, 6.35, 2.25, 10.35]],
                    [
                        [26.6625, 21.1625, 14.0625, 34.1625],
                        [22.35, 18.35, 11.25, 28.35],
                        [47.225, 40.725, 30.125, 55.725],
                    ],
                ]
            ),
            "noise_of_another_step": np.array(
                [
                    [[8.1, 5.1, 2.0, 13.1], [25.1, 20.1, 13.0, 32.1], [4.1, 5.1, 10.0, 5.1]],
                    [[52.1, 45.1, 34.0, 61.1], [1.1, 0.1, 1.0, 4.1], [136.1, 125.1, 106.0, 149.1]],
                ]
            ),
            "one_particle_only": np.array(
                [
                    [[20.1, 17.1, 10.0, 25.1], [20.1, 17.1, 10.0, 25.1], [20.1, 17.1, 10.0, 25.1]],
                    [[32.1, 25.1, 18.0, 41.1], [32.1, 25.1, 18.0, 41.1], [32.1, 25.1, 18.0, 41.1]],
                ]
            ),
            "noise_of_another_particle": np.array(
                [
                    [[20.1, 17.1, 10.0, 25.1], [13.1, 8.1, 5.0, 20.1], [9.1, 10.1, 5.0, 10.1]],
                    [[73.1, 68.1, 53.0, 80.1], [41.1, 32.1, 25.0, 52.1], [37.1, 40.1, 29.0, 36.1]],
                ]
            ),
            "states_averaged": np.array(
                [
                    [[25.1, 20.1, 13.0, 32.1], [13.1, 10.1, 5.0, 18.1], [58.1, 53.1, 40.0, 65.1]],
                    [[25.1, 20.1, 13.0, 32.1], [13.1, 10.1, 5.0, 18.1], [58.1, 53.1, 40.0, 65.1]],
                ]
            ),
            "particles_averaged": np.array(
                [
                    [
                        [11.877778, 9.544444, 4.444444, 16.211111],
                        [11.877778, 9.544444, 4.444444, 16.211111],
                        [11.877778, 9.544444, 4.444444, 16.211111],
                    ],
                    [
                        [53.655556, 47.322222, 35.555556, 61.988889],
                        [53.655556, 47.322222, 35.555556, 61.988889],
                        [53.655556, 47.322222, 35.555556, 61.988889],
                    ],
                ]
            ),
            "state_not_propagated": np.array(
                [
                    [[13.1, 17.1, 10.0, 13.1], [9.1, 5.1, 4.0, 17.1], [16.1, 26.1, 17.0, 10.1]],
                    [[17.1, 13.1, 10.0, 25.1], [17.1, 25.1, 16.0, 13.1], [72.1, 74.1, 61.0, 74.1]],
                ]
            ),
            "reward_on_old_observation": np.array(
                [
                    [[5.1, 2.1, 2.0, 10.1], [10.1, 5.1, 5.0, 17.1], [1.1, 2.1, 2.0, 2.1]],
                    [[17.1, 10.1, 10.0, 26.1], [2.1, 1.1, 1.0, 5.1], [37.1, 26.1, 26.0, 50.1]],
                ]
            ),
            "last_reward_only": np.array(
                [
                    [[16.0, 16.1, 9.0, 15.9], [4.0, 4.1, 1.0, 3.9], [9.0, 9.1, 4.0, 8.9]],
                    [[16.0, 16.1, 9.0, 15.9], [16.0, 16.1, 9.0, 15.9], [121.0, 121.1, 100.0, 120.9]],
                ]
            ),
            "last_action_ignored": np.array(
                [
                    [[4.1, 1.0, 1.0, 9.2], [9.1, 4.0, 4.0, 16.2], [0.1, 1.0, 1.0, 1.2]],
                    [[16.1, 9.0, 9.0, 25.2], [1.1, 0.0, 0.0, 4.2], [36.1, 25.0, 25.0, 49.2]],
                ]
            ),
            "mean_taken": AnyOf(
                (
                    np.array([[14.1, 11.766667, 6.666667, 18.433333], [68.766667, 62.433333, 50.666667, 77.1]]),
                    np.array([[26.1, 21.1, 14.0, 33.1], [15.1, 12.1, 7.0, 20.1], [83.1, 78.1, 65.0, 90.1]]),
                    np.array([41.433333, 37.1, 28.666667, 47.766667]),
                )
            ),
            "axes_swapped": np.array(
                [
                    [[20.1, 17.1, 10.0, 25.1], [32.1, 25.1, 18.0, 41.1]],
                    [[13.1, 8.1, 5.0, 20.1], [17.1, 16.1, 9.0, 20.1]],
                    [[9.1, 10.1, 5.0, 10.1], [157.1, 146.1, 125.0, 170.1]],
                ]
            ),
        },
        "sequences in the smallest call of predict_distribution": {"loop_over_sequences": 1},
        "particles in the smallest call of predict_distribution": {"loop_over_particles": 1},
        "calls of predict_distribution": {"extra_predictions": AnyOf((3, 4, 5, 6))},
    },
)


def _run_aggregate_returns(subject: Subject) -> dict[str, Any]:
    returns = np.array([[1.0, 10.0], [3.0, 40.0], [8.0, 10.0]])
    return {name: subject.call("ensemble.aggregate_returns", returns, name) for name in AGGREGATE_RETURNS.wanted}


AGGREGATE_RETURNS = WorkedExample(
    stub_id="aggregate_returns",
    story=(
        "Three members' returns of two plans: 1, 3, 8 and 10, 40, 10. Expected: the means 4 and 20. Pessimistic: the "
        "smallest, 1 and 10. Optimistic: the largest, 8 and 40."
    ),
    run=_run_aggregate_returns,
    wanted={
        "expected": np.array([4.0, 20.0]),
        "pessimistic": np.array([1.0, 10.0]),
        "optimistic": np.array([8.0, 40.0]),
    },
    slips={
        "expected": {
            "sum_for_mean": np.array([12.0, 60.0]),
            "aggregation_axis": AnyOf((np.array([5.5, 21.5, 9.0]), 12.0)),
            "one_member_only": AnyOf((np.array([1.0, 10.0]), np.array([8.0, 10.0]))),
        },
        "pessimistic": {
            "spread_for_extreme": AnyOf((np.array([1.056080, 5.857864]), np.array([0.394449, 2.679492]))),
            "one_member_only": AnyOf((np.array([3.0, 40.0]), np.array([8.0, 10.0]))),
            "pessimism_swapped": np.array([8.0, 40.0]),
            "index_returned": AnyOf((np.array([0.0, 0.0]), np.array([0.0, 2.0]))),
            "aggregation_axis": AnyOf((np.array([1.0, 3.0, 8.0]), 1.0)),
        },
        "optimistic": {
            "spread_for_extreme": AnyOf((np.array([6.943920, 34.142136]), np.array([7.605551, 37.320508]))),
            "pessimism_swapped": np.array([1.0, 10.0]),
            "index_returned": np.array([2.0, 1.0]),
            "aggregation_axis": AnyOf((np.array([10.0, 40.0, 10.0]), 40.0)),
            "one_member_only": AnyOf((np.array([8.0, 10.0]), np.array([3.0, 40.0]))),
        },
    },
)

HALF_LOGS = 0.5 * np.log([4.0, 2.0, 9.0])


def _run_gaussian_nll(subject: Subject) -> dict[str, Any]:
    mean, variance, target = np.array([1.0, 0.0, 3.0]), np.array([4.0, 2.0, 9.0]), np.array([5.0, 2.0, 0.0])
    return {"nll": subject.call("ensemble.gaussian_nll", mean, np.log(variance), target)}


GAUSSIAN_NLL = WorkedExample(
    stub_id="gaussian_nll",
    story=(
        "Errors 4, 2, -3 at variances 4, 2, 9, given as logarithms: 1/2 * (ln 4 + 16/4) = 2.693, "
        "1/2 * (ln 2 + 4/2) = 1.347, 1/2 * (ln 9 + 9/9) = 1.599."
    ),
    run=_run_gaussian_nll,
    wanted={"nll": HALF_LOGS + np.array([2.0, 1.0, 0.5])},
    slips={
        "nll": {
            "log_variance_missing": np.array([2.0, 1.0, 0.5]),
            "likelihood_not_negated": -HALF_LOGS - np.array([2.0, 1.0, 0.5]),
            "log_variance_sign": AnyOf(
                (np.array([2.0, 1.0, 0.5]) - HALF_LOGS, HALF_LOGS + np.array([32.0, 4.0, 40.5]))
            ),
            "variance_for_log_variance": AnyOf(
                (np.array([5.934097, 2.702134, 2.441636]), HALF_LOGS + np.array([5.770780, 2.885390, 2.048038]))
            ),
            "std_for_variance": AnyOf(
                (
                    2 * HALF_LOGS + np.array([0.5, 0.5, 1 / 18]),
                    HALF_LOGS + np.array([0.5, 0.5, 1 / 18]),
                    HALF_LOGS + np.array([4.0, 1.414214, 1.5]),
                )
            ),
            "half_missing": AnyOf((2 * HALF_LOGS + np.array([4.0, 2.0, 1.0]), HALF_LOGS + np.array([4.0, 2.0, 1.0]))),
            "constant_included": HALF_LOGS + np.array([2.0, 1.0, 0.5]) + 0.5 * math.log(2 * math.pi),
            "mean_taken": AnyOf((HALF_LOGS.mean() + 3.5 / 3, HALF_LOGS.sum() + 3.5)),
        },
    },
)


def _run_uncertainty_split(subject: Subject) -> dict[str, Any]:
    means = np.array([[1.0, 5.0, 0.0], [3.0, 5.0, 6.0]])
    variances = np.array([[4.0, 1.0, 9.0], [4.0, 9.0, 25.0]])
    answer = subject.call("ensemble.decompose_uncertainty", means, variances)
    aleatoric, epistemic = check_pair(answer, "decompose_uncertainty(...)")
    return {"aleatoric": aleatoric, "epistemic": epistemic}


UNCERTAINTY_SPLIT = WorkedExample(
    stub_id="uncertainty_split",
    story=(
        "Two members predict three features: means 1, 3 | 5, 5 | 0, 6 and variances 4, 4 | 1, 9 | 9, 25. Aleatoric is "
        "the mean of the variances: 4, 5, 17. Epistemic is the variance of the means: 1, 0, 9 (divisor 2)."
    ),
    run=_run_uncertainty_split,
    wanted={"aleatoric": np.array([4.0, 5.0, 17.0]), "epistemic": np.array([1.0, 0.0, 9.0])},
    slips={
        "aleatoric": {
            "kinds_swapped": np.array([1.0, 0.0, 9.0]),
            "std_for_variance": AnyOf(
                (np.array([2.0, 2.0, 4.0]), np.array([4.0, 4.0, 16.0]), np.sqrt([4.0, 5.0, 17.0]))
            ),
            "aggregation_axis": AnyOf((np.array([14 / 3, 38 / 3]), 26 / 3)),
            "one_member_only": np.array([4.0, 1.0, 9.0]),
        },
        "epistemic": {
            "kinds_swapped": np.array([4.0, 5.0, 17.0]),
            "epistemic_divisor": np.array([2.0, 0.0, 18.0]),
            "deviation_center": np.array([5.0, 25.0, 18.0]),
            "std_for_variance": AnyOf((np.array([1.0, 0.0, 3.0]), np.sqrt([2.0, 0.0, 18.0]))),
            "aggregation_axis": np.array([14 / 3, 14 / 9]),
        },
    },
)
