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
# # Cliff hill: why a good model of your data is not enough
#
# *{{ title }} · {{ term }}*
#
# **The question.** A model predicts its own data almost perfectly, and yet a plan made with it goes over a cliff. How
# can that be, and what helps?

# %% name="setup" tags=["hide-input"]
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks: one thread is fastest
from collections.abc import Callable
from typing import Any

import numpy as np

from hw4.commands.jupyter import Array, use_style
from hw4.notebooks import distribution_shift_classes as classes
from hw4.notebooks import distribution_shift_figures as figures
from hw4.notebooks import distribution_shift_models as models

use_style()
figures.first_picture()

# %% [markdown] name="how-to"
# <details><summary><b>What to do, and how long it takes</b></summary>
#
# 1. Run the cells one by one (about 15 seconds in all). They draw recorded runs, before you have written any code.
# 2. Before you look at a figure, write your prediction into its cell, and run the cell: it then shows above the figure.
# 3. Complete the two small functions, and make three diagnoses in the clinic (no points; each says if it is right).
# 4. Once your tests of {{ problem:dynamics }} and {{ problem:planning }} pass, set `STUDENT_ID` below, and
#    `USE_MY_CODE = True`, and run the notebook again: your own agent trains, for about a minute.
# 5. Write the answers at the end ({{ points_in_all }} points). Before you hand in, say in the last cell who and what
#    helped you.
#
# The code that records and draws is in `hw4/notebooks/distribution_shift_*.py`; there is nothing to write in it.
#
# </details>

# %% name="parameters" tags=["parameters"]
USE_MY_CODE = False  # True: the cell "Your own agent" trains your agent
STUDENT_ID = ""  # yours: your agent's seeds are derived from it
NUM_LIVE_SEEDS = 2  # how many seeds it trains with
LIVE_ENV_STEPS = 400  # of each run; a whole run has 400, and with fewer it is cut

# %% [markdown] name="hill-intro"
# ## The hill
#
# The observation is a position (*x*, *y*) and the height of the ground there, in metres. An action moves at most 0.2
# m in each direction. The reward is the height reached, less a small cost of moving: *go right to get higher!* Past
# *x* = 3 m the ground falls away, to 5 m below zero. The reward says nothing about that edge: only the dynamics do,
# and they are what the model has to learn. One episode is 40 steps.
#
# The **base policy** draws each action at random. A few such episodes are all the data of the first model. Version 0.5
# fits a model to them, plans all 40 steps once, and executes them with its eyes closed.

# %% [markdown] name="densities-intro"
# ## Where the data is, and where the plan goes
#
# $p_{\pi_0}(s)$ are the states that the model was fitted to, $p_{\pi_H}(s)$ those that the plan really visits.
#
# **Predict.** Which share of the second lies farther right than *all* of the first: less than a tenth, about half, or
# more?

# %% name="densities"
my_prediction = ""
figures.densities(my_prediction)

# %% [markdown] name="falls-intro"
# ## Version 0.5 walks off the cliff
#
# What the plan promises, and what it gets.
#
# **Predict.** Is the real return of the plan above the imagined one, below it, or about the same? On how many of
# {{ num_seeds }} seeds does the agent fall?

# %% name="falls"
my_prediction = ""
figures.falls(my_prediction)

# %% [markdown] name="mend-intro"
# ## Aggregation and replanning
#
# Version 1.0 executes the whole plan as well, but adds what it saw to the data, fits again and plans again. Version
# 1.5 replans at every step, executes only the first action, and refits every few steps. The base policy's episodes
# come first in all three.
#
# **Predict.** When the first planned episode begins, no model has met the edge. Which of the three versions fall in
# *that* episode? And in the last?

# %% name="mend"
my_prediction = ""
figures.learning(my_prediction)

