"""Cart-pole swing-up in MuJoCo, from a model of our own (given).

The pole starts hanging; the motor is too weak to lift it at once, so a plan must swing it. The reward's shape and the
observation follow PETS's cart-pole (Chua et al. 2018).
"""

from __future__ import annotations

from typing import Any

import gymnasium
import mujoco
import numpy as np
from numpy.typing import NDArray

from hw4.envs.world import NOMINAL_WORLD, World
from hw4.rewards import CARTPOLE_POLE_LENGTH
from hw4.tasks import TASKS

PHYSICS_STEPS_PER_ACTION = 2  # of 0.025 s each: a control step is 0.05 s
START_SPREAD = 0.05  # m, rad, m/s, rad/s

MJCF = f"""
<mujoco model="cartpole_swing_up">
  <compiler inertiafromgeom="true"/>
  <option timestep="0.025" integrator="RK4" gravity="0 0 -9.81"/>
  <default><geom contype="0" conaffinity="0"/></default>
  <worldbody>
    <body name="cart">
      <joint name="slider" type="slide" axis="1 0 0" limited="true" range="-3 3" damping="0.1"/>
      <geom name="cart" type="box" size="0.1 0.05 0.05" mass="0.5"/>
      <body name="pole">
        <joint name="hinge" type="hinge" axis="0 1 0" damping="0.005"/>
        <geom name="pole" type="capsule" fromto="0 0 0 0 0 {CARTPOLE_POLE_LENGTH}" size="0.02" mass="0.2"/>
      </body>
    </body>
  </worldbody>
  <actuator><motor name="motor" joint="slider" gear="10" ctrllimited="true" ctrlrange="-1 1"/></actuator>
</mujoco>
"""


class CartPoleEnv(gymnasium.Env[NDArray[np.float64], NDArray[np.float32]]):
    """Observation (x, sin, cos, x velocity, angular velocity), angle 0 upright; action in [-1, 1]; 100 steps."""

    task = TASKS["cartpole"]

    def __init__(self, world: World = NOMINAL_WORLD) -> None:
        self._model = mujoco.MjModel.from_xml_string(MJCF)
        self._model.body_mass[:] *= world.mass_scale
        self._model.body_inertia[:] *= world.mass_scale
        self._model.actuator_gear[:, 0] *= world.actuator_gain * world.actuator_sign
        self._data = mujoco.MjData(self._model)
        mujoco.mj_setConst(self._model, self._data)  # derived constants follow the changed masses
        bound = np.array([np.inf, 1.0, 1.0, np.inf, np.inf])
        self.observation_space = gymnasium.spaces.Box(-bound, bound, dtype=np.float64)
        self.action_space = gymnasium.spaces.Box(
            self.task.action_low, self.task.action_high, (self.task.act_dim,), np.float32
        )
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        super().reset(seed=seed)
        mujoco.mj_resetData(self._model, self._data)
        noise = self.np_random.uniform(-START_SPREAD, START_SPREAD, 4)
        self.set_state(np.array([0.0, np.pi, 0.0, 0.0]) + noise)
        self._steps = 0
        return self._observation(), {}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        observation = self._observation()
        action = np.clip(np.asarray(action, dtype=np.float64), self.task.action_low, self.task.action_high)
        self._data.ctrl[:] = action
        mujoco.mj_step(self._model, self._data, PHYSICS_STEPS_PER_ACTION)
        self._steps += 1
        next_observation = self._observation()
        reward = float(self.task.reward(observation, action, next_observation))
        return next_observation, reward, False, self._steps >= self.task.episode_length, {}

    def state(self) -> NDArray[np.float64]:
        """(x, angle, x velocity, angular velocity): enough to go back to this moment."""
        return np.concatenate([self._data.qpos, self._data.qvel])

    def set_state(self, state: NDArray[np.float64]) -> None:
        """Put the physics at `state`, shape (4,)."""
        self._data.qpos[:] = state[:2]
        self._data.qvel[:] = state[2:]
        self._data.qacc_warmstart[:] = 0.0
        mujoco.mj_forward(self._model, self._data)

    def _observation(self) -> NDArray[np.float64]:
        (x, angle), velocities = self._data.qpos, self._data.qvel
        return np.concatenate([[x, np.sin(angle), np.cos(angle)], velocities])
