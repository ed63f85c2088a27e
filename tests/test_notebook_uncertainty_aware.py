"""What the notebook `uncertainty_aware` says about its recorded runs, and the formulas it gives."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import jupytext
import numpy as np
import pytest
import torch
from recorded_notebook import record, settings_by_table

from hw4.commands.jupyter import exact_interval, interval_of_median, read_table
from hw4.commands.plots import UNGRADED_FILE, read_bands
from hw4.envs.cliff_hill import height
from hw4.experiments import EXPERIMENTS
from hw4.networks import MLP, EnsembleMLP
from publish.notebooks import DATA, MASTERS

NAME = "uncertainty_aware"
FOLDER = DATA / NAME
EXPERIMENT = EXPERIMENTS["cartpole_ensemble"]
RECORD = record(NAME)


@pytest.fixture(scope="module")
def tables():
    texts = ("strength", "arm", "kind", "size")
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
    tables = {name: of_table for name, of_table in settings_by_table(NAME).items() if not name.startswith("model_free")}
    for name, settings in tables.items():
        assert settings["experiment"] == dataclasses.asdict(EXPERIMENT), f"{name}: {RECORD}"
    recorded = tables["arms"]
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


def held_out_error(tables, size, transitions):
    """Of the networks of one size, after the fit to so many transitions, for each seed."""
    return of(tables["capacity"], "held_out_error", size=size, transitions=transitions)


def above_zero(differences, num_seeds=20):
    """Whether the exact interval of the median says so, with all the seeds that the claims were fixed for."""
    assert len(differences) == num_seeds
    return exact_interval(differences)[0] > 0


def test_the_wide_network_overfits_early_and_the_narrow_one_lacks_capacity_late(tables):
    early, late = ({size: held_out_error(tables, size, n) for size in ("narrow", "wide")} for n in (100, 6400))
    assert above_zero(early["wide"] - early["narrow"])
    assert above_zero(late["narrow"] - late["wide"])


@pytest.mark.parametrize("transitions", [40, 100, 400, 1600, 6400])
def test_five_wide_networks_err_less_than_one_at_every_time(tables, transitions):
    assert above_zero(held_out_error(tables, "wide", transitions) - held_out_error(tables, "five_wide", transitions))


def test_with_few_data_five_wide_networks_are_not_ahead_of_the_narrow_one(tables):
    """Looked at after the runs were seen."""
    few, more = (held_out_error(tables, "five_wide", n) - held_out_error(tables, "narrow", n) for n in (40, 100))
    assert above_zero(few)
    low, high = exact_interval(more)
    assert low < 0 < high


def test_the_wide_network_fits_the_noise_of_few_data(tables):
    fitted = {size: of(tables["capacity"], "train_error", size=size, transitions=100) for size in ("narrow", "wide")}
    assert above_zero(fitted["narrow"] - fitted["wide"])


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
