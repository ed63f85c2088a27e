"""Cliff hill, distribution shift: what the notebook states, asserted on its recorded runs."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from recorded_notebook import record, settings_by_table

from hw4.commands.csv_rows import read_rows
from hw4.commands.jupyter import interval_of_median, read_table
from hw4.envs.cliff_hill import ARENA, EDGE_X, STEP_LENGTH, height
from hw4.experiments import EXPERIMENTS
from hw4.notebooks.distribution_shift_runs import imagined_return
from publish.notebooks import DATA

NAME = "distribution_shift"


# The recorded runs, and what the notebook says about them


@pytest.fixture(scope="module")
def episodes():
    rows = read_rows(DATA / NAME / "episodes.csv")

    def column(name, version):
        values = [float(row[name] or "nan") for row in rows if row["version"] == version]
        return np.array(values).reshape(-1, EXPERIMENTS["cliff_hill"].num_episodes)

    return column


def test_the_runs_were_recorded_with_the_settings_of_today():
    experiment = {"experiment": dataclasses.asdict(EXPERIMENTS["cliff_hill"])}
    cartpole = {"cartpole": dataclasses.asdict(EXPERIMENTS["cartpole"])}
    on_the_cartpole = ("clinic", "models", "planned")
    for table, settings in settings_by_table(NAME).items():
        if table == "plain":
            assert settings["windy_plain"] == dataclasses.asdict(EXPERIMENTS["windy_plain"]), record(NAME)
        elif table == "model_classes":
            assert settings.items() >= cartpole.items(), "run `python -m publish.recorders model_classes`"
        else:
            assert settings == (cartpole if table in on_the_cartpole else experiment), f"{table}: {record(NAME)}"


def test_version_0_5_earns_less_than_nothing_and_imagined_far_more_on_every_seed(episodes):
    planned = slice(EXPERIMENTS["cliff_hill"].num_initial_episodes, None)
    earned = episodes("episode_return", "0.5")[:, planned]
    imagined = episodes("imagined_return", "0.5")[:, planned]
    assert (earned < 0).all()
    assert (imagined > earned).all()
    assert np.median(imagined - earned) > 100


def test_version_1_5_ends_above_every_planned_episode_of_0_5_on_every_seed(episodes):
    planned = slice(EXPERIMENTS["cliff_hill"].num_initial_episodes, None)
    fallen = episodes("episode_return", "0.5")[:, planned]
    last = episodes("episode_return", "1.5")[:, -2:].mean(axis=1)
    assert last.min() > fallen.max()
    assert np.median(last) > 0


def test_an_imagined_return_is_the_tasks_reward_on_imagined_states():
    imagined = imagined_return(EXPERIMENTS["cliff_hill"], np.zeros((2, 2)), np.ones((3, 3)))
    assert imagined == 2.0  # two steps at height 1, no move


@pytest.fixture(scope="module")
def beliefs():
    return read_rows(DATA / NAME / "beliefs.csv")


def test_the_runs_were_recorded_on_the_hill_of_today(beliefs):
    x = np.array([float(row["x"]) for row in beliefs])
    truth = height(np.column_stack([x + STEP_LENGTH, np.zeros_like(x)]))
    recorded = [float(row["true_next_height"]) for row in beliefs]
    np.testing.assert_allclose(recorded, truth, rtol=1e-4, err_msg=record(NAME))


@pytest.mark.parametrize("version", ["1.0", "1.5"])
def test_aggregation_moves_the_belief_about_a_step_over_the_edge_towards_the_truth(beliefs, version):
    def mean_error(model):
        rows = [r for r in beliefs if r["model"] == model and EDGE_X - STEP_LENGTH < float(r["x"]) < EDGE_X]
        num_seeds = len({row["seed"] for row in rows})
        errors = [abs(float(row["next_height"]) - float(row["true_next_height"])) for row in rows]
        return np.array(errors).reshape(num_seeds, -1).mean(axis=1)

    assert interval_of_median(mean_error("first") - mean_error(version))[0] > 0


def change(episodes, column, version):
    """Of one error, from the first planned episode to the last, for each seed."""
    errors = episodes(column, version)
    return errors[:, -1] - errors[:, EXPERIMENTS["cliff_hill"].num_initial_episodes]


@pytest.mark.parametrize("version", ["1.0", "1.5"])
def test_the_error_on_the_states_visited_now_falls(episodes, version):
    assert interval_of_median(change(episodes, "error_on_visited", version))[1] < 0


@pytest.mark.parametrize("version", ["1.0", "1.5"])
def test_the_model_does_not_mend_everywhere(episodes, version):
    """Two results that the notebook states, and that a reader might not expect."""
    assert interval_of_median(change(episodes, "error_on_base", version))[0] > 0
    low, high = interval_of_median(change(episodes, "error_on_plan", version))
    assert high > 0  # no fall can be claimed
    assert version == "1.0" or low > 0  # under 1.5 it rises


def test_aggregation_mends_what_the_whole_plan_earns(episodes):
    first_planned = EXPERIMENTS["cliff_hill"].num_initial_episodes
    returns = episodes("episode_return", "1.0")
    assert interval_of_median(returns[:, -1] - returns[:, first_planned])[0] > 0
    assert (returns[:, first_planned] == episodes("episode_return", "0.5")[:, first_planned]).all()


def test_the_first_model_is_worse_where_the_plan_goes_than_where_its_data_came_from(episodes):
    first_planned = EXPERIMENTS["cliff_hill"].num_initial_episodes
    on_base = episodes("error_on_base", "0.5")[:, first_planned]
    on_plan = episodes("error_on_plan", "0.5")[:, first_planned]
    assert (on_plan > 5 * on_base).all()


# Base policies


@pytest.fixture(scope="module")
def coverage():
    table = read_table(DATA / NAME / "coverage.csv", texts=("policy",))
    return lambda policy, column: table[column][table["policy"] == policy]


def test_without_having_met_the_edge_version_0_5_falls_on_every_seed(coverage):
    for policy in ("timid", "uniform", "bold"):
        earned = coverage(policy, "episode_return")[coverage(policy, "largest_x") < EDGE_X]
        assert len(earned) > 5
        assert (earned < 0).all()
    assert (coverage("timid", "largest_x") < coverage("uniform", "largest_x")).all()
    assert (coverage("uniform", "largest_x") < EDGE_X).all()


def test_bold_data_make_version_0_5_work_where_they_reached_the_wall(coverage):
    reached, earned = coverage("bold", "largest_x"), coverage("bold", "episode_return")
    met, to_the_wall = reached > EDGE_X, reached >= ARENA
    low, high = interval_of_median(earned[met])
    assert low < 0 < high  # too few seeds to claim that the median plan works
    assert (met.sum(), (earned[met] > 0).sum()) == (13, 10)
    assert (earned[to_the_wall] > 0).all()
    assert (earned[met & ~to_the_wall] > 0).sum() == 2
    by_chance = math.comb(5, 2) / math.comb(13, 10)  # Fisher's exact test, one-sided
    assert to_the_wall.sum() == 8
    assert by_chance < 0.05
    assert interval_of_median(earned - coverage("uniform", "episode_return"))[0] > 0


# Models of the cart-pole


@pytest.fixture(scope="module")
def models():
    table = read_table(DATA / NAME / "models.csv", texts=("model",))

    def error(model, where, size):
        """Errors of one model, one number a seed."""
        return table[f"error_{where}_distribution"][(table["model"] == model) & (table["size"] == size)]

    return error


@pytest.fixture(scope="module")
def planned():
    table = read_table(DATA / NAME / "planned.csv", texts=("model",))
    return lambda model: table["episode_return"][table["model"] == model]


NETWORKS = ("width_64", "width_256")


def test_the_hand_made_model_needs_fifty_transitions_and_hardly_gains_from_more(models):
    for model in ("linear", *NETWORKS):
        assert interval_of_median(models(model, "in", 50) - models("hand_made", "in", 50))[0] > 0
    assert interval_of_median(models("hand_made", "in", 50) / models("hand_made", "in", 3600))[1] < 1.05


def test_in_distribution_the_networks_overtake_between_400_and_3600_transitions(models):
    for model in NETWORKS:
        assert interval_of_median(models(model, "in", 400) - models("hand_made", "in", 400))[0] > 0
        assert interval_of_median(models(model, "in", 3600) - models("hand_made", "in", 3600))[1] < 0
    ahead = {
        model: interval_of_median(models(model, "in", 1200) - models("hand_made", "in", 1200)) for model in NETWORKS
    }
    assert ahead["width_256"][1] < 0 <= ahead["width_64"][1]


@pytest.mark.parametrize("size", [50, 150, 400, 1200, 3600])
@pytest.mark.parametrize("model", ["linear", *NETWORKS])
def test_out_of_distribution_nothing_passes_the_hand_made_model(models, model, size):
    assert interval_of_median(models(model, "out_of", size) - models("hand_made", "out_of", size))[0] > 0


@pytest.mark.parametrize("model", ["linear", *NETWORKS])
def test_the_regret_of_planning_follows_the_error_out_of_distribution(planned, model):
    assert interval_of_median(planned("hand_made") - planned(model))[0] > 0
    assert np.abs(planned("simulator") - planned("hand_made")).max() < 2


@pytest.mark.parametrize("model", NETWORKS)
def test_the_linear_model_has_the_largest_regret(planned, model):
    assert interval_of_median(planned(model) - planned("linear"))[0] > 0


def test_with_150_transitions_the_wider_network_errs_less_out_of_distribution(models):
    assert interval_of_median(models("width_256", "out_of", 150) - models("width_64", "out_of", 150))[1] < 0


def test_out_of_distribution_the_network_errs_many_times_as_much_as_the_hand_made_model(models):
    assert interval_of_median(models("width_64", "out_of", 400) / models("hand_made", "out_of", 400))[0] > 4
    assert interval_of_median(models("width_64", "in", 400) / models("hand_made", "in", 400))[1] < 1.5


@pytest.mark.parametrize("where", ["in", "out_of"])
@pytest.mark.parametrize("size", [50, 150, 400])
def test_with_little_data_the_wider_network_is_not_shown_to_be_worse(models, where, size):
    """A null result, which the notebook states."""
    assert interval_of_median(models("width_256", where, size) - models("width_64", where, size))[0] <= 0


# Classes of models of the cart-pole

SIZES = (50, 200, 800, 3200)
LEARNED = ("linear", "network", "ensemble", "gaussian_process")
PLACES = ("error_in_distribution", "error_on_good_policy")


@pytest.fixture(scope="module")
def classes():
    """A column of a class by size, one number a seed; "regret" is what the simulator's plans earn more."""
    table = read_table(DATA / NAME / "model_classes.csv", texts=("model",))
    num_seeds = len(np.unique(table["seed"]))
    assert num_seeds >= 10

    def of(column, model, size=0):
        values = table["episode_return" if column == "regret" else column]
        values = values[(table["model"] == model) & (table["size"] == size)]
        assert len(values) == num_seeds
        return of("episode_return", "simulator") - values if column == "regret" else values

    return of


