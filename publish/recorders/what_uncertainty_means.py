"""Records the models that notebooks/masters/what_uncertainty_means.py draws.

Run by `python -m publish.recorders what_uncertainty_means`: about 5 minutes on one core.

Two recordings: models fitted once to the base policy's data, in several ways (`regions.csv`, `detection.csv`,
`points.csv`, `particles.csv`), and agents that learn (`curves.csv`, `maps.csv`).
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import torch
from notebook_cells import (
    ARENA,
    EXPERIMENT,
    FIT,
    NUM_POINTS,
    REGIONS,
    START,
    Distribution,
    Points,
    base_policy_data,
    held_out_points,
    particle_spread,
    rms,
)
from numpy.typing import NDArray

from autograder.solutions import ROOT
from hw4.agents import build_agent_and_parts
from hw4.dynamics_model import fit
from hw4.envs import make_env
from hw4.envs.noisy_field import is_noisy
from hw4.experiments import Experiment
from hw4.training import train
from hw4.transitions import ReplayBuffer, Transition
from publish.recorded_tables import Recording, Row, Table, number

FIRST_SEED = 10  # the claims were written by runs of seeds 0 to 9; these had not been seen
SEED_BLOCKS = (range(FIRST_SEED, 15), range(15, 20))  # both recordings with the first ones, then both with the others
NUM_EPISODES = 25  # of the base policy: 1,000 transitions
NUM_FEW_EPISODES = 4  # 160 transitions
MEMBERS = (2, 3, 5, 10)
HELD_OUT_SEED = 1000  # of the steps that models are asked about: 1000, 1001, ...
PLAN = np.tile([1.0, 0.0], (20, 1))  # straight to the goal at full speed
NUM_TRUE_ROLL_OUTS = 500
GRID = np.linspace(-ARENA, ARENA, 25)  # m
DIRECTIONS = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
FITTED = {"experiment": dataclasses.asdict(EXPERIMENT), "fit": dataclasses.asdict(FIT)}
LEARNED = {"experiment": dataclasses.asdict(EXPERIMENT)}
TABLES = {
    "regions": Table(
        "arm,seed,region,output_std,disagreement,error,coverage_output,coverage_total", key="seed", settings=FITTED
    ),
    "detection": Table("arm,seed,num_members,against,entropy,disagreement,total", key="seed", settings=FITTED),
    "particles": Table("scheme,noise,seed,step,spread", key="seed", settings=FITTED),
    "points": Table("region,x,y,output_variance_x,output_variance_y,disagreement", settings=FITTED),
    "curves": Table(
        "seed,episode,env_steps,episode_return,noisy_steps,region,output_std,disagreement,error",
        key="seed",
        settings=LEARNED,
    ),
    "maps": Table("when,x,y,output_std,disagreement", settings=LEARNED),
    "visited": Table("x,y,episode", settings=LEARNED),
}

Data = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def main() -> None:
    recording = Recording(ROOT / "notebooks" / "data" / "what_uncertainty_means", "what_uncertainty_means", TABLES)
    for seeds in SEED_BLOCKS:
        for record_part, tables, of_first in (
            (fit_once, ("regions", "detection", "particles"), ("points",)),
            (learn, ("curves",), ("maps", "visited")),
        ):
            for seed in seeds:
                if not recording.has(*tables, *(of_first if seed == FIRST_SEED else ()), seed=seed):
                    recording.put(**record_part(seed))
                    print(f"{record_part.__name__}, seed {seed}", flush=True)
    num_seeds = sum(map(len, SEED_BLOCKS))
    recording.note(
        num_seeds=num_seeds,
        num_learning_seeds=num_seeds,
        num_transitions=f"{NUM_EPISODES * EXPERIMENT.task.episode_length:,}",
        num_points=NUM_POINTS,
        few_transitions=NUM_FEW_EPISODES * EXPERIMENT.task.episode_length,
    )


def fit_once(seed: int) -> dict[str, list[Row]]:
    """Models fitted once to the base policy's data, in several ways: rows by table."""
    points = held_out_points(HELD_OUT_SEED + seed)
    data = base_policy_data(NUM_EPISODES, seed)
    ten = dataclasses.replace(FIT, ensemble_size=max(MEMBERS))
    outside = ~is_noisy(data[0])
    models = {
        "resampled": fitted(ten, seed, data, resample=True),
        "shared": fitted(FIT, seed, data, resample=False),
        "squared_error": fitted(dataclasses.replace(FIT, members="squared_error"), seed, data, resample=True),
        "few": fitted(FIT, seed, base_policy_data(NUM_FEW_EPISODES, seed), resample=True),
        "hole": fitted(FIT, seed, (data[0][outside], data[1][outside], data[2][outside]), resample=True),
    }
    rows = {
        "regions": [
            row_of(arm, seed, region, distribution, points[region])
            for arm, distribution in models.items()
            for region in REGIONS
        ],
        "detection": detection_of("resampled", seed, models["resampled"], points, MEMBERS)
        + detection_of("shared", seed, models["shared"], points, (FIT.ensemble_size,)),
        "particles": particles_of(seed, models["resampled"]),
    }
    if seed == FIRST_SEED:
        rows["points"] = points_of(models["resampled"], points)
    return rows


