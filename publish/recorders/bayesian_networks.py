"""Records what notebooks/masters/bayesian_networks.py draws.

Run by `python -m publish.recorders bayesian_networks`: about an hour on one idle core.

`runs.csv` holds agents whose five functions come from an ensemble or are drawn from a posterior, on the cart-pole and
on the ledge, with the same planner, the same starts and the same number of gradient steps; `costs.csv` their processor
time; `calibration.csv` what models of random transitions say of others, and of a good agent's. `gap.csv` is about
curves with a gap in the data, `picture.csv` one of them, `probabilities.csv` the probabilities that concrete dropout
learns.

Claims. Their form was fixed before the seeds below were looked at; the settings are those of the experiments, and
whatever else is in hw4/notebooks/bayesian_networks_runs.py was tried on seed 0 alone. A seed counts as one number.
Intervals are exact ones of the median over seeds, of at least 95 %; arms are compared by the differences seed by seed,
always Bayes by Backprop, dropout or concrete dropout minus the ensemble.

1. Over-confident on the cart-pole: the interval of the difference of spread over error, on random transitions, lies
   below 0. How many times, is reported; so is the ledge.
2. Slower on the cart-pole: the interval of the difference of the mean return of the first four planned episodes lies
   below 0. The last two are reported.
3. Detection, the ledge's return and the falls: whatever the interval says.
4. A fit takes longer: the interval of the ratio of the seconds lies above 1. Of a plan it is reported.
5. Concrete dropout drops less where there are more data: the interval of the difference of the mean probability, at the
   largest number minus at the smallest, lies below 0, with noise and without. Without noise it drops less than with
   it, at the largest number: the same.
6. In a gap between two groups of measurements, an ensemble's functions are further apart than at the data: the interval
   of the ratio lies above 1. Those of the others are not, since a factorised q cannot be certain on both sides and open
   in between (Foong et al. 2019, "In-Between Uncertainty in Bayesian Neural Networks"): it lies below 1.
7. Bayesian linear regression, `exact.csv`, places just beyond the data against places near it. More members detect
   better, be they draws of the posterior or resampled fits: the intervals of the difference of AUROC, 10 minus 2 and 30
   minus 10, lie above 0. What is still missing to the exact posterior is reported. Members that share the data are all
   the same, since their least squares have one solution: no interval is needed.
8. Few members see too little information: the interval of exact minus five draws lies above 0.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from autograder.solutions import ROOT
from hw4.commands.jupyter import interval_of_median, read_table
from hw4.notebooks import bayesian_networks_exact as exact
from hw4.notebooks.bayesian_networks_runs import (
    DROP_PROBABILITY,
    FITS_AT_ONCE,
    NOISE_STD,
    NUM_RANDOM_EPISODES,
    POSTERIORS,
    TASKS,
    TOY_GAP,
    TOY_GRID,
    TOY_NOISE,
    auroc,
    calibration,
    fit_toy,
    run_agent,
    toy_answers,
    toy_data,
)
from hw4.topics.bayesian_networks_models import FIRST_STD, TEMPERATURE
from publish.recorded_tables import COMMAND, Recording, Row, Table, number, write_table

SEEDS = range(1500, 1520)
NUM_TOY = 60
NUMBERS = (20, 100, 500)  # of measurements

NAME = "bayesian_networks"
DATA = ROOT / "notebooks" / "data" / NAME
POSTERIOR = {"noise_std": NOISE_STD, "drop": DROP_PROBABILITY, "first_std": FIRST_STD, "temperature": TEMPERATURE}
AGENTS = {**POSTERIOR, **{name: [e.ensemble_size, e.gradient_steps, e.num_episodes] for name, e in TASKS.items()}}
TABLES = {
    "runs": Table(
        "task,posterior,seed,episode,episode_return,falls",
        key="task,posterior,seed",
        settings=AGENTS,
        says="falls: env steps past the edge",
    ),
    "costs": Table(
        "task,posterior,seed,fit,plan,drop_probability",
        key="task,posterior,seed",
        settings=AGENTS,
        says="processor seconds of one fit and of one plan; the mean probability at the end",
    ),
    "calibration": Table(
        "task,posterior,seed,auroc,ratio_in,ratio_out",
        key="task,posterior,seed",
        settings={**AGENTS, "fits": FITS_AT_ONCE, "random_episodes": NUM_RANDOM_EPISODES},
        says="AUROC of the spread; root mean square spread over error, on random transitions and on a good agent's",
    ),
    "gap": Table(
        "posterior,seed,in_gap,at_data", key="posterior,seed", settings=POSTERIOR, says="mean std over functions"
    ),
    "picture": Table("posterior,function,x,y", key="posterior", settings=POSTERIOR),
    "probabilities": Table("noise,number,seed,p", key="noise,number,seed", settings=POSTERIOR),
    "exact": Table(
        "way,members,seed,auroc,information",
        key="way,members,seed",
        settings={"features": exact.NUM_FEATURES, "data": exact.NUM_DATA, "border": list(exact.BORDER)},
        says="AUROC of the spread, places just beyond the data against places near it; mean information there, in nats",
    ),
}
MEASURED = Table(
    "quantity,median,low,high",
    says=f"over seeds: median with its exact interval; from notebooks/data/{NAME} and the recorded reference runs",
)


def main() -> None:
    recording = Recording(DATA, NAME, TABLES)
    for seed in SEEDS:
        record_exact(recording, seed)
    for seed in SEEDS:
        for task in TASKS:
            record_agents(recording, task, seed)
        record_curves(recording, seed)
        write_what_the_handout_shows()
    recording.note(num_seeds=len(SEEDS))


def record_agents(recording: Recording, task: str, seed: int) -> None:
    """All posteriors on one task; the good agent is the ensemble's."""
    if all(recording.has("calibration", task=task, posterior=posterior, seed=seed) for posterior in POSTERIORS):
        return
    good = None
    for posterior in POSTERIORS:
        run = run_agent(posterior, task, seed)
        good = run.good if good is None else good
        found = calibration(posterior, task, good, seed)
        key = [task, posterior, seed]
        logits = getattr(getattr(run.model, "posterior", None), "drop_logits", None)
        p = None if logits is None else float(logits.detach().sigmoid().mean())
        seconds = (run.clock.fit / run.clock.num_fits, run.clock.plan / run.clock.num_plans)
        episodes = enumerate(zip(run.returns, run.falls, strict=True))
        recording.put(
            runs=[[*key, episode, number(value), number(falls)] for episode, (value, falls) in episodes],
            costs=[[*key, *(number(value, 4) for value in seconds), number(p, 4)]],
            calibration=[[*key, *(number(value, 4) for value in found)]],
        )
        print(*key, run.returns.round(0), found, flush=True)


