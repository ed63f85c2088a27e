"""The whole grading on half a processor and 0.75 GB of memory, as in Gradescope's smallest container."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.solutions import ROOT

HALF_A_CORE, MEMORY_BYTES = 0.5, 750_000_000
MAX_SECONDS = 480
CGROUPS = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def small_machine() -> Iterator[list[Path]]:
    """Control groups with these limits, of either version. Yields the files that a process id is written to."""
    name = f"hw4-small-{os.getpid()}"
    if (CGROUPS / "cgroup.controllers").exists():
        folders = {CGROUPS / name: {"cpu.max": f"{int(HALF_A_CORE * 100_000)} 100000", "memory.max": str(MEMORY_BYTES)}}
    else:
        folders = {
            CGROUPS / "cpu" / name: {
                "cpu.cfs_period_us": "100000",
                "cpu.cfs_quota_us": str(int(HALF_A_CORE * 100_000)),
            },
            CGROUPS / "memory" / name: {"memory.limit_in_bytes": str(MEMORY_BYTES)},
        }
    made: list[Path] = []
    try:
        for folder, limits in folders.items():
            folder.mkdir()
            made.append(folder)
            for file, value in limits.items():
                (folder / file).write_text(value, encoding="ascii")
    except OSError as error:
        for folder in made:
            folder.rmdir()
        pytest.skip(f"no control group can be made here: {error}")
    try:
        yield [folder / "cgroup.procs" for folder in made]
    finally:
        for folder in made:
            for _ in range(50):
                with contextlib.suppress(OSError):
                    folder.rmdir()
                    break
                time.sleep(0.1)


@pytest.mark.verify
def test_half_a_core_and_three_quarters_of_a_gigabyte_are_enough(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "autograder", "grade", "solutions", "--output", str(tmp_path)]
    with small_machine() as entries:

        def enter() -> None:
            for entry in entries:
                entry.write_text(str(os.getpid()), encoding="ascii")

        start = time.monotonic()
        run = subprocess.run(command, cwd=ROOT, preexec_fn=enter, capture_output=True, text=True, timeout=3600)
        seconds = time.monotonic() - start
    print(f"{seconds:.0f} s on half a processor and {MEMORY_BYTES / 1e9:g} GB")
    assert run.returncode == 0, run.stdout + run.stderr
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["score"] == sum(test["max_score"] for test in results["tests"])
    assert seconds <= MAX_SECONDS
