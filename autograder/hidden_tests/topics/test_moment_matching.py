"""Hidden checks of the topic moment_matching: moments of linear models and Gaussian processes, an expected cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from autograder.hidden_tests.graded import graded
from autograder.hidden_tests.inputs import check_left_alone
from autograder.hidden_tests.topics import moment_matching_oracle as oracle
from hw4.checking.answers import AnyOf, CheckFailed, check, check_close, check_shape
from hw4.checking.subject import AsNumPy, Kept, Subject
from hw4.checking.variations import vary

RNG = np.random.Generator
GRADIENT = "checking.doubles.gradient_of"
LINEAR, PREDICT, MATCH, COST = (
    f"topics.moment_matching_arrays.{name}" for name in ("linear", "predict", "match", "cost")
)
N, IN, OUT, B = 6, 2, 3, 7
NUM_SAMPLES, NUM_ERRORS = 40_000, 6.0  # of Monte Carlo; an error is one std of the mean


def _values(answer: Any, number: int, what: str) -> tuple[Any, ...]:
    """The entries of a returned tuple."""
    if answer is None:
        raise CheckFailed(f"{what} are None: a return statement is missing", "returns_none")
    check(isinstance(answer, tuple) and len(answer) == number, f"{what} must be {number} values", "wrong_shape")
    return tuple(answer)


def _covariance(rng: RNG, size: int, scale: float = 1.0, rank: int | None = None) -> Any:
    """With std of at most `scale` in every direction, and 0 in all but `rank` of them."""
    axes, _ = np.linalg.qr(rng.normal(size=(size, size)))
    stds = scale * rng.uniform(0.4, 1.0, size) * (np.arange(size) < (size if rank is None else rank))
    return (axes * stds**2) @ axes.T


# moment_match_linear --------------------------------------------------------------------------------------------------


def _linear_inputs(rng: RNG, size_in: int, size_out: int, rank: int | None = None) -> tuple[Any, ...]:
    return (
        rng.normal(size=size_in),
        _covariance(rng, size_in, 1.5, rank),
        rng.normal(size=(size_out, size_in)),
        rng.normal(size=size_out),
        _covariance(rng, size_out),
    )


def _linear_slips(inputs: tuple[Any, ...]) -> tuple[dict[str, Any], ...]:
    mean, cov, matrix, offset, noise_cov = inputs
    spread = matrix @ cov @ matrix.T
    square = matrix.shape[0] == matrix.shape[1]
    turned = {"linear_matrix_turned": matrix.T @ mean + offset} if square else {}
    return (
        {"linear_offset_missing": matrix @ mean, **turned},
        {
            "linear_noise_missing": spread,
            "linear_noise_squared": spread + noise_cov @ noise_cov,
            "linear_cov_is_square": (matrix @ cov) @ (matrix @ cov).T + noise_cov,
            **(
                {
                    "linear_cov_once": AnyOf((matrix @ cov + noise_cov, cov @ matrix.T + noise_cov)),
                    "linear_matrix_turned": matrix.T @ cov @ matrix + noise_cov,
                }
                if square
                else {}
            ),
        },
        {
            "linear_cross_turned": matrix @ cov,
            "linear_cross_without_cov": AnyOf((matrix.T, matrix)),
            "linear_cross_missing": np.zeros_like(matrix.T),
            **({"linear_matrix_turned": cov @ matrix} if square else {}),
        },
    )


PARTS = ("the mean", "the covariance", "the covariance with the input")


def _check_linear(subject: Subject, inputs: tuple[Any, ...]) -> None:
    answers = _values(subject.call(LINEAR, *map(AsNumPy, inputs)), 3, "the moments")
    for answer, wanted, slips, what in zip(answers, oracle.linear(*inputs), _linear_slips(inputs), PARTS, strict=True):
        check_close(answer, wanted, what, slips=slips, rtol=0.0, atol=1e-10)


@graded("moment_match_linear", weight=2)
def test_linear_moments_are_exact(subject: Subject, rng: RNG) -> None:
    """Mean, covariance and covariance with the input, in double precision within 1e-10."""
    vary(lambda: _check_linear(subject, _linear_inputs(rng, IN, OUT)), again=2)


@graded("moment_match_linear", weight=2)
def test_two_linear_steps_are_one(subject: Subject, rng: RNG) -> None:
    """What comes out goes in again: the moments are those of the product of both matrices, with both noises."""
    mean, cov, first, offset, noise = _linear_inputs(rng, 3, 3)
    _, _, second, more, other = _linear_inputs(rng, 3, 3)
    _check_linear(subject, (mean, cov, first, offset, noise))
    middle = _values(subject.call(LINEAR, *map(AsNumPy, (mean, cov, first, offset, noise))), 3, "the moments")
    check_shape(middle[0], (3,), PARTS[0])
    check_shape(middle[1], (3, 3), PARTS[1])
    last = _values(subject.call(LINEAR, *map(AsNumPy, (*middle[:2], second, more, other))), 3, "the moments")
    joined = second @ first, second @ offset + more, second @ noise @ second.T + other
    wanted = oracle.linear(mean, cov, *joined)
    for answer, right, what in zip(last[:2], wanted[:2], PARTS[:2], strict=True):
        check_close(answer, right, f"{what} after two steps", rtol=0.0, atol=1e-9)


@graded("moment_match_linear")
def test_linear_moments_of_any_size(subject: Subject, rng: RNG) -> None:
    """One input, one output, many of both, a covariance that is singular, or 0."""

    def at(size_in: int, size_out: int, rank: int | None = None) -> None:
        _check_linear(subject, _linear_inputs(rng, size_in, size_out, rank))

    vary(
        lambda: at(IN, OUT),
        size_one=[lambda: at(1, OUT), lambda: at(IN, 1), lambda: at(1, 1)],
        large=[lambda: at(9, 11), lambda: at(4, 2, 1), lambda: at(3, 3, 0)],
    )


@graded("moment_match_linear")
def test_gradients_of_linear_moments_are_right(subject: Subject, rng: RNG) -> None:
    """Of the mean by the mean, of both covariances by the covariance."""
    inputs = _linear_inputs(rng, IN, OUT)
    matrix = inputs[2]
    _check_linear(subject, inputs)
    pulls = rng.normal(size=OUT), rng.normal(size=(OUT, OUT)), rng.normal(size=(IN, OUT))
    wanted = (0, matrix.T @ pulls[0]), (1, matrix.T @ pulls[1] @ matrix), (1, pulls[2] @ matrix)
    for part, (number, right) in enumerate(wanted):
        found = subject.call(GRADIENT, LINEAR, pulls[part], number, *inputs, part=part)
        slips = {"linear_not_differentiable": np.zeros_like(right)}
        check_close(found, right, f"a gradient of {PARTS[part]}", slips=slips)


@graded("moment_match_linear", weight=0.5, needs_another=True)
def test_linear_moments_leave_their_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """None of the five inputs is changed in place."""
    inputs = _linear_inputs(rng, IN, OUT)

    def ask(*kept: Kept) -> None:
        answers = _values(subject.call(LINEAR, *kept), 3, "the moments")
        for answer, wanted, what in zip(answers, oracle.linear(*inputs), PARTS, strict=True):
            check_close(answer, wanted, what)

    check_left_alone(subject, list(inputs), ask)


# gp_predict -----------------------------------------------------------------------------------------------------------


def _process(rng: RNG, number: int = N, size_in: int = IN, size_out: int = OUT, noise: float = 0.3) -> oracle.Process:
    """Processes that have seen random data."""
    return oracle.condition(
        rng.normal(size=(number, size_in)),
        rng.normal(size=(number, size_out)),
        rng.uniform(0.8, 1.8, (size_out, size_in)),
        rng.uniform(0.7, 1.6, size_out),
        rng.uniform(0.8, 1.2, size_out) * noise,
    )


def _predict_slips(process: oracle.Process, at: Any) -> tuple[dict[str, Any], ...]:
    mean, variance = process.predict(at)
    near, s = process.kernel(at), process.signal_std
    used = np.einsum("abn,anm,abm->ba", near, process.inverse, near)
    return (
        {
            "predict_axes_swapped": mean.T,
            "predict_mean_by_inverse": np.einsum("abn,anm,am->ba", near, process.inverse, process.weights),
            "predict_first_output": np.einsum("bn,an->ba", near[0], process.weights),
        },
        {
            "predict_axes_swapped": variance.T,
            "predict_variance_negative": s**2 - used,
            "predict_variance_absolute": np.abs(s**2 - used),
            "predict_variance_is_std": np.sqrt(variance),
            "predict_signal_not_squared": AnyOf((s - used, np.maximum(s - used, 0.0))),
            "predict_variance_of_prior": np.broadcast_to(s**2, variance.shape),
            "predict_variance_used": used,
            "predict_inverse_on_diagonal": s**2 - np.einsum("abn,ann,abn->ba", near, process.inverse, near),
        },
    )


PREDICTED = "the predicted mean", "the predicted variance"


def _check_predict(subject: Subject, process: oracle.Process, at: Any, atol: float = 1e-8) -> None:
    answers = _values(subject.call(PREDICT, *map(AsNumPy, (*process.fields, at))), 2, "mean and variance")
    slips = _predict_slips(process, at)
    for answer, wanted, known, what in zip(answers, process.predict(at), slips, PREDICTED, strict=True):
        check_close(answer, wanted, what, slips=known, rtol=0.0, atol=atol)


@graded("gp_predict", weight=2)
def test_predictions_are_those_of_the_equations(subject: Subject, rng: RNG) -> None:
    """Mean and variance of every output at every input, in double precision."""
    vary(lambda: _check_predict(subject, _process(rng), rng.normal(size=(B, IN))), again=2)


@graded("gp_predict", weight=2)
def test_predictions_from_one_data_point_by_hand(subject: Subject, rng: RNG) -> None:
    """Mean s^2 k y / (s^2 + noise^2), variance s^2 - s^4 k^2 / (s^2 + noise^2), with k = exp(-d^2 / 2 l^2)."""
    s, length, noise, y, d = rng.uniform(0.6, 1.7, 5)
    one = oracle.condition(np.zeros((1, 1)), np.full((1, 1), y), *(np.array([each]) for each in ([length], s, noise)))
    at = np.array([[d], [0.0]])
    k = np.exp(-0.5 * (at / length) ** 2)
    wanted = s**2 * k * y / (s**2 + noise**2), s**2 - s**4 * k**2 / (s**2 + noise**2)
    answers = _values(subject.call(PREDICT, *map(AsNumPy, (*one.fields, at))), 2, "mean and variance")
    for answer, right, known, what in zip(answers, wanted, _predict_slips(one, at), PREDICTED, strict=True):
        check_close(answer, right, what, slips=known, rtol=0.0, atol=1e-9)


@graded("gp_predict")
def test_predictions_at_the_data_and_far_from_them(subject: Subject, rng: RNG) -> None:
    """Far away: mean 0, variance s^2. At measurements without noise: their values and no variance, never below 0."""
    process = _process(rng)
    _check_predict(subject, process, np.full((2, IN), 60.0))
    inputs, targets = np.arange(4.0)[:, None] * 2.5, rng.normal(size=(4, 1))
    exact = oracle.condition(inputs, targets, np.ones((1, 1)), np.full(1, 1.3), np.full(1, 1e-5))
    _check_predict(subject, exact, inputs)
    rounded = replace(exact, inverse=exact.inverse * (1 + 1e-3))  # as if rounding were that large
    _check_predict(subject, rounded, inputs)


@graded("gp_predict")
def test_predictions_of_any_size(subject: Subject, rng: RNG) -> None:
    """One input of one dimension, one output, one data point, and the sizes of a fitted model."""

    def at(number: int, size_in: int, size_out: int, batch: int) -> None:
        _check_predict(subject, _process(rng, number, size_in, size_out), rng.normal(size=(batch, size_in)))

    vary(
        lambda: at(N, IN, OUT, B),
        size_one=[
            lambda: at(N, IN, OUT, 1),
            lambda: at(N, 1, OUT, B),
            lambda: at(N, IN, 1, B),
            lambda: at(1, IN, OUT, B),
            lambda: at(1, 1, 1, 1),
        ],
        large=[lambda: at(60, 4, 2, 300), lambda: at(3, 3, 3, 3)],
    )


@graded("gp_predict")
def test_gradients_of_predictions_are_right(subject: Subject, rng: RNG) -> None:
    """By the input, as small differences have it."""
    process, at = _process(rng), rng.normal(size=(B, IN))
    _check_predict(subject, process, at)
    for part, what in enumerate(PREDICTED):
        pull = rng.normal(size=(B, OUT))
        right = np.zeros((B, IN))
        for i, unit in enumerate(np.eye(IN) * 1e-5):
            ends = [process.predict(at + sign * unit)[part] for sign in (1, -1)]
            right[:, i] = (pull * (ends[0] - ends[1]) / 2e-5).sum(axis=-1)
        found = subject.call(GRADIENT, PREDICT, pull, 5, *process.fields, at, part=part)
        check_close(found, right, f"a gradient of {what}", slips={"predict_not_differentiable": 0 * right}, atol=2e-3)


@graded("gp_predict", weight=0.5, needs_another=True)
def test_predictions_leave_their_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Neither the processes nor the inputs are changed in place."""
    process, at = _process(rng), rng.normal(size=(B, IN))

    def ask(*kept: Kept) -> None:
        answers = _values(subject.call(PREDICT, *kept), 2, "mean and variance")
        for answer, wanted, what in zip(answers, process.predict(at), PREDICTED, strict=True):
            check_close(answer, wanted, what)

    check_left_alone(subject, [*process.fields, at], ask)


