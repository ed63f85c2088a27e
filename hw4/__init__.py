"""Homework 4: Model-Based Reinforcement Learning."""

import os

# Nothing here draws with MuJoCo. A value that other homework needs, or one that means nothing, would end the import.
if "MUJOCO_GL" in os.environ:
    os.environ["MUJOCO_GL"] = "disabled"
