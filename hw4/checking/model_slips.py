"""What a dynamics model predicts, and what its loss is, if one or two known mistakes are made (given; NumPy only).

A prediction has three stages, a loss four. Each stage is right or wrong in one of a few known ways; all combinations
with one slip or two are computed, so that a slip is named next to another one, too.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw4.checking.answers import AnyOf
from hw4.transitions import Transition

Array = NDArray[Any]
RIGHT = ""
MAX_SLIPS = 2  # at once
EPSILONS = tuple(10.0**-power for power in range(1, 9))
Stage = list[tuple[str, Any]]  # (cause, or RIGHT; a function or a value)


@dataclass(frozen=True)
class KnownModel:
    """A model whose network and statistics a check has chosen itself."""

    network: Callable[[Array], Array]
    in_mean: Array
    in_std: Array
    delta_mean: Array
    delta_std: Array

    def with_network(self, network: Callable[[Array], Array]) -> KnownModel:
        return replace(self, network=network)

    def prediction_slips(self, observation: Array, action: Array) -> dict[str, AnyOf]:
        """Cause -> the next observations that it gives, shape (N, obs_dim) as the observations."""
        units = (self.delta_mean, self.delta_std)
        seen = (observation - self.in_mean[: observation.shape[-1]]) / self.in_std[: observation.shape[-1]]
        outputs: Stage = [
            (RIGHT, lambda answer: answer * units[1] + units[0]),
            ("output_not_unnormalized", lambda answer: answer),
            ("output_not_unnormalized", lambda answer: answer + units[0]),
            ("delta_mean_missing", lambda answer: answer * units[1]),
            ("unnormalize_wrong", lambda answer: (answer - units[0]) / units[1]),
            ("unnormalize_wrong", lambda answer: (answer + units[0]) * units[1]),
        ]
        own = slice(observation.shape[-1])
        if self.in_mean[own].shape == units[0].shape:
            outputs.append(("statistics_swapped", lambda answer: answer * self.in_std[own] + self.in_mean[own]))
        outputs += [("epsilon_added", _with_epsilon(units, epsilon)) for epsilon in EPSILONS]
        starts: Stage = [
            (RIGHT, observation),
            ("delta_not_added", 0.0),
            ("absolute_target", 2 * observation),
            ("normalized_observation_added", seen),
        ]
        found = defaultdict(list)
        for cause, (inputs, output, start) in _combinations(self._inputs(observation, action), outputs, starts):
            found[cause].append(start + output(self.network(inputs)))
        return {cause: AnyOf(tuple(answers)) for cause, answers in found.items()}

    def loss_slips(self, batches: Sequence[Transition], max_slips: int = MAX_SLIPS) -> dict[str, AnyOf]:
        """Cause -> the losses of several batches of one shape (B, dim), stacked. One loss alone tells little."""
        found: dict[str, list[list[Array]]] = {}
        for batch in batches:
            losses = defaultdict(list)
            for cause, loss in self._losses(batch, max_slips):
                losses[cause].append(loss)
            for cause, values in losses.items():
                found.setdefault(cause, [[] for _ in values])
                for stack, value in zip(found[cause], values, strict=True):
                    stack.append(value)
        return {cause: AnyOf(tuple(np.stack(stack) for stack in stacks)) for cause, stacks in found.items()}

    def _losses(self, batch: Transition, max_slips: int) -> Iterator[tuple[str, Array]]:
        observation, action, after = batch
        change = after - observation
        targets: Stage = [
            (RIGHT, (change - self.delta_mean) / self.delta_std),
            ("loss_raw_units", change),
            ("delta_mean_missing", change / self.delta_std),
            ("absolute_target", (after - self.delta_mean) / self.delta_std),
            ("absolute_target", after),
            *(("batch_statistics", of_batch) for of_batch in _by_own_statistics(change)),
            *(("epsilon_added", (change - self.delta_mean) / std) for std in _raised(self.delta_std)),
        ]
        squares: Stage = [
            (RIGHT, np.square),
            ("loss_raw_units", lambda error: (error * self.delta_std) ** 2),
            ("loss_not_squared", np.abs),
            ("loss_not_squared", _huber),
            ("loss_not_squared", lambda error: 2 * _huber(error)),
        ]
        means: Stage = [
            (RIGHT, np.mean),
            ("loss_halved", lambda squared: np.mean(squared) / 2),
            ("loss_summed", np.sum),
            ("loss_summed", lambda squared: np.sum(squared) / squared.shape[0]),
            ("loss_summed", lambda squared: np.sum(squared) / squared.shape[1]),
            ("loss_summed", lambda squared: np.mean(squared, axis=0)),
            ("loss_summed", lambda squared: np.mean(squared, axis=1)),
            ("fields_counted", lambda squared: np.sum(squared) / (len(batch) * squared.shape[1])),
            ("loss_not_squared", lambda squared: np.sqrt(np.mean(squared))),
        ]
        stages = (self._inputs(observation, action), targets, squares, means)
        for cause, (inputs, target, square, mean) in _combinations(*stages, max_slips=max_slips):
            yield cause, np.asarray(mean(square(self.network(inputs) - target)))

    def _inputs(self, observation: Array, action: Array) -> Stage:
        """What the network may be shown."""
        raw = np.concatenate([observation, action], axis=-1)
        swapped = np.concatenate([action, observation], axis=-1)
        seen = (raw - self.in_mean) / self.in_std
        is_observed = np.arange(raw.shape[-1]) < observation.shape[-1]
        return [
            (RIGHT, seen),
            ("input_not_normalized", raw),
            ("input_not_normalized", raw - self.in_mean),
            ("input_not_normalized", raw / self.in_std),
            ("input_not_normalized", np.where(is_observed, seen, raw)),
            ("input_not_normalized", np.where(is_observed, raw, seen)),
            ("normalized_twice", (seen - self.in_mean) / self.in_std),
            ("inputs_swapped", (swapped - self.in_mean) / self.in_std),
            *(("batch_statistics", of_batch) for of_batch in _by_own_statistics(raw)),
            *(("epsilon_added", (raw - self.in_mean) / std) for std in _raised(self.in_std)),
        ]


def _combinations(*stages: Stage, max_slips: int = MAX_SLIPS) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Every choice of one item per stage with 1 to max_slips slips, and its cause: an epsilon gives way to another."""
    for chosen in itertools.product(*stages):
        causes = [cause for cause, _ in chosen if cause != RIGHT]
        if 1 <= len(causes) <= max_slips:
            yield min(causes, key=lambda cause: cause == "epsilon_added"), tuple(item for _, item in chosen)


