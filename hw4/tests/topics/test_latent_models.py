"""Public tests of hw4/topics/latent_models.py. The first test of each stub is its worked example."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hw4.checking.answers import check, check_close
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.subject import LocalSubject
from hw4.checking.variations import vary
from hw4.checking.worked_example import check_example
from hw4.envs import latent_models as world
from hw4.topics import latent_models_exact as exact
from hw4.topics.latent_models import (
    LatentAgent,
    Settings,
    elbo,
    gaussian_kl,
    kalman_step,
    plan_latent,
    rollout_latent,
    update_belief,
)

B, Z, A = 2, 5, 3
NAME = "topics.latent_models."


def model_and_observations(seed: int = 0) -> tuple[exact.LinearGaussian, Tensor]:
    """A state of two numbers, of which one mixture is observed, for 8 steps."""
    generator = torch.Generator().manual_seed(seed)
    model = exact.random_model(2, 1, 0.5, generator)
    return model, exact.sample(model, 8, generator)[1]


def evidence_of(model: exact.LinearGaussian, observations: Tensor) -> float:
    """log p(o) of all observations together."""
    whole = exact.stacked(model, len(observations))
    spread = whole.emission @ whole.prior_covariance @ whole.emission.T + whole.observation_covariance
    joint = torch.distributions.MultivariateNormal(whole.emission @ whole.prior_mean, spread)
    return float(joint.log_prob(observations.flatten()))  # type: ignore[no-untyped-call]


def step_of(model: exact.LinearGaussian, mean: Tensor, covariance: Tensor, observation: Tensor) -> Any:
    return kalman_step(
        mean,
        covariance,
        observation,
        transition=model.transition,
        process_covariance=model.process_covariance,
        emission=model.emission,
        observation_covariance=model.observation_covariance,
    )


# kalman_step ----------------------------------------------------------------------------------------------------------


@pytest.mark.stub("kalman_step")
def test_kalman_step_worked_example() -> None:
    check_example(WORKED_EXAMPLES["kalman_step"], LocalSubject())


@pytest.mark.stub("kalman_step")
def test_kalman_step_filters_as_conditioning_on_all_observations_does() -> None:
    """The marginals of the filter, computed from the joint distribution of all steps at once."""
    model, observations = model_and_observations()
    wanted = exact.marginals(model, observations, "filter")
    mean, covariance = model.initial_mean, model.initial_covariance
    for t, observation in enumerate(observations):
        mean, covariance, _ = step_of(model, mean, covariance, observation)
        here = slice(2 * t, 2 * t + 2)
        check_close(mean.numpy(), wanted.mean[here].numpy(), f"the mean after step {t + 1}")
        check_close(covariance.numpy(), wanted.covariance[here, here].numpy(), f"the covariance after step {t + 1}")


@pytest.mark.stub("kalman_step")
def test_kalman_step_log_likelihoods_add_up() -> None:
    """To the log density of all observations, which torch computes from their joint distribution."""
    model, observations = model_and_observations()
    mean, covariance, total = model.initial_mean, model.initial_covariance, 0.0
    for observation in observations:
        mean, covariance, one = step_of(model, mean, covariance, observation)
        total += float(one)
    missing = {"likelihood_without_constant": total + 0.5 * observations.numel() * math.log(2 * math.pi)}
    wanted = evidence_of(model, observations)
    slips = {name: wanted + value - total for name, value in missing.items()}
    check_close(total, wanted, "the log likelihood of all observations", slips=slips)


@pytest.mark.stub("kalman_step")
def test_kalman_step_of_any_size_in_every_call() -> None:
    """With C = I, no process noise and no turning, precisions add up: one half of each if both are equal."""

    def at(d: int) -> None:
        eye = np.eye(d)
        answer = LocalSubject().call(
            NAME + "kalman_step",
            np.zeros(d),
            eye,
            np.full(d, 3.0),
            transition=eye,
            process_covariance=0 * eye,
            emission=eye,
            observation_covariance=eye,
        )
        check_close(answer[0], np.full(d, 1.5), "the mean")
        check_close(answer[1], 0.5 * eye, "the covariance")

    vary(lambda: at(3), again=1, size_one=[lambda: at(1)], large=[lambda: at(12)])


# elbo -----------------------------------------------------------------------------------------------------------------


def bound_of(model: exact.LinearGaussian, observations: Tensor, belief: exact.Posterior) -> float:
    whole = exact.stacked(model, len(observations))
    return float(elbo(belief.mean, belief.covariance, observations.flatten(), **vars(whole)))


@pytest.mark.stub("elbo")
def test_elbo_worked_example() -> None:
    check_example(WORKED_EXAMPLES["elbo"], LocalSubject())


@pytest.mark.stub("elbo")
def test_elbo_is_tight_for_the_smoothing_posterior_alone() -> None:
    """Smoothing reaches log p(o); filter, single step and the mean-field version of smoothing stay below, in order."""
    model, observations = model_and_observations()
    smooth = bound_of(model, observations, exact.posterior(model, observations, "smooth"))
    check_close(smooth, evidence_of(model, observations), "the bound of smoothing")
    filtered = bound_of(model, observations, exact.posterior(model, observations, "filter"))
    single = bound_of(model, observations, exact.posterior(model, observations, "single step"))
    fields = bound_of(model, observations, exact.marginals(model, observations, "smooth"))
    assert single < filtered < smooth
    assert fields < smooth


@pytest.mark.stub("elbo")
def test_elbo_of_any_size_in_every_call() -> None:
    """q = prior = N(0, I), C = I, R = I, o = 0: nothing diverges, and each entry costs its variance and a constant."""

    def at(n: int) -> None:
        eye = np.eye(n)
        model = {"prior_mean": np.zeros(n), "prior_covariance": eye, "emission": eye, "observation_covariance": eye}
        answer = LocalSubject().call(NAME + "elbo", np.zeros(n), eye, np.zeros(n), **model)
        check_close(answer, -0.5 * n * (1 + math.log(2 * math.pi)), "the bound")

    vary(lambda: at(3), again=1, size_one=[lambda: at(1)], large=[lambda: at(20)])


# gaussian_kl ----------------------------------------------------------------------------------------------------------


@pytest.mark.stub("gaussian_kl")
def test_gaussian_kl_worked_example() -> None:
    check_example(WORKED_EXAMPLES["gaussian_kl"], LocalSubject())


@pytest.mark.stub("gaussian_kl")
def test_gaussian_kl_is_what_torch_computes() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, log_variance, other_mean, other_log_variance = torch.randn(4, B, 4, Z, generator=generator)
    q = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    p = torch.distributions.Normal(other_mean, (0.5 * other_log_variance).exp())
    wanted = torch.distributions.kl_divergence(q, p).sum(dim=-1)
    slips = {"kl_reversed": torch.distributions.kl_divergence(p, q).sum(dim=-1).numpy(), "kl_negated": -wanted.numpy()}
    answer = gaussian_kl(mean, log_variance, other_mean, other_log_variance)
    check_close(answer.numpy(), wanted.numpy(), "the divergence", slips=slips)


@pytest.mark.stub("gaussian_kl")
def test_gaussian_kl_takes_any_leading_axes_in_every_call() -> None:
    """One latent that is off by 2, at variances of 1: the divergence is 2."""

    def at(*leading: int, latents: int = Z) -> None:
        mean, zeros = np.zeros((*leading, latents)), np.zeros((*leading, latents))
        mean[..., 0] = 2.0
        answer = LocalSubject().call(NAME + "gaussian_kl", mean, zeros, zeros, np.zeros(latents))
        check_close(answer, np.full(leading, 2.0), "the divergence")

    vary(
        lambda: at(B),
        again=1,
        size_one=[at, lambda: at(1), lambda: at(B, latents=1)],
        large=[lambda: at(16, 13, latents=8)],
    )


# update_belief --------------------------------------------------------------------------------------------------------


@pytest.mark.stub("update_belief")
def test_update_belief_worked_example() -> None:
    check_example(WORKED_EXAMPLES["update_belief"], LocalSubject())


@pytest.mark.stub("update_belief")
def test_update_belief_hands_everything_to_the_cell_and_splits_what_the_head_says() -> None:
    cell, head = torch.nn.GRUCell(4 + A, 6), torch.nn.Linear(6, 2 * Z)
    memory, features, last_action = torch.randn(B, 6), torch.randn(B, 4), torch.randn(B, A)
    answer = update_belief(cell, head, memory, features, last_action)
    wanted = cell(torch.cat([features, last_action], dim=1), memory)
    swapped = cell(torch.cat([last_action, features], dim=1), memory)
    slips = {"belief_order": swapped.detach().numpy(), "belief_memory_not_new": memory.numpy()}
    check_close(answer[0].detach().numpy(), wanted.detach().numpy(), "the memory", slips=slips)
    mean, log_variance = head(wanted).detach().numpy()[:, :Z], head(wanted).detach().numpy()[:, Z:]
    check_close(answer[1].detach().numpy(), mean, "the mean", slips={"belief_swapped": log_variance})
    check_close(answer[2].detach().numpy(), log_variance, "the log variance", slips={"belief_swapped": mean})


@pytest.mark.stub("update_belief")
def test_update_belief_lets_the_gradient_reach_what_is_seen() -> None:
    cell, head = torch.nn.GRUCell(4 + A, 6), torch.nn.Linear(6, 2 * Z)
    features, memory = torch.randn(B, 4, requires_grad=True), torch.randn(B, 6, requires_grad=True)
    _, mean, log_variance = update_belief(cell, head, memory, features, torch.zeros(B, A))
    (mean.sum() + log_variance.sum()).backward()  # type: ignore[no-untyped-call]
    for variable in (features, memory):
        reached = variable.grad is not None and bool((variable.grad != 0).any())
        check(reached, "no gradient gets through the belief", "belief_detached")


@pytest.mark.stub("update_belief")
def test_update_belief_of_any_size_in_every_call() -> None:
    def at(b: int) -> None:
        def remember(inputs: Any, memory: Any) -> Any:
            return memory + inputs

        def head(memory: Any) -> Any:
            return 2.0 * memory

        memory, features, last_action = np.ones((b, 4)), np.full((b, 3), 2.0), np.full((b, 1), 5.0)
        answer = LocalSubject().call(NAME + "update_belief", remember, head, memory, features, last_action)
        for part, wanted in zip(answer, ([3, 3, 3, 6], [6, 6], [6, 12]), strict=True):
            check_close(part, np.tile(np.array(wanted, dtype=float), (b, 1)), "a part of the belief")

    vary(lambda: at(B), again=1, size_one=[lambda: at(1)], large=[lambda: at(64)])


# rollout_latent -------------------------------------------------------------------------------------------------------


@pytest.mark.stub("rollout_latent")
def test_rollout_latent_worked_example() -> None:
    check_example(WORKED_EXAMPLES["rollout_latent"], LocalSubject())


@pytest.mark.stub("rollout_latent")
def test_rollout_latent_calls_the_dynamics_once_a_step_with_all_sequences() -> None:
    sizes = []

    def step(latent: Tensor, action: Tensor) -> Tensor:
        sizes.append(len(latent))
        return latent + action

    latents = rollout_latent(step, torch.zeros(4, 1), torch.ones(4, 6, 1))
    check_close(latents[..., 0].numpy(), np.tile(np.arange(7.0), (4, 1)), "the latents")
    check(sizes == [4] * 6, f"`step` was called with {sizes} sequences", "loop_over_sequences")


@pytest.mark.stub("rollout_latent")
def test_rollout_latent_lets_the_gradient_reach_the_first_latent() -> None:
    latent = torch.ones(B, 1, requires_grad=True)
    latents = rollout_latent(lambda z, a: 2.0 * z + a, latent, torch.zeros(B, 3, 1))
    check(latents.requires_grad, "the latents are cut off from the first one", "rollout_detached")
    latents[:, -1].sum().backward()  # type: ignore[no-untyped-call]
    check(latent.grad is not None, "no gradient reaches the first latent", "rollout_detached")
    assert latent.grad is not None
    check_close(latent.grad.numpy(), np.full((B, 1), 8.0), "the gradient of the first latent")


@pytest.mark.stub("rollout_latent")
def test_rollout_latent_of_any_size_in_every_call() -> None:
    def at(b: int, k: int, z: int) -> None:
        actions = np.ones((b, k, z))
        latents = LocalSubject().call(NAME + "rollout_latent", lambda latent, a: latent + a, np.zeros((b, z)), actions)
        wanted = np.broadcast_to(np.arange(k + 1.0)[:, None], (b, k + 1, z))
        check_close(latents, wanted, "the latents")

    vary(
        lambda: at(B, 4, Z),
        again=1,
        size_one=[lambda: at(1, 4, Z), lambda: at(B, 1, Z), lambda: at(B, 4, 1)],
        large=[lambda: at(100, 15, 8)],
    )


# plan_latent ----------------------------------------------------------------------------------------------------------


@pytest.mark.stub("plan_latent")
def test_plan_latent_worked_example() -> None:
    check_example(WORKED_EXAMPLES["plan_latent"], LocalSubject())


def plan(horizon: int = 4, *, latent: float = 0.0, goal: float = 1.5) -> Any:
    """Push a latent of one number to a goal: it moves by the action, and pays its squared distance before each step."""
    generator = torch.Generator().manual_seed(0)
    return plan_latent(
        lambda z, a: z + a,
        lambda z, a: -((z - goal) ** 2).squeeze(-1) - 0.01 * (a**2).squeeze(-1),
        torch.tensor([latent]),
        torch.zeros(horizon, 1),
        torch.ones(horizon, 1),
        -torch.ones(1),
        torch.ones(1),
        population_size=200,
        num_iterations=6,
        num_elites=10,
        smoothing=0.1,
        noise=lambda count: torch.randn(count, horizon, 1, generator=generator),
        num_kept_elites=2,
    )


@pytest.mark.stub("plan_latent")
def test_plan_latent_pushes_to_the_goal_and_spares_the_last_action() -> None:
    """1.5 is a whole push and half of one away; what the last action leads to earns nothing, so it is not made."""
    answer = plan()
    slips = {"plan_first_reward": np.zeros(4), "plan_negated": -np.ones(4)}
    check_close(answer[:, 0].numpy(), np.array([1.0, 0.5, 0.0, 0.0]), "the plan", slips=slips, atol=0.15)


@pytest.mark.stub("plan_latent")
def test_plan_latent_of_one_step_has_nothing_to_gain() -> None:
    """The reward is that of the latent before the step: one action changes none, and costs effort."""
    check_close(plan(1).numpy(), np.zeros((1, 1)), "the plan", otherwise="plan_rewards_late", atol=0.1)


@pytest.mark.stub("plan_latent")
def test_plan_latent_starts_where_the_latent_is() -> None:
    answer = plan(latent=2.5)
    slips = {"plan_negated": np.array([1.0])}
    check_close(answer[0].numpy(), np.array([-1.0]), "the first action", slips=slips, atol=0.1)


# All together ---------------------------------------------------------------------------------------------------------

STUBS = ("kalman_step", "elbo", "gaussian_kl", "update_belief", "rollout_latent", "plan_latent")


def all_stubs(test: Any) -> Any:
    for stub_id in STUBS:
        test = pytest.mark.stub(stub_id)(test)
    return test


@all_stubs
def test_all_functions_leave_their_inputs_as_they_were() -> None:
    model, observations = model_and_observations()
    belief = exact.posterior(model, observations, "filter")
    mean, log_variance, actions = torch.randn(B, Z), torch.randn(B, Z), torch.randn(B, 3, Z)
    inputs = {"belief": belief.mean, "covariance": belief.covariance, "observations": observations, "mean": mean}
    inputs |= {"log variance": log_variance, "actions": actions, "initial mean": model.initial_mean}
    before = {name: value.clone() for name, value in inputs.items()}
    step_of(model, model.initial_mean, model.initial_covariance, observations[0])
    bound_of(model, observations, belief)
    gaussian_kl(mean, log_variance, mean, log_variance)
    update_belief(lambda inputs, memory: memory, lambda memory: memory, mean, log_variance, log_variance)
    rollout_latent(lambda latent, action: latent + action, mean, actions)
    plan()
    for name, value in inputs.items():
        check(torch.equal(value, before[name]), f"the {name} were changed", "inplace")


@all_stubs
def test_an_agent_learns_to_show_what_it_sees() -> None:
    """A short fit: the reconstruction becomes better than an average frame. A whole run takes half a minute."""
    played = world.random_episodes(world.DotEnv(starts_anywhere=True), 20, np.random.default_rng(0))
    agent = LatentAgent(seed=0, settings=Settings(first_gradient_steps=60, population_size=20))
    agent.learn(*(torch.as_tensor(each) for each in (played.frames, played.actions, played.rewards)))
    assert agent.network is not None
    error, plain = 0.0, 0.0
    average = torch.as_tensor(played.frames).mean(dim=(0, 1)).flatten()
    agent.begin_episode()
    for frame in torch.as_tensor(played.frames[0]):
        agent.see(frame)
        with torch.no_grad():
            error += float(((agent.network.decode(agent.latent) - frame.flatten()) ** 2).sum())
        plain += float(((average - frame.flatten()) ** 2).sum())
    assert error < 0.8 * plain
    agent.begin_episode()
    assert agent.act(torch.as_tensor(played.frames[0, 0])).shape == (2,)
