"""Tries, in a confined throw-away worker, what no submission must be able to do.

Only what really happened is reported: "refused: why" or "possible". No student code is in the process.
"""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any


def run_probes(facts: dict[str, Any]) -> dict[str, str]:
    """Try everything. `facts` holds `hidden_files` (paths), `server` and `referee` (process ids) and `scratch`."""
    attempts: dict[str, Callable[[], Any]] = {}
    for path in facts["hidden_files"]:
        attempts[f"read {path}"] = partial(_read, path)
    for name in ("server", "referee"):
        pid = facts[name]
        for entry in ("environ", "mem", "maps", "fd"):
            attempts[f"look at {entry} of the {name}"] = partial(_look, f"/proc/{pid}/{entry}")
        attempts[f"signal the {name}"] = partial(os.kill, pid, 0)
        attempts[f"trace the {name}"] = partial(_libc_call, "ptrace", 16, pid, 0, 0)
        attempts[f"slow the {name} down"] = partial(os.setpriority, os.PRIO_PROCESS, pid, 19)
    for folder in ("/tmp", "/var/tmp", "/dev/shm", "/", *facts["hidden_folders"]):
        attempts[f"write into {folder}"] = partial(_write, folder)
    attempts["start a process"] = _fork
    attempts["run a program"] = partial(os.execv, "/bin/true", ["true"])
    for family, kind in (("AF_INET", "SOCK_STREAM"), ("AF_INET", "SOCK_DGRAM"), ("AF_UNIX", "SOCK_STREAM")):
        attempts[f"open a socket ({family}, {kind})"] = partial(_socket, family, kind)
    if os.getuid() != 0:  # without capabilities root is but a name: what it could do, the others try
        attempts["become root"] = partial(os.setresuid, 0, 0, 0)
    attempts["use more memory than allowed"] = partial(bytearray, 1 << 44)
    attempts["raise its own limits"] = _raise_limits
    results = {name: _outcome(attempt) for name, attempt in attempts.items()}
    results["start a thread"] = _outcome(_thread)  # must be possible: torch may want one
    if facts["scratch"]:
        results["write into its scratch folder"] = _outcome(partial(_write, os.getcwd()))
        results["fill its scratch folder beyond its size"] = _outcome(_fill)
    return results


def _outcome(attempt: Callable[[], Any]) -> str:
    try:
        attempt()
    except (OSError, MemoryError, RuntimeError, ValueError) as error:
        return f"refused: {type(error).__name__}"
    return "possible"


def _read(path: str) -> None:
    with open(path, "rb") as file:
        file.read(1)


def _look(path: str) -> None:
    if os.path.basename(path) == "fd":
        for name in os.listdir(path):
            os.readlink(os.path.join(path, name))
    else:
        _read(path)


def _write(folder: str) -> None:
    path = os.path.join(folder, f"probe-{os.getpid()}")
    with open(path, "wb") as file:
        file.write(b"x")
    os.unlink(path)


def _fill() -> None:
    for number in range(40):
        with open(f"filling-{number}", "wb") as file:
            file.write(b"x" * 1_000_000)


def _socket(family: str, kind: str) -> None:
    socket.socket(getattr(socket, family), getattr(socket, kind)).close()


def _fork() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _thread() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


def _raise_limits() -> None:
    import resource

    for limit in (resource.RLIMIT_CPU, resource.RLIMIT_AS):
        soft, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (soft + 1, hard + 1))


def _libc_call(name: str, *args: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*args) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
