"""Writes weights.json: what the cheats that ship something ship. `python tests/attacks_rl/make_weights.py`, one minute.

An action tape for the cart-pole (planned offline in the nominal world), a policy network that imitates the hand-written
controller, and a dynamics model of the nominal world.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

HERE = Path(__file__).resolve().parent
BATCH = 1024


def physics() -> dict[str, Any]:
    names: dict[str, Any] = {}
    for name in ("physics", "controller"):
        exec((HERE / "cheats" / f"{name}.py").read_text(encoding="utf-8"), names)
    return names


CHEAT = physics()


def start(size: int, dim: int) -> torch.Tensor:
    if dim == 3:
        position = torch.rand(size, 2) * 0.2 - 0.1
        return torch.cat([position, position[:, :1] - 0.15 * position[:, 1:] ** 2], dim=1)
    x, angle, v, w = (torch.rand(4, size) * 0.1 - 0.05).unbind()
    angle = angle + torch.pi
    return torch.stack([x, angle.sin(), angle.cos(), v, w], dim=1)


def tape() -> str:
    """CEM over 100 actions, on many starts at once."""
    from hw4.rewards import cartpole_reward

    mean, std = torch.zeros(100), torch.full((100,), 0.8)
    for iteration in range(60):
        actions = (mean + std * torch.randn(400, 100)).clamp(-1, 1)
        state = start(400, 5) if iteration < 30 else start(1, 5).expand(400, 5)
        total = torch.zeros(400)
        for t in range(100):
            after = CHEAT["cheat_step"](state, actions[:, t : t + 1], 1.0)
            total += cartpole_reward(state, actions[:, t : t + 1], after)
            state = after
        elites = actions[total.topk(40).indices]
        mean, std = elites.mean(dim=0), elites.std(dim=0) + 0.02
    return " ".join(str(round(100 * float(value))) for value in mean)


def visited(dim: int, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Observations of noisy controlled episodes, and the controller's actions there."""
    observations, actions = [], []
    state = start(40, dim)
    for _ in range(100 if dim == 5 else 40):
        action = torch.stack([torch.tensor(CHEAT["cheat_control"](s.numpy(), 1.0), dtype=torch.float32) for s in state])
        observations.append(state)
        actions.append(action)
        moved = (action + noise * torch.randn_like(action)).clamp(-1, 1)
        state = CHEAT["cheat_step"](state, moved, 1.0)
    return torch.cat(observations), torch.cat(actions)


def train(network: nn.Sequential, inputs: torch.Tensor, targets: torch.Tensor, steps: int) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(len(inputs), (BATCH,))
        loss = (network(inputs[rows]) - targets[rows]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def as_hex(network: nn.Sequential) -> str:
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    flat = torch.cat([part.detach().reshape(-1) for layer in layers for part in (layer.weight.T, layer.bias)])
    return flat.half().numpy().tobytes().hex()


def policy(dim: int, act_dim: int, width: int) -> str:
    data = [visited(dim, noise) for noise in (0.0, 0.2, 0.5, 1.0)]
    hidden = [nn.Linear(dim, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh()]
    network = nn.Sequential(*hidden, nn.Linear(width, act_dim), nn.Tanh())
    train(network, torch.cat([d[0] for d in data]), torch.cat([d[1] for d in data]), 4000)
    return as_hex(network)


def model(dim: int, act_dim: int, width: int, scales: tuple[float, ...]) -> str:
    states = torch.cat([visited(dim, noise)[0] for noise in (0.1, 0.5, 1.0, 2.0)])
    if dim == 3:
        position = torch.rand(8000, 2) * 8 - 4
        x, y = position.unbind(1)
        height = torch.where(x > 3, (x - 0.15 * y**2 - 16 * (x - 3)).clamp(min=-5), x - 0.15 * y**2)
        states = torch.stack([x, y, height], dim=1)
    states = states.repeat(4, 1)
    actions = torch.rand(len(states), act_dim) * 2 - 1
    changes = (CHEAT["cheat_step"](states, actions, 1.0) - states) / torch.tensor(scales)
    layers = [nn.Linear(dim + act_dim, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, dim)]
    network = nn.Sequential(*layers)
    train(network, torch.cat([states, actions], dim=1), changes, 6000)
    return as_hex(network)


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    weights = {
        "TAPE": tape(),
        "POLICY5": policy(5, 1, 32),
        "POLICY3": policy(3, 2, 16),
        "MODEL5": model(5, 1, 48, (0.2, 0.5, 0.5, 1.0, 2.0)),
        "MODEL3": model(3, 2, 32, (0.2, 0.2, 1.0)),
    }
    (HERE / "weights.json").write_text(json.dumps(weights, indent=1) + "\n", encoding="utf-8")
