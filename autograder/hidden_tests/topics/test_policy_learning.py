"""Hidden checks of the topic policy_learning: roll-outs, expanded targets, their weights, and a policy that learns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from autograder.hidden_tests.graded import effect, graded
from autograder.hidden_tests.inputs import check_left_alone
from autograder.hidden_tests.topics import policy_learning_oracle as oracle
from hw4.checking.answers import AnyOf, CheckFailed, check, check_close, check_shape
from hw4.checking.subject import Kept, Subject
from hw4.checking.variations import vary
from hw4.envs import policy_learning as world

RNG = np.random.Generator
ROLLOUT = "topics.policy_learning.model_rollout"
MVE = "topics.policy_learning.mve_target"
PAIRS = "topics.policy_learning.td_k_pairs"
TARGETS = "topics.policy_learning.steve_targets"
WEIGHTS = "topics.policy_learning.steve_weights"
B, S, A, E, M, H, K = 5, 3, 2, 4, 6, 3, 4
GAMMA, FLOOR = 0.9, 1e-3


def _parts(answer: Any, what: str, number: int) -> tuple[Any, ...]:
    """The entries of an answer of several values."""
    check(answer is not None, f"{what} is None: a return statement is missing", "returns_none")
    check(isinstance(answer, tuple) and len(answer) == number, f"{what} must be {number} values", "wrong_shape")
    return tuple(answer)


def _check_parts(answer: Any, wanted: tuple[Any, ...], names: tuple[str, ...], slips: Callable[[], Any]) -> None:
    """Compare part by part; `slips` gives cause -> what that mistake returns, all parts of it."""
    what = "the answer"
    found: dict[str, Any] = {}

    def of(number: int) -> dict[str, Any]:
        found.update(found or slips())
        return {cause: parts[number] for cause, parts in found.items()}

    for i, (part, right) in enumerate(zip(_parts(answer, what, len(names)), wanted, strict=True)):
        check_close(part, right, names[i], slips=partial(of, i))


# model_rollout --------------------------------------------------------------------------------------------------------

FIELDS = ("the observations", "the actions", "the log densities", "the rewards", "the next observations")
FORMS = (
    "rollout_starts_again",
    "rollout_mean_of_members",
    "rollout_first_member",
    "rollout_keeps_member",
    "rollout_members_reshaped",
    "rollout_reward_before",
)


def _rollout_slips(chain: oracle.Chain, start: Any, members: Any) -> dict[str, Any]:
    """What known mistakes give."""
    right = oracle.rolled(chain, start, members)
    slips: dict[str, Any] = {form: oracle.rolled(chain, start, members, form) for form in FORMS}
    slips["rollout_flattened"] = tuple(part.reshape(-1, *part.shape[2:]) for part in right)
    slips["rollout_last_step_only"] = tuple(part[-1] for part in right)
    if members.shape[0] != members.shape[1]:
        slips["rollout_steps_second"] = tuple(part.swapaxes(0, 1) for part in right)
    slips["rollout_next_for_now"] = (right[4], *right[1:])
    slips["rollout_now_for_next"] = (*right[:4], right[0])
    return slips


def _check_rollout(subject: Subject, chain: oracle.Chain, start: Any, members: Any) -> Any:
    chain.asked = []
    answer = subject.call(ROLLOUT, chain.predict, chain.policy, chain.reward, start, members)
    shapes = {shape for _, shape in chain.asked}
    together = shapes <= {chain.shape}
    check(together, f"the functions were called with shapes {sorted(shapes)[:4]}", "rollout_loops")
    for name in ("policy", "predict", "reward"):
        count = sum(who == name for who, _ in chain.asked)
        cause = "rollout_policy_again" if name == "policy" else "rollout_asks_again"
        check(count <= len(members), f"`{name}` was called {count} times for {len(members)} steps", cause)
    wanted = oracle.rolled(chain, np.asarray(getattr(start, "array", start)), members)
    slips = lambda: _rollout_slips(chain, np.asarray(getattr(start, "array", start)), members)  # noqa: E731
    _check_parts(answer, wanted, FIELDS, slips)
    return answer


def _rollout_inputs(rng: RNG, b: int = B, k: int = K, s: int = S, a: int = A, e: int = E) -> tuple[Any, Any, Any]:
    members = rng.integers(e, size=(k, b))
    if e > 1 and k > 1:  # members differ within a roll-out
        members[1] = (members[0] + 1) % e
    return oracle.Chain(rng, b, k, s, a, e), rng.normal(size=(b, s)), members


@graded("model_rollout", weight=2)
def test_a_policy_acts_in_the_model(subject: Subject, rng: RNG) -> None:
    """Each step follows the one before it: the policy's action, the chosen member's next state, its reward."""
    vary(lambda: _check_rollout(subject, *_rollout_inputs(rng)), again=2)


@graded("model_rollout", weight=2)
def test_every_roll_out_follows_the_member_of_each_step(subject: Subject, rng: RNG) -> None:
    """One member for all, one for each roll-out, another at every step: as `members` says."""
    chain, start, members = _rollout_inputs(rng)
    _check_rollout(subject, chain, start, members)
    for chosen in (np.full((K, B), 2), np.tile(np.arange(B) % E, (K, 1)), (np.arange(K) % E)[:, None] + np.zeros(B)):
        _check_rollout(subject, chain, start, chosen.astype(np.int64))


@graded("model_rollout")
def test_rewards_of_roll_outs_are_paid_on_arrival(subject: Subject, rng: RNG) -> None:
    """The reward of a step is that of where it leads, so the last step counts."""
    chain, start, members = _rollout_inputs(rng)
    answer = _check_rollout(subject, chain, start, members)
    before, action, _, paid, after = answer
    check_close(paid, chain.paid(before, action, after), "the rewards", otherwise="rollout_reward_before")


@graded("model_rollout")
def test_roll_outs_of_any_size(subject: Subject, rng: RNG) -> None:
    """One step, one roll-out, one member, one number in a state or an action; and the sizes of the agents."""

    def at(**sizes: int) -> None:
        _check_rollout(subject, *_rollout_inputs(rng, **sizes))

    vary(
        lambda: at(),
        size_one=[lambda: at(k=1), lambda: at(b=1), lambda: at(e=1), lambda: at(s=1), lambda: at(a=1)],
        large=[lambda: at(b=100, k=5, e=5), lambda: at(b=640, k=3, e=5)],
    )


@graded("model_rollout", weight=0.5, needs_another=True)
def test_roll_outs_leave_their_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Start states and members are not changed in place."""
    chain, start, members = _rollout_inputs(rng)
    wanted = oracle.rolled(chain, start, members)

    def ask(*kept: Kept) -> None:
        chain.asked = []
        answer = subject.call(ROLLOUT, chain.predict, chain.policy, chain.reward, *kept)
        _check_parts(answer, wanted, FIELDS, dict)

    check_left_alone(subject, [start, members], ask)


