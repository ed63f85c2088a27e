"""PILCO's policy, roll-out and optimiser, on the functions of the topic `moment_matching` (given).

A state is (angle from upright, angular velocity); an action is from -1 to 1. The model is a GP of the state's change.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hw4.topics.moment_matching import moment_match_gp, saturating_cost
from hw4.topics.moment_matching_gp import GP, fit_gp

NUM_CENTERS = 20  # of the policy's radial basis functions
WEIGHT_STD = 1.5  # of its first weights
MAX_DATA = 100  # transitions that the model is fitted to
LEARNING_RATE = 0.1  # of Adam
MAX_GRADIENT = 1.0  # its norm; roll-outs through an unstable state have steep ones
TARGET = (0.0, 0.0)
COST_WEIGHT = (1.0, 0.02)  # of (angle / rad)^2 and (angular velocity / (rad/s))^2


class Policy(nn.Module):
    """sin(sum_i weight_i exp(-1/2 sum_j ((x_j - center_ij) / scale_j)^2)): bounded, smooth, with exact moments."""

    def __init__(self, center_mean: Tensor, center_std: Tensor, *, generator: torch.Generator) -> None:
        super().__init__()
        size = NUM_CENTERS, len(center_mean)
        noise = torch.randn(size, generator=generator, dtype=torch.float64)
        self.centers = nn.Parameter(center_mean + center_std * noise)
        self.log_scales = nn.Parameter(center_std.log().clone())
        self.weights = nn.Parameter(WEIGHT_STD * torch.randn(NUM_CENTERS, generator=generator, dtype=torch.float64))

    def network(self) -> GP:
        """The sum, as the mean of a GP."""
        nothing = torch.zeros(1, NUM_CENTERS, NUM_CENTERS, dtype=torch.float64)
        one = torch.ones(1, dtype=torch.float64)
        return GP(self.centers, self.log_scales.exp()[None], one, self.weights[None], nothing)

    def forward(self, state: Tensor) -> Tensor:
        """The action of a state, shape (2,) -> (1,)."""
        scaled = (state - self.centers) / self.log_scales.exp()
        return (self.weights * torch.exp(-0.5 * (scaled**2).sum(dim=-1))).sum()[None].sin()

    def moments(self, mean: Tensor, cov: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, variance and covariance with the state of the action of an uncertain state."""
        network = self.network()
        value_mean, value_cov, cross = moment_match_gp(network, mean, cov)
        return sine_moments(value_mean, value_cov - torch.diag(network.signal_std**2), cross)


def sine_moments(mean: Tensor, cov: Tensor, cross: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Moments of the sine of a Gaussian number, and its covariance with another Gaussian.

    Args:
        mean: shape (1,).
        cov: shape (1, 1).
        cross: covariance of the other with the number, shape (I, 1).
    """
    variance = cov[0].clamp(min=0.0)
    shrink = torch.exp(-0.5 * variance)
    sine, cosine = shrink * mean.sin(), shrink * mean.cos()
    square = 0.5 * (1.0 - torch.exp(-2.0 * variance) * (2.0 * mean).cos())
    return sine, (square - sine**2).clamp(min=0.0)[None], cross * cosine


def pilco_step(model: GP, policy: Policy, mean: Tensor, cov: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance of the next state, shapes (2,) and (2, 2)."""
    action_mean, action_cov, action_cross = policy.moments(mean, cov)
    joint_mean = torch.cat([mean, action_mean])
    joint_cov = torch.cat([torch.cat([cov, action_cross], dim=1), torch.cat([action_cross.T, action_cov], dim=1)])
    change_mean, change_cov, cross = moment_match_gp(model, joint_mean, joint_cov)
    cross = cross[: len(mean)]
    next_cov = cov + change_cov + cross + cross.T
    return mean + change_mean, (next_cov + next_cov.T) / 2


def rollout(model: GP, policy: Policy, mean: Tensor, cov: Tensor, num_steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Follow a Gaussian.

    Returns:
        Means, shape (num_steps, 2), covariances, shape (num_steps, 2, 2), and expected costs, shape (num_steps,), of
        the states after 1, 2, ... steps.
    """
    target, weight = torch.tensor(TARGET).to(mean), torch.diag(torch.tensor(COST_WEIGHT).to(mean))
    means, covs, costs = [], [], []
    for _ in range(num_steps):
        mean, cov = pilco_step(model, policy, mean, cov)
        means.append(mean)
        covs.append(cov)
        costs.append(saturating_cost(mean, cov, target, weight))
    return torch.stack(means), torch.stack(covs), torch.stack(costs)


def best_of(model: GP, policies: list[Policy], mean: Tensor, cov: Tensor, *, num_steps: int) -> Policy:
    """The policy with the lowest expected cost of a whole roll-out."""
    with torch.no_grad():
        costs = [rollout(model, policy, mean, cov, num_steps)[2].sum().nan_to_num(math.inf) for policy in policies]
    return policies[int(torch.stack(costs).argmin())]


def improve(model: GP, policy: Policy, mean: Tensor, cov: Tensor, *, num_steps: int, gradient_steps: int) -> float:
    """Follow the gradient of the expected cost of a whole roll-out; the policy keeps the best that was seen.

    Returns:
        The lowest expected cost, summed over the steps.
    """
    optimizer = torch.optim.Adam(policy.parameters(), lr=LEARNING_RATE)
    best, kept = math.inf, policy.state_dict()
    for _ in range(gradient_steps):
        optimizer.zero_grad()
        cost = rollout(model, policy, mean, cov, num_steps)[2].sum()
        if not bool(cost.isfinite()):
            break
        value = float(cost.detach())
        if value < best:
            best = value
            kept = {name: value.clone() for name, value in policy.state_dict().items()}
        cost.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(policy.parameters(), MAX_GRADIENT)
        optimizer.step()
    policy.load_state_dict(kept)
    return best


def fit_model(states: Tensor, actions: Tensor, next_states: Tensor, *, generator: torch.Generator) -> GP:
    """A GP of the change of the state, fitted to at most MAX_DATA of the transitions.

    Args:
        states: shape (N, 2), in double precision.
        actions: shape (N, 1).
        next_states: shape (N, 2).
        generator: draws the transitions.
    """
    chosen = torch.randperm(len(states), generator=generator)[:MAX_DATA]
    inputs = torch.cat([states, actions], dim=-1)[chosen]
    return fit_gp(inputs, (next_states - states)[chosen])
