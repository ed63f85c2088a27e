"""What notebooks/masters/mppi.py and handout/topics/mppi.typ say, on the recorded runs.

Which claims are made, and in which form, was fixed before these seeds were run: see publish/recorders/mppi.py.
"""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from recorded_notebook import record, runs_module, settings_by_table

from autograder.solutions import ROOT
from hw4.commands.csv_rows import read_rows
from hw4.commands.jupyter import interval_of_median, read_table
from publish.notebooks import DATA

NAME = "mppi"
CANDIDATES = (30, 90, 300)
LEVEL = 5.0  # of return: closer than this two planners are said to be level
MIN_SEEDS = 20


@pytest.fixture(scope="module")
def notebook():
    return runs_module(NAME)


@pytest.fixture(scope="module")
def plans():
    return read_table(DATA / NAME / "plans.csv", texts=("planner",))


@pytest.fixture(scope="module")
def of_seeds(plans):
    """One column of one way of planning: the mean over the episodes of each seed."""

    def column(planner, candidates, *, kappa=10.0, beta=0.5, name="episode_return"):
        chosen = (plans["planner"] == planner) & (plans["candidates"] == candidates)
        if planner == "mppi":
            chosen &= (plans["kappa"] == kappa) & (plans["beta"] == beta)
        episodes = {}
        for seed, value in zip(plans["seed"][chosen], plans[name][chosen], strict=True):
            episodes.setdefault(seed, []).append(value)
        assert len(episodes) >= MIN_SEEDS
        assert {len(values) for values in episodes.values()} == {2}
        return np.array([np.mean(episodes[seed]) for seed in sorted(episodes)])

    return column


def test_the_runs_were_recorded_with_the_settings_of_today(notebook):
    experiment, ways = dataclasses.asdict(notebook["ENSEMBLE"]), [dataclasses.asdict(way) for way in notebook["WAYS"]]
    now = {"plans": {"experiment": experiment, "ways": ways}, "noise": {"betas": list(notebook["BETAS"])}}
    assert settings_by_table(NAME) == now, record(NAME)


def test_the_notebook_compares_the_planner_as_it_is_given(notebook):
    mppi = notebook["mppi"]
    assert (notebook["KAPPA"], notebook["BETA"]) == (mppi.KAPPA, mppi.BETA)


def test_every_planner_scores_as_many_candidates_as_its_way_says(notebook):
    for way in notebook["WAYS"]:
        settings = notebook["settings_of"](way)
        assert settings.population_size * settings.num_iterations == way.candidates
        assert settings.num_elites <= settings.population_size / 3


def test_the_recorded_runs_are_whole(notebook, plans):
    num_seeds = len(np.unique(plans["seed"]))
    assert num_seeds >= MIN_SEEDS
    assert len(plans["seed"]) == num_seeds * len(notebook["WAYS"]) * 2
    assert json.loads((DATA / NAME / "facts.json").read_text(encoding="utf-8")) == {"num_models": str(num_seeds)}
    assert np.isfinite(plans["episode_return"]).all()


# Claims


def test_with_30_candidates_mppi_is_ahead_of_random_shooting(of_seeds):
    assert interval_of_median(of_seeds("mppi", 30) - of_seeds("random_shooting", 30))[0] > 0


@pytest.mark.parametrize("candidates", CANDIDATES)
def test_mppi_and_cem_are_level(of_seeds, candidates):
    low, high = interval_of_median(of_seeds("mppi", candidates) - of_seeds("cem", candidates))
    assert -LEVEL < low <= high < LEVEL


@pytest.mark.parametrize("candidates", [30, 90])
def test_with_up_to_90_candidates_there_is_no_clear_difference_from_cem(of_seeds, candidates):
    """A null result, and at 90 a close one."""
    low, high = interval_of_median(of_seeds("mppi", candidates) - of_seeds("cem", candidates))
    assert low < 0 < high


def test_with_300_candidates_cem_is_ahead_by_about_one_percent(of_seeds):
    mppi, cem = of_seeds("mppi", 300), of_seeds("cem", 300)
    assert interval_of_median(mppi - cem)[1] < 0
    assert 0.005 < np.median(cem - mppi) / np.median(cem) < 0.015


def test_a_kappa_that_is_too_small_fails(of_seeds):
    assert interval_of_median(of_seeds("mppi", 90, kappa=0.1) / of_seeds("mppi", 90))[1] < 1 / 2


@pytest.mark.parametrize("kappa", [1.0, 3.0, 30.0, 1000.0])
def test_from_kappa_1_upwards_there_is_no_clear_difference(of_seeds, kappa):
    """A null result."""
    low, high = interval_of_median(of_seeds("mppi", 90, kappa=kappa) - of_seeds("mppi", 90))
    assert low < 0 < high


@pytest.mark.parametrize("beta", [0.2, 1.0])
def test_beta_makes_no_clear_difference(of_seeds, beta):
    """A null result."""
    low, high = interval_of_median(of_seeds("mppi", 90, beta=beta) - of_seeds("mppi", 90))
    assert low < 0 < high


def test_the_best_candidate_alone_is_ahead_of_random_shooting_too(of_seeds):
    """So the average is not what makes the difference."""
    assert interval_of_median(of_seeds("mppi", 90, kappa=1000.0) - of_seeds("random_shooting", 90))[0] > 0


def test_an_action_of_cem_takes_longer_and_the_less_so_the_more_candidates(of_seeds):
    ratios = [of_seeds("cem", n, name="milliseconds") / of_seeds("mppi", n, name="milliseconds") for n in CANDIDATES]
    assert all(interval_of_median(ratio)[0] > 1 for ratio in ratios)
    assert np.median(ratios[0]) > np.median(ratios[1]) > np.median(ratios[2])


def test_the_handout_shows_the_medians_of_the_recorded_runs(of_seeds):
    shown = {
        (row["quantity"], float(row["setting"])): [float(row[name]) for name in ("median", "low", "high")]
        for row in read_rows(ROOT / "handout" / "topics" / "mppi.csv")
    }
    wanted = {("kappa", kappa): of_seeds("mppi", 90, kappa=kappa) for kappa in (0.1, 1.0, 3.0, 10.0, 30.0, 1000.0)}
    wanted |= {("beta", beta): of_seeds("mppi", 90, beta=beta) for beta in (0.2, 0.5, 1.0)}
    for n in CANDIDATES:
        wanted |= {(planner, n): of_seeds(planner, n) for planner in ("random_shooting", "cem", "mppi")}
        for other in ("random_shooting", "cem"):
            wanted[f"mppi minus {other}", n] = of_seeds("mppi", n) - of_seeds(other, n)
        times = {planner: of_seeds(planner, n, name="milliseconds") for planner in ("cem", "mppi")}
        wanted["time of cem over mppi", n] = times["cem"] / times["mppi"]
    assert wanted.keys() == shown.keys()
    for key, values in wanted.items():
        assert np.allclose(shown[key], [np.median(values), *interval_of_median(values)], atol=0.051), key
