"""Landlock by ctypes: a process gives up every file but those it is granted, TCP, and signals to others.

Kernel interface: Documentation/userspace-api/landlock.rst. The system-call numbers are the same on all architectures.
"""

from __future__ import annotations

import ctypes
import os

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
QUERY_VERSION = 1
RULE_PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
READ = EXECUTE | READ_FILE | READ_DIR  # EXECUTE also covers mapping a shared library
READ_ONE_FILE = EXECUTE | READ_FILE
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_FILE, TRUNCATE = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 14
CHANGE = WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_FILE | TRUNCATE
ALL_FILE_RIGHTS_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
BIND_TCP, CONNECT_TCP = 1, 2  # since ABI 4
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1, 2  # since ABI 6


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("allowed", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


_libc = ctypes.CDLL(None, use_errno=True)


def _syscall(number: int, *args: object) -> int:
    result = _libc.syscall(ctypes.c_long(number), *args)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return int(result)


def version() -> int:
    """The kernel's ABI version. Raises OSError if there is no landlock."""
    return _syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(QUERY_VERSION))


def restrict(readable: list[str], listable: list[str], writable: list[str]) -> None:
    """Leave only these files and folders. Needs no_new_privs.

    Where the kernel knows how, TCP, abstract sockets and signals to other processes are taken away, too.

    Args:
        readable: files, and folders with all that is in them.
        listable: folders whose entries, at any depth, may be listed but not read.
        writable: folders in which files and folders may be made, changed and removed, too; no device, pipe or socket.
    """
    abi = version()
    handled = ALL_FILE_RIGHTS_BY_ABI[min(abi, 5)]
    ruleset = _Ruleset(handled, BIND_TCP | CONNECT_TCP if abi >= 4 else 0, 0)
    if abi >= 6:
        ruleset.scoped = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset_fd = _syscall(CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        for path in readable:
            _grant(ruleset_fd, path, READ if os.path.isdir(path) else READ_ONE_FILE)
        for path in listable:
            _grant(ruleset_fd, path, READ_DIR)
        for path in writable:
            _grant(ruleset_fd, path, (READ | CHANGE) & handled)
        _syscall(RESTRICT_SELF, ctypes.c_int(ruleset_fd), ctypes.c_uint32(0))
    finally:
        os.close(ruleset_fd)


def _grant(ruleset_fd: int, path: str, rights: int) -> None:
    try:
        parent_fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        rule = _PathBeneath(rights, parent_fd)
        kind = ctypes.c_int(RULE_PATH_BENEATH)
        _syscall(ADD_RULE, ctypes.c_int(ruleset_fd), kind, ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(parent_fd)
