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
# # Replanning: how far ahead can you trust a plan?
#
# *{{ title }} · {{ term }}*
#
# **The question.** What is replanning worth, with everything else held fixed? And for how many steps can a model's
# roll-out be trusted?

# %% name="setup" tags=["hide-input"]
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks: one thread is fastest

import numpy as np

from hw4.commands.jupyter import Array, use_style
from hw4.experiments import Experiment
from hw4.notebooks import replanning_figures as figures
from hw4.notebooks import replanning_one_model as one_model

use_style()
figures.first_picture()

# %% [markdown] name="how-to"
# <details><summary><b>What to do, and how long it takes</b></summary>
#
# 1. Run the cells one by one (about 15 seconds in all). They draw recorded runs, before you have written any code.
# 2. Before you look at a figure, write your prediction into its cell, and run the cell: it then shows above the figure.
# 3. Complete the two small functions (no points; each says whether it is right, and nothing else depends on them).
# 4. Once your tests of {{ problem:dynamics }} and {{ problem:planning }} pass, set `STUDENT_ID` below, and
#    `USE_MY_CODE = True`, and run the notebook again: your own agent trains, for less than a minute.
# 5. Write the answers at the end, a short proof and a short text ({{ points_in_all }} points).
#
# The code that records and draws is in `hw4/notebooks/replanning_*.py`; there is nothing to write in it. Up to
# {{ num_seeds }} seeds are recorded, and more for the section on other rewards. Arms are compared seed by seed: in
# every arm, a seed has the same initial networks and start states. An interval of a difference that contains 0 shows no
# difference.
#
# </details>

# %% name="parameters" tags=["parameters"]
USE_MY_CODE = False  # True: the cell "Your own agent" trains your agent
STUDENT_ID = ""  # yours: your agent's seeds are derived from it
NUM_LIVE_SEEDS = 1  # how many seeds it trains with
LIVE_ENV_STEPS = 700  # of each run; a whole run has 700, and with fewer it is cut

# %% [markdown] name="arms-intro"
# ## What is varied
#
# On the cart-pole, an episode is 100 steps of 0.05 s; the pole starts hanging, and the best return is about 86.
# Version 1.5 plans 20 steps, executes the first action, and plans again; it refits every 100 steps, once an episode.
# Version 1.0 plans the whole episode, and executes all of it: it differs in *two* settings at once (on the cliff hill
# even in three), and so a comparison of the two says little about either. Below, one setting is changed at a time.

# %% name="arms"
figures.arms()

# %% [markdown] name="alone-intro"
# ## What replanning alone is worth
#
# On the left, the lecture's three versions on the cart-pole. Versions 0.5 and 1.0 plan all 100 steps at once. On the
# right, 1.5 with nothing but `replan_every` changed: it still plans 20 steps, on the same refit schedule, and executes
# 1, 5 or all 20 of them before it looks again.
#
# **Predict.** Of what 1.5 earns in the end, how much is left if it looks only every 5 steps, and every 20?

# %% name="alone"
my_prediction = ""
figures.alone(my_prediction)

# %% [markdown] name="same-model-intro"
# ## Same model, other plans
#
# An agent that replans seldom also collects other data, and so learns another model. To see planning alone, take the
# last model of each run of 1.5, stop its learning, and plan one fresh episode with it in many ways. On the left, a
# poorer planner: random shooting, with as many model evaluations as CEM or far fewer. In the middle, shorter and longer
# horizons. On the right, other models: one fitted to random data alone, and the simulator itself, which is never wrong.
#
# **Predict.** The lecture says: *the more you replan, the less perfect each plan needs to be*. Is a poorer search
# forgiven if you replan at every step? A horizon that is too short, or too long?

# %% name="same-model"
my_prediction = ""
figures.same_model(my_prediction)

