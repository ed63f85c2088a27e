"""Hidden checks of the dynamics model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.hidden_tests import dynamics_model_oracle as oracle
from autograder.hidden_tests.fitting_runs import FittingRun
from autograder.hidden_tests.graded import graded
from autograder.hidden_tests.inputs import check_left_alone
from autograder.hidden_tests.known_models import Model, transitions
from hw4.checking.answers import AnyOf, check, check_close, check_every_time, check_shape
from hw4.checking.model_slips import epsilon_in
from hw4.checking.subject import Kept, Subject
from hw4.checking.worked_example import stack
from hw4.transitions import Transition

RNG = np.random.Generator
FAR = 2.0**20  # so far out that a mean is nothing to it

# fit_normalizer -------------------------------------------------------------------------------------------------------


class _Fitted:
    """A normaliser of the student's: what it holds, and what it does."""

    def __init__(self, subject: Subject, values: Any) -> None:
        self._subject, self._dim = subject, values.shape[-1]
        self._handle = subject.call("dynamics_model.fit_normalizer", values)
        check(self._handle is not None, "fit_normalizer returns None: a return statement is missing", "returns_none")

    @property
    def mean(self) -> Any:
        return self._subject.call("checking.doubles.statistics_of", self._handle)[0]

    @property
    def std(self) -> Any:
        return self._subject.call("checking.doubles.statistics_of", self._handle)[1]

    def normalize(self, values: Any) -> Any:
        return self._subject.call_method(self._handle, "normalize", values)

    def scales(self) -> dict[str, Any]:
        """The std as it is held, and as the two methods use it."""
        divided, multiplied = (self._span(name) for name in ("normalize", "unnormalize"))
        with np.errstate(divide="ignore"):
            divisor = 1 / divided
        return {"std": self.std, "what normalize divides by": divisor, "what unnormalize multiplies by": multiplied}

    def _span(self, name: str) -> Any:
        """How much a method stretches one unit of each feature."""
        ends = [self._subject.call_method(self._handle, name, np.full(self._dim, end)) for end in (0.0, FAR)]
        near, far = stack(ends, name)
        return (far - near) / FAR


def _check_std(fitted: _Fitted, values: Any, *, slips: Callable[[Any], dict[str, Any]] = lambda seen: {}) -> None:
    """The std in every form; the one that the normaliser holds first, so that a wrong shape shows there."""
    _, wanted = oracle.normalizer(values)
    samples = values.reshape(-1, values.shape[-1])
    check_close(
        fitted.std, wanted, "std", rtol=2e-4, atol=0, slips=lambda: _std_slips(samples, wanted, fitted.std, slips)
    )
    for what, scale in fitted.scales().items():
        known = _std_slips(samples, wanted, scale, slips)
        check_close(scale, wanted, what, rtol=2e-4, atol=0, slips=known)


