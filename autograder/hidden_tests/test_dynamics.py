"""Hidden checks of the dynamics model."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.hidden_tests import oracles
from autograder.hidden_tests.graded import graded
from hw4.checks import check, check_close, check_shape
from hw4.subject import Subject
from hw4.transitions import Transition

RNG = np.random.Generator
OBS_DIM, ACT_DIM = 4, 3


def _fitted(subject: Subject, values: Any) -> Any:
    """mean and std of the fitted normaliser, read off what it does: normalise 0 and 1."""
    normalizer = subject.call("dynamics_model.fit_normalizer", values)
    dim = values.shape[-1]
    shift = subject.call_method(normalizer, "unnormalize", np.zeros(dim))
    check_shape(shift, (dim,), "unnormalize(0), the mean")
    scale = subject.call_method(normalizer, "unnormalize", np.ones(dim))
    check_shape(scale, (dim,), "unnormalize(1), mean + std")
    return shift, scale - shift


def _normalizer(subject: Subject, mean: Any, std: Any) -> Any:
    return subject.call("dynamics_model.Normalizer", mean, std)


class _Model:
    """A DynamicsModel of the student's around a hidden linear network, and the same in NumPy."""

    def __init__(self, subject: Subject, rng: RNG, members: int | None = None) -> None:
        in_dim = OBS_DIM + ACT_DIM
        self.in_mean, self.in_std = rng.normal(size=in_dim), rng.uniform(0.5, 3.0, in_dim)
        self.d_mean, self.d_std = rng.normal(size=OBS_DIM), rng.uniform(0.1, 4.0, OBS_DIM)
        shape = (in_dim, OBS_DIM) if members is None else (members, in_dim, OBS_DIM)
        self.weight = rng.normal(size=shape)
        self.network = subject.call("doubles.LinearNetwork", self.weight)
        self.handle = subject.call(
            "dynamics_model.DynamicsModel",
            self.network,
            input_normalizer=_normalizer(subject, self.in_mean, self.in_std),
            delta_normalizer=_normalizer(subject, self.d_mean, self.d_std),
        )

    def answer(self, observation: Any, action: Any, *, normalized: bool = True) -> Any:
        """What the network answers, in normalised units."""
        inputs = np.concatenate([observation, action], axis=-1)
        return ((inputs - self.in_mean) / self.in_std if normalized else inputs) @ self.weight

    def target(self, batch: Transition) -> Any:
        return (batch.next_observation - batch.observation - self.d_mean) / self.d_std


def _transitions(rng: RNG, *shape: int) -> Transition:
    observation = rng.normal(size=(*shape, OBS_DIM))
    return Transition(
        observation, rng.uniform(-1, 1, (*shape, ACT_DIM)), observation + rng.normal(size=(*shape, OBS_DIM))
    )


@graded("normalizer_fit", weight=2)
def test_normalizer_takes_mean_and_std_of_each_feature(subject: Subject, rng: RNG) -> None:
    """Mean and standard deviation of each feature, divisor N."""
    values = rng.normal(size=(11, 5)) * rng.uniform(0.5, 20, 5) + rng.normal(size=5) * 10
    mean, std = _fitted(subject, values)
    wanted_mean, wanted_std = oracles.normalizer(values)
    check_close(mean, wanted_mean, "mean", slips={"statistics_axis": np.full(5, values.mean())})
    slips = {
        "std_divisor": values.std(axis=0, ddof=1),
        "statistics_axis": np.full(5, values.std()),
        "variance_for_std": values.var(axis=0),
    }
    check_close(std, wanted_std, "std", slips=slips)


@graded("normalizer_fit")
def test_normalizer_divides_a_constant_feature_by_one(subject: Subject, rng: RNG) -> None:
    """A feature that never changed is divided by 1, not by a tiny number."""
    values = rng.normal(size=(9, 3))
    values[:, 1] = 2.0
    _, std = _fitted(subject, values)
    check(bool(np.isfinite(std).all()), "the std of a constant feature is not finite", "not_finite")
    check(abs(std[1]) > 0.5, "the std of a constant feature is tiny", "std_floor")
    check_close(std, oracles.normalizer(values)[1], "std", slips={"std_divisor": _with_one(values.std(axis=0, ddof=1))})


@graded("normalizer_fit")
def test_normalizer_takes_all_leading_dimensions_as_samples(subject: Subject, rng: RNG) -> None:
    """All leading dimensions together are the samples; one sample is enough."""
    values = rng.normal(size=(3, 7, 4)) * 2 + 1
    mean, std = _fitted(subject, values)
    wanted_mean, wanted_std = oracles.normalizer(values)
    check_close(mean, wanted_mean, "mean of values of shape (3, 7, 4)")
    flat = values.reshape(-1, 4)
    check_close(std, wanted_std, "std of values of shape (3, 7, 4)", slips={"std_divisor": flat.std(axis=0, ddof=1)})
    one = rng.normal(size=(1, 4))
    mean, std = _fitted(subject, one)
    check_close(mean, one[0], "mean of one sample")
    check_close(std, np.ones(4), "std of one sample")


