"""What a search with CEM draws and scores: remembered, and explained (given; NumPy only)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw4.checking.answers import AnyOf, CheckFailed, check, check_shape

Array = NDArray[Any]
Slip = tuple[str, str]  # (what is wrong, its cause: a key of the hints)
MAX_DRAWS = 100_000  # far more than any check asks for

# What noise may have been turned into before it was used.
CHANGES: tuple[Callable[[Array], Array], ...] = (
    np.abs,
    lambda u: -np.abs(u),
    np.square,
    np.tanh,
    lambda u: 1.0 / (1.0 + np.exp(-1.702 * u)),  # the normal distribution function, up to 0.01
    *((lambda u, size=size: np.clip(u, -size, size)) for size in (1.0, 1.5, 2.0, 2.5, 3.0)),
)


class CemTrace:
    """Stands between a search and its objective and noise. H = horizon, A = act_dim."""

    def __init__(
        self, objective: Callable[[Array], Array], noise: Callable[[int], Array], action_low: Array, action_high: Array
    ) -> None:
        self._objective, self._noise = objective, noise
        self.low, self.high = action_low, action_high
        self.scored: list[Array] = []  # what each call of the objective was asked about
        self.drawn = np.zeros((0, 0, 0))  # all draws, shape (n, H, A)

    def objective(self, action_sequences: Array) -> Array:
        shape = np.shape(action_sequences)
        if len(shape) != 3 or (len(self.drawn) and shape[1:] != self.drawn.shape[1:]):
            message = f"objective was called with candidates of shape {shape}, not (population_size, horizon, act_dim)"
            raise CheckFailed(message, "arguments_do_not_fit")
        self.scored.append(np.array(action_sequences, dtype=np.float64))
        return np.asarray(self._objective(action_sequences))

    def noise(self, count: Any) -> Array:
        wanted = int(count)
        check(0 <= wanted <= MAX_DRAWS, f"{count} random draws were asked for at once", "wrong_candidate_count")
        drawn = self._noise(wanted)
        self.drawn = np.concatenate([self.drawn, drawn]) if len(self.drawn) else np.array(drawn)
        check(len(self.drawn) <= MAX_DRAWS, "far too many random draws were asked for", "wrong_candidate_count")
        return drawn

    def check_counts(self, plan: Any, population_size: int, num_iterations: int, shape: tuple[int, int]) -> None:
        """`num_iterations` calls of the objective, each about the whole population, and a plan of `shape`, (H, A)."""
        total = sum(map(len, self.scored))
        message = f"{total} candidates were scored, wanted {num_iterations} * {population_size}"
        check(len(self.drawn) > 0, "noise was never called", "noise_not_used")
        is_right = total == num_iterations * population_size and len(self.scored) == num_iterations
        check(is_right, message, "wrong_candidate_count")
        for candidates in self.scored:
            check_shape(candidates, (population_size, *shape), "the candidates of an iteration")
        check_shape(plan, shape, "the plan")

    def check_inside(self) -> None:
        for scored in self.scored:
            outside = (scored < self.low - 1e-5).any() or (scored > self.high + 1e-5).any()
            check(not outside, "candidates outside the bounds were scored", "not_clipped")

    def new(self, number: int) -> Array:
        """The candidates of iteration `number` (from 0) that were not scored in the one before."""
        scored = self.scored[number]
        return np.asarray(scored[~repeats(scored, self.scored[number - 1])]) if number else scored

    def nearest(self, candidates: Array, mean: Array, std: Array) -> tuple[Array, Array]:
        """For each candidate: the distance to the nearest of clip(mean + std * noise), and the number of that draw."""
        made = self._clip(mean + std * self.drawn).reshape(len(self.drawn), -1)
        rows = candidates.reshape(len(candidates), -1)
        distance, number = np.empty(len(rows)), np.empty(len(rows), dtype=int)
        for i, row in enumerate(rows):
            distances = np.abs(made - row).max(axis=1)
            number[i] = distances.argmin()
            distance[i] = distances[number[i]]
        return distance, number

    def explained(self, candidates: Array, mean: Array, std: Array) -> Array:
        """For each candidate: is it clip(mean + std * noise), with a draw of its own?"""
        distance, nearest = self.nearest(candidates, mean, std)
        is_own = np.bincount(nearest, minlength=len(self.drawn))[nearest] == 1
        inside = self._clip(candidates)
        return np.asarray((distance < 1e-3 + 1e-4 * np.abs(inside).max()) & is_own)

    def slip(
        self, number: int, mean: Array, std: Array, refits: Iterable[tuple[str, Array | None, Array | None]] = ()
    ) -> Slip:
        """Why the new candidates of an iteration are not clip(mean + std * noise).

        Args:
            number: of the iteration, from 0.
            mean: what it should draw from, shape (H, A).
            std: the same.
            refits: (cause, mean or None, std or None) of slips in the refit before this iteration.
        """
        candidates, where = self.new(number), f"in iteration {number + 1}"
        first = sum(len(self.new(i)) for i in range(number))
        draws = self.drawn[first : first + len(candidates)]
        if len(draws) == len(candidates) and len(draws) > 0:
            if (used := self._used(candidates, draws)) is not None:
                return self._slip_of_distribution(number, used, mean, std, refits)
            for change in CHANGES:
                if np.abs(candidates - self._clip(mean + std * change(draws))).max() < 0.02 * np.abs(std).max():
                    return f"{where} the noise was changed before it was used", "noise_changed"
            for one in (draws[:, :1], draws[:, :, :1], draws[:1]):
                if self._is(candidates, mean + std * one) and one.shape != draws.shape:
                    return f"{where} one draw was used several times", "noise_repeated"
        if self._follows_the_noise(candidates):
            return f"candidates are not mean + std * noise {where}", "candidates_misbuilt"
        return f"candidates do not follow the noise {where}", "noise_not_used"

    def _slip_of_distribution(
        self,
        number: int,
        used: tuple[Array, Array],
        mean: Array,
        std: Array,
        refits: Iterable[tuple[str, Array | None, Array | None]],
    ) -> Slip:
        """The candidates are a + b * noise, with another a or b than `mean` and `std`."""
        where = f"in iteration {number + 1}"
        right_mean, right_std = _fits(used[0], mean), _fits(used[1], std)
        if not right_mean and right_std and _fits(used[0], self._clip(mean)):
            return f"the mean {where} was clipped before candidates were drawn around it", "mean_clipped"
        if right_mean and not right_std:
            for other, cause in ((std**2, "variance_for_std"), (np.sqrt(std), "root_twice"), (1.0, "std_not_used")):
                if _fits(used[1], other * np.ones_like(std)):
                    return f"candidates have another std {where}", cause
        for cause, other_mean, other_std in refits:
            mean_fits = right_mean if other_mean is None else _fits(used[0], other_mean)
            std_fits = right_std if other_std is None else _fits(used[1], other_std)
            if mean_fits and std_fits:
                return f"the refit before iteration {number + 1} is wrong", cause
        for cause, other_mean, other_std in refits:  # two slips at once: name the one that is certain
            if not right_mean and other_mean is not None and _fits(used[0], other_mean):
                return f"the mean {where} is wrong", cause
            if not right_std and other_std is not None and _fits(used[1], other_std):
                return f"the std {where} is wrong", cause
        if number == 0:
            return "the first candidates are drawn from another mean or std than those passed in", "candidates_misbuilt"
        return f"candidates {where} are drawn from another mean or std than the refit gives", "refit_not_used"

    def _used(self, candidates: Array, draws: Array) -> tuple[Array, Array] | None:
        """(a, b), each of shape (H, A), if the candidates are clip(a + b * draws); NaN where clipping hides it."""
        inside = (candidates > self.low + 1e-4) & (candidates < self.high - 1e-4)
        count = inside.sum(axis=0)
        safe = np.maximum(count, 1)
        u, c = np.where(inside, draws, 0.0), np.where(inside, candidates, 0.0)
        u_mean, c_mean = u.sum(axis=0) / safe, c.sum(axis=0) / safe
        spread = (np.where(inside, draws - u_mean, 0.0) ** 2).sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            b = np.where(inside, (draws - u_mean) * (candidates - c_mean), 0.0).sum(axis=0) / spread
        a = c_mean - b * u_mean
        known = (count >= 2) & (spread > 1e-2)
        if known.mean() < 0.5:
            return None
        error = np.abs(candidates - self._clip(a + b * draws)).max(axis=0)
        if not (error[known] < 2e-3).all() or (np.abs(b[known]) < 1e-6).any():
            return None
        return np.where(known, a, np.nan), np.where(known, b, np.nan)

    def _is(self, candidates: Array, made: Array) -> bool:
        return bool(np.abs(candidates - self._clip(made)).max() < 1e-3)

    def _follows_the_noise(self, candidates: Array) -> bool:
        """Whether most candidates rise and fall with some draw."""
        rows = (candidates - candidates.mean(axis=0)).reshape(len(candidates), -1)
        draws = self.drawn.reshape(len(self.drawn), -1)
        draws = draws - draws.mean(axis=0)
        norms = np.linalg.norm(rows, axis=1)[:, None] * np.linalg.norm(draws, axis=1)
        alike = (rows @ draws.T) / np.maximum(norms, 1e-12)
        return len(rows) > 0 and bool(np.mean(alike.max(axis=1) > 0.8) > 0.5)

    def _clip(self, candidates: Array) -> Array:
        return np.clip(candidates, self.low, self.high)


def repeats(scored: Array, earlier: Array) -> Array:
    """For each candidate: was it scored earlier, too?"""
    known = earlier.reshape(len(earlier), -1)
    return np.array([np.abs(known - row).max(axis=1).min() < 1e-6 for row in scored.reshape(len(scored), -1)])


def causes_with(slips: Mapping[str, Any]) -> Iterable[tuple[str, Array]]:
    """Each (cause, answer) of the `slips` of a check."""
    for cause, slip in slips.items():
        for answer in slip if isinstance(slip, AnyOf) else (slip,):
            yield cause, np.asarray(answer)


def _fits(used: Array, other: Array) -> bool:
    known = ~np.isnan(used)
    return bool(np.allclose(used[known], np.broadcast_to(other, used.shape)[known], rtol=5e-3, atol=2e-3))
