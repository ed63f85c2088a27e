"""The topic policy_learning: its world, soft actor-critic against closed forms, and the identities of its targets."""

from __future__ import annotations

import importlib.util
import math
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from torch import Tensor

from autograder.solutions import SOLUTIONS
from hw4.envs import policy_learning as world
from hw4.topics import policy_learning_agent as agents
from hw4.topics.policy_learning_sac import FIRST_TEMPERATURE, LEARNING_RATE, TAU, SoftActorCritic, squash


def solution_of(name: str):
    spec = importlib.util.spec_from_file_location(f"solution_of_{name.replace('/', '_')}", SOLUTIONS / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # where dataclasses look
    spec.loader.exec_module(module)
    return module


topic = solution_of("topics/policy_learning")
PARTS = agents.Parts(topic.model_rollout, topic.mve_target, topic.td_k_pairs, topic.steve_targets, topic.steve_weights)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sac(num_critics: int = 2, pessimism: str = "min") -> SoftActorCritic:
    centre, unit = torch.tensor([1.0, 0.0]), torch.tensor([2.0, 1.0])
    return SoftActorCritic(centre, unit, 1, num_critics=num_critics, pessimism=pessimism, generator=generator())


# The world ------------------------------------------------------------------------------------------------------------


def test_the_environment_passes_gymnasiums_checker():
    check_env(world.DotStateEnv(), skip_render_check=True)


def test_a_step_is_that_of_the_docstring():
    state, action = np.array([3.0, 8.0, 0.5, -0.2]), np.array([1.0, -3.0])  # clipped to -1
    assert np.allclose(world.move(state, action), [3.0 + 0.8, 8.0 - 0.53, 0.8, -0.53])


def test_an_episode_is_cut_off_and_never_terminates():
    env = world.DotStateEnv()
    env.reset(seed=0)
    steps = [env.step(np.ones(2, dtype=np.float32)) for _ in range(world.EPISODE_LENGTH)]
    assert [step[3] for step in steps] == [False] * (world.EPISODE_LENGTH - 1) + [True]
    assert not any(step[2] for step in steps)


def test_the_agents_reward_is_that_of_the_world():
    rng = np.random.default_rng(0)
    goal, states, actions = rng.normal(size=2), rng.normal(size=(9, 4)) * 5, rng.uniform(-1, 1, (9, 2))
    tensors = [torch.as_tensor(array) for array in (states, actions, states)]
    assert np.allclose(agents.reward_to(torch.as_tensor(goal))(*tensors), world.reward_of(states, actions, goal))


def test_goals_are_as_far_as_the_published_one():
    rng = np.random.default_rng(0)
    goals = np.array([world.draw_goal(rng) for _ in range(50)])
    assert np.allclose(np.linalg.norm(goals - world.START, axis=1), world.GOAL_DISTANCE)
    assert np.ptp(goals[:, 1]) > 4.0


# Soft actor-critic ----------------------------------------------------------------------------------------------------


def test_the_density_of_a_squashed_action_is_that_of_the_change_of_variables():
    mean, log_std = torch.tensor([0.3], dtype=torch.float64), torch.tensor([-0.7], dtype=torch.float64)
    noise = torch.linspace(-6, 6, 4001, dtype=torch.float64)[:, None]
    action, log_prob = squash(mean, log_std, noise)
    mass = torch.trapezoid(log_prob.exp(), action[:, 0])
    assert abs(float(mass) - 1.0) < 1e-6
    normal = torch.distributions.Normal(mean, log_std.exp())
    middle = slice(1500, 2500)
    u = torch.atanh(action[middle])
    wanted = normal.log_prob(u)[:, 0] - torch.log(1 - action[middle, 0] ** 2)
    assert torch.allclose(log_prob[middle], wanted, atol=1e-9)


def test_the_density_is_finite_far_out():
    _, log_prob = squash(torch.tensor([40.0]), torch.tensor([0.0]), torch.tensor([0.0]))
    assert torch.isfinite(log_prob).all()


def test_values_are_the_smaller_critic_minus_the_temperature_times_the_log_density():
    twins = sac()
    observation = torch.randn(7, 2, generator=generator(1))
    state = twins.generator.get_state()
    action, log_prob = twins.sample(observation)
    twins.generator.set_state(state)
    each = twins.q(twins.target_critics, observation, action)
    wanted = each.amin(dim=0) - FIRST_TEMPERATURE * log_prob
    assert torch.allclose(twins.values(observation), wanted, atol=1e-6)


def test_critics_learn_a_known_function_and_target_critics_follow_slowly():
    twins = sac()
    before = [weight.clone() for weight in twins.target_critics.parameters()]
    draw = generator(2)

    def batch() -> tuple[Tensor, Tensor, Tensor]:
        observation, action = torch.randn(128, 2, generator=draw), torch.rand(128, 1, generator=draw)
        return observation, action, observation[:, 0] - action[:, 0]

    twins.update_critics(*batch())
    for old, target, new in zip(before, twins.target_critics.parameters(), twins.critics.parameters(), strict=True):
        assert torch.allclose(target, old + TAU * (new - old), atol=1e-7)
    for _ in range(200):
        twins.update_critics(*batch())
    observation, action, target = batch()
    assert float(((twins.q(twins.critics, observation, action) - target) ** 2).mean().detach()) < 0.1


def test_the_policy_climbs_its_critic():
    twins = sac()
    twins.q = lambda critics, observation, action: -((action[..., 0] - 0.5) ** 2).expand(2, -1) * 20.0  # type: ignore[method-assign]
    observation = torch.randn(64, 2, generator=generator(3))
    for _ in range(200):
        twins.update_policy(observation)
    assert abs(float(twins.mode(observation).mean()) - 0.5) < 0.2


def test_one_step_of_the_temperature_goes_where_the_entropy_is_missing():
    twins = sac()
    before = twins.temperature
    log_prob = twins.sample(torch.zeros(512, 2))[1].mean().detach()
    twins.update_policy(torch.zeros(512, 2))
    up = float(log_prob) > 1.0  # the policy is surer than its entropy target -1 allows
    assert twins.temperature == pytest.approx(before * math.exp(LEARNING_RATE if up else -LEARNING_RATE), rel=1e-4)


# Identities -----------------------------------------------------------------------------------------------------------


def linear_world(model: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """Rewards of 11 steps in s' = A s with the reward -|s'|^2, the states' exact values, and the value of the start."""
    draw = generator(5)
    step = 0.9 * torch.linalg.qr(torch.randn(3, 3, generator=draw, dtype=torch.float64))[0]
    state = torch.randn(6, 3, generator=draw, dtype=torch.float64)
    each = 0.81 / (1 - 0.95 * 0.81)  # |s'|^2 is 0.81 |s|^2, and the discount 0.95
    exact = -each * (state**2).sum(dim=-1)
    rewards, values = [], []
    for i in range(11):
        state = (1.0 if i == 0 else model) * state @ step.T
        rewards.append(-(state**2).sum(dim=-1))
        values.append(-each * (state**2).sum(dim=-1))
    return torch.stack(rewards), torch.stack(values), exact


def target(rewards: Tensor, value: Tensor) -> Tensor:
    return topic.mve_target(rewards, value, torch.zeros_like(rewards, dtype=torch.bool), gamma=0.95)


def test_exact_model_and_value_give_the_exact_target_and_a_bias_is_discounted():
    rewards, values, exact = linear_world()
    for h in range(11):
        assert torch.allclose(target(rewards[: h + 1], values[h]), exact, atol=1e-12)
        biased = target(rewards[: h + 1], values[h] + 2.0)
        assert torch.allclose(biased - exact, torch.full_like(exact, 2.0 * 0.95 ** (h + 1)), atol=1e-12)


def test_the_bias_of_a_wrong_model_grows_with_the_horizon():
    rewards, values, exact = linear_world(model=1.02)
    bias = [float((target(rewards[: h + 1], values[h]) - exact).abs().mean()) for h in range(11)]
    assert bias[0] < 1e-12
    assert all(before < after for before, after in pairwise(bias))


def test_the_first_pair_is_value_expansion_with_soft_rewards():
    draw = generator(6)
    rewards, bonuses, value = (torch.randn(*shape, generator=draw) for shape in ((4, 5), (4, 5), (5,)))
    ends = torch.zeros(4, 5, dtype=torch.bool)
    ends[2, 1] = True
    states, actions = torch.randn(4, 5, 4, generator=draw), torch.randn(4, 5, 2, generator=draw)
    pairs = topic.td_k_pairs(states, actions, rewards, bonuses, value, ends, gamma=0.9)
    soft = torch.cat([rewards[:1], rewards[1:] + bonuses[1:]])
    assert torch.allclose(pairs[2][:5], topic.mve_target(soft, value, ends, gamma=0.9))


def test_a_roll_out_in_the_true_world_is_an_episode():
    goal = torch.tensor(world.GOAL).double()

    def predict(state: Tensor, action: Tensor) -> Tensor:
        return torch.as_tensor(world.move(state.numpy(), action.numpy()))[None]

    def policy(state: Tensor) -> tuple[Tensor, Tensor]:
        return (goal - state[:, :2]).clamp(-1, 1), torch.zeros(len(state))

    start = world.draw_starts(np.random.default_rng(1), 3)
    members = torch.zeros(40, 3, dtype=torch.int64)
    steps = topic.model_rollout(predict, policy, agents.reward_to(goal), torch.as_tensor(start), members)

    class Walker:
        def mode(self, states):
            return policy(torch.as_tensor(states).double())[0].numpy()

    episode = world.evaluate(Walker(), start)
    assert float(steps.reward.sum(dim=0).mean()) == pytest.approx(episode, abs=1e-3)


# Agents ---------------------------------------------------------------------------------------------------------------


def shortened(monkeypatch: pytest.MonkeyPatch, name: str, num_env_steps: int = 24) -> agents.PolicyAgent:
    """An agent after a few env steps, with its warm-up, fits and minibatches made small."""
    small = {"WARM_UP": 20, "FIRST_GRADIENT_STEPS": 3, "LATER_GRADIENT_STEPS": 2, "BATCH_SIZE": 20, "NUM_BRANCHES": 7}
    for constant, value in small.items():
        monkeypatch.setattr(agents, constant, value)
    monkeypatch.setattr(agents, "REFIT_EVERY", 20)
    dynamics_model, ensemble = solution_of("dynamics_model"), solution_of("ensemble")
    for module, names in ((dynamics_model, ("DynamicsModel", "fit")), (ensemble, ("bootstrap_indices",))):
        for part in names:
            monkeypatch.setattr(agents, part, getattr(module, part))
    monkeypatch.setattr(agents, "member_minibatches", ensemble.member_minibatches)
    agent = agents.PolicyAgent(agents.LEARNERS[name], PARTS, torch.tensor(world.GOAL), seed=1)
    world.learn_policy(agent, np.random.default_rng(1), num_env_steps=num_env_steps)
    return agent


@pytest.mark.parametrize("name", agents.LEARNERS)
def test_every_learner_learns(monkeypatch, name):
    before = agents.PolicyAgent(agents.LEARNERS[name], PARTS, torch.tensor(world.GOAL), seed=1)
    agent = shortened(monkeypatch, name)
    observations = torch.tensor([[3.0, 8.0, 0.0, 0.0]])
    assert torch.isfinite(agent.mode(observations)).all()
    assert not torch.equal(agent.mode(observations), before.mode(observations))


def test_imagined_transitions_are_k_times_the_number_of_branches(monkeypatch):
    agent = shortened(monkeypatch, "Dyna k=5")
    assert [len(branch.action) for branch in agent._branches] == [5 * 7]
    batch = agent._minibatch()
    assert len(batch.action) == 20
    real = (batch.observation[:, None] == agent.real.observation).all(dim=-1).any(dim=1)
    assert 5 <= int(real.sum()) <= 10  # a quarter is real, and roll-outs start at real states


def test_the_critic_learns_at_imagined_states_with_td_k_alone(monkeypatch):
    sizes = {}
    for name in ("MVE", "MVE with TD-k"):
        agent = shortened(monkeypatch, name)
        sizes[name] = len(agent._critic_pairs(agent._minibatch())[2])
    assert sizes == {"MVE": 20, "MVE with TD-k": 80}


def test_no_gradient_reaches_model_or_targets(monkeypatch):
    for name in ("Dyna k=1", "MVE with TD-k", "STEVE"):
        agent = shortened(monkeypatch, name)
        assert not any(part.requires_grad for part in agent._critic_pairs(agent._minibatch()))
