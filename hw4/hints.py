"""The catalogue of hints by cause (given; standard library only).

A failed check names a *cause*. Each hint says what the slip looks like and where to read; none holds an input or an
answer of a hidden check. `python -m hw4 check` and the grader give the same hint for the same cause.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hint:
    """The likely slip behind a failure."""

    text: str
    read: str  # where to read: a section of the handout


HINTS: dict[str, Hint] = {
    # Any function
    "not_started": Hint("This stub still raises NotImplementedError.", "the docstring of the stub"),
    "wrong_value": Hint(
        "The numbers differ from what the docstring's equation gives. Work the published example through by hand and "
        "compare each intermediate result.",
        "the docstring of the stub",
    ),
    "wrong_shape": Hint(
        "The result has the wrong shape. Print the shape after each line and compare with the docstring; test with "
        "sizes that all differ.",
        "Conventions: shapes",
    ),
    "shapes_do_not_fit": Hint(
        "Two shapes do not fit together in the line named: print them. With leading batch dimensions a start "
        "observation needs an axis for num_sequences.",
        "Conventions: shapes",
    ),
    "wrong_type": Hint("The result is not a tensor of real numbers.", "the docstring of the stub"),
    "wrong_dtype": Hint(
        "The result holds numbers of the wrong kind: indices are whole numbers, and their dtype is int64.",
        "the docstring of the stub",
    ),
    "returns_none": Hint("The function returns None: a return statement is missing.", "the docstring of the stub"),
    "not_finite": Hint(
        "The result holds NaN or infinity: look for a division by a std of 0, a logarithm of a negative number, an "
        "exponential of a large one (float16 overflows early), or a std over a single sample.",
        "Conventions: divisors",
    ),
    "index_beyond_end": Hint(
        "An index goes beyond the end of what it picks from. A position must be smaller than the number of "
        "entries, and a count of executed actions starts again with each plan.",
        "the docstring of the stub",
    ),
    "imprecise": Hint(
        "The numbers are almost right, to about three digits. Either the code computes in half precision (`float16`, "
        "`bfloat16`), or a small constant is added somewhere, or a divisor is slightly off.",
        "the docstring of the stub",
    ),
    "raised": Hint("The function raised an exception on valid input.", "the exception's own message"),
    "device": Hint(
        "The code asks for a GPU (`cuda`) that is not there. Leave tensors on the device they came on.",
        "Conventions: devices",
    ),
    "missing_argument": Hint(
        "A call does not fit the signature. Keep the signature of the stub and call collaborators as documented.",
        "the docstring of the stub",
    ),
    "inplace": Hint(
        "An input is changed in place. Write `x = x + y`, not `x += y`, on what the caller owns.",
        "Conventions: inputs",
    ),
    "too_slow": Hint(
        "The call used up its time: an endless loop, a Python loop over candidates, members or transitions, a "
        "`print` of tensors in a loop that runs thousands of times, or a wait, as by `time.sleep`.",
        "How grading works: budgets",
    ),
    "out_of_memory": Hint("The call used up its memory.", "How grading works: budgets"),
    "none_value": Hint(
        "None is used where a number or a tensor is needed. Is an argument allowed to be None, as `refit_every` is, or "
        "does a function of yours return nothing?",
        "the docstring of the stub",
    ),
    "asks_for_input": Hint(
        "The code waits for a keyboard: remove `input()` and `breakpoint()`.", "How grading works: what is run"
    ),
    "exits": Hint("The code ends its own process.", "How grading works: what is run"),
    # Importing the file
    "does_not_import": Hint(
        "Your file cannot be imported, so nothing in it could be checked. The message names the line; "
        "`python -m py_compile` with the file's name shows a syntax error.",
        "How grading works: what is run",
    ),
    "blocked": Hint(
        "This function calls another stub that still raises NotImplementedError, so probably nothing is wrong here "
        "yet: write that one first.",
        "the docstring of the stub",
    ),
    # The dynamics model
    "std_divisor": Hint(
        "Your standard deviation is a little too large, so probably it divides by N - 1, the default of torch's "
        "`std`. Here the divisor is N: pass `correction=0`.",
        "Conventions: divisors",
    ),
    "std_floor": Hint(
        "Your std of a constant feature is not 1, so probably it is left at 0, raised to a tiny number, or has one "
        "added. The feature would blow up the first time it changes; divide it by 1 instead.",
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
        "Your statistics are taken over the wrong axes, so probably features are mixed with each other, or leading "
        "dimensions are kept. There is one number per entry, over all samples.",
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
        "half of it (the mean, not the std) is there.",
        "Conventions: normalising",
    ),
    "unnormalize_wrong": Hint(
        "Your network's answer is un-normalised the wrong way round, so probably `normalize` stands where "
        "`unnormalize` is meant, or the mean is added before the std multiplies. It is answer * std + mean.",
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
        "Your network's answer is un-normalised with the statistics of the inputs, so probably `input_normalizer` "
        "stands where `delta_normalizer` is meant.",
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
        "Your loss grows with the size of the batch or of the observation, so probably it is a sum where a mean "
        "over the last two axes is meant, or a mean over only one of them.",
        "the docstring of the stub",
    ),
    "loss_halved": Hint(
        "Your loss is half of what it should be, so probably there is a 1/2 in front of the square. Here it is "
        "the plain mean.",
        "the docstring of the stub",
    ),
    "loss_over_members": Hint(
        "Your loss is one number for a whole ensemble, so probably the mean runs over the members too. Average over"
        " the last two axes only and keep the leading ones.",
        "Conventions: ensembles",
    ),
    "loss_not_squared": Hint(
        "Your errors enter the loss without their square, so probably an absolute value stands where the square is "
        "meant, or a square root is taken at the end.",
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
        "Your normalisers are fitted to a minibatch, or again at every step, so probably `fit_normalizers` stands "
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
        "Your steps are one gradient behind, so probably `optimizer.step()` stands before `backward()`. The order is: "
        "loss, zero the gradients, backward, step.",
        "the docstring of the stub",
    ),
    "optimizer_bypassed": Hint(
        "Your weights are moved by something else than the optimiser that was passed in, so probably the gradient is "
        "subtracted by hand or a new optimiser is made. Call `optimizer.step()`: it knows about momentum and Adam.",
        "the docstring of the stub",
    ),
    "optimizer_restarted": Hint(
        "Your second fit does not continue where the first ended, so probably the optimiser's state is cleared, or the "
        "optimiser made anew. It keeps its state between calls.",
        "the docstring of the stub",
    ),
    "step_size_changed": Hint(
        "Your steps go the right way, but are of the wrong length, so probably gradients are clipped, the loss is"
        " scaled, or the learning rate is changed. The optimiser takes its own step down the gradient as it is.",
        "the docstring of the stub",
    ),
    "losses_not_detached": Hint(
        "Your returned losses still carry their graph, so every step's memory is kept. Append `loss.detach()`.",
        "the docstring of the stub",
    ),
    "loss_after_step": Hint(
        "Your returned losses are one step late, so probably the loss is taken again after the step. What is asked for "
        "is the loss that the step was taken on.",
        "the docstring of the stub",
    ),
    "members_not_summed": Hint(
        "Your members' losses are averaged, or kept apart, where they should be added: in the step, or in what is "
        "returned. Step on their sum, so that each gets exactly its own gradient, and return it.",
        "Conventions: ensembles",
    ),
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
    "best_reward_only": Hint(
        "Your return is the largest reward on the way, so probably a maximum stands where the sum is meant.",
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
        "Your model is asked about the start again and again, so probably the predicted observation does not become"
        " the state of the next step.",
        "Conventions: rewards",
    ),
    "start_mutated": Hint(
        "Your function changes the start observation that it was given, so probably it is written to in place "
        "(`+=`, `[...] =`, or a method that ends in `_`). Make a new tensor instead.",
        "Conventions: inputs",
    ),
    "actions_misaligned": Hint(
        "Your rewards or states belong to the actions of another sequence or member, so probably copies were made "
        "with `repeat_interleave` and reshaped, where `expand` along a new first axis is meant.",
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
        "reward, or once more for each member. One call per step serves all: `horizon` calls.",
        "Conventions: shapes",
    ),
    "takes_smallest": Hint(
        "Your planner prefers the lowest returns, so probably it takes the smallest where the largest is meant. "
        "Higher is better.",
        "Conventions: CEM",
    ),
    "bounds_ignored": Hint(
        "Your candidates do not span the action bounds, so probably the draws in [0, 1) are not scaled to them, or "
        "the bounds are taken as symmetric around 0.",
        "the docstring of the stub",
    ),
    "candidates_averaged": Hint(
        "Your plan is a mean of several good candidates. What is asked for is the best one.",
        "the docstring of the stub",
    ),
    "wrong_candidate_count": Hint(
        "Your planner scores more or fewer candidates than the docstring says, so probably there is an extra or a "
        "missing call of the objective, or kept elites come on top of the population.",
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
        "Your spread is squared, or is smoothed as a variance, so probably a variance stands where a standard "
        "deviation is meant. Take the std first and smooth it after that.",
        "Conventions: CEM",
    ),
    "elites_weighted": Hint(
        "Your elites do not count alike, so probably they are weighted by their returns. Each of the `num_elites`"
        " has the weight 1/|E|.",
        "Conventions: CEM",
    ),
    "spread_floor": Hint(
        "Your std does not fall to 0 where the elites agree, so probably a minimum or a small number is put under"
        " it. The docstring has none.",
        "Conventions: CEM",
    ),
    "std_not_refit": Hint(
        "Your std stays what it was, so probably only the mean is refitted to the elites.", "Conventions: CEM"
    ),
    "mean_not_refit": Hint(
        "Your mean stays what it was, so probably only the std is refitted, or the new mean, or that of the last "
        "iteration, is never used.",
        "Conventions: CEM",
    ),
    "elite_count": Hint(
        "Your refit takes more or fewer elites than `num_elites`, so probably a threshold or a quantile chooses them: "
        "equal returns then bring too many. Count them out, with `topk` or a sort.",
        "Conventions: CEM",
    ),
    "mean_clipped": Hint(
        "Your mean is clipped between the iterations, so probably the clipping of the final mean stands inside the "
        "loop. Candidates are clipped when they are drawn, the mean only at the end.",
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
        "Your final plan leaves the bounds, so probably the mean is returned as it is. The mean may lie outside "
        "when its start did: clip it too.",
        "Conventions: CEM",
    ),
    "returns_best_candidate": Hint(
        "Your planner returns the best candidate, so probably it takes an arg max at the end. What is asked for is "
        "the final mean.",
        "Conventions: CEM",
    ),
    "returns_random_draw": Hint(
        "Your planner returns a draw, or draws once more than documented, so probably the plan is sampled from the "
        "final distribution. What is asked for is its mean.",
        "Conventions: CEM",
    ),
    "elites_not_kept": Hint(
        "Your best candidates do not compete again, so probably `num_kept_elites` is ignored. They take places of "
        "the next population, and only the rest is drawn.",
        "Conventions: CEM",
    ),
    "too_many_kept": Hint(
        "Candidates of the iteration before compete again although none, or fewer, are to be kept, so probably "
        "another number than `num_kept_elites` decides.",
        "Conventions: CEM",
    ),
    "candidates_misbuilt": Hint(
        "Your candidates follow the noise, but are not all `mean + std * noise`, clipped to the bounds. Probably "
        "they are squashed instead of clipped, scaled, or one of them is something else, such as the mean.",
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
        "Your controller plans at every step, so probably `replan_every` is ignored, or the count of executed "
        "actions is never raised.",
        "Conventions: replanning",
    ),
    "never_replans": Hint(
        "Your controller goes on executing its first plan, so probably the count of executed actions is not "
        "compared with `replan_every`.",
        "Conventions: replanning",
    ),
    "plans_twice": Hint(
        "Your controller calls the planner more than once at one step. One call makes the plan.",
        "Conventions: replanning",
    ),
    "first_action_repeated": Hint(
        "Your controller executes the first action of its plan again and again, so probably the index is always "
        "0, or the count of executed actions is never raised.",
        "Conventions: replanning",
    ),
    "count_not_reset": Hint(
        "Your controller does not begin a new plan with its first action, so probably the count of executed "
        "actions is not set back when it plans.",
        "Conventions: replanning",
    ),
    "replans_off_by_one": Hint(
        "Your controller plans again at the wrong step, so probably `>` stands where `>=` is meant, or an action is "
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
    "shift_by_one": Hint(
        "Your warm start shifts the old plan by one action, so probably it assumes that one was executed. Shift by "
        "as many as were: `replan_every`.",
        "Conventions: replanning",
    ),
    "wrong_shift": Hint(
        "Your warm start shifts the old plan by the wrong number of actions, or keeps more rows than there are. "
        "Write the mean down for a small horizon, also for `replan_every` equal to `horizon`.",
        "Conventions: replanning",
    ),
    "wrong_tail": Hint(
        "Your warm start ends with the wrong rows, so probably it repeats the plan, pads with zeros, or takes the "
        "first rows of `initial_mean` where its last are meant.",
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
        "treated apart.",
        "the docstring of the stub",
    ),
    "fits_too_early": Hint(
        "Your agent fits before `initial_steps` transitions are there, or counts from 0, so probably the steps "
        "since the first fit are not what is counted.",
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
    # Ensembles
    "without_replacement": Hint(
        "Your draw holds every transition once, or too few of them, so probably it is a permutation. A bootstrap "
        "draws with replacement.",
        "Conventions: ensembles",
    ),
    "members_share_data": Hint(
        "Your members get the same data set, so probably one row is drawn and repeated. Draw every row by itself.",
        "Conventions: ensembles",
    ),
    "members_share_minibatch": Hint(
        "Your members draw the same positions, so probably one set of positions is used for all rows. Members that "
        "share minibatches become alike.",
        "Conventions: ensembles",
    ),
    "not_own_data": Hint(
        "Your members get transitions that are not theirs, so probably positions are returned in place of what "
        "stands there, or another member's row is read.",
        "Conventions: ensembles",
    ),
    "out_of_range": Hint(
        "Your draw leaves out an index or goes beyond the last, so probably the bounds are off by one: torch's "
        "`randint` excludes its upper end.",
        "Conventions: randomness",
    ),
    "not_uniform": Hint(
        "Some entries are drawn more often than others, so probably numbers are rounded, or are not drawn from "
        "all that there are. Every entry must be equally likely.",
        "Conventions: randomness",
    ),
    "states_averaged": Hint(
        "Your members' states are averaged during the roll-out, so probably a mean over members stands inside the "
        "loop. Each member follows its own state, and only returns may be averaged.",
        "Conventions: ensembles",
    ),
    "one_member_only": Hint(
        "Your answer depends on one member alone, so probably an index picks that one for all of them.",
        "Conventions: ensembles",
    ),
    "members_resampled": Hint(
        "Your roll-outs change their member on the way, so probably members are drawn or shuffled at every step. In"
        " TS-infinity each keeps its member to the end.",
        "Conventions: ensembles",
    ),
    "aggregation_axis": Hint(
        "Your mean, smallest or largest is taken over the wrong axis, or where none is asked for, so probably the "
        "member axis, the first one, is mistaken for another.",
        "Conventions: ensembles",
    ),
    "sum_for_mean": Hint(
        "Your answer grows with the number of members, so probably a sum stands where a mean is meant.",
        "the docstring of the stub",
    ),
    "spread_for_extreme": Hint(
        "Your pessimist or optimist is a mean minus or plus a spread. What is asked for is the smallest or the "
        "largest member's return itself.",
        "the docstring of the stub",
    ),
    "index_returned": Hint(
        "Your answer is the number of a member, so probably `argmin` or `argmax` stands where the value is meant.",
        "the docstring of the stub",
    ),
    "pessimism_swapped": Hint(
        "Your pessimistic and optimistic answers are exchanged, so probably the smallest and the largest are "
        "swapped. A pessimist expects the smallest return.",
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
        "Your likelihood is multiplied by a power of the variance, as in beta-NLL. That weight is given "
        "elsewhere; here it has none.",
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
        "clamped, or the numbers lose their precision. Bounds belong into the network, where they are given.",
        "the docstring of the stub",
    ),
    "total_for_part": Hint(
        "One of your two parts is the whole variance, so probably the other is not subtracted, or both are added. Each "
        "part stands for itself.",
        "Conventions: ensembles",
    ),
    "std_for_variance": Hint(
        "Your spread is off by a square, so probably a standard deviation and a variance are mixed up somewhere.",
        "the docstring of the stub",
    ),
    "half_missing": Hint(
        "Your likelihood is too large by a factor of two in one term or in both, so probably the 1/2 in front is "
        "missing or stands before one term only.",
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
        "Your two kinds of uncertainty are exchanged, so probably the order of the returned pair is wrong. "
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
        "`generator=generator`, or a generator of your own is made.",
        "Conventions: randomness",
    ),
    # Learning curves
    "curve_below_bar": Hint(
        "Your agent learns, but its returns stay below the bar. Probably one of the parts is not quite right yet: "
        "mend failing parts first, then compare your own runs with the published band (`python -m hw4 plot`).",
        "How grading works",
    ),
    "curve_blocked": Hint(
        "Your agent could not be run to the end because a part that it needs is missing or failed, so probably this"
        " curve comes by itself once those parts pass.",
        "How grading works",
    ),
    # Promises of the agent behind a curve
    "ignores_its_data": Hint(
        "Your agent's actions do not follow the data it was given: in a made-up world, where only its own data tell "
        "which action pays, it does not do what pays. A curve earns points only with a model that is learned from the "
        "agent's own data, and a planner that uses it. An exception raised there counts as well.",
        "How grading works: what a curve asks of its agent",
    ),
    "ignores_surprises": Hint(
        "Your agent goes on with its old plan when an observation comes that the plan did not expect. Plan anew from "
        "the observation that `act` is given.",
        "Conventions: replanning",
    ),
    "members_alike": Hint(
        "Members of your ensemble predict the same where there is no data, so probably they are one network under "
        "several names. Each member has weights, data and minibatches of its own.",
        "Conventions: ensembles",
    ),
}


def hint_for(cause: str) -> Hint:
    """The hint of a cause; that of "wrong_value" for a cause that the catalogue does not know."""
    return HINTS.get(cause, HINTS["wrong_value"])


# Words in the message of an exception, in lower case, and the cause they speak for; the first that fits counts.
MESSAGES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("reading from stdin", "eof when reading a line"), "asks_for_input"),
    (("cuda", "nvidia driver", "expected all tensors to be on the same device", "mps backend"), "device"),
    (("does not require grad",), "loss_detached"),
    (("nonetype",), "none_value"),
    (("is out of bounds", "list index out of range", "pop from an empty"), "index_beyond_end"),
    (("out of memory", "can't allocate memory", "unable to allocate"), "out_of_memory"),
    (
        (
            "inplace",
            "in-place",
            "leaf variable",
            "more than one element of the written-to tensor refers to a single memory location",
            "read-only",
        ),
        "inplace",
    ),
    (
        (
            "unexpected keyword argument",
            "positional argument",
            "required keyword-only argument",
            "multiple values for argument",
        ),
        "missing_argument",
    ),
    (
        (
            "must match the size",
            "must match the existing size",
            "must match except in dimension",
            "same number of dimensions",
            "not broadcastable",
            "could not be broadcast",
            "broadcast",
            "size mismatch",
            "shape mismatch",
            "mat1 and mat2",
            "expanded size",
            "the number of sizes provided",
            "expects each tensor to be equal size",
            "must have the same shape",
            "is invalid for input of size",
            "dimension out of range",
            "expected size for first two dimensions",
            "too many indices",
        ),
        "shapes_do_not_fit",
    ),
)
TYPES = {
    "NotImplementedError": "not_started",
    "TimeoutError": "too_slow",
    "MemoryError": "out_of_memory",
    "EOFError": "asks_for_input",
    "BdbQuit": "asks_for_input",
    "SystemExit": "exits",
    "SyntaxError": "does_not_import",
    "IndentationError": "does_not_import",
    "TabError": "does_not_import",
    "ImportError": "does_not_import",
    "ModuleNotFoundError": "does_not_import",
}


def cause_of_exception(type_name: str, message: str) -> str:
    """The cause that an exception speaks for, a key of HINTS.

    Args:
        type_name: name of its class, with or without the module ("BdbQuit", "bdb.BdbQuit").
        message: its text; only a few known phrases are looked for.
    """
    name = type_name.rpartition(".")[2]
    if name in TYPES:
        return TYPES[name]
    lowered = message.lower()
    return next((cause for phrases, cause in MESSAGES if any(phrase in lowered for phrase in phrases)), "raised")
