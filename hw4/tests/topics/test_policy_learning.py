"""Public tests of hw4/topics/policy_learning.py. The first test of each stub is its worked example."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hw4.checking.answers import AnyOf, check, check_close
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.subject import LocalSubject
from hw4.checking.variations import repeat
from hw4.checking.worked_example import check_example
from hw4.topics.policy_learning import model_rollout, mve_target, steve_targets, steve_weights, td_k_pairs

GAMMA = 0.8


def draws(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def never(*shape: int) -> Tensor:
    return torch.zeros(*shape, dtype=torch.bool)


# model_rollout --------------------------------------------------------------------------------------------------------


class Walk:
    """Member e moves every state by the action and adds e; the policy's actions are drawn beforehand."""

    def __init__(self, num_members: int = 3) -> None:
        self.num_members, self.asked, self.draws = num_members, 0, draws(9, 1, seed=5)

    def policy(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        self.asked += 1
        action = self.draws[self.asked - 1].expand(len(observation), 1)
        return action, action[:, 0] - 1.0

    def predict(self, observation: Tensor, action: Tensor) -> Tensor:
        return torch.stack([observation + action + e for e in range(self.num_members)])

    def reward(self, observation: Tensor, action: Tensor, next_observation: Tensor) -> Tensor:
        return 3.0 * next_observation[:, 0] - observation[:, 1] + action[:, 0]


@pytest.mark.stub("model_rollout")
def test_model_rollout_worked_example() -> None:
    check_example(WORKED_EXAMPLES["model_rollout"], LocalSubject())


@pytest.mark.stub("model_rollout")
def test_model_rollout_follows_the_member_of_each_step() -> None:
    def at(seed: int) -> None:
        walk, start = Walk(), draws(4, 2, seed=seed)
        members = torch.tensor([[0, 1, 2, 0], [2, 2, 0, 1], [1, 0, 0, 2]])
        steps = model_rollout(walk.predict, walk.policy, walk.reward, start, members)
        moved = (walk.draws[:3, None] + members[..., None]).cumsum(dim=0)  # (k, B, 1)
        wanted = start + moved
        slips = {"rollout_first_member": (start + walk.draws[:3, None].cumsum(dim=0)).numpy()}
        check_close(steps[4].numpy(), wanted.numpy(), "the next observations", slips=slips)
        before = torch.cat([start[None], wanted[:-1]])
        check_close(steps[0].numpy(), before.numpy(), "the observations")
        paid = 3.0 * wanted[..., 0] - before[..., 1] + walk.draws[:3]
        slips = {"rollout_reward_before": (paid - 3.0 * (wanted - before)[..., 0]).numpy()}
        check_close(steps[3].numpy(), paid.numpy(), "the rewards", slips=slips)
        check_close(steps[2].numpy(), (walk.draws[:3] - 1.0).expand(3, 4).numpy(), "the log densities")

    at(1)
    repeat(lambda: at(2))


@pytest.mark.stub("model_rollout")
def test_model_rollout_asks_the_policy_once_a_step() -> None:
    walk = Walk()
    steps = model_rollout(walk.predict, walk.policy, walk.reward, draws(5, 2), torch.zeros(4, 5, dtype=torch.int64))
    check(steps[0].shape == (4, 5, 2), f"the observations have shape {tuple(steps[0].shape)}", "wrong_shape")
    check(walk.asked == 4, f"the policy was asked {walk.asked} times for 4 steps", "rollout_policy_again")


# mve_target -----------------------------------------------------------------------------------------------------------


@pytest.mark.stub("mve_target")
def test_mve_target_worked_example() -> None:
    check_example(WORKED_EXAMPLES["mve_target"], LocalSubject())


@pytest.mark.stub("mve_target")
@pytest.mark.parametrize("num_steps", [1, 2, 5])
def test_mve_target_of_an_exact_model_is_exact_at_every_horizon(num_steps: int) -> None:
    # One number that halves at every step and pays itself: it is worth s/2 + gamma s/4 + ... = s / (2 - gamma).
    start = draws(6)
    rewards = torch.stack([start * 0.5 ** (i + 1) for i in range(num_steps)])
    value = rewards[-1] / (2.0 - GAMMA)
    target = mve_target(rewards, value, never(num_steps, 6), gamma=GAMMA)
    slips = {"target_value_missing": (start / (2 - GAMMA) - GAMMA**num_steps * value).numpy()}
    check_close(target.numpy(), (start / (2.0 - GAMMA)).numpy(), "the target of an exact model", slips=slips)


@pytest.mark.stub("mve_target")
def test_mve_target_discounts_an_error_of_the_critic() -> None:
    rewards, value = draws(4, 3), draws(3, seed=1)
    right, wrong = (mve_target(rewards, each, never(4, 3), gamma=GAMMA) for each in (value, value + 2.0))
    shown = (wrong - right).numpy()
    check_close(shown, np.full(3, 2.0 * GAMMA**4), "the error of the target", otherwise="target_value_discount")


@pytest.mark.stub("mve_target")
def test_mve_target_drops_what_comes_after_a_terminal_step_even_nan() -> None:
    rewards = torch.tensor([[1.0, 1.0], [2.0, math.nan]])
    ends = torch.tensor([[False, True], [True, False]])
    target = mve_target(rewards, torch.tensor([math.nan, math.nan]), ends, gamma=0.5)
    if not target.isfinite().all():
        check(False, "the target is NaN", "target_of_nan")
    check_close(target.numpy(), np.array([2.0, 1.0]), "the target")


# td_k_pairs -----------------------------------------------------------------------------------------------------------


def roll_out(num: int, seed: int = 0) -> list[Tensor]:
    """Observations, actions, rewards, bonuses, last value and ends of roll-outs with two imagined steps."""
    shapes = ((3, num, 4), (3, num, 2), (3, num), (3, num), (num,))
    return [*(draws(*shape, seed=seed + i) for i, shape in enumerate(shapes)), never(3, num)]


def targets_by_hand(rewards: Tensor, bonuses: Tensor, last: Tensor) -> Any:
    third = rewards[2] + GAMMA * last
    second = rewards[1] + GAMMA * (bonuses[2] + third)
    return torch.stack([rewards[0] + GAMMA * (bonuses[1] + second), second, third]).numpy()


@pytest.mark.stub("td_k_pairs")
def test_td_k_pairs_worked_example() -> None:
    check_example(WORKED_EXAMPLES["td_k_pairs"], LocalSubject())


@pytest.mark.stub("td_k_pairs")
def test_td_k_pairs_hold_a_target_for_every_step() -> None:
    def at(seed: int) -> None:
        inputs = roll_out(5, seed)
        observation, action, target = td_k_pairs(*inputs, gamma=GAMMA)
        real = {"pairs_real_only": inputs[0][0].numpy()}
        check_close(observation.numpy(), inputs[0].reshape(15, 4).numpy(), "the observations", slips=real)
        check_close(action.numpy(), inputs[1].reshape(15, 2).numpy(), "the actions")
        wanted = targets_by_hand(*inputs[2:5])
        slips = {"pairs_order": wanted.T.ravel(), "pairs_back_to_front": wanted[::-1].ravel()}
        slips["pairs_own_bonus"] = AnyOf(((wanted + inputs[3].numpy()).ravel(),))
        check_close(target.numpy(), wanted.ravel(), "the targets", slips=slips)

    at(0)
    repeat(lambda: at(20))


@pytest.mark.stub("td_k_pairs")
def test_td_k_pairs_give_a_bonus_to_the_steps_before_alone() -> None:
    inputs = roll_out(4)
    before = td_k_pairs(*inputs, gamma=GAMMA)[2].reshape(3, 4)
    inputs[3] = inputs[3] + torch.tensor([[0.0], [1.0], [0.0]])
    change = (td_k_pairs(*inputs, gamma=GAMMA)[2].reshape(3, 4) - before).numpy()
    wanted = np.zeros((3, 4))
    wanted[0] = GAMMA
    check_close(change, wanted, "what a bonus changes", otherwise="pairs_own_bonus")


@pytest.mark.stub("td_k_pairs")
def test_td_k_pairs_stop_at_a_terminal_step() -> None:
    inputs = roll_out(3)
    inputs[5][1, 0] = True
    target = td_k_pairs(*inputs, gamma=GAMMA)[2].reshape(3, 3)[:2, 0].numpy()
    rewards, bonuses = (part[:, 0].numpy() for part in inputs[2:4])
    wanted = np.array([rewards[0] + GAMMA * (bonuses[1] + rewards[1]), rewards[1]])
    check_close(target, wanted, "the targets up to a terminal step", otherwise="pairs_terminal_ignored")


# steve_targets --------------------------------------------------------------------------------------------------------


@pytest.mark.stub("steve_targets")
def test_steve_targets_worked_example() -> None:
    check_example(WORKED_EXAMPLES["steve_targets"], LocalSubject())


@pytest.mark.stub("steve_targets")
def test_steve_targets_of_each_length() -> None:
    def at(seed: int) -> None:
        rewards, values = draws(3, 2, 5, seed=seed), draws(3, 2, 4, 5, seed=seed + 1)
        mean, variance = steve_targets(rewards, values, never(3, 2, 5), gamma=GAMMA)
        r, v = rewards.numpy()[:, :, None], values.numpy()
        each = [r[0] + GAMMA * v[0], r[0] + GAMMA * r[1] + GAMMA**2 * v[1]]
        each.append(r[0] + GAMMA * r[1] + GAMMA**2 * r[2] + GAMMA**3 * v[2])
        targets = np.array(each)
        check_close(mean.numpy(), targets.mean(axis=(1, 2)), "the means")
        right = targets.var(axis=(1, 2))
        slips = {"steve_divisor": right * 8 / 7, "steve_std": np.sqrt(right)}
        check_close(variance.numpy(), right, "the variances", slips=slips)

    at(0)
    repeat(lambda: at(7))


@pytest.mark.stub("steve_targets")
def test_steve_targets_stop_at_terminal_steps() -> None:
    rewards, values, ends = draws(2, 1, 3), draws(2, 1, 1, 3, seed=1), never(2, 1, 3)
    ends[0, 0, 1] = True
    mean, _ = steve_targets(rewards, values, ends, gamma=GAMMA)
    shown, wanted = mean[:, 1].numpy(), np.full(2, float(rewards[0, 0, 1]))
    check_close(shown, wanted, "the means after a terminal step", otherwise="steve_terminal_ignored")


# steve_weights --------------------------------------------------------------------------------------------------------


@pytest.mark.stub("steve_weights")
def test_steve_weights_worked_example() -> None:
    check_example(WORKED_EXAMPLES["steve_weights"], LocalSubject())


@pytest.mark.stub("steve_weights")
def test_steve_weights_add_up_to_one_and_take_it_from_noisy_lengths() -> None:
    variance = 0.5 + draws(4, 6).abs()
    variance[2] = math.inf
    weights = steve_weights(variance, floor=0.1).numpy()
    check_close(weights.sum(axis=0), np.ones(6), "the sum of the weights", otherwise="weights_not_scaled")
    check_close(weights[2], np.zeros(6), "the weight of a noisy length", otherwise="weights_upside_down")
    ratio = variance[1] / variance[0]
    check_close(weights[0] / weights[1], ratio.numpy(), "the ratio of two weights", otherwise="weights_of_std")


@pytest.mark.stub("steve_weights")
def test_steve_weights_share_evenly_below_the_floor() -> None:
    weights = steve_weights(torch.tensor([[0.0], [0.01], [0.02], [0.04]]), floor=0.04).numpy()
    check_close(weights, np.full((4, 1), 0.25), "the weights below the floor", otherwise="weights_without_floor")
