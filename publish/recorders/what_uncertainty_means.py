"""Records the models that notebooks/masters/what_uncertainty_means.py draws.

Run by `python -m publish.recorders what_uncertainty_means`: about 20 minutes on one core.

Four recordings: models fitted once to the base policy's data, in several ways (`regions.csv`, `points.csv`,
`particles.csv`); agents that learn (`curves.csv`, `maps.csv`); ten members, resampled or not, asked where they have not
been (`detection.csv`); and agents whose bootstrap sets are drawn anew at each fit or kept (`bootstrap.csv`).

What the last two compare was fixed before they were recorded, on seeds that nobody had used. All differences are paired
by seed, and the exact 95 % interval of their median decides: if it holds 0 (of a ratio, 1), no difference is claimed.

1. Quiet and noisy ground apart, five resampled members. The lecture says that disagreement marks unvisited ground and
   that the output entropy of one network does not. AUROC of the turned patch against quiet ground, and against noisy
   ground: disagreement minus entropy is positive on both, and the entropy against noisy ground is below 0.5. Of the
   entropy against quiet ground the lecture says nothing. The same for the far patch.
2. Members, where the task is not at its ceiling: places just beyond the data (`BORDER`) against visited ground, members
   that share the data, as the lecture recommends, and resampled ones. More members are better: AUROC of 5 minus 2 and
   of 10 minus 5.
3. Resampling is usually unnecessary, says the lecture: AUROC of resampled minus shared, five members, on the same task,
   is not positive.
4. `hw4/agents.py` draws new bootstrap sets at every fit; a bootstrap proper keeps each member's set, which only grows.
   At the end of training, disagreement with kept sets divided by that with redrawn ones, by region: above 1 on visited
   ground (quiet, noisy), because redrawn sets show each member all data in time; of far ground nothing is expected.
   Mean return of the planned episodes, kept minus redrawn: nothing is expected.

`BORDER` was chosen on seeds 0 to 2, where two members had AUROCs between 0.7 and 0.9; on those, shared data was ahead.
"""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autograder.solutions import ROOT
from hw4.agents import AgentParts, build_agent_and_parts
from hw4.dynamics_model import fit
from hw4.envs import make_env
from hw4.envs.noisy_field import ARENA, START, is_noisy
from hw4.experiments import Experiment
from hw4.mpc import ModelBasedAgent
from hw4.notebooks.what_uncertainty_means_runs import (
    BORDER,
    EXPERIMENT,
    FIT,
    NUM_POINTS,
    REGIONS,
    Distribution,
    Points,
    base_policy_data,
    border_points,
    held_out_points,
    particle_spread,
    rms,
)
from hw4.training import train
from hw4.transitions import ReplayBuffer, Transition
from publish.recorded_tables import Recording, Row, Table, number

FIRST_SEED = 10  # the claims were written by runs of seeds 0 to 9; these had not been seen
SEED_BLOCKS = (range(FIRST_SEED, 15), range(15, 20))  # both recordings with the first ones, then both with the others
NEW_SEEDS = range(400, 420)  # of the claims above: nobody had looked at these either
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
    "detection": Table(
        "arm,seed,num_members,against,entropy,disagreement,total", key="seed", settings={**FITTED, "border": BORDER}
    ),
    "particles": Table("scheme,noise,seed,step,spread", key="seed", settings=FITTED),
    "points": Table("region,x,y,output_variance_x,output_variance_y,disagreement", settings=FITTED),
    "curves": Table(
        "seed,episode,env_steps,episode_return,noisy_steps,region,output_std,disagreement,error",
        key="seed",
        settings=LEARNED,
    ),
    "bootstrap": Table(
        "sets,seed,episode,episode_return,quiet,noisy,turned,far",
        key="seed",
        settings=LEARNED,
        says="after each episode: its return, and the disagreement (m) in each region",
    ),
    "maps": Table("when,x,y,output_std,disagreement", settings=LEARNED),
    "visited": Table("x,y,episode", settings=LEARNED),
}

