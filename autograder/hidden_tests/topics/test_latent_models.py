"""Hidden checks of the topic latent_models: exact inference, learned beliefs, plans, an agent that sees pixels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from autograder.hidden_tests.graded import effect, graded
from autograder.hidden_tests.inputs import check_left_alone
from autograder.hidden_tests.topics import latent_models_oracle as oracle
from hw4.checking.answers import VAGUE_CAUSES, AnyOf, CheckFailed, check, check_close, check_shape
from hw4.checking.cem_trace import MAX_DRAWS
from hw4.checking.subject import Kept, Subject
from hw4.checking.variations import vary
from hw4.envs import latent_models as world

RNG = np.random.Generator
KALMAN = "topics.latent_models.kalman_step"
ELBO = "topics.latent_models.elbo"
KL = "topics.latent_models.gaussian_kl"
UPDATE = "topics.latent_models.update_belief"
ROLLOUT = "topics.latent_models.rollout_latent"
PLAN = "topics.latent_models.plan_latent"
GRADIENT = "checking.doubles.gradient_of"
B, F, M, Z, A, K = 3, 5, 4, 6, 2, 7
LOG_2PI = float(np.log(2 * np.pi))


def _parts(answer: Any, what: str, *shapes: tuple[int, ...]) -> tuple[Any, ...]:
    """The three entries of an answer, of these shapes."""
    check(answer is not None, f"{what} is None: a return statement is missing", "returns_none")
    check(isinstance(answer, tuple) and len(answer) == len(shapes), f"{what} must be three values", "wrong_shape")
    for part, shape in zip(answer, shapes, strict=True):
        check_shape(part, shape, f"a part of {what}")
    return tuple(answer)


# kalman_step ----------------------------------------------------------------------------------------------------------


def _covariance(rng: RNG, size: int, smallest: float = 0.3) -> Any:
    root = rng.normal(size=(size, size))
    return root @ root.T / size + smallest * np.eye(size)


def _system(rng: RNG, d: int, p: int) -> oracle.System:
    turn = rng.normal(size=(d, d))
    return oracle.System(
        transition=0.9 * turn / np.linalg.norm(turn, 2) + 0.2 * rng.normal(size=(d, d)),
        process_covariance=_covariance(rng, d, 0.2),
        emission=rng.normal(size=(p, d)),
        observation_covariance=_covariance(rng, p),
    )


def _kalman_inputs(rng: RNG, d: int, p: int) -> tuple[Any, Any, Any, oracle.System]:
    return rng.normal(size=d), _covariance(rng, d), rng.normal(scale=1.5, size=p), _system(rng, d, p)


def _ask_kalman(subject: Subject, mean: Any, covariance: Any, observation: Any, system: oracle.System) -> Any:
    return subject.call(KALMAN, mean, covariance, observation, **vars(system))


@np.errstate(invalid="ignore", divide="ignore")  # without its noise, a covariance is none
def _kalman_slips(mean: Any, covariance: Any, o: Any, system: oracle.System) -> list[dict[str, Any]]:
    """What known mistakes give, for each of the three answers."""
    a, q, c, r = system.transition, system.process_covariance, system.emission, system.observation_covariance
    d, p = len(mean), len(o)

    def corrected(m: Any, cov: Any, noise: Any = r) -> tuple[Any, Any, float]:
        still = oracle.System(np.eye(d), np.zeros((d, d)), c, noise)
        return oracle.kalman(m, cov, o, still)

    m_p, p_p = a @ mean, a @ covariance @ a.T + q
    new_mean, new_covariance, log_likelihood = corrected(m_p, p_p)
    e, v = o - c @ m_p, c @ p_p @ c.T + r
    gain = p_p @ c.T @ np.linalg.inv(v)
    squared, log_det = e @ np.linalg.solve(v, e), np.linalg.slogdet(v)[1]
    others = {
        "kalman_not_predicted": corrected(mean, covariance),
        "kalman_mean_not_predicted": corrected(mean, p_p),
        "kalman_covariance_not_predicted": corrected(m_p, covariance),
        "kalman_process_noise_missing": corrected(m_p, p_p - q),
        "kalman_transition_transposed": corrected(a.T @ mean, a.T @ covariance @ a + q),
        "kalman_covariance_predicted_wrongly": corrected(m_p, a @ covariance + q),
    }
    means: dict[str, Any] = {name: each[0] for name, each in others.items()}
    covariances: dict[str, Any] = {name: each[1] for name, each in others.items()}
    likelihoods: dict[str, Any] = {name: each[2] for name, each in others.items()}
    means |= {"kalman_not_corrected": m_p, "kalman_surprise_reversed": m_p - gain @ e}
    means["kalman_observation_noise_missing"] = m_p + p_p @ c.T @ np.linalg.pinv(v - r) @ e
    covariances |= {"kalman_not_corrected": p_p, "kalman_covariance_grows": p_p + gain @ c @ p_p}
    after = o - c @ new_mean
    likelihoods |= {
        "likelihood_without_constant": log_likelihood + 0.5 * p * LOG_2PI,
        "likelihood_without_determinant": log_likelihood + 0.5 * log_det,
        "likelihood_determinant_sign": log_likelihood + log_det,
        "likelihood_negated": -log_likelihood,
        "likelihood_without_half": 2 * log_likelihood,
        "likelihood_is_no_logarithm": np.exp(log_likelihood),
        "likelihood_after_correction": AnyOf(
            (
                -0.5 * (after @ np.linalg.solve(v, after) + log_det + p * LOG_2PI),
                oracle.log_density(o, c @ new_mean, c @ new_covariance @ c.T + r),
            )
        ),
        "kalman_observation_noise_missing": oracle.log_density(o, c @ m_p, v - r + 1e-12 * np.eye(p))
        if p <= d
        else np.nan,
        "likelihood_without_inverse": -0.5 * (e @ v @ e + log_det + p * LOG_2PI),
        "likelihood_mean_of_entries": -0.5 * (squared / p + log_det + p * LOG_2PI),
    }
    del new_covariance
    return [means, covariances, likelihoods]


def _check_kalman(subject: Subject, inputs: tuple[Any, Any, Any, oracle.System], what: str = "the belief") -> Any:
    d = len(inputs[0])
    answer = _parts(_ask_kalman(subject, *inputs), what, (d,), (d, d), ())
    slips: list[dict[str, Any]] = []

    def of(number: int) -> dict[str, Any]:
        slips.extend([] if slips else _kalman_slips(*inputs))
        return slips[number]

    names = (f"the mean of {what}", f"the covariance of {what}", "the log likelihood")
    for i, (part, wanted) in enumerate(zip(answer, oracle.kalman(*inputs), strict=True)):
        check_close(part, wanted, names[i], slips=partial(of, i))
    return answer


@graded("kalman_step", weight=2)
def test_a_step_predicts_and_corrects(subject: Subject, rng: RNG) -> None:
    """The belief is the exact one of a linear-Gaussian model, given what was believed and what is observed."""
    vary(lambda: _check_kalman(subject, _kalman_inputs(rng, 3, 2)), again=2)


@graded("kalman_step", weight=2)
def test_log_likelihoods_of_steps_add_up_to_that_of_the_sequence(subject: Subject, rng: RNG) -> None:
    """Filtered step by step, the log likelihoods sum to the log density of all observations together."""
    d, p, length = 2, 1, 6
    mean, covariance, _, system = _kalman_inputs(rng, d, p)
    observations = rng.normal(scale=1.5, size=(length, p))
    maps = [np.linalg.matrix_power(system.transition, t) for t in range(length + 1)]
    c, r = system.emission, system.observation_covariance
    means = np.concatenate([c @ maps[t + 1] @ mean for t in range(length)])
    spread = [maps[t] @ covariance @ maps[t].T for t in range(length + 1)]
    for t in range(1, length + 1):  # of z_t
        spread[t] = system.transition @ spread[t - 1] @ system.transition.T + system.process_covariance
    whole = np.zeros((length * p, length * p))
    for s in range(length):
        for t in range(s, length):
            block = c @ maps[t - s] @ spread[s + 1] @ c.T + (r if s == t else 0.0)
            whole[t * p : (t + 1) * p, s * p : (s + 1) * p] = block
            whole[s * p : (s + 1) * p, t * p : (t + 1) * p] = block.T
    total = 0.0
    for observation in observations:
        mean, covariance, one = _check_kalman(subject, (mean, covariance, observation, system))
        total += float(one)
    wanted = oracle.log_density(observations.ravel(), means, whole)
    check_close(total, wanted, "the log likelihood of a sequence", atol=2e-3)


@graded("kalman_step")
def test_a_step_with_sure_and_useless_observations(subject: Subject, rng: RNG) -> None:
    """An observation of next to no noise is believed, one of huge noise changes nothing; Q may be 0."""
    mean, covariance, _, system = _kalman_inputs(rng, 2, 2)
    turn = np.linalg.qr(system.transition)[0]
    quiet = oracle.System(turn, np.zeros((2, 2)), np.eye(2), 1e-4 * np.eye(2))
    observation = rng.normal(size=2)
    answer = _check_kalman(subject, (mean, covariance, observation, quiet))
    check_close(answer[0], observation, "the mean after an observation of next to no noise", rtol=0.01, atol=0.01)
    loud = oracle.System(turn, np.zeros((2, 2)), np.eye(2), 1e6 * np.eye(2))
    answer = _check_kalman(subject, (mean, covariance, observation, loud))
    check_close(answer[0], turn @ mean, "the mean after a useless observation", atol=1e-3)


@graded("kalman_step")
def test_a_step_of_any_size(subject: Subject, rng: RNG) -> None:
    """One state, one observation, more observations than states, and many of both."""

    def at(d: int, p: int) -> None:
        _check_kalman(subject, _kalman_inputs(rng, d, p))

    vary(
        lambda: at(3, 2),
        size_one=[lambda: at(1, 1), lambda: at(1, 2), lambda: at(3, 1)],
        large=[lambda: at(2, 4), lambda: at(6, 5)],
    )


@graded("kalman_step", weight=0.5, needs_another=True)
def test_a_step_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Belief, observation and model are not changed in place."""
    mean, covariance, observation, system = _kalman_inputs(rng, 3, 2)
    wanted = oracle.kalman(mean, covariance, observation, system)

    def ask(*kept: Kept) -> None:
        answer = subject.call(KALMAN, *kept[:3], **dict(zip(vars(system), kept[3:], strict=True)))
        for part, right in zip(_parts(answer, "the belief", (3,), (3, 3), ()), wanted, strict=True):
            check_close(part, right, "the belief")

    check_left_alone(subject, [mean, covariance, observation, *vars(system).values()], ask)


