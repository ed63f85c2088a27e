"""Records the runs that notebooks/masters/policy_learning.py draws.

Run by `python -m publish.recorders policy_learning`: about half an hour on one idle core.

`race.csv` holds every evaluation of every arm: six ways to learn a policy with as many updates per env step, one with
fewer, and the agent of the core that plans. handout/topics/policy_learning.csv holds the numbers that the handout
shows.

Claims. Their form was fixed before the seeds below were looked at; the settings were chosen with other seeds, which
are all below 1400. A seed counts as one number. Intervals are exact ones of the median over seeds, of at least 95 %;
arms are compared by the differences seed by seed, "at 250" is the mean of the evaluations at 200 and 250 env steps.

1. MVE with TD-k is better than equal updates at 250: the interval of the difference lies above 0.
2. MVE with TD-k is better than MVE at 250: the same. If the interval holds 0, the notebook says that the imagined
   states make no difference that 20 seeds show.
3. Dyna k=5 is better than equal updates at 250, and Dyna k=1, MVE and STEVE are: each is reported with its interval,
   and called no visible effect if that holds 0.
4. Equal updates are better than model-free at 250: the interval of the difference lies above 0. What a model adds is
   therefore always compared with equal updates.
5. The planner's first planned episode, the one that ends at 120 env steps, earns 25 with all seeds; no learner's median
   of the env steps to a return of 25 is as low as 120. The same holds for processor seconds: the upper end of the
   planner's interval lies below the lower end of every learner's.
6. In processor seconds to a return of 25 the learners are reported with their intervals; nothing is claimed. A run that
   does not get there counts as infinite.

STEVE is recorded for 300 env steps only: an update takes it several times as long.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from autograder.solutions import ROOT
from hw4.commands.jupyter import interval_of_median, read_table
from hw4.envs import policy_learning as world
from hw4.notebooks.policy_learning_runs import (
    ARMS,
    AT,
    CONTROL,
    ENV_STEPS,
    GOOD,
    HORIZON,
    NUM_ITERATIONS,
    PLANNER_NAME,
    POPULATION_SIZE,
    at,
    first_time,
    race,
)
from hw4.topics import policy_learning_agent as agent
from publish.recorded_tables import COMMAND, Recording, Row, Table, number, write_table

SEEDS = range(1400, 1420)

NAME = "policy_learning"
DATA = ROOT / "notebooks" / "data" / NAME
SETTINGS = {
    "env_steps": ENV_STEPS,
    "world": [list(world.GOAL), world.REWARD_AREA, world.EVALUATE_EVERY, world.NUM_EVALUATION_EPISODES],
    "model": [agent.ENSEMBLE_SIZE, agent.WIDTH, agent.FIRST_GRADIENT_STEPS, agent.LATER_GRADIENT_STEPS],
    "branches": [agent.BRANCH_EVERY, agent.NUM_BRANCHES, agent.KEPT_BRANCHES, agent.SHARE_OF_IMAGINED],
    "planner": [HORIZON, POPULATION_SIZE, NUM_ITERATIONS],
}
TABLES = {
    "race": Table(
        "arm,seed,env_steps,seconds,episode_return",
        key="arm,seed",
        settings=SETTINGS,
        says="seconds: processor time of learning until then, evaluations left out",
    ),
}
MEASURED = Table(
    "quantity,median,low,high,min,max",
    says=f"over seeds: median with its exact interval, smallest and largest; from notebooks/data/{NAME}",
)


def main() -> None:
    recording = Recording(DATA, NAME, TABLES)
    for seed in SEEDS:
        for arm in ARMS:
            if not recording.has("race", arm=arm, seed=seed):
                run = race(arm, seed)
                rows = zip(run.env_steps, run.seconds, run.returns, strict=True)
                recording.put(race=[[arm, seed, steps, f"{spent:.2f}", number(value)] for steps, spent, value in rows])
                print(f"seed {seed}, {arm}: {run.returns[-1]:.1f} after {run.seconds[-1]:.1f} s", flush=True)
    write_what_the_handout_shows()
    recording.note(num_seeds=len(SEEDS))


def write_what_the_handout_shows() -> None:
    place = ROOT / "handout" / "topics" / f"{NAME}.csv"
    write_table(place, MEASURED, measured(), [f"written by: {COMMAND.format(NAME)}"])


def measured() -> list[Row]:
    """Rows of the handout's table: returns, env steps and processor seconds."""
    rows = read_table(DATA / "race.csv", texts=("arm",))
    values: dict[str, NDArray[np.float64]] = {}

    def each(arm: str, what: str) -> NDArray[np.float64]:
        numbers = []
        for seed in SEEDS:
            mine = (rows["arm"] == arm) & (rows["seed"] == seed)
            steps, returns = rows["env_steps"][mine], rows["episode_return"][mine]
            numbers.append(at(steps, returns) if what == "at" else first_time(rows[what][mine], returns))
        return np.array(numbers)

    for arm in ARMS:
        values[f"env steps to {GOOD:.0f}, {arm}"] = each(arm, "env_steps")
        values[f"seconds to {GOOD:.0f}, {arm}"] = each(arm, "seconds")
    learners = [arm for arm in ARMS if arm != PLANNER_NAME]
    score = {arm: each(arm, "at") for arm in learners}
    for arm in learners:
        values[f"return at {AT}, {arm}"] = score[arm]
        if arm != CONTROL:
            values[f"at {AT}, {arm} minus {CONTROL}"] = score[arm] - score[CONTROL]
    values[f"at {AT}, MVE with TD-k minus MVE"] = score["MVE with TD-k"] - score["MVE"]
    first = [rows["episode_return"][(rows["arm"] == PLANNER_NAME) & (rows["seed"] == seed)][0] for seed in SEEDS]
    values[f"first planned episode, {PLANNER_NAME}"] = np.array(first)
    return [
        [name, *(f"{value:.2f}" for value in (np.median(of), *interval_of_median(of), of.min(), of.max()))]
        for name, of in values.items()
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
