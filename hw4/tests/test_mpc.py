"""Public tests of hw4/mpc.py. The first test of each stub is its worked example."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hw4.checking.answers import AnyOf, CheckFailed, check, check_close, check_pair
from hw4.checking.cem_trace import CemTrace, repeats
from hw4.checking.controller import NumberedPlanner, check_actions, check_start
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.rollout_trace import Drift, RolloutTrace, is_flattened
from hw4.checking.schedules import check_schedule
from hw4.checking.shooting import check_winner
from hw4.checking.subject import LocalSubject
from hw4.checking.variations import vary
from hw4.checking.worked_example import Rows, check_example
from hw4.mpc import MPC, ModelBasedAgent, cem, random_shooting, refit_to_elites, sequence_returns
from hw4.transitions import ReplayBuffer, Transition

POPULATION, HORIZON, ACT_DIM, OBS_DIM = 11, 5, 2, 3
LOW, HIGH = torch.tensor([-2.0, 0.0]), torch.tensor([1.0, 10.0])


def numbers(*shape: int) -> Tensor:
    """Different numbers of moderate size, the same at every run."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


# sequence_returns -----------------------------------------------------------------------------------------------------


def drift(observation: Tensor, action: Tensor) -> Tensor:
    """A model of 3 observations and 2 actions in which each action moves something else."""
    shapes = (tuple(observation.shape), tuple(action.shape))
    check(
        not is_flattened(*shapes), f"predict was called with the shapes {shapes[0]} and {shapes[1]}", "start_flattened"
    )
    return observation + torch.cat([action, observation[..., :1]], dim=-1)


def arrival(observation: Tensor, action: Tensor, next_observation: Tensor) -> Tensor:
    return next_observation.sum(dim=-1) + 100.0 * observation[..., 0] + 10_000.0 * action[..., 1]


def first_on_arrival(observation: Tensor, action: Tensor, next_observation: Tensor) -> Tensor:
    return next_observation[..., 0]


@pytest.mark.stub("sequence_returns")
def test_sequence_returns_worked_example() -> None:
    check_example(WORKED_EXAMPLES["sequence_returns"], LocalSubject())


@pytest.mark.stub("sequence_returns")
def test_sequence_returns_of_one_sequence_do_not_depend_on_the_others() -> None:
    start, plans = numbers(OBS_DIM), numbers(POPULATION, HORIZON, ACT_DIM)
    together = sequence_returns(drift, arrival, start, plans)
    alone = torch.cat([sequence_returns(drift, arrival, start, plan.unsqueeze(0)) for plan in plans])
    check_close(together.numpy(), alone.numpy(), "returns", atol=1e-2)


@pytest.mark.stub("sequence_returns")
def test_sequence_returns_take_leading_batch_dimensions() -> None:
    starts, plans = numbers(4, OBS_DIM), numbers(4, POPULATION, HORIZON, ACT_DIM)
    together = sequence_returns(drift, arrival, starts, plans)
    alone = torch.stack([sequence_returns(drift, arrival, s, p) for s, p in zip(starts, plans, strict=True)])
    tiled = starts.repeat(POPULATION, 1).reshape(4, POPULATION, OBS_DIM)
    mixed = [
        torch.cat([sequence_returns(drift, arrival, s, plan[None]) for s, plan in zip(*own, strict=True)])
        for own in zip(tiled, plans, strict=True)
    ]
    slips = {"states_misaligned": torch.stack(mixed).numpy()}
    check_close(together.numpy(), alone.numpy(), "returns of a batch of starts", atol=1e-2, slips=slips)
    starts, plans = starts.reshape(2, 2, OBS_DIM), plans.reshape(2, 2, POPULATION, HORIZON, ACT_DIM)
    in_two_axes = sequence_returns(drift, arrival, starts, plans).numpy()
    check_close(in_two_axes, alone.reshape(2, 2, POPULATION).numpy(), "returns of starts in two axes", atol=1e-2)


