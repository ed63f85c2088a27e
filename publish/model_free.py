"""Records soft actor-critic (SAC) on the half-cheetah, for the notebook that compares it with a learned model.

Model-free RL is no part of the homework, so its library is a dependency of this program alone:

    python -m venv build/model_free
    build/model_free/bin/pip install --constraint requirements.lock --editable ".[model_free]"
    build/model_free/bin/python -m publish.model_free

It runs on our own environment, so with the reward and episode length of every other curve, with stable-baselines3's
default settings and one thread: about a quarter of an hour on one core. What is written after each evaluation is
complete, so it may be stopped. In notebooks/data/uncertainty_aware, model_free.csv holds the returns of training
episodes (kind "train", with SAC's exploration) and of its deterministic policy (kind "evaluation", from fixed starts),
and model_free.json how they came about.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from hw4.commands.threads import use_one_thread
from hw4.envs import make_env
from hw4.tasks import TASKS

COMMAND = "python -m publish.model_free"
TASK = TASKS["half_cheetah"]
FOLDER = Path(__file__).resolve().parents[1] / "notebooks" / "data" / "uncertainty_aware"
COLUMNS = ("kind", "seed", "env_steps", "episode_return")
EVALUATION_SEEDS = (1000, 1001, 1002, 1003, 1004)  # of the starts; the same at every evaluation

# How far each seed goes: one far, to see where it ends; the others as far as our own runs, to compare early.
EVALUATE_EVERY = 1250  # env steps, up to EARLY_STEPS
EARLY_STEPS = 7500  # of our own recorded runs
EVALUATE_LATER_EVERY = 2500
ENV_STEPS = {0: 60_000, 1: EARLY_STEPS, 2: EARLY_STEPS}


@dataclass(frozen=True)
class Return:
    """The return of one episode."""

    kind: str  # "train" or "evaluation"
    seed: int
    env_steps: int  # of training, so far
    episode_return: float


def train_sac(seed: int, env_steps: int) -> Iterator[list[Return]]:
    """Train with default settings, and yield all returns so far after each evaluation.

    An evaluation draws none of SAC's random numbers, so it does not change the run.
    """
    from stable_baselines3 import SAC
    from stable_baselines3.common.monitor import Monitor

    training = Monitor(make_env(TASK.name))
    sac = SAC("MlpPolicy", training, seed=seed, device="cpu")
    evaluations: list[Return] = []
    while sac.num_timesteps < env_steps:
        every = EVALUATE_EVERY if sac.num_timesteps < EARLY_STEPS else EVALUATE_LATER_EVERY
        goal = (sac.num_timesteps // every + 1) * every
        sac.learn(goal - sac.num_timesteps, reset_num_timesteps=False, log_interval=None)
        for start in EVALUATION_SEEDS:
            evaluations.append(Return("evaluation", seed, sac.num_timesteps, evaluate(sac, start)))
        steps = np.cumsum(training.get_episode_lengths())
        episodes = zip(steps, training.get_episode_rewards(), strict=True)
        yield [Return("train", seed, int(at), value) for at, value in episodes] + evaluations


def evaluate(sac: Any, start: int) -> float:
    """The return of one episode of SAC's deterministic policy."""
    env = make_env(TASK.name)
    observation, _ = env.reset(seed=start)
    total, truncated = 0.0, False
    while not truncated:
        action, _ = sac.predict(observation, deterministic=True)
        observation, reward, _, truncated, _ = env.step(action)
        total += reward
    return total


def write(returns: list[Return], cpu_seconds: dict[int, float]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "model_free.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([r.kind, r.seed, r.env_steps, f"{r.episode_return:.1f}"] for r in returns)
    provenance = {
        "command": COMMAND,
        "algorithm": "SAC('MlpPolicy', env, seed=seed), every other setting stable-baselines3's default",
        "evaluation_seeds": EVALUATION_SEEDS,
        "env_steps": {str(seed): max(r.env_steps for r in returns if r.seed == seed) for seed in cpu_seconds},
        "cpu_seconds": {str(seed): round(seconds) for seed, seconds in cpu_seconds.items()},
        **{name: version(name) for name in ("stable-baselines3", "torch", "gymnasium", "mujoco", "numpy")},
    }
    (FOLDER / "model_free.json").write_text(json.dumps(provenance, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    use_one_thread()
    finished: list[Return] = []
    cpu_seconds: dict[int, float] = {}
    for seed, env_steps in ENV_STEPS.items():
        began, of_seed = time.process_time(), list[Return]()
        for of_seed in train_sac(seed, env_steps):
            cpu_seconds[seed] = time.process_time() - began
            write(finished + of_seed, cpu_seconds)
            latest = np.mean([r.episode_return for r in of_seed[-len(EVALUATION_SEEDS) :]])
            print(f"seed {seed}: {of_seed[-1].env_steps} env steps, mean return {latest:.0f}", flush=True)
        finished += of_seed


if __name__ == "__main__":
    main()
