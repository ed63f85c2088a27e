"""Worked examples of hw4/dynamics_model.py (given; NumPy only)."""

from __future__ import annotations

from typing import Any

import numpy as np

from hw4.checking.answers import AnyOf, CheckFailed
from hw4.checking.model_slips import KnownModel
from hw4.checking.subject import Subject
from hw4.checking.worked_example import Array, Rows, WorkedExample, few, handle, normalizer
from hw4.transitions import Transition


def _run_normalizer_fit(subject: Subject) -> dict[str, Any]:
    values = np.array([[[1.0, 0.0, 5.0], [3.0, 0.0, 5.0]], [[1.0, 8.0, 5.0], [3.0, 8.0, 5.0]]])  # shape (2, 2, 3)
    normalizer = handle(subject.call("dynamics_model.fit_normalizer", values), "fit_normalizer(values)")
    mean = subject.call_method(normalizer, "unnormalize", np.zeros(3))  # 0 * std + mean
    shifted = subject.call_method(normalizer, "unnormalize", np.ones(3))  # 1 * std + mean
    mean, shifted = few(mean, "unnormalize(0), the mean"), few(shifted, "unnormalize(1)")
    if mean.shape != shifted.shape:
        raise CheckFailed(f"unnormalize gives the shapes {mean.shape} and {shifted.shape} for the same", "wrong_shape")
    return {"mean": mean, "std": shifted - mean}


NORMALIZER_FIT = WorkedExample(
    stub_id="normalizer_fit",
    story=(
        "Four samples in a batch of shape (2, 2), three features. The first is 1, 3, 1, 3: mean 2, std 1. The second "
        "is 0, 0, 8, 8: mean 4, std 4. The third is always 5: its std of 0 becomes 1."
    ),
    run=_run_normalizer_fit,
    wanted={"mean": np.array([2.0, 4.0, 5.0]), "std": np.array([1.0, 4.0, 1.0])},
    slips={
        "mean": {
            "statistics_axis": AnyOf(
                (np.full(3, 11 / 3), np.array([[1.0, 4.0, 5.0], [3.0, 4.0, 5.0]]), np.array([6, 8, 14, 16]) / 3)
            ),
            "constant_not_shifted": np.array([2.0, 4.0, 0.0]),
        },
        "std": {
            "std_divisor": AnyOf((np.array([4 / 3, 64 / 3, 1.0]) ** 0.5, np.array([4 / 3, 64 / 3, 0.0]) ** 0.5)),
            "std_floor": AnyOf((np.array([1.0, 4.0, 0.0]), np.array([1.0, 4.0, 1e-3]))),
            "root_missing": AnyOf((np.array([1.0, 16.0, 1.0]), np.array([1.0, 16.0, 0.0]))),
            "statistics_axis": AnyOf((np.full(3, 2.687419), np.full(3, 2.806918))),
        },
    },
)

INPUT_MEAN = np.array([1.0, 2.0, 3.0])
INPUT_STD = np.array([2.0, 4.0, 5.0])
DELTA_MEAN = np.array([0.5, -1.0])
DELTA_STD = np.array([2.0, 0.1])


def _dynamics_model(subject: Subject, network: Any) -> Any:
    return subject.call(
        "dynamics_model.DynamicsModel",
        network,
        input_normalizer=normalizer(subject, INPUT_MEAN, INPUT_STD),
        delta_normalizer=normalizer(subject, DELTA_MEAN, DELTA_STD),
    )


OBSERVATIONS, ACTIONS = (
    np.array([[3.0, 10.0], [3.0, 2.0], [1.0, 2.0], [3.0, 2.0]]),
    np.array([[-2.0], [8.0], [3.0], [3.0]]),
)
PREDICT_WEIGHT = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
KNOWN_MODEL = KnownModel(lambda inputs: inputs @ PREDICT_WEIGHT, INPUT_MEAN, INPUT_STD, DELTA_MEAN, DELTA_STD)


def _run_model_predict(subject: Subject) -> dict[str, Any]:
    model = _dynamics_model(subject, lambda inputs: inputs @ PREDICT_WEIGHT)
    return {
        "next_observations": subject.call_method(model, "predict", OBSERVATIONS, ACTIONS),
        "next_observation": subject.call_method(model, "predict", OBSERVATIONS[0], ACTIONS[0]),
    }