# mve_target -----------------------------------------------------------------------------------------------------------


def _mve_inputs(rng: RNG, *shape: int, h: int = H) -> tuple[Any, Any, Any]:
    """Rewards, last values and which steps are terminal: none."""
    return rng.normal(1.0, 1.0, (h + 1, *shape)), rng.normal(3.0, 1.0, shape), np.zeros((h + 1, *shape), bool)


def _mve_slips(rewards: Any, last_value: Any, terminated: Any, gamma: float) -> dict[str, Any]:
    """What known mistakes give."""
    of = partial(oracle.target, gamma=gamma)
    never, rewards_seen = np.zeros_like(terminated), np.where(np.isfinite(rewards), rewards, 0.0)
    plain = of(rewards_seen, 0.0 * np.nan_to_num(last_value), terminated)
    value = of(rewards_seen, np.nan_to_num(last_value), terminated) - plain
    dropped = np.where(terminated, 0.0, rewards_seen)
    slips = {
        "target_without_discount": of(rewards_seen, last_value, terminated, gamma=1.0),
        "target_value_missing": plain,
        "target_value_discount": AnyOf((plain + value / max(gamma, 1e-6), plain + value * gamma)),
        "target_value_without_discount": plain + value / max(gamma, 1e-6) ** len(rewards),
        "target_reward_discount": gamma * plain + value,
        "target_reversed": of(rewards_seen[::-1], last_value, terminated),
        "target_of_one_step": of(rewards_seen[:1], last_value, terminated[:1]),
        "target_without_first": plain - rewards_seen[0] + value,
        "target_negated_value": plain - value,
    }
    if terminated.any():
        slips["target_terminal_ignored"] = of(rewards, last_value, never)
        slips["target_terminal_reward_dropped"] = of(dropped, last_value, terminated)
        slips["target_terminal_value_only"] = np.where(
            terminated.any(axis=0), of(rewards, 0 * last_value, never), value
        )
        slips["target_terminal_last_only"] = AnyOf(
            (of(rewards, np.where(terminated[-1], 0.0, last_value), never), of(rewards, last_value, never))
        )
    return slips


