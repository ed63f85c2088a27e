"""What your model believes of the cliff hill, and the walk for which it promises most: `python -m hw4 fall` (given).

Needs problem 1 alone. It is the lecture's version 0.5 without a planner: collect data with the base policy, fit the
model once, imagine walking straight ahead in many directions, take the one that the model promises most for, and walk
it open loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hw4.agents import build_agent_and_parts, random_policy
from hw4.commands.plots import BLUE, PURPLE, VERMILION
from hw4.commands.runs import RunConfig, Trajectory
from hw4.commands.settings import with_version
from hw4.commands.video import write_video
from hw4.envs import make_env
from hw4.envs.cliff_hill import ARENA, BOTTOM_HEIGHT, EDGE_X, height
from hw4.experiments import EXPERIMENTS
from hw4.imagination import imagine
from hw4.training import run_episode
from hw4.transitions import ReplayBuffer, Transition

EXPERIMENT = with_version(EXPERIMENTS["cliff_hill"], EXPERIMENTS["cliff_hill"], "0.5")
NUM_DIRECTIONS = 36

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Fall:
    """What was seen, what was imagined, what happened. T = steps of an episode."""

    data: Transition  # of the base policy, each field of shape (N, ...)
    happened: Trajectory  # with one plan, made at the first step
    believed: Array  # the predicted change of height (m) of a full step right from `ridge`, shape (K,)
    ridge: Array  # the x of places with y = 0, shape (K,)

    @property
    def imagined(self) -> Array:
        """Observations of the best walk as the model sees it, shape (T + 1, 3)."""
        return np.asarray(self.happened.imagined[0, 0], dtype=np.float64)


class _Walker:
    """Executes actions in order, whatever it sees, and keeps what happened."""

    def __init__(self, policy: Any, replay: ReplayBuffer) -> None:
        self._policy, self._replay = policy, replay

    def begin_episode(self) -> None: ...

    def act(self, observation: Array) -> Array:
        return np.asarray(self._policy(observation))

    def record(self, transition: Transition) -> None:
        self._replay.append(transition)


def fall(seed: int) -> Fall:
    """Collect, fit once, choose the most promising straight walk, and walk it.

    Raises:
        NotImplementedError: a function of problem 1 is not written yet.
    """
    env, replay, length = make_env("cliff_hill"), ReplayBuffer(), EXPERIMENT.task.episode_length
    collector = _Walker(random_policy(EXPERIMENT, np.random.default_rng(seed)), replay)
    for episode in range(EXPERIMENT.num_initial_episodes):
        run_episode(env, collector, seed=seed + episode, episode=episode, env_steps=0)
    agent, parts = build_agent_and_parts(EXPERIMENT, seed)
    agent.fit(replay)

    start, _ = env.reset(seed=seed)
    angles = 2 * np.pi * np.arange(NUM_DIRECTIONS) / NUM_DIRECTIONS
    walks = np.repeat(np.column_stack([np.cos(angles), np.sin(angles)])[:, None], length, axis=1)
    dreams = [_imagined(parts.model.predict, start, walk) for walk in walks]
    promised = [
        EXPERIMENT.task.reward(dream[:-1], walk, dream[1:]).sum() for dream, walk in zip(dreams, walks, strict=True)
    ]
    best = int(np.argmax(promised))
    steps = iter(walks[best])
    record = run_episode(
        env, _Walker(lambda observation: next(steps), ReplayBuffer()), seed=seed, episode=0, env_steps=0
    )
    happened = Trajectory(
        record.observations, record.actions, np.array([0]), dreams[best].astype(np.float32)[None, None]
    )
    ridge = np.linspace(-1.0, 4.0, 101)
    places = np.column_stack([ridge, np.zeros_like(ridge), height(np.column_stack([ridge, np.zeros_like(ridge)]))])
    with torch.no_grad():
        after = parts.model.predict(torch.tensor(places).float(), torch.tensor([1.0, 0.0]).expand(len(ridge), 2))
    return Fall(Transition(*replay.stacked()), happened, after[:, 2].double().numpy() - places[:, 2], ridge)


def _imagined(predict: Any, start: Array, walk: Array) -> Array:
    observation, plan = torch.tensor(start).float(), torch.tensor(walk).float()
    return np.asarray(imagine(predict, observation, plan, ensemble_size=1)[0], dtype=np.float64)


def draw(seen: Fall) -> Figure:
    """The walk from the side, imagined and real, and what the model believes of a step right."""
    figure = Figure(figsize=(9.0, 3.6), dpi=120, layout="constrained")
    side, belief = figure.subplots(1, 2)
    x = np.linspace(-2.0, ARENA, 601)
    side.fill_between(x, _ground(x), BOTTOM_HEIGHT - 1, color="#d0d0d0", linewidth=0)
    observations = seen.happened.observations
    side.plot(seen.data.observation[:, 0], seen.data.observation[:, 2], ".", color=PURPLE, markersize=4, label="data")
    side.plot(seen.imagined[:, 0], seen.imagined[:, 2], "--", color=VERMILION, label="the walk, as imagined")
    side.plot(observations[:, 0], observations[:, 2], color=BLUE, label="what happened")
    top = max(5.0, float(seen.imagined[:, 2].max()) + 0.5)
    side.set(xlabel="x (m)", ylabel="height (m)", title="from the side", xlim=(-2, max(5.0, seen.imagined[:, 0].max())))
    side.set_ylim(BOTTOM_HEIGHT - 1, min(top, 12.0))
    side.legend(loc="upper left")
    truth = _ground(np.clip(seen.ridge + 0.2, -ARENA, ARENA)) - _ground(seen.ridge)
    data_ends = float(seen.data.next_observation[:, 0].max())
    belief.axvspan(-1.0, data_ends, color="#eeeeee", linewidth=0, zorder=0)
    belief.text(-0.95, 0.9, "x seen in the data", color="#555555", va="top")
    belief.plot(seen.ridge, truth, color="black", label="truth")
    belief.plot(seen.ridge, seen.believed, color=VERMILION, label="your model")
    belief.axvline(EDGE_X, color="#555555", linewidth=0.8, linestyle=":")
    belief.set(xlabel="x (m)", ylabel="change of height (m)", title="a full step to the right, from the true ground")
    belief.set(xlim=(-1, 4), ylim=(-3.5, 1.0))
    belief.legend(loc="lower left")
    return figure


def _ground(x: Array) -> Array:
    return height(np.column_stack([x, np.zeros_like(x)]))


def describe(seen: Fall) -> str:
    """What was promised and what came of it, in a sentence or two."""
    observations, actions = seen.happened.observations, seen.happened.actions
    reward = EXPERIMENT.task.reward
    promised = reward(seen.imagined[:-1], actions, seen.imagined[1:]).sum()
    earned = reward(observations[:-1], actions, observations[1:]).sum()
    direction = np.degrees(np.arctan2(actions[0, 1], actions[0, 0]))
    return (
        f"Of {NUM_DIRECTIONS} straight walks, your model promises most for the one at {direction:.0f} degrees (0 is "
        f"straight to the right): a return of {promised:.0f}, and a height of {seen.imagined[-1, 2]:.1f} m at the "
        f"end. The real walk earned {earned:.0f} and ended at a height of {observations[-1, 2]:.1f} m. The data reach "
        f"to x = {seen.data.next_observation[:, 0].max():.1f} m; the edge is at x = {EDGE_X:g} m."
    )


def write_pictures(seen: Fall, seed: int, picture: Path, video: Path) -> None:
    draw(seen).savefig(picture)
    write_video(seen.happened, RunConfig("cliff_hill", EXPERIMENT, seed), video)
