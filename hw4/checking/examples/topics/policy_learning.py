"""Worked examples of hw4/topics/policy_learning.py (given; NumPy only)."""

from __future__ import annotations

from typing import Any

import numpy as np

from hw4.checking.answers import AnyOf
from hw4.checking.subject import Subject
from hw4.checking.worked_example import WorkedExample


def _run_rollout(subject: Subject) -> dict[str, Any]:
    def predict(observation: Any, action: Any) -> Any:
        return np.array([observation + action, observation - action + 1.0])

    def policy(observation: Any) -> Any:
        return observation, -observation[..., 0]

    def reward(observation: Any, action: Any, next_observation: Any) -> Any:
        return (10.0 * next_observation + action)[..., 0]

    observation, _, _, rewards, after = subject.call(
        "topics.policy_learning.model_rollout",
        predict,
        policy,
        reward,
        np.array([[1.0], [3.0]]),
        np.array([[0, 1], [1, 0]]),
    )
    return {"observation": observation, "reward": rewards, "next observation": after}


def _steps(*steps: tuple[float, float]) -> Any:
    return np.array(steps)[..., None]


MODEL_ROLLOUT = WorkedExample(
    stub_id="model_rollout",
    story=(
        "Observations and actions of one number. The policy's action is the observation itself; member 0 predicts s + "
        "a, member 1 predicts s - a + 1, and the reward is 10 s' + a. The first roll-out starts at 1 and follows "
        "member 0, then member 1: 1, 2, 1, with the rewards 20 + 1 and 10 + 2. The second starts at 3 and follows "
        "member 1, then member 0: 3, 1, 2, with the rewards 10 + 3 and 20 + 1."
    ),
    run=_run_rollout,
    wanted={
        "observation": _steps((1, 3), (2, 1)),
        "reward": np.array([[21.0, 13.0], [12.0, 21.0]]),
        "next observation": _steps((2, 1), (1, 2)),
    },
    slips={
        "observation": {
            "rollout_starts_again": _steps((1, 3), (1, 3)),
            "rollout_next_for_now": _steps((2, 1), (1, 2)),
            "rollout_flattened": np.array([[1.0], [3.0], [2.0], [1.0]]),
        },
        "reward": {"rollout_reward_before": np.array([[11.0, 33.0], [22.0, 11.0]])},
        "next observation": {
            "rollout_first_member": _steps((2, 6), (4, 12)),
            "rollout_keeps_member": _steps((2, 1), (4, 1)),
            "rollout_mean_of_members": _steps((1.5, 3.5), (2.0, 4.0)),
        },
    },
)


def _run_mve(subject: Subject) -> dict[str, Any]:
    target = subject.call(
        "topics.policy_learning.mve_target",
        np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]),
        np.array([4.0, 4.0, 4.0]),
        np.array([[False, False, True], [False, True, False]]),
        gamma=0.5,
    )
    return {"target": target}


MVE_TARGET = WorkedExample(
    stub_id="mve_target",
    story=(
        "Three roll-outs with the rewards 1 and 2 and the last value 4, gamma 1/2. The first never ends: 1 + 2/2 + 4/4 "
        "= 3. In the second step 1 is terminal, so the value does not count: 1 + 2/2 = 2. In the third step 0 is "
        "terminal, and only its reward counts: 1."
    ),
    run=_run_mve,
    wanted={"target": np.array([3.0, 2.0, 1.0])},
    slips={
        "target": {
            "target_terminal_ignored": np.array([3.0, 3.0, 3.0]),
            "target_without_discount": np.array([7.0, 3.0, 1.0]),
            "target_value_missing": np.array([2.0, 2.0, 1.0]),
            "target_value_discount": AnyOf((np.array([4.0, 2.0, 1.0]), np.array([2.5, 2.0, 1.0]))),
            "target_value_without_discount": np.array([6.0, 2.0, 1.0]),
            "target_terminal_reward_dropped": np.array([3.0, 1.0, 0.0]),
            "target_terminal_last_only": np.array([3.0, 2.0, 3.0]),
        }
    },
)


def _run_pairs(subject: Subject) -> dict[str, Any]:
    observation, action, target = subject.call(
        "topics.policy_learning.td_k_pairs",
        np.array([[[7.0]], [[8.0]]]),
        np.array([[[0.1]], [[0.2]]]),
        np.array([[1.0], [2.0]]),
        np.array([[5.0], [3.0]]),
        np.array([4.0]),
        np.zeros((2, 1), dtype=bool),
        gamma=0.5,
    )
    return {"observation": observation, "action": action, "target": target}


