"""A fresh process that imports torch and the given files of `hw4` once and forks confined workers.

Started as `python -I forking.py CONTROL_FD HIDDEN_FOLDERS`, so it holds no secret: no grader module, no seed, no
submission. The first frame brings the given files. Then a request is JSON, for a new worker with its socket attached;
each gets one line of JSON as its answer.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import importlib
import json
import os
import resource
import signal
import socket
import sys
import time
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import confine  # type: ignore[import-not-found]
import namespaces  # type: ignore[import-not-found]
import serve  # type: ignore[import-not-found]
import sources  # type: ignore[import-not-found]
import wire  # type: ignore[import-not-found]
from confine import package_folders

PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    covered = json.loads(sys.argv[2])  # folders of the grader, hidden where the system allows
    import array_api_compat.torch  # noqa: F401  # heavy imports, once: a worker starts in milliseconds
    import torch

    torch.set_num_threads(1)
    warm_up(torch)
    message, contents = wire.receive_frame(control, None)
    sources.install({name: content.tobytes() for name, content in zip(message["names"], contents, strict=True)})
    for name in message["names"]:
        with contextlib.suppress(ModuleNotFoundError):  # it needs a file of the submission: workers import it
            importlib.import_module(sources.SourceFinder.module_of(name))
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # what a worker leaves behind becomes a child of this
    with contextlib.suppress(OSError):  # a worker's layers say whether this worked
        namespaces.cover([*namespaces.PRIVATE_FOLDERS, *covered], [os.path.dirname(os.__file__), *package_folders()])
    ctypes.CDLL(None).prctl(confine.PR_SET_DUMPABLE, 0, 0, 0, 0)  # workers with the same user id must not look inside
    gc.collect()
    gc.freeze()  # a worker's collector leaves alone what it shares with this process: else each would copy all of it
    send(control, {"ready": True, "speed": measure_speed(torch)})
    workers = Workers()
    while True:
        request, sockets = receive(control)
        if request is None:
            return
        answer: dict[str, Any]
        try:
            if request["kind"] == "spawn":
                answer = {"pid": workers.spawn(control, request, sockets[0])}
            elif request["kind"] == "readable":
                answer = {"readable": is_readable_for(request["uid"])}
            elif request["kind"] == "sweep":
                answer = {"swept": workers.sweep(request["uids"])}
            else:
                answer = workers.reap(request["pid"], kill=request["kill"], uid=request["uid"])
        except OSError as error:  # no process, no memory: the referee tries again or reports a fault
            answer = {"error": f"{type(error).__name__}: {error}"}
        for connection in sockets:
            os.close(connection)
        send(control, answer)


class Workers:
    """The workers of this server, and what became of them."""

    def __init__(self) -> None:
        self._alive: set[int] = set()
        self._own_fd: int | None = None
        with contextlib.suppress(OSError):  # before Linux 5.3
            self._own_fd = os.pidfd_open(os.getpid())

    def spawn(self, control: socket.socket, request: dict[str, Any], connection_fd: int) -> int:
        server = os.getpid()
        apart = self._own_fd is not None and namespaces.number_children_apart()
        try:
            pid = os.fork()
            if pid == 0:
                try:
                    control.close()
                    run_worker(connection_fd, request, server, self._own_fd)
                finally:  # whatever happens, a worker never goes on as a server
                    os._exit(0)
        finally:
            if apart:
                namespaces.number_children_together()
        self._alive.add(pid)
        return pid

    def reap(self, pid: int, *, kill: bool, uid: int | None) -> dict[str, Any]:
        """Wait up to a second for a worker's end, or kill it; then end all that it left behind.

        `status` is as of os.waitstatus_to_exitcode, or None: still running.
        """
        if pid not in self._alive:
            return {"status": None, "cpu_seconds": 0.0, "max_rss": 0}
        if kill:
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 1.0
        while True:
            ended, status, usage = os.wait4(pid, 0 if kill else os.WNOHANG)
            if ended:
                break
            if time.monotonic() > deadline:
                return {"status": None, "cpu_seconds": 0.0, "max_rss": 0}
            time.sleep(0.002)
        self._alive.discard(pid)
        if children() - self._alive:
            self.sweep([] if uid is None else [uid])
        cpu_seconds = usage.ru_utime + usage.ru_stime
        return {"status": os.waitstatus_to_exitcode(status), "cpu_seconds": cpu_seconds, "max_rss": usage.ru_maxrss}

    def sweep(self, uids: list[int]) -> int:
        """Kill every process of these users, and every child that is no worker. Returns how many children there were.

        A process whose parent died is a child of this server, which is a sub-reaper; so the loop gets them all.
        """
        for uid in uids:
            kill_all_of(uid)
        swept = 0
        while strays := children() - self._alive:
            for pid in strays:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            swept += len(strays)
        return swept


def run_worker(connection_fd: int, request: dict[str, Any], server: int, server_fd: int | None) -> None:
    """In the child: confine, then serve."""
    layers = confine.confine(
        uid=request["uid"],
        cpu_seconds=request["cpu_seconds"],
        memory_mb=request["memory_mb"],
        connection_fd=connection_fd,
        server=server,
        server_fd=server_fd,
    )
    for name in confine.FORBIDDEN_MODULES:
        sys.modules[name] = None  # type: ignore[assignment]  # an import raises ModuleNotFoundError
    connection = socket.socket(fileno=connection_fd)
    with contextlib.suppress(wire.WireClosed):  # the referee hung up: the normal end
        serve.serve(connection, layers)


def children() -> set[int]:
    """Process ids of this process's children, ended ones too. (It has one thread.)"""
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return {int(pid) for pid in file.read().split()}


