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
# # Bayesian networks: what an ensemble approximates
#
# *{{ title }} · {{ term }}*
#
# **The question.** "How can we have uncertainty-aware models?" Estimate $p(\theta \mid \mathcal{D})$, says the lecture:
# "the entropy of this tells us the model uncertainty". What does the exact posterior look like, how much of it do a few
# members have, and are Bayesian networks a better guess?

# %% name="setup" tags=["hide-input"]
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small problems: one thread is fastest

from hw4.commands.jupyter import use_style
from hw4.notebooks import bayesian_networks_figures as figures

use_style()

# %% [markdown] name="how-to"
# <details><summary><b>What to do, and how long it takes</b></summary>
#
# This notebook is optional. Its question is worth {{ points:answer-one-over-n }} bonus points.
#
# 1. Run the notebook (a few seconds). It draws recorded runs, so it works before you have written any code.
# 2. Before you look at a figure, write your prediction into its cell, and run the cell: it then shows above the figure.
# 3. Once your tests of {{ problem:bayesian_networks }} and of the dynamics model and ensembles pass, set `STUDENT_ID`
#    and `USE_MY_CODE = True` below and run the notebook again: it fits two networks with your functions, about 15
#    seconds.
# 4. Write the answer at the end.
#
# The code that records and draws is in `hw4/notebooks/bayesian_networks_*.py`; there is nothing to write in it.
# {{ num_seeds }} seeds are recorded. A seed counts as one number, and posteriors are compared by the differences seed
# by seed. Where the interval of a difference contains 0, there is no clear difference. What is compared was fixed
# before the seeds were run.
#
# </details>

# %% name="parameters" tags=["parameters"]
USE_MY_CODE = False  # True: the cell "Your own curve" runs your code
STUDENT_ID = ""  # yours: your data are derived from it

# %% [markdown] name="line-intro"
# ## The posterior itself
#
# For a straight line with known noise the posterior is a Gaussian, in closed form. Three ensembles of five fit the same
# eight measurements: all share the data; each resamples them; each fits measurements with noise of its own, pulled to
# its own draw of the prior, which makes it an exact draw of the posterior.
#
# **Predict.** "Resampling is usually unnecessary, because random initialisation and SGD usually make the models
# sufficiently independent", says the lecture. How far apart are five *lines* that share the data?

# %% name="line"
my_prediction = ""
figures.line(my_prediction)

# %% [markdown] name="plane-intro"
# The same with two inputs and 60 random features. A measurement at $x$ would tell us
#
# $$I = H[y \mid x, \mathcal{D}] - E_\theta\, H[y \mid x, \theta]$$
#
# nats about the weights: total minus expected entropy. For the posterior that is
# $\tfrac12 \log(1 + \sigma_f^2(x) / \sigma^2)$. For $E$ members it is the entropy of their mixture minus that of one,
# and never above $\log E$.

# %% name="plane"
figures.plane()

# %% [markdown] name="members-intro"
# **Predict.** "Usually fewer than 10 models, crude." Places just beyond the data have to be told from places near it.
# How much do two members detect, ten, the posterior itself? Do resampled members do as well as exact draws?

# %% name="members"
my_prediction = ""
figures.members(my_prediction)

# %% [markdown] name="members-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# Two members are crude indeed, ten are nearly as good as the posterior, and 30 are better still: each step lies above
# 0. Five draws see about three quarters of the information. Resampled members do worse than exact draws of as many:
# a bootstrap set loses a third of the data and knows nothing of the prior. And where the fit has one solution,
# resampling is *not* unnecessary: members that share the data are one and the same. It is the many minima of a network
# that make it unnecessary there. In the recorded runs of the graded ledge, an ensemble without resampling earns about
# as much as one with it.
#
# </details>

# %% [markdown] name="gap-intro"
# ## One curve, four posteriors
#
# Networks now. Each fits 60 measurements of a curve, with a gap in the middle, by as many gradient steps, and predicts
# its own noise. Five functions are drawn of each posterior.
#
# **Predict.** Where are the functions furthest apart: in the gap, at the data, or at the far ends? For all four?

# %% name="gap"
my_prediction = ""
figures.gap(my_prediction)

# %% [markdown] name="gap-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# The ensemble's functions part in the gap. Those of the other three are further apart at the data than in the gap. For
# that there is a theorem: a distribution that is a product over weights or units cannot be sure on both sides of a gap
# and open in between (Foong et al. 2019). But look at the curves: here they hardly bend at all. With 60 measurements
# the divergence of a network that follows the data is larger than what it gains, so it stays near its prior.
#
# </details>

