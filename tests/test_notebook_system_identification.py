"""What notebooks/masters/system_identification.py and handout/topics/system_identification.typ say, on recorded runs.

Which claims are made, and in which form, was fixed before these seeds were run: see
publish/recorders/system_identification.py.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from recorded_notebook import record, settings_by_table

from autograder.solutions import ROOT
from hw4.commands.csv_rows import read_rows
from hw4.commands.jupyter import interval_of_median, read_table
from publish.notebooks import DATA
from publish.recorders import system_identification as recorder

NAME = "system_identification"
MIN_SEEDS = 20


@pytest.fixture(scope="module")
def fits():
    return read_table(DATA / NAME / "fits.csv", texts=("fit",))


@pytest.fixture(scope="module")
def returns():
    return read_table(DATA / NAME / "returns.csv", texts=("arm",))


@pytest.fixture(scope="module")
def earned(returns):
    return lambda arm: returns["episode_return"][returns["arm"] == arm]


@pytest.fixture(scope="module")
def turned(returns):
    """Which robots are wired the other way round."""
    return returns["sign"][returns["arm"] == "identified"] < 0


@pytest.fixture(scope="module")
def off(fits):
    """The size of an error in percent."""
    return lambda fit, column: 100 * np.abs(fits[column][fits["fit"] == fit])


@pytest.fixture(scope="module")
def near(fits):
    """Which trials come near a stop."""
    return fits["near_stops"][fits["fit"] == "identified"] > 0


def test_the_runs_were_recorded_with_the_settings_of_today():
    now = json.loads(json.dumps(recorder.SETTINGS))
    assert settings_by_table(NAME) == dict.fromkeys(("fits", "returns"), now), record(NAME)


def test_the_recorded_runs_are_whole(fits, returns):
    seeds = np.unique(returns["seed"])
    assert len(seeds) >= MIN_SEEDS
    for table, column, names in ((fits, "fit", recorder.FITS), (returns, "arm", recorder.ARMS)):
        for name in names:
            assert np.array_equal(table["seed"][table[column] == name], seeds)
    facts = json.loads((DATA / NAME / "facts.json").read_text(encoding="utf-8"))
    assert facts == {"num_seeds": str(len(seeds))}


# Claims


def test_the_identified_model_earns_more_than_the_ensemble(earned):
    assert interval_of_median(earned("identified") - earned("network ensemble"))[0] > 0


def test_the_logarithm_of_the_gain_fails_with_motors_that_are_wired_the_other_way_round(earned, turned):
    assert interval_of_median((earned("identified") - earned("logarithm of the gain"))[turned])[0] > 0


def test_with_the_stops_the_mass_ratio_is_further_off(off, near):
    assert interval_of_median((off("with the stops", "ratio") - off("identified", "ratio"))[near])[0] > 0


def test_away_from_the_stops_every_number_is_found_to_about_one_percent(off):
    for column in ("gain", "ratio", "length"):
        assert interval_of_median(off("identified", column))[1] < 1.0


def test_with_the_stops_the_ratio_is_off_by_a_fifth_to_a_half_and_the_others_by_several_times_as_much(off, near):
    low, high = interval_of_median(off("with the stops", "ratio")[near])
    assert 20 <= low < high <= 50
    for column in ("gain", "length"):
        assert interval_of_median((off("with the stops", column) - off("identified", column))[near])[0] > 0
        assert np.median(off("with the stops", column)[near]) > 3 * np.median(off("identified", column)[near])


def test_the_ratio_is_the_furthest_off_with_the_stops(off, near):
    for column in ("gain", "length"):
        assert interval_of_median((off("with the stops", "ratio") - off("with the stops", column))[near])[0] > 0


def test_identified_numbers_earn_as_much_as_the_true_ones(earned):
    low, high = interval_of_median(earned("identified") - earned("true numbers"))
    assert -1 < low <= 0 <= high < 1


def test_the_ensemble_earns_about_a_fifth(earned):
    low, high = interval_of_median(earned("network ensemble") / earned("identified"))
    assert 0.1 < low < 0.2 < 0.25 < high < 0.35


def test_the_logarithm_earns_next_to_nothing_or_the_same(earned, turned):
    assert earned("logarithm of the gain")[turned].max() < 2
    assert np.abs(earned("identified") - earned("logarithm of the gain"))[~turned].max() < 0.01


def test_it_cannot_be_claimed_that_the_fit_with_the_stops_earns_less(earned):
    low, high = interval_of_median(earned("identified") - earned("with the stops"))
    assert low <= 0 <= high


def test_the_handout_shows_the_medians_of_the_recorded_runs(earned, off, near, turned):
    rows = {row["quantity"]: row for row in read_rows(ROOT / "handout" / "topics" / f"{NAME}.csv")}
    wanted = {f"return, {arm}": earned(arm) for arm in recorder.ARMS}
    for arm in recorder.ARMS:
        if arm != "identified":
            wanted[f"identified minus {arm}"] = earned("identified") - earned(arm)
    logarithm = "logarithm of the gain"
    for name, chosen in (("wired the other way round", turned), ("wired as usual", ~turned)):
        wanted[f"return, {logarithm}, {name}"] = earned(logarithm)[chosen]
        wanted[f"identified minus {logarithm}, {name}"] = (earned("identified") - earned(logarithm))[chosen]
    for name in ("gain", "ratio", "length"):
        away, stops = off("identified", name), off("with the stops", name)
        wanted[f"error of {name}, identified"] = away
        wanted[f"error of {name}, with the stops"] = stops[near]
        wanted[f"error of {name}, stops minus identified"] = (stops - away)[near]
    assert rows.keys() == wanted.keys()
    for name, values in wanted.items():
        shown = [float(rows[name][column]) for column in ("median", "low", "high", "min", "max")]
        numbers = [np.median(values), *interval_of_median(values), values.min(), values.max()]
        assert np.allclose(shown, numbers, atol=0.0051), name
