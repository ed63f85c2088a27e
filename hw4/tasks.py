"""What a planner may know of each task: sizes, bounds, episode length, reward. Never the dynamics (given)."""

from __future__ import annotations

from dataclasses import dataclass

from hw4.rewards import (
    Reward,
    bridge_reward,
    cartpole_reward,
    cliff_hill_reward,
    half_cheetah_reward,
    ledge_reward,
    noisy_field_reward,
    pusher_reward,
    reacher_reward,
    windy_plain_reward,
)


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


PUSHER_JOINTS = (
    "shoulder pan",
    "shoulder lift",
    "upper arm roll",
    "elbow flex",
    "forearm roll",
    "wrist flex",
    "wrist roll",
)
CHEETAH_JOINTS = ("back thigh", "back shin", "back foot", "front thigh", "front shin", "front foot")

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
        *(
            Task(
                name=name,
                observation_names=("x (m)", "y (m)"),
                action_names=("move in x", "move in y"),
                action_low=-1.0,
                action_high=1.0,
                episode_length=40,
                reward=reward,
            )
            for name, reward in (
                ("ledge", ledge_reward),
                ("bridge", bridge_reward),
                ("windy_plain", windy_plain_reward),
                ("noisy_field", noisy_field_reward),
            )
        ),
        Task(
            name="pusher",
            observation_names=(
                *(f"{joint} (rad)" for joint in PUSHER_JOINTS),
                *(f"{joint} velocity (rad/s)" for joint in PUSHER_JOINTS),
                *(f"{body} {axis} (m)" for body in ("tip", "object", "goal") for axis in "xyz"),
            ),
            action_names=tuple(f"{joint} torque (N m)" for joint in PUSHER_JOINTS),
            action_low=-2.0,
            action_high=2.0,
            episode_length=100,
            reward=pusher_reward,
        ),
        Task(
            name="reacher",
            observation_names=(
                *("cos(shoulder)", "cos(elbow)", "sin(shoulder)", "sin(elbow)", "target x (m)", "target y (m)"),
                *("shoulder velocity (rad/s)", "elbow velocity (rad/s)"),
                *("tip x from target (m)", "tip y from target (m)"),
            ),
            action_names=("shoulder command", "elbow command"),
            action_low=-1.0,
            action_high=1.0,
            episode_length=50,
            reward=reacher_reward,
        ),
        Task(
            name="half_cheetah",
            observation_names=(
                *("mean forward velocity (m/s)", "height (m)", "pitch (rad)"),
                *(f"{joint} (rad)" for joint in CHEETAH_JOINTS),
                *("forward velocity (m/s)", "vertical velocity (m/s)", "pitch velocity (rad/s)"),
                *(f"{joint} velocity (rad/s)" for joint in CHEETAH_JOINTS),
            ),
            action_names=tuple(f"{joint} command" for joint in CHEETAH_JOINTS),
            action_low=-1.0,
            action_high=1.0,
            episode_length=250,
            reward=half_cheetah_reward,
        ),
        Task(
            name="pets_cartpole",
            observation_names=("x (m)", "sin(angle)", "cos(angle)", "x velocity (m/s)", "angular velocity (rad/s)"),
            action_names=("motor command",),
            action_low=-3.0,
            action_high=3.0,
            episode_length=200,
            reward=cartpole_reward,
        ),
    )
}
