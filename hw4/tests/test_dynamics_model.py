"""Public tests of hw4/dynamics_model.py. The first test of each stub is its worked example."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hw4.checking.answers import AnyOf, check, check_close, check_every_time
from hw4.checking.doubles import LinearNetwork, QuadraticModel, loss_gradient, sgd
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.model_slips import KnownModel, epsilon_in
from hw4.checking.subject import LocalSubject
from hw4.checking.worked_example import check_example
from hw4.dynamics_model import DynamicsModel, Normalizer, fit, fit_normalizer
from hw4.networks import EnsembleMLP
from hw4.transitions import Transition

OBS_DIM, ACT_DIM, BATCH, ENSEMBLE = 6, 2, 7, 4  # none is 3, the number of fields of a Transition


def numbers(*shape: int) -> Tensor:
    """Different numbers of moderate size, the same at every run."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def transitions_of_shape(*leading: int) -> Transition:
    return Transition(numbers(*leading, OBS_DIM), numbers(*leading, ACT_DIM), 2.0 + 3.0 * numbers(*leading, OBS_DIM))


def model_with(network: torch.nn.Module) -> DynamicsModel:
    """A model whose normalisers are far from doing nothing."""
    return DynamicsModel(
        network,
        input_normalizer=Normalizer(
            mean=torch.linspace(-1.0, 1.0, 8), std=torch.tensor([2.0, 0.7, 3.0, 4.0, 0.9, 5.0, 0.8, 1.5])
        ),
        delta_normalizer=Normalizer(
            mean=torch.tensor([0.5, -1.0, 2.0, 0.1, 3.0, -2.0]), std=torch.tensor([0.2, 5.0, 1.5, 0.4, 2.0, 3.0])
        ),
    )


def known(model: DynamicsModel, network: LinearNetwork) -> KnownModel:
    """The same model in NumPy, and what known mistakes make of it."""
    weight = network.weight.detach().numpy()
    units = (model.input_normalizer, model.delta_normalizer)
    statistics = [part.numpy() for unit in units for part in (unit.mean, unit.std)]
    return KnownModel(lambda inputs: inputs @ weight, *statistics)


def next_observation(model: DynamicsModel, network: LinearNetwork, batch: Transition) -> np.ndarray[Any, Any]:
    twin = known(model, network)
    s, a = batch.observation.numpy(), batch.action.numpy()
    answer = twin.network((np.concatenate([s, a], axis=-1) - twin.in_mean) / twin.in_std)
    after: np.ndarray[Any, Any] = s + answer * twin.delta_std + twin.delta_mean
    return after


def loss_of(model: DynamicsModel, network: LinearNetwork, batch: Transition) -> float:
    predicted = next_observation(model, network, batch)
    error = (predicted - batch.next_observation.numpy()) / model.delta_normalizer.std.numpy()
    return float(np.mean(error.astype(np.float64) ** 2))


# fit_normalizer -------------------------------------------------------------------------------------------------------


@pytest.mark.stub("normalizer_fit")
def test_normalizer_worked_example() -> None:
    check_example(WORKED_EXAMPLES["normalizer_fit"], LocalSubject())


@pytest.mark.stub("normalizer_fit")
def test_normalizer_leaves_the_data_as_they_were() -> None:
    values = 3.0 + numbers(BATCH, OBS_DIM)
    fit_normalizer(values)
    check(torch.equal(values, 3.0 + numbers(BATCH, OBS_DIM)), "the data were changed", "inplace")


@pytest.mark.stub("normalizer_fit")
def test_normalizer_gives_mean_0_and_std_1_to_the_data_it_was_fitted_to() -> None:
    values = 100.0 + 5.0 * numbers(50, OBS_DIM)
    normalized = fit_normalizer(values).normalize(values)
    check_close(normalized.mean(dim=0).numpy(), torch.zeros(OBS_DIM).numpy(), "mean of the normalised data", atol=1e-3)
    check_close(
        normalized.square().mean(dim=0).numpy(), torch.ones(OBS_DIM).numpy(), "mean square of the normalised data"
    )


