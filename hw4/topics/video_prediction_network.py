"""The network of the topic `video_prediction`: how far things move, and which candidate shows where (given).

Shapes: B = batch, K = number of steps, k = number of candidates, H and W = height and width of a frame in pixels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

ENLARGED = 4.0  # a thing moves little from frame to frame, so the difference is enlarged
REMEMBERED = 48  # numbers about the motion
CHANNELS = 16  # between candidates and scores
PREFERRED = 2.0  # score at the start of the candidates that come from the first frame
FAINT, USUAL = 0.1, 6.0  # summed brightness above the background: next to nothing, and about half of a dot


class VideoNetwork(nn.Module):
    """Sees two frames once, and after that only actions and its own predictions.

    `motion` notes where in the two frames something is brighter than the background, and how it moves. `displace`
    predicts from this and from the actions how far it moves in each step. `choose` answers one score for each candidate
    and pixel. A model with a skip connection differs in the number of candidates, and prefers those of the first frame
    at the start: over one step they are the same as those of the previous frame, and a model that first comes to rely
    on these may never find the others.
    """

    background: Tensor

    def __init__(self, background: Tensor, act_dim: int, *, skip: bool, generator: torch.Generator) -> None:
        """
        Args:
            background: what is usually seen, shape (H, W).
            act_dim: numbers of an action.
            skip: whether there are candidates from the first frame.
            generator: of all weights at the start.
        """
        super().__init__()
        self.skip = skip
        num_candidates = 4 if skip else 2
        self.register_buffer("background", background)
        self.encode = nn.Sequential(nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, REMEMBERED), nn.Tanh())
        self.remember = nn.GRU(act_dim, REMEMBERED, batch_first=True)
        self.decode = nn.Sequential(nn.Linear(REMEMBERED, 32), nn.Tanh(), nn.Linear(32, 2))
        self.look = nn.Conv2d(num_candidates, CHANNELS, 3, padding=1)
        self.answer = nn.Linear(CHANNELS, num_candidates, bias=False)
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.GRU | nn.Conv2d):
                _draw(layer, generator)
        # What is at a place all the time, such as the bar: one number a channel and pixel.
        self.place = nn.Parameter(torch.zeros(CHANNELS, *background.shape))
        self.preferred = nn.Parameter(torch.zeros(num_candidates, background.numel()))
        with torch.no_grad():
            self.preferred[2:] = PREFERRED  # the candidates of the first frame

    def motion(self, previous: Tensor, current: Tensor) -> Tensor:
        """What two frames in a row, each of shape (B, H, W), say about the motion: shape (B, REMEMBERED)."""
        before, now = self._seen(previous), self._seen(current)
        noted: Tensor = self.encode(torch.cat([now, ENLARGED * (now - before)], dim=1))
        return noted

    def displace(self, motion: Tensor, actions: Tensor) -> Tensor:
        """How far things move in each step, as (x, y) in pixels: actions (B, K, 2) -> displacements (B, K, 2)."""
        remembered, _ = self.remember(actions, motion.unsqueeze(0))
        displacements: Tensor = self.decode(remembered)
        return displacements

    def choose(self, candidates: Tensor) -> Tensor:
        """Scores of the candidates at each pixel: (B, k, H, W) -> (B, k, H, W)."""
        features = torch.relu(self.look(candidates - self.background) + self.place).flatten(2)  # (B, CHANNELS, H * W)
        weight = self.answer.weight.expand(len(candidates), -1, -1)
        return torch.baddbmm(self.preferred, weight, features).view_as(candidates)

    def _seen(self, frames: Tensor) -> Tensor:
        """The centre (x, y) and the amount of what is brighter than the background, all about -2 to 2: (B, 3)."""
        brighter = torch.relu(frames - self.background)
        x, y = torch.linspace(-2.0, 2.0, frames.shape[2]), torch.linspace(-2.0, 2.0, frames.shape[1])
        amount = brighter.sum(dim=(1, 2))
        centre_x, centre_y = brighter.sum(dim=1) @ x / (amount + FAINT), brighter.sum(dim=2) @ y / (amount + FAINT)
        return torch.stack([centre_x, centre_y, amount / USUAL], dim=1)


def _draw(layer: nn.Linear | nn.GRU | nn.Conv2d, generator: torch.Generator) -> None:
    """Draw the weights from the range that torch uses for such a layer."""
    inputs = REMEMBERED if isinstance(layer, nn.GRU) else layer.weight[0].numel()
    with torch.no_grad():
        for weight in layer.parameters():
            weight.uniform_(-1.0 / math.sqrt(inputs), 1.0 / math.sqrt(inputs), generator=generator)
