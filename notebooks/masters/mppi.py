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
# # MPPI: a weighted average instead of elites
#
# *{{ title }} · {{ term }}*
#
# **The question.** PDDM's planner (Nagabandi et al. 2019) averages all candidates, with correlated noise, and queries
# the model once. Where is that better than random shooting and CEM, and where is it not?

# %% name="setup" tags=["hide-input"]
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks: one thread is fastest

from hw4.commands.jupyter import use_style
from hw4.notebooks import mppi_figures as figures

use_style()
figures.filtered_noise()

# %% [markdown] name="how-to"
# <details><summary><b>What to do, and how long it takes</b></summary>
#
# This notebook is optional and carries no points.
#
# 1. Run the cells one by one (about 15 seconds in all). They draw recorded runs, before you have written any code.
# 2. Before you look at a figure, write your prediction into its cell, and run the cell: it then shows above the figure.
# 3. Once your tests of `filter_noise` and `mppi_update` pass, and those of {{ problem:ensembles }}, set `STUDENT_ID`
#    and `USE_MY_CODE = True` below and run the notebook again: it trains your ensemble and plans with it.
#
# The code that records and draws is in `hw4/notebooks/mppi_*.py`; there is nothing to write in it. {{ num_models }}
# learned models are recorded. A seed counts as one number, the mean over its two episodes, and planners are compared by
# the differences seed by seed. Where the interval of a difference contains 0, there is no clear difference.
#
# </details>

# %% name="parameters" tags=["parameters"]
USE_MY_CODE = False  # True: the cell "Your own planner" runs your code
STUDENT_ID = ""  # yours: your agent's seeds are derived from it
NUM_LIVE_SEEDS = 1  # how many ensembles it trains
LIVE_ENV_STEPS = 700  # of each training run; a whole run has 700, and with fewer it is cut

# %% [markdown] name="filter-intro"
# ## What the filter does
#
# PDDM mixes each step's new noise with the filter's last value, which starts at 0. A candidate then holds a push for
# several steps. But as the filter has nothing to remember at first, its noise is small in the first step, which is the
# one that is executed, and only grows to its full size after some steps (on the left, at the top). `filter_noise`
# divides each step by its own standard deviation (on the right, from the same white noise): every step has the standard
# deviation 1, and a smaller beta makes the noise slower, not smaller.

# %% [markdown] name="ways-intro"
# ## What is compared
#
# Each seed trains one ensemble, as the experiment `cartpole_ensemble` does. Then learning stops, and every planner
# below controls the cart-pole with that same ensemble, from the same two start states. So a difference between two
# planners is due to planning alone; note, though, that CEM collected the ensemble's data. The number of candidates is
# that of one control step: random shooting and MPPI score all of them in one call, CEM in three iterations.
#
# CEM runs with the settings of the experiment, with one exception: no more than a third of a population are elites.
# With 30 candidates a population is 10, and the 10 elites of the experiment would be all of it.

# %% [markdown] name="budgets-intro"
# ## Three planners, the same number of candidates
#
# On the left, the return of an episode against the number of candidates in a control step. On the right, the processor
# time of an action. The times were measured next to each other on one core; on your machine only their ratios should
# be similar.
#
# **Predict.** With 30 candidates, is MPPI ahead of random shooting, and of CEM? With 300? Which is fastest?

# %% name="budgets"
my_prediction = ""
figures.budgets(my_prediction)

# %% [markdown] name="budgets-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# With 30 candidates, MPPI is far ahead of random shooting. It is level with CEM, not better: with 30 candidates there
# is no clear difference, with 90 the interval just reaches 0, and with 300 CEM is ahead by about one percent. What MPPI
# saves is time: it queries the model once for each plan, CEM three times, one after the other. The more candidates
# there are, the less that matters.
#
# </details>

# %% [markdown] name="kappa-intro"
# ## What kappa and beta do
#
# With 90 candidates. On the left, kappa: at the left end all candidates weigh nearly the same, at the
# right end the best one is all that counts. On the right, beta: from slow noise to white noise.
#
# **Predict.** At which end of kappa does MPPI fail: the left, the right, or both?

# %% name="kappa"
my_prediction = ""
figures.kappa(my_prediction)

# %% [markdown] name="kappa-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# A kappa that is too small fails: the average of candidates that push left and right is a plan that does nothing. From
# kappa = 1 upwards there is no clear difference, not even at kappa = 1000, where the plan is the best candidate alone.
# So here it is not the average that makes MPPI so much better than random shooting. The two still differ in where they
# search: MPPI draws its candidates around the rest of the last plan, and random shooting starts anew every time,
# anywhere in the bounds. Beta makes no clear difference on this task either. The unit of kappa is one over the unit of
# the return, so another task may need another kappa.
#
# </details>

# %% [markdown] name="live-intro"
# ## Your own planner
#
# With `USE_MY_CODE = True` this cell trains your ensemble, and then plans one episode with each planner, with 30
# candidates and no more learning. Expect your lines to lie among the recorded dots.

# %% name="live"
my_prediction = ""
figures.live(USE_MY_CODE, STUDENT_ID, NUM_LIVE_SEEDS, LIVE_ENV_STEPS, my_prediction)
