"""What a worker cannot do, tried out in real workers. (On a system where a layer is off, its tests say so and skip.)"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder.isolation.confinement import hidden_files
from autograder.isolation.fork_server import ForkServer
from autograder.isolation.package import package_with
from autograder.isolation.remote import RemoteSubject, StudentError, WorkerDied
from autograder.solutions import ROOT, reference_code
from autograder.worker import seccomp
from autograder.worker.layers import LANDLOCK, SECCOMP
from autograder.zoo import Animal, code_of
from hw4.checking.answers import CheckFailed

Attack = Callable[..., RemoteSubject]


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    with ForkServer() as opened:
        yield opened


@pytest.fixture
def attack(server: ForkServer) -> Attack:
    """A worker whose `gaussian_nll` has this body."""

    def open_worker(*lines: str, call_seconds: float = 5.0, memory_mb: int = 4096) -> RemoteSubject:
        animal = Animal(name="attack", kind="wrong", story="", regions={"gaussian_nll": "\n".join(lines)})
        package = package_with(code_of(animal))
        seconds = call_seconds
        return RemoteSubject(server, package, slot=3, cpu_seconds=seconds, call_seconds=seconds, memory_mb=memory_mb)

    return open_worker


def call(subject: RemoteSubject) -> Any:
    return subject.call("ensemble.gaussian_nll", np.zeros(2), np.zeros(2), np.zeros(2))


def need(subject: RemoteSubject, layer: str) -> None:
    if subject.layers[layer] != "on":
        pytest.skip(f"{layer} is {subject.layers[layer]}")


@pytest.mark.parametrize(
    ("layer", "lines"),
    [
        *((LANDLOCK, [f"open({str(path)!r}).read()"]) for path in hidden_files()),
        (LANDLOCK, [f"import os; os.listdir({str(ROOT)!r})"]),
        (LANDLOCK, [f"open({str(ROOT / 'build' / 'results.json')!r}, 'w').write('100')"]),
        (LANDLOCK, ["open('/etc/passwd').read()"]),
        (LANDLOCK, ["open('/tmp/left_behind', 'w').write('x')"]),
        (LANDLOCK, ["open('/etc/hostname', 'a').write('x')"]),
        (LANDLOCK, ["open('/proc/THIS_PROCESS/environ').read()"]),
        (LANDLOCK, ["open('/proc/THIS_PROCESS/mem', 'rb').read(1)"]),
        (LANDLOCK, ["import os, signal; os.kill(THIS_PROCESS, signal.SIGTERM)"]),
        (SECCOMP, ["import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM)"]),
        (SECCOMP, ["import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"]),
        (SECCOMP, ["import socket; socket.socket(socket.AF_UNIX)"]),
        (SECCOMP, ["import os; os.fork()"]),
        (SECCOMP, ["import os; os.chmod('.', 0)"]),
        (SECCOMP, [f"import os; os.chown({str(ROOT)!r}, 0, 0)"]),
        (SECCOMP, [f"import os; os.utime({str(ROOT)!r})"]),
        (SECCOMP, ["import os; os.kill(THIS_PROCESS, 0)"]),
        (SECCOMP, ["import resource; resource.prlimit(THIS_PROCESS, resource.RLIMIT_CPU, (1, 1))"]),
        (SECCOMP, ["import ctypes", "if ctypes.CDLL(None, use_errno=True).shmget(1, 4096, 0o1666) < 0:",
                   "    raise PermissionError(ctypes.get_errno())"]),
        (SECCOMP, ["import subprocess; subprocess.run(['true'])"]),
        (SECCOMP, ["import os; os.execv('/bin/sh', ['sh'])"]),
        (SECCOMP, ["import ctypes", "if ctypes.CDLL(None, use_errno=True).ptrace(16, THIS_PROCESS, 0, 0) < 0:",
                   "    raise PermissionError(ctypes.get_errno())"]),
    ],
    ids=lambda value: value[-1][-60:] if isinstance(value, list) else "",
)  # fmt: skip
def test_what_is_forbidden_fails_with_an_error(attack: Attack, layer: str, lines: list[str]) -> None:
    lines = [line.replace("THIS_PROCESS", str(os.getpid())) for line in lines]
    with attack(*lines, "return mean") as subject:
        need(subject, layer)
        with pytest.raises(StudentError) as caught:
            call(subject)
        assert caught.value.type_name in ("PermissionError", "FileNotFoundError", "OSError")
    assert not Path("/tmp/left_behind").exists()


def test_seeds_tests_oracles_and_solutions_are_hidden() -> None:
    hidden = {path.relative_to(ROOT).as_posix() for path in hidden_files()}
    assert "autograder/private.toml" in hidden
    assert {f"solutions/{name}" for name in reference_code()} <= hidden
    for ending in ("/test_*.py", "/*_oracle.py"):
        assert any(fnmatch(name, f"autograder/hidden_tests{ending}") for name in hidden), ending


@pytest.mark.parametrize("name", ["gymnasium.Env", "mujoco.MjModel", "imageio.imread"])
def test_simulators_cannot_be_imported(attack: Attack, name: str) -> None:
    """Even after the block on the import is lifted: an unreadable folder imports, at most, as an empty package."""
    module = name.partition(".")[0]
    with attack(
        f"import sys; sys.modules.pop({module!r}, None)",
        f"import {module}",
        f"{name}",
        "return mean",
    ) as subject:
        need(subject, LANDLOCK)
        with pytest.raises(StudentError):
            call(subject)


def test_the_trusted_process_is_untouched_by_a_worker(attack: Attack) -> None:
    """Only the worker's own status is looked at: the kernel says what the worker cannot forge."""
    with attack("return mean") as subject:
        call(subject)
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{subject.pid}/status").read_text(encoding="utf-8").splitlines()
        )
        assert status["NoNewPrivs"] == "1"
        assert int(status["CapEff"], 16) == 0
        assert (status["Seccomp"] == "2") == (subject.layers[SECCOMP] == "on")


