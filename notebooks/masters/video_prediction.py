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
# # Video prediction with temporal skip connections
#
# *{{ title }} · {{ term }}*
#
# **The question.** A model that sees nothing but frames predicts the next ones, and a planner pushes a dot past an
# opaque bar with it. What does a connection to the first frame change: in the frames, in their error, in the plans?

# %% name="setup" tags=["hide-input"]
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks: one thread is fastest

from hw4.commands.jupyter import use_style
from hw4.notebooks import video_prediction_figures as figures

use_style()
figures.films()

# %% [markdown] name="how-to"
# <details><summary><b>What to do, and how long it takes</b></summary>
#
# This notebook is optional. Its question is worth {{ points:answer-scaled }} bonus points.
#
# 1. Run the notebook (a few seconds). It draws recorded runs, so it works before you have written any code.
# 2. Before you look at a figure, write your prediction into its cell, and run the cell: it then shows above the figure.
# 3. Once your tests of {{ problem:video_prediction }} and of `cem` pass, set `STUDENT_ID` and `USE_MY_CODE = True`
#    below and run the notebook again: it fits one model with your functions and plans with it, about 30 seconds.
# 4. Write the answer at the end.
#
# The code that records and draws is in `hw4/notebooks/video_prediction_*.py`; there is nothing to write in it.
# {{ num_seeds }} seeds are recorded. A seed counts as one number, and the two models are compared by the differences
# seed by seed. Where the interval of a difference contains 0, there is no clear difference.
#
# </details>

# %% name="parameters" tags=["parameters"]
USE_MY_CODE = False  # True: the cell "Your own model" runs your code
STUDENT_ID = ""  # yours: the seed of your scene and of your model is derived from it

# %% [markdown] name="world-intro"
# ## What a seed is
#
# A seed draws a scene (the texture of ground and bar), 1,000 random films in it, and the first weights of a model. Two
# models are fitted to the same films, with and without the temporal skip connection (Finn and Levine 2017; Ebert et al.
# 2017), and tested on the same new ones. Above is the first test film of the first seed.
#
# Then 20 plans are made with each: the dot starts to the left of the bar, the goal is to the right of it, and 12
# actions are planned at once and executed without looking again. A plan succeeds if the dot ends less than 2 pixels
# from the goal. The planner of the true state uses the same CEM with the same noise, and knows the dot's place, its
# velocity and the law of the world.

# %% [markdown] name="found-intro"
# ## How much of the dot is found again
#
# The mass of a dot is its brightness above the ground, summed over the pixels to the right of the bar. For each test
# film: 1 minus the relative error of the predicted mass after 12 steps. 1 is perfect; 0 is a dot that is not there, or
# twice there.
#
# **Predict.** How much of the dot does a model find again without the skip connection: nothing, a half, nearly all? Do
# plans without it succeed more often than random actions?

# %% name="found"
my_prediction = ""
figures.found(my_prediction)

# %% [markdown] name="found-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# Every model with the skip connection finds more of the dot again than any model without it, and its plans succeed
# about 1.6 to 2 times as often. Without it, plans still succeed more often than random actions. The planner of the true
# state succeeds with every plan, so there is something left to gain.
#
# </details>

# %% [markdown] name="errors-intro"
# ## The error, step by step
#
# Left: the squared error of a predicted frame, summed over pixels. Right: how far the sum of all displacements is from
# where the dot really went.
#
# **Predict.** With the skip connection the dot shows again once it has passed the bar. Does the error of a frame then
# fall?

# %% name="errors"
my_prediction = ""
figures.errors(my_prediction)

# %% [markdown] name="errors-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# It does not fall, with either model: the motion is learned, its error adds up from step to step, and a dot that is
# shown a pixel off costs twice, where it is and where it should be. With the skip connection the error grows by about a
# third as much in the last two steps.
#
# The dot's place is less exact with the skip connection in the first steps, and more exact in the last ones: after 12
# steps it is off by about half as much, perhaps because only a model that shows the dot again learns from where it
# shows.
#
# </details>

# %% [markdown] name="pixel-intro"
# ## The designated pixel
#
# Planning moves a distribution over pixels instead of a dot. It starts as one pixel and is moved by the same masks as
# the frames. Below is the first plan of the first seed.
#
# **Predict.** What is the sum of the distribution while the dot is behind the bar, and what after it?

# %% name="pixel"
my_prediction = ""
figures.pixel(my_prediction)

# %% [markdown] name="pixel-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# Behind the bar, less than a tenth of the distribution is left, by either model. With the skip connection it comes back
# from the first frame, moved by the sum of all displacements: at the end nearly all of it is to the right of the bar.
# Without it nothing comes back. Such plans cost nearly the same, wherever the dot goes once it is lost.
#
# </details>

# %% [markdown] name="live-intro"
# ## Your own model
#
# With `USE_MY_CODE = True` this cell fits one model with your functions, to films of a scene of your own, and makes 20
# plans. Expect your lines to lie among the recorded dots.

# %% name="live"
my_prediction = ""
figures.live(USE_MY_CODE, STUDENT_ID, my_prediction)

# %% [markdown] name="question-scaled" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question: a distribution that is scaled up ({{ points:answer-scaled }} bonus points)
#
# A colleague proposes to divide the designated pixel's distribution by its sum after every step, "because probabilities
# sum to 1". In at most 100 words:
#
# 1. What would the planner then believe while the dot is behind the bar, and why?
# 2. With the rule of `propagate_pixel`, what would go wrong if what is lost paid nothing instead of the mean distance?
# 3. Name one situation in which paying the mean distance misleads the planner, too.

# %% [markdown] name="answer-scaled" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}
# ### BEGIN SOLUTION
# **Model answer.** *1.* Behind the bar less than a tenth is left, since no candidate shows the dot there. Divided by
# their small sum, these traces look like a place that is known for sure, where the dot is not. The planner steers that
# trace to the goal.
#
# *2.* A hidden dot would cost about 0. So the best plan would hide the dot and leave it there.
#
# *3.* Close to the goal, a hidden dot costs more than a visible one farther away, so a plan shuns a short way behind
# something. (Or: far from the goal, hiding is rewarded.)
#
# **Rubric.** Full: next to nothing is left, and scaled up it looks certain; hiding is free, so plans hide the dot; one
# situation with its reason. Half: two of these three. 0: agrees with the colleague, or only says that the sum need not
# be 1.
# ### END SOLUTION
