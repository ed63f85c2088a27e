"""A slow, independent roll-out in NumPy and float64, for the tests of every function that rolls out a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def rollout_return(predict: Callable[..., Array], reward: Callable[..., Array], start: Array, actions: Array) -> float:
    """Return of one action sequence, shape (horizon, act_dim), from one start, shape (obs_dim,)."""
    state, total = np.array(start, dtype=np.float64), 0.0
    for action in np.array(actions, dtype=np.float64):
        next_state = predict(state, action)
        total += float(reward(state, action, next_state))
        state = next_state
    return total


def rollout_returns(predict: Callable[..., Array], reward: Callable[..., Array], start: Array, actions: Array) -> Array:
    """Returns of many action sequences at once, actions of shape (num_sequences, horizon, act_dim)."""
    states = np.tile(np.array(start, dtype=np.float64), (len(actions), 1))
    totals = np.zeros(len(actions))
    for action in np.array(actions, dtype=np.float64).swapaxes(0, 1):
        arrived = predict(states, action)
        totals += reward(states, action, arrived)
        states = arrived
    return totals


def particle_returns(
    predict_distribution: Callable[..., tuple[Array, Array]],
    reward: Callable[..., Array],
    start: Array,
    actions: Array,
    noise: Array,
) -> Array:
    """Returns of one particle of one member for many action sequences, noise of shape (horizon, obs_dim)."""
    states = np.tile(np.array(start, dtype=np.float64), (len(actions), 1))
    totals = np.zeros(len(actions))
    for action, draw in zip(np.array(actions, dtype=np.float64).swapaxes(0, 1), noise, strict=True):
        mean, variance = predict_distribution(states, action)
        arrived = mean + np.sqrt(variance) * draw
        totals += reward(states, action, arrived)
        states = arrived
    return totals
