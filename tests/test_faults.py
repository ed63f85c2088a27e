"""Faults of the grader, injected one by one: none may become a student's zero.

Each ends as a grader fault, with a message, or is recovered by one more try.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import autograder.grading.session as session_module
import autograder.isolation.fork_server as fork_server_module
import autograder.isolation.remote as remote_module
from autograder.grading.listener import Silent
from autograder.grading.outcome import Outcome
from autograder.grading.private import graded_runs
from autograder.grading.referee import run_curve
from autograder.grading.running import Run, worse_of
from autograder.grading.session import ConfinementTooWeak, Grade, Grader
from autograder.grading.suite import DEADLINE_PASSED
from autograder.hidden_tests import ensemble_oracle
from autograder.hidden_tests.graded import DECLARED
from autograder.isolation.confinement import Confinement, verify_layers
from autograder.isolation.fork_server import ForkServer, GraderFault
from autograder.isolation.package import package_with
from autograder.isolation.remote import RemoteSubject, WorkerDied
from autograder.solutions import ROOT, reference_code
from autograder.worker.layers import LANDLOCK, OWN_USER
from autograder.zoo.visit import intake_of
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import load_assignment

ONLY = frozenset({"gaussian_nll", "cem_refit"})
POINTS = sum(load_assignment().stub(stub_id).points for stub_id in ONLY)
FEW = frozenset({"bootstrap_indices"})  # where the server is started again for every check


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as opened:
        yield opened


def grade_honest(grader: Grader, only: frozenset[str] = ONLY) -> Grade:
    """Grade the reference, dressed as a submission of somebody else, by a few probes."""
    code = {name: content + b"\n# mine\n" for name, content in reference_code().items()}
    return grader.grade(intake_of(code), Silent(), curves=False, only=only)


def is_full(grade: Grade) -> bool:
    return grade.report.score == POINTS and not grade.report.faults


def is_fault(grade: Grade) -> bool:
    verdicts = {stub.verdict for stub in grade.report.stubs}
    return bool(grade.report.faults) and "failed" not in verdicts


def test_without_a_fault_the_honest_submission_gets_full_marks(grader: Grader) -> None:
    assert is_full(grade_honest(grader))


# Recovered by one more try -------------------------------------------------------------------------------------------


def after_spawns(
    monkeypatch: pytest.MonkeyPatch, numbers: set[int], do: Callable[[ForkServer, int], None]
) -> list[int]:
    """Call `do(server, pid)` after the spawns with these numbers, from 0. Returns the pids of all spawned workers."""
    spawned: list[int] = []
    real = ForkServer.spawn

    def spawn(self: ForkServer, **options: Any) -> Any:
        answer = real(self, **options)
        spawned.append(answer[0])
        if len(spawned) - 1 in numbers:
            do(self, answer[0])
        return answer

    monkeypatch.setattr(ForkServer, "spawn", spawn)
    return spawned


@pytest.mark.parametrize("number", [0, 1, 5])
def test_a_worker_killed_from_outside_is_replaced(grader: Grader, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """As by the machine's memory limit: before the first canary, while files are imported, during the probes."""
    spawned = after_spawns(monkeypatch, {number}, lambda server, pid: os.kill(pid, signal.SIGKILL))
    assert is_full(grade_honest(grader))
    assert len(spawned) > number


