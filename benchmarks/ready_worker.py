"""Time to a worker that is ready to answer: forked and confined, against a fresh Python that imports torch.

Run: .venv/bin/python -m benchmarks.ready_worker
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import numpy as np

from autograder.isolation.fork_server import ForkServer
from autograder.isolation.package import package_with
from autograder.isolation.remote import RemoteSubject
from autograder.solutions import reference_code

REPETITIONS = 20
FRESH = 5


def main() -> None:
    start = time.perf_counter()
    with ForkServer() as server:
        print(f"fork server ready:                {time.perf_counter() - start:8.2f} s, once")
        ready, answered = [], []
        for _ in range(REPETITIONS):
            start = time.perf_counter()
            with RemoteSubject(
                server, package_with(reference_code()), slot=0, cpu_seconds=10, call_seconds=10, memory_mb=4096
            ) as subject:
                ready.append(time.perf_counter() - start)
                subject.call("ensemble.gaussian_nll", np.zeros(1), np.zeros(1), np.ones(1))
                answered.append(time.perf_counter() - start)
    fresh = []
    for _ in range(FRESH):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", "import torch; torch.zeros(1)"], check=True)
        fresh.append(time.perf_counter() - start)
    worker, answer, process = (statistics.median(times) for times in (ready, answered, fresh))
    print(f"worker forked, confined, checked: {worker * 1e3:8.1f} ms (median of {REPETITIONS})")
    print(f"its first answer:                 {answer * 1e3:8.1f} ms")
    print(
        f"a fresh Python with torch:        {process * 1e3:8.1f} ms (median of {FRESH}), {process / worker:.0f} times"
    )


if __name__ == "__main__":
    main()
