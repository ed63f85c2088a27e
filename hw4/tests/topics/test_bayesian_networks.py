"""Public tests of hw4/topics/bayesian_networks.py. The first test of each stub is its worked example."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from hw4.checking.answers import AnyOf, check_close
from hw4.checking.doubles import gradient_of
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.subject import LocalSubject
from hw4.checking.variations import vary
from hw4.checking.worked_example import check_example
from hw4.topics.bayesian_networks import (
    concrete_mask,
    dropout_regularizer,
    sample_weights,
    variational_loss,
    weights_kl,
)
from hw4.topics.bayesian_networks_models import BackpropMLP, DropoutMLP

NAME = "topics.bayesian_networks."
SIZES: dict[str, Any] = {"width": 8, "num_hidden_layers": 2}


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# sample_weights -------------------------------------------------------------------------------------------------------


@pytest.mark.stub("sample_weights")
def test_sample_weights_worked_example() -> None:
    check_example(WORKED_EXAMPLES["sample_weights"], LocalSubject())


@pytest.mark.stub("sample_weights")
def test_sample_weights_of_any_shape() -> None:
    def at(draws: int, *shape: int, raw: float = 0.0) -> None:
        mean, raw_std, noise = drawn(*shape), drawn(*shape, seed=1) + raw, drawn(draws, *shape, seed=2)
        std = np.logaddexp(0.0, raw_std.numpy())
        wanted = np.stack([mean.numpy() + std * each for each in noise.numpy()])
        answer = LocalSubject().call(NAME + "sample_weights", mean.numpy(), raw_std.numpy(), noise.numpy())
        check_close(answer, wanted, "the weights")

    vary(
        lambda: at(2, 3, 6),
        again=1,
        size_one=[lambda: at(1, 3), lambda: at(2), lambda: at(2, 1, 3)],
        large=[lambda: at(4, 33, 20), lambda: at(2, 3, raw=-10.0), lambda: at(2, 3, raw=120.0)],
    )


@pytest.mark.stub("sample_weights")
def test_sample_weights_has_the_mean_and_std_that_it_is_told() -> None:
    weights = sample_weights(torch.tensor(2.0), torch.tensor(0.0), drawn(40_000))
    assert weights.mean() == pytest.approx(2.0, abs=0.02)
    assert weights.std() == pytest.approx(math.log(2.0), abs=0.02)


@pytest.mark.stub("sample_weights")
def test_sample_weights_lets_gradients_through() -> None:
    noise = torch.tensor([[0.5, -2.0]])
    arguments = torch.ones(2), torch.zeros(2), noise
    slips = {"weights_not_differentiable": np.zeros(2)}
    for number, wanted in enumerate(([1.0, 1.0], [0.25, -1.0])):
        found = gradient_of(NAME + "sample_weights", torch.ones(1, 2), number, *arguments)
        check_close(found.numpy(), np.array(wanted), "a gradient of the weights", slips=slips)


# weights_kl -----------------------------------------------------------------------------------------------------------


@pytest.mark.stub("weights_kl")
def test_weights_kl_worked_example() -> None:
    check_example(WORKED_EXAMPLES["weights_kl"], LocalSubject())


@pytest.mark.stub("weights_kl")
def test_weights_kl_is_that_of_torch_distributions() -> None:
    def at(*shape: int, prior_std: float = 0.8) -> None:
        mean, raw_std = drawn(*shape), drawn(*shape, seed=1)
        q = Normal(mean.double(), torch.nn.functional.softplus(raw_std.double()))
        wanted = kl_divergence(q, Normal(torch.tensor(0.0).double(), prior_std)).sum()
        answer = LocalSubject().call(NAME + "weights_kl", mean.numpy(), raw_std.numpy(), prior_std)
        check_close(answer, wanted.numpy(), "the divergence", atol=1e-3)

    vary(
        lambda: at(3, 6),
        again=1,
        size_one=[lambda: at(), lambda: at(1), lambda: at(3, 1)],
        large=[lambda: at(33, 20), lambda: at(2, 3, 4), lambda: at(3, prior_std=0.1)],
    )


@pytest.mark.stub("weights_kl")
def test_weights_kl_has_no_slope_at_the_prior_and_pulls_towards_it() -> None:
    raw_std = torch.full((3,), math.log(math.expm1(0.5)))
    for mean, wanted in ((torch.zeros(3), 0.0), (torch.ones(3), 4.0)):
        found = gradient_of(NAME + "weights_kl", torch.tensor(1.0), 0, mean, raw_std, 0.5)
        check_close(found.numpy(), np.full(3, wanted), "the gradient by the mean", otherwise="prior_kl_slope")
        found = gradient_of(NAME + "weights_kl", torch.tensor(1.0), 1, mean, raw_std, 0.5)
        check_close(found.numpy(), np.zeros(3), "the gradient by the raw std", otherwise="prior_kl_slope", atol=1e-3)


@pytest.mark.stub("weights_kl")
def test_weights_kl_is_finite_for_tiny_stds() -> None:
    check_close(
        weights_kl(torch.zeros(1), torch.tensor([-45.0]), 1.0).numpy(), np.array(44.5), "the divergence", atol=1e-2
    )


# variational_loss -----------------------------------------------------------------------------------------------------


@pytest.mark.stub("variational_loss")
def test_variational_loss_worked_example() -> None:
    check_example(WORKED_EXAMPLES["variational_loss"], LocalSubject())


@pytest.mark.stub("variational_loss")
def test_variational_loss_does_not_depend_on_how_the_data_are_cut() -> None:
    nll, kl = drawn(2, 12), torch.tensor(30.0)
    whole = ((nll.sum(dim=-1) + kl) / 12).numpy()
    for size in (12, 4, 1):
        losses = [variational_loss(piece, kl, 12) for piece in nll.reshape(2, -1, size).unbind(dim=1)]
        mean = torch.stack(losses).mean(dim=0).numpy()
        check_close(mean, whole, "the mean over minibatches", otherwise="loss_kl_by_batch")


@pytest.mark.stub("variational_loss")
def test_variational_loss_takes_any_leading_axes() -> None:
    def at(*shape: int) -> None:
        nll = drawn(*shape).numpy()
        answer = LocalSubject().call(NAME + "variational_loss", nll, np.array(70.0), 35)
        check_close(answer, nll.mean(axis=-1) + 2.0, "the loss")

    vary(
        lambda: at(2, 6),
        again=1,
        size_one=[lambda: at(6), lambda: at(1, 6), lambda: at(2, 1)],
        large=[lambda: at(4, 100), lambda: at(3, 2, 6)],
    )


@pytest.mark.stub("variational_loss")
def test_variational_loss_lets_gradients_through() -> None:
    arguments = drawn(2, 4), torch.tensor(8.0), 16
    for number, wanted in enumerate((np.full((2, 4), 0.25), np.array(2 / 16))):
        found = gradient_of(NAME + "variational_loss", torch.ones(2), number, *arguments)
        slips = {"loss_not_differentiable": np.zeros_like(wanted)}
        check_close(found.numpy(), wanted, "a gradient of the loss", slips=slips)


# concrete_mask --------------------------------------------------------------------------------------------------------


@pytest.mark.stub("concrete_mask")
def test_concrete_mask_worked_example() -> None:
    check_example(WORKED_EXAMPLES["concrete_mask"], LocalSubject())


@pytest.mark.stub("concrete_mask")
@pytest.mark.parametrize("p", [0.05, 0.3])
def test_concrete_mask_has_the_mean_one_only_when_it_is_cold(p: float) -> None:
    logit, uniform = torch.tensor(math.log(p / (1 - p))), (torch.arange(2000) + 0.5) / 2000
    cold, warm = (concrete_mask(logit, uniform, temperature) for temperature in (1e-3, 0.5))
    check_close(float(cold.mean()), 1.0, "the mean of a cold mask", otherwise="mask_not_rescaled", atol=5e-3)
    assert float((cold < 0.5).float().mean()) == pytest.approx(p, abs=2e-3)
    assert 0.95 < float(warm.mean()) < 0.99


@pytest.mark.stub("concrete_mask")
def test_concrete_mask_has_a_gradient() -> None:
    uniform = torch.tensor([0.3, 0.6, 0.95])
    ends = [concrete_mask(torch.tensor(-1.0 + sign * 1e-2), uniform, 0.5).sum() for sign in (1, -1)]
    found = gradient_of(NAME + "concrete_mask", torch.ones(3), 0, torch.tensor(-1.0), uniform, 0.5)
    dropped = torch.sigmoid((-1.0 + uniform.logit()) / 0.5)
    through = float(-(dropped * (1 - dropped)).sum() / 0.5 * (1 + math.exp(-1.0)))  # of what drops alone
    rescaled = float(((1 - dropped) * math.exp(-1.0)).sum())
    slips = {"mask_not_differentiable": AnyOf((np.zeros(()), np.array(through), np.array(rescaled)))}
    check_close(found.numpy(), float(ends[0] - ends[1]) / 2e-2, "the gradient of the mask", slips=slips, rtol=1e-2)


@pytest.mark.stub("concrete_mask")
def test_concrete_mask_of_any_shape() -> None:
    def at(*shape: int, logit: float = -0.7) -> None:
        uniform = 0.1 + 0.8 * torch.sigmoid(drawn(*shape)).numpy()
        odds = (np.exp(logit) * uniform / (1 - uniform)) ** 2
        answer = LocalSubject().call(NAME + "concrete_mask", np.array(logit), uniform, 0.5)
        check_close(answer, (1 + np.exp(logit)) / (1 + odds), "the mask", rtol=2e-3)

    vary(
        lambda: at(2, 6),
        again=1,
        size_one=[lambda: at(), lambda: at(1), lambda: at(2, 1)],
        large=[lambda: at(3, 60, 8), lambda: at(4, logit=-12.0), lambda: at(4, logit=9.0)],
    )


# dropout_regularizer --------------------------------------------------------------------------------------------------


@pytest.mark.stub("dropout_regularizer")
def test_dropout_regularizer_worked_example() -> None:
    check_example(WORKED_EXAMPLES["dropout_regularizer"], LocalSubject())


@pytest.mark.stub("dropout_regularizer")
def test_dropout_regularizer_without_weights_has_no_slope_at_one_half() -> None:
    weight = torch.zeros(3, 2)
    for logit, wanted in ((0.0, 0.0), (2.0, 3 * 2.0 * 0.104994), (-2.0, -3 * 2.0 * 0.104994)):
        found = gradient_of(NAME + "dropout_regularizer", torch.tensor(1.0), 1, weight, torch.tensor(logit), 1.5)
        check_close(found.numpy(), np.array(wanted), "the slope of the entropy", otherwise="dropout_slope")


@pytest.mark.stub("dropout_regularizer")
def test_dropout_regularizer_shrinks_the_weights() -> None:
    weight = drawn(3, 2)
    found = gradient_of(NAME + "dropout_regularizer", torch.tensor(1.0), 0, weight, torch.tensor(0.0), 3.0)
    slips = {"dropout_not_differentiable": np.zeros((3, 2))}
    check_close(found.numpy(), 18 * weight.numpy(), "the gradient by the weights", slips=slips)


@pytest.mark.stub("dropout_regularizer")
def test_dropout_regularizer_of_any_layer() -> None:
    def at(i: int, o: int, p: float = 0.2) -> None:
        weight = drawn(i, o).numpy()
        entropy = -p * math.log(p) - (1 - p) * math.log1p(-p)
        wanted = 0.72 * float((weight.astype(float) ** 2).sum()) / (1 - p) - i * entropy
        answer = LocalSubject().call(NAME + "dropout_regularizer", weight, np.array(math.log(p / (1 - p))), 1.2)
        check_close(answer, np.array(wanted), "the regulariser")

    vary(
        lambda: at(3, 6),
        again=1,
        size_one=[lambda: at(1, 6), lambda: at(3, 1)],
        large=[lambda: at(40, 9), lambda: at(3, 6, 1e-6), lambda: at(3, 6, 1 - 1e-5)],
    )


@pytest.mark.stub("dropout_regularizer")
def test_dropout_regularizer_is_finite_where_p_rounds_to_one() -> None:
    answer = dropout_regularizer(torch.zeros(2, 2), torch.tensor(15.0), 1.0)
    assert float(answer) == pytest.approx(0.0, abs=1e-3)


# Functions drawn from a posterior, in place of members ----------------------------------------------------------------


@pytest.mark.stub("sample_weights")
def test_functions_of_bayes_by_backprop_stay_the_same_until_they_are_redrawn() -> None:
    network = BackpropMLP(4, 3, 2, generator=torch.Generator().manual_seed(0), **SIZES)
    inputs = drawn(5, 3)
    first = network(inputs)
    assert first.shape == (4, 5, 2)
    assert torch.equal(network(inputs), first)
    assert torch.allclose(network(inputs[2]), first[:, 2], atol=1e-6)
    network.redraw()
    assert not torch.allclose(network(inputs), first)


@pytest.mark.stub("concrete_mask")
@pytest.mark.parametrize("concrete", [True, False])
def test_functions_of_dropout_stay_the_same_until_they_are_redrawn(concrete: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    network = DropoutMLP(4, 3, 2, generator=generator, drop_probability=0.3, concrete=concrete, **SIZES)
    inputs = drawn(5, 3)
    first = network(inputs)
    assert first.shape == (4, 5, 2)
    assert torch.equal(network(inputs), first)
    network.redraw()
    assert not torch.allclose(network(inputs), first)
