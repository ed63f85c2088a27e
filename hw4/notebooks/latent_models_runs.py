"""What the notebook latent_models measures; its recorded runs were made with these lines (given)."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hw4.commands.jupyter import Array
from hw4.envs import latent_models as world
from hw4.mpc import MPC
from hw4.noise import colored_noise
from hw4.topics import latent_models as latent
from hw4.topics import latent_models_exact as exact
from hw4.topics.latent_models_data import sequences_of

# From pixels ----------------------------------------------------------------------------------------------------------

LOST, TEXTURE = world.Camera(drops_frames=True), world.Camera(shows_texture=True)
FILTER = latent.Settings()
STOCHASTIC, DETERMINISTIC = (dataclasses.replace(FILTER, encoder=name) for name in ("stochastic", "deterministic"))
VARIANTS: dict[str, tuple[latent.Settings, world.Camera]] = {
    "filter": (FILTER, world.PLAIN),
    "stochastic": (STOCHASTIC, world.PLAIN),
    "deterministic": (DETERMINISTIC, world.PLAIN),
    "no reconstruction": (dataclasses.replace(FILTER, reconstructs=False), world.PLAIN),
    "no reward model": (dataclasses.replace(FILTER, models_reward=False), world.PLAIN),
    "filter, one frame": (dataclasses.replace(FILTER, num_frames=1), world.PLAIN),
    "stochastic, one frame": (dataclasses.replace(STOCHASTIC, num_frames=1), world.PLAIN),
    "filter, texture": (FILTER, TEXTURE),
    "filter, lost frames": (FILTER, LOST),
    "stochastic, lost frames": (STOCHASTIC, LOST),
    "coasting, lost frames": (dataclasses.replace(STOCHASTIC, coasts=True), LOST),
}
BASELINES = ("true state", "random")
CONTROL = "coasting, learned with all frames"  # the run "stochastic", which coasts where frames are lost afterwards
AHEAD = 5  # env steps, of the model error
NUM_TESTS = 32  # random episodes on which a model is measured, and as many on which a linear probe is fitted
EXPLAINED = 0.99  # share of the variance
LOST_SHARES = (0.0, 0.25, 0.5, 1.0, 2.0)  # as LOST_SHARE of the world: how often a burst begins
NUM_EPISODES = 3  # for each of them


@dataclass(frozen=True)
class Run:
    """What came out of one run of the lecture's loop."""

    agent: latent.LatentAgent
    planned: world.Episodes
    seconds: float  # of processor time


def learn(seed: int, variant: str) -> Run:
    """One run of the loop; all variants of a seed have the same starts, and the same random pushes."""
    settings, camera = VARIANTS[variant]
    began = time.process_time()
    agent = latent.LatentAgent(seed=seed, settings=settings)
    learner: Any = agent  # takes arrays as well as tensors
    planned = world.learn_from_pixels(learner, np.random.default_rng(seed), camera=camera)
    return Run(agent, planned, time.process_time() - began)


def baseline(seed: int, name: str) -> float:
    """The score of a planner that knows state and world, or of random pushes, from the starts of `learn`."""
    rng = np.random.default_rng(seed)
    world.random_episodes(world.DotEnv(starts_anywhere=True), world.RANDOM_EPISODES, rng)  # as in the loop
    env, generator, pushes = world.DotEnv(), torch.Generator().manual_seed(seed), np.random.default_rng([seed, 2])
    planned = []
    for _ in range(world.PLANNED_EPISODES):
        act = true_state_planner(env, generator) if name == "true state" else random_hand(pushes)
        planned.append(world.play(env, act, int(rng.integers(1 << 31))))
    return world.score_of(world.joined(planned))


def random_hand(rng: np.random.Generator) -> Callable[[Array], Array]:
    """Random pushes for one episode."""
    pushes = iter(world.random_pushes(rng))
    return lambda frame: next(pushes)


def true_state_planner(env: world.DotEnv, generator: torch.Generator) -> Callable[[Array], Array]:
    """The graded planner, with the state for a latent and the true law and reward for a model; for one episode."""
    settings = latent.GRADED

    def step(state: Tensor, action: Tensor) -> Tensor:
        return torch.as_tensor(world.true_step(state.numpy(), action.numpy()))

    def reward(state: Tensor, action: Tensor) -> Tensor:
        reached = step(state, action)[..., :2].numpy()
        return torch.as_tensor(world.reward_of(reached, action.numpy(), env.goal))

    def plan(state: Tensor, mean: Tensor) -> Tensor:
        high = torch.ones(world.ACT_DIM)
        return latent.plan_latent(
            step, reward, state, mean, torch.full_like(mean, settings.initial_std), -high, high,
            population_size=settings.population_size, num_iterations=settings.num_iterations,
            num_elites=settings.num_elites, num_kept_elites=settings.num_kept_elites, smoothing=settings.smoothing,
            noise=lambda number: colored_noise(number, *mean.shape, color=settings.noise_color, generator=generator),
        )  # fmt: skip

    controller = MPC(plan, initial_mean=torch.zeros(settings.planning_horizon, world.ACT_DIM))
    return lambda frame: np.asarray(controller.act(torch.as_tensor(env.state())))