# elbo -----------------------------------------------------------------------------------------------------------------

NAMES_OF_MODEL = ("prior_mean", "prior_covariance", "emission", "observation_covariance")


def _bound_inputs(rng: RNG, n: int, p: int) -> list[Any]:
    """Mean and covariance of q, observation, and the model: prior mean and covariance, emission and noise."""
    belief = [rng.normal(size=n), _covariance(rng, n)]
    model = [rng.normal(size=n), _covariance(rng, n), rng.normal(size=(p, n)), _covariance(rng, p)]
    return [*belief, rng.normal(scale=1.5, size=p), *model]


def _ask_elbo(subject: Subject, *inputs: Any) -> Any:
    return subject.call(ELBO, *inputs[:3], **dict(zip(NAMES_OF_MODEL, inputs[3:], strict=True)))


def _bound_slips(*inputs: Any) -> dict[str, Any]:
    """What known mistakes give."""
    m, s, o, m_0, p_0, c, r = inputs
    bound = oracle.elbo(*inputs)
    divergence = -(bound.prior + bound.entropy)
    back = oracle.elbo(m_0, p_0, o, m, s, c, r)
    reversed_divergence = -(back.prior + back.entropy)
    n, p = len(m), len(o)
    through = float(np.trace(np.linalg.solve(r, c @ s @ c.T)))
    return {
        "elbo_divergence_added": bound.likelihood + divergence,
        "elbo_divergence_reversed": bound.likelihood - reversed_divergence,
        "elbo_divergence_missing": bound.likelihood,
        "elbo_at_the_mean": bound.value + 0.5 * through,
        "elbo_without_constant": AnyOf(
            (
                bound.value + 0.5 * p * LOG_2PI,
                bound.value + 0.5 * p * LOG_2PI + 0.5 * np.linalg.slogdet(r)[1],
                bound.value + 0.5 * np.linalg.slogdet(r)[1],
            )
        ),
        "elbo_dimension_missing": AnyOf((bound.value - 0.5 * n, bound.value + 0.5 * n)),
        "elbo_determinants_swapped": bound.value + np.linalg.slogdet(p_0)[1] - np.linalg.slogdet(s)[1],
        "elbo_determinants_missing": bound.value + 0.5 * (np.linalg.slogdet(p_0)[1] - np.linalg.slogdet(s)[1]),
        "elbo_negated": -bound.value,
        "elbo_is_the_evidence": oracle.evidence(o, m_0, p_0, c, r),
        "elbo_without_shift": bound.value + 0.5 * float((m - m_0) @ np.linalg.solve(p_0, m - m_0)),
    }


