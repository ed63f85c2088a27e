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
# # What the uncertainty means
#
# *{{ title }} · {{ term }}*
#
# **The question.** One network says how noisy the next step is; five networks disagree about it. Which number says
# "this is noise", which says "I have not been here", and when does each fail?

# %% name="setup" tags=["hide-input"]
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks: one thread is fastest

import numpy as np

from hw4.commands.jupyter import Array, use_style
from hw4.notebooks import what_uncertainty_means_detection as detection
from hw4.notebooks import what_uncertainty_means_figures as figures

use_style()
figures.first_picture()

# %% [markdown] name="how-to"
# <details><summary><b>What to do, and how long it takes</b></summary>
#
# 1. Run the cells one by one (about 15 seconds in all). They draw recorded runs, before you have written any code.
# 2. Before you look at a figure, write your prediction into its cell, and run the cell: it then shows above the figure.
# 3. Complete the two small functions (no points; each says whether it is right, and nothing else depends on them).
# 4. Once your tests of {{ problem:dynamics }}, {{ problem:planning }} and {{ problem:ensembles }} pass, set
#    `STUDENT_ID` and `USE_MY_CODE = True` below and run the notebook again: your own ensemble trains, for about half
#    a minute.
# 5. Write the answers at the end ({{ points_in_all }} points).
#
# The code that records and draws is in `hw4/notebooks/what_uncertainty_means_*.py`; there is nothing to write in it.
# {{ num_seeds }} or {{ num_new_seeds }} seeds are recorded, as each figure says; intervals in square brackets cover the
# median with at least 95 %. Where the interval of a difference contains 0, no difference can be claimed.
#
# </details>

# %% name="parameters" tags=["parameters"]
USE_MY_CODE = False  # True: the cell "Your own ensemble" trains your ensemble
STUDENT_ID = ""  # yours: your ensemble's seeds are derived from it
NUM_LIVE_SEEDS = 1  # how many seeds it trains with
LIVE_ENV_STEPS = 480  # of each run; a whole run has 480, and with fewer it is cut

# %% [markdown] name="field-intro"
# ## The field
#
# The observation is a position (*x*, *y*) in metres; an action moves at most 0.2 m in each direction; the reward is
# minus the distance to the goal. Every model is an ensemble of networks that each predict a mean and a variance
# (trained with beta-NLL), except in one arm, with squared-error networks.
#
# - **noisy**: the patch next to the start. Every step gets Gaussian noise of 0.1 m in *x* and in *y*.
# - **turned**: the patch around the goal, where every move goes a quarter turn to the left. Nothing there is noisy, but
#   the base policy's data does not reach it.
# - **far**: a disc of the same size, as far from the start, that the data does not reach either; but there the ground
#   is ordinary, and the rule learned at the start holds.
# - **quiet**: the visited places outside the noisy patch.
#
# Models that are *fitted once* have seen {{ num_transitions }} transitions of the base policy. All standard deviations
# and errors are root mean squares over {{ num_points }} held-out steps of a region, per coordinate. The **output std**
# is what one network says the noise is, the square root of its predicted variance; the **disagreement** is the standard
# deviation of the members' means; the **error** is that of the members' average, against where a step leads on average.

# %% [markdown] name="map-intro"
# ## Two numbers, two maps
#
# At the top are the two numbers after the base policy's data alone. Now the agent learns, and walks through the noisy
# patch to the goal again and again.
#
# **Predict.** Which of the two numbers changes in the noisy patch, and which in the turned one?

# %% name="map"
my_prediction = ""
figures.trained_maps(my_prediction)

# %% [markdown] name="learning-intro"
# ## What more data changes
#
# The same two numbers over the episodes, by region, for all seeds. The agent walks to the goal, so it visits the noisy
# and the turned patch again and again, and hardly ever the far one.
#
# **Predict.** How much of the disagreement in the turned patch is left at the end: half, a tenth, a hundredth? And does
# every agent know the noise of the noisy patch by then?