# %% [markdown] name="probabilities-intro"
# Concrete dropout learns how often to drop.
#
# **Predict.** What happens to the probability with more data? And if there is no noise at all, as in a simulator?

# %% name="probabilities"
my_prediction = ""
figures.probabilities(my_prediction)

# %% [markdown] name="probabilities-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# More data, less dropout: the entropy counts once, the data $N$ times. With few measurements the probability rises far
# above its start. Without noise it falls a little further in the end. On the cart-pole, a simulator without noise, it
# ends at a tenth of where it started, and with it goes the disagreement of the functions; on the ledge, where the
# networks learn next to nothing, it rises.
#
# </details>

# %% [markdown] name="agents-intro"
# ## In the planner
#
# Five functions of a posterior, fixed for one fit, take the place of five members. Nothing else changes, neither the
# planner nor the number of gradient steps.
#
# *Spread / error* is the root mean square std of the functions over the root mean square error of their mean, for a
# model of random actions: 1 is calibrated, below 1 over-confident. *AUROC* is how well the spread tells a good agent's
# transitions from random ones.
#
# **Predict.** Which posterior learns the cart-pole, a simulator without noise, fastest? Which is the most
# over-confident?

# %% name="cartpole"
my_prediction = ""
figures.agents("cartpole", my_prediction)

# %% [markdown] name="ledge-intro"
# On the ledge the size of the noise is what has to be learned, from the 40 transitions of one episode at first.
#
# **Predict.** What does a network believe whose divergence from the prior counts for more than 40 transitions?

# %% name="ledge"
my_prediction = ""
figures.agents("ledge", my_prediction)

# %% [markdown] name="agents-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# Over-confident are all of them on the cart-pole, the ensemble too: on random actions its functions are apart by about
# half of what they are wrong, and the other three by less: three to five times over-confident. That they learn more
# slowly is not clear, nor that they detect less: the intervals of the differences contain 0. In the last two episodes
# Bayes by Backprop and dropout earn a little less, concrete dropout not clearly. A fit takes two to four times as long.
#
# On the ledge they fail. With 40 transitions the divergence of a network that has learned anything is larger than what
# it gains, so the minimum of the bound is the prior: the network predicts that an action changes nothing, with the
# right noise. It never comes back from there. On the one seed where this was looked at, a full action moves the
# prediction by less than 1 mm after all episodes, where 20 cm would be right. They seldom fall, since they go nowhere
# in particular. More care may help (a divergence that counts little at first, other priors, fresh networks at each
# fit), but none of that was tried: the ensemble needed none.
#
# </details>

# %% [markdown] name="live-intro"
# ## Your own curve
#
# With `USE_MY_CODE = True` this cell fits two of the networks with your functions, to measurements of your own.

# %% name="live"
my_prediction = ""
figures.live(USE_MY_CODE, STUDENT_ID, my_prediction)

# %% [markdown] name="question-one-over-n" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question: one over N ({{ points:answer-one-over-n }} bonus points)
#
# A friend's `variational_loss` divides the divergence by the size of the minibatch, 128, instead of by the number of
# transitions, which grows from 100 to 700. In at most 120 words:
#
# 1. What does the friend's agent minimise instead of the bound? Say it as a bound with another data set or another
#    prior, and say how the mistake changes as the data come in.
# 2. The right loss, too, has far more weights than transitions. What does the minimum look like when the divergence of
#    fitting the data is larger than what the fit gains, and which of the recorded agents shows it?

# %% [markdown] name="answer-one-over-n" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}
# ### BEGIN SOLUTION
# **Model answer.** *1.* Times N, the friend's loss is $\sum_n -\log p_n + (N / 128)\,KL$. Divided by $N / 128$, it is
# the bound of a data set in which each transition counts $128 / N$ times: at any time as much as 128 transitions say.
# At $N = 100$ that is slightly too much data, at 700 about a fifth. So the posterior stops narrowing: more data no
# longer make the agent surer, and it stays near its prior.
#
# *2.* Then q stays at the prior in most weights: their divergence is 0, they are noise, and the network predicts little
# more than the mean change, with a large noise. On the ledge, with 40 to 320 transitions, the Bayesian agents hardly
# learn what an action does, and do not climb.
#
# **Rubric.** Full: the data count 128/N times (or the divergence N/128 times), with the direction as N grows, and the
# collapse to the prior with the ledge's agents. Half: one of these. 0: says that the minibatch makes no difference.
# ### END SOLUTION
