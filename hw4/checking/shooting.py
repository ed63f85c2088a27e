"""Random shooting with an objective that decides who wins (given; NumPy only)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw4.checking.answers import AnyOf, check, check_close
from hw4.checking.subject import Subject
from hw4.checking.worked_example import Rows

Array = NDArray[Any]


def check_winner(
    subject: Subject, scores: Array, winner: int, draws: Array, action_low: Array, action_high: Array
) -> None:
    """One search whose objective gives these scores, whatever it is asked about.

    Where another candidate has the same score as `winner`, it may win, too.

    Args:
        subject: has `mpc.random_shooting`.
        scores: of the candidates, shape (num_sequences,).
        winner: the row of the candidate that must win.
        draws: what `uniform` hands out, shape (num_sequences, horizon, act_dim).
        action_low: shape (act_dim,).
        action_high: the same.
    """
    asked: list[Any] = []

    def objective(candidates: Any) -> Any:
        asked.append(np.shape(candidates))
        return scores

    uniform = Rows(draws)
    bounds = (action_low, action_high)
    plan = subject.call("mpc.random_shooting", objective, *bounds, num_sequences=len(draws), uniform=uniform)
    candidates = action_low + (action_high - action_low) * draws
    is_right = asked == [draws.shape]
    check(is_right, f"the objective was asked about {asked[:3]}, not once about all", "wrong_candidate_count")
    equal = np.flatnonzero(scores == scores[winner])
    if np.shape(plan) == draws.shape[1:]:
        winner = int(equal[np.abs(plan - candidates[equal]).max(axis=(1, 2)).argmin()])
    slips = {
        "takes_smallest": candidates[scores.argmin()],
        "candidates_averaged": candidates[equal].mean(axis=0),
        "wrong_candidate": AnyOf(tuple(candidates[:50])),
        "noise_repeated": np.repeat(candidates[winner][:1], draws.shape[1], axis=0),
    }
    what = f"the plan if candidate {winner + 1} of {len(draws)} is the best"
    check_close(plan, candidates[winner], what, slips=slips)
