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

NEEDED = "needed"  # what must be possible; the other keys are ids of guarantees


def run_probes(facts: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Try everything. `facts` holds `hidden_files` (paths), `server` and `referee` (process ids) and `scratch`.

    Returns:
        Id of the guarantee that an attempt would break -> what was tried -> what came of it.
    """
    attempts: dict[str, dict[str, Callable[[], Any]]] = {
        NEEDED: {"start a thread": _thread},  # torch may want one; first, since later attempts fill the scratch folder
        "hidden_files": {f"read {path}": partial(_read, path) for path in facts["hidden_files"]},
        "files": {
            f"write into {folder}": partial(_write, folder)
            for folder in ("/tmp", "/var/tmp", "/dev/shm", "/", *facts["hidden_folders"])
        },
        "processes": {"start a process": _fork, "run a program": partial(os.execv, "/bin/true", ["true"])},
        "network": {
            f"open a socket ({family}, {kind})": partial(_socket, family, kind)
            for family, kind in (("AF_INET", "SOCK_STREAM"), ("AF_INET", "SOCK_DGRAM"), ("AF_UNIX", "SOCK_STREAM"))
        },
        "others": {},
        "limits": {
            "use more memory than allowed": partial(bytearray, 1 << 44),
            "raise its own limits": _raise_limits,
        },
    }
    for name in ("server", "referee"):
        pid = facts[name]
        for entry in ("environ", "mem", "maps", "fd"):
            attempts["others"][f"look at {entry} of the {name}"] = partial(_look, f"/proc/{pid}/{entry}")
        attempts["others"][f"signal the {name}"] = partial(os.kill, pid, 0)
        attempts["others"][f"trace the {name}"] = partial(_libc_call, "ptrace", 16, pid, 0, 0)
        attempts["others"][f"slow the {name} down"] = partial(os.setpriority, os.PRIO_PROCESS, pid, 19)
    if os.getuid() != 0:  # without capabilities root is but a name: what it could do, the others try
        attempts["others"]["become root"] = partial(os.setresuid, 0, 0, 0)
    if facts["scratch"]:
        attempts[NEEDED]["write into its scratch folder"] = partial(_write, os.getcwd())
        attempts["limits"]["fill its scratch folder beyond its size"] = _fill
    return {
        guarantee: {name: _outcome(attempt) for name, attempt in of_guarantee.items()}
        for guarantee, of_guarantee in attempts.items()
    }


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