# %% [markdown] name="errors-intro"
# ## What exactly was fixed?
#
# On the left, the change in height that a model predicts for one full step to the right, from each place along the
# ridge. In the middle and on the right, the error of the next height, over the episodes: on held-out states of the base
# policy, on held-out states of the *first* plan (about half of them past the edge), and on the states that the agent
# visits in that episode, each predicted before it was seen.
#
# **Predict.** From the first planned episode to the last, does each of these three errors rise, fall, or stay?

# %% name="errors"
my_prediction = ""  # base policy's states: ...; first plan's states: ...; states visited now: ...
figures.errors(my_prediction)

# %% [markdown] name="mended"
# <details><summary><b>What the recorded runs show</b></summary>
#
# On states like its data the first model errs by millimetres. Aggregation does not make it better everywhere. At the
# end it is *worse* on the base policy's states than it was at first. On the first plan's states no improvement can be
# claimed under 1.0, and under 1.5 the error rises. What falls is the error on the states that the agent visits: the new
# data comes from there, and these are no longer the states of the first episode. The belief about a step over the edge
# moves towards the truth.
#
# </details>

# %% [markdown] name="dagger"
# ## What DAgger has, and this does not
#
# Aggregation looks like DAgger (Ross et al. 2011): run the current policy, label the states it visits, add them to the
# data, fit again. In DAgger, an *expert* labels each visited state with the right action, which costs a person's time.
# Here the label of $(s_t, a_t)$ is the next state $s_{t+1}$, and **the expert is the world itself**: it labels every
# visited state immediately, free of charge, and never wrongly. It does not label states that the plan only imagined:
# the agent learns nothing about them until it goes there, and here the first lesson about the edge is a fall.

# %% [markdown] name="coverage-intro"
# ## A base policy that covers more
#
# Would 0.5 work without aggregation if its data covered more? Three base policies, each with {{ num_base_episodes }}
# episodes: *timid* draws each action from three tenths of the range, *uniform* is the one above, and *bold* draws from
# the whole range but holds each action for 20 steps, so that it gets far. After that, 0.5 fits and plans once, as
# before.
#
# **Predict.** Does bold data that has met the edge make 0.5 work: never, on some seeds, or always?

# %% name="coverage"
my_prediction = ""
figures.coverage(my_prediction)

# %% [markdown] name="coverage-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# Version 0.5 works on no seed whose data has not met the edge. Where the data has met it, most plans earn something,
# but there are too few seeds to claim that their median does. Seen afterwards, not predicted: it works on all seeds
# whose data went on to the wall at 4 m, and fails where they just touched the edge. So coverage has to be wide, and it
# is luck as long as the base policy does not know where the plan will go. And to learn about the danger in this way,
# the base policy has to meet it.
#
# </details>

# %% [markdown] name="models-intro"
# ## Which model, for how much data?
#
# Now the cart-pole, data from random actions alone, {{ num_model_seeds }} seeds, and four models: a linear one,
# networks with two hidden layers of 64 units (the graded one) and of 256, and a **hand-made** one, which has the
# equations of a cart-pole and only three unknown numbers, fitted to the same data (*system identification*). It is
# wrong in two places: it has no friction, and knows nothing of the rail's ends. Its pole is a point mass, which is no
# mistake: a cart with any rigid pole moves exactly as one with a suitable point mass.
#
# The error, one step ahead, is measured on new transitions under random actions (*in distribution*), and along the last
# episodes of an agent that has learned to swing the pole up (*out of distribution*: where a plan should go). An error
# of 1 is no better than always predicting the mean change. The *regret* of a model fitted to {{ planned_size }}
# transitions is how much more the same planner earns from the same start with the simulator itself.
#
# **Predict.** Which model has the smallest error in distribution with the least data, with the most data, and out of
# distribution? Which error is the better guide to the regret?

# %% name="models"
my_prediction = ""
models.models(my_prediction)

