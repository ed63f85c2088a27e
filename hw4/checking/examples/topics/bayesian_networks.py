"""Worked examples of hw4/topics/bayesian_networks.py (given; NumPy only)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hw4.checking.answers import AnyOf
from hw4.checking.subject import Subject
from hw4.checking.worked_example import WorkedExample

NAME = "topics.bayesian_networks."
LOG_1 = math.log(math.e - 1.0)  # its softplus is 1
LOG_2 = math.log(math.exp(2.0) - 1.0)  # its softplus is 2
LOG_HALF = math.log(math.exp(0.5) - 1.0)  # its softplus is 1/2

MEANS, RAW_STDS, STDS = np.array([3.0, 5.0]), np.array([LOG_1, LOG_2]), np.array([1.0, 2.0])
NOISE = np.array([[1.0, -1.0], [0.0, 0.5]])


def _run_weights(subject: Subject) -> dict[str, Any]:
    return {"weights": subject.call(NAME + "sample_weights", MEANS, RAW_STDS, NOISE)}


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
            "weights_std_not_softplus": AnyOf((MEANS + np.exp(RAW_STDS) * NOISE, MEANS + RAW_STDS * NOISE)),
            "weights_std_is_variance": AnyOf((MEANS + np.sqrt(STDS) * NOISE, MEANS + STDS**2 * NOISE)),
            "weights_mean_missing": STDS * NOISE,
            "weights_noise_missing": np.stack([MEANS, MEANS]),
            "weights_noise_shared": np.array([[4.0, 3.0], [4.0, 3.0]]),
            "weights_noise_subtracted": MEANS - STDS * NOISE,
        }
    },
)

KL_MEANS, KL_RAW, KL_STDS = np.array([1.0, 0.0]), np.array([LOG_HALF, LOG_2]), np.array([0.5, 2.0])


def _kl(logarithm: Any, std: Any, mean: Any, prior: float) -> Any:
    """Terms of the divergence, from log(prior / std) and what stands for the others."""
    return logarithm + (std**2 + mean**2) / (2.0 * prior**2) - 0.5


RATIO = np.log(2.0 / KL_STDS)
TERMS = _kl(RATIO, KL_STDS, KL_MEANS, 2.0)
REVERSED = -RATIO + (4.0 + KL_MEANS**2) / (2.0 * KL_STDS**2) - 0.5


def _run_kl(subject: Subject) -> dict[str, Any]:
    return {
        "divergence": subject.call(NAME + "weights_kl", KL_MEANS, KL_RAW, 2.0),
        "divergence of the prior": subject.call(NAME + "weights_kl", np.zeros(2), np.full(2, LOG_2), 2.0),
    }


WEIGHTS_KL = WorkedExample(
    stub_id="weights_kl",
    story=(
        "The prior's std is 2. A weight with mean 1 and std 1/2 has log(2 / 0.5) + (0.25 + 1) / (2 * 4) - 1/2 = 1.3863 "
        "+ 0.1563 - 0.5 = 1.0425 nats. One with mean 0 and std 2 is the prior, and adds 0. Two of these: 0."
    ),
    run=_run_kl,
    wanted={"divergence": TERMS.sum(), "divergence of the prior": np.array(0.0)},
    slips={
        "divergence": {
            "prior_kl_reversed": REVERSED.sum(),
            "prior_kl_negated": -TERMS.sum(),
            "prior_kl_averaged": TERMS.mean(),
            "prior_kl_not_summed": TERMS,
            "prior_kl_without_half": AnyOf((2 * TERMS.sum(), TERMS.sum() + 1.0)),
            "prior_kl_of_unit_prior": AnyOf(
                (_kl(-np.log(KL_STDS), KL_STDS, KL_MEANS, 1.0).sum(), TERMS.sum() - 2 * math.log(2.0))
            ),
            "prior_kl_variance_for_std": AnyOf(
                (
                    (RATIO + (KL_STDS + KL_MEANS**2) / 4.0 - 0.5).sum(),
                    (RATIO + (KL_STDS**2 + KL_MEANS**2) / 4.0 - 0.5).sum(),
                )
            ),
            "prior_kl_raw_std": AnyOf(
                (
                    _kl(math.log(2.0) - KL_RAW, np.exp(KL_RAW), KL_MEANS, 2.0).sum(),
                    _kl(math.log(2.0) - np.log(np.abs(KL_RAW)), KL_RAW, KL_MEANS, 2.0).sum(),
                )
            ),
            "prior_kl_without_mean": TERMS.sum() - 1.0 / 8.0,
            "prior_kl_logarithms_swapped": (TERMS - 2 * RATIO).sum(),
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
            "loss_kl_not_scaled": AnyOf((np.array([22.0, 21.0]), np.array([24.0, 22.0]))),
            "loss_times_data": np.array([100.0, 60.0]),
            "loss_terms_summed": AnyOf((np.array([4.5, 2.5]), np.array([5.0, 3.0]))),
            "loss_kl_subtracted": np.array([1.5, 0.5]),
            "loss_kl_missing": np.array([2.0, 1.0]),
            "loss_over_all": AnyOf((np.array(2.0), np.array(6.5))),
            "loss_kl_by_draws": np.array([2.25, 1.25]),
        }
    },
)

UNIFORM, LOGIT, KEEP = np.array([0.5, 0.9, 0.1]), -math.log(3.0), 0.75
NOISE_OF_UNIFORM = np.log(UNIFORM / (1 - UNIFORM))


def _dropped(inside: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-inside))


DROPPED = _dropped(2 * (LOGIT + NOISE_OF_UNIFORM))


def _run_mask(subject: Subject) -> dict[str, Any]:
    return {
        "mask": subject.call(NAME + "concrete_mask", np.array(LOGIT), UNIFORM, 0.5),
        "cold mask": subject.call(NAME + "concrete_mask", np.array(LOGIT), UNIFORM, 0.01),
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
            "mask_not_rescaled": 1 - DROPPED,
            "mask_is_what_drops": AnyOf((DROPPED, DROPPED / KEEP, DROPPED / (1 - KEEP))),
            "mask_rescaled_by_p": AnyOf(((1 - DROPPED) / (1 - KEEP), (1 - DROPPED) * KEEP)),
            "mask_probability_for_logit": AnyOf(
                tuple((1 - _dropped(2 * (p + NOISE_OF_UNIFORM))) / KEEP for p in (0.25, math.log(0.25)))
            ),
            "mask_temperature_ignored": AnyOf(
                (
                    (1 - _dropped(LOGIT + NOISE_OF_UNIFORM)) / KEEP,
                    (1 - _dropped((LOGIT + NOISE_OF_UNIFORM) / 2)) / KEEP,
                    (1 - _dropped(2 * LOGIT + NOISE_OF_UNIFORM)) / KEEP,
                    (1 - _dropped(LOGIT + 2 * NOISE_OF_UNIFORM)) / KEEP,
                )
            ),
            "mask_noise_missing": AnyOf(
                (
                    np.full(3, (1 - _dropped(2 * LOGIT)) / KEEP),
                    (1 - _dropped(2 * (LOGIT + np.log(UNIFORM)))) / KEEP,
                )
            ),
            "mask_noise_turned": (1 - _dropped(2 * (LOGIT - NOISE_OF_UNIFORM))) / KEEP,
            "mask_is_hard": np.array([4 / 3, 0.0, 4 / 3]),
        },
        "cold mask": {"mask_not_rescaled": np.array([1.0, 0.0, 1.0])},
    },
)

QUARTER = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)  # nats of a coin that shows heads once in four times
WEIGHT = np.array([[1.0, 0.0, 2.0], [0.0, 2.0, 1.0]])


def _run_regularizer(subject: Subject) -> dict[str, Any]:
    call = NAME + "dropout_regularizer"
    return {
        "regulariser": subject.call(call, WEIGHT, np.array(LOGIT), 3.0),
        "regulariser without weights": subject.call(call, 0 * WEIGHT, np.array(0.0), 3.0),
    }


def _squares_times(*factors: float) -> AnyOf:
    return AnyOf(tuple(np.array(factor * 10.0 - 2 * QUARTER) for factor in factors))


DROPOUT_REGULARIZER = WorkedExample(
    stub_id="dropout_regularizer",
    story=(
        "Two inputs, three outputs, squares of the weights that sum to 10, length scale 3. At logit log(1/3), p = 1/4: "
        "9 / (2 * 0.75) * 10 - 2 H(1/4) = 60 - 2 * 0.5623 = 58.8753. Without weights, at p = 1/2: - 2 log 2 = -1.3863."
    ),
    run=_run_regularizer,
    wanted={
        "regulariser": np.array(60 - 2 * QUARTER),
        "regulariser without weights": np.array(-2 * math.log(2.0)),
    },
    slips={
        "regulariser": {
            "dropout_entropy_added": np.array(60 + 2 * QUARTER),
            "dropout_entropy_missing": np.array(60.0),
            "dropout_entropy_once": AnyOf(tuple(np.array(60 - number * QUARTER) for number in (1, 3, 6))),
            "dropout_entropy_in_bits": np.array(60 - 2 * QUARTER / math.log(2.0)),
            "dropout_entropy_incomplete": AnyOf(
                (np.array(60 + 0.5 * math.log(0.25)), np.array(60 + 1.5 * math.log(0.75)))
            ),
            "dropout_weights_of_the_wrong_share": _squares_times(4.5, 3.375, 1.125, 18.0, 8.0),
            "dropout_length_scale": _squares_times(2.0, 2 / 3, 2 / 9),
            "dropout_without_half": _squares_times(12.0),
            "dropout_weights_averaged": _squares_times(1.0, 3.0),
            "dropout_negated": np.array(2 * QUARTER - 60),
        },
        "regulariser without weights": {},
    },
)
