"""Learn a policy with a model: imagined data, value expansion, and how far to trust it (optional topic).

A planner asks its model again at every step. A policy answers at once, but has to be learned, and model-free learning
takes many env steps. A learned model makes more of each of them, in three ways:

    Dyna, MBPO   imagined transitions join the replay buffer                                     `model_rollout`
    MVE          the critic's target looks some imagined steps ahead (model value expansion)     `mve_target`
      TD-k       and the critic also learns at the imagined steps themselves                     `td_k_pairs`
    STEVE        targets of all lengths, each weighed by how sure it is          `steve_targets`, `steve_weights`

Underneath is soft actor-critic, which is given in hw4/topics/policy_learning_sac.py. Its critic estimates what follows
an action, Q(s, a) = r + gamma V(s'), and the value of a state has a bonus for the entropy of the policy there:
V(s) = E[Q(s, a) - alpha log pi(a | s)]. The agents that use your functions are in hw4/topics/policy_learning_agent.py,
the dot that is pushed in hw4/envs/policy_learning.py; both are given.

    python -m pytest hw4/tests -m "model_rollout or mve_target or td_k_pairs or steve_targets or steve_weights"

Shapes: B = roll-outs, S and A = sizes of observation and action, E = members of the model, M = critics, H = imagined
steps that follow the first step. Step 0 of an expanded target is a real one, from the replay buffer; steps 1 to H are
imagined. All five functions leave what they are given unchanged.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hw4.rewards import Reward
from hw4.topics.policy_learning_agent import LEARNERS, Imagined, Parts, PolicyAgent


def model_rollout(
    predict: Callable[[Tensor, Tensor], Tensor],
    policy: Callable[[Tensor], tuple[Tensor, Tensor]],
    reward: Reward,
    start: Tensor,
    members: Tensor,
) -> Imagined:
    """Let the policy act in the model, from many states at once (`model_rollout`).

    For each roll-out b and each step t = 0 .. k-1:

        s_0[b]     = start[b]
        a_t, log p = policy(s_t)
        s_{t+1}[b] = predict(s_t, a_t)[members[t, b], b]
        r_t        = reward(s_t, a_t, s_{t+1})

    Each roll-out follows one member at a time; states of members are never averaged. The reward is paid on arrival. All
    roll-outs advance together: exactly k calls each of `policy`, `predict` and `reward`, with all B of them. The states
    to start from are those that an agent has seen, so that short roll-outs branch off everywhere along real episodes.

    Args:
        predict: observations (B, S) and actions (B, A) -> the next observation by every member, (E, B, S).
        policy: observations (B, S) -> actions (B, A) and their log densities (B,). It draws, so ask it once a step.
        reward: reward(observation, action, next_observation) -> (B,).
        start: shape (B, S).
        members: which member moves roll-out b at step t, int64 in [0, E), shape (k, B), k at least 1.

    Returns:
        `Imagined(observation, action, log_prob, reward, next_observation)`, with two leading axes (k, B): step t of
        roll-out b is entry [t, b]. These are k * B transitions, no more and no fewer.

    Public test: pytest hw4/tests -m model_rollout
    """
    # TODO(model_rollout): about 8 lines; a loop over steps is fine, one over roll-outs or members is not.
    raise NotImplementedError("model_rollout: write model_rollout in hw4/topics/policy_learning.py")


def mve_target(rewards: Tensor, last_value: Tensor, terminated: Tensor, *, gamma: float) -> Tensor:
    """The critic's target for step 0, by model value expansion (Feinberg et al. 2018) (`mve_target`).

        target = sum_{i=0}^{H} gamma^i rewards[i] + gamma^(H+1) last_value

    Only one value counts, that of the state after the last step: an error of the critic comes in times gamma^(H+1), and
    in exchange come errors of the model, more of them with every step. H = 0 is the usual target without a model. If a
    step is terminal, nothing after it counts, whatever it is (it may be NaN): neither rewards nor the value.

    A trap: in soft actor-critic, `rewards` have to be soft. The value of a state that is passed on the way has its
    entropy bonus -alpha log pi(a_i | s_i), so that belongs to rewards[i] of every imagined step i >= 1. It does not
    belong to rewards[0]: the target is for an action that was already taken. Whoever calls this function adds the
    bonuses (the given agent does); here, rewards are rewards.

    Args:
        rewards: r_0 is the real one, then those of the imagined steps; shape (H + 1, ...).
        last_value: of the state after step H, shape (...).
        terminated: whether step i ended in a terminal state, bool, shape (H + 1, ...). A time limit is not terminal.
        gamma: discount of a step, in [0, 1].

    Returns:
        shape (...).

    Public test: pytest hw4/tests -m mve_target
    """
    # TODO(mve_target): about 4 lines; backwards it is shortest. `torch.where` drops what does not count.
    raise NotImplementedError("mve_target: write mve_target in hw4/topics/policy_learning.py")


def td_k_pairs(
    observation: Tensor,
    action: Tensor,
    rewards: Tensor,
    bonuses: Tensor,
    last_value: Tensor,
    terminated: Tensor,
    *,
    gamma: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Everything a roll-out teaches the critic: a target at every step, the imagined ones included (`td_k_pairs`).

    The target of step i looks from there to the end of the same roll-out, so it is H - i steps long:

        target[H] = rewards[H] + gamma last_value
        target[i] = rewards[i] + gamma (bonuses[i+1] + target[i+1])        for i < H

    A critic that learned at real states alone would be asked for its value at imagined ones, where it never learned
    (Feinberg et al. 2018, section 3.1: the TD-k trick). If step i is terminal, its target is rewards[i] alone, and
    nothing after it reaches an earlier target either.

    Rewards are plain here, and bonuses[i] is -alpha log pi(a_i | s_i). It belongs to the value of s_i, so into the
    target of the step before, and not into target[i]: that is about an action that was already taken. So bonuses[0]
    counts nowhere.

    Args:
        observation: s_i, shape (H + 1, B, S).
        action: a_i, shape (H + 1, B, A).
        rewards: r_i, shape (H + 1, B).
        bonuses: of the entropy at s_i, shape (H + 1, B).
        last_value: of the state after step H, its entropy bonus included, shape (B,).
        terminated: whether step i ended in a terminal state, bool, shape (H + 1, B).
        gamma: discount of a step, in [0, 1].

    Returns:
        (observations, actions, targets) of shapes ((H + 1) * B, S), ((H + 1) * B, A) and ((H + 1) * B,): row i * B + b
        is step i of roll-out b.

    Public test: pytest hw4/tests -m td_k_pairs
    """
    # TODO(td_k_pairs): about 7 lines; go backwards, and keep every target.
    raise NotImplementedError("td_k_pairs: write td_k_pairs in hw4/topics/policy_learning.py")


