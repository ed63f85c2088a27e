"""Hints for hw4/topics/bayesian_networks.py (given; standard library only)."""

from __future__ import annotations

from hw4.checking.hint import Hint

HINTS: dict[str, Hint] = {
    "weights_std_not_softplus": Hint(
        "Your std is not softplus(raw_std) = log(1 + exp(raw_std)).", "the docstring of the stub"
    ),
    "weights_std_is_variance": Hint(
        "You take the softplus for a variance, or square it. It is the standard deviation.", "the docstring of the stub"
    ),
    "weights_mean_missing": Hint("Your weights are around 0: the mean is missing.", "the docstring of the stub"),
    "weights_noise_missing": Hint("Your weights do not depend on the noise.", "the docstring of the stub"),
    "weights_noise_shared": Hint(
        "All your draws use the noise of the first. Each has its own: noise[e].", "the docstring of the stub"
    ),
    "weights_noise_subtracted": Hint(
        "You subtract the noise. Over many draws it makes no difference, but the equation adds it.",
        "the docstring of the stub",
    ),
    "weights_not_differentiable": Hint(
        "No gradient gets from the weights to mean or std, so q cannot be learned. Calculate with the tensors "
        "themselves; `torch.normal` and `.detach()` cut them off.",
        "the docstring of the stub",
    ),
    "prior_kl_reversed": Hint(
        "You compute KL(prior || q). What is asked for is KL(q || prior).", "the docstring of the stub"
    ),
    "prior_kl_negated": Hint(
        "The sign of your divergence is turned round: it is never below 0.", "the docstring of the stub"
    ),
    "prior_kl_averaged": Hint(
        "You average over weights. The divergence of independent weights is a sum.", "the docstring of the stub"
    ),
    "prior_kl_not_summed": Hint("Sum over all axes: what is asked for is one number.", "the docstring of the stub"),
    "prior_kl_without_half": Hint(
        "A half is missing, or in the wrong place, so your divergence is not 0 at the prior.",
        "the docstring of the stub",
    ),
    "prior_kl_of_unit_prior": Hint(
        "You use the prior N(0, 1), at least in part. Its std is `prior_std`.", "the docstring of the stub"
    ),
    "prior_kl_variance_for_std": Hint(
        "A standard deviation is taken for a variance: `prior_std` and softplus(raw_std) have to be squared.",
        "the docstring of the stub",
    ),
    "prior_kl_raw_std": Hint(
        "You use `raw_std` as a std or its logarithm. The std is softplus(raw_std).", "the docstring of the stub"
    ),
    "prior_kl_without_mean": Hint("Your divergence does not depend on the means.", "the docstring of the stub"),
    "prior_kl_logarithms_swapped": Hint(
        "The logarithm has the wrong sign: it is log(prior_std / std).", "the docstring of the stub"
    ),
    "prior_kl_slope": Hint(
        "The value is right, but its gradient is not, so probably a part of it is cut off (`.detach()`, `.item()`).",
        "the docstring of the stub",
    ),
    "prior_kl_not_differentiable": Hint(
        "No gradient gets from the divergence to mean or std.", "the docstring of the stub"
    ),
    "loss_kl_by_batch": Hint(
        "You divide the divergence by the size of the minibatch. Then it counts N/B times too much. Divide by N.",
        "the docstring of the stub",
    ),
    "loss_kl_not_scaled": Hint(
        "Your divergence is not divided by N, while the other part is a mean.", "the docstring of the stub"
    ),
    "loss_times_data": Hint(
        "Your loss is that of all the data. What is asked for is the loss per transition: over N.",
        "the docstring of the stub",
    ),
    "loss_terms_summed": Hint(
        "You sum over the minibatch. Take the mean, or the loss depends on B.", "the docstring of the stub"
    ),
    "loss_kl_subtracted": Hint(
        "You subtract the divergence. A loss rewards being near the prior by adding it.", "the docstring of the stub"
    ),
    "loss_kl_missing": Hint(
        "The divergence is missing, so nothing keeps the stds above 0.", "the docstring of the stub"
    ),
    "loss_over_all": Hint(
        "You average over the functions, too. There is one loss for each: average over the last axis.",
        "the docstring of the stub",
    ),
    "loss_kl_by_draws": Hint(
        "You share the divergence out among the functions, or count it for each again.", "the docstring of the stub"
    ),
    "loss_not_differentiable": Hint(
        "No gradient gets from the loss to one of its two parts.", "the docstring of the stub"
    ),
    "mask_not_rescaled": Hint(
        "Divide by 1 - p, so that dropping does not shrink what the next layer gets.", "the docstring of the stub"
    ),
    "mask_is_what_drops": Hint(
        "Your mask is near 1 where a unit is dropped. It is 1 minus that.", "the docstring of the stub"
    ),
    "mask_rescaled_by_p": Hint("You divide by p, or multiply by 1 - p. Divide by 1 - p.", "the docstring of the stub"),
    "mask_probability_for_logit": Hint(
        "You use p where its logit belongs: `drop_logit` is already log p - log(1 - p).", "the docstring of the stub"
    ),
    "mask_temperature_ignored": Hint(
        "The temperature divides all that is inside the sigmoid, once.", "the docstring of the stub"
    ),
    "mask_noise_missing": Hint(
        "The noise is log u - log(1 - u). A part of it is missing.", "the docstring of the stub"
    ),
    "mask_noise_turned": Hint(
        "The sign of the noise is turned round. Its law stays the same, but these draws belong to other units.",
        "the docstring of the stub",
    ),
    "mask_is_hard": Hint(
        "Your mask is a hard coin, which has no gradient in p. It has to be soft.", "the docstring of the stub"
    ),
    "mask_share": Hint(
        "At a low temperature your mask drops another share of units than p.", "the docstring of the stub"
    ),
    "mask_not_differentiable": Hint(
        "The gradient in `drop_logit` is missing, in whole or in part. It passes through what is dropped and through "
        "the division by 1 - p.",
        "the docstring of the stub",
    ),
    "dropout_entropy_added": Hint(
        "You add the entropy. It is subtracted: an uncertain coin is rewarded.", "the docstring of the stub"
    ),
    "dropout_entropy_missing": Hint("The entropy is missing, so nothing keeps p above 0.", "the docstring of the stub"),
    "dropout_entropy_once": Hint(
        "Count the entropy once for each INPUT that may be dropped: I times.", "the docstring of the stub"
    ),
    "dropout_entropy_in_bits": Hint("Your entropy is in bits. Use natural logarithms.", "the docstring of the stub"),
    "dropout_entropy_incomplete": Hint(
        "The entropy has two terms: that of p and that of 1 - p.", "the docstring of the stub"
    ),
    "dropout_weights_of_the_wrong_share": Hint(
        "The squares of the weights are divided by 1 - p, once: used are weight / (1 - p), a share 1 - p of the time.",
        "the docstring of the stub",
    ),
    "dropout_length_scale": Hint("`length_scale` comes in as its square, as a factor.", "the docstring of the stub"),
    "dropout_without_half": Hint("The half in front of the squares is missing.", "the docstring of the stub"),
    "dropout_weights_averaged": Hint(
        "Sum the squares of the weights; do not average them.", "the docstring of the stub"
    ),
    "dropout_weights_not_squared": Hint("The prior costs the SQUARES of the weights.", "the docstring of the stub"),
    "dropout_negated": Hint("The sign of your regulariser is turned round.", "the docstring of the stub"),
    "dropout_slope": Hint(
        "The value is right, but its gradient is not, so probably a part of it is cut off (`.detach()`, `.item()`).",
        "the docstring of the stub",
    ),
    "dropout_not_differentiable": Hint(
        "No gradient gets from the regulariser to the weights or the logit.", "the docstring of the stub"
    ),
}
