"""What a planner may know of each task: sizes, bounds, episode length, reward. Never the dynamics (given)."""

from __future__ import annotations

from dataclasses import dataclass

from hw4.rewards import Reward, cartpole_reward, cliff_hill_reward


@dataclass(frozen=True)
class Task:
    """The facts of one task that an agent is told."""

    name: str
    observation_names: tuple[str, ...]  # with units
    action_names: tuple[str, ...]
    action_low: float  # the same bound for every action dimension
    action_high: float
    episode_length: int  # env steps
    reward: Reward

    @property
    def obs_dim(self) -> int:
        return len(self.observation_names)

    @property
    def act_dim(self) -> int:
        return len(self.action_names)


TASKS = {
    task.name: task
    for task in (
        Task(
            name="cliff_hill",
            observation_names=("x (m)", "y (m)", "height (m)"),
            action_names=("move in x", "move in y"),
            action_low=-1.0,
            action_high=1.0,
            episode_length=40,
            reward=cliff_hill_reward,
        ),
        Task(
            name="cartpole",
            observation_names=("x (m)", "sin(angle)", "cos(angle)", "x velocity (m/s)", "angular velocity (rad/s)"),
            action_names=("motor command",),
            action_low=-1.0,
            action_high=1.0,
            episode_length=100,
            reward=cartpole_reward,
        ),
    )
}