def _with_epsilon(units: tuple[Array, Array], epsilon: float) -> Callable[[Array], Array]:
    return lambda answer: answer * (units[1] + epsilon) + units[0]


def _raised(std: Array) -> list[Array]:
    """The std with a small constant added to it, or to its square."""
    return [raised for epsilon in EPSILONS for raised in (std + epsilon, np.sqrt(std**2 + epsilon))]


def _by_own_statistics(values: Array) -> list[Array]:
    """A batch normalised with its own mean and std, if it has one."""
    stds = [values.std(axis=0, ddof=ddof) for ddof in (0, 1)] if values.ndim > 1 and len(values) > 1 else []
    return [(values - values.mean(axis=0)) / std for std in stds if (std > 0).all()]


def _huber(error: Array) -> Array:
    return np.where(np.abs(error) < 1, 0.5 * error**2, np.abs(error) - 0.5)


def epsilon_in(seen: Any, wanted: Array) -> tuple[Array, ...]:
    """`seen` itself, if it is a std that is too large by one constant, or its square is; else nothing.

    Args:
        seen: the std of several features, of any kind.
        wanted: what it should be; the sizes of the features differ widely, or a constant factor would look alike.
    """
    if not isinstance(seen, np.ndarray) or seen.shape != wanted.shape or wanted.max() < 10 * wanted.min():
        return ()
    for added, size in ((seen - wanted, wanted), (seen**2 - wanted**2, wanted**2)):
        constant = added[np.argmin(wanted)]
        rounding = 1e-6 * size  # of float32
        if constant > 0 and (np.abs(added - constant) < 0.1 * constant + rounding).all():
            return (seen,)
    return ()