def _check_mve(
    subject: Subject, rewards: Any, value: Any, terminated: Any, gamma: float = GAMMA, *, otherwise: str = "wrong_value"
) -> Any:
    answer = subject.call(MVE, rewards, value, terminated, gamma=gamma)
    wanted = oracle.target(rewards, value, terminated, gamma)
    slips = lambda: _mve_slips(rewards, value, terminated, gamma)  # noqa: E731
    check_close(answer, wanted, "the target", slips=slips, otherwise=otherwise)
    return answer


@graded("mve_target", weight=2)
def test_a_target_is_discounted_rewards_and_one_value(subject: Subject, rng: RNG) -> None:
    """The real reward, the imagined ones, and the value of the state after the last step, each discounted."""
    vary(lambda: _check_mve(subject, *_mve_inputs(rng, B)), again=2)


@graded("mve_target", weight=2)
def test_an_exact_model_with_exact_values_gives_the_exact_target_at_every_horizon(subject: Subject, rng: RNG) -> None:
    """Where model and value are exact, looking further ahead changes nothing."""
    known = oracle.LinearWorld(rng, GAMMA)
    start = rng.normal(size=(B, 3))
    exact = known.value(start)  # of the first step and all that follow
    for number in (1, 2, 4, 6, 11):
        rewards, last = known.rewards(start, number)
        answer = _check_mve(subject, rewards, known.value(last), np.zeros_like(rewards, dtype=bool))
        check_close(answer, exact, "the target of an exact model")


@graded("mve_target")
def test_an_error_of_the_critic_shrinks_with_the_horizon(subject: Subject, rng: RNG) -> None:
    """A value that is wrong by b makes a target that is wrong by gamma^(H + 1) b."""
    known = oracle.LinearWorld(rng, GAMMA)
    start, bias = rng.normal(size=(B, 3)), 5.0
    for number in (1, 3, 6):
        rewards, last = known.rewards(start, number)
        answer = _check_mve(subject, rewards, known.value(last) + bias, np.zeros_like(rewards, dtype=bool))
        wanted = np.full(B, GAMMA**number * bias)
        check_close(answer - known.value(start), wanted, "the error of the target", otherwise="target_value_discount")


@graded("mve_target")
def test_errors_of_a_model_add_up_with_the_horizon(subject: Subject, rng: RNG) -> None:
    """With the exact value and a wrong model, the error of the target is 0 at first and grows with every step."""
    known = oracle.LinearWorld(rng, GAMMA)
    start = rng.normal(size=(B, 3))
    right, after = known.rewards(start, 1)
    errors = []
    for h in (0, 1, 2, 4):
        wrong, last = known.rewards(after, h, 0.8 * known.step)
        rewards = np.concatenate([right, wrong])
        answer = _check_mve(subject, rewards, known.value(last), np.zeros_like(rewards, dtype=bool))
        errors.append(float(np.abs(answer - known.value(start)).mean()))
    check(errors[0] < 1e-3, "the target of a real step alone depends on the model", "wrong_value")
    check(errors == sorted(errors), "the error of a wrong model does not grow with the horizon", "target_of_one_step")


@graded("mve_target")
def test_nothing_counts_after_a_terminal_step(subject: Subject, rng: RNG) -> None:
    """Neither later rewards nor the value, and be they NaN; the reward of the terminal step itself counts."""

    def at(of_nothing: float) -> None:
        rewards, value, terminated = _mve_inputs(rng, B)
        terminated[1, 0] = terminated[0, 1] = terminated[H, 2] = terminated[0, 3] = terminated[2, 3] = True
        after = np.cumsum(terminated, axis=0) - terminated > 0
        rewards = np.where(after, of_nothing * rewards, rewards)
        value = np.where(terminated.any(axis=0), of_nothing * value, value)
        _check_mve(subject, rewards, value, terminated, otherwise="target_terminal_wrong")

    at(1.0)
    try:
        at(np.nan)
    except CheckFailed as failure:
        raise CheckFailed(str(failure), "target_of_nan") from failure


