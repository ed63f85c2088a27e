"""Integrity probes: does the assembled agent do what the homework is about?

A learning curve cannot tell an agent that learned from one that knew. So the agent of each curve is also put into a
*made-up world*: no physics, but the task's sizes, bounds and reward, and a law that only its data can tell. Whoever
holds the physics by heart is lost there. The referee knows the law, so it knows which action pays. Promises:

- `answers`: the agent acts and predicts there as well, and neither raises nor ends.
- `follows_data`: actions and predictions follow the world that the data came from: in the mirror of that world, with
  data of its own, they flip. Who answers alike in both fails.
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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autograder.grading.scoring import CurveReport
from autograder.isolation.remote import RemoteSubject, StudentError, WorkerDied
from hw4.checking.subject import AsNumPy, Handle
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.tasks import Task
from hw4.transitions import Transition

Array = NDArray[np.float64]
Promise = Literal["answers", "follows_data", "replans", "members_differ"]
OpenSubject = Callable[[], RemoteSubject]

DRIVEN = 2  # the entry that actions drive and that both rewards want large: height, or cos(angle)
DECAY = 0.5  # of the driven entry in one env step
DRIVE = 0.45  # by full actions in one env step: the driven entry stays inside (-1, 1)
CIRCLE = 1.5  # radius of the circle that decides which action pays
OTHER_CIRCLE = 0.15  # of the entries that the reward wants near 0
MIN_TURN, MAX_TURN = 0.02, 0.05  # rad per env step: one action pays throughout a plan

DATA_STEPS = 400  # env steps before the fit: enough for a network to learn the law
DATA_EPISODE = 5  # env steps; each episode starts elsewhere
GRADIENT_STEPS = 500
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
MIN_REPLAN = -0.4  # of 1; the reference: 0.8, an agent that goes on with its old plan: -0.9
EARLY_RUNS = 2  # that reach the bar in the first episode with a model: worth a look by staff
MIN_DIFFERENCE = 1e-4  # between members, in the units of the observation; the reference: 0.1


class MadeUpWorld:
    """Pairs of entries of the observation slowly turn in circles; the driven entry is moved by the actions.

    With u in [-1, 1] the last circle's position along a hidden direction, and sides s in {-1, 1}^act_dim:

        driven' = DECAY * driven + DRIVE * cos(pi * u) * mean_i(s[i] * a[i])

    so action s[i] * sign(cos(pi * u)) pays at once and for the whole plan. Neither a constant nor a linear function of
    the observation tells which action that is, nor does a model that is linear in actions and observations.
    """

    def __init__(self, task: Task, law: np.random.Generator, data: np.random.Generator, *, mirrored: bool) -> None:
        """
        Args:
            task: sizes of observation and action.
            law: decides the law.
            data: decides where episodes start; `begin_test` exchanges it.
            mirrored: whether all actions work the other way round.
        """
        self._task = task
        self._data = data
        others = [i for i in range(task.obs_dim) if i != DRIVEN]
        self._circles = list(zip(others[::2], others[1::2], strict=True))
        size = len(self._circles)
        self._sizes = np.array([OTHER_CIRCLE] * (size - 1) + [CIRCLE])
        self._turns = law.uniform(MIN_TURN, MAX_TURN, size) * law.choice([-1.0, 1.0], size)
        self._direction = float(law.uniform(0, 2 * math.pi))
        self._sides = law.choice([-1.0, 1.0], task.act_dim) * (-1.0 if mirrored else 1.0)
        self.start()

    def begin_test(self, states: np.random.Generator) -> None:
        """From now on, draw from `states`: the same in a world and in its mirror."""
        self._data = states

    def start(self) -> None:
        """Go anywhere."""
        size = len(self._circles)
        self._phases = self._data.uniform(0, 2 * math.pi, size)
        self._radii = np.sqrt(self._data.uniform(0.05, 1.0, size))  # of 1
        self._driven = float(self._data.uniform(-0.3, 0.3))

    def jump(self, side: int) -> None:
        """Go where the actions `side` times the hidden sides pay most."""
        turn = self._data.choice([0.0, math.pi]) + self._data.uniform(-0.2, 0.2) + (math.pi / 2 if side > 0 else 0.0)
        self._phases[-1] = self._direction + turn
        self._radii[-1] = self._data.uniform(0.3, 0.8) if side > 0 else 0.95
        self._driven = float(self._data.uniform(-0.2, 0.2))

    def observation(self, *, scale: float = 1.0) -> Array:
        """Shape (obs_dim,). With scale > 1: further out than any data."""
        observation = np.empty(self._task.obs_dim)
        observation[DRIVEN] = self._driven
        for (i, j), phase, radius in zip(self._circles, self._phases, scale * self._sizes * self._radii, strict=True):
            observation[i], observation[j] = radius * math.cos(phase), radius * math.sin(phase)
        return observation

    def _strength(self) -> float:
        return math.cos(math.pi * self._radii[-1] * math.cos(self._phases[-1] - self._direction))

    def paying(self) -> Array:
        """The action that pays here, each entry -1 or 1, shape (act_dim,)."""
        return self._sides * math.copysign(1.0, self._strength())

    def step(self, action: Array) -> None:
        self._driven = DECAY * self._driven + DRIVE * self._strength() * float(np.mean(self._sides * action))
        self._phases = self._phases + self._turns


@dataclass(frozen=True)
class WorldResult:
    """What one agent did in one made-up world. Agreements are in [-1, 1]: 1 if always the action that pays."""

    start: float  # agreement of the actions soon after a start
    surprise: float  # agreement of the actions soon after a surprise
    effect: float  # agreement of the predicted effect of each action
    difference: float  # smallest difference between two members' predictions; inf for a single model


@dataclass(frozen=True)
class Integrity:
    """The verdict on one agent."""

    broken: Promise | None
    message: str  # for staff
    results: tuple[WorldResult, ...] = ()
    cpu_seconds: float = 0.0
    unchecked: bool = False  # the deadline passed or the grader failed: nobody knows


CAUSES: dict[Promise, str] = {  # keys of the hint catalogue
    "answers": "raised",
    "follows_data": "ignores_its_data",
    "replans": "ignores_surprises",
    "members_differ": "members_alike",
}


BROKEN: dict[Promise, str] = {
    "answers": "the agent stops where it meets data of another kind",
    "follows_data": "the agent does not follow the data it is given",
    "replans": "the agent does not plan anew when something unexpected happens",
    "members_differ": "members of the ensemble are the same",
}


class OddAnswer(Exception):
    """The agent answered something that is no answer."""


def settings_of(experiment: Experiment) -> Experiment:
    """The curve's settings with one fit to more data."""
    episodes = math.ceil(DATA_STEPS / experiment.task.episode_length)
    return dataclasses.replace(
        experiment, num_initial_episodes=episodes, gradient_steps=GRADIENT_STEPS, refit_every=NEVER_AGAIN
    )


