"""The folder a worker imports `hw4` from: pristine given files, and the student's three over the stubs."""

from __future__ import annotations

from pathlib import Path

GIVEN = Path(__file__).resolve().parents[2] / "hw4"

# All that a worker holds. No environment is among it.
GIVEN_FILES = (
    "__init__.py",
    "agents.py",
    "doubles.py",
    "experiments.py",
    "gaussian_model.py",
    "imagination.py",
    "networks.py",
    "noise.py",
    "rewards.py",
    "subject.py",
    "tasks.py",
    "transitions.py",
)


def write_overlay(folder: Path, code: dict[str, bytes], stub_files: tuple[str, ...]) -> Path:
    """Write `folder/hw4`: given files, and each of `stub_files`: the submitted code, or the stub if there is none."""
    package = folder / "hw4"
    package.mkdir(parents=True)
    for name in GIVEN_FILES:
        (package / name).write_bytes((GIVEN / name).read_bytes())
    for name in stub_files:
        (package / name).write_bytes(code.get(name, (GIVEN / name).read_bytes()))
    for path in (folder, package):
        path.chmod(0o755)
    for path in package.iterdir():
        path.chmod(0o644)
    return folder
