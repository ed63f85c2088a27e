"""Hidden checks of the topic bayesian_networks: sampled weights, divergences, the loss per transition, soft masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.hidden_tests.graded import graded
from autograder.hidden_tests.inputs import check_left_alone
from autograder.hidden_tests.topics import bayesian_networks_oracle as oracle
from hw4.checking.answers import AnyOf, check, check_close, check_shape
from hw4.checking.subject import Kept, Subject
from hw4.checking.variations import vary

RNG = np.random.Generator
NAME = "topics.bayesian_networks."
GRADIENT = "checking.doubles.gradient_of"
E, IN, OUT, B = 3, 5, 4, 7


# sample_weights -------------------------------------------------------------------------------------------------------


def _posterior(rng: RNG, *shape: int) -> tuple[Any, Any]:
    return rng.normal(size=shape), rng.uniform(-3.0, 2.0, shape)


def _weight_slips(mean: Any, raw: Any, noise: Any) -> dict[str, Any]:
    std = oracle.softplus(raw)
    return {
        "weights_std_not_softplus": AnyOf((mean + np.exp(raw) * noise, mean + raw * noise, mean + np.abs(raw) * noise)),
        "weights_std_is_variance": AnyOf((mean + np.sqrt(std) * noise, mean + std**2 * noise)),
        "weights_mean_missing": std * noise,
        "weights_noise_missing": AnyOf(
            (mean, np.broadcast_to(mean, noise.shape), np.broadcast_to(mean + std, noise.shape))
        ),
        "weights_noise_shared": np.broadcast_to(mean + std * noise[0], noise.shape),
        "weights_noise_subtracted": mean - std * noise,
    }


def _check_weights(subject: Subject, mean: Any, raw: Any, noise: Any) -> None:
    answer = subject.call(NAME + "sample_weights", mean, raw, noise)
    wanted = oracle.weights(mean, raw, noise)
    check_close(answer, wanted, "the weights", slips=lambda: _weight_slips(mean, raw, noise))


@graded("sample_weights", weight=2)
def test_weights_are_mean_plus_std_times_noise(subject: Subject, rng: RNG) -> None:
    """Every draw is as in the equation, with its own noise."""
    vary(lambda: _check_weights(subject, *_posterior(rng, IN, OUT), rng.normal(size=(E, IN, OUT))), again=2)


@graded("sample_weights")
def test_sampled_weights_take_any_shape_and_std(subject: Subject, rng: RNG) -> None:
    """Biases, one weight, one draw, the sizes of a network, stds that are tiny or large."""

    def at(draws: int, *shape: int, raw: float | None = None) -> None:
        mean, raws = _posterior(rng, *shape)
        raws = raws if raw is None else np.full(shape, raw)
        _check_weights(subject, mean, raws, rng.normal(size=(draws, *shape)))

    vary(
        lambda: at(E, IN, OUT),
        size_one=[lambda: at(1, IN, OUT), lambda: at(E, 1), lambda: at(E, 1, OUT), lambda: at(E)],
        large=[
            lambda: at(5, 65, 64),
            lambda: at(E, 2, IN, OUT),
            lambda: at(E, IN, raw=-12.0),
            lambda: at(E, IN, raw=100.0),
        ],
    )


@graded("sample_weights", weight=2)
def test_gradients_of_sampled_weights_reach_mean_and_std(subject: Subject, rng: RNG) -> None:
    """By the mean it is 1, by the raw std the noise times the softplus's slope, summed over draws."""
    (mean, raw), noise = _posterior(rng, IN, OUT), rng.normal(size=(E, IN, OUT))
    pull = rng.normal(size=(E, IN, OUT))
    wanted = pull.sum(axis=0), (pull * noise).sum(axis=0) * oracle.sigmoid(raw)
    for number, right in enumerate(wanted):
        found = subject.call(GRADIENT, NAME + "sample_weights", pull, number, mean, raw, noise)
        slips = {"weights_not_differentiable": np.zeros((IN, OUT))}
        check_close(found, right, "a gradient of the weights", slips=slips)