def std_slips(values: Tensor, std: Tensor) -> dict[str, Any]:
    samples = values.double().numpy()
    wanted, of_sample, seen = samples.std(axis=0), samples.std(axis=0, ddof=1), std.numpy()
    return {
        "std_floor_too_high": np.where(seen == 1, 1.0, wanted) if seen.shape == wanted.shape else wanted,
        "std_divisor": AnyOf((of_sample, *epsilon_in(seen, of_sample))),
        "statistics_axis": AnyOf((samples.std(axis=1), samples.std(axis=1, ddof=1))),
        "root_missing": AnyOf((wanted**2, of_sample**2)),
        "root_twice": AnyOf((np.sqrt(wanted), np.sqrt(of_sample))),
        "epsilon_added": AnyOf(epsilon_in(seen, wanted)),
    }


@pytest.mark.stub("normalizer_fit")
def test_normalizer_std_is_exact_for_features_of_any_size() -> None:
    values = numbers(50, 4) * torch.tensor([0.01, 20.0, 0.5, 3.0])
    samples, normalizer = values.double().numpy(), fit_normalizer(values)
    across = {"statistics_axis": samples.mean(axis=1)}
    check_close(normalizer.mean.numpy(), samples.mean(axis=0), "mean", slips=across)
    ends = torch.zeros(4), torch.full((4,), 2.0**20)
    spans = [method(ends[1]) - method(ends[0]) for method in (normalizer.normalize, normalizer.unnormalize)]
    for std in (normalizer.std, 2.0**20 / spans[0], spans[1] / 2.0**20):  # as it is held, and as it is used
        check_close(std.numpy(), samples.std(axis=0), "std", slips=std_slips(values, std), rtol=2e-4, atol=0)


@pytest.mark.stub("normalizer_fit")
def test_normalizer_is_fitted_anew_every_time() -> None:
    data = [factor * numbers(11, OBS_DIM) for factor in (1.0, 0.5, -0.3)]
    fitted = [fit_normalizer(values) for values in (*data, data[0])]
    samples = [values.double().numpy() for values in (*data, data[0])]
    means, stds = [one.mean.numpy() for one in fitted], [one.std.numpy() for one in fitted]
    check_every_time(means, [values.mean(axis=0) for values in samples], "mean", cause="state_kept")
    wanted = [values.std(axis=0) for values in samples]
    check_every_time(stds, wanted, "std", cause="state_kept", slips=std_slips(data[0], fitted[0].std))


@pytest.mark.stub("normalizer_fit")
def test_normalizer_is_right_far_away_from_zero() -> None:
    for offset in (0.0, 2000.0):
        values = offset + 0.3 * numbers(1001 if offset else 1000, 4)
        normalizer, samples = fit_normalizer(values), values.double().numpy()
        mean, std = normalizer.mean.numpy(), normalizer.std.numpy()
        otherwise = ("values_clamped", "cancellation") if offset else ("wrong_value", "wrong_value")
        check_close(mean, samples.mean(axis=0), "mean", otherwise=otherwise[0])
        slips = None if offset else std_slips(values, normalizer.std)
        check_close(std, samples.std(axis=0), "std", slips=slips, otherwise=otherwise[1], rtol=1e-2, atol=0)


@pytest.mark.stub("normalizer_fit")
def test_normalizer_gives_a_large_constant_the_std_1() -> None:
    std = fit_normalizer(torch.linspace(16.1, 29.9, 12).expand(1000, 12)).std
    is_noise = bool(((std >= 1e-6) & (std < 1e-2)).any()) and bool(std.max() - std.min() > 0.1 * std.max())
    check(not is_noise, "the std of a large constant is rounding noise", "constant_by_rounding")
    check_close(std.numpy(), np.ones(12), "std of constants", otherwise="std_floor")


@pytest.mark.stub("normalizer_fit")
@pytest.mark.parametrize("shape", [(9, 1), (1, 1), (1, 8, 1), (1, 9, 4), (8, 1, 4)])
def test_normalizer_keeps_axes_of_size_one(shape: Any) -> None:
    values = numbers(*shape)
    samples = values.double().numpy().reshape(-1, shape[-1])
    normalizer = fit_normalizer(values)
    check_close(normalizer.mean.numpy(), samples.mean(axis=0), "mean")
    if len(samples) > 1:
        check_close(normalizer.std.numpy(), samples.std(axis=0), "std")


