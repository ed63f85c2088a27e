"""What the notebook `uncertainty_aware` says about its recorded runs, and the formulas it gives."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import jupytext
import numpy as np
import pytest
import torch
from recorded_notebook import provenance

from hw4.commands.jupyter import interval_of_median, read_table
from hw4.commands.plots import UNGRADED_FILE, read_bands
from hw4.envs.cliff_hill import height
from hw4.experiments import EXPERIMENTS
from hw4.networks import MLP, EnsembleMLP
from publish.notebooks import DATA, MASTERS

NAME = "uncertainty_aware"
FOLDER = DATA / NAME
EXPERIMENT = EXPERIMENTS["cartpole_ensemble"]
RECORD = "run `python -m publish.notebooks record`"


@pytest.fixture(scope="module")
def tables():
    texts = ("strength", "arm", "kind")
    return {path.stem: read_table(path, texts=texts) for path in sorted(FOLDER.glob("*.csv"))}


@pytest.fixture(scope="module")
def cells():
    """The names that some of the notebook's cells define, as staff have them."""
    master = jupytext.reads((MASTERS / f"{NAME}.py").read_text(encoding="utf-8"), fmt="py:percent")
    by_name = {cell.metadata["name"]: cell.source for cell in master.cells}
    names = {}
    for name in ("setup", "constants", "arms", "curse", "closed-form", "break-even"):
        exec(compile(by_name[name], name, "exec", dont_inherit=True), names)
    return names


def of(table, column, **chosen):
    """One column where others have given values, in the order of the file: seeds in order, episodes within."""
    return table[column][np.logical_and.reduce([table[name] == value for name, value in chosen.items()])]


def positive(differences):
    return interval_of_median(differences)[0] > 0


# How the runs came about


def test_the_runs_were_recorded_with_the_settings_of_today():
    recorded = provenance(NAME)["settings"]
    assert recorded["experiment"] == dataclasses.asdict(EXPERIMENT), RECORD
    for arm in ("one_wide", "one", "mean_state", "expected", "pessimistic", "optimistic", "noise"):
        differing = {
            field
            for field, value in recorded["arms"][arm]["experiment"].items()
            if value != recorded["experiment"][field]
        }
        assert differing <= {"ensemble_size", "width", "aggregation"}, f"{arm}: {RECORD}"


def test_one_wide_network_has_as_many_parameters_as_five(cells):
    def count(network):
        return sum(weight.numel() for weight in network.parameters())

    task, generator = EXPERIMENT.task, torch.Generator()
    sizes = (task.obs_dim + task.act_dim, task.obs_dim)
    wide = cells["WIDE_ONE"]
    one = count(MLP(*sizes, width=wide.width, num_hidden_layers=2, generator=generator))
    five = count(EnsembleMLP(5, *sizes, width=EXPERIMENT.width, num_hidden_layers=2, generator=generator))
    assert one == pytest.approx(five, rel=0.01)
    assert (cells["num_parameters"](wide), cells["num_parameters"](EXPERIMENT)) == (one, five)


def test_a_seed_of_every_arm_starts_with_the_same_random_episode(tables):
    arms = tables["arms"]
    for seed in np.unique(arms["seed"]):
        assert len(np.unique(of(arms, "episode_return", seed=seed, episode=0))) == 1


# Two plans beside the cliff, and the exercises' model answers


@pytest.mark.parametrize("std", [0.05, 0.2, 0.4, 0.6])
def test_the_closed_form_is_the_integral_of_the_environments_height(cells, std):
    x = np.linspace(2.8 - 8 * std, 2.8 + 8 * std, 200_001)
    weights = np.exp(-0.5 * ((x - 2.8) / std) ** 2)
    integral = np.average(height(np.column_stack([x, np.zeros_like(x)])), weights=weights)
    assert cells["expected_height"](2.8, std) == pytest.approx(integral, abs=1e-4)


def test_expected_height_falls_as_the_spread_grows(cells):
    expected = [cells["expected_height"](2.8, std) for std in np.arange(0.05, 0.61, 0.05)]
    assert all(later < earlier for earlier, later in pairwise(expected))
    assert expected[0] - expected[-1] > 1.5  # m


def test_the_break_even_spread_is_where_the_bold_plan_is_worth_the_safe_one(cells):
    std = cells["break_even_std"](2.8, 2.0)
    assert cells["expected_height"](2.8, std) == pytest.approx(2.0, abs=1e-3)


def test_the_best_of_many_promises_what_extreme_values_say(cells):
    errors = np.random.default_rng(0).normal(size=(20_000, 4, 10))
    best_of_ten = 1.5388  # expectation of the largest of ten standard Gaussians
    assert cells["promised_by_best"](errors).mean() == pytest.approx(best_of_ten / math.sqrt(4), abs=0.02)


# What the notebook claims. Where a lecture's claim does not show, the test says that none can be made.


def gap(tables, strength="cem", members=1, transitions=400):
    """Predicted minus true return of the chosen plans, for each seed."""
    chosen = {"members": members, "transitions": transitions, "strength": strength}
    return of(tables["gaps"], "predicted", **chosen) - of(tables["gaps"], "true", **chosen)


def test_the_search_makes_one_network_an_optimist(tables):
    assert positive(gap(tables))
    assert positive(gap(tables) - gap(tables, "best_of_1"))
    assert positive(gap(tables, "best_of_1000") - gap(tables, "best_of_10"))
    assert not positive(gap(tables, "best_of_1"))  # unsearched, it promises no more than is true