MODEL_PREDICT = WorkedExample(
    stub_id="model_predict",
    story=(
        "s = (3, 10), a = (-2). The input normaliser has mean (1, 2, 3) and std (2, 4, 5), so the network sees "
        "(1, 2, -1). The network (x, y, z) -> (2x + z, y - z) answers (1, 3). The delta normaliser has mean (0.5, -1) "
        "and std (2, 0.1), so the change is (2.5, -0.7) and s' = (5.5, 9.3). In a batch with s = (3, 2), a = (8); "
        "s = (1, 2), a = (3); s = (3, 2), a = (3) the other rows are (9.5, 0.9), (1.5, 1), (7.5, 1)."
    ),
    run=_run_model_predict,
    wanted={
        "next_observations": np.array([[5.5, 9.3], [9.5, 0.9], [1.5, 1.0], [7.5, 1.0]]),
        "next_observation": np.array([5.5, 9.3]),
    },
    slips={
        "next_observations": KNOWN_MODEL.prediction_slips(OBSERVATIONS, ACTIONS),
        "next_observation": KNOWN_MODEL.prediction_slips(OBSERVATIONS[0], ACTIONS[0]),
    },
)

LOSS_BATCH = Transition(
    observation=np.array([[3.0, 2.0], [1.0, 6.0], [1.0, 2.0], [1.0, 2.0], [3.0, 6.0]]),
    action=np.array([[3.0], [3.0], [8.0], [3.0], [3.0]]),
    next_observation=np.array([[5.5, 1.0], [1.5, 5.0], [5.5, 1.1], [1.5, 1.0], [5.5, 5.0]]),
)
LOSS_WEIGHT = np.array([[2.0, 0.0], [1.0, -1.0], [0.0, 3.0]])
RIGHT_WEIGHT = np.array([[1.0, 0.0], [0.0, 0.0], [2.0, 1.0]])


def _run_model_loss(subject: Subject) -> dict[str, Any]:
    network = subject.call("checking.doubles.LinearNetwork", LOSS_WEIGHT)
    model = _dynamics_model(subject, network)
    member_weights = np.stack([LOSS_WEIGHT, 0 * RIGHT_WEIGHT, RIGHT_WEIGHT, -RIGHT_WEIGHT])
    ensemble = _dynamics_model(subject, subject.call("checking.doubles.LinearNetwork", member_weights))
    batches = Transition(*(np.stack([field] * len(member_weights)) for field in LOSS_BATCH))
    return {
        "loss": subject.call_method(model, "loss", LOSS_BATCH),
        "losses of four members": subject.call_method(ensemble, "loss", batches),
        "gradient": subject.call("checking.doubles.loss_gradient", model, network, LOSS_BATCH),
    }


# What each slip alone gives: two at once would give so many numbers that one of them could be met by chance.
LOSS_SLIPS = KNOWN_MODEL.with_network(lambda inputs: inputs @ LOSS_WEIGHT).loss_slips([LOSS_BATCH], max_slips=1)

MODEL_LOSS = WorkedExample(
    stub_id="model_loss",
    story=(
        "Five transitions whose normalised inputs are (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0), (1, 1, 0), so a "
        "linear network answers with the rows of its weight, (2, 0), (1, -1), (0, 3), then 0 and the sum of the first "
        "two rows, (3, -1). The normalised changes are (1, 0), (0, 0), (2, 1), (0, 0), (1, 0). The errors are (1, 0), "
        "(1, -1), (-2, 2), (0, 0), (2, -1), their squares add up to 16, and the loss is 16 / 10. For four members on "
        "the same batch, with this weight, 0, the right one and the right one negated, it is (1.6, 0.7, 0, 2.8)."
    ),
    run=_run_model_loss,
    wanted={
        "loss": 1.6,
        "losses of four members": np.array([1.6, 0.7, 0.0, 2.8]),
        "gradient": np.array([[0.6, -0.2], [0.6, -0.4], [-0.4, 0.4]]),
    },
    slips={
        "loss": {cause: AnyOf(tuple(loss[0] for loss in losses)) for cause, losses in LOSS_SLIPS.items()},
        "losses of four members": {"loss_over_members": AnyOf((5.1 / 4, 5.1))},
        "gradient": {
            "loss_detached": np.zeros((3, 2)),
        },
    },
)


