"""Records the runs that notebooks/masters/distribution_shift.py draws.

Run by `python -m publish.recorders distribution_shift`: about half an hour on one core.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import mujoco
import mujoco.rollout
import numpy as np
import torch

from autograder.recorded.calibration import read_recorded
from autograder.solutions import ROOT
from hw4.agents import build_agent, build_planner, random_policy
from hw4.dynamics_model import DynamicsModel, Normalizer, fit, make_optimizer, uniform_indices
from hw4.envs import make_env
from hw4.envs.cartpole import PHYSICS_STEPS_PER_ACTION, CartPoleEnv
from hw4.envs.cliff_hill import STEP_LENGTH, height
from hw4.envs.walker import ARENA
from hw4.envs.windy_plain import WindyPlainEnv
from hw4.experiments import EXPERIMENTS, Experiment, Version, as_version
from hw4.handin.assignment import load_assignment
from hw4.mpc import MPC, Objective, sequence_returns
from hw4.networks import MLP
from hw4.notebooks.distribution_shift_runs import (
    BASE_POLICIES,
    EXPERIMENT,
    FIRST_PLANNED,
    VERSIONS,
    WatchedEpisode,
    base_policy,
    believed_heights,
    identify,
    imagined_return,
    watch,
)
from hw4.training import EpisodeRecord, train
from hw4.transitions import Transition
from publish.recorded_tables import Recording, Row, Table, number

NUM_SEEDS = 20
RIDGE = np.round(np.arange(-1.0, 3.95, 0.1) + 0.05, 2)  # m; x of the steps whose outcome a model is asked for
HELD_OUT_SEEDS = (1000, 1001, 1002)  # trained with once, for the held-out transitions only

# Models of the cart-pole
CARTPOLE = EXPERIMENTS["cartpole"]
NUM_MODEL_SEEDS = 10
SIZES = (50, 150, 400, 1200, 3600)  # transitions under random actions
PLANNED_SIZE = 400  # the size whose models plan an episode
WIDTHS = (64, 256)
RANDOM_SEED, GOOD_SEED = 2000, 1000  # of the episodes that errors are measured on
NUM_TEST_EPISODES = 4  # under random actions
NUM_GOOD_EPISODES = 2  # the last ones of a learning run

# Models of the windy plain
PLAIN = EXPERIMENTS["windy_plain"]
PLAIN_SEEDS = range(300, 320)  # nobody has looked at these before
PLAIN_SIZES = (300, 1200)  # transitions
PLAIN_WIDTHS = (16, 64, 256)
PIECE = 10  # env steps of a piece of data
PIECES_FROM = ((-3.0, -1.5), (0.0, 1.5))  # m; pieces start uniformly between these corners, (x, y)
PIECES_LEAN = -0.3  # added to the random actions in x: away from the goal
NUM_HELD_OUT_PIECES = 30

# The clinic: which implementation is which agent.
CLINIC_CURVE = "curve_cartpole"
PATIENTS = {
    "healthy": "reference",
    "A": "executes_last_action",
    "B": "output_not_unnormalized",
    "C": "fits_once",
}
NUM_CLINIC_SEEDS = 4

ON_THE_HILL = {"experiment": dataclasses.asdict(EXPERIMENT)}
ON_THE_CARTPOLE = {"cartpole": dataclasses.asdict(CARTPOLE)}
TABLES = {
    "episodes": Table(
        "version,seed,episode,env_steps,planned,episode_return,imagined_return,"
        "error_on_visited,error_on_base,error_on_plan",
        key="version,seed",
        settings=ON_THE_HILL,
    ),
    "paths": Table(
        "policy,seed,episode,step,x,y,height,imagined_x,imagined_y,imagined_height",
        key="policy,seed",
        settings=ON_THE_HILL,
    ),
    "beliefs": Table("model,seed,x,next_height,true_next_height", key="model,seed", settings=ON_THE_HILL),
    "coverage": Table("policy,seed,largest_x,episode_return", key="policy,seed", settings=ON_THE_HILL),
    "models": Table(
        "model,seed,size,error_in_distribution,error_out_of_distribution",
        key="model,seed",
        settings=ON_THE_CARTPOLE,
    ),
    "planned": Table("model,seed,size,episode_return", key="model,seed", settings=ON_THE_CARTPOLE),
    "plain": Table(
        "model,seed,size,error_on_base,error_under_plan,episode_return",
        key="model,seed,size",
        settings={"windy_plain": dataclasses.asdict(PLAIN), "data": [PIECE, PIECES_FROM, PIECES_LEAN]},
        says="models of the windy plain: errors in m against where one gets to without noise, and a planned episode",
    ),
    "clinic": Table("agent,seed,episode,episode_return,model_error,optimism_gap", settings=ON_THE_CARTPOLE),
}

Predict = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def main() -> None:
    recording = Recording(ROOT / "notebooks" / "data" / "distribution_shift", "distribution_shift", TABLES)
    for version in VERSIONS:
        for seed in range(NUM_SEEDS):
            model = "first" if version == "0.5" else version
            if not recording.has(
                "episodes", "paths", "beliefs", version=version, policy=version, model=model, seed=seed
            ):
                record_version(recording, version, seed)
    for policy in BASE_POLICIES:
        for seed in range(NUM_SEEDS):
            if not recording.has("coverage", policy=policy, seed=seed):
                recording.put(coverage=[coverage_of(policy, seed)])
    for seed in PLAIN_SEEDS:
        if not recording.has("plain", seed=seed):
            record_plain(recording, seed)
    for seed in range(NUM_MODEL_SEEDS):
        if not recording.has("models", "planned", seed=seed):
            record_models(recording, seed)
    recording.put(clinic=clinic_rows())
    recording.note(
        num_seeds=NUM_SEEDS,
        held_out_seeds=f"{HELD_OUT_SEEDS[0]} to {HELD_OUT_SEEDS[-1]}",
        num_base_episodes=FIRST_PLANNED,
        num_model_seeds=NUM_MODEL_SEEDS,
        planned_size=PLANNED_SIZE,
        num_clinic_seeds=NUM_CLINIC_SEEDS,
    )


def record_version(recording: Recording, version: Version, seed: int) -> None:
    """One version on the cliff hill, on one seed."""
    held_out = held_out_transitions()
    experiment = as_version(EXPERIMENT, version)
    agent, episodes = build_agent(experiment, seed), []
    belief_rows: list[Row] = []
    for episode in watch(agent, experiment, seed, held_out):
        episodes.append(episode)
        if version == "0.5" and episode.record.episode == FIRST_PLANNED - 1:
            belief_rows = beliefs_of("first", seed, agent)
    if version != "0.5":
        belief_rows = beliefs_of(version, seed, agent)
    whole_plan = experiment.replan_every == experiment.task.episode_length
    episode_rows: list[Row] = []
    for e in episodes:
        errors = (e.error_on_visited, e.error_on_base, e.error_on_plan)
        imagined = imagined_return(experiment, e.record.actions, e.imagined) if e.planned and whole_plan else None
        episode_rows.append(
            [version, seed, e.record.episode, e.record.env_steps, int(e.planned)]
            + [number(value) for value in (e.record.episode_return, imagined, *errors)]
        )
    if version == "0.5":  # the base policy's episodes are the same under every version
        path_rows = path_of("base", seed, episodes[:FIRST_PLANNED])
        path_rows += path_of("0.5", seed, episodes[FIRST_PLANNED : FIRST_PLANNED + 1])
    else:
        path_rows = path_of(version, seed, episodes[-1:])
    recording.put(episodes=episode_rows, paths=path_rows, beliefs=belief_rows)
    print(f"version {version}, seed {seed}: last return {episodes[-1].record.episode_return:.0f}", flush=True)


def coverage_of(policy: str, seed: int) -> Row:
    """What 0.5 earns after data of a base policy."""
    experiment = dataclasses.replace(as_version(EXPERIMENT, "0.5"), num_episodes=FIRST_PLANNED + 1)
    agent = build_agent(experiment, seed)
    agent.base_policy = base_policy(policy, np.random.default_rng(seed))
    *data, planned = train(make_env("cliff_hill"), agent, num_episodes=experiment.num_episodes, seed=seed)
    largest_x = max(record.observations[:, 0].max() for record in data)
    return [policy, seed, number(largest_x), number(planned.episode_return)]


@functools.cache
def measured_on() -> tuple[Transition, Transition]:
    """The transitions that errors are measured on: under random actions, and under a good policy."""
    test = train(make_env("cartpole"), Actor(RANDOM_SEED), num_episodes=NUM_TEST_EPISODES, seed=RANDOM_SEED)
    learner = build_agent(CARTPOLE, GOOD_SEED)
    learned = list(train(make_env("cartpole"), learner, num_episodes=CARTPOLE.num_episodes, seed=GOOD_SEED))
    earned = [round(record.episode_return) for record in learned[-NUM_GOOD_EPISODES:]]
    print("the good policy earns", earned, flush=True)
    return transitions_of(test), transitions_of(learned[-NUM_GOOD_EPISODES:])


def record_models(recording: Recording, seed: int) -> None:
    """Errors of models of the cart-pole over the size of their data, and what is earned by planning with them."""
    test, good = measured_on()
    num_episodes = -(-SIZES[-1] // CARTPOLE.task.episode_length)
    data = transitions_of(train(make_env("cartpole"), Actor(seed), num_episodes=num_episodes, seed=seed))
    error_rows: list[Row] = []
    planned_rows: list[Row] = [["simulator", seed, "", number(planned_return(simulated_objective, seed))]]
    for size in SIZES:
        for name, predict in models_of(data.select(slice(0, size)), seed).items():
            errors = (number(one_step_error(predict, transitions)) for transitions in (test, good))
            error_rows.append([name, seed, size, *errors])
            if size == PLANNED_SIZE:
                earned = planned_return(functools.partial(modelled_objective, predict), seed)
                planned_rows.append([name, seed, size, number(earned)])
    recording.put(models=error_rows, planned=planned_rows)
    print(f"models: seed {seed}", flush=True)


def record_plain(recording: Recording, seed: int) -> None:
    """Models of the windy plain from stiff to flexible: errors on the base data and under the plan, and its return."""
    rng = np.random.default_rng(seed)
    data, held_out = (pieces(number, rng) for number in (max(PLAIN_SIZES) // PIECE, NUM_HELD_OUT_PIECES))
    rows: list[Row] = [plain_row("true", seed, "", true_mean, held_out)]
    for size in PLAIN_SIZES:
        for name, predict in models_of_the_plain(data.select(slice(0, size)), seed).items():
            rows.append(plain_row(name, seed, size, predict, held_out))
    recording.put(plain=rows)
    print(f"plain: seed {seed}", flush=True)


def true_mean(position: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
    """Where actions lead on the windy plain without noise."""
    return inside(torch.as_tensor(WindyPlainEnv().mean(position.numpy(), action.numpy()), dtype=torch.float32))


def inside(position: torch.Tensor) -> torch.Tensor:
    """The nearest place inside the walls, which are known: so no prediction grows without end."""
    return position.clamp(-ARENA, ARENA)


def pieces(number: int, rng: np.random.Generator) -> Transition:
    """Short walks with random actions that lean away from the goal."""
    env = WindyPlainEnv()
    env.reset(seed=int(rng.integers(2**31)))
    rows = []
    for _ in range(number):
        env.set_state(rng.uniform(*PIECES_FROM))
        for _ in range(PIECE):
            observation = env.state()
            action = np.clip(rng.uniform(-1.0, 1.0, 2) + np.array([PIECES_LEAN, 0.0]), -1.0, 1.0)
            env.step(action)
            rows.append((observation, action, env.state()))
    fields = (torch.as_tensor(np.array(field), dtype=torch.float32) for field in zip(*rows, strict=True))
    return Transition(*fields)


def models_of_the_plain(data: Transition, seed: int) -> dict[str, Predict]:
    """One model of each class, fitted to the same data."""
    models = {
        "linear": polynomial_model(data, 1),
        "cubic": polynomial_model(data, 3),
        **{f"width_{width}": network_model(data, width, seed, PLAIN) for width in PLAIN_WIDTHS},
    }
    return {name: functools.partial(predict_inside, predict) for name, predict in models.items()}


def predict_inside(predict: Predict, observation: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
    return inside(predict(observation, action))


def polynomial_model(data: Transition, degree: int) -> Predict:
    """Least squares over all products of up to `degree` of the inputs."""

    def powers(observation: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        inputs = torch.cat([torch.ones_like(action[..., :1]), observation, action], dim=-1).double()
        chosen = list(itertools.combinations_with_replacement(range(inputs.shape[-1]), degree))
        return inputs[..., torch.tensor(chosen)].prod(dim=-1)

    change = (data.next_observation - data.observation).double()
    weights = torch.linalg.lstsq(powers(data.observation, data.action), change, driver="gelsd").solution
    return lambda observation, action: observation + (powers(observation, action) @ weights).float()


def plain_row(name: str, seed: int, size: object, predict: Predict, held_out: Transition) -> Row:
    """One model: its errors on held-out base data and where its own plan leads, and the return of that episode."""
    planner = build_planner(
        PLAIN,
        lambda observation: lambda plans: sequence_returns(predict, PLAIN.task.reward, observation, plans),
        torch.Generator().manual_seed(seed),
    )
    actor = Actor(seed, MPC(planner, initial_mean=torch.zeros(PLAIN.horizon, PLAIN.task.act_dim)))
    records = list(train(make_env("windy_plain"), actor, num_episodes=1, seed=seed))
    errors = (error_in_metres(predict, transitions) for transitions in (held_out, transitions_of(records)))
    return [name, seed, size, *map(number, errors), number(records[0].episode_return)]


def error_in_metres(predict: Predict, transitions: Transition) -> float:
    """Root of the mean squared distance from where one would get to without noise, in x or in y."""
    with torch.no_grad():
        error = predict(transitions.observation, transitions.action) - true_mean(*transitions[:2])
    return float((error**2).mean().sqrt())


class Actor:
    """An agent that never learns: random actions, or a controller's."""

    def __init__(self, seed: int, controller: MPC | None = None) -> None:
        self.random = random_policy(CARTPOLE, np.random.default_rng(seed))
        self.controller = controller

    def begin_episode(self) -> None:
        if self.controller is not None:
            self.controller.begin_episode()

    def act(self, observation: Any) -> Any:
        if self.controller is None:
            return self.random(observation)
        with torch.no_grad():
            return np.asarray(self.controller.act(torch.as_tensor(observation, dtype=torch.float32)))

    def record(self, transition: Transition) -> None: ...


