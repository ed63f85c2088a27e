"""Which drawn worlds are used: those in which nobody passes who knows the published physics by heart.

A world in which an arm of `by_heart/` reaches the family's `by_heart_below` is drawn again. How often, is kept in
`autograder/recorded/worlds.json`, which `make calibrate` and `make publish` write: the arms are played once a term, not
at every grade.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from autograder.grading import private
from autograder.isolation.fork_server import GraderFault
from autograder.recorded.by_heart.arms import returns_by_heart
from autograder.recorded.code_hash import meaning
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Curve, load_assignment
from hw4.tasks import TASKS

DECIDING = tuple(Path(__file__).resolve().parents[1] / place for place in ("worlds", "recorded/by_heart"))
SETTINGS = ("task_name", "num_initial_episodes", "horizon", "initial_std")  # all that those know who learn nothing
MAX_ATTEMPTS = 20
AT_ONCE = 40  # worlds that are played together
COUNTS: dict[private.Purpose, int] = {
    "graded": private.load_private().num_runs,
    "calibration": private.MAX_CALIBRATION_RUNS,
}


def curves_with_laws() -> list[Curve]:
    return [curve for curve in load_assignment().curves if private.family_of(curve.experiment) is not None]


def accepted_worlds() -> str:
    """The text of worlds.json. What is there already and still holds is kept."""
    worlds = {curve.id: {purpose: _accepted(curve, purpose) for purpose in COUNTS} for curve in curves_with_laws()}
    text = json.dumps(worlds, indent=1)
    return (
        re.sub(
            r"\[[^]]*\]", lambda numbers: re.sub(r"\s+", " ", numbers[0]).replace("[ ", "[").replace(" ]", "]"), text
        )
        + "\n"
    )


def key_of(curve: Curve, purpose: private.Purpose) -> str:
    """What decides which worlds are accepted: the settings, the laws, and those who know the rest by heart."""
    settings = private.load_private()
    facts = {
        "family": dataclasses.asdict(private.family_of(curve.experiment)),
        "seed": settings.master_seed if purpose == "graded" else settings.calibration_seed,
        "deviation": settings.max_deviation,
        "experiment": {name: getattr(EXPERIMENTS[curve.experiment], name) for name in SETTINGS},
        "scored": curve.score_episodes,
        "at_once": AT_ONCE,
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    others = set(TASKS) - {EXPERIMENTS[curve.experiment].task_name}
    for path in sorted(path for place in DECIDING for path in place.rglob("*.py") if path.stem not in others):
        digest.update(meaning(path.read_bytes(), path))
    return digest.hexdigest()[:16]


def _accepted(curve: Curve, purpose: private.Purpose) -> dict[str, Any]:
    """For each world of the term, or of each recorded run: how many draws were refused before it."""
    known: dict[str, Any] = private.load_accepted().get(curve.id, {}).get(purpose, {})
    key = key_of(curve, purpose)
    return known if known.get("key") == key else {"key": key, "refused": _attempts(curve, purpose, COUNTS[purpose])}


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
    raise GraderFault(f"{curve.id}: in {MAX_ATTEMPTS} worlds drawn for run {todo[0]} somebody passes by heart")


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
