"""Records the ablation that the model answer of notebooks/masters/uncertainty_aware.py reports.

Run by `python -m publish.recorders ablation`: about 3 minutes on one core. It is the ledge with five networks and with
one, all other settings as they are, on the seeds that the notebook gives a student called "answer key": what `train`
runs for the commands that the notebook prints. The table is not in `notebooks/data`, which students get.
"""

from __future__ import annotations

import dataclasses

import torch

from autograder.solutions import ROOT
from hw4.agents import build_agent
from hw4.commands.jupyter import own_seeds
from hw4.envs import make_env
from hw4.experiments import EXPERIMENTS
from hw4.training import train
from publish.recorded_tables import Recording, Table, number

FOLDER = ROOT / "publish"
SEEDS = own_seeds("answer key", 8)
SIZES = (1, 5)
LEDGE = EXPERIMENTS["ledge"]
TABLES = {
    "ablation_runs": Table(
        "seed,ensemble_size,episode,env_steps,episode_return",
        key="seed,ensemble_size",
        settings={"experiment": dataclasses.asdict(LEDGE)},
    )
}


def main() -> None:
    """Record the runs that are missing."""
    recording = Recording(FOLDER, "ablation", TABLES)
    for seed in SEEDS:
        for size in SIZES:
            if not recording.has("ablation_runs", seed=seed, ensemble_size=size):
                experiment = dataclasses.replace(LEDGE, ensemble_size=size)
                agent, env = build_agent(experiment, seed), make_env(experiment.task_name)
                records = train(env, agent, num_episodes=experiment.num_episodes, seed=seed)
                rows = [[seed, size, r.episode, r.env_steps, number(r.episode_return)] for r in records]
                recording.put(ablation_runs=rows)
                print(f"seed {seed}, {size} networks", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
