"""Records the runs that notebooks/masters/system_identification.py draws.

Run by `python -m publish.recorders system_identification`: about a quarter of an hour on one idle core.

Each seed draws a robot, and gives it one trial of random actions. `fits.csv` holds what three fits to that trial get
wrong, `returns.csv` what a planner earns with each of them, with the true numbers, and with an ensemble of networks
that was fitted to the same trial. handout/topics/system_identification.csv holds the numbers that the handout shows.

Claims. Their form was fixed before the seeds below were looked at; the robots, the solver and the planner were chosen
with seeds below 100. A seed counts as one number. Intervals are exact ones of the median over seeds, of at least 95 %;
arms are compared by the differences seed by seed.

1. The identified model earns more than the ensemble of networks: the interval of the difference lies above 0.
2. With robots that are wired the other way round, it earns more than the fit of the logarithm of the gain: the interval
   of the difference lies above 0. With the others the interval is reported.
3. With the transitions near the stops the mass ratio is further off, where there are any: the interval of the
   difference of the absolute errors of its logarithm lies above 0. For gain and length the intervals are reported.
4. Against the true numbers, the interval of the difference is reported; they are said to be level if it lies within 5
   of 0. What the fit with the stops earns is reported, too.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from autograder.solutions import ROOT
from hw4.commands.jupyter import interval_of_median, read_table
from hw4.envs import system_identification as world
from hw4.notebooks.system_identification_runs import (
    ARMS,
    ENSEMBLE,
    FITS,
    controller_of_arm,
    fitted,
    num_near_stops,
    robot_of,
    swing_up,
    trial_of,
)
from hw4.topics import system_identification as topic
from publish.recorded_tables import COMMAND, Recording, Row, Table, number, write_table

SEEDS = range(700, 720)
NUMBERS = ("gain", "ratio", "length")

NAME = "system_identification"
DATA = ROOT / "notebooks" / "data" / NAME
SETTINGS = {
    "robots": [list(world.GEAR), list(world.POLE_LENGTH), list(world.POLE_MASS), world.TRIAL_STEPS],
    "planner": {**topic.PLANNER, "horizon": topic.HORIZON, "std": topic.INITIAL_STD, "color": topic.NOISE_COLOR},
    "near_stops": topic.NEAR_STOPS,
    "ensemble": [ENSEMBLE.ensemble_size, ENSEMBLE.gradient_steps, ENSEMBLE.population_size],
}
TABLES = {
    "fits": Table(
        "fit,seed,sign,near_stops,gain,ratio,length",
        key="fit,seed",
        settings=SETTINGS,
        says="gain: error over the true one; ratio and length: error of the logarithm",
    ),
    "returns": Table("arm,seed,sign,episode_return", key="arm,seed", settings=SETTINGS),
}
MEASURED = Table(
    "quantity,median,low,high,min,max",
    says=f"over seeds: median with its exact interval, smallest and largest; from notebooks/data/{NAME}",
)


def main() -> None:
    recording = Recording(DATA, NAME, TABLES)
    for seed in SEEDS:
        truth, sign = robot_of(seed).true_parameters(), -1 if seed % 2 else 1
        units = np.array([truth[0], 1.0, 1.0])
        for fit in FITS:
            if not recording.has("fits", fit=fit, seed=seed):
                trial = trial_of(seed)
                errors = (fitted(trial, fit) - truth) / units
                recording.put(
                    fits=[[fit, seed, sign, num_near_stops(trial), *(number(float(error), 4) for error in errors)]]
                )
        for arm in ARMS:
            if not recording.has("returns", arm=arm, seed=seed):
                value = swing_up(controller_of_arm(arm, seed), seed)
                recording.put(returns=[[arm, seed, sign, number(value)]])
                print(f"seed {seed}, {arm}: {value:.1f}", flush=True)
        write_what_the_handout_shows()
    recording.note(num_seeds=len(SEEDS))


def write_what_the_handout_shows() -> None:
    place = ROOT / "handout" / "topics" / f"{NAME}.csv"
    write_table(place, MEASURED, measured(), [f"written by: {COMMAND.format(NAME)}"])


def measured() -> list[Row]:
    """Rows of the handout's table: returns in their units, errors in percent."""
    fits, returns = read_table(DATA / "fits.csv", texts=("fit",)), read_table(DATA / "returns.csv", texts=("arm",))
    values: dict[str, NDArray[np.float64]] = {}
    of = {arm: returns["episode_return"][returns["arm"] == arm] for arm in ARMS}
    turned = returns["sign"][returns["arm"] == ARMS[0]] < 0
    for arm in ARMS:
        values[f"return, {arm}"] = of[arm]
        if arm != "identified":
            values[f"identified minus {arm}"] = of["identified"] - of[arm]
    for name, chosen in (("wired the other way round", turned), ("wired as usual", ~turned)):
        if chosen.any():
            values[f"return, logarithm of the gain, {name}"] = of["logarithm of the gain"][chosen]
            values[f"identified minus logarithm of the gain, {name}"] = (
                of["identified"] - of["logarithm of the gain"]
            )[chosen]
    near = fits["near_stops"][fits["fit"] == "identified"] > 0
    for name in NUMBERS:
        error = {fit: 100 * np.abs(fits[name][fits["fit"] == fit]) for fit in ("identified", "with the stops")}
        values[f"error of {name}, identified"] = error["identified"]
        if near.any():
            values[f"error of {name}, with the stops"] = error["with the stops"][near]
            values[f"error of {name}, stops minus identified"] = (error["with the stops"] - error["identified"])[near]
    return [
        [name, *(f"{value:.2f}" for value in (np.median(of), *interval_of_median(of), of.min(), of.max()))]
        for name, of in values.items()
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