def _check_elbo(subject: Subject, inputs: list[Any], what: str = "the bound") -> Any:
    answer = _ask_elbo(subject, *inputs)
    wanted = oracle.elbo(*inputs).value
    check_close(answer, wanted, what, slips=lambda: _bound_slips(*inputs), atol=2e-3)
    return answer


@graded("elbo", weight=2)
def test_the_bound_is_the_expected_likelihood_minus_the_divergence(subject: Subject, rng: RNG) -> None:
    """For any Gaussian belief: how well it explains the observation, less how far it is from the prior."""
    vary(lambda: _check_elbo(subject, _bound_inputs(rng, 4, 3)), again=2)


@graded("elbo", weight=2)
def test_only_the_exact_posterior_makes_the_bound_tight(subject: Subject, rng: RNG) -> None:
    """With p(z | o) the bound is log p(o); with a shifted, wider, narrower or mean-field belief it is lower."""
    for n, p in ((3, 2), (2, 1), (5, 4)):
        _, _, o, *model = _bound_inputs(rng, n, p)
        evidence = oracle.evidence(o, *model)
        mean, covariance = oracle.exact_posterior(o, *model)
        exact = _check_elbo(subject, [mean, covariance, o, *model], "the bound of the exact posterior")
        check_close(exact, evidence, "the bound of the exact posterior", atol=2e-3)
        mean_field = np.diag(1.0 / np.diag(np.linalg.inv(covariance)))
        for other in ((mean + 0.5, covariance), (mean, 2 * covariance), (mean, 0.5 * covariance), (mean, mean_field)):
            answer = _check_elbo(subject, [*other, o, *model], "the bound of another belief")
            check(float(answer) < evidence, "the bound of another belief is not below log p(o)", "elbo_is_the_evidence")


@graded("elbo")
def test_the_bound_of_any_size(subject: Subject, rng: RNG) -> None:
    """One state, one observation, the states of many steps one after another."""

    def at(n: int, p: int) -> None:
        _check_elbo(subject, _bound_inputs(rng, n, p))

    vary(
        lambda: at(4, 3),
        size_one=[lambda: at(1, 1), lambda: at(1, 2), lambda: at(3, 1)],
        large=[lambda: at(12, 6), lambda: at(2, 5)],
    )


