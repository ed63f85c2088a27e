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
# # Moment matching: one Gaussian instead of many samples
#
# *{{ title }} · {{ term }}*
#
# **The question.** "Other options: moment matching", says the lecture, and names PILCO. Instead of following samples,
# it follows a mean and a covariance through the model, in closed form. When is that enough, when does it fail, and how
# little data does a policy need that is improved by its gradient?

# %% name="setup" tags=["hide-input"]
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small problems: one thread is fastest

from hw4.commands.jupyter import use_style
from hw4.notebooks import moment_matching_figures as figures

use_style()

# %% [markdown] name="how-to"
# <details><summary><b>What to do, and how long it takes</b></summary>
#
# This notebook is optional. Its question is worth {{ points:answer-two-failures }} bonus points.
#
# 1. Run the notebook (a few seconds). It draws recorded runs, so it works before you have written any code.
# 2. Before you look at a figure, write your prediction into its cell, and run the cell: it then shows above the figure.
# 3. Once your tests of {{ problem:moment_matching }} pass, set `STUDENT_ID` and `USE_MY_CODE = True` below and run the
#    notebook again: it runs two planned trials of PILCO with your functions, about a minute.
# 4. Write the answer at the end.
#
# The code that records and draws is in `hw4/notebooks/moment_matching_*.py`; there is nothing to write in it.
# {{ num_seeds }} seeds of the pendulum are recorded. A seed counts as one number, and the two agents are compared by
# the differences seed by seed. Where the interval of a difference contains 0, there is no clear difference. What is
# compared was fixed before the seeds were run. Nothing here is graded by a return.
#
# </details>

# %% name="parameters" tags=["parameters"]
USE_MY_CODE = False  # True: the cell "Your own pendulum" runs your code
STUDENT_ID = ""  # yours: your trials are derived from it

# %% [markdown] name="bifurcation-intro"
# ## Where one Gaussian is not enough
#
# A ball on a ridge rolls to the left or to the right. Its state follows $x' = x + 0.3\,(x - x^3)$ and begins near 0,
# $\mathcal{N}(0, 0.2^2)$. A GP has learned the step from 40 exact values. Moment matching follows the Gaussian; 100,000
# samples follow the same model. Each step of moment matching is exact *for a Gaussian*.
#
# **Predict.** What do the samples look like after 15 steps? Moment matching knows mean and covariance exactly after one
# step. Does it still know the std after 15?

# %% name="bifurcation"
my_prediction = ""
figures.bifurcation(my_prediction)

# %% [markdown] name="bifurcation-lesson"
# <details><summary><b>What the figure shows</b></summary>
#
# There are *two* failures, and they are worth telling apart.
#
# - **The std is too small.** After 3 steps it is right to about 2 percent, after 15 it is about a third too small.
#   After the first step the state is no Gaussian any more, but is treated as one, and the errors add up.
# - **The shape is wrong, even with the right moments.** In truth, about 3 percent of the samples are still near the
#   middle after 15 steps. A Gaussian with the *true* mean and std claims 25 percent, and moment matching 38 percent:
#   the middle is where it thinks the state most likely is, and where it hardly ever is.
#
# A planner that trusts this Gaussian prepares for a state between the two valleys.
#
# </details>

# %% [markdown] name="curves-intro"
# ## PILCO
#
# A pendulum whose motor is too weak to lift it at once; its motion is that of gymnasium's. After a trial of 3.5 seconds
# of random torques, PILCO fits a GP to at most 100 transitions, and follows the gradient of the expected cost through a
# whole roll-out of 35 moment-matched steps, 40 times. Before that, 30 random policies compete with the present one for
# the start, since the gradient alone seldom finds the swing. Then the policy is tried, and so on.
#
# The *MPC agent* is the one of this course: an ensemble of five networks, fitted after each trial, with CEM at every
# step. Its trials are the same.
#
# **Predict.** How many seconds of experience does each need until it stays upright? Which of them takes more computing?

# %% name="curves"
my_prediction = ""
figures.curves(my_prediction)

# %% [markdown] name="curves-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# PILCO learns, and some of its seeds are fast: the median of its first success comes after 10.5 seconds of experience,
# that of the agent after 14. But the interval of the difference by seed contains 0, so that PILCO needs less is *not*
# clear: in more than a quarter of the seeds no trial is a success, as if the search stayed in a local optimum. In the
# mean of the four planned trials it earns a little less. It takes about ten times as much computing.
#
# Further right the agent is ahead: after its tenth trial it earns more than PILCO after its fifth. (This was seen in
# the runs, not fixed before them.) It looks again at every step; PILCO has one policy, from one forecast.
#
# Two things besides the model differ. PILCO's first trial holds each random torque for 0.3 seconds, the agent's only
# for 0.1. And the motor is a quarter stronger than gymnasium's: with that one, none of the three seeds that were tried
# had a success.
#
# </details>

# %% [markdown] name="forecasts-intro"
# ## What the roll-out believed
#
# PILCO optimises a forecast, so it matters whether the forecast is honest. Below are the angle that the roll-out
# expected, with two std, and the angle that was measured.
#
# **Predict.** In how many of the steps is the angle within two std, if the model is right? And in the first planned
# trial, for which the model has seen nothing but 35 random steps?

# %% name="forecasts"
my_prediction = ""
figures.forecasts(my_prediction)

# %% [markdown] name="forecasts-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# In the first planned trial the angle is within two std in about half of the steps, where 95 percent would be right:
# the forecast is over-confident. Its model has seen 35 random steps, and its hyper-parameters are one estimate from
# them; and following one Gaussian can make the spread too small, as above. In the last planned trial nearly all steps
# are within two std: the data are now where the policy goes.
#
# </details>

# %% [markdown] name="live-intro"
# ## Your own pendulum
#
# With `USE_MY_CODE = True` this cell runs two planned trials of PILCO with your functions.

# %% name="live"
my_prediction = ""
figures.live(USE_MY_CODE, STUDENT_ID, my_prediction)

# %% [markdown] name="question-two-failures" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question: what a Gaussian cannot say ({{ points:answer-two-failures }} bonus points)
#
# In at most 120 words:
#
# 1. At the bifurcation, moment matching fails in two ways. Name both. Which of them would remain if somebody told you
#    the true mean and covariance of every step, and what would a planner still do wrong? Name a remedy from the course.
# 2. Leave out of `moment_match_gp` the expected variance of the model (`unknown`). What does PILCO then optimise, why
#    is that dangerous after the first trial above all, and which figure of this notebook would look different?

# %% [markdown] name="answer-two-failures" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}
# ### BEGIN SOLUTION
# **Model answer.** *1.* The std is too small, since each step treats as a Gaussian what is none; and the shape is
# wrong, one peak where there are two. The shape stays wrong with the true moments: the place between the valleys would
# still be called the most likely one, and a planner would prepare for it. Particles cure it, if each follows one
# function, as in trajectory sampling.
#
# *2.* The cost of the GP's mean, as if that were known. After one random trial the mean is a guess almost everywhere,
# and "no change" far from the data; the policy seeks errors that look cheap. In the figure of the forecasts, the first
# trial's band would be much narrower.
#
# **Rubric.** Full: both failures, that the shape remains, with particles or samples as a remedy; that the model's mean
# is believed, with the errors exploited while data are few, and the forecast's band. Half: one of the two parts. 0:
# says that more data cure the bifurcation.
# ### END SOLUTION
