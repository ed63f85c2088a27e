"""What the notebooks share: recorded tables, medians with intervals, and the look of a figure (given)."""

from __future__ import annotations

import base64
import hashlib
import html
import math
import textwrap
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw4.commands.csv_rows import read_rows

Array = NDArray[Any]

MAX_OWN_SEED = 1_000_000  # six digits: short enough to be quoted


def use_style() -> None:
    """The notebooks' settings of matplotlib."""
    plt.rcParams.update(
        {
            "figure.dpi": 110,
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 10,
            "axes.titlelocation": "left",
            "font.size": 9,
            "legend.frameon": False,
            "legend.fontsize": 8,
        }
    )


def find_data(name: str) -> Path:
    """The folder of recorded runs of the notebook `name`: data/NAME next to the notebook, or in a folder above it.

    Raises:
        FileNotFoundError: there is none.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        for candidate in (folder / "data" / name, folder / "notebooks" / "data" / name):
            if candidate.is_dir():
                return candidate
    raise FileNotFoundError(
        f"there is no folder data/{name} in {Path.cwd()} or above it: copy it from the homework's bundle"
    )


def read_table(path: Path, *, texts: tuple[str, ...] = ()) -> dict[str, Array]:
    """A recorded table as a dictionary of columns. An empty cell is nan.

    Args:
        path: a CSV file with a line of names; lines that begin with # are comments.
        texts: the columns that stay text; all others are numbers.
    """
    rows = read_rows(path)
    return {
        name: np.array([row[name] if name in texts else float(row[name] or "nan") for row in rows]) for name in rows[0]
    }


def own_seeds(student_id: str, number: int) -> tuple[int, ...]:
    """The seeds of a student's own runs: always the same for one id, and different ones for another.

    Raises:
        ValueError: the id is empty.
    """
    if not student_id.strip():
        raise ValueError('set STUDENT_ID = "..." in the parameters cell: it seeds your own runs')
    digest = hashlib.sha256(student_id.strip().lower().encode()).digest()
    words = np.random.SeedSequence(int.from_bytes(digest, "big")).generate_state(number)
    return tuple(int(word) % MAX_OWN_SEED for word in words)


def interval_of_median(values: ArrayLike, *, level: float = 0.95) -> tuple[float, float]:
    """An interval of the median between two order statistics, which covers it with at least `level`, whatever the law.

    The median lies between the k-th smallest and the k-th largest of n values with probability
    1 - 2 P(at most k - 1 heads in n tosses). The largest such k is taken; fewer than 6 values have none at 95 %, and
    then the interval is everything from the smallest to the largest.

    Args:
        values: one number a seed, shape (seeds,). For paired arms, the differences.
        level: coverage in [0, 1].
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n = len(ordered)
    missed, k = 2.0 * 0.5**n, 1
    while k < (n + 1) // 2 and missed + 2.0 * math.comb(n, k) * 0.5**n <= 1.0 - level:
        missed += 2.0 * math.comb(n, k) * 0.5**n
        k += 1
    return float(ordered[k - 1]), float(ordered[n - k])


def median_text(values: ArrayLike, unit: str = "", digits: int = 0) -> str:
    """The median over seeds with its exact interval of at least 95 %, such as "3.1 m [2.9, 3.4]"."""
    low, high = interval_of_median(values)
    return f"{np.median(np.asarray(values)):.{digits}f}{unit} [{low:.{digits}f}, {high:.{digits}f}]"


def show_gif(moving_picture: bytes, words: str) -> None:
    """Show a GIF, and say in words what it shows."""
    from IPython import display

    encoded = base64.b64encode(moving_picture).decode()  # as HTML: exported pages leave out GIFs of other kinds
    display_module: Any = display  # carries no types
    picture = f'<img src="data:image/gif;base64,{encoded}" alt="{html.escape(words)}">'
    display_module.display(display_module.HTML(picture))
    print(textwrap.fill("In words: " + words, 96))


def show(words: str) -> None:
    """Draw the current figure, say in words what it shows, and give it these words as its alternative text."""
    from IPython import display

    figure = plt.gcf()
    show_rich: Any = display.display  # carries no types
    show_rich(figure, metadata={"image/png": {"alt": words}})
    plt.close(figure)
    print(textwrap.fill("In words: " + words, 96))
