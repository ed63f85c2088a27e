"""Starts workers: the trusted end of the fork server."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from autograder.isolation.package import given_files
from autograder.worker import wire

GRADER = Path(__file__).resolve().parents[2]  # the folder of everything that is hidden
FORK_SERVER = GRADER / "autograder" / "worker" / "forking.py"
START_SECONDS = 120.0
ANSWER_SECONDS = 60.0
NUM_SLOTS = 32  # workers that run at once
PR_SET_DUMPABLE = 4
FIRST_UID, LAST_UID = 20_000, 60_000  # user ids that no account uses; also there where a container has only 65,536


class GraderFault(Exception):
    """The grader itself failed: never the student's fault, never a zero."""


@dataclass(frozen=True)
class WorkerExit:
    """How a worker ended. `status` is the exit code, or minus the signal; None if nobody knows."""

    status: int | None
    cpu_seconds: float
    max_rss_kb: int


class ForkServer:
    """A context manager around the fork-server process; safe to use from several threads.

    A server that died is started again when the next worker is wanted; the workers of the old one died with it.
    """

    def __init__(self, hidden: tuple[Path, ...] = ()) -> None:
        """
        Args:
            hidden: folders that workers must not see, where the system can hide folders; the grader's own always.
        """
        self._hidden = [str(path) for path in (GRADER, *hidden) if not Path("/usr").is_relative_to(path)]
        self._lock = threading.Lock()
        self._closing = contextlib.ExitStack()
        self._unswept: set[int] = set()  # slots that had a worker since the last sweep
        self.num_restarts = 0

    def __enter__(self) -> ForkServer:
        make_untraceable()
        self._first_uid = unused_uids(NUM_SLOTS)
        try:
            self._start()
        except BaseException:
            self._closing.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._closing.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def spawn(self, *, slot: int, cpu_seconds: int, memory_mb: int) -> tuple[int, socket.socket]:
        """Fork a worker. Returns its pid and the connection to it.

        Raises:
            GraderFault: neither this server nor a new one could do it.
        """
        process = self._process
        self._unswept.add(slot)
        try:
            return self._spawn(slot, cpu_seconds, memory_mb)
        except GraderFault:
            self.restart(process)
            return self._spawn(slot, cpu_seconds, memory_mb)

    def uid_of(self, slot: int) -> int | None:
        """The user id of the worker in a slot, None if it keeps the grader's."""
        return self._first_uid + slot if self.can_change_uid else None

    def end(self, pid: int, slot: int, *, kill: bool = False) -> WorkerExit:
        """Say how a worker ended; one that does not end by itself is killed, and all it started with it."""
        request = {"kind": "reap", "pid": pid, "uid": self.uid_of(slot)}
        try:
            answer = self._ask({**request, "kill": kill})
            if answer["status"] is None and not kill:
                answer = self._ask({**request, "kill": True})
        except GraderFault:  # the server is gone, and its workers with it; the next spawn starts a new one
            return WorkerExit(None, 0.0, 0)
        return WorkerExit(answer["status"], answer["cpu_seconds"], answer["max_rss"])

    def sweep(self) -> int:
        """Kill everything that workers left behind; call it when none is at work. Returns how many there were."""
        uids = [self._first_uid + slot for slot in sorted(self._unswept)] if self.can_change_uid else []
        swept: int = self._ask({"kind": "sweep", "uids": uids})["swept"]
        self._unswept.clear()
        return swept

    def stop(self) -> None:
        """End this server and its workers; the next spawn starts a new one."""
        self._process.kill()

    def restart(self, process: subprocess.Popen[bytes] | None = None) -> None:
        """End this server, and its workers, and start a new one; nothing if `process` has been replaced already."""
        with self._lock:
            if process in (None, self._process):
                self._closing.close()
                self._start()
                self.num_restarts += 1

    def _spawn(self, slot: int, cpu_seconds: int, memory_mb: int) -> tuple[int, socket.socket]:
        ours, theirs = _socketpair()
        request = {"kind": "spawn", "uid": self.uid_of(slot), "cpu_seconds": cpu_seconds, "memory_mb": memory_mb}
        try:
            answer = self._ask(request, theirs)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return answer["pid"], ours

    def _start(self) -> None:
        ours, theirs = _socketpair()
        environment = {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            **dict.fromkeys(("HOME", "TMPDIR"), "/tmp/scratch"),
            **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
        }
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-B", str(FORK_SERVER), str(theirs.fileno()), json.dumps(self._hidden)],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment,
                cwd="/",
            )
        except OSError as error:
            ours.close()
            raise GraderFault(f"the fork server does not start: {error}") from error
        finally:
            theirs.close()
        self._closing.callback(self._stop, self._process, ours)
        self._control = ours
        self._lines = b""
        given = {name: np.frombuffer(content, np.uint8) for name, content in given_files().items()}
        with contextlib.suppress(wire.WireClosed):  # it ended: the next line says why
            wire.send_frame(ours, {"names": list(given)}, list(given.values()), time.monotonic() + START_SECONDS)
        self._control.settimeout(START_SECONDS)
        ready = self._receive()
        self.speed: float = ready["speed"]  # processor seconds of a fixed piece of work
        self._control.settimeout(ANSWER_SECONDS)
        self.can_change_uid: bool = self._exchange({"kind": "readable", "uid": self._first_uid})["readable"]

    @staticmethod
    def _stop(process: subprocess.Popen[bytes], control: socket.socket) -> None:
        control.close()
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()

    def _ask(self, request: dict[str, Any], connection: socket.socket | None = None) -> dict[str, Any]:
        with self._lock:
            return self._exchange(request, connection)

    def _exchange(self, request: dict[str, Any], connection: socket.socket | None = None) -> dict[str, Any]:
        data = json.dumps(request).encode()
        try:
            if connection is None:
                self._control.sendall(data)
            else:
                socket.send_fds(self._control, [data], [connection.fileno()])
        except OSError as error:
            raise GraderFault(f"the fork server is gone: {error}") from error
        answer = self._receive()
        if "error" in answer:
            raise GraderFault(f"the fork server could not {request['kind']}: {answer['error']}")
        return answer

    def _receive(self) -> dict[str, Any]:
        while b"\n" not in self._lines:
            try:
                data = self._control.recv(65536)
            except OSError as error:
                self._control.close()  # an answer that comes late must not be taken for that to the next question
                raise GraderFault(f"the fork server does not answer: {error}") from error
            if not data:
                raise GraderFault(f"the fork server ended: {self._why_it_ended()}")
            self._lines += data
        line, _, self._lines = self._lines.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _why_it_ended(self) -> str:
        assert self._process.stderr is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        os.set_blocking(self._process.stderr.fileno(), False)
        return (self._process.stderr.read() or b"").decode(errors="replace")[-1000:] or "no message"