@pytest.mark.stub("sequence_returns")
def test_sequence_returns_leave_the_start_as_it_was() -> None:
    start, plans = torch.zeros(OBS_DIM), torch.full((POPULATION, HORIZON, ACT_DIM), 3.0)
    sequence_returns(drift, arrival, start, plans)
    check(bool((start == 0).all()), "the start observation was changed", "start_mutated")
    check(bool((plans == 3).all()), "the action sequences were changed", "inplace")


@pytest.mark.stub("sequence_returns")
def test_sequence_returns_hand_the_reward_its_three_arguments_in_order() -> None:
    """From 1 by +2 and +3: (100 * 1 + 10 * 2 + 3) + (100 * 3 + 10 * 3 + 6) = 459."""
    returns = sequence_returns(
        lambda observation, action: observation + action,
        lambda observation, action, next_observation: (100 * observation + 10 * action + next_observation)[..., 0],
        torch.ones(1),
        torch.tensor([[[2.0], [3.0]]]),
    )
    slips = {
        "reward_arguments": AnyOf((np.array([954.0]), np.array([959.0]))),
        "reward_on_old_observation": np.array([454.0]),
    }
    check_close(returns.numpy(), np.array([459.0]), "returns", slips=slips)


@pytest.mark.stub("sequence_returns")
def test_sequence_returns_pay_for_the_last_action() -> None:
    """From 0 by +1 five times, but for a last step of +3: 1 + 2 + 3 + 4 + 5 = 15, and 17."""
    plans = torch.ones(2, HORIZON, ACT_DIM)
    plans[1, -1, 0] = 3.0
    returns = sequence_returns(drift, first_on_arrival, torch.zeros(OBS_DIM), plans)
    slips = {"reward_on_old_observation": np.full(2, 10.0)}
    check_close(returns.numpy(), np.array([15.0, 17.0]), "returns", slips=slips)


@pytest.mark.stub("sequence_returns")
def test_sequence_returns_of_a_model_whose_returns_are_known() -> None:
    """At any size, in every call, far from 0, and where nothing moves."""
    rng = np.random.default_rng(0)

    def at(
        obs_dim: int, act_dim: int, num_sequences: int, horizon: int, *, size: float = 1.0, push: float = 1.0
    ) -> None:
        world, start = Drift(obs_dim, act_dim), size * rng.normal(size=obs_dim)
        plans = push * rng.uniform(-3, 3, (num_sequences, horizon, act_dim))
        trace = RolloutTrace(world.predict, world.reward, start, plans)
        returns = LocalSubject().call("mpc.sequence_returns", trace.predict, trace.reward, start, plans)
        trace.check_returns(returns, world.returns(start, plans), "returns")

    vary(
        lambda: at(4, 2, 7, 5),
        again=2,
        size_one=[partial(at, *sizes) for sizes in ((1, 1, 1, 1), (4, 1, 1, 5), (1, 2, 7, 5), (4, 2, 7, 1))],
        large=[lambda: at(4, 2, 60, 25), lambda: at(4, 2, 7, 5, size=100.0), lambda: at(4, 2, 7, 5, push=0.0)],
    )


# random_shooting ------------------------------------------------------------------------------------------------------


def rows_of(rows: Tensor) -> Any:
    """Stands in for random draws: hands out the rows in order."""
    draws = Rows(rows.numpy())
    return lambda count: torch.from_numpy(draws(count))


@pytest.mark.stub("random_shooting")
def test_random_shooting_worked_example() -> None:
    check_example(WORKED_EXAMPLES["random_shooting"], LocalSubject())


@pytest.mark.stub("random_shooting")
def test_random_shooting_fills_bounds_that_differ_by_action() -> None:
    scored: list[Tensor] = []

    def objective(plans: Tensor) -> Tensor:
        scored.append(plans)
        return -plans.sum(dim=(1, 2))

    draws = torch.stack([torch.zeros(HORIZON, ACT_DIM), torch.ones(HORIZON, ACT_DIM)])
    plan = random_shooting(objective, LOW, HIGH, num_sequences=2, uniform=rows_of(draws))
    first = scored[0][0].numpy()
    shape = (HORIZON, ACT_DIM)
    lowest = (np.zeros(shape), np.full(shape, -1.0), -HIGH.expand(shape).numpy())
    slips = {"bounds_ignored": AnyOf(lowest)}
    if len(np.unique(first)) > ACT_DIM:
        slips["noise_not_used"] = AnyOf((first,))  # with u = 0 every step is the same
    check_close(first, LOW.expand(HORIZON, ACT_DIM).numpy(), "candidate for u = 0", slips=slips)
    check_close(scored[0][1].numpy(), HIGH.expand(HORIZON, ACT_DIM).numpy(), "candidate for u = 1")
    check_close(plan.numpy(), LOW.expand(HORIZON, ACT_DIM).numpy(), "plan")


