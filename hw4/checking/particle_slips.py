"""What the states of particles say about a wrong roll-out (given; NumPy only).

The states of a step have the shape (E, P, num_sequences, obs_dim): E members, P particles of each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hw4.checking.compared_states import Array, has_rows, is_clipped, same

MAX_COMPARED = 20_000_000  # numbers
NEARLY = 1e-3


class Particles:
    """What the members predicted at each step, and the noise of the particles."""

    def __init__(self, noise: Array, predictions: list[tuple[Array, Array]]) -> None:
        """
        Args:
            noise: shape (horizon, E, P, obs_dim).
            predictions: mean and variance of each step.
        """
        self.noise = noise[:, :, :, None]
        self.means = [np.asarray(mean) for mean, _ in predictions]
        self.variances = [np.asarray(variance) for _, variance in predictions]
        self.stds = [np.sqrt(variance) for variance in self.variances]

    def slip(self, seen: list[Array]) -> tuple[str, str] | None:
        """What is wrong with the states after the first steps, and its cause; nothing if that cannot be told."""
        if all(np.allclose(one, self.arrival(t), rtol=NEARLY, atol=2 * NEARLY) for t, one in enumerate(seen)):
            return None  # rounding: too near to what is right to speak for anything else
        found = (slip for slip in SLIPS if all(slip[2](self, one, t) for t, one in enumerate(seen)))
        return next(((what, cause) for what, cause, _ in found), None)

    def arrival(self, t: int) -> Array:
        """The right states after step t."""
        arrival: Array = self.means[t] + self.stds[t] * self.noise[t]
        return arrival

    def implied_noise(self, seen: Array, t: int) -> Array:
        """The noise that leads to the states seen after step t."""
        with np.errstate(divide="ignore", invalid="ignore"):
            implied: Array = (seen - self.means[t]) / self.stds[t]
        return implied


def _follow_the_means(own: Particles, seen: Array, t: int) -> bool:
    return same(seen, own.means[t])


def _have_another_spread(own: Particles, seen: Array, t: int) -> bool:
    spreads = (own.variances[t], np.sqrt(own.stds[t]))
    return any(same(seen, own.means[t] + spread * own.noise[t]) for spread in spreads)


def _take_the_variance_for_a_logarithm(own: Particles, seen: Array, t: int) -> bool:
    with np.errstate(over="ignore"):
        spreads = (np.exp(0.5 * own.variances[t]), np.exp(own.variances[t]))
    return any(same(seen, own.means[t] + spread * own.noise[t]) for spread in spreads)


def _have_no_spread(own: Particles, seen: Array, t: int) -> bool:
    return same(seen, own.means[t] + own.noise[t])


def _are_averaged(own: Particles, seen: Array, t: int, axes: tuple[int, ...]) -> bool:
    """Whether states are averaged over these axes, before or after the noise is added."""

    def averaged(values: Array) -> Array:
        return np.broadcast_to(values.mean(axis=axes, keepdims=True), values.shape)

    mean, noise = averaged(own.means[t]), own.noise[t]
    spreads = (own.stds[t], averaged(own.stds[t]), np.sqrt(averaged(own.variances[t])))
    return same(seen, averaged(own.arrival(t))) or any(same(seen, mean + spread * noise) for spread in spreads)


def _are_members_means(own: Particles, seen: Array, t: int) -> bool:
    has_members = len(own.means[t]) > 1
    return has_members and (_are_averaged(own, seen, t, (0,)) or _are_averaged(own, seen, t, (0, 1)))


def _are_particles_means(own: Particles, seen: Array, t: int) -> bool:
    return _are_averaged(own, seen, t, (1,))


def _are_the_first_members(own: Particles, seen: Array, t: int) -> bool:
    of_its_model = own.means[t][:1] + own.stds[t][:1] * own.noise[t]
    return same(seen, own.arrival(t)[:1]) or same(seen, of_its_model)


def _are_the_first_particles(own: Particles, seen: Array, t: int) -> bool:
    return same(seen, own.arrival(t)[:, :1])


def _have_noise_of_a_step(own: Particles, seen: Array, t: int) -> bool:
    return any(same(seen, own.means[t] + own.stds[t] * noise) for noise in own.noise)


def _have_noise_of_a_particle(own: Particles, seen: Array, t: int) -> bool:
    return has_rows(own.implied_noise(seen, t), own.noise)


def _have_noise_of_a_feature(own: Particles, seen: Array, t: int) -> bool:
    return has_rows(own.implied_noise(seen, t)[..., None], own.noise[..., None])


def _have_noise_that_was_altered(own: Particles, seen: Array, t: int) -> bool:
    """Whether the noise was cut off, or its sign lost or changed."""
    implied, noise = own.implied_noise(seen, t), np.broadcast_to(own.noise[t], seen.shape)
    is_cut_off = bool(np.isfinite(implied).all()) and is_clipped(implied, noise)
    return is_cut_off or same(implied, np.abs(noise)) or same(implied, -noise)


def _come_from_members(own: Particles, seen: Array, t: int) -> bool:
    """Whether every state is what some member predicted for its sequence, with noise of that step."""
    *_, num_sequences, obs_dim = seen.shape
    means, stds = (values[t].reshape(-1, 1, num_sequences, obs_dim) for values in (own.means, own.stds))
    possible = (means + stds * own.noise[t].reshape(-1, 1, obs_dim)).reshape(-1, num_sequences, obs_dim)
    rows = seen.reshape(-1, 1, num_sequences, obs_dim)
    if len(rows) * possible.size > MAX_COMPARED:
        return False
    return bool((np.abs(rows - possible).max(axis=-1).min(axis=1) < 1e-3).all())


def _come_from_sequences(own: Particles, seen: Array, t: int) -> bool:
    return has_rows(seen, own.arrival(t))


def _are_cut_off(own: Particles, seen: Array, t: int) -> bool:
    return is_clipped(seen, own.arrival(t))


def _look_drawn(own: Particles, seen: Array, t: int) -> bool:
    """Whether what moves the states looks like draws from a standard normal that have nothing to do with the noise."""
    implied, noise = own.implied_noise(seen, t), np.broadcast_to(own.noise[t], seen.shape)
    if implied.size < 50 or not np.isfinite(implied).all() or not noise.any():
        return False
    is_normal = abs(implied.mean()) < 0.6 and 0.5 < implied.std() < 1.7 and np.abs(implied).max() < 7
    return bool(is_normal and abs(np.corrcoef(implied.ravel(), noise.ravel())[0, 1]) < 0.5)


# What is wrong with the states, its cause, and whether it is so with those after step t; the first that fits counts.
SLIPS: tuple[tuple[str, str, Callable[[Particles, Array, int], bool]], ...] = (
    ("sees the means, without noise", "noise_ignored", _follow_the_means),
    ("sees noise that is multiplied by something else than the std", "std_for_variance", _have_another_spread),
    ("sees noise as if the variance were a logarithm", "log_variance_for_variance", _take_the_variance_for_a_logarithm),
    ("sees noise that is not multiplied by the std", "spread_ignored", _have_no_spread),
    ("sees the mean of the members' states", "states_averaged", _are_members_means),
    ("sees the mean of the particles' states", "particles_averaged", _are_particles_means),
    ("sees the first member's states for all members", "one_member_only", _are_the_first_members),
    ("sees the first particle's states for all particles", "one_particle_only", _are_the_first_particles),
    ("sees states with the noise of another step", "noise_of_another_step", _have_noise_of_a_step),
    ("sees states with the noise of another particle", "noise_of_another_particle", _have_noise_of_a_particle),
    ("sees states with the noise of another feature", "noise_of_another_feature", _have_noise_of_a_feature),
    ("sees noise that was changed", "noise_altered", _have_noise_that_was_altered),
    ("sees the states of other members or particles", "members_resampled", _come_from_members),
    ("sees the states of other sequences", "states_misaligned", _come_from_sequences),
    ("sees states that were cut off", "values_clamped", _are_cut_off),
    ("sees states with other noise than the given", "noise_not_given", _look_drawn),
)
