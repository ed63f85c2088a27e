"""One example per stub, small enough to work through by hand (given; NumPy only).

Every example is a test of its own (`pytest hw4/tests -k example`), and the grader shows what was seen and what was
wanted on it. `run` talks to a *subject* (`hw4.subject`), so the same example runs here and in the grader's own process.
Each wrong answer that a known slip would give is listed under its cause.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw4.checks import GENERIC_CAUSES, AnyOf, CheckFailed, check_close, check_pair
from hw4.subject import Handle, Seed, Subject
from hw4.transitions import Transition

Array = NDArray[Any]


@dataclass(frozen=True)
class WorkedExample:
    """What goes in, what must come out, and what known slips would give."""

    stub_id: str
    story: str  # what goes in and why the answer is what it is: a reader can check it by hand
    run: Callable[[Subject], dict[str, Any]]  # calls the subject, returns name -> what was seen
    wanted: dict[str, Any]  # name -> array or number
    slips: dict[str, dict[str, Any]]  # name -> cause -> what that slip gives


class ExampleFailed(CheckFailed):
    """A worked example came out wrong: what was seen, and what was wanted."""

    def __init__(self, failure: CheckFailed, example: WorkedExample, name: str, seen: Any) -> None:
        super().__init__(str(failure), failure.cause)
        self.example = example
        self.name = name
        self.seen = seen
        self.wanted = example.wanted[name]


def check_example(example: WorkedExample, subject: Subject) -> None:
    """Run an example and compare every answer.

    Raises:
        CheckFailed: an answer is wrong. If several are, the one whose cause is known is named first.
    """
    seen = example.run(subject)
    failures: list[ExampleFailed] = []
    for name, wanted in example.wanted.items():
        try:
            check_close(seen[name], wanted, name, slips=example.slips.get(name))
        except CheckFailed as failure:
            failures.append(ExampleFailed(failure, example, name, seen[name]))
    if failures:
        raise next((failure for failure in failures if failure.cause not in GENERIC_CAUSES), failures[0])


MAX_NUMBERS = 100_000  # of one answer: a wrong one must not make a check compute or remember without bound


def _few(answer: Any, what: str) -> Array:
    """An answer that is going to be computed with, as an array of a size that can be computed with."""
    if answer is None:
        raise CheckFailed(f"{what} is None: a return statement is missing", "returns_none")
    if not isinstance(answer, np.ndarray | np.generic | int | float):
        raise CheckFailed(f"{what} must be a tensor of numbers, got {type(answer).__name__}", "wrong_type")
    numbers = np.asarray(answer)
    if numbers.size > MAX_NUMBERS:
        raise CheckFailed(f"{what} has shape {numbers.shape}, far larger than what is wanted", "wrong_shape")
    return numbers


class Rows:
    """Hands out the rows of an array, n at a time and in order, and counts them; stands in for random draws."""

    MAX_COUNT = 10_000  # at once

    def __init__(self, rows: Array) -> None:
        self.rows = rows
        self.drawn = 0

    def __call__(self, count: Any) -> Array:
        count = int(count)
        if not 0 <= count <= self.MAX_COUNT:
            raise CheckFailed(f"{count} random draws were asked for at once", "wrong_candidate_count")
        start, self.drawn = self.drawn, self.drawn + count
        return self.rows[np.arange(start, self.drawn) % len(self.rows)]


class Recorder:
    """Wraps an objective and keeps what it was asked to score."""

    def __init__(self, objective: Callable[[Array], Array]) -> None:
        self.objective = objective
        self.scored: list[Array] = []

    def __call__(self, action_sequences: Array) -> Array:
        self.scored.append(np.array(_few(action_sequences, "what the objective was asked about")))
        return self.objective(action_sequences)

    @property
    def num_scored(self) -> int:
        return sum(len(candidates) for candidates in self.scored)


def _trace(*values: float, length: int = 8) -> Array:
    """A list whose length is an answer too, as an array of fixed length: zeros follow."""
    return np.array([*values, *[0.0] * length][:length], dtype=np.float64)


def _stack(answers: list[Any], what: str) -> Array:
    arrays = [_few(answer, what) for answer in answers]
    for array in arrays:
        if array.shape != arrays[0].shape:
            raise CheckFailed(f"{what} has shape {arrays[0].shape} at first and {array.shape} later", "wrong_shape")
    return np.stack(arrays)


def _normalizer(subject: Subject, mean: Array, std: Array) -> Any:
    return subject.call("dynamics_model.Normalizer", mean=mean, std=std)


def _handle(value: Any, what: str) -> Handle:
    """An object that the code returned, as something whose methods can be called."""
    if value is None:
        raise CheckFailed(f"{what} is None: a return statement is missing", "returns_none")
    if not isinstance(value, Handle):
        raise CheckFailed(f"{what} must be a Normalizer, got {type(value).__name__}", "wrong_type")
    return value


# The dynamics model ---------------------------------------------------------------------------------------------------


def _run_normalizer_fit(subject: Subject) -> dict[str, Any]:
    values = np.array([[[1.0, 0.0, 5.0], [3.0, 0.0, 5.0]], [[1.0, 8.0, 5.0], [3.0, 8.0, 5.0]]])  # shape (2, 2, 3)
    normalizer = _handle(subject.call("dynamics_model.fit_normalizer", values), "fit_normalizer(values)")
    mean = subject.call_method(normalizer, "unnormalize", np.zeros(3))  # 0 * std + mean
    shifted = subject.call_method(normalizer, "unnormalize", np.ones(3))  # 1 * std + mean
    mean, shifted = _few(mean, "unnormalize(0), the mean"), _few(shifted, "unnormalize(1)")
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
        input_normalizer=_normalizer(subject, INPUT_MEAN, INPUT_STD),
        delta_normalizer=_normalizer(subject, DELTA_MEAN, DELTA_STD),
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
    network = subject.call("doubles.LinearNetwork", LOSS_WEIGHT)
    model = _dynamics_model(subject, network)
    member_weights = np.stack([LOSS_WEIGHT, 0 * LOSS_TARGET, LOSS_TARGET, -LOSS_TARGET])
    ensemble = _dynamics_model(subject, subject.call("doubles.LinearNetwork", member_weights))
    batches = Transition(*(np.stack([field] * len(member_weights)) for field in LOSS_BATCH))
    return {
        "loss": subject.call_method(model, "loss", LOSS_BATCH),
        "losses of four members": subject.call_method(ensemble, "loss", batches),
        "gradient": subject.call("doubles.loss_gradient", model, network, LOSS_BATCH),
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

    model = subject.call("doubles.QuadraticModel", np.zeros(2), on_fit_normalizers, on_batch)
    optimizer = subject.call("doubles.sgd", model, 0.5)
    losses = subject.call(
        "dynamics_model.fit", model, transitions, optimizer, sample_indices=sample_indices, gradient_steps=2
    )

    members = subject.call("doubles.QuadraticModel", np.zeros((4, 2)))
    member_losses = subject.call(
        "dynamics_model.fit",
        members,
        transitions,
        subject.call("doubles.sgd", members, 0.5),
        sample_indices=lambda: np.array([[0], [1], [2], [1]]),
        gradient_steps=1,
    )
    return {
        "minibatches drawn": minibatches.drawn,
        "sizes of the data the normalisers were fitted to": _trace(*refreshed_with),
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
        "sizes of the data the normalisers were fitted to": _trace(3),
        "normalisers before the first loss": 1.0,
        "weights": np.array([4.0, 7.0]),
        "losses": np.array([40.0, 50.0]),
        "weights of four members": np.array([[0.0, 0.0], [4.0, 2.0], [2.0, 6.0], [4.0, 2.0]]),
        "loss of four members": np.array([160.0]),
    },
    slips={
        "minibatches drawn": {"same_minibatch": 1, "minibatch_ignored": 0, "wrong_step_count": AnyOf((3, 4))},
        "sizes of the data the normalisers were fitted to": {
            "normalizers_not_refreshed": _trace(),
            "normalizers_from_minibatch": AnyOf(
                (_trace(1), _trace(1, 1), _trace(3, 1), _trace(3, 1, 1), _trace(3, 3), _trace(3, 3, 3))
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

# Planning -------------------------------------------------------------------------------------------------------------


class PushedCart:
    """A model and a reward by hand: a push changes the velocity, the velocity the position; it is paid to be far."""

    def __init__(self) -> None:
        self.calls = 0
        self.sequences_per_call: list[int] = []

    def predict(self, observation: Array, action: Array) -> Array:
        self.calls += 1
        self.sequences_per_call.append(observation.shape[-2] if observation.ndim > 1 else 1)
        velocity = observation[..., 1:] + action
        return np.concatenate([observation[..., :1] + velocity, velocity], axis=-1)

    @staticmethod
    def reward(observation: Array, action: Array, next_observation: Array) -> Array:
        reward: Array = next_observation[..., 0] + 0.1 * action[..., 0]
        return reward


def _run_sequence_returns(subject: Subject) -> dict[str, Any]:
    cart = PushedCart()
    action_sequences = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [2.0, -1.0, 1.0], [0.0, 0.0, 0.0]])[..., None]
    returns = subject.call("mpc.sequence_returns", cart.predict, cart.reward, np.array([1.0, 0.0]), action_sequences)
    return {
        "returns": returns,
        "sequences in the smallest call of predict": min(cart.sequences_per_call, default=0),
        "calls of predict": cart.calls,
    }


SEQUENCE_RETURNS = WorkedExample(
    stub_id="sequence_returns",
    story=(
        "A cart at position 1 with velocity 0. Each step: velocity += push, then position += velocity; the reward is "
        "the position arrived at plus 0.1 * push. Pushes (1, 0, 0) lead to positions 2, 3, 4: 2.1 + 3 + 4 = 9.1. "
        "(0, 1, 0) to 1, 2, 3: 6.1. (2, -1, 1) to 3, 4, 6: 13.2. No push at all: 1 + 1 + 1 = 3. The model is asked "
        "once per step, about all four sequences."
    ),
    run=_run_sequence_returns,
    wanted={
        "returns": np.array([9.1, 6.1, 13.2, 3.0]),
        "sequences in the smallest call of predict": 4,
        "calls of predict": 3,
    },
    slips={
        "returns": {
            "reward_on_old_observation": AnyOf((np.array([6.1, 4.1, 8.2, 3.0]), np.array([8.1, 6.1, 11.2, 3.0]))),
            "wrong_step_action": np.array([9.0, 6.1, 13.1, 3.0]),
            "state_not_propagated": np.array([4.1, 4.1, 5.2, 3.0]),
            "last_reward_only": np.array([4.0, 3.0, 6.1, 1.0]),
            "first_reward_missing": np.array([7.0, 5.1, 10.0, 2.0]),
            "last_action_ignored": np.array([5.1, 3.1, 7.1, 2.0]),
            "mean_taken": np.array([9.1, 6.1, 13.2, 3.0]) / 3,
            "discounted": AnyOf(
                tuple(
                    np.array([[2.1, 3.0, 4.0], [1.0, 2.1, 3.0], [3.2, 3.9, 6.1], [1.0, 1.0, 1.0]])
                    @ discount ** np.arange(3)
                    for discount in (0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
                )
            ),
        },
        "sequences in the smallest call of predict": {"loop_over_sequences": 1},
        "calls of predict": {"loop_over_sequences": 12, "extra_predictions": AnyOf((4, 6))},
    },
)


def _run_random_shooting(subject: Subject) -> dict[str, Any]:
    uniform = Rows(np.array([[0.25, 0.75], [0.75, 0.5], [0.5, 0.5]])[..., None])
    objective = Recorder(lambda plans: plans[..., 0, 0] - plans[..., 1, 0])
    plan = subject.call(
        "mpc.random_shooting", objective, np.array([-1.0]), np.array([3.0]), num_sequences=3, uniform=uniform
    )
    return {
        "plan": plan,
        "candidates scored": objective.num_scored,
        "calls of the objective": len(objective.scored),
        "candidates drawn": uniform.drawn,
    }


RANDOM_SHOOTING = WorkedExample(
    stub_id="random_shooting",
    story=(
        "Bounds -1 and 3, so u becomes 4u - 1. The three draws (0.25, 0.75), (0.75, 0.5), (0.5, 0.5) become the plans "
        "(0, 2), (2, 1), (1, 1). The objective is the first action minus the second: -2, 1, 0. The second plan wins."
    ),
    run=_run_random_shooting,
    wanted={
        "plan": np.array([[2.0], [1.0]]),
        "candidates scored": 3,
        "calls of the objective": 1,
        "candidates drawn": 3,
    },
    slips={
        "plan": {
            "takes_smallest": np.array([[0.0], [2.0]]),
            "candidates_averaged": np.array([[1.5], [1.0]]),
            "bounds_ignored": AnyOf((np.array([[0.75], [0.5]]), np.array([[3.0], [2.0]]), np.array([[0.5], [0.0]]))),
        },
        "candidates scored": {"wrong_candidate_count": AnyOf((0, 1, 2, 4, 6))},
        "calls of the objective": {"loop_over_sequences": 3},
        "candidates drawn": {"noise_not_used": 0, "wrong_candidate_count": AnyOf((1, 2, 4, 6))},
    },
)


def _run_cem_refit(subject: Subject) -> dict[str, Any]:
    answer = subject.call(
        "mpc.refit_to_elites",
        np.array([[0.0, 0.0], [2.0, 10.0], [6.0, 6.0], [4.0, 20.0], [10.0, 1.0]])[..., None],
        np.array([1.0, 7.0, 3.0, 9.0, 5.0]),
        np.array([[8.0], [0.0]]),
        np.array([[3.0], [1.0]]),
        num_elites=2,
        smoothing=0.25,
    )
    new_mean, new_std = check_pair(answer, "refit_to_elites(...)")
    return {"new_mean": new_mean, "new_std": new_std}


CEM_REFIT = WorkedExample(
    stub_id="cem_refit",
    story=(
        "Five plans of two actions; returns 1, 7, 3, 9, 5. The two elites are (2, 10) and (4, 20): mean (3, 15), std "
        "(1, 5). The old mean is (8, 0), the old std (3, 1), and smoothing = 0.25 weighs the OLD: new mean "
        "0.25 * (8, 0) + 0.75 * (3, 15) = (4.25, 11.25), new std 0.25 * (3, 1) + 0.75 * (1, 5) = (1.5, 4)."
    ),
    run=_run_cem_refit,
    wanted={"new_mean": np.array([[4.25], [11.25]]), "new_std": np.array([[1.5], [4.0]])},
    slips={
        "new_mean": {
            "smoothing_reversed": np.array([[6.75], [3.75]]),
            "smoothing_ignored": np.array([[3.0], [15.0]]),
            "mean_not_refit": np.array([[8.0], [0.0]]),
            "takes_smallest": np.array([[4.25], [2.25]]),
            "non_elites": AnyOf((np.array([[6.0], [1.75]]), np.array([[5.3], [5.55]]))),
            "statistics_axis": np.array([[8.75], [6.75]]),
            "returns_best_candidate": np.array([[4.0], [20.0]]),
        },
        "new_std": {
            "smoothing_reversed": np.array([[2.5], [2.0]]),
            "smoothing_ignored": AnyOf((np.array([[1.0], [5.0]]), np.array([[2.0], [50.0]]) ** 0.5)),
            "std_divisor": np.array([[1.810660], [5.553301]]),
            "variance_for_std": AnyOf(
                (np.array([[1.5], [19.0]]), np.array([[1.732051], [4.358899]]), np.array([[3.0], [19.0]]))
            ),
            "std_not_refit": np.array([[3.0], [1.0]]),
            "deviation_center": AnyOf((np.array([[1.950586], [4.9375]]), np.array([[4.574265], [12.108541]]))),
            "non_elites": AnyOf((np.array([[3.832207], [2.218502]]), np.array([[3.330698], [5.691507]]))),
            "statistics_axis": AnyOf((np.array([[6.0], [5.5]]), np.array([[6.812178], [6.312178]]))),
        },
    },
)

CEM_NOISE = np.array([[-1.0, 2.0], [-2.0, 0.0], [0.0, 2.0], [2.0, 1.0], [0.0, 0.0], [1.0, -1.0]])[..., None]


def _run_cem_plan(subject: Subject) -> dict[str, Any]:
    def plan_from(first_mean: float) -> tuple[Any, Recorder, Rows]:
        noise = Rows(CEM_NOISE)
        objective = Recorder(lambda plans: plans[..., 0, 0] - 2.0 * plans[..., 1, 0])
        plan = subject.call(
            "mpc.cem",
            objective,
            np.array([[first_mean], [0.0]]),
            np.array([[2.0], [1.0]]),
            np.array([-1.0]),
            np.array([3.0]),
            population_size=4,
            num_iterations=2,
            num_elites=2,
            smoothing=0.25,
            noise=noise,
            num_kept_elites=2,
        )
        return plan, objective, noise

    plan, objective, noise = plan_from(1.0)
    plan_from_outside, _, _ = plan_from(7.0)
    scored = np.concatenate([np.ravel(candidates) for candidates in objective.scored] or [np.zeros(0)])
    return {
        "plan": plan,
        "candidates scored": objective.num_scored,
        "sequences of noise drawn": noise.drawn,
        "smallest action scored": float(scored.min(initial=np.inf)),
        "largest action scored": float(scored.max(initial=-np.inf)),
        "plan from a mean outside the bounds": plan_from_outside,
    }


CEM_PLAN = WorkedExample(
    stub_id="cem_plan",
    story=(
        "Plans of two actions in [-1, 3], scored by first action - 2 * second. Mean (1, 0), std (2, 1), and the noise "
        "(-1, 2), (-2, 0), (0, 2), (2, 1) give, clipped, (-1, 2), (-1, 0), (1, 2), (3, 1), worth -5, -1, -3, 1. The "
        "elites (3, 1) and (-1, 0) have mean (1, 0.5) and std (2, 0.5); with a quarter of the old, mean (1, 0.375) and "
        "std (2, 0.625). Both elites are kept, so only two are drawn: noise (0, 0), (1, -1) gives (1, 0.375) and "
        "(3, -0.25), worth 0.25 and 3.5 beside the kept 1 and -1. The elites are now (3, -0.25) and (3, 1): their mean "
        "(3, 0.375) and a quarter of (1, 0.375) make the plan (2.5, 0.375). From a mean of (7, 0) the same search ends "
        "at (3.25, 0), which is clipped to (3, 0)."
    ),
    run=_run_cem_plan,
    wanted={
        "plan": np.array([[2.5], [0.375]]),
        "candidates scored": 8,
        "sequences of noise drawn": 6,
        "smallest action scored": -1.0,
        "largest action scored": 3.0,
        "plan from a mean outside the bounds": np.array([[3.0], [0.0]]),
    },
    slips={
        "plan": {
            "not_clipped": AnyOf((np.array([[3.8125], [0.375]]), np.array([[3.0], [0.375]]))),
            "returns_best_candidate": np.array([[3.0], [-0.25]]),
            "std_not_used": np.array([[2.125], [0.234375]]),
            "smoothing_reversed": np.array([[1.5], [0.125]]),
            "smoothing_ignored": np.array([[3.0], [0.5]]),
            "variance_for_std": AnyOf((np.array([[2.5], [0.445312]]), np.array([[2.5], [0.462891]]))),
            "std_divisor": np.array([[2.5], [0.316751]]),
            "std_not_refit": np.array([[2.5], [0.234375]]),
            "mean_not_refit": np.array([[1.0], [0.0]]),
            "elites_not_kept": np.array([[2.5], [-0.328125]]),
            "takes_smallest": np.array([[0.71875], [1.40625]]),
        },
        "candidates scored": {"wrong_candidate_count": AnyOf((0, 4, 6, 10, 12))},
        "sequences of noise drawn": {
            "noise_not_used": AnyOf((0, 1, 2, 4)),
            "elites_not_kept": 8,
            "returns_random_draw": 7,
            "wrong_candidate_count": AnyOf((10, 12)),
        },
        "smallest action scored": {"not_clipped": AnyOf((-3.0,))},
        "largest action scored": {"not_clipped": AnyOf((5.0, 6.0))},
        "plan from a mean outside the bounds": {
            "final_not_clipped": np.array([[3.25], [0.0]]),
            "returns_best_candidate": np.array([[3.0], [-0.25]]),
        },
    },
)


def _run_mpc_act(subject: Subject) -> dict[str, Any]:
    means: list[Array] = []
    planned_at: list[Array] = []

    def planner(observation: Array, mean: Array) -> Array:
        means.append(np.array(mean))
        planned_at.append(np.array(observation))
        return 10.0 * len(means) + np.arange(1.0, 6.0)[:, None]  # plan n holds 10 n + 1, ..., 10 n + 5

    initial_mean = -np.arange(1.0, 6.0)[:, None]
    controller = subject.call("mpc.MPC", planner, initial_mean=initial_mean, replan_every=2)
    actions = [subject.call_method(controller, "act", np.array([time, 0.0, 0.5])) for time in range(5)]
    calls_in_first_episode = len(means)
    subject.call_method(controller, "begin_episode")
    first_action_of_second_episode = subject.call_method(controller, "act", np.array([9.0, 0.0, 0.5]))
    return {
        "actions": _stack(actions, "the action"),
        "calls of the planner": calls_in_first_episode,
        "times of the observations planned from": np.array([np.ravel(seen)[0] for seen in planned_at]),
        "mean of the first search": means[0][:, 0] if means else np.zeros(0),
        "mean of the second search": means[1][:, 0] if len(means) > 1 else np.zeros(0),
        "mean of the third search": means[2][:, 0] if len(means) > 2 else np.zeros(0),
        "first action of the next episode": first_action_of_second_episode,
        "mean of the first search of the next episode": means[-1][:, 0] if means else np.zeros(0),
    }


MPC_ACT = WorkedExample(
    stub_id="mpc_act",
    story=(
        "Plans of five actions, replan_every = 2, initial_mean (-1, -2, -3, -4, -5). The planner's first plan is 11, "
        "12, 13, 14, 15, its second 21, 22, ... Five calls execute 11, 12, 21, 22, 31. The second search starts from "
        "what is left of the first plan and the end of initial_mean: (13, 14, 15, -4, -5); the third from "
        "(23, 24, 25, -4, -5). A new episode plans afresh from initial_mean, though one action of the third plan is "
        "done, and executes 41."
    ),
    run=_run_mpc_act,
    wanted={
        "actions": np.array([[11.0], [12.0], [21.0], [22.0], [31.0]]),
        "calls of the planner": 3,
        "times of the observations planned from": np.array([0.0, 2.0, 4.0, 9.0]),
        "mean of the first search": np.array([-1.0, -2.0, -3.0, -4.0, -5.0]),
        "mean of the second search": np.array([13.0, 14.0, 15.0, -4.0, -5.0]),
        "mean of the third search": np.array([23.0, 24.0, 25.0, -4.0, -5.0]),
        "first action of the next episode": np.array([41.0]),
        "mean of the first search of the next episode": np.array([-1.0, -2.0, -3.0, -4.0, -5.0]),
    },
    slips={
        "actions": {
            "replans_always": np.array([[11.0], [21.0], [31.0], [41.0], [51.0]]),
            "never_replans": np.array([[11.0], [12.0], [13.0], [14.0], [15.0]]),
            "replans_off_by_one": np.array([[11.0], [12.0], [13.0], [21.0], [22.0]]),
            "executes_last_action": AnyOf(
                (np.array([[15.0], [15.0], [25.0], [25.0], [35.0]]), np.array([[15.0], [14.0], [25.0], [24.0], [35.0]]))
            ),
            "returns_whole_plan": AnyOf(
                (
                    np.array([10, 10, 20, 20, 30])[:, None, None] + np.arange(1.0, 6.0)[:, None],
                    10.0 * np.arange(1, 6)[:, None, None] + np.arange(1.0, 6.0)[:, None],
                )
            ),
        },
        "calls of the planner": {"replans_always": 5, "never_replans": 1, "replans_off_by_one": 2},
        "times of the observations planned from": {"stale_observation": np.array([0.0, 1.0, 3.0, 9.0])},
        "mean of the second search": {
            "no_warm_start": AnyOf((np.array([-1.0, -2.0, -3.0, -4.0, -5.0]), np.zeros(5), np.arange(11.0, 16.0))),
            "shift_by_one": np.array([12.0, 13.0, 14.0, 15.0, -5.0]),
            "wrong_shift": np.array([14.0, 15.0, -3.0, -4.0, -5.0]),
            "wrong_tail": AnyOf(
                (
                    np.array([13.0, 14.0, 15.0, -1.0, -2.0]),
                    np.array([13.0, 14.0, 15.0, -5.0, -5.0]),
                    np.array([13.0, 14.0, 15.0, 15.0, 15.0]),
                    np.array([13.0, 14.0, 15.0, 0.0, 0.0]),
                    np.array([13.0, 14.0, 15.0]),
                    np.array([13.0, 14.0, 15.0, 11.0, 12.0]),
                )
            ),
        },
        "mean of the third search": {
            "no_warm_start": np.array([13.0, 14.0, 15.0, -4.0, -5.0]),
        },
        "first action of the next episode": {"plan_survives_episode": np.array([32.0])},
        "mean of the first search of the next episode": {
            "plan_survives_episode": AnyOf(
                (np.array([33.0, 34.0, 35.0, -4.0, -5.0]), np.array([32.0, 33.0, 34.0, 35.0, -5.0]))
            ),
        },
    },
)


def _run_agent_record(subject: Subject) -> dict[str, Any]:
    def agent_after(num_records: int, refit_every: int | None) -> tuple[list[int], list[int], Array]:
        fitted_at: list[int] = []
        lengths: list[int] = []
        data = [np.zeros((0, 1))]
        num_recorded = 0

        def fit(replay: Handle) -> None:
            fitted_at.append(num_recorded)
            lengths.append(int(subject.call_method(replay, "__len__")))
            if lengths[-1] > 0:
                data[0] = _few(subject.call_method(replay, "stacked").observation, "the observations")

        controller = subject.call(
            "mpc.MPC", lambda observation, mean: mean, initial_mean=np.zeros((5, 2)), replan_every=1
        )
        agent = subject.call(
            "mpc.ModelBasedAgent",
            base_policy=lambda observation: np.zeros(2),
            controller=controller,
            fit=fit,
            predict=lambda observation, action: observation,
            initial_steps=3,
            refit_every=refit_every,
        )
        for number in range(1, num_records + 1):
            num_recorded = number
            here, there = np.array([float(number)]), np.array([number + 1.0])
            subject.call_method(agent, "record", Transition(here, np.zeros(2), there))
        return fitted_at, lengths, data[0]

    fitted_at, lengths, data = agent_after(8, refit_every=2)
    fitted_once_at, _, _ = agent_after(8, refit_every=None)
    return {
        "steps after which fit was called": _trace(*fitted_at),
        "transitions in the replay buffer at each fit": _trace(*lengths),
        "observations at the last fit": _trace(*data[:, 0]),
        "steps after which fit was called, refit_every=None": _trace(*fitted_once_at),
    }


AGENT_RECORD = WorkedExample(
    stub_id="agent_record",
    story=(
        "initial_steps = 3, refit_every = 2, eight env steps whose observations are 1, 2, ..., 8. The first fit comes "
        "after step 3 and sees 3 transitions, the next after 5 and 7. With refit_every = None there is only the first. "
        "Each list is followed by zeros."
    ),
    run=_run_agent_record,
    wanted={
        "steps after which fit was called": _trace(3, 5, 7),
        "transitions in the replay buffer at each fit": _trace(3, 5, 7),
        "observations at the last fit": _trace(1, 2, 3, 4, 5, 6, 7),
        "steps after which fit was called, refit_every=None": _trace(3),
    },
    slips={
        "steps after which fit was called": {
            "fits_once": _trace(3),
            "fits_every_step": AnyOf((_trace(1, 2, 3, 4, 5, 6, 7, 8), _trace(3, 4, 5, 6, 7, 8))),
            "fits_before_append": AnyOf((_trace(4, 6, 8), _trace(1, 4, 6, 8))),
            "fits_too_early": AnyOf(
                (
                    _trace(2, 4, 6, 8),
                    _trace(1, 3, 5, 7),
                    _trace(2, 3, 4, 6, 8),
                    _trace(3, 4, 6, 8),
                    _trace(1, 3, 5, 7, 8),
                )
            ),
            "data_replaced": AnyOf((_trace(3, 6), _trace(3, 5, 6, 8))),
            "not_appended": _trace(),
        },
        "transitions in the replay buffer at each fit": {
            "fits_before_append": _trace(2, 4, 6),
            "data_replaced": AnyOf((_trace(3, 2, 2), _trace(3, 3, 3), _trace(3, 3), _trace(1, 1, 1))),
        },
        "observations at the last fit": {
            "data_replaced": AnyOf((_trace(6, 7), _trace(5, 6, 7), _trace(4, 5, 6), _trace(7), _trace(*[7] * 7))),
        },
        "steps after which fit was called, refit_every=None": {
            "fits_every_step": AnyOf((_trace(3, 4, 5, 6, 7, 8), _trace(1, 2, 3, 4, 5, 6, 7, 8))),
        },
    },
)

# Ensembles ------------------------------------------------------------------------------------------------------------

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
    indices = _few(answer, what)
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


def _add_offset_of_member(offsets: Array) -> Callable[[Array, Array], Array]:
    """A model in which member e moves by the action and its own offset."""

    def predict(observation: Array, action: Array) -> Array:
        moved = observation + action
        if moved.ndim < 3:  # the same input for every member
            moved = np.broadcast_to(moved, (len(offsets), *moved.shape))
        return moved + offsets.reshape(-1, *[1] * (moved.ndim - 1))

    return predict


def _run_member_returns(subject: Subject) -> dict[str, Any]:
    action_sequences = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [2.0, -1.0]])[..., None]
    sequences_per_call: list[int] = []
    predict = _add_offset_of_member(np.array([0.0, 1.0, 2.0]))

    def counting_predict(observation: Array, action: Array) -> Array:
        sequences_per_call.append(observation.shape[-2] if observation.ndim > 1 else 1)
        return predict(observation, action)

    def squared_position(observation: Array, action: Array, next_observation: Array) -> Array:
        reward: Array = next_observation[..., 0] ** 2 + 0.1 * action[..., 0]
        return reward

    returns = subject.call(
        "ensemble.member_returns",
        counting_predict,
        squared_position,
        np.array([1.0]),
        action_sequences,
        ensemble_size=3,
    )
    # Offsets 1, 10, 100, 1000: the digits of a return say how often each member took part in it.
    digits = subject.call(
        "ensemble.member_returns",
        _add_offset_of_member(np.array([1.0, 10.0, 100.0, 1000.0])),
        lambda observation, action, next_observation: next_observation[..., 0],
        np.array([0.0]),
        np.zeros((2, 3, 1)),
        ensemble_size=4,
    )
    return {
        "returns": returns,
        "sequences in the smallest call of predict": min(sequences_per_call, default=0),
        "most members that took part in one return": _members_in(digits),
    }


MAX_READ = 100  # returns, whose digits are read one by one


def _members_in(returns: Any) -> int:
    """How many members moved the state behind a return, at most: the return's decimal digits that are not 0."""
    most = 1
    for value in np.ravel(_few(returns, "the returns"))[:MAX_READ].astype(np.float64):
        whole = math.isfinite(value) and abs(value - round(value)) < 1e-3
        digits = [int(digit) for digit in str(round(value))] if whole and value > 0 else []
        if sum(digits) == 6:  # offsets count 3, 2 and 1 times in a return of three steps
            most = max(most, sum(digit > 0 for digit in digits))
    return most


