"""What notebooks/masters/bayesian_networks.py and handout/topics/bayesian_networks.typ say, on recorded runs.

Which claims are made, and in which form, was fixed before these seeds were run: see
publish/recorders/bayesian_networks.py.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from recorded_notebook import record, settings_by_table

from autograder.solutions import ROOT
from hw4.commands.csv_rows import read_rows
from hw4.commands.jupyter import interval_of_median, read_table
from hw4.notebooks import bayesian_networks_exact as exact
from publish.notebooks import DATA
from publish.recorders import bayesian_networks as recorder

NAME = "bayesian_networks"
MIN_SEEDS = 20
OTHERS = recorder.POSTERIORS[1:]


@pytest.fixture(scope="module")
def table():
    return lambda name, *texts: read_table(DATA / NAME / f"{name}.csv", texts=texts)


@pytest.fixture(scope="module")
def of():
    """One number a seed."""
    found = {(task, p): recorder.of_agents(task, p) for task in recorder.TASKS for p in recorder.POSTERIORS}
    return lambda task, posterior, name: found[task, posterior][name]


@pytest.fixture(scope="module")
def of_way(table):
    """One number a plane."""
    rows = table("exact", "way")
    return lambda column, way, members: rows[column][(rows["way"] == way) & (rows["members"] == members)]


@pytest.fixture(scope="module")
def probability(table):
    rows = table("probabilities")
    return lambda noise, number: rows["p"][(rows["noise"] == noise) & (rows["number"] == number)]


@pytest.fixture(scope="module")
def gap(table):
    rows = table("gap", "posterior")
    return lambda posterior: (rows["in_gap"] / rows["at_data"])[rows["posterior"] == posterior]


def test_the_runs_were_recorded_with_the_settings_of_today():
    now = json.loads(json.dumps({name: dict(table.settings) for name, table in recorder.TABLES.items()}))
    assert settings_by_table(NAME) == now, record(NAME)


def test_the_recorded_runs_are_whole(table, of_way, probability, gap):
    assert len(recorder.whole_seeds(table("calibration", "task", "posterior"))) >= MIN_SEEDS
    assert all(len(gap(posterior)) >= MIN_SEEDS for posterior in recorder.POSTERIORS)
    assert all(len(probability(noise, n)) >= MIN_SEEDS for noise in (0.0, recorder.TOY_NOISE) for n in recorder.NUMBERS)
    assert all(len(of_way("auroc", way, members)) >= MIN_SEEDS for way in exact.WAYS for members in exact.MEMBERS)
    facts = json.loads((DATA / NAME / "facts.json").read_text(encoding="utf-8"))
    assert facts == {"num_seeds": str(len(recorder.whole_seeds(table("calibration", "task", "posterior"))))}


# Claims


@pytest.mark.parametrize("posterior", OTHERS)
def test_on_the_cart_pole_all_others_are_more_over_confident_than_the_ensemble(of, posterior):
    for ratio in ("ratio_in", "ratio_out"):
        values, base = of("cartpole", posterior, ratio), of("cartpole", "ensemble", ratio)
        assert interval_of_median(values - base)[1] < 0


def test_on_the_cart_pole_the_ensemble_is_over_confident_too(of):
    assert interval_of_median(of("cartpole", "ensemble", "ratio_in"))[1] < 1


@pytest.mark.parametrize("posterior", OTHERS)
def test_a_fit_takes_longer(of, posterior):
    for task in recorder.TASKS:
        low, high = interval_of_median(of(task, posterior, "fit") / of(task, "ensemble", "fit"))
        assert 1.5 < low < high < 4


@pytest.mark.parametrize("posterior", OTHERS)
def test_on_the_ledge_the_others_earn_far_less(of, posterior):
    assert interval_of_median(of("ledge", posterior, "return") - of("ledge", "ensemble", "return"))[1] < -30


def test_more_data_less_dropout_and_less_without_noise(probability):
    for noise in (0.0, recorder.TOY_NOISE):
        for few, many in zip(recorder.NUMBERS, recorder.NUMBERS[1:], strict=False):
            assert interval_of_median(probability(noise, many) - probability(noise, few))[1] < 0
    most = recorder.NUMBERS[-1]
    assert interval_of_median(probability(0.0, most) - probability(recorder.TOY_NOISE, most))[1] < 0


def test_the_ensemble_parts_in_the_gap(gap):
    assert interval_of_median(gap("ensemble"))[0] > 1


@pytest.mark.parametrize("posterior", OTHERS)
def test_the_others_are_further_apart_at_the_data_than_in_the_gap(gap, posterior):
    assert interval_of_median(gap(posterior))[1] < 1


@pytest.mark.parametrize("posterior", OTHERS)
def test_that_the_others_learn_the_cart_pole_more_slowly_or_detect_less_is_not_clear(of, posterior):
    for name in ("first four", "auroc"):
        low, high = interval_of_median(of("cartpole", posterior, name) - of("cartpole", "ensemble", name))
        assert low <= 0 <= high


def test_on_the_cart_pole_two_of_the_others_end_a_little_lower_and_of_the_third_that_is_not_clear(of):
    base = of("cartpole", "ensemble", "return")
    ends = {other: interval_of_median(of("cartpole", other, "return") - base) for other in OTHERS}
    assert -20 < ends["Bayes by Backprop"][0] < ends["Bayes by Backprop"][1] < 0
    assert -20 < ends["dropout"][0] < ends["dropout"][1] < 0
    assert ends["concrete dropout"][0] <= 0 <= ends["concrete dropout"][1]


@pytest.mark.parametrize("way", exact.WAYS[:2])
def test_more_members_detect_better(of_way, way):
    for few, many in ((2, 10), (10, 30)):
        assert interval_of_median(of_way("auroc", way, many) - of_way("auroc", way, few))[0] > 0


def test_ten_draws_are_nearly_as_good_as_the_posterior_and_better_than_resampled_ones(of_way):
    draws, posterior = of_way("auroc", exact.WAYS[0], 10), of_way("auroc", "exact", 0)
    low, high = interval_of_median(posterior - draws)
    assert 0 < low < high < 0.03
    assert interval_of_median(draws - of_way("auroc", "resampled", 10))[0] > 0


def test_five_draws_see_about_three_quarters_of_the_information(of_way):
    posterior, draws = of_way("information", "exact", 0), of_way("information", exact.WAYS[0], 5)
    assert interval_of_median(posterior - draws)[0] > 0
    low, high = interval_of_median(draws / posterior)
    assert 0.6 < low < 0.75 < high < 0.85


def test_members_that_share_the_data_of_a_regression_are_one(of_way):
    for members in exact.MEMBERS:
        assert (of_way("auroc", "shared data", members) == 0.5).all()
        assert np.abs(of_way("information", "shared data", members)).max() < 1e-6


def test_without_resampling_the_graded_ledge_is_not_clearly_different():
    with_it, without = (interval_of_median(recorder.reference_scores(name)) for name in ("reference", "no_resampling"))
    assert without[0] < with_it[1]
    assert with_it[0] < without[1]


def test_the_handout_shows_the_recorded_medians():
    rows = {row["quantity"]: row for row in read_rows(ROOT / "handout" / "topics" / f"{NAME}.csv")}
    wanted = {str(row[0]): row[1:] for row in recorder.measured()}
    assert rows.keys() == wanted.keys()
    for name, numbers in wanted.items():
        assert [rows[name][column] for column in ("median", "low", "high")] == numbers


# The exact posterior


def test_the_posterior_solves_the_normal_equations_and_shrinks():
    plane = exact.plane_of(0)
    features = plane.features(plane.measured)
    posterior = exact.posterior_of(features, plane.targets)
    gradient = features.T @ (plane.targets - features @ posterior.mean) / exact.NOISE**2 - posterior.mean
    assert np.abs(gradient).max() < 1e-8
    prior = exact.Gaussian(np.zeros(exact.NUM_FEATURES), np.eye(exact.NUM_FEATURES))
    fewer = exact.posterior_of(features[:20], plane.targets[:20])
    assert posterior.entropy() < fewer.entropy() < prior.entropy()
    every = exact.exact_information(features[20:21], fewer)
    one_more = exact.posterior_of(features[:21], plane.targets[:21])
    assert fewer.entropy() - one_more.entropy() == pytest.approx(float(every[0]), abs=1e-8)


def test_draws_have_the_mean_and_covariance_of_the_posterior():
    rng = np.random.default_rng(0)
    features, targets = rng.standard_normal((6, 2)), rng.standard_normal(6)
    posterior = exact.posterior_of(features, targets, 0.5)
    draws = exact.members_of("draws of the posterior", 20_000, features, targets, rng, 0.5)
    assert np.allclose(draws.mean(axis=0), posterior.mean, atol=0.01)
    assert np.allclose(np.cov(draws.T), posterior.covariance, atol=0.005)


def test_information_of_members_is_between_nothing_and_their_logarithm():
    means = np.array([[0.0, 0.0], [0.0, 3.0], [0.0, 6.0]])
    assert np.allclose(exact.information_of(means), [0.0, np.log(3)], atol=1e-3)