# %% [markdown] name="same-model-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# Here the sentence holds for the **horizon**, within limits: plans of 10 or 40 steps instead of 20 cost little when
# every step is replanned, and much when five steps of each plan are executed; plans of 5 steps fail either way. The
# runs do not show it for the **search**: random shooting with 20 candidates loses about as much either way.
#
# </details>

# %% [markdown] name="rewards-intro"
# ## Same model, other rewards: why learn the model?
#
# The lecture begins with this question. One answer: a model says what an action leads to, and no reward is in it. Here
# the five networks of `cartpole_ensemble` have learned for seven episodes: a random one, then six planned for the usual
# reward (the *first* one below). They learn no more, and plan a fresh episode for each of two rewards that they have
# never been used for: **spin**, the pole turning at 8 rad/s, and **stand**, the usual reward with everything one metre
# to the right. The only thing that changes is the `reward` that is given to `sequence_returns`.
#
# Next to them are the agent that was made for the first reward, doing what it does and paid by the new one, and the
# same search with the simulator in place of the model. And there is a *policy* without a model, which soft actor-critic
# learned for the first reward, from more than 40 times as many env steps. It has nothing to plan with: for another
# reward it does what it does for the first. Six policies were learned; the interval of six numbers that covers their
# median with at least 95 % goes from the smallest to the largest.
#
# Fixed before each set of runs was made, paired by seed: for both rewards the plan for it earns more than the plan for
# the first, and more than the policy; how much the simulator earns more is reported; fewer seeds fall below three
# quarters of the simulator's median on **spin** than on **stand**; one more episode, planned for **stand** and added to
# the data, helps there.
#
# **Predict.** How much of what the simulator earns does the learned model earn, without one new env step? Which of the
# two rewards is harder for it?

# %% name="rewards"
my_prediction = ""  # spin: ...; stand: ...
one_model.further(my_prediction)

# %% [markdown] name="rewards-lesson"
# <details><summary><b>What the recorded runs show</b></summary>
#
# The same weights serve all three rewards. On **spin** no loss against the simulator shows, and no seed earns less than
# three quarters of the simulator's median. On **stand** the plan for it still earns far more than the plan for the
# first reward, on every seed, but less than the simulator: about a third of the seeds miss three quarters of its
# median. So the model is not tied to a reward, but the reward decided which states it has seen. The agent that was made
# for the first reward earns little by either of the others. One more episode helps **stand**; its refit also takes
# another 500 gradient steps, and how much is due to these was not measured.
#
# **The policies.** By the first reward most of them earn more than three quarters of the simulator's median, and no
# difference between the plan and the policy can be claimed. By **spin** and **stand** each policy earns less than a
# fifth of the simulator's median, and less than the plan for that reward. So what a policy has learned from more than
# 40 times as many env steps is of little use for another reward.
#
# </details>
#
# **Think about it (no points).** The true motion of the cart-pole does not depend on *x*, except at the stops. Why may
# a model that swings the pole up at *x* = 0 fail to do so at *x* = 1 m? What two remedies do you see, and which of them
# takes no new env step?
#
# <details><summary><b>One answer</b></summary>
#
# The network gets *x* as an input and was never told that it does not matter. Most of its data are probably from around
# *x* = 0, where the first reward takes the agent; elsewhere it extrapolates, and a planner for **stand** drives it
# there. One remedy is data from there: this is aggregation, and the last row of the figure has one episode of it. The
# other one is to use what is known: leave *x* out of the network's inputs and predict only how it changes, or add
# shifted copies of the data. That takes no new env step, but it is wrong near the stops. Neither the cause nor the
# second remedy was measured here.
#
# </details>

# %% [markdown] name="equal-intro"
# ## At equal cost: the planner, and refitting
#
# Two more comparisons over whole training runs, each at equal cost. On the left, random shooting against CEM, both
# with 180 evaluations of a plan. On the right, refitting every 25, 100 or 300 steps, or once, with the gradient steps
# of one fit chosen so that all arms have taken 7,200 before their last action.
#
# **Predict.** Which arms end clearly below 1.5? Does refitting more often than once an episode help?

