"""The referee: runs a student's agent on a real environment that the agent never sees.

The environment, the seeds, the worlds, the step count and the returns live here, in the trusted process; the agent
lives in a worker and is asked for actions.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograder.grading.private import HiddenRun
from autograder.grading.running import Run
from autograder.isolation.fork_server import GraderFault
from autograder.isolation.remote import RemoteSubject, StudentError, WorkerDied
from hw4.checking.subject import AsNumPy, Handle
from hw4.envs import Environment
from hw4.experiments import Experiment
from hw4.handin.assignment import Curve, load_assignment
from hw4.training import train
from hw4.transitions import Transition

GAP_STATES = 4  # of an episode, at which the optimism gap is measured


class BadAction(Exception):
    """The agent answered something that is no action."""


class RemoteAgent:
    """An AgentProtocol whose every answer comes from a worker.

    After each action the worker is asked what its model expects to see, before the environment moves.
    """

    def __init__(
        self,
        subject: RemoteSubject,
        experiment: Experiment,
        hidden: HiddenRun,
        env: Environment,
        actions: list[bytes] | None = None,
        build_agent: str = Curve.agent,
    ) -> None:
        """
        Args:
            subject: the worker.
            experiment: the settings.
            hidden: seeds and world.
            env: where the agent acts.
            actions: takes every action, as executed.
            build_agent: the function of hw4 that builds the agent.
        """
        self._subject = subject
        self._experiment = experiment
        self._task = experiment.task
        self._env = env
        self._copy_of_env = hidden.environment(experiment.task_name)
        self._rng = np.random.default_rng([hidden.env_seed, 1])
        self._handle = subject.call(build_agent, experiment, hidden.agent_seed)
        if not isinstance(self._handle, Handle):
            raise BadAction(f"{build_agent} did not return an agent")
        self._expected: Any = None
        self._squared_errors: list[Any] = []
        self._squared_changes: list[Any] = []
        self._visited: list[tuple[Any, Any]] = []  # (state, observation) of this episode
        self._differences: list[float] = []  # between two members' predictions, of each plan that was imagined
        self._actions = [] if actions is None else actions

    def begin_episode(self) -> None:
        self._visited.clear()
        self._squared_errors.clear()
        self._squared_changes.clear()
        self._subject.call_method(self._handle, "begin_episode")

    def act(self, observation: NDArray[np.float64]) -> NDArray[np.float64]:
        action = self._subject.call_method(self._handle, "act", AsNumPy(observation))
        if not isinstance(action, np.ndarray) or action.shape != (self._task.act_dim,):
            shape = getattr(action, "shape", type(action).__name__)
            raise BadAction(f"act must return an action of shape ({self._task.act_dim},), got {shape}")
        if action.dtype.kind != "f" or not np.isfinite(action).all():
            raise BadAction("act must return finite numbers")
        executed = np.clip(action.astype(np.float64), self._task.action_low, self._task.action_high)
        self._actions.append(executed.tobytes())
        try:
            self._expected = self._subject.call_method(
                self._handle, "predict_next", AsNumPy(observation), AsNumPy(executed)
            )
        except StudentError:  # only reported: a curve is never lost over it
            self._expected = None
        return executed

    def record(self, transition: Transition) -> None:
        self._visited.append((self._env.state(), transition.next_observation))
        if isinstance(self._expected, np.ndarray) and self._expected.shape == transition.next_observation.shape:
            self._squared_errors.append((self._expected - transition.next_observation) ** 2)
            self._squared_changes.append((transition.next_observation - transition.observation) ** 2)
        self._subject.call_method(self._handle, "record", Transition(*map(AsNumPy, transition)))

    def model_error(self) -> float:
        """One-step error on this episode's transitions: 0 is perfect, 1 as good as expecting no change; NaN unknown."""
        if not self._squared_errors:
            return math.nan
        error, change = np.mean(self._squared_errors, axis=0), np.mean(self._squared_changes, axis=0)
        return float(np.sqrt(np.mean(error / np.maximum(change, 1e-12))))

    @property
    def difference(self) -> float:
        """The smallest difference between two members, the largest over all plans; inf if there is one model."""
        return max(self._differences, default=math.inf)

    def optimism_gap(self) -> float:
        """How much better the model finds its own plans than they are, in reward per env step; NaN if unknown.

        At states drawn from this episode, the agent plans again. The referee prices what the members expect of the
        plan,
        executes it open loop on a copy of the environment, and takes the difference.
        """
        gaps = []
        for index in self._rng.choice(len(self._visited), GAP_STATES, replace=False):
            state, observation = self._visited[index]
            try:
                plan, imagined = self._imagine_plan(observation)
            except (StudentError, BadAction):  # only reported: a curve is never lost over it
                return math.nan
            self._differences.append(smallest_difference(imagined))
            expected = self._task.reward(imagined[:, :-1], plan, imagined[:, 1:]).mean()
            self._copy_of_env.reset()
            self._copy_of_env.set_state(state)
            true = np.mean([self._copy_of_env.step(action)[1] for action in plan])
            gaps.append(expected - true)
        return float(np.mean(gaps))

    def _imagine_plan(self, observation: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        size = self._experiment.ensemble_size
        answer = self._subject.call("imagination.imagine_plan", self._handle, AsNumPy(observation), ensemble_size=size)
        if not (isinstance(answer, tuple) and len(answer) == 2 and all(isinstance(a, np.ndarray) for a in answer)):
            raise BadAction("imagine_plan must return two arrays")
        plan, imagined = (np.asarray(array, dtype=np.float64) for array in answer)
        horizon = self._experiment.horizon
        shapes = ((horizon, self._task.act_dim), (size, horizon + 1, self._task.obs_dim))
        if (plan.shape, imagined.shape) != shapes:
            raise BadAction(f"imagine_plan must return arrays of shapes {shapes}")
        if not (np.isfinite(plan).all() and np.isfinite(imagined).all()):
            raise BadAction("imagine_plan must return finite numbers")
        return np.clip(plan, self._task.action_low, self._task.action_high), imagined


def smallest_difference(imagined: NDArray[Any]) -> float:
    """Between any two members, the largest over what they imagine of a plan; inf if there is only one.

    Args:
        imagined: shape (E, horizon + 1, obs_dim).
    """
    pairs = ((i, j) for i in range(len(imagined)) for j in range(i))
    return min((float(np.abs(imagined[i] - imagined[j]).max()) for i, j in pairs), default=math.inf)


def run_curve(
    open_subject: Callable[[], RemoteSubject],
    experiment: Experiment,
    hidden: HiddenRun,
    on_episode: Callable[[int, float], None] = lambda episode, episode_return: None,
    actions: list[bytes] | None = None,
    build_agent: str = Curve.agent,
) -> Run:
    """Train one agent in one hidden world. A student's error, death or spent budget ends the run, not the grader.

    Args:
        open_subject: a fresh worker.
        experiment: the settings.
        hidden: seeds and world.
        on_episode: called as each episode ends.
        actions: every executed action is appended.
        build_agent: the function of hw4 that builds the agent.
    """
    run = Run(seed=hidden.env_seed, world=hidden.facts)
    with cut_short(run), open_subject() as subject:
        _train(run, subject, experiment, hidden, on_episode, actions, build_agent)
    return run


@contextlib.contextmanager
def cut_short(run: Run) -> Iterator[None]:
    """What ends a run early, whoever's fault it is, is written down in the run."""
    try:
        yield
    except StudentError as error:
        run.failure, run.message = "raised", f"{error} ({error.where})"
        run.error = f"{error.shown_type} at {error.where}"
        stub_id = error.text.partition(":")[0]
        if error.type_name == "NotImplementedError" and stub_id in {stub.id for stub in load_assignment().stubs}:
            run.blocked_by = stub_id
    except BadAction as error:
        run.failure = "raised"
        run.error = run.message = str(error)
    except WorkerDied as error:
        run.failure, run.message = error.cause, f"the worker ended: {error.reason}"
        run.may_be_chance, run.by_machine = error.may_be_chance, error.by_machine
        run.cpu_seconds = error.exit.cpu_seconds
    except GraderFault as fault:
        run.failure, run.message, run.may_be_chance, run.by_machine = "grader_fault", str(fault), True, True
        run.by_machine = True


def _train(
    run: Run,
    subject: RemoteSubject,
    experiment: Experiment,
    hidden: HiddenRun,
    on_episode: Callable[[int, float], None],
    actions: list[bytes] | None,
    build_agent: str,
) -> None:
    env = hidden.environment(experiment.task_name)
    try:
        agent = RemoteAgent(subject, experiment, hidden, env, actions, build_agent)
        for record in train(env, agent, num_episodes=experiment.num_episodes, seed=hidden.env_seed):
            run.env_steps.append(record.env_steps)
            run.returns.append(record.episode_return)
            run.model_errors.append(agent.model_error())
            has_planned = record.episode >= experiment.num_initial_episodes
            run.optimism_gaps.append(agent.optimism_gap() if has_planned else math.nan)
            on_episode(record.episode, record.episode_return)
    finally:
        run.cpu_seconds = subject.cpu_seconds