def test_a_worker_killed_in_the_middle_of_a_call_is_replaced(grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    real = RemoteSubject._request

    def request(self: RemoteSubject, message: dict[str, Any], *args: Any) -> Any:
        if message.get("name") == "mpc.refit_to_elites" and not killed:
            killed.append(self.pid)
            os.kill(self.pid, signal.SIGKILL)
        return real(self, message, *args)

    monkeypatch.setattr(RemoteSubject, "_request", request)
    assert is_full(grade_honest(grader))
    assert killed


def test_a_stopped_worker_is_replaced(grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_module, "WALL_FACTOR", 0.4)
    monkeypatch.setattr(remote_module, "HELLO_SECONDS", 2.0)
    after_spawns(monkeypatch, {5}, lambda server, pid: os.kill(pid, signal.SIGSTOP))
    assert is_full(grade_honest(grader))


def test_a_killed_fork_server_is_started_again() -> None:
    """While files are imported, and during the probes."""
    with Grader() as grader:
        for number in (3,):
            with pytest.MonkeyPatch.context() as patch:
                after_spawns(patch, {number}, lambda server, pid: os.kill(server.pid, signal.SIGKILL))
                num_restarts = grader._server.num_restarts
                assert is_full(grade_honest(grader))
                assert grader._server.num_restarts > num_restarts


@pytest.mark.verify  # another server
def test_a_fork_server_that_hangs_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with Grader() as grader:
        grader._server._control.settimeout(1.0)
        os.kill(grader._server.pid, signal.SIGSTOP)
        assert is_full(grade_honest(grader))
        assert grader._server.num_restarts == 1


@pytest.mark.verify  # the server is started again
def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one() -> None:
    """The server hangs while a worker's end is asked for, and wakes up before the next worker is wanted."""
    with Grader() as grader:
        server = grader._server
        pid, connection = server.spawn(slot=0, cpu_seconds=10, memory_mb=4096)
        server._control.settimeout(0.3)
        os.kill(server.pid, signal.SIGSTOP)
        assert server.end(pid, 0).status is None
        os.kill(server.pid, signal.SIGCONT)
        connection.close()
        assert is_full(grade_honest(grader))
        assert server.num_restarts == 1


def test_a_fork_server_that_does_not_start_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def start(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(real(["sleep", "60"], **options))
        return started[-1]

    monkeypatch.setattr(fork_server_module.subprocess, "Popen", start)
    monkeypatch.setattr(fork_server_module, "START_SECONDS", 0.3)
    with pytest.raises(GraderFault, match="does not answer"), ForkServer():
        pass
    assert started[0].poll() is not None


def test_a_fork_that_fails_once_is_tried_again(grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[int] = []
    real = ForkServer._exchange

    def exchange(self: ForkServer, request: dict[str, Any], connection: Any = None) -> dict[str, Any]:
        if request["kind"] == "spawn" and not failures:
            failures.append(1)
            raise GraderFault("the fork server could not spawn: BlockingIOError: no more processes")
        return real(self, request, connection)

    monkeypatch.setattr(ForkServer, "_exchange", exchange)
    assert is_full(grade_honest(grader))
    assert failures


def test_sockets_that_run_out_once_are_no_verdict(grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[int] = []
    real = socket.socketpair

    def socketpair(*args: Any) -> Any:
        if len(failures) < 1:
            failures.append(1)
            raise OSError(errno.EMFILE, "Too many open files")
        return real(*args)

    monkeypatch.setattr(socket, "socketpair", socketpair)
    assert is_full(grade_honest(grader))
    assert failures


@pytest.mark.verify  # another server
def test_threads_of_the_shell_do_not_reach_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """BLAS threads by the dozen starve under limits: a worker has one, whatever the shell says."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "64")
    monkeypatch.setenv("LD_PRELOAD", "/nowhere.so")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    with Grader() as grader:
        assert is_full(grade_honest(grader))


def test_a_slow_machine_gets_more_time(grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as slow as the one that recorded the curves: ten times the processor time; a fast one loses none."""
    recorded = statistics.median(bar.speed for bar in grader._bars.values())
    allowed: list[int] = []
    real = ForkServer.spawn

    def spawn(self: ForkServer, **options: Any) -> Any:
        allowed.append(options["cpu_seconds"])
        return real(self, **options)

    monkeypatch.setattr(ForkServer, "spawn", spawn)
    for slowness in (0.1, 10.0):
        monkeypatch.setattr(grader._server, "speed", slowness * recorded)
        assert is_full(grade_honest(grader))
    seconds = 2 * load_assignment().limits.call_seconds
    assert set(allowed) == {math.ceil(seconds), math.ceil(10 * seconds)}


# Reported as the grader's fault --------------------------------------------------------------------------------------


def test_workers_that_are_always_killed_are_the_graders_fault(grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    after_spawns(monkeypatch, set(range(1000)), lambda server, pid: os.kill(pid, signal.SIGKILL))
    with pytest.raises(GraderFault, match="reference solution does not run"):
        grade_honest(grader)


@pytest.mark.verify  # the server is started again for every check
def test_workers_that_die_from_some_moment_on_are_the_graders_fault(
    grader: Grader, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_spawns(monkeypatch, set(range(2, 1000)), lambda server, pid: os.kill(pid, signal.SIGKILL))
    assert is_fault(grade_honest(grader, FEW))


@pytest.mark.verify  # another server
def test_a_fork_server_that_cannot_start_again_is_the_graders_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with Grader() as grader:

        def kill_for_good(server: ForkServer, pid: int) -> None:
            monkeypatch.setattr(fork_server_module, "FORK_SERVER", Path("/nowhere/forkserver.py"))
            os.kill(server.pid, signal.SIGKILL)

        after_spawns(monkeypatch, {5}, kill_for_good)
        with pytest.raises(GraderFault):
            grade_honest(grader)


def test_a_check_that_the_reference_fails_is_the_graders_fault(grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong oracle, a wrong tolerance, a broken test: the student is not asked to pass what nobody passes."""
    real = ensemble_oracle.gaussian_nll
    monkeypatch.setattr(grader, "_canary_passed", set())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ensemble_oracle, "gaussian_nll", lambda *args: real(*args) + 1.0)
        grade = grade_honest(grader, frozenset({"gaussian_nll"}))
    nll = next(stub for stub in grade.report.stubs if stub.id == "gaussian_nll")
    assert nll.verdict == "grader_fault"
    assert grade.report.faults


@pytest.mark.verify  # the server is started again for every check
def test_a_check_that_stumbles_is_the_graders_fault(grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(name: str) -> Any:
        raise KeyError("seed")

    monkeypatch.setattr("autograder.grading.suite.rng_of_test", stumble)
    assert is_fault(grade_honest(grader, FEW))


def test_a_test_that_vanishes_is_the_graders_fault(grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = next(test for test in DECLARED.values() if test.stub_id == "gaussian_nll")
    monkeypatch.setitem(
        DECLARED, "test_that_is_not_there", dataclasses.replace(declared, name="test_that_is_not_there")
    )
    grade = grade_honest(grader)
    assert any("test_that_is_not_there" in fault for fault in grade.report.faults)
    assert not any(stub.verdict == "failed" for stub in grade.report.stubs)


def test_the_overall_deadline_leaves_a_partial_grade(grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[Outcome] = []

    class EndsAfterTheSecond(Silent):
        def test_ended(self, outcome: Outcome) -> None:
            ended.append(outcome)
            if len(ended) == 2:  # the first of a function earns nothing without another
                monkeypatch.setattr("autograder.grading.suite.time", SimpleNamespace(monotonic=lambda: math.inf))

    monkeypatch.setattr(grader, "_deadline_seconds", 3600.0)
    grade = grader.grade(intake_of(reference_code()), EndsAfterTheSecond(), curves=False, only=ONLY)
    outcomes = [test.outcome for stub in grade.report.stubs for test in stub.tests]
    assert [outcome.verdict for outcome in outcomes].count("passed") == 2
    assert {outcome.message for outcome in outcomes if outcome.verdict == "grader_fault"} == {DEADLINE_PASSED}
    assert 0 < grade.report.score < POINTS


@pytest.mark.verify  # the server is started again for every run
def test_a_curve_whose_worker_always_dies_is_the_graders_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs end, the canary ends in the same slot: points are not lost in silence."""
    with Grader() as grader:
        real = RemoteSubject._request

        def request(self: RemoteSubject, message: dict[str, Any], *args: Any) -> Any:
            if self._slot != 31:  # the suite's own slot is left alone
                os.kill(self.pid, signal.SIGKILL)
            return real(self, message, *args)

        monkeypatch.setattr(RemoteSubject, "_request", request)
        grade = grader.grade(intake_of(reference_code()), Silent(), only=frozenset({"gaussian_nll"}))
        assert {curve.verdict for curve in grade.report.curves} == {"grader_fault"}
        assert len(grade.report.faults) == len(load_assignment().curves)


def test_a_worker_that_is_killed_once_in_a_curve_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    with ForkServer() as server:
        package = package_with(reference_code())
        experiment = dataclasses.replace(
            EXPERIMENTS["cliff_hill"], gradient_steps=2, num_initial_episodes=1, num_episodes=2, population_size=12
        )

        def open_subject() -> RemoteSubject:
            return RemoteSubject(server, package, slot=0, cpu_seconds=60, call_seconds=60, memory_mb=4096)

        def kill(episode: int, episode_return: float) -> None:
            if not killed:
                killed.append(episode)
                for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split():
                    os.kill(int(pid), signal.SIGKILL)

        hidden = graded_runs("curve_cliff_hill")[0]
        first = run_curve(open_subject, experiment, hidden, kill)
        assert (first.failure, first.may_be_chance) == ("exits", True)
        second = run_curve(open_subject, experiment, hidden, kill)
        assert (second.failure, len(second.returns)) == ("", 2)


ACTION = b"        action = self.plan[self.num_executed]\n"
OTHERWISE_EACH_TIME = ACTION + b"        action = action * (__import__('os').urandom(1)[0] / 256)\n"


@pytest.mark.parametrize(
    ("action", "by_machine", "failure"),
    [
        pytest.param(ACTION + b"        # mine\n", True, "", marks=pytest.mark.verify),
        pytest.param(ACTION + b"        # mine\n", False, "", marks=pytest.mark.verify),
        pytest.param(OTHERWISE_EACH_TIME, True, "", marks=pytest.mark.verify),
        (OTHERWISE_EACH_TIME, False, "exits"),
    ],
)
def test_a_second_try_of_a_run_must_repeat_the_first_unless_the_machine_ended_it(
    monkeypatch: pytest.MonkeyPatch, action: bytes, by_machine: bool, failure: str
) -> None:
    """Or an agent that draws its luck elsewhere would end its bad runs and keep the better of two."""
    short = dataclasses.replace(
        EXPERIMENTS["cliff_hill"], gradient_steps=2, num_initial_episodes=1, num_episodes=3, population_size=12
    )
    monkeypatch.setitem(EXPERIMENTS, "cliff_hill", short)
    real, begun = RemoteSubject.call_method, []

    def call_method(self: RemoteSubject, handle: Any, name: str, *args: Any) -> Any:
        if name == "begin_episode":
            begun.append(self)
            if len(begun) == 3:
                os.kill(self.pid, signal.SIGKILL)
        return real(self, handle, name, *args)

    monkeypatch.setattr(RemoteSubject, "call_method", call_method)
    monkeypatch.setattr(WorkerDied, "by_machine", by_machine)
    code = reference_code()
    with Grader(jobs=1, required=()) as grader:
        curve = next(curve for curve in load_assignment().curves if curve.experiment == "cliff_hill")
        monkeypatch.setattr(
            session_module,
            "load_assignment",
            lambda: dataclasses.replace(load_assignment(), curves=(curve,), effects=()),
        )
        grade = grader.grade(
            intake_of({**code, "mpc.py": code["mpc.py"].replace(ACTION, action)}),
            Silent(),
            only=frozenset({"gaussian_nll"}),
        )
    assert sorted(run.failure for run in grade.runs[curve.id][:3]) == sorted(["", "", failure])


def test_of_two_tries_that_differ_no_episode_counts_that_was_worse_before() -> None:
    first, second = Run(0, {}, returns=[1.0, 5.0], failure="exits"), Run(0, {}, returns=[3.0, 4.0, 9.0])
    assert worse_of(first, second).returns == [1.0, 4.0, 9.0]
    assert worse_of(first, second).failure == ""


PREDICTION = b"        return observation + observation_delta\n"
HUGE = (
    b"        if observation.dim() == 1:\n            return torch.full_like(observation, 1e300, dtype=torch.float64)\n"
)


def test_huge_numbers_make_no_noise_in_the_terminal_of_staff(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder, capfd: pytest.CaptureFixture[str]
) -> None:
    short = dataclasses.replace(
        EXPERIMENTS["cliff_hill"], gradient_steps=2, num_initial_episodes=1, num_episodes=2, population_size=12
    )
    monkeypatch.setitem(EXPERIMENTS, "cliff_hill", short)
    with Grader(required=()) as grader:
        curve = next(curve for curve in load_assignment().curves if curve.experiment == "cliff_hill")
        monkeypatch.setattr(
            session_module,
            "load_assignment",
            lambda: dataclasses.replace(load_assignment(), curves=(curve,), effects=()),
        )
        code = reference_code()
        grade = grader.grade(
            intake_of({**code, "dynamics_model.py": code["dynamics_model.py"].replace(PREDICTION, HUGE + PREDICTION)}),
            Silent(),
            only=frozenset({"gaussian_nll"}),
        )
    assert {len(run.returns) for run in grade.runs[curve.id]} == {2}
    assert [warning for warning in recwarn if issubclass(warning.category, RuntimeWarning)] == []
    assert "Warning" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({"no new privileges": "on"}, "the system says that it is off"),
        ({"seccomp: no sockets, no new processes": "on"}, "the system says that it is off"),
        ({"no capabilities": "on"}, "the system says that it is off"),
        ({"own process ids": "on"}, "the system says that it is off"),
        ({OWN_USER: "on"}, "the system says that it is off"),
        ({}, "did not get a user id of its own"),
    ],
)
def test_a_layer_that_does_not_hold_stops_the_grading(layers: dict[str, str], message: str) -> None:
    """Said of a process that nobody confined."""
    process = subprocess.Popen(["sleep", "60"])
    try:
        if layers == {"no capabilities": "on"} and os.getuid() != 0:
            pytest.skip("an unprivileged process has no capabilities")
        with pytest.raises(GraderFault, match=message):
            verify_layers(process.pid, layers, 12345)
    finally:
        process.kill()
        process.wait()


def test_a_system_that_is_too_weak_grades_the_reference_alone(grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    probes = {**grader.confinement.probes, "hidden_files": {"read autograder/private.toml": "possible"}}
    layers = {**grader.confinement.layers, LANDLOCK: "off: Function not implemented"}
    monkeypatch.setattr(grader, "confinement", Confinement(layers, probes, 0))
    with pytest.raises(ConfinementTooWeak, match=r"could read hidden tests.*private\.toml.*doctor"):
        grade_honest(grader)
    assert is_full(grader.grade(intake_of(reference_code()), Silent(), curves=False, only=ONLY))
    monkeypatch.setattr(grader, "_required", ())
    assert is_full(grade_honest(grader))


# Through the command, in a copy of the grader ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def submission(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of functions that are graded quickly."""
    folder = tmp_path_factory.mktemp("submitted")
    for name in ("dynamics_model.py", "ensemble.py"):
        shutil.copy(ROOT / "solutions" / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def copy_of_grader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy") / "grader"
    for name in ("autograder", "hw4", "solutions"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("assignment.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def grade_in(folder: Path, submission: Path, output: Path, *options: str) -> tuple[int, str, dict[str, Any]]:
    """Run `autograder grade` there. Returns exit status, what it printed, and results.json."""
    command = [sys.executable, "-m", "autograder", "grade", str(submission), "--output", str(output), *options]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    results = output / "results.json"
    return run.returncode, run.stdout + run.stderr, json.loads(results.read_text()) if results.exists() else {}


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("autograder/recorded/reference/bars.json", b"{"),
        ("autograder/recorded/reference/bars.json", b"{}"),
        ("autograder/private.toml", b"master_seed = "),
        ("assignment.toml", b"[course]\n"),
        ("hw4/checking/subject.py", b"raise RuntimeError('a damaged given file')\n"),
        pytest.param("solutions/ensemble.py", b"def broken(:\n", marks=pytest.mark.verify),
        ("autograder/worker/forking.py", b"import a_wheel_that_is_missing\n"),
        ("autograder/hidden_tests/test_mpc.py", b"def broken(:\n"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_damaged_grader_says_so(
    copy_of_grader: Path, submission: Path, tmp_path: Path, file: str, content: bytes
) -> None:
    path = copy_of_grader / file
    whole = path.read_bytes()
    path.write_bytes(content)
    try:
        status, printed, results = grade_in(copy_of_grader, submission, tmp_path / "out", "--quick")
    finally:
        path.write_bytes(whole)
    assert status == 5, printed
    assert "fault" in printed.lower()
    assert "score" not in results, "a fault must not count as points"
    if file != "autograder/hidden_tests/test_mpc.py":
        assert not results["tests"]


@pytest.mark.verify  # learning curves
def test_a_damaged_file_that_only_agents_use_is_noticed(copy_of_grader: Path, tmp_path: Path) -> None:
    path = copy_of_grader / "hw4" / "networks.py"
    whole = path.read_bytes()
    path.write_bytes(b"raise RuntimeError('a damaged given file')\n")
    try:
        status, printed, results = grade_in(copy_of_grader, ROOT / "solutions", tmp_path / "out")
    finally:
        path.write_bytes(whole)
    assert status == 5, printed
    assert "score" not in results


def test_a_full_disk_is_no_zero(copy_of_grader: Path, submission: Path, tmp_path: Path) -> None:
    """Every write of the results fails: the exit status says fault, and no half-written file is left."""
    output = tmp_path / "out"
    output.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(output)], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        (output / "filler").write_bytes(b"x" * 4096)
        status, printed, results = grade_in(copy_of_grader, submission, output, "--quick")
        assert status == 5, printed
        assert "No space left" in printed
        assert not results
    finally:
        subprocess.run(["umount", str(output)], check=True)