def record_curves(recording: Recording, seed: int) -> None:
    """Fits to measurements with a gap, and to more and more of them."""
    inside = np.abs(TOY_GRID - np.mean(TOY_GAP)) < np.ptp(TOY_GAP) / 2
    measured = ~inside & (np.abs(TOY_GRID) < 1.0)
    for posterior in POSTERIORS:
        if not recording.has("gap", posterior=posterior, seed=seed):
            data = toy_data(NUM_TOY, TOY_NOISE, np.random.default_rng(seed))
            answers = toy_answers(fit_toy(posterior, data, seed))
            std = answers.std(axis=0)
            recording.put(gap=[[posterior, seed, number(std[inside].mean(), 4), number(std[measured].mean(), 4)]])
            if seed == SEEDS[0]:
                rows = [
                    [posterior, function, number(x, 4), number(y, 4)]
                    for function, line in enumerate(answers)
                    for x, y in zip(TOY_GRID, line, strict=True)
                ]
                recording.put(picture=rows)
    for noise in (0.0, TOY_NOISE):
        for many in NUMBERS:
            if not recording.has("probabilities", noise=noise, number=many, seed=seed):
                data = toy_data(many, noise, np.random.default_rng(seed))
                model = fit_toy("concrete dropout", data, seed, num_functions=1)
                p = float(np.mean(model.posterior.drop_probabilities()))  # type: ignore[attr-defined]
                recording.put(probabilities=[[noise, many, seed, number(p, 4)]])


