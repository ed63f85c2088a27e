"""Starts workers: the trusted end of the fork server."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

FORK_SERVER = Path(__file__).resolve().parents[1] / "worker" / "forkserver.py"
START_SECONDS = 120.0
FIRST_UID = 61_000  # of the slots; ids that no account uses


class GraderFault(Exception):
    """The grader itself failed: never the student's fault, never a zero."""


@dataclass(frozen=True)
class WorkerExit:
    """How a worker ended. `status` is the exit code, or minus the signal; None if it had to be left."""

    status: int | None
    cpu_seconds: float
    max_rss_kb: int


class ForkServer:
    """A context manager around the fork-server process; safe to use from several threads."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._lock = threading.Lock()
        self._lines = b""

    def __enter__(self) -> ForkServer:
        ours, theirs = socket.socketpair()
        self._control = ours
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self._scratch),
            "LANG": "C.UTF-8",
            **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(FORK_SERVER), str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=self._scratch,
        )
        theirs.close()
        self._control.settimeout(START_SECONDS)
        ready = self._receive()
        self.speed: float = ready["speed"]  # processor seconds of the fixed piece of work
        package_folders = [
            str(Path(os.__file__).parent),
            *[path for path in sys.path if path.endswith("site-packages")],
        ]
        readable = self._ask({"kind": "readable", "uid": FIRST_UID, "paths": [*package_folders, str(self._scratch)]})
        self.can_change_uid: bool = readable["readable"]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()

    def spawn(self, *, overlay: Path, slot: int, cpu_seconds: int, memory_mb: int) -> tuple[int, socket.socket]:
        """Fork a worker. Returns its pid and the connection to it."""
        ours, theirs = socket.socketpair()
        request = {
            "kind": "spawn",
            "overlay": str(overlay),
            "scratch": str(self._scratch),
            "uid": FIRST_UID + slot if self.can_change_uid else None,
            "cpu_seconds": cpu_seconds,
            "memory_mb": memory_mb,
        }
        try:
            answer = self._ask(request, theirs)
        finally:
            theirs.close()
        return answer["pid"], ours

    def end(self, pid: int) -> WorkerExit:
        """Kill a worker, if it still runs, and say how it ended."""
        answer = self._ask({"kind": "reap", "pid": pid})
        if answer["status"] is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
            answer = self._ask({"kind": "reap", "pid": pid})
        return WorkerExit(answer["status"], answer["cpu_seconds"], answer["max_rss"])

    def _ask(self, request: dict[str, Any], connection: socket.socket | None = None) -> dict[str, Any]:
        data = json.dumps(request).encode()
        with self._lock:
            try:
                if connection is None:
                    self._control.sendall(data)
                else:
                    socket.send_fds(self._control, [data], [connection.fileno()])
            except OSError as error:
                raise GraderFault(f"the fork server is gone: {error}") from error
            return self._receive()

    def _receive(self) -> dict[str, Any]:
        while b"\n" not in self._lines:
            try:
                data = self._control.recv(65536)
            except OSError as error:
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
