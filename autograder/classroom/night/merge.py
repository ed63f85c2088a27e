"""Puts the parts of a class together that several machines graded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from autograder.classroom.intake.entries import ClassError
from autograder.classroom.intake.folder import ClassFolder, Done
from autograder.classroom.marks.changes import LOG as CHANGES
from autograder.classroom.marks.lists import write_lists
from autograder.classroom.marks.requests import LOG as REQUESTS
from autograder.classroom.marks.standing import Class

WRITER = "all"


def merge(parts: list[Path], output: Path) -> Class:
    """Copy every finished student of the parts into one folder and write the lists; can be called again.

    Args:
        parts: folders of `grade-class --shard`; `output` itself may be one of them, or all shards wrote into it.
        output: the whole class.

    Raises:
        ClassError: two parts hold different grades of one student, or are of different classes.
    """
    folders = [ClassFolder(part) for part in parts]
    target = ClassFolder(output)
    facts = _same_class(folders)
    target.open()
    with target.locked(WRITER):
        target.recover(WRITER)
        target.write_class({**facts, "late_rule": target.late_rule() or facts.get("late_rule")})
        for folder in folders:
            if folder.root.resolve() == target.root.resolve():
                continue
            for student, done in folder.all_done().items():
                there = target.done(student)
                if there is not None and _is_same_grade(folder, done, target, there):
                    continue
                if there is not None:
                    raise ClassError(
                        f"{folder.root} and {target.root} contain different grades of {student}: keep only the right "
                        f"one"
                    )
                files = {path.name: path.read_bytes() for path in (folder.students / student).iterdir()}
                target.copy(done, files, WRITER)
            for log in (CHANGES, REQUESTS):
                if (folder.root / log).exists() and not (target.root / log).exists():
                    shutil.copyfile(folder.root / log, target.root / log)
        return write_lists(target)


def _is_same_grade(one: ClassFolder, done: Done, other: ClassFolder, there: Done) -> bool:
    """Whether two folders hold one grade: a copy, which may since have been regraded, or the same points."""
    if done.key != there.key:
        return False
    of_one, of_other = one.standing(done.student), other.standing(there.student)
    return done.graded_at == there.graded_at or of_one.get("items") == of_other.get("items")


def _same_class(folders: list[ClassFolder]) -> dict[str, Any]:
    """class.json of all parts: students of every part, in the order of their names."""
    found = [folder.read_class() for folder in folders]
    if any(facts["options"] != found[0]["options"] for facts in found):
        raise ClassError("the parts were graded with different options")
    students = {entry["student"]: entry for facts in reversed(found) for entry in facts["students"]}
    return {**found[0], "students": [students[name] for name in sorted(students)]}
