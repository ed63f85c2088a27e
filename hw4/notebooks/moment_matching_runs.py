"""What the notebook moment_matching measures; its recorded runs were made with these lines (given)."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hw4.agents import build_agent
from hw4.commands.jupyter import Array
from hw4.envs import moment_matching as world
from hw4.experiments import Experiment
from hw4.mpc import ModelBasedAgent
from hw4.tasks import Task
from hw4.topics import moment_matching_pilco as pilco
from hw4.topics.moment_matching import gp_predict, moment_match_gp
from hw4.topics.moment_matching_gp import GP, fit_gp
from hw4.training import train

# The pendulum. --------------------------------------------------------------------------------------------------------

NUM_TRIALS = 5  # of PILCO, the random one included
NUM_EPISODES = 10  # of the MPC agent, the random one included
GRADIENT_STEPS = 40  # of the policy, after each trial
NUM_RESTARTS = 30  # random policies that compete with the policy before each optimisation
HOLD = 3  # control steps that a random action lasts
CENTER_MEAN, CENTER_STD = (np.pi / 2, 0.0), (1.5, 4.0)  # of the policy's first centers: between hanging and upright
LAST_SECOND = 10  # control steps


def pendulum_reward(observation: Tensor, action: Tensor, next_observation: Tensor) -> Tensor:
    """The height of the pendulum's end after the step, shape (...)."""
    return (1.0 + next_observation[..., 0]) / 2.0


PENDULUM = Task(
    name="pendulum",
    observation_names=("cos(angle)", "sin(angle)", "angular velocity (rad/s)"),
    action_names=("motor command",),
    action_low=-1.0,
    action_high=1.0,
    episode_length=world.EPISODE_LENGTH,
    reward=pendulum_reward,
)


class PendulumExperiment(Experiment):
    """An experiment on a task that the command line does not know."""

    @property
    def task(self) -> Task:
        return PENDULUM


MPC_AGENT = PendulumExperiment(
    task_name="pendulum",
    ensemble_size=5,
    gradient_steps=500,
    population_size=40,
    refit_every=world.EPISODE_LENGTH,
    num_episodes=NUM_EPISODES,
)


@dataclass(frozen=True)
class Trial:
    """One episode."""

    episode_return: float
    last_second: float  # mean height in the last second
    angles: Array  # after each step, in rad from upright
    expected_cost: float = math.nan  # of the roll-out that the policy was optimised with
    seconds: float = 0.0  # processor time of fit and optimisation
    forecast: Array | None = None  # mean and std of the angle after each step, shape (steps, 2)


