"""What every recorded figure comes with: the command, the versions, and how fast the machine was at that moment."""

from __future__ import annotations

import csv
import os
import platform
import statistics
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import torch
import tyro

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "benchmarks" / "data"
FIGURES = ROOT / "benchmarks" / "figures"
BUILD = ROOT / "build" / "benchmarks"
REFERENCE_PRODUCT = (5, 512, 256)  # members, batch, width
PACKAGES = ("torch", "numpy", "mujoco", "gymnasium")
DrawOnly = Annotated[bool, tyro.conf.arg(name="draw")]  # the option --draw of a program with a function `draw`


def matrix_product_rate(ensemble_size: int, batch: int, width: int) -> float:
    """Operations per second of batched products (E, B, W) x (E, W, W) with a bias, by processor time: the median."""
    a, b = torch.randn(ensemble_size, batch, width), torch.randn(ensemble_size, width, width)
    bias = torch.randn(ensemble_size, 1, width)
    times = []
    for _ in range(60):
        start = time.process_time()
        torch.baddbmm(bias, a, b)
        times.append(time.process_time() - start)
    return 2.0 * ensemble_size * batch * width**2 / statistics.median(times[10:])


def gflops() -> float:
    """The rate of a large batched product now, in 1e9 operations per second."""
    return matrix_product_rate(*REFERENCE_PRODUCT) / 1e9


def provenance(command: str) -> list[str]:
    """Lines that head a recorded file. Measures the machine: call it in the run that they describe."""
    members, batch, width = REFERENCE_PRODUCT
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return [
        f"Recorded by `{command}`.",
        f"Matrix products in the same run: {gflops():.0f} GFLOP/s ({members} x {batch} x {width} by {width} x {width}, "
        f"float32, {torch.get_num_threads()} thread).",
        f"Load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores. "
        f"Python {platform.python_version()}, {packages}.",
    ]


def write_csv(path: Path, heading: Iterable[str], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A small CSV file whose first lines, each after a #, say where it comes from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"# {line}\n" for line in heading)
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a file of `write_csv`; none where there is no file."""
    if not path.exists():
        return []
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))
