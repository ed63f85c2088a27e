"""Hints for hw4/topics/latent_models.py (given; standard library only)."""

from __future__ import annotations

from hw4.checking.hint import Hint

HINTS: dict[str, Hint] = {
    "kalman_not_predicted": Hint(
        "Your belief is corrected, but not predicted before: mean and covariance first go through A, and Q is added.",
        "the docstring of the stub",
    ),
    "kalman_mean_not_predicted": Hint(
        "Your mean is not predicted before it is corrected: m_p = A m.", "the docstring of the stub"
    ),
    "kalman_covariance_not_predicted": Hint(
        "Your covariance is not predicted before it is corrected: P_p = A P A^T + Q.", "the docstring of the stub"
    ),
    "kalman_process_noise_missing": Hint(
        "The process noise Q is missing in your predicted covariance.", "the docstring of the stub"
    ),
    "kalman_transition_transposed": Hint(
        "A and its transpose are exchanged in your code. The mean becomes A m, the covariance A P A^T + Q.",
        "the docstring of the stub",
    ),
    "kalman_covariance_predicted_wrongly": Hint(
        "Your predicted covariance has A on one side only: it is A P A^T + Q.", "the docstring of the stub"
    ),
    "kalman_not_corrected": Hint(
        "Your belief is only predicted; what is observed does not correct it.", "the docstring of the stub"
    ),
    "kalman_surprise_reversed": Hint(
        "Your mean moves away from what is observed, so probably the surprise has the wrong sign: o - C m_p.",
        "the docstring of the stub",
    ),
    "kalman_observation_noise_missing": Hint(
        "The noise of the observation, R, is missing in your V = C P_p C^T + R.", "the docstring of the stub"
    ),
    "kalman_covariance_grows": Hint(
        "Your covariance grows when something is observed. It shrinks: P_p - G C P_p.", "the docstring of the stub"
    ),
    "likelihood_without_constant": Hint(
        "p log(2 pi) is missing in your log likelihood; p is the number of entries of the observation.",
        "the docstring of the stub",
    ),
    "likelihood_without_determinant": Hint("log det V is missing in your log likelihood.", "the docstring of the stub"),
    "likelihood_determinant_sign": Hint(
        "log det V has the wrong sign in your log likelihood: a wide prediction makes every single observation "
        "less likely.",
        "the docstring of the stub",
    ),
    "likelihood_negated": Hint(
        "Your log likelihood has the wrong sign: it is higher where the observation was expected.",
        "the docstring of the stub",
    ),
    "likelihood_without_half": Hint("The factor 1/2 is missing in your log likelihood.", "the docstring of the stub"),
    "likelihood_is_no_logarithm": Hint(
        "Your likelihood is the density itself; what is asked for is its natural logarithm.",
        "the docstring of the stub",
    ),
    "likelihood_after_correction": Hint(
        "Your log likelihood compares the observation with the corrected belief, which has seen it already. "
        "Compare it with the predicted one.",
        "the docstring of the stub",
    ),
    "likelihood_without_inverse": Hint(
        "Your surprise is weighed by V and not by its inverse: e^T V^-1 e.", "the docstring of the stub"
    ),
    "likelihood_mean_of_entries": Hint(
        "Your squared surprise is a mean over the entries of the observation; it is a sum.", "the docstring of the stub"
    ),
    "elbo_divergence_added": Hint(
        "Your divergence from the prior is added. It is subtracted: the bound is lower the further q is from the "
        "prior.",
        "the docstring of the stub",
    ),
    "elbo_divergence_reversed": Hint(
        "Your divergence is KL(p || q). The bound has KL(q || p).", "the docstring of the stub"
    ),
    "elbo_divergence_missing": Hint(
        "The divergence from the prior is missing in your bound.", "the docstring of the stub"
    ),
    "elbo_at_the_mean": Hint(
        "Your likelihood is that at the mean of q alone. What q spreads costs, too: tr(R^-1 C S C^T).",
        "the docstring of the stub",
    ),
    "elbo_without_constant": Hint(
        "A constant is missing in your expected log likelihood: log det R + p log(2 pi).", "the docstring of the stub"
    ),
    "elbo_dimension_missing": Hint(
        "The number n of entries of z is missing in your divergence, or has the wrong sign.",
        "the docstring of the stub",
    ),
    "elbo_determinants_swapped": Hint(
        "The two determinants of your divergence are exchanged: log det P_0 - log det S.", "the docstring of the stub"
    ),
    "elbo_determinants_missing": Hint(
        "The determinants are missing in your divergence: log det P_0 - log det S.", "the docstring of the stub"
    ),
    "elbo_negated": Hint("Your bound has the wrong sign: higher is better.", "the docstring of the stub"),
    "elbo_is_the_evidence": Hint(
        "Your answer is log p(o), whatever q is. The bound depends on q, and only the exact posterior reaches log "
        "p(o).",
        "the docstring of the stub",
    ),
    "elbo_without_shift": Hint(
        "The distance between the means of q and of the prior is missing in your divergence.",
        "the docstring of the stub",
    ),
    "kl_reversed": Hint("Your divergence is KL(p || q): q and p are exchanged.", "the docstring of the stub"),
    "kl_negated": Hint("Your divergence has the wrong sign; it is never negative.", "the docstring of the stub"),
    "kl_without_half": Hint("The factor 1/2 is missing in your divergence.", "the docstring of the stub"),
    "kl_without_one": Hint(
        "The -1 of each entry is missing in your divergence, so equal Gaussians are not at 0.",
        "the docstring of the stub",
    ),
    "kl_mean_for_sum": Hint("Your divergence is a mean over the latents; it is a sum.", "the docstring of the stub"),
    "kl_summed_over_all": Hint(
        "Your divergence is summed over other axes than the last. Each sequence and step has its own.",
        "the docstring of the stub",
    ),
    "kl_not_summed": Hint("Your divergence is not summed over the last axis.", "the docstring of the stub"),
    "kl_log_variance_is_not_variance": Hint(
        "You use the log variance where the variance belongs: v = exp(log variance).", "the docstring of the stub"
    ),
    "kl_std_for_variance": Hint(
        "You take the log variance for the logarithm of a standard deviation, or the other way round.",
        "the docstring of the stub",
    ),
    "kl_without_shift": Hint(
        "The distance between the means is missing in your divergence.", "the docstring of the stub"
    ),
    "kl_shift_not_scaled": Hint(
        "The squared distance of the means is divided by the variance of p.", "the docstring of the stub"
    ),
    "kl_shift_not_squared": Hint("The distance of the means is squared.", "the docstring of the stub"),
    "kl_logarithms_swapped": Hint("The two logarithms are exchanged: log v_p - log v.", "the docstring of the stub"),
    "belief_order": Hint(
        "The inputs of `remember` are in the wrong order: features first, then the last action.",
        "the docstring of the stub",
    ),
    "belief_without_features": Hint("What is seen does not reach your memory.", "the docstring of the stub"),
    "belief_without_action": Hint(
        "The last action does not reach your memory. Without it the filter cannot tell a push from a drift.",
        "the docstring of the stub",
    ),
    "belief_without_memory": Hint(
        "Your filter forgets: `remember` gets the memory of the step before.", "the docstring of the stub"
    ),
    "belief_memory_not_new": Hint(
        "You return the old memory. The next step needs the new one.", "the docstring of the stub"
    ),
    "belief_swapped": Hint(
        "Mean and log variance are exchanged: the first half of what `head` answers is the mean.",
        "the docstring of the stub",
    ),
    "belief_of_old_memory": Hint(
        "Your belief is read off the old memory, so it does not know yet what is seen now.", "the docstring of the stub"
    ),
    "belief_variance_for_its_logarithm": Hint(
        "You return a variance or a standard deviation; what is asked for is the log variance, as `head` answers it.",
        "the docstring of the stub",
    ),
    "belief_variance_clamped": Hint(
        "Your log variance is clamped; what is asked for is what `head` answers.", "the docstring of the stub"
    ),
    "belief_detached": Hint(
        "No gradient gets through your belief, so the encoder cannot learn: look for `detach`, `.data`, `item` or "
        "`no_grad`.",
        "the docstring of the stub",
    ),
    "rollout_from_start": Hint(
        "Every latent of yours is predicted from the first one. Each follows from the one before it.",
        "the docstring of the stub",
    ),
    "rollout_first_action": Hint("Every step of yours executes the first action.", "the docstring of the stub"),
    "rollout_last_action": Hint("Every step of yours executes the last action.", "the docstring of the stub"),
    "rollout_without_actions": Hint("Your latents do not depend on the actions.", "the docstring of the stub"),
    "rollout_backwards": Hint(
        "Your actions are executed in the wrong order, from the last to the first.", "the docstring of the stub"
    ),
    "rollout_late": Hint("Your actions come one step late: a_0 leads from z_0 to z_1.", "the docstring of the stub"),
    "rollout_start_missing": Hint(
        "z_0 is missing in your answer: the given latent comes first.", "the docstring of the stub"
    ),
    "rollout_end_missing": Hint(
        "The last latent is missing in your answer: K actions lead to z_K.", "the docstring of the stub"
    ),
    "rollout_only_end": Hint(
        "Your answer is the last latent alone; all of them are asked for.", "the docstring of the stub"
    ),
    "rollout_time_axis": Hint(
        "Your steps lie along axis 0. They belong to axis 1, after the batch.", "the docstring of the stub"
    ),
    "rollout_changes_only": Hint("Your answer holds the changes and not the latents.", "the docstring of the stub"),
    "rollout_detached": Hint(
        "No gradient gets from a later latent to the first one, so the encoder cannot learn from predictions: "
        "look for `detach`, `.data` or `no_grad`.",
        "the docstring of the stub",
    ),
    "plan_first_reward": Hint(
        "Your plans are worth the reward of their first step. It is the sum over all steps.",
        "the docstring of the stub",
    ),
    "plan_last_reward": Hint(
        "Your plans are worth the reward of their last step. It is the sum over all steps.", "the docstring of the stub"
    ),
    "plan_rewards_late": Hint(
        "Your rewards are those of the latents after each step. The reward model gets the latent before it.",
        "the docstring of the stub",
    ),
    "plan_stays_at_the_start": Hint(
        "Your rewards are all those of the first latent, so probably the latents are not rolled out.",
        "the docstring of the stub",
    ),
    "plan_negated": Hint(
        "Your plans are the worst ones, so probably a sign is turned round. Higher is better.",
        "the docstring of the stub",
    ),
    "plan_not_searched": Hint("Your plan is the mean that the search starts from.", "the docstring of the stub"),
    "plan_setting_ignored": Hint(
        "An argument of the search changes nothing in your plan. Hand all of them to `cem`.",
        "the docstring of the stub",
    ),
    "cem_does_not_search": Hint(
        "Your `cem` finds no better plan than the one it starts from. It has tests of its own: `pytest hw4/tests "
        "-m cem_plan`.",
        "the docstring of the stub",
    ),
}
