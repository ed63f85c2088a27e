# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] name="title"
# # Naive against uncertainty-aware: one walks along the edge, the other keeps its distance
#
# *{{ title }} · {{ term }}*
#
# **The question.** Every step is a little noisy. When is a plan that is good *on its mean* a bad plan, and what is
# gained by planning with uncertainty?

# %% name="setup" tags=["hide-input"]
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks: one thread is fastest

import numpy as np

from hw4.commands.jupyter import Array, own_seeds, use_style
from hw4.notebooks import uncertainty_aware_cartpole as cartpole
from hw4.notebooks import uncertainty_aware_models as models
from hw4.notebooks import uncertainty_aware_walks as walks
from hw4.notebooks.uncertainty_aware_walks import expected_reward

use_style()
walks.first_picture()

# %% [markdown] name="how-to"
# <details><summary><b>What to do, and how long it takes</b></summary>
#
# 1. Run the cells one by one (about 15 seconds in all). They draw recorded runs, before you have written any code.
# 2. Before you look at a figure, write your prediction into its cell, and run the cell: it then shows above the figure.
# 3. Complete the two small functions (no points; each says whether it is right).
# 4. Once your tests of {{ problem:dynamics }}, {{ problem:planning }} and {{ problem:ensembles }} pass, set
#    `STUDENT_ID` and `USE_MY_CODE = True` below and run the notebook again: your own agent trains, for about half a
#    minute.
# 5. Write the answers at the end ({{ points_in_all }} points); for the second you run an ablation of your own.
#
# The code that records and draws is in `hw4/notebooks/uncertainty_aware_*.py`; there is nothing to write in it. Seed
# *k* of every arm has the same random data and the same starts, so arms are compared by their *paired* differences,
# seed by seed. An interval in square brackets covers the median with at least 95 %. Where it contains 0, no difference
# can be claimed.
#
# </details>

# %% name="parameters" tags=["parameters"]
USE_MY_CODE = False  # True: the cell "Your own agent" trains your agent
LIVE_ARM = "five_sampled"  # which way to plan on the ledge; "one_mean" needs no ensemble
STUDENT_ID = ""  # yours: your agent's seeds are derived from it
NUM_LIVE_SEEDS = 2  # how many seeds it trains with
LIVE_ENV_STEPS = 320  # of each run; a whole run has 320, and with fewer it is cut

# %% [markdown] name="ledge-intro"
# ## Go right to get higher!
#
# The **ledge**: the reward grows with *x* up to the edge at 3 m, and a step that ends past it costs 20. The map is
# known. What has to be learned is how the agent moves, and that every step has Gaussian noise with a std of 15 cm in
# *x* and in *y*. At the top you saw two agents after the same random episode, in the last episode of their runs: on the
# left one network that plans on its mean, on the right five whose particles *sample* the noise that they predict.

# %% [markdown] name="equal-intro"
# ## Even though the mean is the same
#
# What does the mean not show? Two plans are predicted to end at the same place, *x* = 2.8 m, 20 cm before the edge. One
# is almost certain of it, the other is not. Take *x* as Gaussian with mean $\mu$ and standard deviation $\sigma$, and
# $z = (3 - \mu) / \sigma$. Then the reward on the ridge, without the cost of actions, has an expectation in closed
# form:
#
# $$\mathbb{E}[r] = \mu\,\Phi(z) - \sigma\,\varphi(z) - 20\,(1 - \Phi(z)).$$
#
# **Predict.** The handout says what a std of 0.05 m and one of 0.3 m leave of the reward of 2.8 at the mean. At which
# std is half of it left? And is anything left at 0.15 m, the noise of one step?

# %% name="equal"
my_prediction = ""
walks.equal(my_prediction)

# %% [markdown] name="equal-read"
# <details><summary><b>What this shows</b></summary>
#
# A planner that looks at the mean state sees two equal plans and may take either. Averaging over *returns* of sampled
# states tells them apart with no extra rule. Expectation alone is already cautious here, because much more is lost on
# one side of the edge than is won on the other. On a straight slope the same spread would cost nothing.
#
# </details>
#
# **To complete (no points).** How much spread is too much? A cautious plan ends at *x* = 2 m for certain.
# `expected_reward(mean, std)` is the formula above.


