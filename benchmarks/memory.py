"""The most memory that a grade of the reference takes: the trusted process, the fork server, a worker.

Run: .venv/bin/python -m benchmarks.memory

Peaks of resident memory (MB of 2^20 bytes, of each process by itself). A worker is a fork of the fork server: most of
what it holds is shared with it and is there only once.
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from benchmarks.grade_timeline import graded_reference, peak_mb

AIMS = {"trusted process": 200, "fork server": None, "largest worker": 450}


def main() -> None:
    before = peak_mb()
    watch, _ = graded_reference(jobs=2)
    workers = {name: stage.largest_worker_mb for name, stage in watch.stages.items()}
    largest = max(workers, key=lambda name: workers[name])
    seen = {"trusted process": peak_mb(), "fork server": watch.server_mb, "largest worker": workers[largest]}
    table = Table("process", "peak (MB)", "aim")
    for name, megabytes in seen.items():
        aim = AIMS[name]
        table.add_row(name, f"{megabytes:.0f}", "" if aim is None else f"less than {aim}")
    Console().print(table)
    print(f"The largest worker: {largest}. Python and this program alone: {before:.0f} MB.")


if __name__ == "__main__":
    main()
