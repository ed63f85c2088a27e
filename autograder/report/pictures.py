"""Learning curves as inline SVG: every run, their median, bar, floor, random baseline and reference band."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from autograder.grading.curves import Bar
from autograder.grading.running import Run
from autograder.report.words import limited
from hw4.commands.plots import BLUE, GREEN, VERMILION, read_bands
from hw4.handin.assignment import Curve

matplotlib.rcParams.update({"svg.hashsalt": "hw4", "svg.fonttype": "none", "font.size": 9})

GREY = "#777777"
WIDTH = 4.4  # inches: about that of a phone, where letters keep their size
STYLE_SHEET = re.compile(r"<style.*?</style>")  # what it says is in OF_ALL
OF_ALL = 'fill="currentColor" stroke-linejoin="round" stroke-linecap="butt"'  # matplotlib says nothing of black text
STYLE = re.compile(r' style="([^"]*)"')
DECLARATION = re.compile(r"([a-z-]+): ([^;]+)")


def curve_svg(curve: Curve, runs: Sequence[Run], bar: Bar) -> str:
    """One picture, without fixed colours for text: it follows the page's light or dark scheme."""
    figure = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.subplots()
    axes.patch.set_alpha(0)
    band = read_bands()[curve.experiment]
    axes.fill_between(
        band.env_steps, band.low, band.high, color=BLUE, alpha=0.15, lw=0, label="reference, 90 % of runs"
    )
    axes.plot(band.env_steps, band.median, color=BLUE, lw=1, ls=(0, (4, 2)), label="reference, median")
    finished = [run for run in runs if run.returns]
    for i, run in enumerate(finished):
        axes.plot(
            run.env_steps,
            np.round(run.returns, 1),
            color=VERMILION,
            lw=1,
            alpha=0.5,
            label="each of your runs" if i == 0 else None,
        )
    if finished:
        length = min(len(run.returns) for run in finished)
        median = np.round(np.median([run.returns[:length] for run in finished], axis=0), 1)
        label = "median of your runs"
        axes.plot(finished[0].env_steps[:length], median, color=VERMILION, lw=2.4, marker="o", ms=4, label=label)
    axes.axhline(bar.bar, color=GREEN, lw=1.4, label=f"full points from {bar.bar:g} (bar)")
    axes.axhline(bar.floor, color=GREY, lw=1.2, ls="--", label=f"no points below {bar.floor:g} (floor)")
    if band.random is not None:
        axes.axhline(band.random, color=GREY, lw=1.2, ls=":", label=f"random policy {band.random:.0f}")
    axes.set_xlabel("env steps")
    axes.set_ylabel("return of the episode")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(fontsize=9, ncols=2, columnspacing=1.2, handlelength=1.6, frameon=False, loc="outside lower center")
    return inline(figure)


def model_svg(curve: Curve, runs: Sequence[Run]) -> str:
    """Model error and optimism gap of every run over the reference's bands: what a return does not show."""
    figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    figure.patch.set_alpha(0)
    band = read_bands()[curve.experiment]
    panels = (
        ("one-step model error", band.model_error, [run.model_errors for run in runs]),
        ("optimism gap (reward per step)", band.optimism_gap, [run.optimism_gaps for run in runs]),
    )
    errors, gaps = figure.subplots(2, 1)
    for axes, (name, spread, values_of_runs) in zip((errors, gaps), panels, strict=True):
        axes.patch.set_alpha(0)
        if spread is not None:
            dashes = (0, (4, 2))
            axes.fill_between(band.env_steps, spread.low, spread.high, color=BLUE, alpha=0.15, lw=0)
            axes.plot(band.env_steps, spread.median, color=BLUE, lw=1, ls=dashes, label="reference: 90 %, median")
        for i, (run, values) in enumerate(zip(runs, values_of_runs, strict=True)):
            label = "each of your runs" if i == 0 else None
            values = [limited(value) for value in values]  # a picture holds every digit that it is given
            axes.plot(run.env_steps[: len(values)], values, color=VERMILION, lw=1, alpha=0.6, label=label)
        axes.set(xlabel="env steps", xlim=(0, band.env_steps[-1] * 1.03))
        axes.set_title(name, fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    errors.set_yscale("log")
    if max(map(abs, gaps.get_ylim())) > 2.0:  # where a plan leaves the data, a model may promise anything
        gaps.set_yscale("symlog", linthresh=1.0)
    gaps.axhline(0, color=GREY, lw=1.2, ls=":")
    errors.yaxis.set_minor_formatter("")
    for axes in (errors, gaps):
        axes.yaxis.set_major_formatter("{x:g}")
    figure.legend(
        *errors.get_legend_handles_labels(),
        fontsize=9,
        ncols=2,
        columnspacing=1.2,
        handlelength=1.6,
        frameon=False,
        loc="outside lower center",
    )
    return inline(figure)


def inline(figure: Figure) -> str:
    """SVG for the middle of a page; the same figure gives the same text.

    Black becomes the page's colour of text. Styles become attributes: the policy of a page may forbid styles in
    elements, and a style sheet in a picture would hold for the whole page.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = buffer.getvalue().replace("#000000", "currentColor")
    svg = STYLE_SHEET.sub("", svg[svg.index("<svg") :])
    svg = STYLE.sub(lambda found: "".join(f' {name}="{value}"' for name, value in DECLARATION.findall(found[1])), svg)
    return svg.replace("<svg", f"<svg {OF_ALL}", 1)