@graded("mve_target")
def test_targets_of_any_size(subject: Subject, rng: RNG) -> None:
    """No imagined step, no batch axis or several, discounts of 0 and 1, and the sizes of the agents."""

    def at(*shape: int, h: int = H, gamma: float = GAMMA) -> None:
        _check_mve(subject, *_mve_inputs(rng, *shape, h=h), gamma)

    vary(
        lambda: at(B),
        size_one=[lambda: at(B, h=0), lambda: at(1), lambda: at(), lambda: at(1, h=0)],
        large=[lambda: at(E, B), lambda: at(128), lambda: at(B, h=40), lambda: at(B, gamma=1.0)],
    )
    _check_mve(subject, *_mve_inputs(rng, B), 0.0)


@graded("mve_target", weight=0.5, needs_another=True)
def test_a_target_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Rewards, values and ends are not changed in place."""
    inputs = _mve_inputs(rng, B)
    wanted = oracle.target(*inputs, GAMMA)
    ask = lambda *kept: check_close(subject.call(MVE, *kept, gamma=GAMMA), wanted, "the target")  # noqa: E731
    check_left_alone(subject, inputs, ask)


# td_k_pairs -----------------------------------------------------------------------------------------------------------

PAIR = ("the observations", "the actions", "the targets")


def _pair_inputs(rng: RNG, b: int = B, h: int = H, s: int = S, a: int = A) -> list[Any]:
    """Observations, actions, rewards, bonuses, last values and which steps are terminal: none."""
    states = rng.normal(size=(h + 1, b, s)), rng.normal(size=(h + 1, b, a))
    rewards, last_value, terminated = _mve_inputs(rng, b, h=h)
    return [*states, rewards, rng.normal(size=(h + 1, b)), last_value, terminated]


def _pairs(observation: Any, action: Any, targets: Any) -> tuple[Any, ...]:
    return (*(part.reshape(-1, part.shape[-1]) for part in (observation, action)), targets.reshape(-1))


def _wanted_pairs(inputs: list[Any], gamma: float) -> tuple[Any, ...]:
    targets = oracle.targets_of_steps(*inputs[2:], gamma=gamma)
    return _pairs(inputs[0], inputs[1], targets)


def _pair_slips(inputs: list[Any], gamma: float) -> dict[str, Any]:
    """What known mistakes give."""
    observation, action, rewards, bonuses, value, terminated = inputs
    of = partial(oracle.targets_of_steps, gamma=gamma)
    right, none = of(*inputs[2:]), 0 * bonuses
    of_real = (part[:1] for part in (observation, action, right))
    targets = {
        "pairs_order": np.ascontiguousarray(right.T),
        "pairs_back_to_front": right[::-1],
        "pairs_one_target": np.repeat(right[:1], len(right), axis=0),
        "pairs_rewards_alone": rewards,
        "pairs_one_step": rewards + gamma * np.where(terminated, 0.0, value),
        "pairs_own_bonus": AnyOf((of(rewards + bonuses, none, value, terminated), right + bonuses)),
        "pairs_without_bonus": of(rewards, none, value, terminated),
        "pairs_bonus_sign": of(rewards, -bonuses, value, terminated),
        "pairs_bonus_late": of(rewards, np.concatenate([none[:1], bonuses[:-1]]), value, terminated),
        "pairs_without_discount": of(*inputs[2:], gamma=1.0),
        "pairs_value_missing": of(rewards, bonuses, 0 * value, terminated),
        "pairs_terminal_ignored": of(rewards, bonuses, value, np.zeros_like(terminated)),
    }
    slips: dict[str, Any] = {"pairs_real_only": _pairs(*of_real)}
    for cause, each in targets.items():
        if isinstance(each, AnyOf):
            flat = AnyOf(tuple(one.reshape(-1) for one in each))
            slips[cause] = (np.nan, np.nan, flat)
        else:
            slips[cause] = (np.nan, np.nan, each.reshape(-1))
    by_roll_out = (part.swapaxes(0, 1) for part in (observation, action, right))
    slips["pairs_by_roll_out"] = _pairs(*by_roll_out)
    slips["pairs_not_flat"] = (observation, action, right)
    return slips


def _check_pairs(subject: Subject, inputs: list[Any], gamma: float = GAMMA) -> Any:
    answer = subject.call(PAIRS, *inputs, gamma=gamma)
    _check_parts(answer, _wanted_pairs(inputs, gamma), PAIR, lambda: _pair_slips(inputs, gamma))
    return answer


@graded("td_k_pairs", weight=2)
def test_every_step_of_a_roll_out_has_a_target_of_its_own(subject: Subject, rng: RNG) -> None:
    """Real and imagined steps alike: each target looks from its step to the end of the roll-out."""
    vary(lambda: _check_pairs(subject, _pair_inputs(rng)), again=2)


@graded("td_k_pairs", weight=2)
def test_the_critic_learns_at_imagined_states_too(subject: Subject, rng: RNG) -> None:
    """The pairs hold the imagined steps: H + 1 times as many as the real ones, in the order of steps."""
    inputs = _pair_inputs(rng)
    inputs[0] = np.arange(H + 1)[:, None, None] * 10.0 + np.arange(B)[:, None] + np.zeros(S)
    answer = _check_pairs(subject, inputs)
    step = np.asarray(answer[0])[:, 0] // 10
    check_close(step, np.repeat(np.arange(H + 1), B), "the steps of the pairs", otherwise="pairs_real_only")


@graded("td_k_pairs", weight=2)
def test_an_entropy_bonus_belongs_to_the_step_before(subject: Subject, rng: RNG) -> None:
    """The bonus of a step changes the targets of all steps before it, and neither its own nor a later one."""
    inputs = _pair_inputs(rng)
    before = _check_pairs(subject, inputs)[2].reshape(H + 1, B)
    for step in range(H + 1):
        changed = [part.copy() for part in inputs]
        changed[3][step] += 1.0
        after = _check_pairs(subject, changed)[2].reshape(H + 1, B)
        wanted = np.zeros((H + 1, B))
        for earlier in range(step):
            wanted[earlier] = GAMMA ** (step - earlier)
        check_close(after - before, wanted, "what a bonus changes", otherwise="pairs_own_bonus", atol=1e-3)


@graded("td_k_pairs")
def test_the_first_target_is_that_of_value_expansion(subject: Subject, rng: RNG) -> None:
    """The target of the real step is the discounted sum of soft rewards, its own bonus left out, and the last value."""
    inputs = _pair_inputs(rng)
    answer = _check_pairs(subject, inputs)
    soft = inputs[2] + np.concatenate([np.zeros((1, B)), inputs[3][1:]])
    wanted = oracle.target(soft, inputs[4], inputs[5], GAMMA)
    check_close(np.asarray(answer[2])[:B], wanted, "the targets of the real steps")


@graded("td_k_pairs")
def test_targets_stop_at_a_terminal_step(subject: Subject, rng: RNG) -> None:
    """The target of a terminal step is its reward, and nothing after it reaches the steps before."""
    inputs = _pair_inputs(rng)
    inputs[5][1, 0] = inputs[5][0, 1] = inputs[5][H, 2] = True
    _check_pairs(subject, inputs)


@graded("td_k_pairs")
def test_pairs_of_any_size(subject: Subject, rng: RNG) -> None:
    """No imagined step, one roll-out, one number in a state or an action, and the sizes of the agents."""

    def at(**sizes: int) -> None:
        _check_pairs(subject, _pair_inputs(rng, **sizes))

    vary(
        lambda: at(),
        size_one=[lambda: at(h=0), lambda: at(b=1), lambda: at(s=1), lambda: at(a=1)],
        large=[lambda: at(b=128), lambda: at(h=12), lambda: at(s=8, a=6)],
    )
    _check_pairs(subject, _pair_inputs(rng), 1.0)


@graded("td_k_pairs", weight=0.5, needs_another=True)
def test_pairs_leave_their_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """States, rewards, bonuses, values and ends are not changed in place."""
    inputs = _pair_inputs(rng)
    wanted = _wanted_pairs(inputs, GAMMA)
    check_left_alone(
        subject, inputs, lambda *kept: _check_parts(subject.call(PAIRS, *kept, gamma=GAMMA), wanted, PAIR, dict)
    )


# steve_targets --------------------------------------------------------------------------------------------------------

MOMENTS = ("the means", "the variances")


def _steve_inputs(rng: RNG, b: int = B, h: int = H, e: int = E, m: int = M) -> list[Any]:
    """Rewards, the first of which is the same for all members, values and which steps are terminal: none."""
    rewards = rng.normal(size=(h + 1, e, b))
    rewards[0] = rewards[0, 0]
    return [rewards, rng.normal(2.0, 1.0, (h + 1, e, m, b)), np.zeros((h + 1, e, b), bool)]


def _moments(targets: Any) -> tuple[Any, Any]:
    """Mean and variance over members and critics of T[h, e, m, b]."""
    return targets.mean(axis=(1, 2)), targets.var(axis=(1, 2))


def _steve_slips(inputs: list[Any], gamma: float) -> dict[str, Any]:
    """What known mistakes give."""
    rewards, values, terminated = inputs
    targets = oracle.targets_of_lengths(*inputs, gamma=gamma)
    mean, variance = _moments(targets)
    count = targets.shape[1] * targets.shape[2]
    last = np.repeat(values[-1:], len(values), axis=0)
    shifted = np.concatenate([values[:1], values[:-1]])
    return {
        "steve_divisor": (np.nan, variance * count / max(count - 1, 1)),
        "steve_std": (np.nan, np.sqrt(variance)),
        "steve_over_members": (np.nan, targets.mean(axis=2).var(axis=1)),
        "steve_over_critics": (np.nan, targets.var(axis=2).mean(axis=1)),
        "steve_smallest_critic": _moments(targets.min(axis=2, keepdims=True)),
        "steve_one_value": _moments(oracle.targets_of_lengths(rewards, last, terminated, gamma=gamma)),
        "steve_value_early": _moments(oracle.targets_of_lengths(rewards, shifted, terminated, gamma=gamma)),
        "steve_without_discount": _moments(oracle.targets_of_lengths(*inputs, gamma=1.0)),
        "steve_terminal_ignored": _moments(oracle.targets_of_lengths(rewards, values, 0 * terminated > 0, gamma=gamma)),
        "steve_spread_of_values": (np.nan, values.var(axis=(1, 2))),
        "steve_swapped": (variance, mean),
    }


def _check_steve(subject: Subject, inputs: list[Any], gamma: float = GAMMA) -> Any:
    answer = subject.call(TARGETS, *inputs, gamma=gamma)
    wanted = _moments(oracle.targets_of_lengths(*inputs, gamma=gamma))
    _check_parts(answer, wanted, MOMENTS, lambda: _steve_slips(inputs, gamma))
    return answer


@graded("steve_targets", weight=2)
def test_targets_of_every_length_with_their_spread(subject: Subject, rng: RNG) -> None:
    """Mean and variance, over all members and critics, of the targets that look 0 to H imagined steps ahead."""
    vary(lambda: _check_steve(subject, _steve_inputs(rng)), again=2)


@graded("steve_targets", weight=2)
def test_a_target_knows_nothing_of_later_steps(subject: Subject, rng: RNG) -> None:
    """Other rewards and values at a step change the targets that get there, and no shorter one."""
    inputs = _steve_inputs(rng)
    before = np.array(_check_steve(subject, inputs))
    for step in range(H + 1):
        other = [part.copy() for part in inputs]
        other[0][step, 1] += 1.0
        other[1][step] += 3.0 * rng.normal(size=other[1][step].shape)
        after = np.array(_check_steve(subject, other))
        changed = (np.abs(after - before) > 1e-4).any(axis=(0, 2))
        check(bool((changed == (np.arange(H + 1) >= step)).all()), "the wrong targets change", "steve_one_value")


@graded("steve_targets")
def test_an_exact_model_makes_all_lengths_equal(subject: Subject, rng: RNG) -> None:
    """With exact rewards and values each mean is the exact target, and there is no spread."""
    known = oracle.LinearWorld(rng, GAMMA)
    start = rng.normal(size=(B, 3))
    rewards, _ = known.rewards(start, H + 1)
    values = np.array([known.value(known.rewards(start, h + 1)[1]) for h in range(H + 1)])
    inputs = [
        np.repeat(rewards[:, None], E, axis=1),
        np.tile(values[:, None, None], (1, E, M, 1)),
        np.zeros((H + 1, E, B), bool),
    ]
    mean, variance = _check_steve(subject, inputs)
    check_close(mean, np.tile(known.value(start), (H + 1, 1)), "the means of an exact model")
    check_close(variance, np.zeros((H + 1, B)), "the variances of an exact model")


@graded("steve_targets")
def test_the_shortest_target_has_the_spread_of_the_critics(subject: Subject, rng: RNG) -> None:
    """At h = 0 the spread is gamma^2 times that of the values, and 0 with one critic."""
    inputs = _steve_inputs(rng)
    inputs[1][0] = inputs[1][0, :1]
    _, variance = _check_steve(subject, inputs)
    wanted = GAMMA**2 * inputs[1][0].var(axis=(0, 1))
    check_close(np.asarray(variance)[0], wanted, "the variance at h = 0")
    alone = [inputs[0], inputs[1][:, :, :1], inputs[2]]
    _, variance = _check_steve(subject, alone)
    check_close(np.asarray(variance)[0], np.zeros(B), "the variance at h = 0 of one critic")


@graded("steve_targets")
def test_expanded_targets_stop_at_terminal_steps(subject: Subject, rng: RNG) -> None:
    """A member that sees the end at a step counts nothing after it, while the others go on."""
    inputs = _steve_inputs(rng)
    inputs[2][1, 0, 0] = inputs[2][2, 1, 1] = inputs[2][H, 2, 2] = True
    inputs[2][0, :, 3] = True
    _check_steve(subject, inputs)


@graded("steve_targets")
def test_expanded_targets_of_any_size(subject: Subject, rng: RNG) -> None:
    """No imagined step, one member, one critic, one state, and the sizes of the agent."""

    def at(**sizes: int) -> None:
        _check_steve(subject, _steve_inputs(rng, **sizes))

    vary(
        lambda: at(),
        size_one=[lambda: at(h=0), lambda: at(e=1), lambda: at(m=1), lambda: at(b=1), lambda: at(e=1, m=1)],
        large=[lambda: at(b=128, e=5, m=4), lambda: at(h=7)],
    )


@graded("steve_targets", weight=0.5, needs_another=True)
def test_expanded_targets_leave_their_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Rewards, values and ends are not changed in place."""
    inputs = _steve_inputs(rng)
    wanted = _moments(oracle.targets_of_lengths(*inputs, gamma=GAMMA))
    check_left_alone(
        subject, inputs, lambda *kept: _check_parts(subject.call(TARGETS, *kept, gamma=GAMMA), wanted, MOMENTS, dict)
    )