def by_ratio(classes, column, one, other, size):
    """The interval of the logarithm of a ratio, seed by seed."""
    return interval_of_median(np.log(classes(column, one, size) / classes(column, other, size)))


def test_the_classes_were_recorded_at_the_sizes_that_the_claims_name():
    assert tuple(settings_by_table(NAME)["model_classes"]["sizes"]) == SIZES


@pytest.mark.parametrize("model", LEARNED)
@pytest.mark.parametrize("column", PLACES)
def test_with_50_transitions_the_hand_made_model_errs_least_in_both_places(classes, column, model):
    assert by_ratio(classes, column, "hand_made", model, 50)[1] < 0


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("model", LEARNED)
def test_no_class_passes_the_hand_made_model_on_a_good_policys_states(classes, model, size):
    assert by_ratio(classes, "error_on_good_policy", model, "hand_made", size)[0] > 0


def test_the_fitted_hand_made_model_is_level_with_the_simulator_at_every_size(classes):
    for size in SIZES:
        low, high = interval_of_median(classes("regret", "hand_made", size))
        assert -5 < low <= 0 <= high < 5


def test_the_physics_alone_is_not_enough(classes):
    """With guessed numbers: a smaller error than the network's with 50 transitions, and most of the return is lost."""
    for column in PLACES:
        guessed, network = classes(column, "guessed"), classes(column, "network", 50)
        assert interval_of_median(guessed - network)[1] < 0
    assert interval_of_median(classes("regret", "guessed"))[0] > np.median(classes("episode_return", "simulator")) / 2