# moment_match_gp ------------------------------------------------------------------------------------------------------


def _match_slips(process: oracle.Process, mean: Any, cov: Any) -> tuple[dict[str, Any], ...]:
    right = oracle.moments(process, mean, cov)
    squares = process.length_scales**2
    whole = np.array([np.diag(square) for square in squares])
    shrink = np.sqrt(squares.prod(axis=-1) / np.linalg.det(cov + whole))  # (O,)
    (point,), (variance,) = (part for part in process.predict(mean[None]))
    second = right.of_means + np.outer(right.mean, right.mean)
    loose = right.mean / shrink
    unknown, size = np.diag(right.unknown), len(right.mean)
    return (
        {
            "match_mean_of_mean": point,
            "match_determinant": AnyOf((loose, right.mean * shrink, loose / np.sqrt(squares.prod(axis=-1)))),
            "match_mean_without_signal": AnyOf((right.mean / process.signal_std, right.mean / process.signal_std**2)),
        },
        {
            "match_unknown_missing": right.of_means,
            "match_unknown_of_mean": right.of_means + np.diag(variance),
            "match_unknown_everywhere": AnyOf(
                (right.of_means + right.unknown, right.of_means + right.unknown[:, None])
                if size > 1
                else (right.of_means - 1.0,)
            ),
            "match_means_not_subtracted": second + unknown,
            "match_determinant": second - np.outer(loose, loose) + unknown,
            "match_means_missing": unknown,
            "match_cov_on_diagonal": np.diag(np.diag(right.cov)) if size > 1 else right.of_means - 1.0,
            "match_unknown_of_prior": right.of_means + np.diag(process.signal_std**2),
            "match_unknown_subtracted": right.of_means - unknown,
            "match_cov_is_variances": np.diag(right.cov),
        },
        {
            "match_cross_without_cov": right.slope,
            "match_cross_turned": right.cross.T,
            "match_cross_missing": np.zeros_like(right.cross),
            "match_cross_sign": -right.cross,
            "match_cross_not_centered": AnyOf(
                (right.cross + np.outer(mean, right.mean), right.cross - np.outer(mean, right.mean))
            ),
            "match_determinant": right.cross / shrink,
            "match_cross_by_scales": _cross_by_scales(process, mean, cov),
        },
    )