# steve_weights --------------------------------------------------------------------------------------------------------


def _weight_slips(variance: Any, floor: float) -> dict[str, Any]:
    """What known mistakes give."""
    floored = np.maximum(variance, floor)
    with np.errstate(all="ignore"):
        free = 1.0 / variance
        slips = {
            "weights_not_scaled": 1.0 / floored,
            "weights_of_std": (1.0 / np.sqrt(floored)) / (1.0 / np.sqrt(floored)).sum(axis=0),
            "weights_without_floor": free / free.sum(axis=0),
            "weights_floor_added": (1.0 / (variance + floor)) / (1.0 / (variance + floor)).sum(axis=0),
            "weights_upside_down": floored / floored.sum(axis=0),
            "weights_even": np.full(variance.shape, 1.0 / len(variance)),
            "weights_exponential": np.exp(-floored) / np.exp(-floored).sum(axis=0),
            "weights_capped": (1.0 / np.minimum(variance, floor)) / (1.0 / np.minimum(variance, floor)).sum(axis=0),
            "weights_all_or_nothing": (floored == floored.min(axis=0)).astype(float),
        }
        if variance.ndim > 1:
            slips["weights_other_axis"] = (1.0 / floored) / (1.0 / floored).sum(axis=-1, keepdims=True)
            slips["weights_summed_over_all"] = (1.0 / floored) / (1.0 / floored).sum()
    return slips


