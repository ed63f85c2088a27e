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
# # System identification: three numbers instead of a network
#
# *{{ title }} · {{ term }}*
#
# **The question.** "Does it work? Yes!", says the lecture, "particularly effective if we can hand-engineer a dynamics
# representation using our knowledge of physics, and fit just a few parameters". How far does one trial of five seconds
# go, and what spoils the fit?

# %% name="setup" tags=["hide-input"]
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small problems: one thread is fastest

from hw4.commands.jupyter import use_style
from hw4.notebooks import system_identification_figures as figures

use_style()
figures.trial()

# %% [markdown] name="how-to"
# <details><summary><b>What to do, and how long it takes</b></summary>
#
# This notebook is optional. Its question is worth {{ points:answer-point-mass }} bonus point.
#
# 1. Run the notebook (a few seconds). It draws recorded runs, so it works before you have written any code.
# 2. Before you look at a figure, write your prediction into its cell, and run the cell: it then shows above the figure.
# 3. Once your tests of {{ problem:system_identification }} and of `cem` and `MPC.act` pass, set `STUDENT_ID` and
#    `USE_MY_CODE = True` below and run the notebook again: it identifies one robot with your functions and plans for
#    it, about 10 seconds.
# 4. Write the answer at the end.
#
# The code that records and draws is in `hw4/notebooks/system_identification_*.py`; there is nothing to write in it.
# {{ num_seeds }} robots are recorded. A seed counts as one number, and models are compared by the differences seed by
# seed. Where the interval of a difference contains 0, there is no clear difference.
#
# </details>

# %% name="parameters" tags=["parameters"]
USE_MY_CODE = False  # True: the cell "Your own robot" runs your code
STUDENT_ID = ""  # yours: your robot and its trial are derived from it

# %% [markdown] name="robots-intro"
# ## What a seed is
#
# A seed draws a robot: the length and mass of its pole, and the strength of its motor. Every other motor is wired the
# other way round. Then it draws one trial of 100 random actions, shown above for the first seed. Three fits are made to
# the same trial, by the same least squares:
#
# - **identified**: `fit_parameters`;
# - **with the stops**: the same, but transitions near the ends of the rail count as well;
# - **logarithm of the gain**: the same, but the gain is fitted by its logarithm, as mass ratio and length are.
#
# The robot has friction in the rail and in the hinge, which none of them knows.

# %% [markdown] name="errors-intro"
# ## How exact are the numbers?
#
# **Predict.** Which of the three numbers is the hardest to find: gain, mass ratio or length? In most trials the cart
# runs into a stop. How much harm does that do: less than friction does, about as much, or more?

# %% name="errors"
my_prediction = ""
figures.errors(my_prediction)

# %% [markdown] name="errors-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# Away from the stops all three numbers are found to within about one percent in the median, although the fit knows
# nothing of friction. The impacts spoil it: with them, the mass ratio is off by a fifth to a half, and gain and length
# by several times as much as without them. The mass ratio suffers most, probably because the pole pushes the cart only
# a little: it is the number that can best explain a cart that stops for no visible reason.
#
# </details>

# %% [markdown] name="returns-intro"
# ## What a planner earns with them
#
# The same planner, an episode each. The *network ensemble* is that of the experiment `cartpole_ensemble` after its
# first fit, which is a fit to one trial. Nobody learns from the episode: there is no aggregation.
#
# **Predict.** What does the ensemble earn, if a planner that knows the true numbers earns about 80? And the fit of the
# logarithm, with a motor that is wired the other way round?

# %% name="returns"
my_prediction = ""
figures.returns(my_prediction)

# %% [markdown] name="returns-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# After one trial, the planner with the identified numbers earns as much as with the true ones: the interval of the
# difference lies within 1 of 0. The ensemble earns about a fifth: it has not seen what a plan would do. Where the motor
# is wired the other way round, the fit of the logarithm earns next to nothing, since no gain above 0 explains the data;
# where it is not, it finds the same numbers.
#
# The fit with the stops, whose mass ratio is so far off, does *not* clearly earn less. A planner that looks again at
# every step forgives much; it needs the sign, and roughly the size. So the return says little about how good the
# numbers are. If they are what matters, check them themselves.
#
# </details>

# %% [markdown] name="live-intro"
# ## Your own robot
#
# With `USE_MY_CODE = True` this cell identifies a robot of your own with your functions, and plans for it. Expect your
# line to lie among the recorded dots.

# %% name="live"
my_prediction = ""
figures.live(USE_MY_CODE, STUDENT_ID, my_prediction)

# %% [markdown] name="question-point-mass" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question: any pole is a point mass ({{ points:answer-point-mass }} bonus point)
#
# A pole of mass $m$ has its centre of mass at the distance $c$ from the hinge, and the moment of inertia $I$ about the
# hinge. It stands on a cart of mass $M$, which a force $F$ pushes. Lagrange's equations are
#
# $$(M + m)\,\ddot x + m c\,(\ddot q \cos q - \dot q^2 \sin q) = F, \qquad
# m c\,\ddot x \cos q + I\,\ddot q = m c\,g \sin q .$$
#
# In at most 120 words besides formulas:
#
# 1. Show that a cart with a *point mass* on a rod without mass moves in exactly the same way: which point mass, which
#    length, which mass of the cart? Three lines are enough.
# 2. The robots' poles are capsules. Does that bias the fit? And why can no trial tell $M$, $m$ and the motor's force
#    apart?

# %% [markdown] name="answer-point-mass" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}
# ### BEGIN SOLUTION
# **Model answer.** *1.* For a point mass $m'$ on a rod of length $l$ on a cart of mass $M'$, the equations have $M' +
# m'$ for $M + m$, $m' l$ for $m c$, and $m' l^2$ for $I$. These are three equations for three unknowns: $l = I / (m c)$
# and $m' = m c / l = (m c)^2 / I$, and $M' = M + m - m'$. Since $I \ge m c^2$, $m' \le m$: what the point mass does not
# weigh rides on the cart. With these numbers both pairs of equations are the same, so is every motion.
#
# *2.* No: the equations are exact for a capsule, with the numbers above. All terms of the first equation are
# proportional to masses or force, and the second can be divided by $m c$: only $F / M'$ and $m' / M'$ come in. Masses
# and force times any factor give the same motions.
#
# **Rubric.** Full: $l = I / (m c)$, $m' = (m c)^2 / I$ and what happens to the rest of the mass, by comparing
# coefficients; no bias; only ratios come in. Half: two of these three. 0: says that the point mass is an approximation.
# ### END SOLUTION