def _cross_by_scales(process: oracle.Process, mean: Any, cov: Any) -> Any:
    """The covariance with the input if L_a stands where cov + L_a belongs."""
    columns = []
    for square, s, beta in zip(process.length_scales**2, process.signal_std, process.weights, strict=True):
        total, apart = cov + np.diag(square), process.inputs - mean
        exponent = -0.5 * np.einsum("ni,ni->n", apart, np.linalg.solve(total, apart.T).T)
        q = s**2 * np.sqrt(square.prod() / np.linalg.det(total)) * np.exp(exponent)
        columns.append(cov @ ((beta * q) @ (apart / square)))
    return np.stack(columns, axis=-1)


def _check_match(subject: Subject, process: oracle.Process, mean: Any, cov: Any, *, atol: float = 1e-7) -> Any:
    answers = _values(subject.call(MATCH, *map(AsNumPy, (*process.fields, mean, cov))), 3, "the moments")
    right = oracle.moments(process, mean, cov)
    for number, wanted in enumerate((right.mean, right.cov, right.cross)):
        slips = lambda n=number: _match_slips(process, mean, cov)[n]  # noqa: E731
        check_close(answers[number], wanted, PARTS[number], slips=slips, rtol=0.0, atol=atol)
    return answers


@graded("moment_match_gp", weight=3)
def test_moments_of_an_uncertain_input_are_integrals(subject: Subject, rng: RNG) -> None:
    """Mean, covariance and covariance with the input are those of numerical integration."""
    vary(lambda: _check_match(subject, _process(rng), rng.normal(size=IN), _covariance(rng, IN)), again=2)


