"""Checkpoints: a run that was stopped continues as if it never had been (given).

A checkpoint is taken between two episodes, when the controller holds no plan. It holds all else that decides what
comes next: weights, state of the optimiser, normalisers, all transitions, and both sources of random numbers. If your
own code keeps more than that from one episode to the next, a resumed run may differ from one that was not stopped.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import torch

from hw4.agents import AgentParts
from hw4.dynamics_model import Normalizer
from hw4.handin.at_once import write_at_once
from hw4.mpc import ModelBasedAgent
from hw4.transitions import Transition


def save_checkpoint(path: Path, agent: ModelBasedAgent, parts: AgentParts, *, num_episodes: int) -> None:
    """Write down an agent that has finished `num_episodes` episodes. The file is replaced in one step."""
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
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    write_at_once(path, buffer.getvalue())


def load_checkpoint(path: Path, agent: ModelBasedAgent, parts: AgentParts) -> int:
    """Bring a fresh agent to where the saved one was; the settings and the seed must be the same.

    Returns:
        The number of episodes it has finished.
    """
    checkpoint: dict[str, Any] = torch.load(path, weights_only=True)
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