@pytest.mark.parametrize(("model", "behind", "ahead"), [
    ("network", 200, (800, 3200)), ("ensemble", 200, (800, 3200)), ("gaussian_process", 800, (3200,)),
])  # fmt: skip
def test_in_distribution_the_learned_classes_pass_the_hand_made_model(classes, model, behind, ahead):
    assert by_ratio(classes, "error_in_distribution", model, "hand_made", behind)[1] > 0
    for size in ahead:
        assert by_ratio(classes, "error_in_distribution", model, "hand_made", size)[1] < 0


@pytest.mark.parametrize("size", SIZES)
def test_the_linear_model_is_worse_in_both_places_and_loses_most_of_the_return(classes, size):
    for column in PLACES:
        assert by_ratio(classes, column, "linear", "hand_made", size)[0] > 0
    assert np.median(classes("regret", "linear", size)) > np.median(classes("episode_return", "simulator")) / 2


def ranks(values):
    return np.argsort(np.argsort(values, axis=0), axis=0)


def test_the_error_on_a_good_policys_states_is_the_better_guide_to_the_regret(classes):
    models = [(model, size) for model in ("hand_made", *LEARNED) for size in SIZES]
    regret = ranks(np.stack([classes("regret", *model) for model in models]))
    correlations = {}
    for column in PLACES:
        errors = ranks(np.stack([classes(column, *model) for model in models]))
        correlations[column] = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(errors.T, regret.T, strict=True)])
    in_distribution, on_good_policy = correlations.values()
    assert interval_of_median(on_good_policy - in_distribution)[0] > 0
    assert 0.85 < np.median(on_good_policy) < 0.95
    assert 0.65 < np.median(in_distribution) < 0.75


