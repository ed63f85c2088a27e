"""The network of the topic `video_prediction`: how far things move, and which candidate shows where (given).

Shapes: B = batch, K = number of steps, k = number of candidates, H and W = height and width of a frame in pixels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

NUM_POINTS = 8  # places that are looked up in a frame
SHARPNESS = 10.0  # of the softmax that finds them
ENLARGED = 4.0  # points move little from frame to frame, so their difference is enlarged
REMEMBERED = 48  # numbers about the motion
CHANNELS = 16  # between candidates and scores


class VideoNetwork(nn.Module):
    """Sees two frames once, and after that only actions and its own predictions.

    `motion` finds points in the two frames and notes where they are and how they move. `displace` predicts from this
    and from the actions how far the picture's moving part moves in each step. `choose` answers one score for each
    candidate and pixel. A model with a skip connection differs in nothing but the number of candidates.
    """

    def __init__(self, height: int, width: int, act_dim: int, *, skip: bool, generator: torch.Generator) -> None:
        """
        Args:
            height: of a frame, in pixels.
            width: of a frame, in pixels.
            act_dim: numbers of an action.
            skip: whether there are candidates from the first frame.
            generator: of all weights at the start.
        """
        super().__init__()
        self.skip = skip
        num_candidates = 4 if skip else 2
        self.find = nn.Conv2d(1, NUM_POINTS, 5, padding=2)
        self.encode = nn.Sequential(nn.Linear(4 * NUM_POINTS, 64), nn.Tanh(), nn.Linear(64, REMEMBERED), nn.Tanh())
        self.remember = nn.GRU(act_dim, REMEMBERED, batch_first=True)
        self.decode = nn.Sequential(nn.Linear(REMEMBERED, 32), nn.Tanh(), nn.Linear(32, 2))
        self.look = nn.Conv2d(num_candidates, CHANNELS, 3, padding=1)
        self.answer = nn.Linear(CHANNELS, num_candidates, bias=False)
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.GRU | nn.Conv2d):
                _draw(layer, generator)
        # What is at a place all the time, such as the bar: one number a channel and pixel.
        self.place = nn.Parameter(torch.zeros(CHANNELS, height, width))
        self.preferred = nn.Parameter(torch.zeros(num_candidates, height * width))

    def motion(self, previous: Tensor, current: Tensor) -> Tensor:
        """What two frames in a row, each of shape (B, H, W), say about the motion: shape (B, REMEMBERED)."""
        before, now = self._points(previous), self._points(current)
        noted: Tensor = self.encode(torch.cat([now, ENLARGED * (now - before)], dim=1))
        return noted

    def displace(self, motion: Tensor, actions: Tensor) -> Tensor:
        """How far things move in each step, as (x, y) in pixels: actions (B, K, 2) -> displacements (B, K, 2)."""
        remembered, _ = self.remember(actions, motion.unsqueeze(0))
        displacements: Tensor = self.decode(remembered)
        return displacements

    def choose(self, candidates: Tensor) -> Tensor:
        """Scores of the candidates at each pixel: (B, k, H, W) -> (B, k, H, W)."""
        features = torch.relu(self.look(candidates) + self.place).flatten(2)  # (B, CHANNELS, H * W)
        return (self.answer.weight @ features + self.preferred).view_as(candidates)

    def _points(self, frames: Tensor) -> Tensor:
        """Where each filter answers most in a frame, as (x, y) from -1 to 1: shape (B, 2 * NUM_POINTS).

        The expected place under a softmax over pixels (Finn et al. 2016, "Deep Spatial Autoencoders for Visuomotor
        Learning").
        """
        answers = SHARPNESS * self.find(frames.unsqueeze(1)).flatten(2)
        where = torch.softmax(answers, dim=2).view(len(frames), NUM_POINTS, *frames.shape[1:])
        x, y = torch.linspace(-1.0, 1.0, frames.shape[2]), torch.linspace(-1.0, 1.0, frames.shape[1])
        return torch.cat([where.sum(dim=2) @ x, where.sum(dim=3) @ y], dim=1)


def _draw(layer: nn.Linear | nn.GRU | nn.Conv2d, generator: torch.Generator) -> None:
    """Draw the weights from the range that torch uses for such a layer."""
    inputs = REMEMBERED if isinstance(layer, nn.GRU) else layer.weight[0].numel()
    with torch.no_grad():
        for weight in layer.parameters():
            weight.uniform_(-1.0 / math.sqrt(inputs), 1.0 / math.sqrt(inputs), generator=generator)
