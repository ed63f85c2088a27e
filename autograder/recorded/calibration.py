"""Records reference runs and derives bars, floors and the published bands from them.

Every run goes through the referee and a worker, exactly as a graded run does, in worlds drawn from the same
distribution. Runs are appended to CSV files as they finish; a second call records only what is missing.
"""

from __future__ import annotations

import csv
import io
import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from autograder.grading.curves import Bar, bar_of, floor_of, score_of
from autograder.grading.private import HiddenRun, calibration_runs
from autograder.grading.referee import run_curve
from autograder.isolation.fork_server import ForkServer, GraderFault, Slots
from autograder.isolation.package import Package, package_with
from autograder.isolation.remote import RemoteSubject
from autograder.recorded.code_hash import code_hash
from autograder.solutions import reference_code
from autograder.zoo import Animal, code_of, load_animals
from hw4.envs import make_env
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Curve, load_assignment

REFERENCE_DIR = Path(__file__).resolve().parent / "reference"
REFERENCE, RANDOM = "reference", "random_policy"
COMMAND = "python -m autograder calibrate"
GENEROUS_CPU_SECONDS = 600.0
NUM_VARIANTS = 5
COLUMNS = (
    "implementation",
    "run",
    "code_hash",
    "sign",
    "gain",
    "mass",
    "cpu_seconds",
    "speed",
    "returns",
    "errors",
    "gaps",
)


@dataclass(frozen=True)
class RecordedRun:
    """One line of a recorded file."""

    implementation: str
    run: int
    code_hash: str
    sign: int
    gain: float
    mass: float
    cpu_seconds: float
    speed: float
    returns: tuple[float, ...]
    errors: tuple[float, ...]  # one-step model errors; NaN where there is no model yet
    gaps: tuple[float, ...]  # optimism gaps


def recorded_file(curve: Curve) -> Path:
    return REFERENCE_DIR / f"{curve.id}.csv"


def read_recorded(curve: Curve) -> list[RecordedRun]:
    path = recorded_file(curve)
    if not path.exists():
        return []
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    runs = []
    for row in csv.DictReader(lines):
        runs.append(
            RecordedRun(
                implementation=row["implementation"],
                run=int(row["run"]),
                code_hash=row["code_hash"],
                sign=int(row["sign"]),
                gain=float(row["gain"]),
                mass=float(row["mass"]),
                cpu_seconds=float(row["cpu_seconds"]),
                speed=float(row["speed"]),
                returns=_numbers(row["returns"]),
                errors=_numbers(row["errors"]),
                gaps=_numbers(row["gaps"]),
            )
        )
    return runs


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(value) for value in text.split())


def _series(run: RecordedRun) -> tuple[tuple[float, ...], ...]:
    return run.returns, run.errors, run.gaps


