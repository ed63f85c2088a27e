"""What a worker cannot do, tried out in real workers. (On a system where a layer is off, its tests say so and skip.)"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder.isolation.fork_server import ForkServer
from autograder.isolation.package import package_with
from autograder.isolation.remote import RemoteSubject, StudentError, WorkerDied
from autograder.solutions import ROOT, reference_code
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
        (LANDLOCK, [f"open({str(ROOT / 'autograder' / 'private.toml')!r}).read()"]),
        (LANDLOCK, [f"open({str(ROOT / 'solutions' / 'mpc.py')!r}).read()"]),
        (LANDLOCK, [f"open({str(ROOT / 'autograder' / 'hidden_tests' / 'oracles.py')!r}).read()"]),
        (LANDLOCK, [f"import os; os.listdir({str(ROOT)!r})"]),
        (LANDLOCK, [f"open({str(ROOT / 'build' / 'results.json')!r}, 'w').write('100')"]),
        (LANDLOCK, ["open('/etc/passwd').read()"]),
        (LANDLOCK, ["open('/tmp/left_behind', 'w').write('x')"]),
        (LANDLOCK, ["open('/etc/hostname', 'a').write('x')"]),
        (LANDLOCK, ["import os; open(f'/proc/{os.getppid()}/environ').read()"]),
        (LANDLOCK, ["import os; open(f'/proc/{os.getppid()}/mem', 'rb').read(1)"]),
        (LANDLOCK, ["import os, signal; os.kill(os.getppid(), signal.SIGTERM)"]),
        (SECCOMP, ["import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM)"]),
        (SECCOMP, ["import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"]),
        (SECCOMP, ["import socket; socket.socket(socket.AF_UNIX)"]),
        (SECCOMP, ["import os; os.fork()"]),
        (SECCOMP, ["import os; os.chmod('.', 0)"]),
        (SECCOMP, [f"import os; os.chown({str(ROOT)!r}, 0, 0)"]),
        (SECCOMP, [f"import os; os.utime({str(ROOT)!r})"]),
        (SECCOMP, ["import os; os.kill(os.getppid(), 0)"]),
        (SECCOMP, ["import os, resource; resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))"]),
        (SECCOMP, ["import ctypes", "if ctypes.CDLL(None, use_errno=True).shmget(1, 4096, 0o1666) < 0:",
                   "    raise PermissionError(ctypes.get_errno())"]),
        (SECCOMP, ["import subprocess; subprocess.run(['true'])"]),
        (SECCOMP, ["import os; os.execv('/bin/sh', ['sh'])"]),
        (SECCOMP, ["import ctypes, os", "if ctypes.CDLL(None, use_errno=True).ptrace(16, os.getppid(), 0, 0) < 0:",
                   "    raise PermissionError(ctypes.get_errno())"]),
    ],
    ids=lambda value: value[-1][-60:] if isinstance(value, list) else "",
)  # fmt: skip
def test_what_is_forbidden_fails_with_an_error(attack: Attack, layer: str, lines: list[str]) -> None:
    with attack(*lines, "return mean") as subject:
        need(subject, layer)
        with pytest.raises(StudentError) as caught:
            call(subject)
        assert caught.value.type_name in ("PermissionError", "FileNotFoundError", "OSError")
    assert not Path("/tmp/left_behind").exists()


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