@graded("sample_weights", weight=0.5, needs_another=True)
def test_sampling_weights_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Mean, raw std and noise are not changed in place."""
    (mean, raw), noise = _posterior(rng, IN, OUT), rng.normal(size=(E, IN, OUT))
    wanted = oracle.weights(mean, raw, noise)

    def ask(*kept: Kept) -> None:
        check_close(subject.call(NAME + "sample_weights", *kept), wanted, "the weights")

    check_left_alone(subject, [mean, raw, noise], ask)


# weights_kl -----------------------------------------------------------------------------------------------------------


def _prior_raw(prior_std: float) -> float:
    """What the softplus turns into this std."""
    return float(np.log(np.expm1(prior_std)))


def _kl_slips(mean: Any, raw: Any, prior: float) -> dict[str, Any]:
    right, std = oracle.kl(mean, raw, prior), oracle.softplus(raw)
    ratio = (std**2 + mean**2) / (2 * prior**2)
    terms = np.log(prior / std) + ratio - 0.5
    reversed_terms = np.log(std / prior) + (prior**2 + mean**2) / (2 * std**2) - 0.5
    return {
        "prior_kl_reversed": reversed_terms.sum(),
        "prior_kl_negated": -right,
        "prior_kl_averaged": AnyOf((terms.mean(), terms.mean(axis=0).sum(), terms.sum(axis=-1).mean())),
        "prior_kl_not_summed": AnyOf((terms, terms.sum(axis=-1), terms.sum(axis=0))),
        "prior_kl_without_half": AnyOf((2 * right, (terms + 0.5).sum(), (np.log(prior / std) + 2 * ratio - 1).sum())),
        "prior_kl_of_unit_prior": AnyOf((oracle.kl(mean, raw, 1.0), (terms - np.log(prior)).sum())),
        "prior_kl_variance_for_std": AnyOf(
            (
                (np.log(prior / std) + (std + mean**2) / (2 * prior) - 0.5).sum(),
                (np.log(prior) / 2 - np.log(std) / 2 + (std + mean**2) / (2 * prior) - 0.5).sum(),
                (np.log(prior / std) + (std**2 + mean**2) / (2 * prior) - 0.5).sum(),
            )
        ),
        "prior_kl_raw_std": AnyOf(
            (
                (np.log(prior) - raw + (np.exp(2 * raw) + mean**2) / (2 * prior**2) - 0.5).sum(),
                (np.log(prior) - np.log(np.abs(raw)) + (raw**2 + mean**2) / (2 * prior**2) - 0.5).sum(),
            )
        ),
        "prior_kl_without_mean": (terms - mean**2 / (2 * prior**2)).sum(),
        "prior_kl_logarithms_swapped": (terms + 2 * np.log(std / prior)).sum(),
    }


def _check_prior_kl(subject: Subject, mean: Any, raw: Any, prior: float, what: str = "the divergence") -> None:
    answer = subject.call(NAME + "weights_kl", mean, raw, prior)
    wanted = oracle.kl(mean, raw, prior)
    check_close(answer, wanted, what, slips=lambda: _kl_slips(mean, raw, prior), atol=1e-3)


@graded("weights_kl", weight=2)
def test_the_kl_to_the_prior_is_the_closed_form(subject: Subject, rng: RNG) -> None:
    """Minus the entropy of q plus its cross-entropy with the prior, summed over all weights."""
    vary(lambda: _check_prior_kl(subject, *_posterior(rng, IN, OUT), rng.uniform(0.3, 2.0)), again=2)


@graded("weights_kl", weight=2)
def test_the_kl_to_the_prior_is_zero_at_the_prior_and_has_no_slope_there(subject: Subject, rng: RNG) -> None:
    """Mean 0 and the prior's std: 0, with gradients 0. Any other mean or std is further away."""
    prior = rng.uniform(0.4, 1.5)
    mean, raw = np.zeros((IN, OUT)), np.full((IN, OUT), _prior_raw(prior))
    _check_prior_kl(subject, mean, raw, prior, "the divergence of the prior from itself")
    for number in (0, 1):
        found = subject.call(GRADIENT, NAME + "weights_kl", np.ones(()), number, mean, raw, prior)
        check_close(found, np.zeros((IN, OUT)), "the gradient at the prior", otherwise="prior_kl_slope", atol=1e-3)
    for other_mean, other_raw in ((mean + 0.2, raw), (mean, raw + 0.5), (mean, raw - 0.5)):
        _check_prior_kl(subject, other_mean, other_raw, prior)