TD_K_PAIRS = WorkedExample(
    stub_id="td_k_pairs",
    story=(
        "One roll-out of a real step at 7 and an imagined one at 8, with the rewards 1 and 2, the bonuses 5 and 3, the "
        "last value 4, and gamma 1/2. The imagined step has the target 2 + 4/2 = 4. So the state 8 is worth 3 + 4 = 7, "
        "and the real step has the target 1 + 7/2 = 4.5. The bonus 5 counts nowhere."
    ),
    run=_run_pairs,
    wanted={
        "observation": np.array([[7.0], [8.0]]),
        "action": np.array([[0.1], [0.2]]),
        "target": np.array([4.5, 4.0]),
    },
    slips={
        "observation": {"pairs_real_only": np.array([[7.0]])},
        "target": {
            "pairs_back_to_front": np.array([4.0, 4.5]),
            "pairs_own_bonus": AnyOf((np.array([9.5, 7.0]), np.array([9.5, 4.0]))),
            "pairs_without_bonus": np.array([3.0, 4.0]),
            "pairs_bonus_late": np.array([5.5, 4.0]),
            "pairs_rewards_alone": np.array([1.0, 2.0]),
            "pairs_one_target": np.array([4.5, 4.5]),
            "pairs_one_step": np.array([3.0, 4.0]),
            "pairs_without_discount": np.array([10.0, 6.0]),
            "pairs_value_missing": np.array([3.5, 2.0]),
        },
    },
)


def _run_steve(subject: Subject) -> dict[str, Any]:
    mean, variance = subject.call(
        "topics.policy_learning.steve_targets",
        np.array([[[1.0], [1.0]], [[2.0], [6.0]]]),
        np.array([[[[2.0], [6.0]], [[2.0], [6.0]]], [[[4.0], [4.0]], [[8.0], [8.0]]]]),
        np.zeros((2, 2, 1), dtype=bool),
        gamma=0.5,
    )
    return {"mean": mean, "variance": variance}


STEVE_TARGETS = WorkedExample(
    stub_id="steve_targets",
    story=(
        "Two members, two critics, one state, gamma 1/2. The real reward is 1, and after it the critics say 2 and 6: "
        "without the model the targets are 1 + 2/2 = 2 and 1 + 6/2 = 4, for both members. Their mean is 3, their "
        "variance 1. The members imagine the rewards 2 and 6, and where they get, both critics say 4 and 8: 1 + 2/2 + "
        "4/4 = 3 and 1 + 6/2 + 8/4 = 6, each twice. The mean is 4.5, the variance 2.25."
    ),
    run=_run_steve,
    wanted={"mean": np.array([[3.0], [4.5]]), "variance": np.array([[1.0], [2.25]])},
    slips={
        "mean": {
            "steve_swapped": np.array([[1.0], [2.25]]),
            "steve_smallest_critic": np.array([[2.0], [4.5]]),
            "steve_one_value": np.array([[4.0], [4.5]]),
        },
        "variance": {
            "steve_divisor": np.array([[4 / 3], [3.0]]),
            "steve_std": np.array([[1.0], [1.5]]),
            "steve_over_members": np.array([[0.0], [2.25]]),
            "steve_over_critics": np.array([[1.0], [0.0]]),
            "steve_spread_of_values": np.array([[4.0], [4.0]]),
        },
    },
)


def _run_weights(subject: Subject) -> dict[str, Any]:
    variance = np.array([[1.0], [4.0], [0.0]])
    return {"weights": subject.call("topics.policy_learning.steve_weights", variance, floor=0.25)}


STEVE_WEIGHTS = WorkedExample(
    stub_id="steve_weights",
    story=(
        "Targets of three lengths have the variances 1, 4 and 0, and the floor is 1/4. The inverses are 1, 1/4 and, as "
        "0 counts as 1/4, 4: together 21/4. So the weights are 4/21, 1/21 and 16/21."
    ),
    run=_run_weights,
    wanted={"weights": np.array([[4 / 21], [1 / 21], [16 / 21]])},
    slips={
        "weights": {
            "weights_not_scaled": np.array([[1.0], [0.25], [4.0]]),
            "weights_of_std": np.array([[2 / 7], [1 / 7], [4 / 7]]),
            "weights_floor_added": np.array([[0.8], [1 / 4.25], [4.0]]) / (4.8 + 1 / 4.25),
            "weights_upside_down": np.array([[1.0], [4.0], [0.25]]) / 5.25,
            "weights_even": np.full((3, 1), 1 / 3),
            "weights_other_axis": np.ones((3, 1)),
        }
    },
)