def test_episodes(seed: int, camera: world.Camera) -> world.Episodes:
    """New random episodes: the first half for fitting a probe, the second for measuring."""
    env = world.DotEnv(starts_anywhere=True, camera=camera)
    return world.random_episodes(env, 2 * NUM_TESTS, np.random.default_rng([seed, 1]))


@torch.no_grad()
def beliefs(agent: latent.LatentAgent, episodes: world.Episodes) -> Tensor:
    """Means of the beliefs of whole episodes, shape (episodes, 41, Z)."""
    frames, actions, rewards = (torch.as_tensor(each) for each in (episodes.frames, episodes.actions, episodes.rewards))
    sequences = sequences_of(frames, actions, rewards, agent.settings.num_frames)
    means: Tensor = latent.beliefs_of(network_of(agent), sequences, agent.settings.encoder).mean
    return means


def network_of(agent: latent.LatentAgent) -> Any:
    """The network of an agent that has learned."""
    assert agent.network is not None
    return agent.network


@torch.no_grad()
def imagined(agent: latent.LatentAgent, means: Tensor, actions: Tensor) -> Array:
    """Frames that a model imagines from some beliefs, (B, Z) and (B, K, 2) -> (B, K + 1, 16, 16)."""
    network = network_of(agent)
    frames = network.decode(latent.rollout_latent(network.step, means, actions))
    return np.asarray(frames.unflatten(-1, (world.SIZE, world.SIZE)))


def frame_error(agent: latent.LatentAgent, episodes: world.Episodes) -> float:
    """The squared error of a frame imagined AHEAD env steps before, summed over its pixels; the mean over all frames.

    Predictions start where every model has seen two frames.
    """
    means = beliefs(agent, episodes)[:, 1:-AHEAD]
    windows = torch.as_tensor(episodes.actions)[:, 1:].unfold(1, AHEAD, 1).transpose(2, 3)  # (B, T, K, 2)
    frames = imagined(agent, means.flatten(0, 1), windows.flatten(0, 1))[:, -1]
    true = episodes.frames[:, 1 + AHEAD :].reshape(frames.shape)
    return float(((frames - true) ** 2).sum(axis=(1, 2)).mean())


def probe(fitted: Array, fitted_states: Array, tested: Array, tested_states: Array) -> tuple[float, float]:
    """How much of position and of velocity a linear map finds in beliefs: R^2 on other episodes than it is fitted to.

    Args:
        fitted: beliefs that it is fitted to, shape (N, Z).
        fitted_states: (x, y, vx, vy), shape (N, 4).
        tested: other beliefs, shape (M, Z).
        tested_states: their states, shape (M, 4).
    """
    inputs = [np.column_stack([each, np.ones(len(each))]) for each in (fitted, tested)]
    weights, *_ = np.linalg.lstsq(inputs[0], fitted_states, rcond=None)
    unexplained = ((inputs[1] @ weights - tested_states) ** 2).mean(axis=0) / tested_states.var(axis=0)
    found = 1.0 - unexplained
    return float(found[:2].mean()), float(found[2:].mean())


def probe_of(agent: latent.LatentAgent, episodes: world.Episodes) -> tuple[float, float]:
    """`probe` of the beliefs from the second frame on."""
    means = np.asarray(beliefs(agent, episodes), dtype=np.float64)[:, 1:]
    states, size = episodes.states[:, 1:], means.shape[-1]
    first, second = slice(None, NUM_TESTS), slice(NUM_TESTS, None)
    return probe(
        means[first].reshape(-1, size), states[first].reshape(-1, 4),
        means[second].reshape(-1, size), states[second].reshape(-1, 4),
    )  # fmt: skip


def dimensions(frames: Array) -> int:
    """How many principal components explain 99 % of the variance of frames (..., 16, 16)."""
    pixels = frames.reshape(-1, world.SIZE**2).astype(np.float64)
    variances = np.linalg.svd(pixels - pixels.mean(axis=0), compute_uv=False) ** 2
    return int((variances.cumsum() / variances.sum() < EXPLAINED).sum()) + 1


def lost_frames(rng: np.random.Generator, share: float) -> Array:
    """Which frames of an episode are lost, by the law of the world with another share, shape (41,)."""
    lost, left = np.zeros(world.EPISODE_LENGTH + 1, dtype=bool), 0
    for step in range(1, len(lost)):
        left -= 1
        if left <= 0 and rng.uniform() < share / world.BURST:
            left = world.BURST
        lost[step] = left > 0
    return lost


def control(seed: int) -> latent.LatentAgent:
    """The agent of CONTROL."""
    agent = learn(seed, "stochastic").agent
    agent.settings = dataclasses.replace(agent.settings, coasts=True)
    return agent


