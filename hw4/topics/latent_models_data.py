"""Episodes as the models of the topic `latent_models` read them (given).

Shapes: B = number of sequences, T = frames in each, P = number of pixels, A = action, Z = latent. A frame has its
pixels in one row here: shape (..., P).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

ENLARGED = 4.0  # a dot moves little from frame to frame, so the difference is enlarged


@dataclass(frozen=True)
class Beliefs:
    """Where the latents of several sequences are, each of shape (B, T, Z)."""

    mean: Tensor
    log_variance: Tensor


@dataclass(frozen=True)
class Sequences:
    """Whole episodes, or windows of them: T frames, and what happened between them.

    Action t leads from frame t to frame t + 1 and earns reward t. Shapes: frames and their differences `seen` (B, T,
    2 P), `last_actions` (B, T, A), `actions` (B, T - 1, A), `rewards` (B, T - 1).
    """

    seen: Tensor
    last_actions: Tensor
    actions: Tensor
    rewards: Tensor

    @property
    def frames(self) -> Tensor:
        """Shape (B, T, P)."""
        return self.seen[..., : self.seen.shape[-1] // 2]


def sequences_of(frames: Tensor, actions: Tensor, rewards: Tensor, num_frames: int) -> Sequences:
    """Episodes as the model reads them, from frames (B, T, H, W), actions (B, T - 1, A) and rewards (B, T - 1)."""
    last_actions = torch.cat([torch.zeros_like(actions[:, :1]), actions], dim=1)
    return Sequences(what_is_seen(frames.flatten(2), num_frames), last_actions, actions, rewards)


def what_is_seen(frames: Tensor, num_frames: int) -> Tensor:
    """The input of `encode`: a frame, and enlarged what has changed since the frame before.

    Nothing has changed at the first frame, next to a lost frame, and for a model that sees one frame alone.

    Args:
        frames: of whole episodes, shape (B, T, P). A lost frame is 0 everywhere.
        num_frames: 2, or 1 for a model that sees one frame alone.

    Returns:
        shape (B, T, 2 P).
    """
    visible = is_visible(frames)
    change = torch.zeros_like(frames)
    if num_frames == 2:
        both = (visible[:, 1:] & visible[:, :-1]).unsqueeze(-1)
        change[:, 1:] = ENLARGED * (frames[:, 1:] - frames[:, :-1]) * both
    return torch.cat([frames, change], dim=-1)


def is_visible(frames: Tensor) -> Tensor:
    """Which frames are not lost, (..., P) -> (...)."""
    return frames.amax(dim=-1) > 0.0