@pytest.mark.stub("normalizer_fit")
def test_normalizer_counts_all_leading_dimensions_as_samples() -> None:
    values = numbers(5, 7, OBS_DIM)
    batched, flat = fit_normalizer(values), fit_normalizer(values.reshape(35, OBS_DIM))
    assert batched.mean.shape == batched.std.shape == (OBS_DIM,)
    check_close(batched.mean.numpy(), flat.mean.numpy(), "mean", rtol=1e-5, atol=1e-5)
    check_close(batched.std.numpy(), flat.std.numpy(), "std", rtol=1e-5, atol=1e-5)


@pytest.mark.stub("normalizer_fit")
def test_normalizer_leaves_a_constant_feature_its_size_when_it_changes_later() -> None:
    normalizer = fit_normalizer(torch.tensor([[4.0, 1.0], [4.0, 2.0]]))
    later = normalizer.normalize(torch.tensor([[4.5, 1.5]]))
    check_close(later.numpy(), torch.tensor([[0.5, 0.0]]).numpy(), "the feature")


@pytest.mark.stub("normalizer_fit")
def test_normalizer_knows_a_small_feature_from_a_constant_one() -> None:
    sizes = torch.tensor([1e-8, 4e-7, 0.0, 3e-6, 1e-4])
    values = torch.stack([sizes, -sizes])
    std = fit_normalizer(values).normalize(values).std(dim=0, correction=0)  # 1 unless the feature counts as constant
    check(bool((std[:3] < 0.5).all()), "a feature with std below MIN_STD was scaled up", "std_floor")
    is_scaled = bool((std[3:] > 2 * sizes[3:]).all())
    check(is_scaled, "a feature with std above MIN_STD was not scaled", "std_floor_too_high")


@pytest.mark.stub("normalizer_fit")
def test_normalizer_of_a_single_sample_is_finite() -> None:
    normalizer = fit_normalizer(torch.tensor([[4.0, -1.0]]))
    check_close(normalizer.std.numpy(), torch.ones(2).numpy(), "std")


# DynamicsModel.predict ------------------------------------------------------------------------------------------------


@pytest.mark.stub("model_predict")
def test_predict_worked_example() -> None:
    check_example(WORKED_EXAMPLES["model_predict"], LocalSubject())


@pytest.mark.stub("model_predict")
def test_predict_leaves_its_inputs_as_they_were() -> None:
    model = model_with(LinearNetwork(numbers(OBS_DIM + ACT_DIM, OBS_DIM)))
    observation, action = numbers(BATCH, OBS_DIM), numbers(BATCH, ACT_DIM)
    with torch.no_grad():
        first = model.predict(observation, action).clone()
        again = model.predict(numbers(BATCH, OBS_DIM), numbers(BATCH, ACT_DIM))
    check(
        torch.allclose(first, again, rtol=1e-6, atol=1e-6, equal_nan=True),
        "a second call predicts something else",
        "inplace",
    )
    check(torch.equal(observation, numbers(BATCH, OBS_DIM)), "predict changed the observation it was given", "inplace")
    check(torch.equal(action, numbers(BATCH, ACT_DIM)), "predict changed the action it was given", "inplace")


@pytest.mark.stub("model_predict")
def test_predict_answers_every_call_by_itself() -> None:
    networks = [LinearNetwork(factor * numbers(OBS_DIM + ACT_DIM, OBS_DIM)) for factor in (1.0, -0.5)]
    models, first = [model_with(network) for network in networks], transitions_of_shape(BATCH)
    later = [first, Transition(*(field.flip(0) for field in first)), first]  # the same rows in another order
    with torch.no_grad():
        answers = [[model.predict(b.observation, b.action).numpy() for model in models] for b in later]
    for number, (model, network) in enumerate(zip(models, networks, strict=True)):
        seen, wanted = [each[number] for each in answers], [next_observation(model, network, b) for b in later]
        slips = known(model, network).prediction_slips(first.observation.numpy(), first.action.numpy())
        check_every_time(seen, wanted, f"predict of model {number + 1}", cause="state_kept", slips=slips)


