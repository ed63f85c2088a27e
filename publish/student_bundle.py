"""The student bundle: an allow-list, so that nothing private can slip in by being forgotten."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from autograder.solutions import ROOT
from hw4.handin.assignment import load_assignment
from hw4.handin.update import BUNDLE_FOLDER, MANIFEST
from publish.archive import zip_of

STUDENT_BUNDLE = ROOT / "build" / "student.zip"
README = ROOT / "hw4" / "README.md"  # at the top of the bundle, and nowhere else in it
HW4_SUFFIXES = (".py", ".csv", ".md")
RELEASED_NOTEBOOKS = ROOT / "notebooks" / "release" / "hw4"
NOTEBOOK_DATA = ROOT / "notebooks" / "data"
# Of requirements.txt. nbgrader would add 9 packages and 76 MB; `python -m hw4 submit` also says what is not answered.
NOT_FOR_STUDENTS = ("nbgrader",)


def student_files() -> Iterator[tuple[str, bytes]]:
    """(name inside the bundle, content) of everything students get, and the list of it."""
    files = dict(_given_files())
    yield from files.items()
    yield MANIFEST, _manifest(files)


def _given_files() -> Iterator[tuple[str, bytes]]:
    for path in sorted((ROOT / "hw4").rglob("*")):
        if path.suffix in HW4_SUFFIXES and "__pycache__" not in path.parts and path != README:
            yield path.relative_to(ROOT).as_posix(), path.read_bytes()
    for name in ("handout.pdf", "assignment.toml", "LICENSE"):
        yield name, (ROOT / name).read_bytes()
    yield "requirements.txt", student_requirements().encode()
    for name in load_assignment().submission.notebooks:
        yield f"notebooks/{name}", (RELEASED_NOTEBOOKS / name).read_bytes()
    for path in sorted(p for p in NOTEBOOK_DATA.rglob("*") if p.suffix in (".csv", ".json")):
        yield f"notebooks/data/{path.relative_to(NOTEBOOK_DATA).as_posix()}", path.read_bytes()
    yield "README.md", README.read_bytes()
    yield "pyproject.toml", (ROOT / "publish" / "student_pyproject.toml").read_bytes()


def student_requirements() -> str:
    """What a student installs: requirements.txt without what only staff need."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(NOT_FOR_STUDENTS))


def _manifest(files: dict[str, bytes]) -> bytes:
    """What `python -m hw4 update` compares with: a hash of every file, and a version that follows from them."""
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    course = load_assignment().course
    digest = hashlib.sha256(json.dumps(hashes).encode()).hexdigest()
    manifest = {"version": f"{course.release:%Y-%m-%d}.{digest[:8]}", "files": hashes}
    return (json.dumps(manifest, indent=1) + "\n").encode()


def student_bundle() -> bytes:
    """The archive; the same tree gives the same bytes."""
    return zip_of((f"{BUNDLE_FOLDER}/{name}", content) for name, content in student_files())


def write_student_bundle(target: Path = STUDENT_BUNDLE) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(student_bundle())
    return target
