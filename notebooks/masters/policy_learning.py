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
# # Learn a policy with a model: what is the model good for?
#
# *{{ title }} · {{ term }}*
#
# **The question.** A planner needs its model at every step. A policy answers at once, but has to be learned, and that
# takes data. What does a model save: env steps, processor time, both, neither? And does it matter *how* it is used?

# %% name="setup" tags=["hide-input"]
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small problems: one thread is fastest

from hw4.commands.jupyter import use_style
from hw4.notebooks import policy_learning_figures as figures

use_style()

# %% [markdown] name="how-to"
# <details><summary><b>What to do, and how long it takes</b></summary>
#
# This notebook is optional. Its question is worth {{ points:answer-horizons }} bonus points.
#
# 1. Run the notebook (a few seconds). It draws recorded runs, so it works before you have written any code.
# 2. Before you look at a figure, write your prediction into its cell, and run the cell: it then shows above the figure.
# 3. Once your tests of {{ problem:policy_learning }}, and of the dynamics model and the ensemble pass, set `STUDENT_ID`
#    and `USE_MY_CODE = True` below and run the notebook again: it learns one policy with your functions, in about 10
#    seconds.
# 4. Write the answer at the end.
#
# The code that records and draws is in `hw4/notebooks/policy_learning_*.py`; there is nothing to write in it.
# {{ num_seeds }} seeds are recorded. A seed counts as one number, and learners are compared by the differences seed by
# seed. Where the interval of a difference contains 0, there is no clear difference.
#
# </details>

# %% name="parameters" tags=["parameters"]
USE_MY_CODE = False  # True: the cell "Your own policy" runs your code
STUDENT_ID = ""  # yours: your seed is derived from it

# %% [markdown] name="race-intro"
# ## The race
#
# A dot with inertia is pushed to a goal: four numbers to see, two to choose, 40 steps an episode. All learners are the
# same soft actor-critic, with the same networks, warm-up and model:
#
# - **model-free** makes 1 update of critic and policy at an env step, **equal updates** makes 5: the control, as all of
#   the following make 5;
# - **Dyna k=1**, **k=5**: three quarters of each minibatch are imagined, in roll-outs of k steps from real states;
# - **MVE**: the critic's target looks three imagined steps ahead; **with TD-k** the critic learns at these, too;
# - **STEVE**: targets that look 0 to 3 steps ahead, weighed by their spread over 5 models and 4 critics;
# - **MPC agent**: your planner from the core, with the same model. It has no policy.
#
# **Predict.** Order them by the env steps that they need to a return of 25 (a planner that knows the world gets about
# 36). Then order them by processor time. Will the two orders be the same?

# %% name="race"
my_prediction = ""
figures.curves(my_prediction)

# %% [markdown] name="race-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# The planner beats every policy learner, in env steps and in processor time: its first planned episode is as good as
# any policy ever gets. This task is linear, so the model is right after two episodes, and a plan of 15 steps sees the
# goal. A policy still has to find out by its critic.
#
# Among the learners none needs fewer env steps than MVE with TD-k. The order in processor time is another one: the
# model-free learner needs the most env steps and the least processor time, since the simulator costs next to nothing
# here, and an update with a model costs more than one without. On a robot, where env steps are what costs, the first
# order counts.
#
# </details>

# %% [markdown] name="differences-intro"
# ## More updates, or a model?
#
# Whoever compares a learner that makes 5 updates at an env step with one that makes 1 compares two things at once. So
# the control makes as many updates as the others, on real data alone.
#
# **Predict.** Which of the learners are clearly better than the control after 250 env steps? Does it matter whether the
# critic learns at imagined states, too?

# %% name="differences"
my_prediction = ""
figures.differences(my_prediction)

# %% [markdown] name="differences-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# MVE with TD-k is clearly better than equal updates, and so are MVE and Dyna with five steps. TD-k adds something of
# its own: the interval of its difference to MVE lies above 0, though only just. For Dyna with one step and for STEVE
# the interval contains 0: no effect that {{ num_seeds }} seeds show.
#
# One claim did not come true. We had expected that five updates at an env step are better than one by then. They are
# not, visibly: after 250 env steps most runs of either have not found the goal. Later the difference is clear: equal
# updates reach 25 after less than half of the env steps. So a curve that compares a model with one update shows both.
#
# Not everything is won: one of the recorded runs of MVE with TD-k is at 15.
#
# </details>

