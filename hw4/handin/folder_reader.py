"""Reads a submission that is a folder (given; standard library only). Links and special files are refused."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from hw4.handin.assignment import Assignment
from hw4.handin.members import VERSION_FILE, Member, checked_name, kind_of_file, refuse_special_bits
from hw4.handin.refusal import SubmissionRefused, readable


def folder_members(root: Path, assignment: Assignment) -> Iterator[Member]:
    rules = assignment.submission
    wanted = {PurePosixPath(name).name for name in (*rules.code, *rules.notebooks, VERSION_FILE)}
    fix = "Give a folder that contains your code files and nothing else"
    num_entries, folders = 0, [root]
    while folders:
        folder = folders.pop()
        with readable(folder.name), os.scandir(folder) as found:  # no more of a million names than are allowed
            names = [entry.name for entry in islice(found, rules.max_files + 1 - num_entries)]
        num_entries += len(names)
        if num_entries > rules.max_files:
            raise SubmissionRefused(f"the folder contains more than {rules.max_files} files", where=root.name, fix=fix)
        for entry in sorted(folder / name for name in names):
            name = checked_name(entry.relative_to(root).as_posix())
            with readable(name):
                mode = entry.lstat().st_mode
                if stat.S_ISDIR(mode):
                    if not Member(f"{name}/x", b"").is_junk and not (entry / "pyvenv.cfg").exists():
                        folders.append(entry)
                    continue
                if not stat.S_ISREG(mode):
                    raise SubmissionRefused(f"this is {kind_of_file(mode)}, not a plain file", where=name, fix=fix)
                refuse_special_bits(mode, name)
                content = b""
                if entry.name in wanted:
                    with entry.open("rb") as file:
                        content = file.read(rules.max_file_bytes + 1)
            yield Member(name, content)
