"""What the notebook what_uncertainty_means measures; its recorded runs were made with these lines (given)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hw4.commands.jupyter import (
    Array,
)
from hw4.envs import make_env
from hw4.envs.noisy_field import (
    ARENA,
    NOISE_STD,
    START,
    TURNED_CENTER,
    TURNED_RADIUS,
    is_noisy,
    mean_move,
)
from hw4.experiments import EXPERIMENTS

EXPERIMENT = EXPERIMENTS["noisy_field"]  # five Gaussian members
FIT = dataclasses.replace(EXPERIMENT, gradient_steps=1000)  # of the models that are fitted once, to random data
FAR_CENTER, FAR_RADIUS = (1.3, 2.8), TURNED_RADIUS  # m; as far from the start as the turned patch, ordinary ground
REGIONS = ("quiet", "noisy", "turned", "far")
BORDER = (0.3, 0.5)  # m from the nearest visited state: places just beyond the data
NUM_POINTS = 200  # in each region


Distribution = Callable[[Array, Array], tuple[Array, Array]]  # (observations, actions) -> means, variances (E, N, 2)


@dataclass(frozen=True)
class Points:
    """Held-out steps in one region."""

    observations: Array  # shape (NUM_POINTS, 2)
    actions: Array  # shape (NUM_POINTS, 2)
    mean_next: Array  # m; where each step leads on average, shape (NUM_POINTS, 2)
    next_observations: Array  # m; where it led, shape (NUM_POINTS, 2)


def held_out_points(seed: int) -> dict[str, Points]:
    """Steps that no model was fitted to.

    "quiet" and "noisy" are states of the base policy outside and inside the noisy patch; "turned" and "far" are
    uniform in discs that the base policy does not reach.
    """
    rng = np.random.default_rng(seed)
    base = base_policy_data(NUM_POINTS, seed)[0]  # 8,000 states: enough of both
    where = {
        "quiet": base[~is_noisy(base)][::5][:NUM_POINTS],
        "noisy": base[is_noisy(base)][::5][:NUM_POINTS],
        "turned": uniform_in_disc(rng, TURNED_CENTER, TURNED_RADIUS),
        "far": uniform_in_disc(rng, FAR_CENTER, FAR_RADIUS),
    }
    return {region: steps_from(where[region], rng) for region in REGIONS}


def border_points(seed: int, visited: Array) -> Points:
    """Steps from places just beyond the data: the nearest of the visited states, shape (N, 2), is BORDER away."""
    rng = np.random.default_rng(seed)
    places = np.empty((0, 2))
    while len(places) < NUM_POINTS:
        anywhere = rng.uniform(-ARENA, ARENA, (1000, 2))
        nearest = np.linalg.norm(anywhere[:, None] - visited, axis=-1).min(axis=1)
        places = np.concatenate([places, anywhere[(nearest > BORDER[0]) & (nearest < BORDER[1])]])
    return steps_from(places[:NUM_POINTS], rng)


def steps_from(observations: Array, rng: np.random.Generator) -> Points:
    """One random step from each place."""
    actions = rng.uniform(-1, 1, (NUM_POINTS, 2))
    mean_next = observations + mean_move(observations, actions)
    noise = NOISE_STD * rng.standard_normal((NUM_POINTS, 2)) * is_noisy(observations)[:, None]
    return Points(observations, actions, mean_next, mean_next + noise)


def base_policy_data(num_episodes: int, seed: int) -> tuple[Array, Array, Array]:
    """Observations, actions and next observations of random episodes, each of shape (env steps, 2)."""
    rng, env = np.random.default_rng(seed), make_env("noisy_field")
    action: Any
    fields: tuple[list[Array], list[Array], list[Array]] = ([], [], [])
    for episode in range(num_episodes):
        observation, _ = env.reset(seed=None if episode else seed)
        for _ in range(EXPERIMENT.task.episode_length):
            action = rng.uniform(-1, 1, 2)
            next_observation = env.step(action)[0]
            for field, value in zip(fields, (observation, action, next_observation), strict=True):
                field.append(value)
            observation = next_observation
    return np.array(fields[0]), np.array(fields[1]), np.array(fields[2])


def uniform_in_disc(rng: np.random.Generator, center: tuple[float, float], radius: float) -> Array:
    """Points of shape (NUM_POINTS, 2)."""
    angle, distance = rng.uniform(0, 2 * np.pi, NUM_POINTS), radius * np.sqrt(rng.uniform(0, 1, NUM_POINTS))
    return np.asarray(np.array(center) + distance[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]))


def rms(values: Array) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def particle_spread(
    distribution: Distribution,
    plan: Array,
    *,
    num_members: int,
    change_member: bool,
    sample_noise: bool,
    rng: np.random.Generator,
    num_particles: int = 500,
) -> Array:
    """Imagine a plan from the start many times: how far apart are the particles after each step?

    Args:
        distribution: what each member expects.
        plan: shape (steps, 2).
        num_members: E.
        change_member: True draws every particle a new member at every step (TS1); False keeps its member for the
            whole roll-out (TS-infinity).
        sample_noise: True adds noise of the member's own predicted variance; False follows its mean.
        rng: the source of randomness.
        num_particles: how many.

    Returns:
        sqrt(variance of x + variance of y) over the particles (m), shape (steps,).
    """
    particle = np.arange(num_particles)
    member, state = particle % num_members, np.tile(START, (num_particles, 1))
    spread = []
    for action in plan:
        if change_member:
            member = rng.integers(num_members, size=num_particles)
        means, variances = distribution(state, np.tile(action, (num_particles, 1)))
        state = means[member, particle]
        if sample_noise:
            state = state + np.sqrt(variances[member, particle]) * rng.standard_normal(state.shape)
        spread.append(np.sqrt(state.var(axis=0).sum()))
    return np.array(spread)