@pytest.mark.stub("model_predict")
def test_predict_clamps_nothing() -> None:
    network = LinearNetwork(numbers(OBS_DIM + ACT_DIM, OBS_DIM))
    model, (s, a, after) = model_with(network), transitions_of_shape(300)
    a = a / a.abs().max()
    with torch.no_grad():
        slips = known(model, network).prediction_slips(s.numpy(), a.numpy())
        near = next_observation(model, network, Transition(s, a, after))
        check_close(model.predict(s, a).numpy(), near, "predict for 300 observations", slips=slips)
        for size, strength in ((1.0, 8.0), (40.0, 1.0), (3000.0, 30.0)):
            predicted = model.predict(size * s, strength * a).numpy()
            wanted = next_observation(model, network, Transition(size * s, strength * a, after))
            check_close(predicted, wanted, "predict far away", otherwise="values_clamped", atol=0.02)


@pytest.mark.stub("model_predict")
def test_predict_gives_each_row_of_a_batch_what_it_gives_that_row_alone() -> None:
    model = model_with(LinearNetwork(numbers(OBS_DIM + ACT_DIM, OBS_DIM)))
    observations, actions = numbers(BATCH, OBS_DIM), numbers(BATCH, ACT_DIM)
    together = model.predict(observations, actions).detach()
    alone = torch.stack([model.predict(s, a).detach() for s, a in zip(observations, actions, strict=True)])
    check_close(together.numpy(), alone.numpy(), "next_observation of a batch")


@pytest.mark.stub("model_predict")
def test_predict_takes_any_leading_dimensions() -> None:
    model = model_with(LinearNetwork(numbers(OBS_DIM + ACT_DIM, OBS_DIM)))
    assert model.predict(numbers(9, BATCH, OBS_DIM), numbers(9, BATCH, ACT_DIM)).shape == (9, BATCH, OBS_DIM)
    assert model.predict(numbers(OBS_DIM), numbers(ACT_DIM)).shape == (OBS_DIM,)


@pytest.mark.stub("model_predict")
def test_predict_with_an_ensemble_puts_the_members_first() -> None:
    network = EnsembleMLP(
        ENSEMBLE, OBS_DIM + ACT_DIM, OBS_DIM, width=8, num_hidden_layers=1, generator=torch.Generator().manual_seed(0)
    )
    model = model_with(network)
    shape = model.predict(numbers(BATCH, OBS_DIM), numbers(BATCH, ACT_DIM)).shape
    check(shape != (BATCH, OBS_DIM), "the members' predictions became one", "states_averaged")
    assert shape == (ENSEMBLE, BATCH, OBS_DIM)
    assert model.predict(numbers(OBS_DIM), numbers(ACT_DIM)).shape == (ENSEMBLE, OBS_DIM)


@pytest.mark.stub("model_predict")
@pytest.mark.parametrize("members", [None, 1])
@pytest.mark.parametrize(("obs_dim", "shape"), [(5, (1,)), (5, (1, 1)), (1, ()), (1, (1,)), (1, (6,))])
def test_predict_keeps_axes_of_size_one(obs_dim: int, shape: Any, members: int | None) -> None:
    network = LinearNetwork(numbers(*(() if members is None else (members,)), obs_dim + 1, obs_dim))
    one = Normalizer.identity
    model = DynamicsModel(network, input_normalizer=one(obs_dim + 1), delta_normalizer=one(obs_dim))
    s, a = numbers(*shape, obs_dim), numbers(*shape, 1)
    predicted = model.predict(s, a).detach().numpy()
    wanted = next_observation(model, network, Transition(s, a, s))
    crossed = s.numpy() + np.squeeze(wanted - s.numpy())
    slips = {"size_one": crossed} if crossed.size != wanted.size else None  # every row meets every other
    check_close(predicted, wanted, "predict", slips=slips)