# %% name="break-even" nbgrader={"grade": false, "locked": false, "solution": true}
def break_even_std(mean: float, safe_reward: float) -> float:
    """The std (m) at which a plan that ends at `mean` (m) on average is worth exactly `safe_reward`.

    `expected_reward(mean, std)` falls as std grows: search a fine grid between 0.01 m and 0.6 m, or bisect.
    """
    ### BEGIN SOLUTION
    grid = np.linspace(0.01, 0.6, 6000)
    return float(grid[np.argmin([abs(expected_reward(mean, std) - safe_reward) for std in grid])])
    ### END SOLUTION


# %% name="break-even-check" nbgrader={"grade": false, "locked": true, "solution": false}
walks.check_break_even_std(break_even_std)

# %% [markdown] name="arms-intro"
# ## Ways of planning, compared
#
# The first two arms below learn nothing: they plan with the *true* model, one on its mean and one with its noise
# sampled. The others learn from one random episode of 40 steps and from what they do. All search equally hard: 400
# model evaluations for each step of the horizon and iteration, whether these are 400 candidates of one network, 80
# candidates of five, or 40 candidates with 10 sampled particles. The wide network has about as many weights as five.
#
# The comparisons were fixed before the runs were made, paired by seed: the six lines of the table below the figure.
#
# **Predict.** For each: does the first arm earn more than the second, or less? (1) True model, sampled or its mean. (2)
# One network, sampled or its mean. (3) Five means or one mean; five or one wide one, in the first planned episode. (4)
# Five sampled, or five Gaussian networks planned on their means. (5) Five sampled or one sampled.

# %% name="arms-figure"
my_prediction = ""  # 1: ...; 2: ...; 3: ...; 4: ...; 5: ...
walks.arms(my_prediction)

# %% [markdown] name="arms-read"
# <details><summary><b>What the recorded runs show</b></summary>
#
# A perfect model, planned on its mean, walks along the edge and falls: accuracy does not cure it. Sampling the same
# model's noise does. Among the learned models the same holds. Members that disagree keep a distance too, even if each
# is planned on its mean: five stand further from the edge than one and fall less, above all in the first planned
# episode. But that distance is not matched to the noise, and they fall to the end. Once the noise is sampled, five
# networks instead of one make little difference on this task.
#
# </details>

# %% [markdown] name="bridge-intro"
# ## Expected is not pessimistic, not optimistic, but often a good start
#
# The **bridge** is the same walker on another map. In the near meadow the reward grows up to the brink of a gorge. A
# cross-wind grows towards it, but on the bridge it is calm; beyond the bridge every step is worth more than anywhere on
# this side. Random data do not reach the brink. The arms are the five sampled networks with five ways to make one
# number of their returns, and the careless single network on its mean.
#
# **Predict.** Which of them cross: those that judge a plan by its worst member, by the mean, or by the best? And the
# careless one? Which of them fall more on the ledge?

# %% name="bridge"
my_prediction = ""
walks.bridge(my_prediction)

# %% [markdown] name="bridge-read"
# <details><summary><b>What the recorded runs show</b></summary>
#
# Read both maps together. On the ledge optimism costs falls, and no gain of pessimism over expectation can be claimed:
# sampling is careful enough. On the bridge only optimism, the milder kind too, finds what nobody has seen; expectation
# is safe and poor on almost every seed. A planner that does not know what it does not know crosses as well:
# carelessness and optimism look alike where the surprise is a good one. That is why no single task can say which is
# right, and why "expected" is often a good start, but not more.
#
# </details>

# %% [markdown] name="curse-intro"
# ## The winner's curse
#
# Suppose all candidate plans are equally good, with true return 0, and the model's predicted returns are right *on
# average*: each is off by a random error. The planner takes the candidate with the largest prediction. Complete the
# function: what does it believe it has found?


