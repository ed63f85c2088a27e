"""Records the runs that notebooks/masters/replanning.py draws.

Run by `python -m publish.recorders replanning`: about 13 minutes on one core.

Three recordings: agents that learn (`returns.csv`); planning with models that learn no more (`frozen.csv`,
`errors.csv`); three episodes with what was imagined in them (`episodes.csv`, `imagined.csv`).
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autograder.solutions import ROOT
from hw4.agents import build_agent_and_parts, build_planner, random_policy
from hw4.dynamics_model import DynamicsModel
from hw4.envs import make_env
from hw4.experiments import Experiment
from hw4.imagination import imagine
from hw4.mpc import MPC, Objective, sequence_returns
from hw4.notebooks.replanning_runs import (
    ARMS,
    CARTPOLE,
    HORIZONS,
    MAX_STEPS,
    PLANNERS,
    REPLAN_EVERY,
    roll_out_errors,
    tip_position,
)
from hw4.rewards import CARTPOLE_POLE_LENGTH
from hw4.training import EpisodeRecord, run_episode, train
from hw4.transitions import Transition
from publish.recorded_tables import Recording, Row, Table, number

FIRST_SEED = 10  # the claims were written by runs of seeds 0 to 9; these had not been seen
SEED_BLOCKS = (range(FIRST_SEED, 15), range(15, 20))  # all arms with the first ones, then all with the others
FROZEN_SEED = 1000  # the starts of episodes that no agent learned from: 1000, 1001, ...
NUM_BASE_EPISODES = 2  # of the base policy, held out
PLANS_DRAWN_EVERY = 4  # env steps; of the episodes with what was imagined

STATE_COLUMNS = "x,sin,cos,x_velocity,angular_velocity"
OF_ALL = {arm: dataclasses.asdict(experiment) for arm, experiment in ARMS.items()}
OF_ONE = {"1.5": OF_ALL["1.5"]}
TABLES = {
    "returns": Table("arm,seed,episode,env_steps,episode_return", key="arm,seed", settings=OF_ALL),
    "frozen": Table("model,planner,horizon,replan_every,seed,episode_return", key="seed", settings=OF_ONE),
    "errors": Table("model,policy,seed,k,error,error_of_no_change", key="seed", settings=OF_ONE),
    "episodes": Table(f"model,replan_every,step,{STATE_COLUMNS},action", settings=OF_ONE),
    "imagined": Table(f"model,replan_every,plan_step,k,{STATE_COLUMNS}", settings=OF_ONE),
}

ObjectiveFrom = Callable[[Tensor], Objective]


def main() -> None:
    recording = Recording(ROOT / "notebooks" / "data" / "replanning", "replanning", TABLES)
    for seeds in SEED_BLOCKS:
        for arm in ARMS:
            for seed in seeds:
                if not recording.has(*tables_of(arm, seed), arm=arm, seed=seed):
                    record_part(recording, arm, seed)
    recording.note(num_seeds=sum(map(len, SEED_BLOCKS)), pole_length=f"{CARTPOLE_POLE_LENGTH} m")


def tables_of(arm: str, seed: int) -> tuple[str, ...]:
    """The tables that one training run fills."""
    if arm != "1.5":
        return ("returns",)
    return tuple(TABLES) if seed == FIRST_SEED else ("returns", "frozen", "errors")


def record_part(recording: Recording, arm: str, seed: int) -> None:
    """One training run, and with the models of 1.5 everything that is done with models that learn no more."""
    records, models = learn(ARMS[arm], seed)
    returns = [[arm, seed, r.episode, r.env_steps, number(r.episode_return)] for r in records]
    if arm == "1.5":
        frozen, planned = plan_with(models, seed)
        if seed == FIRST_SEED:
            episodes, imagined = imagined_episodes(models)
            recording.put(episodes=episodes, imagined=imagined)
        recording.put(frozen=frozen, errors=errors_of(models, planned, seed))
    recording.put(returns=returns)
    print(f"{arm}, seed {seed}: last return {returns[-1][-1]}", flush=True)


def learn(experiment: Experiment, seed: int) -> tuple[list[EpisodeRecord], dict[str, DynamicsModel]]:
    """One training run, and copies of its model after the first fit and after the last."""
    agent, parts = build_agent_and_parts(experiment, seed)
    fit, models = agent.fit, {}

    def fit_and_copy(replay: Any) -> None:
        fit(replay)
        models["last"] = copy.deepcopy(parts.model)
        models.setdefault("first", models["last"])

    agent.fit = fit_and_copy
    env = make_env(experiment.task_name)
    return list(train(env, agent, num_episodes=experiment.num_episodes, seed=seed)), models


class FrozenAgent:
    """Plans with a model that learns no more, and notes what it imagines of each plan."""

    def __init__(self, experiment: Experiment, objective_from: ObjectiveFrom, seed: int) -> None:
        planner = build_planner(experiment, objective_from, torch.Generator().manual_seed(seed))
        initial_mean = torch.zeros(experiment.horizon, experiment.task.act_dim)
        self.controller = MPC(planner, initial_mean=initial_mean, replan_every=experiment.replan_every)
        self.plans: dict[int, tuple[Tensor, Tensor]] = {}  # env step: observation and plan

    def begin_episode(self) -> None:
        self.controller.begin_episode()
        self.step = 0

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        start = torch.as_tensor(observation, dtype=torch.float32)
        action, plan = self.controller.act(start), self.controller.plan
        if plan is not None and self.controller.num_executed == 1:  # it has just planned
            self.plans[self.step] = (start, plan)
        return np.asarray(action)

    def record(self, transition: Transition) -> None:
        self.step += 1


def objective_of(model: DynamicsModel) -> ObjectiveFrom:
    """What a planner maximises: the return that a model predicts."""
    reward = CARTPOLE.task.reward

    def objective_from(observation: Tensor) -> Objective:
        return lambda action_sequences: sequence_returns(model.predict, reward, observation, action_sequences)

    return objective_from


def run_frozen(
    experiment: Experiment, model: DynamicsModel | None, seed: int
) -> tuple[EpisodeRecord, dict[int, tuple[Tensor, Tensor]]]:
    """One episode planned with one model, or with the simulator itself (None), and the plans made in it.

    Whatever the model and the way of planning, a seed's episode starts from the same state.
    """
    env = make_env(experiment.task_name)
    objective_from = true_objective(env) if model is None else objective_of(model)
    agent = FrozenAgent(experiment, objective_from, seed)
    return run_episode(env, agent, seed=FROZEN_SEED + seed, episode=0, env_steps=0), agent.plans


def true_objective(env: Any) -> ObjectiveFrom:
    """The true return of each candidate, rolled out in a second simulator from the state of the first one."""
    imagined = make_env(CARTPOLE.task_name)
    imagined.reset(seed=0)

    def objective(action_sequences: Tensor) -> Tensor:
        here, returns = env.state(), []
        for actions in action_sequences.numpy():
            imagined.set_state(here)
            returns.append(sum(imagined.step(action)[1] for action in actions))
        return torch.tensor(returns)

    return lambda observation: objective


def plan_with(models: dict[str, DynamicsModel], seed: int) -> tuple[list[Row], EpisodeRecord]:
    """Every way of planning: rows of frozen.csv, and the episode planned as 1.5 plans, with the last model."""
    ways = [("last", "CEM, 180", horizon, every) for horizon in HORIZONS for every in REPLAN_EVERY if every <= horizon]
    ways += [("last", planner, 20, every) for planner in list(PLANNERS)[1:] for every in REPLAN_EVERY]
    ways += [("first", "CEM, 180", 20, every) for every in REPLAN_EVERY]
    ways += [("true", "CEM, 180", 20, 5), ("true", "CEM, 180", 20, 20)]
    records = {}
    for way in ways:
        model, planner, horizon, every = way
        experiment = dataclasses.replace(CARTPOLE, horizon=horizon, replan_every=every, **PLANNERS[planner])
        records[way], _ = run_frozen(experiment, models.get(model), seed)
    rows = [[*way, seed, number(record.episode_return)] for way, record in records.items()]
    return rows, records["last", "CEM, 180", 20, 1]


class BasePolicy:
    """Random actions."""

    def __init__(self, seed: int) -> None:
        self.policy = random_policy(CARTPOLE, np.random.default_rng(FROZEN_SEED + seed))

    def begin_episode(self) -> None: ...

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        return self.policy(observation)

    def record(self, transition: Transition) -> None: ...


def errors_of(models: dict[str, DynamicsModel], planned: EpisodeRecord, seed: int) -> list[Row]:
    """Errors of roll-outs on episodes that no model learned from, the median over starts: rows of errors.csv."""
    env, base = make_env(CARTPOLE.task_name), BasePolicy(seed)
    episodes = {
        "base": [
            run_episode(env, base, seed=FROZEN_SEED + seed, episode=i, env_steps=0) for i in range(NUM_BASE_EPISODES)
        ],
        "planned": [planned],
    }
    rows = []
    for model in ("first", "last"):

        def predict(
            observations: NDArray[Any], actions: NDArray[Any], predict: Any = models[model].predict
        ) -> NDArray[Any]:
            inputs = (torch.as_tensor(values, dtype=torch.float32) for values in (observations, actions))
            with torch.no_grad():
                return np.asarray(predict(*inputs), dtype=np.float64)

        for policy, records in episodes.items():
            errors = np.concatenate([roll_out_errors(predict, r.observations, r.actions) for r in records])
            still = np.concatenate([no_change_errors(r.observations) for r in records])
            for k in range(MAX_STEPS):
                medians = (np.median(errors[:, k]), np.median(still[:, k]))
                rows.append([model, policy, seed, k + 1, *(number(value, 4) for value in medians)])
    return rows


def no_change_errors(observations: NDArray[Any]) -> NDArray[Any]:
    """The same errors of a model that expects everything to stay where it is."""
    tips = tip_position(observations)
    starts = len(observations) - MAX_STEPS
    return np.stack(
        [np.linalg.norm(tips[k : k + starts] - tips[:starts], axis=-1) for k in range(1, MAX_STEPS + 1)], axis=1
    )


def imagined_episodes(models: dict[str, DynamicsModel]) -> tuple[list[Row], list[Row]]:
    """Three episodes of the first seed, and what was imagined in them: rows of episodes.csv and of imagined.csv."""
    episode_rows: list[Row] = []
    imagined_rows: list[Row] = []
    for model, every in (("first", 20), ("last", 20), ("last", 1)):
        record, plans = run_frozen(dataclasses.replace(CARTPOLE, replan_every=every), models[model], FIRST_SEED)
        for step, observation in enumerate(record.observations):
            action = number(record.actions[step, 0], 4) if step < len(record.actions) else None
            episode_rows.append([model, every, step, *(number(value, 4) for value in observation), action])
        for step, (start, plan) in plans.items():
            if step % PLANS_DRAWN_EVERY == 0:
                states = imagine(models[model].predict, start, plan, ensemble_size=1)[0].numpy()
                for k, state in enumerate(states):
                    imagined_rows.append([model, every, step, k, *(number(value, 4) for value in state)])
    return episode_rows, imagined_rows


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