# %% name="learning"
my_prediction = ""
figures.learning(my_prediction)

# %% [markdown] name="learning-read"
# <details><summary><b>What the recorded runs show</b></summary>
#
# Meeting noise is not always enough to know it: some agents, those whose *first* data held fewest noisy steps, still
# predict far too little noise at the end, although by then they had met dozens. (Seen in these runs, not predicted.)
#
# </details>

# %% [markdown] name="detect-intro"
# ## Which number says "I have not been here"?
#
# The **output entropy** of a Gaussian is the usual measure of how uncertain one network says it is. Ask it, and ask the
# disagreement of an ensemble: is this place in the turned patch, or is it one that the data covers? The area under the
# ROC curve (AUROC) is the probability that a place in the turned patch scores higher than a visited one: 1 is perfect,
# 0.5 is a coin toss, and below 0.5 the score points the wrong way. Visited places are of two kinds, and the patch is
# compared with each separately: quiet ground, and noisy ground.
#
# Fixed before the runs were made, paired by seed: the disagreement's AUROC minus that of the entropy is positive
# against either ground, and the entropy's against noisy ground is below 0.5. What the entropy does against quiet ground
# was left open.
#
# **To complete (no points).** Write the entropy, and the AUROC.


# %% name="entropy" nbgrader={"grade": false, "locked": false, "solution": true}
def gaussian_entropy(variances: Array) -> Array:
    """Entropy (nats) of Gaussians with independent coordinates: the sum over coordinates of ln(2 pi e variance) / 2.

    Args:
        variances: shape (..., dim).

    Returns:
        shape (...).
    """
    ### BEGIN SOLUTION
    return 0.5 * np.log(2 * np.pi * np.e * variances).sum(axis=-1)
    ### END SOLUTION


# %% name="auroc" nbgrader={"grade": false, "locked": false, "solution": true}
def auroc(positives: Array, negatives: Array) -> float:
    """The share of all pairs (one positive, one negative) in which the positive scores higher.

    Args:
        positives: scores, shape (P,).
        negatives: scores, shape (N,).
    """
    ### BEGIN SOLUTION
    return float(np.mean(positives[:, None] > negatives[None, :]))
    ### END SOLUTION


# %% name="auroc-sanity" nbgrader={"grade": false, "locked": true, "solution": false}
detection.check_entropy_and_auroc(gaussian_entropy, auroc)

# %% [markdown] name="detect-predict"
# **Predict.** The entropy's AUROC: near 1, near 0.5 or near 0 against quiet ground, and against noisy ground? And if
# one adds both numbers?

# %% name="detect"
my_prediction = ""  # entropy, quiet: ...; entropy, noisy: ...; both added, noisy: ...
detection.detect(my_prediction)

# %% [markdown] name="detect-read"
# <details><summary><b>What the recorded runs show</b></summary>
#
# Against noisy ground the output entropy points the wrong way: a place that nobody has seen scores lower than almost
# every noisy one. Against quiet ground it shows nothing about the turned patch, and it makes the far patch look well
# known. The disagreement detects both patches against either ground. The sum of the two still does so against quiet
# ground; against noisy ground the noise hides the disagreement, and the sum points the wrong way, too. One AUROC
# against all visited ground would have hidden these differences.
#
# </details>

# %% [markdown] name="members-intro"
# ## How many members, and must they resample?
#
# The turned patch is so far from the data that two members detect it almost every time, which leaves nothing to gain.
# So a harder place is tested, too: the **border**, places whose nearest visited state is {{ border }} m away. On the
# left, the AUROC of the disagreement against the number of members. In the middle, for five members that each have a
# bootstrap sample of the data, and for five that share all of it and differ in their initial weights and minibatches
# alone (one line per seed). On the right, the ratio of their disagreements, by region.
#
# Fixed before the runs were made, for the border: more members detect it better, 5 minus 2 and 10 minus 5, with shared
# and with resampled data; and, as the lecture says that resampling is usually unnecessary, resampled minus shared is
# not positive. (The distance was chosen on three other seeds.)
#
# **Predict.** At the border, do members that resample detect it better than members that share the data, worse, or
# equally well?

