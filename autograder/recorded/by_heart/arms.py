"""The arms: planners and controllers with the published physics, nominal or with the motor fitted to the data."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw4.envs import Environment, make_env
from hw4.experiments import Experiment

Array = NDArray[Any]
Act = Callable[[int, Array, Array], Array]  # (env step of the episode, observations (W, obs_dim), drives (W, 1))
CANDIDATES, ITERATIONS, ELITES = 40, 2, 8
WEAKEST = 0.3  # a motor that seems weaker than this is taken to be as strong as this


def returns_by_heart(
    experiment: Experiment, score_episodes: int, envs: list[Environment], seed: int
) -> dict[str, Array]:
    """The returns of each arm in each world: of the random episodes, and of those that are scored.

    Args:
        experiment: the settings: its task must have a law.
        score_episodes: how many episodes are scored; an arm does not improve, so no others are played.
        envs: W worlds.
        seed: of the episodes and of the planners.

    Returns:
        arm -> shape (W, initial episodes + score_episodes).
    """
    module = importlib.import_module(f"{__package__}.{experiment.task_name}")
    rng = np.random.default_rng(seed)
    first = [
        _episode(envs, experiment, _random(experiment, rng), seed + number)
        for number in range(experiment.num_initial_episodes)
    ]
    drives = _fitted(module, [data for data, _ in first])
    nominal = np.ones_like(drives)
    tape = _tape(module, experiment, seed)

    def planner() -> Act:
        return _planner(module, experiment, len(envs), rng)

    def feedback() -> Act:
        return lambda step, seen, drive: np.asarray(module.feedback(seen, drive))

    def tapes() -> Act:
        return lambda step, seen, drive: np.sign(drive) * tape[step]

    arms: dict[str, tuple[Callable[[], Act], Array]] = {
        "plans with the nominal physics": (planner, nominal),
        "plans with a fitted motor": (planner, drives),
        "nominal feedback": (feedback, nominal),
        "feedback with a fitted motor": (feedback, drives),
        "a tape for each sign": (tapes, drives),
    }
    returns = {}
    for name, (start, drive) in arms.items():
        scored = [
            _episode(envs, experiment, partial(_with_drive, start(), drive), seed + 100 + number)[1]
            for number in range(score_episodes)
        ]
        returns[name] = np.stack([*(earned for _, earned in first), *scored], axis=1)
    return returns


def _with_drive(act: Act, drive: Array, step: int, seen: Array) -> Array:
    return act(step, seen, drive)


def _episode(
    envs: Sequence[Environment], experiment: Experiment, act: Callable[[int, Array], Array], seed: int
) -> tuple[tuple[Array, Array, Array], Array]:
    """One episode of every world: its transitions, fields of shape (W, T, ...), and returns, shape (W,)."""
    task = experiment.task
    seen = np.stack([env.reset(seed=seed + 1000 * w)[0] for w, env in enumerate(envs)])
    before: list[Array] = []
    actions: list[Array] = []
    after: list[Array] = []
    total = np.zeros(len(envs))
    for step in range(task.episode_length):
        action = np.clip(act(step, seen), task.action_low, task.action_high)
        steps = [env.step(one.astype(np.float32)) for env, one in zip(envs, action, strict=True)]
        arrived = np.stack([one[0] for one in steps])
        total += [float(one[1]) for one in steps]
        for field, value in ((before, seen), (actions, action), (after, arrived)):
            field.append(value)
        seen = arrived
    return (np.stack(before, 1), np.stack(actions, 1), np.stack(after, 1)), total


def _random(experiment: Experiment, rng: np.random.Generator) -> Callable[[int, Array], Array]:
    task = experiment.task
    return lambda step, seen: rng.uniform(task.action_low, task.action_high, (len(seen), task.act_dim))


def _fitted(module: Any, data: list[tuple[Array, Array, Array]]) -> Array:
    """The motor's sign and strength in each world by least squares, shape (W, 1)."""
    before, action, after = (np.concatenate(field, axis=1) for field in zip(*data, strict=True))
    none, full = (module.predict(before, action, np.full((len(before), 1, 1), drive)) for drive in (0.0, 1.0))
    effect, rest = full - none, after - none
    drive = (effect * rest).sum(axis=(1, 2)) / np.maximum((effect**2).sum(axis=(1, 2)), 1e-12)
    sign = np.where(drive < 0, -1.0, 1.0)
    return np.asarray((sign * np.maximum(np.abs(drive), WEAKEST))[:, None])


def _planner(module: Any, experiment: Experiment, num_worlds: int, rng: np.random.Generator) -> Act:
    """Replans at every step by the cross-entropy method, with a warm start."""
    task, horizon = experiment.task, experiment.horizon
    mean = np.zeros((num_worlds, horizon, task.act_dim))

    def act(step: int, seen: Array, drive: Array) -> Array:
        nonlocal mean
        std = np.full_like(mean, experiment.initial_std)
        for _ in range(ITERATIONS):
            noise = rng.normal(size=(num_worlds, CANDIDATES, horizon, task.act_dim))
            noise[:, :, 1:] = 0.5 * noise[:, :, 1:] + 0.87 * noise[:, :, :-1]  # longer pushes
            plans = np.clip(mean[:, None] + std[:, None] * noise, task.action_low, task.action_high)
            returns = _returns(module, experiment, seen, plans, drive)
            best = np.argsort(-returns, axis=1)[:, :ELITES]
            elites = np.take_along_axis(plans, best[:, :, None, None], axis=1)
            mean, std = elites.mean(axis=1), elites.std(axis=1)
        action = mean[:, 0]
        mean = np.concatenate([mean[:, 1:], np.zeros_like(mean[:, :1])], axis=1)
        return np.asarray(action)

    return act


def _returns(module: Any, experiment: Experiment, seen: Array, plans: Array, drive: Array) -> Array:
    """Of plans (W, N, H, act_dim) from observations (W, obs_dim): shape (W, N)."""
    price = getattr(module, "reward", experiment.task.reward)  # where steps are noisy, what they are worth on average
    state = np.repeat(seen[:, None], plans.shape[1], axis=1)
    total = np.zeros(plans.shape[:2])
    for t in range(plans.shape[2]):
        arrived = module.predict(state, plans[:, :, t], drive[:, None])
        total += price(state, plans[:, :, t], arrived)
        state = arrived
    return total


def _tape(module: Any, experiment: Experiment, seed: int) -> Array:
    """What the planner does in the published world, shape (T, act_dim)."""
    rng, one = np.random.default_rng(seed), np.ones((1, 1))
    plan = _planner(module, experiment, 1, rng)
    (_, actions, _), _ = _episode(
        [make_env(experiment.task_name)], experiment, lambda t, seen: plan(t, seen, one), seed
    )
    return np.asarray(actions[0])
