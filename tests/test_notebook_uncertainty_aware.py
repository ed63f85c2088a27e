"""What the notebook `uncertainty_aware` says about its recorded runs, and the formulas it gives."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from recorded_notebook import record, runs_module, settings_by_table, small_functions

from autograder.solutions import ROOT
from hw4.commands.jupyter import interval_of_median, own_seeds, read_table
from hw4.commands.plots import UNGRADED_FILE, read_bands
from hw4.experiments import EXPERIMENTS
from hw4.networks import MLP, EnsembleMLP
from hw4.notebooks import replanning_runs, uncertainty_aware_walks
from hw4.rewards import BRIDGE_TO, ledge_reward
from hw4.transitions import Transition
from publish.handout import ledge
from publish.notebooks import DATA
from publish.recorded_tables import settings_of
from publish.recorders import policy_learning_cartpole

NAME = "uncertainty_aware"
FOLDER = DATA / NAME
EXPERIMENT = EXPERIMENTS["cartpole_ensemble"]
RECORD = record(NAME)


@pytest.fixture(scope="module")
def tables():
    texts = ("strength", "arm", "kind", "map", "size")
    return {path.stem: read_table(path, texts=texts) for path in sorted(FOLDER.glob("*.csv"))}


@pytest.fixture(scope="module")
def cells():
    """What the recorder and the figures use, and the model answers of the two small functions."""
    names = {**runs_module(NAME), **vars(uncertainty_aware_walks)}
    return {**names, **small_functions(NAME, {"np": np, "Array": np.ndarray, **names})}


def of(table, column, **chosen):
    """One column where others have given values, in the order of the file: seeds in order, episodes within."""
    return table[column][np.logical_and.reduce([table[name] == value for name, value in chosen.items()])]


def positive(differences):
    return interval_of_median(differences)[0] > 0


# How the runs came about


def test_the_runs_were_recorded_with_the_settings_of_today(cells):
    tables = settings_by_table(NAME)
    for name in ("gaps", "capacity"):
        assert tables[name]["experiment"] == dataclasses.asdict(EXPERIMENT), f"{name}: {RECORD}"
    assert tables["single_network"]["experiment"] == dataclasses.asdict(cells["SINGLE_CHEETAH"]), RECORD
    for name in ("walks", "paths"):
        settings = tables[name]
        assert settings["maps"] == {on: dataclasses.asdict(of_map) for on, of_map in cells["MAPS"].items()}, RECORD
        assert settings["arms"] == {arm: of_arm.settings for arm, of_arm in cells["ARMS"].items()}, RECORD


def test_the_ledge_is_walked_as_it_is_graded_but_for_the_number_of_plans(cells):
    graded = EXPERIMENTS["ledge"]
    assert dataclasses.replace(cells["MAPS"]["ledge"], population_size=graded.population_size) == graded
    assert cells["MAPS"]["bridge"] == EXPERIMENTS["bridge"]


def test_every_arm_searches_equally_hard(cells):
    """Model evaluations for each step of the horizon and iteration."""
    for arm in cells["ARMS"]:
        experiment = cells["experiment_of"](arm, "ledge")
        roll_outs = experiment.ensemble_size * max(experiment.num_particles, 1)
        assert experiment.population_size * roll_outs == 400, arm


def test_one_wide_network_has_as_many_parameters_as_five(cells):
    def count(network):
        return sum(weight.numel() for weight in network.parameters())

    task, generator = cells["MAPS"]["ledge"].task, torch.Generator()
    sizes = (task.obs_dim + task.act_dim, task.obs_dim)
    wide, five = (cells["experiment_of"](arm, "ledge") for arm in ("one_wide_mean", "five_means"))
    one = count(MLP(*sizes, width=wide.width, num_hidden_layers=2, generator=generator))
    all_five = count(EnsembleMLP(5, *sizes, width=five.width, num_hidden_layers=2, generator=generator))
    assert one == pytest.approx(all_five, rel=0.01)
    assert (cells["num_parameters"](wide), cells["num_parameters"](five)) == (one, all_five)


def test_a_seed_of_every_arm_starts_with_the_same_random_episode(tables):
    walks = tables["walks"]
    for on in ("ledge", "bridge"):
        for seed in np.unique(walks["seed"]):
            assert len(np.unique(of(walks, "episode_return", map=on, seed=seed, episode=0))) == 1


# Two plans beside the edge, and the exercises' model answers


@pytest.mark.parametrize("std", [0.05, 0.15, 0.3, 0.6])
def test_the_closed_form_is_the_integral_of_the_tasks_reward(cells, std):
    x = np.linspace(2.8 - 8 * std, 2.8 + 8 * std, 200_001)
    weights = np.exp(-0.5 * ((x - 2.8) / std) ** 2)
    places = np.column_stack([x, np.zeros_like(x)])
    integral = np.average(ledge_reward(places, np.zeros_like(places), places), weights=weights)
    assert cells["expected_reward"](2.8, std) == pytest.approx(integral, abs=1e-3)


def test_the_handout_draws_the_same_two_plans(cells):
    assert (cells["MEAN_X"], cells["STDS"]) == (ledge.MEAN_X, ledge.STDS)
    for std in (0.05, 0.3, 0.6):
        assert ledge.expected_reward(std) == cells["expected_reward"](ledge.MEAN_X, std)


def test_the_expected_reward_falls_as_the_spread_grows(cells):
    expected = [cells["expected_reward"](2.8, std) for std in np.arange(0.05, 0.61, 0.05)]
    assert all(later < earlier for earlier, later in pairwise(expected))


def test_the_break_even_spread_is_where_the_bold_plan_is_worth_the_safe_one(cells):
    std = cells["break_even_std"](2.8, 2.0)
    assert cells["expected_reward"](2.8, std) == pytest.approx(2.0, abs=1e-2)


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
    return interval_of_median(differences)[0] > 0


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
    low, high = interval_of_median(more)
    assert low < 0 < high


def test_the_wide_network_fits_the_noise_of_few_data(tables):
    fitted = {size: of(tables["capacity"], "train_error", size=size, transitions=100) for size in ("narrow", "wide")}
    assert above_zero(fitted["narrow"] - fitted["wide"])


EVERY, FIRST, LAST_THREE = slice(None), slice(0, 1), slice(-3, None)
WALK_SEEDS = range(200, 220)


def walk(tables, column, arm, on="ledge"):
    """What one arm did in its planned episodes, shape (seeds, planned episodes)."""
    values = of(tables["walks"], column, arm=arm, map=on)
    return values.reshape(len(WALK_SEEDS), -1)[:, 1:]


def compared(tables, arm, other, episodes=EVERY, column="episode_return", on="ledge"):
    """Exact interval of the median of paired differences, averaged over some planned episodes."""
    difference = (walk(tables, column, arm, on) - walk(tables, column, other, on))[:, episodes]
    return interval_of_median(difference.mean(axis=1))


def test_every_arm_has_walked_with_every_seed(tables):
    assert set(np.unique(tables["walks"]["seed"])) == set(WALK_SEEDS)


def test_a_perfect_model_planned_on_its_mean_falls_and_sampled_it_does_not(tables):
    assert compared(tables, "true_sampled", "true_mean")[0] > 100
    assert np.median(walk(tables, "falls", "true_mean")) >= 5
    assert np.median(walk(tables, "falls", "true_sampled").mean(axis=1)) == 0


def test_sampling_pays_for_one_network_and_for_five(tables):
    assert compared(tables, "one_sampled", "one_mean")[0] > 0
    assert compared(tables, "one_sampled", "one_mean", column="falls")[1] < 0
    assert compared(tables, "five_sampled", "five_gaussian_means", LAST_THREE)[0] > 0


@pytest.mark.parametrize("one", ["one_mean", "one_wide_mean"])
def test_members_planned_on_their_means_fall_less_than_one_network(tables, one):
    assert compared(tables, "five_means", one, FIRST)[0] > 0
    assert compared(tables, "five_means", one, LAST_THREE, column="stands")[1] < 0  # further from the edge


def test_they_fall_to_the_end_all_the_same(tables):
    for arm in ("five_means", "five_gaussian_means"):
        assert interval_of_median(walk(tables, "falls", arm)[:, LAST_THREE].mean(axis=1))[0] > 1


def test_once_the_noise_is_sampled_five_networks_against_one_are_a_small_matter(tables):
    for episodes in (EVERY, LAST_THREE):
        assert compared(tables, "five_sampled", "one_sampled", episodes)[1] < 15


def far(tables, arm, episode=-1):
    """The share of seeds that end an episode in the far meadow, behind the bridge."""
    return float((walk(tables, "stands", arm, "bridge")[:, episode] > BRIDGE_TO).mean())


def test_only_optimism_crosses_the_bridge_and_carelessness(tables):
    assert far(tables, "true_sampled") >= 0.9  # so it is not the search
    assert far(tables, "five_sampled") <= 0.3
    assert far(tables, "pessimistic") <= 0.1
    assert far(tables, "optimistic") >= 0.9
    assert far(tables, "one_mean") >= 0.9
    assert compared(tables, "one_mean", "five_sampled", column="falls", on="bridge")[0] > 0


def test_on_the_ledge_optimism_falls_and_pessimism_gains_nothing(tables):
    assert compared(tables, "optimistic", "five_sampled")[1] < 0
    assert compared(tables, "optimistic", "five_sampled", column="falls")[0] > 0
    for careful in ("pessimistic", "mean_minus_std"):
        assert compared(tables, careful, "five_sampled")[0] <= 0


def test_on_the_half_cheetah_both_runs_with_one_network_end_below_both_with_five(tables):
    """Far too few for a claim, and the notebook says so."""
    band = read_bands(UNGRADED_FILE)["half_cheetah"]
    ends = tables["single_network"]["episode_return"].reshape(-1, len(band.env_steps))[:, -5:].mean(axis=1)
    assert len(ends) == band.num_runs == 2
    assert max(ends) < np.mean(band.low[-5:])


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


@pytest.fixture(scope="module")
def cartpole_runs():
    """Env steps to the first episode that returns 60, and the mean return at the end, shape (seeds,), of an arm."""
    arms = read_table(DATA / "replanning" / "returns.csv", texts=("arm",))
    one = {name: values[arms["arm"] == "1.5"] for name, values in arms.items()}
    runs = {
        "one network": (one, 2),
        "SAC": (read_table(DATA / "replanning" / "policy_learning_cartpole_curves.csv"), 20),
    }

    def of_arm(arm):
        table, last = runs[arm]
        first, ends = [], []
        for seed in np.unique(table["seed"]):
            env_steps, returns = (table[name][table["seed"] == seed] for name in ("env_steps", "episode_return"))
            good = env_steps[returns >= 60]
            first.append(good[0] if len(good) else math.inf)
            ends.append(returns[-last:].mean())
        return np.array(first), np.array(ends)

    return of_arm


def test_the_cart_poles_episodes_have_100_steps_and_its_five_networks_fewer_candidates():
    one, five = replanning_runs.ARMS["1.5"], EXPERIMENTS["cartpole_ensemble"]
    assert one.task.episode_length == five.task.episode_length == 100
    assert five.population_size < one.population_size
    assert (one.gradient_steps, one.refit_every, one.replan_every) == (1200, 100, 1)


def test_model_free_rl_updates_once_per_env_step_after_500_random_ones(monkeypatch):
    learner = policy_learning_cartpole.Learner(0)
    updates = []
    for update in ("update_critics", "update_policy"):
        monkeypatch.setattr(learner.sac, update, lambda *_, update=update: updates.append(update))
    obs_dim, act_dim = policy_learning_cartpole.TASK.obs_dim, policy_learning_cartpole.TASK.act_dim
    for _ in range(503):
        learner.record(Transition(np.zeros(obs_dim), np.zeros(act_dim), np.zeros(obs_dim)))
    assert policy_learning_cartpole.WARM_UP == 500
    assert updates == ["update_critics", "update_policy"] * 4  # with 500 to 503 transitions seen


def test_on_the_cart_pole_model_free_rl_takes_more_than_ten_times_as_many_env_steps(cartpole_runs):
    (early, early_high), (late_low, _) = (interval_of_median(cartpole_runs(arm)[0]) for arm in ("one network", "SAC"))
    assert 400 <= early <= early_high <= 500
    assert late_low > 10 * early_high


def test_that_either_of_the_two_ends_better_on_the_cart_pole_is_not_shown(cartpole_runs):
    """A null result, which the notebook states: the intervals overlap, and that of SAC is wide."""
    (low, high), (sac_low, sac_high) = (interval_of_median(cartpole_runs(arm)[1]) for arm in ("one network", "SAC"))
    assert max(low, sac_low) <= min(high, sac_high)
    assert sac_high - sac_low > 3 * (high - low)


def test_the_model_answers_ablation_cannot_tell_five_networks_from_one():
    """Five minus one, the mean return of the last five episodes of each seed, as `plot` prints it."""
    path = ROOT / "publish" / "ablation_runs.csv"
    assert settings_of(path) == {"experiment": dataclasses.asdict(EXPERIMENTS["ledge"])}, record("ablation")
    table = read_table(path)
    scores = {
        size: table["episode_return"][table["ensemble_size"] == size].reshape(8, -1)[:, -5:].mean(axis=1)
        for size in (1, 5)
    }
    assert [*np.unique(table["seed"])] == sorted(own_seeds("answer key", 8))
    differences = scores[5] - scores[1]
    low, high = interval_of_median(differences)
    assert (round(np.median(differences)), round(low, 1), round(high)) == (10, -0.3, 33)
    assert (np.sum(differences > 0), np.sum(differences > 20)) == (6, 2)
