"""Latent state-space models: from images to a state that one can plan with (optional topic).

An image does not show the state. A latent model says that there is one all the same, z, which the actions move, and of
which the camera shows something: a state-space model. What z is after some images is then a question of inference, and
the answer is a distribution, the posterior. In a linear-Gaussian model it can be computed exactly (`kalman_step`), and
`elbo` says how good any other answer is. With neural networks the posterior is learned together with the rest: from a
single step, or as a filter that remembers (`update_belief`).

Planning then happens among latents: `rollout_latent` predicts them, a reward model scores them, and your own `cem`
looks for the best plan (`plan_latent`). No image is predicted for it.

    python -m pytest hw4/tests -m "kalman_step or elbo or gaussian_kl or update_belief or rollout_latent or plan_latent"

The dot that is pushed comes from hw4/envs/latent_models.py, the network from hw4/topics/latent_models_network.py, and
what it reads from hw4/topics/latent_models_data.py; all are given. B is the number of sequences that are handled at
once, Z the size of a latent, A that of an action, K a number of steps. All six functions leave what they are given
unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hw4.mpc import MPC, cem
from hw4.noise import colored_noise
from hw4.topics.latent_models_data import Beliefs, Sequences, is_visible, sequences_of, what_is_seen
from hw4.topics.latent_models_network import WIDTH, Encoder, LatentNetwork


def kalman_step(
    mean: Tensor,
    covariance: Tensor,
    observation: Tensor,
    *,
    transition: Tensor,
    process_covariance: Tensor,
    emission: Tensor,
    observation_covariance: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of the Kalman filter: predict, then correct by what is observed (`kalman_step`).

    The state moves and is observed by

        z' = A z + noise of covariance Q,    o = C z' + noise of covariance R

    All noise is Gaussian with mean 0. If z has mean m and covariance P before the step, then

        predicted mean        m_p = A m
        predicted covariance  P_p = A P A^T + Q
        surprise              e   = o - C m_p,   of covariance   V = C P_p C^T + R
        gain                  G   = P_p C^T V^-1
        new mean              m'  = m_p + G e
        new covariance        P'  = P_p - G C P_p
        log likelihood        -1/2 (e^T V^-1 e + log det V + p log(2 pi))

    The log likelihood is log p(o | everything observed before), natural logarithm. Summed over all steps it is the log
    likelihood of the whole sequence.

    Args:
        mean: m, shape (d,).
        covariance: P, shape (d, d).
        observation: o, shape (p,).
        transition: A, shape (d, d).
        process_covariance: Q, shape (d, d). It may be 0.
        emission: C, shape (p, d).
        observation_covariance: R, shape (p, p), positive definite.

    Returns:
        (m', P', log likelihood) of shapes (d,), (d, d) and ().

    Public test: pytest hw4/tests -m kalman_step
    """
    ### BEGIN SOLUTION kalman_step: about 8 lines; `torch.linalg.solve` and `torch.logdet` help.
    mean = transition @ mean
    covariance = transition @ covariance @ transition.T + process_covariance
    surprise = observation - emission @ mean
    spread = emission @ covariance @ emission.T + observation_covariance
    gain = torch.linalg.solve(spread, emission @ covariance).T
    squared = surprise @ torch.linalg.solve(spread, surprise)
    log_likelihood: Tensor = -0.5 * (squared + torch.logdet(spread) + len(observation) * math.log(2 * math.pi))
    return mean + gain @ surprise, covariance - gain @ emission @ covariance, log_likelihood
    ### END SOLUTION kalman_step


