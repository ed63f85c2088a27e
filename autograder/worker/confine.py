"""Takes a worker's rights away, one layer at a time, and says which layers hold.

Every layer is tried; one that the system does not allow is reported as off with the reason, never silently skipped.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import sysconfig
from collections.abc import Callable
from typing import Any

import landlock  # type: ignore[import-not-found]  # this folder is on the path of a worker
import namespaces  # type: ignore[import-not-found]
import seccomp  # type: ignore[import-not-found]
from layers import (  # type: ignore[import-not-found]
    ACCESS_TIMES,
    DESCRIPTORS,
    DIES_WITH_SERVER,
    FIRST_TO_GO,
    LANDLOCK,
    LIMITS,
    NAMESPACES,
    NO_CAPABILITIES,
    NO_PRIVILEGES,
    NOT_TRACEABLE,
    OWN_USER,
    PROCESS_IDS,
    SCRATCH,
    SCRATCH_MB,
    SECCOMP,
    SESSION,
)

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
LAST_CAPABILITY = 63
CAPABILITY_VERSION_3 = 0x20080522

# Besides the standard library, a worker may read these packages, folder by folder: no simulator is among them.
READABLE_PACKAGES = (
    *("torch", "torchgen", "functorch", "numpy", "numpy.libs", "array_api_compat", "typing_extensions.py"),
    *("sympy", "mpmath", "networkx", "filelock", "fsspec", "jinja2", "markupsafe"),  # torch imports them late
)
READABLE_SYSTEM = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo", "/etc/ld.so.cache")

MAX_THREADS = 16  # of a worker

FORBIDDEN_MODULES = ("gymnasium", "mujoco", "imageio")  # simulators: a worker must learn its model

_libc = ctypes.CDLL(None, use_errno=True)


def confine(
    *, uid: int | None, cpu_seconds: int, memory_mb: int, connection_fd: int, server: int, server_fd: int | None
) -> dict[str, str]:
    """Confine this process. Returns layer -> "on" or "off: why".

    Args:
        uid: the unused user id to become, or None to keep the current one.
        cpu_seconds: processor time after which the kernel ends the process.
        memory_mb: address space.
        connection_fd: the one file descriptor that stays open, besides the three standard ones.
        server: process id of the fork server.
        server_fd: a pidfd of it, which is closed here; None where the system has none.
    """
    layers: dict[str, str] = {}
    _layer(layers, SESSION, os.setsid)
    _layer(layers, DESCRIPTORS, lambda: _close_all_but({fd for fd in (connection_fd, server_fd) if fd is not None}))
    _layer(layers, NAMESPACES, namespaces.own_namespaces)
    _layer(layers, PROCESS_IDS, namespaces.is_numbered_apart)
    _layer(layers, ACCESS_TIMES, namespaces.leaves_access_times)
    _layer(layers, SCRATCH, lambda: namespaces.mount_scratch(os.getuid() if uid is None else uid, SCRATCH_MB))
    _layer(layers, LIMITS, lambda: _limit(cpu_seconds, memory_mb))
    _layer(layers, FIRST_TO_GO, _prefer_for_killing)
    if uid is None:
        layers[OWN_USER] = "off: not started as root, or the interpreter is not readable for another user"
    else:
        _layer(layers, OWN_USER, lambda: _become(uid))
    _layer(layers, NO_PRIVILEGES, lambda: _prctl(PR_SET_NO_NEW_PRIVS, 1))
    _layer(layers, NO_CAPABILITIES, _drop_capabilities)
    _layer(layers, NOT_TRACEABLE, lambda: _prctl(PR_SET_DUMPABLE, 0))
    # The kernel clears this signal when the user id changes, so it comes after.
    _layer(layers, DIES_WITH_SERVER, lambda: _die_with(server, server_fd))
    _layer(layers, LANDLOCK, lambda: _landlock(scratch=layers[SCRATCH] == "on"))
    if layers[SCRATCH] == "on" and layers[LANDLOCK] != "on":
        layers[SCRATCH] = "off: without landlock nothing can be written at all"
    _layer(layers, SECCOMP, lambda: seccomp.restrict(read_only=layers[LANDLOCK] != "on"))
    return layers


def _landlock(*, scratch: bool) -> None:
    standard = sysconfig.get_path("stdlib")
    packages = package_folders()
    readable = [os.path.join(standard, name) for name in os.listdir(standard) if name != "site-packages"]
    readable += [os.path.join(folder, name) for folder in packages for name in READABLE_PACKAGES]
    landlock.restrict(
        [*READABLE_SYSTEM, *readable],
        listable=[standard, *packages],
        writable=[namespaces.SCRATCH] if scratch else [],
    )


def package_folders() -> list[str]:
    """Where packages are installed."""
    return sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})


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
    resource.setrlimit(resource.RLIMIT_NPROC, (MAX_THREADS, MAX_THREADS))  # counts per user: here, this process alone
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
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(name, (value, value))
    if os.getuid() != 0:  # the limit counts per user, and does not bind root
        threads = _threads_of(os.getuid()) + MAX_THREADS
        resource.setrlimit(resource.RLIMIT_NPROC, (threads, threads))


def _threads_of(uid: int) -> int:
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/status", encoding="utf-8", errors="replace") as file:
                status = dict(line.split(":", 1) for line in file.read().splitlines() if ":" in line)
                if int(status["Uid"].split()[0]) == uid:
                    count += int(status["Threads"])
    return count


def _prefer_for_killing() -> None:
    _prctl(PR_SET_DUMPABLE, 1)  # or this file would be root's; it ends with `NOT_TRACEABLE`
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")


def _die_with(server: int, server_fd: int | None) -> None:
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if server_fd is None:
        died_before = os.getppid() != server
    else:  # among processes of its own, a worker does not know its parent's id
        died_before = bool(select.select([server_fd], [], [], 0)[0])
        os.close(server_fd)
    if died_before:
        os._exit(1)


def _close_all_but(kept: set[int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    start = 3
    for fd in (*sorted(kept), 4096):
        os.closerange(start, fd)
        start = fd + 1
