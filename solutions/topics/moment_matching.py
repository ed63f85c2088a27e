"""Moment matching: predict with a distribution instead of with samples (optional topic).

An ensemble follows many trajectories and averages over them. Moment matching follows one Gaussian: from the mean and
the covariance of the state it computes those of the next state, in closed form, and calls that a Gaussian again. For a
linear model the result is exact. For a Gaussian process (GP) mean and covariance are exact for one step, but the next
state is no Gaussian. PILCO (Deisenroth and Rasmussen 2011, "PILCO: A Model-Based and Data-Efficient Approach to Policy
Search") follows the gradients of an expected cost through many such steps: it needs no samples and little data.

    python -m pytest hw4/tests -m "moment_match_linear or gp_predict or moment_match_gp or saturating_cost"

Gaussian processes, their fit and one of the integrals are given in hw4/topics/moment_matching_gp.py, the policy and its
optimiser in hw4/topics/moment_matching_pilco.py. N is the number of data points, I that of inputs, O that of outputs.
All four functions leave what they are given unchanged, and their results are differentiable in every input, mean and
covariance that they are given.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hw4.topics.moment_matching_gp import GP, expected_products, kernel


def moment_match_linear(
    mean: Tensor, cov: Tensor, matrix: Tensor, offset: Tensor, noise_cov: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """What a linear model does to a Gaussian (`moment_match_linear`).

    With x ~ N(mean, cov), noise ~ N(0, noise_cov) independent of it, and y = matrix x + offset + noise:

        E[y]      = matrix mean + offset
        Cov[y]    = matrix cov matrix^T + noise_cov
        Cov[x, y] = cov matrix^T

    y is a Gaussian, so nothing is lost: in double precision the moments are exact within 1e-10.

    Args:
        mean: of x, shape (I,).
        cov: of x, shape (I, I); it may be singular.
        matrix: shape (O, I).
        offset: shape (O,).
        noise_cov: shape (O, O).

    Returns:
        E[y], shape (O,), Cov[y], shape (O, O), and Cov[x, y], shape (I, O).

    Public test: pytest hw4/tests -m moment_match_linear
    """
    ### BEGIN SOLUTION moment_match_linear: about 2 lines.
    cross = cov @ matrix.T
    return matrix @ mean + offset, matrix @ cross + noise_cov, cross
    ### END SOLUTION moment_match_linear


def gp_predict(gp: GP, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of the functions at known inputs (`gp_predict`).

    For each output a, with k_a[n] = k_a(x, x_n) the kernel between an input x and data point n (`kernel`, given):

        mean[a]     = sum_n k_a[n] gp.weights[a, n]
        variance[a] = gp.signal_std[a]^2 - sum_{n, m} k_a[n] gp.inverse[a, n, m] k_a[m]

    The variance is that of the function, so the noise of the measurements is not added. Far from all data the mean is 0
    and the variance is gp.signal_std^2. Rounding may turn a variance near 0 negative: a negative one becomes 0.

    Args:
        gp: the processes; gp.weights has shape (O, N), gp.inverse (O, N, N).
        inputs: shape (B, I), B of them.

    Returns:
        Mean and variance (not std), each of shape (B, O).

    Public test: pytest hw4/tests -m gp_predict
    """
    ### BEGIN SOLUTION gp_predict: about 4 lines, no loop over inputs, outputs or data; `torch.einsum`.
    near = kernel(inputs, gp.inputs, gp.length_scales, gp.signal_std)  # (O, B, N)
    mean = torch.einsum("abn,an->ba", near, gp.weights)
    variance = gp.signal_std**2 - torch.einsum("abn,anm,abm->ba", near, gp.inverse, near)
    return mean, variance.clamp(min=0.0)
    ### END SOLUTION gp_predict