def test_five_networks_are_less_optimistic_than_one(tables):
    assert positive(gap(tables, "best_of_1000") - gap(tables, "best_of_1000", members=5))
    assert positive(gap(tables) - gap(tables, members=5))


def test_more_data_of_the_base_policy_does_not_close_the_gap(tables):
    change = gap(tables, transitions=1600) - gap(tables, transitions=100)
    assert interval_of_median(change)[1] > 0  # no fall can be claimed
    assert positive(gap(tables, transitions=1600))


def width(tables, column, units, transitions):
    return of(tables["widths"], column, width=units, transitions=transitions)


def test_a_wide_network_fits_its_data_closer_than_the_world(tables):
    def ratio(units):
        return width(tables, "held_out_error", units, 100) / width(tables, "train_error", units, 100)

    assert positive(ratio(64) - ratio(8))
    assert positive(ratio(256) - ratio(8))


def test_that_the_wide_network_is_worse_or_more_exploited_does_not_show(tables):
    """Two null results."""
    worse = width(tables, "held_out_error", 256, 100) - width(tables, "held_out_error", 64, 100)
    gaps = {w: width(tables, "predicted", w, 100) - width(tables, "true", w, 100) for w in (64, 256)}
    for difference in (worse, gaps[256] - gaps[64]):
        low, high = interval_of_median(difference)
        assert low < 0 < high


def test_a_narrow_network_lacks_the_capacity_for_much_data(tables):
    assert positive(width(tables, "held_out_error", 8, 5000) - width(tables, "held_out_error", 64, 5000))
    assert positive(width(tables, "held_out_error", 8, 5000) - width(tables, "held_out_error", 256, 5000))
    assert positive(width(tables, "train_error", 8, 5000) - width(tables, "train_error", 256, 5000))


def curves(tables, arm, column="episode_return"):
    """Shape (seeds, episodes)."""
    return of(tables["arms"], column, arm=arm).reshape(-1, EXPERIMENT.num_episodes)


@pytest.mark.parametrize("arm", ["one_wide", "mean_state", "expected", "pessimistic", "one", "optimistic", "noise"])
def test_every_arm_learns(tables, arm):
    returns = curves(tables, arm)
    assert positive(returns[:, -2:].mean(axis=1) - returns[:, 0])


def final(tables, arm):
    """The mean return of the last two episodes, for each seed."""
    return curves(tables, arm)[:, -2:].mean(axis=1)


@pytest.mark.parametrize("other", ["one_wide", "mean_state", "one"])
def test_averaging_returns_over_five_shows_no_gain_in_the_closed_loop(tables, other):
    """A null result: at equal parameters and gradient steps, replanning at every step hides what the gap shows."""
    low, high = interval_of_median(final(tables, "expected") - final(tables, other))
    assert low < 0 < high


def test_pessimism_costs_return(tables):
    assert positive(final(tables, "one_wide") - final(tables, "pessimistic"))
    assert positive(total(tables, "expected") - total(tables, "pessimistic"))


def total(tables, arm):
    """The return of all planned episodes together, for each seed."""
    return curves(tables, arm)[:, EXPERIMENT.num_initial_episodes :].sum(axis=1)


def test_noisy_actions_see_more_and_that_they_cost_return_does_not_show(tables):
    num_seeds = len(curves(tables, "noise"))
    seen = {arm: curves(tables, arm, "cells_visited")[:num_seeds, -1] for arm in ("noise", "expected")}
    assert positive(seen["noise"] - seen["expected"])
    cost = total(tables, "expected")[:num_seeds] - total(tables, "noise")
    low, high = interval_of_median(cost)
    assert low < 0 < high  # a null result, which the notebook states
    assert positive(final(tables, "expected")[:num_seeds] - final(tables, "noise"))


def test_optimism_shows_no_difference(tables):
    """A null result: neither in what is seen nor in what is earned."""
    num_seeds = len(curves(tables, "optimistic"))

    def seen(arm):
        return curves(tables, arm, "cells_visited")[:, -1]

    for difference in (
        curves(tables, "optimistic", "cells_visited")[:, -1]
        - curves(tables, "expected", "cells_visited")[:num_seeds, -1],
        total(tables, "optimistic") - total(tables, "expected")[:num_seeds],
    ):
        low, high = interval_of_median(difference)
        assert low < 0 < high


def evaluations(tables, seed=0):
    """Env steps, and the mean return of SAC's deterministic policy over its five starts."""
    table = tables["model_free"]
    at = np.unique(of(table, "env_steps", kind="evaluation", seed=seed))
    means = [of(table, "episode_return", kind="evaluation", seed=seed, env_steps=env_steps).mean() for env_steps in at]
    return at, np.array(means)


def test_our_runs_on_the_half_cheetah_are_ahead_of_model_free_rl_where_they_end(tables):
    band = read_bands(UNGRADED_FILE)["half_cheetah"]
    for seed in (0, 1, 2):
        at, returns = evaluations(tables, seed)
        assert returns[at == band.env_steps[-1]][0] < min(band.low[-5:])
    assert max(band.high) < band.ceiling  # far below what a small search with the true simulator earns


def test_model_free_rl_ends_far_ahead(tables):
    band = read_bands(UNGRADED_FILE)["half_cheetah"]
    at, returns = evaluations(tables)
    assert at[-1] == 60_000
    assert returns[-1] > max(2 * max(band.high), band.ceiling)
