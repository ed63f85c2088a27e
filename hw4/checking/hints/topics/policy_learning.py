"""Hints for hw4/topics/policy_learning.py (given; standard library only)."""

from __future__ import annotations

from hw4.checking.hint import Hint

READ = "the docstring of the stub"

TEXTS = {
    "rollout_starts_again": "Every step of your roll-outs begins at the start state. Each begins where the last ended.",
    "rollout_mean_of_members": "Your next state is the mean of the members; it is that of one member.",
    "rollout_first_member": "All your roll-outs follow member 0, whatever `members` says.",
    "rollout_keeps_member": "Your roll-outs keep the member of their first step. `members` names one for every step.",
    "rollout_members_reshaped": "Your roll-outs get each other's next states: `reshape` does not swap the axes of "
    "members and roll-outs. Index with two tensors: the member, and the number of the roll-out.",
    "rollout_reward_before": "Your reward is that of the state before the step. It is paid on arrival, at s'.",
    "rollout_flattened": "Your steps and roll-outs share one axis. Keep two: (k, B, ...).",
    "rollout_last_step_only": "Your answer has the last step alone. Every step counts.",
    "rollout_steps_second": "Your steps are along axis 1. Steps come first: (k, B, ...).",
    "rollout_next_for_now": "Your `observation` is the state after the step; it is the one the action was chosen in.",
    "rollout_now_for_next": "Your `next_observation` is the state before the step.",
    "rollout_loops": "You call a function for some of the roll-outs alone. Hand it all of them at once.",
    "rollout_policy_again": "You ask the policy more than once a step. It draws, so the second answer is another "
    "action: keep the first, with its log density.",
    "rollout_asks_again": "You ask the model or the reward more than once a step. Keep the answer.",
    "target_without_discount": "Your rewards or your value are not discounted: step i counts gamma^i.",
    "target_value_missing": "The value of the last state is missing in your target: what comes later counts as 0.",
    "target_value_discount": "Your last value is discounted one step too little or too much: it counts gamma^(H+1).",
    "target_value_without_discount": "Your last value is not discounted: it counts gamma^(H+1).",
    "target_reward_discount": "Your rewards are discounted one step too much: the first counts in full.",
    "target_reversed": "Your rewards are in the wrong order: the real one, index 0, counts most.",
    "target_of_one_step": "Your target looks no imagined step ahead: rewards 1 to H do not reach it.",
    "target_without_first": "The real reward, index 0, is missing in your target.",
    "target_negated_value": "Your last value has the wrong sign.",
    "target_terminal_ignored": "Your target goes on after a terminal step. Nothing after it counts.",
    "target_terminal_reward_dropped": "Your terminal step loses its own reward. Only what comes after it is dropped.",
    "target_terminal_value_only": "After a terminal step your target drops the value but keeps rewards, or the other "
    "way round. Neither counts.",
    "target_terminal_last_only": "Your target looks at the last step alone to see whether it was terminal. Any step "
    "may be.",
    "target_terminal_wrong": "What comes after a terminal step is not left out correctly.",
    "target_of_nan": "What comes after a terminal step may be NaN, and NaN times 0 is NaN: choose with `torch.where` "
    "instead of multiplying.",
    "pairs_real_only": "Your pairs are those of the real steps alone. The critic has to learn at imagined steps, too.",
    "pairs_order": "Your targets are ordered by roll-out, your observations by step. Row i * B + b is step i of "
    "roll-out b.",
    "pairs_by_roll_out": "Your pairs are ordered by roll-out. All those of step 0 come first, then those of step 1.",
    "pairs_back_to_front": "Your targets are in the order in which they are computed, the last step first. Turn them "
    "round.",
    "pairs_one_target": "Every step of yours has the target of the first. Each looks ahead from its own step.",
    "pairs_rewards_alone": "Your target of a step is its reward alone.",
    "pairs_one_step": "Your steps all have the reward plus the last value. The value of a step in between is its "
    "bonus plus the target of the next step.",
    "pairs_own_bonus": "The entropy bonus of a step is in its own target. It belongs to the value of its state, so to "
    "the target of the step before.",
    "pairs_without_bonus": "The entropy bonuses are missing in your targets.",
    "pairs_bonus_sign": "Your entropy bonuses have the wrong sign: they are handed over as -alpha log pi already.",
    "pairs_bonus_late": "Your entropy bonuses come one step late: bonuses[i+1] is in target[i].",
    "pairs_without_discount": "Your targets are not discounted: what comes a step later counts gamma times.",
    "pairs_value_missing": "The last value is missing in your targets.",
    "pairs_terminal_ignored": "Your targets go on after a terminal step. Its target is its reward alone.",
    "pairs_not_flat": "Your pairs still have two axes of steps and roll-outs. Flatten them into one.",
    "steve_divisor": "The divisor of your variance is E M - 1; it is E M. In torch: `correction=0`.",
    "steve_std": "You return a standard deviation; a variance is asked for.",
    "steve_over_members": "Your variance is that over members of the mean over critics. Take all E M targets as one "
    "set.",
    "steve_over_critics": "Your variance is that over critics for each member. Take all E M targets as one set.",
    "steve_smallest_critic": "You take the smallest critic, as twin critics do. Here all of them count.",
    "steve_one_value": "All your lengths have the same last value. Length h has the value of the state after step h.",
    "steve_value_early": "Your values come one step early: length h has the value of the state after step h.",
    "steve_without_discount": "Your targets are not discounted.",
    "steve_terminal_ignored": "Your targets go on after a terminal step.",
    "steve_spread_of_values": "Your variance is that of the values; it is that of the whole targets.",
    "steve_swapped": "Mean and variance are exchanged.",
    "weights_not_scaled": "Your weights do not add up to 1: divide by their sum over the lengths.",
    "weights_of_std": "Your weights are inverse standard deviations; they are inverse variances.",
    "weights_without_floor": "Your variances have no floor: one that is next to 0 takes all the weight.",
    "weights_floor_added": "You add the floor to the variance. It is the larger of the two.",
    "weights_upside_down": "Your weights grow with the variance. A noisy length counts less.",
    "weights_even": "Your weights are all equal.",
    "weights_exponential": "Your weights are a softmax of the variances; they are inverse variances.",
    "weights_capped": "Your floor is a ceiling: the larger one of variance and floor counts.",
    "weights_all_or_nothing": "The length of the smallest variance takes all the weight. The others count, too.",
    "weights_other_axis": "Your weights add up to 1 along the wrong axis. Lengths are axis 0.",
    "weights_summed_over_all": "Your weights add up to 1 over everything. They do so for each entry by itself.",
}

HINTS: dict[str, Hint] = {cause: Hint(text, READ) for cause, text in TEXTS.items()}
