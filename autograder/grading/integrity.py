"""Integrity probes: does the assembled agent do what the homework is about?

A learning curve cannot tell an agent that learned from one that knew. So the agent of each curve is also put into a
*made-up world*: no physics, but the task's sizes, bounds and reward, and a law that only its data can tell. An agent
that has memorised the physics is lost there. The referee knows the law, so it knows which action pays. Promises:

- `answers`: the agent acts and predicts there as well, and neither raises nor ends.
- `follows_data`: actions and predictions follow the world that the data came from: in the mirror of that world, with
  data of its own, they flip. An agent that answers the same in both fails.
- `replans`: when an observation comes that no plan could expect, the agent soon acts on it.
- `members_differ`: no two members of an ensemble imagine the same where there is no data.

The agent is driven through the documented protocol alone (begin_episode, act, record) and asked what it expects
(predict_next, imagination.imagine_plan). The rule: a curve earns points only if its agent keeps all its promises. What
is not clear at the first look is looked at again with other laws and other data, all looks are judged together, and a
broken promise counts only if the reference keeps all of them at the first of these looks.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograder.grading.made_up_world import MadeUpWorld, why_not
from autograder.grading.promises import Integrity, Promise, WorldResult
from autograder.isolation.remote import RemoteSubject, StudentError, WorkerDied
from hw4.checking.subject import AsNumPy, Handle
from hw4.experiments import Experiment
from hw4.handin.assignment import Curve
from hw4.tasks import Task
from hw4.transitions import Transition

Array = NDArray[np.float64]
OpenSubject = Callable[[], RemoteSubject]

ENTRIES = 6  # of observation and action together, for which the next numbers are enough; twice as many need twice that
DATA_STEPS = 400  # env steps before the fit: enough for a network to learn the law
GRADIENT_STEPS = 500
DATA_EPISODE = 5  # env steps; each episode starts elsewhere
NEVER_AGAIN = 1_000_000  # refit_every: one fit is enough
TEST_EPISODES = 4
SETTLE, JUDGED = 2, 2  # actions after a start or a surprise: the first may still be uncertain, the next are judged
EFFECT_STATES = 8

MIN_LOOKS = 2  # before a promise counts as broken
MAX_LOOKS = 5  # before an agent that does follow its data, but not clearly, is believed
CLEAR = 0.5  # of 1: an agent whose actions agree so well is believed at once
CLEAR_SURPRISE = 0.3
MIN_FOLLOW = 0.2  # of 1, over a world and its mirror; the reference: 0.9, an agent that ignores its data: 0
MIN_EFFECT = 0.5  # of 1; the reference: 1, an agent that ignores its data: 0
MIN_REPLAN = -0.4  # of 1; the reference: 0.8, an agent that keeps following its old plan: -0.9
MIN_DIFFERENCE = 1e-4  # between members, in the units of the observation; the reference: 0.1


class OddAnswer(Exception):
    """The agent answered something that is no answer."""


def settings_of(experiment: Experiment) -> Experiment:
    """The curve's settings with one fit to more data."""
    task = experiment.task
    times = math.ceil((task.obs_dim + task.act_dim) / ENTRIES)
    episodes = math.ceil(times * DATA_STEPS / task.episode_length)
    return dataclasses.replace(
        experiment, num_initial_episodes=episodes, gradient_steps=times * GRADIENT_STEPS, refit_every=NEVER_AGAIN
    )


