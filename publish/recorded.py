"""Recorded runs: whether they belong to today's code and settings, and how long it takes to record them again."""

from __future__ import annotations

import dataclasses
import inspect
import statistics
from collections.abc import Iterator

from autograder.__main__ import calibrate
from autograder.grading.curves import load_bars
from autograder.recorded.calibration import (
    REFERENCE,
    RecordedRun,
    bugs,
    implementations,
    names,
    read_recorded,
    recorded_file,
    variants,
)
from autograder.recorded.code_hash import code_hash
from autograder.recorded.error_rates import rates_of
from autograder.solutions import ROOT
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Curve, load_assignment
from publish.findings import Finding
from publish.handout import DATA, recorded_settings
from publish.ungraded import RUNS_FILE, hash_of, read_runs

MAX_WRONG = 0.01  # a bar at the 5 % quantile of the worst correct code gives less than half of it, by the rule


def stale_curves() -> Iterator[Finding]:
    """Graded curves whose recorded runs were made with other code or other settings, or are not there."""
    for curve in load_assignment().curves:
        recorded = read_recorded(curve)
        stale = stale_implementations(curve, recorded)
        if stale:
            line = next((i for i, run in enumerate(recorded, start=3) if run.implementation in stale), None)
            yield Finding(
                recorded_file(curve).relative_to(ROOT).as_posix(),
                line,
                f"no run of {', '.join(stale)} belongs to today's solution and settings",
                f"run `make calibrate`, about {minutes(curve, stale, recorded)} minutes",
            )


def stale_implementations(curve: Curve, recorded: list[RecordedRun]) -> list[str]:
    """Names of the reference, variants and bugs without a run of today's code."""
    experiment = EXPERIMENTS.get(curve.experiment)
    if experiment is None:  # publish/places.py says so
        return []
    fresh = {(run.implementation, run.code_hash) for run in recorded}
    return [name for name, code in implementations(curve).items() if (name, code_hash(code, experiment)) not in fresh]


def minutes(curve: Curve, implementations: list[str], recorded: list[RecordedRun]) -> int:
    """About how long `make calibrate` takes for these, from the processor time of the runs on record, at least 1.

    Runs of an implementation that was never recorded are taken for as long as the others of their curve.
    """
    options = {name: p.default for name, p in inspect.signature(calibrate).parameters.items()}
    wanted: dict[str, int] = {REFERENCE: options["runs"]}
    wanted |= dict.fromkeys(names(bugs(curve)), options["bug_runs"])
    wanted |= dict.fromkeys(names(variants(curve)), options["variant_runs"])
    seconds = 0.0
    everything = [run.cpu_seconds for run in recorded if run.cpu_seconds > 0]
    for name in implementations:
        own = [run.cpu_seconds for run in recorded if run.implementation == name] or everything
        seconds += wanted[name] * (statistics.median(own) if own else 0.0)
    return max(1, round(seconds / int(options["jobs"]) / 60))


def reference_misses() -> Iterator[Finding]:
    """Graded curves on which the reference would not get full credit: enumerated from its recorded runs."""
    bars = load_bars()
    for curve in load_assignment().curves:
        if curve.id not in bars:
            yield Finding(
                "autograder/recorded/reference/bars.json", None, f"there is no bar for {curve.id}", "run `make publish`"
            )
            continue
        reference = next((rate for rate in rates_of(curve, bars[curve.id]) if rate.implementation == REFERENCE), None)
        if reference is None or reference.wrong > MAX_WRONG:
            share = "no recorded run" if reference is None else f"in {100 * reference.wrong:.1f} % of grades"
            says = f"the reference misses full credit on {curve.id}: {share}"
            yield Finding(recorded_file(curve).relative_to(ROOT).as_posix(), None, says, "run `make calibrate`")


def stale_others() -> Iterator[Finding]:
    """Runs that the handout and the ungraded bands show."""
    for path in sorted(DATA.glob("*.csv")):
        for name, settings in recorded_settings(path.name).items():
            if settings != dataclasses.asdict(EXPERIMENTS[name]):
                line = next(
                    i for i, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if "# settings" in text
                )
                yield Finding(
                    path.relative_to(ROOT).as_posix(),
                    line,
                    f"was recorded with other settings of {name}",
                    "run `.venv/bin/python -m publish.handout figures`",
                )
    stale = sorted({run.experiment for run in read_runs() if run.code_hash != hash_of(run.experiment)})
    if stale:
        says = f"the runs of {', '.join(stale)} do not belong to today's solution and settings"
        yield Finding(RUNS_FILE.relative_to(ROOT).as_posix(), None, says, "run `.venv/bin/python -m publish.ungraded`")