@graded("elbo", weight=0.5, needs_another=True)
def test_the_bound_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Belief, observation and model are not changed in place."""
    inputs = _bound_inputs(rng, 3, 2)
    wanted = oracle.elbo(*inputs).value
    check_left_alone(
        subject, inputs, lambda *kept: check_close(_ask_elbo(subject, *kept), wanted, "the bound", atol=2e-3)
    )


# gaussian_kl ----------------------------------------------------------------------------------------------------------


def _gaussians(rng: RNG, *shape: int) -> list[Any]:
    """Mean and log variance of q and of p."""
    return [
        rng.normal(size=shape),
        rng.uniform(-1.5, 1.0, shape),
        rng.normal(size=shape),
        rng.uniform(-1.0, 1.5, shape),
    ]


def _kl_slips(m: Any, lv: Any, om: Any, olv: Any) -> dict[str, Any]:
    """What known mistakes give."""
    right = oracle.kl(m, lv, om, olv)
    size = m.shape[-1]
    shift = (m - om) ** 2
    terms = olv - lv + (np.exp(lv) + shift) / np.exp(olv) - 1.0
    return {
        "kl_reversed": oracle.kl(om, np.broadcast_to(olv, m.shape), m, lv),
        "kl_negated": -right,
        "kl_without_half": 2 * right,
        "kl_without_one": right + 0.5 * size,
        "kl_mean_for_sum": right / size,
        "kl_summed_over_all": AnyOf((right.sum(), right.mean(), 0.5 * terms.sum(axis=0))),
        "kl_not_summed": 0.5 * terms,
        "kl_log_variance_is_not_variance": 0.5 * (olv - lv + (lv + shift) / olv - 1.0).sum(axis=-1),
        "kl_std_for_variance": AnyOf(
            (oracle.kl(m, lv / 2, om, olv / 2), oracle.kl(m, 2 * lv, om, 2 * olv))  # log std taken for log variance
        ),
        "kl_without_shift": 0.5 * (terms - shift / np.exp(olv)).sum(axis=-1),
        "kl_shift_not_scaled": 0.5 * (terms - shift / np.exp(olv) + shift).sum(axis=-1),
        "kl_shift_not_squared": 0.5 * (terms + (m - om - shift) / np.exp(olv)).sum(axis=-1),
        "kl_logarithms_swapped": 0.5 * (terms + 2 * (lv - olv)).sum(axis=-1),
    }


def _check_kl(subject: Subject, inputs: list[Any], what: str = "the divergence") -> Any:
    answer = subject.call(KL, *inputs)
    check_close(answer, oracle.kl(*inputs), what, slips=lambda: _kl_slips(*inputs))
    return answer


@graded("gaussian_kl", weight=2)
def test_the_divergence_is_that_of_diagonal_gaussians(subject: Subject, rng: RNG) -> None:
    """Mean, variance and direction as in the equation, summed over the last axis alone."""
    vary(lambda: _check_kl(subject, _gaussians(rng, B, Z)), again=2)


@graded("gaussian_kl", weight=2)
def test_the_divergence_is_zero_for_equals_and_positive_otherwise(subject: Subject, rng: RNG) -> None:
    """Two equal Gaussians are at 0, others above; and exchanged they are at another distance."""
    m, lv, om, olv = _gaussians(rng, B, Z)
    _check_kl(subject, [m, lv, m, lv], "the divergence of equal Gaussians")
    there = _check_kl(subject, [m, lv, om, olv])
    back = _check_kl(subject, [om, olv, m, lv], "the divergence the other way round")
    check(bool((there > 0).all() and (back > 0).all()), "a divergence is not positive", "kl_negated")
    check(not np.allclose(there, back), "exchanged, the divergence is the same", "kl_reversed")


@graded("gaussian_kl")
def test_the_divergence_takes_any_leading_axes_and_broadcasts(subject: Subject, rng: RNG) -> None:
    """No leading axis, several, one latent, one log variance for all, and the sizes of a training batch."""

    def at(*shape: int) -> None:
        _check_kl(subject, _gaussians(rng, *shape))

    def shared() -> None:
        m, lv, om, olv = _gaussians(rng, B, K, Z)
        _check_kl(subject, [m, lv, om, olv[0, 0]], "the divergence with one log variance for all")

    vary(
        lambda: at(B, Z),
        size_one=[lambda: at(Z), lambda: at(B, 1), lambda: at(1, Z), lambda: at(1), lambda: at(B, 1, Z)],
        large=[lambda: at(16, 13, 8), lambda: at(2, 3, 4, Z), shared],
    )


@graded("gaussian_kl", weight=0.5, needs_another=True)
def test_the_divergence_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Means and log variances are not changed in place."""
    inputs = _gaussians(rng, B, Z)
    wanted = oracle.kl(*inputs)
    check_left_alone(subject, inputs, lambda *kept: check_close(subject.call(KL, *kept), wanted, "the divergence"))


# update_belief --------------------------------------------------------------------------------------------------------


class _Filter:
    """A made-up filter: memory' = tanh([inputs, memory] U), answers = memory' V; it counts its calls."""

    def __init__(self, rng: RNG, features: int = F, actions: int = A, memory: int = M, latent: int = Z) -> None:
        self.recurrent = rng.normal(size=(features + actions + memory, memory)) / 2
        self.readout = rng.normal(size=(memory, 2 * latent))
        self.latent = latent
        self.num_remembered = self.num_read = 0

    def remember(self, inputs: Any, memory: Any) -> Any:
        self.num_remembered += 1
        return np.tanh(np.concatenate([inputs, memory], axis=-1) @ self.recurrent)

    def head(self, memory: Any) -> Any:
        self.num_read += 1
        return memory @ self.readout

    def update(self, memory: Any, features: Any, last_action: Any) -> tuple[Any, Any, Any]:
        """What is wanted, one sequence after the other."""
        rows = [np.concatenate(each) @ self.recurrent for each in zip(features, last_action, memory, strict=True)]
        new = np.tanh(np.stack(rows))
        answers = np.stack([row @ self.readout for row in new])
        return new, answers[:, : self.latent], answers[:, self.latent :]


