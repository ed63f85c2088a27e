"""Run folders: what a training run leaves behind, and how to find it again (given; torch-free).

runs/cartpole/2027-03-02_14-30-00/seed_0/config.json          the experiment, its settings, the seed
                                         learning_curve.csv   episode, env_steps, return
                                         trajectory.npz       the last episode and the plans imagined in it
                                         checkpoint.pt        where `--resume` continues, until the run is finished
                                         events.out.tfevents  the same curve for TensorBoard, with `--tensorboard`
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw4.experiments import Experiment
from hw4.handin.at_once import write_at_once
from hw4.training import EpisodeRecord

CONFIG_FILE = "config.json"
CURVE_FILE = "learning_curve.csv"
TRAJECTORY_FILE = "trajectory.npz"
CHECKPOINT_FILE = "checkpoint.pt"
CURVE_COLUMNS = ("episode", "env_steps", "return")


class RunError(ValueError):
    """A run folder is not there, or not what this version of hw4 writes."""


@dataclass(frozen=True)
class RunConfig:
    """What was run."""

    experiment: str  # a key of hw4.experiments.EXPERIMENTS
    settings: Experiment  # as trained: changes by command line included
    seed: int
    actuator_sign: int = 1


@dataclass(frozen=True)
class LearningCurve:
    """One seed's returns."""

    seed: int
    env_steps: tuple[int, ...]  # at the end of each episode
    returns: tuple[float, ...]  # of each episode


@dataclass(frozen=True)
class Run:
    """All seeds of one run."""

    folder: Path
    experiment: str
    settings: Experiment
    actuator_sign: int
    curves: tuple[LearningCurve, ...]

    @property
    def label(self) -> str:
        return f"{self.experiment} ({self.folder.name})"


@dataclass(frozen=True)
class Trajectory:
    """One episode, and what the model imagined when each plan was made. T = env steps, K = plans, E = members."""

    observations: NDArray[np.float64]  # shape (T + 1, obs_dim)
    actions: NDArray[np.float64]  # shape (T, act_dim)
    plan_steps: NDArray[np.int64]  # the env step of the episode at which each plan was made, shape (K,)
    imagined: NDArray[np.float32]  # shape (K, E, horizon + 1, obs_dim); the first entry is the real observation

    def latest_plan(self, step: int) -> int | None:
        """The number of the plan in force at an env step, None before the first."""
        made = int(np.searchsorted(self.plan_steps, step, side="right"))
        return made - 1 if made else None


class SeedFolder:
    """Writes one seed's files, an episode at a time, so that an interrupted run keeps what it has."""

    def __init__(self, run_folder: Path, config: RunConfig) -> None:
        self.path = run_folder / f"seed_{config.seed}"
        (self.path / CURVE_FILE).unlink(missing_ok=True)
        self.path.mkdir(parents=True, exist_ok=True)
        self._append(CURVE_COLUMNS)
        text = json.dumps(dataclasses.asdict(config), indent=2) + "\n"
        write_at_once(self.path / CONFIG_FILE, text.encode())  # last: with it, the seed can be resumed

    @classmethod
    def reopen(cls, run_folder: Path, config: RunConfig, *, num_episodes: int) -> SeedFolder:
        """Continue a seed's files after its first `num_episodes` episodes; what was written of later ones is dropped.

        Raises:
            RunError: the seed was trained with other settings, or a file of it cannot be read.
        """
        folder = cls.__new__(cls)
        folder.path = run_folder / f"seed_{config.seed}"
        if read_config(folder.path) != config:
            raise RunError(f"{folder.path} was trained with other settings: give the options it was started with")
        curve = _read_curve(folder.path, config.seed)
        if len(curve.returns) < num_episodes:
            raise RunError(f"{folder.path / CURVE_FILE} has lost episodes: delete {folder.path} to train it again")
        lines = (folder.path / CURVE_FILE).read_text(encoding="utf-8").splitlines(keepends=True)
        write_at_once(folder.path / CURVE_FILE, "".join(lines[: 1 + num_episodes]).encode())
        return folder

    @property
    def checkpoint(self) -> Path:
        return self.path / CHECKPOINT_FILE

    def add(self, record: EpisodeRecord) -> None:
        """Append one episode to the learning curve."""
        self._append((record.episode, record.env_steps, repr(record.episode_return)))

    def save_trajectory(self, trajectory: Trajectory) -> None:
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            observations=trajectory.observations,
            actions=trajectory.actions,
            plan_steps=trajectory.plan_steps,
            imagined=trajectory.imagined,
        )
        write_at_once(self.path / TRAJECTORY_FILE, buffer.getvalue())  # its presence says that the run is finished

    def _append(self, row: Sequence[Any]) -> None:
        with (self.path / CURVE_FILE).open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(row)