# %% name="curse" nbgrader={"grade": false, "locked": false, "solution": true}
def promised_by_best(errors: Array) -> Array:
    """What the chosen candidate is predicted to return, if every true return is 0.

    The candidates are compared by the mean of the members' predictions.

    Args:
        errors: each member's error on each candidate, shape (trials, members, candidates).

    Returns:
        shape (trials,).
    """
    ### BEGIN SOLUTION
    return errors.mean(axis=1).max(axis=1)
    ### END SOLUTION


# %% name="curse-check" nbgrader={"grade": false, "locked": true, "solution": false}
models.check_promised_by_best(promised_by_best)

# %% [markdown] name="gaps-intro"
# ## The optimism gap, measured
#
# Now with learned models of the cart-pole. The **optimism gap** of a plan is the return that the model predicts for
# it, less the return that the very same actions earn in the simulator. Models were fitted to base-policy data; each
# planned 20 steps from states of held-out base-policy episodes, open loop. Planners of growing strength take the best
# of *n* candidates, or refine them (CEM).
#
# **Predict.** Which way does the gap go with a stronger search, with more data of the base policy, and with more
# members?

# %% name="gaps"
my_prediction = ""  # stronger search: ...; more data: ...; more members: ...
models.gaps(my_prediction)

# %% [markdown] name="gaps-read"
# <details><summary><b>What the recorded runs show</b></summary>
#
# The plans on the far left were not searched for, and no gap can be claimed for them. The *search* makes the planner an
# optimist: among many candidates the best-looking are those whose errors point up. With five networks the errors that
# are a member's own average out, and the gap is smaller. It need not vanish: members that saw the same data also share
# errors, and no average removes those. In the toy above, where all errors are independent, five members leave
# $1/\sqrt{5} = 45$ % of the gap.
#
# A result that you may not expect: more data of the *same kind* does not close the gap here. Probably the plan leaves
# the states that random actions visit, however many of them were recorded. What may help is data of the planner's own:
# the aggregation of the notebook on distribution shift.
#
# </details>

# %% [markdown] name="capacity-intro"
# ## Not overfit early, capacity late
#
# The lecture asks two things of a model at once: it must not overfit early in training, when there are few data, and it
# needs the capacity to fit well later. Here a narrow network, a wide one and five wide ones follow the same growing
# data of the cart-pole: {{ capacity_steps }} gradient steps at each fit, and the weights are kept from one fit to the
# next. The readings are noisy: each coordinate of a next observation that the networks see has Gaussian noise, with a
# std of {{ reading_noise }} times that of its change over a step. Held-out transitions are judged without it.
#
# Fixed before the runs were made, for the held-out error, paired by seed: wide minus narrow is positive early
# ({{ early }} transitions, one episode); narrow minus wide is positive late ({{ late }}); five wide minus one wide is
# negative early, and late. The noise, the width and the number of gradient steps were chosen on three other seeds.
#
# **Predict.** Where do the curves of narrow and wide cross? Are five wide ones ever behind the narrow one?

# %% name="capacity"
my_prediction = ""
models.capacity(my_prediction)

# %% [markdown] name="capacity-read"
# <details><summary><b>What the recorded runs show</b></summary>
#
# Early, the wide network follows the noise: on its own data its error is far below that of the narrow one, and on
# held-out data it is above it. Late, the narrow network is behind: it cannot represent the cart-pole, or does not learn
# to in these steps, and its error stays high even on the data that it was fitted to. So neither width is right at every
# time. Five wide networks have lower held-out errors than one at each time: what each of them fits of the noise is its
# own, and the average cancels part of it. Only part: with 40 transitions they are still behind the narrow network, and
# with 100 no difference between the two can be claimed (these two comparisons were made after the runs were seen).
#
# </details>

# %% [markdown] name="cheetah-intro"
# ## How model-based compares: the half-cheetah
#
# The lecture's figure has model-based RL *before* uncertainty, with a single network, and *after*, with an ensemble.
# Here are both, at the same number of model evaluations (so the single network's search has five times the candidates).
# Next to them is soft actor-critic (SAC, model-free, default settings of stable-baselines3) on the same environment.
# Our curves are the returns of the episodes as they were collected; SAC's line is its deterministic policy on five
# fixed starts, its dots are the episodes it collected. The horizontal lines are a random policy and a planner that
# holds the *true* simulator (at a smaller search).
#
# Fixed before the single network was run: ensemble minus single, the mean return of the last five episodes, is positive
# according to the lecture.
#
# **Predict.** After how many env steps does SAC pass ours: a thousand, ten thousand, or a million?