def _belief_inputs(rng: RNG, b: int = B, f: int = F, a: int = A, m: int = M) -> list[Any]:
    return [rng.normal(size=(b, m)), rng.normal(size=(b, f)), rng.uniform(-1.0, 1.0, (b, a))]


def _belief_slips(known: _Filter, memory: Any, features: Any, last_action: Any) -> list[dict[str, Any]]:
    """What known mistakes give, for each of the three answers."""
    right = known.update(memory, features, last_action)
    swapped = np.concatenate([last_action, features], axis=-1)
    f = features.shape[1]
    old = memory @ known.readout
    others = {
        "belief_order": known.update(memory, swapped[:, :f], swapped[:, f:]),
        "belief_without_features": known.update(memory, 0 * features, last_action),
        "belief_without_action": known.update(memory, features, 0 * last_action),
        "belief_without_memory": known.update(0 * memory, features, last_action),
    }
    slips = [{name: each[i] for name, each in others.items()} for i in range(3)]
    slips[0]["belief_memory_not_new"] = memory
    slips[1] |= {"belief_swapped": right[2], "belief_of_old_memory": old[:, : known.latent]}
    slips[2] |= {
        "belief_swapped": right[1],
        "belief_of_old_memory": old[:, known.latent :],
        "belief_variance_for_its_logarithm": AnyOf((np.exp(right[2]), np.exp(0.5 * right[2]))),
        "belief_variance_clamped": AnyOf((np.maximum(right[2], 0.0), np.clip(right[2], -1.0, 1.0))),
    }
    return slips


def _check_belief(subject: Subject, known: _Filter, inputs: list[Any], what: str = "the belief") -> Any:
    b = len(inputs[0])
    known.num_remembered = known.num_read = 0
    answer = subject.call(UPDATE, known.remember, known.head, *inputs)
    calls = known.num_remembered
    once = calls == known.num_read == 1
    parts = _parts(answer, what, inputs[0].shape, (b, known.latent), (b, known.latent))
    names = ("the memory", f"the mean of {what}", f"the log variance of {what}")

    def of(number: int) -> dict[str, Any]:
        return _belief_slips(known, *inputs)[number]

    for i, (part, wanted) in enumerate(zip(parts, known.update(*inputs), strict=True)):
        check_close(part, wanted, names[i], slips=partial(of, i))
    check(
        once, f"`remember` was called {calls} times and `head` {known.num_read} times, not once", "loop_over_sequences"
    )
    return parts


@graded("update_belief", weight=2)
def test_a_belief_takes_in_what_is_seen_and_done(subject: Subject, rng: RNG) -> None:
    """Features, then the last action, go into the memory; the head reads the belief off the new memory."""
    known = _Filter(rng)
    vary(lambda: _check_belief(subject, known, _belief_inputs(rng)), again=2)


@graded("update_belief", weight=2)
def test_a_belief_carries_on_from_step_to_step(subject: Subject, rng: RNG) -> None:
    """Over several steps: what was seen first still counts, and what comes later changes nothing before it."""
    known = _Filter(rng)
    memory, *_ = _belief_inputs(rng)
    steps = [_belief_inputs(rng)[1:] for _ in range(4)]
    answers = []
    for seen_first in (steps[0], [steps[0][0] + 1.0, steps[0][1]]):
        now = memory
        for seen in (seen_first, *steps[1:]):
            now, mean, _ = _check_belief(subject, known, [now, *seen])
        answers.append(mean)
    check(not np.allclose(*answers), "what was seen first does not count any more", "belief_without_memory")


@graded("update_belief")
def test_the_gradient_reaches_what_is_seen(subject: Subject, rng: RNG) -> None:
    """How mean and log variance change with features, action and memory is known to torch, and right."""
    inputs = _belief_inputs(rng)
    recurrent, readout = rng.normal(size=(F + A + M, M)), rng.normal(size=(M, 2 * Z))
    remember = subject.call("checking.doubles.JoinedNetwork", recurrent)
    head = subject.call("checking.doubles.LinearNetwork", readout)
    weights = rng.normal(size=(B, Z))
    _parts(subject.call(UPDATE, remember, head, *inputs), "the belief", (B, M), (B, Z), (B, Z))
    for part, columns in ((1, readout[:, :Z]), (2, readout[:, Z:])):
        through = weights @ columns.T @ recurrent.T  # everything is linear here
        wanted = (through[:, F + A :], through[:, :F], through[:, F : F + A])
        for number, right in enumerate(wanted, start=2):
            gradient = subject.call(GRADIENT, UPDATE, weights, number, remember, head, *inputs, part=part)
            check_close(gradient, right, "a gradient", slips={"belief_detached": np.zeros_like(right)})


@graded("update_belief")
def test_a_belief_of_any_size(subject: Subject, rng: RNG) -> None:
    """One sequence, one feature, one latent, and the sizes of training."""

    def at(b: int, f: int, a: int, m: int, z: int) -> None:
        _check_belief(subject, _Filter(rng, f, a, m, z), _belief_inputs(rng, b, f, a, m))

    vary(
        lambda: at(B, F, A, M, Z),
        size_one=[lambda: at(1, F, A, M, Z), lambda: at(B, 1, A, M, Z), lambda: at(B, F, 1, 1, 1)],
        large=[lambda: at(16, 64, 2, 64, 8)],
    )