def check_integrity(
    open_subject: OpenSubject, experiment: Experiment, rng: np.random.Generator, build_agent: str = Curve.agent
) -> Integrity:
    """Probe one agent in a made-up world and in its mirror, a fresh worker each.

    Args:
        open_subject: a fresh worker.
        experiment: the settings of the curve.
        rng: decides everything about the worlds.
        build_agent: the function of hw4 that builds the agent.
    """
    if reason := why_not(experiment.task):
        return Integrity(None, f"not checked: {reason}", unchecked=True)
    settings = settings_of(experiment)
    law_seed, test_seed, *data_seeds = (int(seed) for seed in rng.integers(1 << 31, size=4))
    results, cpu_seconds = [], 0.0
    for mirrored, data_seed in zip((False, True), data_seeds, strict=True):
        data = np.random.default_rng(data_seed)
        world = MadeUpWorld(experiment.task, np.random.default_rng(law_seed), data, mirrored=mirrored)
        agent_seed = int(data.integers(1 << 31))
        try:
            with open_subject() as subject:
                states = np.random.default_rng(test_seed)
                agent = subject.call(build_agent, settings, agent_seed)
                results.append(_probe(subject, agent, settings, world, states))
                cpu_seconds += subject.cpu_seconds
        except StudentError as error:
            return Integrity("answers", f"raised in a made-up world: {error} ({error.where})")
        except OddAnswer as error:
            return Integrity("answers", f"no answer in a made-up world: {error}")
        except WorkerDied as death:
            if death.reason == "deadline":
                return Integrity(None, "not checked: the overall deadline passed", unchecked=True)
            return Integrity("answers", f"the worker ended in a made-up world: {death.reason}")
    return judge(tuple(results), cpu_seconds)


def confirmed(
    open_student: OpenSubject,
    open_canary: OpenSubject,
    experiment: Experiment,
    rng: np.random.Generator,
    build_agent: str = Curve.agent,
) -> Integrity:
    """The verdict after as many looks as it needs. What the reference is not seen to keep either does not count."""
    seeds = [int(seed) for seed in rng.integers(1 << 31, size=MAX_LOOKS)]
    integrity = look(open_student, experiment, seeds, build_agent)
    if integrity.broken is not None:
        canary = check_integrity(open_canary, experiment, np.random.default_rng(seeds[0]), build_agent)
        if canary.broken is not None or not canary.results:
            message = f"{integrity.message}; the reference does not keep it either: {canary.message}"
            return Integrity(None, message, unchecked=not canary.results)
    return integrity


def look(
    open_subject: OpenSubject, experiment: Experiment, seeds: list[int], build_agent: str = Curve.agent
) -> Integrity:
    """Look with one seed after the other until it is clear, and judge all looks together."""
    looks: list[Integrity] = []
    for seed in seeds:
        looks.append(check_integrity(open_subject, experiment, np.random.default_rng(seed), build_agent))
        together = _together(looks)
        if together.broken is None and _is_clear(together):
            break
        if together.broken is not None and len(looks) >= MIN_LOOKS:
            break
    return together


def _is_clear(integrity: Integrity) -> bool:
    if not integrity.results:
        return True
    start, surprise = _agreement(integrity.results, "start"), _agreement(integrity.results, "surprise")
    return start >= CLEAR and surprise >= CLEAR_SURPRISE


def _together(looks: list[Integrity]) -> Integrity:
    """Several looks as one. One look at which the agent raised or ended may be chance; two are not."""
    without = [look for look in looks if not look.results]
    if without and without[-1].unchecked:
        return without[-1]
    results = tuple(result for look in looks for result in look.results)
    if len(without) >= MIN_LOOKS or not results:
        return without[-1]
    return judge(results, sum(look.cpu_seconds for look in looks))


def judge(results: tuple[WorldResult, ...], cpu_seconds: float = 0.0) -> Integrity:
    """The verdict on what an agent did in a world and in its mirror. Pure."""
    start, surprise, effect = (_agreement(results, name) for name in ("start", "surprise", "effect"))
    difference = min(result.difference for result in results)
    message = (
        f"actions after a start {start:.2f}, after a surprise {surprise:.2f}, predicted effects {effect:.2f}, "
        f"members differ by {difference:.4f}"
    )
    broken: Promise | None = None
    if start >= CLEAR and surprise < MIN_REPLAN and effect >= MIN_EFFECT:
        broken = "replans"
    elif start < MIN_FOLLOW or effect < MIN_EFFECT:
        broken = "follows_data"
    elif difference < MIN_DIFFERENCE:
        broken = "members_differ"
    return Integrity(broken, message, results, cpu_seconds)


