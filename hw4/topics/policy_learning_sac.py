"""Soft actor-critic (Haarnoja et al. 2018) in its plainest form, for the topic `policy_learning` (given).

A policy pi(a | s), Gaussian and squashed into [-1, 1] by tanh, maximises rewards plus alpha times its entropy. Critics
estimate what follows an action:

    Q(s, a) = r + gamma V(s'),      V(s) = E[Q(s, a) - alpha log pi(a | s)],   a ~ pi(. | s)

The critic is trained towards targets that come from outside, so that a model may improve them. Shapes: B = batch, S and
A = sizes of observation and action, M = critics.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from hw4.networks import MLP, EnsembleMLP

LOG_STD_RANGE = (-5.0, 1.0)
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


Pessimism = Literal["min", "mean"]

GAMMA = 0.98  # discount of a step
TAU = 0.01  # weight of the new critics in the target critics, at each update
LEARNING_RATE = 1e-3  # of actor, critics and temperature
FIRST_TEMPERATURE = 0.1  # alpha
WIDTH = 64  # of two hidden layers


def squash(mean: Tensor, log_std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """An action tanh(u), u = mean + std * noise, and its log density.

        log pi(a) = sum_i (log N(u_i; mean_i, std_i^2) - log(1 - tanh(u_i)^2))

    Args:
        mean: shape (..., A).
        log_std: logarithm of the standard deviation, shape (..., A).
        noise: draws of a standard normal, shape (..., A).

    Returns:
        The action, shape (..., A), and its log density, shape (...).
    """
    u = mean + log_std.exp() * noise
    log_normal = -0.5 * noise**2 - log_std - HALF_LOG_2PI
    log_slope = 2.0 * (math.log(2.0) - u - functional.softplus(-2.0 * u))  # log(1 - tanh(u)^2), exact far out
    return u.tanh(), (log_normal - log_slope).sum(dim=-1)


class SoftActorCritic:
    """Actor, critics, target critics and temperature, and the updates of each."""

    def __init__(
        self,
        centre: Tensor,
        unit: Tensor,
        act_dim: int,
        *,
        num_critics: int,
        pessimism: Pessimism,
        generator: torch.Generator,
    ) -> None:
        """
        Args:
            centre: what the networks see as 0, shape (S,).
            unit: what they see as a difference of 1, shape (S,).
            act_dim: A.
            num_critics: M; 2 are twins.
            pessimism: whether the smallest of the critics' values counts, or their mean.
            generator: of first weights and actions.
        """
        self.generator, self._pessimism = generator, pessimism
        self._centre, self._unit, self._act_dim = centre, unit, act_dim
        obs_dim = len(centre)
        self.actor = MLP(obs_dim, 2 * act_dim, width=WIDTH, num_hidden_layers=2, generator=generator)
        self.critics, self.target_critics = (
            EnsembleMLP(num_critics, obs_dim + act_dim, 1, width=WIDTH, num_hidden_layers=2, generator=generator)
            for _ in range(2)
        )
        self.target_critics.load_state_dict(self.critics.state_dict())
        self.log_temperature = torch.tensor(math.log(FIRST_TEMPERATURE), requires_grad=True)
        self._actor_optimizer = self._adam(self.actor.parameters())
        self._critic_optimizer = self._adam(self.critics.parameters())
        self._temperature_optimizer = self._adam([self.log_temperature])

    @staticmethod
    def _adam(weights: Iterable[Tensor]) -> torch.optim.Optimizer:
        return torch.optim.Adam(weights, lr=LEARNING_RATE, fused=True)

    @property
    def temperature(self) -> float:
        """Alpha: what a unit of entropy is worth."""
        return math.exp(self.log_temperature.item())

    def _distribution(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = self.actor((observation - self._centre) / self._unit).chunk(2, dim=-1)
        return mean, log_std.clamp(*LOG_STD_RANGE)

    def sample(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Actions of the policy and their log densities: (..., S) -> (..., A) and (...)."""
        mean, log_std = self._distribution(observation)
        return squash(mean, log_std, torch.randn(mean.shape, generator=self.generator))

    @torch.no_grad()
    def mode(self, observation: Tensor) -> Tensor:
        """Actions without exploration: (..., S) -> (..., A)."""
        return self._distribution(observation)[0].tanh()

    def q(self, critics: nn.Module, observation: Tensor, action: Tensor) -> Tensor:
        """What each critic says: (B, S) and (B, A) -> (M, B)."""
        inputs = torch.cat([(observation - self._centre) / self._unit, action], dim=-1)
        values: Tensor = critics(inputs)
        return values.squeeze(-1)

    def _combined(self, q: Tensor) -> Tensor:
        return q.amin(dim=0) if self._pessimism == "min" else q.mean(dim=0)

    @torch.no_grad()
    def values_of_each(self, observation: Tensor) -> Tensor:
        """V(s) by each target critic, from one action of the policy: (B, S) -> (M, B)."""
        action, log_prob = self.sample(observation)
        return self.q(self.target_critics, observation, action) - self.temperature * log_prob

    def values(self, observation: Tensor) -> Tensor:
        """V(s) by the target critics together: (B, S) -> (B,)."""
        return self._combined(self.values_of_each(observation))

    def update_critics(self, observation: Tensor, action: Tensor, target: Tensor) -> None:
        """One gradient step of all critics towards the targets: shapes (B, S), (B, A) and (B,)."""
        loss = ((self.q(self.critics, observation, action) - target) ** 2).mean(dim=-1).sum()
        self._step(self._critic_optimizer, loss)
        with torch.no_grad():
            for new, old in zip(self.critics.parameters(), self.target_critics.parameters(), strict=True):
                old.lerp_(new, TAU)

    def update_policy(self, observation: Tensor) -> None:
        """One gradient step of the actor, and one of the temperature, which holds the entropy at -A: shape (B, S)."""
        action, log_prob = self.sample(observation)
        q = self._combined(self.q(self.critics, observation, action))
        self._step(self._actor_optimizer, (self.temperature * log_prob - q).mean())
        too_sure = log_prob.detach().mean() - self._act_dim
        self._step(self._temperature_optimizer, -self.log_temperature.exp() * too_sure)

    @staticmethod
    def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
