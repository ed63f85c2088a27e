"""Records what a policy that was learned for one reward of the cart-pole earns by others, for the notebook replanning.

Run by `python -m publish.recorders policy_learning_cartpole`: about a quarter of an hour on one core.

Each seed learns a policy for the first reward by the soft actor-critic of the topic policy_learning, without a model:
30,000 env steps, more than 40 times as many as the model of publish/recorders/replanning_rewards.py has seen. Then the
mode of the policy acts for one test episode, from the start of the episodes that the model plans with the same seed,
and is paid by all three rewards.

Claims. Their form was fixed before the seeds below were looked at. The settings were tried with seeds 0 and 1; with
12,000 env steps, three policies (seeds 600 to 602, no longer recorded) earned 31 to 40 by the first reward, so the
number of env steps was raised. A seed counts as one number. Intervals are exact ones of the median over seeds, of at
least 95 %: with six seeds, from the smallest to the largest.

1. What a run earns by the first reward in its last 2,000 env steps, with exploration (the mean of 20 episodes), and
   what its mode earns in the test episode: medians and intervals are reported. How many test episodes earn three
   quarters of the median of the simulator's plans is reported, too.
2. By each further reward, "planned for it with the model minus the policy", paired by seed: if the interval lies above
   0, the plan is said to earn more. What the policies earn by it is reported, whatever it is.
3. By the first reward, the interval of the same difference is reported, and whichever side of 0 it lies on is said.
4. Env steps to the first training episode with a return of 60, infinite for a run that has none: the medians of version
   1.5 with one network (the arm "1.5" of replanning/returns.csv) and of the policies are reported with their intervals.
   If these do not overlap, the smaller one is said to need fewer env steps.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autograder.solutions import ROOT
from hw4.agents import random_policy
from hw4.envs import make_env
from hw4.notebooks.replanning_runs import REUSED, REWARDS, SPIN_VELOCITY, SPIN_WIDTH, STAND_AT
from hw4.topics.policy_learning_sac import GAMMA, LEARNING_RATE, TAU, WIDTH, SoftActorCritic
from hw4.training import run_episode, train
from hw4.transitions import Transition
from publish.recorded_tables import Recording, Row, Table, number
from publish.recorders.replanning import FROZEN_SEED
from publish.recorders.replanning_rewards import paid

TASK = REUSED.task
SEEDS = range(610, 616)  # of those in publish/recorders/replanning_rewards.py; no policy was learned with these before
ENV_STEPS, WARM_UP, BATCH_SIZE = 30_000, 500, 128
UNIT = (1.0, 1.0, 1.0, 3.0, 6.0)  # of an observation, for policy and critics
SAC = {
    "env_steps": [ENV_STEPS, WARM_UP, BATCH_SIZE],
    "sac": [GAMMA, TAU, LEARNING_RATE, WIDTH, list(UNIT)],
}
TABLES = {
    "policy_learning_cartpole_curves": Table(
        "seed,env_steps,episode_return", key="seed", settings=SAC, says="training episodes, with exploration"
    ),
    "policy_learning_cartpole": Table(
        "seed,reward,episode_return",
        key="seed",
        settings={**SAC, "spin": [SPIN_VELOCITY, SPIN_WIDTH], "stand": STAND_AT},
        says="a policy learned for the first reward: what its mode earns; reward: by which it is paid",
    ),
}


class Learner:
    """Soft actor-critic: random actions first, then an update of critics and policy at every env step."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        unit = torch.tensor(UNIT)
        self.sac = SoftActorCritic(
            torch.zeros_like(unit), unit, TASK.act_dim, num_critics=2, pessimism="min", generator=self.generator
        )
        self.random = random_policy(REUSED, np.random.default_rng(seed))
        sizes = (TASK.obs_dim, TASK.act_dim, TASK.obs_dim)
        self.seen = Transition(*(torch.zeros(ENV_STEPS, size) for size in sizes))
        self.steps, self.explores = 0, True

    def begin_episode(self) -> None: ...

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        if self.steps < WARM_UP:
            return self.random(observation)
        state = torch.as_tensor(observation, dtype=torch.float32)
        if not self.explores:
            return np.asarray(self.sac.mode(state))
        with torch.no_grad():
            return np.asarray(self.sac.sample(state)[0])

    def record(self, transition: Transition) -> None:
        if not self.explores:
            return
        for field, value in zip(self.seen, transition, strict=True):
            field[self.steps] = torch.as_tensor(value, dtype=torch.float32)
        self.steps += 1
        if self.steps >= WARM_UP:
            self._update()

    def _update(self) -> None:
        batch = self.seen.select(torch.randint(self.steps, (BATCH_SIZE,), generator=self.generator))
        earned = TASK.reward(batch.observation, batch.action, batch.next_observation)
        target = earned + GAMMA * self.sac.values(batch.next_observation)  # the time limit is not terminal
        self.sac.update_critics(batch.observation, batch.action, target)
        self.sac.update_policy(batch.observation)


def main() -> None:
    recording = Recording(ROOT / "notebooks" / "data" / "replanning", "policy_learning_cartpole", TABLES)
    for seed in SEEDS:
        if not recording.has(*TABLES, seed=seed):
            began = time.process_time()
            curve, rows = rows_of(seed)
            recording.put(policy_learning_cartpole_curves=curve, policy_learning_cartpole=rows)
            says = ", ".join(f"{reward} {value}" for _, reward, value in rows)
            print(f"seed {seed}: {says}; {time.process_time() - began:.0f} CPU s", flush=True)


def rows_of(seed: int) -> tuple[list[Row], list[Row]]:
    """Learn one policy, and pay its test episode by each reward: the rows of its curve, and those of the test."""
    learner = Learner(seed)
    records = train(make_env(TASK.name), learner, num_episodes=ENV_STEPS // TASK.episode_length, seed=seed)
    curve: list[Row] = [[seed, record.env_steps, number(record.episode_return)] for record in records]
    learner.explores = False
    record = run_episode(make_env(TASK.name), learner, seed=FROZEN_SEED + seed, episode=0, env_steps=0)
    return curve, [[seed, name, number(paid(record, reward))] for name, reward in REWARDS.items()]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