@pytest.mark.stub("random_shooting")
def test_random_shooting_lets_every_candidate_win() -> None:
    """At any size, in every call, and whatever the size of the returns; of two that are equally good, either."""
    rng = np.random.default_rng(1)

    def at(num_sequences: int, horizon: int, act_dim: int, winner: int, *, best: float = 6.0, gap: float = 1.0) -> None:
        scores = best - gap - gap * rng.permutation(num_sequences)
        scores[winner] = best
        check_winning(scores, winner, horizon, act_dim)

    def check_winning(scores: Any, winner: int, horizon: int, act_dim: int) -> None:
        draws, bounds = rng.uniform(size=(len(scores), horizon, act_dim)), (LOW.numpy(), HIGH.numpy())
        check_winner(LocalSubject(), scores, winner, draws, *(20.0 * bound[:act_dim] for bound in bounds))

    falling = iter((8.0, 7.0, 6.0))
    vary(
        lambda: at(5, 4, ACT_DIM, 2, best=next(falling)),
        again=2,
        size_one=[partial(at, *sizes, 0) for sizes in ((1, 1, 1), (5, 1, 1), (5, 4, 1), (1, 4, ACT_DIM))],
        large=[lambda: at(60, 25, ACT_DIM, 59), lambda: at(5, 4, ACT_DIM, 2, best=1e5, gap=1e4)],
        negative=[lambda: at(5, 4, ACT_DIM, 1, best=-30.0)],
    )
    for winner in range(5):
        at(5, 4, ACT_DIM, winner)
    check_winning(np.array([-7.0, 6.0, -8.0, 6.0, -9.0]), 1, HORIZON, ACT_DIM)


@pytest.mark.stub("random_shooting")
def test_random_shooting_leaves_the_bounds_as_they_were() -> None:
    low, high = LOW.clone(), HIGH.clone()
    random_shooting(lambda plans: plans[:, 0, 0], low, high, num_sequences=2, uniform=lambda n: numbers(n, HORIZON, 2))
    check(torch.equal(low, LOW) and torch.equal(high, HIGH), "a bound was changed", "inplace")


# refit_to_elites ------------------------------------------------------------------------------------------------------


def refit(**changes: Any) -> tuple[Tensor, Tensor]:
    arguments: dict[str, Any] = {
        "action_sequences": numbers(POPULATION, HORIZON, ACT_DIM),
        "returns": torch.arange(POPULATION).float(),
        "mean": torch.full((HORIZON, ACT_DIM), 2.0),
        "std": torch.full((HORIZON, ACT_DIM), 3.0),
        "num_elites": 4,
        "smoothing": 0.0,
    }
    return refit_to_elites(**{**arguments, **changes})


@pytest.mark.stub("cem_refit")
def test_refit_worked_example() -> None:
    check_example(WORKED_EXAMPLES["cem_refit"], LocalSubject())


@pytest.mark.stub("cem_refit")
def test_refit_smoothing_weights_the_old_distribution() -> None:
    new_mean, new_std = refit(action_sequences=torch.zeros(POPULATION, HORIZON, ACT_DIM), smoothing=0.75)
    check_close(
        new_mean.numpy(),
        np.full((HORIZON, ACT_DIM), 1.5),
        "new_mean",
        slips={"smoothing_reversed": np.full((HORIZON, ACT_DIM), 0.5)},
    )
    check_close(
        new_std.numpy(),
        np.full((HORIZON, ACT_DIM), 2.25),
        "new_std",
        slips={
            "smoothing_reversed": np.full((HORIZON, ACT_DIM), 0.75),
            "variance_for_std": np.full((HORIZON, ACT_DIM), 6.75**0.5),
        },
    )


