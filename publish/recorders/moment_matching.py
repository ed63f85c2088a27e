"""Records what notebooks/masters/moment_matching.py draws.

Run by `python -m publish.recorders moment_matching`: about half an hour on one idle core.

`bifurcation.csv` and `histogram.csv` follow one Gaussian and many samples through the same model; there is one seed, of
the samples. `trials.csv` holds PILCO and the agent of this course on the same pendulum, `forecasts.csv` what PILCO's
roll-out said of its first and its last planned trial, and what happened.

Claims. Their form was fixed before the seeds below were looked at; policy, optimiser, agent and the motor's torque were
tried on seeds 0 to 9. With the torque of gymnasium, 2 instead of 2.5 N m, the same optimiser seldom found the swing: 0
of 3 seeds (1600 to 1602) had a success in 6 trials. A seed counts as one number. Intervals are exact ones of the median
over seeds, of at least 95 %; PILCO and the agent are compared by the differences seed by seed. A trial is a success if
the pendulum's end is at `SUCCESS` of its height or above in the mean of the last second.

1. PILCO learns: the interval of its mean return in the last three trials minus that of its random trial lies above 0.
2. Experience before the first success, in seconds, at most that of `NUM_TRIALS` trials for either: if the interval of
   PILCO minus the agent lies below 0, PILCO is said to need less; else the interval is reported. So are the seeds
   without a success.
3. Mean return of the planned trials 1 to 4, PILCO minus the agent: whatever the interval says.
4. Processor time of PILCO over the agent's, in the first `NUM_TRIALS` trials: the interval lies above 1.
5. Share of the steps at which the angle is within two std of the forecast, in the first planned trial and in the last:
   if the interval lies below 0.95, the forecast is said to be over-confident; else it is reported.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from autograder.solutions import ROOT
from hw4.commands.jupyter import interval_of_median, read_table
from hw4.envs import moment_matching as world
from hw4.notebooks import moment_matching_runs as runs
from hw4.topics import moment_matching_gp as gp
from hw4.topics import moment_matching_pilco as pilco
from publish.recorded_tables import COMMAND, Recording, Row, Table, number, write_table

SEEDS = range(1620, 1640)
SUCCESS = 0.9
ARMS = ("PILCO", "MPC agent")

NAME = "moment_matching"
DATA = ROOT / "notebooks" / "data" / NAME
EPISODES = {"steps": world.EPISODE_LENGTH, "torque": world.MAX_TORQUE, "start_std": world.START_STD}
AGENTS = {
    **EPISODES,
    "pilco": [
        *(runs.NUM_TRIALS, runs.GRADIENT_STEPS, runs.NUM_RESTARTS, runs.HOLD),
        *(pilco.NUM_CENTERS, pilco.WEIGHT_STD, pilco.MAX_DATA, pilco.LEARNING_RATE, *pilco.COST_WEIGHT),
        *(gp.FIT_ITERATIONS, gp.SMALLEST_NOISE, gp.PRIOR_STD),
    ],
    "agent": [
        *(runs.MPC_AGENT.ensemble_size, runs.MPC_AGENT.gradient_steps, runs.MPC_AGENT.population_size),
        *(runs.MPC_AGENT.horizon, runs.MPC_AGENT.num_episodes),
    ],
}
SPLIT = {"start_std": runs.START_STD, "measured": runs.NUM_MEASURED, "samples": runs.NUM_SAMPLES}
TABLES = {
    "bifurcation": Table(
        "step,matched_std,sampled_std,mass,mass_of_moments,mass_of_matched",
        settings=SPLIT,
        says=f"mass: share of the samples with |x| < {runs.NEAR_MIDDLE}, then what Gaussians claim",
    ),
    "histogram": Table("step,left,density", settings=SPLIT, says="density of the samples in a bin, by its left edge"),
    "trials": Table(
        "arm,seed,trial,episode_return,last_second,expected_cost,seconds",
        key="arm,seed",
        settings=AGENTS,
        says="trial 0 is random; last_second: mean height; seconds of processor time",
    ),
    "forecasts": Table(
        "seed,trial,step,mean,std,angle", key="seed", settings=AGENTS, says="angle from upright in rad, by PILCO"
    ),
}
MEASURED = Table(
    "quantity,median,low,high", says=f"over seeds: median with its exact interval; from notebooks/data/{NAME}"
)


def main() -> None:
    recording = Recording(DATA, NAME, TABLES)
    if not recording.has("bifurcation", "histogram"):
        record_bifurcation(recording)
    for seed in SEEDS:
        for arm, play in (("PILCO", runs.pilco_trials), ("MPC agent", runs.mpc_trials)):
            if not recording.has("trials", arm=arm, seed=seed):
                trials = list(play(seed))
                rows: dict[str, list[Row]] = {"trials": [_row(arm, seed, n, one) for n, one in enumerate(trials)]}
                if arm == "PILCO":
                    rows["forecasts"] = [
                        [seed, n, step, number(mean, 4), number(std, 4), number(angle, 4)]
                        for n in (1, len(trials) - 1)
                        for step, ((mean, std), angle) in enumerate(
                            zip(np.asarray(trials[n].forecast).tolist(), trials[n].angles.tolist(), strict=True), 1
                        )
                    ]
                recording.put(**rows)
                print(f"seed {seed}, {arm}: {[round(one.episode_return, 1) for one in trials]}", flush=True)
        write_what_the_handout_shows()
        recording.note(num_seeds=len(whole_seeds()))


def _row(arm: str, seed: int, trial: int, one: runs.Trial) -> Row:
    cost = number(one.expected_cost, 3) if np.isfinite(one.expected_cost) else ""
    return [arm, seed, trial, number(one.episode_return, 3), number(one.last_second, 4), cost, number(one.seconds, 2)]


def record_bifurcation(recording: Recording) -> None:
    found = runs.bifurcation()
    rows: list[Row] = []
    bins: list[Row] = []
    for step, (matched, sample) in enumerate(zip(found.matched_std, found.sampled, strict=True)):
        mass = float((np.abs(sample) < runs.NEAR_MIDDLE).mean())
        claimed = runs.gaussian_mass(float(sample.std())), runs.gaussian_mass(float(matched))
        rows.append([step, *(number(value, 4) for value in (float(matched), float(sample.std()), mass, *claimed))])
        density, _ = np.histogram(sample, bins=runs.EDGES, density=True)
        bins += [
            [step, number(float(left), 3), number(float(d), 4)] for left, d in zip(runs.EDGES, density, strict=False)
        ]
    recording.put(bifurcation=rows, histogram=bins)


def whole_seeds() -> NDArray[np.float64]:
    """Seeds of which both arms are recorded."""
    rows = read_table(DATA / "trials.csv", texts=("arm", "expected_cost"))
    first, second = (set(rows["seed"][rows["arm"] == arm]) for arm in ARMS)
    return np.array(sorted(first & second))


def of_arm(arm: str) -> dict[str, NDArray[np.float64]]:
    """What the claims are about, one number a seed."""
    rows = read_table(DATA / "trials.csv", texts=("arm", "expected_cost"))
    seeds, values = whole_seeds(), {}
    of: dict[str, NDArray[np.float64]] = {}
    for column in ("episode_return", "last_second", "seconds"):
        values[column] = np.array(
            [rows[column][(rows["arm"] == arm) & (rows["seed"] == seed)][: runs.NUM_TRIALS] for seed in seeds]
        )
    returns, upright = values["episode_return"], values["last_second"] >= SUCCESS
    first = np.where(upright.any(axis=1), upright.argmax(axis=1), runs.NUM_TRIALS)
    of["experience"] = first * world.EPISODE_LENGTH * world.SECONDS
    of["random trial"], of["planned trials"] = returns[:, 0], returns[:, 1:].mean(axis=1)
    of["last three"] = returns[:, -3:].mean(axis=1)
    of["success"] = upright.any(axis=1).astype(float)
    of["processor time"] = values["seconds"].sum(axis=1)
    return of


def within_forecast(trial: int) -> NDArray[np.float64]:
    """Share of the steps of a trial within two std of the forecast, one number a seed."""
    rows = read_table(DATA / "forecasts.csv")
    inside = np.abs(rows["angle"] - rows["mean"]) <= 2.0 * rows["std"]
    chosen = rows["trial"] == trial
    return np.array([inside[chosen & (rows["seed"] == seed)].mean() for seed in whole_seeds()])


def measured() -> list[Row]:
    """Rows of the handout's table."""
    of = {arm: of_arm(arm) for arm in ARMS}
    values = {f"{name}, {arm}": numbers for arm in ARMS for name, numbers in of[arm].items() if name != "success"}
    for name in ("experience", "planned trials"):
        values[f"{name}, PILCO minus MPC agent"] = of["PILCO"][name] - of["MPC agent"][name]
    values["learned, PILCO"] = of["PILCO"]["last three"] - of["PILCO"]["random trial"]
    values["processor time, ratio"] = of["PILCO"]["processor time"] / of["MPC agent"]["processor time"]
    for trial, name in ((1, "first"), (runs.NUM_TRIALS - 1, "last")):
        values[f"within the forecast, {name}"] = within_forecast(trial)
    rows: list[Row] = [
        [name, *(f"{value:.2f}" for value in (np.median(numbers), *interval_of_median(numbers)))]
        for name, numbers in values.items()
    ]
    counts = {f"seeds with a success, {arm}": int(of[arm]["success"].sum()) for arm in ARMS} | {
        "seeds": len(whole_seeds())
    }
    return [*rows, *([name, str(count), "", ""] for name, count in counts.items()), *_of_bifurcation()]


def _of_bifurcation() -> list[Row]:
    table = read_table(DATA / "bifurcation.csv")
    return [
        [f"{column}, step {step}", f"{table[column][step]:.2f}", "", ""]
        for step in (1, 3, 5, 10, 15)
        for column in ("matched_std", "sampled_std", "mass", "mass_of_moments", "mass_of_matched")
    ]


def write_what_the_handout_shows() -> None:
    if len(whole_seeds()):
        place = ROOT / "handout" / "topics" / f"{NAME}.csv"
        write_table(place, MEASURED, measured(), [f"written by: {COMMAND.format(NAME)}"])


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