def transitions_of(records: Iterable[EpisodeRecord]) -> Transition:
    """The transitions of episodes, as torch tensors."""
    records = list(records)
    fields = (
        [record.observations[:-1] for record in records],
        [record.actions for record in records],
        [record.observations[1:] for record in records],
    )
    return Transition(*(torch.as_tensor(np.concatenate(field), dtype=torch.float32) for field in fields))


def models_of(data: Transition, seed: int) -> dict[str, Predict]:
    """One model of each class, fitted to the same data."""
    return {
        "hand_made": identify(data).predict,
        "linear": linear_model(data),
        **{f"width_{width}": network_model(data, width, seed) for width in WIDTHS},
    }


def linear_model(data: Transition) -> Predict:
    """Least squares; of all solutions the smallest, where the data leaves several."""

    def inputs(observation: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        return torch.cat([observation, action, torch.ones_like(action)], dim=-1)

    weights = torch.linalg.lstsq(
        inputs(data.observation, data.action).double(),
        (data.next_observation - data.observation).double(),
        driver="gelsd",
    ).solution.float()
    return lambda observation, action: observation + inputs(observation, action) @ weights


def network_model(data: Transition, width: int, seed: int, experiment: Experiment = CARTPOLE) -> Predict:
    """A network with the settings of an experiment but for its width."""
    generator = torch.Generator().manual_seed(seed)
    in_dim, out_dim = experiment.task.obs_dim + experiment.task.act_dim, experiment.task.obs_dim
    network = MLP(in_dim, out_dim, width=width, num_hidden_layers=experiment.num_hidden_layers, generator=generator)
    model = DynamicsModel(
        network, input_normalizer=Normalizer.identity(in_dim), delta_normalizer=Normalizer.identity(out_dim)
    )
    fit(
        model,
        data,
        make_optimizer(network, experiment.learning_rate),
        sample_indices=lambda: uniform_indices(len(data.action), experiment.batch_size, generator=generator),
        gradient_steps=experiment.gradient_steps,
    )
    return model.predict


def one_step_error(predict: Predict, transitions: Transition) -> float:
    """Root of the mean over features of (mean squared error / variance of the change): 1 predicts the mean change."""
    with torch.no_grad():
        error = predict(transitions.observation, transitions.action) - transitions.next_observation
    change = transitions.next_observation - transitions.observation
    return float(((error**2).mean(dim=0) / change.var(dim=0, correction=0)).mean().sqrt())


def planned_return(objective_from: Callable[[torch.Tensor], Objective], seed: int) -> float:
    """The return of one episode, planned with an objective at the graded settings."""
    planner = build_planner(CARTPOLE, objective_from, torch.Generator().manual_seed(seed))
    middle = torch.zeros(CARTPOLE.horizon, CARTPOLE.task.act_dim)
    actor = Actor(seed, MPC(planner, initial_mean=middle, replan_every=1))
    (record,) = train(make_env("cartpole"), actor, num_episodes=1, seed=seed)
    return record.episode_return


def modelled_objective(predict: Predict, observation: torch.Tensor) -> Objective:
    return lambda sequences: sequence_returns(predict, CARTPOLE.task.reward, observation, sequences)


def simulated_objective(observation: torch.Tensor) -> Objective:
    """The returns that action sequences really have, from MuJoCo."""
    env = CartPoleEnv()
    x, sin, cos, velocity, angular_velocity = observation.double().tolist()
    env.set_state(np.array([x, np.arctan2(sin, cos), velocity, angular_velocity]))
    model, data = env._model, env._data
    size = mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_FULLPHYSICS)
    start = np.empty(size)
    mujoco.mj_getState(model, data, start, mujoco.mjtState.mjSTATE_FULLPHYSICS)

    def objective(sequences: torch.Tensor) -> torch.Tensor:
        actions = sequences.double().numpy()
        controls = np.repeat(actions, PHYSICS_STEPS_PER_ACTION, axis=1)
        states, _ = mujoco.rollout.rollout(model, data, np.tile(start, (len(actions), 1)), controls)
        x, angle, velocity, angular_velocity = np.moveaxis(
            states[:, PHYSICS_STEPS_PER_ACTION - 1 :: PHYSICS_STEPS_PER_ACTION, 1:5], -1, 0
        )
        reached = np.stack([x, np.sin(angle), np.cos(angle), velocity, angular_velocity], axis=-1)
        rewards = CARTPOLE.task.reward(reached, actions, reached)  # depends on the action and what is reached alone
        return torch.as_tensor(rewards.sum(axis=1), dtype=torch.float32)

    return objective


