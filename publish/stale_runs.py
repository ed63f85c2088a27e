"""Recorded runs: whether they belong to today's code and settings, and how long it takes to record them again."""

from __future__ import annotations

import dataclasses
import inspect
import statistics
from collections.abc import Iterator

from autograder.__main__ import calibrate
from autograder.grading.curves import load_bars
from autograder.hidden_tests.graded import EFFECTS
from autograder.recorded.calibration import (
    REFERENCE,
    RecordedRun,
    bugs,
    implementations,
    key_of,
    names,
    read_recorded,
    recorded_file,
    variants,
)
from autograder.recorded.error_rates import rates_of
from autograder.solutions import ROOT
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import RunItem, load_assignment
from publish.findings import RECALIBRATE, Finding
from publish.handout import DATA
from publish.recorded_tables import COMMAND, SETTINGS, settings_of
from publish.ungraded_bands import COMMAND as RECORD_UNGRADED
from publish.ungraded_bands import RUNS_FILE, hash_of, read_runs

MAX_WRONG = 0.01  # a bar at the 5 % quantile of the worst correct code gives less than half of it, by the rule


def stale_curves() -> Iterator[Finding]:
    """Graded curves and effects whose recorded runs were made with other code or other settings, or are not there."""
    for item in load_assignment().run_items:
        recorded = read_recorded(item)
        stale = stale_implementations(item, recorded)
        if stale:
            line = next((i for i, run in enumerate(recorded, start=3) if run.implementation in stale), None)
            yield Finding(
                recorded_file(item).relative_to(ROOT).as_posix(),
                line,
                f"no run of {', '.join(stale)} matches today's solution and settings",
                f"run `make calibrate`, about {minutes(item, stale, recorded)} minutes, {RECALIBRATE}",
            )


def stale_implementations(item: RunItem, recorded: list[RecordedRun]) -> list[str]:
    """Names of the reference, variants and bugs without a run of today's code."""
    is_known = item.experiment in EXPERIMENTS if item.kind == "curve" else item.id in EFFECTS
    if not is_known:  # publish/places.py says so
        return []
    fresh = {(run.implementation, run.code_hash) for run in recorded}
    return [name for name, code in implementations(item).items() if (name, key_of(item, code)) not in fresh]


def minutes(item: RunItem, implementations: list[str], recorded: list[RecordedRun]) -> int:
    """About how long `make calibrate` takes for these, from the processor time of the runs on record, at least 1.

    Runs of an implementation that was never recorded are taken for as long as the others of their curve or effect.
    """
    options = {name: p.default for name, p in inspect.signature(calibrate).parameters.items()}
    wanted: dict[str, int] = {REFERENCE: options["runs"]}
    wanted |= dict.fromkeys(names(bugs(item)), options["bug_runs"])
    wanted |= dict.fromkeys(names(variants(item)), options["variant_runs"])
    seconds = 0.0
    everything = [run.cpu_seconds for run in recorded if run.cpu_seconds > 0]
    for name in implementations:
        own = [run.cpu_seconds for run in recorded if run.implementation == name] or everything
        seconds += wanted[name] * (statistics.median(own) if own else 0.0)
    return max(1, round(seconds / int(options["jobs"]) / 60))


def reference_misses() -> Iterator[Finding]:
    """Graded curves and effects on which the reference would not get full credit: enumerated from its recorded runs."""
    bars = load_bars()
    for item in load_assignment().run_items:
        if item.id not in bars:
            yield Finding(
                "autograder/recorded/reference/bars.json", None, f"there is no bar for {item.id}", "run `make publish`"
            )
            continue
        reference = next((rate for rate in rates_of(item, bars[item.id]) if rate.implementation == REFERENCE), None)
        if reference is None or reference.wrong > MAX_WRONG:
            share = "no recorded run" if reference is None else f"in {100 * reference.wrong:.1f} % of grades"
            says = f"the reference misses full credit on {item.id}: {share}"
            yield Finding(
                recorded_file(item).relative_to(ROOT).as_posix(), None, says, f"run `make calibrate`, {RECALIBRATE}"
            )


def stale_others() -> Iterator[Finding]:
    """Runs that the handout and the ungraded bands show."""
    for path in sorted(DATA.glob("*.csv")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for name, settings in settings_of(path).items():
            if name not in EXPERIMENTS or settings != dataclasses.asdict(EXPERIMENTS[name]):
                line = next(i for i, text in enumerate(lines, start=1) if text.startswith(SETTINGS))
                says = f"was recorded with other settings of {name}"
                command = COMMAND.format("handout_runs")
                yield Finding(path.relative_to(ROOT).as_posix(), line, says, f"run `.venv/bin/{command}`")
    recorded = read_runs()
    today = {name: hash_of(name) for name in {run.experiment for run in recorded}}
    stale = sorted({run.experiment for run in recorded if run.code_hash != today[run.experiment]})
    if stale:
        says = f"the runs of {', '.join(stale)} do not match today's solution and settings"
        yield Finding(RUNS_FILE.relative_to(ROOT).as_posix(), None, says, f"run `.venv/bin/{RECORD_UNGRADED}`")
