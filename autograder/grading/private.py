"""Hidden seeds and worlds: which runs a curve is graded on. Private."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from autograder.grading.curves import ALL_RUNS
from autograder.isolation.confinement import GUARANTEES
from autograder.isolation.fork_server import GraderFault
from autograder.worlds import draw_law, family_class, has_law, make_hidden_env
from hw4.envs import Environment
from hw4.envs.world import World
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import load_assignment
from hw4.handin.strict_toml import TomlFile, and_meant

PRIVATE_FILE = Path(__file__).resolve().parents[1] / "private.toml"
WORLDS_FILE = PRIVATE_FILE.parent / "recorded" / "worlds.json"
MAX_CALIBRATION_RUNS = 200  # of one implementation

Purpose = Literal["graded", "calibration"]


@dataclass(frozen=True)
class Private:
    """The fields of private.toml, which says what they mean."""

    master_seed: int
    calibration_seed: int
    num_runs: int
    max_deviation: float
    required_guarantees: tuple[str, ...]  # ids, see autograder/isolation/confinement.py
    laws: Mapping[str, Any] = field(default_factory=dict)  # experiment -> `Family` of autograder/worlds/TASK.py


@dataclass(frozen=True)
class HiddenRun:
    """One run of a curve: two seeds that know nothing of each other, and the world."""

    agent_seed: int
    env_seed: int
    world: World
    law: Mapping[str, float] = field(default_factory=dict)  # empty: the published one

    def environment(self, task_name: str) -> Environment:
        return make_hidden_env(task_name, self.world, self.law)

    @property
    def facts(self) -> dict[str, float]:
        """The numbers of the world, for those who may see them."""
        world = self.world
        return {"sign": world.actuator_sign, "gain": world.actuator_gain, "mass": world.mass_scale, **self.law}


@cache
def load_private(path: Path = PRIVATE_FILE) -> Private:
    """Read and check the file.

    Raises:
        TomlError: not TOML; a key that is unknown, missing or of another type; too few runs; worlds without mass; an
            unknown guarantee; a law of an experiment that is not there, or whose task has none.
    """
    file = TomlFile(path)
    file.allow(field.name for field in fields(Private))
    plain = {name: value for name, value in file.facts.items() if name != "laws"}
    laws = {name: _family(file, name, table) for name, table in file.facts.get("laws", {}).items()}
    private = Private(**file.fields(Private, "", plain, without=("laws",)), laws=laws)
    if private.num_runs < ALL_RUNS:
        file.fail("", 0, "num_runs", f"num_runs must be at least {ALL_RUNS}, which a curve may need")
    if private.max_deviation >= 1:
        file.fail("", 0, "max_deviation", "max_deviation must be below 1")
    known = [guarantee.id for guarantee in GUARANTEES]
    for required in private.required_guarantees:
        if required not in known:
            meant = and_meant(required, known)
            file.fail("", 0, "required_guarantees", f"there is no guarantee {meant}; known are {', '.join(known)}")
    return private


def _family(file: TomlFile, experiment: str, table: Any) -> Any:
    """The family of laws that one table describes."""
    name = f"laws.{experiment}"
    if experiment not in EXPERIMENTS:
        file.fail(name, 0, "", f"there is no experiment {and_meant(experiment, EXPERIMENTS)}")
    task_name = EXPERIMENTS[experiment].task_name
    if not has_law(task_name):
        file.fail(name, 0, "", f"{task_name} has no law: there is no autograder/worlds/{task_name}.py")
    family = family_class(task_name)
    return family(**file.fields(family, name, table))


def family_of(experiment: str) -> Any:
    """The family of laws of an experiment's hidden worlds, or None."""
    return load_private().laws.get(experiment)


def load_accepted(path: Path = WORLDS_FILE) -> dict[str, Any]:
    """Which drawn worlds are used: autograder/recorded/acceptance.py."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def graded_runs(item_id: str) -> list[HiddenRun]:
    """The runs of this term. The actuator's sign is flipped in one of the first two, and in the other it is not."""
    runs = _under_laws(item_id, "graded", hidden_runs(item_id, "graded", load_private().num_runs))
    other = next(i for i, run in enumerate(runs) if run.world.actuator_sign != runs[0].world.actuator_sign)
    runs.insert(1, runs.pop(other))
    return runs


def calibration_runs(item_id: str, count: int) -> list[HiddenRun]:
    """Runs from the same distribution as the graded ones, with seeds of their own."""
    return _under_laws(item_id, "calibration", hidden_runs(item_id, "calibration", count))


def hidden_runs(item_id: str, purpose: Purpose, count: int) -> list[HiddenRun]:
    """The runs without their laws."""
    private = load_private()
    if purpose == "calibration":  # the same for every item
        rng = np.random.default_rng([private.calibration_seed, 1])
        return [_draw_run(rng, int(rng.choice([-1, 1]))) for _ in range(count)]
    rng = np.random.default_rng([private.master_seed, zlib.crc32(item_id.encode())])
    flipped = int(rng.integers(0, 3))
    other = (flipped + 1) % 3
    runs = []
    for i in range(count):
        sign = -1 if i == flipped else 1 if i == other else int(rng.choice([-1, 1]))
        runs.append(_draw_run(rng, sign))
    return runs


def law_of_run(item_id: str, experiment: str, purpose: Purpose, index: int, attempt: int) -> dict[str, float]:
    """The law that is drawn for a run at a given attempt."""
    private = load_private()
    seed = private.master_seed if purpose == "graded" else private.calibration_seed
    rng = np.random.default_rng([seed, 3, zlib.crc32(item_id.encode()), index, attempt])
    return draw_law(EXPERIMENTS[experiment].task_name, rng, private.laws[experiment])


def _under_laws(item_id: str, purpose: Purpose, runs: list[HiddenRun]) -> list[HiddenRun]:
    curve = next((curve for curve in load_assignment().curves if curve.id == item_id), None)
    if curve is None or family_of(curve.experiment) is None:
        return runs
    attempts = load_accepted().get(item_id, {}).get(purpose, {}).get("refused", [])
    if len(attempts) < len(runs):
        raise GraderFault(f"no worlds are accepted for {item_id}: run `make publish`")
    return [
        replace(run, law=law_of_run(item_id, curve.experiment, purpose, index, attempts[index]))
        for index, run in enumerate(runs)
    ]


def rng_of_test(test_name: str) -> np.random.Generator:
    """The randomness of one hidden test: the same for every submission of this term."""
    return np.random.default_rng([load_private().master_seed, 2, zlib.crc32(test_name.encode())])


def _draw_run(rng: np.random.Generator, sign: int) -> HiddenRun:
    deviation = load_private().max_deviation
    gain, mass = rng.uniform(1 - deviation, 1 + deviation, 2)
    world = World(actuator_sign=sign, actuator_gain=round(float(gain), 4), mass_scale=round(float(mass), 4))
    agent_seed, env_seed = (int(seed) for seed in rng.integers(1 << 31, size=2))
    return HiddenRun(agent_seed=agent_seed, env_seed=env_seed, world=world)
