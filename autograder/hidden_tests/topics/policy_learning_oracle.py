"""What the functions of the topic policy_learning should answer, in NumPy: double precision, one step at a time."""

from __future__ import annotations

from typing import Any

import numpy as np


def target(rewards: Any, last_value: Any, terminated: Any, gamma: float) -> Any:
    """The sum of discounted rewards and the discounted value, as far as nothing was terminal before."""
    total, alive = np.zeros(np.shape(last_value)), np.ones(np.shape(last_value), bool)
    for i, (reward, end) in enumerate(zip(rewards, terminated, strict=True)):
        total = np.where(alive, total + gamma**i * np.where(alive, reward, 0.0), total)
        alive = alive & ~end
    return np.where(alive, total + gamma ** len(rewards) * np.where(alive, last_value, 0.0), total)


def targets_of_steps(rewards: Any, bonuses: Any, last_value: Any, terminated: Any, *, gamma: float) -> Any:
    """The target of every step, shape (H + 1, B): each is summed by itself, with soft rewards after its first step."""
    found = []
    for i in range(len(rewards)):
        soft = np.concatenate([rewards[i : i + 1], rewards[i + 1 :] + bonuses[i + 1 :]])
        found.append(target(soft, last_value, terminated[i:], gamma))
    return np.array(found)


def targets_of_lengths(rewards: Any, values: Any, terminated: Any, *, gamma: float) -> Any:
    """T[h, e, m, b], shape (H + 1, E, M, B)."""
    lengths, members, critics, _ = values.shape
    return np.array(
        [
            [
                [target(rewards[: h + 1, e], values[h, e, m], terminated[: h + 1, e], gamma) for m in range(critics)]
                for e in range(members)
            ]
            for h in range(lengths)
        ]
    )


def weights(variance: Any, floor: float) -> Any:
    """Inverse variances, each at least the floor, that add up to 1 along the first axis."""
    inverse = 1.0 / np.maximum(variance, floor)
    return inverse / inverse.sum(axis=0)


class Chain:
    """A made-up policy in a made-up model of several members, with rewards that depend on all they may depend on."""

    def __init__(self, rng: np.random.Generator, b: int, k: int, s: int = 3, a: int = 2, e: int = 4) -> None:
        self.shape = (b, s)
        self._state, self._action = rng.normal(size=(e, s, s)) / 2, rng.normal(size=(e, a, s))
        self._shift = rng.normal(size=(e, 1, s))
        self._policy, self._draws = rng.normal(size=(s, a)), rng.normal(size=(k + 1, b, a))
        self._tastes = rng.normal(size=s), rng.normal(size=a), rng.normal(size=s)
        self.asked: list[tuple[str, tuple[int, ...]]] = []  # who was asked, about how much

    def policy(self, observation: Any) -> tuple[Any, Any]:
        number = min(sum(name == "policy" for name, _ in self.asked), len(self._draws) - 1)
        self.asked.append(("policy", np.shape(observation)))
        return self.drawn(observation, number)

    def drawn(self, observation: Any, number: int) -> tuple[Any, Any]:
        """Action and log density at call `number`."""
        action = np.tanh(observation @ self._policy + self._draws[number])
        return action, (action**2).sum(axis=-1) - observation[..., 0]

    def predict(self, observation: Any, action: Any) -> Any:
        self.asked.append(("predict", np.shape(observation)))
        return self.predicted(observation, action)

    def predicted(self, observation: Any, action: Any) -> Any:
        """Every member's next observation, shape (E, B, S)."""
        return np.sin(observation @ self._state + action @ self._action) + self._shift

    def reward(self, observation: Any, action: Any, next_observation: Any) -> Any:
        self.asked.append(("reward", np.shape(observation)))
        return self.paid(observation, action, next_observation)

    def paid(self, observation: Any, action: Any, next_observation: Any) -> Any:
        before, push, after = self._tastes
        return 0.3 * observation @ before + action @ push + next_observation @ after


def rolled(chain: Chain, start: Any, members: Any, form: str = "") -> tuple[Any, ...]:
    """The five fields of the roll-outs, shapes (k, B, ...); `form` names a mistake."""
    rows, observation, steps = np.arange(len(start)), start, []
    for t, now in enumerate(members):
        action, log_prob = chain.drawn(observation, t)
        each = chain.predicted(observation, action)
        chosen = {"rollout_first_member": 0 * now, "rollout_keeps_member": members[0]}.get(form, now)
        after = each.mean(axis=0) if form == "rollout_mean_of_members" else each[chosen, rows]
        if form == "rollout_members_reshaped":
            after = each.reshape(len(start), len(each), -1)[rows, now]
        reward = chain.paid(observation, action, observation if form == "rollout_reward_before" else after)
        steps.append((observation, action, log_prob, reward, after))
        observation = start if form == "rollout_starts_again" else after
    return tuple(np.array(field) for field in zip(*steps, strict=True))


class LinearWorld:
    """s' = A s under a policy that is built in, reward -|s'|^2, and what its states are worth exactly."""

    def __init__(self, rng: np.random.Generator, gamma: float, dim: int = 3) -> None:
        turn = rng.normal(size=(dim, dim))
        self.step = 0.9 * turn / np.linalg.norm(turn, 2)
        self._worth, power = np.zeros((dim, dim)), np.eye(dim)
        for i in range(400):
            power = power @ self.step  # A^(i + 1)
            self._worth -= gamma**i * power.T @ power

    def value(self, state: Any) -> Any:
        return np.einsum("...i,ij,...j->...", state, self._worth, state)

    def rewards(self, state: Any, number: int, step: Any = None) -> tuple[Any, Any]:
        """The rewards of `number` steps from states (B, dim), shape (number, B), and the states after them."""
        found, step = [], self.step if step is None else step
        for _ in range(number):
            state = state @ step.T
            found.append(-(state**2).sum(axis=-1))
        return np.array(found).reshape(number, len(state)), state