@graded("moment_match_gp", weight=2)
def test_moments_of_an_uncertain_input_are_those_of_samples(subject: Subject, rng: RNG) -> None:
    """Inputs are drawn, functions are drawn there: the moments are those of the samples, within their error."""
    process, mean, cov = _process(rng), rng.normal(size=IN), _covariance(rng, IN)
    answers = _values(subject.call(MATCH, *map(AsNumPy, (*process.fields, mean, cov))), 3, "the moments")
    inputs = rng.multivariate_normal(mean, cov, NUM_SAMPLES)
    f_mean, variance = process.predict(inputs)
    f = f_mean + np.sqrt(variance) * rng.normal(size=variance.shape)
    right = oracle.moments(process, mean, cov)
    apart, off = f - right.mean, inputs - mean
    samples = f, apart[:, :, None] * apart[:, None], off[:, :, None] * apart[:, None]
    for number, (drawn, what) in enumerate(zip(samples, PARTS, strict=True)):
        slips = lambda n=number: _match_slips(process, mean, cov)[n]  # noqa: E731
        error = drawn.std(axis=0).max() / np.sqrt(NUM_SAMPLES)
        check_shape(answers[number], drawn.shape[1:], what)
        check_close(answers[number], drawn.mean(axis=0), what, slips=slips, rtol=0.0, atol=NUM_ERRORS * error)