@pytest.mark.stub("cem_refit")
def test_refit_does_not_depend_on_the_order_of_the_candidates() -> None:
    plans, returns = numbers(POPULATION, HORIZON, ACT_DIM), numbers(POPULATION)
    order = torch.arange(POPULATION - 1, -1, -1)
    mean, std = refit(action_sequences=plans, returns=returns)
    new_mean, new_std = refit(action_sequences=plans[order], returns=returns[order])
    check_close(new_mean.numpy(), mean.numpy(), "new_mean", rtol=1e-5, atol=1e-5)
    check_close(new_std.numpy(), std.numpy(), "new_std", rtol=1e-5, atol=1e-5)


@pytest.mark.stub("cem_refit")
def test_refit_to_a_single_elite_is_that_elite_with_std_0() -> None:
    plans = numbers(POPULATION, HORIZON, ACT_DIM)
    new_mean, new_std = refit(action_sequences=plans, num_elites=1)
    check_close(new_mean.numpy(), plans[-1].numpy(), "new_mean")
    check_close(new_std.numpy(), np.zeros((HORIZON, ACT_DIM)), "new_std")


@pytest.mark.stub("cem_refit")
def test_refit_at_any_size_and_in_every_call() -> None:
    """Without smoothing it leaves the mean and the std of the elites, the candidates with the largest returns."""
    rng = np.random.default_rng(2)

    def at(population: int, horizon: int, act_dim: int, k: int, *, scale: float = 1.0, best: float = 4.0) -> None:
        candidates = scale * rng.normal(size=(population, horizon, act_dim))
        returns = best - rng.permutation(population)
        old = np.full((horizon, act_dim), 2.0 * scale)
        answer = LocalSubject().call("mpc.refit_to_elites", candidates, returns, old, old, num_elites=k, smoothing=0.0)
        new_mean, new_std = check_pair(answer, "(new_mean, new_std)")
        elites = candidates[returns > best - k]
        check_close(new_mean, elites.mean(axis=0), "new_mean")
        check_close(new_std, elites.std(axis=0), "new_std")

    vary(
        lambda: at(9, 5, 2, 4),
        again=2,
        size_one=[partial(at, *sizes) for sizes in ((1, 1, 1, 1), (9, 1, 1, 4), (9, 5, 1, 4), (9, 5, 2, 1))],
        large=[lambda: at(300, 25, 2, 30), lambda: at(9, 5, 2, 4, scale=30.0), lambda: at(9, 5, 2, 4, best=1e5)],
        negative=[lambda: at(9, 5, 2, 4, best=-30.0)],
    )


@pytest.mark.stub("cem_refit")
def test_refit_takes_no_elite_too_many_when_returns_are_equal() -> None:
    plans = torch.tensor([8.0, 4.0, 4.0, 4.0, 0.0])[:, None, None].expand(5, HORIZON, ACT_DIM)
    new_mean, _ = refit(action_sequences=plans, returns=torch.tensor([3.0, 2.0, 2.0, 2.0, 1.0]), num_elites=2)
    slips = {"elite_count": np.full((HORIZON, ACT_DIM), 5.0)}
    check_close(new_mean.numpy(), np.full((HORIZON, ACT_DIM), 6.0), "new_mean of 8 and one of the 4s", slips=slips)


@pytest.mark.stub("cem_refit")
def test_refit_leaves_its_inputs_as_they_were() -> None:
    mean, std = torch.ones(HORIZON, ACT_DIM), torch.ones(HORIZON, ACT_DIM)
    plans, returns = numbers(POPULATION, HORIZON, ACT_DIM), torch.arange(POPULATION).float()
    refit(action_sequences=plans, returns=returns, mean=mean, std=std, smoothing=0.5)
    check(bool((mean == 1).all()) and bool((std == 1).all()), "the mean or the std passed in was changed", "inplace")
    check(torch.equal(plans, numbers(POPULATION, HORIZON, ACT_DIM)), "the candidates were changed", "inplace")
    check(torch.equal(returns, torch.arange(POPULATION).float()), "the returns were changed", "inplace")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_elites": 0}, "num_elites"),
        ({"smoothing": 1.0}, "smoothing"),
        ({"returns": torch.full((POPULATION,), torch.nan)}, "NaN"),
    ],
)
def test_inputs_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        refit(**changes)


