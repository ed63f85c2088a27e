"""Planning with a model, and model-predictive control: plan, execute a little, look, plan again.

A planner here knows no model. It maximises an objective, a function from candidate action sequences to predicted
returns, and `sequence_returns` makes such an objective out of any model.

Shapes: "..." stands for any leading batch dimensions, including none.
A function leaves its inputs unchanged: nothing is changed in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hw4.rewards import Reward
from hw4.transitions import ReplayBuffer, Transition

Predict = Callable[[Tensor, Tensor], Tensor]  # (observation, action) -> next_observation
Objective = Callable[[Tensor], Tensor]  # (num_sequences, horizon, act_dim) -> (num_sequences,)
Planner = Callable[[Tensor, Tensor], Tensor]  # (observation, mean of the first candidates) -> plan


def sequence_returns(predict: Predict, reward: Reward, observation: Tensor, action_sequences: Tensor) -> Tensor:
    """Predicted return of each action sequence from one start observation (`sequence_returns`).

        s_0 = observation;   s_{t+1} = predict(s_t, a_t);   return = sum_{t=0}^{horizon-1} reward(s_t, a_t, s_{t+1})

    The reward is paid on arrival: it sees s_{t+1}, so the last action counts. No discount. All sequences advance
    together: exactly `horizon` calls of `predict`, each on the whole population.

    Args:
        predict: the model; observations (..., num_sequences, obs_dim) and actions (..., num_sequences, act_dim) give
            next observations (..., num_sequences, obs_dim).
        reward: reward(observation, action, next_observation) of the same shapes; returns shape (..., num_sequences).
        observation: s_0, shape (..., obs_dim). Not changed in place.
        action_sequences: shape (..., num_sequences, horizon, act_dim).

    Returns:
        shape (..., num_sequences).

    Public test: pytest hw4/tests -m sequence_returns
    """
    # TODO(sequence_returns): about 9 lines; a loop over the horizon is fine, one over sequences is not.
    raise NotImplementedError("sequence_returns: write sequence_returns in hw4/mpc.py")


def random_shooting(
    objective: Objective,
    action_low: Tensor,
    action_high: Tensor,
    *,
    num_sequences: int,
    uniform: Callable[[int], Tensor],
) -> Tensor:
    """The best of `num_sequences` uniformly random plans (`random_shooting`).

        candidate = action_low + (action_high - action_low) * u,   u uniform in [0, 1)

    Args:
        objective: predicted return of candidates, called once with all of them. Higher is better.
        action_low: lower bounds, shape (act_dim,).
        action_high: upper bounds, shape (act_dim,).
        num_sequences: how many candidates.
        uniform: uniform(n) draws numbers in [0, 1), shape (n, horizon, act_dim), all at once or in several calls. Use
            no other source of randomness.

    Returns:
        The candidate with the largest return, shape (horizon, act_dim). If several are equally good, any of them.

    Public test: pytest hw4/tests -m random_shooting
    """
    # TODO(random_shooting): about 3 lines.
    raise NotImplementedError("random_shooting: write random_shooting in hw4/mpc.py")


class MPC:
    """Model-predictive control: execute the first `replan_every` actions of a plan, then plan again."""

    def __init__(self, planner: Planner, *, initial_mean: Tensor, replan_every: int = 1) -> None:
        """
        Args:
            planner: planner(observation, mean) returns a plan of shape (horizon, act_dim); `mean`, of the same shape,
                is where its search starts.
            initial_mean: where the search starts when there is no earlier plan, shape (horizon, act_dim).
            replan_every: env steps executed of each plan, in [1, horizon].
        """
        horizon = len(initial_mean)
        if not 1 <= replan_every <= horizon:
            raise ValueError(f"replan_every must be in [1, horizon={horizon}], got {replan_every}")
        self.planner = planner
        self.initial_mean = initial_mean
        self.replan_every = replan_every
        self.begin_episode()

    def begin_episode(self) -> None:
        """Forget the plan: the next `act` plans from `initial_mean` (given)."""
        self.plan: Tensor | None = None
        self.num_executed = 0  # actions already executed of self.plan

    def act(self, observation: Tensor) -> Tensor:
        """The action to execute now (`mpc_act`).

        Plans at the first call of an episode and whenever `replan_every` actions of the plan have been executed;
        in between it executes the plan it has, in order, without calling the planner.

        The search starts warm. With k = replan_every actions of the old plan executed, its mean is the rest of the
        old plan, followed by the last k rows of `initial_mean`:

            mean = concatenate(plan[k:], initial_mean[horizon - k:])

        The first plan of an episode starts from `initial_mean`.

        Args:
            observation: the current observation, shape (obs_dim,).

        Returns:
            The next action of the current plan, shape (act_dim,).

        Public test: pytest hw4/tests -m mpc_act
        """
        # TODO(mpc_act): about 9 lines; three cases: no plan yet, plan used up, plan still good.
        raise NotImplementedError("mpc_act: write MPC.act in hw4/mpc.py")


class ModelBasedAgent:
    """The lecture's loop: collect with a base policy, fit, then plan with the model, and refit as data comes in."""

    def __init__(
        self,
        *,
        base_policy: Callable[[NDArray[Any]], NDArray[Any]],
        controller: MPC,
        fit: Callable[[ReplayBuffer], None],
        predict: Predict,
        initial_steps: int,
        refit_every: int | None,
    ) -> None:
        """
        Args:
            base_policy: acts until the model has been fitted once.
            controller: acts from then on.
            fit: fits the model to a replay buffer.
            predict: the model's prediction of the next observation; only reported, never used to act.
            initial_steps: env steps of the base policy before the first fit, at least 1.
            refit_every: env steps between fits after the first, or None to fit only once.
        """
        self.base_policy = base_policy
        self.controller = controller
        self.fit = fit
        self.predict = predict
        self.initial_steps = initial_steps
        self.refit_every = refit_every
        self.replay = ReplayBuffer()

    def begin_episode(self) -> None:
        """A new episode starts (given)."""
        self.controller.begin_episode()

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        """The action to execute: the base policy's until the first fit, the controller's after it (given)."""
        if len(self.replay) < self.initial_steps:
            return self.base_policy(observation)
        return np.asarray(self.controller.act(torch.as_tensor(observation, dtype=torch.float32)))

    def record(self, transition: Transition) -> None:
        """Record what just happened (`agent_record`).

        1. Append the transition to `self.replay`. Nothing is thrown away.
        2. Let n be the number of transitions in `self.replay` now. Call `self.fit(self.replay)` when
           n == initial_steps, and then, unless `refit_every` is None, each time another `refit_every` env steps have
           been taken: at n == initial_steps + refit_every, initial_steps + 2 * refit_every, ...

        Args:
            transition: one env step; fields are NumPy arrays of shape (dim,).

        Public test: pytest hw4/tests -m agent_record
        """
        # TODO(agent_record): about 8 lines; nothing is fitted before `initial_steps`.
        raise NotImplementedError("agent_record: write ModelBasedAgent.record in hw4/mpc.py")

    def predict_next(self, observation: NDArray[Any], action: NDArray[Any]) -> NDArray[Any]:
        """What the model expects to see next, shape (obs_dim,); averaged over an ensemble's members (given)."""
        with torch.no_grad():
            prediction = self.predict(
                torch.as_tensor(observation, dtype=torch.float32), torch.as_tensor(action, dtype=torch.float32)
            )
        return np.asarray(prediction.reshape(-1, len(observation)).mean(dim=0))