@graded("moment_match_gp")
def test_moments_of_a_certain_input_are_the_prediction(subject: Subject, rng: RNG) -> None:
    """Without input variance, and with next to none, they are what is predicted at the mean."""
    process, mean = _process(rng), rng.normal(size=IN)
    (point,), (variance,) = process.predict(mean[None])
    wanted = point, np.diag(variance), np.zeros((IN, OUT))
    for scale in (0.0, 1e-6):
        inputs = *process.fields, mean, scale**2 * np.eye(IN)
        answers = _values(subject.call(MATCH, *map(AsNumPy, inputs)), 3, "the moments")
        slips = _match_slips(process, mean, scale**2 * np.eye(IN))
        for number, what in enumerate(PARTS):
            known = {cause: slip for cause, slip in slips[number].items() if not _same(slip, wanted[number])}
            check_close(answers[number], wanted[number], what, slips=known, rtol=0.0, atol=1e-8)


def _same(slip: Any, wanted: Any) -> bool:
    """Whether a slip makes no difference here."""
    each = slip if isinstance(slip, AnyOf) else (slip,)
    return any(np.shape(one) == np.shape(wanted) and np.allclose(one, wanted, rtol=0.0, atol=1e-7) for one in each)


@graded("moment_match_gp", weight=2)
def test_moments_from_one_data_point_by_hand(subject: Subject, rng: RNG) -> None:
    """One input x ~ N(m, v), one output, one data point: two Gaussian integrals that fit on a line each."""
    s, length, noise, y, m, v = rng.uniform(0.6, 1.5, 6)
    one = oracle.condition(np.zeros((1, 1)), np.full((1, 1), y), *(np.array([each]) for each in ([length], s, noise)))
    beta, inverse, square = y / (s**2 + noise**2), 1 / (s**2 + noise**2), length**2
    q = s**2 * np.sqrt(square / (square + v)) * np.exp(-(m**2) / (2 * (square + v)))
    twice = s**4 * np.sqrt(square / (square + 2 * v)) * np.exp(-(m**2) / (square + 2 * v))
    of_means, unknown = beta**2 * (twice - q**2), s**2 - inverse * twice
    wanted = np.array([beta * q]), np.array([[of_means + unknown]]), np.array([[-v * beta * q * m / (square + v)]])
    mean, cov = np.array([m]), np.array([[v]])
    answers = _values(subject.call(MATCH, *map(AsNumPy, (*one.fields, mean, cov))), 3, "the moments")
    for number, what in enumerate(PARTS):
        slips = lambda n=number: _match_slips(one, mean, cov)[n]  # noqa: E731
        check_close(answers[number], wanted[number], what, slips=slips, rtol=0.0, atol=1e-9)


@graded("moment_match_gp")
def test_the_covariance_of_functions_is_symmetric_and_positive(subject: Subject, rng: RNG) -> None:
    """No negative eigenvalues, whatever the uncertainty; also where two outputs are one and the same function."""
    process = _process(rng)
    for scale in (0.1, 1.0, 5.0):
        mean, cov = rng.normal(size=IN), _covariance(rng, IN, scale)
        answers = _values(subject.call(MATCH, *map(AsNumPy, (*process.fields, mean, cov))), 3, "the moments")
        check_shape(answers[1], (OUT, OUT), PARTS[1])
        check_close(answers[1], answers[1].T, "its transpose", otherwise="match_not_symmetric", rtol=0.0, atol=1e-9)
        smallest = float(np.linalg.eigvalsh(answers[1]).min())
        check(smallest > -1e-9, "the covariance has a negative eigenvalue", "match_not_positive")
    twin = oracle.Process(process.inputs, *(part[[0, 0]] for part in process.fields[1:]))
    certain = replace(twin, inverse=np.zeros_like(twin.inverse))
    _check_match(subject, certain, mean, _covariance(rng, IN))


