"""The walks of the notebook `uncertainty_aware`, on the ledge and the bridge: what the handout draws and quotes."""

from __future__ import annotations

import statistics
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autograder.solutions import ROOT
from hw4.commands.jupyter import median_text, read_table
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
    "one_sampled": "one network, its noise sampled",
    "five_means": "five networks, on their means",
    "five_gaussian_means": "five Gaussian networks, on their means",
    "five_sampled": "five, their noise sampled: expected return",
    "pessimistic": "the same, pessimistic",
    "optimistic": "the same, optimistic",
}
PLANNED, FIRST, LAST_THREE = slice(1, None), slice(1, 2), slice(-3, None)  # episodes
NOT_RUN = "not run"  # in the table of costs
MEAN_X = 2.8  # m; where two plans are predicted to end
STDS = (0.05, 0.3)  # m; how sure that is

Array = NDArray[Any]


@cache
def recorded_walks() -> dict[str, Array]:
    """The columns of walks.csv."""
    return read_table(DATA / "walks.csv", texts=("map", "arm"))


def walks(column: str, arm: str, episodes: slice, on: str = "ledge") -> Array:
    """A column of an arm on a map, averaged over some episodes, one number a seed; none if it has not been there."""
    table = recorded_walks()
    chosen = (table["map"] == on) & (table["arm"] == arm)
    of_seeds = table[column][chosen].reshape(len(np.unique(table["seed"])), -1)
    return np.asarray(of_seeds[:, episodes].mean(axis=1)) if chosen.any() else np.empty(0)


def compared(arm: str, other: str, episodes: slice, column: str = "episode_return", on: str = "ledge") -> Array:
    """Paired differences of two arms, one a seed."""
    return walks(column, arm, episodes, on) - walks(column, other, episodes, on)


def far(arm: str) -> str:
    """The share of seeds that end behind the bridge, in words if the arm has not been there."""
    stands = walks("stands", arm, slice(-1, None), "bridge")
    return f"{100 * (stands > BRIDGE_TO).mean():.0f} %" if len(stands) else NOT_RUN


def evaluations() -> int:
    """Model evaluations for each step of the horizon and iteration of the search; the same for all rows."""
    recorded = settings_of(DATA / "walks.csv")["maps"]["ledge"]
    return int(recorded["population_size"] * recorded["ensemble_size"] * recorded["num_particles"])


def path_of(arm: str) -> Array:
    """The recorded last episode of an arm on the ledge, shape (steps + 1, 2)."""
    table = read_table(DATA / "paths.csv", texts=("arm",))
    return np.column_stack([table[axis][table["arm"] == arm] for axis in "xy"])


def with_interval(values: Array, digits: int = 0) -> str:
    """The median over seeds with its exact 95 % interval, as the handout sets numbers."""
    return median_text(values, "", digits).replace("-", MINUS)


def ledge_facts() -> dict[str, object]:
    """Numbers that the text, the captions and the table of costs quote."""
    return {
        "edge": f"{LEDGE_EDGE:g}",
        "drop": f"{LEDGE_DROP:g}",
        "noise_cm": f"{100 * LedgeEnv.noise_std:g}",
        "mean_x": f"{MEAN_X:g}",
        "seeds": str(len(walks("falls", CAREFUL, PLANNED))),
        "length": str(LedgeEnv.task.episode_length),
        "falls": {arm: str((path_of(arm)[1:, 0] > LEDGE_EDGE).sum()) for arm in (BOLD, CAREFUL)},
        "bold": f"{expected_reward(STDS[1]):.2f}".replace("-", MINUS),
        "sure": f"{expected_reward(STDS[0]):.2f}",
        "stds_cm": [f"{100 * std:g}" for std in STDS],
        "evaluations": str(evaluations()),
        "costs": [
            {
                "arm": label,
                "first": with_interval(walks("episode_return", arm, FIRST)),
                "last": with_interval(walks("episode_return", arm, LAST_THREE)),
                "falls": with_interval(walks("falls", arm, LAST_THREE), 1),
                "far": far(arm),
            }
            for arm, label in COSTS.items()
        ],
        "careless_gorge": with_interval(compared(BOLD, CAREFUL, PLANNED, "falls", "bridge"), 1),
        "perfect": with_interval(compared("true_sampled", "true_mean", PLANNED)),
        "members": with_interval(compared("five_means", "one_mean", FIRST)),
        "noise": with_interval(compared(CAREFUL, "five_gaussian_means", LAST_THREE)),
        "five_or_one": with_interval(compared(CAREFUL, "one_sampled", FIRST)),
    }


def expected_reward(std: float, mean: float = MEAN_X) -> float:
    """Expected reward on the ridge of a step that ends at a Gaussian x, without the cost of the action."""
    standard = statistics.NormalDist()
    z = (LEDGE_EDGE - mean) / std
    return mean * standard.cdf(z) - std * standard.pdf(z) - LEDGE_DROP * (1 - standard.cdf(z))


def draw_walks(bold: Axes, careful: Axes, equal: Axes) -> None:
    """One agent walks along the edge and falls, one keeps its distance, and why their means do not tell them apart."""
    x, y = np.meshgrid(np.linspace(-1, LEDGE_EDGE, 101), np.linspace(-2, 2, 81))
    titles = {"one, on its mean": (bold, BOLD, VERMILION), "five, sampled": (careful, CAREFUL, BLUE)}
    for title, (panel, arm, color) in titles.items():
        panel.contourf(x, y, x - LEDGE_CURVATURE * y**2, levels=12, cmap="Greys_r", alpha=0.55)
        panel.axvspan(LEDGE_EDGE, 4, color="#333333", lw=0)
        path = path_of(arm)
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
