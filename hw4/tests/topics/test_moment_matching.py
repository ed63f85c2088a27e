"""Public tests of hw4/topics/moment_matching.py. The first test of each stub is its worked example."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hw4.checking.answers import AnyOf, check, check_close
from hw4.checking.doubles import gradient_of
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.subject import AsNumPy, LocalSubject
from hw4.checking.variations import vary
from hw4.checking.worked_example import check_example
from hw4.envs import moment_matching as world
from hw4.topics import moment_matching_pilco as pilco
from hw4.topics.moment_matching import gp_predict, moment_match_gp, moment_match_linear, saturating_cost
from hw4.topics.moment_matching_gp import GP, condition, fit_gp

NAME = "topics.moment_matching_arrays."
PARTS = ("the mean", "the covariance", "the covariance with the input")


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()


def covariance(size: int, seed: int = 0) -> Tensor:
    """With variances of about 1/2."""
    root = drawn(size, size, seed=seed)
    return root @ root.T / (2 * size)


def processes(number: int, size_in: int, size_out: int) -> GP:
    scales, stds = torch.linspace(1.0, 1.6, size_out).double(), torch.linspace(0.8, 1.3, size_out).double()
    scales = scales[:, None].expand(size_out, size_in).contiguous()
    return condition(drawn(number, size_in), drawn(number, size_out, seed=1), scales, stds, 0.3 * stds)


def answers_of(function: str, *arrays: Any) -> Any:
    return LocalSubject().call(NAME + function, *(AsNumPy(np.asarray(array)) for array in arrays))


# moment_match_linear --------------------------------------------------------------------------------------------------


@pytest.mark.stub("moment_match_linear")
def test_moment_match_linear_worked_example() -> None:
    check_example(WORKED_EXAMPLES["moment_match_linear"], LocalSubject())


def linear_inputs(size_in: int, size_out: int) -> tuple[Tensor, ...]:
    matrix, offset = drawn(size_out, size_in, seed=1), drawn(size_out, seed=2)
    return drawn(size_in), covariance(size_in), matrix, offset, covariance(size_out, seed=3)


@pytest.mark.stub("moment_match_linear")
def test_moment_match_linear_of_any_size() -> None:
    def at(size_in: int, size_out: int, scale: float = 1.0) -> None:
        mean, cov, matrix, offset, noise_cov = linear_inputs(size_in, size_out)
        cov = scale * cov
        answers = answers_of("linear", mean, cov, matrix, offset, noise_cov)
        wanted = (
            torch.einsum("oi,i->o", matrix, mean) + offset,
            torch.einsum("oi,ij,pj->op", matrix, cov, matrix) + noise_cov,
            torch.einsum("ij,oj->io", cov, matrix),
        )
        for answer, right, what in zip(answers, wanted, PARTS, strict=True):
            check_close(answer, right.numpy(), what, rtol=0.0, atol=1e-10)

    vary(
        lambda: at(3, 4),
        again=1,
        size_one=[lambda: at(1, 4), lambda: at(3, 1), lambda: at(1, 1)],
        large=[lambda: at(8, 6), lambda: at(3, 3, 0.0)],
    )


@pytest.mark.stub("moment_match_linear")
def test_moment_match_linear_twice_is_once_with_the_product() -> None:
    mean, cov, first, offset, noise = linear_inputs(4, 4)
    second = drawn(4, 4, seed=7)
    middle = moment_match_linear(mean, cov, first, offset, noise)
    last = moment_match_linear(middle[0], middle[1], second, offset, noise)
    once = moment_match_linear(mean, cov, second @ first, second @ offset + offset, second @ noise @ second.T + noise)
    for answer, wanted, what in zip(last[:2], once[:2], PARTS[:2], strict=True):
        check_close(answer.numpy(), wanted.numpy(), what, atol=1e-9, rtol=0.0)


@pytest.mark.stub("moment_match_linear")
def test_moment_match_linear_lets_gradients_through() -> None:
    inputs = tuple(part.float() for part in linear_inputs(2, 3))
    for part, number, wanted in ((0, 0, inputs[2].sum(dim=0)), (2, 1, inputs[2].sum(dim=0).expand(2, 2))):
        shape = (3,) if part == 0 else (2, 3)
        found = gradient_of(NAME + "linear", torch.ones(shape), number, *inputs, part=part)
        slips = {"linear_not_differentiable": np.zeros(wanted.shape)}
        check_close(found.numpy(), wanted.numpy(), f"a gradient of {PARTS[part]}", slips=slips)


# gp_predict -----------------------------------------------------------------------------------------------------------


@pytest.mark.stub("gp_predict")
def test_gp_predict_worked_example() -> None:
    check_example(WORKED_EXAMPLES["gp_predict"], LocalSubject())


@pytest.mark.stub("gp_predict")
def test_gp_predict_of_any_size() -> None:
    def at(number: int, size_in: int, size_out: int, batch: int) -> None:
        gp, inputs = processes(number, size_in, size_out), drawn(batch, size_in, seed=5)
        answers = answers_of("predict", *gp, inputs)
        for a in range(size_out):
            scaled = (inputs[:, None] - gp.inputs) / gp.length_scales[a]
            near = gp.signal_std[a] ** 2 * torch.exp(-0.5 * (scaled**2).sum(dim=-1))
            wanted = near @ gp.weights[a], gp.signal_std[a] ** 2 - torch.diag(near @ gp.inverse[a] @ near.T)
            for answer, right, what in zip(answers, wanted, ("the mean", "the variance"), strict=True):
                check_close(answer[:, a], right.numpy(), what, rtol=0.0, atol=1e-9)

    vary(
        lambda: at(5, 2, 3, 4),
        again=1,
        size_one=[lambda: at(5, 2, 3, 1), lambda: at(5, 1, 3, 4), lambda: at(5, 2, 1, 4), lambda: at(1, 2, 3, 4)],
        large=[lambda: at(40, 3, 2, 100)],
    )


@pytest.mark.stub("gp_predict")
def test_gp_predict_is_sure_at_its_data_and_knows_nothing_far_away() -> None:
    inputs, ones = torch.arange(3).double()[:, None] * 3, torch.ones(1).double()
    gp = condition(inputs, drawn(3, 1), ones[None], 1.2 * ones, 1e-5 * ones)
    answer, variance = answers_of("predict", *gp, inputs)
    check_close(answer, drawn(3, 1).numpy(), "the mean at the data", atol=1e-6)
    check_close(variance, np.zeros((3, 1)), "the variance at the data", atol=1e-6)
    answer, variance = answers_of("predict", *gp, inputs + 90.0)
    check_close(answer, np.zeros((3, 1)), "the mean far away", atol=1e-9)
    check_close(variance, np.full((3, 1), 1.44), "the variance far away", atol=1e-9)


@pytest.mark.stub("gp_predict")
def test_gp_predict_answers_no_negative_variance() -> None:
    one = torch.ones(1).double()
    gp = GP(one[None], one[None], one, one[None], 1.01 * one[None, None])  # as if rounding were that large
    _, variance = gp_predict(gp, one[None])
    check_close(variance.numpy(), np.zeros((1, 1)), "the variance", otherwise="predict_variance_negative")


@pytest.mark.stub("gp_predict")
def test_gp_predict_lets_gradients_through() -> None:
    gp, at = processes(5, 2, 1), drawn(3, 2, seed=5)
    fields = [part.float() for part in gp]
    for part in (0, 1):
        wanted = np.zeros((3, 2))
        for i, unit in enumerate(torch.eye(2).double() * 1e-4):
            ends = [gp_predict(gp, at + sign * unit)[part] for sign in (1, -1)]
            wanted[:, i] = ((ends[0] - ends[1]) / 2e-4)[:, 0].numpy()
        found = gradient_of(NAME + "predict", torch.ones(3, 1), 5, *fields, at.float(), part=part)
        slips = {"predict_not_differentiable": np.zeros((3, 2))}
        check_close(found.numpy(), wanted, "a gradient of the prediction", slips=slips, atol=2e-3)


# moment_match_gp ------------------------------------------------------------------------------------------------------


@pytest.mark.stub("moment_match_gp")
def test_moment_match_gp_worked_example() -> None:
    check_example(WORKED_EXAMPLES["moment_match_gp"], LocalSubject())


@pytest.mark.stub("moment_match_gp")
def test_moment_match_gp_is_what_samples_say() -> None:
    def at(number: int, size_in: int, size_out: int, scale: float = 1.0) -> None:
        gp, mean, cov = processes(number, size_in, size_out), drawn(size_in, seed=8), scale * covariance(size_in)
        samples = 30_000
        root = torch.linalg.cholesky(cov + 1e-12 * torch.eye(size_in))
        inputs = mean + drawn(samples, size_in, seed=9) @ root.T
        scaled = (inputs[:, None, None] - gp.inputs[None, :, None]) / gp.length_scales  # (samples, N, O, I)
        near = gp.signal_std**2 * torch.exp(-0.5 * (scaled**2).sum(dim=-1))
        f_mean = torch.einsum("sna,an->sa", near, gp.weights)
        variance = gp.signal_std**2 - torch.einsum("sna,anm,sma->sa", near, gp.inverse, near)
        f = f_mean + variance.clamp(min=0).sqrt() * drawn(samples, size_out, seed=10)
        off = inputs - inputs.mean(dim=0)
        both = torch.cat([off, f], dim=-1).T
        joint = torch.cov(both)
        wanted = f.mean(dim=0), joint[size_in:, size_in:], joint[:size_in, size_in:]
        answers = answers_of("match", *gp, mean, cov)
        unknown = variance.mean(dim=0) * (1 - torch.eye(size_out))
        slips = {
            "match_cov_on_diagonal": torch.diag(torch.diag(wanted[1])).numpy(),
            "match_unknown_everywhere": AnyOf(((wanted[1] + unknown).numpy(), (wanted[1] + unknown.T).numpy())),
        }
        for answer, right, what in zip(answers, wanted, PARTS, strict=True):
            known = slips if what == PARTS[1] and size_out > 1 else {}
            check_close(answer, right.numpy(), what, slips=known, rtol=0.0, atol=0.06)

    vary(
        lambda: at(5, 2, 3),
        again=1,
        size_one=[lambda: at(5, 1, 3), lambda: at(5, 2, 1), lambda: at(1, 2, 3), lambda: at(1, 1, 1)],
        large=[lambda: at(20, 3, 2), lambda: at(5, 2, 3, 0.01)],
    )


@pytest.mark.stub("moment_match_gp")
def test_moment_match_gp_of_a_certain_input_is_the_prediction() -> None:
    gp, mean = processes(6, 3, 2), drawn(3, seed=8)
    point, variance = gp_predict(gp, mean[None])
    wanted = point[0], torch.diag(variance[0]), torch.zeros(3, 2)
    for cov in (torch.zeros(3, 3).double(), 1e-12 * torch.eye(3).double()):
        for answer, right, what in zip(moment_match_gp(gp, mean, cov), wanted, PARTS, strict=True):
            check_close(answer.numpy(), right.numpy(), what, rtol=0.0, atol=1e-8)


@pytest.mark.stub("moment_match_gp")
def test_moment_match_gp_has_a_symmetric_positive_covariance() -> None:
    gp = processes(8, 2, 3)
    for seed in range(3):
        _, cov, _ = moment_match_gp(gp, drawn(2, seed=seed), covariance(2, seed))
        check_close(cov.numpy(), cov.T.numpy(), "its transpose", otherwise="match_not_symmetric", atol=1e-9, rtol=0.0)
        check(bool(torch.linalg.eigvalsh(cov).min() > -1e-9), "the covariance has a negative eigenvalue", "wrong_value")


@pytest.mark.stub("moment_match_gp")
def test_moment_match_gp_obeys_stein() -> None:
    """Cov[x, f] = cov d E[f] / d mean."""
    gp, mean, cov = processes(6, 3, 2), drawn(3, seed=8), covariance(3)
    slopes = [
        (moment_match_gp(gp, mean + unit, cov)[0] - moment_match_gp(gp, mean - unit, cov)[0]) / 2e-4
        for unit in torch.eye(3).double() * 1e-4
    ]
    wanted = cov @ torch.stack(slopes)
    check_close(moment_match_gp(gp, mean, cov)[2].numpy(), wanted.numpy(), PARTS[2], rtol=0.0, atol=1e-6)


@pytest.mark.stub("moment_match_gp")
def test_moment_match_gp_lets_gradients_through() -> None:
    gp, mean, cov = processes(5, 2, 2), drawn(2, seed=8), covariance(2) + 0.2 * torch.eye(2).double()
    inputs = [*gp, mean, cov]
    for part, shape in enumerate(((2,), (2, 2), (2, 2))):
        for number in (5, 6):
            direction = torch.ones_like(inputs[number])
            ends = []
            for sign in (1e-4, -1e-4):
                moved = [each + sign * direction if place == number else each for place, each in enumerate(inputs)]
                ends.append(moment_match_gp(gp, moved[5], moved[6])[part].sum())
            singles = [each.float() for each in inputs]
            found = gradient_of(NAME + "match", torch.ones(shape), number, *singles, part=part).sum()
            slips = {"match_not_differentiable": np.zeros(())}
            what = f"a gradient of {PARTS[part]}"
            wanted = float(ends[0] - ends[1]) / 2e-4
            check_close(found.numpy(), wanted, what, slips=slips, otherwise="match_slope", rtol=5e-3, atol=5e-3)


# saturating_cost ------------------------------------------------------------------------------------------------------


@pytest.mark.stub("saturating_cost")
def test_saturating_cost_worked_example() -> None:
    check_example(WORKED_EXAMPLES["saturating_cost"], LocalSubject())


@pytest.mark.stub("saturating_cost")
def test_saturating_cost_is_what_samples_say() -> None:
    def at(size: int, scale: float = 1.0) -> None:
        mean, target, weight = drawn(size), drawn(size, seed=1), covariance(size, seed=2)
        cov = scale * covariance(size, seed=3)
        root = torch.linalg.cholesky(cov + 1e-12 * torch.eye(size))
        off = mean + drawn(40_000, size, seed=4) @ root.T - target
        wanted = 1 - torch.exp(-0.5 * torch.einsum("si,ij,sj->s", off, weight, off)).mean()
        check_close(answers_of("cost", mean, cov, target, weight), wanted.numpy(), "the cost", rtol=0.0, atol=0.01)

    vary(lambda: at(3), again=1, size_one=[lambda: at(1)], large=[lambda: at(6), lambda: at(3, 20.0), lambda: at(3, 0)])


@pytest.mark.stub("saturating_cost")
def test_saturating_cost_makes_uncertainty_cheap_far_away_and_dear_at_the_target() -> None:
    target, weight = torch.zeros(2).double(), torch.eye(2).double()
    for mean, sign in ((target + 3.0, -1.0), (target, 1.0)):
        costs = [float(saturating_cost(mean, v * torch.eye(2).double(), target, weight)) for v in (0.0, 0.5, 2.0)]
        check(bool((sign * np.diff(costs) > 0).all()), "the cost changes the wrong way", "cost_of_mean")


@pytest.mark.stub("saturating_cost")
def test_saturating_cost_lets_gradients_through() -> None:
    mean, cov, target, weight = torch.full((1,), 2.0), torch.full((1, 1), 0.5), torch.zeros(1), torch.full((1, 1), 2.0)
    left = float(np.exp(-2.0) / np.sqrt(2.0))  # 1 minus the cost
    for number, wanted in ((0, np.array([2.0 * left])), (1, np.array([[-1.5 * left]]))):
        found = gradient_of(NAME + "cost", torch.ones(()), number, mean, cov, target, weight)
        slips = {"cost_not_differentiable": np.zeros_like(wanted)}
        check_close(found.numpy(), wanted, "a gradient of the cost", slips=slips, otherwise="cost_slope")


# Roll-outs of the given code ------------------------------------------------------------------------------------------


@pytest.mark.stub("moment_match_gp")
@pytest.mark.stub("saturating_cost")
def test_a_roll_out_is_improved_by_its_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    states = torch.tensor(world.START_MEAN).double() + drawn(15, 2)
    actions = drawn(15, 1, seed=1).clamp(-1.0, 1.0)
    model = fit_gp(torch.cat([states, actions], dim=-1), torch.stack([0.1 * states[:, 1], actions[:, 0]], dim=-1))
    policy = pilco.Policy(torch.zeros(2).double(), torch.ones(2).double(), generator=generator)
    start = torch.tensor(world.START_MEAN).double(), 0.01 * torch.eye(2).double()
    costs = [
        pilco.improve(model, policy, *start, num_steps=3, gradient_steps=gradient_steps) for gradient_steps in (1, 3)
    ]
    assert costs[1] < costs[0]
