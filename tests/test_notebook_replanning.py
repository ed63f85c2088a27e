"""What notebooks/masters/replanning.py says, on its recorded runs: every claim with an interval over seeds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from recorded_notebook import MIN_SEEDS, record, runs_module, settings_by_table

from hw4.commands.jupyter import interval_of_median, read_table
from publish.notebooks import DATA
from publish.recorders import policy_learning_cartpole, replanning_rewards

NAME = "replanning"


@pytest.fixture(scope="module")
def notebook():
    return runs_module(NAME)


@pytest.fixture(scope="module")
def learned():
    """The mean return of the last two episodes of each run of an arm, by seed."""
    table = read_table(DATA / NAME / "returns.csv", texts=("arm",))

    def final(arm):
        episodes = int(table["episode"].max()) + 1
        return table["episode_return"][table["arm"] == arm].reshape(-1, episodes)[:, -2:].mean(axis=1)

    return final


@pytest.fixture(scope="module")
def frozen():
    """The return of an episode planned with a model that learns no more, by seed."""
    table = read_table(DATA / NAME / "frozen.csv", texts=("model", "planner"))

    def returns(replan_every, *, horizon=20, planner="CEM, 180", model="last"):
        chosen = (table["replan_every"] == replan_every) & (table["horizon"] == horizon)
        values = table["episode_return"][chosen & (table["planner"] == planner) & (table["model"] == model)]
        assert len(values) >= MIN_SEEDS
        return values

    return returns


@pytest.fixture(scope="module")
def paid():
    """What a test episode of one model earns by a reward, by seed."""
    table = read_table(DATA / NAME / "rewards.csv", texts=("reward", "arm"))

    def returns(reward, arm):
        chosen = (table["reward"] == reward) & (table["arm"] == arm)
        assert len(np.unique(table["seed"][chosen])) == chosen.sum() == len(np.unique(table["seed"])) >= 20
        return table["episode_return"][chosen]

    return returns


@pytest.fixture(scope="module")
def errors():
    """Errors of roll-outs (m), shape (seeds, steps)."""
    table = read_table(DATA / NAME / "errors.csv", texts=("model", "policy"))

    def of(model, policy, column="error"):
        chosen = (table["model"] == model) & (table["policy"] == policy)
        return table[column][chosen].reshape(-1, int(table["k"].max()))

    return of


def test_the_runs_were_recorded_with_the_settings_of_today(notebook):
    arms = {arm: dataclasses.asdict(experiment) for arm, experiment in notebook["ARMS"].items()}
    recorded = settings_by_table(NAME)
    reused = {"experiment": dataclasses.asdict(notebook["REUSED"])}
    spin, stand = [notebook["SPIN_VELOCITY"], notebook["SPIN_WIDTH"]], notebook["STAND_AT"]
    how = "run `python -m publish.recorders {}`"
    assert recorded.pop("rewards") == {**reused, "spin": spin, "stand": stand}, how.format("replanning_rewards")
    learned = recorded.pop("policy_learning_cartpole")
    assert learned.items() >= {"spin": spin, "stand": stand}.items(), how.format("policy_learning_cartpole")
    assert recorded.pop("policy_learning_cartpole_curves").items() <= learned.items()
    for table, settings in recorded.items():
        assert settings == (arms if table == "returns" else {"1.5": arms["1.5"]}), f"{table}: {record(NAME)}"


def test_each_arm_changes_the_settings_that_the_notebook_names_and_no_others(notebook):
    arms = {arm: dataclasses.asdict(experiment) for arm, experiment in notebook["ARMS"].items()}
    changed = {arm: {key for key in of_arm if of_arm[key] != arms["1.5"][key]} for arm, of_arm in arms.items()}
    assert changed == {
        "1.5": set(),
        "replan every 20": {"replan_every"},
        "replan every 5": {"replan_every"},
        "random shooting": {"planner"},
        "1.0": {"horizon", "replan_every"},  # 1.5 refits once an episode, too
        "0.5": {"horizon", "replan_every", "refit_every"},
        "refit every 25": {"refit_every", "gradient_steps"},
        "refit every 300": {"refit_every", "gradient_steps"},
        "fit once": {"refit_every", "gradient_steps"},
    }


def test_arms_of_refitting_take_equal_gradient_steps_before_the_last_action(notebook):
    for arm in ("1.5", "refit every 25", "refit every 300", "fit once"):
        experiment = notebook["ARMS"][arm]
        steps = experiment.num_episodes * experiment.task.episode_length
        fits = len(range(experiment.initial_steps, steps, experiment.refit_every or steps))
        assert fits * experiment.gradient_steps == 7200


def test_the_recorded_runs_are_whole(notebook):
    table = read_table(DATA / NAME / "returns.csv", texts=("arm",))
    seeds = np.unique(table["seed"])
    assert len(seeds) >= MIN_SEEDS
    for arm, experiment in notebook["ARMS"].items():
        chosen = table["arm"] == arm
        assert list(np.unique(table["seed"][chosen])) == list(seeds)
        assert chosen.sum() == len(seeds) * experiment.num_episodes
    assert np.isfinite(table["episode_return"]).all()


# Claims


def test_with_the_same_model_replanning_every_20_steps_is_worse(frozen):
    assert interval_of_median(frozen(1) - frozen(20))[0] > 0
    assert interval_of_median(frozen(5) - frozen(20))[0] > 0


def test_with_the_same_model_every_step_is_better_than_every_5(frozen):
    assert interval_of_median(frozen(1) - frozen(5))[0] > 0


def test_replanning_alone_decides_between_learning_and_failing(learned):
    every, seldom = learned("1.5"), learned("replan every 20")
    assert len(seldom) >= MIN_SEEDS
    assert interval_of_median(every[: len(seldom)] - seldom)[0] > 0


@pytest.mark.parametrize("version", ["0.5", "1.0"])
def test_version_1_5_ends_above_the_versions_that_plan_the_whole_episode(learned, version):
    every, whole = learned("1.5"), learned(version)
    assert len(whole) >= MIN_SEEDS
    assert interval_of_median(every[: len(whole)] - whole)[0] > 0


def test_the_more_you_replan_the_shorter_a_plan_may_be(frozen):
    """What plans of 10 steps lose to plans of 20 is less when every step is planned anew."""
    lost = {k: frozen(k) - frozen(k, horizon=10) for k in (1, 5)}
    assert interval_of_median(lost[5] - lost[1])[0] > 0


def test_the_more_you_replan_the_less_a_plan_that_is_too_long_hurts(frozen):
    lost = {k: frozen(k) - frozen(k, horizon=40) for k in (1, 5)}
    assert interval_of_median(lost[5] - lost[1])[0] > 0


@pytest.mark.parametrize("replan_every", [1, 5])
def test_plans_of_5_steps_fail_however_often_they_are_made(frozen, replan_every):
    lost = frozen(replan_every) - frozen(replan_every, horizon=5)
    assert interval_of_median(lost)[0] > 0.7 * np.median(frozen(replan_every))


def test_longer_plans_show_no_gain_when_20_steps_are_executed(frozen):
    """A null result: so short-sighted ends may not be what spoils these episodes."""
    low, high = interval_of_median(frozen(20) - frozen(20, horizon=40))
    assert low < 0 < high


def test_that_a_poor_planner_is_forgiven_by_replanning_does_not_show(frozen):
    """A null result: what random shooting with 20 candidates loses is no less at every step than every 5."""
    lost = {k: frozen(k) - frozen(k, planner="random, 20") for k in (1, 5)}
    assert interval_of_median(lost[1])[0] > 0
    low, high = interval_of_median(lost[5] - lost[1])
    assert low <= 0 <= high


def test_the_simulator_itself_loses_more_than_a_third_when_it_replans_every_20_steps(frozen):
    every_5, every_20 = frozen(5, model="true"), frozen(20, model="true")
    assert interval_of_median(every_20 / every_5)[1] < 2 / 3
    assert interval_of_median(every_20 - frozen(20))[0] > 0  # the learned model loses more


def test_cem_beats_random_shooting_at_equal_model_evaluations(frozen):
    assert interval_of_median(frozen(1) - frozen(1, planner="random, 180"))[0] > 0


def test_cem_beats_random_shooting_over_whole_training_runs(learned):
    assert interval_of_median(learned("1.5") - learned("random shooting"))[0] > 0


@pytest.mark.parametrize("arm", ["refit every 300", "fit once"])
def test_refitting_seldom_is_worse_at_equal_gradient_steps(learned, arm):
    assert interval_of_median(learned("1.5") - learned(arm))[0] > 0


def test_refitting_more_often_shows_no_difference(learned):
    """A null result."""
    low, high = interval_of_median(learned("1.5") - learned("refit every 25"))
    assert low < 0 < high


def test_the_last_model_is_good_to_ten_centimetres_for_some_16_steps(errors):
    steps = [np.argmax(np.append(of_seed, np.inf) > 0.1) for of_seed in errors("last", "planned")]
    low, high = interval_of_median(steps)
    assert 12 <= low <= high <= 19


def test_from_19_steps_on_the_last_model_is_worse_than_expecting_no_change(errors):
    worse = errors("last", "planned") - errors("last", "planned", "error_of_no_change")
    assert interval_of_median(worse[:, 17])[0] <= 0
    assert all(interval_of_median(worse[:, k - 1])[0] > 0 for k in range(19, worse.shape[1] + 1))


def test_the_last_model_errs_by_about_a_millimetre_after_one_step(errors):
    low, high = interval_of_median(1000 * errors("last", "planned")[:, 0])
    assert 0.5 < low <= high < 2


def test_a_model_of_random_data_alone_is_not_enough_even_replanning_at_every_step(frozen):
    assert interval_of_median(frozen(1) - frozen(1, model="first"))[0] > 0


def test_the_error_of_roll_outs_grows_and_faster_than_by_equal_steps(errors):
    of_last = errors("last", "planned")
    assert len(of_last) >= MIN_SEEDS
    assert interval_of_median(of_last[:, 19] / (20 * of_last[:, 0]))[0] > 1


def test_aggregation_mends_the_error_on_the_states_of_the_good_policy(errors):
    for k in (1, 5, 10, 20):
        ratio = errors("first", "planned")[:, k - 1] / errors("last", "planned")[:, k - 1]
        assert interval_of_median(ratio)[0] > 1


@pytest.mark.parametrize("reward", ["spin", "stand"])
def test_the_plan_for_a_further_reward_earns_more_than_the_plan_for_the_first(paid, reward):
    gain = paid(reward, "for it") - paid(reward, "for the first")
    assert interval_of_median(gain)[0] > 0
    assert gain.min() > 20  # "far more, on every seed"


@pytest.mark.parametrize("reward", ["spin", "stand"])
def test_the_agent_made_for_the_first_reward_earns_little_by_another(paid, reward):
    assert paid(reward, "for the first").max() < np.median(paid(reward, "simulator")) / 6


@pytest.mark.parametrize("reward", ["first", "spin"])
def test_no_loss_against_the_simulator_shows_by_the_first_reward_and_by_spin(paid, reward):
    """The rule of the recorder calls them level."""
    low, high = interval_of_median(paid(reward, "simulator") - paid(reward, "for it"))
    assert -5 < low < 0 < high < 5


def test_by_stand_the_simulator_earns_more_than_the_model(paid):
    assert interval_of_median(paid("stand", "simulator") - paid("stand", "for it"))[0] > 0


def test_about_a_third_of_the_seeds_fall_short_by_stand_and_none_by_spin(paid):
    short = {r: np.mean(paid(r, "for it") < 0.75 * np.median(paid(r, "simulator"))) for r in ("spin", "stand")}
    assert short["spin"] == 0
    assert 0.25 < short["stand"] < 0.42


def test_one_more_episode_helps_stand(paid):
    assert interval_of_median(paid("stand", "one more episode") - paid("stand", "for it"))[0] > 0


@pytest.fixture(scope="module")
def policies():
    """What the modes of the policies that were learned for the first reward earn by a reward, by seed."""
    table = read_table(DATA / NAME / "policy_learning_cartpole.csv", texts=("reward",))

    def returns(reward):
        values = table["episode_return"][table["reward"] == reward]
        assert len(values) == len(np.unique(table["seed"])) == 6
        return values

    return returns


@pytest.fixture(scope="module")
def minus_policy(policies):
    """What the plan for a reward earns more by it than the policy, for the seeds that have one."""
    table = read_table(DATA / NAME / "rewards.csv", texts=("reward", "arm"))
    seeds = read_table(DATA / NAME / "policy_learning_cartpole.csv", texts=("reward",))["seed"]

    def difference(reward):
        chosen = (table["reward"] == reward) & (table["arm"] == "for it") & np.isin(table["seed"], seeds)
        return table["episode_return"][chosen] - policies(reward)

    return difference


def test_an_interval_of_six_seeds_goes_from_the_smallest_to_the_largest():
    assert interval_of_median(np.arange(6)) == (0, 5)
    assert 1 - 2 * 0.5**6 >= 0.95


def test_a_policy_takes_more_than_40_times_as_many_env_steps_as_the_model(notebook):
    reused = notebook["REUSED"]
    policy = read_table(DATA / NAME / "policy_learning_cartpole_curves.csv")["env_steps"].max()
    assert policy > 40 * reused.num_episodes * reused.task.episode_length


def test_the_episodes_of_policy_and_plan_start_alike():
    assert policy_learning_cartpole.FROZEN_SEED == replanning_rewards.FROZEN_SEED
    assert set(policy_learning_cartpole.SEEDS) <= set(replanning_rewards.SEEDS)


@pytest.mark.parametrize("reward", ["spin", "stand"])
def test_the_plan_for_a_further_reward_earns_more_than_a_policy_learned_for_the_first(minus_policy, reward):
    assert interval_of_median(minus_policy(reward))[0] > 0


@pytest.mark.parametrize("reward", ["spin", "stand"])
def test_a_policy_learned_for_the_first_reward_earns_little_by_another(paid, policies, reward):
    assert policies(reward).max() < np.median(paid(reward, "simulator")) / 5


def test_most_policies_are_good_at_the_first_reward(paid, policies):
    assert np.mean(policies("first") > 0.75 * np.median(paid("first", "simulator"))) > 0.5


def test_by_the_first_reward_no_difference_between_plan_and_policy_can_be_claimed(minus_policy):
    low, high = interval_of_median(minus_policy("first"))
    assert low <= 0 <= high


def test_the_refit_after_it_takes_500_gradient_steps_and_the_training_seven_episodes(notebook):
    reused = notebook["REUSED"]
    assert (reused.gradient_steps, reused.num_episodes, reused.ensemble_size) == (500, 7, 5)
    assert reused.refit_every == reused.task.episode_length  # one refit for one more episode


def test_the_further_rewards_are_what_their_names_say(notebook):
    """Upright and still at x = 1 m, hanging at rest, and the pole at the height of its hinge, turning at 8 rad/s."""
    states = np.array([[1.0, 0.0, 1.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0, 8.0]])
    actions = np.array([[0.0], [0.0], [1.0]])
    by = {name: reward(states, actions, states) for name, reward in notebook["REWARDS"].items()}
    assert np.allclose(by["spin"], [np.exp(-64 / 9), np.exp(-64 / 9), 1 - 0.01])
    assert np.allclose(by["stand"], [1, np.exp(-25 / 9 - 4), np.exp(-4 / 9 - 1) - 0.01])
    shifted = states - [1.0, 0.0, 0.0, 0.0, 0.0]
    assert np.allclose(by["stand"], notebook["REWARDS"]["first"](shifted, actions, shifted))


def test_the_bound_of_the_model_answer_holds_and_no_smaller_one_does():
    """Reached by the system s' = L s + a and a model that adds epsilon to it, started at 0."""
    epsilon, horizon = 0.01, 12
    for lipschitz in (0.5, 1.0, 1.3):
        real, imagined, errors = 0.0, 0.0, []
        for k in range(1, horizon + 1):
            real, imagined = lipschitz * real + 1.0, lipschitz * imagined + 1.0 + epsilon
            errors.append(abs(imagined - real))
            bound = k * epsilon if lipschitz == 1 else epsilon * (lipschitz**k - 1) / (lipschitz - 1)
            assert np.isclose(errors[-1], bound)
        if lipschitz == 1:
            assert np.isclose(sum(errors), epsilon * horizon * (horizon + 1) / 2)


def test_the_recorded_growth_is_that_of_a_lipschitz_constant_of_about_one_point_two(errors):
    of_last = errors("last", "planned")
    ratio = np.median(of_last[:, 19] / of_last[:, 0])
    growth = [(lipschitz, (lipschitz**20 - 1) / (lipschitz - 1)) for lipschitz in np.arange(1.01, 2.0, 0.01)]
    nearest = min(growth, key=lambda pair: abs(pair[1] - ratio))[0]
    assert round(nearest, 1) == 1.2
