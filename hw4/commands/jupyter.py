"""What the notebooks share: recorded tables, medians with intervals, figures with captions, live runs (given)."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import math
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from hw4.commands.csv_rows import read_rows
from hw4.envs import make_env
from hw4.experiments import Experiment
from hw4.training import AgentProtocol, EpisodeRecord, train

Array = NDArray[Any]

LINE = 96  # characters of a line of a caption
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
    numbers = (np.median(np.asarray(values)), *interval_of_median(values))
    median, low, high = (f"{round(number, digits) + 0.0:.{digits}f}" for number in numbers)  # + 0.0: no "-0"
    return f"{median}{unit} [{low}, {high}]"


Rows = Sequence[Sequence[str]]  # of a table: the first one names the columns


def show(caption: str, table: Rows = (), *, my_prediction: str = "") -> None:
    """Draw the current figure under what was predicted, with its caption and a table below it.

    Args:
        caption: in words what the figure shows; also its alternative text. Three lines are enough.
        table: the numbers with their intervals.
        my_prediction: what was written down before.
    """
    figure = plt.gcf()
    _say_prediction(my_prediction)
    _display_rich(figure, metadata={"image/png": {"alt": caption}})
    plt.close(figure)
    _say(caption)
    if table:
        show_table(table)


def show_animation(gif: bytes, caption: str, table: Rows = (), *, my_prediction: str = "") -> None:
    """Show a GIF as wide as it was drawn, or as the page if that is narrower, with its caption and a table below it."""
    _say_prediction(my_prediction)
    encoded = base64.b64encode(gif).decode()  # as HTML: exported pages leave out GIFs of other kinds
    picture = f'<img src="data:image/gif;base64,{encoded}" alt="{html.escape(caption)}" style="max-width: 100%">'
    _display_rich({"text/html": picture, "text/plain": caption}, raw=True)
    _say(caption)
    if table:
        show_table(table)


def show_table(rows: Rows) -> None:
    """Show a table as HTML, and as text where HTML is not shown."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    text = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
    head, *body = (
        "".join(f'<{tag} style="text-align: left">{html.escape(cell)}</{tag}>' for cell in row)
        for tag, row in zip(["th"] + ["td"] * (len(rows) - 1), rows, strict=True)
    )
    lines = "".join(f"<tr>{line}</tr>" for line in body)
    page = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    _display_rich({"text/html": f'<div style="overflow-x: auto">{page}</div>', "text/plain": text}, raw=True)


def _say_prediction(my_prediction: str) -> None:
    if my_prediction:
        _say(f"My prediction: {my_prediction}")


def _say(words: str) -> None:
    text = textwrap.fill(words, LINE)
    _display_rich({"text/html": f"<p>{html.escape(words)}</p>", "text/plain": text}, raw=True)


def _display_rich(shown: Any, **options: Any) -> None:
    from IPython import display

    show_rich: Any = display.display  # carries no types
    show_rich(shown, **options)


# Live runs and answers ------------------------------------------------------------------------------------------------


def train_live(
    experiment: Experiment, agent: AgentProtocol, *, seed: int, env_steps: int, name: str
) -> Iterator[EpisodeRecord]:
    """Train an agent for a number of env steps, and say how it went; the same seed gives the same run on any machine.

    Args:
        experiment: what to train on, and for how many episodes at most.
        agent: a fresh one.
        seed: of the episodes' starts.
        env_steps: no episode is begun after so many.
        name: of the run, in what is printed.
    """
    episodes = train(make_env(experiment.task_name), agent, num_episodes=experiment.num_episodes, seed=seed)
    planned = experiment.num_episodes * experiment.task.episode_length
    for record in episodes:
        yield record
        if record.env_steps >= min(env_steps, planned):
            says = f"{name}, seed {seed}: {record.env_steps} env steps, last return {record.episode_return:.0f}"
            cut = f". CUT: a whole run has {planned}, and LIVE_ENV_STEPS = {env_steps}" if env_steps < planned else ""
            print(says + cut, flush=True)
            return


def check(function: str, test: Callable[[], str]) -> None:
    """Run a test of a small function that a student wrote, and say in one line how it went.

    Args:
        function: its name.
        test: an AssertionError in it says what is wrong; it returns what the function shows if it works.
    """
    try:
        _say(f"{function} works. {test()}")
    except NotImplementedError:
        _say(f"{function}: not written yet. Nothing else needs it.")
    except AssertionError as error:
        _say(f"{function}: not right yet: {error}")
    except Exception as error:  # anything that a first try may raise is an answer to it
        _say(f"{function}: not right yet: it raises {type(error).__name__}: {error}")


def draw_mine(axes: Any, x: Array, runs: Sequence[Sequence[float]]) -> None:
    """One black line for each of my own runs, over the first of x."""
    for i, values in enumerate(runs):
        label = None if i else "mine, one line per seed"
        axes.plot(x[: len(values)], values, "x-", color="black", linewidth=1.2, markersize=5, label=label)


def gif(figure: Figure, draw: Callable[[int], None], steps: Iterable[int], *, frames_per_second: float = 8) -> bytes:
    """An animation of a figure: `draw` changes it to what it shows at each of the steps."""
    import imageio.v2 as imageio

    canvas: Any = FigureCanvasAgg(figure)
    target = io.BytesIO()
    writer: Any
    with imageio.get_writer(target, format="gif", duration=1000 / frames_per_second, loop=0) as writer:
        for step in steps:
            draw(step)
            canvas.draw()
            figure.set_layout_engine("none")  # no panel moves between frames
            writer.append_data(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    return target.getvalue()


def draw_band(axes: Any, x: Array, values: Array, *, color: str, style: str, label: str) -> None:
    """The median over seeds, and all seeds as a band; values of shape (seeds, len(x))."""
    axes.fill_between(x, values.min(axis=0), values.max(axis=0), color=color, alpha=0.15, linewidth=0)
    axes.plot(x, np.median(values, axis=0), style, color=color, linewidth=1.8, markersize=5, label=label)
