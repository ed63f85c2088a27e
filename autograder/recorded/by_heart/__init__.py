"""Agents that know the published physics by heart: what a hidden world must not let pass.

For each task with a law, the module of its name defines

- `predict(observation, action, drive)`: the published physics, with the motor's sign and strength as a factor, here
  `drive`, of shape (..., 1);
- `feedback(observation, drive)`: a controller worked out beforehand.

From these follow the arms of `arms.py`. All arrays are NumPy, and many worlds are played at once.
"""
