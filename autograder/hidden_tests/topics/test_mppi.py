"""Hidden checks of the topic MPPI: the noise filter and the weighted average."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.hidden_tests.graded import graded
from autograder.hidden_tests.inputs import check_left_alone
from autograder.hidden_tests.topics import mppi_oracle as oracle
from hw4.checking.answers import AnyOf, check, check_close, check_shape
from hw4.checking.subject import Kept, Subject
from hw4.checking.variations import repeat, vary

RNG = np.random.Generator
FILTER, UPDATE = "topics.mppi.filter_noise", "topics.mppi.mppi_update"
NUM_SEQUENCES, HORIZON, ACT_DIM = 6, 5, 2


# The filter -----------------------------------------------------------------------------------------------------------


def _recursion(noise: Any, beta: float, *, keep: float | None = None, start: Any = None) -> Any:
    """n_t = beta * u_t + keep * n_{t-1} along axis 1, not rescaled; n_0 may be given."""
    keep = 1 - beta if keep is None else keep
    current, steps = np.zeros(noise[:, 0].shape), []
    for t in range(noise.shape[1]):
        current = start if t == 0 and start is not None else beta * noise[:, t] + keep * current
        steps.append(current)
    return np.stack(steps, axis=1)


def _stds(beta: float, horizon: int) -> Any:
    """The standard deviation of each step, to divide an array of shape (..., horizon, act_dim) by."""
    return np.array([oracle.standard_deviation(beta, t) for t in range(horizon)])[:, None]


def _sample_stds(raw: Any) -> list[Any]:
    """Standard deviations that may be estimated from the noise at hand, where the known one is asked for."""
    axes: list[Any] = [axis for axis in (0, 1, (0, 2), None) if raw.shape[0] > 1 and raw.shape[1] > 1]
    own_mean = [raw.std(axis=axis, ddof=n, keepdims=True) for axis in axes for n in (0, 1)]
    return [*own_mean, np.sqrt((raw**2).mean(axis=0))]


@np.errstate(divide="ignore", invalid="ignore")  # a slip that divides by 0 is nobody's answer
def _filter_slips(noise: Any, beta: float, answer: Any = None) -> dict[str, Any]:
    """What known mistakes give, for 0 < beta < 1. `answer` is what came back."""
    horizon, keep = noise.shape[1], 1 - beta
    raw, stds = _recursion(noise, beta), _stds(beta, horizon)
    stationary = beta / np.sqrt(1 - keep**2)
    swapped, first = _recursion(noise, keep), _recursion(noise, beta, start=noise[:, 0])
    previous = np.concatenate([np.zeros_like(noise[:, :1]), noise[:, :-1]], axis=1)
    two_steps = beta * noise + keep * previous
    two_step_stds = np.where(np.arange(horizon) == 0, beta, np.hypot(beta, keep))[:, None]
    first_variances = [1.0]
    for _ in range(1, horizon):
        first_variances.append(beta**2 + keep**2 * first_variances[-1])
    across = _recursion(noise.transpose(1, 0, 2), beta).transpose(1, 0, 2)
    backwards = _recursion(noise[:, ::-1], beta)[:, ::-1]
    slips: dict[str, Any] = {
        "noise_not_rescaled": raw,
        "noise_rescaled_alike": AnyOf((raw / stationary, raw / beta, raw / stds[-1])),
        "noise_rescaled_by_sample": AnyOf(tuple(raw / spread for spread in _sample_stds(raw))),
        "std_for_variance": raw / stds**2,
        "beta_swapped": AnyOf((swapped, swapped / stds, swapped / _stds(keep, horizon))),
        "filter_forgets": AnyOf(
            (two_steps, two_steps / stds, two_steps / two_step_stds, beta * noise, beta * noise / stds, noise)
        ),
        "filter_axis": AnyOf(
            (
                across,
                across / stds,
                across / _stds(beta, len(noise))[:, None],
                backwards,
                backwards / stds,
                backwards / stds[::-1],
            )
        ),
        "filter_first_step": AnyOf((first, first / stds, first / np.sqrt(first_variances)[:, None])),
        "values_clamped": AnyOf(tuple(np.clip(raw / stds, -size, size) for size in (1.0, 1.5, 2.0, 2.5, 3.0))),
    }
    if isinstance(answer, np.ndarray) and answer.shape == raw.shape and answer.dtype.kind == "f" and raw.size > horizon:
        divisors = raw / answer
        same_at_each_step = np.abs(divisors - divisors[:1, :, :1]).max(axis=(0, 2)) < 1e-3 * np.abs(divisors[0, :, 0])
        if same_at_each_step.all():  # the filter is right, what it is divided by is not
            slips["filter_variance"] = answer
    return slips


@graded("filter_noise", weight=3)
def test_filtered_noise_is_a_running_average_of_unit_variance(subject: Subject, rng: RNG) -> None:
    """Each step mixes new noise with the filter's last value and is divided by its own standard deviation."""
    earlier: list[float] = []

    def at(beta: float, shape: tuple[int, int, int]) -> None:
        noise = rng.normal(size=shape)
        answer = subject.call(FILTER, noise, beta)
        slips = _of_earlier_calls(noise, beta, earlier) | _filter_slips(noise, beta, answer)
        check_close(answer, oracle.filtered(noise, beta), "the filtered noise", slips=slips)
        earlier.append(beta)

    vary(lambda: at(0.3, (NUM_SEQUENCES, HORIZON, ACT_DIM)), again=2)
    for beta, shape in ((0.85, (4, HORIZON, 3)), (0.1, (3, 9, 1))):
        at(beta, shape)


