"""What a student's git repository holds as a submission: the last commit before the deadline, by its commit time.

The deadline is the due date with its grace and the student's extension. If no commit is that early, the last commit is
handed in, late. Times are those that committers' machines wrote: whoever wants to can write another.

Nothing of a repository runs: git reads its objects alone, from a folder of our own that has no hooks, no remotes and no
configuration.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from autograder.classroom.intake.entries import Entry
from autograder.classroom.marks.policies import extension_of
from hw4.handin.assignment import Assignment, load_assignment
from hw4.handin.intake import Intake, read_submission
from hw4.handin.members import MAX_ARCHIVE_BYTES
from hw4.handin.refusal import SubmissionRefused

GIT_SECONDS = 60.0  # for one command
MAX_REFS_BYTES = 10_000_000
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def repository_in(path: Path) -> Path | None:
    """The folder with git's own files: `.git` in a clone, or the folder itself if it has no working copy."""
    for place in (path / ".git", path):
        if (place / "HEAD").is_file() and (place / "objects").is_dir() and not place.is_symlink():
            return place
    return None


def with_commit(entry: Entry, extensions: Mapping[str, float]) -> Entry:
    """The entry of a git repository with the commit that counts, and its time; any other entry as it is.

    Args:
        entry: of `find_submissions`.
        extensions: student -> days.
    """
    if entry.path is None or entry.files or (repository := repository_in(entry.path)) is None:
        return entry
    names = [name for person in entry.people for name in (person.id, person.email) if name]
    more = timedelta(days=extension_of(names, extensions), minutes=load_assignment().policies.late.grace_minutes)
    try:
        commit, committed = last_commit(repository, load_assignment().course.due + more)
    except SubmissionRefused as error:
        return replace(entry, problem=error.reason)
    return replace(entry, commit=commit, submitted=committed)


def last_commit(repository: Path, deadline: datetime) -> tuple[str, datetime]:
    """The last commit of the branch that is checked out, at or before the deadline, or the last one of all; its time.

    Raises:
        SubmissionRefused: there is none, or git cannot read it.
    """
    lines = _git(repository, "log", "--format=%ct %H", _head(repository), "--").decode("ascii", "replace").splitlines()
    commits = [(int(time), name) for time, name in (line.split() for line in lines)]  # the newest first
    in_time = [commit for commit in commits if commit[0] <= deadline.timestamp()]
    time, name = max(in_time or commits, key=lambda commit: commit[0])
    return name, datetime.fromtimestamp(time, UTC).astimezone(deadline.tzinfo)


def read_commit(path: Path, commit: str, assignment: Assignment) -> Intake:
    """Read a commit as if it were an archive. Raises SubmissionRefused."""
    repository = repository_in(path)
    assert repository is not None
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / f"{path.name[:100]} at {commit[:10]}.tar.gz"
        archive.write_bytes(_git(repository, "archive", "--format=tar.gz", commit))
        return read_submission(archive, assignment)


def _head(repository: Path) -> str:
    """The commit that HEAD names, read from git's files. Raises SubmissionRefused."""
    text = _text(repository / "HEAD")
    if text.startswith("ref: refs/") and ".." not in text:
        branch = text.removeprefix("ref: ")
        packed = re.search(rf"^([0-9a-f]+) {re.escape(branch)}$", _text(repository / "packed-refs"), re.MULTILINE)
        text = _text(repository / branch) or (packed[1] if packed else "")
    if not COMMIT.fullmatch(text):
        raise SubmissionRefused("this git repository has no commit", where=repository.name)
    return text


def _text(path: Path) -> str:
    """A small file of git's; "" if there is none."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_REFS_BYTES:
        return ""
    return path.read_text(encoding="utf-8", errors="replace").strip()


def _git(repository: Path, *words: str) -> bytes:
    """What git prints, at most as much as an archive may have. Raises SubmissionRefused."""
    with tempfile.TemporaryDirectory() as own:
        for name in ("objects", "refs"):
            (Path(own) / name).mkdir()
        (Path(own) / "HEAD").write_text("ref: refs/heads/none\n", encoding="ascii")
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": own,
            "LC_ALL": "C",
            "GIT_DIR": own,
            "GIT_OBJECT_DIRECTORY": str((repository / "objects").absolute()),
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        with tempfile.TemporaryFile() as output:
            try:
                subprocess.run(
                    ["prlimit", f"--fsize={MAX_ARCHIVE_BYTES}", "git", *words],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.DEVNULL,
                    timeout=GIT_SECONDS,
                    check=True,
                )
            except (OSError, subprocess.SubprocessError):
                raise SubmissionRefused(
                    "git cannot read this repository, or its last commit is too large", where=repository.name
                ) from None
            output.seek(0)
            return output.read()