# cem ------------------------------------------------------------------------------------------------------------------


# So many candidates that whoever draws them in another order comes as near: within 0.015 in 200 searches.
THOROUGH = {"population_size": 300, "num_elites": 30, "num_iterations": 15}


class CountedNoise:
    """Noise from a generator of its own that counts what was drawn."""

    def __init__(self) -> None:
        self.drawn = 0
        self.generator = torch.Generator().manual_seed(0)

    def __call__(self, count: int) -> Tensor:
        self.drawn += count
        return torch.randn(count, HORIZON, ACT_DIM, generator=self.generator)


def plan_with_cem(target: Tensor, **changes: Any) -> tuple[Tensor, Tensor, int]:
    """Search for `target`. Returns the plan, every candidate in the order of scoring, and how many were drawn."""
    scored: list[Tensor] = []
    noise = CountedNoise()

    def objective(plans: Tensor) -> Tensor:
        scored.append(plans.clone())
        return -((plans - target) ** 2).sum(dim=(1, 2))

    arguments: dict[str, Any] = {
        "population_size": 60,
        "num_iterations": 12,
        "num_elites": 7,
        "smoothing": 0.1,
        "num_kept_elites": 3,
    }
    middle = ((LOW + HIGH) / 2).expand(HORIZON, ACT_DIM).clone()
    spread = ((HIGH - LOW) / 2).expand(HORIZON, ACT_DIM).clone()
    plan = cem(objective, middle, spread, LOW, HIGH, noise=noise, **{**arguments, **changes})
    return plan, torch.cat(scored), noise.drawn


@pytest.mark.stub("cem_plan")
def test_cem_plan_worked_example() -> None:
    check_example(WORKED_EXAMPLES["cem_plan"], LocalSubject())


@pytest.mark.stub("cem_plan")
@pytest.mark.parametrize(("shape", "num_kept_elites"), [((5, 2), 0), ((5, 2), 3), ((1, 1), 0), ((4, 1), 2)])
def test_cem_plan_draws_from_the_mean_and_std_that_the_refit_gives(
    shape: tuple[int, int], num_kept_elites: int
) -> None:
    """Searches one after the other, in bounds so wide that nothing is clipped; refits by `refit_to_elites`."""
    rng = np.random.default_rng(3)
    low, high = np.full(shape[1], -60.0), np.full(shape[1], 50.0)
    earlier = np.zeros((0, *shape))

    def search() -> None:
        nonlocal earlier
        target, first_mean, first_std = (rng.uniform(0.6, 1.4, shape) for _ in range(3))

        def returns_of(candidates: Any) -> Any:
            return -((candidates - target) ** 2).sum(axis=(1, 2))

        def refit_to(scored: Any, num_elites: int = 4, smoothing: float = 0.3) -> Any:
            settings: Any = {"num_elites": num_elites, "smoothing": smoothing}
            return LocalSubject().call("mpc.refit_to_elites", scored, returns_of(scored), mean, std, **settings)

        mean, std = first_mean, first_std
        trace = CemTrace(returns_of, lambda n: rng.normal(size=(n, *shape)), low, high)
        plan = LocalSubject().call(
            "mpc.cem",
            *(trace.objective, mean, std, low, high),
            **{"population_size": 12, "num_iterations": 4, "num_elites": 4, "smoothing": 0.3},
            noise=trace.noise,
            num_kept_elites=num_kept_elites,
        )
        trace.check_counts(plan, 12, 4, shape)
        again = len(earlier) > 0 and bool(repeats(trace.scored[0], earlier).any())
        check(not again, "candidates of an earlier search are scored again", "state_kept")
        earlier = np.concatenate(trace.scored)
        slips: list[Any] = []
        for number, scored in enumerate(trace.scored):
            check(len(trace.new(number)) >= 12 - num_kept_elites * (number > 0), "too many are kept", "too_many_kept")
            if not trace.explained(trace.new(number), mean, std).all():
                raise CheckFailed(*trace.slip(number, mean, std, slips))
            slips = [
                ("smoothing_ignored", *refit_to(scored, smoothing=0.0)),
                ("non_elites", *refit_to(scored, num_elites=12)),
                ("mean_not_refit", first_mean, None),
                ("std_not_refit", None, first_std),
            ]
            mean, std = refit_to(scored)
        check_close(plan, mean, "the plan: the final mean")

    vary(search, again=2)