@graded("weights_kl", weight=2)
def test_gradients_of_the_kl_to_the_prior_are_right(subject: Subject, rng: RNG) -> None:
    """By the mean it pulls to 0, by the raw std to the prior's std."""
    (mean, raw), prior = _posterior(rng, IN, OUT), rng.uniform(0.3, 1.5)
    for number, right in enumerate(oracle.kl_gradients(mean, raw, prior)):
        found = subject.call(GRADIENT, NAME + "weights_kl", np.ones(()), number, mean, raw, prior)
        slips = {"prior_kl_not_differentiable": np.zeros((IN, OUT))}
        check_close(found, right, "a gradient of the divergence", slips=slips, otherwise="prior_kl_slope")


@graded("weights_kl")
def test_the_kl_to_the_prior_of_any_shape_and_std(subject: Subject, rng: RNG) -> None:
    """One weight, a vector, several axes, a whole layer, and stds that are almost 0 or large."""

    def at(*shape: int, raw: float | None = None) -> None:
        mean, raws = _posterior(rng, *shape)
        _check_prior_kl(subject, mean, raws if raw is None else np.full(shape, raw), rng.uniform(0.1, 2.0))

    vary(
        lambda: at(IN, OUT),
        size_one=[lambda: at(), lambda: at(1), lambda: at(IN, 1)],
        large=[lambda: at(65, 64), lambda: at(2, IN, OUT), lambda: at(IN, raw=-50.0), lambda: at(IN, raw=30.0)],
    )


@graded("weights_kl", weight=0.5, needs_another=True)
def test_the_kl_to_the_prior_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Mean and raw std are not changed in place."""
    mean, raw = _posterior(rng, IN, OUT)
    wanted = oracle.kl(mean, raw, 0.7)

    def ask(*kept: Kept) -> None:
        check_close(subject.call(NAME + "weights_kl", *kept, 0.7), wanted, "the divergence", atol=1e-3)

    check_left_alone(subject, [mean, raw], ask)


# variational_loss -----------------------------------------------------------------------------------------------------


def _loss_slips(nll: Any, kl: float, number: int) -> dict[str, Any]:
    mean, size = nll.mean(axis=-1), nll.shape[-1]
    return {
        "loss_kl_by_batch": AnyOf((mean + kl / size, mean + kl * size / number)),
        "loss_kl_not_scaled": AnyOf((mean + kl, nll.sum(axis=-1) + kl)),
        "loss_times_data": number * mean + kl,
        "loss_terms_summed": AnyOf((nll.sum(axis=-1) + kl / number, nll.sum(axis=-1) + kl * size / number)),
        "loss_kl_subtracted": mean - kl / number,
        "loss_kl_missing": mean,
        "loss_over_all": AnyOf((nll.mean() + kl / number, nll.sum() + kl / number)),
        "loss_kl_by_draws": AnyOf(
            (mean + kl / number / max(1, mean.size), mean + kl * mean.size / number)
            if mean.size > 1
            else (mean + 2 * kl / number,)
        ),
    }


def _check_loss(subject: Subject, nll: Any, kl: float, number: int) -> None:
    answer = subject.call(NAME + "variational_loss", nll, np.array(kl), number)
    wanted = oracle.loss(nll, kl, number)
    check_close(answer, wanted, "the loss", slips=lambda: _loss_slips(nll, kl, number))


def _loss_inputs(rng: RNG, *shape: int) -> tuple[Any, float, int]:
    return rng.normal(1.0, 2.0, shape), float(rng.uniform(50.0, 150.0)), int(rng.integers(11, 60))


@graded("variational_loss", weight=2)
def test_the_kl_counts_once_for_all_the_data(subject: Subject, rng: RNG) -> None:
    """The mean over the minibatch plus KL / N, for each function drawn."""
    vary(lambda: _check_loss(subject, *_loss_inputs(rng, E, B)), again=2)


@graded("variational_loss", weight=2)
def test_minibatches_of_any_size_estimate_the_same_loss(subject: Subject, rng: RNG) -> None:
    """Averaged over the pieces of a data set, the loss is the bound over N, whatever the size of the pieces."""
    nll, kl = rng.normal(1.0, 2.0, (E, 24)), float(rng.uniform(20.0, 80.0))
    wanted = (nll.sum(axis=-1) + kl) / 24
    for size in (24, 8, 3, 1):
        pieces = np.split(nll, 24 // size, axis=-1)
        answers = [subject.call(NAME + "variational_loss", piece, np.array(kl), 24) for piece in pieces]
        for answer in answers:
            check_shape(answer, (E,), "the loss")
        check_close(np.mean(answers, axis=0), wanted, "the mean over minibatches", otherwise="loss_kl_by_batch")


@graded("variational_loss")
def test_the_loss_takes_any_leading_axes(subject: Subject, rng: RNG) -> None:
    """No leading axis, one function, one transition, several axes, much data."""

    def at(*shape: int) -> None:
        _check_loss(subject, *_loss_inputs(rng, *shape))

    vary(
        lambda: at(E, B),
        size_one=[lambda: at(B), lambda: at(1, B), lambda: at(E, 1), lambda: at(1)],
        large=[
            lambda: at(5, 128),
            lambda: at(2, E, B),
            lambda: _check_loss(subject, rng.normal(size=(E, B)), 3e4, 9000),
        ],
    )


@graded("variational_loss")
def test_gradients_of_the_loss_reach_both_parts(subject: Subject, rng: RNG) -> None:
    """Of each transition's nll it is 1/B, of the divergence 1/N for every function."""
    nll, kl, number = _loss_inputs(rng, E, B)
    pull = rng.normal(size=E)
    for place, right in enumerate((np.repeat(pull[:, None] / B, B, axis=1), np.array(pull.sum() / number))):
        found = subject.call(GRADIENT, NAME + "variational_loss", pull, place, nll, np.array(kl), number)
        slips = {"loss_not_differentiable": np.zeros_like(right)}
        check_close(found, right, "a gradient of the loss", slips=slips)


