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
# # Latent models: planning with what a camera sees
#
# *{{ title }} · {{ term }}*
#
# **The question.** An agent sees frames of a dot that it pushes, and has to find out what moves behind them. What is
# hard about images, and what does each way to infer the state make of it, above all where frames are lost?

# %% name="setup" tags=["hide-input"]
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks: one thread is fastest

from hw4.commands.jupyter import use_style
from hw4.notebooks import latent_models_figures as figures

use_style()
figures.film()

# %% [markdown] name="how-to"
# <details><summary><b>What to do, and how long it takes</b></summary>
#
# This notebook is optional. Its question is worth {{ points:answer-tight }} bonus points.
#
# 1. Run the notebook (a few seconds). It draws recorded runs, so it works before you have written any code.
# 2. Before you look at a figure, write your prediction into its cell, and run the cell: it then shows above the figure.
# 3. Once your tests of {{ problem:latent_models }}, `cem` and `MPC` pass, set `STUDENT_ID` and `USE_MY_CODE = True`
#    below and run the notebook again: it learns and plans once with your functions, in less than a minute.
# 4. Write the answer at the end.
#
# The code that records and draws is in `hw4/notebooks/latent_models_*.py`; there is nothing to write in it.
# {{ num_seeds }} seeds are recorded. A seed counts as one number, and variants are compared by the differences seed by
# seed. Where the interval of a difference contains 0, there is no clear difference.
#
# </details>

# %% name="parameters" tags=["parameters"]
USE_MY_CODE = False  # True: the cell "Your own agent" runs your code
STUDENT_ID = ""  # yours: the seed of your run is derived from it

# %% [markdown] name="world-intro"
# ## What a seed is
#
# The dot has inertia, an action pushes it, and the reward is high near a goal that the frames do not show. A seed runs
# the lecture's loop once for each kind of model: 60 random episodes, then four times *fit, plan in latent space,
# execute, append*. Its return is the mean of the last three episodes of 40 env steps. All kinds of a seed have the same
# starts and the same random pushes.
#
# A *filter* is a recurrent network: its belief depends on all frames and actions until now. A *single-step encoder*
# looks at the last frame, and at what has changed since the one before. A *stochastic* one answers a distribution, a
# *deterministic* one a point.

# %% [markdown] name="images-intro"
# ## What is hard about images: many dimensions, and most do not matter
#
# The state has four numbers: two for the place of the dot, two for its velocity. A frame has 256.
#
# **Predict.** How many principal components does it take to hold 99 % of the variance of such frames: 4, or more? A
# texture drifts behind the dot. What of it shows in the belief, and what does it cost?

# %% name="images"
my_prediction = ""
figures.images(my_prediction)

# %% [markdown] name="images-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# Far more than 4, even of a dot that never changes its form: moved by a few pixels it is another sum of the same
# fixed pictures. With a texture, it takes about twice as many. The belief shows the dot and nothing of
# the texture: eight numbers have no room for it.
#
# Yet the texture has a price. The probe finds the position about as well, but less of the velocity, which shows only in
# small changes from frame to frame; and the filter earns less.
#
# </details>

# %% [markdown] name="one-frame-intro"
# ## What is hard about images: one of them does not show everything
#
# **Predict.** A single step sees one frame. What becomes of its belief about the velocity, of its predictions, of its
# plans? And of those of a filter that sees one frame at a time?

# %% name="one-frame"
my_prediction = ""
figures.one_frame(my_prediction)

# %% [markdown] name="one-frame-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# The single step's belief holds nothing at all of the velocity. Its predictions err about eight times as much after 5
# steps, and more than half of the return is gone.
#
# The filter finds most of the velocity by itself, as it remembers where the dot was. Its predictions err about twice as
# much as with two frames, and little of its return is lost. Looking at two frames is a filter, too: one that remembers
# a single frame.
#
# </details>

# %% [markdown] name="imagined-intro"
# ## Imagined next to real
#
# A model imagines when it predicts latents and sees nothing. The planner never looks at frames: they are decoded for
# you alone.
#
# **Predict.** The dot is on its way to the goal and brakes there. Which of the three models loses it, and where does
# that model believe it is?

# %% name="imagined"
my_prediction = ""
figures.imagined(my_prediction)

# %% [markdown] name="imagined-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# The single step with one frame. It does not know that the dot moves, so it predicts a mean over all velocities: a dot
# that stays behind and fades. With two frames both encoders follow it to the goal.
#
# </details>

