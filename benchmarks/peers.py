"""Starts mbrl-lib's programs in their own environment."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT

PYTHON = ROOT / "build" / "mbrl" / "bin" / "python"
READY = ROOT / "build" / "mbrl" / ".ready"
PETS, PLANET = (ROOT / "benchmarks" / name for name in ("mbrl_peer.py", "latent_agent_peer.py"))
MISSING = "mbrl-lib is left out: its environment is missing; `make build/mbrl/.ready` installs it"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def mbrl_is_installed() -> bool:
    return READY.exists()


def mbrl(what: str, **options: object) -> Iterator[dict[str, Any]]:
    """Run `mbrl_peer.py WHAT` and yield each object that it prints, as it comes.

    Raises:
        RuntimeError: it failed; its last words are in the message.
    """
    return _run(PETS, what, options)


def planet(**options: object) -> dict[str, Any]:
    """Run `latent_agent_peer.py` and return the object that it prints.

    Raises:
        RuntimeError: it failed; its last words are in the message.
    """
    (answer,) = _run(PLANET, "", options)
    return answer


def _run(program: Path, what: str, options: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    arguments = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}") for name, value in options.items()
    ]
    environment = {
        **os.environ,
        **dict.fromkeys(THREADS, "1"),
        "PYTHONPATH": os.pathsep.join((str(ROOT / "build" / "solved"), str(ROOT))),
    }
    process = subprocess.Popen(
        [str(PYTHON), "-W", "ignore", str(program), *what.split(), *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        for line in process.stdout:
            if line.startswith("{"):
                yield json.loads(line)
        errors = process.stderr.read()
        if process.wait() != 0:
            raise RuntimeError(f"{program.name} {what} failed: {errors.strip()[-800:]}")
    finally:
        process.kill()
        process.wait()
