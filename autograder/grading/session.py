"""Runs everything that one submission is graded by: workers, hidden suite, curves, effects. The judge judges."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np

from autograder.grading.curves import (
    NOT_THE_STUDENTS,
    Bar,
    first_runs_of,
    load_bars,
    more_runs,
    needs_more_runs,
    score_of_run,
)
from autograder.grading.effects import run_effect
from autograder.grading.examples import run_example
from autograder.grading.integrity import NUM_LOOKS
from autograder.grading.judge import Measured, earns_by_its_runs, judge, was_handed_in
from autograder.grading.listener import Listener
from autograder.grading.looks import look_in_time
from autograder.grading.outcome import Outcome
from autograder.grading.private import graded_runs, load_private
from autograder.grading.promises import Integrity
from autograder.grading.referee import BadAction, RemoteAgent, run_curve
from autograder.grading.running import Run, agree, not_repeated, worse_of
from autograder.grading.scaffold import scaffolded_code
from autograder.grading.scoring import ExampleRun, Report, stub_report
from autograder.grading.suite import DEADLINE_PASSED, USED_UP, Suite, without_excuse
from autograder.hidden_tests.graded import DECLARED, EFFECTS
from autograder.isolation.confinement import Confinement, Guarantee, probe
from autograder.isolation.fork_server import NUM_SLOTS, ForkServer, GraderFault, Slots
from autograder.isolation.idling import TimeSpent
from autograder.isolation.package import Package, package_with
from autograder.isolation.remote import RemoteSubject, StudentError, WorkerDied
from autograder.solutions import reference_code
from hw4.checking.answers import CheckFailed
from hw4.checking.causes import cause_of_exception
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.worked_example import check_example
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Curve, Effect, Item, RunItem, Stub, load_assignment
from hw4.handin.intake import Intake

MAX_JOBS = 2  # learning runs at once
SUITE_SLOT = NUM_SLOTS - 1  # workers of the suite and of the curves never share a user id
MIN_BUDGET_SECONDS = 30.0
# Of the time that a submission has, until when what must be done. Nothing that a submission does before takes the time
# from the looks at its agents, and nothing at all from the reference, which has the last part.
RUNS_UNTIL, LOOKS_UNTIL = 0.5, 0.8
# More processor time than the reference needs for any check.
REFERENCE_CHECK_SECONDS = 1.0

AnItem = TypeVar("AnItem", bound=Item)


@dataclass
class Grade:
    """A report and all that a receipt needs."""

    report: Report
    intake: Intake
    measured: Measured  # what the report follows from
    bars: dict[str, Bar]
    confinement: Confinement
    num_swept: int  # processes that workers left behind, killed before this was written
    speed: float
    seconds: float

    @property
    def runs(self) -> Mapping[str, Sequence[Run]]:
        return self.measured.runs

    @property
    def integrity(self) -> Mapping[str, Integrity]:
        return self.measured.integrity


class ConfinementTooWeak(GraderFault):
    """This system does not give the guarantees that grading somebody else's submission requires."""

    def __init__(self, missing: list[Guarantee], holes: list[str]) -> None:
        lines = [f"a submission here {guarantee.broken}: {guarantee.fix}" for guarantee in missing]
        super().__init__(
            "this system is not safe enough for grading other people's submissions ("
            + "; ".join(lines)
            + f"). These were possible: {', '.join(holes)}. See `python -m autograder doctor`; "
            "`--accept-weak-confinement` grades anyway, and the receipt says what was possible."
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
            jobs: number of learning runs at once.
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
            if without := [item.id for item in load_assignment().run_items if item.id not in self._bars]:
                raise GraderFault(f"no bar is recorded for {', '.join(without)}")
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
            curves: whether learning curves and effects run.
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
            start=start,
            deadline_seconds=self._deadline_seconds,
            confinement=self.confinement,
            canary_passed=self._canary_passed,
        )
        missing = self.confinement.missing(self._required)
        if missing and session.is_foreign:
            holes = [hole for guarantee in missing for hole in self.confinement.holes(guarantee.id)]
            raise ConfinementTooWeak(missing, holes)
        return session.grade(curves, only)


