"""What the grader would make of a run: the score of each seed, next to the published bar and floor (given).

And what two runs of one task show about their settings: the difference seed by seed, with an interval.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from hw4.commands.jupyter import interval_of_median
from hw4.commands.plots import Band, has_reference_settings
from hw4.commands.runs import LearningCurve, Run
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.handin.assignment import Curve, load_assignment

SEEDS_FOR_AN_INTERVAL = 6  # between the smallest and the largest of 6 lies the median with 1 - 2 / 2^6 = 97 %


def score_of_run(curve: Curve, returns: Sequence[float], settings: Experiment) -> float:
    """The score of a run, as the grader computes it; -inf if no episode with the learned model was finished.

    It is the mean return of the last `score_episodes` episodes. Those of the base policy (random actions) never count.

    Args:
        curve: the graded learning curve.
        returns: of each finished episode, in order.
        settings: of the run; the grader's are `EXPERIMENTS[curve.experiment]`.
    """
    planned = returns[settings.num_initial_episodes :]
    return float(np.mean(planned[-curve.score_episodes :])) if planned else -math.inf


def graded_as(experiment: str) -> Curve | None:
    """The graded curve that `train` with this experiment repeats; None if there is none."""
    curves = (curve for curve in load_assignment().curves if curve.experiment == experiment)
    return next((curve for curve in curves if curve.agent == Curve.agent), None)


def describe_scores(run: Run, band: Band | None) -> list[str]:
    """Lines to print about a run: each seed's score, what it is compared with, and how sure that is."""
    curve = graded_as(run.experiment)
    if curve is None:
        return _describe_ungraded(run, band)
    many = f"mean return of the last {curve.score_episodes} episodes" if curve.score_episodes > 1 else "last return"
    if changed := _changed(run.settings, EXPERIMENTS[run.experiment]):
        band = None  # of another agent
        lines = [
            f"{run.folder}: score of each seed ({many}). This is not the graded agent, and its scores cannot be "
            f"compared with the bar: {curve.number} {curve.title} is graded with {', '.join(changed)}."
        ]
    else:
        lines = [f"{run.folder}, {curve.number} {curve.title}: score of each seed, as graded ({many})"]
    lines += [f"  seed {seed.seed}: {_verdict(curve, seed, run.settings, band)}" for seed in run.curves]
    if band is not None and band.bar is not None and band.floor is not None:
        lines.append(f"  bar {band.bar:g}: full points; floor {band.floor:g}: no points; in proportion between them")
    if band is not None and band.below_bar is not None:
        below, of = band.below_bar
        lines.append(
            f"  A correct run can be below the bar: {below} of {of} recorded runs of the reference are "
            f"({100 * below / of:.0f} %), and so may be one of these seeds. That is why the grader repeats a run when "
            "the first ones disagree."
        )
    if run.actuator_sign != 1:
        lines.append("  This is a run in a world with --actuator-sign -1; the grader's worlds have either sign.")
    return lines


def describe_difference(one: Run, other: Run) -> list[str]:
    """Lines to print about two runs of one experiment: the difference of their scores, paired by seed.

    The score is the one that the grader computes, and for ungraded tasks the return of the last episode. Its median
    gets the exact interval of `interval_of_median`. Only finished seeds that both runs have count; without any, or for
    different experiments or worlds, there is nothing to say.
    """
    if (one.experiment, one.actuator_sign) != (other.experiment, other.actuator_sign):
        return []
    scores, others = _finished(one), _finished(other)
    seeds = [seed for seed in scores if seed in others]
    if not seeds:
        return []
    differences = np.array([scores[seed] - others[seed] for seed in seeds])
    low, high = interval_of_median(differences)
    lines = [f"{one.folder.name} minus {other.folder.name}, paired by seed:"]
    lines += [f"  seed {seed}: {difference:+.2f}" for seed, difference in zip(seeds, differences, strict=True)]
    median = f"  median of {len(seeds)} {np.median(differences):+.2f}"
    if len(seeds) < SEEDS_FOR_AN_INTERVAL:
        return [*lines, f"{median}; a 95 % interval needs {SEEDS_FOR_AN_INTERVAL} seeds in both"]
    lines.append(f"{median}, 95 % interval [{low:+.2f}, {high:+.2f}]")
    if low <= 0 <= high:
        lines.append("  The interval contains 0: these seeds do not show which of the two is better.")
    return lines


def _finished(run: Run) -> dict[int, float]:
    """The score of each seed whose episodes are all finished."""
    curve = graded_as(run.experiment)
    return {
        seed.seed: seed.returns[-1] if curve is None else score_of_run(curve, seed.returns, run.settings)
        for seed in run.curves
        if len(seed.returns) == run.settings.num_episodes > run.settings.num_initial_episodes
    }


def _verdict(curve: Curve, seed: LearningCurve, settings: Experiment, band: Band | None) -> str:
    score = score_of_run(curve, seed.returns, settings)
    if len(seed.returns) < settings.num_episodes:
        so_far = f"{score:.2f} so far" if math.isfinite(score) else "no score yet"
        return f"{so_far}: {len(seed.returns)} of {settings.num_episodes} episodes are finished"
    if not math.isfinite(score):
        return "no score: every episode was one of the base policy, with random actions"
    if band is None or band.bar is None or band.floor is None:
        return f"{score:.2f}"
    if score >= band.bar:
        return f"{score:.2f}, at or above the bar"
    return f"{score:.2f}, {'below the bar' if score > band.floor else 'at or below the floor'}"


def _describe_ungraded(run: Run, band: Band | None) -> list[str]:
    """Returns of the last episode, and the band of a few runs of the reference, which is not a bar."""
    lines = [f"{run.folder}, {run.experiment}, which is not graded: return of each seed's last episode"]
    for seed in run.curves:
        last = f"{seed.returns[-1]:.2f}" if seed.returns else "none is finished yet"
        lines.append(f"  seed {seed.seed}: {last}")
    if band is not None and has_reference_settings(run):
        runs = "" if band.num_runs is None else f"{band.num_runs} "
        lines.append(f"  {runs}runs of the reference end between {band.low[-1]:.2f} and {band.high[-1]:.2f}")
    return lines


def _changed(settings: Experiment, published: Experiment) -> list[str]:
    """The options in which a run differs from the graded ones."""
    return [
        f"--{field.name.replace('_', '-')} {graded}, not {used}"
        for field in dataclasses.fields(Experiment)
        if (used := getattr(settings, field.name)) != (graded := getattr(published, field.name))
    ]