def record_exact(recording: Recording, seed: int) -> None:
    """Linear regression on one plane: the posterior, and ensembles of more and more members."""
    plane = exact.plane_of(seed)
    features, near, beyond = (plane.features(places) for places in (plane.measured, plane.visited, plane.border))
    posterior = exact.posterior_of(features, plane.targets)
    if not recording.has("exact", way="exact", seed=seed):
        at_near, at_border = (exact.exact_information(places, posterior) for places in (near, beyond))
        values = (number(auroc(at_border, at_near), 4), number(at_border.mean(), 4))
        recording.put(exact=[["exact", 0, seed, *values]])
    for way in exact.WAYS:
        for members in exact.MEMBERS:
            if recording.has("exact", way=way, members=members, seed=seed):
                continue
            rng = np.random.default_rng([seed, members, exact.WAYS.index(way)])
            weights = exact.members_of(way, members, features, plane.targets, rng)
            at_near, at_border = ((weights @ places.T).var(axis=0).round(12) for places in (near, beyond))
            information = exact.information_of(weights @ beyond.T).mean().round(12) + 0.0
            recording.put(exact=[[way, members, seed, number(auroc(at_border, at_near), 4), number(information, 4)]])


def write_what_the_handout_shows() -> None:
    place = ROOT / "handout" / "topics" / f"{NAME}.csv"
    write_table(place, MEASURED, measured(), [f"written by: {COMMAND.format(NAME)}"])


def whole_seeds(calibrated: dict[str, NDArray[np.float64]]) -> list[int]:
    """The seeds of which all agents are recorded."""
    wanted = len(POSTERIORS) * len(TASKS)
    return [int(seed) for seed in np.unique(calibrated["seed"]) if (calibrated["seed"] == seed).sum() == wanted]


def of_agents(task: str, posterior: str) -> dict[str, NDArray[np.float64]]:
    """What is compared, one number a seed: name -> shape (seeds,)."""
    texts = ("task", "posterior")
    tables = {name: read_table(DATA / f"{name}.csv", texts=texts) for name in ("runs", "costs", "calibration")}
    seeds = whole_seeds(tables["calibration"])

    def column(table: str, name: str) -> NDArray[np.float64]:
        rows = tables[table]
        chosen = (rows["task"] == task) & (rows["posterior"] == posterior) & np.isin(rows["seed"], seeds)
        return np.asarray(rows[name][chosen].reshape(len(seeds), -1))

    returns, last = column("runs", "episode_return"), 2 if task == "cartpole" else 5
    return {
        "first four": returns[:, 1:5].mean(axis=1),
        "return": returns[:, -last:].mean(axis=1),
        "falls": column("runs", "falls")[:, -last:].mean(axis=1),
        "auroc": column("calibration", "auroc")[:, 0],
        "ratio_in": column("calibration", "ratio_in")[:, 0],
        "ratio_out": column("calibration", "ratio_out")[:, 0],
        "fit": column("costs", "fit")[:, 0],
        "plan": 1000 * column("costs", "plan")[:, 0],
    }


def reference_scores(implementation: str) -> NDArray[np.float64]:
    """Mean return of the last five episodes of the recorded runs of the graded ledge."""
    rows = read_table(
        ROOT / "autograder" / "recorded" / "reference" / "curve_ledge.csv",
        texts=("implementation", "code_hash", "law", "returns", "errors", "gaps"),
    )
    chosen = rows["returns"][rows["implementation"] == implementation]
    return np.array([np.mean([float(value) for value in text.split()][-5:]) for text in chosen])


def measured() -> list[Row]:
    """Rows of the handout's tables; plans in milliseconds."""
    values: dict[str, NDArray[np.float64]] = {}
    num_seeds = len(whole_seeds(read_table(DATA / "calibration.csv", texts=("task", "posterior"))))
    values["seeds"] = np.full(num_seeds, num_seeds, dtype=np.float64)
    for task in TASKS:
        base = of_agents(task, "ensemble")
        for posterior in POSTERIORS:
            for name, numbers in of_agents(task, posterior).items():
                if not np.isnan(numbers).any():
                    values[f"{task}, {posterior}, {name}"] = numbers
                    values[f"{task}, {posterior}, {name}, difference"] = numbers - base[name]
    found = read_table(DATA / "exact.csv", texts=("way",))
    for way in np.unique(found["way"]):
        for members in np.unique(found["members"][found["way"] == way]):
            chosen = (found["way"] == way) & (found["members"] == members)
            values[f"AUROC, {way}, {members:.0f}"] = found["auroc"][chosen]
            values[f"information, {way}, {members:.0f}"] = found["information"][chosen]
    for implementation in ("reference", "no_resampling"):
        values[f"graded ledge, {implementation}"] = reference_scores(implementation)
    return [
        [name, *(f"{round(float(value), 3) + 0.0:.3f}" for value in (np.median(of), *interval_of_median(of)))]
        for name, of in values.items()
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