def refit_to_elites(
    action_sequences: Tensor, returns: Tensor, mean: Tensor, std: Tensor, *, num_elites: int, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Refit the sampling distribution to the elites (`cem_refit`).

    Let E be the indices of the `num_elites` largest returns and A[i] the i-th candidate. Elementwise:

        elite_mean = 1/|E| * sum_{i in E} A[i]
        elite_std  = sqrt(1/|E| * sum_{i in E} (A[i] - elite_mean)^2)
        new_mean   = smoothing * mean + (1 - smoothing) * elite_mean
        new_std    = smoothing * std  + (1 - smoothing) * elite_std

    `smoothing` weighs the OLD distribution, as in PETS (Chua et al. 2018); but PETS smooths the variance, whereas this
    function smooths the standard deviation.

    Args:
        action_sequences: candidates A, shape (population_size, horizon, act_dim).
        returns: predicted return of each, shape (population_size,). Higher is better. Among equal returns, any may be
            elites.
        mean: mean of the distribution that the candidates were drawn from, shape (horizon, act_dim).
        std: standard deviation (not variance) of the same, shape (horizon, act_dim).
        num_elites: |E|, in [1, population_size].
        smoothing: weight on the OLD mean and std, in [0, 1). 0 forgets them.

    Returns:
        (new_mean, new_std), each of shape (horizon, act_dim). The inputs are unchanged.

    Raises:
        ValueError: `num_elites` or `smoothing` out of range, or a NaN return (checked for you above the TODO).

    Public test: pytest hw4/tests -m cem_refit
    """
    _check_refit_inputs(returns, num_elites=num_elites, smoothing=smoothing)
    # TODO(cem_refit): about 6 lines, no loop over candidates; `torch.topk` finds E.
    raise NotImplementedError("cem_refit: write refit_to_elites in hw4/mpc.py")


def cem(
    objective: Objective,
    mean: Tensor,
    std: Tensor,
    action_low: Tensor,
    action_high: Tensor,
    *,
    population_size: int,
    num_iterations: int,
    num_elites: int,
    smoothing: float,
    noise: Callable[[int], Tensor],
    num_kept_elites: int = 0,
) -> Tensor:
    """Plan with the cross-entropy method (`cem_plan`).

    Each of the `num_iterations` iterations:

    1. draws mean + std * noise(n), with n = population_size - (number of kept elites), and clips it to the bounds;
    2. adds the kept elites to them: `population_size` candidates (none are kept before the first iteration);
    3. asks the objective for their returns, in one call;
    4. refits mean and std with `refit_to_elites`;
    5. keeps the `num_kept_elites` best candidates of this iteration (`best_sequences`, given) for the next.

    So the objective sees exactly num_iterations * population_size candidates, all inside the bounds.

    Args:
        objective: predicted return of candidates. Higher is better.
        mean: mean of the first candidates, shape (horizon, act_dim).
        std: their standard deviation, shape (horizon, act_dim).
        action_low: lower bounds, shape (act_dim,).
        action_high: upper bounds, shape (act_dim,).
        population_size: candidates in an iteration.
        num_iterations: iterations, at least 1.
        num_elites: see `refit_to_elites`.
        smoothing: see `refit_to_elites`.
        noise: noise(n) draws noise of unit variance, shape (n, horizon, act_dim); every candidate that is not kept gets
            a draw of its own. Use no other source of randomness.
        num_kept_elites: how many of the best candidates compete again, less than population_size.

    Returns:
        The final mean (not the best candidate), clipped to the bounds, shape (horizon, act_dim).

    Public test: pytest hw4/tests -m cem_plan
    """
    # TODO(cem_plan): about 8 lines. Clip before scoring: what is scored must be executable.
    raise NotImplementedError("cem_plan: write cem in hw4/mpc.py")


def best_sequences(action_sequences: Tensor, returns: Tensor, num_best: int) -> Tensor:
    """The `num_best` candidates with the largest returns, shape (num_best, horizon, act_dim) (given)."""
    return action_sequences[returns.topk(num_best).indices]


def _check_refit_inputs(returns: Tensor, *, num_elites: int, smoothing: float) -> None:
    population_size = len(returns)
    if not 1 <= num_elites <= population_size:
        raise ValueError(f"num_elites must be in [1, population_size={population_size}], got {num_elites}")
    if not 0.0 <= smoothing < 1.0:
        raise ValueError(f"smoothing must be in [0, 1), got {smoothing}")
    if returns.isnan().any():
        raise ValueError(
            f"{int(returns.isnan().sum())} of {population_size} returns are NaN: look at the model's predictions and "
            "at the data it was fitted to"
        )
