"""A dot that is pushed to a goal, seen by a camera alone: the world of the topic `latent_models` (given).

The picture has 16 x 16 pixels, with x to the right and y down, both counted from 0 at the centre of the first pixel.

    v' = 0.9 v + 0.35 a                   the dot has inertia
    p' = p + v'                           and stops at the edge of its area
    reward = exp(-|p' - goal|^2 / 8) - 0.01 |a|^2

An agent sees neither p nor v nor the goal, only frames and rewards. One frame does not show how fast the dot moves. The
camera may lose frames, several in a row, and the ground may have a texture that moves and does not matter. NumPy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SIZE = 16  # pixels of a side
LOW, HIGH = 1.0, 14.0  # where the centre of the dot may be, in pixels
KEPT_VELOCITY = 0.9  # of the last step
PUSH = 0.35  # pixels a step, from an action of 1
DOT_AREA = 10.0  # square pixels: how fast the dot fades with the squared distance from its centre
REWARD_AREA = 8.0  # square pixels: the same for the reward and the goal
EFFORT = 0.01  # of the reward, for a squared action of 1
ACT_DIM = 2
EPISODE_LENGTH = 40  # env steps
START, START_STD = (3.0, 8.0), 0.5  # where the dot starts, at rest; pixels
GOAL = (11.0, 8.0)
GOAL_DISTANCE = 8.0  # pixels from START, of every goal that is drawn
GOAL_ANGLE = 0.6  # rad; how far such a goal may lie above or below

# A random hand: 60 episodes from anywhere.
RANDOM_EPISODES = 60
PUSH_STD = 0.6  # of a random push
PUSH_COLOR = 2.0  # its power falls with the frequency to this power: a push lasts several steps
PLANNED_EPISODES = 4
SCORED_EPISODES = 3  # the last ones

# What the camera does to the picture.
BURST = 5  # frames that are lost in a row
LOST_SHARE = 0.5  # a burst begins at a step with this probability, divided by BURST
TEXTURE = 0.4  # the brightest pixel of the texture; the dot is 1
TEXTURE_SPEED = 1.0  # pixels a step
TEXTURE_TURN = 0.3  # rad; how much its direction changes in a step, standard deviation


@dataclass(frozen=True)
class Camera:
    """What it does to the picture besides showing the dot."""

    drops_frames: bool = False  # some frames in a row are lost: all of their pixels are 0. The first is never lost
    shows_texture: bool = False  # a texture drifts behind the dot; it has nothing to do with the actions


PLAIN = Camera()


def move(position: Array, velocity: Array, action: Array) -> tuple[Array, Array]:
    """One step of many dots at once.

    Args:
        position: (x, y) in pixels, shape (..., 2).
        velocity: in pixels a step, shape (..., 2).
        action: pushes to the right and down, clipped to [-1, 1], shape (..., 2).

    Returns:
        The new position and velocity. A dot at the edge of its area stops.
    """
    velocity = KEPT_VELOCITY * velocity + PUSH * np.clip(action, -1.0, 1.0)
    free = position + velocity
    position = np.clip(free, LOW, HIGH)
    return position, np.where(position == free, velocity, 0.0)


def reward_of(next_position: Array, action: Array, goal: Array) -> Array:
    """The reward of pushes that led to these positions: shapes (..., 2), (..., 2) and (2,) -> (...)."""
    squared = ((next_position - goal) ** 2).sum(axis=-1)
    return np.asarray(np.exp(-squared / REWARD_AREA) - EFFORT * (np.clip(action, -1.0, 1.0) ** 2).sum(axis=-1))


def render(position: Array, ground: Array | float = 0.0) -> Array:
    """Frames of dots at these places on a ground, (..., 2) -> (..., 16, 16), float32."""
    pixels = np.arange(SIZE)
    across = np.exp(-((pixels - position[..., 0, None]) ** 2) / DOT_AREA)
    down = np.exp(-((pixels - position[..., 1, None]) ** 2) / DOT_AREA)
    dot = down[..., :, None] * across[..., None, :]
    return np.asarray((1.0 - dot) * ground + dot, dtype=np.float32)


def draw_goal(rng: np.random.Generator) -> Array:
    """A goal as far from the start as GOAL, a little higher or lower."""
    angle = rng.uniform(-GOAL_ANGLE, GOAL_ANGLE)
    return np.asarray(START + GOAL_DISTANCE * np.array([np.cos(angle), np.sin(angle)]))


def random_pushes(rng: np.random.Generator) -> Array:
    """Pushes of a whole episode, shape (EPISODE_LENGTH, 2): each holds for several steps. In [-1, 1]."""
    white = rng.normal(size=(ACT_DIM, EPISODE_LENGTH))
    frequency = np.fft.rfftfreq(EPISODE_LENGTH)
    frequency[0] = frequency[1]  # the constant part gets the power of the lowest frequency
    scale = frequency ** (-PUSH_COLOR / 2)
    weight = np.full(len(scale), 2.0)  # each frequency stands for itself and its mirror, except the first and the last
    weight[[0, -1]] = 1.0
    scale /= np.sqrt((weight * scale**2).sum() / EPISODE_LENGTH)
    colored = np.fft.irfft(np.fft.rfft(white) * scale, n=EPISODE_LENGTH).T
    return np.clip(PUSH_STD * colored, -1.0, 1.0)


class DotEnv(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """Frames of shape (16, 16), actions (right, down) in [-1, 1]^2, 40 steps, never terminates."""

    def __init__(
        self, goal: tuple[float, float] | Array = GOAL, *, starts_anywhere: bool = False, camera: Camera = PLAIN
    ) -> None:
        """
        Args:
            goal: (x, y) in pixels, shape (2,).
            starts_anywhere: whether the dot starts anywhere in its area, and not near START; at rest in either case.
            camera: what it does to the picture.
        """
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (SIZE, SIZE), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (ACT_DIM,), np.float32)
        self.goal = np.array(goal, dtype=np.float64)
        self.starts_anywhere = starts_anywhere
        self.camera = camera
        self._position, self._velocity = np.array(START), np.zeros(2)
        self._steps = self._frames_to_lose = 0
        self._texture = np.zeros((2 * SIZE, 2 * SIZE))
        self._offset, self._direction = np.zeros(2), 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        if self.starts_anywhere:
            self._position = self.np_random.uniform(LOW, HIGH, 2)
        else:
            self._position = np.clip(START + START_STD * self.np_random.normal(size=2), LOW, HIGH)
        self._velocity = np.zeros(2)
        self._steps = self._frames_to_lose = 0
        if self.camera.shows_texture:
            self._texture = _draw_texture(self.np_random)
            self._offset = self.np_random.uniform(0, 2 * SIZE, 2)
            self._direction = self.np_random.uniform(0.0, 2 * np.pi)
        return self._frame(), {}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        action = np.clip(np.asarray(action, dtype=np.float64), -1.0, 1.0)
        self._position, self._velocity = move(self._position, self._velocity, action)
        self._steps += 1
        if self.camera.shows_texture:
            self._direction += TEXTURE_TURN * self.np_random.normal()
            self._offset += TEXTURE_SPEED * np.array([np.cos(self._direction), np.sin(self._direction)])
        if self.camera.drops_frames:
            self._frames_to_lose -= 1
            if self._frames_to_lose <= 0 and self.np_random.uniform() < LOST_SHARE / BURST:
                self._frames_to_lose = BURST
        reward = float(reward_of(self._position, action, self.goal))
        return self._frame(), reward, False, self._steps >= EPISODE_LENGTH, {}

    def state(self) -> Array:
        """(x, y, vx, vy) of the dot: what no agent sees."""
        return np.concatenate([self._position, self._velocity])

    def set_state(self, state: Array) -> None:
        """Move the dot to `state`, shape (4,)."""
        self._position, self._velocity = np.array(state[:2], dtype=np.float64), np.array(state[2:], dtype=np.float64)

    def _frame(self) -> Array:
        if self._frames_to_lose > 0:
            return np.zeros((SIZE, SIZE), dtype=np.float32)
        if not self.camera.shows_texture:
            return render(self._position)
        return render(self._position, _shifted(self._texture, self._offset))


def _draw_texture(rng: np.random.Generator) -> Array:
    """Smooth spots, which continue at the opposite edge."""
    spots = rng.uniform(size=(2 * SIZE, 2 * SIZE))
    smooth = np.mean([np.roll(spots, (i, j), axis=(0, 1)) for i in range(4) for j in range(4)], axis=0)
    return np.asarray(TEXTURE * (smooth - smooth.min()) / np.ptp(smooth))


def _shifted(texture: Array, offset: Array) -> Array:
    """A window of 16 x 16 pixels into the texture, at a place between pixels."""
    whole = np.floor(offset).astype(int)
    x, y = offset - whole
    columns, rows = (np.arange(SIZE + 1) + whole[0]) % (2 * SIZE), (np.arange(SIZE + 1) + whole[1]) % (2 * SIZE)
    window = texture[np.ix_(rows, columns)]
    window = (1.0 - y) * window[:-1] + y * window[1:]
    return np.asarray((1.0 - x) * window[:, :-1] + x * window[:, 1:])


# The loop -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Episodes:
    """Several whole episodes.

    `frames` has shape (num_episodes, 41, 16, 16), `actions` (num_episodes, 40, 2) and `rewards` (num_episodes, 40).
    Action t leads from frame t to frame t + 1 and earns reward t. `states`, shape (num_episodes, 41, 4), is (x, y, vx,
    vy); no agent gets it.
    """

    frames: Array
    actions: Array
    rewards: Array
    states: Array

    @property
    def returns(self) -> list[float]:
        """The sum of rewards of each episode."""
        return [float(total) for total in self.rewards.sum(axis=1)]


class PixelAgent(Protocol):
    """What the loop knows of an agent."""

    def learn(self, frames: Array, actions: Array, rewards: Array) -> None:
        """Append episodes to all that it has seen, and refit its model."""

    def begin_episode(self) -> None:
        """A new episode starts."""

    def act(self, frame: Array) -> Array:
        """See the next frame, shape (16, 16), and choose an action, shape (2,)."""


def random_episodes(env: DotEnv, num_episodes: int, rng: np.random.Generator) -> Episodes:
    """Episodes of a random hand."""
    played = []
    for _ in range(num_episodes):
        pushes = iter(random_pushes(rng))
        played.append(play(env, lambda frame, pushes=pushes: next(pushes), _seed(rng)))
    return joined(played)


def play(env: DotEnv, act: Any, seed: int) -> Episodes:
    """One episode, in which `act(frame)` answers the action."""
    frame, _ = env.reset(seed=seed)
    frames, states = [frame], [env.state()]
    actions, rewards = [], []
    truncated = False
    while not truncated:
        action = np.clip(np.asarray(act(frame), dtype=np.float32), -1.0, 1.0)
        frame, reward, _, truncated, _ = env.step(action)
        actions.append(action)
        rewards.append(reward)
        frames.append(frame)
        states.append(env.state())
    earned = np.array(rewards, dtype=np.float32)
    return Episodes(*(np.array([each]) for each in (frames, actions, earned, states)))


def joined(episodes: list[Episodes]) -> Episodes:
    """Several sets of episodes as one."""
    fields = ([getattr(each, name) for each in episodes] for name in ("frames", "actions", "rewards", "states"))
    return Episodes(*(np.concatenate(field) for field in fields))


def learn_from_pixels(
    agent: PixelAgent, rng: np.random.Generator, *, goal: Array | tuple[float, float] = GOAL, camera: Camera = PLAIN
) -> Episodes:
    """The lecture's loop: collect at random, fit, then again and again plan in latent space, execute, append, refit.

    Args:
        agent: learns and acts.
        rng: decides starts and random pushes, and what the camera does.
        goal: (x, y) in pixels; it stays the same.
        camera: what it does to the picture, in random and in planned episodes.

    Returns:
        The planned episodes. Each is appended before the next is planned; after the last one nothing is learned.
    """
    data = random_episodes(DotEnv(goal, starts_anywhere=True, camera=camera), RANDOM_EPISODES, rng)
    env = DotEnv(goal, camera=camera)
    planned = []
    for _ in range(PLANNED_EPISODES):
        agent.learn(data.frames, data.actions, data.rewards)
        agent.begin_episode()
        data = play(env, agent.act, _seed(rng))
        planned.append(data)
    return joined(planned)


def score_of(planned: Episodes) -> float:
    """The mean return of the last three planned episodes."""
    return float(np.mean(planned.returns[-SCORED_EPISODES:]))


def true_step(state: Array, action: Array) -> Array:
    """What a planner that knows the world expects: states (..., 4) and actions (..., 2) -> next states (..., 4)."""
    return np.concatenate(move(state[..., :2], state[..., 2:], action), axis=-1)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(1 << 31))