def test_dripping_bytes_do_not_outlive_the_deadline(attack: Attack) -> None:
    lines = [
        "import gc, socket, time",
        "sockets = [o for o in gc.get_objects() if isinstance(o, socket.socket)]",
        "for _ in range(1000):",
        "    sockets[0].send(b'\\x00'); time.sleep(0.05)",
    ]
    with attack(*lines, call_seconds=1.0) as subject:
        start = time.monotonic()
        with pytest.raises(WorkerDied) as death:
            call(subject)
        assert time.monotonic() - start < 15
        assert death.value.reason in ("time", "protocol")


def test_forged_frames_are_no_verdict(attack: Attack) -> None:
    lines = [
        "import gc, socket, struct",
        "sockets = [o for o in gc.get_objects() if isinstance(o, socket.socket)]",
        "sockets[0].sendall(struct.pack('<I', 2**32 - 1) + b'PASS' * 100)",
        "return mean",
    ]
    with attack(*lines) as subject, pytest.raises(WorkerDied) as death:
        call(subject)
    assert death.value.reason == "protocol"


def test_a_daemon_cannot_stay_behind(attack: Attack) -> None:
    with attack("while True: pass", call_seconds=1.0) as subject, pytest.raises(WorkerDied):
        call(subject)
    assert not Path(f"/proc/{subject.pid}").exists()


def test_a_worker_dies_with_its_server() -> None:
    with ForkServer() as server:
        subject = RemoteSubject(
            server, package_with(reference_code()), slot=4, cpu_seconds=5, call_seconds=5, memory_mb=4096
        )
        subject.__enter__()
        os.kill(server._process.pid, signal.SIGKILL)
        for _ in range(100):
            if not Path(f"/proc/{subject.pid}").exists():
                break
            time.sleep(0.05)
        else:
            pytest.fail("the worker outlived its server")


