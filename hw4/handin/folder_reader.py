"""Reads a submission that is a folder (given; standard library only). Links and special files are refused."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from hw4.handin.assignment import Assignment, Submission
from hw4.handin.members import (
    VERSION_FILE,
    Budget,
    Member,
    checked_name,
    decoded_name,
    kind_of_file,
    refuse_special_bits,
)
from hw4.handin.refusal import SubmissionRefused, readable

NOT_OPENED = "(not opened)"  # in place of all files in a folder that holds no student's work


def folder_members(root: Path, assignment: Assignment) -> Iterator[Member]:
    rules = assignment.submission
    wanted = {PurePosixPath(name).name for name in (*rules.code, *rules.notebooks, VERSION_FILE)}
    fix = "Give a folder that contains your code files and nothing else"
    num_entries, folders, budget = 0, [root], Budget(rules)
    while folders:
        folder = folders.pop()
        with readable(folder.name), os.scandir(folder) as found:  # no more of a million names than are allowed
            names = [entry.name for entry in islice(found, rules.max_files + 1 - num_entries)]
        num_entries += len(names)
        if num_entries > rules.max_files:
            raise SubmissionRefused(f"the folder contains more than {rules.max_files} files", where=root.name, fix=fix)
        for entry in sorted(folder / name for name in names):
            raw_name = entry.relative_to(root).as_posix().encode("utf-8", "surrogateescape")
            name, compared_as = decoded_name(raw_name)
            name = checked_name(name)
            with readable(name):
                mode = entry.lstat().st_mode
                if stat.S_ISDIR(mode):
                    if Member(f"{name}/x", b"").is_junk or (entry / "pyvenv.cfg").exists():
                        yield Member(f"{name}/{NOT_OPENED}", b"")
                    else:
                        folders.append(entry)
                    continue
            content, problem = b"", ""
            try:
                if not stat.S_ISREG(mode):
                    raise SubmissionRefused(f"this is {kind_of_file(mode)}, not a plain file", where=name, fix=fix)
                refuse_special_bits(mode, name)
                if entry.name in wanted:
                    content, problem = _read(entry, name, budget, rules)
            except SubmissionRefused as refused:
                if not budget.is_notebook(name):
                    raise
                problem = refused.reason
            yield Member(name, content, problem=problem, compared_as=compared_as)


def _read(path: Path, name: str, budget: Budget, rules: Submission) -> tuple[bytes, str]:
    """The content of a wanted file, or why a notebook is not read. Nothing longer than is allowed is read."""
    with readable(name), path.open("rb") as file:
        if not budget.is_notebook(name):
            return file.read(rules.max_file_bytes + 1), ""
        problem = budget.spend(name, os.fstat(file.fileno()).st_size, "")
        return (b"", problem) if problem else (file.read(rules.max_notebook_bytes), "")