# DynamicsModel.loss ---------------------------------------------------------------------------------------------------


@pytest.mark.stub("model_loss")
def test_loss_worked_example() -> None:
    check_example(WORKED_EXAMPLES["model_loss"], LocalSubject())


@pytest.mark.stub("model_loss")
def test_loss_leaves_its_batch_as_it_was() -> None:
    model = model_with(LinearNetwork(numbers(OBS_DIM + ACT_DIM, OBS_DIM)))
    batch = transitions_of_shape(BATCH)
    model.loss(batch)
    unchanged = all(torch.equal(new, old) for new, old in zip(batch, transitions_of_shape(BATCH), strict=True))
    check(unchanged, "the batch was changed", "inplace")


def batches_of(size: int) -> list[Transition]:
    return [
        Transition(b.observation + shift, b.action, b.next_observation - shift)
        for shift, b in enumerate([transitions_of_shape(size)] * 5)
    ]


def check_losses(size: int) -> None:
    """The losses of several batches: so many numbers tell one slip from another."""
    network = LinearNetwork(numbers(OBS_DIM + ACT_DIM, OBS_DIM))
    model, batches = model_with(network), batches_of(size)
    losses = torch.stack([model.loss(batch).detach() for batch in batches]).numpy()
    in_numpy = [Transition(*(field.double().numpy() for field in batch)) for batch in batches]
    wanted = np.array([loss_of(model, network, batch) for batch in batches])
    check_close(losses, wanted, "loss of several batches", slips=lambda: known(model, network).loss_slips(in_numpy))


@pytest.mark.stub("model_loss")
def test_loss_of_several_batches() -> None:
    check_losses(BATCH)
    check_losses(300)


@pytest.mark.stub("model_loss")
def test_loss_answers_every_call_by_itself() -> None:
    networks = [LinearNetwork(factor * numbers(OBS_DIM + ACT_DIM, OBS_DIM)) for factor in (1.0, -0.5)]
    models, first = [model_with(network) for network in networks], transitions_of_shape(BATCH)
    rows = torch.tensor([0, 2, 2, 5, 5, 1, 6])
    later = [first, first.select(rows), first.select(rows[:5]), first]  # some of the same rows
    losses = [[model.loss(batch).detach().numpy() for model in models] for batch in later]
    for number, (model, network) in enumerate(zip(models, networks, strict=True)):
        seen, wanted = [each[number] for each in losses], [loss_of(model, network, batch) for batch in later]
        check_every_time(seen, wanted, f"loss of model {number + 1}", cause="state_kept")


@pytest.mark.stub("model_loss")
def test_loss_is_right_when_it_is_tiny_or_huge() -> None:
    network = LinearNetwork(numbers(OBS_DIM + ACT_DIM, OBS_DIM))
    model, (s, a, after) = model_with(network), transitions_of_shape(300)
    predicted = torch.from_numpy(next_observation(model, network, Transition(s, a, after)))
    for batch in (
        Transition(s, a, predicted + 0.01 * model.delta_normalizer.std * after),
        Transition(s, 8 * a, after),
        Transition(s, a, s + 50 * after),
        Transition(300 * s, a, 300 * s + after),
        Transition(s, a, s + 3000 * after),
    ):
        loss = model.loss(batch).detach().numpy()
        wanted = loss_of(model, network, batch)
        check_close(loss, wanted, "a tiny or a huge loss", otherwise="values_clamped", rtol=5e-3, atol=0)


@pytest.mark.stub("model_loss")
def test_loss_is_0_for_a_network_that_is_right() -> None:
    batch = transitions_of_shape(BATCH)
    model = model_with(torch.nn.Identity())
    model.network = lambda inputs: model.delta_normalizer.normalize(batch.next_observation - batch.observation)
    check_close(model.loss(batch).item(), 0.0, "loss")


