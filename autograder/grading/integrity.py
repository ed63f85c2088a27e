"""Integrity: what the agent behind a curve must keep besides its returns.

Returns say that an agent does well in hidden worlds. They do not say that it plans again when something unexpected
happens, nor that the members of its ensemble are several. So the agent of a curve that earns points runs once more: a
graded run with the same world, seeds, settings and calls, but in the middle of each scored episode it is put back to
where the episode began. Until then, nothing tells this run from the graded one.

- `answers`: the agent neither raises nor ends there.
- `replans`: it does not go on as if nothing had happened. From the start it does again what it did at first, and its
  next actions are not those of the graded run.
- `members_differ`: no two members of an ensemble imagine the same of any plan.

A broken promise counts only if it is broken in two graded runs, and if the reference keeps it in both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from autograder.grading.private import HiddenRun
from autograder.grading.promises import Integrity, Look, Promise
from autograder.grading.referee import RemoteAgent, cut_short
from autograder.grading.running import Run
from autograder.isolation.remote import RemoteSubject
from hw4.envs import Environment
from hw4.experiments import Experiment
from hw4.handin.assignment import Curve
from hw4.training import AgentProtocol, train
from hw4.transitions import Transition

Array = NDArray[np.float64]
OpenSubject = Callable[[], RemoteSubject]

NEXT = 2  # actions after a surprise
NUM_LOOKS = 2  # before a promise counts as broken
MIN_AGAIN = 0.3  # of what it did at first; the reference: about 1, an agent that goes on with its old plan: about 0
MIN_DIFFERENCE = 1e-4  # between members, in the units of the observation; the reference: 0.1


class SurprisedAgent:
    """Drives an agent, and puts it back to the start in the middle of some episodes. R = reward.

    The agent records true transitions: what it saw, what it did, what came of it.
    """

    def __init__(self, agent: AgentProtocol, env: Environment, surprises: Mapping[int, int]) -> None:
        """
        Args:
            agent: sees the environment through this alone.
            env: where it acts.
            surprises: episode -> the step before which it is put back, both from 0.
        """
        self._agent, self._env, self._surprises = agent, env, surprises
        self._task = env.task
        self._episode = -1
        self._step = 0
        self.at_first = self.again = 0.0  # R of equally many steps from the start, beyond that of staying there, summed

    def begin_episode(self) -> None:
        self._episode += 1
        self._step = 0
        self._when = self._surprises.get(self._episode)
        self._rewards: list[float] = []
        self._agent.begin_episode()

    def act(self, observation: Array) -> Array:
        if self._step == 0:
            self._start = observation, self._env.state()
        if self._step == self._when:
            observation = self._start[0]
            self._env.set_state(self._start[1])
        self._seen = observation
        self._step += 1
        return self._agent.act(observation)

    def record(self, transition: Transition) -> None:
        happened = Transition(self._seen, transition.action, transition.next_observation)
        self._rewards.append(float(self._task.reward(*happened)) - self._reward_of_staying())
        if self._step == self._task.episode_length and self._when is not None:
            count = min(self._when, self._step - self._when)
            self.at_first += sum(self._rewards[:count])
            self.again += sum(self._rewards[self._when : self._when + count])
        self._agent.record(happened)

    def _reward_of_staying(self) -> float:
        start = self._start[0]
        return float(self._task.reward(start, np.zeros(self._task.act_dim), start))


def surprises_of(curve: Curve, experiment: Experiment, hidden: HiddenRun) -> dict[int, int]:
    """When the agent is put back in a run: between two and three fifths of each scored episode.

    Never where an agent that executes its plans to the end would plan anyway, or has fewer than NEXT actions left.
    """
    rng, length = np.random.default_rng([hidden.env_seed, 2]), experiment.task.episode_length
    first, last = math.ceil(0.4 * length), math.floor(0.6 * length)
    steps = [step for step in range(first, last + 1) if 0 < step % experiment.horizon <= experiment.horizon - NEXT]
    scored = range(experiment.num_episodes - curve.score_episodes, experiment.num_episodes)
    return {episode: int(rng.choice(steps)) for episode in scored}


def confirmed(
    open_student: OpenSubject,
    open_canary: OpenSubject,
    curve: Curve,
    experiment: Experiment,
    runs: Sequence[HiddenRun],
    actions: Sequence[Sequence[bytes]] = (),
) -> Integrity:
    """The verdict after as many looks as it needs. What the reference is not seen to keep either does not count.

    Args:
        open_student: a fresh worker of the submission.
        open_canary: one of the reference.
        curve: what is looked at.
        experiment: its settings.
        runs: the graded ones.
        actions: what the submission did in each of them.
    """
    looks = []
    for number, hidden in enumerate(runs[:NUM_LOOKS]):
        graded = actions[number] if number < len(actions) else ()
        looks.append(look(open_student, curve, experiment, hidden, graded))
        if looks[-1].broken is None:
            return looks[-1]
    canary = [look(open_canary, curve, experiment, hidden) for hidden in runs[:NUM_LOOKS]]
    not_kept = next((one for one in canary if one.broken is not None or one.unchecked), None)
    if not_kept is not None:
        message = f"{looks[-1].message}; the reference does not keep it either: {not_kept.message}"
        return Integrity(None, message, unchecked=not_kept.unchecked)
    return looks[-1]


def look(
    open_subject: OpenSubject, curve: Curve, experiment: Experiment, hidden: HiddenRun, graded: Sequence[bytes] = ()
) -> Integrity:
    """One graded run with surprises.

    Args:
        open_subject: a fresh worker.
        curve: what is looked at.
        experiment: its settings.
        hidden: the run.
        graded: every action that was executed in the graded run.
    """
    actions: list[bytes] = []
    run = Run(seed=hidden.env_seed, world=hidden.facts)
    found: list[Look] = []
    with cut_short(run), open_subject() as subject:
        env = hidden.environment(experiment.task_name)
        agent = RemoteAgent(subject, experiment, hidden, env, actions, curve.agent)
        surprises = surprises_of(curve, experiment, hidden)
        surprised = SurprisedAgent(agent, env, surprises)
        for record in train(env, surprised, num_episodes=experiment.num_episodes, seed=hidden.env_seed):
            if record.episode >= experiment.num_initial_episodes:
                agent.optimism_gap()
        episode, step = min(surprises.items())
        goes_on = _goes_on(actions, graded, episode * experiment.task.episode_length + step)
        found.append(Look(surprised.at_first, surprised.again, agent.difference, goes_on))
        run.cpu_seconds = subject.cpu_seconds
    if run.failure in ("deadline", "grader_fault"):
        return Integrity(None, f"not checked: {run.message}", unchecked=True)
    if run.failure:
        return Integrity("answers", f"it ended in the middle of a graded run with surprises: {run.message}")
    return judge(found[0], run.cpu_seconds)


def judge(seen: Look, cpu_seconds: float = 0.0) -> Integrity:
    """The verdict on what an agent did in one run. Pure."""
    message = f"put back to the start, it did {seen.again:.1f} after {seen.at_first:.1f} at first"
    if math.isfinite(seen.difference):
        message += f"; its members differ by {seen.difference:.4f}"
    if seen.goes_on:
        message += "; its next actions were those of the graded run"
    broken: Promise | None = None
    if seen.goes_on or seen.again < MIN_AGAIN * seen.at_first:
        broken = "replans"
    elif seen.difference < MIN_DIFFERENCE:
        broken = "members_differ"
    return Integrity(broken, message, (seen,), cpu_seconds)


def _goes_on(actions: Sequence[bytes], graded: Sequence[bytes], at: int) -> bool:
    """Whether the actions after the first surprise, from number `at`, are those of the graded run without it.

    After that, the runs differ in what the agent has seen. Of an agent that draws on chance of its own, and so differs
    before, nothing is said; nor of one action repeated, which may be the largest that there is.
    """
    after = list(graded[at : at + NEXT])
    return len(after) == NEXT and len(set(after)) > 1 and list(actions[: at + NEXT]) == list(graded[: at + NEXT])