@graded("variational_loss", weight=0.5, needs_another=True)
def test_the_loss_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Neither part is changed in place."""
    nll, kl, number = _loss_inputs(rng, E, B)
    wanted = oracle.loss(nll, kl, number)

    def ask(*kept: Kept) -> None:
        check_close(subject.call(NAME + "variational_loss", *kept, number), wanted, "the loss")

    check_left_alone(subject, [nll, np.array(kl)], ask)


# concrete_mask --------------------------------------------------------------------------------------------------------


def _mask_inputs(rng: RNG, *shape: int) -> tuple[Any, Any, float]:
    return np.array(rng.uniform(-2.0, 2.0)), rng.uniform(0.02, 0.98, shape), float(rng.uniform(0.3, 1.2))


def _mask_slips(logit: Any, u: Any, temperature: float) -> dict[str, Any]:
    logit = float(logit)
    keep, noise = float(oracle.sigmoid(-logit)), np.log(u) - np.log(1 - u)
    dropped = oracle.sigmoid((logit + noise) / temperature)
    return {
        "mask_not_rescaled": 1 - dropped,
        "mask_is_what_drops": AnyOf((dropped, dropped / keep, dropped / (1 - keep))),
        "mask_rescaled_by_p": AnyOf(((1 - dropped) / (1 - keep), (1 - dropped) * keep)),
        "mask_probability_for_logit": AnyOf(
            tuple(
                (1 - oracle.sigmoid((p + noise) / temperature)) / scale
                for p in (1 - keep, np.log(1 - keep))
                for scale in (keep, 1.0)
            )
        ),
        "mask_temperature_ignored": AnyOf(
            (
                (1 - oracle.sigmoid(logit + noise)) / keep,
                (1 - oracle.sigmoid((logit + noise) * temperature)) / keep,
                (1 - oracle.sigmoid(logit / temperature + noise)) / keep,
                (1 - oracle.sigmoid(logit + noise / temperature)) / keep,
            )
        ),
        "mask_noise_missing": AnyOf(
            (
                np.broadcast_to((1 - oracle.sigmoid(logit / temperature)) / keep, np.shape(u)),
                (1 - oracle.sigmoid((logit + np.log(u)) / temperature)) / keep,
                (1 - oracle.sigmoid((logit + u) / temperature)) / keep,
            )
        ),
        "mask_noise_turned": (1 - oracle.sigmoid((logit - noise) / temperature)) / keep,
        "mask_is_hard": AnyOf(((u < keep) / keep, (u > 1 - keep) / keep)),
    }


def _check_mask(subject: Subject, logit: Any, u: Any, temperature: float) -> Any:
    answer = subject.call(NAME + "concrete_mask", logit, u, temperature)
    wanted = oracle.mask(float(logit), u, temperature)
    check_close(answer, wanted, "the mask", slips=lambda: _mask_slips(logit, u, temperature), rtol=2e-3, atol=2e-4)
    return answer


@graded("concrete_mask", weight=2)
def test_a_mask_is_as_in_the_equation(subject: Subject, rng: RNG) -> None:
    """Soft at a temperature above 0, one number a unit."""
    vary(lambda: _check_mask(subject, *_mask_inputs(rng, B, IN)), again=2)


@graded("concrete_mask", weight=2)
def test_a_cold_mask_is_that_of_plain_dropout_and_has_the_mean_one(subject: Subject, rng: RNG) -> None:
    """At temperature 0.001 a unit is dropped with probability p, and else divided by 1 - p; warm, the mean is off."""
    u = (rng.permutation(1000) + 0.5) / 1000  # every thousandth once: the share below any p is p
    for p in (0.1, 0.25, 0.6):
        logit = np.array(np.log(p / (1 - p)))
        cold = _check_mask(subject, logit, u, 1e-3)
        check(abs(float((cold < 0.5 / (1 - p)).mean()) - p) < 2e-3, "units are not dropped with p", "mask_share")
        check_close(float(np.mean(cold)), 1.0, "the mean of a cold mask", otherwise="mask_not_rescaled", atol=5e-3)
        warm = _check_mask(subject, logit, u, 0.5)
        check_close(float(np.mean(warm)), oracle.mask(float(logit), u, 0.5).mean(), "the mean of a warm mask")


@graded("concrete_mask", weight=2)
def test_a_mask_has_a_gradient_in_the_probability(subject: Subject, rng: RNG) -> None:
    """Both through what is dropped and through the division by 1 - p."""
    logit, u, temperature = _mask_inputs(rng, B)
    pull, step = rng.normal(size=B), 1e-5
    ends = [oracle.mask(float(logit) + sign * step, u, temperature) for sign in (1, -1)]
    wanted = np.array((pull * (ends[0] - ends[1])).sum() / (2 * step))
    found = subject.call(GRADIENT, NAME + "concrete_mask", pull, 0, logit, u, temperature)
    keep, dropped = oracle.sigmoid(-logit), 1 - oracle.mask(float(logit), u, temperature) * oracle.sigmoid(-logit)
    through = -(pull * dropped * (1 - dropped)).sum() / temperature / keep
    slips = {"mask_not_differentiable": AnyOf((np.zeros(()), through, wanted - through))}
    check_close(found, wanted, "the gradient of the mask", slips=slips, rtol=5e-3, atol=1e-3)


@graded("concrete_mask")
def test_masks_of_any_shape_and_probability(subject: Subject, rng: RNG) -> None:
    """One unit, the masks of a minibatch, probabilities near 0 and near 1."""

    def at(*shape: int, logit: float | None = None) -> None:
        drawn, u, temperature = _mask_inputs(rng, *shape)
        _check_mask(subject, drawn if logit is None else np.array(logit), u, temperature)

    vary(
        lambda: at(B, IN),
        size_one=[lambda: at(), lambda: at(1), lambda: at(B, 1)],
        large=[lambda: at(5, 128, 32), lambda: at(B, logit=-15.0), lambda: at(B, logit=15.0)],
    )


@graded("concrete_mask", weight=0.5, needs_another=True)
def test_a_mask_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Logit and uniform draws are not changed in place."""
    logit, u, temperature = _mask_inputs(rng, B, IN)
    wanted = oracle.mask(float(logit), u, temperature)

    def ask(*kept: Kept) -> None:
        check_close(subject.call(NAME + "concrete_mask", *kept, temperature), wanted, "the mask", rtol=2e-3)

    check_left_alone(subject, [logit, u], ask)