def write_recorded(curve: Curve, runs: list[RecordedRun]) -> None:
    """Rewrite the file, sorted, in one step: a killed calibration never leaves half a file."""
    text = io.StringIO()
    text.write(f"# Recorded by `{COMMAND} --curves {curve.id}`; returns are those of each episode, in order.\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in sorted(runs, key=lambda r: (r.implementation != REFERENCE, r.implementation, r.run)):
        series = [" ".join(f"{v:.{n}f}" for v in values) for values, n in zip(_series(run), (2, 3, 3), strict=True)]
        facts = (run.implementation, run.run, run.code_hash, run.sign, run.gain, run.mass)
        writer.writerow([*facts, f"{run.cpu_seconds:.2f}", f"{run.speed:.4f}", *series])
    path = recorded_file(curve)
    part = path.with_suffix(".part")
    part.write_text(text.getvalue(), encoding="utf-8")
    os.replace(part, path)


def implementations(curve: Curve) -> dict[str, dict[str, bytes]]:
    """Name -> code of everything that is recorded for a curve: the reference, correct variants, bugs."""
    code = {REFERENCE: reference_code()}
    for animal in (*variants(curve), *bugs(curve)):
        code[animal.name] = code_of(animal)
    return code


def variants(curve: Curve) -> list[Animal]:
    """The first NUM_VARIANTS correct animals that change something which the curve runs, and those it must let pass."""
    animals = load_animals().values()
    assignment = load_assignment()

    def changes_something(animal: Animal) -> bool:
        return any(assignment.stub(stub_id).problem in curve.needs for stub_id in animal.regions)

    correct = [animal for animal in animals if animal.kind == "correct" and changes_something(animal)]
    return correct[:NUM_VARIANTS] + [animal for animal in animals if curve.id in animal.curves_pass]


def bugs(curve: Curve) -> list[Animal]:
    """The animals that the curve is meant to catch."""
    return [animal for animal in load_animals().values() if curve.id in animal.curves_fail]


def names(animals: list[Animal]) -> list[str]:
    return [animal.name for animal in animals]


def calibrate(curves: list[str], *, runs: int, variant_runs: int, bug_runs: int, jobs: int) -> None:
    """Record what is missing."""
    assignment = load_assignment()
    chosen = [curve for curve in assignment.curves if not curves or curve.id in curves]
    with ForkServer() as server, ThreadPoolExecutor(jobs) as pool, _progress() as progress:
        slots = Slots(jobs)
        recorded: dict[str, list[RecordedRun]] = {}
        todo = []  # (share of its implementation that is done by then, curve, bar, how to record)
        for curve in chosen:
            recorded[curve.id] = _random_runs(curve, 40)
            existing = read_recorded(curve)
            wanted = {REFERENCE: runs}
            wanted |= {animal.name: bug_runs for animal in bugs(curve)}
            wanted |= {animal.name: variant_runs for animal in variants(curve)}
            for name, code in implementations(curve).items():
                hash_ = code_hash(code, EXPERIMENTS[curve.experiment])
                fresh = [r for r in existing if r.implementation == name and r.code_hash == hash_]
                recorded[curve.id] += fresh
                missing = sorted(set(range(wanted[name])) - {r.run for r in fresh})
                if not missing:
                    continue
                package = package_with(code)
                bar = progress.add_task(f"{curve.id} · {name}", total=wanted[name], completed=len(fresh))
                for index in missing:
                    record = partial(_record, server, slots, package, curve, name, hash_, index)
                    todo.append((index / wanted[name], curve, bar, record))
        todo.sort(key=lambda entry: entry[0])  # stopped at any time, every implementation has its share
        futures = {pool.submit(record): (curve, bar) for _, curve, bar, record in todo}
        try:
            for future in as_completed(futures):
                curve, bar = futures[future]
                recorded[curve.id].append(future.result())
                write_recorded(curve, recorded[curve.id])
                progress.advance(bar)
        except BaseException:  # Ctrl-C: what runs now is waited for, what is queued is not
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for curve in chosen:
        write_recorded(curve, recorded[curve.id])


def _record(
    server: ForkServer, slots: Slots, package: Package, curve: Curve, name: str, hash_: str, index: int
) -> RecordedRun:
    hidden = calibration_runs(index + 1)[index]
    memory_mb = load_assignment().limits.memory_mb

    def open_subject() -> RemoteSubject:
        seconds = GENEROUS_CPU_SECONDS
        return RemoteSubject(server, package, slot=slot, cpu_seconds=seconds, call_seconds=seconds, memory_mb=memory_mb)

    with slots.one() as slot:
        run = run_curve(open_subject, EXPERIMENTS[curve.experiment], hidden)
    if run.failure:
        raise GraderFault(f"{curve.id}, {name}, run {index}: {run.message}")
    return RecordedRun(
        implementation=name,
        run=index,
        code_hash=hash_,
        sign=hidden.world.actuator_sign,
        gain=hidden.world.actuator_gain,
        mass=hidden.world.mass_scale,
        cpu_seconds=run.cpu_seconds,
        speed=server.speed,
        returns=tuple(round(value, 2) for value in run.returns),
        errors=tuple(round(value, 3) for value in run.model_errors),
        gaps=tuple(round(value, 3) for value in run.optimism_gaps),
    )


def _random_runs(curve: Curve, count: int) -> list[RecordedRun]:
    return [_random_run(curve, index, hidden) for index, hidden in enumerate(calibration_runs(count))]


def _random_run(curve: Curve, index: int, hidden: HiddenRun) -> RecordedRun:
    experiment = EXPERIMENTS[curve.experiment]
    env = make_env(experiment.task_name, hidden.world)
    rng = np.random.default_rng(hidden.agent_seed)
    returns = []
    for episode in range(experiment.num_episodes):
        env.reset(seed=hidden.env_seed + episode)
        total, truncated = 0.0, False
        while not truncated:
            action = rng.uniform(experiment.task.action_low, experiment.task.action_high, experiment.task.act_dim)
            _, reward, _, truncated, _ = env.step(action.astype(np.float32))
            total += reward
        returns.append(round(total, 2))
    world = hidden.world
    return RecordedRun(
        RANDOM, index, "", world.actuator_sign, world.actuator_gain, world.mass_scale, 0.0, 0.0, tuple(returns), (), ()
    )


def derive_bars() -> dict[str, Bar]:
    """Bars and floors from the recorded runs, by the rule of autograder/grading/curves.py.

    Raises:
        GraderFault: nothing is recorded, or no bug stays below the bar.
    """
    bars = {}
    for curve in load_assignment().curves:
        scores: dict[str, list[float]] = {}
        runs = read_recorded(curve)
        for run in runs:
            scores.setdefault(run.implementation, []).append(score_of(run.returns, curve.score_episodes))
        reference = [run for run in runs if run.implementation == REFERENCE]
        correct = {name: scores[name] for name in (REFERENCE, *names(variants(curve))) if name in scores}
        wrong = {name: scores[name] for name in names(bugs(curve)) if name in scores}
        if not reference or not wrong or RANDOM not in scores:
            raise GraderFault(f"nothing is recorded for {curve.id}: run `{COMMAND}`")
        bar, floor = bar_of(correct), floor_of({RANDOM: scores[RANDOM], **wrong})
        if floor >= bar:
            raise GraderFault(f"{curve.id}: a bug scores {floor}, the bar is {bar}: this curve cannot tell them apart")
        bars[curve.id] = Bar(
            bar=bar,
            floor=floor,
            cpu_seconds=round(float(np.median([run.cpu_seconds for run in reference])), 2),
            speed=round(float(np.median([run.speed for run in reference])), 4),
            num_reference_runs=len(reference),
            code_hash=reference[0].code_hash,
        )
    return bars


def published_curves() -> str:
    """hw4/reference_curves.csv: what students may compare with. Each band holds 90 % of the reference runs."""
    bars = derive_bars()
    text = io.StringIO()
    text.write(f"# Generated by `make publish` from runs recorded by `{COMMAND}`: do not edit.\n")
    writer = csv.writer(text, lineterminator="\n")
    bands = [f"{quantity}{edge}" for quantity in ("", "error_", "gap_") for edge in ("low", "median", "high")]
    writer.writerow(["curve", "experiment", "env_steps", *bands, "random", "floor", "bar"])
    for curve in load_assignment().curves:
        runs = read_recorded(curve)
        reference = [run for run in runs if run.implementation == REFERENCE]
        random = np.median([run.returns for run in runs if run.implementation == RANDOM])
        quantiles = [
            np.quantile([getattr(run, name) for run in reference], [0.05, 0.5, 0.95], axis=0).T
            for name in ("returns", "errors", "gaps")
        ]
        length = EXPERIMENTS[curve.experiment].task.episode_length
        for episode, row in enumerate(np.concatenate(quantiles, axis=1), start=1):
            numbers = ["" if np.isnan(value) else f"{value:.{2 if i < 3 else 3}f}" for i, value in enumerate(row)]
            levels = (bars[curve.id].floor, bars[curve.id].bar)
            writer.writerow([curve.id, curve.experiment, episode * length, *numbers, f"{random:.2f}", *levels])
    return text.getvalue()


def _progress() -> Progress:
    columns = (TextColumn("{task.description:<60}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns)
