"""Namespaces by ctypes: a process sees an empty network and, in place of private folders, empty ones.

Kernel interface: unshare(2), mount(2). All of it needs CAP_SYS_ADMIN; where that is missing, the caller reports it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os

NEW_MOUNTS, NEW_HOSTNAME, NEW_IPC, NEW_PROCESSES, NEW_NETWORK = (
    *(0x00020000, 0x04000000, 0x08000000, 0x20000000),
    0x40000000,
)
READ_ONLY, NO_SETUID, NO_DEVICES, NO_PROGRAMS, REMOUNT, BIND, RECURSIVE, PRIVATE = (
    *(1, 2, 4, 8, 32, 4096),
    *(1 << 14, 1 << 18),
)

MOUNT_SETATTR = 442  # on all architectures
HERE_AND_BELOW, NO_ACCESS_TIMES, ANY_ACCESS_TIMES = 0x8000, 0x10, 0x70

# Where people keep what is nobody else's business. Each is covered by an empty, read-only folder.
PRIVATE_FOLDERS = ("/home", "/root", "/tmp", "/var/tmp", "/dev/shm", "/run", "/mnt", "/media", "/srv", "/autograder")
SCRATCH = "/tmp/scratch"  # inside the cover of /tmp; each worker mounts its own there

_libc = ctypes.CDLL(None, use_errno=True)


def cover(folders: list[str], needed: list[str]) -> None:
    """Hide folders from this process and its children, but for what they need.

    Args:
        folders: to be covered, where they exist.
        needed: folders that stay where they are, also below a covered one.

    Raises:
        OSError: the system does not allow it; nothing was changed.
        RuntimeError: it broke off half-way.
    """
    real = {os.path.realpath(folder) for folder in folders if os.path.isdir(folder)}
    covered = sorted(folder for folder in real if not any(_below(folder, other) for other in real - {folder}))
    _unshare(NEW_MOUNTS)
    _mount("none", "/", "", RECURSIVE | PRIVATE)
    with contextlib.suppress(OSError):  # a worker's layers say whether this worked
        _stop_access_times()
    os.chdir("/")
    # By both names: a link to a needed folder may itself be in a covered one.
    kept = {path: os.open(path, os.O_PATH) for path in {*needed, *map(os.path.realpath, needed)}}
    _mount("none", covered[0], "tmpfs", NO_SETUID | NO_DEVICES, "size=1m,mode=755")
    try:
        for folder in covered[1:]:
            _mount("none", folder, "tmpfs", NO_SETUID | NO_DEVICES, "size=1m,mode=755")
        for path, fd in kept.items():
            if any(_below(path, folder) for folder in covered):
                os.makedirs(path, exist_ok=True)
                _mount(f"/proc/self/fd/{fd}", path, "", BIND | RECURSIVE)
        os.makedirs(SCRATCH, exist_ok=True)
        for folder in covered:
            _mount("none", folder, "", REMOUNT | BIND | READ_ONLY | NO_SETUID | NO_DEVICES)
    except OSError as error:
        raise RuntimeError(f"hiding folders broke off half-way: {error}") from error
    for fd in kept.values():
        os.close(fd)


def own_namespaces() -> None:
    """An own list of mounts and an empty network, no shared memory or message queue of others.

    Raises:
        OSError: the system does not allow it, or did not allow to hide private folders before.
    """
    _unshare(NEW_MOUNTS | NEW_HOSTNAME | NEW_IPC | NEW_NETWORK)
    if not os.statvfs("/tmp").f_flag & os.ST_RDONLY:
        raise OSError("private folders could not be hidden")


def number_children_apart() -> bool:
    """Let the next child be process 1 among processes of its own; whether the system allows it.

    `number_children_together` must follow before another child is born: it would belong to the first.
    """
    with contextlib.suppress(OSError):
        _unshare(NEW_PROCESSES)
        return True
    return False


def number_children_together() -> None:
    """Undo `number_children_apart`."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY)
    try:
        if _libc.setns(own, NEW_PROCESSES) != 0:
            _raise_errno()
    finally:
        os.close(own)


def is_numbered_apart() -> None:
    """Raises OSError unless this process knows no process but itself."""
    if os.getpid() != 1:
        raise OSError("the system gives out no process ids apart")


def leaves_access_times() -> None:
    """Raises OSError unless reading a file leaves no trace: its time of access would tell others of it."""
    if not os.statvfs(os.__file__).f_flag & os.ST_NOATIME:
        raise OSError("files note when they are read")


def mount_scratch(uid: int, megabytes: int) -> None:
    """A folder of this process alone, of bounded size and number of files; it vanishes with the process."""
    options = f"size={megabytes}m,nr_inodes=1000,mode=700,uid={uid}"
    _mount("none", SCRATCH, "tmpfs", NO_SETUID | NO_DEVICES | NO_PROGRAMS, options)
    os.chdir(SCRATCH)


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _stop_access_times() -> None:
    """For all mounts of this process's own list, in one call (Linux 5.12)."""
    attributes = (ctypes.c_uint64 * 4)(NO_ACCESS_TIMES, ANY_ACCESS_TIMES, 0, 0)  # to set, to clear
    number, size = ctypes.c_long(MOUNT_SETATTR), ctypes.c_size_t(ctypes.sizeof(attributes))
    if _libc.syscall(number, -1, b"/", HERE_AND_BELOW, ctypes.byref(attributes), size) != 0:
        _raise_errno("/")


def _unshare(flags: int) -> None:
    if _libc.unshare(flags) != 0:
        _raise_errno()


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    arguments = [text.encode() for text in (source, target, kind)]
    if _libc.mount(*arguments, ctypes.c_ulong(flags), options.encode() or None) != 0:
        _raise_errno(target)


def _raise_errno(path: str | None = None) -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), path)
