"""What notebooks/masters/what_uncertainty_means.py says, on its recorded models: every claim with an interval."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from recorded_notebook import MIN_SEEDS, record, runs_module, settings_by_table

from hw4.commands.jupyter import interval_of_median, read_table
from hw4.envs.noisy_field import NOISE_STD
from publish.notebooks import DATA

NAME = "what_uncertainty_means"
NUM_NEW_SEEDS = 20  # of the claims that were fixed before their runs


@pytest.fixture(scope="module")
def notebook():
    return runs_module(NAME)


@pytest.fixture(scope="module")
def by_region():
    table = read_table(DATA / NAME / "regions.csv", texts=("arm", "region"))

    def of(arm, column, region):
        values = table[column][(table["arm"] == arm) & (table["region"] == region)]
        assert len(values) >= MIN_SEEDS
        return values

    return of


@pytest.fixture(scope="module")
def auroc():
    table = read_table(DATA / NAME / "detection.csv", texts=("arm", "against"))

    def of(score, *, arm="resampled", num_members=5, against="turned or visited"):
        chosen = (table["arm"] == arm) & (table["num_members"] == num_members) & (table["against"] == against)
        assert chosen.sum() == NUM_NEW_SEEDS
        return table[score][chosen]

    return of


@pytest.fixture(scope="module")
def over_episodes():
    table = read_table(DATA / NAME / "curves.csv", texts=("region",))
    num_seeds = len(np.unique(table["seed"]))
    return lambda column, region: table[column][table["region"] == region].reshape(num_seeds, -1)


@pytest.fixture(scope="module")
def spread():
    table = read_table(DATA / NAME / "particles.csv", texts=("scheme",))

    def after_20_steps(scheme, noise):
        return table["spread"][(table["scheme"] == scheme) & (table["noise"] == noise) & (table["step"] == 20)]

    return after_20_steps


def test_the_models_were_recorded_with_the_settings_of_today(notebook):
    today = {key: dataclasses.asdict(notebook[name]) for key, name in (("experiment", "EXPERIMENT"), ("fit", "FIT"))}
    learned = {"experiment": today["experiment"]}
    wanted = {"detection": {**today, "border": [*notebook["BORDER"]]}}
    wanted |= dict.fromkeys(("curves", "maps", "visited", "bootstrap"), learned)
    recorded = settings_by_table(NAME)
    assert len(recorded) > 5
    for table, settings in recorded.items():
        assert settings == wanted.get(table, today), f"{table}: {record(NAME)}"


def test_held_out_steps_lie_where_their_region_says(notebook):
    points = notebook["held_out_points"](7)
    distances = {
        region: np.linalg.norm(points[region].observations - np.array(center), axis=-1)
        for region, center in (("noisy", (-0.7, 0.0)), ("turned", (2.5, 0.0)), ("far", notebook["FAR_CENTER"]))
    }
    assert distances["noisy"].max() < 0.7
    assert distances["turned"].max() < 1.0
    assert distances["far"].max() < 1.0
    for region, of_region in points.items():
        assert of_region.observations.shape == (200, 2)
        is_noisy_ground = np.linalg.norm(of_region.observations - np.array([-0.7, 0.0]), axis=-1) < 0.7
        assert is_noisy_ground.all() == (region == "noisy")
    # in the turned patch a move to the right goes up
    moved = points["turned"].mean_next - points["turned"].observations
    np.testing.assert_allclose(moved[:, 1], 0.2 * points["turned"].actions[:, 0])


def test_the_base_policys_data_reaches_neither_the_turned_patch_nor_the_far_one(notebook):
    observations = notebook["base_policy_data"](100, 3)[0]
    for center in ((2.5, 0.0), notebook["FAR_CENTER"]):
        assert np.linalg.norm(observations - np.array(center), axis=-1).min() > 1.0


def test_the_border_lies_just_beyond_the_data(notebook):
    visited = np.array([[0.0, 0.0], [1.0, 0.0]])
    places = notebook["border_points"](7, visited).observations
    assert places.shape == (200, 2)
    nearest = np.minimum(np.linalg.norm(places, axis=-1), np.linalg.norm(places - [1.0, 0.0], axis=-1))
    assert nearest.min() > 0.3
    assert nearest.max() < 0.5


def test_a_particle_keeps_its_member_or_changes_it(notebook):
    """Two members that move by +1 and by -1 in x: kept, the particles end 2 x 3 steps apart; changed, they mix."""

    right = np.array([1.0, 0.0])

    def distribution(observations, actions):
        means = np.stack([observations + right, observations - right])
        return means, np.zeros_like(means)

    def spread(*, change_member):
        return notebook["particle_spread"](
            distribution,
            np.zeros((3, 2)),
            num_members=2,
            change_member=change_member,
            sample_noise=True,
            rng=np.random.default_rng(0),
        )

    np.testing.assert_allclose(spread(change_member=False), [1, 2, 3])
    np.testing.assert_allclose(spread(change_member=True), np.sqrt([1, 2, 3]), rtol=0.1)


# Claims


@pytest.mark.parametrize("visited", ["quiet", "noisy"])
@pytest.mark.parametrize("unvisited", ["turned", "far"])
def test_disagreement_finds_unvisited_ground_and_output_entropy_does_not(auroc, unvisited, visited):
    against = f"{unvisited} or {visited}"
    assert interval_of_median(auroc("disagreement", against=against) - auroc("entropy", against=against))[0] > 0.2
    assert interval_of_median(auroc("disagreement", against=against))[0] > 0.9


def test_output_entropy_points_the_wrong_way_against_noisy_ground(auroc):
    """A coin has 0.5. Against quiet ground it shows nothing of the turned patch, and points away from the far one."""
    for unvisited in ("turned", "far"):
        assert interval_of_median(auroc("entropy", against=f"{unvisited} or noisy"))[1] < 0.1
    low, high = interval_of_median(auroc("entropy", against="turned or quiet"))
    assert low < 0.5 < high
    assert interval_of_median(auroc("entropy", against="far or quiet"))[1] < 0.5


@pytest.mark.parametrize("unvisited", ["turned", "far"])
def test_added_noise_hides_unvisited_ground_from_the_disagreement_against_noisy_ground_alone(auroc, unvisited):
    assert interval_of_median(auroc("total", against=f"{unvisited} or quiet"))[0] > 0.8
    assert interval_of_median(auroc("total", against=f"{unvisited} or noisy"))[1] < 0.5


def test_the_output_std_is_near_the_noise_where_there_is_data(by_region):
    low, high = interval_of_median(by_region("resampled", "output_std", "noisy"))
    assert low > 0.8 * NOISE_STD
    assert high < 1.5 * NOISE_STD


def test_the_output_std_is_below_the_error_where_there_is_no_data(by_region):
    ratio = by_region("resampled", "output_std", "turned") / by_region("resampled", "error", "turned")
    assert interval_of_median(ratio)[1] < 1


def test_more_data_removes_disagreement_and_not_the_noise(by_region):
    disagreement = by_region("few", "disagreement", "noisy") / by_region("resampled", "disagreement", "noisy")
    noise = by_region("few", "output_std", "noisy") / by_region("resampled", "output_std", "noisy")
    assert interval_of_median(disagreement)[0] > 2
    assert interval_of_median(disagreement / noise)[0] > 2
    assert interval_of_median(noise)[1] < 1.25  # with more data it does not fall by more than a fifth


def test_visits_remove_the_disagreement_in_the_turned_patch(over_episodes):
    disagreement = over_episodes("disagreement", "turned")
    assert interval_of_median(disagreement[:, -1] / disagreement[:, 0])[1] < 0.5


def test_on_every_seed_visits_shrink_the_disagreement_by_more_than_the_noise(over_episodes):
    disagreement, output_std = over_episodes("disagreement", "turned"), over_episodes("output_std", "noisy")
    assert (disagreement[:, -1] / disagreement[:, 0] < output_std[:, -1] / output_std[:, 0]).all()


def test_agents_whose_first_data_held_fewest_noisy_steps_still_miss_the_noise_after_dozens(over_episodes):
    """A claim that was made after these runs were seen: on some seeds the output std ends far below the noise."""
    unaware = over_episodes("output_std", "noisy")[:, -1] < NOISE_STD / 2
    noisy_steps = over_episodes("noisy_steps", "noisy")
    assert 0 < unaware.sum() < len(unaware) / 2
    assert noisy_steps[unaware, 0].max() < noisy_steps[~unaware, 0].min()
    assert noisy_steps[:, -1].min() > 48


def test_disagreement_is_too_small_in_the_turned_patch(by_region):
    ratio = by_region("resampled", "error", "turned") / by_region("resampled", "disagreement", "turned")
    assert interval_of_median(ratio)[0] > 3


def test_disagreement_on_far_ground_is_not_too_small(by_region):
    """The data reaches neither patch, and in one of them alone the members are wrong together."""
    ratio = by_region("resampled", "error", "far") / by_region("resampled", "disagreement", "far")
    assert interval_of_median(ratio)[1] < 1


def test_intervals_of_the_ensemble_hold_too_few_steps_in_the_turned_patch(by_region):
    assert interval_of_median(by_region("resampled", "coverage_total", "turned"))[1] < 0.95


BORDER = "border or visited"


@pytest.mark.parametrize("num_members", [2, 3, 5, 10])
def test_members_that_resample_find_the_border_worse(auroc, num_members):
    """Five were fixed before the runs; the other sizes were looked at later."""
    resampled, shared = (
        auroc("disagreement", arm=arm, num_members=num_members, against=BORDER) for arm in ("resampled", "shared")
    )
    assert interval_of_median(resampled - shared)[1] < 0


def test_resampled_members_disagree_more_where_there_is_data(by_region):
    for region in ("quiet", "noisy"):
        ratio = by_region("resampled", "disagreement", region) / by_region("shared", "disagreement", region)
        assert interval_of_median(ratio)[0] > 1


def test_that_resampled_members_disagree_more_on_unvisited_ground_cannot_be_claimed(by_region):
    for region in ("turned", "far"):
        ratio = by_region("resampled", "disagreement", region) / by_region("shared", "disagreement", region)
        low, high = interval_of_median(ratio)
        assert low < 1 < high


def test_two_members_leave_nothing_to_gain_in_finding_the_turned_patch_but_do_at_the_border(auroc):
    assert interval_of_median(auroc("disagreement", num_members=2))[0] > 0.95
    for arm in ("resampled", "shared"):
        assert interval_of_median(auroc("disagreement", arm=arm, num_members=2, against=BORDER))[1] < 0.9


@pytest.mark.parametrize("arm", ["resampled", "shared"])
def test_five_members_find_the_border_better_than_two(auroc, arm):
    five, two = (auroc("disagreement", arm=arm, num_members=n, against=BORDER) for n in (5, 2))
    assert interval_of_median(five - two)[0] > 0


def test_ten_members_gain_little_over_five_at_the_border_and_only_with_shared_data(auroc):
    gain = {
        arm: interval_of_median(
            auroc("disagreement", arm=arm, num_members=10, against=BORDER)
            - auroc("disagreement", arm=arm, against=BORDER)
        )
        for arm in ("resampled", "shared")
    }
    assert 0 < gain["shared"][0] < gain["shared"][1] < 0.03
    assert gain["resampled"][0] < 0 < gain["resampled"][1]


def test_kept_bootstrap_sets_leave_more_disagreement_and_no_difference_in_return():
    table = read_table(DATA / NAME / "bootstrap.csv", texts=("sets",))

    def of(column, sets):
        return table[column][table["sets"] == sets].reshape(NUM_NEW_SEEDS, -1)

    for region in ("quiet", "noisy", "turned", "far"):  # quiet and noisy were fixed before the runs
        assert interval_of_median(of(region, "kept")[:, -1] / of(region, "redrawn")[:, -1])[0] > 1
    low, high = interval_of_median((of("episode_return", "kept") - of("episode_return", "redrawn"))[:, 1:].mean(axis=1))
    assert low < 0 < high


def test_an_unseen_noisy_patch_inside_the_data_goes_unnoticed(by_region):
    disagreement = by_region("hole", "disagreement", "noisy") / by_region("hole", "disagreement", "quiet")
    assert interval_of_median(disagreement)[1] < 3
    assert interval_of_median(by_region("hole", "coverage_total", "noisy"))[1] < 0.2


def test_ts1_averages_the_members_errors_away(spread):
    ratio = spread("ts1", 0) / spread("ts_inf", 0)
    assert len(ratio) >= MIN_SEEDS
    assert interval_of_median(ratio)[1] < 0.7