def _with_one(std: Any) -> Any:
    return np.where(std < 1e-6, 1.0, std)


@graded("model_predict", weight=3)
def test_predict_adds_the_unnormalized_change(subject: Subject, rng: RNG) -> None:
    """The next observation: s plus the un-normalised answer of the network to normalised inputs."""
    model = _Model(subject, rng)
    batch = _transitions(rng, 6)
    s, a = batch.observation, batch.action
    answer, raw = model.answer(s, a), model.answer(s, a, normalized=False)
    inputs = np.concatenate([s, a], axis=-1)
    own = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0) @ model.weight
    own_1 = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0, ddof=1) @ model.weight
    slips = {
        "input_not_normalized": s + raw * model.d_std + model.d_mean,
        "output_not_unnormalized": s + answer,
        "delta_mean_missing": s + answer * model.d_std,
        "delta_not_added": answer * model.d_std + model.d_mean,
        "batch_statistics": s + own * model.d_std + model.d_mean,
        "inputs_swapped": s
        + ((np.concatenate([a, s], axis=-1) - model.in_mean) / model.in_std @ model.weight) * model.d_std
        + model.d_mean,
    }
    predicted = subject.call_method(model.handle, "predict", s, a)
    wanted = s + answer * model.d_std + model.d_mean
    check_close(predicted, wanted, "predict", slips=slips)
    check_close(predicted, wanted, "predict", slips={"batch_statistics": s + own_1 * model.d_std + model.d_mean})


@graded("model_predict")
def test_predict_takes_any_leading_dimensions(subject: Subject, rng: RNG) -> None:
    """One observation without a batch, a batch, and a batch of batches."""
    for shape in ((), (5,), (2, 6)):
        model = _Model(subject, rng)
        batch = _transitions(rng, *shape)
        predicted = subject.call_method(model.handle, "predict", batch.observation, batch.action)
        wanted = batch.observation + model.answer(batch.observation, batch.action) * model.d_std + model.d_mean
        check_close(predicted, wanted, f"predict for leading dimensions {shape}")


@graded("model_predict")
def test_predict_serves_an_ensemble_network(subject: Subject, rng: RNG) -> None:
    """With an ensemble network the member axis comes first, and each member predicts its own."""
    model = _Model(subject, rng, members=3)
    batch = _transitions(rng, 3, 5)
    predicted = subject.call_method(model.handle, "predict", batch.observation, batch.action)
    wanted = batch.observation + model.answer(batch.observation, batch.action) * model.d_std + model.d_mean
    check_close(predicted, wanted, "predict of an ensemble", slips={"states_averaged": wanted.mean(axis=0)})


@graded("model_loss", weight=2)
def test_loss_is_the_mean_squared_error_in_normalized_units(subject: Subject, rng: RNG) -> None:
    """Mean squared error between the network's answer and the normalised change."""
    model = _Model(subject, rng)
    batch = _transitions(rng, 9)
    s, a, after = batch
    error = model.answer(s, a) - model.target(batch)
    slips = {
        "loss_raw_units": np.mean((error * model.d_std) ** 2),
        "input_not_normalized": np.mean((model.answer(s, a, normalized=False) - model.target(batch)) ** 2),
        "loss_summed": np.sum(error**2),
        "loss_not_squared": np.mean(np.abs(error)),
        "absolute_target": np.mean((model.answer(s, a) - (after - model.d_mean) / model.d_std) ** 2),
        "delta_mean_missing": np.mean((model.answer(s, a) - (after - s) / model.d_std) ** 2),
    }
    loss = subject.call_method(model.handle, "loss", batch)
    check_close(loss, np.mean(error**2), "loss", slips=slips)


@graded("model_loss")
def test_loss_keeps_one_entry_per_member(subject: Subject, rng: RNG) -> None:
    """For an ensemble the loss has shape (E,): the average is over batch and features only."""
    model = _Model(subject, rng, members=3)
    batch = _transitions(rng, 3, 8)
    error = model.answer(batch.observation, batch.action) - model.target(batch)
    loss = subject.call_method(model.handle, "loss", batch)
    slips = {"loss_over_members": np.mean(error**2), "loss_summed": np.sum(error**2, axis=(1, 2))}
    check_close(loss, np.mean(error**2, axis=(1, 2)), "loss of an ensemble", slips=slips)


@graded("model_loss")
def test_loss_is_differentiable_in_the_weights(subject: Subject, rng: RNG) -> None:
    """The gradient of the loss reaches the network's weights."""
    model = _Model(subject, rng)
    batch = _transitions(rng, 7)
    inputs = (np.concatenate([batch.observation, batch.action], axis=-1) - model.in_mean) / model.in_std
    error = inputs @ model.weight - model.target(batch)
    wanted = 2 * inputs.T @ error / error.size
    gradient = subject.call("doubles.loss_gradient", model.handle, model.network, batch)
    check_close(gradient, wanted, "gradient of the loss", slips={"loss_detached": np.zeros_like(wanted)})


