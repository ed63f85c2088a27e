"""Grades one submission: intake, workers, hidden suite, curves, report."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np

from autograder.grading.curves import FIRST_RUNS, MORE_RUNS, Bar, grade_curve, load_bars, needs_more_runs, score_of
from autograder.grading.integrity import Integrity, confirmed, with_note, without_points
from autograder.grading.outcome import Outcome
from autograder.grading.private import graded_runs, load_private, rng_of_test
from autograder.grading.referee import BadAction, CurveRun, RemoteAgent, run_curve
from autograder.grading.scoring import CurveReport, ExampleRun, Report, StubReport, full_report, stub_report
from autograder.grading.suite import DEADLINE_PASSED, Suite
from autograder.hidden_tests.graded import DECLARED
from autograder.isolation.confinement import Confinement, Guarantee, probe
from autograder.isolation.fork_server import NUM_SLOTS, ForkServer, GraderFault, Slots
from autograder.isolation.package import Package, package_with
from autograder.isolation.remote import RemoteSubject, StudentError, WorkerDied
from autograder.solutions import reference_code
from hw4.checking.answers import CheckFailed
from hw4.checking.causes import cause_of_exception
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.envs import make_env
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Assignment, Curve, load_assignment
from hw4.handin.intake import Intake

MAX_JOBS = 2  # learning runs at once
SUITE_SLOT = NUM_SLOTS - 1  # workers of the suite and of the curves never share a user id
MIN_BUDGET_SECONDS = 30.0
MAX_SHOWN_CHARACTERS = 5000
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
    confinement: Confinement
    num_swept: int  # processes that workers left behind, killed before this was written
    speed: float
    seconds: float
    broken_files: dict[str, Outcome] = field(default_factory=dict)
    integrity: dict[str, Integrity] = field(default_factory=dict)  # of the curves that earn points


class ConfinementTooWeak(GraderFault):
    """This system cannot keep the promises that grading a foreign submission requires."""

    def __init__(self, missing: list[Guarantee], holes: list[str]) -> None:
        lines = [f"a submission here {guarantee.broken}: {guarantee.mend}" for guarantee in missing]
        super().__init__(
            "this system is not safe enough for submissions of others ("
            + "; ".join(lines)
            + f"). Possible was: {', '.join(holes)}. See `python -m autograder doctor`; "
            "`--accept-weak-confinement` grades all the same, and the receipt says what was possible."
        )


class Grader:
    """A fork server and what it takes to grade one submission or many. Use as a context manager."""

    def __init__(
        self,
        *,
        jobs: int = MAX_JOBS,
        required: tuple[str, ...] | None = None,
        deadline_seconds: float = math.inf,
        hidden: tuple[Path, ...] = (),
    ) -> None:
        """
        Args:
            jobs: learning runs at once.
            required: ids of the guarantees without which only the reference is graded; by default those of
                private.toml.
            deadline_seconds: wall-clock time for one submission; what is not done by then is reported as not judged.
            hidden: more folders that no worker may see, such as that of all submissions.
        """
        if not 1 <= jobs <= SUITE_SLOT:
            raise ValueError(f"jobs must be in [1, {SUITE_SLOT}], got {jobs}")
        self._jobs = jobs
        self._required = load_private().required_guarantees if required is None else required
        self._deadline_seconds = deadline_seconds
        self._hidden = hidden
        self._canary_passed: set[str] = set()
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Grader:
        try:
            self._bars = load_bars()
            self._server = self._closing.enter_context(ForkServer(self._hidden))
            self.confinement = probe(self._server)
        except BaseException:
            self._closing.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._closing.close()

    def grade(
        self, intake: Intake, listener: Listener, *, curves: bool = True, only: frozenset[str] | None = None
    ) -> Grade:
        """Grade an accepted submission.

        Args:
            intake: what was handed in.
            listener: hears what happens.
            curves: whether the learning curves run.
            only: ids of the functions to grade; all if None. A report of some is no grade.

        Raises:
            GraderFault: the grader could not do its work at all; nothing is said about the submission then.
        """
        start = time.monotonic()
        session = _Session(
            self._server,
            intake,
            bars=self._bars,
            listener=listener,
            jobs=self._jobs,
            ends=start + self._deadline_seconds,
            confinement=self.confinement,
            canary_passed=self._canary_passed,
        )
        missing = self.confinement.missing(self._required)
        if missing and session.is_foreign:
            holes = [hole for guarantee in missing for hole in self.confinement.holes(guarantee.id)]
            raise ConfinementTooWeak(missing, holes)
        return session.grade(start, curves, only)


class _Session:
    def __init__(
        self,
        server: ForkServer,
        intake: Intake,
        *,
        bars: dict[str, Bar],
        listener: Listener,
        jobs: int,
        ends: float,
        confinement: Confinement,
        canary_passed: set[str],
    ) -> None:
        self._server = server
        self._intake = intake
        self._bars = bars
        self._listener = listener
        self._assignment = load_assignment()
        self._jobs = jobs
        self._ends = ends
        self._confinement = confinement
        self._canary_passed = canary_passed
        self._slots = Slots(SUITE_SLOT)
        self._canary = package_with(reference_code())
        self._broken_files: dict[str, Outcome] = {}
        self._code = {
            name: content for name, content in intake.files.items() if name in self._assignment.submission.code
        }
        self.is_foreign = self._code != reference_code()

    def grade(self, start: float, with_curves: bool, only: frozenset[str] | None) -> Grade:
        self._check_canary(SUITE_SLOT)
        self._student = self._importable_package()
        with ThreadPoolExecutor(self._jobs) as pool:
            try:
                outcomes, runs, curves, integrity = self._run_all(pool, with_curves, only)
            except BaseException:  # Ctrl-C, or a fault: nothing that runs is waited for to its end
                self._ends = -math.inf
                pool.shutdown(wait=False, cancel_futures=True)
                self._server.stop()
                raise
        curves = [without_points(c, integrity.get(c.curve.id)) for c in curves]
        curves = [
            with_note(c, [run.returns for run in runs.get(c.curve.id, [])], self._bars[c.curve.id].bar) for c in curves
        ]
        asked = [stub.id for stub in self._assignment.stubs if only is None or stub.id in only]
        stubs = [self._stub_report(stub_id, outcomes) for stub_id in asked]
        return Grade(
            report=full_report(self._assignment, stubs, curves, []),
            intake=self._intake,
            runs=runs,
            bars=self._bars,
            confinement=self._confinement,
            num_swept=self._sweep(),
            speed=self._server.speed,
            seconds=time.monotonic() - start,
            broken_files=self._broken_files,
            integrity=integrity,
        )

    def _sweep(self) -> int:
        try:
            return self._server.sweep()
        except GraderFault:  # the server died, and with it all that it had started
            self._server.restart()
            return self._server.sweep()

    def _run_all(
        self, pool: ThreadPoolExecutor, with_curves: bool, only: frozenset[str] | None
    ) -> tuple[dict[str, Outcome], dict[str, list[CurveRun]], list[CurveReport], dict[str, Integrity]]:
        runs: dict[str, list[CurveRun]] = {curve.id: [] for curve in self._assignment.curves if with_curves}
        pending = {c: self._start_curve(pool, c, range(FIRST_RUNS)) for c in self._assignment.curves if with_curves}
        suite = Suite(
            self._assignment,
            lambda: self._open(self._student, SUITE_SLOT),
            lambda: self._open(self._canary, SUITE_SLOT),
            self._broken_files,
            self._listener.test_ended,
            recover=self._server.restart,
            ends=self._ends,
            only=only,
            canary_passed=self._canary_passed,
        )
        outcomes = suite.run()
        while pending:
            for curve in list(pending):
                done = runs[curve.id]
                done += [future.result() for future in pending.pop(curve)]
                if self._wants_more(curve, done):
                    pending[curve] = self._start_curve(pool, curve, range(len(done), len(done) + MORE_RUNS))
        curves = [
            curve_report(curve, runs.get(curve.id, []), self._bars[curve.id], self._broken_files, self._assignment)
            for curve in self._assignment.curves
        ]
        checks = {c.curve.id: pool.submit(self._check_integrity, c.curve) for c in curves if c.score > 0}
        integrity = {curve_id: future.result() for curve_id, future in checks.items()}
        return outcomes, runs, curves, integrity

    @property
    def _slowness(self) -> float:
        """How much slower this machine is than the one that recorded the reference runs; at least 1."""
        recorded = np.median([bar.speed for bar in self._bars.values()])
        return max(1.0, float(self._server.speed / recorded))

    def _budget(self, curve: Curve) -> float:
        """Processor seconds of one run."""
        whole = self._bars[curve.id].cpu_seconds * self._assignment.limits.max_cpu_factor
        return max(MIN_BUDGET_SECONDS, whole) * self._slowness

    def _open(self, package: Package, slot: int, cpu_seconds: float | None = None) -> RemoteSubject:
        """A worker for one check; with `cpu_seconds` for a whole run."""
        limits = self._assignment.limits
        return RemoteSubject(
            self._server,
            package,
            slot=slot,
            cpu_seconds=2 * limits.call_seconds * self._slowness if cpu_seconds is None else cpu_seconds,
            call_seconds=limits.call_seconds * self._slowness if cpu_seconds is None else cpu_seconds,
            memory_mb=limits.memory_mb,
            ends=self._ends,
        )

    def _check_canary(self, slot: int, curve: Curve | None = None) -> None:
        """The reference answers a known question in this slot, if need be at a second try, or nothing is graded."""
        if not self._trouble_of_canary(slot, curve):
            return
        self._server.restart()
        if trouble := self._trouble_of_canary(slot, curve):
            raise GraderFault(f"the reference solution does not run in a worker: {trouble}")

    def _trouble_of_canary(self, slot: int, curve: Curve | None) -> str:
        try:
            with self._open(self._canary, slot) as subject:
                if curve is not None:
                    hidden = graded_runs(curve.id)[0]
                    experiment = EXPERIMENTS[curve.experiment]
                    env = make_env(experiment.task_name, hidden.world)
                    RemoteAgent(subject, experiment, hidden, env).act(env.reset(seed=0)[0])
                seen = subject.call("ensemble.gaussian_nll", np.zeros(1), np.zeros(1), np.ones(1))
        except (WorkerDied, StudentError, GraderFault, BadAction) as error:
            return f"{type(error).__name__}: {error}"
        return "" if np.allclose(seen, 0.5) else f"it answers {seen} to a question whose answer is 0.5"

    def _importable_package(self) -> Package:
        """The submission over given files. A file that does not import becomes its stub and is remembered."""
        code = dict(self._code)
        for problem in self._intake.syntax_errors:
            code.pop(problem.file, None)
            where = f"hw4/{problem.file}:{problem.line}"
            self._broken_files[problem.file] = Outcome(
                "", "failed", "does_not_import", where, "SyntaxError", problem.message
            )
        while (broken := self._first_broken(code)) is not None:
            self._broken_files[broken.test] = broken
            del code[broken.test]
        return package_with(code)

    def _first_broken(self, code: dict[str, bytes]) -> Outcome | None:
        """What goes wrong when the files are imported. A worker that ends is tried twice, then the canary decides."""
        death, name = None, next(iter(code), "")
        for _ in range(2 if code else 0):
            try:
                with self._open(package_with(code), SUITE_SLOT) as subject:
                    for name in code:
                        subject.call(f"{name.removesuffix('.py')}.__dir__")  # any call imports the module first
                return None
            except StudentError as error:
                culprit = Path(error.file).name if error.file else name
                cause = cause_of_exception(error.type_name, error.text)
                if culprit not in code:
                    culprit = name
                return Outcome(culprit, "failed", cause, error.where, error.shown_type, str(error))
            except WorkerDied as error:
                death = error
                if not death.may_be_chance:
                    break
        if death is None:
            return None
        if death.reason == "deadline":
            raise GraderFault(DEADLINE_PASSED)
        self._check_canary(SUITE_SLOT)
        return Outcome(name, "failed", death.cause, f"hw4/{name}", "", f"ended at import: {death.reason}")

    def _start_curve(self, pool: ThreadPoolExecutor, curve: Curve, numbers: range) -> list[Future[CurveRun]]:
        return [pool.submit(self._run_curve, curve, number) for number in numbers]

    def _run_curve(self, curve: Curve, number: int) -> CurveRun:
        with self._slots.one() as slot:
            attempts: list[list[bytes]] = []  # the actions of each
            num_restarts = self._server.num_restarts
            for _ in range(2):  # a worker that ends for no reason of its own is given a second chance
                attempts.append([])
                run = run_curve(
                    lambda: self._open(self._student, slot, self._budget(curve)),
                    EXPERIMENTS[curve.experiment],
                    graded_runs(curve.id)[number],
                    lambda episode, value: self._listener.episode_ended(curve, number, episode, value),
                    attempts[-1],
                )
                if not run.may_be_chance:
                    break
            if self._server.num_restarts == num_restarts and not _agree(attempts):
                run.failure, run.may_be_chance = "exits", False
                run.message = "the worker ended, and at a second try with the same seeds its agent acted otherwise"
            if run.may_be_chance or run.failure == "raised":
                self._blame(run, curve, slot)
        self._listener.run_ended(curve, number)
        return run

    def _check_integrity(self, curve: Curve) -> Integrity:
        """Whether the agent of a curve that earns points keeps its promises."""
        with self._slots.one() as slot:
            try:
                return confirmed(
                    lambda: self._open(self._student, slot, self._budget(curve)),
                    lambda: self._open(self._canary, slot, self._budget(curve)),
                    EXPERIMENTS[curve.experiment],
                    rng_of_test(f"integrity of {curve.id}"),
                )
            except GraderFault as fault:
                return Integrity(None, f"not checked: {fault}", unchecked=True)

    def _blame(self, run: CurveRun, curve: Curve, slot: int) -> None:
        """The canary decides whose fault it is that a run ended: its agent is built and acts in the same slot."""
        try:
            self._check_canary(slot, curve)
        except GraderFault as fault:
            run.failure, run.message = "grader_fault", str(fault)

    def _wants_more(self, curve: Curve, done: list[CurveRun]) -> bool:
        return needs_more_runs([_score(curve, run) for run in done], self._bars[curve.id].bar)

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
        except GraderFault:
            failed = "the grader failed here"
        except Exception as error:  # an answer so odd that the example stumbles over it
            failed = f"no usable answer ({type(error).__name__})"
        rows = [
            (name, _shown(seen[name]) if name in seen else failed, _shown(wanted))
            for name, wanted in example.wanted.items()
        ]
        return ExampleRun(example.story, tuple(rows))


def curve_report(
    curve: Curve, runs: list[CurveRun], bar: Bar, broken_files: Iterable[str], assignment: Assignment
) -> CurveReport:
    """The verdict on one curve. Pure: stored runs are scored again by the same words."""

    def report(score: float, verdict: Any, cause: str, grade: Any, message: str, flags: Any = ()) -> CurveReport:
        return CurveReport(curve, round(score, 2), verdict, cause, grade, message, tuple(flags))

    if not runs:
        return report(0.0, "not_run", "", None, "curves were not asked for")
    needed = {stub.file for stub in assignment.stubs if stub.problem in curve.needs}
    broken = [name for name in broken_files if name in needed]
    if broken:
        return report(0.0, "not_run", "curve_blocked", None, f"blocked: {', '.join(broken)} does not import")
    blocked = sorted({run.blocked_by for run in runs if run.blocked_by})
    if blocked:
        return report(0.0, "not_run", "curve_blocked", None, f"blocked by {', '.join(blocked)}: not written yet")
    grade = grade_curve([_score(curve, run) for run in runs], bar=bar.bar, floor=bar.floor)
    flags = [
        f"run {i} was cut short: {WHY_CUT[run.failure]} {run.error}".rstrip()
        for i, run in enumerate(runs, 1)
        if run.failure
    ]
    if len(runs) > FIRST_RUNS:
        flags.append(f"the first three runs disagreed: {len(runs)} runs")
    verdict = "passed" if grade.credit == 1.0 else "failed"
    not_judged = [run.message for run in runs if run.failure in NOT_THE_STUDENTS]
    if not_judged and verdict == "failed":  # the points so far are kept; a TA decides
        return report(curve.points * grade.credit, "grader_fault", "", grade, not_judged[0], flags)
    cause = "" if verdict == "passed" else next((r.failure for r in runs if r.failure), "curve_below_bar")
    return report(curve.points * grade.credit, verdict, cause, grade, grade.decided_by, flags)


WHY_CUT = {
    "raised": "it counts as none, because your code raised an exception:",
    "too_slow": "its processor time was used up; the worst of the episodes that finished count",
    "out_of_memory": "its memory was used up; the worst of the episodes that finished count",
    "exits": "it counts as none, because its process ended",
    "deadline": "the overall deadline passed; the episodes that finished count",
    "grader_fault": "the grader failed; the episodes that finished count",
}
NOT_THE_STUDENTS = ("deadline", "grader_fault")
COUNTS_AS_NONE = ("raised", "exits")  # or an unstable agent would do well to stop at its best
CUT_SHORT = ("too_slow", "out_of_memory")


def score_of_run(curve: Curve, returns: list[float], failure: str) -> float:
    """The score of a run; -inf if it ended by itself, or if no episode with the learned model was finished.

    A run that used up its time or its memory is scored on its worst planned episodes: it may have done so on purpose.
    """
    planned = returns[EXPERIMENTS[curve.experiment].num_initial_episodes :]
    if failure in COUNTS_AS_NONE or (failure in CUT_SHORT and len(planned) < curve.score_episodes):
        return -math.inf
    return score_of(sorted(planned, reverse=True) if failure in CUT_SHORT else planned, curve.score_episodes)


def _score(curve: Curve, run: CurveRun) -> float:
    return score_of_run(curve, run.returns, run.failure)


def _agree(attempts: list[list[bytes]]) -> bool:
    """Whether a second try repeats the first: or an agent would do well to end a bad run and have another."""
    first, last = attempts[0], attempts[-1]
    shared = min(len(first), len(last))
    return first[:shared] == last[:shared]


def _shown(value: Any) -> str:
    """A value as a reader wants to see it: short, on one line where it fits."""
    if isinstance(value, np.ndarray | tuple | list | float):
        try:
            array = np.asarray(value)
            if array.size > MAX_SHOWN:
                return f"an array of shape {array.shape}"
            return np.array2string(array, precision=4, suppress_small=True, separator=", ")[:MAX_SHOWN_CHARACTERS]
        except (ValueError, TypeError):
            return "no array"
    return ascii(value)[:300]