def _of_earlier_calls(noise: Any, beta: float, earlier: list[float]) -> dict[str, Any]:
    """What a function gives that keeps its filter, or its standard deviations, from a call with another beta."""
    horizon = noise.shape[1]
    return {
        "state_kept": AnyOf(
            (
                *(_recursion(noise, beta) / _stds(other, horizon) for other in earlier),
                *(oracle.filtered(noise, other) for other in earlier),
            )
        )
    }


@graded("filter_noise")
def test_an_impulse_of_noise_fades_and_stays_in_its_own_candidate(subject: Subject, rng: RNG) -> None:
    """Noise at one step shows at that step and, weaker and weaker, later; never earlier, never elsewhere."""
    for beta, step in ((0.2, 0), (0.6, 2)):
        candidate, action = int(rng.integers(NUM_SEQUENCES)), int(rng.integers(ACT_DIM))
        noise = np.zeros((NUM_SEQUENCES, HORIZON, ACT_DIM))
        noise[candidate, step, action] = rng.uniform(2.0, 4.0)
        answer = subject.call(FILTER, noise, beta)
        check_shape(answer, noise.shape, "the filtered noise")
        others = np.delete(answer, candidate, axis=0)
        check(bool((np.abs(others) < 1e-6).all()), "another candidate's noise changes", "filter_axis")
        check(bool((np.abs(answer[:, :step]) < 1e-6).all()), "an earlier step changes", "filter_axis")
        check_close(answer, oracle.filtered(noise, beta), "the answer to an impulse", slips=_filter_slips(noise, beta))


@graded("filter_noise", weight=2)
def test_filtered_noise_has_variance_one_at_every_step(subject: Subject, rng: RNG) -> None:
    """Independent noise of variance 1 becomes noise of variance 1 at every step, whatever beta is."""
    for beta, horizon in ((0.15, 12), (0.5, 8), (0.9, 5)):
        # Candidate k is an impulse at step k, so answer[k, t] is the weight of u_k in step t, and the variance of step
        # t is the sum of the squares of its weights.
        impulses = np.eye(horizon)[..., None] * rng.choice([-1.0, 1.0], size=(horizon, 1, 1))
        answer = subject.call(FILTER, impulses, beta)
        check_shape(answer, impulses.shape, "the filtered noise")
        raw = _stds(beta, horizon)[:, 0] ** 2
        stationary = beta**2 / (1 - (1 - beta) ** 2)
        slips = {
            "noise_not_rescaled": raw,
            "noise_rescaled_alike": AnyOf((raw / stationary, raw / beta**2, raw / raw[-1])),
            "noise_rescaled_by_sample": np.full(horizon, horizon),
            "std_for_variance": 1 / raw,
        }
        check_close((answer[..., 0] ** 2).sum(axis=0), np.ones(horizon), "the variance of each step", slips=slips)


