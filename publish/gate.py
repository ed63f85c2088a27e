"""The gate before publishing: everything that must hold, in order, with the file, the line and what fixes it."""

from __future__ import annotations

import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO

from hw4.handin.assignment import load_assignment
from hw4.handin.update import BUNDLE_FOLDER
from publish import checked_sentences, drift, leaks, places, reference_marks, rehearsal, stale_runs
from publish.findings import Finding
from publish.line_ends import wrong_line_ends
from publish.staff_bundle import STAFF_PDF, WITHOUT_SUFFIX, staff_files
from publish.student_bundle import STUDENT_BUNDLE

Check = Callable[[], Iterable[Finding]]

NAMES = "every name is known"
QUICK: dict[str, Check] = {
    NAMES: places.misnamed,
    "no file has Windows line ends, and scripts can start": lambda: wrong_line_ends(tree_files(), WITHOUT_SUFFIX),
    "hidden tests check every sentence of a docstring": checked_sentences.unchecked,
    "no generated file has drifted": lambda: drift.drifted(drift.in_the_tree()),
    "recorded runs match today's code": stale_runs.stale_curves,
    "the runs of figures and ungraded tasks match it too": stale_runs.stale_others,
}
WHOLE: dict[str, Check] = {
    **QUICK,
    "building the archives again gives the same bytes": lambda: drift.drifted(drift.bundles()),
    "nothing private is in the student bundle": lambda: leaks.private_in(student_bundle_files()),
    "the reference gets full marks, the stubs none": lambda: reference_marks.graded_wrongly(released_stubs()),
    "the reference passes the curves, as recorded": stale_runs.reference_misses,
    "the student bundle works by itself": lambda: rehearsal.rehearse(STUDENT_BUNDLE.read_bytes()),
}


def tree_files() -> Iterator[tuple[str, bytes]]:
    """(name, content) of everything that any archive is built from."""
    return ((name, path.read_bytes()) for name, path in staff_files() if path != STAFF_PDF)


def student_bundle_files() -> dict[str, bytes]:
    """The files in build/student.zip, named from its top folder."""
    with zipfile.ZipFile(BytesIO(STUDENT_BUNDLE.read_bytes())) as archive:
        return {name.removeprefix(f"{BUNDLE_FOLDER}/"): archive.read(name) for name in archive.namelist()}


def released_stubs() -> dict[str, bytes]:
    """The code files as students get them."""
    files = student_bundle_files()
    return {name: files[f"hw4/{name}"] for name in load_assignment().submission.code}


def run(checks: dict[str, Check]) -> int:
    """Run checks, print what is found, and return how many things are not right.

    While names are unknown or files are missing, nothing can be generated: then the first check is the last one.
    """
    found = 0
    for title, check in checks.items():
        start = time.monotonic()
        print(f"{title} ... ", end="", flush=True)
        findings = list(check())
        print(f"{'no' if findings else 'yes'} ({time.monotonic() - start:.0f} s)", flush=True)
        for finding in findings:
            print(f"  {finding}", file=sys.stderr, flush=True)
        found += len(findings)
        if title == NAMES and any(finding.fix != drift.WRITE for finding in findings):
            print("Everything else is checked once these are fixed.", flush=True)
            break
    return found