ANSWER = """
import json
import numpy as np
from autograder.isolation.confinement import hidden_files
from autograder.isolation.fork_server import ForkServer
from autograder.isolation.package import package_with
from autograder.isolation.remote import RemoteSubject
from autograder.solutions import reference_code

code = reference_code()
code["ensemble.py"] += b"\\nimport torch.distributions, sympy\\n"  # what the fork server has not imported
with ForkServer() as server, RemoteSubject(
    server, package_with(code), slot=0, cpu_seconds=20, call_seconds=20, memory_mb=4096
) as subject:
    answer = subject.call("ensemble.gaussian_nll", np.zeros(1), np.zeros(1), np.ones(1)).tolist()
    print(json.dumps([subject.layers, answer]))
"""


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="not in a virtual environment")
def test_an_environment_behind_a_link_in_a_hidden_folder_is_there(attack: Attack, tmp_path: Path) -> None:
    link = tmp_path / "venv"  # temporary folders are hidden from workers
    link.symlink_to(sys.prefix)
    run = subprocess.run([link / "bin" / "python", "-c", ANSWER], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    layers, answer = json.loads(run.stdout)
    assert answer == [0.5]
    with attack("return mean") as subject:
        assert layers == subject.layers


def test_callbacks_do_bounded_work_in_the_trusted_process(attack: Attack) -> None:
    """Two arguments that would broadcast to gigabytes, and a count of millions, are refused before they run."""
    seen: list[Any] = []

    def predict(observation: Any, action: Any) -> Any:
        seen.append(observation.shape)
        return observation

    with attack("return mean") as subject, pytest.raises(CheckFailed):
        subject.call("mpc.sequence_returns", predict, predict, np.zeros(4), np.zeros((30_000, 2, 3)))
    assert not seen


# The table of system calls --------------------------------------------------------------------------------------------

HEADERS = {"x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "aarch64": "/usr/include/asm-generic/unistd.h"}


def numbers_of(machine: str) -> dict[str, int]:
    """Name of a system call -> its number, from the kernel's own headers."""
    path = Path(HEADERS[machine])
    if not path.exists():
        pytest.skip(f"the headers for {machine} are not installed")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", path.read_text(encoding="utf-8"))
    return {name: int(number) for name, number in found}


@pytest.mark.parametrize("machine", HEADERS)
def test_the_numbers_of_system_calls_are_the_kernels(machine: str) -> None:
    known = numbers_of(machine)
    known.setdefault("newfstatat", known.get("fstatat", 0))  # the generic header has one name for both
    listed = {
        name: numbers[seccomp.COLUMN[machine]]
        for table in (seccomp.ALLOWED, seccomp.WRITING, seccomp.CHECKED)
        for name, numbers in table.items()
    }
    assert listed == {name: known.get(name) for name in listed}


def test_no_system_call_is_listed_twice() -> None:
    tables = (seccomp.ALLOWED, seccomp.WRITING, seccomp.CHECKED)
    for column in seccomp.COLUMN.values():
        numbers = [numbers[column] for table in tables for numbers in table.values() if numbers[column] is not None]
        assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize(
    "lines",
    [
        ["import threading", "t = threading.Thread(target=sum, args=([1],))", "t.start()", "t.join()"],
        ["import concurrent.futures as f", "with f.ThreadPoolExecutor(3) as pool:", "    list(pool.map(abs, [1, 2]))"],
        # pthread_join waits at a futex that is not private.
        ["import ctypes, time", "libc, thread = ctypes.CDLL(None), ctypes.c_ulong()",
         "sleep = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(lambda _: time.sleep(0.1))",
         "assert libc.pthread_create(ctypes.byref(thread), None, sleep, None) == 0",
         "assert libc.pthread_join(thread, None) == 0"],
        ["torch.set_num_threads(3)", "torch.randn(600, 600) @ torch.randn(600, 600)", "torch.randn(10**6).sum()"],
        ["import io", "f = io.BytesIO()", "torch.save(mean, f)", "f.seek(0)", "torch.load(f)"],
        ["x = torch.zeros(3, requires_grad=True)", "x.exp().sum().backward()", "torch.linalg.svd(torch.randn(50, 50))"],
        ["import os, random, time, uuid", "uuid.uuid4(); random.SystemRandom().random(); time.process_time()",
         "os.times(); os.sched_getaffinity(0); time.sleep(0.01)"],
    ],
)  # fmt: skip
def test_what_honest_code_may_do_works(attack: Attack, lines: list[str]) -> None:
    with attack(*lines, "return 0.5 * mean") as subject:
        assert np.array_equal(call(subject), np.zeros(2))
