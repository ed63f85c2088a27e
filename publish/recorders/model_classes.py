"""Records what classes of models of the cart-pole are worth, by the size of their data.

Run by `python -m publish.recorders model_classes`: about a quarter of an hour on one core.

Every class is fitted to the same transitions under random actions; errors are one step ahead, on new random transitions
and along the last episodes of a good policy (those of publish/recorders/distribution_shift.py, whose linear model,
network and hand-made model these are). Then one episode is planned with the model, by the search of the graded
cart-pole; the same episode planned with the simulator itself says what a perfect model earns. Times are processor times
of one thread: of a fit, and of a plan, the mean over the episode. The machine was also busy with other programs, so
they say which of two is many times as long and no more.

`guessed` has the equations of the hand-made model and numbers that nobody fitted. An ensemble's error is that of its
mean; a plan's return is the mean of its members' returns. The Gaussian process is exact, and plans with its mean; its
kernel's numbers are fitted to at most 300 of the transitions.

Claims. Their form was fixed before the seeds below were looked at; seeds 0 and 1 were tried. A seed counts as one
number. Intervals are exact ones of the median over seeds, of at least 95 %; classes are compared by the differences
seed by seed, errors by the logarithm of their ratio. A regret is what the simulator's plans earn more.

1. With 50 transitions, the hand-made model errs less than every class that knows no physics, in both places: each
   interval lies below 0.
2. In distribution, network, ensemble and Gaussian process pass the hand-made model: for each, the smallest size from
   which on its interval lies below 0 is reported, or that there is none. The same for the states of the good policy.
3. Ensemble against network and Gaussian process against network: both errors and the regret are reported at every
   size, and called no visible difference where the interval holds 0.
4. Regret: a model is said to lose something if its interval lies above 0, and to be level with the simulator if it
   lies within 5 of 0.
5. Which error goes with regret: for each seed, the rank correlation of each of the two errors with the regret over all
   fitted models (class and size). Both medians are reported; the error on the states of the good policy is called the
   better guide if the interval of the difference lies above 0.
6. A plan with the Gaussian process of 3,200 transitions takes longer than a plan with any other class, and longer than
   with that of 50 transitions: the intervals of the ratios lie above 1.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from autograder.solutions import ROOT
from hw4.agents import build_planner
from hw4.dynamics_model import DynamicsModel, Normalizer, fit, fit_normalizer, make_optimizer
from hw4.ensemble import bootstrap_indices, member_minibatches
from hw4.envs import make_env
from hw4.mpc import MPC, Objective, Predict, sequence_returns
from hw4.networks import EnsembleMLP
from hw4.notebooks.distribution_shift_runs import HandMadeCartPole, identify
from hw4.training import train
from hw4.transitions import Transition
from publish.recorded_tables import Recording, Row, Table, number
from publish.recorders.distribution_shift import (
    CARTPOLE,
    GOOD_SEED,
    RANDOM_SEED,
    Actor,
    linear_model,
    measured_on,
    modelled_objective,
    network_model,
    one_step_error,
    simulated_objective,
    transitions_of,
)

SEEDS = range(700, 710)  # nobody has looked at these before
SIZES = (50, 200, 800, 3200)  # transitions under random actions
ENSEMBLE_SIZE = 5
KERNEL_POINTS, KERNEL_STEPS, KERNEL_RATE = 300, 120, 0.05  # of the fit of the Gaussian process's kernel, by Adam
LEAST_NOISE = 1e-2  # std, in units of the spread of the changes

ObjectiveFrom = Callable[[Tensor], Objective]
TABLES = {
    "model_classes": Table(
        "model,seed,size,error_in_distribution,error_on_good_policy,episode_return,fit_seconds,plan_milliseconds",
        key="seed",
        settings={
            "cartpole": dataclasses.asdict(CARTPOLE),
            "sizes": SIZES,
            "measured_on": [RANDOM_SEED, GOOD_SEED],
            "ensemble_size": ENSEMBLE_SIZE,
            "gaussian_process": [KERNEL_POINTS, KERNEL_STEPS, KERNEL_RATE, LEAST_NOISE],
        },
        says="models of the cart-pole by the size of their data; times are processor times of one thread",
    )
}


class Model(NamedTuple):
    """What is asked of a model of any class."""

    predict: Predict  # observations (N, 5) and actions (N, 1) to next observations (N, 5)
    objective_from: ObjectiveFrom


def main() -> None:
    recording = Recording(ROOT / "notebooks" / "data" / "distribution_shift", "model_classes", TABLES)
    for seed in SEEDS:
        if not recording.has("model_classes", seed=seed):
            began = time.process_time()
            recording.put(model_classes=rows_of(seed))
            print(f"seed {seed}: {time.process_time() - began:.0f} CPU s", flush=True)


def rows_of(seed: int) -> list[Row]:
    """Every class at every size, and the two that have no data."""
    num_episodes = -(-SIZES[-1] // CARTPOLE.task.episode_length)
    data = transitions_of(train(make_env("cartpole"), Actor(seed), num_episodes=num_episodes, seed=seed))
    rows: list[Row] = [["simulator", seed, 0, "", "", *planned(simulated_objective, seed, "")]]
    rows.append(row_of("guessed", lambda: HandMadeCartPole().predict, seed, 0))
    fits: dict[str, Callable[[Transition], Predict]] = {
        "hand_made": lambda known: identify(known).predict,
        "linear": linear_model,
        "network": lambda known: network_model(known, CARTPOLE.width, seed),
        "ensemble": lambda known: ensemble_model(known, seed),
        "gaussian_process": lambda known: GaussianProcess(known).predict,
    }
    for size in SIZES:
        known = data.select(slice(0, size))
        rows += [row_of(name, functools.partial(fitted, known), seed, size) for name, fitted in fits.items()]
    return rows


def row_of(name: str, fitted: Callable[[], Predict], seed: int, size: int) -> Row:
    """Fit one model, measure its errors, and plan an episode with it."""
    began = time.process_time()
    predict = fitted()
    seconds = number(time.process_time() - began, 3)
    if name == "ensemble":
        errors = [one_step_error(mean_of(predict), transitions) for transitions in measured_on()]
        objective_from: ObjectiveFrom = functools.partial(ensemble_objective, predict)
    else:
        errors = [one_step_error(predict, transitions) for transitions in measured_on()]
        objective_from = functools.partial(modelled_objective, predict)
    return [name, seed, size, *map(number, errors), *planned(objective_from, seed, seconds)]


def mean_of(predict: Predict) -> Predict:
    """What the members of an ensemble predict on average."""
    return lambda observation, action: predict(observation, action).mean(dim=0)


class TimedMPC(MPC):
    """A controller that adds up the processor time of its plans."""

    seconds, num_plans = 0.0, 0

    def act(self, observation: Tensor) -> Tensor:
        began = time.process_time()
        action = super().act(observation)
        self.seconds, self.num_plans = self.seconds + time.process_time() - began, self.num_plans + 1
        return action


def planned(objective_from: ObjectiveFrom, seed: int, fit_seconds: str) -> list[str]:
    """The return of one episode, planned at the graded settings; the time of the fit; and that of a plan (ms)."""
    planner = build_planner(CARTPOLE, objective_from, torch.Generator().manual_seed(seed))
    controller = TimedMPC(planner, initial_mean=torch.zeros(CARTPOLE.horizon, CARTPOLE.task.act_dim), replan_every=1)
    (record,) = train(make_env("cartpole"), Actor(seed, controller), num_episodes=1, seed=seed)
    return [number(record.episode_return), fit_seconds, number(1000 * controller.seconds / controller.num_plans, 3)]


def ensemble_model(data: Transition, seed: int) -> Predict:
    """Members with the settings of the one network, each with its own resampled data; answers have shape (E, N, 5)."""
    generator = torch.Generator().manual_seed(seed)
    in_dim, out_dim = CARTPOLE.task.obs_dim + CARTPOLE.task.act_dim, CARTPOLE.task.obs_dim
    layers = {"width": CARTPOLE.width, "num_hidden_layers": CARTPOLE.num_hidden_layers}
    network = EnsembleMLP(ENSEMBLE_SIZE, in_dim, out_dim, **layers, generator=generator)
    model = DynamicsModel(
        network, input_normalizer=Normalizer.identity(in_dim), delta_normalizer=Normalizer.identity(out_dim)
    )
    members = bootstrap_indices(len(data.action), ENSEMBLE_SIZE, generator=generator)
    fit(
        model,
        data,
        make_optimizer(network, CARTPOLE.learning_rate),
        sample_indices=lambda: member_minibatches(members, CARTPOLE.batch_size, generator=generator),
        gradient_steps=CARTPOLE.gradient_steps,
    )
    return model.predict


def ensemble_objective(predict: Predict, observation: Tensor) -> Objective:
    """The mean over the members of the return that each predicts."""

    def objective(sequences: Tensor) -> Tensor:
        start, plans = observation.expand(ENSEMBLE_SIZE, -1), sequences.expand(ENSEMBLE_SIZE, -1, -1, -1)
        return sequence_returns(predict, CARTPOLE.task.reward, start, plans).mean(dim=0)

    return objective


class GaussianProcess:
    """Exact regression of how each feature changes (Rasmussen and Williams 2006, algorithm 2.1).

    Each feature D has a squared-exponential kernel with one length for every input, a signal and a noise; they maximise
    the marginal likelihood. Everything is in units of the data's spread, in float64. N = transitions.
    """

    def __init__(self, data: Transition) -> None:
        inputs = torch.cat([data.observation, data.action], dim=-1).double()
        changes = (data.next_observation - data.observation).double()
        self._inputs, self._changes = fit_normalizer(inputs), fit_normalizer(changes)
        self._x, y = self._inputs.normalize(inputs), self._changes.normalize(changes).T  # (N, 6), (D, N)
        self._log_length = torch.full((len(y), 1, inputs.shape[-1]), 1.0, dtype=torch.float64, requires_grad=True)
        self._log_signal = torch.zeros(len(y), dtype=torch.float64, requires_grad=True)
        self._log_noise = torch.full((len(y),), -2.0, dtype=torch.float64, requires_grad=True)
        self._fit_kernel(y)
        with torch.no_grad():
            every = range(len(y))  # features one by one: a matrix of 3,200 x 3,200 numbers for each
            factors = (torch.linalg.cholesky(self._noisy_kernel(self._x, slice(d, d + 1))) for d in every)
            solved = [torch.cholesky_solve(y[d][:, None], factor[0]) for d, factor in zip(every, factors, strict=True)]
            self._weights = torch.stack(solved).float()  # (D, N, 1)
            scaled = self._x / self._log_length.exp()
            ones, signal = torch.ones_like(scaled[..., :1]), 2 * self._log_signal[:, None, None]
            last = signal - 0.5 * scaled.square().sum(dim=-1, keepdim=True)
            self._right = torch.cat([scaled, ones, last], dim=-1).mT.float()  # (D, 8, N): with a query, log k(x, x')

    def _kernel(self, a: Tensor, b: Tensor, features: slice) -> Tensor:
        """Shapes (M, 6) and (N, 6) to (D, M, N)."""
        length = self._log_length[features].exp()
        squared = torch.cdist(a / length, b / length, compute_mode="use_mm_for_euclid_dist") ** 2
        return (2 * self._log_signal[features, None, None] - 0.5 * squared).exp()

    def _noisy_kernel(self, x: Tensor, features: slice) -> Tensor:
        variance = self._log_noise[features].exp() ** 2 + LEAST_NOISE**2
        return self._kernel(x, x, features) + variance[:, None, None] * torch.eye(len(x), dtype=torch.float64)

    def _fit_kernel(self, y: Tensor) -> None:
        chosen = torch.linspace(0, len(self._x) - 1, min(len(self._x), KERNEL_POINTS)).long()
        x, y = self._x[chosen], y[:, chosen, None]
        numbers = [self._log_length, self._log_signal, self._log_noise]
        optimizer = torch.optim.Adam(numbers, lr=KERNEL_RATE)
        for _ in range(KERNEL_STEPS):
            factor = torch.linalg.cholesky(self._noisy_kernel(x, slice(None)))
            misfit = 0.5 * torch.linalg.solve_triangular(factor, y, upper=False).square().sum()
            loss = misfit + factor.diagonal(dim1=-2, dim2=-1).log().sum()  # minus the log likelihood, up to a constant
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    @torch.no_grad()
    def predict(self, observation: Tensor, action: Tensor) -> Tensor:
        """The mean of the next observation: (N, 5) and (N, 1) to (N, 5); in float32, which a planner needs fast."""
        x = self._inputs.normalize(torch.cat([observation, action], dim=-1).double())
        scaled = x / self._log_length.exp()  # (D, M, 6)
        ones, half_square = torch.ones_like(scaled[..., :1]), -0.5 * scaled.square().sum(dim=-1, keepdim=True)
        left = torch.cat([scaled, half_square, ones], dim=-1).float()
        mean = (torch.bmm(left, self._right).exp_() @ self._weights).squeeze(-1).T  # (M, D)
        return observation + self._changes.unnormalize(mean.double()).float()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