# %% name="equal"
my_prediction = ""
figures.equal(my_prediction)

# %% [markdown] name="cost-intro"
# **To complete (no points): what a plan costs.** `replan_every` saves computation. Write down how many one-step
# predictions of the model an agent asks for, per env step.


# %% name="cost" nbgrader={"grade": false, "locked": false, "solution": true}
def predictions_per_env_step(experiment: Experiment) -> float:
    """One-step predictions of the model that planning asks for, averaged over the env steps.

    Args:
        experiment: its `population_size`, `num_iterations`, `horizon` and `replan_every` matter.
    """
    ### BEGIN SOLUTION
    candidates = experiment.population_size * experiment.num_iterations
    return candidates * experiment.horizon / experiment.replan_every
    ### END SOLUTION


# %% name="cost-sanity" nbgrader={"grade": false, "locked": true, "solution": false}
figures.check_predictions_per_env_step(predictions_per_env_step)

# %% [markdown] name="growth-intro"
# ## How the error of a roll-out grows
#
# A roll-out feeds a model its own predictions. Its error after *k* steps is the distance between the tip of the
# imagined pole and that of the real one; the pole is {{ pole_length }} long. The first model of each run (random data
# only) and its last are rolled out along episodes that neither has learned from: random ones, and one planned by 1.5,
# most of which is spent balancing. The dotted line is the error of expecting that nothing moves.
#
# **Predict.** The last model errs by about a millimetre after one step. After 20 steps: by 2 cm, by less, or by more?

# %% name="growth"
my_prediction = ""
figures.growth(my_prediction)

# %% [markdown] name="trusted-intro"
# **To complete (no points): how far a model can be trusted.** Find the number of steps for which a model's error stays
# at or below a tolerance.


# %% name="trusted" nbgrader={"grade": false, "locked": false, "solution": true}
def trusted_steps(errors: Array, tolerance: float) -> int:
    """The largest k such that the errors after 1, 2, ..., k steps are all at most `tolerance`; 0 if the first is not.

    Args:
        errors: errors[k - 1] is the error after k steps, shape (MAX_STEPS,).
        tolerance: in the same unit.
    """
    ### BEGIN SOLUTION
    too_large = np.flatnonzero(errors > tolerance)
    return int(too_large[0]) if len(too_large) else len(errors)
    ### END SOLUTION


# %% name="trusted-sanity" nbgrader={"grade": false, "locked": true, "solution": false}
figures.check_trusted_steps(trusted_steps)

# %% [markdown] name="imagined-intro"
# ## What was imagined, and what happened
#
# The three episodes of the animation at the top: the height of the tip over the episode. Black is real, every thin line
# is what one plan expected (of the plans made at every step, one in four is drawn).
#
# **Predict.** In the third episode, replanned at every step, do the plans expect what happens 20 steps later?

# %% name="imagined"
my_prediction = ""
figures.imagined(my_prediction)

# %% [markdown] name="live-intro"
# ## Your own agent
#
# With `USE_MY_CODE = True` this cell trains your agent as version 1.5, replanning at every step and every 20, and draws
# its curves over the recorded ones. Your curves need not follow the median, but if every seed is outside the band, look
# for the cause.

# %% name="live"
my_prediction = ""  # last return, replanning at every step: ...; every 20: ...
figures.live(USE_MY_CODE, STUDENT_ID, NUM_LIVE_SEEDS, LIVE_ENV_STEPS, my_prediction)