# %% [markdown] name="models-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# Fifty transitions are enough to fit three numbers, and more data hardly makes the hand-made model better: what is left
# of its in-distribution error is probably the stops at the ends of the rail, which random actions run into and which
# its equations do not have. In distribution the networks overtake it: at 400 transitions they are behind, at 3,600 they
# are ahead; in between, at 1,200, that can be claimed only of the wide one. Out of distribution the hand-made model
# stays ahead throughout, up to 3,600 transitions: along a good policy's path its equations still hold. The error out of
# distribution is the better guide to the regret: in distribution the narrow network errs hardly more than the hand-made
# model, out of distribution many times as much, and planning with it mostly fails. It cannot be claimed that the wider
# network does harm with 50, 150 or 400 transitions; with 150 it errs less out of distribution.
#
# </details>

# %% [markdown] name="classes-intro"
# ## Trade-offs between classes of models
#
# One of the lecture's goals, measured: the same robot and other seeds, and an episode is planned with *every* model.
# Two classes are new. The *ensemble* has five of the networks, each with its own resampled data. A *Gaussian process*
# predicts a weighted mean of the changes that it has seen, and those of similar transitions count most; it is exact, so
# it keeps all its data and asks them at every prediction. The dotted line is the hand-made model with *guessed*
# numbers: the physics is the same, but nobody fitted it.
#
# Fixed before the runs were made: each class against the hand-made one, ensemble and Gaussian process against the
# network, at every size, for both errors and for the regret, paired by seed; which of the two errors goes with the
# regret, over all models; and what a plan with the Gaussian process costs.
#
# **Predict.** Which class would you take with 50 transitions, and which with 3,200, if you know the physics, and if you
# do not? Where do the learned classes pass the hand-made one: in distribution, on a good policy's states, in both
# places, or in neither?

# %% name="classes"
my_prediction = ""  # with 50: ...; with 3,200: ...
classes.crossover(my_prediction)

# %% [markdown] name="classes-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# **If you know the physics, use it.** With 50 transitions, fitted in less than a tenth of a second, the hand-made
# model errs less than every learned class in both places, and planning with it is level with the simulator at every
# size. But the equations alone are not a model: with guessed numbers they err less than the network with 50
# transitions, and still lose most of the return.
#
# **In distribution the learned classes pass it:** network and ensemble from 800 transitions on, the Gaussian process
# with 3,200. **On a good policy's states none of them does,** at any size. And this error is the one that goes with the
# regret: over all fitted models, their rank correlation is about 0.9, and that of the error in distribution about 0.7.
# The linear model errs more than the hand-made one at every size, and loses most of the return.
#
# **Without the physics** it takes data. With 3,200 transitions network and ensemble lose less than with 50; for the
# Gaussian process that cannot be claimed. With 50 transitions it errs less than the network in both places and loses
# less; with more data no difference in regret shows. Between five networks and one no difference in regret shows at
# any size; in distribution the five err a little less with 50 transitions.
#
# **What it costs.** The Gaussian process keeps its data: with 3,200 transitions a plan takes several times as long as
# with 50, and longer than with any other class. The plans of the other classes show no such growth.
#
# </details>

# %% [markdown] name="plain-intro"
# ## Is a more expressive model worse?
#
# The lecture says that mismatch becomes worse with more expressive models. On the cart-pole above it did not: the
# linear model had the largest regret. So here is a task made for the statement, the **windy plain**: a step has the
# same length everywhere, plus a gentle wind that changes from place to place. The data are short random walks on the
# left side of the plain, the goal is on its right. A linear model has the step right and misses the wind; the others
# follow the wind where the data are.
#
# Fixed before the runs were made, each class against the linear model, paired by seed, for both data sizes: the error
# on held-out base data; the error along the episode that is planned with the model; and that episode's regret against
# the true model. And within networks: width 256 against 16.
#
# **Predict.** The sign of each of the three differences for a *class* that is more flexible than the linear one. And
# for the *wider* network?

# %% name="plain"
my_prediction = ""
models.plain(my_prediction)

