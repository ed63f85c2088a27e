"""What `train` and `plot` say of a run: its score as the grader computes it, the bar, and how sure that is."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from autograder.grading import curves as grader
from autograder.recorded.calibration import REFERENCE, published_curves, read_recorded
from autograder.recorded.error_rates import rates_of
from hw4.commands.jupyter import interval_of_median
from hw4.commands.plots import REFERENCE_FILE, draw_runs, read_all_bands, read_bands
from hw4.commands.runs import LearningCurve, Run
from hw4.commands.scores import describe_difference, describe_scores, graded_as, score_of_run
from hw4.experiments import EXPERIMENTS, Version, as_version
from hw4.handin.assignment import Curve, load_assignment
from publish.handout.facts import error_rates

CURVES = load_assignment().curves
EVERY_CURVE = pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.id)
CLIFF_HILL = EXPERIMENTS["cliff_hill"]  # 10 episodes, the first 4 of the base policy; the last 3 count


def run_of(*returns: tuple[float, ...], experiment: str = "cliff_hill", **changes: object) -> Run:
    settings = dataclasses.replace(EXPERIMENTS[experiment], **changes)  # type: ignore[arg-type]
    length = settings.task.episode_length
    curves = [
        LearningCurve(seed, tuple(length * (i + 1) for i in range(len(of_seed))), of_seed)
        for seed, of_seed in enumerate(returns)
    ]
    return Run(Path("runs/it"), experiment, settings, 1, tuple(curves))


def said(run: Run) -> str:
    return "\n".join(describe_scores(run, read_all_bands().get(run.experiment)))


@EVERY_CURVE
def test_a_score_is_the_graders_for_every_recorded_run_and_however_many_episodes_are_finished(curve: Curve) -> None:
    runs = read_recorded(curve)
    assert runs
    for run in runs:
        for count in range(len(run.returns) + 1):
            returns = run.returns[:count]
            assert score_of_run(curve, returns, EXPERIMENTS[curve.experiment]) == grader.score_of_run(curve, returns)


def test_episodes_of_the_base_policy_never_count() -> None:
    curve = graded_as("cliff_hill")
    assert curve is not None
    assert score_of_run(curve, (90.0, 90.0, 90.0, 90.0, 5.0), CLIFF_HILL) == 5.0
    assert score_of_run(curve, (90.0, 90.0, 90.0, 90.0), CLIFF_HILL) == -math.inf


@EVERY_CURVE
def test_the_published_share_of_correct_runs_below_the_bar_is_the_one_in_the_handout(curve: Curve) -> None:
    published = read_bands()[curve.experiment].below_bar
    rate = next(r for r in rates_of(curve, grader.load_bars()[curve.id]) if r.implementation == REFERENCE)
    assert published == (rate.num_runs - rate.num_at_bar, rate.num_runs)
    (table,) = (table for table in error_rates(load_assignment()) if table["title"] == curve.title)
    (at_bar,) = (row["at_bar"] for row in table["rows"] if row["name"] == REFERENCE)
    assert at_bar == f"{rate.num_at_bar} of {rate.num_runs}"


def test_the_published_file_is_what_the_recorded_runs_give() -> None:
    assert REFERENCE_FILE.read_text(encoding="utf-8") == published_curves()


def test_each_seed_is_told_its_score_and_what_it_reaches() -> None:
    band = read_bands()["cliff_hill"]
    assert band.bar is not None
    assert band.floor is not None
    start = (0.0,) * 7
    between = (band.bar + band.floor) / 2
    text = said(run_of((*start, *[band.bar] * 3), (*start, between, between, between), (*start, *[band.floor] * 3)))
    assert f"seed 0: {band.bar:.2f}, at or above the bar" in text
    assert f"seed 1: {between:.2f}, below the bar" in text
    assert f"seed 2: {band.floor:.2f}, at or below the floor" in text
    assert f"bar {band.bar:g}: full points; floor {band.floor:g}: no points" in text
    assert band.below_bar is not None
    assert "{} of {} recorded runs of the reference are".format(*band.below_bar) in text
    assert "mean return of the last 3 episodes" in text
    assert "not the graded agent" not in text


def test_an_unfinished_run_and_one_with_other_settings_are_said_to_be_so() -> None:
    text = said(run_of((1.0,) * 6, (1.0,) * 2, (), horizon=7))
    assert "seed 0: 1.00 so far: 6 of 10 episodes are finished" in text
    assert "seed 1: no score yet: 2 of 10 episodes are finished" in text
    assert "seed 2: no score yet: 0 of 10 episodes are finished" in text
    assert "not the graded agent" in text
    assert "is graded with --horizon 10, not 7." in text
    assert "bar " not in said(run_of((100.0,) * 10, horizon=7)).partition("\n")[2]
    assert "no score: every episode was one of the base policy" in said(run_of((1.0, 2.0), num_episodes=2))


def test_a_task_that_is_not_graded_has_its_band_and_no_bar() -> None:
    band = read_all_bands()["reacher"]
    text = said(run_of((-9.0, -8.5), (), experiment="reacher"))
    assert "reacher, which is not graded" in text
    assert "seed 0: -8.50" in text
    assert "seed 1: none is finished yet" in text
    assert f"{band.num_runs} runs of the reference end between {band.low[-1]:.2f} and {band.high[-1]:.2f}" in text
    assert "bar" not in text


@pytest.mark.parametrize(("experiment", "version"), [("cliff_hill", "0.5"), ("reacher", "1.0")])
def test_the_band_is_drawn_for_runs_with_the_published_settings_alone(experiment: str, version: Version) -> None:
    def labels(*runs: Run) -> str:
        (axes,) = draw_runs(runs, read_all_bands()).axes
        return "\n".join(axes.get_legend_handles_labels()[1])

    published = run_of((1.0, 2.0), experiment=experiment)
    other = dataclasses.replace(published, settings=as_version(EXPERIMENTS[experiment], version))
    assert f"{experiment}, reference band" in labels(published)
    assert f"{experiment}, reference band" in labels(other, published)
    assert "reference band of" not in labels(other)
    assert f"{experiment}: no reference band, as the settings differ" in labels(other)
    assert "of the reference" not in said(other)


# Two runs ----------------------------------------------------------------------------------------------------------


def whole(*scores: float, **changes: object) -> Run:
    """A finished run of the cliff hill with these scores."""
    return run_of(*((0.0,) * 7 + (score,) * 3 for score in scores), **changes)


def named(run: Run, name: str) -> Run:
    return dataclasses.replace(run, folder=Path("runs") / name)


def test_two_runs_are_compared_seed_by_seed_with_an_interval() -> None:
    """Eight differences 1 ... 8: the exact interval reaches from the smallest to the largest."""
    one, other = named(whole(*(10.0 + 2 * i for i in range(1, 9))), "five"), named(whole(*range(11, 19)), "one")
    first, *by_seed, last = describe_difference(one, other)
    assert first == "five minus one, paired by seed:"
    assert by_seed == [f"  seed {seed}: +{seed + 1:.2f}" for seed in range(8)]
    assert last == "  median of 8 +4.50, 95 % interval [+1.00, +8.00]"
    low, high = interval_of_median(np.arange(1.0, 9.0))
    assert (low, high) == (1.0, 8.0)


def test_an_interval_around_0_shows_no_winner_and_few_seeds_have_none() -> None:
    one, other = whole(1, -1, 2, -2, 3, -3), whole(*[0.0] * 6)
    assert describe_difference(one, other)[-1].startswith("  The interval contains 0")
    few = describe_difference(whole(1, 2, 3, 4, 5), whole(*[0.0] * 5))
    assert few[-1] == "  median of 5 +3.00; a 95 % interval needs 6 seeds in both"


def test_only_finished_seeds_of_both_runs_count_and_other_tasks_are_not_compared() -> None:
    unfinished = run_of((0.0,) * 7 + (5.0,) * 3, (0.0,) * 8, (0.0,) * 7 + (7.0,) * 3)
    assert [line for line in describe_difference(unfinished, whole(1, 1)) if "seed " in line] == ["  seed 0: +4.00"]
    assert describe_difference(run_of((0.0,) * 8), whole(1)) == []
    assert describe_difference(whole(1), run_of((1.0,) * 7, experiment="cartpole")) == []
    ungraded = [run_of((0.0, *[float(value)] * 6), experiment="cartpole_ensemble") for value in (5, 3)]
    assert describe_difference(*ungraded)[1] == "  seed 0: +2.00"