# %% [markdown] name="horizons-intro"
# ## How far ahead?
#
# In a linear world every value is known exactly, so one can see where the error of a target comes from. Here the
# discount is 0.98, as in the race.
#
# **Predict.** Draw the error of the target over the number of imagined steps: once for a critic that is wrong by 1
# everywhere, and once for a model that is wrong by 2 % at each step.

# %% name="horizons"
my_prediction = ""
figures.horizons(my_prediction)

# %% [markdown] name="horizons-lesson"
# <details><summary><b>What the figure shows</b></summary>
#
# The error of the critic comes in times 0.98 to the power H + 1: it shrinks, but slowly. The error of the model starts
# at 0, as the first step is real, and grows with every step. Looking ahead pays as long as the model is better than the
# critic. Early in learning the critic knows nothing, and the model of an easy task is good already.
#
# </details>

# %% [markdown] name="weights-intro"
# ## What STEVE can know, and what it cannot
#
# STEVE gives each length a weight by how much models and critics agree on its target.
#
# **Predict.** Once the members of a model disagree from two imagined steps on; once all of them make the same mistake.
# What happens to the weights of these lengths?

# %% name="weights"
my_prediction = ""
figures.weights(my_prediction)

# %% [markdown] name="weights-lesson"
# <details><summary><b>What the figure shows</b></summary>
#
# Where the members disagree, the long targets lose their weight, and the target stays right. Where they are wrong
# alike, the long targets keep their weight, and the target is wrong. Spread tells what a model does not know, not where
# it is wrong: members that share data, network and training share mistakes, too.
#
# </details>

# %% [markdown] name="live-intro"
# ## Your own policy
#
# With `USE_MY_CODE = True` this cell learns one policy by MVE with TD-k with your functions: 250 env steps, about 10
# seconds. Expect your line to lie among the recorded ones.

# %% name="live"
my_prediction = ""
figures.live(USE_MY_CODE, STUDENT_ID, my_prediction)

# %% [markdown] name="question-horizons" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question: what is a model good for? ({{ points:answer-horizons }} bonus points)
#
# In at most 160 words besides formulas:
#
# 1. A critic is wrong by $b$ at every state, and each imagined step adds an error of the same sign and of size $e$ to
#    the return. The first step is real, and the discount is $\gamma$. What is the largest possible error of a target
#    with $H$ imagined steps? For which $e$ does one imagined step make it smaller than none?
# 2. MVE and MVE with TD-k have the same targets for real steps. Why may the second learn faster? Name what the
#    critic is asked for, and where it learned.
# 3. The planner wins this race. Name one property of this task that makes it win, and one change of the task that would
#    make you prefer a policy.

# %% [markdown] name="answer-horizons" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}
# ### BEGIN SOLUTION
# **Model answer.** *1.* The critic's error comes in times $\gamma^{H+1}$, and imagined step $i$ adds $\gamma^i e$: at
# most $\gamma^{H+1} |b| + e \sum_{i=1}^{H} \gamma^i$. From $H = 0$ to $H = 1$ this changes by $\gamma^2 |b| - \gamma
# |b| + \gamma e$, so one step helps if $e < (1 - \gamma) |b|$.
#
# *2.* The last value of a target is that of an imagined state. Without TD-k the critic learned at real states alone, so
# there it is asked where it never learned: its inputs are distributed otherwise in the target than in training. TD-k
# trains it where it will be asked, and gives it several targets from each roll-out.
#
# *3.* The dynamics are linear, so two episodes make a good model, and 15 steps reach the goal. I would prefer a policy
# if an action were due every millisecond, or if the reward lay far beyond the horizon.
#
# **Rubric.** Full: the bound and its condition; training and use on different states; a fitting property and change.
# Half: two of the three. 0: fewer.
# ### END SOLUTION