MEMBER_RETURNS = WorkedExample(
    stub_id="member_returns",
    story=(
        "Three members that start at 1; member e moves the state by the action plus e (0, 1 or 2). The reward is the "
        "square of the state arrived at plus 0.1 * action. For the actions (1, 0), member 0 goes to 2, 2: 4.1 + 4 = "
        "8.1; member 1 to 3, 4: 9.1 + 16 = 25.1; member 2 to 4, 6: 16.1 + 36 = 52.1. The other sequences are (0, 1), "
        "(0, 0), (2, -1). With offsets 1, 10, 100, 1000 and no actions, a return of three steps is 6, 60, 600, 6000: "
        "one member alone took part in each."
    ),
    run=_run_member_returns,
    wanted={
        "returns": np.array([[8.1, 5.1, 2.0, 13.1], [25.1, 20.1, 13.0, 32.1], [52.1, 45.1, 34.0, 61.1]]),
        "sequences in the smallest call of predict": 4,
        "most members that took part in one return": 1,
    },
    slips={
        "returns": {
            "states_averaged": AnyOf(
                (
                    np.array([[25.1, 20.1, 13.0, 32.1]] * 3),
                    np.array([25.1, 20.1, 13.0, 32.1]),
                    np.array([[13.1, 10.1, 5.0, 18.1], [25.1, 20.1, 13.0, 32.1], [41.1, 34.1, 25.0, 50.1]]),
                )
            ),
            "one_member_only": AnyOf(
                (
                    np.array([[8.1, 5.1, 2.0, 13.1]] * 3),
                    np.array([8.1, 5.1, 2.0, 13.1]),
                    np.array([[52.1, 45.1, 34.0, 61.1]] * 3),
                    np.array([52.1, 45.1, 34.0, 61.1]),
                    np.array([[8.1, 5.1, 2.0, 13.1], [18.1, 13.1, 8.0, 25.1], [32.1, 25.1, 18.0, 41.1]]),
                )
            ),
            "actions_misaligned": np.array([[8.1, 8.1, 8.1, 5.1], [20.1, 20.1, 13.0, 13.0], [34.0, 61.1, 61.1, 61.1]]),
            "state_not_propagated": np.array([[5.1, 5.1, 2.0, 9.1], [13.1, 13.1, 8.0, 17.1], [25.1, 25.1, 18.0, 29.1]]),
            "reward_on_old_observation": np.array(
                [[5.1, 2.1, 2.0, 10.1], [10.1, 5.1, 5.0, 17.1], [17.1, 10.1, 10.0, 26.1]]
            ),
            "last_reward_only": np.array([[4.0, 4.1, 1.0, 3.9], [16.0, 16.1, 9.0, 15.9], [36.0, 36.1, 25.0, 35.9]]),
            "last_action_ignored": np.array([[4.1, 1.0, 1.0, 9.2], [9.1, 4.0, 4.0, 16.2], [16.1, 9.0, 9.0, 25.2]]),
            "aggregation_axis": np.array([85.3, 70.3, 49.0, 106.3]) / 3,
        },
        "sequences in the smallest call of predict": {"loop_over_sequences": 1},
        "most members that took part in one return": {"members_resampled": AnyOf((2, 3, 4))},
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
            "aggregation_axis": AnyOf((np.array([1.0, 3.0, 8.0]), 1.0)),
        },
        "optimistic": {
            "spread_for_extreme": AnyOf((np.array([6.943920, 34.142136]), np.array([7.605551, 37.320508]))),
            "pessimism_swapped": np.array([1.0, 10.0]),
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

WORKED_EXAMPLES: dict[str, WorkedExample] = {
    example.stub_id: example
    for example in (
        NORMALIZER_FIT,
        MODEL_PREDICT,
        MODEL_LOSS,
        MODEL_FIT,
        SEQUENCE_RETURNS,
        RANDOM_SHOOTING,
        CEM_REFIT,
        CEM_PLAN,
        MPC_ACT,
        AGENT_RECORD,
        BOOTSTRAP_INDICES,
        MEMBER_MINIBATCHES,
        MEMBER_RETURNS,
        AGGREGATE_RETURNS,
        GAUSSIAN_NLL,
        UNCERTAINTY_SPLIT,
    )
}