@graded("update_belief", weight=0.5, needs_another=True)
def test_a_belief_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Memory, features and action are not changed in place."""
    known, inputs = _Filter(rng), _belief_inputs(rng)
    wanted = known.update(*inputs)

    def ask(*kept: Kept) -> None:
        answer = subject.call(UPDATE, known.remember, known.head, *kept)
        for part, right in zip(_parts(answer, "the belief", (B, M), (B, Z), (B, Z)), wanted, strict=True):
            check_close(part, right, "the belief")

    check_left_alone(subject, inputs, ask)


# rollout_latent -------------------------------------------------------------------------------------------------------


class _Dynamics:
    """Made-up latent dynamics: z' = z + tanh([z, a] W); it notes how many sequences each call has."""

    def __init__(self, rng: RNG, z: int = Z, a: int = A) -> None:
        self.weight = rng.normal(size=(z + a, z))
        self.sizes: list[int] = []

    def step(self, latent: Any, action: Any) -> Any:
        self.sizes.append(len(latent))
        return self(latent, action)

    def __call__(self, latent: Any, action: Any) -> Any:
        return latent + np.tanh(np.concatenate([latent, action], axis=-1) @ self.weight)


def _rollout_slips(dynamics: _Dynamics, latent: Any, actions: Any) -> dict[str, Any]:
    """What known mistakes give."""
    right = oracle.rolled(dynamics, latent, actions)
    k = actions.shape[1]
    start = np.stack([latent, *(dynamics(latent, actions[:, i]) for i in range(k))], axis=1)
    late = np.concatenate([0 * actions[:, :1], actions[:, :-1]], axis=1)
    return {
        "rollout_from_start": start,
        "rollout_first_action": oracle.rolled(dynamics, latent, np.repeat(actions[:, :1], k, axis=1)),
        "rollout_last_action": oracle.rolled(dynamics, latent, np.repeat(actions[:, -1:], k, axis=1)),
        "rollout_without_actions": oracle.rolled(dynamics, latent, 0 * actions),
        "rollout_backwards": oracle.rolled(dynamics, latent, actions[:, ::-1]),
        "rollout_late": oracle.rolled(dynamics, latent, late),
        "rollout_start_missing": right[:, 1:],
        "rollout_end_missing": right[:, :-1],
        "rollout_only_end": right[:, -1],
        "rollout_time_axis": right.swapaxes(0, 1),
        "rollout_changes_only": right - np.concatenate([0 * right[:, :1], right[:, :-1]], axis=1),
    }


def _check_rollout(subject: Subject, dynamics: _Dynamics, latent: Any, actions: Any) -> Any:
    dynamics.sizes = []
    answer = subject.call(ROLLOUT, dynamics.step, latent, actions)
    wanted = oracle.rolled(dynamics, latent, actions)
    check_close(answer, wanted, "the latents", slips=lambda: _rollout_slips(dynamics, latent, actions))
    few = len(dynamics.sizes) == actions.shape[1] and set(dynamics.sizes) == {len(latent)}
    check(few, f"`step` was called with {dynamics.sizes[:9]} sequences", "loop_over_sequences")
    return answer


@graded("rollout_latent", weight=2)
def test_latents_follow_one_another(subject: Subject, rng: RNG) -> None:
    """From the given latent on, each is predicted from the one before it and that step's action."""
    dynamics = _Dynamics(rng)
    vary(lambda: _check_rollout(subject, dynamics, rng.normal(size=(B, Z)), rng.normal(size=(B, K, A))), again=2)


@graded("rollout_latent", weight=2)
def test_a_latent_depends_on_no_later_action_and_on_no_other_sequence(subject: Subject, rng: RNG) -> None:
    """Another action in the middle changes what comes after it, in its own sequence, and nothing else."""
    dynamics = _Dynamics(rng)
    latent, actions = rng.normal(size=(B, Z)), rng.normal(size=(B, K, A))
    before = _check_rollout(subject, dynamics, latent, actions)
    other = actions.copy()
    other[1, 3] += 1.0
    after = _check_rollout(subject, dynamics, latent, other)
    changed = np.abs(after - before).max(axis=2) > 1e-3
    wanted = np.zeros((B, K + 1), dtype=bool)
    wanted[1, 4:] = True
    check(bool((changed == wanted).all()), "another action changes the wrong latents", "wrong_value")


@graded("rollout_latent")
def test_the_gradient_reaches_the_first_latent(subject: Subject, rng: RNG) -> None:
    """How the last latent changes with the first, and with the first action, is known to torch, and right."""
    weight = rng.normal(size=(Z + A, Z)) / 2
    step = subject.call("checking.doubles.JoinedNetwork", weight)
    latent, actions = rng.normal(size=(B, Z)), rng.normal(size=(B, 3, A))
    weights = np.zeros((B, 4, Z))
    weights[:, 3] = rng.normal(size=(B, Z))
    after_one = weights[:, 3] @ weight[:Z].T @ weight[:Z].T
    check_shape(subject.call(ROLLOUT, step, latent, actions), (B, 4, Z), "the latents")
    gradient = subject.call(GRADIENT, ROLLOUT, weights, 1, step, latent, actions)
    slips: dict[str, Any] = {"rollout_detached": np.zeros((B, Z)), "rollout_from_start": weights[:, 3] @ weight[:Z].T}
    check_close(gradient, after_one @ weight[:Z].T, "the gradient of the first latent", slips=slips)
    wanted = np.zeros((B, 3, A))
    for k, through in enumerate((after_one, weights[:, 3] @ weight[:Z].T, weights[:, 3])):
        wanted[:, k] = through @ weight[Z:].T
    gradient = subject.call(GRADIENT, ROLLOUT, weights, 2, step, latent, actions)
    only_last = wanted * (np.arange(3) == 2)[:, None]
    slips = {"rollout_detached": AnyOf((only_last, np.zeros_like(wanted)))}
    check_close(gradient, wanted, "the gradient of the actions", slips=slips)


