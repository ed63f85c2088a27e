"""Hints for hw4/topics/policy_learning.py (given; standard library only)."""

from __future__ import annotations

from hw4.checking.hint import Hint

HINTS: dict[str, Hint] = {
    "rollout_starts_again": Hint(
        "Every step of your roll-outs begins at the start state. Each begins where the last ended.",
        "the docstring of the stub",
    ),
    "rollout_mean_of_members": Hint(
        "Your next state is the mean of the members; it is that of one member.",
        "the docstring of the stub",
    ),
    "rollout_first_member": Hint(
        "All your roll-outs follow member 0, whatever `members` says.",
        "the docstring of the stub",
    ),
    "rollout_keeps_member": Hint(
        "Your roll-outs keep the member of their first step. `members` names one for every step.",
        "the docstring of the stub",
    ),
    "rollout_members_reshaped": Hint(
        "Your roll-outs get each other's next states: `reshape` does not swap the axes of members and roll-"
        "outs. Index with two tensors: the member, and the number of the roll-out.",
        "the docstring of the stub",
    ),
    "rollout_reward_before": Hint(
        "Your reward is that of the state before the step. It is paid on arrival, at s'.",
        "the docstring of the stub",
    ),
    "rollout_flattened": Hint(
        "Your steps and roll-outs share one axis. Keep two: (k, B, ...).",
        "the docstring of the stub",
    ),
    "rollout_last_step_only": Hint(
        "Your answer has the last step alone. Every step counts.",
        "the docstring of the stub",
    ),
    "rollout_steps_second": Hint(
        "Your steps are along axis 1. Steps come first: (k, B, ...).",
        "the docstring of the stub",
    ),
    "rollout_next_for_now": Hint(
        "Your `observation` is the state after the step; it is the one the action was chosen in.",
        "the docstring of the stub",
    ),
    "rollout_now_for_next": Hint(
        "Your `next_observation` is the state before the step.",
        "the docstring of the stub",
    ),
    "rollout_loops": Hint(
        "You call a function for some of the roll-outs alone. Hand it all of them at once.",
        "the docstring of the stub",
    ),
    "rollout_policy_again": Hint(
        "You ask the policy more than once a step. It draws, so the second answer is another action: keep the"
        " first, with its log density.",
        "the docstring of the stub",
    ),
    "rollout_asks_again": Hint(
        "You ask the model or the reward more than once a step. Keep the answer.",
        "the docstring of the stub",
    ),
    "target_without_discount": Hint(
        "Your rewards or your value are not discounted: step i counts gamma^i.",
        "the docstring of the stub",
    ),
    "target_value_missing": Hint(
        "The value of the last state is missing in your target: what comes later counts as 0.",
        "the docstring of the stub",
    ),
    "target_value_discount": Hint(
        "Your last value is discounted one step too little or too much: it counts gamma^(H+1).",
        "the docstring of the stub",
    ),
    "target_value_without_discount": Hint(
        "Your last value is not discounted: it counts gamma^(H+1).",
        "the docstring of the stub",
    ),
    "target_reward_discount": Hint(
        "Your rewards are discounted one step too much: the first counts in full.",
        "the docstring of the stub",
    ),
    "target_reversed": Hint(
        "Your rewards are in the wrong order: the real one, index 0, counts most.",
        "the docstring of the stub",
    ),
    "target_of_one_step": Hint(
        "Your target looks no imagined step ahead: rewards 1 to H do not reach it.",
        "the docstring of the stub",
    ),
    "target_without_first": Hint(
        "The real reward, index 0, is missing in your target.",
        "the docstring of the stub",
    ),
    "target_negated_value": Hint(
        "Your last value has the wrong sign.",
        "the docstring of the stub",
    ),
    "target_terminal_ignored": Hint(
        "Your target goes on after a terminal step. Nothing after it counts.",
        "the docstring of the stub",
    ),
    "target_terminal_reward_dropped": Hint(
        "Your terminal step loses its own reward. Only what comes after it is dropped.",
        "the docstring of the stub",
    ),
    "target_terminal_value_only": Hint(
        "After a terminal step your target drops the value but keeps rewards, or the other way round. Neither counts.",
        "the docstring of the stub",
    ),
    "target_terminal_last_only": Hint(
        "Your target looks at the last step alone to see whether it was terminal. Any step may be.",
        "the docstring of the stub",
    ),
    "target_terminal_wrong": Hint(
        "What comes after a terminal step is not left out correctly.",
        "the docstring of the stub",
    ),
    "target_of_nan": Hint(
        "What comes after a terminal step may be NaN, and NaN times 0 is NaN: choose with `torch.where` "
        "instead of multiplying.",
        "the docstring of the stub",
    ),
    "pairs_real_only": Hint(
        "Your pairs are those of the real steps alone. The critic has to learn at imagined steps, too.",
        "the docstring of the stub",
    ),
    "pairs_order": Hint(
        "Your targets are ordered by roll-out, your observations by step. Row i * B + b is step i of roll-out b.",
        "the docstring of the stub",
    ),
    "pairs_by_roll_out": Hint(
        "Your pairs are ordered by roll-out. All those of step 0 come first, then those of step 1.",
        "the docstring of the stub",
    ),
    "pairs_back_to_front": Hint(
        "Your targets are in the order in which they are computed, the last step first. Turn them round.",
        "the docstring of the stub",
    ),
    "pairs_one_target": Hint(
        "Every step of yours has the target of the first. Each looks ahead from its own step.",
        "the docstring of the stub",
    ),
    "pairs_rewards_alone": Hint(
        "Your target of a step is its reward alone.",
        "the docstring of the stub",
    ),
    "pairs_one_step": Hint(
        "Your steps all have the reward plus the last value. The value of a step in between is its bonus plus"
        " the target of the next step.",
        "the docstring of the stub",
    ),
    "pairs_own_bonus": Hint(
        "The entropy bonus of a step is in its own target. It belongs to the value of its state, so to the "
        "target of the step before.",
        "the docstring of the stub",
    ),
    "pairs_without_bonus": Hint(
        "The entropy bonuses are missing in your targets.",
        "the docstring of the stub",
    ),
    "pairs_bonus_sign": Hint(
        "Your entropy bonuses have the wrong sign: they are handed over as -alpha log pi already.",
        "the docstring of the stub",
    ),
    "pairs_bonus_late": Hint(
        "Your entropy bonuses come one step late: bonuses[i+1] is in target[i].",
        "the docstring of the stub",
    ),
    "pairs_without_discount": Hint(
        "Your targets are not discounted: what comes a step later counts gamma times.",
        "the docstring of the stub",
    ),
    "pairs_value_missing": Hint(
        "The last value is missing in your targets.",
        "the docstring of the stub",
    ),
    "pairs_terminal_ignored": Hint(
        "Your targets go on after a terminal step. Its target is its reward alone.",
        "the docstring of the stub",
    ),
    "pairs_not_flat": Hint(
        "Your pairs still have two axes of steps and roll-outs. Flatten them into one.",
        "the docstring of the stub",
    ),
    "steve_divisor": Hint(
        "The divisor of your variance is E M - 1; it is E M. In torch: `correction=0`.",
        "the docstring of the stub",
    ),
    "steve_std": Hint(
        "You return a standard deviation; a variance is asked for.",
        "the docstring of the stub",
    ),
    "steve_over_members": Hint(
        "Your variance is that over members of the mean over critics. Take all E M targets as one set.",
        "the docstring of the stub",
    ),
    "steve_over_critics": Hint(
        "Your variance is that over critics for each member. Take all E M targets as one set.",
        "the docstring of the stub",
    ),
    "steve_smallest_critic": Hint(
        "You take the smallest critic, as twin critics do. Here all of them count.",
        "the docstring of the stub",
    ),
    "steve_one_value": Hint(
        "All your lengths have the same last value. Length h has the value of the state after step h.",
        "the docstring of the stub",
    ),
    "steve_value_early": Hint(
        "Your values come one step early: length h has the value of the state after step h.",
        "the docstring of the stub",
    ),
    "steve_without_discount": Hint(
        "Your targets are not discounted.",
        "the docstring of the stub",
    ),
    "steve_terminal_ignored": Hint(
        "Your targets go on after a terminal step.",
        "the docstring of the stub",
    ),
    "steve_spread_of_values": Hint(
        "Your variance is that of the values; it is that of the whole targets.",
        "the docstring of the stub",
    ),
    "steve_swapped": Hint(
        "Mean and variance are exchanged.",
        "the docstring of the stub",
    ),
    "weights_not_scaled": Hint(
        "Your weights do not add up to 1: divide by their sum over the lengths.",
        "the docstring of the stub",
    ),
    "weights_of_std": Hint(
        "Your weights are inverse standard deviations; they are inverse variances.",
        "the docstring of the stub",
    ),
    "weights_without_floor": Hint(
        "Your variances have no floor: one that is next to 0 takes all the weight.",
        "the docstring of the stub",
    ),
    "weights_floor_added": Hint(
        "You add the floor to the variance. It is the larger of the two.",
        "the docstring of the stub",
    ),
    "weights_upside_down": Hint(
        "Your weights grow with the variance. A noisy length counts less.",
        "the docstring of the stub",
    ),
    "weights_even": Hint(
        "Your weights are all equal.",
        "the docstring of the stub",
    ),
    "weights_exponential": Hint(
        "Your weights are a softmax of the variances; they are inverse variances.",
        "the docstring of the stub",
    ),
    "weights_capped": Hint(
        "Your floor is a ceiling: the larger one of variance and floor counts.",
        "the docstring of the stub",
    ),
    "weights_all_or_nothing": Hint(
        "The length of the smallest variance takes all the weight. The others count, too.",
        "the docstring of the stub",
    ),
    "weights_other_axis": Hint(
        "Your weights add up to 1 along the wrong axis. Lengths are axis 0.",
        "the docstring of the stub",
    ),
    "weights_summed_over_all": Hint(
        "Your weights add up to 1 over everything. They do so for each entry by itself.",
        "the docstring of the stub",
    ),
}
