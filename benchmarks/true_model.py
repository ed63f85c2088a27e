"""The cart-pole's true model: the returns that action sequences really have, from MuJoCo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mujoco
import mujoco.rollout
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hw4.envs.cartpole import PHYSICS_STEPS_PER_ACTION, CartPoleEnv
from hw4.mpc import MPC, Objective, Planner
from hw4.tasks import TASKS
from hw4.training import run_episode
from hw4.transitions import Transition

TASK = TASKS["cartpole"]


def true_objective() -> Callable[[Tensor], Objective]:
    """objective_from(observation), as `build_planner` takes it, in the nominal world."""
    env = CartPoleEnv()
    model, data = env._model, env._data
    kind = mujoco.mjtState.mjSTATE_FULLPHYSICS
    start = np.empty(mujoco.mj_stateSize(model, kind))

    def objective_from(observation: Tensor) -> Objective:
        x, sin, cos, velocity, angular_velocity = observation.double().tolist()
        env.set_state(np.array([x, np.arctan2(sin, cos), velocity, angular_velocity]))
        mujoco.mj_getState(model, data, start, kind)

        def objective(action_sequences: Tensor) -> Tensor:
            actions = action_sequences.double().numpy()
            controls = np.repeat(actions, PHYSICS_STEPS_PER_ACTION, axis=1)
            states, _ = mujoco.rollout.rollout(model, data, np.tile(start, (len(actions), 1)), controls)
            reached = states[:, PHYSICS_STEPS_PER_ACTION - 1 :: PHYSICS_STEPS_PER_ACTION, 1:5]
            x, angle, velocity, angular_velocity = np.moveaxis(reached, -1, 0)
            observations = np.stack([x, np.sin(angle), np.cos(angle), velocity, angular_velocity], axis=-1)
            # The reward depends on the action and on what is reached alone.
            rewards = TASK.reward(observations, actions, observations)
            return torch.as_tensor(rewards.sum(axis=1), dtype=torch.float32)

        return objective

    return objective_from


class PlanningAgent:
    """Acts by a planner that needs no data, replanning at every step."""

    def __init__(self, planner: Planner, horizon: int) -> None:
        self._controller = MPC(planner, initial_mean=torch.zeros(horizon, TASK.act_dim))

    def begin_episode(self) -> None:
        self._controller.begin_episode()

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        return self._controller.act(torch.as_tensor(observation, dtype=torch.float32)).numpy()

    def record(self, transition: Transition) -> None: ...


def planned_return(planner: Planner, horizon: int, seed: int) -> float:
    """The return of one episode; `seed` decides how it starts."""
    return run_episode(CartPoleEnv(), PlanningAgent(planner, horizon), seed=seed, episode=0, env_steps=0).episode_return
