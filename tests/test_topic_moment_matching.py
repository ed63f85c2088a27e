"""The solution of the topic moment_matching: its oracle, its Gaussian processes, its policy, and its pendulum."""

from __future__ import annotations

import json
import subprocess
import sys

import gymnasium
import numpy as np
import pytest

from autograder.hidden_tests.topics import moment_matching_oracle as oracle
from hw4.envs import moment_matching as world
from publish.stubs import write_solved

# Runs in the solved tree, and prints what the tests look at.
PROBE = """
import json
import torch
from hw4.topics import moment_matching_pilco as pilco
from hw4.topics.moment_matching import gp_predict, moment_match_gp, moment_match_linear
from hw4.topics.moment_matching_gp import condition, expected_products, fit_gp, kernel

torch.set_num_threads(1)
generator = torch.Generator().manual_seed(0)
draw = lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64)
found = {}

# The given integral, against samples
gp = condition(draw(4, 2), draw(4, 2), torch.full((2, 2), 1.2).double(), torch.ones(2).double(), torch.full((2,), 0.3))
mean, cov = draw(2), torch.tensor([[0.5, 0.2], [0.2, 0.3]]).double()
near = kernel(mean + draw(50_000, 2) @ torch.linalg.cholesky(cov).T, gp.inputs, gp.length_scales, gp.signal_std)
sampled = torch.einsum("asn,bsm->abnm", near, near) / near.shape[1]
found["products"] = float((sampled - expected_products(gp, mean, cov)).abs().max())

# A GP with long length scales is a linear model
scale, slope = 30.0, torch.tensor([[0.5, -0.3]]).double()
inputs = 3 * draw(40, 2)
line = condition(inputs, inputs @ slope.T, torch.full((1, 2), scale).double(), torch.tensor([scale]).double(),
                 torch.full((1,), 1e-2).double())
linear = moment_match_linear(mean, cov, slope, torch.zeros(1).double(), torch.zeros(1, 1).double())
found["linear"] = [float((one - other).abs().max()) for one, other in zip(moment_match_gp(line, mean, cov), linear)]

# The fit
x = torch.linspace(-3, 3, 30).double()[:, None]
fitted = fit_gp(x, torch.sin(x) + 0.1 * draw(30, 1))
found["fit"] = float((gp_predict(fitted, x)[0] - torch.sin(x)).abs().mean())
fitted = fit_gp(torch.cat([x, draw(30, 1)], dim=-1), torch.sin(x))
found["scales"] = fitted.length_scales[0].tolist()

# The policy's moments, against samples
policy = pilco.Policy(torch.zeros(2).double(), torch.ones(2).double(), generator=generator)
states = mean + draw(50_000, 2) @ torch.linalg.cholesky(cov).T
with torch.no_grad():
    scaled = (states[:, None] - policy.centers) / policy.log_scales.exp()
    values = (policy.weights * torch.exp(-0.5 * (scaled**2).sum(dim=-1))).sum(dim=-1)
    network = policy.network()
    value_mean, value_cov, cross = moment_match_gp(network, mean, cov)
    found["network"] = [float(values.mean() - value_mean), float(values.var() - value_cov + 1.0)]
    numbers = value_mean + (value_cov - 1.0).sqrt().flatten() * draw(50_000)
    sines = pilco.sine_moments(value_mean, value_cov - 1.0, cross)
    found["sine"] = [float(numbers.sin().mean() - sines[0]), float(numbers.sin().var() - sines[1])]
    found["same action"] = float((policy(states[0]) - values[0].sin()).abs())
    found["certain"] = float((policy.moments(states[0], torch.zeros(2, 2).double())[0] - policy(states[0])).abs())

# A roll-out lets the gradient through to every parameter
model = fit_gp(torch.cat([draw(20, 2), draw(20, 1)], dim=-1), draw(20, 2))
pilco.rollout(model, policy, mean, cov, 3)[2].sum().backward()
found["gradients"] = [float(parameter.grad.abs().sum()) for parameter in policy.parameters()]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    solved = write_solved(tmp_path_factory.mktemp("moments") / "solved")
    done = subprocess.run([sys.executable, "-c", PROBE], cwd=solved, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_given_integral_is_that_of_samples(probe):
    assert probe["products"] < 5e-3


def test_a_gp_with_long_length_scales_is_a_linear_model(probe):
    assert max(probe["linear"]) < 5e-3


def test_the_fit_finds_a_curve_and_leaves_out_an_input_that_does_not_matter(probe):
    assert probe["fit"] < 0.1
    assert probe["scales"][1] > 3 * probe["scales"][0]


def test_the_moments_of_the_policy_are_those_of_samples(probe):
    assert np.abs(probe["network"]).max() < 0.03
    assert np.abs(probe["sine"]).max() < 0.01
    assert probe["same action"] < 1e-12
    assert probe["certain"] < 1e-7


def test_a_roll_out_has_a_gradient_in_every_parameter(probe):
    assert min(probe["gradients"]) > 0


def test_the_quadrature_of_the_oracle_is_exact_for_what_is_known():
    """A linear function, and the slope of the mean by Stein."""
    rng = np.random.default_rng(0)
    mean, cov = rng.normal(size=2), np.array([[0.8, 0.3], [0.3, 0.5]])
    points, weights = oracle.nodes(mean, cov)
    assert np.allclose(weights @ points, mean, atol=1e-12)
    off = points - mean
    assert np.allclose(np.einsum("n,ni,nj->ij", weights, off, off), cov, atol=1e-12)
    process = oracle.condition(
        rng.normal(size=(5, 2)), rng.normal(size=(5, 3)), np.full((3, 2), 1.1), np.ones(3), np.full(3, 0.3)
    )
    found = oracle.moments(process, mean, cov)
    assert np.allclose(found.cross, cov @ found.slope, atol=1e-9)


def test_the_pendulum_moves_as_that_of_gymnasium():
    """Step by step, with torques that its motor has, too."""
    theirs, ours, rng = gymnasium.make("Pendulum-v1").unwrapped, world.SwingUpEnv(), np.random.default_rng(0)
    theirs.reset(seed=0)
    ours.reset(seed=0)
    for _ in range(20):
        state, action = rng.normal(size=2) * [2.0, 3.0], rng.uniform(-0.8, 0.8, 1)
        theirs.state = state.copy()
        ours.set_state(state)
        for _ in range(world.NUM_SUBSTEPS):
            theirs.step(action * world.MAX_TORQUE)
        observation, reward, *_ = ours.step(action)
        assert np.allclose(ours.state(), theirs.state, atol=1e-12)
        assert np.allclose(observation, [np.cos(theirs.state[0]), np.sin(theirs.state[0]), theirs.state[1]])
        assert reward == pytest.approx((1 + np.cos(theirs.state[0])) / 2)


def test_an_episode_begins_near_hanging_and_ends_in_time():
    env = world.SwingUpEnv()
    starts = []
    for seed in range(100):
        env.reset(seed=seed)
        starts.append(env.state())
    assert np.allclose(np.mean(starts, axis=0), world.START_MEAN, atol=0.02)
    assert np.allclose(np.std(starts, axis=0), world.START_STD, atol=0.015)
    ends = [env.step(np.zeros(1))[3] for _ in range(world.EPISODE_LENGTH)]
    assert ends == [False] * (world.EPISODE_LENGTH - 1) + [True]


def test_the_motor_is_too_weak_to_lift_the_pendulum_at_once():
    env = world.SwingUpEnv()
    env.reset(seed=0)
    highest = max(env.step(np.ones(1))[1] for _ in range(world.EPISODE_LENGTH))
    assert highest < 0.75
