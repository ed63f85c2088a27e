"""Says in words what holds on this system, before a TA relies on it."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import time

from rich.console import Console
from rich.table import Table

from autograder.grading.curves import load_bars
from autograder.grading.private import load_private
from autograder.isolation.confinement import GUARANTEES, Confinement, probe
from autograder.isolation.fork_server import ForkServer
from autograder.isolation.package import package_with
from autograder.isolation.remote import RemoteSubject
from autograder.solutions import reference_code

HOLDS, DOES_NOT_HOLD = 0, 5
MIN_FREE_BYTES = 1_000_000_000


def examine(console: Console) -> int:
    """Print what a submission cannot do here, layer by layer, and the speed of the machine. Returns an exit status."""
    start = time.monotonic()
    with ForkServer() as server:
        started = time.monotonic() - start
        confinement = probe(server)
        ready = _milliseconds_to_a_ready_worker(server)
        speed = server.speed
    required = load_private().required_guarantees
    _print_guarantees(console, confinement, required)
    _print_layers(console, confinement)
    recorded = statistics.median(bar.speed for bar in load_bars().values())
    console.print(
        f"Python {platform.python_version()}, {platform.system()} {platform.release()}, {platform.machine()}, "
        f"{len(os.sched_getaffinity(0))} processors",
        markup=False,
    )
    console.print(
        f"Fork server started in {started:.1f} s; a worker is ready in {ready:.0f} ms; "
        f"{speed / recorded:.1f} times the processor time of the machine that recorded the curves."
    )
    free = shutil.disk_usage(".").free
    console.print(f"{free / 1e9:.1f} GB of disk are free.", style="red" if free < MIN_FREE_BYTES else None)
    missing = confinement.missing(required)
    if missing:
        console.print("Only the reference is graded here, because these requirements do not hold:", style="red")
        for guarantee in missing:
            console.print(f"  a submission {guarantee.text}. To fix it: {guarantee.fix}.", style="red", markup=False)
    else:
        console.print("Other people's submissions may be graded here.", style="green")
    return DOES_NOT_HOLD if missing else HOLDS


def _print_guarantees(console: Console, confinement: Confinement, required: tuple[str, ...]) -> None:
    table = Table("a submission", "holds", "required", "was possible", title="What a submission can do here")
    for guarantee in GUARANTEES:
        holes = confinement.holes(guarantee.id)
        holds = "[red]no[/red]" if holes else "[green]yes[/green]"
        table.add_row(guarantee.text, holds, "yes" if guarantee.id in required else "no", ", ".join(holes))
    console.print(table)


def _print_layers(console: Console, confinement: Confinement) -> None:
    table = Table("layer", "state", title="How")
    for layer, state in confinement.layers.items():
        table.add_row(layer, state, style=None if state == "on" else "yellow")
    console.print(table)


def _milliseconds_to_a_ready_worker(server: ForkServer) -> float:
    """Median time from asking for a worker to its hello, over ten."""
    package = package_with(reference_code())
    times = []
    for _ in range(10):
        start = time.monotonic()
        with RemoteSubject(server, package, slot=0, cpu_seconds=10, call_seconds=10, memory_mb=4096):
            times.append(time.monotonic() - start)
    return statistics.median(times) * 1000
