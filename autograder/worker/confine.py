"""Takes a worker's rights away, one layer at a time, and says which layers hold.

Every layer is tried; one that the system does not allow is reported as off with the reason, never silently skipped.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sysconfig
from collections.abc import Callable
from typing import Any

import landlock  # type: ignore[import-not-found]  # this folder is on the path of a worker
import seccomp  # type: ignore[import-not-found]

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
LAST_CAPABILITY = 63
CAPABILITY_VERSION_3 = 0x20080522

# Beside the standard library a worker may read these packages, folder by folder: no simulator is among them.
READABLE_PACKAGES = (
    *("torch", "torchgen", "functorch", "numpy", "numpy.libs", "array_api_compat", "typing_extensions.py"),
    *("sympy", "mpmath", "networkx", "filelock", "fsspec", "jinja2", "markupsafe"),  # torch imports them late
)
READABLE_SYSTEM = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo", "/etc/ld.so.cache")

FORBIDDEN_MODULES = ("gymnasium", "mujoco", "imageio")  # simulators: a worker must learn its model

_libc = ctypes.CDLL(None, use_errno=True)


def confine(*, uid: int | None, cpu_seconds: int, memory_mb: int, connection_fd: int, overlay: str) -> dict[str, str]:
    """Confine this process. Returns layer -> "on" or "off: why".

    Args:
        overlay: the folder that holds `hw4`, which stays readable.
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
    _layer(layers, "no capabilities", _drop_capabilities)
    _layer(layers, "not traceable", lambda: _prctl(PR_SET_DUMPABLE, 0))
    # The kernel clears this signal when the user id changes, so it comes last.
    _layer(layers, "dies with its server", lambda: _prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
    _layer(layers, "landlock: no files but its own, no TCP", lambda: _landlock(overlay))
    _layer(layers, "seccomp: no sockets, no new processes", seccomp.restrict)
    return layers


def _landlock(overlay: str) -> None:
    standard = sysconfig.get_path("stdlib")
    packages = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    readable = [os.path.join(standard, name) for name in os.listdir(standard) if name != "site-packages"]
    readable += [os.path.join(folder, name) for folder in packages for name in READABLE_PACKAGES]
    landlock.restrict([overlay, *READABLE_SYSTEM, *readable], listable=[standard, *packages])


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


def _drop_capabilities() -> None:
    """Empty the bounding, permitted, effective and inheritable sets."""
    if os.getuid() == 0:
        for capability in range(LAST_CAPABILITY + 1):
            if _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                break  # the kernel knows no more of them, or this process may not drop them
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    if _libc.capset(header, (ctypes.c_uint32 * 6)()) != 0:
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
