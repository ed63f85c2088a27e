"""What notebooks/masters/policy_learning.py and handout/topics/policy_learning.typ say, on recorded runs.

Which claims are made, and in which form, was fixed before these seeds were run: see
publish/recorders/policy_learning.py.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from recorded_notebook import record, settings_by_table

from autograder.solutions import ROOT
from hw4.commands.csv_rows import read_rows
from hw4.commands.jupyter import interval_of_median, read_table
from hw4.notebooks.policy_learning_runs import at, first_time, target_errors, weights_where
from publish.notebooks import DATA
from publish.recorders import policy_learning as recorder

NAME = "policy_learning"
MIN_SEEDS = 20
CONTROL, EXPANDED, PLANNER = "equal updates", "MVE with TD-k", "MPC agent"
LEARNERS = [arm for arm in recorder.ARMS if arm != PLANNER]


@pytest.fixture(scope="module")
def race():
    return read_table(DATA / NAME / "race.csv", texts=("arm",))


@pytest.fixture(scope="module")
def runs(race):
    """The columns of each run of an arm."""

    def of(arm):
        for seed in np.unique(race["seed"]):
            mine = (race["arm"] == arm) & (race["seed"] == seed)
            yield {name: race[name][mine] for name in ("env_steps", "seconds", "episode_return")}

    return of


@pytest.fixture(scope="module")
def score(runs):
    return lambda arm: np.array([at(run["env_steps"], run["episode_return"]) for run in runs(arm)])


@pytest.fixture(scope="module")
def when(runs):
    return lambda arm, what: np.array([first_time(run[what], run["episode_return"]) for run in runs(arm)])


def test_the_runs_were_recorded_with_the_settings_of_today():
    now = json.loads(json.dumps(recorder.SETTINGS))
    assert settings_by_table(NAME) == {"race": now}, record(NAME)


def test_the_recorded_runs_are_whole(race, runs):
    seeds = np.unique(race["seed"])
    assert len(seeds) >= MIN_SEEDS
    for arm in recorder.ARMS:
        every = 40 if arm == PLANNER else 50
        first = 120 if arm == PLANNER else 50
        for run in runs(arm):
            assert np.array_equal(run["env_steps"], np.arange(first, recorder.ENV_STEPS[arm] + 1, every))
    facts = json.loads((DATA / NAME / "facts.json").read_text(encoding="utf-8"))
    assert facts == {"num_seeds": str(len(seeds))}


# Claims


def test_expansion_with_td_k_is_better_than_equal_updates(score):
    assert interval_of_median(score(EXPANDED) - score(CONTROL))[0] > 0


def test_the_planner_earns_25_in_its_first_planned_episode_with_every_seed(when):
    assert set(when(PLANNER, "env_steps")) == {120.0}


def test_no_learner_is_as_fast_as_the_planner_in_env_steps_or_seconds(when):
    for arm in LEARNERS:
        assert np.median(when(arm, "env_steps")) > 120
        assert interval_of_median(when(arm, "seconds"))[0] > interval_of_median(when(PLANNER, "seconds"))[1], arm


def test_the_planners_first_episode_is_as_good_as_any_policy_gets(runs):
    first = np.median([run["episode_return"][0] for run in runs(PLANNER)])
    for arm in LEARNERS:
        assert np.median([run["episode_return"][-1] for run in runs(arm)]) < first + 0.5


def test_no_learner_needs_fewer_env_steps_than_expansion_with_td_k_and_model_free_needs_the_most(when):
    median = {arm: np.median(when(arm, "env_steps")) for arm in LEARNERS}
    assert median[EXPANDED] == min(median.values())
    assert max(median, key=median.get) == "model-free"


def test_model_free_needs_the_least_processor_time(when):
    median = {arm: np.median(when(arm, "seconds")) for arm in LEARNERS}
    assert min(median, key=median.get) == "model-free"


def test_expansion_and_five_step_roll_outs_are_better_than_equal_updates(score):
    for arm in ("MVE", "Dyna k=5"):
        assert interval_of_median(score(arm) - score(CONTROL))[0] > 0, arm


def test_td_k_adds_to_expansion_but_only_just(score):
    low, high = interval_of_median(score(EXPANDED) - score("MVE"))
    assert 0 < low < 1 < high


def test_for_one_step_roll_outs_and_steve_no_effect_shows(score):
    for arm in ("Dyna k=1", "STEVE"):
        low, high = interval_of_median(score(arm) - score(CONTROL))
        assert low <= 0 <= high, arm


def test_the_claim_about_more_updates_did_not_come_true_at_250_and_does_later(score, when):
    low, high = interval_of_median(score(CONTROL) - score("model-free"))
    assert low <= 0 <= high
    for arm in (CONTROL, "model-free"):
        assert (score(arm) < 25).mean() > 0.5
    control, single = when(CONTROL, "env_steps"), when("model-free", "env_steps")
    assert np.median(control) < np.median(single) / 2
    assert interval_of_median(control)[1] < interval_of_median(single)[0]


def test_one_run_of_expansion_with_td_k_is_at_15(score):
    assert [round(value) for value in score(EXPANDED) if value < 20] == [15]


# What the figures of known worlds show


def test_the_error_of_the_critic_shrinks_and_that_of_the_model_grows():
    critic, model = target_errors(0.0, 1.0), target_errors(0.02, 0.0)
    assert np.allclose(critic, 0.98 ** np.arange(1, 12))
    assert model[0] < 1e-9
    assert (np.diff(model) > 0).all()


def test_a_noisy_length_loses_its_weight_and_one_that_is_wrong_alike_keeps_it():
    noisy, error = weights_where("noisy")
    assert noisy[2:].sum() < 0.01
    assert abs(noisy @ error) < 0.1
    wrong, error = weights_where("wrong")
    assert wrong[2:].sum() > 0.4
    assert abs(wrong @ error) > 0.8


def test_the_handout_shows_the_medians_of_the_recorded_runs(score, when, runs):
    rows = {row["quantity"]: row for row in read_rows(ROOT / "handout" / "topics" / f"{NAME}.csv")}
    wanted = {}
    for arm in recorder.ARMS:
        wanted[f"env steps to 25, {arm}"] = when(arm, "env_steps")
        wanted[f"seconds to 25, {arm}"] = when(arm, "seconds")
    for arm in LEARNERS:
        wanted[f"return at 250, {arm}"] = score(arm)
        if arm != CONTROL:
            wanted[f"at 250, {arm} minus {CONTROL}"] = score(arm) - score(CONTROL)
    wanted["at 250, MVE with TD-k minus MVE"] = score(EXPANDED) - score("MVE")
    wanted[f"first planned episode, {PLANNER}"] = np.array([run["episode_return"][0] for run in runs(PLANNER)])
    assert rows.keys() == wanted.keys()
    for name, values in wanted.items():
        shown = [float(rows[name][column]) for column in ("median", "low", "high", "min", "max")]
        numbers = [np.median(values), *interval_of_median(values), values.min(), values.max()]
        assert np.allclose(shown, numbers, atol=0.0051), name