@graded("filter_noise")
def test_beta_of_one_leaves_the_noise_as_it_is(subject: Subject, rng: RNG) -> None:
    """With beta = 1 the noise comes back as it is, also after a call with another beta."""
    noise = rng.normal(size=(4, 6, 3))
    sample_stds = [noise.std(axis=axis, ddof=n, keepdims=True) for axis in (0, 1) for n in (0, 1)]
    identity_slips = {
        "beta_swapped": np.zeros_like(noise),
        "filter_axis": AnyOf((noise[:, ::-1], noise[::-1])),
        "noise_rescaled_by_sample": AnyOf(tuple(noise / spread for spread in sample_stds)),
        **_of_earlier_calls(noise, 1.0, [0.4]),
    }
    for beta, wanted, slips in (
        (1.0, noise, identity_slips),
        (0.4, oracle.filtered(noise, 0.4), _filter_slips(noise, 0.4) | _of_earlier_calls(noise, 0.4, [1.0])),
        (1.0, noise, identity_slips),
    ):
        check_close(subject.call(FILTER, noise, beta), wanted, f"the noise with beta = {beta:g}", slips=slips)


@graded("filter_noise")
def test_filter_takes_any_size(subject: Subject, rng: RNG) -> None:
    """One candidate, one step, one action; and a horizon of hundreds of steps with a small beta."""

    def at(beta: float, *shape: int, scale: float = 1.0) -> None:
        noise = scale * rng.normal(size=shape)
        answer = subject.call(FILTER, noise, beta)
        slips = _filter_slips(noise, beta, answer)
        check_close(answer, oracle.filtered(noise, beta), f"the filtered noise of shape {shape}", slips=slips)

    vary(
        lambda: at(0.35, NUM_SEQUENCES, HORIZON, ACT_DIM),
        size_one=[lambda: at(0.35, 1, 1, 1), lambda: at(0.7, 5, 1, 3), lambda: at(0.25, 1, 4, 1)],
        large=[lambda: at(0.02, 2, 300, 1), lambda: at(0.35, 5, 6, 2, scale=9.0), lambda: at(1e-5, 5, 40, 2)],
    )


@graded("filter_noise", weight=0.5, needs_another=True)
def test_filter_leaves_the_noise_as_it_was(subject: Subject, rng: RNG) -> None:
    """The noise that goes in is not changed in place."""
    for beta in (0.45, 1.0):
        noise = rng.normal(size=(NUM_SEQUENCES, HORIZON, ACT_DIM))
        wanted = oracle.filtered(noise, beta)

        def ask(kept: Kept) -> None:
            check_close(subject.call(FILTER, kept, beta), wanted, "the filtered noise")  # noqa: B023

        check_left_alone(subject, [noise], ask)


# The weighted average -------------------------------------------------------------------------------------------------


def _standardized(returns: Any) -> list[Any]:
    spread = np.ptp(returns)
    centred = returns - returns.mean()
    return [centred / returns.std(), centred / returns.std(ddof=1), (returns - returns.min()) / spread]


@np.errstate(over="ignore", invalid="ignore")  # an exponential that overflows is one of the slips
def _update_slips(returns: Any, sequences: Any, kappa: float, answer: Any = None) -> dict[str, Any]:
    """What known mistakes give, for finite returns that are not all equal. `answer` is what came back."""
    horizon = sequences.shape[1]
    relative = np.exp(kappa * (returns - returns.max()))
    total = oracle.weighted(relative.tolist(), sequences)
    unscaled = np.exp(kappa * returns)
    over_plans = oracle.weighted([1.0] * len(returns), sequences)
    rising = np.sort(returns)
    slips = {
        "kappa_divides": oracle.plan(returns / kappa**2, sequences, kappa),
        "kappa_ignored": oracle.plan(returns, sequences, 1.0),
        "takes_smallest": AnyOf((oracle.plan(-returns, sequences, kappa), sequences[returns.argmin()])),
        "best_for_average": sequences[returns.argmax()],
        "weights_equal": over_plans / len(returns),
        "weights_not_normalized": AnyOf(
            (
                total,
                total / len(returns),
                total / relative.sum() / len(returns),
                *(oracle.weighted((unscaled / n).tolist(), sequences) for n in (1, len(returns))),
            )
        ),
        "weights_not_exponential": oracle.weighted((returns / returns.sum()).tolist(), sequences),
        "weights_axis": AnyOf((over_plans / horizon, over_plans / sequences.shape[2])),
        "returns_standardized": AnyOf(
            tuple(oracle.plan(values, sequences, kappa) for values in _standardized(returns))
        ),
        "weights_misplaced": AnyOf(tuple(oracle.plan(order, sequences, kappa) for order in (rising, rising[::-1]))),
    }
    if len(returns) > 2:
        parts = (oracle.plan(returns[part], sequences[part], kappa) for part in (slice(1, None), slice(-1)))
        slips["candidate_left_out"] = AnyOf(tuple(parts))
    wanted = oracle.plan(returns, sequences, kappa)
    if isinstance(answer, np.ndarray) and answer.shape == wanted.shape and answer.dtype.kind == "f":
        factor = float((answer * wanted).sum() / (wanted**2).sum())
        if abs(factor - 1.0) > 1e-3 and np.allclose(answer, factor * wanted, rtol=1e-3, atol=1e-4 * abs(factor)):
            slips["weights_not_normalized"] = AnyOf((answer,))  # the right plan, times a number
    return slips