class _Fit:
    """One call of the student's `fit` on a quadratic model, with everything it asked for."""

    def __init__(self, subject: Subject, rng: RNG, *, members: int | None, steps: int) -> None:
        self.data = _transitions(rng, 13)
        self.start = rng.normal(size=(OBS_DIM,) if members is None else (members, OBS_DIM))
        self.rate = 0.3
        batch_shape = (5,) if members is None else (members, 5)
        self.drawn = [rng.integers(0, 13, batch_shape) for _ in range(steps + 10)]
        self.events: list[tuple[str, Any]] = []
        self.num_draws = 0
        model = subject.call("doubles.QuadraticModel", self.start, self._on_fit_normalizers, self._on_batch)
        optimizer = subject.call("doubles.sgd", model, self.rate)
        self.losses = subject.call(
            "dynamics_model.fit", model, self.data, optimizer, sample_indices=self._draw, gradient_steps=steps
        )
        self.weights = subject.call_method(model, "current_weights")

    def _draw(self) -> Any:
        self.num_draws += 1
        return self.drawn[(self.num_draws - 1) % len(self.drawn)]

    def _on_fit_normalizers(self, observation: Any) -> None:
        self.events.append(("fit_normalizers", observation))

    def _on_batch(self, observation: Any) -> None:
        self.events.append(("loss", observation))

    def replay(self, steps: int, *, summed: float = 1.0, zeroed: bool = True) -> tuple[Any, Any]:
        """(weights after, losses before each step) of plain gradient descent."""
        weights, gradient, losses = self.start.copy(), np.zeros_like(self.start), []
        for indices in self.drawn[:steps]:
            error = weights[..., None, :] - self.data.observation[indices]
            losses.append(float(np.sum(np.mean(error**2, axis=(-2, -1)))))
            step = 2 * error.mean(axis=-2) / OBS_DIM * summed
            gradient = step if zeroed else gradient + step
            weights = weights - self.rate * gradient
        return weights, np.array(losses)


@graded("model_fit", weight=2)
def test_fit_takes_the_gradient_steps(subject: Subject, rng: RNG) -> None:
    """`gradient_steps` optimiser steps, each on a fresh minibatch from `sample_indices`, gradients zeroed."""
    run = _Fit(subject, rng, members=None, steps=6)
    weights, losses = run.replay(6)
    one_batch = _Fit.replay(_repeated(run), 6)[0]
    slips = {
        "no_gradient_step": run.start,
        "gradients_not_zeroed": run.replay(6, zeroed=False)[0],
        "wrong_step_count": run.replay(5)[0],
        "same_minibatch": one_batch,
    }
    check_close(run.weights, weights, "the weights after fitting", slips=slips)
    check(run.num_draws == 6, f"sample_indices was called {run.num_draws} times for 6 steps", "wrong_step_count")
    check_close(run.losses, losses, "the returned losses", slips={"wrong_step_count": losses[:1]})


def _repeated(run: _Fit) -> _Fit:
    """The same run, if the first minibatch had been used at every step."""
    twin = object.__new__(_Fit)
    twin.__dict__.update(run.__dict__)
    twin.drawn = [run.drawn[0]] * len(run.drawn)
    return twin


@graded("model_fit")
def test_fit_refreshes_the_normalizers_first_from_all_data(subject: Subject, rng: RNG) -> None:
    """The normalisers are refreshed once, before the first loss, from all the transitions."""
    run = _Fit(subject, rng, members=None, steps=3)
    refreshed = [i for i, (what, _) in enumerate(run.events) if what == "fit_normalizers"]
    check(len(refreshed) > 0, "fit_normalizers was never called", "normalizers_not_refreshed")
    check(refreshed[0] == 0, "a loss was taken before fit_normalizers was called", "normalizers_not_refreshed")
    seen = run.events[0][1]
    check(
        seen.shape == run.data.observation.shape, "fit_normalizers saw part of the data", "normalizers_from_minibatch"
    )
    check_close(seen, run.data.observation, "what fit_normalizers saw")
    check(len(refreshed) == 1, f"fit_normalizers was called {len(refreshed)} times", "normalizers_from_minibatch")


@graded("model_fit")
def test_fit_steps_on_the_sum_of_the_members_losses(subject: Subject, rng: RNG) -> None:
    """For an ensemble each member takes exactly its own gradient step."""
    run = _Fit(subject, rng, members=3, steps=4)
    weights, losses = run.replay(4)
    slips = {"members_not_summed": run.replay(4, summed=1 / 3)[0], "no_gradient_step": run.start}
    check_close(run.weights, weights, "the members' weights after fitting", slips=slips)
    check_close(run.losses, losses, "the returned losses", slips={"members_not_summed": losses / 3})
