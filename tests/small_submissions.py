"""Small submissions in every container, and rules whose limits they reach."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from hw4.handin.assignment import Assignment, load_assignment
from hw4.handin.intake import Intake, read_submission
from hw4.handin.refusal import SubmissionRefused

CODE = {"dynamics_model.py": b"import torch\n", "mpc.py": b"import math\n", "ensemble.py": b"import numpy\n"}
UNIX_FILE = (stat.S_IFREG | 0o644) << 16


def small_rules(max_files: int = 12) -> Assignment:
    """The real rules for one notebook and 20 written points, low limits: 20 kB a file, 30 a notebook, 60 in all."""
    real = load_assignment()
    by_hand = [problem.id for problem in real.problems if problem.by_hand]
    problems = tuple(
        dataclasses.replace(problem, points=20 * (problem.id == by_hand[0])) if problem.by_hand else problem
        for problem in real.problems
    )
    submission = dataclasses.replace(
        real.submission,
        notebooks=("distribution_shift.ipynb",),
        max_file_bytes=20_000,
        max_notebook_bytes=30_000,
        max_total_bytes=60_000,
        max_files=max_files,
    )
    return dataclasses.replace(real, submission=submission, problems=problems)


def answer_cell(grade_id: str, text: str | list[str], points: Any = 10) -> dict[str, Any]:
    """A cell as nbgrader releases it for an answer that people grade."""
    nbgrader = {"grade": True, "solution": True, "locked": False, "grade_id": grade_id, "points": points}
    return {"cell_type": "markdown", "metadata": {"nbgrader": nbgrader}, "source": text}


def code_cell(*outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "source": "1 + 1", "outputs": list(outputs)}


def notebook(*cells: Any) -> dict[str, bytes]:
    return {"distribution_shift.ipynb": json.dumps({"cells": list(cells), "nbformat": 4}).encode()}


RELEASED_ANSWERS = {"distribution_shift.ipynb": {"answer-a": 10, "answer-b": 10}}  # in place of the real ones
ANSWERS = (answer_cell("answer-a", "The two distributions are ..."), answer_cell("answer-b", ["Three ", "things."]))
NOTEBOOK = notebook(*ANSWERS, code_cell({"output_type": "stream", "text": "2"}))  # answered and run


def zip_bytes(*members: tuple[str, bytes], mode: int = UNIX_FILE, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            entry = zipfile.ZipInfo(name)
            entry.filename = name  # as given: the constructor changes backslashes on Windows
            entry.external_attr = mode
            entry.compress_type = method
            archive.writestr(entry, content)
    return buffer.getvalue()


def tar_bytes(
    *members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE, tar_format: int = tarfile.PAX_FORMAT
) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format) as archive:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        if kind != tarfile.REGTYPE:
            special = tarfile.TarInfo("special")
            special.type = kind
            special.linkname = "/etc/passwd"
            archive.addfile(special)
    return gzip.compress(buffer.getvalue(), mtime=0)


def folder_of(tmp_path: Path, *members: tuple[str, bytes]) -> Path:
    root = tmp_path / "submission"
    for name, content in members:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def read_bytes(tmp_path: Path, data: bytes, assignment: Assignment) -> Intake:
    path = tmp_path / "submission.bin"
    path.write_bytes(data)
    return read_submission(path, assignment)


def refusal(tmp_path: Path, data: bytes, assignment: Assignment) -> SubmissionRefused:
    with pytest.raises(SubmissionRefused) as caught:
        read_bytes(tmp_path, data, assignment)
    assert caught.value.where
    assert caught.value.fix
    for part in (caught.value.reason, caught.value.where, caught.value.fix):
        assert part in str(caught.value)
    return caught.value


def in_every_container(tmp_path: Path, assignment: Assignment, *members: tuple[str, bytes]) -> Intake:
    """Read the same members from a zip, a tar.gz and a folder; all three must agree."""
    by_zip = read_bytes(tmp_path, zip_bytes(*members), assignment)
    by_tar = read_bytes(tmp_path, tar_bytes(*members), assignment)
    by_folder = read_submission(folder_of(tmp_path, *members), assignment)
    assert by_zip == by_tar
    assert by_zip.files == by_folder.files
    assert by_zip.missing == by_folder.missing
    return by_zip