@pytest.mark.stub("cem_plan")
def test_cem_plan_finds_the_best_plan_inside_the_bounds() -> None:
    target = torch.tensor([[-1.0, 2.0], [0.5, 9.0], [0.0, 5.0], [-1.5, 1.0], [0.8, 8.0]])
    plan, _, _ = plan_with_cem(target, **THOROUGH)
    check_close(plan.numpy(), target.numpy(), "plan", atol=0.3)


@pytest.mark.stub("cem_plan")
def test_cem_plan_stays_inside_bounds_that_are_not_symmetric() -> None:
    plan, scored, _ = plan_with_cem(torch.tensor([5.0, -3.0]).expand(HORIZON, ACT_DIM), **THOROUGH)
    check(bool((scored >= LOW).all() & (scored <= HIGH).all()), "a candidate was scored out of bounds", "not_clipped")
    check(bool((plan >= LOW).all() & (plan <= HIGH).all()), "the plan leaves the bounds", "final_not_clipped")
    check_close(plan.numpy(), torch.tensor([1.0, 0.0]).expand(HORIZON, ACT_DIM).numpy(), "plan", atol=0.3)


@pytest.mark.stub("cem_plan")
@pytest.mark.parametrize(("num_kept_elites", "drawn"), [(0, 12 * 60), (3, 60 + 11 * 57)])
def test_cem_plan_scores_exactly_the_documented_number_of_candidates(num_kept_elites: int, drawn: int) -> None:
    target = torch.ones(HORIZON, ACT_DIM)
    _, scored, noise_drawn = plan_with_cem(target, num_kept_elites=num_kept_elites)
    check(len(scored) == 12 * 60, f"{len(scored)} candidates were scored, not 720", "wrong_candidate_count")
    cause = "noise_not_used" if noise_drawn < drawn else "elites_not_kept"
    check(noise_drawn == drawn, f"{noise_drawn} sequences of noise were drawn, not {drawn}", cause)


@pytest.mark.stub("cem_plan")
def test_cem_plan_keeps_the_best_candidates_for_the_next_iteration() -> None:
    target = torch.ones(HORIZON, ACT_DIM)
    _, scored, _ = plan_with_cem(target, num_iterations=2)
    first, second = scored[:60], scored[60:]
    best = first[((first - target) ** 2).sum(dim=(1, 2)).argsort()[:3]]
    found = [bool((second == plan).all(dim=2).all(dim=1).any()) for plan in best]
    check(all(found), f"{sum(found)} of the 3 best candidates competed again", "elites_not_kept")


@pytest.mark.stub("cem_plan")
def test_cem_plan_clips_the_mean_only_at_the_end() -> None:
    """From a mean of 5, half is forgotten at each step, candidates are clipped to 1: means 3 and 2, or 1 if clipped."""
    one = torch.ones(1, 1)
    scored: list[float] = []

    def objective(plans: Tensor) -> Tensor:
        scored.append(float(plans[-1, 0, 0]))
        return plans[:, 0, 0]

    cem(
        objective,
        5.0 * one,
        one,
        -one[0],
        one[0],
        population_size=2,
        num_iterations=2,
        num_elites=2,
        smoothing=0.5,
        noise=rows_of(torch.tensor([0.0, -3.0])[:, None, None]),
    )
    check_close(np.array(scored), np.array([1.0, 1.0]), "the lower candidate", slips={"mean_clipped": [1.0, -0.5]})