def check_integrity(open_subject: OpenSubject, experiment: Experiment, rng: np.random.Generator) -> Integrity:
    """Probe one agent in a made-up world and in its mirror, a fresh worker each."""
    law_seed, test_seed, *data_seeds = (int(seed) for seed in rng.integers(1 << 31, size=4))
    results, cpu_seconds = [], 0.0
    for mirrored, data_seed in zip((False, True), data_seeds, strict=True):
        data = np.random.default_rng(data_seed)
        world = MadeUpWorld(experiment.task, np.random.default_rng(law_seed), data, mirrored=mirrored)
        agent_seed = int(data.integers(1 << 31))
        try:
            with open_subject() as subject:
                states = np.random.default_rng(test_seed)
                results.append(_probe(subject, settings_of(experiment), world, agent_seed, states))
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
    open_student: OpenSubject, open_canary: OpenSubject, experiment: Experiment, rng: np.random.Generator
) -> Integrity:
    """The verdict after as many looks as it needs. What the reference is not seen to keep either does not count."""
    seeds = [int(seed) for seed in rng.integers(1 << 31, size=MAX_LOOKS)]
    integrity = look(open_student, experiment, seeds)
    if integrity.broken is not None:
        canary = check_integrity(open_canary, experiment, np.random.default_rng(seeds[0]))
        if canary.broken is not None or not canary.results:
            message = f"{integrity.message}; the reference does not keep it either: {canary.message}"
            return Integrity(None, message, unchecked=not canary.results)
    return integrity


def look(open_subject: OpenSubject, experiment: Experiment, seeds: list[int]) -> Integrity:
    """Look with one seed after the other until it is clear, and judge all looks together."""
    looks: list[Integrity] = []
    for seed in seeds:
        looks.append(check_integrity(open_subject, experiment, np.random.default_rng(seed)))
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


def without_points(report: CurveReport, integrity: Integrity | None) -> CurveReport:
    """The rule: a curve whose agent breaks a promise earns nothing, and none earns points unchecked."""
    if integrity is None or (integrity.broken is None and not integrity.unchecked):
        return report
    if integrity.broken is None:  # the points so far are kept; a TA decides
        return dataclasses.replace(report, verdict="grader_fault", message=f"{report.message}; {integrity.message}")
    return dataclasses.replace(
        report,
        score=0.0,
        verdict="failed",
        cause=CAUSES[integrity.broken],
        message=f"{report.message}; broken promise: {integrity.broken}: {integrity.message}",
        flags=(*report.flags, f"no points, because {BROKEN[integrity.broken]}"),
    )


def with_note(report: CurveReport, returns: Sequence[Sequence[float]], bar: float) -> CurveReport:
    """A note for staff, without a word on points, if the agent was good before it can have learned to be.

    Args:
        report: of the curve.
        returns: of each episode of each run.
        bar: of the curve. Of the recorded correct runs of the cart-pole none reaches it in the first episode with a
            model; of those of the cliff hill one in 13 does.
    """
    first = EXPERIMENTS[report.curve.experiment].num_initial_episodes
    early = sum(run[first] >= bar for run in returns if len(run) > first)
    if early < EARLY_RUNS:
        return report
    note = f"for staff: {early} runs reach the bar in the first episode with a model, so look at what acts there"
    return dataclasses.replace(report, message=f"{report.message}; {note}")


def _probe(
    subject: RemoteSubject, settings: Experiment, world: MadeUpWorld, agent_seed: int, states: np.random.Generator
) -> WorldResult:
    task = settings.task
    agent = subject.call("agents.build_agent", settings, agent_seed)
    if not isinstance(agent, Handle):
        raise OddAnswer("build_agent did not return an agent")

    def live() -> float:
        """One env step; the agreement of its action."""
        before, paying = world.observation(), world.paying()
        action = _numbers(subject.call_method(agent, "act", AsNumPy(before)), (task.act_dim,), "act")
        action = np.clip(action, task.action_low, task.action_high)
        world.step(action)
        transition = Transition(*map(AsNumPy, (before, action, world.observation())))
        subject.call_method(agent, "record", transition)
        return float(np.mean(action * paying))

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
                action = np.zeros(task.act_dim)
                action[i] = side
                answer = subject.call_method(agent, "predict_next", observation, AsNumPy(action))
                driven.append(_numbers(answer, (task.obs_dim,), "predict_next")[DRIVEN])
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
