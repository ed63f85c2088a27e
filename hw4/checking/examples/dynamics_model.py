"""Worked examples of hw4/dynamics_model.py (given; NumPy only)."""

from __future__ import annotations

from typing import Any

import numpy as np

from hw4.checking.answers import AnyOf, CheckFailed
from hw4.checking.subject import Subject
from hw4.checking.worked_example import Array, Rows, WorkedExample, few, handle, normalizer, trace
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
                (np.full(3, 11 / 3), np.array([[1.0, 4.0, 5.0], [3.0, 4.0, 5.0]]), np.array([[2.0, 4.0, 5.0]]))
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


def _run_model_predict(subject: Subject) -> dict[str, Any]:
    weight = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
    model = _dynamics_model(subject, lambda inputs: inputs @ weight)
    observation, action = np.array([3.0, 10.0]), np.array([-2.0])
    observations, actions = np.array([[3.0, 10.0], [3.0, 2.0]]), np.array([[-2.0], [8.0]])
    return {
        "next_observations": subject.call_method(model, "predict", observations, actions),
        "next_observation": subject.call_method(model, "predict", observation, action),
    }


MODEL_PREDICT = WorkedExample(
    stub_id="model_predict",
    story=(
        "s = (3, 10), a = (-2). The input normaliser has mean (1, 2, 3) and std (2, 4, 5), so the network sees "
        "(1, 2, -1). The network (x, y, z) -> (2x + z, y - z) answers (1, 3). The delta normaliser has mean (0.5, -1) "
        "and std (2, 0.1), so the change is (2.5, -0.7) and s' = (5.5, 9.3). In a batch with s = (3, 2), a = (8) the "
        "second row is (9.5, 0.9)."
    ),
    run=_run_model_predict,
    wanted={
        "next_observations": np.array([[5.5, 9.3], [9.5, 0.9]]),
        "next_observation": np.array([5.5, 9.3]),
    },
    slips={
        "next_observations": {
            "batch_statistics": AnyOf(
                (np.array([[1.5, 9.2], [5.5, 0.8]]), np.array([[2.085786, 9.141421], [4.914214, 0.858579]]))
            ),
        },
        "next_observation": {
            "input_not_normalized": AnyOf((np.array([11.5, 10.2]), np.array([7.0, 22.0]))),
            "output_not_unnormalized": AnyOf((np.array([4.0, 13.0]), np.array([4.5, 12.0]))),
            "delta_mean_missing": np.array([5.0, 10.3]),
            "delta_not_added": np.array([2.5, -0.7]),
            "inputs_swapped": np.array([0.3, 8.885]),
            "absolute_target": np.array([8.5, 19.3]),
            "statistics_swapped": np.array([6.0, 24.0]),
            "normalized_twice": np.array([1.9, 9.08]),
            "unnormalize_wrong": AnyOf((np.array([6.0, 10.2]), np.array([3.25, 50.0]))),
            "normalized_observation_added": np.array([3.5, 1.3]),
        },
    },
)

LOSS_BATCH = Transition(
    observation=np.array([[3.0, 2.0], [1.0, 6.0], [1.0, 2.0]]),
    action=np.array([[3.0], [3.0], [8.0]]),
    next_observation=np.array([[5.5, 1.0], [1.5, 5.0], [5.5, 1.1]]),
)
LOSS_WEIGHT = np.array([[2.0, 0.0], [1.0, -1.0], [0.0, 3.0]])
LOSS_TARGET = np.array([[1.0, 0.0], [0.0, 0.0], [2.0, 1.0]])


def _run_model_loss(subject: Subject) -> dict[str, Any]:
    network = subject.call("checking.doubles.LinearNetwork", LOSS_WEIGHT)
    model = _dynamics_model(subject, network)
    member_weights = np.stack([LOSS_WEIGHT, 0 * LOSS_TARGET, LOSS_TARGET, -LOSS_TARGET])
    ensemble = _dynamics_model(subject, subject.call("checking.doubles.LinearNetwork", member_weights))
    batches = Transition(*(np.stack([field] * len(member_weights)) for field in LOSS_BATCH))
    return {
        "loss": subject.call_method(model, "loss", LOSS_BATCH),
        "losses of four members": subject.call_method(ensemble, "loss", batches),
        "gradient": subject.call("checking.doubles.loss_gradient", model, network, LOSS_BATCH),
    }