# %% [markdown] name="plain-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# Between *classes* of models the statement holds here: every flexible class fits the base data better than the linear
# one, errs more under the plan and costs return, the cubic polynomial most. Between *widths* of the same network little
# of it is left: the widest network errs a little more under the plan than the narrowest, but it cannot be claimed for
# either data size that it earns less. "Expressive" is about what a class does where it has no data, more than about its
# number of weights. And the plain was made for the statement: its linear model is right in the part that has to be
# extrapolated.
#
# </details>

# %% [markdown] name="live-intro"
# ## Your own agent
#
# With `USE_MY_CODE = True` this cell trains your agent as version 0.5 and as version 1.5, on seeds that follow from
# `STUDENT_ID` and that hardly anybody else has, and draws its curves over the recorded ones. Your curves need not
# follow the median, but if every seed is outside the band, look for the cause.

# %% name="live"
my_prediction = ""  # last returns under 0.5: ...; under 1.5: ...
figures.live(USE_MY_CODE, STUDENT_ID, NUM_LIVE_SEEDS, LIVE_ENV_STEPS, my_prediction)

# %% [markdown] name="exercises-intro"
# ## Two small functions
#
# No points: write them to see how little it takes to measure what this notebook is about. The cell after each says
# whether it works.


# %% name="share-outside" nbgrader={"grade": false, "locked": false, "solution": true}
def share_outside(data: Array, visited: Array) -> float:
    """The share of visited states with a coordinate outside the range that it has in the data.

    Args:
        data: states, shape (N, dim).
        visited: states, shape (M, dim).

    Returns:
        A number in [0, 1]; a state on the border of the range is inside.
    """
    ### BEGIN SOLUTION
    outside = (visited < data.min(axis=0)) | (visited > data.max(axis=0))
    return float(outside.any(axis=1).mean())
    ### END SOLUTION


# %% name="share-outside-check" nbgrader={"grade": false, "locked": true, "solution": false}
figures.check_share_outside(share_outside)


# %% name="roll-out" nbgrader={"grade": false, "locked": false, "solution": true}
def roll_out(predict: Callable[[Any, Any], Any], observations: Any, actions: Any, k: int) -> Any:
    """What a model expects k steps ahead, from each moment of an episode, under the actions that were executed.

    Args:
        predict: the model; observations (n, obs_dim) and actions (n, act_dim) give next observations (n, obs_dim).
        observations: of an episode of T steps, shape (T + 1, obs_dim).
        actions: that were executed, shape (T, act_dim).
        k: steps ahead, in [1, T].

    Returns:
        shape (T - k + 1, obs_dim): entry t is what the model expects to see at time t + k, having seen only
        `observations[t]`. After the first step it sees its own predictions, never the truth.
    """
    ### BEGIN SOLUTION
    num_starts = len(actions) - k + 1
    expected = observations[:num_starts]
    for step in range(k):
        expected = predict(expected, actions[step : step + num_starts])
    return expected
    ### END SOLUTION


# %% name="roll-out-check" nbgrader={"grade": false, "locked": true, "solution": false}
figures.check_roll_out(roll_out)

# %% [markdown] name="clinic-intro"
# ## The clinic
#
# Three cart-pole agents are ill, each with exactly one bug in one function. You get what the grader's report would
# show about your own agent, from {{ num_clinic_seeds }} recorded runs of each, next to {{ num_clinic_seeds }} of a
# healthy one: the learning curve; the *model error*, one step ahead on the states just visited, each asked before the
# answer was seen (1 is as good as expecting no change); and the *optimism gap*: how much more the model promises for
# the agent's plans than these plans then earn, in reward per step.

# %% name="clinic"
models.clinic()

