"""The student bundle: an allow-list, so that nothing private can slip in by being forgotten."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from autograder.solutions import ROOT
from hw4.assignment import load_assignment

STUDENT_BUNDLE = ROOT / "build" / "student.zip"
BUNDLE_FOLDER = "hw4-model-based-rl"
FIXED_TIME = (2027, 1, 1, 0, 0, 0)
HW4_SUFFIXES = (".py", ".csv", ".md")
RELEASED_NOTEBOOKS = ROOT / "notebooks" / "release" / "hw4"
NOTEBOOK_DATA = ROOT / "notebooks" / "data"


def student_files() -> Iterator[tuple[str, bytes]]:
    """(name inside the bundle, content) of everything students get."""
    for path in sorted((ROOT / "hw4").rglob("*")):
        if path.suffix in HW4_SUFFIXES and "__pycache__" not in path.parts:
            yield path.relative_to(ROOT).as_posix(), path.read_bytes()
    for name in ("handout.pdf", "requirements.txt", "assignment.toml", "LICENSE"):
        yield name, (ROOT / name).read_bytes()
    for name in load_assignment().submission.notebooks:
        yield f"notebooks/{name}", (RELEASED_NOTEBOOKS / name).read_bytes()
    for path in sorted(p for p in NOTEBOOK_DATA.rglob("*") if p.suffix in (".csv", ".json")):
        yield f"notebooks/data/{path.relative_to(NOTEBOOK_DATA).as_posix()}", path.read_bytes()
    yield "README.md", (ROOT / "hw4" / "README.md").read_bytes()
    yield "pyproject.toml", (ROOT / "publish" / "student_pyproject.toml").read_bytes()


def write_student_bundle(target: Path = STUDENT_BUNDLE) -> Path:
    """Write the bundle; the same tree gives the same bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in student_files():
            info = zipfile.ZipInfo(f"{BUNDLE_FOLDER}/{name}", FIXED_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return target
