"""The figures of the notebook moment_matching (given)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from hw4.commands.jupyter import Array, find_data, median_text, own_seeds, read_table, show
from hw4.commands.plots import BLUE, GREEN, ORANGE, VERMILION
from hw4.envs import moment_matching as world
from hw4.notebooks.moment_matching_runs import EDGES, NEAR_MIDDLE, NUM_TRIALS, pilco_trials

DATA = find_data("moment_matching")
BIFURCATION, HISTOGRAM = read_table(DATA / "bifurcation.csv"), read_table(DATA / "histogram.csv")
TRIALS = read_table(DATA / "trials.csv", texts=("arm", "expected_cost"))
FORECASTS = read_table(DATA / "forecasts.csv")
COLORS = {"PILCO": BLUE, "MPC agent": ORANGE}
SEEDS = np.array(sorted(set.intersection(*(set(TRIALS["seed"][TRIALS["arm"] == arm]) for arm in COLORS))))
SUCCESS = 0.9  # mean height in the last second
SECONDS = world.EPISODE_LENGTH * world.SECONDS  # of experience in a trial
STEPS = (3, 5, 15)


def _bell(x: Array, std: float) -> Array:
    return np.asarray(np.exp(-0.5 * (x / std) ** 2) / (std * np.sqrt(2 * np.pi)))


def bifurcation(my_prediction: str = "") -> None:
    """One Gaussian and many samples through the same model."""
    _, grid = plt.subplots(1, len(STEPS), figsize=(10, 3.0), sharey=True)
    x, middle = np.linspace(-1.8, 1.8, 200), (EDGES[:-1] + EDGES[1:]) / 2
    for axes, step in zip(grid, STEPS, strict=True):
        axes.fill_between(middle, HISTOGRAM["density"][HISTOGRAM["step"] == step], color="0.8", label="samples")
        for column, color, label in (
            ("sampled_std", GREEN, "Gaussian, true moments"),
            ("matched_std", VERMILION, "moment matching"),
        ):
            axes.plot(x, _bell(x, float(BIFURCATION[column][step])), color=color, label=label)
        axes.axvspan(-NEAR_MIDDLE, NEAR_MIDDLE, color="0.95", zorder=-1)
        axes.set(title=f"after {step} steps", xlabel="x")
    grid[0].set_ylabel("density")
    grid[-1].legend(fontsize=8)

    def row(step: int) -> tuple[str, ...]:
        found = {name: float(values[step]) for name, values in BIFURCATION.items()}
        stds, masses = ("matched_std", "sampled_std"), ("mass_of_matched", "mass_of_moments", "mass")
        return (
            str(step),
            *(f"{found[name]:.2f}" for name in stds),
            *(f"{found[name]:.2f}" for name in masses),
        )

    show(
        f"x' = x + 0.3 (x - x^3) from N(0, 0.2^2), by a GP. Mass: the share with |x| < {NEAR_MIDDLE}, as claimed by "
        "moment matching, by a Gaussian with the true moments, and in truth.",
        (
            ("steps", "std, matched", "std, samples", "mass, matched", "mass, true moments", "mass, samples"),
            *(row(step) for step in (1, 3, 5, 10, 15)),
        ),
        my_prediction=my_prediction,
    )


def _of(arm: str, column: str) -> Array:
    """One row a seed, shape (seeds, trials)."""
    return np.array([TRIALS[column][(TRIALS["arm"] == arm) & (TRIALS["seed"] == seed)] for seed in SEEDS])


def _experience(arm: str) -> Array:
    """Seconds before the first success, at most NUM_TRIALS trials of them."""
    upright = _of(arm, "last_second")[:, :NUM_TRIALS] >= SUCCESS
    return np.asarray(np.where(upright.any(axis=1), upright.argmax(axis=1), NUM_TRIALS) * SECONDS)


def curves(my_prediction: str = "") -> None:
    """PILCO and the agent of this course on the same pendulum."""
    _, grid = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True)
    for axes, (arm, color) in zip(grid, COLORS.items(), strict=True):
        returns = _of(arm, "episode_return")
        seconds = SECONDS * (1 + np.arange(returns.shape[1]))
        axes.plot(seconds, returns.T, color=color, linewidth=0.6, alpha=0.5)
        axes.plot(seconds, np.median(returns, axis=0), color="black", linewidth=2)
        axes.set(title=f"{arm}, each seed and the median", xlabel="experience (s)", xlim=(0, 36))
    grid[0].set_ylabel("return of a trial")

    def row(arm: str) -> tuple[str, ...]:
        returns, experience = _of(arm, "episode_return")[:, :NUM_TRIALS], _experience(arm)
        solved = int((_of(arm, "last_second")[:, :NUM_TRIALS] >= SUCCESS).any(axis=1).sum())
        return (
            arm,
            median_text(returns[:, 0], "", 1),
            median_text(returns[:, 1:].mean(axis=1), "", 1),
            f"{solved} of {len(SEEDS)}",
            median_text(experience, " s", 1),
            median_text(_of(arm, "seconds")[:, :NUM_TRIALS].sum(axis=1), " s"),
        )

    difference = _experience("PILCO") - _experience("MPC agent")
    show(
        f"{len(SEEDS)} seeds, the first {NUM_TRIALS} trials. A success stays at {SUCCESS} of the height in the last "
        "second. Experience before the first success, PILCO minus MPC agent by seed: "
        f"{median_text(difference, ' s', 1)}.",
        (
            (
                "median [95 %]",
                "random trial",
                "planned trials",
                "seeds with a success",
                "experience before it",
                "processor time",
            ),
            *(row(arm) for arm in COLORS),
        ),
        my_prediction=my_prediction,
    )


def _inside(trial: int) -> Array:
    chosen = FORECASTS["trial"] == trial
    inside = np.abs(FORECASTS["angle"] - FORECASTS["mean"]) <= 2.0 * FORECASTS["std"]
    return np.array([inside[chosen & (FORECASTS["seed"] == seed)].mean() for seed in SEEDS])


def forecasts(my_prediction: str = "") -> None:
    """What the roll-out said, and what happened: the first seed's first and last planned trial."""
    _, grid = plt.subplots(1, 2, figsize=(10, 3.2), sharey=True)
    last = NUM_TRIALS - 1
    for axes, trial in zip(grid, (1, last), strict=True):
        chosen = (FORECASTS["trial"] == trial) & (FORECASTS["seed"] == SEEDS[0])
        seconds = world.SECONDS * FORECASTS["step"][chosen]
        mean, std, angle = (FORECASTS[column][chosen] for column in ("mean", "std", "angle"))
        axes.fill_between(seconds, mean - 2 * std, mean + 2 * std, color=BLUE, alpha=0.2, linewidth=0)
        axes.plot(seconds, mean, color=BLUE, label="forecast, 2 std")
        axes.plot(seconds, angle, color="black", label="what happened")
        axes.axhline(0.0, color="0.7", linewidth=0.8, zorder=0)
        axes.set(title=f"planned trial {trial}", xlabel="time (s)")
    grid[0].set_ylabel("angle from upright (rad)")
    grid[0].legend()
    show(
        f"The angle, seed {int(SEEDS[0])}. The table: all {len(SEEDS)} seeds.",
        (
            ("median [95 %]", "planned trial 1", f"planned trial {last}"),
            ("steps within 2 std", *(median_text(100 * _inside(trial), " %") for trial in (1, last))),
        ),
        my_prediction=my_prediction,
    )


def live(use_my_code: bool, student_id: str, my_prediction: str = "") -> None:
    """Two planned trials of PILCO with the student's functions, among the recorded ones."""
    _, axes = plt.subplots(figsize=(6, 3.2))
    returns = _of("PILCO", "episode_return")
    axes.plot(np.arange(returns.shape[1]), returns.T, ".-", color=BLUE, linewidth=0.5, alpha=0.5)
    words = "USE_MY_CODE is False."
    if use_my_code:
        (seed,) = own_seeds(student_id, 1)
        mine = [trial.episode_return for trial in pilco_trials(seed, num_trials=3)]
        axes.plot(np.arange(len(mine)), mine, "o-", color="black", linewidth=2)
        words = f"Mine, in black: {', '.join(f'{value:.1f}' for value in mine)}."
    axes.set(xlabel="trial (0 is random)", ylabel="return")
    show(f"Returns of PILCO, one line a recorded seed. {words}", (), my_prediction=my_prediction)