def test_more_data_lowers_the_regret_of_network_and_ensemble_and_is_not_shown_to_for_the_gaussian_process(classes):
    less = {m: interval_of_median(classes("regret", m, 50) - classes("regret", m, 3200)) for m in LEARNED}
    assert less["network"][0] > 0
    assert less["ensemble"][0] > 0
    assert less["gaussian_process"][0] <= 0


def against_the_network(classes, model, size):
    """What a class loses more than the network, seed by seed: the interval of the median."""
    return interval_of_median(classes("regret", model, size) - classes("regret", "network", size))


def test_with_50_transitions_the_gaussian_process_is_better_than_the_network(classes):
    for column in PLACES:
        assert by_ratio(classes, column, "gaussian_process", "network", 50)[1] < 0
    assert against_the_network(classes, "gaussian_process", 50)[1] < 0


def test_with_50_transitions_five_networks_err_less_in_distribution_than_one(classes):
    assert by_ratio(classes, "error_in_distribution", "ensemble", "network", 50)[1] < 0


@pytest.mark.parametrize(
    ("model", "size"), [*(("ensemble", n) for n in SIZES), *(("gaussian_process", n) for n in SIZES[1:])]
)
def test_otherwise_no_difference_to_the_network_shows_in_the_regret(classes, model, size):
    """A null result, which the notebook states."""
    low, high = against_the_network(classes, model, size)
    assert low <= 0 <= high


