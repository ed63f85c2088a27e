"""Hidden seeds and worlds: which runs a curve is graded on. Private."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np

from autograder.grading.curves import ALL_RUNS
from autograder.isolation.confinement import GUARANTEES
from hw4.envs.world import World
from hw4.handin.strict_toml import TomlFile, and_meant

PRIVATE_FILE = Path(__file__).resolve().parents[1] / "private.toml"


@dataclass(frozen=True)
class Private:
    """The fields of private.toml, which says what they mean."""

    master_seed: int
    calibration_seed: int
    num_runs: int
    max_deviation: float
    required_guarantees: tuple[str, ...]  # ids, see autograder/isolation/confinement.py


@dataclass(frozen=True)
class HiddenRun:
    """One run of a curve: two seeds that know nothing of each other, and the world."""

    agent_seed: int
    env_seed: int
    world: World


@cache
def load_private(path: Path = PRIVATE_FILE) -> Private:
    """Read and check the file.

    Raises:
        TomlError: not TOML; a key that is unknown, missing or of another type; too few runs; worlds without mass; an
            unknown guarantee.
    """
    file = TomlFile(path)
    file.allow(field.name for field in fields(Private))
    private = Private(**file.fields(Private, "", file.facts))
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


def graded_runs(curve_id: str) -> list[HiddenRun]:
    """The runs of this term. Among the first three the actuator's sign is flipped at least once, and once it is not."""
    private = load_private()
    rng = np.random.default_rng([private.master_seed, zlib.crc32(curve_id.encode())])
    flipped = int(rng.integers(0, 3))
    other = (flipped + 1) % 3
    runs = []
    for i in range(private.num_runs):
        sign = -1 if i == flipped else 1 if i == other else int(rng.choice([-1, 1]))
        runs.append(_draw_run(rng, sign))
    return runs


def calibration_runs(count: int) -> list[HiddenRun]:
    """Runs from the same distribution as the graded ones, with seeds of their own."""
    rng = np.random.default_rng([load_private().calibration_seed, 1])
    return [_draw_run(rng, int(rng.choice([-1, 1]))) for _ in range(count)]


def rng_of_test(test_name: str) -> np.random.Generator:
    """The randomness of one hidden test: the same for every submission of this term."""
    return np.random.default_rng([load_private().master_seed, 2, zlib.crc32(test_name.encode())])


def _draw_run(rng: np.random.Generator, sign: int) -> HiddenRun:
    deviation = load_private().max_deviation
    gain, mass = rng.uniform(1 - deviation, 1 + deviation, 2)
    world = World(actuator_sign=sign, actuator_gain=round(float(gain), 4), mass_scale=round(float(mass), 4))
    agent_seed, env_seed = (int(seed) for seed in rng.integers(1 << 31, size=2))
    return HiddenRun(agent_seed=agent_seed, env_seed=env_seed, world=world)