def _std_slips(samples: Any, wanted: Any, seen: Any, more: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    of_sample = samples.std(axis=0, ddof=1) if len(samples) > 1 else wanted
    of_all = (samples.std(), samples.std(ddof=len(samples) > 1))
    across = tuple(samples.std(axis=1, ddof=ddof) for ddof in (0, 1)) if samples.shape[1] > 1 else ()
    return {
        **more(seen),
        "std_floor_too_high": np.where(seen == 1, 1.0, wanted) if np.shape(seen) == wanted.shape else wanted,
        "std_divisor": AnyOf((of_sample, *epsilon_in(seen, of_sample))),
        "statistics_axis": AnyOf((*of_all, *(np.full_like(wanted, one) for one in of_all), *across)),
        "root_missing": AnyOf((wanted**2, of_sample**2)),
        "root_twice": AnyOf((np.sqrt(wanted), np.sqrt(of_sample))),
        "deviation_center": np.sqrt((samples**2).mean(axis=0)),
        "epsilon_added": AnyOf(epsilon_in(seen, wanted)),
    }


def _mean_slips(samples: Any) -> dict[str, Any]:
    of_all = samples.mean()
    return {"statistics_axis": AnyOf((of_all, np.full(samples.shape[-1], of_all), samples.mean(axis=1)))}


def _features(rng: RNG, *leading: int) -> Any:
    """Values whose five features differ a hundredfold in size."""
    return rng.normal(size=(*leading, 5)) * np.array([0.01, 20.0, 0.5, 3.0, 0.08]) + rng.normal(size=5) * 2


@graded("normalizer_fit", weight=0.5, needs_another=True)
def test_normalizer_leaves_the_data_as_they_were(subject: Subject, rng: RNG) -> None:
    """The data are not changed in place."""
    values = rng.normal(size=(8, 3)) + 2
    wanted_mean, wanted_std = oracle.normalizer(values)

    def ask(kept: Kept) -> None:
        fitted = _Fitted(subject, kept)
        check_close(fitted.mean, wanted_mean, "mean")
        check_close(fitted.std, wanted_std, "std")

    check_left_alone(subject, [values], ask)


@graded("normalizer_fit", weight=2)
def test_normalizer_takes_mean_and_std_of_each_feature(subject: Subject, rng: RNG) -> None:
    """Mean and standard deviation of each feature, divisor N, for few samples and for thousands."""
    for n in (11, 3001):
        values = _features(rng, n)
        fitted = _Fitted(subject, values)
        wanted_mean, wanted_std = oracle.normalizer(values)
        check_close(fitted.mean, wanted_mean, "mean", slips=_mean_slips(values))
        _check_std(fitted, values)
        normalized = (values - wanted_mean) / wanted_std
        check_close(fitted.normalize(values), normalized, "the normalised data", atol=1e-2)


@graded("normalizer_fit")
def test_normalizer_divides_a_constant_feature_by_one(subject: Subject, rng: RNG) -> None:
    """A feature whose std is below MIN_STD is divided by 1, not by a tiny number; any other by its std."""
    signs = np.where(np.arange(10) % 2, 1.0, -1.0)
    values = np.stack([2.0 + 0 * signs, 4e-7 * signs, 2e-8 * signs, 3e-6 * signs, 3e-4 * signs, signs], axis=-1)
    fitted = _Fitted(subject, values)
    mean, std = fitted.mean, fitted.std
    check_shape(mean, (6,), "mean")
    check_shape(std, (6,), "std")
    check(bool((np.abs(std[:3]) > 0.5).all()), "the std of a constant feature is tiny", "std_floor")
    check(bool((std[3:5] < 0.5).all()), "a feature of small std counts as constant", "std_floor_too_high")
    wanted_mean, wanted_std = oracle.normalizer(values)
    slips = {
        "std_divisor": values[:, 4:].std(axis=0, ddof=1),
        "epsilon_added": AnyOf(epsilon_in(std[4:], wanted_std[4:])),
    }
    check_close(std[4:], wanted_std[4:], "std of features that are not constant", slips=slips, atol=0)
    check_close(std[:3], np.ones(3), "std of constant features", otherwise="std_floor")
    check_close(std[3], wanted_std[3], "std of a feature that is nearly constant", atol=1e-5)
    check_close(mean[:3], wanted_mean[:3], "mean of a constant feature", slips={"constant_not_shifted": np.zeros(3)})
    check_close(mean, wanted_mean, "mean next to a constant feature")
    for constants in (rng.normal(size=(1, 4)), np.full((60, 1), 0.7)):  # one sample, and one feature
        fitted = _Fitted(subject, constants)
        _check_constants(fitted, constants[0])
    # As a rule, float32 holds no exact sum of these; of a thousand, the mean is off by some of its spacings.
    large = rng.uniform(16, 30, 12).astype(np.float32)
    fitted = _Fitted(subject, np.tile(large, (1000, 1)))
    std = fitted.std
    check_shape(std, large.shape, "std of constants")
    is_noise = bool(((std >= 1e-6) & (std < 1e-2)).any()) and np.ptp(std) > 0.1 * std.max()
    check(not is_noise, "the std of a large constant is rounding noise", "constant_by_rounding")
    _check_constants(fitted, large)


def _check_constants(fitted: _Fitted, constants: Any) -> None:
    std = fitted.std
    check_close(std, np.ones(constants.shape), "std of constants", otherwise="std_floor")
    slips = {"constant_not_shifted": np.zeros(constants.shape)}
    check_close(fitted.mean, constants, "mean of constants", slips=slips)


@graded("normalizer_fit")
def test_normalizer_is_fitted_anew_every_time(subject: Subject, rng: RNG) -> None:
    """Each call looks at its own values, and normalisers fitted before stay as they were."""
    first = _features(rng, 11)  # the later ones have no larger numbers: whatever is right for the first is so for them
    data = [first, *(factor * first[rng.integers(11, size=11)] for factor in (1.0, -0.5, 0.3))]
    fitted = [_Fitted(subject, values) for values in (*data, data[0])]
    wanted = [oracle.normalizer(values) for values in (*data, data[0])]
    means, stds = [one.mean for one in fitted], [one.std for one in fitted]
    check_every_time(means, [mean for mean, _ in wanted], "mean", cause="state_kept", slips=_mean_slips(data[0]))
    slips = _std_slips(data[0], wanted[0][1], stds[0], lambda seen: {})
    check_every_time(stds, [std for _, std in wanted], "std", cause="state_kept", slips=slips)


@graded("normalizer_fit")
def test_normalizer_is_right_far_away_from_zero(subject: Subject, rng: RNG) -> None:
    """The mean and the std of features far away from zero, however many samples there are."""
    spread, offset = rng.uniform(0.2, 0.5, 4), rng.uniform(1000, 3000, 4) * np.array([1, -1, 1, -1])
    for n, away in ((1001, 0.0), (1002, 1.0)):
        values = (rng.normal(size=(n, 4)) * spread + away * offset).astype(np.float32).astype(np.float64)
        fitted = _Fitted(subject, values)
        wanted_mean, wanted_std = oracle.normalizer(values)
        mean, std = fitted.mean, fitted.std
        if not away:
            check_close(mean, wanted_mean, "mean", slips=_mean_slips(values))
            check_close(std, wanted_std, "std", slips=_std_slips(values, wanted_std, std, lambda seen: {}), atol=0)
        else:
            check_close(mean, wanted_mean, "mean far away from 0", otherwise="values_clamped")
            check_close(std, wanted_std, "std far away from 0", otherwise="cancellation", rtol=1e-2, atol=0)


@graded("normalizer_fit")
def test_normalizer_takes_all_leading_dimensions_as_samples(subject: Subject, rng: RNG) -> None:
    """All leading dimensions together are the samples."""
    values = rng.normal(size=(6, 7, 4)) * 2 + 1
    fitted = _Fitted(subject, values)
    parts = (*values, *values.swapaxes(0, 1))
    own_means: dict[str, Any] = {
        "statistics_axis": AnyOf((*(p.mean(axis=0) for p in parts), *_axis_by_axis(values, np.mean)))
    }
    check_close(fitted.mean, oracle.normalizer(values)[0], "mean of values of shape (6, 7, 4)", slips=own_means)
    stds = [part.std(axis=0, ddof=ddof) for part in parts for ddof in (0, 1)]
    stds += [values.std(axis=axis, ddof=ddof).mean(axis=0) for axis in (0, 1) for ddof in (0, 1)]
    stds += [*_axis_by_axis(values, np.std), *_axis_by_axis(values, lambda v, axis: v.std(axis=axis, ddof=1))]
    _check_std(fitted, values, slips=lambda seen: {"statistics_axis": AnyOf(tuple(stds))})


def _axis_by_axis(values: Any, function: Callable[..., Any]) -> list[Any]:
    return [function(values, axis=0), function(values, axis=1), function(values, axis=2), function(values, axis=(1, 2))]


@graded("normalizer_fit")
def test_normalizer_keeps_axes_of_size_one(subject: Subject, rng: RNG) -> None:
    """The mean and the std have shape (dim,), even with one feature, one sample, or a leading dimension of size 1."""
    for shape in ((9, 1), (1, 1), (1, 8, 1), (1, 1, 1), (1, 9, 4), (8, 1, 4), (1, 1, 4)):
        values = rng.normal(size=shape) * 3
        fitted = _Fitted(subject, values)
        wanted_mean, wanted_std = oracle.normalizer(values)
        check_close(fitted.mean, wanted_mean, f"mean of values of shape {shape}")
        if values.size > shape[-1]:
            check_close(fitted.std, wanted_std, f"std of values of shape {shape}")
        else:
            check(
                np.shape(fitted.std) == wanted_std.shape,
                f"std of one sample has shape {np.shape(fitted.std)}",
                "wrong_shape",
            )


# DynamicsModel.predict ------------------------------------------------------------------------------------------------


@graded("model_predict", weight=0.5, needs_another=True)
def test_predict_leaves_its_inputs_and_normalizers_as_they_were(subject: Subject, rng: RNG) -> None:
    """The observation and action are not changed in place, and a second call gives the same answer."""
    model = Model(subject, rng)
    s, a, _ = batch = model.transitions(rng, 5)

    def ask(observation: Kept, action: Kept) -> Any:
        predicted = subject.call_method(model.handle, "predict", observation, action)
        check_close(predicted, model.next_observation(batch), "predict")
        return predicted

    first, again = check_left_alone(subject, [s, a], ask)
    same = np.allclose(again, first, rtol=1e-6, atol=1e-6)
    check(same, "a second call predicts something else: a stored normaliser has changed", "inplace")


@graded("model_predict", weight=3)
def test_predict_adds_the_unnormalized_change(subject: Subject, rng: RNG) -> None:
    """The next observation: s plus the un-normalised answer of the network to normalised inputs."""
    model = Model(subject, rng)
    batch = model.transitions(rng, 6)
    slips = _by_name(model.known.prediction_slips, batch.observation, batch.action)
    check_close(model.predict(batch), model.next_observation(batch), "predict", slips=slips)


def _by_name(function: Callable[..., dict[str, AnyOf]], *args: Any) -> Callable[[], dict[str, AnyOf]]:
    return lambda: function(*args)


@graded("model_predict")
def test_predict_answers_every_call_by_itself(subject: Subject, rng: RNG) -> None:
    """Each call depends on its own arguments and model alone, with other calls and another model in between."""
    one, other = (Model(subject, rng) for _ in range(2))
    first = one.transitions(rng, 6)
    # The first rows in another order: whatever is right for the first batch is right for the others.
    later = [first, *(_rows(first, rng.permutation(6)) for _ in range(2)), _rows(first, np.arange(5)), first]
    answers = [(one.predict(batch), other.predict(batch)) for batch in later]
    slips = _by_name(one.known.prediction_slips, first.observation, first.action)
    wanted = [one.next_observation(batch) for batch in later]
    check_every_time([answer for answer, _ in answers], wanted, "predict", cause="state_kept", slips=slips)
    wanted = [other.next_observation(batch) for batch in later]
    kept = {"state_kept": one.next_observation(first)}
    check_every_time([a for _, a in answers], wanted, "predict of a second model", cause="state_kept", slips=kept)


def _rows(batch: Transition, chosen: Any) -> Transition:
    return Transition(*(field[chosen] for field in batch))


@graded("model_predict")
def test_predict_uses_refreshed_normalizers(subject: Subject, rng: RNG) -> None:
    """Normalisers that a later fit has refreshed are used from then on."""
    model = Model(subject, rng)
    _check_refreshed(model, rng, model.predict, model.next_observation, "predict")


def _check_refreshed(model: Model, rng: RNG, ask: Callable[[Transition], Any], right: Any, what: str) -> None:
    """Ask three times, each time with other normalisers in the model."""
    for _ in range(3):
        batch = model.transitions(rng, 6)
        slips = {"normalizers_stale": model.by_earlier_normalizers(right, batch)}
        check_close(ask(batch), right(batch), f"{what} after a refresh", slips=slips)
        model.renew(rng)


@graded("model_predict")
def test_predict_clamps_nothing(subject: Subject, rng: RNG) -> None:
    """Right for hundreds of observations, for observations far away from the data, and for large actions."""
    model = Model(subject, rng)
    near = model.transitions(rng, 300)
    slips = _by_name(model.known.prediction_slips, near.observation, near.action)
    check_close(model.predict(near), model.next_observation(near), "predict for 300 observations", slips=slips)
    again = Model(subject, rng)
    more = again.transitions(rng, 300)
    check_close(again.predict(more), again.next_observation(more), "predict of another model", otherwise="state_shared")
    for what, size, strength in (
        ("for large actions", 1.0, 8.0),
        ("far away from the data", 40.0, 1.0),
        ("very far away from the data", 3000.0, 30.0),
    ):
        model = Model(subject, rng)
        s, a, after = model.transitions(rng, 300)
        far = Transition(size * s, strength * a, after)
        wanted = model.next_observation(far)
        check_close(model.predict(far), wanted, f"predict {what}", otherwise="values_clamped", atol=2e-2)


@graded("model_predict")
def test_predict_takes_any_leading_dimensions(subject: Subject, rng: RNG) -> None:
    """One observation without a batch, a batch, and a batch of batches."""
    model = Model(subject, rng)
    for shape in ((), (5,), (7, 6), (7, 5, 9)):
        batch = model.transitions(rng, *shape)
        known = _by_name(model.known.prediction_slips, batch.observation, batch.action) if len(shape) < 2 else None
        check_close(model.predict(batch), model.next_observation(batch), f"predict for {shape}", slips=known)


@graded("model_predict")
def test_predict_serves_an_ensemble_network(subject: Subject, rng: RNG) -> None:
    """With an ensemble network the member axis comes first, and each member predicts its own."""
    model = Model(subject, rng, members=6)
    batch = model.transitions(rng, 6, 5)
    wanted = model.next_observation(batch)
    slips: dict[str, Any] = {
        "states_averaged": AnyOf((wanted.mean(axis=0), np.broadcast_to(wanted.mean(axis=0), wanted.shape)))
    }
    check_close(model.predict(batch), wanted, "predict of an ensemble", slips=slips)
    for shape, what in (((5,), "one batch"), ((), "one observation")):  # the same for all members
        shared = model.transitions(rng, *shape)
        wanted = model.next_observation(shared)
        slips = {"states_averaged": wanted.mean(axis=0), "one_member_only": AnyOf(tuple(wanted))}
        check_close(model.predict(shared), wanted, f"predict of an ensemble for {what}", slips=slips)


@graded("model_predict")
def test_predict_keeps_axes_of_size_one(subject: Subject, rng: RNG) -> None:
    """An axis of size 1 stays: of the batch, of the observation, of the action, or of the members."""
    for members, obs_dim, act_dim, shape in (
        (1, 4, 2, (6,)),
        (None, 4, 2, (1,)),
        (None, 4, 2, (1, 1)),
        (None, 4, 1, (1, 6)),
        (None, 1, 2, (6,)),
        (None, 1, 1, ()),
        (None, 1, 1, (1,)),
        (None, 1, 1, (1, 1)),
        (1, 1, 1, (1,)),
        (5, 1, 1, (5, 1)),
    ):
        model = Model(subject, rng, members=members, obs_dim=obs_dim, act_dim=act_dim)
        batch = model.transitions(rng, *shape)
        wanted = model.next_observation(batch)
        crossed = batch.observation + np.squeeze(model.answer(batch) * model.d_std + model.d_mean)
        slips = {"size_one": crossed} if crossed.size != wanted.size else {}  # every row meets every other
        check_close(model.predict(batch), wanted, f"predict with obs_dim {obs_dim}, {shape}", slips=slips)


# DynamicsModel.loss ---------------------------------------------------------------------------------------------------


def _check_losses(model: Model, batches: list[Transition]) -> None:
    """The losses of several batches at once: so many numbers tell one slip from another."""
    seen = stack([model.ask_loss(batch) for batch in batches], "loss")
    wanted = np.array([model.loss(batch) for batch in batches])
    check_close(seen, wanted, "loss of several batches", slips=lambda: model.known.loss_slips(batches))


@graded("model_loss", weight=0.5, needs_another=True)
def test_loss_leaves_the_batch_and_the_normalizers_as_they_were(subject: Subject, rng: RNG) -> None:
    """The batch is not changed in place, and a second call gives the same loss."""
    model = Model(subject, rng)
    batch = model.transitions(rng, 6)

    def ask(*fields: Kept) -> Any:
        loss = subject.call_method(model.handle, "loss", Transition(*fields))
        check_close(loss, model.loss(batch), "loss")
        return loss

    first, again = check_left_alone(subject, batch, ask)
    same = np.allclose(again, first, rtol=1e-6, atol=1e-6)
    check(same, "a second call gives another loss: a stored normaliser has changed", "inplace")


@graded("model_loss", weight=2)
def test_loss_is_the_mean_squared_error_in_normalized_units(subject: Subject, rng: RNG) -> None:
    """Mean squared error between the network's answer and the normalised change."""
    model = Model(subject, rng)
    _check_losses(model, [model.transitions(rng, 9) for _ in range(5)])
    s, a, _ = batch = model.transitions(rng, 9)
    perfect = Transition(s, a, model.next_observation(batch))
    check_close(model.ask_loss(perfect), 0.0, "loss of a network that is right", atol=1e-6)


@graded("model_loss")
def test_loss_answers_every_call_by_itself(subject: Subject, rng: RNG) -> None:
    """Each call depends on its own batch and model alone, with other calls and another model in between."""
    one, other = (Model(subject, rng) for _ in range(2))
    first = one.transitions(rng, 9)
    # Some rows of the first: whatever is right for the first batch is right for the others.
    later = [first, *(_rows(first, rng.integers(9, size=size)) for size in (9, 9, 5)), first]
    losses = [(one.ask_loss(batch), other.ask_loss(batch)) for batch in later]
    check_every_time([loss for loss, _ in losses], [one.loss(b) for b in later], "loss", cause="state_kept")
    wanted, slips = [other.loss(batch) for batch in later], {"state_kept": one.loss(first)}
    check_every_time([loss for _, loss in losses], wanted, "loss of a second model", cause="state_kept", slips=slips)


@graded("model_loss")
def test_loss_uses_refreshed_normalizers(subject: Subject, rng: RNG) -> None:
    """Normalisers that a later fit has refreshed are used from then on."""
    model = Model(subject, rng)
    _check_refreshed(model, rng, model.ask_loss, model.loss, "loss")


@graded("model_loss")
def test_loss_is_right_when_it_is_tiny_or_huge(subject: Subject, rng: RNG) -> None:
    """Nothing is clamped: large batches, tiny losses, and huge losses of observations and changes far away."""
    model = Model(subject, rng)
    _check_losses(model, [model.transitions(rng, 300) for _ in range(4)])
    for what, size, of_change, strength in (
        ("a loss of actions beyond 1", 1, 1, 8),
        ("a loss above 100", 1, 50, 1),
        ("a loss far away from the data", 300, 1, 1),
        ("a huge loss", 1, 3000, 1),
    ):
        model = Model(subject, rng)
        s, a, after = model.transitions(rng, 300)
        far = Transition(size * s, strength * a, size * s + of_change * (after - s))
        check_close(model.ask_loss(far), model.loss(far), what, otherwise="values_clamped", rtol=5e-3, atol=0)
    model = Model(subject, rng)
    s, a, after = batch = model.transitions(rng, 300)
    close = Transition(s, a, model.next_observation(batch) + 0.01 * model.d_std * (after - s))
    check_close(model.ask_loss(close), model.loss(close), "a loss below 0.01", rtol=5e-3, atol=0)
    model = Model(subject, rng, answers=600.0)
    s, a, _ = batch = model.transitions(rng, 300)
    near = Transition(s, a, model.next_observation(batch) + 0.1 * model.d_std * rng.normal(size=s.shape))
    check_close(
        model.ask_loss(near), model.loss(near), "a small loss of large answers", rtol=0.1, otherwise="cancellation"
    )
    model = Model(subject, rng, spread=0.01)
    s, a, _ = batch = model.transitions(rng, 300)
    near = Transition(s, a, model.next_observation(batch) + 0.5 * model.d_std * rng.normal(size=s.shape))
    what = "a loss of changes that spread little"
    check_close(model.ask_loss(near), model.loss(near), what, rtol=5e-3, otherwise="epsilon_added")


@graded("model_loss")
def test_loss_keeps_one_entry_per_member(subject: Subject, rng: RNG) -> None:
    """For an ensemble the loss has shape (E,): the average is over batch and features only."""
    model = Model(subject, rng, members=6)
    batch = model.transitions(rng, 6, 8)
    of_all, squared = np.mean(model.error(batch) ** 2), model.error(batch) ** 2
    slips = {
        "loss_over_members": AnyOf((of_all, np.full(6, of_all), np.full(6, of_all / 6), 6 * of_all)),
        "loss_summed": AnyOf((np.sum(squared, axis=(1, 2)), *(np.mean(squared, axis=axis) for axis in (1, 2)))),
    }
    check_close(model.ask_loss(batch), model.loss(batch), "loss of an ensemble", slips=slips)
    twice = model.transitions(rng, 2, 6, 8)
    check_close(model.ask_loss(twice), model.loss(twice), "loss for leading dimensions (2, 6)")


@graded("model_loss")
def test_loss_keeps_axes_of_size_one(subject: Subject, rng: RNG) -> None:
    """The shape is (...), even if the size of the minibatch, observation, action or ensemble is 1."""
    for members, obs_dim, act_dim, shape in (
        (None, 4, 2, (1,)),
        (None, 1, 2, (6,)),
        (None, 4, 1, (6,)),
        (None, 1, 1, (1,)),
        (1, 4, 2, (1, 6)),
        (1, 1, 1, (1, 1)),
        (5, 1, 2, (5, 1)),
        (5, 4, 2, (1, 5, 1)),
    ):
        model = Model(subject, rng, members=members, obs_dim=obs_dim, act_dim=act_dim)
        batch = model.transitions(rng, *shape)
        change = (batch.next_observation - batch.observation - model.d_mean) / model.d_std
        crossed = (np.squeeze(model.answer(batch)) - change) ** 2
        means = (crossed.mean(), crossed.mean(axis=tuple(range(crossed.ndim))[-2:]))
        slips = {"size_one": AnyOf(means)} if crossed.size != change.size else {}  # every row meets every other
        what = f"loss with obs_dim {obs_dim}, fields {shape}"
        check_close(model.ask_loss(batch), model.loss(batch), what, slips=slips)


@graded("model_loss")
def test_loss_is_differentiable_in_the_weights(subject: Subject, rng: RNG) -> None:
    """The gradient of the loss reaches the network's weights, and each member's loss its own weights alone."""
    model = Model(subject, rng)
    near = model.transitions(rng, 7)
    far = Transition(near.observation, near.action, near.observation + 100 * (near.next_observation - near.observation))
    for batch, causes in ((near, ()), (far, ("values_clamped",))):
        wanted = model.gradient(batch)
        gradient = subject.call("checking.doubles.loss_gradient", model.handle, model.network, batch)
        slips = {"loss_detached": np.zeros_like(wanted), **dict.fromkeys(causes, gradient)}
        check_close(gradient, wanted, "gradient of the loss", slips=slips, atol=1e-3)
    ensemble = Model(subject, rng, members=5)
    batch = ensemble.transitions(rng, 5, 7)
    for member in (0, 2, 4):
        wanted = ensemble.gradient(batch)
        wanted[np.arange(5) != member] = 0
        gradient = subject.call("checking.doubles.loss_gradient", ensemble.handle, ensemble.network, batch, member)
        slips = {"loss_detached": np.zeros_like(wanted), "loss_over_members": AnyOf((ensemble.gradient(batch),))}
        check_close(gradient, wanted, "gradient of one member's loss", slips=slips)


# fit ------------------------------------------------------------------------------------------------------------------


def _check_draws(run: FittingRun, wanted: int) -> None:
    cause = {0: "minibatch_ignored", 1: "same_minibatch"}.get(run.num_draws, "wrong_step_count")
    check(run.num_draws == wanted, f"sample_indices was called {run.num_draws} times for {wanted} steps", cause)


def _step_slips(run: FittingRun, steps: int) -> dict[str, Any]:
    """Weights that known mistakes lead to after a fit of so many steps, each on a minibatch of its own."""
    slips: dict[str, Any] = {
        "no_gradient_step": run.start,
        "gradients_not_zeroed": run.replay(zeroed=False)[0],
        "wrong_step_count": AnyOf(tuple(run.replay(steps=n)[0] for n in range(1, steps))),
        "step_before_backward": run.replay(late=True)[0],
        "same_minibatch": run.replay(batches=lambda number: 0)[0],
    }
    if run.bypasses_the_optimizer:
        slips["optimizer_bypassed"] = AnyOf((run.weights,))
    elif run.uses_other_batches:
        slips["minibatch_ignored"] = AnyOf((run.weights,))
    elif run.goes_along_the_gradients:
        slips["step_size_changed"] = AnyOf((run.weights,))
    return slips


@graded("model_fit", weight=0.5, needs_another=True)
def test_fit_leaves_the_data_as_they_were_and_returns_plain_numbers(subject: Subject, rng: RNG) -> None:
    """The transitions are not changed in place, and the returned losses are detached."""
    run = FittingRun(subject, rng, start=0.3, watched=False)
    data = run.new_data()

    def ask(*fields: Kept) -> None:
        run.fit(6, data, Transition(*fields))
        weights, losses = run.replay()
        check_shape(run.losses, (6,), "the returned losses")
        check_close(run.weights, weights, "the weights after fitting")
        check_close(run.losses, losses[-6:], "the returned losses")

    check_left_alone(subject, data, ask, again="wrong_value")  # the optimiser may do something else then
    draw = {"sample_indices": lambda: np.array([2, 5]), "gradient_steps": 2}
    fit = ("dynamics_model.fit", run.model, data, run.optimizer)
    has_graph = subject.call("checking.doubles.is_part_of_a_graph", *fit, **draw)
    check(has_graph is False, "the returned losses are not detached", "losses_not_detached")


@graded("model_fit", weight=2)
def test_fit_takes_the_gradient_steps(subject: Subject, rng: RNG) -> None:
    """`gradient_steps` optimiser steps, each on a fresh minibatch from `sample_indices`, gradients zeroed."""
    run = FittingRun(subject, rng, start=0.3).fit(6)
    _check_draws(run, 6)
    weights, losses = run.replay()
    check_close(run.weights, weights, "the weights after fitting", slips=lambda: _step_slips(run, 6))
    reached = zip(run.path[1:], run.drawn, strict=False)
    after = np.array([np.mean((one - data.observation[indices]) ** 2) for one, (data, indices) in reached])
    so_far = np.cumsum(losses)
    slips = {
        "wrong_step_count": AnyOf((losses[:1], losses[:5], losses[-1], losses[-1:])),
        "mean_taken": AnyOf((losses.mean(), so_far, so_far / np.arange(1, 7))),
        "loss_after_step": after,
    }
    check_close(run.losses, losses, "the returned losses", slips=slips)


@graded("model_fit")
def test_fit_takes_every_step_as_it_is(subject: Subject, rng: RNG) -> None:
    """No clipping, no stopping early, no other learning rate, whether losses are tiny, rising or huge."""
    near = FittingRun(subject, rng, size=0.02, start=0.5).fit(6)
    check_close(
        near.weights, near.replay()[0], "the weights after fitting", slips=lambda: _step_slips(near, 6), atol=1e-6
    )
    check_close(near.losses, near.replay()[1], "the returned losses", atol=1e-6)
    far = FittingRun(subject, rng, start=1000.0).fit(7)
    _check_all_steps(far, 7)
    otherwise = "gradients_clipped" if far.goes_downhill_in_every_weight else "only_moderate"
    check_close(far.weights, far.replay()[0], "the weights from far away", otherwise=otherwise)
    check_close(far.losses, far.replay()[1], "huge losses", otherwise="values_clamped")
    # Near the optimum losses rise and fall with the minibatches: no reason to stop, nor to step more carefully.
    long = FittingRun(subject, rng, start=0.3, watched=False).fit(130)
    _check_all_steps(long, 130)
    check_close(long.weights, long.replay()[0], "the weights after many steps", otherwise="step_size_changed")
    check_close(long.losses, long.replay()[1], "many losses", otherwise="values_clamped")
    longest = FittingRun(subject, rng, start=0.3, watched=False).fit(1300)
    _check_draws(longest, 1300)
    # What was left over from before the fit is no part of its first gradient.
    left = FittingRun(subject, rng, start=0.3)
    subject.call("checking.doubles.leave_gradient", left.model, 5.0)
    left.fit(6)
    check_close(left.weights, left.replay()[0], "the weights after an older gradient", otherwise="gradients_not_zeroed")
    tiny = FittingRun(subject, rng, obs_dim=1, start=0.3, watched=False)
    point = transitions(rng, 1, obs_dim=1)
    data = Transition(*(np.repeat(field, tiny.num_transitions, axis=0) for field in point))
    tiny.fit(30, data)
    _check_all_steps(tiny, 30)
    check_close(tiny.losses, tiny.replay()[1], "ever smaller losses")


def _check_all_steps(run: FittingRun, steps: int) -> None:
    """As many minibatches as steps, and as many losses: in a run that tempts to stop early."""
    check(run.num_draws == steps, f"{run.num_draws} minibatches were drawn in {steps} steps", "stopped_early")
    if np.shape(run.losses) != (steps,):
        check_close(run.losses, run.replay()[1], "the returned losses", otherwise="stopped_early")


@graded("model_fit")
def test_fit_refreshes_the_normalizers_first_from_all_data(subject: Subject, rng: RNG) -> None:
    """The normalisers are refreshed once at each fit, before the first loss, from all the transitions of that fit."""
    run, other = FittingRun(subject, rng), FittingRun(subject, rng)
    fits = [run, other, run, run, other, run]
    for number, one in enumerate(fits):
        n = (13, 13, 13, 9, 9, 1200)[number]
        one.num_transitions = n
        one.fit(6)
        refreshed = one.refreshed_from()[-1]
        check(len(refreshed) > 0, f"fit {number + 1} never called fit_normalizers", "normalizers_not_refreshed")
        check(
            refreshed[0] is not None, "a loss was taken before fit_normalizers was called", "normalizers_not_refreshed"
        )
        partly = refreshed[0].shape == one.data.observation.shape
        check(partly, "fit_normalizers saw part of the data", "normalizers_from_minibatch")
        once = len(refreshed) == 1
        check(once, f"fit_normalizers was called {len(refreshed)} times", "normalizers_from_minibatch")
        stale = {"normalizers_not_refreshed": refreshed[0]} if number else None
        check_close(refreshed[0], one.data.observation, "what fit_normalizers saw", slips=stale)


@graded("model_fit")
def test_fit_steps_on_the_sum_of_the_members_losses(subject: Subject, rng: RNG) -> None:
    """For an ensemble each member takes exactly its own gradient step."""
    run = FittingRun(subject, rng, members=6).fit(7)
    weights, losses = run.replay()
    slips: dict[str, Any] = {
        "members_not_summed": run.replay(summed=1 / 6)[0],
        "one_member_only": AnyOf(tuple(run.replay(summed=np.eye(6)[e][:, None])[0] for e in (0, 5))),
        "no_gradient_step": run.start,
        "gradients_not_zeroed": run.replay(zeroed=False)[0],
    }
    if run.moves_one_member_at_a_time:
        slips["one_member_only"] = AnyOf((run.weights,))
    check_close(run.weights, weights, "the members' weights after fitting", slips=slips)
    per_member = getattr(run.losses, "shape", None) in ((7, 6), (6, 7))
    check(not per_member, "the returned losses hold one entry per member", "members_not_summed")
    check_close(run.losses, losses, "the returned losses", slips={"members_not_summed": losses / 6})


@graded("model_fit")
def test_fit_takes_one_step_one_member_and_one_transition(subject: Subject, rng: RNG) -> None:
    """The returned losses have shape (gradient_steps,), whichever sizes are 1."""
    for steps, members, n, batch, obs_dim in (
        (1, None, 13, 5, 4),
        (1, 6, 13, 5, 4),
        (2, 1, 13, 5, 4),
        (2, None, 1, 5, 4),
        (2, None, 13, 1, 4),
        (2, None, 13, 5, 1),
        (1, 1, 1, 1, 1),
    ):
        run = FittingRun(subject, rng, members=members, num_transitions=n, batch=batch, obs_dim=obs_dim)
        run.fit(steps)
        weights, losses = run.replay()
        check_close(run.weights, weights, f"the weights after {steps} steps")
        check_close(run.losses, losses, f"the losses of {steps} steps, {n} transitions, minibatches of {batch}")


@graded("model_fit")
def test_fit_steps_with_the_optimizer_it_is_given(subject: Subject, rng: RNG) -> None:
    """The optimiser itself takes the steps, and it keeps its state between fits, with another in between."""
    run, other = (FittingRun(subject, rng, momentum=0.8) for _ in range(2))
    for number in range(4):
        run.fit(7)
        other.fit(6)
        slips = {
            "optimizer_bypassed": run.replay(momentum=0.0)[0],
            "optimizer_restarted": run.replay(restart=7)[0],
            "no_gradient_step": run.start,
            "gradients_not_zeroed": run.replay(zeroed=False)[0],
            "step_before_backward": run.replay(late=True, momentum=0.0)[0],
        }
        if run.bypasses_the_optimizer:
            slips["optimizer_bypassed"] = run.weights
        elif run.uses_other_batches:
            slips["minibatch_ignored"] = run.weights
        elif number > 0:
            slips["optimizer_restarted"] = run.weights
        check_close(run.weights, run.replay()[0], f"the weights after fit {number + 1}, with momentum", slips=slips)
    _check_draws(run, 28)
    message = f"the optimiser took {run.num_optimizer_steps} steps, wanted 28"
    check(run.num_optimizer_steps == 28, message, "optimizer_bypassed")
    check_close(other.weights, other.replay()[0], "the weights of a second model", otherwise="state_kept")
