"""Records soft actor-critic (SAC) on the half-cheetah, for the notebook that compares it with a learned model.

Model-free RL is no part of the homework, so its library is a dependency of this program alone:

    python -m venv build/model_free
    build/model_free/bin/pip install --constraint requirements.lock --editable ".[model_free]"
    build/model_free/bin/python -m publish.recorders model_free

It runs on our own environment, so with the reward and episode length of every other curve, with stable-baselines3's
default settings and one thread: about a quarter of an hour on one core. In notebooks/data/uncertainty_aware,
model_free.csv holds the returns of training episodes (kind "train", with SAC's exploration) and of its deterministic
policy (kind "evaluation", from fixed starts), and model_free_cost.csv the processor time of each seed.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from autograder.solutions import ROOT
from hw4.commands.threads import use_one_thread
from hw4.envs import make_env
from hw4.tasks import TASKS
from publish.recorded_tables import Recording, Row, Table

TASK = TASKS["half_cheetah"]
EVALUATION_SEEDS = (1000, 1001, 1002, 1003, 1004)  # of the starts; the same at every evaluation

# How far each seed goes: one far, to see where it ends; the others as far as our own runs, to compare early.
EVALUATE_EVERY = 1250  # env steps, up to EARLY_STEPS
EARLY_STEPS = 7500  # of our own recorded runs
EVALUATE_LATER_EVERY = 2500
ENV_STEPS = {0: 60_000, 1: EARLY_STEPS, 2: EARLY_STEPS}


SETTINGS = {
    "algorithm": "SAC('MlpPolicy', env, seed=seed), every other setting stable-baselines3's default",
    "evaluation_seeds": EVALUATION_SEEDS,
    "env_steps": ENV_STEPS,
}
TABLES = {
    "model_free": Table("kind,seed,env_steps,episode_return", key="seed", settings=SETTINGS),
    "model_free_cost": Table("seed,cpu_seconds", key="seed", settings=SETTINGS),
}


def main() -> None:
    packages = ("stable-baselines3", "torch", "gymnasium", "mujoco", "numpy")
    folder = ROOT / "notebooks" / "data" / "uncertainty_aware"
    recording = Recording(folder, "model_free", TABLES, packages=packages)
    for seed, env_steps in ENV_STEPS.items():
        if not recording.has(*TABLES, seed=seed):
            began = time.process_time()
            returns = train_sac(seed, env_steps)
            recording.put(model_free=returns, model_free_cost=[[seed, round(time.process_time() - began)]])


def train_sac(seed: int, env_steps: int) -> list[Row]:
    """Train with default settings: the returns of all episodes.

    An evaluation draws none of SAC's random numbers, so it does not change the run.
    """
    from stable_baselines3 import SAC
    from stable_baselines3.common.monitor import Monitor

    training = Monitor(make_env(TASK.name))
    sac = SAC("MlpPolicy", training, seed=seed, device="cpu")
    evaluations: list[Row] = []
    while sac.num_timesteps < env_steps:
        every = EVALUATE_EVERY if sac.num_timesteps < EARLY_STEPS else EVALUATE_LATER_EVERY
        goal = (sac.num_timesteps // every + 1) * every
        sac.learn(goal - sac.num_timesteps, reset_num_timesteps=False, log_interval=None)
        returns = [evaluate(sac, start) for start in EVALUATION_SEEDS]
        evaluations += [["evaluation", seed, sac.num_timesteps, f"{value:.1f}"] for value in returns]
        print(f"seed {seed}: {sac.num_timesteps} env steps, mean return {np.mean(returns):.0f}", flush=True)
    steps = np.cumsum(training.get_episode_lengths())
    episodes = zip(steps, training.get_episode_rewards(), strict=True)
    return [["train", seed, int(at), f"{value:.1f}"] for at, value in episodes] + evaluations


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


if __name__ == "__main__":
    use_one_thread()
    main()