# %% name="members"
my_prediction = ""
detection.members(my_prediction)

# %% [markdown] name="members-read"
# <details><summary><b>What the recorded runs show</b></summary>
#
# At the border five members detect better than two. Ten gain a little over five if they share the data, and nothing
# that can be claimed if they resample. Resampling is not only unnecessary here, it costs: with shared data five members
# detect the border better, and so do two, three and ten. The panel on the right suggests why. Resampling adds
# disagreement where there *are* data, most of it in the noisy patch. Where there are none, no increase can be claimed,
# so the contrast between the two shrinks.
#
# </details>

# %% [markdown] name="sets-intro"
# ## Bootstrap sets: redrawn or kept?
#
# In a bootstrap proper each member has *one* resampled set, and as data come in it only grows. Our agents
# (`hw4/agents.py`) draw new sets at every fit and keep the members' weights. So a member is likely to meet in a later
# fit what it missed in an earlier one, and in time it has seen all data. Both kinds of agents learn the field here.
# With **kept** sets, how often a member holds a transition is drawn once, when the transition arrives: a Poisson number
# with mean 1, nearly as in a bootstrap sample of many data.
#
# Fixed before the runs were made, paired by seed: at the end of training, the disagreement with kept sets divided by
# that with redrawn ones is above 1 on visited ground (quiet, noisy). No expectation was fixed for far ground or for the
# return.
#
# **Predict.** By what factor, and does it cost return?

# %% name="sets"
my_prediction = ""
detection.sets(my_prediction)

# %% [markdown] name="sets-read"
# <details><summary><b>What the recorded runs show</b></summary>
#
# Kept sets leave more disagreement on visited ground, as expected; the turned patch around the goal has been visited by
# then, too. They also leave more on far ground, for which no expectation was fixed. Redrawn sets make the members more
# alike, and so surer of themselves. For the return no difference can be claimed: this planner takes the average over
# the members, and does not ask how far apart they are.
#
# </details>

# %% [markdown] name="fails-intro"
# ## Where it fails
#
# If the predicted spread were right, a 95 % interval would hold the next position in 95 % of steps. On the left, that
# share, by region: for one network (its output std alone) and for five (output std and disagreement). In the middle,
# the disagreement of five against the error that they really make. On the right, a trap: the same ensemble, fitted to
# the same data **without the noisy patch**, is asked about the noisy patch, which then is a hole in the middle of its
# data.
#
# **Predict.** In which of the four regions do the intervals of five hold clearly fewer than 95 %? Does the disagreement
# notice the hole?

# %% name="fails"
my_prediction = ""
figures.fails(my_prediction)

# %% [markdown] name="variance-intro"
# ## What is the variance here?
#
# Four fits, each done once: five squared-error networks, one Gaussian network, five Gaussian networks; and five
# Gaussian networks on little data ({{ few_transitions }} transitions). What number does each offer in each region, and
# what is the truth?
#
# **Predict.** Which of the four numbers is near the true noise in the noisy patch? Which is near 0 in the turned one?

# %% name="variance"
my_prediction = ""
figures.variance(my_prediction)

# %% [markdown] name="particles-intro"
# ## Rolling an ensemble out: TS-infinity and TS1
#
# Imagine one plan, straight to the goal for 20 steps, with many particles. Under **TS-infinity** a particle keeps its
# member for the whole roll-out, as your `particle_returns` does; under **TS1** it draws a new member at every step. On
# the left only the members differ; on the right each step also gets noise of the predicted variance, and the real
# roll-outs are drawn with it. Past *x* = 0.5 m or so (step 10) there is no data on most seeds.
#
# **Predict.** With the members' means alone, which particles are farther apart after 20 steps?