@pytest.mark.stub("model_loss")
def test_loss_of_each_member_is_its_own() -> None:
    weight = numbers(ENSEMBLE, OBS_DIM + ACT_DIM, OBS_DIM)
    batch = transitions_of_shape(ENSEMBLE, BATCH)
    losses = model_with(LinearNetwork(weight)).loss(batch).detach()
    alone = [
        model_with(LinearNetwork(weight[e])).loss(Transition(*(field[e] for field in batch))).detach()
        for e in range(ENSEMBLE)
    ]
    check_close(losses.numpy(), torch.stack(alone).numpy(), "losses of the members")


@pytest.mark.stub("model_loss")
@pytest.mark.parametrize(("members", "obs_dim", "batch"), [(None, 5, 1), (None, 1, 6), (1, 5, 6), (1, 1, 1), (4, 1, 1)])
def test_loss_keeps_axes_of_size_one(members: int | None, obs_dim: int, batch: int) -> None:
    leading = () if members is None else (members,)
    network, one = LinearNetwork(numbers(*leading, obs_dim + 1, obs_dim)), Normalizer.identity
    model = DynamicsModel(network, input_normalizer=one(obs_dim + 1), delta_normalizer=one(obs_dim))
    shape = (*leading, batch)
    s, a = numbers(*shape, obs_dim), numbers(*shape, 1)
    wanted = next_observation(model, network, Transition(s, a, s)) - s.numpy() - 2
    loss = model.loss(Transition(s, a, s + 2)).detach().numpy()
    check_close(loss, np.mean(wanted**2, axis=(-2, -1)), "loss")


@pytest.mark.stub("model_loss")
def test_loss_of_one_member_does_not_pull_at_another() -> None:
    network = LinearNetwork(numbers(ENSEMBLE, OBS_DIM + ACT_DIM, OBS_DIM))
    model_with(network).loss(transitions_of_shape(ENSEMBLE, BATCH))[1].backward()  # type: ignore[no-untyped-call]
    assert network.weight.grad is not None
    gradient_sizes = network.weight.grad.abs().sum(dim=(1, 2))
    assert gradient_sizes[1] > 0
    assert gradient_sizes[[0, 2, 3]].sum() == 0


@pytest.mark.stub("model_loss")
def test_loss_gradient_reaches_every_weight() -> None:
    network = LinearNetwork(numbers(OBS_DIM + ACT_DIM, OBS_DIM))
    gradient = loss_gradient(model_with(network), network, transitions_of_shape(BATCH))
    check(bool((gradient != 0).all()), "some weights have no gradient", "loss_detached")
    s, a, after = transitions_of_shape(BATCH)
    wanted = torch.zeros_like(gradient)
    for i, j in ((0, 0), (4, 2)):  # the slope of the loss, which is a parabola in each weight
        losses = []
        for step in (1.0, -1.0):
            network.weight.data[i, j] += step
            losses.append(loss_of(model_with(network), network, Transition(s, a, s + 100 * after)))
            network.weight.data[i, j] -= step
        wanted[i, j] = (losses[0] - losses[1]) / 2
    gradient = loss_gradient(model_with(network), network, Transition(s, a, s + 100 * after))
    large = gradient * (wanted != 0)
    check_close(large.numpy(), wanted.numpy(), "a large gradient", otherwise="values_clamped")


# fit ------------------------------------------------------------------------------------------------------------------


@pytest.mark.stub("model_fit")
def test_fit_worked_example() -> None:
    check_example(WORKED_EXAMPLES["model_fit"], LocalSubject())


@pytest.mark.stub("model_fit")
def test_fit_leaves_the_data_as_they_were() -> None:
    model, data = QuadraticModel(torch.zeros(OBS_DIM)), transitions_of_shape(BATCH)
    fit(model, data, sgd(model, 0.1), sample_indices=lambda: torch.tensor([0]), gradient_steps=2)
    unchanged = all(torch.equal(new, old) for new, old in zip(data, transitions_of_shape(BATCH), strict=True))
    check(unchanged, "the transitions were changed", "inplace")


