"""The handout's table of trade-offs between classes of models: the runs that notebook distribution_shift draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from hw4.notebooks.distribution_shift_classes import CLASSES, GUESSED, SIZES, column, regret
from publish.handout.ledge import with_interval

FEWEST, MOST = SIZES[0], SIZES[-1]  # transitions


def model_class_facts() -> dict[str, Any]:
    """The table's rows, and what its caption says of them."""
    fitted = {model: label for model, (label, _, _) in CLASSES.items()}
    return {
        "seeds": str(len(column("episode_return", "simulator"))),
        "fewest": f"{FEWEST:,}",
        "most": f"{MOST:,}",
        "rows": [_row("guessed", GUESSED, (0,)), *(_row(*fit, (FEWEST, MOST)) for fit in fitted.items())],
    }


def _row(model: str, label: str, sizes: tuple[int, ...]) -> dict[str, str]:
    """One class, with its fewest data and with its most; what is fitted to nothing has one size."""

    def medians(name: str, digits: int) -> list[str]:
        return [f"{np.median(column(name, model, size)):.{digits}f}" for size in sizes]

    return {
        "class": label,
        "random": ", ".join(medians("error_in_distribution", 2)),
        "good": ", ".join(medians("error_on_good_policy", 2)),
        "few": with_interval(regret(model, sizes[0])),
        "many": with_interval(regret(model, sizes[1])) if len(sizes) > 1 else "the same",
        "plan": medians("plan_milliseconds", 0)[-1],
    }