def _check_plan(
    answer: Any, wanted: Any, what: str, slips: dict[str, Any] | None = None, *, not_finite: str = "softmax_overflows"
) -> None:
    """Compare a plan. `not_finite` is the likely cause of numbers that are not finite."""
    if isinstance(answer, np.ndarray) and answer.shape == wanted.shape and answer.dtype.kind == "f":
        check(bool(np.isfinite(answer).all()), f"{what} contains NaN or infinite numbers", not_finite)
    check_close(answer, wanted, what, slips=slips, rtol=1e-4, atol=2e-5)


def _candidates(rng: RNG, number: int = NUM_SEQUENCES, horizon: int = HORIZON, act_dim: int = ACT_DIM) -> Any:
    return rng.uniform(-1.0, 1.0, (number, horizon, act_dim)) + np.linspace(0.0, 2.0, number)[:, None, None]


@graded("mppi_update", weight=3)
def test_candidates_count_by_the_exponential_of_their_return(subject: Subject, rng: RNG) -> None:
    """The plan is the average of all candidates, weighted by exp(kappa * return)."""
    earlier: list[float] = []

    def at(kappa: float, *shape: int) -> None:
        sequences, returns = _candidates(rng, *shape), rng.uniform(0.5, 2.5, shape[0])
        answer = subject.call(UPDATE, returns, sequences, kappa=kappa)
        wanted = oracle.plan(returns, sequences, kappa)
        slips = _update_slips(returns, sequences, kappa, answer)
        slips["state_kept"] = AnyOf(tuple(oracle.plan(returns, sequences, other) for other in earlier))
        _check_plan(answer, wanted, "the plan", slips)
        earlier.append(kappa)

    vary(lambda: at(1.6, NUM_SEQUENCES, HORIZON, ACT_DIM), again=2)
    for kappa, shape in ((0.4, (9, 3, 4)), (3.0, (4, 6, 1)), (1.6, (5, 2, 3))):
        at(kappa, *shape)


@graded("mppi_update")
def test_weights_of_candidates_sum_to_one(subject: Subject, rng: RNG) -> None:
    """If all candidates are the same, it comes back; in any order of the candidates the plan is the same."""
    returns = rng.uniform(-2.0, 2.0, NUM_SEQUENCES)
    one = rng.uniform(0.5, 2.0, (HORIZON, ACT_DIM))
    same = np.repeat(one[None], NUM_SEQUENCES, axis=0)
    _check_plan(
        subject.call(UPDATE, returns, same, kappa=0.8), one, "the plan of equal candidates", _sums(returns, same, 0.8)
    )
    sequences, order = _candidates(rng), rng.permutation(NUM_SEQUENCES)
    for rows in (slice(None), order):
        answer = subject.call(UPDATE, returns[rows], sequences[rows], kappa=0.8)
        slips = _update_slips(returns[rows], sequences[rows], 0.8)
        _check_plan(answer, oracle.plan(returns, sequences, 0.8), "the plan in another order", slips)


def _sums(returns: Any, sequences: Any, kappa: float) -> dict[str, Any]:
    """The slips that show on candidates that are all the same."""
    slips = _update_slips(returns, sequences, kappa)
    return {cause: slips[cause] for cause in ("weights_not_normalized", "weights_axis")}


@graded("mppi_update", weight=2)
def test_large_returns_do_not_overflow(subject: Subject, rng: RNG) -> None:
    """Returns of any size: only differences count, and a large kappa gives the best candidate."""
    sequences, returns = _candidates(rng), rng.permutation(NUM_SEQUENCES) * 0.5

    def with_constant(constant: float) -> None:
        answer = subject.call(UPDATE, returns + constant, sequences, kappa=2.0)
        what = f"the plan with {constant:g} added to all returns"
        _check_plan(answer, oracle.plan(returns, sequences, 2.0), what, _update_slips(returns, sequences, 2.0, answer))

    with_constant(-300.0)
    with_constant(300.0)
    repeat(lambda: with_constant(-300.0))
    with_constant(0.0)
    for sign in (1.0, -1.0):
        large = sign * 1e4 + rng.permutation(NUM_SEQUENCES) * 10.0
        slips = _update_slips(large, sequences, 1e3)
        del slips["best_for_average"]
        answer = subject.call(UPDATE, large, sequences, kappa=1e3)
        _check_plan(answer, sequences[large.argmax()], "the plan for a large kappa", slips)


