"""Hints for hw4/dynamics_model.py (given; standard library only)."""

from __future__ import annotations

from hw4.checking.hint import Hint

HINTS: dict[str, Hint] = {
    "axis_kept": Hint(
        "Your answer has an axis of size 1 too many, so probably `keepdim=True` or `unsqueeze` leaves it there, or it "
        "is the axis over which something should be taken.",
        "Conventions: shapes",
    ),
    "epsilon_added": Hint(
        "Your numbers are those of a spread with a small constant added to it or to its square, so probably an epsilon "
        "is there to avoid a division by 0. Use the spread as it is; where a spread near 0 needs a rule, the docstring "
        "gives it.",
        "the docstring of the stub",
    ),
    "normalizers_stale": Hint(
        "Your model keeps using the normalisers of an earlier call, so probably it has stored a copy of them. Read "
        "`self.input_normalizer` and `self.delta_normalizer` at each call: a fit replaces them.",
        "the docstring of the stub",
    ),
    "cancellation": Hint(
        "Your spread is right for numbers near 0 and wrong for numbers far from it, so probably the square of the mean "
        "is subtracted from the mean of the squares, and the leading digits of both are the same. Subtract the mean "
        "before you square, or use torch's `std`.",
        "the docstring of the stub",
    ),
    "constant_by_rounding": Hint(
        "Your std of a large constant is neither 0 nor 1 but rounding noise, so probably its formula is written out in "
        "float32, or it is computed for one feature at a time. Let torch's `std` compute it, for all features at once.",
        "the docstring of the stub",
    ),
    "root_twice": Hint(
        "The square root of a std is used in place of the std, so probably a root is taken of something that is a std "
        "already, or a std is passed where a variance is wanted.",
        "the docstring of the stub",
    ),
    "std_divisor": Hint(
        "Your standard deviation is a little too large, so probably it divides by N - 1, the default of torch's "
        "`std`. Here the divisor is N: pass `correction=0`.",
        "Conventions: divisors",
    ),
    "std_floor": Hint(
        "Your std of a constant feature is not 1, so probably it is left at 0, raised to a tiny number by `clamp` "
        "(so tiny that it shows as 0), or 1 is added to it. The feature would blow up the first time it changes: "
        "divide it by 1 instead, with `torch.where`.",
        "Conventions: normalising",
    ),
    "std_floor_too_high": Hint(
        "Your normaliser takes a feature of small scale for a constant one, so probably your threshold is larger than "
        "`MIN_STD`. Only below that is the std replaced by 1.",
        "Conventions: normalising",
    ),
    "root_missing": Hint(
        "Your std is its own square, so probably it is a variance. Take the square root, or call `std`.",
        "Conventions: normalising",
    ),
    "statistics_axis": Hint(
        "Your statistics are taken over the wrong axis, so probably features are mixed with each other, or a `dim` is "
        "wrong. There is one number per feature, over all samples.",
        "Conventions: shapes",
    ),
    "constant_not_shifted": Hint(
        "Your mean of a constant feature is not its value, so probably the mean is replaced together with the "
        "std. Only the std of a constant feature is special.",
        "Conventions: normalising",
    ),
    "deviation_center": Hint(
        "Your spread is taken about the wrong centre, so probably the numbers themselves are squared, or their "
        "distance from another mean (the old one, or the smoothed one). Deviations are from the mean of the same "
        "numbers.",
        "the docstring of the stub",
    ),
    "input_not_normalized": Hint(
        "Your network sees the raw observation and action, so probably `input_normalizer.normalize` is missing on "
        "the way in. Training and prediction must feed it the same units.",
        "Conventions: normalising",
    ),
    "output_not_unnormalized": Hint(
        "Your network's answer is used as it comes, so probably `delta_normalizer.unnormalize` is missing, or only "
        "half of what it does (the mean, not the std) is there.",
        "Conventions: normalising",
    ),
    "unnormalize_wrong": Hint(
        "Your network's answer is un-normalised the wrong way round, so probably `normalize` is used instead of "
        "`unnormalize`, or the mean is added before the std multiplies. It is answer * std + mean.",
        "Conventions: normalising",
    ),
    "normalized_twice": Hint(
        "Your network sees inputs that were normalised twice.",
        "Conventions: normalising",
    ),
    "normalized_observation_added": Hint(
        "Your change is added to the normalised observation. It is in the environment's units, so add it to the "
        "observation as it came.",
        "Conventions: normalising",
    ),
    "values_clamped": Hint(
        "Your answer is right for moderate numbers and wrong for large ones, so probably something is clamped or "
        "squashed on the way.",
        "the docstring of the stub",
    ),
    "delta_mean_missing": Hint(
        "Your change of the observation is scaled but not shifted, so probably the delta normaliser's mean is "
        "forgotten. `unnormalize` does both.",
        "Conventions: normalising",
    ),
    "delta_not_added": Hint(
        "Your prediction is the change of the observation alone, so probably the current observation is not added "
        "to it.",
        "the docstring of the stub",
    ),
    "absolute_target": Hint(
        "Your model treats the next observation, not the change, as what the network answers, so probably the "
        "current observation is not subtracted in the loss, or is added one time too many.",
        "the docstring of the stub",
    ),
    "statistics_swapped": Hint(
        "Your network's answer is un-normalised with the statistics of the inputs, so probably `input_normalizer` is "
        "used instead of `delta_normalizer`.",
        "Conventions: normalising",
    ),
    "inputs_swapped": Hint(
        "Your network sees the action before the observation, so probably the arguments of the concatenation are "
        "swapped: the observation comes first.",
        "the docstring of the stub",
    ),
    "batch_statistics": Hint(
        "Your answer for one row depends on the other rows of the batch, so probably it is normalised with the "
        "batch's own mean and std. Use the stored normalisers.",
        "Conventions: normalising",
    ),
    "loss_raw_units": Hint(
        "Your loss compares in the environment's units, so probably the target is not normalised, or the network's "
        "answer is un-normalised first. Compare in normalised units.",
        "Conventions: normalising",
    ),
    "loss_summed": Hint(
        "Your loss grows with the size of the batch or of the observation, so probably it is a sum instead of a mean "
        "over the last two axes, or a mean over only one of them.",
        "the docstring of the stub",
    ),
    "fields_counted": Hint(
        "Your loss is divided by the number of fields of a `Transition`, so probably `len(batch)` is taken for the "
        "size of the minibatch. It is a named tuple: ask one of its fields.",
        "the docstring of the stub",
    ),
    "loss_halved": Hint(
        "Your loss is half of what it should be, so probably there is a 1/2 in front of the square. Here it is "
        "the plain mean.",
        "the docstring of the stub",
    ),
    "loss_over_members": Hint(
        "Your loss is one number for a whole ensemble, so probably the mean is also taken over the members. Average "
        "over the last two axes only, and keep the leading ones.",
        "Conventions: ensembles",
    ),
    "loss_not_squared": Hint(
        "Your errors enter the loss without being squared, so probably an absolute value is used instead of the "
        "square, or a square root is taken at the end.",
        "the docstring of the stub",
    ),
    "loss_detached": Hint(
        "Your loss carries no gradient back to the network's weights, so probably it passes through `detach()`, "
        "`no_grad()`, `.item()`, `.data` or NumPy.",
        "the docstring of the stub",
    ),
    "gradients_not_zeroed": Hint(
        "Your steps after the first go too far, so probably gradients of earlier steps are still there: zero them "
        "before each `backward()`.",
        "the docstring of the stub",
    ),
    "normalizers_not_refreshed": Hint(
        "Your fit trains with stale normalisers, so probably `model.fit_normalizers(transitions)` is not called, or"
        " only after the first loss.",
        "Conventions: normalising",
    ),
    "normalizers_from_minibatch": Hint(
        "Your normalisers are fitted to a minibatch, or again at every step, so probably `fit_normalizers` is called "
        "inside the loop. Call it once, with all transitions, before the loop.",
        "Conventions: normalising",
    ),
    "wrong_step_count": Hint(
        "Your fit takes more or fewer steps than `gradient_steps`, so probably the loop's bounds are off. One "
        "minibatch is drawn for each step.",
        "the docstring of the stub",
    ),
    "no_gradient_step": Hint(
        "Your weights never move, so probably `backward()` or `optimizer.step()` is missing, or gradients are "
        "zeroed between the two.",
        "the docstring of the stub",
    ),
    "same_minibatch": Hint(
        "Your steps all use one minibatch, so probably `sample_indices()` is called before the loop and not in it.",
        "Conventions: randomness",
    ),
    "minibatch_ignored": Hint(
        "Your steps do not use the minibatches that are handed to you, so probably `sample_indices()` is never called "
        "and all the data, or indices of your own, are used.",
        "Conventions: randomness",
    ),
    "step_before_backward": Hint(
        "Your steps are one gradient behind, so probably `optimizer.step()` comes before `backward()`. The order is: "
        "loss, zero the gradients, backward, step.",
        "the docstring of the stub",
    ),
    "optimizer_bypassed": Hint(
        "Your weights are changed by something other than the optimiser that was passed in, so probably the gradient "
        "is subtracted by hand or a new optimiser is created. Call `optimizer.step()`: it knows about momentum and "
        "Adam.",
        "the docstring of the stub",
    ),
    "optimizer_restarted": Hint(
        "Your first fit is right, and a later one does not continue where it ended, so probably the optimiser's state "
        "is cleared, its learning rate is changed, or a new optimiser is created. Keep it as it is between calls.",
        "the docstring of the stub",
    ),
    "gradients_clipped": Hint(
        "Your steps are right where gradients are small and wrong where they are large, so probably gradients or "
        "losses are clipped or squashed. The optimiser takes its step down the gradient as it is.",
        "the docstring of the stub",
    ),
    "stopped_early": Hint(
        "Your fit takes all its steps at first, and fewer once the loss is small, large or rising, so probably it "
        "stops early. Take `gradient_steps` steps, whatever the loss is.",
        "the docstring of the stub",
    ),
    "step_size_changed": Hint(
        "Your steps go the right way, but have the wrong length, so probably gradients are clipped, the loss is"
        " scaled, or the learning rate is changed. The optimiser takes its own step down the gradient as it is.",
        "the docstring of the stub",
    ),
    "losses_not_detached": Hint(
        "Your returned losses still carry their graph, so every step's memory is kept. Append `loss.detach()`.",
        "the docstring of the stub",
    ),
    "loss_after_step": Hint(
        "Your returned losses are one step late, so probably the loss is computed again after the step. Return the "
        "loss from before the step.",
        "the docstring of the stub",
    ),
    "members_not_summed": Hint(
        "Your members' losses are averaged, or kept apart, where they should be added: in the step, or in what is "
        "returned. Step on their sum, so that each member gets exactly its own gradient, and return that sum.",
        "Conventions: ensembles",
    ),
}