# %% [markdown] name="question-bound" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question 1: a bound on the error of a roll-out ({{ points:answer-bound }} points)
#
# The real system does $s_{t+1} = f(s_t, a_t)$, the model predicts $\hat f(s, a)$. Both start in the same state,
# $\hat s_0 = s_0$, and get the same actions; the roll-out is $\hat s_{t+1} = \hat f(\hat s_t, a_t)$. Two assumptions:
#
# - one step: $\lVert \hat f(s_t, a_t) - f(s_t, a_t) \rVert \le \varepsilon$ at every *real* state $s_t$;
# - Lipschitz: $\lVert \hat f(s, a) - \hat f(s', a) \rVert \le L \lVert s - s' \rVert$ for all $s, s', a$.
#
# Let $e_k = \lVert \hat s_k - s_k \rVert$. In the style of the lecture's proof for behavioural cloning, which bounds
# one step and then adds up, in at most 120 words besides formulas:
#
# 1. Show $e_{k+1} \le L \, e_k + \varepsilon$. Say where each assumption is used.
# 2. Solve the recursion: a bound on $e_k$ for $L \ne 1$, and for $L = 1$.
# 3. The reward is $r(s_{k+1})$ with $|r(s) - r(s')| \le \ell \lVert s - s' \rVert$. Bound the error of the predicted
#    return of a plan of $H$ steps for $L = 1$. How does it grow with $H$, and where have you seen this growth before?

# %% [markdown] name="answer-bound" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 2}
# ### BEGIN SOLUTION
# **Model answer.** *1.* Add and subtract $\hat f(s_k, a_k)$:
# $\hat s_{k+1} - s_{k+1} = [\hat f(\hat s_k, a_k) - \hat f(s_k, a_k)] + [\hat f(s_k, a_k) - f(s_k, a_k)]$. By the
# triangle inequality $e_{k+1} \le L e_k + \varepsilon$: the first bracket is the Lipschitz assumption, the second the
# one-step error at the real state.
#
# *2.* With $e_0 = 0$, $e_k \le \varepsilon \, (1 + L + \dots + L^{k-1})$. That is
# $\varepsilon \, (L^k - 1) / (L - 1)$ for $L \ne 1$, and $k \varepsilon$ for $L = 1$.
#
# *3.* The returns differ by at most $\ell \sum_{k=1}^{H} e_k \le \ell \varepsilon \, H (H + 1) / 2$: quadratic in $H$,
# like the $O(\varepsilon T^2)$ of behavioural cloning.
#
# **Rubric.** Full: the recursion with both assumptions in their places, both cases of the bound, and the quadratic
# growth with the comparison (a point for each of 1 and 2, two for 3). Half: the recursion and one case of the bound. 0:
# multiplies one step's error by $k$ without saying why errors do not grow, or uses the one-step error at imagined
# states.
# ### END SOLUTION

# %% [markdown] name="question-growth" nbgrader={"grade": false, "locked": true, "solution": false}
# ## Question 2: how far ahead? ({{ points:answer-growth }} points)
#
# In at most 100 words, with numbers from the figures (your own run's among them if your agent runs):
#
# 1. How does the error of the last model's roll-outs grow along an episode of 1.5, and what follows for the horizon?
# 2. Name one result above that the model's error *cannot* explain.

# %% [markdown] name="answer-growth" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}
# ### BEGIN SOLUTION
# **Model answer.** Along an episode of 1.5 the last model's tip error is about 1 mm after one step but about 27 cm
# after 20, twelve times what twenty equal steps would give; the bound grows like this with *L* of about 1.2. The model
# is good to 10 cm for some 16 steps, so a horizon of 20 is usable and 40 loses a little. But the simulator, without any
# error, earns only about 44 when it replans every 20 steps: plans fail for other reasons too (perhaps short-sighted
# ends), not only because the model errs.
#
# **Rubric.** Full: growth faster than adding up with a number, what follows for the horizon, and a result that model
# error cannot explain (the simulator at 20 steps, or random shooting against CEM with one model). Half: growth and its
# consequence, but no number or no such result. 0: "errors add up, so replan" alone, or a horizon chosen without looking
# at the figure.
# ### END SOLUTION
