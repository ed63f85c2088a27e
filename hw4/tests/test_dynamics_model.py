"""Public tests of hw4/dynamics_model.py. The first test of each stub is its worked example."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hw4.checking.answers import check, check_close
from hw4.checking.doubles import LinearNetwork, QuadraticModel, loss_gradient, sgd
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.subject import LocalSubject
from hw4.checking.worked_example import check_example
from hw4.dynamics_model import DynamicsModel, Normalizer, fit, fit_normalizer
from hw4.networks import EnsembleMLP
from hw4.transitions import Transition

OBS_DIM, ACT_DIM, BATCH, ENSEMBLE = 3, 2, 7, 4


def numbers(*shape: int) -> Tensor:
    """Different numbers of moderate size, the same at every run."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def transitions_of_shape(*leading: int) -> Transition:
    return Transition(numbers(*leading, OBS_DIM), numbers(*leading, ACT_DIM), 2.0 + 3.0 * numbers(*leading, OBS_DIM))


def model_with(network: torch.nn.Module) -> DynamicsModel:
    """A model whose normalisers are far from doing nothing."""
    return DynamicsModel(
        network,
        input_normalizer=Normalizer(mean=torch.arange(1.0, 6.0), std=torch.tensor([2.0, 0.5, 3.0, 4.0, 0.1])),
        delta_normalizer=Normalizer(mean=torch.tensor([0.5, -1.0, 2.0]), std=torch.tensor([0.2, 5.0, 1.5])),
    )


# fit_normalizer -------------------------------------------------------------------------------------------------------


@pytest.mark.stub("normalizer_fit")
def test_normalizer_worked_example() -> None:
    check_example(WORKED_EXAMPLES["normalizer_fit"], LocalSubject())


@pytest.mark.stub("normalizer_fit")
def test_normalizer_gives_mean_0_and_std_1_to_the_data_it_was_fitted_to() -> None:
    values = 100.0 + 5.0 * numbers(50, OBS_DIM)
    normalized = fit_normalizer(values).normalize(values)
    check_close(normalized.mean(dim=0).numpy(), torch.zeros(OBS_DIM).numpy(), "mean of the normalised data", atol=1e-3)
    check_close(
        normalized.square().mean(dim=0).numpy(), torch.ones(OBS_DIM).numpy(), "mean square of the normalised data"
    )


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
    values = torch.tensor([[1e-8, 1e-4, 7.0], [-1e-8, -1e-4, 7.0]])
    std = fit_normalizer(values).normalize(values).std(dim=0, correction=0)  # 1 unless the feature counts as constant
    check(bool((std[[0, 2]] < 0.5).all()), "a feature with std below MIN_STD was scaled up", "std_floor")
    check(bool(std[1] > 0.5), "a feature with std 0.0001 was not scaled", "std_floor_too_high")


@pytest.mark.stub("normalizer_fit")
def test_normalizer_leaves_the_data_as_they_were() -> None:
    values = 3.0 + numbers(BATCH, OBS_DIM)
    fit_normalizer(values)
    check(torch.equal(values, 3.0 + numbers(BATCH, OBS_DIM)), "the data were changed", "inplace")


@pytest.mark.stub("normalizer_fit")
def test_normalizer_of_a_single_sample_is_finite() -> None:
    normalizer = fit_normalizer(torch.tensor([[4.0, -1.0]]))
    check_close(normalizer.std.numpy(), torch.ones(2).numpy(), "std")


# DynamicsModel.predict ------------------------------------------------------------------------------------------------


@pytest.mark.stub("model_predict")
def test_predict_worked_example() -> None:
    check_example(WORKED_EXAMPLES["model_predict"], LocalSubject())


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
    assert model.predict(numbers(6, BATCH, OBS_DIM), numbers(6, BATCH, ACT_DIM)).shape == (6, BATCH, OBS_DIM)
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


# DynamicsModel.loss ---------------------------------------------------------------------------------------------------


@pytest.mark.stub("model_loss")
def test_loss_worked_example() -> None:
    check_example(WORKED_EXAMPLES["model_loss"], LocalSubject())


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


@pytest.mark.stub("model_loss")
def test_loss_leaves_its_batch_as_it_was() -> None:
    model = model_with(LinearNetwork(numbers(OBS_DIM + ACT_DIM, OBS_DIM)))
    batch = transitions_of_shape(BATCH)
    model.loss(batch)
    unchanged = all(torch.equal(new, old) for new, old in zip(batch, transitions_of_shape(BATCH), strict=True))
    check(unchanged, "the batch was changed", "inplace")


# fit ------------------------------------------------------------------------------------------------------------------


@pytest.mark.stub("model_fit")
def test_fit_worked_example() -> None:
    check_example(WORKED_EXAMPLES["model_fit"], LocalSubject())


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
    for _ in range(2):  # three steps each; the optimiser remembers the last one
        fit(model, data, optimizer, sample_indices=lambda: torch.tensor([0, 1]), gradient_steps=3)
    slips = {
        "optimizer_bypassed": np.array([1 - 0.5**6]),
        "optimizer_restarted": np.array([0.9375]),
        "no_gradient_step": np.array([0.0]),
        "wrong_step_count": np.array([1.25]),
    }
    bypassed = not steps and bool(model.current_weights() != 0)
    check(not bypassed, "the weights moved, but the optimiser took no step", "optimizer_bypassed")
    check_close(model.current_weights().numpy(), np.array([1.0]), "weights", slips=slips, rtol=1e-4)
    check(len(steps) == 6, f"the optimiser took {len(steps)} steps, not 6", "optimizer_bypassed")


@pytest.mark.stub("model_fit")
def test_fit_leaves_the_data_as_they_were() -> None:
    model, data = QuadraticModel(torch.zeros(OBS_DIM)), transitions_of_shape(BATCH)
    fit(model, data, sgd(model, 0.1), sample_indices=lambda: torch.tensor([0]), gradient_steps=2)
    unchanged = all(torch.equal(new, old) for new, old in zip(data, transitions_of_shape(BATCH), strict=True))
    check(unchanged, "the transitions were changed", "inplace")


@pytest.mark.stub("model_fit")
def test_fit_approaches_the_mean_of_the_data() -> None:
    data = transitions_of_shape(BATCH)
    model = QuadraticModel(torch.zeros(OBS_DIM))
    fit(model, data, sgd(model, 0.3), sample_indices=lambda: torch.arange(BATCH), gradient_steps=100)
    check_close(model.current_weights().numpy(), data.observation.mean(dim=0).numpy(), "weights", atol=1e-3)


@pytest.mark.stub("model_fit")
def test_fit_refreshes_from_all_transitions_at_every_call() -> None:
    sizes: list[int] = []
    model = QuadraticModel(torch.zeros(OBS_DIM), on_fit_normalizers=lambda seen: sizes.append(len(seen)))
    optimizer = sgd(model, 0.1)
    for size in (5, 9):
        fit(model, transitions_of_shape(size), optimizer, sample_indices=lambda: torch.tensor([0, 1]), gradient_steps=3)
    check(sizes == [5, 9], f"two fits on 5 and on 9 transitions refreshed from {sizes}", "normalizers_not_refreshed")
