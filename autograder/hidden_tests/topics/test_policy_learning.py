"""Hidden checks of the topic policy_learning: roll-outs, expanded targets, their weights, and a policy that learns."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.hidden_tests.graded import effect
from hw4.checking.answers import check, check_shape
from hw4.checking.subject import Subject
from hw4.envs import policy_learning as world

RNG = np.random.Generator


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
