"""Runs a command as if on another kind of system: `python tests/attacks/modes.py MODE COMMAND ...` (as root, on Linux).

    root            everything that root may
    docker          root in a container: Docker's default capabilities, namespaces refused
    docker-old      the same on a kernel without landlock
    unprivileged    an unused user id, no capability
    root-unreadable root, where another user cannot read the interpreter, so that workers keep the grader's user id
    docker-unreadable-old   the weakest: no namespaces, no landlock, no user id of its own

In the first four the interpreter is made readable for everybody, in the last two for root alone, by mounts that nobody
else sees. Exit status 77: this mode cannot be made here, with the reason.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import subprocess
import sys
from pathlib import Path

CANNOT = 77
MODES = ("root", "docker", "docker-old", "unprivileged", "root-unreadable", "docker-unreadable-old")
DOCKER_CAPABILITIES = (
    "chown,dac_override,fsetid,fowner,mknod,net_raw,setgid,setuid,setfcap,setpcap,net_bind_service,sys_chroot,kill,"
    "audit_write"
)
UNUSED_USER = 64_321
ROOT = Path(__file__).resolve().parents[2]

NEW_MOUNTS = 0x00020000
PR_SET_SECCOMP, MODE_FILTER = 22, 2
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
LOAD, JUMP_EQUAL, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
NAMESPACE_FLAGS = 0x7E020080  # of clone: CLONE_NEW*
CLONE = {"x86_64": 56, "aarch64": 220}
REFUSED = {  # unshare, setns, mount, umount2, pivot_root; fsopen and its kind
    "x86_64": (272, 308, 165, 166, 155, 428, 429, 430, 431, 432, 433, 442),
    "aarch64": (97, 268, 40, 39, 41, 428, 429, 430, 431, 432, 433, 442),
}
LANDLOCK = (444, 445, 446)
CLONE3 = 435


class CannotBeMade(Exception):
    """This mode is not possible on this machine."""


def main(mode: str, command: list[str]) -> None:
    if mode not in MODES:
        raise CannotBeMade(f"no mode {mode}; there are {', '.join(MODES)}")
    if os.getuid() != 0:
        raise CannotBeMade("only root can take on another mode")
    set_readable(not mode.endswith(("-unreadable", "-unreadable-old")))
    if mode.startswith("docker"):
        filter_calls(without_landlock=mode.endswith("-old"))
        capabilities = "-all," + ",".join(f"+{name}" for name in DOCKER_CAPABILITIES.split(","))
        command = ["setpriv", "--bounding-set", capabilities, "--inh-caps", "-all", *command]
    if mode == "unprivileged":
        user = str(UNUSED_USER)
        command = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--bounding-set", "-all",
                   "--inh-caps", "-all", *command]  # fmt: skip
    os.execvp(command[0], command)


def set_readable(readable: bool) -> None:
    """In mounts of this process's own: the folders above the interpreter's become open to all, or to root alone."""
    needed = sorted({os.path.realpath(sys.base_prefix), str(ROOT)})
    closed = [folder for path in needed if (folder := _first_closed(path)) is not None]
    if readable and not closed:
        return
    if not readable and closed:
        return
    cover = set(closed)
    if not readable:
        cover = {str(Path(os.path.realpath(sys.base_prefix)).parent)}
        if cover & {"/", "/usr", "/usr/local"}:
            raise CannotBeMade(f"the interpreter lies in {sys.base_prefix}, which the whole system needs")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_MOUNTS) != 0:
        raise CannotBeMade(f"no mounts of its own: {os.strerror(ctypes.get_errno())}")
    _run("mount", "--make-rprivate", "/")
    for folder in cover:
        inside = [path for path in needed if Path(path).is_relative_to(folder)]
        kept = {path: os.open(path, os.O_PATH) for path in inside}
        _run("mount", "-t", "tmpfs", "-o", f"mode={'755' if readable else '700'}", "none", folder)
        for path, number in kept.items():
            os.makedirs(path, exist_ok=True)
            _run("mount", "--no-canonicalize", "--rbind", f"/proc/{os.getpid()}/fd/{number}", path)
            os.close(number)


def _first_closed(path: str) -> str | None:
    """The outermost folder on the way to `path` that only its owner may pass."""
    way = [*reversed(Path(path).parents), Path(path)]
    return next((str(folder) for folder in way if not folder.stat().st_mode & 0o001), None)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotBeMade(f"{' '.join(command)}: {done.stderr.strip()}")


def filter_calls(*, without_landlock: bool) -> None:
    """Refuse namespaces and mounts for good, as Docker's default filter does without CAP_SYS_ADMIN."""
    machine = platform.machine()
    if machine not in CLONE:
        raise CannotBeMade(f"no table of system calls for {machine}")
    refuse, unknown = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS
    program = [(LOAD, 0, 0, 0)]
    for number in REFUSED[machine]:
        program += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, refuse)]
    for number in (CLONE3, *(LANDLOCK if without_landlock else ())):
        program += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, unknown)]
    program += [
        (JUMP_EQUAL, 0, 3, CLONE[machine]),
        (LOAD, 0, 0, 16),
        (JUMP_ANY_BIT, 0, 1, NAMESPACE_FLAGS),
        (RETURN, 0, 0, refuse),
        (RETURN, 0, 0, ALLOW),
    ]
    code = b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))

    class FilterProgram(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    pointer = FilterProgram(len(program), ctypes.cast(buffer, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(pointer), 0, 0) != 0:
        raise CannotBeMade(f"no filter of system calls: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2:])
    except CannotBeMade as reason:
        print(f"{sys.argv[1]}: {reason}", file=sys.stderr)
        sys.exit(CANNOT)