# %% name="cheetah"
my_prediction = ""
models.cheetah(my_prediction)

# %% [markdown] name="cheetah-read"
# <details><summary><b>What the recorded runs show</b></summary>
#
# **Before and after.** Both runs with one network end below both runs with five, as in the lecture's figure. If there
# were no difference, two runs would end below two others by chance in one of six cases. So this agrees with the lecture
# and proves nothing. Equal cost is also not equal search: the single network chose among five times as many candidates,
# and a stronger search makes a planner more of an optimist, as the section on the gap shows. How much of the difference
# this explains was not measured.
#
# **Model-based and model-free.** At its first evaluation SAC's policy returns about 0; ours, just past its random
# episodes, returns less, but climbs first. Every recorded run of ours stops far below what a small search with the true
# simulator earns (the upper line), and SAC passes that line later: the limit is our model's and our search's, not the
# task's. The race itself rests on very few runs of each, so read its order of magnitude and not its digits. The two
# also spend differently: SAC takes one gradient step per env step, ours 600 for each of five networks every 250 env
# steps, and plans at every step.
#
# </details>

# %% [markdown] name="cartpole-intro"
# **The same race with several seeds.** On the half-cheetah a run takes minutes, so few were recorded. The cart-pole is
# small enough for more: version 1.5 with one network, with five (fewer candidates, as in `cartpole_ensemble`), and the
# soft actor-critic of the topic on learning policies, all with the same episodes of 100 steps.
#
# Fixed before these runs of SAC were made: the env steps to a first episode that returns 60, one network against SAC,
# with intervals.
#
# **Predict.** How many times as many env steps does SAC need?

# %% name="cartpole"
my_prediction = ""
cartpole.cartpole(my_prediction)

# %% [markdown] name="cartpole-read"
# <details><summary><b>What the recorded runs show</b></summary>
#
# One network has its first good episode after 400 to 500 env steps. SAC takes more than ten times as many: the
# intervals of the medians are that far apart. At the end of the runs the intervals of the return overlap, and SAC's is
# several times as wide. So here the model saves env steps, and that either of the two ends better is not shown. It is
# not for free: after 500 random steps SAC takes one gradient step of critics and policy per env step; one network takes
# 1,200 every 100 env steps, and plans at every step.
#
# </details>

# %% [markdown] name="live-intro"
# ## Your own agent
#
# With `USE_MY_CODE = True` this cell trains your agent on the ledge, counts its falls, and draws its curves over the
# recorded ones of the same arm (`LIVE_ARM`). Try `"five_sampled"` first and then `"one_mean"`: the difference is the
# one in the picture at the top. Your curves need not follow the median, but if every seed is outside the band, look for
# the cause.

# %% name="live"
my_prediction = ""  # steps past the edge, of 40, in the last three episodes: ...
walks.live(USE_MY_CODE, LIVE_ARM, STUDENT_ID, NUM_LIVE_SEEDS, LIVE_ENV_STEPS, my_prediction)

# %% [markdown] name="question-counterexamples" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question 1: neither is always right ({{ points:answer-counterexamples }} points)
#
# An ensemble of two members predicts the return of two actions, *a* and *b*. Planning can judge an action by its
# mean, its worst member (pessimistic) or its best member (optimistic). In at most 120 words, give two tables of four
# predicted returns each, with the true returns:
#
# 1. one where pessimism chooses the wrong action although the mean chooses the right one,
# 2. one where optimism does.
#
# Say for each whether the data collected by *that* choice would correct the error.