def test_a_plan_with_the_gaussian_process_takes_longest_and_longer_with_more_data(classes):
    plan = "plan_milliseconds"
    for model in ("hand_made", "linear", "network", "ensemble"):
        assert by_ratio(classes, plan, "gaussian_process", model, 3200)[0] > 0
    grown = classes(plan, "gaussian_process", 3200) / classes(plan, "gaussian_process", 50)
    assert interval_of_median(grown)[0] > 2  # "several times as long"
    for model in ("hand_made", "linear", "network", "ensemble"):
        grown = classes(plan, model, 3200) / classes(plan, model, 50)
        assert interval_of_median(grown)[1] < 1.5  # "no such growth"


def test_the_hand_made_model_is_fitted_to_50_transitions_in_less_than_a_tenth_of_a_second(classes):
    assert classes("fit_seconds", "hand_made", 50).max() < 0.1


# The clinic


@pytest.fixture(scope="module")
def clinic():
    table = read_table(DATA / NAME / "clinic.csv", texts=("agent",))
    num_episodes = len(np.unique(table["episode"]))
    return lambda agent, column: table[column][table["agent"] == agent].reshape(-1, num_episodes)


def test_each_patient_shows_its_illness(clinic):
    """A: a good model and low returns; B: a model worse than none; C: a model that stands still."""
    last = {agent: clinic(agent, "model_error")[:, -1] for agent in ("healthy", "A", "B", "C")}
    assert clinic("healthy", "episode_return")[:, -1].min() > 65
    for agent in "ABC":
        assert clinic(agent, "episode_return")[:, -1].max() < 50
    assert last["A"].max() < 0.2
    assert np.abs(clinic("A", "optimism_gap")[:, -1]).max() < 0.1
    assert clinic("B", "model_error")[:, 1:].min() > 1
    assert last["C"].min() > 3 * last["healthy"].max()
    first_fit = clinic("C", "model_error")[:, 1]
    assert interval_of_median(last["C"] - first_fit)[1] >= 0  # no fall can be claimed
    assert (last["healthy"] < clinic("healthy", "model_error")[:, 1] / 5).all()


# The windy plain


@pytest.fixture(scope="module")
def plain():
    """Paired differences of two models on the plain, one number a seed."""
    table = read_table(DATA / NAME / "plain.csv", texts=("model",))

    def of(column, model, size):
        values = table["episode_return" if column == "regret" else column]
        values = values[(table["model"] == model) & (table["size"] == size)]
        return -values if column == "regret" else values  # what the true model earns cancels

    return lambda column, model, other, size: of(column, model, size) - of(column, other, size)


@pytest.mark.parametrize("size", [300, 1200])
@pytest.mark.parametrize("model", ["width_16", "width_64", "width_256", "cubic"])
def test_between_classes_the_more_expressive_errs_less_on_its_data_and_more_under_the_plan(plain, model, size):
    assert len(plain("regret", model, "linear", size)) == 20
    assert interval_of_median(plain("error_on_base", model, "linear", size))[1] < 0
    assert interval_of_median(plain("error_under_plan", model, "linear", size))[0] > 0
    assert interval_of_median(plain("regret", model, "linear", size))[0] > 0


@pytest.mark.parametrize("size", [300, 1200])
@pytest.mark.parametrize("other", ["width_16", "width_64", "width_256"])
def test_the_cubic_polynomial_is_the_worst_under_the_plan(plain, other, size):
    assert interval_of_median(plain("regret", "cubic", other, size))[0] > 0


def test_of_the_widths_little_is_left(plain):
    for size in (300, 1200):
        assert interval_of_median(plain("error_under_plan", "width_256", "width_16", size))[0] > 0
        assert interval_of_median(plain("regret", "width_256", "width_16", size))[0] <= 0  # no harm can be claimed