def _check_weights(subject: Subject, variance: Any, floor: float = FLOOR) -> Any:
    answer = subject.call(WEIGHTS, variance, floor=floor)
    wanted = oracle.weights(variance, floor)
    slips = lambda: _weight_slips(variance, floor)  # noqa: E731
    check_close(answer, wanted, "the weights", slips=slips, rtol=1e-4, atol=1e-6)
    return answer


@graded("steve_weights", weight=2)
def test_weights_are_inverse_variances_that_add_up_to_one(subject: Subject, rng: RNG) -> None:
    """Twice the variance, half the weight, and one in all over the lengths."""

    def at() -> None:
        answer = _check_weights(subject, rng.uniform(0.1, 2.0, (H + 1, B)))
        check_close(np.asarray(answer).sum(axis=0), np.ones(B), "the sum of the weights", atol=1e-5)

    vary(at, again=2)


@graded("steve_weights", weight=2)
def test_a_noisy_length_loses_its_weight(subject: Subject, rng: RNG) -> None:
    """A length on which models disagree gets next to none, and none at all if its variance is infinite."""
    variance = rng.uniform(0.5, 1.0, (H + 1, B))
    for length in range(H + 1):
        for noisy, most in ((1e4, 1e-3), (np.inf, 1e-9)):
            changed = variance.copy()
            changed[length] = noisy
            answer = np.asarray(_check_weights(subject, changed))
            check(bool((answer[length] <= most).all()), "a noisy length keeps its weight", "weights_upside_down")


