"""A seccomp filter by ctypes: system calls that no homework needs fail with EPERM.

Kernel interface: Documentation/userspace-api/seccomp_filter.rst. Each architecture has its own table of numbers; where
there is none, the layer is off and says so.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

PR_SET_SECCOMP = 22
MODE_FILTER = 2
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
CLONE_THREAD = 0x00010000

LOAD, JUMP_EQUAL, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
NUMBER_OFFSET, ARCHITECTURE_OFFSET, FIRST_ARGUMENT_OFFSET = 0, 4, 16

AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CLONE = {"x86_64": 56, "aarch64": 220}
PRLIMIT = {"x86_64": 302, "aarch64": 261}  # of oneself (process 0) alone
CLONE3 = 435  # its flags lie in memory, out of a filter's sight: ENOSYS makes the C library use clone
X32_BIT = 0x40000000

# Sockets, new programs and processes, other processes' memory, and corners of the kernel.
FORBIDDEN = {
    "x86_64": (
        *(41, 42, 43, 49, 50, 53, 288),  # socket connect accept bind listen socketpair accept4
        *(57, 58, 59, 322),  # fork vfork execve execveat
        *(101, 310, 311, 312, 438, 434),  # ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd pidfd_open
        *(165, 166, 155, 272, 308, 161, 428, 429, 430, 442),  # mount umount2 pivot_root unshare setns chroot and newer
        *(321, 298, 323, 425, 426, 427),  # bpf perf_event_open userfaultfd io_uring
        *(248, 249, 250, 175, 313, 246, 169, 135),  # keys, kernel modules, kexec, reboot, personality
        *(90, 91, 268, 452, 92, 93, 94, 260),  # chmod and chown: landlock does not cover them
        *(132, 235, 261, 280, 188, 189, 190, 197, 198, 199, 463, 466),  # file times and extended attributes
        *(62, 200, 234, 129, 297, 424),  # signals
        *(29, 30, 31, 67, 64, 65, 66, 220, 68, 69, 70, 71, 240, 241, 242, 243, 244, 245),  # System V and POSIX IPC
    ),
    "aarch64": (
        *(198, 203, 202, 200, 201, 199, 242),
        *(221, 281),
        *(117, 270, 271, 272, 438, 434),
        *(40, 39, 41, 97, 268, 51, 428, 429, 430, 442),
        *(280, 241, 282, 425, 426, 427),
        *(217, 218, 219, 105, 273, 104, 142, 92),
        *(52, 53, 452, 55, 54),
        *(88, 5, 6, 7, 14, 15, 16, 463, 466),
        *(129, 130, 131, 138, 240, 424),
        *(194, 195, 196, 197, 190, 191, 192, 193, 186, 187, 188, 189, 180, 181, 182, 183, 184, 185),
    ),
}


def restrict() -> None:
    """Install the filter for this process and all its threads to come. Needs no_new_privs.

    Raises:
        OSError: no table for this architecture, or the kernel refuses.
    """
    machine = platform.machine()
    if machine not in FORBIDDEN:
        raise OSError(errno.ENOSYS, f"no table of system calls for {machine}")
    program = _program(machine)
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(program, len(program))

    class FilterProgram(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    pointer = FilterProgram(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    if libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(pointer), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _program(machine: str) -> bytes:
    """Another architecture's calls kill; forbidden ones fail; clone must make a thread, prlimit mean oneself."""
    refuse, unknown = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS
    program = [
        (LOAD, 0, 0, ARCHITECTURE_OFFSET),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCHITECTURE[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER_OFFSET),
    ]
    if machine == "x86_64":
        program += [(JUMP_ANY_BIT, 0, 1, X32_BIT), (RETURN, 0, 0, refuse)]
    for number in FORBIDDEN[machine]:
        program += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, refuse)]
    program += [
        (JUMP_EQUAL, 0, 4, PRLIMIT[machine]),
        (LOAD, 0, 0, FIRST_ARGUMENT_OFFSET),
        (JUMP_EQUAL, 0, 1, 0),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, refuse),
        (JUMP_EQUAL, 0, 1, CLONE3),
        (RETURN, 0, 0, unknown),
        (JUMP_EQUAL, 0, 3, CLONE[machine]),
        (LOAD, 0, 0, FIRST_ARGUMENT_OFFSET),
        (JUMP_ANY_BIT, 1, 0, CLONE_THREAD),
        (RETURN, 0, 0, refuse),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
