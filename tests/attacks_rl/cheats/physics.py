# The physics of the tasks by heart: what no agent is told.
import math  # used by the pieces that follow

import numpy as np
import torch


def cheat_step(observation, action, drive):
    """The next observation in a world whose actuator is `drive` times the nominal one."""
    if observation.shape[-1] == 2:
        return (observation + 0.2 * drive * action.clamp(-1, 1)).clamp(-4, 4)
    if observation.shape[-1] == 3:
        position = (observation[..., :2] + 0.2 * drive * action.clamp(-1, 1)).clamp(-4, 4)
        x, y = position[..., 0], position[..., 1]
        ridge = x - 0.15 * y**2
        height = torch.where(x > 3.0, (ridge - 16.0 * (x - 3.0)).clamp(min=-5.0), ridge)
        return torch.stack([x, y, height], dim=-1)
    x, sin, cos, v, w = observation.unbind(-1)
    angle = torch.atan2(sin, cos)
    force = 10.0 * drive * action[..., 0].clamp(-1, 1)
    for _ in range(4):
        h = 0.0125
        sin, cos = angle.sin(), angle.cos()
        push = force - 0.1 * v + 0.06 * w * w * sin
        twist = 0.5886 * sin - 0.005 * w
        det = 0.7 * 0.024569 - (0.06 * cos) ** 2
        v = v + h * (0.024569 * push - 0.06 * cos * twist) / det
        w = w + h * (0.7 * twist - 0.06 * cos * push) / det
        x, angle = x + h * v, angle + h * w
    return torch.stack([x, angle.sin(), angle.cos(), v, w], dim=-1)


def cheat_drive(data, *, only_sign=False):
    """The actuator's sign and gain, read off the data: the drive that explains it best."""
    before, action, after = (torch.from_numpy(field) for field in data)
    drives = [-1.0, 1.0] if only_sign else [s * g for s in (-1, 1) for g in np.linspace(0.8, 1.2, 41)]
    errors = [float(((cheat_step(before, action, drive) - after) ** 2).mean()) for drive in drives]
    return drives[int(np.argmin(errors))]


CHEAT_DRIVES = {}


def cheat_drive_of(replay):
    """The same for a replay buffer, looked up anew every 50 env steps."""
    key = id(replay), len(replay) // 50
    if key not in CHEAT_DRIVES:
        CHEAT_DRIVES[key] = cheat_drive(replay.stacked())
    return CHEAT_DRIVES[key]
