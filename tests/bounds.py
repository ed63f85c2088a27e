"""A bound on what a piece of code may take: memory that Python allocates, and processor time."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def bounded(*, max_bytes: int, max_seconds: float) -> Iterator[None]:
    """Fail if the body's peak of allocated memory or its processor time (s) reaches the bound."""
    start = time.process_time()
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < max_bytes, f"{peak:,} bytes were taken"
    assert time.process_time() - start < max_seconds