# dropout_regularizer --------------------------------------------------------------------------------------------------


def _layer(rng: RNG, i: int, o: int) -> tuple[Any, Any, float]:
    return rng.normal(size=(i, o)), np.array(rng.choice([-1, 1]) * rng.uniform(0.4, 2.0)), float(rng.uniform(0.4, 1.6))


def _regularizer_slips(weight: Any, logit: Any, scale: float) -> dict[str, Any]:
    logit, squares = float(logit), float((weight**2).sum())
    right, h = oracle.regularizer(weight, logit, scale), oracle.entropy(logit)
    keep, (i, o) = float(oracle.sigmoid(-logit)), weight.shape
    pull = scale**2 * squares / (2 * keep)
    return {
        "dropout_entropy_added": pull + i * h,
        "dropout_entropy_missing": pull,
        "dropout_entropy_once": AnyOf((pull - h, pull - o * h, pull - i * o * h)),
        "dropout_entropy_in_bits": pull - i * h / np.log(2),
        "dropout_entropy_incomplete": AnyOf((pull + i * (1 - keep) * np.log(1 - keep), pull + i * keep * np.log(keep))),
        "dropout_weights_of_the_wrong_share": AnyOf(
            tuple(
                scale**2 * squares / 2 * share - i * h for share in (1.0, keep, 1 - keep, 1 / (1 - keep), 1 / keep**2)
            )
        ),
        "dropout_length_scale": AnyOf(
            tuple(factor * squares / (2 * keep) - i * h for factor in (scale, 1.0, 1 / scale, 1 / scale**2))
        ),
        "dropout_without_half": 2 * pull - i * h,
        "dropout_weights_averaged": AnyOf((pull / (i * o) - i * h, pull / i - i * h, pull / o - i * h)),
        "dropout_weights_not_squared": AnyOf(
            tuple(
                scale**2 * size / (2 * keep) - i * h
                for size in (float(np.abs(weight).sum()), float(np.sqrt(squares)), float(weight.sum()))
            )
        ),
        "dropout_negated": -right,
    }


