"""Hidden checks of the topic latent_models: exact inference, learned beliefs, plans, an agent that sees pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.hidden_tests.graded import effect
from hw4.checking.answers import check, check_shape
from hw4.checking.subject import Subject
from hw4.envs import latent_models as world

RNG = np.random.Generator


# An agent that sees pixels --------------------------------------------------------------------------------------------


@effect("latent_return")
def return_of_a_filter(subject: Subject, rng: RNG) -> float:
    """The mean return of the last three planned episodes of a filter, with a goal and starts of its own."""
    agent = _AgentElsewhere(subject, seed=int(rng.integers(1 << 31)))
    goal = world.draw_goal(rng)
    return world.score_of(world.learn_from_pixels(agent, rng, goal=goal))


class _AgentElsewhere:
    """A submitted LatentAgent, as the loop wants one: the world stays here, frames and rewards are sent."""

    def __init__(self, subject: Subject, seed: int) -> None:
        self._subject = subject
        self._agent = subject.call("topics.latent_models.LatentAgent", seed=seed)

    def learn(self, frames: Any, actions: Any, rewards: Any) -> None:
        self._subject.call_method(self._agent, "learn", frames, actions, rewards)

    def begin_episode(self) -> None:
        self._subject.call_method(self._agent, "begin_episode")

    def act(self, frame: Any) -> Any:
        action = self._subject.call_method(self._agent, "act", frame)
        check_shape(action, (world.ACT_DIM,), "an action")
        check(bool(np.isfinite(action).all()), "an action is not finite", "not_finite")
        return action
