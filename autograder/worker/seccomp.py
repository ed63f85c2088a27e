"""A seccomp filter by ctypes: a worker keeps the system calls that solutions need, and every other one fails.

A list of what is allowed, not of what is forbidden: what a newer kernel brings is refused before anybody knows it. It
is far longer than what a whole grade was seen to use after the imports (some thirty calls), so that an unusual solution
runs, too. Each call on it touches nothing but the process itself and the files that landlock leaves it.

Kernel interface: Documentation/userspace-api/seccomp_filter.rst. Where an architecture has no table of numbers, the
layer is off and says so.
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
REFUSE, UNKNOWN, AGAIN = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS, ERRNO | errno.EAGAIN

LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER_OFFSET, ARCHITECTURE_OFFSET, FIRST_ARGUMENT_OFFSET, ARGUMENT_SIZE = 0, 4, 16, 8
X32_BIT = 0x40000000
ALL_BITS = 0xFFFFFFFF
FIRST_NEW = 424  # from here on numbers are the same everywhere, and programs expect calls that are not there

AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
COLUMN = {"x86_64": 0, "aarch64": 1}

Numbers = dict[str, tuple[int | None, int | None]]  # of a call, on x86_64 and aarch64; None: there is no such call

ALLOWED: Numbers = {
    # Files: landlock decides which.
    "read": (0, 63),
    "write": (1, 64),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "readv": (19, 65),
    "writev": (20, 66),
    "preadv": (295, 69),
    "pwritev": (296, 70),
    "lseek": (8, 62),
    "close": (3, 57),
    "close_range": (436, 436),
    "dup": (32, 23),
    "dup2": (33, None),
    "dup3": (292, 24),
    "fstat": (5, 80),
    "stat": (4, None),
    "lstat": (6, None),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getdents": (78, None),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    "chdir": (80, 49),
    "fchdir": (81, 50),
    "ftruncate": (77, 46),
    "umask": (95, 166),
    "pipe": (22, None),
    "pipe2": (293, 59),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21),
    "epoll_wait": (232, None),
    "epoll_pwait": (281, 22),
    "eventfd2": (290, 19),
    # Memory and threads of its own.
    "brk": (12, 214),
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "getcpu": (309, 168),
    "arch_prctl": (158, None),
    "exit": (60, 93),
    "exit_group": (231, 94),
    # Clocks and signals of its own.
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    "nanosleep": (35, 101),
    "alarm": (37, None),
    "setitimer": (38, 103),
    "getitimer": (36, 102),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "rt_sigpending": (127, 136),
    "rt_sigsuspend": (130, 133),
    "rt_sigtimedwait": (128, 137),
    "sigaltstack": (131, 132),
    "pause": (34, None),
    "restart_syscall": (219, 128),
    # What it is.
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getresuid": (118, 148),
    "getresgid": (120, 150),
    "getgroups": (115, 158),
    "getpgrp": (111, None),
    "uname": (63, 160),
    "getrlimit": (97, 163),
    "setrlimit": (160, 164),
    "getrandom": (318, 278),
    # Its one connection.
    "getsockname": (51, 204),
    "getpeername": (52, 205),
    "shutdown": (48, 210),
}
# Making, moving and removing files: only where landlock guards them.
WRITING: Numbers = {
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "truncate": (76, 45),
}
# Calls that are allowed for some values of one argument.
CHECKED: Numbers = {
    "open": (2, None),
    "openat": (257, 56),
    "clone": (56, 220),
    "futex": (202, 98),
    "madvise": (28, 233),
    "fcntl": (72, 25),
    "ioctl": (16, 29),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "getsockopt": (55, 209),
    "sendto": (44, 206),
    "recvfrom": (45, 207),
    "clone3": (435, 435),
}

OPEN_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
PAST_THE_CACHE = os.O_DIRECT | os.O_NOATIME
CLONE_THREAD = 0x00010000
# Its own pages: no page of a file is thrown out of memory or fetched for others to notice, no memory is shared.
MADVISE = {
    "MADV_NORMAL": 0,
    "MADV_DONTNEED": 4,
    "MADV_FREE": 8,
    "MADV_DONTFORK": 10,
    "MADV_HUGEPAGE": 14,
    "MADV_NOHUGEPAGE": 15,
    "MADV_DONTDUMP": 16,
    "MADV_DODUMP": 17,
    "MADV_WIPEONFORK": 18,
    "MADV_GUARD_INSTALL": 102,
    "MADV_GUARD_REMOVE": 103,
}
# A futex that is not private is one with every process that has the same page of a file. Waiting for the end of a
# thread is such a wait: it is told to look again, as if the thread had ended just now. Nobody needs to wake others.
FUTEX_PRIVATE = 128
FUTEX_WAITS = {"FUTEX_WAIT": 0, "FUTEX_WAIT_BITSET": 9, "with FUTEX_CLOCK_REALTIME": 9 | 256}
# No locks, leases, notices, owners or hints: files are shared.
FCNTL = {"F_DUPFD": 0, "F_GETFD": 1, "F_SETFD": 2, "F_GETFL": 3, "F_SETFL": 4, "F_DUPFD_CLOEXEC": 1030}
IOCTL = {
    "FIONBIO": 0x5421,
    "FIOCLEX": 0x5451,
    "FIONCLEX": 0x5450,
    "FIONREAD": 0x541B,
    "TCGETS": 0x5401,
    "TCGETS2": 0x802C542A,
    "TIOCGWINSZ": 0x5413,
}
PRCTL = {"PR_GET_DUMPABLE": 3, "PR_SET_NAME": 15, "PR_GET_NAME": 16, "PR_SET_VMA": 0x53564D41}
OTHERS_CLOCK = 0x80000000  # a clock with this bit belongs to a process or thread by its number
GETSOCKOPT = {"SO_TYPE": 3, "SO_ERROR": 4, "SO_PROTOCOL": 38, "SO_DOMAIN": 39}  # no SO_PEERCRED, no SO_PEERPIDFD
MESSAGE_FLAGS = 0x4000 | 0x100 | 0x40  # MSG_NOSIGNAL, MSG_WAITALL, MSG_DONTWAIT: no MSG_OOB

Program = list[tuple[int, int, int, int]]


def restrict(*, read_only: bool) -> None:
    """Install the filter for this process and all its threads to come. Needs no_new_privs.

    Args:
        read_only: forbid writing to any file that is not open yet.

    Raises:
        OSError: no table for this architecture, or the kernel refuses.
    """
    machine = platform.machine()
    if machine not in COLUMN:
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
    """Another architecture's calls kill; what is not listed fails."""
    program: Program = [
        (LOAD, 0, 0, ARCHITECTURE_OFFSET),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCHITECTURE[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER_OFFSET),
    ]
    if machine == "x86_64":
        program += [(JUMP_ANY_BIT, 0, 1, X32_BIT), (RETURN, 0, 0, REFUSE)]
    bad_flags = PAST_THE_CACHE | (OPEN_TO_WRITE if read_only else 0)
    for name, then in (
        ("ioctl", _among(1, IOCTL)),
        ("recvfrom", _without(3, ALL_BITS ^ MESSAGE_FLAGS)),
        ("sendto", _without(3, ALL_BITS ^ MESSAGE_FLAGS)),
        ("futex", _private_futex()),
        ("madvise", _among(2, MADVISE)),
        ("open", _without(1, bad_flags)),
        ("openat", _without(2, bad_flags)),
        ("fcntl", _among(1, FCNTL)),
        ("prctl", _among(0, PRCTL)),
        ("prlimit64", _among(0, {"oneself": 0})),
        ("clone", [*_argument(0), (JUMP_ANY_BIT, 0, 1, CLONE_THREAD), (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]),
        # Its flags are in memory, where a filter cannot see them: the C library then uses clone.
        ("clone3", [(RETURN, 0, 0, UNKNOWN)]),
        ("getsockopt", _among(2, GETSOCKOPT)),
        *((name, _without(0, OTHERS_CLOCK)) for name in ("clock_gettime", "clock_getres", "clock_nanosleep")),
    ):
        program += _if_called(CHECKED[name][COLUMN[machine]], then)
    for numbers in (ALLOWED, {} if read_only else WRITING):
        for of_both in numbers.values():
            program += _if_called(of_both[COLUMN[machine]], [(RETURN, 0, 0, ALLOW)])
    program += [(JUMP_AT_LEAST, 0, 1, FIRST_NEW), (RETURN, 0, 0, UNKNOWN), (RETURN, 0, 0, REFUSE)]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


def _if_called(number: int | None, then: Program) -> Program:
    """What is to happen to one call; `then` ends with a verdict. Nothing if there is no such call."""
    return [] if number is None else [(JUMP_EQUAL, 0, len(then), number), *then]


def _argument(index: int) -> Program:
    """Load the lower half of an argument: the whole of an int."""
    return [(LOAD, 0, 0, FIRST_ARGUMENT_OFFSET + ARGUMENT_SIZE * index)]


def _among(index: int, values: dict[str, int]) -> Program:
    """Allowed if an argument is one of these values."""
    program = _argument(index)
    for value in values.values():
        program += [(JUMP_EQUAL, 0, 1, value), (RETURN, 0, 0, ALLOW)]
    return [*program, (RETURN, 0, 0, REFUSE)]


def _without(index: int, bits: int) -> Program:
    """Allowed if an argument has none of these bits."""
    return [*_argument(index), (JUMP_ANY_BIT, 0, 1, bits), (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)]


def _private_futex() -> Program:
    program = [*_argument(1), (JUMP_ANY_BIT, 0, 1, FUTEX_PRIVATE), (RETURN, 0, 0, ALLOW)]
    for value in FUTEX_WAITS.values():
        program += [(JUMP_EQUAL, 0, 1, value), (RETURN, 0, 0, AGAIN)]
    return [*program, (RETURN, 0, 0, REFUSE)]
