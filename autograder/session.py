"""Grades one submission: intake, workers, hidden suite, curves, report."""

from __future__ import annotations

import contextlib
import math
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np

from autograder.curves import FIRST_RUNS, Bar, grade_curve, load_bars, needs_more_runs, score_of
from autograder.hidden_tests.graded import DECLARED
from autograder.isolation.fork_server import ForkServer, GraderFault
from autograder.isolation.overlay import write_overlay
from autograder.isolation.remote import RemoteSubject, StudentError, WorkerDied
from autograder.private import graded_runs
from autograder.referee import CurveRun, run_curve
from autograder.scoring import CurveReport, ExampleRun, Report, StubReport, full_report, stub_report
from autograder.solutions import reference_code
from autograder.suite import Outcome, Suite
from hw4.assignment import Curve, load_assignment
from hw4.checks import CheckFailed
from hw4.experiments import EXPERIMENTS
from hw4.hints import cause_of_exception
from hw4.submission import Intake
from hw4.worked_examples import WORKED_EXAMPLES

MAX_JOBS = 2  # learning runs at once
SUITE_SLOT = 20  # workers of the suite and of the curves never share a user id
MIN_BUDGET_SECONDS = 30.0
MAX_SHOWN = 200  # numbers of an answer that a report shows


class Listener(Protocol):
    """Hears what happens, for a progress display."""

    def test_ended(self, outcome: Outcome) -> None: ...

    def episode_ended(self, curve: Curve, run: int, episode: int, episode_return: float) -> None: ...

    def run_ended(self, curve: Curve, run: int) -> None: ...


@dataclass
class Grade:
    """A report and all that a receipt needs."""

    report: Report
    intake: Intake
    runs: dict[str, list[CurveRun]]
    bars: dict[str, Bar]
    layers: dict[str, str]
    speed: float
    seconds: float
    broken_files: dict[str, Outcome] = field(default_factory=dict)


class Grader:
    """A fork server and a place to work, for one submission or many. Use as a context manager."""

    def __init__(self, *, jobs: int = MAX_JOBS) -> None:
        if not 1 <= jobs <= SUITE_SLOT:
            raise ValueError(f"jobs must be in [1, {SUITE_SLOT}], got {jobs}")
        self._jobs = jobs
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Grader:
        self._bars = load_bars()
        self._scratch = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="grade-")))
        self._scratch.chmod(0o755)
        self._server = self._closing.enter_context(ForkServer(self._scratch))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._closing.close()

    def grade(self, intake: Intake, listener: Listener, *, curves: bool = True) -> Grade:
        """Grade an accepted submission.

        Raises:
            GraderFault: the grader could not do its work at all; nothing is said about the submission then.
        """
        start = time.monotonic()
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            scratch = Path(folder)
            scratch.chmod(0o755)
            session = _Session(self._server, scratch, intake, self._bars, listener, self._jobs)
            return session.grade(start, curves)


