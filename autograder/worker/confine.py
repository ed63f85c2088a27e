"""Takes a worker's rights away, one layer at a time, and says which layers hold.

Every layer is tried; one that the system does not allow is reported as off with the reason, never silently skipped.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Callable
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38

FORBIDDEN_MODULES = ("gymnasium", "mujoco", "imageio")  # simulators: a worker must learn its model

_libc = ctypes.CDLL(None, use_errno=True)


def confine(*, uid: int | None, cpu_seconds: int, memory_mb: int, connection_fd: int) -> dict[str, str]:
    """Confine this process. Returns layer -> "on" or "off: why".

    Args:
        uid: the unused user id to become, or None to keep the current one.
        cpu_seconds: processor time after which the kernel ends the process.
        memory_mb: address space.
        connection_fd: the one file descriptor that stays open, beside the three standard ones.
    """
    layers: dict[str, str] = {}
    _layer(layers, "own session", os.setsid)
    _layer(layers, "closed file descriptors", lambda: _close_all_but(connection_fd))
    _layer(layers, "limits", lambda: _limit(cpu_seconds, memory_mb))
    if uid is None:
        layers["own user id"] = "off: not started as root, or the interpreter is not readable for another user"
    else:
        _layer(layers, "own user id", lambda: _become(uid))
    _layer(layers, "no new privileges", lambda: _prctl(PR_SET_NO_NEW_PRIVS, 1))
    _layer(layers, "not traceable", lambda: _prctl(PR_SET_DUMPABLE, 0))
    # The kernel clears this signal when the user id changes, so it comes last.
    _layer(layers, "dies with its server", lambda: _prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
    return layers


def _layer(layers: dict[str, str], name: str, apply: Callable[[], Any]) -> None:
    try:
        apply()
    except (OSError, ValueError) as error:
        layers[name] = f"off: {error}"
    else:
        layers[name] = "on"


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _limit(cpu_seconds: int, memory_mb: int) -> None:
    for name, value in (
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_AS, memory_mb * 1_000_000),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 10_000_000),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(name, (value, value))


def _close_all_but(connection_fd: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.closerange(3, connection_fd)
    os.closerange(connection_fd + 1, 4096)
