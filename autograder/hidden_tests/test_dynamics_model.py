"""Hidden checks of the dynamics model."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from autograder.hidden_tests import dynamics_model_oracle as oracle
from autograder.hidden_tests.graded import graded
from autograder.hidden_tests.inputs import call_and_check_inputs
from hw4.checking.answers import AnyOf, check, check_close, check_shape
from hw4.checking.subject import Subject
from hw4.transitions import Transition

RNG = np.random.Generator
OBS_DIM, ACT_DIM = 4, 3


def _fitted(subject: Subject, values: Any) -> Any:
    """mean and std of the fitted normaliser, read off what it does: normalise 0 and 1."""
    normalizer = subject.call("dynamics_model.fit_normalizer", values)
    check(normalizer is not None, "fit_normalizer returns None: a return statement is missing", "returns_none")
    dim = values.shape[-1]
    shift = subject.call_method(normalizer, "unnormalize", np.zeros(dim))
    check(getattr(shift, "shape", None) == (dim,), f"mean and std must have shape ({dim},)", "statistics_axis")
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
        self.network = subject.call("checking.doubles.LinearNetwork", self.weight)
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
    wanted_mean, wanted_std = oracle.normalizer(values)
    check_close(mean, wanted_mean, "mean", slips={"statistics_axis": np.full(5, values.mean())})
    slips = {
        "std_divisor": values.std(axis=0, ddof=1),
        "statistics_axis": np.full(5, values.std()),
        "root_missing": AnyOf((values.var(axis=0), values.var(axis=0, ddof=1))),
        "deviation_center": np.sqrt((values**2).mean(axis=0)),
    }
    check_close(std, wanted_std, "std", slips=slips)


@graded("normalizer_fit")
def test_normalizer_divides_a_constant_feature_by_one(subject: Subject, rng: RNG) -> None:
    """A feature whose std is below MIN_STD is divided by 1, not by a tiny number; any other by its std."""
    values = rng.normal(size=(9, 4))
    values[:, 1] = 2.0
    values[:, 2] *= 1e-8
    values[:, 3] *= 3e-4  # its variance is below MIN_STD, its std is not
    mean, std = _fitted(subject, values)
    check(bool(np.isfinite(std).all()), "the std of a constant feature is not finite", "not_finite")
    check(bool((np.abs(std[1:3]) > 0.5).all()), "the std of a constant feature is tiny", "std_floor")
    check(std[3] < 0.5, "a feature of small std counts as constant", "std_floor_too_high")
    wanted_mean, wanted_std = oracle.normalizer(values)
    check_close(std, wanted_std, "std", slips={"std_divisor": _with_one(values.std(axis=0, ddof=1))})
    slips = {"constant_not_shifted": np.where(wanted_std == 1.0, 0.0, wanted_mean)}
    check_close(mean, wanted_mean, "mean next to a constant feature", slips=slips)


@graded("normalizer_fit")
def test_normalizer_takes_all_leading_dimensions_as_samples(subject: Subject, rng: RNG) -> None:
    """All leading dimensions together are the samples; one sample is enough."""
    values = rng.normal(size=(3, 7, 4)) * 2 + 1
    mean, std = _fitted(subject, values)
    wanted_mean, wanted_std = oracle.normalizer(values)
    parts = (*values, *values.swapaxes(0, 1))
    slips: dict[str, Any] = {"statistics_axis": AnyOf(tuple(part.mean(axis=0) for part in parts))}
    check_close(mean, wanted_mean, "mean of values of shape (3, 7, 4)", slips=slips)
    flat = values.reshape(-1, 4)
    means_of_stds = tuple(values.std(axis=axis, ddof=ddof).mean(axis=0) for axis in (0, 1) for ddof in (0, 1))
    slips = {
        "std_divisor": flat.std(axis=0, ddof=1),
        "statistics_axis": AnyOf((*(part.std(axis=0) for part in parts), *means_of_stds)),
    }
    check_close(std, wanted_std, "std of values of shape (3, 7, 4)", slips=slips)
    one = rng.normal(size=(1, 4))
    mean, std = _fitted(subject, one)
    check_close(mean, one[0], "mean of one sample")
    check_close(std, np.ones(4), "std of one sample")


@graded("normalizer_fit", weight=0.5, needs_another=True)
def test_normalizer_leaves_the_data_as_they_were(subject: Subject, rng: RNG) -> None:
    """The data are not changed in place."""
    normalizer, _ = call_and_check_inputs(subject, "dynamics_model.fit_normalizer", rng.normal(size=(8, 3)) + 2)
    check(normalizer is not None, "fit_normalizer returns None: a return statement is missing", "returns_none")


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
    centered = inputs - inputs.mean(axis=0)
    half = (((inputs - model.in_mean) @ model.weight), (inputs / model.in_std) @ model.weight)
    swapped = (np.concatenate([a, s], axis=-1) - model.in_mean) / model.in_std
    seen = (inputs - model.in_mean) / model.in_std
    twice = (seen - model.in_mean) / model.in_std
    partly = tuple(
        np.concatenate([x[..., :OBS_DIM], y[..., OBS_DIM:]], axis=-1) @ model.weight
        for x, y in ((seen, inputs), (inputs, seen))
    )

    def after(answered: Any) -> Any:
        return s + answered * model.d_std + model.d_mean

    slips = {
        "input_not_normalized": AnyOf((after(raw), after(half[0]), after(half[1]), s + raw, *map(after, partly))),
        "output_not_unnormalized": AnyOf((s + answer, s + answer + model.d_mean)),
        "delta_mean_missing": s + answer * model.d_std,
        "delta_not_added": answer * model.d_std + model.d_mean,
        "absolute_target": s + after(answer),
        "statistics_swapped": s + answer * model.in_std[:OBS_DIM] + model.in_mean[:OBS_DIM],
        "batch_statistics": AnyOf(
            tuple(after(centered / inputs.std(axis=0, ddof=ddof) @ model.weight) for ddof in (0, 1))
        ),
        "inputs_swapped": after(swapped @ model.weight),
        "values_clamped": AnyOf(tuple(after(np.clip(seen, -c, c) @ model.weight) for c in (1, 2, 3, 5, 10))),
        "normalized_twice": after(twice @ model.weight),
        "unnormalize_wrong": AnyOf(
            (s + (answer - model.d_mean) / model.d_std, s + (answer + model.d_mean) * model.d_std)
        ),
        "normalized_observation_added": seen[..., :OBS_DIM] + answer * model.d_std + model.d_mean,
    }
    check_close(subject.call_method(model.handle, "predict", s, a), after(answer), "predict", slips=slips)
    model, far = _Model(subject, rng), 30.0 * s
    wanted = far + model.answer(far, a) * model.d_std + model.d_mean
    predicted = subject.call_method(model.handle, "predict", far, a)
    seen = (np.concatenate([far, a], axis=-1) - model.in_mean) / model.in_std
    clamped = (np.clip(seen, -c, c) @ model.weight for c in (5, 10, 20, 50))
    slips = {"values_clamped": AnyOf(tuple(far + answered * model.d_std + model.d_mean for answered in clamped))}
    check_close(predicted, wanted, "predict far away from the data", slips=slips)


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
    shared = _transitions(rng, 5)  # one batch for all members
    predicted = subject.call_method(model.handle, "predict", shared.observation, shared.action)
    wanted = shared.observation + model.answer(shared.observation, shared.action) * model.d_std + model.d_mean
    slips = {"states_averaged": wanted.mean(axis=0), "one_member_only": AnyOf(tuple(wanted))}
    check_close(predicted, wanted, "predict of an ensemble for one batch", slips=slips)


@graded("model_predict", weight=0.5, needs_another=True)
def test_predict_leaves_its_inputs_and_normalizers_as_they_were(subject: Subject, rng: RNG) -> None:
    """The observation and action are not changed in place, and a second call gives the same answer."""
    model = _Model(subject, rng)
    batch = _transitions(rng, 5)
    s, a = batch.observation, batch.action
    first, _ = call_and_check_inputs(subject, ".predict", model.handle, s, a)
    again = subject.call_method(model.handle, "predict", s, a)
    for predicted in (first, again):
        check_shape(predicted, s.shape, "predict")
    same = np.allclose(again, first, rtol=1e-6, atol=1e-6, equal_nan=True)
    check(same, "a second call predicts something else: a stored normaliser has changed", "inplace")


@graded("model_loss", weight=2)
def test_loss_is_the_mean_squared_error_in_normalized_units(subject: Subject, rng: RNG) -> None:
    """Mean squared error between the network's answer and the normalised change."""
    model = _Model(subject, rng)
    batch = _transitions(rng, 9)
    s, a, after = batch
    answer, target = model.answer(s, a), model.target(batch)
    error = answer - target
    inputs, change = np.concatenate([s, a], axis=-1), after - s
    answers, targets = [answer], [target]
    for ddof in (0, 1):
        answers.append((inputs - inputs.mean(axis=0)) / inputs.std(axis=0, ddof=ddof) @ model.weight)
        targets.append((change - change.mean(axis=0)) / change.std(axis=0, ddof=ddof))
    raw_answer = model.answer(s, a, normalized=False)
    swapped = (np.concatenate([a, s], axis=-1) - model.in_mean) / model.in_std @ model.weight
    huber = np.mean(np.where(np.abs(error) < 1, 0.5 * error**2, np.abs(error) - 0.5))
    slips = {
        "loss_raw_units": AnyOf((np.mean((error * model.d_std) ** 2), np.mean((answer - change) ** 2))),
        "input_not_normalized": AnyOf(
            (
                np.mean((raw_answer - target) ** 2),
                np.mean((raw_answer - change) ** 2),
                np.mean(((inputs - model.in_mean) @ model.weight - target) ** 2),
                np.mean((inputs / model.in_std @ model.weight - target) ** 2),
            )
        ),
        "loss_summed": AnyOf(
            (
                np.sum(error**2),
                np.sum(error**2) / len(error),
                np.sum(error**2) / OBS_DIM,
                np.mean(error**2, axis=0),
                np.mean(error**2, axis=1),
            )
        ),
        "loss_not_squared": AnyOf((np.mean(np.abs(error)), np.mean(error**2) ** 0.5, huber, 2 * huber)),
        "loss_halved": np.mean(error**2) / 2,
        "absolute_target": np.mean((answer - (after - model.d_mean) / model.d_std) ** 2),
        "delta_mean_missing": np.mean((answer - change / model.d_std) ** 2),
        "inputs_swapped": np.mean((swapped - target) ** 2),
        "batch_statistics": AnyOf(tuple(np.mean((x - y) ** 2) for x in answers for y in targets)[1:]),
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
    of_all = np.mean(error**2)
    slips = {
        "loss_over_members": AnyOf((of_all, np.full(3, of_all), np.full(3, of_all / 3))),
        "loss_summed": AnyOf((np.sum(error**2, axis=(1, 2)), *(np.mean(error**2, axis=axis) for axis in (1, 2)))),
    }
    check_close(loss, np.mean(error**2, axis=(1, 2)), "loss of an ensemble", slips=slips)


@graded("model_loss")
def test_loss_is_differentiable_in_the_weights(subject: Subject, rng: RNG) -> None:
    """The gradient of the loss reaches the network's weights."""
    model = _Model(subject, rng)
    batch = _transitions(rng, 7)
    inputs = (np.concatenate([batch.observation, batch.action], axis=-1) - model.in_mean) / model.in_std
    error = inputs @ model.weight - model.target(batch)
    wanted = 2 * inputs.T @ error / error.size
    gradient = subject.call("checking.doubles.loss_gradient", model.handle, model.network, batch)
    check_close(gradient, wanted, "gradient of the loss", slips={"loss_detached": np.zeros_like(wanted)})


@graded("model_loss", weight=0.5, needs_another=True)
def test_loss_leaves_the_batch_and_the_normalizers_as_they_were(subject: Subject, rng: RNG) -> None:
    """The batch is not changed in place, and a second call gives the same loss."""
    model = _Model(subject, rng)
    batch = _transitions(rng, 6)
    first, _ = call_and_check_inputs(subject, ".loss", model.handle, batch)
    again = subject.call_method(model.handle, "loss", batch)
    for loss in (first, again):
        check_shape(loss, (), "loss")
    same = np.allclose(again, first, rtol=1e-6, atol=1e-6, equal_nan=True)
    check(same, "a second call gives another loss: a stored normaliser has changed", "inplace")


class _Fit:
    """Calls of the student's `fit` on a quadratic model, with everything they asked for."""

    def __init__(
        self,
        subject: Subject,
        rng: RNG,
        *,
        members: int | None = None,
        steps: int,
        calls: int = 1,
        momentum: float = 0.0,
        far: bool = True,
    ) -> None:
        self.data = _transitions(rng, 13)
        # Far from the data: the first gradients are large, so that clipping them shows.
        shape = (OBS_DIM,) if members is None else (members, OBS_DIM)
        self.start = (20.0 if far else 0.0) + (10.0 if far else 0.1) * rng.normal(size=shape)
        self.rate = 0.3
        batch_shape = (5,) if members is None else (members, 5)
        self.drawn = [rng.integers(0, 13, batch_shape) for _ in range(calls * steps + 10)]
        self.events: list[tuple[str, Any]] = []
        self.num_draws = 0
        self.path = [self.start]  # the weights after each step of the optimiser
        model = subject.call("checking.doubles.QuadraticModel", self.start, self._on_fit_normalizers, self._on_batch)
        self._subject, self._model = subject, model
        optimizer = subject.call("checking.doubles.sgd", model, self.rate, momentum, self._on_step)
        for _ in range(calls):
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

    def _on_step(self) -> None:
        self.path.append(self._subject.call_method(self._model, "current_weights"))

    @property
    def num_optimizer_steps(self) -> int:
        return len(self.path) - 1

    @property
    def uses_other_batches(self) -> bool:
        """Whether a loss was taken of something that `sample_indices` did not draw."""
        drawn = [self.data.observation[indices] for indices in self.drawn[: self.num_draws]]
        seen = [batch for what, batch in self.events if what == "loss"]
        return any(all(a.shape != b.shape or not np.allclose(a, b, atol=1e-5) for b in drawn) for a in seen)

    @property
    def goes_along_the_gradients(self) -> bool:
        """Whether every step goes down its own minibatch's gradient, however far."""
        if self.num_optimizer_steps != self.num_draws:
            return False
        for before, after, indices in zip(self.path, self.path[1:], self.drawn, strict=False):
            down = -(before[..., None, :] - self.data.observation[indices]).mean(axis=-2).ravel()
            step = (after - before).ravel()
            if step @ down < 0.999 * np.linalg.norm(step) * np.linalg.norm(down):
                return False
        return True

    @property
    def moves_one_member_at_a_time(self) -> bool:
        if any(np.shape(weights) != self.start.shape for weights in self.path):
            return False
        moved = [(np.abs(after - before) > 1e-6).any(axis=-1).sum() for before, after in itertools.pairwise(self.path)]
        return len(moved) > 0 and all(count <= 1 for count in moved)

    @property
    def bypasses_the_optimizer(self) -> bool:
        moved = np.shape(self.weights) != self.start.shape or not np.allclose(self.weights, self.start)
        return self.num_optimizer_steps == 0 and moved

    def replay(
        self,
        steps: int,
        *,
        summed: Any = 1.0,
        zeroed: bool = True,
        late: bool = False,
        momentum: float = 0.0,
        restart: int = 0,
    ) -> tuple[Any, Any]:
        """(weights after, losses before each step) of gradient descent.

        Args:
            steps: how many.
            summed: factor of the gradient, or of each member's.
            zeroed: whether gradients are forgotten between steps.
            late: whether each step uses the gradient of the step before.
            momentum: weight of the earlier steps.
            restart: forget the momentum after so many steps; 0 is never.
        """
        weights, gradient, velocity, losses = self.start.copy(), np.zeros_like(self.start), 0 * self.start, []
        for number, indices in enumerate(self.drawn[:steps]):
            error = weights[..., None, :] - self.data.observation[indices]
            losses.append(float(np.sum(np.mean(error**2, axis=(-2, -1)))))
            step = 2 * error.mean(axis=-2) / OBS_DIM * summed
            if late:
                weights, gradient = weights - self.rate * gradient, step
                continue
            gradient = step if zeroed else gradient + step
            forget = restart and number % restart == 0
            velocity = gradient if forget else momentum * velocity + gradient
            weights = weights - self.rate * velocity
        return weights, np.array(losses)


def _check_draws(run: _Fit, wanted: int) -> None:
    cause = {0: "minibatch_ignored", 1: "same_minibatch"}.get(run.num_draws, "wrong_step_count")
    check(run.num_draws == wanted, f"sample_indices was called {run.num_draws} times for {wanted} steps", cause)


@graded("model_fit", weight=2)
def test_fit_takes_the_gradient_steps(subject: Subject, rng: RNG) -> None:
    """`gradient_steps` optimiser steps, each on a fresh minibatch from `sample_indices`, gradients zeroed."""
    run = _Fit(subject, rng, steps=6)
    _check_draws(run, 6)
    weights, losses = run.replay(6)
    slips = {
        "no_gradient_step": run.start,
        "gradients_not_zeroed": run.replay(6, zeroed=False)[0],
        "wrong_step_count": AnyOf((run.replay(5)[0], run.replay(7)[0])),
        "step_before_backward": run.replay(6, late=True)[0],
        "same_minibatch": _Fit.replay(_repeated(run), 6)[0],
    }
    if run.bypasses_the_optimizer:
        slips["optimizer_bypassed"] = AnyOf((run.weights,))
    elif run.uses_other_batches:
        slips["minibatch_ignored"] = AnyOf((run.weights,))
    elif run.goes_along_the_gradients:
        slips["step_size_changed"] = AnyOf((run.weights,))
    check_close(run.weights, weights, "the weights after fitting", slips=slips)
    after = np.append(losses[1:], np.mean((weights - run.data.observation[run.drawn[5]]) ** 2))
    so_far = np.cumsum(losses)
    slips = {
        "wrong_step_count": AnyOf((losses[:1], losses[:5], losses[-1], losses[-1:])),
        "mean_taken": AnyOf((losses.mean(), so_far, so_far / np.arange(1, 7))),
    }
    check_close(run.losses, losses, "the returned losses", slips={**slips, "loss_after_step": after})
    # Near the optimum losses rise and fall with the minibatches: no reason to stop.
    near = _Fit(subject, rng, steps=12, far=False)
    _check_draws(near, 12)
    check_close(near.weights, near.replay(12)[0], "the weights after fitting, from near the data")


def _repeated(run: _Fit) -> _Fit:
    """The same run, if the first minibatch had been used at every step."""
    twin = object.__new__(_Fit)
    twin.__dict__.update(run.__dict__)
    twin.drawn = [run.drawn[0]] * len(run.drawn)
    return twin


@graded("model_fit")
def test_fit_refreshes_the_normalizers_first_from_all_data(subject: Subject, rng: RNG) -> None:
    """The normalisers are refreshed once, before the first loss, from all the transitions."""
    run = _Fit(subject, rng, steps=3)
    refreshed = [i for i, (what, _) in enumerate(run.events) if what == "fit_normalizers"]
    check(len(refreshed) > 0, "fit_normalizers was never called", "normalizers_not_refreshed")
    seen = run.events[refreshed[0]][1]
    check(
        seen.shape == run.data.observation.shape, "fit_normalizers saw part of the data", "normalizers_from_minibatch"
    )
    check(len(refreshed) == 1, f"fit_normalizers was called {len(refreshed)} times", "normalizers_from_minibatch")
    check(refreshed[0] == 0, "a loss was taken before fit_normalizers was called", "normalizers_not_refreshed")
    check_close(seen, run.data.observation, "what fit_normalizers saw")


@graded("model_fit")
def test_fit_steps_on_the_sum_of_the_members_losses(subject: Subject, rng: RNG) -> None:
    """For an ensemble each member takes exactly its own gradient step."""
    run = _Fit(subject, rng, members=3, steps=4)
    weights, losses = run.replay(4)
    first_alone, last_alone = (run.replay(4, summed=np.eye(3)[e][:, None])[0] for e in (0, 2))
    slips = {
        "members_not_summed": run.replay(4, summed=1 / 3)[0],
        "one_member_only": AnyOf((first_alone, last_alone)),
        "no_gradient_step": run.start,
    }
    if run.moves_one_member_at_a_time:
        slips["one_member_only"] = AnyOf((run.weights,))
    check_close(run.weights, weights, "the members' weights after fitting", slips=slips)
    per_member = getattr(run.losses, "shape", None) in ((4, 3), (3, 4))
    check(not per_member, "the returned losses hold one entry per member", "members_not_summed")
    check_close(run.losses, losses, "the returned losses", slips={"members_not_summed": losses / 3})


@graded("model_fit")
def test_fit_steps_with_the_optimizer_it_is_given(subject: Subject, rng: RNG) -> None:
    """The optimiser itself takes the steps, and it keeps its state between two fits."""
    run = _Fit(subject, rng, steps=3, calls=2, momentum=0.8)
    slips = {
        "optimizer_bypassed": run.replay(6)[0],
        "optimizer_restarted": run.replay(6, momentum=0.8, restart=3)[0],
        "no_gradient_step": run.start,
        "gradients_not_zeroed": run.replay(6, momentum=0.8, zeroed=False)[0],
        "step_before_backward": run.replay(6, late=True)[0],
    }
    if run.bypasses_the_optimizer:
        slips["optimizer_bypassed"] = run.weights
    check_close(run.weights, run.replay(6, momentum=0.8)[0], "the weights after two fits with momentum", slips=slips)
    message = f"the optimiser took {run.num_optimizer_steps} steps, wanted 6"
    check(run.num_optimizer_steps == 6, message, "optimizer_bypassed")


@graded("model_fit", weight=0.5, needs_another=True)
def test_fit_leaves_the_data_as_they_were_and_returns_plain_numbers(subject: Subject, rng: RNG) -> None:
    """The transitions are not changed in place, and the returned losses are detached."""
    data = _transitions(rng, 9)
    model = subject.call("checking.doubles.QuadraticModel", rng.normal(size=OBS_DIM))
    optimizer = subject.call("checking.doubles.sgd", model, 0.2)
    losses, has_graph = call_and_check_inputs(
        subject,
        "dynamics_model.fit",
        model,
        data,
        optimizer,
        sample_indices=lambda: np.array([2, 5]),
        gradient_steps=3,
    )
    check(not has_graph, "the returned losses are not detached", "losses_not_detached")
    check_shape(losses, (3,), "the returned losses")