class _Session:
    def __init__(
        self,
        server: ForkServer,
        scratch: Path,
        intake: Intake,
        bars: dict[str, Bar],
        listener: Listener,
        jobs: int,
    ) -> None:
        self._server = server
        self._intake = intake
        self._bars = bars
        self._listener = listener
        self._assignment = load_assignment()
        code_files = self._assignment.submission.code
        self._jobs = jobs
        self._layers: dict[str, str] = {}
        self._slots = _Slots()
        self._canary = write_overlay(scratch / "canary", reference_code(), code_files)
        self._broken_files: dict[str, Outcome] = {}
        code = {name: source for name, source in intake.files.items() if name in code_files}
        for problem in intake.syntax_errors:
            code.pop(problem.file, None)
            where = f"hw4/{problem.file}:{problem.line}"
            self._broken_files[problem.file] = Outcome("", "failed", "raised", where, "SyntaxError", problem.message)
        self._student = self._importable_overlay(scratch, code)

    def grade(self, start: float, with_curves: bool) -> Grade:
        self._check_canary()
        runs: dict[str, list[CurveRun]] = {}
        with ThreadPoolExecutor(self._jobs) as pool:
            pending = {c: self._start_curve(pool, c, range(FIRST_RUNS)) for c in self._assignment.curves if with_curves}
            suite = Suite(
                self._assignment,
                lambda: self._open(self._student, SUITE_SLOT),
                lambda: self._open(self._canary, SUITE_SLOT + 1),
                self._broken_files,
                self._listener.test_ended,
            )
            outcomes = suite.run()
            more = {}
            for curve, futures in pending.items():
                runs[curve.id] = [future.result() for future in futures]
                if self._wants_more(curve, runs[curve.id]):
                    more[curve] = self._start_curve(pool, curve, range(FIRST_RUNS, len(graded_runs(curve.id))))
            for curve, futures in more.items():
                runs[curve.id] += [future.result() for future in futures]
        stubs = [self._stub_report(stub.id, outcomes) for stub in self._assignment.stubs]
        curves = [self._curve_report(curve, runs.get(curve.id, [])) for curve in self._assignment.curves]
        return Grade(
            report=full_report(self._assignment, stubs, curves, []),
            intake=self._intake,
            runs=runs,
            bars=self._bars,
            layers=self._layers,
            speed=self._server.speed,
            seconds=time.monotonic() - start,
            broken_files=self._broken_files,
        )

    @property
    def _slowness(self) -> float:
        """How much slower this machine is than the one that recorded the reference runs; at least 1."""
        recorded = np.median([bar.speed for bar in self._bars.values()])
        return max(1.0, float(self._server.speed / recorded))

    def _open(self, overlay: Path, slot: int, cpu_seconds: float | None = None) -> RemoteSubject:
        limits = self._assignment.limits
        call_seconds = limits.call_seconds * self._slowness if cpu_seconds is None else cpu_seconds
        return RemoteSubject(
            self._server,
            overlay,
            slot=slot,
            cpu_seconds=call_seconds,
            call_seconds=call_seconds,
            memory_mb=limits.memory_mb,
        )

    def _check_canary(self) -> None:
        """The reference answers a known question, or nothing is graded."""
        try:
            with self._open(self._canary, SUITE_SLOT + 1) as subject:
                seen = subject.call("ensemble.gaussian_nll", np.zeros(1), np.zeros(1), np.ones(1))
                self._layers = subject.layers
        except (WorkerDied, StudentError) as error:
            raise GraderFault(f"the reference solution does not run in a worker: {error}") from error
        if not np.allclose(seen, 0.5):
            raise GraderFault(f"the reference solution answers {seen} to a question whose answer is 0.5")

    def _importable_overlay(self, scratch: Path, code: dict[str, bytes]) -> Path:
        """An overlay in which every module imports: a file that does not is replaced by its stub and remembered."""
        files = self._assignment.submission.code
        for attempt in range(len(files) + 1):
            overlay = write_overlay(scratch / f"student-{attempt}", code, files)
            broken = self._first_broken(overlay, code)
            if broken is None:
                return overlay
            self._broken_files[broken.test] = broken
            del code[broken.test]
        raise GraderFault("even the stubs do not import")

    def _first_broken(self, overlay: Path, code: dict[str, bytes]) -> Outcome | None:
        for name in code:
            module = name.removesuffix(".py")
            try:
                with self._open(overlay, SUITE_SLOT) as subject:
                    subject.call(f"{module}.__dir__")  # any call imports the module first
            except StudentError as error:
                culprit = Path(error.file).name if error.file else name
                cause = cause_of_exception(error.type_name, error.text)
                if culprit not in code:
                    culprit = name
                return Outcome(culprit, "failed", cause, error.where, error.shown_type, str(error))
            except WorkerDied:
                if (broken := self._confirmed_death(overlay, name)) is not None:
                    return broken
        return None

    def _confirmed_death(self, overlay: Path, name: str) -> Outcome | None:
        """A worker died while it imported a file: again, and the canary does not, so it is the file."""
        try:
            with self._open(overlay, SUITE_SLOT) as subject:
                subject.call(f"{name.removesuffix('.py')}.__dir__")
        except StudentError as error:
            return Outcome(name, "failed", "raised", error.where, error.shown_type, str(error))
        except WorkerDied as death:
            self._check_canary()
            return Outcome(name, "failed", death.cause, f"hw4/{name}", "", f"ended at import: {death.reason}")
        return None

    def _start_curve(self, pool: ThreadPoolExecutor, curve: Curve, numbers: range) -> list[Future[CurveRun]]:
        return [pool.submit(self._run_curve, curve, number) for number in numbers]

    def _run_curve(self, curve: Curve, number: int) -> CurveRun:
        bar = self._bars[curve.id]
        budget = max(MIN_BUDGET_SECONDS, bar.cpu_seconds * self._assignment.limits.max_cpu_factor) * self._slowness
        with self._slots.one() as slot:
            for _ in range(2):  # a worker that ends for no reason of its own is given a second chance
                run = run_curve(
                    lambda: self._open(self._student, slot, budget),
                    EXPERIMENTS[curve.experiment],
                    graded_runs(curve.id)[number],
                    lambda episode, value: self._listener.episode_ended(curve, number, episode, value),
                )
                if run.died in ("", "time"):
                    break
        self._listener.run_ended(curve, number)
        return run

    def _wants_more(self, curve: Curve, first: list[CurveRun]) -> bool:
        return needs_more_runs([_score(curve, run) for run in first], self._bars[curve.id].bar)

    def _stub_report(self, stub_id: str, outcomes: dict[str, Outcome]) -> StubReport:
        stub = self._assignment.stub(stub_id)
        report = stub_report(stub, DECLARED, outcomes, None)
        if report.verdict == "passed":
            return report
        example = None if stub.file in self._broken_files else self._run_example(stub_id)
        return stub_report(stub, DECLARED, outcomes, example)

    def _run_example(self, stub_id: str) -> ExampleRun:
        example = WORKED_EXAMPLES[stub_id]
        seen: dict[str, Any] = {}
        failed = "nothing"
        try:
            with self._open(self._student, SUITE_SLOT) as subject:
                seen = example.run(subject)
        except StudentError as error:
            failed = f"{error.shown_type} at {error.where}"
        except WorkerDied as death:
            failed = f"the call did not come back ({death.reason})"
        except CheckFailed as failure:
            failed = str(failure)
        except Exception as error:  # an answer so odd that the example stumbles over it
            failed = f"no usable answer ({type(error).__name__})"
        rows = [
            (name, _shown(seen[name]) if name in seen else failed, _shown(wanted))
            for name, wanted in example.wanted.items()
        ]
        return ExampleRun(example.story, tuple(rows))

    def _curve_report(self, curve: Curve, runs: list[CurveRun]) -> CurveReport:
        def report(score: float, verdict: Any, cause: str, grade: Any, message: str, flags: Any = ()) -> CurveReport:
            return CurveReport(curve, round(score, 2), verdict, cause, grade, message, tuple(flags))

        if not runs:
            return report(0.0, "not_run", "", None, "curves were not asked for")
        broken = [name for name in self._broken_files if self._assignment_needs(curve, name)]
        if broken:
            return report(0.0, "not_run", "curve_blocked", None, f"blocked: {', '.join(broken)} does not import")
        blocked = sorted({run.blocked_by for run in runs if run.blocked_by})
        if blocked:
            return report(0.0, "not_run", "curve_blocked", None, f"blocked by {', '.join(blocked)}: not written yet")
        bar = self._bars[curve.id]
        grade = grade_curve([_score(curve, run) for run in runs], bar=bar.bar, floor=bar.floor)
        flags = [
            f"run {i} was cut short: {WHY_CUT[run.failure]} {run.error}".rstrip()
            for i, run in enumerate(runs, 1)
            if run.failure
        ]
        if len(runs) > FIRST_RUNS:
            flags.append("the first three runs disagreed: seven runs")
        verdict = "passed" if grade.credit == 1.0 else "failed"
        cause = "" if verdict == "passed" else next((r.failure for r in runs if r.failure), "curve_below_bar")
        return report(curve.points * grade.credit, verdict, cause, grade, grade.decided_by, flags)

    def _assignment_needs(self, curve: Curve, file: str) -> bool:
        return any(stub.file == file and stub.problem in curve.needs for stub in self._assignment.stubs)


