"""The solution of the topic bayesian_networks: identities that hold exactly, its networks, and its dynamics model."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from autograder.hidden_tests.topics import bayesian_networks_oracle as oracle
from publish.stubs import write_solved

# Runs in the solved tree, and prints what the tests look at.
PROBE = """
import json, math
import torch
from hw4.dynamics_model import Normalizer, fit, make_optimizer
from hw4.ensemble import particle_returns
from hw4.topics.bayesian_networks import concrete_mask, sample_weights, variational_loss, weights_kl
from hw4.topics.bayesian_networks_models import BackpropMLP, DropoutMLP, PosteriorDynamicsModel
from hw4.transitions import Transition

torch.set_num_threads(1)
found = {}

# q can be the exact posterior of one weight: y = w x + noise, prior N(0, 1)
generator = torch.Generator().manual_seed(0)
x = torch.randn(50, generator=generator)
y = 1.5 * x + 0.5 * torch.randn(50, generator=generator)
mean, raw_std = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
optimizer = torch.optim.Adam([mean, raw_std], lr=0.02)
for _ in range(1500):
    weights = sample_weights(mean, raw_std, torch.randn(64, 1, generator=generator))
    nll = (y - weights * x) ** 2 / (2 * 0.25)
    optimizer.zero_grad()
    variational_loss(nll, weights_kl(mean, raw_std, 1.0), 50).mean().backward()
    optimizer.step()
variance = 1 / (1 + float((x**2).sum()) / 0.25)
found["one weight"] = [float(mean), math.log1p(math.exp(float(raw_std)))]
found["its posterior"] = [variance * float((x * y).sum()) / 0.25, math.sqrt(variance)]

# Functions drawn are the members of a roll-out.
sizes = dict(width=8, num_hidden_layers=2, generator=generator)
networks = {
    "backprop": BackpropMLP(5, 3, 4, **sizes),
    "concrete": DropoutMLP(5, 3, 4, drop_probability=0.2, concrete=True, **sizes),
    "dropout": DropoutMLP(5, 3, 4, drop_probability=0.2, concrete=False, **sizes),
}
data = Transition(*(torch.randn(40, size, generator=generator) for size in (2, 1, 2)))
for name, network in networks.items():
    normalizers = {"input_normalizer": Normalizer.identity(3), "delta_normalizer": Normalizer.identity(2)}
    model = PosteriorDynamicsModel(network, obs_dim=2, noise_std=0.1, **normalizers)
    before = [parameter.clone() for parameter in network.parameters()]
    losses = fit(model, data, make_optimizer(network, 1e-3),
                 sample_indices=lambda: torch.randint(40, (5, 16), generator=generator), gradient_steps=3)
    changed = [not torch.equal(old, new) for old, new in zip(before, network.parameters())]
    model.draw_functions()
    plans = torch.randn(6, 4, 1, generator=generator)
    noise = torch.zeros(4, 5, 1, 2)
    with torch.no_grad():
        returns = [particle_returns(model.predict_distribution, lambda s, a, n: n.sum(-1), torch.zeros(2), plans, noise)
                   for _ in range(2)]
        model.draw_functions()
        redrawn = particle_returns(model.predict_distribution, lambda s, a, n: n.sum(-1), torch.zeros(2), plans, noise)
        kl = float(network.kl())
    found[name] = [list(returns[0].shape), torch.equal(*returns), torch.equal(returns[0], redrawn),
                   bool(losses.isfinite().all()), changed, model.num_transitions, kl]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    solved = write_solved(tmp_path_factory.mktemp("bayesian") / "solved")
    done = subprocess.run([sys.executable, "-c", PROBE], cwd=solved, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_bayes_by_backprop_finds_the_exact_posterior_where_its_family_holds_it(probe):
    """One weight, known noise: the posterior is a Gaussian."""
    assert np.allclose(probe["one weight"], probe["its posterior"], rtol=0.1, atol=0.03)


@pytest.mark.parametrize("name", ["backprop", "concrete", "dropout"])
def test_functions_drawn_are_the_members_of_a_roll_out(probe, name):
    """The planner's own particle_returns takes them; they are fixed until they are redrawn."""
    shape, same, same_after_redrawing, finite, _, num_transitions, _ = probe[name]
    assert shape == [5, 1, 6]
    assert same
    assert not same_after_redrawing
    assert finite
    assert num_transitions == 40


def test_all_weights_learn_and_only_concrete_dropout_learns_its_probabilities(probe):
    assert all(probe["backprop"][4])
    assert all(probe["concrete"][4])
    assert probe["dropout"][4].count(False) == 1


def test_the_kl_of_the_oracle_is_that_of_many_samples():
    rng = np.random.default_rng(0)
    mean, raw, prior = 0.4, -0.3, 0.7
    std = float(oracle.softplus(np.array(raw)))
    draws = mean + std * rng.normal(size=400_000)
    log_q = -0.5 * ((draws - mean) / std) ** 2 - np.log(std)
    log_p = -0.5 * (draws / prior) ** 2 - np.log(prior)
    assert (log_q - log_p).mean() == pytest.approx(oracle.kl(np.array(mean), np.array(raw), prior), abs=0.01)


def test_gradients_of_the_oracle_are_those_of_small_differences():
    rng, step = np.random.default_rng(1), 1e-5
    mean, raw = rng.normal(size=3), rng.normal(size=3)
    for place, unit in enumerate(np.eye(3) * step):
        by_mean = (oracle.kl(mean + unit, raw, 0.6) - oracle.kl(mean - unit, raw, 0.6)) / (2 * step)
        by_raw = (oracle.kl(mean, raw + unit, 0.6) - oracle.kl(mean, raw - unit, 0.6)) / (2 * step)
        gradients = [gradient[place] for gradient in oracle.kl_gradients(mean, raw, 0.6)]
        assert np.allclose([by_mean, by_raw], gradients, atol=1e-6)
    weight = rng.normal(size=(3, 2))
    ends = [oracle.regularizer(weight, 0.7 + sign * step, 1.3) for sign in (1, -1)]
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(oracle.regularizer_slope(weight, 0.7, 1.3), abs=1e-6)


@pytest.mark.parametrize("p", [0.05, 0.3])
def test_the_mean_of_a_mask_is_one_only_when_it_is_cold(p):
    """0.96 to 0.98 at temperature 0.5."""
    uniform, logit = (np.arange(20_000) + 0.5) / 20_000, np.log(p / (1 - p))
    assert oracle.mask(logit, uniform, 1e-3).mean() == pytest.approx(1.0, abs=1e-3)
    assert 0.955 < oracle.mask(logit, uniform, 0.5).mean() < 0.985
