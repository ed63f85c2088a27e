"""The handout's table of trade-offs between classes of models, from the recorded runs of the cart-pole."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograder.solutions import ROOT
from hw4.commands.jupyter import read_table
from publish.handout.ledge import with_interval

TABLE = ROOT / "notebooks" / "data" / "distribution_shift" / "model_classes.csv"
CLASSES = {  # the rows
    "guessed": "hand-made, numbers guessed",
    "hand_made": "hand-made, three numbers fitted",
    "linear": "linear",
    "network": "one network",
    "ensemble": "five networks",
    "gaussian_process": "Gaussian process",
}
NO_DATA = "guessed"
FEWEST, MOST = 50, 3200  # transitions

Array = NDArray[np.float64]


def class_facts() -> dict[str, Any]:
    """The table's rows, and what its caption says of them."""
    table = read_table(TABLE, texts=("model",))

    def of(column: str, model: str, size: int) -> Array:
        return np.asarray(
            table[column][(table["model"] == model) & (table["size"] == (size if model != NO_DATA else 0))]
        )

    def medians(column: str, model: str, digits: int) -> list[str]:
        sizes = (FEWEST,) if model == NO_DATA else (FEWEST, MOST)
        return [f"{np.median(of(column, model, size)):.{digits}f}" for size in sizes]

    simulator = np.asarray(table["episode_return"][table["model"] == "simulator"])
    return {
        "seeds": str(len(simulator)),
        "fewest": f"{FEWEST:,}",
        "most": f"{MOST:,}",
        "rows": [
            {
                "class": label,
                "random": ", ".join(medians("error_in_distribution", model, 2)),
                "good": ", ".join(medians("error_on_good_policy", model, 2)),
                "few": with_interval(simulator - of("episode_return", model, FEWEST)),
                "many": "the same"
                if model == NO_DATA
                else with_interval(simulator - of("episode_return", model, MOST)),
                "plan": medians("plan_milliseconds", model, 0)[-1],
            }
            for model, label in CLASSES.items()
        ],
    }
