"""Probabilistic members: a dynamics model that predicts a mean and a variance, trained with beta-NLL (given).

Built from your own `DynamicsModel.predict` and `gaussian_nll`.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from hw4.dynamics_model import DynamicsModel, Normalizer
from hw4.ensemble import gaussian_nll
from hw4.networks import soft_bound
from hw4.transitions import Transition

BETA = 0.5  # 0 is the plain likelihood; 1 weighs all errors alike, as squared error does


class GaussianDynamicsModel(DynamicsModel):
    """Predicts a Gaussian over the next observation.

    `network` maps (..., obs_dim + act_dim) to (..., 2 * obs_dim): the mean of the normalised change of the
    observation, then its log-variance, which is kept inside soft bounds.
    """

    def __init__(
        self, network: Callable[[Tensor], Tensor], *, input_normalizer: Normalizer, delta_normalizer: Normalizer
    ) -> None:
        self._head = _MeanHead(network)
        super().__init__(self._head, input_normalizer=input_normalizer, delta_normalizer=delta_normalizer)

    def predict_distribution(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the next observation, in the environment's units, each of shape (..., obs_dim)."""
        mean = self.predict(observation, action)
        return mean, self._head.log_variance.exp() * self.delta_normalizer.std**2

    def loss(self, batch: Transition) -> Tensor:
        """beta-NLL (Seitzer et al. 2022): each entry's likelihood weighted by its variance^beta, held constant.

        The plain likelihood learns slowly where the variance is large, and then never escapes from there. The
        likelihood is taken in the environment's units, which shifts it by a constant and changes no gradient.
        """
        mean = self.predict(batch.observation, batch.action)
        log_variance = self._head.log_variance
        weight = (BETA * log_variance.detach()).exp()
        nll = gaussian_nll(mean, log_variance + 2.0 * self.delta_normalizer.std.log(), batch.next_observation)
        return (weight * nll).mean(dim=(-2, -1))


class _MeanHead:
    """Answers the network's means and remembers the log-variances that came with them."""

    def __init__(self, network: Callable[[Tensor], Tensor]) -> None:
        self._network = network
        self.log_variance: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        mean, log_variance = self._network(inputs).chunk(2, dim=-1)
        self.log_variance = soft_bound(log_variance)
        return mean
