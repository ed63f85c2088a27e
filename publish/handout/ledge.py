"""The walks of the notebook `uncertainty_aware`, on the ledge and the bridge: what the handout draws and quotes."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from autograder.solutions import ROOT
from hw4.commands.csv_rows import read_rows
from hw4.commands.jupyter import interval_of_median
from hw4.commands.plots import BLUE, ORANGE, VERMILION
from hw4.envs.ledge import LedgeEnv
from hw4.rewards import BRIDGE_TO, LEDGE_CURVATURE, LEDGE_DROP, LEDGE_EDGE
from publish.handout import MINUS
from publish.recorded_tables import settings_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DATA = ROOT / "notebooks" / "data" / "uncertainty_aware"
BOLD, CAREFUL = "one_mean", "five_sampled"  # whose paths are drawn
COSTS = {  # the rows of the table of costs
    "true_mean": "the true model, on its mean",
    "true_sampled": "the true model, its noise sampled",
    "one_mean": "one network, on its mean",
    "one_wide_mean": "one wide network, on its mean",
    "one_sampled": "one network, its noise sampled",
    "five_means": "five networks, on their means",
    "five_gaussian_means": "five Gaussian networks, on their means",
    "five_sampled": "five, their noise sampled: expected return",
    "mean_minus_std": "the same, mean minus std of the returns",
    "pessimistic": "the same, pessimistic",
    "mean_plus_std": "the same, mean plus std of the returns",
    "optimistic": "the same, optimistic",
}
PLANNED, FIRST, LAST_THREE = slice(1, None), slice(1, 2), slice(-3, None)  # episodes
MEAN_X = 2.8  # m; where two plans are predicted to end
STDS = (0.05, 0.3)  # m; how sure that is

Row = dict[str, str]
Walks = dict[tuple[str, str], list[list[Row]]]


def walks() -> Walks:
    """(map, arm) -> the episodes of each seed, in order."""
    by_run: dict[tuple[str, str, str], list[Row]] = {}
    for row in read_rows(DATA / "walks.csv"):
        by_run.setdefault((row["map"], row["arm"], row["seed"]), []).append(row)
    runs: Walks = {}
    for (on, arm, _), episodes in by_run.items():
        runs.setdefault((on, arm), []).append(episodes)
    return runs


def means_of(runs: list[list[Row]], name: str, episodes: slice) -> list[float]:
    """A column averaged over some episodes, for each seed."""
    return [statistics.fmean(float(row[name]) for row in run[episodes]) for run in runs]


def evaluations() -> int:
    """Model evaluations for each step of the horizon and iteration of the search; the same for all rows."""
    recorded = settings_of(DATA / "walks.csv")["maps"]["ledge"]
    return int(recorded["population_size"] * recorded["ensemble_size"] * recorded["num_particles"])


def path_of(arm: str) -> list[tuple[float, float]]:
    """The recorded last episode of an arm on the ledge, as (x, y)."""
    return [(float(row["x"]), float(row["y"])) for row in read_rows(DATA / "paths.csv") if row["arm"] == arm]


def with_interval(values: list[float], digits: int = 0) -> str:
    """The median and its exact 95 % interval, "73 [71, 77]"."""
    numbers = (statistics.median(values), *interval_of_median(values))
    middle, low, high = (f"{number:.{digits}f}".replace("-", MINUS) for number in numbers)
    return f"{middle} [{low}, {high}]"


def ledge_facts() -> dict[str, object]:
    """Numbers that the text, the captions and the table of costs quote."""
    runs = walks()

    def compared(arm: str, other: str, episodes: slice, name: str = "episode_return", on: str = "ledge") -> str:
        pairs = zip(*(means_of(runs[on, one], name, episodes) for one in (arm, other)), strict=True)
        return with_interval([a - b for a, b in pairs], 1 if name == "falls" else 0)

    def far(arm: str) -> str:
        if ("bridge", arm) not in runs:
            return ""
        stands = means_of(runs["bridge", arm], "stands", slice(-1, None))
        return f"{100 * statistics.fmean(x > BRIDGE_TO for x in stands):.0f} %"

    return {
        "edge": f"{LEDGE_EDGE:g}",
        "drop": f"{LEDGE_DROP:g}",
        "noise_cm": f"{100 * LedgeEnv.noise_std:g}",
        "mean_x": f"{MEAN_X:g}",
        "seeds": str(len(runs["ledge", CAREFUL])),
        "length": str(LedgeEnv.task.episode_length),
        "falls": {arm: str(sum(x > LEDGE_EDGE for x, _ in path_of(arm)[1:])) for arm in (BOLD, CAREFUL)},
        "bold": f"{expected_reward(STDS[1]):.2f}".replace("-", MINUS),
        "sure": f"{expected_reward(STDS[0]):.2f}",
        "stds_cm": [f"{100 * std:g}" for std in STDS],
        "evaluations": str(evaluations()),
        "costs": [
            {
                "arm": label,
                "first": with_interval(means_of(runs["ledge", arm], "episode_return", FIRST)),
                "last": with_interval(means_of(runs["ledge", arm], "episode_return", LAST_THREE)),
                "falls": with_interval(means_of(runs["ledge", arm], "falls", LAST_THREE), 1),
                "far": far(arm),
            }
            for arm, label in COSTS.items()
        ],
        "careless_far": far(BOLD),
        "careless_gorge": compared(BOLD, CAREFUL, PLANNED, "falls", "bridge"),
        "perfect": compared("true_sampled", "true_mean", PLANNED),
        "members": compared("five_means", "one_mean", FIRST),
        "noise": compared(CAREFUL, "five_gaussian_means", LAST_THREE),
        "five_or_one": compared(CAREFUL, "one_sampled", FIRST),
    }


def expected_reward(std: float, mean: float = MEAN_X) -> float:
    """Expected reward on the ridge of a step that ends at a Gaussian x, without the cost of the action."""
    standard = statistics.NormalDist()
    z = (LEDGE_EDGE - mean) / std
    return mean * standard.cdf(z) - std * standard.pdf(z) - LEDGE_DROP * (1 - standard.cdf(z))


def draw_walks(bold: Axes, careful: Axes, equal: Axes) -> None:
    """One agent walks along the edge and falls, one keeps its distance, and why their means do not tell them apart."""
    import numpy as np

    x, y = np.meshgrid(np.linspace(-1, LEDGE_EDGE, 101), np.linspace(-2, 2, 81))
    titles = {"one, on its mean": (bold, BOLD, VERMILION), "five, sampled": (careful, CAREFUL, BLUE)}
    for title, (panel, arm, color) in titles.items():
        panel.contourf(x, y, x - LEDGE_CURVATURE * y**2, levels=12, cmap="Greys_r", alpha=0.55)
        panel.axvspan(LEDGE_EDGE, 4, color="#333333", lw=0)
        path = np.array(path_of(arm))
        panel.plot(path[:, 0], path[:, 1], color=color, lw=1, marker=".", ms=3)
        fallen = path[1:][path[1:, 0] > LEDGE_EDGE]
        panel.plot(fallen[:, 0], fallen[:, 1], ls="", marker="x", ms=5, mew=1.2, color="white")
        panel.set(title=f"{title}: {len(fallen)} falls", xlabel="x (m)", xlim=(-1, 4), ylim=(-2, 2))
    bold.set_ylabel("y (m)")
    careful.set_yticklabels([])
    spreads = np.linspace(0.01, 0.5, 99)
    equal.plot(spreads, [expected_reward(std) for std in spreads], color="black")
    equal.axhline(MEAN_X, color="#555555", lw=0.8, ls=":")
    equal.text(0.5, MEAN_X + 0.15, "reward at the mean", ha="right", va="bottom", color="#555555")
    for std, color in zip(STDS, (BLUE, ORANGE), strict=True):
        equal.plot(std, expected_reward(std), ls="", marker="o", ms=4, color=color)
    equal.set(title=f"mean x = {MEAN_X:g} m", xlabel="std of x (m)", ylabel="expected reward", ylim=(-6.5, 4.2))