@graded("steve_weights")
def test_a_confidently_wrong_model_keeps_its_weight(subject: Subject, rng: RNG) -> None:
    """Where all members are wrong in the same way, the spread is none, and the weights cannot know."""
    rewards, values, terminated = _steve_inputs(rng)
    rewards[:] = rewards[:, :1]
    rewards[2:] = 50.0  # nothing like it is real, but the members agree
    values[2:] = values[2:, :1, :1]
    variance = 1e-6 + _moments(oracle.targets_of_lengths(rewards, values, terminated, gamma=GAMMA))[1]
    answer = np.asarray(_check_weights(subject, variance))
    check(bool((answer[2:].sum(axis=0) > 0.9).all()), "lengths on which all agree lose their weight", "wrong_value")


@graded("steve_weights", weight=2)
def test_a_variance_below_the_floor_counts_as_the_floor(subject: Subject, rng: RNG) -> None:
    """Lengths on which all agree by chance share the weight evenly, whatever the floor is."""
    for floor in (FLOOR, 0.5):
        variance = rng.uniform(0.1, 2.0, (H + 1, B)) * floor
        variance[1, 0] = 0.9 * floor
        _check_weights(subject, variance, floor)
        variance[0] = 0.0
        _check_weights(subject, variance, floor)
    _check_weights(subject, np.zeros((H + 1, B)))