def pilco_trials(seed: int, num_trials: int = NUM_TRIALS, gradient_steps: int = GRADIENT_STEPS) -> Iterator[Trial]:
    """PILCO: a trial of random actions, then fit, optimise, try."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    env = world.SwingUpEnv()
    states: list[Array] = []
    actions: list[Array] = []
    after: list[Array] = []

    def tried(act: pilco.Policy | None) -> tuple[float, float, Array]:
        env.reset(seed=int(rng.integers(2**31)))
        heights, action = [], np.zeros(1)
        for step in range(world.EPISODE_LENGTH):
            state = env.state()
            if act is not None:
                with torch.no_grad():
                    action = act(torch.as_tensor(state)).numpy()
            elif step % HOLD == 0:
                action = rng.uniform(-1.0, 1.0, 1)
            _, height, *_ = env.step(action)
            heights.append(height)
            for kept, value in ((states, state), (actions, action), (after, env.state())):
                kept.append(value)
        angles = np.array(after[-world.EPISODE_LENGTH :])[:, 0]
        return float(np.sum(heights)), float(np.mean(heights[-LAST_SECOND:])), angles

    yield Trial(*tried(None))
    center_mean, center_std = (torch.tensor(numbers).double() for numbers in (CENTER_MEAN, CENTER_STD))
    policies: list[pilco.Policy] = []
    mean, cov = torch.tensor(world.START_MEAN).double(), world.START_STD**2 * torch.eye(2).double()
    for _ in range(num_trials - 1):
        began = time.process_time()
        data = (torch.as_tensor(np.array(kept)) for kept in (states, actions, after))
        model = pilco.fit_model(*data, generator=generator)
        steps = world.EPISODE_LENGTH
        fresh = [pilco.Policy(center_mean, center_std, generator=generator) for _ in range(NUM_RESTARTS)]
        policy = pilco.best_of(model, [*policies, *fresh], mean, cov, num_steps=steps)
        policies = [policy]
        cost = pilco.improve(model, policy, mean, cov, num_steps=steps, gradient_steps=gradient_steps)
        seconds = time.process_time() - began
        with torch.no_grad():
            means, covs, _ = pilco.rollout(model, policy, mean, cov, steps)
        forecast = torch.stack([means[:, 0], covs[:, 0, 0].clamp(min=0.0).sqrt()], dim=-1).numpy()
        yield Trial(*tried(policy), expected_cost=cost, seconds=seconds, forecast=forecast)


def mpc_trials(seed: int, num_episodes: int = NUM_EPISODES) -> Iterator[Trial]:
    """The agent of this course on the same pendulum: an ensemble of networks, and CEM at every step."""
    env, agent = world.SwingUpEnv(), build_agent(MPC_AGENT, seed)
    assert isinstance(agent, ModelBasedAgent)
    began = time.process_time()
    for record in train(env, agent, num_episodes=num_episodes, seed=seed):
        heights = (1.0 + record.observations[1:, 0]) / 2.0
        angles = np.arctan2(record.observations[1:, 1], record.observations[1:, 0])
        now = time.process_time()
        yield Trial(record.episode_return, float(heights[-LAST_SECOND:].mean()), angles, seconds=now - began)
        began = now


# The bifurcation. -----------------------------------------------------------------------------------------------------

NUM_STEPS = 15
START_STD = 0.2
NUM_MEASURED = 40  # values of the step, from -1.6 to 1.6
NEAR_MIDDLE = 0.3  # |x| below this: the state that nobody ends in
NUM_SAMPLES = 100_000
EDGES = np.linspace(-1.8, 1.8, 73)  # of the histograms


def split(x: Tensor) -> Tensor:
    """One step: away from 0, towards -1 or 1."""
    return x + 0.3 * (x - x**3)


def bifurcation_model() -> GP:
    """A GP of the change in a step, fitted to exact values."""
    x = torch.linspace(-1.6, 1.6, NUM_MEASURED).double()[:, None]
    return fit_gp(x, split(x) - x)


@dataclass(frozen=True)
class Bifurcation:
    """What becomes of N(0, START_STD^2); the first row is after no step."""

    matched_std: Array  # by moment matching, shape (steps + 1,)
    sampled: Array  # samples of the same model, shape (steps + 1, NUM_SAMPLES)


@torch.no_grad()
def bifurcation() -> Bifurcation:
    """Follow one Gaussian, and many samples, through the same model."""
    model, generator = bifurcation_model(), torch.Generator().manual_seed(0)
    mean, cov = torch.zeros(1).double(), torch.full((1, 1), START_STD**2).double()
    x = START_STD * torch.randn(NUM_SAMPLES, 1, generator=generator, dtype=torch.float64)
    stds, samples = [float(cov.sqrt())], [x[:, 0].numpy()]
    for _ in range(NUM_STEPS):
        change, change_cov, cross = moment_match_gp(model, mean, cov)
        mean, cov = mean + change, cov + change_cov + cross + cross.T
        f, variance = gp_predict(model, x)
        x = x + f + variance.sqrt() * torch.randn(x.shape, generator=generator, dtype=torch.float64)
        stds.append(float(cov.sqrt()))
        samples.append(x[:, 0].numpy())
    return Bifurcation(np.array(stds), np.array(samples))


def gaussian_mass(std: float) -> float:
    """What N(0, std^2) claims to be nearer to 0 than NEAR_MIDDLE."""
    return math.erf(NEAR_MIDDLE / (std * math.sqrt(2.0)))