class _Session:
    def __init__(
        self,
        server: ForkServer,
        intake: Intake,
        *,
        bars: dict[str, Bar],
        listener: Listener,
        jobs: int,
        start: float,
        deadline_seconds: float,
        confinement: Confinement,
        canary_passed: set[str],
    ) -> None:
        self._server = server
        self._intake = intake
        self._bars = bars
        self._listener = listener
        self._assignment = load_assignment()
        self._jobs = jobs
        self._start = start
        self._deadline_seconds = deadline_seconds
        self._is_stopped = False
        self._in_suite, self._in_runs, self._in_looks = TimeSpent(1), TimeSpent(jobs), TimeSpent(jobs)
        self._confinement = confinement
        self._canary_passed = canary_passed
        self._slots = Slots(SUITE_SLOT)
        self._canary = package_with(reference_code())
        self._broken_files: dict[str, Outcome] = {}
        self._actions: dict[tuple[str, int], list[bytes]] = {}  # of the agent in each run, by item and number
        self._code = {
            name: content for name, content in intake.files.items() if name in self._assignment.submission.code
        }
        self.is_foreign = self._code != reference_code()

    def grade(self, with_runs: bool, only: frozenset[str] | None) -> Grade:
        with np.errstate(all="ignore"):  # of a submission's huge numbers, the staff's terminal need not hear
            self._check_canary(SUITE_SLOT)
            self._student = self._importable_package()
            self._scaffold, self._put_back = scaffolded_code(self._student)  # what curves run
            with ThreadPoolExecutor(self._jobs, initializer=lambda: np.seterr(all="ignore")) as pool:
                try:
                    measured = self._measure(pool, with_runs, only)
                except BaseException:  # Ctrl-C, or a fault: nothing that runs is waited for to its end
                    self._is_stopped = True
                    pool.shutdown(wait=False, cancel_futures=True)
                    self._server.stop()
                    raise
        return Grade(
            report=judge(measured, bars=self._bars, assignment=self._assignment, declared=DECLARED),
            intake=self._intake,
            measured=measured,
            bars=self._bars,
            confinement=self._confinement,
            num_swept=self._sweep(),
            speed=self._server.speed,
            seconds=time.monotonic() - self._start,
        )

    def _until(self, part: float = 1.0) -> float:
        """When a part of the submission's time is over, on the clock of time.monotonic."""
        return -math.inf if self._is_stopped else self._start + part * self._deadline_seconds

    def _sweep(self) -> int:
        try:
            return self._server.sweep()
        except GraderFault:  # the server died, and with it all that it had started
            self._server.restart()
            return self._server.sweep()

    def _measure(self, pool: ThreadPoolExecutor, with_runs: bool, only: frozenset[str] | None) -> Measured:
        """Everything that the judge needs. Nothing runs of an optional problem that was not handed in."""
        stubs = [stub for stub in self._handed_in(self._assignment.stubs) if only is None or stub.id in only]
        # Before anything hidden leaves this process: students see the answers, whatever a worker puts into them.
        examples = self._examples(stubs)
        runs: dict[str, list[Run]] = {item.id: [] for item in self._assignment.run_items if with_runs}
        pending: dict[RunItem, list[Future[Run]]] = {}
        if with_runs:
            pending |= {
                c: self._start_runs(pool, c, range(first_runs_of(c))) for c in self._handed_in(self._assignment.curves)
            }
        suite = Suite(
            self._assignment,
            self._open_for_check,
            lambda: self._open(self._canary, SUITE_SLOT),
            self._broken_files,
            self._listener.test_ended,
            recover=self._server.restart,
            ends=self._until(RUNS_UNTIL),
            only=frozenset(stub.id for stub in stubs),
            canary_passed=self._canary_passed,
        )
        outcomes = suite.run()
        if with_runs:  # only now are the checks of effects known
            pending |= {
                e: self._start_runs(pool, e, range(first_runs_of(e))) for e in self._handed_in(self._assignment.effects)
            }
        while pending:
            for item in list(pending):
                done = runs[item.id]
                done += [future.result() for future in pending.pop(item)]
                if self._wants_more(item, done):
                    pending[item] = self._start_runs(pool, item, range(len(done), len(done) + more_runs(len(done))))
        if self._used_up(RUNS_UNTIL * self._deadline_seconds, self._in_suite, self._in_runs):
            outcomes = {name: without_excuse(outcome) for name, outcome in outcomes.items()}
            for run in itertools.chain.from_iterable(runs.values()):
                if run.failure == "deadline":
                    run.failure, run.message = "too_slow", USED_UP
        failing = (stub.id for stub in stubs if stub_report(stub, DECLARED, outcomes).verdict != "passed")
        measured = Measured(
            submitted=frozenset(self._intake.files),
            outcomes=outcomes,
            examples={stub_id: examples[stub_id] for stub_id in failing if stub_id in examples},
            runs=runs,
            broken_files=self._broken_files,
            put_back=self._put_back,
            only=only,
        )
        began = time.monotonic()
        checks = {
            curve.id: pool.submit(self._check_integrity, curve, began)
            for curve in self._assignment.curves
            if earns_by_its_runs(curve, measured, self._bars[curve.id], self._assignment)
        }
        return dataclasses.replace(measured, integrity={name: future.result() for name, future in checks.items()})

    def _handed_in(self, items: tuple[AnItem, ...]) -> list[AnItem]:
        return [item for item in items if was_handed_in(item, self._code, self._assignment)]

    @property
    def _slowness(self) -> float:
        """How much slower this machine is than the one that recorded the reference runs; at least 1."""
        recorded = np.median([bar.speed for bar in self._bars.values()])
        return max(1.0, float(self._server.speed / recorded))

    def _budget(self, item: RunItem) -> float:
        """Processor seconds of one run."""
        whole = self._bars[item.id].cpu_seconds * self._assignment.limits.max_cpu_factor
        return max(MIN_BUDGET_SECONDS, whole) * self._slowness

    def _open(
        self,
        package: Package,
        slot: int,
        item: RunItem | None = None,
        *,
        until: float = 1.0,
        time_spent: TimeSpent | None = None,
    ) -> RemoteSubject:
        """A worker for one check, or for a whole run of an item.

        Args:
            package: what is in it.
            slot: of the worker.
            item: what is run.
            until: the part of the submission's time after which it must be over.
            time_spent: takes what became of the worker's time.
        """
        limits = self._assignment.limits
        call_seconds = limits.call_seconds * self._slowness
        reference_seconds = REFERENCE_CHECK_SECONDS if item is None else self._bars[item.id].cpu_seconds
        return RemoteSubject(
            self._server,
            package,
            slot=slot,
            cpu_seconds=2 * call_seconds if item is None else self._budget(item),
            call_seconds=call_seconds if item is None else self._budget(item),
            memory_mb=limits.memory_mb,
            ends=self._until(until),
            time_spent=time_spent,
            reference_seconds=reference_seconds * self._slowness,
        )

    def _open_for_check(self, until: float = RUNS_UNTIL) -> RemoteSubject:
        return self._open(self._student, SUITE_SLOT, until=until, time_spent=self._in_suite)

    def _open_for_run(self, package: Package, slot: int, item: RunItem) -> RemoteSubject:
        return self._open(package, slot, item, until=RUNS_UNTIL, time_spent=self._in_runs)

    def _used_up(self, seconds: float, *spent: TimeSpent) -> bool:
        """Whether it is the submission's doing, should a deadline have passed after so many seconds."""
        return math.isfinite(seconds) and any(one.used_up(seconds) for one in spent)

    def _check_canary(self, slot: int, item: RunItem | None = None) -> None:
        """The reference answers known questions in this slot, if need be at a second try, or nothing is graded."""
        if not self._trouble_of_canary(slot, item):
            return
        self._server.restart()
        if trouble := self._trouble_of_canary(slot, item):
            raise GraderFault(f"the reference solution does not run in a worker: {trouble}")

    def _trouble_of_canary(self, slot: int, item: RunItem | None) -> str:
        one_of_each_file = {stub.file: stub.id for stub in reversed(self._assignment.stubs)}.values()
        try:
            with self._open(self._canary, slot) as subject:
                if item is not None and item.kind == "curve":
                    hidden = graded_runs(item.id)[0]
                    experiment = EXPERIMENTS[item.experiment]
                    env = hidden.environment(experiment.task_name)
                    agent = RemoteAgent(subject, experiment, hidden, env, build_agent=item.agent)
                    agent.act(env.reset(seed=0)[0])
                for stub_id in one_of_each_file:
                    check_example(WORKED_EXAMPLES[stub_id], subject)
        except (WorkerDied, StudentError, GraderFault, BadAction, CheckFailed) as error:
            return f"{type(error).__name__}: {error}"
        if item is not None and item.kind == "effect":
            return self._run_effect(item, 0, self._canary, slot, []).message
        return ""

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
                package = package_with(code)
                with self._open(package, SUITE_SLOT, until=RUNS_UNTIL, time_spent=self._in_suite) as subject:
                    for name in code:
                        module = name.removesuffix(".py").replace("/", ".")
                        subject.call(f"{module}.__dir__")  # any call imports the module first
                return None
            except StudentError as error:
                culprit = (error.file or name).removeprefix("hw4/")
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
        if death.reason == "deadline" and not self._used_up(RUNS_UNTIL * self._deadline_seconds, self._in_suite):
            raise GraderFault(DEADLINE_PASSED)
        self._check_canary(SUITE_SLOT)
        return Outcome(name, "failed", death.cause, f"hw4/{name}", "", f"ended at import: {death.reason}")

    def _start_runs(self, pool: ThreadPoolExecutor, item: RunItem, numbers: range) -> list[Future[Run]]:
        return [pool.submit(self._run, item, number) for number in numbers]

    def _run(self, item: RunItem, number: int) -> Run:
        with self._slots.one() as slot:
            num_restarts = self._server.num_restarts
            run, answers = self._attempt(item, number, slot)
            if run.may_be_chance:  # a worker that ends for no reason of its own is given a second chance
                first, first_answers = run, answers
                run, answers = self._attempt(item, number, slot)
                if not agree(first_answers, answers):
                    by_machine = first.by_machine or self._server.num_restarts != num_restarts
                    run = worse_of(first, run) if by_machine else not_repeated(run)
            if run.may_be_chance or (run.failure and run.failure not in NOT_THE_STUDENTS):
                self._blame(run, item, slot)
        self._actions[item.id, number] = answers
        self._listener.run_ended(item, number)
        return run

    def _attempt(self, item: RunItem, number: int, slot: int) -> tuple[Run, list[bytes]]:
        """One try of a run, and the actions of the agent, or the answers of the functions, one after the other."""
        answers: list[bytes] = []
        if item.kind == "curve":
            return self._run_curve(item, number, slot, answers), answers
        return self._run_effect(item, number, self._student, slot, answers), answers

    def _run_curve(self, curve: Curve, number: int, slot: int, actions: list[bytes]) -> Run:
        return run_curve(
            lambda: self._open_for_run(self._scaffold, slot, curve),
            EXPERIMENTS[curve.experiment],
            graded_runs(curve.id)[number],
            lambda episode, value: self._listener.episode_ended(curve, number, episode, value),
            actions,
            curve.agent,
        )

    def _run_effect(self, effect: Effect, number: int, package: Package, slot: int, answers: list[bytes]) -> Run:
        hidden = graded_runs(effect.id)[number]
        if effect.id not in EFFECTS:
            message = f"no hidden check computes {effect.id}"
            return Run(hidden.env_seed, {}, failure="grader_fault", message=message)
        return run_effect(lambda: self._open_for_run(package, slot, effect), EFFECTS[effect.id], hidden, answers)

    def _check_integrity(self, curve: Curve, began: float) -> Integrity:
        """Whether the agent of a curve that earns points keeps its promises."""
        ends = self._until(LOOKS_UNTIL)
        with self._slots.one() as slot:
            return look_in_time(
                lambda: self._open(self._scaffold, slot, curve, until=LOOKS_UNTIL, time_spent=self._in_looks),
                lambda: self._open(self._canary, slot, curve),
                curve,
                lambda: time.monotonic() >= ends and self._used_up(ends - began, self._in_looks),
                [self._actions.get((curve.id, number), []) for number in range(NUM_LOOKS)],
            )

    def _blame(self, run: Run, item: RunItem, slot: int) -> None:
        """The canary decides whose fault it is that a run ended: it does the same, or begins to, in the same slot."""
        try:
            self._check_canary(slot, item)
        except GraderFault as fault:
            run.failure, run.message = "grader_fault", str(fault)

    def _wants_more(self, item: RunItem, done: list[Run]) -> bool:
        scores = [score_of_run(item, run.returns, run.failure) for run in done]
        return needs_more_runs(scores, self._bars[item.id].bar, first_runs_of(item))

    def _examples(self, stubs: list[Stub]) -> dict[str, ExampleRun]:
        """The worked example of each function, run on the submission."""
        whole = [stub.id for stub in stubs if stub.file not in self._broken_files]
        return {stub_id: run_example(WORKED_EXAMPLES[stub_id], self._open_for_check) for stub_id in whole}