def fitted(experiment: Experiment, seed: int, data: Data, *, resample: bool) -> Distribution:
    """Fit an ensemble once; with `resample` every member has a bootstrap sample, without it all of the data."""
    agent, parts = build_agent_and_parts(experiment, seed)
    replay = ReplayBuffer()
    for transition in zip(*data, strict=True):
        replay.append(Transition(*transition))
    if resample:
        agent.fit(replay)
    else:
        shape, generator = (experiment.ensemble_size, experiment.batch_size), parts.generator
        fit(
            parts.model,
            Transition(*(torch.from_numpy(field) for field in replay.stacked())),
            parts.optimizer,
            sample_indices=lambda: torch.randint(len(replay), shape, generator=generator),
            gradient_steps=experiment.gradient_steps,
        )
    return distribution_of(parts.model)


def distribution_of(model: Any) -> Distribution:
    """What each member expects, in NumPy; a squared-error member's variance is not a number."""

    def distribution(observations: NDArray[Any], actions: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        inputs = [torch.as_tensor(values, dtype=torch.float32) for values in (observations, actions)]
        with torch.no_grad():
            if not hasattr(model, "predict_distribution"):
                means = np.asarray(model.predict(*inputs), dtype=np.float64)
                return means, np.full_like(means, np.nan)
            mean, variance = model.predict_distribution(*inputs)
        return np.asarray(mean, dtype=np.float64), np.asarray(variance, dtype=np.float64)

    return distribution


def row_of(arm: str, seed: int, region: str, distribution: Distribution, points: Points) -> Row:
    """Root mean squares (m) of one region's points, per coordinate; coverage of 95 % intervals as a share."""
    means, variances = distribution(points.observations, points.actions)
    means, variances = means[: EXPERIMENT.ensemble_size], variances[: EXPERIMENT.ensemble_size]  # the same number
    disagreement = means.std(axis=0)
    total = np.sqrt(variances.mean(axis=0) + disagreement**2)
    alone = np.abs(points.next_observations - means) < 1.96 * np.sqrt(variances)
    together = np.abs(points.next_observations - means.mean(axis=0)) < 1.96 * total
    has_variance = not np.isnan(variances).any()
    return [arm, seed, region] + [
        number(value)
        for value in (
            rms(np.sqrt(variances)),
            rms(disagreement),
            rms(means.mean(axis=0) - points.mean_next),
            alone.mean() if has_variance else np.nan,
            together.mean() if has_variance else np.nan,
        )
    ]


def detection_of(
    arm: str, seed: int, distribution: Distribution, points: dict[str, Points], members: tuple[int, ...]
) -> list[Row]:
    """Areas under the ROC curve: does a score tell one kind of ground from another? Rows of detection.csv."""
    scores: dict[str, dict[str, NDArray[Any]]] = {}
    rows: list[Row] = []
    for num_members in members:
        for region in REGIONS:
            means, variances = distribution(points[region].observations, points[region].actions)
            means, variances = means[:num_members], variances[:num_members]
            disagreement = means.var(axis=0).sum(axis=-1)
            scores[region] = {
                "entropy": 0.5 * np.log(2 * np.pi * math.e * variances).sum(axis=-1),  # (members, points)
                "disagreement": disagreement,
                "total": disagreement + variances.mean(axis=0).sum(axis=-1),
            }
        for against, positives, negatives in (
            ("turned or visited", ("turned",), ("quiet", "noisy")),
            ("far or visited", ("far",), ("quiet", "noisy")),
            ("turned or far", ("turned",), ("far",)),
        ):
            values = []
            for score in ("entropy", "disagreement", "total"):
                positive = np.concatenate([scores[region][score] for region in positives], axis=-1)
                negative = np.concatenate([scores[region][score] for region in negatives], axis=-1)
                pairs = zip(np.atleast_2d(positive), np.atleast_2d(negative), strict=True)  # of entropy: every member
                values.append(np.mean([np.mean(p[:, None] > n) for p, n in pairs]))
            rows.append([arm, seed, num_members, against, *(number(value) for value in values)])
    return rows


def particles_of(seed: int, distribution: Distribution) -> list[Row]:
    """How far particles of one plan come apart, imagined and real: rows of particles.csv."""
    rows: list[Row] = []
    for scheme, change_member in (("ts_inf", False), ("ts1", True)):
        for noise in (False, True):
            spread = particle_spread(
                distribution,
                PLAN,
                num_members=max(MEMBERS),
                change_member=change_member,
                sample_noise=noise,
                rng=np.random.default_rng(seed),
            )
            rows += [[scheme, int(noise), seed, step + 1, number(value)] for step, value in enumerate(spread)]
    env, ends = make_env("noisy_field"), []
    for roll_out in range(NUM_TRUE_ROLL_OUTS):
        env.reset(seed=None if roll_out else HELD_OUT_SEED + seed)
        env.set_state(np.array(START))
        ends.append([env.step(action)[0] for action in PLAN])
    true_spread = np.sqrt(np.var(ends, axis=0).sum(axis=-1))
    rows += [["real", 1, seed, step + 1, number(value)] for step, value in enumerate(true_spread)]
    return rows


def points_of(distribution: Distribution, points: dict[str, Points]) -> list[Row]:
    """Held-out points with one network's output variances and five networks' disagreement: rows of points.csv."""
    rows: list[Row] = []
    for region in REGIONS:
        means, variances = distribution(points[region].observations, points[region].actions)
        disagreement = means[: EXPERIMENT.ensemble_size].var(axis=0).sum(axis=-1)
        columns = np.column_stack([points[region].observations, variances[0], disagreement])
        rows += [[region, *(number(value) for value in row)] for row in columns]
    return rows


def learn(seed: int) -> dict[str, list[Row]]:
    """An agent that learns: uncertainty by region after every episode; of the first seed its map, too."""
    points = held_out_points(HELD_OUT_SEED + seed)
    agent, parts = build_agent_and_parts(EXPERIMENT, seed)
    distribution = distribution_of(parts.model)
    rows: dict[str, list[Row]] = {"curves": [], "maps": [], "visited": []}
    noisy_steps = 0  # of the agent's data, so far
    for r in train(make_env("noisy_field"), agent, num_episodes=EXPERIMENT.num_episodes, seed=seed):
        noisy_steps += int(is_noisy(r.observations[:-1]).sum())
        if seed == FIRST_SEED:
            rows["visited"] += [[*(number(value, 3) for value in place), r.episode] for place in r.observations]
        if len(agent.replay) < EXPERIMENT.initial_steps:
            continue
        for region in REGIONS:
            _, _, _, output_std, disagreement, error, *_ = row_of("", seed, region, distribution, points[region])
            run = [seed, r.episode, r.env_steps, number(r.episode_return), noisy_steps]
            rows["curves"].append([*run, region, output_std, disagreement, error])
        if seed == FIRST_SEED and len(agent.replay) == EXPERIMENT.initial_steps:
            rows["maps"] += map_of("first", distribution)
    if seed == FIRST_SEED:
        rows["maps"] += map_of("last", distribution)
    return rows


def map_of(when: str, distribution: Distribution) -> list[Row]:
    """Output std and disagreement (m) on the grid, root mean squares over four moves: rows of maps.csv."""
    x, y = np.meshgrid(GRID, GRID)
    places = np.column_stack([x.ravel(), y.ravel()])
    squares = []
    for action in DIRECTIONS:
        means, variances = distribution(places, np.tile(action, (len(places), 1)))
        squares.append([variances.mean(axis=(0, -1)), means.var(axis=0).mean(axis=-1)])
    columns = np.column_stack([places, np.sqrt(np.mean(squares, axis=0)).T])
    return [[when, *(number(value, 3) for value in row)] for row in columns]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