def _run_model_fit(subject: Subject) -> dict[str, Any]:
    observations = np.array([[0.0, 0.0], [8.0, 4.0], [4.0, 12.0], [12.0, 3.0], [8.0, 13.0], [2.0, 2.0]])
    transitions = Transition(observations, np.zeros((6, 1)), observations + 1)
    events: list[str] = []
    refreshed_with: list[int] = []
    batches: list[Array] = []
    minibatches = Rows(np.array([[1], [2], [3], [4]]))

    def on_fit_normalizers(seen: Array) -> None:
        events.append("normalizers")
        refreshed_with.append(len(seen))

    def on_batch(seen: Array) -> None:
        events.append("loss")
        if not batches or not np.array_equal(batches[-1], seen):
            batches.append(np.array(seen))

    def sample_indices() -> Array:
        row: Array = minibatches(1)[0]
        return row

    model = subject.call("checking.doubles.QuadraticModel", np.zeros(2), on_fit_normalizers, on_batch)
    optimizer = subject.call("checking.doubles.sgd", model, 0.5)
    losses = subject.call(
        "dynamics_model.fit", model, transitions, optimizer, sample_indices=sample_indices, gradient_steps=4
    )

    members = subject.call("checking.doubles.QuadraticModel", np.zeros((5, 2)))
    member_losses = subject.call(
        "dynamics_model.fit",
        members,
        transitions,
        subject.call("checking.doubles.sgd", members, 0.5),
        sample_indices=lambda: np.array([[0], [1], [2], [1], [5]]),
        gradient_steps=1,
    )
    return {
        "minibatches drawn": minibatches.drawn,
        "sizes of the data the normalisers were fitted to": np.array(refreshed_with),
        "normalisers before the first loss": float(events[:1] == ["normalizers"]),
        "weights": subject.call_method(model, "current_weights"),
        "losses": losses,
        "weights of five members": subject.call_method(members, "current_weights"),
        "loss of five members": member_losses,
    }


MODEL_FIT = WorkedExample(
    stub_id="model_fit",
    story=(
        "A toy model whose loss is the mean squared distance from its weights to the observations of the batch; a step "
        "moves the weights half-way to the batch. They start at (0, 0). The minibatches are (8, 4): loss "
        "(64 + 16) / 2 = 40, weights (4, 2); (4, 12): loss (0 + 100) / 2 = 50, weights (4, 7); (12, 3): loss "
        "(64 + 16) / 2 = 40, weights (8, 5); (8, 13): loss (0 + 64) / 2 = 32, weights (8, 9). Five "
        "members with a minibatch of their own each move half-way to it, and the loss is the sum of theirs: "
        "0 + 40 + 80 + 40 + 4 = 164. Before all that the normalisers are refreshed once, from all 6 "
        "transitions."
    ),
    run=_run_model_fit,
    wanted={
        "minibatches drawn": 4,
        "sizes of the data the normalisers were fitted to": (6,),
        "normalisers before the first loss": 1.0,
        "weights": np.array([8.0, 9.0]),
        "losses": np.array([40.0, 50.0, 40.0, 32.0]),
        "weights of five members": np.array([[0.0, 0.0], [4.0, 2.0], [2.0, 6.0], [4.0, 2.0], [1.0, 1.0]]),
        "loss of five members": np.array([164.0]),
    },
    slips={
        "minibatches drawn": {
            "same_minibatch": 1,
            "minibatch_ignored": 0,
            "wrong_step_count": AnyOf((2, 3, *range(5, 13))),
        },
        "sizes of the data the normalisers were fitted to": {
            "normalizers_not_refreshed": (),
            "normalizers_from_minibatch": AnyOf(
                (
                    *((1,) * times for times in (1, 4)),
                    *((6,) + (size,) * times for size in (1, 6) for times in range(1, 6)),
                )
            ),
        },
        "normalisers before the first loss": {"normalizers_not_refreshed": 0.0},
        "weights": {
            "no_gradient_step": np.zeros(2),
            "step_before_backward": np.array([10.0, 8.5]),
            "gradients_not_zeroed": np.array([17.0, 17.0]),
            "same_minibatch": AnyOf((np.array([7.5, 3.75]), np.array([7.5, 12.1875]))),
        },
        "losses": {"members_not_summed": np.array(32.0)},
        "weights of five members": {
            "members_not_summed": np.array([[0.0, 0.0], [0.8, 0.4], [0.4, 1.2], [0.8, 0.4], [0.2, 0.2]]),
            "one_member_only": np.zeros((5, 2)),
        },
        "loss of five members": {
            "members_not_summed": AnyOf((np.array([32.8]), np.array([[0.0, 40.0, 80.0, 40.0, 4.0]])))
        },
    },
)
