"""The cart-pole of PETS, from its published parameters, so that curves can be compared like for like (given).

Facts from the authors' code (Chua et al. 2018; github.com/kchua/handful-of-trials, dmbrl/env/cartpole.py,
dmbrl/env/assets/cartpole.xml and dmbrl/config/cartpole.py): two physics steps of 0.02 s an action, 200 steps an
episode, commands of -3 to 3 at a gear of 100, damping 1 at both joints, a rail of 2.5 m to either side, masses from
MuJoCo's density of 1000 kg/m3, and a start that is hanging but for noise of std 0.1. Compared with our own cart-pole it
is heavy (about 10 kg and 5 kg) and strong. Only the names of the observation are ours: angle 0 is upright.
"""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from hw4.envs.gymnasium_mujoco import GymnasiumMujocoEnv
from hw4.envs.world import NOMINAL_WORLD, World
from hw4.rewards import CARTPOLE_POLE_LENGTH
from hw4.tasks import TASKS

START_STD = 0.1  # m, rad, m/s, rad/s

MJCF = f"""
<mujoco model="pets_cartpole">
  <compiler inertiafromgeom="true"/>
  <option timestep="0.02" integrator="RK4" gravity="0 0 -9.81"/>
  <default><joint damping="1"/><geom contype="0" conaffinity="0"/></default>
  <worldbody>
    <body name="cart">
      <joint name="slider" type="slide" axis="1 0 0" limited="true" range="-2.5 2.5"/>
      <geom name="cart" type="capsule" quat="0.707 0 0.707 0" size="0.1 0.1"/>
      <body name="pole">
        <joint name="hinge" type="hinge" axis="0 1 0" limited="false"/>
        <geom name="pole" type="capsule" fromto="0 0 0 0.001 0 {-CARTPOLE_POLE_LENGTH}" size="0.049"/>
      </body>
    </body>
  </worldbody>
  <actuator><motor name="motor" joint="slider" gear="100" ctrllimited="true" ctrlrange="-3 3"/></actuator>
</mujoco>
"""


class _Simulator:
    """What `GymnasiumMujocoEnv` drives: PETS's model, where angle 0 is hanging."""

    frame_skip = 2

    def __init__(self) -> None:
        self.model = mujoco.MjModel.from_xml_string(MJCF)
        self.data = mujoco.MjData(self.model)

    def reset(self, *, seed: int | None = None) -> None:
        mujoco.mj_resetData(self.model, self.data)

    def do_simulation(self, action: NDArray[np.float64], frame_skip: int) -> None:
        self.data.ctrl[:] = action
        mujoco.mj_step(self.model, self.data, frame_skip)

    def _get_obs(self) -> NDArray[np.float64]:
        (x, angle), velocities = self.data.qpos, self.data.qvel
        return np.concatenate([[x, -np.sin(angle), -np.cos(angle)], velocities])


class PetsCartPoleEnv(GymnasiumMujocoEnv):
    """Observation (x, sin, cos, x velocity, angular velocity), angle 0 upright; one command in [-3, 3]; 200 steps."""

    task = TASKS["pets_cartpole"]

    def __init__(self, world: World = NOMINAL_WORLD) -> None:
        super().__init__(_Simulator(), world)

    def _begin(self) -> None:
        data = self._simulator.data
        data.qpos[:], data.qvel[:] = self.np_random.normal(0.0, START_STD, (2, 2))
        mujoco.mj_forward(self._simulator.model, data)
