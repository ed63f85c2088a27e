"""Records reference runs and derives bars, floors and the published bands from them.

Every run goes through the referee and a worker, exactly as a graded run does, with worlds and seeds drawn from the same
distributions. Runs are appended to CSV files as they finish; a second call records only what is missing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from autograder.files import write_at_once
from autograder.grading.curves import Bar, bar_of, floor_of, score_of_run, step_of
from autograder.grading.effects import run_effect
from autograder.grading.private import HiddenRun, calibration_runs, family_of
from autograder.grading.referee import run_curve
from autograder.hidden_tests.graded import EFFECTS, load_hidden_tests
from autograder.isolation.fork_server import ForkServer, GraderFault, Slots
from autograder.isolation.package import Package, package_with
from autograder.isolation.remote import RemoteSubject
from autograder.recorded.acceptance import returns_of
from autograder.recorded.code_hash import code_hash, effect_hash
from autograder.solutions import reference_code
from autograder.zoo import Animal, code_of, load_animals
from hw4.commands.csv_rows import read_rows
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Curve, RunItem, load_assignment

REFERENCE_DIR = Path(__file__).resolve().parent / "reference"
REFERENCE, RANDOM, BY_HEART = "reference", "random_policy", "by heart: "
UNLEARNED_RUNS = 40
COMMAND = "python -m autograder calibrate"
GENEROUS_CPU_SECONDS = 600.0
DIGITS = 6  # of the number of an effect
COLUMNS = (
    "implementation",
    "run",
    "code_hash",
    "sign",
    "gain",
    "mass",
    "law",
    "cpu_seconds",
    "speed",
    "returns",
    "errors",
    "gaps",
)

load_hidden_tests()  # the checks of effects are among them


@dataclass(frozen=True)
class RecordedRun:
    """One line of a recorded file."""

    implementation: str
    run: int
    code_hash: str
    sign: int
    gain: float
    mass: float
    law: str  # its numbers, as they are written; empty: the published one
    cpu_seconds: float
    speed: float
    returns: tuple[float, ...]  # of each episode; of an effect its one number
    errors: tuple[float, ...]  # one-step model errors; NaN where there is no model yet
    gaps: tuple[float, ...]  # optimism gaps


def recorded_file(item: RunItem) -> Path:
    return REFERENCE_DIR / f"{item.id}.csv"


def read_recorded(item: RunItem) -> list[RecordedRun]:
    """What is recorded in the worlds that are drawn today."""
    path = recorded_file(item)
    if not path.exists():
        return []
    runs = []
    for row in read_rows(path):
        runs.append(
            RecordedRun(
                implementation=row["implementation"],
                run=int(row["run"]),
                code_hash=row["code_hash"],
                sign=int(row["sign"]),
                gain=float(row["gain"]),
                mass=float(row["mass"]),
                law=row.get("law", ""),
                cpu_seconds=float(row["cpu_seconds"]),
                speed=float(row["speed"]),
                returns=_numbers(row["returns"]),
                errors=_numbers(row["errors"]),
                gaps=_numbers(row["gaps"]),
            )
        )
    return _in_todays_worlds(item, runs)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(value) for value in text.split())


def _series(run: RecordedRun) -> tuple[tuple[float, ...], ...]:
    return run.returns, run.errors, run.gaps


def write_recorded(item: RunItem, runs: list[RecordedRun]) -> None:
    """Rewrite the file, sorted, in one step: a killed calibration never leaves half a file."""
    text = io.StringIO()
    returns = "are those of each episode, in order" if item.kind == "curve" else "are the number of the run"
    text.write(f"# Recorded by `{COMMAND} --curves {item.id}`; returns {returns}.\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in sorted(runs, key=lambda r: (r.implementation != REFERENCE, r.implementation, r.run)):
        forms = (_form(item), ".3f", ".3f")
        series = [" ".join(format(v, form) for v in values) for values, form in zip(_series(run), forms, strict=True)]
        facts = (run.implementation, run.run, run.code_hash, run.sign, run.gain, run.mass, run.law)
        writer.writerow([*facts, f"{run.cpu_seconds:.2f}", f"{run.speed:.4f}", *series])
    write_at_once(recorded_file(item), text.getvalue().encode())


def _form(item: RunItem) -> str:
    """How exactly returns are written."""
    return ".2f" if item.kind == "curve" else f".{DIGITS}g"


def implementations(item: RunItem) -> dict[str, dict[str, bytes]]:
    """Name -> code of everything that is recorded for a curve or an effect: the reference, correct variants, bugs."""
    code = {REFERENCE: reference_code()}
    for animal in (*variants(item), *bugs(item)):
        code[animal.name] = code_of(animal)
    return code


def variants(item: RunItem) -> list[Animal]:
    """The animals that must pass it."""
    return [animal for animal in load_animals().values() if item.id in animal.curves_pass]


def bugs(item: RunItem) -> list[Animal]:
    """The animals that it is meant to catch."""
    return [animal for animal in load_animals().values() if item.id in animal.curves_fail]


def key_of(item: RunItem, code: Mapping[str, bytes]) -> str:
    """What the recorded runs of some code are keyed by."""
    if item.kind == "effect":
        if item.id not in EFFECTS:
            raise GraderFault(f"no hidden check computes {item.id}")
        return effect_hash(code, item, EFFECTS[item.id])
    return code_hash(code, EXPERIMENTS[item.experiment], item.agent)


def same_as_the_reference(item: RunItem) -> list[str]:
    """Names of variants and bugs that change nothing of what it runs: their runs would say nothing."""
    keys = {name: key_of(item, code) for name, code in implementations(item).items()}
    return [name for name, key in keys.items() if name != REFERENCE and key == keys[REFERENCE]]


def is_unlearned(name: str) -> bool:
    """Whether it learns nothing: acting at random, or by heart. No submission; it sets a floor as bugs do."""
    return name == RANDOM or name.startswith(BY_HEART)


def text_of_law(hidden: HiddenRun) -> str:
    """The law of a hidden world as the recorded files have it: "turn=1.5708 edge=2.5"."""
    return " ".join(f"{name}={value:g}" for name, value in hidden.law.items())


def _in_todays_worlds(item: RunItem, runs: list[RecordedRun]) -> list[RecordedRun]:
    """Those runs that were made in the worlds that are drawn today. An effect has none."""
    if item.kind == "effect" or not runs:
        return runs
    drawn = calibration_runs(item.id, max(run.run for run in runs) + 1)
    worlds = [(*astuple(hidden.world), text_of_law(hidden)) for hidden in drawn]
    return [run for run in runs if (run.sign, run.gain, run.mass, run.law) == worlds[run.run]]


def names(animals: list[Animal]) -> list[str]:
    return [animal.name for animal in animals]


def calibrate(curves: list[str], *, runs: int, variant_runs: int, bug_runs: int, jobs: int) -> None:
    """Record what is missing.

    Raises:
        GraderFault: an animal changes nothing of what its curve or effect runs; a run failed.
    """
    assignment = load_assignment()
    chosen = [item for item in assignment.run_items if not curves or item.id in curves]
    for item in chosen:
        if same := same_as_the_reference(item):
            raise GraderFault(f"{item.id} runs nothing of what {', '.join(same)} changes: take it out of these animals")
    with ForkServer() as server, ThreadPoolExecutor(jobs) as pool, _progress() as progress:
        slots = Slots(jobs)
        recorded: dict[str, list[RecordedRun]] = {}
        todo = []  # (share of its implementation that is done by then, item, bar, how to record)
        for item in chosen:
            recorded[item.id] = [*_random_runs(item), *_runs_by_heart(item)] if item.kind == "curve" else []
            existing = read_recorded(item)
            wanted = {REFERENCE: runs}
            wanted |= {animal.name: bug_runs for animal in bugs(item)}
            wanted |= {animal.name: variant_runs for animal in variants(item)}
            for name, code in implementations(item).items():
                hash_ = key_of(item, code)
                fresh = [r for r in existing if r.implementation == name and r.code_hash == hash_]
                recorded[item.id] += fresh
                missing = sorted(set(range(wanted[name])) - {r.run for r in fresh})
                if not missing:
                    continue
                package = package_with(code)
                bar = progress.add_task(f"{item.id} · {name}", total=wanted[name], completed=len(fresh))
                for index in missing:
                    record = partial(_record, server, slots, package, item, name, hash_, index)
                    todo.append((index / wanted[name], item, bar, record))
        todo.sort(key=lambda entry: entry[0])  # stopped at any time, every implementation has its share
        futures = {pool.submit(record): (item, bar) for _, item, bar, record in todo}
        try:
            for future in as_completed(futures):
                item, bar = futures[future]
                recorded[item.id].append(future.result())
                write_recorded(item, recorded[item.id])
                progress.advance(bar)
        except BaseException:  # Ctrl-C: what runs now is waited for, what is queued is not
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for item in chosen:
        write_recorded(item, recorded[item.id])


def _record(
    server: ForkServer, slots: Slots, package: Package, item: RunItem, name: str, hash_: str, index: int
) -> RecordedRun:
    hidden = calibration_runs(item.id, index + 1)[index]
    memory_mb = load_assignment().limits.memory_mb

    def open_subject() -> RemoteSubject:
        seconds = GENEROUS_CPU_SECONDS
        return RemoteSubject(server, package, slot=slot, cpu_seconds=seconds, call_seconds=seconds, memory_mb=memory_mb)

    with slots.one() as slot:
        if item.kind == "effect":
            run = run_effect(open_subject, EFFECTS[item.id], hidden)
        else:
            run = run_curve(open_subject, EXPERIMENTS[item.experiment], hidden, build_agent=item.agent)
    if run.failure:
        raise GraderFault(f"{item.id}, {name}, run {index}: {run.message}")
    return RecordedRun(
        implementation=name,
        run=index,
        code_hash=hash_,
        sign=int(run.world.get("sign", 1)),
        gain=run.world.get("gain", 1.0),
        mass=run.world.get("mass", 1.0),
        law=text_of_law(hidden),
        cpu_seconds=run.cpu_seconds,
        speed=server.speed,
        returns=tuple(float(format(value, _form(item))) for value in run.returns),
        errors=tuple(round(value, 3) for value in run.model_errors),
        gaps=tuple(round(value, 3) for value in run.optimism_gaps),
    )


def _random_runs(curve: Curve) -> list[RecordedRun]:
    return [
        _unlearned(RANDOM, index, hidden, _random_returns(curve, hidden))
        for index, hidden in enumerate(calibration_runs(curve.id, UNLEARNED_RUNS))
    ]


def _runs_by_heart(curve: Curve) -> list[RecordedRun]:
    """What those earn who know the published physics, in hidden worlds under a law."""
    if family_of(curve.experiment) is None:
        return []
    runs = calibration_runs(curve.id, UNLEARNED_RUNS)
    return [
        _unlearned(f"{BY_HEART}{arm}", index, hidden, own)
        for arm, returns in returns_of(curve, runs).items()
        for index, (hidden, own) in enumerate(zip(runs, returns, strict=True))
    ]


def _unlearned(name: str, index: int, hidden: HiddenRun, returns: Iterable[float]) -> RecordedRun:
    """A run of somebody who needs no worker."""
    world = hidden.world
    return RecordedRun(
        implementation=name,
        run=index,
        code_hash="",
        sign=world.actuator_sign,
        gain=world.actuator_gain,
        mass=world.mass_scale,
        law=text_of_law(hidden),
        cpu_seconds=0.0,
        speed=0.0,
        returns=tuple(round(float(value), 2) for value in returns),
        errors=(),
        gaps=(),
    )


def _random_returns(curve: Curve, hidden: HiddenRun) -> list[float]:
    experiment = EXPERIMENTS[curve.experiment]
    env = hidden.environment(experiment.task_name)
    rng = np.random.default_rng(hidden.agent_seed)
    returns = []
    for episode in range(experiment.num_episodes):
        env.reset(seed=hidden.env_seed + episode)
        total, truncated = 0.0, False
        while not truncated:
            action = rng.uniform(experiment.task.action_low, experiment.task.action_high, experiment.task.act_dim)
            _, reward, _, truncated, _ = env.step(action.astype(np.float32))
            total += reward
        returns.append(total)
    return returns


def derive_bars() -> dict[str, Bar]:
    """Bars and floors from the recorded runs, by the rule of autograder/grading/curves.py.

    Raises:
        GraderFault: nothing is recorded, or no bug stays below the bar.
    """
    bars = {}
    for item in load_assignment().run_items:
        scores: dict[str, list[float]] = {}
        runs = read_recorded(item)
        for run in runs:
            scores.setdefault(run.implementation, []).append(score_of_run(item, run.returns))
        reference = [run for run in runs if run.implementation == REFERENCE]
        correct = {name: scores[name] for name in (REFERENCE, *names(variants(item))) if name in scores}
        wrong = {name: scores[name] for name in names(bugs(item)) if name in scores}
        if not reference or not wrong or (item.kind == "curve" and RANDOM not in scores):
            raise GraderFault(f"nothing is recorded for {item.id}: run `{COMMAND}`")
        wrong |= {name: scores[name] for name in scores if is_unlearned(name)}
        step = 1.0 if item.kind == "curve" else step_of(scores[REFERENCE])
        bar, floor = bar_of(correct, step), floor_of(wrong, step)
        if floor >= bar:
            raise GraderFault(f"{item.id}: a bug scores {floor}, the bar is {bar}: it cannot tell them apart")
        bars[item.id] = Bar(
            bar=bar,
            floor=floor,
            cpu_seconds=round(float(np.median([run.cpu_seconds for run in reference])), 2),
            speed=round(float(np.median([run.speed for run in reference])), 4),
            num_reference_runs=len(reference),
            code_hash=reference[0].code_hash,
        )
    return bars


def published_curves() -> str:
    """hw4/reference_curves.csv: what students may compare with. Each band holds 90 % of the reference runs.

    `below_bar` says how many of the `runs` recorded reference runs score below the bar.
    """
    bars = derive_bars()
    text = io.StringIO()
    text.write(f"# Generated by `make publish` from runs recorded by `{COMMAND}`: do not edit.\n")
    writer = csv.writer(text, lineterminator="\n")
    bands = [f"{quantity}{edge}" for quantity in ("", "error_", "gap_") for edge in ("low", "median", "high")]
    writer.writerow(["curve", "experiment", "env_steps", *bands, "random", "floor", "bar", "below_bar", "runs"])
    for curve in load_assignment().curves:
        runs = read_recorded(curve)
        reference = [run for run in runs if run.implementation == REFERENCE]
        random = np.median([run.returns for run in runs if run.implementation == RANDOM])
        quantiles = [
            np.quantile([getattr(run, name) for run in reference], [0.05, 0.5, 0.95], axis=0).T
            for name in ("returns", "errors", "gaps")
        ]
        length = EXPERIMENTS[curve.experiment].task.episode_length
        bar = bars[curve.id]
        below = sum(score_of_run(curve, run.returns) < bar.bar for run in reference)
        for episode, row in enumerate(np.concatenate(quantiles, axis=1), start=1):
            numbers = ["" if np.isnan(value) else f"{value:.{2 if i < 3 else 3}f}" for i, value in enumerate(row)]
            levels = (bar.floor, bar.bar, below, len(reference))
            writer.writerow([curve.id, curve.experiment, episode * length, *numbers, f"{random:.2f}", *levels])
    return text.getvalue()


def _progress() -> Progress:
    columns = (TextColumn("{task.description:<60}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns)
