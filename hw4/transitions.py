"""One transition, a batch of them, and the replay buffer (given; NumPy only)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Transition(NamedTuple):
    """One environment step, or a batch of them with leading dimensions.

    The reward is not stored: every task's reward is a known function of these three (`hw4.rewards`).
    The fields are NumPy arrays in the environment loop and torch tensors in the model.
    """

    observation: Any  # shape (..., obs_dim)
    action: Any  # shape (..., act_dim), the action that was executed, inside the bounds
    next_observation: Any  # shape (..., obs_dim)

    def select(self, indices: Any) -> Transition:
        """Pick transitions from a batch of N: indices of shape (...) give fields of shape (..., dim)."""
        return Transition(*(field[indices] for field in self))


class ReplayBuffer:
    """All transitions seen so far, in order. Nothing is ever thrown away: aggregation is the point."""

    def __init__(self) -> None:
        self._transitions: list[Transition] = []

    def __len__(self) -> int:
        return len(self._transitions)

    def append(self, transition: Transition) -> None:
        self._transitions.append(Transition(*(np.array(field, dtype=np.float32) for field in transition)))

    def stacked(self) -> Transition:
        """All transitions as one batch: float32 arrays of shape (len(self), dim)."""
        if not self._transitions:
            raise ValueError("the replay buffer is empty: record at least one transition first")
        fields: list[NDArray[np.float32]] = [np.stack(column) for column in zip(*self._transitions, strict=True)]
        return Transition(*fields)
