"""Hints for hw4/topics/moment_matching.py (given; standard library only)."""

from __future__ import annotations

from hw4.checking.hint import Hint

HINTS: dict[str, Hint] = {
    "linear_offset_missing": Hint("Your mean lacks the offset.", "the docstring of the stub"),
    "linear_matrix_turned": Hint(
        "You multiply by the transpose of the matrix where the matrix belongs.", "the docstring of the stub"
    ),
    "linear_noise_missing": Hint("Your covariance lacks that of the noise.", "the docstring of the stub"),
    "linear_noise_squared": Hint(
        "`noise_cov` is a covariance already: add it as it is, do not square it.", "the docstring of the stub"
    ),
    "linear_cov_is_square": Hint(
        "You square `cov`, too. It is a covariance, not a root of one: matrix cov matrix^T.",
        "the docstring of the stub",
    ),
    "linear_cov_once": Hint(
        "The matrix belongs on both sides of `cov`: matrix cov matrix^T.", "the docstring of the stub"
    ),
    "linear_cross_turned": Hint(
        "Your Cov[x, y] is transposed: its rows belong to x, its columns to y.", "the docstring of the stub"
    ),
    "linear_cross_without_cov": Hint(
        "Your Cov[x, y] is the matrix alone. It is cov matrix^T.", "the docstring of the stub"
    ),
    "linear_cross_missing": Hint("Your Cov[x, y] is 0, but y depends on x.", "the docstring of the stub"),
    "linear_not_differentiable": Hint(
        "No gradient gets through your moments. Calculate with the tensors themselves, without `.detach()`.",
        "the docstring of the stub",
    ),
    "predict_axes_swapped": Hint(
        "The axes are swapped: the first is that of inputs, the second of outputs.", "the docstring of the stub"
    ),
    "predict_mean_by_inverse": Hint(
        "Your mean uses `inverse` and `weights`. The weights already are the inverse times the targets.",
        "the docstring of the stub",
    ),
    "predict_first_output": Hint(
        "You use the kernel of the first output for all. Each has its own scales.", "the docstring of the stub"
    ),
    "predict_variance_is_std": Hint(
        "You return the standard deviation. What is asked for is the variance.", "the docstring of the stub"
    ),
    "predict_signal_not_squared": Hint(
        "The variance begins with signal_std^2, not with signal_std.", "the docstring of the stub"
    ),
    "predict_variance_of_prior": Hint("Your variance is that before any data.", "the docstring of the stub"),
    "predict_variance_used": Hint(
        "Your variance is large at the data: subtract what the data say from signal_std^2.", "the docstring of the stub"
    ),
    "predict_variance_negative": Hint(
        "Rounding can turn a variance negative: `clamp(min=0.0)`.", "the docstring of the stub"
    ),
    "predict_variance_absolute": Hint(
        "A negative variance becomes 0, not its absolute value.", "the docstring of the stub"
    ),
    "predict_inverse_on_diagonal": Hint(
        "You use only the diagonal of `inverse`: the sum is over pairs of data points.", "the docstring of the stub"
    ),
    "predict_not_differentiable": Hint(
        "No gradient gets from your prediction to the input. Calculate with the tensors themselves.",
        "the docstring of the stub",
    ),
    "match_mean_of_mean": Hint(
        "Your mean is the prediction at the mean: the uncertainty of the input is ignored.", "the docstring of the stub"
    ),
    "match_determinant": Hint(
        "A factor is wrong: each kernel's expectation shrinks by |cov + L_a|^(-1/2) |L_a|^(1/2).",
        "the docstring of the stub",
    ),
    "match_mean_without_signal": Hint(
        "Your q lacks signal_std^2, or has it to another power.", "the docstring of the stub"
    ),
    "match_unknown_missing": Hint(
        "Your covariance lacks what the model does not know: signal_std^2 minus the sum of inverse * Q.",
        "the docstring of the stub",
    ),
    "match_unknown_of_mean": Hint(
        "You add the variance predicted at the mean. What belongs there is its expectation over the input.",
        "the docstring of the stub",
    ),
    "match_unknown_of_prior": Hint("You add signal_std^2, the variance before any data.", "the docstring of the stub"),
    "match_unknown_everywhere": Hint(
        "You add the variance of the model to all entries. Given x, outputs are independent: diagonal alone.",
        "the docstring of the stub",
    ),
    "match_unknown_subtracted": Hint("You subtract the variance of the model. Add it.", "the docstring of the stub"),
    "match_means_not_subtracted": Hint(
        "Your covariance is E[f f^T]: E[f] E[f]^T is not subtracted.", "the docstring of the stub"
    ),
    "match_means_missing": Hint(
        "Your covariance is that of the model alone: an uncertain input moves the predicted mean, too.",
        "the docstring of the stub",
    ),
    "match_cov_on_diagonal": Hint("Outputs share x, so their covariances are not 0.", "the docstring of the stub"),
    "match_cov_is_variances": Hint(
        "You return the variances. What is asked for is the matrix.", "the docstring of the stub"
    ),
    "match_not_symmetric": Hint("Your covariance is not symmetric.", "the docstring of the stub"),
    "match_not_positive": Hint(
        "Your covariance has a negative eigenvalue, so it is none.", "the docstring of the stub"
    ),
    "match_cross_without_cov": Hint(
        "Your Cov[x, f] is the expected slope. It is `cov` times that.", "the docstring of the stub"
    ),
    "match_cross_turned": Hint(
        "Your Cov[x, f] is transposed: its rows belong to x, its columns to f.", "the docstring of the stub"
    ),
    "match_cross_missing": Hint("Your Cov[x, f] is 0, but f depends on x.", "the docstring of the stub"),
    "match_cross_sign": Hint(
        "The sign of your Cov[x, f] is turned round: d[n] = x_n - mean.", "the docstring of the stub"
    ),
    "match_cross_not_centered": Hint("Your Cov[x, f] has E[x] E[f] in it.", "the docstring of the stub"),
    "match_cross_by_scales": Hint(
        "Your Cov[x, f] divides by L_a where (cov + L_a)^-1 belongs.", "the docstring of the stub"
    ),
    "match_not_differentiable": Hint(
        "No gradient gets from your moments to mean or covariance, so no policy can be improved. Calculate with the "
        "tensors themselves.",
        "the docstring of the stub",
    ),
    "match_slope": Hint(
        "The moments are right, but their gradient is not, so probably a part of it is cut off (`.detach()`).",
        "the docstring of the stub",
    ),
    "cost_of_mean": Hint("Your cost is that of the mean: the uncertainty is ignored.", "the docstring of the stub"),
    "cost_is_reward": Hint(
        "You return what is subtracted from 1: the cost is 0 at the target.", "the docstring of the stub"
    ),
    "cost_negative_reward": Hint(
        "Your cost lacks the 1: it is 0 at the target and 1 far from it.", "the docstring of the stub"
    ),
    "cost_determinant_missing": Hint(
        "Your cost lacks the factor |eye + cov weight|^(-1/2).", "the docstring of the stub"
    ),
    "cost_determinant_not_rooted": Hint("The determinant's power is -1/2.", "the docstring of the stub"),
    "cost_exponent_of_mean": Hint(
        "Your exponent ignores `cov`: it has weight (eye + cov weight)^-1.", "the docstring of the stub"
    ),
    "cost_half_missing": Hint("Your exponent lacks its half.", "the docstring of the stub"),
    "cost_without_weight": Hint("Your exponent lacks the weight.", "the docstring of the stub"),
    "cost_target_missing": Hint("Your cost ignores the target, at least in part.", "the docstring of the stub"),
    "cost_quadratic": Hint(
        "Your cost is quadratic. It has to saturate: 1 minus an exponential.", "the docstring of the stub"
    ),
    "cost_exponent_sign": Hint("The sign of your exponent is turned round.", "the docstring of the stub"),
    "cost_not_differentiable": Hint(
        "No gradient gets from your cost to mean or covariance. Calculate with the tensors themselves.",
        "the docstring of the stub",
    ),
    "cost_slope": Hint(
        "The cost is right, but its gradient is not: probably a part of it is cut off.", "the docstring of the stub"
    ),
}