def _agreement(results: tuple[WorldResult, ...], name: str) -> float:
    return float(np.mean([getattr(result, name) for result in results]))


def _probe(
    subject: RemoteSubject, agent: Any, settings: Experiment, world: MadeUpWorld, states: np.random.Generator
) -> WorldResult:
    if not isinstance(agent, Handle):
        raise OddAnswer("what builds the agent did not return one")
    task = settings.task

    def live() -> float:
        """One env step; the agreement of its action."""
        before, paying = world.observation(), world.paying()
        action = _numbers(subject.call_method(agent, "act", AsNumPy(before)), (task.act_dim,), "act")
        action = np.clip(action, task.action_low, task.action_high)
        agreement = float(np.mean(world.in_units(action) * paying))
        world.step(action)
        transition = Transition(*map(AsNumPy, (before, action, world.observation())))
        subject.call_method(agent, "record", transition)
        return agreement

    for step in range(settings.initial_steps):
        if step % DATA_EPISODE == 0:
            world.start()
            subject.call_method(agent, "begin_episode")
        live()
    world.begin_test(states)
    start, surprise = [], []
    for episode in range(TEST_EPISODES):
        world.start()
        subject.call_method(agent, "begin_episode")
        side = 1 if episode % 2 else -1
        world.jump(side)
        start += [live() for _ in range(SETTLE + JUDGED)][SETTLE:]
        world.jump(-side)
        surprise += [live() for _ in range(SETTLE + JUDGED)][SETTLE:]
    return WorldResult(
        start=float(np.mean(start)),
        surprise=float(np.mean(surprise)),
        effect=_effect(subject, agent, task, world),
        difference=_difference(subject, agent, settings, world),
    )


def _effect(subject: RemoteSubject, agent: Handle, task: Task, world: MadeUpWorld) -> float:
    """Whether the model knows which way each entry of the action drives."""
    agreements = []
    for state in range(EFFECT_STATES):
        world.start()
        world.jump(1 if state % 2 else -1)
        observation = AsNumPy(world.observation())
        for i in range(task.act_dim):
            driven = []
            for side in (task.action_high, task.action_low):
                action = world.from_units(np.zeros(task.act_dim))
                action[i] = side
                answer = subject.call_method(agent, "predict_next", observation, AsNumPy(action))
                driven.append(_numbers(answer, (task.obs_dim,), "predict_next")[world.driven])
            agreements.append(np.sign(driven[0] - driven[1]) * world.paying()[i])
    return float(np.mean(agreements))


def _difference(subject: RemoteSubject, agent: Handle, settings: Experiment, world: MadeUpWorld) -> float:
    """The smallest difference between two members, the largest over what they imagine of a plan."""
    size = settings.ensemble_size
    if size == 1:
        return math.inf
    world.start()
    observation = AsNumPy(world.observation(scale=2.0))
    answer = subject.call("imagination.imagine_plan", agent, observation, ensemble_size=size)
    if not (isinstance(answer, tuple) and len(answer) == 2):
        raise OddAnswer("imagine_plan must return two arrays")
    imagined = _numbers(answer[1], (size, settings.horizon + 1, settings.task.obs_dim), "imagine_plan")
    return min(float(np.abs(imagined[i] - imagined[j]).max()) for i in range(size) for j in range(i))


def _numbers(answer: Any, shape: tuple[int, ...], name: str) -> Array:
    if not isinstance(answer, np.ndarray) or answer.shape != shape or answer.dtype.kind != "f":
        raise OddAnswer(f"{name} must return numbers of shape {shape}")
    if not np.isfinite(answer).all():
        raise OddAnswer(f"{name} must return finite numbers")
    return answer.astype(np.float64)