def steve_targets(rewards: Tensor, values: Tensor, terminated: Tensor, *, gamma: float) -> tuple[Tensor, Tensor]:
    """Targets of every length, with their spread over models and critics (Buckman et al. 2018) (`steve_targets`).

    Member e makes a roll-out, and critic m values its states. For h = 0 .. H:

        T[h, e, m]  = mve_target of rewards[0 .. h, e] and values[h, e, m]
        mean[h]     = 1/(E M) * sum_{e, m} T[h, e, m]
        variance[h] = 1/(E M) * sum_{e, m} (T[h, e, m] - mean[h])^2

    T[0] looks no imagined step ahead, T[H] looks H. At h = 0 the members agree, as the first step is a real one: its
    spread is that of the critics alone, discounted. With one critic it would be 0, and the model never asked.

    Args:
        rewards: soft ones, as for `mve_target`, shape (H + 1, E, B). Step 0 is the same for every member.
        values: of the state after step h, by every critic, shape (H + 1, E, M, B).
        terminated: whether step h ended in a terminal state, bool, shape (H + 1, E, B).
        gamma: discount of a step, in [0, 1].

    Returns:
        (mean, variance), each of shape (H + 1, B). The divisor of the variance is E M, not E M - 1.

    Public test: pytest hw4/tests -m steve_targets
    """
    # TODO(steve_targets): about 7 lines; call `mve_target` once for each h.
    raise NotImplementedError("steve_targets: write steve_targets in hw4/topics/policy_learning.py")


def steve_weights(variance: Tensor, *, floor: float) -> Tensor:
    """How much each length of target counts: inversely to its variance (`steve_weights`).

        weights[h] = (1 / max(variance[h], floor)) / sum_j (1 / max(variance[j], floor))

    A length on which models and critics disagree loses its weight, also if its variance is infinite; but at least one
    is finite. That is all the weights can know: a length on which all of them agree, and are wrong, keeps its weight.
    The floor keeps lengths on which they agree by chance from taking everything.

    Args:
        variance: of the targets of each length, shape (H + 1, ...). Not negative.
        floor: the smallest variance that is believed, above 0.

    Returns:
        shape (H + 1, ...). The weights of each entry add up to 1 over the lengths.

    Public test: pytest hw4/tests -m steve_weights
    """
    # TODO(steve_weights): about 2 lines.
    raise NotImplementedError("steve_weights: write steve_weights in hw4/topics/policy_learning.py")


# The rest is given. ---------------------------------------------------------------------------------------------------


def build_learner(name: str, goal: Tensor, *, seed: int) -> PolicyAgent:
    """An agent that learns a policy with your functions, by one of the LEARNERS (given).

    Args:
        name: a key of LEARNERS.
        goal: (x, y), shape (2,).
        seed: of first weights, exploration, minibatches and roll-outs.
    """
    parts = Parts(model_rollout, mve_target, td_k_pairs, steve_targets, steve_weights)
    return PolicyAgent(LEARNERS[name], parts, torch.as_tensor(goal).float(), seed=seed)