@pytest.mark.stub("cem_plan")
def test_cem_plan_leaves_its_inputs_as_they_were() -> None:
    mean, std = torch.ones(HORIZON, ACT_DIM), torch.ones(HORIZON, ACT_DIM)
    low, high = LOW.clone(), HIGH.clone()
    settings = {"population_size": 9, "num_iterations": 2, "num_elites": 3, "smoothing": 0.5}
    cem(lambda plans: plans.sum(dim=(1, 2)), mean, std, low, high, noise=CountedNoise(), **settings)  # type: ignore[arg-type]
    check(bool((mean == 1).all()) and bool((std == 1).all()), "the mean or the std passed in was changed", "inplace")
    check(torch.equal(low, LOW) and torch.equal(high, HIGH), "a bound was changed", "inplace")


# MPC.act --------------------------------------------------------------------------------------------------------------


class CountingPlanner:
    """Its n-th plan holds 10 n + 1, 10 n + 2, ...; remembers the means that it was given."""

    def __init__(self) -> None:
        self.means: list[Tensor] = []

    def __call__(self, observation: Tensor, mean: Tensor) -> Tensor:
        self.means.append(mean.clone())
        return (10.0 * len(self.means) + torch.arange(1.0, HORIZON + 1)).unsqueeze(1).repeat(1, ACT_DIM)


def actions_of(controller: MPC, env_steps: int) -> list[float]:
    return [float(controller.act(torch.full((OBS_DIM,), float(time)))[0]) for time in range(env_steps)]


@pytest.mark.stub("mpc_act")
def test_mpc_act_worked_example() -> None:
    check_example(WORKED_EXAMPLES["mpc_act"], LocalSubject())


@pytest.mark.stub("mpc_act")
@pytest.mark.parametrize(("horizon", "replan_every"), [(5, 1), (5, 3), (5, 5), (1, 1)])
@pytest.mark.parametrize(("obs_dim", "act_dim"), [(3, 2), (1, 1)])
def test_mpc_act_executes_that_many_actions_of_each_plan(
    horizon: int, replan_every: int, obs_dim: int, act_dim: int
) -> None:
    planner, subject = NumberedPlanner(horizon, act_dim), LocalSubject()
    mean = np.zeros((horizon, act_dim))
    controller = subject.call("mpc.MPC", planner, initial_mean=mean, replan_every=replan_every)
    observations = np.random.default_rng(4).normal(size=(4 * replan_every + 1, obs_dim))
    check_actions(subject, controller, planner, replan_every, observations)


@pytest.mark.stub("mpc_act")
def test_mpc_act_starts_every_search_from_the_plan_before_it() -> None:
    planner, subject = NumberedPlanner(HORIZON, ACT_DIM), LocalSubject()
    initial_mean = numbers(HORIZON, ACT_DIM).numpy()
    controller = subject.call("mpc.MPC", planner, initial_mean=initial_mean, replan_every=2)
    for _ in range(9):
        subject.call_method(controller, "act", np.zeros(OBS_DIM))
    check(len(planner.means) == 5, f"{len(planner.means)} plans in 9 steps, wanted 5", "never_replans")
    for number in range(1, 5):
        check_start(planner, initial_mean, number, 2)


@pytest.mark.stub("mpc_act")
def test_mpc_act_of_two_controllers_are_independent() -> None:
    planners = [CountingPlanner(), CountingPlanner()]
    controllers = [MPC(p, initial_mean=torch.zeros(HORIZON, ACT_DIM), replan_every=3) for p in planners]
    actions = [[float(one.act(torch.zeros(OBS_DIM))[0]) for one in controllers] for _ in range(5)]
    wanted = [11.0, 12.0, 13.0, 21.0, 22.0]
    check(actions == [[a, a] for a in wanted], f"two controllers that take turns act {actions}", "state_shared")


@pytest.mark.stub("mpc_act")
def test_mpc_act_starts_afresh_when_the_whole_plan_was_executed() -> None:
    planner, initial_mean = CountingPlanner(), numbers(HORIZON, ACT_DIM)
    actions_of(MPC(planner, initial_mean=initial_mean, replan_every=HORIZON), HORIZON + 1)
    plan = planner(torch.zeros(OBS_DIM), initial_mean) - 20.0  # its first plan
    slips = {"wrong_shift": torch.cat([plan, initial_mean]).numpy()}
    check_close(planner.means[1].numpy(), initial_mean.numpy(), "mean of the second search", slips=slips)


