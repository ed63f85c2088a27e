"""Worked examples of hw4/mpc.py (given; NumPy only)."""

from __future__ import annotations

from typing import Any

import numpy as np

from hw4.checking.answers import AnyOf, check_pair
from hw4.checking.rollout_trace import RolloutTrace
from hw4.checking.subject import Handle, Subject
from hw4.checking.worked_example import Array, Recorder, Rows, WorkedExample, few, stack
from hw4.transitions import Transition


class PushedCart:
    """A model and a reward by hand: a push changes the velocity, the velocity the position; it is paid to be far."""

    def __init__(self) -> None:
        self.calls = 0
        self.sequences_per_call: list[int] = []

    def predict(self, observation: Array, action: Array) -> Array:
        self.calls += 1
        self.sequences_per_call.append(observation.shape[-2] if observation.ndim > 1 else 1)
        velocity = observation[..., 1:] + action
        return np.concatenate([observation[..., :1] + velocity, velocity], axis=-1)

    @staticmethod
    def reward(observation: Array, action: Array, next_observation: Array) -> Array:
        reward: Array = next_observation[..., 0] + 0.1 * action[..., 0]
        return reward


def _run_sequence_returns(subject: Subject) -> dict[str, Any]:
    cart = PushedCart()
    action_sequences = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [2.0, -1.0, 1.0], [0.0, 0.0, 0.0]])[..., None]
    start = np.array([1.0, 0.0])
    trace = RolloutTrace(cart.predict, cart.reward, start, action_sequences)
    returns = subject.call("mpc.sequence_returns", trace.predict, trace.reward, start, action_sequences)
    return {
        "returns": returns,
        "sequences in the smallest call of predict": min(cart.sequences_per_call, default=0),
        "calls of predict": cart.calls,
    }