@pytest.mark.stub("model_fit")
def test_fit_draws_one_minibatch_per_gradient_step() -> None:
    draws: list[int] = []

    def sample_indices() -> Tensor:
        draws.append(len(draws))
        return torch.tensor([len(draws) % 5])

    model = QuadraticModel(torch.zeros(OBS_DIM))
    result = fit(model, transitions_of_shape(5), sgd(model, 0.01), sample_indices=sample_indices, gradient_steps=11)
    check(len(draws) == 11, f"sample_indices was called {len(draws)} times in 11 steps", "wrong_step_count")
    assert result.shape == (11,)


@pytest.mark.stub("model_fit")
def test_fit_returns_numbers_without_a_graph() -> None:
    model = QuadraticModel(torch.zeros(OBS_DIM))
    result = fit(
        model, transitions_of_shape(5), sgd(model, 0.1), sample_indices=lambda: torch.tensor([0]), gradient_steps=2
    )
    check(not result.requires_grad, "the returned losses must be detached", "losses_not_detached")


@pytest.mark.stub("model_fit")
def test_fit_steps_with_the_optimizer_that_it_is_given() -> None:
    """Weights 0, data 1: a step goes half-way, plus half of the step before: 1/2, 1/4 + 1/4, 0 + 1/4, -1/8 + 1/8 ..."""
    steps: list[int] = []
    model = QuadraticModel(torch.zeros(1))
    optimizer = sgd(model, 0.25, momentum=0.5, on_step=lambda: steps.append(1))
    data = Transition(torch.ones(2, 1), torch.zeros(2, 1), torch.ones(2, 1))
    weights, step, wanted = 0.0, 0.0, []
    draws: list[int] = []

    def sample_indices() -> Tensor:
        draws.append(1)
        return torch.tensor([0, 1])

    for _ in range(12):
        step = 0.5 * step + 0.5 * (1 - weights)
        weights += step
        wanted.append(weights)
    for number in range(4):  # three steps each; the optimiser remembers the last one
        fit(model, data, optimizer, sample_indices=sample_indices, gradient_steps=3)
        seen = model.current_weights().numpy()
        stopped = number > 0 and 3 * number <= len(draws) < 3 * number + 3
        check(not stopped, f"fit {number + 1} took fewer steps than the ones before", "stopped_early")
        slips: dict[str, Any] = {"no_gradient_step": np.array([0.0])}
        if number == 1:
            slips |= {"optimizer_bypassed": np.array([1 - 0.5**6])}
        if number == 0:
            slips |= {"wrong_step_count": AnyOf((np.array([1.0]), np.array([0.5])))}
        else:
            slips |= {"optimizer_restarted": seen}
        bypassed = not steps and bool(seen != 0)
        check(not bypassed, "the weights moved, but the optimiser took no step", "optimizer_bypassed")
        right = np.array([wanted[3 * number + 2]])
        check_close(seen, right, f"weights after fit {number + 1}", slips=slips, rtol=1e-4)
    check(len(steps) == 12, f"the optimiser took {len(steps)} steps, not 12", "optimizer_bypassed")


def descent(start: Tensor, data: Transition, batches: list[Tensor], rate: float) -> tuple[Any, Any]:
    """(weights after, losses before each step) of gradient descent on a quadratic model, in NumPy."""
    weights, losses = start.double().numpy(), []
    for indices in batches:
        error = weights - data.observation.double().numpy()[indices.numpy()]
        losses.append(np.mean(error**2))
        weights = weights - rate * 2 * error.mean(axis=0) / error.shape[-1]
    return weights, np.array(losses)


