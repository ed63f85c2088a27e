"""Agents that learn a policy, with a model or without: the topic `policy_learning` (given).

They differ in one number or two (`LEARNERS`); the networks, the data and how they are drawn are the same. The model is
the ensemble of the core, fitted by your own functions. The reward is known, as everywhere in this course.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from hw4.dynamics_model import DynamicsModel, Normalizer, fit, make_optimizer
from hw4.ensemble import bootstrap_indices, member_minibatches
from hw4.networks import EnsembleMLP
from hw4.rewards import Reward
from hw4.topics.policy_learning_sac import GAMMA, Pessimism, SoftActorCritic
from hw4.transitions import Transition

OBS_DIM, ACT_DIM = 4, 2
CENTRE, UNIT = (8.0, 8.0, 0.0, 0.0), (4.0, 4.0, 1.0, 1.0)  # of an observation (x, y, vx, vy), for policy and critics
REWARD_AREA, EFFORT = 32.0, 0.01  # those of hw4/envs/policy_learning.py

WARM_UP, HELD = 80, 5  # env steps of random actions, each of which is held for some steps
BATCH_SIZE = 128
ENSEMBLE_SIZE, WIDTH, LEARNING_RATE = 5, 64, 1e-3  # of the model
FIRST_GRADIENT_STEPS, LATER_GRADIENT_STEPS, REFIT_EVERY = 400, 100, 40  # env steps between refits
BRANCH_EVERY, NUM_BRANCHES, KEPT_BRANCHES = 20, 100, 10  # env steps, roll-outs each time, how many times are kept
SHARE_OF_IMAGINED = 0.75  # of a minibatch
VARIANCE_FLOOR = 1e-3


class Imagined(NamedTuple):
    """Steps in a model, with any leading dimensions. `log_prob` is the log density of the action under the policy."""

    observation: Tensor  # (..., S)
    action: Tensor  # (..., A)
    log_prob: Tensor  # (...)
    reward: Tensor  # (...)
    next_observation: Tensor  # (..., S)


@dataclass(frozen=True)
class Learner:
    """What sets one learner apart from another."""

    num_updates: int = 5  # of critics and policy, at each env step
    branch_length: int = 0  # k: steps of the imagined transitions that join the minibatches (Dyna, MBPO)
    horizon: int = 0  # H: imagined steps in the critic's target
    td_k: bool = False  # whether the critic learns at the imagined steps, too
    steve: bool = False  # whether all lengths up to H count, each by its weight
    num_critics: int = 2
    pessimism: Pessimism = "min"  # over critics: of twins the smaller one counts

    @property
    def needs_model(self) -> bool:
        return self.branch_length > 0 or self.horizon > 0


LEARNERS = {
    "model-free": Learner(num_updates=1),
    "equal updates": Learner(),  # the control: model-free, with as many updates as all that follow
    "Dyna k=1": Learner(branch_length=1),
    "Dyna k=5": Learner(branch_length=5),
    "MVE": Learner(horizon=3),
    "MVE with TD-k": Learner(horizon=3, td_k=True),
    "STEVE": Learner(horizon=3, steve=True, num_critics=4, pessimism="mean"),
}


@dataclass(frozen=True)
class Parts:
    """The functions that you write."""

    model_rollout: Callable[..., Imagined]
    mve_target: Callable[..., Tensor]
    td_k_pairs: Callable[..., tuple[Tensor, Tensor, Tensor]]
    steve_targets: Callable[..., tuple[Tensor, Tensor]]
    steve_weights: Callable[..., Tensor]


def reward_to(goal: Tensor) -> Reward:
    """The reward of the dot, for tensors: shapes (..., 4), (..., 2) and (..., 4) -> (...)."""

    def reward(observation: Tensor, action: Tensor, next_observation: Tensor) -> Tensor:
        squared = ((next_observation[..., :2] - goal) ** 2).sum(dim=-1)
        return (-squared / REWARD_AREA).exp() - EFFORT * (action**2).sum(dim=-1)

    return reward


class PolicyAgent:
    """Soft actor-critic, and what a model adds to it."""

    def __init__(self, learner: Learner, parts: Parts, goal: Tensor, *, seed: int) -> None:
        """
        Args:
            learner: what sets it apart from others.
            parts: the functions of the topic.
            goal: (x, y), shape (2,).
            seed: of first weights, exploration, minibatches and roll-outs.
        """
        self.learner, self.parts, self.reward = learner, parts, reward_to(goal)
        self.generator = torch.Generator().manual_seed(seed)
        self.sac = SoftActorCritic(
            torch.tensor(CENTRE),
            torch.tensor(UNIT),
            ACT_DIM,
            num_critics=learner.num_critics,
            pessimism=learner.pessimism,
            generator=self.generator,
        )
        network = EnsembleMLP(
            ENSEMBLE_SIZE, OBS_DIM + ACT_DIM, OBS_DIM, width=WIDTH, num_hidden_layers=2, generator=self.generator
        )
        self.model = DynamicsModel(
            network,
            input_normalizer=Normalizer.identity(OBS_DIM + ACT_DIM),
            delta_normalizer=Normalizer.identity(OBS_DIM),
        )
        self._optimizer = make_optimizer(network, LEARNING_RATE)
        self._seen: list[Transition] = []
        self.real = Transition(torch.zeros(0, OBS_DIM), torch.zeros(0, ACT_DIM), torch.zeros(0, OBS_DIM))
        self._branches: deque[Transition] = deque(maxlen=KEPT_BRANCHES)
        self._held = torch.zeros(ACT_DIM)

    @torch.no_grad()
    def act(self, observation: Tensor) -> Tensor:
        """Explore: random actions at first, then samples of the policy; shape (4,) -> (2,)."""
        if len(self._seen) >= WARM_UP:
            return self.sac.sample(torch.as_tensor(observation))[0]
        if len(self._seen) % HELD == 0:
            self._held = 2.0 * torch.rand(ACT_DIM, generator=self.generator) - 1.0
        return self._held

    @torch.no_grad()
    def mode(self, observations: Tensor) -> Tensor:
        """The policy without exploration: (n, 4) -> (n, 2)."""
        return self.sac.mode(torch.as_tensor(observations))

    def record(self, observation: Tensor, action: Tensor, next_observation: Tensor) -> None:
        """Append an env step, refit the model and imagine where it is time, then update critics and policy."""
        step = Transition(*(torch.as_tensor(part).float() for part in (observation, action, next_observation)))
        self._seen.append(step)
        number = len(self._seen)
        if number < WARM_UP:
            return
        self.real = Transition(*(torch.stack(field) for field in zip(*self._seen, strict=True)))
        if self.learner.needs_model and number % REFIT_EVERY == 0:
            self._refit(FIRST_GRADIENT_STEPS if number == WARM_UP else LATER_GRADIENT_STEPS)
        if self.learner.branch_length > 0 and number % BRANCH_EVERY == 0:
            self._branches.append(self._imagined_transitions())
        for _ in range(self.learner.num_updates):
            batch = self._minibatch()
            self.sac.update_critics(*self._critic_pairs(batch))
            self.sac.update_policy(batch.observation)

    def _refit(self, gradient_steps: int) -> None:
        members = bootstrap_indices(len(self._seen), ENSEMBLE_SIZE, generator=self.generator)
        fit(
            self.model,
            self.real,
            self._optimizer,
            sample_indices=lambda: member_minibatches(members, BATCH_SIZE, generator=self.generator),
            gradient_steps=gradient_steps,
        )

    def _drawn(self, transitions: Transition, number: int) -> Transition:
        """A minibatch of transitions, drawn uniformly with replacement."""
        return transitions.select(torch.randint(len(transitions.action), (number,), generator=self.generator))

    def _minibatch(self) -> Transition:
        """Real transitions, or for a part of it imagined ones."""
        num_imagined = round(SHARE_OF_IMAGINED * BATCH_SIZE) if self._branches else 0
        batch = self._drawn(self.real, BATCH_SIZE - num_imagined)
        if num_imagined == 0:
            return batch
        imagined = Transition(*(torch.cat(field) for field in zip(*self._branches, strict=True)))
        return Transition(*(torch.cat(pair) for pair in zip(batch, self._drawn(imagined, num_imagined), strict=True)))

    @torch.no_grad()
    def _imagined_transitions(self) -> Transition:
        """Short roll-outs from real states; at each step each of them meets a member at random."""
        start = self._drawn(self.real, NUM_BRANCHES).observation
        size = (self.learner.branch_length, NUM_BRANCHES)
        members = torch.randint(ENSEMBLE_SIZE, size, generator=self.generator)
        steps = self.parts.model_rollout(self.model.predict, self.sac.sample, self.reward, start, members)
        return Transition(*(part.flatten(0, 1) for part in (steps.observation, steps.action, steps.next_observation)))

    @torch.no_grad()
    def _critic_pairs(self, batch: Transition) -> tuple[Tensor, Tensor, Tensor]:
        """What the critic learns from a minibatch: observations, actions and targets."""
        if self.learner.steve:
            return batch.observation, batch.action, self._steve_target(batch)
        first = self.reward(*batch).unsqueeze(0)
        if self.learner.horizon == 0:
            target = self.parts.mve_target(first, self.sac.values(batch.next_observation), _nowhere(first), gamma=GAMMA)
            return batch.observation, batch.action, target
        steps = self._expanded(batch.next_observation, torch.arange(len(batch.action)) % ENSEMBLE_SIZE)
        rewards = torch.cat([first, steps.reward])
        bonuses = torch.cat([torch.zeros_like(first), -self.sac.temperature * steps.log_prob])
        last_value = self.sac.values(steps.next_observation[-1])
        if not self.learner.td_k:
            target = self.parts.mve_target(rewards + bonuses, last_value, _nowhere(rewards), gamma=GAMMA)
            return batch.observation, batch.action, target
        observation = torch.cat([batch.observation.unsqueeze(0), steps.observation])
        action = torch.cat([batch.action.unsqueeze(0), steps.action])
        return self.parts.td_k_pairs(observation, action, rewards, bonuses, last_value, _nowhere(rewards), gamma=GAMMA)

    def _expanded(self, start: Tensor, member: Tensor) -> Imagined:
        """Roll-outs of H steps in which each keeps its member, shape (B,), from start to end."""
        members = member.expand(self.learner.horizon, -1)
        return self.parts.model_rollout(self.model.predict, self.sac.sample, self.reward, start, members)

    def _steve_target(self, batch: Transition) -> Tensor:
        """Every member expands every step of the minibatch, and every critic values every state."""
        num = len(batch.action)
        start = batch.next_observation.repeat(ENSEMBLE_SIZE, 1)
        steps = self._expanded(start, torch.arange(ENSEMBLE_SIZE).repeat_interleave(num))
        first = self.reward(*batch).repeat(ENSEMBLE_SIZE).unsqueeze(0)
        rewards = torch.cat([first, steps.reward - self.sac.temperature * steps.log_prob])
        reached = torch.cat([start.unsqueeze(0), steps.next_observation])  # after step 0 to H
        values = self.sac.values_of_each(reached.flatten(0, 1))  # (M, (H + 1) * E * B)
        values = values.unflatten(1, (len(rewards), ENSEMBLE_SIZE, num)).permute(1, 2, 0, 3)  # type: ignore[no-untyped-call]
        rewards = rewards.unflatten(1, (ENSEMBLE_SIZE, num))  # type: ignore[no-untyped-call]
        mean, variance = self.parts.steve_targets(rewards, values, _nowhere(rewards), gamma=GAMMA)
        return (self.parts.steve_weights(variance, floor=VARIANCE_FLOOR) * mean).sum(dim=0)


def _nowhere(rewards: Tensor) -> Tensor:
    """Which of these steps are terminal: none, as an episode of this task is only cut off."""
    return torch.zeros_like(rewards, dtype=torch.bool)