def new_run_folder(root: Path, experiment: str, name: str) -> Path:
    """The path of a new run; nothing is made yet.

    Raises:
        RunError: the name is taken, or cannot be a folder's name.
    """
    folder = _run_folder(root, experiment, name)
    if any(is_started(seed_folder) for seed_folder in folder.glob("seed_*")):
        raise RunError(f"{folder} already exists: choose another --name, resume it with --resume, or delete it")
    return folder


def old_run_folder(root: Path, experiment: str, name: str) -> Path:
    """The path of a run to resume.

    Raises:
        RunError: there is none of this name.
    """
    folder = _run_folder(root, experiment, name)
    if not folder.is_dir():
        raise RunError(f"{folder} does not exist, so there is nothing to resume; leave out --resume to start a new run")
    return folder


def is_started(seed_folder: Path) -> bool:
    """Whether there is something of a seed to resume."""
    return (seed_folder / CONFIG_FILE).is_file()


def is_finished(seed_folder: Path) -> bool:
    """Whether a seed has been trained to its last episode."""
    return (seed_folder / TRAJECTORY_FILE).is_file()


def _run_folder(root: Path, experiment: str, name: str) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", name):
        raise RunError(f"a run's name may contain only letters, digits and . _ + -, got {name!r}")
    return root / experiment / name


def seed_folders(run_folder: Path) -> list[Path]:
    """The seeds of a run, in order; a seed's own folder counts as a run of one.

    Raises:
        RunError: there is no run here.
    """
    if (run_folder / CONFIG_FILE).is_file():
        return [run_folder]
    found = [path.parent for path in run_folder.glob(f"seed_*/{CONFIG_FILE}")]
    if found:
        return sorted(found, key=lambda path: (len(path.name), path.name))
    runs = sorted({path.parent.parent for path in run_folder.glob(f"*/seed_*/{CONFIG_FILE}")})
    if runs:
        inside = ", ".join(str(run) for run in runs)
        raise RunError(f"{run_folder} contains several runs: give one or more of {inside}")
    raise RunError(f"{run_folder} is not a run folder: it has no seed_N/{CONFIG_FILE} (see `python -m hw4 train`)")


def read_run(run_folder: Path) -> Run:
    """Read every seed of a run.

    Raises:
        RunError: there is no run here, or a file of it cannot be read.
    """
    folders = seed_folders(run_folder)
    configs = [read_config(folder) for folder in folders]
    curves = tuple(_read_curve(folder, config.seed) for folder, config in zip(folders, configs, strict=True))
    first = configs[0]
    return Run(run_folder, first.experiment, first.settings, first.actuator_sign, curves)


def read_config(seed_folder: Path) -> RunConfig:
    path = seed_folder / CONFIG_FILE
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return RunConfig(**{**entries, "settings": Experiment(**entries["settings"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"{path} is not what this version of hw4 writes ({error}): train again") from None


def read_trajectory(seed_folder: Path) -> Trajectory:
    path = seed_folder / TRAJECTORY_FILE
    if not path.is_file():
        raise RunError(f"{path} is missing: the run was stopped before its last episode; continue it with --resume")
    with np.load(path, allow_pickle=False) as arrays:
        return Trajectory(**{field.name: arrays[field.name] for field in dataclasses.fields(Trajectory)})


def _read_curve(seed_folder: Path, seed: int) -> LearningCurve:
    path = seed_folder / CURVE_FILE
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [(int(row["env_steps"]), float(row["return"])) for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"{path} is not a learning curve ({error}): train again") from None
    return LearningCurve(seed, tuple(steps for steps, _ in rows), tuple(episode_return for _, episode_return in rows))