def returns_with_lost_frames(agent: latent.LatentAgent, seed: int, share: float) -> tuple[float, float]:
    """The mean return of some episodes in which frames are lost, and the share of frames that were.

    The agent does not learn from them. All agents of a seed have the same starts, and lose the same frames.
    """
    rng, generator = np.random.default_rng([seed, 3]), agent.generator.get_state()
    played, lost = [], []
    for _ in range(NUM_EPISODES):
        lost.append(lost_frames(np.random.default_rng(rng.integers(1 << 31)), share))
        agent.begin_episode()
        agent.generator.manual_seed(seed)
        played.append(world.play(world.DotEnv(), losing(agent, lost[-1]), int(rng.integers(1 << 31))))
    agent.generator.set_state(generator)
    return float(np.mean(world.joined(played).returns)), float(np.mean(lost))


def losing(agent: latent.LatentAgent, lost: Array) -> Callable[[Array], Array]:
    """Acts as the agent, for which some frames are lost, for one episode."""
    steps = iter(lost)

    def act(frame: Array) -> Array:
        seen = np.zeros_like(frame) if next(steps) else frame
        return np.asarray(agent.act(torch.as_tensor(seen)))

    return act


# Pictures -------------------------------------------------------------------------------------------------------------

FILM_SEED = 0  # decides start and plans of the film
FILM_LOST = slice(6, 12), slice(20, 27)  # frames of the film that are lost
IMAGINED_FROM = 4  # env step at which the models begin to imagine


def film() -> world.Episodes:
    """An episode of the true state's planner, with all frames."""
    env = world.DotEnv()
    return world.play(env, true_state_planner(env, torch.Generator().manual_seed(FILM_SEED)), FILM_SEED)


def film_lost() -> Array:
    """Which frames of the film are lost where some are, shape (41,)."""
    lost = np.zeros(world.EPISODE_LENGTH + 1, dtype=bool)
    for burst in FILM_LOST:
        lost[burst] = True
    return lost


def textured(shown: world.Episodes) -> Array:
    """The film in front of a moving texture, shape (41, 16, 16)."""
    env = world.DotEnv(camera=TEXTURE)
    pushes = iter(shown.actions[0])
    return np.asarray(world.play(env, lambda frame: next(pushes), FILM_SEED).frames[0])


@torch.no_grad()
def believed(agent: latent.LatentAgent, frames: Array, actions: Array) -> tuple[Tensor, Array]:
    """What an agent believes that only looks on: latents, shape (41, Z), and the frames that they decode to.

    Args:
        agent: which sees frame by frame, as in an episode of its own.
        frames: shape (41, 16, 16); a lost frame is 0 everywhere.
        actions: what is done meanwhile, shape (40, 2).
    """
    agent.begin_episode()
    latents = []
    for step, frame in enumerate(frames):
        agent.see(torch.as_tensor(frame))
        latents.append(agent.latent)
        if step < len(actions):
            agent.last_action = torch.as_tensor(actions[step])[None]
    together = torch.stack(latents)
    return together, np.asarray(network_of(agent).decode(together).unflatten(-1, (world.SIZE, world.SIZE)))


# Linear-Gaussian models, exactly --------------------------------------------------------------------------------------

NUM_SYSTEMS, NUM_STEPS = 200, 12
NOISE_STDS = (0.05, 0.5, 2.0)  # of an observation; the systems take turns
POSTERIORS: dict[str, Callable[[exact.LinearGaussian, Tensor], exact.Posterior]] = {
    "single step": lambda model, seen: exact.posterior(model, seen, "single step"),
    "filtering": lambda model, seen: exact.posterior(model, seen, "filter"),
    "smoothing": lambda model, seen: exact.posterior(model, seen, "smooth"),
    "product of filter marginals": lambda model, seen: exact.marginals(model, seen, "filter"),
    "product of smoothing marginals": lambda model, seen: exact.marginals(model, seen, "smooth"),
}


def draw_system(number: int) -> tuple[exact.LinearGaussian, Tensor]:
    """A model with a state of two numbers, one of which is observed with noise, and what was observed, shape (T, 1)."""
    generator = torch.Generator().manual_seed(number)
    model = exact.random_model(2, 1, NOISE_STDS[number % len(NOISE_STDS)], generator)
    return model, exact.sample(model, NUM_STEPS, generator)[1]


def log_likelihood(model: exact.LinearGaussian, observations: Tensor) -> float:
    """log p(o_1..o_T), by the Kalman filter."""
    mean, covariance, total = model.initial_mean, model.initial_covariance, 0.0
    for observation in observations:
        mean, covariance, likelihood = latent.kalman_step(
            mean, covariance, observation, transition=model.transition, process_covariance=model.process_covariance,
            emission=model.emission, observation_covariance=model.observation_covariance,
        )  # fmt: skip
        total += float(likelihood)
    return total


def gaps(number: int) -> dict[str, float]:
    """How far the ELBO of each kind of posterior is below log p(o), in nats, in one of the systems."""
    model, observations = draw_system(number)
    whole, together = log_likelihood(model, observations), vars(exact.stacked(model, NUM_STEPS))
    beliefs_about = {name: kind(model, observations) for name, kind in POSTERIORS.items()}
    bounds = {
        name: latent.elbo(q.mean, q.covariance, observations.flatten(), **together) for name, q in beliefs_about.items()
    }
    return {name: whole - float(bound) for name, bound in bounds.items()}
