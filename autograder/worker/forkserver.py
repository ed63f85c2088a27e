"""A fresh process that imports torch once and forks confined workers.

Started as `python -I forkserver.py CONTROL_FD`, so it holds no secret: no grader module, no seed, no path but its own.
One request is a JSON line with a socket attached; the answer to a spawn is the worker's pid. Exits of workers are
answered to "reap" requests.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import resource
import socket
import sys
import time
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import confine  # type: ignore[import-not-found]
import serve  # type: ignore[import-not-found]
import wire  # type: ignore[import-not-found]


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    import array_api_compat.torch  # noqa: F401  # heavy imports, once: a worker starts in milliseconds
    import torch

    torch.set_num_threads(1)
    warm_up(torch)
    send(control, {"ready": True, "speed": measure_speed(torch)})
    exited: dict[int, int] = {}
    while True:
        request, sockets = receive(control)
        if request is None:
            return
        if request["kind"] == "spawn":
            pid = os.fork()
            if pid == 0:
                control.close()
                run_worker(sockets[0], request)
                os._exit(0)
            for connection in sockets:
                os.close(connection)
            exited.pop(pid, None)  # process ids come round again
            send(control, {"pid": pid})
        elif request["kind"] == "readable":
            send(control, {"readable": is_readable_for(request["uid"], request["paths"])})
        else:
            send(control, reap(request["pid"], exited))


def run_worker(connection_fd: int, request: dict[str, Any]) -> None:
    """In the child: confine, then serve."""
    os.chdir(request["overlay"])
    layers = confine.confine(
        uid=request["uid"],
        cpu_seconds=request["cpu_seconds"],
        memory_mb=request["memory_mb"],
        connection_fd=connection_fd,
        overlay=request["overlay"],
    )
    for name in confine.FORBIDDEN_MODULES:
        sys.modules[name] = None  # type: ignore[assignment]  # an import raises ModuleNotFoundError
    connection = socket.socket(fileno=connection_fd)
    with contextlib.suppress(wire.WireClosed):  # the referee hung up: the normal end
        serve.serve(connection, request["overlay"], layers)


def is_readable_for(uid: int, paths: list[str]) -> bool:
    """Whether another user could read the interpreter and the overlay, tried out in a throw-away child."""
    if os.getuid() != 0:
        return False
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            for path in paths:
                os.listdir(path)
            with open(os.__file__, "rb") as file:
                file.read(1)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def reap(pid: int, exited: dict[int, int]) -> dict[str, Any]:
    """Wait up to a second for a worker's end. `status` is as os.waitstatus_to_exitcode, or None: still running."""
    deadline = time.monotonic() + 1.0
    while pid not in exited and time.monotonic() < deadline:
        try:
            ended, status, usage = os.wait4(pid, os.WNOHANG)
        except ChildProcessError:
            break
        if ended:
            exited[pid] = os.waitstatus_to_exitcode(status)
            return {"status": exited[pid], "cpu_seconds": usage.ru_utime + usage.ru_stime, "max_rss": usage.ru_maxrss}
        time.sleep(0.002)
    return {"status": exited.get(pid), "cpu_seconds": 0.0, "max_rss": 0}


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
