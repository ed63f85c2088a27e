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
"""

from __future__ import annotations

import numpy as np
import torch

from autograder.solutions import ROOT
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
    calibration,
    fit_toy,
    run_agent,
    toy_answers,
    toy_data,
)
from hw4.topics.bayesian_networks_models import FIRST_STD, TEMPERATURE
from publish.recorded_tables import Recording, Table, number

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
}


def main() -> None:
    recording = Recording(DATA, NAME, TABLES)
    for seed in SEEDS:
        for task in TASKS:
            record_agents(recording, task, seed)
        record_curves(recording, seed)
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


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
