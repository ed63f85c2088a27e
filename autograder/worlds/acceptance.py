"""Which drawn worlds are used: those in which nobody passes who knows the published physics by heart.

A world in which an arm of `by_heart/` reaches the family's `by_heart_below` is drawn again. How often, is kept in
`autograder/recorded/worlds.json`, which `make publish` writes: the arms are played once a term, not at every grade.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from autograder.grading import private
from autograder.worlds.by_heart.arms import returns_by_heart
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Curve, load_assignment

HERE = Path(__file__).resolve().parent
MAX_ATTEMPTS = 20
AT_ONCE = 40  # worlds that are played together


def curves_with_laws() -> list[Curve]:
    return [curve for curve in load_assignment().curves if private.family_of(curve.experiment) is not None]


def accepted_worlds() -> str:
    """The text of worlds.json. What is there already and still holds is kept."""
    found = private.load_accepted()
    worlds = {}
    for curve in curves_with_laws():
        known = found.get(curve.id, {})
        key = key_of(curve)
        worlds[curve.id] = known if known.get("key") == key else {"key": key, **_accepted(curve)}
    return json.dumps(worlds, indent=1).replace(",\n   ", ", ").replace("[\n   ", "[").replace("\n  ]", "]") + "\n"


def key_of(curve: Curve) -> str:
    """What decides which worlds are accepted."""
    settings = private.load_private()
    facts = {
        "family": dataclasses.asdict(private.family_of(curve.experiment)),
        "seeds": [settings.master_seed, settings.calibration_seed],
        "deviation": settings.max_deviation,
        "experiment": dataclasses.asdict(EXPERIMENTS[curve.experiment]),
        "scored": curve.score_episodes,
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for path in sorted(HERE.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _accepted(curve: Curve) -> dict[str, list[int]]:
    """For each world of the term, and of each recorded run: how many draws were refused before it."""
    return {
        "graded": _attempts(curve, "graded", private.load_private().num_runs),
        "calibration": _attempts(curve, "calibration", private.MAX_CALIBRATION_RUNS),
    }


def _attempts(curve: Curve, purpose: private.Purpose, count: int) -> list[int]:
    attempts = [0] * count
    todo = list(range(count))
    for _ in range(MAX_ATTEMPTS):
        scores = np.concatenate(
            [_best_scores(curve, purpose, todo[i : i + AT_ONCE], attempts) for i in range(0, len(todo), AT_ONCE)]
        )
        family = private.family_of(curve.experiment)
        todo = [index for index, score in zip(todo, scores, strict=True) if score >= family.by_heart_below]
        if not todo:
            return attempts
        for index in todo:
            attempts[index] += 1
    raise ValueError(f"{curve.id}: in {MAX_ATTEMPTS} worlds drawn for run {todo[0]} somebody passes by heart")


def _best_scores(curve: Curve, purpose: private.Purpose, indices: list[int], attempts: list[int]) -> Any:
    """The score of the best arm in each of these worlds."""
    runs = private.hidden_runs(curve.id, purpose, max(indices) + 1)
    law = partial(private.law_of_run, curve.id, curve.experiment, purpose)
    worlds = [dataclasses.replace(runs[index], law=law(index, attempts[index])) for index in indices]
    returns = np.stack(list(returns_of(curve, worlds).values()))
    return returns[..., -curve.score_episodes :].mean(axis=-1).max(axis=0)


def returns_of(curve: Curve, runs: list[private.HiddenRun]) -> dict[str, Any]:
    """The returns of each arm in the world of each run: arm -> shape (runs, episodes), the last ones scored."""
    experiment = EXPERIMENTS[curve.experiment]
    envs = [run.environment(experiment.task_name) for run in runs]
    return returns_by_heart(experiment, curve.score_episodes, envs, runs[0].env_seed)


@cache
def is_current(curve_id: str) -> bool:
    """Whether the accepted worlds of a curve are those of today's private settings and code."""
    curve = next(curve for curve in load_assignment().curves if curve.id == curve_id)
    return bool(private.load_accepted().get(curve_id, {}).get("key") == key_of(curve))
