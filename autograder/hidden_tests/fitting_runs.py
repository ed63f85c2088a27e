"""Calls of the student's `fit` on quadratic models, with everything they asked for, and gradient descent in NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograder.hidden_tests.known_models import transitions
from hw4.checking.subject import Subject
from hw4.transitions import Transition

RNG = np.random.Generator
NUM_TRANSITIONS, BATCH, OBS_DIM, RATE = 13, 5, 4, 0.3


class FittingRun:
    """One quadratic model and its optimiser, fitted as often as asked, and what each fit was seen to do."""

    def __init__(
        self,
        subject: Subject,
        rng: RNG,
        *,
        members: int | None = None,
        momentum: float = 0.0,
        size: float = 1.0,
        start: float = 20.0,
        num_transitions: int = NUM_TRANSITIONS,
        obs_dim: int = OBS_DIM,
        batch: int = BATCH,
        watched: bool = True,
    ) -> None:
        """
        Args:
            size: of the data.
            start: how far from the data the weights start, in the data's size.
            watched: whether every loss and every step is looked at, which takes its time.
        """
        self.subject, self.rng = subject, rng
        self.size, self.obs_dim, self.num_transitions = size, obs_dim, num_transitions
        self.batch_shape = (batch,) if members is None else (members, batch)
        shape = (obs_dim,) if members is None else (members, obs_dim)
        self.start = size * start * (1 + 0.5 * rng.normal(size=shape))
        self.momentum = momentum
        self.drawn: list[tuple[Transition, Any]] = []  # (data, indices) of each minibatch that was asked for
        self.events: list[tuple[str, Any]] = []
        self.path = [self.start]  # the weights after each step of the optimiser
        watchers = (self._on_fit_normalizers, self._on_batch) if watched else (self._on_fit_normalizers,)
        self.model = subject.call("checking.doubles.QuadraticModel", self.start, *watchers)
        steps = (self._on_step,) if watched else ()
        self.optimizer = subject.call("checking.doubles.sgd", self.model, RATE, momentum, *steps)
        self.losses: Any = None

    def new_data(self) -> Transition:
        fields = transitions(self.rng, self.num_transitions, obs_dim=self.obs_dim)
        return Transition(*(self.size * field for field in fields))

    def fit(self, steps: int, data: Transition | None = None, handed_in: Transition | None = None) -> FittingRun:
        """Fit once more, to new data unless they are given. `handed_in` is what stands for them in the call."""
        self.data = self.new_data() if data is None else data
        n = len(self.data.observation)
        ahead = itertools.cycle([self.rng.integers(0, n, self.batch_shape) for _ in range(steps + 10)])

        def draw() -> Any:
            indices = next(ahead)
            self.drawn.append((self.data, indices))
            return indices

        self.events.append(("fit", self.data.observation))
        self.losses = self.subject.call(
            "dynamics_model.fit",
            self.model,
            self.data if handed_in is None else handed_in,
            self.optimizer,
            sample_indices=draw,
            gradient_steps=steps,
        )
        return self

    @property
    def weights(self) -> Any:
        return self.subject.call_method(self.model, "current_weights")

    def _on_fit_normalizers(self, observation: Any) -> None:
        self.events.append(("fit_normalizers", observation))

    def _on_batch(self, observation: Any) -> None:
        self.events.append(("loss", observation))

    def _on_step(self) -> None:
        self.path.append(self.weights)

    @property
    def num_draws(self) -> int:
        return len(self.drawn)

    @property
    def num_optimizer_steps(self) -> int:
        return len(self.path) - 1

    @property
    def uses_other_batches(self) -> bool:
        """Whether a loss was taken of something that `sample_indices` did not draw."""
        drawn = [data.observation[indices] for data, indices in self.drawn]
        seen = [batch for what, batch in self.events if what == "loss"]
        return any(all(a.shape != b.shape or not np.allclose(a, b, atol=1e-5) for b in drawn) for a in seen)

    @property
    def goes_along_the_gradients(self) -> bool:
        """Whether every step goes down its own minibatch's gradient, however far."""
        if self.num_optimizer_steps != self.num_draws or any(np.shape(w) != self.start.shape for w in self.path):
            return False
        for before, after, (data, indices) in zip(self.path, self.path[1:], self.drawn, strict=False):
            down = -(before[..., None, :] - data.observation[indices]).mean(axis=-2).ravel()
            step = (after - before).ravel()
            if step @ down < 0.999 * np.linalg.norm(step) * np.linalg.norm(down):
                return False
        return True

    @property
    def goes_downhill_in_every_weight(self) -> bool:
        """Whether every step lowers its own minibatch's loss along each weight by itself, however far it goes."""
        if self.num_optimizer_steps != self.num_draws or any(np.shape(w) != self.start.shape for w in self.path):
            return False
        steps = zip(self.path, self.path[1:], self.drawn, strict=False)
        return all(
            bool(((after - before) * (data.observation[indices].mean(axis=-2) - before) > 0).all())
            for before, after, (data, indices) in steps
        )

    @property
    def moves_one_member_at_a_time(self) -> bool:
        if any(np.shape(weights) != self.start.shape for weights in self.path):
            return False
        moved = [(np.abs(after - before) > 1e-6).any(axis=-1).sum() for before, after in itertools.pairwise(self.path)]
        return len(moved) > 0 and all(count <= 1 for count in moved)

    @property
    def bypasses_the_optimizer(self) -> bool:
        moved = np.shape(self.weights) != self.start.shape or not np.allclose(self.weights, self.start)
        return self.num_optimizer_steps == 0 and moved

    def replay(
        self,
        *,
        steps: int | None = None,
        summed: Any = 1.0,
        zeroed: bool = True,
        late: bool = False,
        momentum: float | None = None,
        restart: int = 0,
        batches: Callable[[int], int] = lambda number: number,
    ) -> tuple[Any, Any]:
        """(weights after, losses before each step) of gradient descent on the minibatches that were drawn.

        Args:
            steps: how many; as many as were drawn if None.
            summed: factor of the gradient, or of each member's.
            zeroed: whether gradients are forgotten between steps.
            late: whether each step uses the gradient of the step before.
            momentum: weight of the earlier steps; the optimiser's own if None.
            restart: forget the momentum after so many steps; 0 is never.
            batches: which minibatch each step uses.
        """
        momentum = self.momentum if momentum is None else momentum
        weights, gradient, velocity, losses = self.start.copy(), np.zeros_like(self.start), 0 * self.start, []
        for number in range(self.num_draws if steps is None else min(steps, self.num_draws)):
            data, indices = self.drawn[batches(number)]
            error = weights[..., None, :] - data.observation[indices]
            losses.append(float(np.sum(np.mean(error**2, axis=(-2, -1)))))
            step = 2 * error.mean(axis=-2) / self.obs_dim * summed
            if late:
                weights, gradient = weights - RATE * gradient, step
                continue
            gradient = step if zeroed else gradient + step
            forget = restart and number % restart == 0
            velocity = gradient if forget else momentum * velocity + gradient
            weights = weights - RATE * velocity
        return weights, np.array(losses)

    def refreshed_from(self) -> Sequence[list[Any]]:
        """Of each fit, what the normalisers were fitted to: before its first loss was taken, or else None."""
        fits: list[list[Any]] = []
        took_loss = False
        for what, seen in self.events:
            if what == "fit":
                fits.append([])
                took_loss = False
            elif what == "loss":
                took_loss = True
            else:
                fits[-1].append(None if took_loss else seen)
        return fits