@graded("moment_match_gp", weight=2)
def test_the_covariance_with_the_input_is_that_of_stein(subject: Subject, rng: RNG) -> None:
    """Cov[x, f] is cov times the expected slope of the prediction, which is the slope of E[f] by the mean."""
    process, mean, cov = _process(rng), rng.normal(size=IN), _covariance(rng, IN)
    _, _, cross = _check_match(subject, process, mean, cov)
    slopes = []
    for unit in np.eye(IN) * 1e-4:
        ends = []
        for sign in (1, -1):
            inputs = *process.fields, mean + sign * unit, cov
            end, *_ = _values(subject.call(MATCH, *map(AsNumPy, inputs)), 3, "the moments")
            check_shape(end, (OUT,), PARTS[0])
            ends.append(end)
        slopes.append((ends[0] - ends[1]) / 2e-4)
    wanted = oracle.moments(process, mean, cov).slope
    check_close(np.array(slopes), wanted, "the slope of the mean", rtol=0.0, atol=1e-5)
    check_close(cross, cov @ wanted, PARTS[2], rtol=0.0, atol=1e-7)


@graded("moment_match_gp", weight=2)
def test_gradients_of_moments_are_right(subject: Subject, rng: RNG) -> None:
    """All three moments, by mean and by covariance, as small differences of numerical integrals have it."""
    process, mean, cov = _process(rng), rng.normal(size=IN), _covariance(rng, IN) + 0.2 * np.eye(IN)
    _check_match(subject, process, mean, cov, atol=1e-6)

    def parts(at: Any, spread: Any) -> tuple[Any, ...]:
        right = oracle.moments(process, at, spread)
        return right.mean, right.cov, right.cross

    def slope(part: int, pull: Any, by_mean: Any, by_cov: Any) -> float:
        ends = [parts(mean + sign * by_mean, cov + sign * by_cov)[part] for sign in (1e-4, -1e-4)]
        return float((pull * (ends[0] - ends[1])).sum() / 2e-4)

    units = np.eye(IN)
    for part, shape in enumerate(((OUT,), (OUT, OUT), (IN, OUT))):
        pull = rng.normal(size=shape)
        pull = (pull + pull.T) / 2 if part == 1 else pull
        by_mean = np.array([slope(part, pull, unit, 0.0) for unit in units])
        by_cov = np.array([[slope(part, pull, 0.0, np.outer(a, b) + np.outer(b, a)) / 2 for b in units] for a in units])
        for number, right in ((5, by_mean), (6, by_cov)):
            found = subject.call(GRADIENT, MATCH, pull, number, *process.fields, mean, cov, part=part)
            check_shape(found, right.shape, "a gradient of the moments")
            found = (found + found.T) / 2 if number == 6 else found  # a covariance is symmetric: only that part counts
            slips = {"match_not_differentiable": np.zeros_like(right)}
            what = f"a gradient of {PARTS[part]}"
            check_close(found, right, what, slips=slips, otherwise="match_slope", rtol=5e-3, atol=5e-3)


@graded("moment_match_gp")
def test_moments_of_any_size(subject: Subject, rng: RNG) -> None:
    """One input, output or data point; many data; covariances that are singular or far larger than the data."""

    def at(number: int, size_in: int, size_out: int, scale: float = 1.0, rank: int | None = None) -> None:
        process = _process(rng, number, size_in, size_out)
        _check_match(subject, process, rng.normal(size=size_in), _covariance(rng, size_in, scale, rank))

    def spread_out() -> None:
        process, mean, cov = _process(rng), rng.normal(size=IN), 1e8 * np.eye(IN)
        answers = _values(subject.call(MATCH, *map(AsNumPy, (*process.fields, mean, cov))), 3, "the moments")
        check_close(answers[0], np.zeros(OUT), PARTS[0], atol=1e-3)
        check_close(answers[1], np.diag(process.signal_std**2), PARTS[1], atol=1e-3)

    vary(
        lambda: at(N, IN, OUT),
        size_one=[lambda: at(N, 1, OUT), lambda: at(N, IN, 1), lambda: at(1, IN, OUT), lambda: at(1, 1, 1)],
        large=[
            lambda: at(30, 2, 2),
            lambda: at(5, 3, 2, 0.5),
            lambda: at(2, 2, 2),
            lambda: at(N, IN, OUT, 1.0, 1),
            spread_out,
        ],
    )