WHY_CUT = {
    "raised": "it counts as none, because your code raised an exception:",
    "too_slow": "its processor time was used up; the episodes that finished count",
    "out_of_memory": "its memory was used up; the episodes that finished count",
    "exits": "it counts as none, because its process ended",
}
COUNTS_AS_NONE = ("raised", "exits")  # or an unstable agent would do well to stop at its best


def _score(curve: Curve, run: CurveRun) -> float:
    """The score of a run; -inf if it ended by itself, or if no episode with the learned model was finished."""
    planned = run.returns[EXPERIMENTS[curve.experiment].num_initial_episodes :]
    return -math.inf if run.failure in COUNTS_AS_NONE else score_of(planned, curve.score_episodes)


class _Slots:
    """Numbers that workers which run at once do not share."""

    def __init__(self) -> None:
        self._free = list(range(SUITE_SLOT))
        self._lock = threading.Lock()

    def one(self) -> _Slot:
        with self._lock:
            return _Slot(self._free.pop(0), self._give_back)

    def _give_back(self, number: int) -> None:
        with self._lock:
            self._free.append(number)


class _Slot:
    def __init__(self, number: int, give_back: Callable[[int], None]) -> None:
        self._number = number
        self._give_back = give_back

    def __enter__(self) -> int:
        return self._number

    def __exit__(self, *_: object) -> None:
        self._give_back(self._number)


def _shown(value: Any) -> str:
    """A value as a reader wants to see it: short, on one line where it fits."""
    if isinstance(value, np.ndarray | tuple | list | float):
        try:
            array = np.asarray(value)
            if array.size > MAX_SHOWN:
                return f"an array of shape {array.shape}"
            return np.array2string(array, precision=4, suppress_small=True, separator=", ")
        except (ValueError, TypeError):
            return "no array"
    return ascii(value)[:300]