# %% [markdown] name="exact-intro"
# ## Three encoders, exactly
#
# In a linear-Gaussian model every posterior has a closed form, and `elbo` says how far it is from the best one: the gap
# to $\log p(o)$ is the KL divergence from the exact posterior. With $z_1 \dots z_T$ the states of all steps, compared
# are:
#
# - *single step*: the product of all $p(z_t | o_t)$;
# - *filtering*: the chain of all $p(z_t | z_{t-1}, o_t)$;
# - *smoothing*: $p(z_1 \dots z_T | o_1 \dots o_T)$, which is a chain of $p(z_t | z_{t-1}, o_t \dots o_T)$;
# - two more products: of all $p(z_t | o_1 \dots o_t)$, and of all $p(z_t | o_1 \dots o_T)$. A product says nothing of
#   how one state depends on the next.
#
# **Predict.** Which of the five have no gap? Which gaps grow with the noise of the observations?

# %% name="exact"
my_prediction = ""
figures.exact(my_prediction)

# %% [markdown] name="exact-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# Smoothing alone has no gap: it is the exact posterior. Filtering lacks what later observations say, and the noisier
# they are, the less that is. The single step lacks the past as well, and its gap is largest by far.
#
# Both products have gaps that grow with the noise: the less an observation says of its state, the more neighbouring
# states depend on each other. In most systems the product of the smoothing marginals is worse than filtering: each
# factor knows all observations, but what is left out costs more than what is known.
#
# </details>

# %% [markdown] name="returns-intro"
# ## The loop, with each encoder and with a part missing
#
# **Predict.** Which encoder earns most? What is left without reconstruction, so that latents are learned from rewards
# and from predicting themselves alone? And without a reward model?

# %% name="returns"
my_prediction = ""
figures.returns(my_prediction)

# %% [markdown] name="returns-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# While all frames arrive, the filter cannot be told from either single step by what it earns: both intervals contain 0.
# The stochastic single step earns a little more than the deterministic one, which fails now and then. All come close to
# the planner of the true state. Two frames nearly are the state here, so remembering more hardly helps.
#
# Without reconstruction little more than the return of random pushes is left: a latent that never changes predicts
# itself perfectly. Without a reward model the latents are fine, but a plan has nothing to gain, and its pushes cost.
#
# </details>

# %% [markdown] name="lost-intro"
# ## When frames are lost
#
# Now the camera loses frames, five in a row, while learning and while acting. A lost frame is black. A single step that
# *coasts* replaces it by its own prediction; the filter is told nothing.
#
# After that, each model plays episodes in which more or fewer frames are lost, and learns no more. A control is added:
# a single step that learned with all frames, and coasts.
#
# **Predict.** At which share of lost frames does the filter begin to be ahead? Where is the control?

# %% name="lost"
my_prediction = ""
figures.lost(my_prediction)

# %% [markdown] name="lost-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# The filter earns about twice as much as either single step. But look at the left end: it is as far ahead where no
# frame is lost, and against the one that coasts it is even farther ahead there. So little of the difference arises
# while acting. It arises while learning: the belief about a lost frame says nothing, and the loss wants predictions to
# end there. A filter predicts well enough to be spared most of this.
#
# A control says the same: a single step that learned with all frames, and coasts where they are lost afterwards, earns
# more than this filter at every share. If you can learn from whole episodes and predict well, you need no memory.
#
# </details>

# %% [markdown] name="live-intro"
# ## Your own agent
#
# With `USE_MY_CODE = True` this cell runs the loop once with your functions, for a seed of your own. Expect your lines
# to lie among the recorded dots.

# %% name="live"
my_prediction = ""
figures.live(USE_MY_CODE, STUDENT_ID, my_prediction)

# %% [markdown] name="question-tight" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question: what a product cannot say ({{ points:answer-tight }} bonus points)
#
# A colleague computes the exact $p(z_t | o_1 \dots o_T)$ of every step, multiplies them, and is surprised: "Each factor
# is exact, and still the ELBO is below $\log p(o)$." In at most 100 words:
#
# 1. What does the product leave out, and why is the gap then positive?
# 2. For which systems would it be 0?
# 3. The agent's training loss resembles a negative ELBO. Name one reason why it bounds no likelihood.

# %% [markdown] name="answer-tight" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}
# ### BEGIN SOLUTION
# **Model answer.** *1.* How states depend on each other: given all observations, $z_t$ still says something about the
# next state. The gap is $KL(q || p(z | o))$, the divergence between whole sequences. It is 0 only if both are the
# same distribution; the product has the right marginals without the correlations.
#
# *2.* If the states are independent given the observations: if the transition is 0, or if each observation shows its
# state exactly.
#
# *3.* Its terms are weighed: the KL counts a hundredth. (Or: it predicts frames several steps ahead; its terms for
# rewards and for consistent latents belong to no likelihood.)
#
# **Rubric.** Full: correlations between steps are missing, and the gap is a KL to the joint posterior; one case of
# independence; one reason. Half: two of these three. 0: says that the marginals are not exact, or that the ELBO was
# computed wrongly.
# ### END SOLUTION
