"""Generated files: what each must hold, and whether it does."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.grading.curves import BARS_FILE, dump_bars
from autograder.grading.private import WORLDS_FILE
from autograder.recorded.acceptance import accepted_worlds
from autograder.recorded.calibration import derive_bars, published_curves
from autograder.recorded.code_hash import NAMES_FILE, first_names
from autograder.solutions import ROOT
from publish.findings import Finding, first_difference
from publish.gradescope_bundle import GRADESCOPE_BUNDLE, gradescope_bundle
from publish.handout import FIGURES, PDF
from publish.handout.figures import draw_figures
from publish.handout.typesetting import build_handout
from publish.notebooks import RELEASED_ANSWERS, build_notebooks, released_answers
from publish.staff_bundle import STAFF_BUNDLE, STAFF_PDF, staff_bundle
from publish.stubs import STUBS, build_stubs
from publish.student_bundle import STUDENT_BUNDLE, student_bundle
from publish.ungraded_bands import published_bands, read_runs
from publish.writing import write_if_changed

WRITE = "run `make publish`"
BUNDLES: dict[Path, Callable[[], bytes]] = {
    STUDENT_BUNDLE: student_bundle,
    GRADESCOPE_BUNDLE: gradescope_bundle,
    STAFF_BUNDLE: staff_bundle,
}


@dataclass(frozen=True)
class Artefact:
    """One generated file."""

    path: Path
    content: bytes  # that its sources give
    source: str  # in words, for a message


def texts() -> Iterator[Artefact]:
    """Generated text files. Figures and pages read some of them, so these come first."""
    for path, text in build_stubs().items():
        yield Artefact(path, text.encode(), f"solutions/{path.relative_to(STUBS).as_posix()}")
    recorded = "autograder/recorded/reference/*.csv"
    names = (json.dumps(first_names(), indent=1) + "\n").encode()
    yield Artefact(NAMES_FILE, names, "assignment.toml, for functions that it does not have yet,")
    yield Artefact(WORLDS_FILE, accepted_worlds().encode(), "autograder/private.toml and autograder/worlds/")
    yield Artefact(BARS_FILE, dump_bars(derive_bars()).encode(), recorded)
    yield Artefact(STUBS / "reference_curves.csv", published_curves().encode(), recorded)
    ungraded = published_bands(read_runs()).encode()
    yield Artefact(STUBS / "reference_curves_ungraded.csv", ungraded, "publish/ungraded_runs.csv")
    yield Artefact(RELEASED_ANSWERS, released_answers().encode(), "notebooks/masters/*.py")
    for path, text in build_notebooks().items():
        yield Artefact(path, text.encode(), f"notebooks/masters/{path.stem}.py")


def pictures() -> Iterator[Artefact]:
    """The handout's figures."""
    with tempfile.TemporaryDirectory() as folder:
        for path in draw_figures(Path(folder)):
            yield Artefact(FIGURES / path.name, path.read_bytes(), "recorded runs and publish/handout/figures.py")


def pages() -> Iterator[Artefact]:
    """The handout."""
    with tempfile.TemporaryDirectory() as folder:
        path = build_handout(Path(folder) / PDF.name)
        yield Artefact(PDF, path.read_bytes(), "handout/*.typ and the facts it shows")


def bundles() -> Iterator[Artefact]:
    """What `make publish` writes below build/: the staff edition of the handout, and the archives."""
    with tempfile.TemporaryDirectory() as folder:
        path = build_handout(Path(folder) / STAFF_PDF.name, staff=True)
        yield Artefact(STAFF_PDF, path.read_bytes(), "handout/*.typ and the facts it shows")
    for path, content in BUNDLES.items():
        yield Artefact(path, content(), "the files inside")


def in_the_tree() -> Iterator[Artefact]:
    """Every generated file that is kept in the repository."""
    yield from texts()
    yield from pictures()
    yield from pages()


def read(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def drifted(artefacts: Iterable[Artefact], read: Callable[[Path], bytes | None] = read) -> list[Finding]:
    """Whatever differs from what its sources give: file, first line that differs, and the command that fixes it.

    Args:
        artefacts: what is wanted.
        read: what there is; None where there is nothing.
    """
    findings = []
    for artefact in artefacts:
        found = read(artefact.path)
        if found != artefact.content:
            findings.append(_finding(artefact, found))
    return findings


def _finding(artefact: Artefact, found: bytes | None) -> Finding:
    name = artefact.path.relative_to(ROOT).as_posix()
    if found is None:
        return Finding(name, None, "is missing", WRITE)
    if artefact.path.suffix == ".zip":
        member, found, wanted = _first_member(found, artefact.content)
        name = f"{name}/{member}" if member else name
        if found is None or wanted is None:
            return Finding(name, None, "is missing" if found is None else "does not belong there", WRITE)
    else:
        wanted = artefact.content
    line, words = first_difference(found, wanted)
    is_text = not name.endswith(".pdf")
    return Finding(
        name, line, f"differs from what {artefact.source} generates{f' ({words})' if is_text else ''}", WRITE
    )


def _first_member(found: bytes, wanted: bytes) -> tuple[str, bytes | None, bytes | None]:
    """The first member that differs between two archives: its name, and its content in each."""
    try:
        ours, theirs = (_members(archive) for archive in (found, wanted))
    except zipfile.BadZipFile:
        return "", found, wanted
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            return name, ours.get(name), theirs.get(name)
    return "", found, wanted  # the same files, packed in another way


def _members(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def write(artefacts: Iterable[Artefact]) -> None:
    """Write what has changed."""
    for artefact in artefacts:
        write_if_changed(artefact.path, artefact.content)