def check_fit(
    start: Tensor, data: Transition, steps: int, weights_cause: str, losses_cause: str, stops: str = "stopped_early"
) -> None:
    """A fit must take every step as it is; the causes are those of wrong weights, wrong losses and missing steps."""
    model = QuadraticModel(start)
    drawn: list[Tensor] = []

    def sample_indices() -> Tensor:
        drawn.append((torch.arange(2) * 3 + len(drawn) * 5) % len(data.observation))
        return drawn[-1]

    path = [start.numpy()]
    optimizer = sgd(model, 0.3, on_step=lambda: path.append(model.current_weights().numpy()))
    losses = fit(model, data, optimizer, sample_indices=sample_indices, gradient_steps=steps).numpy()
    check(len(drawn) == steps, f"{len(drawn)} minibatches were drawn in {steps} steps", stops)
    weights, wanted = descent(start, data, drawn, 0.3)
    now = model.current_weights().numpy()
    downhill = [data.observation[i].mean(dim=0).numpy() - w for w, i in zip(path, drawn, strict=False)]
    moves = [after - before for before, after in itertools.pairwise(path)]
    aligned = [m @ d > 0.999 * np.linalg.norm(m) * np.linalg.norm(d) for m, d in zip(moves, downhill, strict=False)]
    if weights_cause == "wrong_value" and len(moves) == steps and all(aligned):
        weights_cause = "step_size_changed"
    check_close(now, weights, "weights", otherwise=weights_cause, rtol=1e-3, atol=1e-5)
    check_close(losses, wanted, "losses", otherwise=losses_cause, rtol=1e-3, atol=1e-6)


@pytest.mark.stub("model_fit")
def test_fit_takes_every_step_as_it_is() -> None:
    data = transitions_of_shape(13)
    small = Transition(*(0.02 * field for field in data))
    check_fit(torch.zeros(OBS_DIM), small, 7, "wrong_value", "wrong_value", "wrong_step_count")
    check_fit(torch.full((OBS_DIM,), 1000.0), data, 7, "gradients_clipped", "values_clamped")
    check_fit(torch.zeros(OBS_DIM), data, 130, "step_size_changed", "values_clamped")
    alike = Transition(*(field[:1, :1].expand(13, 1) for field in data))
    check_fit(torch.zeros(1), alike, 30, "step_size_changed", "values_clamped")


@pytest.mark.stub("model_fit")
@pytest.mark.parametrize(
    ("steps", "leading", "n", "dim"), [(1, (), 7, 5), (1, (1,), 7, 5), (2, (), 1, 5), (1, (), 7, 1)]
)
def test_fit_takes_one_step_one_member_and_one_transition(steps: int, leading: Any, n: int, dim: int) -> None:
    data, model = transitions_of_shape(n), QuadraticModel(torch.zeros(*leading, dim))
    data = Transition(*(field[:, :dim] for field in data))
    indices = torch.zeros(*leading, 2, dtype=torch.int64)
    losses = fit(model, data, sgd(model, 0.3), sample_indices=lambda: indices, gradient_steps=steps).numpy()
    wanted = descent(torch.zeros(dim), data, [torch.zeros(2, dtype=torch.int64)] * steps, 0.3)[1]
    check_close(losses, wanted, "losses")


@pytest.mark.stub("model_fit")
def test_fit_approaches_the_mean_of_the_data() -> None:
    data = transitions_of_shape(BATCH)
    model = QuadraticModel(torch.zeros(OBS_DIM))
    fit(model, data, sgd(model, 0.3), sample_indices=lambda: torch.arange(BATCH), gradient_steps=100)
    check_close(model.current_weights().numpy(), data.observation.mean(dim=0).numpy(), "weights", atol=1e-3)


@pytest.mark.stub("model_fit")
def test_fit_refreshes_from_all_transitions_at_every_call() -> None:
    seen: list[Any] = []
    model = QuadraticModel(torch.zeros(OBS_DIM), on_fit_normalizers=seen.append)
    optimizer = sgd(model, 0.1)
    sizes = (5, 9, 9, 9, 300)
    for number, size in enumerate(sizes):
        data = Transition(*(field + number for field in transitions_of_shape(size)))
        fit(model, data, optimizer, sample_indices=lambda: torch.tensor([0, 1]), gradient_steps=4)
        once = len(seen) == number + 1
        check(
            once or len(seen) > number, "the normalisers were not refreshed at every fit", "normalizers_not_refreshed"
        )
        check(once, "the normalisers were refreshed more than once", "normalizers_from_minibatch")
        partly = len(seen[-1]) < size
        check(not partly, "the normalisers were refreshed from some transitions", "normalizers_from_minibatch")
        fresh = torch.equal(seen[-1], data.observation)
        check(fresh, "the normalisers were refreshed from other transitions", "normalizers_not_refreshed")
