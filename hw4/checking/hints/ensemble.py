"""Hints for hw4/ensemble.py (given; standard library only)."""

from __future__ import annotations

from hw4.checking.hint import Hint

HINTS: dict[str, Hint] = {
    "without_replacement": Hint(
        "Your draw holds every transition once, or too few of them, so probably it is a permutation. A bootstrap "
        "draws with replacement.",
        "Conventions: ensembles",
    ),
    "members_share_data": Hint(
        "Your members get the same data set, so probably one row is drawn and repeated. Draw each row separately.",
        "Conventions: ensembles",
    ),
    "members_share_minibatch": Hint(
        "Your members draw the same positions, so probably one set of positions is used for all rows. Members that "
        "share minibatches become alike.",
        "Conventions: ensembles",
    ),
    "not_own_data": Hint(
        "Your members get transitions that are not theirs, so probably positions are returned instead of the entries "
        "at these positions, or another member's row is read.",
        "Conventions: ensembles",
    ),
    "out_of_range": Hint(
        "Your draw leaves out an index or goes beyond the last, so probably the bounds are off by one: torch's "
        "`randint` excludes its upper end.",
        "Conventions: randomness",
    ),
    "not_uniform": Hint(
        "Some entries are drawn more often than others, so probably numbers are rounded, or are not drawn from all "
        "the entries. Every entry must be equally likely.",
        "Conventions: randomness",
    ),
    "draws_in_order": Hint(
        "Your draws go up or down along a row, so probably they are sorted, or counted up from a first one. Every "
        "entry is drawn independently of the one before.",
        "Conventions: randomness",
    ),
    "duplicates_lost": Hint(
        "A transition that is in a data set several times is in your minibatches no more often than one that is in it "
        "once, so probably duplicates are removed. Draw positions: the duplicates are the bootstrap.",
        "Conventions: ensembles",
    ),
    "states_averaged": Hint(
        "Your members' states are averaged during the roll-out, so probably a mean over members is taken inside the "
        "loop. Each member follows its own state, and only returns may be averaged.",
        "Conventions: ensembles",
    ),
    "particles_averaged": Hint(
        "Your particles' states are averaged during the roll-out, so probably a mean over particles is taken inside "
        "the loop. Each particle follows its own state, and only returns may be averaged.",
        "the docstring of the stub",
    ),
    "actions_not_repeated": Hint(
        "Your model or reward is called with the states of all members and particles but with fewer copies of the "
        "actions, so probably the actions were not repeated. Expand both to (E, P, ...).",
        "Conventions: ensembles",
    ),
    "noise_not_expanded": Hint(
        "Your next observation has another shape than the state and the action it follows from, so probably the noise "
        "was added without an axis for the sequences. `noise[t]` has shape (E, P, obs_dim): use `unsqueeze(-2)`.",
        "the docstring of the stub",
    ),
    "member_axis": Hint(
        "Your model is called without the axes of members and particles in front, so probably they were put into one "
        "axis with the sequences, swapped, or left out. `predict_distribution` gets (E, P, num_sequences, obs_dim).",
        "Conventions: ensembles",
    ),
    "axes_swapped": Hint(
        "Your returns are right but in another order, so probably two axes are swapped. Members come first, then "
        "particles, then sequences.",
        "Conventions: ensembles",
    ),
    "noise_ignored": Hint(
        "Your particles follow the predicted means, so probably the noise is never added. The next state is the mean "
        "plus the standard deviation times the noise.",
        "the docstring of the stub",
    ),
    "spread_ignored": Hint(
        "Your noise moves every state equally far, so probably it is added without being multiplied by the predicted "
        "standard deviation.",
        "the docstring of the stub",
    ),
    "noise_of_another_step": Hint(
        "Your particles meet the noise of another step, so probably the index along the horizon is always the same, or "
        "runs another way. Step t meets `noise[t]`, which is new at each step.",
        "the docstring of the stub",
    ),
    "noise_of_another_particle": Hint(
        "Your particles meet the noise of another particle or member, so probably one is picked for all, or a reshape "
        "or a transpose mixes the two axes. Particle p of member e meets `noise[t, e, p]`.",
        "the docstring of the stub",
    ),
    "noise_of_another_feature": Hint(
        "Some entries of your states meet the noise of another entry, so probably one number is used for the whole "
        "state, or the axes are mixed. Each entry of a state has noise of its own.",
        "the docstring of the stub",
    ),
    "noise_altered": Hint(
        "Your noise is changed before it is used, so probably it is clamped, or its sign is lost or swapped. Use the "
        "noise as it is.",
        "the docstring of the stub",
    ),
    "log_variance_for_variance": Hint(
        "Your particles move as if the predicted variance were a logarithm, so probably there is an exponential too "
        "many. `predict_distribution` gives the variance itself.",
        "the docstring of the stub",
    ),
    "noise_not_given": Hint(
        "Your particles meet other noise than the one passed in, so probably the function draws for itself, as "
        "`torch.randn_like` or `torch.normal` do. Use the argument `noise`: all sequences meet the same.",
        "the docstring of the stub",
    ),
    "loop_over_particles": Hint(
        "Your code asks the model about some of the particles at a time, so probably there is a Python loop over them. "
        "Let all advance together: `horizon` calls for all particles and sequences.",
        "the docstring of the stub",
    ),
    "one_member_only": Hint(
        "Your answer depends on one member alone, so probably an index picks that one for all of them.",
        "Conventions: ensembles",
    ),
    "one_particle_only": Hint(
        "Your answer depends on one particle of each member alone, so probably an index picks that one for all of "
        "them.",
        "the docstring of the stub",
    ),
    "members_resampled": Hint(
        "Your particles switch to another member, or trade places, on the way, so probably members are drawn or "
        "shuffled at every step. In TS-infinity each particle keeps its member to the end.",
        "Conventions: ensembles",
    ),
    "aggregation_axis": Hint(
        "Your mean, minimum or maximum is taken over the wrong axis, or where none should be taken, so probably the "
        "member axis, the first one, is mistaken for another.",
        "Conventions: ensembles",
    ),
    "sum_for_mean": Hint(
        "Your answer grows with the number of members, so probably a sum is used instead of a mean.",
        "the docstring of the stub",
    ),
    "spread_for_extreme": Hint(
        "Your pessimistic or optimistic return is a mean minus or plus a spread. Return the smallest or the largest of "
        "the members' returns itself.",
        "the docstring of the stub",
    ),
    "middle_for_extreme": Hint(
        "Your answer is a return from the middle of the members' returns, so probably a median or a quantile is taken, "
        "or the smallest and the largest are left out.",
        "the docstring of the stub",
    ),
    "not_refused": Hint(
        "Your function answers for an unknown aggregation, so probably the given check above the TODO is gone. Raise a "
        "ValueError.",
        "the docstring of the stub",
    ),
    "index_returned": Hint(
        "Your answer is the number of a member, so probably `argmin` or `argmax` is used instead of the value.",
        "the docstring of the stub",
    ),
    "pessimism_swapped": Hint(
        "Your pessimistic and optimistic answers are swapped, so probably the smallest and the largest are too. A "
        "pessimist expects the smallest return.",
        "Conventions: ensembles",
    ),
    "log_variance_missing": Hint(
        "Your likelihood leaves out the log-variance term, so probably only the weighted error is there. Without it"
        " an infinite variance would be best.",
        "the docstring of the stub",
    ),
    "likelihood_not_negated": Hint(
        "Your answer has the wrong sign throughout, so probably it is the log-likelihood and not the negative of it.",
        "the docstring of the stub",
    ),
    "nll_weighted": Hint(
        "Your likelihood is multiplied by a power of the variance, as in beta-NLL. That weight is applied elsewhere; "
        "this function has none.",
        "the docstring of the stub",
    ),
    "log_variance_sign": Hint(
        "Your log-variance enters with the wrong sign, so probably the first term is subtracted, or the error is "
        "multiplied by the variance where it should be divided.",
        "the docstring of the stub",
    ),
    "variance_for_log_variance": Hint(
        "Your likelihood takes the log-variance for a variance, so probably an exponential is missing, or a "
        "logarithm is taken once more.",
        "the docstring of the stub",
    ),
    "log_variance_clamped": Hint(
        "Your likelihood is right except for very small or very large variances, so probably the log-variance is "
        "clamped, or the numbers lose their precision. Bounds belong in the network, which already has them.",
        "the docstring of the stub",
    ),
    "total_for_part": Hint(
        "One of your two parts is the whole variance, so probably the other is not subtracted, or both are added. "
        "Return each part separately.",
        "Conventions: ensembles",
    ),
    "std_for_variance": Hint(
        "Your spread is off by a square, so probably a standard deviation and a variance are mixed up somewhere.",
        "the docstring of the stub",
    ),
    "half_missing": Hint(
        "Your likelihood is too large by a factor of two in one term or in both, so probably the 1/2 in front is "
        "missing or is applied to one term only.",
        "the docstring of the stub",
    ),
    "constant_included": Hint(
        "Your likelihood is too large by the same amount everywhere, so probably the constant with 2 pi is "
        "included. It is left out here.",
        "the docstring of the stub",
    ),
    "mean_taken": Hint(
        "Your answer is averaged or added up, so probably there is a `mean()` or `sum()` too many.",
        "the docstring of the stub",
    ),
    "kinds_swapped": Hint(
        "Your two kinds of uncertainty are swapped, so probably the order of the returned pair is wrong. "
        "Aleatoric is the mean of the variances, epistemic the variance of the means.",
        "Conventions: ensembles",
    ),
    "epistemic_divisor": Hint(
        "Your epistemic part is too large, so probably it divides by E - 1, the default of torch's `var`. With the "
        "divisor E the two parts add up exactly.",
        "Conventions: divisors",
    ),
    "generator_ignored": Hint(
        "Your draws do not follow the generator that was passed in, so probably a random call lacks "
        "`generator=generator`, or a generator of your own is created.",
        "Conventions: randomness",
    ),
}
