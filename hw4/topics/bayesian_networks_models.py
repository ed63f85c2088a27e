"""Networks with a distribution over their weights, and a dynamics model that learns it (given).

Functions drawn from the distribution answer as the members of an `EnsembleMLP` do, so a planner cannot tell them apart.
Shapes: E = functions drawn, B = batch, I and O = sizes of a layer's input and output.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from hw4.dynamics_model import Normalizer
from hw4.ensemble import gaussian_nll
from hw4.gaussian_model import GaussianDynamicsModel
from hw4.topics.bayesian_networks import (
    concrete_mask,
    dropout_regularizer,
    sample_weights,
    variational_loss,
    weights_kl,
)
from hw4.transitions import Transition

FIRST_STD = 0.1  # of a weight before any data, as a share of its prior's std
TEMPERATURE = 0.1  # of concrete masks, as Gal, Hron and Kendall have it


class PosteriorMLP(nn.Module):
    """An MLP with SiLU of which `num_functions` are drawn at a time; shapes are those of `EnsembleMLP`.

    The functions stay the same until `redraw` is called, so that a roll-out follows one function. The prior of a weight
    is N(0, 1/I): as many inputs as a layer has, its outputs are of the same size.
    """

    def __init__(
        self,
        num_functions: int,
        in_dim: int,
        out_dim: int,
        *,
        width: int,
        num_hidden_layers: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.num_functions, self.generator = num_functions, generator
        self.sizes = list(pairwise([in_dim, *[width] * num_hidden_layers, out_dim]))
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for i, o in self.sizes:
            bound = 1.0 / math.sqrt(i)
            self.weights.append(torch.empty(i, o).uniform_(-bound, bound, generator=generator))
            self.biases.append(torch.empty(1, o).uniform_(-bound, bound, generator=generator))

    def redraw(self, batch_size: int | None = None) -> None:
        """Draw new functions; with `batch_size`, where the family has it, a new one for every row of a batch."""
        raise NotImplementedError

    def kl(self) -> Tensor:
        """KL(q || prior), up to a constant, shape ()."""
        raise NotImplementedError

    def layer(self, number: int, hidden: Tensor) -> Tensor:
        """One layer, without its nonlinearity: (E, B, I) -> (E, B, O)."""
        raise NotImplementedError

    def forward(self, inputs: Tensor) -> Tensor:
        batch_shape = inputs.shape[1:-1] if inputs.dim() >= 3 else inputs.shape[:-1]
        hidden = inputs.expand(self.num_functions, *batch_shape, inputs.shape[-1])
        hidden = hidden.reshape(self.num_functions, -1, inputs.shape[-1])  # (E, B, I)
        for number in range(len(self.sizes) - 1):
            hidden = functional.silu(self.layer(number, hidden))
        outputs = self.layer(len(self.sizes) - 1, hidden)
        return outputs.reshape(self.num_functions, *batch_shape, outputs.shape[-1])


class BackpropMLP(PosteriorMLP):
    """Bayes by Backprop: every weight is a Gaussian (Blundell et al. 2015)."""

    def __init__(
        self,
        num_functions: int,
        in_dim: int,
        out_dim: int,
        *,
        width: int,
        num_hidden_layers: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__(
            num_functions, in_dim, out_dim, width=width, num_hidden_layers=num_hidden_layers, generator=generator
        )
        self.raw_stds = nn.ParameterList()
        for (i, _), weight, bias in zip(self.sizes, self.weights, self.biases, strict=True):
            first = math.log(math.expm1(FIRST_STD / math.sqrt(i)))  # its softplus is FIRST_STD of the prior's std
            self.raw_stds.append(torch.full((len(weight) + len(bias), weight.shape[1]), first))
        self.redraw()

    def redraw(self, batch_size: int | None = None) -> None:
        self.drawn = []
        for weight, bias, raw_std in zip(self.weights, self.biases, self.raw_stds, strict=True):
            noise = torch.randn(self.num_functions, *raw_std.shape, generator=self.generator)
            drawn = sample_weights(torch.cat([weight, bias]), raw_std, noise)
            self.drawn.append((drawn[:, -1:], drawn[:, :-1]))

    def kl(self) -> Tensor:
        layers = zip(self.sizes, self.weights, self.biases, self.raw_stds, strict=True)
        terms = [weights_kl(torch.cat([w, b]), raw_std, 1.0 / math.sqrt(i)) for (i, _), w, b, raw_std in layers]
        return torch.stack(terms).sum()

    def layer(self, number: int, hidden: Tensor) -> Tensor:
        bias, weight = self.drawn[number]
        return torch.baddbmm(bias, hidden, weight)


class DropoutMLP(PosteriorMLP):
    """Dropout before every layer but the first; the probabilities are learned if it is concrete."""

    def __init__(
        self,
        num_functions: int,
        in_dim: int,
        out_dim: int,
        *,
        width: int,
        num_hidden_layers: int,
        generator: torch.Generator,
        drop_probability: float,
        concrete: bool,
    ) -> None:
        super().__init__(
            num_functions, in_dim, out_dim, width=width, num_hidden_layers=num_hidden_layers, generator=generator
        )
        first = torch.full((num_hidden_layers,), math.log(drop_probability / (1.0 - drop_probability)))
        self.concrete = concrete
        self.drop_logits = nn.Parameter(first, requires_grad=concrete)
        self.redraw()

    def redraw(self, batch_size: int | None = None) -> None:
        self.masks = []
        for (width, _), logit in zip(self.sizes[1:], self.drop_logits, strict=True):
            uniform = torch.rand(self.num_functions, batch_size or 1, width, generator=self.generator)
            if self.concrete:
                self.masks.append(concrete_mask(logit, uniform.clamp(1e-7, 1.0 - 1e-7), TEMPERATURE))
            else:
                keep = (-logit).sigmoid()
                self.masks.append((uniform < keep) / keep)

    def kl(self) -> Tensor:
        terms = [0.5 * self.sizes[0][0] * (self.weights[0] ** 2).sum()]
        terms += [0.5 * i * (bias**2).sum() for (i, _), bias in zip(self.sizes, self.biases, strict=True)]
        for (i, _), weight, logit in zip(self.sizes[1:], self.weights[1:], self.drop_logits, strict=True):
            terms.append(dropout_regularizer(weight, logit, math.sqrt(i)))
        return torch.stack(terms).sum()

    def layer(self, number: int, hidden: Tensor) -> Tensor:
        masked = hidden * self.masks[number - 1] if number else hidden
        outputs: Tensor = masked @ self.weights[number] + self.biases[number]
        return outputs

    def drop_probabilities(self) -> list[float]:
        """Of each layer that drops, from the first."""
        return [float(p) for p in self.drop_logits.detach().sigmoid()]


class PosteriorDynamicsModel(GaussianDynamicsModel):
    """A dynamics model whose network is a `PosteriorMLP`. `fit` learns it as it learns any other.

    A network with outputs (..., 2 * obs_dim) predicts mean and log variance of the noise. One with (..., obs_dim)
    predicts the mean alone, and the std of the noise is `noise_std` in normalised units.
    """

    def __init__(
        self,
        network: PosteriorMLP,
        *,
        obs_dim: int,
        noise_std: float,
        input_normalizer: Normalizer,
        delta_normalizer: Normalizer,
    ) -> None:
        def with_noise(inputs: Tensor) -> Tensor:
            outputs: Tensor = network(inputs)
            if outputs.shape[-1] == 2 * obs_dim:
                return outputs
            return torch.cat([outputs, torch.full_like(outputs, 2.0 * math.log(noise_std))], dim=-1)

        super().__init__(with_noise, input_normalizer=input_normalizer, delta_normalizer=delta_normalizer)
        self.posterior = network
        self.num_transitions = 0

    def fit_normalizers(self, transitions: Transition) -> None:
        super().fit_normalizers(transitions)
        self.num_transitions = len(transitions.action)

    def loss(self, batch: Transition) -> Tensor:
        """The variational loss of E functions, drawn anew, each with its own minibatch, shape (E,)."""
        self.posterior.redraw(batch.action.shape[-2])
        mean, variance = self.predict_distribution(batch.observation, batch.action)
        nll = gaussian_nll(mean, variance.log(), batch.next_observation).sum(dim=-1)  # (E, B)
        return variational_loss(nll, self.posterior.kl(), self.num_transitions)

    @torch.no_grad()
    def draw_functions(self) -> None:
        """Draw the E functions that answer from now on, until the next fit."""
        self.posterior.redraw()
