"""Worked examples of hw4/topics/bayesian_networks.py (given; NumPy only)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hw4.checking.subject import Subject
from hw4.checking.worked_example import WorkedExample

NAME = "topics.bayesian_networks."
LOG_1 = math.log(math.e - 1.0)  # its softplus is 1
LOG_2 = math.log(math.exp(2.0) - 1.0)  # its softplus is 2


def _run_weights(subject: Subject) -> dict[str, Any]:
    noise = np.array([[1.0, -1.0], [0.0, 0.5]])
    return {"weights": subject.call(NAME + "sample_weights", np.array([3.0, 5.0]), np.array([LOG_1, LOG_2]), noise)}


SAMPLE_WEIGHTS = WorkedExample(
    stub_id="sample_weights",
    story=(
        "Two weights with means 3 and 5. Their raw stds log(e - 1) and log(e^2 - 1) make the stds 1 and 2. Two draws, "
        "with noise (1, -1) and (0, 0.5): (3 + 1, 5 - 2) = (4, 3) and (3, 5 + 1) = (3, 6)."
    ),
    run=_run_weights,
    wanted={"weights": np.array([[4.0, 3.0], [3.0, 6.0]])},
    slips={
        "weights": {
            "weights_std_not_softplus": np.array(
                [[3 + math.e - 1, 5 - math.exp(2) + 1], [3.0, 5 + (math.exp(2) - 1) / 2]]
            ),
            "weights_mean_missing": np.array([[1.0, -2.0], [0.0, 1.0]]),
            "weights_noise_missing": np.array([[3.0, 5.0], [3.0, 5.0]]),
            "weights_noise_subtracted": np.array([[2.0, 7.0], [3.0, 4.0]]),
        }
    },
)


def _run_kl(subject: Subject) -> dict[str, Any]:
    return {
        "divergence": subject.call(NAME + "weights_kl", np.array([2.0, 0.0]), np.array([LOG_1, LOG_2]), 2.0),
        "divergence of the prior": subject.call(NAME + "weights_kl", np.zeros(2), np.full(2, LOG_2), 2.0),
    }


KL = math.log(2.0) + 5.0 / 8.0 - 0.5
WEIGHTS_KL = WorkedExample(
    stub_id="weights_kl",
    story=(
        "The prior's std is 2. A weight with mean 2 and std 1 has log(2 / 1) + (1 + 4) / (2 * 4) - 1/2 = 0.6931 + "
        "0.625 - 0.5 = 0.8181 nats. One with mean 0 and std 2 is the prior, and adds 0. Two of these: 0."
    ),
    run=_run_kl,
    wanted={"divergence": np.array(KL), "divergence of the prior": np.array(0.0)},
    slips={
        "divergence": {
            "prior_kl_reversed": np.array(-math.log(2.0) + 8.0 / 2.0 - 0.5),
            "prior_kl_negated": np.array(-KL),
            "prior_kl_averaged": np.array(KL / 2),
            "prior_kl_not_summed": np.array([KL, 0.0]),
        },
        "divergence of the prior": {"prior_kl_without_half": np.array(1.0)},
    },
)


def _run_loss(subject: Subject) -> dict[str, Any]:
    nll = np.array([[1.0, 3.0], [0.0, 2.0]])
    return {"loss": subject.call(NAME + "variational_loss", nll, np.array(20.0), 40)}


VARIATIONAL_LOSS = WorkedExample(
    stub_id="variational_loss",
    story=(
        "Two functions and a minibatch of two transitions of 40. The means of -log p are 2 and 1; the divergence of 20 "
        "nats is 20 / 40 = 0.5 a transition. So the losses are 2.5 and 1.5."
    ),
    run=_run_loss,
    wanted={"loss": np.array([2.5, 1.5])},
    slips={
        "loss": {
            "loss_kl_by_batch": np.array([12.0, 11.0]),
            "loss_kl_not_scaled": np.array([22.0, 21.0]),
            "loss_terms_summed": np.array([4.5, 2.5]),
            "loss_kl_subtracted": np.array([1.5, 0.5]),
            "loss_kl_missing": np.array([2.0, 1.0]),
            "loss_over_all": np.array(2.0),
        }
    },
)


def _run_mask(subject: Subject) -> dict[str, Any]:
    uniform, logit = np.array([0.5, 0.9, 0.1]), np.array(-math.log(3.0))
    return {
        "mask": subject.call(NAME + "concrete_mask", logit, uniform, 0.5),
        "cold mask": subject.call(NAME + "concrete_mask", logit, uniform, 0.01),
    }


CONCRETE_MASK = WorkedExample(
    stub_id="concrete_mask",
    story=(
        "p = 1/4, so the logit is log(1/3), and 1 / (1 - p) = 4/3. At temperature 1/2 the sigmoid of 2 log(r) is r^2 / "
        "(1 + r^2). With u = 0.5, r = 1/3 * 1: dropped 1/10, mask 0.9 * 4/3 = 1.2. With u = 0.9, r = 1/3 * 9 = 3: "
        "dropped 9/10, mask 0.1333. With u = 0.1, r = 1/27: dropped 1/730, mask 1.3315. At temperature 0.01 the "
        "mask is that of plain dropout: 4/3, 0 and 4/3."
    ),
    run=_run_mask,
    wanted={
        "mask": np.array([0.9, 0.1, 729 / 730]) * 4 / 3,
        "cold mask": np.array([4 / 3, 0.0, 4 / 3]),
    },
    slips={
        "mask": {
            "mask_not_rescaled": np.array([0.9, 0.1, 729 / 730]),
            "mask_is_what_drops": np.array([0.1, 0.9, 1 / 730]),
            "mask_noise_turned": np.array([0.9, 729 / 730, 0.1]) * 4 / 3,
            "mask_temperature_ignored": np.array([0.75, 0.25, 27 / 28]) * 4 / 3,
        },
        "cold mask": {"mask_not_rescaled": np.array([1.0, 0.0, 1.0])},
    },
)


def _run_regularizer(subject: Subject) -> dict[str, Any]:
    weight = np.array([[1.0, 0.0, 2.0], [0.0, 2.0, 1.0]])
    return {
        "regulariser": subject.call(NAME + "dropout_regularizer", weight, np.array(0.0), 2.0),
        "regulariser without weights": subject.call(
            NAME + "dropout_regularizer", 0 * weight, np.array(-math.log(3.0)), 2.0
        ),
    }


QUARTER = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
DROPOUT_REGULARIZER = WorkedExample(
    stub_id="dropout_regularizer",
    story=(
        "Two inputs, three outputs, squares of the weights that sum to 10, length scale 2. At logit 0, p = 1/2: "
        "4 / (2 * 0.5) * 10 - 2 log 2 = 40 - 1.3863 = 38.6137. Without weights, at p = 1/4: - 2 H(1/4) = -2 * 0.5623 = "
        "-1.1247."
    ),
    run=_run_regularizer,
    wanted={
        "regulariser": np.array(40 - 2 * math.log(2.0)),
        "regulariser without weights": np.array(-2 * QUARTER),
    },
    slips={
        "regulariser": {
            "dropout_entropy_added": np.array(40 + 2 * math.log(2.0)),
            "dropout_entropy_once": np.array(40 - math.log(2.0)),
            "dropout_weights_of_the_wrong_share": np.array(20 - 2 * math.log(2.0)),
            "dropout_without_half": np.array(80 - 2 * math.log(2.0)),
        },
        "regulariser without weights": {
            "dropout_entropy_missing": np.array(0.0),
            "dropout_entropy_in_bits": np.array(-2 * QUARTER / math.log(2.0)),
        },
    },
)