def _socketpair() -> tuple[socket.socket, socket.socket]:
    try:
        return socket.socketpair()
    except OSError as error:
        raise GraderFault(f"no sockets are left: {error}") from error


class Slots:
    """Numbers of workers that run at once: no two share one, nor the user id that goes with it."""

    def __init__(self, count: int) -> None:
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(count):
            self._free.put(number)

    @contextlib.contextmanager
    def one(self) -> Iterator[int]:
        """A free slot, as soon as there is one."""
        number = self._free.get()
        try:
            yield number
        finally:
            self._free.put(number)


def make_untraceable() -> None:
    """Close this process's memory, environment and files to others, also to those of the same user."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def unused_uids(count: int) -> int:
    """The first of `count` user ids that no process has; different graders at once get different ones."""
    used = set()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            used.add(path.stat().st_uid)
            status = (path / "status").read_text(encoding="utf-8", errors="replace")
            used |= {int(uid) for uid in status.partition("\nUid:")[2].partition("\n")[0].split()}
    num_blocks = (LAST_UID - FIRST_UID) // count
    for attempt in range(num_blocks):
        first = FIRST_UID + (os.getpid() + attempt) % num_blocks * count
        if not used & set(range(first, first + count)):
            return first
    raise GraderFault("every block of unused user ids is in use")