SEQUENCE_RETURNS = WorkedExample(
    stub_id="sequence_returns",
    story=(
        "A cart at position 1 with velocity 0. Each step: velocity += push, then position += velocity; the reward is "
        "the position arrived at plus 0.1 * push. Pushes (1, 0, 0) lead to positions 2, 3, 4: 2.1 + 3 + 4 = 9.1. "
        "(0, 1, 0) to 1, 2, 3: 6.1. (2, -1, 1) to 3, 4, 6: 13.2. No push at all: 1 + 1 + 1 = 3. The model is asked "
        "once per step, about all four sequences."
    ),
    run=_run_sequence_returns,
    wanted={
        "returns": np.array([9.1, 6.1, 13.2, 3.0]),
        "sequences in the smallest call of predict": 4,
        "calls of predict": 3,
    },
    slips={
        "returns": {
            "reward_on_old_observation": AnyOf((np.array([6.1, 4.1, 8.2, 3.0]), np.array([8.1, 6.1, 11.2, 3.0]))),
            "wrong_step_action": np.array([9.0, 6.1, 13.1, 3.0]),
            "state_not_propagated": np.array([4.1, 4.1, 5.2, 3.0]),
            "last_reward_only": np.array([4.0, 3.0, 6.1, 1.0]),
            "first_reward_only": np.array([2.1, 1.0, 3.2, 1.0]),
            "first_reward_missing": np.array([7.0, 5.1, 10.0, 2.0]),
            "last_action_ignored": np.array([5.1, 3.1, 7.1, 2.0]),
            "mean_taken": np.array([9.1, 6.1, 13.2, 3.0]) / 3,
            "discounted": AnyOf(
                tuple(
                    np.array([[2.1, 3.0, 4.0], [1.0, 2.1, 3.0], [3.2, 3.9, 6.1], [1.0, 1.0, 1.0]])
                    @ discount ** np.arange(3)
                    for discount in (0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
                )
            ),
        },
        "sequences in the smallest call of predict": {"loop_over_sequences": 1},
        "calls of predict": {"loop_over_sequences": 12, "extra_predictions": AnyOf((4, 6))},
    },
)


def _run_random_shooting(subject: Subject) -> dict[str, Any]:
    uniform = Rows(np.array([[0.25, 0.75], [0.75, 0.5], [0.5, 0.5]])[..., None])
    objective = Recorder(lambda plans: plans[..., 0, 0] - plans[..., 1, 0])
    plan = subject.call(
        "mpc.random_shooting", objective, np.array([-1.0]), np.array([3.0]), num_sequences=3, uniform=uniform
    )
    return {
        "plan": plan,
        "candidates scored": objective.num_scored,
        "calls of the objective": len(objective.scored),
        "candidates drawn": uniform.drawn,
    }


RANDOM_SHOOTING = WorkedExample(
    stub_id="random_shooting",
    story=(
        "Bounds -1 and 3, so u becomes 4u - 1. The three draws (0.25, 0.75), (0.75, 0.5), (0.5, 0.5) become the plans "
        "(0, 2), (2, 1), (1, 1). The objective is the first action minus the second: -2, 1, 0. The second plan wins."
    ),
    run=_run_random_shooting,
    wanted={
        "plan": np.array([[2.0], [1.0]]),
        "candidates scored": 3,
        "calls of the objective": 1,
        "candidates drawn": 3,
    },
    slips={
        "plan": {
            "takes_smallest": np.array([[0.0], [2.0]]),
            "candidates_averaged": np.array([[1.5], [1.0]]),
            "bounds_ignored": AnyOf((np.array([[0.75], [0.5]]), np.array([[3.0], [2.0]]), np.array([[0.5], [0.0]]))),
        },
        "candidates scored": {"wrong_candidate_count": AnyOf((0, 1, 2, 4, 6))},
        "calls of the objective": {"loop_over_sequences": 3},
        "candidates drawn": {"noise_not_used": 0, "wrong_candidate_count": AnyOf((1, 2, 4, 6))},
    },
)


def _run_cem_refit(subject: Subject) -> dict[str, Any]:
    answer = subject.call(
        "mpc.refit_to_elites",
        np.array([[0.0, 0.0], [2.0, 10.0], [6.0, 6.0], [4.0, 20.0], [10.0, 1.0]])[..., None],
        np.array([1.0, 7.0, 3.0, 9.0, 5.0]),
        np.array([[8.0], [0.0]]),
        np.array([[3.0], [1.0]]),
        num_elites=2,
        smoothing=0.25,
    )
    new_mean, new_std = check_pair(answer, "refit_to_elites(...)")
    return {"new_mean": new_mean, "new_std": new_std}


CEM_REFIT = WorkedExample(
    stub_id="cem_refit",
    story=(
        "Five plans of two actions; returns 1, 7, 3, 9, 5. The two elites are (2, 10) and (4, 20): mean (3, 15), std "
        "(1, 5). The old mean is (8, 0), the old std (3, 1), and smoothing = 0.25 weighs the OLD: new mean "
        "0.25 * (8, 0) + 0.75 * (3, 15) = (4.25, 11.25), new std 0.25 * (3, 1) + 0.75 * (1, 5) = (1.5, 4)."
    ),
    run=_run_cem_refit,
    wanted={"new_mean": np.array([[4.25], [11.25]]), "new_std": np.array([[1.5], [4.0]])},
    slips={
        "new_mean": {
            "smoothing_reversed": np.array([[6.75], [3.75]]),
            "smoothing_ignored": np.array([[3.0], [15.0]]),
            "mean_not_refit": AnyOf((np.array([[8.0], [0.0]]), np.array([[5.0], [3.0]]))),
            "elites_weighted": AnyOf(
                tuple(np.array(mean)[:, None] for mean in ((4.5, 12.5), (4.821196, 14.105978), (4.898077, 13.869770)))
            ),
            "old_not_used": AnyOf((np.array([[3.35], [13.1]]), np.array([[3.583333], [11.833333]]))),
            "takes_smallest": np.array([[4.25], [2.25]]),
            "non_elites": AnyOf((np.array([[6.0], [1.75]]), np.array([[5.3], [5.55]]))),
            "statistics_axis": np.array([[8.75], [6.75]]),
            "returns_best_candidate": np.array([[4.0], [20.0]]),
        },
        "new_std": {
            "smoothing_reversed": np.array([[2.5], [2.0]]),
            "smoothing_ignored": AnyOf((np.array([[1.0], [5.0]]), np.array([[2.0], [50.0]]) ** 0.5)),
            "std_divisor": np.array([[1.810660], [5.553301]]),
            "variance_for_std": AnyOf(
                (
                    *(np.array([[1.5], [19.0]]), np.array([[1.732051], [4.358899]]), np.array([[3.0], [19.0]])),
                    np.array([[2.25], [37.75]]),
                )
            ),
            "std_not_refit": np.array([[3.0], [1.0]]),
            "old_not_used": AnyOf((np.array([[1.610233], [5.563836]]), np.array([[1.777402], [4.406167]]))),
            "deviation_center": AnyOf((np.array([[1.950586], [4.9375]]), np.array([[4.574265], [12.108541]]))),
            "non_elites": AnyOf((np.array([[3.832207], [2.218502]]), np.array([[3.330698], [5.691507]]))),
            "statistics_axis": AnyOf((np.array([[6.0], [5.5]]), np.array([[6.812178], [6.312178]]))),
        },
    },
)

CEM_NOISE = np.array([[-1.0, 2.0], [-2.0, 0.0], [0.0, 2.0], [2.0, 1.0], [0.0, 0.0], [1.0, -1.0]])[..., None]


def _run_cem_plan(subject: Subject) -> dict[str, Any]:
    def plan_from(first_mean: float) -> tuple[Any, Recorder, Rows]:
        noise = Rows(CEM_NOISE)
        objective = Recorder(lambda plans: plans[..., 0, 0] - 2.0 * plans[..., 1, 0])
        plan = subject.call(
            "mpc.cem",
            objective,
            np.array([[first_mean], [0.0]]),
            np.array([[2.0], [1.0]]),
            np.array([-1.0]),
            np.array([3.0]),
            population_size=4,
            num_iterations=2,
            num_elites=2,
            smoothing=0.25,
            noise=noise,
            num_kept_elites=2,
        )
        return plan, objective, noise

    plan, objective, noise = plan_from(1.0)
    plan_from_outside, _, _ = plan_from(7.0)
    scored = np.concatenate([np.ravel(candidates) for candidates in objective.scored] or [np.zeros(0)])
    return {
        "plan": plan,
        "candidates scored": objective.num_scored,
        "sequences of noise drawn": noise.drawn,
        "smallest action scored": float(scored.min(initial=np.inf)),
        "largest action scored": float(scored.max(initial=-np.inf)),
        "plan from a mean outside the bounds": plan_from_outside,
    }


CEM_PLAN = WorkedExample(
    stub_id="cem_plan",
    story=(
        "Plans of two actions in [-1, 3], scored by first action - 2 * second. Mean (1, 0), std (2, 1), and the noise "
        "(-1, 2), (-2, 0), (0, 2), (2, 1) give, clipped, (-1, 2), (-1, 0), (1, 2), (3, 1), worth -5, -1, -3, 1. The "
        "elites (3, 1) and (-1, 0) have mean (1, 0.5) and std (2, 0.5); with a quarter of the old, mean (1, 0.375) and "
        "std (2, 0.625). Both elites are kept, so only two are drawn: noise (0, 0), (1, -1) gives (1, 0.375) and "
        "(3, -0.25), worth 0.25 and 3.5; the kept ones are worth 1 and -1. The elites are now (3, -0.25) and (3, 1): "
        "their mean "
        "(3, 0.375) and a quarter of (1, 0.375) make the plan (2.5, 0.375). From a mean of (7, 0) the same search ends "
        "at (3.25, 0), which is clipped to (3, 0)."
    ),
    run=_run_cem_plan,
    wanted={
        "plan": np.array([[2.5], [0.375]]),
        "candidates scored": 8,
        "sequences of noise drawn": 6,
        "smallest action scored": -1.0,
        "largest action scored": 3.0,
        "plan from a mean outside the bounds": np.array([[3.0], [0.0]]),
    },
    slips={
        "plan": {
            "not_clipped": AnyOf((np.array([[3.8125], [0.375]]), np.array([[3.0], [0.375]]))),
            "returns_best_candidate": np.array([[3.0], [-0.25]]),
            "std_not_used": np.array([[2.125], [0.234375]]),
            "smoothing_reversed": np.array([[1.5], [0.125]]),
            "smoothing_ignored": np.array([[3.0], [0.5]]),
            "variance_for_std": AnyOf((np.array([[2.5], [0.445312]]), np.array([[2.5], [0.462891]]))),
            "std_divisor": np.array([[2.5], [0.316751]]),
            "std_not_refit": np.array([[2.5], [0.234375]]),
            "mean_not_refit": np.array([[1.0], [0.0]]),
            "elites_not_kept": np.array([[2.5], [-0.328125]]),
            "takes_smallest": np.array([[0.71875], [1.40625]]),
        },
        "candidates scored": {"wrong_candidate_count": AnyOf((0, 4, 6, 10, 12))},
        "sequences of noise drawn": {
            "noise_not_used": AnyOf((0, 1, 2, 4)),
            "elites_not_kept": 8,
            "returns_random_draw": AnyOf((7, 10)),
            "wrong_candidate_count": 12,
        },
        "smallest action scored": {"not_clipped": AnyOf((-3.0,))},
        "largest action scored": {"not_clipped": AnyOf((5.0, 6.0))},
        "plan from a mean outside the bounds": {
            "final_not_clipped": np.array([[3.25], [0.0]]),
            "returns_best_candidate": np.array([[3.0], [-0.25]]),
        },
    },
)


def _run_mpc_act(subject: Subject) -> dict[str, Any]:
    means: list[Array] = []
    planned_at: list[Array] = []

    def planner(observation: Array, mean: Array) -> Array:
        means.append(np.array(mean))
        planned_at.append(np.array(observation))
        return 10.0 * len(means) + np.arange(1.0, 6.0)[:, None]  # plan n holds 10 n + 1, ..., 10 n + 5

    initial_mean = -np.arange(1.0, 6.0)[:, None]
    controller = subject.call("mpc.MPC", planner, initial_mean=initial_mean, replan_every=2)
    actions = [subject.call_method(controller, "act", np.array([time, 0.0, 0.5])) for time in range(5)]
    calls_in_first_episode = len(means)
    subject.call_method(controller, "begin_episode")
    first_action_of_second_episode = subject.call_method(controller, "act", np.array([9.0, 0.0, 0.5]))
    return {
        "actions": stack(actions, "the action"),
        "calls of the planner": calls_in_first_episode,
        "times of the observations planned from": np.array([np.ravel(seen)[0] for seen in planned_at]),
        "mean of the first search": means[0][:, 0] if means else np.zeros(0),
        "mean of the second search": means[1][:, 0] if len(means) > 1 else np.zeros(0),
        "mean of the third search": means[2][:, 0] if len(means) > 2 else np.zeros(0),
        "first action of the next episode": first_action_of_second_episode,
        "mean of the first search of the next episode": means[-1][:, 0] if means else np.zeros(0),
    }


MPC_ACT = WorkedExample(
    stub_id="mpc_act",
    story=(
        "Plans of five actions, replan_every = 2, initial_mean (-1, -2, -3, -4, -5). The planner's first plan is 11, "
        "12, 13, 14, 15, its second 21, 22, ... Five calls execute 11, 12, 21, 22, 31. The second search starts from "
        "what is left of the first plan and the end of initial_mean: (13, 14, 15, -4, -5); the third from "
        "(23, 24, 25, -4, -5). A new episode plans afresh from initial_mean, though one action of the third plan is "
        "done, and executes 41."
    ),
    run=_run_mpc_act,
    wanted={
        "actions": np.array([[11.0], [12.0], [21.0], [22.0], [31.0]]),
        "calls of the planner": 3,
        "times of the observations planned from": np.array([0.0, 2.0, 4.0, 9.0]),
        "mean of the first search": np.array([-1.0, -2.0, -3.0, -4.0, -5.0]),
        "mean of the second search": np.array([13.0, 14.0, 15.0, -4.0, -5.0]),
        "mean of the third search": np.array([23.0, 24.0, 25.0, -4.0, -5.0]),
        "first action of the next episode": np.array([41.0]),
        "mean of the first search of the next episode": np.array([-1.0, -2.0, -3.0, -4.0, -5.0]),
    },
    slips={
        "actions": {
            "action_skipped": AnyOf(
                (np.array([[12.0], [22.0], [32.0], [42.0], [52.0]]), np.array([[11.0], [12.0], [22.0], [32.0], [42.0]]))
            ),
            "replans_always": np.array([[11.0], [21.0], [31.0], [41.0], [51.0]]),
            "never_replans": np.array([[11.0], [12.0], [13.0], [14.0], [15.0]]),
            "replans_off_by_one": np.array([[11.0], [12.0], [13.0], [21.0], [22.0]]),
            "executes_last_action": AnyOf(
                (np.array([[15.0], [15.0], [25.0], [25.0], [35.0]]), np.array([[15.0], [14.0], [25.0], [24.0], [35.0]]))
            ),
            "returns_whole_plan": AnyOf(
                (
                    np.array([10, 10, 20, 20, 30])[:, None, None] + np.arange(1.0, 6.0)[:, None],
                    10.0 * np.arange(1, 6)[:, None, None] + np.arange(1.0, 6.0)[:, None],
                )
            ),
        },
        "calls of the planner": {"replans_always": 5, "never_replans": 1, "replans_off_by_one": 2},
        "times of the observations planned from": {"stale_observation": np.array([0.0, 1.0, 3.0, 9.0])},
        "mean of the second search": {
            "no_warm_start": AnyOf((np.array([-1.0, -2.0, -3.0, -4.0, -5.0]), np.zeros(5), np.arange(11.0, 16.0))),
            "shift_by_one": np.array([12.0, 13.0, 14.0, 15.0, -5.0]),
            "wrong_shift": np.array([14.0, 15.0, -3.0, -4.0, -5.0]),
            "wrong_tail": AnyOf(
                (
                    np.array([13.0, 14.0, 15.0, -1.0, -2.0]),
                    np.array([13.0, 14.0, 15.0, -5.0, -5.0]),
                    np.array([13.0, 14.0, 15.0, 15.0, 15.0]),
                    np.array([13.0, 14.0, 15.0, 0.0, 0.0]),
                    np.array([13.0, 14.0, 15.0]),
                    np.array([13.0, 14.0, 15.0, 11.0, 12.0]),
                )
            ),
        },
        "mean of the third search": {
            "stale_plan": np.array([13.0, 14.0, 15.0, -4.0, -5.0]),
        },
        "first action of the next episode": {"plan_survives_episode": np.array([32.0])},
        "mean of the first search of the next episode": {
            "plan_survives_episode": AnyOf(
                (np.array([33.0, 34.0, 35.0, -4.0, -5.0]), np.array([32.0, 33.0, 34.0, 35.0, -5.0]))
            ),
        },
    },
)


def _run_agent_record(subject: Subject) -> dict[str, Any]:
    def agent_after(num_records: int, refit_every: int | None) -> tuple[list[int], list[int], Array]:
        fitted_at: list[int] = []
        lengths: list[int] = []
        data = [np.zeros((0, 1))]
        num_recorded = 0

        def fit(replay: Handle) -> None:
            fitted_at.append(num_recorded)
            lengths.append(int(subject.call_method(replay, "__len__")))
            if lengths[-1] > 0:
                data[0] = few(subject.call_method(replay, "stacked").observation, "the observations")

        controller = subject.call(
            "mpc.MPC", lambda observation, mean: mean, initial_mean=np.zeros((4, 2)), replan_every=1
        )
        agent = subject.call(
            "mpc.ModelBasedAgent",
            base_policy=lambda observation: np.zeros(2),
            controller=controller,
            fit=fit,
            predict=lambda observation, action: observation,
            initial_steps=2,
            refit_every=refit_every,
        )
        for number in range(1, num_records + 1):
            num_recorded = number
            here, there = np.array([float(number)]), np.array([number + 1.0])
            subject.call_method(agent, "record", Transition(here, np.zeros(2), there))
        return fitted_at, lengths, data[0]

    fitted_at, lengths, data = agent_after(13, refit_every=5)
    fitted_once_at, _, _ = agent_after(13, refit_every=None)
    return {
        "steps after which fit was called": np.array(fitted_at),
        "transitions in the replay buffer at each fit": np.array(lengths),
        "observations at the last fit": data[:, 0],
        "steps after which fit was called, refit_every=None": np.array(fitted_once_at),
    }


AGENT_RECORD = WorkedExample(
    stub_id="agent_record",
    story=(
        "initial_steps = 2, refit_every = 5, thirteen env steps whose observations are 1, 2, ..., 13. The first fit "
        "comes after step 2 and sees 2 transitions, the next after 7 and 12. With refit_every = None there is only the "
        "first."
    ),
    run=_run_agent_record,
    wanted={
        "steps after which fit was called": (2, 7, 12),
        "transitions in the replay buffer at each fit": (2, 7, 12),
        "observations at the last fit": (*range(1, 13),),
        "steps after which fit was called, refit_every=None": (2,),
    },
    slips={
        "steps after which fit was called": {
            "fits_once": (2,),
            "fits_every_step": AnyOf(((*range(1, 14),), (*range(2, 14),))),
            "fits_late": AnyOf(((3, 8, 13), (2, 8, 13))),
            "counts_from_zero": AnyOf(((5, 10), (2, 5, 10))),
            "fits_too_early": AnyOf(((1, 6, 11), (2, 6, 11))),
            "wrong_period": AnyOf(((2, 8), (2, 6, 10))),
            "data_replaced": AnyOf(((2, 9), (2, 4, 6, 8, 10, 12))),
            "not_appended": (),
        },
        "transitions in the replay buffer at each fit": {
            "fits_before_append": (1, 6, 11),
            "data_replaced": AnyOf(((2, 5, 5), (2, 7, 7), (2, 2), (1, 1, 1))),
        },
        "observations at the last fit": {
            "data_replaced": AnyOf(((*range(8, 13),), (*range(3, 13),), (12,), (12,) * 12)),
        },
        "steps after which fit was called, refit_every=None": {
            "fits_every_step": AnyOf(((*range(2, 14),), (*range(1, 14),))),
        },
    },
)