def elbo(
    mean: Tensor,
    covariance: Tensor,
    observation: Tensor,
    *,
    prior_mean: Tensor,
    prior_covariance: Tensor,
    emission: Tensor,
    observation_covariance: Tensor,
) -> Tensor:
    """The evidence lower bound of a Gaussian posterior in a linear-Gaussian model (`elbo`).

    The model is z ~ N(m_0, P_0), o = C z + noise of covariance R; z may hold the states of all steps, one after
    another, and o all observations. For any q(z) = N(m, S)

        ELBO = E_q[log p(o | z)] - KL(q || p)  <=  log p(o)

    with

        E_q[log p(o | z)] = -1/2 ((o - C m)^T R^-1 (o - C m) + tr(R^-1 C S C^T) + log det R + p log(2 pi))
        KL(q || p) = 1/2 (tr(P_0^-1 S) + (m - m_0)^T P_0^-1 (m - m_0) - n + log det P_0 - log det S)

    Both are equal only if q is the exact posterior p(z | o).

    Args:
        mean: m of q, shape (n,).
        covariance: S of q, shape (n, n), positive definite.
        observation: o, shape (p,).
        prior_mean: m_0, shape (n,).
        prior_covariance: P_0, shape (n, n), positive definite.
        emission: C, shape (p, n).
        observation_covariance: R, shape (p, p), positive definite.

    Returns:
        The bound, shape (), natural logarithm. Higher is better.

    Public test: pytest hw4/tests -m elbo
    """
    ### BEGIN SOLUTION elbo: about 10 lines; tr(R^-1 M) is the trace of `torch.linalg.solve(R, M)`.
    error = observation - emission @ mean
    noise_of_mean = error @ torch.linalg.solve(observation_covariance, error)
    noise_of_spread = torch.linalg.solve(observation_covariance, emission @ covariance @ emission.T).trace()
    constant = torch.logdet(observation_covariance) + len(observation) * math.log(2 * math.pi)
    expected_log_likelihood: Tensor = -0.5 * (noise_of_mean + noise_of_spread + constant)
    shift = mean - prior_mean
    distance = shift @ torch.linalg.solve(prior_covariance, shift)
    spread = torch.linalg.solve(prior_covariance, covariance).trace() - len(mean)
    kl: Tensor = 0.5 * (spread + distance + torch.logdet(prior_covariance) - torch.logdet(covariance))
    return expected_log_likelihood - kl
    ### END SOLUTION elbo


def gaussian_kl(mean: Tensor, log_variance: Tensor, other_mean: Tensor, other_log_variance: Tensor) -> Tensor:
    """How far one diagonal Gaussian is from another: KL(q || p) (`gaussian_kl`).

    With q = N(m, v) and p = N(m_p, v_p), v = exp(log variance):

        KL(q || p) = 1/2 sum_i (log v_p[i] - log v[i] + (v[i] + (m[i] - m_p[i])^2) / v_p[i] - 1)

    It is 0 if both are equal and positive otherwise, and it is not the same with q and p exchanged.

    Args:
        mean: m of q, shape (..., Z).
        log_variance: log v of q, natural logarithm, shape (..., Z).
        other_mean: m_p of p, shape (..., Z).
        other_log_variance: log v_p of p, of any shape that broadcasts to (..., Z), for example (Z,).

    Returns:
        The divergence in nats, summed over the last axis alone, shape (...).

    Public test: pytest hw4/tests -m gaussian_kl
    """
    ### BEGIN SOLUTION gaussian_kl: about 3 lines.
    difference = log_variance - other_log_variance
    shift = (mean - other_mean) ** 2 / other_log_variance.exp()
    return 0.5 * (difference.exp() + shift - 1.0 - difference).sum(dim=-1)
    ### END SOLUTION gaussian_kl


