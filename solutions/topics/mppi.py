"""Planning by a weighted average of all candidates: MPPI with filtered noise, the planner of PDDM (optional topic).

CEM keeps a few elites and refits to them several times. MPPI scores all its candidates once and averages them, each
weighted by the exponential of its return (Williams et al. 2017, "Information Theoretic MPC for Model-Based
Reinforcement Learning"). PDDM draws the candidates with noise that is correlated over time (Nagabandi et al. 2019,
"Deep Dynamics Models for Learning Dexterous Manipulation").

    python -m hw4 train cartpole_ensemble --planner mppi

Both functions leave what they are given unchanged.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hw4.experiments import Experiment
from hw4.mpc import Objective, Planner

KAPPA = 10.0  # 1 / unit of return: a candidate whose return is 1 / KAPPA higher weighs e = 2.7 times as much
BETA = 0.5  # share of new noise at each step: 1 is white noise, a small share holds a push for several steps


def filter_noise(noise: Tensor, beta: float) -> Tensor:
    """Turn white noise into noise that is correlated over time, with variance 1 at every step (`filter_noise`).

    With u_t the noise of one candidate and one action at step t, and v_t the variance of n_t:

        n_t = beta * u_t   + (1 - beta)   * n_{t-1},    n_{-1} = 0
        v_t = beta^2       + (1 - beta)^2 * v_{t-1},    v_{-1} = 0
        filtered_t = n_t / sqrt(v_t)

    The first line is PDDM's filter. Its n_t is a weighted sum of the independent u_0, ..., u_t, so its variance is the
    sum of the squared weights: the second line. It grows from `beta^2` at t = 0 towards `beta / (2 - beta)`. After the
    division, `beta` sets the correlation and nothing else; with `beta` 1 the noise comes back unchanged. Compute the
    standard deviation from `beta` and t; do not estimate it from the noise at hand.

    Args:
        noise: independent draws of mean 0 and variance 1, shape (num_sequences, horizon, act_dim). Each candidate and
            each action is filtered by itself, along the horizon.
        beta: weight of the new noise, in (0, 1].

    Returns:
        The filtered noise, shape (num_sequences, horizon, act_dim). `noise` is unchanged.

    Raises:
        ValueError: `beta` out of range (checked for you above the TODO).

    Public test: pytest hw4/tests -m filter_noise
    """
    if not 0.0 < beta <= 1.0:
        raise ValueError(f"beta must be in (0, 1], got {beta}")
    ### BEGIN SOLUTION filter_noise: about 7 lines; a loop over the horizon is fine, one over candidates is not.
    current, variance = torch.zeros_like(noise[:, 0]), 0.0
    filtered = []
    for t in range(noise.shape[1]):
        current = beta * noise[:, t] + (1.0 - beta) * current
        variance = beta**2 + (1.0 - beta) ** 2 * variance
        filtered.append(current / variance**0.5)
    return torch.stack(filtered, dim=1)
    ### END SOLUTION filter_noise


def mppi_update(returns: Tensor, action_sequences: Tensor, *, kappa: float) -> Tensor:
    """Average all candidates, each weighted by the exponential of its return (`mppi_update`).

    With R[i] the return of candidate A[i] and R_max the largest of them:

        w[i] = exp(kappa * (R[i] - R_max)) / sum_j exp(kappa * (R[j] - R_max))
        plan = sum_i w[i] * A[i]

    The weights sum to 1. R_max is subtracted because exp overflows at large arguments (in float32 above 88); after that
    no argument is above 0. It cancels in the fraction, so adding a constant to all returns changes nothing. As `kappa`
    goes to 0, the plan becomes the plain mean; with a large `kappa` it is the best candidate, or the mean of several
    that are equally good. A candidate with the return `-inf` has the weight 0.

    `kappa` is 1 / lambda of MPPI (Williams et al. 2017), and gamma in PDDM. Its unit is one over the unit of the
    return: if the returns were ten times as large, a tenth of `kappa` would give the same plan. So do not standardise
    the returns.

    Args:
        returns: predicted return R of each candidate, shape (num_sequences,). Higher is better. At least one is finite.
        action_sequences: candidates A, shape (num_sequences, horizon, act_dim).
        kappa: how much a higher return counts, positive.

    Returns:
        The plan, shape (horizon, act_dim). The inputs are unchanged.

    Raises:
        ValueError: `kappa` out of range, a NaN return, or a largest return that is infinite (checked for you above the
            TODO).

    Public test: pytest hw4/tests -m mppi_update
    """
    _check_update_inputs(returns, kappa=kappa)
    ### BEGIN SOLUTION mppi_update: about 3 lines, no loop over candidates.
    scores = torch.exp(kappa * (returns - returns.max()))
    weights = scores / scores.sum()
    return (weights[:, None, None] * action_sequences).sum(dim=0)
    ### END SOLUTION mppi_update


def _check_update_inputs(returns: Tensor, *, kappa: float) -> None:
    if not kappa > 0.0:
        raise ValueError(f"kappa must be positive, got {kappa}")
    if returns.isnan().any():
        raise ValueError(
            f"{int(returns.isnan().sum())} of {len(returns)} returns are NaN: look at the model's predictions and "
            "at the data it was fitted to"
        )
    if returns.max().isinf():
        raise ValueError(f"the largest of {len(returns)} returns is {float(returns.max())}, must be finite")


def build_planner(
    experiment: Experiment,
    objective_from: Callable[[Tensor], Objective],
    generator: torch.Generator,
    *,
    kappa: float = KAPPA,
    beta: float = BETA,
) -> Planner:
    """The planner `mppi` over any `objective_from(observation) -> objective` (given; `hw4.agents` calls it).

    It scores as many candidates as CEM does, population_size * num_iterations, but all of them at once: one call of the
    objective for each plan. `initial_std` is the standard deviation of every action of the candidates around `mean`,
    in units of half the action range, as in the first iteration of CEM; `num_elites`, `num_kept_elites`, `smoothing`
    and `noise_color` play no part.
    """
    task, horizon = experiment.task, experiment.horizon
    num_sequences = experiment.population_size * experiment.num_iterations
    std = experiment.initial_std * (task.action_high - task.action_low) / 2

    @torch.no_grad()
    def planner(observation: Tensor, mean: Tensor) -> Tensor:
        noise = filter_noise(torch.randn(num_sequences, horizon, task.act_dim, generator=generator), beta)
        # Clip before scoring: what is scored must be executable.
        candidates = (mean + std * noise).clamp(task.action_low, task.action_high)
        plan = mppi_update(objective_from(observation)(candidates), candidates, kappa=kappa)
        return plan.clamp(task.action_low, task.action_high)  # an average of rounded numbers may miss by the last digit

    return planner