@graded("steve_weights")
def test_weights_of_any_size(subject: Subject, rng: RNG) -> None:
    """One length, one entry, no batch axis, several of them, and the sizes of the agent."""

    def at(*shape: int) -> None:
        _check_weights(subject, rng.uniform(0.0, 2.0, shape))

    vary(
        lambda: at(H + 1, B),
        size_one=[lambda: at(1, B), lambda: at(H + 1, 1), lambda: at(H + 1)],
        large=[
            lambda: at(4, 128),
            lambda: at(3, 4, 5),
            lambda: _check_weights(subject, 1e6 * rng.uniform(size=(3, B))),
        ],
    )


@graded("steve_weights", weight=0.5, needs_another=True)
def test_weights_leave_the_variance_as_it_was(subject: Subject, rng: RNG) -> None:
    """The variance is not changed in place, not even below the floor."""
    variance = rng.uniform(0.0, 2.0, (H + 1, B)) * FLOOR
    wanted = oracle.weights(variance, FLOOR)
    ask = lambda *kept: check_close(subject.call(WEIGHTS, *kept, floor=FLOOR), wanted, "the weights")  # noqa: E731
    check_left_alone(subject, [variance], ask)


# A policy that learns -------------------------------------------------------------------------------------------------


@effect("td_k_return")
def return_of_an_expanded_policy(subject: Subject, rng: RNG) -> float:
    """The mean return of the last two evaluations of MVE with TD-k, after 250 env steps, with a goal of its own."""
    goal = world.draw_goal(rng)
    agent = _LearnerElsewhere(subject, goal, seed=int(rng.integers(1 << 31)))
    return world.score_of(world.learn_policy(agent, rng, num_env_steps=250, goal=goal))


class _LearnerElsewhere:
    """A PolicyAgent with the submitted functions, as the loop wants one: the world stays here, steps are sent."""

    def __init__(self, subject: Subject, goal: Any, seed: int) -> None:
        self._subject = subject
        self._agent = subject.call("topics.policy_learning.build_learner", "MVE with TD-k", goal, seed=seed)

    def record(self, observation: Any, action: Any, next_observation: Any) -> None:
        self._subject.call_method(self._agent, "record", observation, action, next_observation)

    def act(self, observation: Any) -> Any:
        return self._checked(self._subject.call_method(self._agent, "act", observation), 1)

    def mode(self, observations: Any) -> Any:
        return self._checked(self._subject.call_method(self._agent, "mode", observations), len(observations))

    @staticmethod
    def _checked(actions: Any, number: int) -> Any:
        shape = (world.ACT_DIM,) if np.ndim(actions) == 1 else (number, world.ACT_DIM)
        check_shape(actions, shape, "the policy's actions")
        check(bool(np.isfinite(actions).all()), "an action is not finite", "not_finite")
        return actions