# %% [markdown] name="diagnosis-intro"
# Write down which is which. Ask of each: is the model good where the agent goes? Does it become better as data comes
# in? If the model is good and the return is not, what is left? The illnesses to choose from:
#
# - `"fits once"`: the model is fitted after the first episode and never again
# - `"not un-normalised"`: the network's answer is added to the observation as it is, in normalised units
# - `"last action"`: the controller executes the last action of each plan, not the first
# - `"tiny network"`: the network is too small for the dynamics


# %% name="diagnosis" nbgrader={"grade": false, "locked": false, "solution": true}
def diagnosis() -> dict[str, str]:
    """The illness of each of "A", "B" and "C", and in comments what shows it."""
    ### BEGIN SOLUTION
    # A: its model becomes nearly as good as the healthy one's and promises no more than its plans earn, yet the return
    #    stays low: the plans are good and are not what is executed.
    # B: the model is worse than expecting no change from its first prediction on, and more data does not help.
    # C: the model starts like the healthy one's, and then stops improving while that one's error falls: it learns no
    # more.
    return {"A": "last action", "B": "not un-normalised", "C": "fits once"}
    ### END SOLUTION


# %% name="diagnosis-shown" nbgrader={"grade": false, "locked": true, "solution": false}
models.check_diagnosis(diagnosis)


# %% [markdown] name="question-densities" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question 1: reading the densities ({{ points:answer-densities }} points)
#
# The first model is accurate on the states it was fitted to, and yet its plan fails. In at most 100 words:
#
# 1. Which two distributions differ, and over which of them does the fit minimise its error? Quote one
#    number of a figure.
# 2. Why does the planner *look for* states where the model is wrong, and not merely happen to go there? Quote one
#    number, too.

# %% [markdown] name="answer-densities" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}
# ### BEGIN SOLUTION
# **Model answer.** The fit minimises the error over $p_{\pi_0}(s)$, the base policy's states; the plan is executed
# under $p_{\pi_H}(s)$. They barely overlap: 88 % of the plan's states are farther right than all of the data, and
# there the height error is about 60 times that on held-out base states. The planner maximises the *predicted*
# return. Among many candidates it picks those whose prediction is too high, so errors upwards are selected, not
# averaged out: imagined returns are about 125, real ones about -64.
#
# **Rubric.** Full: both distributions with their roles, the selection of optimistic errors by maximisation, and a
# correct number for each. Half: both distributions named correctly, but no selection ("the model is bad there"
# alone), or no number. 0: blames too little training or too small a network without naming the shift.
# ### END SOLUTION

# %% [markdown] name="question-honest" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question 2: what the curves can show ({{ points:answer-honest }} points)
#
# A fellow student writes: "My 1.5 beats my 1.0, so replanning is what fixes distribution shift." In at most 100 words:
#
# 1. What does `as_version` change between the two? Name everything.
# 2. Which one experiment would test the sentence: what varies, what stays, over how many seeds, and which number would
#    you report?

# %% [markdown] name="answer-honest" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}
# ### BEGIN SOLUTION
# **Model answer.** Three things change at once: `replan_every` (40 to 1), `refit_every` (40 to 10: more fits, fresher
# data) and `horizon` (40 to 10). So the two curves do not tell which of them helped. Keep the refits and the horizon of
# 1.5 and vary `replan_every` alone, 1 against 10. Run both with the same ten seeds or more, and report the median of
# the differences seed by seed, with its interval: one pair of curves, or three, cannot rank two agents that both work.
#
# **Rubric.** Full: all three changes; an experiment that varies replanning alone, over several common seeds, with an
# interval or another measure of chance. Half: a change missed, or an experiment that varies two things, or one seed.
# 0: accepts the sentence.
# ### END SOLUTION

# %% [markdown] name="declaration-intro" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Before you hand in: who and what helped you?
#
# Fill in the two lines of the next cell once, for the whole homework. It has no points and no word limit, and "nobody"
# and "nothing" are complete answers. The handout says what is allowed.

# %% [markdown] name="declaration"
# **I worked with** (who, and on what):
#
# **AI and other tools I used** (which, and for what):
