"""Worked examples of hw4/topics/latent_models.py (given; NumPy only)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from hw4.checking.answers import AnyOf
from hw4.checking.subject import Subject
from hw4.checking.worked_example import WorkedExample

LOG_2PI = math.log(2 * math.pi)
TURN, PROCESS = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 0.0]])
LOOK, NOISE = np.array([[1.0, 0.0]]), np.array([[1.0]])


def _run_kalman(subject: Subject) -> dict[str, Any]:
    mean, covariance, log_likelihood = subject.call(
        "topics.latent_models.kalman_step",
        np.array([0.0, 1.0]),
        np.eye(2),
        np.array([3.0]),
        transition=TURN,
        process_covariance=PROCESS,
        emission=LOOK,
        observation_covariance=NOISE,
    )
    return {"mean": mean, "covariance": covariance, "log likelihood": log_likelihood}


KALMAN_STEP = WorkedExample(
    stub_id="kalman_step",
    story=(
        "A place and a velocity, believed to be (0, 1) with covariance I. A step adds the velocity to the place, A = "
        "((1, 1), (0, 1)), with noise Q = ((1, 0), (0, 0)). So the predicted mean is (1, 1), and the predicted "
        "covariance A A^T + Q = ((3, 1), (1, 1)). The place is observed with noise of variance 1: V = 3 + 1 = 4, and "
        "the gain is (3, 1) / 4. At the observation 3 the surprise is 2: the new mean is (1, 1) + 2 * (0.75, 0.25) = "
        "(2.5, 1.5), the new covariance ((0.75, 0.25), (0.25, 0.75)), and the log likelihood -1/2 (4/4 + ln 4 + ln 2 "
        "pi) = -2.112."
    ),
    run=_run_kalman,
    wanted={
        "mean": np.array([2.5, 1.5]),
        "covariance": np.array([[0.75, 0.25], [0.25, 0.75]]),
        "log likelihood": -0.5 * (1.0 + math.log(4.0) + LOG_2PI),
    },
    slips={
        "mean": {
            "kalman_not_predicted": np.array([1.5, 1.0]),
            "kalman_process_noise_missing": np.array([1 + 4 / 3, 1 + 2 / 3]),
            "kalman_transition_transposed": np.array([1.5, 2.0]),
            "kalman_not_corrected": np.array([1.0, 1.0]),
            "kalman_surprise_reversed": np.array([-0.5, 0.5]),
            "kalman_observation_noise_missing": np.array([3.0, 1 + 2 / 3]),
        },
        "covariance": {
            "kalman_not_predicted": np.array([[0.5, 0.0], [0.0, 1.0]]),
            "kalman_not_corrected": np.array([[3.0, 1.0], [1.0, 1.0]]),
            "kalman_covariance_grows": np.array([[5.25, 1.75], [1.75, 1.25]]),
        },
        "log likelihood": {
            "likelihood_without_constant": -0.5 * (1.0 + math.log(4.0)),
            "likelihood_without_determinant": -0.5 * (1.0 + LOG_2PI),
            "likelihood_determinant_sign": -0.5 * (1.0 - math.log(4.0) + LOG_2PI),
            "likelihood_negated": 0.5 * (1.0 + math.log(4.0) + LOG_2PI),
            "likelihood_without_half": -(1.0 + math.log(4.0) + LOG_2PI),
            "likelihood_is_no_logarithm": math.exp(-0.5 * (1.0 + math.log(4.0) + LOG_2PI)),
            "likelihood_without_inverse": -0.5 * (16.0 + math.log(4.0) + LOG_2PI),
        },
    },
)

ONE = np.array([[1.0]])


def _run_elbo(subject: Subject) -> dict[str, Any]:
    def bound(mean: float, variance: float) -> Any:
        return subject.call(
            "topics.latent_models.elbo",
            np.array([mean]),
            np.array([[variance]]),
            np.array([2.0]),
            prior_mean=np.zeros(1),
            prior_covariance=ONE,
            emission=ONE,
            observation_covariance=ONE,
        )

    return {"bound of the prior": bound(0.0, 1.0), "bound of the exact posterior": bound(1.0, 0.5)}


_TIGHT = -0.5 * (2.0 + math.log(2.0) + LOG_2PI)
_EXACT_KL = 0.5 * (0.5 + 1.0 - 1.0 + math.log(2.0))
_PRIOR = -0.5 * (4.0 + 1.0 + LOG_2PI)
ELBO = WorkedExample(
    stub_id="elbo",
    story=(
        "One number z ~ N(0, 1) is observed with noise of variance 1, and the observation is 2. If q is the prior, the "
        "divergence is 0, and the bound is the expected log likelihood: -1/2 (2^2 + 1 + ln 2 pi) = -3.419. The exact "
        "posterior is N(1, 1/2). There the expected log likelihood is -1/2 (1 + 1/2 + ln 2 pi) = -1.669, and the "
        "divergence 1/2 (1/2 + 1 - 1 + ln 2) = 0.597: the bound -2.266 is log p(o), the log density of 2 under N(0, 2)."
    ),
    run=_run_elbo,
    wanted={"bound of the prior": _PRIOR, "bound of the exact posterior": _TIGHT},
    slips={
        "bound of the prior": {
            "elbo_at_the_mean": _PRIOR + 0.5,
            "elbo_without_constant": _PRIOR + 0.5 * LOG_2PI,
            "elbo_dimension_missing": AnyOf((_PRIOR - 0.5, _PRIOR + 0.5)),
            "elbo_negated": -_PRIOR,
            "elbo_is_the_evidence": _TIGHT,
        },
        "bound of the exact posterior": {
            "elbo_divergence_added": _TIGHT + 2 * _EXACT_KL,
            "elbo_divergence_missing": _TIGHT + _EXACT_KL,
            "elbo_divergence_reversed": _TIGHT + _EXACT_KL - 0.5 * (2.0 + 2.0 - 1.0 - math.log(2.0)),
            "elbo_determinants_swapped": _TIGHT + math.log(2.0),
            "elbo_determinants_missing": _TIGHT + 0.5 * math.log(2.0),
            "elbo_without_shift": _TIGHT + 0.5,
        },
    },
)


def _run_kl(subject: Subject) -> dict[str, Any]:
    mean, log_variance = np.array([[1.0, 0.0], [3.0, 5.0]]), np.zeros((2, 2))
    other_mean = np.array([[0.0, 0.0], [3.0, 5.0]])
    other_log_variance = np.array([[math.log(4.0), 0.0], [0.0, 0.0]])
    answer = subject.call("topics.latent_models.gaussian_kl", mean, log_variance, other_mean, other_log_variance)
    return {"divergence": answer}


_KL = 0.5 * (math.log(4.0) - 0.5)
GAUSSIAN_KL = WorkedExample(
    stub_id="gaussian_kl",
    story=(
        "Two Gaussians over two numbers. In the first pair, q has the means (1, 0) and the variances (1, 1), p has (0, "
        "0) and (4, 1). The first number gives 1/2 (ln 4 - 0 + (1 + 1^2) / 4 - 1) = 0.443, the second 0: together "
        "0.443. In the second pair q and p are equal: 0."
    ),
    run=_run_kl,
    wanted={"divergence": np.array([_KL, 0.0])},
    slips={
        "divergence": {
            "kl_reversed": np.array([0.5 * (4.0 + 1.0 - 1.0 - math.log(4.0)), 0.0]),
            "kl_negated": np.array([-_KL, 0.0]),
            "kl_without_half": np.array([2 * _KL, 0.0]),
            "kl_without_one": np.array([_KL + 1.0, 1.0]),
            "kl_mean_for_sum": np.array([_KL / 2, 0.0]),
            "kl_summed_over_all": AnyOf((_KL, _KL / 2)),
            "kl_without_shift": np.array([_KL - 1 / 8, 0.0]),
            "kl_shift_not_scaled": np.array([_KL - 1 / 8 + 1 / 2, 0.0]),
            "kl_logarithms_swapped": np.array([_KL - math.log(4.0), 0.0]),
            "kl_not_summed": np.array([[_KL, 0.0], [0.0, 0.0]]),
        }
    },
)


def _run_update(subject: Subject) -> dict[str, Any]:
    def remember(inputs: Any, memory: Any) -> Any:
        return 0.5 * memory + inputs

    def head(memory: Any) -> Any:
        return memory - np.array([0.0, 5.0])

    memory, mean, log_variance = subject.call(
        "topics.latent_models.update_belief",
        remember,
        head,
        np.array([[2.0, 4.0]]),
        np.array([[3.0]]),
        np.array([[1.0]]),
    )
    return {"memory": memory, "mean": mean, "log variance": log_variance}


UPDATE_BELIEF = WorkedExample(
    stub_id="update_belief",
    story=(
        "A memory of two numbers, (2, 4), one feature, 3, and the last action, 1. Here `remember` halves the memory "
        "and adds the inputs (3, 1): the new memory is (4, 3). And `head` subtracts (0, 5) from it: the mean is 4 and "
        "the log variance -2."
    ),
    run=_run_update,
    wanted={"memory": np.array([[4.0, 3.0]]), "mean": np.array([[4.0]]), "log variance": np.array([[-2.0]])},
    slips={
        "memory": {
            "belief_order": np.array([[2.0, 5.0]]),
            "belief_without_features": np.array([[1.0, 3.0]]),
            "belief_without_action": np.array([[4.0, 2.0]]),
            "belief_without_memory": np.array([[3.0, 1.0]]),
            "belief_memory_not_new": np.array([[2.0, 4.0]]),
        },
        "mean": {"belief_swapped": np.array([[-2.0]]), "belief_of_old_memory": np.array([[2.0]])},
        "log variance": {"belief_swapped": np.array([[4.0]]), "belief_of_old_memory": np.array([[-1.0]])},
    },
)


def _run_rollout(subject: Subject) -> dict[str, Any]:
    def step(latent: Any, action: Any) -> Any:
        return 2.0 * latent + action

    actions = np.array([[[1.0], [-1.0], [3.0]], [[0.0], [1.0], [0.0]]])
    return {"latents": subject.call("topics.latent_models.rollout_latent", step, np.array([[1.0], [0.0]]), actions)}


def _latents(first: tuple[float, ...], second: tuple[float, ...]) -> Any:
    return np.array([first, second])[..., None]


ROLLOUT_LATENT = WorkedExample(
    stub_id="rollout_latent",
    story=(
        "Latents and actions of one number, and dynamics that double the latent and add the action. The first sequence "
        "starts at 1 and has the actions 1, -1, 3: 1, 3, 5, 13. The second starts at 0 and has 0, 1, 0: 0, 0, 1, 2."
    ),
    run=_run_rollout,
    wanted={"latents": _latents((1, 3, 5, 13), (0, 0, 1, 2))},
    slips={
        "latents": {
            "rollout_from_start": _latents((1, 3, 1, 5), (0, 0, 1, 0)),
            "rollout_first_action": _latents((1, 3, 7, 15), (0, 0, 0, 0)),
            "rollout_last_action": _latents((1, 5, 13, 29), (0, 0, 0, 0)),
            "rollout_without_actions": _latents((1, 2, 4, 8), (0, 0, 0, 0)),
            "rollout_backwards": _latents((1, 5, 9, 19), (0, 0, 1, 2)),
            "rollout_late": _latents((1, 2, 5, 9), (0, 0, 0, 1)),
            "rollout_start_missing": _latents((3, 5, 13), (0, 1, 2)),
            "rollout_end_missing": _latents((1, 3, 5), (0, 0, 1)),
            "rollout_only_end": np.array([[13.0], [2.0]]),
            "rollout_time_axis": _latents((1, 3, 5, 13), (0, 0, 1, 2)).swapaxes(0, 1),
        }
    },
)

PLANS = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, -0.5], [-1.0, -1.0]])[..., None]


def _run_plan(subject: Subject) -> dict[str, Any]:
    def step(latent: Any, action: Any) -> Any:
        return latent + action

    def reward(latent: Any, action: Any) -> Any:
        return (-((latent - 1.0) ** 2) - 0.1 * action**2)[..., 0]

    noise: Callable[[int], Any] = lambda count: PLANS[:count]  # noqa: E731
    plan = subject.call(
        "topics.latent_models.plan_latent",
        step,
        reward,
        np.zeros(1),
        np.zeros((2, 1)),
        np.ones((2, 1)),
        np.array([-1.0]),
        np.array([1.0]),
        population_size=4,
        num_iterations=1,
        num_elites=1,
        smoothing=0.0,
        noise=noise,
        num_kept_elites=0,
    )
    return {"plan": plan}


PLAN_LATENT = WorkedExample(
    stub_id="plan_latent",
    story=(
        "The latent 0 moves by the action, and the reward of latent z and action a is -(z - 1)^2 - 0.1 a^2. Four plans "
        "of two steps are tried once, and the best one is the answer: (1, 0) goes to 1 at once and is worth -1.1 + 0 = "
        "-1.1; (0, 1) is worth -1 - 1.1 = -2.1, (0.5, -0.5) is worth -1.025 - 0.275 = -1.3, and (-1, -1) -1.1 - 4.1 = "
        "-5.2."
    ),
    run=_run_plan,
    wanted={"plan": PLANS[0]},
    slips={
        "plan": {
            "plan_first_reward": PLANS[1],
            "plan_stays_at_the_start": PLANS[2],
            "plan_negated": PLANS[3],
            "plan_not_searched": np.zeros((2, 1)),
        }
    },
)
