"""Google Colab: install what is missing, and keep the torch that is there (given; standard library only)."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

KEPT = ("torch",)  # hundreds of megabytes, built for the machine's accelerator
NOT_NEEDED = ("jupyterlab",)  # Colab is the notebook


def install_missing(requirements: Path) -> None:
    """Install the requirements that are absent or too old, and leave the installed torch as it is.

    Args:
        requirements: a requirements file, one package a line.

    Raises:
        subprocess.CalledProcessError: pip cannot; among others if a package would need another torch.
    """
    wanted = []
    for line in requirements.read_text(encoding="utf-8").splitlines():
        requirement = line.partition("#")[0].strip()
        if requirement and _name(requirement) not in (*_installed(KEPT), *NOT_NEEDED):
            wanted.append(requirement)
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("".join(f"{name}=={version(name)}\n" for name in _installed(KEPT)), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", str(constraints), *wanted]
        subprocess.run(command, check=True)


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()


def _installed(names: tuple[str, ...]) -> list[str]:
    found = []
    for name in names:
        try:
            version(name)
        except PackageNotFoundError:
            continue
        found.append(name)
    return found