Data = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def main() -> None:
    recording = Recording(ROOT / "notebooks" / "data" / "what_uncertainty_means", "what_uncertainty_means", TABLES)
    for seeds in SEED_BLOCKS:
        for record_part, tables, of_first in (
            (fit_once, ("regions", "particles"), ("points",)),
            (learn, ("curves",), ("maps", "visited")),
        ):
            for seed in seeds:
                if not recording.has(*tables, *(of_first if seed == FIRST_SEED else ()), seed=seed):
                    recording.put(**record_part(seed))
                    print(f"{record_part.__name__}, seed {seed}", flush=True)
    for seed in NEW_SEEDS:
        for record_part, table in ((detect, "detection"), (learn_from_sets, "bootstrap")):
            if not recording.has(table, seed=seed):
                began = time.process_time()
                recording.put(**record_part(seed))
                print(f"{table}, seed {seed}: {time.process_time() - began:.0f} CPU s", flush=True)
    num_seeds = sum(map(len, SEED_BLOCKS))
    recording.note(
        num_seeds=num_seeds,
        num_learning_seeds=num_seeds,
        num_new_seeds=len(NEW_SEEDS),
        border=" to ".join(map(str, BORDER)),
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


def detect(seed: int) -> dict[str, list[Row]]:
    """Ten members fitted once, with bootstrap samples and with shared data: which places do they find?"""
    data = base_policy_data(NUM_EPISODES, seed)
    points = {**held_out_points(HELD_OUT_SEED + seed), "border": border_points(HELD_OUT_SEED + seed, data[0])}
    ten = dataclasses.replace(FIT, ensemble_size=max(MEMBERS))
    rows: list[Row] = []
    for arm, resample in (("resampled", True), ("shared", False)):
        distribution = fitted(ten, seed, data, resample=resample)
        for num_members in MEMBERS:
            rows += detection_of(arm, seed, num_members, distribution, points)
    return {"detection": rows}


def detection_of(
    arm: str, seed: int, num_members: int, distribution: Distribution, points: dict[str, Points]
) -> list[Row]:
    """Areas under the ROC curve: does a score tell unvisited places from visited ones? Rows of detection.csv."""
    scores: dict[str, dict[str, NDArray[Any]]] = {}
    for region, of_region in points.items():
        means, variances = distribution(of_region.observations, of_region.actions)
        means, variances = means[:num_members], variances[:num_members]
        disagreement = means.var(axis=0).sum(axis=-1)
        scores[region] = {
            "entropy": 0.5 * np.log(2 * np.pi * math.e * variances).sum(axis=-1),  # (members, points)
            "disagreement": disagreement,
            "total": disagreement + variances.mean(axis=0).sum(axis=-1),
        }
    rows: list[Row] = []
    for unvisited in ("turned", "far", "border"):
        for against, visited in (("quiet", ("quiet",)), ("noisy", ("noisy",)), ("visited", ("quiet", "noisy"))):
            if against != "visited" and (arm, num_members) != ("resampled", EXPERIMENT.ensemble_size):
                continue  # not drawn
            values = []
            for score in ("entropy", "disagreement", "total"):
                positive = scores[unvisited][score]
                negative = np.concatenate([scores[region][score] for region in visited], axis=-1)
                pairs = zip(np.atleast_2d(positive), np.atleast_2d(negative), strict=True)  # of entropy: every member
                values.append(np.mean([np.mean(p[:, None] > n) for p, n in pairs]))
            rows.append([arm, seed, num_members, f"{unvisited} or {against}", *(number(value) for value in values)])
    return rows


def learn_from_sets(seed: int) -> dict[str, list[Row]]:
    """Two agents that learn: bootstrap sets drawn anew at each fit, and kept. Rows of bootstrap.csv."""
    points = held_out_points(HELD_OUT_SEED + seed)
    rows: list[Row] = []
    for sets in ("redrawn", "kept"):
        agent, parts = build_agent_and_parts(EXPERIMENT, seed)
        if sets == "kept":
            keep_bootstrap_sets(agent, parts, seed)
        distribution = distribution_of(parts.model)
        for r in train(make_env("noisy_field"), agent, num_episodes=EXPERIMENT.num_episodes, seed=seed):
            if len(agent.replay) >= EXPERIMENT.initial_steps:
                means = [distribution(points[region].observations, points[region].actions)[0] for region in REGIONS]
                disagreement = [number(rms(of_region.std(axis=0))) for of_region in means]
                rows.append([sets, seed, r.episode, number(r.episode_return), *disagreement])
    return {"bootstrap": rows}


def keep_bootstrap_sets(agent: ModelBasedAgent, parts: AgentParts, seed: int) -> None:
    """Let every member keep its set: how often it holds a transition is drawn once, when the transition arrives.

    The number is Poisson with mean 1: what a bootstrap sample of a large data set holds of each of its transitions.
    """
    rng = np.random.default_rng([seed, 1])
    sets: list[list[int]] = [[] for _ in range(EXPERIMENT.ensemble_size)]
    num_known = 0

    def fit_to(replay: ReplayBuffer) -> None:
        nonlocal num_known
        for index in range(num_known, len(replay)):
            for of_member, times in zip(sets, rng.poisson(1.0, len(sets)), strict=True):
                of_member += [index] * int(times)
        num_known = len(replay)
        members = [torch.tensor(of_member) for of_member in sets]

        def sample_indices() -> torch.Tensor:
            shape = (EXPERIMENT.batch_size,)
            return torch.stack([own[torch.randint(len(own), shape, generator=parts.generator)] for own in members])

        fit(
            parts.model,
            Transition(*(torch.from_numpy(field) for field in replay.stacked())),
            parts.optimizer,
            sample_indices=sample_indices,
            gradient_steps=EXPERIMENT.gradient_steps,
        )

    agent.fit = fit_to


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