def update_belief(
    remember: Callable[[Tensor, Tensor], Tensor],
    head: Callable[[Tensor], Tensor],
    memory: Tensor,
    features: Tensor,
    last_action: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of a learned filter: take in what is seen, then say where the latent is (`update_belief`).

        memory'               = remember([features, last_action], memory)
        [mean, log variance]  = head(memory')

    The brackets are one vector after the other. So the belief depends on everything seen and done until now, and on
    nothing that comes later. It is the posterior q(z_t | o_1..o_t, a_1..a_{t-1}) of the lecture's filter; the Kalman
    filter is the linear one. Leave the result differentiable: the encoder learns through it.

    Args:
        remember: inputs (B, F + A) and memory (B, M) -> new memory (B, M). Call it once.
        head: (B, M) -> (B, 2 Z). Call it once.
        memory: of each sequence before this step, shape (B, M).
        features: of what is seen now, shape (B, F).
        last_action: what was done just before, shape (B, A); 0 at the start.

    Returns:
        (memory', mean, log variance) of shapes (B, M), (B, Z) and (B, Z).

    Public test: pytest hw4/tests -m update_belief
    """
    ### BEGIN SOLUTION update_belief: about 3 lines.
    memory = remember(torch.cat([features, last_action], dim=-1), memory)
    mean, log_variance = head(memory).chunk(2, dim=-1)
    return memory, mean, log_variance
    ### END SOLUTION update_belief


def rollout_latent(step: Callable[[Tensor, Tensor], Tensor], latent: Tensor, actions: Tensor) -> Tensor:
    """Predict the latents that follow when actions are executed (`rollout_latent`).

        z_0 = latent,    z_{k+1} = step(z_k, a_k)

    Nothing is observed on the way, so this is the prior of the model. All sequences advance together: exactly K calls
    of `step`, each with all B of them. Leave the result differentiable: the encoder learns from what comes out K steps
    later.

    Args:
        step: the latent dynamics, (B, Z) and (B, A) -> (B, Z).
        latent: where each sequence starts, shape (B, Z).
        actions: of each sequence, in order, shape (B, K, A).

    Returns:
        z_0 to z_K, shape (B, K + 1, Z).

    Public test: pytest hw4/tests -m rollout_latent
    """
    ### BEGIN SOLUTION rollout_latent: about 4 lines; a loop over steps is fine, one over sequences is not.
    latents = [latent]
    for action in actions.unbind(dim=1):
        latents.append(step(latents[-1], action))
    return torch.stack(latents, dim=1)
    ### END SOLUTION rollout_latent


def plan_latent(
    step: Callable[[Tensor, Tensor], Tensor],
    reward: Callable[[Tensor, Tensor], Tensor],
    latent: Tensor,
    mean: Tensor,
    std: Tensor,
    action_low: Tensor,
    action_high: Tensor,
    *,
    population_size: int,
    num_iterations: int,
    num_elites: int,
    smoothing: float,
    noise: Callable[[int], Tensor],
    num_kept_elites: int,
) -> Tensor:
    """Plan among latents with the cross-entropy method (`plan_latent`).

    A plan a_0 .. a_{H-1} is worth what the reward model predicts for it:

        z_0 = latent,    z_{t+1} = step(z_t, a_t),    value = sum_{t=0}^{H-1} reward(z_t, a_t)

    The reward of a step is that of the latent before it and of the action, so the last latent earns nothing. No image
    is predicted. The search is that of `cem` in hw4/mpc.py, with the arguments of the same names.

    Args:
        step: the latent dynamics, (N, Z) and (N, A) -> (N, Z).
        reward: the reward model, (..., Z) and (..., A) -> (...).
        latent: where every plan starts, shape (Z,).
        mean: of the first candidates, shape (H, A).
        std: their standard deviation, shape (H, A).
        action_low: lower bounds, shape (A,).
        action_high: upper bounds, shape (A,).
        population_size: N, candidates in an iteration.
        num_iterations: see `cem`.
        num_elites: see `cem`.
        smoothing: see `cem`.
        noise: see `cem`.
        num_kept_elites: see `cem`.

    Returns:
        The plan that `cem` returns, shape (H, A).

    Public test: pytest hw4/tests -m plan_latent
    """

    ### BEGIN SOLUTION plan_latent: about 7 lines; call `rollout_latent`, and `cem` with all its arguments.
    def value(action_sequences: Tensor) -> Tensor:
        latents = rollout_latent(step, latent.expand(len(action_sequences), -1), action_sequences)
        return reward(latents[:, :-1], action_sequences).sum(dim=1)

    return cem(
        value, mean, std, action_low, action_high, population_size=population_size, num_iterations=num_iterations,
        num_elites=num_elites, smoothing=smoothing, noise=noise, num_kept_elites=num_kept_elites,
    )  # fmt: skip
    ### END SOLUTION plan_latent


# The rest is given. ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    """What kind of model it is, and how it learns and plans. Everything but `encoder` is as in the graded run."""

    encoder: Encoder = "filter"
    reconstructs: bool = True  # whether the latents have to show the frames
    models_reward: bool = True  # whether the reward model learns
    num_frames: int = 2  # that are seen at once
    coasts: bool = False  # whether a lost frame is replaced by a prediction; not with a filter, which needs none

    first_gradient_steps: int = 1000
    later_gradient_steps: int = 200
    window: int = 12  # env steps in a training sequence
    horizon: int = 6  # env steps that are predicted, from every frame of it
    batch_size: int = 16
    learning_rate: float = 2e-3
    max_gradient_norm: float = 10.0
    reward_weight: float = 20.0
    kl_weight: float = 0.01

    planning_horizon: int = 15
    population_size: int = 100
    num_iterations: int = 3
    num_elites: int = 10
    num_kept_elites: int = 2
    smoothing: float = 0.1
    initial_std: float = 0.6
    noise_color: float = 2.0


GRADED = Settings()


def beliefs_of(network: LatentNetwork, sequences: Sequences, encoder: Encoder) -> Beliefs:
    """The posterior at every frame; a filter begins with an empty memory at the first."""
    features = network.encode(sequences.seen)
    if encoder != "filter":
        return Beliefs(*network.head(features).chunk(2, dim=-1))
    memory = features.new_zeros(len(features), WIDTH)
    means, log_variances = [], []
    for now, last_action in zip(features.unbind(dim=1), sequences.last_actions.unbind(dim=1), strict=True):
        memory, mean, log_variance = update_belief(network.remember, network.head, memory, now, last_action)
        means.append(mean)
        log_variances.append(log_variance)
    return Beliefs(torch.stack(means, dim=1), torch.stack(log_variances, dim=1))


def world_loss(network: LatentNetwork, batch: Sequences, settings: Settings, generator: torch.Generator) -> Tensor:
    """What the whole model learns from: four terms, added up.

    From every frame that has K more after it, K latents are predicted from a sample of the belief. The first and the
    last of them have to show their frames, all of them the rewards, and all have to be where the beliefs are when the
    frames come. The last term keeps each belief near what was predicted for it. It is like an ELBO, but none: terms are
    weighed, and most look further than a step.
    """
    beliefs = beliefs_of(network, batch, settings.encoder)
    horizon, num_starts = settings.horizon, batch.seen.shape[1] - settings.horizon

    def windows(values: Tensor, length: int) -> Tensor:  # (B, T, D) -> (B * num_starts, length, D)
        return values.unfold(1, length, 1)[:, :num_starts].transpose(2, 3).flatten(0, 1)

    latents = beliefs.mean[:, :num_starts]
    if settings.encoder != "deterministic":
        std = (0.5 * beliefs.log_variance[:, :num_starts]).exp()
        latents = latents + std * torch.randn(latents.shape, generator=generator)
    actions = windows(batch.actions, horizon)
    predicted = rollout_latent(network.step, latents.flatten(0, 1), actions)  # (B * num_starts, K + 1, Z)
    targets = windows(beliefs.mean, horizon + 1)
    loss = ((predicted - targets)[:, 1:] ** 2).sum(dim=-1).mean()
    if settings.reconstructs:
        frames = windows(batch.frames, horizon + 1)[:, [0, horizon]]
        errors = ((network.decode(predicted[:, [0, horizon]]) - frames) ** 2).sum(dim=-1)
        loss = loss + (errors * is_visible(frames)).sum() / is_visible(frames).sum()
    if settings.models_reward:
        rewards = windows(batch.rewards.unsqueeze(-1), horizon).squeeze(-1)
        loss = loss + settings.reward_weight * ((network.reward(predicted[:, :-1], actions) - rewards) ** 2).mean()
    if settings.encoder != "deterministic":
        log_variance = windows(beliefs.log_variance, 2)[:, 1]
        kl = gaussian_kl(targets[:, 1], log_variance, predicted[:, 1], network.prior_log_variance)
        loss = loss + settings.kl_weight * kl.mean()
    return loss


class LatentAgent:
    """Learns a latent model from frames and rewards, and plans in it."""

    def __init__(self, *, seed: int, settings: Settings = GRADED) -> None:
        """
        Args:
            seed: of first weights, training windows, samples and candidates.
            settings: what kind of model it is.
        """
        self.settings = settings
        self.generator = torch.Generator().manual_seed(seed)
        self.network: LatentNetwork | None = None  # there is none before the first episodes
        self.data: Sequences | None = None
        self.controller = MPC(self._plan, initial_mean=torch.zeros(settings.planning_horizon, 2))
        self.begin_episode()

    def learn(self, frames: Tensor, actions: Tensor, rewards: Tensor) -> None:
        """Append whole episodes to all that it has seen, and refit.

        Args:
            frames: shape (num_episodes, T, H, W).
            actions: shape (num_episodes, T - 1, 2).
            rewards: shape (num_episodes, T - 1).
        """
        tensors = torch.as_tensor(frames), torch.as_tensor(actions), torch.as_tensor(rewards)
        new = sequences_of(*tensors, num_frames=self.settings.num_frames)
        if self.network is None or self.data is None:
            self.data = new
            self.network = LatentNetwork(new.frames.shape[-1], new.actions.shape[-1], generator=self.generator)
            self.optimizer = torch.optim.Adam(self.network.parameters(), lr=self.settings.learning_rate, fused=True)
            gradient_steps = self.settings.first_gradient_steps
        else:
            fields = zip(vars(self.data).values(), vars(new).values(), strict=True)
            self.data = Sequences(*(torch.cat(pair) for pair in fields))
            gradient_steps = self.settings.later_gradient_steps
        for _ in range(gradient_steps):
            loss = world_loss(self.network, self._draw_windows(self.data), self.settings, self.generator)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.max_gradient_norm)
            self.optimizer.step()

    def begin_episode(self) -> None:
        """Forget what was seen and planned."""
        self.controller.begin_episode()
        self.memory = torch.zeros(1, WIDTH)
        self.last_frame: Tensor | None = None
        self.last_action = torch.zeros(1, 2)
        self.latent = torch.zeros(0)  # mean of the belief, shape (Z,)

    @torch.no_grad()
    def act(self, frame: Tensor) -> Tensor:
        """See the next frame, shape (H, W), and answer the action, shape (2,)."""
        self.see(torch.as_tensor(frame))
        action = self.controller.act(self.latent)
        self.last_action = action.unsqueeze(0)
        return action

    @torch.no_grad()
    def see(self, frame: Tensor) -> None:
        """Update the belief; `act` does it by itself."""
        if self.network is None:
            raise ValueError("there is no model yet: call learn first")
        now = frame.flatten()
        frames = torch.stack([now if self.last_frame is None else self.last_frame, now])
        lost, self.last_frame = not is_visible(now), now
        if lost and self.settings.coasts:
            self.latent = self.network.step(self.latent, self.last_action[0])
            return
        features = self.network.encode(what_is_seen(frames.unsqueeze(0), self.settings.num_frames)[:, -1])
        if self.settings.encoder == "filter":
            self.memory, mean, _ = update_belief(
                self.network.remember, self.network.head, self.memory, features, self.last_action
            )
        else:
            mean, _ = self.network.head(features).chunk(2, dim=-1)
        self.latent = mean[0]

    def _draw_windows(self, data: Sequences) -> Sequences:
        num_episodes, length = data.rewards.shape
        window = self.settings.window
        size = (self.settings.batch_size, 1)
        episode = torch.randint(num_episodes, size, generator=self.generator)
        begin = torch.randint(length - window + 1, size, generator=self.generator)
        frames, steps = begin + torch.arange(window + 1), begin + torch.arange(window)
        return Sequences(
            data.seen[episode, frames], data.last_actions[episode, frames], data.actions[episode, steps],
            data.rewards[episode, steps],
        )  # fmt: skip

    def _plan(self, latent: Tensor, mean: Tensor) -> Tensor:
        settings, network = self.settings, self.network
        assert network is not None  # `see` comes first
        high = torch.ones(mean.shape[1])

        def noise(num_sequences: int) -> Tensor:
            return colored_noise(num_sequences, *mean.shape, color=settings.noise_color, generator=self.generator)

        return plan_latent(
            network.step,
            network.reward,
            latent,
            mean,
            torch.full_like(mean, settings.initial_std),
            -high,
            high,
            population_size=settings.population_size,
            num_iterations=settings.num_iterations,
            num_elites=settings.num_elites,
            smoothing=settings.smoothing,
            noise=noise,
            num_kept_elites=settings.num_kept_elites,
        )
