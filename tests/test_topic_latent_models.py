"""The solution of the topic latent_models: identities that hold exactly, its world, and what its model knows."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from autograder.hidden_tests.topics import latent_models_oracle as oracle
from autograder.solutions import SOLUTIONS
from hw4.envs import latent_models as world
from hw4.noise import colored_noise
from hw4.topics import latent_models_exact as exact
from hw4.topics.latent_models_data import sequences_of, what_is_seen
from hw4.topics.latent_models_network import LATENT_DIM, LatentNetwork

T = 12
FORMS = ("single step", "filter", "smooth")


@pytest.fixture(scope="module")
def latent():
    """The solution, with the solution of hw4.mpc behind its import."""
    loaded = {}
    before = {name: sys.modules.get(name) for name in ("hw4.mpc", "solution_of_latent_models")}
    for name, file in (("hw4.mpc", "mpc.py"), ("solution_of_latent_models", "topics/latent_models.py")):
        spec = importlib.util.spec_from_file_location(name, SOLUTIONS / file)
        loaded[name] = importlib.util.module_from_spec(spec)
        sys.modules[name] = loaded[name]
        spec.loader.exec_module(loaded[name])
    yield loaded["solution_of_latent_models"]
    for name, module in before.items():
        if module is None:
            del sys.modules[name]
        else:
            sys.modules[name] = module


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def systems(count, noise_std=0.5):
    """Models of two numbers with one observed, and observations of theirs."""
    for seed in range(count):
        generator = torch.Generator().manual_seed(seed)
        model = exact.random_model(2, 1, noise_std, generator)
        yield model, exact.sample(model, T, generator)[1]


def bound_of(latent, model, observations, belief):
    whole = exact.stacked(model, len(observations))
    return float(latent.elbo(belief.mean, belief.covariance, observations.flatten(), **vars(whole)))


def evidence(model, observations):
    whole = [each.numpy() for each in vars(exact.stacked(model, len(observations))).values()]
    return oracle.evidence(observations.flatten().numpy(), *whole)


# Linear-Gaussian models


@pytest.mark.parametrize("noise_std", [0.05, 0.5, 2.0])
def test_the_smoothing_posterior_makes_the_bound_tight_and_the_kalman_filter_agrees(latent, noise_std):
    for model, observations in systems(40, noise_std):
        wanted = evidence(model, observations)
        smooth = exact.posterior(model, observations, "smooth")
        assert bound_of(latent, model, observations, smooth) == pytest.approx(wanted, abs=1e-8)
        mean, covariance, total = model.initial_mean, model.initial_covariance, 0.0
        parts = {name: getattr(model, name) for name in ("transition", "process_covariance", "emission")}
        for observation in observations:
            mean, covariance, one = latent.kalman_step(
                mean, covariance, observation, **parts, observation_covariance=model.observation_covariance
            )
            total += float(one)
        assert total == pytest.approx(wanted, abs=1e-8)
        assert torch.allclose(mean, smooth.mean[-2:])  # nothing comes after the last step
        assert torch.allclose(covariance, smooth.covariance[-2:, -2:])


def test_the_bounds_have_the_order_of_the_slide_on_fixed_systems(latent):
    for model, observations in systems(40):
        single, filtered, smooth = (
            bound_of(latent, model, observations, exact.posterior(model, observations, form)) for form in FORMS
        )
        assert single < filtered < smooth


def test_a_mean_field_posterior_is_not_tight_though_its_marginals_are_exact(latent):
    for model, observations in systems(20):
        smooth, fields = exact.posterior(model, observations, "smooth"), exact.marginals(model, observations, "smooth")
        assert torch.allclose(fields.mean, smooth.mean)
        for t in range(T):
            here = slice(2 * t, 2 * t + 2)
            assert torch.allclose(fields.covariance[here, here], smooth.covariance[here, here])
        assert bound_of(latent, model, observations, fields) < evidence(model, observations) - 1.0
        single = [form(model, observations, "single step") for form in (exact.posterior, exact.marginals)]
        assert torch.allclose(single[0].mean, single[1].mean)
        assert torch.allclose(single[0].covariance, single[1].covariance)


def test_the_marginals_of_the_filter_are_those_of_the_kalman_filter(latent):
    model, observations = next(systems(1))
    fields = exact.marginals(model, observations, "filter")
    mean, covariance = model.initial_mean, model.initial_covariance
    for t, observation in enumerate(observations):
        mean, covariance, _ = latent.kalman_step(
            mean,
            covariance,
            observation,
            transition=model.transition,
            process_covariance=model.process_covariance,
            emission=model.emission,
            observation_covariance=model.observation_covariance,
        )
        assert torch.allclose(fields.mean[2 * t : 2 * t + 2], mean)


def test_what_a_posterior_looks_at(latent):
    """Another o_7 changes the single step at 7 alone, the filter from 7 on, and smoothing everywhere."""
    model, observations = next(systems(1))
    other = observations.clone()
    other[7] += 1.0
    for form, changed in zip(FORMS, ([7], range(7, T), range(T)), strict=True):
        a, b = (exact.posterior(model, each, form).mean.view(T, 2) for each in (observations, other))
        moved = ((a - b).abs().max(dim=1).values > 1e-9).nonzero().flatten().tolist()
        assert moved == list(changed)


def test_the_divergence_agrees_with_a_monte_carlo_estimate(latent):
    generator = torch.Generator().manual_seed(0)
    m, lv, om, olv = torch.randn(4, 3, generator=generator)
    z = m + (0.5 * lv).exp() * torch.randn(400_000, 3, generator=generator)

    def log_density(mean, log_variance):
        return -0.5 * (((z - mean) ** 2 / log_variance.exp()) + log_variance).sum(dim=1)

    estimate = (log_density(m, lv) - log_density(om, olv)).mean()
    assert latent.gaussian_kl(m, lv, om, olv) == pytest.approx(float(estimate), rel=0.02)
    assert torch.allclose(latent.gaussian_kl(m, lv, m, lv), torch.zeros(()), atol=1e-6)


# The model


def episodes(num=3, camera=world.PLAIN, seed=0):
    env = world.DotEnv(starts_anywhere=True, camera=camera)
    return world.random_episodes(env, num, np.random.default_rng(seed))


def sequences(played, num_frames=2):
    return sequences_of(
        *(torch.as_tensor(each) for each in (played.frames, played.actions, played.rewards)), num_frames
    )


def network(seed=0):
    return LatentNetwork(256, 2, generator=torch.Generator().manual_seed(seed))


def untrained(latent, **settings):
    agent = latent.LatentAgent(seed=0, settings=latent.Settings(first_gradient_steps=0, **settings))
    played = episodes()
    agent.learn(played.frames, played.actions, played.rewards)
    return agent, played


@pytest.mark.parametrize("encoder", ["filter", "stochastic"])
@pytest.mark.parametrize("drops", [False, True])
def test_the_belief_of_an_acting_agent_is_that_of_training(latent, encoder, drops):
    agent, _ = untrained(latent, encoder=encoder)
    played = episodes(2, world.Camera(drops_frames=drops), seed=1)
    beliefs = latent.beliefs_of(agent.network, sequences(played), encoder)
    for episode in range(2):
        agent.begin_episode()
        for t in range(world.EPISODE_LENGTH + 1):
            agent.see(torch.as_tensor(played.frames[episode, t]))
            assert torch.allclose(agent.latent, beliefs.mean[episode, t], atol=1e-5)
            if t < world.EPISODE_LENGTH:
                agent.last_action = torch.as_tensor(played.actions[episode, t : t + 1])


def test_what_the_mean_of_a_belief_depends_on(latent):
    """The single step on two frames alone, or one; the filter on all frames and actions until then, on no later one."""
    data, model, t = sequences(episodes(1)), network(), 5
    for encoder, num_frames, first in (("stochastic", 2, 4), ("stochastic", 1, 5), ("filter", 2, 0), ("filter", 1, 0)):
        frames = data.frames.clone().requires_grad_()
        last_actions = data.last_actions.clone().requires_grad_()
        seen = dataclasses.replace(data, seen=what_is_seen(frames, num_frames), last_actions=last_actions)
        latent.beliefs_of(model, seen, encoder).mean[0, t].sum().backward()
        frames_that_count = frames.grad[0].abs().sum(dim=1).nonzero().flatten().tolist()
        assert frames_that_count == list(range(first, t + 1))
        actions_that_count = [] if last_actions.grad is None else last_actions.grad[0].abs().sum(dim=1).nonzero()
        assert len(actions_that_count) == (t + 1 if encoder == "filter" else 0)  # the first stands for none: it is 0


def test_the_gradient_of_later_rewards_alone_reaches_the_encoder(latent):
    data, settings = sequences(episodes()), latent.Settings()
    model = network()
    beliefs = latent.beliefs_of(model, data, "filter")
    rolled = latent.rollout_latent(model.step, beliefs.mean[:, 0], data.actions[:, : settings.horizon])
    model.reward(rolled[:, -2], data.actions[:, settings.horizon - 1]).sum().backward()
    assert model.encode[0].weight.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("settings", "without"),
    [
        ({"reconstructs": False}, "decode"),
        ({"models_reward": False}, "score"),
        ({"encoder": "deterministic"}, "remember"),
    ],
)
def test_what_is_switched_off_learns_nothing(latent, settings, without):
    data, model = sequences(episodes()), network()
    latent.world_loss(model, data, latent.Settings(**settings), torch.Generator().manual_seed(0)).backward()
    for name, weight in model.named_parameters():
        learns = weight.grad is not None and bool(weight.grad.abs().max() > 0)
        is_off = name.startswith(without) or (settings.get("encoder") and name.startswith("prior_log_variance"))
        assert learns != bool(is_off), name


def test_a_deterministic_encoder_draws_no_noise_and_lost_frames_cost_no_reconstruction(latent):
    data, model = sequences(episodes()), network()
    settings = latent.Settings(encoder="deterministic", models_reward=False)
    losses = [latent.world_loss(model, data, settings, torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    assert torch.equal(*losses)
    lost = sequences(episodes(camera=world.Camera(drops_frames=True)))
    plain = latent.world_loss(model, lost, settings, torch.Generator())
    model.decode[-1].bias.data += 1.0
    assert latent.world_loss(model, lost, settings, torch.Generator()) != plain
    nothing = dataclasses.replace(lost, seen=torch.zeros_like(lost.seen))
    assert not torch.isfinite(latent.world_loss(model, nothing, settings, torch.Generator()))  # nothing to reconstruct


def test_an_agent_that_coasts_follows_its_own_prediction(latent):
    agent, played = untrained(latent, encoder="stochastic", coasts=True)
    agent.begin_episode()
    agent.see(torch.as_tensor(played.frames[0, 0]))
    agent.last_action = torch.tensor([[0.5, -0.5]])
    expected = agent.network.step(agent.latent, agent.last_action[0])
    agent.see(torch.zeros(16, 16))
    assert torch.allclose(agent.latent, expected)


def test_a_short_run_of_the_whole_agent_repeats_itself(latent):
    settings = latent.Settings(first_gradient_steps=3, later_gradient_steps=1, population_size=12, num_iterations=1)
    returns = []
    for _ in range(2):
        agent = latent.LatentAgent(seed=3, settings=dataclasses.replace(settings, planning_horizon=2))
        returns.append(world.learn_from_pixels(agent, np.random.default_rng(5)).returns)
    assert returns[0] == returns[1]
    assert len(returns[0]) == world.PLANNED_EPISODES


def test_a_small_belief_is_sure_at_first():
    played = sequences(episodes())
    model = network()
    log_variance = model.head(model.encode(played.seen))[..., LATENT_DIM:]
    assert log_variance.max() < -3.0


# The world


@pytest.mark.parametrize("camera", [world.PLAIN, world.Camera(drops_frames=True, shows_texture=True)])
def test_the_environment_keeps_the_rules_of_gymnasium(camera):
    check_env(world.DotEnv(camera=camera), skip_render_check=True)


def test_the_reward_is_known_and_depends_on_the_action(rng):
    env = world.DotEnv((5.0, 6.0))
    env.reset(seed=0)
    env.set_state(np.array([4.0, 6.0, 0.0, 0.0]))
    _, reward, _, _, _ = env.step(np.array([1.0, 0.0], dtype=np.float32))
    assert reward == pytest.approx(np.exp(-(0.65**2) / 8) - 0.01)
    assert env.state().tolist() == pytest.approx([4.35, 6.0, 0.35, 0.0])
    assert world.reward_of(np.array([5.0, 6.0]), np.array([0.0, 2.0]), np.array([5.0, 6.0])) == pytest.approx(0.99)


def test_a_goal_can_be_set_and_lies_as_far_as_the_usual_one(rng):
    for _ in range(50):
        goal = world.draw_goal(rng)
        assert np.linalg.norm(goal - world.START) == pytest.approx(world.GOAL_DISTANCE)
        assert (goal >= world.LOW).all()
        assert (goal <= world.HIGH).all()


def test_lost_frames_come_in_bursts_and_never_first():
    played = episodes(40, world.Camera(drops_frames=True))
    lost = played.frames.max(axis=(2, 3)) == 0
    assert not lost[:, 0].any()
    assert 0.2 < lost.mean() < 0.45
    begins = np.argwhere(lost[:, 1:] & ~lost[:, :-1])
    for episode, t in begins:
        burst = lost[episode, t + 1 : t + 1 + world.BURST]
        assert burst.all()


def test_the_texture_moves_and_does_not_matter(rng):
    played = [episodes(2, world.Camera(shows_texture=shows)) for shows in (False, True)]
    assert played[1].frames.max() <= 1.0
    difference = np.abs(played[1].frames - played[0].frames)
    if np.array_equal(played[0].states, played[1].states):
        assert difference.max() > 0.1
    env = world.DotEnv(camera=world.Camera(shows_texture=True))
    first, _ = env.reset(seed=0)
    second, reward, *_ = env.step(np.zeros(2, dtype=np.float32))
    assert np.abs(second - first).max() > 0.05
    plain = world.DotEnv()
    plain.reset(seed=0)
    plain.set_state(env.state())
    assert reward == pytest.approx(float(world.reward_of(env.state()[:2], np.zeros(2), np.array(world.GOAL))))


def test_one_frame_does_not_show_the_velocity():
    slow, fast = (world.render(np.array([5.0, 5.0])) for _ in range(2))
    assert np.array_equal(slow, fast)
    assert "velocity" not in str(world.DotEnv().observation_space)


def test_random_pushes_last_and_random_episodes_earn_next_to_nothing(rng):
    pushes = np.stack([world.random_pushes(rng) for _ in range(200)])
    assert np.abs(pushes).max() <= 1.0
    assert 0.45 < pushes.std() < 0.6
    assert (pushes[:, 1:] * pushes[:, :-1]).mean() / pushes.var() > 0.8
    played = world.random_episodes(world.DotEnv(), 60, rng)
    assert -0.5 < np.mean(played.returns) < 3.0


def test_a_planner_that_knows_the_world_earns_about_33():
    """The search of hw4/mpc.py on the true dynamics, in NumPy: the ceiling of all that learn from pixels."""
    goal, horizon = np.array(world.GOAL), 15
    settings = {"population_size": 100, "num_iterations": 3, "num_elites": 10, "smoothing": 0.1, "num_kept_elites": 2}
    generator = torch.Generator().manual_seed(0)

    def noise(count):
        return colored_noise(count, horizon, 2, color=2.0, generator=generator).numpy()

    def plan_from(state, mean):
        def value(plans):
            total, states = np.zeros(len(plans)), np.repeat(state[None], len(plans), axis=0)
            for t in range(horizon):
                states = world.true_step(states, plans[:, t])
                total += world.reward_of(states[:, :2], plans[:, t], goal)
            return total

        std, low = np.full((horizon, 2), 0.6), np.full(2, -1.0)
        return oracle.cem(value, mean, std, low, -low, noise, **settings)

    returns = []
    for seed in range(2):
        env, plan = world.DotEnv(), np.zeros((horizon + 1, 2))
        env.reset(seed=seed)
        total, truncated = 0.0, False
        while not truncated:
            plan = plan_from(env.state(), np.concatenate([plan[1:], np.zeros((1, 2))])[:horizon])
            _, reward, _, truncated, _ = env.step(plan[0].astype(np.float32))
            total += reward
        returns.append(total)
    assert 32.0 < np.mean(returns) < 34.0