def kill_all_of(uid: int) -> None:
    """Kill every process of a user, in one system call, which nothing can outrun by forking."""
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(OSError):
            os.setresuid(uid, uid, uid)
            os.kill(-1, signal.SIGKILL)  # all that this user may signal, but for itself
        os._exit(0)
    os.waitpid(pid, 0)


def is_readable_for(uid: int) -> bool:
    """Whether another user could read the interpreter and its packages, tried out in a throw-away child."""
    if os.getuid() != 0:
        return False
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            for path in (os.path.dirname(os.__file__), *package_folders()):
                os.listdir(path)
            for path in (os.__file__, sys.modules["torch"].__file__, sys.modules["numpy"].__file__):
                assert path is not None
                with open(path, "rb") as file:
                    file.read(1)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def warm_up(torch: Any) -> None:
    """Make torch's lazy imports happen now: the first optimiser of a process takes about a second."""
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.zeros(1)
    for optimizer in (torch.optim.SGD([weight], lr=1.0), torch.optim.Adam([weight], lr=1.0, fused=True)):
        optimizer.step()


def measure_speed(torch: Any) -> float:
    """Processor seconds of a fixed piece of work that resembles fitting and planning: smaller is faster."""
    torch.manual_seed(0)
    weights = [torch.randn(5, 6, 64), torch.randn(5, 64, 64), torch.randn(5, 64, 5)]
    inputs = torch.randn(5, 60, 6)
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(800):
        hidden = inputs
        for weight in weights:
            hidden = torch.nn.functional.silu(hidden @ weight)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def send(control: socket.socket, answer: dict[str, Any]) -> None:
    control.sendall(json.dumps(answer).encode() + b"\n")


def receive(control: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """One request and the file descriptors that came with it; None when the referee is gone."""
    sockets = array.array("i")
    data, ancillary, _, _ = control.recvmsg(65536, socket.CMSG_LEN(4 * sockets.itemsize))
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            sockets.frombytes(content[: len(content) - len(content) % sockets.itemsize])
    return (json.loads(data) if data else None), list(sockets)


if __name__ == "__main__":
    main()