MODEL_LOSS = WorkedExample(
    stub_id="model_loss",
    story=(
        "Three transitions whose normalised inputs are (1, 0, 0), (0, 1, 0), (0, 0, 1), so a linear network answers "
        "with the rows of its weight: (2, 0), (1, -1), (0, 3). The normalised changes are (1, 0), (0, 0), (2, 1). The "
        "errors are (1, 0), (1, -1), (-2, 2), their squares add up to 11, and the loss is 11 / 6. For four members on "
        "the same batch, with this weight, 0, the right one and the right one negated, it is (11/6, 1, 0, 4)."
    ),
    run=_run_model_loss,
    wanted={
        "loss": 11 / 6,
        "losses of four members": np.array([11 / 6, 1.0, 0.0, 4.0]),
        "gradient": np.array([[1.0, 0.0], [1.0, -1.0], [-2.0, 2.0]]) / 3,
    },
    slips={
        "loss": {
            "loss_summed": AnyOf((11.0, 11 / 3, 5.5, np.array([2.0, 5 / 3]), np.array([0.5, 1.0, 4.0]))),
            "loss_not_squared": AnyOf((7 / 6, 7.0, (11 / 6) ** 0.5, 0.75)),
            "loss_halved": 11 / 12,
            "loss_raw_units": AnyOf((4.008333, 6.16)),
            "absolute_target": AnyOf((741.958333, 13.893333)),
            "input_not_normalized": 102.666667,
            "inputs_swapped": 5.655833,
            "batch_statistics": AnyOf((8.057191, 5.563533, 2.258332, 2.152849, 6.366026, 4.244016)),
        },
        "losses of four members": {
            "loss_over_members": AnyOf((6.833333 / 4, 6.833333)),
        },
        "gradient": {
            "loss_detached": np.zeros((3, 2)),
        },
    },
)


def _run_model_fit(subject: Subject) -> dict[str, Any]:
    observations = np.array([[0.0, 0.0], [8.0, 4.0], [4.0, 12.0]])
    transitions = Transition(observations, np.zeros((3, 1)), observations + 1)
    events: list[str] = []
    refreshed_with: list[int] = []
    batches: list[Array] = []
    minibatches = Rows(np.array([[1], [2]]))

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
        "dynamics_model.fit", model, transitions, optimizer, sample_indices=sample_indices, gradient_steps=2
    )

    members = subject.call("checking.doubles.QuadraticModel", np.zeros((4, 2)))
    member_losses = subject.call(
        "dynamics_model.fit",
        members,
        transitions,
        subject.call("checking.doubles.sgd", members, 0.5),
        sample_indices=lambda: np.array([[0], [1], [2], [1]]),
        gradient_steps=1,
    )
    return {
        "minibatches drawn": minibatches.drawn,
        "sizes of the data the normalisers were fitted to": trace(*refreshed_with),
        "normalisers before the first loss": float(events[:1] == ["normalizers"]),
        "weights": subject.call_method(model, "current_weights"),
        "losses": losses,
        "weights of four members": subject.call_method(members, "current_weights"),
        "loss of four members": member_losses,
    }


MODEL_FIT = WorkedExample(
    stub_id="model_fit",
    story=(
        "A toy model whose loss is the mean squared distance from its weights to the observations of the batch; a step "
        "moves the weights half-way to the batch. They start at (0, 0). The first minibatch is (8, 4): loss "
        "(64 + 16) / 2 = 40, weights (4, 2). The second is (4, 12): loss (0 + 100) / 2 = 50, weights (4, 7). Four "
        "members with a minibatch of their own each move half-way to it, and the loss is the sum of theirs: "
        "0 + 40 + 80 + 40 = 160. Before all that the normalisers are refreshed once, from all 3 "
        "transitions (the list is followed by zeros)."
    ),
    run=_run_model_fit,
    wanted={
        "minibatches drawn": 2,
        "sizes of the data the normalisers were fitted to": trace(3),
        "normalisers before the first loss": 1.0,
        "weights": np.array([4.0, 7.0]),
        "losses": np.array([40.0, 50.0]),
        "weights of four members": np.array([[0.0, 0.0], [4.0, 2.0], [2.0, 6.0], [4.0, 2.0]]),
        "loss of four members": np.array([160.0]),
    },
    slips={
        "minibatches drawn": {"same_minibatch": 1, "minibatch_ignored": 0, "wrong_step_count": AnyOf((3, 4))},
        "sizes of the data the normalisers were fitted to": {
            "normalizers_not_refreshed": trace(),
            "normalizers_from_minibatch": AnyOf(
                (trace(1), trace(1, 1), trace(3, 1), trace(3, 1, 1), trace(3, 3), trace(3, 3, 3))
            ),
        },
        "normalisers before the first loss": {"normalizers_not_refreshed": 0.0},
        "weights": {
            "no_gradient_step": np.zeros(2),
            "step_before_backward": np.array([4.0, 2.0]),
            "gradients_not_zeroed": np.array([8.0, 9.0]),
            "same_minibatch": AnyOf((np.array([6.0, 3.0]), np.array([3.0, 9.0]))),
        },
        "losses": {"members_not_summed": np.array(50.0)},
        "weights of four members": {
            "members_not_summed": np.array([[0.0, 0.0], [1.0, 0.5], [0.5, 1.5], [1.0, 0.5]]),
            "one_member_only": np.zeros((4, 2)),
        },
        "loss of four members": {"members_not_summed": AnyOf((np.array([40.0]), np.array([[0.0, 40.0, 80.0, 40.0]])))},
    },
)