@graded("mppi_update")
def test_a_return_of_minus_infinity_has_no_weight(subject: Subject, rng: RNG) -> None:
    """A candidate with the return -inf does not count; the others count as if it were not there."""
    sequences, returns = _candidates(rng), rng.uniform(-1.0, 1.0, NUM_SEQUENCES)
    sequences[[1, 4]] += 50.0
    returns[[1, 4]] = -np.inf
    possible = np.isfinite(returns)
    wanted = oracle.plan(returns[possible], sequences[possible], 1.5)
    means = (sequences.mean(axis=0), sequences[[1, 4]].mean(axis=0))
    zeros = oracle.plan(np.where(possible, returns, 0.0), sequences, 1.5)
    slips = {
        **_update_slips(returns[possible], sequences[possible], 1.5),
        "impossible_counts": AnyOf((zeros, *means)),
    }
    for far in (0.0, 0.0, 1e9):  # however large the actions of such a candidate are
        sequences[[1, 4]] += far
        answer = subject.call(UPDATE, returns, sequences, kappa=1.5)
        if far:
            slips = {"impossible_counts": AnyOf((answer,))}
        _check_plan(answer, wanted, "the plan", slips, not_finite="impossible_counts")
    returns[:] = -np.inf
    returns[2] = -7.0
    answer = subject.call(UPDATE, returns, sequences, kappa=1.5)
    _check_plan(answer, sequences[2], "the plan of the only possible candidate", not_finite="impossible_counts")


@graded("mppi_update")
def test_kappa_goes_from_the_mean_to_the_best(subject: Subject, rng: RNG) -> None:
    """A tiny kappa gives the plain mean; a large one the mean of the best candidates, one or several."""
    sequences, returns = _candidates(rng), np.array([1.0, 4.0, -2.0, 4.0, 3.0, 4.0])
    best = sequences[[1, 3, 5]]
    for kappa, wanted, name in ((1e-6, sequences.mean(axis=0), "tiny"), (1e3, best.mean(axis=0), "large")):
        slips = _update_slips(returns, sequences, kappa)
        slips["best_for_average"] = AnyOf(tuple(best))
        if name == "tiny":
            del slips["weights_equal"]
        answer = subject.call(UPDATE, returns, sequences, kappa=kappa)
        _check_plan(answer, wanted, f"the plan for a {name} kappa", slips)


@graded("mppi_update")
def test_update_takes_any_size(subject: Subject, rng: RNG) -> None:
    """One candidate comes back as it is; one step, one action, and a long horizon with many candidates work."""

    def at(*shape: int) -> None:
        sequences, returns = _candidates(rng, *shape), rng.uniform(-1.0, 1.0, shape[0])
        wanted = oracle.plan(returns, sequences, 1.2)
        answer = subject.call(UPDATE, returns, sequences, kappa=1.2)
        slips = _update_slips(returns, sequences, 1.2, answer) if shape[0] > 1 else {}
        cause = "returns_standardized" if shape[0] == 1 else "softmax_overflows"  # the spread of one return is 0
        _check_plan(answer, wanted, f"the plan for candidates of shape {shape}", slips, not_finite=cause)

    vary(
        lambda: at(NUM_SEQUENCES, HORIZON, ACT_DIM),
        size_one=[lambda: at(1, HORIZON, ACT_DIM), lambda: at(1, 1, 1), lambda: at(4, 1, 3), lambda: at(4, 3, 1)],
        large=[lambda: at(500, 60, 3)],
    )


@graded("mppi_update", weight=0.5, needs_another=True)
def test_update_leaves_returns_and_candidates_as_they_were(subject: Subject, rng: RNG) -> None:
    """The returns and the candidates are not changed in place."""
    sequences, returns = _candidates(rng), rng.uniform(1.0, 2.0, NUM_SEQUENCES)
    wanted = oracle.plan(returns, sequences, 0.9)

    def ask(*kept: Kept) -> None:
        _check_plan(subject.call(UPDATE, *kept, kappa=0.9), wanted, "the plan")

    check_left_alone(subject, [returns, sequences], ask)