def _check_regularizer(subject: Subject, weight: Any, logit: Any, scale: float) -> None:
    answer = subject.call(NAME + "dropout_regularizer", weight, logit, scale)
    wanted = oracle.regularizer(weight, float(logit), scale)
    check_close(answer, wanted, "the regulariser", slips=lambda: _regularizer_slips(weight, logit, scale))


@graded("dropout_regularizer", weight=2)
def test_dropped_weights_cost_their_squares_less_the_entropy(subject: Subject, rng: RNG) -> None:
    """The weights as they are used, and the entropy of one coin for each input."""
    vary(lambda: _check_regularizer(subject, *_layer(rng, IN, OUT)), again=2)


@graded("dropout_regularizer", weight=2)
def test_without_weights_only_the_entropy_is_left(subject: Subject, rng: RNG) -> None:
    """It is lowest at p = 1/2, where it is I log 2 below 0 and has no slope; to both sides it pulls back."""
    weight, scale = np.zeros((IN, OUT)), float(rng.uniform(0.5, 2.0))
    for logit in (np.array(0.0), np.array(1.3), np.array(-1.3)):
        _check_regularizer(subject, weight, logit, scale)
        found = subject.call(GRADIENT, NAME + "dropout_regularizer", np.ones(()), 1, weight, logit, scale)
        right = oracle.regularizer_slope(weight, float(logit), scale)
        check_close(found, right, "the slope of the entropy", otherwise="dropout_slope")


@graded("dropout_regularizer", weight=2)
def test_gradients_of_the_dropout_regularizer_are_right(subject: Subject, rng: RNG) -> None:
    """By the weights it shrinks them, by the logit it weighs the weights against the entropy."""
    weight, logit, scale = _layer(rng, IN, OUT)
    keep = float(oracle.sigmoid(-logit))
    wanted = (scale**2 * weight / keep, np.array(oracle.regularizer_slope(weight, float(logit), scale)))
    for number, right in enumerate(wanted):
        found = subject.call(GRADIENT, NAME + "dropout_regularizer", np.ones(()), number, weight, logit, scale)
        slips = {"dropout_not_differentiable": np.zeros_like(right)}
        check_close(found, right, "a gradient of the regulariser", slips=slips, otherwise="dropout_slope")


@graded("dropout_regularizer")
def test_the_dropout_regularizer_of_any_layer_and_probability(subject: Subject, rng: RNG) -> None:
    """One input, one output, a whole layer, probabilities so near 0 or 1 that p rounds to it."""

    def at(i: int, o: int, logit: float | None = None) -> None:
        weight, drawn, scale = _layer(rng, i, o)
        _check_regularizer(subject, weight, drawn if logit is None else np.array(logit), scale)

    vary(
        lambda: at(IN, OUT),
        size_one=[lambda: at(1, OUT), lambda: at(IN, 1), lambda: at(1, 1)],
        large=[lambda: at(64, 10), lambda: at(IN, OUT, -15.0), lambda: at(IN, OUT, 15.0)],
    )


@graded("dropout_regularizer", weight=0.5, needs_another=True)
def test_the_dropout_regularizer_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Weights and logit are not changed in place."""
    weight, logit, scale = _layer(rng, IN, OUT)
    wanted = oracle.regularizer(weight, float(logit), scale)

    def ask(*kept: Kept) -> None:
        check_close(subject.call(NAME + "dropout_regularizer", *kept, scale), wanted, "the regulariser")

    check_left_alone(subject, [weight, logit], ask)
