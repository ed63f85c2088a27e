"""Hints for hw4/mpc.py (given; standard library only)."""

from __future__ import annotations

from hw4.checking.hint import Hint

HINTS: dict[str, Hint] = {
    # Returns of action sequences
    "reward_on_old_observation": Hint(
        "Your reward sees the observation that the action was taken in, so probably the old one is passed as the "
        "next one as well. It is paid on arrival: pass s_t, a_t and s_{t+1}.",
        "Conventions: rewards",
    ),
    "last_action_ignored": Hint(
        "Your return does not depend on the last action, so probably the sum stops one step early. A horizon of H "
        "has H rewards.",
        "Conventions: rewards",
    ),
    "wrong_step_action": Hint(
        "Your model or your reward sees the action of another step, so probably the index along the horizon is "
        "off by one, reversed, or always the same.",
        "Conventions: shapes",
    ),
    "last_reward_only": Hint(
        "Your return is the reward of the last step alone, so probably it is assigned in the loop where it should "
        "be added.",
        "Conventions: rewards",
    ),
    "first_reward_only": Hint(
        "Your return is the reward of the first step alone: does a `return` or a `break` end the loop there?",
        "Conventions: rewards",
    ),
    "best_reward_only": Hint(
        "Your return is the largest reward on the way, so probably a maximum is used instead of a sum.",
        "Conventions: rewards",
    ),
    "first_reward_missing": Hint(
        "Your return leaves out the first step, so probably the sum starts only after the first prediction.",
        "Conventions: rewards",
    ),
    "reward_arguments": Hint(
        "Your reward does not see s_t, a_t and s_{t+1} in their places, so probably the next observation is passed "
        "first, or one of the three is left out. A reward may depend on all of them.",
        "Conventions: rewards",
    ),
    "discounted": Hint(
        "Your later rewards count less than the first, so probably there is a discount. A return here is the plain sum "
        "over the horizon.",
        "Conventions: rewards",
    ),
    "state_not_propagated": Hint(
        "Your model is asked about the start again and again, so probably the predicted observation is not used as "
        "the state of the next step.",
        "Conventions: rewards",
    ),
    "start_mutated": Hint(
        "Your function changes the start observation that it was given, so probably it is written to in place "
        "(`+=`, `[...] =`, or a method that ends in `_`). Make a new tensor instead.",
        "Conventions: inputs",
    ),
    "start_not_expanded": Hint(
        "Your model or reward is called with one observation and the actions of many sequences, so probably the "
        "start was not expanded. Give it an axis of `num_sequences` entries before the roll-out.",
        "Conventions: shapes",
    ),
    "start_flattened": Hint(
        "Your start has lost its batch dimensions, so probably `repeat(n, 1)` has put the copies into an axis that was "
        "there already. Give the start a new axis for the sequences: `unsqueeze(-2)`, then `expand`.",
        "Conventions: shapes",
    ),
    "one_action_for_all": Hint(
        "Your model or reward sees one sequence's action for all sequences, so probably an index or a slice picks one "
        "row. Each sequence has its own action at each step.",
        "Conventions: shapes",
    ),
    "states_misaligned": Hint(
        "Your sequences continue from the states of other sequences, so probably a reshape or a transpose mixes the "
        "axes. Row i of the states must stay row i.",
        "Conventions: shapes",
    ),
    "actions_misaligned": Hint(
        "Your rewards or states belong to the actions of another sequence or member, so probably copies were made "
        "with `repeat_interleave` and reshaped, instead of `expand` along a new first axis.",
        "Conventions: shapes",
    ),
    "loop_over_sequences": Hint(
        "Your code asks about one sequence at a time, so probably there is a Python loop over candidates. Let all "
        "of them advance together: `horizon` calls on the whole population.",
        "Conventions: shapes",
    ),
    # Planning
    "extra_predictions": Hint(
        "Your roll-out asks the model more often than once for each step, so probably it is asked again for the "
        "reward, or once more for each member. One call per step is enough for all: `horizon` calls.",
        "Conventions: shapes",
    ),
    "takes_smallest": Hint(
        "Your planner prefers the lowest returns, so probably it takes the smallest instead of the largest. "
        "Higher is better.",
        "Conventions: CEM",
    ),
    "bounds_ignored": Hint(
        "Your candidates do not span the action bounds, so probably the draws in [0, 1) are not scaled to them, or "
        "the bounds are taken as symmetric around 0.",
        "the docstring of the stub",
    ),
    "wrong_candidate": Hint(
        "Your plan is one of the candidates, but not the best, so probably one of them is left out of the comparison "
        "or the index belongs to another list.",
        "the docstring of the stub",
    ),
    "candidates_averaged": Hint(
        "Your plan is a mean of several good candidates. Return the best one instead.",
        "the docstring of the stub",
    ),
    "wrong_candidate_count": Hint(
        "Your planner scores more or fewer candidates than the docstring says, so probably there is an extra or a "
        "missing call of the objective, or kept elites are added on top of the population.",
        "Conventions: CEM",
    ),
    "smoothing_reversed": Hint(
        "Your refit weighs the new statistics with `smoothing`, so probably the two weights are swapped: it is the "
        "weight of the OLD mean and std.",
        "Conventions: CEM",
    ),
    "smoothing_ignored": Hint(
        "Your refit forgets the old mean and std altogether, so probably `smoothing` is not used, or not for both.",
        "Conventions: CEM",
    ),
    "variance_for_std": Hint(
        "Your spread is squared, or is smoothed as a variance, so probably a variance is used instead of a standard "
        "deviation. Take the std first, then smooth it.",
        "Conventions: CEM",
    ),
    "elites_weighted": Hint(
        "Your elites do not count alike, so probably they are weighted by their returns. Each of the `num_elites` has "
        "weight 1/|E|.",
        "Conventions: CEM",
    ),
    "spread_floor": Hint(
        "Your std does not fall to 0 where the elites agree, so probably there is a lower limit or a small number is "
        "added. The docstring has neither.",
        "Conventions: CEM",
    ),
    "std_not_refit": Hint(
        "Your std stays what it was, so probably only the mean is refitted to the elites.", "Conventions: CEM"
    ),
    "mean_not_refit": Hint(
        "Your mean stays what it was, so probably only the std is refitted, or the new mean (or the last iteration's) "
        "is never used.",
        "Conventions: CEM",
    ),
    "old_not_used": Hint(
        "Your refit mixes the elites with other candidates instead of the old distribution, so probably the mean and "
        "std that were passed in are not used. `smoothing` weighs those two.",
        "Conventions: CEM",
    ),
    "elite_count": Hint(
        "Your refit takes more or fewer elites than `num_elites`, so probably a threshold or a quantile chooses them: "
        "with equal returns, these select too many. Select an exact number, with `topk` or a sort.",
        "Conventions: CEM",
    ),
    "mean_clipped": Hint(
        "Your mean is clipped between the iterations, so probably the final mean is clipped inside the loop. Clip "
        "candidates when they are drawn, and the mean only at the end.",
        "Conventions: CEM",
    ),
    "non_elites": Hint(
        "Your refit uses candidates that are not elites, so probably the order is ascending or by size without sign, "
        "or the indices of the elites are used the wrong way.",
        "Conventions: CEM",
    ),
    "not_clipped": Hint(
        "Your planner scores or keeps actions outside the bounds, so probably the drawn candidates are not clipped."
        " What is scored must be executable.",
        "Conventions: CEM",
    ),
    "final_not_clipped": Hint(
        "Your final plan leaves the bounds, so probably the mean is returned unclipped. The mean can be outside the "
        "bounds if it started there: clip it too.",
        "Conventions: CEM",
    ),
    "returns_best_candidate": Hint(
        "Your planner returns the best candidate, so probably it takes an argmax at the end. Return the final mean "
        "instead.",
        "Conventions: CEM",
    ),
    "returns_random_draw": Hint(
        "Your planner returns a draw, or draws once more than documented, so probably the plan is sampled from the "
        "final distribution. Return its mean instead.",
        "Conventions: CEM",
    ),
    "elites_not_kept": Hint(
        "Your best candidates do not compete again, so probably `num_kept_elites` is ignored. They fill places in the "
        "next population, and only the rest is drawn.",
        "Conventions: CEM",
    ),
    "too_many_kept": Hint(
        "More candidates of the previous iteration compete again than should be kept, so probably a number other than "
        "`num_kept_elites` is used.",
        "Conventions: CEM",
    ),
    "candidates_misbuilt": Hint(
        "Your candidates follow the noise, but are not all `mean + std * noise`, clipped to the bounds. Probably "
        "they are squashed instead of clipped, scaled, or one of them is something else, such as the mean.",
        "Conventions: CEM",
    ),
    "noise_changed": Hint(
        "Your noise is changed before it is used, so probably it goes through an absolute value, a distribution "
        "function or a clamp. Candidates are `mean + std * noise`; only they are clipped.",
        "Conventions: CEM",
    ),
    "noise_repeated": Hint(
        "One draw is used for several steps, actions or candidates, so probably the noise is drawn with an axis of "
        "size 1 or only its first row is used. `noise(n)` gives each of them a draw of its own.",
        "Conventions: CEM",
    ),
    "refit_not_used": Hint(
        "Your candidates are built as they should be, but not from the mean and std that the refit gives. Probably "
        "`refit_to_elites` is called with other arguments, or its result is changed or not kept.",
        "Conventions: CEM",
    ),
    "std_not_used": Hint(
        "Your candidates have the wrong spread, so probably the noise is added to the mean without being multiplied"
        " by the std.",
        "Conventions: CEM",
    ),
    "noise_not_used": Hint(
        "Your draws do not come from the function that was passed in, so probably torch's own random functions are "
        "called. Use the argument `noise` or `uniform` and nothing else.",
        "Conventions: randomness",
    ),
    # Replanning
    "replans_always": Hint(
        "Your controller plans at every step, so probably `replan_every` is ignored, or the count of executed actions "
        "is never increased.",
        "Conventions: replanning",
    ),
    "never_replans": Hint(
        "Your controller keeps executing its first plan, so probably the count of executed actions is not "
        "compared with `replan_every`.",
        "Conventions: replanning",
    ),
    "plans_twice": Hint(
        "Your controller calls the planner more than once at one step. One call makes the plan.",
        "Conventions: replanning",
    ),
    "first_action_repeated": Hint(
        "Your controller executes the first action of its plan again and again, so probably the index is always "
        "0, or the count of executed actions is never increased.",
        "Conventions: replanning",
    ),
    "action_skipped": Hint(
        "The first action of your plan is never executed, so probably the count goes up before it is used, or is set "
        "to 1 when a plan is made. None of a new plan's actions has been executed yet: set the count to 0.",
        "Conventions: replanning",
    ),
    "count_not_reset": Hint(
        "Your controller does not begin a new plan with its first action, so probably the count of executed actions "
        "is not reset when it plans.",
        "Conventions: replanning",
    ),
    "replans_off_by_one": Hint(
        "Your controller plans again at the wrong step, so probably `>` is used instead of `>=`, or an action is "
        "counted twice or not at all. After `replan_every` actions the next call plans.",
        "Conventions: replanning",
    ),
    "stale_observation": Hint(
        "Your controller plans from an observation of an earlier step, so probably it is stored and used too late. "
        "Plan from the one that `act` was just given.",
        "Conventions: replanning",
    ),
    "executes_last_action": Hint(
        "Your controller executes the plan from its end, so probably the index starts at the last action. Execute "
        "the first action first.",
        "Conventions: replanning",
    ),
    "returns_whole_plan": Hint(
        "Your controller returns the whole plan, so probably the index of the current action is missing.",
        "Conventions: replanning",
    ),
    "no_warm_start": Hint(
        "Your search starts from nothing each time, so probably the rest of the old plan is not passed on as the "
        "mean. Only the first plan of an episode starts from `initial_mean`.",
        "Conventions: replanning",
    ),
    "warm_only_once": Hint(
        "Your second search starts warm and a later one does not, so probably the condition for a warm start holds "
        "only once. Every search but the first of an episode starts from the plan before it.",
        "Conventions: replanning",
    ),
    "stale_plan": Hint(
        "A later search starts from the rest of an older plan, so probably the plan that is kept is not replaced when "
        "a new one is made.",
        "Conventions: replanning",
    ),
    "shift_by_one": Hint(
        "Your warm start shifts the old plan by one action, so probably it assumes that one was executed. Shift by "
        "the number that were: `replan_every`.",
        "Conventions: replanning",
    ),
    "wrong_shift": Hint(
        "Your warm start shifts the old plan by the wrong number of actions, or keeps more rows than there are. "
        "Write the mean down for a small horizon, also for `replan_every` equal to `horizon`.",
        "Conventions: replanning",
    ),
    "wrong_tail": Hint(
        "Your warm start ends with the wrong rows, so probably it repeats the plan, pads with zeros, or takes the "
        "first rows of `initial_mean` instead of the last.",
        "Conventions: replanning",
    ),
    "plan_survives_episode": Hint(
        "Your controller carries a plan into the next episode, so probably it keeps it somewhere that "
        "`begin_episode` does not clear. Use `self.plan` and `self.num_executed`.",
        "Conventions: replanning",
    ),
    # The agent
    "not_appended": Hint(
        "Your agent does not keep what it sees, so probably the transition is not appended to `self.replay`.",
        "the docstring of the stub",
    ),
    "wrong_schedule": Hint(
        "Your agent fits at the wrong steps. Write down the number of transitions at each fit for a small "
        "`initial_steps` and `refit_every`, and compare with the docstring.",
        "the docstring of the stub",
    ),
    "fits_once": Hint(
        "Your agent fits once and never again, so probably the condition is an equality with `initial_steps` alone.",
        "the docstring of the stub",
    ),
    "fits_every_step": Hint(
        "Your agent fits at more steps than it should, so probably `refit_every` is not checked, or None is not "
        "handled separately.",
        "the docstring of the stub",
    ),
    "fits_too_early": Hint(
        "Your agent fits before it has `initial_steps` transitions, or one step before each later fit, so probably the "
        "new transition is counted twice or the comparison is off by one.",
        "the docstring of the stub",
    ),
    "never_fits": Hint(
        "Your agent keeps its data and never fits, so probably the condition of the first fit is never true, or is "
        "checked only when `refit_every` is a number.",
        "the docstring of the stub",
    ),
    "later_fits_wrong": Hint(
        "Your first fits are on time and a later one is not, so probably a counter is not reset or a period changes "
        "on the way. The number of steps from one fit to the next is always the same.",
        "the docstring of the stub",
    ),
    "data_changed": Hint(
        "Your replay buffer holds other numbers than the agent was given, so probably they are rounded, cut off or "
        "swapped, or transitions are left out. Append the transition as it is.",
        "the docstring of the stub",
    ),
    "fits_late": Hint(
        "Your agent fits one step late, so probably the transitions are counted before the new one is appended, or "
        "compared with `>` where `>=` is meant.",
        "the docstring of the stub",
    ),
    "counts_from_zero": Hint(
        "Your agent fits at multiples of `refit_every`, so probably it counts from 0. Count the env steps since the "
        "first fit.",
        "the docstring of the stub",
    ),
    "wrong_period": Hint(
        "Your agent waits one step too many or too few between two fits, so probably a counter starts or is compared "
        "at the wrong number.",
        "the docstring of the stub",
    ),
    "fits_before_append": Hint(
        "Your fit does not see the newest transition, so probably it runs, or the transitions are counted, before "
        "the new one is appended.",
        "the docstring of the stub",
    ),
    "data_replaced": Hint(
        "Your earlier data is gone, so probably the replay buffer is replaced or emptied. Nothing is thrown away: "
        "aggregation is the point.",
        "the docstring of the stub",
    ),
}
