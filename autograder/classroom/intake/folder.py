"""The folder of a class: what is in it, and how it is written so that a kill at any moment loses nothing.

    class.json              who is in the class, and how it is graded
    changes.jsonl           points that staff changed by hand; only ever appended to
    requests.jsonl          what students ask and staff answer; only ever appended to
    alike.json              whose code is nearly the same
    log.jsonl               what happened when
    students/ID/            report.html results.json receipt.json, record.json (what was measured), standing.json (what
                            was judged, and what the documents say), done.json
    earlier/ID.N/           what students/ID was before it was graded again
    grades.csv index.html   derived from all of the above
    .gitignore              keeps all of this out of a repository

A student's folder is written whole under `.parts`, `done.json` last, and then renamed: it is there in full or not at
all. After a kill `recover` finishes what has its `done.json`, and removes the rest.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autograder.classroom.intake.entries import ClassError
from autograder.files import write_at_once, write_through

DONE, RECORD, STANDING = "done.json", "record.json", "standing.json"


@dataclass(frozen=True)
class Done:
    """A finished student."""

    student: str
    key: str  # names submission and options
    status: str  # graded, refused or fault
    submission: str = ""  # hash of what was handed in
    graded_at: str = ""  # when it was first graded; no regrade changes that


class ClassFolder:
    """One folder of results."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.students = root / "students"

    def open(self) -> None:
        """Make the folders that are not there yet."""
        for folder in (self.root, self.students, self.root / ".parts", self.root / "earlier"):
            folder.mkdir(parents=True, exist_ok=True)
        keep_out_of_git(self.root)

    @contextlib.contextmanager
    def locked(self, writer: str) -> Iterator[None]:
        """Only one process at a time writes as `writer`. The system lets go of the lock when that process ends.

        Raises:
            ClassError: another one does right now.
        """
        with (self.root / ".parts" / f"{writer}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ClassError(
                    f"another process is writing into {self.root}: wait for it to end, or stop it"
                ) from None
            yield

    # One student -----------------------------------------------------------------------------------------------------

    def done(self, student: str) -> Done | None:
        """What is finished of a student, if anything."""
        try:
            return Done(**json.loads((self.students / student / DONE).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def record(self, student: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.students / student / RECORD).read_bytes())
        return found

    def all_done(self) -> dict[str, Done]:
        """Every finished student, by name."""
        names = sorted(path.name for path in self.students.iterdir()) if self.students.is_dir() else []
        return {name: done for name in names if (done := self.done(name)) is not None}

    def commit(self, done: Done, record: dict[str, Any], documents: dict[str, bytes], writer: str) -> None:
        """Write a student's folder, whole or not at all."""
        self.copy(done, {**documents, RECORD: json.dumps(record, separators=(",", ":")).encode()}, writer)

    def copy(self, done: Done, files: dict[str, bytes], writer: str) -> None:
        """Write a student's folder from its files, whole or not at all."""
        part = self.root / ".parts" / writer / done.student
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name, content in files.items():
            if name != DONE:
                write_through(part / name, content)
        write_through(part / DONE, json.dumps(vars(done)).encode())
        self._finish(part)

    def standing(self, student: str) -> dict[str, Any]:
        """What the documents of a student say, for comparison with what they should say."""
        try:
            found: dict[str, Any] = json.loads((self.students / student / STANDING).read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    def rewrite(self, student: str, documents: dict[str, bytes]) -> None:
        """Replace documents that follow from the record, each at once; what they say goes last."""
        (self.students / student).mkdir(exist_ok=True)
        for name in sorted(documents, key=lambda name: name == STANDING):
            write_at_once(self.students / student / name, documents[name])

    def recover(self, writer: str) -> None:
        """Finish what a killed writer had written whole, and remove what it had not."""
        for part in sorted((self.root / ".parts" / writer).glob("*")):
            if (part / DONE).exists():
                self._finish(part)
            else:
                shutil.rmtree(part)

    def _finish(self, part: Path) -> None:
        place = self.students / part.name
        if place.exists():
            taken = [int(path.suffix[1:]) for path in (self.root / "earlier").glob(f"{part.name}.*")]
            place.rename(self.root / "earlier" / f"{part.name}.{max(taken, default=0) + 1}")
        part.rename(place)
        _sync(self.students)

    # The class -------------------------------------------------------------------------------------------------------

    def write_class(self, facts: dict[str, Any]) -> None:
        write_at_once(self.root / "class.json", json.dumps(facts, indent=1).encode())

    def read_class(self) -> dict[str, Any]:
        """Raises ClassError if nothing was graded into this folder."""
        try:
            facts: dict[str, Any] = json.loads((self.root / "class.json").read_bytes())
        except (OSError, ValueError):
            raise ClassError(
                f"{self.root} contains no class: `grade-class SUBMISSIONS --output DIR` creates one"
            ) from None
        return facts

    def late_rule(self) -> dict[str, Any] | None:
        """What being late means for a class that was graded here before; None if there is none."""
        with contextlib.suppress(ClassError):
            rule: dict[str, Any] | None = self.read_class().get("late_rule")
            return rule
        return None

    def log(self, event: str, **facts: Any) -> None:
        """Append to log.jsonl."""
        line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts})
        descriptor = os.open(self.root / "log.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line.encode() + b"\n")
        finally:
            os.close(descriptor)


def keep_out_of_git(folder: Path) -> None:
    """What is about students is never committed by mistake, wherever it is written."""
    write_at_once(folder / ".gitignore", b"*\n")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
