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
SECOND_ARGUMENT_OFFSET = 24

AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CLONE = {"x86_64": 56, "aarch64": 220}
PRCTL = {"x86_64": 157, "aarch64": 167}
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36  # what confinement has set stays set
FCNTL = {"x86_64": 72, "aarch64": 25}
IOCTL = {"x86_64": 16, "aarch64": 29}
FCNTL_SIGNALS = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: the kernel would send signals to others
IOCTL_SIGNALS = (0x8901, 0x8902, 0x5412)  # FIOSETOWN, SIOCSPGRP, and TIOCSTI, which types into a terminal
PRLIMIT = {"x86_64": 302, "aarch64": 261}  # of oneself (process 0) alone
CLONE3 = 435  # its flags are in memory, where a filter cannot see them: ENOSYS makes the C library use clone
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
        *(141, 142, 144, 203, 251, 314, 256, 279, 440, 448),  # priorities, processors and memory pages of others
        *(253, 294, 254, 300, 301, 103, 154, 447, 303, 304),  # watching files, the kernel's log, files by handle
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
        *(140, 118, 119, 122, 30, 274, 238, 239, 440, 448),
        *(26, 27, 262, 263, 116, 447, 264, 265),
        *(194, 195, 196, 197, 190, 191, 192, 193, 186, 187, 188, 189, 180, 181, 182, 183, 184, 185),
    ),
}


# Making, moving and removing files, where landlock does not guard them.
WRITING = {
    "x86_64": (85, 76, 83, 258, 84, 87, 263, 82, 264, 316, 86, 265, 88, 266, 133, 259),
    "aarch64": (45, 34, 35, 38, 276, 37, 36, 33),
}
OPEN_FLAGS_OFFSETS = {"x86_64": ((2, 24), (257, 32)), "aarch64": ((56, 32),)}  # open and openat: where the flags are
OPEN_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
OPENAT2 = 437  # its flags are in memory, like clone3's


def restrict(*, read_only: bool) -> None:
    """Install the filter for this process and all its threads to come. Needs no_new_privs.

    Args:
        read_only: forbid writing to any file that is not open yet.

    Raises:
        OSError: no table for this architecture, or the kernel refuses.
    """
    machine = platform.machine()
    if machine not in FORBIDDEN:
        raise OSError(errno.ENOSYS, f"no table of system calls for {machine}")
    program = _program(machine, read_only)
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(program, len(program))

    class FilterProgram(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    pointer = FilterProgram(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    if libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(pointer), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _program(machine: str, read_only: bool) -> bytes:
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
    for number in (*FORBIDDEN[machine], *(WRITING[machine] if read_only else ())):
        program += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, refuse)]
    if read_only:
        program += [(JUMP_EQUAL, 0, 1, OPENAT2), (RETURN, 0, 0, unknown)]
        for number, flags_offset in OPEN_FLAGS_OFFSETS[machine]:
            program += [
                (JUMP_EQUAL, 0, 4, number),
                (LOAD, 0, 0, flags_offset),
                (JUMP_ANY_BIT, 0, 1, OPEN_TO_WRITE),
                (RETURN, 0, 0, refuse),
                (RETURN, 0, 0, ALLOW),
            ]
    for number, offset, values in (
        (PRCTL[machine], FIRST_ARGUMENT_OFFSET, (PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER)),
        (FCNTL[machine], SECOND_ARGUMENT_OFFSET, FCNTL_SIGNALS),
        (IOCTL[machine], SECOND_ARGUMENT_OFFSET, IOCTL_SIGNALS),
    ):
        program += [(JUMP_EQUAL, 0, 2 + 2 * len(values), number), (LOAD, 0, 0, offset)]
        for value in values:
            program += [(JUMP_EQUAL, 0, 1, value), (RETURN, 0, 0, refuse)]
        program += [(RETURN, 0, 0, ALLOW)]
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
