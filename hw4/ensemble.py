"""Bootstrap ensembles: several models that agree where there is data, and planning with all of them.

Shapes: E = ensemble_size, P = particles of a member, N = transitions, B = minibatch. The member axis comes first, but
follows time in noise. "..." stands for any leading batch dimensions, including none.
A function leaves its inputs unchanged: nothing is changed in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from hw4.rewards import Reward

# (observation, action) -> mean and variance of the next observation
PredictDistribution = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def bootstrap_indices(num_transitions: int, ensemble_size: int, *, generator: torch.Generator) -> Tensor:
    """Draw a data set for each member: N of the N transitions, with replacement (`bootstrap_indices`).

    Args:
        num_transitions: N.
        ensemble_size: E.
        generator: the only source of randomness; drawing from it advances it, so two calls draw different data sets.

    Returns:
        Integers in [0, N), dtype int64, shape (E, N): row e holds the transitions of member e, each drawn uniformly and
        independently.

    Public test: pytest hw4/tests -m bootstrap_indices
    """
    # TODO(bootstrap_indices): 1 line.
    raise NotImplementedError("bootstrap_indices: write bootstrap_indices in hw4/ensemble.py")


def member_minibatches(member_indices: Tensor, batch_size: int, *, generator: torch.Generator) -> Tensor:
    """Draw a minibatch for each member from its own data set (`member_minibatches`).

    Row e of the result holds `batch_size` entries of row e of `member_indices`, at positions drawn uniformly with
    replacement, and independently for every member: members that share minibatches become alike.

    Args:
        member_indices: each member's data set, shape (E, N), as `bootstrap_indices` draws it.
        batch_size: B, which may be larger than N.
        generator: the only source of randomness; drawing from it advances it.

    Returns:
        Indices of transitions, int64, shape (E, B).

    Public test: pytest hw4/tests -m member_minibatches
    """
    # TODO(member_minibatches): about 3 lines; `torch.gather` picks from each row at its own positions.
    raise NotImplementedError("member_minibatches: write member_minibatches in hw4/ensemble.py")


def particle_returns(
    predict_distribution: PredictDistribution,
    reward: Reward,
    observation: Tensor,
    action_sequences: Tensor,
    noise: Tensor,
) -> Tensor:
    """Every particle's return of every action sequence (`particle_returns`).

    Each member has P particles. A particle stays with its member for the whole roll-out (trajectory sampling "ts_inf",
    Chua et al. 2018, section 5), and samples each next state from what that member predicts. For particle p of member
    e and each sequence:

        s_0 = observation
        mean, variance = predict_distribution(s_t, a_t)[e, p]
        s_{t+1} = mean + sqrt(variance) * noise[t, e, p]
        return = sum_{t=0}^{horizon-1} reward(s_t, a_t, s_{t+1})

    All sequences meet the same noise, so that a better return means a better plan and not better luck. States are never
    averaged, neither over particles nor over members: the mean of a state on the hill and one in the pit is a state
    that nobody predicted. All particles and sequences advance together: exactly `horizon` calls of
    `predict_distribution`.

    Args:
        predict_distribution: observations (E, P, num_sequences, obs_dim) and actions (E, P, num_sequences, act_dim)
            give the mean and the variance (not std) of the next observation, each of shape
            (E, P, num_sequences, obs_dim); member e predicts entry e.
        reward: reward(observation, action, next_observation), paid on arrival; returns (E, P, num_sequences).
        observation: s_0, shape (obs_dim,). Not changed in place.
        action_sequences: shape (num_sequences, horizon, act_dim).
        noise: draws of a standard normal, shape (horizon, E, P, obs_dim). Zeros follow the means.

    Returns:
        shape (E, P, num_sequences).

    Public test: pytest hw4/tests -m particle_returns
    """
    # TODO(particle_returns): about 11 lines; expand the start and the actions, then roll out.
    raise NotImplementedError("particle_returns: write particle_returns in hw4/ensemble.py")


def aggregate_returns(returns: Tensor, aggregation: Literal["expected", "pessimistic", "optimistic"]) -> Tensor:
    """Turn the members' returns of each plan into the one number a planner maximises (`aggregate_returns`).

    "expected" is the mean of the members' returns, "pessimistic" the smallest of them, "optimistic" the largest.

    Args:
        returns: shape (E, ...).
        aggregation: which of the three.

    Returns:
        shape (...).

    Raises:
        ValueError: an unknown aggregation (checked for you above the TODO).

    Public test: pytest hw4/tests -m aggregate_returns
    """
    if aggregation not in ("expected", "pessimistic", "optimistic"):
        raise ValueError(f'aggregation must be "expected", "pessimistic" or "optimistic", got {aggregation!r}')
    # TODO(aggregate_returns): about 5 lines; watch the axis; `amin` returns only the values.
    raise NotImplementedError("aggregate_returns: write aggregate_returns in hw4/ensemble.py")


def gaussian_nll(mean: Tensor, log_variance: Tensor, target: Tensor) -> Tensor:
    """Negative log-likelihood of a Gaussian, elementwise, without its constant (`gaussian_nll`).

        nll = 1/2 * (log_variance + (target - mean)^2 / exp(log_variance))

    The constant 1/2 * log(2 pi) is left out. No mean or sum is taken. Exact for log-variances from -12 to 12, at least:
    nothing is clamped in that range.

    Args:
        mean: predicted mean, shape (...).
        log_variance: natural logarithm of the predicted variance, the same shape.
        target: what was observed, the same shape.

    Returns:
        shape (...).

    Public test: pytest hw4/tests -m gaussian_nll
    """
    # TODO(gaussian_nll): 1 line; what would happen without the first term?
    raise NotImplementedError("gaussian_nll: write gaussian_nll in hw4/ensemble.py")


def decompose_uncertainty(means: Tensor, variances: Tensor) -> tuple[Tensor, Tensor]:
    """Split an ensemble's predictive variance into its two kinds (`uncertainty_split`).

    By the law of total variance over the members, elementwise:

        aleatoric = 1/E * sum_e variances[e]                                  noise that more data will not remove
        epistemic = 1/E * sum_e (means[e] - 1/E * sum_k means[k])^2           disagreement that more data will remove

    The divisor is E, so the two add up exactly to the variance of the mixture of the members.

    Args:
        means: each member's predicted mean, shape (E, ...).
        variances: each member's predicted variance (not std), shape (E, ...).

    Returns:
        (aleatoric, epistemic), two variances, each of shape (...).

    Public test: pytest hw4/tests -m uncertainty_split
    """
    # TODO(uncertainty_split): about 3 lines; one is a mean of variances, the other a variance of means.
    raise NotImplementedError("uncertainty_split: write decompose_uncertainty in hw4/ensemble.py")