def moment_match_gp(gp: GP, mean: Tensor, cov: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and covariance of the functions at an uncertain input (`moment_match_gp`).

    The input is x ~ N(mean, cov); f(x) are the functions' values there (Deisenroth and Rasmussen 2011, section 2.2).
    With L_a the diagonal matrix of gp.length_scales[a]^2 and d[n] = x_n - mean:

        q[a, n]   = E[k_a(x, x_n)]
                  = s_a^2 |cov + L_a|^(-1/2) |L_a|^(1/2) exp(-1/2 d[n]^T (cov + L_a)^-1 d[n])
        E[f]      = sum_n beta[a, n] q[a, n]
        Cov[x, f] = cov sum_n beta[a, n] q[a, n] (cov + L_a)^-1 d[n]
        Cov[f]    = beta[a]^T Q[a, b] beta[b] - E[f_a] E[f_b] + (unknown[a] where a = b)
        unknown   = s_a^2 - sum_{n, m} inverse[a, n, m] Q[a, a, n, m]

    Here s is gp.signal_std, beta is gp.weights, and Q[a, b, n, m] = E[k_a(x, x_n) k_b(x, x_m)] comes from the given
    `expected_products`. What the model does not know, the expected variance of `gp_predict`, is on the diagonal alone.
    The rest is what the uncertain input does to the mean of `gp_predict`. The processes are independent, but they share
    x, so Cov[f] is not diagonal.

    These moments are exact, up to rounding, also where `cov` is singular; nothing is sampled. Where `cov` is 0, they
    are those of `gp_predict` at `mean`, and Cov[x, f] is 0. Cov[f] is symmetric and has no negative eigenvalue, up to
    rounding.

    Args:
        gp: the processes.
        mean: of x, shape (I,).
        cov: of x, shape (I, I).

    Returns:
        E[f], shape (O,), Cov[f], shape (O, O), and Cov[x, f], shape (I, O).

    Public test: pytest hw4/tests -m moment_match_gp
    """
    ### BEGIN SOLUTION moment_match_gp: about 11 lines, no loop over outputs or data; `torch.linalg.solve`.
    centered, squares = gp.inputs - mean, gp.length_scales**2
    total = cov + torch.diag_embed(squares)  # (O, I, I)
    solved = torch.linalg.solve(total, centered.T.expand(len(total), -1, -1)).mT  # (O, N, I)
    log_shrink = 0.5 * (squares.log().sum(dim=-1) - torch.logdet(total))  # (O,)
    q = gp.signal_std[:, None] ** 2 * torch.exp(log_shrink[:, None] - 0.5 * (centered * solved).sum(dim=-1))
    f_mean = (gp.weights * q).sum(dim=-1)
    cross = cov @ torch.einsum("an,an,ani->ia", gp.weights, q, solved)
    products = expected_products(gp, mean, cov)
    of_means = torch.einsum("an,abnm,bm->ab", gp.weights, products, gp.weights) - torch.outer(f_mean, f_mean)
    unknown = gp.signal_std**2 - torch.einsum("anm,aanm->a", gp.inverse, products)
    return f_mean, of_means + torch.diag(unknown), cross
    ### END SOLUTION moment_match_gp


def saturating_cost(mean: Tensor, cov: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """The cost expected of an uncertain state, which is 0 at the target and 1 far from it (`saturating_cost`).

    For a state x ~ N(mean, cov), with d = mean - target and `eye` the identity matrix:

        cost(x) = 1 - exp(-1/2 (x - target)^T weight (x - target))
        E[cost] = 1 - |eye + cov weight|^(-1/2) exp(-1/2 d^T weight (eye + cov weight)^-1 d)

    Where `cov` is 0, this is the cost of the mean. Far from the target, some uncertainty lowers the expected cost; at
    the target, any raises it. So a policy that minimises it explores as long as the target is far away.

    Args:
        mean: of x, shape (I,).
        cov: of x, shape (I, I); it may be singular.
        target: shape (I,).
        weight: symmetric, without negative eigenvalues, shape (I, I); 0 for what does not matter.

    Returns:
        shape (), from 0 to 1.

    Public test: pytest hw4/tests -m saturating_cost
    """
    ### BEGIN SOLUTION saturating_cost: about 3 lines; `torch.linalg.solve`.
    matrix, off = torch.eye(len(mean)).to(cov) + cov @ weight, mean - target
    exponent = -0.5 * off @ weight @ torch.linalg.solve(matrix, off)
    return 1.0 - torch.exp(exponent - 0.5 * torch.logdet(matrix))
    ### END SOLUTION saturating_cost
