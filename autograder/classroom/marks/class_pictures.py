"""The pictures of the class page, as inline SVG that follows the page's light or dark scheme."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autograder.report.pictures import GREY, WIDTH, inline
from hw4.commands.plots import BLUE, GREEN, VERMILION, Band

BIN = 5  # points
SHARE = (10, 90)  # per cent of the class between the edges of its band


def bins_of(totals: Sequence[float], most: float) -> list[tuple[float, float, int]]:
    """(from, to, how many), up to `most` or to the best total, whichever is more; the last bin holds its end, too."""
    counts, edges = np.histogram(totals, np.arange(0, max([most, *totals]) + BIN, BIN))
    return [(float(a), float(b), int(n)) for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)]


def histogram(bins: Sequence[tuple[float, float, int]], most: float, what: str) -> Markup:
    """How many have how many points. The page says the same in a table.

    Args:
        bins: of `bins_of`.
        most: what there is without a bonus; marked where somebody has more.
        what: is counted.
    """
    figure, axes = _axes(2.3)
    counts = [count for _, _, count in bins]
    end = bins[-1][1]
    bars = axes.bar([low + 0.05 * BIN for low, _, _ in bins], counts, 0.9 * BIN, align="edge", color=BLUE)
    axes.bar_label(bars, [str(count or "") for count in counts], fontsize=8)
    if end > most:
        axes.axvline(most, color=GREY, lw=1.2, ls="--")
    axes.set(xlabel=what, xlim=(0, end), ylim=(0, 1.15 * max(1, *counts)))
    axes.set_xticks(np.arange(0, end + 1, 2 * BIN))
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    return Markup(inline(figure).replace("<svg", '<svg aria-hidden="true"', 1))


def class_curve(band: Band, curves: NDArray[np.float64]) -> Markup:
    """The class's median and band over those of the reference.

    Args:
        band: of the reference.
        curves: one of each student, shape (students, episodes).
    """
    figure, axes = _axes(3.0)
    low, middle, high = np.percentile(curves, [SHARE[0], 50, SHARE[1]], axis=0)
    size = min(len(band.env_steps), len(middle))
    steps = band.env_steps[:size]
    axes.fill_between(steps, band.low[:size], band.high[:size], color=BLUE, alpha=0.18, lw=0)
    axes.plot(steps, band.median[:size], color=BLUE, lw=1.2, ls=(0, (4, 2)))
    axes.fill_between(steps, low[:size], high[:size], color=VERMILION, alpha=0.3, lw=0)
    axes.plot(steps, middle[:size], color=VERMILION, lw=2.2)
    says = [f"median of the class {middle[size - 1]:.0f} at the end, of the reference {band.median[size - 1]:.0f}"]
    for name, value, color, style, side in (
        ("bar", band.bar, GREEN, "-", "bottom"),
        ("floor", band.floor, GREY, "--", "top"),
    ):
        if value is not None:
            axes.axhline(value, color=color, lw=1.2, ls=style)
            axes.text(1.01, value, f"{name} {value:g}", transform=axes.get_yaxis_transform(), va=side)
            says.append(f"{name} {value:g}")
    axes.set_xlabel("env steps")
    label = f'<svg role="img" aria-label="{"; ".join(says)}"'
    return Markup(inline(figure).replace("<svg", label, 1))


def _axes(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
