"""Checkpoints: a run that was stopped goes on as if it never had been (given).

A checkpoint is taken between two episodes, when the controller holds no plan. It holds all else that decides what
comes next: weights, state of the optimiser, normalisers, all transitions, and both sources of random numbers. If your
own code keeps more than that from one episode to the next, a resumed run may differ from one that was not stopped.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import Tensor

from hw4.dynamics_model import DynamicsModel, Normalizer
from hw4.mpc import ModelBasedAgent
from hw4.training import AgentProtocol, EpisodeRecord, run_episode
from hw4.transitions import Transition


@dataclass(frozen=True)
class AgentParts:
    """What `hw4.agents.build_agent` made an agent of."""

    model: DynamicsModel
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    base_policy_rng: np.random.Generator

    @property
    def weights(self) -> list[Tensor]:
        return [weight for group in self.optimizer.param_groups for weight in group["params"]]


def agent_parts(agent: ModelBasedAgent) -> AgentParts:
    """The parts of an agent from `build_agent`; its fit and its base policy are functions that hold on to them."""
    of_fit = inspect.getclosurevars(agent.fit).nonlocals
    of_policy = inspect.getclosurevars(agent.base_policy).nonlocals
    return AgentParts(of_fit["model"], of_fit["optimizer"], of_fit["generator"], of_policy["rng"])


def save_checkpoint(path: Path, agent: ModelBasedAgent, *, num_episodes: int) -> None:
    """Write down an agent that has finished `num_episodes` episodes. The file is replaced in one step."""
    parts = agent_parts(agent)
    data = agent.replay.stacked()
    checkpoint = {
        "num_episodes": num_episodes,
        "transitions": [torch.from_numpy(field) for field in data],
        "weights": [weight.detach() for weight in parts.weights],
        "optimizer": parts.optimizer.state_dict(),
        "normalizers": [
            [normalizer.mean, normalizer.std]
            for normalizer in (parts.model.input_normalizer, parts.model.delta_normalizer)
        ],
        "generator": parts.generator.get_state(),
        "base_policy": json.dumps(parts.base_policy_rng.bit_generator.state),
    }
    part = path.with_suffix(".part")
    torch.save(checkpoint, part)
    os.replace(part, path)


def load_checkpoint(path: Path, agent: ModelBasedAgent) -> int:
    """Bring a fresh agent to where the saved one was; the settings and the seed must be the same.

    Returns:
        The number of episodes it has finished.
    """
    checkpoint: dict[str, Any] = torch.load(path, weights_only=True)
    parts = agent_parts(agent)
    for transition in zip(*(field.numpy() for field in checkpoint["transitions"]), strict=True):
        agent.replay.append(Transition(*transition))
    with torch.no_grad():
        for weight, saved in zip(parts.weights, checkpoint["weights"], strict=True):
            weight.copy_(saved)
    parts.optimizer.load_state_dict(checkpoint["optimizer"])
    of_input, of_delta = (Normalizer(mean=mean, std=std) for mean, std in checkpoint["normalizers"])
    parts.model.input_normalizer, parts.model.delta_normalizer = of_input, of_delta
    parts.generator.set_state(checkpoint["generator"])
    parts.base_policy_rng.bit_generator.state = json.loads(checkpoint["base_policy"])
    return int(checkpoint["num_episodes"])


def train_from(
    env: gymnasium.Env[Any, Any],
    agent: AgentProtocol,
    *,
    first_episode: int,
    env_steps: int,
    num_episodes: int,
    seed: int,
) -> Iterator[EpisodeRecord]:
    """The episodes of `hw4.training.train` from `first_episode` on, with the same resets.

    Args:
        env: as for `train`.
        agent: one that has finished `first_episode` episodes.
        first_episode: 0 is all of `train`.
        env_steps: taken before `first_episode`.
        num_episodes: in all, those before `first_episode` included.
        seed: as for `train`.
    """
    (own_stream,) = np.random.SeedSequence(seed).spawn(1)
    reset_seeds = own_stream.generate_state(num_episodes)
    for episode in range(first_episode, num_episodes):
        record = run_episode(env, agent, seed=int(reset_seeds[episode]), episode=episode, env_steps=env_steps)
        env_steps = record.env_steps
        yield record
