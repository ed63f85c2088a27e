"""Seconds until the commands that students type most have answered, each in a process of its own.

Run: .venv/bin/python -m benchmarks.startup
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time

from rich.console import Console
from rich.table import Table

from hw4.handin.assignment import load_assignment
from publish.stubs import write_solved

REPETITIONS = 5
COMMANDS = {  # arguments of python, and the aim in seconds
    "python -m hw4 --help": 0.5,
    "python -m hw4 train cartpole --help": None,
    **{
        f"python -m hw4 check {problem.label.lower()}": 5.0
        for problem in load_assignment().problems
        if load_assignment().stubs_of(problem.id)
    },
}


def seconds_of(command: str, environment: dict[str, str], folder: str) -> tuple[float, float]:
    """Wall-clock and processor seconds of one command, what it starts included."""
    before, start = _of_children(), time.perf_counter()
    arguments = [sys.executable, *command.split()[1:]]
    subprocess.run(arguments, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start, _of_children() - before


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    solved = str(write_solved())
    environment = {**os.environ, "PYTHONPATH": solved}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a student's Python keeps its bytecode
    table = Table("command", "wall clock (s)", "longest", "processor (s)", "aim")
    load = os.getloadavg()[0]
    for command, aim in COMMANDS.items():
        runs = [seconds_of(command, environment, solved) for _ in range(REPETITIONS)]
        wall, cpu = ([run[column] for run in runs] for column in (0, 1))
        median, longest, processor = statistics.median(wall), max(wall), statistics.median(cpu)
        shown_aim = "" if aim is None else f"less than {aim:g}"
        table.add_row(command, f"{median:.2f}", f"{longest:.2f}", f"{processor:.2f}", shown_aim)
    Console().print(table)
    print(f"Median of {REPETITIONS} processes, on the solved tree; load average before it {load:.1f}")


if __name__ == "__main__":
    main()