def clinic_rows() -> list[Row]:
    """Curves of a healthy agent and of three animals of the zoo, from the runs that the bars are calibrated with."""
    (curve,) = (curve for curve in load_assignment().curves if curve.id == CLINIC_CURVE)
    recorded = read_recorded(curve)
    rows: list[Row] = []
    for agent, implementation in PATIENTS.items():
        runs = [run for run in recorded if run.implementation == implementation][:NUM_CLINIC_SEEDS]
        for seed, run in enumerate(runs):
            for episode, values in enumerate(zip(run.returns, run.errors, run.gaps, strict=True)):
                rows.append([agent, seed, episode, *(number(value) for value in values)])
    return rows


@functools.cache
def held_out_transitions() -> dict[str, Transition]:
    """Transitions under the base policy and under the first plan of 0.5, of seeds that no curve uses."""
    experiment = dataclasses.replace(as_version(EXPERIMENT, "0.5"), num_episodes=FIRST_PLANNED + 1)
    records: dict[str, list[EpisodeRecord]] = {"base": [], "plan": []}
    for seed in HELD_OUT_SEEDS:
        for episode in watch(build_agent(experiment, seed), experiment, seed, {}):
            records["plan" if episode.planned else "base"].append(episode.record)
    return {
        policy: Transition(
            np.concatenate([record.observations[:-1] for record in chosen]),
            np.concatenate([record.actions for record in chosen]),
            np.concatenate([record.observations[1:] for record in chosen]),
        )
        for policy, chosen in records.items()
    }


def beliefs_of(model: str, seed: int, agent: Any) -> list[Row]:
    """What the agent's model believes about one full step right along the ridge, and what is true."""
    truth = height(np.column_stack([RIDGE + STEP_LENGTH, np.zeros_like(RIDGE)]))
    return [
        [model, seed, number(x), number(believed, 4), number(true)]
        for x, believed, true in zip(RIDGE, believed_heights(agent, RIDGE), truth, strict=True)
    ]


def path_of(policy: str, seed: int, episodes: Iterable[WatchedEpisode]) -> list[Row]:
    """Where the agent was at each step, and where a plan for the whole episode expected it."""
    rows: list[Row] = []
    for e in episodes:
        whole_plan = e.planned and len(e.imagined) == len(e.record.observations)
        for step, observation in enumerate(e.record.observations):
            imagined = e.imagined[step] if whole_plan else (None, None, None)
            rows.append([policy, seed, e.record.episode, step, *(number(v, 3) for v in (*observation, *imagined))])
    return rows


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
