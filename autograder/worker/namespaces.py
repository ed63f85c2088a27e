"""Namespaces by ctypes: a process sees an empty network and, in place of private folders, empty ones.

Kernel interface: unshare(2), mount(2). All of it needs CAP_SYS_ADMIN; where that is missing, the caller reports it.
"""

from __future__ import annotations

import ctypes
import os

NEW_MOUNTS, NEW_HOSTNAME, NEW_IPC, NEW_NETWORK = 0x00020000, 0x04000000, 0x08000000, 0x40000000
READ_ONLY, NO_SETUID, NO_DEVICES, NO_PROGRAMS, REMOUNT, BIND, RECURSIVE, PRIVATE = (
    *(1, 2, 4, 8, 32, 4096),
    *(1 << 14, 1 << 18),
)

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


def mount_scratch(uid: int, megabytes: int) -> None:
    """A folder of this process alone, of bounded size and number of files; it vanishes with the process."""
    options = f"size={megabytes}m,nr_inodes=1000,mode=700,uid={uid}"
    _mount("none", SCRATCH, "tmpfs", NO_SETUID | NO_DEVICES | NO_PROGRAMS, options)
    os.chdir(SCRATCH)


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


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