# %% [markdown] name="answer-counterexamples" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}
# ### BEGIN SOLUTION
# **Model answer.** *Pessimism.* Members say 4 and 5 of *a*, 3 and 12 of *b*; the truth is 4.5 and 8. The means (4.5,
# 7.5) choose *b*, the worst members (4, 3) *a*: one member is too low about *b*. Choosing *a* yields no data about *b*,
# so the error stays: pessimism is not corrected by its own data.
#
# *Optimism.* Members say 4 and 5 of *a*, 8 and -6 of *b*; the truth is 4.5 and 0. The means (4.5, 1) choose *a*, the
# best members (5, 8) *b*: one member is too high about it. Trying *b* shows its return, the refit lowers that member,
# and the next choice is *a*: corrected, at the price of one bad try.
#
# **Rubric.** Full: two tables with a truth each, in which the mean is right and the criterion wrong, and the
# difference in what data corrects (optimism corrects itself by trying, pessimism does not). Half: one table correct, or
# both without what data corrects. 0: no numbers, or tables in which the criterion chooses the right action.
# ### END SOLUTION

# %% [markdown] name="ablation-intro"
# ## An ablation of your own
#
# The recorded runs above are those of the reference. Now find out what one setting is worth with your code. Choose one
# row; the other settings stay as they are. The next cell prints the commands with your own seeds.
#
# | setting | task | its two values | time of both runs |
# | --- | --- | --- | --- |
# | `--ensemble-size` | `ledge` | 5 or 1 | 3 minutes |
# | `--aggregation` | `ledge` | expected or pessimistic | 4 minutes |
# | `--planner` | `cliff_hill` | cem or random_shooting | 6 minutes |
# | `--horizon` | `cliff_hill` | 10 or 3 | 5 minutes |
#
# The times are processor time with the reference's code, for eight seeds each.

# %% name="ablation"
ABLATIONS = (
    ("ledge", "--ensemble-size", ("5", "1")),
    ("ledge", "--aggregation", ("expected", "pessimistic")),
    ("cliff_hill", "--planner", ("cem", "random_shooting")),
    ("cliff_hill", "--horizon", ("10", "3")),
)
if STUDENT_ID:
    seeds = " ".join(map(str, own_seeds(STUDENT_ID, 8)))
    for task, option, values in ABLATIONS:
        names = [f"{option.strip('-')}_{value}" for value in values]
        for value, name in zip(values, names, strict=True):
            print(f"python -m hw4 train {task} {option} {value} --name {name} --seeds {seeds}")
        print("python -m hw4 plot", *(f"runs/{task}/{name}" for name in names), end="\n\n")
else:
    print("Set STUDENT_ID in the parameters cell: it chooses your seeds. USE_MY_CODE may stay False.")

# %% [markdown] name="question-ablation" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question 2: what is one setting worth? ({{ points:answer-ablation }} points)
#
# *Before* you run anything, write down which value you expect to win, and why. Then run the three commands of your row
# in a terminal, in the homework's folder. `plot` prints the difference seed by seed, its median and an interval. In one
# paragraph of at most 150 words:
#
# 1. your expectation, as it was before the runs;
# 2. the two runs, the number of seeds, and the median difference with its interval;
# 3. what that shows about the setting, and one thing that it does not show.
#
# It does not matter which value wins, nor whether you were right.

# %% [markdown] name="answer-ablation" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 2}
# ### BEGIN SOLUTION
# **Model answer.** (Seeds and numbers are the student's own.) I expected five networks to beat one on the ledge,
# because members that disagree keep the agent from the edge before the data does. Runs: `--ensemble-size` 5 and 1,
# everything else as published, the same eight seeds; the score is the mean return of the last five episodes. Five minus
# one is 10 in the median, with the 95 % interval from -0.3 to 33. Five are ahead on six seeds of eight, on two by more
# than 20, but the interval contains 0: eight seeds do not show that five are better. What it does not show: five
# networks also scored each candidate with five times as many roll-outs, so even a clear difference would not be one of
# disagreement alone.
#
# **Rubric.** Full: an expectation with its reason; two runs that differ in one setting, with the same six seeds or
# more; the median of the paired differences with its interval; a conclusion that the interval allows ("cannot be told
# apart" is one) and a limit of it (one task, two values, few seeds). Half: numbers without an interval, or unpaired,
# or from fewer than six seeds; or a conclusion that goes further than the interval. 0: no runs, or two settings changed
# at once.
# ### END SOLUTION