@pytest.mark.stub("mpc_act")
def test_mpc_act_leaves_the_initial_mean_as_it_was() -> None:
    initial_mean = numbers(HORIZON, ACT_DIM)
    actions_of(MPC(CountingPlanner(), initial_mean=initial_mean), 7)
    check(torch.equal(initial_mean, numbers(HORIZON, ACT_DIM)), "initial_mean was changed", "inplace")


# ModelBasedAgent.record -----------------------------------------------------------------------------------------------


def fits_of_an_agent(
    env_steps: int, *, initial_steps: int, refit_every: int | None, far_at: int | None = None
) -> tuple[list[int], list[int], Transition]:
    """The env steps after which it fits, the replay buffer's length at each fit, and all it holds in the end.

    Observations are 0, 1, 2, ..., but for 400 at time `far_at`.
    """
    fitted_at: list[int] = []
    lengths: list[int] = []
    recorded = 0

    def fit(replay: ReplayBuffer) -> None:
        fitted_at.append(recorded)
        lengths.append(len(replay))

    agent = ModelBasedAgent(
        base_policy=lambda observation: np.zeros(ACT_DIM),
        controller=MPC(CountingPlanner(), initial_mean=torch.zeros(HORIZON, ACT_DIM)),
        fit=fit,
        predict=lambda observation, action: observation,
        initial_steps=initial_steps,
        refit_every=refit_every,
    )
    for time in range(env_steps):
        recorded += 1
        observation = np.full(OBS_DIM, 400.0 if time == far_at else time)
        agent.record(Transition(observation, np.zeros(ACT_DIM), np.full(OBS_DIM, time + 1)))
    none = Transition(*(np.zeros((0, OBS_DIM)),) * 3)
    return fitted_at, lengths, agent.replay.stacked() if len(agent.replay) else none


@pytest.mark.stub("agent_record")
@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_record_worked_example() -> None:
    check_example(WORKED_EXAMPLES["agent_record"], LocalSubject())


@pytest.mark.stub("agent_record")
@pytest.mark.parametrize(
    ("initial_steps", "refit_every"), [(6, 4), (3, 7), (11, 4), (2, 5), (1, 3), (4, 1), (4, None), (1, None)]
)
def test_record_fits_on_schedule(initial_steps: int, refit_every: int | None) -> None:
    fitted_at, lengths, data = fits_of_an_agent(23, initial_steps=initial_steps, refit_every=refit_every)
    check_schedule(fitted_at, initial_steps, refit_every, steps=23, keeps=lambda: len(data.observation) > 0)
    late = [length + 1 for length in lengths] == fitted_at
    check(not late, "the newest transition is missing when the model is fitted", "fits_before_append")
    check(lengths == fitted_at, f"{lengths[:6]} transitions at the fits", "data_replaced")


@pytest.mark.stub("agent_record")
def test_record_does_not_fit_before_the_base_policy_is_done() -> None:
    fitted_at, _, _ = fits_of_an_agent(11, initial_steps=20, refit_every=3)
    check(not fitted_at, f"fitted after env steps {fitted_at}", "fits_too_early")


@pytest.mark.stub("agent_record")
def test_record_keeps_every_transition_in_order() -> None:
    *_, data = fits_of_an_agent(11, initial_steps=2, refit_every=2, far_at=5)
    wanted = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 400.0, 6.0, 7.0, 8.0, 9.0, 10.0])
    seen = data.observation[:, 0]
    cause = "data_changed" if seen[:1].tolist() == [0.0] else "data_replaced"
    check(len(seen) == 11, f"11 transitions were recorded, {len(seen)} kept", cause)
    check_close(seen, wanted, "recorded observations", otherwise="data_changed")
    check_close(data.next_observation[:, 0], np.arange(1.0, 12.0), "next observations", otherwise="data_changed")


@pytest.mark.stub("agent_record")
def test_record_keeps_what_a_long_run_saw() -> None:
    *_, data = fits_of_an_agent(1050, initial_steps=2, refit_every=None)
    check(len(data.observation) == 1050, f"of 1050 transitions {len(data.observation)} are kept", "data_replaced")