@graded("rollout_latent")
def test_latents_of_any_size(subject: Subject, rng: RNG) -> None:
    """One sequence, one step, one latent, no step at all, and the sizes of training and planning."""

    def at(b: int, k: int, z: int, a: int) -> None:
        _check_rollout(subject, _Dynamics(rng, z, a), rng.normal(size=(b, z)), rng.normal(size=(b, k, a)))

    def no_step() -> None:
        latent = rng.normal(size=(B, Z))
        answer = subject.call(ROLLOUT, _Dynamics(rng).step, latent, np.zeros((B, 0, A)))
        check_close(answer, latent[:, None], "the latents of no step")

    vary(
        lambda: at(B, K, Z, A),
        size_one=[lambda: at(1, K, Z, A), lambda: at(B, 1, Z, A), lambda: at(B, K, 1, 1), lambda: at(1, 1, 1, 1)],
        large=[lambda: at(112, 6, 8, 2), lambda: at(30, 15, 8, 2), no_step],
    )


@graded("rollout_latent", weight=0.5, needs_another=True)
def test_latents_leave_their_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Latent and actions are not changed in place."""
    dynamics = _Dynamics(rng)
    inputs = [rng.normal(size=(B, Z)), rng.normal(size=(B, K, A))]
    wanted = oracle.rolled(dynamics, *inputs)
    check_left_alone(
        subject, inputs, lambda *kept: check_close(subject.call(ROLLOUT, dynamics.step, *kept), wanted, "the latents")
    )


# plan_latent ----------------------------------------------------------------------------------------------------------


class _Planning:
    """Made-up latents, rewards and settings of a search, and what the search should find."""

    def __init__(self, rng: RNG, horizon: int = 4, z: int = 3, a: int = 2, population: int = 24) -> None:
        self.dynamics = _Dynamics(rng, z, a)
        self.goal, self.taste = rng.normal(size=z), rng.normal(size=a)
        self.latent = rng.normal(size=z)
        self.mean, self.std = rng.uniform(-0.2, 0.2, (horizon, a)), rng.uniform(0.4, 0.8, (horizon, a))
        self.low, self.high = np.full(a, -1.0), rng.uniform(0.5, 1.0, a)
        self.settings: dict[str, Any] = {
            "population_size": population,
            "num_iterations": 3,
            "num_elites": 5,
            "smoothing": 0.1,
            "num_kept_elites": 2,
        }
        self._seed = int(rng.integers(1 << 31))
        self.num_reward_rows = 0

    @classmethod
    def told_apart(cls, rng: RNG) -> _Planning:
        """One in which no mistake finds the right plan by chance: few candidates may have the same best ones."""
        while True:
            known = cls(rng)
            wanted, slips = known.search(), known.slips()
            found = [plan for slip in slips.values() for plan in (slip if isinstance(slip, AnyOf) else [slip])]
            if all(np.abs(plan - wanted).max() > 0.02 for plan in found):
                return known

    @property
    def inputs(self) -> list[Any]:
        return [self.latent, self.mean, self.std, self.low, self.high]

    def reward(self, latent: Any, action: Any) -> Any:
        self.num_reward_rows += int(np.prod(latent.shape[:-1]))
        return self.rewards(latent, action)

    def rewards(self, latent: Any, action: Any) -> Any:
        far = ((latent - self.goal) ** 2).sum(axis=-1)
        return np.exp(-far / 8) + 0.3 * action @ self.taste - 0.4 * (action**2).sum(axis=-1)

    def noise(self) -> Callable[[int], Any]:
        """The same draws in the same order, for each search anew."""
        rng = np.random.default_rng(self._seed)

        def noise(count: int) -> Any:
            check(0 <= count <= MAX_DRAWS, f"{count} random draws were asked for at once", "wrong_candidate_count")
            return rng.normal(size=(count, *self.mean.shape)).astype(np.float32)

        return noise

    def value(self, plans: Any, form: str = "") -> Any:
        """What plans are worth; `form` names a mistake."""
        latents = oracle.rolled(self.dynamics, np.repeat(self.latent[None], len(plans), axis=0), plans)
        if form == "plan_stays_at_the_start":
            latents = np.repeat(latents[:, :1], latents.shape[1], axis=1)
        rewards = self.rewards(latents[:, 1:] if form == "plan_rewards_late" else latents[:, :-1], plans)
        if form == "plan_first_reward":
            return rewards[:, 0]
        if form == "plan_last_reward":
            return rewards[:, -1]
        return -rewards.sum(axis=1) if form == "plan_negated" else rewards.sum(axis=1)

    def search(self, form: str = "", *, without: str = "") -> Any:
        """What the search finds; `without` names an argument that does not count."""
        mean = 0 * self.mean if without == "mean" else self.mean
        std = np.ones_like(self.std) if without == "std" else self.std
        high = np.ones_like(self.high) if without == "high" else self.high
        inputs = (mean, std, self.low, high, self.noise())
        return oracle.cem(lambda plans: self.value(plans, form), *inputs, **self.settings)

    def own_search(self, subject: Subject) -> Any:
        """The plan of the student's own cem with the right values: a slip there has checks of its own."""
        inputs = (self.mean, self.std, self.low, self.high)
        plan = subject.call("mpc.cem", self.value, *inputs, **self.settings, noise=self.noise())
        check_shape(plan, self.mean.shape, "the plan of cem")
        better = self.value(plan[None])[0] > self.value(np.clip(self.mean, self.low, self.high)[None])[0]
        check(bool(better), "cem finds no better plan than the mean it starts from", "cem_does_not_search")
        return plan

    def slips(self) -> dict[str, Any]:
        forms = (
            "plan_stays_at_the_start",
            "plan_rewards_late",
            "plan_first_reward",
            "plan_last_reward",
            "plan_negated",
        )
        slips: dict[str, Any] = {form: self.search(form) for form in forms}
        slips["plan_setting_ignored"] = AnyOf(tuple(self.search(without=name) for name in ("mean", "std", "high")))
        return slips | {"plan_not_searched": np.clip(self.mean, self.low, self.high)}