# %% name="spread"
my_prediction = ""
figures.spread(my_prediction)

# %% [markdown] name="spread-read"
# <details><summary><b>Why</b></summary>
#
# The members' disagreement is not noise: a member that errs to the left errs to the left at every step. TS1 averages
# such errors away within a roll-out.
#
# </details>

# %% [markdown] name="live-intro"
# ## Your own ensemble
#
# With `USE_MY_CODE = True` this cell trains your agent on the noisy field and draws its two uncertainties, split by
# your `decompose_uncertainty`, over the recorded bands. Your curves need not follow the median, but if every seed is
# outside the band, look for the cause.

# %% name="live"
my_prediction = ""  # aleatoric std in the noisy patch at the end: ...; epistemic std in the turned one: ...
figures.live(USE_MY_CODE, STUDENT_ID, NUM_LIVE_SEEDS, LIVE_ENV_STEPS, my_prediction)

# %% [markdown] name="question-variance" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question 1: what is the variance here? ({{ points:answer-variance }} points)
#
# In at most 100 words, as a text or a table: a squared-error network, a Gaussian network, and an ensemble of Gaussian
# networks. For each, what is "the variance", which kind of uncertainty does it measure, and does more data make it
# vanish?

# %% [markdown] name="answer-variance" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}
# ### BEGIN SOLUTION
# **Model answer.** A squared-error network predicts none: its loss is a Gaussian likelihood with one fixed variance, at
# best its mean squared residual, equal in all states. A Gaussian network's variance is fitted noise and depends on
# state and action: aleatoric, about (0.1 m)² in the noisy patch; more data estimates it better and does not remove it.
# In an ensemble the mean of the variances is that part; the variance of the means is epistemic, and more data removes
# it (noisy patch: 33 mm with little data, 6 mm with more).
#
# **Rubric.** Full: the three variances, the kind of each, and what data does to each. Half: aleatoric and epistemic
# named correctly, but the squared-error network is given a predicted variance, or nothing is said of more data. 0:
# takes a network's output variance for a measure of what it has not seen.
# ### END SOLUTION

# %% [markdown] name="question-law" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question 2: the law behind the split ({{ points:answer-law }} points)
#
# An ensemble predicts in two steps: draw a member $e$ of $E$, each with the same probability, then $s'$ with that
# member's mean $\mu_e$ and variance $\sigma_e^2$ (one coordinate is enough). In at most 100 words besides formulas:
#
# 1. Prove the law of total variance for it: the variance of $s'$ is the mean of the $\sigma_e^2$ plus the variance of
#    the $\mu_e$ with the divisor $E$.
# 2. The law is exact. Name a place above where even the total is wrong, with its number, and say which assumption about
#    the world fails there.

# %% [markdown] name="answer-law" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}
# ### BEGIN SOLUTION
# **Model answer.** *1.* Let $\bar\mu = \frac1E \sum_e \mu_e$, the mean of $s'$. Write $\mathbb{E}_e$ for the mean over
# $s'$ given the member. Then $\mathbb{E}_e (s' - \bar\mu)^2 = \mathbb{E}_e (s' - \mu_e)^2 +
# 2 (\mu_e - \bar\mu) \, \mathbb{E}_e (s' - \mu_e) + (\mu_e - \bar\mu)^2 = \sigma_e^2 + (\mu_e - \bar\mu)^2$,
# because the middle term is 0. Averaged over the members, the variance of $s'$ is
# $\frac1E \sum_e \sigma_e^2 + \frac1E \sum_e (\mu_e - \bar\mu)^2$.
#
# *2.* In the turned patch the 95 % intervals hold only 34 % of the steps. The law is about the members' own
# predictions; that the truth is like one more draw from the members is an assumption, and there all of them extrapolate
# one wrong rule.
#
# **Rubric.** Full: a proof in which the cross term is shown to vanish, and a failure with its number and reason. Half:
# one of the two. 0: states the law again, or says that it fails.
# ### END SOLUTION
