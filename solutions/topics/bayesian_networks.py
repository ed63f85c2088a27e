"""Bayesian neural networks: one network that stands for many (optional topic).

An ensemble is a few guesses at the posterior p(theta | D), one network each. Variational inference keeps a single
network and learns a distribution q(theta) over its weights instead, as near to the posterior as its family allows. It
does so by minimising

    E_q [-log p(D | theta)] + KL(q || prior)

Two families are here. In *Bayes by Backprop* (Blundell et al. 2015, "Weight Uncertainty in Neural Networks") every
weight is a Gaussian of its own: `sample_weights`, `weights_kl`. In *dropout* (Gal and Ghahramani 2016, "Dropout as a
Bayesian Approximation") a weight matrix is a fixed one whose rows are switched off at random: `dropout_regularizer`.
*Concrete dropout* (Gal, Hron and Kendall 2017) learns how often, through a soft mask that has a gradient:
`concrete_mask`. `variational_loss` is what all of them minimise.

    python -m pytest hw4/tests -m "sample_weights or weights_kl or variational_loss or concrete_mask"
    python -m pytest hw4/tests -m dropout_regularizer

The networks are given, in hw4/topics/bayesian_networks_models.py: functions drawn from q are handed to your planner
as if they were the members of an ensemble. E is the number of functions drawn, N that of transitions, B that of a
minibatch, I and O the sizes of a layer's input and output. All five functions leave what they are given unchanged, and
their results are differentiable in all tensors that they are given.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus


def sample_weights(mean: Tensor, raw_std: Tensor, noise: Tensor) -> Tensor:
    """Draw weights from independent Gaussians, so that gradients reach mean and std (`sample_weights`).

        weight[e] = mean + softplus(raw_std) * noise[e],    softplus(r) = log(1 + exp(r))

    All randomness is in `noise`, which is drawn elsewhere: so the weights are a plain function of mean and std (the
    reparametrisation of Kingma and Welling 2014). The softplus keeps every std above 0, whatever `raw_std` is.

    Args:
        mean: of each weight, shape (...).
        raw_std: what the softplus turns into its std (not variance), the same shape.
        noise: draws of a standard normal, shape (E, ...).

    Returns:
        E sets of weights, shape (E, ...).

    Public test: pytest hw4/tests -m sample_weights
    """
    ### BEGIN SOLUTION sample_weights: 1 line, no loop over draws; `torch.nn.functional.softplus`.
    return mean + softplus(raw_std) * noise
    ### END SOLUTION sample_weights


def weights_kl(mean: Tensor, raw_std: Tensor, prior_std: float) -> Tensor:
    """How far the weights' distribution is from the prior: KL(q || prior) (`weights_kl`).

    q = N(mean, std^2) with std = softplus(raw_std), independently for each weight; the prior is N(0, prior_std^2):

        KL = sum over all weights of [log(prior_std / std) + (std^2 + mean^2) / (2 prior_std^2) - 1/2]

    It is 0 where q is the prior, and its gradient is 0 there; elsewhere it is positive. It is computed in closed form,
    not estimated from samples.

    Args:
        mean: of each weight, shape (...).
        raw_std: what the softplus turns into its std, the same shape, from -50 up.
        prior_std: the same for all weights, above 0.

    Returns:
        The divergence in nats, summed over all axes, shape ().

    Public test: pytest hw4/tests -m weights_kl
    """
    ### BEGIN SOLUTION weights_kl: about 3 lines; `math.log` of the prior's std.
    std = softplus(raw_std)
    terms = math.log(prior_std) - torch.log(std) + (std**2 + mean**2) / (2.0 * prior_std**2) - 0.5
    return terms.sum()
    ### END SOLUTION weights_kl


def variational_loss(nll: Tensor, kl: Tensor, num_transitions: int) -> Tensor:
    """The negative evidence lower bound per transition, estimated from a minibatch (`variational_loss`).

        loss = 1/B * sum_b nll[..., b] + kl / N

    The bound is the sum of -log p over all N transitions plus ONE divergence, however the data are cut into
    minibatches. Divided by N, the first part is a mean, which a minibatch estimates without bias; the divergence keeps
    the factor 1/N. So it counts less the more data there are, and its weight does not depend on B.

    Args:
        nll: -log p of each transition of the minibatch under the weights drawn, shape (..., B); with E functions drawn,
            shape (E, B).
        kl: KL(q || prior) of all weights, shape ().
        num_transitions: N, the size of the whole data set (not of the minibatch).

    Returns:
        shape (...), one loss for each function drawn.

    Public test: pytest hw4/tests -m variational_loss
    """
    ### BEGIN SOLUTION variational_loss: 1 line; average over the last axis alone.
    return nll.mean(dim=-1) + kl / num_transitions
    ### END SOLUTION variational_loss


def concrete_mask(drop_logit: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """Soft dropout masks that have a gradient in the probability to drop (`concrete_mask`).

    With p = sigmoid(drop_logit), so that drop_logit = log p - log(1 - p), and u = uniform, elementwise:

        dropped = sigmoid((drop_logit + log u - log(1 - u)) / temperature)
        mask    = (1 - dropped) / (1 - p)

    `dropped` is a relaxed draw of a coin (the concrete distribution of Maddison et al. 2017 and Jang et al. 2017): the
    lower the temperature, the nearer it is to 0 or 1, and in the limit it is 1 with probability p. There the mask is
    that of plain dropout, 0 or 1 / (1 - p), and has the mean 1. At a temperature above 0 the mean is 1 only
    approximately.

    Args:
        drop_logit: of the probability p, shape (), from -15 to 15.
        uniform: draws from (0, 1), one for each unit that may be dropped, shape (...).
        temperature: above 0.

    Returns:
        What the units are multiplied by, shape (...).

    Public test: pytest hw4/tests -m concrete_mask
    """
    ### BEGIN SOLUTION concrete_mask: about 2 lines; 1 - sigmoid(z) is sigmoid(-z).
    kept = (-(drop_logit + uniform.log() - (-uniform).log1p()) / temperature).sigmoid()
    return kept / (-drop_logit).sigmoid()
    ### END SOLUTION concrete_mask


def dropout_regularizer(weight: Tensor, drop_logit: Tensor, length_scale: float) -> Tensor:
    """What KL(q || prior) is for a layer whose inputs are dropped, up to a constant (`dropout_regularizer`).

    With p = sigmoid(drop_logit) and I inputs, each of which is dropped with probability p and otherwise divided by
    1 - p (Gal, Hron and Kendall 2017, section 3):

        regularizer = length_scale^2 / (2 (1 - p)) * sum of weight^2 - I * H(p)
        H(p)        = -p log p - (1 - p) log(1 - p)

    The first term is the prior N(0, 1 / length_scale^2) of the weights that are used, weight / (1 - p), a share 1 - p
    of the time. The second rewards a p near one half: H, the entropy of the coin, has its largest value, log 2, there,
    and gradient 0. Without it, nothing would keep p above 0.

    Args:
        weight: shape (I, O); its row i reads input i.
        drop_logit: of the probability p, shape (), from -15 to 15.
        length_scale: above 0.

    Returns:
        shape (), in nats. Divide it by N as any divergence (`variational_loss`), not here.

    Public test: pytest hw4/tests -m dropout_regularizer
    """
    ### BEGIN SOLUTION dropout_regularizer: about 3 lines; `logsigmoid` is exact where log(1 - p) is not.
    drop, keep = drop_logit.sigmoid(), (-drop_logit).sigmoid()
    entropy = -drop * logsigmoid(drop_logit) - keep * logsigmoid(-drop_logit)
    return length_scale**2 / (2.0 * keep) * (weight**2).sum() - len(weight) * entropy
    ### END SOLUTION dropout_regularizer