def _ask_plan(subject: Subject, known: _Planning, *inputs: Any) -> Any:
    known.dynamics.sizes, known.num_reward_rows = [], 0
    return subject.call(PLAN, known.dynamics.step, known.reward, *inputs, **known.settings, noise=known.noise())


def _check_plan(subject: Subject, known: _Planning, *inputs: Any) -> Any:
    plan = _ask_plan(subject, known, *(inputs or known.inputs))
    check_shape(plan, known.mean.shape, "the plan")
    sizes, horizon = known.dynamics.sizes, len(known.mean)
    population, iterations = known.settings["population_size"], known.settings["num_iterations"]
    if not np.allclose(plan, known.search(), rtol=1e-3, atol=1e-3):
        check_close(plan, known.own_search(subject), "the plan", slips=known.slips, atol=1e-3)
    together = set(sizes) == {population} and len(sizes) <= (horizon + 1) * iterations
    check(together, f"`step` was called {len(sizes)} times, with {sorted(set(sizes))[:4]} plans", "loop_over_sequences")
    return plan


@graded("plan_latent", weight=2)
def test_a_plan_is_worth_its_predicted_rewards(subject: Subject, rng: RNG) -> None:
    """The search finds what it finds with the true values: the sum of the rewards of each latent and action."""
    vary(lambda: _check_plan(subject, _Planning.told_apart(rng)), again=2)


@graded("plan_latent", weight=2)
def test_every_argument_of_the_search_counts(subject: Subject, rng: RNG) -> None:
    """Another mean, std, bound, number of iterations, elites or kept elites, another smoothing: another plan."""
    known = _Planning.told_apart(rng)
    _check_plan(subject, known)

    def changed(what: str) -> None:
        try:
            _check_plan(subject, known)
        except CheckFailed as failure:
            if failure.cause not in VAGUE_CAUSES:
                raise
            raise CheckFailed(f"with another {what}: {failure}", "plan_setting_ignored") from failure

    for name, value in (("num_iterations", 2), ("num_elites", 3), ("smoothing", 0.6), ("num_kept_elites", 0)):
        before = known.settings[name]
        known.settings[name] = value
        changed(name)
        known.settings[name] = before
    for name in ("mean", "std", "high", "latent"):
        before = getattr(known, name)
        setattr(known, name, 0.5 * before)
        changed(name)
        setattr(known, name, before)


@graded("plan_latent")
def test_plans_of_any_size(subject: Subject, rng: RNG) -> None:
    """One step, one action, one latent, and the sizes of the agent."""

    def at(horizon: int, z: int, a: int, population: int = 24) -> None:
        _check_plan(subject, _Planning(rng, horizon, z, a, population))

    vary(
        lambda: at(4, 3, 2),
        size_one=[lambda: at(1, 3, 2), lambda: at(4, 1, 2), lambda: at(4, 3, 1)],
        large=[lambda: at(15, 8, 2, 60)],
    )


@graded("plan_latent", weight=0.5, needs_another=True)
def test_a_plan_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Latent, mean, std and bounds are not changed in place."""
    known = _Planning.told_apart(rng)
    check_left_alone(subject, known.inputs, lambda *kept: _check_plan(subject, known, *kept))


# An agent that sees pixels --------------------------------------------------------------------------------------------


@effect("latent_return")
def return_of_a_filter(subject: Subject, rng: RNG) -> float:
    """The mean return of the last three planned episodes of a filter, with a goal and starts of its own."""
    agent = _AgentElsewhere(subject, seed=int(rng.integers(1 << 31)))
    goal = world.draw_goal(rng)
    return world.score_of(world.learn_from_pixels(agent, rng, goal=goal))


class _AgentElsewhere:
    """A submitted LatentAgent, as the loop wants one: the world stays here, frames and rewards are sent."""

    def __init__(self, subject: Subject, seed: int) -> None:
        self._subject = subject
        self._agent = subject.call("topics.latent_models.LatentAgent", seed=seed)

    def learn(self, frames: Any, actions: Any, rewards: Any) -> None:
        self._subject.call_method(self._agent, "learn", frames, actions, rewards)

    def begin_episode(self) -> None:
        self._subject.call_method(self._agent, "begin_episode")

    def act(self, frame: Any) -> Any:
        action = self._subject.call_method(self._agent, "act", frame)
        check_shape(action, (world.ACT_DIM,), "an action")
        check(bool(np.isfinite(action).all()), "an action is not finite", "not_finite")
        return action