@graded("moment_match_gp", weight=0.5, needs_another=True)
def test_matching_moments_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Neither the processes nor mean and covariance are changed in place."""
    process, mean, cov = _process(rng), rng.normal(size=IN), _covariance(rng, IN)
    right = oracle.moments(process, mean, cov)

    def ask(*kept: Kept) -> None:
        answers = _values(subject.call(MATCH, *kept), 3, "the moments")
        for answer, wanted, what in zip(answers, (right.mean, right.cov, right.cross), PARTS, strict=True):
            check_close(answer, wanted, what, rtol=5e-3, atol=5e-3)

    check_left_alone(subject, [*process.fields, mean, cov], ask)


# saturating_cost ------------------------------------------------------------------------------------------------------


def _cost_inputs(rng: RNG, size: int, rank: int | None = None) -> tuple[Any, ...]:
    """The target is between 1/2 and 2 away."""
    mean, off = rng.normal(size=size), rng.normal(size=size)
    target = mean + rng.uniform(0.5, 2.0) * off / np.linalg.norm(off)
    return mean, _covariance(rng, size), target, _covariance(rng, size, 1.2, rank)


def _cost_slips(mean: Any, cov: Any, target: Any, weight: Any) -> dict[str, Any]:
    right, off = oracle.cost(mean, cov, target, weight), mean - target
    matrix = np.eye(len(mean)) + cov @ weight
    determinant, plain = np.linalg.det(matrix), off @ weight @ off
    inside = off @ weight @ np.linalg.solve(matrix, off)
    root = determinant**-0.5
    return {
        "cost_of_mean": 1 - np.exp(-0.5 * plain),
        "cost_is_reward": 1 - right,
        "cost_negative_reward": right - 1,
        "cost_determinant_missing": 1 - np.exp(-0.5 * inside),
        "cost_determinant_not_rooted": AnyOf(
            (1 - np.exp(-0.5 * inside) / determinant, 1 - np.exp(-0.5 * inside) / root)
        ),
        "cost_exponent_of_mean": 1 - root * np.exp(-0.5 * plain),
        "cost_half_missing": 1 - root * np.exp(-inside),
        "cost_without_weight": AnyOf(
            (1 - root * np.exp(-0.5 * off @ np.linalg.solve(matrix, off)), 1 - root * np.exp(-0.5 * off @ off))
        ),
        "cost_target_missing": oracle.cost(mean, cov, 0 * target, weight),
        "cost_quadratic": AnyOf((plain, plain + np.trace(weight @ cov), 0.5 * (plain + np.trace(weight @ cov)))),
        "cost_exponent_sign": 1 - root * np.exp(0.5 * inside),
    }


def _check_cost(subject: Subject, *inputs: Any, what: str = "the expected cost") -> None:
    answer = subject.call(COST, *map(AsNumPy, inputs))
    wanted = oracle.cost(*inputs)
    check_close(answer, wanted, what, slips=lambda: _known_costs(wanted, *inputs), rtol=0.0, atol=1e-7)


def _known_costs(wanted: float, *inputs: Any) -> dict[str, Any]:
    return {cause: slip for cause, slip in _cost_slips(*inputs).items() if not _same(slip, wanted)}


@graded("saturating_cost", weight=2)
def test_the_expected_cost_is_an_integral(subject: Subject, rng: RNG) -> None:
    """The cost of numerical integration over the state."""
    vary(lambda: _check_cost(subject, *_cost_inputs(rng, 2)), again=2)


@graded("saturating_cost", weight=2)
def test_the_expected_cost_is_that_of_samples_and_by_hand(subject: Subject, rng: RNG) -> None:
    """The mean over many states, within its error; in one dimension 1 - exp(-w d^2 / 2 (1 + w v)) / sqrt(1 + w v)."""
    inputs = mean, cov, target, weight = _cost_inputs(rng, 3)
    answer = subject.call(COST, *map(AsNumPy, inputs))
    check_shape(answer, (), "the expected cost")
    off = rng.multivariate_normal(mean, cov, NUM_SAMPLES) - target
    costs = 1 - np.exp(-0.5 * np.einsum("ni,ij,nj->n", off, weight, off))
    error = NUM_ERRORS * float(costs.std()) / np.sqrt(NUM_SAMPLES)
    slips = lambda: _known_costs(oracle.cost(*inputs), *inputs)  # noqa: E731
    check_close(answer, costs.mean(), "the expected cost", slips=slips, rtol=0.0, atol=error)
    d, v, w = rng.uniform(0.4, 1.4, 3)
    inputs = np.array([d]), np.array([[v]]), np.zeros(1), np.array([[w]])
    wanted = 1 - np.exp(-0.5 * w * d**2 / (1 + w * v)) / np.sqrt(1 + w * v)
    answer = subject.call(COST, *map(AsNumPy, inputs))
    slips = lambda: _known_costs(float(wanted), *inputs)  # noqa: E731
    check_close(answer, wanted, "the expected cost", slips=slips, rtol=0.0, atol=1e-9)


@graded("saturating_cost")
def test_the_expected_cost_of_a_certain_state_is_its_cost(subject: Subject, rng: RNG) -> None:
    """Without variance it is the cost of the mean, 0 at the target, 1 far from it."""
    mean, cov, target, weight = _cost_inputs(rng, 2)
    _check_cost(subject, mean, 0 * cov, target, weight, what="the cost of a certain state")
    _check_cost(subject, target, 0 * cov, target, weight, what="the cost of the target")
    far = subject.call(COST, *map(AsNumPy, (mean + 100.0, cov, target, weight + np.eye(2))))
    check_close(far, 1.0, "the cost far from the target", rtol=0.0, atol=1e-6)


@graded("saturating_cost")
def test_uncertainty_is_cheap_far_from_the_target_and_dear_near_it(subject: Subject, rng: RNG) -> None:
    """The expected cost falls with the variance far away and rises with it at the target."""
    target, weight = rng.normal(size=2), np.diag(rng.uniform(0.8, 1.2, 2))
    for off, sign in ((np.array([4.0, 0.0]), -1), (np.zeros(2), 1)):
        answers = []
        for variance in (0.1, 1.0, 3.0):
            inputs = target + off, variance * np.eye(2), target, weight
            _check_cost(subject, *inputs)
            answer = subject.call(COST, *map(AsNumPy, inputs))
            check_shape(answer, (), "the expected cost")
            answers.append(float(answer))
        check(bool((sign * np.diff(answers) > 0).all()), "the cost changes the wrong way", "cost_of_mean")


@graded("saturating_cost")
def test_expected_costs_of_any_size(subject: Subject, rng: RNG) -> None:
    """One dimension and three, weights that are 0 for what does not matter, covariances that are singular."""

    def at(size: int, rank: int | None = None) -> None:
        _check_cost(subject, *_cost_inputs(rng, size, rank))

    def singular() -> None:
        mean, _, target, weight = _cost_inputs(rng, 3)
        _check_cost(subject, mean, _covariance(rng, 3, 1.0, 1), target, weight)

    vary(
        lambda: at(2),
        size_one=[lambda: at(1)],
        large=[lambda: at(3), lambda: at(3, 1), lambda: at(2, 0), singular],
    )


@graded("saturating_cost")
def test_gradients_of_the_expected_cost_are_right(subject: Subject, rng: RNG) -> None:
    """By mean and covariance, as small differences of numerical integrals have it."""
    mean, cov, target, weight = _cost_inputs(rng, 2)
    cov = cov + 0.2 * np.eye(2)
    _check_cost(subject, mean, cov, target, weight)

    def slope(by_mean: Any, by_cov: Any) -> float:
        ends = [oracle.cost(mean + sign * by_mean, cov + sign * by_cov, target, weight) for sign in (1e-4, -1e-4)]
        return (ends[0] - ends[1]) / 2e-4

    units = np.eye(2)
    by_mean = np.array([slope(unit, 0.0) for unit in units])
    by_cov = np.array([[slope(0.0, np.outer(a, b) + np.outer(b, a)) / 2 for b in units] for a in units])
    for number, right in ((0, by_mean), (1, by_cov)):
        found = subject.call(GRADIENT, COST, np.ones(()), number, mean, cov, target, weight)
        check_shape(found, right.shape, "a gradient of the cost")
        found = (found + found.T) / 2 if number == 1 else found
        slips = {"cost_not_differentiable": np.zeros_like(right)}
        check_close(found, right, "a gradient of the cost", slips=slips, otherwise="cost_slope", rtol=5e-3, atol=1e-3)


@graded("saturating_cost", weight=0.5, needs_another=True)
def test_the_expected_cost_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Mean, covariance, target and weight are not changed in place."""
    inputs = _cost_inputs(rng, 2)

    def ask(*kept: Kept) -> None:
        check_close(subject.call(COST, *kept), oracle.cost(*inputs), "the expected cost")

    check_left_alone(subject, list(inputs), ask)
